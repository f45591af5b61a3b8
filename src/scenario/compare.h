/* What was expected against what is there, and the difference for people to read. */
#ifndef WEIR_SCENARIO_COMPARE_H
#define WEIR_SCENARIO_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "value/item.h"

/* How a list of items is held against a list that was expected. */
struct weir_comparison {
    bool whole;    /* an item has what was expected and nothing else; else: that, and maybe more */
    bool ordered;  /* the order counts */
    bool complete; /* there are no others; else: what was expected is among them */
};

/*
 * Whether a value is as expected; what differs is appended, a line each, with `path` as its place.
 * differences: NULL when nobody wants to know. Where a map or list is expected and a text stands
 * that is JSON, what the text says is compared; a set is as good as a list with its elements, and
 * bytes are as good as their base64.
 */
bool weir_compare_value(struct weir_value expected, struct weir_value actual, bool whole,
        const char *path, struct weir_buf *differences);

/*
 * Whether a list is as expected. On false *ret_at is the index of the first expected item that
 * is not there as it should be, or expected_count when others are too many.
 */
bool weir_compare_items(const struct weir_item *expected, size_t expected_count,
        const struct weir_item *actual, size_t actual_count, struct weir_comparison how,
        struct weir_buf *differences, size_t *ret_at);

/* An item as the map that it is. Borrowed from it. */
struct weir_value weir_item_as_value(struct weir_item item);

#endif
