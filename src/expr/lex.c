#include "expr/expr_int.h"

/* Tokens. The source is valid UTF-8 (checked before); identifiers are ASCII. */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte at an offset, 0 behind the end. */
static char peek(const struct weir_lexer *lexer, size_t at)
{
    return at < lexer->text.n ? lexer->text.p[at] : '\0';
}

static void skip_blank(struct weir_lexer *lexer)
{
    for (;;) {
        char c = peek(lexer, lexer->at);
        if (lexer->at >= lexer->text.n) {
            return;
        }
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            lexer->at++;
        } else if (c == '/' && peek(lexer, lexer->at + 1) == '/') {
            while (lexer->at < lexer->text.n && lexer->text.p[lexer->at] != '\n') {
                lexer->at++;
            }
        } else {
            return;
        }
    }
}

/* --- strings ------------------------------------------------------------- */

struct string_form {
    bool raw;
    bool bytes;
    char quote;
    bool triple;
};

/* Read exactly count digits of a base at *at. */
static bool read_digits(
        const struct weir_lexer *lexer, size_t *at, int count, int base, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        int digit = hex_value(peek(lexer, *at));
        if (digit < 0 || digit >= base || *at >= lexer->text.n) {
            return false;
        }
        value = value * (uint32_t)base + (uint32_t)digit;
        (*at)++;
    }
    *ret_value = value;
    return true;
}

static size_t put_unit(char *out, uint32_t value, bool as_byte)
{
    if (as_byte) {
        out[0] = (char)value;
        return 1;
    }
    return weir_utf8_put(value, out);
}

static const char simple_escapes[] = "a\ab\bf\fn\nr\rt\tv\v\\\\??\"\"''``";

/* Decode the escape whose backslash is at *at; moves behind it. Returns bytes written, 0 on error.
 */
static size_t decode_escape(
        const struct weir_lexer *lexer, size_t *at, bool bytes, char out[static 4])
{
    char c = peek(lexer, *at + 1);
    for (size_t i = 0; i + 1 < sizeof(simple_escapes); i += 2) {
        if (simple_escapes[i] == c && c != '\0') {
            *at += 2;
            out[0] = simple_escapes[i + 1];
            return 1;
        }
    }
    uint32_t value = 0;
    bool ok = false;
    if (c == 'x' || c == 'X') {
        *at += 2;
        ok = read_digits(lexer, at, 2, 16, &value);
    } else if (c >= '0' && c <= '3') {
        *at += 1;
        ok = read_digits(lexer, at, 3, 8, &value);
    } else if ((c == 'u' || c == 'U') && !bytes) {
        *at += 2;
        ok = read_digits(lexer, at, c == 'u' ? 4 : 8, 16, &value) && value <= 0x10ffff &&
             !(value >= 0xd800 && value <= 0xdfff);
    }
    return ok ? put_unit(out, value, bytes) : 0;
}

/* Whether the closing quote stands at an offset. */
static bool closes(const struct weir_lexer *lexer, size_t at, const struct string_form *form)
{
    if (peek(lexer, at) != form->quote) {
        return false;
    }
    return !form->triple ||
           (peek(lexer, at + 1) == form->quote && peek(lexer, at + 2) == form->quote);
}

/* The offset of the closing quote of a string whose content begins at `at`; the text's length if
 * none. */
static size_t find_close(const struct weir_lexer *lexer, size_t at, const struct string_form *form)
{
    while (at < lexer->text.n && !closes(lexer, at, form)) {
        at += lexer->text.p[at] == '\\' && !form->raw ? 2 : 1;
    }
    return at < lexer->text.n ? at : lexer->text.n;
}

/* Decode source bytes up to `end`; decoding never makes a string longer. */
static enum weir_rc decode_string(struct weir_lexer *lexer, const struct string_form *form,
        size_t at, size_t end, struct weir_token *ret, struct weir_err *err)
{
    char *out = weir_arena_alloc(lexer->arena, end - at + 4);
    size_t n = 0;
    while (at < end) {
        char c = lexer->text.p[at];
        if ((c == '\n' || c == '\r') && !form->triple) {
            return weir_fail_at(
                    err, WEIR_E_INVALID, at, "line break inside a string; use \\n or three quotes");
        }
        if (c == '\\' && !form->raw) {
            size_t from = at;
            size_t written = decode_escape(lexer, &at, form->bytes, out + n);
            if (written == 0 || at > end) {
                return weir_fail_at(
                        err, WEIR_E_INVALID, from, "invalid escape '\\%c'", peek(lexer, from + 1));
            }
            n += written;
        } else {
            out[n++] = c;
            at++;
        }
    }
    ret->text = weir_str(out, n);
    return WEIR_OK;
}

/* Read a string whose first quote is at lexer->at. */
static enum weir_rc read_string(struct weir_lexer *lexer, struct string_form form,
        struct weir_token *ret, struct weir_err *err)
{
    size_t at = lexer->at;
    form.quote = peek(lexer, at);
    form.triple = peek(lexer, at + 1) == form.quote && peek(lexer, at + 2) == form.quote;
    size_t quotes = form.triple ? 3 : 1;
    size_t end = find_close(lexer, at + quotes, &form);
    if (end == lexer->text.n) {
        return weir_fail_at(err, WEIR_E_INVALID, ret->pos, "string without a closing %s%c",
                form.triple ? "triple " : "", form.quote);
    }
    lexer->at = end + quotes;
    ret->kind = form.bytes ? WEIR_TOKEN_BYTES : WEIR_TOKEN_STRING;
    return decode_string(lexer, &form, at + quotes, end, ret, err);
}

/* Whether a string begins here, perhaps behind a prefix; *ret_prefix is its length. */
static bool string_begins(
        const struct weir_lexer *lexer, struct string_form *ret_form, size_t *ret_prefix)
{
    struct string_form form = { 0 };
    size_t at = lexer->at;
    char c = peek(lexer, at);
    if (c == 'b' || c == 'B') {
        form.bytes = true;
        c = peek(lexer, ++at);
    }
    if (c == 'r' || c == 'R') {
        form.raw = true;
        c = peek(lexer, ++at);
    }
    if (c != '"' && c != '\'') {
        return false;
    }
    *ret_form = form;
    *ret_prefix = at - lexer->at;
    return true;
}

/* --- numbers ------------------------------------------------------------- */

static enum weir_rc finish_int(struct weir_lexer *lexer, size_t from, int base,
        struct weir_token *ret, struct weir_err *err)
{
    uint64_t value = 0;
    bool overflow = from == lexer->at;
    for (size_t i = from; i < lexer->at; i++) {
        overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value) ||
                    __builtin_add_overflow(value, (uint64_t)hex_value(lexer->text.p[i]), &value);
    }
    if (overflow) {
        return weir_fail_at(err, WEIR_E_INVALID, ret->pos, "number '%.*s' is not a 64-bit integer",
                (int)(lexer->at - ret->pos), lexer->text.p + ret->pos);
    }
    ret->kind = WEIR_TOKEN_INT;
    ret->number = value;
    char suffix = peek(lexer, lexer->at);
    if (suffix == 'u' || suffix == 'U') {
        ret->kind = WEIR_TOKEN_UINT;
        lexer->at++;
    }
    return WEIR_OK;
}

static void skip_digits(struct weir_lexer *lexer)
{
    while (is_digit(peek(lexer, lexer->at))) {
        lexer->at++;
    }
}

/* Move over `.digits` and an exponent; false when neither is there. */
static bool skip_fraction(struct weir_lexer *lexer)
{
    bool is_float = false;
    if (peek(lexer, lexer->at) == '.' && is_digit(peek(lexer, lexer->at + 1))) {
        is_float = true;
        lexer->at++;
        skip_digits(lexer);
    }
    char e = peek(lexer, lexer->at);
    if (e == 'e' || e == 'E') {
        char sign = peek(lexer, lexer->at + 1);
        size_t digits = lexer->at + (sign == '+' || sign == '-' ? 2 : 1);
        if (is_digit(peek(lexer, digits))) {
            is_float = true;
            lexer->at = digits;
            skip_digits(lexer);
        }
    }
    return is_float;
}

static enum weir_rc read_number(
        struct weir_lexer *lexer, struct weir_token *ret, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    size_t from = lexer->at;
    char second = peek(lexer, from + 1);
    if (lexer->text.p[from] == '0' && (second == 'x' || second == 'X')) {
        lexer->at += 2;
        while (hex_value(peek(lexer, lexer->at)) >= 0) {
            lexer->at++;
        }
        rc = finish_int(lexer, from + 2, 16, ret, err);
    } else {
        skip_digits(lexer);
        if (skip_fraction(lexer)) {
            ret->kind = WEIR_TOKEN_FLOAT;
            ret->text = weir_str(lexer->text.p + from, lexer->at - from);
        } else {
            rc = finish_int(lexer, from, 10, ret, err);
        }
    }
    if (rc == WEIR_OK && (is_letter(peek(lexer, lexer->at)) || is_digit(peek(lexer, lexer->at)))) {
        return weir_fail_at(err, WEIR_E_INVALID, lexer->at, "unexpected '%c' behind a number",
                peek(lexer, lexer->at));
    }
    return rc;
}

/* --- the rest ------------------------------------------------------------ */

static enum weir_rc read_quoted(
        struct weir_lexer *lexer, struct weir_token *ret, struct weir_err *err)
{
    size_t from = lexer->at + 1;
    size_t at = from;
    for (;; at++) {
        char c = peek(lexer, at);
        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr(".-/ ", c) == NULL)) {
            break;
        }
    }
    if (peek(lexer, at) != '`' || at == from) {
        return weir_fail_at(err, WEIR_E_INVALID, ret->pos,
                "expected `name` of letters, digits, '_', '.', '-', '/' and spaces");
    }
    ret->kind = WEIR_TOKEN_QUOTED;
    ret->text = weir_str(lexer->text.p + from, at - from);
    lexer->at = at + 1;
    return WEIR_OK;
}

static enum weir_rc read_punct(
        struct weir_lexer *lexer, struct weir_token *ret, struct weir_err *err)
{
    static const char pairs[][3] = { "==", "!=", "<=", ">=", "&&", "||" };
    char c = lexer->text.p[lexer->at];
    char next = peek(lexer, lexer->at + 1);
    ret->kind = WEIR_TOKEN_PUNCT;
    for (size_t i = 0; i < WEIR_COUNT(pairs); i++) {
        if (pairs[i][0] == c && pairs[i][1] == next) {
            ret->punct = WEIR_PUNCT(c, next);
            lexer->at += 2;
            return WEIR_OK;
        }
    }
    if (c == '\0' || strchr("()[]{}<>?:,.+-*/%!", c) == NULL) {
        const char *hint = c == '='   ? "; to compare, write =="
                           : c == '&' ? "; 'and' is written &&"
                           : c == '|' ? "; 'or' is written ||"
                                      : "";
        return weir_fail_at(err, WEIR_E_INVALID, lexer->at, "unexpected character '%c'%s",
                c >= ' ' && c < 127 ? c : '?', hint);
    }
    ret->punct = (unsigned char)c;
    lexer->at++;
    return WEIR_OK;
}

static enum weir_rc read_token(
        struct weir_lexer *lexer, struct weir_token *ret, struct weir_err *err)
{
    struct string_form form;
    size_t prefix = 0;
    char c = lexer->text.p[lexer->at];
    if (string_begins(lexer, &form, &prefix)) {
        lexer->at += prefix;
        return read_string(lexer, form, ret, err);
    }
    if (is_letter(c)) {
        size_t from = lexer->at;
        while (is_letter(peek(lexer, lexer->at)) || is_digit(peek(lexer, lexer->at))) {
            lexer->at++;
        }
        ret->kind = WEIR_TOKEN_IDENT;
        ret->text = weir_str(lexer->text.p + from, lexer->at - from);
        return WEIR_OK;
    }
    if (is_digit(c) || (c == '.' && is_digit(peek(lexer, lexer->at + 1)))) {
        return read_number(lexer, ret, err);
    }
    return c == '`' ? read_quoted(lexer, ret, err) : read_punct(lexer, ret, err);
}

enum weir_rc weir_lex_next(
        struct weir_lexer *lexer, struct weir_token *ret_token, struct weir_err *err)
{
    skip_blank(lexer);
    *ret_token = (struct weir_token){ .kind = WEIR_TOKEN_END, .pos = lexer->at };
    enum weir_rc rc = WEIR_OK;
    if (lexer->at < lexer->text.n) {
        rc = read_token(lexer, ret_token, err);
    }
    ret_token->end = lexer->at;
    return rc;
}
