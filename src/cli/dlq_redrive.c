/* weir dlq redrive: letters back into their pipeline, and what became of them. */
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/dlq.h"

enum {
    CALL_LETTERS = 1000, /* what one call without a sequence takes at most */
    FIRST_PAUSE_MS = 5,
    LONGEST_PAUSE_MS = 200,
    BLOCKED_LIMIT_MS = 1000, /* so long blocked, it will not end soon */
    WAIT_LIMIT_MS = 60 * 1000,
    PATH_MAX_BYTES = 64 << 10,
    ANSWER_MAX_BYTES = 1 << 20,
};

struct redrive {
    const struct weir_cli_dlq *dlq;
    uint64_t given;
    uint64_t stale;
    bool settled; /* the pipeline has dealt with what it was given */
};

/* --- one call -------------------------------------------------------------------------------- */

static bool take_data(void *arg, const struct weir_http_reply *reply, struct weir_str data)
{
    struct weir_buf *answer = arg;
    (void)reply;
    weir_buf_str(answer, data);
    return true;
}

static uint64_t number_of(struct weir_arena *arena, struct weir_str answer, const char *name)
{
    uint64_t value = 0;
    return weir_str_to_u64(weir_cli_member(arena, answer, name), &value) ? value : 0;
}

/* Give one letter, or with an empty sequence the first ones. gone_is_right: somebody else may
 * have dealt with the letter since it was listed. */
static enum weir_cli_exit give(
        struct redrive *redrive, struct weir_str sequence, bool gone_is_right, uint64_t *ret_count)
{
    struct weir_arena arena;
    struct weir_buf path;
    struct weir_buf answer;
    struct weir_http_reply reply = { 0 };
    weir_arena_init(&arena);
    weir_buf_init(&path, PATH_MAX_BYTES);
    weir_buf_init(&answer, ANSWER_MAX_BYTES);
    weir_buf_printf(&path, "/v1/redrive?pipeline=%.*s", WEIR_STR_ARG(redrive->dlq->pipeline));
    if (sequence.n > 0) {
        weir_buf_printf(&path, "&sequence=%.*s", WEIR_STR_ARG(sequence));
    }
    weir_buf_z(&path, redrive->dlq->call->stale ? "&stale=true" : "");
    struct weir_cli_request request = {
        .path = weir_buf_view(&path), .post = true, .on_data = take_data, .arg = &answer
    };
    enum weir_cli_exit code = weir_cli_fetch(redrive->dlq->call, &request, &reply);
    *ret_count = 0;
    if (code == WEIR_CLI_DONE && reply.status == 200) {
        uint64_t given = number_of(&arena, weir_buf_view(&answer), "given");
        uint64_t stale = number_of(&arena, weir_buf_view(&answer), "stale");
        redrive->given += given;
        redrive->stale += stale;
        *ret_count = given + stale;
    } else if (code == WEIR_CLI_DONE && !(reply.status == 404 && gone_is_right)) {
        code = weir_cli_refused(reply.status, weir_buf_view(&answer));
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&answer);
    weir_buf_fini(&path);
    weir_arena_fini(&arena);
    return code;
}

/* --- until the pipeline is done -----------------------------------------------------------------
 */

static uint64_t now_ms(void)
{
    return weir_clock_monotonic_ns(weir_clock_system()) / 1000000;
}

/* Sets settled. A pipeline that is blocked, or that others keep busy, is not waited for long. */
static enum weir_cli_exit settle(struct redrive *redrive)
{
    struct weir_arena arena;
    enum weir_cli_exit code = WEIR_CLI_DONE;
    uint64_t begin = now_ms();
    uint64_t moved = begin; /* when it was last seen not to be blocked */
    int pause = FIRST_PAUSE_MS;
    redrive->settled = false;
    weir_arena_init(&arena);
    while (code == WEIR_CLI_DONE) {
        struct weir_cli_pipeline_status status = { 0 };
        weir_arena_reset(&arena);
        code = weir_cli_dlq_status(redrive->dlq, &arena, &status);
        redrive->settled = status.at_end;
        bool blocked = weir_str_eq(status.state, WEIR_STR("blocked"));
        uint64_t now = now_ms();
        moved = blocked ? moved : now;
        if (code != WEIR_CLI_DONE || redrive->settled) {
            break;
        }
        if (now - moved > BLOCKED_LIMIT_MS) {
            code = weir_cli_fail("pipeline '%.*s' is blocked, and goes on once this is mended: "
                                 "%.*s",
                    WEIR_STR_ARG(redrive->dlq->pipeline), WEIR_STR_ARG(status.reason));
        } else if (now - begin > WAIT_LIMIT_MS) {
            weir_cli_fail("pipeline '%.*s' is still at work; what remains may become less",
                    WEIR_STR_ARG(redrive->dlq->pipeline));
            break;
        }
        poll(NULL, 0, pause);
        pause = pause * 2 < LONGEST_PAUSE_MS ? pause * 2 : LONGEST_PAUSE_MS;
    }
    weir_arena_fini(&arena);
    return code;
}

/* --- many letters -------------------------------------------------------------------------------
 */

/* Letters one by one. Sequences are texts in the arena. */
struct list {
    struct weir_arena arena;
    struct weir_str *all;
    size_t count;
    size_t capacity;
};

static enum weir_cli_exit add_letter(void *arg, struct weir_item letter, struct weir_str text)
{
    struct list *list = arg;
    (void)text;
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : CALL_LETTERS;
        list->all = weir_realloc(list->all, list->capacity, sizeof(list->all[0]));
    }
    list->all[list->count++] =
            weir_arena_str(&list->arena, weir_cli_letter_text(letter, WEIR_STR("sequence")));
    return WEIR_CLI_DONE;
}

/* Not all at once: the pipeline holds in memory what it is given. */
static enum weir_cli_exit give_each(
        struct redrive *redrive, const struct weir_str *sequences, size_t count)
{
    enum weir_cli_exit code = WEIR_CLI_DONE;
    redrive->settled = true;
    for (size_t i = 0; code == WEIR_CLI_DONE && redrive->settled && i < count; i++) {
        uint64_t dealt = 0;
        code = give(redrive, sequences[i], true, &dealt);
        if (code == WEIR_CLI_DONE && ((i + 1) % CALL_LETTERS == 0 || i + 1 == count)) {
            code = settle(redrive);
        }
    }
    return code;
}

/*
 * A call takes the first thousand. While all of them go away, the next call takes the next
 * thousand; when some stay it would take those again, so the rest goes one by one.
 */
static enum weir_cli_exit give_all(struct redrive *redrive, const struct list *list)
{
    size_t done = 0;
    enum weir_cli_exit code = WEIR_CLI_DONE;
    redrive->settled = true;
    while (code == WEIR_CLI_DONE && redrive->settled && done < list->count) {
        uint64_t left = 0;
        uint64_t dealt = 0;
        code = give(redrive, WEIR_STR(""), false, &dealt);
        if (code == WEIR_CLI_DONE) {
            code = settle(redrive);
        }
        if (code != WEIR_CLI_DONE || dealt < CALL_LETTERS) {
            break;
        }
        done += CALL_LETTERS;
        if (done < list->count && redrive->settled) {
            struct weir_cli_dlq_filter all = { 0 };
            code = weir_cli_dlq_count(redrive->dlq, &all, &left);
            if (code == WEIR_CLI_DONE && left > list->count - done) {
                return give_each(redrive, list->all + done, list->count - done);
            }
        }
    }
    return code;
}

static enum weir_cli_exit give_matching(struct redrive *redrive)
{
    const char *fingerprint = redrive->dlq->call->fingerprint;
    struct weir_cli_dlq_filter filter = { .fingerprint = fingerprint };
    struct list list = { 0 };
    weir_arena_init(&list.arena);
    enum weir_cli_exit code = weir_cli_dlq_each(redrive->dlq, &filter, add_letter, &list);
    if (code == WEIR_CLI_DONE && list.count == 0 && fingerprint != NULL) {
        code = weir_cli_fail("pipeline '%.*s' has no dead letter with fingerprint %s",
                WEIR_STR_ARG(redrive->dlq->pipeline), fingerprint);
    } else if (code == WEIR_CLI_DONE) {
        code = fingerprint != NULL ? give_each(redrive, list.all, list.count)
                                   : give_all(redrive, &list);
    }
    weir_free(list.all);
    weir_arena_fini(&list.arena);
    return code;
}

static enum weir_cli_exit report(const struct redrive *redrive)
{
    struct weir_cli_dlq_filter all = { 0 };
    uint64_t left = 0;
    enum weir_cli_exit code = weir_cli_dlq_count(redrive->dlq, &all, &left);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    unsigned long long given = redrive->given;
    unsigned long long stale = redrive->stale;
    if (redrive->dlq->call->json) {
        printf("{\"given\":%llu,\"stale\":%llu,\"remaining\":%llu,\"at_end\":%s}\n", given, stale,
                (unsigned long long)left, redrive->settled ? "true" : "false");
        return WEIR_CLI_DONE;
    }
    printf("%llu given, %llu stale; ", given, stale);
    if (left == 0) {
        printf("no letter remains\n");
    } else {
        printf("%llu letter%s\n", (unsigned long long)left, left == 1 ? " remains" : "s remain");
    }
    if (stale > 0) {
        printf("stale: the item has changed since; --stale processes the old version all the "
               "same\n");
    }
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_redrive(const struct weir_cli_dlq *dlq)
{
    const struct weir_cli_call *call = dlq->call;
    struct redrive redrive = { .dlq = dlq };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (call->argument_count > 2) {
        uint64_t dealt = 0;
        code = give(&redrive, weir_str_z(call->arguments[2]), false, &dealt);
        if (code == WEIR_CLI_DONE) {
            code = settle(&redrive);
        }
    } else {
        code = give_matching(&redrive);
    }
    /* What was given is told also when the pipeline then got stuck. */
    if (code == WEIR_CLI_DONE || redrive.given + redrive.stale > 0) {
        enum weir_cli_exit told = report(&redrive);
        code = code == WEIR_CLI_DONE ? told : code;
    }
    return code;
}
