#include "scenario/world.h"

#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "pipeline/timers.h"
#include "scenario/faulty_files.h"
#include "scenario/route.h"
#include "step/registry.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum {
    LINES_FIRST = 64,
    SEED = 1,
    ANSWER_WAIT_MS = 3600 * 1000,
    STATUS_MAX_BYTES = 4 * 1024 * 1024,
    HEADERS_MAX = 4, /* of a call: three, and one for its route */
};

struct world {
    struct weir_world parts;
    struct weir_world_options options;
    struct weir_fs *fs;
    struct weir_api *api;
    struct weir_arena arena; /* of the log lines and calls */
    size_t line_capacity;
    size_t call_capacity;
};

static struct world *world_of(struct weir_world *parts)
{
    return WEIR_CONTAINER(parts, struct world, parts);
}

/* --- log lines ------------------------------------------------------------------------- */

static struct weir_str copy_text(struct weir_arena *arena, const char *text)
{
    return weir_arena_str(arena, weir_str_z(text));
}

static void keep_line(void *arg, const struct weir_logline_event *event)
{
    struct world *world = arg;
    struct weir_world *parts = &world->parts;
    if (parts->line_count == world->line_capacity) {
        world->line_capacity = world->line_capacity > 0 ? 2 * world->line_capacity : LINES_FIRST;
        parts->lines = weir_realloc(parts->lines, world->line_capacity, sizeof(*parts->lines));
    }
    struct weir_world_line *line = &parts->lines[parts->line_count++];
    *line = (struct weir_world_line){
        .time = weir_world_now(parts),
        .level = event->level,
        .what = copy_text(&world->arena, event->what),
        .count = event->count,
    };
    line->keys = weir_arena_zero(&world->arena, event->count, sizeof(*line->keys));
    line->values = weir_arena_zero(&world->arena, event->count, sizeof(*line->values));
    for (size_t i = 0; i < event->count; i++) {
        line->keys[i] = copy_text(&world->arena, event->keys[i]);
        line->values[i] = copy_text(&world->arena, event->values[i]);
    }
}

/* --- functions -------------------------------------------------------------------------------- */

struct weir_stand_in weir_world_least(const struct weir_invocation *invocation)
{
    struct weir_str least = WEIR_STR("null");
    if (invocation->wants_state) {
        least = WEIR_STR("{\"state\":{}}");
    }
    return (struct weir_stand_in){ .response = least };
}

static struct weir_stand_in answer_call(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    struct world *world = arg;
    struct weir_world *parts = &world->parts;
    const struct weir_world_options *options = &world->options;
    if (parts->call_count == world->call_capacity) {
        world->call_capacity = world->call_capacity > 0 ? 2 * world->call_capacity : LINES_FIRST;
        parts->calls = weir_realloc(parts->calls, world->call_capacity, sizeof(*parts->calls));
    }
    parts->calls[parts->call_count++] = (struct weir_world_call){
        .time = weir_world_now(parts),
        .function = weir_arena_str(&world->arena, model->name),
        .event = weir_arena_str(&world->arena, invocation->payload),
    };
    return options->stand_in != NULL ? options->stand_in(options->arg, model, invocation)
                                     : weir_world_least(invocation);
}

/* --- start and stop ------------------------------------------------------------------------ */

static enum weir_rc load_config(
        struct world *world, struct weir_diagnostics *diagnostics, struct weir_err *err)
{
    const struct weir_world_options *options = &world->options;
    if (options->config == NULL) {
        world->parts.config = weir_config_create();
        return WEIR_OK;
    }
    enum weir_rc rc = weir_config_load(
            options->config, weir_step_kinds_all(), diagnostics, &world->parts.config, err);
    return rc == WEIR_OK && options->adjust != NULL
                   ? options->adjust(options->arg, world->parts.config, err)
                   : rc;
}

static enum weir_rc start(
        struct world *world, struct weir_diagnostics *diagnostics, struct weir_err *err)
{
    struct weir_world *parts = &world->parts;
    enum weir_rc rc = load_config(world, diagnostics, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_engine_options engine = {
        .config = parts->config,
        .data = "data",
        .clock = &parts->clock,
        .fs = world->fs,
        .stand_in = answer_call,
        .stand_in_arg = world,
    };
    rc = weir_engine_create(&engine, &parts->engine, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_api_options api = {
        .loop = parts->engine->loop,
        .tables = parts->engine->tables,
        .queues = parts->engine->queues,
        .schedules = parts->engine->schedules,
        .functions = parts->engine->functions,
        .mappings = parts->engine->mappings,
        .outbox = parts->engine->outbox,
        .clock = parts->engine->clock,
        .metrics = parts->engine->metrics,
        .listen = WEIR_STR("127.0.0.1"),
    };
    world->api = weir_api_create(&api);
    return weir_loop_run_until_idle(parts->engine->loop, err);
}

static void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void stop(struct world *world)
{
    struct weir_world *parts = &world->parts;
    if (parts->engine != NULL) {
        bool stopped = false;
        weir_engine_quiesce(parts->engine);
        weir_engine_stop(parts->engine, note_stopped, &stopped);
        while (!stopped && weir_loop_advance(parts->engine->loop, 1000, NULL) == WEIR_OK) {
            /* What is under way may wait for a time. */
        }
    }
    weir_engine_destroy(WEIR_TAKE(parts->engine));
    weir_api_destroy(WEIR_TAKE(world->api));
    weir_config_destroy(WEIR_TAKE(parts->config));
}

enum weir_rc weir_world_create(const struct weir_world_options *options,
        struct weir_diagnostics *diagnostics, struct weir_world **ret_world, struct weir_err *err)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    weir_arena_init(&world->arena);
    weir_clock_virtual_init(&world->parts.clock, options->start);
    weir_random_repeat(SEED);
    weir_logline_listen(keep_line, world);
    world->options = *options;
    world->fs = weir_faulty_files_create();
    enum weir_rc rc = start(world, diagnostics, err);
    if (rc != WEIR_OK) {
        weir_world_destroy(&world->parts);
        return rc;
    }
    *ret_world = &world->parts;
    return WEIR_OK;
}

void weir_world_destroy(struct weir_world *parts)
{
    if (parts == NULL) {
        return;
    }
    struct world *world = world_of(parts);
    stop(world);
    weir_fs_destroy(world->fs);
    weir_logline_listen(NULL, NULL);
    weir_free(parts->lines);
    weir_free(parts->calls);
    weir_arena_fini(&world->arena);
    weir_free(world);
}

enum weir_rc weir_world_restart(struct weir_world *parts, bool killed,
        struct weir_diagnostics *diagnostics, struct weir_err *err)
{
    struct world *world = world_of(parts);
    struct weir_fs *left = killed ? weir_faulty_files_copy(world->fs) : NULL;
    stop(world);
    if (killed) {
        weir_fs_destroy(world->fs);
        world->fs = left;
    }
    return start(world, diagnostics, err);
}

void weir_world_disk(struct weir_world *parts, enum weir_world_disk disk)
{
    static const enum weir_rc codes[] = {
        [WEIR_WORLD_DISK_WORKS] = WEIR_OK,
        [WEIR_WORLD_DISK_FULL] = WEIR_E_READ_ONLY,
        [WEIR_WORLD_DISK_FAILS] = WEIR_E_IO,
    };
    weir_faulty_files_fail(world_of(parts)->fs, codes[disk]);
}

/* --- time ------------------------------------------------------------------------------------ */

struct weir_time weir_world_now(const struct weir_world *world)
{
    return weir_clock_wall(&world->clock.base);
}

enum weir_rc weir_world_advance(struct weir_world *world, uint64_t ms, struct weir_err *err)
{
    return weir_loop_advance(world->engine->loop, ms, err);
}

enum weir_rc weir_world_next(
        struct weir_world *world, uint64_t most_ms, uint64_t *ret_passed_ms, struct weir_err *err)
{
    uint64_t due_ms = 0;
    bool due = weir_loop_next_due(world->engine->loop, &due_ms);
    *ret_passed_ms = due && due_ms < most_ms ? due_ms : most_ms;
    return weir_loop_advance(world->engine->loop, *ret_passed_ms, err);
}

/* An object that weir writes about itself, as an item. */
static struct weir_item read_status(const struct weir_buf *json, struct weir_arena *arena)
{
    struct weir_json reader;
    struct weir_item status = { 0 };
    weir_json_init(&reader, weir_buf_view(json), arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_ddbjson_read_plain_item(&reader, weir_json_next(&reader), &status, NULL);
    weir_assert(rc == WEIR_OK);
    return status;
}

/*
 * Whether no pipeline has anything left to do: nothing to read, and no timer, be it of what is put
 * off or of a window.
 */
static enum weir_rc look_idle(struct weir_world *world, bool *ret_idle, struct weir_err *err)
{
    struct weir_timers_wanted any = { .limit = 1 };
    struct weir_arena arena;
    struct weir_buf json;
    weir_arena_init(&arena);
    weir_buf_init(&json, STATUS_MAX_BYTES);
    weir_buf_z(&json, "{\"all\":");
    weir_pipelines_status(world->engine->pipelines, &json);
    weir_buf_byte(&json, '}');
    struct weir_value all = weir_item_get(read_status(&json, &arena), WEIR_STR("all"));
    bool idle = true;
    for (size_t i = 0; i < weir_value_count(all); i++) {
        struct weir_item one = weir_value_map(weir_value_at(all, i));
        idle = idle && weir_value_bool(weir_item_get(one, WEIR_STR("at_end")));
    }
    weir_buf_reset(&json);
    enum weir_rc rc = weir_pipelines_timers(world->engine->pipelines, &any, &json, err);
    if (rc == WEIR_OK) {
        struct weir_item timers = read_status(&json, &arena);
        *ret_idle = idle && weir_value_count(weir_item_get(timers, WEIR_STR("timers"))) == 0;
    }
    weir_buf_fini(&json);
    weir_arena_fini(&arena);
    return rc;
}

enum weir_rc weir_world_settle(
        struct weir_world *world, uint64_t most_ms, bool *ret_idle, struct weir_err *err)
{
    *ret_idle = false;
    enum weir_rc rc = weir_world_advance(world, 0, err);
    if (rc == WEIR_OK) {
        rc = look_idle(world, ret_idle, err);
    }
    while (rc == WEIR_OK && !*ret_idle && most_ms > 0) {
        uint64_t passed_ms = 0;
        rc = weir_world_next(world, most_ms, &passed_ms, err);
        most_ms -= passed_ms;
        if (rc == WEIR_OK) {
            rc = look_idle(world, ret_idle, err);
        }
    }
    return rc;
}

/* --- calls -------------------------------------------------------------------------------------
 */

struct call {
    struct weir_http_request request;
    struct weir_str target;
    struct weir_arena *arena; /* for the answer */
    struct weir_world_answer answer;
    bool answered;
};

static void call_answered(struct weir_http_request *request, int status,
        const struct weir_http_header *headers, size_t count, struct weir_str body)
{
    struct call *call = WEIR_CONTAINER(request, struct call, request);
    call->answer.status = status;
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(headers[i].name, WEIR_STR("x-amzn-ErrorType"))) {
            call->answer.error = weir_arena_str(call->arena, headers[i].value);
        }
    }
    call->answer.body = weir_route_answer(call->target, status, headers, count, body, call->arena);
    call->answered = true;
}

enum weir_rc weir_world_call(struct weir_world *parts, struct weir_str target, struct weir_str body,
        struct weir_arena *arena, struct weir_world_answer *ret_answer, struct weir_err *err)
{
    struct world *world = world_of(parts);
    struct weir_http_header headers[HEADERS_MAX] = {
        { WEIR_STR("host"), WEIR_STR("localhost") },
        { WEIR_STR("x-amz-target"), target },
        { WEIR_STR("content-type"), WEIR_STR("application/x-amz-json-1.0") },
    };
    struct call call = { .arena = arena, .target = target };
    call.request = (struct weir_http_request){
        .method = WEIR_HTTP_POST,
        .method_name = WEIR_STR("POST"),
        .path = WEIR_STR("/"),
        .headers = headers,
        .header_count = HEADERS_MAX - 1,
        .body = body,
        .raw_body = body,
        .answered = call_answered,
    };
    weir_arena_init(&call.request.arena);
    weir_route(&call.request, headers, target, arena);
    weir_api_handle(&call.request, world->api);
    enum weir_rc rc = weir_loop_run_until_idle(parts->engine->loop, err);
    for (uint64_t waited_ms = 0; rc == WEIR_OK && !call.answered;) {
        uint64_t passed_ms = 0;
        if (waited_ms >= ANSWER_WAIT_MS) {
            rc = weir_fail(err, WEIR_E_TIMEOUT, "%.*s gave no answer", WEIR_STR_ARG(target));
            break;
        }
        rc = weir_world_next(parts, ANSWER_WAIT_MS - waited_ms, &passed_ms, err);
        waited_ms += passed_ms;
    }
    if (!call.answered && call.request.on_gone != NULL) {
        call.request.on_gone(&call.request);
    }
    weir_arena_fini(&call.request.arena);
    *ret_answer = call.answer;
    return rc;
}
