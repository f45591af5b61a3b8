#include "timer/timer.h"

#include <stdatomic.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

/*
 * Kinds of which a great many may be due at once stand apart, each in a range of keys that begin
 * with its number, so that they keep nobody else waiting. The others share the range that begins
 * with zero, which is the first byte of every due time; there, what has been due since before the
 * kinds stood apart is found, too.
 */
enum {
    HEAD_BYTES = 9, /* due time and kind, or kind and due time */
    SHARED_RANGE = 0,
    HAND_OUT_MAX = 200,
    HAND_OUT_MAX_APART = 50, /* a commit of so many takes some ms, and others wait for it */
    PASS_OVER_MAX = 1000,    /* due timers of kinds that are busy; weir_timers_done looks again */
    DISTRUST_MS = 30 * 1000, /* between looks at a clock that stepped ahead */
    RETRY_MS = 1000,         /* a kind whose handler could not commit */
    RANGE_END = 0xff,        /* behind a range's byte: behind all its keys, no time is that late */
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
    /*
     * Where each range begins: a key at or before its first timer, on the service's thread. What is
     * in front was deleted, and stepping over it takes time.
     */
    struct weir_str begins[WEIR_TIMER_KINDS];   /* owned; empty: not known */
    struct weir_mutex mutex;                    /* guards what follows */
    struct weir_str earliest[WEIR_TIMER_KINDS]; /* owned: that was set since; empty: none */
    bool any_set;                               /* it is not known which were */
};

static bool stands_apart(enum weir_timer_kind kind)
{
    return kind == WEIR_TIMER_TTL || kind == WEIR_TIMER_STATE;
}

struct weir_str weir_timer_key(struct weir_arena *arena, struct weir_time due,
        enum weir_timer_kind kind, struct weir_str name)
{
    char *key = weir_arena_alloc(arena, HEAD_BYTES + name.n);
    uint64_t ms = due.ms > 0 ? (uint64_t)due.ms : 0;
    bool apart = stands_apart(kind);
    for (int i = 0; i < 8; i++) {
        key[apart + i] = (char)(ms >> (56 - 8 * i));
    }
    key[apart ? 0 : 8] = (char)kind;
    if (name.n > 0) {
        memcpy(key + HEAD_BYTES, name.p, name.n);
    }
    return weir_str(key, HEAD_BYTES + name.n);
}

static enum weir_rc parse_key(
        struct weir_str key, struct weir_timer *ret_timer, struct weir_err *err)
{
    bool apart = key.n > 0 && key.p[0] != SHARED_RANGE;
    char kind = key.n >= HEAD_BYTES ? key.p[apart ? 0 : 8] : -1;
    if (kind < 0 || kind >= WEIR_TIMER_KINDS) {
        return weir_fail(
                err, WEIR_E_DAMAGED, "a timer's key has %zu bytes or an unknown kind", key.n);
    }
    uint64_t ms = 0;
    for (int i = 0; i < 8; i++) {
        ms = ms << 8 | (unsigned char)key.p[apart + i];
    }
    ret_timer->due.ms = (int64_t)ms;
    ret_timer->kind = (enum weir_timer_kind)kind;
    ret_timer->name = weir_str(key.p + HEAD_BYTES, key.n - HEAD_BYTES);
    ret_timer->key = key;
    return WEIR_OK;
}

static void replace(struct weir_str *owned, struct weir_str by)
{
    weir_str_disown(*owned);
    *owned = by;
}

/* Commit thread: a timer was set. */
static void timer_set(struct weir_watch *watch, struct weir_str key)
{
    struct weir_timers *timers = WEIR_CONTAINER(watch, struct weir_timers, watch);
    weir_mutex_lock(&timers->mutex);
    timers->any_set = timers->any_set || key.n == 0;
    if (key.n > 0 && key.p[0] >= 0 && key.p[0] < WEIR_TIMER_KINDS) {
        struct weir_str *earliest = &timers->earliest[(int)key.p[0]];
        if (earliest->n == 0 || weir_str_cmp(key, *earliest) < 0) {
            replace(earliest, weir_str_own(key));
        }
    }
    weir_mutex_unlock(&timers->mutex);
}

/* Take into account what was set since the last look. */
static void follow_set(struct weir_timers *timers)
{
    weir_mutex_lock(&timers->mutex);
    for (int range = 0; range < WEIR_TIMER_KINDS; range++) {
        struct weir_str earliest = timers->earliest[range];
        struct weir_str *begins = &timers->begins[range];
        timers->earliest[range] = (struct weir_str){ 0 };
        if (timers->any_set) {
            replace(begins, (struct weir_str){ 0 });
            weir_str_disown(earliest);
        } else if (earliest.n > 0 && begins->n > 0 && weir_str_cmp(earliest, *begins) < 0) {
            replace(begins, earliest);
        } else {
            weir_str_disown(earliest);
        }
    }
    timers->any_set = false;
    weir_mutex_unlock(&timers->mutex);
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
    timers->watch.put = timer_set;
    weir_mutex_init(&timers->mutex, WEIR_LOCK_TIMERS);
    weir_store_watch(store, &timers->watch);
    return timers;
}

void weir_timers_destroy(struct weir_timers *timers)
{
    if (timers != NULL) {
        weir_store_unwatch(timers->store, &timers->watch);
        for (int range = 0; range < WEIR_TIMER_KINDS; range++) {
            weir_str_disown(timers->begins[range]);
            weir_str_disown(timers->earliest[range]);
        }
        weir_mutex_fini(&timers->mutex);
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
    bool have_next;
    struct weir_time next; /* the first that is not due yet */
};

/* Whether there is room for more of the kind. */
static bool note_due(struct due *due, const struct weir_timer *timer)
{
    size_t *count = &due->counts[timer->kind];
    size_t most = stands_apart(timer->kind) ? HAND_OUT_MAX_APART : HAND_OUT_MAX;
    if (*count == most) {
        return false;
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
    return true;
}

/* Note what a timer is for this run. False: nothing behind it matters. */
static bool look_at(struct weir_timers *timers, const struct weir_timer *timer,
        struct weir_time now, struct due *due, int *passed_over)
{
    if (timer->due.ms > now.ms) {
        if (!due->have_next || timer->due.ms < due->next.ms) {
            due->have_next = true;
            due->next = timer->due;
        }
        return false;
    }
    if (atomic_load(&timers->busy[timer->kind])) {
        return ++*passed_over < PASS_OVER_MAX;
    }
    return note_due(due, timer);
}

static enum weir_rc find_in_range(struct weir_timers *timers, int range, struct weir_time now,
        struct due *due, struct weir_err *err)
{
    const char whole = (char)range;
    const char end[] = { (char)range, (char)RANGE_END };
    struct weir_str *begins = &timers->begins[range];
    struct weir_str first = weir_str(end, sizeof(end));
    struct weir_cursor *cursor = weir_cursor_create(timers->store, WEIR_SPACE_TIMER);
    enum weir_rc rc = WEIR_OK;
    int passed_over = 0;
    bool goes_on = true;
    weir_cursor_seek(cursor, begins->n > 0 ? *begins : weir_str(&whole, 1));
    for (bool is_first = true; goes_on; is_first = false, weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_timer timer = { 0 };
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || key.n == 0 || key.p[0] != whole) {
            break;
        }
        first = is_first ? weir_arena_str(&due->arena, key) : first;
        rc = parse_key(key, &timer, err);
        timer.value = entry.value;
        goes_on = rc == WEIR_OK && look_at(timers, &timer, now, due, &passed_over);
    }
    weir_cursor_destroy(cursor);
    if (rc == WEIR_OK) {
        replace(begins, weir_str_own(first));
    }
    return rc;
}

static enum weir_rc find_due(
        struct weir_timers *timers, struct weir_time now, struct due *due, struct weir_err *err)
{
    follow_set(timers);
    enum weir_rc rc = find_in_range(timers, SHARED_RANGE, now, due, err);
    for (int kind = SHARED_RANGE + 1; rc == WEIR_OK && kind < WEIR_TIMER_KINDS; kind++) {
        bool apart = stands_apart((enum weir_timer_kind)kind);
        if (apart && !atomic_load(&timers->busy[kind]) && due->counts[kind] == 0) {
            rc = find_in_range(timers, kind, now, due, err);
        } /* else it is looked at when what it has is done */
    }
    return rc;
}

/* The timers of a kind; false: they have to sit out this run. */
static bool hand_out_kind(struct weir_timers *timers, const struct due *due, int kind)
{
    if (due->counts[kind] > 0 && atomic_exchange(&timers->wait[kind], false)) {
        return false;
    }
    const struct weir_timer_handler *handler = &timers->handlers[kind];
    if (due->counts[kind] > 0 && handler->fire != NULL) {
        atomic_store(&timers->busy[kind], true);
        handler->fire(handler->arg, due->lists[kind], due->counts[kind]);
    }
    return true;
}

/* Those that stand apart come last: what they commit takes longer. */
static void hand_out(struct weir_timers *timers, const struct due *due, struct weir_time now)
{
    uint64_t after_ms = due->have_next ? (uint64_t)(due->next.ms - now.ms) : UINT64_MAX;
    for (int i = 0; i < 2 * WEIR_TIMER_KINDS; i++) {
        int kind = i % WEIR_TIMER_KINDS;
        bool last = i >= WEIR_TIMER_KINDS;
        if (stands_apart((enum weir_timer_kind)kind) == last && !hand_out_kind(timers, due, kind)) {
            after_ms = after_ms < RETRY_MS ? after_ms : RETRY_MS;
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
