/* weir dlq skip and weir dlq purge: letters that nobody needs. */
#include <stdio.h>

#include "cli/dlq.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 1 << 20, DELETED_AT_ONCE = 25 };

static void tell_deleted(const struct weir_cli_call *call, uint64_t count)
{
    printf(call->json ? "{\"deleted\":%llu}\n" : "%llu deleted\n", (unsigned long long)count);
}

enum weir_cli_exit weir_cli_dlq_skip(const struct weir_cli_dlq *dlq)
{
    const char *sequence = dlq->call->arguments[2];
    struct weir_http_reply reply = { 0 };
    struct weir_arena arena;
    struct weir_buf body;
    weir_arena_init(&arena);
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"TableName\":");
    weir_json_write_string(&body, dlq->table);
    weir_buf_z(&body, ",\"ReturnValues\":\"ALL_OLD\",\"Key\":");
    weir_cli_dlq_key(dlq, &body, weir_str_z(sequence));
    weir_buf_byte(&body, '}');
    struct weir_cli_request request = { .operation = WEIR_STR("DeleteItem"),
        .body = weir_buf_view(&body) };
    enum weir_cli_exit code = weir_cli_fetch(dlq->call, &request, &reply);
    if (code == WEIR_CLI_DONE) {
        bool there = weir_cli_member(&arena, weir_buf_view(&reply.body), "Attributes").n > 0;
        if (there) {
            tell_deleted(dlq->call, 1);
        } else {
            code = weir_cli_fail(
                    "pipeline '%.*s' has no dead letter %s", WEIR_STR_ARG(dlq->pipeline), sequence);
        }
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&body);
    weir_arena_fini(&arena);
    return code;
}

/* Letters to be deleted with the next request. */
struct purge {
    const struct weir_cli_dlq *dlq;
    struct weir_buf requests; /* with commas between them */
    unsigned pending;
    uint64_t deleted;
};

/* The server may leave some for another request. */
static enum weir_cli_exit delete_pending(struct purge *purge)
{
    enum weir_cli_exit code = WEIR_CLI_DONE;
    struct weir_arena arena;
    struct weir_buf body;
    weir_arena_init(&arena);
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"RequestItems\":{");
    weir_json_write_string(&body, purge->dlq->table);
    weir_buf_printf(&body, ":[%.*s]}}", WEIR_STR_ARG(weir_buf_view(&purge->requests)));
    while (code == WEIR_CLI_DONE && purge->pending > 0) {
        struct weir_http_reply reply = { 0 };
        struct weir_cli_request request = { .operation = WEIR_STR("BatchWriteItem"),
            .body = weir_buf_view(&body) };
        code = weir_cli_fetch(purge->dlq->call, &request, &reply);
        struct weir_str left =
                weir_cli_member(&arena, weir_buf_view(&reply.body), "UnprocessedItems");
        if (code == WEIR_CLI_DONE && left.n <= 2) { /* none, or {} */
            purge->deleted += purge->pending;
            purge->pending = 0;
        }
        weir_buf_reset(&body);
        weir_buf_printf(&body, "{\"RequestItems\":%.*s}", WEIR_STR_ARG(left));
        weir_http_reply_fini(&reply);
    }
    weir_buf_reset(&purge->requests);
    weir_buf_fini(&body);
    weir_arena_fini(&arena);
    return code;
}

static enum weir_cli_exit purge_letter(void *arg, struct weir_item letter, struct weir_str text)
{
    struct purge *purge = arg;
    (void)text;
    weir_buf_z(&purge->requests, purge->pending > 0 ? "," : "");
    weir_buf_z(&purge->requests, "{\"DeleteRequest\":{\"Key\":");
    weir_cli_dlq_key(
            purge->dlq, &purge->requests, weir_cli_letter_text(letter, WEIR_STR("sequence")));
    weir_buf_z(&purge->requests, "}}");
    purge->pending++;
    return purge->pending == DELETED_AT_ONCE ? delete_pending(purge) : WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_purge(const struct weir_cli_dlq *dlq)
{
    struct weir_cli_dlq_filter filter = { .fingerprint = dlq->call->fingerprint };
    uint64_t count = 0;
    enum weir_cli_exit code = weir_cli_dlq_count(dlq, &filter, &count);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    if (count == 0 && filter.fingerprint != NULL) {
        return weir_cli_fail("pipeline '%.*s' has no dead letter with fingerprint %s",
                WEIR_STR_ARG(dlq->pipeline), filter.fingerprint);
    }
    if (count > 0 && !dlq->call->yes) {
        weir_cli_fail("this deletes %llu dead letter%s of pipeline '%.*s' for good: say so with "
                      "--yes",
                (unsigned long long)count, count == 1 ? "" : "s", WEIR_STR_ARG(dlq->pipeline));
        return WEIR_CLI_USAGE;
    }
    struct purge all = { .dlq = dlq };
    weir_buf_init(&all.requests, BODY_MAX_BYTES);
    code = weir_cli_dlq_each(dlq, &filter, purge_letter, &all);
    if (code == WEIR_CLI_DONE) {
        code = delete_pending(&all);
    }
    weir_buf_fini(&all.requests);
    if (code == WEIR_CLI_DONE || all.deleted > 0) {
        tell_deleted(dlq->call, all.deleted);
    }
    return code;
}
