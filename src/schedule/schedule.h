/*
 * Schedules: messages and function runs at times that an expression gives.
 *
 * A schedule belongs to a group and has a definition and a state: how often it fired, and when
 * it fires next. Both are entries of WEIR_SPACE_SCHEDULE; the next firing is a durable timer.
 * Nothing is kept in memory, so a hundred thousand schedules cost nothing until they are due.
 *
 * A firing is one transaction: it moves the timer and holds what is to be delivered. A message to
 * a queue of this weir is in that transaction, so a firing reaches its queue exactly once, also
 * when weir is killed. A run of a function is an intent of the outbox (outbox/outbox.h) in that
 * transaction: it happens at least once, and is tried again by the schedule's retry policy.
 *
 * Firings that were missed (weir was down, the disk was full) are handled by the schedule's
 * policy: one run for all of them, none, or each.
 *
 * The group WEIR_SCHEDULE_FILE_GROUP holds what weir.yaml defines; the API does not change it.
 *
 * Threads: the module's is the one that runs the timers. Changes are operations of transactions,
 * evaluated on the commit thread. Messages of WEIR_E_INVALID, WEIR_E_NOT_FOUND and WEIR_E_EXISTS
 * are EventBridge Scheduler's own, as far as they are known, and reach clients unchanged.
 */
#ifndef WEIR_SCHEDULE_SCHEDULE_H
#define WEIR_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/metrics.h"
#include "base/str.h"
#include "function/function.h"
#include "outbox/outbox.h"
#include "queue/queue.h"
#include "schedule/expression.h"
#include "store/store.h"
#include "timer/timer.h"
#include "value/item.h"

struct weir_schedules;

#define WEIR_SCHEDULE_DEFAULT_GROUP WEIR_STR("default")
#define WEIR_SCHEDULE_FILE_GROUP    WEIR_STR("weir.yaml")

enum {
    WEIR_SCHEDULE_NAME_MAX = 64,
    WEIR_SCHEDULE_ZONE_MAX = 50,
    WEIR_SCHEDULE_INPUT_MAX_BYTES = 256 * 1024,
    WEIR_SCHEDULE_WINDOW_MAX_MS = 24 * 3600 * 1000,
    WEIR_SCHEDULE_AGE_MIN_MS = 60 * 1000,
    WEIR_SCHEDULE_AGE_MAX_MS = 24 * 3600 * 1000,
    WEIR_SCHEDULE_RETRIES_MAX = 185,
    WEIR_SCHEDULE_LATE_MS = 60 * 1000, /* later than this, a firing counts as missed */
    WEIR_SCHEDULE_MADE_UP_MAX = 1000,  /* missed firings that WEIR_MISSED_ALL runs of a rate */
};

/* What becomes of firings that were missed. Part of the format. */
enum weir_missed {
    WEIR_MISSED_ONE,  /* one run for all, for the last of them */
    WEIR_MISSED_SKIP, /* none; a firing that is not later than WEIR_SCHEDULE_LATE_MS runs */
    WEIR_MISSED_ALL,  /* each, oldest first, if not older than the target's max_age_ms */
};

/* What a schedule does when it fires. */
struct weir_schedule_target {
    struct weir_str arn;          /* of a queue or function */
    struct weir_str role;         /* shown, and means nothing here */
    struct weir_str input;        /* p NULL: the default event */
    struct weir_str group;        /* of the message, for FIFO queues */
    struct weir_str dead_letters; /* ARN of the queue that gets what cannot be delivered */
    uint64_t max_age_ms;          /* how long delivering is tried */
    uint64_t max_retries;
};

/* A schedule's definition. Strings are borrowed. */
struct weir_schedule {
    struct weir_str group;
    struct weir_str name;
    struct weir_str description;
    struct weir_str expression;
    struct weir_str zone;
    struct weir_time start; /* 0: none; likewise end */
    struct weir_time end;
    uint64_t window_ms; /* a firing happens up to so much later; 0: on time */
    bool enabled;
    bool delete_after; /* the last firing deletes it */
    enum weir_missed missed;
    struct weir_schedule_target target;
    struct weir_str token;    /* of the request that created it */
    struct weir_time created; /* made by the module, as what follows */
    struct weir_time modified;
    struct weir_str arn;
};

/* What has become of a schedule, and what comes next. */
struct weir_schedule_state {
    struct weir_time next;   /* 0: it does not fire any more */
    struct weir_time due;    /* when that happens: next, or later within the window */
    struct weir_time anchor; /* the first firing of a rate */
    struct weir_time last;   /* time of the last firing; 0: none yet */
    uint64_t fired;
    uint64_t missed;
    uint64_t failed; /* could not be delivered */
};

struct weir_schedule_group {
    struct weir_str name;
    struct weir_time created;
    struct weir_time modified;
    bool deleting;
    struct weir_item tags; /* texts by name */
    struct weir_str token;
    struct weir_str arn;
};

/* A schedule as AWS has it when only what is required is given. Strings are borrowed. */
struct weir_schedule weir_schedule_defaults(struct weir_str name);

/* Who runs the module. */
struct weir_schedule_host {
    /* Call weir_schedules_run soon, on the module's thread. Any thread; must not block. */
    void (*changed)(void *arg);
    /* Tell that a firing could not be committed, or its schedule not be read. Any thread. */
    void (*failed)(void *arg, const struct weir_err *err);
    void *arg;
};

struct weir_schedules_options {
    struct weir_store *store;
    struct weir_timers *timers;
    struct weir_queues *queues;
    struct weir_outbox *outbox;       /* its kind WEIR_INTENT_SCHEDULE is registered */
    struct weir_functions *functions; /* which do nothing but run what is delivered */
    struct weir_metrics *metrics;     /* NULL: none */
    struct weir_schedule_host host;
    struct weir_str region;  /* in ARNs; empty: us-east-1 */
    struct weir_str account; /* in ARNs; empty: 000000000000 */
};

/* Begin to handle the timers, and the outbox's deliveries. */
struct weir_schedules *weir_schedules_create(const struct weir_schedules_options *options);

/* The commit thread has stopped, functions and outbox are gone. NULL is fine. */
void weir_schedules_destroy(struct weir_schedules *schedules);

/* Go on deleting groups. Errors: WEIR_E_IO, WEIR_E_DAMAGED; call it again after a while. */
WEIR_MUST_CHECK enum weir_rc weir_schedules_run(
        struct weir_schedules *schedules, struct weir_err *err);

/* --- definitions ------------------------------------------------------------------------ */

/*
 * Check a definition from outside. Errors: WEIR_E_INVALID; err->pos is a place in the
 * expression when *ret_in_expression (may be NULL).
 */
WEIR_MUST_CHECK enum weir_rc weir_schedule_check(
        const struct weir_schedule *schedule, bool *ret_in_expression, struct weir_err *err);

/*
 * What decides about the firings of a schedule. Errors: WEIR_E_INVALID (the expression, with
 * the place in it; the time zone).
 */
WEIR_MUST_CHECK enum weir_rc weir_schedule_times(const struct weir_schedule *schedule,
        struct weir_time anchor, struct weir_schedule_times *ret_times, struct weir_err *err);

/* The name of a policy ("one"), and back; false: there is none of that name. */
const char *weir_missed_name(enum weir_missed missed);
bool weir_missed_parse(struct weir_str name, enum weir_missed *ret_missed);

/*
 * Add an operation that creates a schedule as defined (copied). The same request once more, by
 * its token, changes nothing and is fine. When run: WEIR_E_NOT_FOUND (the group),
 * WEIR_E_EXISTS (the name is taken; the group is being deleted).
 */
void weir_schedules_create_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule);

/*
 * Add an operation that replaces a definition (copied). What it has counted stays, and so does
 * the next firing unless something that decides about it changes. When run: WEIR_E_NOT_FOUND
 * (the group, the schedule).
 */
void weir_schedules_update_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule);

/* Add an operation that deletes a schedule. When run: WEIR_E_NOT_FOUND. */
void weir_schedules_delete_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str group, struct weir_str name);

/*
 * Make the schedules of the file's group those of weir.yaml: others are deleted. Waits for
 * commits: for start and reload, never on a loop. Errors: those of weir_schedule_check and of
 * commits.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedules_ensure(struct weir_schedules *schedules,
        const struct weir_schedule *all, size_t count, struct weir_err *err);

/*
 * Read a schedule; strings are the arena's. Errors: WEIR_E_NOT_FOUND, WEIR_E_IO,
 * WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedules_get(struct weir_schedules *schedules,
        struct weir_str group, struct weir_str name, struct weir_arena *arena,
        struct weir_schedule *ret_schedule, struct weir_schedule_state *ret_state,
        struct weir_err *err);

/* Which schedules a list is of. */
struct weir_schedule_query {
    struct weir_str group;  /* empty: all */
    struct weir_str prefix; /* of the name */
    bool has_state;
    bool enabled; /* with has_state */
    /* Begin behind this one; empty names: at the first. */
    struct weir_str after_group;
    struct weir_str after_name;
};

struct weir_schedule_listed {
    struct weir_schedule schedule;
    struct weir_schedule_state state;
};

/*
 * Read schedules in the order of group and name into an array of cap; strings are the arena's.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedules_list(struct weir_schedules *schedules,
        const struct weir_schedule_query *query, struct weir_arena *arena,
        struct weir_schedule_listed *listed, size_t cap, size_t *ret_count, struct weir_err *err);

/* Append what firings came to since weir started, as a JSON object: what /v1/status shows. */
void weir_schedules_status(const struct weir_schedules *schedules, struct weir_buf *buf);

/* --- groups ------------------------------------------------------------------------------- */

/*
 * Add an operation that creates a group (copied), as weir_schedules_create_schedule does a
 * schedule. When run: WEIR_E_EXISTS.
 */
void weir_schedules_create_group(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule_group *group);

/*
 * Add an operation that marks a group as being deleted; weir_schedules_run, to be called when it
 * is committed, deletes its schedules and then the group. When run: WEIR_E_NOT_FOUND,
 * WEIR_E_INVALID (it is built in).
 */
void weir_schedules_delete_group(
        struct weir_schedules *schedules, struct weir_txn *txn, struct weir_str name);

/*
 * Add an operation that gives a group other tags: see weir_tags_change. `set` and
 * `unset` are copied. When run: WEIR_E_NOT_FOUND, WEIR_E_INVALID.
 */
void weir_schedules_tag_group(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str name, struct weir_item set, const struct weir_str *unset,
        size_t unset_count);

/* Read a group; the built-in ones are always there. Errors: as weir_schedules_get. */
WEIR_MUST_CHECK enum weir_rc weir_schedules_get_group(struct weir_schedules *schedules,
        struct weir_str name, struct weir_arena *arena, struct weir_schedule_group *ret_group,
        struct weir_err *err);

/* Read groups in the order of names, behind `after`. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_schedules_list_groups(struct weir_schedules *schedules,
        struct weir_str prefix, struct weir_str after, struct weir_arena *arena,
        struct weir_schedule_group *groups, size_t cap, size_t *ret_count, struct weir_err *err);

/* The ARN of a schedule or (without a name) of a group, in the arena. */
struct weir_str weir_schedules_arn(const struct weir_schedules *schedules, struct weir_arena *arena,
        struct weir_str group, struct weir_str name);

/* --- functions ---------------------------------------------------------------------------- */

/*
 * What becomes of a delivery to a function that the outbox gives up: a dead letter with
 * EventBridge Scheduler's attributes where the schedule has a queue for them, and a count. As
 * give_up of struct weir_outbox_host; *ret_held is a queue's reference, and arg the schedules.
 *
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_schedules_give_up(void *arg, struct weir_txn *txn,
        const struct weir_delivery *delivery, const struct weir_give_up *why, const void **ret_held,
        struct weir_err *err);

#endif
