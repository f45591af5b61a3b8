#include "expr/expr_int.h"

/* Macros: loops over lists, sets and maps, and the optional ones. */

/* One walk over the range of a macro, with its variables set for each element. */
struct walk {
    struct weir_run *run;
    const struct weir_node *node;
    struct weir_expr_value range;
    size_t count;
    size_t at; /* of the next element */
};

static bool walk_begin(struct weir_run *run, const struct weir_node *node, struct walk *ret)
{
    ret->run = run;
    ret->node = node;
    ret->at = 0;
    if (!weir_eval(run, node->args[0], &ret->range)) {
        return false;
    }
    uint8_t kind = ret->range.kind;
    if (kind != WEIR_EXPR_LIST && kind != WEIR_EXPR_MAP && kind != WEIR_EXPR_SET) {
        run->at = node;
        return weir_run_fail(run, "a macro needs a list, set or map, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)kind));
    }
    ret->count = weir_expr_count(&ret->range);
    return true;
}

/* Set the variables to the next element; false at the end. */
static bool walk_next(struct walk *walk)
{
    if (walk->at == walk->count) {
        return false;
    }
    const struct weir_node *node = walk->node;
    struct weir_expr_value *locals = walk->run->locals;
    if (walk->range.kind == WEIR_EXPR_MAP) {
        struct weir_expr_value value =
                weir_expr_pair_at(&walk->range, walk->at, &locals[node->slot]);
        if (node->slot2 >= 0) {
            locals[node->slot2] = value;
        }
    } else if (node->slot2 >= 0) {
        locals[node->slot] = weir_expr_int((int64_t)walk->at);
        locals[node->slot2] = weir_expr_at(&walk->range, walk->at);
    } else {
        locals[node->slot] = weir_expr_at(&walk->range, walk->at);
    }
    walk->at++;
    return true;
}

static bool needs_bool(
        struct weir_run *run, const struct weir_node *node, const struct weir_expr_value *value)
{
    if (value->kind == WEIR_EXPR_BOOL) {
        return true;
    }
    run->at = node;
    return weir_run_fail(run, "a macro's condition must be a bool, not a %s",
            weir_expr_kind_name((enum weir_expr_kind)value->kind));
}

/* all() and exists(): folds with && and ||, failures absorbed in the same way. */
static bool eval_fold(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct walk walk;
    if (!walk_begin(run, node, &walk)) {
        return false;
    }
    bool deciding = node->op == WEIR_OP_EXISTS;
    struct weir_failure failure = { 0 };
    while (walk_next(&walk)) {
        struct weir_expr_value value;
        if (weir_eval(run, node->args[1], &value) && needs_bool(run, node->args[1], &value)) {
            if (value.as.boolean == deciding) {
                *ret = value;
                return true;
            }
            continue;
        }
        if (run->rc == WEIR_E_LIMIT) {
            return false;
        }
        if (failure.form == NULL) {
            failure = run->failure;
        }
    }
    if (failure.form != NULL) {
        run->rc = WEIR_E_INVALID;
        run->failure = failure;
        return false;
    }
    weir_set_bool(ret, !deciding);
    return true;
}

static bool eval_exists_one(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct walk walk;
    if (!walk_begin(run, node, &walk)) {
        return false;
    }
    size_t found = 0;
    while (walk_next(&walk)) {
        struct weir_expr_value value;
        if (!weir_eval(run, node->args[1], &value) || !needs_bool(run, node->args[1], &value)) {
            return false;
        }
        found += value.as.boolean ? 1 : 0;
    }
    weir_set_bool(ret, found == 1);
    return true;
}

/* Whether the macro's filter, if it has one, lets the element pass. */
static bool passes(struct weir_run *run, const struct weir_node *filter, bool *ret_pass)
{
    struct weir_expr_value value;
    *ret_pass = true;
    if (filter == NULL) {
        return true;
    }
    if (!weir_eval(run, filter, &value) || !needs_bool(run, filter, &value)) {
        return false;
    }
    *ret_pass = value.as.boolean;
    return true;
}

/* filter(), map() and transformList(). */
static bool eval_list_macro(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct walk walk;
    if (!walk_begin(run, node, &walk)) {
        return false;
    }
    bool filter_only = node->op == WEIR_OP_FILTER;
    const struct weir_node *filter = filter_only       ? node->args[1]
                                     : node->count > 2 ? node->args[2]
                                                       : NULL;
    struct weir_expr_value *items = weir_run_alloc(run, walk.count * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t count = 0;
    while (walk_next(&walk)) {
        bool pass = false;
        if (!passes(run, filter, &pass)) {
            return false;
        }
        if (!pass) {
            continue;
        }
        if (filter_only) {
            items[count] = run->locals[node->slot];
        } else if (!weir_eval(run, node->args[1], &items[count])) {
            return false;
        }
        count++;
    }
    *ret = weir_expr_list(items, count);
    return true;
}

static bool eval_transform_map(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct walk walk;
    struct weir_map_builder builder;
    if (!walk_begin(run, node, &walk) || !weir_map_begin(run, walk.count, &builder)) {
        return false;
    }
    const struct weir_node *filter = node->count > 2 ? node->args[2] : NULL;
    while (walk_next(&walk)) {
        struct weir_expr_value value;
        struct weir_expr_value key = run->locals[node->slot];
        bool pass = false;
        if (!passes(run, filter, &pass)) {
            return false;
        }
        if (pass && (!weir_eval(run, node->args[1], &value) ||
                            !weir_map_add(run, &builder, &key, &value))) {
            return false;
        }
    }
    *ret = weir_map_end(&builder);
    return true;
}

/* transformMapEntry(): each body gives a map, and the result is all their entries. */
static bool eval_transform_entries(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value parts;
    if (!eval_list_macro(run, node, &parts)) {
        return false;
    }
    size_t total = 0;
    for (size_t i = 0; i < parts.as.list.count; i++) {
        const struct weir_expr_value *part = &parts.as.list.items[i];
        if (part->kind != WEIR_EXPR_MAP) {
            run->at = node;
            return weir_run_fail(run, "transformMapEntry() needs maps, not a %s",
                    weir_expr_kind_name((enum weir_expr_kind)part->kind));
        }
        total += weir_expr_count(part);
    }
    struct weir_map_builder builder;
    if (!weir_run_pay(run, total) || !weir_map_begin(run, total, &builder)) {
        return false;
    }
    run->at = node;
    for (size_t i = 0; i < parts.as.list.count; i++) {
        const struct weir_expr_value *part = &parts.as.list.items[i];
        size_t count = weir_expr_count(part);
        for (size_t j = 0; j < count; j++) {
            struct weir_expr_value key;
            struct weir_expr_value value = weir_expr_pair_at(part, j, &key);
            if (!weir_map_add(run, &builder, &key, &value)) {
                return false;
            }
        }
    }
    *ret = weir_map_end(&builder);
    return true;
}

static bool eval_bind(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value value;
    if (!weir_eval(run, node->args[0], &value)) {
        return false;
    }
    run->locals[node->slot] = value;
    return weir_eval(run, node->args[1], ret);
}

/* --- optionals ----------------------------------------------------------- */

static bool eval_optional(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    if (!weir_eval(run, node, ret)) {
        return false;
    }
    if (ret->kind != WEIR_EXPR_OPTIONAL) {
        run->at = node;
        return weir_run_fail(run, "expected an optional, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)ret->kind));
    }
    return true;
}

/* optMap() and optFlatMap(). */
static bool eval_opt_map(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value optional;
    if (!eval_optional(run, node->args[0], &optional)) {
        return false;
    }
    if (optional.as.inner == NULL) {
        *ret = optional;
        return true;
    }
    run->locals[node->slot] = *optional.as.inner;
    if (node->op == WEIR_OP_OPT_FLAT_MAP) {
        return eval_optional(run, node->args[1], ret);
    }
    struct weir_expr_value *inner = weir_run_alloc(run, sizeof(*inner));
    if (inner == NULL || !weir_eval(run, node->args[1], inner)) {
        return false;
    }
    *ret = weir_expr_optional(inner);
    return true;
}

/* a.or(b) and a.orValue(b): b is evaluated only when a is none. */
static bool eval_opt_or(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    struct weir_expr_value optional;
    if (!eval_optional(run, node->args[0], &optional)) {
        return false;
    }
    bool unwrap = node->op == WEIR_OP_OPT_OR_VALUE;
    if (optional.as.inner != NULL) {
        *ret = unwrap ? *optional.as.inner : optional;
        return true;
    }
    return unwrap ? weir_eval(run, node->args[1], ret) : eval_optional(run, node->args[1], ret);
}

bool weir_eval_macro(
        struct weir_run *run, const struct weir_node *node, struct weir_expr_value *ret)
{
    switch (node->op) {
    case WEIR_OP_ALL:
    case WEIR_OP_EXISTS:
        return eval_fold(run, node, ret);
    case WEIR_OP_EXISTS_ONE:
        return eval_exists_one(run, node, ret);
    case WEIR_OP_FILTER:
    case WEIR_OP_MAP_LIST:
        return eval_list_macro(run, node, ret);
    case WEIR_OP_MAP_MAP:
        return eval_transform_map(run, node, ret);
    case WEIR_OP_MAP_MAP_ENTRY:
        return eval_transform_entries(run, node, ret);
    case WEIR_OP_BIND:
        return eval_bind(run, node, ret);
    case WEIR_OP_OPT_MAP:
    case WEIR_OP_OPT_FLAT_MAP:
        return eval_opt_map(run, node, ret);
    case WEIR_OP_OPT_OR:
    case WEIR_OP_OPT_OR_VALUE:
        return eval_opt_or(run, node, ret);
    default:
        return weir_run_fail(run, "an operator that cannot be evaluated");
    }
}
