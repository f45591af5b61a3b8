/* URLs of HTTP, taken apart. Pure; any thread. */
#ifndef WEIR_NET_HTTP_URL_H
#define WEIR_NET_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum { WEIR_HTTP_HOST_MAX = 256 }; /* one more than the longest host */

struct weir_http_url {
    bool tls;                  /* https */
    struct weir_str host;      /* without the brackets of an IPv6 address */
    struct weir_str authority; /* host and port as written: the Host header */
    uint16_t port;             /* 80, or 443 of https, when not given */
    struct weir_str path;      /* "/" when not given */
    struct weir_str query;     /* without the '?' */
};

/*
 * Take a URL apart; the parts are views into it. A user's name in front of the host and a
 * fragment are refused: neither is ever sent.
 *
 * Errors: WEIR_E_INVALID, WEIR_E_UNSUPPORTED (neither http nor https).
 */
WEIR_MUST_CHECK enum weir_rc weir_http_url_parse(
        struct weir_str url, struct weir_http_url *ret_url, struct weir_err *err);

/* The front of a URL that parses: scheme, host and port, without what may be secret. A view. */
struct weir_str weir_http_url_origin(struct weir_str url);

#endif
