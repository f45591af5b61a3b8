/* Running pipelines: batches, order, positions, targets that come and go, conflicts, stopping. */
#include <sched.h>

#include "base/random.h"
#include "pipeline/pipeline_int.h"
#include "pipeline_fixture.h"

static const char copy[] =
        "source: { table: orders, batch: 7, concurrency: 6 }\n"
        "steps: [put: { table: out, item: { id: \"${new.id}\", n: \"${new.n}\" } }]\n";

static const char *copy_with(const char *source)
{
    return weir_arena_printf(&arena,
            "source: { table: orders, %s }\n"
            "steps: [put: { table: out, item: { id: \"${new.id}\", n: \"${new.n}\" } }]\n",
            source)
            .p;
}

/* --- batches --------------------------------------------------------------------------- */

static bool three_wait(struct bench *b)
{
    return status_sum(b, "waiting") == 3;
}

static void a_batch_waits_for_its_window(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 10, window: 1s, concurrency: 1"));
    for (int i = 0; i < 3; i++) { /* one key: one shard, one lane */
        put_n(b, "orders", "a", i);
    }
    run_until(b, three_wait);
    run_turns(b, 50);
    assert_true(three_wait(b));
    assert_int_equal(count_items(b, "out"), 0);
    weir_clock_virtual_advance(&b->f->clock, 1000);
    run_until(b, all_is_done);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'2'}}");
    assert_int_equal(status_sum(b, "batches"), 1);
    for (int i = 0; i < 23; i++) { /* two full ones go at once */
        put_n(b, "orders", "a", 100 + i);
    }
    run_until(b, three_wait);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'119'}}");
    assert_int_equal(status_sum(b, "batches"), 3);
    stop_pipelines(b); /* with a window open */
    start_pipelines(b);
    add_pipeline(b, "copy", copy);
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 3);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'122'}}");
}

static void order_is_kept_for_each_key(void **state)
{
    struct bench *b = *state;
    enum { IDS = 20, ROUNDS = 30 };
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 3, concurrency: 32"));
    for (int n = 1; n <= ROUNDS; n++) {
        for (int id = 0; id < IDS; id++) {
            put_n(b, "orders", weir_arena_printf(&arena, "%d", id).p, n);
        }
        run_turns(b, (uint64_t)(n % 4));
    }
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), IDS * ROUNDS);
    long last[IDS] = { 0 };
    follow(b->f, "out");
    for (const char *r = next_record(b->f); r[0] != '\0'; r = next_record(b->f)) {
        const char *new = strstr(r, "->");
        long id = strtol(strstr(new, "'id':{'S':'") + 11, NULL, 10);
        long n = strtol(strstr(new, "'n':{'N':'") + 10, NULL, 10);
        assert_true(n > last[id]);
        last[id] = n;
    }
    for (int id = 0; id < IDS; id++) {
        assert_int_equal(last[id], ROUNDS);
    }
}

static void batches_in_flight_are_limited(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 1, concurrency: 2")); /* of four shards */
    for (int i = 0; i < 40; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
    }
    size_t most = 0;
    AWAIT(all_is_done(b), status_of(b))
    {
        run_turns(b, 0);
        size_t in_flight = b->pipelines->first->in_flight;
        most = in_flight > most ? in_flight : most;
    }
    assert_true(most > 0 && most <= 2);
    assert_int_equal(count_items(b, "out"), 40);
}

/* A batch whose changes are more than a transaction may hold is cut, a record alone fails. */
static void batches_that_are_too_large_are_cut(void **state)
{
    struct bench *b = *state; /* a transaction has at most 16 KiB */
    make_table(b, "orders");
    make_table(b, "out");
    char filling[1201];
    memset(filling, 'x', 1200);
    filling[1200] = '\0';
    for (int i = 0; i < 60; i++) {
        put(b->f, "orders",
                weir_arena_printf(&arena, "{'id':{'S':'%d'},'x':{'S':'%s'},'copies':{'N':'%d'}}", i,
                        filling, i == 30 ? 20 : 2)
                        .p);
    }
    add_pipeline(b, "copy",
            "source: { table: orders, batch: 100, concurrency: 1 }\n"
            "steps:\n"
            "  - each: { in: \"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20].filter(i, i <= "
            "new.copies)\", as: i }\n"
            "  - put: { table: out, item: { id: \"${new.id}-${i}\", x: \"${new.x}\" } }\n");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 59 * 2);
    assert_int_equal(status_sum(b, "errors"), 1);
    assert_int_equal(status_sum(b, "records"), 60);
    assert_string_equal(get_id(b, "out", "30-1"), "");
}

/* A batch that is cut into transactions of 1 MiB, stopped anywhere, loses and doubles nothing. */
static void long_batches_are_several_transactions(void **state)
{
    struct bench *b = *state;
    enum { COUNT = 120 };
    make_table(b, "orders");
    make_table(b, "out");
    char *filling = weir_arena_alloc(&arena, 50001);
    memset(filling, 'x', 50000);
    filling[50000] = '\0';
    for (int i = 0; i < COUNT; i++) {
        put(b->f, "orders",
                weir_arena_printf(&arena, "{'id':{'S':'%d'},'x':{'S':'%s'}}", i, filling).p);
    }
    static const char yaml[] =
            "source: { table: orders, batch: 1000, concurrency: 1 }\n"
            "steps: [put: { table: out, item: { id: \"${new.id}\", x: \"${new.x}\" } }]\n";
    uint64_t records = 0;
    uint64_t batches = 0;
    for (uint64_t turns = 3; records < COUNT; turns += 3) {
        add_pipeline(b, "copy", yaml);
        run_turns(b, turns);
        b->stopped = false;
        weir_pipelines_stop(b->pipelines, note_stopped, b);
        run_until(b, is_stopped);
        records += status_sum(b, "records");
        batches += status_sum(b, "batches");
        drop_pipelines(b);
        start_pipelines(b);
    }
    assert_int_equal(records, COUNT);
    assert_true(batches > 5);
    assert_int_equal(count_items(b, "out"), COUNT);
}

/* --- sources and targets -----------------------------------------------------------------------
 */

static void a_missing_target_blocks_until_it_appears(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", 1);
    run_until(b, something_blocks);
    assert_true(status_has(b, "\"reason\":\"Requested resource not found: Table: out not found\""));
    assert_int_equal(status_sum(b, "records"), 0);
    make_table(b, "out");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
    assert_int_equal(status_sum(b, "errors"), 0);
    assert_int_equal(drop(b->f, "out"), WEIR_OK);
    put_n(b, "orders", "c", 1);
    run_until(b, something_blocks);
    stop_pipelines(b); /* while it is blocked */
    make_table(b, "out");
    start_pipelines(b);
    add_pipeline(b, "copy", copy);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1); /* only what was not done */
}

static bool nothing_is_in_flight(struct bench *b)
{
    return all_is_done(b) && b->pipelines->first->in_flight == 0 &&
           !atomic_load(&b->pipelines->tables_woken) && status_sum(b, "waiting") == 0;
}

static void a_source_may_come_later(void **state)
{
    struct bench *b = *state;
    make_table(b, "out");
    add_pipeline(b, "copy", copy);
    run_turns(b, 10);
    assert_true(status_has(b, "\"state\":\"waiting for source\""));
    struct weir_table orders = definition("orders", "id", NULL);
    orders.view = WEIR_VIEW_NONE;
    assert_int_equal(create(b->f, &orders), WEIR_OK);
    put_n(b, "orders", "before", 1); /* makes no record */
    run_turns(b, 10);
    assert_true(status_has(b, "has no stream"));
    struct weir_err err;
    orders.view = WEIR_VIEW_NEW_AND_OLD_IMAGES;
    must(weir_tables_ensure(b->f->tables, &orders, &err), &err);
    put_n(b, "orders", "after", 1);
    run_turns(b, 10);
    run_until(b, all_is_done);
    assert_true(status_has(b, "\"state\":\"running\""));
    run_until(b, nothing_is_in_flight);
    assert_string_not_equal(get_id(b, "out", "after"), "");
}

static bool runs(struct bench *b)
{
    return status_has(b, "\"state\":\"running\"");
}

static bool waits_for_source(struct bench *b)
{
    return status_has(b, "\"state\":\"waiting for source\"");
}

static void a_source_may_be_dropped_and_made_again(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 2, concurrency: 4"));
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 100; i++) {
            put_n(b, "orders", weir_arena_printf(&arena, "%d-%d", round, i).p, i);
        }
        run_turns(b, 5 * (uint64_t)round); /* lanes are at work, most often */
        assert_int_equal(drop(b->f, "orders"), WEIR_OK);
        if (round % 2 == 0) {
            run_until(b, waits_for_source);
        }
        make_table(b, "orders");
        const char *id = weir_arena_printf(&arena, "new %d", round).p;
        put_n(b, "orders", id, 1);
        run_until(b, runs);
        run_until(b, nothing_is_in_flight);
        assert_string_not_equal(get_id(b, "out", id), "");
    }
}

/* What lanes commit for a table that is gone says nothing about the next one of its name. */
static void a_source_made_again_at_once_begins_anew(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 1, concurrency: 4"));
    for (uint64_t turns = 0; turns < 40; turns++) {
        for (int i = 0; i < 20; i++) {
            put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, (int)turns);
        }
        run_turns(b, turns % 10);
        assert_int_equal(drop(b->f, "orders"), WEIR_OK);
        make_table(b, "orders");
        const char *id = weir_arena_printf(&arena, "new %d", (int)turns).p;
        put_n(b, "orders", id, 1);
        run_until(b, nothing_is_in_flight);
        assert_string_not_equal(get_id(b, "out", id), "");
    }
    assert_int_equal(count_records(b, "out"), 40 * 21);
}

/* Also the tables that were dropped again before the pipeline could turn to them. */
static void no_source_of_a_name_is_passed_over(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    put_n(b, "orders", "before", 0);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK); /* before the pipeline comes */
    make_table(b, "orders");
    add_pipeline(b, "copy", copy_with("batch: 2, concurrency: 3"));
    for (int i = 0; i < 20; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
        put_n(b, "orders", weir_arena_printf(&arena, "more %d", i).p, i);
        assert_int_equal(drop(b->f, "orders"), WEIR_OK);
        run_turns(b, (uint64_t)i % 3);
        make_table(b, "orders");
    }
    put_n(b, "orders", "last", 0);
    run_until(b, nothing_is_in_flight);
    assert_int_equal(count_items(b, "out"), 41);
    assert_string_equal(get_id(b, "out", "before"), "");
    put_n(b, "orders", "really last", 0);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    run_until(b, waits_for_source);
    assert_int_equal(count_items(b, "out"), 42);
}

/* Its window is not waited for. */
static void a_source_that_is_dropped_is_drained(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy_with("batch: 10, window: 1s, concurrency: 3"));
    run_turns(b, 5);
    for (int i = 0; i < 1234; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
    }
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    run_until(b, waits_for_source);
    assert_int_equal(count_items(b, "out"), 1234);
}

/* What cannot be processed, since its target is gone as well, does not keep the next one waiting.
 */
static void a_source_that_is_dropped_with_its_target_is_left(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    add_pipeline(b, "copy", copy_with("batch: 2, concurrency: 3"));
    for (int i = 0; i < 500; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
    }
    run_until(b, something_blocks);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    run_until(b, waits_for_source);
    make_table(b, "out");
    make_table(b, "orders");
    put_n(b, "orders", "new", 1);
    run_until(b, nothing_is_in_flight);
    assert_int_equal(count_items(b, "out"), 1);
}

static void latest_begins_with_what_comes(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    put_n(b, "orders", "before", 1);
    add_pipeline(b, "copy", copy_with("start: latest"));
    put_n(b, "orders", "after", 1);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1);
    restart(b);
    put_n(b, "orders", "between", 1); /* its position is remembered */
    add_pipeline(b, "copy", copy_with("start: latest"));
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 2);
}

static bool something_failed(struct bench *b)
{
    return status_sum(b, "errors") > 0;
}

static void circles_come_to_an_end(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "there",
            "source: { table: orders }\n"
            "steps: [put: { table: out, item: { id: \"${new.id}\", n: \"${new.n + 1}\" } }]\n");
    add_pipeline(b, "back",
            "source: { table: out }\n"
            "steps: [put: { table: orders, item: { id: \"${new.id}\", n: \"${new.n + 1}\" } }]\n");
    put_n(b, "orders", "a", 0);
    run_until(b, something_failed);
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "errors"), 1);
    assert_int_equal(status_sum(b, "records"), WEIR_PIPELINE_HOPS_MAX + 1);
    assert_string_equal(get_id(b, "orders", "a"), "{'id':{'S':'a'},'n':{'N':'16'}}");
}

/* --- positions
 * -------------------------------------------------------------------------------------- */

static void positions_survive_a_restart(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy);
    for (int i = 0; i < 50; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
    }
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 50);
    restart(b);
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "more", 1);
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 1);
    assert_int_equal(count_records(b, "out"), 51);
    add_pipeline(b, "other", "source: { table: orders }\nsteps: [log: \"${new.id}\"]\n");
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 52); /* another pipeline has its own */
}

/* Write all positions as earlier versions did: without the table that they are of. */
static void shorten_positions(struct bench *b)
{
    struct weir_err err;
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    struct weir_cursor *cursor = weir_cursor_create(b->f->store, WEIR_SPACE_POSITION);
    for (weir_cursor_first(cursor);; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        bool have = false;
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
        if (!have) {
            break;
        }
        weir_txn_put(txn, WEIR_SPACE_POSITION, weir_arena_str(&txn->arena, key),
                weir_arena_str(&txn->arena, weir_str(entry.value.p, 8)));
    }
    weir_cursor_destroy(cursor);
    must(weir_store_commit(b->f->store, txn, &err), &err);
}

static void positions_of_earlier_versions_hold(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", 1);
    run_until(b, all_is_done);
    stop_pipelines(b);
    shorten_positions(b);
    start_pipelines(b);
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "c", 1);
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "records"), 1);
    assert_int_equal(count_items(b, "out"), 3);
}

/*
 * Stopped anywhere, started with another number of lanes, sometimes from the log: every record
 * is committed once. The counters of each run only count what was committed.
 */
static void every_record_is_processed_once(void **state)
{
    struct bench *b = *state;
    static const char *const sources[] = { "batch: 5, concurrency: 1", "batch: 1, concurrency: 7",
        "batch: 100, concurrency: 64", "batch: 3, concurrency: 10", "batch: 2, concurrency: 256",
        "batch: 4, concurrency: 200" };
    enum { RUNS = 60, IDS = 80 };
    struct weir_random random;
    weir_random_seed(&random, 5);
    make_table(b, "orders");
    make_table(b, "out");
    uint64_t written = 0;
    uint64_t records = 0;
    int last[IDS] = { 0 };
    for (int run = 0; run <= RUNS; run++) {
        add_pipeline(b, "copy", copy_with(sources[weir_random_below(&random, 6)]));
        for (uint64_t i = weir_random_below(&random, 200); i > 0; i--, written++) {
            int id = (int)weir_random_below(&random, IDS);
            last[id]++;
            put_n(b, "orders", weir_arena_printf(&arena, "%d", id).p, last[id]);
        }
        if (run == RUNS) {
            run_until(b, all_is_done);
        } else {
            run_turns(b, weir_random_below(&random, 8)); /* lanes stand at different places */
        }
        b->stopped = false;
        weir_pipelines_stop(b->pipelines, note_stopped, b);
        run_until(b, is_stopped);
        records += status_sum(b, "records");
        drop_pipelines(b);
        if (run % 10 == 9) {
            close_all(b->f);
            open_all(b->f);
        }
        start_pipelines(b);
    }
    assert_int_equal(records, written);
    for (int id = 0; id < IDS; id++) {
        const char *expected = last[id] == 0
                                       ? ""
                                       : weir_arena_printf(&arena,
                                                 "{'id':{'S':'%d'},'n':{'N':'%d'}}", id, last[id])
                                                 .p;
        assert_string_equal(get_id(b, "out", weir_arena_printf(&arena, "%d", id).p), expected);
    }
}

/* Positions move on when everything is filtered out, so that the log is not held for ever. */
static void the_log_is_let_go(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "a", 1);
    run_until(b, all_is_done);
    uint64_t before = b->pipelines->first->sources[0].hold.pos.seq;
    for (int i = 0; i < 40; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
        run_until(b, all_is_done);
    }
    uint64_t after = b->pipelines->first->sources[0].hold.pos.seq;
    assert_true(after > before);
    add_pipeline(b, "nothing",
            "source: { table: orders }\nwhen: \"false\"\nsteps: [log: \"${new.id}\"]\n");
    const struct pipeline *nothing = b->pipelines->first;
    uint64_t start = nothing->sources[0].hold.pos.seq;
    for (int i = 0; i < 60; i++) { /* a position's number grows by 64 MiB with each segment */
        char *filling = weir_arena_alloc(&arena, 6001);
        memset(filling, 'x', 6000);
        filling[6000] = '\0';
        put(b->f, "orders",
                weir_arena_printf(&arena, "{'id':{'S':'%d'},'n':{'S':'%d'},'x':{'B':'%s'}}", i % 8,
                        i, filling)
                        .p);
        run_until(b, all_is_done);
    }
    assert_true(nothing->sources[0].hold.pos.seq > start + 5ull * WEIR_LOG_SEGMENT_BYTES);
    make_table(b, "busy"); /* nobody reads it: the sources of both are quiet */
    start = nothing->sources[0].hold.pos.seq;
    for (int i = 0; i < 60; i++) {
        put(b->f, "busy",
                weir_arena_printf(&arena, "{'id':{'S':'%d'},'x':{'S':'%0*d'}}", i % 8, 3000, i).p);
        run_turns(b, 10);
    }
    assert_true(nothing->sources[0].hold.pos.seq > start + 2ull * WEIR_LOG_SEGMENT_BYTES);
    assert_true(nothing->next->sources[0].hold.pos.seq > start + 2ull * WEIR_LOG_SEGMENT_BYTES);
}

/* --- conflicts
 * --------------------------------------------------------------------------------------- */

struct gate {
    struct weir_txn *txn;
    struct weir_op op;
    _Atomic bool entered;
    _Atomic bool may_leave;
    _Atomic bool done;
};

static enum weir_rc gate_run(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)view;
    (void)err;
    struct gate *gate = WEIR_CONTAINER(op, struct gate, op);
    uint64_t end_ms = now_ms() + AWAIT_MS;
    gate->entered = true;
    while (!gate->may_leave && now_ms() < end_ms) {
        sched_yield();
    }
    return WEIR_OK;
}

static void gate_done(struct weir_txn *txn)
{
    ((struct gate *)txn->arg)->done = true;
}

static bool a_lane_commits(struct bench *b)
{
    const struct pipeline *pipeline = b->pipelines->first;
    WEIR_EACH_LANE(pipeline, lane)
    {
        if (lane->phase == LANE_COMMITTING) {
            return true;
        }
    }
    return false;
}

static void outside_done(struct weir_txn *txn)
{
    weir_assert(txn->rc == WEIR_OK);
}

static void a_batch_whose_reads_moved_runs_again(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_table(b, "out");
    add_pipeline(b, "copy", copy);
    put_n(b, "orders", "a", 1);
    run_until(b, all_is_done);
    put_n(b, "orders", "a", 2);
    struct gate gate = { .txn = weir_txn_create() };
    gate.op.run = gate_run;
    weir_txn_op(gate.txn, &gate.op);
    gate.txn->done = gate_done;
    gate.txn->arg = &gate;
    weir_store_submit(b->f->store, gate.txn);
    AWAIT(gate.entered, "the gate's transaction does not run")
    {
        sched_yield();
    }
    run_until(b, a_lane_commits); /* it is behind the gate */
    const struct weir_table *out = table_of(b->f, "out");
    struct weir_txn *outside = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&outside->arena, struct weir_write);
    struct weir_err err;
    write->tables = b->f->tables;
    write->table = out;
    write->kind = WEIR_WRITE_PUT;
    write->item = item_of("{'id':{'S':'a'},'n':{'N':'77'}}");
    must(weir_table_write(write, outside, &err), &err);
    outside->done = outside_done;
    weir_store_submit(b->f->store, outside); /* clients go before lanes */
    gate.may_leave = true;
    AWAIT(gate.done, "the gate's transaction does not end")
    {
        sched_yield();
    }
    run_until(b, all_is_done);
    assert_int_equal(status_sum(b, "conflicts"), 1);
    assert_int_equal(status_sum(b, "records"), 2);
    assert_string_equal(get_id(b, "out", "a"), "{'id':{'S':'a'},'n':{'N':'2'}}");
    assert_string_equal(text_of(write->after), "{'id':{'S':'a'},'n':{'N':'77'}}");
    weir_txn_destroy(gate.txn);
    weir_txn_destroy(outside);
    weir_table_unref(out);
}

/* --- stopping
 * ------------------------------------------------------------------------------------------ */

static void stopping_works_in_every_phase(void **state)
{
    struct bench *b = *state;
    stop_pipelines(b); /* none at all */
    make_table(b, "orders");
    make_table(b, "out");
    for (int i = 0; i < 300; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "%d", i).p, i);
    }
    start_pipelines(b);
    add_pipeline(b, "copy", copy);
    drop_pipelines(b); /* the loop never ran: a start that failed later on */
    for (uint64_t turns = 0; turns < 25; turns++) {
        start_pipelines(b);
        add_pipeline(b, "copy", copy_with("batch: 2, concurrency: 3"));
        add_pipeline(b, "windows", copy_with("batch: 50, window: 10s"));
        add_pipeline(b, "blocked",
                "source: { table: orders }\n"
                "steps: [put: { table: missing, item: { id: \"${new.id}\" } }]\n");
        add_pipeline(b, "no-source", "source: { table: missing }\nsteps: [log: \"${new.id}\"]\n");
        run_turns(b, turns);
        stop_pipelines(b);
        put_n(b, "orders", weir_arena_printf(&arena, "more %u", (unsigned)turns).p, 1);
    }
    start_pipelines(b);
    add_pipeline(b, "copy", copy);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 325);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, set_up_bench, tear_down_bench)
#define SMALL(test) cmocka_unit_test_setup_teardown(test, set_up_small, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        BENCH(a_batch_waits_for_its_window),
        BENCH(order_is_kept_for_each_key),
        BENCH(batches_in_flight_are_limited),
        SMALL(batches_that_are_too_large_are_cut),
        BENCH(long_batches_are_several_transactions),
        BENCH(a_missing_target_blocks_until_it_appears),
        BENCH(a_source_may_come_later),
        BENCH(a_source_may_be_dropped_and_made_again),
        BENCH(a_source_made_again_at_once_begins_anew),
        BENCH(no_source_of_a_name_is_passed_over),
        BENCH(a_source_that_is_dropped_is_drained),
        BENCH(a_source_that_is_dropped_with_its_target_is_left),
        BENCH(latest_begins_with_what_comes),
        BENCH(circles_come_to_an_end),
        BENCH(positions_survive_a_restart),
        BENCH(positions_of_earlier_versions_hold),
        BENCH(every_record_is_processed_once),
        SMALL(the_log_is_let_go),
        BENCH(a_batch_whose_reads_moved_runs_again),
        BENCH(stopping_works_in_every_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
