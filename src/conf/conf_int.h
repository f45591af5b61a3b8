/* What the files of conf share. */
#ifndef WEIR_CONF_CONF_INT_H
#define WEIR_CONF_CONF_INT_H

#include "conf/conf.h"

enum {
    WEIR_CONF_MAX_TEXT = 4 << 20,
    WEIR_CONF_MAX_DEPTH = 64,
    WEIR_CONF_MAX_NODES = 100000,
    WEIR_CONF_MAX_ANCHORS = 1000,
    WEIR_CONF_MAX_FLOW = 2 * WEIR_CONF_MAX_NODES, /* brackets, braces and commas in the text */
    WEIR_CONF_MAX_BLANK = 100,                    /* empty lines in a row */
    WEIR_CONF_MAX_NAMED = 64,
    WEIR_CONF_MAX_SECRET = 1 << 20, /* bytes of a file named by !file */
};

/* What !env and !file need. */
struct weir_conf_secrets {
    struct weir_arena *arena;
    struct weir_diagnostics *diagnostics;
    struct weir_str folder; /* of the configuration file, with its last slash; may be empty */
};

/*
 * Turn a scalar or list tagged !env, or a scalar tagged !file, into the secret it
 * names. What is wrong becomes a diagnostic and the node is marked broken.
 */
void weir_conf_resolve_env(const struct weir_conf_secrets *secrets, struct weir_conf *node);
void weir_conf_resolve_file(const struct weir_conf_secrets *secrets, struct weir_conf *node);

/*
 * The whole file in the arena, zero-terminated behind its end.
 * Errors: WEIR_E_NOT_FOUND, WEIR_E_IO, WEIR_E_TOO_LARGE past max bytes.
 */
WEIR_MUST_CHECK enum weir_rc weir_conf_read_file(struct weir_arena *arena, const char *path,
        size_t max, struct weir_str *ret_text, struct weir_err *err);

/* The part of a path up to its last slash, that included; may be empty. Borrowed from path. */
struct weir_str weir_conf_folder(const char *path);

/* Parse as weir_conf_parse, with the folder relative !file paths start at. Errors: the same. */
WEIR_MUST_CHECK enum weir_rc weir_conf_parse_in(struct weir_arena *arena, struct weir_str text,
        struct weir_str folder, struct weir_diagnostics *diagnostics,
        const struct weir_conf **ret_root, struct weir_err *err);

/* Complain about a place that is no node. */
WEIR_PRINTF(4, 5)
void weir_conf_error_at(
        struct weir_diagnostics *diagnostics, unsigned line, unsigned column, const char *fmt, ...);

/* How many of a string's bytes make its first character: 1 to 4. */
size_t weir_conf_char_bytes(struct weir_str s);

/* At most WEIR_CONF_MAX_NAMED bytes of a string for a message, never half a character. */
struct weir_str weir_conf_cut(struct weir_str s);

#endif
