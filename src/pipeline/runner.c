/* Pipelines at run time: places for batches, reading on, waking, starting and stopping. */
#include <stdio.h>

#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/deferred_int.h"
#include "pipeline/pipeline_int.h"

enum {
    IDLE_DRIFT_BYTES = 32 * 1024 * 1024, /* then an idle lane's position is written */
    STOP_PATIENCE_MS = 5 * 1000,         /* for answers that are awaited at the end */
};

static const uint64_t yield_after_ns = 500 * 1000;

/* --- places for batches ------------------------------------------------------------- */

void weir_pipeline_schedule(struct pipeline *pipeline)
{
    const struct weir_pipeline_model *model = pipeline->model;
    while (pipeline->queue != NULL &&
            (model->per_shard > 0 || pipeline->in_flight < model->concurrency)) {
        struct weir_lane *lane = pipeline->queue;
        pipeline->queue = lane->next_queued;
        if (pipeline->queue == NULL) {
            pipeline->queue_last = &pipeline->queue;
        }
        pipeline->in_flight++;
        lane->shard->source->in_flight++;
        lane->phase = LANE_RUNNING;
        lane->began_ns = weir_clock_monotonic_ns(weir_loop_clock(pipeline->all->loop));
        weir_loop_defer(pipeline->all->loop, &lane->run_post);
    }
}

/* --- reading on ------------------------------------------------------------------------ */

static void position_written(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

/* Commit where an idle lane stands when everything for a long stretch was filtered out. */
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
    weir_position_put(txn, WEIR_SPACE_POSITION, lane, reached);
    lane->position = reached;
    weir_store_submit(lane->pipeline->all->store, txn);
    return true;
}

void weir_pipeline_read_on(struct pipeline *pipeline)
{
    if (pipeline->stopped || pipeline->leaving || pipeline->pumping || pipeline->all->stopping) {
        return;
    }
    const struct weir_clock *clock = weir_loop_clock(pipeline->all->loop);
    uint64_t deadline_ns = weir_clock_monotonic_ns(clock) + yield_after_ns;
    bool finished = true;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        finished = weir_source_read(&pipeline->sources[i], deadline_ns) && finished;
    }
    finished = weir_job_feed(pipeline, deadline_ns) && finished;
    bool drifted = false;
    WEIR_EACH_LANE(pipeline, lane)
    {
        drifted = (!lane->shard->source->leaving && write_idle_position(lane)) || drifted;
    }
    for (size_t i = 0; drifted && i < pipeline->source_count; i++) {
        weir_source_move_hold(&pipeline->sources[i]);
    }
    finished = weir_deferred_look(pipeline->deferred) && finished;
    if (!finished) {
        pipeline->pumping = true;
        weir_loop_defer(pipeline->all->loop, &pipeline->pump_post);
    }
    weir_windows_look(pipeline);
    for (size_t i = 0; i < pipeline->source_count; i++) {
        weir_source_check_drained(&pipeline->sources[i]);
    }
}

static void pump_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, pump_post);
    pipeline->pumping = false;
    weir_pipeline_read_on(pipeline);
    if (pipeline->all->stopping) {
        weir_pipelines_check_stopped(pipeline->all);
    } else {
        weir_pipeline_check_left(pipeline);
    }
}

/* --- waking ----------------------------------------------------------------------------- */

void weir_pipeline_wake(struct pipeline *pipeline)
{
    if (!atomic_exchange(&pipeline->woken, true)) {
        weir_loop_post(pipeline->all->loop, &pipeline->wake_post);
    }
}

static void wake_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, wake_post);
    atomic_store(&pipeline->woken, false);
    weir_pipeline_read_on(pipeline);
}

void weir_lane_moved(struct weir_lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    struct source *source = lane->shard->source;
    weir_source_move_hold(source);
    weir_pipeline_read_on(pipeline);
    if (pipeline->all->stopping) {
        weir_pipelines_check_stopped(pipeline->all);
    } else if (pipeline->leaving) {
        weir_pipeline_check_left(pipeline);
    } else if (source->leaving && source->in_flight == 0) {
        weir_pipelines_catalogue_changed(pipeline->all); /* posts: the caller is one of the lanes */
    }
}

/* --- the catalogue ---------------------------------------------------------------------------- */

static void tables_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, tables_post);
    atomic_store(&pipelines->tables_woken, false);
    for (struct pipeline *p = pipelines->first; p != NULL && !pipelines->stopping; p = p->next) {
        if (p->leaving) {
            continue;
        }
        for (size_t i = 0; i < p->source_count; i++) {
            weir_source_look_again(&p->sources[i]);
        }
        WEIR_EACH_LANE(p, lane)
        {
            weir_lane_unblock(lane);
        }
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
    for (struct pipeline *p = pipelines->first; p != NULL && !pipelines->stopping; p = p->next) {
        struct room room;
        for (size_t i = 0; i < p->source_count; i++) {
            weir_source_check_log(&p->sources[i]);
        }
        weir_pipeline_read_on(p);
        weir_pipeline_room(p, &room);
    }
}

static void log_rolled(struct weir_watch *watch)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(watch, struct weir_pipelines, log_watch);
    if (!atomic_exchange(&pipelines->log_woken, true)) {
        weir_loop_post(pipelines->loop, &pipelines->log_post);
    }
}

static void patience_over(struct weir_loop_timer *timer);

struct weir_pipelines *weir_pipelines_create(const struct weir_pipelines_options *options)
{
    struct weir_pipelines *pipelines = weir_alloc_zero(1, sizeof(*pipelines));
    pipelines->loop = options->loop;
    pipelines->tables = options->tables;
    pipelines->queues = options->queues;
    pipelines->functions = options->functions;
    pipelines->outbox = options->outbox;
    pipelines->simulates = options->simulates;
    pipelines->store = weir_tables_store(options->tables);
    pipelines->metrics = options->metrics;
    pipelines->tables_post.run = tables_posted;
    pipelines->stopped_post.run = stopped_posted;
    pipelines->log_post.run = log_posted;
    weir_random_init(&pipelines->random);
    pipelines->log_watch.space = WEIR_SPACE_STORE;
    pipelines->log_watch.wake = log_rolled;
    weir_store_watch(pipelines->store, &pipelines->log_watch);
    weir_loop_timer_init(&pipelines->stop_timer, pipelines->loop, patience_over);
    return pipelines;
}

/* A pipeline that comes back counts from zero. */
static struct weir_counter *count_anew(
        struct weir_metrics *metrics, const char *name, const char *labels, const char *help)
{
    struct weir_counter *counter = weir_metrics_counter(metrics, name, labels, help);
    atomic_store(&counter->value, 0);
    return counter;
}

static void make_metrics(struct pipeline *pipeline, struct weir_metrics *metrics)
{
    char labels[600];
    snprintf(labels, sizeof(labels), "pipeline=\"%.*s\"", WEIR_STR_ARG(pipeline->model->name));
    pipeline->records = count_anew(metrics, "weir_pipeline_records_total", labels,
            "Records processed, failed ones included; those in quarantine when they are released");
    pipeline->filtered = count_anew(
            metrics, "weir_pipeline_filtered_total", labels, "Records that the filter left out");
    pipeline->batches =
            count_anew(metrics, "weir_pipeline_batches_total", labels, "Transactions committed");
    pipeline->errors = count_anew(
            metrics, "weir_pipeline_errors_total", labels, "Records that could not be processed");
    pipeline->conflicts = count_anew(metrics, "weir_pipeline_conflicts_total", labels,
            "Batches run again because something they read had changed");
    pipeline->retries = count_anew(metrics, "weir_pipeline_retries_total", labels,
            "Batches tried again because a step's target had failed");
    pipeline->read_units = count_anew(metrics, "weir_pipeline_read_units_total", labels,
            "Items that steps read, in DynamoDB's units: 4 KiB of an item each");
    pipeline->batch_sizes = weir_metrics_histogram(
            metrics, "weir_pipeline_batch_records", labels, "Records in a transaction", 1, 1);
    pipeline->duration = weir_metrics_histogram(metrics, "weir_pipeline_duration_seconds", labels,
            "From the start of a batch to its commit", 50, 1e-6);
    pipeline->age = weir_metrics_gauge(metrics, "weir_pipeline_oldest_unprocessed_milliseconds",
            labels, "Age of the oldest record that is not processed");
    pipeline->parked = weir_metrics_gauge(metrics, "weir_pipeline_parked_records", labels,
            "Records that wait for a failed one of their item, that one included");
    pipeline->waiting = weir_metrics_gauge(
            metrics, "weir_pipeline_waiting_records", labels, "Records read and not yet committed");
    pipeline->behind = weir_metrics_gauge(metrics, "weir_pipeline_records_behind", labels,
            "Records of the sources that are not processed; the most there can be");
    pipeline->room = weir_metrics_gauge(metrics, "weir_pipeline_log_room_bytes", labels,
            "What can be written until records are lost that the pipeline has not processed");
    pipeline->room_seconds = weir_metrics_gauge(metrics, "weir_pipeline_log_room_seconds", labels,
            "How long that takes at the present rate; at most ten years");
    pipeline->lost = count_anew(metrics, "weir_pipeline_lost_records_total", labels,
            "Records that went with the log at its bound before they were read");
    if (pipeline->model->dead_letters.n > 0) {
        pipeline->letters_written = count_anew(metrics, "weir_pipeline_dead_letters_total", labels,
                "Records that became dead letters");
    }
    if (weir_letters_are_kept(pipeline->model)) {
        pipeline->letters = weir_metrics_gauge(metrics, "weir_pipeline_dead_letters", labels,
                "Dead letters that are there now; of a queue, all its messages");
        pipeline->oldest_letter =
                weir_metrics_gauge(metrics, "weir_pipeline_oldest_dead_letter_seconds", labels,
                        "Age of the oldest dead letter");
    }
}

struct pipeline *weir_pipeline_find(struct weir_pipelines *pipelines, struct weir_str name)
{
    struct pipeline *pipeline = pipelines->first;
    while (pipeline != NULL && !weir_str_eq(pipeline->model->name, name)) {
        pipeline = pipeline->next;
    }
    return pipeline;
}

enum weir_rc weir_pipelines_add(
        struct weir_pipelines *pipelines, struct weir_pipeline_model *model, struct weir_err *err)
{
    struct pipeline *pipeline = weir_alloc_zero(1, sizeof(*pipeline));
    pipeline->all = pipelines;
    pipeline->model = model;
    pipeline->queue_last = &pipeline->queue;
    pipeline->wake_post.run = wake_posted;
    pipeline->pump_post.run = pump_posted;
    weir_arena_init(&pipeline->filter_arena);
    make_metrics(pipeline, pipelines->metrics);
    weir_mark_init(&pipeline->mark, pipeline);
    weir_windows_init(pipeline);
    pipeline->deferred = weir_deferred_create(pipeline);
    weir_quarantine_create(pipeline);
    pipeline->claims = weir_claims_create();
    bool of_queue = model->queue.n > 0;
    pipeline->source_count = of_queue ? 1 : model->table_count;
    pipeline->sources = weir_alloc_zero(pipeline->source_count, sizeof(*pipeline->sources));
    pipeline->next = pipelines->first;
    pipelines->first = pipeline;
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        weir_source_init(
                &pipeline->sources[i], pipeline, of_queue ? model->queue : model->tables[i]);
    }
    rc = weir_gaps_load(pipeline, err);
    if (rc == WEIR_OK) {
        rc = weir_job_load(pipeline, err);
    }
    for (size_t i = 0; rc == WEIR_OK && i < pipeline->source_count; i++) {
        rc = weir_source_attach(&pipeline->sources[i], err);
    }
    return rc;
}

void weir_pipeline_destroy(struct pipeline *pipeline)
{
    weir_gaps_destroy(pipeline);
    weir_job_destroy(pipeline->job);
    weir_pipeline_model_destroy(pipeline->model);
    weir_arena_fini(&pipeline->filter_arena);
    weir_deferred_destroy(pipeline->deferred);
    weir_free(pipeline->quarantine);
    weir_claims_destroy(pipeline->claims);
    weir_free(pipeline->sources);
    weir_free(pipeline);
}

/* Runs behind the posts that are embedded in what it frees. */
static void free_posted(struct weir_post *post)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(post, struct weir_pipelines, free_post);
    while (pipelines->first != NULL) {
        struct pipeline *pipeline = pipelines->first;
        pipelines->first = pipeline->next;
        weir_pipeline_destroy(pipeline);
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
    weir_loop_timer_fini(&pipelines->stop_timer);
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        p->stopped = true;
        weir_letter_gauges_fini(p);
        for (size_t i = 0; i < p->source_count; i++) {
            weir_source_detach(&p->sources[i]);
        }
        weir_deferred_stop(p->deferred);
        weir_windows_stop(p);
        weir_mark_stop(&p->mark);
    }
    weir_letter_writer_destroy(pipelines->letter_writer);
    pipelines->free_post.run = free_posted;
    weir_loop_post(pipelines->loop, &pipelines->free_post);
}

/* --- stopping --------------------------------------------------------------------------------- */

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
        WEIR_EACH_LANE(p, lane)
        {
            if (!lane->unsure) { /* what is stored may be further than the lane knows */
                weir_position_put(txn, WEIR_SPACE_POSITION, lane, weir_lane_reached(lane));
            }
            weir_intake_give_back(lane, txn);
        }
        p->stopped = true;
    }
    txn->done = final_position_written;
    txn->arg = pipelines;
    weir_store_submit(pipelines->store, txn);
}

bool weir_pipeline_is_receiving(const struct pipeline *pipeline)
{
    bool any = false;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        any = any || weir_intake_is_receiving(&pipeline->sources[i]);
    }
    return any;
}

void weir_pipelines_check_stopped(struct weir_pipelines *pipelines)
{
    for (const struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        if (p->in_flight > 0 || p->pumping || p->stopped || weir_pipeline_is_receiving(p)) {
            return;
        }
    }
    weir_loop_timer_stop(&pipelines->stop_timer);
    write_final_positions(pipelines);
}

/* What is still awaited is asked for again at the next start. */
static void patience_over(struct weir_loop_timer *timer)
{
    struct weir_pipelines *pipelines = WEIR_CONTAINER(timer, struct weir_pipelines, stop_timer);
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        WEIR_EACH_LANE(p, lane)
        {
            if (lane->phase == LANE_PENDING) {
                weir_lane_cancel(lane);
            }
        }
    }
    weir_pipelines_check_stopped(pipelines);
}

void weir_pipelines_stop(struct weir_pipelines *pipelines, void (*stopped)(void *arg), void *arg)
{
    pipelines->stopping = true;
    pipelines->stopped = stopped;
    pipelines->stopped_arg = arg;
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        p->queue = NULL; /* batches that have not begun are read again at the next start */
        p->queue_last = &p->queue;
        for (size_t i = 0; i < p->source_count; i++) {
            weir_intake_stop(&p->sources[i]);
            if (p->sources[i].watch.space != 0) {
                weir_store_unwatch(pipelines->store, &p->sources[i].watch);
            }
        }
    }
    weir_loop_timer_start(&pipelines->stop_timer, STOP_PATIENCE_MS);
    weir_pipelines_check_stopped(pipelines);
}
