/* The step send: messages go with their batch, or not at all. */
#include "pipeline_fixture.h"

static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void a_message_is_sent_for_every_event(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("work")));
    add_pipeline(b, "tell",
            "source: { table: orders, concurrency: 1 }\n"
            "steps:\n"
            "  - each: { in: new.tags, as: tag }\n"
            "  - send: { queue: work, body: { id: \"${new.id}\", tag: \"${tag}\", n: \"${new.n}\", "
            "all: \"${new.tags}\" } }\n");
    put(b->f, "orders", "{'id':{'S':'a'},'n':{'N':'7'},'tags':{'SS':['x','y']}}");
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "work"),
            "{\"all\":[\"x\",\"y\"],\"id\":\"a\",\"n\":7,\"tag\":\"x\"}\n"
            "{\"all\":[\"x\",\"y\"],\"id\":\"a\",\"n\":7,\"tag\":\"y\"}\n");
}

static void bodies_are_records_texts_or_json(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("records")));
    make_queue(b, weir_queue_defaults(WEIR_STR("texts")));
    make_queue(b, weir_queue_defaults(WEIR_STR("values")));
    add_pipeline(b, "tell",
            "source: { table: orders, concurrency: 1 }\n"
            "steps:\n"
            "  - { id: one, send: { queue: records } }\n"
            "  - { id: two, send: { queue: texts, body: \"${new.id} has ${new.n}\" } }\n"
            "  - { id: three, send: { queue: values, body: \"${new}\" } }\n");
    put_n(b, "orders", "a", 5);
    run_until(b, all_is_done);
    const char *record = bodies(b, "records");
    assert_non_null(strstr(record, "{\"eventID\":\""));
    assert_non_null(strstr(record, "\"NewImage\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"5\"}}"));
    assert_string_equal(bodies(b, "texts"), "a has 5\n");
    assert_string_equal(bodies(b, "values"), "{\"id\":\"a\",\"n\":5}\n");
}

/* What a message is besides its body, as a line. */
static bool add_about(void *arg, const struct weir_message *message, bool hidden)
{
    struct weir_buf *buf = arg;
    for (size_t i = 0; i < message->attribute_count; i++) {
        const struct weir_message_attribute *attribute = &message->attributes[i];
        weir_buf_printf(buf, "%.*s:%.*s=%.*s ", WEIR_STR_ARG(attribute->name),
                WEIR_STR_ARG(attribute->type), WEIR_STR_ARG(attribute->value));
    }
    weir_buf_printf(buf, "group %.*s dedup %.*s hops %d%s\n", WEIR_STR_ARG(message->group),
            WEIR_STR_ARG(message->dedup), message->hops, hidden ? " hidden" : "");
    return true;
}

static const char *about(struct bench *b, const char *name)
{
    struct weir_err err;
    struct weir_buf buf;
    const struct weir_queue *queue = NULL;
    weir_buf_init(&buf, 1 << 20);
    must(weir_queues_get(b->queues, weir_str_z(name), &queue, &err), &err);
    must(weir_queues_browse(b->queues, queue, 0, add_about, &buf, &err), &err);
    weir_queue_unref(queue);
    const char *text = weir_arena_str(&arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

static void attributes_groups_and_delays_are_given(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("work")));
    make_queue(b, weir_queue_defaults(WEIR_STR("work.fifo")));
    add_pipeline(b, "tell",
            "source: { table: orders, concurrency: 1 }\n"
            "steps:\n"
            "  - id: one\n    send: { queue: work, body: x, delay: 5s, attributes: { Z: "
            "\"${new.id}\", N: \"${new.n}\", B: \"${b'raw'}\" } }\n"
            "  - id: two\n    send: { queue: work.fifo, body: y, group: \"g-${new.id}\", dedup: "
            "\"d-${new.n}\" }\n");
    put_n(b, "orders", "a", 5);
    run_until(b, all_is_done);
    assert_string_equal(
            about(b, "work"), "B:Binary=raw N:Number=5 Z:String=a group  dedup  hops 1 hidden\n");
    assert_string_equal(about(b, "work.fifo"), "group g-a dedup d-5 hops 1\n");
}

static void a_fifo_queue_gets_each_message_of_a_record_once(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("work.fifo")));
    const char *yaml = "source: { table: orders, concurrency: 1 }\n"
                       "steps:\n"
                       "  - each: { in: \"[1, 2, 3]\", as: i }\n"
                       "  - { id: one, send: { queue: work.fifo, body: same } }\n"
                       "  - { id: two, send: { queue: work.fifo, body: same } }\n";
    add_pipeline(b, "tell", yaml);
    put_n(b, "orders", "a", 1);
    put_n(b, "orders", "b", 1);
    run_until(b, all_is_done);
    assert_int_equal(count_lines(bodies(b, "work.fifo")), 12);
    add_pipeline(b, "tell-too", yaml);
    run_until(b, all_is_done);
    assert_int_equal(count_lines(bodies(b, "work.fifo")), 24);
}

static void nothing_is_sent_of_a_record_that_fails(void **state)
{
    struct bench *b = *state;
    enum { COUNT = 40 };
    make_table(b, "orders");
    make_queue(b, weir_queue_defaults(WEIR_STR("work")));
    add_pipeline(b, "tell",
            "source: { table: orders, concurrency: 3 }\n"
            "steps:\n"
            "  - send: { queue: work, body: \"${new.n}\" }\n"
            "  - require: [\"new.n % 4 != 0\"]\n");
    for (int i = 0; i < COUNT; i++) {
        put_n(b, "orders", weir_arena_printf(&arena, "i%d", i).p, i);
    }
    run_until(b, all_is_done);
    assert_int_equal(count_lines(bodies(b, "work")), COUNT * 3 / 4);
    assert_int_equal(status_sum(b, "errors"), COUNT / 4);
}

static void a_message_that_does_not_fit_fails_its_record(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    struct weir_queue small = weir_queue_defaults(WEIR_STR("work"));
    small.max_bytes = 1024;
    make_queue(b, small);
    add_pipeline(b, "tell",
            "source: { table: orders }\n"
            "steps: [send: { queue: work, body: \"${new.text}\" }]\n");
    const char *many = weir_arena_printf(&arena, "%01100d", 0).p;
    put(b->f, "orders", weir_arena_printf(&arena, "{'id':{'S':'a'},'text':{'S':'%s'}}", many).p);
    put(b->f, "orders", "{'id':{'S':'b'},'text':{'S':'short'}}");
    put(b->f, "orders", "{'id':{'S':'c'},'text':{'S':''}}");
    put(b->f, "orders", "{'id':{'S':'d'},'text':{'S':'\\u0001'}}");
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "work"), "short\n");
    assert_int_equal(status_sum(b, "errors"), 3);
}

static void without_its_queue_the_pipeline_waits(void **state)
{
    struct bench *b = *state;
    make_table(b, "orders");
    add_pipeline(b, "tell",
            "source: { table: orders }\n"
            "steps: [send: { queue: work, body: \"${new.id}\" }]\n");
    put_n(b, "orders", "a", 1);
    run_until(b, something_blocks);
    assert_true(status_has(b, "\"reason\":\"queue work not found\""));
    make_queue(b, weir_queue_defaults(WEIR_STR("work")));
    run_until(b, all_is_done);
    assert_string_equal(bodies(b, "work"), "a\n");
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, set_up_bench, tear_down_bench)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        BENCH(a_message_is_sent_for_every_event),
        BENCH(bodies_are_records_texts_or_json),
        BENCH(attributes_groups_and_delays_are_given),
        BENCH(a_fifo_queue_gets_each_message_of_a_record_once),
        BENCH(nothing_is_sent_of_a_record_that_fails),
        BENCH(a_message_that_does_not_fit_fails_its_record),
        BENCH(without_its_queue_the_pipeline_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
