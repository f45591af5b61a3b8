/* map: a new item made of the record; `item` in the steps that follow. */
#include "base/mem.h"
#include "step/kinds_int.h"

struct map_step {
    struct weir_step base;
    struct weir_shape *shape;
};

static struct map_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_map);
    return WEIR_CONTAINER(step, struct map_step, base);
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct map_step *step = from_base(base);
    if (node->kind != WEIR_CONF_MAP) {
        weir_conf_error(scope->diagnostics, node, "map is an item: names and values");
        return;
    }
    step->shape = weir_scope_shape(scope, node);
    if (step->shape != NULL) {
        weir_scope_begin_item(scope, weir_scope_shape_depends(scope, step->shape));
    }
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    const struct map_step *step = from_base(base);
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        struct weir_expr_frame frame = weir_lane_frame(lane, event);
        struct weir_item item;
        struct weir_err why;
        enum weir_rc rc = weir_shape_item(step->shape, &frame, &item, &why);
        if (rc != WEIR_OK) {
            weir_fail_in(&why, rc, "map: ");
            weir_lane_fail(lane, event, &why);
            continue;
        }
        event.slots = weir_event_copy_slots(lane, event);
        event.slots[WEIR_SLOT_ITEM] = weir_expr_item(item);
        weir_events_add(lane, out, event);
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    weir_shape_destroy(from_base(base)->shape);
}

const struct weir_step_ops weir_step_map = {
    .name = "map",
    .help = "A new item made of the record, called `item` in the steps that follow",
    .size = sizeof(struct map_step),
    .check = check,
    .run = run,
    .fini = fini,
};
