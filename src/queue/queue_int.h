/* What the files of queue/ share. */
#ifndef WEIR_QUEUE_QUEUE_INT_H
#define WEIR_QUEUE_QUEUE_INT_H

#include <stdatomic.h>

#include "base/random.h"
#include "queue/heap.h"
#include "queue/queue.h"
#include "store/catalogue.h"

struct weir_queue_line;

/* What all definitions of one queue share, old ones too. */
struct weir_queue_life {
    _Atomic int references;
    _Atomic uint32_t space;       /* of the messages now; 0: deleted. Set on the commit thread */
    struct weir_queue_line *line; /* the module's thread */
};

/* A definition with its memory. */
struct weir_queue_box {
    struct weir_queue queue;
    struct weir_arena arena;
    struct weir_defined defined;
    struct weir_queue_life *life;
};

/* A message whose entry is to be looked at again. */
struct weir_queue_note {
    uint32_t space;
    uint64_t sequence;
};

struct weir_queue_notes {
    struct weir_queue_note *all;
    size_t count;
    size_t capacity;
};

/* A transaction of the module's own; on the way back to the module's thread when it is done. */
struct weir_queue_work {
    struct weir_txn *txn;
    void (*finished)(struct weir_queue_work *work);
    struct weir_queues *queues;
    struct weir_queue_work *next;
};

struct weir_queues {
    struct weir_store *store;
    struct weir_queue_host host;
    struct weir_metrics *metrics;
    struct weir_str region;  /* owned */
    struct weir_str account; /* owned */
    struct weir_catalogue catalogue;

    struct weir_mutex mutex;          /* guards what follows */
    bool changed;                     /* the catalogue; the lines do not show it yet */
    struct weir_queue_line *touched;  /* lines with something new in their keyspace */
    struct weir_queue_notes notes;    /* of what was committed */
    struct weir_queue_work *finished; /* last first */

    struct weir_queue_notes fresh; /* the commit thread's: of what is being evaluated */

    /* The module's thread. */
    struct weir_queue_line *lines;
    struct weir_heap due;           /* of lines, by when there is something to do */
    struct weir_receive *delivered; /* whose done is to be called, in order */
    struct weir_receive **delivered_end;
    size_t unwritten;     /* transactions that hide what was delivered */
    uint64_t hurry_at_ms; /* when they are to be committed; 0: at no time */
    struct weir_random random;
    struct weir_clock_guard guard;
    size_t works; /* that are under way */
    bool stopped;
};

static inline struct weir_queue_box *weir_queue_box(const struct weir_queue *queue)
{
    return WEIR_CONTAINER(queue, struct weir_queue_box, queue);
}

/* The keyspace of a queue's messages now; 0: it was deleted. */
static inline uint32_t weir_queue_space(const struct weir_queue *queue)
{
    return atomic_load(&weir_queue_box(queue)->life->space);
}

/* definition.c: a definition to and from the catalogue's bytes. Errors: WEIR_E_DAMAGED. */
struct weir_item weir_queue_encode(struct weir_arena *arena, const struct weir_queue *queue);
WEIR_MUST_CHECK enum weir_rc weir_queue_decode(const struct weir_queues *queues,
        struct weir_item stored, struct weir_queue_box **ret_box, struct weir_err *err);
void weir_queue_box_destroy(struct weir_queue_box *box);

/* --- message.c: the keys and values of a queue's keyspace -------------------------------- */

/* "s": what the queue counts. */
struct weir_queue_state {
    uint64_t next; /* the next message's sequence number */
    uint64_t count;
};

/* "m" and a sequence number: what changes about a message. */
struct weir_queue_meta {
    struct weir_time visible; /* from when on it can be received */
    struct weir_time sent;
    struct weir_time first_received;
    struct weir_time last_received;
    uint64_t nonce; /* in receipts, so that none fits another message */
    uint32_t receives;
    struct weir_str group;
};

/* "d" and an id: what was sent under it lately. */
struct weir_queue_dedup {
    struct weir_time expires;
    uint64_t sequence;
    char id[WEIR_QUEUE_MESSAGE_ID];
};

enum { WEIR_QUEUE_KEY = 9 };

/* The key of a letter and a number, into text. */
struct weir_str weir_queue_number_key(char letter, uint64_t number, char text[WEIR_QUEUE_KEY]);
/* The number of such a key. */
uint64_t weir_queue_key_number(struct weir_str key);

#define WEIR_QUEUE_STATE_KEY WEIR_STR("s")

/* Values, in the arena; reading borrows from the value. Errors: WEIR_E_DAMAGED. */
struct weir_str weir_queue_write_state(
        struct weir_arena *arena, const struct weir_queue_state *state);
WEIR_MUST_CHECK enum weir_rc weir_queue_read_state(
        struct weir_str value, struct weir_queue_state *ret_state, struct weir_err *err);
struct weir_str weir_queue_write_meta(struct weir_arena *arena, const struct weir_queue_meta *meta);
WEIR_MUST_CHECK enum weir_rc weir_queue_read_meta(
        struct weir_str value, struct weir_queue_meta *ret_meta, struct weir_err *err);
struct weir_str weir_queue_write_message(
        struct weir_arena *arena, const struct weir_message *message);
WEIR_MUST_CHECK enum weir_rc weir_queue_read_message(struct weir_str value,
        struct weir_arena *arena, struct weir_message *ret_message, struct weir_err *err);

/* Whether a text begins with U+FFFE or U+FFFF, which XML does not have. */
bool weir_message_noncharacter(struct weir_str text);

/* What a receipt handle says; clients see it in base64. */
struct weir_queue_receipt {
    uint64_t sequence;
    uint64_t nonce;
    uint32_t receives;
    uint32_t sum; /* of all the above */
};
struct weir_str weir_queue_write_receipt(
        struct weir_arena *arena, const struct weir_queue_receipt *receipt);
/* Errors: WEIR_E_DENIED. */
WEIR_MUST_CHECK enum weir_rc weir_queue_read_receipt(struct weir_arena *arena, struct weir_str text,
        struct weir_queue_receipt *ret_receipt, struct weir_err *err);

/* --- operation.c: on the commit thread -------------------------------------------------------- */

/* Have a message's entry looked at again once the transaction is committed. */
void weir_queue_note(struct weir_queues *queues, uint32_t space, uint64_t sequence);

/* Delete a message that is there, and count it. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_queue_remove(
        struct weir_view *view, uint32_t space, uint64_t sequence, struct weir_err *err);

enum weir_claim_outcome {
    WEIR_CLAIM_TAKEN, /* hidden, and to be delivered */
    WEIR_CLAIM_LATER, /* was hidden already */
    WEIR_CLAIM_GONE,  /* deleted, too old, or moved to the dead-letter queue */
};

/* A message that a receive wants. */
struct weir_claim {
    uint64_t sequence;
    struct weir_str stored; /* its "b" value */
    enum weir_claim_outcome outcome;
    struct weir_queue_meta meta; /* TAKEN, LATER: as it is now */
};

struct weir_claims {
    struct weir_op op;
    struct weir_queues *queues;
    const struct weir_queue *queue;
    uint32_t space;
    uint64_t hide_ms;
    struct weir_claim all[WEIR_QUEUE_BATCH_MAX];
    size_t count;
};

/* Add an operation that hides what was claimed, and says what came of each. */
void weir_queue_claim(struct weir_claims *claims, struct weir_txn *txn);

/* As weir_queue_claim, for messages that were delivered already: each is to be as its `meta`. */
void weir_queue_claim_delivered(struct weir_claims *claims, struct weir_txn *txn);

/* Whether a message can be delivered as it is: it shows, and is to go nowhere else. */
bool weir_queue_is_deliverable(
        const struct weir_queue *queue, const struct weir_queue_meta *meta, struct weir_time now);

/* What a receive makes of a message's meta. */
void weir_queue_mark_received(struct weir_queue_meta *meta, struct weir_time now, uint64_t hide_ms);

/* What may be too old. */
struct weir_sweep {
    struct weir_op op;
    uint32_t space;
    uint64_t retention_ms;
    uint64_t *sequences;
    size_t count;
    struct weir_str *dedups; /* whole keys "e..." */
    size_t dedup_count;
};

/* Add an operation that deletes what is too old. */
void weir_queue_sweep(struct weir_sweep *sweep, struct weir_txn *txn);

/* --- line.c: the module's thread ------------------------------------------------------------- */

/* catalogue.c: references to all definitions there are, in the arena. */
size_t weir_queues_all(struct weir_queues *queues, struct weir_arena *arena,
        const struct weir_queue ***ret_queues);

/* Hand a transaction to the store; work->finished is called on the module's thread. */
void weir_queues_submit(struct weir_queues *queues, struct weir_queue_work *work);

/* Called when nothing of the module runs any more. */
void weir_queues_free_lines(struct weir_queues *queues);

#endif
