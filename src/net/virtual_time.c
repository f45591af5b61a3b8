/*
 * Virtual time: a heap of timers, and a clock that jumps from one to the next.
 *
 * One instant is worked off in rounds: what was posted, what was deferred, then whoever else has
 * work (the store's commits), and only when none of them did anything the timers that are
 * due. That is one of the orders that a loop on the machine's clock could take.
 */
#include "base/mem.h"
#include "net/net_int.h"

enum {
    ROUNDS_MAX = 1000 * 1000, /* of one instant; more is something that never rests */
    HEAP_FIRST = 64,
};

static const uint64_t ms_ns = 1000 * 1000;

/* --- the heap ---------------------------------------------------------------------- */

static bool is_before(const struct weir_loop_timer *a, const struct weir_loop_timer *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void set_place(struct weir_virtual_time *time, size_t i, struct weir_loop_timer *timer)
{
    time->heap[i] = timer;
    timer->place = i + 1;
}

/* Put a timer at i, or where it belongs above. */
static void sift_up(struct weir_virtual_time *time, size_t i, struct weir_loop_timer *timer)
{
    while (i > 0 && is_before(timer, time->heap[(i - 1) / 2])) {
        set_place(time, i, time->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    set_place(time, i, timer);
}

/* Put a timer at i, or where it belongs below. */
static void sift_down(struct weir_virtual_time *time, size_t i, struct weir_loop_timer *timer)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < time->count && is_before(time->heap[child + 1], time->heap[child])) {
            child++;
        }
        if (child >= time->count || !is_before(time->heap[child], timer)) {
            break;
        }
        set_place(time, i, time->heap[child]);
        i = child;
    }
    set_place(time, i, timer);
}

void weir_virtual_time_stop(struct weir_virtual_time *time, struct weir_loop_timer *timer)
{
    if (timer->place == 0) {
        return;
    }
    size_t hole = timer->place - 1;
    struct weir_loop_timer *last = time->heap[--time->count];
    timer->place = 0;
    if (last == timer) {
        return;
    }
    if (hole > 0 && is_before(last, time->heap[(hole - 1) / 2])) {
        sift_up(time, hole, last);
    } else {
        sift_down(time, hole, last);
    }
}

void weir_virtual_time_start(
        struct weir_virtual_time *time, struct weir_loop_timer *timer, uint64_t ms)
{
    weir_virtual_time_stop(time, timer);
    if (time->count == time->capacity) {
        time->capacity = time->capacity > 0 ? 2 * time->capacity : HEAP_FIRST;
        time->heap = weir_realloc(time->heap, time->capacity, sizeof(struct weir_loop_timer *));
    }
    uint64_t now_ns = weir_clock_monotonic_ns(&time->clock->base);
    uint64_t most_ms = (UINT64_MAX - now_ns) / ms_ns;
    timer->due_ns = now_ns + (ms < most_ms ? ms : most_ms) * ms_ns;
    timer->order = time->started++;
    sift_up(time, time->count++, timer);
}

void weir_virtual_time_fini(struct weir_virtual_time *time)
{
    weir_assert(time->count == 0); /* else a timer made on the loop was not finished */
    weir_free(time->heap);
}

/* --- running ------------------------------------------------------------------------- */

void weir_loop_on_idle(struct weir_loop *loop, bool (*work)(void *arg), void *arg)
{
    struct weir_virtual_time *time = weir_loop_virtual(loop);
    time->work = work;
    time->work_arg = arg;
}

/* Fire what is due now. What is started meanwhile waits for the next round. */
static bool fire_due(struct weir_virtual_time *time)
{
    uint64_t now_ns = weir_clock_monotonic_ns(&time->clock->base);
    uint64_t order_end = time->started;
    bool any = false;
    while (time->count > 0 && time->heap[0]->due_ns <= now_ns && time->heap[0]->order < order_end) {
        struct weir_loop_timer *timer = time->heap[0];
        weir_virtual_time_stop(time, timer);
        timer->fire(timer);
        any = true;
    }
    return any;
}

enum weir_rc weir_loop_run_until_idle(struct weir_loop *loop, struct weir_err *err)
{
    struct weir_virtual_time *time = weir_loop_virtual(loop);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool ran = weir_loop_run_posted(loop);
        ran = weir_loop_run_deferred(loop) || ran;
        if (ran || (time->work != NULL && time->work(time->work_arg)) || fire_due(time)) {
            continue;
        }
        return WEIR_OK;
    }
    char now[WEIR_TIME_TEXT];
    weir_time_format(weir_clock_wall(&time->clock->base), now);
    return weir_fail(err, WEIR_E_LIMIT,
            "at %s the work never comes to rest: something starts itself again without a pause",
            now);
}

bool weir_loop_next_due(struct weir_loop *loop, uint64_t *ret_after_ms)
{
    const struct weir_virtual_time *time = weir_loop_virtual(loop);
    if (time->count == 0) {
        return false;
    }
    uint64_t now_ns = weir_clock_monotonic_ns(&time->clock->base);
    uint64_t due_ns = time->heap[0]->due_ns;
    *ret_after_ms = due_ns > now_ns ? (due_ns - now_ns + ms_ns - 1) / ms_ns : 0;
    return true;
}

enum weir_rc weir_loop_advance(struct weir_loop *loop, uint64_t ms, struct weir_err *err)
{
    struct weir_virtual_time *time = weir_loop_virtual(loop);
    enum weir_rc rc = weir_loop_run_until_idle(loop, err);
    while (rc == WEIR_OK && ms > 0) {
        uint64_t jump_ms = ms;
        uint64_t due_ms = 0;
        if (weir_loop_next_due(loop, &due_ms) && due_ms < ms) {
            jump_ms = due_ms;
        }
        weir_clock_virtual_advance(time->clock, jump_ms);
        ms -= jump_ms;
        rc = weir_loop_run_until_idle(loop, err);
    }
    return rc;
}
