/*
 * AWS Signature Version 4, header form: verification of requests, and signing of
 * our own (command line, tests).
 *
 * Pure functions of their input; any thread. Presigned URLs are not known here.
 */
#ifndef WEIR_NET_SIGV4_H
#define WEIR_NET_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "net/http.h"

/* What is signed of a request. All borrowed for the call. */
struct weir_sigv4_request {
    struct weir_str method;
    struct weir_str path;  /* percent-encoded as on the wire */
    struct weir_str query; /* likewise, without the '?' */
    const struct weir_http_header *headers;
    size_t header_count;
    struct weir_str body; /* as on the wire: before a Content-Encoding is undone */
};

/* The parts of a server's request, its raw body among them. */
struct weir_sigv4_request weir_sigv4_of(const struct weir_http_request *request);

/* Where secrets come from. */
struct weir_sigv4_keys {
    /* Required. The secret of an access key, borrowed until verify returns; false: not known. */
    bool (*find)(void *arg, struct weir_str access_key, struct weir_str *ret_secret);
    void *arg;
};

/* Who signed, or why the signature is refused. */
struct weir_sigv4_result {
    struct weir_str access_key; /* borrowed from the request's headers, as the next two */
    struct weir_str region;     /* of the credential scope */
    struct weir_str service;
    const char *error; /* AWS's name of the refusal; NULL when the signature is good. Static */
    struct weir_str message; /* AWS's message for it, in the arena */
};

/*
 * Verify the signature of a request at the time now.
 *
 * The body is hashed unless X-Amz-Content-Sha256 says UNSIGNED-PAYLOAD; a hash given there
 * must be the body's. Host must be signed, and X-Amz-Target where present. The time of
 * signing may lie 15 minutes off. Signatures are compared in constant time.
 *
 * Errors: WEIR_E_DENIED, with result filled: error is MissingAuthenticationTokenException,
 * IncompleteSignatureException, UnrecognizedClientException or InvalidSignatureException.
 */
WEIR_MUST_CHECK enum weir_rc weir_sigv4_verify(const struct weir_sigv4_request *request,
        const struct weir_sigv4_keys *keys, struct weir_time now, struct weir_arena *arena,
        struct weir_sigv4_result *ret_result);

struct weir_sigv4_credentials {
    struct weir_str access_key;
    struct weir_str secret;
    struct weir_str region;
    struct weir_str service;
};

/*
 * Sign a request at the time now: every header given (Host must be among them, X-Amz-Date and
 * Authorization must not) and X-Amz-Date. Send the two headers that come back with it.
 * Their bytes live in the arena.
 */
void weir_sigv4_sign(const struct weir_sigv4_request *request,
        const struct weir_sigv4_credentials *credentials, struct weir_time now,
        struct weir_arena *arena, struct weir_http_header ret_headers[static 2]);

#endif
