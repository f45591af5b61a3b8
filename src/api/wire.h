/*
 * Requests of AWS's JSON protocols, read straight into structs.
 *
 * A shape is a table of a struct's members: each has its name on the wire, its type,
 * its place in the struct and the constraints that AWS states for it. Reading fills a
 * zeroed struct and skips members that the table does not name; checking goes over what
 * was read and collects everything that breaks a constraint in one message, as AWS does.
 *
 * Members that are absent or null leave their field zeroed. All text is copied into the
 * arena, so that a request may outlive the connection it came on.
 *
 * Pure functions of their input; any thread.
 */
#ifndef WEIR_API_WIRE_H
#define WEIR_API_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "value/item.h"

enum weir_wire_type {
    WEIR_WIRE_STRING,     /* struct weir_str; p NULL: absent */
    WEIR_WIRE_TABLE_NAME, /* struct weir_str: a table's name or ARN */
    WEIR_WIRE_INDEX_NAME, /* struct weir_str */
    WEIR_WIRE_BOOL,       /* struct weir_wire_bool */
    WEIR_WIRE_NUMBER,     /* struct weir_wire_number: an integer */
    WEIR_WIRE_TIME,       /* struct weir_wire_time: seconds since 1970, maybe with a fraction */
    WEIR_WIRE_ITEM,       /* struct weir_item of attribute values; p NULL: absent */
    WEIR_WIRE_NAMES,      /* struct weir_item: a map of texts, as S attributes */
    WEIR_WIRE_STRINGS,    /* struct weir_wire_list of struct weir_str */
    WEIR_WIRE_ITEMS,      /* struct weir_wire_list of struct weir_item */
    WEIR_WIRE_STRUCT,     /* a pointer to a struct of the shape; NULL: absent */
    WEIR_WIRE_LIST,       /* struct weir_wire_list of structs of the shape */
    WEIR_WIRE_MAP,        /* the same; each struct begins with a struct weir_str, its name */
    WEIR_WIRE_LISTS,      /* the same; each value is a list that fills the second member */
    WEIR_WIRE_REFUSED,    /* struct weir_str: the member's name when it is there and not empty */
};

struct weir_wire_bool {
    bool set;
    bool value;
};

struct weir_wire_number {
    bool set;
    int64_t value;
};

struct weir_wire_time {
    bool set;
    struct weir_time value;
};

struct weir_wire_list {
    bool set;
    void *items; /* the arena's */
    size_t count;
};

/* The i-th element of a list of structs of a type. */
#define WEIR_WIRE_AT(list, type, i) (&((type *)(list).items)[i])

struct weir_wire_shape;

/* What a text must look like: AWS's pattern, as it is shown, and a function that knows. */
struct weir_wire_pattern {
    const char *shown;
    bool (*fits)(struct weir_str text);
};

struct weir_wire_member {
    const char *name; /* on the wire; NULL ends a table */
    enum weir_wire_type type;
    bool required;
    size_t offset;
    const struct weir_wire_shape *shape; /* of STRUCT, LIST, MAP, LISTS */
    int64_t min; /* a number's value, a text's or list's length; max 0: no bounds */
    int64_t max;
    const char *values;                      /* STRING: "[A, B]", the values allowed */
    const struct weir_wire_pattern *pattern; /* STRING; NULL: any */
};

struct weir_wire_shape {
    size_t size;
    const struct weir_wire_member *members;
};

enum weir_wire_fault {
    WEIR_WIRE_FINE,
    WEIR_WIRE_SERIALIZATION, /* not JSON, or JSON of other types than the shape's */
    WEIR_WIRE_VALIDATION,    /* right types, wrong values */
};

/*
 * Read a request's body into a new zeroed struct of the shape, in the arena. On a fault
 * *ret_message is AWS's text for it, in the arena; for text that is not JSON it gives
 * the place.
 */
enum weir_wire_fault weir_wire_read(const struct weir_wire_shape *shape, struct weir_str body,
        struct weir_arena *arena, void **ret_request, struct weir_str *ret_message);

/* Check a request that was read against its shape's constraints; as weir_wire_read. */
enum weir_wire_fault weir_wire_check(const struct weir_wire_shape *shape, const void *request,
        struct weir_arena *arena, struct weir_str *ret_message);

/* Whether a text stands in a list of values such as "[A, B]". */
bool weir_wire_is_one_of(const char *values, struct weir_str text);

#endif
