#include "cli/configured.h"

#include <unistd.h>

const char *weir_cli_config_path(const char *given)
{
    if (given != NULL) {
        return given;
    }
    return access("weir.yaml", F_OK) == 0 ? "weir.yaml" : NULL;
}
