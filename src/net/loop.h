/*
 * The event loop of one thread.
 *
 * A loop belongs to the thread that runs it; everything made on it (servers,
 * timers, connections) is used and destroyed on that thread, or before the
 * loop first runs and after it last ran. Two calls are for any thread:
 * weir_loop_post and weir_loop_stop.
 *
 * Work reaches a loop as a struct weir_post that its owner embeds in the thing
 * to be worked on, so posting never allocates. A post is in at most one queue
 * at a time; it may be used again from the moment its run is called.
 *
 *     call                       before run   while running      after run
 *     weir_loop_post, _stop      any thread   any thread         any thread
 *     weir_loop_defer, timers    yes          loop thread only   yes
 *     weir_loop_destroy          yes          no                 yes
 *
 * Creating a loop makes the process ignore SIGPIPE: a client that left shows
 * as an error of the write.
 *
 * A loop on virtual time (tests, simulations) does no I/O and never waits. Its timers follow
 * a virtual clock, and time passes only in weir_loop_advance, which jumps from one
 * due timer to the next. Everything runs on the one thread that calls it, in an order that
 * depends on nothing but what was posted, deferred and started, so a run repeats itself exactly.
 * Servers cannot be made on it, and calls of HTTP clients fail unless something stands in for
 * the network.
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

struct weir_loop;
struct uv_timer_s;

/* One piece of work. Embed it; WEIR_CONTAINER leads back to what it is part of. */
struct weir_post {
    void (*run)(struct weir_post *post); /* required; runs once on the loop's thread */
    struct weir_post *next;              /* the queue's; nobody else touches it */
};

/*
 * Make a loop. The clock is borrowed for the loop's life; it stamps what the
 * loop's servers say (Date headers). Timers follow the machine's monotonic time: for another
 * one there is weir_loop_create_virtual.
 *
 * Errors: WEIR_E_IO (no descriptors left).
 */
WEIR_MUST_CHECK enum weir_rc weir_loop_create(
        const struct weir_clock *clock, struct weir_loop **ret_loop, struct weir_err *err);

/*
 * Make a loop on virtual time. The clock is borrowed for the loop's life, and is moved by
 * weir_loop_advance only.
 */
struct weir_loop *weir_loop_create_virtual(struct weir_clock_virtual *clock);

/*
 * Free a loop; NULL is fine. Everything made on it must have been destroyed
 * (their last callbacks run in here), and no thread may still be posting.
 * Posts that have not run by now run in here too.
 */
void weir_loop_destroy(struct weir_loop *loop);
WEIR_AUTO_DEFINE(weir_loop);

/* Run on the calling thread until weir_loop_stop. May be called again after that. */
void weir_loop_run(struct weir_loop *loop);

/*
 * Make weir_loop_run return after the callbacks of the moment; when it does not run, the
 * next run returns at once. Any thread.
 */
void weir_loop_stop(struct weir_loop *loop);

/* Whether the loop is on virtual time. Any thread. */
bool weir_loop_is_virtual(const struct weir_loop *loop);

/* The clock the loop was made with. Any thread. */
const struct weir_clock *weir_loop_clock(const struct weir_loop *loop);

/*
 * Run a post on the loop's thread soon. Posts of one thread run in the order
 * in which they were posted. What several posts cost in wake-ups is one, when
 * they come before the loop has looked. Any thread; never blocks.
 */
void weir_loop_post(struct weir_loop *loop, struct weir_post *post);

/*
 * Run a post after the loop has polled for I/O: how long work yields. What is
 * deferred by a deferred post runs after the next poll. Loop thread only.
 */
void weir_loop_defer(struct weir_loop *loop, struct weir_post *post);

/* --- virtual time ---------------------------------------------------------------- */

/*
 * Who else has work: called when nothing is posted or deferred; returns whether it did
 * something, and is then called again after what that posted. One a loop; NULL: nobody.
 */
void weir_loop_on_idle(struct weir_loop *loop, bool (*work)(void *arg), void *arg);

/*
 * Run what is posted, deferred and due, and what that leads to, until nothing is left to do
 * before time passes.
 *
 * Errors: WEIR_E_LIMIT (it does not come to rest: something starts itself again without a pause).
 */
WEIR_MUST_CHECK enum weir_rc weir_loop_run_until_idle(struct weir_loop *loop, struct weir_err *err);

/*
 * Let ms milliseconds pass: run until idle, jump to the next due timer, and so on. Ends idle.
 * Cost: that of the work; time in which nothing is due costs nothing. Errors: as
 * weir_loop_run_until_idle.
 */
WEIR_MUST_CHECK enum weir_rc weir_loop_advance(
        struct weir_loop *loop, uint64_t ms, struct weir_err *err);

/* How long until the next timer is due; false: none runs. */
bool weir_loop_next_due(struct weir_loop *loop, uint64_t *ret_after_ms);

/* --- timers ------------------------------------------------------------------------ */

/* A timer. Embed it; fire runs on the loop's thread. Durations are monotonic. */
struct weir_loop_timer {
    void (*fire)(struct weir_loop_timer *timer);
    struct weir_loop *loop;
    struct uv_timer_s *handle; /* owned; NULL before init, after fini, and on virtual time */
    uint64_t due_ns;           /* virtual time: of its clock */
    uint64_t order;            /* virtual time: timers due together fire as they were started */
    size_t place;              /* virtual time: in the loop's heap, from 1; 0: does not run */
};

/* Prepare a timer that does not run yet. Loop thread only, as all that follows. */
void weir_loop_timer_init(struct weir_loop_timer *timer, struct weir_loop *loop,
        void (*fire)(struct weir_loop_timer *timer));

/* Fire once after ms milliseconds; a timer that already runs starts anew. */
void weir_loop_timer_start(struct weir_loop_timer *timer, uint64_t ms);

/* Do not fire; harmless when it does not run. */
void weir_loop_timer_stop(struct weir_loop_timer *timer);

/* Stop and free what is behind it. Accepts a zeroed or finished timer. May be called by fire. */
void weir_loop_timer_fini(struct weir_loop_timer *timer);

#endif
