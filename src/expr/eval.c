#include <stdarg.h>
#include <stdio.h>

#include "expr/expr_int.h"

/*
 * Evaluation: a walk over the compiled tree. A failure is out of band (false, with
 * run->rc and run->failure), so that values stay small; && || all() and exists() are
 * the only places that take a failure back, and never one of a limit.
 */

/* --- failing ------------------------------------------------------------- */

bool weir_run_fail_text(struct weir_run *run, const char *form, struct weir_str text)
{
    run->rc = WEIR_E_INVALID;
    run->failure = (struct weir_failure){ .at = run->at, .form = form, .text = text };
    return false;
}

bool weir_run_fail(struct weir_run *run, const char *fmt, ...)
{
    char text[224];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    if (run->arena->used_bytes > run->limit_bytes) {
        return weir_run_fail_limit(run, "bytes of memory");
    }
    return weir_run_fail_text(run, "%.*s", weir_arena_str(run->arena, weir_str(text, length)));
}

bool weir_run_fail_limit(struct weir_run *run, const char *what)
{
    run->rc = WEIR_E_LIMIT;
    run->failure = (struct weir_failure){
        .at = run->at,
        .form = "expression used up its %.*s",
        .text = weir_str_z(what),
    };
    return false;
}

void *weir_run_alloc(struct weir_run *run, size_t size)
{
    if (WEIR_UNLIKELY(
                size > run->limit_bytes || run->arena->used_bytes > run->limit_bytes - size)) {
        weir_run_fail_limit(run, "bytes of memory");
        return NULL;
    }
    return weir_arena_alloc(run->arena, size);
}

bool weir_call_no_overload(const struct weir_call *call)
{
    char text[160] = "";
    size_t n = 0;
    for (size_t i = 0; i < call->count && n + 1 < sizeof(text); i++) {
        int wrote = snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? ", " : "",
                weir_expr_kind_name((enum weir_expr_kind)call->args[i].kind));
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    return weir_run_fail(
            call->run, "no such overload: %s(%s)", call->node->as.function->name, text);
}

/* --- selecting ----------------------------------------------------------- */

enum found {
    FOUND,
    MISSING, /* nothing there */
    FAILED,  /* run says why */
};

static enum found find_field(struct weir_run *run, const struct weir_expr_value *base,
        struct weir_str name, struct weir_expr_value *ret)
{
    if (WEIR_LIKELY(base->kind == WEIR_EXPR_MAP)) {
        if (WEIR_LIKELY(base->form == WEIR_EXPR_ATTRIBUTE)) {
            struct weir_item item = { base->as.str.p, base->as.str.n };
            struct weir_value value = weir_item_get(item, name);
            weir_attribute_read(value, ret);
            return value.type == WEIR_TYPE_ABSENT ? MISSING : FOUND;
        }
        *ret = weir_expr_get(base, name);
        return ret->kind == WEIR_EXPR_ABSENT ? MISSING : FOUND;
    }
    if (base->kind == WEIR_EXPR_ABSENT) {
        return MISSING;
    }
    weir_run_fail(run, "cannot select '%.*s' from a value of type %s", WEIR_STR_ARG(name),
            weir_expr_kind_name((enum weir_expr_kind)base->kind));
    return FAILED;
}

static enum found find_element(struct weir_run *run, const struct weir_expr_value *base,
        const struct weir_expr_value *index, struct weir_expr_value *ret)
{
    int64_t i = 0;
    switch (base->kind) {
    case WEIR_EXPR_MAP:
        *ret = weir_map_get(base, index);
        return ret->kind == WEIR_EXPR_ABSENT ? MISSING : FOUND;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
        if (!weir_number_to_index(index, &i)) {
            weir_run_fail(run, "a list index must be an integer, not a %s",
                    weir_expr_kind_name((enum weir_expr_kind)index->kind));
            return FAILED;
        }
        if (i < 0 || (uint64_t)i >= weir_expr_count(base)) {
            return MISSING;
        }
        *ret = weir_expr_at(base, (size_t)i);
        return FOUND;
    case WEIR_EXPR_ABSENT:
        return MISSING;
    default:
        weir_run_fail(run, "a value of type %s has no elements",
                weir_expr_kind_name((enum weir_expr_kind)base->kind));
        return FAILED;
    }
}

/* Look up a name (key NULL) or an index. */
static enum found find(struct weir_run *run, const struct weir_expr_value *base,
        struct weir_str name, const struct weir_expr_value *key, struct weir_expr_value *ret)
{
    return key == NULL ? find_field(run, base, name, ret) : find_element(run, base, key, ret);
}

static bool wrap_optional(struct weir_run *run, struct weir_expr_value *value)
{
    struct weir_expr_value *inner = weir_run_alloc(run, sizeof(*inner));
    if (inner == NULL) {
        return false;
    }
    *inner = *value;
    *value = weir_expr_optional(inner);
    return true;
}

/* A look-up whose result is an optional: .?name, [?key], and any on an optional. */
static bool find_optional(struct weir_run *run, const struct weir_expr_value *base,
        struct weir_str name, const struct weir_expr_value *key, struct weir_expr_value *ret)
{
    if (base->kind == WEIR_EXPR_OPTIONAL) {
        if (base->as.inner == NULL) {
            *ret = *base;
            return true;
        }
        base = base->as.inner;
    }
    switch (find(run, base, name, key, ret)) {
    case FOUND:
        return wrap_optional(run, ret);
    case MISSING:
        *ret = weir_expr_optional(NULL);
        return true;
    case FAILED:
        break;
    }
    return false;
}

static bool fail_missing_index(
        struct weir_run *run, const struct weir_expr_value *base, const struct weir_expr_value *key)
{
    if (base->kind == WEIR_EXPR_LIST || base->kind == WEIR_EXPR_SET) {
        int64_t i = 0;
        weir_number_to_index(key, &i);
        return weir_run_fail(
                run, "index %lld is outside a list of %zu", (long long)i, weir_expr_count(base));
    }
    struct weir_str text;
    if (!weir_value_text(run, key, &text)) {
        return run->rc == WEIR_E_LIMIT
                       ? false
                       : weir_run_fail(run, "no such key of type %s",
                                 weir_expr_kind_name((enum weir_expr_kind)key->kind));
    }
    return weir_run_fail_text(run, "no such key '%.*s'", text);
}

static bool select_field(struct weir_run *run, const struct weir_expr_value *base,
        struct weir_str name, struct weir_expr_value *ret)
{
    if (WEIR_UNLIKELY(base->kind == WEIR_EXPR_OPTIONAL)) {
        return find_optional(run, base, name, NULL, ret);
    }
    switch (find_field(run, base, name, ret)) {
    case FOUND:
        return true;
    case MISSING:
        return weir_run_fail_text(run, "no such key '%.*s'", name);
    case FAILED:
        break;
    }
    return false;
}

static bool eval_path(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    const struct weir_expr_value *base = &run->frame->slots[node->slot];
    run->at = node;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!select_field(run, base, node->as.names[i], ret)) {
            return false;
        }
        base = ret; /* read whole before it is written again */
    }
    return true;
}

/* A node's value where it is, if it is somewhere; else evaluated into temporary. NULL: failed. */
static inline const struct weir_expr_value *operand(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *temporary)
{
    if (node->op == WEIR_OP_CONST) {
        return &node->as.constant;
    }
    if (node->op == WEIR_OP_LOCAL) {
        return &run->locals[node->slot];
    }
    return weir_eval(run, node, temporary) ? temporary : NULL;
}

/* The operand of a selection; a variable that is not bound counts as an empty map. */
static bool eval_base(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    if (node->op == WEIR_OP_VAR) {
        *ret = run->frame->slots[node->slot];
        return true;
    }
    return weir_eval(run, node, ret);
}

static bool eval_select(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value base;
    if (!eval_base(run, node->args[0], &base)) {
        return false;
    }
    run->at = node;
    return node->op == WEIR_OP_SELECT ? select_field(run, &base, node->as.name, ret)
                                      : find_optional(run, &base, node->as.name, NULL, ret);
}

static bool eval_index(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value base;
    struct weir_expr_value key;
    if (!eval_base(run, node->args[0], &base) || !weir_eval(run, node->args[1], &key)) {
        return false;
    }
    run->at = node;
    if (base.kind == WEIR_EXPR_OPTIONAL || node->op == WEIR_OP_OPT_INDEX) {
        return find_optional(run, &base, weir_str(NULL, 0), &key, ret);
    }
    switch (find_element(run, &base, &key, ret)) {
    case FOUND:
        return true;
    case MISSING:
        return fail_missing_index(run, &base, &key);
    case FAILED:
        break;
    }
    return false;
}

static bool eval_has(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value base;
    struct weir_expr_value value;
    if (!eval_base(run, node->args[0], &base)) {
        return false;
    }
    run->at = node;
    const struct weir_expr_value *at = &base;
    if (base.kind == WEIR_EXPR_OPTIONAL) {
        if (base.as.inner == NULL) {
            weir_set_bool(ret, false);
            return true;
        }
        at = base.as.inner;
    }
    if (WEIR_LIKELY(at->kind == WEIR_EXPR_MAP && at->form == WEIR_EXPR_ATTRIBUTE)) {
        struct weir_item item = { at->as.str.p, at->as.str.n };
        weir_set_bool(ret, weir_item_get(item, node->as.name).type != WEIR_TYPE_ABSENT);
        return true;
    }
    enum found found = find_field(run, at, node->as.name, &value);
    weir_set_bool(ret, found == FOUND);
    return found != FAILED;
}

/* --- logic --------------------------------------------------------------- */

/*
 * && and ||: the deciding value wins wherever it stands; else the first failure,
 * or operand that is not a bool, is the result.
 */
static bool eval_logic(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    bool deciding = node->op == WEIR_OP_OR;
    struct weir_failure failure = { 0 };
    for (uint32_t i = 0; i < node->count; i++) {
        struct weir_expr_value value;
        bool ok = weir_eval(run, node->args[i], &value);
        if (WEIR_LIKELY(ok && value.kind == WEIR_EXPR_BOOL)) {
            if (value.as.boolean == deciding) {
                *ret = value;
                return true;
            }
            continue;
        }
        if (ok) {
            run->at = node->args[i];
            weir_run_fail(run, "%s needs bools, not a %s", deciding ? "||" : "&&",
                    weir_expr_kind_name((enum weir_expr_kind)value.kind));
        }
        if (run->rc == WEIR_E_LIMIT) {
            return false;
        }
        if (failure.form == NULL) {
            failure = run->failure;
        }
    }
    if (WEIR_UNLIKELY(failure.form != NULL)) {
        run->rc = WEIR_E_INVALID;
        run->failure = failure;
        return false;
    }
    weir_set_bool(ret, !deciding);
    return true;
}

/* Evaluate something that must be a bool. */
static bool eval_bool(
        struct weir_run *run, const struct weir_node *node, const char *what, bool *ret)
{
    struct weir_expr_value value;
    if (!weir_eval(run, node, &value)) {
        return false;
    }
    if (value.kind != WEIR_EXPR_BOOL) {
        run->at = node;
        return weir_run_fail(run, "%s must be a bool, not a %s", what,
                weir_expr_kind_name((enum weir_expr_kind)value.kind));
    }
    *ret = value.as.boolean;
    return true;
}

static bool eval_conditional(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    bool condition = false;
    return eval_bool(run, node->args[0], "the condition of '?'", &condition) &&
           weir_eval(run, node->args[condition ? 1 : 2], ret);
}

static bool eval_not(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    bool value = false;
    if (!eval_bool(run, node->args[0], "the operand of '!'", &value)) {
        return false;
    }
    weir_set_bool(ret, !value);
    return true;
}

/* --- operators ----------------------------------------------------------- */

static bool order_holds(enum weir_op op, int order)
{
    if (order == 2) {
        return false; /* a NaN */
    }
    switch ((int)op) {
    case WEIR_OP_LT:
        return order < 0;
    case WEIR_OP_LE:
        return order <= 0;
    case WEIR_OP_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool eval_equal(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool wanted, struct weir_expr_value *ret)
{
    bool equal = false;
    if (!weir_op_equal(run, a, b, &equal)) {
        return false;
    }
    weir_set_bool(ret, equal == wanted);
    return true;
}

static bool eval_order(struct weir_run *run, enum weir_op op, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    int order = 0;
    if (!weir_op_compare(run, a, b, &order)) {
        return false;
    }
    weir_set_bool(ret, order_holds(op, order));
    return true;
}

static bool eval_binary(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value left;
    struct weir_expr_value right;
    const struct weir_expr_value *a = operand(run, node->args[0], &left);
    const struct weir_expr_value *b = a != NULL ? operand(run, node->args[1], &right) : NULL;
    if (b == NULL) {
        return false;
    }
    run->at = node;
    switch (node->op) {
    case WEIR_OP_EQ:
    case WEIR_OP_NE:
        return eval_equal(run, a, b, node->op == WEIR_OP_EQ, ret);
    case WEIR_OP_LT:
    case WEIR_OP_LE:
    case WEIR_OP_GT:
    case WEIR_OP_GE:
        return eval_order(run, (enum weir_op)node->op, a, b, ret);
    case WEIR_OP_IN:
        return weir_op_in(run, a, b, ret);
    default:
        return weir_op_arithmetic(run, (enum weir_op)node->op, a, b, ret);
    }
}

static bool eval_negate(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value value;
    if (!weir_eval(run, node->args[0], &value)) {
        return false;
    }
    run->at = node;
    return weir_op_negate(run, &value, ret);
}

static bool eval_call(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value few[4];
    struct weir_expr_value *args = few;
    if (node->count > WEIR_COUNT(few)) {
        args = weir_run_alloc(run, node->count * sizeof(*args));
        if (args == NULL) {
            return false;
        }
    }
    for (uint32_t i = 0; i < node->count; i++) {
        if (!weir_eval(run, node->args[i], &args[i])) {
            return false;
        }
    }
    run->at = node;
    struct weir_call call = { .run = run, .node = node, .args = args, .count = node->count };
    return node->as.function->call(&call, ret);
}

/* --- literals ------------------------------------------------------------ */

/* The value of an entry that began with `?`; *ret_there is false for none. */
static bool open_optional(struct weir_run *run, const struct weir_node *node,
        struct weir_expr_value *value, bool *ret_there)
{
    if (value->kind != WEIR_EXPR_OPTIONAL) {
        run->at = node;
        return weir_run_fail(run, "an entry with '?' must be an optional, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)value->kind));
    }
    *ret_there = value->as.inner != NULL;
    if (value->as.inner != NULL) {
        *value = *value->as.inner;
    }
    return true;
}

static bool eval_list(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value *items = weir_run_alloc(run, node->count * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        bool there = true;
        if (!weir_eval(run, node->args[i], &items[count]) ||
                (node->as.optional[i] &&
                        !open_optional(run, node->args[i], &items[count], &there))) {
            return false;
        }
        count += there ? 1 : 0;
    }
    *ret = weir_expr_list(items, count);
    return true;
}

static bool eval_map(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_map_builder builder;
    if (!weir_map_begin(run, node->count / 2, &builder)) {
        return false;
    }
    for (uint32_t i = 0; i < node->count; i += 2) {
        struct weir_expr_value key;
        struct weir_expr_value value;
        bool there = true;
        if (!weir_eval(run, node->args[i], &key) || !weir_eval(run, node->args[i + 1], &value) ||
                (node->as.optional[i / 2] &&
                        !open_optional(run, node->args[i + 1], &value, &there))) {
            return false;
        }
        run->at = node->args[i];
        if (there && !weir_map_add(run, &builder, &key, &value)) {
            return false;
        }
    }
    *ret = weir_map_end(&builder);
    return true;
}

static bool eval_clock(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    run->at = node;
    if (run->frame->clock == NULL) {
        return weir_run_fail(run, "clock() is not available here");
    }
    *ret = weir_expr_timestamp(weir_clock_wall(run->frame->clock));
    return true;
}

static bool eval_var(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    *ret = run->frame->slots[node->slot];
    if (WEIR_UNLIKELY(ret->kind == WEIR_EXPR_ABSENT)) {
        run->at = node;
        return weir_run_fail_text(run, "'%.*s' has no value here", node->as.name);
    }
    return true;
}

static bool eval_rest(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    switch (node->op) {
    case WEIR_OP_SELECT:
    case WEIR_OP_OPT_SELECT:
        return eval_select(run, node, ret);
    case WEIR_OP_INDEX:
    case WEIR_OP_OPT_INDEX:
        return eval_index(run, node, ret);
    case WEIR_OP_LIST:
        return eval_list(run, node, ret);
    case WEIR_OP_MAP:
        return eval_map(run, node, ret);
    case WEIR_OP_NEG:
        return eval_negate(run, node, ret);
    case WEIR_OP_NOW:
        *ret = weir_expr_timestamp(run->frame->now);
        return true;
    case WEIR_OP_CLOCK:
        return eval_clock(run, node, ret);
    case WEIR_OP_HAS_VAR:
        weir_set_bool(ret, run->frame->slots[node->slot].kind != WEIR_EXPR_ABSENT);
        return true;
    case WEIR_OP_FAIL:
        run->at = node;
        return weir_run_fail_text(run, "unknown name '%.*s'", node->as.name);
    default:
        return weir_eval_macro(run, node, ret);
    }
}

bool weir_eval(struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    if (WEIR_UNLIKELY(run->steps == 0)) {
        run->at = node;
        return weir_run_fail_limit(run, "steps");
    }
    run->steps--;
    switch (node->op) {
    case WEIR_OP_CONST:
        *ret = node->as.constant;
        return true;
    case WEIR_OP_PATH:
        return eval_path(run, node, ret);
    case WEIR_OP_VAR:
        return eval_var(run, node, ret);
    case WEIR_OP_LOCAL:
        *ret = run->locals[node->slot];
        return true;
    case WEIR_OP_HAS:
        return eval_has(run, node, ret);
    case WEIR_OP_AND:
    case WEIR_OP_OR:
        return eval_logic(run, node, ret);
    case WEIR_OP_NOT:
        return eval_not(run, node, ret);
    case WEIR_OP_COND:
        return eval_conditional(run, node, ret);
    case WEIR_OP_CALL:
        return eval_call(run, node, ret);
    case WEIR_OP_ADD:
    case WEIR_OP_SUB:
    case WEIR_OP_MUL:
    case WEIR_OP_DIV:
    case WEIR_OP_REM:
    case WEIR_OP_EQ:
    case WEIR_OP_NE:
    case WEIR_OP_LT:
    case WEIR_OP_LE:
    case WEIR_OP_GT:
    case WEIR_OP_GE:
    case WEIR_OP_IN:
        return eval_binary(run, node, ret);
    default:
        return eval_rest(run, node, ret);
    }
}

/* --- the interface ------------------------------------------------------- */

/* Turn a failure into the caller's error; the form's one %.*s is replaced here, so failing is
 * cheap. */
static enum weir_rc report(const struct weir_run *run, struct weir_err *err)
{
    const char *form = run->failure.form;
    const char *hole = strstr(form, "%.*s");
    weir_assert(hole != NULL);
    struct weir_str text = run->failure.text;
    if (text.n > 160) {
        text.n = 160;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) {
            text.n--; /* not in the middle of a character */
        }
    }
    return weir_fail_at(err, run->rc, run->failure.at->pos, "%.*s%.*s%s", (int)(hole - form), form,
            WEIR_STR_ARG(text), hole + 4);
}

enum weir_rc weir_expr_eval(const struct weir_expr *expr, const struct weir_expr_frame *frame,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    weir_assert(frame->slot_count >= expr->slot_count);
    struct weir_expr_value locals[4];
    struct weir_run run;
    run.frame = frame;
    run.arena = frame->arena;
    run.at = expr->root;
    run.steps = frame->max_steps > 0 ? frame->max_steps : WEIR_EXPR_DEFAULT_STEPS;
    run.limit_bytes = frame->arena->used_bytes +
                      (frame->max_bytes > 0 ? frame->max_bytes : WEIR_EXPR_DEFAULT_BYTES);
    run.rc = WEIR_OK;
    run.locals = locals;
    if (expr->local_count > WEIR_COUNT(locals)) {
        run.locals = weir_arena_alloc(frame->arena, expr->local_count * sizeof(*locals));
    }
    if (WEIR_LIKELY(weir_eval(&run, expr->root, ret_value))) {
        return WEIR_OK;
    }
    return report(&run, err);
}

enum weir_rc weir_expr_test(const struct weir_expr *expr, const struct weir_expr_frame *frame,
        bool *ret_value, struct weir_err *err)
{
    struct weir_expr_value value = { 0 };
    enum weir_rc rc = weir_expr_eval(expr, frame, &value, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (value.kind != WEIR_EXPR_BOOL) {
        return weir_fail_at(err, WEIR_E_INVALID, 0, "a condition must be a bool, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)value.kind));
    }
    *ret_value = value.as.boolean;
    return WEIR_OK;
}
