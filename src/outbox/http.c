#include "outbox/http.h"

#include <strings.h>

#include "base/mem.h"
#include "net/http_url.h"
#include "value/json.h"

enum {
    VERSION = 1,
    CONCURRENCY = 16, /* requests in flight to one server */
    HEADERS_MAX = 64,
    RESPONSE_MAX_BYTES = 64 * 1024, /* nobody reads it */
    PAYLOAD_MAX_BYTES = WEIR_INTENT_PAYLOAD_MAX_BYTES,
};

struct weir_outbox_http {
    struct weir_http_client *client;
};

/* One request under way. */
struct sending {
    struct weir_http_call call;
    struct weir_delivery *delivery;
    struct weir_http_header headers[HEADERS_MAX + 1];
};

/* --- payloads ------------------------------------------------------------------------------- */

static void add_text(struct weir_buf *buf, struct weir_str text)
{
    uint32_t n = (uint32_t)text.n;
    weir_buf_add(buf, &n, sizeof(n));
    weir_buf_str(buf, text);
}

static bool take_text(struct weir_str *rest, struct weir_str *ret_text)
{
    uint32_t n = 0;
    if (rest->n < sizeof(n)) {
        return false;
    }
    memcpy(&n, rest->p, sizeof(n));
    if (rest->n - sizeof(n) < n) {
        return false;
    }
    *ret_text = weir_str(rest->p + sizeof(n), n);
    *rest = weir_str(ret_text->p + n, rest->n - sizeof(n) - n);
    return true;
}

/* The headers go to `headers`, at least HEADERS_MAX. Strings are views into the payload. */
static bool read_payload(struct weir_str payload, struct weir_outbox_post *ret_post,
        struct weir_http_header *headers)
{
    const size_t head_bytes = 6; /* version, number of headers, time-out */
    *ret_post = (struct weir_outbox_post){ .headers = headers };
    if (payload.n < head_bytes || payload.p[0] != VERSION || payload.p[1] < 0 ||
            payload.p[1] > HEADERS_MAX) {
        return false;
    }
    ret_post->header_count = (size_t)payload.p[1];
    memcpy(&ret_post->timeout_ms, payload.p + 2, sizeof(ret_post->timeout_ms));
    struct weir_str rest = weir_str(payload.p + head_bytes, payload.n - head_bytes);
    bool good = take_text(&rest, &ret_post->url);
    for (size_t i = 0; good && i < ret_post->header_count; i++) {
        good = take_text(&rest, &headers[i].name) && take_text(&rest, &headers[i].value);
    }
    ret_post->body = rest;
    return good;
}

enum weir_rc weir_outbox_post_intent(const struct weir_outbox_post *post, struct weir_arena *arena,
        struct weir_intent *intent, struct weir_err *err)
{
    struct weir_http_url url;
    enum weir_rc rc = weir_http_url_parse(post->url, &url, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (post->header_count > HEADERS_MAX - 1) {
        return weir_fail(err, WEIR_E_INVALID, "a POST has %zu headers, at most %d are possible",
                post->header_count, HEADERS_MAX - 1);
    }
    struct weir_buf buf;
    weir_buf_init(&buf, PAYLOAD_MAX_BYTES);
    weir_buf_byte(&buf, VERSION);
    weir_buf_byte(&buf, (char)post->header_count);
    weir_buf_add(&buf, &post->timeout_ms, sizeof(post->timeout_ms));
    add_text(&buf, post->url);
    for (size_t i = 0; i < post->header_count; i++) {
        add_text(&buf, post->headers[i].name);
        add_text(&buf, post->headers[i].value);
    }
    weir_buf_str(&buf, post->body);
    rc = weir_buf_check(&buf, "a POST", err);
    if (rc == WEIR_OK) {
        intent->kind = WEIR_INTENT_HTTP;
        intent->target = weir_arena_str(arena, weir_http_url_origin(post->url));
        intent->payload = weir_arena_str(arena, weir_buf_view(&buf));
    }
    weir_buf_fini(&buf);
    return rc;
}

/* --- delivering ------------------------------------------------------------------------------ */

static void answered(struct weir_http_call *call)
{
    struct sending *sending = call->arg;
    struct weir_delivery *delivery = sending->delivery;
    enum weir_failure_class failure = weir_http_call_class(call);
    bool too_long = call->rc == WEIR_E_TOO_LARGE && call->status >= 200 && call->status < 300;
    struct weir_err err = call->err;
    uint64_t retry_after_ms = call->retry_after_ms;
    if (call->rc == WEIR_OK && failure != WEIR_FAILURE_NONE) {
        weir_fail(&err, WEIR_E_IO, "%.*s answered with status %d", WEIR_STR_ARG(delivery->target),
                call->status);
    }
    weir_http_call_fini(call);
    weir_free(sending);
    weir_delivery_done(delivery, too_long ? WEIR_FAILURE_NONE : failure, &err, retry_after_ms);
}

static bool has_content_type(const struct weir_outbox_post *post)
{
    for (size_t i = 0; i < post->header_count; i++) {
        struct weir_str name = post->headers[i].name;
        if (name.n == 12 && strncasecmp(name.p, "Content-Type", name.n) == 0) {
            return true;
        }
    }
    return false;
}

static void begin_one(struct weir_outbox_http *http, struct weir_delivery *delivery)
{
    struct sending *sending = weir_alloc_zero(1, sizeof(*sending));
    struct weir_outbox_post post;
    if (!read_payload(delivery->payload, &post, sending->headers)) {
        struct weir_err err;
        weir_fail(&err, WEIR_E_DAMAGED, "the payload of a POST has %zu bytes or an unknown form",
                delivery->payload.n);
        weir_free(sending);
        weir_delivery_done(delivery, WEIR_FAILURE_FINAL, &err, 0);
        return;
    }
    size_t count = post.header_count;
    if (!has_content_type(&post)) {
        sending->headers[count++] =
                (struct weir_http_header){ WEIR_STR("Content-Type"), WEIR_STR("application/json") };
    }
    sending->headers[count++] =
            (struct weir_http_header){ WEIR_STR("Idempotency-Key"), delivery->id };
    sending->delivery = delivery;
    sending->call = (struct weir_http_call){
        .method = WEIR_STR("POST"),
        .url = post.url,
        .headers = sending->headers,
        .header_count = count,
        .body = post.body,
        .timeout_ms = post.timeout_ms,
        .max_response_bytes = RESPONSE_MAX_BYTES,
        .done = answered,
        .arg = sending,
    };
    weir_http_client_call(http->client, &sending->call);
}

static void begin(void *arg, struct weir_delivery *const *deliveries, size_t count)
{
    struct weir_outbox_http *http = arg;
    for (size_t i = 0; i < count; i++) {
        begin_one(http, deliveries[i]);
    }
}

static void describe(void *arg, struct weir_str payload, struct weir_buf *json)
{
    (void)arg;
    struct weir_http_header headers[HEADERS_MAX];
    struct weir_outbox_post post;
    if (!read_payload(payload, &post, headers)) {
        weir_buf_z(json, "null");
        return;
    }
    weir_buf_z(json, "{\"url\":");
    weir_json_write_string(json, post.url);
    weir_buf_z(json, ",\"body\":");
    weir_json_write_string(json, post.body);
    weir_buf_byte(json, '}');
}

/* --- life --------------------------------------------------------------------------------------
 */

struct weir_outbox_http *weir_outbox_http_create(
        struct weir_outbox *outbox, struct weir_http_client *client)
{
    struct weir_outbox_http *http = weir_alloc_zero(1, sizeof(*http));
    http->client = client;
    struct weir_outbox_kind kind = {
        .name = "http",
        .concurrency = CONCURRENCY,
        .batch = 1,
        .begin = begin,
        .describe = describe,
        .arg = http,
    };
    weir_outbox_register(outbox, WEIR_INTENT_HTTP, &kind);
    return http;
}

void weir_outbox_http_destroy(struct weir_outbox_http *http)
{
    weir_free(http);
}
