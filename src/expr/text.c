#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr/expr_int.h"

/* Text forms of values, and UTF-8. */

/* --- UTF-8 --------------------------------------------------------------- */

size_t weir_utf8_count(struct weir_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.n; i++) {
        count += ((unsigned char)text.p[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

static size_t sequence_length(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t weir_utf8_offset(struct weir_str text, size_t n)
{
    size_t at = 0;
    for (; n > 0; n--) {
        if (at >= text.n) {
            return SIZE_MAX;
        }
        at += sequence_length((unsigned char)text.p[at]);
    }
    return at;
}

uint32_t weir_utf8_next(struct weir_str text, size_t *at)
{
    unsigned char first = (unsigned char)text.p[*at];
    size_t length = sequence_length(first);
    uint32_t point = length == 1 ? first : first & (0x7fU >> length);
    for (size_t i = 1; i < length && *at + i < text.n; i++) {
        point = (point << 6) | ((unsigned char)text.p[*at + i] & 0x3f);
    }
    *at += length;
    return point;
}

size_t weir_utf8_put(uint32_t point, char out[static 4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | (point >> 6));
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | (point >> 12));
        out[1] = (char)(0x80 | ((point >> 6) & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (point >> 18));
    out[1] = (char)(0x80 | ((point >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((point >> 6) & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* --- doubles ------------------------------------------------------------- */

/* Plain notation of digits d.ddd * 10^exponent, for exponents from -4 to 20. */
static size_t plain_notation(const char *digits, size_t count, int exponent, char *out)
{
    size_t n = 0;
    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = -1; i > exponent; i--) {
            out[n++] = '0';
        }
    }
    for (size_t i = 0; i < count || (int)i <= exponent; i++) {
        out[n++] = i < count ? digits[i] : '0';
        if ((int)i == exponent && i + 1 < count) {
            out[n++] = '.';
        }
    }
    return n;
}

size_t weir_double_format(double value, char text[static WEIR_DOUBLE_TEXT])
{
    if (isnan(value)) {
        return (size_t)snprintf(text, WEIR_DOUBLE_TEXT, "NaN");
    }
    if (isinf(value)) {
        return (size_t)snprintf(text, WEIR_DOUBLE_TEXT, value < 0 ? "-Infinity" : "Infinity");
    }
    char scientific[WEIR_DOUBLE_TEXT];
    /* What reads back from 15 digits is shortest without its trailing zeros, but for subnormals. */
    for (int precision = fabs(value) < 0x1p-1021 ? 0 : 14; precision <= 17; precision++) {
        snprintf(scientific, sizeof(scientific), "%.*e", precision, value);
        if (strtod(scientific, NULL) == value) {
            break;
        }
    }
    char *e = strchr(scientific, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    char digits[24] = "0";
    size_t count = 0;
    for (const char *p = scientific; p < e && count < sizeof(digits); p++) {
        if (*p >= '0' && *p <= '9') {
            digits[count++] = *p;
        }
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    size_t n = 0;
    if (signbit(value)) {
        text[n++] = '-';
    }
    if (exponent >= -4 && exponent < 21) {
        n += plain_notation(digits, count, exponent, text + n);
        text[n] = '\0';
        return n;
    }
    text[n++] = digits[0];
    if (count > 1) {
        text[n++] = '.';
        memcpy(text + n, digits + 1, count - 1);
        n += count - 1;
    }
    return n + (size_t)snprintf(text + n, WEIR_DOUBLE_TEXT - n, "e%c%02d", exponent < 0 ? '-' : '+',
                       abs(exponent));
}

/* --- string() ------------------------------------------------------------ */

enum text_result {
    TEXT_OK,
    TEXT_NOT_UTF8,
    TEXT_NONE, /* the kind has no text form */
};

enum { SHORT_TEXT = WEIR_DECIMAL_TEXT };

/* Format a scalar into a buffer, or point at text that is there already. */
static enum text_result value_text(
        const struct weir_expr_value *value, char buffer[static SHORT_TEXT], struct weir_str *ret)
{
    size_t n = 0;
    switch (value->kind) {
    case WEIR_EXPR_STRING:
        *ret = value->as.str;
        return TEXT_OK;
    case WEIR_EXPR_BYTES:
        *ret = value->as.str;
        return weir_str_is_utf8(value->as.str) ? TEXT_OK : TEXT_NOT_UTF8;
    case WEIR_EXPR_BOOL:
        *ret = value->as.boolean ? WEIR_STR("true") : WEIR_STR("false");
        return TEXT_OK;
    case WEIR_EXPR_INT:
        n = (size_t)snprintf(buffer, SHORT_TEXT, "%lld", (long long)value->as.integer);
        break;
    case WEIR_EXPR_UINT:
        n = (size_t)snprintf(buffer, SHORT_TEXT, "%llu", (unsigned long long)value->as.natural);
        break;
    case WEIR_EXPR_DOUBLE:
        n = weir_double_format(value->as.real, buffer);
        break;
    case WEIR_EXPR_DECIMAL:
        n = weir_decimal_format(weir_expr_value_decimal(value), buffer);
        break;
    case WEIR_EXPR_TIMESTAMP:
        n = weir_timestamp_format((struct weir_moment){ value->as.integer, value->scale }, buffer);
        break;
    case WEIR_EXPR_DURATION:
        n = weir_duration_format(value->as.integer, buffer);
        break;
    case WEIR_EXPR_IP:
    case WEIR_EXPR_CIDR:
        n = weir_ip_format(value, buffer);
        break;
    default:
        return TEXT_NONE;
    }
    *ret = weir_str(buffer, n);
    return TEXT_OK;
}

bool weir_value_text(
        struct weir_run *run, const struct weir_expr_value *value, struct weir_str *ret_text)
{
    char buffer[SHORT_TEXT];
    struct weir_str text = { 0 };
    switch (value_text(value, buffer, &text)) {
    case TEXT_OK:
        break;
    case TEXT_NOT_UTF8:
        return weir_run_fail(run, "bytes are not valid UTF-8; use base64.encode()");
    case TEXT_NONE:
        return weir_run_fail(run, "no such overload: string(%s)",
                weir_expr_kind_name((enum weir_expr_kind)value->kind));
    }
    if (text.p == buffer) {
        char *copy = weir_run_alloc(run, text.n);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, text.p, text.n);
        text.p = copy;
    }
    *ret_text = text;
    return true;
}

enum weir_rc weir_expr_text(struct weir_arena *arena, const struct weir_expr_value *value,
        struct weir_str *ret_text, struct weir_err *err)
{
    char buffer[SHORT_TEXT];
    struct weir_str text = { 0 };
    switch (value_text(value, buffer, &text)) {
    case TEXT_OK:
        *ret_text = text.p == buffer ? weir_arena_str(arena, text) : text;
        return WEIR_OK;
    case TEXT_NOT_UTF8:
        return weir_fail(err, WEIR_E_INVALID, "bytes are not valid UTF-8");
    case TEXT_NONE:
        break;
    }
    return weir_fail(err, WEIR_E_INVALID, "a value of type %s has no text form",
            weir_expr_kind_name((enum weir_expr_kind)value->kind));
}
