/* weir run: what a pipeline makes of records, without a server. */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli_int.h"
#include "cli/configured.h"
#include "cli/input.h"
#include "scenario/effects.h"
#include "scenario/feed.h"
#include "scenario/tap.h"

enum {
    OUT_MAX_BYTES = 512 << 20,
    TAKE_LINES = 256,             /* of input between looks at what came out */
    SETTLE_MS = 24 * 3600 * 1000, /* for windows, pauses and retries at the end */
};

static const struct weir_cli_option options[] = {
    { "config", 'c', "FILE", "the configuration (default: weir.yaml)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, config) },
    { "format", 0, "FORMAT", "writes (default), records or lambda", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, format) },
    { "ddb", 0, NULL, "print items as DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { 0 },
};

/* Where a record that was fed came from, to name its line when it fails. */
struct origin {
    char event_id[WEIR_EVENT_ID_TEXT];
    size_t line;
};

struct run {
    const struct weir_cli_call *call;
    struct weir_str pipeline;
    struct weir_str source; /* its first table */
    bool taps;              /* what comes through is wanted, not what is written */
    enum weir_tap_form form;
    struct weir_tap *tap;
    struct weir_world *world;
    struct weir_effects *effects;
    struct origin *origins;
    size_t origin_count;
    size_t origin_capacity;
    size_t lines_seen; /* log lines of weir that were looked at */
    size_t line;       /* of the input */
    enum weir_cli_exit begun;
    bool failed;
    struct weir_arena arena; /* of the line */
    struct weir_arena names;
};

/* --- starting ------------------------------------------------------------------------------ */

static enum weir_rc no_such_pipeline(
        struct run *run, const struct weir_config *config, struct weir_err *err)
{
    const char *names[64];
    size_t count = 0;
    for (; count < config->pipeline_count && count < WEIR_COUNT(names); count++) {
        names[count] = weir_arena_str(&run->names, config->pipelines[count]->name).p;
    }
    const char *nearest = weir_str_nearest(run->pipeline, names, count);
    return weir_fail(err, WEIR_E_NOT_FOUND, "there is no pipeline '%.*s'%s%s%s",
            WEIR_STR_ARG(run->pipeline), nearest != NULL ? "; did you mean '" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* Keep only the pipeline that is to run, and put the tap into it. */
static enum weir_rc adjust(void *arg, struct weir_config *config, struct weir_err *err)
{
    struct run *run = arg;
    struct weir_pipeline_model *kept = NULL;
    for (size_t i = 0; i < config->pipeline_count && kept == NULL; i++) {
        kept = weir_str_eq(config->pipelines[i]->name, run->pipeline) ? config->pipelines[i] : NULL;
    }
    if (kept == NULL) {
        return no_such_pipeline(run, config, err);
    }
    if (kept->queue.n > 0) {
        return weir_fail(err, WEIR_E_UNSUPPORTED,
                "pipeline '%.*s' reads a queue: records of tables cannot be run through it",
                WEIR_STR_ARG(kept->name));
    }
    weir_effects_prepare(config);
    run->source = weir_arena_str(&run->names, weir_pipeline_model_source(kept));
    run->tap = run->taps ? weir_tap_create(kept, run->form) : NULL;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        if (config->pipelines[i] != kept) {
            weir_pipeline_model_destroy(config->pipelines[i]);
        }
    }
    config->pipelines[0] = kept;
    config->pipeline_count = 1;
    config->alarm_count = 0;
    return WEIR_OK;
}

/* Start, at the time of the first record. */
static enum weir_cli_exit begin(struct run *run, struct weir_time start)
{
    const char *path = weir_cli_config_path(run->call->config);
    if (path == NULL) {
        weir_cli_fail("there is no weir.yaml here; name a file with -c FILE");
        return WEIR_CLI_FAILED;
    }
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    struct weir_world_options world = {
        .config = path,
        .start = start,
        .adjust = adjust,
        .arg = run,
    };
    weir_diagnostics_init(&diagnostics, path);
    enum weir_rc rc = weir_world_create(&world, &diagnostics, &run->world, &err);
    if (rc != WEIR_OK && diagnostics.errors > 0) {
        weir_cli_fail("%s has errors; `weir check` lists them", path);
    } else if (rc != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
    }
    weir_diagnostics_fini(&diagnostics);
    if (rc != WEIR_OK) {
        return WEIR_CLI_FAILED;
    }
    run->effects = run->taps ? NULL : weir_effects_create(run->world, run->call->ddb);
    return WEIR_CLI_DONE;
}

/* --- what comes out --------------------------------------------------------------------------- */

static void complain(struct run *run, size_t line, const char *text)
{
    run->failed = true;
    weir_cli_fail("line %zu: %s", line, text);
}

static void complain_about_record(struct run *run, const struct weir_world_line *said)
{
    struct weir_str event_id = { 0 };
    struct weir_str error = { 0 };
    for (size_t i = 0; i < said->count; i++) {
        if (weir_str_eq(said->keys[i], WEIR_STR("event_id"))) {
            event_id = said->values[i];
        } else if (weir_str_eq(said->keys[i], WEIR_STR("error"))) {
            error = said->values[i];
        }
    }
    for (size_t i = run->origin_count; i > 0; i--) {
        if (weir_str_eq(weir_str_z(run->origins[i - 1].event_id), event_id)) {
            complain(run, run->origins[i - 1].line, error.p);
            return;
        }
    }
    run->failed = true;
    weir_cli_fail("%.*s", WEIR_STR_ARG(error));
}

/* Print what came out since the last time, and say which records failed. */
static bool take(struct run *run)
{
    struct weir_buf out;
    struct weir_err err = { 0 };
    enum weir_rc rc = WEIR_OK;
    weir_buf_init(&out, OUT_MAX_BYTES);
    if (run->tap != NULL) {
        weir_tap_take(run->tap, &out);
    } else {
        rc = weir_effects_take(run->effects, &out, &err);
    }
    if (rc == WEIR_OK) {
        rc = weir_buf_check(&out, "what came out", &err);
    }
    weir_cli_print(&out);
    for (; run->lines_seen < run->world->line_count; run->lines_seen++) {
        const struct weir_world_line *said = &run->world->lines[run->lines_seen];
        if (weir_str_eq(said->what, WEIR_STR("pipeline.record_failed"))) {
            complain_about_record(run, said);
        }
    }
    if (rc != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
    }
    return rc == WEIR_OK && !ferror(stdout);
}

/* --- what goes in --------------------------------------------------------------------------------
 */

static void note_origin(struct run *run, struct weir_pos pos, struct weir_str table_name)
{
    const struct weir_table *table = NULL;
    if (weir_tables_get(run->world->engine->tables, table_name, &table, NULL) != WEIR_OK) {
        return;
    }
    if (run->origin_count == run->origin_capacity) {
        run->origin_capacity = run->origin_capacity > 0 ? 2 * run->origin_capacity : 256;
        run->origins = weir_realloc(run->origins, run->origin_capacity, sizeof(*run->origins));
    }
    struct origin *origin = &run->origins[run->origin_count++];
    struct weir_record record = { .source = &table->source, .pos = pos };
    weir_record_event_id(&record, origin->event_id);
    origin->line = run->line;
    weir_table_unref(table);
}

static enum weir_rc feed(void *arg, const struct weir_feed *change, struct weir_err *err)
{
    struct run *run = arg;
    struct weir_pos pos = { 0 };
    enum weir_rc rc = WEIR_OK;
    if (run->world == NULL) {
        struct weir_time now = weir_clock_wall(weir_clock_system());
        run->begun = begin(run, change->has_at ? change->at : now);
    }
    if (run->begun != WEIR_CLI_DONE) {
        return WEIR_OK; /* it was said why */
    }
    struct weir_str table = change->table.n > 0 ? change->table : run->source;
    int64_t ahead_ms = change->at.ms - weir_world_now(run->world).ms;
    if (change->has_at && ahead_ms > 0) {
        rc = weir_world_advance(run->world, (uint64_t)ahead_ms, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_feed_apply(run->world, change, run->source, &pos, err);
    }
    if (rc == WEIR_OK && pos.seq != 0) {
        note_origin(run, pos, table);
        if (run->effects != NULL) {
            weir_effects_ignore(run->effects, pos);
        }
    }
    return rc;
}

static bool run_line(void *arg, struct weir_str line, bool too_long)
{
    struct run *run = arg;
    struct weir_err err = { 0 };
    run->line++;
    enum weir_rc rc = WEIR_OK;
    if (too_long) {
        rc = weir_fail(&err, WEIR_E_TOO_LARGE, "it is longer than %d bytes", WEIR_CLI_TEXT_MAX);
    } else if (line.n > 0) {
        rc = weir_feed_read(line, &run->arena, feed, run, &err);
    }
    if (rc != WEIR_OK && err.pos > 0) {
        struct weir_str text = weir_arena_printf(&run->arena, "%s (at byte %zu)", err.msg, err.pos);
        complain(run, run->line, text.p);
    } else if (rc != WEIR_OK) {
        complain(run, run->line, err.msg);
    }
    weir_arena_reset(&run->arena);
    return run->begun == WEIR_CLI_DONE &&
           (run->world == NULL || run->line % TAKE_LINES != 0 || take(run));
}

/* --- the command
 * ----------------------------------------------------------------------------------- */

static void finish(struct run *run)
{
    bool idle = false;
    struct weir_err err = { 0 };
    if (weir_world_settle(run->world, SETTLE_MS, &idle, &err) != WEIR_OK) {
        run->failed = true;
        weir_cli_fail("%s", err.msg);
    }
    take(run);
    if (!idle && err.code == WEIR_OK) {
        run->failed = true;
        weir_cli_fail("the pipeline did not come to an end within a day; `weir test` with an "
                      "expectation about it shows why");
    }
}

static bool read_format(struct run *run, const char *format)
{
    run->taps = format != NULL && strcmp(format, "writes") != 0;
    run->form = run->taps && strcmp(format, "lambda") == 0 ? WEIR_TAP_EVENTS : WEIR_TAP_RECORDS;
    return !run->taps || run->form == WEIR_TAP_EVENTS || strcmp(format, "records") == 0;
}

static enum weir_cli_exit run_command(const struct weir_cli_call *call)
{
    struct run run = { .call = call, .pipeline = weir_str_z(call->arguments[0]) };
    if (!read_format(&run, call->format)) {
        weir_cli_fail("--format is writes, records or lambda, not %s", call->format);
        return WEIR_CLI_USAGE;
    }
    weir_arena_init(&run.arena);
    weir_arena_init(&run.names);
    if (!weir_cli_each_line(STDIN_FILENO, run_line, &run)) {
        run.failed = true;
        weir_cli_fail("cannot read standard input: %m");
    }
    if (run.world == NULL && run.begun == WEIR_CLI_DONE) {
        run.begun = begin(&run, weir_clock_wall(weir_clock_system())); /* nothing came in */
    }
    if (run.begun == WEIR_CLI_DONE) {
        finish(&run);
    }
    weir_effects_destroy(run.effects);
    weir_world_destroy(run.world);
    weir_tap_destroy(run.tap);
    weir_free(run.origins);
    weir_arena_fini(&run.arena);
    weir_arena_fini(&run.names);
    return run.failed ? WEIR_CLI_FAILED : run.begun;
}

const struct weir_cli_command weir_cli_run_pipeline = {
    .name = "run",
    .arguments = "PIPELINE",
    .help = "Run a pipeline over records from standard input, without a server",
    .details =
            "A line is a record as Lambda or GetRecords has it, an event with Records, or plain "
            "items:\n"
            "{\"new\": {...}, \"old\": {...}, \"at\": TIME, \"table\": NAME}, the last three if "
            "need be. Nothing is\n"
            "kept. What it writes and sends is printed as JSON lines; with --format records, the "
            "records that\n"
            "come through, and with --format lambda the same in batches, as the events of a "
            "function. A line\n"
            "that cannot be read, or whose record fails, is named on standard error, and makes it "
            "end with 1.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run_command,
};
