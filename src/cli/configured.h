/* The configuration file of a command: found, loaded, and complained about. */
#ifndef WEIR_CLI_CONFIGURED_H
#define WEIR_CLI_CONFIGURED_H

#include "config/config.h"

/* The file that is meant: `given`, or weir.yaml of the working folder; NULL when neither is there.
 */
const char *weir_cli_config_path(const char *given);

#endif
