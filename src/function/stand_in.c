/*
 * Stand-ins for functions: nothing is started; what becomes of an invocation is said by whoever
 * tests or simulates, and comes after the time that it would take. Concurrency, queue and time-out
 * are those of the function.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "function/function_int.h"
#include "value/json.h"

enum { ERROR_BYTES = 64 * 1024, US_PER_MS = 1000 };

/* An invocation under way. */
struct weir_stand_in_call {
    struct weir_loop_timer timer; /* fires when it is over */
    struct weir_function *function;
    struct weir_invocation *invocation;
    struct weir_stand_in reply; /* its texts are the call's */
    struct weir_arena arena;
    struct weir_stand_in_call *next; /* of the function's */
    struct weir_stand_in_call **back;
};

static void free_call(struct weir_stand_in_call *call)
{
    struct weir_function *function = call->function;
    *call->back = call->next;
    if (call->next != NULL) {
        call->next->back = call->back;
    }
    function->busy_count--;
    weir_gauge_set(function->concurrent, (int64_t)function->busy_count);
    weir_loop_timer_fini(&call->timer);
    weir_arena_fini(&call->arena);
    weir_free(call);
}

/* The error object that Lambda answers with. */
static struct weir_str error_object(
        struct weir_arena *arena, const char *type, struct weir_str message)
{
    struct weir_buf buf;
    weir_buf_init(&buf, ERROR_BYTES);
    weir_buf_printf(&buf, "{\"errorType\":\"%s\",\"errorMessage\":", type);
    weir_json_write_string(&buf, message);
    weir_buf_byte(&buf, '}');
    struct weir_str object = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return object;
}

/* What came of it, as a real one would have had it. */
static void settle_reply(struct weir_stand_in_call *call, const struct weir_stand_in *said)
{
    const struct weir_function_model *model = call->function->model;
    struct weir_stand_in *reply = &call->reply;
    reply->takes_ms = said->takes_ms;
    reply->outcome = said->outcome;
    reply->message = weir_arena_str(&call->arena, said->message);
    if (said->takes_ms > model->timeout_ms) {
        reply->takes_ms = model->timeout_ms;
        reply->outcome = WEIR_FUNCTION_RETRYABLE;
        reply->message = weir_arena_printf(&call->arena, "Task timed out after %llu.%02llu seconds",
                (unsigned long long)(model->timeout_ms / 1000),
                (unsigned long long)(model->timeout_ms % 1000 / 10));
        reply->response = error_object(&call->arena, "Sandbox.Timedout", reply->message);
    } else if (said->outcome == WEIR_FUNCTION_OK) {
        reply->response = weir_arena_str(&call->arena, said->response);
    } else if (said->outcome != WEIR_FUNCTION_BLOCKED) {
        reply->response = error_object(&call->arena, "Error", reply->message);
    }
}

static void call_over(struct weir_loop_timer *timer)
{
    struct weir_stand_in_call *call = WEIR_CONTAINER(timer, struct weir_stand_in_call, timer);
    struct weir_function *function = call->function;
    struct weir_invocation *invocation = call->invocation;
    const struct weir_stand_in reply = call->reply;
    struct weir_arena arena = call->arena; /* the response lives in it until done has seen it */
    call->arena = (struct weir_arena){ 0 };
    free_call(call);
    if (reply.outcome != WEIR_FUNCTION_OK) {
        weir_fail(&invocation->err,
                reply.outcome == WEIR_FUNCTION_BLOCKED ? WEIR_E_BUSY : WEIR_E_IO, "%.*s",
                WEIR_STR_ARG(reply.message));
    }
    invocation->duration_us = reply.takes_ms * US_PER_MS;
    weir_function_finish(function, invocation, reply.outcome, reply.response);
    weir_arena_fini(&arena);
    weir_stand_in_serve(function);
}

static void begin(struct weir_function *function, struct weir_invocation *invocation)
{
    const struct weir_functions_options *options = &function->functions->options;
    struct weir_stand_in_call *call = weir_alloc_zero(1, sizeof(*call));
    call->function = function;
    call->invocation = invocation;
    call->next = function->stand_ins;
    call->back = &function->stand_ins;
    if (call->next != NULL) {
        call->next->back = &call->next;
    }
    function->stand_ins = call;
    function->busy_count++;
    weir_gauge_set(function->concurrent, (int64_t)function->busy_count);
    weir_arena_init(&call->arena);
    invocation->phase = WEIR_INVOCATION_STAND_IN;
    invocation->place = call;
    struct weir_stand_in said =
            options->stand_in(options->stand_in_arg, function->model, invocation);
    settle_reply(call, &said);
    weir_loop_timer_init(&call->timer, options->loop, call_over);
    weir_loop_timer_start(&call->timer, call->reply.takes_ms);
}

void weir_stand_in_serve(struct weir_function *function)
{
    while (!function->functions->stopping && function->busy_count < function->model->concurrency &&
            function->first != NULL) {
        begin(function, weir_function_take(function));
    }
}

void weir_stand_in_cancel(struct weir_stand_in_call *call)
{
    struct weir_function *function = call->function;
    free_call(call);
    weir_stand_in_serve(function);
}

void weir_stand_in_stop(struct weir_function *function)
{
    while (function->stand_ins != NULL) {
        struct weir_invocation *invocation = function->stand_ins->invocation;
        free_call(function->stand_ins);
        weir_fail(&invocation->err, WEIR_E_CLOSED, "weir is stopping");
        weir_function_finish(function, invocation, WEIR_FUNCTION_BLOCKED, weir_str(NULL, 0));
    }
}

void weir_stand_in_destroy(struct weir_function *function)
{
    while (function->stand_ins != NULL) {
        free_call(function->stand_ins);
    }
}
