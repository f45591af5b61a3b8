/*
 * Order-preserving key bytes: comparing two encodings bytewise gives the order of
 * the values (strings and bytes bytewise, numbers numerically), and no encoding
 * is a prefix of another, so several stand one behind the other.
 *
 * Only S, N and B are key types. Pure functions, any thread. Part of the data
 * folder's format (docs/FORMATS.md).
 */
#ifndef WEIR_VALUE_KEY_H
#define WEIR_VALUE_KEY_H

#include "base/buf.h"
#include "value/item.h"

enum {
    WEIR_KEY_PARTITION_MAX_BYTES = 2048, /* DynamoDB's limits on values */
    WEIR_KEY_SORT_MAX_BYTES = 1024,
    WEIR_KEY_MAX_BYTES = 8 * 1024, /* of any whole encoded key, index keys included */
};

/* Append one value's key bytes. Errors: WEIR_E_INVALID (not S, N or B). */
WEIR_MUST_CHECK enum weir_rc weir_key_add(
        struct weir_buf *buf, struct weir_value value, struct weir_err *err);

/*
 * Append the bytes that begin the encoding of every S or B value that starts with
 * value (for begins_with). Errors: WEIR_E_INVALID (not S or B).
 */
WEIR_MUST_CHECK enum weir_rc weir_key_add_prefix(
        struct weir_buf *buf, struct weir_value value, struct weir_err *err);

/*
 * Decode the value at the front of bytes and move bytes behind it. The value is
 * the arena's. Errors: WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_key_next(struct weir_str *bytes, struct weir_arena *arena,
        struct weir_value *ret_value, struct weir_err *err);

/* Move bytes behind the value at its front without decoding. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_key_skip(struct weir_str *bytes, struct weir_err *err);

#endif
