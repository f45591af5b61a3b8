/*
 * What the commands that talk to a running weir share: the endpoint, signed requests, and JSON
 * between people and the wire. These commands use base, value and net only, so that they cannot
 * come to depend on the server's insides.
 */
#ifndef WEIR_CLI_CLIENT_H
#define WEIR_CLI_CLIENT_H

#include "base/arena.h"
#include "cli/cli_int.h"
#include "net/client.h"
#include "value/item.h"

/* The option that all of them have. */
#define WEIR_CLI_ENDPOINT                                               \
    {                                                                   \
        "endpoint", 'e', "URL",                                         \
                "where weir listens (default: WEIR_ENDPOINT, "          \
                "then http://127.0.0.1:8000)",                          \
                WEIR_CLI_TEXT, offsetof(struct weir_cli_call, endpoint) \
    }

enum { WEIR_CLI_FOREVER_MS = INT32_MAX };

/* What to ask a running weir for. */
struct weir_cli_request {
    struct weir_str operation; /* of DynamoDB, "PutItem": POST / with a target; empty: GET path */
    struct weir_str path;      /* with its query, without an operation */
    bool post;                 /* POST path instead of GET */
    struct weir_str body;
    const struct weir_http_header *headers; /* besides those that it adds itself; at most 4 */
    size_t header_count;
    /* As in struct weir_http_fetch: takes the body as it comes. NULL: it is gathered. */
    bool (*on_data)(void *arg, const struct weir_http_reply *reply, struct weir_str data);
    void *arg;
    uint32_t timeout_ms; /* of the whole call; 0: the client's */
};

/* Append `&name=value` to a path with a query, the value encoded; nothing when it is empty. */
void weir_cli_add_parameter(struct weir_buf *query, const char *name, struct weir_str value);

/*
 * Ask; credentials from the environment sign the request. Anything but an answer of status 200
 * is explained on standard error and gives another exit than WEIR_CLI_DONE. The reply is the
 * caller's to end with weir_http_reply_fini, whatever the exit (zero it before).
 */
enum weir_cli_exit weir_cli_fetch(const struct weir_cli_call *call,
        const struct weir_cli_request *request, struct weir_http_reply *ret_reply);

/*
 * Append a time given as 2025-11-22, 2025-11-22T08:15:00Z or how long ago (90s, 15m, 2h, 7d); NULL:
 * nothing. What is neither is explained and gives WEIR_CLI_USAGE.
 */
enum weir_cli_exit weir_cli_add_time(struct weir_buf *query, const char *name, const char *given);

/* Ask, and print the answer: as it is with --json, else what `write` makes of it. */
enum weir_cli_exit weir_cli_show(const struct weir_cli_call *call,
        const struct weir_cli_request *request,
        void (*write)(struct weir_buf *out, struct weir_str answer));

/* Explain an answer that is an error, by its body. Returns WEIR_CLI_FAILED. */
enum weir_cli_exit weir_cli_refused(int status, struct weir_str body);

/*
 * Append `"name":{DynamoDB JSON}` made of a JSON text from the command line: plain JSON, or with
 * --ddb DynamoDB JSON, which is passed on. what names the text in messages. Errors are explained
 * and give WEIR_CLI_USAGE.
 */
enum weir_cli_exit weir_cli_add_item(struct weir_buf *body, const struct weir_cli_call *call,
        const char *name, const char *what, const char *text);

/* As weir_cli_add_item, only to an item in the arena. Plain JSON, or with --ddb DynamoDB JSON. */
enum weir_cli_exit weir_cli_read_item(const struct weir_cli_call *call, const char *what,
        const char *text, struct weir_arena *arena, struct weir_item *ret_item);

/*
 * A member of a JSON object, as its exact text; empty without one, or when the text is no object.
 * Strings are decoded into the arena.
 */
struct weir_str weir_cli_member(struct weir_arena *arena, struct weir_str object, const char *name);

/*
 * Append an item that stands as DynamoDB JSON in an answer, as the call wants to see it: plain or
 * DynamoDB JSON. Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_cli_write_item(struct weir_buf *out,
        const struct weir_cli_call *call, struct weir_str text, struct weir_err *err);

/* Append a JSON text again with line ends and indentation, for people. It must be valid. */
void weir_cli_write_pretty(struct weir_buf *out, struct weir_str text);

/* Call each with the text of every element of a JSON array; false ends it. */
void weir_cli_each(struct weir_str array, bool (*each)(void *arg, struct weir_str text), void *arg);

/* Append `"ExpressionAttributeNames":...,"ExpressionAttributeValues":...` where there are any. */
struct weir_cli_expressions {
    struct weir_buf names; /* members of the object, with commas */
    struct weir_buf values;
};

/* Start with what --names and --values say. The caller ends it with the fini below. */
enum weir_cli_exit weir_cli_expressions_init(
        struct weir_cli_expressions *expressions, const struct weir_cli_call *call);
void weir_cli_expressions_fini(struct weir_cli_expressions *expressions);

/* Add a placeholder for a name, one for a value. */
void weir_cli_expressions_name(
        struct weir_cli_expressions *expressions, const char *placeholder, struct weir_str name);
void weir_cli_expressions_value(
        struct weir_cli_expressions *expressions, const char *placeholder, struct weir_value value);

/* Append them to a request, each with a comma in front. */
void weir_cli_expressions_write(
        const struct weir_cli_expressions *expressions, struct weir_buf *body);

#endif
