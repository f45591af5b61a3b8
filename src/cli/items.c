#include "cli/items.h"

#include <stdio.h>

#include "value/json.h"

enum { BODY_MAX_BYTES = 16 << 20 };

/* Where items of a page go. */
struct printing {
    const struct weir_cli_call *call;
    uint64_t left; /* of the limit */
    struct weir_err err;
};

static bool print_item(void *arg, struct weir_str text)
{
    struct printing *printing = arg;
    struct weir_buf line;
    weir_buf_init(&line, WEIR_CLI_OUT_MAX_BYTES);
    bool right = weir_cli_write_item(&line, printing->call, text, &printing->err) == WEIR_OK;
    if (right) {
        weir_buf_byte(&line, '\n');
        printing->left--;
    }
    weir_cli_print(&line);
    return right && printing->left > 0;
}

static void write_body(struct weir_buf *body, const struct weir_cli_call *call,
        struct weir_str members, const struct weir_cli_expressions *expressions, uint64_t left)
{
    weir_buf_z(body, "{\"TableName\":");
    weir_json_write_string(body, weir_str_z(call->arguments[0]));
    if (call->index != NULL) {
        weir_buf_z(body, ",\"IndexName\":");
        weir_json_write_string(body, weir_str_z(call->index));
    } else {
        weir_buf_z(body, ",\"ConsistentRead\":true");
    }
    if (call->filter != NULL) {
        weir_buf_z(body, ",\"FilterExpression\":");
        weir_json_write_string(body, weir_str_z(call->filter));
    } else if (left < 1000) {
        weir_buf_printf(body, ",\"Limit\":%llu", (unsigned long long)left);
    }
    weir_buf_str(body, members);
    weir_cli_expressions_write(expressions, body);
}

enum weir_cli_exit weir_cli_items(const struct weir_cli_call *call, struct weir_str operation,
        struct weir_str members, const struct weir_cli_expressions *expressions)
{
    struct printing printing = {
        .call = call,
        .left = call->limit > 0 ? call->limit : UINT64_MAX,
    };
    struct weir_arena arena;
    struct weir_buf body;
    struct weir_str start = { 0 };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    weir_arena_init(&arena);
    weir_buf_init(&body, BODY_MAX_BYTES);
    do {
        struct weir_http_reply reply = { 0 };
        weir_buf_reset(&body);
        write_body(&body, call, members, expressions, printing.left);
        if (start.n > 0) {
            weir_buf_z(&body, ",\"ExclusiveStartKey\":");
            weir_buf_str(&body, start);
        }
        weir_buf_byte(&body, '}');
        weir_arena_reset(&arena);
        struct weir_cli_request request = { .operation = operation, .body = weir_buf_view(&body) };
        code = weir_cli_fetch(call, &request, &reply);
        if (code == WEIR_CLI_DONE) {
            struct weir_str answer = weir_buf_view(&reply.body);
            weir_cli_each(weir_cli_member(&arena, answer, "Items"), print_item, &printing);
            start = weir_arena_str(&arena, weir_cli_member(&arena, answer, "LastEvaluatedKey"));
        }
        weir_http_reply_fini(&reply);
    } while (code == WEIR_CLI_DONE && printing.err.code == WEIR_OK && start.n > 0 &&
             printing.left > 0 && !ferror(stdout));
    weir_buf_fini(&body);
    weir_arena_fini(&arena);
    return printing.err.code != WEIR_OK ? weir_cli_fail("%s", printing.err.msg) : code;
}
