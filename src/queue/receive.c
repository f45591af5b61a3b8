/*
 * The module's thread: lines follow the catalogue and their keyspaces, receives are answered,
 * and whatever comes next is asked to be woken for.
 */
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/mem.h"
#include "queue/line_int.h"

enum {
    HIDDEN_MAX = 120 * 1000, /* messages that may be hidden at once, as on AWS */
    HURRY_MS = 10,           /* what was delivered is durably hidden after so long */
};

static const uint64_t ns_per_ms = 1000 * 1000;

static uint64_t now_ns(const struct weir_queues *queues)
{
    return weir_clock_monotonic_ns(weir_store_clock(queues->store));
}

static struct weir_time now_wall(const struct weir_queues *queues)
{
    return weir_clock_wall(weir_store_clock(queues->store));
}

/* --- transactions of the module's own ---------------------------------------------------- */

/* The commit thread's end. */
static void work_done(struct weir_txn *txn)
{
    struct weir_queue_work *work = txn->arg;
    struct weir_queues *queues = work->queues;
    weir_mutex_lock(&queues->mutex);
    work->next = queues->finished;
    queues->finished = work;
    weir_mutex_unlock(&queues->mutex);
    queues->host.changed(queues->host.arg);
}

void weir_queues_submit(struct weir_queues *queues, struct weir_queue_work *work)
{
    work->queues = queues;
    work->txn->done = work_done;
    work->txn->arg = work;
    queues->works++;
    weir_store_submit(queues->store, work->txn);
}

/* Call what has finished, in order. */
static void run_finished(struct weir_queues *queues)
{
    weir_mutex_lock(&queues->mutex);
    struct weir_queue_work *last = queues->finished;
    queues->finished = NULL;
    weir_mutex_unlock(&queues->mutex);
    struct weir_queue_work *first = NULL;
    while (last != NULL) {
        struct weir_queue_work *next = last->next;
        last->next = first;
        first = last;
        last = next;
    }
    while (first != NULL) {
        struct weir_queue_work *next = first->next;
        queues->works--;
        first->finished(first);
        first = next;
    }
}

/* --- when to do something ------------------------------------------------------------------- */

/* Ask for the line to be looked at in so many milliseconds. */
static void line_after(struct weir_queue_line *line, uint64_t after_ms)
{
    uint64_t at_ms = now_ns(line->queues) / ns_per_ms + after_ms;
    weir_heap_set(&line->queues->due, &line->due, (int64_t)at_ms);
}

void weir_line_soon(struct weir_queue_line *line)
{
    line_after(line, 0);
}

static void ask_to_be_woken(struct weir_queues *queues)
{
    const struct weir_heap_node *node = weir_heap_first(&queues->due);
    uint64_t now_ms = now_ns(queues) / ns_per_ms;
    uint64_t at_ms = node != NULL ? (uint64_t)node->key : UINT64_MAX;
    at_ms = queues->hurry_at_ms != 0 && queues->hurry_at_ms < at_ms ? queues->hurry_at_ms : at_ms;
    queues->host.wake_at(
            queues->host.arg, at_ms > now_ms ? at_ms - now_ms : 0, at_ms == UINT64_MAX);
}

/* --- who waits ----------------------------------------------------------------------------------
 */

static void unlink_receive(struct weir_queue_line *line, struct weir_receive *receive)
{
    *receive->at = receive->next;
    if (receive->next != NULL) {
        receive->next->at = receive->at;
    } else {
        line->receives_end = receive->at;
    }
    receive->at = NULL;
}

static void link_last(struct weir_queue_line *line, struct weir_receive *receive)
{
    receive->next = NULL;
    receive->at = line->receives_end;
    *line->receives_end = receive;
    line->receives_end = &receive->next;
}

static void link_first(struct weir_queue_line *line, struct weir_receive *receive)
{
    receive->next = line->receives;
    receive->at = &line->receives;
    *(receive->next != NULL ? &receive->next->at : &line->receives_end) = &receive->next;
    line->receives = receive;
}

static void note_until(struct weir_queue_line *line, const struct weir_receive *receive)
{
    if (receive->until_ns < line->first_until_ns) {
        line->first_until_ns = receive->until_ns;
    }
}

static void answer(struct weir_receive *receive, enum weir_rc rc)
{
    receive->rc = rc;
    receive->line = NULL;
    receive->done(receive);
}

/* Answer those that have waited long enough. */
static void end_waits(struct weir_queue_line *line)
{
    uint64_t now = now_ns(line->queues);
    if (line->first_until_ns > now) {
        return;
    }
    struct weir_receive *over = NULL;
    struct weir_receive **last = &over;
    struct weir_receive *next = NULL;
    line->first_until_ns = UINT64_MAX;
    for (struct weir_receive *receive = line->receives; receive != NULL; receive = next) {
        next = receive->next;
        if (receive->until_ns > now) {
            note_until(line, receive);
            continue;
        }
        unlink_receive(line, receive);
        receive->next = NULL;
        *last = receive;
        last = &receive->next;
    }
    while (over != NULL) {
        next = over->next;
        answer(over, WEIR_OK);
        over = next;
    }
}

/* --- receiving
 * -------------------------------------------------------------------------------------- */

/*
 * A transaction that hides messages, in its own arena. Those of a FIFO queue are delivered when it
 * is committed: while one is away no other of its group may be. Others are delivered at once: a
 * kill before the commit shows them again, which is no more than at least once.
 */
struct receiving {
    struct weir_queue_work work;
    struct weir_claims claims;
    struct weir_receive *receive; /* NULL: it was delivered */
    struct weir_queue_line *line;
};

static enum weir_rc add_message(
        struct weir_receive *receive, const struct weir_claim *claim, struct weir_err *err)
{
    struct weir_message message;
    struct weir_arena *arena = &receive->arena;
    const struct weir_queue_meta *meta = &claim->meta;
    enum weir_rc rc = weir_queue_read_message(claim->stored, arena, &message, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_queue_receipt receipt = {
        .sequence = claim->sequence,
        .nonce = meta->nonce,
        .receives = meta->receives,
    };
    message.sequence = claim->sequence;
    message.group = weir_arena_str(arena, meta->group);
    message.sent = meta->sent;
    message.first_received = meta->first_received;
    message.receives = meta->receives;
    message.receipt = weir_queue_write_receipt(arena, &receipt);
    receive->messages[receive->count++] = message;
    return WEIR_OK;
}

/* Give back what was claimed. What cannot be read now is read again by a later run. */
static void release_claims(struct weir_queue_line *line, const struct weir_claims *claims)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (weir_line_release(line, claims->all[i].sequence, NULL) != WEIR_OK) {
            weir_line_soon(line);
        }
    }
}

/* Bring the line in step with what came of the claims, and collect the messages. */
static enum weir_rc settle_claims(struct receiving *receiving, struct weir_err *err)
{
    struct weir_queue_line *line = receiving->line;
    struct weir_txn *txn = receiving->work.txn;
    bool same = line->space == receiving->claims.space;
    enum weir_rc rc = txn->rc;
    if (rc != WEIR_OK) {
        *err = txn->err;
        if (same) {
            release_claims(line, &receiving->claims);
        }
        return rc;
    }
    for (size_t i = 0; i < receiving->claims.count; i++) {
        const struct weir_claim *claim = &receiving->claims.all[i];
        if (same && claim->outcome == WEIR_CLAIM_GONE) {
            weir_line_gone(line, claim->sequence);
        } else if (same) {
            weir_line_hide(line, claim->sequence, claim->meta.visible);
        }
        if (rc == WEIR_OK && claim->outcome == WEIR_CLAIM_TAKEN && receiving->receive != NULL) {
            rc = add_message(receiving->receive, claim, err);
        }
    }
    return rc;
}

static void received(struct weir_queue_work *work)
{
    struct receiving *receiving = WEIR_CONTAINER(work, struct receiving, work);
    struct weir_queue_line *line = receiving->line;
    struct weir_receive *receive = receiving->receive;
    enum weir_rc rc = settle_claims(receiving, &receive->err);
    line->cautious = line->cautious && rc != WEIR_OK;
    weir_line_soon(line);
    weir_queue_unref(receiving->claims.queue);
    weir_txn_destroy(work->txn);
    if (rc == WEIR_OK && receive->count == 0 && line->space != 0 && !line->queues->stopped &&
            receive->until_ns > now_ns(line->queues)) {
        weir_arena_fini(&receive->arena);
        link_first(line, receive);
        note_until(line, receive);
        return;
    }
    weir_crash_point("queue.received");
    answer(receive, rc);
}

/* What was delivered is durably hidden, or could not be: then that comes first again. */
static void hidden(struct weir_queue_work *work)
{
    struct receiving *receiving = WEIR_CONTAINER(work, struct receiving, work);
    struct weir_queue_line *line = receiving->line;
    struct weir_err err;
    line->cautious = settle_claims(receiving, &err) != WEIR_OK;
    line->queues->unwritten--;
    line->queues->hurry_at_ms = line->queues->unwritten > 0 ? line->queues->hurry_at_ms : 0;
    weir_line_soon(line);
    weir_queue_unref(receiving->claims.queue);
    weir_txn_destroy(work->txn);
}

/* Call the receives that have messages. */
static void run_delivered(struct weir_queues *queues)
{
    struct weir_receive *first = queues->delivered;
    queues->delivered = NULL;
    queues->delivered_end = &queues->delivered;
    while (first != NULL) {
        struct weir_receive *next = first->next;
        weir_crash_point("queue.delivered");
        answer(first, first->rc);
        first = next;
    }
}

/* Deliver what was claimed, and hide it with the next commit. */
static void deliver(struct receiving *receiving, struct weir_time now)
{
    struct weir_receive *receive = WEIR_TAKE(receiving->receive);
    struct weir_queues *queues = receiving->line->queues;
    struct weir_claims *claims = &receiving->claims;
    struct weir_txn *txn = receiving->work.txn;
    receive->rc = WEIR_OK;
    for (size_t i = 0; i < claims->count; i++) {
        struct weir_claim *claim = &claims->all[i];
        weir_queue_mark_received(&claim->meta, now, claims->hide_ms);
        if (receive->rc == WEIR_OK) {
            receive->rc = add_message(receive, claim, &receive->err);
        }
        claim->meta.group = weir_arena_str(&txn->arena, claim->meta.group);
    }
    receive->next = NULL;
    *queues->delivered_end = receive;
    queues->delivered_end = &receive->next;
    receiving->work.finished = hidden;
    queues->unwritten++;
    if (queues->hurry_at_ms == 0) {
        queues->hurry_at_ms = now_ns(queues) / ns_per_ms + HURRY_MS;
    }
    weir_queue_claim_delivered(claims, txn);
    queues->host.changed(queues->host.arg);
}

/*
 * Read what was claimed; ret_plain: all of it can be delivered at once. Errors: WEIR_E_IO,
 * WEIR_E_DAMAGED.
 */
static enum weir_rc read_claims(const struct weir_queue_line *line, struct weir_claims *claims,
        struct weir_arena *arena, struct weir_time now, bool *ret_plain, struct weir_err *err)
{
    struct weir_store *store = line->queues->store;
    /* What is not to be hidden at all shows again with the commit. */
    bool plain = !line->queue->fifo && !line->cautious && claims->hide_ms > 0;
    for (size_t i = 0; i < claims->count; i++) {
        char text[WEIR_QUEUE_KEY];
        struct weir_entry entry;
        struct weir_claim *claim = &claims->all[i];
        struct weir_str key = weir_queue_number_key('b', claim->sequence, text);
        enum weir_rc rc = weir_store_get(store, line->space, key, arena, &entry, err);
        claim->stored = entry.value;
        if (rc == WEIR_OK && plain) {
            key = weir_queue_number_key('m', claim->sequence, text);
            rc = weir_store_get(store, line->space, key, arena, &entry, err);
            plain = rc == WEIR_OK && entry.pos.seq != 0;
        }
        if (rc == WEIR_OK && plain) {
            rc = weir_queue_read_meta(entry.value, &claim->meta, err);
            plain = rc == WEIR_OK && weir_queue_is_deliverable(line->queue, &claim->meta, now);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret_plain = plain;
    return WEIR_OK;
}

/* Hide messages for the receive at the front. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
static enum weir_rc begin_receiving(struct weir_queue_line *line, struct weir_err *err)
{
    struct weir_receive *receive = line->receives;
    struct weir_txn *txn = weir_txn_create();
    struct receiving *receiving = WEIR_ARENA_NEW(&txn->arena, struct receiving);
    struct weir_claims *claims = &receiving->claims;
    struct weir_time now = now_wall(line->queues);
    uint64_t sequences[WEIR_QUEUE_BATCH_MAX];
    bool plain = false;
    claims->queues = line->queues;
    claims->queue = line->queue;
    claims->space = line->space;
    claims->hide_ms = receive->has_hide ? receive->hide_ms : line->queue->visibility_ms;
    claims->count = weir_line_claim(line, sequences, receive->max);
    for (size_t i = 0; i < claims->count; i++) {
        claims->all[i].sequence = sequences[i];
    }
    enum weir_rc rc = read_claims(line, claims, &receive->arena, now, &plain, err);
    if (rc != WEIR_OK) {
        release_claims(line, claims);
        weir_arena_fini(&receive->arena);
        weir_txn_destroy(txn);
        return rc;
    }
    unlink_receive(line, receive);
    weir_queue_ref(claims->queue);
    receiving->line = line;
    receiving->receive = receive;
    receiving->work.txn = txn;
    if (plain) {
        deliver(receiving, now);
    } else {
        receiving->work.finished = received;
        weir_queue_claim(claims, txn);
    }
    weir_queues_submit(line->queues, &receiving->work);
    return WEIR_OK;
}

/* Give what can be received to those who wait. */
static enum weir_rc serve(struct weir_queue_line *line, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    while (rc == WEIR_OK && line->receives != NULL && line->space != 0) {
        if (line->waiting < line->receives->max) {
            rc = weir_line_load(line, err);
        }
        if (rc != WEIR_OK || !weir_line_has(line) || line->hidden >= HIDDEN_MAX) {
            break;
        }
        rc = begin_receiving(line, err);
    }
    return rc;
}

/* With too many hidden, a standard queue refuses; a FIFO queue gives nothing. */
static void refuse(struct weir_queue_line *line)
{
    while (line->hidden >= HIDDEN_MAX && !line->queue->fifo && line->receives != NULL) {
        struct weir_receive *receive = line->receives;
        unlink_receive(line, receive);
        answer(receive,
                weir_fail(&receive->err, WEIR_E_LIMIT,
                        "Too many messages are in flight: at most %d may be received and not "
                        "deleted",
                        HIDDEN_MAX));
    }
}

/* --- lines
 * ---------------------------------------------------------------------------------------------- */

/* Commit thread: something in the keyspace was committed. */
static void keyspace_changed(struct weir_watch *watch)
{
    struct weir_queue_line *line = WEIR_CONTAINER(watch, struct weir_queue_line, watch);
    struct weir_queues *queues = line->queues;
    struct weir_queue_notes *fresh = &queues->fresh;
    weir_mutex_lock(&queues->mutex);
    if (!line->touched) {
        line->touched = true;
        line->next_touched = queues->touched;
        queues->touched = line;
    }
    struct weir_queue_notes *notes = &queues->notes;
    if (fresh->count > 0) {
        size_t count = notes->count + fresh->count;
        if (count > notes->capacity) {
            notes->capacity = 2 * count;
            notes->all = weir_realloc(notes->all, notes->capacity, sizeof(*notes->all));
        }
        memcpy(notes->all + notes->count, fresh->all, fresh->count * sizeof(*fresh->all));
        notes->count = count;
        fresh->count = 0;
    }
    weir_mutex_unlock(&queues->mutex);
    queues->host.changed(queues->host.arg);
}

static void make_gauges(struct weir_queue_line *line)
{
    struct weir_metrics *metrics = line->queues->metrics;
    char labels[WEIR_QUEUE_NAME_MAX + 16];
    if (metrics == NULL) {
        return;
    }
    snprintf(labels, sizeof(labels), "queue=\"%.*s\"", WEIR_STR_ARG(line->queue->name));
    line->visible_gauge = weir_metrics_gauge(
            metrics, "weir_queue_messages", labels, "Messages that can be received");
    line->hidden_gauge = weir_metrics_gauge(metrics, "weir_queue_messages_not_visible", labels,
            "Messages that were received and not deleted");
    line->oldest_gauge = weir_metrics_gauge(
            metrics, "weir_queue_oldest_message_seconds", labels, "Age of the oldest message");
}

static struct weir_queue_line *create_line(
        struct weir_queues *queues, const struct weir_queue *queue)
{
    struct weir_queue_line *line = weir_alloc_zero(1, sizeof(*line));
    line->queues = queues;
    line->queue = queue;
    weir_queue_ref(queue);
    line->receives_end = &line->receives;
    line->first_until_ns = UINT64_MAX;
    line->next = queues->lines;
    queues->lines = line;
    weir_queue_box(queue)->life->line = line;
    make_gauges(line);
    return line;
}

/* Stop watching; afterwards nothing of the commit thread leads to the line. */
static void unwatch(struct weir_queue_line *line)
{
    struct weir_queues *queues = line->queues;
    if (!line->watching) {
        return;
    }
    weir_store_unwatch(queues->store, &line->watch);
    line->watching = false;
    weir_mutex_lock(&queues->mutex);
    for (struct weir_queue_line **at = &queues->touched; *at != NULL; at = &(*at)->next_touched) {
        if (*at == line) {
            *at = line->next_touched;
            break;
        }
    }
    line->touched = false;
    weir_mutex_unlock(&queues->mutex);
}

/* Show the messages of a keyspace; 0: of none, the queue was deleted. */
static void show_space(struct weir_queue_line *line, uint32_t space)
{
    unwatch(line);
    weir_line_clear(line);
    line->space = space;
    if (space != 0) {
        line->watch.space = space;
        line->watch.wake = keyspace_changed;
        line->watching = true;
        weir_store_watch(line->queues->store, &line->watch);
        line->sweep_at = 0;
    }
    weir_line_soon(line);
}

static void set_gauge(struct weir_gauge *gauge, uint64_t value)
{
    if (gauge != NULL) {
        weir_gauge_set(gauge, (int64_t)value);
    }
}

/* The queue was deleted: tell those who wait. */
static void fail_receives(struct weir_queue_line *line)
{
    while (line->receives != NULL) {
        struct weir_receive *receive = line->receives;
        unlink_receive(line, receive);
        answer(receive,
                weir_fail(&receive->err, WEIR_E_NOT_FOUND, "The specified queue does not exist."));
    }
}

static void end_line(struct weir_queue_line *line)
{
    show_space(line, 0);
    set_gauge(line->visible_gauge, 0);
    set_gauge(line->hidden_gauge, 0);
    set_gauge(line->oldest_gauge, 0);
    fail_receives(line);
}

static void follow_definition(struct weir_queues *queues, const struct weir_queue *queue)
{
    struct weir_queue_line *line = weir_queue_box(queue)->life->line;
    if (line == NULL) {
        line = create_line(queues, queue);
    } else if (line->queue != queue) {
        weir_queue_unref(line->queue);
        line->queue = queue;
        weir_queue_ref(queue);
        line->sweep_at = 0; /* what is too old may be another thing now */
        weir_line_soon(line);
    }
    if (line->space != queue->space && weir_queue_space(queue) == queue->space) {
        show_space(line, queue->space);
    }
}

/* Bring the lines in step with the catalogue. */
static void follow_catalogue(struct weir_queues *queues)
{
    weir_mutex_lock(&queues->mutex);
    bool changed = queues->changed;
    queues->changed = false;
    weir_mutex_unlock(&queues->mutex);
    if (!changed) {
        return;
    }
    struct weir_arena arena;
    weir_arena_init(&arena);
    const struct weir_queue **all = NULL;
    size_t count = weir_queues_all(queues, &arena, &all);
    for (size_t i = 0; i < count; i++) {
        follow_definition(queues, all[i]);
        weir_queue_unref(all[i]);
    }
    for (struct weir_queue_line *line = queues->lines; line != NULL; line = line->next) {
        if (line->space != 0 && weir_queue_space(line->queue) == 0) {
            end_line(line);
        }
    }
    weir_arena_fini(&arena);
}

/* Take what was committed: lines with new messages, and messages to be looked at again. */
static enum weir_rc follow_commits(struct weir_queues *queues, struct weir_err *err)
{
    weir_mutex_lock(&queues->mutex);
    struct weir_queue_line *touched = queues->touched;
    queues->touched = NULL;
    struct weir_queue_notes notes = queues->notes;
    queues->notes = (struct weir_queue_notes){ 0 };
    for (struct weir_queue_line *line = touched; line != NULL; line = line->next_touched) {
        line->touched = false;
        line->more = true;
        weir_line_soon(line);
    }
    weir_mutex_unlock(&queues->mutex);
    enum weir_rc rc = WEIR_OK;
    struct weir_queue_line *line = queues->lines;
    for (size_t i = 0; rc == WEIR_OK && i < notes.count; i++) {
        if (line == NULL || line->space != notes.all[i].space) {
            line = queues->lines;
            while (line != NULL && line->space != notes.all[i].space) {
                line = line->next;
            }
        }
        if (line != NULL) {
            rc = weir_line_look(line, notes.all[i].sequence, err);
        }
    }
    weir_free(notes.all);
    return rc;
}

/* Remove ended lines; receives under way still lead to theirs. */
static void free_ended(struct weir_queues *queues)
{
    if (queues->works > 0) {
        return;
    }
    for (struct weir_queue_line **at = &queues->lines; *at != NULL;) {
        struct weir_queue_line *line = *at;
        if (line->space != 0 || weir_queue_space(line->queue) != 0) {
            at = &line->next;
            continue;
        }
        *at = line->next;
        weir_heap_remove(&queues->due, &line->due);
        weir_line_clear(line);
        weir_queue_box(line->queue)->life->line = NULL;
        weir_queue_unref(line->queue);
        weir_free(line);
    }
}

/* Everything about one line that is due, and when it is next. */
static enum weir_rc run_line(struct weir_queue_line *line, struct weir_err *err)
{
    struct weir_queues *queues = line->queues;
    struct weir_time now = now_wall(queues);
    weir_heap_remove(&queues->due, &line->due);
    weir_line_show(line, now);
    enum weir_rc rc = weir_line_load(line, err);
    if (rc == WEIR_OK) {
        rc = serve(line, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_line_sweep(line, now, err);
    }
    refuse(line);
    if (weir_queue_space(line->queue) == 0) {
        fail_receives(line);
    }
    end_waits(line);
    if (rc != WEIR_OK) {
        weir_line_soon(line);
        return rc;
    }
    uint64_t after_ms = UINT64_MAX;
    struct weir_time shows;
    if (weir_line_next(line, &shows)) {
        after_ms = shows.ms > now.ms ? (uint64_t)(shows.ms - now.ms) : 0;
    }
    if (!line->sweeping && !queues->stopped && line->sweep_at != INT64_MAX) {
        uint64_t sweep_ms = line->sweep_at > now.ms ? (uint64_t)(line->sweep_at - now.ms) : 0;
        after_ms = sweep_ms < after_ms ? sweep_ms : after_ms;
    }
    if (line->first_until_ns != UINT64_MAX) {
        uint64_t ns = now_ns(queues);
        uint64_t left = line->first_until_ns > ns ? line->first_until_ns - ns : 0;
        uint64_t wait_ms = (left + ns_per_ms - 1) / ns_per_ms;
        after_ms = wait_ms < after_ms ? wait_ms : after_ms;
    }
    if (line->more && line->waiting == 0) {
        after_ms = 0;
    }
    if (after_ms != UINT64_MAX) {
        line_after(line, after_ms);
    }
    return WEIR_OK;
}

enum weir_rc weir_queues_run(struct weir_queues *queues, struct weir_err *err)
{
    follow_catalogue(queues);
    enum weir_rc rc = follow_commits(queues, err);
    run_finished(queues);
    run_delivered(queues);
    int64_t now_ms = (int64_t)(now_ns(queues) / ns_per_ms);
    if (queues->hurry_at_ms != 0 && (int64_t)queues->hurry_at_ms <= now_ms) {
        queues->hurry_at_ms = 0;
        weir_store_hurry(queues->store);
    }
    struct weir_heap_node *node = NULL;
    /* A line that asks for more at once has it after the others: at most one turn each. */
    for (size_t turns = queues->due.count; rc == WEIR_OK && turns > 0; turns--) {
        node = weir_heap_first(&queues->due);
        if (node == NULL || node->key > now_ms) {
            break;
        }
        rc = run_line(WEIR_CONTAINER(node, struct weir_queue_line, due), err);
    }
    free_ended(queues);
    ask_to_be_woken(queues);
    return rc;
}

/* --- the interface
 * ----------------------------------------------------------------------------------------- */

void weir_queues_receive(
        struct weir_queues *queues, const struct weir_queue *queue, struct weir_receive *receive)
{
    receive->count = 0;
    weir_arena_init(&receive->arena);
    follow_catalogue(queues);
    struct weir_queue_line *line = weir_queue_box(queue)->life->line;
    if (line == NULL) {
        line = create_line(queues, queue); /* deleted before it had one: ends at the next run */
    }
    uint64_t wait_ms = receive->has_wait ? receive->wait_ms : line->queue->wait_ms;
    receive->line = line;
    receive->until_ns = now_ns(queues) + (queues->stopped ? 0 : wait_ms * ns_per_ms);
    link_last(line, receive);
    note_until(line, receive);
    struct weir_err err;
    enum weir_rc rc = follow_commits(queues, &err);
    if (rc == WEIR_OK && line->receives == receive) {
        weir_line_show(line, now_wall(queues));
        rc = serve(line, &err);
    }
    (void)rc; /* a disk that cannot be read now is met again, and reported, by the run */
    weir_line_soon(line);
    ask_to_be_woken(queues);
}

bool weir_queues_cancel(struct weir_queues *queues, struct weir_receive *receive)
{
    (void)queues;
    if (receive->at == NULL) {
        return false;
    }
    unlink_receive(receive->line, receive);
    receive->line = NULL;
    return true;
}

void weir_receive_fini(struct weir_receive *receive)
{
    weir_arena_fini(&receive->arena);
}

void weir_queues_stop(struct weir_queues *queues)
{
    queues->stopped = true;
    for (struct weir_queue_line *line = queues->lines; line != NULL; line = line->next) {
        while (line->receives != NULL) {
            struct weir_receive *receive = line->receives;
            unlink_receive(line, receive);
            answer(receive, WEIR_OK);
        }
    }
}

void weir_queues_free_lines(struct weir_queues *queues)
{
    run_finished(queues);
    run_delivered(queues);
    while (queues->lines != NULL) {
        struct weir_queue_line *line = queues->lines;
        queues->lines = line->next;
        unwatch(line);
        weir_line_clear(line);
        weir_queue_unref(line->queue);
        weir_free(line);
    }
    weir_heap_fini(&queues->due);
}

enum weir_rc weir_queues_numbers(struct weir_queues *queues, const struct weir_queue *queue,
        struct weir_queue_numbers *ret_numbers, struct weir_err *err)
{
    *ret_numbers = (struct weir_queue_numbers){ 0 };
    follow_catalogue(queues);
    struct weir_queue_line *line = weir_queue_box(queue)->life->line;
    if (line == NULL || line->space == 0) {
        return WEIR_OK;
    }
    struct weir_arena arena;
    struct weir_entry entry;
    struct weir_queue_state state = { 0 };
    weir_arena_init(&arena);
    enum weir_rc rc = follow_commits(queues, err);
    if (rc == WEIR_OK) {
        weir_line_show(line, now_wall(queues));
        rc = weir_line_load(line, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_store_get(queues->store, line->space, WEIR_QUEUE_STATE_KEY, &arena, &entry, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_queue_read_state(entry.value, &state, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_line_oldest(line, &ret_numbers->oldest_ms, err);
    }
    weir_arena_fini(&arena);
    uint64_t away = line->hidden + line->delayed;
    ret_numbers->hidden = line->hidden;
    ret_numbers->delayed = line->delayed;
    ret_numbers->visible = state.count > away ? state.count - away : 0;
    return rc;
}

void weir_queues_refresh(struct weir_queues *queues)
{
    struct weir_queue_line *line = queues != NULL ? queues->lines : NULL;
    for (; line != NULL; line = line->next) {
        struct weir_queue_numbers numbers;
        if (line->space != 0 &&
                weir_queues_numbers(queues, line->queue, &numbers, NULL) == WEIR_OK) {
            set_gauge(line->visible_gauge, numbers.visible + numbers.delayed);
            set_gauge(line->hidden_gauge, numbers.hidden);
            set_gauge(line->oldest_gauge, numbers.oldest_ms / WEIR_QUEUE_SECOND_MS);
        }
    }
}
