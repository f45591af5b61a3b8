#include "state/state.h"

#include <string.h>

#include "base/mem.h"

enum { HEAD_BYTES = 8 };

enum weir_rc weir_state_decode(
        struct weir_str stored, struct weir_state *ret_state, struct weir_err *err)
{
    *ret_state = (struct weir_state){ 0 };
    if (stored.n == 0) {
        return WEIR_OK;
    }
    if (stored.n < HEAD_BYTES) {
        return weir_fail(err, WEIR_E_DAMAGED, "a state entry has only %zu bytes", stored.n);
    }
    memcpy(&ret_state->expires.ms, stored.p, HEAD_BYTES);
    ret_state->value = weir_str(stored.p + HEAD_BYTES, stored.n - HEAD_BYTES);
    return WEIR_OK;
}

static struct weir_str timer_key(
        struct weir_txn *txn, struct weir_str key, const struct weir_state *state)
{
    return weir_timer_key(&txn->arena, state->expires, WEIR_TIMER_STATE, key);
}

void weir_state_change(struct weir_txn *txn, struct weir_str key, const struct weir_state *before,
        const struct weir_state *after)
{
    bool same_time = before->expires.ms == after->expires.ms;
    if (same_time && weir_str_eq(before->value, after->value)) {
        return;
    }
    if (before->value.n > 0 && before->expires.ms != 0 && !(same_time && after->value.n > 0)) {
        weir_txn_delete(txn, WEIR_SPACE_TIMER, timer_key(txn, key, before));
    }
    if (after->value.n == 0) {
        weir_txn_delete(txn, WEIR_SPACE_STATE, key);
        return;
    }
    char *stored = weir_arena_alloc(&txn->arena, HEAD_BYTES + after->value.n);
    memcpy(stored, &after->expires.ms, HEAD_BYTES);
    memcpy(stored + HEAD_BYTES, after->value.p, after->value.n);
    weir_txn_put(txn, WEIR_SPACE_STATE, key, weir_str(stored, HEAD_BYTES + after->value.n));
    if (after->expires.ms != 0 && !(same_time && before->value.n > 0)) {
        weir_txn_put(txn, WEIR_SPACE_TIMER, timer_key(txn, key, after), WEIR_STR(""));
    }
}

/* --- expiry --------------------------------------------------------------------- */

struct expire_op {
    struct weir_op op;
    struct weir_str timer_key;
    struct weir_str state_key;
    struct weir_time due;
};

static enum weir_rc run_expire(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct expire_op *op = WEIR_CONTAINER(base, struct expire_op, op);
    weir_view_delete(view, WEIR_SPACE_TIMER, op->timer_key);
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_STATE, op->state_key, &entry, err);
    if (rc != WEIR_OK || entry.pos.seq == 0) {
        return rc;
    }
    struct weir_state state;
    rc = weir_state_decode(entry.value, &state, err);
    if (rc == WEIR_OK && state.expires.ms == op->due.ms) {
        weir_view_delete(view, WEIR_SPACE_STATE, op->state_key);
    }
    return rc;
}

/* What the handler needs; lives as long as the timers. */
struct expiry {
    struct weir_timers *timers;
    struct weir_store *store;
};

static void expired(struct weir_txn *txn)
{
    struct weir_timers *timers = txn->arg;
    bool committed = txn->rc == WEIR_OK;
    weir_txn_destroy(txn);
    weir_timers_done(timers, WEIR_TIMER_STATE, committed);
}

static void fire(void *arg, const struct weir_timer *timers, size_t count)
{
    struct expiry *expiry = arg;
    struct weir_txn *txn = weir_txn_create();
    for (size_t i = 0; i < count; i++) {
        struct expire_op *op = WEIR_ARENA_NEW(&txn->arena, struct expire_op);
        op->op.run = run_expire;
        op->timer_key = weir_arena_str(&txn->arena, timers[i].key);
        op->state_key = weir_arena_str(&txn->arena, timers[i].name);
        op->due = timers[i].due;
        weir_txn_op(txn, &op->op);
    }
    txn->lane = true;
    txn->urgent = true;
    txn->done = expired;
    txn->arg = expiry->timers;
    weir_store_submit(expiry->store, txn);
}

void weir_state_start(struct weir_timers *timers, struct weir_store *store)
{
    struct expiry *expiry = weir_timers_memory(timers, sizeof(*expiry));
    expiry->timers = timers;
    expiry->store = store;
    struct weir_timer_handler handler = { fire, expiry };
    weir_timers_handle(timers, WEIR_TIMER_STATE, handler);
}
