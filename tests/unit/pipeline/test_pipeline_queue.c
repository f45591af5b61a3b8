/* A queue as a pipeline's source: each message once, what fails stays, groups stay in order. */
#include "pipeline_fixture.h"

static void send_with(struct bench *b, const char *name, const char *body, const char *group,
        struct weir_message_attribute *attributes, size_t count)
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
    send->message.attributes = attributes;
    send->message.attribute_count = count;
    send->strict = true;
    must(weir_queue_send(b->queues, send, txn, &err), &err);
    must(weir_store_commit(b->f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    weir_queue_unref(queue);
}

static void send_to(struct bench *b, const char *name, const char *body, const char *group)
{
    send_with(b, name, body, group, NULL, 0);
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

static void attributes_have_the_kinds_of_their_types(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "steps:\n"
            "  - send:\n"
            "      queue: out\n"
            "      body: \"${string(message.attributes.count + 1)} "
            "${string(message.attributes.bytes == b'\\\\x00\\\\xff')} "
            "${message.attributes.text + '!'} ${message.attributes.odd}\"\n");
    struct weir_message_attribute attributes[] = {
        { WEIR_STR("bytes"), WEIR_STR("Binary"), weir_str("\0\xff", 2) },
        { WEIR_STR("count"), WEIR_STR("Number.int"), WEIR_STR("41") },
        { WEIR_STR("odd"), WEIR_STR("Number"), WEIR_STR("no number") },
        { WEIR_STR("text"), WEIR_STR("String"), WEIR_STR("12") },
    };
    send_with(b, "in", "x", "", attributes, WEIR_COUNT(attributes));
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "out"), "42 true 12! no number\n");
}

/* A batch waits for its window, and meanwhile somebody empties the queue. */
static void what_is_purged_in_hand_is_not_processed(void **state)
{
    struct bench *b = *state;
    struct weir_err err;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in, window: 5s }\n"
            "steps:\n"
            "  - send: { queue: out, body: \"${message.body}\" }\n");
    send_to(b, "in", "gone", "");
    settle(b);
    assert_int_equal(status_sum(b, "waiting"), 1);
    struct weir_txn *txn = weir_txn_create();
    weir_queues_purge(b->queues, txn, WEIR_STR("in"));
    must(weir_store_commit(b->f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    settle(b);
    send_to(b, "in", "stays", "");
    pass(b, 5 * 1000);
    assert_string_equal(bodies(b, "out"), "stays\n");
    assert_string_equal(bodies(b, "in"), "");
}

/* The pipeline still receives from the queue when it is purged and sent to. */
static void check_send_behind_purge(struct bench *b, const char *name, const char *group)
{
    struct weir_err err;
    add_pipeline(b, name,
            weir_arena_printf(&arena,
                    "source: { queue: %s, window: 5s }\n"
                    "steps:\n"
                    "  - send: { queue: out, body: \"${message.body}\" }\n",
                    name)
                    .p);
    send_to(b, name, "gone", group);
    settle(b);
    struct weir_txn *txn = weir_txn_create();
    weir_queues_purge(b->queues, txn, weir_str_z(name));
    must(weir_store_commit(b->f->store, txn, &err), &err);
    weir_txn_destroy(txn);
    send_to(b, name, "stays", group); /* before anybody has heard of the purge */
    pass(b, 6 * 1000);
    assert_string_equal(bodies(b, name), "");
}

static void what_comes_right_behind_a_purge_is_processed_at_once(void **state)
{
    struct bench *b = *state;
    struct weir_queue fifo = weir_queue_defaults(WEIR_STR("in.fifo"));
    fifo.fifo = true;
    fifo.dedup_by_content = true;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, fifo);
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    check_send_behind_purge(b, "in", "");
    check_send_behind_purge(b, "in.fifo", "g");
    assert_string_equal(bodies(b, "out"), "stays\nstays\n");
}

static void a_changed_visibility_is_used_from_then_on(void **state)
{
    struct bench *b = *state;
    struct weir_queue in = weir_queue_defaults(WEIR_STR("in"));
    in.from_file = true;
    make_queue(b, in);
    add_pipeline(b, "work", "source: { queue: in }\nsteps: [require: [\"message.json.n > 1\"]]\n");
    settle(b);
    in.visibility_ms = 5 * 1000;
    make_queue(b, in);
    pass(b, 60 * 1000); /* the receive that was under way is over */
    send_to(b, "in", "{\"n\":1}", "");
    pass(b, 1000);
    assert_int_equal(status_sum(b, "errors"), 1);
    pass(b, 5 * 1000);
    assert_int_equal(status_sum(b, "errors"), 2);
}

static void what_waits_in_the_queue_is_the_lag(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    for (int i = 0; i < 3; i++) {
        send_to(b, "in", "x", "");
        pass(b, 1000);
    }
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "steps:\n"
            "  - send: { queue: out, body: x }\n");
    assert_int_equal(status_sum(b, "records_behind"), 3);
    assert_int_equal(status_sum(b, "oldest_unprocessed_ms"), 3000);
    settle(b);
    assert_int_equal(status_sum(b, "records_behind"), 0);
}

static void what_the_filter_does_not_match_is_deleted(void **state)
{
    struct bench *b = *state;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    make_queue(b, weir_queue_defaults(WEIR_STR("out")));
    add_pipeline(b, "work",
            "source: { queue: in }\n"
            "filter:\n"
            "  - { body: { kind: [order], n: [{ numeric: ['>', 1] }] } }\n"
            "  - { body: [{ prefix: plain }] }\n"
            "  - { body: { kind: [{ exists: false }], list: [3] } }\n"
            "steps:\n"
            "  - send: { queue: out, body: \"${message.body}\" }\n");
    const char *const sent[] = {
        "{\"kind\":\"order\",\"n\":2}", "{\"kind\":\"order\",\"n\":1}", "plain", "{\"plain\":1}",
        " {\"list\":[1,3]} ", "{\"kind\":\"order\",\"n\":2}}", /* no JSON: a text */
        "\"plain\"", /* likewise: neither an object nor an array */
    };
    for (size_t i = 0; i < WEIR_COUNT(sent); i++) {
        send_to(b, "in", sent[i], "");
    }
    run_until(b, all_is_done);
    assert_string_equal(
            bodies(b, "out"), "{\"kind\":\"order\",\"n\":2}\nplain\n {\"list\":[1,3]} \n");
    assert_string_equal(bodies(b, "in"), "");
    assert_int_equal(status_sum(b, "filtered"), 4);
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

static void assert_numbers(struct bench *b, const char *name, uint64_t visible, uint64_t hidden)
{
    struct weir_err err;
    const struct weir_queue *queue = NULL;
    struct weir_queue_numbers numbers;
    must(weir_queues_get(b->queues, weir_str_z(name), &queue, &err), &err);
    must(weir_queues_numbers(b->queues, queue, &numbers, &err), &err);
    assert_int_equal(numbers.visible, visible);
    assert_int_equal(numbers.hidden, hidden);
    weir_queue_unref(queue);
}

static void note_removed(void *arg)
{
    *(bool *)arg = true;
}

/* No time passes in this test: nothing waits for a visibility time-out. */
static void what_is_in_hand_at_the_end_is_shown_at_once(void **state)
{
    static const char yaml[] =
            "source: { queue: in, batch: 2, concurrency: 2 }\n"
            "steps:\n"
            "  - put: { table: out, item: { id: '${message.body}', n: '${message.receives}' } }\n";
    static const char *const names[] = { "a", "b", "c", "d", "e" };
    struct bench *b = *state;
    struct weir_err err;
    bool removed = false;
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    add_pipeline(b, "work", yaml);
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        send_to(b, "in", names[i], "");
    }
    settle(b);
    assert_true(something_blocks(b)); /* its table is missing */
    assert_numbers(b, "in", 1, 4);
    restart(b);
    assert_numbers(b, "in", 5, 0);
    add_pipeline(b, "work", yaml);
    settle(b);
    assert_numbers(b, "in", 1, 4);
    must(weir_pipelines_remove(b->pipelines, WEIR_STR("work"), note_removed, &removed, &err), &err);
    settle(b);
    assert_true(removed);
    assert_numbers(b, "in", 5, 0);
    make_table(b, "out");
    add_pipeline(b, "work", yaml);
    settle(b);
    assert_numbers(b, "in", 0, 0);
    assert_int_equal(count_items(b, "out"), WEIR_COUNT(names));
    unsigned long receives = 0;
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        const char *n = strstr(get_id(b, "out", names[i]), "'n':{'N':'");
        assert_non_null(n);
        receives += strtoul(n + strlen("'n':{'N':'"), NULL, 10);
    }
    assert_int_equal(receives, 4 + 4 + 5); /* each time in hand is one */
}

static void circles_through_a_queue_come_to_an_end(void **state)
{
    struct bench *b = *state;
    struct weir_queue in = weir_queue_defaults(WEIR_STR("in"));
    in.dead_letters = WEIR_STR("dead");
    in.max_receives = 1;
    make_queue(b, weir_queue_defaults(WEIR_STR("dead")));
    make_queue(b, in);
    make_table(b, "orders");
    add_pipeline(b, "forth",
            "source: { table: orders }\n"
            "steps: [send: { queue: in, body: { n: \"${new.n + 1}\" } }]\n");
    add_pipeline(b, "back",
            "source: { queue: in }\n"
            "steps: [put: { table: orders, item: { id: a, n: \"${message.json.n}\" } }]\n");
    send_to(b, "in", "{\"n\":0}", "");
    settle(b);
    pass(b, 31 * 1000); /* the one that failed is received once more, and so moved away */
    assert_string_equal(bodies(b, "dead"), "{\"n\":8}\n"); /* through 16 pipelines */
    assert_string_equal(get_id(b, "orders", "a"), "{'id':{'S':'a'},'n':{'N':'7'}}");
    assert_int_equal(status_sum(b, "errors"), 1);
}

/* The first thing that is wrong with a pipeline. */
static const char *complaint(struct bench *b, const char *yaml)
{
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    weir_diagnostics_init(&diagnostics, "work");
    must(weir_conf_parse(&arena, weir_str_z(yaml), &diagnostics, &root, &err), &err);
    struct weir_conf name = { .kind = WEIR_CONF_SCALAR, .text = WEIR_STR("work") };
    struct weir_scope scope = {
        .diagnostics = &diagnostics,
        .find_table = find_table,
        .find_queue = find_queue,
        .arg = b,
    };
    weir_pipeline_model_destroy(
            weir_pipeline_model_create(&name, root, weir_step_kinds_all(), &scope));
    assert_true(diagnostics.errors > 0);
    const char *text = weir_arena_str(&arena, weir_str_z(diagnostics.all[0].text)).p;
    weir_diagnostics_fini(&diagnostics);
    return text;
}

static void what_is_for_tables_is_refused(void **state)
{
    struct bench *b = *state;
    const struct {
        const char *yaml;
        const char *why;
    } cases[] = {
        { "source: { queue: in, table: t }\nsteps: [log: x]\n", "either a queue or tables" },
        { "source: { queue: in, start: latest }\nsteps: [log: x]\n", "start is for tables" },
        { "source: { queue: in }\nfilter: { item: { new: { n: [1] } } }\nsteps: [log: x]\n",
                "patterns on items are for records of tables" },
        { "source: { queue: in }\non_failure: { queue: in }\nsteps: [log: x]\n",
                "on_failure is for records of tables" },
        { "source: { queue: in }\nretry: { max_age: 1m }\nsteps: [log: x]\n",
                "max_age is for records of tables" },
        { "source: { queue: in }\nwhen: new.n > 1\nsteps: [log: x]\n",
                "'new' is not known here: the source is a queue" },
    };
    make_queue(b, weir_queue_defaults(WEIR_STR("in")));
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        const char *text = complaint(b, cases[i].yaml);
        if (strstr(text, cases[i].why) == NULL) {
            fail_msg("%s: %s", cases[i].yaml, text);
        }
    }
}

#define STEPPED(test) cmocka_unit_test_setup_teardown(test, set_up_stepped, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        STEPPED(a_message_is_processed_and_deleted),
        STEPPED(what_the_filter_does_not_match_is_deleted),
        STEPPED(a_message_that_fails_comes_back_until_the_queue_has_enough),
        STEPPED(a_failed_message_holds_its_group_back),
        STEPPED(attributes_have_the_kinds_of_their_types),
        STEPPED(what_is_purged_in_hand_is_not_processed),
        STEPPED(what_comes_right_behind_a_purge_is_processed_at_once),
        STEPPED(a_changed_visibility_is_used_from_then_on),
        STEPPED(what_waits_in_the_queue_is_the_lag),
        STEPPED(a_queue_may_come_go_and_come_again),
        STEPPED(what_is_in_hand_at_the_end_is_shown_at_once),
        STEPPED(circles_through_a_queue_come_to_an_end),
        STEPPED(what_is_for_tables_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
