/* Checksums and hashes. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC32C of n bytes, continued from a seed (the result of an earlier call, or any number). */
uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n);

/* 64-bit hash (XXH3) with a seed. Stable on disk: partition hashes depend on it. */
uint64_t weir_hash64(uint64_t seed, const void *p, size_t n);

#endif
