/* weir status: what a running weir says about itself. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/columns.h"

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "json", 0, NULL, "print the answer as it is", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { "lanes", 0, NULL, "with --json: each pipeline's lanes too", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, lanes) },
    { 0 },
};

/* --- numbers for people -------------------------------------------------------------------- */

static uint64_t number_of(struct weir_str text)
{
    uint64_t value = 0;
    return weir_str_to_u64(text, &value) ? value : 0;
}

static struct weir_str duration(struct weir_arena *arena, uint64_t ms)
{
    uint64_t s = ms / 1000;
    if (s == 0) {
        return weir_arena_printf(arena, "%llums", (unsigned long long)ms);
    }
    if (s < 120) {
        return weir_arena_printf(arena, "%llus", (unsigned long long)s);
    }
    if (s < 7200) {
        return weir_arena_printf(
                arena, "%llum %llus", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
    }
    if (s < (uint64_t)48 * 3600) {
        return weir_arena_printf(arena, "%lluh %llum", (unsigned long long)(s / 3600),
                (unsigned long long)(s / 60 % 60));
    }
    return weir_arena_printf(arena, "%llud %lluh", (unsigned long long)(s / 86400),
            (unsigned long long)(s / 3600 % 24));
}

static struct weir_str size(struct weir_arena *arena, uint64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;
    double shown = (double)bytes;
    while (shown >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        shown /= 1024;
        unit++;
    }
    return weir_arena_printf(arena, unit == 0 ? "%.0f %s" : "%.1f %s", shown, units[unit]);
}

/* --- the page ------------------------------------------------------------------------------ */

static bool add_table(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str stream = weir_cli_member(arena, object, "stream");
    struct weir_str cells[] = {
        weir_arena_str(arena, weir_cli_member(arena, object, "name")),
        stream.n > 0 ? weir_arena_str(arena, stream) : WEIR_STR("-"),
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

/* The state with what explains it. */
static struct weir_str shown_state(struct weir_arena *arena, struct weir_str object)
{
    struct weir_str state = weir_cli_member(arena, object, "state");
    struct weir_str reason = weir_cli_member(arena, object, "reason");
    return reason.n > 0 ? weir_arena_printf(
                                  arena, "%.*s: %.*s", WEIR_STR_ARG(state), WEIR_STR_ARG(reason))
                        : state;
}

static bool add_pipeline(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str behind = weir_cli_member(arena, object, "records_behind");
    struct weir_str least = weir_cli_member(arena, object, "records_behind_least");
    uint64_t age = number_of(weir_cli_member(arena, object, "oldest_unprocessed_ms"));
    struct weir_str cells[] = {
        weir_cli_member(arena, object, "name"),
        weir_cli_member(arena, object, "source"),
        weir_cli_member(arena, object, "records"),
        weir_cli_member(arena, object, "filtered"),
        weir_cli_member(arena, object, "errors"),
        weir_str_eq(behind, least) ? behind
                                   : weir_arena_printf(arena, "<=%.*s", WEIR_STR_ARG(behind)),
        age > 0 ? duration(arena, age) : WEIR_STR("-"),
        shown_state(arena, object),
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

static bool add_function(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str reason = weir_cli_member(arena, object, "reason");
    struct weir_str state = weir_cli_member(arena, object, "state");
    struct weir_str cells[] = {
        weir_cli_member(arena, object, "name"),
        weir_cli_member(arena, object, "runtime"),
        weir_cli_member(arena, object, "instances"),
        weir_cli_member(arena, object, "running"),
        weir_cli_member(arena, object, "waiting"),
        weir_cli_member(arena, object, "invocations"),
        weir_cli_member(arena, object, "errors"),
        reason.n > 0
                ? weir_arena_printf(arena, "%.*s: %.*s", WEIR_STR_ARG(state), WEIR_STR_ARG(reason))
                : state,
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

static bool add_lane(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str reason = weir_cli_member(arena, object, "reason");
    struct weir_str state = weir_cli_member(arena, object, "state");
    uint64_t age = number_of(weir_cli_member(arena, object, "oldest_ms"));
    uint64_t next = number_of(weir_cli_member(arena, object, "next_ms"));
    struct weir_str cells[] = {
        weir_cli_member(arena, object, "kind"),
        weir_cli_member(arena, object, "target"),
        weir_cli_member(arena, object, "pending"),
        weir_cli_member(arena, object, "in_flight"),
        age > 0 ? duration(arena, age) : WEIR_STR("-"),
        next > 0 ? duration(arena, next) : WEIR_STR("-"),
        reason.n > 0
                ? weir_arena_printf(arena, "%.*s: %.*s", WEIR_STR_ARG(state), WEIR_STR_ARG(reason))
                : state,
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

/* --- what needs attention -------------------------------------------------------------------- */

struct page {
    struct weir_buf *out;
    struct weir_arena *arena;
};

static void write_stuck(struct page *page, struct weir_str name, struct weir_str stuck)
{
    struct weir_arena *arena = page->arena;
    weir_buf_printf(page->out,
            "%.*s: stuck at record %.*s of %.*s, keys %.*s, since %.*s; attempt %.*s, the next one "
            "at %.*s\n",
            WEIR_STR_ARG(name), WEIR_STR_ARG(weir_cli_member(arena, stuck, "sequence")),
            WEIR_STR_ARG(weir_cli_member(arena, stuck, "table")),
            WEIR_STR_ARG(weir_cli_member(arena, stuck, "keys")),
            WEIR_STR_ARG(weir_cli_member(arena, stuck, "since")),
            WEIR_STR_ARG(weir_cli_member(arena, stuck, "attempt")),
            WEIR_STR_ARG(weir_cli_member(arena, stuck, "next_attempt")));
}

static void write_room(struct page *page, struct weir_str name, struct weir_str room)
{
    struct weir_arena *arena = page->arena;
    struct weir_str seconds = weir_cli_member(arena, room, "seconds");
    weir_buf_printf(page->out, "%.*s: WARNING: the log keeps only %.*s more for it",
            WEIR_STR_ARG(name),
            WEIR_STR_ARG(size(arena, number_of(weir_cli_member(arena, room, "bytes")))));
    if (seconds.n > 0) {
        weir_buf_printf(page->out, ": you lose data in %.*s",
                WEIR_STR_ARG(duration(arena, number_of(seconds) * 1000)));
    }
    weir_buf_byte(page->out, '\n');
}

static void write_trimmed(struct page *page, struct weir_str name, struct weir_str trimmed)
{
    struct weir_arena *arena = page->arena;
    bool counted = weir_str_eq(weir_cli_member(arena, trimmed, "counted"), WEIR_STR("true"));
    struct weir_str least = weir_cli_member(arena, trimmed, "records_least");
    struct weir_str most = weir_cli_member(arena, trimmed, "records_most");
    weir_buf_printf(page->out, "%.*s: TRIMMED: %s%.*s records were lost, first seen %.*s\n",
            WEIR_STR_ARG(name), counted && weir_str_eq(least, most) ? "" : "at least ",
            WEIR_STR_ARG(least), WEIR_STR_ARG(weir_cli_member(arena, trimmed, "since")));
}

static const char *plural(struct weir_str count)
{
    return weir_str_eq(count, WEIR_STR("1")) ? "" : "s";
}

static void write_quarantine(struct page *page, struct weir_str name, struct weir_str quarantine)
{
    struct weir_str items = weir_cli_member(page->arena, quarantine, "keys");
    struct weir_str records = weir_cli_member(page->arena, quarantine, "records");
    weir_buf_printf(page->out,
            "%.*s: QUARANTINE: %.*s record%s of %.*s item%s held back, those that failed included: "
            "weir dlq list %.*s\n",
            WEIR_STR_ARG(name), WEIR_STR_ARG(records), plural(records), WEIR_STR_ARG(items),
            plural(items), WEIR_STR_ARG(name));
}

static void write_job(struct page *page, struct weir_str name, struct weir_str job)
{
    struct weir_arena *arena = page->arena;
    struct weir_str progress = weir_cli_member(arena, job, "progress");
    double part = 0;
    if (progress.n > 0 && progress.n < 16) {
        part = strtod(weir_arena_str(arena, progress).p, NULL);
    }
    weir_buf_printf(page->out, "%.*s: %.*s: %.0f %%, %.*s records, since %.*s\n",
            WEIR_STR_ARG(name), WEIR_STR_ARG(weir_cli_member(arena, job, "kind")), 100 * part,
            WEIR_STR_ARG(weir_cli_member(arena, job, "given")),
            WEIR_STR_ARG(weir_cli_member(arena, job, "since")));
}

/* Lines under the table: one for each thing that somebody should know. */
static bool write_attention(void *arg, struct weir_str object)
{
    struct page *page = arg;
    struct weir_arena *arena = page->arena;
    struct weir_str name = weir_cli_member(arena, object, "name");
    struct weir_str stuck = weir_cli_member(arena, object, "stuck");
    struct weir_str room = weir_cli_member(arena, object, "log_room");
    struct weir_str trimmed = weir_cli_member(arena, object, "trimmed");
    struct weir_str quarantine = weir_cli_member(arena, object, "quarantine");
    if (stuck.n > 0) {
        write_stuck(page, name, stuck);
    }
    if (quarantine.n > 0) {
        write_quarantine(page, name, quarantine);
    }
    if (weir_str_eq(weir_cli_member(arena, room, "half_used"), WEIR_STR("true"))) {
        write_room(page, name, room);
    }
    if (trimmed.n > 0) {
        write_trimmed(page, name, trimmed);
    }
    struct weir_str job = weir_cli_member(arena, object, "job");
    if (job.n > 0) {
        write_job(page, name, job);
    } else if (weir_cli_member(arena, object, "rebuild_needed").n > 0) {
        weir_buf_printf(page->out,
                "%.*s: its rule has changed since its views were made: weir rebuild %.*s\n",
                WEIR_STR_ARG(name), WEIR_STR_ARG(name));
    }
    return true;
}

static void write_head(struct weir_buf *out, struct weir_arena *arena, struct weir_str answer)
{
    struct weir_str log = weir_cli_member(arena, answer, "log");
    weir_buf_printf(out, "weir %.*s, up for %.*s\n",
            WEIR_STR_ARG(weir_cli_member(arena, answer, "version")),
            WEIR_STR_ARG(duration(arena, number_of(weir_cli_member(arena, answer, "uptime_ms")))));
    weir_buf_printf(out, "log: %.*s, positions %.*s to %.*s\n",
            WEIR_STR_ARG(size(arena, number_of(weir_cli_member(arena, log, "bytes")))),
            WEIR_STR_ARG(weir_cli_member(arena, log, "oldest")),
            WEIR_STR_ARG(weir_cli_member(arena, log, "end")));
    if (weir_str_eq(weir_cli_member(arena, answer, "read_only"), WEIR_STR("true"))) {
        weir_buf_printf(out, "READ-ONLY: %.*s\n",
                WEIR_STR_ARG(weir_cli_member(arena, answer, "read_only_reason")));
    }
}

/* Nothing is said while no schedule has had anything to do. */
static void write_schedules(struct weir_buf *out, struct weir_arena *arena, struct weir_str answer)
{
    struct weir_str schedules = weir_cli_member(arena, answer, "schedules");
    struct weir_str fired = weir_cli_member(arena, schedules, "fired");
    struct weir_str missed = weir_cli_member(arena, schedules, "missed");
    struct weir_str failed = weir_cli_member(arena, schedules, "failed");
    bool idle = weir_str_eq(fired, WEIR_STR("0")) && weir_str_eq(missed, WEIR_STR("0")) &&
                weir_str_eq(failed, WEIR_STR("0"));
    if (fired.n > 0 && !idle) {
        weir_buf_printf(out, "\nschedules: %.*s fired, %.*s missed, %.*s failed\n",
                WEIR_STR_ARG(fired), WEIR_STR_ARG(missed), WEIR_STR_ARG(failed));
    }
}

static void write_page(struct weir_buf *out, struct weir_str answer)
{
    static const char *const table_titles[] = { "TABLE", "STREAM" };
    static const char *const function_titles[] = { "FUNCTION", "RUNTIME", ">INSTANCES", ">RUNNING",
        ">WAITING", ">INVOCATIONS", ">ERRORS", "STATE" };
    static const char *const pipeline_titles[] = { "PIPELINE", "SOURCE", ">RECORDS", ">FILTERED",
        ">ERRORS", ">BEHIND", ">LAG", "STATE" };
    static const char *const lane_titles[] = { "DELIVERIES", "TARGET", ">PENDING", ">IN FLIGHT",
        ">OLDEST", ">NEXT TRY", "STATE" };
    struct weir_arena arena;
    struct weir_cli_columns columns;
    weir_arena_init(&arena);
    write_head(out, &arena, answer);
    weir_cli_columns_init(&columns, table_titles, sizeof(table_titles) / sizeof(table_titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "tables"), add_table, &columns);
    weir_cli_columns_write(&columns, out, "\n", "");
    weir_cli_columns_init(
            &columns, function_titles, sizeof(function_titles) / sizeof(function_titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "functions"), add_function, &columns);
    weir_cli_columns_write(&columns, out, "\n", "");
    weir_cli_columns_init(
            &columns, pipeline_titles, sizeof(pipeline_titles) / sizeof(pipeline_titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "pipelines"), add_pipeline, &columns);
    weir_cli_columns_write(&columns, out, "\n", "");
    weir_cli_columns_init(&columns, lane_titles, sizeof(lane_titles) / sizeof(lane_titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "outbox"), add_lane, &columns);
    weir_cli_columns_write(&columns, out, "\n", "");
    write_schedules(out, &arena, answer);
    struct page page = { out, &arena };
    weir_cli_each(weir_cli_member(&arena, answer, "pipelines"), write_attention, &page);
    weir_arena_fini(&arena);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_cli_request request = {
        .path = call->lanes ? WEIR_STR("/v1/status?lanes=true") : WEIR_STR("/v1/status"),
    };
    return weir_cli_show(call, &request, write_page);
}

const struct weir_cli_command weir_cli_status = {
    .name = "status",
    .arguments = "",
    .help = "Show tables, functions, pipelines, how far behind they are, and the log",
    .details = "",
    .options = options,
    .run = run,
};
