/* Listening, time-outs, stopping. */
#include <arpa/inet.h>
#include <errno.h>
#include <strings.h>
#include <sys/socket.h>

#include "net/http_int.h"

enum {
    BACKLOG = 1024,
    TICK_MIN_MS = 5,
    TICK_MAX_MS = 500,
    LINGER_MS = 2000,
};

void weir_http_metrics_init(struct weir_http_metrics *http, struct weir_metrics *metrics)
{
    http->requests = weir_metrics_counter(
            metrics, "weir_http_requests_total", NULL, "HTTP requests that reached a handler");
    http->refused = weir_metrics_counter(metrics, "weir_http_refused_total", NULL,
            "HTTP requests and connections refused as malformed, too large, too slow or too many");
    http->connections =
            weir_metrics_gauge(metrics, "weir_http_connections", NULL, "Open HTTP connections");
    http->received_bytes = weir_metrics_counter(
            metrics, "weir_http_received_bytes_total", NULL, "Bytes received over HTTP");
    http->sent_bytes = weir_metrics_counter(
            metrics, "weir_http_sent_bytes_total", NULL, "Bytes sent over HTTP");
}

static void free_server(struct weir_http_server *server)
{
    while (server->free != NULL) {
        struct weir_http_connection *next = server->free->next;
        weir_free(server->free);
        server->free = next;
    }
    weir_http_buffers_fini(&server->buffers);
    weir_buf_fini(&server->out);
    weir_free(server);
}

void weir_http_server_ended(struct weir_http_server *server)
{
    weir_assert(server->open_handles > 0);
    if (--server->open_handles > 0) {
        return;
    }
    if (server->destroyed) {
        free_server(server);
    } else if (server->stopping) {
        weir_loop_timer_stop(&server->deadline);
        weir_loop_timer_stop(&server->ticker);
        server->on_stopped(server->stopped_arg);
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    weir_http_server_ended(handle->data);
}

static void close_listeners(struct weir_http_server *server)
{
    for (int i = 0; i < server->listener_count; i++) {
        uv_close((uv_handle_t *)&server->listeners[i], on_listener_closed);
    }
    server->listener_count = 0;
}

static void on_connection(uv_stream_t *listener, int status)
{
    if (status == 0) {
        weir_http_connection_accept(listener->data, listener);
    }
}

/* Whether a client has left answers untaken for the idle time-out. */
static bool is_stalled(struct weir_http_connection *connection)
{
    struct weir_http_server *server = connection->server;
    if (connection->queued_bytes == 0) {
        connection->stall_deadline = 0;
        return false;
    }
    size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    if (connection->stall_deadline == 0 || unsent < connection->seen_queue) {
        connection->stall_deadline = server->tick + server->idle_ticks;
    }
    connection->seen_queue = unsent;
    return server->tick >= connection->stall_deadline;
}

static void check_deadlines(struct weir_http_connection *connection)
{
    if (is_stalled(connection)) {
        weir_http_connection_close(connection);
        return;
    }
    if (connection->deadline == 0 || connection->server->tick < connection->deadline) {
        return;
    }
    if (connection->state == WEIR_HTTP_READING && connection->queued_bytes == 0) {
        size_t mark = connection->server->out.n;
        weir_http_refuse(connection, 408, "the request took too long to arrive");
        weir_http_flush(connection, mark);
        weir_http_connection_linger(connection);
        return;
    }
    weir_http_connection_close(connection);
}

static void on_tick(struct weir_loop_timer *timer)
{
    struct weir_http_server *server = WEIR_CONTAINER(timer, struct weir_http_server, ticker);
    server->tick++;
    for (struct weir_http_connection *c = server->connections; c != NULL; c = c->next) {
        if (c->state != WEIR_HTTP_CLOSING) {
            check_deadlines(c);
        }
    }
    server->ticking = server->connections != NULL;
    if (server->ticking) {
        weir_loop_timer_start(timer, server->tick_ms);
    }
}

static void close_connections(struct weir_http_server *server)
{
    for (struct weir_http_connection *c = server->connections; c != NULL; c = c->next) {
        weir_http_connection_close(c);
    }
}

static void on_deadline(struct weir_loop_timer *timer)
{
    close_connections(WEIR_CONTAINER(timer, struct weir_http_server, deadline));
}

static void set_size(size_t *size, size_t fallback)
{
    *size = *size > 0 ? *size : fallback;
}

static void set_time_outs(struct weir_http_server *server)
{
    struct weir_http_options *options = &server->options;
    options->idle_timeout_ms = options->idle_timeout_ms > 0 ? options->idle_timeout_ms : 60000;
    options->request_timeout_ms =
            options->request_timeout_ms > 0 ? options->request_timeout_ms : 30000;
    uint32_t least = options->idle_timeout_ms < options->request_timeout_ms
                             ? options->idle_timeout_ms
                             : options->request_timeout_ms;
    uint32_t tick_ms = least / 8;
    tick_ms = tick_ms < TICK_MAX_MS ? tick_ms : TICK_MAX_MS;
    server->tick_ms = tick_ms > TICK_MIN_MS ? tick_ms : TICK_MIN_MS;
    /* One more, since the first tick may come at once. */
    server->idle_ticks = options->idle_timeout_ms / server->tick_ms + 1;
    server->request_ticks = options->request_timeout_ms / server->tick_ms + 1;
    server->linger_ticks = LINGER_MS / server->tick_ms + 1;
}

static struct weir_http_server *make_server(
        struct weir_loop *loop, const struct weir_http_options *options)
{
    struct weir_http_server *server = weir_alloc_zero(1, sizeof(*server));
    server->loop = loop;
    server->options = *options;
    set_size(&server->options.max_header_bytes, (size_t)64 << 10);
    set_size(&server->options.max_body_bytes, (size_t)16 << 20);
    set_size(&server->options.max_connections, 16384);
    set_size(&server->options.max_backlog_bytes, (size_t)1 << 20);
    set_time_outs(server);
    struct weir_counter *own = &server->own_counter;
    server->metrics = options->metrics != NULL ? *options->metrics
                                               : (struct weir_http_metrics){ own, own,
                                                     &server->own_gauge, own, own };
    server->tick = 1;
    weir_buf_init(&server->out, SIZE_MAX / 4);
    weir_loop_timer_init(&server->ticker, loop, on_tick);
    weir_loop_timer_init(&server->deadline, loop, on_deadline);
    return server;
}

static int set_reuse_port(uv_tcp_t *tcp)
{
    uv_os_fd_t fd;
    int on = 1;
    int failed = uv_fileno((uv_handle_t *)tcp, &fd);
    if (failed == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
        failed = uv_translate_sys_error(errno);
    }
    return failed;
}

/* The port of a bound socket. */
static int get_port(const uv_tcp_t *tcp, uint16_t *ret_port)
{
    struct sockaddr_storage bound;
    int size = sizeof(bound);
    int failed = uv_tcp_getsockname(tcp, (struct sockaddr *)&bound, &size);
    if (failed == 0) {
        /* The port stands at the same place for both families. */
        *ret_port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
    }
    return failed;
}

/* Add a listener on a literal address. Returns libuv's error, 0 for none. */
static int listen_on(struct weir_http_server *server, const char *address, uint16_t port)
{
    struct sockaddr_storage to = { 0 };
    unsigned flags = 0;
    if (uv_ip4_addr(address, port, (struct sockaddr_in *)&to) != 0) {
        int failed = uv_ip6_addr(address, port, (struct sockaddr_in6 *)&to);
        if (failed != 0) {
            return failed;
        }
        flags = UV_TCP_IPV6ONLY;
    }
    uv_tcp_t *tcp = &server->listeners[server->listener_count];
    int failed = uv_tcp_init_ex(weir_loop_uv(server->loop), tcp, to.ss_family);
    if (failed != 0) {
        return failed;
    }
    server->listener_count++;
    server->open_handles++;
    tcp->data = server;
    if (server->options.reuse_port) {
        failed = set_reuse_port(tcp);
    }
    failed = failed != 0 ? failed : uv_tcp_bind(tcp, (struct sockaddr *)&to, flags);
    failed = failed != 0 ? failed : uv_listen((uv_stream_t *)tcp, BACKLOG, on_connection);
    return failed != 0 ? failed : get_port(tcp, &server->port);
}

static enum weir_rc listen_all(struct weir_http_server *server, struct weir_err *err)
{
    const char *address = server->options.address;
    uint16_t port = server->options.port;
    bool localhost = strcmp(address, "localhost") == 0;
    int failed = listen_on(server, localhost ? "127.0.0.1" : address, port);
    if (failed == UV_EINVAL && server->listener_count == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "cannot listen on \"%s\": expected an IPv4 or IPv6 address or localhost", address);
    }
    if (failed != 0) {
        return weir_fail(err, WEIR_E_IO, "cannot listen on %s port %u: %s", address, (unsigned)port,
                uv_strerror(failed));
    }
    if (localhost && listen_on(server, "::1", server->port) != 0 && server->listener_count == 2) {
        /* A machine without IPv6 is served well enough. */
        uv_close((uv_handle_t *)&server->listeners[1], on_listener_closed);
        server->listener_count = 1;
    }
    return WEIR_OK;
}

enum weir_rc weir_http_server_create(struct weir_loop *loop,
        const struct weir_http_options *options, struct weir_http_server **ret_server,
        struct weir_err *err)
{
    struct weir_http_server *server = make_server(loop, options);
    enum weir_rc rc = listen_all(server, err);
    server->options.address = NULL; /* the caller's text, of no more use */
    server->options.metrics = NULL;
    if (rc != WEIR_OK) {
        weir_http_server_destroy(server);
        return rc;
    }
    *ret_server = server;
    return WEIR_OK;
}

uint16_t weir_http_server_port(const struct weir_http_server *server)
{
    return server->port;
}

void weir_http_server_stop(struct weir_http_server *server, uint64_t deadline_ms,
        void (*on_stopped)(void *arg), void *arg)
{
    weir_assert(!server->stopping);
    server->stopping = true;
    server->on_stopped = on_stopped;
    server->stopped_arg = arg;
    close_listeners(server);
    for (struct weir_http_connection *c = server->connections; c != NULL; c = c->next) {
        /* Its buffer may hold a request whose turn comes later in this round of the loop. */
        if (c->state == WEIR_HTTP_IDLE && !weir_http_reader_pending(&c->reader)) {
            weir_http_connection_linger(c);
        }
    }
    weir_loop_timer_start(&server->deadline, deadline_ms);
}

void weir_http_server_destroy(struct weir_http_server *server)
{
    if (server == NULL) {
        return;
    }
    server->destroyed = true;
    weir_loop_timer_fini(&server->ticker);
    weir_loop_timer_fini(&server->deadline);
    if (server->open_handles == 0) {
        free_server(server);
        return;
    }
    close_listeners(server);
    close_connections(server);
}

struct weir_str weir_http_find(const struct weir_http_request *request, struct weir_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct weir_str *found = &request->headers[i].name;
        if (found->n == name.n && strncasecmp(found->p, name.p, name.n) == 0) {
            return request->headers[i].value;
        }
    }
    return weir_str(NULL, 0);
}
