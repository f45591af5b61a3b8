#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/net_int.h"

struct weir_loop {
    uv_loop_t uv;
    /*
     * Posts are waiting, or stop is set. Not a uv_async_t: who is woken by one spins until the
     * thread that woke it has gone on, and gives its time away when that does not run. With few
     * cores that was two of three times.
     */
    int wake_fd;
    uv_poll_t wake;
    uv_idle_t idle;   /* active while something is deferred: the poll does not wait */
    uv_check_t check; /* runs what was deferred, after the poll */
    const struct weir_clock *clock;

    /* Posted from any thread, newest first; the loop takes all at once and turns them round. */
    _Atomic(struct weir_post *) posted;
    atomic_bool stop;

    struct weir_post *deferred; /* oldest first; loop thread only */
    struct weir_post **deferred_last;

    struct weir_virtual_time virtual_time; /* when it has a clock, nothing of libuv is used */
};

enum { CLOSE_ROUNDS_MAX = 64 };

bool weir_loop_is_virtual(const struct weir_loop *loop)
{
    return loop->virtual_time.clock != NULL;
}

uv_loop_t *weir_loop_uv(struct weir_loop *loop)
{
    weir_assert(!weir_loop_is_virtual(loop));
    return &loop->uv;
}

const struct weir_clock *weir_loop_clock(const struct weir_loop *loop)
{
    return loop->clock;
}

struct weir_virtual_time *weir_loop_virtual(struct weir_loop *loop)
{
    return &loop->virtual_time;
}

static void run_all(struct weir_post *post)
{
    while (post != NULL) {
        struct weir_post *next = post->next;
        post->next = NULL;
        post->run(post);
        post = next;
    }
}

bool weir_loop_run_posted(struct weir_loop *loop)
{
    struct weir_post *newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire);
    struct weir_post *oldest = NULL;
    while (newest != NULL) {
        struct weir_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    run_all(oldest);
    return oldest != NULL;
}

bool weir_loop_run_deferred(struct weir_loop *loop)
{
    struct weir_post *first = loop->deferred;
    loop->deferred = NULL;
    loop->deferred_last = &loop->deferred;
    if (!weir_loop_is_virtual(loop)) {
        uv_idle_stop(&loop->idle);
    }
    run_all(first);
    return first != NULL;
}

static void on_wake(uv_poll_t *wake, int status, int events)
{
    struct weir_loop *loop = wake->data;
    uint64_t count = 0;
    (void)status;
    (void)events;
    ssize_t n = read(loop->wake_fd, &count, sizeof(count)); /* before what it stands for is taken */
    (void)n; /* nothing there: what it stood for was taken already */
    weir_loop_run_posted(loop);
    if (atomic_exchange(&loop->stop, false)) {
        uv_stop(&loop->uv);
    }
}

static void wake_up(struct weir_loop *loop)
{
    const uint64_t one = 1;
    ssize_t n = write(loop->wake_fd, &one, sizeof(one));
    weir_assert(n == sizeof(one)); /* it counts to 2^64 */
}

static int start_waking(struct weir_loop *loop)
{
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        return uv_translate_sys_error(errno);
    }
    int failed = uv_poll_init(&loop->uv, &loop->wake, loop->wake_fd);
    if (failed == 0) {
        loop->wake.data = loop;
        failed = uv_poll_start(&loop->wake, UV_READABLE, on_wake);
    } else {
        close(loop->wake_fd);
    }
    return failed;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is its whole purpose */
}

static void on_check(uv_check_t *check)
{
    struct weir_loop *loop = check->data;
    if (loop->deferred != NULL) {
        weir_loop_run_deferred(loop);
    }
}

enum weir_rc weir_loop_create(
        const struct weir_clock *clock, struct weir_loop **ret_loop, struct weir_err *err)
{
    struct weir_loop *loop = weir_alloc_zero(1, sizeof(*loop));
    int failed = uv_loop_init(&loop->uv);
    if (failed != 0) {
        weir_free(loop);
        return weir_fail(err, WEIR_E_IO, "cannot make an event loop: %s", uv_strerror(failed));
    }
    failed = start_waking(loop);
    if (failed != 0) {
        uv_loop_close(&loop->uv);
        weir_free(loop);
        return weir_fail(err, WEIR_E_IO, "cannot make an event loop: %s", uv_strerror(failed));
    }
    uv_idle_init(&loop->uv, &loop->idle);
    uv_check_init(&loop->uv, &loop->check);
    loop->check.data = loop;
    uv_check_start(&loop->check, on_check);
    loop->clock = clock;
    loop->deferred_last = &loop->deferred;
    signal(SIGPIPE, SIG_IGN);
    *ret_loop = loop;
    return WEIR_OK;
}

struct weir_loop *weir_loop_create_virtual(struct weir_clock_virtual *clock)
{
    struct weir_loop *loop = weir_alloc_zero(1, sizeof(*loop));
    loop->virtual_time.clock = clock;
    loop->clock = &clock->base;
    loop->deferred_last = &loop->deferred;
    return loop;
}

static void destroy_virtual(struct weir_loop *loop)
{
    for (int i = 0; i < CLOSE_ROUNDS_MAX; i++) {
        if (!weir_loop_run_posted(loop) && !weir_loop_run_deferred(loop)) {
            break;
        }
    }
    weir_virtual_time_fini(&loop->virtual_time);
    weir_free(loop);
}

void weir_loop_destroy(struct weir_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (weir_loop_is_virtual(loop)) {
        destroy_virtual(loop);
        return;
    }
    /* Closing callbacks may post and defer, and posts may close: both until nothing is left. */
    for (int i = 0; i < CLOSE_ROUNDS_MAX; i++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        if (!weir_loop_run_posted(loop) && !weir_loop_run_deferred(loop) && i > 1) {
            break;
        }
    }
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    int left = UV_EBUSY;
    for (int i = 0; i < CLOSE_ROUNDS_MAX && left == UV_EBUSY; i++) {
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        left = uv_loop_close(&loop->uv);
    }
    weir_assert(left == 0); /* else something made on the loop was not destroyed */
    close(loop->wake_fd);
    weir_free(loop);
}

void weir_loop_run(struct weir_loop *loop)
{
    weir_assert(!weir_loop_is_virtual(loop));
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void weir_loop_stop(struct weir_loop *loop)
{
    weir_assert(!weir_loop_is_virtual(loop));
    atomic_store(&loop->stop, true);
    wake_up(loop);
}

void weir_loop_post(struct weir_loop *loop, struct weir_post *post)
{
    struct weir_post *newest = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        post->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(
            &loop->posted, &newest, post, memory_order_release, memory_order_relaxed));
    /* Whoever found the queue empty wakes the loop; the others ride along. */
    if (newest == NULL && !weir_loop_is_virtual(loop)) {
        wake_up(loop);
    }
}

void weir_loop_defer(struct weir_loop *loop, struct weir_post *post)
{
    post->next = NULL;
    *loop->deferred_last = post;
    loop->deferred_last = &post->next;
    if (!weir_loop_is_virtual(loop)) {
        uv_idle_start(&loop->idle, on_idle);
    }
}

static void on_timer(uv_timer_t *handle)
{
    struct weir_loop_timer *timer = handle->data;
    timer->fire(timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    weir_free(handle);
}

void weir_loop_timer_init(struct weir_loop_timer *timer, struct weir_loop *loop,
        void (*fire)(struct weir_loop_timer *timer))
{
    timer->fire = fire;
    timer->loop = loop;
    timer->handle = NULL;
    timer->place = 0;
    if (weir_loop_is_virtual(loop)) {
        return;
    }
    timer->handle = weir_alloc_zero(1, sizeof(*timer->handle));
    uv_timer_init(&loop->uv, timer->handle);
    timer->handle->data = timer;
}

void weir_loop_timer_start(struct weir_loop_timer *timer, uint64_t ms)
{
    if (weir_loop_is_virtual(timer->loop)) {
        weir_virtual_time_start(&timer->loop->virtual_time, timer, ms);
        return;
    }
    /* libuv counts from the start of this turn of the loop, which may lie well back. */
    uv_update_time(&timer->loop->uv);
    uv_timer_start(timer->handle, on_timer, ms, 0);
}

void weir_loop_timer_stop(struct weir_loop_timer *timer)
{
    if (weir_loop_is_virtual(timer->loop)) {
        weir_virtual_time_stop(&timer->loop->virtual_time, timer);
        return;
    }
    uv_timer_stop(timer->handle);
}

void weir_loop_timer_fini(struct weir_loop_timer *timer)
{
    if (timer->handle != NULL) {
        uv_close((uv_handle_t *)WEIR_TAKE(timer->handle), on_timer_closed);
    } else if (timer->place != 0) {
        weir_virtual_time_stop(&timer->loop->virtual_time, timer);
    }
}
