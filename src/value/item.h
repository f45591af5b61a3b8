/*
 * Items as one block of bytes, read in place.
 *
 * An item is a map of attribute names to values. It is stored as one blob with
 * its names sorted bytewise and an offset table in front, so that one attribute
 * is found by binary search without decoding the rest. The body of an M value
 * is a blob of the same form, and a list has the same table without names.
 *
 * struct weir_value is a view into such a blob: borrowed, valid as long as the
 * blob's bytes are. Views of one blob may be read by any number of threads.
 * A blob from outside (network, disk) is checked once with weir_item_check;
 * the readers trust it after that.
 *
 * The format (all integers little-endian, no alignment) is part of the data
 * folder's format; docs/FORMATS.md describes it byte by byte.
 */
#ifndef WEIR_VALUE_ITEM_H
#define WEIR_VALUE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "value/decimal.h"

/* DynamoDB's attribute types; the numbers are part of the stored format. */
enum weir_type {
    WEIR_TYPE_ABSENT = 0, /* no value; never stored */
    WEIR_TYPE_S = 1,
    WEIR_TYPE_N = 2,
    WEIR_TYPE_B = 3,
    WEIR_TYPE_BOOL = 4,
    WEIR_TYPE_NULL = 5,
    WEIR_TYPE_L = 6,
    WEIR_TYPE_M = 7,
    WEIR_TYPE_SS = 8,
    WEIR_TYPE_NS = 9,
    WEIR_TYPE_BS = 10,
};

enum {
    WEIR_ITEM_MAX_BYTES = 400 * 1024, /* DynamoDB's limit, counted as weir_item_size */
    WEIR_ITEM_MAX_DEPTH = 32,
};

/* "S", "NS", ...; "" for ABSENT. Static. */
const char *weir_type_name(enum weir_type type);

/* The type of a name; WEIR_TYPE_ABSENT when there is none. */
enum weir_type weir_type_parse(struct weir_str name);

/* An item's blob: borrowed bytes. A zero-length one stands for "no item". */
struct weir_item {
    const char *p;
    size_t n;
};

/* One value inside a blob. type ABSENT: there is none. */
struct weir_value {
    enum weir_type type;
    struct weir_str body; /* the encoded body; use the accessors */
};

/* --- reading ------------------------------------------------------------ */

/* The number of attributes. */
size_t weir_item_count(struct weir_item item);

/* The value of an attribute; type ABSENT when it has none. Cost: O(log attributes). */
struct weir_value weir_item_get(struct weir_item item, struct weir_str name);

/* The i-th attribute in name order, i < count. */
struct weir_value weir_item_at(struct weir_item item, size_t i, struct weir_str *ret_name);

/* DynamoDB's size of an item in bytes: names, values and the overhead of lists and maps. */
size_t weir_item_size(struct weir_item item);

/* DynamoDB's size of one value, without a name. */
size_t weir_value_size(struct weir_value value);

/* S or B bytes (any other type: empty). */
struct weir_str weir_value_str(struct weir_value value);

/* N as a decimal (any other type: zero). */
struct weir_decimal weir_value_decimal(struct weir_value value);

/* BOOL (any other type: false). */
bool weir_value_bool(struct weir_value value);

/* M as an item to use with the calls above (any other type: an empty one). */
struct weir_item weir_value_map(struct weir_value value);

/* The number of elements of L, M, SS, NS, BS; 0 for other types. */
size_t weir_value_count(struct weir_value value);

/* The i-th element of an L or a set (sets: in sorted order, elements typed S, N or B). */
struct weir_value weir_value_at(struct weir_value value, size_t i);

/* Deep equality as DynamoDB's "=": same type, numbers by value, sets without order. */
bool weir_value_eq(struct weir_value a, struct weir_value b);

/*
 * Order of two S, N or B values of one type; types that do not order, or differ,
 * give false and leave *ret_order alone.
 */
bool weir_value_cmp(struct weir_value a, struct weir_value b, int *ret_order);

/* Whether two items are equal: canonical encoding makes this a comparison of bytes. */
bool weir_item_eq(struct weir_item a, struct weir_item b);

/* Check a blob from outside before it is read. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_item_check(struct weir_item item, struct weir_err *err);

/* --- building ----------------------------------------------------------- */

/*
 * Builds one item. Calls nest like the value: begin, (name, value)*, end.
 * Names are sorted and sets are sorted and checked when a level ends; encoding
 * is canonical, so equal items have equal bytes. Errors are sticky: the first
 * one is returned by weir_item_finish. A name given twice: the last one wins
 * in a map. Memory is the arena's; the finished blob is the arena's too.
 */
struct weir_item_builder;

/* Make a builder in an arena; it lives as long as the arena. */
struct weir_item_builder *weir_item_begin(struct weir_arena *arena);

/* Name the attribute whose value comes next (inside the item or an M). Copied. */
void weir_item_name(struct weir_item_builder *builder, struct weir_str name);

/* One value: the attribute just named, or the next element of an L. Bytes are copied. */
void weir_item_s(struct weir_item_builder *builder, struct weir_str text);
void weir_item_n(struct weir_item_builder *builder, struct weir_decimal number);
void weir_item_b(struct weir_item_builder *builder, struct weir_str bytes);
void weir_item_bool(struct weir_item_builder *builder, bool value);
void weir_item_null(struct weir_item_builder *builder);
/* A copy of a value from any blob, whole. ABSENT is a programming error. */
void weir_item_value(struct weir_item_builder *builder, struct weir_value value);

/* Begin and end an M or L, or an SS, NS, BS (whose elements are added with s, n, b). */
void weir_item_open(struct weir_item_builder *builder, enum weir_type type);
void weir_item_close(struct weir_item_builder *builder);

/*
 * Whether the element just added to an open set was there already is checked at
 * close: a duplicate is an error with DynamoDB's message, as is an empty set.
 * Errors: WEIR_E_INVALID (empty or duplicate set element, too deep),
 * WEIR_E_TOO_LARGE (over 16 MiB; the 400 KiB limit is the table's to check).
 */
WEIR_MUST_CHECK enum weir_rc weir_item_finish(
        struct weir_item_builder *builder, struct weir_item *ret_item, struct weir_err *err);

/*
 * Encode a lone value (not an item): builder begun with weir_item_begin, one
 * value added without a name, then this. Errors: as weir_item_finish.
 */
WEIR_MUST_CHECK enum weir_rc weir_item_finish_value(
        struct weir_item_builder *builder, struct weir_value *ret_value, struct weir_err *err);

#endif
