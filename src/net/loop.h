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
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

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
 * loop's servers say (Date headers). Timers follow the machine's monotonic time.
 *
 * Errors: WEIR_E_IO (no descriptors left).
 */
WEIR_MUST_CHECK enum weir_rc weir_loop_create(
        const struct weir_clock *clock, struct weir_loop **ret_loop, struct weir_err *err);

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

/* A timer. Embed it; fire runs on the loop's thread. Durations are monotonic. */
struct weir_loop_timer {
    void (*fire)(struct weir_loop_timer *timer);
    struct weir_loop *loop;
    struct uv_timer_s *handle; /* owned; NULL before init and after fini */
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
