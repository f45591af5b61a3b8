/* Two numbers in one text: forms that agree, and arithmetic that can be undone. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "value/decimal.h"

static void check_forms(struct weir_decimal a)
{
    char text[WEIR_DECIMAL_TEXT];
    unsigned char bytes[WEIR_DECIMAL_BYTES];
    struct weir_decimal again;
    size_t n = weir_decimal_format(a, text);
    weir_assert(n < sizeof(text) && text[n] == '\0');
    weir_assert(weir_decimal_parse(weir_str(text, n), &again, NULL) == WEIR_OK);
    weir_assert(again.coefficient == a.coefficient && again.exponent == a.exponent);
    n = weir_decimal_encode(a, bytes);
    weir_assert(weir_decimal_decode(weir_str((const char *)bytes, n), &again, NULL) == WEIR_OK);
    weir_assert(again.coefficient == a.coefficient && again.exponent == a.exponent);
    double near = weir_decimal_to_double(a);
    int order = weir_decimal_cmp_double(a, near);
    weir_assert(order >= -1 && order <= 1);
    for (int how = WEIR_ROUND_HALF_EVEN; how <= WEIR_ROUND_CEIL; how++) {
        struct weir_decimal whole = weir_decimal_round(a, 0, (enum weir_rounding)how);
        weir_assert(weir_decimal_is_integral(whole));
        weir_assert(how != WEIR_ROUND_FLOOR || weir_decimal_cmp(whole, a) <= 0);
        weir_assert(how != WEIR_ROUND_CEIL || weir_decimal_cmp(whole, a) >= 0);
    }
    if (weir_decimal_from_double(near, &again, NULL) == WEIR_OK) {
        weir_assert(weir_decimal_to_double(again) == near);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_str text = weir_str((const char *)data, size);
    const char *space = size > 0 ? memchr(data, ' ', size) : NULL;
    size_t first = space != NULL ? (size_t)(space - text.p) : size;
    struct weir_decimal a = { 0 };
    struct weir_decimal b = { .coefficient = 7, .exponent = -1 };
    struct weir_decimal result;
    struct weir_decimal back;
    struct weir_err err;

    if (weir_decimal_decode(text, &a, NULL) == WEIR_OK) {
        check_forms(a);
    }
    if (weir_decimal_parse(weir_str(text.p, first), &a, &err) != WEIR_OK) {
        return 0;
    }
    check_forms(a);
    if (space != NULL) {
        struct weir_str rest = weir_str(space + 1, size - first - 1);
        if (weir_decimal_parse(rest, &b, NULL) != WEIR_OK) {
            return 0;
        }
    }
    weir_assert(weir_decimal_cmp(a, b) == -weir_decimal_cmp(b, a));
    if (weir_decimal_add(a, b, &result, NULL) == WEIR_OK) {
        check_forms(result);
        weir_assert(weir_decimal_add(b, a, &back, NULL) == WEIR_OK);
        weir_assert(weir_decimal_cmp(result, back) == 0);
    }
    if (weir_decimal_sub(a, b, &result, NULL) == WEIR_OK) {
        check_forms(result);
        weir_assert((result.coefficient > 0) - (result.coefficient < 0) == weir_decimal_cmp(a, b));
    }
    if (weir_decimal_mul(a, b, &result, NULL) == WEIR_OK) {
        check_forms(result);
    }
    if (weir_decimal_div(a, b, &result, NULL) == WEIR_OK) {
        check_forms(result);
    }
    if (weir_decimal_rem(a, b, &result, NULL) == WEIR_OK) {
        check_forms(result);
    }
    return 0;
}
