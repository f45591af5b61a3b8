/*
 * The calendar: days and dates of the proleptic Gregorian calendar, without time zones
 * (base/zone.h has those). Pure functions.
 */
#ifndef WEIR_BASE_CALENDAR_H
#define WEIR_BASE_CALENDAR_H

#include <stdint.h>

/* A moment's date and time of day. */
struct weir_date {
    int year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
    int weekday;  /* 0 is Sunday */
    int year_day; /* 0 is January 1 */
};

/* The date of seconds since 1970-01-01T00:00:00. */
void weir_date_of(int64_t seconds, struct weir_date *ret);

/* Days since 1970-01-01 of a date. Years from -400 on. */
int64_t weir_days_of(int64_t year, int month, int day);

/* How many days a month has. */
int weir_month_days(int64_t year, int month);

#endif
