/*
 * The outbox: what is to be done outside once the transaction that wants it is true.
 *
 * An intent (a POST, a message for a remote queue, a run of a function) is added to a transaction
 * and commits with it, or not at all. After the commit the outbox delivers it: hands it to the
 * kind that knows how, as often as it takes, and removes it in a transaction of its own when that
 * went well. So a delivery happens at least once, also when the process is killed between the
 * effect and the removal; its id stays the same, so that whoever gets it can tell.
 *
 * Lanes. Intents of one kind and one target are a lane, with a limit on what is in flight, so
 * neither a slow nor a dead target is in the way of another. Within a lane, intents with the same
 * order key are delivered one after the other in the order of their commits; the others as they
 * come. What failed has one of three classes (base/failure.h):
 *
 *     blocked    the lane waits, for longer each time (1 s to 1 min, or what the target asks for),
 *                and then tries with one delivery; no retries are used
 *     retryable  the intent waits as its back-off says, and others pass it unless they have
 *                its order key; after `retries` it is given up
 *     final      the intent is given up at once
 *
 * An intent older than its max_age is given up whatever happened to it. Giving up is one
 * transaction too: the host adds what becomes of the intent (a dead letter), and it is removed.
 * Attempts and the time of the next one are kept in the store.
 *
 * Memory is bounded: a lane keeps the heads of some 1,000 intents, at most 100 of an order key, and
 * payloads only while they are in flight. It looks past up to 10,000 intents that wait for earlier
 * ones of their order key.
 *
 * Threads: adding is for any thread. The rest belongs to one thread, that of weir_outbox_run. The
 * module knows no loop: its host calls weir_outbox_run when it asks for that.
 */
#ifndef WEIR_OUTBOX_OUTBOX_H
#define WEIR_OUTBOX_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/failure.h"
#include "base/metrics.h"
#include "base/str.h"
#include "store/store.h"

struct weir_outbox;

/* How an intent is delivered. The numbers are part of the format. */
enum weir_intent_kind {
    WEIR_INTENT_HTTP = 1,     /* outbox/http.h: a POST */
    WEIR_INTENT_SQS = 2,      /* remote/: a message for a remote queue */
    WEIR_INTENT_FUNCTION = 3, /* function/: a run nobody waits for */
    WEIR_INTENT_SCHEDULE = 4, /* schedule/: a target of a schedule */
    WEIR_INTENT_KINDS = 16,
};

enum {
    WEIR_INTENT_TARGET_MAX_BYTES = 2048,
    WEIR_INTENT_ORDER_MAX_BYTES = 8 * 1024,
    WEIR_INTENT_TEXT_MAX_BYTES = 1024, /* of id, dead_letter and causation */
    WEIR_INTENT_PAYLOAD_MAX_BYTES = 8 * 1024 * 1024,
};

/* What an intent's dead_letter begins with when the rest of it is a queue's name. */
#define WEIR_DEAD_LETTER_QUEUE "queue:"

/* When to try again, and for how long. */
struct weir_intent_retry {
    uint64_t retries; /* after the first attempt; UINT64_MAX: without end */
    struct weir_backoff backoff;
    uint64_t max_age_ms; /* since the commit; 0: any */
};

/* What is to be done. All strings are copied. */
struct weir_intent {
    enum weir_intent_kind kind;
    struct weir_str target; /* names the lane, with the kind; shown in status and metrics */
    struct weir_str order;  /* empty: no order */
    struct weir_str id;     /* the same at each attempt; empty: one is made */
    struct weir_str payload;
    struct weir_intent_retry retry;
    struct weir_str dead_letter; /* what the host's give_up understands; empty: none */
    struct weir_str causation;   /* of the change that wants it */
    uint8_t hops;                /* pipelines it came through */
};

/* --- delivering -------------------------------------------------------------------------- */

/* An intent on its way. Everything is borrowed until weir_delivery_done. */
struct weir_delivery {
    enum weir_intent_kind kind;
    struct weir_str target;
    struct weir_str order;
    struct weir_str id;
    struct weir_str payload;
    struct weir_str dead_letter;
    struct weir_str causation;
    uint8_t hops;
    uint64_t attempt;         /* 1 is the first */
    struct weir_time created; /* when it was committed */
};

struct weir_outbox_kind {
    const char *name;     /* in status and metrics: "http" */
    uint32_t concurrency; /* batches in flight of a lane */
    uint32_t batch;       /* deliveries that begin together at most; 1: each alone */
    /*
     * Required. Begin to deliver a batch of one lane, no two of it with the same order key. Must
     * not block; weir_delivery_done is called once for each, later or in here. The array is gone
     * when begin returns.
     */
    void (*begin)(void *arg, struct weir_delivery *const *deliveries, size_t count);
    /* Required. Append a payload as a JSON value, for people and dead letters. */
    void (*describe)(void *arg, struct weir_str payload, struct weir_buf *json);
    void *arg;
};

/*
 * A delivery has an outcome. err says what failed (NULL when nothing did) and is shown to people;
 * retry_after_ms is what the target asks for, 0 when it does not. The module's thread.
 */
void weir_delivery_done(struct weir_delivery *delivery, enum weir_failure_class failure,
        const struct weir_err *err, uint64_t retry_after_ms);

/* --- life ------------------------------------------------------------------------------------ */

enum weir_outbox_event_kind {
    WEIR_OUTBOX_BLOCKED,   /* a lane waits for its target */
    WEIR_OUTBOX_UNBLOCKED, /* it waits no longer */
    WEIR_OUTBOX_RETRY,     /* an intent will be tried again */
    WEIR_OUTBOX_GIVEN_UP,  /* an intent was given up, durably */
};

/* Something to be logged, borrowed for the call. */
struct weir_outbox_event {
    enum weir_outbox_event_kind event;
    const char *kind; /* of the lane */
    struct weir_str target;
    struct weir_str id; /* of the intent; empty for what is about the lane */
    uint64_t attempts;
    const char *reason; /* empty: none */
};

/* Why an intent is given up. */
struct weir_give_up {
    bool too_old;      /* else its retries are used up, or the failure is final */
    uint64_t attempts; /* that were made */
    struct weir_time time;
    const struct weir_err *err; /* of the last attempt; code WEIR_OK: there was none */
};

struct weir_outbox_host {
    /* Call weir_outbox_run after so long; replaces what was asked for before. */
    void (*wake_at)(void *arg, uint64_t after_ms, bool never);
    /* Call it soon. Any thread; must not block. */
    void (*changed)(void *arg);
    /*
     * Add to a transaction what becomes of an intent that is given up and has a dead_letter. What
     * *ret_held is set to is given to release when the transaction is no more. Errors: any; it is
     * called again after a while, and the intent stays until then.
     */
    enum weir_rc (*give_up)(void *arg, struct weir_txn *txn, const struct weir_delivery *delivery,
            const struct weir_give_up *why, const void **ret_held, struct weir_err *err);
    void (*release)(void *arg, const void *held);
    void (*log)(void *arg, const struct weir_outbox_event *event);
    void *arg;
};

struct weir_outbox_options {
    struct weir_store *store; /* its clock tells the time */
    struct weir_metrics *metrics;
    struct weir_outbox_host host; /* all of it is required */
    uint64_t seed;                /* of the jitter; 0: the system's */
};

/* Find the lanes that have intents. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_outbox_create(const struct weir_outbox_options *options,
        struct weir_outbox **ret_outbox, struct weir_err *err);

/* Who delivers a kind. The struct is copied. Before weir_outbox_run is called first. */
void weir_outbox_register(
        struct weir_outbox *outbox, enum weir_intent_kind kind, const struct weir_outbox_kind *how);

/*
 * Begin no more deliveries; stopped is called once, by weir_outbox_run, when none is under way
 * and all that ended are settled.
 */
void weir_outbox_stop(struct weir_outbox *outbox, void (*stopped)(void *arg), void *arg);

/* The store's commit thread must have stopped, and no kind may hold a delivery. NULL is fine. */
void weir_outbox_destroy(struct weir_outbox *outbox);

/*
 * Do what is due: settle what ended, begin what can begin, and ask to be called for what comes
 * next. Errors: WEIR_E_IO, WEIR_E_DAMAGED; it is then to be called again after a while.
 */
WEIR_MUST_CHECK enum weir_rc weir_outbox_run(struct weir_outbox *outbox, struct weir_err *err);

/* Append a delivery's payload as a JSON value: what its kind says, or null. */
void weir_outbox_describe(const struct weir_outbox *outbox, const struct weir_delivery *delivery,
        struct weir_buf *json);

/* --- adding: any thread ---------------------------------------------------------------------- */

/*
 * Add an intent to a transaction that is being built. Errors: WEIR_E_INVALID (no target),
 * WEIR_E_TOO_LARGE (past a limit above).
 */
WEIR_MUST_CHECK enum weir_rc weir_outbox_add(struct weir_outbox *outbox, struct weir_txn *txn,
        const struct weir_intent *intent, struct weir_err *err);

/* As weir_outbox_add, inside an operation. Errors: also WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_outbox_add_in(struct weir_outbox *outbox, struct weir_view *view,
        const struct weir_intent *intent, struct weir_err *err);

/* --- telling: the module's thread ---------------------------------------------------------------
 */

/* Bring the gauges up to date. NULL is fine. */
void weir_outbox_refresh(struct weir_outbox *outbox);

/* Append a JSON array with one object a lane that has intents. */
void weir_outbox_status(struct weir_outbox *outbox, struct weir_buf *buf);

#endif
