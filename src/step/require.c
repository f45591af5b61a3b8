/*
 * require: conditions that every record must meet. A list of expressions; each must have a
 * value, and one that is neither false nor null. A record that fails one is reported.
 */
#include "base/mem.h"
#include "step/kinds_int.h"

struct require_step {
    struct weir_step base;
    struct weir_expr **conditions;
    struct weir_str *texts; /* as written, for messages */
    size_t count;
};

static struct require_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_require);
    return WEIR_CONTAINER(step, struct require_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct require_step *step = from_base(base);
    if (node->kind != WEIR_CONF_LIST) {
        weir_conf_error(scope->diagnostics, node,
                "require is a list of expressions: `- require: [new.id, new.score > 0]`");
        return;
    }
    step->conditions = weir_alloc_zero(node->count, sizeof(struct weir_expr *));
    step->texts = weir_arena_zero(scope->arena, node->count, sizeof(*step->texts));
    for (size_t i = 0; i < node->count; i++) {
        struct weir_expr *expr = weir_scope_expr(scope, &node->items[i]);
        if (expr != NULL) {
            step->texts[step->count] = weir_arena_str(scope->arena, node->items[i].text);
            step->conditions[step->count++] = expr;
        }
    }
}

static bool meets(const struct require_step *step, const struct weir_expr_frame *frame,
        struct weir_err *ret_why)
{
    for (size_t i = 0; i < step->count; i++) {
        struct weir_expr_value value;
        enum weir_rc rc = weir_expr_eval(step->conditions[i], frame, &value, ret_why);
        if (rc != WEIR_OK) {
            weir_fail_in(ret_why, rc, "require %.*s: ", WEIR_STR_ARG(step->texts[i]));
            return false;
        }
        bool refused =
                value.kind == WEIR_EXPR_NULL || (value.kind == WEIR_EXPR_BOOL && !value.as.boolean);
        if (refused) {
            weir_fail(ret_why, WEIR_E_INVALID, "require %.*s: it is %s",
                    WEIR_STR_ARG(step->texts[i]), value.kind == WEIR_EXPR_NULL ? "null" : "false");
            return false;
        }
    }
    return true;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    const struct require_step *step = from_base(base);
    for (size_t i = 0; i < in->count; i++) {
        struct weir_expr_frame frame = weir_lane_frame(lane, in->all[i]);
        struct weir_err why;
        if (meets(step, &frame, &why)) {
            weir_events_add(lane, out, in->all[i]);
        } else {
            weir_lane_fail(lane, in->all[i], &why);
        }
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    struct require_step *step = from_base(base);
    for (size_t i = 0; i < step->count; i++) {
        weir_expr_destroy(step->conditions[i]);
    }
    weir_free(step->conditions);
}

const struct weir_step_ops weir_step_require = {
    .name = "require",
    .help = "Conditions that every record must meet; a list of expressions",
    .size = sizeof(struct require_step),
    .check = check,
    .run = run,
    .fini = fini,
};
