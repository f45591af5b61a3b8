#include "net/http_url.h"

/* Split "host:port", "[::1]:port" or either without a port. */
static bool split_authority(struct weir_http_url *url)
{
    struct weir_str rest = url->authority;
    size_t host = 0;
    if (rest.n > 0 && rest.p[0] == '[') {
        const char *close = memchr(rest.p, ']', rest.n);
        if (close == NULL) {
            return false;
        }
        host = (size_t)(close - rest.p) + 1;
        url->host = weir_str(rest.p + 1, host - 2);
    } else {
        while (host < rest.n && rest.p[host] != ':') {
            host++;
        }
        url->host = weir_str(rest.p, host);
    }
    uint64_t port = url->tls ? 443 : 80;
    if (host < rest.n) {
        struct weir_str digits = weir_str(rest.p + host + 1, rest.n - host - 1);
        if (rest.p[host] != ':' || !weir_str_to_u64(digits, &port) || port < 1 || port > 65535) {
            return false;
        }
    }
    url->port = (uint16_t)port;
    return url->host.n > 0 && url->host.n < WEIR_HTTP_HOST_MAX;
}

/* Whether every byte may stand in a URL as it is sent. */
static bool is_clean(struct weir_str url)
{
    for (size_t i = 0; i < url.n; i++) {
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f || url.p[i] == '#') {
            return false;
        }
    }
    return true;
}

enum weir_rc weir_http_url_parse(
        struct weir_str url, struct weir_http_url *ret_url, struct weir_err *err)
{
    struct weir_http_url parts = { .path = WEIR_STR("/") };
    parts.tls = weir_str_starts(url, WEIR_STR("https://"));
    if (!parts.tls && !weir_str_starts(url, WEIR_STR("http://"))) {
        return weir_fail(err, WEIR_E_UNSUPPORTED,
                "cannot fetch \"%.*s\": expected http:// or https://", WEIR_STR_ARG(url));
    }
    size_t begin = parts.tls ? 8 : 7;
    size_t at = begin;
    while (at < url.n && url.p[at] != '/' && url.p[at] != '?') {
        at++;
    }
    parts.authority = weir_str(url.p + begin, at - begin);
    size_t path = at;
    while (at < url.n && url.p[at] != '?') {
        at++;
    }
    if (at > path) {
        parts.path = weir_str(url.p + path, at - path);
    }
    if (at < url.n) {
        parts.query = weir_str(url.p + at + 1, url.n - at - 1);
    }
    bool has_user = memchr(parts.authority.p, '@', parts.authority.n) != NULL;
    if (has_user || !is_clean(url) || !split_authority(&parts)) {
        return weir_fail(err, WEIR_E_INVALID,
                "\"%.*s\" is not a URL: expected http[s]://HOST[:PORT][/PATH][?QUERY]",
                WEIR_STR_ARG(url));
    }
    *ret_url = parts;
    return WEIR_OK;
}

struct weir_str weir_http_url_origin(struct weir_str url)
{
    struct weir_http_url parts = { 0 };
    if (weir_http_url_parse(url, &parts, NULL) != WEIR_OK) {
        return weir_str(NULL, 0);
    }
    return weir_str(url.p, (size_t)(parts.authority.p - url.p) + parts.authority.n);
}
