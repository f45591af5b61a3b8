/*
 * What a batch has read and written so far. Each key is read once, into the transaction's
 * read set; later events of the batch see what earlier ones wrote; at the end each key that
 * differs from what was read becomes one change.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum { READ_UNIT_BYTES = 4096 }; /* as DynamoDB counts reads */

void weir_batch_begin(struct batch *batch)
{
    batch->txn = weir_txn_create();
    batch->txn->lane = true;
    memset(batch->buckets, 0, sizeof(batch->buckets));
    batch->first = NULL;
    batch->last = &batch->first;
    batch->table_count = 0;
    batch->queue_count = 0;
    batch->settled = NULL;
    batch->deferrals = NULL;
    batch->last_deferral = &batch->deferrals;
    batch->gathers = NULL;
}

void weir_batch_end(struct batch *batch)
{
    for (size_t i = 0; i < batch->table_count; i++) {
        weir_table_unref(batch->tables[i]);
    }
    batch->table_count = 0;
    for (size_t i = 0; i < batch->queue_count; i++) {
        weir_queue_unref(batch->queues[i]);
    }
    batch->queue_count = 0;
    weir_txn_destroy(WEIR_TAKE(batch->txn));
}

/* Find a key among what was touched, or read it. */
static enum weir_rc touch(struct weir_lane *lane, const struct weir_table *table, uint32_t space,
        struct weir_str key, struct touched **ret_touched, struct weir_err *err)
{
    struct batch *batch = &lane->batch;
    struct touched **bucket = &batch->buckets[weir_hash64(space, key.p, key.n) % BATCH_BUCKETS];
    for (struct touched *t = *bucket; t != NULL; t = t->same_bucket) {
        if (t->space == space && weir_str_eq(t->key, key)) {
            *ret_touched = t;
            return WEIR_OK;
        }
    }
    struct weir_entry entry;
    enum weir_rc rc = weir_txn_get(batch->txn, lane->pipeline->all->store, space, key, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct touched *t = WEIR_ARENA_NEW(&lane->arena, struct touched);
    t->space = space;
    t->key = weir_arena_str(&lane->arena, key);
    t->table = table;
    t->before = entry.value;
    t->after = entry.value;
    if (table == NULL) {
        rc = weir_state_decode(entry.value, &t->state_before, err);
        t->state_after = t->state_before;
    }
    t->same_bucket = *bucket;
    *bucket = t;
    *batch->last = t;
    batch->last = &t->next;
    *ret_touched = t;
    return rc;
}

enum weir_rc weir_lane_get_item(struct weir_lane *lane, const struct weir_table *table,
        struct weir_str key, struct weir_item *ret_item, struct weir_err *err)
{
    struct touched *t = NULL;
    struct touched **last = lane->batch.last;
    enum weir_rc rc = touch(lane, table, table->space, key, &t, err);
    if (rc == WEIR_OK) {
        *ret_item = (struct weir_item){ t->after.p, t->after.n };
    }
    if (rc == WEIR_OK && last != lane->batch.last) { /* it was not in the batch yet */
        size_t bytes = weir_item_size(*ret_item);
        weir_counter_add(lane->pipeline->read_units,
                bytes > READ_UNIT_BYTES ? (bytes + READ_UNIT_BYTES - 1) / READ_UNIT_BYTES : 1);
    }
    return rc;
}

enum weir_rc weir_lane_put_item(struct weir_lane *lane, struct weir_event event,
        const struct weir_table *table, struct weir_str key, struct weir_item item,
        struct weir_err *err)
{
    struct touched *t = NULL;
    enum weir_rc rc = touch(lane, table, table->space, key, &t, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    const struct queued *queued = WEIR_CONTAINER(event.record, struct queued, record);
    t->after = weir_str(item.p, item.n);
    t->hops = queued->hops + 1 > t->hops ? (uint8_t)(queued->hops + 1) : t->hops;
    lane->batch.txn->bytes += item.n;
    return WEIR_OK;
}

/* Pipeline, step and the step's own key, apart by zero bytes. */
static struct weir_str state_key(
        struct weir_lane *lane, const struct weir_step *step, struct weir_str key)
{
    struct weir_str name = lane->pipeline->model->name;
    char *p = weir_arena_alloc(&lane->arena, name.n + step->id.n + key.n + 2);
    char *at = p;
    memcpy(at, name.p, name.n);
    at += name.n;
    *at++ = '\0';
    memcpy(at, step->id.p, step->id.n);
    at += step->id.n;
    *at++ = '\0';
    if (key.n > 0) {
        memcpy(at, key.p, key.n);
        at += key.n;
    }
    return weir_str(p, (size_t)(at - p));
}

enum weir_rc weir_lane_get_state(struct weir_lane *lane, const struct weir_step *step,
        struct weir_str key, struct weir_str *ret_value, struct weir_err *err)
{
    struct touched *t = NULL;
    enum weir_rc rc = touch(lane, NULL, WEIR_SPACE_STATE, state_key(lane, step, key), &t, err);
    if (rc == WEIR_OK) {
        *ret_value = t->state_after.value;
    }
    return rc;
}

enum weir_rc weir_lane_put_state(struct weir_lane *lane, const struct weir_step *step,
        struct weir_str key, struct weir_str value, struct weir_time expires, struct weir_err *err)
{
    struct touched *t = NULL;
    enum weir_rc rc = touch(lane, NULL, WEIR_SPACE_STATE, state_key(lane, step, key), &t, err);
    if (rc == WEIR_OK) {
        t->state_after = (struct weir_state){ value, expires };
        lane->batch.txn->bytes += value.n;
    }
    return rc;
}

enum weir_rc weir_lane_table(struct weir_lane *lane, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err)
{
    struct batch *batch = &lane->batch;
    for (size_t i = 0; i < batch->table_count; i++) {
        if (weir_str_eq(batch->tables[i]->name, name)) {
            *ret_table = batch->tables[i];
            return WEIR_OK;
        }
    }
    if (batch->table_count == BATCH_TABLES) {
        return weir_fail(err, WEIR_E_LIMIT, "a pipeline writes to at most %d tables", BATCH_TABLES);
    }
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_tables_get(lane->pipeline->all->tables, name, &table, err);
    if (rc == WEIR_OK) {
        batch->tables[batch->table_count++] = table;
        weir_table_guard(batch->txn, table);
        *ret_table = table;
    }
    return rc;
}

enum weir_rc weir_batch_prepare(struct batch *batch, struct weir_err *err)
{
    struct weir_txn_sink sink;
    weir_txn_sink_init(&sink, batch->txn);
    for (const struct touched *t = batch->first; t != NULL; t = t->next) {
        if (t->table == NULL) {
            weir_state_change(batch->txn, t->key, &t->state_before, &t->state_after);
            continue;
        }
        struct weir_item_change change = {
            .key = t->key,
            .before = { t->before.p, t->before.n },
            .after = { t->after.p, t->after.n },
            .hops = t->hops,
        };
        enum weir_rc rc = weir_table_change(t->table, &sink.base, &change, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}
