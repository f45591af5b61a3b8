/*
 * Fuzzes the verification of signatures. Lines: path, query, Authorization, X-Amz-Date, another
 * header's value; the rest is the body. What is signed here must verify.
 */
#include "net/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct weir_str next_line(struct weir_str *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    struct weir_str line = *rest;
    if (end != NULL) {
        line.n = (size_t)(end - rest->p);
    }
    size_t used = line.n + (end != NULL);
    rest->p += used;
    rest->n -= used;
    return line;
}

static bool find_key(void *arg, struct weir_str access_key, struct weir_str *ret_secret)
{
    (void)arg;
    *ret_secret = WEIR_STR("secret");
    return access_key.n > 0;
}

static void sign_and_verify(const struct weir_sigv4_request *parts, struct weir_str other,
        const struct weir_sigv4_keys *keys, struct weir_arena *arena)
{
    const struct weir_sigv4_credentials credentials = { WEIR_STR("AKID"), WEIR_STR("secret"),
        WEIR_STR("us-east-1"), WEIR_STR("dynamodb") };
    struct weir_http_header headers[4] = { { WEIR_STR("Host"), WEIR_STR("h") },
        { WEIR_STR("X-Other"), other } };
    struct weir_sigv4_request request = *parts;
    request.headers = headers;
    request.header_count = 2;
    const struct weir_time now = { 1795248764000 };
    weir_sigv4_sign(&request, &credentials, now, arena, &headers[2]);
    request.header_count = 4;
    struct weir_sigv4_result result;
    weir_assert(weir_sigv4_verify(&request, keys, now, arena, &result) == WEIR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096) {
        return 0;
    }
    const struct weir_sigv4_keys keys = { find_key, NULL };
    struct weir_str rest = { (const char *)data, size };
    struct weir_sigv4_request request = { .method = WEIR_STR("POST") };
    request.path = next_line(&rest);
    request.query = next_line(&rest);
    struct weir_http_header headers[4] = { { WEIR_STR("Host"), WEIR_STR("h") },
        { WEIR_STR("Authorization"), next_line(&rest) },
        { WEIR_STR("X-Amz-Date"), next_line(&rest) }, { WEIR_STR("X-Other"), next_line(&rest) } };
    request.headers = headers;
    request.header_count = 4;
    request.body = rest;

    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_sigv4_result result;
    const struct weir_time now = { 1795248764000 };
    if (weir_sigv4_verify(&request, &keys, now, &arena, &result) != WEIR_OK) {
        weir_assert(result.error != NULL && result.message.n > 0);
    }
    size_t parameters = 0;
    for (size_t i = 0; i < request.query.n; i++) {
        parameters += request.query.p[i] == '&';
    }
    if (parameters < 250) {
        sign_and_verify(&request, headers[3].value, &keys, &arena);
    }
    weir_arena_fini(&arena);
    return 0;
}
