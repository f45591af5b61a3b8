#include <stdarg.h>
#include <stdio.h>

#include "expr/expr_int.h"

/*
 * Resolving: names become slots, paths, types and functions; what is constant is
 * evaluated once, here.
 */

enum {
    MAX_LOCALS = 2 * WEIR_EXPR_MAX_NESTING + 2,
    FOLD_STEPS = 100 * 1000, /* all folding of one expression */
    FOLD_BYTES = 1 << 20,
};

struct resolver {
    const struct weir_expr_env *env;
    struct weir_expr *expr;
    struct weir_err *err;
    enum weir_rc rc; /* sticky */
    struct weir_str locals[MAX_LOCALS];
    unsigned local_count;
    uint64_t fold_steps;
    size_t fold_bytes;
};

static void resolve(struct resolver *resolver, struct weir_node *node);

WEIR_PRINTF(3, 4)
static void fail(struct resolver *resolver, size_t pos, const char *fmt, ...)
{
    if (resolver->rc != WEIR_OK) {
        return;
    }
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    resolver->rc = weir_fail_at(resolver->err, WEIR_E_INVALID, pos, "%s", text);
}

/* In an open environment an unknown name fails only when it is evaluated. */
static void defer(struct weir_node *node, struct weir_str name)
{
    node->op = WEIR_OP_FAIL;
    node->count = 0;
    node->as.name = name;
}

/* --- names --------------------------------------------------------------- */

static int32_t find_local(const struct resolver *resolver, struct weir_str name)
{
    for (unsigned i = resolver->local_count; i > 0; i--) {
        if (weir_str_eq(resolver->locals[i - 1], name)) {
            return (int32_t)(i - 1);
        }
    }
    return -1;
}

static int32_t find_slot(const struct resolver *resolver, struct weir_str name)
{
    for (size_t i = 0; i < resolver->env->count; i++) {
        if (weir_str_eq(weir_str_z(resolver->env->names[i]), name)) {
            return (int32_t)i;
        }
    }
    return -1;
}

static void use_slot(struct resolver *resolver, int32_t slot)
{
    resolver->expr->uses[slot / 64] |= (uint64_t)1 << (slot % 64);
}

/* A chain a.b.c: the first name and what is selected from it, outermost last. */
struct chain {
    struct weir_node *ident;
    size_t count;
    struct weir_node **selects; /* the arena's */
};

/* Whether node is a chain of selections on a name that no macro has bound. */
static bool is_chain(struct resolver *resolver, struct weir_node *node, struct chain *ret_chain)
{
    size_t count = 0;
    struct weir_node *at = node;
    while (at->op == WEIR_OP_SELECT && (at == node || (at->flags & WEIR_NODE_PAREN) == 0)) {
        count++;
        at = at->args[0];
    }
    bool inner_paren = at != node && (at->flags & WEIR_NODE_PAREN) != 0;
    if (at->op != WEIR_OP_IDENT || inner_paren) {
        return false;
    }
    if ((at->flags & WEIR_NODE_ROOT) == 0 && find_local(resolver, at->as.name) >= 0) {
        return false;
    }
    ret_chain->ident = at;
    ret_chain->count = count;
    ret_chain->selects = weir_arena_zero(&resolver->expr->arena, count + 1, sizeof(at));
    for (at = node; count > 0; at = at->args[0]) {
        ret_chain->selects[--count] = at;
    }
    return true;
}

/* The first name and the first n selections joined by dots. */
static struct weir_str chain_name(struct resolver *resolver, const struct chain *chain, size_t n)
{
    struct weir_str name = chain->ident->as.name;
    size_t bytes = name.n;
    for (size_t i = 0; i < n; i++) {
        bytes += 1 + chain->selects[i]->as.name.n;
    }
    if (n == 0 || bytes > 256) {
        return n == 0 ? name : weir_str(NULL, 0);
    }
    char *text = weir_arena_alloc(&resolver->expr->arena, bytes);
    memcpy(text, name.p, name.n);
    size_t at = name.n;
    for (size_t i = 0; i < n; i++) {
        struct weir_str part = chain->selects[i]->as.name;
        text[at++] = '.';
        memcpy(text + at, part.p, part.n);
        at += part.n;
    }
    return weir_str(text, at);
}

/* Turn the outermost node of a chain into slot + the selections behind the first n. */
static void make_path(struct resolver *resolver, struct weir_node *node, const struct chain *chain,
        size_t n, int32_t slot)
{
    use_slot(resolver, slot);
    node->slot = slot;
    if (n == chain->count) {
        struct weir_str name = chain_name(resolver, chain, n);
        node->op = WEIR_OP_VAR;
        node->count = 0;
        node->as.name = name;
        return;
    }
    size_t rest = chain->count - n;
    struct weir_str *names = weir_arena_zero(&resolver->expr->arena, rest, sizeof(*names));
    for (size_t i = 0; i < rest; i++) {
        names[i] = chain->selects[n + i]->as.name;
    }
    node->op = WEIR_OP_PATH;
    node->count = (uint32_t)rest;
    node->as.names = names;
}

static void make_constant(struct weir_node *node, struct weir_expr_value value)
{
    node->op = WEIR_OP_CONST;
    node->count = 0;
    node->as.constant = value;
}

static void unknown_name(struct resolver *resolver, struct weir_node *node)
{
    struct weir_str name = node->as.name;
    if (resolver->env->open) {
        defer(node, name);
        return;
    }
    const char *near = weir_str_nearest(name, resolver->env->names, resolver->env->count);
    if (near != NULL) {
        fail(resolver, node->pos, "unknown variable '%.*s'; did you mean '%s'?", WEIR_STR_ARG(name),
                near);
        return;
    }
    char known[120] = "";
    size_t n = 0;
    for (size_t i = 0; i < resolver->env->count && n + 1 < sizeof(known); i++) {
        const char *one = resolver->env->names[i];
        const char *comma = n > 0 ? ", " : "";
        int wrote = one[0] != '\0' ? snprintf(known + n, sizeof(known) - n, "%s%s", comma, one) : 0;
        n += wrote > 0 ? (size_t)wrote : 0;
    }
    fail(resolver, node->pos, "unknown variable '%.*s'; known are: %s", WEIR_STR_ARG(name),
            resolver->env->count > 0 ? known : "none");
}

/* The node that stands for the chain's first n selections (0: its first name). */
static struct weir_node *chain_node(const struct chain *chain, size_t n)
{
    return n == 0 ? chain->ident : chain->selects[n - 1];
}

static void resolve_chain(
        struct resolver *resolver, struct weir_node *node, const struct chain *chain)
{
    for (size_t n = chain->count + 1; n > 0; n--) {
        struct weir_str name = chain_name(resolver, chain, n - 1);
        int32_t slot = find_slot(resolver, name);
        if (slot >= 0) {
            make_path(resolver, node, chain, n - 1, slot);
            return;
        }
        struct weir_expr_value type;
        if (weir_type_by_name(name, &type)) {
            make_constant(chain_node(chain, n - 1), type);
            return;
        }
    }
    if (weir_str_eq(chain->ident->as.name, WEIR_STR("now"))) {
        chain->ident->op = WEIR_OP_NOW;
        resolver->expr->uses_now = true;
        return;
    }
    unknown_name(resolver, chain->ident);
}

static void resolve_name(struct resolver *resolver, struct weir_node *node)
{
    struct chain chain;
    if (is_chain(resolver, node, &chain)) {
        resolve_chain(resolver, node, &chain);
    } else if (node->op == WEIR_OP_IDENT) {
        node->slot = find_local(resolver, node->as.name);
        node->op = WEIR_OP_LOCAL;
    } else {
        resolve(resolver, node->args[0]);
    }
}

/* has(args[0]): what args[0] resolved to decides what is asked. */
static void resolve_has(struct resolver *resolver, struct weir_node *node)
{
    struct weir_node *arg = node->args[0];
    resolve_name(resolver, arg);
    switch (arg->op) {
    case WEIR_OP_VAR:
        node->op = WEIR_OP_HAS_VAR;
        node->slot = arg->slot;
        break;
    case WEIR_OP_PATH:
        node->as.name = arg->as.names[arg->count - 1];
        arg->count--;
        if (arg->count == 0) {
            arg->op = WEIR_OP_VAR;
            arg->as.name = weir_str_z(resolver->env->names[arg->slot]);
        }
        break;
    case WEIR_OP_SELECT:
        node->as.name = arg->as.name;
        node->args[0] = arg->args[0];
        break;
    case WEIR_OP_FAIL:
        defer(node, arg->as.name);
        break;
    default:
        make_constant(node, weir_expr_bool(true));
        break;
    }
}

/* --- functions ----------------------------------------------------------- */

static void unknown_function(
        struct resolver *resolver, struct weir_node *node, struct weir_str name, unsigned how)
{
    if (resolver->env->open) {
        defer(node, name);
        return;
    }
    unsigned other = how == WEIR_FN_METHOD ? WEIR_FN_GLOBAL : WEIR_FN_METHOD;
    size_t given = node->count - (how == WEIR_FN_METHOD ? 1 : 0);
    for (size_t count = 0; count < 8; count++) {
        if (weir_function_find(name, how, count) != NULL) {
            fail(resolver, node->pos, "'%.*s' does not take %zu argument%s", WEIR_STR_ARG(name),
                    given, given == 1 ? "" : "s");
            return;
        }
        if (weir_function_find(name, other, count) != NULL) {
            fail(resolver, node->pos,
                    how == WEIR_FN_METHOD ? "'%.*s' is not a method; write %.*s(x)"
                                          : "'%.*s' is a method; write x.%.*s(...)",
                    WEIR_STR_ARG(name), WEIR_STR_ARG(name));
            return;
        }
    }
    const char *near = weir_function_nearest(name);
    if (near != NULL) {
        fail(resolver, node->pos, "unknown function '%.*s'; did you mean '%s'?", WEIR_STR_ARG(name),
                near);
    } else {
        fail(resolver, node->pos, "unknown function '%.*s'", WEIR_STR_ARG(name));
    }
}

/* A constant pattern of matches() is compiled once, and refused here if it is wrong. */
static void prepare_regex(struct resolver *resolver, struct weir_node *node)
{
    const struct weir_node *pattern = node->args[1];
    if (pattern->op != WEIR_OP_CONST || pattern->as.constant.kind != WEIR_EXPR_STRING) {
        return;
    }
    struct weir_err err;
    enum weir_rc rc = weir_regex_compile(
            &resolver->expr->arena, pattern->as.constant.as.str, true, &node->regex, &err);
    if (rc != WEIR_OK && !resolver->env->open) {
        fail(resolver, pattern->pos, "%s", err.msg);
    }
}

static void finish_call(
        struct resolver *resolver, struct weir_node *node, struct weir_str name, unsigned how)
{
    const struct weir_function *function = weir_function_find(name, how, node->count);
    if (function == NULL) {
        unknown_function(resolver, node, name, how);
        return;
    }
    node->as.function = function;
    if (function->call == weir_fn_matches) {
        prepare_regex(resolver, node);
    }
}

static void resolve_args(struct resolver *resolver, struct weir_node *node)
{
    for (uint32_t i = 0; i < node->count && resolver->rc == WEIR_OK; i++) {
        resolve(resolver, node->args[i]);
    }
}

/* math.abs(x): a namespaced function looks like a method until here. */
static bool resolve_namespaced(struct resolver *resolver, struct weir_node *node)
{
    struct chain chain;
    struct weir_node *target = node->args[0];
    if (!is_chain(resolver, target, &chain) || chain.count > 0) {
        return false;
    }
    struct weir_str space = chain.ident->as.name;
    struct weir_str full = weir_arena_printf(
            &resolver->expr->arena, "%.*s.%.*s", WEIR_STR_ARG(space), WEIR_STR_ARG(node->as.name));
    if (weir_function_find(full, WEIR_FN_GLOBAL, node->count - 1) == NULL) {
        bool variable = find_slot(resolver, space) >= 0;
        static const char *const spaces[] = { "math", "strings", "base64", "optional", "cel",
            "sets", "lists", "regex" };
        bool known = false;
        for (size_t i = 0; i < WEIR_COUNT(spaces); i++) {
            known |= weir_str_eq(space, weir_str_z(spaces[i]));
        }
        if (variable || !known) {
            return false;
        }
        /* The arguments are looked at only so that the message counts them rightly. */
        node->args++;
        node->count--;
        unknown_function(resolver, node, full, WEIR_FN_GLOBAL);
        return true;
    }
    node->args++;
    node->count--;
    resolve_args(resolver, node);
    if (resolver->rc == WEIR_OK) {
        finish_call(resolver, node, full, WEIR_FN_GLOBAL);
    }
    return true;
}

static void resolve_call(struct resolver *resolver, struct weir_node *node)
{
    struct weir_str name = node->as.name;
    bool method = (node->flags & WEIR_NODE_METHOD) != 0;
    if (!method && node->count == 0 && weir_str_eq(name, WEIR_STR("clock"))) {
        node->op = WEIR_OP_CLOCK;
        resolver->expr->uses_clock = true;
        return;
    }
    if (method && resolve_namespaced(resolver, node)) {
        return;
    }
    resolve_args(resolver, node);
    if (resolver->rc == WEIR_OK) {
        finish_call(resolver, node, name, method ? WEIR_FN_METHOD : WEIR_FN_GLOBAL);
    }
}

/* --- macros -------------------------------------------------------------- */

static void resolve_macro(struct resolver *resolver, struct weir_node *node)
{
    resolve(resolver, node->args[0]);
    if (resolver->rc != WEIR_OK) {
        return;
    }
    unsigned before = resolver->local_count;
    if (before + 2 > MAX_LOCALS) {
        fail(resolver, node->pos, "more than %d macro variables at once", MAX_LOCALS);
        return;
    }
    struct weir_str second = node->as.variables[1];
    node->slot = (int32_t)resolver->local_count;
    resolver->locals[resolver->local_count++] = node->as.variables[0];
    if (second.p != NULL) {
        node->slot2 = (int32_t)resolver->local_count;
        resolver->locals[resolver->local_count++] = second;
    }
    if (resolver->local_count > resolver->expr->local_count) {
        resolver->expr->local_count = resolver->local_count;
    }
    for (uint32_t i = 1; i < node->count && resolver->rc == WEIR_OK; i++) {
        resolve(resolver, node->args[i]);
    }
    resolver->local_count = before;
}

/* --- folding ------------------------------------------------------------- */

static bool all_constant(const struct weir_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->args[i]->op != WEIR_OP_CONST) {
            return false;
        }
    }
    return true;
}

/* Evaluate a node whose children are constants; one that fails is left to fail when it is used. */
static void fold(struct resolver *resolver, struct weir_node *node)
{
    if (resolver->rc != WEIR_OK || !all_constant(node) || resolver->fold_steps == 0) {
        return;
    }
    struct weir_arena *arena = &resolver->expr->arena;
    struct weir_expr_frame frame = { .arena = arena };
    size_t before = arena->used_bytes;
    struct weir_run run = {
        .frame = &frame,
        .arena = arena,
        .steps = resolver->fold_steps,
        .limit_bytes = before + resolver->fold_bytes,
    };
    struct weir_expr_value value;
    bool ok = weir_eval(&run, node, &value);
    resolver->fold_steps = run.steps;
    size_t used = arena->used_bytes - before;
    resolver->fold_bytes -= used < resolver->fold_bytes ? used : resolver->fold_bytes;
    if (ok) {
        make_constant(node, value);
    }
}

static void resolve_inner(struct resolver *resolver, struct weir_node *node)
{
    switch (node->op) {
    case WEIR_OP_IDENT:
    case WEIR_OP_SELECT:
        resolve_name(resolver, node);
        return;
    case WEIR_OP_HAS:
        resolve_has(resolver, node);
        return;
    case WEIR_OP_CALL:
        resolve_call(resolver, node);
        if (node->op == WEIR_OP_CALL) {
            fold(resolver, node);
        }
        return;
    case WEIR_OP_ALL:
    case WEIR_OP_EXISTS:
    case WEIR_OP_EXISTS_ONE:
    case WEIR_OP_FILTER:
    case WEIR_OP_MAP_LIST:
    case WEIR_OP_MAP_MAP:
    case WEIR_OP_MAP_MAP_ENTRY:
    case WEIR_OP_BIND:
    case WEIR_OP_OPT_MAP:
    case WEIR_OP_OPT_FLAT_MAP:
        resolve_macro(resolver, node);
        return;
    default:
        resolve_args(resolver, node);
        fold(resolver, node);
        return;
    }
}

static void resolve(struct resolver *resolver, struct weir_node *node)
{
    if (resolver->rc == WEIR_OK && node->op != WEIR_OP_CONST) {
        resolve_inner(resolver, node);
    }
}

/* --- the interface ------------------------------------------------------- */

static enum weir_rc compile(const struct weir_expr_env *env, struct weir_str text,
        struct weir_expr *expr, struct weir_err *err)
{
    expr->source = weir_arena_str(&expr->arena, text);
    enum weir_rc rc = weir_expr_parse(&expr->arena, expr->source, &expr->root, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct resolver resolver = {
        .env = env,
        .expr = expr,
        .err = err,
        .fold_steps = FOLD_STEPS,
        .fold_bytes = FOLD_BYTES,
    };
    resolve(&resolver, expr->root);
    return resolver.rc;
}

enum weir_rc weir_expr_compile(const struct weir_expr_env *env, struct weir_str text,
        struct weir_expr **ret_expr, struct weir_err *err)
{
    if (text.n > WEIR_EXPR_MAX_SOURCE) {
        return weir_fail(err, WEIR_E_LIMIT, "expression of %zu bytes is longer than %d", text.n,
                WEIR_EXPR_MAX_SOURCE);
    }
    if (env->count > WEIR_EXPR_MAX_SLOTS) {
        return weir_fail(err, WEIR_E_LIMIT, "%zu variables are more than %d", env->count,
                WEIR_EXPR_MAX_SLOTS);
    }
    if (!weir_str_is_utf8(text)) {
        return weir_fail(err, WEIR_E_INVALID, "expression is not valid UTF-8");
    }
    WEIR_AUTO(weir_expr) struct weir_expr *expr = weir_alloc_zero(1, sizeof(*expr));
    weir_arena_init(&expr->arena);
    expr->slot_count = env->count;
    enum weir_rc rc = compile(env, text, expr, err);
    if (rc == WEIR_OK) {
        *ret_expr = WEIR_TAKE(expr);
    }
    return rc;
}

void weir_expr_destroy(struct weir_expr *expr)
{
    if (expr != NULL) {
        weir_arena_fini(&expr->arena);
        weir_free(expr);
    }
}

struct weir_str weir_expr_source(const struct weir_expr *expr)
{
    return expr->source;
}

bool weir_expr_uses(const struct weir_expr *expr, size_t slot)
{
    return slot < expr->slot_count && (expr->uses[slot / 64] >> (slot % 64) & 1) != 0;
}

bool weir_expr_uses_clock(const struct weir_expr *expr)
{
    return expr->uses_clock;
}

bool weir_expr_uses_now(const struct weir_expr *expr)
{
    return expr->uses_now;
}

const struct weir_expr_value *weir_expr_constant(const struct weir_expr *expr)
{
    return expr->root->op == WEIR_OP_CONST ? &expr->root->as.constant : NULL;
}
