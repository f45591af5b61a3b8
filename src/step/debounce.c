/*
 * debounce: many records, one event, when it has been quiet for a while. The event is the last
 * record's; how many it stands for, and the first one, are in `burst`.
 */
#include "base/mem.h"
#include "step/burst_int.h"
#include "step/kinds_int.h"

struct debounce_step {
    struct weir_step base;
    struct weir_burst_options burst;
    uint64_t period_ms;
    uint64_t max_wait_ms;
};

enum { WAITS_DEFAULT = 10 };

static const uint64_t period_max_ms = 366ull * 24 * 3600 * 1000;

static const struct weir_option options[] = {
    { "period", NULL, "how long it must be quiet", WEIR_OPTION_DURATION,
            offsetof(struct debounce_step, period_ms), 1, 366ll * 24 * 3600 * 1000 },
    { "key", "", "expression: what belongs together; all records of the pipeline when absent",
            WEIR_OPTION_NODE, offsetof(struct debounce_step, burst.key_node), 0, 0 },
    { "max_wait", "0s", "the longest time after the first record; 0s: ten times the period",
            WEIR_OPTION_DURATION, offsetof(struct debounce_step, max_wait_ms), 0, 0 },
    { "as", "burst", "the name of what the event stands for", WEIR_OPTION_STRING,
            offsetof(struct debounce_step, burst.as), 0, 0 },
    { 0 },
};

static struct debounce_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_debounce);
    return WEIR_CONTAINER(step, struct debounce_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct debounce_step *step = from_base(base);
    if (step->max_wait_ms == 0) {
        step->max_wait_ms = WAITS_DEFAULT * step->period_ms;
    } else if (step->max_wait_ms < step->period_ms) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "max_wait"),
                "max_wait is shorter than the period: the event would always go on before it was "
                "quiet for so long");
    }
    if (step->max_wait_ms > WAITS_DEFAULT * period_max_ms) {
        step->max_wait_ms = WAITS_DEFAULT * period_max_ms;
    }
    weir_burst_check(&step->burst, node, scope);
    weir_scope_end_names(scope, step->burst.slot);
}

static enum weir_rc put_off(struct debounce_step *step, struct weir_lane *lane,
        struct weir_event event, struct weir_err *err)
{
    struct weir_defer how = { .period_ms = step->period_ms, .max_wait_ms = step->max_wait_ms };
    enum weir_rc rc = weir_burst_key(&step->burst, lane, event, &how.key, err);
    if (rc == WEIR_OK) {
        weir_lane_defer(lane, &step->base, event, &how);
    }
    return rc;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    struct debounce_step *step = from_base(base);
    (void)err;
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        const struct weir_deferred *deferred = weir_lane_deferred(lane, base, event);
        struct weir_err why;
        if (deferred != NULL) {
            weir_events_add(lane, out,
                    weir_burst_event(&step->burst, lane, event, deferred->key, deferred));
        } else if (put_off(step, lane, event, &why) != WEIR_OK) {
            weir_fail_in(&why, why.code, "debounce: ");
            weir_lane_fail(lane, event, &why);
        }
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    weir_expr_destroy(from_base(base)->burst.key);
}

const struct weir_step_ops weir_step_debounce = {
    .name = "debounce",
    .help = "One event for many records, when it has been quiet for a while",
    .options = options,
    .size = sizeof(struct debounce_step),
    .writes = true,
    .defers = true,
    .check = check,
    .run = run,
    .fini = fini,
};
