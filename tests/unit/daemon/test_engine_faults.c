/*
 * A whole engine whose disk stops at the nth operation, or fails it, and whose state cannot be
 * written, for n = 1, 2, ... until nothing of it is reached any more. Orders are written; a
 * pipeline makes of each a total and a message, in one transaction, or a letter. Whatever failed,
 * once it is over:
 *   - acknowledged orders are there, and refused ones are not;
 *   - each order has its total and exactly one message, or its letter, never both or neither.
 *
 * One thread, virtual time: a run that fails repeats itself.
 */
#include <string.h>

#include "base/crash.h"
#include "base/logline.h"
#include "engine_world.h"

enum {
    ORDERS = 24,   /* of a session */
    SESSIONS = 3,  /* before, after, and after that */
    BAD_EVERY = 5, /* such an order becomes a letter */
    SETTLE_MS = 120 * 1000,
    FILLING = 2500, /* bytes of an order, so that segments fill */
};

static const char yaml[] =
        "tables:\n"
        "  orders: { key: { id: S }, stream: new_and_old_images }\n"
        "  totals: { key: { id: S }, stream: new_image }\n"
        "  letters: { key: { pipeline: S, sequence: S } }\n"
        "queues:\n"
        "  work: {}\n"
        "pipelines:\n"
        "  copy:\n"
        "    source: { table: orders, window: 0s, batch: 4, concurrency: 2 }\n"
        "    steps:\n"
        "      - require: ['!has(new.bad)']\n"
        "      - put: { table: totals, item: { id: '${new.id}', n: '${new.n}' } }\n"
        "      - send: { queue: work, body: '${new.id}' }\n"
        "    on_failure: { table: letters }\n"
        /* More than there is: a log that is trimmed is no more than part of the state's. */
        "log: { max_bytes: 1TiB }\n";

enum fate { UNSENT, ACKNOWLEDGED, UNKNOWN, REFUSED };

struct world {
    struct engine_world base;
    enum fate fates[ORDERS * SESSIONS];
    size_t sent;
};

struct order {
    struct world *world;
    size_t number;
};

static struct world *world_create(const char *what, uint64_t n)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    engine_world_init(&world->base, yaml, what, n);
    return world;
}

static void world_destroy(struct world *world)
{
    engine_world_fini(&world->base);
    weir_free(world);
}

/* --- orders ------------------------------------------------------------------------------- */

static bool is_bad(size_t number)
{
    return number % BAD_EVERY == BAD_EVERY - 1;
}

static void order_done(struct weir_txn *txn)
{
    struct order *order = txn->arg;
    enum fate fate = txn->rc == WEIR_OK ? ACKNOWLEDGED : REFUSED;
    order->world->fates[order->number] = txn->rc == WEIR_E_UNKNOWN_OUTCOME ? UNKNOWN : fate;
    weir_free(order);
    weir_txn_destroy(txn);
}

static void put_order(struct world *world)
{
    struct order *order = weir_alloc(sizeof(*order));
    struct weir_arena *arena = &world->base.arena;
    *order = (struct order){ world, world->sent++ };
    struct weir_str json = weir_arena_printf(arena,
            "{\"id\":\"%zu\",\"n\":%zu,\"filling\":\"%0*d\"%s}", order->number, order->number,
            FILLING, 0, is_bad(order->number) ? ",\"bad\":true" : "");
    engine_world_put(&world->base, "orders", json.p, order_done, order);
}

/* Write a session's orders, some at once. */
static void work(struct world *world)
{
    for (size_t n = 0; n < ORDERS;) {
        for (uint64_t together = 1 + weir_random_below(&world->base.random, 3);
                together > 0 && n < ORDERS; together--, n++) {
            put_order(world);
        }
        engine_world_advance(&world->base, 1 + weir_random_below(&world->base.random, 50));
    }
}

/* --- what must hold ----------------------------------------------------------------------- */

static bool has(struct world *world, const char *name, size_t number)
{
    struct weir_str key = weir_arena_printf(&world->base.arena, "{\"id\":\"%zu\"}", number);
    return engine_world_get(&world->base, name, key.p).n > 0;
}

static size_t count_letters(struct world *world)
{
    const struct weir_table *table = engine_world_table(&world->base, "letters");
    struct weir_cursor *cursor = weir_cursor_create(world->base.engine->store, table->space);
    size_t count = 0;
    for (weir_cursor_first(cursor);; weir_cursor_next(cursor), count++) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_err err;
        bool have = false;
        assert_int_equal(weir_cursor_get(cursor, &key, &entry, &have, &err), WEIR_OK);
        if (!have) {
            break;
        }
    }
    weir_cursor_destroy(cursor);
    weir_table_unref(table);
    return count;
}

static uint64_t count_messages(struct world *world)
{
    const struct weir_queue *queue = NULL;
    struct weir_queue_numbers numbers;
    struct weir_err err;
    assert_int_equal(
            weir_queues_get(world->base.engine->queues, WEIR_STR("work"), &queue, &err), WEIR_OK);
    assert_int_equal(
            weir_queues_numbers(world->base.engine->queues, queue, &numbers, &err), WEIR_OK);
    weir_queue_unref(queue);
    return numbers.visible;
}

static void asked(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

/* What the log has and the state could not take becomes visible with the next transaction. */
static void have_applied(struct world *world)
{
    struct weir_txn *txn = weir_txn_create();
    txn->done = asked;
    weir_store_submit(world->base.engine->store, txn);
}

/* Once everything has settled. What was unknown is known from then on. */
static void check(struct world *world)
{
    size_t letters = 0;
    size_t messages = 0;
    have_applied(world);
    engine_world_advance(&world->base, SETTLE_MS);
    for (size_t i = 0; i < world->sent; i++) {
        bool there = has(world, "orders", i);
        bool must = world->fates[i] == ACKNOWLEDGED;
        bool may = must || world->fates[i] == UNKNOWN;
        if ((must && !there) || (there && !may)) {
            fail_msg("%s: order %zu is %s", world->base.what, i, there ? "there" : "not there");
        }
        world->fates[i] = there ? ACKNOWLEDGED : REFUSED;
        letters += there && is_bad(i);
        messages += there && !is_bad(i);
        if (has(world, "totals", i) != (there && !is_bad(i))) {
            fail_msg("%s: the total of order %zu is wrong", world->base.what, i);
        }
    }
    if (count_letters(world) != letters || count_messages(world) != messages) {
        fail_msg("%s: %zu letters of %zu, %llu messages of %zu", world->base.what,
                count_letters(world), letters, (unsigned long long)count_messages(world), messages);
    }
    weir_arena_reset(&world->base.arena);
}

/* After whatever happened: go on, lose the power, start, go on, and all of it must hold. */
static void go_on_and_check(struct world *world)
{
    check(world);
    work(world);
    check(world);
    for (size_t i = world->sent - ORDERS; i < world->sent; i++) {
        assert_int_equal(world->fates[i], ACKNOWLEDGED); /* nothing fails any more */
    }
    engine_world_cut(&world->base);
    engine_world_must_start(&world->base);
    check(world);
}

/* --- faults --------------------------------------------------------------------------------- */

/* The disk stops at the nth operation; false: it was not reached. */
static bool run_cut(uint64_t n)
{
    struct world *world = world_create("cut at operation", n);
    struct weir_err err;
    weir_simulated_disk_crash_at(world->base.disk, n);
    if (engine_world_start(&world->base, &err)) {
        work(world);
    } else {
        assert_true(weir_simulated_disk_crashed(world->base.disk));
    }
    bool reached = weir_simulated_disk_crashed(world->base.disk);
    engine_world_cut(&world->base);
    engine_world_must_start(&world->base);
    go_on_and_check(world);
    world_destroy(world);
    return reached;
}

/* One operation of a kind fails; false: there are fewer. */
static bool run_fault(enum weir_disk_operation operation, uint64_t n)
{
    struct world *world = world_create("failing operation", n);
    struct weir_err err;
    weir_simulated_disk_fail(world->base.disk, operation, n, WEIR_E_IO);
    if (!engine_world_start(&world->base, &err)) {
        engine_world_must_start(&world->base); /* the second time nothing fails */
    }
    work(world);
    bool reached = weir_simulated_disk_count(world->base.disk, operation) >= n;
    weir_simulated_disk_fail(world->base.disk, operation, 0, WEIR_OK);
    go_on_and_check(world);
    world_destroy(world);
    return reached;
}

/* The disk is full after so many bytes, and has room again later; false: it was never full. */
static bool run_full(uint64_t bytes)
{
    struct world *world = world_create("bytes free:", bytes);
    struct weir_err err;
    bool full = false;
    weir_simulated_disk_set_free(world->base.disk, bytes);
    if (engine_world_start(&world->base, &err)) {
        work(world);
        full = weir_store_is_read_only(world->base.engine->store, &err);
    } else {
        full = true;
    }
    weir_simulated_disk_set_free(world->base.disk, UINT64_MAX / 2);
    if (world->base.engine == NULL) {
        engine_world_must_start(&world->base);
    }
    go_on_and_check(world);
    world_destroy(world);
    return full;
}

/* The state cannot be written at its nth time, or some times from there; false: there are fewer. */
static bool run_state(uint64_t n, unsigned long times)
{
    struct world *world = world_create("state not written at", n);
    struct weir_err err;
    weir_fault_at("state.write", n, times);
    if (!engine_world_start(&world->base, &err)) {
        weir_fault_at("state.write", 0, 0);
        engine_world_must_start(&world->base);
        weir_fault_at("state.write", n, times);
    }
    work(world);
    bool reached = weir_fault_passes() >= n;
    weir_fault_at("state.write", 0, 0);
    go_on_and_check(world);
    world_destroy(world);
    return reached;
}

static void the_disk_may_stop_at_every_operation(void **state)
{
    (void)state;
    uint64_t n = 1;
    while (run_cut(n)) {
        n++;
    }
    assert_true(n > ORDERS);
    print_message("%llu operations\n", (unsigned long long)n);
}

static void every_operation_may_fail(void **state)
{
    (void)state;
    static const enum weir_disk_operation operations[] = { WEIR_DISK_WRITE, WEIR_DISK_SYNC,
        WEIR_DISK_CREATE, WEIR_DISK_TRUNCATE, WEIR_DISK_RENAME, WEIR_DISK_SYNC_DIR };
    for (size_t i = 0; i < WEIR_COUNT(operations); i++) {
        uint64_t n = 1;
        while (run_fault(operations[i], n)) {
            n++;
        }
        assert_true(n > 1);
    }
}

static void no_segment_may_be_allocated(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    while (run_full(bytes)) {
        bytes += ENGINE_SEGMENT_BYTES / 2;
    }
    assert_true(bytes > 2 * ENGINE_SEGMENT_BYTES);
}

static void every_write_of_the_state_may_fail(void **state)
{
    (void)state;
    static const unsigned long times[] = { 1, 3 };
    for (size_t i = 0; i < WEIR_COUNT(times); i++) {
        uint64_t n = 1;
        while (run_state(n, times[i])) {
            n++;
        }
        assert_true(n > ORDERS / 3);
    }
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR + 1, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_disk_may_stop_at_every_operation),
        cmocka_unit_test(every_operation_may_fail),
        cmocka_unit_test(no_segment_may_be_allocated),
        cmocka_unit_test(every_write_of_the_state_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
