/* The store and its log: following, trimming, opening again, the data folder, a disk that refuses.
 */
#include <dirent.h>

#include "base/lock.h"
#include "simulated_disk.h"
#include "store_fixture.h"

/* --- following ----------------------------------------------------------------------------------
 */

struct watcher {
    struct weir_watch watch;
    _Atomic int wakes;
    struct weir_store *store;
    uint64_t end; /* published when it was woken */
};

static void woken(struct weir_watch *watch)
{
    struct watcher *watcher = WEIR_CONTAINER(watch, struct watcher, watch);
    watcher->end = weir_log_end(weir_store_log(watcher->store)).seq;
    watcher->wakes++;
}

static void watches_wake_for_their_keyspace(void **state)
{
    struct fixture *f = *state;
    struct watcher one = { .watch = { .space = SPACE, .wake = woken }, .store = f->store };
    struct watcher two = { .watch = { .space = OTHER_SPACE, .wake = woken }, .store = f->store };
    weir_store_watch(f->store, &one.watch);
    weir_store_watch(f->store, &two.watch);
    put(f, SPACE, "a", "1");
    assert_int_equal(one.wakes, 1); /* before done */
    assert_int_equal(two.wakes, 0);
    assert_true(one.end > entry(f, SPACE, "a").pos.seq);
    struct weir_txn *both = weir_txn_create();
    weir_txn_put(both, SPACE, WEIR_STR("a"), WEIR_STR("1"));
    weir_txn_put(both, SPACE, WEIR_STR("b"), WEIR_STR("1"));
    weir_txn_put(both, OTHER_SPACE, WEIR_STR("a"), WEIR_STR("1"));
    assert_int_equal(commit(f, both), WEIR_OK);
    assert_int_equal(one.wakes, 2);
    assert_int_equal(two.wakes, 1);
    struct weir_txn *many = weir_txn_create(); /* more keyspaces than are told apart */
    for (uint32_t i = 0; i < 100; i++) {
        weir_txn_put(many, OTHER_SPACE + i, WEIR_STR("a"), WEIR_STR("1"));
    }
    assert_int_equal(commit(f, many), WEIR_OK);
    assert_int_equal(two.wakes, 2);
    weir_store_unwatch(f->store, &two.watch);
    int before = one.wakes;
    put(f, OTHER_SPACE, "a", "2");
    put(f, SPACE, "a", "2");
    assert_int_equal(two.wakes, 2);
    assert_int_equal(one.wakes, before + 1);
    weir_store_unwatch(f->store, &one.watch);
    put(f, SPACE, "a", "3");
    assert_int_equal(one.wakes, before + 1);
}

static uint64_t oldest_segment(struct fixture *f)
{
    return weir_log_oldest(weir_store_log(f->store)).seq / WEIR_LOG_SEGMENT_BYTES;
}

static uint64_t last_segment(struct fixture *f)
{
    return weir_log_end(weir_store_log(f->store)).seq / WEIR_LOG_SEGMENT_BYTES;
}

/* Fill a number of segments of 64 KiB. */
static void fill_segments(struct fixture *f, uint64_t count)
{
    static const char big[10000];
    uint64_t until = last_segment(f) + count;
    while (last_segment(f) < until) {
        struct weir_txn *txn = weir_txn_create();
        weir_txn_put(txn, SPACE, WEIR_STR("fill"), weir_str(big, sizeof(big)));
        assert_int_equal(commit(f, txn), WEIR_OK);
    }
}

/* Fill segments until the oldest one is past `number`; the state flushes in the background. */
static void fill_until_trimmed(struct fixture *f, uint64_t number)
{
    for (int i = 0; i < 2000 && oldest_segment(f) <= number; i++) {
        fill_segments(f, 1);
    }
    assert_true(oldest_segment(f) > number);
}

static void segments_go_when_they_are_old(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    f->options.retention_ms = 60 * 1000;
    f->options.log_max_bytes = 1ull << 40;
    open_store(f);
    put(f, SPACE, "a", "1");
    fill_segments(f, 20);
    assert_int_equal(oldest_segment(f), 1);
    uint64_t young = last_segment(f) + 1;
    weir_clock_virtual_advance(&f->clock, 59 * 1000);
    fill_segments(f, 5);
    assert_int_equal(oldest_segment(f), 1);
    weir_clock_virtual_advance(&f->clock, 2 * 1000);
    fill_until_trimmed(f, 15);
    fill_segments(f, 5);
    assert_true(oldest_segment(f) <= young); /* those of the last 59 seconds are kept */
    assert_value(f, SPACE, "a", "1");
}

static void a_hold_keeps_segments(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    f->options.retention_ms = 1;
    f->options.log_max_bytes = 1ull << 40;
    open_store(f);
    struct weir_hold hold = { .pos = { 0 } };
    weir_store_hold(f->store, &hold);
    weir_clock_virtual_advance(&f->clock, 1000);
    for (int i = 0; i < 30; i++) {
        fill_segments(f, 1);
        weir_clock_virtual_advance(&f->clock, 1000);
    }
    assert_int_equal(oldest_segment(f), 1);
    weir_store_hold_move(
            f->store, &hold, (struct weir_pos){ 10ull * WEIR_LOG_SEGMENT_BYTES + 100 });
    for (int i = 0; i < 2000 && oldest_segment(f) < 10; i++) {
        fill_segments(f, 1);
    }
    assert_int_equal(oldest_segment(f), 10);
    weir_store_unhold(f->store, &hold);
    weir_clock_virtual_advance(&f->clock, 1000);
    fill_until_trimmed(f, 10);
}

static void the_bound_of_the_log_comes_before_holds(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    f->options.log_max_bytes = 40 * 64 * 1024;
    open_store(f);
    struct weir_hold hold = { .pos = { 0 } };
    weir_store_hold(f->store, &hold);
    fill_segments(f, 38); /* spare ones do not count */
    assert_int_equal(oldest_segment(f), 1);
    fill_until_trimmed(f, 1);
    fill_segments(f, 100);
    for (int i = 0; i < 100; i++) {
        fill_segments(f, 1);
        /* Only what is over the bound goes. */
        assert_true(last_segment(f) - oldest_segment(f) >= 39);
    }
    weir_store_unhold(f->store, &hold);
}

static void a_clock_that_steps_ahead_trims_nothing(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    f->options.retention_ms = 60 * 1000;
    f->options.log_max_bytes = 1ull << 40;
    open_store(f);
    fill_segments(f, 20);
    f->clock.wall_ms += 365ll * 24 * 3600 * 1000;
    fill_segments(f, 20);
    assert_int_equal(oldest_segment(f), 1);
    f->clock.wall_ms -= 365ll * 24 * 3600 * 1000;
    weir_clock_virtual_advance(&f->clock, 61 * 1000);
    fill_until_trimmed(f, 5);
}

/* --- opening again --------------------------------------------------------------------------- */

static void everything_is_there_after_closing(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "1");
    put(f, SPACE, "b", "1");
    del(f, SPACE, "b");
    struct weir_entry before = entry(f, SPACE, "a");
    uint64_t end = weir_log_end(weir_store_log(f->store)).seq;
    for (int i = 0; i < 3; i++) {
        f->options.discard_state = i == 1; /* that time from the log alone */
        reopen_store(f);
        struct weir_entry after = entry(f, SPACE, "a");
        assert_int_equal(after.pos.seq, before.pos.seq);
        assert_int_equal(after.time.ms, before.time.ms);
        assert_value(f, SPACE, "a", "1");
        assert_value(f, SPACE, "b", NULL);
        assert_int_equal(weir_log_end(weir_store_log(f->store)).seq, end);
    }
    f->clock.wall_ms -= 1000 * 1000;
    reopen_store(f);
    put(f, SPACE, "b", "2");
    assert_true(entry(f, SPACE, "b").pos.seq >= end);
    assert_int_equal(entry(f, SPACE, "b").time.ms, before.time.ms); /* time does not go back */
}

static void many_changes_are_replayed(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 2500 }; /* more than one batch of the replay */
    for (int i = 0; i < COUNT; i += 50) {
        struct weir_txn *txn = weir_txn_create();
        for (int k = i; k < i + 50; k++) {
            struct weir_str key = weir_arena_printf(&txn->arena, "key %d", k);
            weir_txn_put(txn, SPACE, key, key);
        }
        assert_int_equal(commit(f, txn), WEIR_OK);
    }
    f->options.discard_state = true;
    reopen_store(f);
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key %d", i);
        assert_value(f, SPACE, key, key);
    }
}

static const char *path_of(struct fixture *f, const char *name)
{
    return weir_arena_printf(&f->arena, "%s/%s", f->dir, name).p;
}

static void log_and_state_must_belong_together(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    put(f, SPACE, "a", "1");
    close_store(f);
    remove_folder(path_of(f, "state")); /* the log has it all */
    open_store(f);
    assert_value(f, SPACE, "a", "1");
    close_store(f);
    remove_folder(path_of(f, "log"));
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_DAMAGED);
    assert_non_null(strstr(err.msg, "the state has what the commit log has not"));
}

static void a_lost_state_is_not_taken_for_an_empty_one(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    f->options.segment_bytes = 64 * 1024;
    f->options.log_max_bytes = 20 * 64 * 1024;
    reopen_store(f);
    put(f, SPACE, "a", "1");
    fill_until_trimmed(f, 2);
    close_store(f);
    remove_folder(path_of(f, "state"));
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_DAMAGED);
    assert_non_null(strstr(err.msg, "missing"));
}

/* --- the data folder -------------------------------------------------------------------------- */

static size_t count_files(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static void a_folder_belongs_to_one_weir(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "1");
    assert_int_equal(remove(path_of(f, "FORMAT")), 0); /* it would be written anew */
    size_t files = count_files(f->dir);
    size_t log_files = count_files(path_of(f, "log"));
    struct weir_store *second = NULL;
    struct weir_err err;
    assert_int_equal(weir_store_open(&f->options, &second, &err), WEIR_E_LOCKED);
    assert_null(second);
    assert_non_null(strstr(err.msg, f->dir));
    assert_int_equal(count_files(f->dir), files);
    assert_int_equal(count_files(path_of(f, "log")), log_files);
    put(f, SPACE, "a", "2");
    reopen_store(f);
    assert_value(f, SPACE, "a", "2");
}

static void write_format(struct fixture *f, const char *text)
{
    FILE *file = fopen(path_of(f, "FORMAT"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    put(f, SPACE, "a", "1");
    close_store(f);
    write_format(f, "weir-data\nversion 2\nfeatures 0000000000000000\nneeds 7.8.9\n");
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_FORMAT);
    assert_non_null(strstr(err.msg, "7.8.9"));
    assert_non_null(strstr(err.msg, "version 2"));
    write_format(f, "weir-data\nversion 1\nfeatures 0000000000000100\nneeds 7.8.9\n");
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_FORMAT);
    assert_non_null(strstr(err.msg, "features 100"));
    write_format(f, "something else");
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_FORMAT);
    write_format(f, "");
    assert_int_equal(weir_store_open(&f->options, &f->store, &err), WEIR_E_FORMAT);
    write_format(f, "weir-data\nversion 1\nfeatures 0000000000000000\nneeds 0.1.0\n");
    open_store(f);
    assert_value(f, SPACE, "a", "1");
}

static void a_folder_that_cannot_be_made_is_said(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    f->options.dir = "/proc/no/such/folder";
    assert_int_not_equal(weir_store_open(&f->options, &f->store, &err), WEIR_OK);
    assert_non_null(strstr(err.msg, "/proc/no"));
}

/* --- when the log refuses -----------------------------------------------------------------------
 */

static void wait_a_moment(void)
{
    struct weir_mutex mutex;
    struct weir_condition never;
    weir_mutex_init(&mutex, WEIR_LOCK_WAIT);
    weir_condition_init(&never);
    weir_mutex_lock(&mutex);
    weir_condition_wait_for(&never, &mutex, 1);
    weir_mutex_unlock(&mutex);
    weir_condition_fini(&never);
    weir_mutex_fini(&mutex);
}

static void a_full_disk_makes_it_read_only(void **state)
{
    struct fixture *f = *state;
    struct weir_simulated_disk *disk = weir_simulated_disk_create();
    f->options.fs = weir_simulated_disk_fs(disk);
    f->options.dir = "data";
    f->options.discard_state = true;
    f->options.segment_bytes = 64 * 1024;
    f->options.log_max_bytes = 1ull << 40;
    open_store(f);
    struct weir_err why;
    assert_false(weir_store_is_read_only(f->store, &why));
    put(f, SPACE, "a", "1");
    weir_simulated_disk_set_free(disk, 0);
    static const char big[2000];
    enum weir_rc rc = WEIR_OK;
    struct weir_err err = { 0 };
    for (int i = 0; i < 1000 && rc == WEIR_OK; i++) {
        struct weir_txn *txn = weir_txn_create();
        weir_txn_put(txn, SPACE, WEIR_STR("fill"), weir_str(big, sizeof(big)));
        rc = weir_store_commit(f->store, txn, &err);
        weir_txn_destroy(txn);
    }
    assert_int_equal(rc, WEIR_E_READ_ONLY);
    assert_true(weir_store_is_read_only(f->store, &why));
    assert_int_not_equal(strlen(why.msg), 0);
    assert_value(f, SPACE, "a", "1");
    struct weir_txn *urgent = weir_txn_create();
    urgent->urgent = true;
    weir_txn_delete(urgent, SPACE, WEIR_STR("a"));
    assert_int_equal(commit(f, urgent), WEIR_OK); /* deleting still works */
    assert_value(f, SPACE, "a", NULL);
    weir_simulated_disk_set_free(disk, 1ull << 40);
    rc = WEIR_E_READ_ONLY;
    for (int i = 0; i < 1000 && rc == WEIR_E_READ_ONLY; i++) {
        weir_clock_virtual_advance(&f->clock, 1000);
        struct weir_txn *txn = weir_txn_create();
        weir_txn_put(txn, SPACE, WEIR_STR("b"), WEIR_STR("1"));
        rc = commit(f, txn);
        wait_a_moment(); /* the log's thread looks at the disk again on its own time */
    }
    assert_int_equal(rc, WEIR_OK);
    close_store(f);
    weir_fs_destroy(f->options.fs);
}

static void after_a_failed_sync_the_store_goes_on(void **state)
{
    struct fixture *f = *state;
    struct weir_simulated_disk *disk = weir_simulated_disk_create();
    f->options.fs = weir_simulated_disk_fs(disk);
    f->options.dir = "data";
    f->options.discard_state = true;
    open_store(f);
    put(f, SPACE, "a", "1");
    struct weir_txn *reader = weir_txn_create();
    struct weir_entry seen;
    struct weir_err err;
    must(weir_txn_get(reader, f->store, SPACE, WEIR_STR("a"), &seen, &err), &err);
    weir_txn_put(reader, SPACE, WEIR_STR("x"), WEIR_STR("written"));
    weir_simulated_disk_fail(disk, WEIR_DISK_SYNC, 1, WEIR_E_IO);
    struct weir_txn *txn = weir_txn_create();
    weir_txn_put(txn, SPACE, WEIR_STR("a"), WEIR_STR("2"));
    assert_int_equal(commit(f, txn), WEIR_E_UNKNOWN_OUTCOME);
    assert_value(f, SPACE, "a", "1");
    assert_int_equal(commit(f, reader), WEIR_OK); /* nothing that it read has moved */
    put(f, SPACE, "b", "1");
    reopen_store(f);
    assert_value(f, SPACE, "a", "1"); /* settled by what was committed later */
    assert_value(f, SPACE, "x", "written");
    assert_value(f, SPACE, "b", "1");
    close_store(f);
    weir_fs_destroy(f->options.fs);
}

/* A transaction that is refused when a key is there. */
static enum weir_rc run_if_absent(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)op;
    struct weir_entry found;
    enum weir_rc rc = weir_view_get(view, SPACE, WEIR_STR("a"), &found, err);
    if (rc == WEIR_OK && found.pos.seq != 0) {
        rc = weir_fail(err, WEIR_E_CONDITION, "it is there");
    }
    return rc;
}

static void refused_done(struct weir_txn *txn)
{
    struct fixture *f = txn->arg;
    struct weir_entry found;
    weir_assert(
            weir_store_get(f->store, SPACE, WEIR_STR("a"), &txn->arena, &found, NULL) == WEIR_OK);
    weir_assert(txn->rc != WEIR_E_CONDITION || found.pos.seq != 0);
}

/* Nobody learns of a change, not even by being refused, before it is committed. */
static void a_refusal_waits_for_its_reason(void **state)
{
    struct fixture *f = *state;
    struct weir_simulated_disk *disk = weir_simulated_disk_create();
    f->options.fs = weir_simulated_disk_fs(disk);
    f->options.dir = "data";
    f->options.discard_state = true;
    open_store(f);
    for (int fails = 1; fails >= 0; fails--) {
        struct gate gate;
        struct outcomes outcomes;
        sem_init(&outcomes.done, 0, 0);
        gate_close(&gate, f->store);
        struct weir_txn *first = weir_txn_create();
        weir_txn_put(first, SPACE, WEIR_STR("a"), WEIR_STR("1"));
        submit(f, first, &outcomes);
        struct weir_txn *refused = weir_txn_create();
        struct weir_op *op = WEIR_ARENA_NEW(&refused->arena, struct weir_op);
        op->run = run_if_absent;
        weir_txn_op(refused, op);
        refused->done = refused_done;
        refused->arg = f;
        weir_store_submit(f->store, refused);
        struct weir_txn *last = weir_txn_create();
        submit(f, last, &outcomes);
        weir_simulated_disk_fail(disk, WEIR_DISK_SYNC, (uint64_t)fails, WEIR_E_IO);
        gate_open(&gate);
        await_outcomes(&outcomes, 2);
        assert_int_equal(first->rc, fails != 0 ? WEIR_E_UNKNOWN_OUTCOME : WEIR_OK);
        assert_int_equal(refused->rc, fails != 0 ? WEIR_E_CONFLICT : WEIR_E_CONDITION);
        weir_txn_destroy(first);
        weir_txn_destroy(refused);
        weir_txn_destroy(last);
        sem_destroy(&outcomes.done);
    }
    close_store(f);
    weir_fs_destroy(f->options.fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MEMORY(watches_wake_for_their_keyspace),
        CLOSED(segments_go_when_they_are_old),
        CLOSED(a_hold_keeps_segments),
        CLOSED(the_bound_of_the_log_comes_before_holds),
        CLOSED(a_clock_that_steps_ahead_trims_nothing),
        ON_DISK(everything_is_there_after_closing),
        ON_DISK(many_changes_are_replayed),
        ON_DISK(log_and_state_must_belong_together),
        ON_DISK(a_lost_state_is_not_taken_for_an_empty_one),
        ON_DISK(a_folder_belongs_to_one_weir),
        ON_DISK(a_newer_format_is_refused),
        CLOSED(a_folder_that_cannot_be_made_is_said),
        CLOSED(a_full_disk_makes_it_read_only),
        CLOSED(after_a_failed_sync_the_store_goes_on),
        CLOSED(a_refusal_waits_for_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
