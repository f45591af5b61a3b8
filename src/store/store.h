/*
 * The store: current state of everything, and the thread that changes it.
 *
 * State is a set of keyspaces, each an ordered map of bytes to bytes named by a
 * 32-bit number that is never used twice. Every entry carries the position and
 * the commit time of the change that wrote it. Readers on any thread see what
 * has been committed; nothing uncommitted is ever visible.
 *
 * All changes go through transactions. A transaction is built by any thread, is
 * handed to the commit thread with weir_store_submit, and is then evaluated there
 * against the state plus what is pending in the same group:
 *   1. its read set: each key that the builder looked at must still be as seen,
 *      else the transaction is refused with WEIR_E_CONFLICT and changes nothing;
 *   2. its prepared changes;
 *   3. its operations: callbacks that read the state of that very moment and add
 *      changes (a conditional write, a counter). They may run more than once before
 *      the commit, so they only compute.
 * The group is appended to the commit log, synced, applied and published; then
 * each transaction's `done` runs on the commit thread, in commit order, also for those that
 * were refused because of what the group had pending.
 *
 * Life of a transaction: create -> (read, put, delete, add) -> submit -> done ->
 * destroy. After submit it belongs to the store until done is called, and then
 * to whoever done belongs to.
 *
 * The keyspaces live in RocksDB without its write-ahead log: what it has not
 * flushed is replayed from the commit log at the next start. Only this folder
 * knows that.
 */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/str.h"
#include "log/log.h"

struct weir_store;
struct weir_txn;
struct weir_view;

/* Keyspaces with fixed numbers; the catalogue gives out the rest. Part of the format. */
enum weir_space {
    WEIR_SPACE_STORE = 0,     /* the store's own: applied position */
    WEIR_SPACE_CATALOGUE = 1, /* catalogue.h: definitions, and their keyspaces */
    WEIR_SPACE_POSITION = 2,  /* pipeline/: how far each lane has come */
    WEIR_SPACE_STATE = 3,     /* state/: keyed state */
    WEIR_SPACE_TIMER = 4,     /* timer/: durable timers */
    WEIR_SPACE_INTENT = 5,    /* outbox/: what is to be done outside */
    WEIR_SPACE_RETRY = 6,     /* pipeline/: batches whose target failed */
    WEIR_SPACE_SCHEDULE = 7,  /* schedule/: schedules and their groups */
    WEIR_SPACE_DEFERRED = 8,  /* pipeline/: events that go on later */
    WEIR_SPACE_PARKED = 9,    /* pipeline/: records that wait for a failed one */
    WEIR_SPACE_GAP = 16,      /* pipeline/: what was lost with the log before it was read */
    WEIR_SPACE_JOB = 17,     /* pipeline/: rebuilds, replays, and the rule that views are made by */
    WEIR_SPACE_REPLAY = 18,  /* pipeline/: how far each lane has come with a replay */
    WEIR_SPACE_WINDOW = 19,  /* pipeline/: windows that are open */
    WEIR_SPACE_LETTER = 20,  /* pipeline/: letters of files that are dealt with */
    WEIR_SPACE_MAPPING = 24, /* mapping/: event source mappings */
    WEIR_SPACE_FIRST_FREE = 1024,
};

struct weir_store_options {
    const char *dir;    /* the data folder; made if missing. NULL: everything in memory */
    struct weir_fs *fs; /* for the log; NULL: the machine's, or memory when dir is NULL */
    const struct weir_clock *clock;
    struct weir_metrics *metrics;
    uint64_t memory_bytes;  /* budget of caches and memtables; 0: 256 MiB */
    uint32_t segment_bytes; /* of the log; 0: the default */
    uint64_t retention_ms;  /* how long stream records are kept; 0: 24 hours */
    uint64_t log_max_bytes; /* bound of the log whatever holds it; 0: half of the disk's free space
                             */
    bool discard_state;     /* tests: forget the keyspaces and replay the whole log */
    bool stepped;           /* no threads of its own: the commit thread is who calls
                               weir_store_step, so that a run repeats itself exactly */
};

/*
 * Open the data folder: lock, format, log, state; replay what the state has not
 * flushed; start the commit thread.
 *
 * Errors: WEIR_E_LOCKED (another weir runs on it; nothing was touched),
 * WEIR_E_FORMAT (made by a newer weir; says which), WEIR_E_DAMAGED (also when log and state do
 * not belong together), WEIR_E_IO, WEIR_E_READ_ONLY (disk full).
 */
WEIR_MUST_CHECK enum weir_rc weir_store_open(const struct weir_store_options *options,
        struct weir_store **ret_store, struct weir_err *err);

/*
 * Finish what was submitted and stop the commit thread: after this no done and no watch is
 * called any more, and transactions are refused with WEIR_E_CLOSED. Reading goes on.
 */
void weir_store_stop(struct weir_store *store);

/* Stop if that was not done, flush, free. NULL is fine. */
void weir_store_close(struct weir_store *store);

/* The log below, for readers of streams. */
struct weir_log *weir_store_log(struct weir_store *store);

/* The clock the store was opened with. */
const struct weir_clock *weir_store_clock(const struct weir_store *store);

/* --- reading: any thread ---------------------------------------------------- */

/* What stands at a key. pos 0: nothing does. */
struct weir_entry {
    struct weir_pos pos;   /* of the change that wrote it */
    struct weir_time time; /* commit time of that change */
    struct weir_str value;
};

/* Read one key; the value is copied into the arena. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_store_get(struct weir_store *store, uint32_t space,
        struct weir_str key, struct weir_arena *arena, struct weir_entry *ret_entry,
        struct weir_err *err);

/*
 * A cursor over one keyspace, on the state of the moment it was opened. One thread;
 * must be gone before the store is closed.
 */
struct weir_cursor;

struct weir_cursor *weir_cursor_create(struct weir_store *store, uint32_t space);
void weir_cursor_destroy(struct weir_cursor *cursor);

/* Stand at the first key >= key. */
void weir_cursor_seek(struct weir_cursor *cursor, struct weir_str key);

/* Stand at the last key <= key, or < key. */
void weir_cursor_seek_back(struct weir_cursor *cursor, struct weir_str key, bool inclusive);

/* Stand at the first or last key of the keyspace. */
void weir_cursor_first(struct weir_cursor *cursor);
void weir_cursor_last(struct weir_cursor *cursor);

/*
 * What the cursor stands at; *ret_have is false past either end. Borrowed until the
 * cursor moves. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_cursor_get(struct weir_cursor *cursor, struct weir_str *ret_key,
        struct weir_entry *ret_entry, bool *ret_have, struct weir_err *err);

void weir_cursor_next(struct weir_cursor *cursor);
void weir_cursor_previous(struct weir_cursor *cursor);

/*
 * Call each for every entry whose key begins with the prefix, in the order of keys, on the state of
 * the moment. Key and entry are borrowed for the call. Errors: WEIR_E_IO, WEIR_E_DAMAGED, and what
 * each fails with, which ends it.
 */
WEIR_MUST_CHECK enum weir_rc weir_store_each(struct weir_store *store, uint32_t space,
        struct weir_str prefix,
        enum weir_rc (*each)(void *arg, struct weir_str key, const struct weir_entry *entry,
                struct weir_err *err),
        void *arg, struct weir_err *err);

/* --- transactions ------------------------------------------------------------ */

/* An operation, evaluated on the commit thread. Embed it in a struct of the arena of its txn. */
struct weir_op {
    /*
     * Read through the view and add changes to it. May be called several times; only the
     * last call counts. An error refuses the whole transaction with it.
     */
    enum weir_rc (*run)(struct weir_op *op, struct weir_view *view, struct weir_err *err);
    struct weir_op *next; /* private */
};

struct weir_txn {
    struct weir_arena arena; /* everything the transaction needs until it is destroyed */
    /*
     * Required: called once when the outcome is known, on the commit thread; inside submit
     * when it is refused there (WEIR_E_BUSY, WEIR_E_CLOSED).
     */
    void (*done)(struct weir_txn *txn);
    void *arg;
    bool lane;    /* a pipeline's: waits behind clients, and is not refused for queue length */
    bool urgent;  /* may use the room kept for a full disk: deletes, checkpoints */
    bool patient; /* a client's that nobody waits for: it keeps its place in the order, and is
                     committed with the next one that is not patient, or by weir_store_hurry */

    /* The outcome, valid from done on. */
    enum weir_rc rc;
    struct weir_err err;
    struct weir_time time; /* commit time */
    struct weir_pos first; /* position of its first change; 0 when it changed nothing */

    /* private */
    struct weir_pos snapshot; /* published end when its first read was made */
    bool has_snapshot;
    struct weir_txn_read *reads;
    struct weir_change *changes;
    size_t change_count;
    size_t change_capacity;
    size_t prepared_count; /* changes that were there at submission; the rest are operations' */
    size_t prepared_bytes;
    struct weir_op *ops;
    struct weir_op **last_op;
    size_t bytes; /* of keys and values */
    struct weir_txn *next;
};

/* Make an empty transaction. The caller sets done. */
struct weir_txn *weir_txn_create(void);
void weir_txn_destroy(struct weir_txn *txn);
WEIR_AUTO_DEFINE(weir_txn);

/*
 * Read a key and put what was seen into the read set, absence included. The value is
 * in the transaction's arena. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_txn_get(struct weir_txn *txn, struct weir_store *store,
        uint32_t space, struct weir_str key, struct weir_entry *ret_entry, struct weir_err *err);

/*
 * Add a prepared change. Its strings are borrowed until the transaction is done: they
 * usually live in its arena.
 */
void weir_txn_add(struct weir_txn *txn, const struct weir_change *change);

/* Add a PUT or DELETE; strings as for weir_txn_add. */
void weir_txn_put(struct weir_txn *txn, uint32_t space, struct weir_str key, struct weir_str value);
void weir_txn_delete(struct weir_txn *txn, uint32_t space, struct weir_str key);

/* Add a DELETE for every key that begins so and is there now. Errors: as weir_store_each. */
WEIR_MUST_CHECK enum weir_rc weir_txn_delete_all(struct weir_txn *txn, struct weir_store *store,
        uint32_t space, struct weir_str prefix, struct weir_err *err);

/* Add an operation; they run in order, after the prepared changes. */
void weir_txn_op(struct weir_txn *txn, struct weir_op *op);

/*
 * Hand the transaction to the commit thread; done will be called, whatever the
 * outcome. Without changes and operations it is a check of its read set.
 * Any thread. Outcomes in txn->rc: WEIR_OK, WEIR_E_CONFLICT, an operation's error,
 * WEIR_E_BUSY (the queue is full), WEIR_E_TOO_LARGE, WEIR_E_READ_ONLY,
 * WEIR_E_UNKNOWN_OUTCOME, WEIR_E_CLOSED.
 */
void weir_store_submit(struct weir_store *store, struct weir_txn *txn);

/* Have patient transactions that were submitted before committed now. Any thread. */
void weir_store_hurry(struct weir_store *store);

/*
 * Of a stepped store: commit what was submitted so far, as one group where it fits, and call
 * what the commit thread would call. False: nothing was submitted. One thread, which is also the
 * only one that submits; not inside done, wake or an operation.
 */
bool weir_store_step(struct weir_store *store);

/* Submit and wait for the outcome; for start-up, tools and tests, never on a loop. Errors: as
 * submit. */
WEIR_MUST_CHECK enum weir_rc weir_store_commit(
        struct weir_store *store, struct weir_txn *txn, struct weir_err *err);

/* --- inside an operation ------------------------------------------------------ */

/*
 * What stands at a key now: the state, the group's pending changes and the
 * transaction's own. Borrowed until the operation returns. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_view_get(struct weir_view *view, uint32_t space,
        struct weir_str key, struct weir_entry *ret_entry, struct weir_err *err);

/* Add a change. Strings must live until the transaction is done (weir_view_arena). */
void weir_view_add(struct weir_view *view, const struct weir_change *change);
void weir_view_put(
        struct weir_view *view, uint32_t space, struct weir_str key, struct weir_str value);
void weir_view_delete(struct weir_view *view, uint32_t space, struct weir_str key);

/* Bytes of keys and values that the transaction changes so far. */
size_t weir_view_bytes(const struct weir_view *view);

/* Memory that lives until the transaction is destroyed. */
struct weir_arena *weir_view_arena(struct weir_view *view);

/* The commit time that the group will have. */
struct weir_time weir_view_time(const struct weir_view *view);

/* --- following ------------------------------------------------------------------ */

/*
 * Wakes someone when a keyspace has changed; WEIR_SPACE_STORE: when the log has begun another
 * segment, so that holds had better move on. Owned by the watcher.
 */
struct weir_watch {
    uint32_t space;
    /*
     * Optional. Called before wake, as wake is, with each key that was put; an empty key says that
     * any may have been. The key is borrowed for the call.
     */
    void (*put)(struct weir_watch *watch, struct weir_str key);
    /* Called on the commit thread after publication; must not block. */
    void (*wake)(struct weir_watch *watch);
    struct weir_watch *next; /* private */
};

/* Start and end watching. Any thread; after unwatch returns, wake is not called any more. */
void weir_store_watch(struct weir_store *store, struct weir_watch *watch);
void weir_store_unwatch(struct weir_store *store, struct weir_watch *watch);

/* A reader's claim on the log: nothing past `pos` is trimmed, up to log_max_bytes. */
struct weir_hold {
    struct weir_pos pos;    /* change with weir_store_hold_move */
    struct weir_hold *next; /* private */
};
void weir_store_hold(struct weir_store *store, struct weir_hold *hold);
void weir_store_hold_move(struct weir_store *store, struct weir_hold *hold, struct weir_pos pos);
void weir_store_unhold(struct weir_store *store, struct weir_hold *hold);

/* What may still be committed before a position is lost. */
struct weir_room {
    uint64_t bound_bytes; /* log_max_bytes, or what was taken instead; UINT64_MAX: none */
    uint64_t bytes;       /* at the least, until the log must let go of the position */
};

/* The room behind a position that is held. Any thread. Cost: O(segments of the log). */
struct weir_room weir_store_room(struct weir_store *store, struct weir_pos pos);

/* Whether writes are refused now, and why. Any thread. */
bool weir_store_is_read_only(struct weir_store *store, struct weir_err *ret_why);

#endif
