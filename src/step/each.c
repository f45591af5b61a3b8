/* each: one event for every element of a list, set or map. */
#include "base/mem.h"
#include "step/kinds_int.h"

struct each_step {
    struct weir_step base;
    const struct weir_conf *in; /* only while it is checked */
    struct weir_str as;
    struct weir_expr *list;
    size_t slot;
};

static const struct weir_option options[] = {
    { "in", NULL, "expression that gives a list, a set or a map (its keys)", WEIR_OPTION_NODE,
            offsetof(struct each_step, in), 0, 0 },
    { "as", NULL, "the element's name in the steps that follow", WEIR_OPTION_STRING,
            offsetof(struct each_step, as), 0, 0 },
    { 0 },
};

static struct each_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_each);
    return WEIR_CONTAINER(step, struct each_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct each_step *step = from_base(base);
    step->list = weir_scope_expr(scope, step->in);
    uint64_t depends = step->list != NULL ? weir_scope_expr_depends(scope, step->list) : 0;
    step->slot = weir_scope_add(scope, weir_conf_get(node, "as"), step->as, depends);
    scope->fan_outs |= (uint64_t)1 << step->slot;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    const struct each_step *step = from_base(base);
    for (size_t i = 0; i < in->count; i++) {
        struct weir_expr_frame frame = weir_lane_frame(lane, in->all[i]);
        struct weir_expr_value list;
        struct weir_err why;
        enum weir_rc rc = weir_expr_eval(step->list, &frame, &list, &why);
        if (rc != WEIR_OK || !weir_fan_out_possible(&list)) {
            if (rc == WEIR_OK) {
                weir_fail(&why, WEIR_E_INVALID, "it is no list, set or map but %s",
                        weir_expr_kind_name(list.kind));
            }
            weir_fail_in(&why, WEIR_E_INVALID, "each: ");
            weir_lane_fail(lane, in->all[i], &why);
            continue;
        }
        for (size_t k = 0; k < weir_expr_count(&list); k++) {
            struct weir_event event = in->all[i];
            event.slots = weir_event_copy_slots(lane, event);
            event.slots[step->slot] = weir_fan_out_element(&list, k);
            weir_events_add(lane, out, event);
        }
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    weir_expr_destroy(from_base(base)->list);
}

const struct weir_step_ops weir_step_each = {
    .name = "each",
    .help = "One event for every element of a list, set or map",
    .options = options,
    .size = sizeof(struct each_step),
    .check = check,
    .run = run,
    .fini = fini,
};
