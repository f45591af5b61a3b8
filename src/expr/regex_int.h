/* What the regular expressions' own files share. */
#ifndef WEIR_EXPR_REGEX_INT_H
#define WEIR_EXPR_REGEX_INT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "expr/regex.h"

/* --- Unicode tables (unicode.c) ------------------------------------------ */

struct weir_range {
    uint32_t first;
    uint32_t last;
};

/* A category ("Lu") or script ("Greek"): pairs of the gap before a range and its length less one.
 */
struct weir_class_table {
    const char *name;
    const uint32_t *gaps;
    size_t count; /* of numbers */
};

/*
 * Code points that differ in case only form rings; delta leads from each to the next
 * of its ring. Delta 0: neighbours that swap, the first and the one behind it, and so on.
 * Three numbers each: first, length less one, delta; in order of first.
 */
extern const struct weir_class_table weir_unicode_classes[]; /* ended by a NULL name */
extern const int32_t weir_unicode_folds[];
extern const size_t weir_unicode_fold_count;

/* --- character classes (regex_class.c) ----------------------------------- */

struct weir_class {
    struct weir_arena *arena;
    struct weir_range *ranges; /* sorted and apart after weir_class_finish */
    size_t count;
    size_t capacity;
};

void weir_class_init(struct weir_class *set, struct weir_arena *arena);
void weir_class_add(struct weir_class *set, uint32_t first, uint32_t last);
/* Add the code points that differ from members in case only. */
void weir_class_fold(struct weir_class *set);
/* Sort, join what touches, and turn around if negate. */
void weir_class_finish(struct weir_class *set, bool negate);
/* Add \p{name}, or what is outside it; false when there is no such class. */
bool weir_class_add_unicode(struct weir_class *set, struct weir_str name, bool negate);
/* Add d, w, s or (upper case) what is outside it. */
void weir_class_add_perl(struct weir_class *set, char which);
/* Add [:name:]; false when there is no such class. */
bool weir_class_add_posix(struct weir_class *set, struct weir_str name, bool negate);

/* --- the pattern as a tree (regex_parse.c) -------------------------------- */

enum weir_re_kind {
    WEIR_RE_EMPTY,
    WEIR_RE_CLASS,
    WEIR_RE_CAT,
    WEIR_RE_ALT,
    WEIR_RE_REPEAT, /* left, least to most times (-1: any) */
    WEIR_RE_ASSERT,
};

enum weir_re_assert {
    WEIR_ASSERT_TEXT_BEGIN,
    WEIR_ASSERT_TEXT_END,
    WEIR_ASSERT_LINE_BEGIN,
    WEIR_ASSERT_LINE_END,
    WEIR_ASSERT_WORD,
    WEIR_ASSERT_NOT_WORD,
};

struct weir_re {
    enum weir_re_kind kind;
    enum weir_re_assert assertion;
    int least;
    int most;
    struct weir_re *left;
    struct weir_re *right;
    const struct weir_range *ranges;
    size_t count;
};

enum { WEIR_REGEX_MAX_NESTING = 200, WEIR_REGEX_MAX_REPEAT = 1000, WEIR_REGEX_MAX_SIZE = 50000 };

/* Errors: as weir_regex_compile. */
WEIR_MUST_CHECK enum weir_rc weir_regex_parse(struct weir_arena *arena, struct weir_str pattern,
        struct weir_re **ret_tree, struct weir_err *err);

/* --- the automaton (regex.c, regex_dfa.c) --------------------------------- */

enum weir_step_kind {
    WEIR_STEP_BYTES,  /* a byte of first to last leads to out */
    WEIR_STEP_SPLIT,  /* out or other, without a byte */
    WEIR_STEP_ASSERT, /* out, if the assertion holds */
    WEIR_STEP_MATCH,
};

struct weir_step {
    uint8_t kind;  /* enum weir_step_kind */
    uint8_t first; /* ASSERT: enum weir_re_assert */
    uint8_t last;
    uint32_t out;
    uint32_t other;
};

/* Deterministic form: a table of states by classes of bytes. */
struct weir_dfa {
    uint8_t classes[256];
    uint16_t class_count;
    uint16_t start;
    bool matches_empty; /* the one text that ends where it begins */
    uint16_t *next;     /* [state * class_count + class] */
    uint8_t *
            accepting; /* of a state: bit 0 here, bit 1 at the text's end; bit 2: nothing follows */
};

enum { WEIR_DFA_HERE = 1, WEIR_DFA_AT_END = 2, WEIR_DFA_DEAD = 4 };

struct weir_regex {
    struct weir_step *steps;
    uint32_t count;
    uint32_t start;
    const struct weir_dfa *dfa; /* NULL: run state set by state set */
};

/* Make the deterministic form in the arena; NULL when it is too large or needs context. */
const struct weir_dfa *weir_dfa_make(const struct weir_regex *regex, struct weir_arena *arena);

#endif
