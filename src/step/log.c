/* log: a line in weir's own log for every event; the event goes on unchanged. */
#include "base/logline.h"
#include "base/mem.h"
#include "step/kinds_int.h"

struct log_step {
    struct weir_step base;
    struct weir_shape *message;
};

static struct log_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_log);
    return WEIR_CONTAINER(step, struct log_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    if (node->kind != WEIR_CONF_SCALAR) {
        weir_conf_error(
                scope->diagnostics, node, "log is a text: `- log: \"order ${keys.id} changed\"`");
        return;
    }
    from_base(base)->message = weir_scope_shape(scope, node);
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    const struct log_step *step = from_base(base);
    for (size_t i = 0; i < in->count; i++) {
        struct weir_expr_frame frame = weir_lane_frame(lane, in->all[i]);
        struct weir_expr_value value;
        struct weir_str text;
        struct weir_err why;
        enum weir_rc rc = weir_shape_eval(step->message, &frame, &value, &why);
        if (rc == WEIR_OK) {
            rc = weir_expr_text(weir_lane_arena(lane), &value, &text, &why);
        }
        if (rc != WEIR_OK) {
            weir_fail_in(&why, rc, "log: ");
            weir_lane_fail(lane, in->all[i], &why);
            continue;
        }
        text = weir_arena_str(weir_lane_arena(lane), text); /* ends with a zero */
        weir_logline(WEIR_LOG_INFO, "pipeline.log", "pipeline", weir_lane_pipeline(lane).p,
                "message", text.p, NULL);
        weir_events_add(lane, out, in->all[i]);
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    weir_shape_destroy(from_base(base)->message);
}

const struct weir_step_ops weir_step_log = {
    .name = "log",
    .help = "A line in weir's log for every event",
    .size = sizeof(struct log_step),
    .check = check,
    .run = run,
    .fini = fini,
};
