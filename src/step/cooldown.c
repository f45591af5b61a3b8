/*
 * cooldown: after a run, nothing for a while. An event inside the period after the end of the
 * last successful run is dropped, or, with `trailing`, held back until the period is over: then
 * one goes on for all of them.
 *
 * The end of a run is when its batch has been through all steps, so a step that takes its time
 * counts. While one lane is at it, others that have events of the same key wait for the outcome.
 *
 * The step's state of a key is an `entry`. Once something is held back, what comes later joins it
 * even when the period is over: the trailing run is due then, and one run is enough for all.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "step/burst_int.h"
#include "step/kinds_int.h"

struct cooldown_step {
    struct weir_step base;
    struct weir_burst_options burst;
    uint64_t period_ms;
    bool leading;
    bool trailing;
};

static const struct weir_option options[] = {
    { "period", NULL, "how long nothing goes on after a run", WEIR_OPTION_DURATION,
            offsetof(struct cooldown_step, period_ms), 1, 366ll * 24 * 3600 * 1000 },
    { "key", "", "expression: what has a cooldown of its own; one for the pipeline when absent",
            WEIR_OPTION_NODE, offsetof(struct cooldown_step, burst.key_node), 0, 0 },
    { "leading", "true", "an event outside of a period goes on at once", WEIR_OPTION_BOOL,
            offsetof(struct cooldown_step, leading), 0, 0 },
    { "trailing", "false", "when a period is over, one event goes on for those held back",
            WEIR_OPTION_BOOL, offsetof(struct cooldown_step, trailing), 0, 0 },
    { "as", "held", "the name of what the event stands for", WEIR_OPTION_STRING,
            offsetof(struct cooldown_step, burst.as), 0, 0 },
    { 0 },
};

static struct cooldown_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_cooldown);
    return WEIR_CONTAINER(step, struct cooldown_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct cooldown_step *step = from_base(base);
    if (!step->leading && !step->trailing) {
        weir_conf_error(scope->diagnostics, node,
                "with neither `leading` nor `trailing` no event would ever go on");
    }
    weir_burst_check(&step->burst, node, scope);
    if (step->trailing) { /* what was held back comes from the store, with its record only */
        weir_scope_end_names(scope, step->burst.slot);
    }
}

/* --- the keys of a batch ------------------------------------------------------------------- */

enum { BUCKETS = 256 };

/* How long after a trailing run was due it is still waited for. */
static const int64_t patience_ms = 24ll * 3600 * 1000;

/* What is remembered of a key; part of the format. Integers are little-endian. */
struct entry {
    int64_t end_ms; /* of the last run; 0: none is known */
    uint64_t holds; /* 1: something is held back */
};

/* A key that the batch has events of. */
struct seen {
    struct seen *same_bucket;
    struct seen *next;
    struct weir_str key;
    struct entry before;     /* this batch */
    struct weir_time at;     /* when what this batch holds back goes on; 0: nothing */
    bool passed;             /* an event of this batch goes on */
    struct weir_event event; /* that one */
};

/* An event that is held back. */
struct held {
    struct held *next;
    struct weir_event event;
    struct seen *seen;
    struct weir_time at; /* when it goes on, if no event of the batch does */
};

/* In the lane's arena, from the batch's first events to its end. */
struct work {
    struct seen *buckets[BUCKETS];
    struct seen *seen;
    struct held *held;
    struct held **last_held;
};

static struct work *work_of(struct weir_lane *lane, const struct weir_step *step)
{
    struct work *work = weir_lane_work(lane, step);
    if (work == NULL) {
        work = WEIR_ARENA_NEW(weir_lane_arena(lane), struct work);
        work->last_held = &work->held;
        weir_lane_set_work(lane, step, work);
    }
    return work;
}

static enum weir_rc see(struct weir_lane *lane, const struct weir_step *step, struct weir_str key,
        struct seen **ret_seen, struct weir_err *err)
{
    struct work *work = work_of(lane, step);
    struct seen **bucket = &work->buckets[weir_hash64(0, key.p, key.n) % BUCKETS];
    for (struct seen *seen = *bucket; seen != NULL; seen = seen->same_bucket) {
        if (weir_str_eq(seen->key, key)) {
            *ret_seen = seen;
            return WEIR_OK;
        }
    }
    struct weir_str state;
    enum weir_rc rc = weir_lane_get_state(lane, step, key, &state, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct seen *seen = WEIR_ARENA_NEW(weir_lane_arena(lane), struct seen);
    seen->key = key;
    if (state.n == sizeof(seen->before)) {
        memcpy(&seen->before, state.p, sizeof(seen->before));
    }
    seen->same_bucket = *bucket;
    *bucket = seen;
    seen->next = work->seen;
    work->seen = seen;
    *ret_seen = seen;
    return WEIR_OK;
}

/* --- deciding --------------------------------------------------------------------------------- */

static void hold(struct cooldown_step *step, struct weir_lane *lane, struct weir_event event,
        struct seen *seen, int64_t from_ms)
{
    struct work *work = work_of(lane, &step->base);
    struct held *held = WEIR_ARENA_NEW(weir_lane_arena(lane), struct held);
    held->event = event;
    held->seen = seen;
    held->at.ms = from_ms + (int64_t)step->period_ms;
    *work->last_held = held;
    work->last_held = &held->next;
}

static void decide(struct cooldown_step *step, struct weir_lane *lane, struct weir_event event,
        struct seen *seen, struct weir_events *out)
{
    const struct weir_deferred *deferred = weir_lane_deferred(lane, &step->base, event);
    struct weir_time time = weir_lane_frame(lane, event).now;
    int64_t end_ms = seen->before.end_ms;
    bool inside = seen->passed || (end_ms != 0 && time.ms < end_ms + (int64_t)step->period_ms);
    bool joins = step->trailing && seen->before.holds != 0;
    if (!inside && (deferred != NULL || (step->leading && !joins))) {
        seen->passed = true;
        seen->event = event;
        weir_events_add(
                lane, out, weir_burst_event(&step->burst, lane, event, seen->key, deferred));
    } else if (step->trailing) {
        hold(step, lane, event, seen, end_ms != 0 && (inside || joins) ? end_ms : time.ms);
    }
}

/* The key of each event, of those that have one. */
static struct weir_str *find_keys(struct cooldown_step *step, struct weir_lane *lane,
        const struct weir_events *in, size_t *ret_count)
{
    struct weir_str *keys = weir_arena_zero(weir_lane_arena(lane), in->count, sizeof(*keys));
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct weir_deferred *deferred = weir_lane_deferred(lane, &step->base, in->all[i]);
        struct weir_err why;
        if (deferred != NULL) {
            keys[count++] = deferred->key;
        } else if (weir_burst_key(&step->burst, lane, in->all[i], &keys[count], &why) == WEIR_OK) {
            count++;
        } else {
            weir_fail_in(&why, why.code, "cooldown: ");
            weir_lane_fail(lane, in->all[i], &why);
        }
    }
    *ret_count = count;
    return keys;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    struct cooldown_step *step = from_base(base);
    size_t count = 0;
    const struct weir_str *keys = find_keys(step, lane, in, &count);
    if (!weir_lane_claim(lane, base, keys, count)) {
        return WEIR_STEP_PENDING;
    }
    size_t n = 0;
    for (size_t i = 0; i < in->count; i++) {
        struct seen *seen = NULL;
        if (weir_lane_has_failed(lane, in->all[i])) {
            continue;
        }
        if (see(lane, base, keys[n++], &seen, err) != WEIR_OK) {
            return WEIR_STEP_BLOCKED;
        }
        decide(step, lane, in->all[i], seen, out);
    }
    return WEIR_STEP_DONE;
}

static void cancel(struct weir_step *base, struct weir_lane *lane)
{
    (void)base;
    weir_lane_claim_cancel(lane);
}

/* --- the end of the run ------------------------------------------------------------------------
 */

static bool has_passed(const struct weir_lane *lane, const struct seen *seen)
{
    return seen->passed && !weir_lane_has_failed(lane, seen->event);
}

/* Put off what is held back; the period of a run that ends now counts. */
static void hold_back(struct cooldown_step *step, struct weir_lane *lane, const struct work *work,
        struct weir_time end)
{
    for (const struct held *h = work->held; h != NULL; h = h->next) {
        struct weir_defer how = { .key = h->seen->key, .at = h->at };
        if (has_passed(lane, h->seen)) {
            how.at.ms = end.ms + (int64_t)step->period_ms;
        }
        if (!weir_lane_has_failed(lane, h->event)) {
            weir_lane_defer(lane, &step->base, h->event, &how);
            h->seen->at = how.at;
        }
    }
}

static enum weir_rc remember(struct cooldown_step *step, struct weir_lane *lane,
        const struct seen *seen, struct weir_time end, struct weir_err *err)
{
    bool passed = has_passed(lane, seen);
    struct entry after = {
        .end_ms = passed ? end.ms : seen->before.end_ms,
        .holds = seen->at.ms != 0 || (!passed && seen->before.holds != 0),
    };
    if (memcmp(&after, &seen->before, sizeof(after)) == 0) {
        return WEIR_OK;
    }
    struct weir_time expires = { end.ms + (int64_t)step->period_ms };
    if (after.holds != 0) {
        expires.ms = (seen->at.ms > expires.ms ? seen->at.ms : expires.ms) + patience_ms;
    }
    struct weir_str value =
            weir_arena_str(weir_lane_arena(lane), weir_str((const char *)&after, sizeof(after)));
    return weir_lane_put_state(lane, &step->base, seen->key, value, expires, err);
}

static enum weir_rc finish(struct weir_step *base, struct weir_lane *lane, struct weir_err *err)
{
    struct cooldown_step *step = from_base(base);
    const struct work *work = weir_lane_work(lane, base);
    enum weir_rc rc = WEIR_OK;
    if (work == NULL) {
        return WEIR_OK;
    }
    struct weir_time end = weir_clock_wall(weir_lane_clock(lane));
    hold_back(step, lane, work, end);
    for (const struct seen *s = work->seen; rc == WEIR_OK && s != NULL; s = s->next) {
        rc = remember(step, lane, s, end, err);
    }
    return rc;
}

static void fini(struct weir_step *base)
{
    weir_expr_destroy(from_base(base)->burst.key);
}

const struct weir_step_ops weir_step_cooldown = {
    .name = "cooldown",
    .help = "After a run, nothing for a while; or one event for all that came meanwhile",
    .options = options,
    .size = sizeof(struct cooldown_step),
    .writes = true,
    .defers = true,
    .check = check,
    .run = run,
    .resume = run,
    .cancel = cancel,
    .finish = finish,
    .fini = fini,
};
