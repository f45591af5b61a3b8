/*
 * Runs of functions: a firing's transaction holds an intent, the outbox hands it here as often as
 * the retry policy says, and what is given up becomes a dead letter.
 */
#include <string.h>

#include "base/mem.h"
#include "schedule/schedule_int.h"
#include "value/member.h"

enum {
    CONCURRENCY = 16, /* runs of one function that schedules have under way */
    FIRST_PAUSE_MS = 1000,
    LONGEST_PAUSE_MS = 10 * 60 * 1000,
    JSON_DEPTH = 512,
};

/* Says to the outbox's host that give_up is to be asked; where to is in the payload. */
static const struct weir_str letters_here = { "schedule", 8 };

/* One attempt under way. */
struct weir_schedule_run {
    struct weir_invocation invocation;
    struct weir_schedules *schedules;
    struct weir_delivery *delivery;
    struct weir_arena arena;
    struct weir_schedule_run *next;
};

/* --- intents ------------------------------------------------------------------------------- */

enum weir_rc weir_schedule_run(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule_delivery *delivery, struct weir_err *err)
{
    struct weir_item_builder *b = weir_item_begin(&txn->arena);
    struct weir_item item = { 0 };
    weir_member_put_s(b, "execution", delivery->execution);
    weir_member_put_s(b, "group", delivery->group);
    weir_member_put_s(b, "name", delivery->name);
    weir_member_put_s(b, "target", delivery->target);
    weir_member_put_s(b, "payload", delivery->payload);
    weir_member_put_s(b, "dead_letters", delivery->dead_letters);
    weir_member_put_time(b, "time", delivery->time);
    weir_member_put_u64(b, "max_retries", delivery->max_retries);
    enum weir_rc rc = weir_item_finish(b, &item, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_intent intent = {
        .kind = WEIR_INTENT_SCHEDULE,
        .id = delivery->execution,
        .payload = { item.p, item.n },
        .retry = {
            .retries = delivery->max_retries,
            .backoff = { .pauses_ms = { FIRST_PAUSE_MS }, .count = 1, .max_ms = LONGEST_PAUSE_MS },
            .max_age_ms = delivery->max_age_ms,
        },
        .dead_letter = letters_here,
    };
    (void)weir_schedule_target(delivery->target, &intent.target);
    return weir_outbox_add(schedules->outbox, txn, &intent, err);
}

/* What weir_schedule_run wrote; borrowed from the bytes. Errors: WEIR_E_DAMAGED. */
static enum weir_rc read_intent(
        struct weir_str bytes, struct weir_schedule_delivery *ret_delivery, struct weir_err *err)
{
    struct weir_item item = { bytes.p, bytes.n };
    enum weir_rc rc = weir_item_check(item, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "the intent of a schedule: ");
    }
    *ret_delivery = (struct weir_schedule_delivery){
        .execution = weir_member_s(item, "execution"),
        .group = weir_member_s(item, "group"),
        .name = weir_member_s(item, "name"),
        .target = weir_member_s(item, "target"),
        .payload = weir_member_s(item, "payload"),
        .dead_letters = weir_member_s(item, "dead_letters"),
        .time = weir_member_time(item, "time"),
        .max_retries = weir_member_u64(item, "max_retries"),
    };
    return WEIR_OK;
}

/* --- attempts ------------------------------------------------------------------------------- */

static void unlink_run(struct weir_schedule_run *run)
{
    struct weir_schedule_run **at = &run->schedules->runs;
    while (*at != run) {
        at = &(*at)->next;
    }
    *at = run->next;
}

static void destroy_run(struct weir_schedule_run *run)
{
    weir_arena_fini(&run->arena);
    weir_free(run);
}

/* A handler's own error is tried again, too: the policy is the schedule's, and says how often. */
static enum weir_failure_class class_of(const struct weir_invocation *invocation)
{
    switch (invocation->outcome) {
    case WEIR_FUNCTION_OK:
        return WEIR_FAILURE_NONE;
    case WEIR_FUNCTION_ERROR:
    case WEIR_FUNCTION_RETRYABLE:
        return WEIR_FAILURE_RETRYABLE;
    case WEIR_FUNCTION_BLOCKED:
        return invocation->err.code == WEIR_E_NOT_FOUND ? WEIR_FAILURE_FINAL : WEIR_FAILURE_BLOCKED;
    case WEIR_FUNCTION_FINAL:
        break;
    }
    return WEIR_FAILURE_FINAL;
}

static void run_done(struct weir_invocation *invocation)
{
    struct weir_schedule_run *run =
            WEIR_CONTAINER(invocation, struct weir_schedule_run, invocation);
    enum weir_failure_class failure = class_of(invocation);
    struct weir_err err = invocation->err;
    unlink_run(run);
    if (failure != WEIR_FAILURE_NONE && err.msg[0] == '\0') {
        (void)weir_fail(&err, err.code != WEIR_OK ? err.code : WEIR_E_INVALID,
                "the function failed: %.*s", WEIR_STR_ARG(invocation->response));
    }
    weir_delivery_done(run->delivery, failure, failure != WEIR_FAILURE_NONE ? &err : NULL, 0);
    destroy_run(run);
}

static void begin(void *arg, struct weir_delivery *const *deliveries, size_t count)
{
    struct weir_schedules *schedules = arg;
    for (size_t i = 0; i < count; i++) {
        struct weir_delivery *delivery = deliveries[i];
        struct weir_schedule_delivery read = { 0 };
        struct weir_err err = { 0 };
        if (read_intent(delivery->payload, &read, &err) != WEIR_OK) {
            weir_delivery_done(delivery, WEIR_FAILURE_FINAL, &err, 0);
            continue;
        }
        struct weir_schedule_run *run = weir_alloc_zero(1, sizeof(*run));
        weir_arena_init(&run->arena);
        run->schedules = schedules;
        run->delivery = delivery;
        run->next = schedules->runs;
        schedules->runs = run;
        run->invocation.function = delivery->target;
        run->invocation.payload =
                weir_schedule_attempt(&run->arena, read.payload, delivery->attempt);
        run->invocation.done = run_done;
        weir_functions_invoke(schedules->functions, &run->invocation);
    }
}

static void describe(void *arg, struct weir_str payload, struct weir_buf *json)
{
    struct weir_schedule_delivery read = { 0 };
    (void)arg;
    if (read_intent(payload, &read, NULL) != WEIR_OK) {
        weir_buf_z(json, "null");
        return;
    }
    weir_json_write_string(json, read.payload);
}

void weir_schedule_runs_start(struct weir_schedules *schedules)
{
    const struct weir_outbox_kind kind = {
        .name = "schedule",
        .concurrency = CONCURRENCY,
        .batch = 1,
        .begin = begin,
        .describe = describe,
        .arg = schedules,
    };
    weir_outbox_register(schedules->outbox, WEIR_INTENT_SCHEDULE, &kind);
}

void weir_schedule_runs_fini(struct weir_schedules *schedules)
{
    while (schedules->runs != NULL) {
        struct weir_schedule_run *run = schedules->runs;
        schedules->runs = run->next;
        destroy_run(run);
    }
}

/* --- giving up ------------------------------------------------------------------------------- */

static const char *code_of(enum weir_rc rc)
{
    static const struct {
        enum weir_rc rc;
        const char *code;
    } codes[] = {
        { WEIR_E_NOT_FOUND, "ResourceNotFoundException" },
        { WEIR_E_BUSY, "TooManyRequestsException" },
        { WEIR_E_TOO_LARGE, "RequestTooLargeException" },
        { WEIR_E_TIMEOUT, "Timeout" },
    };
    for (size_t i = 0; i < WEIR_COUNT(codes); i++) {
        if (codes[i].rc == rc) {
            return codes[i].code;
        }
    }
    return "FunctionError";
}

enum weir_rc weir_schedules_give_up(void *arg, struct weir_txn *txn,
        const struct weir_delivery *delivery, const struct weir_give_up *why, const void **ret_held,
        struct weir_err *err)
{
    struct weir_schedules *schedules = arg;
    struct weir_schedule_delivery read = { 0 };
    const struct weir_queue *held = NULL;
    enum weir_rc rc = read_intent(delivery->payload, &read, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool worn_out = why->attempts > read.max_retries;
    struct weir_schedule_failure failure = {
        .code = code_of(why->err->code),
        .message = why->err->msg,
        .exhausted = why->too_old                                     ? "MaximumEventAgeInSeconds"
                     : worn_out && why->err->code != WEIR_E_NOT_FOUND ? "MaximumRetryAttempts"
                                                                      : NULL,
        .retries = why->attempts > 0 ? why->attempts - 1 : 0,
    };
    weir_schedule_count_failure(schedules, txn, read.group, read.name);
    if (schedules->failed != NULL) {
        weir_counter_add(schedules->failed, 1);
    }
    rc = weir_schedule_letter(schedules, txn, &read, &failure, &held, err);
    *ret_held = held;
    if (rc != WEIR_OK && schedules->host.failed != NULL) {
        weir_fail_in(err, rc,
                "schedule %.*s: the dead letter for \"%s\" is lost: ", WEIR_STR_ARG(read.name),
                failure.message);
        schedules->host.failed(schedules->host.arg, err);
    }
    return WEIR_OK;
}
