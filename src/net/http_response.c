/* Answers: heads, bodies, streams, and the way out of the socket. */
#include <stdio.h>
#include <time.h>

#include "net/http_int.h"

enum {
    COPY_BYTES = 32 * 1024,   /* bodies up to this are joined with their head */
    FLUSH_BYTES = 256 * 1024, /* answers to pipelined requests gather up to this */
    HEAD_BYTES = 256,         /* enough for what write_head adds of its own */
};

struct write {
    uv_write_t request;
    size_t n;
    char data[];
};

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 415, "Unsupported Media Type" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 423, "Locked" },
        { 426, "Upgrade Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < WEIR_COUNT(reasons); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

static void refresh_date(struct weir_http_server *server)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
        "Oct", "Nov", "Dec" };
    int64_t second = weir_clock_wall(weir_loop_clock(server->loop)).ms / 1000;
    if (second == server->date_second && server->date_bytes > 0) {
        return;
    }
    time_t at = (time_t)second;
    struct tm tm;
    gmtime_r(&at, &tm);
    int n = snprintf(server->date, sizeof(server->date),
            "Date: %s, %02u %s %04u %02u:%02u:%02u GMT\r\n", days[tm.tm_wday % 7],
            (unsigned)tm.tm_mday % 100u, months[tm.tm_mon % 12],
            (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)tm.tm_hour % 100u,
            (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
    server->date_second = second;
    server->date_bytes = (size_t)n < sizeof(server->date) ? (size_t)n : sizeof(server->date) - 1;
}

static char *put(char *at, const char *p, size_t n)
{
    memcpy(at, p, n);
    return at + n;
}

#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)

static char *put_number(char *at, size_t number)
{
    char digits[24];
    size_t i = sizeof(digits);
    do {
        digits[--i] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(at, digits + i, sizeof(digits) - i);
}

/* Header text of the caller's, in which nothing may end the line. */
static char *put_clean(char *at, struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        *at++ = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    return at;
}

static char *put_status_line(char *at, int status)
{
    if (status == 200) {
        return PUT(at, "HTTP/1.1 200 OK\r\n");
    }
    at = PUT(at, "HTTP/1.1 ");
    at = put_number(at, (size_t)status);
    *at++ = ' ';
    const char *reason = reason_of(status);
    at = put(at, reason, strlen(reason));
    return PUT(at, "\r\n");
}

/* Append a head to the server's out. length: of the body; SIZE_MAX for a chunked one. */
static void write_head(struct weir_http_connection *connection, int status,
        const struct weir_http_header *headers, size_t count, size_t length)
{
    struct weir_http_server *server = connection->server;
    refresh_date(server);
    size_t room = HEAD_BYTES;
    for (size_t i = 0; i < count; i++) {
        room += headers[i].name.n + headers[i].value.n + 4;
    }
    char *from = weir_buf_reserve(&server->out, room);
    weir_assert(from != NULL);
    char *at = put_status_line(from, status);
    at = put(at, server->date, server->date_bytes);
    if (length != SIZE_MAX) {
        if (status != 204 && status != 304) {
            at = PUT(at, "Content-Length: ");
            at = put_number(at, length);
            at = PUT(at, "\r\n");
        }
    } else if (connection->chunked) {
        at = PUT(at, "Transfer-Encoding: chunked\r\n");
    }
    if (connection->close_after) {
        at = PUT(at, "Connection: close\r\n");
    } else if (connection->reader.request.http_1_0) {
        at = PUT(at, "Connection: keep-alive\r\n");
    }
    for (size_t i = 0; i < count; i++) {
        at = put_clean(at, headers[i].name);
        at = PUT(at, ": ");
        at = put_clean(at, headers[i].value);
        at = PUT(at, "\r\n");
    }
    at = PUT(at, "\r\n");
    server->out.n = (size_t)(at - server->out.p);
}

static void on_written(uv_write_t *request, int status)
{
    struct write *write = WEIR_CONTAINER(request, struct write, request);
    struct weir_http_connection *connection = request->handle->data;
    connection->queued_bytes -= write->n;
    weir_free(write);
    if (status != 0) {
        weir_http_connection_close(connection);
        return;
    }
    size_t limit = connection->server->options.max_backlog_bytes;
    if (connection->queued_bytes > limit / 2) {
        return;
    }
    if (connection->told_full && connection->state == WEIR_HTTP_STREAMING) {
        connection->told_full = false;
        struct weir_http_request *handed = &connection->reader.request;
        if (handed->on_drain != NULL) {
            handed->on_drain(handed);
        }
        return;
    }
    weir_http_connection_resume(connection);
}

/* Queue what try_write left, as one copy. */
static void send_rest(
        struct weir_http_connection *connection, const uv_buf_t *bufs, unsigned count, size_t sent)
{
    size_t all = 0;
    for (unsigned i = 0; i < count; i++) {
        all += bufs[i].len;
    }
    struct write *write = weir_alloc(sizeof(*write) + all - sent);
    write->n = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t skip = sent < bufs[i].len ? sent : bufs[i].len;
        sent -= skip;
        if (bufs[i].len > skip) {
            memcpy(write->data + write->n, bufs[i].base + skip, bufs[i].len - skip);
            write->n += bufs[i].len - skip;
        }
    }
    uv_buf_t rest = uv_buf_init(write->data, (unsigned)write->n);
    if (uv_write(&write->request, (uv_stream_t *)&connection->tcp, &rest, 1, on_written) != 0) {
        weir_free(write);
        weir_http_connection_close(connection);
        return;
    }
    connection->queued_bytes += write->n;
}

bool weir_http_send(struct weir_http_connection *connection, uv_buf_t *bufs, unsigned count)
{
    if (connection->state == WEIR_HTTP_CLOSING) {
        return false;
    }
    size_t all = 0;
    for (unsigned i = 0; i < count; i++) {
        all += bufs[i].len;
    }
    if (all == 0) {
        return true;
    }
    size_t sent = 0;
    if (connection->queued_bytes == 0) {
        int n = uv_try_write((uv_stream_t *)&connection->tcp, bufs, count);
        if (n < 0 && n != UV_EAGAIN) {
            weir_http_connection_close(connection);
            return false;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    weir_counter_add(connection->server->metrics.sent_bytes, all);
    if (sent < all) {
        send_rest(connection, bufs, count, sent);
    }
    return connection->state != WEIR_HTTP_CLOSING;
}

void weir_http_flush(struct weir_http_connection *connection, size_t mark)
{
    struct weir_buf *out = &connection->server->out;
    if (out->n > mark) {
        uv_buf_t buf = uv_buf_init(out->p + mark, (unsigned)(out->n - mark));
        weir_http_send(connection, &buf, 1);
        out->n = mark;
    }
}

/* Send head and body, or leave them in out for the batch that is being served. */
static void send_answer(struct weir_http_connection *connection, size_t mark, struct weir_str body)
{
    struct weir_buf *out = &connection->server->out;
    if (body.n > COPY_BYTES) {
        uv_buf_t bufs[2] = { uv_buf_init(out->p + mark, (unsigned)(out->n - mark)),
            { .base = (char *)(uintptr_t)body.p, .len = body.n } };
        weir_http_send(connection, bufs, 2);
        out->n = mark;
        return;
    }
    weir_buf_str(out, body);
    if (!connection->processing || out->n - mark > FLUSH_BYTES) {
        weir_http_flush(connection, mark);
    }
}

/* Where the bytes that still have to go out on this connection begin in out. */
static size_t mark_of(const struct weir_http_connection *connection)
{
    return connection->processing ? connection->out_mark : connection->server->out.n;
}

void weir_http_respond(struct weir_http_request *request, int status,
        const struct weir_http_header *headers, size_t count, struct weir_str body)
{
    if (request->answered != NULL) {
        request->answered(request, status, headers, count, body);
        return;
    }
    struct weir_http_connection *connection = weir_http_connection_of(request);
    weir_assert(connection->reader.active);
    if (connection->state == WEIR_HTTP_CLOSING) {
        weir_http_connection_finish(connection);
        return;
    }
    weir_assert(connection->state == WEIR_HTTP_ACTIVE);
    connection->close_after |= !request->keep_alive || connection->server->stopping;
    size_t mark = mark_of(connection);
    bool bodyless = status == 204 || status == 304;
    write_head(connection, status, headers, count, bodyless ? 0 : body.n);
    if (bodyless || request->method == WEIR_HTTP_HEAD) {
        body.n = 0;
    }
    send_answer(connection, mark, body);
    weir_http_connection_finish(connection);
}

void weir_http_stream_begin(struct weir_http_request *request, int status,
        const struct weir_http_header *headers, size_t count)
{
    weir_assert(request->answered == NULL);
    struct weir_http_connection *connection = weir_http_connection_of(request);
    weir_assert(connection->reader.active && request->on_gone != NULL);
    if (connection->state == WEIR_HTTP_CLOSING) {
        return;
    }
    weir_assert(connection->state == WEIR_HTTP_ACTIVE);
    connection->chunked = !request->http_1_0;
    connection->close_after |=
            !request->keep_alive || connection->server->stopping || !connection->chunked;
    connection->head_only = request->method == WEIR_HTTP_HEAD;
    connection->state = WEIR_HTTP_STREAMING;
    connection->told_full = false;
    size_t mark = mark_of(connection);
    write_head(connection, status, headers, count, SIZE_MAX);
    weir_http_flush(connection, mark);
}

size_t weir_http_stream_backlog(const struct weir_http_request *request)
{
    return weir_http_connection_of(request)->queued_bytes;
}

bool weir_http_stream_write(struct weir_http_request *request, struct weir_str data)
{
    struct weir_http_connection *connection = weir_http_connection_of(request);
    weir_assert(connection->reader.active);
    if (connection->state == WEIR_HTTP_CLOSING) {
        return false;
    }
    weir_assert(connection->state == WEIR_HTTP_STREAMING);
    if (connection->queued_bytes > connection->server->options.max_backlog_bytes) {
        connection->told_full = true;
        return false;
    }
    if (data.n == 0 || connection->head_only) {
        return true; /* an empty chunk would end the stream */
    }
    char size[24];
    int n = snprintf(size, sizeof(size), "%zx\r\n", data.n);
    uv_buf_t bufs[3] = { uv_buf_init(size, (unsigned)n),
        { .base = (char *)(uintptr_t)data.p, .len = data.n },
        { .base = (char *)(uintptr_t) "\r\n", .len = 2 } };
    return weir_http_send(
            connection, connection->chunked ? bufs : bufs + 1, connection->chunked ? 3 : 1);
}

void weir_http_stream_end(struct weir_http_request *request)
{
    struct weir_http_connection *connection = weir_http_connection_of(request);
    weir_assert(connection->reader.active);
    if (connection->state == WEIR_HTTP_STREAMING) {
        if (connection->chunked && !connection->head_only) {
            uv_buf_t end = { .base = (char *)(uintptr_t) "0\r\n\r\n", .len = 5 };
            weir_http_send(connection, &end, 1);
        }
    } else {
        weir_assert(connection->state == WEIR_HTTP_CLOSING);
    }
    weir_http_connection_finish(connection);
}

static const char *wire_name(int status)
{
    switch (status) {
    case 408:
        return weir_rc_name(WEIR_E_TIMEOUT);
    case 413:
    case 431:
        return weir_rc_name(WEIR_E_TOO_LARGE);
    case 405:
    case 415:
    case 417:
    case 505:
        return weir_rc_name(WEIR_E_UNSUPPORTED);
    default:
        return weir_rc_name(WEIR_E_INVALID);
    }
}

void weir_http_refuse(struct weir_http_connection *connection, int status, const char *message)
{
    static const struct weir_http_header json = { { "Content-Type", 12 },
        { "application/json", 16 } };
    char body[256];
    int n = snprintf(body, sizeof(body), "{\"error\":\"%s\",\"message\":\"%s\"}\n",
            wire_name(status), message);
    connection->close_after = true;
    write_head(connection, status, &json, 1, (size_t)n);
    weir_buf_add(&connection->server->out, body, (size_t)n);
    weir_counter_add(connection->server->metrics.refused, 1);
}

struct weir_str weir_http_busy_answer(void)
{
    return WEIR_STR(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 64\r\n"
            "Content-Type: application/json\r\n\r\n"
            "{\"error\":\"busy\",\"message\":\"all connections of weir are in use\"}\n");
}
