#include "net/sigv4.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buf.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum {
    HEX_BYTES = 2 * SHA256_DIGEST_SIZE,
    DATE_BYTES = 8,   /* 20250830 */
    STAMP_BYTES = 16, /* 20250830T123600Z */
    SKEW_MS = 15 * 60 * 1000,
    SIGNED_MAX = 300,     /* signed headers of one request */
    PARAMETERS_MAX = 256, /* of one query */
};

/* An Authorization header taken apart; views into it. */
struct claim {
    struct weir_str credential;
    struct weir_str signed_headers;
    struct weir_str signature;
    struct weir_str access_key;
    struct weir_str date;
    struct weir_str region;
    struct weir_str service;
    struct weir_str stamp; /* of X-Amz-Date, or Date */
};

struct weir_sigv4_request weir_sigv4_of(const struct weir_http_request *request)
{
    return (struct weir_sigv4_request){ request->method_name, request->path, request->query,
        request->headers, request->header_count, request->raw_body };
}

static bool name_is(struct weir_str a, struct weir_str b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static struct weir_str find(const struct weir_sigv4_request *request, struct weir_str name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (name_is(request->headers[i].name, name)) {
            return request->headers[i].value;
        }
    }
    return weir_str(NULL, 0);
}

static void hex(const uint8_t digest[static SHA256_DIGEST_SIZE], char text[static HEX_BYTES])
{
    for (size_t i = 0; i < SHA256_DIGEST_SIZE; i++) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
}

static void hash_hex(struct weir_str s, char text[static HEX_BYTES])
{
    struct sha256_ctx sha;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&sha);
    sha256_update(&sha, s.n, (const uint8_t *)s.p);
    sha256_digest(&sha, sizeof(digest), digest);
    hex(digest, text);
}

static void hmac(struct weir_str key, struct weir_str s, uint8_t digest[static SHA256_DIGEST_SIZE])
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key.n, (const uint8_t *)key.p);
    hmac_sha256_update(&ctx, s.n, (const uint8_t *)s.p);
    hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, digest);
}

static struct weir_str digest_str(const uint8_t digest[static SHA256_DIGEST_SIZE])
{
    return weir_str((const char *)digest, SHA256_DIGEST_SIZE);
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void add_encoded_byte(struct weir_buf *buf, char c)
{
    if (is_unreserved(c)) {
        weir_buf_byte(buf, c);
        return;
    }
    static const char digits[] = "0123456789ABCDEF";
    weir_buf_byte(buf, '%');
    weir_buf_byte(buf, digits[(unsigned char)c >> 4]);
    weir_buf_byte(buf, digits[(unsigned char)c & 15]);
}

/* Cut s at the first stop: yields the part before it and leaves what follows in s. */
static struct weir_str cut(struct weir_str *s, char stop)
{
    const char *at = s->n > 0 ? memchr(s->p, stop, s->n) : NULL;
    struct weir_str part = *s;
    if (at == NULL) {
        s->p += s->n;
        s->n = 0;
        return part;
    }
    part.n = (size_t)(at - s->p);
    s->p += part.n + 1;
    s->n -= part.n + 1;
    return part;
}

/* Step back over the last segment that was written, for "..". */
static void drop_segment(struct weir_buf *buf, size_t from)
{
    while (buf->n > from && buf->p[buf->n - 1] != '/') {
        buf->n--;
    }
    if (buf->n > from) {
        buf->n--;
    }
}

/* The path without empty, "." and ".." segments, percent-encoded once more than it came. */
static void add_path(struct weir_buf *buf, struct weir_str path)
{
    size_t from = buf->n;
    bool closed = path.n > 0 && path.p[path.n - 1] == '/';
    while (path.n > 0) {
        struct weir_str segment = cut(&path, '/');
        if (segment.n == 0 || weir_str_eq(segment, WEIR_STR("."))) {
            continue;
        }
        if (weir_str_eq(segment, WEIR_STR(".."))) {
            drop_segment(buf, from);
            continue;
        }
        weir_buf_byte(buf, '/');
        for (size_t i = 0; i < segment.n; i++) {
            add_encoded_byte(buf, segment.p[i]);
        }
    }
    if (closed || buf->n == from) {
        weir_buf_byte(buf, '/');
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Encode in the one canonical way what may have been encoded in another. */
static void add_reencoded(struct weir_buf *buf, struct weir_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        if (low >= 0) {
            add_encoded_byte(buf, (char)(high * 16 + low));
            i += 2;
        } else {
            add_encoded_byte(buf, s.p[i]);
        }
    }
}

struct parameter {
    size_t name_at; /* offsets, since the buffer grows */
    size_t value_at;
    size_t end;
    const struct weir_buf *buf;
};

static int compare_parameters(const void *a, const void *b)
{
    const struct parameter *x = a;
    const struct parameter *y = b;
    int c = weir_str_cmp(weir_str(x->buf->p + x->name_at, x->value_at - x->name_at),
            weir_str(y->buf->p + y->name_at, y->value_at - y->name_at));
    return c != 0 ? c
                  : weir_str_cmp(weir_str(x->buf->p + x->value_at, x->end - x->value_at),
                            weir_str(y->buf->p + y->value_at, y->end - y->value_at));
}

static void add_query(struct weir_buf *buf, struct weir_str query)
{
    struct parameter parameters[PARAMETERS_MAX];
    size_t count = 0;
    struct weir_buf parts;
    weir_buf_init(&parts, 6 * query.n + 16);
    while (query.n > 0) {
        struct weir_str value = cut(&query, '&');
        if (value.n == 0) {
            continue;
        }
        if (count == PARAMETERS_MAX) {
            buf->overflow = true; /* refused as a signature that cannot match */
            break;
        }
        struct weir_str name = cut(&value, '=');
        struct parameter *parameter = &parameters[count++];
        parameter->buf = &parts;
        parameter->name_at = parts.n;
        add_reencoded(&parts, name);
        parameter->value_at = parts.n;
        add_reencoded(&parts, value);
        parameter->end = parts.n;
    }
    qsort(parameters, count, sizeof(*parameters), compare_parameters);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *p = &parameters[i];
        weir_buf_add(buf, "&", i > 0);
        weir_buf_add(buf, parts.p + p->name_at, p->value_at - p->name_at);
        weir_buf_byte(buf, '=');
        weir_buf_add(buf, parts.p + p->value_at, p->end - p->value_at);
    }
    weir_buf_fini(&parts);
}

/* A header's value without outer spaces, runs of inner ones as one. */
static void add_value(struct weir_buf *buf, struct weir_str value)
{
    size_t from = buf->n;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i] == '\t' ? ' ' : value.p[i];
        bool after_space = buf->n == from || buf->p[buf->n - 1] == ' ';
        if (c != ' ' || !after_space) {
            weir_buf_byte(buf, c);
        }
    }
    if (buf->n > from && buf->p[buf->n - 1] == ' ') {
        buf->n--;
    }
}

static void add_header(
        struct weir_buf *buf, const struct weir_sigv4_request *request, struct weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        weir_buf_byte(buf, lower(name.p[i]));
    }
    weir_buf_byte(buf, ':');
    bool first = true;
    for (size_t i = 0; i < request->header_count; i++) {
        if (name_is(request->headers[i].name, name)) {
            weir_buf_add(buf, ",", !first);
            add_value(buf, request->headers[i].value);
            first = false;
        }
    }
    weir_buf_byte(buf, '\n');
}

/* Compute the signature: the canonical request, the string to sign, the derived key. */
static bool compute(const struct weir_sigv4_request *request, const struct claim *claim,
        struct weir_str payload_hash, struct weir_str secret, char signature[static HEX_BYTES])
{
    struct weir_buf buf;
    weir_buf_init(&buf, (size_t)1 << 20);
    weir_buf_str(&buf, request->method);
    weir_buf_byte(&buf, '\n');
    add_path(&buf, request->path);
    weir_buf_byte(&buf, '\n');
    add_query(&buf, request->query);
    weir_buf_byte(&buf, '\n');
    struct weir_str names = claim->signed_headers;
    for (int i = 0; names.n > 0 && i < SIGNED_MAX; i++) {
        add_header(&buf, request, cut(&names, ';'));
    }
    weir_buf_byte(&buf, '\n');
    weir_buf_str(&buf, claim->signed_headers);
    weir_buf_byte(&buf, '\n');
    weir_buf_str(&buf, payload_hash);
    bool fits = !buf.overflow && names.n == 0;
    char request_hash[HEX_BYTES];
    hash_hex(weir_buf_view(&buf), request_hash);

    weir_buf_reset(&buf);
    weir_buf_z(&buf, ALGORITHM "\n");
    weir_buf_str(&buf, claim->stamp);
    weir_buf_byte(&buf, '\n');
    weir_buf_add(&buf, claim->date.p, claim->date.n);
    weir_buf_printf(&buf, "/%.*s/%.*s/aws4_request\n", WEIR_STR_ARG(claim->region),
            WEIR_STR_ARG(claim->service));
    weir_buf_add(&buf, request_hash, sizeof(request_hash));

    char first[256 + 4];
    int n = snprintf(first, sizeof(first), "AWS4%.*s", WEIR_STR_ARG(secret));
    fits = fits && n > 0 && (size_t)n < sizeof(first);
    uint8_t key[SHA256_DIGEST_SIZE];
    hmac(weir_str(first, fits ? (size_t)n : 0), claim->date, key);
    hmac(digest_str(key), claim->region, key);
    hmac(digest_str(key), claim->service, key);
    hmac(digest_str(key), WEIR_STR("aws4_request"), key);
    hmac(digest_str(key), weir_buf_view(&buf), key);
    hex(key, signature);
    weir_buf_fini(&buf);
    return fits;
}

static enum weir_rc deny(
        struct weir_sigv4_result *result, const char *error, struct weir_str message)
{
    result->error = error;
    result->message = message;
    return WEIR_E_DENIED;
}

static enum weir_rc deny_signature(struct weir_sigv4_result *result, struct weir_str message)
{
    return deny(result, "InvalidSignatureException", message);
}

static enum weir_rc deny_mismatch(struct weir_sigv4_result *result)
{
    return deny_signature(result,
            WEIR_STR("The request signature we calculated does not match the signature you "
                     "provided. Check your AWS Secret Access Key and signing method. Consult the "
                     "service documentation for details."));
}

/* Take the parameters out of "Credential=..., SignedHeaders=..., Signature=...". */
static void split_authorization(struct weir_str rest, struct claim *claim)
{
    while (rest.n > 0) {
        struct weir_str value = cut(&rest, ',');
        while (value.n > 0 && value.p[0] == ' ') {
            value.p++;
            value.n--;
        }
        struct weir_str name = cut(&value, '=');
        if (weir_str_eq(name, WEIR_STR("Credential"))) {
            claim->credential = value;
        } else if (weir_str_eq(name, WEIR_STR("SignedHeaders"))) {
            claim->signed_headers = value;
        } else if (weir_str_eq(name, WEIR_STR("Signature"))) {
            claim->signature = value;
        }
    }
}

/* AWS's sentences for the parts that are not there; empty when all are. */
static struct weir_str list_missing(const struct claim *claim, struct weir_arena *arena)
{
    const struct {
        struct weir_str part;
        const char *sentence;
    } required[] = {
        { claim->credential, "Authorization header requires 'Credential' parameter. " },
        { claim->signature, "Authorization header requires 'Signature' parameter. " },
        { claim->signed_headers, "Authorization header requires 'SignedHeaders' parameter. " },
        { claim->stamp, "Authorization header requires existence of either a 'X-Amz-Date' or a "
                        "'Date' header. " },
    };
    struct weir_str missing = WEIR_STR("");
    for (size_t i = 0; i < WEIR_COUNT(required); i++) {
        if (required[i].part.n == 0) {
            missing =
                    weir_arena_printf(arena, "%.*s%s", WEIR_STR_ARG(missing), required[i].sentence);
        }
    }
    return missing;
}

static enum weir_rc parse_claim(const struct weir_sigv4_request *request, struct weir_arena *arena,
        struct claim *claim, struct weir_sigv4_result *result)
{
    struct weir_str authorization = find(request, WEIR_STR("Authorization"));
    if (authorization.p == NULL || authorization.n == 0) {
        return deny(result, "MissingAuthenticationTokenException",
                WEIR_STR("Request is missing Authentication Token"));
    }
    struct weir_str rest = authorization;
    struct weir_str algorithm = cut(&rest, ' ');
    if (!weir_str_eq(algorithm, WEIR_STR(ALGORITHM))) {
        return deny(result, "IncompleteSignatureException",
                weir_arena_printf(
                        arena, "Unsupported AWS 'algorithm': '%.*s'", WEIR_STR_ARG(algorithm)));
    }
    split_authorization(rest, claim);
    claim->stamp = find(request, WEIR_STR("X-Amz-Date"));
    if (claim->stamp.p == NULL) {
        claim->stamp = find(request, WEIR_STR("Date"));
    }
    struct weir_str missing = list_missing(claim, arena);
    if (missing.n > 0) {
        return deny(result, "IncompleteSignatureException",
                weir_arena_printf(arena, "%.*sAuthorization=%.*s", WEIR_STR_ARG(missing),
                        WEIR_STR_ARG(algorithm)));
    }
    struct weir_str scope = claim->credential;
    claim->access_key = cut(&scope, '/');
    claim->date = cut(&scope, '/');
    claim->region = cut(&scope, '/');
    claim->service = cut(&scope, '/');
    if (claim->access_key.n == 0 || claim->service.n == 0 ||
            !weir_str_eq(scope, WEIR_STR("aws4_request"))) {
        return deny(result, "IncompleteSignatureException",
                weir_arena_printf(arena,
                        "Credential must have exactly 5 slash-delimited elements, e.g. "
                        "keyid/date/region/service/term, got '%.*s'",
                        WEIR_STR_ARG(claim->credential)));
    }
    return WEIR_OK;
}

static bool parse_digits(const char *p, int count, int *ret_number)
{
    int number = 0;
    for (int i = 0; i < count; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        number = number * 10 + (p[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; the year begins in March here. */
static int64_t days_to(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool parse_stamp(struct weir_str stamp, struct weir_time *ret_time)
{
    int year = 0;
    int month = 0;
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (stamp.n != STAMP_BYTES || stamp.p[8] != 'T' || stamp.p[15] != 'Z' ||
            !parse_digits(stamp.p, 4, &year) || !parse_digits(stamp.p + 4, 2, &month) ||
            !parse_digits(stamp.p + 6, 2, &day) || !parse_digits(stamp.p + 9, 2, &hour) ||
            !parse_digits(stamp.p + 11, 2, &minute) || !parse_digits(stamp.p + 13, 2, &second)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t minutes = (days_to(year, month, day) * 24 + hour) * 60 + minute;
    int64_t seconds = minutes * 60 + second;
    ret_time->ms = seconds * 1000;
    return true;
}

static void format_stamp(struct weir_time time, char stamp[static STAMP_BYTES + 1])
{
    /* 2025-08-30T12:36:00.000Z without its punctuation. */
    char text[WEIR_TIME_TEXT];
    weir_time_format(time, text);
    size_t n = 0;
    for (const char *p = text; *p != '\0' && *p != '.' && n < STAMP_BYTES - 1; p++) {
        if (*p != '-' && *p != ':') {
            stamp[n++] = *p;
        }
    }
    stamp[n++] = 'Z';
    stamp[n] = '\0';
}

static enum weir_rc check_time(const struct claim *claim, struct weir_time now,
        struct weir_arena *arena, struct weir_sigv4_result *result)
{
    struct weir_time at;
    if (!parse_stamp(claim->stamp, &at)) {
        return deny(result, "IncompleteSignatureException",
                weir_arena_printf(arena,
                        "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
                        "http://en.wikipedia.org/wiki/ISO_8601",
                        WEIR_STR_ARG(claim->stamp)));
    }
    if (!weir_str_eq(claim->date, weir_str(claim->stamp.p, DATE_BYTES))) {
        return deny_signature(result,
                weir_arena_printf(arena,
                        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                        "date from HTTP: '%.*s' != '%.*s', from '%.*s'.",
                        WEIR_STR_ARG(claim->date), DATE_BYTES, claim->stamp.p,
                        WEIR_STR_ARG(claim->stamp)));
    }
    char now_text[STAMP_BYTES + 1];
    char bound[STAMP_BYTES + 1];
    format_stamp(now, now_text);
    if (at.ms < now.ms - SKEW_MS) {
        format_stamp((struct weir_time){ now.ms - SKEW_MS }, bound);
        return deny_signature(
                result, weir_arena_printf(arena,
                                "Signature expired: %.*s is now earlier than %s (%s - 15 min.)",
                                WEIR_STR_ARG(claim->stamp), bound, now_text));
    }
    if (at.ms > now.ms + SKEW_MS) {
        format_stamp((struct weir_time){ now.ms + SKEW_MS }, bound);
        return deny_signature(result,
                weir_arena_printf(arena,
                        "Signature not yet current: %.*s is still later than %s (%s + 15 min.)",
                        WEIR_STR_ARG(claim->stamp), bound, now_text));
    }
    return WEIR_OK;
}

static bool is_signed(const struct claim *claim, struct weir_str name)
{
    struct weir_str names = claim->signed_headers;
    while (names.n > 0) {
        if (name_is(cut(&names, ';'), name)) {
            return true;
        }
    }
    return false;
}

/* The headers that decide what the request does must be covered by the signature. */
static enum weir_rc check_signed(const struct weir_sigv4_request *request,
        const struct claim *claim, struct weir_arena *arena, struct weir_sigv4_result *result)
{
    static const char *const required[] = { "Host", "X-Amz-Date", "X-Amz-Target" };
    for (size_t i = 0; i < WEIR_COUNT(required); i++) {
        struct weir_str name = weir_str_z(required[i]);
        if ((i == 0 || find(request, name).p != NULL) && !is_signed(claim, name)) {
            return deny_signature(
                    result, weir_arena_printf(arena,
                                    "'%s' must be a 'SignedHeader' in the AWS Authorization.",
                                    required[i]));
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_sigv4_verify(const struct weir_sigv4_request *request,
        const struct weir_sigv4_keys *keys, struct weir_time now, struct weir_arena *arena,
        struct weir_sigv4_result *ret_result)
{
    *ret_result = (struct weir_sigv4_result){ 0 };
    struct claim claim = { 0 };
    enum weir_rc rc = parse_claim(request, arena, &claim, ret_result);
    if (rc != WEIR_OK) {
        return rc;
    }
    ret_result->access_key = claim.access_key;
    ret_result->region = claim.region;
    ret_result->service = claim.service;
    struct weir_str secret;
    if (!keys->find(keys->arg, claim.access_key, &secret)) {
        return deny(ret_result, "UnrecognizedClientException",
                WEIR_STR("The security token included in the request is invalid."));
    }
    rc = check_time(&claim, now, arena, ret_result);
    if (rc == WEIR_OK) {
        rc = check_signed(request, &claim, arena, ret_result);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    char body_hash[HEX_BYTES];
    struct weir_str payload = find(request, WEIR_STR("X-Amz-Content-Sha256"));
    if (!weir_str_eq(payload, WEIR_STR("UNSIGNED-PAYLOAD"))) {
        hash_hex(request->body, body_hash);
        if (payload.p != NULL && !weir_str_eq(payload, weir_str(body_hash, HEX_BYTES))) {
            return deny_mismatch(ret_result);
        }
        payload = weir_str(body_hash, HEX_BYTES);
    }
    char signature[HEX_BYTES];
    if (!compute(request, &claim, payload, secret, signature) || claim.signature.n != HEX_BYTES ||
            memeql_sec(signature, claim.signature.p, HEX_BYTES) == 0) {
        return deny_mismatch(ret_result);
    }
    return WEIR_OK;
}

static int compare_names(const void *a, const void *b)
{
    return weir_str_cmp(*(const struct weir_str *)a, *(const struct weir_str *)b);
}

/* The lower-case names of the headers, sorted, each once, joined by ';'. */
static struct weir_str signed_names(
        const struct weir_http_header *headers, size_t count, struct weir_arena *arena)
{
    struct weir_str *names = weir_arena_zero(arena, count, sizeof(*names));
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        char *copy = weir_arena_alloc(arena, headers[i].name.n);
        for (size_t k = 0; k < headers[i].name.n; k++) {
            copy[k] = lower(headers[i].name.p[k]);
        }
        names[i] = weir_str(copy, headers[i].name.n);
        bytes += names[i].n + 1;
    }
    qsort(names, count, sizeof(*names), compare_names);
    char *all = weir_arena_alloc(arena, bytes);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && weir_str_eq(names[i], names[i - 1])) {
            continue;
        }
        if (n > 0) {
            all[n++] = ';';
        }
        memcpy(all + n, names[i].p, names[i].n);
        n += names[i].n;
    }
    return weir_str(all, n);
}

void weir_sigv4_sign(const struct weir_sigv4_request *request,
        const struct weir_sigv4_credentials *credentials, struct weir_time now,
        struct weir_arena *arena, struct weir_http_header ret_headers[static 2])
{
    weir_assert(credentials->secret.n <= 255);
    char stamp[STAMP_BYTES + 1];
    format_stamp(now, stamp);
    struct claim claim = { .region = credentials->region, .service = credentials->service };
    claim.stamp = weir_arena_str(arena, weir_str(stamp, STAMP_BYTES));
    claim.date = weir_str(claim.stamp.p, DATE_BYTES);

    size_t count = request->header_count + 1;
    struct weir_http_header *headers = weir_arena_zero(arena, count, sizeof(*headers));
    for (size_t i = 0; i < request->header_count; i++) {
        headers[i] = request->headers[i];
    }
    headers[count - 1] = (struct weir_http_header){ WEIR_STR("X-Amz-Date"), claim.stamp };
    claim.signed_headers = signed_names(headers, count, arena);

    struct weir_sigv4_request all = *request;
    all.headers = headers;
    all.header_count = count;
    char body_hash[HEX_BYTES];
    struct weir_str payload = find(request, WEIR_STR("X-Amz-Content-Sha256"));
    if (payload.p == NULL) {
        hash_hex(request->body, body_hash);
        payload = weir_str(body_hash, HEX_BYTES);
    }
    char signature[HEX_BYTES];
    weir_assert(compute(&all, &claim, payload, credentials->secret, signature));
    ret_headers[0] = headers[count - 1];
    ret_headers[1].name = WEIR_STR("Authorization");
    ret_headers[1].value = weir_arena_printf(arena,
            ALGORITHM " Credential=%.*s/%.*s/%.*s/%.*s/aws4_request, SignedHeaders=%.*s, "
                      "Signature=%.*s",
            WEIR_STR_ARG(credentials->access_key), WEIR_STR_ARG(claim.date),
            WEIR_STR_ARG(claim.region), WEIR_STR_ARG(claim.service),
            WEIR_STR_ARG(claim.signed_headers), HEX_BYTES, signature);
}
