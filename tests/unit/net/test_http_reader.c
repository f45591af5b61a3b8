#include <stdio.h>
#include <zlib.h>

#include "../test.h"
#include "net/http_reader.h"

static struct weir_http_buffers buffers;

static void begin(struct weir_http_reader *reader)
{
    weir_http_reader_init(reader, &buffers, 1000, 5000);
}

static void end(struct weir_http_reader *reader)
{
    weir_http_reader_fini(reader);
    weir_http_buffers_fini(&buffers);
}

/* Give the reader bytes, as many as it has room for; returns how many. */
static size_t feed(struct weir_http_reader *reader, const char *p, size_t n)
{
    size_t room = 0;
    char *to = weir_http_reader_room(reader, &room);
    size_t part = n < room ? n : room;
    memcpy(to, p, part);
    weir_http_reader_fill(reader, part);
    return part;
}

/* Feed all of a text that is one request or less. */
static enum weir_http_progress feed_all(struct weir_http_reader *reader, struct weir_str text)
{
    enum weir_http_progress progress = WEIR_HTTP_MORE;
    while (text.n > 0 && progress == WEIR_HTTP_MORE) {
        size_t n = feed(reader, text.p, text.n);
        text.p += n;
        text.n -= n;
        progress = weir_http_reader_next(reader);
    }
    return progress;
}

static void assert_refused(struct weir_str text, int status)
{
    struct weir_http_reader reader;
    begin(&reader);
    enum weir_http_progress progress = feed_all(&reader, text);
    if (progress != WEIR_HTTP_REFUSED || reader.status != status) {
        fail_msg("progress %d, status %d instead of %d for \"%.60s\"", progress, reader.status,
                status, text.p);
    }
    end(&reader);
}

#define assert_str(s, literal) assert_true(weir_str_eq((s), WEIR_STR(literal)))

static void request_is_taken_apart(void **state)
{
    (void)state;
    struct weir_http_reader reader;
    begin(&reader);
    assert_int_equal(feed_all(&reader, WEIR_STR("\r\nPOST /a/b%20c?x=1&y=?2 HTTP/1.1\r\n"
                                                "Host: h\r\nX-One:\t one two \t\r\nX-Empty:\r\n"
                                                "x-last: z\r\nContent-Length: 5\r\n\r\nhello")),
            WEIR_HTTP_COMPLETE);
    const struct weir_http_request *request = &reader.request;
    assert_int_equal(request->method, WEIR_HTTP_POST);
    assert_str(request->method_name, "POST");
    assert_str(request->path, "/a/b%20c");
    assert_str(request->query, "x=1&y=?2");
    assert_int_equal(request->header_count, 5);
    assert_str(weir_http_find(request, WEIR_STR("X-ONE")), "one two");
    assert_str(weir_http_find(request, WEIR_STR("x-empty")), "");
    assert_str(weir_http_find(request, WEIR_STR("X-Last")), "z");
    assert_null(weir_http_find(request, WEIR_STR("x-none")).p);
    assert_str(request->body, "hello");
    assert_true(request->keep_alive);
    assert_false(request->http_1_0);
    end(&reader);
}

/* Three requests in a row, cut in two at a point: the same comes out as without a cut. */
static void read_cut_at(struct weir_str text, size_t at)
{
    static const char *const paths[] = { "/first", "/second", "/third" };
    static const char *const bodies[] = { "0123456789", "", "abcdefghijkl" };
    struct weir_http_reader reader;
    begin(&reader);
    size_t done = 0;
    int seen = 0;
    while (done < text.n) {
        size_t stop = done < at ? at : text.n;
        done += feed(&reader, text.p + done, stop - done);
        while (weir_http_reader_next(&reader) == WEIR_HTTP_COMPLETE) {
            assert_true(seen < 3);
            assert_true(weir_str_eq(reader.request.path, weir_str_z(paths[seen])));
            assert_true(weir_str_eq(reader.request.body, weir_str_z(bodies[seen])));
            assert_str(weir_http_find(&reader.request, WEIR_STR("host")), "example");
            assert_str(weir_http_find(&reader.request, WEIR_STR("x-after")), "yes");
            seen++;
            weir_http_reader_finish(&reader);
        }
        assert_int_equal(reader.status, 0);
    }
    assert_int_equal(seen, 3);
    weir_http_reader_relax(&reader);
    assert_null(reader.in); /* an idle connection holds no buffer */
    end(&reader);
}

static void any_cut_reads_the_same(void **state)
{
    (void)state;
    struct weir_str text = WEIR_STR(
            "POST /first HTTP/1.1\r\nHost: example\r\nContent-Length: 10\r\nX-After: yes\r\n\r\n"
            "0123456789"
            "GET /second HTTP/1.1\r\nHost: example\r\nX-After: yes\r\n\r\n"
            "POST /third HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n"
            "X-After: yes\r\n\r\n"
            "3;note=1\r\nabc\r\n1\r\nd\r\n8\r\nefghijkl\r\n0\r\nX-Trailer: t\r\n\r\n");
    for (size_t at = 0; at <= text.n; at++) {
        read_cut_at(text, at);
    }
}

static void views_survive_a_growing_buffer(void **state)
{
    (void)state;
    struct weir_http_reader reader;
    weir_http_reader_init(&reader, &buffers, 1000, 300000);
    char *text = weir_alloc(300000);
    int head = snprintf(text, 200,
            "PUT /grow?q HTTP/1.1\r\nHost: h\r\nX-Name: value\r\nContent-Length: 250000\r\n\r\n");
    memset(text + head, 'x', 250000);
    text[head] = '<';
    text[head + 249999] = '>';
    assert_int_equal(feed_all(&reader, weir_str(text, (size_t)head + 250000)), WEIR_HTTP_COMPLETE);
    assert_str(reader.request.path, "/grow");
    assert_str(weir_http_find(&reader.request, WEIR_STR("x-name")), "value");
    assert_int_equal(reader.request.body.n, 250000);
    assert_int_equal(reader.request.body.p[0], '<');
    assert_int_equal(reader.request.body.p[249999], '>');
    weir_free(text);
    end(&reader);
}

static void many_headers_fit_up_to_the_limit(void **state)
{
    (void)state;
    struct weir_buf text;
    weir_buf_init(&text, 100000);
    weir_buf_z(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 255; i++) {
        weir_buf_printf(&text, "h%d: %d\r\n", i, i);
    }
    weir_buf_z(&text, "\r\n");
    struct weir_http_reader reader;
    weir_http_reader_init(&reader, &buffers, 65536, 100);
    assert_int_equal(feed_all(&reader, weir_buf_view(&text)), WEIR_HTTP_COMPLETE);
    assert_int_equal(reader.request.header_count, 256);
    assert_str(weir_http_find(&reader.request, WEIR_STR("h254")), "254");
    weir_http_reader_fini(&reader);
    text.n -= 2;
    weir_buf_z(&text, "one: more\r\n\r\n");
    weir_http_reader_init(&reader, &buffers, 65536, 100);
    assert_int_equal(feed_all(&reader, weir_buf_view(&text)), WEIR_HTTP_REFUSED);
    assert_int_equal(reader.status, 431);
    weir_buf_fini(&text);
    end(&reader);
}

static void limits_are_kept(void **state)
{
    (void)state;
    char text[8192];
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\nX: %02000d\r\n\r\n", 7);
    assert_refused(weir_str(text, (size_t)n), 431);
    n = snprintf(text, sizeof(text), "GET /%02000d HTTP/1.1\r\nHost: h\r\n\r\n", 7);
    assert_refused(weir_str(text, (size_t)n), 431);
    n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%02000d", 7);
    assert_refused(weir_str(text, (size_t)n), 431);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5001\r\n\r\n"), 413);
    n = snprintf(text, sizeof(text),
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1389\r\n%05001d\r\n0"
            "\r\n\r\n",
            7);
    assert_refused(weir_str(text, (size_t)n), 413);
}

static void malformed_requests_are_refused(void **state)
{
    (void)state;
    assert_refused(WEIR_STR("GET / HTTP/1.1\r\n\r\n"), 400); /* no Host */
    assert_refused(WEIR_STR("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    assert_refused(WEIR_STR("NONSENSE\r\n\r\n"), 400);
    assert_refused(WEIR_STR("GET / HTTP/9\r\n\r\n"), 400);
    assert_refused(WEIR_STR("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400);
    assert_refused(WEIR_STR("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n"), 400);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"), 400);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                            "Content-Length: 2\r\n\r\n"),
            400);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"),
            400);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 400);
    assert_refused(
            WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz"), 400);
    assert_refused(WEIR_STR("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\n"
                            "Content-Length: 1\r\n\r\n"),
            415);
    assert_refused(WEIR_STR("POST / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n"
                            "Content-Length: 1\r\n\r\n"),
            417);
}

static void versions_and_upgrades_are_told(void **state)
{
    (void)state;
    struct weir_http_reader reader;
    begin(&reader);
    assert_int_equal(feed_all(&reader, WEIR_STR("GET / HTTP/1.0\r\n\r\n")), WEIR_HTTP_COMPLETE);
    assert_true(reader.request.http_1_0);
    assert_false(reader.request.keep_alive);
    weir_http_reader_fini(&reader);
    begin(&reader);
    assert_int_equal(feed_all(&reader, WEIR_STR("GET http://h/p?q HTTP/1.1\r\nHost: h\r\n"
                                                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                                "\r\nleft")),
            WEIR_HTTP_COMPLETE);
    assert_true(reader.request.upgrade);
    assert_str(reader.request.path, "/p");
    assert_str(reader.request.query, "q");
    assert_int_equal(reader.in_bytes - reader.in_at, 4); /* the next protocol's first bytes */
    weir_http_reader_fini(&reader);
    begin(&reader);
    assert_int_equal(feed_all(&reader, WEIR_STR("GET http://h HTTP/1.1\r\nHost: h\r\n"
                                                "Connection: close\r\n\r\n")),
            WEIR_HTTP_COMPLETE);
    assert_str(reader.request.path, "/");
    assert_false(reader.request.keep_alive);
    assert_false(reader.request.upgrade);
    end(&reader);
}

/* A gzip request with a body of n times 'a'; truncated by cut bytes. */
static struct weir_str make_gzip(char *text, size_t size, size_t n, size_t cut)
{
    char plain[8192];
    unsigned char packed[4096];
    memset(plain, 'a', n);
    z_stream stream = { 0 };
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, 0), Z_OK);
    stream.next_in = (Bytef *)plain;
    stream.avail_in = (uInt)n;
    stream.next_out = packed;
    stream.avail_out = sizeof(packed);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t bytes = sizeof(packed) - stream.avail_out - cut;
    deflateEnd(&stream);
    int head = snprintf(text, size,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
            bytes);
    memcpy(text + head, packed, bytes);
    return weir_str(text, (size_t)head + bytes);
}

static void gzip_bodies_are_inflated_within_the_limit(void **state)
{
    (void)state;
    char text[8192];
    struct weir_http_reader reader;
    begin(&reader);
    struct weir_str request = make_gzip(text, sizeof(text), 5000, 0);
    assert_int_equal(feed_all(&reader, request), WEIR_HTTP_COMPLETE);
    assert_int_equal(reader.request.body.n, 5000);
    assert_int_equal(reader.request.body.p[4999], 'a');
    assert_true(reader.request.raw_body.n < 100);
    end(&reader);
    assert_refused(make_gzip(text, sizeof(text), 5001, 0), 413);
    assert_refused(make_gzip(text, sizeof(text), 500, 1), 400);
    request = make_gzip(text, sizeof(text), 500, 0);
    text[request.n - 1] ^= 1; /* its length field */
    assert_refused(request, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_taken_apart),
        cmocka_unit_test(any_cut_reads_the_same),
        cmocka_unit_test(views_survive_a_growing_buffer),
        cmocka_unit_test(many_headers_fit_up_to_the_limit),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(versions_and_upgrades_are_told),
        cmocka_unit_test(gzip_bodies_are_inflated_within_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
