/*
 * Messages for remote queues: intents that SendMessageBatch delivers, up to 10 at once.
 *
 * A lane is a queue's URL. What a queue refuses of a batch is settled message by message: its own
 * faults are final, the queue's are tried again. A batch that is refused as a whole is sent again
 * message by message, so that one bad message does not spoil the others. A queue that is not
 * there, a key that is not known or not allowed, and throttling block the lane: there is nothing
 * wrong with the messages. A message for a FIFO queue has its group as order key; its
 * de-duplication id makes a delivery that is repeated within five minutes one message.
 */
#ifndef WEIR_REMOTE_SQS_H
#define WEIR_REMOTE_SQS_H

#include "net/http_client.h"
#include "outbox/outbox.h"
#include "queue/queue.h"
#include "remote/remote.h"

struct weir_remote_sqs;

/* Deliver WEIR_INTENT_SQS of an outbox. All is borrowed. */
struct weir_remote_sqs *weir_remote_sqs_create(struct weir_outbox *outbox,
        struct weir_http_client *client, const struct weir_remote *remotes, size_t count);

/* The client must have been destroyed, and with it the calls. NULL is fine. */
void weir_remote_sqs_destroy(struct weir_remote_sqs *sqs);

/* Whether the queue behind a URL is a FIFO queue: its name ends in .fifo. */
bool weir_remote_sqs_is_fifo(struct weir_str url);

struct weir_remote_message {
    struct weir_str url;                /* the queue's */
    struct weir_str remote;             /* by name */
    const struct weir_message *message; /* body, attributes, group, dedup */
    const uint64_t *delay_ms;           /* NULL: the queue's */
};

/*
 * Make a message an intent: sets its kind, its target, its order and its payload, which are the
 * arena's; the rest is the caller's. Errors: WEIR_E_INVALID, WEIR_E_UNSUPPORTED (the URL; no
 * body; a FIFO queue without group and dedup), WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_remote_message_intent(const struct weir_remote_message *what,
        struct weir_arena *arena, struct weir_intent *intent, struct weir_err *err);

#endif
