/* weir replay: records of the log once more through one pipeline. */
#include <string.h>

#include "cli/job.h"

enum { PARAMETERS_MAX_BYTES = 64 * 1024 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "from", 0, "PLACE", "begin here: 2025-11-22T08:15:00Z, 2h (ago), or a sequence number",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, from) },
    { "to", 0, "PLACE", "end here, in the same forms (default: now)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, to) },
    { "where", 0, "JSON", "only records that match this event pattern", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, where) },
    { "stale", 0, NULL, "also records whose item has changed since", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, stale) },
    { "wait", 0, NULL, "come back when it has ended", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, wait) },
    { "cancel", 0, NULL, "end the replay, or the rebuild, that is under way", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, cancel) },
    { "json", 0, NULL, "print an object", WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit add_place(struct weir_buf *query, const char *name, const char *given)
{
    bool sequence = given != NULL && given[0] != '\0' && given[strspn(given, "0123456789")] == '\0';
    if (sequence) {
        weir_cli_add_parameter(query, name, weir_str_z(given));
        return WEIR_CLI_DONE;
    }
    return weir_cli_add_time(query, name, given);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    if (call->from == NULL && !call->cancel) {
        weir_cli_fail("something is missing: weir replay PIPELINE --from PLACE");
        return WEIR_CLI_USAGE;
    }
    struct weir_buf parameters;
    weir_buf_init(&parameters, PARAMETERS_MAX_BYTES);
    enum weir_cli_exit code = add_place(&parameters, "from", call->from);
    if (code == WEIR_CLI_DONE) {
        code = add_place(&parameters, "to", call->to);
    }
    if (call->where != NULL) {
        weir_cli_add_parameter(&parameters, "where", weir_str_z(call->where));
    }
    weir_buf_z(&parameters, call->stale ? "&stale=true" : "");
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_job(call, "replay", weir_buf_view(&parameters));
    }
    weir_buf_fini(&parameters);
    return code;
}

const struct weir_cli_command weir_cli_replay = {
    .name = "replay",
    .arguments = "PIPELINE",
    .help = "Process records of the log again, in one pipeline, beside what comes",
    .details = "Goes on by itself, also after a restart; `weir status` shows how far it is.\n"
               "Without --stale, records are left out whose item has changed since: a `put` would\n"
               "bring an old version back. Projections get them, and know which are of use.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
