/* How the outcome of tests is told: for people, or as TAP, JUnit XML or JSON for programs. */
#ifndef WEIR_CLI_TEST_REPORT_H
#define WEIR_CLI_TEST_REPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "scenario/scenario.h"

struct weir_test_report;

struct weir_test_format {
    const char *name;
    /* All append to report->out. test is required, the others are optional. */
    void (*begin)(struct weir_test_report *report);
    void (*test)(struct weir_test_report *report, const struct weir_test_result *result);
    void (*end)(struct weir_test_report *report);
};

struct weir_test_report {
    const struct weir_test_format *format;
    struct weir_buf out;
    const char *file; /* at hand */
    bool verbose;     /* what weir logged in tests that passed, too */
    size_t passed;
    size_t failed;
    uint64_t virtual_ms;
    uint64_t real_us;
};

/* The format of a name: text, tap, junit or json; NULL: there is none. */
const struct weir_test_format *weir_test_format_find(const char *name);

/* Tell of a test, and count it. */
void weir_test_report_add(struct weir_test_report *report, const struct weir_test_result *result);

#endif
