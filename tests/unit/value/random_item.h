/* Random values of every type, for the tests of this folder. */
#ifndef WEIR_TESTS_RANDOM_ITEM_H
#define WEIR_TESTS_RANDOM_ITEM_H

#include <stdio.h>

#include "base/random.h"
#include "value/item.h"

/* A decimal of any length and range. */
static inline struct weir_decimal random_decimal(struct weir_random *random)
{
    char text[64];
    size_t n = 0;
    size_t digits = 1 + weir_random_below(random, weir_random_below(random, 4) == 0 ? 38 : 4);
    text[n++] = weir_random_below(random, 2) != 0 ? '-' : '+';
    for (size_t i = 0; i < digits; i++) {
        text[n++] = (char)('0' + weir_random_below(random, 10));
    }
    int span = weir_random_below(random, 4) == 0 ? 80 : 3;
    int exponent = (int)weir_random_below(random, 2 * (uint64_t)span) - span;
    snprintf(text + n, sizeof(text) - n, "e%d", exponent);
    struct weir_decimal value = { 0 };
    weir_assert(weir_decimal_parse(weir_str_z(text), &value, NULL) == WEIR_OK);
    return value;
}

/* A few bytes that are also UTF-8, zeros and control bytes among them; mostly short. */
static inline struct weir_str random_text(struct weir_random *random, char text[static 300])
{
    static const char alphabet[] = "\0\001\n\"\\ab\x7f";
    size_t n = weir_random_below(random, weir_random_below(random, 8) == 0 ? 300 : 6);
    for (size_t i = 0; i < n; i++) {
        text[i] = alphabet[weir_random_below(random, sizeof(alphabet) - 1)];
    }
    return weir_str(text, n);
}

/* A scalar: S, N or B. */
static inline void random_scalar(
        struct weir_random *random, struct weir_item_builder *builder, enum weir_type type)
{
    char text[300];
    if (type == WEIR_TYPE_N) {
        weir_item_n(builder, random_decimal(random));
    } else if (type == WEIR_TYPE_S) {
        weir_item_s(builder, random_text(random, text));
    } else {
        weir_item_b(builder, random_text(random, text));
    }
}

/* A value of any type but sets, whose elements would have to differ. */
static inline void random_value(
        struct weir_random *random, struct weir_item_builder *builder, unsigned depth)
{
    char text[300];
    enum weir_type type = (enum weir_type)(1 + weir_random_below(random, depth < 4 ? 7 : 5));
    if (type == WEIR_TYPE_BOOL) {
        weir_item_bool(builder, weir_random_below(random, 2) != 0);
    } else if (type == WEIR_TYPE_NULL) {
        weir_item_null(builder);
    } else if (type < WEIR_TYPE_BOOL) {
        random_scalar(random, builder, type);
    } else {
        weir_item_open(builder, type);
        for (size_t i = weir_random_below(random, 5); i > 0; i--) {
            if (type == WEIR_TYPE_M) {
                weir_item_name(builder, random_text(random, text));
            }
            random_value(random, builder, depth + 1);
        }
        weir_item_close(builder);
    }
}

/* A whole item of up to 40 attributes. */
static inline struct weir_item random_item(struct weir_random *random, struct weir_arena *arena)
{
    char text[300];
    struct weir_item item;
    struct weir_item_builder *builder = weir_item_begin(arena);
    for (size_t i = weir_random_below(random, 40); i > 0; i--) {
        weir_item_name(builder, random_text(random, text));
        random_value(random, builder, 0);
    }
    weir_assert(weir_item_finish(builder, &item, NULL) == WEIR_OK);
    return item;
}

#endif
