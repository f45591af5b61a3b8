/* weir put: write an item. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 64 << 20 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "condition", 0, "EXPRESSION", "write only if this holds for the item that is there",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, condition) },
    { "names", 0, "JSON", "names for the expression: {\"#s\": \"status\"}", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, names) },
    { "values", 0, "JSON", "values for the expression: {\":s\": \"new\"}", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, values) },
    { "ddb", 0, NULL, "items and values are DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { "json", 0, NULL, "print an object that says how many items were written", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit put(const struct weir_cli_call *call, const char *what, const char *text)
{
    struct weir_buf body;
    struct weir_http_reply reply = { 0 };
    struct weir_cli_expressions expressions;
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"TableName\":");
    weir_json_write_string(&body, weir_str_z(call->arguments[0]));
    weir_buf_byte(&body, ',');
    enum weir_cli_exit code = weir_cli_expressions_init(&expressions, call);
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_add_item(&body, call, "Item", what, text);
    }
    if (code == WEIR_CLI_DONE) {
        if (call->condition != NULL) {
            weir_buf_z(&body, ",\"ConditionExpression\":");
            weir_json_write_string(&body, weir_str_z(call->condition));
        }
        weir_cli_expressions_write(&expressions, &body);
        weir_buf_byte(&body, '}');
        struct weir_cli_request request = { .operation = WEIR_STR("PutItem"),
            .body = weir_buf_view(&body) };
        code = weir_cli_fetch(call, &request, &reply);
    }
    weir_http_reply_fini(&reply);
    weir_cli_expressions_fini(&expressions);
    weir_buf_fini(&body);
    return code;
}

/* One item a line; empty lines are passed over. Stops at the first that is refused. */
static enum weir_cli_exit put_lines(const struct weir_cli_call *call, uint64_t *ret_count)
{
    char *line = NULL;
    size_t capacity = 0;
    uint64_t number = 0;
    enum weir_cli_exit code = WEIR_CLI_DONE;
    while (code == WEIR_CLI_DONE && getline(&line, &capacity, stdin) >= 0) {
        char what[32];
        number++;
        snprintf(what, sizeof(what), "line %llu", (unsigned long long)number);
        if (line[strspn(line, " \t\r\n")] != '\0') {
            code = put(call, what, line);
            *ret_count += code == WEIR_CLI_DONE;
        }
    }
    if (code != WEIR_CLI_DONE) {
        weir_cli_fail("stopped at line %llu: %llu item%s written", (unsigned long long)number,
                (unsigned long long)*ret_count, *ret_count == 1 ? " is" : "s are");
    } else if (ferror(stdin)) {
        code = weir_cli_fail("cannot read standard input: %m");
    }
    free(line);
    return code;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    uint64_t count = 0;
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (strcmp(call->arguments[1], "-") == 0) {
        code = put_lines(call, &count);
    } else {
        code = put(call, "the item", call->arguments[1]);
        count = code == WEIR_CLI_DONE;
    }
    if (call->json) {
        printf("{\"items\":%llu}\n", (unsigned long long)count);
    }
    return code;
}

const struct weir_cli_command weir_cli_put = {
    .name = "put",
    .arguments = "TABLE ITEM",
    .help = "Write an item, in place of one with the same key",
    .details = "ITEM is JSON: '{\"id\": \"a\", \"n\": 1}'. With - items come from standard input, "
               "one a line.\n",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
