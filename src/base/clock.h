/*
 * The only source of time. Wall time is what users see; monotonic time is for
 * durations. A virtual clock is set by tests and simulations.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* A moment: milliseconds since 1970-01-01T00:00:00Z. */
struct weir_time {
    int64_t ms;
};

struct weir_clock {
    /* Both required; callable from any thread. */
    struct weir_time (*wall)(const struct weir_clock *clock);
    uint64_t (*monotonic_ns)(const struct weir_clock *clock);
};

/* The machine's clock. Static. */
const struct weir_clock *weir_clock_system(void);

/* A clock that moves only when told. Embed it; threads may read while one sets. */
struct weir_clock_virtual {
    struct weir_clock base;
    _Atomic int64_t wall_ms;
    _Atomic uint64_t mono_ns;
};

/* Start at a wall time; monotonic time starts at zero. */
void weir_clock_virtual_init(struct weir_clock_virtual *clock, struct weir_time wall);

/* Move both times forward by ms milliseconds. */
void weir_clock_virtual_advance(struct weir_clock_virtual *clock, uint64_t ms);

static inline struct weir_time weir_clock_wall(const struct weir_clock *clock)
{
    return clock->wall(clock);
}

static inline uint64_t weir_clock_monotonic_ns(const struct weir_clock *clock)
{
    return clock->monotonic_ns(clock);
}

enum { WEIR_TIME_TEXT = 32 };

/* Write a time as 2025-11-25T15:53:08.123Z (years 0000 to 9999). Zero-terminated. */
void weir_time_format(struct weir_time time, char text[static WEIR_TIME_TEXT]);

#endif
