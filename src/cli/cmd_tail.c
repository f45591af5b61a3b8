/* weir tail: follow a table's stream. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/client.h"

enum { LINE_MAX_BYTES = 16 << 20, TIME_MAX_DIGITS = 15 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "from", 0, "PLACE", "where to begin: latest (default) or oldest", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, from) },
    { "limit", 'n', "N", "end after so many records", WEIR_CLI_NUMBER,
            offsetof(struct weir_cli_call, limit) },
    { "ddb", 0, NULL, "show items as DynamoDB JSON", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, ddb) },
    { "json", 0, NULL, "print each record as Lambda gets it, one a line", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

struct following {
    const struct weir_cli_call *call;
    struct weir_buf line; /* what has come of the next one */
    uint64_t left;
    int status;
    bool ended; /* by us */
};

/* The record's time, whole seconds: a number in the stream. */
static void write_time(struct weir_buf *out, struct weir_str seconds)
{
    int64_t value = 0;
    for (size_t i = 0; i < seconds.n && i < TIME_MAX_DIGITS; i++) {
        if (seconds.p[i] < '0' || seconds.p[i] > '9') {
            break;
        }
        value = value * 10 + (seconds.p[i] - '0');
    }
    char text[WEIR_TIME_TEXT];
    weir_time_format((struct weir_time){ value * 1000 }, text);
    weir_buf_add(out, text, sizeof("2025-11-25T15:53:08") - 1);
    weir_buf_byte(out, 'Z');
}

static void write_image(struct weir_buf *out, const struct weir_cli_call *call, const char *label,
        struct weir_str image)
{
    if (image.n == 0) {
        return;
    }
    weir_buf_z(out, label);
    if (weir_cli_write_item(out, call, image, NULL) != WEIR_OK) {
        weir_buf_str(out, image);
    }
}

/* A record for people: a line with time, event and key, and one for each image. */
static void write_record(
        struct weir_buf *out, const struct weir_cli_call *call, struct weir_str record)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str name = weir_cli_member(&arena, record, "eventName");
    struct weir_str body = weir_cli_member(&arena, record, "dynamodb");
    if (name.n == 0) {
        weir_buf_z(out, "-- records are missing here: they were older than what is kept");
    } else {
        write_time(out, weir_cli_member(&arena, body, "ApproximateCreationDateTime"));
        weir_buf_printf(out, "  %-6.*s", WEIR_STR_ARG(name));
        write_image(out, call, "  ", weir_cli_member(&arena, body, "Keys"));
        write_image(out, call, "\n    old  ", weir_cli_member(&arena, body, "OldImage"));
        write_image(out, call, "\n    new  ", weir_cli_member(&arena, body, "NewImage"));
    }
    weir_buf_byte(out, '\n');
    weir_arena_fini(&arena);
}

static void take_line(struct following *following)
{
    struct weir_buf out;
    weir_buf_init(&out, 4 * (size_t)LINE_MAX_BYTES);
    if (following->call->json) {
        weir_buf_str(&out, weir_buf_view(&following->line));
        weir_buf_byte(&out, '\n');
    } else {
        write_record(&out, following->call, weir_buf_view(&following->line));
    }
    weir_cli_print(&out);
    weir_buf_reset(&following->line);
    following->left--;
}

static bool take_data(void *arg, const struct weir_http_reply *reply, struct weir_str data)
{
    struct following *following = arg;
    following->status = reply->status;
    for (size_t i = 0; i < data.n && following->left > 0; i++) {
        if (data.p[i] != '\n' || reply->status != 200) {
            weir_buf_byte(&following->line, data.p[i]);
        } else if (following->line.n > 0) {
            take_line(following);
        }
    }
    fflush(stdout);
    following->ended = following->left == 0 || ferror(stdout);
    return !following->ended;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    const char *from = call->from != NULL ? call->from : "latest";
    if (strcmp(from, "latest") != 0 && strcmp(from, "oldest") != 0) {
        weir_cli_fail("--from is latest or oldest, not '%s'", from);
        return WEIR_CLI_USAGE;
    }
    struct following following = {
        .call = call,
        .left = call->limit > 0 ? call->limit : UINT64_MAX,
    };
    struct weir_http_reply reply = { 0 };
    struct weir_buf path;
    weir_buf_init(&path, 64 << 10);
    weir_buf_init(&following.line, LINE_MAX_BYTES);
    weir_buf_z(&path, "/v1/tail?table=");
    for (const char *p = call->arguments[0]; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-_.~", *p) != NULL;
        weir_buf_printf(&path, plain ? "%c" : "%%%02X", (unsigned char)*p);
    }
    weir_buf_printf(&path, "&from=%s", from);
    struct weir_cli_request request = {
        .path = weir_buf_view(&path),
        .on_data = take_data,
        .arg = &following,
        .timeout_ms = WEIR_CLI_FOREVER_MS, /* a table may be silent for days */
    };
    enum weir_cli_exit code = weir_cli_fetch(call, &request, &reply);
    if (code == WEIR_CLI_DONE && reply.status != 200) {
        code = weir_cli_refused(reply.status, weir_buf_view(&following.line));
    } else if (code == WEIR_CLI_DONE && !following.ended) {
        weir_cli_fail("weir has ended the stream");
        code = WEIR_CLI_UNREACHABLE;
    }
    weir_buf_fini(&following.line);
    weir_buf_fini(&path);
    weir_http_reply_fini(&reply);
    return code;
}

const struct weir_cli_command weir_cli_tail = {
    .name = "tail",
    .arguments = "TABLE",
    .help = "Follow a table: print each change of its stream as it happens",
    .details = "Goes on until it is interrupted.\n",
    .options = options,
    .least = 1,
    .most = 1,
    .run = run,
};
