/* What the files of net/ share about the loop; uv.h is included in net/ only. */
#ifndef WEIR_NET_NET_INT_H
#define WEIR_NET_NET_INT_H

#include <stdbool.h>
#include <uv.h>

#include "net/http_client.h"
#include "net/loop.h"

/* The libuv loop behind a loop, which must not be on virtual time. Loop thread only. */
uv_loop_t *weir_loop_uv(struct weir_loop *loop);

/* loop.c: run what is posted, and what is deferred. False: there was nothing. */
bool weir_loop_run_posted(struct weir_loop *loop);
bool weir_loop_run_deferred(struct weir_loop *loop);

/* --- virtual_time.c ------------------------------------------------------------------- */

/* What a loop on virtual time has instead of libuv's timers: those that run, soonest first. */
struct weir_virtual_time {
    struct weir_clock_virtual *clock; /* NULL: the loop is not on virtual time */
    struct weir_loop_timer **heap;    /* heap[0] is due first */
    size_t count;
    size_t capacity;
    uint64_t started; /* timers so far */
    bool (*work)(void *arg);
    void *work_arg;
    struct weir_http_stand_in (*answer)(void *arg, const struct weir_http_call *call);
    void *answer_arg; /* of what stands in for the network */
};

/* loop.c: a loop's own. */
struct weir_virtual_time *weir_loop_virtual(struct weir_loop *loop);

void weir_virtual_time_fini(struct weir_virtual_time *time);
void weir_virtual_time_start(
        struct weir_virtual_time *time, struct weir_loop_timer *timer, uint64_t ms);
/* Harmless when it does not run. */
void weir_virtual_time_stop(struct weir_virtual_time *time, struct weir_loop_timer *timer);

#endif
