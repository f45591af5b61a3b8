/* Digests that other programs compute too. */
#include <nettle/md5.h>
#include <nettle/sha2.h>

#include "base/hash.h"

void weir_md5(const void *p, size_t n, unsigned char digest[static WEIR_MD5_BYTES])
{
    struct md5_ctx context;
    md5_init(&context);
    md5_update(&context, n, p);
    md5_digest(&context, WEIR_MD5_BYTES, digest);
}

void weir_sha256(const void *p, size_t n, unsigned char digest[static WEIR_SHA256_BYTES])
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, n, p);
    sha256_digest(&context, WEIR_SHA256_BYTES, digest);
}

void weir_hex(const unsigned char *p, size_t n, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    text[2 * n] = '\0';
}
