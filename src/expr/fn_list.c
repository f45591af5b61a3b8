#include "expr/expr_int.h"

/* Functions of lists and sets. */

static bool is_list(const struct weir_expr_value *value)
{
    return value->kind == WEIR_EXPR_LIST || value->kind == WEIR_EXPR_SET;
}

/* All elements of a list as an array of their own; NULL after failing. */
static struct weir_expr_value *elements(
        const struct weir_call *call, const struct weir_expr_value *list, size_t *ret_count)
{
    size_t count = weir_expr_count(list);
    struct weir_expr_value *items = weir_run_alloc(call->run, count * sizeof(*items));
    if (items == NULL || !weir_run_pay(call->run, count)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = weir_expr_at(list, i);
    }
    *ret_count = count;
    return items;
}

static bool fn_slice(const struct weir_call *call, struct weir_expr_value *ret)
{
    int64_t from = call->args[1].as.integer;
    int64_t end = call->args[2].as.integer;
    if (!is_list(&call->args[0]) || call->args[1].kind != WEIR_EXPR_INT ||
            call->args[2].kind != WEIR_EXPR_INT) {
        return weir_call_no_overload(call);
    }
    size_t count = 0;
    struct weir_expr_value *items = elements(call, &call->args[0], &count);
    if (items == NULL) {
        return false;
    }
    if (from < 0 || end < from || (uint64_t)end > count) {
        return weir_run_fail(call->run, "slice(%lld, %lld) is outside a list of %zu",
                (long long)from, (long long)end, count);
    }
    *ret = weir_expr_list(items + from, (size_t)(end - from));
    return true;
}

/* Count the elements of nested lists, to a depth. */
static bool flat_count(const struct weir_call *call, const struct weir_expr_value *list,
        int64_t depth, size_t *ret_count)
{
    size_t count = weir_expr_count(list);
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(list, i);
        if (!weir_run_pay(call->run, 1)) {
            return false;
        }
        if (depth > 0 && is_list(&item)) {
            if (!flat_count(call, &item, depth - 1, ret_count)) {
                return false;
            }
        } else {
            (*ret_count)++;
        }
    }
    return true;
}

static void flat_fill(const struct weir_expr_value *list, int64_t depth,
        struct weir_expr_value *items, size_t *at)
{
    size_t count = weir_expr_count(list);
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(list, i);
        if (depth > 0 && is_list(&item)) {
            flat_fill(&item, depth - 1, items, at);
        } else {
            items[(*at)++] = item;
        }
    }
}

static bool fn_flatten(const struct weir_call *call, struct weir_expr_value *ret)
{
    int64_t depth = 1;
    if (!is_list(&call->args[0]) || (call->count > 1 && call->args[1].kind != WEIR_EXPR_INT)) {
        return weir_call_no_overload(call);
    }
    if (call->count > 1) {
        depth = call->args[1].as.integer;
    }
    if (depth < 0 || depth > WEIR_EXPR_MAX_NESTING) {
        return weir_run_fail(call->run, "flatten() to a depth of %lld", (long long)depth);
    }
    size_t count = 0;
    if (!flat_count(call, &call->args[0], depth, &count)) {
        return false;
    }
    struct weir_expr_value *items = weir_run_alloc(call->run, count * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    size_t at = 0;
    flat_fill(&call->args[0], depth, items, &at);
    *ret = weir_expr_list(items, count);
    return true;
}

/* --- order --------------------------------------------------------------- */

/* Merge sort, so that equal elements keep their order; false after failing. */
static bool sort(struct weir_run *run, struct weir_expr_value *items, struct weir_expr_value *other,
        size_t count)
{
    if (count < 2) {
        return true;
    }
    size_t middle = count / 2;
    if (!sort(run, items, other, middle) || !sort(run, items + middle, other, count - middle) ||
            !weir_run_pay(run, count)) {
        return false;
    }
    memcpy(other, items, middle * sizeof(*items));
    size_t left = 0;
    size_t right = middle;
    for (size_t at = 0; left < middle; at++) {
        int order = -1;
        if (right < count && !weir_op_compare(run, &other[left], &items[right], &order)) {
            return false;
        }
        items[at] = order <= 0 || order == 2 ? other[left++] : items[right++];
    }
    return true;
}

static bool fn_sort(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!is_list(&call->args[0])) {
        return weir_call_no_overload(call);
    }
    size_t count = 0;
    struct weir_expr_value *items = elements(call, &call->args[0], &count);
    struct weir_expr_value *other =
            items != NULL ? weir_run_alloc(call->run, count * sizeof(*other)) : NULL;
    if (other == NULL || !sort(call->run, items, other, count)) {
        return false;
    }
    *ret = weir_expr_list(items, count);
    return true;
}

static bool fn_distinct(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!is_list(&call->args[0])) {
        return weir_call_no_overload(call);
    }
    size_t count = 0;
    size_t kept = 0;
    struct weir_expr_value *items = elements(call, &call->args[0], &count);
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        for (size_t j = 0; j < kept && !seen; j++) {
            if (!weir_run_pay(call->run, 1) ||
                    !weir_op_equal(call->run, &items[i], &items[j], &seen)) {
                return false;
            }
        }
        if (!seen) {
            items[kept++] = items[i];
        }
    }
    *ret = weir_expr_list(items, kept);
    return true;
}

/* first() and last(): optionals. */
static bool end_of(const struct weir_call *call, bool last, struct weir_expr_value *ret)
{
    if (!is_list(&call->args[0])) {
        return weir_call_no_overload(call);
    }
    size_t count = weir_expr_count(&call->args[0]);
    struct weir_expr_value *inner = NULL;
    if (count > 0) {
        inner = weir_run_alloc(call->run, sizeof(*inner));
        if (inner == NULL) {
            return false;
        }
        *inner = weir_expr_at(&call->args[0], last ? count - 1 : 0);
    }
    *ret = weir_expr_optional(inner);
    return true;
}

static bool fn_first(const struct weir_call *call, struct weir_expr_value *ret)
{
    return end_of(call, false, ret);
}

static bool fn_last(const struct weir_call *call, struct weir_expr_value *ret)
{
    return end_of(call, true, ret);
}

/* --- sets ---------------------------------------------------------------- */

/* How many of a's elements are in b: all (wanted true) or any (false). */
static bool members(const struct weir_call *call, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool all, struct weir_expr_value *ret)
{
    size_t count = weir_expr_count(a);
    bool result = all;
    for (size_t i = 0; i < count && result == all; i++) {
        struct weir_expr_value item = weir_expr_at(a, i);
        struct weir_expr_value found;
        if (!weir_op_in(call->run, &item, b, &found)) {
            return false;
        }
        result = found.as.boolean;
    }
    weir_set_bool(ret, result);
    return true;
}

static bool two_lists(const struct weir_call *call)
{
    return (is_list(&call->args[0]) && is_list(&call->args[1])) || weir_call_no_overload(call);
}

static bool fn_sets_contains(const struct weir_call *call, struct weir_expr_value *ret)
{
    return two_lists(call) && members(call, &call->args[1], &call->args[0], true, ret);
}

static bool fn_sets_equivalent(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!two_lists(call) || !members(call, &call->args[1], &call->args[0], true, ret)) {
        return false;
    }
    return !ret->as.boolean || members(call, &call->args[0], &call->args[1], true, ret);
}

static bool fn_sets_intersects(const struct weir_call *call, struct weir_expr_value *ret)
{
    return two_lists(call) && members(call, &call->args[0], &call->args[1], false, ret);
}

const struct weir_function weir_functions_list[] = {
    { "slice", WEIR_FN_METHOD, 3, 3, fn_slice },
    { "flatten", WEIR_FN_METHOD, 1, 2, fn_flatten },
    { "sort", WEIR_FN_METHOD, 1, 1, fn_sort },
    { "distinct", WEIR_FN_METHOD, 1, 1, fn_distinct },
    { "first", WEIR_FN_METHOD, 1, 1, fn_first },
    { "last", WEIR_FN_METHOD, 1, 1, fn_last },
    { "sets.contains", WEIR_FN_GLOBAL, 2, 2, fn_sets_contains },
    { "sets.equivalent", WEIR_FN_GLOBAL, 2, 2, fn_sets_equivalent },
    { "sets.intersects", WEIR_FN_GLOBAL, 2, 2, fn_sets_intersects },
    { 0 },
};
