/*
 * Tumbling windows: spans of time, one behind the other since 1970, into which the records of a
 * shard are divided by when they were committed. A pipeline with a step that has windows has one
 * lane a shard, a batch of which has records of one window only. What the step answers is the
 * window's state, kept until the next batch; a window that is over is shown to the step once
 * more, without records, before anything that comes behind it.
 *
 *     first batch answered -> open -> over -> closing -> gone
 *
 * A window is over when a record of a later one is next, or when everything that was committed
 * until its end is processed: the pipeline's mark tells. A state that is too large ends it before
 * its time; what still comes opens it again. A record that comes late (redriven, replayed) belongs
 * to the window that is open, else it opens its own once more.
 *
 * The window that is open is an entry of WEIR_SPACE_WINDOW under the lane's key: written in the
 * transaction of the batch that was answered, deleted in that of its closing.
 */
#include <string.h>

#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { LOOK_AGAIN_MS = 60 * 1000 }; /* at the latest: the wall clock may have been set */

/* An entry's value but for the state behind it; part of the format. Integers are little-endian. */
struct entry {
    int64_t start_ms;
    int64_t end_ms;
    uint64_t last;
    uint8_t early;
    uint8_t hops;
    uint8_t zero[6];
};

static bool has_windows(const struct pipeline *pipeline)
{
    return pipeline->model->tumbling_ms > 0;
}

/* --- which window --------------------------------------------------------------------------- */

/* The window that a record belongs to, once those before it are closed. */
static struct open_window window_of(const struct weir_lane *lane, const struct queued *queued)
{
    int64_t length = (int64_t)lane->pipeline->model->tumbling_ms;
    if (queued->now.ms < lane->window.end.ms) {
        return lane->window;
    }
    int64_t start = queued->now.ms - queued->now.ms % length;
    return (struct open_window){ .start = { start }, .end = { start + length } };
}

bool weir_window_ends_before(const struct weir_lane *lane, const struct queued *queued)
{
    return has_windows(lane->pipeline) && lane->taken.count > 0 &&
           queued->now.ms >= window_of(lane, lane->taken.first).end.ms;
}

/* --- when it is over -------------------------------------------------------------------------- */

/* Whether everything that was committed before a time has been read. */
static bool has_read_until(const struct weir_lane *lane, struct weir_time time)
{
    const struct mark *mark = &lane->pipeline->mark;
    return mark->time.ms >= time.ms &&
           weir_log_reader_pos(lane->shard->reader).seq >= mark->end.seq;
}

bool weir_window_has_passed(const struct weir_lane *lane)
{
    return has_windows(lane->pipeline) && lane->waiting.count > 0 &&
           has_read_until(lane, window_of(lane, lane->waiting.first).end);
}

static bool is_over(const struct weir_lane *lane, const struct queued *next)
{
    const struct open_window *window = &lane->window;
    if (window->end.ms == 0 || window->early) {
        return window->early;
    }
    return next != NULL ? next->now.ms >= window->end.ms : has_read_until(lane, window->end);
}

/* The record that stands for a window's end; nobody else has its position. */
static struct queued *make_closing(struct weir_lane *lane)
{
    const struct weir_table *table = lane->shard->source->table;
    struct weir_arena arena;
    char shard[WEIR_SHARD_ID_TEXT];
    weir_arena_init(&arena);
    struct weir_item none = { 0 };
    /* No attributes: the builder has nothing to refuse. */
    weir_assert(weir_item_finish(weir_item_begin(&arena), &none, NULL) == WEIR_OK);
    struct weir_record record = {
        .source = &table->source,
        .event = WEIR_EVENT_MODIFY,
        .pos = { lane->window.last.seq + 1 },
        .created = lane->window.end,
        .shard = lane->shard->number,
        .keys = none,
    };
    weir_lane_shard_id(lane, shard);
    struct queued *closing =
            weir_queued_create(&record, weir_str_z(shard), lane->window.hops, NULL, WEIR_STR(""));
    weir_arena_fini(&arena);
    return closing;
}

bool weir_window_close(struct weir_lane *lane)
{
    const struct queued *next = lane->taken.count > 0 ? lane->taken.first : NULL;
    if (next == NULL && lane->waiting.count > 0) {
        next = lane->waiting.first;
    }
    if (lane->closing == NULL && has_windows(lane->pipeline) && is_over(lane, next)) {
        lane->closing = make_closing(lane);
    }
    return lane->closing != NULL;
}

/* When something is to be done about the lane's window though no record comes; 0: never. */
static struct weir_time due(const struct weir_lane *lane)
{
    if (lane->window.end.ms != 0 || lane->waiting.count == 0) {
        return lane->window.end;
    }
    return window_of(lane, lane->waiting.first).end;
}

void weir_windows_look(struct pipeline *pipeline)
{
    if (!has_windows(pipeline) || pipeline->stopped || pipeline->leaving ||
            pipeline->all->stopping) {
        return;
    }
    int64_t now = weir_clock_wall(weir_loop_clock(pipeline->all->loop)).ms;
    int64_t next = INT64_MAX;
    WEIR_EACH_LANE(pipeline, lane)
    {
        int64_t end = due(lane).ms;
        if (end != 0 && end <= pipeline->mark.time.ms) {
            weir_lane_consider(lane);
        } else if (end != 0 && end < next) {
            next = end;
        }
    }
    if (next == INT64_MAX) {
        weir_loop_timer_stop(&pipeline->window_timer);
    } else if (next <= now) {
        weir_mark_move(&pipeline->mark);
    } else {
        uint64_t ms = (uint64_t)(next - now);
        weir_loop_timer_start(&pipeline->window_timer, ms < LOOK_AGAIN_MS ? ms : LOOK_AGAIN_MS);
    }
}

static void timer_fired(struct weir_loop_timer *timer)
{
    weir_pipeline_read_on(WEIR_CONTAINER(timer, struct pipeline, window_timer));
}

void weir_windows_init(struct pipeline *pipeline)
{
    weir_loop_timer_init(&pipeline->window_timer, pipeline->all->loop, timer_fired);
}

void weir_windows_stop(struct pipeline *pipeline)
{
    weir_loop_timer_fini(&pipeline->window_timer);
}

/* --- what steps see --------------------------------------------------------------------------- */

/* Read the lane's entry. ret_state: in the arena; empty without an entry. */
static enum weir_rc read_entry(struct weir_lane *lane, struct weir_arena *arena,
        struct open_window *ret_window, struct weir_str *ret_state, struct weir_err *err)
{
    struct weir_entry found;
    struct entry entry;
    enum weir_rc rc = weir_store_get(lane->pipeline->all->store, WEIR_SPACE_WINDOW,
            weir_lane_key(arena, lane), arena, &found, err);
    *ret_window = (struct open_window){ 0 };
    *ret_state = WEIR_STR("");
    if (rc != WEIR_OK || found.pos.seq == 0) {
        return rc;
    }
    if (found.value.n < sizeof(entry)) {
        return weir_fail(err, WEIR_E_DAMAGED, "the window of a shard of pipeline %.*s is damaged",
                WEIR_STR_ARG(lane->pipeline->model->name));
    }
    memcpy(&entry, found.value.p, sizeof(entry));
    *ret_window = (struct open_window){
        .start = { entry.start_ms },
        .end = { entry.end_ms },
        .last = { entry.last },
        .early = entry.early != 0,
        .hops = entry.hops,
    };
    *ret_state = weir_str(found.value.p + sizeof(entry), found.value.n - sizeof(entry));
    return WEIR_OK;
}

void weir_lane_shard_id(const struct weir_lane *lane, char text[static WEIR_SHARD_ID_TEXT])
{
    const struct weir_table *table = lane->shard->source->table;
    weir_shard_id_format(table->stream_created, table->space, lane->shard->number, text);
}

enum weir_rc weir_lane_window(
        struct weir_lane *lane, struct weir_window *ret_window, struct weir_err *err)
{
    struct open_window window;
    struct weir_str state;
    enum weir_rc rc = read_entry(lane, &lane->arena, &window, &state, err);
    if (rc == WEIR_OK && lane->closing == NULL) {
        window = window_of(lane, lane->taken.first);
    }
    *ret_window = (struct weir_window){
        .start = window.start,
        .end = window.end,
        .state = state,
        .closes = lane->closing != NULL,
        .early = window.early,
    };
    return rc;
}

void weir_lane_set_window_state(struct weir_lane *lane, struct weir_str state)
{
    lane->window_state = state;
}

/* --- transactions ------------------------------------------------------------------------------
 */

enum weir_rc weir_window_load(struct weir_lane *lane, struct weir_err *err)
{
    struct weir_arena arena;
    struct weir_str state;
    weir_arena_init(&arena);
    enum weir_rc rc = has_windows(lane->pipeline)
                              ? read_entry(lane, &arena, &lane->window, &state, err)
                              : WEIR_OK;
    weir_arena_fini(&arena);
    return rc;
}

/* What the window becomes when the records that are done have come into it. */
static struct open_window window_after(const struct weir_lane *lane)
{
    const struct queued *queued = lane->taken.first;
    struct open_window window = window_of(lane, queued);
    for (size_t i = 0; i < lane->done_count; i++, queued = queued->next) {
        window.last = queued->record.pos;
        window.hops = queued->hops > window.hops ? queued->hops : window.hops;
    }
    window.early = lane->window_state.n > WEIR_WINDOW_STATE_MAX;
    return window;
}

static struct weir_str encode(
        struct weir_arena *arena, const struct open_window *window, struct weir_str state)
{
    struct entry entry = {
        .start_ms = window->start.ms,
        .end_ms = window->end.ms,
        .last = window->last.seq,
        .early = window->early,
        .hops = window->hops,
    };
    char *bytes = weir_arena_alloc(arena, sizeof(entry) + state.n);
    memcpy(bytes, &entry, sizeof(entry));
    memcpy(bytes + sizeof(entry), state.p, state.n);
    return weir_str(bytes, sizeof(entry) + state.n);
}

void weir_window_committing(struct weir_lane *lane)
{
    struct weir_txn *txn = lane->batch.txn;
    lane->window_committing = lane->window;
    if (lane->closing != NULL) {
        lane->window_committing = (struct open_window){ 0 };
        weir_txn_delete(txn, WEIR_SPACE_WINDOW, weir_lane_key(&txn->arena, lane));
    } else if (lane->window_state.n > 0) {
        lane->window_committing = window_after(lane);
        weir_txn_put(txn, WEIR_SPACE_WINDOW, weir_lane_key(&txn->arena, lane),
                encode(&txn->arena, &lane->window_committing, lane->window_state));
    }
}

void weir_window_committed(struct weir_lane *lane)
{
    lane->window = lane->window_committing;
}
