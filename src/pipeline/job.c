/*
 * Jobs: a rebuild or a replay, beside what comes from the streams. A job gives records to the
 * pipeline's lanes, in bursts; its place is written when all of a burst are processed, so memory is
 * bounded and a restart goes on with the last burst. What a record of a burst changes twice after a
 * kill: nothing. A view knows it, and a replay's lanes keep positions of their own, which move in
 * the transactions that process its records.
 *
 * Entries of WEIR_SPACE_JOB: the pipeline's name, a zero byte and `j`: an item that says what the
 * job is and where; `g`: the generation of the rule that the views were made by.
 *
 * Under another rule than that of an entry, items that change are made by the new one from the
 * first record on. So the transactions of batches say it, until one of them is committed: a rebuild
 * is at its beginning again, and the views are made by more than one rule until a rebuild ends,
 * even if the first rule comes back.
 */
#include <string.h>

#include "base/crash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"
#include "value/member.h"

/* Of views made by more than one rule; no rule has it. */
static const uint64_t mixed_generation = 0;

enum { BURST_RECORDS = 1000, BURST_BYTES = 4 * 1024 * 1024, BURST_KEYS = 20000 };

/* --- records that come and go ---------------------------------------------------------- */

static void left(struct queued *queued, bool settled)
{
    struct pipeline_job *job = queued->origin->arg;
    job->outstanding--;
    job->broken = job->broken || !settled;
}

bool weir_job_has_room(const struct pipeline_job *job)
{
    uint64_t batch = job->pipeline->model->batch;
    return job->burst_records < (batch > BURST_RECORDS ? batch : BURST_RECORDS) &&
           job->burst_bytes < BURST_BYTES && job->burst_keys < BURST_KEYS;
}

struct queued *weir_job_give(struct pipeline_job *job, struct source *source,
        const struct weir_record *record, struct weir_str key, const struct weir_origin *origin)
{
    struct queued *queued = weir_queued_create(record, key, 0, origin, WEIR_STR(""));
    job->outstanding++;
    job->given++;
    job->burst_records++;
    job->burst_bytes += queued->bytes;
    weir_lane_give(weir_shard_lane(&source->shards[record->shard], key), queued);
    return queued;
}

bool weir_record_is_stale(
        const struct weir_record *record, const struct weir_entry *entry, bool only_views)
{
    bool removed = entry->pos.seq == 0 && record->event != WEIR_EVENT_REMOVE;
    return removed || (!only_views && entry->pos.seq > record->pos.seq);
}

/* --- life ---------------------------------------------------------------------------------- */

static const char *kind_name(enum job_kind kind)
{
    return kind == JOB_REBUILD ? "rebuild" : "replay";
}

struct pipeline_job *weir_job_create(struct pipeline *pipeline, enum job_kind kind)
{
    struct pipeline_job *job = weir_alloc_zero(1, sizeof(*job));
    job->pipeline = pipeline;
    job->kind = kind;
    job->since = weir_clock_wall(weir_loop_clock(pipeline->all->loop));
    job->records = (struct weir_origin){
        .admit = kind == JOB_REBUILD ? weir_rebuild_admit : weir_replay_admit,
        .left = left,
        .arg = job,
    };
    job->removals = job->records;
    job->removals.prunes = true;
    weir_buf_init(&job->place.key, WEIR_JOB_KEY_MAX_BYTES);
    weir_buf_init(&job->at.key, WEIR_JOB_KEY_MAX_BYTES);
    return job;
}

static void tell(struct pipeline_job *job, enum weir_rc rc, const struct weir_err *err)
{
    struct weir_job_ask *ask = WEIR_TAKE(job->ask);
    if (ask != NULL) {
        ask->told(ask, rc, err);
    }
}

void weir_job_destroy(struct pipeline_job *job)
{
    struct weir_err err;
    if (job != NULL) {
        tell(job,
                weir_fail(&err, WEIR_E_CLOSED,
                        "pipeline '%.*s' stops; the %s goes on when it runs again",
                        WEIR_STR_ARG(job->pipeline->model->name), kind_name(job->kind)),
                &err);
        weir_replay_close(job);
        weir_pattern_set_destroy(job->pattern);
        weir_pattern_scratch_destroy(job->scratch);
        weir_buf_fini(&job->place.key);
        weir_buf_fini(&job->at.key);
        weir_str_disown(job->where);
        weir_free(job);
    }
}

static void set_place(struct rebuild_place *place, const struct rebuild_place *to)
{
    place->stage = to->stage;
    weir_buf_reset(&place->key);
    weir_buf_str(&place->key, weir_buf_view(&to->key));
}

static void start_at_place(struct pipeline_job *job)
{
    set_place(&job->at, &job->place);
    weir_replay_close(job);
    job->began = false;
    job->ended = false;
    job->broken = false;
    job->burst_records = 0;
    job->burst_bytes = 0;
    job->burst_keys = 0;
}

void weir_job_source_gone(struct pipeline *pipeline)
{
    if (pipeline->job != NULL) {
        pipeline->job->broken = true;
        weir_replay_close(pipeline->job);
    }
}

/* --- entries ------------------------------------------------------------------------------- */

static struct weir_str entry_key(
        struct weir_arena *arena, const struct pipeline *pipeline, char which)
{
    return weir_arena_printf(arena, "%.*s%c%c", WEIR_STR_ARG(pipeline->model->name), '\0', which);
}

void weir_job_put(const struct pipeline_job *job, struct weir_txn *txn)
{
    struct weir_item_builder *builder = weir_item_begin(&txn->arena);
    weir_member_put_s(builder, "kind", weir_str_z(kind_name(job->kind)));
    weir_member_put_time(builder, "since", job->since);
    weir_member_put_bool(builder, "prune", job->prune);
    weir_member_put_bool(builder, "stale", job->stale);
    weir_member_put_u64(builder, "from", job->from.seq);
    weir_member_put_u64(builder, "to", job->to.seq);
    weir_member_put_u64(builder, "given", job->given);
    weir_member_put_s(builder, "where", job->where);
    weir_member_put_u64(builder, "rule", job->pipeline->model->generation);
    weir_member_put_u64(builder, "stage", job->place.stage);
    weir_item_name(builder, WEIR_STR("key"));
    weir_item_b(builder, weir_buf_view(&job->place.key));
    struct weir_item item = weir_member_finish(builder);
    weir_txn_put(txn, WEIR_SPACE_JOB, entry_key(&txn->arena, job->pipeline, 'j'),
            weir_str(item.p, item.n));
}

static void put_generation(const struct pipeline *pipeline, struct weir_txn *txn)
{
    const uint64_t *generation = &pipeline->rule_of_views;
    weir_txn_put(txn, WEIR_SPACE_JOB, entry_key(&txn->arena, pipeline, 'g'),
            weir_arena_str(&txn->arena, weir_str((const char *)generation, sizeof(*generation))));
}

static void written(struct weir_txn *txn)
{
    weir_crash_point("job.place_written");
    weir_txn_destroy(txn); /* if it failed, a restart begins a little earlier */
}

static struct weir_txn *begin_writing(void)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = written;
    return txn;
}

static enum weir_rc read_job(struct pipeline *pipeline, struct weir_str text, struct weir_err *err)
{
    struct weir_item item = { text.p, text.n };
    struct weir_str kind = weir_member_s(item, "kind");
    struct weir_str where = weir_member_s(item, "where");
    bool rebuild = weir_str_eq(kind, WEIR_STR("rebuild"));
    struct pipeline_job *job = weir_job_create(pipeline, rebuild ? JOB_REBUILD : JOB_REPLAY);
    job->since = weir_member_time(item, "since");
    job->prune = weir_member_bool(item, "prune");
    job->stale = weir_member_bool(item, "stale");
    job->from.seq = weir_member_u64(item, "from");
    job->to.seq = weir_member_u64(item, "to");
    job->given = weir_member_u64(item, "given");
    job->where = weir_str_own(where);
    if (!rebuild || weir_member_u64(item, "rule") == pipeline->model->generation) {
        job->place.stage = (size_t)weir_member_u64(item, "stage");
        weir_buf_str(&job->place.key, weir_value_str(weir_item_get(item, WEIR_STR("key"))));
    } else { /* what it has made is of an earlier rule: it begins again */
        pipeline->rule_noted = false;
    }
    set_place(&job->at, &job->place);
    pipeline->job = job;
    return weir_replay_compile(job, err);
}

static void check_generation(struct pipeline *pipeline, const struct weir_entry *entry)
{
    uint64_t now = pipeline->model->generation;
    uint64_t before = now;
    if (entry->value.n == sizeof(before)) {
        memcpy(&before, entry->value.p, sizeof(before));
    }
    pipeline->rule_changed = before != now;
    pipeline->rule_of_views = pipeline->rule_changed ? mixed_generation : now;
    if (entry->value.n == 0 || before != pipeline->rule_of_views) {
        pipeline->rule_noted = false;
    }
    if (pipeline->rule_changed && pipeline->job == NULL) {
        weir_logline(WEIR_LOG_WARN, "pipeline.rule_changed", "pipeline", pipeline->model->name.p,
                "advice", "`weir rebuild` makes the view anew", NULL);
    }
}

enum weir_rc weir_job_load(struct pipeline *pipeline, struct weir_err *err)
{
    struct weir_store *store = pipeline->all->store;
    struct weir_arena arena;
    struct weir_entry entry;
    pipeline->rule_noted = true;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_store_get(
            store, WEIR_SPACE_JOB, entry_key(&arena, pipeline, 'j'), &arena, &entry, err);
    if (rc == WEIR_OK && entry.value.n > 0) {
        rc = read_job(pipeline, entry.value, err);
    }
    if (rc == WEIR_OK && pipeline->model->has_view) {
        rc = weir_store_get(
                store, WEIR_SPACE_JOB, entry_key(&arena, pipeline, 'g'), &arena, &entry, err);
        if (rc == WEIR_OK) {
            check_generation(pipeline, &entry);
        }
    }
    weir_arena_fini(&arena);
    return rc;
}

/* --- working --------------------------------------------------------------------------------- */

/* All that was given is processed. */
static void settle(struct pipeline_job *job)
{
    struct weir_txn *txn = begin_writing();
    set_place(&job->place, &job->at);
    weir_job_put(job, txn);
    if (job->kind == JOB_REPLAY) {
        weir_replay_settled(job, txn);
    }
    weir_store_submit(job->pipeline->all->store, txn);
    weir_crash_point("job.settled");
    job->began = false;
    job->burst_records = 0;
    job->burst_bytes = 0;
    job->burst_keys = 0;
}

/* Take the job's entries away. */
static void delete_entries(struct pipeline_job *job, bool done)
{
    struct pipeline *pipeline = job->pipeline;
    struct weir_txn *txn = begin_writing();
    weir_txn_delete(txn, WEIR_SPACE_JOB, entry_key(&txn->arena, pipeline, 'j'));
    if (job->kind == JOB_REPLAY) {
        weir_replay_ended(job, txn);
    } else if (done) {
        pipeline->rule_changed = false;
        pipeline->rule_of_views = pipeline->model->generation;
        pipeline->rule_noted = false; /* batches say it, too, until it is known to be written */
        put_generation(pipeline, txn);
        weir_gaps_made_up_for(pipeline);
    }
    weir_store_submit(pipeline->all->store, txn);
    weir_crash_point("job.ended");
}

static void end(struct pipeline_job *job)
{
    struct pipeline *pipeline = job->pipeline;
    struct weir_err err;
    if (!job->cancelled) {
        delete_entries(job, true);
        weir_logline(WEIR_LOG_INFO,
                job->kind == JOB_REBUILD ? "pipeline.rebuilt" : "pipeline.replayed", "pipeline",
                pipeline->model->name.p, NULL);
        tell(job, WEIR_OK, NULL);
    } else {
        enum weir_rc rc = weir_fail(
                &err, WEIR_E_NOT_FOUND, "the %s was cancelled on the way", kind_name(job->kind));
        tell(job, rc, &err);
    }
    pipeline->job = NULL;
    weir_job_destroy(job);
}

static bool sources_are_there(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->source_count; i++) {
        const struct source *source = &pipeline->sources[i];
        if (source->table == NULL || source->draining || source->leaving) {
            return false;
        }
    }
    return true;
}

bool weir_job_feed(struct pipeline *pipeline, uint64_t deadline_ns)
{
    struct pipeline_job *job = pipeline->job;
    if (job == NULL || job->beginning || job->outstanding > 0 || !sources_are_there(pipeline)) {
        return true;
    }
    if (job->broken) {
        start_at_place(job);
    } else if (job->began && !job->cancelled) {
        settle(job);
    }
    if (job->cancelled || job->ended) {
        end(job);
        return true;
    }
    job->began = true;
    bool finished = job->kind == JOB_REBUILD ? weir_rebuild_feed(job, deadline_ns)
                                             : weir_replay_feed(job, deadline_ns);
    WEIR_EACH_LANE(pipeline, lane)
    {
        weir_lane_consider(lane);
    }
    return finished && job->outstanding > 0; /* else nobody comes by again */
}

/* Say in the batch's transaction what rules the views are made by with it. */
static void note_rule(struct weir_lane *lane)
{
    const struct pipeline *pipeline = lane->pipeline;
    const struct pipeline_job *job = pipeline->job;
    lane->notes_rule = !pipeline->rule_noted;
    if (pipeline->rule_noted) {
        return;
    }
    if (pipeline->model->has_view) {
        put_generation(pipeline, lane->batch.txn);
    }
    if (job != NULL && job->kind == JOB_REBUILD && !job->beginning && !job->cancelled) {
        weir_job_put(job, lane->batch.txn);
    }
}

void weir_job_committed(struct weir_lane *lane)
{
    lane->pipeline->rule_noted = lane->pipeline->rule_noted || lane->notes_rule;
}

void weir_job_committing(struct weir_lane *lane)
{
    const struct pipeline_job *job = lane->pipeline->job;
    note_rule(lane);
    if (job == NULL || job->kind != JOB_REPLAY || job->cancelled) {
        return;
    }
    struct weir_pos last = { 0 };
    const struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        last = queued->origin == &job->records ? queued->record.pos : last;
    }
    if (last.seq != 0) {
        weir_position_put(lane->batch.txn, WEIR_SPACE_REPLAY, lane, last);
    }
}

/* --- asking ------------------------------------------------------------------------------------
 */

enum weir_rc weir_job_may_begin(struct weir_pipelines *pipelines, struct weir_str name,
        struct pipeline **ret_pipeline, struct weir_err *err)
{
    struct pipeline *pipeline = weir_pipeline_find(pipelines, name);
    if (pipeline == NULL) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "there is no pipeline '%.*s'", WEIR_STR_ARG(name));
    }
    if (pipelines->stopping || pipeline->stopped) {
        return weir_fail(
                err, WEIR_E_INVALID, "pipeline '%.*s' does not run now", WEIR_STR_ARG(name));
    }
    if (pipeline->job != NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "a %s of pipeline '%.*s' is under way; `weir status` shows it, --cancel ends it",
                kind_name(pipeline->job->kind), WEIR_STR_ARG(name));
    }
    if (pipeline->model->queue.n > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "pipeline '%.*s' reads a queue, which keeps nothing that it could process again",
                WEIR_STR_ARG(name));
    }
    if (!sources_are_there(pipeline)) {
        return weir_fail(err, WEIR_E_INVALID, "pipeline '%.*s' waits for a table that it reads",
                WEIR_STR_ARG(name));
    }
    *ret_pipeline = pipeline;
    return WEIR_OK;
}

/* A beginning that is under way, in its transaction's memory; the pipeline may go meanwhile. */
struct beginning {
    struct weir_post post;
    struct weir_pipelines *all;
    struct weir_str pipeline;
    struct weir_txn *txn;
};

static void job_begins(struct pipeline_job *job, enum weir_rc rc, const struct weir_err *err)
{
    struct pipeline *pipeline = job->pipeline;
    job->beginning = false;
    if (rc != WEIR_OK) {
        tell(job, rc, err);
        pipeline->job = NULL;
        weir_job_destroy(job);
        return;
    }
    weir_logline(WEIR_LOG_INFO, job->kind == JOB_REBUILD ? "pipeline.rebuilds" : "pipeline.replays",
            "pipeline", pipeline->model->name.p, NULL);
    if (job->ask != NULL && !job->ask->wait) {
        tell(job, WEIR_OK, NULL);
    }
    weir_pipeline_wake(pipeline);
}

static void beginning_posted(struct weir_post *post)
{
    struct beginning *beginning = WEIR_CONTAINER(post, struct beginning, post);
    struct weir_txn *txn = beginning->txn;
    struct pipeline *pipeline = weir_pipeline_find(beginning->all, beginning->pipeline);
    if (pipeline != NULL && pipeline->job != NULL && pipeline->job->beginning) {
        job_begins(pipeline->job, txn->rc, &txn->err);
    }
    weir_txn_destroy(txn);
}

static void beginning_written(struct weir_txn *txn)
{
    struct beginning *beginning = txn->arg;
    weir_crash_point("job.began");
    weir_loop_post(beginning->all->loop, &beginning->post);
}

void weir_job_begin(struct pipeline_job *job, struct weir_txn *txn, struct weir_job_ask *ask)
{
    struct pipeline *pipeline = job->pipeline;
    struct beginning *beginning = WEIR_ARENA_NEW(&txn->arena, struct beginning);
    *beginning = (struct beginning){
        .post.run = beginning_posted,
        .all = pipeline->all,
        .pipeline = weir_arena_str(&txn->arena, pipeline->model->name),
        .txn = txn,
    };
    weir_job_put(job, txn);
    txn->lane = true;
    txn->urgent = true;
    txn->done = beginning_written;
    txn->arg = beginning;
    job->ask = ask;
    job->beginning = true;
    pipeline->job = job;
    weir_store_submit(pipeline->all->store, txn);
}

void weir_job_cancel(struct pipeline_job *job)
{
    struct pipeline *pipeline = job->pipeline;
    job->cancelled = true;
    delete_entries(job, false);
    weir_logline(WEIR_LOG_INFO, "pipeline.job_cancelled", "pipeline", pipeline->model->name.p,
            "job", kind_name(job->kind), NULL);
    weir_pipeline_wake(pipeline);
}

enum weir_rc weir_pipelines_cancel(
        struct weir_pipelines *pipelines, struct weir_str name, struct weir_err *err)
{
    struct pipeline *pipeline = weir_pipeline_find(pipelines, name);
    if (pipeline == NULL || pipeline->job == NULL || pipeline->job->cancelled) {
        return weir_fail(err, WEIR_E_NOT_FOUND,
                pipeline == NULL ? "there is no pipeline '%.*s'"
                                 : "no rebuild or replay of pipeline '%.*s' is under way",
                WEIR_STR_ARG(name));
    }
    weir_job_cancel(pipeline->job);
    return WEIR_OK;
}

void weir_job_write(const struct pipeline *pipeline, struct weir_buf *buf)
{
    const struct pipeline_job *job = pipeline->job;
    if (pipeline->rule_changed) {
        weir_buf_z(buf, ",\"rebuild_needed\":true");
    }
    if (job == NULL) {
        return;
    }
    char since[WEIR_TIME_TEXT];
    weir_time_format(job->since, since);
    double progress = job->ended                 ? 1
                      : job->kind == JOB_REBUILD ? weir_rebuild_progress(job)
                                                 : weir_replay_progress(job);
    weir_buf_printf(buf,
            ",\"job\":{\"kind\":\"%s\",\"since\":\"%s\",\"given\":%llu,\"progress\":%.4f,"
            "\"cancelled\":%s}",
            kind_name(job->kind), since, (unsigned long long)job->given, progress,
            job->cancelled ? "true" : "false");
}
