/* weir get: read an item by its key. */
#include "cli/client.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 64 << 20 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "ddb", 0, NULL, "key and item are DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { "json", 0, NULL, "print the item on one line, on a terminal too", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

static enum weir_cli_exit show(const struct weir_cli_call *call, struct weir_str answer)
{
    struct weir_arena arena;
    struct weir_err err = { 0 };
    struct weir_buf item;
    struct weir_buf out;
    weir_arena_init(&arena);
    weir_buf_init(&item, BODY_MAX_BYTES);
    weir_buf_init(&out, BODY_MAX_BYTES);
    enum weir_cli_exit code = WEIR_CLI_DONE;
    struct weir_str text = weir_cli_member(&arena, answer, "Item");
    if (text.n == 0) {
        code = weir_cli_fail("table %s has no such item", call->arguments[0]);
    } else if (weir_cli_write_item(&item, call, text, &err) != WEIR_OK) {
        code = weir_cli_fail("%s", err.msg);
    } else {
        if (!call->json && weir_cli_is_terminal()) {
            weir_cli_write_pretty(&out, weir_buf_view(&item));
        } else {
            weir_buf_str(&out, weir_buf_view(&item));
        }
        weir_buf_byte(&out, '\n');
    }
    weir_cli_print(&out);
    weir_buf_fini(&item);
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_buf body;
    struct weir_http_reply reply = { 0 };
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"TableName\":");
    weir_json_write_string(&body, weir_str_z(call->arguments[0]));
    weir_buf_z(&body, ",\"ConsistentRead\":true,");
    enum weir_cli_exit code = weir_cli_add_item(&body, call, "Key", "the key", call->arguments[1]);
    if (code == WEIR_CLI_DONE) {
        weir_buf_byte(&body, '}');
        struct weir_cli_request request = { .operation = WEIR_STR("GetItem"),
            .body = weir_buf_view(&body) };
        code = weir_cli_fetch(call, &request, &reply);
    }
    if (code == WEIR_CLI_DONE) {
        code = show(call, weir_buf_view(&reply.body));
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&body);
    return code;
}

const struct weir_cli_command weir_cli_get = {
    .name = "get",
    .arguments = "TABLE KEY",
    .help = "Print the item with a key",
    .details = "KEY is JSON: '{\"id\": \"a\"}'. Ends with 1 when there is no such item.\n",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
