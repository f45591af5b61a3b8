/* The whole of it over HTTP: a loop in a thread, a store in memory, a clock that we move. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "../test.h"
#include "api/api.h"
#include "net/client.h"

#define TARGET "DynamoDB_20120810."

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_store *store;
    struct weir_tables *tables;
    struct weir_loop *loop;
    struct weir_metrics *metrics;
    struct weir_api *api;
    struct weir_http_server *server;
    pthread_t thread;
    uint16_t port;
    struct weir_sigv4_keys keys;
    struct weir_api_route route;
    /* The last answer. */
    struct weir_http_reply reply;
    struct weir_str body;
};

static void *run_loop(void *arg)
{
    weir_loop_run(((struct fixture *)arg)->loop);
    return NULL;
}

static void answer_route(struct weir_http_request *request, void *arg)
{
    (void)arg;
    weir_http_respond(request, 200, NULL, 0, WEIR_STR("route"));
}

static bool find_secret(void *arg, struct weir_str access_key, struct weir_str *ret_secret)
{
    (void)arg;
    *ret_secret = WEIR_STR("secret");
    return weir_str_eq(access_key, WEIR_STR("key"));
}

static void start(struct fixture *f, bool credentials)
{
    struct weir_err err;
    *f = (struct fixture){ 0 };
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000123 });
    f->metrics = weir_metrics_create();
    struct weir_store_options store = { .clock = &f->clock.base, .metrics = f->metrics };
    assert_int_equal(weir_store_open(&store, &f->store, &err), WEIR_OK);
    struct weir_tables_options tables = { .store = f->store };
    assert_int_equal(weir_tables_open(&tables, &f->tables, &err), WEIR_OK);
    assert_int_equal(weir_loop_create(weir_clock_system(), &f->loop, &err), WEIR_OK);
    f->keys.find = find_secret;
    f->route = (struct weir_api_route){ WEIR_HTTP_GET, WEIR_STR("/v1/"), answer_route, NULL };
    struct weir_api_options api = {
        .loop = f->loop,
        .tables = f->tables,
        .clock = &f->clock.base,
        .metrics = f->metrics,
        .keys = credentials ? &f->keys : NULL,
        .listen = WEIR_STR("127.0.0.1"),
        .routes = &f->route,
        .route_count = 1,
    };
    f->api = weir_api_create(&api);
    struct weir_http_options http = {
        .address = "127.0.0.1",
        .handle = weir_api_handle,
        .arg = f->api,
    };
    assert_int_equal(weir_http_server_create(f->loop, &http, &f->server, &err), WEIR_OK);
    f->port = weir_http_server_port(f->server);
    assert_int_equal(pthread_create(&f->thread, NULL, run_loop, f), 0);
}

static void stop(struct fixture *f)
{
    weir_loop_stop(f->loop);
    pthread_join(f->thread, NULL);
    weir_http_server_destroy(f->server);
    weir_tables_close(f->tables);
    weir_store_close(f->store);
    weir_loop_destroy(f->loop);
    weir_api_destroy(f->api);
    weir_metrics_destroy(f->metrics);
    weir_http_reply_fini(&f->reply);
}

static int setup(void **state)
{
    static struct fixture fixture;
    start(&fixture, false);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    stop(*state);
    return 0;
}

/* Send a request; headers may be NULL-named to be left out. Returns the status. */
static int fetch(struct fixture *f, const char *method, const char *path,
        const struct weir_http_header *headers, size_t count, const char *body)
{
    char url[128];
    struct weir_err err;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f->port, path);
    struct weir_http_fetch call = {
        .url = weir_str_z(url),
        .method = weir_str_z(method),
        .headers = headers,
        .header_count = count,
        .body = weir_str_z(body),
    };
    weir_http_reply_fini(&f->reply);
    if (weir_http_fetch(&call, &f->reply, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    weir_buf_byte(&f->reply.body, '\0');
    f->body = weir_str(f->reply.body.p, f->reply.body.n - 1);
    return f->reply.status;
}

static int ask(struct fixture *f, const char *target, const char *body)
{
    struct weir_http_header headers[] = {
        { WEIR_STR("X-Amz-Target"), weir_str_z(target) },
        { WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0") },
    };
    return fetch(f, "POST", "/", headers, WEIR_COUNT(headers), body);
}

static void assert_has(const struct fixture *f, const char *part)
{
    if (strstr(f->body.p, part) == NULL) {
        fail_msg("expected %s in %s", part, f->body.p);
    }
}

static void good(struct fixture *f, const char *target, const char *body)
{
    if (ask(f, target, body) != 200) {
        fail_msg("%s", f->body.p);
    }
}

static void refused(
        struct fixture *f, const char *target, const char *body, int status, const char *part)
{
    int got = ask(f, target, body);
    if (got != status) {
        fail_msg("status %d expected, got %d: %s", status, got, f->body.p);
    }
    assert_has(f, part);
}

static void create_table(struct fixture *f, const char *name)
{
    char body[512];
    snprintf(body, sizeof(body),
            "{\"TableName\":\"%s\",\"BillingMode\":\"PAY_PER_REQUEST\","
            "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
            "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],"
            "\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_IMAGE\"}}",
            name);
    good(f, TARGET "CreateTable", body);
}

#define PUT "{\"TableName\":\"items\",\"Item\":{\"pk\":{\"S\":\"a\"},\"n\":{\"N\":\"1\"}}"

/* --- answers -------------------------------------------------------------------------- */

static void test_answers_carry_what_clients_check(void **state)
{
    struct fixture *f = *state;
    good(f, TARGET "ListTables", "{}");
    assert_string_equal(f->body.p, "{\"TableNames\":[]}");
    struct weir_str type = weir_http_reply_find(&f->reply, WEIR_STR("content-type"));
    assert_true(weir_str_eq(type, WEIR_STR("application/x-amz-json-1.0")));
    struct weir_str id = weir_http_reply_find(&f->reply, WEIR_STR("x-amzn-requestid"));
    assert_int_equal(id.n, 36);
    assert_int_equal(id.p[14], '4');
    assert_true(id.p[8] == '-' && id.p[13] == '-' && id.p[18] == '-' && id.p[23] == '-');
    uint64_t crc = 0;
    assert_true(weir_str_to_u64(weir_http_reply_find(&f->reply, WEIR_STR("x-amz-crc32")), &crc));
    assert_int_equal(crc, crc32(0, (const unsigned char *)f->body.p, (unsigned)f->body.n));
    char first[37] = "";
    memcpy(first, id.p, 36);
    good(f, TARGET "ListTables", "{}");
    id = weir_http_reply_find(&f->reply, WEIR_STR("x-amzn-requestid"));
    assert_memory_not_equal(id.p, first, 36);
}

static void test_unknown_and_not_offered(void **state)
{
    struct fixture *f = *state;
    refused(f, TARGET "MakeCoffee", "{}", 400, "coral.service#UnknownOperationException");
    assert_has(f, "MakeCoffee");
    refused(f, "Teapot.PutItem", "{}", 400, "coral.service#UnknownOperationException");
    refused(f, TARGET "TransactWriteItems", "{}", 400, "#UnsupportedOperationException");
    assert_has(f, "TransactWriteItems is not offered by weir");
    assert_int_equal(fetch(f, "POST", "/", NULL, 0, "{}"), 400);
    assert_has(f, "no X-Amz-Target");
    assert_int_equal(fetch(f, "GET", "/nothing", NULL, 0, ""), 404);
    assert_int_equal(fetch(f, "DELETE", "/v1/x", NULL, 0, ""), 404);
    assert_int_equal(fetch(f, "GET", "/v1/x", NULL, 0, ""), 200);
    assert_string_equal(f->body.p, "route");
}

static void test_errors_have_their_types(void **state)
{
    struct fixture *f = *state;
    create_table(f, "items");
    refused(f, TARGET "CreateTable",
            "{\"TableName\":\"items\",\"BillingMode\":\"PAY_PER_REQUEST\","
            "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
            "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}]}",
            400, "\"com.amazonaws.dynamodb.v20120810#ResourceInUseException\"");
    refused(f, TARGET "GetItem", "{\"TableName\":\"none\",\"Key\":{\"pk\":{\"S\":\"a\"}}}", 400,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\","
            "\"message\":\"Requested resource not found\"}");
    refused(f, TARGET "DescribeTable", "{\"TableName\":\"none\"}", 400,
            "\"message\":\"Requested resource not found: Table: none not found\"");
    refused(f, TARGET "PutItem", "{\"TableName\":\"items\"}", 400,
            "\"com.amazon.coral.validate#ValidationException\"");
    refused(f, TARGET "PutItem", "{\"TableName\":5}", 400,
            "{\"__type\":\"com.amazon.coral.service#SerializationException\","
            "\"Message\":\"NUMBER_VALUE cannot be converted to String\"}");
    refused(f, TARGET "PutItem", "{\"TableName\":", 400, "at byte 13");
    good(f, TARGET "PutItem", PUT "}");
    refused(f, TARGET "PutItem",
            PUT ",\"ConditionExpression\":\"attribute_not_exists(pk)\","
                "\"ReturnValuesOnConditionCheckFailure\":\"ALL_OLD\"}",
            400,
            "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
            "\"message\":\"The conditional request failed\","
            "\"Item\":{\"n\":{\"N\":\"1\"},\"pk\":{\"S\":\"a\"}}}");
    refused(f, TARGET "PutItem", PUT ",\"ConditionExpression\":\"attribute_not_exists(pk)\"}", 400,
            "failed\"}");
}

static void test_legacy_parameters_are_refused(void **state)
{
    struct fixture *f = *state;
    create_table(f, "items");
    refused(f, TARGET "PutItem", PUT ",\"Expected\":{\"pk\":{\"Exists\":false}}}", 400,
            "Expected is a legacy parameter that weir does not offer: use an expression");
    refused(f, TARGET "GetItem",
            "{\"TableName\":\"items\",\"Key\":{\"pk\":{\"S\":\"a\"}},\"AttributesToGet\":[\"x\"]}",
            400, "AttributesToGet is a legacy parameter");
    good(f, TARGET "GetItem", "{\"TableName\":\"items\",\"Key\":{\"pk\":{\"S\":\"a\"}}}");
    assert_string_equal(f->body.p, "{}"); /* nothing was put */
    refused(f, TARGET "CreateTable",
            "{\"TableName\":\"tagged\",\"BillingMode\":\"PAY_PER_REQUEST\","
            "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
            "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],"
            "\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]}",
            400, "Tags is not offered by weir");
}

static void test_tables_of_the_file_stay(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_table definition = {
        .name = WEIR_STR("filed"),
        .key = { .partition = { { WEIR_STR("pk"), WEIR_TYPE_S } }, .partition_count = 1 },
        .shards = 1,
        .from_file = true,
    };
    assert_int_equal(weir_tables_ensure(f->tables, &definition, &err), WEIR_OK);
    refused(f, TARGET "DeleteTable", "{\"TableName\":\"filed\"}", 400, "defined in weir.yaml");
    assert_has(f, "ValidationException");
    refused(f, TARGET "UpdateTimeToLive",
            "{\"TableName\":\"filed\",\"TimeToLiveSpecification\":{\"Enabled\":true,"
            "\"AttributeName\":\"x\"}}",
            400, "defined in weir.yaml");
    good(f, TARGET "DescribeTable", "{\"TableName\":\"filed\"}");
}

static void test_settings_change(void **state)
{
    struct fixture *f = *state;
    good(f, TARGET "CreateTable",
            "{\"TableName\":\"plain\",\"BillingMode\":\"PAY_PER_REQUEST\","
            "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
            "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],"
            "\"DeletionProtectionEnabled\":true}");
    refused(f, TARGET "DeleteTable", "{\"TableName\":\"plain\"}", 400,
            "protected against deletion");
    good(f, TARGET "UpdateTable",
            "{\"TableName\":\"plain\",\"DeletionProtectionEnabled\":false,"
            "\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"KEYS_ONLY\"}}");
    assert_has(f, "\"DeletionProtectionEnabled\":false");
    assert_has(f, "\"StreamViewType\":\"KEYS_ONLY\"");
    assert_has(f, "\"LatestStreamArn\":\"arn:aws:dynamodb:us-east-1:000000000000:table/plain/");
    assert_has(f, "\"BillingMode\":\"PAY_PER_REQUEST\"");
    refused(f, TARGET "UpdateTable",
            "{\"TableName\":\"plain\",\"StreamSpecification\":{\"StreamEnabled\":true,"
            "\"StreamViewType\":\"NEW_IMAGE\"}}",
            400, "Table already has an enabled stream");
    refused(f, TARGET "UpdateTable", "{\"TableName\":\"plain\",\"BillingMode\":\"PROVISIONED\"}",
            400, "must both be specified when BillingMode is PROVISIONED");
    good(f, TARGET "UpdateTable",
            "{\"TableName\":\"plain\",\"BillingMode\":\"PROVISIONED\","
            "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":3,\"WriteCapacityUnits\":4}}");
    assert_has(f, "\"ReadCapacityUnits\":3,\"WriteCapacityUnits\":4");
    refused(f, TARGET "UpdateTable", "{\"TableName\":\"none\"}", 400, "Table: none not found");
    good(f, TARGET "DeleteTable", "{\"TableName\":\"plain\"}");
}

static void test_composite_index_keys(void **state)
{
    struct fixture *f = *state;
    good(f, TARGET "CreateTable",
            "{\"TableName\":\"multi\",\"BillingMode\":\"PAY_PER_REQUEST\","
            "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
            "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
            "{\"AttributeName\":\"a\",\"AttributeType\":\"S\"},"
            "{\"AttributeName\":\"b\",\"AttributeType\":\"N\"},"
            "{\"AttributeName\":\"c\",\"AttributeType\":\"N\"}],"
            "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"abc\",\"KeySchema\":["
            "{\"AttributeName\":\"a\",\"KeyType\":\"HASH\"},"
            "{\"AttributeName\":\"b\",\"KeyType\":\"HASH\"},"
            "{\"AttributeName\":\"c\",\"KeyType\":\"RANGE\"}],"
            "\"Projection\":{\"ProjectionType\":\"ALL\"}}]}");
    good(f, TARGET "PutItem",
            "{\"TableName\":\"multi\",\"Item\":{\"pk\":{\"S\":\"1\"},\"a\":{\"S\":\"x\"},"
            "\"b\":{\"N\":\"2\"},\"c\":{\"N\":\"3\"}},\"ReturnConsumedCapacity\":\"INDEXES\"}");
    assert_has(f, "\"CapacityUnits\":2.0");
    assert_has(f, "\"GlobalSecondaryIndexes\":{\"abc\":{\"CapacityUnits\":1.0}}");
    good(f, TARGET "Query",
            "{\"TableName\":\"multi\",\"IndexName\":\"abc\",\"KeyConditionExpression\":"
            "\"a = :a AND b = :b AND c > :c\",\"ExpressionAttributeValues\":{"
            "\":a\":{\"S\":\"x\"},\":b\":{\"N\":\"2\"},\":c\":{\"N\":\"2\"}}}");
    assert_has(f, "\"Count\":1");
}

/* --- access ------------------------------------------------------------------------------ */

static void test_foreign_hosts_and_origins_are_refused(void **state)
{
    struct fixture *f = *state;
    struct weir_http_header origin[] = {
        { WEIR_STR("X-Amz-Target"), WEIR_STR(TARGET "ListTables") },
        { WEIR_STR("Origin"), WEIR_STR("http://evil.example") },
    };
    assert_int_equal(fetch(f, "POST", "/", origin, 2, "{}"), 403);
    assert_has(f, "evil.example");
    assert_int_equal(fetch(f, "GET", "/v1/x", origin + 1, 1, ""), 403);
    origin[1].value = WEIR_STR("http://localhost:8080");
    assert_int_equal(fetch(f, "POST", "/", origin, 2, "{}"), 200);
}

static void test_credentials(void **state)
{
    (void)state;
    static struct fixture fixture;
    struct fixture *f = &fixture;
    start(f, true);
    refused(f, TARGET "ListTables", "{}", 400, "MissingAuthenticationTokenException");
    char host[32];
    snprintf(host, sizeof(host), "127.0.0.1:%u", f->port);
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_http_header headers[4] = {
        { WEIR_STR("X-Amz-Target"), WEIR_STR(TARGET "ListTables") },
        { WEIR_STR("Host"), weir_str_z(host) },
    };
    struct weir_sigv4_request request = {
        .method = WEIR_STR("POST"),
        .path = WEIR_STR("/"),
        .headers = headers,
        .header_count = 2,
        .body = WEIR_STR("{}"),
    };
    struct weir_sigv4_credentials credentials = {
        .access_key = WEIR_STR("key"),
        .secret = WEIR_STR("secret"),
        .region = WEIR_STR("us-east-1"),
        .service = WEIR_STR("dynamodb"),
    };
    weir_sigv4_sign(&request, &credentials, weir_clock_wall(&f->clock.base), &arena, headers + 2);
    headers[1] = headers[0]; /* the client adds Host itself */
    assert_int_equal(fetch(f, "POST", "/", headers + 1, 3, "{}"), 200);
    assert_int_equal(fetch(f, "POST", "/", headers + 1, 3, "{} "), 400);
    assert_has(f, "InvalidSignatureException");
    weir_arena_fini(&arena);
    stop(f);
}

/* --- streams ------------------------------------------------------------------------------- */

/* The text of a member of the last answer, up to its closing quote. */
static void take(const struct fixture *f, const char *name, char text[static 512])
{
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":\"", name);
    const char *at = strstr(f->body.p, quoted);
    assert_non_null(at);
    at += strlen(quoted);
    size_t n = strcspn(at, "\"");
    assert_true(n < 512);
    memcpy(text, at, n);
    text[n] = '\0';
}

static void get_records(struct fixture *f, const char *iterator, int status)
{
    char body[700];
    snprintf(body, sizeof(body), "{\"ShardIterator\":\"%s\"}", iterator);
    int got = ask(f, "DynamoDBStreams_20120810.GetRecords", body);
    if (got != status) {
        fail_msg("%d: %s", got, f->body.p);
    }
}

static void test_iterators_expire_and_cannot_be_made_up(void **state)
{
    struct fixture *f = *state;
    char arn[512];
    char shard[512];
    char iterator[512];
    char body[1200];
    create_table(f, "items");
    take(f, "LatestStreamArn", arn);
    snprintf(body, sizeof(body), "{\"StreamArn\":\"%s\"}", arn);
    good(f, "DynamoDBStreams_20120810.DescribeStream", body);
    take(f, "ShardId", shard);
    snprintf(body, sizeof(body),
            "{\"StreamArn\":\"%s\",\"ShardId\":\"%s\",\"ShardIteratorType\":\"TRIM_HORIZON\"}", arn,
            shard);
    good(f, "DynamoDBStreams_20120810.GetShardIterator", body);
    take(f, "ShardIterator", iterator);
    get_records(f, iterator, 200);
    weir_clock_virtual_advance(&f->clock, 15 * 60 * 1000);
    get_records(f, iterator, 200);
    take(f, "NextShardIterator", body);
    weir_clock_virtual_advance(&f->clock, 1);
    get_records(f, iterator, 400);
    assert_has(f, "ExpiredIteratorException");
    memcpy(iterator, body, sizeof(iterator));
    get_records(f, iterator, 200);
    iterator[3] = iterator[3] == 'A' ? 'B' : 'A';
    get_records(f, iterator, 400);
    assert_has(f, "ValidationException");
    good(f, TARGET "DeleteTable", "{\"TableName\":\"items\"}");
    memcpy(iterator, body, sizeof(iterator));
    get_records(f, iterator, 400);
    assert_has(f, "ResourceNotFoundException");
}

static void test_trimmed_data(void **state)
{
    struct fixture *f = *state;
    char arn[512];
    char shard[512];
    char body[1200];
    create_table(f, "items");
    take(f, "LatestStreamArn", arn);
    snprintf(body, sizeof(body), "{\"StreamArn\":\"%s\"}", arn);
    good(f, "DynamoDBStreams_20120810.DescribeStream", body);
    take(f, "ShardId", shard);
    snprintf(body, sizeof(body),
            "{\"StreamArn\":\"%s\",\"ShardId\":\"%s\",\"ShardIteratorType\":"
            "\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"100000000000000000001\"}",
            arn, shard);
    refused(f, "DynamoDBStreams_20120810.GetShardIterator", body, 400,
            "TrimmedDataAccessException");
}

/* --- clients that leave ------------------------------------------------------------------------
 */

static void put_and_leave(const struct fixture *f, int i)
{
    char body[256];
    char request[512];
    int n = snprintf(
            body, sizeof(body), "{\"TableName\":\"items\",\"Item\":{\"pk\":{\"S\":\"k%d\"}}}", i);
    n = snprintf(request, sizeof(request),
            "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: " TARGET "PutItem\r\n"
            "Content-Length: %d\r\n\r\n%s",
            n, body);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(fd, request, (size_t)n), n);
    struct linger linger = { .l_onoff = 1 }; /* a reset, at once */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(fd);
}

static void test_clients_that_leave_do_no_harm(void **state)
{
    struct fixture *f = *state;
    create_table(f, "items");
    for (int i = 0; i < 200; i++) {
        put_and_leave(f, i);
    }
    good(f, TARGET "PutItem", PUT "}");
    good(f, TARGET "Scan", "{\"TableName\":\"items\",\"Select\":\"COUNT\"}");
}

static void test_requests_are_counted(void **state)
{
    struct fixture *f = *state;
    good(f, TARGET "ListTables", "{}");
    good(f, TARGET "ListTables", "{}");
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    weir_buf_init(&buf, 1024 * 1024);
    weir_metrics_write(f->metrics, &buf);
    weir_buf_byte(&buf, '\0');
    assert_non_null(strstr(buf.p, "weir_requests_total{op=\"ListTables\"} 2\n"));
    assert_non_null(strstr(buf.p, "weir_requests_total{op=\"PutItem\"} 0\n"));
    assert_non_null(strstr(buf.p, "weir_request_seconds_count{} 2\n"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_answers_carry_what_clients_check),
        CASE(test_unknown_and_not_offered),
        CASE(test_errors_have_their_types),
        CASE(test_legacy_parameters_are_refused),
        CASE(test_tables_of_the_file_stay),
        CASE(test_settings_change),
        CASE(test_composite_index_keys),
        CASE(test_foreign_hosts_and_origins_are_refused),
        cmocka_unit_test(test_credentials),
        CASE(test_iterators_expire_and_cannot_be_made_up),
        CASE(test_trimmed_data),
        CASE(test_clients_that_leave_do_no_harm),
        CASE(test_requests_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
