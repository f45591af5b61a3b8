/* URLs taken apart: the parts lie within the text, and put together again they are the same. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text that the parts were made of; "/" stands for no path. */
static void check_whole(struct weir_str url, const struct weir_http_url *parts)
{
    struct weir_buf buf;
    weir_buf_init(&buf, url.n + 2);
    weir_buf_z(&buf, parts->tls ? "https://" : "http://");
    weir_buf_str(&buf, parts->authority);
    bool path = parts->path.p >= url.p && parts->path.p < url.p + url.n;
    weir_assert(path || weir_str_eq(parts->path, WEIR_STR("/")));
    weir_buf_str(&buf, path ? parts->path : WEIR_STR(""));
    if (parts->query.p != NULL) {
        weir_buf_byte(&buf, '?');
        weir_buf_str(&buf, parts->query);
    }
    weir_assert(weir_str_eq(weir_buf_view(&buf), url));
    weir_buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_http_url parts;
    struct weir_http_url origin;
    struct weir_err err = { 0 };
    struct weir_str url = weir_str((const char *)data, size);
    if (weir_http_url_parse(url, &parts, &err) != WEIR_OK) {
        weir_assert(err.msg[0] != '\0' && weir_http_url_origin(url).n == 0);
        return 0;
    }
    weir_assert(parts.port > 0 && parts.host.n > 0 && parts.host.n < WEIR_HTTP_HOST_MAX);
    weir_assert(parts.path.n > 0 && parts.path.p[0] == '/');
    check_whole(url, &parts);
    weir_assert(weir_http_url_parse(weir_http_url_origin(url), &origin, NULL) == WEIR_OK);
    weir_assert(weir_str_eq(origin.host, parts.host) && origin.port == parts.port);
    weir_assert(origin.tls == parts.tls && origin.query.p == NULL);
    return 0;
}
