/*
 * The only source of time. Wall time is what users see; monotonic time is for
 * durations. A virtual clock is set by tests and simulations.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

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

/* Set the wall clock forward by ms, or back: as an operator does. Monotonic time stays. */
void weir_clock_virtual_set_wall(struct weir_clock_virtual *clock, int64_t ms);

static inline struct weir_time weir_clock_wall(const struct weir_clock *clock)
{
    return clock->wall(clock);
}

static inline uint64_t weir_clock_monotonic_ns(const struct weir_clock *clock)
{
    return clock->monotonic_ns(clock);
}

/*
 * Notices when the wall clock steps ahead of the monotonic one by more than five minutes, as
 * a wrong time server makes it do. What deletes because time has passed (expiry, retention)
 * then waits: for ten minutes, or until the step is taken back. One thread.
 */
struct weir_clock_guard {
    const struct weir_clock *clock;
    int64_t wall_ms;  /* at the last look */
    uint64_t mono_ns; /* at the last look */
    int64_t ahead_ms; /* how far the wall clock stepped ahead; 0: it can be trusted */
    uint64_t distrust_until_ns;
};

void weir_clock_guard_init(struct weir_clock_guard *guard, const struct weir_clock *clock);

/* Whether the wall clock can be trusted for deleting now. */
bool weir_clock_guard_trusts(struct weir_clock_guard *guard);

enum { WEIR_TIME_TEXT = 32 };

/* Write a time as 2025-11-25T15:53:08.123Z (years 0000 to 9999). Zero-terminated. */
void weir_time_format(struct weir_time time, char text[static WEIR_TIME_TEXT]);

/* The same, without a fraction where there is none: 2025-11-25T15:53:08Z. */
void weir_time_format_short(struct weir_time time, char text[static WEIR_TIME_TEXT]);

/*
 * Read a time as ISO 8601 has it: 2025-11-25T15:53:08.123Z. Seconds and fractions may be missing,
 * the zone may be +01:00, and a date alone is its midnight in UTC. False: it is none.
 */
bool weir_time_parse(struct weir_str text, struct weir_time *ret_time);

#endif
