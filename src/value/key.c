#include "value/key.h"

#include <string.h>

/*
 * The first byte of every encoded value. Within one key attribute all values are
 * of one type; the numbers' three bytes put negative ones before zero before the others.
 */
enum tag {
    TAG_S = 0x10,
    TAG_NEGATIVE = 0x20,
    TAG_ZERO = 0x21,
    TAG_POSITIVE = 0x22,
    TAG_B = 0x30,
};

enum {
    TEXT_ZERO = 0xff,     /* behind a zero byte: the byte was part of the text */
    TEXT_END = 0x01,      /* behind a zero byte: the text ends */
    EXPONENT_OFFSET = 64, /* makes the power of 100 positive */
    MAX_PAIRS = 20,       /* of 38 digits, the first one perhaps alone */
    MAX_DIGITS = 2 * MAX_PAIRS,
};

/* --- encoding ----------------------------------------------------------- */

static void add_text(struct weir_buf *buf, struct weir_str text)
{
    while (text.n > 0) {
        const char *zero = memchr(text.p, 0, text.n);
        size_t n = zero != NULL ? (size_t)(zero - text.p) : text.n;
        weir_buf_add(buf, text.p, n);
        if (zero != NULL) {
            static const char escaped[2] = { 0, (char)TEXT_ZERO };
            weir_buf_add(buf, escaped, sizeof(escaped));
            n++;
        }
        text = weir_str(text.p + n, text.n - n);
    }
}

/* The digits of a magnitude, first to last; returns how many. */
static int digits_of(struct weir_decimal number, unsigned char digits[static MAX_DIGITS])
{
    unsigned __int128 rest = number.coefficient < 0 ? -(unsigned __int128)number.coefficient
                                                    : (unsigned __int128)number.coefficient;
    unsigned char backwards[MAX_DIGITS];
    int n = 0;
    for (; rest >> 64 != 0; rest /= 10) {
        backwards[n++] = (unsigned char)(rest % 10);
    }
    for (uint64_t small = (uint64_t)rest; small != 0; small /= 10) {
        backwards[n++] = (unsigned char)(small % 10);
    }
    for (int i = 0; i < n; i++) {
        digits[i] = backwards[n - 1 - i];
    }
    return n;
}

/* 0.PPPP... * 100^power: the power, the digit pairs plus one, and a zero; complemented if negative.
 */
static void add_number(struct weir_buf *buf, struct weir_decimal number)
{
    if (number.coefficient == 0) {
        weir_buf_byte(buf, TAG_ZERO);
        return;
    }
    unsigned char digits[MAX_DIGITS + 1] = { 0 };
    int before = digits_of(number, digits + 1) + number.exponent; /* digits before the point */
    int count = before - number.exponent;
    bool odd = (before & 1) != 0;
    int power = (before + odd) / 2;
    const unsigned char *at = odd ? digits : digits + 1; /* a zero in front evens the pairs */
    count += odd;
    unsigned char flip = number.coefficient < 0 ? 0xff : 0;
    unsigned char out[MAX_PAIRS + 3];
    size_t n = 0;
    out[n++] = number.coefficient < 0 ? TAG_NEGATIVE : TAG_POSITIVE;
    out[n++] = (unsigned char)(power + EXPONENT_OFFSET) ^ flip;
    for (int i = 0; i < count; i += 2) {
        unsigned low = i + 1 < count ? at[i + 1] : 0;
        out[n++] = (unsigned char)(at[i] * 10u + low + 1) ^ flip;
    }
    out[n++] = flip;
    weir_buf_add(buf, out, n);
}

enum weir_rc weir_key_add(struct weir_buf *buf, struct weir_value value, struct weir_err *err)
{
    static const char end[2] = { 0, TEXT_END };
    if (value.type == WEIR_TYPE_N) {
        add_number(buf, weir_value_decimal(value));
        return WEIR_OK;
    }
    enum weir_rc rc = weir_key_add_prefix(buf, value, err);
    if (rc == WEIR_OK) {
        weir_buf_add(buf, end, sizeof(end));
    }
    return rc;
}

enum weir_rc weir_key_add_prefix(
        struct weir_buf *buf, struct weir_value value, struct weir_err *err)
{
    if (value.type != WEIR_TYPE_S && value.type != WEIR_TYPE_B) {
        return weir_fail(err, WEIR_E_INVALID, "expected a key value of type S, N or B, found %s",
                value.type == WEIR_TYPE_ABSENT ? "none" : weir_type_name(value.type));
    }
    weir_buf_byte(buf, value.type == WEIR_TYPE_S ? TAG_S : TAG_B);
    add_text(buf, value.body);
    return WEIR_OK;
}

/* --- decoding ----------------------------------------------------------- */

static enum weir_rc damaged(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_DAMAGED, "a stored key is cut or not in its canonical form");
}

/* The length of the text behind its tag, its end's two bytes included; 0 when it is cut. */
static size_t text_length(struct weir_str bytes, size_t *ret_zeros)
{
    size_t at = 1;
    size_t zeros = 0;
    while (at < bytes.n) {
        const char *zero = memchr(bytes.p + at, 0, bytes.n - at);
        if (zero == NULL || (size_t)(zero - bytes.p) + 1 >= bytes.n) {
            return 0;
        }
        at = (size_t)(zero - bytes.p) + 2;
        unsigned char mark = (unsigned char)zero[1];
        if (mark == TEXT_END) {
            *ret_zeros = zeros;
            return at;
        }
        if (mark != TEXT_ZERO) {
            return 0;
        }
        zeros++;
    }
    return 0;
}

/* The length of a number with its tag; 0 when it is cut. */
static size_t number_length(struct weir_str bytes)
{
    unsigned char tag = (unsigned char)bytes.p[0];
    if (tag == TAG_ZERO) {
        return 1;
    }
    unsigned char end = tag == TAG_NEGATIVE ? 0xff : 0;
    for (size_t i = 2; i < bytes.n && i < MAX_PAIRS + 3; i++) {
        if ((unsigned char)bytes.p[i] == end) {
            return i + 1;
        }
    }
    return 0;
}

/* The length of the value at the front; 0 when it is cut or none. */
static size_t value_length(struct weir_str bytes, size_t *ret_zeros)
{
    *ret_zeros = 0;
    if (bytes.n == 0) {
        return 0;
    }
    switch ((unsigned char)bytes.p[0]) {
    case TAG_S:
    case TAG_B:
        return text_length(bytes, ret_zeros);
    case TAG_NEGATIVE:
    case TAG_ZERO:
    case TAG_POSITIVE:
        return number_length(bytes);
    default:
        return 0;
    }
}

/* Decode a number of known length; false when it is not what weir_key_add writes. */
static bool decode_number(struct weir_str bytes, struct weir_decimal *ret_number)
{
    unsigned char tag = (unsigned char)bytes.p[0];
    unsigned char flip = tag == TAG_NEGATIVE ? 0xff : 0;
    *ret_number = (struct weir_decimal){ 0 };
    if (tag == TAG_ZERO) {
        return true;
    }
    int power = ((unsigned char)bytes.p[1] ^ flip) - EXPONENT_OFFSET;
    if (power >= EXPONENT_OFFSET) {
        return false;
    }
    int exponent = 2 * power;
    __int128 coefficient = 0;
    unsigned pair = 0;
    for (size_t i = 2; i + 1 < bytes.n; i++) {
        pair = ((unsigned char)bytes.p[i] ^ flip) - 1u;
        if (pair > 99 || (i == 2 && pair == 0)) {
            return false;
        }
        /* The last pair may be one digit and the zero that fills it up. */
        bool half = i + 2 == bytes.n && pair % 10 == 0;
        if (__builtin_mul_overflow(coefficient, half ? 10 : 100, &coefficient) ||
                __builtin_add_overflow(coefficient, half ? pair / 10 : pair, &coefficient)) {
            return false;
        }
        exponent -= half ? 1 : 2;
    }
    if (pair == 0) { /* no pairs, or zeros at the end */
        return false;
    }
    ret_number->coefficient = flip != 0 ? -coefficient : coefficient;
    ret_number->exponent = exponent;
    return true;
}

enum weir_rc weir_key_next(struct weir_str *bytes, struct weir_arena *arena,
        struct weir_value *ret_value, struct weir_err *err)
{
    size_t zeros = 0;
    size_t n = value_length(*bytes, &zeros);
    if (n == 0) {
        return damaged(err);
    }
    struct weir_str whole = weir_str(bytes->p, n);
    unsigned char tag = (unsigned char)whole.p[0];
    struct weir_value value = { 0 };
    if (tag == TAG_S || tag == TAG_B) {
        size_t length = n - 3 - zeros;
        char *text = weir_arena_alloc(arena, length + 1);
        size_t at = 1;
        for (size_t i = 0; i < length; i++) {
            text[i] = whole.p[at];
            at += whole.p[at] == 0 ? 2 : 1;
        }
        value.type = tag == TAG_S ? WEIR_TYPE_S : WEIR_TYPE_B;
        value.body = weir_str(text, length);
    } else {
        struct weir_decimal number;
        if (!decode_number(whole, &number)) {
            return damaged(err);
        }
        unsigned char *body = weir_arena_alloc(arena, WEIR_DECIMAL_BYTES);
        value.type = WEIR_TYPE_N;
        value.body = weir_str((const char *)body, weir_decimal_encode(number, body));
        if (weir_decimal_decode(value.body, &number, NULL) != WEIR_OK) {
            return damaged(err); /* more digits than a number has, or out of its range */
        }
    }
    *bytes = weir_str(bytes->p + n, bytes->n - n);
    *ret_value = value;
    return WEIR_OK;
}

enum weir_rc weir_key_skip(struct weir_str *bytes, struct weir_err *err)
{
    size_t zeros = 0;
    size_t n = value_length(*bytes, &zeros);
    if (n == 0) {
        return damaged(err);
    }
    *bytes = weir_str(bytes->p + n, bytes->n - n);
    return WEIR_OK;
}
