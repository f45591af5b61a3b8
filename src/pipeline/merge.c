/*
 * Merged values of deferred runs. Joining does not depend on the order in which lanes come: what
 * is the first or the last is told by the position of its record.
 */
#include "base/mem.h"
#include "pipeline/deferred_int.h"

enum { DISTINCT_MAX = 1000 };

struct joining {
    const struct merged *into;
    const struct merged *from;
    struct weir_item_builder *values;
    struct weir_item_builder *positions;
};

static struct weir_value get(const struct merged *merged, struct weir_str name)
{
    return weir_item_get(merged->values, name);
}

static void put(struct joining *joining, const struct merged *of, struct weir_str name)
{
    struct weir_value position = weir_item_get(of->positions, name);
    weir_item_name(joining->values, name);
    weir_item_value(joining->values, get(of, name));
    if (position.type != WEIR_TYPE_ABSENT) {
        weir_item_name(joining->positions, name);
        weir_item_value(joining->positions, position);
    }
}

static bool put_sum(struct joining *joining, struct weir_str name)
{
    struct weir_decimal sum;
    struct weir_decimal a = weir_value_decimal(get(joining->into, name));
    struct weir_decimal b = weir_value_decimal(get(joining->from, name));
    if (weir_decimal_add(a, b, &sum, NULL) != WEIR_OK) {
        return false;
    }
    weir_item_name(joining->values, name);
    weir_item_n(joining->values, sum);
    return true;
}

static bool has(struct weir_value list, size_t count, struct weir_value value)
{
    size_t i = 0;
    while (i < count && !weir_value_eq(weir_value_at(list, i), value)) {
        i++;
    }
    return i < count;
}

static bool put_distinct(struct joining *joining, struct weir_str name)
{
    struct weir_value a = get(joining->into, name);
    struct weir_value b = get(joining->from, name);
    size_t count = weir_value_count(a);
    weir_item_name(joining->values, name);
    weir_item_open(joining->values, WEIR_TYPE_L);
    for (size_t i = 0; i < weir_value_count(a); i++) {
        weir_item_value(joining->values, weir_value_at(a, i));
    }
    for (size_t i = 0; i < weir_value_count(b); i++) {
        struct weir_value value = weir_value_at(b, i);
        if (!has(a, weir_value_count(a), value)) {
            weir_item_value(joining->values, value);
            count++;
        }
    }
    weir_item_close(joining->values);
    return count <= DISTINCT_MAX;
}

/* Texts come behind numbers. */
static int order_of(struct weir_value a, struct weir_value b)
{
    int order = (a.type == WEIR_TYPE_S) - (b.type == WEIR_TYPE_S);
    if (order == 0) {
        (void)weir_value_cmp(a, b, &order);
    }
    return order;
}

static int order_of_positions(const struct joining *joining, struct weir_str name)
{
    return weir_decimal_cmp(weir_value_decimal(weir_item_get(joining->into->positions, name)),
            weir_value_decimal(weir_item_get(joining->from->positions, name)));
}

/* Both have a value for the field, of types that it can have. */
static bool join_field(struct joining *joining, const struct weir_merge_field *field)
{
    int order = 0;
    switch (field->how) {
    case WEIR_MERGE_SUM:
        return put_sum(joining, field->name);
    case WEIR_MERGE_DISTINCT:
        return put_distinct(joining, field->name);
    case WEIR_MERGE_FIRST:
        order = order_of_positions(joining, field->name);
        break;
    case WEIR_MERGE_LAST:
        order = -order_of_positions(joining, field->name);
        break;
    case WEIR_MERGE_MIN:
        order = order_of(get(joining->into, field->name), get(joining->from, field->name));
        break;
    case WEIR_MERGE_MAX:
        order = -order_of(get(joining->into, field->name), get(joining->from, field->name));
        break;
    }
    put(joining, order <= 0 ? joining->into : joining->from, field->name);
    return true;
}

/* Whether a value is one that the field can have: what is stored may be of another definition. */
static bool fits(const struct weir_merge_field *field, const struct merged *merged)
{
    struct weir_value value = get(merged, field->name);
    bool has_position = weir_item_get(merged->positions, field->name).type == WEIR_TYPE_N;
    switch (field->how) {
    case WEIR_MERGE_SUM:
        return value.type == WEIR_TYPE_N;
    case WEIR_MERGE_DISTINCT:
        return value.type == WEIR_TYPE_L;
    case WEIR_MERGE_MIN:
    case WEIR_MERGE_MAX:
        return value.type == WEIR_TYPE_N || value.type == WEIR_TYPE_S;
    case WEIR_MERGE_FIRST:
    case WEIR_MERGE_LAST:
        break;
    }
    return value.type != WEIR_TYPE_ABSENT && has_position;
}

bool weir_merged_join(struct weir_arena *arena, const struct weir_merge_field *fields, size_t count,
        struct merged *into, const struct merged *from)
{
    struct merged joined = { 0 };
    struct joining joining = { into, from, weir_item_begin(arena), weir_item_begin(arena) };
    bool right = true;
    for (size_t i = 0; right && i < count; i++) {
        bool of_into = fits(&fields[i], into);
        bool of_from = fits(&fields[i], from);
        if (of_into && of_from) {
            right = join_field(&joining, &fields[i]);
        } else if (of_into || of_from) {
            put(&joining, of_into ? into : from, fields[i].name);
        }
    }
    right = right && weir_item_finish(joining.values, &joined.values, NULL) == WEIR_OK &&
            weir_item_finish(joining.positions, &joined.positions, NULL) == WEIR_OK &&
            joined.values.n <= WEIR_MERGED_MAX_BYTES;
    if (right) {
        *into = joined;
    }
    return right;
}

struct merged weir_merged_of(
        struct weir_arena *arena, const struct weir_defer *how, struct weir_pos pos)
{
    struct merged merged = { 0 };
    if (how->merge_count == 0) {
        return merged;
    }
    struct weir_item_builder *positions = weir_item_begin(arena);
    for (size_t i = 0; i < how->merge_count; i++) {
        const struct weir_merge_field *field = &how->merge[i];
        bool ordered = field->how == WEIR_MERGE_FIRST || field->how == WEIR_MERGE_LAST;
        if (ordered && weir_item_get(how->values, field->name).type != WEIR_TYPE_ABSENT) {
            weir_item_name(positions, field->name);
            weir_item_n(positions, weir_decimal_from_u64(pos.seq));
        }
    }
    /* Shallow, with distinct names: the builder has nothing to refuse. */
    weir_assert(weir_item_finish(positions, &merged.positions, NULL) == WEIR_OK);
    struct weir_str values = weir_arena_str(arena, weir_str(how->values.p, how->values.n));
    merged.values = (struct weir_item){ values.p, values.n };
    return merged;
}
