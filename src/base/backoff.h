/* Pauses between attempts: a list of them, or one that doubles. Pure. */
#ifndef WEIR_BASE_BACKOFF_H
#define WEIR_BASE_BACKOFF_H

#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

enum { WEIR_BACKOFF_PAUSES_MAX = 16 };

struct weir_backoff {
    uint64_t pauses_ms[WEIR_BACKOFF_PAUSES_MAX]; /* the last one stands for all that follow */
    size_t count;                                /* 0: no pause at all */
    uint64_t max_ms; /* not 0: pauses double from the first up to this, half of each random */
};

/* The pause before the next attempt, after so many failed ones (at least one). */
uint64_t weir_backoff_pause(
        const struct weir_backoff *backoff, uint64_t failed, struct weir_random *random);

#endif
