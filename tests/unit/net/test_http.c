#include "../await.h"
#include "serving.h"

static const struct weir_http_header plain[] = { { { "Content-Type", 12 }, { "text/plain", 10 } } };

static void on_gone(struct weir_http_request *request)
{
    struct serving *serving = request->owner;
    serving->parked = NULL;
    sem_post(&serving->gone);
}

static void park(struct serving *serving, struct weir_http_request *request)
{
    request->owner = serving;
    request->on_gone = on_gone;
    serving->parked = request;
    sem_post(&serving->parked_now);
}

static void flood(struct weir_http_request *request)
{
    struct serving *serving = request->owner;
    char block[65536];
    memset(block, 'f', sizeof(block));
    while (weir_http_stream_write(request, weir_str(block, sizeof(block)))) {
        atomic_fetch_add(&serving->accepted_bytes, sizeof(block));
    }
    sem_post(&serving->parked_now);
}

static void end_stream(struct weir_http_request *request)
{
    assert_true(weir_http_stream_write(request, WEIR_STR("drained")));
    weir_http_stream_end(request);
}

static void answer_stream(struct serving *serving, struct weir_http_request *request)
{
    request->owner = serving;
    request->on_gone = on_gone;
    weir_http_stream_begin(request, 200, plain, 1);
    if (weir_str_eq(request->path, WEIR_STR("/flood"))) {
        request->on_drain = end_stream;
        flood(request);
        return;
    }
    assert_true(weir_http_stream_write(request, WEIR_STR("one")));
    assert_true(weir_http_stream_write(request, WEIR_STR("")));
    assert_true(weir_http_stream_write(request, WEIR_STR("twotwotwotwotwotwo")));
    weir_http_stream_end(request);
}

static void handle(struct weir_http_request *request, void *arg)
{
    struct serving *serving = arg;
    atomic_fetch_add(&serving->calls, 1);
    if (weir_str_eq(request->path, WEIR_STR("/park"))) {
        park(serving, request);
    } else if (weir_str_eq(request->path, WEIR_STR("/release"))) {
        weir_http_respond(serving->parked, 201, NULL, 0, WEIR_STR("parked"));
        weir_http_respond(request, 200, NULL, 0, WEIR_STR("released"));
    } else if (weir_str_eq(request->path, WEIR_STR("/stream")) ||
               weir_str_eq(request->path, WEIR_STR("/flood"))) {
        answer_stream(serving, request);
    } else if (weir_str_eq(request->path, WEIR_STR("/big"))) {
        char *big = weir_arena_alloc(&request->arena, 3000000);
        memset(big, 'b', 3000000);
        weir_http_respond(request, 200, plain, 1, weir_str(big, 3000000));
    } else if (weir_str_eq(request->path, WEIR_STR("/none"))) {
        weir_http_respond(request, 204, NULL, 0, WEIR_STR("unseen"));
    } else if (weir_str_eq(request->path, WEIR_STR("/inject"))) {
        struct weir_http_header bad = { WEIR_STR("X-Bad"), WEIR_STR("a\r\nX-Evil: b") };
        weir_http_respond(request, 200, &bad, 1, WEIR_STR(""));
    } else {
        struct weir_str text = weir_arena_printf(&request->arena, "<%.*s %.*s %.*s>",
                WEIR_STR_ARG(request->method_name), WEIR_STR_ARG(request->path),
                WEIR_STR_ARG(request->body));
        weir_http_respond(request, 200, plain, 1, text);
    }
}

static char text[4 * 1024 * 1024];

static int count_of(const char *needle)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, needle)) != NULL; at++) {
        count++;
    }
    return count;
}

static void assert_has(const char *needle)
{
    if (strstr(text, needle) == NULL) {
        fail_msg("no \"%s\" in \"%.2000s\"", needle, text);
    }
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    ask(&serving,
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
            "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
            "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n3\r\nunk"
            "\r\n0\r\n\r\n"
            "GET /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            "GET /never HTTP/1.1\r\nHost: h\r\n\r\n",
            text, sizeof(text));
    const char *a = strstr(text, "<GET /a >");
    const char *b = strstr(text, "<POST /b body>");
    const char *c = strstr(text, "<POST /c chunk>");
    const char *d = strstr(text, "<GET /d >");
    assert_true(a != NULL && b > a && c > b && d > c);
    assert_int_equal(count_of("HTTP/1.1 200 OK\r\n"), 4);
    assert_int_equal(count_of("Date: "), 4);
    assert_int_equal(count_of("Content-Length: 14\r\n"), 1);
    assert_int_equal(count_of("Connection: close\r\n"), 1);
    assert_null(strstr(text, "/never"));
    serving_end(&serving);
    assert_int_equal(atomic_load(&serving.calls), 4);
}

static void thousands_of_pipelined_requests_arrive(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    char *many = weir_alloc(3000 * 64);
    size_t n = 0;
    for (int i = 0; i < 3000; i++) {
        n += (size_t)snprintf(many + n, 64, "GET /%d HTTP/1.%d\r\nHost: h\r\n\r\n", i, i < 2999);
    }
    ask(&serving, many, text, sizeof(text));
    assert_int_equal(count_of("HTTP/1.1 200 OK\r\n"), 3000);
    const char *at = text;
    for (int i = 0; i < 3000; i++) {
        char wanted[32];
        snprintf(wanted, sizeof(wanted), "<GET /%d >", i);
        at = strstr(at, wanted);
        assert_non_null(at);
    }
    weir_free(many);
    serving_end(&serving);
}

static void versions_heads_and_empty_answers(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    ask(&serving, "GET /old HTTP/1.0\r\n\r\n", text, sizeof(text));
    assert_has("Connection: close\r\n");
    assert_has("<GET /old >");
    ask(&serving,
            "GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
            "GET /old HTTP/1.0\r\n\r\n",
            text, sizeof(text));
    assert_has("Connection: keep-alive\r\n");
    assert_has("<GET /old >");
    ask(&serving, "HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof(text));
    assert_has("Content-Length: 10\r\n");
    assert_null(strstr(text, "<HEAD"));
    ask(&serving, "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text, sizeof(text));
    assert_has("HTTP/1.1 204 No Content\r\n");
    assert_null(strstr(text, "unseen"));
    assert_null(strstr(text, "Content-Length"));
    ask(&serving, "GET /inject HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text,
            sizeof(text));
    assert_has("X-Bad: a  X-Evil: b\r\n");
    serving_end(&serving);
}

static void expectation_is_answered_before_the_body(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int fd = dial(&serving);
    say(fd, "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    hear(fd, "HTTP/1.1 100 Continue\r\n\r\n", text, sizeof(text));
    say(fd, "abc");
    hear(fd, "<POST /e abc>", text, sizeof(text));
    close(fd);
    serving_end(&serving);
}

static void limits_answer_and_close(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){
                                    .handle = handle,
                                    .max_body_bytes = 100,
                                    .max_header_bytes = 200,
                                    .max_connections = 2,
                            });
    ask(&serving, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", text, sizeof(text));
    assert_has("HTTP/1.1 413 ");
    assert_has("{\"error\":\"too_large\",\"message\":\"the body is larger than the limit\"}");
    char request[512];
    snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\nX: %0300d\r\n\r\n", 1);
    ask(&serving, request, text, sizeof(text));
    assert_has("HTTP/1.1 431 ");
    ask(&serving, "HELLO\r\n\r\n", text, sizeof(text));
    assert_has("HTTP/1.1 400 ");
    assert_has("Content-Type: application/json\r\n");
    ask(&serving, "GET /good HTTP/1.1\r\nHost: h\r\n\r\nBAD\r\n\r\n", text, sizeof(text));
    assert_has("<GET /good >");
    assert_has("HTTP/1.1 400 ");
    serving_end(&serving);
    assert_int_equal(atomic_load(&serving.calls), 1);
}

static void too_many_connections_are_told(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle, .max_connections = 1 });
    int fd = dial(&serving);
    say(fd, "GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "<GET /one >", text, sizeof(text));
    int second = dial(&serving);
    hear(second, NULL, text, sizeof(text));
    assert_has("HTTP/1.1 503 ");
    assert_has("{\"error\":\"busy\"");
    close(second);
    say(fd, "GET /two HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(fd, "<GET /two >", text, sizeof(text));
    close(fd);
    serving_end(&serving);
}

static void slow_requests_and_idle_connections_end(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){
                                    .handle = handle,
                                    .request_timeout_ms = 60,
                                    .idle_timeout_ms = 80,
                            });
    int slow = dial(&serving);
    say(slow, "GET / HTTP/1.1\r\nHos");
    hear(slow, NULL, text, sizeof(text));
    assert_has("HTTP/1.1 408 Request Timeout\r\n");
    close(slow);
    int idle = dial(&serving);
    say(idle, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(idle, NULL, text, sizeof(text));
    assert_has("<GET /x >");
    close(idle);
    serving_end(&serving);
    assert_int_equal(atomic_load(&serving.calls), 1);
}

static void parked_request_is_answered_later_and_its_successor_then(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int fd = dial(&serving);
    say(fd, "GET /park HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    ask(&serving, "GET /release HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text,
            sizeof(text));
    assert_has("released");
    hear(fd, "<GET /next >", text, sizeof(text));
    assert_has("HTTP/1.1 201 Created\r\n");
    assert_has("parked");
    close(fd);
    serving_end(&serving);
    assert_int_equal(sem_trywait(&serving.gone), -1);
}

static void parked_request_hears_that_its_client_left(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int fd = dial(&serving);
    say(fd, "POST /park HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    await_semaphore(&serving.parked_now, "the request");
    close(fd);
    await_semaphore(&serving.gone, "the end of the request");
    serving_end(&serving);
}

static void streams_are_chunked(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    ask(&serving,
            "GET /stream HTTP/1.1\r\nHost: h\r\n\r\nGET /end HTTP/1.1\r\nHost: h\r\n"
            "Connection: close\r\n\r\n",
            text, sizeof(text));
    assert_has("Transfer-Encoding: chunked\r\n");
    assert_has("\r\n\r\n3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n");
    assert_has("<GET /end >");
    ask(&serving, "GET /stream HTTP/1.0\r\n\r\n", text, sizeof(text));
    assert_has("\r\n\r\nonetwotwotwotwotwotwo");
    assert_null(strstr(text, "chunked"));
    ask(&serving, "HEAD /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", text,
            sizeof(text));
    assert_null(strstr(text, "one\r\n"));
    serving_end(&serving);
}

static void full_stream_refuses_and_drains(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(
            &serving, (struct weir_http_options){ .handle = handle, .max_backlog_bytes = 100000 });
    int fd = dial(&serving);
    say(fd, "GET /flood HTTP/1.0\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    size_t taken = 0;
    size_t tail = 0;
    ssize_t n = 0;
    while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            taken += text[i] == 'f';
            tail += text[i] == 'd';
        }
    }
    assert_true(taken >= atomic_load(&serving.accepted_bytes));
    assert_true(taken > 100000);
    assert_true(tail >= 2); /* "drained" came */
    close(fd);
    serving_end(&serving);
}

static void client_leaving_a_stream_is_told(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(
            &serving, (struct weir_http_options){ .handle = handle, .max_backlog_bytes = 100000 });
    int fd = dial(&serving);
    say(fd, "GET /flood HTTP/1.1\r\nHost: h\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    close(fd); /* with unread data: a reset */
    await_semaphore(&serving.gone, "the end of the request");
    serving_end(&serving);
}

static void large_answers_reach_slow_readers(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(
            &serving, (struct weir_http_options){ .handle = handle, .max_backlog_bytes = 1000 });
    int fd = dial(&serving);
    say(fd, "GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /big HTTP/1.1\r\nHost: h\r\n\r\n"
            "GET /after HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    size_t bytes = 0;
    char part[65536];
    char last[16] = "";
    ssize_t n = 0;
    while ((n = recv(fd, part, sizeof(part), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            bytes += part[i] == 'b';
        }
        for (ssize_t i = n > 12 ? n - 12 : 0; i < n; i++) {
            memmove(last, last + 1, 11);
            last[11] = part[i];
        }
    }
    assert_int_equal(bytes, 6000000);
    assert_string_equal(last, "GET /after >");
    close(fd);
    serving_end(&serving);
}

static void stop_waits_for_requests_and_closes_idle_connections(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int idle = dial(&serving);
    say(idle, "GET /i HTTP/1.1\r\nHost: h\r\n\r\n");
    hear(idle, "<GET /i >", text, sizeof(text));
    int parked = dial(&serving);
    say(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    int releasing = dial(&serving);
    say(releasing, "GET /release HTTP/1.1\r\nHost: h\r\n");
    say(releasing, "X-Half: read\r\n");
    /* Its first half has been read once a later connection's request is answered. */
    ask(&serving, "GET /sync HTTP/1.0\r\n\r\n", text, sizeof(text));
    serving_ask_stop(&serving);
    hear(idle, NULL, text, sizeof(text));
    assert_string_equal(text, "");
    assert_int_equal(sem_trywait(&serving.stopped), -1);
    say(releasing, "\r\n");
    hear(releasing, NULL, text, sizeof(text));
    assert_has("Connection: close\r\n");
    assert_has("released");
    hear(parked, NULL, text, sizeof(text));
    assert_has("Connection: close\r\n");
    assert_has("parked");
    close(idle);
    close(parked);
    close(releasing);
    serving_join(&serving);
}

static void stop_cuts_off_at_its_deadline(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int parked = dial(&serving);
    say(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    serving.stop_deadline_ms = 20;
    serving_ask_stop(&serving);
    await_semaphore(&serving.gone, "the end of the request");
    close(parked);
    serving_join(&serving);
}

static void destroy_tells_parked_requests(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    int parked = dial(&serving);
    say(parked, "GET /park HTTP/1.1\r\nHost: h\r\n\r\n");
    await_semaphore(&serving.parked_now, "the request");
    weir_loop_stop(serving.loop);
    pthread_join(serving.thread, NULL);
    weir_http_server_destroy(serving.server);
    weir_loop_destroy(serving.loop);
    assert_int_equal(sem_trywait(&serving.gone), 0);
    weir_metrics_destroy(serving.set);
    close(parked);
}

static void counters_count(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving, (struct weir_http_options){ .handle = handle });
    ask(&serving, "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.0\r\n\r\n", text, sizeof(text));
    ask(&serving, "BAD\r\n\r\n", text, sizeof(text));
    assert_int_equal(atomic_load(&serving.metrics.requests->value), 2);
    assert_int_equal(atomic_load(&serving.metrics.refused->value), 1);
    assert_true(atomic_load(&serving.metrics.received_bytes->value) == 54);
    assert_true(atomic_load(&serving.metrics.sent_bytes->value) >= 200);
    serving_end(&serving);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    struct weir_loop *loop = NULL;
    struct weir_err err;
    assert_int_equal(weir_loop_create(weir_clock_system(), &loop, &err), WEIR_OK);
    struct weir_http_options options = { .address = "nowhere", .handle = handle };
    struct weir_http_server *first = NULL;
    struct weir_http_server *second = NULL;
    assert_int_equal(weir_http_server_create(loop, &options, &first, &err), WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "\"nowhere\""));
    options.address = "127.0.0.1";
    assert_int_equal(weir_http_server_create(loop, &options, &first, &err), WEIR_OK);
    options.port = weir_http_server_port(first);
    assert_int_equal(weir_http_server_create(loop, &options, &second, &err), WEIR_E_IO);
    weir_http_server_destroy(first);
    options.port = 0;
    options.reuse_port = true;
    assert_int_equal(weir_http_server_create(loop, &options, &first, &err), WEIR_OK);
    options.port = weir_http_server_port(first);
    assert_int_equal(weir_http_server_create(loop, &options, &second, &err), WEIR_OK);
    weir_http_server_destroy(first);
    weir_http_server_destroy(second);
    options = (struct weir_http_options){ .address = "localhost", .handle = handle };
    assert_int_equal(weir_http_server_create(loop, &options, &first, &err), WEIR_OK);
    weir_http_server_destroy(first);
    weir_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(thousands_of_pipelined_requests_arrive),
        cmocka_unit_test(versions_heads_and_empty_answers),
        cmocka_unit_test(expectation_is_answered_before_the_body),
        cmocka_unit_test(limits_answer_and_close),
        cmocka_unit_test(too_many_connections_are_told),
        cmocka_unit_test(slow_requests_and_idle_connections_end),
        cmocka_unit_test(parked_request_is_answered_later_and_its_successor_then),
        cmocka_unit_test(parked_request_hears_that_its_client_left),
        cmocka_unit_test(streams_are_chunked),
        cmocka_unit_test(full_stream_refuses_and_drains),
        cmocka_unit_test(client_leaving_a_stream_is_told),
        cmocka_unit_test(large_answers_reach_slow_readers),
        cmocka_unit_test(stop_waits_for_requests_and_closes_idle_connections),
        cmocka_unit_test(stop_cuts_off_at_its_deadline),
        cmocka_unit_test(destroy_tells_parked_requests),
        cmocka_unit_test(counters_count),
        cmocka_unit_test(addresses_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
