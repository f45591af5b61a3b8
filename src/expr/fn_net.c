#include <arpa/inet.h>
#include <stdio.h>

#include "expr/expr_int.h"

/*
 * IP addresses and blocks. An address is kept in 16 bytes; a v4 one in its mapped form
 * (::ffff:a.b.c.d), so that it equals the mapped v6 address of the same machine.
 */

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

bool weir_ip_parse(struct weir_str text, struct weir_expr_value *ret)
{
    char zero[INET6_ADDRSTRLEN];
    struct weir_expr_value value = { .kind = WEIR_EXPR_IP };
    if (text.n == 0 || text.n >= sizeof(zero) || memchr(text.p, '\0', text.n) != NULL) {
        return false;
    }
    memcpy(zero, text.p, text.n);
    zero[text.n] = '\0';
    if (strchr(zero, ':') == NULL) {
        value.type = 4;
        memcpy(value.as.address, mapped, sizeof(mapped));
        if (inet_pton(AF_INET, zero, value.as.address + 12) != 1) {
            return false;
        }
    } else {
        value.type = 6;
        if (strchr(zero, '.') != NULL || inet_pton(AF_INET6, zero, value.as.address) != 1) {
            return false; /* v4 in dotted form inside v6 is refused */
        }
    }
    *ret = value;
    return true;
}

bool weir_cidr_parse(struct weir_str text, struct weir_expr_value *ret)
{
    const char *slash = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
    uint64_t prefix = 0;
    struct weir_expr_value value;
    if (slash == NULL) {
        return false;
    }
    size_t n = (size_t)(slash - text.p);
    struct weir_str digits = weir_str(slash + 1, text.n - n - 1);
    if (digits.n > 3 || (digits.n > 1 && digits.p[0] == '0') || !weir_str_to_u64(digits, &prefix) ||
            !weir_ip_parse(weir_str(text.p, n), &value) || prefix > (value.type == 4 ? 32 : 128)) {
        return false;
    }
    value.kind = WEIR_EXPR_CIDR;
    value.scale = (int32_t)prefix;
    *ret = value;
    return true;
}

size_t weir_ip_format(const struct weir_expr_value *value, char text[static WEIR_IP_TEXT])
{
    bool v4 = value->type == 4;
    char address[INET6_ADDRSTRLEN] = "";
    inet_ntop(v4 ? AF_INET : AF_INET6, value->as.address + (v4 ? 12 : 0), address, sizeof(address));
    int n = value->kind == WEIR_EXPR_CIDR
                    ? snprintf(text, WEIR_IP_TEXT, "%s/%d", address, (int)value->scale)
                    : snprintf(text, WEIR_IP_TEXT, "%s", address);
    return n > 0 ? (size_t)n : 0;
}

/* --- making -------------------------------------------------------------- */

static bool not_an(const struct weir_call *call, const char *what)
{
    struct weir_str text = call->args[call->count - 1].as.str;
    return weir_run_fail(call->run, "'%.*s' is not an IP %s", (int)(text.n > 60 ? 60 : text.n),
            text.p != NULL ? text.p : "", what);
}

/* ip(text), and block.ip() */
static bool fn_ip(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *arg = &call->args[0];
    if (arg->kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    return weir_ip_parse(arg->as.str, ret) || not_an(call, "address");
}

static bool fn_block_ip(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_CIDR) {
        return weir_call_no_overload(call);
    }
    *ret = call->args[0];
    ret->kind = WEIR_EXPR_IP;
    ret->scale = 0;
    return true;
}

static bool fn_cidr(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    return weir_cidr_parse(call->args[0].as.str, ret) || not_an(call, "block as in 10.0.0.0/8");
}

static bool fn_is_ip(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_expr_value value;
    if (call->args[0].kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, weir_ip_parse(call->args[0].as.str, &value));
    return true;
}

static bool fn_is_cidr(const struct weir_call *call, struct weir_expr_value *ret)
{
    struct weir_expr_value value;
    if (call->args[0].kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    weir_set_bool(ret, weir_cidr_parse(call->args[0].as.str, &value));
    return true;
}

static bool fn_is_canonical(const struct weir_call *call, struct weir_expr_value *ret)
{
    char text[WEIR_IP_TEXT];
    struct weir_expr_value value;
    if (call->args[0].kind != WEIR_EXPR_STRING) {
        return weir_call_no_overload(call);
    }
    if (!weir_ip_parse(call->args[0].as.str, &value)) {
        return not_an(call, "address");
    }
    size_t n = weir_ip_format(&value, text);
    weir_set_bool(ret, weir_str_eq(call->args[0].as.str, weir_str(text, n)));
    return true;
}

/* --- what an address is -------------------------------------------------- */

static bool is_address(const struct weir_call *call)
{
    return call->args[0].kind == WEIR_EXPR_IP || weir_call_no_overload(call);
}

static bool fn_family(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (!is_address(call)) {
        return false;
    }
    weir_set_int(ret, call->args[0].type);
    return true;
}

static bool is_unspecified(const struct weir_expr_value *ip)
{
    static const unsigned char zeros[16];
    size_t from = ip->type == 4 ? 12 : 0;
    return memcmp(ip->as.address + from, zeros, 16 - from) == 0;
}

static bool is_loopback(const struct weir_expr_value *ip)
{
    static const unsigned char one[16] = { [15] = 1 };
    return ip->type == 4 ? ip->as.address[12] == 127
                         : memcmp(ip->as.address, one, sizeof(one)) == 0;
}

static bool is_link_local_unicast(const struct weir_expr_value *ip)
{
    const unsigned char *p = ip->as.address;
    return ip->type == 4 ? p[12] == 169 && p[13] == 254 : p[0] == 0xfe && (p[1] & 0xc0) == 0x80;
}

static bool is_link_local_multicast(const struct weir_expr_value *ip)
{
    const unsigned char *p = ip->as.address;
    return ip->type == 4 ? p[12] == 224 && p[13] == 0 && p[14] == 0
                         : p[0] == 0xff && (p[1] & 0x0f) == 0x02;
}

static bool is_global_unicast(const struct weir_expr_value *ip)
{
    static const unsigned char ones[4] = { 0xff, 0xff, 0xff, 0xff };
    const unsigned char *p = ip->as.address;
    bool multicast = ip->type == 4 ? (p[12] & 0xf0) == 0xe0 : p[0] == 0xff;
    bool broadcast = ip->type == 4 && memcmp(p + 12, ones, 4) == 0;
    return !multicast && !broadcast && !is_unspecified(ip) && !is_loopback(ip) &&
           !is_link_local_unicast(ip);
}

static bool fn_is_unspecified(const struct weir_call *call, struct weir_expr_value *ret)
{
    weir_set_bool(ret, is_unspecified(&call->args[0]));
    return is_address(call);
}

static bool fn_is_loopback(const struct weir_call *call, struct weir_expr_value *ret)
{
    weir_set_bool(ret, is_loopback(&call->args[0]));
    return is_address(call);
}

static bool fn_is_global(const struct weir_call *call, struct weir_expr_value *ret)
{
    weir_set_bool(ret, is_global_unicast(&call->args[0]));
    return is_address(call);
}

static bool fn_is_local_multicast(const struct weir_call *call, struct weir_expr_value *ret)
{
    weir_set_bool(ret, is_link_local_multicast(&call->args[0]));
    return is_address(call);
}

static bool fn_is_local_unicast(const struct weir_call *call, struct weir_expr_value *ret)
{
    weir_set_bool(ret, is_link_local_unicast(&call->args[0]));
    return is_address(call);
}

/* --- blocks -------------------------------------------------------------- */

/* The bits that all addresses of a block share, in the 16-byte form. */
static unsigned shared_bits(const struct weir_expr_value *cidr)
{
    return (unsigned)cidr->scale + (cidr->type == 4 ? 96 : 0);
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool fn_contains_ip(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *cidr = &call->args[0];
    struct weir_expr_value ip = call->args[1];
    if (cidr->kind != WEIR_EXPR_CIDR || (ip.kind != WEIR_EXPR_IP && ip.kind != WEIR_EXPR_STRING)) {
        return weir_call_no_overload(call);
    }
    if (ip.kind == WEIR_EXPR_STRING && !weir_ip_parse(ip.as.str, &ip)) {
        return not_an(call, "address");
    }
    weir_set_bool(ret,
            ip.type == cidr->type && same_bits(cidr->as.address, ip.as.address, shared_bits(cidr)));
    return true;
}

static bool fn_contains_cidr(const struct weir_call *call, struct weir_expr_value *ret)
{
    const struct weir_expr_value *cidr = &call->args[0];
    struct weir_expr_value other = call->args[1];
    if (cidr->kind != WEIR_EXPR_CIDR ||
            (other.kind != WEIR_EXPR_CIDR && other.kind != WEIR_EXPR_STRING)) {
        return weir_call_no_overload(call);
    }
    if (other.kind == WEIR_EXPR_STRING && !weir_cidr_parse(other.as.str, &other)) {
        return not_an(call, "block as in 10.0.0.0/8");
    }
    weir_set_bool(ret, other.type == cidr->type && other.scale >= cidr->scale &&
                               same_bits(cidr->as.address, other.as.address, shared_bits(cidr)));
    return true;
}

static bool fn_masked(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_CIDR) {
        return weir_call_no_overload(call);
    }
    struct weir_expr_value value = call->args[0];
    unsigned bits = shared_bits(&value);
    for (unsigned i = 0; i < 16; i++) {
        if (bits <= i * 8) {
            value.as.address[i] = 0;
        } else if (bits < i * 8 + 8) {
            value.as.address[i] &= (unsigned char)(0xff00U >> (bits - i * 8));
        }
    }
    *ret = value;
    return true;
}

static bool fn_prefix_length(const struct weir_call *call, struct weir_expr_value *ret)
{
    if (call->args[0].kind != WEIR_EXPR_CIDR) {
        return weir_call_no_overload(call);
    }
    weir_set_int(ret, call->args[0].scale);
    return true;
}

const struct weir_function weir_functions_net[] = {
    { "ip", WEIR_FN_GLOBAL, 1, 1, fn_ip },
    { "ip", WEIR_FN_METHOD, 1, 1, fn_block_ip },
    { "cidr", WEIR_FN_GLOBAL, 1, 1, fn_cidr },
    { "isIP", WEIR_FN_GLOBAL, 1, 1, fn_is_ip },
    { "isCIDR", WEIR_FN_GLOBAL, 1, 1, fn_is_cidr },
    { "ip.isCanonical", WEIR_FN_GLOBAL, 1, 1, fn_is_canonical },
    { "family", WEIR_FN_METHOD, 1, 1, fn_family },
    { "isUnspecified", WEIR_FN_METHOD, 1, 1, fn_is_unspecified },
    { "isLoopback", WEIR_FN_METHOD, 1, 1, fn_is_loopback },
    { "isGlobalUnicast", WEIR_FN_METHOD, 1, 1, fn_is_global },
    { "isLinkLocalMulticast", WEIR_FN_METHOD, 1, 1, fn_is_local_multicast },
    { "isLinkLocalUnicast", WEIR_FN_METHOD, 1, 1, fn_is_local_unicast },
    { "containsIP", WEIR_FN_METHOD, 2, 2, fn_contains_ip },
    { "containsCIDR", WEIR_FN_METHOD, 2, 2, fn_contains_cidr },
    { "masked", WEIR_FN_METHOD, 1, 1, fn_masked },
    { "prefixLength", WEIR_FN_METHOD, 1, 1, fn_prefix_length },
    { 0 },
};
