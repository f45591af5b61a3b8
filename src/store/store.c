/* Opening and closing, replay, watches, holds and trimming. */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/mem.h"
#include "store/store_int.h"

enum {
    PATH_BYTES = 4096,
    MEMORY_SEGMENT_BYTES = 16 * 1024 * 1024, /* a transaction is a quarter of one at most */
    REPLAY_BATCH = 1000,
};

static const uint64_t default_memory_bytes = 256ull << 20;
static const uint64_t default_retention_ms = 24ull * 3600 * 1000;

/* --- opening --------------------------------------------------------------------- */

/* Apply to the keyspaces what the log has and they have not. */
static enum weir_rc replay(struct weir_store *store, bool discarded, struct weir_err *err)
{
    struct weir_pos applied;
    enum weir_rc rc = weir_keyspaces_applied(store->spaces, false, &applied, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (applied.seq > weir_log_end(store->log).seq) {
        return weir_fail(err, WEIR_E_DAMAGED,
                "the state has what the commit log has not: segments of the log are missing");
    }
    struct weir_log_filter everything = { .everything = true };
    struct weir_log_reader *reader = weir_log_reader_create(store->log, everything, applied);
    size_t batch = 0;
    for (;;) {
        struct weir_change change;
        struct weir_time time;
        bool have = false;
        rc = weir_log_next(reader, &change, &time, &have, err);
        if (rc == WEIR_E_TRIMMED && discarded) {
            continue; /* it was asked for: replay what there is */
        }
        if (rc == WEIR_E_TRIMMED) {
            rc = weir_fail(err, WEIR_E_DAMAGED,
                    "it begins after what the state needs: the state, or an older segment, is "
                    "missing");
        }
        if (rc != WEIR_OK || !have) {
            break;
        }
        weir_keyspaces_add(store->spaces, &change, time);
        applied = change.pos;
        if (++batch % REPLAY_BATCH == 0) {
            weir_crash_point("recover.replaying");
            rc = weir_keyspaces_apply(store->spaces, applied, err);
            if (rc != WEIR_OK) {
                break;
            }
        }
    }
    weir_log_reader_destroy(reader);
    weir_crash_point("recover.replayed");
    if (rc == WEIR_OK && batch % REPLAY_BATCH != 0) {
        rc = weir_keyspaces_apply(store->spaces, applied, err);
    }
    return rc == WEIR_OK ? rc : weir_fail_in(err, rc, "replaying the commit log: ");
}

static enum weir_rc open_log(struct weir_store *store, const struct weir_store_options *options,
        struct weir_fs *fs, struct weir_err *err)
{
    char dir[PATH_BYTES];
    bool memory = options->dir == NULL;
    snprintf(dir, sizeof(dir), "%s/log", memory ? "" : options->dir);
    struct weir_log_options log_options = {
        .fs = fs,
        .dir = dir,
        .clock = options->clock,
        .metrics = options->metrics,
        .segment_bytes = options->segment_bytes != 0 || !memory ? options->segment_bytes
                                                                : MEMORY_SEGMENT_BYTES,
        .ballast = !memory,
        .no_thread = options->stepped,
    };
    return weir_log_open(&log_options, &store->log, err);
}

static void set_log_bound(
        struct weir_store *store, const struct weir_store_options *options, struct weir_fs *fs)
{
    store->log_max_bytes = options->log_max_bytes;
    uint64_t free_bytes = 0;
    uint64_t total = 0;
    if (store->log_max_bytes == 0) {
        enum weir_rc rc = fs->ops->space(
                fs, options->dir != NULL ? options->dir : "", &free_bytes, &total, NULL);
        /* A disk that does not tell its size gives no bound; writes then fail when it is full. */
        store->log_max_bytes = rc == WEIR_OK ? free_bytes / 2 : UINT64_MAX;
    }
}

static enum weir_rc open_parts(struct weir_store *store, const struct weir_store_options *options,
        struct weir_fs *fs, struct weir_err *err)
{
    if (options->dir != NULL) {
        enum weir_rc rc = weir_folder_take(fs, options->dir, &store->lock, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    enum weir_rc rc = open_log(store, options, fs, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    char dir[PATH_BYTES];
    snprintf(dir, sizeof(dir), "%s/state", options->dir != NULL ? options->dir : "");
    uint64_t memory = options->memory_bytes != 0 ? options->memory_bytes : default_memory_bytes;
    bool in_memory = options->dir == NULL || options->discard_state;
    rc = weir_keyspaces_open(in_memory ? NULL : dir, memory, &store->spaces, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    return replay(store, options->discard_state, err);
}

enum weir_rc weir_store_open(const struct weir_store_options *options,
        struct weir_store **ret_store, struct weir_err *err)
{
    struct weir_store *store = weir_alloc_zero(1, sizeof(*store));
    store->clock = options->clock;
    store->stepped = options->stepped;
    store->retention_ms = options->retention_ms != 0 ? options->retention_ms : default_retention_ms;
    weir_mutex_init(&store->follow_mutex, WEIR_LOCK_FOLLOW);
    struct weir_fs *fs = options->fs;
    if (fs == NULL && options->dir == NULL) {
        store->memory_fs = weir_fs_memory_create();
        fs = store->memory_fs;
    } else if (fs == NULL) {
        fs = weir_fs_system();
    }
    enum weir_rc rc = open_parts(store, options, fs, err);
    if (rc != WEIR_OK) {
        weir_store_close(store);
        return rc;
    }
    set_log_bound(store, options, fs);
    weir_clock_guard_init(&store->guard, store->clock);
    store->commit = weir_commit_start(store, options->metrics);
    *ret_store = store;
    return WEIR_OK;
}

void weir_store_stop(struct weir_store *store)
{
    if (store->commit != NULL) {
        weir_commit_stop(store->commit);
    }
}

void weir_store_close(struct weir_store *store)
{
    if (store == NULL) {
        return;
    }
    weir_store_stop(store);
    weir_crash_point("stop.committed");
    weir_commit_destroy(store->commit);
    weir_keyspaces_close(store->spaces);
    weir_crash_point("stop.flushed");
    weir_log_close(store->log);
    weir_file_destroy(store->lock);
    weir_fs_destroy(store->memory_fs);
    weir_mutex_fini(&store->follow_mutex);
    weir_free(store);
}

struct weir_log *weir_store_log(struct weir_store *store)
{
    return store->log;
}

const struct weir_clock *weir_store_clock(const struct weir_store *store)
{
    return store->clock;
}

/* --- reading and submitting ----------------------------------------------------------- */

enum weir_rc weir_store_get(struct weir_store *store, uint32_t space, struct weir_str key,
        struct weir_arena *arena, struct weir_entry *ret_entry, struct weir_err *err)
{
    return weir_keyspaces_get(store->spaces, space, key, arena, ret_entry, err);
}

struct weir_cursor *weir_cursor_create(struct weir_store *store, uint32_t space)
{
    return weir_keyspaces_cursor(store->spaces, space);
}

void weir_store_submit(struct weir_store *store, struct weir_txn *txn)
{
    weir_commit_submit(store->commit, txn);
}

void weir_store_hurry(struct weir_store *store)
{
    weir_commit_hurry(store->commit);
}

bool weir_store_step(struct weir_store *store)
{
    return weir_commit_step(store->commit);
}

struct waiter {
    struct weir_mutex mutex;
    struct weir_condition ready;
    bool done;
};

static void wake_waiter(struct weir_txn *txn)
{
    struct waiter *waiter = txn->arg;
    weir_mutex_lock(&waiter->mutex);
    waiter->done = true;
    weir_condition_signal(&waiter->ready);
    weir_mutex_unlock(&waiter->mutex);
}

enum weir_rc weir_store_commit(struct weir_store *store, struct weir_txn *txn, struct weir_err *err)
{
    struct waiter waiter = { .done = false };
    weir_mutex_init(&waiter.mutex, WEIR_LOCK_WAIT);
    weir_condition_init(&waiter.ready);
    txn->done = wake_waiter;
    txn->arg = &waiter;
    weir_store_submit(store, txn);
    if (store->stepped) {
        weir_store_step(store);
    }
    weir_mutex_lock(&waiter.mutex);
    while (!waiter.done) {
        weir_condition_wait(&waiter.ready, &waiter.mutex);
    }
    weir_mutex_unlock(&waiter.mutex);
    weir_condition_fini(&waiter.ready);
    weir_mutex_fini(&waiter.mutex);
    if (txn->rc != WEIR_OK && err != NULL) {
        *err = txn->err;
    }
    return txn->rc;
}

bool weir_store_is_read_only(struct weir_store *store, struct weir_err *ret_why)
{
    return weir_commit_is_read_only(store->commit, ret_why) ||
           weir_log_is_read_only(store->log, ret_why);
}

/* --- following ------------------------------------------------------------------------- */

void weir_store_watch(struct weir_store *store, struct weir_watch *watch)
{
    weir_mutex_lock(&store->follow_mutex);
    watch->next = store->watches;
    store->watches = watch;
    weir_mutex_unlock(&store->follow_mutex);
}

void weir_store_unwatch(struct weir_store *store, struct weir_watch *watch)
{
    weir_mutex_lock(&store->follow_mutex);
    for (struct weir_watch **at = &store->watches; *at != NULL; at = &(*at)->next) {
        if (*at == watch) {
            *at = watch->next;
            break;
        }
    }
    weir_mutex_unlock(&store->follow_mutex);
}

static bool listed(uint32_t space, const uint32_t *spaces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (spaces[i] == space) {
            return true;
        }
    }
    return count == 0;
}

static void tell_put(struct weir_watch *watch, const struct weir_pending *pending)
{
    for (size_t i = 0; i < pending->count; i++) {
        const struct weir_pending_entry *entry = &pending->entries[i];
        const struct weir_change *change = &entry->txn->changes[entry->index];
        if (change->space == watch->space && change->kind == WEIR_CHANGE_PUT) {
            watch->put(watch, change->key);
        }
    }
}

void weir_store_tell(struct weir_store *store, const struct weir_pending *pending)
{
    weir_mutex_lock(&store->follow_mutex);
    for (struct weir_watch *watch = store->watches; watch != NULL; watch = watch->next) {
        if (watch->put != NULL && pending != NULL) {
            tell_put(watch, pending);
        } else if (watch->put != NULL) {
            watch->put(watch, WEIR_STR(""));
        }
    }
    weir_mutex_unlock(&store->follow_mutex);
}

void weir_store_wake(struct weir_store *store, const uint32_t *spaces, size_t count)
{
    weir_mutex_lock(&store->follow_mutex);
    for (struct weir_watch *watch = store->watches; watch != NULL; watch = watch->next) {
        if (listed(watch->space, spaces, count)) {
            watch->wake(watch);
        }
    }
    weir_mutex_unlock(&store->follow_mutex);
}

void weir_store_hold(struct weir_store *store, struct weir_hold *hold)
{
    weir_mutex_lock(&store->follow_mutex);
    hold->next = store->holds;
    store->holds = hold;
    weir_mutex_unlock(&store->follow_mutex);
}

void weir_store_hold_move(struct weir_store *store, struct weir_hold *hold, struct weir_pos pos)
{
    weir_mutex_lock(&store->follow_mutex);
    hold->pos = pos;
    weir_mutex_unlock(&store->follow_mutex);
}

void weir_store_unhold(struct weir_store *store, struct weir_hold *hold)
{
    weir_mutex_lock(&store->follow_mutex);
    for (struct weir_hold **at = &store->holds; *at != NULL; at = &(*at)->next) {
        if (*at == hold) {
            *at = hold->next;
            break;
        }
    }
    weir_mutex_unlock(&store->follow_mutex);
}

static struct weir_pos held(struct weir_store *store, struct weir_pos upto)
{
    weir_mutex_lock(&store->follow_mutex);
    for (const struct weir_hold *hold = store->holds; hold != NULL; hold = hold->next) {
        upto = hold->pos.seq < upto.seq ? hold->pos : upto;
    }
    weir_mutex_unlock(&store->follow_mutex);
    return upto;
}

struct weir_room weir_store_room(struct weir_store *store, struct weir_pos pos)
{
    uint64_t bound = store->log_max_bytes;
    return (struct weir_room){ bound, weir_log_room(store->log, pos, bound) };
}

/* Let go of the oldest segments, one by one, until the log is within its bound. */
static void trim_to_bound(struct weir_store *store, struct weir_pos flushed)
{
    const struct weir_time any_time = { INT64_MAX };
    while (weir_log_held_bytes(store->log) > store->log_max_bytes) {
        uint64_t oldest = weir_log_oldest(store->log).seq;
        struct weir_pos upto = { (oldest / WEIR_LOG_SEGMENT_BYTES + 1) * WEIR_LOG_SEGMENT_BYTES };
        if (upto.seq > flushed.seq || weir_log_trim(store->log, upto, any_time, NULL) != WEIR_OK ||
                weir_log_oldest(store->log).seq == oldest) {
            return;
        }
    }
}

/*
 * Called when the log has begun a new segment. Only what the state has flushed may go;
 * within the log's bound, only what is past retention and what no pipeline holds.
 */
void weir_store_trim(struct weir_store *store, struct weir_time now)
{
    struct weir_err err;
    struct weir_pos flushed;
    if (weir_keyspaces_applied(store->spaces, true, &flushed, &err) != WEIR_OK) {
        return; /* tried again at the next segment; the bound below is what must not be missed */
    }
    if (weir_log_end(store->log).seq - flushed.seq > 2ull * WEIR_LOG_SEGMENT_BYTES) {
        weir_keyspaces_flush(store->spaces);
    }
    if (weir_clock_guard_trusts(&store->guard)) { /* else what looks old may not be */
        struct weir_time older_than = { now.ms - (int64_t)store->retention_ms };
        enum weir_rc rc = weir_log_trim(store->log, held(store, flushed), older_than, &err);
        (void)rc; /* a segment that cannot be removed now is tried again at the next one */
    }
    trim_to_bound(store, flushed);
}
