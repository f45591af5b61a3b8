#include "../test.h"
#include "net/sigv4.h"

/* Expected signatures come from botocore's signer. */
#define SECRET         "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define STAMP          "20261121T081244Z"
#define PUT_SIGNATURE  "5b19025abdfeed4c70e8e78af671e50ca9263733b040e685ed3bf8734d794507"
#define PATH_SIGNATURE "d9837c5e350a8051d023afe387da4992c9af1df9f21dab5e17c52614b7a17296"
#define PUT_SCOPE      "Credential=AKIDEXAMPLE/20261121/us-east-1/dynamodb/aws4_request"
#define PUT_NAMES      "SignedHeaders=content-type;host;x-amz-date;x-amz-target"

static const struct weir_time signed_at = { 1795248764000 };

static bool find_key(void *arg, struct weir_str access_key, struct weir_str *ret_secret)
{
    (void)arg;
    *ret_secret = WEIR_STR(SECRET);
    return weir_str_eq(access_key, WEIR_STR("AKIDEXAMPLE"));
}

static const struct weir_sigv4_keys keys = { find_key, NULL };

/* The PutItem request, with an Authorization header of the test's; its parts may be changed. */
struct put {
    struct weir_http_header headers[6];
    struct weir_sigv4_request request;
};

static void make_put(struct put *put, const char *authorization)
{
    *put = (struct put){
        .headers = { { WEIR_STR("Host"), WEIR_STR("localhost:8000") },
                { WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0") },
                { WEIR_STR("X-Amz-Target"), WEIR_STR("DynamoDB_20120810.PutItem") },
                { WEIR_STR("X-Amz-Date"), WEIR_STR(STAMP) },
                { WEIR_STR("Authorization"), weir_str_z(authorization) } },
    };
    put->request = (struct weir_sigv4_request){ WEIR_STR("POST"), WEIR_STR("/"), WEIR_STR(""),
        put->headers, 5, WEIR_STR("{\"TableName\":\"t\"}") };
}

static const char good_put[] =
        "AWS4-HMAC-SHA256 " PUT_SCOPE ", " PUT_NAMES ", Signature=" PUT_SIGNATURE;

/* Assert a refusal and a part of its message. */
static void assert_refused(
        const struct put *put, struct weir_time now, const char *error, const char *message)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_sigv4_result result;
    assert_int_equal(weir_sigv4_verify(&put->request, &keys, now, &arena, &result), WEIR_E_DENIED);
    assert_string_equal(result.error, error);
    char text[1024] = "";
    memcpy(text, result.message.p, result.message.n);
    if (strstr(text, message) == NULL) {
        fail_msg("message is \"%s\"", text);
    }
    weir_arena_fini(&arena);
}

static void assert_good(const struct put *put, struct weir_time now)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_sigv4_result result;
    assert_int_equal(weir_sigv4_verify(&put->request, &keys, now, &arena, &result), WEIR_OK);
    assert_null(result.error);
    assert_true(weir_str_eq(result.access_key, WEIR_STR("AKIDEXAMPLE")));
    weir_arena_fini(&arena);
}

static void good_signature_is_accepted(void **state)
{
    (void)state;
    struct put put;
    make_put(&put, good_put);
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_sigv4_result result;
    assert_int_equal(weir_sigv4_verify(&put.request, &keys, signed_at, &arena, &result), WEIR_OK);
    assert_true(weir_str_eq(result.region, WEIR_STR("us-east-1")));
    assert_true(weir_str_eq(result.service, WEIR_STR("dynamodb")));
    weir_arena_fini(&arena);
    /* Older clients leave out the spaces. */
    make_put(&put, "AWS4-HMAC-SHA256 " PUT_SCOPE "," PUT_NAMES ",Signature=" PUT_SIGNATURE);
    assert_good(&put, signed_at);
}

static void path_query_and_spaces_are_canonical(void **state)
{
    (void)state;
    struct weir_http_header headers[] = {
        { WEIR_STR("host"), WEIR_STR("localhost:8000") },
        { WEIR_STR("X-Many"), WEIR_STR("  a   b  ") },
        { WEIR_STR("x-amz-date"), WEIR_STR(STAMP) },
        { WEIR_STR("authorization"),
                WEIR_STR("AWS4-HMAC-SHA256 "
                         "Credential=AKIDEXAMPLE/20261121/eu-west-1/lambda/aws4_request, "
                         "SignedHeaders=host;x-amz-date;x-many, Signature=" PATH_SIGNATURE) },
    };
    struct put put;
    put.request = (struct weir_sigv4_request){ WEIR_STR("POST"),
        WEIR_STR("/2015-03-31/functions/"
                 "arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/./invocations/"),
        WEIR_STR("b=2&a=x%20y&a=1&Qualifier=%24LATEST"), headers, 4, WEIR_STR("") };
    assert_good(&put, signed_at);
}

static void anything_changed_is_refused(void **state)
{
    (void)state;
    static const char error[] = "InvalidSignatureException";
    static const char message[] = "The request signature we calculated does not match";
    struct put put;
    make_put(&put, good_put);
    put.request.body = WEIR_STR("{\"TableName\":\"u\"}");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, good_put);
    put.headers[2].value = WEIR_STR("DynamoDB_20120810.DeleteItem");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, good_put);
    put.request.path = WEIR_STR("/x");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, good_put);
    put.request.query = WEIR_STR("a=1");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, good_put);
    put.request.method = WEIR_STR("PUT");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, "AWS4-HMAC-SHA256 " PUT_SCOPE ", " PUT_NAMES ", Signature=5b19");
    assert_refused(&put, signed_at, error, message);
    make_put(&put, good_put);
    put.headers[5] = (struct weir_http_header){ WEIR_STR("X-Amz-Content-Sha256"),
        WEIR_STR("0000000000000000000000000000000000000000000000000000000000000000") };
    put.request.header_count = 6;
    assert_refused(&put, signed_at, error, message);
}

static void missing_and_incomplete_are_told_apart(void **state)
{
    (void)state;
    static const char incomplete[] = "IncompleteSignatureException";
    struct put put;
    make_put(&put, good_put);
    put.request.header_count = 4;
    assert_refused(&put, signed_at, "MissingAuthenticationTokenException",
            "Request is missing Authentication Token");
    make_put(&put, "Bearer abc");
    assert_refused(&put, signed_at, incomplete, "Unsupported AWS 'algorithm': 'Bearer'");
    make_put(&put, "AWS4-HMAC-SHA256 " PUT_SCOPE ", " PUT_NAMES);
    assert_refused(
            &put, signed_at, incomplete, "Authorization header requires 'Signature' parameter.");
    make_put(&put, "AWS4-HMAC-SHA256");
    assert_refused(&put, signed_at, incomplete,
            "Authorization header requires 'Credential' parameter. Authorization header requires "
            "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. "
            "Authorization=AWS4-HMAC-SHA256");
    make_put(&put, good_put);
    put.headers[3].name = WEIR_STR("X-Other");
    assert_refused(&put, signed_at, incomplete, "existence of either a 'X-Amz-Date'");
    make_put(&put, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/x, " PUT_NAMES ", Signature=00");
    assert_refused(&put, signed_at, incomplete, "got 'AKIDEXAMPLE/x'");
    make_put(&put, good_put);
    put.headers[3].value = WEIR_STR("yesterday");
    assert_refused(&put, signed_at, incomplete, "Got 'yesterday'");
}

static void unknown_key_is_refused(void **state)
{
    (void)state;
    struct put put;
    make_put(&put, "AWS4-HMAC-SHA256 Credential=AKIDOTHER/20261121/us-east-1/dynamodb/"
                   "aws4_request, " PUT_NAMES ", Signature=" PUT_SIGNATURE);
    assert_refused(&put, signed_at, "UnrecognizedClientException",
            "The security token included in the request is invalid.");
}

static void clock_may_be_fifteen_minutes_off(void **state)
{
    (void)state;
    enum { QUARTER_MS = 15 * 60 * 1000 };
    struct put put;
    make_put(&put, good_put);
    assert_good(&put, (struct weir_time){ signed_at.ms + QUARTER_MS });
    assert_good(&put, (struct weir_time){ signed_at.ms - QUARTER_MS });
    assert_refused(&put, (struct weir_time){ signed_at.ms + QUARTER_MS + 1000 },
            "InvalidSignatureException",
            "Signature expired: 20261121T081244Z is now earlier than 20261121T081245Z "
            "(20261121T082745Z - 15 min.)");
    assert_refused(&put, (struct weir_time){ signed_at.ms - QUARTER_MS - 1000 },
            "InvalidSignatureException",
            "Signature not yet current: 20261121T081244Z is still later than 20261121T081243Z");
    make_put(&put, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/us-east-1/dynamodb/"
                   "aws4_request, " PUT_NAMES ", Signature=" PUT_SIGNATURE);
    assert_refused(&put, signed_at, "InvalidSignatureException",
            "Date in Credential scope does not match");
}

static void deciding_headers_must_be_signed(void **state)
{
    (void)state;
    struct put put;
    make_put(&put, "AWS4-HMAC-SHA256 " PUT_SCOPE ", SignedHeaders=x-amz-date;x-amz-target, "
                   "Signature=" PUT_SIGNATURE);
    assert_refused(&put, signed_at, "InvalidSignatureException", "'Host' must be a 'SignedHeader'");
    make_put(&put, "AWS4-HMAC-SHA256 " PUT_SCOPE ", SignedHeaders=host;x-amz-date, "
                   "Signature=" PUT_SIGNATURE);
    assert_refused(&put, signed_at, "InvalidSignatureException",
            "'X-Amz-Target' must be a 'SignedHeader'");
}

static const struct weir_sigv4_credentials credentials = { { "AKIDEXAMPLE", 11 },
    { SECRET, sizeof(SECRET) - 1 }, { "us-east-1", 9 }, { "dynamodb", 8 } };

static void signer_agrees_with_botocore(void **state)
{
    (void)state;
    struct put put;
    make_put(&put, "");
    put.request.header_count = 3;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_http_header added[2];
    weir_sigv4_sign(&put.request, &credentials, signed_at, &arena, added);
    assert_true(weir_str_eq(added[0].value, WEIR_STR(STAMP)));
    assert_true(weir_str_eq(added[1].value, weir_str_z(good_put)));
    weir_arena_fini(&arena);
}

static void unsigned_payload_leaves_the_body_open(void **state)
{
    (void)state;
    struct put put;
    make_put(&put, "");
    put.headers[3] = (struct weir_http_header){ WEIR_STR("X-Amz-Content-Sha256"),
        WEIR_STR("UNSIGNED-PAYLOAD") };
    put.request.header_count = 4;
    struct weir_arena arena;
    weir_arena_init(&arena);
    weir_sigv4_sign(&put.request, &credentials, signed_at, &arena, &put.headers[4]);
    put.request.header_count = 6;
    put.request.body = WEIR_STR("something else");
    assert_good(&put, signed_at);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_signature_is_accepted),
        cmocka_unit_test(path_query_and_spaces_are_canonical),
        cmocka_unit_test(anything_changed_is_refused),
        cmocka_unit_test(missing_and_incomplete_are_told_apart),
        cmocka_unit_test(unknown_key_is_refused),
        cmocka_unit_test(clock_may_be_fifteen_minutes_off),
        cmocka_unit_test(deciding_headers_must_be_signed),
        cmocka_unit_test(signer_agrees_with_botocore),
        cmocka_unit_test(unsigned_payload_leaves_the_body_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
