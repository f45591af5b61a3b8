#include <stdio.h>

#include "expr/expr_int.h"

/* Timestamps and durations as text. */

enum { SECOND_NS = 1000000000 };

#define FIRST_SECOND (-62135596800LL) /* 0001-01-01T00:00:00Z */
#define LAST_SECOND  (253402300799LL) /* 9999-12-31T23:59:59Z */

bool weir_timestamp_in_range(struct weir_moment moment)
{
    return moment.seconds >= FIRST_SECOND && moment.seconds <= LAST_SECOND;
}

/* Write a fraction of a second without trailing zeros, ".5", or nothing. */
static size_t format_fraction(int64_t ns, char *out)
{
    if (ns == 0) {
        return 0;
    }
    char digits[16];
    snprintf(digits, sizeof(digits), "%09d", (int)ns);
    size_t n = 9;
    while (digits[n - 1] == '0') {
        n--;
    }
    out[0] = '.';
    memcpy(out + 1, digits, n);
    return n + 1;
}

size_t weir_timestamp_format(struct weir_moment moment, char text[static WEIR_TIMESTAMP_TEXT])
{
    struct weir_date date;
    weir_date_of(moment.seconds, &date);
    size_t n = (size_t)snprintf(text, WEIR_TIMESTAMP_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d",
            date.year, date.month, date.day, date.hour, date.minute, date.second);
    n += format_fraction(moment.ns, text + n);
    text[n++] = 'Z';
    text[n] = '\0';
    return n;
}

/* --- reading ------------------------------------------------------------- */

struct reader {
    struct weir_str text;
    size_t at;
    bool failed;
};

static char look(const struct reader *reader)
{
    return reader->at < reader->text.n ? reader->text.p[reader->at] : '\0';
}

static int number(struct reader *reader, int digits, int least, int most)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char c = look(reader);
        reader->failed |= c < '0' || c > '9';
        value = value * 10 + (c - '0');
        reader->at++;
        if (reader->failed) {
            return least;
        }
    }
    reader->failed |= value < least || value > most;
    return value;
}

static void mark(struct reader *reader, const char *any)
{
    char c = look(reader);
    reader->failed |= c == '\0' || strchr(any, c) == NULL;
    reader->at++;
}

static int32_t fraction(struct reader *reader)
{
    int32_t ns = 0;
    int digits = 0;
    for (reader->at++; look(reader) >= '0' && look(reader) <= '9'; reader->at++, digits++) {
        if (digits < 9) {
            ns = ns * 10 + (look(reader) - '0');
        }
    }
    reader->failed |= digits == 0;
    for (; digits < 9; digits++) {
        ns *= 10;
    }
    return ns;
}

/* "Z" or "+hh:mm" as seconds. */
static int32_t zone(struct reader *reader)
{
    char sign = look(reader);
    mark(reader, "Zz+-");
    if (reader->failed || sign == 'Z' || sign == 'z') {
        return 0;
    }
    int hours = number(reader, 2, 0, 23);
    mark(reader, ":");
    int minutes = number(reader, 2, 0, 59);
    int32_t offset = hours * 3600 + minutes * 60;
    return sign == '-' ? -offset : offset;
}

bool weir_timestamp_parse(struct weir_str text, struct weir_moment *ret_moment)
{
    struct reader reader = { .text = text };
    int year = number(&reader, 4, 1, 9999);
    mark(&reader, "-");
    int month = number(&reader, 2, 1, 12);
    mark(&reader, "-");
    int day = number(&reader, 2, 1, 31);
    mark(&reader, "Tt");
    int hour = number(&reader, 2, 0, 23);
    mark(&reader, ":");
    int minute = number(&reader, 2, 0, 59);
    mark(&reader, ":");
    int second = number(&reader, 2, 0, 59);
    if (reader.failed || day > weir_month_days(year, month)) {
        return false;
    }
    struct weir_moment moment = { 0 };
    if (look(&reader) == '.') {
        moment.ns = fraction(&reader);
    }
    int32_t offset = zone(&reader);
    moment.seconds =
            weir_days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *ret_moment = moment;
    return !reader.failed && reader.at == text.n && weir_timestamp_in_range(moment);
}

/* --- durations ----------------------------------------------------------- */

size_t weir_duration_format(int64_t ns, char text[static WEIR_DURATION_TEXT])
{
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    size_t n = (size_t)snprintf(text, WEIR_DURATION_TEXT, "%s%llu", ns < 0 ? "-" : "",
            (unsigned long long)(magnitude / SECOND_NS));
    n += format_fraction((int64_t)(magnitude % SECOND_NS), text + n);
    text[n++] = 's';
    text[n] = '\0';
    return n;
}

/* The nanoseconds of the unit that stands at the reader; moves behind it. 0: none. */
static int64_t unit(struct reader *reader)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        { "ns", 1 },
        { "us", 1000 },
        { "\xc2\xb5s", 1000 },
        { "\xce\xbcs", 1000 },
        { "ms", 1000000 },
        { "s", SECOND_NS },
        { "m", 60LL * SECOND_NS },
        { "h", 3600LL * SECOND_NS },
    };
    struct weir_str rest = weir_str(reader->text.p + reader->at, reader->text.n - reader->at);
    for (size_t i = 0; i < WEIR_COUNT(units); i++) {
        if (weir_str_starts(rest, weir_str_z(units[i].name))) {
            reader->at += strlen(units[i].name);
            return units[i].ns;
        }
    }
    return 0;
}

/* One "1.5h" as nanoseconds, truncated; values beyond any duration are cut to what fails the sum.
 */
static __int128 duration_part(struct reader *reader)
{
    const __int128 most = (__int128)1 << 100;
    __int128 value = 0;
    __int128 scale = 1;
    size_t digits = 0;
    for (bool point = false;; reader->at++) {
        char c = look(reader);
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9') {
            break;
        }
        digits++;
        if (point && scale >= (__int128)SECOND_NS * 1000000) {
            continue; /* finer than can count */
        }
        value = value < most / 100 ? value * 10 + (c - '0') : most;
        scale = point ? scale * 10 : scale;
    }
    int64_t ns = digits > 0 ? unit(reader) : 0;
    reader->failed |= ns == 0;
    /* Units are at most 2^42 and values at most 2^100: divide first where it could pass 2^127. */
    __int128 limit = (__int128)1 << 84;
    return value > limit ? most : value * ns / scale;
}

bool weir_duration_parse(struct weir_str text, int64_t *ret_ns)
{
    struct reader reader = { .text = text };
    bool negative = look(&reader) == '-';
    if (look(&reader) == '-' || look(&reader) == '+') {
        reader.at++;
    }
    if (text.n == reader.at + 1 && look(&reader) == '0') {
        *ret_ns = 0;
        return true;
    }
    __int128 total = 0;
    bool over = reader.at == text.n;
    while (reader.at < text.n && !reader.failed && !over) {
        total += duration_part(&reader);
        over = total > (__int128)INT64_MAX + 1;
    }
    total = negative ? -total : total;
    if (reader.failed || over || total > INT64_MAX || total < INT64_MIN) {
        return false;
    }
    *ret_ns = (int64_t)total;
    return true;
}
