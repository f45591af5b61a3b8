/* Schedule expressions: the next firing. */
#include "base/calendar.h"
#include "schedule/expression.h"

enum { DAY_SECONDS = 86400, MINUTE_SECONDS = 60 };

static bool has(uint64_t set, int bit)
{
    return (set >> bit & 1) != 0;
}

static bool has_year(const struct weir_cron *cron, int year)
{
    int bit = year - WEIR_CRON_FIRST_YEAR;
    return bit >= 0 && year <= WEIR_CRON_LAST_YEAR && has(cron->years[bit / 64], bit % 64);
}

/* 1 is Sunday, as in the expressions. */
static int weekday_of(int64_t days)
{
    return (int)((days % 7 + 11) % 7) + 1; /* 1970-01-01 was a Thursday */
}

/* The last day from Monday to Friday at or before a day that is a month's last. */
static int last_workday(int64_t last_days, int last)
{
    int weekday = weekday_of(last_days);
    return weekday == 7 ? last - 1 : weekday == 1 ? last - 2 : last;
}

/* The nearest one to a day, without leaving the month; 0: the month has no such day. */
static int nearest_workday(int64_t first_days, int last, int day)
{
    if (day > last) {
        return 0;
    }
    int weekday = weekday_of(first_days + day - 1);
    if (weekday == 7) {
        return day > 1 ? day - 1 : 3;
    }
    if (weekday == 1) {
        return day < last ? day + 1 : day - 2;
    }
    return day;
}

/* The days of a month that the expression means: bit n is day n. */
static uint64_t days_of_month(const struct weir_cron *cron, int year, int month)
{
    int64_t first = weir_days_of(year, month, 1);
    int last = weir_month_days(year, month);
    uint64_t all = ((1ull << last) - 1) << 1;
    uint64_t chosen = 0;
    switch (cron->rule) {
    case WEIR_CRON_DAYS:
        return cron->days & all;
    case WEIR_CRON_LAST_DAY:
        return 1ull << last;
    case WEIR_CRON_LAST_WORKDAY:
        return 1ull << last_workday(first + last - 1, last);
    case WEIR_CRON_NEAREST_WORKDAY:
        return (1ull << nearest_workday(first, last, cron->day)) & all;
    case WEIR_CRON_WEEKDAYS:
        for (int day = 1; day <= last; day++) {
            chosen |= has(cron->weekdays, weekday_of(first + day - 1)) ? 1ull << day : 0;
        }
        return chosen;
    case WEIR_CRON_LAST_WEEKDAY:
        return 1ull << (last - (weekday_of(first + last - 1) - cron->day + 7) % 7);
    case WEIR_CRON_NTH_WEEKDAY:
        return (1ull << (1 + (cron->day - weekday_of(first) + 7) % 7 + (cron->nth - 1) * 7)) & all;
    }
    return 0;
}

/* A walk over the local times of a cron expression, in minutes since 1970. */
struct walk {
    const struct weir_cron *cron;
    struct weir_date date; /* the minute looked at */
    int64_t day;           /* its day */
};

static void begin_month(struct walk *walk)
{
    walk->date.day = 1;
    walk->date.hour = 0;
    walk->date.minute = 0;
    if (++walk->date.month > 12) {
        walk->date.month = 1;
        walk->date.year++;
    }
}

/* Move to the first day of the expression at or after the walk's; false: there is none. */
static bool find_day(struct walk *walk)
{
    while (walk->date.year <= WEIR_CRON_LAST_YEAR) {
        if (!has_year(walk->cron, walk->date.year)) {
            walk->date.month = 12; /* begin_month goes on with the next year */
            begin_month(walk);
            continue;
        }
        uint64_t days = 0;
        if (has(walk->cron->months, walk->date.month)) {
            days = days_of_month(walk->cron, walk->date.year, walk->date.month);
            days &= ~0ull << walk->date.day;
        }
        if (days == 0) {
            begin_month(walk);
            continue;
        }
        int day = __builtin_ctzll(days);
        if (day > walk->date.day) {
            walk->date.day = day;
            walk->date.hour = 0;
            walk->date.minute = 0;
        }
        walk->day = weir_days_of(walk->date.year, walk->date.month, day);
        return true;
    }
    return false;
}

/* Move to the first time at or after the walk's on its day; false: none is left on it. */
static bool find_time(struct walk *walk)
{
    const struct weir_cron *cron = walk->cron;
    uint64_t minutes = cron->minutes & ~0ull << walk->date.minute;
    if (!has(cron->hours, walk->date.hour) || minutes == 0) {
        uint64_t hours = cron->hours & ~0ull << (walk->date.hour + 1);
        if (hours == 0) {
            return false;
        }
        walk->date.hour = __builtin_ctzll(hours);
        minutes = cron->minutes;
    }
    walk->date.minute = __builtin_ctzll(minutes);
    return true;
}

/* The local time, in seconds, of the first match at or after the walk's minute. */
static bool find_local(struct walk *walk, int64_t *ret_local)
{
    while (find_day(walk)) {
        if (find_time(walk)) {
            *ret_local = walk->day * DAY_SECONDS + walk->date.hour * 3600 +
                         walk->date.minute * MINUTE_SECONDS;
            return true;
        }
        walk->date.hour = 0;
        walk->date.minute = 0;
        if (++walk->date.day > weir_month_days(walk->date.year, walk->date.month)) {
            begin_month(walk);
        }
    }
    return false;
}

/* Behind the minute that was found. */
static void step(struct walk *walk)
{
    if (++walk->date.minute < 60) {
        return;
    }
    walk->date.minute = 0;
    if (++walk->date.hour < 24) {
        return;
    }
    walk->date.hour = 0;
    if (++walk->date.day > weir_month_days(walk->date.year, walk->date.month)) {
        begin_month(walk);
    }
}

static int64_t floor_seconds(struct weir_time time)
{
    return time.ms / 1000 - (time.ms % 1000 < 0 ? 1 : 0);
}

/*
 * Local times and the moments of their first showing come in the same order, so the walk
 * begins at the local time of `after` and passes over what is not behind it.
 */
static bool next_cron(
        const struct weir_schedule_times *times, struct weir_time after, struct weir_firing *firing)
{
    int64_t first = weir_days_of(WEIR_CRON_FIRST_YEAR, 1, 1) * DAY_SECONDS;
    int64_t from = floor_seconds(after);
    int64_t local = from + weir_zone_offset_at(times->zone, from);
    struct walk walk = { .cron = &times->expression.cron };
    weir_date_of(local > first ? local : first, &walk.date);
    while (find_local(&walk, &local)) {
        int64_t moment = 0;
        firing->local = weir_zone_moment(times->zone, local, &moment);
        if (firing->local == WEIR_ZONE_NEVER) {
            firing->first_left_out.ms =
                    firing->left_out++ == 0 ? local * 1000 : firing->first_left_out.ms;
        } else if (moment * 1000 > after.ms) {
            firing->time.ms = moment * 1000;
            return true;
        }
        step(&walk);
    }
    return false;
}

static bool next_rate(
        const struct weir_schedule_times *times, struct weir_time after, struct weir_firing *firing)
{
    int64_t every = (int64_t)times->expression.every_ms;
    int64_t anchor = times->anchor.ms;
    firing->time.ms =
            after.ms < anchor ? anchor : anchor + ((after.ms - anchor) / every + 1) * every;
    return true;
}

static bool next_at(
        const struct weir_schedule_times *times, struct weir_time after, struct weir_firing *firing)
{
    int64_t local_ms = times->expression.at_ms;
    int64_t moment = 0;
    firing->local = weir_zone_moment(times->zone, local_ms / 1000, &moment);
    firing->time.ms = moment * 1000 + local_ms % 1000;
    return firing->time.ms > after.ms;
}

bool weir_schedule_next(const struct weir_schedule_times *times, struct weir_time after,
        struct weir_firing *ret_firing)
{
    struct weir_firing firing = { .local = WEIR_ZONE_ONCE };
    bool found = false;
    if (times->expression.kind == WEIR_SCHEDULE_AT) {
        found = next_at(times, after, &firing);
    } else {
        bool early = times->start.ms > 0 && after.ms < times->start.ms;
        after.ms = early ? times->start.ms - 1 : after.ms;
        found = times->expression.kind == WEIR_SCHEDULE_RATE ? next_rate(times, after, &firing)
                                                             : next_cron(times, after, &firing);
        found = found && (times->end.ms == 0 || firing.time.ms <= times->end.ms);
    }
    if (found) {
        *ret_firing = firing;
    }
    return found;
}
