/*
 * Regular expressions in RE2's syntax, matched in time linear in the text.
 *
 * A pattern becomes an automaton over bytes; a small one is made deterministic
 * when it is compiled (one table look-up a byte), others are run state set by
 * state set. Nothing backtracks. A compiled pattern is immutable and may be used by any
 * number of threads; it belongs to the arena it was compiled into.
 *
 * Not offered, as in RE2: back references, look-around, possessive quantifiers.
 */
#ifndef WEIR_EXPR_REGEX_H
#define WEIR_EXPR_REGEX_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct weir_regex;

/*
 * Compile a pattern (valid UTF-8) into the arena. Making it deterministic costs more now
 * and less for each byte of text later: for patterns that are used many times.
 * Errors: WEIR_E_INVALID (syntax), WEIR_E_LIMIT (repetition over 1000, program too
 * large, nested too deep); err->pos is the byte offset in the pattern.
 */
WEIR_MUST_CHECK enum weir_rc weir_regex_compile(struct weir_arena *arena, struct weir_str pattern,
        bool deterministic, const struct weir_regex **ret_regex, struct weir_err *err);

/* Whether the pattern matches anywhere in the text (valid UTF-8). Any thread. */
bool weir_regex_search(const struct weir_regex *regex, struct weir_str text);

/* What one byte of text can cost at worst, in states: 1 for a deterministic pattern. */
size_t weir_regex_cost(const struct weir_regex *regex);

#endif
