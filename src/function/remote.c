/*
 * Functions that run elsewhere: behind a URL, or in AWS Lambda (or another weir).
 *
 * A URL gets the event by POST and answers with the result; Lambda is called by its Invoke API.
 * Concurrency, queue and time-out are weir's, as for functions that it starts itself.
 */
#include <stdio.h>

#include "base/clock.h"
#include "function/function_int.h"
#include "value/json.h"

enum {
    HEADERS_OWN = 4,
    NS_PER_US = 1000,
    CONNECT_TIMEOUT_MS = 5000,
    ERROR_BODY_BYTES = 1024,
    CONTEXT_MAX_BYTES = 1 << 20
};

/* A call under way. */
struct weir_remote_call {
    struct weir_http_call http;
    struct weir_function *function;
    struct weir_invocation *invocation;
    struct weir_remote_call *next; /* of the function's */
    struct weir_remote_call **back;
    uint64_t started_ns;
};

static uint64_t now_ns(const struct weir_function *function)
{
    return weir_clock_monotonic_ns(weir_loop_clock(function->functions->options.loop));
}

static void unlink_call(struct weir_remote_call *call)
{
    struct weir_function *function = call->function;
    *call->back = call->next;
    if (call->next != NULL) {
        call->next->back = call->back;
    }
    function->busy_count--;
    weir_gauge_set(function->concurrent, (int64_t)function->busy_count);
}

static void free_call(struct weir_remote_call *call)
{
    weir_http_call_fini(&call->http);
    weir_free(call);
}

/* --- outcomes ------------------------------------------------------------------------ */

/* What went wrong, as an error object for those who want an answer. */
static void write_error(
        const struct weir_invocation *invocation, const char *type, struct weir_buf *out)
{
    weir_buf_printf(out, "{\"errorType\":\"%s\",\"errorMessage\":", type);
    weir_json_write_string(out, weir_str_z(invocation->err.msg));
    weir_buf_byte(out, '}');
}

static enum weir_function_outcome outcome_of(const struct weir_remote_call *call)
{
    bool lambda = call->function->model->runtime == WEIR_RUNTIME_LAMBDA;
    if (lambda && call->http.rc == WEIR_OK &&
            (call->http.status == 404 || call->http.status == 403)) {
        return WEIR_FUNCTION_BLOCKED; /* not there yet, or not allowed yet: nothing of the event's
                                       */
    }
    switch (weir_http_call_class(&call->http)) {
    case WEIR_FAILURE_NONE:
        return WEIR_FUNCTION_OK;
    case WEIR_FAILURE_BLOCKED:
        return WEIR_FUNCTION_BLOCKED;
    case WEIR_FAILURE_FINAL:
        return WEIR_FUNCTION_FINAL;
    case WEIR_FAILURE_RETRYABLE:
    default:
        return WEIR_FUNCTION_RETRYABLE;
    }
}

/* Fill err for anything but an answer of 2xx. */
static void describe(const struct weir_remote_call *call, enum weir_function_outcome outcome)
{
    const struct weir_function_model *model = call->function->model;
    struct weir_err *err = &call->invocation->err;
    if (call->http.rc == WEIR_E_TIMEOUT) {
        weir_fail(err, WEIR_E_TIMEOUT, "Task timed out after %llu.%02llu seconds",
                (unsigned long long)(model->timeout_ms / 1000),
                (unsigned long long)(model->timeout_ms % 1000 / 10));
    } else if (call->http.rc != WEIR_OK) {
        *err = call->http.err;
    } else {
        struct weir_str body = weir_buf_view(&call->http.response);
        body.n = body.n < 128 ? body.n : 128;
        weir_fail(err, outcome == WEIR_FUNCTION_BLOCKED ? WEIR_E_BUSY : WEIR_E_IO,
                "function %.*s was answered with status %d: %.*s", WEIR_STR_ARG(model->name),
                call->http.status, WEIR_STR_ARG(body));
    }
}

/* The log tail that Lambda sent along. */
static struct weir_str read_log(const struct weir_remote_call *call, struct weir_arena *arena)
{
    struct weir_str text = weir_http_call_find(&call->http, WEIR_STR("x-amz-log-result"));
    struct weir_str log = weir_str(NULL, 0);
    if (text.p == NULL || weir_base64_decode(arena, text, true, &log, NULL) != WEIR_OK) {
        return weir_str(NULL, 0);
    }
    return log;
}

/* The outcome of a call, for its invocation. */
static void finish(struct weir_remote_call *call)
{
    struct weir_invocation *invocation = call->invocation;
    struct weir_arena arena;
    struct weir_buf error;
    weir_arena_init(&arena);
    weir_buf_init(&error, ERROR_BODY_BYTES);
    struct weir_str response = weir_buf_view(&call->http.response);
    enum weir_function_outcome outcome = outcome_of(call);
    bool lambda = call->function->model->runtime == WEIR_RUNTIME_LAMBDA;
    invocation->duration_us = (now_ns(call->function) - call->started_ns) / NS_PER_US;
    if (outcome == WEIR_FUNCTION_OK && lambda &&
            weir_http_call_find(&call->http, WEIR_STR("x-amz-function-error")).p != NULL) {
        outcome = WEIR_FUNCTION_ERROR;
        weir_function_read_error(response, &invocation->err);
    } else if (outcome != WEIR_FUNCTION_OK) {
        describe(call, outcome);
        write_error(invocation,
                call->http.rc == WEIR_E_TIMEOUT ? "Sandbox.Timedout" : "Endpoint.Error", &error);
        response = outcome == WEIR_FUNCTION_BLOCKED ? weir_str(NULL, 0) : weir_buf_view(&error);
    }
    if (invocation->want_log && lambda) {
        invocation->log_tail = read_log(call, &arena);
    }
    weir_function_finish(call->function, invocation, outcome, response);
    weir_buf_fini(&error);
    weir_arena_fini(&arena);
}

static void on_done(struct weir_http_call *http)
{
    struct weir_remote_call *call = http->arg;
    struct weir_function *function = call->function;
    unlink_call(call);
    if (call->http.rc == WEIR_OK) {
        function->failures = 0;
    }
    finish(call);
    free_call(call);
    weir_remote_serve(function);
}

/* --- requests ------------------------------------------------------------------------ */

/* As the API has it: in base64. */
static struct weir_str encode(struct weir_str text, struct weir_buf *buf)
{
    weir_base64_encode(buf, text);
    return weir_buf_view(buf);
}

static void add_header(
        struct weir_http_header *headers, size_t *count, const char *name, struct weir_str value)
{
    headers[(*count)++] = (struct weir_http_header){ weir_str_z(name), value };
}

static void begin(struct weir_function *function, struct weir_invocation *invocation)
{
    const struct weir_function_model *model = function->model;
    struct weir_remote_call *call = weir_alloc_zero(1, sizeof(*call));
    struct weir_http_header *headers =
            weir_alloc_zero(model->header_count + HEADERS_OWN, sizeof(*headers));
    size_t count = 0;
    struct weir_buf context;
    weir_buf_init(&context, CONTEXT_MAX_BYTES);
    add_header(headers, &count, "Content-Type", WEIR_STR("application/json"));
    if (model->runtime == WEIR_RUNTIME_LAMBDA) {
        if (invocation->want_log) {
            add_header(headers, &count, "X-Amz-Log-Type", WEIR_STR("Tail"));
        }
        if (invocation->client_context.n > 0) {
            add_header(headers, &count, "X-Amz-Client-Context",
                    encode(invocation->client_context, &context));
        }
    } else {
        add_header(headers, &count, "X-Request-Id", weir_str_z(invocation->request_id));
    }
    for (size_t i = 0; i < model->header_count; i++) {
        headers[count++] =
                (struct weir_http_header){ model->headers[i].name, model->headers[i].value };
    }
    call->function = function;
    call->invocation = invocation;
    call->started_ns = now_ns(function);
    call->next = function->calls;
    call->back = &function->calls;
    if (call->next != NULL) {
        call->next->back = &call->next;
    }
    function->calls = call;
    function->busy_count++;
    weir_gauge_set(function->concurrent, (int64_t)function->busy_count);
    invocation->phase = WEIR_INVOCATION_REMOTE;
    invocation->place = call;
    call->http.method = WEIR_STR("POST");
    call->http.url = model->url;
    call->http.headers = headers;
    call->http.header_count = count;
    call->http.body = invocation->payload.n > 0 ? invocation->payload : WEIR_STR("{}");
    call->http.timeout_ms = (uint32_t)model->timeout_ms;
    call->http.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    call->http.max_response_bytes = WEIR_FUNCTION_PAYLOAD_MAX;
    call->http.signer = model->runtime == WEIR_RUNTIME_LAMBDA ? &model->signer : NULL;
    call->http.done = on_done;
    call->http.arg = call;
    weir_http_client_call(function->functions->client, &call->http);
    weir_buf_fini(&context);
    weir_free(headers);
}

void weir_remote_serve(struct weir_function *function)
{
    struct weir_functions *functions = function->functions;
    while (functions->client != NULL && !functions->stopping &&
            function->busy_count < function->model->concurrency && function->first != NULL) {
        begin(function, weir_function_take(function));
    }
}

/* --- ends ---------------------------------------------------------------------------- */

void weir_remote_cancel(struct weir_remote_call *call)
{
    weir_http_client_cancel(call->function->functions->client, &call->http);
    unlink_call(call);
    struct weir_function *function = call->function;
    free_call(call);
    weir_remote_serve(function);
}

void weir_remote_stop(struct weir_function *function)
{
    while (function->calls != NULL) {
        struct weir_remote_call *call = function->calls;
        struct weir_invocation *invocation = call->invocation;
        weir_remote_cancel(call);
        weir_fail(&invocation->err, WEIR_E_CLOSED, "weir is stopping");
        weir_function_finish(function, invocation, WEIR_FUNCTION_BLOCKED, weir_str(NULL, 0));
    }
}

void weir_remote_destroy(struct weir_function *function)
{
    while (function->calls != NULL) {
        weir_remote_cancel(function->calls);
    }
}
