#include "../await.h"
#include "net/client.h"
#include "serving.h"

static void unused_gone(struct weir_http_request *request)
{
    struct serving *serving = request->owner;
    sem_post(&serving->gone);
}

static void handle(struct weir_http_request *request, void *arg)
{
    if (weir_str_eq(request->path, WEIR_STR("/silent"))) {
        request->owner = arg;
        request->on_gone = unused_gone;
    } else if (weir_str_eq(request->path, WEIR_STR("/stream"))) {
        request->owner = arg;
        request->on_gone = unused_gone;
        weir_http_stream_begin(request, 200, NULL, 0);
        weir_http_stream_write(request, WEIR_STR("first "));
        weir_http_stream_write(request, WEIR_STR("second "));
        if (weir_str_eq(request->query, WEIR_STR("end"))) {
            weir_http_stream_end(request);
        }
    } else {
        struct weir_http_header echo = { WEIR_STR("X-Echo"),
            weir_http_find(request, WEIR_STR("X-Say")) };
        struct weir_str body = weir_arena_printf(&request->arena, "%.*s %.*s?%.*s %.*s",
                WEIR_STR_ARG(request->method_name), WEIR_STR_ARG(request->path),
                WEIR_STR_ARG(request->query), WEIR_STR_ARG(request->body));
        weir_http_respond(request, 404, &echo, 1, body);
    }
}

static char url[64];

static struct weir_http_fetch call_to(const struct serving *serving, const char *rest)
{
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)serving->port, rest);
    return (struct weir_http_fetch){ .url = weir_str_z(url) };
}

static void url_is_taken_apart(void **state)
{
    (void)state;
    struct weir_http_url parts;
    assert_int_equal(weir_http_url_parse(WEIR_STR("http://a.b:8000/p/q?x=1?2"), &parts, NULL), 0);
    assert_true(weir_str_eq(parts.host, WEIR_STR("a.b")));
    assert_int_equal(parts.port, 8000);
    assert_true(weir_str_eq(parts.path, WEIR_STR("/p/q")));
    assert_true(weir_str_eq(parts.query, WEIR_STR("x=1?2")));
    assert_int_equal(weir_http_url_parse(WEIR_STR("http://[::1]"), &parts, NULL), 0);
    assert_true(weir_str_eq(parts.host, WEIR_STR("::1")));
    assert_int_equal(parts.port, 80);
    assert_true(weir_str_eq(parts.path, WEIR_STR("/")));
    struct weir_err err;
    assert_false(parts.tls);
    assert_int_equal(weir_http_url_parse(WEIR_STR("https://a"), &parts, &err), WEIR_OK);
    assert_int_equal(parts.port, 443);
    assert_true(parts.tls);
    assert_int_equal(weir_http_url_parse(WEIR_STR("ftp://a"), &parts, &err), WEIR_E_UNSUPPORTED);
    static const char *const bad[] = { "http://", "http://a:0", "http://a:65536", "http://a:x",
        "http://[::1", "http://a/b c", "http://:80", "http://a/\r\nX:", "https://user:pw@a/",
        "http://user@a/", "http://a/#part" };
    for (size_t i = 0; i < WEIR_COUNT(bad); i++) {
        assert_int_equal(weir_http_url_parse(weir_str_z(bad[i]), &parts, &err), WEIR_E_INVALID);
    }
}

static void answer_comes_whole(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    struct weir_http_fetch call = call_to(&serving, "/p?q");
    struct weir_http_header say_hi = { WEIR_STR("X-Say"), WEIR_STR("hi") };
    call.method = WEIR_STR("POST");
    call.headers = &say_hi;
    call.header_count = 1;
    call.body = WEIR_STR("body");
    struct weir_http_reply reply = { 0 };
    struct weir_err err;
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_OK);
    assert_int_equal(reply.status, 404);
    assert_true(weir_str_eq(weir_http_reply_find(&reply, WEIR_STR("x-echo")), WEIR_STR("hi")));
    assert_true(weir_str_eq(weir_buf_view(&reply.body), WEIR_STR("POST /p?q body")));
    weir_http_reply_fini(&reply);

    call.method = WEIR_STR("HEAD");
    call.body = WEIR_STR("");
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_OK);
    assert_int_equal(reply.body.n, 0);
    weir_http_reply_fini(&reply);

    call = call_to(&serving, "/stream?end");
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_OK);
    assert_true(weir_str_eq(weir_buf_view(&reply.body), WEIR_STR("first second ")));
    weir_http_reply_fini(&reply);

    call.max_body_bytes = 10;
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_E_TOO_LARGE);
    serving_end(&serving);
}

static bool take_data(void *arg, const struct weir_http_reply *reply, struct weir_str data)
{
    struct weir_buf *taken = arg;
    assert_int_equal(reply->status, 200);
    weir_buf_str(taken, data);
    return taken->n < 13;
}

static void stream_is_taken_until_enough(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    struct weir_buf taken;
    weir_buf_init(&taken, 100);
    struct weir_http_fetch call = call_to(&serving, "/stream");
    call.on_data = take_data;
    call.arg = &taken;
    struct weir_http_reply reply = { 0 };
    assert_int_equal(weir_http_fetch(&call, &reply, NULL), WEIR_OK);
    assert_true(weir_str_eq(weir_buf_view(&taken), WEIR_STR("first second ")));
    assert_int_equal(reply.body.n, 0);
    weir_http_reply_fini(&reply);
    weir_buf_fini(&taken);
    await_semaphore(&serving.gone, "the end of the request"); /* the server saw us leave */
    serving_end(&serving);
}

static void failures_are_told_apart(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    struct weir_http_fetch call = call_to(&serving, "/silent");
    call.timeout_ms = 30;
    struct weir_http_reply reply = { 0 };
    struct weir_err err;
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_E_TIMEOUT);
    await_semaphore(&serving.gone, "the end of the request");
    serving_end(&serving);
    call.url = WEIR_STR("https://127.0.0.1/");
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_E_UNSUPPORTED);
    call = call_to(&serving, "/"); /* nobody listens there any more */
    assert_int_equal(weir_http_fetch(&call, &reply, &err), WEIR_E_IO);
    assert_non_null(strstr(err.msg, "127.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_is_taken_apart),
        cmocka_unit_test(answer_comes_whole),
        cmocka_unit_test(stream_is_taken_until_enough),
        cmocka_unit_test(failures_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
