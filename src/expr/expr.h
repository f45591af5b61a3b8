/*
 * Expressions: CEL (the subset that docs/expressions.md states) with exact
 * decimals and DynamoDB values.
 *
 * An expression is compiled once against an environment, which declares the
 * variables by name and gives each a slot, and evaluated many times against a
 * frame, which holds the slots' values. Items are read in place: `new.a.b` is two
 * binary searches in the record's bytes and no allocation.
 *
 * Ownership: a compiled expression is immutable and owned by who compiled it; any
 * number of threads may evaluate it at once, each with a frame of its own. Values
 * are small and copied freely; what they point to belongs to the frame's arena, the
 * slots' values, or the expression (constants), so a result lives as long as
 * the shortest of these.
 *
 * Limits: the source's length and nesting (compile), and steps and bytes of
 * memory (evaluation). Passing one is WEIR_E_LIMIT, never absorbed by && or ||.
 */
#ifndef WEIR_EXPR_EXPR_H
#define WEIR_EXPR_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "value/decimal.h"
#include "value/item.h"

enum {
    WEIR_EXPR_MAX_SOURCE = 64 * 1024,      /* bytes of one expression's text */
    WEIR_EXPR_MAX_NESTING = 192,           /* brackets and conditionals inside each other */
    WEIR_EXPR_MAX_DEPTH = 1024,            /* operators applied to each other's results */
    WEIR_EXPR_DEFAULT_STEPS = 1000 * 1000, /* of one evaluation */
    WEIR_EXPR_DEFAULT_BYTES = 16 << 20,    /* of memory that one evaluation may make */
    WEIR_EXPR_MAX_SLOTS = 1024,            /* variables of one environment */
};

/* --- values -------------------------------------------------------------- */

enum weir_expr_kind {
    WEIR_EXPR_ABSENT = 0, /* no value: a slot that is not bound; reading it is an error */
    WEIR_EXPR_NULL,
    WEIR_EXPR_BOOL,
    WEIR_EXPR_INT,
    WEIR_EXPR_UINT,
    WEIR_EXPR_DOUBLE,
    WEIR_EXPR_DECIMAL,
    WEIR_EXPR_STRING,
    WEIR_EXPR_BYTES,
    WEIR_EXPR_LIST,
    WEIR_EXPR_SET,
    WEIR_EXPR_MAP,
    WEIR_EXPR_TYPE,
    WEIR_EXPR_TIMESTAMP,
    WEIR_EXPR_DURATION,
    WEIR_EXPR_OPTIONAL,
    WEIR_EXPR_IP,
    WEIR_EXPR_CIDR,
};

/* How a LIST, SET or MAP keeps its content. */
enum weir_expr_form {
    WEIR_EXPR_BUILT,     /* as.list or as.map */
    WEIR_EXPR_ATTRIBUTE, /* as.str: the encoded body of an attribute value of .type, or an item */
};

struct weir_expr_map;

struct weir_expr_value {
    uint8_t kind;                     /* enum weir_expr_kind */
    uint8_t form;                     /* enum weir_expr_form */
    uint8_t type;                     /* ATTRIBUTE: enum weir_type; IP, CIDR: 4 or 6 */
    int32_t scale;                    /* DECIMAL: exponent; TIMESTAMP: ns; CIDR: prefix length */
    const struct weir_decimal *exact; /* DOUBLE written in the source: its exact text, or NULL */
    union {
        bool boolean;
        int64_t integer; /* INT; TIMESTAMP: seconds since 1970; DURATION: nanoseconds */
        uint64_t natural;
        double real;
        __int128 coefficient;
        struct weir_str str; /* STRING, BYTES, TYPE (its name), and form ATTRIBUTE */
        struct {
            const struct weir_expr_value *items;
            size_t count;
        } list; /* LIST, SET (sorted, distinct) */
        const struct weir_expr_map *map;
        const struct weir_expr_value *inner; /* OPTIONAL; NULL: none */
        unsigned char address[16];           /* IP, CIDR; a v4 address is in the last four bytes */
    } as;
};

/* "int", "string", "google.protobuf.Timestamp", ...: as type() names it. Static. */
const char *weir_expr_kind_name(enum weir_expr_kind kind);

static inline struct weir_expr_value weir_expr_null(void)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_NULL };
}

static inline struct weir_expr_value weir_expr_bool(bool value)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_BOOL, .as.boolean = value };
}

static inline struct weir_expr_value weir_expr_int(int64_t value)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_INT, .as.integer = value };
}

static inline struct weir_expr_value weir_expr_uint(uint64_t value)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_UINT, .as.natural = value };
}

static inline struct weir_expr_value weir_expr_double(double value)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_DOUBLE, .as.real = value };
}

static inline struct weir_expr_value weir_expr_decimal(struct weir_decimal value)
{
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_DECIMAL,
        .scale = value.exponent,
        .as.coefficient = value.coefficient,
    };
}

/* The text or bytes are borrowed; text must be valid UTF-8. */
static inline struct weir_expr_value weir_expr_string(struct weir_str text)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_STRING, .as.str = text };
}

static inline struct weir_expr_value weir_expr_bytes(struct weir_str bytes)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_BYTES, .as.str = bytes };
}

/* A moment in milliseconds, as clocks and records have it. */
struct weir_expr_value weir_expr_timestamp(struct weir_time time);
/* A list of borrowed elements. */
struct weir_expr_value weir_expr_list(const struct weir_expr_value *items, size_t count);
/* An item as a map with string keys, read in place; borrowed. */
struct weir_expr_value weir_expr_item(struct weir_item item);
/* An attribute value: N becomes a decimal, sets become sets, ABSENT stays absent; borrowed. */
struct weir_expr_value weir_expr_attribute(struct weir_value value);

/*
 * A map of count pairs, keys at even places and their values behind them, copied
 * into the arena (what the values point to is borrowed). Errors: WEIR_E_INVALID (a
 * key given twice, or not an int, uint, bool or string).
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_map(struct weir_arena *arena,
        const struct weir_expr_value *pairs, size_t count, struct weir_expr_value *ret_value,
        struct weir_err *err);

/* The decimal of a DECIMAL value. */
struct weir_decimal weir_expr_value_decimal(const struct weir_expr_value *value);

/* The number of elements of a LIST, SET or MAP; 0 for other kinds. */
size_t weir_expr_count(const struct weir_expr_value *value);

/* The i-th element of a LIST or SET (sorted), or the i-th pair of a MAP, i < count. */
struct weir_expr_value weir_expr_at(const struct weir_expr_value *value, size_t i);
struct weir_expr_value weir_expr_pair_at(
        const struct weir_expr_value *map, size_t i, struct weir_expr_value *ret_key);

/* The value of a MAP's string key; kind ABSENT when there is none or value is no map. */
struct weir_expr_value weir_expr_get(const struct weir_expr_value *map, struct weir_str key);

/* Equality as the language has it: numbers by value, other types only with their own. */
bool weir_expr_eq(const struct weir_expr_value *a, const struct weir_expr_value *b);

/*
 * The text that string() gives, in the arena or borrowed from the value.
 * Errors: WEIR_E_INVALID (no text form: lists, maps, null, types; bytes that are not UTF-8).
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_text(struct weir_arena *arena,
        const struct weir_expr_value *value, struct weir_str *ret_text, struct weir_err *err);

/*
 * Add a value to an item builder (after weir_item_name, or inside a list): string -> S,
 * numbers -> N, bytes -> B, bool -> BOOL, null -> NULL, list -> L, map -> M, set ->
 * SS, NS or BS, timestamp, IP and CIDR -> S; an optional: what it holds.
 * Errors: WEIR_E_INVALID (duration, type, none, NaN, keys that are not strings,
 * sets of mixed or other types; nothing was added for that value), WEIR_E_LIMIT (too deep).
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_to_item(struct weir_item_builder *builder,
        const struct weir_expr_value *value, struct weir_err *err);

/*
 * Read one plain JSON value: numbers become decimals, objects maps. Memory is the arena's; strings
 * may be borrowed from the text. Errors: with position, WEIR_E_INVALID and WEIR_E_LIMIT (nested
 * deeper than 64 levels).
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_read_json(struct weir_str text, struct weir_arena *arena,
        struct weir_expr_value *ret_value, struct weir_err *err);

/* --- compiling ----------------------------------------------------------- */

/*
 * Names that expressions may use; slot i is names[i]. A name may have dots
 * (`a.b`): the longest that fits wins, the rest is field selection. `now` needs no
 * slot: it is the frame's. A slot without a name ("") cannot be used. Borrowed while compiling
 * only.
 */
struct weir_expr_env {
    const char *const *names;
    size_t count;
    bool open; /* unknown names and functions fail when evaluated, not when compiled */
};

struct weir_expr;

/*
 * Compile an expression. The text is copied.
 * Errors: WEIR_E_INVALID (syntax, unknown variable or function, with the nearest
 * name), WEIR_E_LIMIT (length, nesting); err->pos is the byte offset in text.
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_compile(const struct weir_expr_env *env,
        struct weir_str text, struct weir_expr **ret_expr, struct weir_err *err);

/* Destroy; NULL is fine. */
void weir_expr_destroy(struct weir_expr *expr);
WEIR_AUTO_DEFINE(weir_expr);

/* The text that was compiled; borrowed from the expression. */
struct weir_str weir_expr_source(const struct weir_expr *expr);

/* Whether the value can depend on a slot. */
bool weir_expr_uses(const struct weir_expr *expr, size_t slot);

/* Whether it calls clock(), so that another run may give another result. */
bool weir_expr_uses_clock(const struct weir_expr *expr);

/* Whether it reads `now`. */
bool weir_expr_uses_now(const struct weir_expr *expr);

/* The value of an expression that is one constant, else NULL. */
const struct weir_expr_value *weir_expr_constant(const struct weir_expr *expr);

/* --- evaluating ---------------------------------------------------------- */

struct weir_expr_frame {
    const struct weir_expr_value *slots; /* borrowed; at least as many as the env had */
    size_t slot_count;
    struct weir_arena *arena;       /* results and intermediate values; never reset by eval */
    struct weir_time now;           /* the commit time of the record being processed */
    const struct weir_clock *clock; /* for clock(); NULL: clock() is an error */
    uint64_t max_steps;             /* 0: WEIR_EXPR_DEFAULT_STEPS */
    size_t max_bytes;               /* 0: WEIR_EXPR_DEFAULT_BYTES */
};

/*
 * Evaluate. The result is never ABSENT.
 * Errors: WEIR_E_INVALID (an evaluation error: missing key, overflow, no such
 * overload, ...; err->pos is the offset of the operator or call at fault),
 * WEIR_E_LIMIT (steps or bytes).
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_eval(const struct weir_expr *expr,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err);

/*
 * As weir_expr_eval, for conditions. Errors: as weir_expr_eval, and WEIR_E_INVALID
 * when the result is not a bool.
 */
WEIR_MUST_CHECK enum weir_rc weir_expr_test(const struct weir_expr *expr,
        const struct weir_expr_frame *frame, bool *ret_value, struct weir_err *err);

#endif
