/*
 * project: an incremental view. Each record that passes replaces what its source key had
 * produced: derived items that are not made any more are deleted, others are written where
 * they differ.
 *
 * The step remembers for every source key the position of the record that was applied last, the
 * rule's generation, and the keys of the items that stand for it. A record before that position
 * changes nothing, nor does the same one by the same rule, so batches that run twice, replays, late
 * redrives and rebuilds end as they should, whichever comes first. A derived
 * item has one owner: a key that stands in the target and is not remembered for this source
 * key belongs to somebody else, and the record fails.
 *
 * The memory goes when its last derived item does: at once when a record leaves none, and by
 * itself when all of them have a time to live. So an old record of an item that is gone makes its
 * items again; replays and redrives leave such records out, unless they are asked for stale ones.
 */
#include <string.h>

#include "base/mem.h"
#include "step/kinds_int.h"
#include "step/target_int.h"

/* One entry of `items`: an item, or one for every element of `each`. */
struct part {
    struct weir_shape *shape;
    struct weir_expr *each; /* NULL: one item */
    size_t slot;            /* of the element */
};

struct project_step {
    struct weir_step base;
    struct weir_str table;
    const struct weir_conf *let;   /* only while it is checked */
    const struct weir_conf *items; /* only while it is checked */
    struct weir_str on_remove;
    bool keep_on_remove;
    struct part *parts;
    size_t part_count;
    struct weir_shape **values; /* of `let` */
    size_t *slots;
    size_t value_count;
};

static const struct weir_option options[] = {
    { "table", NULL, "the table that holds the view", WEIR_OPTION_STRING,
            offsetof(struct project_step, table), 0, 0 },
    { "items", NULL,
            "the items of one record: a list of items; one with `each` and `as` makes an item for "
            "every element",
            WEIR_OPTION_NODE, offsetof(struct project_step, items), 0, 0 },
    { "let", "", "names for values, for the items", WEIR_OPTION_NODE,
            offsetof(struct project_step, let), 0, 0 },
    { "on_remove", "delete", "what a REMOVE record does to the items: delete or keep",
            WEIR_OPTION_STRING, offsetof(struct project_step, on_remove), 0, 0 },
    { 0 },
};

static struct project_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_project);
    return WEIR_CONTAINER(step, struct project_step, base);
}

/* --- checking ------------------------------------------------------------------------ */

static void check_let(struct project_step *step, struct weir_scope *scope)
{
    const struct weir_conf *let = step->let;
    if (let == NULL) {
        return;
    }
    if (let->kind != WEIR_CONF_MAP) {
        weir_conf_error(scope->diagnostics, let, "let is a map of names to values");
        return;
    }
    step->values = weir_alloc_zero(let->count, sizeof(struct weir_shape *));
    step->slots = weir_arena_zero(scope->arena, let->count, sizeof(*step->slots));
    for (size_t i = 0; i < let->count; i++) {
        struct weir_shape *value = weir_scope_shape(scope, &let->items[i]);
        if (value != NULL) {
            step->values[step->value_count] = value;
            step->slots[step->value_count++] = weir_scope_add(scope, &let->names[i],
                    let->names[i].text, weir_scope_shape_depends(scope, value));
        }
    }
}

/* The item's members: those of the node without `each` and `as`. */
static struct weir_conf item_members(struct weir_arena *arena, const struct weir_conf *node)
{
    struct weir_conf item = *node;
    struct weir_conf *names = weir_arena_zero(arena, node->count, sizeof(*names));
    struct weir_conf *values = weir_arena_zero(arena, node->count, sizeof(*values));
    item.count = 0;
    for (size_t i = 0; i < node->count; i++) {
        struct weir_str name = node->names[i].text;
        if (!weir_str_eq(name, WEIR_STR("each")) && !weir_str_eq(name, WEIR_STR("as"))) {
            names[item.count] = node->names[i];
            values[item.count++] = node->items[i];
        }
    }
    item.names = names;
    item.items = values;
    return item;
}

/* `each` and `as` of an item; the name is known to this item only. */
static bool check_each(struct part *part, const struct weir_conf *node, struct weir_scope *scope)
{
    const struct weir_conf *each = weir_conf_get(node, "each");
    const struct weir_conf *as = weir_conf_get(node, "as");
    if ((each == NULL) != (as == NULL) || (as != NULL && as->kind != WEIR_CONF_SCALAR)) {
        weir_conf_error(scope->diagnostics, node,
                "`each` (a list) and `as` (the element's name) stand together");
        return false;
    }
    if (each == NULL) {
        return true;
    }
    part->each = weir_scope_expr(scope, each);
    part->slot = weir_scope_add(scope, as, as->text, 0);
    return part->each != NULL && part->slot != WEIR_SLOT_NEW;
}

static void check_part(
        struct project_step *step, const struct weir_conf *node, struct weir_scope *scope)
{
    if (node->kind != WEIR_CONF_MAP) {
        weir_conf_error(scope->diagnostics, node, "an item is expected: names and values");
        return;
    }
    struct part *part = &step->parts[step->part_count++];
    struct weir_conf item = item_members(scope->arena, node);
    if (check_each(part, node, scope)) {
        part->shape = weir_scope_shape(scope, &item);
    }
    if (part->shape != NULL) {
        weir_target_check(scope, node, step->table, part->shape);
    }
    if (part->shape != NULL && part->each != NULL) {
        weir_target_check_fan_out(scope, node, step->table, part->shape, part->slot,
                weir_str_z(scope->names[part->slot]));
    }
    if (part->slot != 0) {
        /* The next item may use the name for its own; the slot stays this one's. */
        scope->names[part->slot] = "";
    }
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct project_step *step = from_base(base);
    step->table = weir_arena_str(scope->arena, step->table);
    weir_scope_table(scope, weir_conf_get(node, "table"), step->table);
    step->keep_on_remove = weir_str_eq(step->on_remove, WEIR_STR("keep"));
    if (!step->keep_on_remove && !weir_str_eq(step->on_remove, WEIR_STR("delete"))) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "on_remove"),
                "on_remove is 'delete' or 'keep'");
    }
    if (step->items->kind != WEIR_CONF_LIST || step->items->count == 0) {
        weir_conf_error(scope->diagnostics, step->items, "items is a list of items");
        return;
    }
    check_let(step, scope);
    step->parts = weir_alloc_zero(step->items->count, sizeof(*step->parts));
    for (size_t i = 0; i < step->items->count; i++) {
        check_part(step, &step->items->items[i], scope);
    }
    for (size_t i = 0; i < step->value_count; i++) {
        if (step->slots[i] != WEIR_SLOT_NEW) {
            scope->names[step->slots[i]] = ""; /* known to this step only */
        }
    }
}

/* --- memory ------------------------------------------------------------------------------ */

/* The memory must not go before the items, whose deletion may take its time. */
static const int64_t memory_grace_ms = 3600 * 1000;

/* What is remembered of a source key. */
struct memory {
    struct weir_pos applied; /* the record that was applied last */
    uint64_t generation;     /* of the rule that it was applied by */
    struct weir_str *keys;   /* of the items that stand */
    size_t count;
};

enum { MEMORY_VERSION = 2, MEMORY_HEAD = 21 };

/* version, position, generation, number of keys; each key behind its length */
static struct weir_str encode_memory(struct weir_arena *arena, const struct memory *memory)
{
    size_t n = MEMORY_HEAD;
    for (size_t i = 0; i < memory->count; i++) {
        n += sizeof(uint16_t) + memory->keys[i].n;
    }
    char *p = weir_arena_alloc(arena, n);
    uint32_t count = (uint32_t)memory->count;
    p[0] = MEMORY_VERSION;
    memcpy(p + 1, &memory->applied.seq, 8);
    memcpy(p + 9, &memory->generation, 8);
    memcpy(p + 17, &count, 4);
    char *at = p + MEMORY_HEAD;
    for (size_t i = 0; i < memory->count; i++) {
        uint16_t length = (uint16_t)memory->keys[i].n;
        memcpy(at, &length, sizeof(length));
        memcpy(at + sizeof(length), memory->keys[i].p, length);
        at += sizeof(length) + length;
    }
    return weir_str(p, n);
}

static enum weir_rc decode_memory(struct weir_arena *arena, struct weir_str stored,
        struct memory *ret_memory, struct weir_err *err)
{
    *ret_memory = (struct memory){ 0 };
    if (stored.n == 0) {
        return WEIR_OK;
    }
    uint32_t count = 0;
    if (stored.n < MEMORY_HEAD || stored.p[0] != MEMORY_VERSION) {
        return weir_fail(err, WEIR_E_DAMAGED, "a projection's memory has an unknown form");
    }
    memcpy(&ret_memory->applied.seq, stored.p + 1, 8);
    memcpy(&ret_memory->generation, stored.p + 9, 8);
    memcpy(&count, stored.p + 17, 4);
    ret_memory->keys = weir_arena_zero(arena, count, sizeof(struct weir_str));
    size_t at = MEMORY_HEAD;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t length = 0;
        if (stored.n - at < sizeof(length)) {
            return weir_fail(err, WEIR_E_DAMAGED, "a projection's memory is cut short");
        }
        memcpy(&length, stored.p + at, sizeof(length));
        at += sizeof(length);
        if (stored.n - at < length) {
            return weir_fail(err, WEIR_E_DAMAGED, "a projection's memory is cut short");
        }
        ret_memory->keys[ret_memory->count++] = weir_str(stored.p + at, length);
        at += length;
    }
    return WEIR_OK;
}

/* Source items of several tables may have the same key. */
static struct weir_str memory_key(struct weir_lane *lane, struct weir_event event)
{
    struct weir_str table = event.record->source->table;
    struct weir_str key = weir_lane_record_key(lane, event);
    char *p = weir_arena_alloc(weir_lane_arena(lane), table.n + 1 + key.n);
    memcpy(p, table.p, table.n);
    p[table.n] = '\0';
    memcpy(p + table.n + 1, key.p, key.n);
    return weir_str(p, table.n + 1 + key.n);
}

static bool remembers(const struct memory *memory, struct weir_str key)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (weir_str_eq(memory->keys[i], key)) {
            return true;
        }
    }
    return false;
}

/* --- running --------------------------------------------------------------------------------- */

/* The items that a record makes. */
struct derived {
    struct weir_item *items;
    struct memory next; /* with their keys */
    size_t capacity;
};

static enum weir_rc add_derived(struct weir_lane *lane, const struct weir_table *table,
        const struct part *part, const struct weir_expr_frame *frame, struct derived *derived,
        struct weir_err *err)
{
    struct weir_arena *arena = weir_lane_arena(lane);
    struct weir_item item;
    struct weir_str key;
    enum weir_rc rc = weir_shape_item(part->shape, frame, &item, err);
    if (rc == WEIR_OK) {
        rc = weir_target_key(lane, table, item, &key, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (remembers(&derived->next, key)) {
        return weir_fail(err, WEIR_E_INVALID,
                "two items of the record have the same key; make the key distinct");
    }
    if (derived->next.count == derived->capacity) {
        size_t capacity = derived->capacity > 0 ? derived->capacity * 2 : 8;
        struct weir_item *items = weir_arena_zero(arena, capacity, sizeof(*items));
        struct weir_str *keys = weir_arena_zero(arena, capacity, sizeof(*keys));
        for (size_t i = 0; i < derived->next.count; i++) {
            items[i] = derived->items[i];
            keys[i] = derived->next.keys[i];
        }
        derived->items = items;
        derived->next.keys = keys;
        derived->capacity = capacity;
    }
    derived->items[derived->next.count] = item;
    derived->next.keys[derived->next.count++] = key;
    return WEIR_OK;
}

static enum weir_rc derive_part(struct weir_lane *lane, const struct weir_table *table,
        const struct part *part, struct weir_event event, struct derived *derived,
        struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    if (part->each == NULL) {
        return add_derived(lane, table, part, &frame, derived, err);
    }
    struct weir_expr_value list;
    enum weir_rc rc = weir_expr_eval(part->each, &frame, &list, err);
    if (rc == WEIR_OK && !weir_fan_out_possible(&list)) {
        rc = weir_fail(err, WEIR_E_INVALID, "it is no list, set or map but %s",
                weir_expr_kind_name(list.kind));
    }
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "each: ");
    }
    for (size_t i = 0; rc == WEIR_OK && i < weir_expr_count(&list); i++) {
        event.slots[part->slot] = weir_fan_out_element(&list, i);
        rc = add_derived(lane, table, part, &frame, derived, err);
    }
    return rc;
}

static enum weir_rc derive(const struct project_step *step, struct weir_lane *lane,
        const struct weir_table *table, struct weir_event event, struct derived *derived,
        struct weir_err *err)
{
    if (event.record->event == WEIR_EVENT_REMOVE) {
        return WEIR_OK; /* nothing: what stands is deleted */
    }
    event.slots = weir_event_copy_slots(lane, event);
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < step->value_count; i++) {
        rc = weir_shape_eval(step->values[i], &frame, &event.slots[step->slots[i]], err);
    }
    for (size_t i = 0; rc == WEIR_OK && i < step->part_count; i++) {
        rc = derive_part(lane, table, &step->parts[i], event, derived, err);
    }
    return rc;
}

/* Whether every derived key is free or ours. IO errors come back as WEIR_E_IO. */
static enum weir_rc check_owners(struct weir_lane *lane, const struct weir_table *table,
        const struct memory *memory, const struct derived *derived, struct weir_err *err)
{
    for (size_t i = 0; i < derived->next.count; i++) {
        struct weir_item stands;
        enum weir_rc rc = weir_lane_get_item(lane, table, derived->next.keys[i], &stands, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (stands.n > 0 && !remembers(memory, derived->next.keys[i])) {
            return weir_fail(err, WEIR_E_INVALID,
                    "an item with that key stands in %.*s and belongs to another source item",
                    WEIR_STR_ARG(table->name));
        }
    }
    return WEIR_OK;
}

/* Some time after the last of the items expires; 0 when one of them never does. */
static struct weir_time memory_expires(
        const struct weir_table *table, const struct derived *derived)
{
    struct weir_time last = { 0 };
    for (size_t i = 0; i < derived->next.count; i++) {
        struct weir_time due = { 0 };
        if (table->ttl_attribute.n == 0 || !weir_table_expires(table, derived->items[i], &due)) {
            return (struct weir_time){ 0 };
        }
        last = due.ms > last.ms ? due : last;
    }
    last.ms += last.ms > 0 ? memory_grace_ms : 0;
    return last;
}

static enum weir_rc write_derived(const struct project_step *step, struct weir_lane *lane,
        const struct weir_table *table, struct weir_event event, const struct memory *memory,
        const struct derived *derived, struct weir_err *err)
{
    struct weir_arena *arena = weir_lane_arena(lane);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < memory->count; i++) {
        if (!remembers(&derived->next, memory->keys[i])) {
            struct weir_item none = { 0 };
            struct weir_str key = weir_arena_str(arena, memory->keys[i]);
            rc = weir_lane_put_item(lane, event, table, key, none, err);
        }
    }
    for (size_t i = 0; rc == WEIR_OK && i < derived->next.count; i++) {
        rc = weir_lane_put_item(lane, event, table, derived->next.keys[i], derived->items[i], err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_str value =
            derived->next.count > 0 ? encode_memory(arena, &derived->next) : WEIR_STR("");
    return weir_lane_put_state(
            lane, &step->base, memory_key(lane, event), value, memory_expires(table, derived), err);
}

/* Whether the record is older than what stands, or is what stands, made by the same rule. */
static bool is_known(
        const struct weir_lane *lane, const struct memory *memory, struct weir_event event)
{
    struct weir_pos pos = event.record->pos;
    return memory->applied.seq > pos.seq ||
           (memory->applied.seq == pos.seq && memory->generation == weir_lane_generation(lane));
}

static enum weir_rc project(const struct project_step *step, struct weir_lane *lane,
        const struct weir_table *table, struct weir_event event, struct weir_err *err)
{
    struct weir_str stored;
    struct memory memory;
    struct weir_arena *arena = weir_lane_arena(lane);
    enum weir_rc rc = weir_lane_get_state(lane, &step->base, memory_key(lane, event), &stored, err);
    if (rc == WEIR_OK) {
        rc = decode_memory(arena, stored, &memory, err);
    }
    if (rc != WEIR_OK || is_known(lane, &memory, event)) {
        return rc;
    }
    struct derived derived = {
        .next = { .applied = event.record->pos, .generation = weir_lane_generation(lane) },
    };
    rc = derive(step, lane, table, event, &derived, err);
    if (rc == WEIR_OK) {
        rc = check_owners(lane, table, &memory, &derived, err);
    }
    return rc == WEIR_OK ? write_derived(step, lane, table, event, &memory, &derived, err) : rc;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    const struct project_step *step = from_base(base);
    const struct weir_table *table = NULL;
    if (weir_lane_table(lane, step->table, &table, err) != WEIR_OK) {
        return WEIR_STEP_BLOCKED;
    }
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        weir_events_add(lane, out, event);
        bool keeps = step->keep_on_remove && !weir_lane_is_pruning(lane, event);
        if (event.record->event == WEIR_EVENT_REMOVE && keeps) {
            continue;
        }
        struct weir_err why;
        enum weir_rc rc = project(step, lane, table, event, &why);
        if (rc == WEIR_E_IO || rc == WEIR_E_DAMAGED) {
            *err = why;
            return WEIR_STEP_BLOCKED;
        }
        if (rc != WEIR_OK) {
            weir_fail_in(&why, rc, "project to %.*s: ", WEIR_STR_ARG(step->table));
            weir_lane_fail(lane, event, &why);
        }
    }
    return WEIR_STEP_DONE;
}

static struct weir_str target(const struct weir_step *step)
{
    return WEIR_CONTAINER(step, const struct project_step, base)->table;
}

static void fini(struct weir_step *base)
{
    struct project_step *step = from_base(base);
    for (size_t i = 0; i < step->part_count; i++) {
        weir_shape_destroy(step->parts[i].shape);
        weir_expr_destroy(step->parts[i].each);
    }
    for (size_t i = 0; i < step->value_count; i++) {
        weir_shape_destroy(step->values[i]);
    }
    weir_free(step->parts);
    weir_free(step->values);
}

const struct weir_step_ops weir_step_project = {
    .name = "project",
    .help = "An incremental view: each record replaces what its source item had produced",
    .options = options,
    .size = sizeof(struct project_step),
    .writes = true,
    .view = true,
    .check = check,
    .run = run,
    .target = target,
    .fini = fini,
};
