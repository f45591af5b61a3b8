/* When a schedule fires next, and what becomes of firings that were missed. Pure. */
#include "base/hash.h"
#include "schedule/schedule_int.h"

enum { COUNTED_MAX = 100000 }; /* missed firings are counted so far; more are "at least" */

enum weir_rc weir_schedule_times(const struct weir_schedule *schedule, struct weir_time anchor,
        struct weir_schedule_times *ret_times, struct weir_err *err)
{
    struct weir_schedule_times times = {
        .zone = weir_zone_find(schedule->zone),
        .anchor = anchor,
        .start = schedule->start,
        .end = schedule->end,
    };
    enum weir_rc rc = weir_schedule_parse(schedule->expression, &times.expression, err);
    if (rc == WEIR_OK && times.zone == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "Invalid ScheduleExpressionTimezone %.*s: UTC, a name such as Europe/Berlin or an "
                "offset such as +01:00 is expected",
                WEIR_STR_ARG(schedule->zone));
    }
    if (rc == WEIR_OK) {
        *ret_times = times;
    }
    return rc;
}

/* The place in the window comes from the name and the time, so it is the same after a restart. */
struct weir_time weir_schedule_due(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, struct weir_time time)
{
    struct weir_firing following;
    uint64_t window_ms = schedule->window_ms;
    if (window_ms == 0) {
        return time;
    }
    if (weir_schedule_next(times, time, &following) &&
            (uint64_t)(following.time.ms - time.ms) < window_ms) {
        window_ms = (uint64_t)(following.time.ms - time.ms); /* firings keep their order */
    }
    uint64_t seed = weir_hash64((uint64_t)time.ms, schedule->group.p, schedule->group.n);
    uint64_t place = weir_hash64(seed, schedule->name.p, schedule->name.n) % window_ms;
    return (struct weir_time){ time.ms + (int64_t)place };
}

void weir_schedule_advance(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, struct weir_time after,
        struct weir_schedule_state *state)
{
    struct weir_firing firing;
    state->next.ms = 0;
    state->due.ms = 0;
    if (schedule->enabled && weir_schedule_next(times, after, &firing)) {
        state->next = firing.time;
        state->due = weir_schedule_due(schedule, times, firing.time);
    }
}

/* Firings in [from, to), as many as are counted. */
static uint64_t count_firings(
        const struct weir_schedule_times *times, struct weir_time from, struct weir_time to)
{
    if (times->expression.kind == WEIR_SCHEDULE_RATE) {
        return (uint64_t)(to.ms - from.ms) / times->expression.every_ms;
    }
    uint64_t count = 0;
    struct weir_firing firing = { .time = { from.ms } };
    for (; firing.time.ms < to.ms && count < COUNTED_MAX; count++) {
        if (!weir_schedule_next(times, firing.time, &firing)) {
            return count + 1;
        }
    }
    return count;
}

/* The last firing from `first` on that is due by now, looked for backwards in growing steps. */
static struct weir_time last_due(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, struct weir_time first, struct weir_time now)
{
    struct weir_time found = first;
    struct weir_firing firing;
    for (int64_t back = 1000; now.ms - back > first.ms; back *= 2) {
        struct weir_time from = { now.ms - back };
        if (weir_schedule_next(times, from, &firing) && firing.time.ms > first.ms &&
                weir_schedule_due(schedule, times, firing.time).ms <= now.ms) {
            found = firing.time;
            break;
        }
    }
    while (weir_schedule_next(times, found, &firing) &&
            weir_schedule_due(schedule, times, firing.time).ms <= now.ms) {
        found = firing.time;
    }
    return found;
}

/* Each is run, but for those that are too old or too many. */
static struct weir_schedule_plan plan_all(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, const struct weir_schedule_state *state,
        struct weir_time now)
{
    struct weir_schedule_plan plan = { .runs = true, .time = state->next, .after = state->next };
    struct weir_time oldest = { now.ms - (int64_t)schedule->target.max_age_ms };
    if (times->expression.kind == WEIR_SCHEDULE_RATE) {
        int64_t most = (int64_t)times->expression.every_ms * WEIR_SCHEDULE_MADE_UP_MAX;
        oldest.ms = now.ms - most > oldest.ms ? now.ms - most : oldest.ms;
    }
    if (state->next.ms >= oldest.ms || times->expression.kind == WEIR_SCHEDULE_AT) {
        return plan;
    }
    struct weir_firing firing = { .time = { oldest.ms - 1 } };
    if (!weir_schedule_next(times, firing.time, &firing)) {
        plan.runs = false;
        plan.missed = count_firings(times, state->next, oldest);
        plan.after = oldest;
        return plan;
    }
    plan.missed = count_firings(times, state->next, firing.time);
    plan.time = firing.time;
    plan.after = firing.time;
    if (weir_schedule_due(schedule, times, firing.time).ms > now.ms) {
        plan.runs = false; /* the next one is on time again */
        plan.after.ms = firing.time.ms - 1;
    }
    return plan;
}

struct weir_schedule_plan weir_schedule_plan(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, const struct weir_schedule_state *state,
        struct weir_time now)
{
    if (schedule->missed == WEIR_MISSED_ALL) {
        return plan_all(schedule, times, state, now);
    }
    struct weir_time last = last_due(schedule, times, state->next, now);
    struct weir_schedule_plan plan = {
        .runs = true,
        .time = last,
        .missed = count_firings(times, state->next, last),
        .after = last,
    };
    int64_t late_ms = now.ms - weir_schedule_due(schedule, times, last).ms;
    if (schedule->missed == WEIR_MISSED_SKIP && late_ms > WEIR_SCHEDULE_LATE_MS) {
        plan.runs = false;
        plan.missed++;
    }
    return plan;
}
