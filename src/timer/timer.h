/*
 * Durable timers: something to be done at a time, which survives a restart.
 *
 * A timer is an entry of WEIR_SPACE_TIMER. Those of a kind stand in the order of their due times;
 * kinds of which there may be a great many (times to live, expiring state) stand apart, are handed
 * out in small groups behind the others, and keep nobody waiting. A timer is set and cancelled by
 * changes of a transaction, together with whatever it belongs to. When it is due the service hands
 * it to the handler of its kind, which commits a transaction that deletes the timer and does what
 * it was for; until that commit it is handed out again (at the next start at the latest), so
 * handlers act at least once, and exactly once in effect when all they do is in that transaction.
 *
 * The service knows no event loop: whoever runs it is told through wake_at when to
 * call weir_timers_run. One thread.
 */
#ifndef WEIR_TIMER_TIMER_H
#define WEIR_TIMER_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/* Who handles a timer. The numbers are part of the format. */
enum weir_timer_kind {
    WEIR_TIMER_TTL = 1,      /* table/: an item's time to live; name is keyspace and item key */
    WEIR_TIMER_STATE = 2,    /* state/: a state entry's expiry; name is its key */
    WEIR_TIMER_SCHEDULE = 3, /* schedule/: a firing; name is the schedule's group and name */
    WEIR_TIMER_KINDS = 16,
};

struct weir_timer {
    struct weir_time due;
    enum weir_timer_kind kind;
    struct weir_str name;
    struct weir_str value;
    struct weir_str key; /* of the entry: delete it in WEIR_SPACE_TIMER to cancel the timer */
};

/* The entry's key for a timer, in the arena. Due times before 1970 count as 1970. */
struct weir_str weir_timer_key(struct weir_arena *arena, struct weir_time due,
        enum weir_timer_kind kind, struct weir_str name);

struct weir_timers;

struct weir_timer_handler {
    /*
     * Handle due timers of the kind, in order of time; they are borrowed for the call.
     * Call weir_timers_done once when all of them are gone from the store or were given up;
     * no more of the kind are handed out before that.
     */
    void (*fire)(void *arg, const struct weir_timer *timers, size_t count);
    void *arg;
};

/* How the service asks to be run: wake_at replaces the time asked for before; 0: not at all. */
struct weir_timer_host {
    void (*wake_at)(void *arg, uint64_t after_ms, bool never);
    /* A timer was set by some commit: call weir_timers_run soon, on the service's thread. */
    void (*changed)(void *arg);
    void *arg;
};

/* Make the service; handlers are set before weir_timers_run is called first. */
struct weir_timers *weir_timers_create(struct weir_store *store, struct weir_timer_host host);
void weir_timers_destroy(struct weir_timers *timers);

/* Who handles a kind. */
void weir_timers_handle(
        struct weir_timers *timers, enum weir_timer_kind kind, struct weir_timer_handler handler);

/* Zeroed memory for a handler, freed with the service. */
void *weir_timers_memory(struct weir_timers *timers, size_t size);

/* Hand out what is due and ask to be woken for what comes next. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_timers_run(struct weir_timers *timers, struct weir_err *err);

/*
 * The handler of a kind has finished with what it was given. committed false: they are still
 * there, and are handed out again after a second. Any thread.
 */
void weir_timers_done(struct weir_timers *timers, enum weir_timer_kind kind, bool committed);

#endif
