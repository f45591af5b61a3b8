/* The asynchronous client against a server on the same loop. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_client.h"
#include "net/sigv4.h"
#include "watched_loop.h"

struct fixture {
    struct weir_clock_virtual clock; /* only signatures look at it */
    struct weir_loop *loop;
    struct weir_http_server *server;
    struct weir_http_client *client;
    uint16_t port;
    size_t waiting_for; /* calls that are not over */
    size_t requests;
    struct weir_http_request *parked[16];
    size_t parked_count;
    char url[128];
};

static void parked_gone(struct weir_http_request *request)
{
    struct fixture *f = request->owner;
    for (size_t i = 0; i < f->parked_count; i++) {
        if (f->parked[i] == request) {
            f->parked[i] = f->parked[--f->parked_count];
        }
    }
    weir_loop_stop(f->loop);
}

static void park(struct fixture *f, struct weir_http_request *request)
{
    assert_true(f->parked_count < WEIR_COUNT(f->parked));
    request->owner = f;
    request->on_gone = parked_gone;
    f->parked[f->parked_count++] = request;
}

static bool find_secret(void *arg, struct weir_str access_key, struct weir_str *ret_secret)
{
    (void)arg;
    *ret_secret = WEIR_STR("a secret/with+signs");
    return weir_str_eq(access_key, WEIR_STR("AKID"));
}

/* Says who signed it, or why that is not believed. */
static void answer_signed(struct fixture *f, struct weir_http_request *request)
{
    struct weir_sigv4_request parts = weir_sigv4_of(request);
    struct weir_sigv4_keys keys = { find_secret, NULL };
    struct weir_sigv4_result result;
    enum weir_rc rc = weir_sigv4_verify(
            &parts, &keys, weir_clock_wall(&f->clock.base), &request->arena, &result);
    struct weir_str token = weir_http_find(request, WEIR_STR("X-Amz-Security-Token"));
    struct weir_str text = rc != WEIR_OK
                                   ? result.message
                                   : weir_arena_printf(&request->arena, "%.*s %.*s %.*s",
                                             WEIR_STR_ARG(result.service),
                                             WEIR_STR_ARG(result.region), WEIR_STR_ARG(token));
    weir_http_respond(request, rc == WEIR_OK ? 200 : 403, NULL, 0, text);
}

static void answer_echo(struct weir_http_request *request)
{
    struct weir_http_header headers[] = {
        { WEIR_STR("X-Echo"), weir_http_find(request, WEIR_STR("X-Say")) },
        { WEIR_STR("X-Type"), weir_http_find(request, WEIR_STR("Content-Type")) },
        { WEIR_STR("X-Agent"), weir_http_find(request, WEIR_STR("User-Agent")) },
        { WEIR_STR("X-Expect"), weir_http_find(request, WEIR_STR("Expect")) },
    };
    struct weir_str body = weir_arena_printf(&request->arena, "%.*s %.*s?%.*s %.*s",
            WEIR_STR_ARG(request->method_name), WEIR_STR_ARG(request->path),
            WEIR_STR_ARG(request->query), WEIR_STR_ARG(request->body));
    weir_http_respond(request, 200, headers, WEIR_COUNT(headers), body);
}

static void answer_status(struct weir_http_request *request)
{
    struct weir_http_header headers[] = {
        { WEIR_STR("Retry-After"), WEIR_STR("7") },
        { WEIR_STR("Location"), WEIR_STR("/echo/there") },
    };
    uint64_t status = 0;
    assert_true(weir_str_to_u64(weir_str(request->path.p + 8, 3), &status));
    weir_http_respond(request, (int)status, headers, 2, WEIR_STR("status"));
}

static void answer_huge(struct weir_http_request *request)
{
    struct weir_str body = weir_str(weir_arena_zero(&request->arena, 1, 100000), 100000);
    weir_http_respond(request, 200, NULL, 0, body);
}

static void answer_chunks(struct weir_http_request *request, struct fixture *f)
{
    request->owner = f;
    request->on_gone = parked_gone;
    weir_http_stream_begin(request, 200, NULL, 0);
    weir_http_stream_write(request, WEIR_STR("first "));
    weir_http_stream_write(request, WEIR_STR("second"));
    weir_http_stream_end(request);
}

static void handle(struct weir_http_request *request, void *arg)
{
    struct fixture *f = arg;
    f->requests++;
    if (weir_str_starts(request->path, WEIR_STR("/status/"))) {
        answer_status(request);
    } else if (weir_str_starts(request->path, WEIR_STR("/signed"))) {
        answer_signed(f, request);
    } else if (weir_str_eq(request->path, WEIR_STR("/huge"))) {
        answer_huge(request);
    } else if (weir_str_eq(request->path, WEIR_STR("/chunks"))) {
        answer_chunks(request, f);
    } else if (weir_str_eq(request->path, WEIR_STR("/slow"))) {
        park(f, request);
    } else {
        answer_echo(request);
    }
}

static void start_server(struct fixture *f)
{
    struct weir_err err;
    struct weir_http_options options = { .address = "127.0.0.1", .handle = handle, .arg = f };
    assert_int_equal(weir_http_server_create(f->loop, &options, &f->server, &err), WEIR_OK);
    f->port = weir_http_server_port(f->server);
}

static void start_client(struct fixture *f, struct weir_http_client_options options)
{
    struct weir_err err;
    weir_http_client_destroy(f->client);
    assert_int_equal(weir_http_client_create(f->loop, &options, &f->client, &err), WEIR_OK);
}

static int set_up(void **state)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    struct weir_err err;
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    assert_int_equal(weir_loop_create(&f->clock.base, &f->loop, &err), WEIR_OK);
    start_server(f);
    start_client(f, (struct weir_http_client_options){ 0 });
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    weir_http_client_destroy(f->client);
    weir_http_server_destroy(f->server);
    weir_loop_destroy(f->loop);
    weir_free(f);
    return 0;
}

static void over(struct weir_http_call *call)
{
    struct fixture *f = call->arg;
    if (--f->waiting_for == 0) {
        weir_loop_stop(f->loop);
    }
}

static struct weir_http_call call_to(struct fixture *f, const char *rest)
{
    snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u%s", (unsigned)f->port, rest);
    return (struct weir_http_call){ .url = weir_str_z(f->url), .done = over, .arg = f };
}

static void begin(struct fixture *f, struct weir_http_call *call)
{
    f->waiting_for++;
    weir_http_client_call(f->client, call);
}

static void tell_calls(void *arg)
{
    struct fixture *f = arg;
    fprintf(stderr, "%zu calls are under way, of %zu requests %zu are parked\n", f->waiting_for,
            f->requests, f->parked_count);
}

/* Until the last call is over, or the server sees a client leave. */
static void await_stop(struct fixture *f)
{
    run_watched(f->loop, "the end of a call", tell_calls, f);
}

static void run(struct fixture *f, struct weir_http_call *call)
{
    begin(f, call);
    assert_int_equal(f->waiting_for, 1); /* done never runs inside the call */
    await_stop(f);
    assert_int_equal(f->waiting_for, 0);
}

static void assert_text(struct weir_str is, const char *expected)
{
    if (!weir_str_eq(is, weir_str_z(expected))) {
        fail_msg("\"%.*s\" is not \"%s\"", WEIR_STR_ARG(is), expected);
    }
}

static void request_and_answer_come_whole(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call call = call_to(f, "/echo/a/../b%20c?q=1&r");
    struct weir_http_header headers[] = {
        { WEIR_STR("X-Say"), WEIR_STR(" hi ") },
        { WEIR_STR("Content-Type"), WEIR_STR("text/x") },
    };
    call.headers = headers;
    call.header_count = 2;
    call.body = WEIR_STR("body");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_OK);
    assert_int_equal(call.status, 200);
    assert_true(call.sent);
    assert_text(weir_buf_view(&call.response), "POST /echo/a/../b%20c?q=1&r body");
    assert_text(weir_http_call_find(&call, WEIR_STR("x-echo")), "hi");
    assert_text(weir_http_call_find(&call, WEIR_STR("X-Type")), "text/x");
    assert_text(weir_http_call_find(&call, WEIR_STR("X-Agent")), "weir/" WEIR_VERSION);
    assert_text(weir_http_call_find(&call, WEIR_STR("X-Expect")), "");
    assert_null(weir_http_call_find(&call, WEIR_STR("X-Other")).p);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_NONE);
    weir_http_call_fini(&call);
}

static void methods_are_sent_as_given(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *method;
        const char *body;
        const char *answer;
    } cases[] = {
        { "", "", "GET /echo? " },
        { "POST", "", "POST /echo? " },
        { "PUT", "x", "PUT /echo? x" },
        { "DELETE", "", "DELETE /echo? " },
        { "PATCH", "y", "PATCH /echo? y" },
        { "HEAD", "", "" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_http_call call = call_to(f, "/echo");
        call.method = weir_str_z(cases[i].method);
        call.body = weir_str_z(cases[i].body);
        run(f, &call);
        assert_int_equal(call.rc, WEIR_OK);
        assert_text(weir_buf_view(&call.response), cases[i].answer);
        assert_text(weir_http_call_find(&call, WEIR_STR("X-Type")), "");
        weir_http_call_fini(&call);
    }
}

static void chunks_are_gathered_and_limits_hold(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call call = call_to(f, "/chunks");
    run(f, &call);
    assert_text(weir_buf_view(&call.response), "first second");

    weir_http_call_fini(&call);
    call = call_to(f, "/huge");
    call.max_response_bytes = 99999;
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_TOO_LARGE);
    assert_non_null(strstr(call.err.msg, "99999 bytes"));
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_FINAL);

    call.max_response_bytes = 100000; /* a call may be used again */
    run(f, &call);
    assert_int_equal(call.rc, WEIR_OK);
    assert_int_equal(call.response.n, 100000);
    weir_http_call_fini(&call);
}

static void statuses_have_classes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        enum weir_failure_class class;
    } cases[] = {
        { "/status/200", WEIR_FAILURE_NONE },
        { "/status/204", WEIR_FAILURE_NONE },
        { "/status/302", WEIR_FAILURE_FINAL },
        { "/status/400", WEIR_FAILURE_FINAL },
        { "/status/404", WEIR_FAILURE_FINAL },
        { "/status/408", WEIR_FAILURE_RETRYABLE },
        { "/status/429", WEIR_FAILURE_BLOCKED },
        { "/status/500", WEIR_FAILURE_RETRYABLE },
        { "/status/503", WEIR_FAILURE_BLOCKED },
        { "/status/504", WEIR_FAILURE_RETRYABLE },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_http_call call = call_to(f, cases[i].path);
        run(f, &call);
        assert_int_equal(call.rc, WEIR_OK);
        assert_int_equal(weir_http_call_class(&call), cases[i].class);
        assert_int_equal(call.retry_after_ms, 7000);
        weir_http_call_fini(&call);
    }
}

static void redirects_are_followed_when_asked(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call call = call_to(f, "/status/302");
    run(f, &call);
    assert_int_equal(call.status, 302);
    weir_http_call_fini(&call);
    call.max_redirects = 1;
    run(f, &call);
    assert_int_equal(call.status, 200);
    assert_text(weir_buf_view(&call.response), "GET /echo/there? ");
    assert_null(weir_http_call_find(&call, WEIR_STR("Location")).p); /* of the first answer */
    weir_http_call_fini(&call);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    struct fixture *f = *state;
    struct weir_http_header bad = { WEIR_STR("X-A"), WEIR_STR("b\r\nX-C: d") };
    struct weir_http_signer signer = { .service = WEIR_STR("sqs") };
    struct weir_http_call call = call_to(f, "/echo");
    call.headers = &bad;
    call.header_count = 1;
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_INVALID);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_FINAL);
    bad.name = WEIR_STR("X A");
    bad.value = WEIR_STR("b");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_INVALID);
    call.header_count = 0;
    call.method = WEIR_STR("GET /x HTTP/1.1\r\nX:");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_INVALID);
    call.method = WEIR_STR("");
    call.signer = &signer;
    call.max_redirects = 1;
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_INVALID);
    call.signer = NULL;
    call.url = WEIR_STR("file:///etc/passwd");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_UNSUPPORTED);
    call.url = WEIR_STR("http://a b/");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_INVALID);
    assert_int_equal(f->requests, 0);
    weir_http_call_fini(&call);
}

static void unreachable_is_blocked(void **state)
{
    struct fixture *f = *state;
    weir_http_server_destroy(WEIR_TAKE(f->server));
    struct weir_http_call call = call_to(f, "/echo?secret=1");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_IO);
    assert_false(call.sent);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_BLOCKED);
    assert_non_null(strstr(call.err.msg, "127.0.0.1"));
    assert_null(strstr(call.err.msg, "secret"));
    call.url = WEIR_STR("http://no-such-host.invalid/");
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_IO);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_BLOCKED);
    assert_non_null(strstr(call.err.msg, "no-such-host.invalid"));
    weir_http_call_fini(&call);
}

static void slow_answers_time_out(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call call = call_to(f, "/slow");
    call.timeout_ms = 100;
    run(f, &call);
    assert_int_equal(call.rc, WEIR_E_TIMEOUT);
    assert_true(call.sent);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_RETRYABLE);
    await_stop(f); /* until the server has seen the client leave */
    assert_int_equal(f->parked_count, 0);
    weir_http_call_fini(&call);
}

/* A server that hears one request, begins an answer and breaks off. */
static void *break_off(void *arg)
{
    const int *listener = arg;
    char bytes[4096];
    int peer = accept(*listener, NULL, NULL);
    assert_true(recv(peer, bytes, sizeof(bytes), 0) > 0);
    assert_int_equal(send(peer, "HTTP/1.1 200 OK\r\nContent-Le", 27, MSG_NOSIGNAL), 27);
    close(peer);
    return NULL;
}

static void broken_off_is_retryable(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    f->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&thread, NULL, break_off, &listener), 0);
    struct weir_http_call call = call_to(f, "/");
    run(f, &call);
    pthread_join(thread, NULL);
    close(listener);
    assert_int_equal(call.rc, WEIR_E_IO);
    assert_true(call.sent);
    assert_int_equal(weir_http_call_class(&call), WEIR_FAILURE_RETRYABLE);
    weir_http_call_fini(&call);
}

static void signatures_are_believed(void **state)
{
    struct fixture *f = *state;
    struct weir_http_signer signer = {
        .service = WEIR_STR("sqs"),
        .region = WEIR_STR("eu-west-1"),
        .access_key = WEIR_STR("AKID"),
        .secret = WEIR_STR("a secret/with+signs"),
        .token = WEIR_STR("of a session"),
    };
    struct weir_http_header target = { WEIR_STR("X-Amz-Target"), WEIR_STR(" AmazonSQS.X ") };
    struct weir_http_call call = call_to(f, "/signed/a%20b?z=1&a=%2F&m");
    call.signer = &signer;
    call.headers = &target;
    call.header_count = 1;
    call.body = WEIR_STR("{\"a\":1}");
    run(f, &call);
    assert_text(weir_buf_view(&call.response), "sqs eu-west-1 of a session");
    assert_int_equal(call.status, 200);
    signer.secret = WEIR_STR("another");
    run(f, &call);
    assert_int_equal(call.status, 403);
    weir_http_call_fini(&call);
}

static void cancelled_calls_are_never_done(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call slow = call_to(f, "/slow");
    struct weir_http_call bad = call_to(f, "/echo");
    struct weir_http_call good = call_to(f, "/echo");
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/slow", (unsigned)f->port);
    slow.url = weir_str_z(url);
    bad.url = WEIR_STR("nonsense");
    weir_http_client_call(f->client, &slow);
    weir_http_client_call(f->client, &bad);
    weir_http_client_cancel(f->client, &bad);
    run(f, &good);
    assert_int_equal(f->parked_count, 1);
    weir_http_client_cancel(f->client, &slow);
    weir_http_client_cancel(f->client, &slow); /* harmless */
    await_stop(f);                             /* until the server has seen it */
    assert_int_equal(f->parked_count, 0);
    weir_http_call_fini(&slow);
    weir_http_call_fini(&bad);
    weir_http_call_fini(&good);
}

/* One connection carries call after call; as many connections as allowed carry many at once. */
static void connections_are_kept_and_limited(void **state)
{
    struct fixture *f = *state;
    struct weir_metrics *set = weir_metrics_create();
    struct weir_http_metrics metrics;
    weir_http_metrics_init(&metrics, set);
    weir_http_server_destroy(f->server);
    struct weir_http_options options = { .address = "127.0.0.1", .handle = handle, .arg = f };
    struct weir_err err;
    options.metrics = &metrics;
    assert_int_equal(weir_http_server_create(f->loop, &options, &f->server, &err), WEIR_OK);
    f->port = weir_http_server_port(f->server);
    start_client(f, (struct weir_http_client_options){ .max_connections_per_host = 3 });

    struct weir_http_call calls[20] = { 0 };
    for (size_t i = 0; i < WEIR_COUNT(calls); i++) {
        calls[i] = call_to(f, "/echo");
        begin(f, &calls[i]);
    }
    await_stop(f);
    assert_int_equal(f->requests, 20);
    for (size_t i = 0; i < WEIR_COUNT(calls); i++) {
        assert_int_equal(calls[i].rc, WEIR_OK);
        run(f, &calls[i]);
        weir_http_call_fini(&calls[i]);
    }
    assert_int_equal(f->requests, 40);
    assert_in_range(metrics.connections->value, 1, 3);
    weir_http_client_destroy(WEIR_TAKE(f->client));
    weir_http_server_destroy(WEIR_TAKE(f->server));
    weir_loop_destroy(f->loop);
    f->loop = NULL;
    weir_metrics_destroy(set);
}

static void destroying_ends_calls(void **state)
{
    struct fixture *f = *state;
    struct weir_http_call slow = call_to(f, "/slow");
    begin(f, &slow);
    weir_http_client_destroy(WEIR_TAKE(f->client));
    assert_int_equal(f->waiting_for, 0);
    assert_int_equal(slow.rc, WEIR_E_CLOSED);
    assert_int_equal(weir_http_call_class(&slow), WEIR_FAILURE_BLOCKED);
    weir_http_call_fini(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_and_answer_come_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(methods_are_sent_as_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(chunks_are_gathered_and_limits_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statuses_have_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(redirects_are_followed_when_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unreachable_is_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_answers_time_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_off_is_retryable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signatures_are_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_calls_are_never_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_are_kept_and_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(destroying_ends_calls, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
