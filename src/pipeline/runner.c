/*
 * Pipelines at run time: attaching to the source, reading, filtering, handing records to
 * lanes, and stopping.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"
#include "value/json.h"

enum {
    LANE_AHEAD_BYTES = 4 * 1024 * 1024,  /* waiting in one lane, besides its batch */
    IDLE_DRIFT_BYTES = 32 * 1024 * 1024, /* then an idle lane's position is written */
    YIELD_RECORDS = 256,                 /* records read between looks at the clock */
};

static const uint64_t yield_after_ns = 500 * 1000;

static void pump(struct pipeline *pipeline);
static void check_stopped(struct weir_pipelines *pipelines);

/* --- reading and filtering -------------------------------------------------------- */

static bool lane_is_full(const struct weir_lane *lane)
{
    return lane->waiting.count >= 2 * lane->pipeline->model->batch ||
           lane->waiting.bytes >= LANE_AHEAD_BYTES;
}

static bool shard_has_room(const struct shard *shard)
{
    for (size_t i = 0; i < shard->lane_count; i++) {
        if (lane_is_full(&shard->lanes[i])) {
            return false;
        }
    }
    return true;
}

/* Whether `when` holds; an error counts as yes with the error kept, so that it is reported. */
static bool condition_passes(
        struct pipeline *pipeline, const struct weir_record *record, struct weir_err *ret_err)
{
    ret_err->code = WEIR_OK;
    if (pipeline->model->when == NULL) {
        return true;
    }
    struct weir_expr_value slots[WEIR_SLOTS_MAX] = { { 0 } };
    if (record->new_image.n > 0) {
        slots[WEIR_SLOT_NEW] = weir_expr_item(record->new_image);
    }
    if (record->old_image.n > 0) {
        slots[WEIR_SLOT_OLD] = weir_expr_item(record->old_image);
    }
    slots[WEIR_SLOT_KEYS] = weir_expr_item(record->keys);
    slots[WEIR_SLOT_EVENT] = weir_expr_string(weir_str_z(weir_event_name(record->event)));
    struct weir_expr_frame frame = {
        .slots = slots,
        .slot_count = pipeline->model->slot_count,
        .arena = &pipeline->filter_arena,
        .now = record->created,
        .clock = weir_loop_clock(pipeline->all->loop),
    };
    bool holds = false;
    enum weir_rc rc = weir_expr_test(pipeline->model->when, &frame, &holds, ret_err);
    weir_arena_reset(&pipeline->filter_arena);
    return rc != WEIR_OK || holds;
}

static void hand_to_lane(
        struct shard *shard, const struct weir_change *change, struct weir_time time)
{
    struct pipeline *pipeline = shard->pipeline;
    uint32_t slot = weir_key_slot(change->key);
    if (change->pos.seq <= shard->skip[slot].seq) {
        return; /* done before the last stop, by a lane that was ahead of others */
    }
    struct weir_record record;
    struct weir_err err;
    weir_table_record(pipeline->source, change, time, &record);
    if (!weir_filter_passes(pipeline, &record) || !condition_passes(pipeline, &record, &err)) {
        weir_counter_add(pipeline->filtered, 1);
        return;
    }
    struct queued *queued = weir_queued_create(&record, change->key, change->hops, WEIR_STR(""));
    if (change->hops >= WEIR_PIPELINE_HOPS_MAX) {
        weir_fail(&err, WEIR_E_LIMIT, "it came through %d pipelines: they write in a circle",
                WEIR_PIPELINE_HOPS_MAX);
    }
    if (err.code != WEIR_OK) {
        queued->failed = true;
        queued->err = err;
    }
    weir_lane_give(weir_shard_lane(shard, change->key), queued);
}

/* The log went on without us: say so once, and go on with what is left. */
static void report_trimmed(struct shard *shard, const struct weir_err *err)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", shard->number);
    weir_logline(WEIR_LOG_ERROR, "pipeline.trimmed", "pipeline", shard->pipeline->model->name.p,
            "shard", number, "reason", err->msg, NULL);
}

/* Read a shard until its end, a full lane, or the time is up. False: the time is up. */
static bool read_shard(struct shard *shard, uint64_t deadline_ns)
{
    const struct weir_clock *clock = weir_loop_clock(shard->pipeline->all->loop);
    for (int n = 1; shard_has_room(shard); n++) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        enum weir_rc rc = weir_log_next(shard->reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            report_trimmed(shard, &err);
            continue;
        }
        if (rc != WEIR_OK) { /* the disk: the next commit or restart tries again */
            weir_logline(WEIR_LOG_ERROR, "pipeline.read_failed", "pipeline",
                    shard->pipeline->model->name.p, "reason", err.msg, NULL);
            return true;
        }
        shard->at_end = !have;
        if (!have) {
            return true;
        }
        shard->read_time = time;
        hand_to_lane(shard, &change, time);
        if (n % YIELD_RECORDS == 0 && weir_clock_monotonic_ns(clock) > deadline_ns) {
            return false;
        }
    }
    return true;
}

static void pump_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, pump_post);
    pipeline->pumping = false;
    pump(pipeline);
    if (pipeline->all->stopping) {
        check_stopped(pipeline->all);
    }
}

/* Commit where an idle lane stands when everything for a long stretch was filtered out. */
static void position_written(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

static bool write_idle_position(struct weir_lane *lane)
{
    struct weir_pos reached = weir_lane_reached(lane);
    if (lane->phase != LANE_WAITING || reached.seq - lane->position.seq < IDLE_DRIFT_BYTES) {
        return false;
    }
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = position_written; /* if it fails, more is filtered again after a restart */
    weir_position_put(txn, lane, reached);
    lane->position = reached;
    weir_store_submit(lane->pipeline->all->store, txn);
    return true;
}

static struct weir_pos least_position(const struct pipeline *pipeline)
{
    struct weir_pos least = { UINT64_MAX };
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        for (size_t k = 0; k < pipeline->shards[i].lane_count; k++) {
            struct weir_pos reached = pipeline->shards[i].lanes[k].position;
            least = reached.seq < least.seq ? reached : least;
        }
    }
    return least;
}

static void pump(struct pipeline *pipeline)
{
    bool idle = pipeline->phase != PIPELINE_RUNNING || pipeline->leaving;
    if (idle || pipeline->pumping || pipeline->all->stopping) {
        return;
    }
    const struct weir_clock *clock = weir_loop_clock(pipeline->all->loop);
    uint64_t deadline_ns = weir_clock_monotonic_ns(clock) + yield_after_ns;
    bool finished = true;
    bool drifted = false;
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        struct shard *shard = &pipeline->shards[i];
        finished = read_shard(shard, deadline_ns) && finished;
        for (size_t k = 0; k < shard->lane_count; k++) {
            weir_lane_consider(&shard->lanes[k]);
            drifted = write_idle_position(&shard->lanes[k]) || drifted;
        }
    }
    if (drifted) {
        weir_store_hold_move(pipeline->all->store, &pipeline->hold, least_position(pipeline));
    }
    if (!finished) {
        pipeline->pumping = true;
        weir_loop_defer(pipeline->all->loop, &pipeline->pump_post);
    }
}

/* --- waking ----------------------------------------------------------------------------- */

static void source_changed(struct weir_watch *watch)
{
    struct pipeline *pipeline = WEIR_CONTAINER(watch, struct pipeline, watch);
    if (!atomic_exchange(&pipeline->woken, true)) {
        weir_loop_post(pipeline->all->loop, &pipeline->wake_post);
    }
}

static void wake_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, wake_post);
    atomic_store(&pipeline->woken, false);
    pump(pipeline);
}

void weir_pipeline_moved(struct pipeline *pipeline)
{
    weir_store_hold_move(pipeline->all->store, &pipeline->hold, least_position(pipeline));
    pump(pipeline);
    if (pipeline->all->stopping) {
        check_stopped(pipeline->all);
    } else if (pipeline->leaving && pipeline->in_flight == 0) {
        weir_pipelines_catalogue_changed(pipeline->all); /* posts: the caller is one of the lanes */
    }
}

/* --- attaching to the source ---------------------------------------------------------------- */

static size_t lanes_of_shard(const struct pipeline *pipeline, size_t shards)
{
    size_t lanes = (pipeline->model->concurrency + shards - 1) / shards;
    return lanes < WEIR_PIPELINE_SLOTS ? lanes : WEIR_PIPELINE_SLOTS;
}

static void start_position(struct pipeline *pipeline, struct weir_pos *slots)
{
    struct weir_pos start = { 0 };
    if (pipeline->model->start == WEIR_START_LATEST) {
        start = weir_log_end(weir_store_log(pipeline->all->store));
    }
    for (size_t i = 0; i < WEIR_PIPELINE_SLOTS; i++) {
        slots[i] = start;
    }
}

static struct weir_pos least_slot(const struct weir_pos *slots, size_t first, size_t count)
{
    struct weir_pos least = slots[first];
    for (size_t i = first; i < first + count; i++) {
        least = slots[i].seq < least.seq ? slots[i] : least;
    }
    return least;
}

static enum weir_rc attach_shard(
        struct pipeline *pipeline, struct shard *shard, struct weir_txn *txn, struct weir_err *err)
{
    bool any = false;
    enum weir_rc rc = weir_position_load(pipeline, shard->number, shard->skip, &any, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (!any) {
        start_position(pipeline, shard->skip);
    }
    weir_position_replace(txn, pipeline, shard, shard->skip);
    shard->lane_count = lanes_of_shard(pipeline, pipeline->shard_count);
    shard->lanes = weir_alloc_zero(shard->lane_count, sizeof(struct weir_lane));
    for (size_t i = 0; i < shard->lane_count; i++) {
        /* The slots whose records hand_to_lane gives to lane i. */
        size_t first = (i * WEIR_PIPELINE_SLOTS + shard->lane_count - 1) / shard->lane_count;
        size_t end = ((i + 1) * WEIR_PIPELINE_SLOTS + shard->lane_count - 1) / shard->lane_count;
        weir_lane_init(&shard->lanes[i], shard, (uint32_t)first, (uint32_t)(end - first),
                least_slot(shard->skip, first, end - first));
    }
    struct weir_log_filter filter = {
        .space = pipeline->source->space,
        .shard = (int32_t)shard->number,
    };
    shard->reader = weir_log_reader_create(weir_store_log(pipeline->all->store), filter,
            least_slot(shard->skip, 0, WEIR_PIPELINE_SLOTS));
    return WEIR_OK;
}

static void detach(struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        struct shard *shard = &pipeline->shards[i];
        weir_log_reader_destroy(shard->reader);
        for (size_t k = 0; k < shard->lane_count; k++) {
            weir_lane_fini(&shard->lanes[k]);
        }
        weir_free(shard->lanes);
    }
    weir_free(pipeline->shards);
    pipeline->shards = NULL;
    pipeline->shard_count = 0;
    if (pipeline->watching) {
        weir_store_unwatch(pipeline->all->store, &pipeline->watch);
        weir_store_unhold(pipeline->all->store, &pipeline->hold);
        pipeline->watching = false;
    }
    weir_table_unref(pipeline->source);
    pipeline->source = NULL;
    pipeline->queue = NULL;
    pipeline->queue_last = &pipeline->queue;
    pipeline->in_flight = 0;
    pipeline->leaving = false;
}

static void wait_for_source(struct pipeline *pipeline, const struct weir_err *why)
{
    bool news = pipeline->why.code == WEIR_OK;
    pipeline->phase = PIPELINE_NO_SOURCE;
    pipeline->why = *why;
    if (news) {
        weir_logline(WEIR_LOG_WARN, "pipeline.waits_for_source", "pipeline",
                pipeline->model->name.p, "reason", why->msg, NULL);
    }
}

static enum weir_rc find_source(struct pipeline *pipeline, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_tables_get(pipeline->all->tables, pipeline->model->table, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (table->view == WEIR_VIEW_NONE) {
        weir_table_unref(table);
        return weir_fail(err, WEIR_E_NOT_FOUND, "table %.*s has no stream",
                WEIR_STR_ARG(pipeline->model->table));
    }
    pipeline->source = table;
    return WEIR_OK;
}

/* Find the source, read positions, make shards and lanes, write the positions anew. */
static enum weir_rc attach(struct pipeline *pipeline, struct weir_err *err)
{
    enum weir_rc rc = find_source(pipeline, err);
    if (rc == WEIR_E_NOT_FOUND) {
        wait_for_source(pipeline, err);
        return WEIR_OK;
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done =
            position_written; /* before any position of a lane; if it fails, the old ones hold */
    pipeline->shard_count = pipeline->source->shards;
    pipeline->shards = weir_alloc_zero(pipeline->shard_count, sizeof(struct shard));
    for (size_t i = 0; rc == WEIR_OK && i < pipeline->shard_count; i++) {
        pipeline->shards[i].pipeline = pipeline;
        pipeline->shards[i].number = (uint32_t)i;
        rc = attach_shard(pipeline, &pipeline->shards[i], txn, err);
    }
    if (rc != WEIR_OK) {
        weir_txn_destroy(txn);
        detach(pipeline);
        return rc;
    }
    weir_store_submit(pipeline->all->store, txn);
    pipeline->hold.pos = least_position(pipeline);
    weir_store_hold(pipeline->all->store, &pipeline->hold);
    pipeline->watch.space = pipeline->source->space;
    weir_store_watch(pipeline->all->store, &pipeline->watch);
    pipeline->watching = true;
    pipeline->phase = PIPELINE_RUNNING;
    pipeline->why.code = WEIR_OK;
    source_changed(&pipeline->watch);
    return WEIR_OK;
}

/* --- the catalogue ---------------------------------------------------------------------------- */

static bool source_is_current(struct pipeline *pipeline)
{
    const struct weir_table *now = NULL;
    if (weir_tables_get(pipeline->all->tables, pipeline->model->table, &now, NULL) != WEIR_OK) {
        return false;
    }
    bool same = now->space == pipeline->source->space && now->view == pipeline->source->view;
    weir_table_unref(now);
    return same;
}

static void unblock_lanes(struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        for (size_t k = 0; k < pipeline->shards[i].lane_count; k++) {
            weir_lane_unblock(&pipeline->shards[i].lanes[k]);
        }
    }
}

static void look_again(struct pipeline *pipeline)
{
    if (pipeline->phase == PIPELINE_RUNNING && !source_is_current(pipeline)) {
        pipeline->leaving = true; /* what is in flight finishes; weir_pipeline_moved looks again */
        pipeline->queue = NULL;
        pipeline->queue_last = &pipeline->queue;
    }
    if (pipeline->leaving && pipeline->in_flight == 0) {
        detach(pipeline);
        pipeline->phase = PIPELINE_NO_SOURCE;
    }
    if (pipeline->phase == PIPELINE_NO_SOURCE) {
        struct weir_err err;
        if (attach(pipeline, &err) != WEIR_OK) {
            wait_for_source(pipeline, &err);
        }
    }
    unblock_lanes(pipeline);
}

static void tables_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, tables_post);
    atomic_store(&pipelines->tables_woken, false);
    for (struct pipeline *p = pipelines->first; p != NULL && !pipelines->stopping; p = p->next) {
        look_again(p);
    }
}

void weir_pipelines_catalogue_changed(struct weir_pipelines *pipelines)
{
    if (!atomic_exchange(&pipelines->tables_woken, true)) {
        weir_loop_post(pipelines->loop, &pipelines->tables_post);
    }
}

/* --- the set -------------------------------------------------------------------------------------
 */

static void stopped_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, stopped_post);
    pipelines->stopped(pipelines->stopped_arg);
}

/* Pipelines whose sources are quiet move on with the log, so that they do not hold it. */
static void log_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, log_post);
    atomic_store(&pipelines->log_woken, false);
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        pump(p);
    }
}

static void log_rolled(struct weir_watch *watch)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(watch, struct weir_pipelines, log_watch);
    if (!atomic_exchange(&pipelines->log_woken, true)) {
        weir_loop_post(pipelines->loop, &pipelines->log_post);
    }
}

struct weir_pipelines *weir_pipelines_create(const struct weir_pipelines_options *options)
{
    struct weir_pipelines *pipelines = weir_alloc_zero(1, sizeof(*pipelines));
    pipelines->loop = options->loop;
    pipelines->tables = options->tables;
    pipelines->queues = options->queues;
    pipelines->store = weir_tables_store(options->tables);
    pipelines->metrics = options->metrics;
    pipelines->tables_post.run = tables_posted;
    pipelines->stopped_post.run = stopped_posted;
    pipelines->log_post.run = log_posted;
    pipelines->log_watch.space = WEIR_SPACE_STORE;
    pipelines->log_watch.wake = log_rolled;
    weir_store_watch(pipelines->store, &pipelines->log_watch);
    return pipelines;
}

static void make_metrics(struct pipeline *pipeline, struct weir_metrics *metrics)
{
    char labels[600];
    snprintf(labels, sizeof(labels), "pipeline=\"%.*s\"", WEIR_STR_ARG(pipeline->model->name));
    pipeline->records = weir_metrics_counter(metrics, "weir_pipeline_records_total", labels,
            "Records processed, failed ones included");
    pipeline->filtered = weir_metrics_counter(
            metrics, "weir_pipeline_filtered_total", labels, "Records that the filter left out");
    pipeline->batches = weir_metrics_counter(
            metrics, "weir_pipeline_batches_total", labels, "Transactions committed");
    pipeline->errors = weir_metrics_counter(
            metrics, "weir_pipeline_errors_total", labels, "Records that could not be processed");
    pipeline->conflicts = weir_metrics_counter(metrics, "weir_pipeline_conflicts_total", labels,
            "Batches run again because something they read had changed");
    pipeline->batch_sizes = weir_metrics_histogram(
            metrics, "weir_pipeline_batch_records", labels, "Records in a transaction", 1, 1);
    pipeline->duration = weir_metrics_histogram(metrics, "weir_pipeline_duration_seconds", labels,
            "From the start of a batch to its commit", 50, 1e-6);
    pipeline->age = weir_metrics_gauge(metrics, "weir_pipeline_oldest_unprocessed_milliseconds",
            labels, "Age of the oldest record that is not processed");
    pipeline->waiting = weir_metrics_gauge(
            metrics, "weir_pipeline_waiting_records", labels, "Records read and not yet committed");
}

enum weir_rc weir_pipelines_add(
        struct weir_pipelines *pipelines, struct weir_pipeline_model *model, struct weir_err *err)
{
    struct pipeline *pipeline = weir_alloc_zero(1, sizeof(*pipeline));
    pipeline->all = pipelines;
    pipeline->model = model;
    pipeline->queue_last = &pipeline->queue;
    pipeline->watch.wake = source_changed;
    pipeline->wake_post.run = wake_posted;
    pipeline->pump_post.run = pump_posted;
    weir_filter_join(pipeline);
    weir_arena_init(&pipeline->filter_arena);
    make_metrics(pipeline, pipelines->metrics);
    pipeline->next = pipelines->first;
    pipelines->first = pipeline;
    return attach(pipeline, err);
}

/* Runs behind the posts that are embedded in what it frees. */
static void free_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, free_post);
    while (pipelines->first != NULL) {
        struct pipeline *pipeline = pipelines->first;
        pipelines->first = pipeline->next;
        weir_pipeline_model_destroy(pipeline->model);
        weir_arena_fini(&pipeline->filter_arena);
        weir_free(pipeline);
    }
    weir_filter_destroy_all(pipelines);
    weir_free(pipelines);
}

void weir_pipelines_destroy(struct weir_pipelines *pipelines)
{
    if (pipelines == NULL) {
        return;
    }
    pipelines->stopping = true;
    weir_store_unwatch(pipelines->store, &pipelines->log_watch);
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        p->phase = PIPELINE_STOPPED;
        detach(p);
    }
    pipelines->free_post.run = free_posted;
    weir_loop_post(pipelines->loop, &pipelines->free_post);
}

/* --- stopping ----------------------------------------------------------------------------------
 */

static void final_position_written(struct weir_txn *txn)
{
    struct weir_pipelines *pipelines = txn->arg;
    weir_txn_destroy(txn);
    weir_loop_post(pipelines->loop, &pipelines->stopped_post);
}

static void write_final_positions(struct weir_pipelines *pipelines)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        for (size_t i = 0; i < p->shard_count; i++) {
            for (size_t k = 0; k < p->shards[i].lane_count; k++) {
                const struct weir_lane *lane = &p->shards[i].lanes[k];
                weir_position_put(txn, lane, weir_lane_reached(lane));
            }
        }
        p->phase = PIPELINE_STOPPED;
    }
    txn->done = final_position_written;
    txn->arg = pipelines;
    weir_store_submit(pipelines->store, txn);
}

static void check_stopped(struct weir_pipelines *pipelines)
{
    for (const struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        if (p->in_flight > 0 || p->pumping || p->phase == PIPELINE_STOPPED) {
            return;
        }
    }
    write_final_positions(pipelines);
}

void weir_pipelines_stop(struct weir_pipelines *pipelines, void (*stopped)(void *arg), void *arg)
{
    pipelines->stopping = true;
    pipelines->stopped = stopped;
    pipelines->stopped_arg = arg;
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        p->queue = NULL; /* batches that have not begun are read again at the next start */
        p->queue_last = &p->queue;
        weir_store_unwatch(pipelines->store, &p->watch);
    }
    check_stopped(pipelines);
}

/* --- telling ------------------------------------------------------------------------------------
 */

struct lag {
    uint64_t waiting;
    int64_t oldest_ms; /* INT64_MAX: nothing waits */
    const struct weir_lane *blocked;
};

static void add_oldest(struct lag *lag, const struct queued *queued)
{
    if (queued != NULL && queued->record.created.ms < lag->oldest_ms) {
        lag->oldest_ms = queued->record.created.ms;
    }
}

static struct lag measure(const struct pipeline *pipeline)
{
    struct lag lag = { .oldest_ms = INT64_MAX };
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        const struct shard *shard = &pipeline->shards[i];
        for (size_t k = 0; k < shard->lane_count; k++) {
            const struct weir_lane *lane = &shard->lanes[k];
            lag.waiting += lane->waiting.count + lane->taken.count;
            add_oldest(&lag, lane->taken.count > 0 ? lane->taken.first : NULL);
            add_oldest(&lag, lane->waiting.count > 0 ? lane->waiting.first : NULL);
            if (lane->phase == LANE_BLOCKED) {
                lag.blocked = lane;
            }
        }
        if (!shard->at_end && shard->read_time.ms != 0 && shard->read_time.ms < lag.oldest_ms) {
            lag.oldest_ms = shard->read_time.ms;
        }
    }
    return lag;
}

static int64_t age_of(const struct pipeline *pipeline, const struct lag *lag)
{
    if (lag->oldest_ms == INT64_MAX) {
        return 0;
    }
    int64_t now = weir_clock_wall(weir_loop_clock(pipeline->all->loop)).ms;
    return now > lag->oldest_ms ? now - lag->oldest_ms : 0;
}

void weir_pipelines_refresh(struct weir_pipelines *pipelines)
{
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        struct lag lag = measure(p);
        weir_gauge_set(p->age, age_of(p, &lag));
        weir_gauge_set(p->waiting, (int64_t)lag.waiting);
    }
}

/* Whether everything that was committed so far has been read. */
static bool is_at_end(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->shard_count; i++) {
        if (!pipeline->shards[i].at_end) {
            return false;
        }
    }
    return !atomic_load(&pipeline->woken);
}

static void write_status(const struct pipeline *pipeline, struct weir_buf *buf)
{
    static const char *const phases[] = { "waiting for source", "running", "stopped" };
    struct lag lag = measure(pipeline);
    const char *state = lag.blocked != NULL ? "blocked" : phases[pipeline->phase];
    const char *reason = lag.blocked != NULL                     ? lag.blocked->why.msg
                         : pipeline->phase == PIPELINE_NO_SOURCE ? pipeline->why.msg
                                                                 : "";
    weir_buf_z(buf, "{\"name\":");
    weir_json_write_string(buf, pipeline->model->name);
    weir_buf_z(buf, ",\"source\":");
    weir_json_write_string(buf, pipeline->model->table);
    weir_buf_printf(buf,
            ",\"state\":\"%s\",\"records\":%llu,\"filtered\":%llu,\"batches\":%llu,"
            "\"errors\":%llu,\"conflicts\":%llu,\"waiting\":%llu,\"oldest_unprocessed_ms\":%lld,"
            "\"at_end\":%s",
            state, (unsigned long long)atomic_load(&pipeline->records->value),
            (unsigned long long)atomic_load(&pipeline->filtered->value),
            (unsigned long long)atomic_load(&pipeline->batches->value),
            (unsigned long long)atomic_load(&pipeline->errors->value),
            (unsigned long long)atomic_load(&pipeline->conflicts->value),
            (unsigned long long)lag.waiting, (long long)age_of(pipeline, &lag),
            is_at_end(pipeline) && lag.waiting == 0 ? "true" : "false");
    if (pipeline->model->dead_letters.n > 0) {
        weir_buf_z(buf, ",\"dead_letters\":");
        weir_json_write_string(buf, pipeline->model->dead_letters);
    }
    if (reason[0] != '\0') {
        weir_buf_z(buf, ",\"reason\":");
        weir_json_write_string(buf, weir_str_z(reason));
    }
    weir_buf_byte(buf, '}');
}

void weir_pipelines_status(struct weir_pipelines *pipelines, struct weir_buf *buf)
{
    weir_buf_byte(buf, '[');
    for (const struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        if (p != pipelines->first) {
            weir_buf_byte(buf, ',');
        }
        write_status(p, buf);
    }
    weir_buf_byte(buf, ']');
}
