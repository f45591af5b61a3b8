/* Pure functions on texts: numbers as doubles, addresses, letter case, wildcards. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pattern/case_table.h"
#include "pattern/pattern_int.h"

/* --- numbers ------------------------------------------------------------ */

enum {
    DOUBLE_DIGITS = 17,  /* no shortest form has more */
    CERTAIN_DIGITS = 15, /* no two decimals of so few digits share a double */
    EXPONENT_LIMIT = 400,
};

/* A decimal's digits without zeros at either end: 0.digits * 10^exponent. */
struct digits {
    bool negative;
    bool too_many;
    int count;
    long exponent;
    char text[DOUBLE_DIGITS];
};

/* Read the digits and the point of a number; returns where they end. */
static size_t read_mantissa(struct weir_str text, size_t at, struct digits *digits)
{
    long zeros = 0; /* not yet known to stand between digits */
    bool point = false;
    for (; at < text.n; at++) {
        char c = text.p[at];
        if (c == '.') {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') {
            break;
        }
        if (c == '0' && digits->count == 0) {
            digits->exponent -= point;
            continue;
        }
        digits->exponent += !point;
        if (c == '0') {
            zeros++;
            continue;
        }
        if (digits->count + zeros >= DOUBLE_DIGITS) {
            digits->too_many = true;
            continue;
        }
        memset(digits->text + digits->count, '0', (size_t)zeros);
        digits->count += (int)zeros;
        zeros = 0;
        digits->text[digits->count++] = c;
    }
    return at;
}

static void read_digits(struct weir_str text, struct digits *digits)
{
    *digits = (struct digits){ 0 };
    size_t at = 0;
    if (text.n > 0 && text.p[0] == '-') {
        digits->negative = true;
        at = 1;
    }
    at = read_mantissa(text, at, digits);
    if (at >= text.n) {
        return;
    }
    at++; /* e or E */
    bool minus = at < text.n && text.p[at] == '-';
    if (at < text.n && (text.p[at] == '-' || text.p[at] == '+')) {
        at++;
    }
    long exponent = 0;
    for (; at < text.n && exponent < 1000000; at++) {
        exponent = exponent * 10 + (text.p[at] - '0');
    }
    digits->exponent += minus ? -exponent : exponent;
}

static bool same_digits(const struct digits *a, const struct digits *b)
{
    return a->count == b->count && a->exponent == b->exponent &&
           memcmp(a->text, b->text, (size_t)a->count) == 0;
}

/* Whether the shortest text that reads back as number has these digits. */
static bool is_shortest(double number, const struct digits *digits)
{
    for (int precision = 1; precision <= DOUBLE_DIGITS; precision++) {
        char text[40];
        int n = snprintf(text, sizeof(text), "%.*e", precision - 1, number);
        if (strtod(text, NULL) == number) {
            struct digits other;
            read_digits(weir_str(text, (size_t)n), &other);
            return same_digits(digits, &other);
        }
    }
    return false;
}

/* Small whole numbers, the common case, need no more than multiplying. */
static bool read_small(struct weir_str text, double *ret_number)
{
    if (text.n == 0 || text.n > CERTAIN_DIGITS) {
        return false;
    }
    long long value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        value = value * 10 + (text.p[i] - '0');
    }
    *ret_number = (double)value;
    return true;
}

bool weir_pattern_number(struct weir_str text, double *ret_number)
{
    if (read_small(text, ret_number)) {
        return true;
    }
    struct digits digits;
    read_digits(text, &digits);
    if (digits.too_many || digits.exponent > EXPONENT_LIMIT || digits.exponent < -EXPONENT_LIMIT) {
        return false;
    }
    if (digits.count == 0) {
        *ret_number = 0;
        return true;
    }
    /* Without a point the text reads the same in every locale. */
    char plain[48];
    snprintf(plain, sizeof(plain), "%s%.*se%ld", digits.negative ? "-" : "", digits.count,
            digits.text, digits.exponent - digits.count);
    double number = strtod(plain, NULL);
    if (!isnormal(number) && !(number != 0 && isfinite(number))) {
        return false;
    }
    if ((digits.count > CERTAIN_DIGITS || !isnormal(number)) &&
            !is_shortest(fabs(number), &digits)) {
        return false;
    }
    *ret_number = number;
    return true;
}

/* --- addresses ---------------------------------------------------------- */

static unsigned read_v4(struct weir_str text, unsigned char bytes[static 16])
{
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        size_t begin = at;
        while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && value <= 255) {
            value = value * 10 + (unsigned)(text.p[at++] - '0');
        }
        if (at == begin || value > 255) {
            return 0;
        }
        bytes[i] = (unsigned char)value;
        if (i < 3 && (at >= text.n || text.p[at++] != '.')) {
            return 0;
        }
    }
    return at == text.n ? 4 : 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Read one group of one to four hex digits; returns where it ends, or 0. */
static size_t read_group(struct weir_str text, size_t at, unsigned *ret_group)
{
    unsigned group = 0;
    size_t begin = at;
    while (at < text.n && at - begin < 4 && hex_digit(text.p[at]) >= 0) {
        group = group << 4 | (unsigned)hex_digit(text.p[at++]);
    }
    *ret_group = group;
    return at == begin ? 0 : at;
}

static bool is_v4_mapped(const unsigned char bytes[static 16])
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

static unsigned read_v6(struct weir_str text, unsigned char bytes[static 16])
{
    unsigned groups[8];
    int count = 0;
    int gap = -1; /* groups before "::" */
    size_t at = 0;
    if (text.n >= 2 && text.p[0] == ':' && text.p[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.n) {
        if (count == 8 || (at = read_group(text, at, &groups[count])) == 0) {
            return 0;
        }
        count++;
        if (at == text.n) {
            break;
        }
        if (text.p[at++] != ':' || at == text.n) {
            return 0;
        }
        if (text.p[at] == ':') {
            if (gap >= 0) {
                return 0;
            }
            gap = count;
            at++;
        }
    }
    if (gap < 0 ? count != 8 : count > 7) {
        return 0;
    }
    memset(bytes, 0, 16);
    for (int i = 0; i < count; i++) {
        int to = gap >= 0 && i >= gap ? 8 - count + i : i;
        bytes[to * 2] = (unsigned char)(groups[i] >> 8);
        bytes[to * 2 + 1] = (unsigned char)groups[i];
    }
    return is_v4_mapped(bytes) ? 0 : 16;
}

unsigned weir_pattern_address(struct weir_str text, unsigned char ret_bytes[static 16])
{
    if (text.n < 2 || text.n > 64 || (text.p[0] != ':' && hex_digit(text.p[0]) < 0)) {
        return 0;
    }
    return memchr(text.p, ':', text.n) != NULL ? read_v6(text, ret_bytes)
                                               : read_v4(text, ret_bytes);
}

/* --- letter case -------------------------------------------------------- */

/* The code point at the front of valid UTF-8, and its size. */
static uint32_t decode(const char *p, size_t n, size_t *ret_size)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t size = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (size > n) {
        *ret_size = 1; /* not UTF-8: take it bytewise */
        return u[0];
    }
    *ret_size = size;
    switch (size) {
    case 1:
        return u[0];
    case 2:
        return (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    case 3:
        return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
    default:
        return (u[0] & 0x07u) << 18 | (u[1] & 0x3fu) << 12 | (u[2] & 0x3fu) << 6 | (u[3] & 0x3fu);
    }
}

/* UTF-8 of a code point of the basic plane. */
static uint8_t encode(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | point >> 12);
    out[1] = (char)(0x80 | (point >> 6 & 0x3f));
    out[2] = (char)(0x80 | (point & 0x3f));
    return 3;
}

static uint32_t map(const struct case_range *ranges, size_t count, uint32_t point)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct case_range *range = &ranges[middle];
        if (point > range->last) {
            low = middle + 1;
        } else if (point < range->first) {
            high = middle;
        } else {
            bool hit = (point - range->first) % (uint32_t)range->stride == 0;
            return hit ? (uint32_t)((int32_t)point + range->delta) : point;
        }
    }
    return point;
}

static uint8_t lower_of(uint32_t point, char out[static 6])
{
    if (point == 0x130) { /* I with a dot: the only letter whose lower case is two code points */
        out[0] = 'i';
        out[1] = '\xcc';
        out[2] = '\x87';
        return 3;
    }
    return encode(map(lower_ranges, WEIR_COUNT(lower_ranges), point), out);
}

static uint8_t upper_of(uint32_t point, char out[static 8])
{
    for (size_t i = 0; i < WEIR_COUNT(upper_specials); i++) {
        if (upper_specials[i].point == point) {
            uint8_t n = 0;
            for (; upper_specials[i].upper[n] != '\0'; n++) {
                out[n] = upper_specials[i].upper[n];
            }
            return n;
        }
    }
    return encode(map(upper_ranges, WEIR_COUNT(upper_ranges), point), out);
}

const struct weir_pattern_letter *weir_pattern_letters(
        struct weir_arena *arena, struct weir_str text, size_t *ret_count)
{
    struct weir_pattern_letter *letters =
            weir_arena_zero(arena, text.n > 0 ? text.n : 1, sizeof(*letters));
    size_t count = 0;
    size_t size = 0;
    for (size_t at = 0; at < text.n; at += size) {
        uint32_t point = decode(text.p + at, text.n - at, &size);
        if (point >= 0x10000) {
            /* The engine folds the two halves of the surrogate pair apart: each becomes '?'. */
            for (int half = 0; half < 2; half++) {
                letters[count++] = (struct weir_pattern_letter){ 1, 1, "?", "?" };
            }
            continue;
        }
        struct weir_pattern_letter *letter = &letters[count++];
        letter->lower_size = lower_of(point, letter->lower);
        letter->upper_size = upper_of(point, letter->upper);
    }
    *ret_count = count;
    return letters;
}

bool weir_pattern_letters_start(
        const struct weir_pattern_letter *letters, size_t count, struct weir_str text, bool all)
{
    for (size_t i = 0; i < count; i++) {
        const struct weir_pattern_letter *letter = &letters[i];
        size_t n = 0;
        if (weir_str_starts(text, weir_str(letter->lower, letter->lower_size))) {
            n = letter->lower_size;
        } else if (weir_str_starts(text, weir_str(letter->upper, letter->upper_size))) {
            n = letter->upper_size;
        } else {
            return false;
        }
        text = weir_str(text.p + n, text.n - n);
    }
    return !all || text.n == 0;
}

static bool ends(struct weir_str text, const char *p, size_t n)
{
    return text.n >= n && memcmp(text.p + text.n - n, p, n) == 0;
}

bool weir_pattern_letters_end(
        const struct weir_pattern_letter *letters, size_t count, struct weir_str text)
{
    for (size_t i = count; i-- > 0;) {
        const struct weir_pattern_letter *letter = &letters[i];
        if (ends(text, letter->lower, letter->lower_size)) {
            text.n -= letter->lower_size;
        } else if (ends(text, letter->upper, letter->upper_size)) {
            text.n -= letter->upper_size;
        } else {
            return false;
        }
    }
    return true;
}

static uint32_t fold(uint32_t point)
{
    if (point < 0x80) {
        return point >= 'A' && point <= 'Z' ? point + 32 : point;
    }
    return map(fold_ranges, WEIR_COUNT(fold_ranges), point);
}

bool weir_pattern_fold_start(struct weir_str other, struct weir_str text, bool all)
{
    while (other.n > 0) {
        size_t n = 0;
        size_t m = 0;
        if (text.n == 0 || fold(decode(other.p, other.n, &n)) != fold(decode(text.p, text.n, &m))) {
            return false;
        }
        other = weir_str(other.p + n, other.n - n);
        text = weir_str(text.p + m, text.n - m);
    }
    return !all || text.n == 0;
}

/* The size of the last code point. */
static size_t last_size(struct weir_str text)
{
    size_t n = 1;
    while (n < text.n && n < 4 && ((unsigned char)text.p[text.n - n] & 0xc0) == 0x80) {
        n++;
    }
    return n;
}

bool weir_pattern_fold_end(struct weir_str other, struct weir_str text)
{
    while (other.n > 0) {
        if (text.n == 0) {
            return false;
        }
        size_t n = last_size(other);
        size_t m = last_size(text);
        size_t size = 0;
        if (fold(decode(other.p + other.n - n, n, &size)) !=
                fold(decode(text.p + text.n - m, m, &size))) {
            return false;
        }
        other.n -= n;
        text.n -= m;
    }
    return true;
}

/* --- wildcards ---------------------------------------------------------- */

bool weir_pattern_wildcard(const struct weir_str *pieces, size_t count, struct weir_str text)
{
    if (count == 1) {
        return weir_str_eq(pieces[0], text);
    }
    struct weir_str last = pieces[count - 1];
    if (text.n < pieces[0].n + last.n || !weir_str_starts(text, pieces[0]) ||
            (last.n > 0 && !ends(text, last.p, last.n))) {
        return false;
    }
    const char *at = text.p + pieces[0].n;
    const char *end = text.p + text.n - last.n;
    /* Taking the leftmost place for each piece leaves the most room for the next. */
    for (size_t i = 1; i + 1 < count; i++) {
        const char *hit = memmem(at, (size_t)(end - at), pieces[i].p, pieces[i].n);
        if (hit == NULL) {
            return false;
        }
        at = hit + pieces[i].n;
    }
    return true;
}
