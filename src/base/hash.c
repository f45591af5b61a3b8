#include "base/hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__SSE4_2__)
#    include <nmmintrin.h>
#    include <pthread.h>

/*
 * The instruction takes three cycles but a new one can begin in each, so longer input
 * is cut into three lanes side by side. Joining lanes needs a checksum moved over LANE
 * zero bytes: a linear function, here as a table per byte.
 */
enum { LANE = 256 };

static uint32_t over_lane[4][256];

static void make_over_lane(void)
{
    uint32_t columns[32];
    for (unsigned bit = 0; bit < 32; bit++) {
        uint64_t crc = (uint64_t)1 << bit;
        for (unsigned i = 0; i < LANE; i += 8) {
            crc = _mm_crc32_u64(crc, 0);
        }
        columns[bit] = (uint32_t)crc;
    }
    for (unsigned i = 0; i < 4 * 256; i++) {
        uint32_t crc = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc ^= (i % 256 >> bit & 1) != 0 ? columns[i / 256 * 8 + bit] : 0;
        }
        over_lane[i / 256][i % 256] = crc;
    }
}

static uint64_t move_over_lane(uint64_t crc)
{
    return over_lane[0][crc & 255] ^ over_lane[1][crc >> 8 & 255] ^ over_lane[2][crc >> 16 & 255] ^
           over_lane[3][crc >> 24 & 255];
}

static uint64_t load_word(const unsigned char *at)
{
    uint64_t word = 0;
    memcpy(&word, at, 8);
    return word;
}

uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const size_t stride = 3 * (size_t)LANE;
    const unsigned char *at = p;
    uint64_t crc = (uint32_t)~seed;
    if (n >= stride) {
        pthread_once(&once, make_over_lane);
    }
    for (; n >= stride; n -= stride, at += stride) {
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            crc = _mm_crc32_u64(crc, load_word(at + i));
            second = _mm_crc32_u64(second, load_word(at + LANE + i));
            third = _mm_crc32_u64(third, load_word(at + 2 * (size_t)LANE + i));
        }
        crc = move_over_lane(move_over_lane(crc) ^ second) ^ third;
    }
    for (; n >= 8; n -= 8, at += 8) {
        crc = _mm_crc32_u64(crc, load_word(at));
    }
    for (; n > 0; n--, at++) {
        crc = _mm_crc32_u8((uint32_t)crc, *at);
    }
    return ~(uint32_t)crc;
}
#elif defined(__ARM_FEATURE_CRC32)
#    include <arm_acle.h>

uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint32_t crc = ~seed;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word = 0;
        memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    for (; n > 0; n--, at++) {
        crc = __crc32cb(crc, *at);
    }
    return ~crc;
}
#else
uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint32_t crc = ~seed;
    for (; n > 0; n--, at++) {
        crc ^= *at;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}
#endif

uint64_t weir_hash64(uint64_t seed, const void *p, size_t n)
{
    return XXH3_64bits_withSeed(p, n, seed);
}
