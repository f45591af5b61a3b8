/*
 * Deliveries to the outside: the outbox on the loop, the kinds of intents that weir delivers, and
 * the HTTP client that they share.
 *
 *     create -> (the loop runs) -> stop -> (until stopped is called) -> finish -> destroy
 *
 * Without a network (simulations) POSTs stay in the outbox unless someone else registers as who
 * delivers them. Threads: the loop's.
 */
#ifndef WEIR_DAEMON_DELIVERIES_H
#define WEIR_DAEMON_DELIVERIES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/metrics.h"
#include "net/loop.h"
#include "outbox/outbox.h"
#include "queue/queue.h"
#include "remote/remote.h"
#include "store/store.h"

struct weir_deliveries;

struct weir_deliveries_options {
    struct weir_loop *loop;
    struct weir_store *store;
    struct weir_queues *queues; /* for dead letters */
    struct weir_metrics *metrics;
    const struct weir_remote *remotes; /* borrowed for the life of the deliveries */
    size_t remote_count;
    bool network;
};

/* Work begins when the loop runs. Errors: as weir_outbox_create, weir_http_client_create. */
WEIR_MUST_CHECK enum weir_rc weir_deliveries_create(const struct weir_deliveries_options *options,
        struct weir_deliveries **ret_deliveries, struct weir_err *err);

/* Borrowed from the deliveries, gone with finish. */
struct weir_outbox *weir_deliveries_outbox(struct weir_deliveries *deliveries);

/*
 * Who makes the dead letters of a kind of intent, as give_up of struct weir_outbox_host does;
 * *ret_held is a queue's reference. Without one they are what WEIR_DEAD_LETTER_QUEUE says.
 */
void weir_deliveries_letters(struct weir_deliveries *deliveries, enum weir_intent_kind kind,
        enum weir_rc (*letter)(void *arg, struct weir_txn *txn,
                const struct weir_delivery *delivery, const struct weir_give_up *why,
                const void **ret_held, struct weir_err *err),
        void *arg);

/*
 * Begin no more; stopped is called, never in here, when nothing is under way any more, or after
 * some seconds all the same: what is cut off is delivered again after the next start.
 */
void weir_deliveries_stop(
        struct weir_deliveries *deliveries, void (*stopped)(void *arg), void *arg);

/* The store's commit thread has stopped: end everything that uses the loop. NULL is fine. */
void weir_deliveries_finish(struct weir_deliveries *deliveries);

/* After the loop was destroyed. NULL is fine. */
void weir_deliveries_destroy(struct weir_deliveries *deliveries);

#endif
