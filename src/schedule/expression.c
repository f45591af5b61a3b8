/* Schedule expressions: reading them. */
#include "schedule/expression.h"

#include <string.h>

#include "base/calendar.h"
#include "base/mem.h"

struct reader {
    struct weir_str text; /* the whole expression */
    size_t at;
    size_t end; /* of what is being read */
    struct weir_err *err;
};

static char look(const struct reader *reader)
{
    return reader->at < reader->end ? reader->text.p[reader->at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* What stands at the reader, for messages: up to a space, comma or the end. */
static struct weir_str here(const struct reader *reader)
{
    size_t n = 0;
    while (reader->at + n < reader->end && n < 40 &&
            strchr(" ,", reader->text.p[reader->at + n]) == NULL) {
        n++;
    }
    return weir_str(reader->text.p + reader->at, n);
}

/* A number of at most so many digits; false: there is none, or it is longer. */
static bool read_number(struct reader *reader, size_t digits, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t n = 0;
    while (is_digit(look(reader)) && n <= digits) {
        value = value * 10 + (uint64_t)(look(reader) - '0');
        reader->at++;
        n++;
    }
    *ret_value = value;
    return n > 0 && n <= digits;
}

static void skip_spaces(struct reader *reader)
{
    while (look(reader) == ' ') {
        reader->at++;
    }
}

/* --- cron ------------------------------------------------------------------------- */

enum { MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS, YEARS, FIELDS };

struct field {
    const char *name;
    uint64_t low;
    uint64_t high;
    const char *names; /* of the values from low on, three letters each; NULL: none */
    bool steps;        /* takes "/" */
};

static const struct field fields[FIELDS] = {
    { "minutes", 0, 59, NULL, true },
    { "hours", 0, 23, NULL, true },
    { "day of month", 1, 31, NULL, true },
    { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", true },
    { "day of week", 1, 7, "SUNMONTUEWEDTHUFRISAT", false },
    { "year", WEIR_CRON_FIRST_YEAR, WEIR_CRON_LAST_YEAR, NULL, true },
};

static enum weir_rc fail_value(
        const struct reader *reader, const struct field *field, struct weir_str shown)
{
    const char *named = field->names == NULL         ? ""
                        : field == &fields[WEEKDAYS] ? " or SUN to SAT"
                                                     : " or JAN to DEC";
    return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
            "'%.*s' is no %s: %llu to %llu%s is expected", WEIR_STR_ARG(shown), field->name,
            (unsigned long long)field->low, (unsigned long long)field->high, named);
}

/* The value of a name as in MON; 0: it is none. */
static uint64_t named_value(const struct field *field, struct weir_str word)
{
    for (uint64_t i = 0; field->names != NULL && word.n == 3 && field->low + i <= field->high;
            i++) {
        const char *name = field->names + i * 3;
        if (upper(word.p[0]) == name[0] && upper(word.p[1]) == name[1] &&
                upper(word.p[2]) == name[2]) {
            return field->low + i;
        }
    }
    return 0;
}

static enum weir_rc read_value(
        struct reader *reader, const struct field *field, uint64_t *ret_value)
{
    struct weir_str shown = here(reader);
    size_t begin = reader->at;
    uint64_t value = 0;
    bool right = false;
    if (is_digit(look(reader))) {
        right = read_number(reader, 4, &value) && value >= field->low && value <= field->high;
    } else {
        size_t n = 0;
        while (n < 3 && is_letter(look(reader))) {
            reader->at++;
            n++;
        }
        value = named_value(field, weir_str(reader->text.p + begin, n));
        right = value > 0;
    }
    if (!right) {
        reader->at = begin;
        return fail_value(reader, field, shown);
    }
    *ret_value = value;
    return WEIR_OK;
}

/* A set of a field's values; years take more than one word. */
struct set {
    uint64_t words[4];
};

static void add(struct set *set, const struct field *field, uint64_t value)
{
    uint64_t bit = field == &fields[YEARS] ? value - field->low : value;
    set->words[bit / 64] |= 1ull << (bit % 64);
}

/* "/5" behind a value or range; 1 without it. */
static enum weir_rc read_step(struct reader *reader, const struct field *field, uint64_t *ret_step)
{
    uint64_t most = field->low == 0 ? field->high : field->high - field->low + 1;
    *ret_step = 1;
    if (look(reader) != '/') {
        return WEIR_OK;
    }
    if (!field->steps) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "the %s takes no '/': list the days, as in MON,WED,FRI", field->name);
    }
    reader->at++;
    size_t begin = reader->at;
    if (!read_number(reader, 4, ret_step) || *ret_step < 1 || *ret_step > most) {
        reader->at = begin;
        return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
                "'%.*s' is no step of the %s: 1 to %llu is expected", WEIR_STR_ARG(here(reader)),
                field->name, (unsigned long long)most);
    }
    return WEIR_OK;
}

/* One of a list: "*", "5", "5-10", each maybe with a step. */
static enum weir_rc read_element(struct reader *reader, const struct field *field, struct set *set)
{
    uint64_t low = field->low;
    uint64_t high = field->high;
    uint64_t step = 1;
    bool single = false;
    size_t begin = reader->at;
    enum weir_rc rc = WEIR_OK;
    if (look(reader) == '*') {
        reader->at++;
    } else {
        rc = read_value(reader, field, &low);
        single = rc == WEIR_OK && look(reader) != '-';
        if (rc == WEIR_OK && !single) {
            reader->at++;
            rc = read_value(reader, field, &high);
        }
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (low > high) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
                "the range of the %s ends before it begins: write it as a list of two",
                field->name);
    }
    bool stepped = look(reader) == '/';
    rc = read_step(reader, field, &step);
    high = single && !stepped ? low : high;
    for (uint64_t value = low; rc == WEIR_OK && value <= high; value += step) {
        add(set, field, value);
    }
    return rc;
}

/* Whether the field has ended: a space or the end of the expression stands there. */
static bool at_field_end(const struct reader *reader)
{
    return look(reader) == ' ' || look(reader) == '\0';
}

static enum weir_rc read_list(struct reader *reader, const struct field *field, struct set *set)
{
    for (;;) {
        enum weir_rc rc = read_element(reader, field, set);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (look(reader) != ',') {
            break;
        }
        reader->at++;
    }
    if (!at_field_end(reader)) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "'%c' is not expected here in the %s", look(reader), field->name);
    }
    return WEIR_OK;
}

/* Whether a letter or sign stands somewhere in the field at the reader. */
static bool field_has(const struct reader *reader, char c)
{
    for (size_t i = reader->at; i < reader->end && reader->text.p[i] != ' '; i++) {
        if (reader->text.p[i] == c) {
            return true;
        }
    }
    return false;
}

static enum weir_rc end_special(
        const struct reader *reader, const struct field *field, const char *what)
{
    if (at_field_end(reader)) {
        return WEIR_OK;
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
            "%s stands alone in the %s, not in a list or range", what, field->name);
}

/* "L", "LW" or "15W". */
static enum weir_rc read_special_day(struct reader *reader, struct weir_cron *cron)
{
    const struct field *field = &fields[DAYS];
    if (look(reader) == 'L') {
        reader->at++;
        bool workday = look(reader) == 'W';
        reader->at += workday ? 1 : 0;
        cron->rule = workday ? WEIR_CRON_LAST_WORKDAY : WEIR_CRON_LAST_DAY;
        return end_special(reader, field, "L");
    }
    uint64_t day = 0;
    enum weir_rc rc = read_value(reader, field, &day);
    if (rc != WEIR_OK) {
        return rc;
    }
    cron->rule = WEIR_CRON_NEAREST_WORKDAY;
    cron->day = (int)day;
    if (look(reader) != 'W') {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "in the %s, W stands behind one day, as in 15W, and L alone", field->name);
    }
    reader->at++;
    return end_special(reader, field, "W");
}

static enum weir_rc read_days(struct reader *reader, struct weir_cron *cron)
{
    struct set set = { 0 };
    if (field_has(reader, 'L') || field_has(reader, 'W')) {
        return read_special_day(reader, cron);
    }
    cron->rule = WEIR_CRON_DAYS;
    enum weir_rc rc = read_list(reader, &fields[DAYS], &set);
    cron->days = set.words[0];
    return rc;
}

/* "6L", "FRIL", "3#2" or "TUE#2"; "L" alone is the last day of the week. */
static enum weir_rc read_special_weekday(struct reader *reader, struct weir_cron *cron)
{
    const struct field *field = &fields[WEEKDAYS];
    uint64_t day = 0;
    uint64_t nth = 0;
    if (look(reader) == 'L') {
        reader->at++;
        cron->rule = WEIR_CRON_WEEKDAYS;
        cron->weekdays = 1ull << 7;
        return end_special(reader, field, "L");
    }
    enum weir_rc rc = read_value(reader, field, &day);
    if (rc != WEIR_OK) {
        return rc;
    }
    cron->day = (int)day;
    if (look(reader) == 'L') {
        reader->at++;
        cron->rule = WEIR_CRON_LAST_WEEKDAY;
        return end_special(reader, field, "L");
    }
    if (look(reader) != '#') {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "in the %s, L and # stand behind one day, as in 6L or TUE#2", field->name);
    }
    reader->at++;
    size_t begin = reader->at;
    if (!read_number(reader, 1, &nth) || nth < 1 || nth > 5) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
                "behind # the number of the week is expected, 1 to 5");
    }
    cron->rule = WEIR_CRON_NTH_WEEKDAY;
    cron->nth = (int)nth;
    return end_special(reader, field, "#");
}

static enum weir_rc read_weekdays(struct reader *reader, struct weir_cron *cron)
{
    struct set set = { 0 };
    if (field_has(reader, 'L') || field_has(reader, '#')) {
        return read_special_weekday(reader, cron);
    }
    cron->rule = WEIR_CRON_WEEKDAYS;
    enum weir_rc rc = read_list(reader, &fields[WEEKDAYS], &set);
    cron->weekdays = set.words[0];
    return rc;
}

/* A "?" that is the whole field is passed over. */
static bool take_question(struct reader *reader)
{
    bool alone = look(reader) == '?' &&
                 (reader->at + 1 == reader->end || reader->text.p[reader->at + 1] == ' ');
    reader->at += alone ? 1 : 0;
    return alone;
}

static enum weir_rc read_field(
        struct reader *reader, int number, bool unset[FIELDS], struct weir_cron *cron)
{
    struct set set = { 0 };
    enum weir_rc rc = WEIR_OK;
    if ((number == DAYS || number == WEEKDAYS) && take_question(reader)) {
        unset[number] = true;
        return WEIR_OK;
    }
    switch (number) {
    case DAYS:
        return read_days(reader, cron);
    case WEEKDAYS:
        /* Exactly one of the two is given: told behind the last field, with a clear message. */
        return unset[DAYS] ? read_weekdays(reader, cron)
                           : read_list(reader, &fields[WEEKDAYS], &set);
    default:
        break;
    }
    rc = read_list(reader, &fields[number], &set);
    if (number == YEARS) {
        memcpy(cron->years, set.words, sizeof(cron->years));
    } else {
        *(number == MINUTES       ? &cron->minutes
                : number == HOURS ? &cron->hours
                                  : &cron->months) = set.words[0];
    }
    return rc;
}

static enum weir_rc read_cron(struct reader *reader, struct weir_cron *cron)
{
    bool unset[FIELDS] = { false };
    size_t places[FIELDS] = { 0 };
    for (int i = 0; i < FIELDS; i++) {
        skip_spaces(reader);
        places[i] = reader->at;
        if (reader->at == reader->end) {
            return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                    "cron(...) has %d of 6 fields: minutes, hours, day of month, month, day of "
                    "week, year; the %s is missing",
                    i, fields[i].name);
        }
        enum weir_rc rc = read_field(reader, i, unset, cron);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    skip_spaces(reader);
    if (reader->at != reader->end) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "cron(...) has 6 fields, and '%.*s' is one too many", WEIR_STR_ARG(here(reader)));
    }
    if (unset[DAYS] == unset[WEEKDAYS]) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, places[WEEKDAYS],
                unset[DAYS] ? "one of day of month and day of week must not be ?"
                            : "one of day of month and day of week must be ?");
    }
    return WEIR_OK;
}

/* --- rate ------------------------------------------------------------------------- */

static enum weir_rc check_every(struct reader *reader, size_t begin, uint64_t every_ms)
{
    const uint64_t most = 200ull * 366 * 24 * 3600 * 1000;
    if (every_ms >= WEIR_SCHEDULE_RATE_MIN_MS && every_ms <= most) {
        return WEIR_OK;
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
            "a rate is at least %d milliseconds and at most 200 years", WEIR_SCHEDULE_RATE_MIN_MS);
}

static enum weir_rc read_rate(struct reader *reader, uint64_t *ret_every_ms)
{
    static const struct {
        const char *name; /* with an s or without */
        uint64_t ms;
    } units[] = {
        { "minute", 60ull * 1000 },
        { "hour", 3600ull * 1000 },
        { "day", 24ull * 3600 * 1000 },
        { "second", 1000 },
        { "millisecond", 1 },
    };
    uint64_t value = 0;
    skip_spaces(reader);
    size_t begin = reader->at;
    if (!read_number(reader, 10, &value) || value == 0 || look(reader) != ' ') {
        return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
                "rate(...) begins with a positive whole number and a space, as in rate(5 minutes)");
    }
    skip_spaces(reader);
    struct weir_str word = weir_str(reader->text.p + reader->at, 0);
    while (is_letter(look(reader))) {
        reader->at++;
        word.n++;
    }
    skip_spaces(reader);
    for (size_t i = 0; i < WEIR_COUNT(units) && reader->at == reader->end; i++) {
        struct weir_str name = weir_str_z(units[i].name);
        bool plural = word.n == name.n + 1 && word.p[name.n] == 's';
        if (weir_str_eq(weir_str(word.p, word.n - (plural ? 1 : 0)), name)) {
            *ret_every_ms = value * units[i].ms;
            return check_every(reader, begin, *ret_every_ms);
        }
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, (size_t)(word.p - reader->text.p),
            "the unit of a rate is minutes, hours, days, seconds or milliseconds");
}

/* "1h30m": numbers with units, the larger ones first. */
static enum weir_rc read_duration(struct reader *reader, uint64_t *ret_every_ms)
{
    static const struct {
        struct weir_str name;
        uint64_t ms;
    } units[] = {
        { { "d", 1 }, 24ull * 3600 * 1000 },
        { { "h", 1 }, 3600ull * 1000 },
        { { "ms", 2 }, 1 }, /* before the minute, which it begins like */
        { { "m", 1 }, 60ull * 1000 },
        { { "s", 1 }, 1000 },
    };
    uint64_t total = 0;
    uint64_t last = UINT64_MAX;
    while (reader->at < reader->end) {
        size_t begin = reader->at;
        uint64_t value = 0;
        uint64_t unit = 0;
        bool right = read_number(reader, 10, &value);
        struct weir_str rest = weir_str(reader->text.p + reader->at, reader->end - reader->at);
        for (size_t i = 0; i < WEIR_COUNT(units) && unit == 0; i++) {
            unit = weir_str_starts(rest, units[i].name) ? units[i].ms : 0;
            reader->at += unit > 0 ? units[i].name.n : 0;
        }
        if (!right || unit == 0 || unit >= last) {
            return weir_fail_at(reader->err, WEIR_E_INVALID, begin,
                    "a duration is written as in 500ms, 90s, 15m, 1h30m or 7d");
        }
        total += value * unit;
        last = unit;
    }
    *ret_every_ms = total;
    return check_every(reader, 0, total);
}

/* --- at --------------------------------------------------------------------------- */

static bool read_digits(struct reader *reader, size_t digits, int low, int high, int *ret_value)
{
    uint64_t value = 0;
    size_t begin = reader->at;
    bool right = read_number(reader, digits, &value) && reader->at == begin + digits;
    *ret_value = (int)value;
    return right && *ret_value >= low && *ret_value <= high;
}

static bool read_sign(struct reader *reader, char sign)
{
    bool there = look(reader) == sign;
    reader->at += there ? 1 : 0;
    return there;
}

/* ".5" as milliseconds; nothing is 0. */
static bool read_fraction(struct reader *reader, int *ret_ms)
{
    *ret_ms = 0;
    if (!read_sign(reader, '.')) {
        return true;
    }
    size_t begin = reader->at;
    for (int scale = 100; is_digit(look(reader)) && scale > 0; scale /= 10) {
        *ret_ms += (look(reader) - '0') * scale;
        reader->at++;
    }
    return reader->at > begin && !is_digit(look(reader));
}

static enum weir_rc read_at(struct reader *reader, int64_t *ret_ms)
{
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int ms = 0;
    size_t begin = reader->at;
    bool right = read_digits(reader, 4, WEIR_CRON_FIRST_YEAR, 9999, &year) &&
                 read_sign(reader, '-') && read_digits(reader, 2, 1, 12, &month) &&
                 read_sign(reader, '-') && read_digits(reader, 2, 1, 31, &day) &&
                 day <= weir_month_days(year, month) && read_sign(reader, 'T') &&
                 read_digits(reader, 2, 0, 23, &hour) && read_sign(reader, ':') &&
                 read_digits(reader, 2, 0, 59, &minute) && read_sign(reader, ':') &&
                 read_digits(reader, 2, 0, 59, &second) && read_fraction(reader, &ms);
    if (right && reader->at == reader->end) {
        int64_t seconds =
                weir_days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
        *ret_ms = seconds * 1000 + ms;
        return WEIR_OK;
    }
    if (right && (look(reader) == 'Z' || look(reader) == '+' || look(reader) == '-')) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, reader->at,
                "at(...) takes no offset: the time zone of the schedule says what the time means");
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, right ? reader->at : begin,
            "a time is written as in at(2026-11-21T09:30:00)");
}

/* --- which it is -------------------------------------------------------------------- */

enum weir_rc weir_schedule_parse(
        struct weir_str text, struct weir_schedule_expression *ret_expression, struct weir_err *err)
{
    static const struct {
        struct weir_str head;
        enum weir_schedule_kind kind;
    } forms[] = {
        { { "at(", 3 }, WEIR_SCHEDULE_AT },
        { { "rate(", 5 }, WEIR_SCHEDULE_RATE },
        { { "cron(", 5 }, WEIR_SCHEDULE_CRON },
    };
    struct weir_schedule_expression expression = { 0 };
    struct reader reader = { .text = text, .end = text.n, .err = err };
    enum weir_rc rc = WEIR_E_INVALID;
    size_t i = 0;
    while (i < WEIR_COUNT(forms) && !weir_str_starts(text, forms[i].head)) {
        i++;
    }
    if (text.n > WEIR_SCHEDULE_EXPRESSION_MAX) {
        return weir_fail(err, WEIR_E_INVALID, "an expression has at most %d characters, not %zu",
                WEIR_SCHEDULE_EXPRESSION_MAX, text.n);
    }
    if (i == WEIR_COUNT(forms) && text.n > 0 && is_digit(text.p[0])) {
        expression.kind = WEIR_SCHEDULE_RATE;
        rc = read_duration(&reader, &expression.every_ms);
    } else if (i == WEIR_COUNT(forms)) {
        return weir_fail_at(err, WEIR_E_INVALID, 0,
                "an expression is at(...), rate(...), cron(...), or a duration such as 90s");
    } else if (text.p[text.n - 1] != ')') {
        return weir_fail_at(err, WEIR_E_INVALID, text.n, "the expression must end with ')'");
    } else {
        expression.kind = forms[i].kind;
        reader.at = forms[i].head.n;
        reader.end = text.n - 1;
        rc = expression.kind == WEIR_SCHEDULE_AT     ? read_at(&reader, &expression.at_ms)
             : expression.kind == WEIR_SCHEDULE_RATE ? read_rate(&reader, &expression.every_ms)
                                                     : read_cron(&reader, &expression.cron);
    }
    if (rc == WEIR_OK) {
        *ret_expression = expression;
    }
    return rc;
}
