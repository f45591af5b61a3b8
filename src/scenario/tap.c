#include "scenario/tap.h"

#include "base/mem.h"
#include "pipeline/step.h"

enum { BATCH_MAX_BYTES = 256 * 1024 * 1024 };

/* A batch that came through. It may come again, when its commit was refused. */
struct through {
    const struct weir_lane *lane;
    struct weir_pos first;
    struct weir_buf text;
    struct through *next;
};

struct weir_tap {
    enum weir_tap_form form;
    struct through *batches; /* oldest first; owned */
    struct through **last;
};

struct tap_step {
    struct weir_step base;
    struct weir_tap *tap;
};

/* The events of a batch so far, in the lane's arena. */
struct seen {
    struct weir_events events;
};

static enum weir_verdict tap_run(struct weir_step *step, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)err;
    struct seen *seen = weir_lane_work(lane, step);
    if (seen == NULL) {
        seen = WEIR_ARENA_NEW(weir_lane_arena(lane), struct seen);
        weir_lane_set_work(lane, step, seen);
    }
    for (size_t i = 0; i < in->count; i++) {
        weir_events_add(lane, &seen->events, in->all[i]);
        weir_events_add(lane, out, in->all[i]);
    }
    return WEIR_STEP_DONE;
}

/* The place for a batch: that of its last attempt, or a new one at the end. */
static struct through *place_for(
        struct weir_tap *tap, const struct weir_lane *lane, struct weir_pos first)
{
    for (struct through *one = tap->batches; one != NULL; one = one->next) {
        if (one->lane == lane && one->first.seq == first.seq) {
            weir_buf_reset(&one->text);
            return one;
        }
    }
    struct through *one = weir_alloc_zero(1, sizeof(*one));
    one->lane = lane;
    one->first = first;
    weir_buf_init(&one->text, BATCH_MAX_BYTES);
    *tap->last = one;
    tap->last = &one->next;
    return one;
}

static enum weir_rc tap_finish(struct weir_step *step, struct weir_lane *lane, struct weir_err *err)
{
    const struct tap_step *self = WEIR_CONTAINER(step, struct tap_step, base);
    const struct seen *seen = weir_lane_work(lane, step);
    bool events = self->tap->form == WEIR_TAP_EVENTS;
    struct through *one = NULL;
    const struct weir_record *last = NULL;
    for (size_t i = 0; seen != NULL && i < seen->events.count; i++) {
        struct weir_event event = seen->events.all[i];
        if (event.record == last || weir_lane_has_failed(lane, event)) {
            continue; /* a record is handed over once, however many events it became */
        }
        last = event.record;
        if (one == NULL) {
            one = place_for(self->tap, lane, event.record->pos);
            weir_buf_z(&one->text, events ? "{\"Records\":[" : "");
        } else {
            weir_buf_z(&one->text, events ? "," : "\n");
        }
        weir_record_write(&one->text, event.record, WEIR_RECORD_LAMBDA);
    }
    if (one == NULL) {
        return WEIR_OK;
    }
    weir_buf_z(&one->text, events ? "]}\n" : "\n");
    return weir_buf_check(&one->text, "the batch", err);
}

static void tap_fini(struct weir_step *step)
{
    (void)step; /* the tap is its maker's */
}

static const struct weir_step_ops tap_ops = {
    .name = "tap",
    .help = "Keep what comes through",
    .size = sizeof(struct tap_step),
    .run = tap_run,
    .finish = tap_finish,
    .fini = tap_fini,
};

struct weir_tap *weir_tap_create(struct weir_pipeline_model *model, enum weir_tap_form form)
{
    struct weir_tap *tap = weir_alloc_zero(1, sizeof(*tap));
    struct tap_step *step = weir_alloc_zero(1, sizeof(*step));
    tap->form = form;
    tap->last = &tap->batches;
    step->base.ops = &tap_ops;
    step->base.id = weir_str_z(tap_ops.name);
    step->base.index = model->step_count;
    step->tap = tap;
    model->steps = weir_realloc(model->steps, model->step_count + 1, sizeof(struct weir_step *));
    model->steps[model->step_count++] = &step->base;
    return tap;
}

void weir_tap_take(struct weir_tap *tap, struct weir_buf *out)
{
    while (tap->batches != NULL) {
        struct through *one = tap->batches;
        weir_buf_str(out, weir_buf_view(&one->text));
        tap->batches = one->next;
        weir_buf_fini(&one->text);
        weir_free(one);
    }
    tap->last = &tap->batches;
}

void weir_tap_destroy(struct weir_tap *tap)
{
    if (tap != NULL) {
        struct weir_buf rest;
        weir_buf_init(&rest, 0);
        weir_tap_take(tap, &rest);
        weir_buf_fini(&rest);
        weir_free(tap);
    }
}
