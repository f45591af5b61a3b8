/*
 * A whole engine on virtual time whose disk can be made to fail: started, stopped without a
 * farewell, started again from what the disk has kept. One thread, so a run repeats itself.
 */
#ifndef WEIR_TESTS_UNIT_DAEMON_ENGINE_WORLD_H
#define WEIR_TESTS_UNIT_DAEMON_ENGINE_WORLD_H

#include <stdio.h>

#include "../test.h"
#include "base/mem.h"
#include "base/random.h"
#include "daemon/engine.h"
#include "simulated_disk.h"
#include "step/registry.h"
#include "value/ddbjson.h"

enum { ENGINE_SEGMENT_BYTES = 64 * 1024 };

struct engine_world {
    const char *yaml;
    struct weir_clock_virtual clock;
    struct weir_config *config;
    struct weir_engine *engine;
    struct weir_simulated_disk *disk;
    struct weir_random random;
    struct weir_arena arena; /* for whoever checks */
    struct weir_http_stand_in (*network)(void *arg, const struct weir_http_call *call);
    void *network_arg;
    char what[120]; /* that is made to fail, for messages */
};

static inline void engine_world_init(
        struct engine_world *world, const char *yaml, const char *what, uint64_t n)
{
    static const struct weir_time start = { 1767225600000 }; /* 2026-01-01T00:00:00Z */
    *world = (struct engine_world){ .yaml = yaml };
    weir_random_repeat(1);
    weir_random_seed(&world->random, n);
    weir_arena_init(&world->arena);
    weir_clock_virtual_init(&world->clock, start);
    world->disk = weir_simulated_disk_create();
    snprintf(world->what, sizeof(world->what), "%s %llu", what, (unsigned long long)n);
}

/* Start the engine; false: it could not. */
static inline bool engine_world_start(struct engine_world *world, struct weir_err *err)
{
    struct weir_diagnostics diagnostics;
    weir_diagnostics_init(&diagnostics, "weir.yaml");
    enum weir_rc rc = weir_config_parse(
            weir_str_z(world->yaml), weir_step_kinds_all(), &diagnostics, &world->config, err);
    weir_diagnostics_fini(&diagnostics);
    if (rc != WEIR_OK) {
        fail_msg("%s", err->msg);
    }
    struct weir_engine_options options = {
        .config = world->config,
        .data = "data",
        .clock = &world->clock,
        .fs = weir_simulated_disk_fs(world->disk),
        .network = world->network,
        .network_arg = world->network_arg,
        .segment_bytes = ENGINE_SEGMENT_BYTES,
    };
    rc = weir_engine_create(&options, &world->engine, err);
    if (rc == WEIR_OK) {
        rc = weir_functions_start(world->engine->functions, WEIR_STR("http://weir.test"), err);
        assert_int_equal(rc, WEIR_OK);
        return true;
    }
    weir_config_destroy(WEIR_TAKE(world->config));
    return false;
}

static inline void engine_world_must_start(struct engine_world *world)
{
    struct weir_err err;
    if (!engine_world_start(world, &err)) {
        fail_msg("%s: %s", world->what, err.msg);
    }
}

/* End the engine as a crash would. */
static inline void engine_world_end(struct engine_world *world)
{
    weir_engine_destroy(WEIR_TAKE(world->engine));
    weir_config_destroy(WEIR_TAKE(world->config));
}

static inline void engine_world_fini(struct engine_world *world)
{
    engine_world_end(world);
    weir_fs_destroy(weir_simulated_disk_fs(world->disk));
    weir_arena_fini(&world->arena);
}

/* The power goes; what is left of the disk is there for the next start. */
static inline void engine_world_cut(struct engine_world *world)
{
    engine_world_end(world);
    struct weir_simulated_disk *left = weir_simulated_disk_cut(
            world->disk, &world->random, (enum weir_disk_cut)weir_random_below(&world->random, 3));
    weir_fs_destroy(weir_simulated_disk_fs(world->disk));
    world->disk = left;
}

static inline void engine_world_advance(struct engine_world *world, uint64_t ms)
{
    struct weir_err err;
    if (weir_loop_advance(world->engine->loop, ms, &err) != WEIR_OK) {
        fail_msg("%s: %s", world->what, err.msg);
    }
}

/* A table, which the caller gives back. */
static inline const struct weir_table *engine_world_table(
        struct engine_world *world, const char *name)
{
    const struct weir_table *table = NULL;
    struct weir_err err;
    if (weir_tables_get(world->engine->tables, weir_str_z(name), &table, &err) != WEIR_OK) {
        fail_msg("%s: %s", world->what, err.msg);
    }
    return table;
}

/* An item of plain JSON, in the arena. */
static inline struct weir_item engine_world_item(struct weir_arena *arena, const char *json)
{
    struct weir_json reader;
    struct weir_item item = { 0 };
    struct weir_err err;
    weir_json_init(&reader, weir_str_z(json), arena, WEIR_JSON_MAX_DEPTH);
    assert_int_equal(
            weir_ddbjson_read_plain_item(&reader, weir_json_next(&reader), &item, &err), WEIR_OK);
    return item;
}

/* What a table holds under a key; empty: nothing. In the world's arena. */
static inline struct weir_item engine_world_get(
        struct engine_world *world, const char *name, const char *key_json)
{
    const struct weir_table *table = engine_world_table(world, name);
    struct weir_item keys = engine_world_item(&world->arena, key_json);
    struct weir_str key = { 0 };
    struct weir_item item = { 0 };
    struct weir_err err;
    assert_int_equal(weir_table_key(table, keys, &world->arena, &key, &err), WEIR_OK);
    assert_int_equal(
            weir_table_get(world->engine->tables, table, key, &world->arena, &item, &err), WEIR_OK);
    weir_table_unref(table);
    return item;
}

/* Put an item of plain JSON; done gets the transaction, and arg in it. */
static inline void engine_world_put(struct engine_world *world, const char *name, const char *json,
        void (*done)(struct weir_txn *txn), void *arg)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    struct weir_err err;
    write->tables = world->engine->tables;
    write->table = engine_world_table(world, name);
    write->kind = WEIR_WRITE_PUT;
    write->item = engine_world_item(&txn->arena, json);
    assert_int_equal(weir_table_write(write, txn, &err), WEIR_OK);
    weir_table_unref(write->table); /* the catalogue has one, and nothing drops the table */
    txn->done = done;
    txn->arg = arg;
    weir_store_submit(world->engine->store, txn);
}

#endif
