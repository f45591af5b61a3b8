/*
 * Configuration as a tree with positions.
 *
 * A YAML file becomes a tree of nodes that remember where they stand, so that
 * every later complaint names file, line and column. Complaints are collected,
 * not returned one by one: `weir check` shows all of them in one pass.
 *
 * `!env NAME[, default]` and `!file PATH` are resolved here, before anything looks
 * at the tree; such scalars are marked secret, count as quoted, and are never printed.
 * Relative paths of !file start at the configuration file's folder; one newline at
 * the end of the file is dropped.
 * Anchors, aliases and merge keys (<<) work, and what they bring in keeps its own
 * place; duplicate names, several documents and directives (%YAML) are refused.
 * One thread; a tree is read-only after parsing.
 */
#ifndef WEIR_CONF_CONF_H
#define WEIR_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum weir_conf_kind {
    WEIR_CONF_NULL, /* an empty value */
    WEIR_CONF_SCALAR,
    WEIR_CONF_LIST,
    WEIR_CONF_MAP,
};

/* One node. All members are borrowed from the tree. */
struct weir_conf {
    enum weir_conf_kind kind;
    unsigned line;        /* 1-based */
    unsigned column;      /* 1-based, in characters */
    struct weir_str text; /* SCALAR: the value as written, unquoted */
    bool quoted;          /* SCALAR: 'x' or "x" or a block: always a string */
    bool secret;          /* came from !env or !file */
    bool broken;          /* could not be resolved: complained about already, has no text */
    char style;           /* SCALAR: the sign ' " | > it is written with; 0: plain */
    struct weir_str raw;  /* SCALAR: the text between the signs as it stands in the file */
    size_t count;         /* LIST, MAP */
    const struct weir_conf *items; /* LIST: elements; MAP: values, in file order */
    const struct weir_conf *names; /* MAP: the keys, scalars, in file order */
};

enum weir_diagnostic_level {
    WEIR_DIAGNOSTIC_WARNING,
    WEIR_DIAGNOSTIC_ERROR,
};

struct weir_diagnostic {
    enum weir_diagnostic_level level;
    unsigned line; /* 0: the whole file */
    unsigned column;
    char *text; /* owned by the list: what is wrong, what was expected, what to do */
};

/*
 * The file's name and everything there is to complain about, in file order after sort.
 * Past WEIR_DIAGNOSTICS_MAX complaints they are only counted.
 */
enum { WEIR_DIAGNOSTICS_MAX = 1000 };

struct weir_diagnostics {
    const char *file; /* borrowed; "weir.yaml" */
    struct weir_diagnostic *all;
    size_t count;
    size_t errors; /* of level ERROR */
    size_t more;   /* complaints that were dropped because of the maximum */
};

void weir_diagnostics_init(struct weir_diagnostics *diagnostics, const char *file);
void weir_diagnostics_fini(struct weir_diagnostics *diagnostics);

/* Complain about a node (NULL: about the whole file). */
WEIR_PRINTF(3, 4)
void weir_conf_error(
        struct weir_diagnostics *diagnostics, const struct weir_conf *at, const char *fmt, ...);
WEIR_PRINTF(3, 4)
void weir_conf_warn(
        struct weir_diagnostics *diagnostics, const struct weir_conf *at, const char *fmt, ...);

/*
 * Complain about a place inside a scalar's text (an expression's error position):
 * the column, and the line in block scalars, are worked out from the offset.
 */
WEIR_PRINTF(4, 5)
void weir_conf_error_in(struct weir_diagnostics *diagnostics, const struct weir_conf *at,
        size_t offset, const char *fmt, ...);

/*
 * A node as messages show it: its text in quotes, cut to fit, or "a secret", "a list",
 * "nothing". Written into out, which is returned. Use it wherever a message names a value.
 */
enum { WEIR_CONF_SHOWN = 96 };
const char *weir_conf_show(const struct weir_conf *node, char out[WEIR_CONF_SHOWN]);

/* Order by line and column, and drop repeats. */
void weir_diagnostics_sort(struct weir_diagnostics *diagnostics);

/* Append "file:line:column: error: text" lines. */
void weir_diagnostics_write(const struct weir_diagnostics *diagnostics, struct weir_buf *buf);

/*
 * Parse YAML text into a tree that lives in the arena; the text is copied. All faults
 * go to diagnostics; diagnostics->file gives relative !file paths their folder. An
 * empty text is a node of kind NULL.
 *
 * After a fault that is not one of syntax (a duplicate name, a missing environment
 * variable) the rest of the tree can still be looked at for more: then *ret_root is
 * set on WEIR_E_INVALID too. Set it to NULL before the call.
 *
 * Errors: WEIR_E_INVALID (see diagnostics), WEIR_E_TOO_LARGE (text over 4 MiB, depth
 * over 64, over 100,000 nodes with aliases counted as what they stand for, over 1,000
 * anchors, over 200,000 brackets, braces and commas, over 100 empty lines in a row).
 */
WEIR_MUST_CHECK enum weir_rc weir_conf_parse(struct weir_arena *arena, struct weir_str text,
        struct weir_diagnostics *diagnostics, const struct weir_conf **ret_root,
        struct weir_err *err);

/* As weir_conf_parse, from a file. Errors: also WEIR_E_NOT_FOUND, WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_conf_load(struct weir_arena *arena, const char *path,
        struct weir_diagnostics *diagnostics, const struct weir_conf **ret_root,
        struct weir_err *err);

/* A member of a MAP, or NULL. */
const struct weir_conf *weir_conf_get(const struct weir_conf *map, const char *name);

/*
 * Append a node as JSON: scalars by YAML's core schema (numbers, true, false, null,
 * else strings). For event patterns, which are JSON with YAML as their clothes.
 * Numbers are decimal ones only: 0x1f, 0o17, 1:30, .inf and a number with leading
 * zeros (an account id) stay strings. Secrets are written, as strings.
 */
void weir_conf_write_json(struct weir_buf *buf, const struct weir_conf *node);

/*
 * The innermost node that covers a byte offset of the JSON that weir_conf_write_json
 * makes of `node`: turns an error position back into a place in the file. A member's
 * name covers its own text; past the end of the JSON it is `node` itself.
 */
const struct weir_conf *weir_conf_at_json(const struct weir_conf *node, size_t offset);

/* --- option tables ---------------------------------------------------------- */

enum weir_option_type {
    WEIR_OPTION_STRING,   /* struct weir_str */
    WEIR_OPTION_BOOL,     /* bool */
    WEIR_OPTION_INTEGER,  /* uint64_t; min and max of the option */
    WEIR_OPTION_DURATION, /* uint64_t milliseconds; "5s", "250ms", "15m", "24h", "7d" */
    WEIR_OPTION_BYTES,    /* uint64_t; "64MiB", "1GiB", "4096" */
    WEIR_OPTION_NODE,     /* const struct weir_conf *: the kind looks at it itself */
};

/* One option: parses configuration, writes help and docs, sets the field. */
struct weir_option {
    const char *name;
    const char *fallback; /* as it would be written; NULL: required; "": absent is fine */
    const char *help;     /* one sentence, no full stop */
    enum weir_option_type type;
    size_t offset; /* of the field in the struct that is filled */
    uint64_t min;  /* INTEGER, DURATION, BYTES; max 0: no limit */
    uint64_t max;
};

/*
 * Fill a zeroed struct from a MAP (NULL or NULL-kind: only fallbacks) by a table that
 * ends with .name == NULL. Unknown names, wrong types, values out of range and
 * missing options become diagnostics that name the nearest valid name. `what` names
 * the thing in messages ("step put", "table 'orders'"). Strings are borrowed from the
 * tree; fallbacks from the table. Fallbacks are not held against min and max.
 * Returns whether there was no error.
 */
bool weir_conf_options(struct weir_diagnostics *diagnostics, const struct weir_conf *map,
        const char *what, const struct weir_option *options, void *target);

/*
 * Parse one value of a type as weir_conf_options does. Numbers and booleans are not
 * written in quotes, durations and sizes may be; a STRING takes any scalar's text.
 * Returns whether it was right.
 */
bool weir_conf_value(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        const struct weir_option *option, void *field);

/*
 * Complain about a name that is not one of a list, with the nearest valid one:
 * "unknown step 'putt'; did you mean 'put'? (known: put, send)", `what` being "step".
 */
void weir_conf_unknown(struct weir_diagnostics *diagnostics, const struct weir_conf *at,
        const char *what, const char *const *names, size_t count);

/* Append help for a table: one line an option, with type, fallback and help text. */
void weir_options_help(struct weir_buf *buf, const struct weir_option *options);

#endif
