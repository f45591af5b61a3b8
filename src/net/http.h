/*
 * HTTP/1.1 server on a loop.
 *
 * A server listens on one address and calls its handler once per request, on
 * the loop's thread, with the whole body in one piece. The handler answers at
 * once, or later: it then keeps the request's pointer and sets on_gone. A
 * request in that state is called parked. One connection has one request at a
 * time; pipelined ones wait in its buffer, so answers are in order.
 *
 * Phases of a request, and what is legal in each:
 *
 *     phase      begins with              legal                                ends with
 *     handling   the handler's call       respond, stream_begin, park          the handler's return
 *     parked     that return              respond, stream_begin                either, or on_gone
 *     streaming  stream_begin             stream_write, stream_end             stream_end, or
 * on_gone over       respond, stream_end,     nothing: the pointer is dead or on_gone's return
 *
 * on_gone runs once, never inside a call into this module: the client closed or
 * broke the connection, the server was destroyed, or stop's deadline passed. A
 * client that half-closes its side counts as gone. While a parked request's
 * connection has its buffer full of further pipelined requests it is not read,
 * and a client leaving then shows only when the request is answered.
 *
 * All views of a request (path, headers, body) and its arena are borrowed from
 * the connection until the request is over. What is handed to respond and
 * stream_write is copied or sent before they return.
 *
 * The server itself answers, and closes after it: 400 to malformed requests, 408 to
 * one that takes too long to arrive, 413 and 431 past a limit, 415 to an unknown
 * Content-Encoding, 503 past max_connections. The body of each is
 * {"error":"<wire name>","message":"<text>"}.
 */
#ifndef WEIR_NET_HTTP_H
#define WEIR_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/metrics.h"
#include "base/str.h"

struct weir_loop;
struct weir_http_server;

struct weir_http_header {
    struct weir_str name;
    struct weir_str value;
};

enum weir_http_method {
    WEIR_HTTP_OTHER, /* see method_name */
    WEIR_HTTP_GET,
    WEIR_HTTP_HEAD,
    WEIR_HTTP_POST,
    WEIR_HTTP_PUT,
    WEIR_HTTP_DELETE,
    WEIR_HTTP_PATCH,
    WEIR_HTTP_OPTIONS,
};

struct weir_http_request {
    enum weir_http_method method;
    struct weir_str method_name; /* as sent; static */
    struct weir_str path;        /* before the '?', percent-encoded as sent; never empty */
    struct weir_str query;       /* behind the '?', as sent; empty without one */
    const struct weir_http_header *headers; /* in the order sent, values trimmed */
    size_t header_count;
    struct weir_str body;     /* with Content-Encoding: gzip undone */
    struct weir_str raw_body; /* as sent, which is what a signature covers */
    bool keep_alive;          /* the connection may be used again */
    bool http_1_0;
    bool upgrade; /* the client asks for another protocol (Upgrade, Connection: upgrade) */
    struct weir_arena arena; /* for the handler; freed when the request is over */

    /*
     * NULL for requests that came over a connection. Else the request was made inside this
     * process by whoever set it: respond calls it instead of sending, once, and the request is
     * over. Such a request may be parked, and cannot be streamed.
     */
    void (*answered)(struct weir_http_request *request, int status,
            const struct weir_http_header *headers, size_t count, struct weir_str body);

    /* The handler's. on_gone is required to park or stream, on_drain is optional. */
    void *owner;
    void (*on_gone)(struct weir_http_request *request);
    void (*on_drain)(struct weir_http_request *request); /* a full stream takes writes again */
};

/* Counters that several servers share, made once per set. */
struct weir_http_metrics {
    struct weir_counter *requests;
    struct weir_counter *refused; /* answered by the server itself with 4xx or 503 */
    struct weir_gauge *connections;
    struct weir_counter *received_bytes;
    struct weir_counter *sent_bytes;
};

/* Create the counters in a set; they live as long as it. */
void weir_http_metrics_init(struct weir_http_metrics *http, struct weir_metrics *metrics);

/* Zero means the default wherever one is given. */
struct weir_http_options {
    const char *address; /* IPv4 or IPv6 literal, or "localhost" (127.0.0.1, and ::1 if there) */
    uint16_t port;       /* 0: a free one, see weir_http_server_port */
    bool reuse_port;     /* SO_REUSEPORT: several loops listen on one port */

    size_t max_header_bytes;     /* request line and headers; 64 KiB */
    size_t max_body_bytes;       /* also of the inflated body; 16 MiB */
    size_t max_connections;      /* 16,384 */
    size_t max_backlog_bytes;    /* unsent answers after which a connection is not served; 1 MiB */
    uint32_t idle_timeout_ms;    /* between requests, and for a write without progress; 60 s */
    uint32_t request_timeout_ms; /* first byte of a request to its last; 30 s */

    void (*handle)(struct weir_http_request *request, void *arg); /* required; each request */
    void *arg;
    const struct weir_http_metrics *metrics; /* NULL: none. Borrowed for the loop's life */
};

/*
 * Listen, and serve while the loop runs. Loop thread, or before the loop runs.
 * The options are copied.
 *
 * Errors: WEIR_E_INVALID (the address), WEIR_E_IO (cannot listen there: taken, not ours).
 */
WEIR_MUST_CHECK enum weir_rc weir_http_server_create(struct weir_loop *loop,
        const struct weir_http_options *options, struct weir_http_server **ret_server,
        struct weir_err *err);

/* The port it listens on. Any thread. */
uint16_t weir_http_server_port(const struct weir_http_server *server);

/*
 * Stop gracefully: accept no more, close idle connections, answer the requests
 * in flight with Connection: close. When the last connection has ended, or been
 * cut off after deadline_ms, on_stopped runs (never inside this call); it may
 * destroy the server. Streams are requests in flight: end them, or they last until
 * the deadline. To be called once.
 */
void weir_http_server_stop(struct weir_http_server *server, uint64_t deadline_ms,
        void (*on_stopped)(void *arg), void *arg);

/*
 * Close everything and free; NULL is fine. on_gone of requests that are not over
 * runs afterwards on the loop, at the latest in weir_loop_destroy, and so do the
 * last uses of the metrics.
 */
void weir_http_server_destroy(struct weir_http_server *server);
WEIR_AUTO_DEFINE(weir_http_server);

/* The value of the first header of that name, in any case; p is NULL without one. */
struct weir_str weir_http_find(const struct weir_http_request *request, struct weir_str name);

/*
 * Answer and be done with the request. Status 200 to 599. Date, Content-Length and
 * Connection are added, so do not pass them; control characters in header values
 * become spaces. To HEAD, and with 204 and 304, the body is not sent. Loop thread only.
 */
void weir_http_respond(struct weir_http_request *request, int status,
        const struct weir_http_header *headers, size_t count, struct weir_str body);

/*
 * Begin an answer of unknown length (Server-Sent Events): sends the head now,
 * and each write at once after it as one chunk. on_gone must be set.
 */
void weir_http_stream_begin(struct weir_http_request *request, int status,
        const struct weir_http_header *headers, size_t count);

/*
 * Send data on a stream. False, and nothing is taken, while the client's unsent
 * bytes exceed max_backlog_bytes: wait for on_drain, or end the stream.
 */
bool weir_http_stream_write(struct weir_http_request *request, struct weir_str data);

/* Bytes of the request's connection that the client has not taken yet. */
size_t weir_http_stream_backlog(const struct weir_http_request *request);

/* End a stream: the request is over. */
void weir_http_stream_end(struct weir_http_request *request);

#endif
