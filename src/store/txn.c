/* Building transactions. */
#include <string.h>

#include "base/mem.h"
#include "store/store_int.h"
#include "store/txn_int.h"

struct weir_txn *weir_txn_create(void)
{
    struct weir_txn *txn = weir_alloc_zero(1, sizeof(*txn));
    weir_arena_init(&txn->arena);
    txn->last_op = &txn->ops;
    return txn;
}

void weir_txn_destroy(struct weir_txn *txn)
{
    if (txn != NULL) {
        weir_arena_fini(&txn->arena);
        weir_free(txn->changes);
        weir_free(txn);
    }
}

enum weir_rc weir_txn_get(struct weir_txn *txn, struct weir_store *store, uint32_t space,
        struct weir_str key, struct weir_entry *ret_entry, struct weir_err *err)
{
    if (!txn->has_snapshot) {
        /* Taken before the read: whatever moves after it is checked key by key. */
        txn->snapshot = weir_log_end(store->log);
        txn->has_snapshot = true;
    }
    enum weir_rc rc = weir_store_get(store, space, key, &txn->arena, ret_entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_txn_read *read = WEIR_ARENA_NEW(&txn->arena, struct weir_txn_read);
    read->space = space;
    read->key = weir_arena_str(&txn->arena, key);
    read->seen = ret_entry->pos;
    read->next = txn->reads;
    txn->reads = read;
    return WEIR_OK;
}

void weir_txn_add(struct weir_txn *txn, const struct weir_change *change)
{
    if (txn->change_count == txn->change_capacity) {
        txn->change_capacity = txn->change_capacity > 0 ? txn->change_capacity * 2 : 8;
        txn->changes = weir_realloc(txn->changes, txn->change_capacity, sizeof(*txn->changes));
    }
    txn->changes[txn->change_count++] = *change;
    txn->bytes += change->key.n + change->keys.n + change->value.n + change->old_value.n;
}

void weir_txn_put(struct weir_txn *txn, uint32_t space, struct weir_str key, struct weir_str value)
{
    struct weir_change change = { .kind = WEIR_CHANGE_PUT, .space = space, .key = key };
    change.value = value;
    weir_txn_add(txn, &change);
}

void weir_txn_delete(struct weir_txn *txn, uint32_t space, struct weir_str key)
{
    struct weir_change change = { .kind = WEIR_CHANGE_DELETE, .space = space, .key = key };
    weir_txn_add(txn, &change);
}

struct deletion {
    struct weir_txn *txn;
    uint32_t space;
};

static enum weir_rc delete_one(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    const struct deletion *deletion = arg;
    (void)entry;
    (void)err;
    weir_txn_delete(deletion->txn, deletion->space, weir_arena_str(&deletion->txn->arena, key));
    return WEIR_OK;
}

enum weir_rc weir_txn_delete_all(struct weir_txn *txn, struct weir_store *store, uint32_t space,
        struct weir_str prefix, struct weir_err *err)
{
    struct deletion deletion = { txn, space };
    return weir_store_each(store, space, prefix, delete_one, &deletion, err);
}

void weir_txn_op(struct weir_txn *txn, struct weir_op *op)
{
    op->next = NULL;
    *txn->last_op = op;
    txn->last_op = &op->next;
}
