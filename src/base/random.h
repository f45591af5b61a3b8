/* Randomness: from the system, or from a seed so that a test can repeat itself. */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct weir_random {
    uint64_t state[4];
};

/* Start from a seed: the same seed gives the same numbers. One thread at a time. */
void weir_random_seed(struct weir_random *random, uint64_t seed);

/* Start from the system's randomness, or from the seed that weir_random_repeat has set. */
void weir_random_init(struct weir_random *random);

/*
 * From now on weir_random_init gives each generator of the process a seed that follows from this
 * one, in the order in which they start: tests and simulations repeat themselves. Any thread.
 */
void weir_random_repeat(uint64_t seed);

/* The next 64 bits (xoshiro256**; not for secrets). */
uint64_t weir_random_u64(struct weir_random *random);

/* A number in [0, bound); 0 for a bound of 0. */
uint64_t weir_random_below(struct weir_random *random, uint64_t bound);

/* Fill with bytes from the system fit for secrets; stops the process if there are none. */
void weir_random_secret(void *p, size_t n);

enum { WEIR_UUID_TEXT = 37 };

/* Write a random UUID (version 4), zero-terminated. */
void weir_random_uuid(struct weir_random *random, char text[static WEIR_UUID_TEXT]);

#endif
