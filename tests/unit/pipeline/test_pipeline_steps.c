/* Steps: filters, conditions, failing records, fan-out and projections. */
#include "pipeline_fixture.h"

static void filters_and_conditions_choose(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy",
            "source: { table: orders }\n"
            "filter: { eventName: [INSERT, MODIFY], dynamodb: { NewImage: { kind: { S: [good] } } "
            "} }\n"
            "when: new.n > 2\n"
            "steps:\n"
            "  - put: { table: out, item: { id: \"${new.id}\", n: \"${new.n * 10}\" } }\n");
    put(b->f, "orders", "{'id':{'S':'a'},'n':{'N':'1'},'kind':{'S':'good'}}");
    put(b->f, "orders", "{'id':{'S':'b'},'n':{'N':'3'},'kind':{'S':'bad'}}");
    put(b->f, "orders", "{'id':{'S':'c'},'n':{'N':'3'},'kind':{'S':'good'}}");
    put(b->f, "orders", "{'id':{'S':'d'},'kind':{'S':'good'}}"); /* the condition has no value */
    del(b->f, "orders", "{'id':{'S':'c'}}");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_equal(get_id(b, "out", "c"), "{'id':{'S':'c'},'n':{'N':'30'}}");
    assert_int_equal(status_sum(b, "filtered"), 3);
    assert_int_equal(status_sum(b, "records"), 2);
    assert_int_equal(status_sum(b, "errors"), 1);
}

static void patterns_on_items_choose(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy",
            "source: { table: orders }\n"
            "filter: { item: { new: { n: [{ numeric: [\">\", 2] }] } } }\n"
            "steps: [put: { table: out, item: { id: \"${keys.id}\" } }]\n");
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", 5);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_equal(get_id(b, "out", "b"), "{'id':{'S':'b'}}");
}

static void a_record_that_fails_is_left_out(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy",
            "source: { table: orders, concurrency: 1 }\n"
            "steps:\n"
            "  - require: [new.n, new.n > 0]\n"
            "  - put: { table: out, item: { id: \"${new.id}\" } }\n");
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", -1);
    put(b->f, "orders", "{'id':{'S':'c'}}");
    put_n(b, "orders", "d", 1);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    assert_string_equal(get_id(b, "out", "b"), "");
    assert_int_equal(status_sum(b, "records"), 4);
    assert_int_equal(status_sum(b, "errors"), 2);
}

static void nothing_of_a_failing_record_is_written(void **state)
{
    struct bench *b = *state;
    enum { COUNT = 50 };
    make_table(b, "orders");
    make_table(b, "out");
    make_table(b, "log");
    add_pipeline(b, "copy",
            "source: { table: orders, concurrency: 3 }\n"
            "steps:\n"
            "  - put: { table: out, item: { id: \"${new.id}\", n: \"${new.n}\" } }\n"
            "  - id: second\n    put: { table: log, item: { id: \"${new.group}\", last: "
            "\"${new.n}\" } "
            "}\n"
            "  - require: [\"new.n % 7 != 0\"]\n"
            "  - each: { in: \"[1, 2]\", as: i }\n"
            "  - id: third\n    put: { table: out, item: { id: \"${new.id}-${i}\", n: \"${new.n}\" "
            "} "
            "}\n"
            "  - require: [\"new.n % 5 != 0 || i != 2\"]\n");
    for (int i = 1; i <= COUNT; i++) {
        put(b->f, "orders",
                weir_arena_printf(
                        &arena, "{'id':{'S':'%d'},'n':{'N':'%d'},'group':{'S':'g%d'}}", i, i, i % 3)
                        .p);
    }
    run_until(b, all_is_done);
    int good = 0;
    for (int i = 1; i <= COUNT; i++) {
        bool fails = i % 7 == 0 || i % 5 == 0;
        good += fails ? 0 : 1;
        const char *id = weir_arena_printf(&arena, "%d", i).p;
        assert_int_equal(get_id(b, "out", id)[0] == '\0', fails);
        id = weir_arena_printf(&arena, "%d-1", i).p;
        assert_int_equal(get_id(b, "out", id)[0] == '\0', fails);
    }
    assert_int_equal(count_items(b, "out"), 3 * good);
    assert_int_equal(count_items(b, "log"), 3);
    assert_int_equal(status_sum(b, "errors"), COUNT - good);
    assert_int_equal(status_sum(b, "records"), COUNT);
}

static void items_are_made_step_by_step(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy",
            "source: { table: orders }\n"
            "steps:\n"
            "  - let: { double: \"${new.n * 2}\", label: \"n is ${new.n}\" }\n"
            "  - each: { in: new.tags, as: tag }\n"
            "  - map: { id: \"${new.id}#${tag}\", n: \"${double}\", label: \"${label}\", fixed: 7 "
            "}\n"
            "  - put: { table: out }\n");
    put(b->f, "orders", "{'id':{'S':'a'},'n':{'N':'4'},'tags':{'SS':['x','y']}}");
    put(b->f, "orders", "{'id':{'S':'b'},'n':{'N':'5'},'tags':{'L':[{'S':'z'}]}}");
    put(b->f, "orders", "{'id':{'S':'c'},'n':{'N':'5'},'tags':{'L':[]}}");
    put(b->f, "orders", "{'id':{'S':'d'},'n':{'N':'5'},'tags':{'N':'1'}}");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 3);
    assert_string_equal(get_id(b, "out", "a#x"),
            "{'fixed':{'N':'7'},'id':{'S':'a#x'},'label':{'S':'n is 4'},'n':{'N':'8'}}");
    assert_string_not_equal(get_id(b, "out", "a#y"), "");
    assert_string_not_equal(get_id(b, "out", "b#z"), "");
    assert_int_equal(status_sum(b, "errors"), 1);
}

/* --- project ----------------------------------------------------------------------------- */

static const char projection[] =
        "source: { table: orders }\n"
        "steps:\n"
        "  - project:\n"
        "      table: out\n"
        "      let: { base: \"${new.id}\" }\n"
        "      items:\n"
        "        - { id: \"${base}\", n: \"${new.n}\" }\n"
        "        - { each: new.tags, as: tag, id: \"${base}#${tag}\", n: \"${new.n}\" }\n";

static void put_tags(struct bench *b, const char *id, int n, const char *tags)
{
    put(b->f, "orders",
            weir_arena_printf(
                    &arena, "{'id':{'S':'%s'},'n':{'N':'%d'},'tags':{'L':[%s]}}", id, n, tags)
                    .p);
}

static void a_projection_follows_its_source(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "view", projection);
    put_tags(b, "a", 1, "{'S':'x'},{'S':'y'}");
    put_tags(b, "b", 1, "{'S':'x'}");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 5);
    put_tags(b, "a", 1, "{'S':'y'},{'S':'z'}"); /* x goes, y stays as it is, z comes */
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 5);
    assert_string_equal(get_id(b, "out", "a#x"), "");
    assert_string_equal(get_id(b, "out", "a#z"), "{'id':{'S':'a#z'},'n':{'N':'1'}}");
    assert_int_equal(count_records(b, "out"), 5 + 2); /* nothing else was written */
    put_tags(b, "a", 2, "");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 3);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'2'}}");
    del(b->f, "orders", "{'id':{'S':'a'}}");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    put_tags(b, "a", 3, "{'S':'x'}");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 4);
    assert_int_equal(status_sum(b, "errors"), 0);
}

/* Make the pipeline read everything once more. */
static void forget_positions(struct bench *b)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_cursor *cursor = weir_cursor_create(b->f->store, WEIR_SPACE_POSITION);
    for (weir_cursor_first(cursor);; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_err err;
        bool have = false;
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
        if (!have) {
            break;
        }
        weir_txn_delete(txn, WEIR_SPACE_POSITION, weir_arena_str(&txn->arena, key));
    }
    weir_cursor_destroy(cursor);
    assert_int_equal(commit(b->f, txn, NULL), WEIR_OK);
}

static void records_that_were_applied_change_nothing(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    /* From the records, not from the table. */
    const char *yaml = weir_arena_printf(
            &arena, "source: { table: orders, start: oldest }\n%s", strchr(projection, '\n') + 1)
                               .p;
    add_pipeline(b, "view", yaml);
    for (int i = 0; i < 10; i++) {
        put_tags(b, "a", i, i % 2 == 0 ? "{'S':'x'},{'S':'y'}" : "{'S':'z'}");
        put_tags(b, "b", i, "{'S':'x'}");
        run_until(b, all_is_done);
    }
    size_t written = count_records(b, "out");
    stop_pipelines(b);
    forget_positions(b);
    start_pipelines(b);
    add_pipeline(b, "view", yaml);
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 20); /* all of them once more */
    assert_int_equal(status_sum(b, "errors"), 0);
    assert_int_equal(count_records(b, "out"), written);
}

static void a_derived_item_has_one_owner(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    put_n(b, "out", "a", 99); /* from elsewhere */
    add_pipeline(b, "view", projection);
    put_tags(b, "a", 1, "{'S':'x'}");
    put_tags(b, "b", 1, "{'S':'x'}");
    put_tags(b, "b#x", 1, ""); /* makes the key that b owns */
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "errors"), 2);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'99'}}");
    assert_string_equal(get_id(b, "out", "a#x"), "");
    assert_string_equal(get_id(b, "out", "b#x"), "{'id':{'S':'b#x'},'n':{'N':'1'}}");
    del(b->f, "orders", "{'id':{'S':'b#x'}}");  /* owns nothing, so it removes nothing */
    put_tags(b, "c", 1, "{'S':'x'},{'S':'x'}"); /* twice the same key */
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "errors"), 3);
    assert_string_not_equal(get_id(b, "out", "b#x"), "");
    assert_string_equal(get_id(b, "out", "c"), "");
}

static void removed_sources_may_keep_their_items(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "view",
            "source: { table: orders }\n"
            "steps:\n"
            "  - project: { table: out, on_remove: keep, items: [{ id: \"${new.id}\", n: "
            "\"${new.n}\" }] }\n");
    put_n(b, "orders", "a", 1);
    run_until(b, all_is_done);
    del(b->f, "orders", "{'id':{'S':'a'}}");
    run_until(b, all_is_done);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'1'}}");
    put_n(b, "orders", "a", 2); /* and it is still its owner */
    run_until(b, all_is_done);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'2'}}");
    assert_int_equal(status_sum(b, "errors"), 0);
}

static size_t count_state(struct bench *b)
{
    struct weir_cursor *cursor = weir_cursor_create(b->f->store, WEIR_SPACE_STATE);
    size_t count = 0;
    for (weir_cursor_first(cursor);; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_err err;
        bool have = false;
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
        if (!have) {
            break;
        }
        count++;
    }
    weir_cursor_destroy(cursor);
    return count;
}

static void the_memory_goes_with_the_items(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    struct weir_table out = definition("out", "id", NULL);
    out.ttl_attribute = WEIR_STR("expires");
    assert_int_equal(create(b->f, &out), WEIR_OK);
    add_pipeline(b, "view",
            "source: { table: orders }\n"
            "steps:\n"
            "  - project:\n"
            "      table: out\n"
            "      items:\n"
            "        - { id: \"${new.id}-1\", expires: \"${new.n}\" }\n"
            "        - { id: \"${new.id}-2\", expires: \"${new.n + 10}\" }\n");
    put_n(b, "orders", "a", 1700000010);
    put_n(b, "orders", "b", 1700000010);
    run_until(b, all_is_done);
    assert_int_equal(count_state(b), 2);
    del(b->f, "orders", "{'id':{'S':'b'}}");
    run_until(b, all_is_done);
    assert_int_equal(count_state(b), 1);
    weir_clock_virtual_advance(&b->f->clock, 15 * 1000);
    run_timers(b->f);
    assert_int_equal(count_items(b, "out"), 1);
    put_n(b, "orders", "a", 1700000015); /* one of its items is gone already */
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    weir_clock_virtual_advance(&b->f->clock, 60 * 1000);
    run_timers(b->f);
    assert_int_equal(count_items(b, "out"), 0);
    assert_int_equal(count_state(b), 1); /* for a while */
    put_n(b, "orders", "a", 1700000090);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    weir_clock_virtual_advance(&b->f->clock, 3 * 3600 * 1000);
    run_timers(b->f);
    assert_int_equal(count_items(b, "out"), 0);
    assert_int_equal(count_state(b), 0);
    put_n(b, "orders", "a", 1700100000); /* and it begins anew */
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    assert_int_equal(status_sum(b, "errors"), 0);
}

static void names_of_one_projection_are_its_own(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    make_table(b, "log");
    add_pipeline(b, "view",
            "source: { table: orders }\n"
            "steps:\n"
            "  - project: { table: out, let: { x: \"${new.n}\" }, items: [{ id: \"${new.id}\", n: "
            "\"${x}\" }] }\n"
            "  - id: other\n    project: { table: log, let: { x: \"${new.n + 1}\" }, items: [{ id: "
            "\"${new.id}\", n: \"${x}\" }] }\n");
    put_n(b, "orders", "a", 1);
    run_until(b, all_is_done);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'1'}}");
    assert_string_equal(get_id(b, "log", "a"), "{'id':{'S':'a'},'n':{'N':'2'}}");
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, set_up_bench, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        BENCH(filters_and_conditions_choose),
        BENCH(patterns_on_items_choose),
        BENCH(a_record_that_fails_is_left_out),
        BENCH(nothing_of_a_failing_record_is_written),
        BENCH(items_are_made_step_by_step),
        BENCH(a_projection_follows_its_source),
        BENCH(records_that_were_applied_change_nothing),
        BENCH(a_derived_item_has_one_owner),
        BENCH(removed_sources_may_keep_their_items),
        BENCH(the_memory_goes_with_the_items),
        BENCH(names_of_one_projection_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
