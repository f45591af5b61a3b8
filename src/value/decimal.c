#include "value/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value/decimal_int.h"

enum {
    MAX_DIGITS = 38,
    MIN_SCIENTIFIC = -130, /* of the first digit: the range of DynamoDB's numbers */
    MAX_SCIENTIFIC = 125,
    CHUNK_DIGITS = 19, /* the most digits whose power of ten fits 64 bits */
};

#define NOT_NUMBER "The parameter cannot be converted to a numeric value"
#define OVERFLOW \
    "Number overflow. Attempting to store a number with magnitude larger than supported range"
#define UNDERFLOW \
    "Number underflow. Attempting to store a number with magnitude smaller than supported range"

static const uint64_t pow10_64[CHUNK_DIGITS + 1] = { 1ull, 10ull, 100ull, 1000ull, 10000ull,
    100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull, 10000000000ull,
    100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull,
    10000000000000000ull, 100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull };

/* 10^n, n <= 38. */
static unsigned __int128 pow10_128(int n)
{
    if (n <= CHUNK_DIGITS) {
        return pow10_64[n];
    }
    return (unsigned __int128)pow10_64[n - CHUNK_DIGITS] * pow10_64[CHUNK_DIGITS];
}

static int count_digits_64(uint64_t value)
{
    if (value == 0) {
        return 0;
    }
    int guess = (64 - __builtin_clzll(value)) * 1233 >> 12;
    return guess + (value >= pow10_64[guess]);
}

/* The number of decimal digits; 0 for zero. */
static int count_digits(unsigned __int128 value)
{
    if (value >> 64 == 0) {
        return count_digits_64((uint64_t)value);
    }
    int n = CHUNK_DIGITS;
    while (n < MAX_DIGITS && value >= pow10_128(n)) {
        n++;
    }
    return n + (n == MAX_DIGITS && value >= pow10_128(MAX_DIGITS));
}

static unsigned __int128 magnitude(struct weir_decimal value)
{
    return value.coefficient < 0 ? -(unsigned __int128)value.coefficient
                                 : (unsigned __int128)value.coefficient;
}

/* Take away zeros at the end of a coefficient that is not zero; returns how many. */
static int strip_zeros(unsigned __int128 *coefficient)
{
    int n = 0;
    while (*coefficient >> 64 != 0 && *coefficient % 10 == 0) {
        *coefficient /= 10;
        n++;
    }
    if (*coefficient >> 64 != 0) {
        return n;
    }
    uint64_t small = (uint64_t)*coefficient;
    while (small % 10000 == 0) {
        small /= 10000;
        n += 4;
    }
    while (small % 10 == 0) {
        small /= 10;
        n++;
    }
    *coefficient = small;
    return n;
}

/* The canonical decimal of sign, coefficient <= 10^38 and exponent, without a look at the range. */
static struct weir_decimal canonical(bool negative, unsigned __int128 coefficient, int64_t exponent)
{
    if (coefficient == 0) {
        return (struct weir_decimal){ 0 };
    }
    exponent += strip_zeros(&coefficient);
    return (struct weir_decimal){
        .coefficient = negative ? -(__int128)coefficient : (__int128)coefficient,
        .exponent = (int32_t)exponent,
    };
}

/* As canonical, refusing what is out of range. */
static enum weir_rc make(bool negative, unsigned __int128 coefficient, int64_t exponent,
        struct weir_decimal *ret_value, struct weir_err *err)
{
    if (coefficient == 0) {
        *ret_value = (struct weir_decimal){ 0 };
        return WEIR_OK;
    }
    int64_t scientific = exponent + count_digits(coefficient) - 1;
    if (scientific > MAX_SCIENTIFIC) {
        return weir_fail(err, WEIR_E_INVALID, OVERFLOW);
    }
    if (scientific < MIN_SCIENTIFIC) {
        return weir_fail(err, WEIR_E_INVALID, UNDERFLOW);
    }
    *ret_value = canonical(negative, coefficient, exponent);
    return WEIR_OK;
}

/*
 * Round wide * 10^exponent half to even to 38 digits. inexact says that the
 * true number is a little more than that (less than one unit).
 */
static enum weir_rc make_wide(bool negative, struct weir_wide *wide, int64_t exponent, bool inexact,
        struct weir_decimal *ret_value, struct weir_err *err)
{
    const unsigned __int128 limit = pow10_128(MAX_DIGITS);
    const struct weir_wide limit_39 = weir_wide_product(limit, 10);
    while (weir_wide_cmp(wide, &limit_39) >= 0) {
        /* This many bits stand for at least so many digits; 39 must stay. */
        int drop = ((weir_wide_bits(wide) - 1) * 1233 >> 12) + 1 - (MAX_DIGITS + 1);
        drop = drop < 1 ? 1 : drop > CHUNK_DIGITS ? CHUNK_DIGITS : drop;
        inexact |= weir_wide_div(wide, pow10_64[drop]) != 0;
        exponent += drop;
    }
    if (weir_wide_below(wide, limit)) {
        return make(negative, weir_wide_low(wide), exponent, ret_value, err);
    }
    uint64_t last = weir_wide_div(wide, 10);
    unsigned __int128 coefficient = weir_wide_low(wide);
    coefficient += last > 5 || (last == 5 && (inexact || (coefficient & 1) != 0));
    return make(negative, coefficient, exponent + 1, ret_value, err);
}

/* --- text --------------------------------------------------------------- */

struct scan {
    unsigned __int128 coefficient;
    size_t digits;    /* significant ones in coefficient */
    size_t zeros;     /* seen since, not yet in coefficient */
    size_t any;       /* digits of any kind seen */
    int64_t exponent; /* lowered by digits behind the point */
};

/* Read digits from i on into s; returns where they end. Past 38 they are only counted. */
static size_t scan_digits(struct scan *s, struct weir_str text, size_t i, bool behind_point)
{
    size_t first = i;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (digit == 0) {
            s->zeros += s->digits > 0;
            continue;
        }
        size_t more = s->zeros + 1;
        s->digits += more;
        if (s->digits <= CHUNK_DIGITS) {
            s->coefficient = (uint64_t)s->coefficient * pow10_64[more] + digit;
        } else if (s->digits <= MAX_DIGITS) {
            s->coefficient = s->coefficient * pow10_128((int)more) + digit;
        }
        s->zeros = 0;
    }
    s->any += i - first;
    if (behind_point) {
        s->exponent -= (int64_t)(i - first);
    }
    return i;
}

/* Read an exponent (behind the e); false when it is not one. */
static bool scan_exponent(struct scan *s, struct weir_str text, size_t i)
{
    bool negative = i < text.n && text.p[i] == '-';
    i += i < text.n && (text.p[i] == '-' || text.p[i] == '+');
    if (i == text.n) {
        return false;
    }
    int64_t exponent = 0;
    for (; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        if (exponent < INT32_MAX) { /* more than that is out of range in any case */
            exponent = exponent * 10 + (text.p[i] - '0');
        }
    }
    s->exponent += negative ? -exponent : exponent;
    return true;
}

enum weir_rc weir_decimal_parse(
        struct weir_str text, struct weir_decimal *ret_value, struct weir_err *err)
{
    if (text.n == 0) {
        return weir_fail(err, WEIR_E_INVALID, NOT_NUMBER);
    }
    struct scan s = { 0 };
    bool negative = text.p[0] == '-';
    size_t i = scan_digits(&s, text, negative || text.p[0] == '+', false);
    if (i < text.n && text.p[i] == '.') {
        i = scan_digits(&s, text, i + 1, true);
    }
    bool good = s.any > 0;
    if (good && i < text.n) {
        good = (text.p[i] == 'e' || text.p[i] == 'E') && scan_exponent(&s, text, i + 1);
    }
    if (!good) {
        return weir_fail(err, WEIR_E_INVALID, NOT_NUMBER ": %.*s", WEIR_STR_ARG(text));
    }
    /* Zeros at the end never entered the coefficient, so it is canonical already. */
    int64_t exponent = s.exponent + (int64_t)s.zeros;
    int64_t scientific = exponent + (int64_t)s.digits - 1;
    if (s.digits > 0 && (scientific > MAX_SCIENTIFIC || scientific < MIN_SCIENTIFIC)) {
        return weir_fail(
                err, WEIR_E_INVALID, "%s", scientific > MAX_SCIENTIFIC ? OVERFLOW : UNDERFLOW);
    }
    if (s.digits > MAX_DIGITS) {
        return weir_fail(err, WEIR_E_INVALID,
                "Attempting to store more than 38 significant digits in a Number");
    }
    ret_value->coefficient = negative ? -(__int128)s.coefficient : (__int128)s.coefficient;
    ret_value->exponent = s.digits > 0 ? (int32_t)exponent : 0;
    return WEIR_OK;
}

/* Write the digits of a number; returns how many, none for zero. */
static size_t write_digits(unsigned __int128 value, char digits[static MAX_DIGITS + 1])
{
    size_t n = (size_t)count_digits(value);
    size_t i = n;
    while (value >> 64 != 0) {
        digits[--i] = (char)('0' + (int)(value % 10));
        value /= 10;
    }
    for (uint64_t small = (uint64_t)value; small != 0; small /= 10) {
        digits[--i] = (char)('0' + (int)(small % 10));
    }
    return n;
}

size_t weir_decimal_format(struct weir_decimal value, char text[static WEIR_DECIMAL_TEXT])
{
    char digits[MAX_DIGITS + 1];
    size_t count = write_digits(magnitude(value), digits);
    size_t n = 0;
    if (count == 0) {
        memcpy(text, "0", 2);
        return 1;
    }
    if (value.coefficient < 0) {
        text[n++] = '-';
    }
    int64_t before = (int64_t)count + value.exponent; /* digits before the point */
    if (before <= 0) {
        text[n++] = '0';
        text[n++] = '.';
        memset(text + n, '0', (size_t)-before);
        n += (size_t)-before;
        memcpy(text + n, digits, count);
        n += count;
    } else if ((size_t)before >= count) {
        memcpy(text + n, digits, count);
        memset(text + n + count, '0', (size_t)before - count);
        n += (size_t)before;
    } else {
        memcpy(text + n, digits, (size_t)before);
        text[n + (size_t)before] = '.';
        memcpy(text + n + before + 1, digits + before, count - (size_t)before);
        n += count + 1;
    }
    text[n] = '\0';
    return n;
}

/* --- order and arithmetic ----------------------------------------------- */

static int sign_of(struct weir_decimal a)
{
    return (a.coefficient > 0) - (a.coefficient < 0);
}

int weir_decimal_cmp(struct weir_decimal a, struct weir_decimal b)
{
    if (a.exponent == b.exponent) {
        return (a.coefficient > b.coefficient) - (a.coefficient < b.coefficient);
    }
    int sign = sign_of(a);
    if (sign != sign_of(b)) {
        return sign < sign_of(b) ? -1 : 1;
    }
    if (sign == 0) {
        return 0;
    }
    unsigned __int128 ma = magnitude(a);
    unsigned __int128 mb = magnitude(b);
    int da = count_digits(ma);
    int db = count_digits(mb);
    if (da + a.exponent != db + b.exponent) {
        return da + a.exponent < db + b.exponent ? -sign : sign;
    }
    /* The first digits stand at one place, so the exponents differ by at most 37. */
    if (da < db) {
        ma *= pow10_128(db - da);
    } else {
        mb *= pow10_128(da - db);
    }
    return ma == mb ? 0 : ma < mb ? -sign : sign;
}

struct weir_decimal weir_decimal_neg(struct weir_decimal a)
{
    a.coefficient = -a.coefficient;
    return a;
}

/* wide *= 10^n; the caller knows that the product fits. */
static void scale(struct weir_wide *wide, int n)
{
    for (; n > CHUNK_DIGITS; n -= CHUNK_DIGITS) {
        weir_wide_mul(wide, pow10_64[CHUNK_DIGITS]);
    }
    weir_wide_mul(wide, pow10_64[n]);
}

/* Divide by 10^n, n >= 0; *ret_rest says whether anything was lost. */
static unsigned __int128 shift_right(unsigned __int128 value, int64_t n, bool *ret_rest)
{
    if (n > MAX_DIGITS) {
        *ret_rest = value != 0;
        return 0;
    }
    unsigned __int128 by = pow10_128((int)n);
    *ret_rest = value % by != 0;
    return value / by;
}

/* Add decimals that are not zero, where a has the greater exponent. */
static enum weir_rc add_aligned(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_sum, struct weir_err *err)
{
    /*
     * a is widened by at most 39 digits. What of b lies still further behind
     * cannot reach the 38 digits of the result except through rounding, for
     * which it is enough to know whether it is there.
     */
    int64_t gap = (int64_t)a.exponent - b.exponent;
    int widen = gap > MAX_DIGITS + 1 ? MAX_DIGITS + 1 : (int)gap;
    int64_t exponent = a.exponent - widen;
    struct weir_wide wa = weir_wide_from(magnitude(a));
    scale(&wa, widen);
    bool inexact = false;
    struct weir_wide wb = weir_wide_from(shift_right(magnitude(b), gap - widen, &inexact));
    bool negative = a.coefficient < 0;
    if (negative == (b.coefficient < 0)) {
        weir_wide_add(&wa, &wb);
        return make_wide(negative, &wa, exponent, inexact, ret_sum, err);
    }
    if (inexact) { /* a - (b + rest) is (a - b - 1) + (1 - rest) */
        struct weir_wide one = weir_wide_from(1);
        weir_wide_add(&wb, &one);
    }
    if (weir_wide_cmp(&wa, &wb) < 0) {
        struct weir_wide swap = wa;
        wa = wb;
        wb = swap;
        negative = !negative;
    }
    weir_wide_sub(&wa, &wb);
    return make_wide(negative, &wa, exponent, inexact, ret_sum, err);
}

enum weir_rc weir_decimal_add(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_sum, struct weir_err *err)
{
    if (a.coefficient == 0 || b.coefficient == 0) {
        *ret_sum = a.coefficient == 0 ? b : a;
        return WEIR_OK;
    }
    if (a.exponent == b.exponent) { /* the sum of two numbers below 10^38 fits 128 bits */
        __int128 sum = 0;
        if (!__builtin_add_overflow(a.coefficient, b.coefficient, &sum)) {
            struct weir_decimal whole = { .coefficient = sum };
            struct weir_wide wide = weir_wide_from(magnitude(whole));
            return make_wide(sum < 0, &wide, a.exponent, false, ret_sum, err);
        }
    }
    return a.exponent >= b.exponent ? add_aligned(a, b, ret_sum, err)
                                    : add_aligned(b, a, ret_sum, err);
}

enum weir_rc weir_decimal_sub(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_difference, struct weir_err *err)
{
    return weir_decimal_add(a, weir_decimal_neg(b), ret_difference, err);
}

enum weir_rc weir_decimal_mul(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_product, struct weir_err *err)
{
    struct weir_wide wide = weir_wide_product(magnitude(a), magnitude(b));
    return make_wide((a.coefficient < 0) != (b.coefficient < 0), &wide,
            (int64_t)a.exponent + b.exponent, false, ret_product, err);
}

enum weir_rc weir_decimal_div(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_quotient, struct weir_err *err)
{
    if (b.coefficient == 0) {
        return weir_fail(err, WEIR_E_INVALID, "division by zero");
    }
    if (a.coefficient == 0) {
        *ret_quotient = a;
        return WEIR_OK;
    }
    /* So widened, the quotient has 39 or 40 digits: one or two to round by. */
    unsigned __int128 divisor = magnitude(b);
    int widen = MAX_DIGITS + 1 + count_digits(divisor) - count_digits(magnitude(a));
    struct weir_wide wide = weir_wide_from(magnitude(a));
    scale(&wide, widen);
    bool inexact = weir_wide_div_long(&wide, divisor) != 0;
    return make_wide((a.coefficient < 0) != (b.coefficient < 0), &wide,
            (int64_t)a.exponent - b.exponent - widen, inexact, ret_quotient, err);
}

/* value * 10^n modulo m. */
static unsigned __int128 scale_modulo(unsigned __int128 value, int n, unsigned __int128 m)
{
    value %= m;
    while (n > 0) {
        int step = n > MAX_DIGITS ? MAX_DIGITS : n;
        struct weir_wide wide = weir_wide_product(value, pow10_128(step));
        value = weir_wide_div_long(&wide, m);
        n -= step;
    }
    return value;
}

enum weir_rc weir_decimal_rem(struct weir_decimal a, struct weir_decimal b,
        struct weir_decimal *ret_remainder, struct weir_err *err)
{
    if (b.coefficient == 0) {
        return weir_fail(err, WEIR_E_INVALID, "division by zero");
    }
    if (!weir_decimal_is_integral(a) || !weir_decimal_is_integral(b)) {
        char text[WEIR_DECIMAL_TEXT];
        weir_decimal_format(weir_decimal_is_integral(a) ? b : a, text);
        return weir_fail(err, WEIR_E_INVALID, "a remainder needs integers, found %s", text);
    }
    unsigned __int128 ma = magnitude(a);
    unsigned __int128 mb = magnitude(b);
    unsigned __int128 rest = 0;
    int64_t exponent = b.exponent;
    if (a.exponent >= b.exponent) {
        rest = scale_modulo(ma, a.exponent - b.exponent, mb);
    } else if (count_digits(mb) + b.exponent > count_digits(ma) + a.exponent) {
        *ret_remainder = a; /* b is the greater */
        return WEIR_OK;
    } else {
        rest = ma % (mb * pow10_128(b.exponent - a.exponent));
        exponent = a.exponent;
    }
    return make(a.coefficient < 0, rest, exponent, ret_remainder, err);
}

/* Whether to go one unit away from zero; half is the order of the rest against a half unit. */
static bool rounds_away(enum weir_rounding how, bool negative, bool odd, int half)
{
    switch (how) {
    case WEIR_ROUND_HALF_EVEN:
        return half > 0 || (half == 0 && odd);
    case WEIR_ROUND_HALF_AWAY:
        return half >= 0;
    case WEIR_ROUND_FLOOR:
        return negative;
    case WEIR_ROUND_CEIL:
        return !negative;
    case WEIR_ROUND_DOWN:
        break;
    }
    return false;
}

struct weir_decimal weir_decimal_round(
        struct weir_decimal a, int32_t places, enum weir_rounding how)
{
    int64_t drop = -(int64_t)places - a.exponent;
    if (drop <= 0 || a.coefficient == 0) {
        return a;
    }
    unsigned __int128 value = magnitude(a);
    unsigned __int128 whole = 0;
    int half = -1; /* with more than 38 digits to drop the rest is below a half */
    if (drop <= MAX_DIGITS) {
        unsigned __int128 unit = pow10_128((int)drop);
        unsigned __int128 rest = value % unit;
        whole = value / unit;
        half = rest == unit / 2 ? 0 : rest > unit / 2 ? 1 : -1;
        /* The coefficient is canonical, so the rest is never zero. */
    }
    whole += rounds_away(how, a.coefficient < 0, (whole & 1) != 0, half);
    struct weir_decimal rounded = a;
    if (make(a.coefficient < 0, whole, -(int64_t)places, &rounded, NULL) != WEIR_OK) {
        return a;
    }
    return rounded;
}

/* --- machine numbers ---------------------------------------------------- */

struct weir_decimal weir_decimal_from_i64(int64_t value)
{
    uint64_t whole = value < 0 ? -(uint64_t)value : (uint64_t)value;
    return canonical(value < 0, whole, 0);
}

struct weir_decimal weir_decimal_from_u64(uint64_t value)
{
    return canonical(false, value, 0);
}

enum weir_rc weir_decimal_from_double(
        double value, struct weir_decimal *ret_value, struct weir_err *err)
{
    if (!isfinite(value)) {
        return weir_fail(err, WEIR_E_INVALID, NOT_NUMBER ": %s",
                isnan(value)  ? "NaN"
                : value > 0.0 ? "Infinity"
                              : "-Infinity");
    }
    const double exact = 9007199254740992.0; /* 2^53: integers up to here have no gaps */
    if (value >= -exact && value <= exact && value == (double)(int64_t)value) {
        *ret_value = weir_decimal_from_i64((int64_t)value);
        return WEIR_OK;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    return weir_decimal_parse(weir_str_z(text), ret_value, err);
}

double weir_decimal_to_double(struct weir_decimal value)
{
    static const double exact[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const __int128 limit = (__int128)1 << 53;
    if (value.coefficient >= -limit && value.coefficient <= limit && value.exponent >= -22 &&
            value.exponent <= 22) {
        /* Both operands are exact, so the machine's one rounding is the right one. */
        double coefficient = (double)(int64_t)value.coefficient;
        return value.exponent < 0 ? coefficient / exact[-value.exponent]
                                  : coefficient * exact[value.exponent];
    }
    char digits[MAX_DIGITS + 1];
    char text[MAX_DIGITS + 16];
    size_t count = write_digits(magnitude(value), digits);
    snprintf(text, sizeof(text), "%s%.*se%d", value.coefficient < 0 ? "-" : "", (int)count, digits,
            (int)value.exponent);
    return strtod(text, NULL);
}

/* The magnitude without its fraction, when it fits 128 bits. */
static bool to_whole(struct weir_decimal value, unsigned __int128 *ret_whole)
{
    unsigned __int128 whole = magnitude(value);
    if (value.exponent <= 0) {
        bool rest = false;
        *ret_whole = shift_right(whole, -(int64_t)value.exponent, &rest);
        return true;
    }
    if (count_digits(whole) + value.exponent > MAX_DIGITS) {
        return false;
    }
    *ret_whole = whole * pow10_128(value.exponent);
    return true;
}

bool weir_decimal_to_i64(struct weir_decimal value, int64_t *ret_value)
{
    unsigned __int128 whole = 0;
    bool negative = value.coefficient < 0;
    if (!to_whole(value, &whole) || whole > (unsigned __int128)INT64_MAX + negative) {
        return false;
    }
    *ret_value = (int64_t)(negative ? -(__int128)whole : (__int128)whole);
    return true;
}

bool weir_decimal_to_u64(struct weir_decimal value, uint64_t *ret_value)
{
    unsigned __int128 whole = 0;
    if (!to_whole(value, &whole) || whole > UINT64_MAX || (value.coefficient < 0 && whole != 0)) {
        return false;
    }
    *ret_value = (uint64_t)whole;
    return true;
}

bool weir_decimal_is_integral(struct weir_decimal value)
{
    return value.exponent >= 0;
}

/* Compare the magnitude of a with |b| digit by digit, where a's nearest double is b. */
static int cmp_digits(struct weir_decimal a, double b)
{
    enum { DOUBLE_DIGITS = 780 }; /* a double has at most 767 significant ones */
    char text[DOUBLE_DIGITS + 16];
    char digits[MAX_DIGITS + 1];
    int count = (int)write_digits(magnitude(a), digits);
    snprintf(text, sizeof(text), "%.*e", DOUBLE_DIGITS - 1, fabs(b));
    text[1] = text[0]; /* the digits without their point begin at 1 */
    const char *double_digits = text + 1;
    int scientific = (int)strtol(text + 1 + DOUBLE_DIGITS + 1, NULL, 10);
    if (count + a.exponent - 1 != scientific) {
        return count + a.exponent - 1 < scientific ? -1 : 1;
    }
    int c = memcmp(digits, double_digits, (size_t)count);
    if (c != 0) {
        return c < 0 ? -1 : 1;
    }
    for (int i = count; i < DOUBLE_DIGITS; i++) {
        if (double_digits[i] != '0') {
            return -1;
        }
    }
    return 0;
}

/* As cmp_digits in 128-bit integers, for the usual short numbers; false when they do not fit. */
static bool cmp_short(struct weir_decimal a, double b, int *ret_order)
{
    unsigned __int128 ma = magnitude(a);
    int exponent = 0;
    double fraction = frexp(fabs(b), &exponent);
    uint64_t mb = (uint64_t)ldexp(fraction, 53);
    exponent -= 53;
    int zeros = mb != 0 ? __builtin_ctzll(mb) : 0;
    mb >>= zeros;
    exponent += zeros;
    /* a = ma / 10^k, b = mb / 2^j: compare ma * 2^j with mb * 10^k. */
    if (ma >> 53 != 0 || a.exponent > 0 || a.exponent < -22 || exponent > 0 || exponent < -74) {
        return false;
    }
    unsigned __int128 left = ma << -exponent;
    unsigned __int128 right = mb * pow10_128(-a.exponent);
    *ret_order = (left > right) - (left < right);
    return true;
}

int weir_decimal_cmp_double(struct weir_decimal a, double b)
{
    if (isnan(b)) {
        return 2;
    }
    double nearest = weir_decimal_to_double(a);
    if (nearest != b) { /* rounding keeps order, so this one is the order of the numbers too */
        return nearest < b ? -1 : 1;
    }
    if (a.coefficient == 0) {
        return 0;
    }
    int64_t whole = 0;
    if (a.exponent >= 0 && fabs(b) < 0x1p62 && b == trunc(b) && weir_decimal_to_i64(a, &whole)) {
        return (whole > (int64_t)b) - (whole < (int64_t)b);
    }
    int order = 0;
    if (!cmp_short(a, b, &order)) {
        order = cmp_digits(a, b);
    }
    return a.coefficient < 0 ? -order : order;
}

/* --- binary form -------------------------------------------------------- */

enum {
    HEAD_NEGATIVE = 0x80,
    HEAD_EXPONENT_NEGATIVE = 0x40,
    HEAD_DIGITS = 0x3f,
};

size_t weir_decimal_encode(struct weir_decimal value, unsigned char out[static WEIR_DECIMAL_BYTES])
{
    unsigned __int128 rest = magnitude(value);
    int exponent = value.exponent;
    out[0] = (unsigned char)((value.coefficient < 0 ? HEAD_NEGATIVE : 0) |
                             (exponent < 0 ? HEAD_EXPONENT_NEGATIVE : 0) | count_digits(rest));
    out[1] = (unsigned char)(exponent < 0 ? -exponent : exponent);
    size_t n = 2;
    for (; rest != 0; rest >>= 8) {
        out[n++] = (unsigned char)rest;
    }
    return n;
}

enum weir_rc weir_decimal_decode(
        struct weir_str bytes, struct weir_decimal *ret_value, struct weir_err *err)
{
    if (bytes.n < 2 || bytes.n > 2 + sizeof(unsigned __int128)) {
        return weir_fail(err, WEIR_E_DAMAGED, "a stored number has %zu bytes", bytes.n);
    }
    const unsigned char *p = (const unsigned char *)bytes.p;
    unsigned __int128 coefficient = 0;
    for (size_t i = bytes.n; i-- > 2;) {
        coefficient = coefficient << 8 | p[i];
    }
    int digits = p[0] & HEAD_DIGITS;
    int exponent = (p[0] & HEAD_EXPONENT_NEGATIVE) != 0 ? -p[1] : p[1];
    bool good = count_digits(coefficient) == digits && digits <= MAX_DIGITS &&
                (bytes.n == 2 || p[bytes.n - 1] != 0);
    if (coefficient == 0) {
        good = good && p[0] == 0 && p[1] == 0;
    } else {
        int scientific = exponent + digits - 1;
        good = good && coefficient % 10 != 0 && scientific >= MIN_SCIENTIFIC &&
               scientific <= MAX_SCIENTIFIC && (p[1] != 0 || (p[0] & HEAD_EXPONENT_NEGATIVE) == 0);
    }
    if (!good) {
        return weir_fail(err, WEIR_E_DAMAGED, "a stored number is not in its canonical form");
    }
    ret_value->coefficient =
            (p[0] & HEAD_NEGATIVE) != 0 ? -(__int128)coefficient : (__int128)coefficient;
    ret_value->exponent = exponent;
    return WEIR_OK;
}

struct weir_decimal weir_decimal_read(struct weir_str bytes)
{
    weir_assert(bytes.n >= 2 && bytes.n <= 2 + sizeof(unsigned __int128));
    const unsigned char *p = (const unsigned char *)bytes.p;
    unsigned __int128 coefficient = 0;
    for (size_t i = bytes.n; i-- > 2;) {
        coefficient = coefficient << 8 | p[i];
    }
    return (struct weir_decimal){
        .coefficient = (p[0] & HEAD_NEGATIVE) != 0 ? -(__int128)coefficient : (__int128)coefficient,
        .exponent = (p[0] & HEAD_EXPONENT_NEGATIVE) != 0 ? -p[1] : p[1],
    };
}
