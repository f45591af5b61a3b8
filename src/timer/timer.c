#include "timer/timer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

enum {
    HEAD_BYTES = 9, /* due time, kind */
    HAND_OUT_MAX = 200,
    PASS_OVER_MAX = 1000,    /* due timers of kinds that are busy; weir_timers_done looks again */
    DISTRUST_MS = 30 * 1000, /* between looks at a clock that stepped ahead */
    RETRY_MS = 1000,         /* a kind whose handler could not commit */
};

struct weir_timers {
    struct weir_store *store;
    struct weir_timer_host host;
    struct weir_watch watch;
    struct weir_arena arena; /* the handlers' */
    struct weir_clock_guard guard;
    struct weir_timer_handler handlers[WEIR_TIMER_KINDS];
    _Atomic bool busy[WEIR_TIMER_KINDS]; /* handed out, not done yet */
    _Atomic bool wait[WEIR_TIMER_KINDS]; /* could not be committed: sit out one run */
};

struct weir_str weir_timer_key(struct weir_arena *arena, struct weir_time due,
        enum weir_timer_kind kind, struct weir_str name)
{
    char *key = weir_arena_alloc(arena, HEAD_BYTES + name.n);
    uint64_t ms = due.ms > 0 ? (uint64_t)due.ms : 0;
    for (int i = 0; i < 8; i++) {
        key[i] = (char)(ms >> (56 - 8 * i));
    }
    key[8] = (char)kind;
    if (name.n > 0) {
        memcpy(key + HEAD_BYTES, name.p, name.n);
    }
    return weir_str(key, HEAD_BYTES + name.n);
}

static enum weir_rc parse_key(
        struct weir_str key, struct weir_timer *ret_timer, struct weir_err *err)
{
    if (key.n < HEAD_BYTES || key.p[8] < 0 || key.p[8] >= WEIR_TIMER_KINDS) {
        return weir_fail(
                err, WEIR_E_DAMAGED, "a timer's key has %zu bytes or an unknown kind", key.n);
    }
    uint64_t ms = 0;
    for (int i = 0; i < 8; i++) {
        ms = ms << 8 | (unsigned char)key.p[i];
    }
    ret_timer->due.ms = (int64_t)ms;
    ret_timer->kind = (enum weir_timer_kind)key.p[8];
    ret_timer->name = weir_str(key.p + HEAD_BYTES, key.n - HEAD_BYTES);
    ret_timer->key = key;
    return WEIR_OK;
}

static void timers_changed(struct weir_watch *watch)
{
    struct weir_timers *timers = WEIR_CONTAINER(watch, struct weir_timers, watch);
    timers->host.changed(timers->host.arg);
}

struct weir_timers *weir_timers_create(struct weir_store *store, struct weir_timer_host host)
{
    struct weir_timers *timers = weir_alloc_zero(1, sizeof(*timers));
    timers->store = store;
    weir_arena_init(&timers->arena);
    weir_clock_guard_init(&timers->guard, weir_store_clock(store));
    timers->host = host;
    timers->watch.space = WEIR_SPACE_TIMER;
    timers->watch.wake = timers_changed;
    weir_store_watch(store, &timers->watch);
    return timers;
}

void weir_timers_destroy(struct weir_timers *timers)
{
    if (timers != NULL) {
        weir_store_unwatch(timers->store, &timers->watch);
        weir_arena_fini(&timers->arena);
        weir_free(timers);
    }
}

void weir_timers_handle(
        struct weir_timers *timers, enum weir_timer_kind kind, struct weir_timer_handler handler)
{
    timers->handlers[kind] = handler;
}

void *weir_timers_memory(struct weir_timers *timers, size_t size)
{
    return weir_arena_zero(&timers->arena, 1, size);
}

void weir_timers_done(struct weir_timers *timers, enum weir_timer_kind kind, bool committed)
{
    atomic_store(&timers->wait[kind], !committed);
    atomic_store(&timers->busy[kind], false);
    timers->host.changed(timers->host.arg);
}

/* The due timers of one run, by kind, copied into an arena. */
struct due {
    struct weir_arena arena;
    struct weir_timer *lists[WEIR_TIMER_KINDS];
    size_t counts[WEIR_TIMER_KINDS];
    bool more; /* some that are due did not fit */
    bool have_next;
    struct weir_time next; /* the first that is not due yet */
};

static void note_due(struct due *due, const struct weir_timer *timer)
{
    size_t *count = &due->counts[timer->kind];
    if (*count == HAND_OUT_MAX) {
        due->more = true;
        return;
    }
    if (due->lists[timer->kind] == NULL) {
        due->lists[timer->kind] =
                weir_arena_zero(&due->arena, HAND_OUT_MAX, sizeof(struct weir_timer));
    }
    struct weir_timer *copy = &due->lists[timer->kind][(*count)++];
    *copy = *timer;
    copy->key = weir_arena_str(&due->arena, timer->key);
    copy->name = weir_str(copy->key.p + HEAD_BYTES, copy->key.n - HEAD_BYTES);
    copy->value = weir_arena_str(&due->arena, timer->value);
}

static enum weir_rc find_due(
        struct weir_timers *timers, struct weir_time now, struct due *due, struct weir_err *err)
{
    struct weir_cursor *cursor = weir_cursor_create(timers->store, WEIR_SPACE_TIMER);
    enum weir_rc rc = WEIR_OK;
    int passed_over = 0;
    for (weir_cursor_first(cursor); !due->more; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_timer timer = { 0 };
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have) {
            break;
        }
        rc = parse_key(key, &timer, err);
        if (rc != WEIR_OK) {
            break;
        }
        if (timer.due.ms > now.ms) {
            due->have_next = true;
            due->next = timer.due;
            break;
        }
        timer.value = entry.value;
        if (!atomic_load(&timers->busy[timer.kind])) {
            note_due(due, &timer);
        } else if (++passed_over == PASS_OVER_MAX) {
            break;
        }
    }
    weir_cursor_destroy(cursor);
    return rc;
}

static void hand_out(struct weir_timers *timers, const struct due *due, struct weir_time now)
{
    uint64_t after_ms = due->have_next ? (uint64_t)(due->next.ms - now.ms) : UINT64_MAX;
    for (int kind = 0; kind < WEIR_TIMER_KINDS; kind++) {
        if (due->counts[kind] > 0 && atomic_exchange(&timers->wait[kind], false)) {
            after_ms = after_ms < RETRY_MS ? after_ms : RETRY_MS;
            continue;
        }
        const struct weir_timer_handler *handler = &timers->handlers[kind];
        if (due->counts[kind] > 0 && handler->fire != NULL) {
            atomic_store(&timers->busy[kind], true);
            handler->fire(handler->arg, due->lists[kind], due->counts[kind]);
        }
    }
    timers->host.wake_at(timers->host.arg, after_ms, after_ms == UINT64_MAX);
}

enum weir_rc weir_timers_run(struct weir_timers *timers, struct weir_err *err)
{
    struct due due = { 0 };
    weir_arena_init(&due.arena);
    struct weir_time now = weir_clock_wall(weir_store_clock(timers->store));
    if (!weir_clock_guard_trusts(&timers->guard)) {
        weir_arena_fini(&due.arena);
        timers->host.wake_at(timers->host.arg, DISTRUST_MS, false);
        return weir_fail(err, WEIR_E_BUSY,
                "the clock stepped ahead by %lld s: expiry waits until it is set right, or ten "
                "minutes",
                (long long)(timers->guard.ahead_ms / 1000));
    }
    enum weir_rc rc = find_due(timers, now, &due, err);
    if (rc == WEIR_OK) {
        hand_out(timers, &due, now);
    }
    weir_arena_fini(&due.arena);
    return rc;
}
