/* Schedule expressions: the grammar with its refusals, and the next firing. */
#include <stdio.h>
#include <stdlib.h>

#include "../test.h"
#include "base/calendar.h"
#include "base/mem.h"
#include "base/random.h"
#include "schedule/expression.h"

enum { MINUTE_MS = 60000 };

/* --- the grammar ------------------------------------------------------------------ */

static void test_expressions_that_are_read(void **state)
{
    (void)state;
    static const char *const right[] = {
        "at(2026-11-21T09:30:00)",
        "at(2026-11-21T09:30:00.125)",
        "at(2028-02-29T00:00:00)",
        "rate(1 minute)",
        "rate(1 minutes)",
        "rate(5 minutes)",
        "rate(12 hours)",
        "rate(1 day)",
        "rate(30 days)",
        "rate(10 seconds)",
        "rate(500 milliseconds)",
        "90s",
        "1h30m",
        "500ms",
        "7d",
        "cron(15 10 * * ? *)",
        "cron(15 10 ? * MON-FRI *)",
        "cron(15 10 ? * mon,Wed,FRI *)",
        "cron(0/5 8-17 ? * 2-6 2026-2030)",
        "cron(*/5 * * * ? *)",
        "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)",
        "cron(30-30 13-13 ? * 2,4,6 *)",
        "cron(1-31/30 1-1 ? * 1,7 *)",
        "cron(0 8 L * ? *)",
        "cron(0 8 LW * ? *)",
        "cron(0 8 15W JAN-JUN ? *)",
        "cron(0 8 ? * L *)",
        "cron(0 8 ? * 6L *)",
        "cron(0 8 ? * FRIL *)",
        "cron(0 8 ? * 3#2 *)",
        "cron(0 8 ? JUL,AUG TUE#5 *)",
        "cron(0 0 1 1 ? 1970)",
        "cron(0 0 1 1 ? 2199)",
        "cron(0 0 1/10 */3 ? 2026/4)",
        "cron(0  0   1 1 ?  *)",
    };
    for (size_t i = 0; i < WEIR_COUNT(right); i++) {
        struct weir_schedule_expression expression;
        struct weir_err err = { 0 };
        if (weir_schedule_parse(weir_str_z(right[i]), &expression, &err) != WEIR_OK) {
            fail_msg("%s: %s", right[i], err.msg);
        }
    }
}

static void test_expressions_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t pos;
        const char *why; /* in the message */
    } wrong[] = {
        { "", 0, "an expression is at(...), rate(...), cron(...)" },
        { "every 5 minutes", 0, "an expression is" },
        { "CRON(0 1 * * ? *)", 0, "an expression is" },
        { "cron(0 1 * * ? *", 16, "must end with ')'" },
        { "at(2026-11-21)", 3, "a time is written as in" },
        { "at(2026-02-29T00:00:00)", 3, "a time is written as in" },
        { "at(2026-11-21T24:00:00)", 3, "a time is written as in" },
        { "at(2026-11-21T09:30)", 3, "a time is written as in" },
        { "at(2026-11-21 09:30:00)", 3, "a time is written as in" },
        { "at(2026-11-21T09:30:00Z)", 22, "takes no offset" },
        { "at(2026-11-21T09:30:00+01:00)", 22, "takes no offset" },
        { "at(2026-11-21T09:30:00.1234)", 3, "a time is written as in" },
        { "rate(0 minutes)", 5, "positive whole number" },
        { "rate(-5 minutes)", 5, "positive whole number" },
        { "rate(1.5 hours)", 5, "positive whole number" },
        { "rate(5minutes)", 5, "positive whole number" },
        { "rate(minutes 5)", 5, "positive whole number" },
        { "rate(5 weeks)", 7, "the unit of a rate" },
        { "rate(5 minutess)", 7, "the unit of a rate" },
        { "rate(5 minutes x)", 7, "the unit of a rate" },
        { "rate(9 milliseconds)", 5, "at least 10 milliseconds" },
        { "rate(9999999999 days)", 5, "at most 200 years" },
        { "5", 0, "a duration is written as in" },
        { "5x", 0, "a duration is written as in" },
        { "30m1h", 3, "a duration is written as in" },
        { "1ms", 0, "at least 10 milliseconds" },
        { "cron()", 5, "the minutes is missing" },
        { "cron(0 1 * * ?)", 14, "has 5 of 6 fields" },
        { "cron(0 1 * * ? * *)", 17, "'*' is one too many" },
        { "cron(0 1 * * * *)", 13, "must be ?" },
        { "cron(0 1 1 * MON *)", 13, "must be ?" },
        { "cron(0 1 ? * ? *)", 13, "must not be ?" },
        { "cron(? 1 * * ? *)", 5, "'?' is no minutes" },
        { "cron(60 1 * * ? *)", 5, "'60' is no minutes: 0 to 59" },
        { "cron(0 24 * * ? *)", 7, "'24' is no hours: 0 to 23" },
        { "cron(0 1 0 * ? *)", 9, "'0' is no day of month: 1 to 31" },
        { "cron(0 1 32 * ? *)", 9, "'32' is no day of month" },
        { "cron(0 1 * 13 ? *)", 11, "1 to 12 or JAN to DEC" },
        { "cron(0 1 * JANUARY ? *)", 14, "'U' is not expected here in the month" },
        { "cron(0 1 ? * 0 *)", 13, "1 to 7 or SUN to SAT" },
        { "cron(0 1 ? * 8 *)", 13, "1 to 7 or SUN to SAT" },
        { "cron(0 1 * * ? 1969)", 15, "1970 to 2199" },
        { "cron(0 1 * * ? 2200)", 15, "1970 to 2199" },
        { "cron(*/60 1 * * ? *)", 7, "'60' is no step of the minutes: 1 to 59" },
        { "cron(*/0 1 * * ? *)", 7, "'0' is no step" },
        { "cron(0 */24 * * ? *)", 9, "1 to 23" },
        { "cron(0 1 ? * 2/2 *)", 14, "takes no '/'" },
        { "cron(10-5 1 * * ? *)", 5, "ends before it begins" },
        { "cron(0 1 ? * FRI-MON *)", 13, "ends before it begins" },
        { "cron(1, 1 * * ? *)", 7, "'' is no minutes" },
        { "cron(1,,2 1 * * ? *)", 7, "'' is no minutes" },
        { "cron(0, 1, ?, *, MON-FRI, *)", 7, "'' is no minutes" },
        { "cron(0 1 1,L * ? *)", 10, "W stands behind one day" },
        { "cron(0 1 L-3 * ? *)", 10, "L stands alone" },
        { "cron(0 1 1-5W * ? *)", 10, "W stands behind one day" },
        { "cron(0 1 15W,20W * ? *)", 12, "W stands alone" },
        { "cron(0 1 ? * 3#1,6#3 *)", 16, "# stands alone" },
        { "cron(0 1 ? * 3#6 *)", 15, "1 to 5" },
        { "cron(0 1 ? * MON,6L *)", 16, "L and # stand behind one day" },
        { "cron(0 1 ? * #2 *)", 13, "is no day of week" },
        { "cron(0 1 L * 6L *)", 14, "not expected here in the day of week" },
        { "cron(L 1 * * ? *)", 5, "'L' is no minutes" },
    };
    for (size_t i = 0; i < WEIR_COUNT(wrong); i++) {
        struct weir_schedule_expression expression;
        struct weir_err err = { 0 };
        enum weir_rc rc = weir_schedule_parse(weir_str_z(wrong[i].text), &expression, &err);
        if (rc != WEIR_E_INVALID || err.pos != wrong[i].pos ||
                strstr(err.msg, wrong[i].why) == NULL) {
            fail_msg("%s: at %zu: %s", wrong[i].text, err.pos, rc == WEIR_OK ? "read" : err.msg);
        }
    }
}

/* --- the next firing --------------------------------------------------------------- */

/* "2026-11-21T09:30:00Z" as a time; at(...) reads it. */
static struct weir_time time_of(const char *text)
{
    char at[64];
    struct weir_schedule_expression expression;
    snprintf(at, sizeof(at), "at(%.*s)", (int)strcspn(text, "Z"), text);
    assert_int_equal(weir_schedule_parse(weir_str_z(at), &expression, NULL), WEIR_OK);
    return (struct weir_time){ expression.at_ms };
}

static struct weir_schedule_times times_of(const char *text, const char *zone)
{
    struct weir_schedule_times times = { 0 };
    struct weir_err err = { 0 };
    if (weir_schedule_parse(weir_str_z(text), &times.expression, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    times.zone = weir_zone_find(weir_str_z(zone));
    assert_non_null(times.zone);
    return times;
}

/* The firings after a time are those of a list, separated by spaces. */
static void check_firings(const struct weir_schedule_times *times, const char *after,
        const char *expected, const char *what)
{
    struct weir_time at = time_of(after);
    while (*expected != '\0') {
        size_t n = strcspn(expected, " ");
        struct weir_firing firing = { 0 };
        char shown[WEIR_TIME_TEXT] = "nothing";
        char wanted[WEIR_TIME_TEXT];
        bool found = weir_schedule_next(times, at, &firing);
        if (found) {
            weir_time_format(firing.time, shown);
        }
        bool none = n == 4 && memcmp(expected, "none", 4) == 0;
        if (!none) {
            weir_time_format(time_of(expected), wanted);
        }
        if (none ? found : strcmp(shown, wanted) != 0) {
            fail_msg("%s: %s instead of %.*s", what, shown, (int)n, expected);
        }
        at = firing.time;
        expected += n + (expected[n] == ' ' ? 1 : 0);
    }
}

static void test_firings_by_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *after;
        const char *expected;
    } cases[] = {
        { "cron(15 10 * * ? *)", "2026-11-21T10:14:59Z",
                "2026-11-21T10:15:00Z 2026-11-22T10:15:00Z" },
        { "cron(15 10 * * ? *)", "2026-11-21T10:15:00Z", "2026-11-22T10:15:00Z" },
        { "cron(0/20 23 31 12 ? *)", "2026-01-01T00:00:00Z",
                "2026-12-31T23:00:00Z 2026-12-31T23:20:00Z 2026-12-31T23:40:00Z "
                "2027-12-31T23:00:00Z" },
        { "cron(0 9 ? * MON-FRI *)", "2026-11-20T09:00:00Z",
                "2026-11-23T09:00:00Z 2026-11-24T09:00:00Z" },
        { "cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z",
                "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z" },
        { "cron(0 0 29 2 ? *)", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z" },
        { "cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", "none" },
        { "cron(0 0 31 * ? *)", "2026-01-31T00:00:00Z",
                "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z 2026-07-31T00:00:00Z" },
        { "cron(0 0 L * ? *)", "2026-01-31T00:00:00Z",
                "2026-02-28T00:00:00Z 2026-03-31T00:00:00Z 2026-04-30T00:00:00Z" },
        { "cron(0 0 LW * ? *)", "2026-01-01T00:00:00Z",
                "2026-01-30T00:00:00Z 2026-02-27T00:00:00Z 2026-03-31T00:00:00Z" },
        /* The 15th of August 2026 is a Saturday, the 15th of November a Sunday. */
        { "cron(0 0 15W 8,11 ? *)", "2026-01-01T00:00:00Z",
                "2026-08-14T00:00:00Z 2026-11-16T00:00:00Z 2027-08-16T00:00:00Z" },
        /* No other month: the 1st of August is a Saturday, the 31st of January 2027 a Sunday. */
        { "cron(0 0 1W 8 ? *)", "2026-01-01T00:00:00Z", "2026-08-03T00:00:00Z" },
        { "cron(0 0 31W * ? 2027)", "2026-12-31T00:00:00Z",
                "2027-01-29T00:00:00Z 2027-03-31T00:00:00Z" },
        { "cron(0 0 ? * 6L *)", "2026-11-01T00:00:00Z",
                "2026-11-27T00:00:00Z 2026-12-25T00:00:00Z 2027-01-29T00:00:00Z" },
        { "cron(0 0 ? * TUE#2 *)", "2026-11-01T00:00:00Z",
                "2026-11-10T00:00:00Z 2026-12-08T00:00:00Z" },
        { "cron(0 0 ? * SUN#5 *)", "2026-11-01T00:00:00Z",
                "2026-11-29T00:00:00Z 2027-01-31T00:00:00Z" },
        { "cron(0 0 ? * L *)", "2026-11-21T00:00:00Z", "2026-11-28T00:00:00Z" },
        { "cron(0 0 1 1 ? 2026/2)", "2026-01-01T00:00:00Z",
                "2028-01-01T00:00:00Z 2030-01-01T00:00:00Z" },
        { "cron(0 0 1 1 ? 2199)", "2026-01-01T00:00:00Z", "2199-01-01T00:00:00Z none" },
        { "cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", "none" },
        { "at(2026-11-21T09:30:00.125)", "2026-01-01T00:00:00Z", "2026-11-21T09:30:00.125Z none" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_schedule_times times = times_of(cases[i].text, "UTC");
        check_firings(&times, cases[i].after, cases[i].expected, cases[i].text);
    }
}

static void test_rates_keep_their_grid(void **state)
{
    (void)state;
    struct weir_schedule_times times = times_of("rate(5 minutes)", "UTC");
    times.anchor = time_of("2026-11-21T09:01:30Z");
    check_firings(&times, "2026-11-21T00:00:00Z",
            "2026-11-21T09:01:30Z 2026-11-21T09:06:30Z 2026-11-21T09:11:30Z", "rate");
    check_firings(&times, "2026-11-21T12:01:29Z", "2026-11-21T12:01:30Z", "rate, later");
    times = times_of("rate(500 milliseconds)", "UTC");
    times.anchor = time_of("2026-11-21T09:00:00Z");
    check_firings(&times, "2026-11-21T09:00:00.250Z",
            "2026-11-21T09:00:00.500Z 2026-11-21T09:00:01Z", "milliseconds");
    /* A day has 24 hours, also that on which the clocks are set. */
    times = times_of("rate(1 day)", "Europe/Berlin");
    times.anchor = time_of("2027-03-27T09:00:00Z");
    check_firings(
            &times, "2027-03-27T09:00:00Z", "2027-03-28T09:00:00Z 2027-03-29T09:00:00Z", "days");
}

static void test_start_and_end(void **state)
{
    (void)state;
    struct weir_schedule_times times = times_of("cron(0 9 * * ? *)", "UTC");
    times.start = time_of("2026-11-23T09:00:00Z");
    times.end = time_of("2026-11-25T09:00:00Z");
    check_firings(&times, "2026-11-01T00:00:00Z",
            "2026-11-23T09:00:00Z 2026-11-24T09:00:00Z 2026-11-25T09:00:00Z none", "both ends");
    times = times_of("at(2026-11-21T09:00:00)", "UTC");
    times.start = time_of("2026-12-01T00:00:00Z");
    times.end = time_of("2026-11-01T00:00:00Z");
    check_firings(&times, "2026-11-01T00:00:00Z", "2026-11-21T09:00:00Z", "at ignores both");
}

static void test_days_on_which_clocks_are_set(void **state)
{
    (void)state;
    /* Berlin: ahead on 2027-03-28 at 02:00, back on 2026-10-25 at 03:00. */
    struct weir_schedule_times times = times_of("cron(30 2 * * ? *)", "Europe/Berlin");
    check_firings(&times, "2027-03-27T00:00:00Z", "2027-03-27T01:30:00Z 2027-03-29T00:30:00Z",
            "a time that is left out is skipped");
    struct weir_firing firing;
    assert_true(weir_schedule_next(&times, time_of("2027-03-27T12:00:00Z"), &firing));
    assert_int_equal(firing.left_out, 1);
    assert_int_equal(firing.first_left_out.ms, time_of("2027-03-28T02:30:00Z").ms);
    check_firings(&times, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z",
            "a time shown twice counts the first time");
    assert_true(weir_schedule_next(&times, time_of("2026-10-24T12:00:00Z"), &firing));
    assert_int_equal(firing.local, WEIR_ZONE_TWICE);
    times = times_of("cron(0/30 * * * ? *)", "Europe/Berlin");
    check_firings(&times, "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T02:00:00Z",
            "the hour is not repeated");
    check_firings(&times, "2026-10-25T01:15:00Z", "2026-10-25T02:00:00Z",
            "not from its second half either");
    check_firings(&times, "2027-03-28T00:30:00Z", "2027-03-28T01:00:00Z 2027-03-28T01:30:00Z",
            "from 01:30 to 03:00");
    times = times_of("cron(0 9 * * ? *)", "America/New_York");
    check_firings(&times, "2026-10-31T12:00:00Z",
            "2026-10-31T13:00:00Z 2026-11-01T14:00:00Z 2026-11-02T14:00:00Z", "nine stays nine");
    /* South of the equator, with half an hour. */
    times = times_of("cron(15 2 * * ? *)", "Australia/Lord_Howe");
    check_firings(&times, "2026-10-02T00:00:00Z", "2026-10-02T15:45:00Z 2026-10-04T15:15:00Z",
            "half an hour ahead");
    /* Samoa had no 30th of December 2011. */
    times = times_of("cron(0 12 * * ? *)", "Pacific/Apia");
    check_firings(&times, "2011-12-29T00:00:00Z", "2011-12-29T22:00:00Z 2011-12-30T22:00:00Z",
            "a day left out");
}

static void test_once_is_not_never(void **state)
{
    (void)state;
    struct weir_schedule_times times = times_of("at(2027-03-28T02:30:00)", "Europe/Berlin");
    check_firings(&times, "2026-01-01T00:00:00Z", "2027-03-28T01:30:00Z none", "moved to 03:30");
    struct weir_firing firing;
    assert_true(weir_schedule_next(&times, time_of("2026-01-01T00:00:00Z"), &firing));
    assert_int_equal(firing.local, WEIR_ZONE_NEVER);
    times = times_of("at(2026-10-25T02:30:00)", "Europe/Berlin");
    check_firings(&times, "2026-01-01T00:00:00Z", "2026-10-25T00:30:00Z none", "the first time");
    times = times_of("at(2026-11-21T09:30:00)", "+05:30");
    check_firings(&times, "2026-01-01T00:00:00Z", "2026-11-21T04:00:00Z none", "a fixed offset");
}

/* --- against a walk over every minute --------------------------------------------------- */

/* An expression made at random, with the values of each field written out. */
struct made {
    char text[256];
    bool fields[6][2200]; /* allowed values of minutes, hours, days, months, weekdays, years */
    char rule;            /* 'd' days, 'w' weekdays, 'L', 'W', 'l' last weekday, '#' */
    int day;
    int nth;
};

static int below(struct weir_random *random, int bound)
{
    return (int)weir_random_below(random, (uint64_t)bound);
}

/* One field as "*", "a-b/s", "a/s" or a list. */
static void make_field(
        struct weir_random *random, struct made *made, int field, int low, int high, bool steps)
{
    char *at = made->text + strlen(made->text);
    size_t room = sizeof(made->text) - strlen(made->text);
    int a = low + below(random, high - low + 1);
    int b = a + below(random, high - a + 1);
    int step = 1 + below(random, high - low);
    int kind = below(random, steps ? 5 : 3);
    for (int v = low; v <= high; v++) {
        made->fields[field][v] = kind == 0 || (kind == 1 && (v == a || v == b)) ||
                                 (kind == 2 && v >= a && v <= b) ||
                                 (kind == 3 && v >= a && v <= b && (v - a) % step == 0) ||
                                 (kind == 4 && v >= a && (v - a) % step == 0);
    }
    if (kind == 0) {
        snprintf(at, room, "* ");
    } else if (kind == 1) {
        snprintf(at, room, "%d,%d ", a, b);
    } else if (kind == 2) {
        snprintf(at, room, "%d-%d ", a, b);
    } else if (kind == 3) {
        snprintf(at, room, "%d-%d/%d ", a, b, step);
    } else {
        snprintf(at, room, "%d/%d ", a, step);
    }
}

static void append(struct made *made, const char *text)
{
    size_t n = strlen(made->text);
    snprintf(made->text + n, sizeof(made->text) - n, "%s", text);
}

static void make_expression(struct weir_random *random, struct made *made)
{
    char day[16] = "? ";
    char weekday[16] = "? ";
    memset(made, 0, sizeof(*made));
    append(made, "cron(");
    make_field(random, made, 0, 0, 59, true);
    make_field(random, made, 1, 0, 23, true);
    made->rule = "ddwwLWl#"[below(random, 8)];
    made->day = 1 + below(random, made->rule == 'W' ? 31 : 7);
    made->nth = 1 + below(random, 5);
    if (made->rule == 'L') {
        snprintf(day, sizeof(day), "L ");
    } else if (made->rule == 'W') {
        snprintf(day, sizeof(day), "%dW ", made->day);
    } else if (made->rule == 'l') {
        snprintf(weekday, sizeof(weekday), "%dL ", made->day);
    } else if (made->rule == '#') {
        snprintf(weekday, sizeof(weekday), "%d#%d ", made->day, made->nth);
    }
    if (made->rule == 'd') {
        make_field(random, made, 2, 1, 31, true);
    } else {
        append(made, day);
    }
    make_field(random, made, 3, 1, 12, true);
    if (made->rule == 'w') {
        make_field(random, made, 4, 1, 7, false);
    } else {
        append(made, weekday);
    }
    append(made, "*)");
}

static int weekday(const struct weir_date *date, int day)
{
    return ((date->weekday + day - date->day) % 7 + 35) % 7 + 1;
}

static bool is_workday(const struct weir_date *date, int day)
{
    return weekday(date, day) != 1 && weekday(date, day) != 7;
}

/* The workday of the month nearest to a day, looked for outwards. */
static int nearest(const struct weir_date *date, int day, int last)
{
    for (int far = 0; far < 4 && day <= last; far++) {
        if (day - far >= 1 && is_workday(date, day - far)) {
            return day - far;
        }
        if (day + far <= last && is_workday(date, day + far)) {
            return day + far;
        }
    }
    return 0;
}

static bool day_fits(const struct made *made, const struct weir_date *date)
{
    int last = weir_month_days(date->year, date->month);
    switch (made->rule) {
    case 'd':
        return made->fields[2][date->day];
    case 'w':
        return made->fields[4][date->weekday + 1];
    case 'L':
        return date->day == last;
    case 'W':
        return date->day == nearest(date, made->day, last);
    case 'l':
        return date->weekday + 1 == made->day && date->day + 7 > last;
    default:
        return date->weekday + 1 == made->day && (date->day - 1) / 7 + 1 == made->nth;
    }
}

/* Whether the clocks showed this minute for the first time. */
static bool is_first(const struct weir_zone *zone, int64_t moment, int64_t local)
{
    for (int64_t before = moment - 60; before >= moment - 3 * 3600; before -= 60) {
        if (before + weir_zone_offset_at(zone, before) == local) {
            return false;
        }
    }
    return true;
}

/* The first firing within so many minutes after a whole minute; 0: none. */
static int64_t walk(
        const struct made *made, const struct weir_zone *zone, int64_t after, int minutes)
{
    for (int64_t moment = after + 60; minutes > 0; moment += 60, minutes--) {
        int64_t local = moment + weir_zone_offset_at(zone, moment);
        struct weir_date date;
        weir_date_of(local, &date);
        if (made->fields[0][date.minute] && made->fields[1][date.hour] &&
                made->fields[3][date.month] && day_fits(made, &date) &&
                is_first(zone, moment, local)) {
            return moment;
        }
    }
    return 0;
}

static void test_every_minute_agrees(void **state)
{
    (void)state;
    static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York",
        "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu" };
    /* The days around which clocks are set, in one zone or another. */
    static const char *const days[] = { "2026-10-24T00:00:00Z", "2027-03-27T00:00:00Z",
        "2026-10-31T12:00:00Z", "2027-03-13T12:00:00Z", "2026-10-02T12:00:00Z",
        "2018-11-03T00:00:00Z", "2028-02-27T00:00:00Z", "2026-12-30T00:00:00Z" };
    enum { ROUNDS = 1500, MINUTES = 4 * 24 * 60 };
    struct weir_random random;
    struct made made;
    int found = 0;
    weir_random_seed(&random, 20261121);
    for (int i = 0; i < ROUNDS; i++) {
        make_expression(&random, &made);
        const char *zone = zones[below(&random, (int)WEIR_COUNT(zones))];
        const char *day = days[below(&random, (int)WEIR_COUNT(days))];
        struct weir_schedule_times times = times_of(made.text, zone);
        int64_t after = time_of(day).ms / 1000 + 60ll * below(&random, 24 * 60);
        int64_t expected = walk(&made, times.zone, after, MINUTES);
        struct weir_firing firing = { 0 };
        bool have = weir_schedule_next(&times, (struct weir_time){ after * 1000 }, &firing);
        bool near = have && firing.time.ms <= (after + MINUTES * 60ll) * 1000;
        found += expected != 0;
        if (near != (expected != 0) || (near && firing.time.ms != expected * 1000)) {
            fail_msg("%s in %s after %lld: %lld instead of %lld", made.text, zone, (long long)after,
                    (long long)firing.time.ms / 1000, (long long)expected);
        }
    }
    assert_true(found > ROUNDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions_that_are_read),
        cmocka_unit_test(test_expressions_that_are_refused),
        cmocka_unit_test(test_firings_by_the_calendar),
        cmocka_unit_test(test_rates_keep_their_grid),
        cmocka_unit_test(test_start_and_end),
        cmocka_unit_test(test_days_on_which_clocks_are_set),
        cmocka_unit_test(test_once_is_not_never),
        cmocka_unit_test(test_every_minute_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
