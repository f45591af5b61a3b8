#include "base/hash.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#if defined(__SSE4_2__)
#    include <nmmintrin.h>

uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n)
{
    const unsigned char *at = p;
    uint64_t crc = ~seed;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t word = 0;
        memcpy(&word, at, 8);
        crc = _mm_crc32_u64(crc, word);
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
