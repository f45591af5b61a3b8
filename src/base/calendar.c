#include "base/calendar.h"

#include <stdbool.h>

int64_t weir_days_of(int64_t year, int month, int day)
{
    /* Count from March, so that the leap day is the year's last. */
    int64_t y = (month <= 2 ? year - 1 : year) + 400; /* never negative */
    int64_t m = month <= 2 ? month + 9 : month - 3;
    int64_t leap_days = y / 4 - y / 100 + y / 400;
    return y * 365 + leap_days + (m * 153 + 2) / 5 + day - 1 - 719468 - 146097;
}

void weir_date_of(int64_t seconds, struct weir_date *ret)
{
    int64_t day = seconds / 86400;
    int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    ret->hour = (int)(rest / 3600);
    ret->minute = (int)(rest / 60 % 60);
    ret->second = (int)(rest % 60);
    ret->weekday = (int)(((day + 4) % 7 + 7) % 7);

    int64_t year = 1970 + day / 366; /* at or before the year for days after 1970 */
    if (day < 0) {
        year = 1970 + day / 365 - 1;
    }
    while (weir_days_of(year + 1, 1, 1) <= day) {
        year += (day - weir_days_of(year + 1, 1, 1)) / 366 + 1;
    }
    int month = 1;
    while (month < 12 && weir_days_of(year, month + 1, 1) <= day) {
        month++;
    }
    ret->year = (int)year;
    ret->month = month;
    ret->day = (int)(day - weir_days_of(year, month, 1)) + 1;
    ret->year_day = (int)(day - weir_days_of(year, 1, 1));
}

int weir_month_days(int64_t year, int month)
{
    bool last = month == 12;
    return (int)(weir_days_of(last ? year + 1 : year, last ? 1 : month + 1, 1) -
                 weir_days_of(year, month, 1));
}
