#include <math.h>

#include "expr/expr_int.h"

/* Operators: arithmetic, order, equality, `in`. */

/* --- numbers ------------------------------------------------------------- */

bool weir_number_to_index(const struct weir_expr_value *value, int64_t *ret_index)
{
    switch (value->kind) {
    case WEIR_EXPR_INT:
        *ret_index = value->as.integer;
        return true;
    case WEIR_EXPR_UINT:
        *ret_index = (int64_t)value->as.natural;
        return value->as.natural <= INT64_MAX;
    case WEIR_EXPR_DOUBLE:
        if (!(value->as.real >= -0x1p63 && value->as.real < 0x1p63) ||
                trunc(value->as.real) != value->as.real) {
            return false;
        }
        *ret_index = (int64_t)value->as.real;
        return true;
    case WEIR_EXPR_DECIMAL: {
        struct weir_decimal decimal = weir_expr_value_decimal(value);
        return weir_decimal_is_integral(decimal) && weir_decimal_to_i64(decimal, ret_index);
    }
    default:
        return false;
    }
}

static int order_of(bool less, bool greater)
{
    return (int)greater - (int)less;
}

/* An int or uint as 128 bits. */
static __int128 wide(const struct weir_expr_value *value)
{
    return value->kind == WEIR_EXPR_INT ? (__int128)value->as.integer : (__int128)value->as.natural;
}

/* An integer against a double, exactly. */
static int compare_wide_double(__int128 a, double b)
{
    if (isnan(b)) {
        return 2;
    }
    if (b >= 0x1p64 || b < -0x1p63) {
        return b > 0 ? -1 : 1;
    }
    __int128 whole = (__int128)b; /* toward zero */
    if (a != whole) {
        return order_of(a<whole, a> whole);
    }
    double rest = b - trunc(b);
    return order_of(rest > 0, rest < 0);
}

static int flip(int order)
{
    return order == 2 ? 2 : -order;
}

/* A decimal against a number of another kind. */
static int compare_decimal(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    struct weir_decimal x = weir_expr_value_decimal(a);
    int order = 0;
    switch (b->kind) {
    case WEIR_EXPR_INT:
        order = weir_decimal_cmp(x, weir_decimal_from_i64(b->as.integer));
        break;
    case WEIR_EXPR_UINT:
        order = weir_decimal_cmp(x, weir_decimal_from_u64(b->as.natural));
        break;
    case WEIR_EXPR_DOUBLE:
        if (b->exact == NULL) {
            return weir_decimal_cmp_double(x, b->as.real);
        }
        order = weir_decimal_cmp(x, *b->exact);
        break;
    default:
        order = weir_decimal_cmp(x, weir_expr_value_decimal(b));
        break;
    }
    return order_of(order<0, order> 0);
}

int weir_number_compare(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    if (a->kind == WEIR_EXPR_DECIMAL) {
        return compare_decimal(a, b);
    }
    if (b->kind == WEIR_EXPR_DECIMAL) {
        return flip(compare_decimal(b, a));
    }
    if (a->kind == WEIR_EXPR_DOUBLE && b->kind == WEIR_EXPR_DOUBLE) {
        double x = a->as.real;
        double y = b->as.real;
        return isnan(x) || isnan(y) ? 2 : order_of(x<y, x> y);
    }
    if (a->kind == WEIR_EXPR_DOUBLE) {
        return flip(compare_wide_double(wide(b), a->as.real));
    }
    if (b->kind == WEIR_EXPR_DOUBLE) {
        return compare_wide_double(wide(a), b->as.real);
    }
    __int128 x = wide(a);
    __int128 y = wide(b);
    return order_of(x<y, x> y);
}

/* --- order --------------------------------------------------------------- */

bool weir_op_compare(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, int *ret_order)
{
    if (weir_kind_is_number(a->kind) && weir_kind_is_number(b->kind)) {
        *ret_order = weir_number_compare(a, b);
        return true;
    }
    int order = 0;
    bool ordered = a->kind == b->kind;
    switch (ordered ? a->kind : WEIR_EXPR_ABSENT) {
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BYTES:
        order = weir_str_cmp(a->as.str, b->as.str);
        break;
    case WEIR_EXPR_BOOL:
        order = (int)a->as.boolean - (int)b->as.boolean;
        break;
    case WEIR_EXPR_TIMESTAMP:
        order = order_of(a->as.integer<b->as.integer, a->as.integer> b->as.integer);
        order = order != 0 ? order : order_of(a->scale<b->scale, a->scale> b->scale);
        break;
    case WEIR_EXPR_DURATION:
        order = order_of(a->as.integer<b->as.integer, a->as.integer> b->as.integer);
        break;
    default:
        return weir_run_fail(run, "no such overload: a %s and a %s have no order",
                weir_expr_kind_name((enum weir_expr_kind)a->kind),
                weir_expr_kind_name((enum weir_expr_kind)b->kind));
    }
    *ret_order = order_of(order<0, order> 0);
    return true;
}

/* --- equality ------------------------------------------------------------ */

enum { MAX_EQUAL_DEPTH = 2000 };

struct equality {
    struct weir_run *run; /* NULL: nobody counts */
    unsigned depth;
};

static bool equal(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret);

static bool pay(struct equality *equality, size_t steps)
{
    return equality->run == NULL || weir_run_pay(equality->run, steps);
}

static bool equal_lists(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret)
{
    size_t count = weir_expr_count(a);
    *ret = count == weir_expr_count(b);
    for (size_t i = 0; *ret && i < count; i++) {
        struct weir_expr_value x = weir_expr_at(a, i);
        struct weir_expr_value y = weir_expr_at(b, i);
        if (!pay(equality, 1) || !equal(equality, &x, &y, ret)) {
            return false;
        }
    }
    return true;
}

static bool equal_maps(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret)
{
    size_t count = weir_expr_count(a);
    *ret = count == weir_expr_count(b);
    for (size_t i = 0; *ret && i < count; i++) {
        struct weir_expr_value key;
        struct weir_expr_value x = weir_expr_pair_at(a, i, &key);
        struct weir_expr_value y = weir_map_get(b, &key);
        *ret = y.kind != WEIR_EXPR_ABSENT;
        if (*ret && (!pay(equality, 2) || !equal(equality, &x, &y, ret))) {
            return false;
        }
    }
    return true;
}

static bool equal_optionals(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret)
{
    const struct weir_expr_value *x = a->as.inner;
    const struct weir_expr_value *y = b->as.inner;
    if (x == NULL || y == NULL) {
        *ret = x == y;
        return true;
    }
    return equal(equality, x, y, ret);
}

static bool equal_addresses(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    return memcmp(a->as.address, b->as.address, sizeof(a->as.address)) == 0 &&
           (a->kind == WEIR_EXPR_IP || (a->scale == b->scale && a->type == b->type));
}

/* Both have the same kind, which is not a number. */
static bool equal_same_kind(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret)
{
    switch (a->kind) {
    case WEIR_EXPR_BOOL:
        *ret = a->as.boolean == b->as.boolean;
        return true;
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BYTES:
    case WEIR_EXPR_TYPE:
        *ret = weir_str_eq(a->as.str, b->as.str);
        return true;
    case WEIR_EXPR_TIMESTAMP:
        *ret = a->as.integer == b->as.integer && a->scale == b->scale;
        return true;
    case WEIR_EXPR_DURATION:
        *ret = a->as.integer == b->as.integer;
        return true;
    case WEIR_EXPR_IP:
    case WEIR_EXPR_CIDR:
        *ret = equal_addresses(a, b);
        return true;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET: /* sorted, so the same comparison */
        return equal_lists(equality, a, b, ret);
    case WEIR_EXPR_MAP:
        return equal_maps(equality, a, b, ret);
    case WEIR_EXPR_OPTIONAL:
        return equal_optionals(equality, a, b, ret);
    default: /* null, absent */
        *ret = true;
        return true;
    }
}

static bool equal(struct equality *equality, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret)
{
    if (a->kind != b->kind) {
        *ret = weir_kind_is_number(a->kind) && weir_kind_is_number(b->kind) &&
               weir_number_compare(a, b) == 0;
        return true;
    }
    if (weir_kind_is_number(a->kind)) {
        *ret = weir_number_compare(a, b) == 0;
        return true;
    }
    if (equality->depth == MAX_EQUAL_DEPTH) {
        *ret = false;
        return equality->run == NULL || weir_run_fail_limit(equality->run, "levels of values");
    }
    equality->depth++;
    bool ok = equal_same_kind(equality, a, b, ret);
    equality->depth--;
    return ok;
}

bool weir_op_equal(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, bool *ret_equal)
{
    if (a->kind == WEIR_EXPR_STRING && b->kind == WEIR_EXPR_STRING) {
        *ret_equal = weir_str_eq(a->as.str, b->as.str);
        return true;
    }
    struct equality equality = { .run = run };
    return equal(&equality, a, b, ret_equal);
}

bool weir_expr_eq(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    struct equality equality = { .run = NULL };
    bool result = false;
    return equal(&equality, a, b, &result) && result;
}

bool weir_op_in(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    if (b->kind == WEIR_EXPR_MAP) {
        weir_set_bool(ret, weir_map_get(b, a).kind != WEIR_EXPR_ABSENT);
        return true;
    }
    if (b->kind != WEIR_EXPR_LIST && b->kind != WEIR_EXPR_SET) {
        return weir_run_fail(run, "no such overload: in needs a list, set or map, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)b->kind));
    }
    size_t count = weir_expr_count(b);
    bool found = false;
    for (size_t i = 0; !found && i < count; i++) {
        struct weir_expr_value item = weir_expr_at(b, i);
        if (!weir_run_pay(run, 1) || !weir_op_equal(run, a, &item, &found)) {
            return false;
        }
    }
    weir_set_bool(ret, found);
    return true;
}

/* --- arithmetic ---------------------------------------------------------- */

static const char *op_name(enum weir_op op)
{
    static const char *const names[] = { "+", "-", "*", "/", "%" };
    return names[op - WEIR_OP_ADD];
}

static bool no_overload(struct weir_run *run, enum weir_op op, const struct weir_expr_value *a,
        const struct weir_expr_value *b)
{
    bool decimal_double = (a->kind == WEIR_EXPR_DECIMAL && b->kind == WEIR_EXPR_DOUBLE) ||
                          (a->kind == WEIR_EXPR_DOUBLE && b->kind == WEIR_EXPR_DECIMAL);
    const char *hint = "";
    if (decimal_double) {
        hint = "; convert with decimal(d) or double(n)";
    } else if (weir_kind_is_number(a->kind) && weir_kind_is_number(b->kind)) {
        hint = "; convert one of them";
    } else if (op == WEIR_OP_ADD && (a->kind == WEIR_EXPR_STRING || b->kind == WEIR_EXPR_STRING)) {
        hint = "; convert with string(x)";
    }
    return weir_run_fail(run, "no such overload: %s %s %s%s",
            weir_expr_kind_name((enum weir_expr_kind)a->kind), op_name(op),
            weir_expr_kind_name((enum weir_expr_kind)b->kind), hint);
}

static bool overflow(struct weir_run *run, const char *type)
{
    return weir_run_fail(run, "%s overflow", type);
}

static bool by_zero(struct weir_run *run)
{
    return weir_run_fail(run, "division by zero");
}

static bool int_arithmetic(
        struct weir_run *run, enum weir_op op, int64_t a, int64_t b, struct weir_expr_value *ret)
{
    int64_t result = 0;
    bool over = false;
    switch ((int)op) {
    case WEIR_OP_ADD:
        over = __builtin_add_overflow(a, b, &result);
        break;
    case WEIR_OP_SUB:
        over = __builtin_sub_overflow(a, b, &result);
        break;
    case WEIR_OP_MUL:
        over = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        if (b == 0) {
            return by_zero(run);
        }
        over = a == INT64_MIN && b == -1;
        if (!over) {
            result = op == WEIR_OP_DIV ? a / b : a % b;
        }
        break;
    }
    weir_set_int(ret, result);
    return !over || overflow(run, "int");
}

static bool uint_arithmetic(
        struct weir_run *run, enum weir_op op, uint64_t a, uint64_t b, struct weir_expr_value *ret)
{
    uint64_t result = 0;
    bool over = false;
    switch ((int)op) {
    case WEIR_OP_ADD:
        over = __builtin_add_overflow(a, b, &result);
        break;
    case WEIR_OP_SUB:
        over = __builtin_sub_overflow(a, b, &result);
        break;
    case WEIR_OP_MUL:
        over = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        if (b == 0) {
            return by_zero(run);
        }
        result = op == WEIR_OP_DIV ? a / b : a % b;
        break;
    }
    weir_set_uint(ret, result);
    return !over || overflow(run, "uint");
}

static bool double_arithmetic(struct weir_run *run, enum weir_op op,
        const struct weir_expr_value *a, const struct weir_expr_value *b,
        struct weir_expr_value *ret)
{
    double x = a->as.real;
    double y = b->as.real;
    switch ((int)op) {
    case WEIR_OP_ADD:
        weir_set_double(ret, x + y);
        return true;
    case WEIR_OP_SUB:
        weir_set_double(ret, x - y);
        return true;
    case WEIR_OP_MUL:
        weir_set_double(ret, x * y);
        return true;
    case WEIR_OP_DIV:
        weir_set_double(ret, x / y);
        return true;
    default:
        return no_overload(run, op, a, b);
    }
}

/* A number as an operand beside a decimal: doubles only as they were written in the source. */
static bool promote(const struct weir_expr_value *value, struct weir_decimal *ret)
{
    switch (value->kind) {
    case WEIR_EXPR_DECIMAL:
        *ret = weir_expr_value_decimal(value);
        return true;
    case WEIR_EXPR_INT:
        *ret = weir_decimal_from_i64(value->as.integer);
        return true;
    case WEIR_EXPR_UINT:
        *ret = weir_decimal_from_u64(value->as.natural);
        return true;
    case WEIR_EXPR_DOUBLE:
        if (value->exact != NULL) {
            *ret = *value->exact;
        }
        return value->exact != NULL;
    default:
        return false;
    }
}

static bool decimal_arithmetic(struct weir_run *run, enum weir_op op,
        const struct weir_expr_value *a, const struct weir_expr_value *b,
        struct weir_expr_value *ret)
{
    struct weir_decimal x;
    struct weir_decimal y;
    struct weir_decimal result = { 0 };
    if (!promote(a, &x) || !promote(b, &y)) {
        return no_overload(run, op, a, b);
    }
    struct weir_err err;
    enum weir_rc rc = WEIR_OK;
    switch ((int)op) {
    case WEIR_OP_ADD:
        rc = weir_decimal_add(x, y, &result, &err);
        break;
    case WEIR_OP_SUB:
        rc = weir_decimal_sub(x, y, &result, &err);
        break;
    case WEIR_OP_MUL:
        rc = weir_decimal_mul(x, y, &result, &err);
        break;
    case WEIR_OP_DIV:
        rc = weir_decimal_div(x, y, &result, &err);
        break;
    default:
        rc = weir_decimal_rem(x, y, &result, &err);
        break;
    }
    if (rc != WEIR_OK) {
        return weir_run_fail(run, "%s", err.msg);
    }
    weir_set_decimal(ret, result);
    return true;
}

/* --- time ---------------------------------------------------------------- */

enum { SECOND_NS = 1000000000 };

static bool shift_time(struct weir_run *run, const struct weir_expr_value *time, int64_t ns,
        bool back, struct weir_expr_value *ret)
{
    int64_t seconds = ns / SECOND_NS;
    int64_t rest = ns % SECOND_NS;
    struct weir_moment moment = {
        .seconds = back ? time->as.integer - seconds : time->as.integer + seconds,
    };
    int64_t part = back ? time->scale - rest : time->scale + rest;
    if (part < 0) {
        part += SECOND_NS;
        moment.seconds--;
    } else if (part >= SECOND_NS) {
        part -= SECOND_NS;
        moment.seconds++;
    }
    moment.ns = (int32_t)part;
    if (!weir_timestamp_in_range(moment)) {
        return overflow(run, "timestamp");
    }
    *ret = (struct weir_expr_value){
        .kind = WEIR_EXPR_TIMESTAMP, .scale = moment.ns, .as.integer = moment.seconds
    };
    return true;
}

static bool duration_result(struct weir_run *run, __int128 ns, struct weir_expr_value *ret)
{
    if (ns > INT64_MAX || ns < INT64_MIN) {
        return overflow(run, "duration");
    }
    *ret = (struct weir_expr_value){ .kind = WEIR_EXPR_DURATION, .as.integer = (int64_t)ns };
    return true;
}

/* Sums and differences of timestamps and durations. */
static bool time_arithmetic(struct weir_run *run, enum weir_op op, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    bool minus = op == WEIR_OP_SUB;
    bool time_a = a->kind == WEIR_EXPR_TIMESTAMP;
    bool time_b = b->kind == WEIR_EXPR_TIMESTAMP;
    if (op != WEIR_OP_ADD && op != WEIR_OP_SUB) {
        return no_overload(run, op, a, b);
    }
    if (time_a && b->kind == WEIR_EXPR_DURATION) {
        return shift_time(run, a, b->as.integer, minus, ret);
    }
    if (time_b && a->kind == WEIR_EXPR_DURATION && !minus) {
        return shift_time(run, b, a->as.integer, false, ret);
    }
    if (time_a && time_b && minus) {
        __int128 seconds = (__int128)a->as.integer - b->as.integer;
        return duration_result(run, seconds * SECOND_NS + (a->scale - b->scale), ret);
    }
    if (a->kind == WEIR_EXPR_DURATION && b->kind == WEIR_EXPR_DURATION) {
        __int128 other = b->as.integer;
        return duration_result(run, (__int128)a->as.integer + (minus ? -other : other), ret);
    }
    return no_overload(run, op, a, b);
}

/* --- joining ------------------------------------------------------------- */

static bool join_text(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    struct weir_str x = a->as.str;
    struct weir_str y = b->as.str;
    *ret = *a;
    if (x.n == 0 || y.n == 0) {
        ret->as.str = x.n == 0 ? y : x;
        return true;
    }
    char *text = weir_run_alloc(run, x.n + y.n);
    if (text == NULL || !weir_run_pay(run, (x.n + y.n) / 64)) {
        return false;
    }
    memcpy(text, x.p, x.n);
    memcpy(text + x.n, y.p, y.n);
    ret->as.str = weir_str(text, x.n + y.n);
    return true;
}

static bool join_lists(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    size_t n = weir_expr_count(a);
    size_t m = weir_expr_count(b);
    struct weir_expr_value *items = weir_run_alloc(run, (n + m) * sizeof(*items));
    if (items == NULL || !weir_run_pay(run, n + m)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = weir_expr_at(a, i);
    }
    for (size_t i = 0; i < m; i++) {
        items[n + i] = weir_expr_at(b, i);
    }
    *ret = weir_expr_list(items, n + m);
    return true;
}

static bool add_other(struct weir_run *run, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    if (a->kind == b->kind && (a->kind == WEIR_EXPR_STRING || a->kind == WEIR_EXPR_BYTES)) {
        return join_text(run, a, b, ret);
    }
    if (a->kind == WEIR_EXPR_LIST && b->kind == WEIR_EXPR_LIST) {
        return join_lists(run, a, b, ret);
    }
    return no_overload(run, WEIR_OP_ADD, a, b);
}

static bool is_time(const struct weir_expr_value *value)
{
    return value->kind == WEIR_EXPR_TIMESTAMP || value->kind == WEIR_EXPR_DURATION;
}

bool weir_op_arithmetic(struct weir_run *run, enum weir_op op, const struct weir_expr_value *a,
        const struct weir_expr_value *b, struct weir_expr_value *ret)
{
    if (a->kind == b->kind) {
        switch (a->kind) {
        case WEIR_EXPR_INT:
            return int_arithmetic(run, op, a->as.integer, b->as.integer, ret);
        case WEIR_EXPR_UINT:
            return uint_arithmetic(run, op, a->as.natural, b->as.natural, ret);
        case WEIR_EXPR_DOUBLE:
            return double_arithmetic(run, op, a, b, ret);
        default:
            break;
        }
    }
    if (a->kind == WEIR_EXPR_DECIMAL || b->kind == WEIR_EXPR_DECIMAL) {
        return decimal_arithmetic(run, op, a, b, ret);
    }
    if (is_time(a) || is_time(b)) {
        return time_arithmetic(run, op, a, b, ret);
    }
    return op == WEIR_OP_ADD ? add_other(run, a, b, ret) : no_overload(run, op, a, b);
}

bool weir_op_negate(
        struct weir_run *run, const struct weir_expr_value *a, struct weir_expr_value *ret)
{
    switch (a->kind) {
    case WEIR_EXPR_INT:
        if (a->as.integer == INT64_MIN) {
            return overflow(run, "int");
        }
        weir_set_int(ret, -a->as.integer);
        return true;
    case WEIR_EXPR_DOUBLE:
        weir_set_double(ret, -a->as.real);
        return true;
    case WEIR_EXPR_DECIMAL:
        weir_set_decimal(ret, weir_decimal_neg(weir_expr_value_decimal(a)));
        return true;
    case WEIR_EXPR_DURATION:
        return duration_result(run, -(__int128)a->as.integer, ret);
    default:
        return weir_run_fail(
                run, "no such overload: -%s", weir_expr_kind_name((enum weir_expr_kind)a->kind));
    }
}
