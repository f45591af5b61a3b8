/* weir dlq skip and weir dlq purge: letters that nobody needs. */
#include <stdio.h>

#include "cli/dlq.h"

enum { ANSWER_MAX_BYTES = 1 << 20 };

/* Delete what a request names, call by call. */
static enum weir_cli_exit delete_all(const struct weir_cli_dlq *dlq, struct weir_str sequence,
        struct weir_str filter, uint64_t *ret_deleted)
{
    struct weir_cli_dlq_ask ask = {
        .path = "/v1/dead-letters/remove",
        .post = true,
        .sequence = sequence,
        .filter = filter,
    };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    struct weir_arena arena;
    struct weir_buf answer;
    weir_arena_init(&arena);
    weir_buf_init(&answer, ANSWER_MAX_BYTES);
    *ret_deleted = 0;
    do {
        uint64_t deleted = 0;
        code = weir_cli_dlq_fetch(dlq, &ask, &answer);
        if (code == WEIR_CLI_DONE) {
            struct weir_str text = weir_buf_view(&answer);
            (void)weir_str_to_u64(weir_cli_member(&arena, text, "deleted"), &deleted);
            *ret_deleted += deleted;
            ask.after = weir_arena_str(&arena, weir_cli_member(&arena, text, "next"));
        }
    } while (code == WEIR_CLI_DONE && ask.after.n > 0);
    weir_buf_fini(&answer);
    weir_arena_fini(&arena);
    return code;
}

static void tell_deleted(const struct weir_cli_call *call, uint64_t count)
{
    printf(call->json ? "{\"deleted\":%llu}\n" : "%llu deleted\n", (unsigned long long)count);
}

enum weir_cli_exit weir_cli_dlq_skip(const struct weir_cli_dlq *dlq)
{
    uint64_t deleted = 0;
    struct weir_str sequence = weir_str_z(dlq->call->arguments[2]);
    enum weir_cli_exit code = delete_all(dlq, sequence, WEIR_STR(""), &deleted);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    if (deleted == 0) {
        return weir_cli_dlq_none(dlq);
    }
    tell_deleted(dlq->call, deleted);
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_purge(const struct weir_cli_dlq *dlq)
{
    uint64_t count = 0;
    uint64_t deleted = 0;
    enum weir_cli_exit code = weir_cli_dlq_count(dlq, dlq->filter, &count);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    if (count == 0 && dlq->filter.n > 0) {
        return weir_cli_dlq_none(dlq);
    }
    if (count > 0 && !dlq->call->yes) {
        weir_cli_fail("this deletes %llu dead letter%s of pipeline '%.*s' for good: say so with "
                      "--yes",
                (unsigned long long)count, count == 1 ? "" : "s", WEIR_STR_ARG(dlq->pipeline));
        return WEIR_CLI_USAGE;
    }
    if (count > 0) {
        code = delete_all(dlq, WEIR_STR(""), dlq->filter, &deleted);
    }
    if (code == WEIR_CLI_DONE || deleted > 0) {
        tell_deleted(dlq->call, deleted);
    }
    return code;
}
