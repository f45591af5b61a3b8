/* POSTs from the outbox to a server, all on one loop. */
#include <stdio.h>

#include "../net/watched_loop.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/http_client.h"
#include "outbox/http.h"

struct fixture {
    struct weir_metrics *metrics;
    struct weir_store *store;
    struct weir_loop *loop;
    struct weir_http_server *server;
    uint16_t port;
    struct weir_http_client *client;
    struct weir_outbox *outbox;
    struct weir_outbox_http *http;
    struct weir_loop_timer timer;
    struct weir_post post;
    _Atomic bool posted;
    int failures; /* that the server answers first */
    int status;   /* that it then answers */
    int requests;
    char seen[512]; /* method, path, type, key, body of the last request */
    char log[1024];
    char letter[512]; /* what was given up, described */
};

/* --- the host ---------------------------------------------------------------------- */

static double count(struct fixture *f, const char *name)
{
    struct weir_metric_reading reading;
    weir_metrics_read(f->metrics, weir_str_z(name), NULL, 0, &reading);
    return reading.sum;
}

static void tell_log(void *arg)
{
    struct fixture *f = arg;
    fprintf(stderr, "%d requests; %s\n", f->requests, f->log);
}

/* The loop ends when the intent did. */
static void run(struct fixture *f)
{
    struct weir_err err;
    assert_int_equal(weir_outbox_run(f->outbox, &err), WEIR_OK);
    if (count(f, "weir_outbox_delivered_total") + count(f, "weir_outbox_failed_total") == 1) {
        weir_loop_stop(f->loop);
    }
}

static void due(struct weir_loop_timer *timer)
{
    run(WEIR_CONTAINER(timer, struct fixture, timer));
}

static void posted(struct weir_post *post)
{
    struct fixture *f = WEIR_CONTAINER(post, struct fixture, post);
    atomic_store(&f->posted, false);
    if (f->outbox != NULL) {
        run(f);
    }
}

static void wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct fixture *f = arg;
    if (never) {
        weir_loop_timer_stop(&f->timer);
    } else {
        weir_loop_timer_start(&f->timer, after_ms);
    }
}

static void changed(void *arg)
{
    struct fixture *f = arg;
    if (!atomic_exchange(&f->posted, true)) {
        weir_loop_post(f->loop, &f->post);
    }
}

static void log_event(void *arg, const struct weir_outbox_event *event)
{
    struct fixture *f = arg;
    snprintf(f->log, sizeof(f->log), "%s", event->reason);
    if (event->event == WEIR_OUTBOX_BLOCKED) {
        weir_loop_stop(f->loop);
    }
}

/* --- the server ---------------------------------------------------------------------- */

static enum weir_rc give_up(void *arg, struct weir_txn *txn, const struct weir_delivery *delivery,
        const struct weir_give_up *why, const void **ret_held, struct weir_err *err)
{
    struct fixture *f = arg;
    struct weir_buf buf;
    (void)txn;
    (void)why;
    (void)ret_held;
    (void)err;
    weir_buf_init(&buf, sizeof(f->letter));
    weir_outbox_describe(f->outbox, delivery, &buf);
    snprintf(f->letter, sizeof(f->letter), "%.*s", WEIR_STR_ARG(weir_buf_view(&buf)));
    weir_buf_fini(&buf);
    return WEIR_OK;
}

static void handle(struct weir_http_request *request, void *arg)
{
    struct fixture *f = arg;
    struct weir_str type = weir_http_find(request, WEIR_STR("Content-Type"));
    struct weir_str key = weir_http_find(request, WEIR_STR("Idempotency-Key"));
    snprintf(f->seen, sizeof(f->seen), "%.*s %.*s %.*s %.*s %.*s",
            WEIR_STR_ARG(request->method_name), WEIR_STR_ARG(request->path), WEIR_STR_ARG(type),
            WEIR_STR_ARG(key), WEIR_STR_ARG(request->body));
    int status = f->requests++ < f->failures ? 500 : f->status;
    weir_http_respond(request, status, NULL, 0, WEIR_STR("answer"));
}

static int set_up(void **state)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    struct weir_err err;
    f->metrics = weir_metrics_create();
    f->post.run = posted;
    f->status = 200;
    assert_int_equal(weir_loop_create(weir_clock_system(), &f->loop, &err), WEIR_OK);
    struct weir_store_options store = { .clock = weir_clock_system(), .metrics = f->metrics };
    assert_int_equal(weir_store_open(&store, &f->store, &err), WEIR_OK);
    struct weir_http_options http = { .address = "127.0.0.1", .handle = handle, .arg = f };
    assert_int_equal(weir_http_server_create(f->loop, &http, &f->server, &err), WEIR_OK);
    f->port = weir_http_server_port(f->server);
    struct weir_http_client_options client = { 0 };
    assert_int_equal(weir_http_client_create(f->loop, &client, &f->client, &err), WEIR_OK);
    struct weir_outbox_options outbox = {
        .store = f->store,
        .metrics = f->metrics,
        .host = { .wake_at = wake_at,
                .changed = changed,
                .give_up = give_up,
                .log = log_event,
                .arg = f },
    };
    weir_loop_timer_init(&f->timer, f->loop, due);
    assert_int_equal(weir_outbox_create(&outbox, &f->outbox, &err), WEIR_OK);
    f->http = weir_outbox_http_create(f->outbox, f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    weir_store_stop(f->store);
    weir_http_client_destroy(f->client);
    weir_outbox_http_destroy(f->http);
    weir_outbox_destroy(WEIR_TAKE(f->outbox));
    weir_loop_timer_fini(&f->timer);
    weir_http_server_destroy(f->server);
    weir_loop_destroy(f->loop);
    weir_store_close(f->store);
    weir_metrics_destroy(f->metrics);
    weir_free(f);
    return 0;
}

static void post(struct fixture *f, struct weir_outbox_post *what)
{
    struct weir_err err;
    struct weir_txn *txn = weir_txn_create();
    struct weir_intent intent = {
        .id = WEIR_STR("id-1"),
        .dead_letter = WEIR_STR("letters"),
        .retry = { .retries = 2, .backoff = { .pauses_ms = { 1 }, .count = 1 } },
    };
    what->url = weir_arena_printf(
            &txn->arena, "http://127.0.0.1:%u/hook/secret?s=1", (unsigned)f->port);
    assert_int_equal(weir_outbox_post_intent(what, &txn->arena, &intent, &err), WEIR_OK);
    assert_null(memchr(intent.target.p, 'k', intent.target.n)); /* no path in a lane's name */
    assert_int_equal(weir_outbox_add(f->outbox, txn, &intent, &err), WEIR_OK);
    assert_int_equal(weir_store_commit(f->store, txn, &err), WEIR_OK);
    weir_txn_destroy(txn);
}

static void posts_arrive_with_their_key(void **state)
{
    struct fixture *f = *state;
    struct weir_outbox_post what = { .body = WEIR_STR("{\"a\":1}") };
    f->failures = 2;
    post(f, &what);
    run_watched(f->loop, "the end of the post", tell_log, f);
    assert_string_equal(f->seen, "POST /hook/secret application/json id-1 {\"a\":1}");
    assert_int_equal(f->requests, 3);
    assert_true(count(f, "weir_outbox_delivered_total") == 1);
    assert_true(count(f, "weir_outbox_retries_total") == 2);
}

static void headers_are_kept(void **state)
{
    struct fixture *f = *state;
    struct weir_http_header header = { WEIR_STR("content-type"), WEIR_STR("text/plain") };
    struct weir_outbox_post what = { .headers = &header, .header_count = 1 };
    post(f, &what);
    run_watched(f->loop, "the end of the post", tell_log, f);
    assert_string_equal(f->seen, "POST /hook/secret text/plain id-1 ");
}

static void refused_posts_are_given_up(void **state)
{
    struct fixture *f = *state;
    struct weir_outbox_post what = { .body = WEIR_STR("\"x\"") };
    char letter[128];
    f->status = 404;
    post(f, &what);
    snprintf(letter, sizeof(letter),
            "{\"url\":\"http://127.0.0.1:%u/hook/secret?s=1\",\"body\":\"\\\"x\\\"\"}",
            (unsigned)f->port);
    run_watched(f->loop, "the end of the post", tell_log, f);
    assert_int_equal(f->requests, 1);
    assert_true(count(f, "weir_outbox_failed_total") == 1);
    assert_non_null(strstr(f->log, "answered with status 404"));
    assert_string_equal(f->letter, letter);
    assert_null(strstr(f->log, "secret"));
}

static void a_server_that_is_away_blocks(void **state)
{
    struct fixture *f = *state;
    struct weir_outbox_post what = { .body = WEIR_STR("x") };
    weir_http_server_destroy(WEIR_TAKE(f->server));
    post(f, &what);
    run_watched(f->loop, "the end of the post", tell_log, f);
    assert_null(strstr(f->log, "secret"));
    assert_true(count(f, "weir_outbox_retries_total") == 0);
    assert_true(count(f, "weir_outbox_failed_total") == 0);
}

static void bad_urls_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct weir_outbox_post what = { .url = WEIR_STR("ftp://a/") };
    struct weir_arena arena;
    struct weir_intent intent = { 0 };
    struct weir_err err;
    (void)f;
    weir_arena_init(&arena);
    assert_int_equal(weir_outbox_post_intent(&what, &arena, &intent, &err), WEIR_E_UNSUPPORTED);
    what.url = WEIR_STR("http://");
    assert_int_equal(weir_outbox_post_intent(&what, &arena, &intent, &err), WEIR_E_INVALID);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_arrive_with_their_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_posts_are_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_is_away_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_urls_are_refused_at_once, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
