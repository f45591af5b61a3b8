/*
 * Time to live: an item whose attribute holds a time that has passed is deleted, and its
 * record says that the service did it. Each such item has a durable timer, kept with the
 * item by weir_table_change. A table that gets its attribute late has a job go through the
 * items it already holds: a timer without an item's key, whose value is where it got to.
 */
#include <string.h>

#include "base/mem.h"
#include "table/table_int.h"

enum {
    SPACE_BYTES = 4,
    JOB_ITEMS = 500,
    BATCH_BYTES = 1024 * 1024, /* that one transaction deletes; the rest is handed out again */
};

/* DynamoDB leaves items alone whose time is more than five years past. */
static const int64_t too_old_ms = 5ll * 365 * 24 * 3600 * 1000;

bool weir_table_expires(
        const struct weir_table *table, struct weir_item item, struct weir_time *ret_due)
{
    if (item.n == 0) {
        return false;
    }
    struct weir_value value = weir_item_get(item, table->ttl_attribute);
    int64_t seconds = 0;
    if (value.type != WEIR_TYPE_N || !weir_decimal_to_i64(weir_value_decimal(value), &seconds) ||
            seconds < 0 || seconds > INT64_MAX / 1000) {
        return false;
    }
    ret_due->ms = seconds * 1000;
    return true;
}

struct weir_str weir_ttl_name(struct weir_arena *arena, uint32_t space, struct weir_str key)
{
    char *name = weir_arena_alloc(arena, SPACE_BYTES + key.n);
    for (int i = 0; i < SPACE_BYTES; i++) {
        name[i] = (char)(space >> (24 - 8 * i));
    }
    if (key.n > 0) {
        memcpy(name + SPACE_BYTES, key.p, key.n);
    }
    return weir_str(name, SPACE_BYTES + key.n);
}

/* One due timer, settled on the commit thread. */
struct expire_op {
    struct weir_op op;
    struct weir_str timer_key;
    struct weir_str item_key;
    const struct weir_table *table; /* NULL: dropped meanwhile */
};

static enum weir_rc run_expire(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct expire_op *op = WEIR_CONTAINER(base, struct expire_op, op);
    if (weir_view_bytes(view) >= BATCH_BYTES) {
        return WEIR_OK;
    }
    struct weir_entry timer;
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_TIMER, op->timer_key, &timer, err);
    if (rc != WEIR_OK || timer.pos.seq == 0) {
        return rc; /* the item was changed and its timer with it */
    }
    weir_view_delete(view, WEIR_SPACE_TIMER, op->timer_key);
    if (op->table == NULL || weir_table_is_dropped(op->table)) {
        return WEIR_OK;
    }
    struct weir_entry entry;
    rc = weir_view_get(view, op->table->space, op->item_key, &entry, err);
    if (rc != WEIR_OK || entry.pos.seq == 0) {
        return rc;
    }
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_str bytes = weir_arena_str(arena, entry.value);
    struct weir_item_change change = {
        .key = op->item_key,
        .before = { bytes.p, bytes.n },
        .by_ttl = true,
    };
    struct weir_time due;
    int64_t now = weir_view_time(view).ms;
    if (!weir_table_expires(op->table, change.before, &due) || due.ms > now ||
            due.ms < now - too_old_ms) {
        return WEIR_OK;
    }
    struct weir_view_sink sink;
    weir_view_sink_init(&sink, view);
    return weir_table_change(op->table, &sink.base, &change, err);
}

/* A step of the job that gives existing items their timers. */
struct job_op {
    struct weir_op op;
    struct weir_tables *tables;
    struct weir_str timer_key;
    struct weir_str from; /* first item key to look at */
    const struct weir_table *table;
};

static enum weir_rc run_job(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct job_op *op = WEIR_CONTAINER(base, struct job_op, op);
    struct weir_arena *arena = weir_view_arena(view);
    weir_view_delete(view, WEIR_SPACE_TIMER, op->timer_key);
    if (op->table == NULL || op->table->ttl_attribute.n == 0) {
        return WEIR_OK;
    }
    /* Items written since the attribute was set have theirs: setting one twice is harmless. */
    struct weir_cursor *cursor =
            weir_cursor_create(weir_tables_store(op->tables), op->table->space);
    struct weir_str key = { 0 };
    bool have = true;
    enum weir_rc rc = WEIR_OK;
    weir_cursor_seek(cursor, op->from);
    for (int i = 0; rc == WEIR_OK && i <= JOB_ITEMS; i++, weir_cursor_next(cursor)) {
        struct weir_entry entry;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || i == JOB_ITEMS) {
            break;
        }
        struct weir_time due;
        struct weir_item item = { entry.value.p, entry.value.n };
        if (weir_table_expires(op->table, item, &due)) {
            struct weir_str name = weir_ttl_name(arena, op->table->space, key);
            weir_view_put(view, WEIR_SPACE_TIMER, weir_timer_key(arena, due, WEIR_TIMER_TTL, name),
                    WEIR_STR(""));
        }
    }
    if (rc == WEIR_OK && have) {
        weir_view_put(view, WEIR_SPACE_TIMER, op->timer_key, weir_arena_str(arena, key));
    }
    weir_cursor_destroy(cursor);
    return rc;
}

static const struct weir_table *table_of(struct weir_tables *tables, struct weir_str name)
{
    uint32_t space = 0;
    for (size_t i = 0; i < SPACE_BYTES && i < name.n; i++) {
        space = space << 8 | (unsigned char)name.p[i];
    }
    return weir_tables_get_space(tables, space);
}

/* What one transaction of due timers holds on to. */
struct batch {
    struct weir_tables *tables;
    const struct weir_table **referenced;
    size_t count;
};

static void batch_done(struct weir_txn *txn)
{
    struct batch *batch = txn->arg;
    struct weir_tables *tables = batch->tables;
    for (size_t i = 0; i < batch->count; i++) {
        weir_table_unref(batch->referenced[i]);
    }
    bool committed = txn->rc == WEIR_OK;
    weir_txn_destroy(txn);
    weir_timers_done(tables->timers, WEIR_TIMER_TTL, committed);
}

static void fire(void *arg, const struct weir_timer *timers, size_t count)
{
    struct weir_tables *tables = arg;
    struct weir_txn *txn = weir_txn_create();
    struct batch *batch = WEIR_ARENA_NEW(&txn->arena, struct batch);
    batch->tables = tables;
    batch->count = count;
    batch->referenced = weir_arena_zero(&txn->arena, count, sizeof(struct weir_table *));
    for (size_t i = 0; i < count; i++) {
        const struct weir_table *table = table_of(tables, timers[i].name);
        struct weir_str timer_key = weir_arena_str(&txn->arena, timers[i].key);
        batch->referenced[i] = table;
        if (timers[i].name.n > SPACE_BYTES) {
            struct expire_op *op = WEIR_ARENA_NEW(&txn->arena, struct expire_op);
            op->op.run = run_expire;
            op->timer_key = timer_key;
            op->item_key = weir_arena_str(&txn->arena,
                    weir_str(timers[i].name.p + SPACE_BYTES, timers[i].name.n - SPACE_BYTES));
            op->table = table;
            weir_txn_op(txn, &op->op);
        } else {
            struct job_op *op = WEIR_ARENA_NEW(&txn->arena, struct job_op);
            op->op.run = run_job;
            op->tables = tables;
            op->timer_key = timer_key;
            op->from = weir_arena_str(&txn->arena, timers[i].value);
            op->table = table;
            weir_txn_op(txn, &op->op);
        }
    }
    txn->lane = true;
    txn->urgent = true;
    txn->done = batch_done;
    txn->arg = batch;
    weir_store_submit(tables->store, txn);
}

void weir_ttl_start(struct weir_tables *tables)
{
    struct weir_timer_handler handler = { fire, tables };
    weir_timers_handle(tables->timers, WEIR_TIMER_TTL, handler);
}
