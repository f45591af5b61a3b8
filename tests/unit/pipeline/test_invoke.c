/* The step invoke on virtual time: what it reads in an answer, form by form. */
#include "deferred_world.h"

#define PIPELINE(invoke)                                           \
    "tables:\n"                                                    \
    "  orders: { key: { id: S }, stream: new_image, shards: 1 }\n" \
    "  letters: { key: { pipeline: S, sequence: S } }\n"           \
    "  out: { key: { id: S } }\n"                                  \
    "functions:\n"                                                 \
    "  f: { url: 'http://127.0.0.1:1/' }\n"                        \
    "pipelines:\n"                                                 \
    "  p:\n"                                                       \
    "    source: { table: orders, window: 1s, concurrency: 1 }\n"  \
    "    retry: { retries: 0, bisect: false }\n"                   \
    "    on_failure: { table: letters }\n"                         \
    "    steps:\n"                                                 \
    "      - invoke: { function: f" invoke " }\n"

static const char reports[] = PIPELINE(", report_failures: true");
static const char ignores[] = PIPELINE("");
static const char reads[] = PIPELINE(
        ", report_failures: true, result: answer") "      - put: { table: out, item: { id: "
                                                   "'${new.id}', got: '${answer.got}' } }\n";

/* What the function answers; `%s` is the sequence number of the batch's second record. */
static const char *answer;
static size_t asked;
static struct weir_arena call_arena;

/* The sequence number of the nth record of an event; empty: there are not so many. */
static struct weir_str sequence_of(struct weir_str event, size_t n)
{
    static const char name[] = "\"SequenceNumber\":\"";
    const char *at = event.p;
    for (size_t i = 0; at != NULL && i <= n; i++) {
        at = memmem(at, (size_t)(event.p + event.n - at), name, sizeof(name) - 1);
        at = at != NULL ? at + sizeof(name) - 1 : NULL;
    }
    return at != NULL ? weir_str(at, WEIR_SEQUENCE_TEXT - 1) : WEIR_STR("");
}

static struct weir_stand_in answering(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    (void)arg;
    (void)model;
    asked++;
    struct weir_str sequence = sequence_of(invocation->payload, 1);
    struct weir_buf buf;
    weir_buf_init(&buf, 4096);
    const char *at = strstr(answer, "%s");
    weir_buf_str(&buf, weir_str(answer, at != NULL ? (size_t)(at - answer) : strlen(answer)));
    if (at != NULL) {
        weir_buf_str(&buf, sequence);
        weir_buf_z(&buf, at + 2);
    }
    struct weir_stand_in reply = { .response = weir_arena_str(&call_arena, weir_buf_view(&buf)) };
    weir_buf_fini(&buf);
    return reply;
}

/* A batch of three records, until all is over. */
static struct world *run_batch(const char *yaml, const char *text)
{
    answer = text;
    asked = 0;
    weir_arena_init(&call_arena);
    world_stand_in = answering;
    struct world *world = world_create(yaml);
    put(world, "orders", "a", 1);
    put(world, "orders", "b", 2);
    put(world, "orders", "c", 3);
    advance(world, 60 * 1000);
    return world;
}

static void end(struct world *world)
{
    world_destroy(world);
    weir_arena_fini(&call_arena);
}

/* As recorded of Lambda: nothing of these names a record. */
static const char *const successes[] = { "[]", "null", "{}", "{\"batchItemFailures\":[]}",
    "{\"batchItemFailures\":null}", "\"done\"", "7", "" };

/* And these name one that is not of the batch. */
static const char *const failures[] = { "{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}",
    "{\"batchItemFailures\":[{\"itemIdentifier\":null}]}",
    "{\"batchItemFailures\":[{\"itemIdentifier\":\"nobody\"}]}",
    "{\"batchItemFailures\":[{\"itemIdentifier\":\"000000000000000000001\"}]}",
    "{\"batchItemFailures\":[{\"wrong\":\"%s\"}]}",
    "{\"batchItemFailures\":[{\"itemIdentifier\":123}]}", "{\"batchItemFailures\":[{}]}",
    "{\"batchItemFailures\":[\"%s\"]}", "{\"batchItemFailures\":{}}",
    "{\"batchItemFailures\":[{\"itemIdentifier\":\"%s\"},{\"itemIdentifier\":\"nobody\"}]}",
    "{\"batchItemFailures\":[" };

static void answers_that_report_nothing_are_successes(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(successes); i++) {
        struct world *world = run_batch(reports, successes[i]);
        assert_int_equal(asked, 1);
        assert_int_equal(count_items(world, "letters"), 0);
        end(world);
    }
}

static void answers_that_name_nobody_fail_the_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(failures); i++) {
        struct world *world = run_batch(reports, failures[i]);
        assert_int_equal(asked, 1);
        assert_int_equal(count_items(world, "letters"), 3);
        end(world);
    }
}

/* Without report_failures nobody reads them; not even whether they are JSON. */
static void reports_that_nobody_asked_for_are_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(failures); i++) {
        struct world *world = run_batch(ignores, failures[i]);
        assert_int_equal(asked, 1);
        assert_int_equal(count_items(world, "letters"), 0);
        end(world);
    }
}

/* The first record is done, with the answer; the rest is given up, since it may not be tried. */
static void a_result_is_of_what_is_done(void **state)
{
    (void)state;
    struct world *world =
            run_batch(reads, "{\"got\": 5, \"batchItemFailures\":[{\"itemIdentifier\":\"%s\"}]}");
    assert_int_equal(asked, 1);
    assert_int_equal(count_items(world, "out"), 1);
    assert_int_equal(count_items(world, "letters"), 2);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_that_report_nothing_are_successes),
        cmocka_unit_test(answers_that_name_nobody_fail_the_batch),
        cmocka_unit_test(reports_that_nobody_asked_for_are_ignored),
        cmocka_unit_test(a_result_is_of_what_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
