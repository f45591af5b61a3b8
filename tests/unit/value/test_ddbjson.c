#include "../test.h"
#include "random_item.h"
#include "value/ddbjson.h"

static enum weir_rc read(struct weir_arena *arena, struct weir_str text, struct weir_item *ret_item,
        struct weir_err *err)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    return weir_ddbjson_read_item(&json, weir_json_next(&json), ret_item, err);
}

static void items_are_written_with_names_and_sets_in_order(void **state)
{
    static const char *const cases[][3] = {
        { "{}", "{}", "{}" },
        { "{\"b\":{\"S\":\"\\u00e9\\n\"},\"a\":{\"N\":\"1.50e3\"}}",
                "{\"a\":{\"N\":\"1500\"},\"b\":{\"S\":\"\xc3\xa9\\n\"}}",
                "{\"a\":1500,\"b\":\"\xc3\xa9\\n\"}" },
        { "{\"l\":{\"L\":[{\"M\":{\"z\":{\"NULL\":true},\"y\":{\"BOOL\":false}}},{\"L\":[]}]}}",
                "{\"l\":{\"L\":[{\"M\":{\"y\":{\"BOOL\":false},\"z\":{\"NULL\":true}}},{\"L\":[]}]}"
                "}",
                "{\"l\":[{\"y\":false,\"z\":null},[]]}" },
        { "{\"s\":{\"SS\":[\"b\",\"a\"]},\"n\":{\"NS\":[\"10\",\"9\",\"-1.5\"]},"
          "\"x\":{\"BS\":[\"Yg==\",\"YQ==\"]},\"y\":{\"B\":\"AAEC\"}}",
                "{\"n\":{\"NS\":[\"-1.5\",\"9\",\"10\"]},\"s\":{\"SS\":[\"a\",\"b\"]},"
                "\"x\":{\"BS\":[\"YQ==\",\"Yg==\"]},\"y\":{\"B\":\"AAEC\"}}",
                "{\"n\":[-1.5,9,10],\"s\":[\"a\",\"b\"],\"x\":[\"YQ==\",\"Yg==\"],\"y\":"
                "\"AAEC\"}" },
        { "{\"a\":{\"S\":\"1\"},\"a\":{\"S\":\"2\"}}", "{\"a\":{\"S\":\"2\"}}", "{\"a\":\"2\"}" },
        { "{\"a\":{\"S\":\"1\",\"N\":null,\"Other\":[1]}}", "{\"a\":{\"S\":\"1\"}}",
                "{\"a\":\"1\"}" },
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    (void)state;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 10000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_item item;
        assert_int_equal(read(&arena, weir_str_z(cases[i][0]), &item, NULL), WEIR_OK);
        weir_buf_reset(&buf);
        weir_ddbjson_write_item(&buf, item);
        weir_buf_byte(&buf, '\0');
        assert_string_equal(buf.p, cases[i][1]);
        weir_buf_reset(&buf);
        weir_ddbjson_write_plain_item(&buf, item);
        weir_buf_byte(&buf, '\0');
        assert_string_equal(buf.p, cases[i][2]);
    }
}

static void errors_carry_awss_messages(void **state)
{
    static const char no_type[] = "Supplied AttributeValue is empty, must contain exactly one of "
                                  "the supported datatypes";
    static const char two_types[] = "Supplied AttributeValue has more than one datatypes set, must "
                                    "contain exactly one of the supported datatypes";
    static const char not_true[] =
            "One or more parameter values were invalid: Null attribute value "
            "types must have the value of true";
    static const struct {
        const char *text;
        size_t pos; /* 0: an error of meaning, not of syntax or type */
        const char *message;
    } cases[] = {
        { "{\"a\":{}}", 0, no_type },
        { "{\"a\":null}", 0, no_type },
        { "{\"a\":{\"X\":\"1\"}}", 0, no_type },
        { "{\"a\":{\"S\":null}}", 0, no_type },
        { "{\"a\":{\"L\":[{}]}}", 0, no_type },
        { "{\"a\":{\"S\":\"x\",\"N\":\"1\"}}", 0, two_types },
        { "{\"a\":{\"S\":\"x\",\"N\":\"b\"}}", 0,
                "The parameter cannot be converted to a numeric value: b" },
        { "{\"a\":{\"NULL\":false}}", 0, not_true },
        { "{\"a\":{\"NULL\":\"no\"}}", 0, not_true },
        { "{\"a\":{\"N\":\"\"}}", 0, "The parameter cannot be converted to a numeric value" },
        { "{\"a\":{\"NS\":[\"1\",\"b\"]}}", 0,
                "The parameter cannot be converted to a numeric value: b" },
        { "{\"a\":{\"NS\":[\"1\",\"1.0\"]}}", 0, "Input collection contains duplicates" },
        /* The first fault is told, not the last. */
        { "{\"a\":{\"SS\":[]},\"b\":{}}", 0,
                "One or more parameter values were invalid: An string set  may not be empty" },
        { "{\"a\":{\"N\":12}}", 10, "NUMBER_VALUE cannot be converted to String" },
        { "{\"a\":{\"N\":1.5}}", 10, "DECIMAL_VALUE cannot be converted to String" },
        { "{\"a\":{\"S\":true}}", 10, "TRUE_VALUE cannot be converted to String" },
        { "{\"a\":{\"S\":[]}}", 10, "Unrecognized collection type class java.lang.String" },
        { "{\"a\":{\"S\":{}}}", 10, "Start of structure or map found where not expected." },
        { "{\"a\":{\"BOOL\":\"true\"}}", 13, "STRING_VALUE cannot be converted to Boolean" },
        { "{\"a\":{\"B\":1}}", 10, "NUMBER_VALUE cannot be converted to Blob" },
        { "{\"a\":{\"B\":\"abc\"}}", 13,
                "Base64 encoded length is expected a multiple of 4 bytes but found: 3" },
        { "{\"a\":{\"L\":\"x\"}}", 10, "Unexpected field type" },
        { "{\"a\":{\"SS\":[1]}}", 12, "NUMBER_VALUE cannot be converted to String" },
        { "{\"a\":\"x\"}", 5, "Unexpected value type in payload" },
        { "\"x\"", 1, "Unexpected field type" },
        { "", 1, "expected a value, found the end of the text" },
        { "{\"a\":{\"M\":{\"b\":{\"S\":\"x\"}}", 25,
                "expected ',' or '}', found the end of the text" },
        { "{\"a\":{\"L\":[}}", 11, "expected a value, found '}'" },
        { "{\"a\":{\"M\":{\"b\":}}}", 15, "expected a value, found '}'" },
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_item item;
        struct weir_err err;
        struct weir_str text = weir_str_z(cases[i].text);
        assert_int_equal(read(&arena, text, &item, &err), WEIR_E_INVALID);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(err.pos, cases[i].pos);
        assert_int_equal(read(&arena, text, &item, NULL), WEIR_E_INVALID);
    }
}

static void reading_stops_behind_the_item(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_json json;
    struct weir_item item;
    struct weir_value value;
    (void)state;
    weir_arena_init(&arena);
    weir_json_init(
            &json, WEIR_STR("[{\"a\":{\"S\":\"x\"}},{\"NS\":[\"7\"]},{\"S\":\"\"}]"), &arena, 9);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_ARRAY);
    assert_int_equal(weir_ddbjson_read_item(&json, weir_json_next(&json), &item, NULL), WEIR_OK);
    assert_int_equal(weir_item_get(item, WEIR_STR("a")).type, WEIR_TYPE_S);
    assert_int_equal(weir_ddbjson_read_value(&json, weir_json_next(&json), &value, NULL), WEIR_OK);
    assert_int_equal(value.type, WEIR_TYPE_NS);
    assert_int_equal(weir_value_count(value), 1);
    assert_int_equal(weir_ddbjson_read_value(&json, weir_json_next(&json), &value, NULL), WEIR_OK);
    assert_int_equal(weir_value_str(value).n, 0);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_ARRAY_END);
}

static void plain_json_becomes_an_item(void **state)
{
    static const char text[] = "{\"a\":1.50,\"b\":[true,null,\"x\",{\"c\":-2}],\"d\":{}}";
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    struct weir_json json;
    struct weir_item item;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1000);
    weir_json_init(&json, WEIR_STR(text), &arena, 9);
    assert_int_equal(
            weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &item, NULL), WEIR_OK);
    weir_ddbjson_write_item(&buf, item);
    assert_true(weir_str_eq(weir_buf_view(&buf),
            WEIR_STR("{\"a\":{\"N\":\"1.5\"},\"b\":{\"L\":[{\"BOOL\":true},{\"NULL\":true},"
                     "{\"S\":\"x\"},{\"M\":{\"c\":{\"N\":\"-2\"}}}]},\"d\":{\"M\":{}}}")));
    weir_json_init(&json, WEIR_STR("{\"a\":1e999}"), &arena, 9);
    assert_int_equal(weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &item, &err),
            WEIR_E_INVALID);
    assert_int_equal(err.pos, 5);
    weir_json_init(&json, WEIR_STR("{\"a\":[{\"b\":}]}"), &arena, 9);
    assert_int_equal(weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &item, &err),
            WEIR_E_INVALID);
    assert_int_equal(err.pos, 11);
}

static void random_items_come_back_from_json(void **state)
{
    const uint64_t seed = 1234;
    struct weir_random random;
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    weir_random_seed(&random, seed);
    weir_arena_init(&arena);
    weir_buf_init(&buf, 1 << 24);
    for (int i = 0; i < 1000; i++) {
        weir_arena_reset(&arena);
        weir_buf_reset(&buf);
        struct weir_item again;
        struct weir_item item = random_item(&random, &arena);
        weir_ddbjson_write_item(&buf, item);
        assert_int_equal(read(&arena, weir_buf_view(&buf), &again, NULL), WEIR_OK);
        assert_true(weir_item_eq(item, again));
        /* Every cut is refused, and with a position. */
        struct weir_err err;
        size_t n = weir_random_below(&random, buf.n);
        char *copy = weir_alloc(n > 0 ? n : 1);
        memcpy(copy, buf.p, n);
        assert_int_equal(read(&arena, weir_str(copy, n), &again, &err), WEIR_E_INVALID);
        assert_true(err.pos > 0);
        weir_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_written_with_names_and_sets_in_order),
        cmocka_unit_test(errors_carry_awss_messages),
        cmocka_unit_test(reading_stops_behind_the_item),
        cmocka_unit_test(plain_json_becomes_an_item),
        cmocka_unit_test(random_items_come_back_from_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
