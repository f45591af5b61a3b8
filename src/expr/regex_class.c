#include <stdlib.h>

#include "expr/regex_int.h"

/* Sets of code points. */

enum { LAST_POINT = 0x10ffff };

void weir_class_init(struct weir_class *set, struct weir_arena *arena)
{
    *set = (struct weir_class){ .arena = arena };
}

void weir_class_add(struct weir_class *set, uint32_t first, uint32_t last)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity == 0 ? 8 : set->capacity * 2;
        struct weir_range *ranges = weir_arena_alloc(set->arena, capacity * sizeof(*ranges));
        if (set->count > 0) {
            memcpy(ranges, set->ranges, set->count * sizeof(*ranges));
        }
        set->ranges = ranges;
        set->capacity = capacity;
    }
    set->ranges[set->count++] = (struct weir_range){ first, last };
}

static int compare_ranges(const void *a, const void *b)
{
    const struct weir_range *x = a;
    const struct weir_range *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void join(struct weir_class *set)
{
    if (set->count == 0) {
        return;
    }
    qsort(set->ranges, set->count, sizeof(*set->ranges), compare_ranges);
    size_t kept = 0;
    for (size_t i = 1; i < set->count; i++) {
        struct weir_range *last = &set->ranges[kept];
        struct weir_range next = set->ranges[i];
        if (next.first <= last->last + 1) {
            last->last = next.last > last->last ? next.last : last->last;
        } else {
            set->ranges[++kept] = next;
        }
    }
    set->count = kept + 1;
}

void weir_class_finish(struct weir_class *set, bool negate)
{
    join(set);
    if (!negate) {
        return;
    }
    struct weir_class other;
    weir_class_init(&other, set->arena);
    uint32_t from = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->ranges[i].first > from) {
            weir_class_add(&other, from, set->ranges[i].first - 1);
        }
        from = set->ranges[i].last + 1;
    }
    if (from <= LAST_POINT) {
        weir_class_add(&other, from, LAST_POINT);
    }
    *set = other;
}

/* Add what one step around the rings leads to from a range. */
static void fold_range(struct weir_class *set, struct weir_range range)
{
    for (size_t i = 0; i < weir_unicode_fold_count; i++) {
        uint32_t fold_first = (uint32_t)weir_unicode_folds[3 * i];
        uint32_t fold_last = fold_first + (uint32_t)weir_unicode_folds[3 * i + 1];
        int32_t delta = weir_unicode_folds[3 * i + 2];
        uint32_t first = range.first > fold_first ? range.first : fold_first;
        uint32_t last = range.last < fold_last ? range.last : fold_last;
        if (fold_first > range.last) {
            return;
        }
        if (first > last) {
            continue;
        }
        if (delta != 0) {
            weir_class_add(
                    set, (uint32_t)((int32_t)first + delta), (uint32_t)((int32_t)last + delta));
        } else {
            /* Widen to whole pairs. */
            first -= (first - fold_first) % 2;
            last += (last - fold_first) % 2 == 0 ? 1 : 0;
            weir_class_add(set, first, last);
        }
    }
}

void weir_class_fold(struct weir_class *set)
{
    /* The longest ring has four members, so three steps reach all of them. */
    for (int step = 0; step < 3; step++) {
        join(set);
        size_t count = set->count;
        for (size_t i = 0; i < count; i++) {
            fold_range(set, set->ranges[i]);
        }
    }
    join(set);
}

/* Add a finished class, or what is outside it. */
static void add_class(struct weir_class *set, struct weir_class *other, bool negate)
{
    weir_class_finish(other, negate);
    for (size_t i = 0; i < other->count; i++) {
        weir_class_add(set, other->ranges[i].first, other->ranges[i].last);
    }
}

bool weir_class_add_unicode(struct weir_class *set, struct weir_str name, bool negate)
{
    struct weir_class found;
    weir_class_init(&found, set->arena);
    bool any = weir_str_eq(name, WEIR_STR("Any"));
    if (any) {
        weir_class_add(&found, 0, LAST_POINT);
    }
    for (const struct weir_class_table *at = weir_unicode_classes; at->name != NULL; at++) {
        /* "L" is all of "Lu", "Ll", ... */
        struct weir_str table = weir_str_z(at->name);
        bool group = name.n == 1 && table.n == 2 && table.p[0] == name.p[0];
        if (group || weir_str_eq(table, name)) {
            any = true;
            uint32_t point = 0;
            for (size_t i = 0; i < at->count; i += 2) {
                point += at->gaps[i];
                weir_class_add(&found, point, point + at->gaps[i + 1]);
                point += at->gaps[i + 1] + 1;
            }
        }
    }
    if (any) {
        add_class(set, &found, negate);
    }
    return any;
}

void weir_class_add_perl(struct weir_class *set, char which)
{
    struct weir_class found;
    weir_class_init(&found, set->arena);
    switch (which | 0x20) {
    case 'd':
        weir_class_add(&found, '0', '9');
        break;
    case 's':
        weir_class_add(&found, '\t', '\n');
        weir_class_add(&found, '\f', '\r');
        weir_class_add(&found, ' ', ' ');
        break;
    default:
        weir_class_add(&found, '0', '9');
        weir_class_add(&found, 'A', 'Z');
        weir_class_add(&found, '_', '_');
        weir_class_add(&found, 'a', 'z');
        break;
    }
    add_class(set, &found, which < 'a');
}

bool weir_class_add_posix(struct weir_class *set, struct weir_str name, bool negate)
{
    static const struct {
        const char *name;
        const char *ranges; /* pairs */
    } classes[] = {
        { "alnum", "09AZaz" },
        { "alpha", "AZaz" },
        { "ascii", "" },
        { "blank", "\t\t  " },
        { "cntrl", "" },
        { "digit", "09" },
        { "graph", "!~" },
        { "lower", "az" },
        { "print", " ~" },
        { "punct", "!/:@[`{~" },
        { "space", "\t\r  " },
        { "upper", "AZ" },
        { "word", "09AZ__az" },
        { "xdigit", "09AFaf" },
    };
    struct weir_class found;
    weir_class_init(&found, set->arena);
    for (size_t i = 0; i < WEIR_COUNT(classes); i++) {
        if (!weir_str_eq(name, weir_str_z(classes[i].name))) {
            continue;
        }
        for (const char *p = classes[i].ranges; *p != '\0'; p += 2) {
            weir_class_add(&found, (unsigned char)p[0], (unsigned char)p[1]);
        }
        if (weir_str_eq(name, WEIR_STR("ascii"))) {
            weir_class_add(&found, 0, 0x7f);
        } else if (weir_str_eq(name, WEIR_STR("cntrl"))) {
            weir_class_add(&found, 0, 0x1f);
            weir_class_add(&found, 0x7f, 0x7f);
        }
        add_class(set, &found, negate);
        return true;
    }
    return false;
}
