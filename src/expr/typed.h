/*
 * Values as typed JSON, for tools and tests: {"t": "int", "v": "5"}.
 *
 *     null                          no "v"
 *     bool                          "v": true or false
 *     int uint double decimal       "v": the number as text ("NaN", "Infinity", "-0.0")
 *     string                        "v": text            bytes   "v": base64
 *     list set                      "v": [value, ...]    map     "v": [[key, value], ...]
 *     type ip cidr                  "v": text
 *     timestamp duration            "s": seconds as text, "n": nanoseconds (a number)
 *     optional                      "v": value, or no "v" for none
 */
#ifndef WEIR_EXPR_TYPED_H
#define WEIR_EXPR_TYPED_H

#include "base/buf.h"
#include "expr/expr.h"
#include "value/json.h"

/* Append a value as typed JSON. */
void weir_expr_typed_write(struct weir_buf *buf, const struct weir_expr_value *value);

/*
 * Read a value: token is the one just read. The value is the arena's or borrows from the input.
 * Errors: WEIR_E_INVALID with the position.
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_typed_read(struct weir_json *json,
        enum weir_json_token token, struct weir_expr_value *ret_value, struct weir_err *err);

#endif
