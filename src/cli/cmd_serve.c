/* weir serve: run the server. */
#include <stdio.h>

#include "cli/cli_int.h"
#include "cli/configured.h"
#include "daemon/daemon.h"
#include "step/registry.h"

static const struct weir_cli_option options[] = {
    { "config", 'c', "FILE", "the configuration (default: weir.yaml, if it is there)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, config) },
    { "listen", 0, "ADDRESS:PORT", "where to listen; port 0 takes a free one", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, listen) },
    { "data", 0, "FOLDER", "where the data is; memory keeps nothing on disk", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, data) },
    { 0 },
};

/* The configuration, or NULL when it is wrong and that was said. */
static struct weir_config *load(const char *given)
{
    const char *path = weir_cli_config_path(given);
    if (path == NULL) {
        return weir_config_create();
    }
    struct weir_config *config = NULL;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    struct weir_buf buf;
    weir_diagnostics_init(&diagnostics, path);
    weir_buf_init(&buf, 4 << 20);
    if (weir_config_load(path, weir_step_kinds_all(), &diagnostics, &config, &err) != WEIR_OK &&
            diagnostics.count == 0) {
        weir_cli_fail("%s", err.msg);
    }
    weir_diagnostics_write(&diagnostics, &buf);
    fprintf(stderr, "%.*s", WEIR_STR_ARG(weir_buf_view(&buf)));
    weir_buf_fini(&buf);
    weir_diagnostics_fini(&diagnostics);
    return config;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    WEIR_AUTO(weir_config) struct weir_config *config = load(call->config);
    if (config == NULL) {
        return WEIR_CLI_FAILED;
    }
    struct weir_daemon_options daemon_options = { .listen = call->listen, .data = call->data };
    struct weir_err err = { 0 };
    if (weir_daemon_run(config, &daemon_options, &err) != WEIR_OK) {
        return weir_cli_fail("%s", err.msg);
    }
    return WEIR_CLI_DONE;
}

const struct weir_cli_command weir_cli_serve = {
    .name = "serve",
    .arguments = "",
    .help = "Run the server: tables, streams, pipelines and their API",
    .details =
            "Without a file weir serves on 127.0.0.1:8000 and keeps its data in ./data; tables are "
            "then\n"
            "made through the API. It says \"listening on http://ADDRESS:PORT\" once it answers, "
            "and "
            "stops\n"
            "in order on SIGTERM or SIGINT.\n",
    .options = options,
    .run = run,
};
