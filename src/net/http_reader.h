/*
 * Reads HTTP/1.1 requests from bytes, without sockets: buffer, parser, limits.
 * Internal to net/, and driven alone by its fuzzer.
 *
 * Bytes are put where room says and announced with fill; next then parses up to
 * the end of one request. Views of the request point into the buffer, which
 * does not move until the request is finished.
 */
#ifndef WEIR_NET_HTTP_READER_H
#define WEIR_NET_HTTP_READER_H

#include <llhttp.h>

#include "base/buf.h"
#include "net/http.h"

/*
 * Read buffers for reuse in two sizes, so that an idle connection holds none
 * and a busy one costs no allocation.
 */
struct weir_http_buffers {
    void *small; /* free ones, linked through their first bytes */
    void *large;
    size_t small_count;
    size_t large_count;
    struct weir_arena arenas[16]; /* that have their first block already */
    size_t arena_count;
};

enum {
    WEIR_HTTP_SMALL_BYTES = 4096,
    WEIR_HTTP_LARGE_BYTES = 65536,
    WEIR_HTTP_INLINE_HEADERS = 24,
    WEIR_HTTP_MAX_HEADERS = 256,
};

/* Free all that is kept. */
void weir_http_buffers_fini(struct weir_http_buffers *buffers);

enum weir_http_progress {
    WEIR_HTTP_MORE,     /* all bytes are used; the request is not complete */
    WEIR_HTTP_COMPLETE, /* reader->request is filled */
    WEIR_HTTP_REFUSED,  /* answer with reader->status and reader->message, then close */
};

struct weir_http_reader {
    llhttp_t parser;
    struct weir_http_buffers *buffers; /* borrowed */
    size_t max_header_bytes;
    size_t max_body_bytes;

    char *in;        /* owned; NULL while nothing is buffered */
    size_t in_size;  /* of the buffer */
    size_t in_bytes; /* received */
    size_t in_at;    /* parsed */
    size_t start;    /* where the message being read begins */

    bool in_message;       /* its first byte has been seen */
    bool headers_done;     /* and its last header too */
    bool active;           /* a request is handed out; the buffer must not move */
    bool expects_continue; /* the client waits for 100 before it sends the body */
    bool gzip;
    bool has_host;
    size_t keep; /* end of what views need, in a message whose body has not begun */

    int status; /* why the request was refused: HTTP status, 0 for not refused */
    const char *message;

    struct weir_str url;
    struct weir_http_header *headers; /* inline_headers, or owned when more */
    size_t header_count;
    size_t header_room;
    struct weir_buf inflated;
    struct weir_http_request request;
    struct weir_http_header inline_headers[WEIR_HTTP_INLINE_HEADERS];
};

/* Prepare in place. buffers is borrowed for the reader's life. */
void weir_http_reader_init(struct weir_http_reader *reader, struct weir_http_buffers *buffers,
        size_t max_header_bytes, size_t max_body_bytes);

/* Give everything back. */
void weir_http_reader_fini(struct weir_http_reader *reader);

/* Where the next bytes go, and how many fit: 0 while a request is handed out and the buffer full.
 */
char *weir_http_reader_room(struct weir_http_reader *reader, size_t *ret_room);

/* n bytes have been put there. */
static inline void weir_http_reader_fill(struct weir_http_reader *reader, size_t n)
{
    reader->in_bytes += n;
}

/* Parse on. Not while a request is handed out. */
enum weir_http_progress weir_http_reader_next(struct weir_http_reader *reader);

/* The handed-out request is over: its views die. */
void weir_http_reader_finish(struct weir_http_reader *reader);

/* Whether received bytes wait to be parsed. */
static inline bool weir_http_reader_pending(const struct weir_http_reader *reader)
{
    return reader->in_at < reader->in_bytes;
}

/* Give the buffer back if nothing needs it. */
void weir_http_reader_relax(struct weir_http_reader *reader);

/*
 * Inflate a gzip body into out. Errors: WEIR_E_INVALID (not gzip, or cut), WEIR_E_TOO_LARGE
 * (out's maximum).
 */
enum weir_rc weir_http_inflate(struct weir_str packed, struct weir_buf *out, struct weir_err *err);

#endif
