/* Running a loop under a watchdog: when nobody stops it, the test says what it waited for. */
#ifndef WEIR_TESTS_UNIT_NET_WATCHED_LOOP_H
#define WEIR_TESTS_UNIT_NET_WATCHED_LOOP_H

#include <stdio.h>
#include <stdlib.h>

#include "../await.h"
#include "net/loop.h"

struct watchdog {
    struct weir_loop_timer timer;
    const char *awaited;
    void (*tell)(void *arg);
    void *arg;
};

static inline void bark(struct weir_loop_timer *timer)
{
    struct watchdog *watchdog = WEIR_CONTAINER(timer, struct watchdog, timer);
    fprintf(stderr, "waited in vain for %s\n", watchdog->awaited);
    watchdog->tell(watchdog->arg);
    abort();
}

/* Run a loop until something stops it; when nothing does, tell says on stderr how things stand. */
static inline void run_watched(
        struct weir_loop *loop, const char *awaited, void (*tell)(void *arg), void *arg)
{
    struct watchdog watchdog = { .awaited = awaited, .tell = tell, .arg = arg };
    weir_loop_timer_init(&watchdog.timer, loop, bark);
    weir_loop_timer_start(&watchdog.timer, AWAIT_MS);
    weir_loop_run(loop);
    weir_loop_timer_fini(&watchdog.timer);
}

/* Let a loop look once for what there is to do. */
static inline void run_once(struct weir_loop *loop)
{
    weir_loop_stop(loop);
    weir_loop_run(loop);
}

#endif
