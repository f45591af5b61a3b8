/*
 * Putting events off. All lanes of a pipeline write to one burst of a key, so what they add is
 * an operation: evaluated on the commit thread against the burst of that moment, it never
 * conflicts.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "pipeline/deferred_int.h"

enum {
    GATHER_BUCKETS = 256,
    END_BYTES = 1 << 20, /* that one transaction closes; the rest finds another */
};

/* --- bursts on the commit thread -------------------------------------------------------- */

/* An open burst while an operation works on it. */
struct work {
    struct weir_view *view;
    struct weir_arena *arena;
    struct weir_str pipeline;
    struct weir_str step;
    struct weir_str key;
    struct weir_str open_key;
    bool have;
    struct burst burst;
    struct burst_added added;
};

static const struct burst_added nothing_added = { { INT64_MAX }, { INT64_MAX } };

static struct weir_time earlier(struct weir_time a, struct weir_time b)
{
    return a.ms < b.ms ? a : b;
}

static enum weir_rc begin_work(struct work *work, struct weir_err *err)
{
    struct weir_entry entry;
    work->added = nothing_added;
    work->arena = weir_view_arena(work->view);
    work->open_key = weir_burst_open_key(work->arena, work->pipeline, work->step, work->key);
    enum weir_rc rc = weir_view_get(work->view, WEIR_SPACE_DEFERRED, work->open_key, &entry, err);
    work->have = rc == WEIR_OK && entry.pos.seq != 0;
    return work->have ? weir_burst_decode(entry.value, &work->burst, err) : rc;
}

/* Take away the `d` entry. */
static void unindex(struct work *work)
{
    if (work->burst.indexed.ms != 0) {
        weir_view_delete(work->view, WEIR_SPACE_DEFERRED,
                weir_burst_due_key(
                        work->arena, work->pipeline, work->step, work->burst.indexed, work->key));
        work->burst.indexed.ms = 0;
    }
}

static void save(struct work *work)
{
    struct burst *burst = &work->burst;
    if (burst->indexed.ms == 0) {
        burst->indexed = burst->due;
        work->added.due = burst->due;
        weir_view_put(work->view, WEIR_SPACE_DEFERRED,
                weir_burst_due_key(
                        work->arena, work->pipeline, work->step, burst->indexed, work->key),
                WEIR_STR(""));
    }
    weir_view_put(
            work->view, WEIR_SPACE_DEFERRED, work->open_key, weir_burst_encode(work->arena, burst));
}

/* What is closed before its time was due at the time at which it is closed. */
static void due_by_now(struct work *work)
{
    struct weir_time now = weir_view_time(work->view);
    work->burst.due = work->burst.due.ms > now.ms ? now : work->burst.due;
}

static void close_burst(struct work *work)
{
    unindex(work);
    work->added.closed = earlier(work->added.closed, work->burst.due);
    weir_view_put(work->view, WEIR_SPACE_DEFERRED,
            weir_burst_closed_key(work->arena, work->pipeline, work->step, &work->burst, work->key),
            weir_burst_encode(work->arena, &work->burst));
    work->have = false;
}

/* --- adding -------------------------------------------------------------------------------------
 */

/* An event that a step has put off, in the lane's arena. */
struct deferral {
    struct deferral *next;
    const struct weir_step *step;
    const struct queued *queued;
    struct weir_defer how;
};

void weir_lane_defer(struct weir_lane *lane, const struct weir_step *step, struct weir_event event,
        const struct weir_defer *how)
{
    struct deferral *deferral = WEIR_ARENA_NEW(&lane->arena, struct deferral);
    deferral->step = step;
    deferral->queued = WEIR_CONTAINER(event.record, struct queued, record);
    deferral->how = *how;
    *lane->batch.last_deferral = deferral;
    lane->batch.last_deferral = &deferral->next;
}

/* What one event adds to its burst. */
struct addition {
    struct addition *next;
    struct weir_defer how;
    struct weir_time time;
    uint64_t count;
    uint8_t hops;
    struct burst_record first;
    struct burst_record last;
    struct merged merged;
};

/* What a batch adds to one burst. */
struct gather_op {
    struct weir_op op;
    struct weir_str pipeline;
    struct weir_str step;
    struct weir_str key;
    const struct weir_merge_field *merge; /* the transaction's: the step may be gone by then */
    size_t merge_count;
    struct addition *first;
    struct addition **last;
    struct burst_added added; /* by the last run */
    struct gather_op *same_bucket;
    struct gather_op *next; /* of the batch */
};

static struct weir_time due_of(const struct burst *burst, const struct weir_defer *how)
{
    int64_t quiet = burst->latest.ms + (int64_t)how->period_ms;
    int64_t patience = burst->since.ms + (int64_t)how->max_wait_ms;
    return (struct weir_time){ quiet < patience ? quiet : patience };
}

static void open_burst(struct work *work, const struct addition *a)
{
    work->have = true;
    work->burst = (struct burst){
        .since = a->time,
        .latest = a->time,
        .count = a->count,
        .hops = a->hops,
        .first = a->first,
        .last = a->last,
        .merged = a->merged,
    };
    work->burst.due = a->how.at.ms != 0 ? a->how.at : due_of(&work->burst, &a->how);
}

static void join_burst(struct work *work, const struct addition *a)
{
    struct burst *burst = &work->burst;
    burst->count += a->count;
    burst->hops = a->hops > burst->hops ? a->hops : burst->hops;
    burst->since = a->time.ms < burst->since.ms ? a->time : burst->since;
    burst->latest = a->time.ms > burst->latest.ms ? a->time : burst->latest;
    if (a->first.record.pos.seq < burst->first.record.pos.seq) {
        burst->first = a->first;
    }
    if (a->last.record.pos.seq >= burst->last.record.pos.seq) {
        burst->last = a->last;
    }
    if (a->how.at.ms != 0) {
        return; /* it stays due when it was */
    }
    burst->due = due_of(burst, &a->how);
    if (burst->due.ms < burst->indexed.ms) { /* lanes do not come in the order of time */
        unindex(work);
    }
}

/* Join the merged values. False: the burst cannot have more. */
static bool merge(const struct gather_op *op, struct work *work, const struct addition *a)
{
    return op->merge_count == 0 || weir_merged_join(work->arena, op->merge, op->merge_count,
                                           &work->burst.merged, &a->merged);
}

static enum weir_rc run_gather(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct gather_op *op = WEIR_CONTAINER(base, struct gather_op, op);
    struct work work = {
        .view = view,
        .pipeline = op->pipeline,
        .step = op->step,
        .key = op->key,
    };
    enum weir_rc rc = begin_work(&work, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    for (const struct addition *a = op->first; a != NULL; a = a->next) {
        if (work.have && a->how.at.ms == 0 && a->time.ms > work.burst.due.ms) {
            close_burst(&work); /* it was over before this came */
        } else if (work.have && !merge(op, &work, a)) {
            due_by_now(&work); /* it is full */
            close_burst(&work);
        }
        if (work.have) {
            join_burst(&work, a);
        } else {
            open_burst(&work, a);
        }
    }
    save(&work);
    op->added = work.added;
    return WEIR_OK;
}

static struct burst_record record_of(const struct queued *queued)
{
    return (struct burst_record){ queued->record.source->table, queued->key, queued->record };
}

static struct addition *make_addition(struct weir_lane *lane, const struct deferral *deferral)
{
    const struct queued *queued = deferral->queued;
    struct addition *a = WEIR_ARENA_NEW(&lane->batch.txn->arena, struct addition);
    a->how = deferral->how;
    a->time = queued->now;
    a->count = 1;
    a->hops = queued->hops;
    a->last = record_of(queued);
    a->first = a->last;
    a->merged = weir_merged_of(&lane->batch.txn->arena, &a->how, queued->record.pos);
    const struct deferred_run *again = weir_queued_run(lane->pipeline, queued);
    if (again != NULL && weir_str_eq(again->step, deferral->step->id)) {
        a->time = again->burst.latest;
        a->count = again->burst.count;
        a->first = again->burst.first;
        a->merged = again->burst.merged;
    }
    return a;
}

static const struct weir_merge_field *copy_fields(
        struct weir_arena *arena, const struct weir_defer *how)
{
    struct weir_merge_field *fields = weir_arena_zero(arena, how->merge_count, sizeof(*fields));
    for (size_t i = 0; i < how->merge_count; i++) {
        fields[i].name = weir_arena_str(arena, how->merge[i].name);
        fields[i].how = how->merge[i].how;
    }
    return fields;
}

/* The operation of a key of a step, among those of the batch. */
static struct gather_op *find_gather(
        struct weir_lane *lane, struct gather_op **buckets, const struct deferral *deferral)
{
    struct weir_txn *txn = lane->batch.txn;
    struct weir_str key = deferral->how.key;
    uint64_t hash = weir_hash64(deferral->step->index, key.p, key.n);
    struct gather_op **bucket = &buckets[hash % GATHER_BUCKETS];
    for (struct gather_op *op = *bucket; op != NULL; op = op->same_bucket) {
        if (weir_str_eq(op->step, deferral->step->id) && weir_str_eq(op->key, key)) {
            return op;
        }
    }
    struct gather_op *op = WEIR_ARENA_NEW(&txn->arena, struct gather_op);
    op->op.run = run_gather;
    op->pipeline = lane->pipeline->model->name;
    op->step = deferral->step->id;
    op->key = weir_arena_str(&txn->arena, key);
    op->merge = copy_fields(&txn->arena, &deferral->how);
    op->merge_count = deferral->how.merge_count;
    op->last = &op->first;
    op->same_bucket = *bucket;
    *bucket = op;
    op->next = lane->batch.gathers;
    lane->batch.gathers = op;
    weir_txn_op(txn, &op->op);
    return op;
}

void weir_deferrals_commit(struct weir_lane *lane)
{
    struct batch *batch = &lane->batch;
    if (batch->deferrals == NULL) {
        return;
    }
    struct gather_op **buckets =
            weir_arena_zero(&lane->arena, GATHER_BUCKETS, sizeof(struct gather_op *));
    for (const struct deferral *d = batch->deferrals; d != NULL; d = d->next) {
        if (d->queued->failed) {
            continue;
        }
        struct gather_op *op = find_gather(lane, buckets, d);
        *op->last = make_addition(lane, d);
        op->last = &(*op->last)->next;
        weir_counter_add(lane->pipeline->deferred->deferrals, 1);
    }
}

struct burst_added weir_deferrals_added(const struct weir_lane *lane)
{
    struct burst_added added = nothing_added;
    for (const struct gather_op *op = lane->batch.gathers; op != NULL; op = op->next) {
        added.due = earlier(added.due, op->added.due);
        added.closed = earlier(added.closed, op->added.closed);
    }
    return added;
}

/* --- ending ------------------------------------------------------------------------------------
 */

static enum weir_rc run_end(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct burst_end_op *op = WEIR_CONTAINER(base, struct burst_end_op, op);
    struct work work = {
        .view = view,
        .pipeline = op->pipeline,
        .step = op->step,
        .key = op->key,
    };
    op->found = false;
    op->added = nothing_added;
    op->full = weir_view_bytes(view) >= END_BYTES;
    if (op->full) {
        return WEIR_OK;
    }
    enum weir_rc rc = begin_work(&work, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (op->due_key.n > 0) {
        weir_view_delete(view, WEIR_SPACE_DEFERRED, op->due_key);
    }
    if (!work.have) {
        return WEIR_OK;
    }
    struct burst *burst = &work.burst;
    op->found = true;
    unindex(&work);
    if (op->end == BURST_CLOSE_DUE && burst->due.ms > op->until.ms) {
        save(&work);
        op->added = work.added;
        return WEIR_OK;
    }
    if (op->end == BURST_CLOSE_NOW) {
        due_by_now(&work);
    }
    if (op->end != BURST_CANCEL) {
        close_burst(&work);
    }
    op->added = work.added;
    weir_view_delete(view, WEIR_SPACE_DEFERRED, work.open_key);
    return WEIR_OK;
}

void weir_burst_end(struct weir_txn *txn, struct burst_end_op *op)
{
    op->op.run = run_end;
    weir_txn_op(txn, &op->op);
}
