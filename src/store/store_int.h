/* What the files of store/ share: the keyspaces over RocksDB, the pending group, the queue. */
#ifndef WEIR_STORE_STORE_INT_H
#define WEIR_STORE_STORE_INT_H

#include <pthread.h>

#include "base/lock.h"
#include "store/store.h"

/* --- folder.c: LOCK and FORMAT -------------------------------------------- */

/*
 * Take the data folder: make it, lock it, and check or write its format.
 * Errors: WEIR_E_LOCKED, WEIR_E_FORMAT, WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_folder_take(
        struct weir_fs *fs, const char *dir, struct weir_file **ret_lock, struct weir_err *err);

/* --- keyspace.c: RocksDB ---------------------------------------------------- */

struct weir_keyspaces;

/* Open or make; dir NULL keeps everything in memory. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_keyspaces_open(const char *dir, uint64_t memory_bytes,
        struct weir_keyspaces **ret_spaces, struct weir_err *err);
/* Flushes what is in memory, so that the next start has nothing to replay. */
void weir_keyspaces_close(struct weir_keyspaces *spaces);

/* Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_keyspaces_get(struct weir_keyspaces *spaces, uint32_t space,
        struct weir_str key, struct weir_arena *arena, struct weir_entry *ret_entry,
        struct weir_err *err);

/* Add a change to the batch that the next apply writes. */
void weir_keyspaces_add(
        struct weir_keyspaces *spaces, const struct weir_change *change, struct weir_time time);

/*
 * Write the batch and the position up to which the log is applied, atomically. On
 * failure the batch is kept, and may be applied again. Errors: WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_keyspaces_apply(
        struct weir_keyspaces *spaces, struct weir_pos applied, struct weir_err *err);

/* The applied position; persisted: only what would survive losing memory. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_keyspaces_applied(struct weir_keyspaces *spaces, bool persisted,
        struct weir_pos *ret_pos, struct weir_err *err);

/* Begin to write memory to disk; does not wait. */
void weir_keyspaces_flush(struct weir_keyspaces *spaces);

struct weir_cursor *weir_keyspaces_cursor(struct weir_keyspaces *spaces, uint32_t space);

/* --- pending.c: the changes of the group being built -------------------------- */

struct weir_pending_entry {
    uint64_t hash;
    const struct weir_txn *txn; /* the change is txn->changes[index], wherever that array moves */
    uint32_t index;
    uint32_t older; /* entry + 1 of an earlier change of the same key; 0: none */
};

struct weir_pending {
    uint32_t *slots; /* entry + 1; 0: free */
    size_t slot_count;
    struct weir_pending_entry *entries;
    size_t count;
    size_t capacity;
    const struct weir_change **sorted; /* what weir_pending_sort gives */
    size_t sorted_capacity;
};

void weir_pending_init(struct weir_pending *pending);
void weir_pending_fini(struct weir_pending *pending);

/* Add a change of a transaction, which must live until it is cut off. */
void weir_pending_add(struct weir_pending *pending, const struct weir_txn *txn, size_t index);

/* The latest change of a key, or NULL. */
const struct weir_change *weir_pending_find(
        const struct weir_pending *pending, uint32_t space, struct weir_str key, uint64_t hash);

/*
 * The latest change of each key in key order, changes of kind DROP at the end. The list is the
 * pending group's, valid until the next call.
 */
size_t weir_pending_sort(
        struct weir_pending *pending, const struct weir_change *const **ret_changes);

/* Forget the entries from index `count` on. */
void weir_pending_cut(struct weir_pending *pending, size_t count);

/* The hash that the calls above want. */
uint64_t weir_pending_hash(uint32_t space, struct weir_str key);

/* --- the store ------------------------------------------------------------------ */

struct weir_queue {
    struct weir_txn *first;
    struct weir_txn **last;
    size_t bytes;
    size_t impatient; /* of them */
};

struct weir_commit;

struct weir_store {
    const struct weir_clock *clock;
    struct weir_fs *memory_fs; /* owned; NULL when on disk */
    struct weir_file *lock;    /* owned; NULL when in memory */
    struct weir_log *log;
    struct weir_keyspaces *spaces;
    struct weir_commit *commit;
    bool stepped;

    struct weir_mutex follow_mutex; /* guards the two lists */
    struct weir_watch *watches;
    struct weir_hold *holds;
    uint64_t retention_ms;
    uint64_t log_max_bytes;
    struct weir_clock_guard guard; /* the commit thread's, for retention */
};

/* commit.c: start and stop the commit thread, which a stepped store has not; stop finishes what
 * was submitted, once. */
struct weir_commit *weir_commit_start(struct weir_store *store, struct weir_metrics *metrics);
void weir_commit_stop(struct weir_commit *commit);
void weir_commit_destroy(struct weir_commit *commit);
void weir_commit_hurry(struct weir_commit *commit);
void weir_commit_submit(struct weir_commit *commit, struct weir_txn *txn);
/* Do what the thread does with what was submitted so far. False: nothing was. */
bool weir_commit_step(struct weir_commit *commit);
bool weir_commit_is_read_only(struct weir_commit *commit, struct weir_err *ret_why);

/* store.c: wake whoever watches one of the keyspaces; count 0 means all. */
void weir_store_wake(struct weir_store *store, const uint32_t *spaces, size_t count);
/* Tell those who want to know what was put. NULL: it is not known. */
void weir_store_tell(struct weir_store *store, const struct weir_pending *pending);

/* store.c: let go of segments that nothing needs. Commit thread. */
void weir_store_trim(struct weir_store *store, struct weir_time now);

#endif
