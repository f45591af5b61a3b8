/* Whether one leaf matches one of the alternatives. */
#include "pattern/pattern_int.h"

static bool is_among(const struct weir_pattern_choice *choice, struct weir_str text)
{
    const struct weir_str *strings = choice->strings;
    if (choice->string_count <= 8) {
        for (size_t i = 0; i < choice->string_count; i++) {
            if (weir_str_eq(strings[i], text)) {
                return true;
            }
        }
        return false;
    }
    size_t low = 0;
    size_t high = choice->string_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = weir_str_cmp(text, strings[middle]);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

static bool holds(unsigned relation, int order)
{
    unsigned actual = order < 0   ? WEIR_PATTERN_LESS
                      : order > 0 ? WEIR_PATTERN_GREATER
                                  : WEIR_PATTERN_EQUAL;
    return (relation & actual) != 0;
}

static int order_of(double a, double b)
{
    return (a > b) - (a < b);
}

static bool number_matches(
        const struct weir_pattern_matcher *matcher, const struct weir_pattern_leaf *leaf)
{
    if (!leaf->comparable) {
        return false;
    }
    bool range = matcher->op == WEIR_PATTERN_OP_RANGE;
    unsigned low = range ? matcher->low : WEIR_PATTERN_EQUAL;
    int to_low = matcher->item_mode ? weir_decimal_cmp(leaf->decimal, matcher->low_decimal)
                                    : order_of(leaf->number, matcher->low_number);
    if (!holds(low, to_low)) {
        return false;
    }
    if (!range || matcher->high == 0) {
        return true;
    }
    return holds(matcher->high, matcher->item_mode
                                        ? weir_decimal_cmp(leaf->decimal, matcher->high_decimal)
                                        : order_of(leaf->number, matcher->high_number));
}

static bool in_block(const struct weir_pattern_matcher *matcher, struct weir_str text)
{
    unsigned char address[16];
    if (weir_pattern_address(text, address) != matcher->address_size) {
        return false;
    }
    unsigned whole = matcher->address_bits / 8;
    unsigned rest = matcher->address_bits % 8;
    if (memcmp(address, matcher->address, whole) != 0) {
        return false;
    }
    return rest == 0 || (address[whole] ^ matcher->address[whole]) >> (8 - rest) == 0;
}

static bool ends(struct weir_str text, struct weir_str suffix)
{
    return text.n >= suffix.n &&
           (suffix.n == 0 || memcmp(text.p + text.n - suffix.n, suffix.p, suffix.n) == 0);
}

static bool folded_matches(const struct weir_pattern_matcher *matcher, struct weir_str text)
{
    bool all = matcher->op == WEIR_PATTERN_OP_FOLD;
    if (matcher->op == WEIR_PATTERN_OP_FOLD_SUFFIX) {
        return matcher->item_mode
                       ? weir_pattern_fold_end(matcher->text, text)
                       : weir_pattern_letters_end(matcher->letters, matcher->letter_count, text);
    }
    return matcher->item_mode
                   ? weir_pattern_fold_start(matcher->text, text, all)
                   : weir_pattern_letters_start(matcher->letters, matcher->letter_count, text, all);
}

static bool matcher_matches(
        const struct weir_pattern_matcher *matcher, const struct weir_pattern_leaf *leaf)
{
    bool string = leaf->kind == WEIR_PATTERN_LEAF_STRING;
    switch (matcher->op) {
    case WEIR_PATTERN_OP_NUMBER:
    case WEIR_PATTERN_OP_RANGE:
        return leaf->kind == WEIR_PATTERN_LEAF_NUMBER && number_matches(matcher, leaf);
    case WEIR_PATTERN_OP_NUMBER_TEXT:
        return leaf->kind == WEIR_PATTERN_LEAF_NUMBER && weir_str_eq(matcher->text, leaf->text);
    case WEIR_PATTERN_OP_TRUE:
        return leaf->kind == WEIR_PATTERN_LEAF_TRUE;
    case WEIR_PATTERN_OP_FALSE:
        return leaf->kind == WEIR_PATTERN_LEAF_FALSE;
    case WEIR_PATTERN_OP_NULL:
        return leaf->kind == WEIR_PATTERN_LEAF_NULL;
    case WEIR_PATTERN_OP_PREFIX:
        return string && weir_str_starts(leaf->text, matcher->text);
    case WEIR_PATTERN_OP_SUFFIX:
        return string && ends(leaf->text, matcher->text);
    case WEIR_PATTERN_OP_FOLD:
    case WEIR_PATTERN_OP_FOLD_PREFIX:
    case WEIR_PATTERN_OP_FOLD_SUFFIX:
        return string && folded_matches(matcher, leaf->text);
    case WEIR_PATTERN_OP_WILDCARD:
        return string && weir_pattern_wildcard(matcher->pieces, matcher->piece_count, leaf->text);
    case WEIR_PATTERN_OP_CIDR:
        return string && in_block(matcher, leaf->text);
    case WEIR_PATTERN_OP_NOT:
        /* One level only: nothing inside anything-but is an anything-but. */
        return leaf->kind != WEIR_PATTERN_LEAF_WHOLE &&
               !weir_pattern_choice_matches(&matcher->inner, leaf);
    case WEIR_PATTERN_OP_CHANGED:
    case WEIR_PATTERN_OP_UNCHANGED:
    case WEIR_PATTERN_OP_CHANGED_FROM:
    case WEIR_PATTERN_OP_CHANGED_TO:
    case WEIR_PATTERN_OP_INCREASED:
    case WEIR_PATTERN_OP_DECREASED:
    case WEIR_PATTERN_OP_CROSSED:
    case WEIR_PATTERN_OP_VERSUS_OLD:
        break; /* not of a leaf */
    }
    return false;
}

bool weir_pattern_choice_matches(
        const struct weir_pattern_choice *choice, const struct weir_pattern_leaf *leaf)
{
    if (leaf->kind == WEIR_PATTERN_LEAF_STRING && choice->string_count > 0 &&
            is_among(choice, leaf->text)) {
        return true;
    }
    for (size_t i = 0; i < choice->matcher_count; i++) {
        if (matcher_matches(&choice->matchers[i], leaf)) {
            return true;
        }
    }
    return false;
}
