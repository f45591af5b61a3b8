/* The outbox on a virtual clock, with a kind that fails as it is told to. */
#include "outbox_fixture.h"

static void delivered_after_the_commit_only(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_intent what = intent("hello");
    struct weir_txn *txn = weir_txn_create();
    must(weir_outbox_add(f->outbox, txn, &what, &err), &err);
    run(f);
    assert_begun(f, "");
    must(weir_store_commit(f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    run(f);
    assert_begun(f, "hello ");
    assert_empty(f);
    advance(f, 3600 * 1000);
    assert_begun(f, "");
    assert_true(f->wake_never);
    assert_true(metric(f, "weir_outbox_delivered_total", "http://a") == 1);
}

/* Refuses its transaction. */
static enum weir_rc refuse(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)op;
    (void)view;
    return weir_fail(err, WEIR_E_CONDITION, "refused");
}

static void refused_transactions_deliver_nothing(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_intent what = intent("never");
    struct weir_op op = { .run = refuse };
    struct weir_txn *txn = weir_txn_create();
    must(weir_outbox_add(f->outbox, txn, &what, &err), &err);
    weir_txn_op(txn, &op);
    assert_int_equal(weir_store_commit(f->store, txn, &err), WEIR_E_CONDITION);
    weir_txn_destroy(txn);
    run(f);
    assert_begun(f, "");
    assert_empty(f);
}

struct adding {
    struct weir_op op;
    struct weir_outbox *outbox;
};

static enum weir_rc add_two(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct adding *adding = WEIR_CONTAINER(op, struct adding, op);
    struct weir_intent first = intent("one");
    struct weir_intent second = intent("two");
    enum weir_rc rc = weir_outbox_add_in(adding->outbox, view, &first, err);
    return rc == WEIR_OK ? weir_outbox_add_in(adding->outbox, view, &second, err) : rc;
}

static void operations_can_add(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_txn *txn = weir_txn_create();
    struct adding adding = { { .run = add_two }, f->outbox };
    weir_txn_op(txn, &adding.op);
    must(weir_store_commit(f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    run(f);
    assert_begun(f, "one two ");
    assert_empty(f);
}

static void limits_are_told(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_txn *txn = weir_txn_create();
    struct weir_intent what = intent("x");
    what.target = WEIR_STR("");
    assert_int_equal(weir_outbox_add(f->outbox, txn, &what, &err), WEIR_E_INVALID);
    what = intent("x");
    what.payload.n = WEIR_INTENT_PAYLOAD_MAX_BYTES + 1;
    assert_int_equal(weir_outbox_add(f->outbox, txn, &what, &err), WEIR_E_TOO_LARGE);
    assert_non_null(strstr(err.msg, "payload"));
    weir_txn_destroy(txn);
}

static void one_order_key_goes_one_by_one(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "k", "hold1");
    add_to(f, "http://a", "k", "hold2");
    add_to(f, "http://a", "", "free");
    add_to(f, "http://a", "other", "hold3");
    run(f);
    assert_begun(f, "hold1 free hold3 ");
    release_held(f);
    assert_begun(f, "hold2 ");
    release_held(f);
    assert_empty(f);
}

static void what_failed_holds_up_its_order_key_only(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "k", "fail2");
    add_to(f, "http://a", "k", "second");
    add_to(f, "http://a", "l", "other");
    run(f);
    assert_begun(f, "fail2 other ");
    advance(f, 1000);
    assert_begun(f, "fail2 ");
    advance(f, 1999);
    assert_begun(f, "");
    advance(f, 1);
    assert_begun(f, "fail2 second ");
    assert_empty(f);
}

static void a_lane_has_a_limit_in_flight(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        add_to(f, "http://a", "", "hold");
    }
    run(f);
    assert_int_equal(f->held_count, 4);
    while (f->held_count > 0) {
        release_held(f);
    }
    assert_int_equal(f->most_held, 4);
    assert_int_equal(f->begun_count, 10);
    assert_empty(f);
}

static void a_dead_target_stalls_nobody_else(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2000; i++) {
        add_to(f, "http://dead", "", "hold");
    }
    run(f);
    weir_buf_reset(&f->begun);
    add_to(f, "http://alive", "", "a");
    run(f);
    add_to(f, "http://alive", "", "b");
    run(f);
    assert_begun(f, "a b ");
    assert_true(metric(f, "weir_outbox_pending", "http://dead") == 2000);
    assert_true(metric(f, "weir_outbox_pending", "http://alive") == 0);
}

static void retries_are_counted_and_end_in_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "", "fail9");
    run(f);
    assert_begun(f, "fail9 ");
    assert_int_equal(f->wake_after_ms, 1000);
    advance(f, 999);
    assert_begun(f, "");
    advance(f, 1);
    assert_begun(f, "fail9 ");
    advance(f, 2000);
    assert_begun(f, "fail9 ");
    assert_string_equal(letter(f, f->last_id), "");
    advance(f, 4000);
    assert_begun(f, "fail9 ");
    assert_string_equal(letter(f, f->last_id), "fail9 after 4: attempt 4 failed");
    assert_empty(f);
    assert_log(f, "retry fake http://a: attempt 1 failed\n"
                  "retry fake http://a: attempt 2 failed\n"
                  "retry fake http://a: attempt 3 failed\n"
                  "given_up fake http://a: attempt 4 failed\n");
    assert_true(metric(f, "weir_outbox_retries_total", NULL) == 3);
    assert_true(metric(f, "weir_outbox_failed_total", NULL) == 1);
    assert_true(metric(f, "weir_outbox_delivered_total", NULL) == 0);
}

static void pauses_that_double_have_jitter_and_a_bound(void **state)
{
    struct fixture *f = *state;
    struct weir_intent what = intent("fail9");
    what.retry.retries = UINT64_MAX;
    what.retry.backoff = (struct weir_backoff){ { 1000 }, 1, 8000 };
    add(f, &what);
    run(f);
    static const uint64_t most[] = { 1000, 2000, 4000, 8000, 8000, 8000 };
    for (size_t i = 0; i < WEIR_COUNT(most); i++) {
        assert_in_range(f->wake_after_ms, most[i] / 2, most[i]);
        advance(f, f->wake_after_ms);
        assert_int_equal(f->begun_count, i + 2);
    }
}

static void final_failures_are_given_up_at_once(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "k", "final");
    add_to(f, "http://a", "k", "next");
    run(f);
    assert_begun(f, "final next ");
    assert_log(f, "given_up fake http://a: no good\n");
    assert_empty(f);
}

static void blocked_waits_and_uses_no_retries(void **state)
{
    struct fixture *f = *state;
    f->down = true;
    for (int i = 0; i < 20; i++) {
        add_to(f, "http://a", "", "x");
    }
    run(f);
    assert_int_equal(f->begun_count, 4);
    assert_true(metric(f, "weir_outbox_blocked", "http://a") == 1);
    assert_non_null(strstr(status(f), "\"state\":\"blocked\""));
    assert_non_null(strstr(status(f), "nobody is there"));
    for (int i = 1; i <= 30; i++) {
        assert_in_range(f->wake_after_ms, 500, 60 * 1000);
        advance(f, f->wake_after_ms);
        assert_int_equal(f->begun_count, 4 + i); /* one at a time to see */
    }
    assert_in_range(f->wake_after_ms, 30 * 1000, 60 * 1000);
    f->down = false;
    advance(f, f->wake_after_ms);
    assert_int_equal(f->begun_count, 34 + 20);
    assert_empty(f);
    assert_true(metric(f, "weir_outbox_blocked", "http://a") == 0);
    assert_log(f, "blocked fake http://a: nobody is there\nunblocked fake http://a: \n");
}

static void targets_may_ask_for_a_pause(void **state)
{
    struct fixture *f = *state;
    f->down = true;
    f->retry_after_ms = 120 * 1000;
    add_to(f, "http://a", "", "x");
    run(f);
    assert_int_equal(f->wake_after_ms, 120 * 1000);
    f->retry_after_ms = 1000ull * 3600 * 1000;
    advance(f, 120 * 1000);
    assert_int_equal(f->wake_after_ms, 3600 * 1000); /* believed up to a bound */
    f->down = false;
    f->retry_after_ms = 5000;
    add_to(f, "http://b", "", "fail1");
    run(f);
    assert_int_equal(f->wake_after_ms, 5000);
}

static void what_is_too_old_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct weir_intent what = intent("x");
    what.retry.max_age_ms = 90 * 1000;
    f->down = true;
    add(f, &what);
    run(f);
    struct weir_str id = f->last_id;
    for (int i = 0; i < 89; i++) {
        advance(f, 1000);
    }
    assert_string_equal(letter(f, id), "");
    advance(f, 1000);
    assert_string_equal(letter(f, id), "x after 0: nobody is there (too old)");
    assert_empty(f);

    /* The age ends a pause that would be longer. */
    f->down = false;
    what.payload = WEIR_STR("fail9");
    what.retry.backoff = (struct weir_backoff){ { 3600 * 1000 }, 1, 0 };
    add(f, &what);
    run(f);
    id = f->last_id;
    assert_int_equal(f->wake_after_ms, 90 * 1000);
    advance(f, 90 * 1000);
    assert_string_equal(letter(f, id), "fail9 after 1: attempt 1 failed (too old)");
    assert_empty(f);
}

static void attempts_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "", "fail9");
    run(f);
    advance(f, 1000);
    assert_begun(f, "fail9 fail9 ");
    weir_clock_virtual_advance(&f->clock, 500);
    cut_power(f);
    assert_true(metric(f, "weir_outbox_pending", NULL) == 1); /* before anything ran */
    run(f);
    assert_begun(f, "");
    assert_int_equal(f->wake_after_ms, 1500); /* what is left of two seconds */
    assert_non_null(strstr(status(f), "\"state\":\"retrying\",\"next_ms\":1500,"
                                      "\"reason\":\"attempt 2 failed\""));
    advance(f, 1500);
    advance(f, 4000);
    assert_begun(f, "fail9 fail9 ");
    assert_string_equal(letter(f, f->last_id), "fail9 after 4: attempt 4 failed");
    assert_empty(f);
}

static void a_clock_that_moved_does_not_stretch_pauses(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "", "fail1");
    run(f);
    close_all(f);
    f->clock.wall_ms -= 24ll * 3600 * 1000;
    open_all(f);
    run(f);
    assert_int_equal(f->wake_after_ms, 1000);
    advance(f, 1000);
    assert_begun(f, "fail1 fail1 ");
}

/* The effect took place, but the process died before the intent was removed. */
static void what_was_not_removed_is_delivered_again_with_its_id(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "k", "hold1");
    add_to(f, "http://a", "k", "hold2");
    run(f);
    struct weir_str id = f->last_id;
    assert_true(id.n > 0);
    cut_power(f);
    run(f);
    assert_begun(f, "hold1 hold1 ");
    assert_true(weir_str_eq(id, f->last_id));
    release_held(f);
    assert_false(weir_str_eq(id, f->last_id));
    release_held(f);
    assert_empty(f);
    cut_power(f); /* what was removed is durably removed */
    run(f);
    assert_begun(f, "hold2 ");
}

static void ids_that_are_given_stay(void **state)
{
    struct fixture *f = *state;
    struct weir_intent what = intent("hold");
    what.id = WEIR_STR("my-id");
    add(f, &what);
    run(f);
    assert_true(weir_str_eq(f->last_id, WEIR_STR("my-id")));
}

static void a_dead_letter_without_a_place_waits(void **state)
{
    struct fixture *f = *state;
    f->no_letters = true;
    add_to(f, "http://a", "", "final");
    add_to(f, "http://a", "", "good");
    run(f);
    assert_begun(f, "final good ");
    assert_non_null(strstr(status(f), "there is no letters"));
    assert_true(metric(f, "weir_outbox_blocked", "http://a") == 1);
    for (int i = 0; i < 5; i++) {
        advance(f, 1000);
    }
    f->no_letters = false;
    advance(f, 1000);
    assert_begun(f, ""); /* it was not tried again */
    assert_empty(f);

    struct weir_intent what = intent("final");
    what.dead_letter = WEIR_STR("");
    f->no_letters = true; /* nobody asks for one */
    add(f, &what);
    run(f);
    assert_empty(f);
}

/* While nothing can be stored, what was delivered is not delivered again. */
static void a_disk_that_fails_repeats_nothing(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "", "hold");
    run(f);
    assert_int_equal(f->held_count, 1);
    weir_simulated_disk_fail(f->disk, WEIR_DISK_SYNC, 1, WEIR_E_IO);
    struct weir_delivery *delivery = f->held[--f->held_count];
    weir_delivery_done(delivery, WEIR_FAILURE_NONE, NULL, 0);
    struct weir_err err;
    must(weir_outbox_run(f->outbox, &err), &err);
    struct weir_txn *txn = weir_txn_create();
    (void)!weir_store_commit(f->store, txn, &err); /* it may share the other one's fate */
    weir_txn_destroy(txn);
    run(f);
    assert_string_not_equal(status(f), "[]");
    advance(f, 1000);
    assert_empty(f);
    assert_int_equal(f->begun_count, 1);
    assert_true(metric(f, "weir_outbox_delivered_total", NULL) == 1);
}

static void delete_intents(struct fixture *f)
{
    struct weir_err err;
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    must(weir_txn_delete_all(txn, f->store, WEIR_SPACE_INTENT, WEIR_STR(""), &err), &err);
    must(weir_store_commit(f->store, txn, &err), &err);
}

/* As when the transaction that removed it seemed to have failed: it counts, whatever came of it. */
static void an_intent_that_is_gone_is_settled(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "k", "hold");
    run(f);
    assert_int_equal(f->held_count, 1);
    delete_intents(f);
    add_to(f, "http://a", "k", "next");
    run(f);
    assert_int_equal(f->begun_count, 1);
    weir_delivery_done(f->held[--f->held_count], WEIR_FAILURE_NONE, NULL, 0);
    run(f);
    assert_int_equal(f->begun_count, 2); /* what waited behind it goes on */
    assert_true(metric(f, "weir_outbox_delivered_total", NULL) == 2);
    assert_string_equal(status(f), "[]");
}

/* Each key's numbers must come in order; keys are the letters before the numbers. */
static void assert_each_key_in_order(struct fixture *f, size_t keys, size_t each)
{
    size_t *next = weir_alloc_zero(keys, sizeof(*next));
    weir_buf_byte(&f->begun, '\0');
    char *at = f->begun.p;
    for (size_t i = 0; i < keys * each; i++) {
        assert_int_equal(*at, 'k');
        size_t key = strtoul(at + 1, &at, 10);
        assert_int_equal(*at, '.');
        size_t number = strtoul(at + 1, &at, 10);
        assert_true(key < keys);
        assert_int_equal(number, next[key]);
        next[key]++;
        assert_int_equal(*at, ' ');
        at++;
    }
    assert_int_equal(*at, '\0');
    weir_buf_reset(&f->begun);
    weir_free(next);
}

static void add_many(struct fixture *f, size_t keys, size_t each)
{
    for (size_t number = 0; number < each; number++) {
        struct weir_err err;
        struct weir_txn *txn = weir_txn_create();
        for (size_t key = 0; key < keys; key++) {
            char payload[32];
            char order[32];
            snprintf(payload, sizeof(payload), "k%zu.%zu", key, number);
            snprintf(order, sizeof(order), "%zu", key);
            struct weir_intent what = intent(payload);
            what.order = weir_str_z(order);
            must(weir_outbox_add(f->outbox, txn, &what, &err), &err);
        }
        must(weir_store_commit(f->store, txn, &err), &err);
        weir_txn_destroy(txn);
    }
}

static void ten_thousand_of_many_keys(void **state)
{
    struct fixture *f = *state;
    use_kind(f, 16, 10);
    add_many(f, 50, 200);
    assert_true(metric(f, "weir_outbox_pending", NULL) == 0); /* not looked at yet */
    run(f);
    assert_each_key_in_order(f, 50, 200);
    assert_empty(f);
}

static void ten_thousand_of_one_key(void **state)
{
    struct fixture *f = *state;
    add_many(f, 1, 10000);
    add_to(f, "http://a", "another", "hold");
    weir_buf_reset(&f->begun);
    struct weir_err err;
    must(weir_outbox_run(f->outbox, &err), &err);
    must(weir_outbox_run(f->outbox, &err), &err);
    assert_true(metric(f, "weir_outbox_pending", NULL) >= 10000);
    for (int i = 0; i < 10 && f->held_count == 0; i++) {
        must(weir_outbox_run(f->outbox, &err), &err);
    }
    assert_int_equal(f->held_count, 1); /* it was found behind all the others */
    assert_true(f->begun_count < 100);
    release_held(f);
    assert_int_equal(f->begun_count, 10001);
    assert_empty(f);
}

static void a_restart_amid_ten_thousand(void **state)
{
    struct fixture *f = *state;
    add_many(f, 10, 1000);
    struct weir_err err;
    for (int i = 0; i < 200; i++) {
        must(weir_outbox_run(f->outbox, &err), &err);
    }
    cut_power(f);
    weir_buf_reset(&f->begun);
    size_t before = f->begun_count;
    run(f);
    assert_in_range(f->begun_count - before, 1, 10000);
    assert_empty(f);
}

/* A batch begins together, and has nothing twice of an order key. */
static void kinds_may_take_batches(void **state)
{
    struct fixture *f = *state;
    use_kind(f, 1, 10);
    for (int i = 0; i < 15; i++) {
        add_to(f, "http://a", i < 3 ? "k" : "", "hold");
    }
    run(f);
    assert_int_equal(f->held_count, 10);
    assert_int_equal(f->begins, 1);
    weir_delivery_done(f->held[--f->held_count], WEIR_FAILURE_NONE, NULL, 0);
    run(f);
    assert_int_equal(f->begins, 1); /* the batch is in flight until all of it has ended */
    release_held(f);
    assert_int_equal(f->begins, 2);
    assert_int_equal(f->held_count, 3); /* that had no room; of k, the first is not removed yet */
    release_held(f);
    assert_int_equal(f->held_count, 1);
    release_held(f);
    assert_int_equal(f->held_count, 1);
    release_held(f);
    assert_empty(f);
}

static void note_stopped(void *arg)
{
    struct fixture *f = arg;
    f->stopped = true;
}

static void stopping_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    add_to(f, "http://a", "", "hold");
    run(f);
    weir_outbox_stop(f->outbox, note_stopped, f);
    add_to(f, "http://a", "", "later");
    run(f);
    assert_false(f->stopped);
    release_held(f);
    assert_true(f->stopped);
    assert_begun(f, "hold ");
    cut_power(f);
    run(f);
    assert_begun(f, "later ");
    assert_empty(f);
}

static void unknown_kinds_wait_and_say_so(void **state)
{
    struct fixture *f = *state;
    struct weir_intent what = intent("x");
    what.kind = WEIR_INTENT_FUNCTION;
    what.retry.max_age_ms = 60 * 1000;
    add(f, &what);
    run(f);
    assert_non_null(strstr(status(f), "does not deliver"));
    advance(f, 60 * 1000);
    assert_empty(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(delivered_after_the_commit_only),
        TEST(refused_transactions_deliver_nothing),
        TEST(operations_can_add),
        TEST(limits_are_told),
        TEST(one_order_key_goes_one_by_one),
        TEST(what_failed_holds_up_its_order_key_only),
        TEST(a_lane_has_a_limit_in_flight),
        TEST(a_dead_target_stalls_nobody_else),
        TEST(retries_are_counted_and_end_in_a_dead_letter),
        TEST(pauses_that_double_have_jitter_and_a_bound),
        TEST(final_failures_are_given_up_at_once),
        TEST(blocked_waits_and_uses_no_retries),
        TEST(targets_may_ask_for_a_pause),
        TEST(what_is_too_old_is_given_up),
        TEST(attempts_survive_a_restart),
        TEST(a_clock_that_moved_does_not_stretch_pauses),
        TEST(what_was_not_removed_is_delivered_again_with_its_id),
        TEST(ids_that_are_given_stay),
        TEST(a_dead_letter_without_a_place_waits),
        TEST(a_disk_that_fails_repeats_nothing),
        TEST(an_intent_that_is_gone_is_settled),
        TEST(ten_thousand_of_many_keys),
        TEST(ten_thousand_of_one_key),
        TEST(a_restart_amid_ten_thousand),
        TEST(kinds_may_take_batches),
        TEST(stopping_waits_for_what_is_under_way),
        TEST(unknown_kinds_wait_and_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
