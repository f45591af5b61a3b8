/* Queues one behaviour at a time, on a virtual clock. */
#include <sched.h>

#include "queue_fixture.h"

enum { SECOND = WEIR_QUEUE_SECOND_MS };

static void a_received_message_is_hidden_until_its_time(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    assert_string_equal(take(f, "q", 10), "a");
    assert_string_equal(take(f, "q", 10), "");
    assert_numbers(f, "q", 0, 1, 0);
    advance(f, 30 * SECOND - 1);
    assert_string_equal(take(f, "q", 10), "");
    advance(f, 1);
    struct receiving receiving;
    receive_now(f, "q", &receiving, 10);
    assert_int_equal(receiving.receive.messages[0].receives, 2);
    assert_int_equal(receiving.receive.messages[0].first_received.ms, 1700000000000);
    assert_int_equal(settle(f, "q", receiving.receive.messages[0].receipt, -1), WEIR_OK);
    assert_numbers(f, "q", 0, 0, 0);
    weir_receive_fini(&receiving.receive);
    advance(f, 60 * SECOND);
    assert_string_equal(take(f, "q", 10), "");
}

static void an_old_receipt_deletes_nothing(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_now(f, "q", &first, 1);
    advance(f, 30 * SECOND);
    assert_string_equal(take(f, "q", 1), "a");
    assert_int_equal(settle(f, "q", first.receive.messages[0].receipt, -1), WEIR_OK);
    assert_int_equal(settle(f, "q", first.receive.messages[0].receipt, 1000), WEIR_E_CONDITION);
    assert_numbers(f, "q", 0, 1, 0);
    assert_int_equal(settle(f, "q", WEIR_STR("nonsense"), -1), WEIR_E_DENIED);
    weir_receive_fini(&first.receive);
}

struct looking {
    struct weir_buf seen; /* bodies, hidden ones in brackets */
    struct weir_str receipt;
    struct weir_arena *arena;
    size_t most;
};

static bool look_at(void *arg, const struct weir_message *message, bool hidden)
{
    struct looking *looking = arg;
    weir_buf_printf(&looking->seen, hidden ? "[%.*s]" : "%.*s", WEIR_STR_ARG(message->body));
    looking->receipt = weir_arena_str(looking->arena, message->receipt);
    return --looking->most > 0;
}

static void assert_seen(struct fixture *f, uint64_t after, size_t most, const char *expected,
        struct weir_str *ret_receipt)
{
    struct looking looking = { .arena = &f->arena, .most = most };
    struct weir_err err;
    const struct weir_queue *queue = queue_of(f, "q");
    weir_buf_init(&looking.seen, 1 << 16);
    must(weir_queues_browse(f->queues, queue, after, look_at, &looking, &err), &err);
    weir_buf_byte(&looking.seen, '\0');
    assert_string_equal(looking.seen.p, expected);
    weir_buf_fini(&looking.seen);
    weir_queue_unref(queue);
    *ret_receipt = looking.receipt;
}

/* Delete a message unless somebody has had it, or refuse the transaction. */
static enum weir_rc settle_exactly(struct fixture *f, struct weir_str receipt)
{
    const struct weir_queue *queue = queue_of(f, "q");
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    struct weir_queue_settle *op = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_settle);
    struct weir_err err;
    op->queue = queue;
    op->receipt = receipt;
    op->exact = true;
    op->strict = true;
    must(weir_queue_settle(f->queues, op, txn, &err), &err);
    enum weir_rc rc = weir_store_commit(f->store, txn, &err);
    assert_int_equal(op->rc, rc);
    weir_queue_unref(queue);
    run(f);
    return rc;
}

static void messages_can_be_looked_at_and_deleted_without_receiving_them(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    struct weir_str receipt = { 0 };
    struct weir_str later = { 0 };
    create(f, &queue);
    send(f, "q", "a");
    send(f, "q", "b");
    send(f, "q", "c");
    assert_seen(f, 0, 10, "abc", &later);
    assert_seen(f, 0, 1, "a", &receipt);
    assert_seen(f, 1, 10, "bc", &later);
    assert_seen(f, UINT64_MAX, 10, "", &later);
    assert_int_equal(settle_exactly(f, receipt), WEIR_OK);
    assert_int_equal(settle_exactly(f, receipt), WEIR_E_CONDITION); /* it is gone */
    assert_seen(f, 0, 1, "b", &receipt);
    assert_string_equal(take(f, "q", 1), "b");
    assert_seen(f, 0, 10, "[b]c", &later);
    assert_int_equal(settle_exactly(f, receipt), WEIR_E_CONDITION); /* somebody has it */
    advance(f, 30 * SECOND);
    assert_int_equal(settle_exactly(f, receipt), WEIR_E_CONDITION); /* and has had it */
    assert_seen(f, 0, 1, "b", &receipt);
    assert_int_equal(settle_exactly(f, receipt), WEIR_OK);
    assert_numbers(f, "q", 1, 0, 0);
}

static void json_is_made_fit_for_xml(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        { "{\"a\":\"b\"}", "{\"a\":\"b\"}" },
        { "\"\xef\xbf\xbe\xef\xbf\xbfx\"", "\"\\ufffe\\uffffx\"" },
        { "\"\xef\xbf\xbd\"", "\"\xef\xbf\xbd\"" },
        { "", "" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_str made = weir_message_json(&f->arena, weir_str_z(cases[i][0]));
        assert_true(weir_str_eq(made, weir_str_z(cases[i][1])));
    }
}

static void the_time_can_be_changed(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_now(f, "q", &first, 1);
    struct weir_str receipt = first.receive.messages[0].receipt;
    assert_int_equal(settle(f, "q", receipt, 100 * SECOND), WEIR_OK);
    advance(f, 99 * SECOND);
    assert_string_equal(take(f, "q", 1), "");
    assert_int_equal(settle(f, "q", receipt, 12ll * 3600 * SECOND), WEIR_E_INVALID);
    assert_int_equal(settle(f, "q", receipt, 0), WEIR_OK);
    assert_string_equal(take(f, "q", 1), "a");
    weir_receive_fini(&first.receive);
}

static void delayed_messages_show_later(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    queue.delay_ms = 5 * SECOND;
    create(f, &queue);
    struct weir_str id;
    uint64_t sequence = 0;
    struct sending slow = { .body = "slow", .delay_ms = 20 * SECOND };
    send(f, "q", "usual");
    assert_int_equal(send_as(f, "q", &slow, &id, &sequence), WEIR_OK);
    run(f);
    assert_numbers(f, "q", 0, 0, 2);
    struct receiving waiting;
    receive_begin(f, "q", &waiting, 10, 19 * SECOND);
    advance(f, 5 * SECOND - 1);
    assert_false(waiting.ended);
    assert_int_equal(f->wake_after_ms, 1);
    advance(f, 1);
    assert_true(waiting.ended);
    assert_string_equal(bodies(f, &waiting), "usual");
    weir_receive_fini(&waiting.receive);
    advance(f, 15 * SECOND);
    assert_string_equal(take(f, "q", 10), "slow");
    slow.delay_ms = WEIR_QUEUE_DELAY_MAX_MS + 1;
    assert_int_equal(send_as(f, "q", &slow, &id, &sequence), WEIR_E_INVALID);
}

static void receives_wait_in_their_order(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    struct receiving waiting[4];
    for (size_t i = 0; i < 4; i++) {
        receive_begin(f, "q", &waiting[i], 1, 10 * SECOND);
    }
    run(f);
    assert_true(weir_queues_cancel(f->queues, &waiting[1].receive));
    send(f, "q", "a");
    send(f, "q", "b");
    run(f);
    assert_string_equal(bodies(f, &waiting[0]), "a");
    assert_string_equal(bodies(f, &waiting[2]), "b");
    assert_false(waiting[1].ended || waiting[3].ended);
    advance(f, 10 * SECOND - 1);
    assert_false(waiting[3].ended);
    advance(f, 1);
    assert_true(waiting[3].ended);
    assert_int_equal(waiting[3].receive.rc, WEIR_OK);
    assert_int_equal(waiting[3].receive.count, 0);
    assert_false(waiting[1].ended);
    for (size_t i = 0; i < 4; i++) {
        weir_receive_fini(&waiting[i].receive);
    }
}

static void a_deleted_queue_ends_its_receives(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    const struct weir_queue *held = queue_of(f, "q");
    assert_string_equal(take(f, "q", 1), "a");
    struct receiving waiting;
    receive_begin(f, "q", &waiting, 1, 10 * SECOND);
    struct weir_txn *txn = weir_txn_create();
    weir_queues_delete_queue(f->queues, txn, WEIR_STR("q"));
    assert_int_equal(commit(f, txn, NULL), WEIR_OK);
    run(f);
    assert_true(waiting.ended);
    assert_int_equal(waiting.receive.rc, WEIR_E_NOT_FOUND);
    struct receiving late = { .receive = { .max = 1, .done = receive_done } };
    weir_queues_receive(f->queues, held, &late.receive);
    run(f);
    assert_true(late.ended);
    assert_int_equal(late.receive.rc, WEIR_E_NOT_FOUND);
    txn = weir_txn_create();
    struct weir_queue_send *op = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    struct weir_err err;
    op->queue = held;
    op->message.body = WEIR_STR("x");
    op->strict = true;
    must(weir_queue_send(f->queues, op, txn, &err), &err);
    assert_int_equal(commit(f, txn, &err), WEIR_E_NOT_FOUND);
    weir_queue_unref(held);
    create(f, &queue);
    assert_string_equal(take(f, "q", 1), "");
}

static void a_purge_takes_all_and_old_receipts_mean_nothing(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    send(f, "q", "b");
    struct receiving first;
    receive_now(f, "q", &first, 1);
    struct weir_txn *txn = weir_txn_create();
    weir_queues_purge(f->queues, txn, WEIR_STR("q"));
    assert_int_equal(commit(f, txn, NULL), WEIR_OK);
    run(f);
    assert_numbers(f, "q", 0, 0, 0);
    send(f, "q", "c");
    assert_int_equal(settle(f, "q", first.receive.messages[0].receipt, -1), WEIR_OK);
    weir_receive_fini(&first.receive);
    advance(f, 60 * SECOND);
    receive_now(f, "q", &first, 10);
    assert_string_equal(bodies(f, &first), "c");
    assert_int_equal(first.receive.messages[0].sequence, 3);
    weir_receive_fini(&first.receive);
}

static void old_messages_go(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    queue.retention_ms = 60 * SECOND;
    create(f, &queue);
    send(f, "q", "a");
    run(f);
    advance(f, 10 * SECOND);
    send(f, "q", "b");
    run(f);
    assert_int_equal(numbers_of(f, "q").oldest_ms, 10 * SECOND);
    assert_int_equal(f->wake_after_ms, 50 * SECOND);
    advance(f, 50 * SECOND);
    assert_numbers(f, "q", 1, 0, 0);
    assert_int_equal(numbers_of(f, "q").oldest_ms, 50 * SECOND);
    assert_string_equal(take(f, "q", 10), "b");
    advance(f, 10 * SECOND);
    assert_numbers(f, "q", 0, 0, 0);
    assert_true(f->wake_never);
}

/* What is due once it is stopped is left: who asked to be woken at once for it would never rest. */
static void a_stopped_queue_asks_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "old");
    run(f);
    weir_queues_stop(f->queues);
    weir_clock_virtual_advance(&f->clock, queue.retention_ms);
    struct weir_err err;
    must(weir_queues_run(f->queues, &err), &err);
    assert_true(f->wake_never);
}

static void what_fails_too_often_is_moved_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct weir_queue dead = define("dead");
    struct weir_queue queue = define("q");
    queue.dead_letters = WEIR_STR("dead");
    queue.max_receives = 2;
    create(f, &dead);
    create(f, &queue);
    struct weir_str id = { 0 };
    uint64_t sequence = 0;
    struct sending what = { .body = "poison" };
    assert_int_equal(send_as(f, "q", &what, &id, &sequence), WEIR_OK);
    send(f, "q", "fine");
    for (int i = 0; i < 2; i++) {
        assert_string_equal(take(f, "q", 1), "poison");
        advance(f, 30 * SECOND);
    }
    assert_string_equal(take(f, "q", 2), "fine");
    assert_numbers(f, "q", 0, 1, 0);
    struct receiving letter;
    receive_now(f, "dead", &letter, 10);
    assert_string_equal(bodies(f, &letter), "poison");
    assert_true(weir_str_eq(letter.receive.messages[0].id, id));
    assert_true(weir_str_eq(
            letter.receive.messages[0].source, WEIR_STR("arn:aws:sqs:us-east-1:000000000000:q")));
    assert_int_equal(letter.receive.messages[0].sent.ms, 1700000000000);
    weir_receive_fini(&letter.receive);
}

static void without_its_dead_letter_queue_a_message_stays(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    queue.dead_letters = WEIR_STR("none");
    queue.max_receives = 1;
    create(f, &queue);
    send(f, "q", "a");
    for (int i = 0; i < 3; i++) {
        assert_string_equal(take(f, "q", 1), "a");
        advance(f, 30 * SECOND);
    }
}

/* --- delivered, and hidden with the next commit ------------------------------------------- */

/* Receive a message, with no commit that somebody waits for. */
static void receive_uncommitted(struct fixture *f, const char *name, struct receiving *receiving)
{
    struct weir_err err;
    receive_begin(f, name, receiving, 1, 0);
    must(weir_queues_run(f->queues, &err), &err);
    assert_true(receiving->ended);
    assert_int_equal(receiving->receive.count, 1);
}

static void a_power_cut_may_undo_a_receive_but_not_its_delete(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_uncommitted(f, "q", &first);
    cut_power_now(f);
    run(f);
    assert_numbers(f, "q", 1, 0, 0);
    struct receiving second;
    receive_uncommitted(f, "q", &second);
    assert_int_equal(second.receive.messages[0].receives, 1);
    weir_receive_fini(&second.receive);
    cut_power_now(f);
    run(f);
    assert_int_equal(settle(f, "q", first.receive.messages[0].receipt, -1), WEIR_OK);
    assert_numbers(f, "q", 0, 0, 0);
    weir_receive_fini(&first.receive);
}

static void what_is_delivered_is_durably_hidden_soon(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    struct weir_err err;
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_uncommitted(f, "q", &first);
    weir_receive_fini(&first.receive);
    assert_false(f->wake_never);
    assert_in_range(f->wake_after_ms, 0, 10);
    int before = f->changes;
    weir_clock_virtual_advance(&f->clock, 10);
    must(weir_queues_run(f->queues, &err), &err);
    AWAIT(f->changes != before, "nothing was committed")
    {
        sched_yield(); /* the commit thread is at it */
    }
    cut_power_now(f);
    run(f);
    assert_numbers(f, "q", 0, 1, 0);
}

static void what_somebody_does_before_it_is_hidden_holds(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_uncommitted(f, "q", &first);
    assert_int_equal(settle(f, "q", first.receive.messages[0].receipt, 0), WEIR_OK);
    assert_numbers(f, "q", 1, 0, 0);
    struct receiving second;
    receive_uncommitted(f, "q", &second);
    assert_int_equal(second.receive.messages[0].receives, 2);
    assert_int_equal(settle(f, "q", second.receive.messages[0].receipt, -1), WEIR_OK);
    assert_numbers(f, "q", 0, 0, 0);
    weir_receive_fini(&first.receive);
    weir_receive_fini(&second.receive);
}

/* Submit something that somebody waits for, while the disk fails. */
static void fail_a_commit(struct fixture *f)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_err err;
    weir_txn_put(txn, WEIR_SPACE_STATE, WEIR_STR("k"), WEIR_STR("v"));
    weir_simulated_disk_fail(f->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    assert_int_not_equal(commit(f, txn, &err), WEIR_OK);
    must(weir_queues_run(f->queues, &err), &err);
}

/* Receive, and wait until the commit thread lets it end. Of what was received, rc and count stay.
 */
static void receive_to_the_end(struct fixture *f, const char *name, struct receiving *receiving)
{
    struct weir_err err;
    receive_begin(f, name, receiving, 1, 0);
    AWAIT(receiving->ended, "the receive is under way")
    {
        must(weir_queues_run(f->queues, &err), &err);
        sched_yield();
    }
    weir_receive_fini(&receiving->receive);
}

static void what_could_not_be_hidden_is_hidden_before_it_is_delivered_again(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    struct receiving first;
    receive_uncommitted(f, "q", &first);
    weir_receive_fini(&first.receive);
    fail_a_commit(f);
    receive_to_the_end(f, "q", &first);
    AWAIT(first.receive.rc == WEIR_OK, first.receive.err.msg) /* until the disk is there again */
    {
        receive_to_the_end(f, "q", &first);
    }
    assert_int_equal(first.receive.count, 1);
    cut_power_now(f);
    run(f);
    assert_numbers(f, "q", 0, 1, 0);
}

static void of_a_fifo_queue_it_is_hidden_first(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q.fifo");
    create(f, &queue);
    send_group(f, "q.fifo", "a1", "a");
    struct receiving first;
    receive_now(f, "q.fifo", &first, 1);
    weir_receive_fini(&first.receive);
    cut_power_now(f);
    run(f);
    assert_numbers(f, "q.fifo", 0, 1, 0);
}

static void a_group_waits_for_what_is_hidden(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q.fifo");
    create(f, &queue);
    send_group(f, "q.fifo", "a1", "a");
    send_group(f, "q.fifo", "a2", "a");
    send_group(f, "q.fifo", "b1", "b");
    send_group(f, "q.fifo", "a3", "a");
    struct receiving first;
    receive_now(f, "q.fifo", &first, 2);
    assert_string_equal(bodies(f, &first), "a1 a2");
    assert_string_equal(take(f, "q.fifo", 10), "b1");
    assert_int_equal(settle(f, "q.fifo", first.receive.messages[0].receipt, -1), WEIR_OK);
    assert_string_equal(take(f, "q.fifo", 10), "");
    advance(f, 30 * SECOND);
    assert_int_equal(settle(f, "q.fifo", first.receive.messages[1].receipt, -1), WEIR_E_INVALID);
    assert_string_equal(take(f, "q.fifo", 10), "a2 a3 b1");
    weir_receive_fini(&first.receive);
}

static void duplicates_of_five_minutes_are_dropped(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q.fifo");
    queue.dedup_by_content = true;
    create(f, &queue);
    struct weir_str ids[3] = { 0 };
    uint64_t sequences[3] = { 0 };
    struct sending what = { .body = "a", .group = "g" };
    assert_int_equal(send_as(f, "q.fifo", &what, &ids[0], &sequences[0]), WEIR_OK);
    advance(f, 5 * 60 * SECOND - 1);
    cut_power(f);
    assert_int_equal(send_as(f, "q.fifo", &what, &ids[1], &sequences[1]), WEIR_OK);
    assert_true(weir_str_eq(ids[0], ids[1]));
    assert_int_equal(sequences[0], sequences[1]);
    advance(f, 1);
    assert_int_equal(send_as(f, "q.fifo", &what, &ids[2], &sequences[2]), WEIR_OK);
    assert_false(weir_str_eq(ids[0], ids[2]));
    assert_string_equal(take(f, "q.fifo", 10), "a a");
    what.dedup = "with spaces";
    assert_int_equal(send_as(f, "q.fifo", &what, &ids[2], &sequences[2]), WEIR_E_INVALID);
}

static void what_is_remembered_against_duplicates_goes(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q.fifo");
    create(f, &queue);
    const struct weir_queue *made = queue_of(f, "q.fifo");
    send_group(f, "q.fifo", "a", "g");
    run(f);
    for (int i = 0; i < 2; i++) {
        struct weir_cursor *cursor = weir_cursor_create(f->store, made->space);
        struct weir_str key;
        struct weir_entry entry;
        bool have = false;
        weir_cursor_seek(cursor, WEIR_STR("d"));
        assert_int_equal(weir_cursor_get(cursor, &key, &entry, &have, NULL), WEIR_OK);
        assert_true(have);
        assert_int_equal(key.p[0], i == 0 ? 'd' : 'm');
        weir_cursor_destroy(cursor);
        advance(f, 5 * 60 * SECOND);
    }
    weir_queue_unref(made);
}

static void a_transaction_sends_as_a_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    const struct weir_queue *made = queue_of(f, "q");
    for (int good = 0; good < 2; good++) {
        struct weir_txn *txn = weir_txn_create();
        struct weir_queue_send *sends = weir_arena_zero(&txn->arena, 2, sizeof(*sends));
        struct weir_entry seen;
        struct weir_err err;
        for (int i = 0; i < 2; i++) {
            sends[i].queue = made;
            sends[i].message.body = weir_str_z(i == 0 ? "a" : "b");
            must(weir_queue_send(f->queues, &sends[i], txn, &err), &err);
        }
        must(weir_txn_get(txn, f->store, 2000, WEIR_STR("k"), &seen, &err), &err);
        if (!good) {
            struct weir_txn *other = weir_txn_create();
            weir_txn_put(other, 2000, WEIR_STR("k"), WEIR_STR("v"));
            must(commit(f, other, &err), &err);
        }
        assert_int_equal(commit(f, txn, &err), good ? WEIR_OK : WEIR_E_CONFLICT);
        run(f);
        assert_numbers(f, "q", good ? 2 : 0, 0, 0);
    }
    weir_queue_unref(made);
}

static void definitions_are_kept_and_compared(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    queue.visibility_ms = 7 * SECOND;
    create(f, &queue);
    cut_power(f);
    const struct weir_queue *made = queue_of(f, "http://localhost/000000000000/q");
    assert_int_equal(made->visibility_ms, 7 * SECOND);
    assert_null(weir_queue_difference(made, &queue));
    queue.delay_ms = SECOND;
    assert_string_equal(weir_queue_difference(made, &queue), "DelaySeconds");
    weir_queue_unref(made);
    struct weir_txn *txn = weir_txn_create();
    struct weir_err err;
    weir_queues_create_queue(f->queues, txn, &queue);
    assert_int_equal(commit(f, txn, &err), WEIR_E_EXISTS);
    assert_string_equal(err.msg, "A queue already exists with the same name and a different value "
                                 "for attribute DelaySeconds");
    create(f, &queue); /* the file may change it */
    made = queue_of(f, "q");
    assert_int_equal(made->delay_ms, SECOND);
    weir_queue_unref(made);
    struct weir_queue wrong = define("no dots.");
    assert_int_equal(weir_queue_check(&wrong, NULL), WEIR_E_INVALID);
}

static void metrics_show_depth_and_age(void **state)
{
    struct fixture *f = *state;
    struct weir_queue queue = define("q");
    create(f, &queue);
    send(f, "q", "a");
    send(f, "q", "b");
    take(f, "q", 1);
    advance(f, 12 * SECOND);
    weir_queues_refresh(f->queues);
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_metrics_write(f->metrics, &buf);
    weir_buf_byte(&buf, '\0');
    assert_non_null(strstr(buf.p, "weir_queue_messages{queue=\"q\"} 1\n"));
    assert_non_null(strstr(buf.p, "weir_queue_messages_not_visible{queue=\"q\"} 1\n"));
    assert_non_null(strstr(buf.p, "weir_queue_oldest_message_seconds{queue=\"q\"} 12\n"));
    weir_buf_fini(&buf);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_received_message_is_hidden_until_its_time),
        TEST(an_old_receipt_deletes_nothing),
        TEST(messages_can_be_looked_at_and_deleted_without_receiving_them),
        TEST(json_is_made_fit_for_xml),
        TEST(the_time_can_be_changed),
        TEST(delayed_messages_show_later),
        TEST(receives_wait_in_their_order),
        TEST(a_deleted_queue_ends_its_receives),
        TEST(a_purge_takes_all_and_old_receipts_mean_nothing),
        TEST(old_messages_go),
        TEST(a_stopped_queue_asks_for_nothing),
        TEST(what_fails_too_often_is_moved_as_it_is),
        TEST(without_its_dead_letter_queue_a_message_stays),
        TEST(a_power_cut_may_undo_a_receive_but_not_its_delete),
        TEST(what_is_delivered_is_durably_hidden_soon),
        TEST(what_somebody_does_before_it_is_hidden_holds),
        TEST(what_could_not_be_hidden_is_hidden_before_it_is_delivered_again),
        TEST(of_a_fifo_queue_it_is_hidden_first),
        TEST(a_group_waits_for_what_is_hidden),
        TEST(duplicates_of_five_minutes_are_dropped),
        TEST(what_is_remembered_against_duplicates_goes),
        TEST(a_transaction_sends_as_a_whole_or_not_at_all),
        TEST(definitions_are_kept_and_compared),
        TEST(metrics_show_depth_and_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
