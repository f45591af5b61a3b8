/*
 * Test files: scenarios that run a whole weir on virtual time (`weir test`).
 *
 * A file names a configuration and holds tests, each a list of steps: writes, the passing of time,
 * faults, restarts, and what is expected then. Every test has a weir of its own. docs/testing.md
 * is the reference of the format; the tables of step kinds below are its source.
 *
 * A test ends at its first expectation that does not hold; what was expected, what was there and
 * when is told with the place in the file. One thread.
 */
#ifndef WEIR_SCENARIO_SCENARIO_H
#define WEIR_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"

struct weir_script;

/* What came of a test. Texts are borrowed from the script. */
struct weir_test_result {
    struct weir_str name;
    unsigned line; /* where it begins */
    bool passed;
    struct weir_str failure; /* "FILE:LINE:COLUMN: ...", more lines behind it; empty when passed */
    struct weir_str log;     /* what weir said meanwhile, a line each, without its debug lines */
    uint64_t virtual_ms;     /* time that passed in the test */
    uint64_t real_us;        /* time that it took */
};

/*
 * Load a test file and check everything about it that can be told without running it.
 * diagnostics gets every complaint. Errors: WEIR_E_NOT_FOUND, WEIR_E_IO, WEIR_E_INVALID (see
 * diagnostics).
 */
WEIR_MUST_CHECK enum weir_rc weir_script_load(const char *path,
        struct weir_diagnostics *diagnostics, struct weir_script **ret_script,
        struct weir_err *err);
void weir_script_destroy(struct weir_script *script);
WEIR_AUTO_DEFINE(weir_script);

/* The tests of a script, in the order of the file. */
size_t weir_script_count(const struct weir_script *script);
struct weir_str weir_script_name(const struct weir_script *script, size_t i);

/* Run one test. */
void weir_script_run(struct weir_script *script, size_t i, struct weir_test_result *ret_result);

/* Append help on the kinds of steps and what each takes. */
void weir_script_help(struct weir_buf *buf);

#endif
