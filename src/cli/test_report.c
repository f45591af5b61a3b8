#include "cli/test_report.h"

#include <string.h>

#include "base/mem.h"
#include "value/json.h"

/* --- for people --------------------------------------------------------------------------- */

static void write_span(struct weir_buf *out, uint64_t ms)
{
    if (ms < 10 * 1000) {
        weir_buf_printf(out, "%llu.%03llu s", (unsigned long long)(ms / 1000),
                (unsigned long long)(ms % 1000));
    } else if (ms < 10 * 60 * 1000) {
        weir_buf_printf(out, "%llu s", (unsigned long long)(ms / 1000));
    } else if (ms < 48ull * 3600 * 1000) {
        weir_buf_printf(out, "%llu min", (unsigned long long)(ms / 60000));
    } else {
        weir_buf_printf(out, "%llu days", (unsigned long long)(ms / 86400000));
    }
}

/* Lines of a text with spaces in front. */
static void indent(struct weir_buf *out, struct weir_str text)
{
    for (size_t i = 0; i < text.n;) {
        const char *end = memchr(text.p + i, '\n', text.n - i);
        size_t n = end != NULL ? (size_t)(end - text.p) - i : text.n - i;
        weir_buf_printf(out, "      %.*s\n", WEIR_STR_ARG(weir_str(text.p + i, n)));
        i += n + 1;
    }
}

static void text_test(struct weir_test_report *report, const struct weir_test_result *result)
{
    struct weir_buf *out = &report->out;
    weir_buf_printf(
            out, "%s  %.*s (", result->passed ? "ok  " : "FAIL", WEIR_STR_ARG(result->name));
    write_span(out, result->virtual_ms);
    weir_buf_z(out, ")\n");
    if (!result->passed) {
        indent(out, result->failure);
    }
    if (result->log.n > 0 && (report->verbose || !result->passed)) {
        weir_buf_z(out, "    weir's log:\n");
        indent(out, result->log);
    }
}

static void text_end(struct weir_test_report *report)
{
    struct weir_buf *out = &report->out;
    weir_buf_printf(out, "%zu passed, %zu failed; ", report->passed, report->failed);
    write_span(out, report->virtual_ms);
    weir_buf_printf(out, " of virtual time in %.3f s\n", (double)report->real_us / 1e6);
}

/* --- TAP ---------------------------------------------------------------------------------------
 */

static void tap_begin(struct weir_test_report *report)
{
    weir_buf_z(&report->out, "TAP version 13\n");
}

static void tap_test(struct weir_test_report *report, const struct weir_test_result *result)
{
    struct weir_buf *out = &report->out;
    size_t number = report->passed + report->failed;
    weir_buf_printf(out, "%s %zu - %.*s\n", result->passed ? "ok" : "not ok", number,
            WEIR_STR_ARG(result->name));
    if (!result->passed) {
        weir_buf_z(out, "  ---\n  message: |\n");
        indent(out, result->failure);
        weir_buf_z(out, "  ...\n");
    }
}

static void tap_end(struct weir_test_report *report)
{
    weir_buf_printf(&report->out, "1..%zu\n", report->passed + report->failed);
}

/* --- JUnit
 * ---------------------------------------------------------------------------------------- */

static void junit_begin(struct weir_test_report *report)
{
    weir_buf_z(&report->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite "
                             "name=\"weir\">\n");
}

static void junit_test(struct weir_test_report *report, const struct weir_test_result *result)
{
    struct weir_buf *out = &report->out;
    weir_buf_z(out, "<testcase classname=\"");
    weir_buf_xml(out, weir_str_z(report->file));
    weir_buf_z(out, "\" name=\"");
    weir_buf_xml(out, result->name);
    weir_buf_printf(out, "\" time=\"%.6f\">", (double)result->real_us / 1e6);
    if (!result->passed) {
        weir_buf_z(out, "<failure message=\"");
        weir_buf_xml(out, result->failure);
        weir_buf_z(out, "\"/>");
    }
    weir_buf_z(out, "<system-err>");
    weir_buf_xml(out, result->log);
    weir_buf_z(out, "</system-err></testcase>\n");
}

static void junit_end(struct weir_test_report *report)
{
    weir_buf_z(&report->out, "</testsuite>\n</testsuites>\n");
}

/* --- JSON
 * ------------------------------------------------------------------------------------------- */

static void json_begin(struct weir_test_report *report)
{
    weir_buf_z(&report->out, "{\"tests\":[");
}

static void json_test(struct weir_test_report *report, const struct weir_test_result *result)
{
    struct weir_buf *out = &report->out;
    weir_buf_z(out, report->passed + report->failed > 1 ? ",\n{\"file\":" : "\n{\"file\":");
    weir_json_write_string(out, weir_str_z(report->file));
    weir_buf_printf(out, ",\"line\":%u,\"name\":", result->line);
    weir_json_write_string(out, result->name);
    weir_buf_printf(out, ",\"passed\":%s,\"virtual_ms\":%llu,\"real_us\":%llu",
            result->passed ? "true" : "false", (unsigned long long)result->virtual_ms,
            (unsigned long long)result->real_us);
    if (!result->passed) {
        weir_buf_z(out, ",\"failure\":");
        weir_json_write_string(out, result->failure);
    }
    weir_buf_z(out, ",\"log\":");
    weir_json_write_string(out, result->log);
    weir_buf_byte(out, '}');
}

static void json_end(struct weir_test_report *report)
{
    weir_buf_printf(
            &report->out, "\n],\"passed\":%zu,\"failed\":%zu}\n", report->passed, report->failed);
}

/* --- the formats
 * ---------------------------------------------------------------------------------------- */

static const struct weir_test_format formats[] = {
    { "text", NULL, text_test, text_end },
    { "tap", tap_begin, tap_test, tap_end },
    { "junit", junit_begin, junit_test, junit_end },
    { "json", json_begin, json_test, json_end },
};

const struct weir_test_format *weir_test_format_find(const char *name)
{
    for (size_t i = 0; i < WEIR_COUNT(formats); i++) {
        if (strcmp(formats[i].name, name) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

void weir_test_report_add(struct weir_test_report *report, const struct weir_test_result *result)
{
    report->passed += result->passed;
    report->failed += !result->passed;
    report->virtual_ms += result->virtual_ms;
    report->real_us += result->real_us;
    report->format->test(report, result);
}
