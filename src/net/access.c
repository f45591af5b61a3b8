#include "net/access.h"

#include <arpa/inet.h>
#include <strings.h>

enum { ADDRESS_TEXT = 64 };

static bool same(struct weir_str a, struct weir_str b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static bool is_localhost(struct weir_str name)
{
    static const char tail[] = ".localhost";
    size_t n = sizeof(tail) - 1;
    return same(name, WEIR_STR("localhost")) ||
           (name.n > n && strncasecmp(name.p + name.n - n, tail, n) == 0);
}

/* An address in a zero-terminated copy, without the brackets of an IPv6 one. */
static bool copy_address(struct weir_str address, char text[static ADDRESS_TEXT])
{
    if (address.n >= 2 && address.p[0] == '[' && address.p[address.n - 1] == ']') {
        address = weir_str(address.p + 1, address.n - 2);
    }
    if (address.n == 0 || address.n >= ADDRESS_TEXT || memchr(address.p, '\0', address.n) != NULL) {
        return false;
    }
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    return true;
}

/* Parse a literal: 4 or 16 bytes; 0 for what is none. */
static size_t parse_address(struct weir_str address, unsigned char bytes[static 16])
{
    char text[ADDRESS_TEXT];
    if (!copy_address(address, text)) {
        return 0;
    }
    if (inet_pton(AF_INET, text, bytes) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

bool weir_access_is_loopback(struct weir_str address)
{
    unsigned char bytes[16];
    switch (parse_address(address, bytes)) {
    case 4:
        return bytes[0] == 127;
    case 16:
        return memcmp(bytes, &in6addr_loopback, 16) == 0;
    default:
        return same(address, WEIR_STR("localhost"));
    }
}

/* The host without its port; empty when the rest is not a port. */
static struct weir_str without_port(struct weir_str host)
{
    size_t from = 0;
    if (host.n > 0 && host.p[0] == '[') {
        const char *close = memchr(host.p, ']', host.n);
        from = close != NULL ? (size_t)(close - host.p) + 1 : host.n;
    } else {
        const char *colon = host.n > 0 ? memchr(host.p, ':', host.n) : NULL;
        from = colon != NULL ? (size_t)(colon - host.p) : host.n;
    }
    for (size_t i = from; i < host.n; i++) {
        bool right = i == from ? host.p[i] == ':' : host.p[i] >= '0' && host.p[i] <= '9';
        if (!right) {
            return WEIR_STR("");
        }
    }
    return weir_str(host.p, from);
}

static bool is_ours(struct weir_str host_and_port, struct weir_str listen)
{
    struct weir_str host = without_port(host_and_port);
    if (host.n == 0) {
        return false;
    }
    if (is_localhost(host) || weir_access_is_loopback(host)) {
        return true;
    }
    unsigned char a[16];
    unsigned char b[16];
    size_t n = parse_address(host, a);
    return n > 0 && n == parse_address(listen, b) && memcmp(a, b, n) == 0;
}

static bool is_our_origin(struct weir_str origin, struct weir_str listen)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < 2; i++) {
        struct weir_str scheme = weir_str_z(schemes[i]);
        if (weir_str_starts(origin, scheme)) {
            return is_ours(weir_str(origin.p + scheme.n, origin.n - scheme.n), listen);
        }
    }
    return false;
}

enum weir_rc weir_access_check(
        struct weir_str host, struct weir_str origin, struct weir_str listen, struct weir_err *err)
{
    if (host.p == NULL) {
        return weir_fail(err, WEIR_E_DENIED, "the request has no Host header");
    }
    if (!is_ours(host, listen)) {
        return weir_fail(err, WEIR_E_DENIED,
                "Host \"%.*s\" is not this machine: without credentials only loopback names are "
                "served",
                WEIR_STR_ARG(host));
    }
    if (origin.p != NULL && !is_our_origin(origin, listen)) {
        return weir_fail(err, WEIR_E_DENIED,
                "Origin \"%.*s\" is foreign: without credentials only pages of this machine are "
                "served",
                WEIR_STR_ARG(origin));
    }
    return WEIR_OK;
}
