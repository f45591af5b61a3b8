/* A queue as a pipeline's source: each message once, what fails stays, groups stay in order. */
#include "pipeline_fixture.h"

static void send_to(struct bench *b, const char *name, const char *body, const char *group)
{
    struct weir_err err;
    const struct weir_queue *queue = NULL;
    must(weir_queues_get(b->queues, weir_str_z(name), &queue, &err), &err);
    struct weir_txn *txn = weir_txn_create();
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    send->queue = queue;
    send->message.body = weir_str_z(body);
    send->message.group = weir_str_z(group);
    send->message.dedup = weir_str_z(group[0] != '\0' ? body : "");
    send->strict = true;
    must(weir_queue_send(b->queues, send, txn, &err), &err);
    must(weir_store_commit(b->f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    weir_queue_unref(queue);
}

static void a_message_is_processed_and_deleted(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "when: message.json.n > 1\n"
            "steps:\n"
            "  - send: { queue: out, body: \"${message.json.n} ${message.receives}\" }\n");
    send_to(b, "in", "{\"n\":1}", "");
    send_to(b, "in", "{\"n\":7}", "");
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "out"), "7 1\n");
    assert_string_equal(bodies(b, "in"), "");
    assert_int_equal(status_sum(b, "filtered"), 1);
    pass(b, 60 * 1000); /* receiving goes on after a wait with nothing */
    send_to(b, "in", "{\"n\":8}", "");
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "out"), "7 1\n8 1\n");
}

static void a_message_that_fails_comes_back_until_the_queue_has_enough(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("dead")));
    struct weir_queue in = weir_queue_defaults(WEIR_STR("in"));
    in.dead_letters = WEIR_STR("dead");
    in.max_receives = 2;
    make_queue(b, in);
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "steps:\n"
            "  - send: { queue: out, body: \"${message.json.n}\" }\n");
    send_to(b, "in", "bad", "");
    send_to(b, "in", "{\"n\":7}", "");
    settle(b);
    assert_string_equal(bodies(b, "out"), "7\n");
    assert_string_equal(bodies(b, "in"), "bad\n");
    pass(b, 31 * 1000);
    assert_int_equal(status_sum(b, "errors"), 2);
    pass(b, 31 * 1000);
    assert_string_equal(bodies(b, "in"), "");
    assert_string_equal(bodies(b, "dead"), "bad\n");
    assert_string_equal(bodies(b, "out"), "7\n");
}

static void a_failed_message_holds_its_group_back(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("in.fifo")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in.fifo }\n"
            "steps:\n"
            "  - require: [\"message.body != 'g1' || message.receives > 1\"]\n"
            "  - send: { queue: out, body: \"${message.body}\" }\n");
    send_to(b, "in.fifo", "g1", "g");
    send_to(b, "in.fifo", "g2", "g");
    send_to(b, "in.fifo", "h1", "h");
    settle(b);
    assert_string_equal(bodies(b, "out"), "h1\n");
    assert_string_equal(bodies(b, "in.fifo"), "g1\ng2\n");
    pass(b, 31 * 1000);
    assert_string_equal(bodies(b, "out"), "h1\ng1\ng2\n");
    assert_string_equal(bodies(b, "in.fifo"), "");
}

static void a_queue_may_come_go_and_come_again(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "steps:\n"
            "  - send: { queue: out, body: \"${message.body}\" }\n");
    settle(b);
    assert_true(status_has(b, "\"state\":\"waiting for source\""));
    for (int i = 0; i < 2; i++) {
        make_queue(b, weir_queue_defaults(WEIR_STR("in")));
        send_to(b, "in", i == 0 ? "a" : "b", "");
        run_until(b, all_is_done);
        struct weir_txn *txn = weir_txn_create();
        weir_queues_delete_queue(b->queues, txn, WEIR_STR("in"));
        must(weir_store_commit(b->f->store, txn, &err), &err);
        weir_txn_destroy(txn);
        settle(b);
        assert_true(status_has(b, "\"state\":\"waiting for source\""));
    }
    assert_string_equal(bodies(b, "out"), "a\nb\n");
}

#define STEPPED(test) cmocka_unit_test_setup_teardown(test, set_up_stepped, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        STEPPED(a_message_is_processed_and_deleted),
        STEPPED(a_message_that_fails_comes_back_until_the_queue_has_enough),
        STEPPED(a_failed_message_holds_its_group_back),
        STEPPED(a_queue_may_come_go_and_come_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
