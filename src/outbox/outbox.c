/* The outbox as a whole: its lanes, what wakes them, and what begins. */
#include "outbox/outbox.h"

#include <stdio.h>

#include "base/mem.h"
#include "outbox/outbox_int.h"

enum {
    FILL_BUDGET = 2000, /* heads that are read in one run, of each lane */
    BATCH_MAX = 64,
    AGAIN_MS = 1000, /* after the store could not be read */
};

static const uint64_t ms_ns = 1000 * 1000;

/* --- lanes -------------------------------------------------------------------------------- */

static struct weir_outbox_lane *find_lane(const struct weir_outbox *outbox, struct weir_str name)
{
    struct weir_outbox_lane *lane = NULL;
    HASH_FIND(hh, outbox->lanes, name.p, name.n, lane);
    return lane;
}

/* A lane that is not in memory, with nothing to be delivered before a sequence number. */
static enum weir_rc create_lane(
        struct weir_outbox *outbox, struct weir_str name, uint64_t first, struct weir_err *err)
{
    struct weir_outbox_lane *lane = weir_alloc_zero(1, sizeof(*lane));
    lane->outbox = outbox;
    lane->name = weir_str(weir_strndup(name.p, name.n), name.n);
    enum weir_rc rc = weir_intent_lane_parse(lane->name, &lane->kind, &lane->target, err);
    HASH_ADD_KEYPTR(hh, outbox->lanes, lane->name.p, lane->name.n, lane);
    lane->read_to = first > 0 ? first - 1 : 0;
    lane->more = true;
    return rc;
}

static void destroy_lane(struct weir_outbox_lane *lane)
{
    char *name = (char *)(uintptr_t)lane->name.p; /* the lane's own copy */
    HASH_DELETE(hh, lane->outbox->lanes, lane);
    weir_outbox_lane_fini(lane);
    weir_free(name);
    weir_free(lane);
}

/* --- what the commit thread tells ------------------------------------------------------------ */

struct weir_outbox_note {
    uint64_t first; /* the lowest sequence number that was given out since */
    UT_hash_handle hh;
    size_t n;
    char name[];
};

/* Note a lane in a table, unless it is there with a lower number. */
static void add_note(struct weir_outbox_note **notes, struct weir_str lane, uint64_t first)
{
    struct weir_outbox_note *note = NULL;
    HASH_FIND(hh, *notes, lane.p, lane.n, note);
    if (note == NULL) {
        note = weir_alloc_zero(1, sizeof(*note) + lane.n);
        note->first = first;
        note->n = lane.n;
        memcpy(note->name, lane.p, lane.n);
        HASH_ADD_KEYPTR(hh, *notes, note->name, note->n, note);
    }
}

void weir_outbox_note(struct weir_outbox *outbox, struct weir_str lane, uint64_t sequence)
{
    weir_mutex_lock(&outbox->mutex);
    add_note(&outbox->noted, lane, sequence);
    weir_mutex_unlock(&outbox->mutex);
}

static void free_notes(struct weir_outbox_note **notes)
{
    struct weir_outbox_note *note = *notes;
    HASH_CLEAR(hh, *notes);
    while (note != NULL) {
        struct weir_outbox_note *next = note->hh.next;
        weir_free(note);
        note = next;
    }
}

/* The intents that were noted are in the store now, if ever: a group was published. */
static void published(struct weir_watch *watch)
{
    struct weir_outbox *outbox = WEIR_CONTAINER(watch, struct weir_outbox, watch);
    weir_mutex_lock(&outbox->mutex);
    bool any = outbox->noted != NULL;
    for (struct weir_outbox_note *note = outbox->noted; note != NULL; note = note->hh.next) {
        add_note(&outbox->ready, weir_str(note->name, note->n), note->first);
    }
    free_notes(&outbox->noted);
    weir_mutex_unlock(&outbox->mutex);
    if (any) {
        outbox->options.host.changed(outbox->options.host.arg);
    }
}

static enum weir_rc take_notes(struct weir_outbox *outbox, struct weir_err *err)
{
    weir_mutex_lock(&outbox->mutex);
    struct weir_outbox_note *notes = outbox->ready;
    outbox->ready = NULL;
    weir_mutex_unlock(&outbox->mutex);
    enum weir_rc rc = WEIR_OK;
    for (struct weir_outbox_note *note = notes; note != NULL; note = note->hh.next) {
        struct weir_str name = weir_str(note->name, note->n);
        struct weir_outbox_lane *lane = find_lane(outbox, name);
        if (lane != NULL) {
            lane->more = true;
            lane->due_ns = 0;
        } else if (rc == WEIR_OK) {
            rc = create_lane(outbox, name, note->first, err);
        }
    }
    free_notes(&notes);
    return rc;
}

/* --- deliveries ---------------------------------------------------------------------------------
 */

/* Bring in the payload of an entry that is to run; false: it ended with a failure. */
static bool load(struct weir_outbox_entry *entry)
{
    const struct weir_outbox_lane *lane = entry->lane;
    struct weir_entry stored;
    enum weir_rc rc = weir_store_get(lane->outbox->options.store, WEIR_SPACE_INTENT,
            weir_intent_key(&entry->running, WEIR_INTENT_PAYLOAD, lane->name, &entry->sequence),
            &entry->running, &stored, &entry->err);
    if (rc == WEIR_OK && stored.pos.seq == 0) {
        rc = weir_fail(&entry->err, WEIR_E_DAMAGED, "the intent's payload is not in the store");
    }
    entry->delivery.payload = stored.value;
    entry->delivery.attempt = entry->head.attempts + 1;
    entry->failure = rc == WEIR_E_IO ? WEIR_FAILURE_BLOCKED : WEIR_FAILURE_FINAL;
    entry->retry_after_ms = 0;
    return rc == WEIR_OK;
}

static void add_ended(struct weir_outbox_entry *entry)
{
    struct weir_outbox *outbox = entry->lane->outbox;
    entry->head.error = weir_str_z(entry->err.msg);
    entry->ended_next = outbox->ended;
    outbox->ended = entry;
    outbox->options.host.changed(outbox->options.host.arg);
}

static void begin(
        struct weir_outbox_lane *lane, struct weir_outbox_entry *const *entries, size_t count)
{
    struct weir_outbox *outbox = lane->outbox;
    const struct weir_outbox_kind *kind = &outbox->kinds[lane->kind];
    struct weir_delivery *deliveries[BATCH_MAX];
    struct weir_outbox_batch *batch = weir_alloc_zero(1, sizeof(*batch));
    batch->lane = lane;
    for (size_t i = 0; i < count; i++) {
        outbox->under_way++;
        if (load(entries[i])) {
            entries[i]->batch = batch;
            deliveries[batch->running++] = &entries[i]->delivery;
        } else {
            add_ended(entries[i]);
        }
    }
    if (batch->running == 0) {
        weir_free(batch);
        return;
    }
    lane->batches++;
    kind->begin(kind->arg, deliveries, batch->running);
}

void weir_delivery_done(struct weir_delivery *delivery, enum weir_failure_class failure,
        const struct weir_err *err, uint64_t retry_after_ms)
{
    struct weir_outbox_entry *entry = WEIR_CONTAINER(delivery, struct weir_outbox_entry, delivery);
    weir_assert(entry->batch != NULL); /* once for each delivery */
    entry->failure = failure;
    entry->retry_after_ms = retry_after_ms;
    entry->err = err != NULL && failure != WEIR_FAILURE_NONE ? *err : (struct weir_err){ 0 };
    struct weir_outbox_batch *batch = WEIR_TAKE(entry->batch);
    if (--batch->running == 0) {
        batch->lane->batches--;
        weir_free(batch);
    }
    add_ended(entry);
}

/* --- what a lane does
 * ----------------------------------------------------------------------------- */

/* What may begin while a lane is gone through, and what it has to be looked at for. */
struct pass {
    struct weir_outbox_lane *lane;
    uint64_t now_ns;
    int64_t now_ms;
    bool trusts;  /* the wall clock, for ages */
    size_t room;  /* for batches in flight */
    size_t batch; /* deliveries that begin together */
    struct weir_outbox_entry *picked[BATCH_MAX];
    size_t picked_count;
    uint64_t due_ns;
};

static struct pass pass_over_lane(struct weir_outbox_lane *lane, uint64_t now_ns)
{
    struct weir_outbox *outbox = lane->outbox;
    const struct weir_outbox_kind *kind = &outbox->kinds[lane->kind];
    struct pass pass = {
        .lane = lane,
        .now_ns = now_ns,
        .now_ms = weir_clock_wall(outbox->clock).ms,
        .trusts = weir_clock_guard_trusts(&outbox->guard),
        .room = kind->concurrency,
        .batch = kind->batch,
        .due_ns = UINT64_MAX,
    };
    if (lane->refusals > 0) {
        bool waits = now_ns < lane->blocked_until_ns;
        pass.room = waits ? 0 : 1;
        pass.batch = 1; /* to see whether the target is there again */
        pass.due_ns = waits ? lane->blocked_until_ns : UINT64_MAX;
    }
    pass.room = pass.room > lane->batches ? pass.room - lane->batches : 0;
    if (outbox->stopping || kind->begin == NULL) {
        pass.room = 0;
    }
    return pass;
}

static void note_due(struct pass *pass, uint64_t due_ns)
{
    pass->due_ns = due_ns < pass->due_ns ? due_ns : pass->due_ns;
}

/* Whether an entry is too old; else it is looked at again when it is. */
static bool is_too_old(struct pass *pass, const struct weir_outbox_entry *entry)
{
    uint64_t max_age_ms = entry->head.retry.max_age_ms;
    uint64_t age_ms = pass->now_ms > entry->head.created.ms
                              ? (uint64_t)(pass->now_ms - entry->head.created.ms)
                              : 0;
    if (max_age_ms == 0) {
        return false;
    }
    if (age_ms >= max_age_ms && pass->trusts) {
        return true;
    }
    uint64_t left_ms = age_ms < max_age_ms ? max_age_ms - age_ms : AGAIN_MS;
    note_due(pass, pass->now_ns + left_ms * ms_ns);
    return false;
}

static void begin_picked(struct pass *pass)
{
    if (pass->picked_count > 0) {
        pass->room--; /* also when it ends at once */
        begin(pass->lane, pass->picked, pass->picked_count);
        pass->picked_count = 0;
    }
}

static enum weir_rc settle(struct pass *pass, struct weir_outbox_entry *entry, struct weir_err *err)
{
    if (entry->settle_ns <= pass->now_ns) {
        enum weir_rc rc = weir_outbox_entry_settle(entry, pass->now_ns, err);
        note_due(pass, rc != WEIR_OK ? pass->now_ns + AGAIN_MS * ms_ns : UINT64_MAX);
        return pass->lane->stuck ? WEIR_OK : rc; /* the lane's status says why it is stuck */
    }
    note_due(pass, entry->settle_ns);
    return WEIR_OK;
}

/* Look at one entry; it may be gone afterwards. */
static enum weir_rc visit(struct pass *pass, struct weir_outbox_entry *entry, struct weir_err *err)
{
    if (entry->state == WEIR_OUTBOX_SETTLING) {
        return entry->txn == NULL ? settle(pass, entry, err) : WEIR_OK;
    }
    if (entry->state == WEIR_OUTBOX_RUNNING ||
            (entry->order != NULL && entry->order->first != entry)) {
        return WEIR_OK;
    }
    if (is_too_old(pass, entry)) {
        weir_outbox_entry_give_up(entry, true);
        return settle(pass, entry, err);
    }
    if (entry->due_ns > pass->now_ns) {
        note_due(pass, entry->due_ns);
    } else if (pass->room > 0) {
        entry->state = WEIR_OUTBOX_RUNNING;
        pass->picked[pass->picked_count++] = entry;
        if (pass->picked_count == pass->batch) {
            begin_picked(pass);
        }
    }
    return WEIR_OK;
}

static enum weir_rc run_lane(struct weir_outbox_lane *lane, uint64_t now_ns, struct weir_err *err)
{
    bool filled = false;
    lane->series = weir_outbox_series_of(lane);
    enum weir_rc rc = weir_outbox_lane_fill(lane, FILL_BUDGET, &filled, err);
    struct pass pass = pass_over_lane(lane, now_ns);
    for (struct weir_outbox_entry *entry = lane->first; entry != NULL;) {
        struct weir_outbox_entry *next = entry->next;
        struct weir_err failed;
        if (visit(&pass, entry, &failed) != WEIR_OK) {
            rc = failed.code;
            *err = failed;
        }
        entry = next;
    }
    begin_picked(&pass);
    if (rc != WEIR_OK) {
        note_due(&pass, now_ns + AGAIN_MS * ms_ns);
    } else if (!filled || (lane->first == NULL && lane->more)) {
        pass.due_ns = 0;
    }
    lane->due_ns = pass.due_ns;
    return rc;
}

/* --- running
 * --------------------------------------------------------------------------------------- */

static void take_settled(struct weir_outbox *outbox, uint64_t now_ns)
{
    struct weir_outbox_entry *entry = atomic_exchange(&outbox->settled, NULL);
    while (entry != NULL) {
        struct weir_outbox_entry *next = entry->settled_next;
        entry->lane->due_ns = 0;
        weir_outbox_entry_settled(entry, now_ns);
        entry = next;
    }
}

static void take_ended(struct weir_outbox *outbox, uint64_t now_ns)
{
    struct weir_outbox_entry *entry = WEIR_TAKE(outbox->ended);
    while (entry != NULL) {
        struct weir_outbox_entry *next = entry->ended_next;
        outbox->under_way--;
        entry->lane->due_ns = 0;
        weir_outbox_entry_ended(entry, now_ns);
        entry = next;
    }
}

static void ask_to_be_woken(const struct weir_outbox *outbox, uint64_t now_ns)
{
    const struct weir_outbox_host *host = &outbox->options.host;
    uint64_t due_ns = UINT64_MAX;
    for (const struct weir_outbox_lane *lane = outbox->lanes; lane != NULL; lane = lane->hh.next) {
        due_ns = lane->due_ns < due_ns ? lane->due_ns : due_ns;
    }
    uint64_t after_ns = due_ns > now_ns ? due_ns - now_ns : 0;
    host->wake_at(host->arg, (after_ns + ms_ns - 1) / ms_ns, due_ns == UINT64_MAX);
}

static void tell_stopped(struct weir_outbox *outbox)
{
    if (outbox->stopping && outbox->under_way == 0 && outbox->stopped != NULL) {
        void (*stopped)(void *arg) = outbox->stopped;
        outbox->stopped = NULL;
        stopped(outbox->stopped_arg);
    }
}

enum weir_rc weir_outbox_run(struct weir_outbox *outbox, struct weir_err *err)
{
    uint64_t now_ns = weir_clock_monotonic_ns(outbox->clock);
    struct weir_outbox_lane *lane = NULL;
    struct weir_outbox_lane *other = NULL;
    struct weir_err failed = { 0 };
    take_settled(outbox, now_ns);
    take_ended(outbox, now_ns);
    enum weir_rc rc = take_notes(outbox, &failed);
    HASH_ITER(hh, outbox->lanes, lane, other)
    {
        struct weir_err own;
        if (lane->due_ns <= now_ns && run_lane(lane, now_ns, &own) != WEIR_OK) {
            rc = own.code;
            failed = own;
            weir_fail_in(&failed, rc, "outbox, %.*s: ", WEIR_STR_ARG(lane->target));
        }
        if (lane->first == NULL && !lane->more) {
            destroy_lane(lane);
        }
    }
    ask_to_be_woken(outbox, now_ns);
    tell_stopped(outbox);
    if (rc != WEIR_OK && err != NULL) {
        *err = failed;
    }
    return rc;
}

/* --- life
 * -------------------------------------------------------------------------------------------- */

/* The lanes that have intents, and the highest sequence number among those. */
static enum weir_rc load_lanes(
        struct weir_outbox *outbox, uint64_t *ret_highest, struct weir_err *err)
{
    static const char first_key[] = { WEIR_INTENT_LANES };
    struct weir_cursor *lanes = weir_cursor_create(outbox->options.store, WEIR_SPACE_INTENT);
    struct weir_cursor *heads = weir_cursor_create(outbox->options.store, WEIR_SPACE_INTENT);
    struct weir_arena arena;
    enum weir_rc rc = WEIR_OK;
    weir_arena_init(&arena);
    weir_cursor_seek(lanes, weir_str(first_key, sizeof(first_key)));
    for (; rc == WEIR_OK; weir_cursor_next(lanes)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_intent_numbers numbers = { 0 };
        uint64_t last = UINT64_MAX;
        bool have = false;
        rc = weir_cursor_get(lanes, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || key.p[0] != first_key[0]) {
            break;
        }
        struct weir_str name = weir_arena_str(&arena, weir_str(key.p + 1, key.n - 1));
        rc = weir_intent_numbers_read(entry.value, &numbers, err);
        if (rc == WEIR_OK) {
            rc = create_lane(outbox, name, numbers.first, err);
        }
        weir_cursor_seek_back(heads, weir_intent_key(&arena, WEIR_INTENT_HEAD, name, &last), true);
        if (rc == WEIR_OK) {
            rc = weir_cursor_get(heads, &key, &entry, &have, err);
        }
        uint64_t sequence =
                rc == WEIR_OK && have ? weir_intent_key_sequence(key, WEIR_INTENT_HEAD, name) : 0;
        *ret_highest = sequence > *ret_highest ? sequence : *ret_highest;
    }
    weir_arena_fini(&arena);
    weir_cursor_destroy(heads);
    weir_cursor_destroy(lanes);
    return rc;
}

enum weir_rc weir_outbox_create(const struct weir_outbox_options *options,
        struct weir_outbox **ret_outbox, struct weir_err *err)
{
    struct weir_outbox *outbox = weir_alloc_zero(1, sizeof(*outbox));
    struct weir_random fresh; /* another one at each start, whatever the seed */
    outbox->options = *options;
    outbox->clock = weir_store_clock(options->store);
    weir_clock_guard_init(&outbox->guard, outbox->clock);
    weir_mutex_init(&outbox->mutex, WEIR_LOCK_OUTBOX);
    if (options->seed != 0) {
        weir_random_seed(&outbox->random, options->seed);
    } else {
        weir_random_init(&outbox->random);
    }
    weir_random_init(&fresh);
    snprintf(outbox->prefix, sizeof(outbox->prefix), "%016llx",
            (unsigned long long)weir_random_u64(&fresh));
    /* The log's end grows by more than one with each intent: no number is given out twice. */
    uint64_t highest = weir_log_end(weir_store_log(options->store)).seq;
    enum weir_rc rc = load_lanes(outbox, &highest, err);
    atomic_store(&outbox->next_sequence, highest + 1);
    outbox->watch.space = WEIR_SPACE_INTENT;
    outbox->watch.wake = published;
    weir_store_watch(options->store, &outbox->watch);
    if (rc != WEIR_OK) {
        weir_outbox_destroy(outbox);
        return rc;
    }
    *ret_outbox = outbox;
    return WEIR_OK;
}

void weir_outbox_register(
        struct weir_outbox *outbox, enum weir_intent_kind kind, const struct weir_outbox_kind *how)
{
    weir_assert(how->concurrency > 0 && how->batch > 0 && how->batch <= BATCH_MAX);
    outbox->kinds[kind] = *how;
}

void weir_outbox_describe(const struct weir_outbox *outbox, const struct weir_delivery *delivery,
        struct weir_buf *json)
{
    const struct weir_outbox_kind *kind = &outbox->kinds[delivery->kind];
    if (kind->describe != NULL) {
        kind->describe(kind->arg, delivery->payload, json);
    } else {
        weir_buf_z(json, "null");
    }
}

void weir_outbox_stop(struct weir_outbox *outbox, void (*stopped)(void *arg), void *arg)
{
    outbox->stopping = true;
    outbox->stopped = stopped;
    outbox->stopped_arg = arg;
    outbox->options.host.changed(outbox->options.host.arg);
}

/* Transactions that nobody looked at any more. */
static void drop_transactions(struct weir_outbox *outbox, struct weir_outbox_lane *lane)
{
    const struct weir_outbox_host *host = &outbox->options.host;
    for (struct weir_outbox_entry *entry = lane->first; entry != NULL; entry = entry->next) {
        weir_txn_destroy(WEIR_TAKE(entry->txn));
        if (entry->held != NULL) {
            host->release(host->arg, WEIR_TAKE(entry->held));
        }
    }
}

void weir_outbox_destroy(struct weir_outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    weir_store_unwatch(outbox->options.store, &outbox->watch);
    struct weir_outbox_lane *lane = NULL;
    struct weir_outbox_lane *other = NULL;
    HASH_ITER(hh, outbox->lanes, lane, other)
    {
        drop_transactions(outbox, lane);
        destroy_lane(lane);
    }
    free_notes(&outbox->noted);
    free_notes(&outbox->ready);
    weir_outbox_series_free(outbox);
    weir_mutex_fini(&outbox->mutex);
    weir_free(outbox);
}
