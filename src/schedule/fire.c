/*
 * Due timers: each firing is a transaction of its own, made on the module's thread of what it
 * read, and refused when any of that has moved. The commit thread makes one group of all that
 * are due together.
 */
#include <string.h>

#include "base/mem.h"
#include "schedule/schedule_int.h"

enum { POSTPONED_MS = 3600 * 1000 }; /* what cannot be computed now; say, a zone is missing */

/* One transaction for one timer; it lives in its arena. */
struct firing {
    struct weir_schedules *schedules;
    struct weir_txn *txn;
    const struct weir_queue *held;
    bool runs;
    bool failed;
    uint64_t missed;
    uint64_t late_ms;
};

static void count(struct firing *firing)
{
    struct weir_schedules *schedules = firing->schedules;
    if (schedules->fired == NULL) {
        return;
    }
    weir_counter_add(schedules->missed, firing->missed);
    if (firing->runs) {
        weir_counter_add(schedules->fired, 1);
        weir_counter_add(schedules->failed, firing->failed ? 1 : 0);
        weir_histogram_add(schedules->late_seconds, firing->late_ms);
    }
}

static void tell(struct weir_schedules *schedules, const struct weir_err *err)
{
    if (schedules->host.failed != NULL) {
        schedules->host.failed(schedules->host.arg, err);
    }
}

/* The commit thread's end of one; the last of those handed out together reports to the timers. */
static void firing_done(struct weir_txn *txn)
{
    struct firing *firing = txn->arg;
    struct weir_schedules *schedules = firing->schedules;
    const struct weir_queue *held = firing->held;
    /* Somebody changed the schedule or deleted the queue: looked at again at once. */
    bool moved = txn->rc == WEIR_E_CONFLICT || txn->rc == WEIR_E_NOT_FOUND;
    if (txn->rc == WEIR_OK) {
        count(firing);
    } else if (!moved) {
        atomic_store(&schedules->firing_stuck, true);
        tell(schedules, &txn->err);
    }
    weir_txn_destroy(txn);
    weir_queue_unref(held);
    if (atomic_fetch_sub(&schedules->firing, 1) == 1) {
        bool stuck = atomic_exchange(&schedules->firing_stuck, false);
        weir_timers_done(schedules->timers, WEIR_TIMER_SCHEDULE, !stuck);
    }
}

static void set_timer(struct weir_txn *txn, struct weir_str key, struct weir_time due)
{
    struct weir_str name = weir_schedule_timer_name(key);
    weir_txn_put(txn, WEIR_SPACE_TIMER, weir_timer_key(&txn->arena, due, WEIR_TIMER_SCHEDULE, name),
            WEIR_STR(""));
}

/* The last firing of a schedule that has an end, or of a one-time one, may delete it. */
static bool is_over(const struct weir_schedule *schedule, const struct weir_schedule_times *times,
        const struct weir_schedule_state *state)
{
    bool ends = times->expression.kind == WEIR_SCHEDULE_AT || schedule->end.ms > 0;
    return state->next.ms == 0 && schedule->delete_after && ends;
}

/* What a schedule whose timer is due does. Errors: WEIR_E_INVALID (it cannot be computed). */
static enum weir_rc fire(struct firing *firing, struct weir_str key,
        const struct weir_schedule *schedule, struct weir_schedule_state *state,
        struct weir_err *err)
{
    struct weir_schedules *schedules = firing->schedules;
    struct weir_txn *txn = firing->txn;
    struct weir_schedule_times times = { 0 };
    struct weir_time now = weir_clock_wall(weir_store_clock(schedules->store));
    enum weir_rc rc = weir_schedule_times(schedule, state->anchor, &times, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_schedule_plan plan = weir_schedule_plan(schedule, &times, state, now);
    firing->runs = plan.runs;
    firing->missed = plan.missed;
    state->missed += plan.missed;
    if (plan.runs) {
        int64_t late_ms = now.ms - weir_schedule_due(schedule, &times, plan.time).ms;
        firing->late_ms = late_ms > 0 ? (uint64_t)late_ms : 0;
        if (weir_schedule_deliver(schedules, txn, schedule, plan.time, &firing->failed,
                    &firing->held, err) != WEIR_OK) {
            tell(schedules, err);
        }
        state->fired++;
        state->failed += firing->failed ? 1 : 0;
        state->last = plan.time;
    }
    weir_schedule_advance(schedule, &times, plan.after, state);
    if (is_over(schedule, &times, state)) {
        struct weir_str definition =
                weir_schedule_key(&txn->arena, 's', schedule->group, schedule->name);
        weir_txn_delete(txn, WEIR_SPACE_SCHEDULE, definition);
        weir_txn_delete(txn, WEIR_SPACE_SCHEDULE, key);
        return WEIR_OK;
    }
    if (state->next.ms > 0) {
        set_timer(txn, key, state->due);
    }
    weir_txn_put(txn, WEIR_SPACE_SCHEDULE, key, weir_schedule_encode_state(&txn->arena, state));
    return WEIR_OK;
}

/* The key of a timer's schedule. */
static struct weir_str key_of(struct weir_arena *arena, char letter, const struct weir_timer *timer)
{
    char *key = weir_arena_alloc(arena, timer->name.n + 1);
    key[0] = letter;
    if (timer->name.n > 0) {
        memcpy(key + 1, timer->name.p, timer->name.n);
    }
    return weir_str(key, timer->name.n + 1);
}

/* It cannot be computed: told, and tried again later. */
static void postpone(struct firing *firing, struct weir_str key,
        const struct weir_schedule *schedule, struct weir_schedule_state *state,
        struct weir_err *err)
{
    struct weir_txn *txn = firing->txn;
    const struct weir_clock *clock = weir_store_clock(firing->schedules->store);
    weir_fail_in(err, WEIR_E_INVALID, "%.*s: ", WEIR_STR_ARG(schedule->arn));
    tell(firing->schedules, err);
    state->due.ms = weir_clock_wall(clock).ms + POSTPONED_MS;
    set_timer(txn, key, state->due);
    weir_txn_put(txn, WEIR_SPACE_SCHEDULE, key, weir_schedule_encode_state(&txn->arena, state));
}

/* Read the schedule of a timer and fill the transaction. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
static enum weir_rc build(
        struct firing *firing, const struct weir_timer *timer, struct weir_err *err)
{
    struct weir_txn *txn = firing->txn;
    struct weir_store *store = firing->schedules->store;
    struct weir_str key = key_of(&txn->arena, 'n', timer);
    struct weir_entry stored_state = { 0 };
    struct weir_entry stored = { 0 };
    struct weir_schedule_state state = { 0 };
    struct weir_schedule schedule = { 0 };
    weir_txn_delete(txn, WEIR_SPACE_TIMER, weir_arena_str(&txn->arena, timer->key));
    enum weir_rc rc = weir_txn_get(txn, store, WEIR_SPACE_SCHEDULE, key, &stored_state, err);
    if (rc != WEIR_OK || stored_state.pos.seq == 0) {
        return rc; /* the schedule is gone, and so goes its timer */
    }
    rc = weir_schedule_decode_state(stored_state.value, &state, err);
    if (rc != WEIR_OK || state.due.ms != timer->due.ms) {
        return rc; /* it has another timer */
    }
    rc = weir_txn_get(
            txn, store, WEIR_SPACE_SCHEDULE, key_of(&txn->arena, 's', timer), &stored, err);
    if (rc == WEIR_OK) {
        rc = weir_schedule_decode(firing->schedules, &txn->arena, stored.value, &schedule, err);
    }
    if (rc == WEIR_OK && fire(firing, key, &schedule, &state, err) != WEIR_OK) {
        postpone(firing, key, &schedule, &state, err);
    }
    return rc;
}

void weir_schedules_fire(void *arg, const struct weir_timer *timers, size_t timer_count)
{
    struct weir_schedules *schedules = arg;
    struct weir_err err = { 0 };
    atomic_store(&schedules->firing, timer_count);
    for (size_t i = 0; i < timer_count; i++) {
        struct weir_txn *txn = weir_txn_create();
        struct firing *firing = WEIR_ARENA_NEW(&txn->arena, struct firing);
        firing->schedules = schedules;
        firing->txn = txn;
        txn->arg = firing;
        txn->done = firing_done;
        txn->lane = true;
        txn->rc = build(firing, &timers[i], &err);
        if (txn->rc == WEIR_OK) {
            weir_store_submit(schedules->store, txn);
        } else {
            txn->err = err;
            firing_done(txn);
        }
    }
}
