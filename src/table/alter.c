/* Changes of a table's settings that leave its items alone. */
#include <string.h>

#include "table/table_int.h"

struct alter_op {
    struct weir_op op;
    struct weir_tables *tables;
    struct weir_str name;
    struct weir_table_alteration alteration;
};

static enum weir_rc apply(const struct weir_table_alteration *alteration, struct weir_table *table,
        struct weir_time now, struct weir_err *err)
{
    if (alteration->set_protection) {
        table->deletion_protection = alteration->protection;
    }
    if (alteration->billing.n > 0) {
        table->billing = alteration->billing;
        table->read_units = alteration->read_units;
        table->write_units = alteration->write_units;
    }
    if (alteration->view != WEIR_VIEW_NONE) {
        if (table->view != WEIR_VIEW_NONE) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Table already has an enabled stream: TableName: %.*s",
                    WEIR_STR_ARG(table->name));
        }
        table->view = alteration->view;
        table->stream_created = now;
    }
    return WEIR_OK;
}

static enum weir_rc run_alter(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct alter_op *op = WEIR_CONTAINER(base, struct alter_op, op);
    struct weir_table_box *box = NULL;
    enum weir_rc rc = weir_tables_read(op->tables, view, op->name, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = apply(&op->alteration, &box->table, weir_view_time(view), err);
    if (rc == WEIR_OK) {
        weir_tables_write(op->tables, view, &box->table);
    }
    weir_table_box_destroy(box);
    return rc;
}

void weir_tables_alter(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name,
        const struct weir_table_alteration *alteration)
{
    struct alter_op *op = WEIR_ARENA_NEW(&txn->arena, struct alter_op);
    op->op.run = run_alter;
    op->tables = tables;
    op->name = weir_arena_str(&txn->arena, name);
    op->alteration = *alteration;
    op->alteration.billing = weir_arena_str(&txn->arena, alteration->billing);
    weir_txn_op(txn, &op->op);
}
