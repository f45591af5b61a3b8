/*
 * A small blocking HTTP/1.1 client, for the command line and tests: one request per
 * connection, no TLS, no redirects. Never to be used on a loop's thread.
 */
#ifndef WEIR_NET_CLIENT_H
#define WEIR_NET_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/http.h"
#include "net/http_url.h"

/* A request's answer. Everything in it lives until fini. */
struct weir_http_reply {
    int status;
    struct weir_http_header *headers;
    size_t header_count;
    struct weir_buf body; /* empty when the call has on_data */
    struct weir_arena arena;
};

/* What to ask. All borrowed for the call; zero means the default. */
struct weir_http_fetch {
    struct weir_str url;
    struct weir_str method;                 /* GET */
    const struct weir_http_header *headers; /* Host, Connection and Content-Length are added */
    size_t header_count;
    struct weir_str body;
    uint32_t timeout_ms;   /* longest silence while connecting, sending, receiving; 30 s */
    size_t max_body_bytes; /* of an answer that is gathered; 64 MiB */

    /*
     * Takes the body as it comes instead of gathering it, for streams; reply has status and
     * headers by then. False ends the call, which then counts as done.
     */
    bool (*on_data)(void *arg, const struct weir_http_reply *reply, struct weir_str data);
    void *arg;
};

/*
 * Ask and wait for the answer, whatever its status. The reply is untouched on failure,
 * else the caller ends it with weir_http_reply_fini.
 *
 * Errors: as weir_http_url_parse; WEIR_E_IO (no such host, refused, broken off, not HTTP),
 * WEIR_E_TIMEOUT, WEIR_E_TOO_LARGE (the body).
 */
WEIR_MUST_CHECK enum weir_rc weir_http_fetch(const struct weir_http_fetch *call,
        struct weir_http_reply *ret_reply, struct weir_err *err);

/* The value of the first header of that name, in any case; p is NULL without one. */
struct weir_str weir_http_reply_find(const struct weir_http_reply *reply, struct weir_str name);

/* Free what is in a reply. Accepts a zeroed or finished one. */
void weir_http_reply_fini(struct weir_http_reply *reply);

#endif
