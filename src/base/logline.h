/*
 * Log lines: what weir says about itself, on standard error. One line an event,
 * human-readable on a terminal, JSON otherwise or when asked.
 * Only daemon, api, cli and the pipeline runner log; below them code returns errors.
 */
#ifndef WEIR_BASE_LOGLINE_H
#define WEIR_BASE_LOGLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

enum weir_level {
    WEIR_LOG_DEBUG,
    WEIR_LOG_INFO,
    WEIR_LOG_WARN,
    WEIR_LOG_ERROR,
};

/* Set once at start: the least level that is written, the form, and the clock that stamps lines. */
void weir_logline_setup(enum weir_level least, bool json, const struct weir_clock *clock);

/* A line before it is written: `keys` and `values` have `count` texts. Borrowed for the call. */
struct weir_logline_event {
    enum weir_level level;
    const char *what;
    const char *const *keys;
    const char *const *values;
    size_t count;
};

/*
 * Hand lines to a listener instead of writing them (tests, simulations); NULL: write them again.
 * Set while no other thread logs.
 */
void weir_logline_listen(
        void (*listen)(void *arg, const struct weir_logline_event *event), void *arg);

/*
 * Write one line. what is a fixed, greppable event name such as "pipeline.record_failed".
 * The rest are up to 16 pairs of zero-terminated strings, key then value, ended by NULL.
 * Thread-safe.
 */
__attribute__((sentinel)) void weir_logline(enum weir_level level, const char *what, ...);

#endif
