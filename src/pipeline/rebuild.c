/*
 * Rebuilding: views anew from what the tables hold.
 *
 * Stages: a scan of each table, which gives every item as an INSERT record with the position and
 * time of its last change; then for each view and table a sweep of the view's memory, which gives a
 * REMOVE for each source item that is gone. Keys stand in the order of their hash, so a key tells
 * how far a stage is.
 *
 * The streams go on meanwhile. A record of a scan is processed only if its item is still the same
 * when its batch commits: else the stream brings the newer version, or has. The view knows
 * positions, so it does not matter which of both comes first, and nothing is between them: an item
 * that the scan has missed was written after the scan began.
 */
#include <string.h>

#include "base/crash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { LOOK_KEYS = 32 }; /* between looks at the clock */

/* --- stages ------------------------------------------------------------------------------ */

static size_t count_views(const struct weir_pipeline_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->step_count; i++) {
        count += model->steps[i]->ops->view;
    }
    return count;
}

static const struct weir_step *nth_view(const struct weir_pipeline_model *model, size_t n)
{
    for (size_t i = 0; i < model->step_count; i++) {
        if (model->steps[i]->ops->view && n-- == 0) {
            return model->steps[i];
        }
    }
    return NULL;
}

static size_t count_stages(const struct pipeline *pipeline)
{
    return pipeline->source_count * (1 + count_views(pipeline->model));
}

/* The view that a stage sweeps; NULL: it is a scan. */
static const struct weir_step *view_of(const struct pipeline_job *job)
{
    size_t sources = job->pipeline->source_count;
    size_t stage = job->at.stage;
    return stage < sources ? NULL : nth_view(job->pipeline->model, stage / sources - 1);
}

double weir_rebuild_progress(const struct pipeline_job *job)
{
    struct weir_str key = weir_buf_view(&job->at.key);
    double part = 0;
    double weight = 1.0 / 256;
    for (size_t i = 0; i < key.n && i < 4; i++, weight /= 256) {
        part += (double)(unsigned char)key.p[i] * weight;
    }
    return ((double)job->at.stage + part) / (double)count_stages(job->pipeline);
}

/* --- admitting ------------------------------------------------------------------------------- */

enum weir_rc weir_rebuild_admit(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    struct weir_entry now;
    const struct source *source = lane->shard->source;
    enum weir_rc rc = weir_txn_get(lane->batch.txn, lane->pipeline->all->store,
            source->table->space, queued->key, &now, err);
    bool gone = now.pos.seq == 0 && queued->record.event == WEIR_EVENT_REMOVE;
    if (rc == WEIR_OK && !gone && now.pos.seq != queued->record.pos.seq) {
        weir_queued_drop(queued);
    }
    return rc;
}

/* --- scanning -------------------------------------------------------------------------------- */

/* The view keeps nothing of an item that does not pass. */
static void give_removals(struct pipeline_job *job, struct source *source,
        struct weir_record *record, struct weir_str key)
{
    const struct weir_pipeline_model *model = job->pipeline->model;
    record->event = WEIR_EVENT_REMOVE;
    record->new_image = (struct weir_item){ 0 };
    for (size_t i = 0; i < model->step_count; i++) {
        if (model->steps[i]->ops->view) {
            weir_job_give(job, source, record, key, &job->removals)->first_step = i;
        }
    }
}

static enum weir_rc give_item(struct pipeline_job *job, struct source *source,
        struct weir_arena *arena, struct weir_str key, const struct weir_entry *entry,
        struct weir_err *err)
{
    struct weir_item keys;
    struct weir_item item = { entry->value.p, entry->value.n };
    enum weir_rc rc = weir_table_key_item(source->table, item, arena, &keys, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_change change = {
        .kind = WEIR_CHANGE_RECORD,
        .space = source->table->space,
        .pos = entry->pos,
        .key = key,
        .value = entry->value,
        .event = WEIR_EVENT_INSERT,
        .shard = weir_table_shard(source->table, key),
        .in_stream = true,
        .keys = { keys.p, keys.n },
    };
    struct weir_record record;
    struct weir_err failed = { 0 };
    weir_table_record(source->table, &change, entry->time, &record);
    if (!weir_source_passes(source, &record, &failed)) {
        if (job->prune) {
            give_removals(job, source, &record, key);
        }
        return WEIR_OK;
    }
    struct queued *queued = weir_job_give(job, source, &record, key, &job->records);
    if (failed.code != WEIR_OK) {
        queued->failed = true;
        queued->attempts = 1;
        queued->err = failed;
    }
    return WEIR_OK;
}

/* --- sweeping -------------------------------------------------------------------------------- */

/* What stands before the source's keys in a view's memory: see weir_lane_get_state. */
static struct weir_str memory_prefix(
        struct weir_arena *arena, const struct source *source, const struct weir_step *view)
{
    return weir_arena_printf(arena, "%.*s%c%.*s%c%.*s%c",
            WEIR_STR_ARG(source->pipeline->model->name), '\0', WEIR_STR_ARG(view->id), '\0',
            WEIR_STR_ARG(source->name), '\0');
}

static enum weir_rc give_gone(struct pipeline_job *job, struct source *source,
        const struct weir_step *view, struct weir_arena *arena, struct weir_str key,
        struct weir_err *err)
{
    struct weir_store *store = job->pipeline->all->store;
    struct weir_entry now;
    struct weir_item no_keys;
    enum weir_rc rc = weir_store_get(store, source->table->space, key, arena, &now, err);
    if (rc == WEIR_OK) {
        rc = weir_item_finish(weir_item_begin(arena), &no_keys, err);
    }
    if (rc != WEIR_OK || now.pos.seq != 0) {
        return rc;
    }
    struct weir_record record = {
        .source = &source->table->source,
        .event = WEIR_EVENT_REMOVE,
        .pos = weir_log_end(weir_store_log(store)), /* past all that the view knows */
        .created = weir_clock_wall(weir_loop_clock(job->pipeline->all->loop)),
        .shard = weir_table_shard(source->table, key),
        .keys = no_keys,
    };
    weir_job_give(job, source, &record, key, &job->records)->first_step = view->index;
    return WEIR_OK;
}

/* --- feeding -----------------------------------------------------------------------------------
 */

/* A stage while it is fed. */
struct walk {
    struct pipeline_job *job;
    struct source *source;
    const struct weir_step *view; /* NULL: a scan */
    struct weir_arena arena;      /* of one key */
    struct weir_arena names;
    struct weir_str prefix; /* of the keys in the keyspace */
    struct weir_cursor *cursor;
};

static void begin_walk(struct walk *walk, struct pipeline_job *job)
{
    *walk = (struct walk){ .job = job, .view = view_of(job) };
    walk->source = &job->pipeline->sources[job->at.stage % job->pipeline->source_count];
    weir_arena_init(&walk->arena);
    weir_arena_init(&walk->names);
    walk->prefix = walk->view != NULL ? memory_prefix(&walk->names, walk->source, walk->view)
                                      : WEIR_STR("");
    walk->cursor = weir_cursor_create(job->pipeline->all->store,
            walk->view != NULL ? (uint32_t)WEIR_SPACE_STATE : walk->source->table->space);
    /* Behind the last key: at it with a zero byte added. */
    struct weir_str last = weir_buf_view(&job->at.key);
    size_t n = walk->prefix.n + last.n;
    char *from = weir_arena_zero(&walk->names, n + 1, 1);
    if (walk->prefix.n > 0) {
        memcpy(from, walk->prefix.p, walk->prefix.n);
    }
    if (last.n > 0) {
        memcpy(from + walk->prefix.n, last.p, last.n);
    }
    weir_cursor_seek(walk->cursor, weir_str(from, last.n > 0 ? n + 1 : n));
}

static void end_walk(struct walk *walk)
{
    weir_cursor_destroy(walk->cursor);
    weir_arena_fini(&walk->arena);
    weir_arena_fini(&walk->names);
}

/* Look at the next key. *ret_have is false at the end of the stage. */
static enum weir_rc step(struct walk *walk, bool *ret_have, struct weir_err *err)
{
    struct weir_str key;
    struct weir_entry entry;
    bool have = false;
    enum weir_rc rc = weir_cursor_get(walk->cursor, &key, &entry, &have, err);
    *ret_have = rc == WEIR_OK && have && weir_str_starts(key, walk->prefix);
    if (!*ret_have) {
        return rc;
    }
    struct pipeline_job *job = walk->job;
    key = weir_str(key.p + walk->prefix.n, key.n - walk->prefix.n);
    rc = walk->view != NULL ? give_gone(job, walk->source, walk->view, &walk->arena, key, err)
                            : give_item(job, walk->source, &walk->arena, key, &entry, err);
    if (rc == WEIR_OK) {
        weir_buf_reset(&job->at.key);
        weir_buf_str(&job->at.key, key);
        job->burst_keys++;
        weir_arena_reset(&walk->arena);
        weir_cursor_next(walk->cursor);
    }
    return rc;
}

/* Feed from one stage. False: the time is up. */
static bool feed_stage(struct pipeline_job *job, uint64_t deadline_ns)
{
    const struct weir_clock *clock = weir_loop_clock(job->pipeline->all->loop);
    struct walk walk;
    struct weir_err err;
    bool have = true;
    bool in_time = true;
    enum weir_rc rc = WEIR_OK;
    begin_walk(&walk, job);
    for (int n = 1; rc == WEIR_OK && have && in_time && weir_job_has_room(job); n++) {
        rc = step(&walk, &have, &err);
        in_time = n % LOOK_KEYS != 0 || weir_clock_monotonic_ns(clock) <= deadline_ns;
    }
    end_walk(&walk);
    if (rc != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "pipeline.rebuild_read_failed", "pipeline",
                job->pipeline->model->name.p, "reason", err.msg, NULL);
        weir_job_cancel(job);
    } else if (!have) {
        job->at.stage++;
        weir_crash_point("rebuild.stage_given");
        weir_buf_reset(&job->at.key);
    }
    return in_time;
}

bool weir_rebuild_feed(struct pipeline_job *job, uint64_t deadline_ns)
{
    bool in_time = true;
    while (in_time && !job->cancelled && weir_job_has_room(job) &&
            job->at.stage < count_stages(job->pipeline)) {
        in_time = feed_stage(job, deadline_ns);
    }
    job->ended = job->at.stage >= count_stages(job->pipeline);
    return in_time;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* A view that has never read a table begins with what the table holds. */
enum weir_rc weir_rebuild_new_source(
        struct source *source, struct weir_txn *txn, struct weir_err *err)
{
    struct pipeline *pipeline = source->pipeline;
    struct weir_str key;
    struct weir_entry entry;
    bool have = false;
    struct weir_cursor *cursor = weir_cursor_create(pipeline->all->store, source->table->space);
    weir_cursor_first(cursor);
    enum weir_rc rc = weir_cursor_get(cursor, &key, &entry, &have, err);
    weir_cursor_destroy(cursor);
    if (rc != WEIR_OK || !have) {
        return rc; /* what comes from now on is in the stream */
    }
    if (pipeline->job == NULL) {
        pipeline->job = weir_job_create(pipeline, JOB_REBUILD);
    }
    if (pipeline->job->kind == JOB_REBUILD) {
        pipeline->job->place.stage = 0;
        weir_buf_reset(&pipeline->job->place.key);
        pipeline->job->broken = true; /* from the beginning, for all tables */
        weir_job_put(pipeline->job, txn);
    }
    return WEIR_OK;
}

enum weir_rc weir_pipelines_rebuild(struct weir_pipelines *pipelines, struct weir_str name,
        bool prune, struct weir_job_ask *ask, struct weir_err *err)
{
    struct pipeline *pipeline = NULL;
    enum weir_rc rc = weir_job_may_begin(pipelines, name, &pipeline, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (!pipeline->model->only_views) {
        return weir_fail(err, WEIR_E_INVALID,
                pipeline->model->has_view
                        ? "pipeline '%.*s' has steps besides `project` that would act again for "
                          "every item; put the view into a pipeline of its own"
                        : "pipeline '%.*s' has no `project` step; `weir replay` processes records "
                          "again",
                WEIR_STR_ARG(name));
    }
    struct pipeline_job *job = weir_job_create(pipeline, JOB_REBUILD);
    job->prune = prune;
    weir_job_begin(job, weir_txn_create(), ask);
    return WEIR_OK;
}
