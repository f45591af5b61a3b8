/* What the files of outbox share. */
#ifndef WEIR_OUTBOX_OUTBOX_INT_H
#define WEIR_OUTBOX_OUTBOX_INT_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "base/random.h"
#include "outbox/outbox.h"

#define HASH_FUNCTION(key, size, result) ((result) = (unsigned)weir_hash64(0, (key), (size)))
#include <uthash.h>

/* --- what is stored (intent.c; the bytes are in docs/FORMATS.md) ------------------------------ */

/* A lane's name: kind and target, as they stand in keys. */
struct weir_str weir_intent_lane(
        struct weir_arena *arena, enum weir_intent_kind kind, struct weir_str target);

/* Take a lane's name apart. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_intent_lane_parse(struct weir_str lane,
        enum weir_intent_kind *ret_kind, struct weir_str *ret_target, struct weir_err *err);

enum weir_intent_part {
    WEIR_INTENT_LANES = 'l', /* the lane's numbers */
    WEIR_INTENT_HEAD = 'h',
    WEIR_INTENT_PAYLOAD = 'p',
};

/* The key of a part of an intent, or of a lane's numbers (without sequence). */
struct weir_str weir_intent_key(struct weir_arena *arena, enum weir_intent_part part,
        struct weir_str lane, const uint64_t *sequence);

/* The sequence number of a key of that part and lane; 0: it is another one's. */
uint64_t weir_intent_key_sequence(
        struct weir_str key, enum weir_intent_part part, struct weir_str lane);

/* A lane's numbers. */
struct weir_intent_numbers {
    uint64_t pending;
    uint64_t first; /* no intent has a lower sequence number */
};

/* Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_intent_numbers_read(
        struct weir_str value, struct weir_intent_numbers *ret_numbers, struct weir_err *err);

/* An intent without its payload, and what came of it so far. */
struct weir_intent_head {
    struct weir_intent_retry retry;
    struct weir_time created;
    struct weir_time due; /* of the next attempt; 0: at once */
    uint64_t pause_ms;    /* the pause that due was made with: it is never waited longer */
    uint64_t attempts;    /* that failed and were not blocked */
    uint8_t hops;
    struct weir_str order;
    struct weir_str id;
    struct weir_str dead_letter;
    struct weir_str causation;
    struct weir_str error; /* of the last attempt */
};

struct weir_str weir_intent_head_write(
        struct weir_arena *arena, const struct weir_intent_head *head);

/* Strings are views into value. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_intent_head_read(
        struct weir_str value, struct weir_intent_head *ret_head, struct weir_err *err);

/*
 * Add an operation that removes an intent, for a transaction that has read its head. lowest: no
 * other intent of the lane has a lower sequence number.
 */
void weir_intent_remove(
        struct weir_txn *txn, struct weir_str lane, uint64_t sequence, uint64_t lowest);

/* --- lanes in memory (lane.c) -------------------------------------------------------------------
 */

enum weir_outbox_entry_state {
    WEIR_OUTBOX_WAITING, /* for its time, or its turn */
    WEIR_OUTBOX_RUNNING,
    WEIR_OUTBOX_SETTLING, /* what came of it is being stored, or is to be */
};

/* What is to be stored about an intent that is settling. */
enum weir_outbox_settle {
    WEIR_SETTLE_REMOVE,
    WEIR_SETTLE_RETRY,
    WEIR_SETTLE_GIVE_UP,
};

struct weir_outbox_lane;

/* The entries of one order key, in the order of sequence. Only the first may run. */
struct weir_outbox_order {
    struct weir_outbox_entry *first;
    struct weir_outbox_entry *last;
    size_t count;
    uint64_t skipped; /* the first intent that is not in the window; UINT64_MAX: none */
    UT_hash_handle hh;
    size_t n;
    char key[];
};

/* Deliveries that began together. */
struct weir_outbox_batch {
    struct weir_outbox_lane *lane;
    size_t running;
};

/* An intent of a lane's window. */
struct weir_outbox_entry {
    struct weir_delivery delivery;
    struct weir_outbox_lane *lane;
    uint64_t sequence;
    struct weir_intent_head head; /* strings are the entry's */
    struct weir_arena arena;      /* of them */
    struct weir_arena running;    /* of the payload */
    enum weir_outbox_entry_state state;
    uint64_t due_ns; /* monotonic; 0: now */

    struct weir_outbox_order *order; /* NULL: none */
    struct weir_outbox_entry *order_next;
    struct weir_outbox_entry *next; /* of the window, in the order of sequence */
    struct weir_outbox_entry *previous;
    UT_hash_handle hh; /* of by_number */

    /* The outcome of a delivery, from weir_delivery_done on. */
    struct weir_outbox_batch *batch;
    enum weir_failure_class failure;
    struct weir_err err;
    uint64_t retry_after_ms;
    struct weir_outbox_entry *ended_next;

    /* Settling. */
    enum weir_outbox_settle settle;
    bool too_old;
    uint64_t settle_ns;   /* not before */
    struct weir_txn *txn; /* under way; NULL: none */
    const void *held;     /* the host's, while a transaction gives the intent up */
    struct weir_outbox_entry *settled_next;
};

/* Metrics of a lane; they outlive it. */
struct weir_outbox_series;

struct weir_outbox_lane {
    struct weir_outbox *outbox;
    struct weir_str name; /* as in keys */
    enum weir_intent_kind kind;
    struct weir_str target;
    struct weir_outbox_series *series;

    /* The window. */
    struct weir_outbox_entry *first;
    struct weir_outbox_entry *last;
    size_t count;
    struct weir_outbox_order *orders;    /* by key */
    struct weir_outbox_entry *by_number; /* by sequence */
    uint64_t read_to;                    /* the store was read up to here */
    size_t passed_over;                  /* intents below that which are not in the window */
    bool more;                           /* there may be intents behind read_to */

    size_t batches;  /* in flight */
    uint64_t due_ns; /* look at the lane then; UINT64_MAX: when something happens */

    /* Blocked. */
    uint64_t refusals; /* in a row; 0: not blocked */
    uint64_t blocked_until_ns;
    struct weir_err why; /* of the last refusal, or of a dead letter that cannot be sent */
    bool stuck;          /* what is given up cannot be given up: why */
    UT_hash_handle hh;
};

/*
 * Read on in the store while there is room in the window; at most so many heads are looked at.
 * False: there is more to look at. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_outbox_lane_fill(
        struct weir_outbox_lane *lane, size_t budget, bool *ret_filled, struct weir_err *err);

/* Take an entry out of the window and free it. */
void weir_outbox_lane_drop(struct weir_outbox_lane *lane, struct weir_outbox_entry *entry);

/* The lowest sequence number that an intent of the lane can have once an entry is gone. */
uint64_t weir_outbox_lane_lowest(
        const struct weir_outbox_lane *lane, const struct weir_outbox_entry *without);

/* Free what is in a lane. */
void weir_outbox_lane_fini(struct weir_outbox_lane *lane);

/* --- settling (settle.c)
 * -------------------------------------------------------------------------- */

/* Look at what came of a delivery that ended. */
void weir_outbox_entry_ended(struct weir_outbox_entry *entry, uint64_t now_ns);

/* Give an intent up. */
void weir_outbox_entry_give_up(struct weir_outbox_entry *entry, bool too_old);

/*
 * Store what came of a settling entry that has no transaction under way. May free the entry.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED; it is to be called again after a while.
 */
WEIR_MUST_CHECK enum weir_rc weir_outbox_entry_settle(
        struct weir_outbox_entry *entry, uint64_t now_ns, struct weir_err *err);

/* A settling entry's transaction has an outcome. May free the entry. */
void weir_outbox_entry_settled(struct weir_outbox_entry *entry, uint64_t now_ns);

/* --- the whole (outbox.c)
 * ---------------------------------------------------------------------------- */

struct weir_outbox_note;

struct weir_outbox {
    struct weir_outbox_options options;
    const struct weir_clock *clock;
    struct weir_clock_guard guard;
    struct weir_random random;
    struct weir_outbox_kind kinds[WEIR_INTENT_KINDS];
    struct weir_watch watch;
    char prefix[17]; /* of ids that are made: random, another one at each start */

    struct weir_outbox_lane *lanes; /* by name */
    size_t under_way;               /* deliveries and transactions */
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct weir_outbox_entry *ended; /* deliveries with an outcome; the module's thread */

    _Atomic uint64_t next_sequence;              /* the commit thread's */
    _Atomic(struct weir_outbox_entry *) settled; /* the commit thread leaves them */
    struct weir_mutex mutex;                     /* guards the two below */
    struct weir_outbox_note *noted; /* lanes that got intents, by name; maybe never committed */
    struct weir_outbox_note *ready; /* to be looked at */

    struct weir_outbox_series *series; /* by lane name */
};

/* Tell the host to log something of a lane, or of an intent. */
void weir_outbox_log(struct weir_outbox_lane *lane, const struct weir_outbox_entry *entry,
        enum weir_outbox_event_kind event, const char *reason);

/* Note that a lane gets an intent. The commit thread, inside an operation. */
void weir_outbox_note(struct weir_outbox *outbox, struct weir_str lane, uint64_t sequence);

/* --- telling (report.c)
 * -------------------------------------------------------------------------------- */

/* The metrics of a lane, made when it has none yet. The kinds are registered by then. */
struct weir_outbox_series *weir_outbox_series_of(const struct weir_outbox_lane *lane);
void weir_outbox_count_delivered(struct weir_outbox_series *series);
void weir_outbox_count_failed(struct weir_outbox_series *series);
void weir_outbox_count_retry(struct weir_outbox_series *series);
void weir_outbox_series_free(struct weir_outbox *outbox);

#endif
