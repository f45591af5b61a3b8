/* Times as people write them, for parameters of the admin API. */
#include <string.h>

#include "base/clock.h"
#include "cli/client.h"

/* Two digits of a time that are at most that. */
static bool two_digits(const char *at, unsigned least, unsigned most)
{
    unsigned value = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    return value >= least && value <= most;
}

/* A time, or the beginning of one, as letters have it. */
static bool is_time(struct weir_str text)
{
    static const char form[] = "0000-00-00T00:00:00.000";
    size_t n = text.n;
    bool right = n == 10 || n == 16 || n == 19 || n == sizeof(form) - 1;
    for (size_t i = 0; right && i < n; i++) {
        char c = text.p[i];
        right = form[i] == '0' ? c >= '0' && c <= '9' : c == form[i];
    }
    return right && two_digits(text.p + 5, 1, 12) && two_digits(text.p + 8, 1, 31) &&
           (n < 16 || (two_digits(text.p + 11, 0, 23) && two_digits(text.p + 14, 0, 59))) &&
           (n < 19 || two_digits(text.p + 17, 0, 60));
}

/* A time, or how long ago: as a text that compares with the times of letters. */
enum weir_cli_exit weir_cli_add_time(struct weir_buf *query, const char *name, const char *given)
{
    static const char units[] = "smhd";
    static const int64_t unit_ms[] = { 1000, 60000, 3600000, 86400000 };
    enum { MOST = 100 * 366 }; /* of any unit; more makes no sense */
    if (given == NULL) {
        return WEIR_CLI_DONE;
    }
    struct weir_str text = weir_str_z(given);
    uint64_t value = 0;
    const char *unit = text.n > 1 ? strchr(units, text.p[text.n - 1]) : NULL;
    if (unit != NULL && weir_str_to_u64(weir_str(text.p, text.n - 1), &value) && value <= MOST) {
        char formatted[WEIR_TIME_TEXT];
        struct weir_time time = weir_clock_wall(weir_clock_system());
        time.ms -= (int64_t)value * unit_ms[unit - units];
        weir_time_format(time.ms > 0 ? time : (struct weir_time){ 0 }, formatted);
        weir_cli_add_parameter(query, name, weir_str_z(formatted));
        return WEIR_CLI_DONE;
    }
    text.n -= text.n > 10 && text.p[text.n - 1] == 'Z';
    if (!is_time(text)) {
        weir_cli_fail("--%s is a time as in 2025-11-22 or 2025-11-22T08:15:00Z, or how long ago "
                      "as in 90s, 15m, 2h, 7d, not '%s'",
                name, given);
        return WEIR_CLI_USAGE;
    }
    weir_cli_add_parameter(query, name, text);
    return WEIR_CLI_DONE;
}
