/*
 * The engine on virtual time: tables, a pipeline with a window, expiry and an alarm, in one
 * thread, with the same outcome every time.
 */
#include <string.h>

#include "../test.h"
#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "base/random.h"
#include "daemon/engine.h"
#include "step/registry.h"
#include "value/ddbjson.h"

static const struct weir_time start = { 1767225600000 }; /* 2026-01-01T00:00:00Z */

static const char yaml[] = "tables:\n"
                           "  orders: { key: { id: S }, stream: new_and_old_images, ttl: until }\n"
                           "  totals: { key: { id: S }, stream: new_image }\n"
                           "pipelines:\n"
                           "  copy:\n"
                           "    source: { table: orders, window: 5s, batch: 100 }\n"
                           "    steps:\n"
                           "      - put: { table: totals, item: { id: '${keys.id}' } }\n";

struct world {
    struct weir_clock_virtual clock;
    struct weir_config *config;
    struct weir_engine *engine;
    struct weir_arena arena;
};

static void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

static struct world *world_create(void)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    weir_random_repeat(1);
    weir_arena_init(&world->arena);
    weir_clock_virtual_init(&world->clock, start);
    weir_diagnostics_init(&diagnostics, "weir.yaml");
    must(weir_config_parse(
                 WEIR_STR(yaml), weir_step_kinds_all(), &diagnostics, &world->config, &err),
            &err);
    weir_diagnostics_fini(&diagnostics);
    struct weir_engine_options options = {
        .config = world->config,
        .data = "memory",
        .clock = &world->clock,
    };
    must(weir_engine_create(&options, &world->engine, &err), &err);
    return world;
}

static void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    must(weir_loop_advance(world->engine->loop, ms, &err), &err);
}

static void world_destroy(struct world *world)
{
    bool stopped = false;
    weir_engine_quiesce(world->engine);
    weir_engine_stop(world->engine, note_stopped, &stopped);
    advance(world, 0);
    assert_true(stopped);
    weir_engine_destroy(world->engine);
    weir_config_destroy(world->config);
    weir_arena_fini(&world->arena);
    weir_free(world);
}

static const struct weir_table *table_of(struct world *world, const char *name)
{
    const struct weir_table *table = NULL;
    struct weir_err err;
    must(weir_tables_get(world->engine->tables, weir_str_z(name), &table, &err), &err);
    return table;
}

static struct weir_item item_of(struct weir_arena *arena, const char *json)
{
    struct weir_json reader;
    struct weir_item item = { 0 };
    struct weir_err err;
    weir_json_init(&reader, weir_str_z(json), arena, WEIR_JSON_MAX_DEPTH);
    must(weir_ddbjson_read_plain_item(&reader, weir_json_next(&reader), &item, &err), &err);
    return item;
}

static void txn_done(struct weir_txn *txn)
{
    assert_int_equal(txn->rc, WEIR_OK);
    weir_txn_destroy(txn);
}

/* Submit a put; it is done when the loop has run. */
static void put(struct world *world, const char *table, const char *json)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    struct weir_err err;
    write->tables = world->engine->tables;
    write->table = table_of(world, table);
    write->kind = WEIR_WRITE_PUT;
    write->item = item_of(&txn->arena, json);
    must(weir_table_write(write, txn, &err), &err);
    weir_table_unref(write->table); /* the catalogue has one, and nothing drops the table */
    txn->done = txn_done;
    weir_store_submit(world->engine->store, txn);
}

static bool has(struct world *world, const char *name, const char *id)
{
    const struct weir_table *table = table_of(world, name);
    struct weir_arena *arena = &world->arena;
    struct weir_item keys = item_of(arena, weir_arena_printf(arena, "{\"id\":\"%s\"}", id).p);
    struct weir_str key = { 0 };
    struct weir_item item = { 0 };
    struct weir_err err;
    must(weir_table_key(table, keys, arena, &key, &err), &err);
    must(weir_table_get(world->engine->tables, table, key, arena, &item, &err), &err);
    weir_table_unref(table);
    return item.n > 0;
}

static void a_batching_window_passes_in_virtual_time(void **state)
{
    (void)state;
    struct world *world = world_create();
    put(world, "orders", "{\"id\":\"a\"}");
    advance(world, 4999);
    assert_true(has(world, "orders", "a"));
    assert_false(has(world, "totals", "a"));
    advance(world, 1);
    assert_true(has(world, "totals", "a"));
    world_destroy(world);
}

static void a_wall_clock_that_is_set_does_not_move_the_window(void **state)
{
    (void)state;
    struct world *world = world_create();
    put(world, "orders", "{\"id\":\"a\"}");
    advance(world, 4000);
    atomic_fetch_sub(&world->clock.wall_ms, 3600 * 1000);
    advance(world, 1000);
    assert_true(has(world, "totals", "a"));
    put(world, "orders", "{\"id\":\"b\"}");
    advance(world, 10);
    atomic_fetch_add(&world->clock.wall_ms, 60 * 1000);
    put(world, "orders", "{\"id\":\"c\"}"); /* of the same window, which has not passed */
    advance(world, 10);
    assert_false(has(world, "totals", "b"));
    world_destroy(world);
}

static void expiry_comes_at_its_time(void **state)
{
    (void)state;
    struct world *world = world_create();
    put(world, "orders", "{\"id\":\"a\",\"until\":1767312000}"); /* a day from the start */
    advance(world, 24 * 3600 * 1000 - 1);
    assert_true(has(world, "orders", "a"));
    advance(world, 1000);
    assert_false(has(world, "orders", "a"));
    world_destroy(world);
}

/* A hash of everything in the commit log: positions, times, keys and values. */
static uint64_t log_hash(struct world *world, size_t *ret_count)
{
    struct weir_log_filter everything = { .everything = true };
    struct weir_log_reader *reader = weir_log_reader_create(
            weir_store_log(world->engine->store), everything, (struct weir_pos){ 0 });
    uint64_t hash = 0;
    for (*ret_count = 0;; (*ret_count)++) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        must(weir_log_next(reader, &change, &time, &have, &err), &err);
        if (!have) {
            break;
        }
        const uint64_t numbers[] = { change.pos.seq, (uint64_t)time.ms, change.space };
        hash = weir_hash64(hash, numbers, sizeof(numbers));
        hash = weir_hash64(hash, change.key.p, change.key.n);
        hash = weir_hash64(hash, change.value.p, change.value.n);
    }
    weir_log_reader_destroy(reader);
    return hash;
}

static uint64_t run_once(uint64_t seed, size_t *ret_changes)
{
    struct world *world = world_create();
    struct weir_random random;
    weir_random_seed(&random, seed);
    for (int i = 0; i < 60; i++) {
        for (uint64_t n = weir_random_below(&random, 4); n > 0; n--) {
            put(world, "orders",
                    weir_arena_printf(&world->arena, "{\"id\":\"%u\",\"n\":%d,\"until\":%lld}",
                            (unsigned)weir_random_below(&random, 20), i,
                            (long long)(start.ms / 1000 + i * 30))
                            .p);
        }
        advance(world, weir_random_below(&random, 8000));
    }
    uint64_t hash = log_hash(world, ret_changes);
    world_destroy(world);
    return hash;
}

static void the_same_input_gives_the_same_log(void **state)
{
    (void)state;
    size_t changes = 0;
    uint64_t first = run_once(3, &changes);
    assert_true(changes > 200);
    for (int i = 0; i < 99; i++) {
        size_t again = 0;
        assert_int_equal(run_once(3, &again), first);
        assert_int_equal(again, changes);
    }
    size_t other = 0;
    assert_int_not_equal(run_once(4, &other), first);
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batching_window_passes_in_virtual_time),
        cmocka_unit_test(a_wall_clock_that_is_set_does_not_move_the_window),
        cmocka_unit_test(expiry_comes_at_its_time),
        cmocka_unit_test(the_same_input_gives_the_same_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
