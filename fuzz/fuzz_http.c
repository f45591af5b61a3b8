/*
 * Fuzzes the request reader: the first byte cuts the rest into reads, so that every way of
 * arriving is tried. Views of a complete request are touched to their last byte.
 */
#include "net/http_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t touch(struct weir_str s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        sum += (unsigned char)s.p[i];
    }
    return sum;
}

static void touch_request(const struct weir_http_request *request)
{
    size_t sum = touch(request->path) + touch(request->query) + touch(request->body) +
                 touch(request->raw_body) + touch(request->method_name);
    for (size_t i = 0; i < request->header_count; i++) {
        sum += touch(request->headers[i].name) + touch(request->headers[i].value);
    }
    weir_assert(request->path.n > 0 && sum > 0);
    weir_assert(request->body.n <= 4096 && request->header_count <= WEIR_HTTP_MAX_HEADERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct weir_http_buffers buffers = { 0 };
    struct weir_http_reader reader;
    weir_http_reader_init(&reader, &buffers, 1024, 4096);
    size_t step = data[0] > 0 ? data[0] : size;
    size_t at = 1;
    enum weir_http_progress progress = WEIR_HTTP_MORE;
    while (at < size && progress != WEIR_HTTP_REFUSED) {
        size_t room = 0;
        char *to = weir_http_reader_room(&reader, &room);
        size_t n = size - at < step ? size - at : step;
        n = n < room ? n : room;
        memcpy(to, data + at, n);
        weir_http_reader_fill(&reader, n);
        at += n;
        while ((progress = weir_http_reader_next(&reader)) == WEIR_HTTP_COMPLETE) {
            touch_request(&reader.request);
            weir_http_reader_finish(&reader);
        }
    }
    weir_http_reader_relax(&reader);
    weir_http_reader_fini(&reader);
    weir_http_buffers_fini(&buffers);
    return 0;
}
