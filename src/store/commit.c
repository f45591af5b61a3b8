/*
 * The commit thread: takes what was submitted, evaluates it into one group, and makes
 * the group true. While a group is being synced the next one gathers in the queue by
 * itself, so groups grow with the load.
 *
 *   submit -> queue -> evaluate (read set, changes, operations) -> log add
 *          -> log sync -> apply to the keyspaces -> publish -> watches -> done
 */
#include <string.h>

#include "base/crash.h"
#include "base/mem.h"
#include "store/store_int.h"
#include "store/txn_int.h"

enum {
    QUEUE_MAX_BYTES = 64 * 1024 * 1024, /* of clients' transactions; then they get BUSY */
    GROUP_MAX_BYTES = 4 * 1024 * 1024,
    GROUP_MAX_TRANSACTIONS = 1024,
    MOVED_SLOTS = 64 * 1024,
    TOUCHED_MAX = 64,
    APPLY_AGAIN_MS = 200,
};

struct weir_commit {
    struct weir_store *store;
    pthread_t thread;

    /* Guarded by mutex. */
    struct weir_mutex mutex;
    struct weir_condition ready;
    struct weir_queue clients;
    struct weir_queue lanes;
    bool sleeping;
    bool hurried; /* also what is patient is to be committed */
    bool stopping;

    /* The commit thread's own. */
    struct weir_pending pending;
    struct weir_txn *group; /* members of the group being built, in order, and who was refused */
    struct weir_txn **group_last;
    size_t group_count;        /* of members */
    struct weir_time time;     /* of the group being built */
    struct weir_arena scratch; /* values read during one evaluation */
    uint32_t touched[TOUCHED_MAX];
    size_t touched_count;
    bool touched_all;
    uint64_t segment; /* the log's, when it was last trimmed */
    /*
     * For each hash, no key of it was written after this position: lets most of a read set
     * be checked without reading. Collisions only cost a precise look.
     */
    uint64_t moved[MOVED_SLOTS];
    uint64_t moved_all; /* a keyspace was dropped here */
    bool unapplied;     /* a synced group could not be applied yet: before the next one, or soon */
    struct weir_pos unapplied_end;

    struct weir_mutex state_mutex; /* guards the two below */
    bool failed;                   /* the state cannot be changed */
    struct weir_err why;

    struct weir_counter *commits;
    struct weir_counter *transactions;
    struct weir_counter *conflicts;
    struct weir_histogram *group_sizes;
};

struct weir_view {
    struct weir_commit *commit;
    struct weir_txn *txn;
};

/* --- views ---------------------------------------------------------------- */

static void entry_of_change(
        const struct weir_change *change, struct weir_time time, struct weir_entry *ret_entry)
{
    *ret_entry = (struct weir_entry){ 0 };
    bool there = change->kind == WEIR_CHANGE_PUT ||
                 (change->kind == WEIR_CHANGE_RECORD && change->value.n > 0);
    if (there) {
        /* A change of this very transaction has no position yet: it cannot be absent. */
        ret_entry->pos.seq = change->pos.seq != 0 ? change->pos.seq : UINT64_MAX;
        ret_entry->time = time;
        ret_entry->value = change->value;
    }
}

static enum weir_rc look(struct weir_commit *commit, uint32_t space, struct weir_str key,
        uint64_t hash, struct weir_entry *ret_entry, struct weir_err *err)
{
    const struct weir_change *change = weir_pending_find(&commit->pending, space, key, hash);
    if (change != NULL) {
        entry_of_change(change, commit->time, ret_entry);
        return WEIR_OK;
    }
    return weir_keyspaces_get(commit->store->spaces, space, key, &commit->scratch, ret_entry, err);
}

enum weir_rc weir_view_get(struct weir_view *view, uint32_t space, struct weir_str key,
        struct weir_entry *ret_entry, struct weir_err *err)
{
    return look(view->commit, space, key, weir_pending_hash(space, key), ret_entry, err);
}

void weir_view_add(struct weir_view *view, const struct weir_change *change)
{
    weir_txn_add(view->txn, change);
    view->txn->changes[view->txn->change_count - 1].pos.seq = 0;
    weir_pending_add(&view->commit->pending, view->txn, view->txn->change_count - 1);
}

void weir_view_put(
        struct weir_view *view, uint32_t space, struct weir_str key, struct weir_str value)
{
    struct weir_change change = { .kind = WEIR_CHANGE_PUT, .space = space, .key = key };
    change.value = value;
    weir_view_add(view, &change);
}

void weir_view_delete(struct weir_view *view, uint32_t space, struct weir_str key)
{
    struct weir_change change = { .kind = WEIR_CHANGE_DELETE, .space = space, .key = key };
    weir_view_add(view, &change);
}

size_t weir_view_bytes(const struct weir_view *view)
{
    return view->txn->bytes;
}

struct weir_arena *weir_view_arena(struct weir_view *view)
{
    return &view->txn->arena;
}

struct weir_time weir_view_time(const struct weir_view *view)
{
    return view->commit->time;
}

/* --- evaluation -------------------------------------------------------------- */

static enum weir_rc check_reads(
        struct weir_commit *commit, struct weir_txn *txn, struct weir_err *err)
{
    for (const struct weir_txn_read *read = txn->reads; read != NULL; read = read->next) {
        uint64_t hash = weir_pending_hash(read->space, read->key);
        uint64_t moved = commit->moved[hash & (MOVED_SLOTS - 1)];
        moved = moved > commit->moved_all ? moved : commit->moved_all;
        if (moved <= txn->snapshot.seq) {
            continue;
        }
        struct weir_entry now;
        enum weir_rc rc = look(commit, read->space, read->key, hash, &now, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (now.pos.seq != read->seen.seq) {
            weir_counter_add(commit->conflicts, 1);
            return weir_fail(
                    err, WEIR_E_CONFLICT, "something that the transaction read has changed since");
        }
    }
    return WEIR_OK;
}

static void forget_evaluation(struct weir_commit *commit, struct weir_txn *txn, size_t pending)
{
    weir_pending_cut(&commit->pending, pending);
    txn->change_count = txn->prepared_count;
    txn->bytes = txn->prepared_bytes;
}

static enum weir_rc evaluate(struct weir_commit *commit, struct weir_txn *txn, struct weir_err *err)
{
    size_t pending = commit->pending.count;
    enum weir_rc rc = check_reads(commit, txn, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    for (size_t i = 0; i < txn->change_count; i++) {
        txn->changes[i].pos.seq = 0;
        weir_pending_add(&commit->pending, txn, i);
    }
    struct weir_view view = { commit, txn };
    for (struct weir_op *op = txn->ops; op != NULL && rc == WEIR_OK; op = op->next) {
        rc = op->run(op, &view, err);
    }
    if (rc == WEIR_OK && txn->change_count > 0) {
        rc = weir_log_add(commit->store->log, txn->changes, txn->change_count, txn->urgent, err);
    }
    if (rc != WEIR_OK) {
        forget_evaluation(commit, txn, pending);
    }
    return rc;
}

static void touch(struct weir_commit *commit, uint32_t space)
{
    for (size_t i = commit->touched_count; i > 0; i--) {
        if (commit->touched[i - 1] == space) {
            return;
        }
    }
    if (commit->touched_count == TOUCHED_MAX) {
        commit->touched_all = true;
        return;
    }
    commit->touched[commit->touched_count++] = space;
}

static void note_moved(struct weir_commit *commit, const struct weir_pending_entry *entry)
{
    const struct weir_change *change = &entry->txn->changes[entry->index];
    commit->moved[entry->hash & (MOVED_SLOTS - 1)] = change->pos.seq;
    if (change->kind == WEIR_CHANGE_DROP) {
        commit->moved_all = change->pos.seq;
    }
    touch(commit, change->space);
}

/* --- the group ------------------------------------------------------------------ */

static void set_failed(struct weir_commit *commit, bool failed, const struct weir_err *why)
{
    weir_mutex_lock(&commit->state_mutex);
    commit->failed = failed;
    if (why != NULL) {
        commit->why = *why;
    }
    weir_mutex_unlock(&commit->state_mutex);
}

/* Write the keyspaces' batch; what could not be written is tried again (apply_leftover). */
static enum weir_rc apply(struct weir_commit *commit, struct weir_pos end, struct weir_err *err)
{
    enum weir_rc rc = weir_keyspaces_apply(commit->store->spaces, end, err);
    if (rc != WEIR_OK) {
        commit->unapplied = true;
        commit->unapplied_end = end;
        set_failed(commit, true, err);
        return rc;
    }
    if (commit->unapplied) {
        commit->unapplied = false;
        set_failed(commit, false, NULL);
    }
    weir_crash_point("commit.applied");
    weir_log_publish(commit->store->log);
    return WEIR_OK;
}

static enum weir_rc commit_group(struct weir_commit *commit, struct weir_err *err)
{
    struct weir_log *log = commit->store->log;
    weir_crash_point("commit.evaluated");
    enum weir_rc rc = weir_log_sync(log, commit->time, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_pos end = { 0 };
    const struct weir_change *const *changes = NULL;
    size_t count = weir_pending_sort(&commit->pending, &changes);
    for (size_t i = 0; i < count; i++) {
        weir_keyspaces_add(commit->store->spaces, changes[i], commit->time);
        end = changes[i]->pos.seq > end.seq ? changes[i]->pos : end;
    }
    weir_crash_point("commit.gathered");
    rc = apply(commit, end, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, WEIR_E_UNKNOWN_OUTCOME, "it is in the log, but ");
    }
    weir_crash_point("commit.published");
    return WEIR_OK;
}

static void finish(
        struct weir_txn *txn, enum weir_rc rc, const struct weir_err *err, struct weir_time time)
{
    txn->rc = rc;
    if (rc != WEIR_OK) {
        txn->err = *err;
    } else {
        txn->time = time;
        txn->first = (struct weir_pos){ txn->change_count > 0 ? txn->changes[0].pos.seq : 0 };
    }
    txn->done(txn);
}

/*
 * Tell a member of a group. One that was refused learns it only now, for its reason may lie in
 * what the group had pending: when that is not committed, the refusal does not stand either,
 * unless it is the log's.
 */
static void finish_member(struct weir_txn *txn, enum weir_rc group_rc,
        const struct weir_err *group_err, struct weir_time time)
{
    if (txn->rc == WEIR_OK) {
        finish(txn, group_rc, group_err, time);
    } else if (group_rc == WEIR_OK || txn->rc == WEIR_E_READ_ONLY) {
        txn->done(txn);
    } else {
        struct weir_err err;
        enum weir_rc rc = weir_fail(
                &err, WEIR_E_CONFLICT, "what it was weighed against could not be committed");
        finish(txn, rc, &err, time);
    }
}

/* Commit what the group holds and tell its members. */
static void end_group(struct weir_commit *commit)
{
    struct weir_err err = { 0 };
    enum weir_rc rc = WEIR_OK;
    bool changes = commit->pending.count > 0;
    if (changes) {
        rc = commit_group(commit, &err);
        weir_counter_add(commit->commits, 1);
        weir_histogram_add(commit->group_sizes, commit->group_count);
    }
    if (rc == WEIR_OK && changes) {
        weir_store_tell(commit->store, &commit->pending);
    }
    weir_pending_cut(&commit->pending, 0);
    if (rc == WEIR_OK && changes) {
        weir_store_wake(
                commit->store, commit->touched, commit->touched_all ? 0 : commit->touched_count);
        weir_crash_point("commit.woken");
    }
    struct weir_txn *txn = commit->group;
    commit->group = NULL;
    commit->group_last = &commit->group;
    commit->group_count = 0;
    commit->touched_count = 0;
    commit->touched_all = false;
    while (txn != NULL) {
        struct weir_txn *next = txn->next;
        finish_member(txn, rc, &err, commit->time);
        txn = next;
        weir_crash_point("commit.answered");
    }
    weir_arena_reset(&commit->scratch);
    uint64_t segment = weir_log_end(commit->store->log).seq / WEIR_LOG_SEGMENT_BYTES;
    if (segment != commit->segment) {
        commit->segment = segment;
        weir_store_trim(commit->store, commit->time);
        const uint32_t space = WEIR_SPACE_STORE;
        weir_store_wake(commit->store, &space, 1);
    }
}

static void begin_group(struct weir_commit *commit)
{
    struct weir_time now = weir_clock_wall(commit->store->clock);
    commit->time = now.ms > commit->time.ms ? now : commit->time;
}

/* Try again to apply a group that is in the log; nothing new is taken before. */
static enum weir_rc apply_leftover(struct weir_commit *commit, struct weir_err *err)
{
    if (!commit->unapplied) {
        return WEIR_OK;
    }
    enum weir_rc rc = apply(commit, commit->unapplied_end, err);
    if (rc == WEIR_OK) {
        weir_store_tell(commit->store, NULL);
        weir_store_wake(commit->store, NULL, 0);
        return WEIR_OK;
    }
    return weir_fail_in(err, WEIR_E_READ_ONLY, "no writes now: ");
}

/* Evaluate a transaction into the group, which must stand on a state that is up to date. */
static enum weir_rc try_take(struct weir_commit *commit, struct weir_txn *txn, struct weir_err *err)
{
    if (commit->group_count == 0) {
        weir_arena_reset(&commit->scratch); /* of refused transactions */
        begin_group(commit);
    }
    enum weir_rc rc = apply_leftover(commit, err);
    return rc == WEIR_OK ? evaluate(commit, txn, err) : rc;
}

static void join_group(struct weir_commit *commit, struct weir_txn *txn)
{
    *commit->group_last = txn;
    commit->group_last = &txn->next;
}

/* Evaluate one transaction into the group, ending the group first when it is full. */
static void take(struct weir_commit *commit, struct weir_txn *txn)
{
    struct weir_err err = { 0 };
    txn->next = NULL;
    txn->prepared_count = txn->change_count;
    txn->prepared_bytes = txn->bytes;
    size_t pending = commit->pending.count;
    enum weir_rc rc = try_take(commit, txn, &err);
    if (rc == WEIR_E_BUSY && commit->group_count > 0) {
        end_group(commit); /* the group fills its segment; this one begins the next */
        pending = 0;
        rc = try_take(commit, txn, &err);
    }
    weir_counter_add(commit->transactions, 1);
    if (rc != WEIR_OK && commit->pending.count == 0) {
        finish(txn, rc, &err, commit->time);
        return;
    }
    txn->rc = rc;
    txn->err = err;
    join_group(commit, txn);
    if (rc != WEIR_OK) {
        return;
    }
    for (size_t i = pending; i < commit->pending.count; i++) {
        note_moved(commit, &commit->pending.entries[i]);
    }
    commit->group_count++;
    bool dropped = commit->moved_all != 0 && txn->change_count > 0 &&
                   commit->moved_all >= txn->changes[0].pos.seq;
    if (dropped || commit->group_count >= GROUP_MAX_TRANSACTIONS ||
            weir_log_group_bytes(commit->store->log) >= GROUP_MAX_BYTES) {
        end_group(commit);
    }
}

/* --- the queue and the thread -------------------------------------------------------- */

static void queue_init(struct weir_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
    queue->bytes = 0;
    queue->impatient = 0;
}

static void queue_add(struct weir_queue *queue, struct weir_txn *txn)
{
    txn->next = NULL;
    *queue->last = txn;
    queue->last = &txn->next;
    queue->bytes += txn->bytes + sizeof(*txn);
    queue->impatient += txn->patient ? 0 : 1;
}

static struct weir_txn *queue_take(struct weir_queue *queue)
{
    struct weir_txn *first = queue->first;
    queue_init(queue);
    return first;
}

static void take_list(struct weir_commit *commit, struct weir_txn *txn)
{
    while (txn != NULL) {
        struct weir_txn *next = txn->next;
        take(commit, txn);
        txn = next;
    }
}

bool weir_commit_step(struct weir_commit *commit)
{
    weir_mutex_lock(&commit->mutex);
    struct weir_txn *clients = queue_take(&commit->clients);
    struct weir_txn *lanes = queue_take(&commit->lanes);
    commit->hurried = false;
    weir_mutex_unlock(&commit->mutex);
    if (clients == NULL && lanes == NULL) {
        struct weir_err err;
        (void)apply_leftover(commit, &err); /* what it says, weir_commit_is_read_only says too */
        return false;
    }
    take_list(commit, clients);
    take_list(commit, lanes);
    if (commit->group_count > 0) {
        end_group(commit);
    }
    return true;
}

/* Whether a group is to be made of what was submitted. */
static bool is_wanted(const struct weir_commit *commit)
{
    return commit->clients.impatient > 0 || commit->lanes.first != NULL || commit->hurried;
}

/* Sleep while there is nothing to do; a group that is not applied yet is looked at now and then.
 * False: there is nothing to do any more. */
static bool await_work(struct weir_commit *commit)
{
    weir_mutex_lock(&commit->mutex);
    bool again = false;
    while (!is_wanted(commit) && !commit->stopping && !again) {
        commit->sleeping = true;
        if (commit->unapplied) {
            weir_condition_wait_for(&commit->ready, &commit->mutex, APPLY_AGAIN_MS);
            again = true;
        } else {
            weir_condition_wait(&commit->ready, &commit->mutex);
        }
        commit->sleeping = false;
    }
    bool work = commit->clients.first != NULL || commit->lanes.first != NULL || !commit->stopping;
    weir_mutex_unlock(&commit->mutex);
    return work;
}

static void *commit_main(void *arg)
{
    struct weir_commit *commit = arg;
    pthread_setname_np(pthread_self(), "weir-commit");
    while (await_work(commit)) {
        (void)weir_commit_step(commit);
    }
    return NULL;
}

void weir_commit_submit(struct weir_commit *commit, struct weir_txn *txn)
{
    weir_mutex_lock(&commit->mutex);
    bool full = !txn->lane && commit->clients.bytes > QUEUE_MAX_BYTES;
    bool refused = full || commit->stopping;
    if (!refused) {
        queue_add(txn->lane ? &commit->lanes : &commit->clients, txn);
    }
    bool wake = commit->sleeping && is_wanted(commit);
    commit->sleeping = commit->sleeping && !wake; /* once is enough, and without the mutex, which */
    weir_mutex_unlock(&commit->mutex);            /* it wants at once */
    if (wake) {
        weir_condition_signal(&commit->ready);
    }
    if (refused) {
        struct weir_err err;
        enum weir_rc rc = full ? weir_fail(&err, WEIR_E_BUSY,
                                         "too many writes are waiting; try again shortly")
                               : weir_fail(&err, WEIR_E_CLOSED, "weir is stopping");
        finish(txn, rc, &err, (struct weir_time){ 0 });
    }
}

void weir_commit_hurry(struct weir_commit *commit)
{
    weir_mutex_lock(&commit->mutex);
    commit->hurried = commit->clients.first != NULL;
    weir_condition_signal(&commit->ready);
    weir_mutex_unlock(&commit->mutex);
}

static void make_metrics(struct weir_commit *commit, struct weir_metrics *metrics)
{
    commit->commits = weir_metrics_counter(
            metrics, "weir_commits_total", NULL, "Groups written to the commit log");
    commit->transactions = weir_metrics_counter(metrics, "weir_transactions_total", NULL,
            "Transactions evaluated, refused ones included");
    commit->conflicts = weir_metrics_counter(metrics, "weir_transaction_conflicts_total", NULL,
            "Transactions refused because something they read had changed");
    commit->group_sizes = weir_metrics_histogram(
            metrics, "weir_commit_group_size", NULL, "Transactions in a group", 1, 1);
}

struct weir_commit *weir_commit_start(struct weir_store *store, struct weir_metrics *metrics)
{
    struct weir_commit *commit = weir_alloc_zero(1, sizeof(*commit));
    commit->store = store;
    commit->group_last = &commit->group;
    commit->time = weir_log_last_time(store->log);
    commit->segment = weir_log_end(store->log).seq / WEIR_LOG_SEGMENT_BYTES;
    weir_mutex_init(&commit->mutex, WEIR_LOCK_COMMIT);
    weir_mutex_init(&commit->state_mutex, WEIR_LOCK_COMMIT_STATE);
    weir_condition_init(&commit->ready);
    queue_init(&commit->clients);
    queue_init(&commit->lanes);
    weir_pending_init(&commit->pending);
    weir_arena_init(&commit->scratch);
    make_metrics(commit, metrics);
    if (!store->stepped) {
        weir_assert(pthread_create(&commit->thread, NULL, commit_main, commit) == 0);
    }
    return commit;
}

void weir_commit_stop(struct weir_commit *commit)
{
    weir_mutex_lock(&commit->mutex);
    bool stopped = commit->stopping;
    commit->stopping = true;
    weir_condition_signal(&commit->ready);
    weir_mutex_unlock(&commit->mutex);
    while (!stopped && commit->store->stepped && weir_commit_step(commit)) {
        /* Finishing what was submitted, and what came of it before the stop. */
    }
    if (!stopped && !commit->store->stepped) {
        weir_assert(pthread_join(commit->thread, NULL) == 0);
    }
}

void weir_commit_destroy(struct weir_commit *commit)
{
    if (commit == NULL) {
        return;
    }
    weir_pending_fini(&commit->pending);
    weir_arena_fini(&commit->scratch);
    weir_condition_fini(&commit->ready);
    weir_mutex_fini(&commit->state_mutex);
    weir_mutex_fini(&commit->mutex);
    weir_free(commit);
}

bool weir_commit_is_read_only(struct weir_commit *commit, struct weir_err *ret_why)
{
    weir_mutex_lock(&commit->state_mutex);
    bool failed = commit->failed;
    if (failed) {
        *ret_why = commit->why;
    }
    weir_mutex_unlock(&commit->state_mutex);
    return failed;
}
