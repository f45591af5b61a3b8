/* Durable timers: who is handed out when, and that nobody waits for a backlog of another kind. */
#include "../test.h"
#include "base/mem.h"
#include "timer/timer.h"

enum { BACKLOG = 2500 };

static const struct weir_time now = { 1767225600000 }; /* 2026-01-01T00:00:00Z */

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_store *store;
    struct weir_timers *timers;
    _Atomic int changes;
    uint64_t wake_after_ms;
    bool wake_never;
    size_t fired[WEIR_TIMER_KINDS];
    struct weir_time first[WEIR_TIMER_KINDS]; /* due time of the first of those that fired last */
    bool fails;                               /* what handlers commit */
};

static void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

static void wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct fixture *f = arg;
    f->wake_after_ms = after_ms;
    f->wake_never = never;
}

static void changed(void *arg)
{
    struct fixture *f = arg;
    f->changes++;
}

/* What a handler has under way, in its transaction's memory. */
struct handling {
    struct fixture *f;
    enum weir_timer_kind kind;
};

static void handled(struct weir_txn *txn)
{
    const struct handling *handling = txn->arg;
    struct fixture *f = handling->f;
    enum weir_timer_kind kind = handling->kind;
    bool committed = txn->rc == WEIR_OK;
    weir_txn_destroy(txn);
    weir_timers_done(f->timers, kind, committed);
}

static enum weir_rc refuse(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)op;
    (void)view;
    return weir_fail(err, WEIR_E_INVALID, "it was told to fail");
}

static void fire(void *arg, const struct weir_timer *timers, size_t count)
{
    struct fixture *f = arg;
    struct weir_txn *txn = weir_txn_create();
    struct handling *handling = WEIR_ARENA_NEW(&txn->arena, struct handling);
    *handling = (struct handling){ f, timers[0].kind };
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(timers[i].kind, handling->kind);
        assert_true(timers[i].due.ms <= weir_clock_wall(&f->clock.base).ms);
        weir_txn_delete(txn, WEIR_SPACE_TIMER, weir_arena_str(&txn->arena, timers[i].key));
    }
    if (f->fails) {
        struct weir_op *op = WEIR_ARENA_NEW(&txn->arena, struct weir_op);
        op->run = refuse;
        weir_txn_op(txn, op);
    } else {
        f->fired[handling->kind] += count;
        f->first[handling->kind] = timers[0].due;
    }
    txn->lane = true;
    txn->done = handled;
    txn->arg = handling;
    weir_store_submit(f->store, txn);
}

static int set_up(void **state)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    struct weir_err err;
    weir_clock_virtual_init(&f->clock, now);
    f->metrics = weir_metrics_create();
    struct weir_store_options options = { .clock = &f->clock.base, .metrics = f->metrics };
    must(weir_store_open(&options, &f->store, &err), &err);
    struct weir_timer_host host = { wake_at, changed, f };
    f->timers = weir_timers_create(f->store, host);
    for (int kind = WEIR_TIMER_TTL; kind <= WEIR_TIMER_SCHEDULE; kind++) {
        struct weir_timer_handler handler = { fire, f };
        weir_timers_handle(f->timers, (enum weir_timer_kind)kind, handler);
    }
    *state = f;
    return 0;
}

/* Wait until everything that was submitted has its outcome. */
static void await_commits(struct fixture *f)
{
    struct weir_err err;
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    must(weir_store_commit(f->store, txn, &err), &err);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    await_commits(f);
    weir_timers_destroy(f->timers);
    weir_store_close(f->store);
    weir_metrics_destroy(f->metrics);
    weir_free(f);
    return 0;
}

static void run_once(struct fixture *f)
{
    struct weir_err err;
    must(weir_timers_run(f->timers, &err), &err);
    await_commits(f);
}

/* Until nothing is due; returns how often. */
static int run_all(struct fixture *f)
{
    int runs = 0;
    int before = 0;
    do {
        before = f->changes;
        run_once(f);
        runs++;
    } while (f->changes != before);
    return runs;
}

/* Set `count` timers, one due each millisecond. */
static void set(struct fixture *f, enum weir_timer_kind kind, int64_t first_ms, size_t count)
{
    struct weir_err err;
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    for (size_t i = 0; i < count; i++) {
        struct weir_time due = { first_ms + (int64_t)i };
        struct weir_str key = weir_timer_key(&txn->arena, due, kind, WEIR_STR("name"));
        weir_txn_put(txn, WEIR_SPACE_TIMER, key, WEIR_STR(""));
    }
    must(weir_store_commit(f->store, txn, &err), &err);
}

static void timers_fire_in_order_when_they_are_due(void **state)
{
    struct fixture *f = *state;
    run_all(f);
    assert_true(f->wake_never);
    set(f, WEIR_TIMER_SCHEDULE, now.ms + 2000, 1);
    set(f, WEIR_TIMER_TTL, now.ms + 1000, 1);
    run_all(f);
    assert_false(f->wake_never);
    assert_int_equal(f->wake_after_ms, 1000);
    weir_clock_virtual_advance(&f->clock, 1000);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], 1);
    assert_int_equal(f->fired[WEIR_TIMER_SCHEDULE], 0);
    assert_int_equal(f->wake_after_ms, 1000);
    weir_clock_virtual_advance(&f->clock, 1000);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_SCHEDULE], 1);
    assert_true(f->wake_never);
}

static void a_backlog_keeps_no_other_kind_waiting(void **state)
{
    struct fixture *f = *state;
    set(f, WEIR_TIMER_TTL, now.ms - 2 * BACKLOG, BACKLOG);
    set(f, WEIR_TIMER_STATE, now.ms - 2 * BACKLOG, BACKLOG);
    set(f, WEIR_TIMER_SCHEDULE, now.ms, 1);
    run_once(f);
    assert_int_equal(f->fired[WEIR_TIMER_SCHEDULE], 1);
    assert_in_range(f->fired[WEIR_TIMER_TTL], 1, BACKLOG / 10);
    set(f, WEIR_TIMER_SCHEDULE, now.ms, 1); /* and in the middle of it */
    run_once(f);
    assert_int_equal(f->fired[WEIR_TIMER_SCHEDULE], 2);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], BACKLOG);
    assert_int_equal(f->fired[WEIR_TIMER_STATE], BACKLOG);
}

/* Also in front of the place where a backlog is worked at. */
static void what_is_set_in_the_past_fires_too(void **state)
{
    struct fixture *f = *state;
    set(f, WEIR_TIMER_TTL, now.ms - BACKLOG, BACKLOG);
    run_once(f);
    run_once(f);
    set(f, WEIR_TIMER_TTL, 1000, 3);
    run_once(f);
    assert_int_equal(f->first[WEIR_TIMER_TTL].ms, 1000);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], BACKLOG + 3);
    set(f, WEIR_TIMER_TTL, 1000, 1);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], BACKLOG + 4);
}

static void what_could_not_be_committed_fires_again(void **state)
{
    struct fixture *f = *state;
    set(f, WEIR_TIMER_TTL, now.ms - BACKLOG, BACKLOG);
    run_once(f);
    size_t fired = f->fired[WEIR_TIMER_TTL];
    f->fails = true;
    run_once(f);
    f->fails = false;
    run_once(f); /* the kind sits this one out */
    assert_int_equal(f->fired[WEIR_TIMER_TTL], fired);
    assert_int_equal(f->wake_after_ms, 1000);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], BACKLOG);
}

/* Before the kinds stood apart, all of them were in one order of time. */
static void timers_of_the_first_form_fire(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_txn *txn = weir_txn_create();
    for (size_t i = 0; i < BACKLOG; i++) {
        uint64_t ms = (uint64_t)now.ms - i;
        char *key = weir_arena_alloc(&txn->arena, 10);
        for (int k = 0; k < 8; k++) {
            key[k] = (char)(ms >> (56 - 8 * k));
        }
        key[8] = WEIR_TIMER_TTL;
        key[9] = 'n';
        weir_txn_put(txn, WEIR_SPACE_TIMER, weir_str(key, 10), WEIR_STR(""));
    }
    must(weir_store_commit(f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    set(f, WEIR_TIMER_TTL, now.ms, 1);
    run_all(f);
    assert_int_equal(f->fired[WEIR_TIMER_TTL], BACKLOG + 1);
    assert_true(f->wake_never);
}

#define TIMER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMER(timers_fire_in_order_when_they_are_due),
        TIMER(a_backlog_keeps_no_other_kind_waiting),
        TIMER(what_is_set_in_the_past_fires_too),
        TIMER(what_could_not_be_committed_fires_again),
        TIMER(timers_of_the_first_form_fire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
