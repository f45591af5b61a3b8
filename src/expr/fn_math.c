#include <math.h>

#include "expr/expr_int.h"

/* math.*: numbers of all kinds; decimals are rounded exactly. */

/* The least (sign 1) or greatest (sign -1) of some arguments. */
static bool extreme_argument(const struct weir_call *call, int sign, struct weir_expr_value *ret)
{
    for (size_t i = 0; i < call->count; i++) {
        if (!weir_kind_is_number(call->args[i].kind)) {
            return weir_call_no_overload(call);
        }
        if (i == 0 || weir_number_compare(&call->args[i], ret) == -sign) {
            *ret = call->args[i];
        }
    }
    return true;
}

/* The same of one list or set. */
static bool extreme(const struct weir_call *call, int sign, struct weir_expr_value *ret)
{
    const struct weir_expr_value *list = &call->args[0];
    if (call->count > 1 || (list->kind != WEIR_EXPR_LIST && list->kind != WEIR_EXPR_SET)) {
        return extreme_argument(call, sign, ret);
    }
    const char *name = call->node->as.function->name;
    size_t count = weir_expr_count(list);
    if (count == 0) {
        return weir_run_fail(call->run, "%s() of an empty list", name);
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(list, i);
        if (!weir_kind_is_number(item.kind)) {
            return weir_run_fail(call->run, "%s() needs numbers, not a %s", name,
                    weir_expr_kind_name((enum weir_expr_kind)item.kind));
        }
        if (i == 0 || weir_number_compare(&item, ret) == -sign) {
            *ret = item;
        }
    }
    return weir_run_pay(call->run, count);
}

static bool fn_greatest(const struct weir_call *call, struct weir_expr_value *ret)
{
    return extreme(call, -1, ret);
}

static bool fn_least(const struct weir_call *call, struct weir_expr_value *ret)
{
    return extreme(call, 1, ret);
}

/* --- rounding ------------------------------------------------------------ */

/* Doubles by how, decimals by rounding, to a number of places if one is given. */
static bool rounded(const struct weir_call *call, double (*how)(double),
        enum weir_rounding rounding, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    int64_t places = 0;
    if (call->count > 1 &&
            (arg->kind != WEIR_EXPR_DECIMAL || !weir_number_to_index(&call->args[1], &places))) {
        return weir_call_no_overload(call);
    }
    if (places < -200 || places > 200) {
        return weir_run_fail(call->run, "%lld places are out of range", (long long)places);
    }
    if (arg->kind == WEIR_EXPR_DOUBLE) {
        weir_set_double(ret, how(arg->as.real));
        return true;
    }
    if (arg->kind == WEIR_EXPR_DECIMAL) {
        struct weir_decimal value = weir_expr_value_decimal(arg);
        weir_set_decimal(ret, weir_decimal_round(value, (int32_t)places, rounding));
        return true;
    }
    return weir_call_no_overload(call);
}

static bool fn_ceil(const struct weir_call *call, struct weir_expr_value *ret)
{
    return rounded(call, ceil, WEIR_ROUND_CEIL, ret);
}

static bool fn_floor(const struct weir_call *call, struct weir_expr_value *ret)
{
    return rounded(call, floor, WEIR_ROUND_FLOOR, ret);
}

static bool fn_round(const struct weir_call *call, struct weir_expr_value *ret)
{
    return rounded(call, round, WEIR_ROUND_HALF_AWAY, ret);
}

static bool fn_trunc(const struct weir_call *call, struct weir_expr_value *ret)
{
    return rounded(call, trunc, WEIR_ROUND_DOWN, ret);
}

/* --- sign and size ------------------------------------------------------- */

static bool fn_abs(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    struct weir_decimal decimal;
    switch (arg->kind) {
    case WEIR_EXPR_INT:
        if (arg->as.integer == INT64_MIN) {
            return weir_run_fail(call->run, "int overflow");
        }
        weir_set_int(ret, arg->as.integer < 0 ? -arg->as.integer : arg->as.integer);
        return true;
    case WEIR_EXPR_UINT:
        *ret = *arg;
        return true;
    case WEIR_EXPR_DOUBLE:
        weir_set_double(ret, fabs(arg->as.real));
        return true;
    case WEIR_EXPR_DECIMAL:
        decimal = weir_expr_value_decimal(arg);
        weir_set_decimal(ret, decimal.coefficient < 0 ? weir_decimal_neg(decimal) : decimal);
        return true;
    default:
        return weir_call_no_overload(call);
    }
}

static bool fn_sign(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    double real = arg->as.real;
    switch (arg->kind) {
    case WEIR_EXPR_INT:
        weir_set_int(ret, (arg->as.integer > 0) - (arg->as.integer < 0));
        return true;
    case WEIR_EXPR_UINT:
        weir_set_uint(ret, arg->as.natural > 0 ? 1 : 0);
        return true;
    case WEIR_EXPR_DOUBLE:
        weir_set_double(ret, isnan(real) ? real : (double)((real > 0) - (real < 0)));
        return true;
    case WEIR_EXPR_DECIMAL:
        weir_set_decimal(ret, weir_decimal_from_i64((int64_t)(arg->as.coefficient > 0) -
                                                    (int64_t)(arg->as.coefficient < 0)));
        return true;
    default:
        return weir_call_no_overload(call);
    }
}

static bool fn_sqrt(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    switch (arg->kind) {
    case WEIR_EXPR_INT:
        weir_set_double(ret, sqrt((double)arg->as.integer));
        return true;
    case WEIR_EXPR_UINT:
        weir_set_double(ret, sqrt((double)arg->as.natural));
        return true;
    case WEIR_EXPR_DOUBLE:
        weir_set_double(ret, sqrt(arg->as.real));
        return true;
    case WEIR_EXPR_DECIMAL:
        weir_set_double(ret, sqrt(weir_decimal_to_double(weir_expr_value_decimal(arg))));
        return true;
    default:
        return weir_call_no_overload(call);
    }
}

/* --- doubles ------------------------------------------------------------- */

static bool fn_is_nan(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_DOUBLE) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, isnan(call->args[0].as.real));
    return true;
}

static bool fn_is_inf(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_DOUBLE) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, isinf(call->args[0].as.real));
    return true;
}

static bool fn_is_finite(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_DOUBLE) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, isfinite(call->args[0].as.real));
    return true;
}

/* --- bits ---------------------------------------------------------------- */

/* Two ints or two uints as bits; the result has their kind. */
static bool both_bits(const struct weir_call *call, uint64_t *ret_a, uint64_t *ret_b)
{
    uint8_t kind = call->args[0].kind;
    if ((kind != WEIR_EXPR_INT && kind != WEIR_EXPR_UINT) || call->args[1].kind != kind) {
        weir_call_no_overload(call);
        return false;
    }
    *ret_a = call->args[0].as.natural;
    *ret_b = call->args[1].as.natural;
    return true;
}

static bool give_bits(const struct weir_call *call, uint64_t bits, struct weir_expr_value *ret)
{
    *ret = call->args[0];
    ret->as.natural = bits;
    return true;
}

static bool fn_bit_and(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint64_t a = 0;
    uint64_t b = 0;
    return both_bits(call, &a, &b) && give_bits(call, a & b, ret);
}

static bool fn_bit_or(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint64_t a = 0;
    uint64_t b = 0;
    return both_bits(call, &a, &b) && give_bits(call, a | b, ret);
}

static bool fn_bit_xor(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint64_t a = 0;
    uint64_t b = 0;
    return both_bits(call, &a, &b) && give_bits(call, a ^ b, ret);
}

static bool fn_bit_not(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint8_t kind = call->args[0].kind;
    if (kind != WEIR_EXPR_INT && kind != WEIR_EXPR_UINT) {
        return weir_call_no_overload(call);
    }
    return give_bits(call, ~call->args[0].as.natural, ret);
}

/* An int or uint and how far to shift it; 64 or more leaves nothing. */
static bool shift_of(const struct weir_call *call, uint64_t *ret_bits, uint64_t *ret_by)
{
    uint8_t kind = call->args[0].kind;
    if ((kind != WEIR_EXPR_INT && kind != WEIR_EXPR_UINT) || call->args[1].kind != WEIR_EXPR_INT) {
        weir_call_no_overload(call);
        return false;
    }
    if (call->args[1].as.integer < 0) {
        return weir_run_fail(call->run, "negative shift %lld", (long long)call->args[1].as.integer);
    }
    *ret_bits = call->args[0].as.natural;
    *ret_by = call->args[1].as.natural;
    return true;
}

static bool fn_shift_left(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint64_t bits = 0;
    uint64_t by = 0;
    return shift_of(call, &bits, &by) && give_bits(call, by < 64 ? bits << by : 0, ret);
}

static bool fn_shift_right(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint64_t bits = 0;
    uint64_t by = 0;
    return shift_of(call, &bits, &by) && give_bits(call, by < 64 ? bits >> by : 0, ret);
}

const struct weir_function weir_functions_math[] = {
    { "math.greatest", WEIR_FN_GLOBAL, 1, 255, fn_greatest },
    { "math.least", WEIR_FN_GLOBAL, 1, 255, fn_least },
    { "math.ceil", WEIR_FN_GLOBAL, 1, 2, fn_ceil },
    { "math.floor", WEIR_FN_GLOBAL, 1, 2, fn_floor },
    { "math.round", WEIR_FN_GLOBAL, 1, 2, fn_round },
    { "math.trunc", WEIR_FN_GLOBAL, 1, 2, fn_trunc },
    { "math.abs", WEIR_FN_GLOBAL, 1, 1, fn_abs },
    { "math.sign", WEIR_FN_GLOBAL, 1, 1, fn_sign },
    { "math.sqrt", WEIR_FN_GLOBAL, 1, 1, fn_sqrt },
    { "math.isNaN", WEIR_FN_GLOBAL, 1, 1, fn_is_nan },
    { "math.isInf", WEIR_FN_GLOBAL, 1, 1, fn_is_inf },
    { "math.isFinite", WEIR_FN_GLOBAL, 1, 1, fn_is_finite },
    { "math.bitAnd", WEIR_FN_GLOBAL, 2, 2, fn_bit_and },
    { "math.bitOr", WEIR_FN_GLOBAL, 2, 2, fn_bit_or },
    { "math.bitXor", WEIR_FN_GLOBAL, 2, 2, fn_bit_xor },
    { "math.bitNot", WEIR_FN_GLOBAL, 1, 1, fn_bit_not },
    { "math.bitShiftLeft", WEIR_FN_GLOBAL, 2, 2, fn_shift_left },
    { "math.bitShiftRight", WEIR_FN_GLOBAL, 2, 2, fn_shift_right },
    { 0 },
};
