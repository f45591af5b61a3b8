/* weir rebuild: a pipeline's views anew, from what its tables hold. */
#include "cli/job.h"

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "prune", 0, NULL, "delete what was made of items that do not pass the filter now",
            WEIR_CLI_FLAG, offsetof(struct weir_cli_call, prune) },
    { "wait", 0, NULL, "come back when it has ended", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, wait) },
    { "cancel", 0, NULL, "end the rebuild, or the replay, that is under way", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, cancel) },
    { "json", 0, NULL, "print an object", WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    return weir_cli_job(call, "rebuild", call->prune ? WEIR_STR("&prune=true") : WEIR_STR(""));
}

const struct weir_cli_command weir_cli_rebuild = {
    .name = "rebuild",
    .arguments = "PIPELINE",
    .help = "Make a pipeline's projections anew from its tables, while it goes on",
    .details = "Goes on by itself, also after a restart; `weir status` shows how far it is.\n"
               "Needed after the rule has changed, or after records were lost.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
