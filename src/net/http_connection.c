/* One connection: reading, serving, pausing, lingering, closing. */
#include "net/http_int.h"

enum { FREE_KEPT = 64 };

struct weir_http_connection *weir_http_connection_of(const struct weir_http_request *request)
{
    char *reader = (char *)(uintptr_t)request - offsetof(struct weir_http_reader, request);
    return WEIR_CONTAINER(reader, struct weir_http_connection, reader);
}

static void release(struct weir_http_connection *connection)
{
    struct weir_http_server *server = connection->server;
    if (server->free_count < FREE_KEPT) {
        connection->next = server->free;
        server->free = connection;
        server->free_count++;
    } else {
        weir_free(connection);
    }
    weir_http_server_ended(server);
}

static void on_closed(uv_handle_t *handle)
{
    struct weir_http_connection *connection = handle->data;
    struct weir_http_server *server = connection->server;
    if (connection->reader.active) {
        struct weir_http_request *request = &connection->reader.request;
        if (request->on_gone != NULL) {
            request->on_gone(request);
        }
    }
    weir_http_reader_fini(&connection->reader);
    *connection->back = connection->next;
    if (connection->next != NULL) {
        connection->next->back = connection->back;
    }
    server->connection_count--;
    weir_gauge_add(server->metrics.connections, -1);
    connection->closed = true;
    if (!connection->resuming) {
        release(connection);
    }
}

void weir_http_connection_close(struct weir_http_connection *connection)
{
    if (connection->state != WEIR_HTTP_CLOSING) {
        connection->state = WEIR_HTTP_CLOSING;
        uv_close((uv_handle_t *)&connection->tcp, on_closed);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct weir_http_connection *connection = handle->data;
    if (connection->state == WEIR_HTTP_LINGERING) {
        *buf = uv_buf_init(connection->server->discard, sizeof(connection->server->discard));
        return;
    }
    size_t room = 0;
    buf->base = weir_http_reader_room(&connection->reader, &room);
    buf->len = room;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* Read as long as there is room for what comes and the client takes its answers. */
static void update_reading(struct weir_http_connection *connection)
{
    bool want = connection->queued_bytes <= connection->server->options.max_backlog_bytes;
    if (connection->state == WEIR_HTTP_LINGERING) {
        want = true;
    } else if (connection->reader.active) {
        size_t room = 0;
        weir_http_reader_room(&connection->reader, &room);
        want = room > 0; /* also while a stream's client is slow: its leaving must show */
    }
    if (want == connection->reading || connection->state == WEIR_HTTP_CLOSING) {
        return;
    }
    connection->reading = want;
    if (!want) {
        uv_read_stop((uv_stream_t *)&connection->tcp);
    } else if (uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_read) != 0) {
        weir_http_connection_close(connection);
    }
}

static void on_shutdown(uv_shutdown_t *shutdown, int status)
{
    struct weir_http_connection *connection = shutdown->handle->data;
    if (status != 0) {
        weir_http_connection_close(connection);
        return;
    }
    struct weir_http_server *server = connection->server;
    connection->deadline = server->tick + server->linger_ticks;
}

void weir_http_connection_linger(struct weir_http_connection *connection)
{
    if (connection->state == WEIR_HTTP_LINGERING || connection->state == WEIR_HTTP_CLOSING) {
        return;
    }
    connection->state = WEIR_HTTP_LINGERING;
    connection->deadline = 0; /* until all is sent; a stalled write has its own */
    weir_http_reader_fini(&connection->reader);
    if (uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shutdown) != 0) {
        weir_http_connection_close(connection);
        return;
    }
    update_reading(connection);
}

/* After serving, with everything flushed: what the connection waits for now. */
static void settle(struct weir_http_connection *connection)
{
    struct weir_http_server *server = connection->server;
    switch (connection->state) {
    case WEIR_HTTP_ACTIVE:
    case WEIR_HTTP_STREAMING:
        update_reading(connection);
        return;
    case WEIR_HTTP_IDLE:
    case WEIR_HTTP_READING:
        break;
    case WEIR_HTTP_LINGERING:
    case WEIR_HTTP_CLOSING:
        return;
    }
    struct weir_http_reader *reader = &connection->reader;
    bool begun = reader->in_message || weir_http_reader_pending(reader);
    if (connection->close_after || (server->stopping && !begun)) {
        weir_http_connection_linger(connection);
        return;
    }
    if (!begun) {
        connection->state = WEIR_HTTP_IDLE;
        connection->deadline = server->tick + server->idle_ticks;
        weir_http_reader_relax(reader);
    } else if (connection->state == WEIR_HTTP_IDLE) {
        connection->state = WEIR_HTTP_READING;
        connection->deadline = server->tick + server->request_ticks;
    }
    update_reading(connection);
}

static void serve(struct weir_http_connection *connection)
{
    struct weir_http_server *server = connection->server;
    struct weir_http_request *request = &connection->reader.request;
    connection->state = WEIR_HTTP_ACTIVE;
    connection->deadline = 0;
    weir_counter_add(server->metrics.requests, 1);
    server->options.handle(request, server->options.arg);
    /* Whoever keeps a request has to hear that its client left. */
    weir_assert(!connection->reader.active || request->on_gone != NULL);
}

static void send_continue(struct weir_http_connection *connection)
{
    struct weir_http_reader *reader = &connection->reader;
    if (reader->expects_continue && reader->headers_done && reader->in_message) {
        reader->expects_continue = false;
        if (reader->request.raw_body.n == 0) {
            weir_buf_str(&connection->server->out, WEIR_STR("HTTP/1.1 100 Continue\r\n\r\n"));
        }
    }
}

static bool may_serve(const struct weir_http_connection *connection)
{
    return (connection->state == WEIR_HTTP_IDLE || connection->state == WEIR_HTTP_READING) &&
           !connection->close_after &&
           connection->queued_bytes <= connection->server->options.max_backlog_bytes;
}

/* Serve all complete requests in the buffer, then send the answers in one write. */
static void process(struct weir_http_connection *connection)
{
    struct weir_http_reader *reader = &connection->reader;
    connection->processing = true;
    connection->out_mark = connection->server->out.n;
    enum weir_http_progress progress = WEIR_HTTP_COMPLETE;
    while (progress == WEIR_HTTP_COMPLETE && may_serve(connection)) {
        progress = weir_http_reader_next(reader);
        if (progress == WEIR_HTTP_COMPLETE) {
            serve(connection);
        } else if (progress == WEIR_HTTP_REFUSED) {
            weir_http_refuse(connection, reader->status, reader->message);
        } else {
            send_continue(connection);
        }
    }
    connection->processing = false;
    weir_http_flush(connection, connection->out_mark);
    settle(connection);
}

static void on_resume(struct weir_post *post)
{
    struct weir_http_connection *connection =
            WEIR_CONTAINER(post, struct weir_http_connection, resume);
    connection->resuming = false;
    if (connection->closed) {
        release(connection);
    } else if (may_serve(connection)) {
        process(connection);
    }
}

void weir_http_connection_resume(struct weir_http_connection *connection)
{
    if (!connection->resuming && may_serve(connection)) {
        connection->resuming = true;
        weir_loop_defer(connection->server->loop, &connection->resume);
    }
}

void weir_http_connection_finish(struct weir_http_connection *connection)
{
    weir_http_reader_finish(&connection->reader);
    if (connection->state == WEIR_HTTP_CLOSING) {
        return;
    }
    connection->state = WEIR_HTTP_IDLE;
    if (connection->processing) {
        return; /* process goes on, and settles at its end */
    }
    if (weir_http_reader_pending(&connection->reader) && !connection->close_after) {
        /* Not from here: the caller may be going through a list of requests. */
        weir_http_connection_resume(connection);
    } else {
        settle(connection);
    }
}

static void on_end(struct weir_http_connection *connection, ssize_t n)
{
    bool unsent = connection->state == WEIR_HTTP_IDLE && connection->queued_bytes > 0;
    if (n == UV_EOF && unsent) {
        connection->reading = false;
        uv_read_stop((uv_stream_t *)&connection->tcp);
        weir_http_connection_linger(
                connection); /* sent its last request, still takes the answers */
        return;
    }
    weir_http_connection_close(connection);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct weir_http_connection *connection = stream->data;
    if (n == 0 || connection->state == WEIR_HTTP_CLOSING) {
        return;
    }
    if (n == UV_ENOBUFS) {
        connection->reading = false;
        uv_read_stop(stream);
        return;
    }
    if (n < 0) {
        on_end(connection, n);
        return;
    }
    weir_counter_add(connection->server->metrics.received_bytes, (uint64_t)n);
    if (connection->state == WEIR_HTTP_LINGERING) {
        return;
    }
    weir_http_reader_fill(&connection->reader, (size_t)n);
    if (may_serve(connection)) {
        process(connection);
    } else {
        update_reading(connection);
    }
}

static struct weir_http_connection *take_connection(struct weir_http_server *server)
{
    struct weir_http_connection *connection = server->free;
    if (connection == NULL) {
        connection = weir_alloc(sizeof(*connection));
    } else {
        server->free = connection->next;
        server->free_count--;
    }
    memset(connection, 0, offsetof(struct weir_http_connection, reader));
    weir_http_reader_init(&connection->reader, &server->buffers, server->options.max_header_bytes,
            server->options.max_body_bytes);
    connection->server = server;
    connection->resume.run = on_resume;
    connection->next = server->connections;
    connection->back = &server->connections;
    if (connection->next != NULL) {
        connection->next->back = &connection->next;
    }
    server->connections = connection;
    server->connection_count++;
    weir_gauge_add(server->metrics.connections, 1);
    return connection;
}

void weir_http_connection_accept(struct weir_http_server *server, uv_stream_t *listener)
{
    bool busy = server->connection_count >= server->options.max_connections;
    struct weir_http_connection *connection = take_connection(server);
    weir_assert(uv_tcp_init(weir_loop_uv(server->loop), &connection->tcp) == 0);
    connection->tcp.data = connection;
    server->open_handles++;
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) != 0) {
        weir_http_connection_close(connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    if (!server->ticking) {
        server->ticking = true;
        weir_loop_timer_start(&server->ticker, server->tick_ms);
    }
    if (busy) {
        struct weir_str answer = weir_http_busy_answer();
        uv_buf_t buf = { .base = (char *)(uintptr_t)answer.p, .len = answer.n };
        weir_counter_add(server->metrics.refused, 1);
        if (weir_http_send(connection, &buf, 1)) {
            weir_http_connection_linger(connection);
        }
        return;
    }
    settle(connection);
}
