/* Requests into structs, and AWS's words for what is wrong with them. */
#include "../test.h"
#include "api/wire.h"

struct inner {
    struct weir_str name;
    struct weir_str kind;
};

struct entry {
    struct weir_str key;
    struct weir_wire_list list; /* of struct inner */
};

struct outer {
    struct weir_str table;
    struct weir_wire_number limit;
    struct weir_wire_bool flag;
    struct weir_item item;
    struct weir_item names;
    struct weir_wire_list strings;
    struct weir_wire_list items;
    struct inner *inner;
    struct weir_wire_list list;
    struct weir_wire_list map;
    struct weir_wire_list lists;
    struct weir_str refused;
    struct weir_wire_time time;
    struct weir_str digits;
};

static const struct weir_wire_member inner_members[] = {
    { "Name", WEIR_WIRE_STRING, .offset = offsetof(struct inner, name), .required = true, .min = 1,
            .max = 5 },
    { "Kind", WEIR_WIRE_STRING, .offset = offsetof(struct inner, kind), .values = "[HASH, RANGE]" },
    { .name = NULL },
};
static const struct weir_wire_shape inner_shape = { sizeof(struct inner), inner_members };
static const struct weir_wire_member entry_members[] = {
    { "List", WEIR_WIRE_LIST, .offset = offsetof(struct entry, list), &inner_shape, .min = 1,
            .max = 2 },
    { .name = NULL },
};
static const struct weir_wire_shape entry_shape = { sizeof(struct entry), entry_members };
static bool fits_digits(struct weir_str text)
{
    uint64_t value = 0;
    return weir_str_to_u64(text, &value);
}

static const struct weir_wire_pattern digits_pattern = { "^[0-9]+$", fits_digits };
static const struct weir_wire_member outer_members[] = {
    { "TableName", WEIR_WIRE_TABLE_NAME, .offset = offsetof(struct outer, table),
            .required = true },
    { "Limit", WEIR_WIRE_NUMBER, .offset = offsetof(struct outer, limit), .min = 1, .max = 100 },
    { "Flag", WEIR_WIRE_BOOL, .offset = offsetof(struct outer, flag) },
    { "Item", WEIR_WIRE_ITEM, .offset = offsetof(struct outer, item) },
    { "Names", WEIR_WIRE_NAMES, .offset = offsetof(struct outer, names) },
    { "Strings", WEIR_WIRE_STRINGS, .offset = offsetof(struct outer, strings), .min = 1, .max = 3 },
    { "Items", WEIR_WIRE_ITEMS, .offset = offsetof(struct outer, items) },
    { "Inner", WEIR_WIRE_STRUCT, .offset = offsetof(struct outer, inner), &inner_shape },
    { "List", WEIR_WIRE_LIST, .offset = offsetof(struct outer, list), &inner_shape },
    { "Map", WEIR_WIRE_MAP, .offset = offsetof(struct outer, map), &entry_shape },
    { "Lists", WEIR_WIRE_LISTS, .offset = offsetof(struct outer, lists), &entry_shape },
    { "Old", WEIR_WIRE_REFUSED, .offset = offsetof(struct outer, refused) },
    { "Time", WEIR_WIRE_TIME, .offset = offsetof(struct outer, time) },
    { "Digits", WEIR_WIRE_STRING, .offset = offsetof(struct outer, digits),
            .pattern = &digits_pattern },
    { .name = NULL },
};
static const struct weir_wire_shape outer_shape = { sizeof(struct outer), outer_members };

static struct weir_arena arena;

static int fini_arena(void **state)
{
    (void)state;
    weir_arena_fini(&arena);
    return 0;
}

static const struct outer *read_fine(const char *text)
{
    void *request = NULL;
    struct weir_str message = { 0 };
    enum weir_wire_fault fault =
            weir_wire_read(&outer_shape, weir_str_z(text), &arena, &request, &message);
    if (fault != WEIR_WIRE_FINE) {
        fail_msg("%s: %.*s", text, WEIR_STR_ARG(message));
    }
    return request;
}

static void assert_str(struct weir_str s, const char *expected)
{
    assert_int_equal(s.n, strlen(expected));
    assert_memory_equal(s.p, expected, s.n);
}

static void test_every_type_is_read(void **state)
{
    (void)state;
    const struct outer *o =
            read_fine("{\"TableName\":\"t\\u0061b\",\"Limit\":7,\"Flag\":true,"
                      "\"Item\":{\"a\":{\"S\":\"x\"}},\"Names\":{\"#a\":\"b\"},\"Strings\":[\"p\","
                      "\"q\",\"r\"],"
                      "\"Items\":[{\"k\":{\"N\":\"1\"}},{}],\"Inner\":{\"Name\":\"in\"},"
                      "\"List\":[{\"Name\":\"l0\"},{\"Name\":\"l1\"},{\"Name\":\"l2\"}],"
                      "\"Map\":{\"m\":{\"List\":[{\"Name\":\"ml\"}]}},"
                      "\"Lists\":{\"x\":[{\"Name\":\"a\"},{\"Name\":\"b\"}],\"y\":[]}}");
    assert_str(o->table, "tab");
    assert_true(o->limit.set);
    assert_int_equal(o->limit.value, 7);
    assert_true(o->flag.set && o->flag.value);
    assert_str(weir_value_str(weir_item_get(o->item, WEIR_STR("a"))), "x");
    assert_str(weir_value_str(weir_item_get(o->names, WEIR_STR("#a"))), "b");
    assert_int_equal(o->strings.count, 3);
    assert_str(*WEIR_WIRE_AT(o->strings, struct weir_str, 2), "r");
    assert_int_equal(o->items.count, 2);
    assert_int_equal(weir_item_count(*WEIR_WIRE_AT(o->items, struct weir_item, 0)), 1);
    assert_non_null(WEIR_WIRE_AT(o->items, struct weir_item, 1)->p);
    assert_str(o->inner->name, "in");
    assert_int_equal(o->list.count, 3);
    assert_str(WEIR_WIRE_AT(o->list, struct inner, 2)->name, "l2");
    const struct entry *m = WEIR_WIRE_AT(o->map, struct entry, 0);
    assert_str(m->key, "m");
    assert_str(WEIR_WIRE_AT(m->list, struct inner, 0)->name, "ml");
    const struct entry *x = WEIR_WIRE_AT(o->lists, struct entry, 0);
    assert_str(x->key, "x");
    assert_int_equal(x->list.count, 2);
    assert_str(WEIR_WIRE_AT(x->list, struct inner, 1)->name, "b");
    assert_str(WEIR_WIRE_AT(o->lists, struct entry, 1)->key, "y");
    assert_true(WEIR_WIRE_AT(o->lists, struct entry, 1)->list.set);
}

static void test_absent_null_and_unknown_members(void **state)
{
    (void)state;
    const struct outer *o = read_fine("{\"Limit\":null,\"Other\":{\"deep\":[1,{}]},\"Inner\":null,"
                                      "\"TableName\":\"tab\",\"Tab\":1,\"\":2}");
    assert_false(o->limit.set);
    assert_null(o->inner);
    assert_null(o->item.p);
    assert_false(o->list.set);
    assert_str(o->table, "tab");
}

static void test_texts_outlive_the_body(void **state)
{
    (void)state;
    char body[] = "{\"TableName\":\"first\",\"Names\":{\"#a\":\"b\"}}";
    const struct outer *o = read_fine(body);
    memset(body, 'x', sizeof(body));
    assert_str(o->table, "first");
    assert_str(weir_value_str(weir_item_get(o->names, WEIR_STR("#a"))), "b");
}

static void test_times(void **state)
{
    (void)state;
    assert_false(read_fine("{}")->time.set);
    assert_true(read_fine("{\"Time\":0}")->time.set);
    assert_int_equal(read_fine("{\"Time\":1700000000}")->time.value.ms, 1700000000000);
    assert_int_equal(read_fine("{\"Time\":1700000000.123}")->time.value.ms, 1700000000123);
    assert_int_equal(read_fine("{\"Time\":1.7000000001235E9}")->time.value.ms, 1700000000124);
}

static void test_refused_members(void **state)
{
    (void)state;
    assert_null(read_fine("{\"Old\":[]}")->refused.p);
    assert_null(read_fine("{\"Old\":{}}")->refused.p);
    assert_null(read_fine("{\"Old\":null}")->refused.p);
    assert_null(read_fine("{\"Old\":false}")->refused.p);
    assert_str(read_fine("{\"Old\":[\"a\"]}")->refused, "Old");
    assert_str(read_fine("{\"Old\":{\"a\":1}}")->refused, "Old");
    assert_str(read_fine("{\"Old\":\"OR\"}")->refused, "Old");
}

static void test_faults_of_reading(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum weir_wire_fault fault;
        const char *message;
    } cases[] = {
        { "{\"TableName\":5}", WEIR_WIRE_SERIALIZATION,
                "NUMBER_VALUE cannot be converted to String" },
        { "{\"TableName\":5.5}", WEIR_WIRE_SERIALIZATION,
                "DECIMAL_VALUE cannot be converted to String" },
        { "{\"TableName\":true}", WEIR_WIRE_SERIALIZATION,
                "TRUE_VALUE cannot be converted to String" },
        { "{\"TableName\":[]}", WEIR_WIRE_SERIALIZATION,
                "Unrecognized collection type class java.lang.String" },
        { "{\"TableName\":{}}", WEIR_WIRE_SERIALIZATION,
                "Start of structure or map found where not expected." },
        { "{\"Time\":\"2025-11-25T15:53:08Z\"}", WEIR_WIRE_SERIALIZATION,
                "STRING_VALUE cannot be converted to Timestamp" },
        { "{\"Time\":-1}", WEIR_WIRE_SERIALIZATION,
                "NUMBER_VALUE cannot be converted to Timestamp" },
        { "{\"Time\":1e300}", WEIR_WIRE_SERIALIZATION,
                "DECIMAL_VALUE cannot be converted to Timestamp" },
        { "{\"Limit\":\"5\"}", WEIR_WIRE_SERIALIZATION,
                "STRING_VALUE cannot be converted to Long" },
        { "{\"Limit\":99999999999999999999}", WEIR_WIRE_SERIALIZATION,
                "NUMBER_VALUE cannot be converted to Long" },
        { "{\"Flag\":\"true\"}", WEIR_WIRE_SERIALIZATION,
                "STRING_VALUE cannot be converted to Boolean" },
        { "{\"Inner\":\"x\"}", WEIR_WIRE_SERIALIZATION, "Unexpected value type in payload" },
        { "{\"List\":\"x\"}", WEIR_WIRE_SERIALIZATION, "Unexpected field type" },
        { "{\"List\":{}}", WEIR_WIRE_SERIALIZATION,
                "Start of structure or map found where not expected." },
        { "{\"Item\":\"x\"}", WEIR_WIRE_SERIALIZATION, "Unexpected field type" },
        { "{\"Item\":{\"a\":{\"N\":5}}}", WEIR_WIRE_SERIALIZATION,
                "NUMBER_VALUE cannot be converted to String" },
        { "{\"Item\":{\"a\":{}}}", WEIR_WIRE_VALIDATION,
                "Supplied AttributeValue is empty, must contain exactly one of the supported "
                "datatypes" },
        { "{\"Names\":{\"#a\":5}}", WEIR_WIRE_SERIALIZATION,
                "NUMBER_VALUE cannot be converted to String" },
        { "[]", WEIR_WIRE_SERIALIZATION, "Unrecognized collection type class" },
        { "7", WEIR_WIRE_SERIALIZATION, "Unexpected value type in payload" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        void *request = NULL;
        struct weir_str message = { 0 };
        assert_int_equal(
                weir_wire_read(&outer_shape, weir_str_z(cases[i].text), &arena, &request, &message),
                cases[i].fault);
        assert_str(message, cases[i].message);
    }
}

static void test_no_json_gives_the_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{\"TableName\":\"x\",}", "at byte 17" },
        { "{\"TableName\":\"x\"} 5", "at byte 18" },
        { "", "at byte 0" },
        { "{\"Item\":{\"a\":{\"S\":\"x\"", "at byte 21" },
        { "{\"Other\":[1,]}", "at byte 12" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        void *request = NULL;
        struct weir_str message = { 0 };
        assert_int_equal(
                weir_wire_read(&outer_shape, weir_str_z(cases[i][0]), &arena, &request, &message),
                WEIR_WIRE_SERIALIZATION);
        assert_non_null(strstr(message.p, "the request is not JSON: "));
        if (strstr(message.p, cases[i][1]) == NULL) {
            fail_msg("%s: %s", cases[i][0], message.p);
        }
    }
}

static void test_constraints(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{}", "1 validation error detected: Value null at 'tableName' failed to satisfy "
                "constraint: Member must not be null" },
        { "{\"TableName\":\"ab\"}",
                "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy "
                "constraint: Member must have length greater than or equal to 3" },
        { "{\"TableName\":\"ab!\"}",
                "1 validation error detected: Value 'ab!' at 'tableName' failed to satisfy "
                "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+" },
        { "{\"TableName\":\"abc\",\"Digits\":\"1a\"}",
                "1 validation error detected: Value '1a' at 'digits' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^[0-9]+$" },
        { "{\"TableName\":\"abc\",\"Limit\":0}",
                "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "
                "Member must have value greater than or equal to 1" },
        { "{\"TableName\":\"abc\",\"Limit\":101}",
                "1 validation error detected: Value '101' at 'limit' failed to satisfy "
                "constraint: Member must have value less than or equal to 100" },
        { "{\"TableName\":\"abc\",\"List\":[{\"Name\":\"a\"},{\"Name\":\"b\",\"Kind\":\"HAS\"}]}",
                "1 validation error detected: Value 'HAS' at 'list.2.member.kind' failed to "
                "satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]" },
        { "{\"TableName\":\"abc\",\"Inner\":{}}",
                "1 validation error detected: Value null at 'inner.name' failed to satisfy "
                "constraint: Member must not be null" },
        { "{\"TableName\":\"abc\",\"Strings\":[]}",
                "1 validation error detected: Value at 'strings' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1" },
        { "{\"TableName\":\"abc\",\"Map\":{\"Aa\":{\"List\":[]}}}",
                "1 validation error detected: Value at 'map.Aa.member.list' failed to satisfy "
                "constraint: Member must have length greater than or equal to 1" },
        { "{\"TableName\":\"abc\",\"Lists\":{\"Aa\":[{\"Name\":\"123456\"}]}}",
                "1 validation error detected: Value '123456' at "
                "'lists.Aa.member.1.member.name' failed to satisfy constraint: Member must have "
                "length less than or equal to 5" },
        { "{\"Limit\":0}",
                "2 validation errors detected: Value null at 'tableName' failed to satisfy "
                "constraint: Member must not be null; Value '0' at 'limit' failed to satisfy "
                "constraint: Member must have value greater than or equal to 1" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_str message = { 0 };
        assert_int_equal(weir_wire_check(&outer_shape, read_fine(cases[i][0]), &arena, &message),
                WEIR_WIRE_VALIDATION);
        assert_str(message, cases[i][1]);
    }
    struct weir_str message = { 0 };
    assert_int_equal(weir_wire_check(&outer_shape,
                             read_fine("{\"TableName\":\"arn:aws:dynamodb:x:y:table/abc\"}"),
                             &arena, &message),
            WEIR_WIRE_FINE);
}

static void test_values(void **state)
{
    (void)state;
    assert_true(weir_wire_is_one_of("[A, BC]", WEIR_STR("A")));
    assert_true(weir_wire_is_one_of("[A, BC]", WEIR_STR("BC")));
    assert_false(weir_wire_is_one_of("[A, BC]", WEIR_STR("B")));
    assert_false(weir_wire_is_one_of("[A, BC]", WEIR_STR("C")));
    assert_false(weir_wire_is_one_of("[A, BC]", WEIR_STR("")));
    assert_false(weir_wire_is_one_of("[A, BC]", WEIR_STR("A, BC")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_type_is_read, fini_arena),
        cmocka_unit_test_teardown(test_absent_null_and_unknown_members, fini_arena),
        cmocka_unit_test_teardown(test_texts_outlive_the_body, fini_arena),
        cmocka_unit_test_teardown(test_times, fini_arena),
        cmocka_unit_test_teardown(test_refused_members, fini_arena),
        cmocka_unit_test_teardown(test_faults_of_reading, fini_arena),
        cmocka_unit_test_teardown(test_no_json_gives_the_place, fini_arena),
        cmocka_unit_test_teardown(test_constraints, fini_arena),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
