#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "expr/expr_int.h"

/* size, type, conversions, and the functions of optionals. */

static bool fn_size(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    size_t size = 0;
    switch (arg->kind) {
    case WEIR_EXPR_STRING:
        size = weir_utf8_count(arg->as.str);
        break;
    case WEIR_EXPR_BYTES:
        size = arg->as.str.n;
        break;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
    case WEIR_EXPR_MAP:
        size = weir_expr_count(arg);
        break;
    default:
        return weir_call_no_overload(call);
    }
    weir_set_int(ret, (int64_t)size);
    return weir_run_pay(call->run, arg->kind == WEIR_EXPR_STRING ? size / 256 : 0);
}

static bool fn_type(const struct weir_call *call, struct weir_expr_value *ret)
{
    *ret = weir_expr_type(weir_expr_kind_name((enum weir_expr_kind)call->args[0].kind));
    return true;
}

static bool fn_dyn(const struct weir_call *call, struct weir_expr_value *ret)
{
    *ret = call->args[0];
    return true;
}

static bool range(const struct weir_call *call)
{
    return weir_run_fail(
            call->run, "value is out of the range of %s()", call->node->as.function->name);
}

/* A short text as a zero-terminated copy for strtod and its like; false when it is too long. */
static bool short_text(struct weir_str text, char out[static 64])
{
    if (text.n == 0 || text.n >= 64 || memchr(text.p, '\0', text.n) != NULL) {
        return false;
    }
    memcpy(out, text.p, text.n);
    out[text.n] = '\0';
    return true;
}

static bool not_a(const struct weir_call *call, struct weir_str text)
{
    return weir_run_fail(call->run, "'%.*s' is not a value of type %s",
            (int)(text.n > 80 ? 80 : text.n), text.p != NULL ? text.p : "",
            call->node->as.function->name);
}

static bool is_digits(const char *text)
{
    text += *text == '-' || *text == '+' ? 1 : 0;
    return *text >= '0' && *text <= '9';
}

static bool int_from_text(const struct weir_call *call, struct weir_expr_value *ret)
{
    char text[64];
    char *end = NULL;
    if (!short_text(call->args[0].as.str, text) || !is_digits(text)) {
        return not_a(call, call->args[0].as.str);
    }
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0) {
        return range(call);
    }
    weir_set_int(ret, value);
    return *end == '\0' || not_a(call, call->args[0].as.str);
}

static bool fn_int(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    int64_t value = 0;
    switch (arg->kind) {
    case WEIR_EXPR_INT:
        *ret = *arg;
        return true;
    case WEIR_EXPR_UINT:
        weir_set_int(ret, (int64_t)arg->as.natural);
        return arg->as.natural <= INT64_MAX || range(call);
    case WEIR_EXPR_DOUBLE:
        if (!(arg->as.real > -0x1p63 && arg->as.real < 0x1p63)) {
            return range(call);
        }
        weir_set_int(ret, (int64_t)arg->as.real);
        return true;
    case WEIR_EXPR_DECIMAL:
        if (!weir_decimal_to_i64(weir_expr_value_decimal(arg), &value)) {
            return range(call);
        }
        weir_set_int(ret, value);
        return true;
    case WEIR_EXPR_TIMESTAMP:
        weir_set_int(ret, arg->as.integer);
        return true;
    case WEIR_EXPR_STRING:
        return int_from_text(call, ret);
    default:
        return weir_call_no_overload(call);
    }
}

static bool uint_from_text(const struct weir_call *call, struct weir_expr_value *ret)
{
    char text[64];
    char *end = NULL;
    if (!short_text(call->args[0].as.str, text) || !is_digits(text) || text[0] == '-') {
        return not_a(call, call->args[0].as.str);
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0) {
        return range(call);
    }
    weir_set_uint(ret, value);
    return *end == '\0' || not_a(call, call->args[0].as.str);
}

static bool fn_uint(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    uint64_t value = 0;
    switch (arg->kind) {
    case WEIR_EXPR_UINT:
        *ret = *arg;
        return true;
    case WEIR_EXPR_INT:
        weir_set_uint(ret, (uint64_t)arg->as.integer);
        return arg->as.integer >= 0 || range(call);
    case WEIR_EXPR_DOUBLE:
        if (!(arg->as.real > -1 && arg->as.real < 0x1p64)) {
            return range(call);
        }
        weir_set_uint(ret, (uint64_t)arg->as.real);
        return true;
    case WEIR_EXPR_DECIMAL:
        if (!weir_decimal_to_u64(weir_expr_value_decimal(arg), &value)) {
            return range(call);
        }
        weir_set_uint(ret, value);
        return true;
    case WEIR_EXPR_STRING:
        return uint_from_text(call, ret);
    default:
        return weir_call_no_overload(call);
    }
}

static bool double_from_text(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_str given = call->args[0].as.str;
    char text[64];
    char *end = NULL;
    if (!short_text(given, text)) {
        return not_a(call, given);
    }
    char first = text[0] == '-' || text[0] == '+' ? text[1] : text[0];
    bool number = (first >= '0' && first <= '9') || first == '.';
    bool special = strcmp(text, "NaN") == 0 ||
                   strcmp(text + (text[0] == '-' || text[0] == '+'), "Infinity") == 0 ||
                   strcmp(text + (text[0] == '-' || text[0] == '+'), "Inf") == 0;
    if ((!number && !special) || strpbrk(text, "xXpP") != NULL) {
        return not_a(call, given);
    }
    double value = strtod(text, &end);
    weir_set_double(ret, value);
    return *end == '\0' || not_a(call, given);
}

static bool fn_double(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    switch (arg->kind) {
    case WEIR_EXPR_DOUBLE:
        weir_set_double(ret, arg->as.real);
        return true;
    case WEIR_EXPR_INT:
        weir_set_double(ret, (double)arg->as.integer);
        return true;
    case WEIR_EXPR_UINT:
        weir_set_double(ret, (double)arg->as.natural);
        return true;
    case WEIR_EXPR_DECIMAL:
        weir_set_double(ret, weir_decimal_to_double(weir_expr_value_decimal(arg)));
        return true;
    case WEIR_EXPR_STRING:
        return double_from_text(call, ret);
    default:
        return weir_call_no_overload(call);
    }
}

static bool fn_decimal(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    struct weir_decimal value = { 0 };
    struct weir_err err;
    enum weir_rc rc = WEIR_OK;
    switch (arg->kind) {
    case WEIR_EXPR_DECIMAL:
        *ret = *arg;
        return true;
    case WEIR_EXPR_INT:
        value = weir_decimal_from_i64(arg->as.integer);
        break;
    case WEIR_EXPR_UINT:
        value = weir_decimal_from_u64(arg->as.natural);
        break;
    case WEIR_EXPR_DOUBLE:
        if (arg->exact != NULL) {
            value = *arg->exact;
        } else {
            rc = weir_decimal_from_double(arg->as.real, &value, &err);
        }
        break;
    case WEIR_EXPR_STRING:
        rc = weir_decimal_parse(arg->as.str, &value, &err);
        break;
    default:
        return weir_call_no_overload(call);
    }
    if (rc != WEIR_OK) {
        return weir_run_fail(call->run, "%s", err.msg);
    }
    weir_set_decimal(ret, value);
    return true;
}

static bool fn_string(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_str text;
    if (!weir_value_text(call->run, &call->args[0], &text)) {
        return false;
    }
    weir_set_string(ret, text);
    return true;
}

static bool fn_bytes(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint8_t kind = call->args[0].kind;
    if (kind != WEIR_EXPR_STRING && kind != WEIR_EXPR_BYTES) {
        return weir_call_no_overload(call);
    }
    weir_set_bytes(ret, call->args[0].as.str);
    return true;
}

static bool fn_bool(const struct weir_call *call, struct weir_expr_value *ret)
{
    static const char *const yes[] = { "true", "True", "TRUE", "t", "1" };
    static const char *const no[] = { "false", "False", "FALSE", "f", "0" };
    const struct weir_expr_value *arg = &call->args[0];
    if (arg->kind == WEIR_EXPR_BOOL) {
        *ret = *arg;
        return true;
    }
    if (arg->kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    for (size_t i = 0; i < WEIR_COUNT(yes); i++) {
        bool is_yes = weir_str_eq(arg->as.str, weir_str_z(yes[i]));
        if (is_yes || weir_str_eq(arg->as.str, weir_str_z(no[i]))) {
            weir_set_bool(ret, is_yes);
            return true;
        }
    }
    return not_a(call, arg->as.str);
}

static bool fn_set(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    if (arg->kind == WEIR_EXPR_SET) {
        *ret = *arg;
        return true;
    }
    return arg->kind == WEIR_EXPR_LIST ? weir_set_make(call->run, arg, ret)
                                       : weir_call_no_overload(call);
}

/* --- optionals ----------------------------------------------------------- */

static bool make_optional(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_expr_value *inner = weir_run_alloc(call->run, sizeof(*inner));
    if (inner == NULL) {
        return false;
    }
    *inner = call->args[0];
    *ret = weir_expr_optional(inner);
    return true;
}

/* Whether a value is its type's zero: false, 0, "", [], {}, null, ... */
static bool is_zero(const struct weir_expr_value *value)
{
    switch (value->kind) {
    case WEIR_EXPR_NULL:
        return true;
    case WEIR_EXPR_BOOL:
        return !value->as.boolean;
    case WEIR_EXPR_INT:
    case WEIR_EXPR_UINT:
    case WEIR_EXPR_DURATION:
        return value->as.natural == 0;
    case WEIR_EXPR_TIMESTAMP:
        return value->as.integer == 0 && value->scale == 0;
    case WEIR_EXPR_DOUBLE:
        return value->as.real == 0;
    case WEIR_EXPR_DECIMAL:
        return value->as.coefficient == 0;
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BYTES:
        return value->as.str.n == 0;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
    case WEIR_EXPR_MAP:
        return weir_expr_count(value) == 0;
    case WEIR_EXPR_OPTIONAL:
        return value->as.inner == NULL;
    default:
        return false;
    }
}

static bool fn_optional_none(const struct weir_call *call, struct weir_expr_value *ret)
{
    (void)call;
    *ret = weir_expr_optional(NULL);
    return true;
}

static bool fn_optional_of_non_zero(const struct weir_call *call, struct weir_expr_value *ret)
{
    return is_zero(&call->args[0]) ? fn_optional_none(call, ret) : make_optional(call, ret);
}

static bool fn_has_value(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_OPTIONAL) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, call->args[0].as.inner != NULL);
    return true;
}

static bool fn_value(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_OPTIONAL) {
        return weir_call_no_overload(call);
    }
    if (call->args[0].as.inner == NULL) {
        return weir_run_fail(call->run, "optional.none() has no value");
    }
    *ret = *call->args[0].as.inner;
    return true;
}

const struct weir_function weir_functions_core[] = {
    { "size", WEIR_FN_GLOBAL | WEIR_FN_METHOD, 1, 1, fn_size },
    { "type", WEIR_FN_GLOBAL, 1, 1, fn_type },
    { "dyn", WEIR_FN_GLOBAL, 1, 1, fn_dyn },
    { "int", WEIR_FN_GLOBAL, 1, 1, fn_int },
    { "uint", WEIR_FN_GLOBAL, 1, 1, fn_uint },
    { "double", WEIR_FN_GLOBAL, 1, 1, fn_double },
    { "decimal", WEIR_FN_GLOBAL, 1, 1, fn_decimal },
    { "string", WEIR_FN_GLOBAL, 1, 1, fn_string },
    { "bytes", WEIR_FN_GLOBAL, 1, 1, fn_bytes },
    { "bool", WEIR_FN_GLOBAL, 1, 1, fn_bool },
    { "set", WEIR_FN_GLOBAL, 1, 1, fn_set },
    { "optional.of", WEIR_FN_GLOBAL, 1, 1, make_optional },
    { "optional.none", WEIR_FN_GLOBAL, 0, 0, fn_optional_none },
    { "optional.ofNonZeroValue", WEIR_FN_GLOBAL, 1, 1, fn_optional_of_non_zero },
    { "hasValue", WEIR_FN_METHOD, 1, 1, fn_has_value },
    { "value", WEIR_FN_METHOD, 1, 1, fn_value },
    { 0 },
};

/* --- finding functions --------------------------------------------------- */

static const struct weir_function *const tables[] = {
    weir_functions_core,
    weir_functions_string,
    weir_functions_math,
    weir_functions_time,
    weir_functions_net,
    weir_functions_list,
};

const struct weir_function *weir_function_find(struct weir_str name, unsigned how, size_t count)
{
    for (size_t i = 0; i < WEIR_COUNT(tables); i++) {
        for (const struct weir_function *at = tables[i]; at->name != NULL; at++) {
            if ((at->how & how) != 0 && count >= at->least &&
                    (count <= at->most || at->most == 255) &&
                    weir_str_eq(name, weir_str_z(at->name))) {
                return at;
            }
        }
    }
    return NULL;
}

const char *weir_function_nearest(struct weir_str name)
{
    static const char *const macros[] = { "has", "all", "exists", "exists_one", "existsOne",
        "filter", "map", "transformList", "transformMap", "transformMapEntry", "cel.bind", "optMap",
        "optFlatMap", "or", "orValue", "clock" };
    const char *names[256];
    size_t count = 0;
    for (size_t i = 0; i < WEIR_COUNT(macros); i++) {
        names[count++] = macros[i];
    }
    for (size_t i = 0; i < WEIR_COUNT(tables); i++) {
        for (const struct weir_function *at = tables[i]; at->name != NULL; at++) {
            if (count < WEIR_COUNT(names)) {
                names[count++] = at->name;
            }
        }
    }
    return weir_str_nearest(name, names, count);
}
