#include "net/client.h"

#include <errno.h>
#include <fcntl.h>
#include <llhttp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, READ_BYTES = 64 * 1024, HEAD_MAX = 256 * 1024 };

/* One call under way. */
struct fetch {
    const struct weir_http_fetch *call;
    struct weir_http_url url;
    int fd;
    int timeout_ms;
    llhttp_t parser;
    bool done;     /* the answer is complete, or on_data had enough */
    bool in_value; /* the last piece belonged to a header's value */
    size_t header_room;
    size_t header_bytes;
    struct weir_buf name; /* of the header being read */
    struct weir_buf value;
    struct weir_http_reply reply;
};

static void fetch_fini(struct fetch *fetch)
{
    if (fetch->fd >= 0) {
        close(fetch->fd);
    }
    weir_buf_fini(&fetch->name);
    weir_buf_fini(&fetch->value);
    weir_http_reply_fini(&fetch->reply);
}

void weir_http_reply_fini(struct weir_http_reply *reply)
{
    weir_free(reply->headers);
    weir_buf_fini(&reply->body);
    weir_arena_fini(&reply->arena);
    *reply = (struct weir_http_reply){ 0 };
}

struct weir_str weir_http_reply_find(const struct weir_http_reply *reply, struct weir_str name)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        struct weir_str found = reply->headers[i].name;
        if (found.n == name.n && strncasecmp(found.p, name.p, name.n) == 0) {
            return reply->headers[i].value;
        }
    }
    return weir_str(NULL, 0);
}

static enum weir_rc wait_for(struct fetch *fetch, short events, struct weir_err *err)
{
    struct pollfd poll_fd = { .fd = fetch->fd, .events = events };
    int ready = 0;
    do {
        ready = poll(&poll_fd, 1, fetch->timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return weir_fail(err, WEIR_E_TIMEOUT, "%.*s: nothing happened for %d ms",
                WEIR_STR_ARG(fetch->url.authority), fetch->timeout_ms);
    }
    return WEIR_OK;
}

/* Whether the connection to one address came about; err says why not. */
static enum weir_rc try_connect(
        struct fetch *fetch, const struct addrinfo *address, struct weir_err *err)
{
    fetch->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fetch->fd < 0) {
        return weir_fail(err, WEIR_E_IO, "cannot make a socket: %m");
    }
    int on = 1;
    setsockopt(fetch->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fetch->fd, address->ai_addr, address->ai_addrlen) == 0) {
        return WEIR_OK;
    }
    int failed = errno;
    if (failed == EINPROGRESS) {
        enum weir_rc rc = wait_for(fetch, POLLOUT, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        socklen_t size = sizeof(failed);
        getsockopt(fetch->fd, SOL_SOCKET, SO_ERROR, &failed, &size);
    }
    if (failed != 0) {
        errno = failed;
        return weir_fail(
                err, WEIR_E_IO, "cannot connect to %.*s: %m", WEIR_STR_ARG(fetch->url.authority));
    }
    return WEIR_OK;
}

static enum weir_rc connect_any(struct fetch *fetch, struct weir_err *err)
{
    char host[WEIR_HTTP_HOST_MAX];
    char port[8];
    snprintf(host, sizeof(host), "%.*s", WEIR_STR_ARG(fetch->url.host));
    snprintf(port, sizeof(port), "%u", (unsigned)fetch->url.port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        return weir_fail(err, WEIR_E_IO, "cannot find host \"%s\": %s", host, gai_strerror(failed));
    }
    enum weir_rc rc = WEIR_E_IO;
    for (const struct addrinfo *a = found; a != NULL && rc != WEIR_OK; a = a->ai_next) {
        if (fetch->fd >= 0) {
            close(fetch->fd);
        }
        rc = try_connect(fetch, a, err);
    }
    freeaddrinfo(found);
    return rc;
}

static enum weir_rc send_all(struct fetch *fetch, struct weir_str data, struct weir_err *err)
{
    while (data.n > 0) {
        ssize_t n = send(fetch->fd, data.p, data.n, MSG_NOSIGNAL);
        if (n >= 0) {
            data.p += n;
            data.n -= (size_t)n;
        } else if (errno == EAGAIN) {
            enum weir_rc rc = wait_for(fetch, POLLOUT, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return WEIR_OK; /* the answer may be there already, and say why */
        } else if (errno != EINTR) {
            return weir_fail(
                    err, WEIR_E_IO, "cannot send to %.*s: %m", WEIR_STR_ARG(fetch->url.authority));
        }
    }
    return WEIR_OK;
}

static bool is_clean(struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ' && text.p[i] != '\t') {
            return false;
        }
    }
    return true;
}

static enum weir_rc write_headers(
        const struct weir_http_fetch *call, struct weir_buf *head, struct weir_err *err)
{
    for (size_t i = 0; i < call->header_count; i++) {
        const struct weir_http_header *header = &call->headers[i];
        if (!is_clean(header->name) || !is_clean(header->value)) {
            return weir_fail(err, WEIR_E_INVALID, "header \"%.*s\" has a control character",
                    WEIR_STR_ARG(header->name));
        }
        weir_buf_str(head, header->name);
        weir_buf_z(head, ": ");
        weir_buf_str(head, header->value);
        weir_buf_z(head, "\r\n");
    }
    weir_buf_z(head, "\r\n");
    return weir_buf_check(head, "the head of the request", err);
}

static enum weir_rc send_request(struct fetch *fetch, struct weir_err *err)
{
    const struct weir_http_fetch *call = fetch->call;
    struct weir_str method = call->method.n > 0 ? call->method : WEIR_STR("GET");
    WEIR_AUTO_FINI(weir_buf) struct weir_buf head;
    weir_buf_init(&head, HEAD_MAX);
    weir_buf_str(&head, method);
    weir_buf_byte(&head, ' ');
    weir_buf_str(&head, fetch->url.path);
    weir_buf_z(&head, fetch->url.query.n > 0 ? "?" : "");
    weir_buf_str(&head, fetch->url.query);
    weir_buf_z(&head, " HTTP/1.1\r\nConnection: close\r\nHost: ");
    weir_buf_str(&head, fetch->url.authority);
    weir_buf_z(&head, "\r\n");
    bool bodiless = weir_str_eq(method, WEIR_STR("GET")) || weir_str_eq(method, WEIR_STR("HEAD"));
    if (call->body.n > 0 || !bodiless) {
        weir_buf_printf(&head, "Content-Length: %zu\r\n", call->body.n);
    }
    enum weir_rc rc = write_headers(call, &head, err);
    if (rc == WEIR_OK) {
        rc = send_all(fetch, weir_buf_view(&head), err);
    }
    return rc == WEIR_OK ? send_all(fetch, call->body, err) : rc;
}

static struct fetch *fetch_of(llhttp_t *parser)
{
    return WEIR_CONTAINER(parser, struct fetch, parser);
}

static void end_header(struct fetch *fetch)
{
    if (!fetch->in_value) {
        return;
    }
    fetch->in_value = false;
    struct weir_http_reply *reply = &fetch->reply;
    if (reply->header_count == fetch->header_room) {
        fetch->header_room = fetch->header_room > 0 ? fetch->header_room * 2 : 16;
        reply->headers = weir_realloc(reply->headers, fetch->header_room, sizeof(*reply->headers));
    }
    struct weir_str value = weir_buf_view(&fetch->value);
    while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t')) {
        value.n--;
    }
    reply->headers[reply->header_count++] =
            (struct weir_http_header){ weir_arena_str(&reply->arena, weir_buf_view(&fetch->name)),
                weir_arena_str(&reply->arena, value) };
    weir_buf_reset(&fetch->name);
    weir_buf_reset(&fetch->value);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct fetch *fetch = fetch_of(parser);
    end_header(fetch);
    fetch->header_bytes += n;
    weir_buf_add(&fetch->name, at, n);
    return fetch->header_bytes > HEAD_MAX ? -1 : 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct fetch *fetch = fetch_of(parser);
    fetch->in_value = true;
    fetch->header_bytes += n;
    weir_buf_add(&fetch->value, at, n);
    return fetch->header_bytes > HEAD_MAX ? -1 : 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct fetch *fetch = fetch_of(parser);
    fetch->in_value = true; /* also an empty one */
    end_header(fetch);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct fetch *fetch = fetch_of(parser);
    fetch->reply.status = parser->status_code;
    return weir_str_eq(fetch->call->method, WEIR_STR("HEAD")) ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct fetch *fetch = fetch_of(parser);
    if (fetch->call->on_data != NULL) {
        fetch->done = !fetch->call->on_data(fetch->call->arg, &fetch->reply, weir_str(at, n));
        return fetch->done ? HPE_USER : 0;
    }
    weir_buf_add(&fetch->reply.body, at, n);
    return fetch->reply.body.overflow ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct fetch *fetch = fetch_of(parser);
    if (parser->status_code / 100 == 1 && parser->status_code != 101) {
        fetch->reply.header_count = 0; /* an interim answer; the real one follows */
        return 0;
    }
    fetch->done = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Parse n received bytes, none at the end of the connection. */
static enum weir_rc take_bytes(
        struct fetch *fetch, const char *bytes, size_t n, struct weir_err *err)
{
    llhttp_errno_t parsed =
            n > 0 ? llhttp_execute(&fetch->parser, bytes, n) : llhttp_finish(&fetch->parser);
    if (fetch->reply.body.overflow) {
        return weir_buf_check(&fetch->reply.body, "the answer's body", err);
    }
    if (fetch->done) {
        return WEIR_OK;
    }
    if (parsed != HPE_OK) {
        const char *reason = llhttp_get_error_reason(&fetch->parser);
        return weir_fail(err, WEIR_E_IO, "%.*s does not answer in HTTP: %s",
                WEIR_STR_ARG(fetch->url.authority), reason != NULL ? reason : "malformed");
    }
    if (n == 0) {
        return weir_fail(err, WEIR_E_IO, "%.*s closed the connection before its answer was whole",
                WEIR_STR_ARG(fetch->url.authority));
    }
    return WEIR_OK;
}

static enum weir_rc receive(struct fetch *fetch, struct weir_err *err)
{
    char bytes[READ_BYTES];
    while (!fetch->done) {
        ssize_t n = recv(fetch->fd, bytes, sizeof(bytes), 0);
        enum weir_rc rc = WEIR_OK;
        if (n >= 0) {
            rc = take_bytes(fetch, bytes, (size_t)n, err);
        } else if (errno == EAGAIN) {
            rc = wait_for(fetch, POLLIN, err);
        } else if (errno != EINTR) {
            rc = weir_fail(err, WEIR_E_IO, "cannot receive from %.*s: %m",
                    WEIR_STR_ARG(fetch->url.authority));
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_http_fetch(
        const struct weir_http_fetch *call, struct weir_http_reply *ret_reply, struct weir_err *err)
{
    WEIR_AUTO_FINI(fetch) struct fetch fetch = { .call = call, .fd = -1 };
    weir_buf_init(&fetch.name, HEAD_MAX);
    weir_buf_init(&fetch.value, HEAD_MAX);
    weir_buf_init(
            &fetch.reply.body, call->max_body_bytes > 0 ? call->max_body_bytes : (size_t)64 << 20);
    fetch.timeout_ms = call->timeout_ms > 0 ? (int)call->timeout_ms : TIMEOUT_MS;
    llhttp_init(&fetch.parser, HTTP_RESPONSE, &settings);

    enum weir_rc rc = weir_http_url_parse(call->url, &fetch.url, err);
    if (rc == WEIR_OK && fetch.url.tls) {
        rc = weir_fail(err, WEIR_E_UNSUPPORTED, "cannot fetch \"%.*s\": expected http://",
                WEIR_STR_ARG(call->url));
    }
    if (rc == WEIR_OK) {
        rc = connect_any(&fetch, err);
    }
    if (rc == WEIR_OK) {
        rc = send_request(&fetch, err);
    }
    if (rc == WEIR_OK) {
        rc = receive(&fetch, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_reply = fetch.reply;
    fetch.reply = (struct weir_http_reply){ 0 };
    return WEIR_OK;
}
