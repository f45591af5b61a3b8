/*
 * Tags of resources: texts by key, with which AWS's tools sort and bill what they manage. They are
 * kept as items whose attributes are texts, and mean nothing to weir. Queues, groups of schedules
 * and event source mappings have them; the limits are those that AWS states for all of its
 * services.
 *
 * Pure functions of their input; any thread.
 */
#ifndef WEIR_VALUE_TAG_H
#define WEIR_VALUE_TAG_H

#include "value/item.h"

enum {
    WEIR_TAGS_MAX = 50,     /* of a resource */
    WEIR_TAG_KEY_MAX = 128, /* characters */
    WEIR_TAG_VALUE_MAX = 256,
};

/*
 * Check tags that a client gave: their number, and the lengths of their keys and values. Keys that
 * begin with aws: are AWS's own. Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_tags_check(struct weir_item tags, struct weir_err *err);

/*
 * What a resource's tags become, in the arena: those of `set` are added, or replace those with the
 * same key, and then those whose keys are in `unset` are taken away. `set` is checked.
 *
 * Errors: WEIR_E_INVALID (as weir_tags_check, or the resource would have too many).
 */
WEIR_MUST_CHECK enum weir_rc weir_tags_change(struct weir_arena *arena, struct weir_item tags,
        struct weir_item set, const struct weir_str *unset, size_t unset_count,
        struct weir_item *ret_tags, struct weir_err *err);

/* Append them as one JSON object. */
void weir_tags_write(struct weir_buf *out, struct weir_item tags);

#endif
