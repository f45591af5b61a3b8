/* Dispatch: from an HTTP request to an operation, and back. */
#include <stdio.h>
#include <zlib.h>

#include "api/api_int.h"
#include "api/scheduler_int.h"
#include "api/sqs_int.h"
#include "base/buf.h"
#include "net/access.h"
#include "value/ddbjson.h"
#include "value/json.h"

#define DYNAMODB "com.amazonaws.dynamodb.v20120810#"
#define SERVICE  "com.amazon.coral.service#"
#define VALIDATE "com.amazon.coral.validate#"

enum {
    OUT_MAX_BYTES = 64 * 1024 * 1024,
    OUT_KEEP_BYTES = 1024 * 1024, /* larger buffers are not kept for the next answer */
    REQUEST_ID_BYTES = 36,
    SECONDS_FIRST_US = 8,
};

struct weir_held {
    struct weir_held *next;
    const struct weir_table *table; /* NULL: a queue */
    const struct weir_queue *queue;
};

/* One of the APIs behind POST /. */
struct service {
    struct weir_str prefix; /* of X-Amz-Target */
    const struct weir_operation *operations;
    const struct weir_protocol *protocol; /* NULL: DynamoDB's */
};

static const struct service services[] = {
    { { "DynamoDB_20120810.", 18 }, weir_ddb_operations, NULL },
    { { "DynamoDBStreams_20120810.", 25 }, weir_streams_operations, NULL },
    { { "AmazonSQS.", 10 }, weir_sqs_operations, &weir_sqs_protocol },
    { { "AWSScheduler.", 13 }, weir_scheduler_operations, &weir_scheduler_protocol },
};

/* How our errors look to AWS's clients, who try again on 5xx and throttling. */
struct error_form {
    enum weir_rc rc;
    int status;
    const char *type;
};

static const struct error_form error_forms[] = {
    { WEIR_E_INVALID, 400, VALIDATE "ValidationException" },
    { WEIR_E_TOO_LARGE, 400, VALIDATE "ValidationException" },
    { WEIR_E_NOT_FOUND, 400, DYNAMODB "ResourceNotFoundException" },
    { WEIR_E_EXISTS, 400, DYNAMODB "ResourceInUseException" },
    { WEIR_E_CONDITION, 400, DYNAMODB "ConditionalCheckFailedException" },
    { WEIR_E_TRIMMED, 400, DYNAMODB "TrimmedDataAccessException" },
    { WEIR_E_TIMEOUT, 400, DYNAMODB "ExpiredIteratorException" },
    { WEIR_E_CONFLICT, 400, DYNAMODB "TransactionConflictException" },
    { WEIR_E_BUSY, 400, SERVICE "ThrottlingException" },
    { WEIR_E_LIMIT, 400, DYNAMODB "LimitExceededException" },
    { WEIR_E_UNSUPPORTED, 400, SERVICE "UnsupportedOperationException" },
    { WEIR_E_DENIED, 403, SERVICE "AccessDeniedException" },
    { WEIR_E_CLOSED, 503, SERVICE "ServiceUnavailableException" },
};

static struct error_form error_form(enum weir_rc rc)
{
    for (size_t i = 0; i < WEIR_COUNT(error_forms); i++) {
        if (error_forms[i].rc == rc) {
            return error_forms[i];
        }
    }
    return (struct error_form){ rc, 500, DYNAMODB "InternalServerError" };
}

/* --- answers ------------------------------------------------------------------ */

void weir_out_name(struct weir_buf *out, const char *name)
{
    if (out->n > 0 && out->p[out->n - 1] != '{') {
        weir_buf_byte(out, ',');
    }
    weir_buf_byte(out, '"');
    weir_buf_z(out, name);
    weir_buf_add(out, "\":", 2);
}

void weir_out_text(struct weir_buf *out, const char *name, struct weir_str text)
{
    weir_out_name(out, name);
    weir_json_write_string(out, text);
}

void weir_out_number(struct weir_buf *out, const char *name, uint64_t number)
{
    weir_out_name(out, name);
    weir_buf_printf(out, "%llu", (unsigned long long)number);
}

void weir_out_bool(struct weir_buf *out, const char *name, bool value)
{
    weir_out_name(out, name);
    weir_buf_z(out, value ? "true" : "false");
}

void weir_out_time(struct weir_buf *out, const char *name, struct weir_time time)
{
    weir_out_name(out, name);
    weir_buf_printf(out, "%lld.%03u", (long long)(time.ms / 1000), (unsigned)(time.ms % 1000));
}

static void write_request_id(struct weir_random *random, char *text)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t bits = weir_random_u64(random);
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++) {
        if (i == 18) {
            bits = weir_random_u64(random);
        }
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        text[i] = dash ? '-' : i == 14 ? '4' : digits[bits & 15];
        bits >>= dash ? 0 : 4;
    }
    text[19] = "89ab"[text[19] & 3];
}

struct weir_str weir_call_request_id(struct weir_api *api, struct weir_arena *arena)
{
    char id[REQUEST_ID_BYTES];
    write_request_id(&api->random, id);
    return weir_arena_str(arena, weir_str(id, sizeof(id)));
}

static void shrink_out(struct weir_api *api)
{
    if (api->out.capacity > OUT_KEEP_BYTES) {
        weir_buf_fini(&api->out);
        weir_buf_init(&api->out, OUT_MAX_BYTES);
    }
}

/* Send the body in the API's buffer. */
static void send_answer(struct weir_api *api, struct weir_http_request *http, int status)
{
    char id[REQUEST_ID_BYTES];
    char crc[16];
    write_request_id(&api->random, id);
    struct weir_str body = weir_buf_view(&api->out);
    unsigned long sum = crc32(0, (const unsigned char *)body.p, (unsigned)body.n);
    int n = snprintf(crc, sizeof(crc), "%lu", sum);
    const struct weir_http_header headers[] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0") },
        { WEIR_STR("x-amzn-RequestId"), weir_str(id, sizeof(id)) },
        { WEIR_STR("x-amz-crc32"), weir_str(crc, (size_t)n) },
    };
    weir_http_respond(http, status, headers, WEIR_COUNT(headers), body);
    shrink_out(api);
}

/* Answer with an error. The types of the service itself spell Message with a capital letter. */
static void send_error(struct weir_api *api, struct weir_http_request *http, int status,
        const char *type, struct weir_str message, struct weir_item item)
{
    struct weir_buf *out = &api->out;
    weir_buf_reset(out);
    weir_buf_byte(out, '{');
    weir_out_text(out, "__type", weir_str_z(type));
    bool service = strncmp(type, SERVICE, sizeof(SERVICE) - 1) == 0;
    weir_out_text(out, service ? "Message" : "message", message);
    if (item.n > 0) {
        weir_out_name(out, "Item");
        weir_ddbjson_write_item(out, item);
    }
    weir_buf_byte(out, '}');
    send_answer(api, http, status);
}

/* --- calls ---------------------------------------------------------------------- */

void weir_call_hold(struct weir_call *call, const struct weir_table *table)
{
    struct weir_held *held = WEIR_ARENA_NEW(call->arena, struct weir_held);
    held->table = table;
    held->next = call->held;
    call->held = held;
}

void weir_call_hold_queue(struct weir_call *call, const struct weir_queue *queue)
{
    weir_call_hold(call, NULL);
    call->held->queue = queue;
}

enum weir_rc weir_call_table(struct weir_call *call, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err)
{
    enum weir_rc rc = weir_tables_get(call->api->options.tables, name, ret_table, err);
    if (rc == WEIR_OK) {
        weir_call_hold(call, *ret_table);
    }
    return rc;
}

/*
 * Give back what a call holds. Before its answer is sent: a read's list of tables lives in the
 * request's arena, which ends with the answer.
 */
static void release(struct weir_call *call)
{
    for (struct weir_held *held = call->held; held != NULL; held = held->next) {
        weir_table_unref(held->table);
        weir_queue_unref(held->queue);
    }
    struct weir_api *api = call->api;
    if (api->seconds != NULL) {
        uint64_t now_ns = weir_clock_monotonic_ns(api->options.clock);
        weir_histogram_add(api->seconds, (now_ns - call->started_ns) / 1000);
    }
}

static void answer(struct weir_call *call, enum weir_rc rc, const struct weir_err *err)
{
    if (call->protocol != NULL) {
        if (rc == WEIR_OK) {
            call->protocol->answer(call);
        } else {
            call->protocol->error(call, rc, weir_str_z(err->msg));
        }
        shrink_out(call->api);
    } else if (rc == WEIR_OK) {
        send_answer(call->api, call->http, 200);
    } else {
        struct error_form form = error_form(rc);
        bool plain = rc == WEIR_E_NOT_FOUND && call->operation->items;
        struct weir_str message =
                plain ? WEIR_STR("Requested resource not found") : weir_str_z(err->msg);
        send_error(call->api, call->http, form.status, form.type, message, call->error_item);
    }
}

/* Send what a run or committed left, or its error, and end the call. */
static void finish(struct weir_call *call, enum weir_rc rc, struct weir_err *err)
{
    struct weir_txn *txn = call->txn; /* the call itself lives in there, or in the request */
    if (rc == WEIR_OK) {
        rc = weir_buf_check(call->out, "the answer", err);
    }
    release(call);
    if (call->http != NULL) {
        answer(call, rc, err);
    }
    weir_txn_destroy(txn);
}

void weir_call_park(struct weir_call *call, void (*on_gone)(struct weir_http_request *request))
{
    call->submitted = true;
    call->http->owner = call;
    call->http->on_gone = on_gone;
}

void weir_call_resume(struct weir_call *call)
{
    call->submitted = false;
    call->out = &call->api->out;
    weir_buf_reset(call->out);
}

void weir_call_end(struct weir_call *call, enum weir_rc rc, struct weir_err *err)
{
    finish(call, rc, err);
}

/* The loop's end of a transaction. */
static void outcome(struct weir_post *post)
{
    struct weir_call *call = WEIR_CONTAINER(post, struct weir_call, post);
    struct weir_txn *current = call->current;
    struct weir_err err = current->err;
    call->submitted = false;
    call->out = &call->api->out;
    weir_buf_reset(call->out);
    enum weir_rc rc = current->rc;
    if (call->http != NULL) {
        rc = call->committed(call, &err);
    }
    if (current != call->txn) {
        weir_txn_destroy(current);
    }
    if (!call->submitted) {
        finish(call, rc, &err);
    }
}

/* The commit thread's end. */
static void transaction_done(struct weir_txn *txn)
{
    struct weir_call *call = txn->arg;
    weir_loop_post(call->api->options.loop, &call->post);
}

static void client_gone(struct weir_http_request *request)
{
    struct weir_call *call = request->owner;
    call->http = NULL;
}

void weir_call_submit(struct weir_call *call, struct weir_txn *txn,
        enum weir_rc (*committed)(struct weir_call *call, struct weir_err *err))
{
    call->committed = committed;
    call->current = txn;
    call->submitted = true;
    call->post.run = outcome;
    call->http->owner = call;
    call->http->on_gone = client_gone;
    txn->done = transaction_done;
    txn->arg = call;
    weir_store_submit(weir_tables_store(call->api->options.tables), txn);
}

/* The request cannot be read, or breaks a rule for its members: the call ends here. */
static void refuse(struct weir_call *call, enum weir_wire_fault fault, struct weir_str message)
{
    struct weir_txn *txn = call->txn;
    bool unreadable = fault == WEIR_WIRE_SERIALIZATION;
    release(call);
    call->out = &call->api->out;
    weir_buf_reset(call->out);
    if (call->protocol != NULL) {
        call->protocol->refuse(
                call, unreadable ? "SerializationException" : "ValidationException", message);
    } else {
        send_error(call->api, call->http, 400,
                unreadable ? SERVICE "SerializationException" : VALIDATE "ValidationException",
                message, (struct weir_item){ 0 });
    }
    weir_txn_destroy(txn);
}

/* Read, check and run a request. */
static void run_call(struct weir_call *call)
{
    struct weir_api *api = call->api;
    const struct weir_operation *operation = call->operation;
    struct weir_str message = { 0 };
    enum weir_wire_fault fault =
            weir_wire_read(operation->shape, call->body, call->arena, &call->request, &message);
    if (fault == WEIR_WIRE_FINE) {
        fault = weir_wire_check(operation->shape, call->request, call->arena, &message);
    }
    if (fault != WEIR_WIRE_FINE) {
        refuse(call, fault, message);
        return;
    }
    struct weir_err err = { 0 };
    call->out = &api->out;
    weir_buf_reset(call->out);
    enum weir_rc rc = operation->run(call, call->request, &err);
    if (!call->submitted) {
        finish(call, rc, &err);
    }
}

/* Begin a call: `call` has api, http, operation, number, protocol, body and form. */
static void begin_call(struct weir_call call)
{
    struct weir_api *api = call.api;
    call.started_ns = weir_clock_monotonic_ns(api->options.clock);
    if (api->counters != NULL) {
        weir_counter_add(api->counters[call.number], 1);
    }
    if (!call.operation->writes) {
        call.arena = &call.http->arena;
        run_call(&call);
        return;
    }
    struct weir_txn *txn = weir_txn_create();
    struct weir_call *kept = WEIR_ARENA_NEW(&txn->arena, struct weir_call);
    *kept = call;
    kept->txn = txn;
    kept->arena = &txn->arena;
    run_call(kept);
}

/* --- dispatch ----------------------------------------------------------------------- */

/* What SDKs send to POST /, and to a queue's URL. */
static bool is_aws(const struct weir_http_request *http)
{
    return http->method == WEIR_HTTP_POST &&
           (weir_str_eq(http->path, WEIR_STR("/")) || weir_sqs_is_path(http->path));
}

/* What clients of the query protocol send: a form, without a target. */
static bool is_form(const struct weir_http_request *http)
{
    struct weir_str type = weir_http_find(http, WEIR_STR("content-type"));
    return weir_str_starts(type, WEIR_STR("application/x-www-form-urlencoded")) &&
           weir_http_find(http, WEIR_STR("x-amz-target")).p == NULL;
}

/*
 * Refuse a request that no operation gets, with the name of the error that AWS's services have in
 * common. SQS's clients look for errors in other places than the others.
 */
static void turn_away(struct weir_api *api, struct weir_http_request *http, int status,
        const char *error, struct weir_str message)
{
    struct weir_call call = { .api = api, .http = http, .arena = &http->arena, .out = &api->out };
    call.form = is_aws(http) && is_form(http);
    if (call.form || weir_str_starts(weir_http_find(http, WEIR_STR("x-amz-target")),
                             WEIR_STR("AmazonSQS."))) {
        weir_sqs_protocol.refuse(&call, error, message);
        return;
    }
    struct weir_str type = weir_arena_printf(&http->arena, SERVICE "%s", error);
    send_error(api, http, status, type.p, message, (struct weir_item){ 0 });
}

/* Whether a request may pass; answers it when it may not. */
static bool admit(struct weir_api *api, struct weir_http_request *http, bool open)
{
    struct weir_err err;
    if (api->options.keys == NULL) {
        enum weir_rc rc = weir_access_check(weir_http_find(http, WEIR_STR("host")),
                weir_http_find(http, WEIR_STR("origin")), api->options.listen, &err);
        if (rc != WEIR_OK) {
            turn_away(api, http, 403, "AccessDeniedException", weir_str_z(err.msg));
        }
        return rc == WEIR_OK;
    }
    if (open) {
        return true;
    }
    struct weir_sigv4_request request = weir_sigv4_of(http);
    struct weir_sigv4_result result = { 0 };
    if (weir_sigv4_verify(&request, api->options.keys, weir_clock_wall(api->options.clock),
                &http->arena, &result) == WEIR_OK) {
        return true;
    }
    turn_away(api, http, 400, result.error, result.message);
    return false;
}

static void refuse_target(
        struct weir_api *api, struct weir_http_request *http, struct weir_str target)
{
    struct weir_str message = target.p == NULL ? WEIR_STR("The request has no X-Amz-Target header")
                                               : weir_arena_printf(&http->arena,
                                                         "Unknown operation: X-Amz-Target \"%.*s\"",
                                                         WEIR_STR_ARG(target));
    turn_away(api, http, 400, "UnknownOperationException", message);
}

/* Find the operation and what belongs to it; false: there is no such operation. */
static bool find_operation(struct weir_str target, struct weir_call *call)
{
    size_t number = 0;
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        struct weir_str prefix = services[i].prefix;
        bool ours = weir_str_starts(target, prefix);
        struct weir_str name = ours ? weir_str(target.p + prefix.n, target.n - prefix.n) : target;
        for (const struct weir_operation *o = services[i].operations; o->name != NULL; o++) {
            if (ours && weir_str_eq(name, weir_str_z(o->name))) {
                call->operation = o;
                call->number = number;
                call->protocol = services[i].protocol;
                return true;
            }
            number++;
        }
    }
    return false;
}

static void dispatch(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_str target = weir_http_find(http, WEIR_STR("x-amz-target"));
    struct weir_call call = { .api = api, .http = http, .body = http->body };
    if (!find_operation(target, &call)) {
        refuse_target(api, http, target);
    } else if (call.operation->run == NULL) {
        struct weir_str message =
                weir_arena_printf(&http->arena, "%s is not offered by weir", call.operation->name);
        turn_away(api, http, 400, "UnsupportedOperationException", message);
    } else {
        begin_call(call);
    }
}

/* A request of SQS's query protocol. */
static void dispatch_form(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_call call = { .api = api, .http = http, .form = true, .arena = &http->arena };
    struct weir_str action = { 0 };
    struct weir_err err;
    call.protocol = &weir_sqs_protocol;
    call.out = &api->out;
    enum weir_rc rc = weir_sqs_read_form(http->body, &http->arena, &action, &call.body, &err);
    if (rc != WEIR_OK) {
        weir_sqs_protocol.refuse(&call, "MalformedInput", weir_str_z(err.msg));
        return;
    }
    struct weir_str target =
            weir_arena_printf(&http->arena, "AmazonSQS.%.*s", WEIR_STR_ARG(action));
    if (!find_operation(target, &call) || call.operation->run == NULL) {
        struct weir_str message = weir_arena_printf(&http->arena,
                "The action %.*s is not valid for this endpoint.", WEIR_STR_ARG(action));
        weir_sqs_protocol.refuse(&call, "InvalidAction", message);
        return;
    }
    begin_call(call);
}

/* A request of EventBridge Scheduler, whose method and path name the operation. */
static void dispatch_scheduler(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_call call = { .api = api, .http = http, .arena = &http->arena };
    const char *operation = NULL;
    call.protocol = &weir_scheduler_protocol;
    call.out = &api->out;
    if (!weir_scheduler_read(http, &operation, &call.body)) {
        struct weir_str message = weir_arena_printf(&http->arena, "There is nothing at %.*s %.*s",
                WEIR_STR_ARG(http->method_name), WEIR_STR_ARG(http->path));
        call.protocol->refuse(&call, "UnknownOperationException", message);
        return;
    }
    struct weir_str target = weir_arena_printf(&http->arena, "AWSScheduler.%s", operation);
    weir_assert(find_operation(target, &call));
    begin_call(call);
}

static const struct weir_api_route *find_route(
        const struct weir_api *api, const struct weir_http_request *http)
{
    for (size_t i = 0; i < api->options.route_count; i++) {
        const struct weir_api_route *route = &api->options.routes[i];
        if (route->method == http->method && weir_str_starts(http->path, route->prefix)) {
            return route;
        }
    }
    return NULL;
}

void weir_api_handle(struct weir_http_request *request, void *arg)
{
    struct weir_api *api = arg;
    bool aws = is_aws(request);
    bool lambda = weir_lambda_is_path(request->path);
    bool scheduler = weir_scheduler_is_path(request->path);
    const struct weir_api_route *route =
            aws || lambda || scheduler ? NULL : find_route(api, request);
    if (!admit(api, request, route != NULL && route->open)) {
        return;
    }
    if (aws) {
        (is_form(request) ? dispatch_form : dispatch)(api, request);
        return;
    }
    if (lambda) {
        weir_lambda_handle(api, request);
        return;
    }
    if (scheduler) {
        dispatch_scheduler(api, request);
        return;
    }
    if (route != NULL) {
        route->handle(request, route->arg);
        return;
    }
    struct weir_str message = weir_arena_printf(&request->arena, "There is nothing at %.*s %.*s",
            WEIR_STR_ARG(request->method_name), WEIR_STR_ARG(request->path));
    turn_away(api, request, 404, "UnknownOperationException", message);
}

/* --- life --------------------------------------------------------------------------- */

static void make_metrics(struct weir_api *api)
{
    struct weir_metrics *metrics = api->options.metrics;
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        for (const struct weir_operation *o = services[i].operations; o->name != NULL; o++) {
            api->counter_count++;
        }
    }
    api->counters = weir_alloc_zero(api->counter_count, sizeof(struct weir_counter *));
    size_t number = 0;
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        for (const struct weir_operation *o = services[i].operations; o->name != NULL; o++) {
            char labels[64];
            snprintf(labels, sizeof(labels), "op=\"%s\"", o->name);
            /* What is not offered has no counter, but keeps its number. */
            api->counters[number++] = o->run == NULL
                                              ? NULL
                                              : weir_metrics_counter(metrics, "weir_requests_total",
                                                        labels, "Requests of the AWS APIs");
        }
    }
    api->seconds = weir_metrics_histogram(metrics, "weir_request_seconds", NULL,
            "Time from an AWS request's arrival to its answer", SECONDS_FIRST_US, 1e-6);
}

struct weir_api *weir_api_create(const struct weir_api_options *options)
{
    struct weir_api *api = weir_alloc_zero(1, sizeof(*api));
    api->options = *options;
    weir_random_init(&api->random);
    weir_buf_init(&api->out, OUT_MAX_BYTES);
    if (options->metrics != NULL) {
        make_metrics(api);
    }
    return api;
}

void weir_api_destroy(struct weir_api *api)
{
    if (api == NULL) {
        return;
    }
    weir_buf_fini(&api->out);
    weir_free(api->counters);
    weir_free(api);
}
