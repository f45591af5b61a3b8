/* weir simulate: what a configuration would have done with writes that were recorded. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli_int.h"
#include "cli/configured.h"
#include "cli/input.h"
#include "cli/simulation_report.h"
#include "scenario/feed.h"
#include "scenario/stand_ins.h"

enum {

    TAKE_LINES = 256, /* of input between looks at the log, which lets go of what is old */
    AFTER_MS = 10 * 60 * 1000,
    SETTLE_MS = 24 * 3600 * 1000,
};

static const struct weir_cli_option options[] = {
    { "config", 'c', "FILE", "the configuration (default: weir.yaml)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, config) },
    { "table", 0, "NAME", "the table of lines that name none", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, table) },
    { "after", 0, "DURATION", "how long to go on after the last line (default: 10m)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, after) },
    { "functions", 0, "FILE", "what stands in for functions, in YAML (default: null, at once)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, functions) },
    { "prices", 0, "FILE", "prices in YAML (default: AWS's list prices)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, prices) },
    { "speed", 0, "SPEED", "max, which is also the default: no waiting", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, speed) },
    { "json", 0, NULL, "print an object", WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json) },
    { 0 },
};

struct simulate {
    const struct weir_cli_call *call;
    struct weir_simulation simulation;
    struct weir_str table; /* of changes that name none; empty: they must */
    uint64_t after_ms;
    bool broken;             /* it cannot go on, and that was said */
    struct weir_arena arena; /* of the line */
    struct weir_arena file;  /* of what stands in for functions, and of what was counted */
    struct weir_stand_in_rule *functions;
};

/* --- starting ------------------------------------------------------------------------------ */

/* The table that lines mean when they do not say: the only one that pipelines read. */
static struct weir_str only_source(const struct weir_config *config)
{
    struct weir_str found = { 0 };
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = config->pipelines[i];
        for (size_t k = 0; k < model->table_count; k++) {
            if (found.n > 0 && !weir_str_eq(found, model->tables[k])) {
                return (struct weir_str){ 0 };
            }
            found = model->tables[k];
        }
    }
    return found;
}

static struct weir_simulated_function *function_of(
        struct weir_simulation *simulation, struct weir_str name)
{
    for (size_t i = 0; i < simulation->function_count; i++) {
        if (weir_str_eq(simulation->functions[i].name, name)) {
            return &simulation->functions[i];
        }
    }
    return NULL;
}

/* What is to be told about pipelines and functions, once the pipelines are weir's. */
static void note_config(struct simulate *simulate, const struct weir_config *config)
{
    struct weir_simulation *simulation = &simulate->simulation;
    struct weir_arena *arena = &simulate->file;
    simulation->pipelines =
            weir_arena_zero(arena, config->pipeline_count, sizeof(*simulation->pipelines));
    simulation->pipeline_count = config->pipeline_count;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = config->pipelines[i];
        struct weir_simulated_pipeline *pipeline = &simulation->pipelines[i];
        pipeline->name = weir_arena_str(arena, model->name);
        pipeline->of_queue = model->queue.n > 0;
        pipeline->fifo = weir_queue_defaults(model->queue).fifo;
        for (size_t k = 0; k < model->step_count; k++) {
            pipeline->invokes = pipeline->invokes || model->steps[k]->ops->function != NULL;
        }
    }
    simulation->functions =
            weir_arena_zero(arena, config->function_count, sizeof(*simulation->functions));
    simulation->function_count = config->function_count;
    for (size_t i = 0; i < config->function_count; i++) {
        simulation->functions[i].name = weir_arena_str(arena, config->functions[i].name);
        simulation->functions[i].bytes = config->functions[i].memory_bytes;
    }
}

/* What becomes of an invocation, as the file says; else the least, at once. */
static struct weir_stand_in stand_in(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    struct simulate *simulate = arg;
    struct weir_simulated_function *function = function_of(&simulate->simulation, model->name);
    struct weir_stand_in_rule *rule = weir_stand_ins_find(simulate->functions, model->name);
    struct weir_stand_in reply = weir_world_least(invocation);
    uint64_t ms = simulate->simulation.prices.run_ms;
    if (rule != NULL) {
        reply = weir_behaviour_answer(&rule->behaviour, &simulate->file);
        ms = reply.takes_ms < model->timeout_ms ? reply.takes_ms : model->timeout_ms;
    }
    if (function != NULL && reply.outcome != WEIR_FUNCTION_BLOCKED) {
        function->runs++;
        function->failed += reply.outcome != WEIR_FUNCTION_OK || reply.takes_ms > model->timeout_ms;
        function->ms += ms;
    }
    return reply;
}

static enum weir_rc adjust(void *arg, struct weir_config *config, struct weir_err *err)
{
    struct simulate *simulate = arg;
    simulate->table =
            simulate->call->table != NULL ? weir_str_z(simulate->call->table) : only_source(config);
    simulate->table = weir_arena_str(&config->arena, simulate->table);
    note_config(simulate, config);
    for (const struct weir_stand_in_rule *rule = simulate->functions; rule != NULL;
            rule = rule->next) {
        if (function_of(&simulate->simulation, rule->name) == NULL) {
            return weir_fail(err, WEIR_E_INVALID, "%s: weir.yaml has no function '%.*s'",
                    simulate->call->functions, WEIR_STR_ARG(rule->name));
        }
    }
    return WEIR_OK;
}

static bool begin(struct simulate *simulate, struct weir_time start)
{
    const char *path = weir_cli_config_path(simulate->call->config);
    struct weir_simulation *simulation = &simulate->simulation;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    struct weir_world_options world = {
        .config = path,
        .start = start,
        .adjust = adjust,
        .arg = simulate,
        .stand_in = stand_in,
    };
    simulation->start = start;
    weir_diagnostics_init(&diagnostics, path);
    enum weir_rc rc = weir_world_create(&world, &diagnostics, &simulation->world, &err);
    if (rc != WEIR_OK && diagnostics.errors > 0) {
        weir_cli_fail("%s has errors; `weir check` lists them", path);
    } else if (rc != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
    } else {
        simulation->tally = weir_tally_create(simulation->world);
    }
    weir_diagnostics_fini(&diagnostics);
    simulate->broken = rc != WEIR_OK;
    return rc == WEIR_OK;
}

/* --- feeding ------------------------------------------------------------------------------------
 */

static enum weir_rc feed(void *arg, const struct weir_feed *change, struct weir_err *err)
{
    struct simulate *simulate = arg;
    struct weir_simulation *simulation = &simulate->simulation;
    struct weir_pos pos = { 0 };
    struct weir_time now = weir_clock_wall(weir_clock_system());
    if (simulation->world == NULL && !simulate->broken) {
        begin(simulate, change->has_at ? change->at : now);
    }
    if (simulate->broken) {
        return WEIR_OK;
    }
    if (change->table.n == 0 && simulate->table.n == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "it names no table, and pipelines read several: say which with --table");
    }
    int64_t ahead_ms = change->at.ms - weir_world_now(simulation->world).ms;
    enum weir_rc rc = WEIR_OK;
    if (change->has_at && ahead_ms > 0) {
        rc = weir_world_advance(simulation->world, (uint64_t)ahead_ms, err);
    }
    /* Seconds are all that AWS says of a time: what comes within the last one is in order. */
    simulation->late += change->has_at && ahead_ms < -1000;
    struct weir_feed once = *change;
    once.unless_gone = true; /* items expire in the world, too */
    if (rc == WEIR_OK) {
        rc = weir_feed_apply(simulation->world, &once, simulate->table, &pos, err);
    }
    simulation->changes += rc == WEIR_OK && pos.seq != 0;
    return rc;
}

static void take(struct simulate *simulate)
{
    struct weir_err err;
    if (simulate->simulation.tally != NULL &&
            weir_tally_take(simulate->simulation.tally, &err) != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
        simulate->broken = true;
    }
}

static bool feed_line(void *arg, struct weir_str line, bool too_long)
{
    struct simulate *simulate = arg;
    struct weir_simulation *simulation = &simulate->simulation;
    struct weir_err err = { 0 };
    enum weir_rc rc = WEIR_OK;
    simulation->lines++;
    if (too_long) {
        rc = weir_fail(&err, WEIR_E_TOO_LARGE, "it is longer than %d bytes", WEIR_CLI_TEXT_MAX);
    } else if (line.n > 0) {
        rc = weir_feed_read(line, &simulate->arena, feed, simulate, &err);
    }
    if (rc != WEIR_OK) {
        simulation->failed++;
        weir_cli_fail("line %zu: %s", simulation->lines, err.msg);
    }
    weir_arena_reset(&simulate->arena);
    if (simulation->lines % TAKE_LINES == 0) {
        take(simulate);
    }
    return !simulate->broken;
}

/* Go on for a while after the last line, and until the pipelines are done. */
static void finish(struct simulate *simulate)
{
    struct weir_err err = { 0 };
    struct weir_world *world = simulate->simulation.world;
    bool idle = false;
    enum weir_rc rc = weir_world_advance(world, simulate->after_ms, &err);
    if (rc == WEIR_OK) {
        rc = weir_world_settle(world, SETTLE_MS, &idle, &err);
    }
    if (rc != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
        simulate->broken = true;
    }
    take(simulate);
}

/* --- the command
 * ----------------------------------------------------------------------------------- */

/* Read --functions. False: it is wrong, and that was said. */
static bool load_functions(struct simulate *simulate)
{
    const char *path = simulate->call->functions;
    struct weir_diagnostics diagnostics;
    struct weir_buf complaints;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    if (path == NULL) {
        return true;
    }
    weir_diagnostics_init(&diagnostics, path);
    weir_buf_init(&complaints, WEIR_CLI_OUT_MAX_BYTES);
    enum weir_rc rc = weir_conf_load(&simulate->file, path, &diagnostics, &root, &err);
    if (rc == WEIR_OK) {
        simulate->functions = weir_stand_ins_read(&simulate->file, &diagnostics, root);
    } else if (diagnostics.count == 0) {
        weir_cli_fail("%s", err.msg);
    }
    bool good = rc == WEIR_OK && diagnostics.errors == 0;
    weir_diagnostics_write(&diagnostics, &complaints);
    fprintf(stderr, "%.*s", WEIR_STR_ARG(weir_buf_view(&complaints)));
    weir_buf_fini(&complaints);
    weir_diagnostics_fini(&diagnostics);
    return good;
}

static enum weir_cli_exit check_call(struct simulate *simulate)
{
    const struct weir_cli_call *call = simulate->call;
    static const struct weir_option duration = { .name = "after", .type = WEIR_OPTION_DURATION };
    simulate->after_ms = AFTER_MS;
    if (call->speed != NULL && strcmp(call->speed, "max") != 0) {
        weir_cli_fail("--speed is max: a simulation waits for nothing");
        return WEIR_CLI_USAGE;
    }
    if (call->after != NULL) {
        struct weir_diagnostics diagnostics;
        struct weir_conf node = { .kind = WEIR_CONF_SCALAR, .text = weir_str_z(call->after) };
        weir_diagnostics_init(&diagnostics, "");
        bool good = weir_conf_value(&diagnostics, &node, &duration, &simulate->after_ms);
        weir_diagnostics_fini(&diagnostics);
        if (!good) {
            weir_cli_fail("--after is a duration such as 10m or 2h, not %s", call->after);
            return WEIR_CLI_USAGE;
        }
    }
    if (weir_cli_config_path(call->config) == NULL) {
        return weir_cli_fail("there is no weir.yaml here; name a file with -c FILE");
    }
    bool good = weir_prices_load(call->prices, &simulate->simulation.prices) &&
                load_functions(simulate);
    return good ? WEIR_CLI_DONE : WEIR_CLI_FAILED;
}

static void feed_file(struct simulate *simulate, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    int file = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || !weir_cli_each_line(file, feed_line, simulate)) {
        weir_cli_fail("cannot read %s: %m", path);
        simulate->broken = true;
    }
    if (file > STDIN_FILENO) {
        close(file);
    }
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct simulate simulate = { .call = call };
    struct weir_simulation *simulation = &simulate.simulation;
    weir_arena_init(&simulate.file);
    enum weir_cli_exit code = check_call(&simulate);
    if (code != WEIR_CLI_DONE) {
        weir_arena_fini(&simulate.file);
        return code;
    }
    uint64_t began_ns = weir_clock_monotonic_ns(weir_clock_system());
    weir_arena_init(&simulate.arena);
    for (size_t i = 0; i < call->argument_count && !simulate.broken; i++) {
        feed_file(&simulate, call->arguments[i]);
    }
    if (simulation->world == NULL && !simulate.broken) {
        weir_cli_fail("there is nothing to simulate: no line holds a change");
        simulate.broken = true;
    }
    if (!simulate.broken) {
        finish(&simulate);
    }
    if (!simulate.broken) {
        struct weir_buf out;
        simulation->real_us = (weir_clock_monotonic_ns(weir_clock_system()) - began_ns) / 1000;
        weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
        (call->json ? weir_simulation_write_json : weir_simulation_write_text)(simulation, &out);
        weir_cli_print(&out);
    }
    weir_tally_destroy(simulation->tally);
    weir_world_destroy(simulation->world);
    weir_arena_fini(&simulate.arena);
    weir_arena_fini(&simulate.file);
    return simulate.broken || simulation->failed > 0 ? WEIR_CLI_FAILED : WEIR_CLI_DONE;
}

const struct weir_cli_command weir_cli_simulate = {
    .name = "simulate",
    .arguments = "FILE...",
    .help = "Show what a configuration would have done with changes that were recorded",
    .details =
            "Lines are as for `weir run`, - is standard input; each change comes at its own time, "
            "but nobody\n"
            "waits for it: days take seconds. Shows per pipeline, table, queue and function what "
            "was done, which\n"
            "alarms would have gone off, and what AWS would ask for it. docs/testing.md has the "
            "prices.\n"
            "Ends with 1 when a line could not be read or applied.\n",
    .options = options,
    .least = 1,
    .most = WEIR_CLI_ARGUMENTS_MAX,
    .run = run,
};
