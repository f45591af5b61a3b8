#include "../test.h"
#include "random_item.h"
#include "value/key.h"

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static struct weir_value number(struct weir_arena *arena, const char *text)
{
    struct weir_decimal decimal;
    struct weir_value value;
    struct weir_item_builder *builder = weir_item_begin(arena);
    assert_int_equal(weir_decimal_parse(weir_str_z(text), &decimal, NULL), WEIR_OK);
    weir_item_n(builder, decimal);
    assert_int_equal(weir_item_finish_value(builder, &value, NULL), WEIR_OK);
    return value;
}

static struct weir_str encode(struct weir_arena *arena, struct weir_value value)
{
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
    assert_int_equal(weir_key_add(&buf, value, NULL), WEIR_OK);
    return weir_arena_str(arena, weir_buf_view(&buf));
}

static void assert_decodes(struct weir_arena *arena, struct weir_str key, struct weir_value value)
{
    struct weir_str rest = key;
    struct weir_value again;
    assert_int_equal(weir_key_next(&rest, arena, &again, NULL), WEIR_OK);
    assert_int_equal(rest.n, 0);
    assert_true(weir_value_eq(value, again));
    rest = key;
    assert_int_equal(weir_key_skip(&rest, NULL), WEIR_OK);
    assert_int_equal(rest.n, 0);
}

static void numbers_order_from_end_to_end(void **state)
{
    static const char *const ascending[] = { "-9.9999999999999999999999999999999999999e125",
        "-1e125", "-101", "-100.5", "-100", "-99", "-10", "-9.9", "-1", "-0.5", "-0.05",
        "-1.1e-130", "-1e-130", "0", "1e-130", "1.1e-130", "1e-129", "0.05", "0.5", "0.51", "1",
        "9", "9.9", "10", "11", "99", "99.99", "100", "100.5", "101", "1000",
        "12345678901234567890123456789012345678", "1e125",
        "9.9999999999999999999999999999999999999e125" };
    enum { COUNT = sizeof(ascending) / sizeof(ascending[0]) };
    struct weir_str keys[COUNT];
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    weir_arena_init(&arena);
    for (size_t i = 0; i < COUNT; i++) {
        struct weir_value value = number(&arena, ascending[i]);
        keys[i] = encode(&arena, value);
        assert_decodes(&arena, keys[i], value);
        for (size_t k = 0; k < i; k++) {
            if (weir_str_cmp(keys[k], keys[i]) >= 0) {
                fail_msg("%s is not before %s", ascending[k], ascending[i]);
            }
        }
    }
}

static struct weir_value random_key(
        struct weir_random *random, struct weir_arena *arena, enum weir_type type)
{
    struct weir_value value;
    struct weir_item_builder *builder = weir_item_begin(arena);
    random_scalar(random, builder, type);
    assert_int_equal(weir_item_finish_value(builder, &value, NULL), WEIR_OK);
    return value;
}

static void keys_order_as_values_and_none_begins_another(void **state)
{
    const uint64_t seed = 99;
    struct weir_random random;
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    weir_random_seed(&random, seed);
    weir_arena_init(&arena);
    for (int i = 0; i < 30000; i++) {
        weir_arena_reset(&arena);
        enum weir_type type = (enum weir_type)(WEIR_TYPE_S + weir_random_below(&random, 3));
        struct weir_value a = random_key(&random, &arena, type);
        struct weir_value b = random_key(&random, &arena, type);
        struct weir_str key_a = encode(&arena, a);
        struct weir_str key_b = encode(&arena, b);
        int order = 0;
        assert_true(weir_value_cmp(a, b, &order));
        assert_int_equal(sign(weir_str_cmp(key_a, key_b)), sign(order));
        if (order != 0) {
            assert_false(weir_str_starts(key_a, key_b) || weir_str_starts(key_b, key_a));
        }
        assert_decodes(&arena, key_a, a);
    }
}

static void prefixes_begin_the_keys_of_what_they_begin(void **state)
{
    const uint64_t seed = 5;
    struct weir_random random;
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    int hits = 0;
    (void)state;
    weir_random_seed(&random, seed);
    weir_arena_init(&arena);
    for (int i = 0; i < 5000; i++) {
        WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
        weir_arena_reset(&arena);
        weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
        struct weir_value whole = random_key(&random, &arena, WEIR_TYPE_S);
        struct weir_value start = random_key(&random, &arena, WEIR_TYPE_S);
        assert_int_equal(weir_key_add_prefix(&buf, start, NULL), WEIR_OK);
        bool expected = weir_str_starts(whole.body, start.body);
        assert_int_equal(weir_str_starts(encode(&arena, whole), weir_buf_view(&buf)), expected);
        hits += expected;
    }
    assert_true(hits > 100);
}

static void several_values_stand_behind_each_other(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    struct weir_value text = { WEIR_TYPE_S, { "a\0b", 3 } };
    struct weir_value bytes = { WEIR_TYPE_B, { "", 0 } };
    struct weir_value value;
    (void)state;
    weir_arena_init(&arena);
    weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
    assert_int_equal(weir_key_add(&buf, text, NULL), WEIR_OK);
    assert_int_equal(weir_key_add(&buf, number(&arena, "-12.5"), NULL), WEIR_OK);
    assert_int_equal(weir_key_add(&buf, bytes, NULL), WEIR_OK);
    struct weir_str rest = weir_buf_view(&buf);
    assert_int_equal(weir_key_next(&rest, &arena, &value, NULL), WEIR_OK);
    assert_true(weir_value_eq(value, text));
    assert_int_equal(weir_key_skip(&rest, NULL), WEIR_OK);
    assert_int_equal(weir_key_next(&rest, &arena, &value, NULL), WEIR_OK);
    assert_true(weir_value_eq(value, bytes));
    assert_int_equal(weir_key_next(&rest, &arena, &value, NULL), WEIR_E_DAMAGED);
}

static void other_types_and_damaged_keys_are_refused(void **state)
{
    static const struct weir_str bad[] = {
        { "", 0 },
        { "\x11"
          "a\0\x01",
                4 },
        { "\x10"
          "a",
                2 },
        { "\x10"
          "a\0",
                3 },
        { "\x10"
          "a\0\x02",
                4 },
        { "\x22\x40", 2 }, { "\x22\x40\0", 3 }, /* no digits */
        { "\x22\x40\x01\0", 4 },                /* a zero in front */
        { "\x22\x40\x06\x01\0", 5 },            /* zeros at the end */
        { "\x22\x40\xf0\0", 4 },                /* no pair of digits */
        { "\x22\xf0\x06\0", 4 },                /* out of range */
    };
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    struct weir_value value;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_str bytes = bad[i];
        assert_int_equal(weir_key_next(&bytes, &arena, &value, NULL), WEIR_E_DAMAGED);
        assert_ptr_equal(bytes.p, bad[i].p);
    }
    struct weir_value truth = { WEIR_TYPE_BOOL, { "\x01", 1 } };
    assert_int_equal(weir_key_add(&buf, truth, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "expected a key value of type S, N or B, found BOOL");
    assert_int_equal(weir_key_add_prefix(&buf, number(&arena, "1"), NULL), WEIR_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_order_from_end_to_end),
        cmocka_unit_test(keys_order_as_values_and_none_begins_another),
        cmocka_unit_test(prefixes_begin_the_keys_of_what_they_begin),
        cmocka_unit_test(several_values_stand_behind_each_other),
        cmocka_unit_test(other_types_and_damaged_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
