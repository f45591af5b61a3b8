/*
 * Replaying: records of the log again, by readers of their own, given to the same lanes as what
 * comes, so that the order of each item's records holds. How far each lane has come is an entry
 * like its position, in a keyspace of its own, and moves in the transactions that process the
 * records.
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { LOOK_RECORDS = 64 }; /* between looks at the clock */

/* --- readers ----------------------------------------------------------------------------- */

void weir_replay_close(struct pipeline_job *job)
{
    for (size_t i = 0; i < job->shard_count; i++) {
        weir_log_reader_destroy(job->shards[i].reader);
    }
    if (job->shards != NULL) {
        weir_store_unhold(job->pipeline->all->store, &job->hold);
    }
    weir_free(WEIR_TAKE(job->shards));
    job->shard_count = 0;
}

static struct weir_pos least_of(const struct weir_pos slots[static WEIR_PIPELINE_SLOTS])
{
    struct weir_pos least = slots[0];
    for (size_t i = 1; i < WEIR_PIPELINE_SLOTS; i++) {
        least = slots[i].seq < least.seq ? slots[i] : least;
    }
    return least;
}

static enum weir_rc open_shard(
        const struct pipeline_job *job, struct replay_shard *replay, struct weir_err *err)
{
    struct source *source = replay->shard->source;
    bool any = false;
    enum weir_rc rc = weir_position_load(
            source, WEIR_SPACE_REPLAY, replay->shard->number, replay->skip, &any, err);
    for (size_t i = 0; i < WEIR_PIPELINE_SLOTS; i++) {
        bool before = !any || job->fresh || replay->skip[i].seq < job->from.seq;
        replay->skip[i] = before ? job->from : replay->skip[i];
    }
    struct weir_log_filter filter = {
        .space = source->table->space,
        .shard = (int32_t)replay->shard->number,
    };
    replay->reader = weir_log_reader_create(
            weir_store_log(job->pipeline->all->store), filter, least_of(replay->skip));
    return rc;
}

static enum weir_rc open_shards(struct pipeline_job *job, struct weir_err *err)
{
    struct pipeline *pipeline = job->pipeline;
    size_t count = 0;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        count += pipeline->sources[i].shard_count;
    }
    job->shards = weir_alloc_zero(count, sizeof(*job->shards));
    job->hold.pos = job->from;
    weir_store_hold(pipeline->all->store, &job->hold);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        for (size_t k = 0; rc == WEIR_OK && k < pipeline->sources[i].shard_count; k++) {
            struct replay_shard *replay = &job->shards[job->shard_count++];
            replay->shard = &pipeline->sources[i].shards[k];
            rc = open_shard(job, replay, err);
        }
    }
    job->fresh = job->fresh && rc != WEIR_OK;
    return rc;
}

/* --- what is processed --------------------------------------------------------------------- */

void weir_replay_settled(struct pipeline_job *job, struct weir_txn *txn)
{
    struct weir_pos held = { UINT64_MAX };
    for (size_t i = 0; i < job->shard_count; i++) {
        struct replay_shard *replay = &job->shards[i];
        struct weir_pos read = weir_log_reader_pos(replay->reader);
        held = read.seq < held.seq ? read : held;
        for (size_t k = 0; k < WEIR_PIPELINE_SLOTS; k++) {
            replay->skip[k] = read.seq > replay->skip[k].seq ? read : replay->skip[k];
        }
        weir_position_replace(txn, WEIR_SPACE_REPLAY, replay->shard, replay->skip);
    }
    weir_store_hold_move(job->pipeline->all->store, &job->hold, held);
    weir_crash_point("replay.settled");
}

void weir_replay_ended(struct pipeline_job *job, struct weir_txn *txn)
{
    struct pipeline *pipeline = job->pipeline;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        for (size_t k = 0; k < pipeline->sources[i].shard_count; k++) {
            weir_position_delete(txn, WEIR_SPACE_REPLAY, &pipeline->sources[i].shards[k]);
        }
    }
}

double weir_replay_progress(const struct pipeline_job *job)
{
    uint64_t least = job->to.seq;
    for (size_t i = 0; i < job->shard_count; i++) {
        uint64_t read = weir_log_reader_pos(job->shards[i].reader).seq;
        least = !job->shards[i].at_end && read < least ? read : least;
    }
    bool known = job->shards != NULL && job->to.seq > job->from.seq && least >= job->from.seq;
    return known ? (double)(least - job->from.seq) / (double)(job->to.seq - job->from.seq) : 0;
}

enum weir_rc weir_replay_admit(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct pipeline_job *job = queued->origin->arg;
    const struct pipeline *pipeline = lane->pipeline;
    struct weir_entry now;
    if (job->stale) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_txn_get(lane->batch.txn, pipeline->all->store,
            lane->shard->source->table->space, queued->key, &now, err);
    if (rc == WEIR_OK && weir_record_is_stale(&queued->record, &now, pipeline->model->only_views)) {
        weir_queued_drop(queued);
    }
    return rc;
}

/* --- feeding --------------------------------------------------------------------------------- */

static bool is_wanted(const struct pipeline_job *job, const struct weir_record *record)
{
    if (job->pattern == NULL) {
        return true;
    }
    uint64_t results = 0;
    /* What has too many combinations to decide is rather processed than left out. */
    enum weir_rc rc = weir_pattern_match_record(job->pattern, job->scratch, record, &results, NULL);
    return rc != WEIR_OK || weir_pattern_matched(&results, 0);
}

static void give_change(struct pipeline_job *job, struct replay_shard *replay,
        const struct weir_change *change, struct weir_time time)
{
    struct source *source = replay->shard->source;
    struct weir_record record;
    struct weir_err failed = { 0 };
    if (change->pos.seq <= replay->skip[weir_key_slot(change->key)].seq) {
        return; /* done before the last stop */
    }
    weir_table_record(source->table, change, time, &record);
    if (!is_wanted(job, &record) || !weir_source_passes(source, &record, &failed)) {
        return;
    }
    struct queued *queued = weir_job_give(job, source, &record, change->key, &job->records);
    queued->hops = change->hops;
    if (failed.code != WEIR_OK) {
        queued->failed = true;
        queued->attempts = 1;
        queued->err = failed;
    }
}

/* Feed from one shard. False: the time is up. */
static bool feed_shard(struct pipeline_job *job, struct replay_shard *replay, uint64_t deadline_ns)
{
    const struct weir_clock *clock = weir_loop_clock(job->pipeline->all->loop);
    for (int n = 1; !replay->at_end && weir_job_has_room(job); n++) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        enum weir_rc rc = weir_log_next(replay->reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            weir_logline(WEIR_LOG_ERROR, "pipeline.replay_trimmed", "pipeline",
                    job->pipeline->model->name.p, "reason", err.msg, NULL);
            continue;
        }
        if (rc != WEIR_OK) {
            weir_logline(WEIR_LOG_ERROR, "pipeline.replay_read_failed", "pipeline",
                    job->pipeline->model->name.p, "reason", err.msg, NULL);
        }
        replay->at_end = rc != WEIR_OK || !have || change.pos.seq > job->to.seq;
        if (!replay->at_end) {
            job->burst_keys++;
            give_change(job, replay, &change, time);
        }
        if (n % LOOK_RECORDS == 0 && weir_clock_monotonic_ns(clock) > deadline_ns) {
            return false;
        }
    }
    return true;
}

bool weir_replay_feed(struct pipeline_job *job, uint64_t deadline_ns)
{
    struct weir_err err;
    if (job->shards == NULL && open_shards(job, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "pipeline.replay_read_failed", "pipeline",
                job->pipeline->model->name.p, "reason", err.msg, NULL);
        job->ended = true;
        return true;
    }
    bool in_time = true;
    bool ended = true;
    for (size_t i = 0; i < job->shard_count; i++) {
        in_time = in_time && feed_shard(job, &job->shards[i], deadline_ns);
        ended = ended && job->shards[i].at_end;
    }
    job->ended = ended;
    return in_time;
}

/* --- asking ---------------------------------------------------------------------------------- */

enum weir_rc weir_replay_compile(struct pipeline_job *job, struct weir_err *err)
{
    size_t index = 0;
    if (job->where.n == 0) {
        return WEIR_OK;
    }
    job->pattern = weir_pattern_set_create();
    job->scratch = weir_pattern_scratch_create();
    enum weir_rc rc = weir_pattern_set_add(job->pattern, job->where, WEIR_PATTERN_AWS, &index, err);
    weir_pattern_set_freeze(job->pattern);
    return rc != WEIR_OK ? weir_fail_in(err, rc, "where: ") : rc;
}

static bool is_sequence(struct weir_str text)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') {
        digits++;
    }
    return text.n > 0 && digits == text.n;
}

/*
 * The position before a time's first record, or before a sequence number. Errors: WEIR_E_INVALID,
 * WEIR_E_IO, WEIR_E_DAMAGED.
 */
static enum weir_rc find_before(struct weir_log *log, const char *what, struct weir_str text,
        struct weir_pos *ret_pos, struct weir_time *ret_time, struct weir_err *err)
{
    *ret_time = (struct weir_time){ 0 };
    if (is_sequence(text)) {
        enum weir_rc rc = weir_sequence_parse(text, ret_pos, err);
        ret_pos->seq -= rc == WEIR_OK && ret_pos->seq > 0;
        return rc;
    }
    char zoned[WEIR_TIME_TEXT + 1];
    (void)snprintf(
            zoned, sizeof(zoned), "%.*sZ", (int)(text.n < WEIR_TIME_TEXT ? text.n : 0), text.p);
    if (!weir_time_parse(text, ret_time) && !weir_time_parse(weir_str_z(zoned), ret_time)) {
        return weir_fail(err, WEIR_E_INVALID,
                "%s is a time as in 2025-11-22T08:15:00Z or a sequence number, not '%.*s'", what,
                WEIR_STR_ARG(text));
    }
    return weir_log_find_time(log, *ret_time, ret_pos, err);
}

/* Refuse what the log does not reach back to. */
static enum weir_rc check_kept(struct weir_log *log, const struct pipeline_job *job,
        struct weir_time from, struct weir_err *err)
{
    struct weir_time first = { 0 };
    struct weir_pos oldest = { 0 };
    bool whole = weir_log_begin(log, &oldest, &first);
    bool before = from.ms != 0 ? from.ms < first.ms : job->from.seq < oldest.seq;
    if (whole || !before) {
        return WEIR_OK;
    }
    char sequence[WEIR_SEQUENCE_TEXT];
    char time[WEIR_TIME_TEXT];
    weir_sequence_format(oldest, sequence);
    weir_time_format(first, time);
    return weir_fail(err, WEIR_E_TRIMMED,
            "the log begins at %s, sequence %s; what was before is no longer kept (log.retention)",
            time, sequence);
}

static enum weir_rc set_range(
        struct pipeline_job *job, const struct weir_replay *asked, struct weir_err *err)
{
    struct weir_log *log = weir_store_log(job->pipeline->all->store);
    struct weir_time from = { 0 };
    struct weir_time to = { 0 };
    enum weir_rc rc = find_before(log, "from", asked->from, &job->from, &from, err);
    if (rc == WEIR_OK) {
        rc = check_kept(log, job, from, err);
    }
    job->to = weir_log_end(log);
    if (rc == WEIR_OK && asked->to.n > 0) {
        struct weir_pos end = job->to;
        rc = find_before(log, "to", asked->to, &job->to, &to, err);
        job->to.seq += is_sequence(asked->to); /* itself too */
        job->to = job->to.seq < end.seq ? job->to : end;
    }
    /* Times before the log's first record are one position. */
    bool turned = job->to.seq < job->from.seq || (to.ms != 0 && to.ms < from.ms);
    if (rc == WEIR_OK && turned) {
        rc = weir_fail(err, WEIR_E_INVALID, "from is after to");
    }
    return rc;
}

enum weir_rc weir_pipelines_replay(struct weir_pipelines *pipelines,
        const struct weir_replay *asked, struct weir_job_ask *ask, struct weir_err *err)
{
    struct pipeline *pipeline = NULL;
    enum weir_rc rc = weir_job_may_begin(pipelines, asked->pipeline, &pipeline, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct pipeline_job *job = weir_job_create(pipeline, JOB_REPLAY);
    job->fresh = true;
    job->stale = asked->stale;
    job->where = weir_str_own(asked->where);
    rc = set_range(job, asked, err);
    if (rc == WEIR_OK) {
        rc = weir_replay_compile(job, err);
    }
    if (rc != WEIR_OK) {
        weir_job_destroy(job);
        return rc;
    }
    struct weir_txn *txn = weir_txn_create();
    weir_replay_ended(job, txn); /* what a replay that was lost may have left */
    weir_job_begin(job, txn, ask);
    return WEIR_OK;
}
