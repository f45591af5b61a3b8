/*
 * Lanes: one ordered sequence of batches. See the table of phases in pipeline.h.
 *
 * consider -> schedule -> run (run.c) -> submit -> outcome (outcome.c)
 *                          `-> failed: blocked or paused (outcome.c, retry.c) -> again
 */
#include "base/hash.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

/* --- life ------------------------------------------------------------------------------ */

static void run_posted(struct weir_post *post)
{
    weir_lane_run(WEIR_CONTAINER(post, struct weir_lane, run_post));
}

static void outcome_posted(struct weir_post *post)
{
    weir_lane_outcome(WEIR_CONTAINER(post, struct weir_lane, done_post));
}

static void queue_lane(struct weir_lane *lane);

static void timer_fired(struct weir_loop_timer *timer)
{
    struct weir_lane *lane = WEIR_CONTAINER(timer, struct weir_lane, timer);
    switch (lane->phase) {
    case LANE_WAITING:
        weir_lane_consider(lane);
        break;
    case LANE_BLOCKED:
        weir_lane_unblock(lane);
        break;
    case LANE_PAUSED:
        queue_lane(lane);
        break;
    case LANE_PENDING:
        weir_lane_timed_out(lane);
        break;
    case LANE_COMMITTING:
        if (lane->unsure) {
            weir_lane_ask(lane);
        }
        break;
    case LANE_QUEUED:
    case LANE_RUNNING:
        break;
    }
}

void weir_lane_init(struct weir_lane *lane, struct shard *shard, uint32_t first_slot,
        uint32_t slot_count, struct weir_pos position)
{
    struct pipeline *pipeline = shard->source->pipeline;
    lane->pipeline = pipeline;
    lane->shard = shard;
    lane->first_slot = first_slot;
    lane->slot_count = slot_count;
    lane->position = position;
    lane->work = weir_alloc_zero(pipeline->model->step_count, sizeof(*lane->work));
    lane->run_post.run = run_posted;
    lane->done_post.run = outcome_posted;
    weir_queued_init(&lane->waiting);
    weir_queued_init(&lane->taken);
    weir_arena_init(&lane->arena);
    for (size_t i = 0; i < WEIR_STEPS_WHOLE_MAX; i++) {
        weir_arena_init(&lane->answers[i].arena);
    }
    weir_loop_timer_init(&lane->timer, pipeline->all->loop, timer_fired);
}

void weir_lane_fini(struct weir_lane *lane)
{
    if (lane->phase == LANE_PENDING) {
        weir_lane_cancel(lane);
    }
    weir_assert(lane->claims == NULL);
    weir_txn_destroy(WEIR_TAKE(lane->question));
    weir_batch_end(&lane->batch);
    weir_queued_clear(&lane->waiting);
    weir_queued_clear(&lane->taken);
    if (lane->closing != NULL) {
        weir_queued_destroy(WEIR_TAKE(lane->closing), false);
    }
    weir_arena_fini(&lane->arena);
    for (size_t i = 0; i < WEIR_STEPS_WHOLE_MAX; i++) {
        weir_arena_fini(&lane->answers[i].arena);
    }
    weir_free(lane->work);
    weir_loop_timer_fini(&lane->timer);
}

struct weir_pos weir_lane_reached(const struct weir_lane *lane)
{
    if (lane->waiting.count > 0 || lane->taken.count > 0 || lane->shard->source->of_queue) {
        return lane->position;
    }
    struct weir_pos read = weir_log_reader_pos(lane->shard->reader);
    return read.seq > lane->position.seq ? read : lane->position;
}

/* --- forming batches ---------------------------------------------------------------------- */

static bool is_closing(const struct weir_lane *lane)
{
    return lane->pipeline->all->stopping || lane->shard->source->leaving;
}

static bool batch_is_due(struct weir_lane *lane)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    if (lane->waiting.count == 0 || is_closing(lane) || weir_attempts_wait(lane)) {
        return false;
    }
    /* What the window is for has been waited for already when it does not come from the stream. */
    if (model->window_ms == 0 || lane->shard->source->draining ||
            lane->waiting.count >= model->batch || lane->waiting.bytes >= WEIR_BATCH_MAX_BYTES ||
            (lane->waiting.first->origin != NULL && !lane->shard->source->of_queue) ||
            weir_window_has_passed(lane)) {
        return true;
    }
    const struct weir_clock *clock = weir_loop_clock(lane->pipeline->all->loop);
    uint64_t waited_ms = (weir_clock_monotonic_ns(clock) - lane->waiting_since_ns) / (1000 * 1000);
    if (waited_ms >= model->window_ms) {
        return true;
    }
    weir_loop_timer_start(&lane->timer, model->window_ms - waited_ms);
    return false;
}

static void queue_lane(struct weir_lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    if (is_closing(lane)) {
        return; /* its records are read again at the next start, its messages received again */
    }
    lane->phase = LANE_QUEUED;
    lane->next_queued = NULL;
    *pipeline->queue_last = lane;
    pipeline->queue_last = &lane->next_queued;
    weir_pipeline_schedule(pipeline);
}

/*
 * A batch ends where records begin another way, where that of before the last stop ended, and with
 * its window.
 */
static bool belongs(const struct weir_lane *lane, const struct queued *queued)
{
    return lane->taken.count == 0 || (queued->first_step == lane->taken.first->first_step &&
                                             !weir_attempts_ends_before(lane, queued) &&
                                             !weir_window_ends_before(lane, queued));
}

static void take_batch(struct weir_lane *lane)
{
    uint64_t most = lane->pipeline->model->batch;
    while (lane->waiting.count > 0 && lane->taken.count < most &&
            belongs(lane, lane->waiting.first)) {
        weir_queued_add(&lane->taken, weir_queued_take(&lane->waiting));
    }
    lane->next = lane->taken.first;
    lane->limit = 0;
    const struct weir_clock *clock = weir_loop_clock(lane->pipeline->all->loop);
    lane->waiting_since_ns = weir_clock_monotonic_ns(clock);
}

uint32_t weir_key_slot(struct weir_str key)
{
    return (uint32_t)(weir_hash64(0, key.p, key.n) >> 58);
}

struct weir_lane *weir_shard_lane(struct shard *shard, struct weir_str key)
{
    return &shard->lanes[weir_key_slot(key) * shard->lane_count / WEIR_PIPELINE_SLOTS];
}

void weir_lane_give(struct weir_lane *lane, struct queued *queued)
{
    if (lane->waiting.count == 0) {
        const struct weir_clock *clock = weir_loop_clock(lane->pipeline->all->loop);
        lane->waiting_since_ns = weir_clock_monotonic_ns(clock);
    }
    if (queued->origin == NULL) {
        lane->given = queued->record.pos;
    }
    weir_queued_add(&lane->waiting, queued);
}

void weir_lane_consider(struct weir_lane *lane)
{
    if (lane->phase != LANE_WAITING) {
        return;
    }
    if (!batch_is_due(lane)) {
        if (weir_window_close(lane)) {
            weir_loop_timer_stop(&lane->timer);
            queue_lane(lane);
        }
        return;
    }
    weir_loop_timer_stop(&lane->timer);
    take_batch(lane);
    uint64_t pause_ms = weir_attempts_taken(lane);
    if (pause_ms > 0) { /* that was left of a pause at the last stop */
        lane->phase = LANE_PAUSED;
        weir_loop_timer_start(&lane->timer, pause_ms);
    } else {
        queue_lane(lane);
    }
}

/* --- waiting -------------------------------------------------------------------------------- */

void weir_lane_unblock(struct weir_lane *lane)
{
    if (lane->phase == LANE_BLOCKED) {
        weir_loop_timer_stop(&lane->timer);
        queue_lane(lane);
    }
}

void weir_lane_give_up_place(struct weir_lane *lane)
{
    lane->pipeline->in_flight--;
    lane->shard->source->in_flight--;
}

void weir_lane_wait(
        struct weir_lane *lane, enum lane_phase phase, const struct weir_err *why, uint64_t ms)
{
    if (lane->why.code == WEIR_OK) {
        lane->stuck_since = weir_clock_wall(weir_loop_clock(lane->pipeline->all->loop));
    }
    lane->phase = phase;
    lane->stuck_as = phase;
    lane->next_attempt = weir_clock_wall(weir_loop_clock(lane->pipeline->all->loop));
    lane->next_attempt.ms += (int64_t)ms;
    lane->why = *why;
    weir_lane_give_up_place(lane);
    weir_loop_timer_start(&lane->timer, ms);
    weir_pipeline_schedule(lane->pipeline);
    weir_lane_moved(lane);
}

void weir_lane_finished(struct weir_lane *lane)
{
    lane->phase = LANE_WAITING;
    weir_lane_give_up_place(lane);
    weir_lane_consider(lane);
    weir_pipeline_schedule(lane->pipeline);
    weir_lane_moved(lane);
}
