#include "base/backoff.h"

uint64_t weir_backoff_pause(
        const struct weir_backoff *backoff, uint64_t failed, struct weir_random *random)
{
    if (backoff->count == 0) {
        return 0;
    }
    if (backoff->max_ms == 0) {
        size_t last = backoff->count - 1;
        return backoff->pauses_ms[failed <= last ? (failed > 0 ? failed - 1 : 0) : last];
    }
    uint64_t pause = backoff->pauses_ms[0];
    for (uint64_t i = 1; i < failed && pause < backoff->max_ms; i++) {
        pause *= 2;
    }
    pause = pause < backoff->max_ms ? pause : backoff->max_ms;
    return pause / 2 + weir_random_below(random, pause - pause / 2 + 1);
}
