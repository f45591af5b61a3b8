/* weir dlq redrive: letters back into their pipeline, and what became of them. */
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/dlq.h"

enum {
    FIRST_PAUSE_MS = 5,
    LONGEST_PAUSE_MS = 200,
    BLOCKED_LIMIT_MS = 1000, /* so long blocked, it will not end soon */
    WAIT_LIMIT_MS = 60 * 1000,
    ANSWER_MAX_BYTES = 1 << 20,
};

struct redrive {
    const struct weir_cli_dlq *dlq;
    struct weir_arena arena;
    uint64_t given;
    uint64_t stale;
    uint64_t taken;
    uint64_t refused;
    struct weir_str reason; /* that the last one was refused for */
    bool settled;           /* the pipeline has dealt with what it was given */
};

/* --- one call -------------------------------------------------------------------------------- */

static uint64_t number_of(struct weir_arena *arena, struct weir_str answer, const char *name)
{
    uint64_t value = 0;
    return weir_str_to_u64(weir_cli_member(arena, answer, name), &value) ? value : 0;
}

static struct weir_str text_of(struct weir_arena *arena, struct weir_str answer, const char *name)
{
    return weir_arena_str(arena, weir_cli_member(arena, answer, name));
}

/* Give some letters, and note where to go on. */
static enum weir_cli_exit give(struct redrive *redrive, struct weir_cli_dlq_ask *ask)
{
    struct weir_buf buf;
    weir_buf_init(&buf, ANSWER_MAX_BYTES);
    enum weir_cli_exit code = weir_cli_dlq_fetch(redrive->dlq, ask, &buf);
    if (code == WEIR_CLI_DONE) {
        struct weir_arena *arena = &redrive->arena;
        struct weir_str answer = weir_buf_view(&buf);
        redrive->given += number_of(arena, answer, "given");
        redrive->stale += number_of(arena, answer, "stale");
        redrive->taken += number_of(arena, answer, "taken");
        uint64_t refused = number_of(arena, answer, "refused");
        redrive->refused += refused;
        redrive->reason = refused > 0 ? text_of(arena, answer, "reason") : redrive->reason;
        /* What fails again from now on is not given once more. */
        ask->until = ask->until.n > 0 || redrive->dlq->call->until != NULL
                             ? ask->until
                             : text_of(arena, answer, "time");
        ask->after = text_of(arena, answer, "next");
    }
    weir_buf_fini(&buf);
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

/* --- all of them --------------------------------------------------------------------------------
 */

/* Not all at once: the pipeline holds in memory what it is given. */
static enum weir_cli_exit give_all(struct redrive *redrive)
{
    const struct weir_cli_call *call = redrive->dlq->call;
    bool one = call->argument_count > 2;
    struct weir_cli_dlq_ask ask = {
        .path = "/v1/redrive",
        .post = true,
        .sequence = one ? weir_str_z(call->arguments[2]) : WEIR_STR(""),
        .filter = one ? WEIR_STR("") : redrive->dlq->filter,
        .stale = call->stale,
    };
    enum weir_cli_exit code = WEIR_CLI_DONE;
    do {
        code = give(redrive, &ask);
        if (code == WEIR_CLI_DONE) {
            code = settle(redrive);
        }
    } while (code == WEIR_CLI_DONE && redrive->settled && ask.after.n > 0);
    uint64_t found = redrive->given + redrive->stale + redrive->taken + redrive->refused;
    bool chosen = one || redrive->dlq->filter.n > 0;
    return code == WEIR_CLI_DONE && found == 0 && chosen ? weir_cli_dlq_none(redrive->dlq) : code;
}

static void explain(const struct redrive *redrive)
{
    if (redrive->stale > 0) {
        printf("stale: the item has changed since; --stale processes the old version all the "
               "same\n");
    }
    if (redrive->taken > 0) {
        printf("%llu left alone: somebody has received the message from the queue\n",
                (unsigned long long)redrive->taken);
    }
    if (redrive->refused > 0) {
        printf("%llu left alone: %.*s\n", (unsigned long long)redrive->refused,
                WEIR_STR_ARG(redrive->reason));
    }
}

static enum weir_cli_exit report(const struct redrive *redrive)
{
    uint64_t left = 0;
    enum weir_cli_exit code = weir_cli_dlq_count(redrive->dlq, WEIR_STR(""), &left);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    unsigned long long given = redrive->given;
    unsigned long long stale = redrive->stale;
    unsigned long long alone = redrive->taken + redrive->refused;
    if (redrive->dlq->call->json) {
        printf("{\"given\":%llu,\"stale\":%llu,\"left_alone\":%llu,\"remaining\":%llu,"
               "\"at_end\":%s}\n",
                given, stale, alone, (unsigned long long)left, redrive->settled ? "true" : "false");
        return WEIR_CLI_DONE;
    }
    printf("%llu given, %llu stale; ", given, stale);
    if (left == 0) {
        printf("no letter remains\n");
    } else {
        printf("%llu letter%s\n", (unsigned long long)left, left == 1 ? " remains" : "s remain");
    }
    explain(redrive);
    return WEIR_CLI_DONE;
}

enum weir_cli_exit weir_cli_dlq_redrive(const struct weir_cli_dlq *dlq)
{
    struct redrive redrive = { .dlq = dlq };
    weir_arena_init(&redrive.arena);
    enum weir_cli_exit code = give_all(&redrive);
    /* What was given is told also when the pipeline then got stuck. */
    if (code == WEIR_CLI_DONE || redrive.given + redrive.stale > 0) {
        enum weir_cli_exit told = report(&redrive);
        code = code == WEIR_CLI_DONE ? told : code;
    }
    weir_arena_fini(&redrive.arena);
    return code;
}
