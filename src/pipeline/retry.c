/*
 * Attempts: what happens to a batch whose target failed. Retries with pauses; then halving,
 * until the record at fault is alone; then it is given up.
 *
 * How a batch has fared is an entry of WEIR_SPACE_RETRY under the lane's key: its last record,
 * the last one under suspicion, how many attempts failed and when the next one is due. It goes
 * in the transaction that the batch is committed with.
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/logline.h"
#include "pipeline/pipeline_int.h"

/* An entry's value; part of the format. Integers are little-endian. */
struct entry {
    uint64_t last;
    uint64_t last_suspect;
    int64_t due_ms;
    uint64_t failed;
};

/* --- keeping ------------------------------------------------------------------------------ */

static struct weir_pos last_of(const struct weir_lane *lane, size_t count)
{
    struct weir_pos last = { 0 };
    const struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < count && queued != NULL; i++, queued = queued->next) {
        last = queued->origin == NULL ? queued->record.pos : last;
    }
    return last;
}

static void put_entry(struct weir_lane *lane, struct weir_txn *txn, uint64_t pause_ms)
{
    const struct weir_clock *clock = weir_loop_clock(lane->pipeline->all->loop);
    struct entry entry = {
        .last = last_of(lane, lane->taken.count).seq,
        .last_suspect = last_of(lane, lane->attempts.suspects).seq,
        .due_ms = weir_clock_wall(clock).ms + (int64_t)pause_ms,
        .failed = lane->attempts.failed,
    };
    struct weir_str value =
            weir_arena_str(&txn->arena, weir_str((const char *)&entry, sizeof(entry)));
    weir_txn_put(txn, WEIR_SPACE_RETRY, weir_lane_key(&txn->arena, lane), value);
    lane->attempts.stored = true;
}

static void entry_written(struct weir_txn *txn)
{
    weir_crash_point("retry.kept");
    weir_txn_destroy(txn); /* if it failed, a restart only tries more often */
}

static void store_attempts(struct weir_lane *lane, uint64_t pause_ms)
{
    if (last_of(lane, lane->taken.count).seq == 0) {
        return; /* nothing of it is read from the stream again */
    }
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = entry_written;
    put_entry(lane, txn, pause_ms);
    weir_store_submit(lane->pipeline->all->store, txn);
}

void weir_attempts_committing(struct weir_lane *lane)
{
    if (lane->attempts.stored && lane->closing == NULL) {
        struct weir_txn *txn = lane->batch.txn;
        weir_txn_delete(txn, WEIR_SPACE_RETRY, weir_lane_key(&txn->arena, lane));
    }
}

void weir_attempts_committed(struct weir_lane *lane)
{
    struct attempts *attempts = &lane->attempts;
    if (lane->closing != NULL) {
        return;
    }
    bool more = attempts->suspects > lane->done_count;
    *attempts = (struct attempts){ .suspects = more ? attempts->suspects - lane->done_count : 0 };
}

enum weir_rc weir_attempts_load(struct weir_lane *lane, struct weir_err *err)
{
    struct weir_store *store = lane->pipeline->all->store;
    struct weir_entry found;
    struct entry entry;
    struct weir_arena arena;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_store_get(
            store, WEIR_SPACE_RETRY, weir_lane_key(&arena, lane), &arena, &found, err);
    if (rc == WEIR_OK && found.value.n == sizeof(entry)) {
        memcpy(&entry, found.value.p, sizeof(entry));
        lane->stored = (struct attempts_stored){
            .last = { entry.last },
            .last_suspect = { entry.last_suspect },
            .failed = (unsigned)entry.failed,
            .due = { entry.due_ms },
        };
        lane->attempts.stored = true;
    }
    weir_arena_fini(&arena);
    return rc;
}

bool weir_attempts_wait(const struct weir_lane *lane)
{
    uint64_t last = lane->stored.last.seq;
    bool full = lane->waiting.count >= lane->pipeline->model->batch;
    return last > lane->given.seq && !lane->shard->at_end && !full;
}

bool weir_attempts_ends_before(const struct weir_lane *lane, const struct queued *queued)
{
    return lane->stored.last.seq != 0 && queued->record.pos.seq > lane->stored.last.seq;
}

uint64_t weir_attempts_taken(struct weir_lane *lane)
{
    struct attempts_stored stored = lane->stored;
    lane->stored = (struct attempts_stored){ 0 };
    if (stored.last.seq == 0 || lane->taken.first->record.pos.seq > stored.last.seq) {
        return 0;
    }
    lane->attempts.failed = stored.failed;
    for (const struct queued *q = lane->taken.first; q != NULL; q = q->next) {
        lane->attempts.suspects += q->record.pos.seq <= stored.last_suspect.seq;
    }
    int64_t now = weir_clock_wall(weir_loop_clock(lane->pipeline->all->loop)).ms;
    return stored.due.ms > now ? (uint64_t)(stored.due.ms - now) : 0;
}

/* --- deciding ----------------------------------------------------------------------------------
 */

size_t weir_lane_limit(const struct weir_lane *lane)
{
    size_t suspects = lane->attempts.suspects;
    if (lane->attempts.given_up > 0) {
        return lane->attempts.given_up;
    }
    size_t half = suspects > 1 ? suspects / 2 : suspects;
    bool smaller = lane->limit != 0 && (half == 0 || lane->limit < half);
    return smaller ? lane->limit : half;
}

/* How many records an attempt was about that are not committed. */
static size_t failed_together(const struct weir_lane *lane)
{
    return lane->cut != NULL ? lane->taken.count : lane->done_count;
}

static void log_attempt(
        const struct weir_lane *lane, const char *what, const struct weir_err *err, uint64_t ms)
{
    char failed[24];
    char records[24];
    char pause[24];
    snprintf(failed, sizeof(failed), "%u", lane->attempts.failed);
    snprintf(records, sizeof(records), "%zu", failed_together(lane));
    snprintf(pause, sizeof(pause), "%llu", (unsigned long long)ms);
    weir_logline(WEIR_LOG_WARN, what, "pipeline", lane->pipeline->model->name.p, "records", records,
            "attempt", failed, "pause_ms", pause, "reason", err->msg, NULL);
}

static void try_again(struct weir_lane *lane, const struct weir_err *err)
{
    struct pipeline *pipeline = lane->pipeline;
    uint64_t pause = weir_backoff_pause(
            &pipeline->model->retry.backoff, lane->attempts.failed, &pipeline->all->random);
    weir_counter_add(pipeline->retries, 1);
    log_attempt(lane, "pipeline.retries", err, pause);
    store_attempts(lane, pause);
    weir_lane_forget(lane);
    weir_lane_wait(lane, LANE_PAUSED, err, pause);
    weir_crash_point("retry.paused");
}

/* The first half of the records; the one at fault is among them, or in the other half. */
static void bisect(struct weir_lane *lane, const struct weir_err *err)
{
    log_attempt(lane, "pipeline.bisects", err, 0);
    lane->attempts.suspects = lane->done_count;
    lane->attempts.failed = 0;
    store_attempts(lane, 0);
    weir_crash_point("retry.bisected");
    weir_lane_forget(lane);
    weir_lane_run_again(lane);
}

/* The first records of the batch go to the dead letters. */
static void give_up(struct weir_lane *lane, size_t count, const struct weir_err *err)
{
    const struct weir_step *step =
            lane->cut != NULL ? lane->cut_by : lane->pipeline->model->steps[lane->step];
    weir_queued_fail(
            lane->taken.first, count, WEIR_CONDITION_RETRIES, lane->attempts.failed, step, err);
    lane->attempts.given_up = count;
    weir_crash_point("retry.given_up");
    weir_lane_forget(lane);
    weir_lane_run_again(lane);
}

void weir_lane_attempt_failed(struct weir_lane *lane, const struct weir_err *reason)
{
    const struct weir_retry *retry = &lane->pipeline->model->retry;
    struct weir_err err = *reason; /* it may be part of what is forgotten */
    struct attempts *attempts = &lane->attempts;
    if (lane->closing != NULL) { /* nothing may pass the end of a window, so it is not given up */
        weir_lane_block(lane, &err);
        return;
    }
    bool known = lane->cut != NULL; /* the step says that the first record is at fault */
    bool alone = lane->done_count == 1 || (known && retry->bisect != WEIR_BISECT_NEVER);
    bool halve = !alone && retry->bisect != WEIR_BISECT_NEVER;
    bool at_once = halve && (attempts->suspects > 0 || retry->bisect == WEIR_BISECT_FIRST);
    attempts->failed++;
    weir_crash_point("retry.failed");
    if (!at_once && attempts->failed <= retry->retries) {
        try_again(lane, &err);
    } else if (halve) {
        bisect(lane, &err);
    } else {
        give_up(lane, known && alone ? 1 : failed_together(lane), &err);
    }
}

void weir_lane_check_ages(struct weir_lane *lane)
{
    uint64_t max_age = lane->pipeline->model->retry.max_age_ms;
    int64_t now = weir_clock_wall(weir_loop_clock(lane->pipeline->all->loop)).ms;
    for (struct queued *q = lane->taken.first; max_age > 0 && q != NULL; q = q->next) {
        if (!q->failed && q->origin == NULL && now - q->record.created.ms > (int64_t)max_age) {
            q->failed = true;
            q->condition = WEIR_CONDITION_AGE;
            q->attempts = lane->attempts.failed > 0 ? lane->attempts.failed : 1;
            weir_fail(&q->err, WEIR_E_TIMEOUT, "older than max_age%s%s",
                    lane->why.code != WEIR_OK ? "; last: " : "",
                    lane->why.code != WEIR_OK ? lane->why.msg : "");
        }
    }
}
