/* Matchers that compare an attribute of the new item with the old one's. */
#include "pattern/pattern_int.h"

struct weir_value weir_pattern_value_at(const struct weir_pattern_path *path, struct weir_item item)
{
    struct weir_value value = { 0 };
    for (uint32_t i = path->skip; i < path->count; i++) {
        if (item.n == 0) {
            return (struct weir_value){ 0 };
        }
        value = weir_item_get(item, path->segments[i]);
        item = weir_value_map(value);
    }
    return value;
}

static bool has_changed(struct weir_value old_value, struct weir_value new_value)
{
    if (old_value.type == WEIR_TYPE_ABSENT || new_value.type == WEIR_TYPE_ABSENT) {
        return old_value.type != new_value.type;
    }
    return !weir_value_eq(old_value, new_value);
}

/* One value as a leaf; lists, maps and sets match nothing. */
static bool value_matches(const struct weir_pattern_choice *choice, struct weir_value value)
{
    struct weir_pattern_leaf leaf = { .kind = WEIR_PATTERN_LEAF_WHOLE };
    switch (value.type) {
    case WEIR_TYPE_S:
        leaf.kind = WEIR_PATTERN_LEAF_STRING;
        leaf.text = weir_value_str(value);
        break;
    case WEIR_TYPE_N:
        leaf.kind = WEIR_PATTERN_LEAF_NUMBER;
        leaf.comparable = true;
        leaf.decimal = weir_value_decimal(value);
        break;
    case WEIR_TYPE_BOOL:
        leaf.kind = weir_value_bool(value) ? WEIR_PATTERN_LEAF_TRUE : WEIR_PATTERN_LEAF_FALSE;
        break;
    case WEIR_TYPE_NULL:
        leaf.kind = WEIR_PATTERN_LEAF_NULL;
        break;
    case WEIR_TYPE_B:
    case WEIR_TYPE_L:
    case WEIR_TYPE_M:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
    case WEIR_TYPE_ABSENT:
        break;
    }
    return weir_pattern_choice_matches(choice, &leaf);
}

/* Whether from + amount <= to. */
static bool rises(struct weir_value from, struct weir_value to, struct weir_decimal amount)
{
    struct weir_decimal least;
    return from.type == WEIR_TYPE_N && to.type == WEIR_TYPE_N &&
           weir_decimal_add(weir_value_decimal(from), amount, &least, NULL) == WEIR_OK &&
           weir_decimal_cmp(least, weir_value_decimal(to)) <= 0;
}

/* Whether the two stand on different sides of a line; on the line is above. */
static bool crosses(struct weir_value from, struct weir_value to, struct weir_decimal line)
{
    return from.type == WEIR_TYPE_N && to.type == WEIR_TYPE_N &&
           (weir_decimal_cmp(weir_value_decimal(from), line) < 0) !=
                   (weir_decimal_cmp(weir_value_decimal(to), line) < 0);
}

static bool compares(struct weir_value old_value, struct weir_value new_value, unsigned relation)
{
    int order = 0;
    if (old_value.type == WEIR_TYPE_ABSENT || new_value.type != old_value.type ||
            !weir_value_cmp(new_value, old_value, &order)) {
        return false;
    }
    unsigned actual = order < 0   ? WEIR_PATTERN_LESS
                      : order > 0 ? WEIR_PATTERN_GREATER
                                  : WEIR_PATTERN_EQUAL;
    return (relation & actual) != 0;
}

static bool matches(const struct weir_pattern_matcher *matcher, struct weir_value old_value,
        struct weir_value new_value)
{
    switch (matcher->op) {
    case WEIR_PATTERN_OP_CHANGED:
        return has_changed(old_value, new_value);
    case WEIR_PATTERN_OP_UNCHANGED:
        return !has_changed(old_value, new_value);
    case WEIR_PATTERN_OP_CHANGED_FROM:
        return has_changed(old_value, new_value) && value_matches(&matcher->inner, old_value);
    case WEIR_PATTERN_OP_CHANGED_TO:
        return has_changed(old_value, new_value) && value_matches(&matcher->inner, new_value);
    case WEIR_PATTERN_OP_INCREASED:
        return rises(old_value, new_value, matcher->low_decimal);
    case WEIR_PATTERN_OP_DECREASED:
        return rises(new_value, old_value, matcher->low_decimal);
    case WEIR_PATTERN_OP_CROSSED:
        return crosses(old_value, new_value, matcher->low_decimal);
    case WEIR_PATTERN_OP_VERSUS_OLD:
        return compares(old_value, new_value, matcher->low);
    case WEIR_PATTERN_OP_NUMBER:
    case WEIR_PATTERN_OP_NUMBER_TEXT:
    case WEIR_PATTERN_OP_TRUE:
    case WEIR_PATTERN_OP_FALSE:
    case WEIR_PATTERN_OP_NULL:
    case WEIR_PATTERN_OP_PREFIX:
    case WEIR_PATTERN_OP_SUFFIX:
    case WEIR_PATTERN_OP_FOLD:
    case WEIR_PATTERN_OP_FOLD_PREFIX:
    case WEIR_PATTERN_OP_FOLD_SUFFIX:
    case WEIR_PATTERN_OP_WILDCARD:
    case WEIR_PATTERN_OP_RANGE:
    case WEIR_PATTERN_OP_CIDR:
    case WEIR_PATTERN_OP_NOT:
        break; /* of a leaf */
    }
    return false;
}

bool weir_pattern_whole_matches(const struct weir_pattern_set *set,
        const struct weir_pattern_field *field, const struct weir_record *record)
{
    const struct weir_pattern_path *path = &set->paths[field->path];
    struct weir_value old_value = weir_pattern_value_at(path, record->old_image);
    struct weir_value new_value = weir_pattern_value_at(path, record->new_image);
    for (size_t i = 0; i < field->whole_count; i++) {
        if (matches(&field->wholes[i], old_value, new_value)) {
            return true;
        }
    }
    return false;
}
