/* weir check: everything that is wrong with a configuration, in one pass. */
#include <stdio.h>

#include "cli/cli_int.h"
#include "cli/configured.h"
#include "function/function.h"
#include "step/registry.h"
#include "value/json.h"

static const struct weir_cli_option options[] = {
    { "config", 'c', "FILE", "the configuration (default: weir.yaml)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, config) },
    { "json", 0, NULL, "print an object with all errors and warnings", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

static void write_json(struct weir_buf *buf, const struct weir_diagnostics *diagnostics)
{
    weir_buf_z(buf, "{\"file\":");
    weir_json_write_string(buf, weir_str_z(diagnostics->file));
    weir_buf_printf(buf, ",\"errors\":%zu,\"warnings\":%zu,\"diagnostics\":[", diagnostics->errors,
            diagnostics->count - diagnostics->errors);
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct weir_diagnostic *one = &diagnostics->all[i];
        weir_buf_printf(buf,
                "%s{\"level\":\"%s\",\"line\":%u,\"column\":%u,\"text\":", i > 0 ? "," : "",
                one->level == WEIR_DIAGNOSTIC_ERROR ? "error" : "warning", one->line, one->column);
        weir_json_write_string(buf, weir_str_z(one->text));
        weir_buf_byte(buf, '}');
    }
    weir_buf_z(buf, "]}\n");
}

/* How the memory limits of functions would be kept, when there are any. */
static void write_memory_limits(struct weir_buf *buf, const struct weir_config *config)
{
    bool any = false;
    for (size_t i = 0; i < config->function_count; i++) {
        any = any ||
              (config->functions[i].command_count > 0 && config->functions[i].memory_bytes > 0);
    }
    struct weir_err err = { 0 };
    if (!any) {
        return;
    }
    if (weir_function_memory_check(&err) == WEIR_OK) {
        weir_buf_z(buf, "memory limits of functions: started from here, the kernel keeps them\n");
    } else {
        weir_buf_printf(buf,
                "memory limits of functions: started from here, they are watched, "
                "for %s\n",
                err.msg);
    }
}

static void write_text(struct weir_buf *buf, const struct weir_diagnostics *diagnostics,
        const struct weir_config *config)
{
    size_t warnings = diagnostics->count - diagnostics->errors;
    weir_diagnostics_write(diagnostics, buf);
    if (config == NULL) {
        weir_buf_printf(buf, "%s: %zu error%s\n", diagnostics->file, diagnostics->errors,
                diagnostics->errors == 1 ? "" : "s");
        return;
    }
    weir_buf_printf(buf, "%s: right: %zu table%s, %zu pipeline%s", diagnostics->file,
            config->table_count, config->table_count == 1 ? "" : "s", config->pipeline_count,
            config->pipeline_count == 1 ? "" : "s");
    if (config->alarm_count > 0) {
        weir_buf_printf(
                buf, ", %zu alarm%s", config->alarm_count, config->alarm_count == 1 ? "" : "s");
    }
    if (warnings > 0) {
        weir_buf_printf(buf, "; %zu warning%s", warnings, warnings == 1 ? "" : "s");
    }
    weir_buf_byte(buf, '\n');
    write_memory_limits(buf, config);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    const char *path = weir_cli_config_path(call->config);
    if (path == NULL) {
        return weir_cli_fail("there is no weir.yaml here; name a file with -c FILE");
    }
    WEIR_AUTO(weir_config) struct weir_config *config = NULL;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    struct weir_buf buf;
    weir_diagnostics_init(&diagnostics, path);
    enum weir_rc rc = weir_config_load(path, weir_step_kinds_all(), &diagnostics, &config, &err);
    if (rc != WEIR_OK && diagnostics.errors == 0) {
        weir_conf_error(&diagnostics, NULL, "%s", err.msg);
    }
    weir_buf_init(&buf, 4 << 20);
    if (call->json) {
        write_json(&buf, &diagnostics);
    } else {
        write_text(&buf, &diagnostics, config);
    }
    weir_cli_print(&buf);
    weir_diagnostics_fini(&diagnostics);
    return rc == WEIR_OK ? WEIR_CLI_DONE : WEIR_CLI_FAILED;
}

const struct weir_cli_command weir_cli_check = {
    .name = "check",
    .arguments = "",
    .help = "Check the configuration: all errors and warnings, in one pass",
    .details = "Ends with 0 when there are only warnings, with 1 when there are errors.\n",
    .options = options,
    .run = run,
};
