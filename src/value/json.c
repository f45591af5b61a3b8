#include "value/json.h"

#include <string.h>

#ifdef __SSE2__
#    include <emmintrin.h>
#endif

/* What may come next. */
enum expect {
    EXPECT_VALUE,         /* a value */
    EXPECT_FIRST_ELEMENT, /* a value, or the end of an array that is still empty */
    EXPECT_FIRST_NAME,    /* a name, or the end of an object that is still empty */
    EXPECT_MORE,          /* a comma, or the end of the innermost array or object */
    EXPECT_END,           /* nothing more */
    EXPECT_NOTHING,       /* the end was handed out, or an error */
};

static const char *const token_names[] = { "an error", "the end", "an object",
    "the end of an object", "an array", "the end of an array", "a name", "a string", "a number",
    "true", "false", "null" };

const char *weir_json_token_name(enum weir_json_token token)
{
    return (size_t)token < WEIR_COUNT(token_names) ? token_names[token] : "";
}

void weir_json_init(
        struct weir_json *json, struct weir_str input, struct weir_arena *arena, unsigned max_depth)
{
    weir_assert(max_depth <= WEIR_JSON_MAX_DEPTH);
    json->input = input;
    json->arena = arena;
    json->text = weir_str("", 0);
    json->pos = 0;
    json->at = 0;
    json->depth = 0;
    json->max_depth = max_depth;
    json->err.code = WEIR_OK;
    json->err.pos = 0;
    json->err.msg[0] = '\0';
    json->expect = EXPECT_VALUE;
}

/* --- errors ------------------------------------------------------------- */

static enum weir_json_token stop(struct weir_json *json)
{
    json->expect = EXPECT_NOTHING;
    json->text = weir_str("", 0);
    return WEIR_JSON_ERROR;
}

static enum weir_json_token fail(struct weir_json *json, size_t at, const char *what)
{
    json->pos = at;
    (void)weir_fail_at(&json->err, WEIR_E_INVALID, at, "%s", what);
    return stop(json);
}

/* "expected X, found Y", where Y is what stands at a position. */
static enum weir_json_token fail_expected(struct weir_json *json, size_t at, const char *expected)
{
    json->pos = at;
    unsigned char c = at < json->input.n ? (unsigned char)json->input.p[at] : 0;
    if (at >= json->input.n) {
        (void)weir_fail_at(
                &json->err, WEIR_E_INVALID, at, "expected %s, found the end of the text", expected);
    } else if (c >= 0x20 && c < 0x7f) {
        (void)weir_fail_at(&json->err, WEIR_E_INVALID, at, "expected %s, found '%c'", expected, c);
    } else {
        (void)weir_fail_at(
                &json->err, WEIR_E_INVALID, at, "expected %s, found byte 0x%02x", expected, c);
    }
    return stop(json);
}

/* --- strings ------------------------------------------------------------ */

/* The position from `at` on of the next quote, backslash or control byte; the end if none. */
static inline size_t scan_string(struct weir_str input, size_t at, bool *ret_high)
{
    const unsigned char *p = (const unsigned char *)input.p;
    bool high = false;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    while (input.n - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        __m128i stops = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                _mm_cmpeq_epi8(_mm_max_epu8(bytes, control), control));
        unsigned mask = (unsigned)_mm_movemask_epi8(stops);
        unsigned high_mask = (unsigned)_mm_movemask_epi8(bytes);
        if (mask != 0) {
            unsigned n = (unsigned)__builtin_ctz(mask);
            *ret_high |= high || (high_mask & ((1u << n) - 1)) != 0;
            return at + n;
        }
        high |= high_mask != 0;
        at += 16;
    }
#else
    const uint64_t ones = 0x0101010101010101ull;
    const uint64_t tops = 0x8080808080808080ull;
    while (input.n - at >= 8) {
        uint64_t word = 0;
        memcpy(&word, p + at, 8);
        uint64_t quote = word ^ (ones * '"');
        uint64_t backslash = word ^ (ones * '\\');
        uint64_t stops = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                         ((word - ones * 0x20) & ~word);
        if ((stops & tops) != 0) {
            break;
        }
        high |= (word & tops) != 0;
        at += 8;
    }
#endif
    while (at < input.n && p[at] != '"' && p[at] != '\\' && p[at] >= 0x20) {
        high |= p[at] >= 0x80;
        at++;
    }
    *ret_high |= high;
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The 16 bits of \uXXXX at a position; -1 when it is not that. */
static int32_t read_escape16(struct weir_str input, size_t at)
{
    int32_t code = 0;
    if (input.n - at < 6 || input.p[at] != '\\' || input.p[at + 1] != 'u') {
        return -1;
    }
    for (size_t i = 2; i < 6; i++) {
        int digit = hex_digit(input.p[at + i]);
        if (digit < 0) {
            return -1;
        }
        code = code << 4 | digit;
    }
    return code;
}

static size_t put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/*
 * Decode the escape at a position into out; returns the bytes written, 0 when it
 * is not an escape. No escape is shorter than what it stands for.
 */
static size_t decode_escape(struct weir_str input, size_t at, char *out, size_t *ret_length)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    if (input.n - at < 2) {
        return 0;
    }
    char c = input.p[at + 1];
    if (c != 'u') {
        const char *found = c != '\0' ? strchr(from, c) : NULL;
        if (found == NULL) {
            return 0;
        }
        *out = to[found - from];
        *ret_length = 2;
        return 1;
    }
    int32_t code = read_escape16(input, at);
    *ret_length = 6;
    if (code >= 0xd800 && code <= 0xdbff) {
        int32_t low = read_escape16(input, at + 6);
        if (low < 0xdc00 || low > 0xdfff) {
            return 0;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        *ret_length = 12;
    } else if (code < 0 || (code >= 0xdc00 && code <= 0xdfff)) {
        return 0;
    }
    return put_utf8(out, (uint32_t)code);
}

/* The closing quote of a string whose bytes are good up to `at`; the end when it is missing. */
static size_t find_quote(struct weir_str input, size_t at)
{
    bool high = false;
    while (at < input.n && input.p[at] != '"') {
        size_t skip = input.p[at] == '\\' ? 2 : 1; /* a quote behind a backslash ends nothing */
        if (skip > input.n - at) {
            return input.n;
        }
        at = scan_string(input, at + skip, &high);
    }
    return at;
}

/* Read a string with escapes, the first of which is at `at`; first is behind the quote. */
static bool read_escaped(struct weir_json *json, size_t first, size_t at, bool *high)
{
    struct weir_str input = json->input;
    char *out = weir_arena_alloc(json->arena, find_quote(input, at) - first + 1);
    size_t n = 0;
    size_t begin = first; /* of bytes that are not copied yet */
    while (at < input.n && input.p[at] == '\\') {
        memcpy(out + n, input.p + begin, at - begin);
        n += at - begin;
        size_t length = 0;
        size_t wrote = decode_escape(input, at, out + n, &length);
        if (wrote == 0) {
            fail(json, at, "expected an escape that JSON has, and surrogates in pairs");
            return false;
        }
        n += wrote;
        at += length;
        begin = at;
        at = scan_string(input, at, high);
    }
    if (at < input.n && input.p[at] == '"') {
        memcpy(out + n, input.p + begin, at - begin);
        n += at - begin;
    }
    json->text = weir_str(out, n);
    json->at = at;
    return true;
}

/* Read the string whose quote is at json->at into json->text; false with the error set. */
static bool read_string(struct weir_json *json)
{
    struct weir_str input = json->input;
    size_t first = json->at + 1;
    bool high = false;
    size_t at = scan_string(input, first, &high);
    if (at < input.n && input.p[at] == '\\') {
        if (!read_escaped(json, first, at, &high)) {
            return false;
        }
        at = json->at;
    } else {
        json->text = weir_str(input.p + first, at - first);
    }
    if (at >= input.n || input.p[at] != '"') {
        fail_expected(json, at, "the quote that ends a string");
        return false;
    }
    /* Escapes stand between whole characters, so checking the raw text is as good. */
    if (high && !weir_str_is_utf8(weir_str(input.p + first, at - first))) {
        fail(json, first - 1, "expected UTF-8, found other bytes in a string");
        return false;
    }
    json->at = at + 1;
    return true;
}

/* --- tokens ------------------------------------------------------------- */

static inline bool is_digit(struct weir_str input, size_t at)
{
    return at < input.n && input.p[at] >= '0' && input.p[at] <= '9';
}

static size_t skip_digits(struct weir_str input, size_t at)
{
    while (is_digit(input, at)) {
        at++;
    }
    return at;
}

static enum weir_json_token read_number(struct weir_json *json)
{
    struct weir_str input = json->input;
    size_t at = json->at + (input.p[json->at] == '-');
    if (!is_digit(input, at)) {
        return fail_expected(json, at, "a digit");
    }
    if (input.p[at] == '0' && is_digit(input, at + 1)) {
        return fail(json, at, "expected a number without leading zeros");
    }
    at = skip_digits(input, at);
    if (at < input.n && input.p[at] == '.') {
        if (!is_digit(input, at + 1)) {
            return fail_expected(json, at + 1, "a digit behind the point");
        }
        at = skip_digits(input, at + 1);
    }
    if (at < input.n && (input.p[at] == 'e' || input.p[at] == 'E')) {
        at++;
        at += at < input.n && (input.p[at] == '+' || input.p[at] == '-');
        if (!is_digit(input, at)) {
            return fail_expected(json, at, "a digit of an exponent");
        }
        at = skip_digits(input, at);
    }
    json->text = weir_str(input.p + json->at, at - json->at);
    json->at = at;
    return WEIR_JSON_NUMBER;
}

static enum weir_json_token read_word(
        struct weir_json *json, struct weir_str word, enum weir_json_token token)
{
    struct weir_str rest = weir_str(json->input.p + json->at, json->input.n - json->at);
    if (!weir_str_starts(rest, word)) {
        return fail_expected(json, json->at, "a value");
    }
    json->at += word.n;
    return token;
}

/* Begin an array or object. */
static enum weir_json_token enter(struct weir_json *json, bool object)
{
    if (json->depth >= json->max_depth) {
        json->pos = json->at;
        (void)weir_fail_at(&json->err, WEIR_E_INVALID, json->at,
                "expected at most %u levels of arrays and objects", json->max_depth);
        return stop(json);
    }
    unsigned char bit = (unsigned char)(1u << (json->depth & 7));
    unsigned char *kind = &json->kinds[json->depth >> 3];
    *kind = (unsigned char)(object ? *kind | bit : *kind & ~bit);
    json->depth++;
    json->at++;
    json->expect = object ? EXPECT_FIRST_NAME : EXPECT_FIRST_ELEMENT;
    return object ? WEIR_JSON_OBJECT : WEIR_JSON_ARRAY;
}

static inline bool in_object(const struct weir_json *json)
{
    unsigned level = json->depth - 1;
    return (json->kinds[level >> 3] >> (level & 7) & 1) != 0;
}

static enum weir_json_token leave(struct weir_json *json)
{
    bool object = in_object(json);
    json->depth--;
    json->at++;
    json->expect = json->depth > 0 ? EXPECT_MORE : EXPECT_END;
    return object ? WEIR_JSON_OBJECT_END : WEIR_JSON_ARRAY_END;
}

static inline void skip_space(struct weir_json *json)
{
    const char *p = json->input.p;
    size_t at = json->at;
    while (at < json->input.n &&
            (p[at] == ' ' || p[at] == '\n' || p[at] == '\t' || p[at] == '\r')) {
        at++;
    }
    json->at = at;
}

/* The byte at json->at, zero at the end. */
static inline char peek(const struct weir_json *json)
{
    return (char)(json->at < json->input.n ? json->input.p[json->at] : 0);
}

/* The value at json->at. */
static enum weir_json_token read_value(struct weir_json *json)
{
    char c = peek(json);
    json->expect = json->depth > 0 ? EXPECT_MORE : EXPECT_END;
    switch (c) {
    case '"':
        return read_string(json) ? WEIR_JSON_STRING : WEIR_JSON_ERROR;
    case '{':
        return enter(json, true);
    case '[':
        return enter(json, false);
    case 't':
        return read_word(json, WEIR_STR("true"), WEIR_JSON_TRUE);
    case 'f':
        return read_word(json, WEIR_STR("false"), WEIR_JSON_FALSE);
    case 'n':
        return read_word(json, WEIR_STR("null"), WEIR_JSON_NULL);
    default:
        if (c == '-' || is_digit(json->input, json->at)) {
            return read_number(json);
        }
        return fail_expected(json, json->at, "a value");
    }
}

/* The name at json->at, and the colon behind it. */
static enum weir_json_token read_name(struct weir_json *json, const char *expected)
{
    if (json->at >= json->input.n || json->input.p[json->at] != '"') {
        return fail_expected(json, json->at, expected);
    }
    if (!read_string(json)) {
        return WEIR_JSON_ERROR;
    }
    skip_space(json);
    if (json->at >= json->input.n || json->input.p[json->at] != ':') {
        return fail_expected(json, json->at, "':'");
    }
    json->at++;
    json->expect = EXPECT_VALUE;
    return WEIR_JSON_NAME;
}

/* What follows an element or member. */
static enum weir_json_token read_more(struct weir_json *json, char c)
{
    bool object = in_object(json);
    if (c == (object ? '}' : ']')) {
        return leave(json);
    }
    if (c != ',') {
        return fail_expected(json, json->at, object ? "',' or '}'" : "',' or ']'");
    }
    json->at++;
    skip_space(json);
    json->pos = json->at;
    return object ? read_name(json, "a name") : read_value(json);
}

enum weir_json_token weir_json_next(struct weir_json *json)
{
    skip_space(json);
    char c = peek(json);
    if (json->expect != EXPECT_NOTHING) {
        json->pos = json->at;
    }
    switch ((enum expect)json->expect) {
    case EXPECT_FIRST_ELEMENT:
        return c == ']' ? leave(json) : read_value(json);
    case EXPECT_VALUE:
        return read_value(json);
    case EXPECT_FIRST_NAME:
        return c == '}' ? leave(json) : read_name(json, "a name or '}'");
    case EXPECT_MORE:
        return read_more(json, c);
    case EXPECT_END:
        if (json->at < json->input.n) {
            return fail_expected(json, json->at, "the end of the text");
        }
        json->expect = EXPECT_NOTHING;
        return WEIR_JSON_END;
    case EXPECT_NOTHING:
        break;
    }
    return json->err.code != WEIR_OK ? WEIR_JSON_ERROR : WEIR_JSON_END;
}

/* --- skipping ----------------------------------------------------------- */

/*
 * Skipping reads most of what passes, so the plain case has a loop of its own
 * that keeps its place in registers: texts without escapes or bytes beyond
 * ASCII, and no space between tokens. It moves on by whole members and
 * elements; at anything else it stops, and weir_json_next goes on from there
 * and finds the errors.
 */

/* Behind a plain string whose quote is at `at`; 0: it is not plain. */
static inline size_t pass_string(struct weir_str input, size_t at)
{
    bool high = false;
    size_t end = scan_string(input, at + 1, &high);
    return end < input.n && input.p[end] == '"' && !high ? end + 1 : 0;
}

/* Behind digits with perhaps a point between, at `at`; 0: it is no such number. */
static inline size_t pass_number(struct weir_str input, size_t at)
{
    if (input.p[at] == '0' && is_digit(input, at + 1)) {
        return 0;
    }
    at = skip_digits(input, at);
    if (at < input.n && input.p[at] == '.') {
        at = is_digit(input, at + 1) ? skip_digits(input, at + 1) : 0;
    }
    return at < input.n && (input.p[at] | 0x20) != 'e' ? at : 0;
}

static inline size_t pass_word(struct weir_str input, size_t at, const char *word, size_t n)
{
    return input.n - at >= n && memcmp(input.p + at, word, n) == 0 ? at + n : 0;
}

/* Behind the plain value at `at` that is no array or object; 0: it is something else. */
static inline size_t pass_scalar(struct weir_str input, size_t at)
{
    switch (input.p[at]) {
    case '"':
        return pass_string(input, at);
    case 't':
        return pass_word(input, at, "true", 4);
    case 'f':
        return pass_word(input, at, "false", 5);
    case 'n':
        return pass_word(input, at, "null", 4);
    default:
        return is_digit(input, at) ? pass_number(input, at) : 0;
    }
}

/* Behind the comma and the name that come before a value; 0: they are not plain. */
static inline size_t pass_lead(struct weir_str input, size_t at, bool comma, bool object)
{
    if (comma && input.p[at++] != ',') {
        return 0;
    }
    if (object) {
        at = at < input.n && input.p[at] == '"' ? pass_string(input, at) : 0;
        if (at == 0 || at >= input.n || input.p[at++] != ':') {
            return 0;
        }
    }
    return at < input.n ? at : 0;
}

/* Skip plain members and elements until depth levels are left. */
static void skip_plain(struct weir_json *json, unsigned depth)
{
    struct weir_str input = json->input;
    bool object = in_object(json);
    if (json->expect == EXPECT_VALUE) { /* behind a name */
        return;
    }
    while (json->at < input.n) {
        char c = input.p[json->at];
        if (c == (object ? '}' : ']')) {
            leave(json);
            if (json->depth == depth) {
                return;
            }
            object = in_object(json);
            continue;
        }
        size_t at = pass_lead(input, json->at, json->expect == EXPECT_MORE, object);
        if (at == 0) {
            return;
        }
        c = input.p[at];
        if (c == '{' || c == '[') {
            if (json->depth >= json->max_depth) {
                return;
            }
            json->at = at;
            object = enter(json, c == '{') == WEIR_JSON_OBJECT;
            continue;
        }
        at = pass_scalar(input, at);
        if (at == 0) {
            return;
        }
        json->at = at;
        json->expect = EXPECT_MORE;
    }
}

enum weir_rc weir_json_skip(
        struct weir_json *json, enum weir_json_token token, struct weir_err *err)
{
    if (token == WEIR_JSON_NAME) {
        size_t at = json->at < json->input.n ? pass_scalar(json->input, json->at) : 0;
        if (at != 0) {
            json->pos = json->at;
            json->at = at;
            json->expect = EXPECT_MORE;
            return WEIR_OK;
        }
        token = weir_json_next(json);
    }
    if (token == WEIR_JSON_OBJECT || token == WEIR_JSON_ARRAY) {
        unsigned depth = json->depth - 1;
        while (json->depth > depth && token != WEIR_JSON_ERROR) {
            skip_plain(json, depth);
            token = json->depth > depth ? weir_json_next(json) : token;
        }
    }
    if (token == WEIR_JSON_ERROR) {
        if (err != NULL) {
            *err = json->err;
        }
        return json->err.code;
    }
    return WEIR_OK;
}

enum weir_rc weir_json_raw(struct weir_json *json, enum weir_json_token token,
        struct weir_str *ret_text, struct weir_err *err)
{
    if (token == WEIR_JSON_NAME) {
        token = weir_json_next(json);
    }
    size_t first = json->pos;
    enum weir_rc rc = weir_json_skip(json, token, err);
    if (rc == WEIR_OK) {
        *ret_text = weir_str(json->input.p + first, json->at - first);
    }
    return rc;
}

/* --- writing ------------------------------------------------------------ */

static void write_escape(struct weir_buf *buf, char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *found = c != '\0' ? strchr(from, c) : NULL;
    if (found != NULL) {
        char pair[2] = { '\\', to[found - from] };
        weir_buf_add(buf, pair, 2);
    } else {
        weir_buf_printf(buf, "\\u%04x", (unsigned char)c);
    }
}

/* The length of the character at the front of bytes, 0 when there is none. */
static size_t character_length(struct weir_str bytes)
{
    size_t most = bytes.n < 4 ? bytes.n : 4;
    for (size_t n = 1; n <= most; n++) {
        if (weir_str_is_utf8(weir_str(bytes.p, n))) {
            return n;
        }
    }
    return 0;
}

/* Append bytes without escapes that are not all UTF-8. */
static void write_repaired(struct weir_buf *buf, struct weir_str bytes)
{
    while (bytes.n > 0) {
        size_t n = character_length(bytes);
        if (n == 0) {
            weir_buf_z(buf, "\xef\xbf\xbd"); /* U+FFFD */
            n = 1;
        } else {
            weir_buf_add(buf, bytes.p, n);
        }
        bytes = weir_str(bytes.p + n, bytes.n - n);
    }
}

void weir_json_write_string(struct weir_buf *buf, struct weir_str text)
{
    weir_buf_byte(buf, '"');
    size_t at = 0;
    while (at < text.n) {
        bool high = false;
        size_t end = scan_string(text, at, &high);
        struct weir_str run = weir_str(text.p + at, end - at);
        if (high && !weir_str_is_utf8(run)) {
            write_repaired(buf, run);
        } else {
            weir_buf_str(buf, run);
        }
        if (end < text.n) {
            write_escape(buf, text.p[end]);
            end++;
        }
        at = end;
    }
    weir_buf_byte(buf, '"');
}

void weir_json_write_base64(struct weir_buf *buf, struct weir_str bytes)
{
    weir_buf_byte(buf, '"');
    weir_base64_encode(buf, bytes);
    weir_buf_byte(buf, '"');
}

/* --- base64 ------------------------------------------------------------- */

static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void weir_base64_encode(struct weir_buf *buf, struct weir_str bytes)
{
    const unsigned char *in = (const unsigned char *)bytes.p;
    char *out = bytes.n > 0 ? weir_buf_reserve(buf, (bytes.n + 2) / 3 * 4) : NULL;
    if (out == NULL) {
        return;
    }
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0);
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = (char)(left > 1 ? base64_digits[group >> 6 & 63] : '=');
        *out++ = (char)(left > 2 ? base64_digits[group & 63] : '=');
    }
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum weir_rc weir_base64_decode(struct weir_arena *arena, struct weir_str text, bool lax,
        struct weir_str *ret_bytes, struct weir_err *err)
{
    if (!lax && text.n % 4 != 0) {
        return weir_fail_at(err, WEIR_E_INVALID, text.n,
                "Base64 encoded length is expected a multiple of 4 bytes but found: %zu", text.n);
    }
    size_t n = text.n;
    for (int padding = 0; padding < 2 && n > 0 && text.p[n - 1] == '='; padding++) {
        n--;
    }
    if (n % 4 == 1) {
        return weir_fail_at(err, WEIR_E_INVALID, n, "the last Base64 character stands alone");
    }
    char *out = weir_arena_alloc(arena, n / 4 * 3 + 3);
    size_t wrote = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < n; i++) {
        int value = base64_value(text.p[i]);
        if (value < 0) {
            return weir_fail_at(err, WEIR_E_INVALID, i, "Invalid Base64 character: '%c'",
                    text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?');
        }
        group = group << 6 | (uint32_t)value;
        if (i % 4 == 3) {
            out[wrote++] = (char)(group >> 16);
            out[wrote++] = (char)(group >> 8);
            out[wrote++] = (char)group;
            group = 0;
        }
    }
    unsigned rest = (unsigned)(n % 4);
    if (rest != 0) { /* 2 or 3 characters: 12 or 18 bits, of which 8 or 16 count */
        unsigned spare = rest == 2 ? 4 : 2;
        if (!lax && (group & ((1u << spare) - 1)) != 0) {
            return weir_fail_at(
                    err, WEIR_E_INVALID, n - 1, "Invalid last non-pad Base64 character");
        }
        group >>= spare;
        if (rest == 3) {
            out[wrote++] = (char)(group >> 8);
        }
        out[wrote++] = (char)group;
    }
    *ret_bytes = weir_str(out, wrote);
    return WEIR_OK;
}
