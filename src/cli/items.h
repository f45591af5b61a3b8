/* Query and scan: page after page, one item a line. */
#ifndef WEIR_CLI_ITEMS_H
#define WEIR_CLI_ITEMS_H

#include "cli/client.h"

/* Options that both have. */
#define WEIR_CLI_ITEMS_OPTIONS                                                                     \
    { "index", 'i', "NAME", "look there instead of in the table", WEIR_CLI_TEXT,                   \
        offsetof(struct weir_cli_call, index) },                                                   \
            { "limit", 'n', "N", "print at most so many items", WEIR_CLI_NUMBER,                   \
                offsetof(struct weir_cli_call, limit) },                                           \
            { "filter", 0, "EXPRESSION", "print only items for which this holds", WEIR_CLI_TEXT,   \
                offsetof(struct weir_cli_call, filter) },                                          \
            { "names", 0, "JSON", "names for the expression: {\"#s\": \"status\"}", WEIR_CLI_TEXT, \
                offsetof(struct weir_cli_call, names) },                                           \
            { "values", 0, "JSON", "values for the expression: {\":s\": \"new\"}", WEIR_CLI_TEXT,  \
                offsetof(struct weir_cli_call, values) },                                          \
            { "ddb", 0, NULL, "keys, values and items are DynamoDB JSON", WEIR_CLI_FLAG,           \
                offsetof(struct weir_cli_call, ddb) },                                             \
    {                                                                                              \
        "json", 0, NULL, "print one item a line, as JSON; so it does without this, too",           \
                WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json)                                \
    }

/*
 * Ask for pages with an operation ("Query", "Scan") until there are no more or the limit is
 * reached. members is what the operation needs of its own, each with a comma in front.
 */
enum weir_cli_exit weir_cli_items(const struct weir_cli_call *call, struct weir_str operation,
        struct weir_str members, const struct weir_cli_expressions *expressions);

#endif
