/*
 * The Lambda Runtime API (2018-06-01), served to one instance:
 *
 *     GET  /runtime/invocation/next           the next event, when there is one
 *     POST /runtime/invocation/ID/response    what the handler answered
 *     POST /runtime/invocation/ID/error       how the handler failed
 *     POST /runtime/init/error                why there will be no handler
 *
 * Paths, headers, statuses and error types are those of the API's documentation and of AWS's own
 * emulator of it. An answer may come in chunks (the streaming mode of official clients); it is
 * gathered. An answer with the header Weir-Next (weir's own scripts send it) asks for the next
 * event as well, which is what it is answered with: half the requests, and the runtime wakes once
 * an event.
 */
#include <stdio.h>

#include "base/clock.h"
#include "function/function_int.h"

enum { BODY_BYTES = 256, NUMBER_BYTES = 24, TRACE_BYTES = 96 };

static void respond(struct weir_http_request *request, int status, struct weir_str body)
{
    struct weir_http_header header = { WEIR_STR("Content-Type"), WEIR_STR("application/json") };
    weir_http_respond(request, status, &header, 1, body);
}

static void respond_error(
        struct weir_http_request *request, int status, const char *type, const char *message)
{
    char body[BODY_BYTES];
    int n = snprintf(
            body, sizeof(body), "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}", message, type);
    respond(request, status, weir_str(body, (size_t)n));
}

static void accept(struct weir_http_request *request)
{
    respond(request, 202, WEIR_STR("{\"status\":\"OK\"}"));
}

void weir_runtime_api_send(struct weir_instance *instance, const struct weir_invocation *invocation)
{
    const struct weir_function *function = instance->function;
    struct weir_functions *functions = function->functions;
    const struct weir_clock *clock = weir_loop_clock(functions->options.loop);
    struct weir_time now = weir_clock_wall(clock);
    char deadline[NUMBER_BYTES];
    char trace[TRACE_BYTES];
    struct weir_buf arn;
    weir_buf_init(&arn, 512);
    weir_functions_write_arn(functions, function->model->name, &arn);
    int deadline_n = snprintf(deadline, sizeof(deadline), "%lld",
            (long long)now.ms + (long long)function->model->timeout_ms);
    int trace_n = snprintf(trace, sizeof(trace), "Root=1-%08x-%08x%016llx;Parent=%016llx;Sampled=0",
            (unsigned)(now.ms / 1000), (unsigned)weir_random_u64(&functions->random),
            (unsigned long long)weir_random_u64(&functions->random),
            (unsigned long long)weir_random_u64(&functions->random));
    struct weir_http_header headers[6] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/json") },
        { WEIR_STR("Lambda-Runtime-Aws-Request-Id"), weir_str_z(invocation->request_id) },
        { WEIR_STR("Lambda-Runtime-Deadline-Ms"), weir_str(deadline, (size_t)deadline_n) },
        { WEIR_STR("Lambda-Runtime-Invoked-Function-Arn"), weir_buf_view(&arn) },
        { WEIR_STR("Lambda-Runtime-Trace-Id"), weir_str(trace, (size_t)trace_n) },
        { WEIR_STR("Lambda-Runtime-Client-Context"), invocation->client_context },
    };
    struct weir_http_request *request = WEIR_TAKE(instance->parked);
    request->owner = NULL;
    weir_http_respond(request, 200, headers,
            WEIR_COUNT(headers) - (invocation->client_context.n == 0 ? 1 : 0),
            invocation->payload.n > 0 ? invocation->payload : WEIR_STR("{}"));
    weir_buf_fini(&arn);
}

static void handle_next(struct weir_instance *instance, struct weir_http_request *request)
{
    if (instance->state != WEIR_INSTANCE_STARTING && instance->state != WEIR_INSTANCE_ANSWERED) {
        respond_error(request, 403, "InvalidStateTransition",
                "an event is under way, or asked for already, or the instance is being stopped");
        return;
    }
    weir_instance_asks(instance, request);
}

/* rest is "ID/response" or "ID/error". */
static void handle_answer(
        struct weir_instance *instance, struct weir_http_request *request, struct weir_str rest)
{
    const char *slash = memchr(rest.p, '/', rest.n);
    size_t n = slash != NULL ? (size_t)(slash - rest.p) : rest.n;
    struct weir_str id = weir_str(rest.p, n);
    struct weir_str verb = weir_str(rest.p + n, rest.n - n);
    bool failed = weir_str_eq(verb, WEIR_STR("/error"));
    if (!failed && !weir_str_eq(verb, WEIR_STR("/response"))) {
        respond_error(request, 404, "NotFound", "there is nothing at this path");
        return;
    }
    if (instance->state != WEIR_INSTANCE_BUSY ||
            !weir_str_eq(id, weir_str_z(instance->request_id))) {
        respond_error(request, 400, "InvalidRequestID", "Invalid request ID");
        return;
    }
    weir_instance_answers(instance, request->body, failed);
    if (weir_http_find(request, WEIR_STR("Weir-Next")).p != NULL) {
        handle_next(instance, request);
    } else if (request->body.n > WEIR_FUNCTION_PAYLOAD_MAX) {
        char message[BODY_BYTES];
        snprintf(message, sizeof(message), "Exceeded maximum allowed payload size (%d bytes).",
                WEIR_FUNCTION_PAYLOAD_MAX);
        respond_error(request, 413, "RequestEntityTooLarge", message);
    } else {
        accept(request);
    }
}

void weir_runtime_api_handle(struct weir_http_request *request, void *arg)
{
    static const struct weir_str root = { "/2018-06-01/runtime/", 20 };
    static const struct weir_str invocation = { "invocation/", 11 };
    struct weir_instance *instance = arg;
    struct weir_str path = request->path;
    if (!weir_str_starts(path, root)) {
        respond_error(request, 404, "NotFound", "there is nothing at this path");
        return;
    }
    path = weir_str(path.p + root.n, path.n - root.n);
    if (request->method == WEIR_HTTP_GET && weir_str_eq(path, WEIR_STR("invocation/next"))) {
        handle_next(instance, request);
    } else if (request->method == WEIR_HTTP_POST && weir_str_starts(path, invocation)) {
        handle_answer(instance, request, weir_str(path.p + invocation.n, path.n - invocation.n));
    } else if (request->method == WEIR_HTTP_POST && weir_str_eq(path, WEIR_STR("init/error"))) {
        if (instance->state == WEIR_INSTANCE_STARTING) {
            weir_instance_gives_up(instance, request->body);
            accept(request);
        } else {
            respond_error(request, 403, "InvalidStateTransition", "the start is over");
        }
    } else {
        respond_error(request, 404, "NotFound", "there is nothing at this path");
    }
}
