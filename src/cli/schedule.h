/* What the files of `weir schedule` share. */
#ifndef WEIR_CLI_SCHEDULE_H
#define WEIR_CLI_SCHEDULE_H

#include "cli/cli_int.h"

/* `weir schedule list`: by the options of the call. */
enum weir_cli_exit weir_cli_schedule_list(const struct weir_cli_call *call);

#endif
