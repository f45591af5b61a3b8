/* Quarantine: what waits behind a record that failed is processed in order, once, and only then. */
#include "pipeline/letters.h"
#include "pipeline_fixture.h"

/* Records whose n is one of `failing` fail. */
static void add_copy(struct bench *b, const char *failing, const char *rest)
{
    char yaml[512];
    (void)snprintf(yaml, sizeof(yaml),
            "source: { table: orders, batch: 5, concurrency: 1 }\n"
            "steps:\n"
            "  - require: [\"!(int(new.n) in [%s])\"]\n"
            "  - send: { queue: out, body: \"${new.id}${new.n} after ${old.?n.orValue(0)}\" }\n"
            "on_failure: { table: letters }\n"
            "%s\n",
            failing, rest);
    add_pipeline(b, "copy", yaml);
}

static void put_orders(struct bench *b, const char *id, int from, int to)
{
    for (int n = from; n <= to; n++) {
        put_n(b, "orders", id, n);
    }
}

static int set_up_quarantine(void **state)
{
    set_up_stepped(state);
    struct bench *b = *state;
    struct weir_table letters = definition("letters", "pipeline", "sequence");
    letters.key.sort[0].type = WEIR_TYPE_S;
    assert_int_equal(create(b->f, &letters), WEIR_OK);
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    return 0;
}

static void expect_held(struct bench *b, unsigned keys, unsigned records)
{
    char wanted[80] = "\"quarantine\"";
    if (keys > 0) {
        (void)snprintf(wanted, sizeof(wanted), "\"quarantine\":{\"keys\":%u,\"records\":%u}", keys,
                records);
    }
    if (status_has(b, wanted) != (keys > 0)) {
        struct weir_buf buf;
        status_text(b, &buf);
        fail_msg("%u keys and %u records are not what is held in %s", keys, records, buf.p);
    }
}

/* Append what the queue has of an item's records from..to, each of which is a change of the last.
 */
static void add_copies(struct weir_buf *wanted, const char *id, int from, int to)
{
    for (int n = from; n <= to; n++) {
        weir_buf_printf(wanted, "%s%d after %d\n", id, n, n - 1);
    }
}

static void expect_copies(struct bench *b, struct weir_buf *wanted)
{
    weir_buf_byte(wanted, '\0');
    assert_string_equal(bodies(b, "out"), wanted->p);
    weir_buf_fini(wanted);
}

static void redrive(struct bench *b)
{
    struct weir_err err;
    struct weir_letters all = { .pipeline = WEIR_STR("copy") };
    struct weir_redriven redriven;
    all.stale = true; /* the item has changed since: what waits are its changes */
    must(weir_pipelines_redrive(b->pipelines, &all, &arena, &redriven, &err), &err);
    assert_int_equal(redriven.given, 1);
    settle(b);
}

static struct weir_letters_removal removal;
static bool removed;

static void note_removed(struct weir_letters_removal *done)
{
    must(done->rc, &done->err);
    removed = true;
}

static void begin_to_skip(struct bench *b)
{
    struct weir_err err;
    struct weir_str next;
    struct weir_letters all = { .pipeline = WEIR_STR("copy") };
    removal = (struct weir_letters_removal){ .done = note_removed };
    removed = false;
    must(weir_pipelines_remove_letters(b->pipelines, &all, &arena, &removal, &next, &err), &err);
}

static void skip_letter(struct bench *b)
{
    begin_to_skip(b);
    settle(b);
    assert_true(removed);
    assert_int_equal(removal.count, 1);
}

static void later_records_wait_through_a_restart_and_go_on_in_order(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2", "quarantine: key");
    put_orders(b, "a", 1, 9);
    settle(b);
    expect_held(b, 1, 8);
    put_orders(b, "b", 1, 1); /* another item */
    settle(b);
    restart(b);
    add_copy(b, "2", "quarantine: key");
    put_orders(b, "a", 10, 150); /* more than are with a lane at a time */
    settle(b);
    expect_held(b, 1, 149);
    redrive(b);
    expect_held(b, 1, 149); /* it failed again */
    restart(b);
    add_copy(b, "1000", "quarantine: key");
    redrive(b);
    expect_held(b, 0, 0);
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "b", 1, 1);
    add_copies(&wanted, "a", 2, 150);
    expect_copies(b, &wanted);
    assert_int_equal(count_items(b, "letters"), 0);
    restart(b);
    add_copy(b, "1000", "quarantine: key");
    settle(b);
    expect_held(b, 0, 0);
}

static void what_fails_among_those_that_waited_holds_the_rest(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2, 5", "quarantine: key");
    put_orders(b, "a", 1, 9);
    settle(b);
    skip_letter(b);
    expect_held(b, 1, 5);
    skip_letter(b);
    expect_held(b, 0, 0);
    put_orders(b, "a", 10, 10);
    settle(b);
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "a", 3, 4);
    add_copies(&wanted, "a", 6, 10);
    expect_copies(b, &wanted);
}

static void each_record_is_counted_when_it_is_processed(void **state)
{
    struct bench *b = *state;
    add_copy(b, "2, 5", "quarantine: key");
    put_orders(b, "a", 1, 9);
    settle(b);
    expect_held(b, 1, 8);
    assert_int_equal(status_sum(b, "records"), 2 + 8); /* of the pipeline, and of its quarantine */
    skip_letter(b);                                    /* of 2; 5 fails among what goes on */
    expect_held(b, 1, 5);
    skip_letter(b);
    expect_held(b, 0, 0);
    assert_int_equal(status_sum(b, "records"), 9);
}

/* --- letters that are too large for their table ------------------------------------------- */

static void put_padded(struct bench *b, int n, int bytes)
{
    put(b->f, "orders",
            weir_arena_printf(
                    &arena, "{'id':{'S':'a'},'n':{'N':'%d'},'padding':{'S':'%0*d'}}", n, bytes, 0)
                    .p);
}

struct letter_seen {
    bool incomplete;
    bool old_image;
    bool new_image;
};

static bool note_letter(void *arg, const struct weir_letter *letter)
{
    struct letter_seen *seen = arg;
    const char *payload = weir_arena_str(&arena, letter->payload).p;
    seen->incomplete = letter->incomplete;
    seen->old_image = strstr(payload, "OldImage") != NULL;
    seen->new_image = strstr(payload, "NewImage") != NULL;
    return false;
}

/* What the only letter has, which is taken away. */
static struct letter_seen take_letter(struct bench *b)
{
    struct weir_letters all = { .pipeline = WEIR_STR("copy") };
    struct letter_seen seen = { 0 };
    struct weir_str next;
    struct weir_err err;
    assert_int_equal(count_items(b, "letters"), 1);
    must(weir_pipelines_letters(b->pipelines, &all, &arena, note_letter, &seen, &next, &err), &err);
    if (seen.incomplete) {
        struct weir_redriven redriven;
        must(weir_pipelines_redrive(b->pipelines, &all, &arena, &redriven, &err), &err);
        assert_int_equal(redriven.refused, 1);
        assert_non_null(strstr(redriven.why.msg, "too large for where it is kept"));
    }
    skip_letter(b);
    return seen;
}

static void what_is_too_large_for_its_table_lacks_images(void **state)
{
    struct bench *b = *state;
    add_copy(b, "2, 3, 4", "");
    put_padded(b, 1, 150 * 1024);
    put_padded(b, 2, 150 * 1024); /* both images */
    settle(b);
    struct letter_seen seen = take_letter(b);
    assert_true(!seen.incomplete && seen.old_image && seen.new_image);
    put_padded(b, 3, 300 * 1024); /* the new one */
    settle(b);
    seen = take_letter(b);
    assert_true(seen.incomplete && !seen.old_image && seen.new_image);
    put_padded(b, 4, 409000); /* none */
    settle(b);
    seen = take_letter(b);
    assert_true(seen.incomplete && !seen.old_image && !seen.new_image);
    assert_false(something_blocks(b));
}

/* The letter is gone, what was behind it not yet processed, and weir ends: it goes on by itself. */
static void what_goes_on_does_so_after_a_restart(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "1", "quarantine: key");
    put_orders(b, "a", 1, 9);
    settle(b);
    struct weir_txn *txn = weir_txn_create();
    weir_queues_delete_queue(b->queues, txn, WEIR_STR("out"));
    must(weir_store_commit(b->f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    skip_letter(b);
    assert_true(something_blocks(b));
    restart(b);
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_copy(b, "1", "quarantine: key");
    settle(b);
    expect_held(b, 0, 0);
    add_copies(&wanted, "a", 2, 9);
    expect_copies(b, &wanted);
}

static void without_the_option_what_waits_goes_on(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2", "quarantine: key");
    put_orders(b, "a", 1, 4);
    settle(b);
    expect_held(b, 1, 3);
    for (int i = 0; i < 2; i++) { /* the second time nothing is left of it */
        restart(b);
        add_copy(b, "2", "");
        settle(b);
        expect_held(b, 0, 0);
    }
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "a", 3, 4);
    expect_copies(b, &wanted);
    assert_int_equal(count_items(b, "letters"), 1);
}

/* Skips the next letter as soon as it is there: what was behind its record is on its way back. */
static bool step_and_skip(void *arg)
{
    struct bench *b = arg;
    if (removed && count_items(b, "letters") == 1) {
        begin_to_skip(b);
        weir_loop_on_idle(b->loop, step_store, b);
    }
    return weir_store_step(b->f->store);
}

static void a_skip_while_records_go_back_keeps_their_order(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2, 3", "quarantine: key");
    put_orders(b, "a", 1, 40);
    settle(b);
    expect_held(b, 1, 39);
    begin_to_skip(b); /* the letter of 2; then 3 to 40 are with the lane, and 3 fails */
    weir_loop_on_idle(b->loop, step_and_skip, b);
    settle(b);
    expect_held(b, 0, 0);
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "a", 4, 40);
    expect_copies(b, &wanted);
}

static bool step_and_put(void *arg)
{
    struct bench *b = arg;
    if (removed) {
        put_orders(b, "a", 12, 13);
        weir_loop_on_idle(b->loop, step_store, b);
        return true;
    }
    return weir_store_step(b->f->store);
}

static void what_comes_behind_the_last_that_waited_goes_on_too(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2", "quarantine: key");
    put_orders(b, "a", 1, 11);
    settle(b);
    expect_held(b, 1, 10);
    begin_to_skip(b); /* then 3 to 7 are a batch; 8 to 11 are in one with what comes meanwhile */
    weir_loop_on_idle(b->loop, step_and_put, b);
    settle(b);
    expect_held(b, 0, 0);
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "a", 3, 13);
    expect_copies(b, &wanted);
}

static void a_letter_may_be_skipped_while_its_table_is_away(void **state)
{
    struct bench *b = *state;
    struct weir_buf wanted;
    weir_buf_init(&wanted, 1 << 16);
    add_copy(b, "2", "quarantine: key");
    put_orders(b, "a", 1, 3);
    settle(b);
    expect_held(b, 1, 2);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    settle(b);
    skip_letter(b);
    make_table(b, "orders");
    settle(b);
    expect_held(b, 0, 0);
    put_orders(b, "a", 1, 1);
    settle(b);
    add_copies(&wanted, "a", 1, 1);
    add_copies(&wanted, "a", 3, 3);
    add_copies(&wanted, "a", 1, 1);
    expect_copies(b, &wanted);
}

#define QUARANTINE(test) cmocka_unit_test_setup_teardown(test, set_up_quarantine, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        QUARANTINE(later_records_wait_through_a_restart_and_go_on_in_order),
        QUARANTINE(what_fails_among_those_that_waited_holds_the_rest),
        QUARANTINE(what_is_too_large_for_its_table_lacks_images),
        QUARANTINE(each_record_is_counted_when_it_is_processed),
        QUARANTINE(what_goes_on_does_so_after_a_restart),
        QUARANTINE(without_the_option_what_waits_goes_on),
        QUARANTINE(a_skip_while_records_go_back_keeps_their_order),
        QUARANTINE(what_comes_behind_the_last_that_waited_goes_on_too),
        QUARANTINE(a_letter_may_be_skipped_while_its_table_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
