/*
 * put: one item into a table for every event. Without `item` it is what `map` made.
 * An item with the same key is replaced.
 */
#include "base/mem.h"
#include "step/kinds_int.h"
#include "step/target_int.h"

struct put_step {
    struct weir_step base;
    struct weir_str table;
    const struct weir_conf *item; /* only while it is checked */
    struct weir_shape *shape;     /* NULL: the event's `item` */
};

static const struct weir_option options[] = {
    { "table", NULL, "the table to write to", WEIR_OPTION_STRING, offsetof(struct put_step, table),
            0, 0 },
    { "item", "", "the item: names and values; what `map` made when absent", WEIR_OPTION_NODE,
            offsetof(struct put_step, item), 0, 0 },
    { 0 },
};

static struct put_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_put);
    return WEIR_CONTAINER(step, struct put_step, base);
}

/* Every slot that an `each` added multiplies the events: the key must be made from it. */
static void check_fan_outs(struct put_step *step, struct weir_scope *scope)
{
    for (size_t slot = WEIR_SLOT_FIRST_FREE; slot < scope->count; slot++) {
        if ((scope->fan_outs >> slot & 1) != 0) {
            weir_target_check_fan_out(scope, step->item, step->table, step->shape, slot,
                    weir_str_z(scope->names[slot]));
        }
    }
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct put_step *step = from_base(base);
    step->table = weir_arena_str(scope->arena, step->table);
    weir_scope_table(scope, weir_conf_get(node, "table"), step->table);
    if (step->item == NULL) {
        if (!weir_scope_has_item(scope)) {
            weir_conf_error(scope->diagnostics, node,
                    "put needs `item` here: what a `map` made is not there behind a debounce, and "
                    "behind a cooldown with `trailing`; put another `map` behind it");
        }
        return;
    }
    if (step->item->kind != WEIR_CONF_MAP) {
        weir_conf_error(scope->diagnostics, step->item, "an item is expected: names and values");
        return;
    }
    step->shape = weir_scope_shape(scope, step->item);
    if (step->shape != NULL) {
        weir_target_check(scope, step->item, step->table, step->shape);
        check_fan_outs(step, scope);
    }
}

static enum weir_rc make_item(const struct put_step *step, struct weir_lane *lane,
        struct weir_event event, struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    if (step->shape != NULL) {
        return weir_shape_item(step->shape, &frame, ret_item, err);
    }
    const struct weir_expr_value *made = &event.slots[WEIR_SLOT_ITEM];
    if (made->kind != WEIR_EXPR_MAP) {
        return weir_fail(err, WEIR_E_INVALID, "there is no `item`: give one, or put `map` before");
    }
    *ret_item = (struct weir_item){ made->as.str.p, made->as.str.n };
    return WEIR_OK;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    const struct put_step *step = from_base(base);
    const struct weir_table *table = NULL;
    if (weir_lane_table(lane, step->table, &table, err) != WEIR_OK) {
        return WEIR_STEP_BLOCKED;
    }
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        struct weir_item item = { 0 };
        struct weir_str key;
        struct weir_err why;
        enum weir_rc rc = make_item(step, lane, event, &item, &why);
        if (rc == WEIR_OK) {
            rc = weir_target_key(lane, table, item, &key, &why);
        }
        if (rc != WEIR_OK) {
            weir_fail_in(&why, rc, "put to %.*s: ", WEIR_STR_ARG(step->table));
            weir_lane_fail(lane, event, &why);
            continue;
        }
        if (weir_lane_put_item(lane, event, table, key, item, err) != WEIR_OK) {
            return WEIR_STEP_BLOCKED;
        }
        weir_events_add(lane, out, event);
    }
    return WEIR_STEP_DONE;
}

static struct weir_str target(const struct weir_step *step)
{
    return WEIR_CONTAINER(step, const struct put_step, base)->table;
}

static void fini(struct weir_step *base)
{
    weir_shape_destroy(from_base(base)->shape);
}

const struct weir_step_ops weir_step_put = {
    .name = "put",
    .help = "One item into a table for every event",
    .options = options,
    .size = sizeof(struct put_step),
    .writes = true,
    .check = check,
    .run = run,
    .target = target,
    .fini = fini,
};
