/*
 * Event patterns: compile, match, explain.
 *
 * A pattern is a JSON object whose keys nest like the event; each leaf is a
 * non-empty array of alternatives. Fields are ANDed, alternatives ORed.
 * docs/patterns.md is the reference for users.
 *
 * A *set* holds the patterns of everything that reads one stream, so that one
 * pass over a record answers all of them:
 *
 *     create -> add ... add -> freeze -> match, explain, lint ... -> destroy
 *
 * add is legal before freeze only; matching, explaining and lint after it only.
 *
 * Two modes. AWS: the pattern is matched against the record's Lambda form
 * ({"eventName":..,"dynamodb":{"NewImage":{"a":{"S":"x"}}}}) with the answers of
 * AWS's engine: dotted keys join with the path, numbers compare as doubles. ITEM:
 * the pattern is matched against the plain item ({"new":{"a":["x"]}}) under the
 * top-level names new, old, keys and event; path segments are kept apart,
 * numbers are exact decimals, letter case folds one code point to one, and
 * there are matchers that compare the new item with the old one.
 *
 * Ownership: everything handed in is copied. A frozen set never changes: any
 * number of threads may use it, each with a scratch of its own.
 */
#ifndef WEIR_PATTERN_PATTERN_H
#define WEIR_PATTERN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "value/record.h"

enum {
    WEIR_PATTERN_MAX_BYTES = 64 * 1024,        /* of one pattern's text */
    WEIR_PATTERN_MAX_DEPTH = 64,               /* of its objects and arrays */
    WEIR_PATTERN_MAX_COMBINATIONS = 1000,      /* of $or branches, multiplied out */
    WEIR_PATTERN_MAX_CONDITIONS = 100000,      /* fields times combinations */
    WEIR_PATTERN_MAX_STEPS = 10 * 1000 * 1000, /* of one search through arrays */
};

enum weir_pattern_mode {
    WEIR_PATTERN_AWS,
    WEIR_PATTERN_ITEM,
};

struct weir_pattern_set;

/* An empty set. The caller destroys it. */
struct weir_pattern_set *weir_pattern_set_create(void);

/* Free a set in any state; NULL is fine. */
void weir_pattern_set_destroy(struct weir_pattern_set *set);
WEIR_AUTO_DEFINE(weir_pattern_set);

/*
 * Compile a pattern into the set and give its index (0, 1, 2, ...). On failure
 * the set is as before; err->pos is the byte offset in json_text.
 *
 * Errors: WEIR_E_INVALID (the message says what is wrong and what was expected;
 * nesting deeper than WEIR_PATTERN_MAX_DEPTH is one), WEIR_E_TOO_LARGE (text or
 * combinations of $or past their limit).
 */
WEIR_MUST_CHECK enum weir_rc weir_pattern_set_add(struct weir_pattern_set *set,
        struct weir_str json_text, enum weir_pattern_mode mode, size_t *ret_index,
        struct weir_err *err);

/* Build the indexes; no patterns can be added after this. Calling it again does nothing. */
void weir_pattern_set_freeze(struct weir_pattern_set *set);

/* The number of patterns. */
size_t weir_pattern_set_count(const struct weir_pattern_set *set);

/* A pattern's text as it was added; borrowed from the set. */
struct weir_str weir_pattern_set_text(const struct weir_pattern_set *set, size_t index);

/* The number of 64-bit words that results need. */
size_t weir_pattern_set_words(const struct weir_pattern_set *set);

/* Whether a pattern's bit is set in results. */
static inline bool weir_pattern_matched(const uint64_t *results, size_t index)
{
    return (results[index / 64] >> (index % 64) & 1) != 0;
}

/* Memory that matching reuses. For one thread at a time, with any number of sets. */
struct weir_pattern_scratch;

struct weir_pattern_scratch *weir_pattern_scratch_create(void);

/* Free; NULL is fine. */
void weir_pattern_scratch_destroy(struct weir_pattern_scratch *scratch);
WEIR_AUTO_DEFINE(weir_pattern_scratch);

/*
 * Match a change record, in place: nothing is decoded that no pattern asks for.
 * results has weir_pattern_set_words words, which are all written.
 *
 * Errors: WEIR_E_LIMIT (arrays of the record allow too many combinations to
 * decide a pattern in WEIR_PATTERN_MAX_STEPS; its bit is clear, all others are right).
 */
WEIR_MUST_CHECK enum weir_rc weir_pattern_match_record(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_record *record, uint64_t *results,
        struct weir_err *err);

/*
 * Match an event given as JSON text, parsing included; what no pattern names is
 * checked for syntax and dropped. Item patterns need a record: their bits are clear.
 *
 * Errors: WEIR_E_INVALID (not valid JSON, or not an object; err->pos is the
 * offset; results are all clear), WEIR_E_LIMIT as above.
 */
WEIR_MUST_CHECK enum weir_rc weir_pattern_match_json(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, struct weir_str event_json, uint64_t *results,
        struct weir_err *err);

enum weir_pattern_form {
    WEIR_PATTERN_TEXT, /* lines for people */
    WEIR_PATTERN_JSON, /* one JSON object */
};

/*
 * Append why a pattern matches a record or does not: per field whether it
 * matched, what was wanted and which values were there.
 */
void weir_pattern_explain(const struct weir_pattern_set *set, size_t index,
        struct weir_pattern_scratch *scratch, const struct weir_record *record,
        enum weir_pattern_form form, struct weir_buf *buf);

/* As weir_pattern_explain, of an AWS-mode pattern on an event as JSON. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_pattern_explain_json(const struct weir_pattern_set *set,
        size_t index, struct weir_pattern_scratch *scratch, struct weir_str event_json,
        enum weir_pattern_form form, struct weir_buf *buf, struct weir_err *err);

/* One finding of lint. pos is the byte offset of the field in the pattern; text is borrowed. */
struct weir_pattern_finding {
    size_t pos;
    bool never; /* the whole pattern can never match */
    struct weir_str message;
};

/* What lint knows about the table, and where its findings go. */
struct weir_pattern_lint {
    /* Required. Called once a finding. */
    void (*found)(void *context, const struct weir_pattern_finding *finding);
    void *context;
    /* The key's attribute names; none: keys are not checked. */
    const struct weir_str *key_names;
    size_t key_count;
    /* What the stream carries; NONE: not checked. */
    enum weir_view_type view;
};

/*
 * Warn about parts of a pattern that can never match a record of a table's stream:
 * unknown names, numbers compared with N (which is a string in AWS's form), exists
 * on what is not a leaf, attributes below Keys that are no key.
 */
void weir_pattern_set_lint(
        const struct weir_pattern_set *set, size_t index, const struct weir_pattern_lint *lint);

#endif
