/* weir schedule: when an expression fires, and the schedules of a running weir. */
#include <stdio.h>

#include "base/calendar.h"
#include "base/clock.h"
#include "cli/client.h"
#include "cli/schedule.h"
#include "schedule/expression.h"
#include "value/json.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 100000 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "group", 0, "NAME", "those of one group (list)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, in_group) },
    { "limit", 0, "N", "print at most so many (list)", WEIR_CLI_NUMBER,
            offsetof(struct weir_cli_call, limit) },
    { "timezone", 0, "ZONE", "whose clocks at(...) and cron(...) mean (explain; default: UTC)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, timezone) },
    { "from", 0, "TIME", "show firings after 2026-11-21T09:30:00Z (explain; default: now)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, from) },
    { "count", 'n', "N", "how many (explain; default: 10)", WEIR_CLI_NUMBER,
            offsetof(struct weir_cli_call, count) },
    { "json", 0, NULL, "print objects, one a line", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

/* --- explain --------------------------------------------------------------------------------- */

enum { LOCAL_TEXT = 64 };

/* A moment as the clocks show it: "2026-11-21T09:30:00". */
static void format_local(int64_t ms, char separator, char text[static LOCAL_TEXT])
{
    struct weir_date date;
    int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    weir_date_of(seconds, &date);
    int n = snprintf(text, LOCAL_TEXT, "%04d-%02d-%02d%c%02d:%02d:%02d", date.year, date.month,
            date.day, separator, date.hour, date.minute, date.second);
    if (ms != seconds * 1000) {
        snprintf(text + n, (size_t)(LOCAL_TEXT - n), ".%03d", (int)(ms - seconds * 1000));
    }
}

static void format_offset(int32_t offset, char text[static LOCAL_TEXT])
{
    int minutes = (offset < 0 ? -offset : offset) / 60;
    snprintf(text, LOCAL_TEXT, "%c%02d:%02d", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static void write_json(struct weir_buf *out, const struct weir_firing *firing, const char *local,
        const char *offset)
{
    char time[WEIR_TIME_TEXT];
    char left_out[LOCAL_TEXT];
    weir_time_format(firing->time, time);
    weir_buf_printf(out, "{\"time\":\"%s\",\"local\":\"%s%s\"", time, local, offset);
    if (firing->left_out > 0) {
        format_local(firing->first_left_out.ms, 'T', left_out);
        weir_buf_printf(out, ",\"left_out\":%llu,\"first_left_out\":\"%s\"",
                (unsigned long long)firing->left_out, left_out);
    }
    if (firing->local != WEIR_ZONE_ONCE) {
        weir_buf_printf(
                out, ",\"shown\":\"%s\"", firing->local == WEIR_ZONE_TWICE ? "twice" : "never");
    }
    weir_buf_z(out, "}\n");
}

static void write_line(struct weir_buf *out, const struct weir_firing *firing, const char *local,
        const char *offset, int weekday)
{
    static const char *const weekdays[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    char time[WEIR_TIME_TEXT];
    char left_out[LOCAL_TEXT];
    if (firing->left_out > 0) {
        format_local(firing->first_left_out.ms, ' ', left_out);
        weir_buf_printf(out, "     %s         skipped%s: the clocks are set ahead over it\n",
                left_out, firing->left_out > 1 ? ", and more" : "");
    }
    weir_time_format(firing->time, time);
    weir_buf_printf(out, "%s  %s %s  %s%s\n", weekdays[weekday], local, offset, time,
            firing->local == WEIR_ZONE_TWICE ? "  once: the clocks are set back and show it again"
            : firing->local == WEIR_ZONE_NEVER
                    ? "  later: the clocks are set ahead over the time that was given"
                    : "");
}

static void write_firing(struct weir_buf *out, const struct weir_cli_call *call,
        const struct weir_zone *zone, const struct weir_firing *firing)
{
    char local[LOCAL_TEXT];
    char offset[LOCAL_TEXT];
    int32_t ahead = weir_zone_offset_at(zone, firing->time.ms / 1000);
    format_local(firing->time.ms + ahead * 1000ll, call->json ? 'T' : ' ', local);
    format_offset(ahead, offset);
    if (call->json) {
        write_json(out, firing, local, offset);
    } else {
        struct weir_date date;
        weir_date_of(firing->time.ms / 1000 + ahead, &date);
        write_line(out, firing, local, offset, date.weekday);
    }
}

/* What --from says; at(...) is how times are written in expressions. */
static bool read_from(const char *text, struct weir_time *ret_time)
{
    char at[LOCAL_TEXT];
    struct weir_schedule_expression expression;
    size_t n = strcspn(text, "Z");
    if (text[n] != '\0' && text[n + 1] != '\0') {
        return false;
    }
    snprintf(at, sizeof(at), "at(%.*s)", (int)n, text);
    if (weir_schedule_parse(weir_str_z(at), &expression, NULL) != WEIR_OK) {
        return false;
    }
    ret_time->ms = expression.at_ms;
    return true;
}

static enum weir_cli_exit explain(const struct weir_cli_call *call)
{
    const char *text = call->arguments[1];
    const char *zone = call->timezone != NULL ? call->timezone : "UTC";
    struct weir_schedule_times times = { .zone = weir_zone_find(weir_str_z(zone)) };
    struct weir_time after = weir_clock_wall(weir_clock_system());
    struct weir_err err = { 0 };
    if (weir_schedule_parse(weir_str_z(text), &times.expression, &err) != WEIR_OK) {
        return weir_cli_fail("%s, at character %zu of %s", err.msg, err.pos + 1, text);
    }
    if (times.zone == NULL) {
        return weir_cli_fail("there is no time zone '%s': Europe/Berlin is one", zone);
    }
    if (call->from != NULL && !read_from(call->from, &after)) {
        weir_cli_fail("--from is a time as in 2026-11-21T09:30:00Z, not '%s'", call->from);
        return WEIR_CLI_USAGE;
    }
    uint64_t count = call->count > 0 ? call->count : COUNT_DEFAULT;
    struct weir_buf out;
    weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
    times.anchor = after;
    after.ms -= times.expression.kind == WEIR_SCHEDULE_RATE ? 1 : 0;
    uint64_t found = 0;
    for (; found < count && found < COUNT_MAX; found++) {
        struct weir_firing firing;
        if (!weir_schedule_next(&times, after, &firing)) {
            break;
        }
        write_firing(&out, call, times.zone, &firing);
        after = firing.time;
    }
    if (found < count && !call->json) {
        weir_buf_printf(&out, "%s\n", found > 0 ? "no more" : "it never fires");
    }
    weir_cli_print(&out);
    return WEIR_CLI_DONE;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    bool list = strcmp(call->arguments[0], "list") == 0;
    bool online = call->endpoint != NULL || call->in_group != NULL || call->limit > 0;
    bool offline = call->timezone != NULL || call->from != NULL || call->count > 0;
    if (!list && strcmp(call->arguments[0], "explain") != 0) {
        weir_cli_fail("weir schedule does not know '%s', but list and explain", call->arguments[0]);
    } else if (list && call->argument_count > 1) {
        weir_cli_fail("weir schedule list takes no argument '%s'", call->arguments[1]);
    } else if (!list && call->argument_count == 1) {
        weir_cli_fail("something is missing: weir schedule explain EXPRESSION");
    } else if (list ? offline : online) {
        weir_cli_fail("weir schedule %s takes no --%s", call->arguments[0],
                list ? "timezone, --from or --count" : "endpoint, --group or --limit");
    } else {
        return list ? weir_cli_schedule_list(call) : explain(call);
    }
    return WEIR_CLI_USAGE;
}

const struct weir_cli_command weir_cli_schedule = {
    .name = "schedule",
    .arguments = "list|explain [EXPRESSION]",
    .help = "List schedules with their next firings; show when an expression fires",
    .details = "list      the schedules of a running weir, and what has become of them\n"
               "explain   the next firings of at(...), rate(...), cron(...) or a duration, with\n"
               "          the days on which clocks are set\n",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
