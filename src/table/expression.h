/*
 * DynamoDB's expression language: ConditionExpression, FilterExpression,
 * KeyConditionExpression, UpdateExpression and ProjectionExpression with their
 * placeholders (#name, :value).
 *
 * Model: a request's placeholder maps become a context, every expression of the
 * request is compiled with it, and at the end the context says whether some
 * placeholder was used by none. A compiled expression is evaluated against items
 * in place (value/item.h).
 *
 * Ownership: a compiled expression lives in the arena it was compiled into, and
 * borrows the expression's text and the placeholder blobs: all of these must
 * outlive it. The context itself is needed while compiling only.
 * Threads: compiling belongs to the arena's thread. What was compiled is never
 * changed afterwards, so any threads may evaluate it, each with an arena of its
 * own for results.
 * Messages: those of WEIR_E_INVALID are DynamoDB's ValidationException texts and
 * reach clients unchanged.
 */
#ifndef WEIR_TABLE_EXPRESSION_H
#define WEIR_TABLE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "value/item.h"

enum {
    WEIR_DDB_EXPRESSION_MAX_BYTES = 4096, /* of one expression's text */
    WEIR_DDB_EXPRESSION_MAX_OPERATORS = 300,
    WEIR_DDB_PATH_MAX_LEVELS = 32,
    WEIR_DDB_KEY_MAX_ATTRIBUTES = 4, /* of a partition key, and of a sort key */
};

enum weir_ddb_expression_kind {
    WEIR_DDB_CONDITION,
    WEIR_DDB_FILTER,
    WEIR_DDB_KEY_CONDITION,
    WEIR_DDB_UPDATE,
    WEIR_DDB_PROJECTION,
};

/* "ConditionExpression", ...: the request's parameter of that kind. Static. */
const char *weir_ddb_expression_name(enum weir_ddb_expression_kind kind);

/* --- placeholders -------------------------------------------------------- */

struct weir_ddb_placeholder {
    struct weir_str key;     /* with its # or : */
    struct weir_value value; /* names: the attribute's name as an S */
    bool used;               /* by an expression compiled so far */
};

struct weir_ddb_placeholders {
    struct weir_ddb_placeholder *entries; /* sorted by key; the arena's */
    size_t count;
};

/* A request's placeholders. Plain memory: nothing to end. */
struct weir_ddb_context {
    struct weir_ddb_placeholders names;
    struct weir_ddb_placeholders values;
};

/*
 * Start from the request's maps: names {"#n": {"S": "attribute"}}, values
 * {":v": value}; a zero-length item where the request has none. Both are borrowed
 * and must outlive what is compiled.
 *
 * Errors: WEIR_E_INVALID (a map that is there but empty, a key of the wrong form).
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_context_init(struct weir_ddb_context *context,
        struct weir_arena *arena, struct weir_item names, struct weir_item values,
        struct weir_err *err);

/*
 * Check, once all expressions are compiled, that each placeholder is used.
 * Errors: WEIR_E_INVALID naming the unused ones.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_context_check_used(
        const struct weir_ddb_context *context, struct weir_err *err);

/* --- conditions ---------------------------------------------------------- */

struct weir_ddb_condition;

/*
 * Compile a ConditionExpression or FilterExpression (kind is used in messages).
 *
 * Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_compile_condition(struct weir_arena *arena,
        enum weir_ddb_expression_kind kind, struct weir_str text, struct weir_ddb_context *context,
        const struct weir_ddb_condition **ret_condition, struct weir_err *err);

/* Whether the condition holds for an item (zero-length: there is no item). Allocates nothing. */
bool weir_ddb_condition_eval(const struct weir_ddb_condition *condition, struct weir_item item);

/* Whether a document path of the condition begins with that attribute. */
bool weir_ddb_condition_uses(const struct weir_ddb_condition *condition, struct weir_str attribute);

/* --- key conditions ------------------------------------------------------ */

struct weir_ddb_key_attribute {
    struct weir_str name;
    enum weir_type type; /* S, N or B */
};

/* The key of a table or index, as two lists in key order. Borrowed. */
struct weir_ddb_key_schema {
    const struct weir_ddb_key_attribute *partition;
    size_t partition_count;
    const struct weir_ddb_key_attribute *sort;
    size_t sort_count;
};

enum weir_ddb_key_op {
    WEIR_DDB_KEY_ANY, /* no range */
    WEIR_DDB_KEY_LT,
    WEIR_DDB_KEY_LE,
    WEIR_DDB_KEY_GT,
    WEIR_DDB_KEY_GE,
    WEIR_DDB_KEY_BETWEEN, /* low and high, both included */
    WEIR_DDB_KEY_BEGINS_WITH,
};

/*
 * What a query asks of a key: a value for every partition attribute, equal values
 * for the first equal_count sort attributes, and with op other than ANY a range
 * on the sort attribute after these. "sk = :v" is an equality, not a range.
 */
struct weir_ddb_key_range {
    struct weir_value partition[WEIR_DDB_KEY_MAX_ATTRIBUTES];
    size_t partition_count;
    struct weir_value equal[WEIR_DDB_KEY_MAX_ATTRIBUTES];
    size_t equal_count;
    enum weir_ddb_key_op op;
    struct weir_value low;  /* the operand of all but ANY */
    struct weir_value high; /* BETWEEN's second */
};

struct weir_ddb_key_condition;

/*
 * Compile a KeyConditionExpression without knowing the table, as a request is
 * checked before its table is looked for.
 * Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_compile_key_condition(struct weir_arena *arena,
        struct weir_str text, struct weir_ddb_context *context,
        const struct weir_ddb_key_condition **ret_condition, struct weir_err *err);

/*
 * Fit it to a key. The values are borrowed from the placeholders.
 * Errors: WEIR_E_INVALID (an attribute of the key is missed, an operator the key
 * cannot answer, a value of another type than the key's).
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_key_condition_bind(
        const struct weir_ddb_key_condition *condition, const struct weir_ddb_key_schema *schema,
        struct weir_ddb_key_range *ret_range, struct weir_err *err);

/* --- updates ------------------------------------------------------------- */

struct weir_ddb_update;

/* Compile an UpdateExpression. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_compile_update(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, const struct weir_ddb_update **ret_update,
        struct weir_err *err);

/* Check that it leaves the key's attributes alone. Errors: WEIR_E_INVALID naming the attribute. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_update_check_key(const struct weir_ddb_update *update,
        const struct weir_ddb_key_schema *schema, struct weir_err *err);

/*
 * Apply to an item. Right-hand sides and list indexes refer to the item before.
 *
 * before     the item; zero-length: there is none, and the result starts from key
 * key        the key attributes alone
 * ret_after  the arena's; zero-length when there was no item and the update only
 *            removes, which makes none
 *
 * Errors: WEIR_E_INVALID (DynamoDB's messages), WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_update_apply(const struct weir_ddb_update *update,
        struct weir_item before, struct weir_item key, struct weir_arena *arena,
        struct weir_item *ret_after, struct weir_err *err);

/*
 * The parts of an item that the update names, for ReturnValues: of the item before
 * for UPDATED_OLD, of the one after for UPDATED_NEW. Zero-length when it has none
 * of them. The result is the arena's.
 * Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_update_touched(const struct weir_ddb_update *update,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_part,
        struct weir_err *err);

/* --- projections --------------------------------------------------------- */

struct weir_ddb_projection;

/* Compile a ProjectionExpression. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_compile_projection(struct weir_arena *arena,
        struct weir_str text, struct weir_ddb_context *context,
        const struct weir_ddb_projection **ret_projection, struct weir_err *err);

/* A projection of whole attributes, e.g. of an index. The names are borrowed; doubles are fine. */
const struct weir_ddb_projection *weir_ddb_projection_of(
        struct weir_arena *arena, const struct weir_str *names, size_t count);

/*
 * Pick the projection's parts of an item: maps keep their form, lists close the
 * gaps. An item without any of them gives an empty item. The result is the arena's.
 * Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_ddb_projection_apply(const struct weir_ddb_projection *projection,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_part,
        struct weir_err *err);

/* The number of attributes it takes from, wholly or in part. */
size_t weir_ddb_projection_count(const struct weir_ddb_projection *projection);

/* The i-th of them in name order, i < count. Cost: O(i). */
struct weir_str weir_ddb_projection_attribute(
        const struct weir_ddb_projection *projection, size_t i);

/* Whether a word may not stand as an attribute name in an expression (in any case). */
bool weir_ddb_is_reserved(struct weir_str word);

#endif
