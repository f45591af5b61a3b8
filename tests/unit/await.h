/*
 * How tests wait: never without an end, and who waited in vain says for what, and how things
 * stand. run_tests.py ends what hangs in any other way.
 */
#ifndef WEIR_TESTS_UNIT_AWAIT_H
#define WEIR_TESTS_UNIT_AWAIT_H

#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "test.h"

enum { AWAIT_MS = 60 * 1000 };

static inline uint64_t now_ms(void)
{
    return weir_clock_monotonic_ns(weir_clock_system()) / 1000000;
}

static inline void await_failed(const char *awaited, const char *state, const char *file, int line)
{
    print_error("ERROR: waited in vain for %s; %s\n", awaited, state);
    _fail(file, line);
}

/*
 * Run the body until the condition holds. On the test's own thread. `state` is a text, which is
 * made only when the time is over.
 */
#define AWAIT(condition, state)                                     \
    for (uint64_t await_end_ms = now_ms() + AWAIT_MS; !(condition); \
            now_ms() < await_end_ms ? (void)0                       \
                                    : await_failed(#condition, (state), __FILE__, __LINE__))

/* Wait for a semaphore. On the test's own thread. */
static inline void await_semaphore(sem_t *semaphore, const char *awaited)
{
    int64_t end_ms = weir_clock_wall(weir_clock_system()).ms + AWAIT_MS;
    struct timespec end = { .tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000 };
    if (sem_timedwait(semaphore, &end) != 0) {
        await_failed(awaited, "nobody posted", __FILE__, __LINE__);
    }
}

#endif
