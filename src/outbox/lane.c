/*
 * A lane's window: the heads of its intents, read from the store in the order of their commits.
 * What waits for an earlier intent of its order key is passed over when the window has enough of
 * that key; once the key has nothing left in the window, reading goes back to what was passed.
 */
#include <string.h>

#include "base/mem.h"
#include "outbox/outbox_int.h"

enum {
    WINDOW_MAX = 1000,
    PAGE = 100,              /* that are free before it is worth to read on */
    ORDER_MAX = 100,         /* of them, of one order key */
    PASSED_OVER_MAX = 10000, /* intents that the window does not hold, between those that it does */
};

/* --- order keys ------------------------------------------------------------------------- */

static struct weir_outbox_order *find_order(
        const struct weir_outbox_lane *lane, struct weir_str key)
{
    struct weir_outbox_order *order = NULL;
    HASH_FIND(hh, lane->orders, key.p, key.n, order);
    return order;
}

static void join_order(struct weir_outbox_lane *lane, struct weir_outbox_entry *entry)
{
    struct weir_str key = entry->head.order;
    struct weir_outbox_order *order = find_order(lane, key);
    if (order == NULL) {
        order = weir_alloc_zero(1, sizeof(*order) + key.n);
        order->skipped = UINT64_MAX;
        order->n = key.n;
        memcpy(order->key, key.p, key.n);
        HASH_ADD_KEYPTR(hh, lane->orders, order->key, order->n, order);
    }
    if (order->last != NULL) {
        order->last->order_next = entry;
    } else {
        order->first = entry;
    }
    order->last = entry;
    order->count++;
    entry->order = order;
}

/* Only the first of an order key is ever taken out: the others have to wait for it. */
static void leave_order(struct weir_outbox_lane *lane, struct weir_outbox_entry *entry)
{
    struct weir_outbox_order *order = entry->order;
    weir_assert(order->first == entry);
    order->first = entry->order_next;
    order->last = order->first != NULL ? order->last : NULL;
    order->count--;
    if (order->first != NULL) {
        return;
    }
    if (order->skipped != UINT64_MAX) {
        lane->read_to = order->skipped - 1 < lane->read_to ? order->skipped - 1 : lane->read_to;
        lane->passed_over = 0;
        lane->more = true;
    }
    HASH_DELETE(hh, lane->orders, order);
    weir_free(order);
}

/* --- the window --------------------------------------------------------------------------- */

/* Put an entry where its sequence number belongs; mostly that is the end. */
static void insert(struct weir_outbox_lane *lane, struct weir_outbox_entry *entry)
{
    struct weir_outbox_entry *before = lane->last;
    while (before != NULL && before->sequence > entry->sequence) {
        before = before->previous;
    }
    entry->previous = before;
    entry->next = before != NULL ? before->next : lane->first;
    *(entry->next != NULL ? &entry->next->previous : &lane->last) = entry;
    *(before != NULL ? &before->next : &lane->first) = entry;
    HASH_ADD(hh, lane->by_number, sequence, sizeof(entry->sequence), entry);
    lane->count++;
}

static void free_entry(struct weir_outbox_entry *entry)
{
    weir_arena_fini(&entry->arena);
    weir_arena_fini(&entry->running);
    weir_free(entry);
}

void weir_outbox_lane_drop(struct weir_outbox_lane *lane, struct weir_outbox_entry *entry)
{
    *(entry->next != NULL ? &entry->next->previous : &lane->last) = entry->previous;
    *(entry->previous != NULL ? &entry->previous->next : &lane->first) = entry->next;
    HASH_DELETE(hh, lane->by_number, entry);
    lane->count--;
    if (entry->order != NULL) {
        leave_order(lane, entry);
    }
    free_entry(entry);
}

uint64_t weir_outbox_lane_lowest(
        const struct weir_outbox_lane *lane, const struct weir_outbox_entry *without)
{
    const struct weir_outbox_entry *other =
            lane->first == without ? lane->first->next : lane->first;
    uint64_t lowest = lane->read_to + 1;
    lowest = other != NULL && other->sequence < lowest ? other->sequence : lowest;
    if (without->order != NULL && without->order->skipped < lowest) {
        lowest = without->order->skipped;
    }
    return lowest;
}

/* When the next attempt of a head that was read is due, on the monotonic clock. */
static uint64_t due_of(const struct weir_outbox_lane *lane, const struct weir_intent_head *head)
{
    const uint64_t ms_ns = 1000 * 1000;
    const struct weir_clock *clock = lane->outbox->clock;
    int64_t now_ms = weir_clock_wall(clock).ms;
    if (head->due.ms <= now_ms) {
        return 0;
    }
    uint64_t wait_ms = (uint64_t)(head->due.ms - now_ms);
    wait_ms = wait_ms < head->pause_ms ? wait_ms : head->pause_ms; /* the clock may have moved */
    return weir_clock_monotonic_ns(clock) + wait_ms * ms_ns;
}

static enum weir_rc add_entry(struct weir_outbox_lane *lane, uint64_t sequence,
        const struct weir_entry *stored, struct weir_err *err)
{
    struct weir_outbox_entry *entry = weir_alloc_zero(1, sizeof(*entry));
    weir_arena_init(&entry->arena);
    weir_arena_init(&entry->running);
    enum weir_rc rc =
            weir_intent_head_read(weir_arena_str(&entry->arena, stored->value), &entry->head, err);
    if (rc != WEIR_OK) {
        free_entry(entry);
        return rc;
    }
    entry->lane = lane;
    entry->sequence = sequence;
    entry->due_ns = due_of(lane, &entry->head);
    entry->delivery = (struct weir_delivery){
        .kind = lane->kind,
        .target = lane->target,
        .order = entry->head.order,
        .id = entry->head.id,
        .dead_letter = entry->head.dead_letter,
        .causation = entry->head.causation,
        .hops = entry->head.hops,
        .created = entry->head.created,
    };
    insert(lane, entry);
    if (entry->head.order.n > 0) {
        join_order(lane, entry);
    }
    return WEIR_OK;
}

/* --- reading on ------------------------------------------------------------------------------ */

/* Whether an intent stays out of the window because enough of its order key is in it. */
static enum weir_rc pass_over(struct weir_outbox_lane *lane, uint64_t sequence,
        const struct weir_entry *stored, bool *ret_passed, struct weir_err *err)
{
    struct weir_intent_head head;
    enum weir_rc rc = weir_intent_head_read(stored->value, &head, err);
    *ret_passed = false;
    struct weir_outbox_order *order =
            rc == WEIR_OK && head.order.n > 0 ? find_order(lane, head.order) : NULL;
    if (order != NULL && (order->skipped != UINT64_MAX || order->count >= ORDER_MAX)) {
        order->skipped = sequence < order->skipped ? sequence : order->skipped;
        lane->passed_over++;
        *ret_passed = true;
    }
    return rc;
}

static bool has_room(const struct weir_outbox_lane *lane)
{
    return lane->more && lane->count < WINDOW_MAX && lane->passed_over < PASSED_OVER_MAX;
}

enum weir_rc weir_outbox_lane_fill(
        struct weir_outbox_lane *lane, size_t budget, bool *ret_filled, struct weir_err *err)
{
    *ret_filled = true;
    if (!has_room(lane) || lane->count > WINDOW_MAX - PAGE) {
        return WEIR_OK;
    }
    struct weir_arena arena;
    weir_arena_init(&arena);
    uint64_t from = lane->read_to + 1;
    struct weir_cursor *cursor = weir_cursor_create(lane->outbox->options.store, WEIR_SPACE_INTENT);
    weir_cursor_seek(cursor, weir_intent_key(&arena, WEIR_INTENT_HEAD, lane->name, &from));
    enum weir_rc rc = WEIR_OK;
    for (; budget > 0 && rc == WEIR_OK && has_room(lane); budget--, weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry stored;
        bool have = false;
        bool passed = false;
        rc = weir_cursor_get(cursor, &key, &stored, &have, err);
        uint64_t sequence = rc == WEIR_OK && have
                                    ? weir_intent_key_sequence(key, WEIR_INTENT_HEAD, lane->name)
                                    : 0;
        if (sequence == 0) {
            lane->more = rc != WEIR_OK; /* what comes later is noted when it is committed */
            break;
        }
        struct weir_outbox_entry *known = NULL;
        HASH_FIND(hh, lane->by_number, &sequence, sizeof(sequence), known);
        if (known == NULL) {
            rc = pass_over(lane, sequence, &stored, &passed, err);
        }
        if (rc == WEIR_OK && known == NULL && !passed) {
            rc = add_entry(lane, sequence, &stored, err);
        }
        lane->read_to = rc == WEIR_OK ? sequence : lane->read_to;
    }
    weir_cursor_destroy(cursor);
    weir_arena_fini(&arena);
    *ret_filled = !has_room(lane);
    return rc;
}

void weir_outbox_lane_fini(struct weir_outbox_lane *lane)
{
    HASH_CLEAR(hh, lane->by_number);
    for (struct weir_outbox_entry *entry = lane->first; entry != NULL;) {
        struct weir_outbox_entry *next = entry->next;
        free_entry(entry);
        entry = next;
    }
    struct weir_outbox_order *order = NULL;
    struct weir_outbox_order *other = NULL;
    HASH_ITER(hh, lane->orders, order, other)
    {
        HASH_DELETE(hh, lane->orders, order);
        weir_free(order);
    }
}
