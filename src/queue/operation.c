/*
 * What happens to messages, evaluated on the commit thread. Everything reads the keyspace as
 * it is at that moment; what is kept in memory about it learns of it afterwards, through
 * notes and the keyspace's watch.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "queue/queue_int.h"

enum { ID_MAX = 128 }; /* of groups and de-duplication */

void weir_queue_note(struct weir_queues *queues, uint32_t space, uint64_t sequence)
{
    struct weir_queue_notes *fresh = &queues->fresh;
    if (fresh->count == fresh->capacity) {
        fresh->capacity = fresh->capacity > 0 ? 2 * fresh->capacity : 64;
        fresh->all = weir_realloc(fresh->all, fresh->capacity, sizeof(*fresh->all));
    }
    fresh->all[fresh->count++] = (struct weir_queue_note){ space, sequence };
}

/* --- the keyspace ------------------------------------------------------------------------ */

/* A key in the transaction's memory. */
static struct weir_str key_of(struct weir_view *view, char letter, uint64_t number)
{
    return weir_queue_number_key(
            letter, number, weir_arena_alloc(weir_view_arena(view), WEIR_QUEUE_KEY));
}

static enum weir_rc read_state(struct weir_view *view, uint32_t space,
        struct weir_queue_state *ret_state, struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, space, WEIR_QUEUE_STATE_KEY, &entry, err);
    return rc == WEIR_OK ? weir_queue_read_state(entry.value, ret_state, err) : rc;
}

static void write_state(
        struct weir_view *view, uint32_t space, const struct weir_queue_state *state)
{
    weir_view_put(view, space, WEIR_QUEUE_STATE_KEY,
            weir_queue_write_state(weir_view_arena(view), state));
}

/* Read a message's meta, its group borrowed until the operation returns; false: it is gone. */
static enum weir_rc read_meta(struct weir_view *view, uint32_t space, uint64_t sequence,
        struct weir_queue_meta *ret_meta, bool *ret_there, struct weir_err *err)
{
    struct weir_entry entry;
    char text[WEIR_QUEUE_KEY];
    struct weir_str key = weir_queue_number_key('m', sequence, text);
    enum weir_rc rc = weir_view_get(view, space, key, &entry, err);
    *ret_there = rc == WEIR_OK && entry.pos.seq != 0;
    return *ret_there ? weir_queue_read_meta(entry.value, ret_meta, err) : rc;
}

static void write_meta(struct weir_view *view, uint32_t space, uint64_t sequence,
        const struct weir_queue_meta *meta)
{
    weir_view_put(view, space, key_of(view, 'm', sequence),
            weir_queue_write_meta(weir_view_arena(view), meta));
}

/* Put a message at the end of a queue. */
static enum weir_rc append(struct weir_view *view, uint32_t space,
        const struct weir_queue_meta *meta, struct weir_str stored, uint64_t *ret_sequence,
        struct weir_err *err)
{
    struct weir_queue_state state;
    enum weir_rc rc = read_state(view, space, &state, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_sequence = state.next++;
    state.count++;
    write_meta(view, space, *ret_sequence, meta);
    weir_view_put(view, space, key_of(view, 'b', *ret_sequence), stored);
    write_state(view, space, &state);
    return WEIR_OK;
}

enum weir_rc weir_queue_remove(
        struct weir_view *view, uint32_t space, uint64_t sequence, struct weir_err *err)
{
    struct weir_queue_state state;
    enum weir_rc rc = read_state(view, space, &state, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    state.count -= state.count > 0 ? 1 : 0;
    weir_view_delete(view, space, key_of(view, 'm', sequence));
    weir_view_delete(view, space, key_of(view, 'b', sequence));
    write_state(view, space, &state);
    return WEIR_OK;
}

/*
 * An operation's own outcome: what is the request's fault stays with it unless strict; what
 * is ours, or the disk's, refuses the transaction.
 */
static enum weir_rc conclude(enum weir_rc rc, bool strict, enum weir_rc *ret_rc,
        const struct weir_err *own, struct weir_err *err)
{
    *ret_rc = rc;
    bool refusal = rc == WEIR_E_NOT_FOUND || rc == WEIR_E_INVALID || rc == WEIR_E_CONDITION;
    if (rc == WEIR_OK || (refusal && !strict)) {
        return WEIR_OK;
    }
    if (err != NULL) {
        *err = *own;
    }
    return rc;
}

static enum weir_rc fail_deleted(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_NOT_FOUND, "The specified queue does not exist.");
}

/* --- sending -------------------------------------------------------------------------------- */

static struct weir_str dedup_key(struct weir_view *view, const struct weir_queue_send *send)
{
    struct weir_arena *arena = weir_view_arena(view);
    const struct weir_message *message = &send->message;
    return send->queue->dedup_by_group
                   ? weir_arena_printf(arena, "d%.*s\n%.*s", WEIR_STR_ARG(message->group),
                             WEIR_STR_ARG(message->dedup))
                   : weir_arena_printf(arena, "d%.*s", WEIR_STR_ARG(message->dedup));
}

/* The key under which a de-duplication entry is found when it expires. */
static struct weir_str expiry_key(
        struct weir_view *view, struct weir_time expires, struct weir_str dedup)
{
    char *p = weir_arena_alloc(weir_view_arena(view), WEIR_QUEUE_KEY + dedup.n);
    weir_queue_number_key('e', (uint64_t)expires.ms, p);
    if (dedup.n > 0) {
        memcpy(p + WEIR_QUEUE_KEY, dedup.p, dedup.n);
    }
    return weir_str(p, WEIR_QUEUE_KEY + dedup.n);
}

/* Whether the message was sent before; then the outcome is the earlier one's. */
static enum weir_rc find_duplicate(struct weir_queue_send *send, struct weir_view *view,
        uint32_t space, struct weir_str key, bool *ret_duplicate, struct weir_err *err)
{
    struct weir_entry entry;
    struct weir_queue_dedup dedup;
    enum weir_rc rc = weir_view_get(view, space, key, &entry, err);
    *ret_duplicate = false;
    if (rc != WEIR_OK || entry.pos.seq == 0) {
        return rc;
    }
    if (entry.value.n != sizeof(dedup)) {
        return weir_fail(
                err, WEIR_E_DAMAGED, "a de-duplication entry has %zu bytes", entry.value.n);
    }
    memcpy(&dedup, entry.value.p, sizeof(dedup));
    if (dedup.expires.ms > weir_view_time(view).ms) {
        *ret_duplicate = true;
        send->sequence = dedup.sequence;
        send->id = weir_arena_str(weir_view_arena(view), weir_str(dedup.id, sizeof(dedup.id)));
    } else {
        weir_view_delete(view, space, expiry_key(view, dedup.expires, key));
    }
    return WEIR_OK;
}

static void remember(
        struct weir_queue_send *send, struct weir_view *view, uint32_t space, struct weir_str key)
{
    struct weir_queue_dedup dedup = { 0 };
    dedup.expires.ms = weir_view_time(view).ms + WEIR_QUEUE_DEDUP_MS;
    dedup.sequence = send->sequence;
    memcpy(dedup.id, send->id.p, sizeof(dedup.id));
    struct weir_str value =
            weir_arena_str(weir_view_arena(view), weir_str((const char *)&dedup, sizeof(dedup)));
    weir_view_put(view, space, key, value);
    weir_view_put(view, space, expiry_key(view, dedup.expires, key), WEIR_STR(""));
}

static enum weir_rc send_now(
        struct weir_queue_send *send, struct weir_view *view, struct weir_err *err)
{
    uint32_t space = weir_queue_space(send->queue);
    if (space == 0) {
        return fail_deleted(err);
    }
    struct weir_str key = { 0 };
    bool duplicate = false;
    if (send->queue->fifo) {
        key = dedup_key(view, send);
        enum weir_rc rc = find_duplicate(send, view, space, key, &duplicate, err);
        if (rc != WEIR_OK || duplicate) {
            return rc;
        }
    }
    uint64_t delay_ms = send->has_delay ? send->delay_ms : send->queue->delay_ms;
    struct weir_queue_meta meta = {
        .sent = weir_view_time(view),
        .visible = { weir_view_time(view).ms + (int64_t)delay_ms },
        .nonce = weir_hash64(0, send->message.id.p, send->message.id.n),
        .group = send->message.group,
    };
    send->id = send->message.id;
    struct weir_str stored = weir_queue_write_message(weir_view_arena(view), &send->message);
    enum weir_rc rc = append(view, space, &meta, stored, &send->sequence, err);
    if (rc == WEIR_OK && send->queue->fifo) {
        remember(send, view, space, key);
    }
    return rc;
}

static enum weir_rc run_send(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_queue_send *send = WEIR_CONTAINER(op, struct weir_queue_send, op);
    enum weir_rc rc = send_now(send, view, &send->err);
    return conclude(rc, send->strict, &send->rc, &send->err, err);
}

/* Bytes that XML can carry: SQS takes no others. */
static bool is_text(struct weir_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\r';
        if (control || weir_message_noncharacter(weir_str(s.p + i, s.n - i))) {
            return false;
        }
    }
    return weir_str_is_utf8(s);
}

static bool is_id(struct weir_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] <= 0x20 || id.p[i] >= 0x7f) {
            return false;
        }
    }
    return id.n <= ID_MAX;
}

static enum weir_rc check_ids(struct weir_queue_send *send, struct weir_err *err)
{
    struct weir_message *message = &send->message;
    static const char form[] = "can only include alphanumeric and punctuation characters. 1 to 128 "
                               "in length";
    if (!is_id(message->group)) {
        return weir_fail(err, WEIR_E_INVALID, "MessageGroupId %s", form);
    }
    if (!is_id(message->dedup)) {
        return weir_fail(err, WEIR_E_INVALID, "MessageDeduplicationId %s", form);
    }
    if (!send->queue->fifo) {
        return message->dedup.n == 0 ? WEIR_OK
                                     : weir_fail(err, WEIR_E_INVALID,
                                               "Value %.*s for parameter MessageDeduplicationId is "
                                               "invalid. Reason: The request includes a parameter "
                                               "that is not valid for this queue type.",
                                               WEIR_STR_ARG(message->dedup));
    }
    if (message->group.n == 0) {
        return weir_fail(
                err, WEIR_E_INVALID, "The request must contain the parameter MessageGroupId.");
    }
    if (message->dedup.n == 0 && !send->queue->dedup_by_content) {
        return weir_fail(err, WEIR_E_INVALID,
                "The queue should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly");
    }
    if (send->has_delay && send->delay_ms > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "Value %llu for parameter DelaySeconds is invalid. Reason: The request include "
                "parameter that is not valid for this queue type.",
                (unsigned long long)(send->delay_ms / WEIR_QUEUE_SECOND_MS));
    }
    return WEIR_OK;
}

static enum weir_rc check_message(struct weir_queue_send *send, struct weir_err *err)
{
    const struct weir_message *message = &send->message;
    if (weir_message_bytes(message) > send->queue->max_bytes) {
        return weir_fail(err, WEIR_E_TOO_LARGE,
                "One or more parameters are invalid. Reason: Message must be shorter than %llu "
                "bytes.",
                (unsigned long long)send->queue->max_bytes);
    }
    if (!is_text(message->body)) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "Invalid characters found.");
    }
    if (send->has_delay && send->delay_ms > WEIR_QUEUE_DELAY_MAX_MS) {
        return weir_fail(err, WEIR_E_INVALID,
                "Value %llu for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= "
                "0 and <= 900.",
                (unsigned long long)(send->delay_ms / WEIR_QUEUE_SECOND_MS));
    }
    return check_ids(send, err);
}

enum weir_rc weir_queue_send(struct weir_queues *queues, struct weir_queue_send *send,
        struct weir_txn *txn, struct weir_err *err)
{
    struct weir_message *message = &send->message;
    enum weir_rc rc = check_message(send, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (message->id.n != WEIR_QUEUE_MESSAGE_ID) {
        weir_random_uuid(&queues->random, send->id_text);
        message->id = weir_str(send->id_text, WEIR_QUEUE_MESSAGE_ID);
    }
    if (send->queue->fifo && message->dedup.n == 0) {
        unsigned char digest[WEIR_SHA256_BYTES];
        char *text = weir_arena_alloc(&txn->arena, 2 * WEIR_SHA256_BYTES + 1);
        weir_sha256(message->body.p, message->body.n, digest);
        weir_hex(digest, sizeof(digest), text);
        message->dedup = weir_str(text, 2 * WEIR_SHA256_BYTES);
    }
    send->op.run = run_send;
    txn->bytes += weir_message_bytes(message);
    weir_txn_op(txn, &send->op);
    return WEIR_OK;
}

/* --- deleting and hiding -------------------------------------------------------------------------
 */

static enum weir_rc fail_receipt(
        const struct weir_queue_settle *settle, const char *why, struct weir_err *err)
{
    return weir_fail(err, WEIR_E_INVALID,
            "Value %.*s for parameter ReceiptHandle is invalid. Reason: %s",
            WEIR_STR_ARG(settle->receipt), why);
}

static enum weir_rc hide_again(struct weir_queue_settle *settle, struct weir_view *view,
        struct weir_queue_meta *meta, struct weir_err *err)
{
    int64_t now = weir_view_time(view).ms;
    if (meta->receives != settle->receives || meta->visible.ms <= now) {
        return weir_fail(err, WEIR_E_CONDITION, "The message is not in flight.");
    }
    int64_t visible = now + (int64_t)settle->hide_ms;
    if (visible - meta->last_received.ms > WEIR_QUEUE_VISIBILITY_MAX_MS) {
        return weir_fail(err, WEIR_E_INVALID,
                "Value %llu for parameter VisibilityTimeout is invalid. Reason: Total "
                "VisibilityTimeout for the message is beyond the limit [43200 seconds].",
                (unsigned long long)(settle->hide_ms / WEIR_QUEUE_SECOND_MS));
    }
    meta->visible.ms = visible;
    write_meta(view, settle->space, settle->sequence, meta);
    return WEIR_OK;
}

static enum weir_rc settle_now(
        struct weir_queue_settle *settle, struct weir_view *view, struct weir_err *err)
{
    settle->space = weir_queue_space(settle->queue);
    if (settle->space == 0) {
        return fail_deleted(err);
    }
    struct weir_queue_meta meta;
    bool there = false;
    enum weir_rc rc = read_meta(view, settle->space, settle->sequence, &meta, &there, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool same = there && meta.nonce == settle->nonce;
    if (settle->exact && (!same || meta.receives != settle->receives)) {
        return weir_fail(err, WEIR_E_CONDITION, "The message is gone, or was received again.");
    }
    if (!same) {
        return !settle->keep ? WEIR_OK
                             : fail_receipt(settle,
                                       "Message does not exist or is not available for visibility "
                                       "timeout change.",
                                       err);
    }
    weir_queue_note(settle->queues, settle->space, settle->sequence);
    if (settle->keep) {
        return hide_again(settle, view, &meta, err);
    }
    bool old = meta.receives > settle->receives; /* fewer: a kill has undone the receive */
    if (settle->queue->fifo && !settle->exact &&
            (old || meta.visible.ms <= weir_view_time(view).ms)) {
        return fail_receipt(settle, "The receipt handle has expired.", err);
    }
    return old ? WEIR_OK : weir_queue_remove(view, settle->space, settle->sequence, err);
}

static enum weir_rc run_settle(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_queue_settle *settle = WEIR_CONTAINER(op, struct weir_queue_settle, op);
    enum weir_rc rc = settle_now(settle, view, &settle->err);
    return conclude(rc, settle->strict, &settle->rc, &settle->err, err);
}

enum weir_rc weir_queue_settle(struct weir_queues *queues, struct weir_queue_settle *settle,
        struct weir_txn *txn, struct weir_err *err)
{
    struct weir_queue_receipt receipt;
    enum weir_rc rc = weir_queue_read_receipt(&txn->arena, settle->receipt, &receipt, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    settle->queues = queues;
    settle->sequence = receipt.sequence;
    settle->nonce = receipt.nonce;
    settle->receives = receipt.receives;
    settle->op.run = run_settle;
    txn->urgent = txn->urgent || !settle->keep;
    weir_txn_op(txn, &settle->op);
    return WEIR_OK;
}

/* --- receiving
 * ------------------------------------------------------------------------------------- */

/* Move a message that was received too often; false: its dead-letter queue is not there. */
static enum weir_rc move_dead(struct weir_claims *claims, struct weir_claim *claim,
        const struct weir_queue_meta *meta, struct weir_view *view, bool *ret_moved,
        struct weir_err *err)
{
    const struct weir_queue *target = NULL;
    *ret_moved = false;
    if (weir_queues_get(claims->queues, claims->queue->dead_letters, &target, NULL) != WEIR_OK) {
        return WEIR_OK;
    }
    uint32_t space = weir_queue_space(target);
    bool fits = space != 0 && space != claims->space && target->fifo == claims->queue->fifo;
    weir_queue_unref(target);
    if (!fits) {
        return WEIR_OK;
    }
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_message message;
    enum weir_rc rc = weir_queue_read_message(claim->stored, arena, &message, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    message.source = claims->queue->arn;
    struct weir_queue_meta moved = *meta;
    moved.group = weir_arena_str(arena, meta->group);
    moved.visible = weir_view_time(view);
    if (claims->queue->fifo) {
        moved.sent = moved.visible; /* as on AWS: its age begins anew */
    }
    uint64_t sequence = 0;
    rc = append(view, space, &moved, weir_queue_write_message(arena, &message), &sequence, err);
    if (rc == WEIR_OK) {
        *ret_moved = true;
        rc = weir_queue_remove(view, claims->space, claim->sequence, err);
    }
    return rc;
}

bool weir_queue_is_deliverable(
        const struct weir_queue *queue, const struct weir_queue_meta *meta, struct weir_time now)
{
    bool dead = queue->dead_letters.n > 0 && meta->receives >= queue->max_receives;
    bool old = meta->sent.ms + (int64_t)queue->retention_ms <= now.ms;
    return meta->visible.ms <= now.ms && !dead && !old;
}

void weir_queue_mark_received(struct weir_queue_meta *meta, struct weir_time now, uint64_t hide_ms)
{
    meta->receives++;
    meta->visible.ms = now.ms + (int64_t)hide_ms;
    meta->last_received = now;
    if (meta->first_received.ms == 0) {
        meta->first_received = now;
    }
}

static enum weir_rc claim_one(struct weir_claims *claims, struct weir_claim *claim,
        struct weir_view *view, struct weir_err *err)
{
    struct weir_queue_meta *meta = &claim->meta;
    int64_t now = weir_view_time(view).ms;
    bool there = false;
    enum weir_rc rc = read_meta(view, claims->space, claim->sequence, meta, &there, err);
    claim->outcome = WEIR_CLAIM_GONE;
    if (rc != WEIR_OK || !there) {
        return rc;
    }
    meta->group = weir_arena_str(weir_view_arena(view), meta->group);
    if (meta->visible.ms > now) {
        claim->outcome = WEIR_CLAIM_LATER;
        return WEIR_OK;
    }
    if (meta->sent.ms + (int64_t)claims->queue->retention_ms <= now) {
        return weir_queue_remove(view, claims->space, claim->sequence, err);
    }
    if (claims->queue->dead_letters.n > 0 && meta->receives >= claims->queue->max_receives) {
        bool moved = false;
        rc = move_dead(claims, claim, meta, view, &moved, err);
        if (rc != WEIR_OK || moved) {
            return rc;
        }
    }
    claim->outcome = WEIR_CLAIM_TAKEN;
    weir_queue_mark_received(meta, weir_view_time(view), claims->hide_ms);
    write_meta(view, claims->space, claim->sequence, meta);
    return WEIR_OK;
}

/* Settle each claim by `one`, unless the queue was purged since. */
static enum weir_rc each_claim(struct weir_op *op, struct weir_view *view,
        enum weir_rc (*one)(struct weir_claims *claims, struct weir_claim *claim,
                struct weir_view *view, struct weir_err *err),
        struct weir_err *err)
{
    struct weir_claims *claims = WEIR_CONTAINER(op, struct weir_claims, op);
    enum weir_rc rc = WEIR_OK;
    bool purged = weir_queue_space(claims->queue) != claims->space;
    for (size_t i = 0; rc == WEIR_OK && i < claims->count; i++) {
        claims->all[i].outcome = WEIR_CLAIM_GONE;
        if (!purged) {
            rc = one(claims, &claims->all[i], view, err);
        }
    }
    return rc;
}

static enum weir_rc run_claim(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    return each_claim(op, view, claim_one, err);
}

void weir_queue_claim(struct weir_claims *claims, struct weir_txn *txn)
{
    claims->op.run = run_claim;
    weir_txn_op(txn, &claims->op);
}

/* Hide a message as it was delivered, unless it is not any more what it was then. */
static enum weir_rc hide_delivered(struct weir_claims *claims, struct weir_claim *claim,
        struct weir_view *view, struct weir_err *err)
{
    struct weir_queue_meta now;
    bool there = false;
    enum weir_rc rc = read_meta(view, claims->space, claim->sequence, &now, &there, err);
    if (rc != WEIR_OK || !there) {
        return rc;
    }
    bool same = now.nonce == claim->meta.nonce && now.receives + 1 == claim->meta.receives;
    claim->outcome = same ? WEIR_CLAIM_TAKEN : WEIR_CLAIM_LATER;
    if (same) {
        write_meta(view, claims->space, claim->sequence, &claim->meta);
    } else {
        claim->meta.visible = now.visible;
    }
    return WEIR_OK;
}

static enum weir_rc run_claim_delivered(
        struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    return each_claim(op, view, hide_delivered, err);
}

void weir_queue_claim_delivered(struct weir_claims *claims, struct weir_txn *txn)
{
    claims->op.run = run_claim_delivered;
    txn->patient = true;
    weir_txn_op(txn, &claims->op);
}

/* --- what is too old
 * --------------------------------------------------------------------------------- */

static enum weir_rc sweep_dedup(
        struct weir_sweep *sweep, struct weir_str key, struct weir_view *view, struct weir_err *err)
{
    struct weir_str dedup = weir_str(key.p + WEIR_QUEUE_KEY, key.n - WEIR_QUEUE_KEY);
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, sweep->space, key, &entry, err);
    if (rc != WEIR_OK || entry.pos.seq == 0) {
        return rc; /* sent again meanwhile: there is a later one */
    }
    weir_view_delete(view, sweep->space, key);
    weir_view_delete(view, sweep->space, dedup);
    return WEIR_OK;
}

static enum weir_rc run_sweep(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_sweep *sweep = WEIR_CONTAINER(op, struct weir_sweep, op);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < sweep->count; i++) {
        struct weir_queue_meta meta;
        bool there = false;
        rc = read_meta(view, sweep->space, sweep->sequences[i], &meta, &there, err);
        int64_t end = there ? meta.sent.ms + (int64_t)sweep->retention_ms : INT64_MAX;
        if (rc == WEIR_OK && end <= weir_view_time(view).ms) {
            rc = weir_queue_remove(view, sweep->space, sweep->sequences[i], err);
        }
    }
    for (size_t i = 0; rc == WEIR_OK && i < sweep->dedup_count; i++) {
        rc = sweep_dedup(sweep, sweep->dedups[i], view, err);
    }
    return rc;
}

void weir_queue_sweep(struct weir_sweep *sweep, struct weir_txn *txn)
{
    sweep->op.run = run_sweep;
    txn->lane = true;
    txn->urgent = true;
    weir_txn_op(txn, &sweep->op);
}
