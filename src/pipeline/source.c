/* A pipeline's source: finding its table, reading its stream, handing records to lanes. */
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/deferred_int.h"
#include "pipeline/pipeline_int.h"

enum {
    LANE_AHEAD_BYTES = 4 * 1024 * 1024, /* waiting in one lane, besides its batch */
    YIELD_RECORDS = 256,                /* records read between looks at the clock */
};

/* --- reading and filtering -------------------------------------------------------- */

static bool lane_is_full(const struct weir_lane *lane)
{
    return lane->waiting.count >= 2 * lane->pipeline->model->batch ||
           lane->waiting.bytes >= LANE_AHEAD_BYTES;
}

bool weir_shard_has_room(const struct shard *shard)
{
    if (shard->source->pipeline->untold > 0) {
        return false;
    }
    for (size_t i = 0; i < shard->lane_count; i++) {
        if (lane_is_full(&shard->lanes[i])) {
            return false;
        }
    }
    return true;
}

/* Whether `when` holds; an error counts as yes with the error kept, so that it is reported. */
static bool condition_holds(
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

bool weir_source_passes(
        struct source *source, const struct weir_record *record, struct weir_err *ret_err)
{
    ret_err->code = WEIR_OK;
    return weir_filter_passes(source, record) && condition_holds(source->pipeline, record, ret_err);
}

static void hand_to_lane(
        struct shard *shard, const struct weir_change *change, struct weir_time time)
{
    struct source *source = shard->source;
    struct pipeline *pipeline = source->pipeline;
    uint32_t slot = weir_key_slot(change->key);
    if (change->pos.seq <= shard->skip[slot].seq) {
        return; /* done before the last stop, by a lane that was ahead of others */
    }
    struct weir_record record;
    struct weir_err err;
    weir_table_record(source->table, change, time, &record);
    if (!weir_source_passes(source, &record, &err)) {
        weir_counter_add(pipeline->filtered, 1);
        return;
    }
    struct queued *queued =
            weir_queued_create(&record, change->key, change->hops, NULL, WEIR_STR(""));
    if (change->hops >= WEIR_PIPELINE_HOPS_MAX) {
        weir_fail(&err, WEIR_E_LIMIT, "it came through %d pipelines: they write in a circle",
                WEIR_PIPELINE_HOPS_MAX);
    }
    if (err.code != WEIR_OK) {
        queued->failed = true;
        queued->attempts = 1;
        queued->err = err;
    }
    weir_lane_give(weir_shard_lane(shard, change->key), queued);
}

/* Read a shard until its end, a full lane, or the time is up. False: the time is up. */
static bool read_shard(struct shard *shard, uint64_t deadline_ns)
{
    const struct pipeline *pipeline = shard->source->pipeline;
    const struct weir_clock *clock = weir_loop_clock(pipeline->all->loop);
    for (int n = 1; weir_shard_has_room(shard); n++) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        enum weir_rc rc = weir_log_next(shard->reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            weir_gap_found(shard);
            continue;
        }
        if (rc != WEIR_OK) { /* the disk: the next commit or restart tries again */
            weir_logline(WEIR_LOG_ERROR, "pipeline.read_failed", "pipeline",
                    pipeline->model->name.p, "reason", err.msg, NULL);
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

bool weir_source_read(struct source *source, uint64_t deadline_ns)
{
    bool finished = true;
    if (source->of_queue) {
        weir_intake_go_on(source);
        return true;
    }
    for (size_t i = 0; i < source->shard_count && !source->leaving; i++) {
        struct shard *shard = &source->shards[i];
        finished = read_shard(shard, deadline_ns) && finished;
        for (size_t k = 0; k < shard->lane_count; k++) {
            weir_lane_consider(&shard->lanes[k]);
        }
    }
    return finished;
}

static struct weir_pos least_position(const struct source *source)
{
    struct weir_pos least = { UINT64_MAX };
    for (size_t i = 0; i < source->shard_count; i++) {
        for (size_t k = 0; k < source->shards[i].lane_count; k++) {
            struct weir_pos reached = source->shards[i].lanes[k].position;
            least = reached.seq < least.seq ? reached : least;
        }
    }
    return least;
}

void weir_source_move_hold(struct source *source)
{
    if (source->table != NULL) {
        weir_store_hold_move(source->pipeline->all->store, &source->hold, least_position(source));
    }
}

void weir_source_check_log(struct source *source)
{
    for (size_t i = 0; i < source->shard_count && source->table != NULL && !source->leaving; i++) {
        struct weir_err err;
        if (weir_log_reader_check(source->shards[i].reader, &err) == WEIR_E_TRIMMED) {
            weir_gap_found(&source->shards[i]);
        }
    }
}

/* --- attaching ---------------------------------------------------------------------------- */

static void source_changed(struct weir_watch *watch)
{
    weir_pipeline_wake(WEIR_CONTAINER(watch, struct source, watch)->pipeline);
}

/* What was dropped before the pipeline came is not its concern. */
static void skip_dropped(struct source *source)
{
    struct weir_tables *tables = source->pipeline->all->tables;
    const struct weir_table *table = NULL;
    while ((table = weir_tables_get_dropped(tables, source->name, source->after)) != NULL) {
        source->after = table->space;
        weir_table_unref(table);
    }
}

void weir_source_init(struct source *source, struct pipeline *pipeline, struct weir_str name)
{
    source->pipeline = pipeline;
    source->name = name;
    source->of_queue = pipeline->model->queue.n > 0;
    source->watch.wake = source_changed;
    skip_dropped(source);
    weir_filter_join(source);
}

/* Enough for the pipeline's concurrency, if all its tables have as many shards. */
static size_t lanes_of_shard(const struct source *source)
{
    size_t shards = source->shard_count * source->pipeline->source_count;
    if (source->pipeline->model->tumbling_ms > 0) {
        return 1; /* a window is the whole shard's */
    }
    if (source->pipeline->model->per_shard > 0) {
        return source->pipeline->model->per_shard;
    }
    size_t lanes = (source->pipeline->model->concurrency + shards - 1) / shards;
    return lanes < WEIR_PIPELINE_SLOTS ? lanes : WEIR_PIPELINE_SLOTS;
}

/* Where a pipeline that has never read the table begins. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
static enum weir_rc start_position(
        const struct pipeline *pipeline, struct weir_pos *slots, struct weir_err *err)
{
    const struct weir_pipeline_model *model = pipeline->model;
    struct weir_log *log = weir_store_log(pipeline->all->store);
    struct weir_pos start = weir_log_end(log);
    enum weir_rc rc = WEIR_OK;
    if (model->start == WEIR_START_OLDEST) {
        start = weir_log_oldest(log);
    } else if (model->start == WEIR_START_TIME) {
        rc = weir_log_find_time(log, model->start_time, &start, err);
    }
    for (size_t i = 0; i < WEIR_PIPELINE_SLOTS; i++) {
        slots[i] = start;
    }
    return rc;
}

static struct weir_pos least_slot(const struct weir_pos *slots, size_t first, size_t count)
{
    struct weir_pos least = slots[first];
    for (size_t i = first; i < first + count; i++) {
        least = slots[i].seq < least.seq ? slots[i] : least;
    }
    return least;
}

/* Each lane has the slots whose records hand_to_lane gives to it. */
enum weir_rc weir_source_make_lanes(struct shard *shard, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    shard->lane_count = lanes_of_shard(shard->source);
    shard->lanes = weir_alloc_zero(shard->lane_count, sizeof(struct weir_lane));
    for (size_t i = 0; i < shard->lane_count; i++) {
        size_t first = (i * WEIR_PIPELINE_SLOTS + shard->lane_count - 1) / shard->lane_count;
        size_t end = ((i + 1) * WEIR_PIPELINE_SLOTS + shard->lane_count - 1) / shard->lane_count;
        weir_lane_init(&shard->lanes[i], shard, (uint32_t)first, (uint32_t)(end - first),
                least_slot(shard->skip, first, end - first));
        if (rc == WEIR_OK && !shard->source->of_queue) {
            rc = weir_attempts_load(&shard->lanes[i], err);
        }
        if (rc == WEIR_OK && !shard->source->of_queue) {
            rc = weir_window_load(&shard->lanes[i], err);
        }
    }
    return rc;
}

static enum weir_rc attach_shard(struct shard *shard, struct weir_txn *txn, struct weir_err *err)
{
    struct source *source = shard->source;
    bool any = false;
    enum weir_rc rc =
            weir_position_load(source, WEIR_SPACE_POSITION, shard->number, shard->skip, &any, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (!any) {
        source->is_new = true;
        rc = start_position(source->pipeline, shard->skip, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_position_replace(txn, WEIR_SPACE_POSITION, shard, shard->skip);
    struct weir_log_filter filter = {
        .space = source->table->space,
        .shard = (int32_t)shard->number,
    };
    shard->reader = weir_log_reader_create(weir_store_log(source->pipeline->all->store), filter,
            least_slot(shard->skip, 0, WEIR_PIPELINE_SLOTS));
    return weir_source_make_lanes(shard, err);
}

/* Lanes that waited for what its lanes had in hand go on; all lanes are still there. */
static void release_claims(struct source *source)
{
    for (size_t i = 0; i < source->shard_count; i++) {
        for (size_t k = 0; k < source->shards[i].lane_count; k++) {
            weir_lane_release_claims(&source->shards[i].lanes[k]);
        }
    }
}

void weir_source_detach(struct source *source)
{
    release_claims(source);
    for (size_t i = 0; i < source->shard_count; i++) {
        struct shard *shard = &source->shards[i];
        weir_log_reader_destroy(shard->reader);
        for (size_t k = 0; k < shard->lane_count; k++) {
            weir_lane_fini(&shard->lanes[k]);
        }
        weir_free(shard->lanes);
    }
    weir_intake_detach(source);
    weir_job_source_gone(source->pipeline);
    weir_free(WEIR_TAKE(source->shards));
    source->shard_count = 0;
    weir_quarantine_forget(source);
    if (source->watch.space != 0) {
        weir_store_unwatch(source->pipeline->all->store, &source->watch);
        weir_store_unhold(source->pipeline->all->store, &source->hold);
        source->watch.space = 0;
    }
    if (source->table != NULL) {
        source->after = source->table->space;
    }
    weir_table_unref(WEIR_TAKE(source->table));
    source->pipeline->in_flight -= source->in_flight;
    source->in_flight = 0;
    source->leaving = false;
    weir_source_drained(source);
}

void weir_source_wait(struct source *source, const struct weir_err *why)
{
    bool news = source->why.code == WEIR_OK;
    source->why = *why;
    if (news) {
        weir_logline(WEIR_LOG_WARN, "pipeline.waits_for_source", "pipeline",
                source->pipeline->model->name.p, "reason", why->msg, NULL);
    }
}

static bool is_wanted(const struct source *source, const struct weir_table *table)
{
    struct weir_str stream = source->pipeline->model->stream;
    return stream.n == 0 || weir_str_eq(stream, table->stream_arn);
}

/* One that came and went while the source had another: what was written to it is not processed. */
static const struct weir_table *find_dropped(struct source *source)
{
    struct weir_tables *tables = source->pipeline->all->tables;
    const struct weir_table *table = weir_tables_get_dropped(tables, source->name, source->after);
    while (table != NULL && !is_wanted(source, table)) {
        source->after = table->space;
        weir_table_unref(table);
        table = weir_tables_get_dropped(tables, source->name, source->after);
    }
    return table;
}

static enum weir_rc find_table(struct source *source, struct weir_err *err)
{
    const struct weir_table *table = find_dropped(source);
    if (table != NULL) {
        source->table = table;
        return WEIR_OK;
    }
    enum weir_rc rc = weir_tables_get(source->pipeline->all->tables, source->name, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (table->view == WEIR_VIEW_NONE) {
        weir_table_unref(table);
        return weir_fail(
                err, WEIR_E_NOT_FOUND, "table %.*s has no stream", WEIR_STR_ARG(source->name));
    }
    if (!is_wanted(source, table)) {
        weir_table_unref(table);
        return weir_fail(err, WEIR_E_NOT_FOUND, "table %.*s has another stream than %.*s",
                WEIR_STR_ARG(source->name), WEIR_STR_ARG(source->pipeline->model->stream));
    }
    source->table = table;
    return WEIR_OK;
}

static void positions_written(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

static enum weir_rc make_shards(struct source *source, struct weir_err *err)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = positions_written; /* before any of a lane; if it fails, the old ones hold */
    enum weir_rc rc = WEIR_OK;
    source->shard_count = source->table->shards;
    source->shards = weir_alloc_zero(source->shard_count, sizeof(struct shard));
    for (size_t i = 0; rc == WEIR_OK && i < source->shard_count; i++) {
        source->shards[i].source = source;
        source->shards[i].number = (uint32_t)i;
        rc = attach_shard(&source->shards[i], txn, err);
    }
    if (rc == WEIR_OK && source->is_new && source->pipeline->model->start == WEIR_START_REBUILD) {
        rc = weir_rebuild_new_source(source, txn, err);
    }
    source->is_new = false;
    if (rc != WEIR_OK) {
        weir_txn_destroy(txn);
        return rc;
    }
    weir_store_submit(source->pipeline->all->store, txn);
    return WEIR_OK;
}

enum weir_rc weir_source_attach(struct source *source, struct weir_err *err)
{
    if (source->of_queue) {
        weir_intake_attach(source);
        return WEIR_OK;
    }
    enum weir_rc rc = find_table(source, err);
    if (rc == WEIR_E_NOT_FOUND) {
        weir_source_wait(source, err);
        return WEIR_OK;
    }
    if (rc == WEIR_OK) {
        rc = weir_quarantine_load(source, err);
    }
    if (rc == WEIR_OK) {
        rc = make_shards(source, err);
    }
    if (rc != WEIR_OK) {
        weir_source_detach(source);
        return rc;
    }
    struct weir_store *store = source->pipeline->all->store;
    source->hold.pos = least_position(source);
    weir_store_hold(store, &source->hold);
    source->watch.space = source->table->space;
    weir_store_watch(store, &source->watch);
    source->why.code = WEIR_OK;
    weir_deferred_note_all(source->pipeline->deferred); /* runs may have waited for the table */
    weir_quarantine_start(source);
    weir_pipeline_wake(source->pipeline);
    return WEIR_OK;
}
