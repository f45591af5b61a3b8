/*
 * What the tests of deferred runs and windows share: a whole engine on virtual time, whose data
 * outlives it, and a step `note` that writes down what reaches it, takes its time and fails when
 * told to.
 */
#ifndef WEIR_TESTS_UNIT_DEFERRED_WORLD_H
#define WEIR_TESTS_UNIT_DEFERRED_WORLD_H

#include <stdio.h>
#include <string.h>

#include "../test.h"
#include "base/logline.h"
#include "base/mem.h"
#include "base/random.h"
#include "daemon/engine.h"
#include "pipeline/letters.h"
#include "pipeline/timers.h"
#include "step/registry.h"
#include "value/ddbjson.h"

static const struct weir_time start = { 1767225600000 }; /* 2026-01-01T00:00:00Z */

struct world {
    struct weir_clock_virtual clock;
    struct weir_fs *fs;
    const char *yaml;
    struct weir_config *config;
    struct weir_engine *engine;
    struct weir_arena arena;
};

static inline void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

/* --- the step -------------------------------------------------------------------------- */

/* What reached `note`: lines of the time since the start in milliseconds and its texts. */
static struct weir_buf notes;
static int note_failures;      /* so many runs fail */
static uint64_t note_takes_ms; /* a run */
static const struct weir_clock *note_clock;
static struct weir_loop *note_loop;

struct note_step {
    struct weir_step base;
    struct weir_shape *text;
};

struct note_wait {
    struct weir_loop_timer timer;
    struct weir_lane *lane;
};

static inline void note_over(struct weir_loop_timer *timer)
{
    weir_lane_resume(WEIR_CONTAINER(timer, struct note_wait, timer)->lane);
}

static inline void note_check(
        struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    WEIR_CONTAINER(base, struct note_step, base)->text = weir_scope_shape(scope, node);
}

static inline void note_text(
        struct note_step *step, struct weir_lane *lane, const struct weir_events *in)
{
    weir_buf_printf(&notes, "%lld:", (long long)(weir_clock_wall(note_clock).ms - start.ms));
    for (size_t i = 0; i < in->count; i++) {
        struct weir_expr_frame frame = weir_lane_frame(lane, in->all[i]);
        struct weir_expr_value value;
        struct weir_str text;
        struct weir_err err;
        must(weir_shape_eval(step->text, &frame, &value, &err), &err);
        must(weir_expr_text(weir_lane_arena(lane), &value, &text, &err), &err);
        weir_buf_byte(&notes, ' ');
        weir_buf_str(&notes, text);
    }
    weir_buf_byte(&notes, '\n');
}

static inline enum weir_verdict note_done(
        struct weir_lane *lane, const struct weir_events *in, struct weir_events *out)
{
    for (size_t i = 0; i < in->count; i++) {
        weir_events_add(lane, out, in->all[i]);
    }
    return WEIR_STEP_DONE;
}

static inline enum weir_verdict note_run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    note_text(WEIR_CONTAINER(base, struct note_step, base), lane, in);
    if (note_failures > 0) {
        note_failures--;
        weir_fail(err, WEIR_E_IO, "it was told to fail");
        return WEIR_STEP_RETRY;
    }
    if (note_takes_ms == 0) {
        return note_done(lane, in, out);
    }
    struct note_wait *wait = weir_alloc_zero(1, sizeof(*wait));
    wait->lane = lane;
    weir_loop_timer_init(&wait->timer, note_loop, note_over);
    weir_loop_timer_start(&wait->timer, note_takes_ms);
    weir_lane_set_work(lane, base, wait);
    return WEIR_STEP_PENDING;
}

static inline void note_cancel(struct weir_step *base, struct weir_lane *lane)
{
    struct note_wait *wait = weir_lane_work(lane, base);
    weir_loop_timer_fini(&wait->timer);
    weir_free(wait);
}

static inline enum weir_verdict note_resume(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    note_cancel(base, lane);
    return note_done(lane, in, out);
}

static inline void note_fini(struct weir_step *base)
{
    weir_shape_destroy(WEIR_CONTAINER(base, struct note_step, base)->text);
}

static const struct weir_step_ops note_ops = {
    .name = "note",
    .help = "Writes down what reaches it",
    .size = sizeof(struct note_step),
    .whole = true,
    .check = note_check,
    .run = note_run,
    .resume = note_resume,
    .cancel = note_cancel,
    .fini = note_fini,
};

static inline const struct weir_step_kinds *kinds_with_note(void)
{
    static const struct weir_step_ops *all[64];
    static struct weir_step_kinds kinds;
    const struct weir_step_kinds *real = weir_step_kinds_all();
    for (size_t i = 0; i < real->count; i++) {
        all[i] = real->all[i];
    }
    all[real->count] = &note_ops;
    kinds = (struct weir_step_kinds){ all, real->count + 1 };
    return &kinds;
}

/* --- worlds --------------------------------------------------------------------------------- */

/* Stands in for the functions of worlds that are started; NULL: they have none. */
static struct weir_stand_in (*world_stand_in)(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation);

static inline void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    must(weir_loop_advance(world->engine->loop, ms, &err), &err);
}

static inline void world_start(struct world *world)
{
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    weir_diagnostics_init(&diagnostics, "weir.yaml");
    enum weir_rc rc = weir_config_parse(
            weir_str_z(world->yaml), kinds_with_note(), &diagnostics, &world->config, &err);
    if (diagnostics.errors > 0) {
        fail_msg("%s", diagnostics.all[0].text);
    }
    must(rc, &err);
    weir_diagnostics_fini(&diagnostics);
    struct weir_engine_options options = {
        .config = world->config,
        .data = "data",
        .clock = &world->clock,
        .fs = world->fs,
        .stand_in = world_stand_in,
    };
    must(weir_engine_create(&options, &world->engine, &err), &err);
    note_clock = &world->clock.base;
    note_loop = world->engine->loop;
    advance(world, 0);
}

static inline struct world *world_create(const char *yaml)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    weir_random_repeat(1);
    weir_arena_init(&world->arena);
    weir_clock_virtual_init(&world->clock, start);
    world->fs = weir_fs_memory_create();
    world->yaml = yaml;
    weir_buf_init(&notes, 64 << 20);
    note_failures = 0;
    note_takes_ms = 0;
    world_start(world);
    return world;
}

static inline void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

/* As a crash ends it: nothing is written any more. */
static inline void world_crash(struct world *world)
{
    weir_engine_destroy(WEIR_TAKE(world->engine));
    weir_config_destroy(WEIR_TAKE(world->config));
}

static inline void world_stop(struct world *world)
{
    bool stopped = false;
    weir_engine_quiesce(world->engine);
    weir_engine_stop(world->engine, note_stopped, &stopped);
    for (int i = 0; i < 20 && !stopped; i++) {
        advance(world, 1000);
    }
    assert_true(stopped);
    world_crash(world);
}

static inline void restart(struct world *world, bool crash)
{
    if (crash) {
        world_crash(world);
    } else {
        world_stop(world);
    }
    world_start(world);
}

static inline void world_destroy(struct world *world)
{
    world_stop(world);
    weir_fs_destroy(world->fs);
    weir_buf_fini(&notes);
    weir_arena_fini(&world->arena);
    weir_free(world);
}

/* --- tables ---------------------------------------------------------------------------------- */

static inline struct weir_item item_of(struct weir_arena *arena, const char *json)
{
    struct weir_json reader;
    struct weir_item item = { 0 };
    struct weir_err err;
    weir_json_init(&reader, weir_str_z(json), arena, WEIR_JSON_MAX_DEPTH);
    must(weir_ddbjson_read_plain_item(&reader, weir_json_next(&reader), &item, &err), &err);
    return item;
}

static inline void txn_done(struct weir_txn *txn)
{
    assert_int_equal(txn->rc, WEIR_OK);
    weir_txn_destroy(txn);
}

/* Submit a put of { id, n }; it is done when the loop has run. */
static inline void put(struct world *world, const char *table, const char *id, int n)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    struct weir_err err;
    write->tables = world->engine->tables;
    must(weir_tables_get(world->engine->tables, weir_str_z(table), &write->table, &err), &err);
    write->kind = WEIR_WRITE_PUT;
    write->item = item_of(
            &txn->arena, weir_arena_printf(&txn->arena, "{\"id\":\"%s\",\"n\":%d}", id, n).p);
    must(weir_table_write(write, txn, &err), &err);
    weir_table_unref(write->table); /* the catalogue has one, and nothing drops the table */
    txn->done = txn_done;
    weir_store_submit(world->engine->store, txn);
}

/* Put, and let it be processed. */
static inline void put_now(struct world *world, const char *table, const char *id, int n)
{
    put(world, table, id, n);
    advance(world, 0);
}

static inline bool count_one(void *arg, struct weir_item item)
{
    (void)item;
    (*(size_t *)arg)++;
    return true;
}

static inline size_t count_items(struct world *world, const char *name)
{
    const struct weir_table *table = NULL;
    struct weir_query_result result;
    struct weir_err err;
    size_t count = 0;
    must(weir_tables_get(world->engine->tables, weir_str_z(name), &table, &err), &err);
    struct weir_query query = { .table = table, .max_bytes = SIZE_MAX };
    must(weir_table_query(
                 world->engine->tables, &query, &world->arena, count_one, &count, &result, &err),
            &err);
    weir_table_unref(table);
    return count;
}

/* Give a pipeline's letters back to it, and let them be processed; returns how many it was. */
static inline size_t redrive(struct world *world, const char *pipeline, struct weir_err *ret_why)
{
    struct weir_letters all = { .pipeline = weir_str_z(pipeline) };
    struct weir_redriven redriven;
    struct weir_err err;
    must(weir_pipelines_redrive(world->engine->pipelines, &all, &world->arena, &redriven, &err),
            &err);
    *ret_why = redriven.why;
    advance(world, 0);
    return redriven.given;
}

/* What is put off, and open windows, as an operator sees them. */
static inline const char *timers(struct world *world, struct weir_timers_wanted wanted)
{
    struct weir_buf buf;
    struct weir_err err;
    weir_buf_init(&buf, 1 << 20);
    must(weir_pipelines_timers(world->engine->pipelines, &wanted, &buf, &err), &err);
    const char *text = weir_arena_str(&world->arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

static inline const char *noted(void)
{
    weir_buf_byte(&notes, '\0');
    notes.n--;
    return notes.p;
}

#endif
