/* What `weir rebuild` and `weir replay` share: beginning something that goes on by itself. */
#ifndef WEIR_CLI_JOB_H
#define WEIR_CLI_JOB_H

#include "cli/client.h"

/* Ask for a job of the pipeline that the call names, or with --cancel for its end; say what came
 * of it. what: "rebuild" or "replay"; parameters: more of them, as weir_cli_add_parameter appends.
 */
enum weir_cli_exit weir_cli_job(
        const struct weir_cli_call *call, const char *what, struct weir_str parameters);

#endif
