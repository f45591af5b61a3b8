/*
 * Schedule expressions: when something is to happen, in the grammar of EventBridge Scheduler,
 * and a little more.
 *
 *     at(2026-11-21T09:30:00)           once
 *     rate(5 minutes)                   every five minutes
 *     cron(30 9 ? * MON-FRI *)          minutes hours day-of-month month day-of-week year
 *
 * weir also takes what AWS refuses: fractions of a second in at(...), seconds and milliseconds
 * in rate(...), and a plain duration such as 90s or 1h30m for a rate.
 *
 * Times of at(...) and cron(...) are those of a zone's clocks. What the documentation of AWS
 * says about days on which they are set: a time that they leave out is skipped by cron(...), a
 * time that they show twice counts the first time, and a day of rate(...) has 24 hours. Where
 * it says nothing, at(...) with a time that is left out happens as much later (02:30 becomes
 * 03:30), because what happens once should not happen never.
 *
 * Pure: no state, no clock. Any thread.
 */
#ifndef WEIR_SCHEDULE_EXPRESSION_H
#define WEIR_SCHEDULE_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "base/zone.h"

enum {
    WEIR_SCHEDULE_EXPRESSION_MAX = 256,
    WEIR_SCHEDULE_RATE_MIN_MS = 10,
    WEIR_CRON_FIRST_YEAR = 1970,
    WEIR_CRON_LAST_YEAR = 2199,
};

enum weir_schedule_kind {
    WEIR_SCHEDULE_AT,
    WEIR_SCHEDULE_RATE,
    WEIR_SCHEDULE_CRON,
};

/* Which days of a month a cron expression means. */
enum weir_cron_days {
    WEIR_CRON_DAYS,            /* the days in `days` */
    WEIR_CRON_LAST_DAY,        /* L */
    WEIR_CRON_LAST_WORKDAY,    /* LW: the last one from Monday to Friday */
    WEIR_CRON_NEAREST_WORKDAY, /* 15W: the nearest to `day`, in the same month */
    WEIR_CRON_WEEKDAYS,        /* the days of the week in `weekdays` */
    WEIR_CRON_LAST_WEEKDAY,    /* 6L: the last Friday */
    WEIR_CRON_NTH_WEEKDAY,     /* 3#2: the second Tuesday */
};

struct weir_cron {
    uint64_t minutes; /* bit n: minute n; likewise below */
    uint64_t hours;
    uint64_t days;
    uint64_t months;
    uint64_t weekdays; /* 1 is Sunday */
    uint64_t years[4]; /* bit 0 of the first is WEIR_CRON_FIRST_YEAR */
    enum weir_cron_days rule;
    int day; /* of NEAREST_WORKDAY; the day of the week of LAST_WEEKDAY and NTH_WEEKDAY */
    int nth; /* of NTH_WEEKDAY */
};

struct weir_schedule_expression {
    enum weir_schedule_kind kind;
    int64_t at_ms;     /* AT: local time, as if it were UTC */
    uint64_t every_ms; /* RATE */
    struct weir_cron cron;
};

/*
 * Read an expression. Errors: WEIR_E_INVALID, with the place in the text and what was expected
 * there.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedule_parse(struct weir_str text,
        struct weir_schedule_expression *ret_expression, struct weir_err *err);

/* An expression with all that decides about its firings. */
struct weir_schedule_times {
    struct weir_schedule_expression expression;
    const struct weir_zone *zone;
    struct weir_time anchor; /* RATE: the first firing */
    struct weir_time start;  /* RATE and CRON: no firing before; 0: no bound */
    struct weir_time end;    /* RATE and CRON: no firing after; 0: no bound */
};

struct weir_firing {
    struct weir_time time;
    enum weir_zone_local local; /* TWICE: the clocks show it once more; NEVER: at(...), moved */
    uint64_t left_out;          /* local times before it that the clocks leave out */
    struct weir_time first_left_out; /* with left_out: the first, in local time */
};

/* The first firing after a moment; false: there is none. */
bool weir_schedule_next(const struct weir_schedule_times *times, struct weir_time after,
        struct weir_firing *ret_firing);

#endif
