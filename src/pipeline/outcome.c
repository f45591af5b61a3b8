/* What comes of a batch: its transaction, and what happens when it cannot be made. */
#include "base/crash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/deferred_int.h"
#include "pipeline/pipeline_int.h"
#include "value/ddbjson.h"

enum {
    PAUSE_FIRST_MS = 100, /* after a refused commit, or while a target is missing; doubles */
    PAUSE_MAX_MS = 10 * 1000,
};

/* --- the transaction ------------------------------------------------------------------------ */

static void transaction_done(struct weir_txn *txn)
{
    struct weir_lane *lane = txn->arg;
    weir_loop_post(lane->pipeline->all->loop, &lane->done_post);
}

/* The position to commit: past the last record that is through, or past all that was read. */
static struct weir_pos position_after(const struct weir_lane *lane)
{
    if (lane->next == NULL && lane->waiting.count == 0 && !lane->shard->source->of_queue) {
        return weir_log_reader_pos(lane->shard->reader);
    }
    struct weir_pos position = lane->position;
    const struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        /* One that is not from the stream says nothing about how far the lane is. */
        position = queued->origin == NULL ? queued->record.pos : position;
    }
    return position;
}

bool weir_queued_was_skipped(const struct queued *queued)
{
    return queued->failed && queued->err.code == WEIR_E_CONDITION;
}

static enum weir_rc settle_record(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    if (queued->gone) {
        return rc;
    }
    weir_quarantine_settle(lane, queued);
    if (queued->origin != NULL && queued->origin->settle != NULL) {
        rc = queued->origin->settle(lane, queued, err);
    }
    bool kept = lane->pipeline->model->dead_letters.n > 0 && queued->failed;
    if (rc == WEIR_OK && kept && !weir_queued_was_skipped(queued)) {
        rc = weir_dead_letter_put(lane, queued, err);
    }
    return rc;
}

/*
 * Origins hear of their records, and those that failed go to the dead letters, in the same
 * transaction. Errors: also WEIR_E_CONFLICT: run the batch again, without records that are gone.
 */
static enum weir_rc settle_records(struct weir_lane *lane, struct weir_err *err)
{
    enum weir_rc worst = WEIR_OK;
    struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        enum weir_rc rc = settle_record(lane, queued, err);
        if (rc != WEIR_OK && rc != WEIR_E_CONFLICT) {
            return rc;
        }
        worst = rc != WEIR_OK ? rc : worst;
    }
    return worst;
}

static enum weir_rc finish_steps(struct weir_lane *lane, struct weir_err *err)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < model->step_count; i++) {
        struct weir_step *step = model->steps[i];
        if (step->ops->finish != NULL) {
            rc = step->ops->finish(step, lane, err);
        }
    }
    return rc;
}

void weir_lane_submit(struct weir_lane *lane)
{
    struct weir_err err = { 0 };
    if (weir_letter_file_write(lane)) {
        return; /* and comes here again */
    }
    enum weir_rc rc = finish_steps(lane, &err);
    if (rc == WEIR_OK) {
        rc = settle_records(lane, &err);
    }
    if (rc == WEIR_OK) {
        weir_deferrals_commit(lane);
        rc = weir_batch_prepare(&lane->batch, &err);
    }
    if (rc == WEIR_E_CONFLICT) {
        weir_lane_run_again(lane);
        return;
    }
    if (rc != WEIR_OK) { /* a place for letters is missing, or weir's own fault: nothing is lost */
        weir_lane_block(lane, &err);
        return;
    }
    lane->committing = position_after(lane);
    weir_position_put(lane->batch.txn, WEIR_SPACE_POSITION, lane, lane->committing);
    weir_job_committing(lane);
    weir_attempts_committing(lane);
    weir_window_committing(lane);
    lane->phase = LANE_COMMITTING;
    lane->log_end = weir_log_end(weir_store_log(lane->pipeline->all->store));
    lane->batch.txn->done = transaction_done;
    lane->batch.txn->arg = lane;
    weir_store_submit(lane->pipeline->all->store, lane->batch.txn);
    weir_crash_point("lane.submitted");
}

/* --- outcomes ------------------------------------------------------------------------------ */

void weir_lane_block(struct weir_lane *lane, const struct weir_err *err)
{
    weir_lane_rewind(lane);
    if (lane->why.code == WEIR_OK) {
        weir_logline(WEIR_LOG_WARN, "pipeline.blocked", "pipeline", lane->pipeline->model->name.p,
                "reason", err->msg, NULL);
    }
    uint64_t pause = (uint64_t)PAUSE_FIRST_MS << (lane->blocks < 8 ? lane->blocks : 8);
    lane->blocks++;
    weir_lane_wait(lane, LANE_BLOCKED, err, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

static void report_failed(struct weir_lane *lane, const struct queued *queued)
{
    char event_id[WEIR_EVENT_ID_TEXT];
    weir_record_event_id(&queued->record, event_id);
    struct weir_buf keys;
    weir_buf_init(&keys, 64 * 1024);
    weir_ddbjson_write_item(&keys, queued->record.keys);
    weir_buf_byte(&keys, '\0');
    weir_logline(WEIR_LOG_ERROR, "pipeline.record_failed", "pipeline",
            lane->pipeline->model->name.p, "event_id", event_id, "keys",
            keys.overflow ? "" : keys.p, "error", queued->err.msg, NULL);
    weir_buf_fini(&keys);
}

/* Let go of the records that the committed transaction covered. */
static void release(struct weir_lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    size_t failed = 0;
    size_t left_out = 0;
    size_t parked = 0; /* processed, and counted, once they are released */
    for (size_t i = 0; i < lane->done_count; i++) {
        struct queued *queued = weir_queued_take(&lane->taken);
        bool skipped = weir_queued_was_skipped(queued);
        if (queued->failed && !skipped) {
            report_failed(lane, queued);
            failed++;
        }
        left_out += skipped;
        parked += queued->parked;
        weir_quarantine_committed(lane, queued);
        weir_queued_destroy(queued, true);
    }
    weir_counter_add(pipeline->filtered, left_out);
    weir_counter_add(pipeline->records, lane->done_count - parked);
    weir_counter_add(pipeline->errors, failed);
    if (pipeline->model->dead_letters.n > 0) {
        weir_counter_add(pipeline->letters_written, failed);
    }
    weir_counter_add(pipeline->batches, 1);
    if (lane->closing == NULL) {
        weir_histogram_add(pipeline->batch_sizes, lane->done_count);
    }
}

void weir_lane_run_again(struct weir_lane *lane)
{
    weir_lane_rewind(lane);
    lane->phase = LANE_RUNNING;
    weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
}

static void goes_on(struct weir_lane *lane)
{
    if (lane->why.code != WEIR_OK) {
        weir_logline(
                WEIR_LOG_INFO, "pipeline.goes_on", "pipeline", lane->pipeline->model->name.p, NULL);
    }
    lane->why.code = WEIR_OK;
    lane->blocks = 0;
}

static void committed(struct weir_lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    uint64_t now = weir_clock_monotonic_ns(weir_loop_clock(pipeline->all->loop));
    weir_histogram_add(pipeline->duration, (now - lane->began_ns) / 1000);
    lane->position = lane->committing;
    weir_crash_point("lane.committed");
    bool cut = lane->cut != NULL;
    struct weir_err cut_err = lane->cut_err;
    goes_on(lane);
    if (lane->batch.deferrals != NULL) {
        struct burst_added added = weir_deferrals_added(lane);
        weir_deferred_note(pipeline->deferred, &added);
    }
    weir_job_committed(lane);
    weir_attempts_committed(lane);
    weir_window_committed(lane);
    release(lane);
    weir_lane_forget(lane);
    if (lane->closing != NULL) {
        weir_queued_destroy(WEIR_TAKE(lane->closing), true);
    }
    if (cut && cut_err.code != WEIR_OK) { /* the first of the rest is at fault */
        lane->done_count = lane->taken.count;
        lane->cut = lane->taken.first;
        weir_lane_attempt_failed(lane, &cut_err);
    } else if (lane->taken.count > 0) { /* the batch was cut into several transactions */
        weir_lane_run_again(lane);
    } else {
        weir_lane_finished(lane);
    }
}

/*
 * Half as many records in a transaction; a single one whose changes are too large fails, and the
 * end of a window waits.
 */
static void shrink(struct weir_lane *lane, const struct weir_err *err)
{
    if (lane->closing != NULL) {
        weir_lane_block(lane, err);
        return;
    }
    if (lane->done_count > 1) {
        lane->limit = lane->done_count / 2;
    } else {
        struct queued *queued = lane->taken.first;
        queued->failed = true;
        queued->attempts = 1;
        queued->err = *err;
    }
    weir_lane_run_again(lane);
}

static void answered(struct weir_lane *lane)
{
    struct weir_err err;
    switch (weir_lane_answered(lane, &err)) {
    case WEIR_LANE_COMMITTED:
        committed(lane);
        break;
    case WEIR_LANE_NOT_COMMITTED:
        weir_lane_block(lane, &err);
        break;
    case WEIR_LANE_UNSURE:
        break;
    }
}

void weir_lane_outcome(struct weir_lane *lane)
{
    if (lane->question != NULL) {
        answered(lane);
        return;
    }
    struct weir_err err = lane->batch.txn->err;
    enum weir_rc rc = lane->batch.txn->rc;
    if (rc == WEIR_OK) {
        committed(lane);
    } else if (rc == WEIR_E_CONFLICT) {
        /* Somebody else wrote what the batch had read: the same records, read anew. */
        weir_counter_add(lane->pipeline->conflicts, 1);
        weir_lane_run_again(lane);
    } else if (rc == WEIR_E_CONDITION && weir_lane_drop_refused(lane)) {
        weir_lane_run_again(lane);
    } else if (rc == WEIR_E_TOO_LARGE) {
        shrink(lane, &err);
    } else if (rc == WEIR_E_UNKNOWN_OUTCOME) {
        weir_lane_unsure(lane);
    } else {
        weir_lane_block(lane, &err);
    }
}
