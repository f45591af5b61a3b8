/* weir version */
#include <stdio.h>

#include "cli/cli_int.h"

static const struct weir_cli_option options[] = {
    { "json", 0, NULL, "print an object", WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    printf(call->json ? "{\"version\":\"%s\"}\n" : "weir %s\n", WEIR_VERSION);
    return WEIR_CLI_DONE;
}

const struct weir_cli_command weir_cli_version = {
    .name = "version",
    .arguments = "",
    .help = "Print the version",
    .details = "",
    .options = options,
    .run = run,
};
