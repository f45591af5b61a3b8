#include "net/http_reader.h"

#include <strings.h>

#include "base/mem.h"

enum { SMALL_KEPT = 256, LARGE_KEPT = 32, ROOM_MIN = 512, ARENA_KEPT_BYTES = 64 * 1024 };

static void *take(void **list, size_t *count, size_t size)
{
    void *buffer = *list;
    if (buffer == NULL) {
        return weir_alloc(size);
    }
    memcpy(list, buffer, sizeof(void *));
    (*count)--;
    return buffer;
}

static char *take_buffer(struct weir_http_buffers *buffers, size_t size)
{
    if (size == WEIR_HTTP_SMALL_BYTES) {
        return take(&buffers->small, &buffers->small_count, size);
    }
    if (size == WEIR_HTTP_LARGE_BYTES) {
        return take(&buffers->large, &buffers->large_count, size);
    }
    return weir_alloc(size);
}

static void give_buffer(struct weir_http_buffers *buffers, void *buffer, size_t size)
{
    if (size == WEIR_HTTP_SMALL_BYTES && buffers->small_count < SMALL_KEPT) {
        memcpy(buffer, &buffers->small, sizeof(void *));
        buffers->small = buffer;
        buffers->small_count++;
    } else if (size == WEIR_HTTP_LARGE_BYTES && buffers->large_count < LARGE_KEPT) {
        memcpy(buffer, &buffers->large, sizeof(void *));
        buffers->large = buffer;
        buffers->large_count++;
    } else {
        weir_free(buffer);
    }
}

static void free_list(void *buffer)
{
    while (buffer != NULL) {
        void *next = NULL;
        memcpy(&next, buffer, sizeof(void *));
        weir_free(buffer);
        buffer = next;
    }
}

void weir_http_buffers_fini(struct weir_http_buffers *buffers)
{
    free_list(buffers->small);
    free_list(buffers->large);
    for (size_t i = 0; i < buffers->arena_count; i++) {
        weir_arena_fini(&buffers->arenas[i]);
    }
    *buffers = (struct weir_http_buffers){ 0 };
}

static void take_arena(struct weir_http_buffers *buffers, struct weir_arena *ret_arena)
{
    if (buffers->arena_count > 0) {
        *ret_arena = buffers->arenas[--buffers->arena_count];
    } else {
        weir_arena_init(ret_arena);
    }
}

static void give_arena(struct weir_http_buffers *buffers, struct weir_arena *arena)
{
    if (arena->blocks == NULL) {
        return;
    }
    weir_arena_reset(arena);
    if (buffers->arena_count < WEIR_COUNT(buffers->arenas) &&
            arena->end - arena->at <= ARENA_KEPT_BYTES) {
        buffers->arenas[buffers->arena_count++] = *arena;
        weir_arena_init(arena);
    } else {
        weir_arena_fini(arena);
    }
}

static struct weir_http_reader *reader_of(llhttp_t *parser)
{
    return WEIR_CONTAINER(parser, struct weir_http_reader, parser);
}

/* Note why the request cannot be served; the parser stops at the -1. */
static int refuse(struct weir_http_reader *reader, int status, const char *message)
{
    if (reader->status == 0) {
        reader->status = status;
        reader->message = message;
    }
    return -1;
}

static int refuse_header_size(struct weir_http_reader *reader)
{
    return refuse(reader, 431, "the request line and headers are larger than the limit");
}

static bool header_too_large(const struct weir_http_reader *reader, const char *end)
{
    return (size_t)(end - reader->in) - reader->start > reader->max_header_bytes;
}

static int on_message_begin(llhttp_t *parser)
{
    struct weir_http_reader *reader = reader_of(parser);
    reader->in_message = true;
    reader->headers_done = false;
    reader->expects_continue = false;
    reader->gzip = false;
    reader->has_host = false;
    reader->keep = 0;
    reader->header_count = 0;
    reader->url = WEIR_STR("");
    reader->request.raw_body = WEIR_STR("");
    reader->request.body = WEIR_STR("");
    return 0;
}

/* Lengthen a view by the piece that follows it in the buffer. */
static bool extend(struct weir_str *view, const char *at, size_t n)
{
    if (view->n == 0) {
        *view = weir_str(at, n);
        return true;
    }
    if (view->p + view->n != at) {
        return false;
    }
    view->n += n;
    return true;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
    struct weir_http_reader *reader = reader_of(parser);
    if (header_too_large(reader, at + n)) {
        return refuse_header_size(reader);
    }
    return extend(&reader->url, at, n) ? 0 : refuse(reader, 400, "the request line is malformed");
}

static int add_header(struct weir_http_reader *reader, const char *at, size_t n)
{
    if (reader->header_count == WEIR_HTTP_MAX_HEADERS) {
        return refuse(reader, 431, "the request has more than 256 headers");
    }
    if (reader->header_count == reader->header_room) {
        size_t room = reader->header_room * 2;
        struct weir_http_header *more = weir_alloc(room * sizeof(*more));
        memcpy(more, reader->headers, reader->header_count * sizeof(*more));
        if (reader->headers != reader->inline_headers) {
            weir_free(reader->headers);
        }
        reader->headers = more;
        reader->header_room = room;
    }
    reader->headers[reader->header_count++] =
            (struct weir_http_header){ weir_str(at, n), WEIR_STR("") };
    return 0;
}

static int on_header_field(llhttp_t *parser, const char *at, size_t n)
{
    struct weir_http_reader *reader = reader_of(parser);
    if (reader->headers_done) {
        return 0; /* trailers of a chunked body are read and dropped */
    }
    if (header_too_large(reader, at + n)) {
        return refuse_header_size(reader);
    }
    if (reader->header_count > 0) {
        /* The rest of a name that came in two reads; between two names stands at least a colon. */
        struct weir_str *last = &reader->headers[reader->header_count - 1].name;
        if (last->p + last->n == at) {
            last->n += n;
            return 0;
        }
    }
    return add_header(reader, at, n);
}

static int on_header_value(llhttp_t *parser, const char *at, size_t n)
{
    struct weir_http_reader *reader = reader_of(parser);
    if (reader->headers_done || reader->header_count == 0) {
        return 0;
    }
    if (header_too_large(reader, at + n)) {
        return refuse_header_size(reader);
    }
    if (!extend(&reader->headers[reader->header_count - 1].value, at, n)) {
        return refuse(reader, 400, "a header is folded over several lines");
    }
    return 0;
}

static bool is_name(struct weir_str name, const char *lower)
{
    return strncasecmp(name.p, lower, name.n) == 0;
}

static bool value_is(struct weir_str value, const char *lower)
{
    return value.n == strlen(lower) && strncasecmp(value.p, lower, value.n) == 0;
}

/* What the server itself has to know of one header; told apart by length first. */
static int note_header(struct weir_http_reader *reader, const struct weir_http_header *header)
{
    switch (header->name.n) {
    case 4:
        if (is_name(header->name, "host")) {
            if (reader->has_host) {
                return refuse(reader, 400, "the request has two Host headers");
            }
            reader->has_host = true;
        }
        return 0;
    case 6:
        if (is_name(header->name, "expect")) {
            if (!value_is(header->value, "100-continue")) {
                return refuse(reader, 417, "the only known expectation is 100-continue");
            }
            reader->expects_continue = true;
        }
        return 0;
    case 16:
        if (is_name(header->name, "content-encoding") && header->value.n > 0 &&
                !value_is(header->value, "identity")) {
            if (!value_is(header->value, "gzip") || reader->gzip) {
                return refuse(reader, 415, "the only known Content-Encoding is gzip");
            }
            reader->gzip = true;
        }
        return 0;
    default:
        return 0;
    }
}

static int on_headers_complete(llhttp_t *parser)
{
    struct weir_http_reader *reader = reader_of(parser);
    for (size_t i = 0; i < reader->header_count; i++) {
        struct weir_str *value = &reader->headers[i].value;
        while (value->n > 0 && (value->p[value->n - 1] == ' ' || value->p[value->n - 1] == '\t')) {
            value->n--;
        }
        if (note_header(reader, &reader->headers[i]) != 0) {
            return -1;
        }
    }
    if (parser->method == HTTP_CONNECT) {
        return refuse(reader, 405, "CONNECT is not served");
    }
    if (parser->http_major != 1) {
        return refuse(reader, 505, "only HTTP/1.0 and HTTP/1.1 are served");
    }
    reader->request.http_1_0 = parser->http_minor == 0;
    if (!reader->has_host && !reader->request.http_1_0) {
        return refuse(reader, 400, "the request has no Host header");
    }
    if ((parser->flags & F_CONTENT_LENGTH) != 0 &&
            parser->content_length > reader->max_body_bytes) {
        return refuse(reader, 413, "the body is larger than the limit");
    }
    bool has_body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
    reader->expects_continue = reader->expects_continue && has_body && !reader->request.http_1_0;
    reader->request.keep_alive = llhttp_should_keep_alive(parser);
    reader->request.upgrade = parser->upgrade;
    /* Without this the parser would stop at the end of the request; who upgrades takes over there.
     */
    parser->upgrade = 0;
    reader->headers_done = true;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct weir_http_reader *reader = reader_of(parser);
    struct weir_str *body = &reader->request.raw_body;
    if (n > reader->max_body_bytes - body->n) {
        return refuse(reader, 413, "the body is larger than the limit");
    }
    if (!extend(body, at, n)) {
        /* The next chunk: move it down to the end of the one before. */
        memmove(reader->in + (body->p + body->n - reader->in), at, n);
        body->n += n;
    }
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED; /* one request at a time */
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void weir_http_reader_init(struct weir_http_reader *reader, struct weir_http_buffers *buffers,
        size_t max_header_bytes, size_t max_body_bytes)
{
    memset(reader, 0, offsetof(struct weir_http_reader, inline_headers));
    llhttp_init(&reader->parser, HTTP_REQUEST, &settings);
    reader->buffers = buffers;
    reader->max_header_bytes = max_header_bytes;
    reader->max_body_bytes = max_body_bytes;
    reader->headers = reader->inline_headers;
    reader->header_room = WEIR_HTTP_INLINE_HEADERS;
}

static void drop_buffer(struct weir_http_reader *reader)
{
    if (reader->in != NULL) {
        give_buffer(reader->buffers, WEIR_TAKE(reader->in), reader->in_size);
    }
    reader->in_size = reader->in_bytes = reader->in_at = reader->start = 0;
}

void weir_http_reader_fini(struct weir_http_reader *reader)
{
    if (reader->active) {
        weir_http_reader_finish(reader);
    }
    if (reader->headers != reader->inline_headers) {
        weir_free(WEIR_TAKE(reader->headers));
    }
    weir_buf_fini(&reader->inflated);
    drop_buffer(reader);
}

static void rebase(struct weir_str *view, const char *from, const char *to)
{
    if (view->n > 0) {
        view->p = to + (view->p - from);
    }
}

/* Move the message being read to the front of a buffer of that size, maybe the same one. */
static void move_message(struct weir_http_reader *reader, size_t size)
{
    char *to = size == reader->in_size ? reader->in : take_buffer(reader->buffers, size);
    const char *from = reader->in + reader->start;
    size_t n = reader->in_bytes - reader->start;
    memmove(to, from, n);
    rebase(&reader->url, from, to);
    rebase(&reader->request.raw_body, from, to);
    for (size_t i = 0; i < reader->header_count; i++) {
        rebase(&reader->headers[i].name, from, to);
        rebase(&reader->headers[i].value, from, to);
    }
    reader->in_bytes = n;
    reader->in_at -= reader->start;
    reader->keep -= reader->keep > 0 ? reader->start : 0;
    reader->start = 0;
    if (to != reader->in) {
        give_buffer(reader->buffers, reader->in, reader->in_size);
        reader->in = to;
        reader->in_size = size;
    }
}

static size_t next_size(const struct weir_http_reader *reader)
{
    if (reader->in_size < WEIR_HTTP_LARGE_BYTES) {
        return WEIR_HTTP_LARGE_BYTES;
    }
    /* Never more than the largest request, with room to see the client leave behind it. */
    size_t most = reader->max_header_bytes + reader->max_body_bytes + WEIR_HTTP_LARGE_BYTES;
    size_t twice = reader->in_size * 2;
    return twice < most || reader->in_size >= most ? twice : most;
}

char *weir_http_reader_room(struct weir_http_reader *reader, size_t *ret_room)
{
    if (reader->in == NULL) {
        reader->in = take_buffer(reader->buffers, WEIR_HTTP_SMALL_BYTES);
        reader->in_size = WEIR_HTTP_SMALL_BYTES;
    }
    if (!reader->active) {
        if (reader->in_size - reader->in_bytes < ROOM_MIN && reader->start > 0) {
            move_message(reader, reader->in_size);
        }
        if (reader->in_size - reader->in_bytes < ROOM_MIN) {
            move_message(reader, next_size(reader));
        }
    }
    *ret_room = reader->in_size - reader->in_bytes;
    return reader->in + reader->in_bytes;
}

/* All bytes are parsed and the request is not complete: check limits, drop chunk framing. */
static enum weir_http_progress need_more(struct weir_http_reader *reader)
{
    if (!reader->in_message) {
        reader->start = reader->in_bytes;
        return WEIR_HTTP_MORE;
    }
    if (!reader->headers_done) {
        if (header_too_large(reader, reader->in + reader->in_bytes)) {
            refuse_header_size(reader);
            return WEIR_HTTP_REFUSED;
        }
        return WEIR_HTTP_MORE;
    }
    const struct weir_str *body = &reader->request.raw_body;
    if (body->n > 0) {
        reader->in_bytes = (size_t)(body->p + body->n - reader->in);
    } else if (reader->keep > 0) {
        reader->in_bytes = reader->keep;
    } else {
        reader->keep = reader->in_bytes;
    }
    reader->in_at = reader->in_bytes;
    return WEIR_HTTP_MORE;
}

static enum weir_http_method method_of(uint8_t method)
{
    switch (method) {
    case HTTP_GET:
        return WEIR_HTTP_GET;
    case HTTP_HEAD:
        return WEIR_HTTP_HEAD;
    case HTTP_POST:
        return WEIR_HTTP_POST;
    case HTTP_PUT:
        return WEIR_HTTP_PUT;
    case HTTP_DELETE:
        return WEIR_HTTP_DELETE;
    case HTTP_PATCH:
        return WEIR_HTTP_PATCH;
    case HTTP_OPTIONS:
        return WEIR_HTTP_OPTIONS;
    default:
        return WEIR_HTTP_OTHER;
    }
}

static const char *method_name(enum weir_http_method method, uint8_t code)
{
    static const char *const names[] = { NULL, "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
        "OPTIONS" };
    return method != WEIR_HTTP_OTHER ? names[method] : llhttp_method_name(code);
}

/* "http://host/path?query", as to a proxy, is served as "/path?query". */
static struct weir_str without_authority(struct weir_str url)
{
    if (url.n == 0 || url.p[0] == '/') {
        return url;
    }
    struct weir_str rest;
    if (url.n >= 7 && strncasecmp(url.p, "http://", 7) == 0) {
        rest = weir_str(url.p + 7, url.n - 7);
    } else if (url.n >= 8 && strncasecmp(url.p, "https://", 8) == 0) {
        rest = weir_str(url.p + 8, url.n - 8);
    } else {
        return url;
    }
    while (rest.n > 0 && rest.p[0] != '/' && rest.p[0] != '?') {
        rest.p++;
        rest.n--;
    }
    return rest;
}

static enum weir_http_progress unpack(struct weir_http_reader *reader)
{
    struct weir_http_request *request = &reader->request;
    weir_buf_init(&reader->inflated, reader->max_body_bytes);
    enum weir_rc rc = weir_http_inflate(request->raw_body, &reader->inflated, NULL);
    if (rc == WEIR_E_TOO_LARGE) {
        refuse(reader, 413, "the inflated body is larger than the limit");
    } else if (rc != WEIR_OK) {
        refuse(reader, 400, "the body is not valid gzip");
    }
    request->body = weir_buf_view(&reader->inflated);
    return rc == WEIR_OK ? WEIR_HTTP_COMPLETE : WEIR_HTTP_REFUSED;
}

static enum weir_http_progress complete(struct weir_http_reader *reader)
{
    struct weir_http_request *request = &reader->request;
    reader->in_message = false;
    reader->start = reader->in_at;
    request->method = method_of(reader->parser.method);
    request->method_name = weir_str_z(method_name(request->method, reader->parser.method));

    struct weir_str url = without_authority(reader->url);
    const char *mark = url.n > 0 ? memchr(url.p, '?', url.n) : NULL;
    size_t path = mark != NULL ? (size_t)(mark - url.p) : url.n;
    request->path = path > 0 ? weir_str(url.p, path) : WEIR_STR("/");
    request->query = mark != NULL ? weir_str(mark + 1, url.n - path - 1) : WEIR_STR("");
    request->headers = reader->headers;
    request->header_count = reader->header_count;
    request->body = request->raw_body;
    request->owner = NULL;
    request->on_gone = NULL;
    request->on_drain = NULL;
    if (reader->gzip && request->raw_body.n > 0) {
        enum weir_http_progress progress = unpack(reader);
        if (progress != WEIR_HTTP_COMPLETE) {
            return progress;
        }
    }
    take_arena(reader->buffers, &request->arena);
    reader->active = true;
    return WEIR_HTTP_COMPLETE;
}

enum weir_http_progress weir_http_reader_next(struct weir_http_reader *reader)
{
    weir_assert(!reader->active);
    if (reader->status != 0) {
        return WEIR_HTTP_REFUSED;
    }
    if (reader->in_at == reader->in_bytes) {
        return WEIR_HTTP_MORE;
    }
    llhttp_errno_t rc = llhttp_execute(
            &reader->parser, reader->in + reader->in_at, reader->in_bytes - reader->in_at);
    if (rc == HPE_OK) {
        reader->in_at = reader->in_bytes;
        return need_more(reader);
    }
    if (rc == HPE_PAUSED) {
        reader->in_at = (size_t)(llhttp_get_error_pos(&reader->parser) - reader->in);
        llhttp_resume(&reader->parser);
        return complete(reader);
    }
    const char *reason = llhttp_get_error_reason(&reader->parser);
    refuse(reader, 400, reason != NULL && reason[0] != '\0' ? reason : "the request is malformed");
    return WEIR_HTTP_REFUSED;
}

void weir_http_reader_finish(struct weir_http_reader *reader)
{
    reader->active = false;
    give_arena(reader->buffers, &reader->request.arena);
    if (reader->headers != reader->inline_headers) {
        weir_free(reader->headers);
        reader->headers = reader->inline_headers;
        reader->header_room = WEIR_HTTP_INLINE_HEADERS;
    }
    reader->header_count = 0;
    reader->url = WEIR_STR("");
    reader->request.raw_body = WEIR_STR("");
    if (reader->inflated.p != NULL) {
        weir_buf_fini(&reader->inflated);
    }
}

void weir_http_reader_relax(struct weir_http_reader *reader)
{
    if (!reader->active && !reader->in_message && reader->in_at == reader->in_bytes) {
        drop_buffer(reader);
    }
}
