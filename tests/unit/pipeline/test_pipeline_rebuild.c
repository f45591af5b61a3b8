/* Rebuilds and replays: what a view holds in the end is what its tables and its rule say. */
#include "base/random.h"
#include "pipeline_fixture.h"

enum { IDS = 1500 };

#define VIEW_OF(prefix) \
    "  - project: { table: out, items: [{ id: \"" prefix "${new.id}\", n: \"${new.n}\" }] }\n"

static const char view[] = "source: { table: orders, batch: 7 }\nsteps:\n" VIEW_OF("v-");
static const char changed_view[] = "source: { table: orders, batch: 7 }\nsteps:\n" VIEW_OF("w-");
static const char even_view[] =
        "source: { table: orders }\nwhen: event == \"REMOVE\" || new.n % 2 == 0\n"
        "steps:\n" VIEW_OF("v-");
static const char copies[] = "source: { table: orders }\n"
                             "steps: [put: { table: out, item: { id: \"${string(new.n)}\" } }]\n";

static void make_tables(struct bench *b)
{
    make_table(b, "orders");
    make_table(b, "out");
}

static const char *id_of(int i)
{
    return weir_arena_printf(&arena, "o%d", i).p;
}

static void put_orders(struct bench *b, int from, int to)
{
    for (int i = from; i < to; i++) {
        put_n(b, "orders", id_of(i), i);
    }
}

static void delete_order(struct bench *b, int i)
{
    del(b->f, "orders", weir_arena_printf(&arena, "{'id':{'S':'o%d'}}", i).p);
}

static bool is_rebuilding(struct bench *b)
{
    return status_has(b, "\"job\":{");
}

/* The view is the table, with a prefix before each id. */
static void assert_view(struct bench *b, const char *prefix)
{
    size_t count = 0;
    for (int i = 0; i < IDS; i++) {
        const char *order = get_id(b, "orders", id_of(i));
        const char *derived = get_id(b, "out", weir_arena_printf(&arena, "%so%d", prefix, i).p);
        if (order[0] == '\0') {
            assert_string_equal(derived, "");
            continue;
        }
        count++;
        assert_non_null(strstr(derived, prefix));
        assert_string_equal(strstr(derived, ",'n'"), strstr(order, ",'n'"));
    }
    assert_int_equal(count_items(b, "out"), count);
}

static void rebuild(struct bench *b, bool prune)
{
    struct weir_err err;
    must(weir_pipelines_rebuild(b->pipelines, WEIR_STR("view"), prune, NULL, &err), &err);
}

static void a_new_view_holds_what_was_there_before(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    put_orders(b, 0, IDS);
    delete_order(b, 3);
    add_pipeline(b, "view", view);
    assert_true(is_rebuilding(b));
    run_until(b, all_is_done);
    assert_false(is_rebuilding(b));
    assert_view(b, "v-");
    assert_int_equal(status_sum(b, "errors"), 0);
    assert_int_equal(status_sum(b, "records"), IDS - 1); /* the items, not the records */
}

/* Writes, stops and starts at random moments. */
static void writes_go_on_while_it_is_rebuilt(void **state)
{
    struct bench *b = *state;
    struct weir_random random;
    weir_random_seed(&random, 11);
    make_tables(b);
    put_orders(b, 0, IDS);
    add_pipeline(b, "view", view);
    int stops = 0;
    for (int round = 0; round < 40; round++) {
        for (uint64_t i = weir_random_below(&random, 60); i > 0; i--) {
            int id = (int)weir_random_below(&random, IDS);
            if (weir_random_below(&random, 3) == 0) {
                delete_order(b, id);
            } else {
                put_n(b, "orders", id_of(id), (int)weir_random_below(&random, 100000));
            }
        }
        run_turns(b, weir_random_below(&random, 30));
        if (weir_random_below(&random, 4) == 0) {
            stops += is_rebuilding(b);
            restart(b);
            add_pipeline(b, "view", view);
        }
        if (!is_rebuilding(b) && weir_random_below(&random, 2) == 0) {
            rebuild(b, false);
        }
    }
    run_until(b, all_is_done);
    assert_true(stops > 3); /* else the test has lost its sense */
    assert_int_equal(status_sum(b, "errors"), 0);
    assert_view(b, "v-");
}

static void a_changed_rule_is_known_and_rebuilt(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    put_orders(b, 0, 300);
    add_pipeline(b, "view", view);
    run_until(b, all_is_done);
    restart(b);
    add_pipeline(b, "view", view);
    assert_false(status_has(b, "rebuild_needed"));
    restart(b);
    add_pipeline(b, "view", changed_view);
    assert_true(status_has(b, "\"rebuild_needed\":true"));
    run_until(b, all_is_done);
    assert_string_not_equal(get_id(b, "out", "v-o1"), "");
    put_n(b, "orders", "o1", 17); /* by the new rule at once */
    run_until(b, all_is_done);
    assert_string_equal(get_id(b, "out", "v-o1"), "");
    rebuild(b, false);
    run_until(b, all_is_done);
    assert_view(b, "w-");
    assert_false(status_has(b, "rebuild_needed"));
    restart(b);
    add_pipeline(b, "view", changed_view);
    assert_false(status_has(b, "rebuild_needed"));
}

/* Stops and starts at random moments, under one rule or the other. */
static void the_rule_changes_while_it_is_rebuilt(void **state)
{
    struct bench *b = *state;
    struct weir_random random;
    weir_random_seed(&random, 2);
    make_tables(b);
    put_orders(b, 0, IDS);
    for (int round = 0; round < 60; round++) {
        bool changed = weir_random_below(&random, 2) == 0;
        add_pipeline(b, "view", changed ? changed_view : view);
        for (uint64_t i = weir_random_below(&random, 30); i > 0; i--) {
            put_n(b, "orders", id_of((int)weir_random_below(&random, IDS)), (int)i);
        }
        run_turns(b, weir_random_below(&random, 60));
        restart(b);
    }
    add_pipeline(b, "view", view);
    run_until(b, all_is_done);
    if (status_has(b, "rebuild_needed")) {
        rebuild(b, false);
        run_until(b, all_is_done);
    }
    assert_view(b, "v-");
}

static void a_rule_that_comes_back_does_not_hide_the_other(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "view", view);
    put_orders(b, 0, 10);
    run_until(b, all_is_done);
    restart(b);
    add_pipeline(b, "view", changed_view);
    put_n(b, "orders", "o1", 17);
    run_until(b, all_is_done);
    restart(b);
    add_pipeline(b, "view", view);
    run_until(b, all_is_done);
    assert_string_not_equal(get_id(b, "out", "w-o1"), ""); /* and the others by this rule */
    assert_true(status_has(b, "\"rebuild_needed\":true"));
    rebuild(b, false);
    run_until(b, all_is_done);
    assert_false(status_has(b, "rebuild_needed"));
    assert_view(b, "v-");
}

/* Whatever fails to be written when weir starts under the changed rule. */
static void a_disk_that_fails_does_not_hide_a_changed_rule(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "view", view);
    put_orders(b, 0, 10);
    run_until(b, all_is_done);
    restart(b);
    weir_simulated_disk_fail(b->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    add_pipeline(b, "view", changed_view);
    settle(b);
    put_n(b, "orders", "o1", 17);
    weir_simulated_disk_fail(b->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    settle(b);
    assert_string_equal(get_id(b, "out", "w-o1"), "");
    pass(b, 60 * 1000); /* the batch is tried again */
    run_until(b, all_is_done);
    assert_string_not_equal(get_id(b, "out", "w-o1"), "");
    restart(b);
    add_pipeline(b, "view", view);
    assert_true(status_has(b, "\"rebuild_needed\":true"));
}

/* What a view holds of items whose REMOVE it has never seen. */
static void items_that_are_gone_leave_the_view(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    put_orders(b, 0, 100);
    add_pipeline(b, "view", view);
    run_until(b, all_is_done);
    stop_pipelines(b);
    struct weir_txn *txn = weir_txn_create();
    for (int i = 0; i < 50; i++) {
        delete_order(b, i);
    }
    struct weir_cursor *cursor = weir_cursor_create(b->f->store, WEIR_SPACE_POSITION);
    struct weir_str key;
    struct weir_entry entry;
    struct weir_err err;
    bool have = true;
    for (weir_cursor_first(cursor); have; weir_cursor_next(cursor)) {
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
        if (have) {
            weir_txn_delete(txn, WEIR_SPACE_POSITION, weir_arena_str(&txn->arena, key));
        }
    }
    weir_cursor_destroy(cursor);
    assert_int_equal(commit(b->f, txn, NULL), WEIR_OK);
    start_pipelines(b);
    add_pipeline(b, "view", view); /* begins behind the REMOVEs, with a rebuild */
    run_until(b, all_is_done);
    assert_view(b, "v-");
    assert_int_equal(count_items(b, "out"), 50);
}

static void what_does_not_pass_stays_unless_it_is_pruned(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "view", even_view);
    put_n(b, "orders", "o2", 2);
    put_n(b, "orders", "o4", 4);
    run_until(b, all_is_done);
    put_n(b, "orders", "o4", 5); /* does not pass: what was made stays */
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    rebuild(b, false);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    rebuild(b, true);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_not_equal(get_id(b, "out", "v-o2"), "");
}

static void what_cannot_be_rebuilt_is_refused(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    make_tables(b);
    add_pipeline(b, "view", copies);
    assert_int_equal(weir_pipelines_rebuild(b->pipelines, WEIR_STR("view"), false, NULL, &err),
            WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "has no `project` step"));
    assert_int_equal(weir_pipelines_rebuild(b->pipelines, WEIR_STR("other"), false, NULL, &err),
            WEIR_E_NOT_FOUND);
    assert_int_equal(weir_pipelines_cancel(b->pipelines, WEIR_STR("view"), &err), WEIR_E_NOT_FOUND);
}

static void a_rebuild_can_be_cancelled(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    make_tables(b);
    add_pipeline(b, "view", view);
    put_orders(b, 0, IDS);
    run_until(b, all_is_done);
    rebuild(b, false);
    assert_int_equal(weir_pipelines_rebuild(b->pipelines, WEIR_STR("view"), false, NULL, &err),
            WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "under way"));
    must(weir_pipelines_cancel(b->pipelines, WEIR_STR("view"), &err), &err);
    run_until(b, all_is_done);
    assert_false(is_rebuilding(b));
    restart(b);
    add_pipeline(b, "view", view);
    assert_false(is_rebuilding(b));
    assert_view(b, "v-");
}

/* --- replays ------------------------------------------------------------------------------- */

static void replay(struct bench *b, struct weir_replay asked)
{
    struct weir_err err;
    asked.pipeline = WEIR_STR("copies");
    must(weir_pipelines_replay(b->pipelines, &asked, NULL, &err), &err);
    run_until(b, all_is_done);
}

static void clear_out(struct bench *b)
{
    for (int i = 0; i < 10; i++) {
        del(b->f, "out", weir_arena_printf(&arena, "{'id':{'S':'%d'}}", i).p);
    }
    assert_int_equal(count_items(b, "out"), 0);
}

static void records_are_replayed(void **state)
{
    struct bench *b = *state;
    const struct weir_str begin = WEIR_STR("1970-01-01T00:00:00Z");
    make_tables(b);
    add_pipeline(b, "copies", copies);
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", 2);
    put_n(b, "orders", "a", 3);
    weir_clock_virtual_advance(&b->f->clock, 60 * 1000);
    char later[WEIR_TIME_TEXT];
    weir_time_format(weir_clock_wall(&b->f->clock.base), later);
    put_n(b, "orders", "c", 4);
    run_until(b, all_is_done);
    clear_out(b);
    replay(b, (struct weir_replay){ .from = begin });
    assert_int_equal(count_items(b, "out"), 3); /* a has changed since its first record */
    assert_string_equal(get_id(b, "out", "1"), "");
    clear_out(b);
    replay(b, (struct weir_replay){ .from = begin, .stale = true });
    assert_int_equal(count_items(b, "out"), 4);
    clear_out(b);
    replay(b, (struct weir_replay){ .from = weir_str_z(later) });
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_not_equal(get_id(b, "out", "4"), "");
    clear_out(b);
    replay(b, (struct weir_replay){ .from = begin, .to = weir_str_z(later), .stale = true });
    assert_int_equal(count_items(b, "out"), 3);
    clear_out(b);
    replay(b, (struct weir_replay){
                      .from = begin,
                      .where = WEIR_STR("{\"eventName\":[\"MODIFY\"]}"),
              });
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_not_equal(get_id(b, "out", "3"), "");
}

static void what_a_replay_cannot_do_is_said(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    make_tables(b);
    add_pipeline(b, "copies", copies);
    struct weir_replay asked = { .pipeline = WEIR_STR("copies"), .from = WEIR_STR("yesterday") };
    assert_int_equal(weir_pipelines_replay(b->pipelines, &asked, NULL, &err), WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "from is a time as in"));
    asked.from = WEIR_STR("2025-01-01T00:00:00Z");
    asked.where = WEIR_STR("{\"eventName\":\"MODIFY\"}");
    assert_int_equal(weir_pipelines_replay(b->pipelines, &asked, NULL, &err), WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "where: "));
}

static const char messages[] = "source: { table: orders, batch: 7 }\n"
                               "steps: [send: { queue: q, body: \"${string(new.n)}\" }]\n";

/* Each record once, however often weir stops on the way: a message that is sent twice is seen. */
static void a_replay_goes_on_after_a_stop(void **state)
{
    struct bench *b = *state;
    struct weir_random random;
    struct weir_err err;
    weir_random_seed(&random, 3);
    make_tables(b);
    make_queue(b, weir_queue_defaults(WEIR_STR("q")));
    add_pipeline(b, "messages", messages);
    put_orders(b, 0, IDS);
    run_until(b, all_is_done);
    struct weir_replay asked = {
        .pipeline = WEIR_STR("messages"),
        .from = WEIR_STR("1970-01-01T00:00:00Z"),
    };
    must(weir_pipelines_replay(b->pipelines, &asked, NULL, &err), &err);
    int stops = 0;
    for (; is_rebuilding(b); stops++) {
        run_turns(b, 1 + weir_random_below(&random, 4));
        restart(b);
        add_pipeline(b, "messages", messages);
    }
    run_until(b, all_is_done);
    assert_true(stops > 2);
    size_t sent = 0;
    for (const char *at = strchr(bodies(b, "q"), '\n'); at != NULL; at = strchr(at + 1, '\n')) {
        sent++;
    }
    assert_int_equal(sent, 2 * IDS);
}

#define REBUILD(test) cmocka_unit_test_setup_teardown(test, set_up_bench, tear_down_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REBUILD(a_new_view_holds_what_was_there_before),
        REBUILD(writes_go_on_while_it_is_rebuilt),
        REBUILD(a_changed_rule_is_known_and_rebuilt),
        REBUILD(the_rule_changes_while_it_is_rebuilt),
        REBUILD(a_rule_that_comes_back_does_not_hide_the_other),
        cmocka_unit_test_setup_teardown(
                a_disk_that_fails_does_not_hide_a_changed_rule, set_up_on_disk, tear_down_bench),
        REBUILD(items_that_are_gone_leave_the_view),
        REBUILD(what_does_not_pass_stays_unless_it_is_pruned),
        REBUILD(what_cannot_be_rebuilt_is_refused),
        REBUILD(a_rebuild_can_be_cancelled),
        REBUILD(records_are_replayed),
        REBUILD(what_a_replay_cannot_do_is_said),
        REBUILD(a_replay_goes_on_after_a_stop),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
