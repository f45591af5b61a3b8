/* weir scan: all items of a table or index. */
#include "cli/items.h"

static const struct weir_cli_option options[] = { WEIR_CLI_ENDPOINT, WEIR_CLI_ITEMS_OPTIONS,
    { 0 } };

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_cli_expressions expressions;
    enum weir_cli_exit code = weir_cli_expressions_init(&expressions, call);
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_items(call, WEIR_STR("Scan"), WEIR_STR(""), &expressions);
    }
    weir_cli_expressions_fini(&expressions);
    return code;
}

const struct weir_cli_command weir_cli_scan = {
    .name = "scan",
    .arguments = "TABLE",
    .help = "Print all items of a table or index",
    .details = "",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
