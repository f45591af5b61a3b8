/*
 * Asynchronous HTTP/1.1 client on a loop: calls to the outside.
 *
 * A call is a struct that its owner embeds or allocates, fills, and hands over with
 * weir_http_client_call. Its `done` runs once, on the loop's thread and never inside
 * weir_http_client_call, with the outcome in the call. Connections are kept and used again,
 * with and without TLS (certificates are verified against the system's), and names are resolved
 * off the loop. Calls beyond the limits on connections wait their turn; that counts towards
 * their time-out.
 *
 *     phase      begins with             legal                            ends with
 *     idle       zeroed, or fini         set the request's fields, call   weir_http_client_call
 *     under way  weir_http_client_call   cancel                           done's call, or cancel
 *     over       done's call             read the outcome, free it, call  fini
 *                                        others; not destroy the client
 *
 * What a call does not do: follow redirects unless asked, send or keep cookies, read .netrc or
 * the environment's proxies, undo a Content-Encoding, speak anything but http and https.
 *
 * A request on a connection that was kept may be sent again by itself when that connection turns
 * out to be dead before a byte of the answer came: what a call does is done at least once, as with
 * any retry.
 *
 * Timing is the machine's, not the loop's clock, which only stamps signatures. On a loop of virtual
 * time nothing goes out: calls fail, unless something stands in for the network
 * (weir_http_client_stand_in).
 */
#ifndef WEIR_NET_HTTP_CLIENT_H
#define WEIR_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/failure.h"
#include "base/str.h"
#include "net/http.h"

struct weir_loop;
struct weir_http_client;

/* Zero means the default wherever one is given. */
struct weir_http_client_options {
    uint32_t max_connections;          /* in all; 256 */
    uint32_t max_connections_per_host; /* 64 */
    uint32_t max_idle_connections;     /* kept for later calls; 64 */
    const char *ca_file; /* PEM certificates to trust instead of the system's; NULL: those */
};

/* Make a client. The options are copied. Errors: WEIR_E_IO (libcurl cannot start). */
WEIR_MUST_CHECK enum weir_rc weir_http_client_create(struct weir_loop *loop,
        const struct weir_http_client_options *options, struct weir_http_client **ret_client,
        struct weir_err *err);

/*
 * Close all connections and free; NULL is fine. Calls under way end in here with WEIR_E_CLOSED,
 * and may not begin others.
 */
void weir_http_client_destroy(struct weir_http_client *client);
WEIR_AUTO_DEFINE(weir_http_client);

/* With what a request to AWS, or to another weir, is signed (SigV4). Borrowed as the request is. */
struct weir_http_signer {
    struct weir_str service; /* as in the credential scope: sqs, lambda, dynamodb */
    struct weir_str region;
    struct weir_str access_key;
    struct weir_str secret; /* at most 255 bytes */
    struct weir_str token;  /* of a session; empty: none */
};

struct weir_http_call {
    /* The request: borrowed until the call is over. Zero means the default. */
    struct weir_str method; /* GET; with a body, POST */
    struct weir_str url;
    const struct weir_http_header *headers; /* Host, Content-Length, Connection are added */
    size_t header_count;
    struct weir_str body;
    uint32_t timeout_ms; /* of the whole call; 30 s */
    uint32_t
            connect_timeout_ms; /* of name, connection and TLS; 5 s. They count as timeout_ms too */
    size_t max_response_bytes;  /* of the answer's body; 16 MiB. Its headers: 64 KiB */
    uint32_t max_redirects;     /* followed to http and https; 0: none, a 3xx is the answer */
    const struct weir_http_signer *signer; /* NULL: not signed. Not together with redirects */

    /* Required. The call is over: the struct is its owner's again, and may be freed. */
    void (*done)(struct weir_http_call *call);
    void *arg;

    /*
     * The outcome. rc is WEIR_OK whenever an answer came whole, whatever its status; else
     * WEIR_E_INVALID (the URL, a header, signing and redirects together), WEIR_E_UNSUPPORTED (the
     * URL's scheme), WEIR_E_IO (not found, refused, broken off, no trust, not HTTP),
     * WEIR_E_TIMEOUT, WEIR_E_TOO_LARGE (the answer), WEIR_E_CLOSED (the client was destroyed);
     * err names the server. Strings live until fini.
     */
    enum weir_rc rc;
    struct weir_err err;
    bool sent; /* the request, or a part of it, may have come to the server */
    int status;
    struct weir_http_header *headers_received; /* of the last answer, if there was a redirect */
    size_t header_received_count;
    struct weir_buf response;
    uint64_t retry_after_ms; /* what the answer's Retry-After asks for; 0: nothing */

    struct weir_http_transfer *transfer; /* private */
};

/*
 * Begin a call. The method, the URL and the headers are copied; the body and the signer stay
 * borrowed. Loop thread only, or before the loop runs.
 */
void weir_http_client_call(struct weir_http_client *client, struct weir_http_call *call);

/* End a call without its done; one that is not under way is left alone. Not inside a done of the
 * same call. */
void weir_http_client_cancel(struct weir_http_client *client, struct weir_http_call *call);

/* What comes of a call on virtual time. */
struct weir_http_stand_in {
    uint64_t after_ms; /* the call's time-out or longer: WEIR_E_TIMEOUT, then */
    enum weir_rc rc;   /* as the call's; with WEIR_OK there is an answer */
    bool sent;         /* unless WEIR_OK: as the call's */
    int status;
    struct weir_str body; /* borrowed until the next call: copied before */
};

/*
 * Let something stand in for the network of a loop on virtual time: answer is told of each call as
 * it begins, and says what comes of it. Before the loop's clients make calls; NULL: nothing does.
 */
void weir_http_client_stand_in(struct weir_loop *loop,
        struct weir_http_stand_in (*answer)(void *arg, const struct weir_http_call *call),
        void *arg);

/* Free the outcome. Accepts a zeroed or finished call, and one that was cancelled. */
void weir_http_call_fini(struct weir_http_call *call);

/* The value of the first header of that name in the answer, in any case; p is NULL without one. */
struct weir_str weir_http_call_find(const struct weir_http_call *call, struct weir_str name);

/*
 * The class of an outcome.
 *
 *     none       2xx
 *     blocked    the request cannot have come to the server (name not found, connection refused,
 *                no answer to connecting, certificate not trusted), 429, 503; WEIR_E_CLOSED
 *     retryable  broken off or timed out after that, 408, 425, 5xx
 *     final      3xx, other 4xx, an answer that is too large, a request that cannot be sent
 */
enum weir_failure_class weir_http_call_class(const struct weir_http_call *call);

#endif
