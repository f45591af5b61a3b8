#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr/expr_int.h"

/* "...".format([...]): %s %d %f %e %b %o %x %X, with .precision for %f and %e. */

enum { MAX_PRECISION = 100, MAX_DEPTH = 64 };

struct format {
    const struct weir_call *call;
    struct weir_buf out;
};

static bool fail_kind(struct format *format, char clause, const struct weir_expr_value *value)
{
    return weir_run_fail(format->call->run, "format(): %%%c cannot show a %s", clause,
            weir_expr_kind_name((enum weir_expr_kind)value->kind));
}

static bool show(struct format *format, const struct weir_expr_value *value, unsigned depth);

static bool show_list(struct format *format, const struct weir_expr_value *value, unsigned depth)
{
    size_t count = weir_expr_count(value);
    weir_buf_byte(&format->out, '[');
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(value, i);
        weir_buf_z(&format->out, i > 0 ? ", " : "");
        if (!show(format, &item, depth + 1)) {
            return false;
        }
    }
    weir_buf_byte(&format->out, ']');
    return true;
}

struct shown_pair {
    struct weir_str key;
    struct weir_expr_value value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct shown_pair *x = a;
    const struct shown_pair *y = b;
    return weir_str_cmp(x->key, y->key);
}

/* Entries in the order of their keys' text, so that the result does not depend on chance. */
static bool show_map(struct format *format, const struct weir_expr_value *value, unsigned depth)
{
    struct weir_run *run = format->call->run;
    size_t count = weir_expr_count(value);
    struct shown_pair *pairs = weir_run_alloc(run, count * sizeof(*pairs));
    if (pairs == NULL || !weir_run_pay(run, count * 4)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value key;
        pairs[i].value = weir_expr_pair_at(value, i, &key);
        if (!weir_value_text(run, &key, &pairs[i].key)) {
            return false;
        }
    }
    if (count > 0) {
        qsort(pairs, count, sizeof(*pairs), compare_pairs);
    }
    weir_buf_byte(&format->out, '{');
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(&format->out, i > 0 ? ", " : "");
        weir_buf_str(&format->out, pairs[i].key);
        weir_buf_z(&format->out, ": ");
        if (!show(format, &pairs[i].value, depth + 1)) {
            return false;
        }
    }
    weir_buf_byte(&format->out, '}');
    return true;
}

/* %s */
static bool show(struct format *format, const struct weir_expr_value *value, unsigned depth)
{
    struct weir_str text;
    if (!weir_run_pay(format->call->run, 1)) {
        return false;
    }
    if (depth > MAX_DEPTH) {
        return weir_run_fail_limit(format->call->run, "levels of values");
    }
    switch (value->kind) {
    case WEIR_EXPR_NULL:
        weir_buf_z(&format->out, "null");
        return true;
    case WEIR_EXPR_TYPE:
        weir_buf_str(&format->out, value->as.str);
        return true;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
        return show_list(format, value, depth);
    case WEIR_EXPR_MAP:
        return show_map(format, value, depth);
    case WEIR_EXPR_OPTIONAL:
    case WEIR_EXPR_ABSENT:
        return fail_kind(format, 's', value);
    default:
        if (!weir_value_text(format->call->run, value, &text)) {
            return false;
        }
        weir_buf_str(&format->out, text);
        return true;
    }
}

/* %d */
static bool show_decimal(struct format *format, const struct weir_expr_value *value)
{
    bool integral = value->kind == WEIR_EXPR_DECIMAL &&
                    weir_decimal_is_integral(weir_expr_value_decimal(value));
    if (value->kind != WEIR_EXPR_INT && value->kind != WEIR_EXPR_UINT &&
            value->kind != WEIR_EXPR_DOUBLE && !integral) {
        return fail_kind(format, 'd', value);
    }
    return show(format, value, 0);
}

/* A decimal to a number of places, padded with zeros. */
static void show_fixed_decimal(struct format *format, struct weir_decimal value, int precision)
{
    char text[WEIR_DECIMAL_TEXT];
    size_t n =
            weir_decimal_format(weir_decimal_round(value, precision, WEIR_ROUND_HALF_EVEN), text);
    weir_buf_add(&format->out, text, n);
    const char *point = memchr(text, '.', n);
    int places = point != NULL ? (int)(text + n - point) - 1 : 0;
    if (places == 0 && precision > 0) {
        weir_buf_byte(&format->out, '.');
    }
    for (; places < precision; places++) {
        weir_buf_byte(&format->out, '0');
    }
}

/* %f and %e */
static bool show_double(
        struct format *format, char clause, int precision, const struct weir_expr_value *value)
{
    double real = 0;
    switch (value->kind) {
    case WEIR_EXPR_INT:
        real = (double)value->as.integer;
        break;
    case WEIR_EXPR_UINT:
        real = (double)value->as.natural;
        break;
    case WEIR_EXPR_DOUBLE:
        real = value->as.real;
        break;
    case WEIR_EXPR_DECIMAL:
        if (clause == 'f') {
            show_fixed_decimal(format, weir_expr_value_decimal(value), precision);
            return true;
        }
        real = weir_decimal_to_double(weir_expr_value_decimal(value));
        break;
    default:
        return fail_kind(format, clause, value);
    }
    if (!isfinite(real)) {
        return show(format, value, 0);
    }
    weir_buf_printf(&format->out, clause == 'f' ? "%.*f" : "%.*e", precision, real);
    return true;
}

/* %b, %o, %x and %X of a number: its sign and its magnitude's digits. */
static bool show_digits(struct format *format, char clause, const struct weir_expr_value *value)
{
    unsigned bits = clause == 'b' ? 1 : clause == 'o' ? 3 : 4;
    const char *digits = clause == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    uint64_t magnitude = value->kind == WEIR_EXPR_BOOL ? value->as.boolean : value->as.natural;
    if (value->kind == WEIR_EXPR_INT && value->as.integer < 0) {
        weir_buf_byte(&format->out, '-');
        magnitude = 0 - magnitude;
    }
    char text[64];
    size_t n = sizeof(text);
    do {
        text[--n] = digits[magnitude & ((1U << bits) - 1)];
        magnitude >>= bits;
    } while (magnitude != 0);
    weir_buf_add(&format->out, text + n, sizeof(text) - n);
    return true;
}

static bool show_hex_text(struct format *format, char clause, struct weir_str text)
{
    const char *digits = clause == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char byte = (unsigned char)text.p[i];
        weir_buf_byte(&format->out, digits[byte >> 4]);
        weir_buf_byte(&format->out, digits[byte & 15]);
    }
    return weir_run_pay(format->call->run, text.n / 16);
}

static bool show_based(struct format *format, char clause, const struct weir_expr_value *value)
{
    bool hex = clause == 'x' || clause == 'X';
    switch (value->kind) {
    case WEIR_EXPR_INT:
    case WEIR_EXPR_UINT:
        return show_digits(format, clause, value);
    case WEIR_EXPR_BOOL:
        return clause == 'b' ? show_digits(format, clause, value)
                             : fail_kind(format, clause, value);
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BYTES:
        return hex ? show_hex_text(format, clause, value->as.str)
                   : fail_kind(format, clause, value);
    default:
        return fail_kind(format, clause, value);
    }
}

/* Read ".12" at *at; -1 without one, false after failing. */
static bool read_precision(
        struct format *format, struct weir_str text, size_t *at, int *ret_precision)
{
    *ret_precision = -1;
    if (*at >= text.n || text.p[*at] != '.') {
        return true;
    }
    int precision = 0;
    size_t from = ++*at;
    for (; *at < text.n && text.p[*at] >= '0' && text.p[*at] <= '9'; (*at)++) {
        precision = precision * 10 + (text.p[*at] - '0');
        if (precision > MAX_PRECISION) {
            return weir_run_fail(
                    format->call->run, "format(): precision is over %d", MAX_PRECISION);
        }
    }
    if (*at == from) {
        return weir_run_fail(format->call->run, "format(): no digits behind '%%.'");
    }
    *ret_precision = precision;
    return true;
}

static bool show_clause(
        struct format *format, char clause, int precision, const struct weir_expr_value *value)
{
    switch (clause) {
    case 's':
        return show(format, value, 0);
    case 'd':
        return show_decimal(format, value);
    case 'f':
    case 'e':
        return show_double(format, clause, precision < 0 ? 6 : precision, value);
    default:
        return show_based(format, clause, value);
    }
}

/* One clause, behind its percent sign. */
static bool one_clause(struct format *format, struct weir_str text, size_t *at, size_t *argument)
{
    struct weir_run *run = format->call->run;
    const struct weir_expr_value *list = &format->call->args[1];
    int precision = -1;
    if (!read_precision(format, text, at, &precision)) {
        return false;
    }
    char clause = *at < text.n ? text.p[*at] : '\0';
    if (clause == '\0' || strchr("sdfebxXo", clause) == NULL) {
        return weir_run_fail(run, "format(): unrecognized clause '%%%c'",
                clause > ' ' && clause < 127 ? clause : '?');
    }
    (*at)++;
    if (*argument >= weir_expr_count(list)) {
        return weir_run_fail(run, "format(): there is no argument %zu", *argument);
    }
    struct weir_expr_value value = weir_expr_at(list, (*argument)++);
    return show_clause(format, clause, precision, &value);
}

static bool run_format(struct format *format)
{
    struct weir_str text = format->call->args[0].as.str;
    size_t argument = 0;
    for (size_t at = 0; at < text.n;) {
        char c = text.p[at++];
        if (c != '%') {
            weir_buf_byte(&format->out, c);
        } else if (at < text.n && text.p[at] == '%') {
            weir_buf_byte(&format->out, '%');
            at++;
        } else if (!one_clause(format, text, &at, &argument)) {
            return false;
        }
    }
    return true;
}

bool weir_fn_format(const struct weir_call *call, struct weir_expr_value *ret)
{
    uint8_t list = call->args[1].kind;
    if (call->args[0].kind != WEIR_EXPR_STRING ||
            (list != WEIR_EXPR_LIST && list != WEIR_EXPR_SET)) {
        return weir_call_no_overload(call);
    }
    struct format format = { .call = call };
    weir_buf_init(&format.out, WEIR_EXPR_DEFAULT_BYTES);
    bool ok = run_format(&format) && weir_run_pay(call->run, format.out.n / 16);
    if (ok && format.out.overflow) {
        ok = weir_run_fail_limit(call->run, "bytes of memory");
    }
    if (ok) {
        char *copy = weir_run_alloc(call->run, format.out.n);
        ok = copy != NULL;
        if (ok && format.out.n > 0) {
            memcpy(copy, format.out.p, format.out.n);
        }
        weir_set_string(ret, weir_str(copy, format.out.n));
    }
    weir_buf_fini(&format.out);
    return ok;
}
