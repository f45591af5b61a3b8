/*
 * Lanes: one ordered sequence of batches. See the table of phases in pipeline.h.
 *
 * consider -> schedule -> run (in parts of CHUNK records, yielding) -> submit -> outcome
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"
#include "value/ddbjson.h"

enum {
    CHUNK = 8,                   /* records through the steps at a time */
    TRANSACTION_BYTES = 1 << 20, /* then the batch goes on in another transaction */
    PAUSE_FIRST_MS = 100,        /* after a refused commit or a retry; doubles */
    PAUSE_MAX_MS = 10 * 1000,
};

static const uint64_t yield_after_ns = 500 * 1000;

/* --- queues ---------------------------------------------------------------------- */

void weir_queued_init(struct queued_list *list)
{
    *list = (struct queued_list){ 0 };
    list->last = &list->first;
}

void weir_queued_add(struct queued_list *list, struct queued *queued)
{
    queued->next = NULL;
    if (list->count == 0) {
        list->last = &list->first;
    }
    *list->last = queued;
    list->last = &queued->next;
    list->count++;
    list->bytes += queued->bytes;
}

struct queued *weir_queued_take(struct queued_list *list)
{
    struct queued *queued = list->first;
    if (queued != NULL) {
        list->first = queued->next;
        list->count--;
        list->bytes -= queued->bytes;
    }
    return queued;
}

void weir_queued_clear(struct queued_list *list)
{
    for (struct queued *q = weir_queued_take(list); q != NULL; q = weir_queued_take(list)) {
        weir_free(q);
    }
}

static struct weir_str copy_bytes(char **at, struct weir_str bytes)
{
    struct weir_str copy = weir_str(*at, bytes.n);
    if (bytes.n > 0) {
        memcpy(*at, bytes.p, bytes.n);
        *at += bytes.n;
    }
    return copy;
}

static struct weir_item copy_item(char **at, struct weir_item item)
{
    struct weir_str copy = copy_bytes(at, weir_str(item.p, item.n));
    return (struct weir_item){ copy.p, copy.n };
}

struct queued *weir_queued_create(
        const struct weir_record *record, struct weir_str key, uint8_t hops, struct weir_str letter)
{
    size_t bytes = record->keys.n + record->old_image.n + record->new_image.n + key.n + letter.n;
    struct queued *queued = weir_alloc(sizeof(*queued) + bytes);
    char *at = (char *)(queued + 1);
    *queued = (struct queued){ .record = *record, .bytes = bytes, .hops = hops };
    queued->key = copy_bytes(&at, key);
    queued->letter = copy_bytes(&at, letter);
    queued->record.keys = copy_item(&at, record->keys);
    queued->record.old_image = copy_item(&at, record->old_image);
    queued->record.new_image = copy_item(&at, record->new_image);
    return queued;
}

/* --- what steps see ----------------------------------------------------------------- */

struct weir_arena *weir_lane_arena(struct weir_lane *lane)
{
    return &lane->arena;
}

struct weir_str weir_lane_pipeline(const struct weir_lane *lane)
{
    return lane->pipeline->model->name;
}

struct weir_str weir_lane_record_key(struct weir_lane *lane, struct weir_event event)
{
    (void)lane;
    return WEIR_CONTAINER(event.record, struct queued, record)->key;
}

struct weir_expr_frame weir_lane_frame(struct weir_lane *lane, struct weir_event event)
{
    return (struct weir_expr_frame){
        .slots = event.slots,
        .slot_count = lane->pipeline->model->slot_count,
        .arena = &lane->arena,
        .now = event.record->created,
        .clock = weir_loop_clock(lane->pipeline->all->loop),
    };
}

void weir_events_add(struct weir_lane *lane, struct weir_events *events, struct weir_event event)
{
    if (events->count == events->capacity) {
        size_t capacity = events->capacity > 0 ? events->capacity * 2 : 2 * CHUNK;
        struct weir_event *all = weir_arena_zero(&lane->arena, capacity, sizeof(*all));
        for (size_t i = 0; i < events->count; i++) {
            all[i] = events->all[i];
        }
        events->all = all;
        events->capacity = capacity;
    }
    events->all[events->count++] = event;
}

struct weir_expr_value *weir_event_copy_slots(struct weir_lane *lane, struct weir_event event)
{
    size_t count = lane->pipeline->model->slot_count;
    struct weir_expr_value *slots = weir_arena_zero(&lane->arena, count, sizeof(*slots));
    for (size_t i = 0; i < count; i++) {
        slots[i] = event.slots[i];
    }
    return slots;
}

void weir_lane_fail(struct weir_lane *lane, struct weir_event event, const struct weir_err *err)
{
    struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    if (queued->failed) {
        return;
    }
    queued->failed = true;
    queued->err = *err;
    const struct weir_pipeline_model *model = lane->pipeline->model;
    for (size_t i = 0; i <= lane->step; i++) {
        lane->rerun = lane->rerun || model->steps[i]->ops->writes;
    }
}

/* --- life ------------------------------------------------------------------------------ */

static void run_posted(struct weir_post *post);
static void outcome_posted(struct weir_post *post);
static void timer_fired(struct weir_loop_timer *timer);

void weir_lane_init(struct weir_lane *lane, struct shard *shard, uint32_t first_slot,
        uint32_t slot_count, struct weir_pos position)
{
    lane->pipeline = shard->pipeline;
    lane->shard = shard;
    lane->first_slot = first_slot;
    lane->slot_count = slot_count;
    lane->position = position;
    lane->run_post.run = run_posted;
    lane->done_post.run = outcome_posted;
    weir_queued_init(&lane->waiting);
    weir_queued_init(&lane->taken);
    weir_arena_init(&lane->arena);
    weir_loop_timer_init(&lane->timer, lane->pipeline->all->loop, timer_fired);
}

void weir_lane_fini(struct weir_lane *lane)
{
    weir_batch_end(&lane->batch);
    weir_queued_clear(&lane->waiting);
    weir_queued_clear(&lane->taken);
    weir_arena_fini(&lane->arena);
    weir_loop_timer_fini(&lane->timer);
}

struct weir_pos weir_lane_reached(const struct weir_lane *lane)
{
    if (lane->waiting.count > 0 || lane->taken.count > 0) {
        return lane->position;
    }
    struct weir_pos read = weir_log_reader_pos(lane->shard->reader);
    return read.seq > lane->position.seq ? read : lane->position;
}

/* --- forming batches ---------------------------------------------------------------------- */

static bool batch_is_due(struct weir_lane *lane)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    if (lane->waiting.count == 0 || lane->pipeline->all->stopping || lane->pipeline->leaving) {
        return false;
    }
    if (model->window_ms == 0 || lane->waiting.count >= model->batch) {
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
    lane->phase = LANE_QUEUED;
    lane->next_queued = NULL;
    *pipeline->queue_last = lane;
    pipeline->queue_last = &lane->next_queued;
    weir_pipeline_schedule(pipeline);
}

static void take_batch(struct weir_lane *lane)
{
    while (lane->waiting.count > 0 && lane->taken.count < lane->pipeline->model->batch) {
        weir_queued_add(&lane->taken, weir_queued_take(&lane->waiting));
    }
    lane->next = lane->taken.first;
    lane->done_count = 0;
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
    weir_queued_add(&lane->waiting, queued);
}

void weir_lane_consider(struct weir_lane *lane)
{
    if (lane->phase == LANE_WAITING && batch_is_due(lane)) {
        weir_loop_timer_stop(&lane->timer);
        take_batch(lane);
        queue_lane(lane);
    }
}

void weir_lane_unblock(struct weir_lane *lane)
{
    if (lane->phase == LANE_BLOCKED && !lane->pipeline->all->stopping && !lane->pipeline->leaving) {
        weir_loop_timer_stop(&lane->timer);
        queue_lane(lane);
    }
}

static void timer_fired(struct weir_loop_timer *timer)
{
    struct weir_lane *lane = WEIR_CONTAINER(timer, struct weir_lane, timer);
    if (lane->phase == LANE_BLOCKED) {
        weir_lane_unblock(lane);
    } else {
        weir_lane_consider(lane);
    }
}

/* --- running ---------------------------------------------------------------------------------- */

/* Start over with the batch's records that are not committed. */
static void rewind_batch(struct weir_lane *lane)
{
    weir_batch_end(&lane->batch);
    weir_arena_reset(&lane->arena);
    lane->next = lane->taken.first;
    lane->done_count = 0;
    lane->rerun = false;
}

static void block(struct weir_lane *lane, const struct weir_err *err)
{
    struct pipeline *pipeline = lane->pipeline;
    rewind_batch(lane);
    bool news = lane->attempts == 0;
    uint64_t pause = (uint64_t)PAUSE_FIRST_MS << (lane->attempts < 8 ? lane->attempts : 8);
    lane->attempts++;
    lane->phase = LANE_BLOCKED;
    lane->why = *err;
    pipeline->in_flight--;
    if (news) {
        const struct weir_clock *clock = weir_loop_clock(pipeline->all->loop);
        lane->blocked_since = weir_clock_wall(clock);
        weir_logline(WEIR_LOG_WARN, "pipeline.blocked", "pipeline", pipeline->model->name.p,
                "reason", err->msg, NULL);
    }
    weir_loop_timer_start(&lane->timer, pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
    weir_pipeline_schedule(pipeline);
    weir_pipeline_moved(pipeline);
}

static struct weir_event first_event(struct weir_lane *lane, struct queued *queued)
{
    struct weir_event event = { .record = &queued->record, .record_index = lane->done_count };
    size_t count = lane->pipeline->model->slot_count;
    event.slots = weir_arena_zero(&lane->arena, count, sizeof(*event.slots));
    const struct weir_record *record = &queued->record;
    if (record->new_image.n > 0) {
        event.slots[WEIR_SLOT_NEW] = weir_expr_item(record->new_image);
    }
    if (record->old_image.n > 0) {
        event.slots[WEIR_SLOT_OLD] = weir_expr_item(record->old_image);
    }
    event.slots[WEIR_SLOT_KEYS] = weir_expr_item(record->keys);
    event.slots[WEIR_SLOT_EVENT] = weir_expr_string(weir_str_z(weir_event_name(record->event)));
    return event;
}

/* Records that failed at this step do not reach the next one. */
static void drop_failed(struct weir_events *events)
{
    size_t n = 0;
    for (size_t i = 0; i < events->count; i++) {
        if (!WEIR_CONTAINER(events->all[i].record, struct queued, record)->failed) {
            events->all[n++] = events->all[i];
        }
    }
    events->count = n;
}

/* Whether another record may join the transaction. */
static bool has_room(const struct weir_lane *lane)
{
    return lane->next != NULL && (lane->limit == 0 || lane->done_count < lane->limit);
}

static enum weir_verdict run_chunk(struct weir_lane *lane, struct weir_err *err)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    struct weir_events events = { 0 };
    for (int i = 0; i < CHUNK && has_room(lane); i++) {
        if (!lane->next->failed) {
            weir_events_add(lane, &events, first_event(lane, lane->next));
        }
        lane->next = lane->next->next;
        lane->done_count++;
    }
    for (lane->step = 0; lane->step < model->step_count && events.count > 0; lane->step++) {
        struct weir_step *step = model->steps[lane->step];
        struct weir_events out = { 0 };
        enum weir_verdict verdict = step->ops->run(step, lane, &events, &out, err);
        if (verdict != WEIR_STEP_DONE) {
            return verdict;
        }
        drop_failed(&out);
        events = out;
    }
    return WEIR_STEP_DONE;
}

static void transaction_done(struct weir_txn *txn)
{
    struct weir_lane *lane = txn->arg;
    weir_loop_post(lane->pipeline->all->loop, &lane->done_post);
}

/* The position to commit: past the last record that is through, or past all that was read. */
static struct weir_pos position_after(const struct weir_lane *lane)
{
    if (lane->next == NULL && lane->waiting.count == 0) {
        return weir_log_reader_pos(lane->shard->reader);
    }
    struct weir_pos position = lane->position;
    const struct queued *queued = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        /* One that came back from the dead letters says nothing about how far the lane is. */
        position = queued->letter.n == 0 ? queued->record.pos : position;
    }
    return position;
}

/* Whether the pipeline itself said that the record is to be left out. */
static bool was_skipped(const struct queued *queued)
{
    return queued->failed && queued->err.code == WEIR_E_CONDITION;
}

/*
 * Records that failed go to the dead letters, and letters whose record is through go, in the
 * same transaction.
 */
static enum weir_rc put_dead_letters(struct weir_lane *lane, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    struct queued *queued = lane->taken.first;
    bool kept = lane->pipeline->model->dead_letters.n > 0;
    for (size_t i = 0; kept && rc == WEIR_OK && i < lane->done_count; i++) {
        if (queued->failed && !was_skipped(queued)) {
            rc = weir_dead_letter_put(lane, queued, err);
        } else if (queued->letter.n > 0) {
            rc = weir_dead_letter_remove(lane, queued, err);
        }
        queued = queued->next;
    }
    return rc;
}

static void submit(struct weir_lane *lane)
{
    struct weir_err err = { 0 };
    if (put_dead_letters(lane, &err) != WEIR_OK) {
        block(lane, &err); /* until their table is there: without it the record would be lost */
        return;
    }
    if (weir_batch_prepare(&lane->batch, &err) != WEIR_OK) {
        /* Items were checked when they were put: this is weir's fault, so it must not be lost. */
        block(lane, &err);
        return;
    }
    lane->committing = position_after(lane);
    weir_position_put(lane->batch.txn, lane, lane->committing);
    lane->phase = LANE_COMMITTING;
    lane->batch.txn->done = transaction_done;
    lane->batch.txn->arg = lane;
    weir_store_submit(lane->pipeline->all->store, lane->batch.txn);
}

static void run(struct weir_lane *lane)
{
    const struct weir_clock *clock = weir_loop_clock(lane->pipeline->all->loop);
    uint64_t start = weir_clock_monotonic_ns(clock);
    if (lane->batch.txn == NULL) {
        weir_batch_begin(&lane->batch);
    }
    while (has_room(lane) && lane->batch.txn->bytes < TRANSACTION_BYTES) {
        struct weir_err err = { 0 };
        if (run_chunk(lane, &err) != WEIR_STEP_DONE) {
            block(lane, &err);
            return;
        }
        bool late = weir_clock_monotonic_ns(clock) - start > yield_after_ns;
        if (late && has_room(lane)) {
            weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
            return;
        }
    }
    if (lane->rerun) {
        rewind_batch(lane); /* without the records that failed, which are marked */
        weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
        return;
    }
    submit(lane);
}

static void run_posted(struct weir_post *post)
{
    run(WEIR_CONTAINER(post, struct weir_lane, run_post));
}

void weir_pipeline_schedule(struct pipeline *pipeline)
{
    while (pipeline->queue != NULL && pipeline->in_flight < pipeline->model->concurrency) {
        struct weir_lane *lane = pipeline->queue;
        pipeline->queue = lane->next_queued;
        if (pipeline->queue == NULL) {
            pipeline->queue_last = &pipeline->queue;
        }
        pipeline->in_flight++;
        lane->phase = LANE_RUNNING;
        lane->began_ns = weir_clock_monotonic_ns(weir_loop_clock(pipeline->all->loop));
        weir_loop_defer(pipeline->all->loop, &lane->run_post);
    }
}

/* --- outcomes ------------------------------------------------------------------------------------
 */

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
    for (size_t i = 0; i < lane->done_count; i++) {
        struct queued *queued = weir_queued_take(&lane->taken);
        bool skipped = was_skipped(queued);
        if (queued->failed && !skipped) {
            report_failed(lane, queued);
            failed++;
        }
        left_out += skipped;
        weir_free(queued);
    }
    weir_counter_add(pipeline->filtered, left_out);
    weir_counter_add(pipeline->records, lane->done_count);
    weir_counter_add(pipeline->errors, failed);
    weir_counter_add(pipeline->batches, 1);
    weir_histogram_add(pipeline->batch_sizes, lane->done_count);
}

/* Run what is left of the batch, from its first record. */
static void run_again(struct weir_lane *lane)
{
    rewind_batch(lane);
    lane->phase = LANE_RUNNING;
    weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
}

static void committed(struct weir_lane *lane)
{
    struct pipeline *pipeline = lane->pipeline;
    uint64_t now = weir_clock_monotonic_ns(weir_loop_clock(pipeline->all->loop));
    weir_histogram_add(pipeline->duration, (now - lane->began_ns) / 1000);
    lane->position = lane->committing;
    if (lane->attempts > 0) {
        weir_logline(WEIR_LOG_INFO, "pipeline.goes_on", "pipeline", pipeline->model->name.p, NULL);
        lane->attempts = 0;
    }
    release(lane);
    if (lane->taken.count > 0) { /* the batch was cut into several transactions */
        run_again(lane);
        return;
    }
    rewind_batch(lane);
    lane->phase = LANE_WAITING;
    pipeline->in_flight--;
    weir_lane_consider(lane);
    weir_pipeline_schedule(pipeline);
    weir_pipeline_moved(pipeline);
}

/* Half as many records in a transaction; a single one whose changes are too large fails. */
static void shrink(struct weir_lane *lane, const struct weir_err *err)
{
    if (lane->done_count > 1) {
        lane->limit = lane->done_count / 2;
    } else {
        lane->taken.first->failed = true;
        lane->taken.first->err = *err;
    }
    run_again(lane);
}

static void outcome_posted(struct weir_post *post)
{
    struct weir_lane *lane = WEIR_CONTAINER(post, struct weir_lane, done_post);
    const struct weir_txn *txn = lane->batch.txn;
    if (txn->rc == WEIR_OK) {
        committed(lane);
        return;
    }
    if (txn->rc == WEIR_E_CONFLICT) {
        /* Somebody else wrote what the batch had read: the same records, read anew. */
        weir_counter_add(lane->pipeline->conflicts, 1);
        run_again(lane);
        return;
    }
    struct weir_err err = txn->err;
    if (txn->rc == WEIR_E_TOO_LARGE) {
        shrink(lane, &err);
        return;
    }
    block(lane, &err);
}
