/* let: names for values, for the steps that follow. A map of names to templates. */
#include "base/mem.h"
#include "step/kinds_int.h"

struct let_step {
    struct weir_step base;
    struct weir_shape **values;
    size_t *slots;
    size_t count;
};

static struct let_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_let);
    return WEIR_CONTAINER(step, struct let_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct let_step *step = from_base(base);
    if (node->kind != WEIR_CONF_MAP) {
        weir_conf_error(scope->diagnostics, node,
                "let is a map of names to values: `- let: { day: \"${...}\" }`");
        return;
    }
    step->values = weir_alloc_zero(node->count, sizeof(struct weir_shape *));
    step->slots = weir_arena_zero(scope->arena, node->count, sizeof(*step->slots));
    for (size_t i = 0; i < node->count; i++) {
        struct weir_shape *value = weir_scope_shape(scope, &node->items[i]);
        if (value == NULL) {
            continue;
        }
        step->values[step->count] = value;
        step->slots[step->count++] = weir_scope_add(scope, &node->names[i], node->names[i].text,
                weir_scope_shape_depends(scope, value));
    }
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    const struct let_step *step = from_base(base);
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        event.slots = weir_event_copy_slots(lane, event);
        struct weir_expr_frame frame = weir_lane_frame(lane, event);
        struct weir_err why;
        enum weir_rc rc = WEIR_OK;
        for (size_t k = 0; rc == WEIR_OK && k < step->count; k++) {
            rc = weir_shape_eval(step->values[k], &frame, &event.slots[step->slots[k]], &why);
        }
        if (rc == WEIR_OK) {
            weir_events_add(lane, out, event);
        } else {
            weir_fail_in(&why, rc, "let: ");
            weir_lane_fail(lane, event, &why);
        }
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    struct let_step *step = from_base(base);
    for (size_t i = 0; i < step->count; i++) {
        weir_shape_destroy(step->values[i]);
    }
    weir_free(step->values);
}

const struct weir_step_ops weir_step_let = {
    .name = "let",
    .help = "Names for values, for the steps that follow; a map of names to templates",
    .size = sizeof(struct let_step),
    .check = check,
    .run = run,
    .fini = fini,
};
