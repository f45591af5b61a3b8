#include "../test.h"
#include "random_item.h"
#include "value/ddbjson.h"
#include "value/item.h"
#include "value/member.h"

/* Read everything in a value; the sum keeps the reads from being left out. */
static size_t read_value(struct weir_value value)
{
    size_t sum = value.type + weir_value_size(value) + weir_value_str(value).n +
                 (size_t)weir_value_bool(value) + (size_t)weir_value_decimal(value).exponent;
    size_t count = weir_value_count(value);
    for (size_t i = 0; i < count; i++) {
        struct weir_str name;
        sum += read_value(value.type == WEIR_TYPE_M ? weir_item_at(weir_value_map(value), i, &name)
                                                    : weir_value_at(value, i));
    }
    return sum;
}

static size_t read_item(struct weir_item item)
{
    size_t sum = weir_item_size(item);
    for (size_t i = 0; i < weir_item_count(item); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(item, i, &name);
        sum += read_value(value) + (weir_item_get(item, name).type == value.type);
    }
    return sum;
}

static struct weir_item finish(struct weir_item_builder *builder)
{
    struct weir_item item;
    struct weir_err err;
    if (weir_item_finish(builder, &item, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(weir_item_check(item, NULL), WEIR_OK);
    return item;
}

static void attributes_are_found_by_name(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    /* 5, 16 and 17 stand on both sides of the change from looking at each to halving. */
    static const size_t counts[] = { 0, 1, 5, 16, 17, 300, 5000 };
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        struct weir_item_builder *builder = weir_item_begin(&arena);
        for (size_t i = 0; i < counts[c]; i++) {
            weir_item_name(builder, weir_arena_printf(&arena, "name-%zu", i * 7919 % counts[c]));
            weir_item_n(builder, weir_decimal_from_u64(i * 7919 % counts[c]));
        }
        struct weir_item item = finish(builder);
        assert_int_equal(weir_item_count(item), counts[c]);
        for (size_t i = 0; i < counts[c]; i++) {
            struct weir_value value = weir_item_get(item, weir_arena_printf(&arena, "name-%zu", i));
            assert_int_equal(value.type, WEIR_TYPE_N);
            assert_int_equal(
                    weir_decimal_cmp(weir_value_decimal(value), weir_decimal_from_u64(i)), 0);
        }
        assert_int_equal(weir_item_get(item, WEIR_STR("name-")).type, WEIR_TYPE_ABSENT);
        assert_int_equal(weir_item_get(item, WEIR_STR("name-x")).type, WEIR_TYPE_ABSENT);
        assert_int_equal(weir_item_get(item, WEIR_STR("")).type, WEIR_TYPE_ABSENT);
    }
    assert_int_equal(weir_item_get((struct weir_item){ 0 }, WEIR_STR("a")).type, WEIR_TYPE_ABSENT);
    assert_int_equal(weir_item_count((struct weir_item){ 0 }), 0);
}

static void long_names_and_values_are_kept(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    char *bytes = weir_arena_zero(&arena, 70000, 1);
    static const size_t lengths[] = { 0, 1, 8, 16, 17, 127, 128, 255, 256, 16383, 16384, 65535,
        70000 };
    struct weir_item_builder *builder = weir_item_begin(&arena);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        weir_item_name(builder, weir_str(bytes, lengths[i]));
        weir_item_b(builder, weir_str(bytes, lengths[i]));
    }
    struct weir_item item = finish(builder);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(
                weir_value_str(weir_item_get(item, weir_str(bytes, lengths[i]))).n, lengths[i]);
    }
    assert_int_equal(weir_item_get(item, weir_str(bytes, 9)).type, WEIR_TYPE_ABSENT);
}

static void the_last_of_repeated_names_wins(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    for (int i = 0; i < 100; i++) {
        weir_item_name(builder, i % 2 != 0 ? WEIR_STR("b") : WEIR_STR("a"));
        weir_item_n(builder, weir_decimal_from_i64(i));
    }
    struct weir_item item = finish(builder);
    assert_int_equal(weir_item_count(item), 2);
    int64_t last = 0;
    assert_true(weir_decimal_to_i64(weir_value_decimal(weir_item_get(item, WEIR_STR("a"))), &last));
    assert_int_equal(last, 98);
}

static void set_of(struct weir_item_builder *builder, const char *const *elements)
{
    weir_item_name(builder, WEIR_STR("set"));
    weir_item_open(builder, WEIR_TYPE_SS);
    for (; *elements != NULL; elements++) {
        weir_item_s(builder, weir_str_z(*elements));
    }
    weir_item_close(builder);
}

static void sets_are_equal_in_any_order(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item_builder *a = weir_item_begin(&arena);
    struct weir_item_builder *b = weir_item_begin(&arena);
    set_of(a, (const char *const[]){ "x", "", "abc", "ab", NULL });
    set_of(b, (const char *const[]){ "", "ab", "abc", "x", NULL });
    struct weir_item item = finish(a);
    assert_true(weir_item_eq(item, finish(b)));
    struct weir_value set = weir_item_get(item, WEIR_STR("set"));
    assert_int_equal(weir_value_count(set), 4);
    assert_int_equal(weir_value_at(set, 3).type, WEIR_TYPE_S);
    assert_true(weir_str_eq(weir_value_str(weir_value_at(set, 3)), WEIR_STR("x")));
}

static void expect_failure(
        struct weir_item_builder *builder, enum weir_rc expected, const char *message)
{
    struct weir_item item;
    struct weir_err err;
    assert_int_equal(weir_item_finish(builder, &item, &err), expected);
    assert_string_equal(err.msg, message);
}

static void bad_sets_are_refused_with_dynamodbs_messages(void **state)
{
    static const struct {
        enum weir_type type;
        const char *empty;
        const char *twice;
    } cases[] = {
        { WEIR_TYPE_SS,
                "One or more parameter values were invalid: An string set  may not be empty",
                "One or more parameter values were invalid: Input collection [b, a, b] contains "
                "duplicates." },
        { WEIR_TYPE_NS,
                "One or more parameter values were invalid: An number set  may not be empty",
                "Input collection contains duplicates" },
        { WEIR_TYPE_BS,
                "One or more parameter values were invalid: Binary sets should not be empty",
                "One or more parameter values were invalid: Input collection [Yg==, YQ==, Yg==]of "
                "type BS contains duplicates." },
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_item_builder *builder = weir_item_begin(&arena);
        weir_item_name(builder, WEIR_STR("a"));
        weir_item_open(builder, cases[i].type);
        weir_item_close(builder);
        expect_failure(builder, WEIR_E_INVALID, cases[i].empty);

        builder = weir_item_begin(&arena);
        weir_item_name(builder, WEIR_STR("a"));
        weir_item_open(builder, cases[i].type);
        for (size_t k = 0; k < 3; k++) {
            struct weir_str text = k == 1 ? WEIR_STR("a") : WEIR_STR("b");
            if (cases[i].type == WEIR_TYPE_SS) {
                weir_item_s(builder, text);
            } else if (cases[i].type == WEIR_TYPE_BS) {
                weir_item_b(builder, text);
            } else {
                weir_item_n(builder, weir_decimal_from_i64(text.p[0]));
            }
        }
        weir_item_close(builder);
        expect_failure(builder, WEIR_E_INVALID, cases[i].twice);
    }
}

/* An item with lists in lists. */
static struct weir_item_builder *nested(struct weir_arena *arena, int levels)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    weir_item_name(builder, WEIR_STR("a"));
    for (int i = 0; i < levels; i++) {
        weir_item_open(builder, WEIR_TYPE_L);
    }
    weir_item_open(builder, WEIR_TYPE_SS);
    weir_item_s(builder, WEIR_STR("x"));
    for (int i = 0; i < levels + 1; i++) {
        weir_item_close(builder);
    }
    return builder;
}

static void nesting_ends_at_32_levels(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item deep = finish(nested(&arena, 32));
    expect_failure(
            nested(&arena, 33), WEIR_E_INVALID, "Nesting Levels have exceeded supported limits");

    struct weir_item_builder *builder = weir_item_begin(&arena);
    weir_item_name(builder, WEIR_STR("copy"));
    weir_item_value(builder, weir_item_get(deep, WEIR_STR("a")));
    (void)finish(builder);
    builder = weir_item_begin(&arena);
    weir_item_name(builder, WEIR_STR("copy"));
    weir_item_open(builder, WEIR_TYPE_M);
    weir_item_name(builder, WEIR_STR("deeper"));
    weir_item_value(builder, weir_item_get(deep, WEIR_STR("a")));
    weir_item_close(builder);
    expect_failure(builder, WEIR_E_INVALID, "Nesting Levels have exceeded supported limits");
}

static void items_over_16_mebibytes_are_refused(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    char *megabyte = weir_arena_zero(&arena, 1 << 20, 1);
    struct weir_item item;
    for (int count = 15; count <= 16; count++) {
        struct weir_item_builder *builder = weir_item_begin(&arena);
        for (int i = 0; i < count; i++) {
            weir_item_name(builder, weir_arena_printf(&arena, "%d", 99 - i));
            weir_item_b(builder, weir_str(megabyte, 1 << 20));
        }
        assert_int_equal(
                weir_item_finish(builder, &item, NULL), count == 15 ? WEIR_OK : WEIR_E_TOO_LARGE);
    }
}

static size_t size_of(struct weir_arena *arena, const char *text)
{
    struct weir_json json;
    struct weir_item item;
    weir_json_init(&json, weir_str_z(text), arena, 100);
    assert_int_equal(weir_ddbjson_read_item(&json, weir_json_next(&json), &item, NULL), WEIR_OK);
    return weir_item_size(item);
}

static void sizes_are_counted_as_dynamodb_does(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    assert_int_equal(size_of(&arena, "{}"), 0);
    assert_int_equal(size_of(&arena, "{\"abc\":{\"S\":\"h\xc3\xa9\"}}"), 3 + 3);
    assert_int_equal(size_of(&arena, "{\"a\":{\"N\":\"123\"}}"), 1 + 3);
    assert_int_equal(size_of(&arena, "{\"a\":{\"N\":\"-1200\"}}"), 1 + 3);
    assert_int_equal(size_of(&arena, "{\"a\":{\"N\":\"0\"}}"), 1 + 1);
    assert_int_equal(size_of(&arena, "{\"a\":{\"B\":\"AAEC\"}}"), 1 + 3);
    assert_int_equal(size_of(&arena, "{\"a\":{\"NULL\":true},\"b\":{\"BOOL\":false}}"), 4);
    assert_int_equal(size_of(&arena, "{\"a\":{\"SS\":[\"xy\",\"z\"]}}"), 1 + 3);
    assert_int_equal(
            size_of(&arena, "{\"a\":{\"L\":[{\"S\":\"xy\"},{\"BOOL\":true}]}}"), 1 + 3 + 2 + 3);
    assert_int_equal(size_of(&arena, "{\"a\":{\"M\":{\"k\":{\"S\":\"xy\"}}}}"), 1 + 3 + 1 + 1 + 2);
}

static void values_order_within_their_type(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    weir_item_name(builder, WEIR_STR("n9"));
    weir_item_n(builder, weir_decimal_from_i64(9));
    weir_item_name(builder, WEIR_STR("n10"));
    weir_item_n(builder, weir_decimal_from_i64(10));
    weir_item_name(builder, WEIR_STR("s"));
    weir_item_s(builder, WEIR_STR("9"));
    weir_item_name(builder, WEIR_STR("t"));
    weir_item_bool(builder, true);
    struct weir_item item = finish(builder);
    struct weir_value nine = weir_item_get(item, WEIR_STR("n9"));
    struct weir_value text = weir_item_get(item, WEIR_STR("s"));
    struct weir_value truth = weir_item_get(item, WEIR_STR("t"));
    int order = 7;
    assert_true(weir_value_cmp(nine, weir_item_get(item, WEIR_STR("n10")), &order));
    assert_true(order < 0);
    order = 7;
    assert_false(weir_value_cmp(nine, text, &order));
    assert_false(weir_value_cmp(truth, truth, &order));
    assert_int_equal(order, 7);
    assert_false(weir_value_eq(nine, text));
    assert_true(weir_value_eq(truth, truth));
}

static void a_lone_value_stands_without_an_item(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_value value;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    weir_item_open(builder, WEIR_TYPE_L);
    weir_item_s(builder, WEIR_STR("a"));
    weir_item_null(builder);
    weir_item_close(builder);
    assert_int_equal(weir_item_finish_value(builder, &value, NULL), WEIR_OK);
    assert_int_equal(value.type, WEIR_TYPE_L);
    assert_int_equal(weir_value_count(value), 2);
    assert_int_equal(weir_value_at(value, 1).type, WEIR_TYPE_NULL);
}

/* Copy an item's attributes in a random order. */
static struct weir_item shuffled(
        struct weir_random *random, struct weir_arena *arena, struct weir_item item)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    size_t count = weir_item_count(item);
    size_t *order = weir_arena_zero(arena, count + 1, sizeof(*order));
    for (size_t i = 0; i < count; i++) {
        size_t k = weir_random_below(random, i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    for (size_t i = 0; i < count; i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(item, order[i], &name);
        weir_item_name(builder, name);
        weir_item_value(builder, value);
    }
    return finish(builder);
}

static void random_items_are_canonical_and_damage_is_caught(void **state)
{
    const uint64_t seed = 4711;
    struct weir_random random;
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    size_t refused = 0;
    size_t sum = 0;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    weir_random_seed(&random, seed);
    weir_arena_init(&arena);
    for (int i = 0; i < 3000; i++) {
        weir_arena_reset(&arena);
        struct weir_item item = random_item(&random, &arena);
        assert_int_equal(weir_item_check(item, NULL), WEIR_OK);
        assert_true(weir_item_eq(item, shuffled(&random, &arena, item)));
        sum += read_item(item);

        /* Damage some bytes of a copy that ends where the memory ends, or cut it. */
        size_t n = weir_random_below(&random, 4) == 0 ? weir_random_below(&random, item.n) : item.n;
        char *copy = weir_alloc(n > 0 ? n : 1);
        memcpy(copy, item.p, n);
        for (size_t k = weir_random_below(&random, 4); k > 0 && n > 0; k--) {
            copy[weir_random_below(&random, n)] = (char)weir_random_u64(&random);
        }
        struct weir_item damaged = { copy, n };
        if (weir_item_check(damaged, NULL) == WEIR_OK) {
            sum += read_item(damaged);
        } else {
            refused++;
        }
        weir_free(copy);
    }
    assert_true(refused > 500 && sum > 0);
}

static void damaged_items_are_refused(void **state)
{
    static const struct weir_str bad[] = {
        { "", 0 }, { "\x01", 1 }, { "\x03\x00\x00\x00", 4 }, /* no such width */
        { "\x02\x00\x00", 3 },                               /* width 2 where 1 is enough */
        { "\x01\x01\x03\x01"
          "a\x05",
                6 }, /* good but for the byte that is cut */
        { "\x01\x01\x03\x01"
          "a\x05x",
                7 }, /* a byte too many */
        { "\x01\x01\x03\x01"
          "a\x0b",
                6 }, /* no such type */
        { "\x01\x01\x02\x01"
          "a",
                5 }, /* no value */
        { "\x01\x01\x04\x81\x00"
          "a\x05",
                7 }, /* a longer form of the name's length */
        { "\x01\x01\x03\x02"
          "a\x05",
                6 }, /* the name reaches over its value's type */
        { "\x01\x02\x03\x06\x01"
          "b\x05\x01"
          "a\x05",
                10 }, /* not in order */
        { "\x01\x02\x03\x06\x01"
          "a\x05\x01"
          "a\x05",
                10 }, /* a name twice */
        { "\x01\x01\x04\x01"
          "a\x04\x02",
                7 }, /* neither true nor false */
        { "\x01\x01\x05\x01"
          "a\x08\x01\x00",
                8 }, /* an empty set */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_item item = { bad[i].p, bad[i].n };
        if (i != 4) {
            assert_int_equal(weir_item_check(item, NULL), WEIR_E_DAMAGED);
        } else {
            assert_int_equal(weir_item_check(item, NULL), WEIR_OK);
            item.n--;
            assert_int_equal(weir_item_check(item, NULL), WEIR_E_DAMAGED);
        }
    }
}

static void types_have_their_names(void **state)
{
    (void)state;
    for (int type = WEIR_TYPE_S; type <= WEIR_TYPE_BS; type++) {
        const char *name = weir_type_name((enum weir_type)type);
        assert_int_equal(weir_type_parse(weir_str_z(name)), type);
    }
    assert_int_equal(weir_type_parse(WEIR_STR("")), WEIR_TYPE_ABSENT);
    assert_int_equal(weir_type_parse(WEIR_STR("s")), WEIR_TYPE_ABSENT);
    assert_string_equal(weir_type_name(WEIR_TYPE_ABSENT), "");
}

static void members_are_read_as_they_were_written(void **state)
{
    struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    weir_member_put_s(builder, "tag", WEIR_STR("x"));
    struct weir_item tags = weir_member_finish(builder);
    builder = weir_item_begin(&arena);
    weir_member_put_s(builder, "text", WEIR_STR(""));
    weir_member_put_s(builder, "none", weir_str(NULL, 0));
    weir_member_put_u64(builder, "number", UINT64_MAX);
    weir_member_put_bool(builder, "flag", true);
    weir_member_put_time(builder, "time", (struct weir_time){ 1700000000123 });
    weir_member_put_map(builder, "tags", tags);
    weir_member_put_map(builder, "no_tags", (struct weir_item){ 0 });
    struct weir_item item = weir_member_finish(builder);
    assert_int_equal(weir_item_count(item), 6);
    assert_non_null(weir_member_s(item, "text").p);
    assert_null(weir_member_s(item, "none").p);
    assert_null(weir_member_s(item, "number").p);
    assert_true(weir_member_u64(item, "number") == UINT64_MAX);
    assert_int_equal(weir_member_u64(item, "text"), 0);
    assert_true(weir_member_bool(item, "flag"));
    assert_false(weir_member_bool(item, "number"));
    assert_true(weir_member_time(item, "time").ms == 1700000000123);
    assert_true(weir_item_eq(weir_value_map(weir_item_get(item, WEIR_STR("tags"))), tags));
    assert_int_equal(weir_value_count(weir_item_get(item, WEIR_STR("no_tags"))), 0);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_have_their_names),
        cmocka_unit_test(attributes_are_found_by_name),
        cmocka_unit_test(long_names_and_values_are_kept),
        cmocka_unit_test(the_last_of_repeated_names_wins),
        cmocka_unit_test(sets_are_equal_in_any_order),
        cmocka_unit_test(bad_sets_are_refused_with_dynamodbs_messages),
        cmocka_unit_test(nesting_ends_at_32_levels),
        cmocka_unit_test(items_over_16_mebibytes_are_refused),
        cmocka_unit_test(sizes_are_counted_as_dynamodb_does),
        cmocka_unit_test(values_order_within_their_type),
        cmocka_unit_test(a_lone_value_stands_without_an_item),
        cmocka_unit_test(random_items_are_canonical_and_damage_is_caught),
        cmocka_unit_test(damaged_items_are_refused),
        cmocka_unit_test(members_are_read_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
