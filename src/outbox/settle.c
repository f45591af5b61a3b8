/* What becomes of an intent after an attempt: removed, tried again, or given up. */
#include "base/mem.h"
#include "outbox/outbox_int.h"

enum {
    AGAIN_MS = 1000,            /* after something could not be stored */
    ASKED_MAX_MS = 3600 * 1000, /* that a target is believed when it says when to come back */
};

static const uint64_t ms_ns = 1000 * 1000;

/* How long a lane waits for its target. */
static const struct weir_backoff blocked_backoff = {
    .pauses_ms = { 1000 },
    .count = 1,
    .max_ms = 60 * 1000,
};

/* --- outcomes of deliveries ------------------------------------------------------------- */

static uint64_t pause_of(
        const struct weir_outbox_entry *entry, const struct weir_backoff *backoff, uint64_t failed)
{
    uint64_t pause = weir_backoff_pause(backoff, failed, &entry->lane->outbox->random);
    uint64_t asked = entry->retry_after_ms < ASKED_MAX_MS ? entry->retry_after_ms : ASKED_MAX_MS;
    return asked > pause ? asked : pause;
}

static void block(struct weir_outbox_entry *entry, uint64_t now_ns)
{
    struct weir_outbox_lane *lane = entry->lane;
    entry->state = WEIR_OUTBOX_WAITING;
    if (lane->outbox->stopping) {
        return; /* it was cut off */
    }
    lane->why = entry->err;
    if (lane->refusals > 0 && now_ns < lane->blocked_until_ns) {
        return; /* begun before the lane was blocked */
    }
    lane->refusals++;
    lane->blocked_until_ns = now_ns + pause_of(entry, &blocked_backoff, lane->refusals) * ms_ns;
    if (lane->refusals == 1) {
        weir_outbox_log(lane, NULL, WEIR_OUTBOX_BLOCKED, entry->err.msg);
    }
}

static void unblock(struct weir_outbox_lane *lane)
{
    if (lane->refusals > 0) {
        lane->refusals = 0;
        weir_outbox_log(lane, NULL, WEIR_OUTBOX_UNBLOCKED, "");
    }
}

static void settle_as(struct weir_outbox_entry *entry, enum weir_outbox_settle settle)
{
    entry->state = WEIR_OUTBOX_SETTLING;
    entry->settle = settle;
    entry->settle_ns = 0;
}

static void try_again(struct weir_outbox_entry *entry, uint64_t now_ns)
{
    struct weir_intent_head *head = &entry->head;
    if (head->attempts > head->retry.retries) {
        weir_outbox_entry_give_up(entry, false);
        return;
    }
    head->pause_ms = pause_of(entry, &head->retry.backoff, head->attempts);
    head->due.ms = weir_clock_wall(entry->lane->outbox->clock).ms + (int64_t)head->pause_ms;
    entry->due_ns = now_ns + head->pause_ms * ms_ns;
    settle_as(entry, WEIR_SETTLE_RETRY);
    weir_outbox_count_retry(entry->lane->series);
    weir_outbox_log(entry->lane, entry, WEIR_OUTBOX_RETRY, entry->err.msg);
}

void weir_outbox_entry_ended(struct weir_outbox_entry *entry, uint64_t now_ns)
{
    weir_arena_reset(&entry->running);
    entry->delivery.payload = weir_str(NULL, 0);
    switch (entry->failure) {
    case WEIR_FAILURE_NONE:
        unblock(entry->lane);
        settle_as(entry, WEIR_SETTLE_REMOVE);
        break;
    case WEIR_FAILURE_BLOCKED:
        block(entry, now_ns);
        break;
    case WEIR_FAILURE_RETRYABLE:
        unblock(entry->lane);
        entry->head.attempts++;
        try_again(entry, now_ns);
        break;
    case WEIR_FAILURE_FINAL:
        unblock(entry->lane);
        entry->head.attempts++;
        weir_outbox_entry_give_up(entry, false);
        break;
    }
}

void weir_outbox_entry_give_up(struct weir_outbox_entry *entry, bool too_old)
{
    entry->too_old = too_old;
    settle_as(entry, WEIR_SETTLE_GIVE_UP);
}

/* --- storing ------------------------------------------------------------------------------- */

/* The commit thread. */
static void committed(struct weir_txn *txn)
{
    struct weir_outbox_entry *entry = txn->arg;
    struct weir_outbox *outbox = entry->lane->outbox;
    struct weir_outbox_entry *newest = atomic_load(&outbox->settled);
    do {
        entry->settled_next = newest;
    } while (!atomic_compare_exchange_weak(&outbox->settled, &newest, entry));
    outbox->options.host.changed(outbox->options.host.arg);
}

/* Add what becomes of an intent that is given up. */
static enum weir_rc add_dead_letter(
        struct weir_outbox_entry *entry, struct weir_txn *txn, struct weir_err *err)
{
    const struct weir_outbox_lane *lane = entry->lane;
    const struct weir_outbox_host *host = &lane->outbox->options.host;
    struct weir_entry stored;
    struct weir_delivery delivery = entry->delivery;
    enum weir_rc rc = weir_store_get(lane->outbox->options.store, WEIR_SPACE_INTENT,
            weir_intent_key(&txn->arena, WEIR_INTENT_PAYLOAD, lane->name, &entry->sequence),
            &txn->arena, &stored, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    delivery.payload = stored.value;
    delivery.attempt = entry->head.attempts;
    if (entry->err.code == WEIR_OK && entry->head.error.n > 0) {
        /* From before the start. */
        weir_fail(&entry->err, WEIR_E_IO, "%.*s", WEIR_STR_ARG(entry->head.error));
    }
    struct weir_give_up why = {
        .too_old = entry->too_old,
        .attempts = entry->head.attempts,
        .time = weir_clock_wall(lane->outbox->clock),
        .err = &entry->err,
    };
    return host->give_up(host->arg, txn, &delivery, &why, &entry->held, err);
}

static void release(struct weir_outbox_entry *entry)
{
    const struct weir_outbox_host *host = &entry->lane->outbox->options.host;
    weir_txn_destroy(WEIR_TAKE(entry->txn));
    if (entry->held != NULL) {
        host->release(host->arg, WEIR_TAKE(entry->held));
    }
}

/* The intent is no more. */
static void finish(struct weir_outbox_entry *entry)
{
    struct weir_outbox_lane *lane = entry->lane;
    if (entry->settle == WEIR_SETTLE_GIVE_UP) {
        lane->stuck = false;
        weir_outbox_count_failed(lane->series);
        weir_outbox_log(lane, entry, WEIR_OUTBOX_GIVEN_UP,
                entry->err.code != WEIR_OK ? entry->err.msg : "it is too old");
    } else {
        weir_outbox_count_delivered(lane->series);
    }
    weir_outbox_lane_drop(lane, entry);
}

/* Fill the entry's transaction. *ret_gone: the intent is not there any more. */
static enum weir_rc fill_txn(struct weir_outbox_entry *entry, bool *ret_gone, struct weir_err *err)
{
    struct weir_outbox_lane *lane = entry->lane;
    struct weir_txn *txn = entry->txn;
    struct weir_entry stored;
    struct weir_str key =
            weir_intent_key(&txn->arena, WEIR_INTENT_HEAD, lane->name, &entry->sequence);
    enum weir_rc rc =
            weir_txn_get(txn, lane->outbox->options.store, WEIR_SPACE_INTENT, key, &stored, err);
    *ret_gone = rc == WEIR_OK && stored.pos.seq == 0;
    if (rc != WEIR_OK || *ret_gone) {
        return rc;
    }
    if (entry->settle == WEIR_SETTLE_RETRY) {
        weir_txn_put(
                txn, WEIR_SPACE_INTENT, key, weir_intent_head_write(&txn->arena, &entry->head));
        return WEIR_OK;
    }
    if (entry->settle == WEIR_SETTLE_GIVE_UP && entry->head.dead_letter.n > 0) {
        rc = add_dead_letter(entry, txn, err);
        lane->stuck = rc != WEIR_OK;
        if (rc != WEIR_OK) {
            lane->why = *err;
            return rc;
        }
    }
    weir_intent_remove(txn, lane->name, entry->sequence, weir_outbox_lane_lowest(lane, entry));
    return WEIR_OK;
}

enum weir_rc weir_outbox_entry_settle(
        struct weir_outbox_entry *entry, uint64_t now_ns, struct weir_err *err)
{
    struct weir_outbox *outbox = entry->lane->outbox;
    bool gone = false;
    entry->txn = weir_txn_create();
    entry->txn->done = committed;
    entry->txn->arg = entry;
    entry->txn->lane = true;
    entry->txn->urgent = true; /* an intent that is removed makes room */
    enum weir_rc rc = fill_txn(entry, &gone, err);
    if (rc != WEIR_OK || gone) {
        release(entry);
        entry->settle_ns = now_ns + AGAIN_MS * ms_ns;
        if (gone) {
            finish(entry); /* a commit of unknown outcome was one after all */
        }
        return rc;
    }
    outbox->under_way++;
    weir_store_submit(outbox->options.store, entry->txn);
    return WEIR_OK;
}

void weir_outbox_entry_settled(struct weir_outbox_entry *entry, uint64_t now_ns)
{
    enum weir_rc rc = entry->txn->rc;
    release(entry);
    entry->lane->outbox->under_way--;
    if (rc == WEIR_OK && entry->settle == WEIR_SETTLE_RETRY) {
        entry->state = WEIR_OUTBOX_WAITING;
    } else if (rc == WEIR_OK) {
        finish(entry);
    } else {
        /* A conflict: look at once; it is gone, for nobody else changes it. */
        entry->settle_ns = rc == WEIR_E_CONFLICT ? 0 : now_ns + AGAIN_MS * ms_ns;
    }
}
