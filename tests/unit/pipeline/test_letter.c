/* The forms of a dead letter. */
#include "../test.h"
#include "pipeline/letters.h"
#include "value/ddbjson.h"

static struct weir_item keys_of(struct weir_arena *arena)
{
    struct weir_item keys;
    struct weir_item_builder *builder = weir_item_begin(arena);
    weir_item_name(builder, WEIR_STR("id"));
    weir_item_s(builder, WEIR_STR("a"));
    assert_int_equal(weir_item_finish(builder, &keys, NULL), WEIR_OK);
    return keys;
}

static struct weir_letter sample(struct weir_arena *arena, const char *condition)
{
    return (struct weir_letter){
        .pipeline = WEIR_STR("copy"),
        .sequence = WEIR_STR("000000000000000000042"),
        .request_id = WEIR_STR("0e3ff7d1-0000-4000-8000-000000000000"),
        .function_arn = WEIR_STR("arn:aws:lambda:us-east-1:000000000000:function:copy"),
        .condition = weir_str_z(condition),
        .attempts = 4,
        .timestamp = WEIR_STR("2025-11-25T15:53:08.123Z"),
        .shard_id = WEIR_STR("shardId-00000001573689847184-00040003"),
        .arrived = WEIR_STR("2025-11-25T15:53:01Z"),
        .stream_arn = WEIR_STR("arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x"),
        .step = WEIR_STR("put"),
        .error = WEIR_STR("it \"failed\""),
        .fingerprint = WEIR_STR("0123456789abcdef"),
        .event_id = WEIR_STR("ffff"),
        .event_name = WEIR_STR("INSERT"),
        .table = WEIR_STR("t"),
        .keys = keys_of(arena),
        .payload = WEIR_STR("{\"Records\":[{\"eventName\":\"INSERT\"}]}"),
    };
}

#define BATCH_INFO                                                                   \
    "\"DDBStreamBatchInfo\":{\"shardId\":\"shardId-00000001573689847184-00040003\"," \
    "\"startSequenceNumber\":\"000000000000000000042\","                             \
    "\"endSequenceNumber\":\"000000000000000000042\","                               \
    "\"approximateArrivalOfFirstRecord\":\"2025-11-25T15:53:01Z\","                  \
    "\"approximateArrivalOfLastRecord\":\"2025-11-25T15:53:01Z\",\"batchSize\":1,"   \
    "\"streamArn\":\"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x\"},"
#define CONTEXT(condition)                                                         \
    "{\"requestContext\":{\"requestId\":\"0e3ff7d1-0000-4000-8000-000000000000\"," \
    "\"functionArn\":\"arn:aws:lambda:us-east-1:000000000000:function:copy\","     \
    "\"condition\":\"" condition "\",\"approximateInvokeCount\":4},"
#define REST                                                                         \
    "\"version\":\"1.0\",\"timestamp\":\"2025-11-25T15:53:08.123Z\"," BATCH_INFO     \
    "\"pipeline\":\"copy\",\"sequence\":\"000000000000000000042\",\"step\":\"put\"," \
    "\"error\":\"it \\\"failed\\\"\",\"fingerprint\":\"0123456789abcdef\","          \
    "\"event_id\":\"ffff\",\"event_name\":\"INSERT\",\"table\":\"t\","               \
    "\"keys\":{\"id\":{\"S\":\"a\"}},\"payload\":{\"Records\":[{\"eventName\":\"INSERT\"}]}}"

static void assert_written(const char *condition, const char *expected)
{
    struct weir_arena arena;
    struct weir_buf buf;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1 << 20);
    struct weir_letter letter = sample(&arena, condition);
    weir_letter_write(&buf, &letter);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p, expected);
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

static void json_is_as_aws_has_it(void **state)
{
    (void)state;
    assert_written("RetryAttemptsExhausted",
            CONTEXT("RetryAttemptsExhausted") "\"responseContext\":{\"statusCode\":200,"
                                              "\"executedVersion\":\"$LATEST\","
                                              "\"functionError\":\"Unhandled\"}," REST);
    assert_written("RecordAgeExceeded", CONTEXT("RecordAgeExceeded") REST);
    assert_written("RecordRejected", CONTEXT("RecordRejected") REST);
}

/* Null, but there, when the function named what failed. */
static void a_function_that_reports_has_no_error(void **state)
{
    (void)state;
    struct weir_arena arena;
    struct weir_buf buf;
    struct weir_item item;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1 << 20);
    struct weir_letter letter = sample(&arena, "RetryAttemptsExhausted");
    letter.reported = true;
    weir_letter_write(&buf, &letter);
    weir_buf_byte(&buf, '\0');
    assert_non_null(strstr(buf.p, "\"functionError\":null},\"version\""));
    assert_int_equal(weir_letter_to_item(&letter, &arena, &item, NULL), WEIR_OK);
    struct weir_item response = weir_value_map(weir_item_get(item, WEIR_STR("responseContext")));
    assert_int_equal(weir_item_get(response, WEIR_STR("functionError")).type, WEIR_TYPE_NULL);
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

static void assert_same_text(struct weir_str a, struct weir_str b)
{
    assert_true(weir_str_eq(a, b));
}

static void assert_same(const struct weir_letter *a, const struct weir_letter *b)
{
    assert_same_text(a->pipeline, b->pipeline);
    assert_same_text(a->sequence, b->sequence);
    assert_same_text(a->condition, b->condition);
    assert_int_equal(a->attempts, b->attempts);
    assert_same_text(a->timestamp, b->timestamp);
    assert_same_text(a->step, b->step);
    assert_same_text(a->error, b->error);
    assert_same_text(a->fingerprint, b->fingerprint);
    assert_same_text(a->event_id, b->event_id);
    assert_same_text(a->event_name, b->event_name);
    assert_same_text(a->table, b->table);
    assert_same_text(a->payload, b->payload);
    assert_true(weir_item_eq(a->keys, b->keys));
    assert_int_equal(a->incomplete, b->incomplete);
    assert_int_equal(a->batch_records, b->batch_records);
    assert_same_text(a->batch_first, b->batch_first);
    assert_same_text(a->batch_last, b->batch_last);
    assert_true(weir_item_eq(a->burst, b->burst));
    assert_true(weir_item_eq(a->gap, b->gap));
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct weir_arena arena;
    struct weir_buf buf;
    struct weir_item item;
    struct weir_letter read;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1 << 20);
    for (int round = 0; round < 2; round++) {
        struct weir_letter letter = sample(&arena, "RetryAttemptsExhausted");
        letter.incomplete = round == 1;
        if (round == 1) {
            letter.batch_records = 3;
            letter.batch_first = WEIR_STR("000000000000000000041");
            letter.batch_last = WEIR_STR("000000000000000000043");
            letter.burst = keys_of(&arena);
            letter.gap = keys_of(&arena);
        }
        weir_buf_reset(&buf);
        weir_letter_write(&buf, &letter);
        assert_true(weir_letter_parse(weir_buf_view(&buf), &arena, &read));
        assert_same(&letter, &read);
        assert_int_equal(weir_letter_to_item(&letter, &arena, &item, NULL), WEIR_OK);
        weir_letter_of_item(item, &read);
        assert_same(&letter, &read);
    }
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

/* Whatever stands in a queue: read as far as it goes, or not at all. */
static void what_is_no_letter_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool right;
    } cases[] = {
        { "", false },
        { "hello", false },
        { "[]", false },
        { "{\"pipeline\":\"copy\"", false },
        { "{\"requestContext\":{\"condition\":[}}", false },
        { "{\"keys\":{\"id\":{\"X\":1}}}", false },
        { "{}", true },
        { "{\"pipeline\":1,\"keys\":[],\"requestContext\":7,\"payload\":null,\"more\":{}}", true },
        { "{\"requestContext\":{\"approximateInvokeCount\":-1,\"condition\":{}}}", true },
    };
    struct weir_arena arena;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_letter letter = { 0 };
        assert_int_equal(
                weir_letter_parse(weir_str_z(cases[i].text), &arena, &letter), cases[i].right);
        assert_int_equal(letter.pipeline.n, 0);
        assert_int_equal(letter.attempts, 0);
    }
    weir_arena_fini(&arena);
}

static void what_is_shown_is_json(void **state)
{
    (void)state;
    struct weir_arena arena;
    struct weir_buf buf;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1 << 20);
    struct weir_letter letter = sample(&arena, "RecordRejected");
    letter.payload = WEIR_STR("{\"a");
    letter.taken = true;
    weir_letter_show(&buf, &letter, true);
    weir_buf_byte(&buf, '\0');
    assert_non_null(
            strstr(buf.p, "\"keys\":{\"id\":\"a\"},\"taken\":true,\"payload\":\"{\\\"a\"}"));
    weir_buf_reset(&buf);
    weir_letter_show(&buf, &letter, false);
    weir_buf_byte(&buf, '\0');
    assert_null(strstr(buf.p, "payload"));
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_as_aws_has_it),
        cmocka_unit_test(a_function_that_reports_has_no_error),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_no_letter_is_told),
        cmocka_unit_test(what_is_shown_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
