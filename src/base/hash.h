/* Checksums and hashes. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC32C of n bytes, continued from a seed (the result of an earlier call, or any number). */
uint32_t weir_crc32c(uint32_t seed, const void *p, size_t n);

/* 64-bit hash (XXH3) with a seed. Stable on disk: partition hashes depend on it. */
uint64_t weir_hash64(uint64_t seed, const void *p, size_t n);

enum { WEIR_MD5_BYTES = 16, WEIR_SHA256_BYTES = 32 };

/* The MD5 of n bytes, which AWS uses as a checksum. Never for what someone may want to forge. */
void weir_md5(const void *p, size_t n, unsigned char digest[static WEIR_MD5_BYTES]);

/* The SHA-256 of n bytes. */
void weir_sha256(const void *p, size_t n, unsigned char digest[static WEIR_SHA256_BYTES]);

/* Write n bytes as lower-case hexadecimal digits, zero-terminated: 2 * n + 1 characters. */
void weir_hex(const unsigned char *p, size_t n, char *text);

#endif
