/* The HTTP server's structs, for its own files. */
#ifndef WEIR_NET_HTTP_INT_H
#define WEIR_NET_HTTP_INT_H

#include "net/http_reader.h"
#include "net/net_int.h"

enum { WEIR_HTTP_LISTENERS = 2, WEIR_HTTP_DATE_TEXT = 40 };

/*
 * What a connection does, and with it what its deadline means.
 *
 *     IDLE       no byte of a request yet       idle time-out
 *     READING    part of a request is there     request time-out
 *     ACTIVE     a request is handled or parked none (writes must progress)
 *     STREAMING  the answer is a stream         none (writes must progress)
 *     LINGERING  our side is shut; what still arrives is dropped until the
 *                client closes, so that it reads our last answer   linger time-out
 *     CLOSING    uv_close is under way
 */
enum weir_http_state {
    WEIR_HTTP_IDLE,
    WEIR_HTTP_READING,
    WEIR_HTTP_ACTIVE,
    WEIR_HTTP_STREAMING,
    WEIR_HTTP_LINGERING,
    WEIR_HTTP_CLOSING,
};

struct weir_http_connection {
    uv_tcp_t tcp;
    struct weir_http_server *server;
    struct weir_http_connection *next; /* in the server's list, or its list of free ones */
    struct weir_http_connection **back;
    enum weir_http_state state;
    uint64_t deadline;       /* in ticks of the server; 0 for none */
    size_t queued_bytes;     /* handed to libuv and not sent yet */
    size_t seen_queue;       /* unsent bytes at the last look, to see whether writes progress */
    uint64_t stall_deadline; /* in ticks: when that look is too long ago; 0 while nothing waits */
    bool reading;            /* uv_read_start is in force */
    bool processing;         /* its requests are being served further up the stack */
    bool close_after;        /* no request after this one */
    bool head_only;          /* the stream's answer is to HEAD */
    bool chunked;            /* the stream's answer is chunked, not ended by closing */
    bool told_full;          /* stream_write refused; on_drain is owed */
    bool resuming;           /* resume is in the loop's queue */
    bool closed;             /* libuv is done with it; freed once resume has run too */
    size_t out_mark;         /* where its answers begin in the server's out while processing */
    struct weir_post resume;
    uv_shutdown_t shutdown;
    struct weir_http_reader reader;
};

struct weir_http_server {
    struct weir_loop *loop;
    struct weir_http_options options; /* with the defaults filled in */
    struct weir_http_metrics metrics; /* of options.metrics, or own_counters and own_gauge */
    struct weir_counter own_counter;
    struct weir_gauge own_gauge;

    uv_tcp_t listeners[WEIR_HTTP_LISTENERS];
    int listener_count;
    uint16_t port;
    size_t open_handles; /* listeners and connections that libuv still holds */

    struct weir_http_connection *connections;
    struct weir_http_connection *free; /* finished ones for reuse */
    size_t connection_count;
    size_t free_count;

    /* Time-outs are counted in ticks of one timer, so that no request asks for the time. */
    struct weir_loop_timer ticker;
    bool ticking;
    uint64_t tick;
    uint32_t tick_ms;
    uint64_t idle_ticks;
    uint64_t request_ticks;
    uint64_t linger_ticks;

    struct weir_http_buffers buffers;
    /* Answers gather here until they are sent. Used like a stack: see out_mark. */
    struct weir_buf out;
    char discard[4096]; /* what lingering connections send */

    int64_t date_second;
    char date[WEIR_HTTP_DATE_TEXT]; /* "Date: ...\r\n" of that second */
    size_t date_bytes;

    bool stopping;
    bool destroyed; /* free when the last handle is gone */
    struct weir_loop_timer deadline;
    void (*on_stopped)(void *arg);
    void *stopped_arg;
};

struct weir_http_connection *weir_http_connection_of(const struct weir_http_request *request);

/* A connection waits to be accepted on the listener. */
void weir_http_connection_accept(struct weir_http_server *server, uv_stream_t *listener);

/* Close now; the request in flight, if any, is told with on_gone once closing is done. */
void weir_http_connection_close(struct weir_http_connection *connection);

/* Send the rest, shut our side, and close when the client has. */
void weir_http_connection_linger(struct weir_http_connection *connection);

/* The request in flight has been answered. */
void weir_http_connection_finish(struct weir_http_connection *connection);

/* Serve on, soon, if requests wait in the buffer or reading was held up. */
void weir_http_connection_resume(struct weir_http_connection *connection);

/* Send bytes, copying what the socket does not take at once. False when the connection broke. */
bool weir_http_send(struct weir_http_connection *connection, uv_buf_t *bufs, unsigned count);

/* Send what stands in the server's out from mark on, and take it out. */
void weir_http_flush(struct weir_http_connection *connection, size_t mark);

/* Append an answer of the server's own, after which the connection closes. */
void weir_http_refuse(struct weir_http_connection *connection, int status, const char *message);

/* The whole text of the answer to a client past max_connections. */
struct weir_str weir_http_busy_answer(void);

/* A connection has ended, or a listener: see whether the server has. */
void weir_http_server_ended(struct weir_http_server *server);

#endif
