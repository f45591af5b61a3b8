/* Records as JSON: what is written is read again, and what is said about wrong ones. */
#include "../test.h"
#include "value/ddbjson.h"
#include "value/record.h"

enum { TEXT_MAX_BYTES = 1 << 20 };

static enum weir_rc read(struct weir_arena *arena, struct weir_str text, struct weir_record *ret,
        struct weir_err *err)
{
    struct weir_json json;
    *err = (struct weir_err){ 0 };
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), ret, err);
    if (rc == WEIR_OK) {
        assert_int_equal(weir_json_next(&json), WEIR_JSON_END);
    }
    return rc;
}

static struct weir_record right(struct weir_arena *arena, const char *text)
{
    struct weir_record record;
    struct weir_err err;
    if (read(arena, weir_str_z(text), &record, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return record;
}

static void assert_wrong(const char *text, const char *message, size_t pos)
{
    struct weir_arena arena;
    struct weir_record record = { .shard = 77 };
    struct weir_err err;
    weir_arena_init(&arena);
    assert_int_equal(read(&arena, weir_str_z(text), &record, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, message);
    assert_int_equal(err.pos, pos);
    assert_int_equal(record.shard, 77);
    weir_arena_fini(&arena);
}

static void assert_written(
        const struct weir_record *record, enum weir_record_form form, const char *expected)
{
    struct weir_buf out;
    weir_buf_init(&out, TEXT_MAX_BYTES);
    weir_record_write(&out, record, form);
    weir_buf_byte(&out, '\0');
    assert_string_equal(out.p, expected);
    weir_buf_fini(&out);
}

static const char lambda[] =
        "{\"eventID\":\"bca9f3b0bcf47cb91d2d7f3eb3dac33a\",\"eventName\":\"MODIFY\","
        "\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"eu-north-1\","
        "\"dynamodb\":{\"ApproximateCreationDateTime\":1763799188.0,\"Keys\":{\"id\":{\"S\":\"a\"}}"
        ",\"NewImage\":{\"id\":{\"S\":\"a\"},\"n\":{\"N\":\"2\"}},\"OldImage\":{\"id\":{\"S\":"
        "\"a\"},\"n\":{\"N\":\"1\"}},\"SequenceNumber\":\"100000000000000000042\",\"SizeBytes\":15,"
        "\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"},\"userIdentity\":{\"type\":\"Service\","
        "\"principalId\":\"dynamodb.amazonaws.com\"},\"eventSourceARN\":\"arn:aws:dynamodb:"
        "eu-north-1:000000000000:table/orders/stream/2025-11-22T00:00:00.000\"}";

static void every_member_is_read(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_record record = right(&arena, lambda);
    assert_int_equal(record.event, WEIR_EVENT_MODIFY);
    assert_int_equal(record.pos.seq, 42);
    assert_int_equal(record.created.ms, 1763799188000);
    assert_true(record.by_ttl);
    assert_int_equal(record.source->view, WEIR_VIEW_NEW_AND_OLD_IMAGES);
    assert_true(weir_str_eq(record.source->table, WEIR_STR("orders")));
    assert_true(weir_str_eq(record.source->region, WEIR_STR("eu-north-1")));
    assert_true(
            weir_str_eq(weir_value_str(weir_item_get(record.keys, WEIR_STR("id"))), WEIR_STR("a")));
    assert_int_equal(weir_item_count(record.new_image), 2);
    struct weir_decimal old = weir_value_decimal(weir_item_get(record.old_image, WEIR_STR("n")));
    assert_int_equal(weir_decimal_cmp(old, weir_decimal_from_i64(1)), 0);
    weir_arena_fini(&arena);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct weir_arena arena;
    struct weir_buf out;
    weir_arena_init(&arena);
    struct weir_record record = right(&arena, lambda);
    weir_buf_init(&out, TEXT_MAX_BYTES);
    weir_record_write(&out, &record, WEIR_RECORD_LAMBDA);
    weir_buf_byte(&out, '\0');
    struct weir_record again = right(&arena, out.p);
    assert_written(&again, WEIR_RECORD_LAMBDA, out.p);
    /* The form of GetRecords lacks the stream only. */
    struct weir_buf streams;
    weir_buf_init(&streams, TEXT_MAX_BYTES);
    weir_record_write(&streams, &record, WEIR_RECORD_STREAMS);
    weir_buf_byte(&streams, '\0');
    again = right(&arena, streams.p);
    assert_int_equal(again.source->stream_arn.n, 0);
    struct weir_record_source source = *again.source;
    source.stream_arn = record.source->stream_arn;
    again.source = &source;
    assert_written(&again, WEIR_RECORD_LAMBDA, out.p);
    weir_buf_fini(&streams);
    weir_buf_fini(&out);
    weir_arena_fini(&arena);
}

static void little_is_needed(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_record record = right(&arena, "{\"eventName\":\"INSERT\"}");
    assert_int_equal(record.event, WEIR_EVENT_INSERT);
    assert_int_equal(record.keys.n + record.old_image.n + record.new_image.n, 0);
    assert_false(record.by_ttl);
    assert_int_equal(record.source->view, WEIR_VIEW_NONE);
    assert_written(&record, WEIR_RECORD_STREAMS,
            "{\"eventID\":\"2d06800538d394c24c093276ae47a555\",\"eventName\":\"INSERT\","
            "\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\",\"awsRegion\":\"\","
            "\"dynamodb\":{\"ApproximateCreationDateTime\":0,\"SequenceNumber\":"
            "\"100000000000000000000\",\"SizeBytes\":0,\"StreamViewType\":\"\"}}");
    /* null is as not given; what is unknown is passed over; the last of two counts */
    record = right(&arena,
            "{\"x\":[{}],\"userIdentity\":null,\"eventName\":\"INSERT\",\"dynamodb\":{\"y\":1,"
            "\"OldImage\":null,\"NewImage\":{},\"ApproximateCreationDateTime\":1.7637991885E9,"
            "\"SequenceNumber\":\"4421584500000000017450439091\"},\"eventName\":\"REMOVE\"}");
    assert_int_equal(record.event, WEIR_EVENT_REMOVE);
    assert_int_equal(record.old_image.n, 0);
    assert_true(record.new_image.n > 0);
    assert_int_equal(weir_item_count(record.new_image), 0);
    assert_int_equal(record.created.ms, 1763799188500);
    assert_int_equal(record.pos.seq, 0);
    record = right(&arena, "{\"eventName\":\"REMOVE\",\"dynamodb\":{\"SequenceNumber\":\"111\"},"
                           "\"userIdentity\":{\"type\":\"Service\",\"principalId\":\"me\"}}");
    assert_int_equal(record.pos.seq, 111);
    assert_false(record.by_ttl);
    record = right(&arena,
            "{\"eventName\":\"REMOVE\",\"userIdentity\":{\"PrincipalId\":\"dynamodb.amazonaws."
            "com\","
            "\"Type\":\"Service\"},\"eventSourceARN\":\"arn:aws:dynamodb:x:1:table/t\"}");
    assert_true(record.by_ttl);
    assert_true(weir_str_eq(record.source->table, WEIR_STR("t")));
    weir_arena_fini(&arena);
}

static void wrong_records(void **state)
{
    (void)state;
    assert_wrong("[]", "expected an object, found an array", 0);
    assert_wrong(" {\"dynamodb\":{}}", "a record needs an eventName: INSERT, MODIFY or REMOVE", 1);
    assert_wrong("{\"eventName\":\"insert\"}",
            "eventName: expected INSERT, MODIFY or REMOVE, found 'insert'", 13);
    assert_wrong("{\"eventName\":1}", "eventName: expected a string, found a number", 13);
    assert_wrong("{\"dynamodb\":1}", "dynamodb: expected an object, found a number", 12);
    assert_wrong("{\"dynamodb\":{\"Keys\":[]}}",
            "dynamodb: Keys: expected an object, found an array", 20);
    assert_wrong("{\"dynamodb\":{\"StreamViewType\":\"ALL\"}}",
            "dynamodb: StreamViewType: expected KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or "
            "NEW_AND_OLD_IMAGES, found 'ALL'",
            30);
    assert_wrong("{\"dynamodb\":{\"SequenceNumber\":\"1x\"}}",
            "dynamodb: SequenceNumber: expected digits, found '1x'", 30);
    assert_wrong("{\"dynamodb\":{\"ApproximateCreationDateTime\":-1}}",
            "dynamodb: ApproximateCreationDateTime: expected seconds since 1970 up to the year "
            "9999, found -1",
            43);
    assert_wrong("{\"dynamodb\":{\"ApproximateCreationDateTime\":253402300800}}",
            "dynamodb: ApproximateCreationDateTime: expected seconds since 1970 up to the year "
            "9999, found 253402300800",
            43);
    assert_wrong("{\"dynamodb\":{\"NewImage\":{\"a\":{\"N\":\"x\"}}}}",
            "dynamodb: NewImage: The parameter cannot be converted to a numeric value: x", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(little_is_needed),
        cmocka_unit_test(wrong_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
