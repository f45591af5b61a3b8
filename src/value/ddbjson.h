/*
 * DynamoDB JSON ({"pk": {"S": "a"}}) straight to and from binary items, with no
 * tree between; and plain JSON ({"pk": "a"}) for people and logs.
 */
#ifndef WEIR_VALUE_DDBJSON_H
#define WEIR_VALUE_DDBJSON_H

#include "base/buf.h"
#include "value/item.h"
#include "value/json.h"

/*
 * Read an item from the reader: token is the one just read and must be OBJECT.
 * Messages of semantic errors are DynamoDB's own; of syntax, the JSON path.
 * A value {"NULL": false}, no known type or two of them in one value are refused;
 * an unknown member of a value, or one that is null, counts as not there (as on AWS).
 *
 * err->pos is not 0 for errors of syntax and type (AWS: SerializationException) and
 * 0 for errors of meaning (ValidationException), so a fault at the very first byte
 * has position 1. After an error the reader stands anywhere within the item.
 * Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddbjson_read_item(struct weir_json *json,
        enum weir_json_token token, struct weir_item *ret_item, struct weir_err *err);

/*
 * Read one value ({"S": "a"}); as weir_ddbjson_read_item. The value is the arena's.
 * Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddbjson_read_value(struct weir_json *json,
        enum weir_json_token token, struct weir_value *ret_value, struct weir_err *err);

/* Append an item, a value as DynamoDB JSON. */
void weir_ddbjson_write_item(struct weir_buf *buf, struct weir_item item);
void weir_ddbjson_write_value(struct weir_buf *buf, struct weir_value value);

/*
 * Append as plain JSON: N as a JSON number, B as base64 text, sets as arrays.
 * Lossy; for output to people, and for templates.
 */
void weir_ddbjson_write_plain_item(struct weir_buf *buf, struct weir_item item);
void weir_ddbjson_write_plain_value(struct weir_buf *buf, struct weir_value value);

/*
 * Read plain JSON into an item: strings S, numbers N, arrays L, objects M.
 * Errors: WEIR_E_INVALID with position (0 for what only the whole shows: too deep),
 * WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddbjson_read_plain_item(struct weir_json *json,
        enum weir_json_token token, struct weir_item *ret_item, struct weir_err *err);

#endif
