/*
 * A queue as a pipeline's source. One receive is under way while lanes have room; what it brings
 * goes to the lane of its group, or of its id, and is deleted by the transaction of its batch. What
 * fails is let go of: the queue shows it again after its visibility time-out, and its redrive
 * policy says how often. What is in hand when the pipeline stops, or when the queue is purged, is
 * shown again at once if it is still there.
 */
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum {
    PAUSE_MS = 1000,           /* after a receive that failed */
    LEAST_HIDE_MS = 30 * 1000, /* of a queue that does not hide what is received */
    HELD_MAX_BYTES = 64 << 20, /* of messages in lanes: then nothing is received */
    MATCHED_MAX_BYTES = 16 << 20,
    GIVEN_BACK_MAX = 50 * 1000, /* messages, by one transaction */
};

/* What a source has in hand of its queue. */
struct intake {
    struct source *source;
    const struct weir_queue *queue;
    struct weir_record_source origin;     /* its strings are the queue's */
    struct arrival *arrival;              /* the receive under way; NULL: none */
    size_t outstanding;                   /* messages in lanes */
    size_t held_bytes;                    /* of their bodies and attributes */
    struct weir_pattern_scratch *scratch; /* of a pipeline with a filter */
    bool fifo;
    bool failing; /* the last receive did, and it was said */
    bool paused;  /* until `again` fires */
    struct weir_loop_timer again;
};

/* A receive; it outlives its intake when it cannot be called back. */
struct arrival {
    struct weir_receive receive;
    struct intake *intake; /* NULL: nobody wants it any more */
    const struct weir_queue *queue;
    uint64_t hide_ms;
    uint64_t began_ns;
};

/* A message in a lane. */
struct held {
    struct intake *intake;
    struct weir_arena arena;
    struct weir_message message;
    uint64_t shown_ns; /* monotonic time at which others may receive it */
};

static const uint64_t ns_per_ms = 1000 * 1000;

static uint64_t now_ns(const struct intake *intake)
{
    return weir_clock_monotonic_ns(weir_loop_clock(intake->source->pipeline->all->loop));
}

static const struct held *held_of(const struct queued *queued)
{
    weir_assert(queued->origin == &weir_origin_message);
    return queued->of_origin;
}

/* --- messages as records ---------------------------------------------------------------------- */

static struct held *hold(struct intake *intake, const struct weir_message *message)
{
    struct held *held = weir_alloc_zero(1, sizeof(*held));
    struct weir_arena *arena = &held->arena;
    weir_arena_init(arena);
    held->intake = intake;
    held->message = *message;
    held->message.id = weir_arena_str(arena, message->id);
    held->message.body = weir_arena_str(arena, message->body);
    held->message.group = weir_arena_str(arena, message->group);
    held->message.dedup = weir_arena_str(arena, message->dedup);
    held->message.trace = weir_arena_str(arena, message->trace);
    held->message.sender = weir_arena_str(arena, message->sender);
    held->message.source = weir_arena_str(arena, message->source);
    held->message.receipt = weir_arena_str(arena, message->receipt);
    held->message.causation = (struct weir_str){ 0 };
    held->message.attributes =
            weir_arena_zero(arena, message->attribute_count, sizeof(*held->message.attributes));
    for (size_t i = 0; i < message->attribute_count; i++) {
        const struct weir_message_attribute *attribute = &message->attributes[i];
        held->message.attributes[i] = (struct weir_message_attribute){
            .name = weir_arena_str(arena, attribute->name),
            .type = weir_arena_str(arena, attribute->type),
            .value = weir_arena_str(arena, attribute->value),
        };
    }
    return held;
}

static struct weir_expr_value attribute_value(const struct weir_message_attribute *attribute)
{
    struct weir_decimal number;
    if (weir_str_starts(attribute->type, WEIR_STR("Binary"))) {
        return weir_expr_bytes(attribute->value);
    }
    if (weir_str_starts(attribute->type, WEIR_STR("Number")) &&
            weir_decimal_parse(attribute->value, &number, NULL) == WEIR_OK) {
        return weir_expr_decimal(number);
    }
    return weir_expr_string(attribute->value);
}

static struct weir_expr_value make_map(
        struct weir_arena *arena, const struct weir_expr_value *pairs, size_t count)
{
    struct weir_expr_value map = weir_expr_null();
    enum weir_rc rc = weir_expr_map(arena, pairs, count, &map, NULL);
    weir_assert(
            rc ==
            WEIR_OK); /* names differ: they are ours, or were checked when the message was sent */
    return map;
}

struct weir_expr_value weir_queued_message(const struct queued *queued, struct weir_arena *arena)
{
    const struct weir_message *message = &held_of(queued)->message;
    struct weir_expr_value json;
    struct weir_expr_value attributes[2 * WEIR_QUEUE_ATTRIBUTES_MAX];
    for (size_t i = 0; i < message->attribute_count; i++) {
        attributes[2 * i] = weir_expr_string(message->attributes[i].name);
        attributes[2 * i + 1] = attribute_value(&message->attributes[i]);
    }
    if (weir_expr_read_json(message->body, arena, &json, NULL) != WEIR_OK) {
        json = weir_expr_null();
    }
    bool grouped = message->group.n > 0;
    const struct weir_expr_value pairs[] = {
        weir_expr_string(WEIR_STR("body")),
        weir_expr_string(message->body),
        weir_expr_string(WEIR_STR("json")),
        json,
        weir_expr_string(WEIR_STR("id")),
        weir_expr_string(message->id),
        weir_expr_string(WEIR_STR("group")),
        grouped ? weir_expr_string(message->group) : weir_expr_null(),
        weir_expr_string(WEIR_STR("sent")),
        weir_expr_timestamp(message->sent),
        weir_expr_string(WEIR_STR("receives")),
        weir_expr_int(message->receives),
        weir_expr_string(WEIR_STR("attributes")),
        make_map(arena, attributes, message->attribute_count),
    };
    return make_map(arena, pairs, WEIR_COUNT(pairs) / 2);
}

void weir_lane_write_record(
        const struct weir_lane *lane, struct weir_event event, struct weir_buf *buf)
{
    const struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    if (weir_lane_is_of_queue(lane)) {
        const struct weir_record_source *origin = event.record->source;
        weir_message_write_event(
                buf, &held_of(queued)->message, origin->stream_arn, origin->region);
    } else {
        weir_record_write(buf, event.record, WEIR_RECORD_LAMBDA);
    }
}

bool weir_lane_is_of_queue(const struct weir_lane *lane)
{
    return lane->shard->source->of_queue;
}

struct weir_str weir_lane_message_id(const struct weir_lane *lane, struct weir_event event)
{
    (void)lane;
    return held_of(WEIR_CONTAINER(event.record, struct queued, record))->message.id;
}

/* --- the origin ------------------------------------------------------------------------------- */

/* A message stays in its queue when it failed; one that the pipeline does not want goes. */
static enum weir_rc settle(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    if (queued->failed && !weir_queued_was_skipped(queued)) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_lane_queue(lane, held_of(queued)->intake->queue->name, &queue, err);
    return rc == WEIR_OK ? weir_lane_settle_message(lane, queued, queue, err) : rc;
}

static void left(struct queued *queued, bool settled)
{
    struct held *held = queued->of_origin;
    (void)settled;
    held->intake->outstanding--;
    held->intake->held_bytes -= queued->bytes;
    weir_arena_fini(&held->arena);
    weir_free(held);
}

/* What others may have received by now is left to them, or comes back. */
static enum weir_rc admit(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct held *held = held_of(queued);
    (void)lane;
    (void)err;
    if (now_ns(held->intake) >= held->shown_ns) {
        weir_queued_drop(queued);
    }
    return WEIR_OK;
}

const struct weir_origin weir_origin_message = { .settle = settle, .left = left, .admit = admit };

/* --- groups ----------------------------------------------------------------------------------- */

/* Whether the message stays in its queue, so that those behind it must. */
static bool stays(const struct queued *queued)
{
    return queued->failed && (queued->gone || !weir_queued_was_skipped(queued));
}

/* Drop what follows a message in a list and is of its group; the first `through` count. */
static bool drop_group(const struct queued *behind, struct queued *from, size_t at, size_t through)
{
    bool again = false;
    for (struct queued *q = from; q != NULL; q = q->next, at++) {
        if (!q->failed && weir_str_eq(q->key, behind->key)) {
            weir_queued_drop(q);
            again = again || at < through;
        }
    }
    return again;
}

bool weir_intake_mark(struct weir_lane *lane)
{
    const struct source *source = lane->shard->source;
    if (source->intake == NULL || !source->intake->fifo) {
        return false;
    }
    bool again = false;
    size_t i = 0;
    for (struct queued *q = lane->taken.first; q != NULL && i < lane->done_count; q = q->next) {
        i++;
        if (stays(q)) {
            struct queued *from = q->alone ? lane->next : q->next;
            size_t at = q->alone ? lane->done_count : i;
            again = drop_group(q, from, at, lane->done_count) || again;
            if (lane->waiting.count > 0) {
                (void)drop_group(q, lane->waiting.first, 0, 0);
            }
        }
    }
    return again;
}

/* --- receiving -------------------------------------------------------------------------------- */

static bool passes_filter(const struct intake *intake, const struct queued *queued)
{
    const struct weir_pipeline_model *model = intake->source->pipeline->model;
    struct weir_buf event;
    if (model->filter == NULL) {
        return true;
    }
    weir_buf_init(&event, MATCHED_MAX_BYTES);
    weir_message_write_matched(
            &event, &held_of(queued)->message, intake->origin.stream_arn, intake->origin.region);
    bool passes = weir_filter_passes_message(model, intake->scratch, weir_buf_view(&event));
    weir_buf_fini(&event);
    return passes;
}

/* Whether `when` holds. Errors: it cannot be evaluated. */
static enum weir_rc passes_when(struct pipeline *pipeline, const struct queued *queued,
        bool *ret_passes, struct weir_err *err)
{
    *ret_passes = true;
    if (pipeline->model->when == NULL) {
        return WEIR_OK;
    }
    struct weir_expr_value slots[WEIR_SLOTS_MAX] = { { 0 } };
    slots[WEIR_SLOT_MESSAGE] = weir_queued_message(queued, &pipeline->filter_arena);
    struct weir_expr_frame frame = {
        .slots = slots,
        .slot_count = pipeline->model->slot_count,
        .arena = &pipeline->filter_arena,
        .now = queued->now,
        .clock = weir_loop_clock(pipeline->all->loop),
    };
    enum weir_rc rc = weir_expr_test(pipeline->model->when, &frame, ret_passes, err);
    weir_arena_reset(&pipeline->filter_arena);
    return rc;
}

/* Mark what the steps need not see: it is deleted when it does not pass, and kept on errors. */
static void look_at(struct intake *intake, struct queued *queued)
{
    struct pipeline *pipeline = intake->source->pipeline;
    bool wanted = true;
    if (queued->hops >= WEIR_PIPELINE_HOPS_MAX) {
        weir_fail(&queued->err, WEIR_E_LIMIT,
                "it came through %d pipelines: they write in a circle", WEIR_PIPELINE_HOPS_MAX);
        queued->failed = true;
    } else if (!passes_filter(intake, queued)) {
        weir_fail(&queued->err, WEIR_E_CONDITION, "the filter does not match");
        queued->failed = true;
    } else if (passes_when(pipeline, queued, &wanted, &queued->err) != WEIR_OK) {
        queued->failed = true;
    } else if (!wanted) {
        weir_fail(&queued->err, WEIR_E_CONDITION, "when does not hold");
        queued->failed = true;
    }
    queued->attempts = queued->failed;
}

/*
 * The lane that a message goes to. A group always has the same one. Other messages go where a
 * batch is becoming full, else to a lane that has nothing to do, else to the one with the fewest.
 */
static struct weir_lane *lane_for(const struct intake *intake, struct weir_str key)
{
    struct shard *shard = &intake->source->shards[0];
    uint64_t batch = intake->source->pipeline->model->batch;
    if (intake->fifo) {
        return weir_shard_lane(shard, key);
    }
    struct weir_lane *best = &shard->lanes[0];
    for (size_t i = 0; i < shard->lane_count; i++) {
        struct weir_lane *lane = &shard->lanes[i];
        bool idle = lane->phase == LANE_WAITING;
        if (idle && lane->waiting.count > 0 && lane->waiting.count < batch &&
                lane->waiting.bytes < WEIR_BATCH_MAX_BYTES) {
            return lane;
        }
        bool best_idle = best->phase == LANE_WAITING && best->waiting.count == 0;
        bool fewer = lane->waiting.count < best->waiting.count;
        best = !best_idle && ((idle && lane->waiting.count == 0) || fewer) ? lane : best;
    }
    return best;
}

static void give(const struct arrival *arrival, const struct weir_message *message)
{
    struct intake *intake = arrival->intake;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    struct weir_record record = {
        .source = &intake->origin,
        .event = WEIR_EVENT_INSERT,
        .pos = { message->sequence },
        .created = message->sent,
    };
    weir_item_name(builder, WEIR_STR("messageId"));
    weir_item_s(builder, message->id);
    enum weir_rc rc = weir_item_finish(builder, &record.keys, NULL);
    weir_assert(rc == WEIR_OK); /* a name and a short text */
    struct weir_str key = intake->fifo ? message->group : message->id;
    struct queued *queued =
            weir_queued_create(&record, key, message->hops, &weir_origin_message, message->receipt);
    struct held *held = hold(intake, message);
    held->shown_ns = now_ns(intake) + arrival->hide_ms * ns_per_ms;
    queued->of_origin = held;
    queued->bytes += message->body.n;
    for (size_t i = 0; i < message->attribute_count; i++) {
        queued->bytes += message->attributes[i].value.n;
    }
    intake->outstanding++;
    intake->held_bytes += queued->bytes;
    look_at(intake, queued);
    weir_lane_give(lane_for(intake, key), queued);
    weir_arena_fini(&arena);
}

static void free_arrival(struct arrival *arrival)
{
    weir_queue_unref(arrival->queue);
    weir_free(arrival);
}

/*
 * It is tried again. That the queue is gone, the catalogue tells. A receive that ends early
 * with nothing has been called off, because weir stops.
 */
static void receive_failed(struct intake *intake, const struct weir_err *why)
{
    bool gone = why->code == WEIR_E_NOT_FOUND;
    if (why->code != WEIR_OK && !gone && !intake->failing) {
        weir_logline(WEIR_LOG_ERROR, "pipeline.receive_failed", "pipeline",
                intake->source->pipeline->model->name.p, "reason", why->msg, NULL);
    }
    intake->failing = why->code != WEIR_OK;
    intake->paused = true;
    weir_loop_timer_start(&intake->again, PAUSE_MS);
}

static void received(struct weir_receive *receive)
{
    struct arrival *arrival = receive->arg;
    struct intake *intake = arrival->intake;
    struct pipeline *pipeline = intake != NULL ? intake->source->pipeline : NULL;
    for (size_t i = 0; intake != NULL && i < receive->count; i++) {
        give(arrival, &receive->messages[i]);
    }
    if (intake != NULL) {
        intake->arrival = NULL;
        struct shard *shard = &intake->source->shards[0];
        for (size_t i = 0; i < shard->lane_count; i++) {
            weir_lane_consider(&shard->lanes[i]);
        }
        struct weir_err none = { 0 };
        uint64_t waited_ms = (now_ns(intake) - arrival->began_ns) / ns_per_ms;
        if (receive->rc != WEIR_OK) {
            receive_failed(intake, &receive->err);
        } else if (receive->count == 0 && waited_ms < WEIR_QUEUE_WAIT_MAX_MS) {
            receive_failed(intake, &none);
        } else {
            intake->failing = false;
            weir_intake_go_on(intake->source);
        }
        if (intake->source->leaving) { /* it has waited for this; what came is given back */
            weir_pipelines_catalogue_changed(pipeline->all);
        }
    }
    weir_receive_fini(receive);
    free_arrival(arrival);
    if (pipeline != NULL && pipeline->all->stopping) {
        weir_pipelines_check_stopped(pipeline->all);
    } else if (pipeline != NULL) {
        weir_pipeline_check_left(pipeline);
    }
}

void weir_intake_go_on(struct source *source)
{
    struct intake *intake = source->intake;
    struct pipeline *pipeline = source->pipeline;
    if (intake == NULL || intake->arrival != NULL || source->leaving || pipeline->stopped ||
            pipeline->all->stopping || intake->paused) {
        return;
    }
    uint64_t most = pipeline->model->batch * pipeline->model->concurrency;
    if (intake->outstanding >= most || intake->held_bytes >= HELD_MAX_BYTES) {
        return;
    }
    uint64_t room = most - intake->outstanding;
    bool hides = intake->queue->visibility_ms > 0;
    struct arrival *arrival = weir_alloc_zero(1, sizeof(*arrival));
    arrival->intake = intake;
    arrival->queue = intake->queue;
    weir_queue_ref(arrival->queue);
    arrival->hide_ms = hides ? intake->queue->visibility_ms : LEAST_HIDE_MS;
    arrival->receive.max = room < WEIR_QUEUE_BATCH_MAX ? room : WEIR_QUEUE_BATCH_MAX;
    arrival->receive.has_hide = true;
    arrival->receive.hide_ms = arrival->hide_ms;
    arrival->receive.has_wait = true;
    arrival->receive.wait_ms = WEIR_QUEUE_WAIT_MAX_MS;
    arrival->began_ns = now_ns(intake);
    arrival->receive.done = received;
    arrival->receive.arg = arrival;
    intake->arrival = arrival;
    weir_queues_receive(pipeline->all->queues, arrival->queue, &arrival->receive);
}

void weir_intake_stop(struct source *source)
{
    struct intake *intake = source->intake;
    if (intake == NULL) {
        return;
    }
    weir_loop_timer_stop(&intake->again);
    struct arrival *arrival = intake->arrival;
    if (arrival != NULL && weir_queues_cancel(source->pipeline->all->queues, &arrival->receive)) {
        intake->arrival = NULL;
        free_arrival(arrival);
    }
}

/* Those of a list, at most so many; returns how many. */
static size_t give_back(const struct intake *intake, const struct queued_list *list, size_t most,
        struct weir_txn *txn)
{
    size_t count = 0;
    const struct queued *queued = list->count > 0 ? list->first : NULL;
    for (; queued != NULL && count < most; queued = queued->next) {
        if (queued->failed) {
            continue; /* it would only fail again, or is somebody else's */
        }
        struct weir_queue_settle *settle = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_settle);
        settle->queue = intake->queue;
        settle->receipt = weir_arena_str(&txn->arena, queued->token);
        settle->keep = true;
        enum weir_rc rc =
                weir_queue_settle(intake->source->pipeline->all->queues, settle, txn, NULL);
        weir_assert(rc == WEIR_OK); /* the queue made the receipt */
        count++;
    }
    return count;
}

void weir_intake_give_back(const struct weir_lane *lane, struct weir_txn *txn)
{
    const struct intake *intake = lane->shard->source->intake;
    if (intake != NULL) {
        size_t most = GIVEN_BACK_MAX / lane->shard->lane_count;
        most -= give_back(intake, &lane->taken, most, txn);
        (void)give_back(intake, &lane->waiting, most, txn);
    }
}

static void given_back(struct weir_txn *txn)
{
    const struct weir_queue **queue = txn->arg;
    weir_queue_unref(*queue);
    weir_txn_destroy(txn); /* if it failed, the visibility time-out shows them again */
}

void weir_intake_return(const struct source *source)
{
    const struct intake *intake = source->intake;
    if (intake == NULL || intake->outstanding == 0) {
        return;
    }
    struct weir_txn *txn = weir_txn_create();
    const struct weir_queue **queue = WEIR_ARENA_NEW(&txn->arena, const struct weir_queue *);
    txn->lane = true;
    txn->urgent = true;
    txn->done = given_back;
    txn->arg = queue;
    *queue = intake->queue; /* which the operations borrow, and the intake lets go of */
    weir_queue_ref(*queue);
    for (size_t i = 0; i < source->shards[0].lane_count; i++) {
        weir_intake_give_back(&source->shards[0].lanes[i], txn);
    }
    weir_store_submit(source->pipeline->all->store, txn);
}

bool weir_intake_is_receiving(const struct source *source)
{
    return source->intake != NULL && source->intake->arrival != NULL;
}

void weir_intake_numbers(
        const struct source *source, uint64_t *ret_messages, int64_t *ret_oldest_ms)
{
    struct weir_queue_numbers numbers = { 0 };
    *ret_messages = 0;
    *ret_oldest_ms = INT64_MAX;
    const struct intake *intake = source->intake;
    if (intake == NULL || weir_queues_numbers(source->pipeline->all->queues, intake->queue,
                                  &numbers, NULL) != WEIR_OK) {
        return; /* a queue that is gone has none */
    }
    *ret_messages = numbers.visible;
    if (numbers.visible > 0) {
        int64_t now = weir_clock_wall(weir_loop_clock(source->pipeline->all->loop)).ms;
        *ret_oldest_ms = now - (int64_t)numbers.oldest_ms;
    }
}

/* --- the catalogue ---------------------------------------------------------------------------- */

static void again_fired(struct weir_loop_timer *timer)
{
    struct intake *intake = WEIR_CONTAINER(timer, struct intake, again);
    intake->paused = false;
    weir_intake_go_on(intake->source);
}

static void take_queue(struct intake *intake, const struct weir_queue *queue)
{
    weir_queue_unref(intake->queue);
    intake->queue = queue;
}

/* The part of an ARN behind its third colon. */
static struct weir_str region_of(struct weir_str arn)
{
    size_t colons = 0;
    size_t first = 0;
    for (size_t i = 0; i < arn.n; i++) {
        colons += arn.p[i] == ':';
        if (arn.p[i] == ':' && colons == 3) {
            first = i + 1;
        } else if (arn.p[i] == ':' && colons == 4) {
            return weir_str(arn.p + first, i - first);
        }
    }
    return WEIR_STR("");
}

void weir_intake_attach(struct source *source)
{
    struct weir_pipelines *all = source->pipeline->all;
    const struct weir_queue *queue = NULL;
    struct weir_err err;
    if (weir_queues_get(all->queues, source->name, &queue, &err) != WEIR_OK) {
        weir_source_wait(source, &err);
        return;
    }
    struct intake *intake = weir_alloc_zero(1, sizeof(*intake));
    intake->source = source;
    intake->queue = queue;
    intake->fifo = queue->fifo;
    if (source->pipeline->model->filter != NULL) {
        intake->scratch = weir_pattern_scratch_create();
    }
    struct weir_arena *names = &source->pipeline->model->arena;
    struct weir_str arn = weir_arena_str(names, queue->arn);
    intake->origin = (struct weir_record_source){
        .table = source->name, .stream_arn = arn, .region = region_of(arn)
    };
    weir_loop_timer_init(&intake->again, all->loop, again_fired);
    source->intake = intake;
    source->why.code = WEIR_OK;
    source->shard_count = 1;
    source->shards = weir_alloc_zero(1, sizeof(struct shard));
    source->shards[0].source = source;
    source->shards[0].at_end = true;
    enum weir_rc rc = weir_source_make_lanes(&source->shards[0], &err);
    weir_assert(rc == WEIR_OK); /* nothing of such lanes is stored that would be read */
    weir_pipeline_wake(source->pipeline);
}

void weir_intake_detach(struct source *source)
{
    struct intake *intake = WEIR_TAKE(source->intake);
    if (intake == NULL) {
        return;
    }
    struct arrival *arrival = intake->arrival;
    if (arrival != NULL && weir_queues_cancel(source->pipeline->all->queues, &arrival->receive)) {
        free_arrival(arrival);
    } else if (arrival != NULL) {
        arrival->intake = NULL;
    }
    weir_assert(intake->outstanding == 0);
    weir_loop_timer_fini(&intake->again);
    weir_queue_unref(intake->queue);
    weir_pattern_scratch_destroy(intake->scratch);
    weir_free(intake);
}

bool weir_intake_is_current(struct source *source)
{
    const struct weir_queue *now = NULL;
    struct intake *intake = source->intake;
    if (weir_queues_get(source->pipeline->all->queues, source->name, &now, NULL) != WEIR_OK) {
        return false;
    }
    bool same = now->space == intake->queue->space;
    if (same) {
        take_queue(intake, now);
    } else {
        weir_queue_unref(now);
    }
    return same;
}
