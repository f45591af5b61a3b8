#include <pthread.h>
#include <stdio.h>

#include "../test.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/random.h"
#include "log/log.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_comes_back_as_it_was_added),
        cmocka_unit_test(a_discarded_group_leaves_nothing),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(rolls_and_reads_from_memory),
        cmocka_unit_test(rolls_and_reads_from_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
