/* weir test: run test files on virtual time. */
#include <stdio.h>
#include <string.h>

#include "cli/cli_int.h"
#include "cli/test_report.h"

static const struct weir_cli_option options[] = {
    { "only", 'k', "TEXT", "run only tests with this text in their name", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, only) },
    { "format", 0, "FORMAT", "text (default), tap, junit or json", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, format) },
    { "json", 0, NULL, "the same as --format json", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { "verbose", 'v', NULL, "show what weir logged, also of tests that passed", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, verbose) },
    { 0 },
};

/* Print what was written so far, so that it is seen while the next test runs. */
static void flush(struct weir_test_report *report)
{
    fwrite(report->out.p, 1, report->out.n, stdout);
    fflush(stdout);
    weir_buf_reset(&report->out);
}

static bool is_wanted(struct weir_str name, const char *only)
{
    return only == NULL || memmem(name.p, name.n, only, strlen(only)) != NULL;
}

/* Run a file's tests; false: the file itself is wrong, and that was said. */
static bool run_file(struct weir_test_report *report, const char *path, const char *only)
{
    WEIR_AUTO(weir_script) struct weir_script *script = NULL;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    weir_diagnostics_init(&diagnostics, path);
    bool good = weir_script_load(path, &diagnostics, &script, &err) == WEIR_OK;
    if (!good && diagnostics.count == 0) {
        weir_cli_fail("%s", err.msg);
    }
    struct weir_buf complaints;
    weir_buf_init(&complaints, WEIR_CLI_OUT_MAX_BYTES);
    weir_diagnostics_write(&diagnostics, &complaints);
    fprintf(stderr, "%.*s", WEIR_STR_ARG(weir_buf_view(&complaints)));
    weir_buf_fini(&complaints);
    weir_diagnostics_fini(&diagnostics);
    report->file = path;
    for (size_t i = 0; good && i < weir_script_count(script); i++) {
        struct weir_test_result result;
        if (is_wanted(weir_script_name(script, i), only)) {
            weir_script_run(script, i, &result);
            weir_test_report_add(report, &result);
            flush(report);
        }
    }
    return good;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    const char *format = call->json ? "json" : call->format != NULL ? call->format : "text";
    struct weir_test_report report = { .verbose = call->verbose };
    report.format = weir_test_format_find(format);
    if (report.format == NULL) {
        weir_cli_fail("--format is text, tap, junit or json, not %s", format);
        return WEIR_CLI_USAGE;
    }
    weir_buf_init(&report.out, WEIR_CLI_OUT_MAX_BYTES);
    if (report.format->begin != NULL) {
        report.format->begin(&report);
    }
    bool good = true;
    for (size_t i = 0; i < call->argument_count; i++) {
        good = run_file(&report, call->arguments[i], call->only) && good;
    }
    if (report.format->end != NULL) {
        report.format->end(&report);
    }
    flush(&report);
    weir_buf_fini(&report.out);
    if (good && report.passed + report.failed == 0) {
        return call->only == NULL
                       ? weir_cli_fail("no test was run: there is none")
                       : weir_cli_fail("no test was run: none has '%s' in its name", call->only);
    }
    return good && report.failed == 0 ? WEIR_CLI_DONE : WEIR_CLI_FAILED;
}

const struct weir_cli_command weir_cli_test = {
    .name = "test",
    .arguments = "FILE...",
    .help = "Run test files: writes, the passing of time, and what is expected then",
    .details =
            "Each test has a weir of its own in memory, on virtual time: hours pass in "
            "milliseconds, and\n"
            "the same test has the same outcome every time. docs/testing.md describes the files.\n"
            "Ends with 1 when a test failed or a file has mistakes.\n",
    .options = options,
    .least = 1,
    .most = WEIR_CLI_ARGUMENTS_MAX,
    .run = run,
};
