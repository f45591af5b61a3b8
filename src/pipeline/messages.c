/*
 * Messages that a batch sends, and messages that its records came from: they are sent and deleted
 * by its transaction, with it or not at all.
 */
#include "pipeline/pipeline_int.h"

enum weir_rc weir_lane_queue(struct weir_lane *lane, struct weir_str name,
        const struct weir_queue **ret_queue, struct weir_err *err)
{
    struct batch *batch = &lane->batch;
    for (size_t i = 0; i < batch->queue_count; i++) {
        if (weir_str_eq(batch->queues[i]->name, name)) {
            *ret_queue = batch->queues[i];
            return WEIR_OK;
        }
    }
    if (batch->queue_count == BATCH_QUEUES) {
        return weir_fail(err, WEIR_E_LIMIT, "a pipeline sends to at most %d queues", BATCH_QUEUES);
    }
    const struct weir_queue *queue = NULL;
    if (weir_queues_get(lane->pipeline->all->queues, name, &queue, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "queue %.*s not found", WEIR_STR_ARG(name));
    }
    batch->queues[batch->queue_count++] = queue;
    *ret_queue = queue;
    return WEIR_OK;
}

enum weir_rc weir_lane_send(struct weir_lane *lane, struct weir_event event,
        const struct weir_queue *queue, const struct weir_message *message,
        const uint64_t *delay_ms, struct weir_err *err)
{
    const struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    struct weir_txn *txn = lane->batch.txn;
    char *event_id = weir_arena_alloc(&lane->arena, WEIR_EVENT_ID_TEXT);
    weir_record_event_id(event.record, event_id);
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    send->queue = queue;
    send->message = *message;
    send->message.causation = weir_str_z(event_id);
    send->message.hops = (uint8_t)(queued->hops + 1);
    send->has_delay = delay_ms != NULL;
    send->delay_ms = delay_ms != NULL ? *delay_ms : 0;
    send->strict = true; /* a queue deleted meanwhile: the batch waits for it */
    return weir_queue_send(lane->pipeline->all->queues, send, txn, err);
}

enum weir_rc weir_lane_intend(struct weir_lane *lane, struct weir_event event,
        const struct weir_intent *intent, struct weir_err *err)
{
    const struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    struct weir_outbox *outbox = lane->pipeline->all->outbox;
    if (outbox == NULL) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "nothing is delivered to the outside here");
    }
    char event_id[WEIR_EVENT_ID_TEXT];
    weir_record_event_id(event.record, event_id);
    struct weir_intent made = *intent;
    made.causation = weir_str_z(event_id);
    made.hops = (uint8_t)(queued->hops + 1);
    return weir_outbox_add(outbox, lane->batch.txn, &made, err);
}

enum weir_rc weir_lane_settle_message(struct weir_lane *lane, struct queued *queued,
        const struct weir_queue *queue, struct weir_err *err)
{
    struct batch *batch = &lane->batch;
    struct settled *settled = WEIR_ARENA_NEW(&batch->txn->arena, struct settled);
    settled->queued = queued;
    settled->settle.queue = queue;
    settled->settle.receipt = queued->token;
    settled->settle.exact = true;
    settled->settle.strict = true;
    settled->next = batch->settled;
    batch->settled = settled;
    return weir_queue_settle(lane->pipeline->all->queues, &settled->settle, batch->txn, err);
}

bool weir_lane_drop_refused(struct weir_lane *lane)
{
    struct settled *settled = lane->batch.settled;
    while (settled != NULL && settled->settle.rc != WEIR_E_CONDITION) {
        settled = settled->next;
    }
    if (settled != NULL) {
        weir_queued_drop(settled->queued);
    }
    return settled != NULL;
}
