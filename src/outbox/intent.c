/* Intents as they are stored, and the two operations that add and remove one. */
#include <string.h>

#include "base/mem.h"
#include "outbox/outbox_int.h"

enum {
    LANE_HEAD = 3, /* kind and the target's length */
    NUMBERS_VERSION = 1,
    NUMBERS_BYTES = 17,
    HEAD_VERSION = 1,
    HEAD_MAX_BYTES = 64 * 1024,
};

/* --- keys ------------------------------------------------------------------------------- */

struct weir_str weir_intent_lane(
        struct weir_arena *arena, enum weir_intent_kind kind, struct weir_str target)
{
    char *p = weir_arena_alloc(arena, LANE_HEAD + target.n);
    p[0] = (char)kind;
    p[1] = (char)(target.n >> 8);
    p[2] = (char)target.n;
    memcpy(p + LANE_HEAD, target.p, target.n);
    return weir_str(p, LANE_HEAD + target.n);
}

enum weir_rc weir_intent_lane_parse(struct weir_str lane, enum weir_intent_kind *ret_kind,
        struct weir_str *ret_target, struct weir_err *err)
{
    size_t n = lane.n < LANE_HEAD
                       ? 0
                       : (size_t)(unsigned char)lane.p[1] << 8 | (unsigned char)lane.p[2];
    if (lane.n != LANE_HEAD + n || lane.p[0] <= 0 || lane.p[0] >= WEIR_INTENT_KINDS) {
        return weir_fail(err, WEIR_E_DAMAGED,
                "a lane of the outbox has %zu bytes or an unknown kind", lane.n);
    }
    *ret_kind = (enum weir_intent_kind)lane.p[0];
    *ret_target = weir_str(lane.p + LANE_HEAD, n);
    return WEIR_OK;
}

struct weir_str weir_intent_key(struct weir_arena *arena, enum weir_intent_part part,
        struct weir_str lane, const uint64_t *sequence)
{
    char *p = weir_arena_alloc(arena, 1 + lane.n + sizeof(*sequence));
    p[0] = (char)part;
    memcpy(p + 1, lane.p, lane.n);
    size_t n = 1 + lane.n;
    if (sequence != NULL) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            p[n++] = (char)(*sequence >> shift);
        }
    }
    return weir_str(p, n);
}

uint64_t weir_intent_key_sequence(
        struct weir_str key, enum weir_intent_part part, struct weir_str lane)
{
    if (key.n != 1 + lane.n + sizeof(uint64_t) || key.p[0] != (char)part ||
            memcmp(key.p + 1, lane.p, lane.n) != 0) {
        return 0;
    }
    uint64_t sequence = 0;
    for (size_t i = 1 + lane.n; i < key.n; i++) {
        sequence = sequence << 8 | (unsigned char)key.p[i];
    }
    return sequence;
}

/* --- values ------------------------------------------------------------------------------- */

static struct weir_str write_numbers(
        struct weir_arena *arena, const struct weir_intent_numbers *numbers)
{
    char *p = weir_arena_alloc(arena, NUMBERS_BYTES);
    p[0] = NUMBERS_VERSION;
    memcpy(p + 1, &numbers->pending, 8);
    memcpy(p + 9, &numbers->first, 8);
    return weir_str(p, NUMBERS_BYTES);
}

enum weir_rc weir_intent_numbers_read(
        struct weir_str value, struct weir_intent_numbers *ret_numbers, struct weir_err *err)
{
    *ret_numbers = (struct weir_intent_numbers){ 0 };
    if (value.n == 0) {
        return WEIR_OK;
    }
    if (value.n != NUMBERS_BYTES || value.p[0] != NUMBERS_VERSION) {
        return weir_fail(err, WEIR_E_DAMAGED,
                "the numbers of a lane of the outbox have %zu bytes or an unknown form", value.n);
    }
    memcpy(&ret_numbers->pending, value.p + 1, 8);
    memcpy(&ret_numbers->first, value.p + 9, 8);
    return WEIR_OK;
}

static void add_u64(struct weir_buf *buf, uint64_t number)
{
    weir_buf_add(buf, &number, sizeof(number));
}

static void add_text(struct weir_buf *buf, struct weir_str text)
{
    uint32_t n = (uint32_t)text.n;
    weir_buf_add(buf, &n, sizeof(n));
    weir_buf_str(buf, text);
}

struct weir_str weir_intent_head_write(
        struct weir_arena *arena, const struct weir_intent_head *head)
{
    const struct weir_backoff *backoff = &head->retry.backoff;
    struct weir_buf buf;
    weir_buf_init(&buf, HEAD_MAX_BYTES);
    weir_buf_byte(&buf, HEAD_VERSION);
    weir_buf_byte(&buf, (char)head->hops);
    weir_buf_byte(&buf, (char)backoff->count);
    add_u64(&buf, (uint64_t)head->created.ms);
    add_u64(&buf, (uint64_t)head->due.ms);
    add_u64(&buf, head->pause_ms);
    add_u64(&buf, head->attempts);
    add_u64(&buf, head->retry.retries);
    add_u64(&buf, head->retry.max_age_ms);
    add_u64(&buf, backoff->max_ms);
    for (size_t i = 0; i < backoff->count; i++) {
        add_u64(&buf, backoff->pauses_ms[i]);
    }
    add_text(&buf, head->order);
    add_text(&buf, head->id);
    add_text(&buf, head->dead_letter);
    add_text(&buf, head->causation);
    add_text(&buf, head->error);
    weir_assert(!buf.overflow); /* every text has a limit far below */
    struct weir_str copy = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return copy;
}

/* What is left to be read; good turns false when it was too short. */
struct reading {
    struct weir_str rest;
    bool good;
};

static struct weir_str take(struct reading *reading, size_t n)
{
    if (!reading->good || reading->rest.n < n) {
        reading->good = false;
        return weir_str(NULL, 0);
    }
    struct weir_str taken = weir_str(reading->rest.p, n);
    reading->rest = weir_str(reading->rest.p + n, reading->rest.n - n);
    return taken;
}

static uint64_t take_u64(struct reading *reading)
{
    uint64_t number = 0;
    struct weir_str bytes = take(reading, sizeof(number));
    if (bytes.p != NULL) {
        memcpy(&number, bytes.p, sizeof(number));
    }
    return number;
}

static struct weir_str take_text(struct reading *reading)
{
    uint32_t n = 0;
    struct weir_str bytes = take(reading, sizeof(n));
    if (bytes.p != NULL) {
        memcpy(&n, bytes.p, sizeof(n));
    }
    return take(reading, n);
}

enum weir_rc weir_intent_head_read(
        struct weir_str value, struct weir_intent_head *ret_head, struct weir_err *err)
{
    struct reading reading = { value, true };
    struct weir_str start = take(&reading, 3);
    struct weir_intent_head head = { 0 };
    size_t pauses = 0;
    if (start.p != NULL && start.p[0] == HEAD_VERSION) {
        head.hops = (uint8_t)start.p[1];
        pauses = (unsigned char)start.p[2];
        reading.good = pauses <= WEIR_BACKOFF_PAUSES_MAX;
    } else {
        reading.good = false;
    }
    head.created.ms = (int64_t)take_u64(&reading);
    head.due.ms = (int64_t)take_u64(&reading);
    head.pause_ms = take_u64(&reading);
    head.attempts = take_u64(&reading);
    head.retry.retries = take_u64(&reading);
    head.retry.max_age_ms = take_u64(&reading);
    head.retry.backoff.max_ms = take_u64(&reading);
    head.retry.backoff.count = reading.good ? pauses : 0;
    for (size_t i = 0; i < head.retry.backoff.count; i++) {
        head.retry.backoff.pauses_ms[i] = take_u64(&reading);
    }
    head.order = take_text(&reading);
    head.id = take_text(&reading);
    head.dead_letter = take_text(&reading);
    head.causation = take_text(&reading);
    head.error = take_text(&reading);
    if (!reading.good || reading.rest.n > 0) {
        return weir_fail(err, WEIR_E_DAMAGED,
                "the head of an intent has %zu bytes or an unknown form", value.n);
    }
    *ret_head = head;
    return WEIR_OK;
}

/* --- adding --------------------------------------------------------------------------------- */

static enum weir_rc check_intent(const struct weir_intent *intent, struct weir_err *err)
{
    if (intent->target.n == 0) {
        return weir_fail(err, WEIR_E_INVALID, "an intent needs a target");
    }
    const struct {
        const char *name;
        size_t n;
        size_t max;
    } limits[] = {
        { "target", intent->target.n, WEIR_INTENT_TARGET_MAX_BYTES },
        { "order key", intent->order.n, WEIR_INTENT_ORDER_MAX_BYTES },
        { "id", intent->id.n, WEIR_INTENT_TEXT_MAX_BYTES },
        { "dead-letter destination", intent->dead_letter.n, WEIR_INTENT_TEXT_MAX_BYTES },
        { "causation", intent->causation.n, WEIR_INTENT_TEXT_MAX_BYTES },
        { "payload", intent->payload.n, WEIR_INTENT_PAYLOAD_MAX_BYTES },
    };
    for (size_t i = 0; i < WEIR_COUNT(limits); i++) {
        if (limits[i].n > limits[i].max) {
            return weir_fail(err, WEIR_E_TOO_LARGE,
                    "the %s of an intent has %zu bytes, at most %zu are possible", limits[i].name,
                    limits[i].n, limits[i].max);
        }
    }
    return WEIR_OK;
}

/* The lane's numbers with what an operation does to them. */
static enum weir_rc read_numbers(struct weir_view *view, struct weir_str key,
        struct weir_intent_numbers *ret_numbers, struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_INTENT, key, &entry, err);
    return rc == WEIR_OK ? weir_intent_numbers_read(entry.value, ret_numbers, err) : rc;
}

/* lane and strings of intent live in the transaction's arena. */
static enum weir_rc add_to_view(struct weir_outbox *outbox, struct weir_view *view,
        const struct weir_intent *intent, struct weir_str lane, struct weir_err *err)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_intent_numbers numbers;
    struct weir_str numbers_key = weir_intent_key(arena, WEIR_INTENT_LANES, lane, NULL);
    enum weir_rc rc = read_numbers(view, numbers_key, &numbers, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    uint64_t sequence = atomic_fetch_add(&outbox->next_sequence, 1);
    struct weir_intent_head head = {
        .retry = intent->retry,
        .created = weir_view_time(view),
        .hops = intent->hops,
        .order = intent->order,
        .id = intent->id,
        .dead_letter = intent->dead_letter,
        .causation = intent->causation,
    };
    if (head.id.n == 0) {
        head.id = weir_arena_printf(arena, "%s-%llx", outbox->prefix, (unsigned long long)sequence);
    }
    numbers.first = numbers.pending > 0 ? numbers.first : sequence;
    numbers.pending++;
    weir_view_put(view, WEIR_SPACE_INTENT, numbers_key, write_numbers(arena, &numbers));
    weir_view_put(view, WEIR_SPACE_INTENT,
            weir_intent_key(arena, WEIR_INTENT_HEAD, lane, &sequence),
            weir_intent_head_write(arena, &head));
    weir_view_put(view, WEIR_SPACE_INTENT,
            weir_intent_key(arena, WEIR_INTENT_PAYLOAD, lane, &sequence), intent->payload);
    weir_outbox_note(outbox, lane, sequence);
    return WEIR_OK;
}

static struct weir_intent copy_intent(struct weir_arena *arena, const struct weir_intent *intent)
{
    struct weir_intent copy = *intent;
    copy.target = weir_arena_str(arena, intent->target);
    copy.order = weir_arena_str(arena, intent->order);
    copy.id = weir_arena_str(arena, intent->id);
    copy.payload = weir_arena_str(arena, intent->payload);
    copy.dead_letter = weir_arena_str(arena, intent->dead_letter);
    copy.causation = weir_arena_str(arena, intent->causation);
    return copy;
}

struct add_op {
    struct weir_op op;
    struct weir_outbox *outbox;
    struct weir_intent intent;
    struct weir_str lane;
};

static enum weir_rc run_add(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    const struct add_op *add = WEIR_CONTAINER(op, struct add_op, op);
    return add_to_view(add->outbox, view, &add->intent, add->lane, err);
}

enum weir_rc weir_outbox_add(struct weir_outbox *outbox, struct weir_txn *txn,
        const struct weir_intent *intent, struct weir_err *err)
{
    enum weir_rc rc = check_intent(intent, err);
    if (rc == WEIR_OK) {
        struct add_op *add = WEIR_ARENA_NEW(&txn->arena, struct add_op);
        add->op.run = run_add;
        add->outbox = outbox;
        add->intent = copy_intent(&txn->arena, intent);
        add->lane = weir_intent_lane(&txn->arena, intent->kind, intent->target);
        weir_txn_op(txn, &add->op);
    }
    return rc;
}

enum weir_rc weir_outbox_add_in(struct weir_outbox *outbox, struct weir_view *view,
        const struct weir_intent *intent, struct weir_err *err)
{
    enum weir_rc rc = check_intent(intent, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_intent copy = copy_intent(arena, intent);
    struct weir_str lane = weir_intent_lane(arena, intent->kind, intent->target);
    return add_to_view(outbox, view, &copy, lane, err);
}

/* --- removing --------------------------------------------------------------------------------- */

struct remove_op {
    struct weir_op op;
    struct weir_str lane;
    uint64_t sequence;
    uint64_t lowest;
};

static enum weir_rc run_remove(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    const struct remove_op *remove = WEIR_CONTAINER(op, struct remove_op, op);
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_intent_numbers numbers;
    struct weir_str numbers_key = weir_intent_key(arena, WEIR_INTENT_LANES, remove->lane, NULL);
    enum weir_rc rc = read_numbers(view, numbers_key, &numbers, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (numbers.pending <= 1) {
        weir_view_delete(view, WEIR_SPACE_INTENT, numbers_key);
    } else {
        numbers.pending--;
        numbers.first = remove->lowest > numbers.first ? remove->lowest : numbers.first;
        weir_view_put(view, WEIR_SPACE_INTENT, numbers_key, write_numbers(arena, &numbers));
    }
    weir_view_delete(view, WEIR_SPACE_INTENT,
            weir_intent_key(arena, WEIR_INTENT_HEAD, remove->lane, &remove->sequence));
    weir_view_delete(view, WEIR_SPACE_INTENT,
            weir_intent_key(arena, WEIR_INTENT_PAYLOAD, remove->lane, &remove->sequence));
    return WEIR_OK;
}

void weir_intent_remove(
        struct weir_txn *txn, struct weir_str lane, uint64_t sequence, uint64_t lowest)
{
    struct remove_op *remove = WEIR_ARENA_NEW(&txn->arena, struct remove_op);
    remove->op.run = run_remove;
    remove->lane = weir_arena_str(&txn->arena, lane);
    remove->sequence = sequence;
    remove->lowest = lowest;
    weir_txn_op(txn, &remove->op);
}
