#include "base/random.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/err.h"

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void weir_random_seed(struct weir_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 spreads a small seed over the state */
        seed += 0x9e3779b97f4a7c15ull;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        random->state[i] = z ^ z >> 31;
    }
}

static atomic_bool repeats;
static _Atomic uint64_t next_seed;

void weir_random_repeat(uint64_t seed)
{
    atomic_store(&next_seed, seed);
    atomic_store(&repeats, true);
}

void weir_random_init(struct weir_random *random)
{
    uint64_t seed = 0;
    if (atomic_load(&repeats)) {
        seed = atomic_fetch_add(&next_seed, 1);
    } else {
        weir_random_secret(&seed, sizeof(seed));
    }
    weir_random_seed(random, seed);
}

uint64_t weir_random_u64(struct weir_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t weir_random_below(struct weir_random *random, uint64_t bound)
{
    return (uint64_t)((unsigned __int128)weir_random_u64(random) * bound >> 64);
}

void weir_random_secret(void *p, size_t n)
{
    weir_assert(getentropy(p, n) == 0);
}

void weir_random_uuid(struct weir_random *random, char text[static WEIR_UUID_TEXT])
{
    uint64_t high = (weir_random_u64(random) & ~0xf000ull) | 0x4000;
    uint64_t low = (weir_random_u64(random) & ~(3ull << 62)) | 1ull << 63;
    snprintf(text, WEIR_UUID_TEXT, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
            (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff), (unsigned)(low >> 48),
            (unsigned long long)(low & 0xffffffffffffull));
}
