/* What pipelines tell about how far behind they are, and about what they have lost. */
#include "pipeline/letters.h"
#include "pipeline_fixture.h"

enum { SEGMENT = 64 * 1024, BOUND = 20 * SEGMENT };

static const char to_missing[] =
        "source: { table: orders, concurrency: 1, batch: 10 }\n"
        "steps: [put: { table: missing, item: { id: \"${string(new.n)}\" } }]\n"
        "on_failure: { table: letters }\n";

static const char copies[] =
        "source: { table: orders }\n"
        "steps: [put: { table: copies, item: { id: \"${string(new.n)}\" } }]\n";

static void make_letters(struct bench *b)
{
    struct weir_table letters = definition("letters", "pipeline", "sequence");
    letters.key.sort[0].type = WEIR_TYPE_S;
    assert_int_equal(create(b->f, &letters), WEIR_OK);
}

static void make_tables(struct bench *b)
{
    make_table(b, "orders");
    make_table(b, "copies");
    make_letters(b);
}

static int set_up_bound(void **state)
{
    struct bench *b = bench_create(SEGMENT, false, NULL);
    b->f->options.log_max_bytes = BOUND;
    restart(b);
    *state = b;
    return 0;
}

static bool all_but_blocked_are_done(struct bench *b)
{
    return count_items(b, "copies") >= b->turns;
}

/* The n-th of an order's changes has the number n, so each makes a copy of its own. */
static void put_orders(struct bench *b, int from, int to)
{
    for (int i = from; i < to; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "o%d", i % 50);
        put_n(b, "orders", id, i);
    }
}

static void records_behind_are_counted(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "blocked", to_missing);
    put_orders(b, 0, 700);
    run_until(b, something_blocks);
    assert_int_equal(status_sum(b, "records_behind"), 700);
    assert_int_equal(status_sum(b, "records_behind_least"), 700);
    assert_true(status_sum(b, "waiting") < 200);
    weir_clock_virtual_advance(&b->f->clock, 5000);
    assert_true(status_sum(b, "oldest_unprocessed_ms") >= 5000);
    assert_true(status_has(b, "\"stuck\":{\"table\":\"orders\",\"keys\":{\"id\":{\"S\":\"o"));
    assert_true(status_has(b, "\"next_attempt\":\"20"));
    /* After a restart too; the segment that it reads began before its position. */
    restart(b);
    add_pipeline(b, "blocked", to_missing);
    run_until(b, something_blocks);
    assert_true(status_sum(b, "records_behind") >= 700);
    make_table(b, "missing");
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records_behind"), 0);
    assert_int_equal(count_items(b, "missing"), 700);
}

static void lanes_are_shown(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "blocked", to_missing);
    put_orders(b, 0, 10);
    run_until(b, something_blocks);
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_pipelines_status_lanes(b->pipelines, &buf);
    weir_buf_byte(&buf, '\0');
    assert_non_null(strstr(buf.p, "\"lanes\":[{\"table\":\"orders\",\"shard\":0,\"first_slot\":0,"
                                  "\"slots\":64,\"phase\":\""));
    assert_non_null(strstr(buf.p, "\"phase\":\"blocked\""));
    weir_buf_fini(&buf);
}

/* Write until a blocked pipeline has lost something. Returns how many orders were written. */
static int overflow(struct bench *b)
{
    int written = 0;
    while (!status_has(b, "\"trimmed\":{")) {
        put_orders(b, written, written + 500);
        written += 500;
        b->turns = (uint64_t)written;
        run_until(b, all_but_blocked_are_done);
        assert_in_range(weir_log_bytes(weir_store_log(b->f->store)), 0, BOUND + 3 * SEGMENT);
        assert_true(written < 100000);
    }
    return written;
}

struct sum {
    const char *name;
    uint64_t value;
};

static bool add_to_sum(void *arg, struct weir_item item)
{
    struct sum *sum = arg;
    struct weir_item gap = weir_value_map(weir_item_get(item, WEIR_STR("gap")));
    struct weir_value value = weir_item_get(gap, weir_str_z(sum->name));
    uint64_t n = 0;
    assert_true(weir_decimal_to_u64(weir_value_decimal(value), &n));
    sum->value += n;
    return true;
}

static uint64_t letters_sum(struct bench *b, const char *name)
{
    const struct weir_table *table = table_of(b->f, "letters");
    struct weir_query query = { .table = table, .max_bytes = SIZE_MAX };
    struct weir_query_result result;
    struct weir_err err;
    struct sum sum = { .name = name };
    must(weir_table_query(b->f->tables, &query, &arena, add_to_sum, &sum, &result, &err), &err);
    weir_table_unref(table);
    return sum.value;
}

static bool gap_is_told(struct bench *b)
{
    return count_items(b, "letters") > 0;
}

static bool add_key(void *arg, struct weir_item item)
{
    struct weir_buf *keys = arg;
    struct weir_str sequence = weir_value_str(weir_item_get(item, WEIR_STR("sequence")));
    weir_buf_str(keys, sequence);
    weir_buf_byte(keys, '\n');
    return true;
}

static void delete_letters(struct bench *b)
{
    const struct weir_table *table = table_of(b->f, "letters");
    struct weir_query query = { .table = table, .max_bytes = SIZE_MAX };
    struct weir_query_result result;
    struct weir_err err;
    struct weir_buf keys;
    weir_buf_init(&keys, 1 << 20);
    must(weir_table_query(b->f->tables, &query, &arena, add_key, &keys, &result, &err), &err);
    weir_table_unref(table);
    weir_buf_byte(&keys, '\0');
    char *rest = NULL;
    for (char *at = strtok_r(keys.p, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
        del(b->f, "letters",
                weir_arena_printf(&arena, "{'pipeline':{'S':'blocked'},'sequence':{'S':'%s'}}", at)
                        .p);
    }
    weir_buf_fini(&keys);
}

static void the_bound_holds_and_the_gap_is_told(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "blocked", to_missing);
    add_pipeline(b, "copies", copies);
    int written = overflow(b);
    run_until(b, gap_is_told);
    assert_true(status_has(b, "\"half_used\":true"));
    assert_int_equal(status_sum(b, "errors"), 0);
    /* Everything that is left is processed: what is missing is what the letters say. */
    make_table(b, "missing");
    run_until(b, all_is_done);
    uint64_t lost = letters_sum(b, "records_least");
    assert_int_equal(lost, letters_sum(b, "records_most"));
    assert_true(lost > 0);
    assert_int_equal(count_items(b, "missing") + lost, written);
    assert_int_equal(count_items(b, "copies"), written);
    assert_true(status_has(b, "\"state\":\"trimmed\""));
    assert_true(status_has(b, "\"half_used\":false"));
    assert_int_equal(status_sum(b, "lost"), 0);
}

static void a_gap_is_known_until_its_letter_is_gone(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "blocked", to_missing);
    add_pipeline(b, "copies", copies);
    overflow(b);
    make_table(b, "missing");
    run_until(b, all_is_done);
    assert_true(status_has(b, "\"trimmed\":{\"counted\":true"));
    struct weir_redriven redriven;
    struct weir_err err;
    struct weir_letters all = { .pipeline = WEIR_STR("blocked") };
    must(weir_pipelines_redrive(b->pipelines, &all, &arena, &redriven, &err), &err);
    assert_int_equal(redriven.given, 0);
    assert_true(redriven.refused > 0 && strstr(redriven.why.msg, "lost") != NULL);
    delete_letters(b);
    assert_false(status_has(b, "trimmed"));
}

/* Gaps that touch become one, and only those. */
static void what_is_lost_after_something_was_read_is_another_gap(void **state)
{
    struct bench *b = *state;
    make_tables(b);
    add_pipeline(b, "blocked", to_missing);
    add_pipeline(b, "copies", copies);
    int written = overflow(b);
    make_table(b, "missing");
    run_until(b, all_is_done);
    uint64_t processed = count_items(b, "missing");
    size_t gaps = count_items(b, "letters");
    assert_int_equal(drop(b->f, "missing"), WEIR_OK);
    while (count_items(b, "letters") == gaps) {
        put_orders(b, written, written + 500);
        written += 500;
        b->turns = (uint64_t)written;
        run_until(b, all_but_blocked_are_done);
        assert_true(written < 20000);
    }
    make_table(b, "missing");
    run_until(b, all_is_done);
    processed += count_items(b, "missing");
    assert_int_equal(processed + letters_sum(b, "records_least"), written);
}

/* Letters that cannot be written hold the pipeline: no gap is passed over in silence. */
static bool gap_is_not_told(struct bench *b)
{
    return status_has(b, "\"reason\":\"dead letter of a gap: ");
}

static void a_gap_that_cannot_be_told_blocks(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "copies");
    add_pipeline(b, "blocked", to_missing);
    add_pipeline(b, "copies", copies);
    overflow(b);
    make_table(b, "missing");
    run_until(b, gap_is_not_told);
    run_turns(b, 100);
    assert_true(gap_is_not_told(b));
    make_letters(b);
    run_until(b, all_is_done);
    assert_true(letters_sum(b, "records_least") > 0);
}

#define LAG(test)     cmocka_unit_test_setup_teardown(test, set_up_bench, tear_down_bench)
#define BOUNDED(test) cmocka_unit_test_setup_teardown(test, set_up_bound, tear_down_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAG(records_behind_are_counted),
        LAG(lanes_are_shown),
        BOUNDED(the_bound_holds_and_the_gap_is_told),
        BOUNDED(a_gap_is_known_until_its_letter_is_gone),
        BOUNDED(what_is_lost_after_something_was_read_is_another_gap),
        BOUNDED(a_gap_that_cannot_be_told_blocks),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
