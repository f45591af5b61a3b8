/* Scopes: names of slots, and compiling what weir.yaml says against them. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/step.h"

struct weir_expr_env weir_scope_env(const struct weir_scope *scope)
{
    return (struct weir_expr_env){ .names = scope->names, .count = scope->count };
}

/* A name that the file does not have may still come from the API. */
static void warn_unknown(const struct weir_scope *scope, const struct weir_conf *at,
        const char *what, struct weir_str name, const char *const *names, size_t count)
{
    const char *nearest = weir_str_nearest(name, names, count);
    weir_conf_warn(scope->diagnostics, at,
            "no %s '%.*s' in this file: the pipeline waits until the API creates it%s%s%s", what,
            WEIR_STR_ARG(name), nearest != NULL ? "; did you mean '" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

const struct weir_table *weir_scope_table(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name)
{
    const struct weir_table *table = scope->find_table(scope->arg, name);
    if (table == NULL) {
        warn_unknown(scope, at, "table", name, scope->table_names, scope->table_count);
    }
    return table;
}

const struct weir_queue *weir_scope_queue(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name)
{
    const struct weir_queue *queue = scope->find_queue(scope->arg, name);
    if (queue == NULL) {
        warn_unknown(scope, at, "queue", name, scope->queue_names, scope->queue_count);
    }
    return queue;
}

bool weir_scope_function(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name)
{
    for (size_t i = 0; i < scope->function_count; i++) {
        if (weir_str_eq(name, weir_str_z(scope->function_names[i]))) {
            return true;
        }
    }
    const char *nearest = weir_str_nearest(name, scope->function_names, scope->function_count);
    weir_conf_error(scope->diagnostics, at, "no function '%.*s' in this file%s%s%s",
            WEIR_STR_ARG(name), nearest != NULL ? "; did you mean '" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
    return false;
}

static bool is_identifier(struct weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.n > 0;
}

size_t weir_scope_add(struct weir_scope *scope, const struct weir_conf *at, struct weir_str name,
        uint64_t depends)
{
    if (!is_identifier(name)) {
        weir_conf_error(scope->diagnostics, at,
                "'%.*s' is not a name: letters, digits and '_' are expected, a letter first",
                WEIR_STR_ARG(name));
        return WEIR_SLOT_NEW;
    }
    for (size_t i = 0; i < scope->count; i++) {
        if (weir_str_eq(weir_str_z(scope->names[i]), name)) {
            weir_conf_error(
                    scope->diagnostics, at, "the name '%.*s' is taken already", WEIR_STR_ARG(name));
            return WEIR_SLOT_NEW;
        }
    }
    if (scope->count == WEIR_SLOTS_MAX) {
        weir_conf_error(
                scope->diagnostics, at, "more than %d names in one pipeline", WEIR_SLOTS_MAX);
        return WEIR_SLOT_NEW;
    }
    size_t slot = scope->count++;
    scope->names[slot] = weir_arena_str(scope->arena, name).p;
    scope->depends[slot] = depends;
    return slot;
}

void weir_scope_end_names(struct weir_scope *scope, size_t but)
{
    for (size_t i = WEIR_SLOT_ITEM; i < scope->count; i++) {
        if (i != but && scope->names[i][0] != '\0') {
            scope->ended[i] = scope->names[i];
            scope->names[i] = "";
            scope->fan_outs &= ~((uint64_t)1 << i);
        }
    }
}

void weir_scope_begin_item(struct weir_scope *scope, uint64_t depends)
{
    scope->names[WEIR_SLOT_ITEM] = "item";
    scope->ended[WEIR_SLOT_ITEM] = NULL;
    scope->depends[WEIR_SLOT_ITEM] |= depends;
}

bool weir_scope_has_item(const struct weir_scope *scope)
{
    return scope->ended[WEIR_SLOT_ITEM] == NULL;
}

/* Complain about an expression; about a name that has ended in particular. */
static void complain(
        const struct weir_scope *scope, const struct weir_conf *node, const struct weir_err *err)
{
    for (size_t i = 0; i < scope->count; i++) {
        char unknown[sizeof(err->msg)];
        snprintf(unknown, sizeof(unknown), "unknown variable '%s'",
                scope->ended[i] != NULL ? scope->ended[i] : "");
        if (scope->ended[i] != NULL && strncmp(err->msg, unknown, strlen(unknown)) == 0) {
            if (i < WEIR_SLOT_MESSAGE) {
                weir_conf_error_in(scope->diagnostics, node, err->pos,
                        "'%s' is not known here: the source is a queue, and its events are "
                        "`message`, with body, json, id, group, sent, receives and attributes",
                        scope->ended[i]);
                return;
            }
            weir_conf_error_in(scope->diagnostics, node, err->pos,
                    "'%s' is not known here: behind a debounce, and behind a cooldown with "
                    "`trailing`, there is the record only (new, old, keys, event), and what a "
                    "debounce's `merge` has taken along, as in { %s: { last: %s } }",
                    scope->ended[i], scope->ended[i], scope->ended[i]);
            return;
        }
    }
    weir_conf_error_in(scope->diagnostics, node, err->pos, "%s", err->msg);
}

bool weir_fan_out_possible(const struct weir_expr_value *value)
{
    return value->kind == WEIR_EXPR_LIST || value->kind == WEIR_EXPR_SET ||
           value->kind == WEIR_EXPR_MAP;
}

struct weir_expr_value weir_fan_out_element(const struct weir_expr_value *value, size_t i)
{
    if (value->kind != WEIR_EXPR_MAP) {
        return weir_expr_at(value, i);
    }
    struct weir_expr_value key;
    weir_expr_pair_at(value, i, &key);
    return key;
}

static bool is_scalar(const struct weir_scope *scope, const struct weir_conf *node)
{
    if (node->kind == WEIR_CONF_SCALAR) {
        return true;
    }
    weir_conf_error(scope->diagnostics, node, "an expression is expected here");
    return false;
}

struct weir_expr *weir_scope_expr(const struct weir_scope *scope, const struct weir_conf *node)
{
    struct weir_expr *expr = NULL;
    struct weir_err err = { 0 };
    struct weir_expr_env env = weir_scope_env(scope);
    if (!is_scalar(scope, node)) {
        return NULL;
    }
    if (weir_expr_compile(&env, node->text, &expr, &err) != WEIR_OK) {
        complain(scope, node, &err);
        return NULL;
    }
    return expr;
}

uint64_t weir_scope_expr_depends(const struct weir_scope *scope, const struct weir_expr *expr)
{
    uint64_t depends = 0;
    for (size_t i = 0; i < scope->count; i++) {
        if (weir_expr_uses(expr, i)) {
            depends |= scope->depends[i] | (uint64_t)1 << i;
        }
    }
    return depends;
}

/* --- shapes ------------------------------------------------------------------------ */

enum shape_kind {
    SHAPE_CONSTANT,
    SHAPE_TEMPLATE,
    SHAPE_LIST,
    SHAPE_MAP,
    SHAPE_GUARDED, /* members[0], and what happens when it has no value */
};

/* What a value that cannot be evaluated means for its record. */
enum on_error {
    ON_ERROR_FAIL,
    ON_ERROR_SKIP,    /* the record is left out, quietly */
    ON_ERROR_DEFAULT, /* members[1] instead */
};

struct weir_shape {
    enum shape_kind kind;
    struct weir_expr_value constant;
    struct weir_template *template;
    struct weir_str *names; /* MAP; owned with their text */
    struct weir_shape **members;
    size_t count;
    enum on_error on_error; /* GUARDED */
};

void weir_shape_destroy(struct weir_shape *shape)
{
    if (shape == NULL) {
        return;
    }
    for (size_t i = 0; i < shape->count; i++) {
        weir_shape_destroy(shape->members[i]);
    }
    weir_free(shape->members);
    weir_free(shape->names);
    weir_template_destroy(shape->template);
    weir_free(shape);
}

/* Numbers, booleans and null as YAML's core schema reads them. */
static bool plain_constant(const struct weir_conf *node, struct weir_expr_value *ret_value)
{
    struct weir_decimal number;
    if (node->kind == WEIR_CONF_NULL) {
        *ret_value = weir_expr_null();
    } else if (node->quoted) {
        return false;
    } else if (weir_str_eq(node->text, WEIR_STR("true"))) {
        *ret_value = weir_expr_bool(true);
    } else if (weir_str_eq(node->text, WEIR_STR("false"))) {
        *ret_value = weir_expr_bool(false);
    } else if (weir_str_eq(node->text, WEIR_STR("null"))) {
        *ret_value = weir_expr_null();
    } else if (weir_decimal_parse(node->text, &number, NULL) == WEIR_OK) {
        *ret_value = weir_expr_decimal(number);
    } else {
        return false;
    }
    return true;
}

static bool compile_scalar(
        const struct weir_scope *scope, const struct weir_conf *node, struct weir_shape *shape)
{
    if (plain_constant(node, &shape->constant)) {
        shape->kind = SHAPE_CONSTANT;
        return true;
    }
    struct weir_err err = { 0 };
    struct weir_expr_env env = weir_scope_env(scope);
    shape->kind = SHAPE_TEMPLATE;
    if (weir_template_compile(&env, node->text, &shape->template, &err) != WEIR_OK) {
        complain(scope, node, &err);
        return false;
    }
    return true;
}

static bool compile_members(
        const struct weir_scope *scope, const struct weir_conf *node, struct weir_shape *shape)
{
    shape->kind = node->kind == WEIR_CONF_MAP ? SHAPE_MAP : SHAPE_LIST;
    shape->members = weir_alloc_zero(node->count, sizeof(struct weir_shape *));
    shape->names = weir_alloc_zero(node->count, sizeof(*shape->names));
    bool ok = true;
    for (size_t i = 0; i < node->count; i++) {
        shape->members[i] = weir_scope_shape(scope, &node->items[i]);
        if (shape->kind == SHAPE_MAP) {
            shape->names[i] = weir_arena_str(scope->arena, node->names[i].text);
        }
        shape->count++;
        ok = ok && shape->members[i] != NULL;
    }
    return ok;
}

/* `{ $value: ..., $on_error: fail | skip }` or `{ $value: ..., $default: ... }`. */
static bool compile_guarded(
        const struct weir_scope *scope, const struct weir_conf *node, struct weir_shape *shape)
{
    const struct weir_conf *on_error = weir_conf_get(node, "$on_error");
    const struct weir_conf *fallback = weir_conf_get(node, "$default");
    bool skip = on_error != NULL && weir_str_eq(on_error->text, WEIR_STR("skip"));
    bool fail = on_error != NULL && weir_str_eq(on_error->text, WEIR_STR("fail"));
    shape->kind = SHAPE_GUARDED;
    shape->members = weir_alloc_zero(2, sizeof(struct weir_shape *));
    if (node->count != 2 || (on_error == NULL) == (fallback == NULL) ||
            (on_error != NULL && !skip && !fail)) {
        weir_conf_error(scope->diagnostics, node,
                "beside $value stands either `$on_error: fail`, `$on_error: skip` or `$default: "
                "...`");
        return false;
    }
    shape->on_error = skip ? ON_ERROR_SKIP : fail ? ON_ERROR_FAIL : ON_ERROR_DEFAULT;
    shape->members[shape->count++] = weir_scope_shape(scope, weir_conf_get(node, "$value"));
    if (fallback != NULL) {
        shape->members[shape->count++] = weir_scope_shape(scope, fallback);
    }
    return shape->members[0] != NULL && (fallback == NULL || shape->members[1] != NULL);
}

struct weir_shape *weir_scope_shape(const struct weir_scope *scope, const struct weir_conf *node)
{
    struct weir_shape *shape = weir_alloc_zero(1, sizeof(*shape));
    bool nested = node->kind == WEIR_CONF_LIST || node->kind == WEIR_CONF_MAP;
    bool guarded = node->kind == WEIR_CONF_MAP && weir_conf_get(node, "$value") != NULL;
    bool ok = guarded  ? compile_guarded(scope, node, shape)
              : nested ? compile_members(scope, node, shape)
                       : compile_scalar(scope, node, shape);
    if (!ok) {
        weir_shape_destroy(shape);
        return NULL;
    }
    return shape;
}

uint64_t weir_scope_shape_depends(const struct weir_scope *scope, const struct weir_shape *shape)
{
    uint64_t depends = 0;
    for (size_t i = 0; i < shape->count; i++) {
        depends |= weir_scope_shape_depends(scope, shape->members[i]);
    }
    for (size_t i = 0; shape->kind == SHAPE_TEMPLATE && i < scope->count; i++) {
        if (weir_template_uses(shape->template, i)) {
            depends |= scope->depends[i] | (uint64_t)1 << i;
        }
    }
    return depends;
}

const struct weir_shape *weir_shape_get(const struct weir_shape *shape, struct weir_str name)
{
    for (size_t i = 0; shape->kind == SHAPE_MAP && i < shape->count; i++) {
        if (weir_str_eq(shape->names[i], name)) {
            return shape->members[i];
        }
    }
    return NULL;
}

static enum weir_rc eval_list(const struct weir_shape *shape, const struct weir_expr_frame *frame,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_expr_value *items = weir_arena_zero(frame->arena, shape->count, sizeof(*items));
    for (size_t i = 0; i < shape->count; i++) {
        enum weir_rc rc = weir_shape_eval(shape->members[i], frame, &items[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret_value = weir_expr_list(items, shape->count);
    return WEIR_OK;
}

/* A member whose value is optional.none() is not there. */
static bool is_none(const struct weir_expr_value *value)
{
    return value->kind == WEIR_EXPR_OPTIONAL && value->as.inner == NULL;
}

static enum weir_rc eval_map(const struct weir_shape *shape, const struct weir_expr_frame *frame,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_expr_value *pairs = weir_arena_zero(frame->arena, 2 * shape->count, sizeof(*pairs));
    size_t n = 0;
    for (size_t i = 0; i < shape->count; i++) {
        enum weir_rc rc = weir_shape_eval(shape->members[i], frame, &pairs[2 * n + 1], err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "%.*s: ", WEIR_STR_ARG(shape->names[i]));
        }
        if (!is_none(&pairs[2 * n + 1])) {
            pairs[2 * n] = weir_expr_string(shape->names[i]);
            n++;
        }
    }
    return weir_expr_map(frame->arena, pairs, n, ret_value, err);
}

static enum weir_rc eval_guarded(const struct weir_shape *shape,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err)
{
    enum weir_rc rc = weir_shape_eval(shape->members[0], frame, ret_value, err);
    if (rc != WEIR_E_INVALID || shape->on_error == ON_ERROR_FAIL) {
        return rc; /* past a limit is never an answer */
    }
    if (shape->on_error == ON_ERROR_DEFAULT) {
        return weir_shape_eval(shape->members[1], frame, ret_value, err);
    }
    return weir_fail_in(err, WEIR_E_CONDITION, "left out: ");
}

enum weir_rc weir_shape_eval(const struct weir_shape *shape, const struct weir_expr_frame *frame,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    switch (shape->kind) {
    case SHAPE_CONSTANT:
        *ret_value = shape->constant;
        return WEIR_OK;
    case SHAPE_TEMPLATE:
        return weir_template_eval(shape->template, frame, ret_value, err);
    case SHAPE_LIST:
        return eval_list(shape, frame, ret_value, err);
    case SHAPE_MAP:
        return eval_map(shape, frame, ret_value, err);
    case SHAPE_GUARDED:
        return eval_guarded(shape, frame, ret_value, err);
    }
    return weir_fail(err, WEIR_E_INVALID, "unknown shape");
}

enum weir_rc weir_shape_item(const struct weir_shape *shape, const struct weir_expr_frame *frame,
        struct weir_item *ret_item, struct weir_err *err)
{
    if (shape->kind != SHAPE_MAP) {
        return weir_fail(err, WEIR_E_INVALID, "an item is expected: names and values");
    }
    struct weir_item_builder *builder = weir_item_begin(frame->arena);
    for (size_t i = 0; i < shape->count; i++) {
        struct weir_expr_value value = { 0 };
        enum weir_rc rc = weir_shape_eval(shape->members[i], frame, &value, err);
        if (rc == WEIR_OK && !is_none(&value)) {
            weir_item_name(builder, shape->names[i]);
            rc = weir_expr_to_item(builder, &value, err);
        }
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "%.*s: ", WEIR_STR_ARG(shape->names[i]));
        }
    }
    return weir_item_finish(builder, ret_item, err);
}

/* --- steps -------------------------------------------------------------------------- */

static const struct weir_step_ops *find_kind(const struct weir_step_kinds *kinds,
        const struct weir_scope *scope, const struct weir_conf *name)
{
    const char *names[64];
    size_t count = kinds->count < WEIR_COUNT(names) ? kinds->count : WEIR_COUNT(names);
    for (size_t i = 0; i < count; i++) {
        names[i] = kinds->all[i]->name;
        if (weir_str_eq(name->text, weir_str_z(names[i]))) {
            return kinds->all[i];
        }
    }
    weir_conf_unknown(scope->diagnostics, name, "step", names, count);
    return NULL;
}

/* What may stand beside the member that names the kind. */
struct step_options {
    struct weir_str id;
    uint64_t timeout_ms;
};

static const struct weir_option step_options[] = {
    { "id", "", "names the step's state", WEIR_OPTION_STRING, offsetof(struct step_options, id), 0,
            0 },
    { "timeout", "0s", "how long its answer may take; 0s: for ever", WEIR_OPTION_DURATION,
            offsetof(struct step_options, timeout_ms), 0, 0 },
    { 0 },
};

static const struct weir_option *step_option(struct weir_str name)
{
    const struct weir_option *option = step_options;
    while (option->name != NULL && !weir_str_eq(name, weir_str_z(option->name))) {
        option++;
    }
    return option->name != NULL ? option : NULL;
}

/* Set what stands beside the kind; the kind's place among the members, or node->count. */
static size_t read_step_options(
        const struct weir_scope *scope, const struct weir_conf *node, struct step_options *options)
{
    size_t kind = node->count;
    size_t kinds = 0;
    for (size_t i = 0; node->kind == WEIR_CONF_MAP && i < node->count; i++) {
        const struct weir_option *option = step_option(node->names[i].text);
        if (option != NULL) {
            weir_conf_value(
                    scope->diagnostics, &node->items[i], option, (char *)options + option->offset);
        } else {
            kind = i;
            kinds++;
        }
    }
    if (kinds != 1) {
        weir_conf_error(scope->diagnostics, node,
                "a step is a map with one member, its kind: `- put: {...}` (and optionally `id` "
                "and "
                "`timeout`)");
        return node->count;
    }
    return kind;
}

struct weir_step *weir_step_create(
        const struct weir_step_kinds *kinds, const struct weir_conf *node, struct weir_scope *scope)
{
    struct step_options beside = { 0 };
    size_t member = read_step_options(scope, node, &beside);
    const struct weir_step_ops *ops =
            member < node->count ? find_kind(kinds, scope, &node->names[member]) : NULL;
    if (ops == NULL) {
        return NULL;
    }
    struct weir_step *step = weir_alloc_zero(1, ops->size);
    step->ops = ops;
    step->id = beside.id.n > 0 ? weir_arena_str(scope->arena, beside.id) : weir_str_z(ops->name);
    step->timeout_ms = beside.timeout_ms;
    bool ok = true;
    if (ops->options != NULL) {
        ok = weir_conf_options(
                scope->diagnostics, &node->items[member], ops->name, ops->options, step);
    }
    if (ok && ops->check != NULL) {
        ops->check(step, &node->items[member], scope);
    }
    return step;
}

void weir_step_destroy(struct weir_step *step)
{
    if (step != NULL) {
        step->ops->fini(step);
        weir_free(step);
    }
}
