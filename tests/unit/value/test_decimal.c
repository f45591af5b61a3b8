#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../test.h"
#include "base/random.h"
#include "value/decimal.h"

static struct weir_decimal number(const char *text)
{
    struct weir_decimal value = { 0 };
    struct weir_err err;
    if (weir_decimal_parse(weir_str_z(text), &value, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return value;
}

static void assert_text(struct weir_decimal value, const char *expected)
{
    char text[WEIR_DECIMAL_TEXT];
    size_t n = weir_decimal_format(value, text);
    assert_int_equal(n, strlen(text));
    assert_string_equal(text, expected);
}

static void numbers_are_printed_in_plain_notation(void **state)
{
    static const char *const pairs[][2] = {
        { "0", "0" },
        { "-0", "0" },
        { "0.000e99999", "0" },
        { "+1", "1" },
        { "1.", "1" },
        { ".5", "0.5" },
        { "-00.50", "-0.5" },
        { "1.5E3", "1500" },
        { "12345678901234567890.12345678", "12345678901234567890.12345678" },
        { "99999999999999999999999999999999999999", "99999999999999999999999999999999999999" },
        { "1000000000000000000000000000000000000000000",
                "1000000000000000000000000000000000000000000" },
        { "100e-2", "1" },
        { "1e-7", "0.0000001" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_text(number(pairs[i][0]), pairs[i][1]);
    }
    char text[WEIR_DECIMAL_TEXT];
    assert_int_equal(weir_decimal_format(number("1e-130"), text), 132);
    assert_int_equal(
            weir_decimal_format(number("-1.2345678901234567890123456789012345678e-130"), text),
            170);
}

static void refused_numbers_carry_dynamodbs_messages(void **state)
{
    static const char *const pairs[][2] = {
        { "", "The parameter cannot be converted to a numeric value" },
        { "a", "The parameter cannot be converted to a numeric value: a" },
        { ".", "The parameter cannot be converted to a numeric value: ." },
        { "-", "The parameter cannot be converted to a numeric value: -" },
        { "1e", "The parameter cannot be converted to a numeric value: 1e" },
        { "1e+", "The parameter cannot be converted to a numeric value: 1e+" },
        { " 1", "The parameter cannot be converted to a numeric value:  1" },
        { "1 ", "The parameter cannot be converted to a numeric value: 1 " },
        { "0x1", "The parameter cannot be converted to a numeric value: 0x1" },
        { "1.2.3", "The parameter cannot be converted to a numeric value: 1.2.3" },
        { "NaN", "The parameter cannot be converted to a numeric value: NaN" },
        { "123456789012345678901234567890123456789",
                "Attempting to store more than 38 significant digits in a Number" },
        { "1e126", "Number overflow. Attempting to store a number with magnitude larger than "
                   "supported range" },
        { "-1e99999999999999999999", "Number overflow. Attempting to store a number with magnitude "
                                     "larger than supported range" },
        { "1e-131", "Number underflow. Attempting to store a number with magnitude smaller than "
                    "supported range" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct weir_decimal value;
        struct weir_err err;
        assert_int_equal(weir_decimal_parse(weir_str_z(pairs[i][0]), &value, &err), WEIR_E_INVALID);
        assert_string_equal(err.msg, pairs[i][1]);
    }
    (void)number("9.9999999999999999999999999999999999999e125");
    (void)number("1e-130");
}

struct sum {
    char operation;
    const char *a;
    const char *b;
    const char *expected; /* NULL: refused */
};

static void arithmetic_rounds_half_to_even_at_38_digits(void **state)
{
    static const struct sum sums[] = {
        { '+', "1", "2.5", "3.5" },
        { '+', "99999999999999999999999999999999999999", "1",
                "100000000000000000000000000000000000000" },
        { '+', "10000000000000000000000000000000000001", "0.5",
                "10000000000000000000000000000000000002" },
        { '+', "10000000000000000000000000000000000002", "0.5",
                "10000000000000000000000000000000000002" },
        { '+', "10000000000000000000000000000000000002", "0.50000000000000000000000000000001",
                "10000000000000000000000000000000000003" },
        { '-', "10000000000000000000000000000000000001", "1e-130",
                "10000000000000000000000000000000000001" },
        { '-', "1e100", "1e100", "0" },
        { '-', "0.3", "0.1", "0.2" },
        { '*', "1.1", "-1.1", "-1.21" },
        { '*', "99999999999999999999999999999999999999", "99999999999999999999999999999999999999",
                "9999999999999999999999999999999999999800000000000000000000000000000000000000" },
        { '*', "1e100", "1e26", NULL },
        { '*', "1e-100", "1e-31", NULL },
        { '/', "1", "3", "0.33333333333333333333333333333333333333" },
        { '/', "2", "-3", "-0.66666666666666666666666666666666666667" },
        { '/', "1", "0", NULL },
        { '/', "0", "5", "0" },
        { '%', "7", "-3", "1" },
        { '%', "-7", "3", "-1" },
        { '%', "1e125", "7", "5" },
        { '%', "3", "1e100", "3" },
        { '%', "1.5", "1", NULL },
        { '%', "1", "0", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++) {
        struct weir_decimal a = number(sums[i].a);
        struct weir_decimal b = number(sums[i].b);
        struct weir_decimal result = { 0 };
        enum weir_rc rc = WEIR_OK;
        switch (sums[i].operation) {
        case '+':
            rc = weir_decimal_add(a, b, &result, NULL);
            break;
        case '-':
            rc = weir_decimal_sub(a, b, &result, NULL);
            break;
        case '*':
            rc = weir_decimal_mul(a, b, &result, NULL);
            break;
        case '/':
            rc = weir_decimal_div(a, b, &result, NULL);
            break;
        default:
            rc = weir_decimal_rem(a, b, &result, NULL);
            break;
        }
        assert_int_equal(rc, sums[i].expected != NULL ? WEIR_OK : WEIR_E_INVALID);
        if (rc == WEIR_OK) {
            assert_text(result, sums[i].expected);
        }
    }
}

static void rounding_goes_the_way_it_is_told(void **state)
{
    static const struct {
        const char *value;
        int places;
        const char *expected[5]; /* in the order of enum weir_rounding */
    } cases[] = {
        { "2.5", 0, { "2", "3", "2", "2", "3" } },
        { "-2.5", 0, { "-2", "-3", "-2", "-3", "-2" } },
        { "3.5", 0, { "4", "4", "3", "3", "4" } },
        { "0.01", 0, { "0", "0", "0", "0", "1" } },
        { "-1e-130", 0, { "0", "0", "0", "-1", "0" } },
        { "1250", -2, { "1200", "1300", "1200", "1200", "1300" } },
        { "1.005", 2, { "1", "1.01", "1", "1", "1.01" } },
        { "7", 5, { "7", "7", "7", "7", "7" } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int how = 0; how < 5; how++) {
            assert_text(weir_decimal_round(
                                number(cases[i].value), cases[i].places, (enum weir_rounding)how),
                    cases[i].expected[how]);
        }
    }
    assert_text(weir_decimal_round(number("9e125"), -126, WEIR_ROUND_CEIL),
            "9000000000000000000"
            "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
            "0000000000000000000000");
}

static void doubles_convert_to_their_shortest_text(void **state)
{
    struct weir_decimal value;
    (void)state;
    assert_int_equal(weir_decimal_from_double(0.1, &value, NULL), WEIR_OK);
    assert_text(value, "0.1");
    assert_int_equal(weir_decimal_from_double(-1e23, &value, NULL), WEIR_OK);
    assert_text(value, "-100000000000000000000000");
    assert_int_equal(weir_decimal_from_double(5e-324, &value, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_decimal_from_double(1e300, &value, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_decimal_from_double(INFINITY, &value, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_decimal_from_double(NAN, &value, NULL), WEIR_E_INVALID);
}

static void comparing_with_a_double_is_exact(void **state)
{
    (void)state;
    assert_int_equal(weir_decimal_cmp_double(number("0.5"), 0.5), 0);
    assert_int_equal(weir_decimal_cmp_double(number("-1500"), -1500.0), 0);
    /* The double nearest to 0.1 is a little more than it. */
    assert_int_equal(weir_decimal_cmp_double(number("0.1"), 0.1), -1);
    assert_int_equal(weir_decimal_cmp_double(number("-0.1"), -0.1), 1);
    assert_int_equal(weir_decimal_cmp_double(number("9007199254740993"), 9007199254740992.0), 1);
    assert_int_equal(weir_decimal_cmp_double(number("1e23"), 1e23), 1);
    assert_int_equal(weir_decimal_cmp_double(number("1e125"), INFINITY), -1);
    assert_int_equal(weir_decimal_cmp_double(number("1"), NAN), 2);
    assert_int_equal(weir_decimal_cmp_double(number("0"), -0.0), 0);
}

static void integers_convert_when_they_fit(void **state)
{
    int64_t i = 0;
    uint64_t u = 0;
    (void)state;
    assert_text(weir_decimal_from_i64(INT64_MIN), "-9223372036854775808");
    assert_text(weir_decimal_from_u64(UINT64_MAX), "18446744073709551615");
    assert_true(weir_decimal_to_i64(number("-9223372036854775808.9"), &i));
    assert_true(i == INT64_MIN);
    assert_false(weir_decimal_to_i64(number("9223372036854775808"), &i));
    assert_true(weir_decimal_to_u64(number("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(weir_decimal_to_u64(number("-1"), &u));
    assert_true(weir_decimal_to_u64(number("-0.9"), &u));
    assert_false(weir_decimal_to_i64(number("1e125"), &i));
    assert_true(weir_decimal_is_integral(number("1e5")));
    assert_false(weir_decimal_is_integral(number("1e-5")));
}

static struct weir_decimal random_number(struct weir_random *random)
{
    char text[64];
    size_t n = 0;
    size_t digits = 1 + weir_random_below(random, 38);
    text[n++] = weir_random_below(random, 2) != 0 ? '-' : '+';
    for (size_t i = 0; i < digits; i++) {
        text[n++] = (char)('0' + weir_random_below(random, 10));
    }
    snprintf(text + n, sizeof(text) - n, "e%d", (int)weir_random_below(random, 60) - 60);
    return number(text);
}

static void random_numbers_keep_their_value(void **state)
{
    const uint64_t seed = 20251125;
    struct weir_random random;
    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    weir_random_seed(&random, seed);
    for (int i = 0; i < 20000; i++) {
        struct weir_decimal a = random_number(&random);
        struct weir_decimal b = random_number(&random);
        struct weir_decimal again;
        struct weir_decimal difference;
        char text[WEIR_DECIMAL_TEXT];
        unsigned char bytes[WEIR_DECIMAL_BYTES];
        weir_decimal_format(a, text);
        again = number(text);
        assert_true(again.coefficient == a.coefficient && again.exponent == a.exponent);
        size_t n = weir_decimal_encode(a, bytes);
        assert_int_equal(weir_decimal_decode(weir_str((char *)bytes, n), &again, NULL), WEIR_OK);
        assert_true(again.coefficient == a.coefficient && again.exponent == a.exponent);
        assert_int_equal(weir_decimal_sub(a, b, &difference, NULL), WEIR_OK);
        assert_int_equal(weir_decimal_cmp(a, b), weir_decimal_cmp(difference, number("0")));
        double near = weir_decimal_to_double(a);
        assert_true(near == strtod(text, NULL));
        assert_int_equal(weir_decimal_cmp_double(a, nextafter(near, INFINITY)), -1);
        assert_int_equal(weir_decimal_cmp_double(a, nextafter(near, -INFINITY)), 1);
    }
}

static void damaged_bytes_are_refused(void **state)
{
    static const struct weir_str bad[] = {
        { "", 0 }, { "\x01", 1 }, { "\x01\x00\x0a", 3 }, /* ten has two digits */
        { "\x02\x00\x0a", 3 },                           /* ten ends in a zero */
        { "\x01\x00\x07\x00", 4 },                       /* a zero byte too many */
        { "\x80\x00", 2 },                               /* negative zero */
        { "\x41\x00\x07", 3 },                           /* exponent minus zero */
        { "\x01\x7e\x07", 3 },                           /* 7e126 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct weir_decimal value;
        assert_int_equal(weir_decimal_decode(bad[i], &value, NULL), WEIR_E_DAMAGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_printed_in_plain_notation),
        cmocka_unit_test(refused_numbers_carry_dynamodbs_messages),
        cmocka_unit_test(arithmetic_rounds_half_to_even_at_38_digits),
        cmocka_unit_test(rounding_goes_the_way_it_is_told),
        cmocka_unit_test(doubles_convert_to_their_shortest_text),
        cmocka_unit_test(comparing_with_a_double_is_exact),
        cmocka_unit_test(integers_convert_when_they_fit),
        cmocka_unit_test(random_numbers_keep_their_value),
        cmocka_unit_test(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
