/*
 * A batch through the steps: part by part, yielding, until a step cannot go on or all
 * records are through. A step that is `whole` gets all of them at once and may take its time.
 */
#include <string.h>

#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum {
    CHUNK = 8,                   /* records through the steps at a time */
    TRANSACTION_BYTES = 1 << 20, /* then the batch goes on in another transaction */
};

static const uint64_t yield_after_ns = 500 * 1000;

/* --- what steps see ----------------------------------------------------------------- */

struct weir_arena *weir_lane_arena(struct weir_lane *lane)
{
    return &lane->arena;
}

struct weir_str weir_lane_pipeline(const struct weir_lane *lane)
{
    return lane->pipeline->model->name;
}

struct weir_functions *weir_lane_functions(const struct weir_lane *lane)
{
    return lane->pipeline->all->functions;
}

static struct queued *queued_of(struct weir_event event)
{
    return WEIR_CONTAINER(event.record, struct queued, record);
}

uint64_t weir_lane_generation(const struct weir_lane *lane)
{
    return lane->pipeline->model->generation;
}

bool weir_lane_is_pruning(const struct weir_lane *lane, struct weir_event event)
{
    (void)lane;
    const struct weir_origin *origin = queued_of(event)->origin;
    return origin != NULL && origin->prunes;
}

struct weir_str weir_lane_record_key(struct weir_lane *lane, struct weir_event event)
{
    (void)lane;
    return queued_of(event)->key;
}

struct weir_expr_frame weir_lane_frame(struct weir_lane *lane, struct weir_event event)
{
    return (struct weir_expr_frame){
        .slots = event.slots,
        .slot_count = lane->pipeline->model->slot_count,
        .arena = &lane->arena,
        .now = queued_of(event)->now,
        .clock = weir_loop_clock(lane->pipeline->all->loop),
    };
}

const struct weir_clock *weir_lane_clock(const struct weir_lane *lane)
{
    return weir_loop_clock(lane->pipeline->all->loop);
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
    const struct weir_pipeline_model *model = lane->pipeline->model;
    struct queued *first = event.of_batch ? lane->taken.first : queued_of(event);
    size_t count = event.of_batch ? lane->done_count : 1;
    weir_queued_fail(first, count, WEIR_CONDITION_RECORD, 1, model->steps[lane->step], err);
    for (size_t i = 0; i <= lane->step; i++) {
        lane->rerun = lane->rerun || model->steps[i]->ops->writes;
    }
}

void weir_lane_fail_alone(
        struct weir_lane *lane, struct weir_event event, const struct weir_err *err)
{
    weir_lane_fail(lane, event, err);
    queued_of(event)->alone = true;
}

bool weir_lane_has_failed(const struct weir_lane *lane, struct weir_event event)
{
    (void)lane;
    return weir_queued_is_out(queued_of(event));
}

void weir_lane_cut(struct weir_lane *lane, struct weir_event event, const struct weir_err *err)
{
    lane->cut = queued_of(event);
    lane->cut_by = lane->pipeline->model->steps[lane->step];
    lane->cut_err = *err;
}

void weir_lane_set_work(struct weir_lane *lane, const struct weir_step *step, void *work)
{
    lane->work[step->index] = work;
}

void *weir_lane_work(const struct weir_lane *lane, const struct weir_step *step)
{
    return lane->work[step->index];
}

unsigned weir_lane_attempt(const struct weir_lane *lane)
{
    return lane->attempts.failed;
}

/* --- starting over ------------------------------------------------------------------------ */

void weir_lane_rewind(struct weir_lane *lane)
{
    weir_batch_end(&lane->batch);
    weir_arena_reset(&lane->arena);
    memset(lane->work, 0, lane->pipeline->model->step_count * sizeof(*lane->work));
    lane->next = lane->taken.first;
    lane->done_count = 0;
    lane->events = (struct weir_events){ 0 };
    lane->walking = false;
    lane->resumed = false;
    lane->rerun = false;
    lane->cut = NULL;
    lane->closing_begun = false;
    lane->window_state = WEIR_STR("");
}

/* --- answers ---------------------------------------------------------------------------------- */

static struct answer *answer_of(struct weir_lane *lane, const struct weir_step *step)
{
    struct answer *answer = lane->answers;
    while (answer->step != NULL && answer->step != step) {
        answer++; /* the model has no more such steps than there are places */
        weir_assert(answer < lane->answers + WEIR_STEPS_WHOLE_MAX);
    }
    return answer;
}

/* Whether the events are of the records that were asked about, but for those that failed since. */
static bool answers_to(const struct answer *answer, const struct weir_events *in)
{
    size_t n = 0;
    for (size_t i = 0; i < answer->asked_count; i++) {
        if (n < in->count && queued_of(in->all[n]) == answer->asked[i]) {
            n++;
        } else if (!weir_queued_is_out(answer->asked[i])) {
            return false;
        }
    }
    return n == in->count;
}

static void drop_answers(struct weir_lane *lane, struct answer *first)
{
    for (struct answer *a = first; a < lane->answers + WEIR_STEPS_WHOLE_MAX; a++) {
        a->step = NULL;
        weir_arena_fini(&a->arena);
    }
}

void weir_lane_forget(struct weir_lane *lane)
{
    weir_lane_rewind(lane);
    drop_answers(lane, lane->answers);
    weir_lane_release_claims(lane);
}

/* Take over the arena that the events of a step's answer are made in. */
static void keep_answer(struct weir_lane *lane, const struct weir_step *step,
        const struct weir_events *in, const struct weir_events *out)
{
    struct answer *answer = answer_of(lane, step);
    drop_answers(lane, answer); /* those of later steps are made of the one that is replaced */
    answer->arena = lane->arena;
    weir_arena_init(&lane->arena);
    answer->step = step;
    answer->asked = weir_arena_zero(&answer->arena, in->count, sizeof(*answer->asked));
    answer->asked_count = in->count;
    for (size_t i = 0; i < in->count; i++) {
        answer->asked[i] = queued_of(in->all[i]);
    }
    answer->out = *out;
    answer->cut = lane->cut;
    answer->cut_err = lane->cut_err;
    answer->window_state = lane->window_state;
}

/* The step's answer to these events, if it has given it before: a copy, to be thinned out. */
static bool recall(struct weir_lane *lane, const struct weir_step *step, struct weir_events *out)
{
    const struct answer *answer = step->ops->whole ? answer_of(lane, step) : NULL;
    if (answer == NULL || answer->step == NULL || !answers_to(answer, &lane->events)) {
        return false;
    }
    for (size_t i = 0; i < answer->out.count; i++) {
        weir_events_add(lane, out, answer->out.all[i]);
    }
    lane->cut = answer->cut;
    lane->cut_by = step;
    lane->cut_err = answer->cut_err;
    lane->window_state = answer->window_state;
    return true;
}

/* --- the steps -------------------------------------------------------------------------- */

static struct weir_event first_event(struct weir_lane *lane, struct queued *queued)
{
    struct weir_event event = { .record = &queued->record, .record_index = lane->done_count };
    size_t count = lane->pipeline->model->slot_count;
    event.slots = weir_arena_zero(&lane->arena, count, sizeof(*event.slots));
    const struct weir_record *record = &queued->record;
    if (queued->origin == &weir_origin_message) {
        event.slots[WEIR_SLOT_MESSAGE] = weir_queued_message(queued, &lane->arena);
        return event;
    }
    if (queued == lane->closing) {
        event.slots[WEIR_SLOT_KEYS] = weir_expr_item(record->keys);
        event.slots[WEIR_SLOT_EVENT] = weir_expr_string(WEIR_STR("WINDOW"));
        return event;
    }
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
        if (!weir_queued_is_out(queued_of(events->all[i]))) {
            events->all[n++] = events->all[i];
        }
    }
    events->count = n;
}

/* Whether another record may join the transaction; the end of a window has one of its own. */
static bool has_room(const struct weir_lane *lane)
{
    size_t limit = weir_lane_limit(lane);
    if (lane->closing != NULL) {
        return !lane->closing_begun;
    }
    return lane->next != NULL && (limit == 0 || lane->done_count < limit) &&
           (lane->batch.txn->bytes < TRANSACTION_BYTES || lane->pipeline->model->whole);
}

/* The end of a window, for the step that has windows and those behind it. */
static void begin_closing(struct weir_lane *lane)
{
    lane->events = (struct weir_events){ 0 };
    lane->step = lane->pipeline->model->tumbling_step;
    lane->walking = true;
    lane->closing_begun = true;
    if (!weir_queued_is_out(lane->closing)) {
        weir_events_add(lane, &lane->events, first_event(lane, lane->closing));
    }
}

static enum weir_verdict begin_chunk(struct weir_lane *lane, struct weir_err *err)
{
    if (lane->closing != NULL) {
        begin_closing(lane);
        return WEIR_STEP_DONE;
    }
    size_t most = lane->pipeline->model->whole ? SIZE_MAX : CHUNK;
    lane->events = (struct weir_events){ 0 };
    lane->step = lane->taken.first->first_step;
    lane->walking = true;
    for (size_t i = 0; i < most && has_room(lane); i++) {
        struct queued *queued = lane->next;
        bool asks = queued->origin != NULL && queued->origin->admit != NULL;
        if (!queued->failed && asks && queued->origin->admit(lane, queued, err) != WEIR_OK) {
            return WEIR_STEP_BLOCKED;
        }
        weir_quarantine_look(lane, queued);
        if (!weir_queued_is_out(queued)) {
            weir_events_add(lane, &lane->events, first_event(lane, queued));
        }
        lane->next = queued->next;
        lane->done_count++;
    }
    return WEIR_STEP_DONE;
}

/* The batch ends before the record that a step did not do. */
static void cut_batch(struct weir_lane *lane)
{
    size_t done = 0;
    struct queued *queued = lane->taken.first;
    while (queued != NULL && queued != lane->cut) {
        queued = queued->next;
        done++;
    }
    lane->done_count = done;
    lane->next = queued;
}

static enum weir_verdict run_step(
        struct weir_lane *lane, struct weir_step *step, struct weir_err *err)
{
    struct weir_events out = { 0 };
    if (lane->resumed || !recall(lane, step, &out)) {
        enum weir_verdict (*run)(struct weir_step *, struct weir_lane *, const struct weir_events *,
                struct weir_events *, struct weir_err *) =
                lane->resumed ? step->ops->resume : step->ops->run;
        lane->resumed = false;
        enum weir_verdict verdict = run(step, lane, &lane->events, &out, err);
        if (verdict != WEIR_STEP_DONE) {
            return verdict;
        }
        if (step->ops->whole) {
            keep_answer(lane, step, &lane->events, &out);
            out = (struct weir_events){ 0 };
            weir_assert(recall(lane, step, &out));
        }
    }
    if (lane->cut != NULL) {
        cut_batch(lane);
    }
    drop_failed(&out);
    lane->events = out;
    lane->step++;
    return WEIR_STEP_DONE;
}

static enum weir_verdict walk(struct weir_lane *lane, struct weir_err *err)
{
    const struct weir_pipeline_model *model = lane->pipeline->model;
    while (lane->step < model->step_count && lane->events.count > 0) {
        enum weir_verdict verdict = run_step(lane, model->steps[lane->step], err);
        if (verdict != WEIR_STEP_DONE) {
            return verdict;
        }
    }
    lane->walking = false;
    return WEIR_STEP_DONE;
}

/* --- running ---------------------------------------------------------------------------------- */

static void await_answer(struct weir_lane *lane)
{
    const struct weir_step *step = lane->pipeline->model->steps[lane->step];
    lane->phase = LANE_PENDING;
    if (step->timeout_ms > 0) {
        weir_loop_timer_start(&lane->timer, step->timeout_ms);
    }
}

/* Act on a verdict that ends this run. */
static void stop_run(struct weir_lane *lane, enum weir_verdict verdict, const struct weir_err *err)
{
    if (verdict == WEIR_STEP_PENDING) {
        await_answer(lane);
    } else if (verdict == WEIR_STEP_RETRY) {
        weir_lane_attempt_failed(lane, err);
    } else {
        weir_lane_block(lane, err);
    }
}

static void begin_run(struct weir_lane *lane)
{
    weir_batch_begin(&lane->batch);
    weir_window_close(lane);
    weir_lane_check_ages(lane);
}

/* A step cannot process the end of a window: that blocks the shard, for nothing may pass it. */
static bool closing_failed(const struct weir_lane *lane)
{
    return lane->closing != NULL && lane->closing->failed &&
           !weir_queued_was_skipped(lane->closing);
}

/* All that is to join the transaction is through the steps. */
static void end_run(struct weir_lane *lane)
{
    if (lane->cut != NULL && lane->done_count == 0) {
        struct weir_err err = lane->cut_err;
        weir_lane_attempt_failed(lane, &err);
    } else if (closing_failed(lane)) {
        struct weir_err err = lane->closing->err;
        lane->closing->failed = false;
        weir_fail_in(&err, err.code, "the end of a window: ");
        weir_lane_block(lane, &err);
    } else if (weir_quarantine_mark(lane) || weir_intake_mark(lane) || lane->rerun) {
        weir_lane_rewind(lane); /* without the records that failed, which are marked */
        weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
    } else {
        weir_lane_submit(lane);
    }
}

void weir_lane_run(struct weir_lane *lane)
{
    struct weir_loop *loop = lane->pipeline->all->loop;
    const struct weir_clock *clock = weir_loop_clock(loop);
    uint64_t start = weir_clock_monotonic_ns(clock);
    if (lane->batch.txn == NULL) {
        begin_run(lane);
    }
    while (lane->walking || has_room(lane)) {
        struct weir_err err = { 0 };
        enum weir_verdict verdict = lane->walking ? WEIR_STEP_DONE : begin_chunk(lane, &err);
        if (verdict == WEIR_STEP_DONE) {
            verdict = walk(lane, &err);
        }
        if (verdict != WEIR_STEP_DONE) {
            stop_run(lane, verdict, &err);
            return;
        }
        if (lane->cut != NULL) {
            break;
        }
        if (weir_clock_monotonic_ns(clock) - start > yield_after_ns && has_room(lane)) {
            weir_loop_defer(loop, &lane->run_post);
            return;
        }
    }
    end_run(lane);
}

/* --- steps that take their time -----------------------------------------------------------------
 */

void weir_lane_resume(struct weir_lane *lane)
{
    weir_assert(lane->phase == LANE_PENDING);
    weir_loop_timer_stop(&lane->timer);
    lane->phase = LANE_RUNNING;
    lane->resumed = true;
    weir_loop_defer(lane->pipeline->all->loop, &lane->run_post);
}

static struct weir_step *cancel_step(struct weir_lane *lane)
{
    struct weir_step *step = lane->pipeline->model->steps[lane->step];
    weir_loop_timer_stop(&lane->timer);
    step->ops->cancel(step, lane);
    lane->phase = LANE_RUNNING;
    return step;
}

void weir_lane_cancel(struct weir_lane *lane)
{
    (void)cancel_step(lane);
    weir_lane_forget(lane);
    weir_lane_give_up_place(lane);
    lane->phase = LANE_QUEUED; /* in no queue: it is not run any more */
}

void weir_lane_timed_out(struct weir_lane *lane)
{
    const struct weir_step *step = cancel_step(lane);
    struct weir_err err;
    weir_fail(&err, WEIR_E_TIMEOUT, "step %.*s took longer than its timeout of %llu ms",
            WEIR_STR_ARG(step->id), (unsigned long long)step->timeout_ms);
    weir_lane_attempt_failed(lane, &err);
}
