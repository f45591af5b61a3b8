/*
 * libcurl's multi interface on a loop: libcurl says which sockets to watch and when it wants to
 * be woken, and is told what happened to them; it never blocks in between.
 */
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

#include "net/http_url.h"
#include "net/net_int.h"
#include "net/sigv4.h"

enum {
    TIMEOUT_MS = 30 * 1000,
    CONNECT_TIMEOUT_MS = 5 * 1000,
    RESPONSE_MAX_BYTES = 16 * 1024 * 1024,
    RESPONSE_HEADERS_MAX_BYTES = 64 * 1024,
    CONNECTIONS = 256,
    CONNECTIONS_PER_HOST = 64,
    IDLE_CONNECTIONS = 64,
};

/* A socket that libcurl wants to hear about. */
struct watched {
    struct weir_http_client *client;
    uv_poll_t poll;
    curl_socket_t fd;
    struct watched *next;
    struct watched **at;
};

/* What a call needs while it is under way, and its outcome's memory. */
struct weir_http_transfer {
    struct weir_http_client *client; /* NULL: over */
    struct weir_http_call *call;
    struct weir_arena arena;
    CURL *easy; /* NULL: it is over without libcurl, which `over` tells */
    struct weir_loop_timer over;
    struct curl_slist *headers; /* of the request */
    struct weir_str url_text;   /* zero-terminated */
    struct weir_http_url url;   /* of that */
    size_t header_capacity;
    size_t header_bytes;
    bool too_large;
    bool head_ended; /* the answer's headers came to their end */
    char reason[CURL_ERROR_SIZE];
    struct weir_http_transfer *next; /* under way */
    struct weir_http_transfer **at;
};

struct weir_http_client {
    struct weir_loop *loop;
    char *ca_file; /* NULL: the system's certificates */
    CURLM *multi;
    struct weir_loop_timer timer; /* libcurl's */
    struct watched *watched;
    struct weir_http_transfer *transfers;
};

/* --- sockets and time ------------------------------------------------------------------ */

static void finish_done(struct weir_http_client *client);

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    struct weir_http_client *client = watched->client;
    int what = (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    what |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    what = status < 0 ? CURL_CSELECT_ERR : what;
    int running = 0;
    curl_multi_socket_action(client->multi, watched->fd, what, &running);
    finish_done(client);
}

static void on_due(struct weir_loop_timer *timer)
{
    struct weir_http_client *client = WEIR_CONTAINER(timer, struct weir_http_client, timer);
    int running = 0;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    finish_done(client);
}

static void free_watched(uv_handle_t *poll)
{
    weir_free(poll->data);
}

static void unwatch(struct watched *watched)
{
    *watched->at = watched->next;
    if (watched->next != NULL) {
        watched->next->at = watched->at;
    }
    uv_close((uv_handle_t *)&watched->poll, free_watched);
}

static struct watched *watch(struct weir_http_client *client, curl_socket_t fd)
{
    struct watched *watched = weir_alloc_zero(1, sizeof(*watched));
    watched->client = client;
    watched->fd = fd;
    watched->poll.data = watched;
    if (uv_poll_init_socket(weir_loop_uv(client->loop), &watched->poll, fd) != 0) {
        weir_free(watched); /* out of kernel memory: the call will run into its time-out */
        return NULL;
    }
    watched->next = client->watched;
    watched->at = &client->watched;
    if (watched->next != NULL) {
        watched->next->at = &watched->next;
    }
    client->watched = watched;
    curl_multi_assign(client->multi, fd, watched);
    return watched;
}

/* libcurl: from now on watch a socket for this, or no longer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    (void)easy;
    struct weir_http_client *client = arg;
    struct watched *watched = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL) {
            curl_multi_assign(client->multi, fd, NULL);
            unwatch(watched);
        }
        return 0;
    }
    watched = watched != NULL ? watched : watch(client, fd);
    if (watched != NULL) {
        int events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
        events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
        uv_poll_start(&watched->poll, events, on_ready);
    }
    return 0;
}

/* libcurl: call me after so many ms. */
static int on_timer(CURLM *multi, long after_ms, void *arg)
{
    (void)multi;
    struct weir_http_client *client = arg;
    if (after_ms < 0) {
        weir_loop_timer_stop(&client->timer);
    } else {
        weir_loop_timer_start(&client->timer, (uint64_t)after_ms);
    }
    return 0;
}

/* --- what comes in --------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct weir_http_transfer *transfer = arg;
    weir_buf_add(&transfer->call->response, bytes, size * count);
    transfer->too_large = transfer->call->response.overflow;
    return transfer->too_large ? 0 : size * count;
}

static struct weir_str trimmed(struct weir_str text)
{
    while (text.n > 0 && (unsigned char)text.p[text.n - 1] <= ' ') {
        text.n--;
    }
    while (text.n > 0 && (unsigned char)text.p[0] <= ' ') {
        text.p++;
        text.n--;
    }
    return text;
}

static void add_received(struct weir_http_transfer *transfer, struct weir_str line, size_t colon)
{
    struct weir_http_call *call = transfer->call;
    if (call->header_received_count == transfer->header_capacity) {
        size_t capacity = transfer->header_capacity > 0 ? 2 * transfer->header_capacity : 16;
        struct weir_http_header *more = weir_arena_zero(&transfer->arena, capacity, sizeof(*more));
        for (size_t i = 0; i < call->header_received_count; i++) {
            more[i] = call->headers_received[i];
        }
        call->headers_received = more;
        transfer->header_capacity = capacity;
    }
    struct weir_http_header *header = &call->headers_received[call->header_received_count++];
    line = weir_arena_str(&transfer->arena, line);
    header->name = weir_str(line.p, colon);
    header->value = trimmed(weir_str(line.p + colon + 1, line.n - colon - 1));
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct weir_http_transfer *transfer = arg;
    struct weir_str line = weir_str(bytes, size * count);
    transfer->header_bytes += line.n;
    if (transfer->header_bytes > RESPONSE_HEADERS_MAX_BYTES) {
        transfer->too_large = true;
        return 0;
    }
    const char *colon = memchr(line.p, ':', line.n);
    transfer->head_ended = trimmed(line).n == 0;
    if (weir_str_starts(line, WEIR_STR("HTTP/"))) {
        transfer->call->header_received_count = 0; /* another answer, after a 1xx or a redirect */
    } else if (colon != NULL && colon > line.p) {
        add_received(transfer, line, (size_t)(colon - line.p));
    }
    return line.n;
}

/* --- the end of a call ----------------------------------------------------------------- */

/* Take everything from libcurl that belongs to the transfer. The outcome stays. */
static void detach(struct weir_http_transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(transfer->client->multi, transfer->easy);
        curl_easy_cleanup(WEIR_TAKE(transfer->easy));
    }
    curl_slist_free_all(WEIR_TAKE(transfer->headers));
    weir_loop_timer_fini(&transfer->over);
    *transfer->at = transfer->next;
    if (transfer->next != NULL) {
        transfer->next->at = transfer->at;
    }
    transfer->client = NULL;
}

static void finish(struct weir_http_transfer *transfer)
{
    struct weir_http_call *call = transfer->call;
    detach(transfer);
    call->done(call);
}

static enum weir_rc rc_of(const struct weir_http_transfer *transfer, CURLcode result)
{
    switch ((int)result) {
    case CURLE_OK:
        /* libcurl takes a connection that closes amid the headers for an answer. */
        return transfer->head_ended ? WEIR_OK : WEIR_E_IO;
    case CURLE_OPERATION_TIMEDOUT:
        return WEIR_E_TIMEOUT;
    case CURLE_URL_MALFORMAT:
        return WEIR_E_INVALID;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return WEIR_E_UNSUPPORTED;
    case CURLE_WRITE_ERROR:
        return transfer->too_large ? WEIR_E_TOO_LARGE : WEIR_E_IO;
    default:
        return WEIR_E_IO;
    }
}

/* Names the server only: in the rest of a URL there may be secrets. */
static void fail_call(struct weir_http_transfer *transfer, enum weir_rc rc, const char *reason)
{
    struct weir_http_call *call = transfer->call;
    const struct weir_http_url *url = &transfer->url;
    call->rc = weir_fail(&call->err, rc, "%s://%.*s: %s", url->tls ? "https" : "http",
            WEIR_STR_ARG(url->authority), reason);
}

static void take_outcome(struct weir_http_transfer *transfer, CURLcode result)
{
    struct weir_http_call *call = transfer->call;
    long status = 0;
    curl_off_t before_sending_us = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &before_sending_us);
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    call->sent = before_sending_us > 0;
    call->status = (int)status;
    call->retry_after_ms = retry_after_s > 0 ? (uint64_t)retry_after_s * 1000 : 0;
    enum weir_rc rc = rc_of(transfer, result);
    if (rc == WEIR_E_TOO_LARGE) {
        char reason[64];
        snprintf(reason, sizeof(reason), "the answer is larger than %zu bytes",
                call->response.overflow ? call->response.max : (size_t)RESPONSE_HEADERS_MAX_BYTES);
        fail_call(transfer, rc, reason);
    } else if (result == CURLE_OK && rc != WEIR_OK) {
        fail_call(transfer, rc, "the answer broke off in its headers");
    } else if (rc != WEIR_OK) {
        fail_call(transfer, rc,
                transfer->reason[0] != '\0' ? transfer->reason : curl_easy_strerror(result));
    }
}

static void finish_done(struct weir_http_client *client)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(client->multi, &left); message != NULL;
            message = curl_multi_info_read(client->multi, &left)) {
        char *private = NULL;
        weir_assert(message->msg == CURLMSG_DONE); /* libcurl knows no other message */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        struct weir_http_transfer *transfer = (struct weir_http_transfer *)(void *)private;
        take_outcome(transfer, message->data.result);
        finish(transfer);
    }
}

static void on_over(struct weir_loop_timer *timer)
{
    finish(WEIR_CONTAINER(timer, struct weir_http_transfer, over));
}

/* Its outcome is known; its done comes later. */
static void end_after(struct weir_http_transfer *transfer, uint64_t ms)
{
    weir_loop_timer_init(&transfer->over, transfer->client->loop, on_over);
    weir_loop_timer_start(&transfer->over, ms);
}

/* --- the beginning of a call ----------------------------------------------------------- */

static bool is_header(const struct weir_http_header *header)
{
    bool good = header->name.n > 0;
    for (size_t i = 0; i < header->name.n; i++) {
        unsigned char c = (unsigned char)header->name.p[i];
        good = good && c > ' ' && c < 0x7f && c != ':';
    }
    for (size_t i = 0; i < header->value.n; i++) {
        unsigned char c = (unsigned char)header->value.p[i];
        good = good && (c >= ' ' || c == '\t') && c != 0x7f;
    }
    return good;
}

static bool has_header(const struct weir_http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++) {
        if (call->headers[i].name.n == strlen(name) &&
                strncasecmp(call->headers[i].name.p, name, call->headers[i].name.n) == 0) {
            return true;
        }
    }
    return false;
}

static void add_line(struct weir_http_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    weir_assert(longer != NULL); /* out of memory */
    transfer->headers = longer;
}

static void add_header(struct weir_http_transfer *transfer, const struct weir_http_header *header)
{
    /* libcurl writes a header without a value with a semicolon. */
    struct weir_str value = trimmed(header->value);
    add_line(transfer, weir_arena_printf(&transfer->arena, value.n > 0 ? "%.*s: %.*s" : "%.*s;%.*s",
                               WEIR_STR_ARG(header->name), WEIR_STR_ARG(value))
                               .p);
}

static struct weir_str method_of(const struct weir_http_call *call)
{
    if (call->method.n > 0) {
        return call->method;
    }
    return call->body.n > 0 ? WEIR_STR("POST") : WEIR_STR("GET");
}

static void add_signature(struct weir_http_transfer *transfer)
{
    const struct weir_http_call *call = transfer->call;
    const struct weir_http_signer *signer = call->signer;
    struct weir_arena *arena = &transfer->arena;
    size_t count = 0;
    struct weir_http_header *all = weir_arena_zero(arena, call->header_count + 2, sizeof(*all));
    all[count++] = (struct weir_http_header){ WEIR_STR("Host"), transfer->url.authority };
    if (signer->token.n > 0) {
        all[count++] = (struct weir_http_header){ WEIR_STR("X-Amz-Security-Token"), signer->token };
    }
    for (size_t i = 0; i < count; i++) {
        add_header(transfer, &all[i]);
    }
    for (size_t i = 0; i < call->header_count; i++) {
        all[count] = call->headers[i];
        all[count].value = trimmed(all[count].value);
        count++;
    }
    struct weir_sigv4_request request = {
        .method = method_of(call),
        .path = transfer->url.path,
        .query = transfer->url.query,
        .headers = all,
        .header_count = count,
        .body = call->body,
    };
    struct weir_sigv4_credentials credentials = {
        .access_key = signer->access_key,
        .secret = signer->secret,
        .region = signer->region,
        .service = signer->service,
    };
    struct weir_http_header made[2];
    struct weir_time now = weir_clock_wall(weir_loop_clock(transfer->client->loop));
    weir_sigv4_sign(&request, &credentials, now, arena, made);
    add_header(transfer, &made[0]);
    add_header(transfer, &made[1]);
}

static enum weir_rc check_call(const struct weir_http_call *call, struct weir_err *err)
{
    struct weir_http_header method = { .name = method_of(call) };
    if (!is_header(&method)) {
        return weir_fail(
                err, WEIR_E_INVALID, "'%.*s' is no HTTP method", WEIR_STR_ARG(method.name));
    }
    for (size_t i = 0; i < call->header_count; i++) {
        if (!is_header(&call->headers[i])) {
            return weir_fail(err, WEIR_E_INVALID,
                    "the header '%.*s' cannot be sent: its name is none, or there are control "
                    "characters in its value",
                    WEIR_STR_ARG(call->headers[i].name));
        }
    }
    if (call->signer != NULL && call->max_redirects > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "a signed request cannot follow redirects: the signature is for one server");
    }
    return WEIR_OK;
}

static void set_request(struct weir_http_transfer *transfer)
{
    struct weir_http_call *call = transfer->call;
    CURL *easy = transfer->easy;
    struct weir_str method = method_of(call);
    bool takes_body = call->body.n > 0 || weir_str_eq(method, WEIR_STR("POST")) ||
                      weir_str_eq(method, WEIR_STR("PUT")) ||
                      weir_str_eq(method, WEIR_STR("PATCH"));
    curl_easy_setopt(easy, CURLOPT_URL, transfer->url_text.p);
    if (weir_str_eq(method, WEIR_STR("HEAD"))) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (takes_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.n > 0 ? call->body.p : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, weir_arena_str(&transfer->arena, method).p);
    for (size_t i = 0; i < call->header_count; i++) {
        add_header(transfer, &call->headers[i]);
    }
    if (call->signer != NULL) {
        add_signature(transfer);
    }
    add_line(transfer, "Expect:"); /* no waiting for 100 Continue */
    if (takes_body && !has_header(call, "Content-Type")) {
        add_line(transfer, "Content-Type:"); /* libcurl would call it a form */
    }
    if (!has_header(call, "User-Agent")) {
        add_line(transfer, "User-Agent: weir/" WEIR_VERSION);
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static long or_default(uint32_t given, long otherwise)
{
    return given > 0 ? (long)given : otherwise;
}

static void set_limits(struct weir_http_transfer *transfer)
{
    struct weir_http_call *call = transfer->call;
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, call->max_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)call->max_redirects);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, or_default(call->timeout_ms, TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
            or_default(call->connect_timeout_ms, CONNECT_TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* what is signed is what is sent */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Giving up on a name that is still being resolved must not wait for its thread. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    if (transfer->client->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, transfer->client->ca_file);
    }
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

static void clear_outcome(struct weir_http_call *call)
{
    call->rc = WEIR_OK;
    call->err = (struct weir_err){ 0 };
    call->sent = false;
    call->status = 0;
    call->headers_received = NULL;
    call->header_received_count = 0;
    call->retry_after_ms = 0;
    weir_buf_init(&call->response,
            call->max_response_bytes > 0 ? call->max_response_bytes : RESPONSE_MAX_BYTES);
}

/* Virtual time: something says what comes of the call. */
static void stand_in(struct weir_http_transfer *transfer)
{
    struct weir_http_call *call = transfer->call;
    const struct weir_virtual_time *time = weir_loop_virtual(transfer->client->loop);
    if (time->answer == NULL) {
        fail_call(transfer, WEIR_E_CLOSED, "nothing goes out on virtual time");
        end_after(transfer, 0);
        return;
    }
    struct weir_http_stand_in said = time->answer(time->answer_arg, call);
    uint64_t timeout_ms = (uint64_t)or_default(call->timeout_ms, TIMEOUT_MS);
    if (said.after_ms >= timeout_ms) {
        said = (struct weir_http_stand_in){
            .after_ms = timeout_ms, .rc = WEIR_E_TIMEOUT, .sent = true
        };
    }
    call->sent = said.rc == WEIR_OK || said.sent;
    call->status = said.status;
    weir_buf_str(&call->response, said.body);
    if (said.rc != WEIR_OK) {
        fail_call(transfer, said.rc, said.sent ? "broken off" : "not reached");
    } else if (call->response.overflow) {
        fail_call(transfer, WEIR_E_TOO_LARGE, "the answer is too large");
    }
    end_after(transfer, said.after_ms);
}

void weir_http_client_call(struct weir_http_client *client, struct weir_http_call *call)
{
    weir_http_call_fini(call);
    clear_outcome(call);
    struct weir_http_transfer *transfer = weir_alloc_zero(1, sizeof(*transfer));
    call->transfer = transfer;
    transfer->client = client;
    transfer->call = call;
    weir_arena_init(&transfer->arena);
    transfer->next = client->transfers;
    transfer->at = &client->transfers;
    if (transfer->next != NULL) {
        transfer->next->at = &transfer->next;
    }
    client->transfers = transfer;
    transfer->url_text = weir_arena_str(&transfer->arena, call->url);
    call->rc = weir_http_url_parse(transfer->url_text, &transfer->url, &call->err);
    if (call->rc == WEIR_OK) {
        call->rc = check_call(call, &call->err);
    }
    if (call->rc != WEIR_OK) {
        end_after(transfer, 0);
        return;
    }
    if (weir_loop_is_virtual(client->loop)) {
        stand_in(transfer);
        return;
    }
    transfer->easy = curl_easy_init();
    weir_assert(transfer->easy != NULL); /* out of memory */
    set_limits(transfer);
    set_request(transfer);
    weir_assert(curl_multi_add_handle(client->multi, transfer->easy) == CURLM_OK);
}

void weir_http_client_stand_in(struct weir_loop *loop,
        struct weir_http_stand_in (*answer)(void *arg, const struct weir_http_call *call),
        void *arg)
{
    struct weir_virtual_time *time = weir_loop_virtual(loop);
    time->answer = answer;
    time->answer_arg = arg;
}

void weir_http_client_cancel(struct weir_http_client *client, struct weir_http_call *call)
{
    (void)client;
    if (call->transfer != NULL && call->transfer->client != NULL) {
        detach(call->transfer);
    }
}

/* --- outcomes -------------------------------------------------------------------------- */

void weir_http_call_fini(struct weir_http_call *call)
{
    if (call->transfer == NULL) {
        return;
    }
    weir_assert(call->transfer->client == NULL); /* it is not under way */
    weir_arena_fini(&call->transfer->arena);
    weir_free(WEIR_TAKE(call->transfer));
    weir_buf_fini(&call->response);
    call->headers_received = NULL;
    call->header_received_count = 0;
}

struct weir_str weir_http_call_find(const struct weir_http_call *call, struct weir_str name)
{
    for (size_t i = 0; i < call->header_received_count; i++) {
        struct weir_str found = call->headers_received[i].name;
        if (found.n == name.n && strncasecmp(found.p, name.p, name.n) == 0) {
            return call->headers_received[i].value;
        }
    }
    return weir_str(NULL, 0);
}

static enum weir_failure_class class_of_status(int status)
{
    if (status >= 200 && status < 300) {
        return WEIR_FAILURE_NONE;
    }
    if (status == 429 || status == 503) {
        return WEIR_FAILURE_BLOCKED;
    }
    bool may_pass = status == 408 || status == 425 || status >= 500;
    return may_pass ? WEIR_FAILURE_RETRYABLE : WEIR_FAILURE_FINAL;
}

enum weir_failure_class weir_http_call_class(const struct weir_http_call *call)
{
    switch ((int)call->rc) {
    case WEIR_OK:
        return class_of_status(call->status);
    case WEIR_E_INVALID:
    case WEIR_E_UNSUPPORTED:
    case WEIR_E_TOO_LARGE:
        return WEIR_FAILURE_FINAL;
    case WEIR_E_CLOSED:
        return WEIR_FAILURE_BLOCKED;
    default:
        return call->sent ? WEIR_FAILURE_RETRYABLE : WEIR_FAILURE_BLOCKED;
    }
}

/* --- life ------------------------------------------------------------------------------- */

static CURLcode started;

static void start_libcurl(void)
{
    started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum weir_rc weir_http_client_create(struct weir_loop *loop,
        const struct weir_http_client_options *options, struct weir_http_client **ret_client,
        struct weir_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_libcurl);
    if (started != CURLE_OK) {
        return weir_fail(err, WEIR_E_IO, "cannot start libcurl: %s", curl_easy_strerror(started));
    }
    CURLM *multi = curl_multi_init();
    if (multi == NULL) {
        return weir_fail(err, WEIR_E_IO, "cannot start libcurl: no descriptors left");
    }
    struct weir_http_client *client = weir_alloc_zero(1, sizeof(*client));
    client->loop = loop;
    client->multi = multi;
    if (options->ca_file != NULL) {
        client->ca_file = weir_strndup(options->ca_file, strlen(options->ca_file));
    }
    weir_loop_timer_init(&client->timer, loop, on_due);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
            or_default(options->max_connections, CONNECTIONS));
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
            or_default(options->max_connections_per_host, CONNECTIONS_PER_HOST));
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
            or_default(options->max_idle_connections, IDLE_CONNECTIONS));
    *ret_client = client;
    return WEIR_OK;
}

void weir_http_client_destroy(struct weir_http_client *client)
{
    if (client == NULL) {
        return;
    }
    while (client->transfers != NULL) {
        weir_assert(client->transfers->client == client);
        fail_call(client->transfers, WEIR_E_CLOSED, "weir is stopping");
        finish(client->transfers);
    }
    curl_multi_cleanup(client->multi);
    while (client->watched != NULL) {
        unwatch(client->watched);
    }
    weir_loop_timer_fini(&client->timer);
    weir_free(client->ca_file);
    weir_free(client);
}
