/* weir delete: delete an item by its key. */
#include <stdio.h>

#include "cli/client.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 4 << 20 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "ddb", 0, NULL, "the key is DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { "json", 0, NULL, "print an object that says how many items were deleted", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_arena arena;
    struct weir_buf body;
    struct weir_http_reply reply = { 0 };
    weir_arena_init(&arena);
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"TableName\":");
    weir_json_write_string(&body, weir_str_z(call->arguments[0]));
    weir_buf_z(&body, ",\"ReturnValues\":\"ALL_OLD\",");
    enum weir_cli_exit code = weir_cli_add_item(&body, call, "Key", "the key", call->arguments[1]);
    if (code == WEIR_CLI_DONE) {
        weir_buf_byte(&body, '}');
        struct weir_cli_request request = { .operation = WEIR_STR("DeleteItem"),
            .body = weir_buf_view(&body) };
        code = weir_cli_fetch(call, &request, &reply);
    }
    if (code == WEIR_CLI_DONE) {
        bool was_there = weir_cli_member(&arena, weir_buf_view(&reply.body), "Attributes").n > 0;
        if (call->json) {
            printf("{\"items\":%d}\n", was_there ? 1 : 0);
        }
        if (!was_there) {
            code = weir_cli_fail("table %s has no such item", call->arguments[0]);
        }
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&body);
    weir_arena_fini(&arena);
    return code;
}

const struct weir_cli_command weir_cli_delete = {
    .name = "delete",
    .arguments = "TABLE KEY",
    .help = "Delete the item with a key",
    .details = "KEY is JSON: '{\"id\": \"a\"}'. Ends with 1 when there was no such item.\n",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
