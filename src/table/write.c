/* The wire API's writes: conditional puts, deletes and updates as operations. */
#include "table/table_int.h"

static enum weir_rc make_after(
        struct weir_write *write, struct weir_arena *arena, struct weir_err *err)
{
    switch (write->kind) {
    case WEIR_WRITE_PUT:
        write->after = write->item;
        return WEIR_OK;
    case WEIR_WRITE_DELETE:
        write->after = (struct weir_item){ 0 };
        return WEIR_OK;
    case WEIR_WRITE_UPDATE:
        break;
    }
    if (write->update == NULL) {
        write->after = write->before.n > 0 ? write->before : write->item;
        return WEIR_OK;
    }
    enum weir_rc rc = weir_ddb_update_apply(
            write->update, write->before, write->item, arena, &write->after, err);
    if (rc == WEIR_OK && write->after.n > 0) {
        if (weir_item_size(write->after) > WEIR_ITEM_MAX_BYTES) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Item size to update has exceeded the maximum allowed size");
        }
        rc = weir_table_check_item(write->table, write->after, err);
    }
    return rc;
}

static enum weir_rc check_there(const struct weir_table *table, struct weir_err *err)
{
    if (!weir_table_is_dropped(table)) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_NOT_FOUND, "Requested resource not found: Table: %.*s not found",
            WEIR_STR_ARG(table->name));
}

struct guard_op {
    struct weir_op op;
    const struct weir_table *table;
};

static enum weir_rc run_guard(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)view;
    return check_there(WEIR_CONTAINER(op, struct guard_op, op)->table, err);
}

void weir_table_guard(struct weir_txn *txn, const struct weir_table *table)
{
    struct guard_op *guard = WEIR_ARENA_NEW(&txn->arena, struct guard_op);
    guard->op.run = run_guard;
    guard->table = table;
    weir_txn_op(txn, &guard->op);
}

static enum weir_rc run_write(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_write *write = WEIR_CONTAINER(op, struct weir_write, op);
    enum weir_rc rc = check_there(write->table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_entry entry;
    rc = weir_view_get(view, write->table->space, write->key, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_str before = entry.pos.seq != 0 ? weir_arena_str(arena, entry.value) : WEIR_STR("");
    write->before = (struct weir_item){ before.p, before.n };
    write->after = write->before;
    if (write->condition != NULL && !weir_ddb_condition_eval(write->condition, write->before)) {
        return weir_fail(err, WEIR_E_CONDITION, "The conditional request failed");
    }
    rc = make_after(write, arena, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_view_sink sink;
    weir_view_sink_init(&sink, view);
    struct weir_item_change change = {
        .key = write->key,
        .before = write->before,
        .after = write->after,
    };
    return weir_table_change(write->table, &sink.base, &change, err);
}

enum weir_rc weir_table_write(struct weir_write *write, struct weir_txn *txn, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    if (write->kind == WEIR_WRITE_PUT) {
        rc = weir_table_key(write->table, write->item, &txn->arena, &write->key, err);
        if (rc == WEIR_OK) {
            rc = weir_table_check_item(write->table, write->item, err);
        }
    } else {
        rc = weir_table_exact_key(write->table, write->item, &txn->arena, &write->key, err);
        struct weir_ddb_key_schema schema = weir_key_schema_view(&write->table->key);
        if (rc == WEIR_OK && write->update != NULL) {
            rc = weir_ddb_update_check_key(write->update, &schema, err);
        }
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    write->op.run = run_write;
    txn->bytes += write->item.n;
    txn->urgent = txn->urgent || write->kind == WEIR_WRITE_DELETE;
    weir_txn_op(txn, &write->op);
    return WEIR_OK;
}
