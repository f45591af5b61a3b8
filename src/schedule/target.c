/* What a firing delivers, to whom, and what becomes of it when that cannot be. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "schedule/schedule_int.h"

enum { PAYLOAD_MAX_BYTES = 2 * WEIR_QUEUE_MESSAGE_MAX_BYTES };

/* --- ARNs ---------------------------------------------------------------------------- */

enum weir_schedule_target_kind weir_schedule_target(struct weir_str arn, struct weir_str *ret_name)
{
    static const struct {
        struct weir_str service;
        size_t colons; /* before the name */
        struct weir_str type;
        enum weir_schedule_target_kind kind;
    } forms[] = {
        { { ":sqs:", 5 }, 5, { "", 0 }, WEIR_SCHEDULE_TO_QUEUE },
        { { ":lambda:", 8 }, 6, { ":function:", 10 }, WEIR_SCHEDULE_TO_FUNCTION },
    };
    *ret_name = WEIR_STR("");
    for (size_t i = 0; i < WEIR_COUNT(forms) && weir_str_starts(arn, WEIR_STR("arn:")); i++) {
        size_t colons = 0;
        size_t at = 0;
        while (at < arn.n && colons < forms[i].colons) {
            colons += arn.p[at++] == ':';
        }
        const char *service = memmem(arn.p, at, forms[i].service.p, forms[i].service.n);
        bool typed = forms[i].type.n == 0 ||
                     (at >= forms[i].type.n && memcmp(arn.p + at - forms[i].type.n, forms[i].type.p,
                                                       forms[i].type.n) == 0);
        if (colons == forms[i].colons && service != NULL && typed && at < arn.n) {
            struct weir_str latest = WEIR_STR(":$LATEST");
            struct weir_str name = weir_str(arn.p + at, arn.n - at);
            bool to_function = forms[i].kind == WEIR_SCHEDULE_TO_FUNCTION;
            if (to_function && name.n > latest.n &&
                    weir_str_eq(weir_str(name.p + name.n - latest.n, latest.n), latest)) {
                name.n -=
                        latest.n; /* the one version; with another one it is no function of ours */
            }
            *ret_name = name;
            bool extra = memchr(name.p, ':', name.n) != NULL && !to_function;
            return extra ? WEIR_SCHEDULE_TO_NOTHING : forms[i].kind;
        }
    }
    return WEIR_SCHEDULE_TO_NOTHING;
}

/* --- payloads ---------------------------------------------------------------------------- */

static struct weir_str time_text(struct weir_arena *arena, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    weir_time_format_short(time, text);
    return weir_arena_str(arena, weir_str_z(text));
}

/* The same firing has the same id, however often its transaction is made. */
static struct weir_str execution_of(
        struct weir_arena *arena, const struct weir_schedule *schedule, struct weir_time time)
{
    uint64_t seed = weir_hash64((uint64_t)time.ms, schedule->arn.p, schedule->arn.n);
    uint64_t id = weir_hash64(seed, &schedule->modified.ms, sizeof(schedule->modified.ms));
    return weir_arena_printf(arena, "%016llx", (unsigned long long)id);
}

/* Append text with each place of a word replaced. */
static void replace(
        struct weir_buf *out, struct weir_str text, const char *word, struct weir_str with)
{
    size_t n = strlen(word);
    while (text.n > 0) {
        const char *at = memmem(text.p, text.n, word, n);
        size_t before = at != NULL ? (size_t)(at - text.p) : text.n;
        weir_buf_add(out, text.p, before);
        if (at == NULL) {
            return;
        }
        weir_buf_str(out, with);
        text = weir_str(at + n, text.n - before - n);
    }
}

static const char attempt_word[] = "<aws.scheduler.attempt-number>";

struct weir_str weir_schedule_attempt(
        struct weir_arena *arena, struct weir_str payload, uint64_t number)
{
    char text[24];
    struct weir_buf out;
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    weir_buf_init(&out, PAYLOAD_MAX_BYTES);
    replace(&out, payload, attempt_word, weir_str(text, (size_t)n));
    struct weir_str made = weir_arena_str(arena, weir_buf_view(&out));
    weir_buf_fini(&out);
    return made;
}

/* What is delivered when the schedule says nothing: detail is a text, as AWS has it. */
static struct weir_str default_event(const struct weir_schedules *schedules,
        struct weir_arena *arena, const struct weir_schedule *schedule, struct weir_time time)
{
    /* An id of the form of a UUID, made of the firing's own, so that it is the same each time. */
    struct weir_str execution = execution_of(arena, schedule, time);
    uint64_t more = weir_hash64(1, execution.p, execution.n);
    return weir_arena_printf(arena,
            "{\"version\":\"0\",\"id\":\"%.8s-%.4s-4%.3s-8%03llx-%012llx\",\"detail-type\":"
            "\"Scheduled Event\",\"source\":\"aws.scheduler\",\"account\":\"%.*s\",\"time\":"
            "\"%.*s\",\"region\":\"%.*s\",\"resources\":[\"%.*s\"],\"detail\":\"{}\"}",
            execution.p, execution.p + 8, execution.p + 12, (unsigned long long)(more & 0xfff),
            (unsigned long long)(more >> 16), WEIR_STR_ARG(schedules->account),
            WEIR_STR_ARG(time_text(arena, time)), WEIR_STR_ARG(schedules->region),
            WEIR_STR_ARG(schedule->arn));
}

/* The input with its placeholders filled in, but for the number of the attempt. */
static struct weir_str payload_of(const struct weir_schedules *schedules, struct weir_arena *arena,
        const struct weir_schedule *schedule, struct weir_time time)
{
    const struct {
        const char *word;
        struct weir_str with;
    } words[] = {
        { "<aws.scheduler.schedule-arn>", schedule->arn },
        { "<aws.scheduler.scheduled-time>", time_text(arena, time) },
        { "<aws.scheduler.execution-id>", execution_of(arena, schedule, time) },
    };
    struct weir_str text = schedule->target.input;
    if (text.p == NULL) {
        return default_event(schedules, arena, schedule, time);
    }
    for (size_t i = 0; i < WEIR_COUNT(words); i++) {
        if (memmem(text.p, text.n, words[i].word, strlen(words[i].word)) != NULL) {
            struct weir_buf out;
            /* ARNs are longer than their placeholder; an input full of them grows. */
            weir_buf_init(&out, PAYLOAD_MAX_BYTES);
            replace(&out, text, words[i].word, words[i].with);
            text = weir_arena_str(arena, weir_buf_view(&out));
            weir_buf_fini(&out);
        }
    }
    return text;
}

/* --- delivering ------------------------------------------------------------------------------ */

/*
 * Add the sending of a message. A firing is no duplicate of another one, so in a FIFO queue its
 * own id tells it from them, not its content. *ret_held is set on WEIR_OK.
 */
static enum weir_rc send_message(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str arn, struct weir_message message, const struct weir_queue **ret_held,
        struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    struct weir_str name = { 0 };
    (void)weir_schedule_target(arn, &name);
    enum weir_rc rc = weir_queues_get(schedules->queues, name, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    send->queue = queue;
    send->message = message;
    send->message.dedup = queue->fifo ? message.dedup : WEIR_STR("");
    send->strict = true; /* a queue that is deleted meanwhile: the firing is made once more */
    rc = weir_queue_send(schedules->queues, send, txn, err);
    if (rc == WEIR_OK) {
        *ret_held = queue;
    } else {
        weir_queue_unref(queue);
    }
    return rc;
}

static struct weir_schedule_failure failure_of(enum weir_rc rc, const struct weir_err *err)
{
    const char *code = rc == WEIR_E_NOT_FOUND ? "AWS.SimpleQueueService.NonExistentQueue"
                                              : "InvalidParameterValue";
    return (struct weir_schedule_failure){ .code = code, .message = err->msg };
}

static void add_attribute(struct weir_message *message, const char *name, struct weir_str value)
{
    message->attributes[message->attribute_count++] = (struct weir_message_attribute){
        .name = weir_str_z(name),
        .type = WEIR_STR("String"),
        .value = value,
    };
}

enum weir_rc weir_schedule_letter(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule_delivery *delivery, const struct weir_schedule_failure *failure,
        const struct weir_queue **ret_held, struct weir_err *err)
{
    enum { ATTRIBUTES = 9 };
    struct weir_arena *arena = &txn->arena;
    struct weir_message message = {
        .body = weir_schedule_attempt(arena, delivery->payload, failure->retries + 1),
        .attributes = weir_arena_zero(arena, ATTRIBUTES, sizeof(struct weir_message_attribute)),
    };
    *ret_held = NULL;
    if (delivery->dead_letters.n == 0) {
        return WEIR_OK;
    }
    add_attribute(&message, "ERROR_CODE", weir_str_z(failure->code));
    add_attribute(&message, "ERROR_MESSAGE",
            weir_arena_str(arena,
                    weir_str_z(failure->message[0] != '\0' ? failure->message : failure->code)));
    add_attribute(&message, "EXECUTION_ID", delivery->execution);
    if (failure->exhausted != NULL) {
        add_attribute(&message, "EXHAUSTED_RETRY_CONDITION", weir_str_z(failure->exhausted));
    }
    add_attribute(&message, "IS_PAYLOAD_TRUNCATED", WEIR_STR("false"));
    add_attribute(&message, "RETRY_ATTEMPTS",
            weir_arena_printf(arena, "%llu", (unsigned long long)failure->retries));
    add_attribute(&message, "SCHEDULED_TIME", time_text(arena, delivery->time));
    add_attribute(&message, "SCHEDULE_ARN",
            weir_schedules_arn(schedules, arena, delivery->group, delivery->name));
    add_attribute(&message, "TARGET_ARN", delivery->target);
    return send_message(schedules, txn, delivery->dead_letters, message, ret_held, err);
}

/* Add the delivery itself. Any error: it cannot be delivered. */
static enum weir_rc deliver(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule, const struct weir_schedule_delivery *delivery,
        const struct weir_queue **ret_held, struct weir_err *err)
{
    struct weir_str name = { 0 };
    if (weir_schedule_target(delivery->target, &name) == WEIR_SCHEDULE_TO_QUEUE) {
        struct weir_message message = {
            .body = weir_schedule_attempt(&txn->arena, delivery->payload, 1),
            .group = schedule->target.group,
            .dedup = delivery->execution,
        };
        return send_message(schedules, txn, delivery->target, message, ret_held, err);
    }
    return weir_schedule_run(schedules, txn, delivery, err);
}

enum weir_rc weir_schedule_deliver(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule, struct weir_time time, bool *ret_failed,
        const struct weir_queue **ret_held, struct weir_err *err)
{
    struct weir_arena *arena = &txn->arena;
    struct weir_err why = { 0 };
    struct weir_schedule_delivery delivery = {
        .execution = execution_of(arena, schedule, time),
        .group = schedule->group,
        .name = schedule->name,
        .target = schedule->target.arn,
        .payload = payload_of(schedules, arena, schedule, time),
        .time = time,
        .dead_letters = schedule->target.dead_letters,
        .max_age_ms = schedule->target.max_age_ms,
        .max_retries = schedule->target.max_retries,
    };
    *ret_held = NULL;
    enum weir_rc rc = deliver(schedules, txn, schedule, &delivery, ret_held, &why);
    *ret_failed = rc != WEIR_OK;
    if (rc == WEIR_OK) {
        return WEIR_OK;
    }
    struct weir_schedule_failure failure = failure_of(rc, &why);
    rc = weir_schedule_letter(schedules, txn, &delivery, &failure, ret_held, err);
    if (rc == WEIR_OK) {
        return WEIR_OK;
    }
    /* The letter cannot be kept either: said, and counted with the failed ones. */
    weir_fail_in(err, rc,
            "schedule %.*s: the dead letter for \"%s\" is lost: ", WEIR_STR_ARG(schedule->arn),
            why.msg);
    return rc;
}
