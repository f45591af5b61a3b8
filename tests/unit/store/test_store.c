/* The store: keyspaces, transactions and operations. */
#include <pthread.h>

#include "base/crash.h"
#include "base/random.h"
#include "store_fixture.h"

/* --- values ------------------------------------------------------------------------ */

static void what_is_put_can_be_read(void **state)
{
    struct fixture *f = *state;
    assert_value(f, SPACE, "a", NULL);
    put(f, SPACE, "a", "1");
    put(f, SPACE, "b", "");
    assert_value(f, SPACE, "a", "1");
    assert_value(f, SPACE, "b", "");
    assert_value(f, OTHER_SPACE, "a", NULL);
    put(f, SPACE, "a", "2");
    assert_value(f, SPACE, "a", "2");
    del(f, SPACE, "a");
    del(f, SPACE, "never there");
    assert_value(f, SPACE, "a", NULL);
    char key[2001];
    memset(key, 'k', sizeof(key) - 1);
    key[2000] = '\0';
    put(f, SPACE, key, "long");
    assert_value(f, SPACE, key, "long");
    key[1999] = 'l';
    assert_value(f, SPACE, key, NULL);
}

static void entries_say_when_they_were_written(void **state)
{
    struct fixture *f = *state;
    struct weir_txn *txn = weir_txn_create();
    weir_txn_put(txn, SPACE, WEIR_STR("a"), WEIR_STR("1"));
    weir_txn_put(txn, SPACE, WEIR_STR("b"), WEIR_STR("1"));
    assert_int_equal(weir_store_commit(f->store, txn, NULL), WEIR_OK);
    struct weir_entry a = entry(f, SPACE, "a");
    struct weir_entry b = entry(f, SPACE, "b");
    assert_int_equal(a.pos.seq, txn->first.seq);
    assert_true(b.pos.seq > a.pos.seq);
    assert_true(weir_log_end(weir_store_log(f->store)).seq > b.pos.seq);
    assert_int_equal(a.time.ms, f->clock.wall_ms);
    assert_int_equal(txn->time.ms, a.time.ms);
    weir_txn_destroy(txn);
    f->clock.wall_ms -= 5000; /* commit time never goes back */
    put(f, SPACE, "c", "1");
    assert_int_equal(entry(f, SPACE, "c").time.ms, a.time.ms);
    weir_clock_virtual_advance(&f->clock, 10000);
    put(f, SPACE, "c", "2");
    assert_int_equal(entry(f, SPACE, "c").time.ms, a.time.ms + 5000);
    assert_true(entry(f, SPACE, "c").pos.seq > b.pos.seq);
}

static void a_transaction_without_changes_is_fine(void **state)
{
    struct fixture *f = *state;
    struct weir_txn *txn = weir_txn_create();
    assert_int_equal(weir_store_commit(f->store, txn, NULL), WEIR_OK);
    assert_int_equal(txn->first.seq, 0);
    weir_txn_destroy(txn);
}

static void the_latest_change_of_a_key_in_a_transaction_wins(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "gone", "0");
    struct weir_txn *txn = weir_txn_create();
    weir_txn_put(txn, SPACE, WEIR_STR("twice"), WEIR_STR("1"));
    weir_txn_put(txn, SPACE, WEIR_STR("gone"), WEIR_STR("1"));
    weir_txn_delete(txn, SPACE, WEIR_STR("back"));
    weir_txn_put(txn, OTHER_SPACE, WEIR_STR("twice"), WEIR_STR("other"));
    weir_txn_put(txn, SPACE, WEIR_STR("twic"), WEIR_STR("shorter"));
    weir_txn_put(txn, SPACE, WEIR_STR("twice"), WEIR_STR("2"));
    weir_txn_delete(txn, SPACE, WEIR_STR("gone"));
    weir_txn_put(txn, SPACE, WEIR_STR("back"), WEIR_STR("1"));
    assert_int_equal(commit(f, txn), WEIR_OK);
    assert_value(f, SPACE, "twice", "2");
    assert_value(f, SPACE, "twic", "shorter");
    assert_value(f, OTHER_SPACE, "twice", "other");
    assert_value(f, SPACE, "gone", NULL);
    assert_value(f, SPACE, "back", "1");
}

/* --- cursors -------------------------------------------------------------------------- */

static void assert_at(struct weir_cursor *cursor, const char *key)
{
    struct weir_str at;
    struct weir_entry found;
    struct weir_err err;
    bool have = false;
    must(weir_cursor_get(cursor, &at, &found, &have, &err), &err);
    if (key == NULL) {
        assert_false(have);
        return;
    }
    assert_true(have);
    assert_int_equal(at.n, strlen(key));
    assert_memory_equal(at.p, key, at.n);
    assert_memory_equal(found.value.p, key, at.n); /* each key's value is the key */
}

static void cursors_walk_one_keyspace_in_order(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE - 1, "z", "z");
    put(f, SPACE, "b", "b");
    put(f, SPACE, "d", "d");
    put(f, SPACE, "bb", "bb");
    put(f, OTHER_SPACE, "a", "a");
    struct weir_cursor *cursor = weir_cursor_create(f->store, SPACE);
    weir_cursor_first(cursor);
    assert_at(cursor, "b");
    weir_cursor_next(cursor);
    assert_at(cursor, "bb");
    weir_cursor_next(cursor);
    weir_cursor_next(cursor);
    assert_at(cursor, NULL);
    weir_cursor_next(cursor);
    weir_cursor_previous(cursor);
    assert_at(cursor, NULL);
    weir_cursor_last(cursor);
    assert_at(cursor, "d");
    weir_cursor_previous(cursor);
    assert_at(cursor, "bb");
    weir_cursor_seek(cursor, WEIR_STR("c"));
    assert_at(cursor, "d");
    weir_cursor_seek(cursor, WEIR_STR("e"));
    assert_at(cursor, NULL);
    weir_cursor_seek_back(cursor, WEIR_STR("c"), true);
    assert_at(cursor, "bb");
    weir_cursor_seek_back(cursor, WEIR_STR("bb"), true);
    assert_at(cursor, "bb");
    weir_cursor_seek_back(cursor, WEIR_STR("bb"), false);
    assert_at(cursor, "b");
    weir_cursor_seek_back(cursor, WEIR_STR("b"), false);
    assert_at(cursor, NULL);
    weir_cursor_seek_back(cursor, WEIR_STR("zzz"), false);
    assert_at(cursor, "d");
    weir_cursor_seek_back(cursor, WEIR_STR(""), true);
    assert_at(cursor, NULL);
    weir_cursor_destroy(cursor);
    cursor = weir_cursor_create(f->store, OTHER_SPACE + 1);
    weir_cursor_first(cursor);
    assert_at(cursor, NULL);
    weir_cursor_last(cursor);
    assert_at(cursor, NULL);
    weir_cursor_destroy(cursor);
}

static void a_cursor_stands_on_the_state_of_its_moment(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "a");
    put(f, SPACE, "c", "c");
    struct weir_cursor *cursor = weir_cursor_create(f->store, SPACE);
    put(f, SPACE, "b", "b");
    del(f, SPACE, "c");
    weir_cursor_first(cursor);
    assert_at(cursor, "a");
    weir_cursor_next(cursor);
    assert_at(cursor, "c");
    weir_cursor_destroy(cursor);
}

/* --- read sets ------------------------------------------------------------------------------ */

/* A transaction that has read a key and wants to write another. */
static struct weir_txn *reading(struct fixture *f, const char *key, const char *writes)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_entry seen;
    struct weir_err err;
    must(weir_txn_get(txn, f->store, SPACE, weir_str_z(key), &seen, &err), &err);
    if (writes != NULL) {
        weir_txn_put(txn, SPACE, weir_str_z(writes), WEIR_STR("written"));
    }
    return txn;
}

static void a_read_that_moved_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "1");
    struct weir_txn *changed = reading(f, "a", "x");
    struct weir_txn *only_checks = reading(f, "a", NULL);
    put(f, SPACE, "a", "1"); /* the same value is a change too */
    assert_int_equal(commit(f, changed), WEIR_E_CONFLICT);
    assert_int_equal(commit(f, only_checks), WEIR_E_CONFLICT);
    assert_value(f, SPACE, "x", NULL);
    struct weir_txn *deleted = reading(f, "a", "x");
    del(f, SPACE, "a");
    assert_int_equal(commit(f, deleted), WEIR_E_CONFLICT);
    struct weir_txn *appeared = reading(f, "a", "x");
    put(f, SPACE, "a", "2");
    assert_int_equal(commit(f, appeared), WEIR_E_CONFLICT);
    struct weir_txn *made_again = reading(f, "a", "x");
    del(f, SPACE, "a");
    put(f, SPACE, "a", "2");
    assert_int_equal(commit(f, made_again), WEIR_E_CONFLICT);
    assert_value(f, SPACE, "x", NULL);
    assert_int_equal(counter(f, "weir_transaction_conflicts_total"), 5);
}

static void a_read_that_stands_is_no_conflict(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "1");
    struct weir_txn *there = reading(f, "a", "x");
    struct weir_txn *absent = reading(f, "nothing", "y");
    for (int i = 0; i < 1000; i++) { /* many keys, so that some share a slot with ours */
        char key[16];
        snprintf(key, sizeof(key), "other %d", i);
        put(f, SPACE, key, "1");
    }
    put(f, OTHER_SPACE, "a", "1");
    put(f, SPACE, "nothing", "for a moment");
    del(f, SPACE, "nothing"); /* absent, as it was seen */
    assert_int_equal(commit(f, there), WEIR_OK);
    assert_int_equal(commit(f, absent), WEIR_OK);
    assert_value(f, SPACE, "x", "written");
    assert_value(f, SPACE, "y", "written");
}

static void a_change_in_the_same_group_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    put(f, SPACE, "a", "1");
    struct weir_txn *first = reading(f, "a", "a");
    struct weir_txn *second = reading(f, "a", "a");
    struct weir_txn *other = reading(f, "b", "b");
    struct weir_txn *absent = reading(f, "b", "x");
    struct gate gate;
    gate_close(&gate, f->store);
    uint64_t before = counter(f, "weir_commits_total");
    submit(f, first, &outcomes);
    submit(f, second, &outcomes);
    submit(f, other, &outcomes);
    submit(f, absent, &outcomes);
    gate_open(&gate);
    await_outcomes(&outcomes, 4);
    assert_int_equal(counter(f, "weir_commits_total"), before + 1);
    assert_int_equal(first->rc, WEIR_OK);
    assert_int_equal(second->rc, WEIR_E_CONFLICT);
    assert_int_equal(other->rc, WEIR_OK);
    assert_int_equal(absent->rc, WEIR_E_CONFLICT);
    assert_value(f, SPACE, "x", NULL);
    weir_txn_destroy(first);
    weir_txn_destroy(second);
    weir_txn_destroy(other);
    weir_txn_destroy(absent);
    sem_destroy(&outcomes.done);
}

/* --- operations ----------------------------------------------------------------------------- */

/* Adds one to a number. */
struct increment {
    struct weir_op op;
    int runs;
};

static enum weir_rc run_increment(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_entry found;
    WEIR_CONTAINER(op, struct increment, op)->runs++;
    enum weir_rc rc = weir_view_get(view, SPACE, WEIR_STR("counter"), &found, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    unsigned long number = found.value.n > 0 ? strtoul(found.value.p, NULL, 10) : 0;
    struct weir_str text = weir_arena_printf(weir_view_arena(view), "%lu", number + 1);
    text.n++; /* with its zero */
    weir_view_put(view, SPACE, WEIR_STR("counter"), text);
    return WEIR_OK;
}

static struct weir_txn *incrementing(int times)
{
    struct weir_txn *txn = weir_txn_create();
    for (int i = 0; i < times; i++) {
        struct increment *increment = WEIR_ARENA_NEW(&txn->arena, struct increment);
        increment->op.run = run_increment;
        weir_txn_op(txn, &increment->op);
    }
    return txn;
}

static void operations_see_what_is_pending(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 100 };
    struct weir_txn *txns[COUNT];
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    struct gate gate;
    gate_close(&gate, f->store);
    uint64_t before = counter(f, "weir_commits_total");
    for (int i = 0; i < COUNT; i++) {
        txns[i] = incrementing(3);
        submit(f, txns[i], &outcomes);
    }
    gate_open(&gate);
    await_outcomes(&outcomes, COUNT);
    assert_int_equal(counter(f, "weir_commits_total"), before + 1);
    assert_value(f, SPACE, "counter", "300");
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(txns[i]->rc, WEIR_OK);
        weir_txn_destroy(txns[i]);
    }
    sem_destroy(&outcomes.done);
}

/*
 * Random work on a few keys: what it saw is kept, so that a twin can check it, and at the end
 * it may refuse the transaction.
 */
enum { WORK_KEYS = 8, WORK_ACTIONS = 6 };

struct work {
    struct weir_op op;
    struct {
        unsigned key;
        bool deletes;
        char value[8];
        char seen[8]; /* before it was written; "" for nothing */
    } actions[WORK_ACTIONS];
    bool refuses;
    int runs;
};

static const char *const work_keys[WORK_KEYS] = { "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7" };

static enum weir_rc run_work(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct work *work = WEIR_CONTAINER(op, struct work, op);
    work->runs++;
    for (int i = 0; i < WORK_ACTIONS; i++) {
        struct weir_str key = weir_str_z(work_keys[work->actions[i].key]);
        struct weir_entry found;
        enum weir_rc rc = weir_view_get(view, SPACE, key, &found, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        memset(work->actions[i].seen, 0, sizeof(work->actions[i].seen));
        if (found.value.n > 0) {
            memcpy(work->actions[i].seen, found.value.p, found.value.n);
        }
        if (work->actions[i].deletes) {
            weir_view_delete(view, SPACE, key);
        } else {
            weir_view_put(view, SPACE, key, weir_str_z(work->actions[i].value));
        }
    }
    return work->refuses ? weir_fail(err, WEIR_E_CONDITION, "refused") : WEIR_OK;
}

static struct work *random_work(struct weir_random *random, struct weir_txn *txn, int number)
{
    struct work *work = WEIR_ARENA_NEW(&txn->arena, struct work);
    work->op.run = run_work;
    work->refuses = weir_random_below(random, 3) == 0;
    for (int i = 0; i < WORK_ACTIONS; i++) {
        work->actions[i].key = (unsigned)weir_random_below(random, WORK_KEYS);
        work->actions[i].deletes = weir_random_below(random, 4) == 0;
        snprintf(work->actions[i].value, sizeof(work->actions[i].value), "%d.%d", number % 1000, i);
    }
    weir_txn_op(txn, &work->op);
    return work;
}

/* What the twin holds for each key; "" for nothing. */
typedef char twin_values[WORK_KEYS][8];

static void check_work(const struct work *work, enum weir_rc rc, twin_values twin)
{
    twin_values after;
    memcpy(after, twin, sizeof(after));
    for (int i = 0; i < WORK_ACTIONS; i++) {
        unsigned key = work->actions[i].key;
        assert_string_equal(work->actions[i].seen, after[key]);
        memcpy(after[key], work->actions[i].deletes ? "\0\0\0\0\0\0\0" : work->actions[i].value, 8);
    }
    assert_int_equal(rc, work->refuses ? WEIR_E_CONDITION : WEIR_OK);
    if (rc == WEIR_OK) {
        memcpy(twin, after, sizeof(after));
    }
}

static void refused_transactions_leave_nothing(void **state)
{
    struct fixture *f = *state;
    enum { ROUNDS = 60, COUNT = 40 };
    struct weir_random random;
    weir_random_seed(&random, 7);
    twin_values twin = { { 0 } };
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        struct weir_txn *txns[COUNT];
        struct work *works[COUNT];
        struct gate gate;
        gate_close(&gate, f->store);
        for (int i = 0; i < COUNT; i++) {
            txns[i] = weir_txn_create();
            works[i] = random_work(&random, txns[i], round * COUNT + i);
            submit(f, txns[i], &outcomes);
        }
        gate_open(&gate);
        await_outcomes(&outcomes, COUNT);
        for (int i = 0; i < COUNT; i++) {
            check_work(works[i], txns[i]->rc, twin);
            weir_txn_destroy(txns[i]);
        }
        for (int i = 0; i < WORK_KEYS; i++) {
            assert_value(f, SPACE, work_keys[i], twin[i][0] != '\0' ? twin[i] : NULL);
        }
    }
    sem_destroy(&outcomes.done);
}

/* A prepared change together with an operation that fails. */
static void prepared_changes_of_a_refused_transaction_leave_nothing(void **state)
{
    struct fixture *f = *state;
    struct weir_txn *txn = weir_txn_create();
    struct weir_random random;
    weir_random_seed(&random, 1);
    weir_txn_put(txn, SPACE, WEIR_STR("a"), WEIR_STR("1"));
    weir_txn_put(txn, SPACE, WEIR_STR("a"), WEIR_STR("2"));
    random_work(&random, txn, 0)->refuses = true;
    struct weir_err err;
    assert_int_equal(weir_store_commit(f->store, txn, &err), WEIR_E_CONDITION);
    assert_string_equal(err.msg, "refused");
    weir_txn_destroy(txn);
    assert_value(f, SPACE, "a", NULL);
    assert_int_equal(counter(f, "weir_commits_total"), 0);
}

static void groups_go_on_in_the_next_segment(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    open_store(f);
    enum { COUNT = 300 };
    struct weir_txn *txns[COUNT];
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    struct gate gate;
    gate_close(&gate, f->store);
    char big[1000];
    memset(big, 'x', sizeof(big));
    char keys[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        txns[i] = incrementing(1);
        snprintf(keys[i], sizeof(keys[i]), "big %d", i);
        weir_txn_put(txns[i], SPACE, weir_str_z(keys[i]), weir_str(big, sizeof(big)));
        submit(f, txns[i], &outcomes);
    }
    gate_open(&gate);
    await_outcomes(&outcomes, COUNT);
    int runs = 0;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(txns[i]->rc, WEIR_OK);
        runs += WEIR_CONTAINER(txns[i]->ops, struct increment, op)->runs;
        assert_int_equal(entry(f, SPACE, keys[i]).value.n, sizeof(big));
        weir_txn_destroy(txns[i]);
    }
    assert_true(runs > COUNT); /* some were evaluated for a group that was full, and once more */
    assert_value(f, SPACE, "counter", "300");
    assert_true(weir_log_end(weir_store_log(f->store)).seq > 4ull * WEIR_LOG_SEGMENT_BYTES);
    sem_destroy(&outcomes.done);
}

static void a_transaction_that_is_too_large_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    f->options.segment_bytes = 64 * 1024;
    open_store(f);
    static const char big[20000];
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    struct gate gate;
    gate_close(&gate, f->store);
    struct weir_txn *txns[3];
    for (int i = 0; i < 3; i++) {
        txns[i] = incrementing(2);
        weir_txn_put(txns[i], SPACE, i == 1 ? WEIR_STR("b") : WEIR_STR("a"),
                weir_str(big, i == 1 ? sizeof(big) : 10));
        submit(f, txns[i], &outcomes);
    }
    gate_open(&gate);
    await_outcomes(&outcomes, 3);
    assert_int_equal(txns[0]->rc, WEIR_OK);
    assert_int_equal(txns[1]->rc, WEIR_E_TOO_LARGE);
    assert_int_equal(txns[2]->rc, WEIR_OK);
    for (int i = 0; i < 3; i++) {
        weir_txn_destroy(txns[i]);
    }
    assert_value(f, SPACE, "counter", "4");
    assert_value(f, SPACE, "b", NULL);
    sem_destroy(&outcomes.done);
}

/* What an operation is told: the group's commit time, and how much it has changed. */
struct asking {
    struct weir_op op;
    struct weir_time time;
    size_t bytes;
};

static enum weir_rc run_asking(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)err;
    struct asking *asking = WEIR_CONTAINER(op, struct asking, op);
    weir_view_put(view, SPACE, WEIR_STR("abc"), WEIR_STR("1234567"));
    asking->time = weir_view_time(view);
    asking->bytes = weir_view_bytes(view);
    return WEIR_OK;
}

static void operations_know_time_and_size(void **state)
{
    struct fixture *f = *state;
    struct weir_txn *txn = weir_txn_create();
    struct asking *asking = WEIR_ARENA_NEW(&txn->arena, struct asking);
    asking->op.run = run_asking;
    weir_txn_op(txn, &asking->op);
    assert_int_equal(weir_store_commit(f->store, txn, NULL), WEIR_OK);
    assert_int_equal(asking->time.ms, txn->time.ms);
    assert_int_equal(asking->bytes, 10);
    weir_txn_destroy(txn);
}

static void nothing_is_taken_after_stop(void **state)
{
    struct fixture *f = *state;
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    struct weir_txn *before = incrementing(1);
    submit(f, before, &outcomes);
    weir_store_stop(f->store);
    assert_int_equal(sem_trywait(&outcomes.done), 0); /* what was submitted is finished */
    assert_int_equal(before->rc, WEIR_OK);
    weir_txn_destroy(before);
    assert_int_equal(commit(f, incrementing(1)), WEIR_E_CLOSED);
    assert_value(f, SPACE, "counter", "1"); /* reading goes on */
    weir_store_stop(f->store);
    sem_destroy(&outcomes.done);
}

/* --- keyspaces that are dropped --------------------------------------------------------------- */

static struct weir_txn *dropping(uint32_t space)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_change change = { .kind = WEIR_CHANGE_DROP, .space = space };
    weir_txn_add(txn, &change);
    return txn;
}

static void a_dropped_keyspace_is_empty(void **state)
{
    struct fixture *f = *state;
    put(f, SPACE, "a", "1");
    put(f, SPACE, "b", "1");
    put(f, OTHER_SPACE, "a", "1");
    put(f, SPACE - 1, "a", "1");
    struct weir_txn *reader = reading(f, "a", NULL);
    struct weir_txn *late = reading(f, "b", NULL);
    weir_txn_put(late, OTHER_SPACE, WEIR_STR("x"), WEIR_STR("1"));
    struct outcomes outcomes;
    sem_init(&outcomes.done, 0, 0);
    struct gate gate;
    gate_close(&gate, f->store);
    struct weir_txn *drop = dropping(SPACE);
    submit(f, drop, &outcomes);
    submit(f, late, &outcomes);
    gate_open(&gate);
    await_outcomes(&outcomes, 2);
    assert_int_equal(drop->rc, WEIR_OK);
    assert_int_equal(late->rc, WEIR_E_CONFLICT);
    weir_txn_destroy(drop);
    weir_txn_destroy(late);
    assert_int_equal(commit(f, reader), WEIR_E_CONFLICT);
    for (int i = 0; i < 2; i++) {
        assert_value(f, SPACE, "a", NULL);
        assert_value(f, SPACE, "b", NULL);
        assert_value(f, OTHER_SPACE, "a", "1");
        assert_value(f, OTHER_SPACE, "x", NULL);
        assert_value(f, SPACE - 1, "a", "1");
        struct weir_cursor *cursor = weir_cursor_create(f->store, SPACE);
        weir_cursor_first(cursor);
        assert_at(cursor, NULL);
        weir_cursor_destroy(cursor);
        reopen_store(f);
    }
    f->options.discard_state = true;
    reopen_store(f);
    assert_value(f, SPACE, "a", NULL);
    assert_value(f, OTHER_SPACE, "a", "1");
    sem_destroy(&outcomes.done);
}

/* --- many threads --------------------------------------------------------------------------------
 */

enum { THREADS = 4, ROUNDS = 200 };

/* Add one to a number through the read set, again and again until it went through. */
static void *add_with_read_set(void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < ROUNDS; i++) {
        enum weir_rc rc = WEIR_E_CONFLICT;
        while (rc == WEIR_E_CONFLICT) {
            struct weir_txn *txn = weir_txn_create();
            struct weir_entry seen;
            weir_assert(
                    weir_txn_get(txn, f->store, SPACE, WEIR_STR("sum"), &seen, NULL) == WEIR_OK);
            unsigned long sum = seen.value.n > 0 ? strtoul(seen.value.p, NULL, 10) : 0;
            struct weir_str text = weir_arena_printf(&txn->arena, "%lu", sum + 1);
            text.n++;
            weir_txn_put(txn, SPACE, WEIR_STR("sum"), text);
            rc = weir_store_commit(f->store, txn, NULL);
            weir_txn_destroy(txn);
        }
        weir_assert(rc == WEIR_OK);
        struct weir_txn *txn = incrementing(1);
        weir_assert(weir_store_commit(f->store, txn, NULL) == WEIR_OK);
        weir_txn_destroy(txn);
    }
    return NULL;
}

static void threads_do_not_lose_updates(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, add_with_read_set, f), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_value(f, SPACE, "sum", "800");
    assert_value(f, SPACE, "counter", "800");
}

#ifndef NDEBUG /* release builds have no fault points */
struct awaiting {
    struct weir_watch watch;
    sem_t woken;
};

static void woken(struct weir_watch *watch)
{
    sem_post(&WEIR_CONTAINER(watch, struct awaiting, watch)->woken);
}

static void what_the_log_holds_is_shown_without_another_write(void **state)
{
    struct fixture *f = *state;
    struct awaiting awaiting = { .watch = { .space = SPACE, .wake = woken } };
    struct weir_err why;
    sem_init(&awaiting.woken, 0, 0);
    weir_store_watch(f->store, &awaiting.watch);
    weir_fault_at("state.write", 1, 2);
    assert_int_equal(commit(f, incrementing(1)), WEIR_E_UNKNOWN_OUTCOME);
    await_semaphore(&awaiting.woken, "the watch to wake");
    assert_value(f, SPACE, "counter", "1");
    assert_false(weir_store_is_read_only(f->store, &why));
    weir_store_unwatch(f->store, &awaiting.watch);
    sem_destroy(&awaiting.woken);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MEMORY(what_is_put_can_be_read),
        ON_DISK(what_is_put_can_be_read),
        IN_MEMORY(the_latest_change_of_a_key_in_a_transaction_wins),
        IN_MEMORY(entries_say_when_they_were_written),
        IN_MEMORY(a_transaction_without_changes_is_fine),
        IN_MEMORY(cursors_walk_one_keyspace_in_order),
        ON_DISK(cursors_walk_one_keyspace_in_order),
        IN_MEMORY(a_cursor_stands_on_the_state_of_its_moment),
        IN_MEMORY(a_read_that_moved_is_a_conflict),
        IN_MEMORY(a_read_that_stands_is_no_conflict),
        IN_MEMORY(a_change_in_the_same_group_is_a_conflict),
        IN_MEMORY(operations_see_what_is_pending),
        IN_MEMORY(refused_transactions_leave_nothing),
        IN_MEMORY(prepared_changes_of_a_refused_transaction_leave_nothing),
        CLOSED(groups_go_on_in_the_next_segment),
        CLOSED(a_transaction_that_is_too_large_leaves_nothing),
        IN_MEMORY(operations_know_time_and_size),
        IN_MEMORY(nothing_is_taken_after_stop),
        ON_DISK(a_dropped_keyspace_is_empty),
#ifndef NDEBUG
        ON_DISK(what_the_log_holds_is_shown_without_another_write),
#endif
        IN_MEMORY(threads_do_not_lose_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
