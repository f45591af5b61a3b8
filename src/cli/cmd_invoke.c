/* weir invoke: run a function. */
#include <stdio.h>

#include "cli/client.h"
#include "value/json.h"

enum { PAYLOAD_MAX_BYTES = 8 << 20, PATIENCE_MS = 24 * 3600 * 1000 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "log", 0, NULL, "print the end of what the handler wrote, on standard error", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, log) },
    { 0 },
};

/* The path of the function, with what must not stand in one escaped. */
static void write_path(struct weir_buf *path, struct weir_str name)
{
    weir_buf_z(path, "/2015-03-31/functions/");
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.';
        weir_buf_printf(path, plain ? "%c" : "%%%02X", c);
    }
    weir_buf_z(path, "/invocations");
}

static bool read_input(struct weir_buf *payload)
{
    char bytes[64 * 1024];
    size_t n = fread(bytes, 1, sizeof(bytes), stdin);
    while (n > 0) {
        weir_buf_add(payload, bytes, n);
        n = fread(bytes, 1, sizeof(bytes), stdin);
    }
    return ferror(stdin) == 0 && !payload->overflow;
}

/* The log tail, decoded, on standard error. */
static void print_log(const struct weir_http_reply *reply)
{
    struct weir_arena arena;
    struct weir_str log = { 0 };
    struct weir_str text = weir_http_reply_find(reply, WEIR_STR("x-amz-log-result"));
    weir_arena_init(&arena);
    if (text.p != NULL && weir_base64_decode(&arena, text, true, &log, NULL) == WEIR_OK) {
        fwrite(log.p, 1, log.n, stderr);
    }
    weir_arena_fini(&arena);
}

static enum weir_cli_exit print_result(
        const struct weir_cli_call *call, const struct weir_http_reply *reply)
{
    struct weir_buf out;
    weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
    weir_buf_str(&out, weir_buf_view(&reply->body));
    weir_buf_byte(&out, '\n');
    weir_cli_print(&out);
    if (call->log) {
        print_log(reply);
    }
    if (weir_http_reply_find(reply, WEIR_STR("x-amz-function-error")).p != NULL) {
        return weir_cli_fail("function %s failed", call->arguments[0]);
    }
    return WEIR_CLI_DONE;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_buf path;
    struct weir_buf payload;
    weir_buf_init(&path, 4096);
    weir_buf_init(&payload, PAYLOAD_MAX_BYTES);
    write_path(&path, weir_str_z(call->arguments[0]));
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (call->argument_count > 1 && strcmp(call->arguments[1], "-") != 0) {
        weir_buf_z(&payload, call->arguments[1]);
    } else if (call->argument_count > 1 && !read_input(&payload)) {
        code = weir_cli_fail("cannot read the event from standard input, or it is too large");
    }
    const struct weir_http_header headers[] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/json") },
        { WEIR_STR("X-Amz-Log-Type"), call->log ? WEIR_STR("Tail") : WEIR_STR("None") },
    };
    struct weir_cli_request request = {
        .path = weir_buf_view(&path),
        .post = true,
        .body = weir_buf_view(&payload),
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .timeout_ms = PATIENCE_MS, /* the function has a time-out of its own */
    };
    struct weir_http_reply reply = { 0 };
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_fetch(call, &request, &reply);
    }
    if (code == WEIR_CLI_DONE) {
        code = print_result(call, &reply);
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&payload);
    weir_buf_fini(&path);
    return code;
}

const struct weir_cli_command weir_cli_invoke = {
    .name = "invoke",
    .arguments = "FUNCTION [EVENT]",
    .help = "Run a function and print what it answers",
    .details = "EVENT is JSON ({} without one); with - it comes from standard input. When the "
               "function\n"
               "fails, its error object is printed, and the exit code is 1.\n",
    .options = options,
    .least = 1,
    .most = 2,
    .run = run,
};
