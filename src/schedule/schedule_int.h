/* What the files of schedule/ share. */
#ifndef WEIR_SCHEDULE_SCHEDULE_INT_H
#define WEIR_SCHEDULE_SCHEDULE_INT_H

#include <stdatomic.h>

#include "schedule/schedule.h"

struct weir_schedules {
    struct weir_store *store;
    struct weir_timers *timers;
    struct weir_queues *queues;
    struct weir_outbox *outbox;
    struct weir_functions *functions;
    struct weir_schedule_run *runs; /* of functions, under way; the module's thread */
    struct weir_schedule_host host;
    struct weir_str region;  /* owned */
    struct weir_str account; /* owned */

    struct weir_counter *fired; /* NULL: no metrics */
    struct weir_counter *missed;
    struct weir_counter *failed;
    struct weir_histogram *late_seconds;

    _Atomic size_t firing;       /* transactions of due timers under way */
    _Atomic bool firing_stuck;   /* one of them could not be committed */
    _Atomic bool deleting_group; /* a transaction of that kind is under way */
};

/* --- definition.c: the keyspace ------------------------------------------------------------ */

/* "s", group, zero byte, name: the definition; likewise "n": the state. "g", name: a group. */
struct weir_str weir_schedule_key(
        struct weir_arena *arena, char letter, struct weir_str group, struct weir_str name);
struct weir_str weir_schedule_group_key(struct weir_arena *arena, struct weir_str name);

/* Take such a key apart; false: it is another one. Borrowed from the key. */
bool weir_schedule_parse_key(
        struct weir_str key, char letter, struct weir_str *ret_group, struct weir_str *ret_name);

/* A timer's name is the key without its letter. */
static inline struct weir_str weir_schedule_timer_name(struct weir_str key)
{
    return weir_str(key.p + 1, key.n - 1);
}

/* Entries; reading borrows from the value. Errors: WEIR_E_DAMAGED. */
struct weir_str weir_schedule_encode(
        struct weir_arena *arena, const struct weir_schedule *schedule);
WEIR_MUST_CHECK enum weir_rc weir_schedule_decode(const struct weir_schedules *schedules,
        struct weir_arena *arena, struct weir_str stored, struct weir_schedule *ret_schedule,
        struct weir_err *err);
struct weir_str weir_schedule_encode_state(
        struct weir_arena *arena, const struct weir_schedule_state *state);
WEIR_MUST_CHECK enum weir_rc weir_schedule_decode_state(
        struct weir_str stored, struct weir_schedule_state *ret_state, struct weir_err *err);
struct weir_str weir_schedule_encode_group(
        struct weir_arena *arena, const struct weir_schedule_group *group);
WEIR_MUST_CHECK enum weir_rc weir_schedule_decode_group(const struct weir_schedules *schedules,
        struct weir_arena *arena, struct weir_str stored, struct weir_schedule_group *ret_group,
        struct weir_err *err);

/* Whether two definitions are the same, but for what the module makes and the token. */
bool weir_schedule_same(const struct weir_schedule *a, const struct weir_schedule *b);

/* Whether a group is there without anybody having made it. */
bool weir_schedule_group_is_built_in(struct weir_str name);

/* --- target.c ------------------------------------------------------------------------------- */

enum weir_schedule_target_kind {
    WEIR_SCHEDULE_TO_NOTHING, /* no ARN, or one of something else */
    WEIR_SCHEDULE_TO_QUEUE,
    WEIR_SCHEDULE_TO_FUNCTION,
};

/* One thing to be delivered. */
struct weir_schedule_delivery {
    struct weir_str execution;    /* the firing's id: the same when it is delivered again */
    struct weir_str group;        /* of the schedule */
    struct weir_str name;         /* of the schedule */
    struct weir_str target;       /* ARN */
    struct weir_str payload;      /* weir_schedule_attempt makes of it what an attempt sends */
    struct weir_str dead_letters; /* ARN of a queue; empty: none */
    struct weir_time time;        /* of the firing */
    uint64_t max_age_ms;
    uint64_t max_retries;
};

/* What attempt number n (from 1) sends, in the arena. */
struct weir_str weir_schedule_attempt(
        struct weir_arena *arena, struct weir_str payload, uint64_t number);

/* Why something could not be delivered, in EventBridge Scheduler's words. */
struct weir_schedule_failure {
    const char *code;      /* ERROR_CODE */
    const char *message;   /* ERROR_MESSAGE */
    const char *exhausted; /* MaximumRetryAttempts, MaximumEventAgeInSeconds; NULL: not retried */
    uint64_t retries;
};

/*
 * Add to a transaction the message to the dead-letter queue of a delivery that is given up;
 * nothing where there is none. *ret_held (may become NULL) is a reference to give back when the
 * transaction is gone. Errors: WEIR_E_NOT_FOUND (the queue), and what it refuses a message for;
 * nothing is added then.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedule_letter(struct weir_schedules *schedules,
        struct weir_txn *txn, const struct weir_schedule_delivery *delivery,
        const struct weir_schedule_failure *failure, const struct weir_queue **ret_held,
        struct weir_err *err);

/* What an ARN means, and the name in it. */
enum weir_schedule_target_kind weir_schedule_target(struct weir_str arn, struct weir_str *ret_name);

/*
 * Add to a transaction what delivers one firing. ret_failed: it cannot be delivered, and is a
 * dead letter. ret_held: a reference to give back when the transaction is gone; may be NULL.
 * Errors: those of weir_schedule_letter; the transaction can go on without the letter.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedule_deliver(struct weir_schedules *schedules,
        struct weir_txn *txn, const struct weir_schedule *schedule, struct weir_time time,
        bool *ret_failed, const struct weir_queue **ret_held, struct weir_err *err);

/* --- run.c: functions ------------------------------------------------------------------------ */

/* Register as who delivers to functions. */
void weir_schedule_runs_start(struct weir_schedules *schedules);

/* Forget runs whose end nobody waits for any more. */
void weir_schedule_runs_fini(struct weir_schedules *schedules);

/* Add the intent of a run to a transaction. Errors: WEIR_E_TOO_LARGE. */
WEIR_MUST_CHECK enum weir_rc weir_schedule_run(struct weir_schedules *schedules,
        struct weir_txn *txn, const struct weir_schedule_delivery *delivery, struct weir_err *err);

/* --- catalogue.c ------------------------------------------------------------------------------ */

/* Add an operation that counts a failure of a schedule, if it is still there. */
void weir_schedule_count_failure(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str group, struct weir_str name);

/* --- state.c -------------------------------------------------------------------------------- */

/*
 * Set the next firing after a moment, and when it is due within the window; next 0: there is
 * none.
 */
void weir_schedule_advance(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, struct weir_time after,
        struct weir_schedule_state *state);

/* When a firing happens that the window may delay. */
struct weir_time weir_schedule_due(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, struct weir_time time);

/* Which firings of those that are due happen now, by the policy. */
struct weir_schedule_plan {
    bool runs;              /* one does */
    struct weir_time time;  /* the one */
    uint64_t missed;        /* do not happen */
    struct weir_time after; /* the next firing is the first after this */
};
struct weir_schedule_plan weir_schedule_plan(const struct weir_schedule *schedule,
        const struct weir_schedule_times *times, const struct weir_schedule_state *state,
        struct weir_time now);

/* --- fire.c ---------------------------------------------------------------------------------- */

/* The handler of the timers. */
void weir_schedules_fire(void *arg, const struct weir_timer *timers, size_t count);

#endif
