/*
 * When deferred runs go on. A burst may be closed once every lane has processed all that was
 * committed up to its due time. Commits that are under way when the time comes count too, so the
 * pipeline's mark is moved past it first.
 *
 *     due -> move the mark -> lanes have passed the due time -> close -> given to a lane
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/deferred_int.h"

enum {
    CLOSE_MAX = 1000,      /* bursts that one transaction closes */
    FIRED_MAX = 4000,      /* runs that are with lanes */
    FIRED_BYTES = 4 << 20, /* of their records */
    FIRED_BUCKETS = 1024,
    LOOK_AGAIN_MS = 60 * 1000, /* at the latest: the wall clock may have been set */
    RETRY_MS = 1000,           /* after a transaction that could not be made */
};

static const uint64_t yield_after_ns = 500 * 1000;

static bool is_over(const struct deferred *deferred)
{
    const struct pipeline *pipeline = deferred->pipeline;
    return pipeline->stopped || pipeline->leaving || pipeline->all->stopping;
}

/* Call for each step of the pipeline that puts events off. */
#define EACH_DEFERRING(deferred, step)                                                \
    for (size_t i_ = 0; i_ < (deferred)->pipeline->model->step_count; i_++)           \
        for (const struct weir_step *(step) = (deferred)->pipeline->model->steps[i_]; \
                (step) != NULL && (step)->ops->defers; (step) = NULL)

/* --- how far the pipeline has come in time ------------------------------------------------- */

static void passed_by_list(const struct queued_list *list, struct weir_time *passed)
{
    const struct queued *queued = list->count > 0 ? list->first : NULL;
    size_t left = list->count;
    while (left > 0 && queued->origin != NULL) { /* it does not come from the stream now */
        queued = queued->next;
        left--;
    }
    if (left > 0 && queued->record.created.ms <= passed->ms) {
        passed->ms = queued->record.created.ms - 1;
    }
}

/* The time up to which everything that was committed is processed by all lanes. */
static struct weir_time time_passed(const struct deferred *deferred)
{
    const struct pipeline *pipeline = deferred->pipeline;
    struct weir_time passed = { pipeline->mark.time.ms - 1 };
    for (size_t s = 0; s < pipeline->source_count; s++) {
        const struct source *source = &pipeline->sources[s];
        for (size_t i = 0; i < source->shard_count && !source->leaving; i++) {
            const struct shard *shard = &source->shards[i];
            bool behind = weir_log_reader_pos(shard->reader).seq < pipeline->mark.end.seq;
            if (behind && shard->read_time.ms <= passed.ms) {
                passed.ms = shard->read_time.ms - 1; /* more may come of the same time */
            }
            for (size_t k = 0; k < shard->lane_count; k++) {
                passed_by_list(&shard->lanes[k].taken, &passed);
                passed_by_list(&shard->lanes[k].waiting, &passed);
            }
        }
    }
    return passed;
}

/* --- transactions --------------------------------------------------------------------------- */

static void transaction_done(struct weir_txn *txn)
{
    struct deferred *deferred = txn->arg;
    weir_loop_post(deferred->pipeline->all->loop, &deferred->done_post);
}

static void submit(struct deferred *deferred, struct weir_txn *txn)
{
    txn->lane = true;
    txn->done = transaction_done;
    txn->arg = deferred;
    deferred->txn = txn;
    weir_store_submit(deferred->pipeline->all->store, txn);
}

/* The next look begins no later than here. */
static void look_from(struct weir_time *from, struct weir_time time)
{
    *from = time.ms < from->ms ? time : *from;
}

static void note_closed(struct deferred *deferred)
{
    bool all = deferred->closing != NULL;
    struct burst_added added = { deferred->closing_from, { INT64_MAX } };
    for (const struct burst_end_op *op = deferred->closing; op != NULL; op = op->next) {
        all = all && (op->found || op->full);
        look_from(&added.closed, op->added.closed);
    }
    weir_deferred_note(deferred, &added);
    if (!all) { /* an earlier transaction did it, which seemed to have failed */
        weir_deferred_note_all(deferred);
    }
}

static void outcome_posted(struct weir_post *post)
{
    struct deferred *deferred = WEIR_CONTAINER(post, struct deferred, done_post);
    struct pipeline *pipeline = deferred->pipeline;
    struct weir_txn *txn = WEIR_TAKE(deferred->txn);
    enum weir_rc rc = txn->rc;
    if (rc == WEIR_OK) {
        weir_crash_point("deferred.closed");
        note_closed(deferred);
    } else if (!is_over(deferred)) {
        weir_logline(WEIR_LOG_WARN, "pipeline.deferred_waits", "pipeline", pipeline->model->name.p,
                "reason", txn->err.msg, NULL);
        weir_deferred_note_all(deferred);
    }
    weir_txn_destroy(txn);
    if (is_over(deferred)) {
        weir_pipeline_check_left(pipeline);
        return;
    }
    if (rc == WEIR_OK) {
        weir_pipeline_read_on(pipeline); /* looks, too */
    } else {
        weir_loop_timer_start(&deferred->timer, RETRY_MS);
    }
}

/* --- closing ---------------------------------------------------------------------------------- */

static void log_unreadable(const struct deferred *deferred, const struct weir_err *err)
{
    weir_logline(WEIR_LOG_ERROR, "pipeline.deferred_unreadable", "pipeline",
            deferred->pipeline->model->name.p, "reason", err->msg, NULL);
}

/* Call for a step's entries of a kind from a time on, in order, until `each` says false. */
static enum weir_rc each_entry(struct deferred *deferred, enum burst_kind kind,
        struct weir_time from, const struct weir_step *step,
        bool (*each)(void *arg, struct weir_str key, const struct burst_name *name,
                struct weir_str value),
        void *arg, struct weir_err *err)
{
    struct pipeline *pipeline = deferred->pipeline;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str prefix = weir_burst_prefix(&arena, kind, pipeline->model->name, step->id);
    struct weir_str begin = weir_burst_time_key(&arena, prefix, from);
    struct weir_cursor *cursor = weir_cursor_create(pipeline->all->store, WEIR_SPACE_DEFERRED);
    enum weir_rc rc = WEIR_OK;
    bool goes_on = true;
    for (weir_cursor_seek(cursor, begin); goes_on; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct burst_name name;
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || !weir_str_starts(key, prefix)) {
            break;
        }
        rc = weir_burst_name(key, &name, err);
        goes_on = rc == WEIR_OK && each(arg, key, &name, entry.value);
    }
    weir_cursor_destroy(cursor);
    weir_arena_fini(&arena);
    return rc;
}

static bool note_next(
        void *arg, struct weir_str key, const struct burst_name *name, struct weir_str value)
{
    struct deferred *deferred = arg;
    (void)key;
    (void)value;
    if (deferred->next.ms == 0 || name->due.ms < deferred->next.ms) {
        deferred->next = name->due;
    }
    return false;
}

static enum weir_rc find_next(struct deferred *deferred, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    deferred->next.ms = 0;
    EACH_DEFERRING(deferred, step)
    {
        rc = rc == WEIR_OK ? each_entry(deferred, BURST_DUE, deferred->due_from, step, note_next,
                                     deferred, err)
                           : rc;
    }
    deferred->due_from.ms = deferred->next.ms != 0 ? deferred->next.ms : INT64_MAX;
    return rc;
}

struct closing {
    struct weir_txn *txn;
    const struct weir_step *step;
    struct weir_str pipeline;
    struct weir_time until;
    struct weir_time from; /* the earliest */
    struct burst_end_op *ops;
    size_t count;
};

static bool add_end(
        void *arg, struct weir_str key, const struct burst_name *name, struct weir_str value)
{
    struct closing *closing = arg;
    (void)value;
    if (name->due.ms > closing->until.ms || closing->count == CLOSE_MAX) {
        return false;
    }
    struct burst_end_op *op = WEIR_ARENA_NEW(&closing->txn->arena, struct burst_end_op);
    op->end = BURST_CLOSE_DUE;
    op->until = closing->until;
    op->pipeline = closing->pipeline;
    op->step = closing->step->id;
    op->due_key = weir_arena_str(&closing->txn->arena, key);
    op->key = weir_str(op->due_key.p + (name->key.p - key.p), name->key.n);
    op->next = closing->ops;
    closing->ops = op;
    weir_burst_end(closing->txn, op);
    if (closing->count == 0 || name->due.ms < closing->from.ms) {
        closing->from = name->due;
    }
    closing->count++;
    return true;
}

static enum weir_rc close_due(
        struct deferred *deferred, struct weir_time until, struct weir_err *err)
{
    struct closing closing = {
        .txn = weir_txn_create(),
        .pipeline = deferred->pipeline->model->name,
        .until = until,
    };
    enum weir_rc rc = WEIR_OK;
    EACH_DEFERRING(deferred, step)
    {
        closing.step = step;
        rc = rc == WEIR_OK ? each_entry(deferred, BURST_DUE, deferred->due_from, step, add_end,
                                     &closing, err)
                           : rc;
    }
    if (rc != WEIR_OK) {
        weir_txn_destroy(closing.txn);
        return rc;
    }
    deferred->closing_from = closing.from;
    deferred->closing = closing.ops;
    submit(deferred, closing.txn);
    weir_crash_point("deferred.closing");
    return WEIR_OK;
}

static void wait_for_next(struct deferred *deferred, int64_t now_ms)
{
    uint64_t ms = (uint64_t)(deferred->next.ms - now_ms);
    weir_loop_timer_start(&deferred->timer, ms < LOOK_AGAIN_MS ? ms : LOOK_AGAIN_MS);
}

static enum weir_rc look_at_due(struct deferred *deferred, struct weir_err *err)
{
    int64_t now = weir_clock_wall(weir_loop_clock(deferred->pipeline->all->loop)).ms;
    if (deferred->next.ms == 0) {
        weir_loop_timer_stop(&deferred->timer);
        return WEIR_OK;
    }
    if (deferred->next.ms > now) {
        wait_for_next(deferred, now);
        return WEIR_OK;
    }
    if (deferred->pipeline->mark.time.ms <= deferred->next.ms) {
        if (deferred->next.ms == now) { /* a commit of this very millisecond would not do */
            weir_loop_timer_start(&deferred->timer, 1);
        } else {
            weir_mark_move(&deferred->pipeline->mark);
        }
        return WEIR_OK;
    }
    struct weir_time passed = time_passed(deferred);
    /* Else a lane is not there yet: when it has moved, this is looked at again. */
    return passed.ms >= deferred->next.ms ? close_due(deferred, passed, err) : WEIR_OK;
}

/* --- going on ----------------------------------------------------------------------------------
 */

const struct source *weir_source_of(const struct pipeline *pipeline, struct weir_str table)
{
    for (size_t i = 0; i < pipeline->source_count; i++) {
        const struct source *source = &pipeline->sources[i];
        if (weir_str_eq(source->name, table) && source->table != NULL && !source->leaving) {
            return source;
        }
    }
    return NULL;
}

static struct fired **bucket_of(
        const struct deferred *deferred, struct weir_str step, struct weir_str key)
{
    uint64_t seed = weir_hash64(0, step.p, step.n);
    return &deferred->fired[weir_hash64(seed, key.p, key.n) % FIRED_BUCKETS];
}

static void free_fired(struct deferred *deferred, struct fired *fired)
{
    struct fired **at = bucket_of(deferred, fired->run.step, fired->run.shown.key);
    while (*at != fired) {
        at = &(*at)->same_bucket;
    }
    *at = fired->same_bucket;
    deferred->fired_count--;
    deferred->fired_bytes -= fired->value.n;
    weir_free(fired);
}

struct fired *weir_deferred_fired(const struct deferred *deferred, const struct burst_name *name)
{
    struct fired *fired = *bucket_of(deferred, name->step, name->key);
    while (fired != NULL && !(weir_str_eq(fired->run.step, name->step) &&
                                    weir_str_eq(fired->run.shown.key, name->key))) {
        fired = fired->same_bucket;
    }
    return fired;
}

void weir_deferred_run_show(struct deferred_run *run, struct weir_str key)
{
    run->shown = (struct weir_deferred){
        .key = key,
        .count = run->burst.count,
        .since = run->burst.since,
        .due = run->burst.due,
        .first = &run->burst.first.record,
        .last = &run->burst.last.record,
        .merged = run->burst.merged.values,
    };
}

static struct fired *make_fired(struct deferred *deferred, struct weir_str key,
        const struct burst_name *name, struct weir_str value, struct weir_err *err)
{
    struct fired *fired = weir_alloc(sizeof(*fired) + key.n + value.n);
    char *bytes = (char *)(fired + 1);
    memcpy(bytes, key.p, key.n);
    memcpy(bytes + key.n, value.p, value.n);
    *fired = (struct fired){
        .name = { bytes, key.n },
        .run.step = { bytes + (name->step.p - key.p), name->step.n },
        .value = { bytes + key.n, value.n },
        .follower = { INT64_MAX },
    };
    if (weir_burst_decode(fired->value, &fired->run.burst, err) != WEIR_OK) {
        weir_free(fired);
        return NULL;
    }
    weir_deferred_run_show(&fired->run, weir_str(bytes + (name->key.p - key.p), name->key.n));
    struct fired **bucket = bucket_of(deferred, fired->run.step, fired->run.shown.key);
    fired->same_bucket = *bucket;
    *bucket = fired;
    deferred->fired_count++;
    deferred->fired_bytes += value.n;
    return fired;
}

static void give_to_lane(struct deferred *deferred, const struct source *source,
        const struct weir_step *step, struct fired *fired)
{
    const struct burst *burst = &fired->run.burst;
    const struct burst_record *last = &burst->last;
    struct weir_record record = last->record;
    record.source = &source->table->source;
    record.shard = weir_table_shard(source->table, last->key);
    struct queued *queued =
            weir_queued_create(&record, last->key, burst->hops, &deferred->origin, WEIR_STR(""));
    queued->of_origin = fired;
    queued->now = burst->due;
    queued->first_step = step->index;
    weir_lane_give(weir_shard_lane(&source->shards[record.shard], last->key), queued);
    weir_counter_add(deferred->runs, 1);
    weir_crash_point("deferred.fired");
}

struct giving {
    struct deferred *deferred;
    const struct weir_step *step;
    struct weir_err *err;
    uint64_t deadline_ns;
    size_t count;
    bool late; /* the time is up */
    bool damaged;
};

/* Whether another run may be given now; at least one may, for finding it takes time too. */
static bool has_room(struct giving *giving)
{
    struct deferred *deferred = giving->deferred;
    const struct weir_clock *clock = weir_loop_clock(deferred->pipeline->all->loop);
    deferred->full = deferred->fired_count >= FIRED_MAX || deferred->fired_bytes >= FIRED_BYTES;
    giving->late = giving->count > 0 && weir_clock_monotonic_ns(clock) > giving->deadline_ns;
    return !deferred->full && !giving->late;
}

static bool give_entry(
        void *arg, struct weir_str key, const struct burst_name *name, struct weir_str value)
{
    struct giving *giving = arg;
    struct deferred *deferred = giving->deferred;
    if (!has_room(giving)) {
        look_from(&deferred->closed_from, name->due);
        return false;
    }
    struct fired *before = weir_deferred_fired(deferred, name);
    if (before != NULL) { /* perhaps this one itself, which is given already */
        if (!weir_str_eq(before->name, key)) {
            look_from(&before->follower, name->due);
        }
        return true;
    }
    struct burst burst;
    if (weir_burst_decode(value, &burst, giving->err) != WEIR_OK) {
        giving->damaged = true;
        return false;
    }
    const struct source *source = weir_source_of(deferred->pipeline, burst.last.table);
    if (source != NULL) { /* else it waits for its table, which makes this stale when it comes */
        struct fired *fired = make_fired(deferred, key, name, value, giving->err);
        weir_assert(fired != NULL);
        give_to_lane(deferred, source, giving->step, fired);
        giving->count++;
    }
    return true;
}

/* ret_late says whether the time was up before all were given that there is room for. */
static enum weir_rc give_closed(struct deferred *deferred, bool *ret_late, struct weir_err *err)
{
    struct pipeline *pipeline = deferred->pipeline;
    const struct weir_clock *clock = weir_loop_clock(pipeline->all->loop);
    struct giving giving = {
        .deferred = deferred,
        .err = err,
        .deadline_ns = weir_clock_monotonic_ns(clock) + yield_after_ns,
    };
    enum weir_rc rc = WEIR_OK;
    struct weir_time from = deferred->closed_from;
    deferred->full = false;
    deferred->closed_from.ms = INT64_MAX;
    EACH_DEFERRING(deferred, step)
    {
        giving.step = step;
        rc = rc == WEIR_OK
                     ? each_entry(deferred, BURST_CLOSED, from, step, give_entry, &giving, err)
                     : rc;
    }
    WEIR_EACH_LANE(pipeline, lane)
    {
        weir_lane_consider(lane);
    }
    rc = rc == WEIR_OK && giving.damaged ? WEIR_E_DAMAGED : rc;
    if (rc != WEIR_OK) {
        deferred->closed_from.ms = 0;
    }
    *ret_late = giving.late;
    return rc;
}

static enum weir_rc settle(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct fired *fired = queued->of_origin;
    struct weir_txn *txn = lane->batch.txn;
    (void)err;
    weir_txn_delete(txn, WEIR_SPACE_DEFERRED, weir_arena_str(&txn->arena, fired->name));
    weir_crash_point("deferred.settled");
    return WEIR_OK;
}

static void left(struct queued *queued, bool settled)
{
    struct deferred *deferred = queued->origin->arg;
    struct fired *fired = queued->of_origin;
    look_from(&deferred->closed_from, fired->follower);
    if (!settled) { /* it is given to a lane again */
        look_from(&deferred->closed_from, fired->run.burst.due);
    }
    if (!settled || fired->follower.ms != INT64_MAX) {
        deferred->stale = true;
    }
    free_fired(deferred, fired);
    bool room = deferred->fired_count < FIRED_MAX / 2 && deferred->fired_bytes < FIRED_BYTES / 2;
    deferred->stale = deferred->stale || (deferred->full && room);
}

const struct deferred_run *weir_queued_run(
        const struct pipeline *pipeline, const struct queued *queued)
{
    if (queued->origin == &weir_origin_letter) {
        return weir_letter_run_of(queued);
    }
    const struct fired *fired = queued->of_origin;
    return queued->origin == &pipeline->deferred->origin ? &fired->run : NULL;
}

const struct weir_deferred *weir_queued_deferred(
        const struct pipeline *pipeline, const struct queued *queued, const struct weir_step *step)
{
    const struct deferred_run *run = weir_queued_run(pipeline, queued);
    return run != NULL && weir_str_eq(run->step, step->id) ? &run->shown : NULL;
}

const struct weir_deferred *weir_lane_deferred(
        const struct weir_lane *lane, const struct weir_step *step, struct weir_event event)
{
    const struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    return weir_queued_deferred(lane->pipeline, queued, step);
}

struct pipeline *weir_deferred_taker(
        struct weir_pipelines *pipelines, const struct burst_name *name)
{
    struct pipeline *pipeline = weir_pipeline_find(pipelines, name->pipeline);
    if (pipeline == NULL) {
        return NULL;
    }
    EACH_DEFERRING(pipeline->deferred, step)
    {
        if (weir_str_eq(step->id, name->step)) {
            return pipeline;
        }
    }
    return NULL;
}

/* --- looking -----------------------------------------------------------------------------------
 */

bool weir_deferred_look(struct deferred *deferred)
{
    struct weir_err err = { 0 };
    bool late = false;
    if (!deferred->used || deferred->looking || is_over(deferred)) {
        return true;
    }
    enum weir_rc rc = WEIR_OK;
    deferred->looking = true;
    if (deferred->stale) {
        deferred->stale = false;
        rc = find_next(deferred, &err);
        if (rc == WEIR_OK) {
            rc = give_closed(deferred, &late, &err);
        }
        deferred->stale = deferred->stale || late;
    }
    if (rc == WEIR_OK && deferred->txn == NULL) {
        rc = look_at_due(deferred, &err);
    }
    if (rc != WEIR_OK) {
        log_unreadable(deferred, &err);
        deferred->stale = true;
        weir_loop_timer_start(&deferred->timer, RETRY_MS);
    }
    deferred->looking = false;
    return !late || rc != WEIR_OK;
}

void weir_deferred_note(struct deferred *deferred, const struct burst_added *added)
{
    deferred->stale = true;
    look_from(&deferred->due_from, added->due);
    look_from(&deferred->closed_from, added->closed);
}

void weir_deferred_note_all(struct deferred *deferred)
{
    deferred->stale = true;
    deferred->due_from.ms = 0;
    deferred->closed_from.ms = 0;
}

static void timer_fired(struct weir_loop_timer *timer)
{
    struct deferred *deferred = WEIR_CONTAINER(timer, struct deferred, timer);
    weir_pipeline_read_on(deferred->pipeline);
}

struct deferred *weir_deferred_create(struct pipeline *pipeline)
{
    struct deferred *deferred = weir_alloc_zero(1, sizeof(*deferred));
    struct weir_metrics *metrics = pipeline->all->metrics;
    char labels[600];
    snprintf(labels, sizeof(labels), "pipeline=\"%.*s\"", WEIR_STR_ARG(pipeline->model->name));
    deferred->pipeline = pipeline;
    deferred->stale = true;
    deferred->done_post.run = outcome_posted;
    deferred->origin = (struct weir_origin){ settle, left, deferred };
    deferred->deferrals = weir_metrics_counter(metrics, "weir_pipeline_deferred_total", labels,
            "Events that a step put off, to go on later");
    deferred->runs = weir_metrics_counter(metrics, "weir_pipeline_deferred_runs_total", labels,
            "Events that had been put off and went on");
    atomic_store(&deferred->deferrals->value, 0); /* of another time in the set */
    atomic_store(&deferred->runs->value, 0);
    for (size_t i = 0; i < pipeline->model->step_count; i++) {
        deferred->used = deferred->used || pipeline->model->steps[i]->ops->defers;
    }
    if (deferred->used) {
        deferred->fired = weir_alloc_zero(FIRED_BUCKETS, sizeof(struct fired *));
    }
    weir_loop_timer_init(&deferred->timer, pipeline->all->loop, timer_fired);
    return deferred;
}

void weir_deferred_stop(struct deferred *deferred)
{
    weir_loop_timer_fini(&deferred->timer);
}

void weir_deferred_destroy(struct deferred *deferred)
{
    weir_free(deferred->fired);
    weir_free(deferred);
}
