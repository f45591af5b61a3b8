#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "../await.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "log/log.h"
#include "simulated_disk.h"

struct fixture {
    struct weir_fs *fs;
    struct weir_clock_virtual clock;
    struct weir_log_options options;
    struct weir_log *log;
    uint64_t ordinal; /* of the next value */
};

static struct fixture *setup(uint32_t segment_bytes, uint64_t tail_bytes)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    f->fs = weir_fs_memory_create();
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1000 });
    f->options = (struct weir_log_options){
        .fs = f->fs,
        .dir = "log",
        .clock = &f->clock.base,
        .segment_bytes = segment_bytes,
        .first_segment_bytes = segment_bytes,
        .tail_bytes = tail_bytes,
    };
    assert_int_equal(weir_log_open(&f->options, &f->log, NULL), WEIR_OK);
    return f;
}

static void teardown(struct fixture *f)
{
    weir_log_close(f->log);
    weir_fs_destroy(f->fs);
    weir_free(f);
}

static void reopen(struct fixture *f)
{
    struct weir_err err;
    weir_log_close(f->log);
    f->log = NULL;
    enum weir_rc rc = weir_log_open(&f->options, &f->log, &err);
    if (rc != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
}

/* Add a stream record whose value begins with its ordinal and has n bytes. */
static struct weir_pos add_record(struct fixture *f, uint32_t space, uint32_t shard, size_t n)
{
    char *value = weir_alloc_zero(1, n + 32);
    (void)snprintf(value, n + 32, "%08llu", (unsigned long long)f->ordinal++);
    struct weir_change change = {
        .kind = WEIR_CHANGE_RECORD,
        .space = space,
        .shard = shard,
        .event = WEIR_EVENT_MODIFY,
        .in_stream = true,
        .hops = 3,
        .key = WEIR_STR("key"),
        .keys = WEIR_STR("keys"),
        .old_value = WEIR_STR("old"),
        .value = weir_str(value, n),
    };
    enum weir_rc rc = weir_log_add(f->log, &change, 1, false, NULL);
    if (rc == WEIR_E_BUSY) {
        assert_int_equal(weir_log_sync(f->log, weir_clock_wall(&f->clock.base), NULL), WEIR_OK);
        weir_log_publish(f->log);
        rc = weir_log_add(f->log, &change, 1, false, NULL);
    }
    assert_int_equal(rc, WEIR_OK);
    weir_free(value);
    return change.pos;
}

static void commit(struct fixture *f)
{
    assert_int_equal(weir_log_sync(f->log, weir_clock_wall(&f->clock.base), NULL), WEIR_OK);
    weir_log_publish(f->log);
}

static const struct weir_log_filter everything = { .everything = true };

static bool next(struct weir_log_reader *reader, struct weir_change *ret_change)
{
    struct weir_err err;
    struct weir_time time;
    bool have = false;
    if (weir_log_next(reader, ret_change, &time, &have, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    return have;
}

static uint64_t ordinal_of(const struct weir_change *change)
{
    uint64_t ordinal = 0;
    assert_true(weir_str_to_u64(weir_str(change->value.p, 8), &ordinal));
    return ordinal;
}

/* Read everything past `after`; returns the number of changes, checking that ordinals go up by one.
 */
static uint64_t count_from(struct fixture *f, struct weir_log_filter filter, struct weir_pos after)
{
    struct weir_log_reader *reader = weir_log_reader_create(f->log, filter, after);
    struct weir_change change;
    uint64_t count = 0;
    uint64_t last = 0;
    uint64_t last_pos = after.seq;
    while (next(reader, &change)) {
        assert_true(change.pos.seq > last_pos);
        last_pos = change.pos.seq;
        if (filter.everything && count > 0) {
            assert_int_equal(ordinal_of(&change), last + 1);
        }
        last = ordinal_of(&change);
        count++;
    }
    if (count > 0) {
        assert_int_equal(weir_log_reader_pos(reader).seq, weir_log_end(f->log).seq);
    }
    weir_log_reader_destroy(reader);
    return count;
}

static void a_change_comes_back_as_it_was_added(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 0);
    struct weir_change changes[4] = {
        { .kind = WEIR_CHANGE_PUT, .space = 7, .key = WEIR_STR("k1"), .value = WEIR_STR("v1") },
        { .kind = WEIR_CHANGE_DELETE, .space = 8, .key = WEIR_STR("k2") },
        { .kind = WEIR_CHANGE_RECORD,
                .space = 9,
                .key = WEIR_STR("k3"),
                .value = WEIR_STR(""),
                .event = WEIR_EVENT_REMOVE,
                .shard = 65535,
                .by_ttl = true,
                .in_stream = true,
                .keys = WEIR_STR("keys"),
                .old_value = WEIR_STR("old"),
                .hops = 255 },
        { .kind = WEIR_CHANGE_DROP, .space = UINT32_MAX },
    };
    assert_int_equal(weir_log_add(f->log, changes, 4, false, NULL), WEIR_OK);
    assert_true(weir_log_group_bytes(f->log) > 0);
    struct weir_log_reader *reader =
            weir_log_reader_create(f->log, everything, (struct weir_pos){ 0 });
    struct weir_change change;
    assert_false(next(reader, &change));
    assert_int_equal(weir_log_sync(f->log, (struct weir_time){ 77 }, NULL), WEIR_OK);
    assert_false(next(reader, &change)); /* synced, not published */
    weir_log_publish(f->log);
    assert_int_equal(weir_log_group_bytes(f->log), 0);
    assert_int_equal(weir_log_last_time(f->log).ms, 77);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            struct weir_time time = { 0 };
            bool have = false;
            assert_int_equal(weir_log_next(reader, &change, &time, &have, NULL), WEIR_OK);
            assert_true(have);
            assert_int_equal(time.ms, 77);
            assert_int_equal(change.kind, changes[i].kind);
            assert_int_equal(change.space, changes[i].space);
            assert_int_equal(change.pos.seq, changes[i].pos.seq);
            assert_true(weir_str_eq(change.key, changes[i].key));
            assert_true(weir_str_eq(change.value, changes[i].value));
            assert_true(weir_str_eq(change.keys, changes[i].keys));
            assert_true(weir_str_eq(change.old_value, changes[i].old_value));
            assert_int_equal(change.event, changes[i].event);
            assert_int_equal(change.shard, changes[i].shard);
            assert_int_equal(change.by_ttl, changes[i].by_ttl);
            assert_int_equal(change.in_stream, changes[i].in_stream);
            assert_int_equal(change.hops, changes[i].hops);
        }
        assert_false(next(reader, &change));
        weir_log_reader_destroy(reader);
        reopen(f); /* the second round reads the file */
        assert_int_equal(weir_log_last_time(f->log).ms, 77);
        reader = weir_log_reader_create(f->log, everything, (struct weir_pos){ 0 });
    }
    weir_log_reader_destroy(reader);
    teardown(f);
}

static void a_discarded_group_leaves_nothing(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 0);
    struct weir_pos dropped = add_record(f, 1, 0, 100);
    weir_log_discard(f->log);
    assert_int_equal(weir_log_group_bytes(f->log), 0);
    f->ordinal = 0;
    assert_int_equal(weir_log_sync(f->log, (struct weir_time){ 1 }, NULL), WEIR_OK);
    weir_log_publish(f->log);
    assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 0);
    struct weir_pos kept = add_record(f, 1, 0, 50);
    commit(f);
    assert_int_equal(kept.seq, dropped.seq);
    assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 1);
    struct weir_log_extent extent;
    weir_log_extent(f->log, 1, 0, &extent);
    assert_int_equal(extent.count, 1);
    teardown(f);
}

static void sizes_are_limited(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 0);
    struct weir_err err;
    static char big[64 * 1024];
    struct weir_change change = { .kind = WEIR_CHANGE_PUT, .value = weir_str(big, 16384) };
    assert_int_equal(weir_log_add(f->log, &change, 1, false, &err), WEIR_E_TOO_LARGE);
    change.value.n = 16000;
    assert_int_equal(weir_log_add(f->log, &change, 1, false, &err), WEIR_OK);
    assert_int_equal(weir_log_add(f->log, &change, 1, false, &err), WEIR_E_BUSY);
    commit(f);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(weir_log_add(f->log, &change, 1, false, &err), WEIR_OK);
        commit(f);
    }
    assert_true(weir_log_end(f->log).seq >> 26 > 5);
    teardown(f);
}

static void rolls_over_segments(uint64_t tail_bytes)
{
    struct fixture *f = setup(64 * 1024, tail_bytes);
    struct weir_random random;
    weir_random_seed(&random, 1);
    struct weir_pos positions[1000];
    for (int i = 0; i < 1000; i++) {
        positions[i] = add_record(f, 1, 0, 8 + weir_random_below(&random, 1500));
        if (i > 0) {
            assert_true(positions[i].seq > positions[i - 1].seq);
        }
        if (weir_random_below(&random, 4) == 0) {
            commit(f);
        }
    }
    commit(f);
    assert_true(weir_log_end(f->log).seq >> 26 >= 10);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 1000);
        for (int i = 0; i < 1000; i += 37) {
            assert_int_equal(count_from(f, everything, positions[i]), 999 - i);
            assert_int_equal(
                    count_from(f, everything, (struct weir_pos){ positions[i].seq - 1 }), 1000 - i);
        }
        reopen(f);
    }
    add_record(f, 1, 0, 10);
    commit(f);
    assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 1001);
    teardown(f);
}

static void rolls_and_reads_from_memory(void **state)
{
    (void)state;
    rolls_over_segments(64 * 1024 * 1024);
}

static void rolls_and_reads_from_disk(void **state)
{
    (void)state;
    rolls_over_segments(1);
}

/* Half a hundred segments' worth is too slow here: two of 2 MiB with rare records in between. */
static void an_index_skips_what_is_not_asked_for(void **state)
{
    (void)state;
    struct fixture *f = setup(2 * 1024 * 1024, 1);
    struct weir_pos rare[8];
    for (int i = 0; i < 2000; i++) {
        add_record(f, 1, i % 4, 2000);
        if (i % 250 == 100) {
            rare[i / 250] = add_record(f, 2, 7, 100);
        }
        if (i % 8 == 7) {
            commit(f);
        }
    }
    commit(f);
    reopen(f);
    struct weir_log_extent extent;
    weir_log_extent(f->log, 2, 7, &extent);
    assert_int_equal(extent.count, 8);
    assert_int_equal(extent.first.seq, rare[0].seq);
    assert_int_equal(extent.last.seq, rare[7].seq);
    weir_log_extent(f->log, 1, WEIR_LOG_ANY_SHARD, &extent);
    assert_int_equal(extent.count, 2000);
    weir_log_extent(f->log, 1, 3, &extent);
    assert_int_equal(extent.count, 500);
    weir_log_extent(f->log, 3, WEIR_LOG_ANY_SHARD, &extent);
    assert_int_equal(extent.count, 0);
    struct weir_log_filter filter = { .space = 2, .shard = 7 };
    assert_int_equal(count_from(f, filter, (struct weir_pos){ 0 }), 8);
    assert_int_equal(count_from(f, filter, rare[3]), 4);
    assert_int_equal(count_from(f, filter, (struct weir_pos){ rare[3].seq - 1 }), 5);
    filter.shard = WEIR_LOG_ANY_SHARD;
    assert_int_equal(count_from(f, filter, (struct weir_pos){ 0 }), 8);
    filter.space = 1;
    assert_int_equal(count_from(f, filter, (struct weir_pos){ 0 }), 2000);
    filter.shard = 2;
    assert_int_equal(count_from(f, filter, (struct weir_pos){ 0 }), 500);
    teardown(f);

    /* Skipping saves reading: a stream with nothing reads nothing. */
    struct weir_simulated_disk *disk = weir_simulated_disk_create();
    f = setup(2 * 1024 * 1024, 1);
    weir_log_close(f->log);
    f->log = NULL;
    weir_fs_destroy(f->fs);
    f->fs = weir_simulated_disk_fs(disk);
    f->options.fs = f->fs;
    reopen(f);
    for (int i = 0; i < 800; i++) {
        add_record(f, i == 10 || i == 500 ? 2 : 1, 0, 2000);
        commit(f);
    }
    uint64_t before = weir_simulated_disk_bytes_read(disk);
    filter = (struct weir_log_filter){ .space = 2, .shard = 0 };
    assert_int_equal(count_from(f, filter, (struct weir_pos){ 0 }), 2);
    uint64_t bytes = weir_simulated_disk_bytes_read(disk) - before;
    assert_in_range(bytes, 1, 2 * (256 + 32) * 1024);
    teardown(f);
}

static void trimmed_segments_are_gone_and_reused(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 1);
    struct weir_pos positions[400];
    for (int i = 0; i < 400; i++) {
        weir_clock_virtual_advance(&f->clock, 10);
        positions[i] = add_record(f, 1, 0, 1000);
        commit(f);
    }
    struct weir_err err;
    struct weir_log_reader *behind = weir_log_reader_create(f->log, everything, positions[10]);
    struct weir_pos oldest = weir_log_oldest(f->log);
    /* Not old enough; not far enough. */
    assert_int_equal(
            weir_log_trim(f->log, weir_log_end(f->log), (struct weir_time){ 1000 }, &err), WEIR_OK);
    assert_int_equal(
            weir_log_trim(f->log, positions[20], (struct weir_time){ INT64_MAX }, &err), WEIR_OK);
    assert_int_equal(weir_log_oldest(f->log).seq, oldest.seq);
    assert_int_equal(
            weir_log_trim(f->log, positions[200], (struct weir_time){ INT64_MAX }, &err), WEIR_OK);
    oldest = weir_log_oldest(f->log);
    assert_true(oldest.seq > positions[100].seq && oldest.seq < positions[200].seq);
    struct weir_change change;
    struct weir_time time;
    bool have = false;
    assert_int_equal(weir_log_next(behind, &change, &time, &have, &err), WEIR_E_TRIMMED);
    assert_int_equal(weir_log_reader_pos(behind).seq, oldest.seq);
    assert_true(next(behind, &change)); /* goes on at the oldest */
    uint64_t first = ordinal_of(&change);
    assert_true(first > 100 && first <= 200);
    weir_log_reader_destroy(behind);
    for (int round = 0; round < 2; round++) {
        /* Whoever has seen all that was trimmed misses nothing. */
        assert_int_equal(count_from(f, everything, oldest), 400 - first);
        assert_int_equal(count_from(f, everything, positions[first]), 399 - first);
        struct weir_log_reader *reader =
                weir_log_reader_create(f->log, everything, (struct weir_pos){ 0 });
        assert_int_equal(weir_log_next(reader, &change, &time, &have, &err), WEIR_E_TRIMMED);
        weir_log_reader_destroy(reader);
        reopen(f);
    }
    /* The segment with the end stays, whatever is asked. */
    assert_int_equal(weir_log_trim(f->log, (struct weir_pos){ UINT64_MAX },
                             (struct weir_time){ INT64_MAX }, &err),
            WEIR_OK);
    assert_true(count_from(f, everything, weir_log_oldest(f->log)) > 0);
    uint64_t bytes = weir_log_bytes(f->log);
    for (int i = 0; i < 400; i++) {
        add_record(f, 1, 0, 1000);
        commit(f);
        assert_int_equal(
                weir_log_trim(f->log, weir_log_end(f->log), (struct weir_time){ INT64_MAX }, &err),
                WEIR_OK);
        assert_in_range(weir_log_bytes(f->log), 64 * 1024, bytes + 2 * 64 * 1024);
    }
    teardown(f);
}

/* Reads of two shards, in random steps, while segments come and go: nothing is counted twice. */
struct counting {
    struct weir_log_reader *reader;
    uint64_t handed;
    uint64_t lost;
    bool exact;
};

static void read_some(struct counting *counting, uint64_t most)
{
    for (uint64_t i = 0; i < most; i++) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        enum weir_rc rc = weir_log_next(counting->reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            struct weir_log_gap gap = weir_log_reader_gap(counting->reader);
            assert_true(gap.counted && gap.from.seq < gap.to.seq);
            assert_true(gap.records.least == gap.records.most || !counting->exact);
            counting->lost += gap.records.least;
            counting->exact = gap.records.least == gap.records.most;
            continue;
        }
        assert_int_equal(rc, WEIR_OK);
        counting->handed += have;
    }
}

static void readers_know_how_far_behind_they_are(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 1);
    struct weir_random random;
    weir_random_seed(&random, 7);
    struct counting counting[2] = { 0 };
    uint64_t total[2] = { 0, 0 };
    for (uint32_t i = 0; i < 2; i++) {
        struct weir_log_filter filter = { .space = 5, .shard = (int32_t)i };
        counting[i].reader = weir_log_reader_create(f->log, filter, weir_log_oldest(f->log));
        counting[i].exact = true;
    }
    for (int round = 0; round < 2000; round++) {
        uint32_t shard = (uint32_t)weir_random_below(&random, 2);
        total[shard]++;
        add_record(f, 5, shard, 400);
        add_record(f, 6, shard, 100);
        commit(f);
        read_some(&counting[shard], weir_random_below(&random, 3));
        if (weir_random_below(&random, 60) == 0) {
            struct weir_pos upto = { weir_log_oldest(f->log).seq + WEIR_LOG_SEGMENT_BYTES };
            struct weir_time any = { INT64_MAX };
            assert_int_equal(weir_log_trim(f->log, upto, any, NULL), WEIR_OK);
        }
        struct weir_log_count behind;
        weir_log_reader_behind(counting[shard].reader, &behind);
        const struct counting *c = &counting[shard];
        struct weir_log_gap gap = { 0 };
        if (weir_log_reader_check(c->reader, NULL) == WEIR_E_TRIMMED) {
            gap = weir_log_reader_gap(c->reader);
            assert_int_equal(gap.records.least, gap.records.most);
            weir_log_reader_behind(c->reader, &behind);
            counting[shard].lost += gap.records.least;
        }
        assert_int_equal(behind.least, behind.most);
        assert_int_equal(c->handed + c->lost + behind.least, total[shard]);
    }
    assert_true(counting[0].lost > 0 && counting[1].lost > 0);
    for (int i = 0; i < 2; i++) {
        weir_log_reader_destroy(counting[i].reader);
    }
    teardown(f);
}

static void a_reader_that_begins_in_a_segment_knows_bounds(void **state)
{
    (void)state;
    struct fixture *f = setup(64 * 1024, 1);
    struct weir_pos positions[10];
    for (int i = 0; i < 10; i++) {
        positions[i] = add_record(f, 5, 0, 100);
        commit(f);
    }
    const struct weir_log_filter filter = { .space = 5, .shard = 0 };
    struct weir_log_reader *reader = weir_log_reader_create(f->log, filter, positions[6]);
    struct weir_log_count behind;
    weir_log_reader_behind(reader, &behind);
    assert_true(behind.least == 1 && behind.most == 9);
    struct weir_change change;
    assert_true(next(reader, &change));
    weir_log_reader_behind(reader, &behind);
    assert_true(behind.least == 1 && behind.most == 8);
    assert_true(next(reader, &change) && next(reader, &change) && !next(reader, &change));
    weir_log_reader_behind(reader, &behind);
    assert_true(behind.least == 0 && behind.most == 0);
    weir_log_reader_destroy(reader);
    /* What is gone before somebody reads cannot be counted. */
    for (int i = 0; i < 300; i++) {
        add_record(f, 5, 0, 1000);
        commit(f);
    }
    reader = weir_log_reader_create(f->log, filter, positions[6]);
    struct weir_time any = { INT64_MAX };
    assert_int_equal(weir_log_trim(f->log, weir_log_end(f->log), any, NULL), WEIR_OK);
    assert_int_equal(weir_log_reader_check(reader, NULL), WEIR_E_TRIMMED);
    struct weir_log_gap gap = weir_log_reader_gap(reader);
    assert_false(gap.counted);
    assert_int_equal(gap.from.seq, positions[6].seq);
    assert_int_equal(gap.to.seq, weir_log_oldest(f->log).seq);
    assert_int_equal(weir_log_reader_check(reader, NULL), WEIR_OK);
    weir_log_reader_destroy(reader);
    teardown(f);
}

/* Nothing that somebody needs is trimmed while there is room, and soon after there is none. */
static void room_is_what_is_left_until_a_position_goes(void **state)
{
    (void)state;
    enum { SEGMENT = 64 * 1024, BOUND = 20 * SEGMENT };
    struct fixture *f = setup(SEGMENT, 1);
    struct weir_pos held = add_record(f, 5, 0, 100);
    commit(f);
    uint64_t room = weir_log_room(f->log, held, BOUND);
    uint64_t began = weir_log_appended(f->log);
    assert_in_range(room, BOUND - 5 * SEGMENT, BOUND);
    while (weir_log_room(f->log, held, BOUND) > SEGMENT) {
        assert_true(weir_log_held_bytes(f->log) <= BOUND);
        uint64_t before = weir_log_appended(f->log);
        uint64_t left = weir_log_room(f->log, held, BOUND);
        add_record(f, 5, 0, 1000);
        commit(f);
        uint64_t written = weir_log_appended(f->log) - before;
        /* A segment's end stays empty when a group does not fit, and its footer needs place. */
        assert_in_range(weir_log_room(f->log, held, BOUND),
                left > written + 12 * 1024 ? left - written - 12 * 1024 : 0, left);
    }
    assert_true(weir_log_appended(f->log) - began >= room - room / 4);
    assert_in_range(weir_log_held_bytes(f->log), BOUND - SEGMENT, BOUND);
    assert_in_range(weir_log_bytes(f->log), weir_log_held_bytes(f->log), BOUND + SEGMENT);
    assert_true(weir_log_room(f->log, weir_log_end(f->log), BOUND) > BOUND / 2);
    teardown(f);
}

static void a_time_is_found(void **state)
{
    (void)state;
    for (uint64_t tail = 1; tail < 100000000; tail += 99999998) {
        struct fixture *f = setup(1024 * 1024, tail);
        for (int i = 0; i < 3000; i++) {
            add_record(f, 1, 0, 900);
            assert_int_equal(
                    weir_log_sync(f->log, (struct weir_time){ 1000 + i / 3 * 10 }, NULL), WEIR_OK);
            weir_log_publish(f->log);
        }
        for (int i = 0; i < 1000; i += 7) {
            struct weir_pos after;
            for (int early = 0; early < 10; early += 9) { /* no group has the time itself, too */
                assert_int_equal(weir_log_find_time(f->log,
                                         (struct weir_time){ 1000 + i * 10 - early }, &after, NULL),
                        WEIR_OK);
                assert_int_equal(count_from(f, everything, after), 3000 - i * 3);
            }
        }
        struct weir_pos after;
        assert_int_equal(
                weir_log_find_time(f->log, (struct weir_time){ 1000000 }, &after, NULL), WEIR_OK);
        assert_int_equal(after.seq, weir_log_end(f->log).seq);
        teardown(f);
    }
}

static void a_large_transaction_spans_stretches(void **state)
{
    (void)state;
    struct fixture *f = setup(8 * 1024 * 1024, 1);
    for (int i = 0; i < 12; i++) {
        add_record(f, 1, 0, 1900 * 1024);
        add_record(f, 2, 0, 100);
        commit(f);
    }
    assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 24);
    assert_int_equal(
            count_from(f, (struct weir_log_filter){ .space = 2 }, (struct weir_pos){ 0 }), 12);
    reopen(f);
    assert_int_equal(count_from(f, everything, (struct weir_pos){ 0 }), 24);
    teardown(f);
}

enum { CONCURRENT = 20000, READERS = 3 };

struct follower {
    struct fixture *f;
    struct weir_log_filter filter;
    uint64_t expected;
    uint64_t seen;
};

static void *follow(void *arg)
{
    struct follower *follower = arg;
    struct weir_log_reader *reader =
            weir_log_reader_create(follower->f->log, follower->filter, (struct weir_pos){ 0 });
    uint64_t last = 0;
    uint64_t end_ms = now_ms() + AWAIT_MS;
    while (follower->seen < follower->expected && now_ms() < end_ms) {
        struct weir_change change;
        struct weir_time time;
        bool have = false;
        if (weir_log_next(reader, &change, &time, &have, NULL) != WEIR_OK ||
                (have && change.pos.seq <= last)) {
            break;
        }
        if (have) {
            last = change.pos.seq;
            follower->seen++;
        } else {
            sched_yield();
        }
    }
    weir_log_reader_destroy(reader);
    return NULL;
}

static void readers_follow_while_the_log_is_written(void **state)
{
    (void)state;
    struct fixture *f = setup(256 * 1024, 512 * 1024);
    struct follower followers[READERS] = {
        { f, { .everything = true }, CONCURRENT, 0 },
        { f, { .space = 1, .shard = 2 }, CONCURRENT / 4, 0 },
        { f, { .space = 1, .shard = WEIR_LOG_ANY_SHARD }, CONCURRENT, 0 },
    };
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, follow, &followers[i]), 0);
    }
    for (uint32_t i = 0; i < CONCURRENT; i++) {
        add_record(f, 1, i % 4, 100);
        if (i % 5 == 4) {
            commit(f);
        }
    }
    commit(f);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(followers[i].seen, followers[i].expected);
    }
    teardown(f);
}

/* Changes that can be read, of any kind. */
static int count_puts(struct fixture *f)
{
    struct weir_log_reader *reader =
            weir_log_reader_create(f->log, everything, weir_log_oldest(f->log));
    struct weir_change change;
    int count = 0;
    while (next(reader, &change)) {
        count++;
    }
    weir_log_reader_destroy(reader);
    return count;
}

static enum weir_rc put(struct fixture *f, bool urgent)
{
    static const char value[1000];
    struct weir_change change = { .kind = WEIR_CHANGE_PUT, .value = weir_str(value, 1000) };
    enum weir_rc rc = weir_log_add(f->log, &change, 1, urgent, NULL);
    if (rc == WEIR_OK) {
        commit(f);
    }
    return rc;
}

/* Wait until the ballast is written. */
static void await_ballast(struct fixture *f)
{
    uint64_t bytes = 0;
    AWAIT(bytes >= 64 * 1024, "log/ballast is too small")
    {
        struct weir_file *file = NULL;
        if (f->fs->ops->open(f->fs, "log/ballast", WEIR_OPEN_READ, &file, NULL) == WEIR_OK) {
            assert_int_equal(f->fs->ops->size(file, &bytes, NULL), WEIR_OK);
            weir_file_destroy(file);
        }
        sched_yield();
    }
}

/* On a disk without room the log refuses ordinary writes, still takes urgent ones, and recovers. */
static void full_disk(bool no_thread, bool recycle)
{
    struct weir_simulated_disk *disk = weir_simulated_disk_create();
    struct fixture *f = setup(64 * 1024, 1);
    weir_log_close(f->log);
    f->log = NULL;
    weir_fs_destroy(f->fs);
    f->fs = weir_simulated_disk_fs(disk);
    f->options.fs = f->fs;
    f->options.ballast = true;
    f->options.no_thread = no_thread;
    weir_simulated_disk_set_free(disk, 4 * 64 * 1024 + 100);
    reopen(f);
    await_ballast(f);
    struct weir_err why;
    int ordinary = 0;
    while (put(f, false) == WEIR_OK) {
        ordinary++;
        assert_in_range(ordinary, 1, 300);
    }
    assert_in_range(ordinary, 100, 300);
    assert_true(weir_log_is_read_only(f->log, &why));
    assert_int_equal(why.code, WEIR_E_READ_ONLY);
    int urgent = 0;
    while (put(f, true) == WEIR_OK) {
        assert_true(weir_log_is_read_only(f->log, NULL));
        assert_int_equal(put(f, false), WEIR_E_READ_ONLY);
        urgent++;
        assert_in_range(urgent, 1, 80);
    }
    assert_in_range(urgent, 50, 80); /* the eighth that was kept back, and the ballast */
    if (recycle) {
        assert_int_equal(
                weir_log_trim(f->log, weir_log_end(f->log), (struct weir_time){ INT64_MAX }, &why),
                WEIR_OK);
    } else {
        weir_simulated_disk_set_free(disk, (uint64_t)1 << 30);
    }
    AWAIT(put(f, false) == WEIR_OK, weir_log_is_read_only(f->log, &why) ? why.msg : "")
    {
        sched_yield(); /* until the thread has tried again */
    }
    if (!recycle) {
        for (int i = 0; i < 200; i++) {
            assert_int_equal(put(f, false), WEIR_OK);
        }
        reopen(f);
        assert_int_equal(count_puts(f), ordinary + urgent + 201);
    }
    assert_false(weir_log_is_read_only(f->log, NULL));
    teardown(f);
}

static void a_full_disk_makes_the_log_read_only(void **state)
{
    (void)state;
    full_disk(true, false);
    full_disk(false, false);
}

static void trimming_frees_a_full_disk(void **state)
{
    (void)state;
    full_disk(true, true);
    full_disk(false, true);
}

static void metrics_are_counted(void **state)
{
    (void)state;
    struct weir_metrics *metrics = weir_metrics_create();
    struct fixture *f = setup(64 * 1024, 0);
    f->options.metrics = metrics;
    f->options.no_thread = true;
    reopen(f);
    assert_int_equal(put(f, false), WEIR_OK);
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_metrics_write(metrics, &buf);
    weir_buf_byte(&buf, '\0');

    assert_non_null(strstr(buf.p, "weir_log_bytes{} 131072"));
    assert_non_null(strstr(buf.p, "weir_log_segments{} 1"));
    assert_non_null(strstr(buf.p, "weir_log_sync_seconds_count{} 1"));
    assert_non_null(strstr(buf.p, "weir_log_group_bytes_sum{} 10"));
    weir_buf_fini(&buf);
    teardown(f);
    weir_metrics_destroy(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_comes_back_as_it_was_added),
        cmocka_unit_test(a_discarded_group_leaves_nothing),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(rolls_and_reads_from_memory),
        cmocka_unit_test(rolls_and_reads_from_disk),
        cmocka_unit_test(an_index_skips_what_is_not_asked_for),
        cmocka_unit_test(trimmed_segments_are_gone_and_reused),
        cmocka_unit_test(readers_know_how_far_behind_they_are),
        cmocka_unit_test(a_reader_that_begins_in_a_segment_knows_bounds),
        cmocka_unit_test(room_is_what_is_left_until_a_position_goes),
        cmocka_unit_test(a_time_is_found),
        cmocka_unit_test(a_large_transaction_spans_stretches),
        cmocka_unit_test(readers_follow_while_the_log_is_written),
        cmocka_unit_test(a_full_disk_makes_the_log_read_only),
        cmocka_unit_test(trimming_frees_a_full_disk),
        cmocka_unit_test(metrics_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
