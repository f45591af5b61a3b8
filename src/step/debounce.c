/*
 * debounce: many records, one event, when it has been quiet for a while. The event is the last
 * record's; how many it stands for, the first one, and what `merge` made of all of them, are in
 * `burst`.
 */
#include "base/mem.h"
#include "step/burst_int.h"
#include "step/kinds_int.h"

struct debounce_step {
    struct weir_step base;
    struct weir_burst_options burst;
    uint64_t period_ms;
    uint64_t max_wait_ms;
    const struct weir_conf *merge_node; /* only while it is checked */
    struct weir_merge_field *fields;
    struct weir_expr **values; /* of the fields */
    size_t field_count;
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
    { "merge", "",
            "what the records become together: fields, each with first, last, sum, min, max or "
            "distinct of an expression",
            WEIR_OPTION_NODE, offsetof(struct debounce_step, merge_node), 0, 0 },
    { "as", "burst", "the name of what the event stands for", WEIR_OPTION_STRING,
            offsetof(struct debounce_step, burst.as), 0, 0 },
    { 0 },
};

static struct debounce_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_debounce);
    return WEIR_CONTAINER(step, struct debounce_step, base);
}

/* --- merge ------------------------------------------------------------------------------------ */

static bool find_policy(struct weir_str name, enum weir_merge *ret_how)
{
    static const char *const names[] = {
        [WEIR_MERGE_FIRST] = "first",
        [WEIR_MERGE_LAST] = "last",
        [WEIR_MERGE_SUM] = "sum",
        [WEIR_MERGE_MIN] = "min",
        [WEIR_MERGE_MAX] = "max",
        [WEIR_MERGE_DISTINCT] = "distinct",
    };
    size_t i = 0;
    while (i < WEIR_COUNT(names) && !weir_str_eq(name, weir_str_z(names[i]))) {
        i++;
    }
    *ret_how = (enum weir_merge)i;
    return i < WEIR_COUNT(names);
}

/* One field: `total: { sum: new.amount }`. */
static void check_field(struct debounce_step *step, const struct weir_conf *name,
        const struct weir_conf *node, struct weir_scope *scope)
{
    enum weir_merge how = WEIR_MERGE_FIRST;
    bool one = node->kind == WEIR_CONF_MAP && node->count == 1;
    if (!one || !find_policy(node->names[0].text, &how)) {
        weir_conf_error(scope->diagnostics, node,
                "'%.*s' needs one of first, last, sum, min, max and distinct, with an expression: "
                "{ sum: new.amount }",
                WEIR_STR_ARG(name->text));
        return;
    }
    struct weir_expr *value = weir_scope_expr(scope, &node->items[0]);
    if (value != NULL) {
        step->fields[step->field_count] =
                (struct weir_merge_field){ weir_arena_str(scope->arena, name->text), how };
        step->values[step->field_count++] = value;
    }
}

static void check_merge(
        struct debounce_step *step, const struct weir_conf *node, struct weir_scope *scope)
{
    if (node->kind != WEIR_CONF_MAP || node->count == 0) {
        weir_conf_error(scope->diagnostics, node,
                "merge is a map of fields, as in { total: { sum: new.amount } }");
        return;
    }
    step->burst.merges = true;
    step->fields = weir_arena_zero(scope->arena, node->count, sizeof(*step->fields));
    step->values = weir_alloc_zero(node->count, sizeof(*step->values));
    for (size_t i = 0; i < node->count; i++) {
        check_field(step, &node->names[i], &node->items[i], scope);
    }
}

static bool has_value(const struct weir_expr_value *value)
{
    bool none = value->kind == WEIR_EXPR_OPTIONAL && value->as.inner == NULL;
    return value->kind != WEIR_EXPR_NULL && value->kind != WEIR_EXPR_ABSENT && !none;
}

static enum weir_rc check_type(
        const struct weir_merge_field *field, struct weir_value value, struct weir_err *err)
{
    bool number = value.type == WEIR_TYPE_N;
    bool text = value.type == WEIR_TYPE_S;
    if (field->how == WEIR_MERGE_SUM && !number) {
        return weir_fail(
                err, WEIR_E_INVALID, "a sum is of numbers, not of %s", weir_type_name(value.type));
    }
    if ((field->how == WEIR_MERGE_MIN || field->how == WEIR_MERGE_MAX) && !number && !text) {
        return weir_fail(err, WEIR_E_INVALID, "min and max are of numbers and texts, not of %s",
                weir_type_name(value.type));
    }
    return WEIR_OK;
}

/* Add an event's value for a field, if it has one. */
static enum weir_rc add_value(const struct weir_merge_field *field, const struct weir_expr *expr,
        const struct weir_expr_frame *frame, struct weir_item_builder *builder,
        struct weir_err *err)
{
    struct weir_expr_value value;
    struct weir_value made;
    enum weir_rc rc = weir_expr_eval(expr, frame, &value, err);
    if (rc == WEIR_OK && !has_value(&value) && field->how == WEIR_MERGE_SUM) {
        value = weir_expr_int(0); /* the sum of nothing */
    }
    if (rc != WEIR_OK || !has_value(&value)) {
        return rc;
    }
    struct weir_item_builder *alone = weir_item_begin(frame->arena);
    rc = weir_expr_to_item(alone, &value, err);
    if (rc == WEIR_OK) {
        rc = weir_item_finish_value(alone, &made, err);
    }
    if (rc == WEIR_OK) {
        rc = check_type(field, made, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_item_name(builder, field->name);
    if (field->how == WEIR_MERGE_DISTINCT) {
        weir_item_open(builder, WEIR_TYPE_L);
        weir_item_value(builder, made);
        weir_item_close(builder);
    } else {
        weir_item_value(builder, made);
    }
    return WEIR_OK;
}

/* The event's values for all fields. Errors: the event's fault. */
static enum weir_rc merge_values(const struct debounce_step *step, struct weir_lane *lane,
        struct weir_event event, struct weir_item *ret_values, struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    struct weir_item_builder *builder = weir_item_begin(weir_lane_arena(lane));
    for (size_t i = 0; i < step->field_count; i++) {
        const struct weir_merge_field *field = &step->fields[i];
        enum weir_rc rc = add_value(field, step->values[i], &frame, builder, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "merge.%.*s: ", WEIR_STR_ARG(field->name));
        }
    }
    enum weir_rc rc = weir_item_finish(builder, ret_values, err);
    if (rc == WEIR_OK && ret_values->n > WEIR_MERGED_MAX_BYTES) {
        rc = weir_fail(err, WEIR_E_TOO_LARGE, "merge: the values have %zu bytes, of at most %d",
                ret_values->n, WEIR_MERGED_MAX_BYTES);
    }
    return rc;
}

/* --- the step --------------------------------------------------------------------------------- */

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
    if (step->merge_node != NULL) {
        check_merge(step, step->merge_node, scope);
    }
    weir_burst_check(&step->burst, node, scope);
    weir_scope_end_names(scope, step->burst.slot);
}

static enum weir_rc put_off(struct debounce_step *step, struct weir_lane *lane,
        struct weir_event event, struct weir_err *err)
{
    struct weir_defer how = {
        .period_ms = step->period_ms,
        .max_wait_ms = step->max_wait_ms,
        .merge = step->fields,
        .merge_count = step->field_count,
    };
    enum weir_rc rc = weir_burst_key(&step->burst, lane, event, &how.key, err);
    if (rc == WEIR_OK && step->field_count > 0) {
        rc = merge_values(step, lane, event, &how.values, err);
    }
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
    struct debounce_step *step = from_base(base);
    weir_expr_destroy(step->burst.key);
    for (size_t i = 0; i < step->field_count; i++) {
        weir_expr_destroy(step->values[i]);
    }
    weir_free(step->values);
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
