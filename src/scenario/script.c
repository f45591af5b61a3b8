/* A test file: loading it, and running its tests. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "scenario/scenario.h"
#include "scenario/scenario_int.h"

enum { FAILURE_MAX_BYTES = 256 * 1024, PATH_BYTES = 4096 };

static const int64_t default_start_ms = 1767225600000; /* 2026-01-01T00:00:00Z */

static const struct script_kind *const kinds[] = {
    &script_kind_put,
    &script_kind_update,
    &script_kind_delete,
    &script_kind_send,
    &script_kind_call,
    &script_kind_records,
    &script_kind_advance,
    &script_kind_at,
    &script_kind_expect,
    &script_kind_function,
    &script_kind_fault,
    &script_kind_restart,
    &script_kind_clock,
};

/* --- loading ---------------------------------------------------------------------------------- */

static const struct script_kind *find_kind(
        struct script_reader *reader, const struct weir_conf *name)
{
    const char *names[WEIR_COUNT(kinds)];
    for (size_t i = 0; i < WEIR_COUNT(kinds); i++) {
        names[i] = kinds[i]->name;
        if (weir_str_eq(name->text, weir_str_z(names[i]))) {
            return kinds[i];
        }
    }
    weir_conf_unknown(reader->diagnostics, name, "step", names, WEIR_COUNT(kinds));
    return NULL;
}

static struct script_step *read_step(struct script_reader *reader, const struct weir_conf *node)
{
    if (node->kind != WEIR_CONF_MAP || node->count != 1) {
        weir_conf_error(reader->diagnostics, node,
                "a step is a map with one member that says what it does, as `advance: 5s`");
        return NULL;
    }
    const struct script_kind *kind = find_kind(reader, &node->names[0]);
    if (kind == NULL) {
        return NULL;
    }
    struct script_step *step = WEIR_ARENA_NEW(reader->arena, struct script_step);
    step->kind = kind;
    step->node = &node->items[0];
    step->fields = weir_arena_zero(reader->arena, 1, kind->size);
    char what[64];
    snprintf(what, sizeof(what), "step '%s'", kind->name);
    if (kind->options != NULL && !weir_conf_options(reader->diagnostics, step->node, what,
                                         kind->options, step->fields)) {
        return NULL;
    }
    return kind->read == NULL || kind->read(reader, step->node, step->fields) ? step : NULL;
}

/* Read a list of steps; returns where the next one is to be hung on. */
static struct script_step **read_steps(
        struct script_reader *reader, const struct weir_conf *list, struct script_step **last)
{
    if (list->kind != WEIR_CONF_LIST) {
        weir_conf_error(reader->diagnostics, list, "a list of steps is expected");
        return last;
    }
    for (size_t i = 0; i < list->count; i++) {
        struct script_step *step = read_step(reader, &list->items[i]);
        if (step != NULL) {
            *last = step;
            last = &step->next;
        }
    }
    return last;
}

/* The moment at which a test begins: its first step may say so. */
static struct weir_time start_of(
        struct script_reader *reader, const struct weir_conf *steps, struct weir_time start)
{
    const struct weir_conf *first =
            steps->kind == WEIR_CONF_LIST && steps->count > 0 ? &steps->items[0] : NULL;
    const struct weir_conf *at =
            first != NULL && first->kind == WEIR_CONF_MAP ? weir_conf_get(first, "at") : NULL;
    struct weir_time time;
    bool says = at != NULL && at->kind == WEIR_CONF_SCALAR && weir_time_parse(at->text, &time);
    reader->start = says ? time : start;
    return reader->start;
}

struct file {
    struct weir_str config;
    struct weir_str start;
    const struct weir_conf *functions;
    const struct weir_conf *setup;
    const struct weir_conf *tests;
};

static const struct weir_option file_options[] = {
    { "config", "", "the weir.yaml under test, relative to this file; default: weir.yaml beside it",
            WEIR_OPTION_STRING, offsetof(struct file, config), 0, 0 },
    { "start", "", "when each test begins; default: 2026-01-01T00:00:00Z", WEIR_OPTION_STRING,
            offsetof(struct file, start), 0, 0 },
    { "functions", "", "what stands in for each function of the configuration, by name",
            WEIR_OPTION_NODE, offsetof(struct file, functions), 0, 0 },
    { "setup", "", "steps before those of each test", WEIR_OPTION_NODE,
            offsetof(struct file, setup), 0, 0 },
    { "tests", NULL, "lists of steps, by the name of the test", WEIR_OPTION_NODE,
            offsetof(struct file, tests), 0, 0 },
    { 0 },
};

/* A path that is relative to the test file; NULL: no configuration is given, and none there. */
static const char *config_path(struct weir_arena *arena, const char *script, struct weir_str given)
{
    struct weir_str name = given.n > 0 ? given : WEIR_STR("weir.yaml");
    const char *path = weir_script_path(arena, script, name);
    if (given.n > 0) {
        return path;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }
    fclose(file);
    return path;
}

static void read_tests(struct weir_script *script, struct script_reader *reader,
        const struct file *file, struct weir_time start)
{
    if (file->tests == NULL || file->tests->kind != WEIR_CONF_MAP) {
        weir_conf_error(reader->diagnostics, file->tests,
                "`tests:` is a map: the name of each test, and the list of its steps");
        return;
    }
    script->test_count = file->tests->count;
    script->tests = weir_arena_zero(&script->arena, script->test_count, sizeof(*script->tests));
    for (size_t i = 0; i < script->test_count; i++) {
        struct script_test *test = &script->tests[i];
        test->name = file->tests->names[i].text;
        test->at = &file->tests->names[i];
        test->start = start_of(reader, &file->tests->items[i], start);
        struct script_step **last = &test->first;
        if (file->setup != NULL) {
            last = read_steps(reader, file->setup, last);
        }
        read_steps(reader, &file->tests->items[i], last);
    }
}

static enum weir_rc load(
        struct weir_script *script, struct weir_diagnostics *diagnostics, struct weir_err *err)
{
    const struct weir_conf *root = NULL;
    struct script_reader reader = {
        .path = script->path,
        .diagnostics = diagnostics,
        .arena = &script->arena,
    };
    struct weir_time start = { default_start_ms };
    struct file file = { 0 };
    enum weir_rc rc = weir_conf_load(&script->arena, script->path, diagnostics, &root, err);
    if (rc != WEIR_OK && (rc != WEIR_E_INVALID || root == NULL)) {
        return rc;
    }
    if (weir_conf_options(diagnostics, root, "the test file", file_options, &file)) {
        if (file.start.n > 0 && !weir_time_parse(file.start, &start)) {
            weir_conf_error(diagnostics, weir_conf_get(root, "start"),
                    "a time such as 2026-01-01T00:00:00Z is expected");
        }
        script->config = config_path(&script->arena, script->path, file.config);
        if (file.functions != NULL) {
            script->functions =
                    weir_stand_ins_read(reader.arena, reader.diagnostics, file.functions);
        }
        read_tests(script, &reader, &file, start);
    }
    weir_diagnostics_sort(diagnostics);
    return diagnostics->errors == 0
                   ? WEIR_OK
                   : weir_fail(err, WEIR_E_INVALID, "%s has mistakes", script->path);
}

enum weir_rc weir_script_load(const char *path, struct weir_diagnostics *diagnostics,
        struct weir_script **ret_script, struct weir_err *err)
{
    struct weir_script *script = weir_alloc_zero(1, sizeof(*script));
    weir_arena_init(&script->arena);
    script->path = weir_arena_str(&script->arena, weir_str_z(path)).p;
    enum weir_rc rc = load(script, diagnostics, err);
    if (rc != WEIR_OK) {
        weir_script_destroy(script);
        return rc;
    }
    *ret_script = script;
    return WEIR_OK;
}

void weir_script_destroy(struct weir_script *script)
{
    if (script != NULL) {
        weir_arena_fini(&script->arena);
        weir_free(script);
    }
}

size_t weir_script_count(const struct weir_script *script)
{
    return script->test_count;
}

struct weir_str weir_script_name(const struct weir_script *script, size_t i)
{
    return script->tests[i].name;
}

/* --- running -------------------------------------------------------------------------------------
 */

bool weir_script_fail(struct script_run *run, const struct weir_conf *at, const char *fmt, ...)
{
    if (run->failure.n > 0) {
        return false; /* said already, closer to the cause */
    }
    va_list args;
    char message[1024];
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    weir_buf_printf(
            &run->failure, "%s:%u:%u: %s", run->script->path, at->line, at->column, message);
    if (run->world != NULL) {
        char now[WEIR_TIME_TEXT];
        weir_time_format(weir_world_now(run->world), now);
        int64_t ms = weir_world_now(run->world).ms - run->test->start.ms;
        weir_buf_printf(&run->failure, "\n    at %s, %lld.%03u s after the start", now,
                (long long)(ms / 1000), (unsigned)(ms % 1000));
    }
    weir_buf_byte(&run->failure, '\n');
    weir_buf_str(&run->failure, weir_buf_view(&run->details));
    return false;
}

static bool begin_world(struct script_run *run)
{
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    struct weir_world_options options = {
        .config = run->script->config,
        .start = run->test->start,
        .stand_in = weir_script_stand_in,
        .arg = run,
    };
    weir_diagnostics_init(&diagnostics, run->script->config);
    bool good = weir_world_create(&options, &diagnostics, &run->world, &err) == WEIR_OK;
    if (!good) {
        weir_diagnostics_sort(&diagnostics);
        weir_diagnostics_write(&diagnostics, &run->details);
        weir_script_fail(run, run->test->at, "weir does not start: %s", err.msg);
    }
    weir_diagnostics_fini(&diagnostics);
    return good;
}

/* What weir said during a test, for people who look for the reason of a failure. */
static struct weir_str write_log(struct weir_arena *arena, const struct weir_world *world)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    struct weir_buf buf;
    weir_buf_init(&buf, FAILURE_MAX_BYTES);
    for (size_t i = 0; i < world->line_count; i++) {
        const struct weir_world_line *line = &world->lines[i];
        char time[WEIR_TIME_TEXT];
        weir_time_format(line->time, time);
        weir_buf_printf(&buf, "%s %-5s %.*s", time, levels[line->level], WEIR_STR_ARG(line->what));
        for (size_t k = 0; k < line->count; k++) {
            weir_buf_printf(
                    &buf, " %.*s=%.*s", WEIR_STR_ARG(line->keys[k]), WEIR_STR_ARG(line->values[k]));
        }
        weir_buf_byte(&buf, '\n');
    }
    struct weir_str log = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return log;
}

void weir_script_run(struct weir_script *script, size_t i, struct weir_test_result *ret_result)
{
    const struct script_test *test = &script->tests[i];
    struct script_run run = { .script = script, .test = test };
    uint64_t began_ns = weir_clock_monotonic_ns(weir_clock_system());
    weir_arena_init(&run.arena);
    weir_buf_init(&run.failure, FAILURE_MAX_BYTES);
    weir_buf_init(&run.details, FAILURE_MAX_BYTES);
    *ret_result = (struct weir_test_result){ .name = test->name, .line = test->at->line };
    weir_arena_init(&run.functions_arena);
    weir_script_functions_begin(&run);
    bool good = begin_world(&run);
    for (const struct script_step *step = test->first; good && step != NULL; step = step->next) {
        weir_arena_reset(&run.arena);
        weir_buf_reset(&run.details);
        good = step->kind->run(&run, step);
    }
    ret_result->passed = good;
    ret_result->failure = weir_arena_str(&script->arena, weir_buf_view(&run.failure));
    if (run.world != NULL) {
        ret_result->virtual_ms = (uint64_t)(weir_world_now(run.world).ms - test->start.ms);
        ret_result->log = write_log(&script->arena, run.world);
    }
    weir_world_destroy(run.world);
    ret_result->real_us = (weir_clock_monotonic_ns(weir_clock_system()) - began_ns) / 1000;
    weir_buf_fini(&run.failure);
    weir_buf_fini(&run.details);
    weir_arena_fini(&run.functions_arena);
    weir_arena_fini(&run.arena);
}

/* --- help
 * -------------------------------------------------------------------------------------------- */

void weir_script_help(struct weir_buf *buf)
{
    weir_buf_z(buf, "A test file:\n");
    weir_options_help(buf, file_options);
    for (size_t i = 0; i < WEIR_COUNT(kinds); i++) {
        weir_buf_printf(buf, "\nStep %s: %s.\n", kinds[i]->name, kinds[i]->help);
        if (kinds[i]->options != NULL) {
            weir_options_help(buf, kinds[i]->options);
        }
    }
}
