/*
 * Queues: messages that wait until someone has dealt with them.
 *
 * The catalogue (weir_queues) knows every queue. A struct weir_queue is one queue's
 * definition: it never changes, is shared by reference counting, and is replaced in the
 * catalogue when something about the queue does.
 *
 * A message is in its queue's keyspace from the commit that sends it to the commit that
 * deletes it, moves it to the dead-letter queue or finds it too old. Receiving it hides it
 * for the visibility time-out, durably; what was received and not deleted comes back. So
 * a message is delivered at least once, whatever fails. Sending, deleting and hiding are
 * operations of transactions, evaluated on the commit thread: a pipeline that sends in its
 * batch's transaction sends with the batch, or not at all.
 *
 * The module's thread (the one that calls weir_queues_run) keeps in memory which messages
 * can be received next. That is a hint, read from the keyspace at start and after each
 * commit: the operation that hides a message looks at the keyspace itself. Receiving waits
 * without polling: for a commit to the queue, or for the time at which a message shows.
 *
 * A FIFO queue gives the messages of a group in the order in which they were sent, and
 * nothing of a group while something of it is hidden; what is sent twice within five minutes
 * is kept once.
 *
 * Messages of WEIR_E_INVALID are SQS's own and reach clients unchanged.
 */
#ifndef WEIR_QUEUE_QUEUE_H
#define WEIR_QUEUE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/metrics.h"
#include "base/str.h"
#include "store/store.h"
#include "value/item.h"

struct weir_queues;

enum {
    WEIR_QUEUE_NAME_MAX = 80,
    WEIR_QUEUE_BATCH_MAX = 10,
    WEIR_QUEUE_MESSAGE_MAX_BYTES = 1024 * 1024, /* body and attributes; also of a batch */
    WEIR_QUEUE_MESSAGE_ID = 36,
    WEIR_QUEUE_ATTRIBUTES_MAX = 10, /* of a message */
    WEIR_QUEUE_SECOND_MS = 1000,
    WEIR_QUEUE_DEDUP_MS = 5 * 60 * 1000,
    WEIR_QUEUE_VISIBILITY_MAX_MS = 12 * 3600 * 1000,
    WEIR_QUEUE_DELAY_MAX_MS = 15 * 60 * 1000,
    WEIR_QUEUE_WAIT_MAX_MS = 20 * 1000,
    WEIR_QUEUE_RETENTION_MIN_MS = 60 * 1000,
    WEIR_QUEUE_RETENTION_MAX_MS = 14 * 24 * 3600 * 1000,
    WEIR_QUEUE_REDRIVE_MAX = 1000,
};

/* A queue's definition. Strings belong to it. */
struct weir_queue {
    struct weir_str name;
    uint32_t space; /* given by the catalogue; another one after each purge */
    struct weir_time created;
    struct weir_time modified;
    uint64_t visibility_ms;
    uint64_t delay_ms;
    uint64_t retention_ms;
    uint64_t wait_ms; /* of a receive that does not say */
    uint64_t max_bytes;
    struct weir_str dead_letters; /* name of the queue that gets what fails; empty: none */
    uint64_t max_receives;        /* after so many; with dead_letters */
    bool fifo;                    /* the name ends in .fifo */
    bool dedup_by_content;
    bool dedup_by_group;     /* de-duplication looks at messages of the same group only */
    bool from_file;          /* named in weir.yaml: the API may not change or delete it */
    struct weir_item echoed; /* attributes that are only kept and shown: texts by name */
    struct weir_item tags;   /* texts by name */
    struct weir_str arn;     /* made by the catalogue */
};

/* What a queue is without any attribute. Strings are borrowed. */
struct weir_queue weir_queue_defaults(struct weir_str name);

/*
 * How the module's thread is told to call weir_queues_run: at a time (which replaces the one
 * asked for before), and after something was committed.
 */
struct weir_queue_host {
    void (*wake_at)(void *arg, uint64_t after_ms, bool never); /* the module's thread */
    void (*changed)(void *arg);                                /* any thread; must not block */
    void *arg;
};

struct weir_queues_options {
    struct weir_store *store;
    struct weir_queue_host host;
    struct weir_metrics *metrics; /* NULL: none */
    struct weir_str region;       /* in ARNs; empty: us-east-1 */
    struct weir_str account;      /* in ARNs; empty: 000000000000 */
};

/* Load the catalogue. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_queues_open(const struct weir_queues_options *options,
        struct weir_queues **ret_queues, struct weir_err *err);

/* Answer all who wait with nothing, and from now on at once. The module's thread. */
void weir_queues_stop(struct weir_queues *queues);

/* The store's commit thread must have stopped. NULL is fine. */
void weir_queues_close(struct weir_queues *queues);

/*
 * Do what is due: look at what was committed, answer who waits, delete what is too old. Errors:
 * WEIR_E_IO, WEIR_E_DAMAGED; it is then to be called again after a while.
 */
WEIR_MUST_CHECK enum weir_rc weir_queues_run(struct weir_queues *queues, struct weir_err *err);

struct weir_store *weir_queues_store(struct weir_queues *queues);
struct weir_str weir_queues_account(const struct weir_queues *queues);

/* --- the catalogue: any thread ------------------------------------------------------ */

/*
 * A queue by name (an ARN or URL of it works too), with a reference that the caller gives
 * back. Errors: WEIR_E_NOT_FOUND.
 */
WEIR_MUST_CHECK enum weir_rc weir_queues_get(struct weir_queues *queues, struct weir_str name,
        const struct weir_queue **ret_queue, struct weir_err *err);
void weir_queue_ref(const struct weir_queue *queue);
void weir_queue_unref(const struct weir_queue *queue);

/*
 * Names in order, those after `after` (may be empty) that begin with a prefix, at most cap;
 * copied into the arena. Returns how many.
 */
size_t weir_queues_list(struct weir_queues *queues, struct weir_str after, struct weir_str prefix,
        struct weir_arena *arena, struct weir_str *names, size_t cap);

/* Check a definition from outside. Errors: WEIR_E_INVALID with SQS's message. */
WEIR_MUST_CHECK enum weir_rc weir_queue_check(
        const struct weir_queue *definition, struct weir_err *err);

/*
 * Called on the commit thread, after queues were made, changed or deleted; must not block. One at
 * a time.
 */
void weir_queues_on_change(struct weir_queues *queues, void (*on_change)(void *arg), void *arg);

/* The first attribute, by SQS's name, in which two definitions differ; NULL: none. */
const char *weir_queue_difference(const struct weir_queue *a, const struct weir_queue *b);

/*
 * Add an operation that creates a queue as defined (copied). One that is there and does not
 * differ is fine. When run: WEIR_E_EXISTS.
 */
void weir_queues_create_queue(
        struct weir_queues *queues, struct weir_txn *txn, const struct weir_queue *definition);

/* Add an operation that deletes a queue and all its messages. When run: WEIR_E_NOT_FOUND. */
void weir_queues_delete_queue(
        struct weir_queues *queues, struct weir_txn *txn, struct weir_str name);

/* Add an operation that deletes all messages of a queue. When run: WEIR_E_NOT_FOUND. */
void weir_queues_purge(struct weir_queues *queues, struct weir_txn *txn, struct weir_str name);

/*
 * Add an operation that changes a definition: `change` gets a copy, whose strings it may
 * replace by ones of the transaction's arena. It runs on the commit thread, maybe more than
 * once. When run: WEIR_E_NOT_FOUND, and what change returns.
 */
void weir_queues_alter(struct weir_queues *queues, struct weir_txn *txn, struct weir_str name,
        enum weir_rc (*change)(struct weir_queue *queue, struct weir_arena *arena, void *arg,
                struct weir_err *err),
        void *arg);

/*
 * Make the catalogue agree with a definition from weir.yaml. Waits for the commit: for start
 * and reload, never on a loop. Errors: WEIR_E_INVALID, and those of commits.
 */
WEIR_MUST_CHECK enum weir_rc weir_queues_ensure(
        struct weir_queues *queues, const struct weir_queue *definition, struct weir_err *err);

/* --- messages ------------------------------------------------------------------------- */

struct weir_message_attribute {
    struct weir_str name;
    struct weir_str type;  /* String, Number or Binary, maybe with .more behind it */
    struct weir_str value; /* bytes */
};

/* A message as it is sent, and as it is received. */
struct weir_message {
    struct weir_str id; /* a UUID; made by sending */
    struct weir_str body;
    struct weir_message_attribute *attributes;
    size_t attribute_count;
    struct weir_str group;     /* FIFO: required */
    struct weir_str dedup;     /* FIFO: required, unless it is made from the content */
    struct weir_str trace;     /* AWSTraceHeader */
    struct weir_str sender;    /* who sent it */
    struct weir_str source;    /* ARN of the queue it was moved from, as a dead letter */
    struct weir_str causation; /* of the change that made a pipeline send it; not shown */
    uint64_t sequence;         /* grows with each message of the queue */
    uint8_t hops;              /* pipelines it came through */

    /* Received. */
    struct weir_time sent;
    struct weir_time first_received;
    uint32_t receives;        /* this one included */
    struct weir_time visible; /* browsing: from when on it can be received */
    struct weir_str receipt;
};

/* SQS's size: body, and names, types and values of the attributes. */
size_t weir_message_bytes(const struct weir_message *message);

/*
 * A JSON text as SQS takes it, in the arena: two characters that XML does not have are
 * escaped.
 */
struct weir_str weir_message_json(struct weir_arena *arena, struct weir_str json);

/*
 * Append a received message as Lambda's event source mappings hand it to functions: an element of
 * an SQS event's Records.
 * arn, region  of its queue
 */
void weir_message_write_event(struct weir_buf *buf, const struct weir_message *message,
        struct weir_str arn, struct weir_str region);

/*
 * The same as event patterns see it: a body that is a JSON object or array is one, not a text.
 */
void weir_message_write_matched(struct weir_buf *buf, const struct weir_message *message,
        struct weir_str arn, struct weir_str region);

/*
 * Whether SQS takes a name for an attribute: letters, digits, '_', '-' and single inner periods,
 * and no name that begins with "AWS." or "Amazon." in any case.
 */
bool weir_message_attribute_name_fits(struct weir_str name);

/*
 * Operations on one message. Each is filled, added to a transaction, and has its own outcome
 * once that is done. With `strict` what it refuses refuses the transaction; otherwise the rest
 * of the transaction is not affected, which is what batches want.
 */

struct weir_queue_send {
    struct weir_op op;              /* private */
    const struct weir_queue *queue; /* the caller's reference, held until txn is destroyed */
    struct weir_message message;    /* of the transaction's arena; id and dedup may be empty */
    bool has_delay;
    uint64_t delay_ms; /* with has_delay, instead of the queue's */
    bool strict;

    enum weir_rc rc; /* WEIR_OK, WEIR_E_NOT_FOUND (queue deleted) */
    struct weir_err err;
    struct weir_str id; /* of the message; of the earlier one when it was a duplicate */
    uint64_t sequence;
    char id_text[WEIR_QUEUE_MESSAGE_ID + 1]; /* private */
};

/*
 * Add that a message is sent. It is checked now. Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE (the
 * message is longer than the queue allows), WEIR_E_UNSUPPORTED (bytes that XML cannot carry).
 */
WEIR_MUST_CHECK enum weir_rc weir_queue_send(struct weir_queues *queues,
        struct weir_queue_send *send, struct weir_txn *txn, struct weir_err *err);

/* Deleting a received message, or changing how long it stays hidden. */
struct weir_queue_settle {
    struct weir_op op; /* private */
    const struct weir_queue *queue;
    struct weir_str receipt;
    bool keep;        /* change the time only */
    bool exact;       /* delete only what nobody has received or deleted since the receipt */
    uint64_t hide_ms; /* with keep: from now on; 0: show it at once */
    bool strict;

    enum weir_rc rc; /* see weir_queue_settle */
    struct weir_err err;
    uint64_t sequence; /* private, as all below */
    uint64_t nonce;
    uint32_t space;
    uint32_t receives;
    struct weir_queues *queues;
};

/*
 * Add that a received message is dealt with. Deleting what is gone already is fine; so is an
 * old receipt of a standard queue, which deletes nothing when the message was received again.
 * Errors: WEIR_E_DENIED (no receipt handle at all). When run: WEIR_E_NOT_FOUND (queue
 * deleted), WEIR_E_INVALID (the message is gone; FIFO: the receipt has expired),
 * WEIR_E_CONDITION (keep: the message is not hidden; exact: it is gone, or was received again).
 */
WEIR_MUST_CHECK enum weir_rc weir_queue_settle(struct weir_queues *queues,
        struct weir_queue_settle *settle, struct weir_txn *txn, struct weir_err *err);

/* Whether a change in a queue's keyspace is a message that came into it. */
bool weir_queues_is_new_message(const struct weir_change *change);

/* --- looking: any thread ------------------------------------------------------------------ */

/*
 * Call each with the messages behind a sequence number (0: all), in order, without receiving
 * them, until it returns false. Of what `message` says about receiving, it is as it was received
 * last; its receipt is good for an exact settle. hidden: somebody has it, or it is delayed. What
 * each gets is borrowed for the call. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_queues_browse(struct weir_queues *queues,
        const struct weir_queue *queue, uint64_t after,
        bool (*each)(void *arg, const struct weir_message *message, bool hidden), void *arg,
        struct weir_err *err);

/* --- receiving: the module's thread ------------------------------------------------------ */

struct weir_receive {
    /* Set by the caller, who keeps the struct until done. */
    size_t max; /* 1 to WEIR_QUEUE_BATCH_MAX */
    bool has_hide;
    uint64_t hide_ms; /* with has_hide, instead of the queue's visibility time-out */
    bool has_wait;
    uint64_t wait_ms; /* with has_wait, instead of the queue's */
    /*
     * Called once, never inside weir_queues_receive; may call anything. What was received from a
     * FIFO queue is durably hidden by then. From any other queue it is hidden, and that becomes
     * durable with the next commit: when weir is killed before, the message shows again after
     * the start, and this receive is not counted. Its receipt still deletes it.
     */
    void (*done)(struct weir_receive *receive);
    void *arg;

    /* The outcome: WEIR_OK without messages when there are none; WEIR_E_NOT_FOUND (queue
     * deleted), WEIR_E_LIMIT (too many are hidden), and errors of commits. */
    enum weir_rc rc;
    struct weir_err err;
    struct weir_message messages[WEIR_QUEUE_BATCH_MAX]; /* strings live until weir_receive_fini */
    size_t count;

    /* private */
    struct weir_arena arena; /* of the messages */
    struct weir_queue_line *line;
    struct weir_receive *next;
    struct weir_receive **at; /* while it waits */
    uint64_t until_ns;
};

/* Begin to receive. */
void weir_queues_receive(
        struct weir_queues *queues, const struct weir_queue *queue, struct weir_receive *receive);

/*
 * Stop waiting. True: done is not called. False: messages are being received, and done will
 * be called.
 */
bool weir_queues_cancel(struct weir_queues *queues, struct weir_receive *receive);

/* Free what a receive holds, after done. */
void weir_receive_fini(struct weir_receive *receive);

/* --- numbers: the module's thread --------------------------------------------------------- */

struct weir_queue_numbers {
    uint64_t visible;
    uint64_t hidden;    /* received, not deleted */
    uint64_t delayed;   /* not shown yet */
    uint64_t oldest_ms; /* age of the oldest message; 0: there is none */
};

/* Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_queues_numbers(struct weir_queues *queues,
        const struct weir_queue *queue, struct weir_queue_numbers *ret_numbers,
        struct weir_err *err);

/* Bring the metrics up to date. NULL is fine. */
void weir_queues_refresh(struct weir_queues *queues);

#endif
