/*
 * JSON (RFC 8259), strict: a pull reader over a text in memory, and a writer.
 *
 * The reader hands out one token at a time and builds nothing. Strings without
 * escapes are borrowed from the text; others are decoded into the arena. UTF-8
 * is validated, escapes for lone surrogates are refused, depth is limited.
 * Numbers are handed out as their text. One thread at a time.
 */
#ifndef WEIR_VALUE_JSON_H
#define WEIR_VALUE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { WEIR_JSON_MAX_DEPTH = 512 };

enum weir_json_token {
    WEIR_JSON_ERROR, /* the reader's error says what and where; every later call gives it again */
    WEIR_JSON_END,   /* after the one top-level value; trailing text is an error */
    WEIR_JSON_OBJECT,
    WEIR_JSON_OBJECT_END,
    WEIR_JSON_ARRAY,
    WEIR_JSON_ARRAY_END,
    WEIR_JSON_NAME,   /* an object's member name: text; its value comes next */
    WEIR_JSON_STRING, /* text */
    WEIR_JSON_NUMBER, /* text, as written */
    WEIR_JSON_TRUE,
    WEIR_JSON_FALSE,
    WEIR_JSON_NULL,
};

struct weir_json {
    struct weir_str input;
    struct weir_arena *arena; /* for strings with escapes */
    struct weir_str text;     /* of the last NAME, STRING or NUMBER */
    size_t pos;               /* where the last token began, for messages */
    size_t at;                /* next byte to read */
    unsigned depth;
    unsigned max_depth;
    struct weir_err err; /* set once next gives WEIR_JSON_ERROR */
    /* private: what may come next, and one bit a level: object or array */
    unsigned char expect;
    unsigned char kinds[(WEIR_JSON_MAX_DEPTH + 7) / 8];
};

/*
 * Start reading. input is borrowed and must outlive the reader and all texts;
 * max_depth is at most WEIR_JSON_MAX_DEPTH.
 */
void weir_json_init(struct weir_json *json, struct weir_str input, struct weir_arena *arena,
        unsigned max_depth);

/* The next token. */
enum weir_json_token weir_json_next(struct weir_json *json);

/*
 * Skip the value that begins with the token just read (NAME: and its value).
 * Errors: WEIR_E_INVALID with the position.
 */
WEIR_MUST_CHECK enum weir_rc weir_json_skip(
        struct weir_json *json, enum weir_json_token token, struct weir_err *err);

/*
 * As weir_json_skip, but also give the value's exact text, borrowed from the
 * input. Errors: WEIR_E_INVALID with the position.
 */
WEIR_MUST_CHECK enum weir_rc weir_json_raw(struct weir_json *json, enum weir_json_token token,
        struct weir_str *ret_text, struct weir_err *err);

/* "an object", "a string", ...: for messages. Static. */
const char *weir_json_token_name(enum weir_json_token token);

/* --- writing: appends to a buffer; the caller keeps the structure right --- */

/* A quoted, escaped string. Bytes that are not UTF-8 are written as U+FFFD. */
void weir_json_write_string(struct weir_buf *buf, struct weir_str text);

/* A string holding base64 of the bytes. */
void weir_json_write_base64(struct weir_buf *buf, struct weir_str bytes);

/* --- base64 (RFC 4648, padded) ------------------------------------------ */

/* Append the base64 text of bytes. */
void weir_base64_encode(struct weir_buf *buf, struct weir_str bytes);

/* Decode into the arena; lax: padding may be missing. Errors: WEIR_E_INVALID with the position. */
WEIR_MUST_CHECK enum weir_rc weir_base64_decode(struct weir_arena *arena, struct weir_str text,
        bool lax, struct weir_str *ret_bytes, struct weir_err *err);

#endif
