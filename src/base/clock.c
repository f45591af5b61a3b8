#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct weir_time system_wall(const struct weir_clock *clock)
{
    (void)clock;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct weir_time){ (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
}

static uint64_t system_monotonic_ns(const struct weir_clock *clock)
{
    (void)clock;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const struct weir_clock *weir_clock_system(void)
{
    static const struct weir_clock clock = { system_wall, system_monotonic_ns };
    return &clock;
}

static struct weir_time virtual_wall(const struct weir_clock *clock)
{
    const struct weir_clock_virtual *self = (const struct weir_clock_virtual *)clock;
    return (struct weir_time){ atomic_load(&self->wall_ms) };
}

static uint64_t virtual_monotonic_ns(const struct weir_clock *clock)
{
    const struct weir_clock_virtual *self = (const struct weir_clock_virtual *)clock;
    return atomic_load(&self->mono_ns);
}

void weir_clock_virtual_init(struct weir_clock_virtual *clock, struct weir_time wall)
{
    clock->base = (struct weir_clock){ virtual_wall, virtual_monotonic_ns };
    atomic_init(&clock->wall_ms, wall.ms);
    atomic_init(&clock->mono_ns, 0);
}

void weir_clock_virtual_advance(struct weir_clock_virtual *clock, uint64_t ms)
{
    atomic_fetch_add(&clock->wall_ms, (int64_t)ms);
    atomic_fetch_add(&clock->mono_ns, ms * 1000000u);
}

static const int64_t step_ms = 5ll * 60 * 1000;
static const uint64_t distrust_ns = 10ull * 60 * 1000000000;

void weir_clock_guard_init(struct weir_clock_guard *guard, const struct weir_clock *clock)
{
    *guard = (struct weir_clock_guard){
        .clock = clock,
        .wall_ms = weir_clock_wall(clock).ms,
        .mono_ns = weir_clock_monotonic_ns(clock),
    };
}

bool weir_clock_guard_trusts(struct weir_clock_guard *guard)
{
    int64_t wall_ms = weir_clock_wall(guard->clock).ms;
    uint64_t mono_ns = weir_clock_monotonic_ns(guard->clock);
    int64_t step = wall_ms - guard->wall_ms - (int64_t)((mono_ns - guard->mono_ns) / 1000000);
    guard->wall_ms = wall_ms;
    guard->mono_ns = mono_ns;
    if (step > step_ms) {
        guard->ahead_ms += step;
        guard->distrust_until_ns = mono_ns + distrust_ns;
    } else if (guard->ahead_ms > 0 && step < -step_ms) {
        guard->ahead_ms += step;
    }
    if (guard->ahead_ms <= step_ms || mono_ns >= guard->distrust_until_ns) {
        guard->ahead_ms = 0;
    }
    return guard->ahead_ms == 0;
}

void weir_time_format(struct weir_time time, char text[static WEIR_TIME_TEXT])
{
    int64_t seconds = time.ms / 1000;
    int64_t ms = time.ms % 1000;
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(text, WEIR_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
            (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)(tm.tm_mon + 1) % 100u,
            (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
            (unsigned)tm.tm_sec % 100u, (unsigned)ms % 1000u);
}
