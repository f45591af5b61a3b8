/* One process of a function, from its start to its end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "function/function_int.h"

enum {
    CONNECTIONS_MAX = 16,
    BODY_MAX_BYTES = 64 << 20,           /* beyond it the listener itself refuses, and hangs up */
    LISTENER_IDLE_MS = 24 * 3600 * 1000, /* a runtime is silent for as long as its handler runs */
    TERM_GRACE_MS = 2000,
    MEMORY_LOOK_MS = 100,
    NS_PER_US = 1000,
    ERROR_TEXT_BYTES = 256,
};

static uint64_t now_ns(const struct weir_instance *instance)
{
    return weir_clock_monotonic_ns(weir_loop_clock(instance->function->functions->options.loop));
}

/* --- states -------------------------------------------------------------------------- */

static void count(struct weir_function *function, enum weir_instance_state state, size_t n)
{
    if (state == WEIR_INSTANCE_STARTING) {
        function->starting_count += n;
    } else if (state == WEIR_INSTANCE_BUSY || state == WEIR_INSTANCE_ANSWERED) {
        function->busy_count += n;
        function->answered_count += state == WEIR_INSTANCE_ANSWERED ? n : 0;
    }
}

/* Change the state, and count it. Being idle is the pool's to list and count. */
static void enter(struct weir_instance *instance, enum weir_instance_state state)
{
    count(instance->function, instance->state, (size_t)-1);
    instance->state = state;
    count(instance->function, state, 1);
    weir_gauge_set(instance->function->concurrent, (int64_t)instance->function->busy_count);
}

/* --- the end of an invocation -------------------------------------------------------- */

static void fill(struct weir_instance *instance, struct weir_invocation *invocation)
{
    invocation->duration_us = (now_ns(instance) - instance->started_ns) / NS_PER_US;
    if (instance->child != NULL) {
        weir_child_drain(instance->child);
    }
    invocation->log_tail = invocation->want_log
                                   ? weir_output_tail(instance, invocation->duration_us)
                                   : weir_str(NULL, 0);
}

/* The invocation ends; the instance is in its next state already, and may be freed by done. */
static void finish(struct weir_instance *instance, enum weir_function_outcome outcome,
        struct weir_str response)
{
    struct weir_invocation *invocation = WEIR_TAKE(instance->invocation);
    if (invocation != NULL) {
        fill(instance, invocation);
        weir_function_finish(instance->function, invocation, outcome, response);
    }
}

/* As finish, with an error object in Lambda's words. err has the message. */
static void finish_with(
        struct weir_instance *instance, const char *type, const struct weir_err *err)
{
    struct weir_invocation *invocation = instance->invocation;
    if (invocation == NULL) {
        return;
    }
    struct weir_buf body;
    weir_buf_init(&body, WEIR_FUNCTION_PAYLOAD_MAX);
    weir_buf_printf(&body, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: %s Error: ", type,
            invocation->request_id);
    weir_buf_printf(&body, "%s\"}", err->msg);
    invocation->err = *err;
    finish(instance, WEIR_FUNCTION_RETRYABLE, weir_buf_view(&body));
    weir_buf_fini(&body);
}

/* --- failures ------------------------------------------------------------------------ */

/* Kill it now: nothing that it says counts any more. */
static void kill_now(struct weir_instance *instance)
{
    enter(instance, WEIR_INSTANCE_STOPPING);
    weir_loop_timer_stop(&instance->timer);
    weir_loop_timer_stop(&instance->memory_timer);
    weir_child_kill(instance->child);
}

/*
 * An instance that never asked for an event has ended, or is as good as ended: the invocation that
 * has waited longest gets the error, so that whoever invokes learns what is wrong.
 */
static void fail_start(struct weir_instance *instance, const char *type, const struct weir_err *err,
        struct weir_str reported)
{
    struct weir_function *function = instance->function;
    struct weir_invocation *invocation = weir_function_take(function);
    instance->invocation = invocation;
    if (invocation != NULL && reported.n > 0) {
        invocation->err = *err;
        finish(instance, WEIR_FUNCTION_ERROR, reported);
    } else {
        finish_with(instance, type, err);
    }
    weir_function_failed(function, err->msg);
}

static void time_out(struct weir_instance *instance)
{
    struct weir_function *function = instance->function;
    enum weir_instance_state state = instance->state;
    uint64_t ms = state == WEIR_INSTANCE_STARTING ? function->model->init_timeout_ms
                                                  : function->model->timeout_ms;
    struct weir_err err = { 0 };
    weir_fail(&err, WEIR_E_TIMEOUT, "Task timed out after %llu.%02llu seconds",
            (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 10));
    weir_function_log(function, WEIR_LOG_WARN, "function.timed_out", instance->number,
            instance->request_id, "%s",
            state == WEIR_INSTANCE_STARTING   ? "it did not ask for its first event in time"
            : state == WEIR_INSTANCE_ANSWERED ? "it answered, and then did not ask for more"
                                              : err.msg);
    kill_now(instance);
    if (state == WEIR_INSTANCE_STARTING) {
        fail_start(instance, "Sandbox.Timedout", &err, weir_str(NULL, 0));
    } else {
        finish_with(instance, "Sandbox.Timedout", &err);
    }
}

static void look_at_memory(struct weir_loop_timer *timer)
{
    struct weir_instance *instance = WEIR_CONTAINER(timer, struct weir_instance, memory_timer);
    struct weir_function *function = instance->function;
    uint64_t bytes = weir_memory_of(weir_child_pid(instance->child));
    if (bytes > instance->most_memory_bytes) {
        instance->most_memory_bytes = bytes;
    }
    if (function->model->memory_bytes == 0 || instance->cgroup != NULL ||
            bytes <= function->model->memory_bytes) {
        weir_loop_timer_start(timer, MEMORY_LOOK_MS);
        return;
    }
    struct weir_err err = { 0 };
    weir_function_log(function, WEIR_LOG_WARN, "function.out_of_memory", instance->number,
            instance->request_id, "it uses %llu MiB, and may use %llu",
            (unsigned long long)(bytes >> 20),
            (unsigned long long)(function->model->memory_bytes >> 20));
    weir_fail(&err, WEIR_E_LIMIT, "Runtime exited with error: signal: killed");
    kill_now(instance);
    finish_with(instance, "Runtime.OutOfMemory", &err);
}

/* --- the timer ----------------------------------------------------------------------- */

static void stop_idle(struct weir_instance *instance)
{
    struct weir_function *function = instance->function;
    if (function->starting_count + function->idle_count + function->busy_count <=
            function->model->keep_warm) {
        weir_loop_timer_start(&instance->timer, function->model->idle_ms);
        return;
    }
    weir_instance_stop(instance, TERM_GRACE_MS);
}

static void on_timer(struct weir_loop_timer *timer)
{
    struct weir_instance *instance = WEIR_CONTAINER(timer, struct weir_instance, timer);
    if (instance->state == WEIR_INSTANCE_IDLE) {
        stop_idle(instance);
    } else if (instance->state == WEIR_INSTANCE_STOPPING) {
        weir_child_kill(instance->child);
    } else {
        time_out(instance);
    }
}

/* --- what the runtime says ----------------------------------------------------------- */

static void runtime_gone(struct weir_http_request *request)
{
    struct weir_instance *instance = request->owner;
    if (instance == NULL || instance->parked != request) {
        return;
    }
    /* It hung up without ending: it may ask again, and until then has no event to get. */
    instance->parked = NULL;
    if (instance->state == WEIR_INSTANCE_IDLE) {
        weir_function_unlist(instance);
        enter(instance, WEIR_INSTANCE_ANSWERED);
        weir_loop_timer_start(&instance->timer, instance->function->model->timeout_ms);
    }
}

void weir_instance_asks(struct weir_instance *instance, struct weir_http_request *request)
{
    instance->parked = request;
    request->owner = instance;
    request->on_gone = runtime_gone;
    weir_loop_timer_stop(&instance->memory_timer);
    instance->request_id[0] = '\0';
    enter(instance, WEIR_INSTANCE_IDLE);
    weir_loop_timer_start(&instance->timer, instance->function->model->idle_ms);
    weir_function_ready(instance);
}

void weir_instance_begin(struct weir_instance *instance, struct weir_invocation *invocation)
{
    const struct weir_function_model *model = instance->function->model;
    instance->invocation = invocation;
    invocation->phase = WEIR_INVOCATION_RUNNING;
    invocation->place = instance;
    instance->started_ns = now_ns(instance);
    memcpy(instance->request_id, invocation->request_id, sizeof(instance->request_id));
    weir_child_drain(instance->child); /* what it wrote before is not this invocation's */
    weir_output_begin(instance);
    enter(instance, WEIR_INSTANCE_BUSY);
    weir_loop_timer_start(&instance->timer, model->timeout_ms);
    weir_loop_timer_start(&instance->memory_timer, MEMORY_LOOK_MS);
    weir_runtime_api_send(instance, invocation);
}

/* An answer came through; the time-out goes on until it asks for the next event. */
static void answered(
        struct weir_instance *instance, enum weir_function_outcome outcome, struct weir_str body)
{
    instance->function->failures = 0;
    enter(instance, WEIR_INSTANCE_ANSWERED);
    finish(instance, outcome, body);
}

/* What is too large is refused in Lambda's words, whatever it is. */
static void answer_too_large(struct weir_instance *instance, size_t bytes)
{
    char text[ERROR_TEXT_BYTES];
    int n = snprintf(text, sizeof(text),
            "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload "
            "size (%zu bytes) exceeded maximum allowed payload size (%d bytes).\"}",
            bytes, WEIR_FUNCTION_PAYLOAD_MAX);
    if (instance->invocation != NULL) {
        weir_fail(&instance->invocation->err, WEIR_E_TOO_LARGE,
                "the answer has %zu bytes, and may have at most %d", bytes,
                WEIR_FUNCTION_PAYLOAD_MAX);
    }
    answered(instance, WEIR_FUNCTION_ERROR, weir_str(text, (size_t)n));
}

void weir_instance_answers(struct weir_instance *instance, struct weir_str body, bool failed)
{
    if (body.n > WEIR_FUNCTION_PAYLOAD_MAX) {
        answer_too_large(instance, body.n);
        return;
    }
    if (failed && instance->invocation != NULL) {
        weir_function_read_error(body, &instance->invocation->err);
    }
    answered(instance, failed ? WEIR_FUNCTION_ERROR : WEIR_FUNCTION_OK, body);
}

void weir_instance_gives_up(struct weir_instance *instance, struct weir_str body)
{
    struct weir_err err = { 0 };
    weir_function_read_error(body, &err);
    weir_function_log(instance->function, WEIR_LOG_ERROR, "function.start_failed", instance->number,
            "", "%s", err.msg);
    kill_now(instance);
    fail_start(instance, "Runtime.Unknown", &err, body);
}

/* --- its end ------------------------------------------------------------------------- */

static void unlink_instance(struct weir_instance *instance)
{
    struct weir_function *function = instance->function;
    *instance->back = instance->next;
    if (instance->next != NULL) {
        instance->next->back = instance->back;
    }
    if (instance->state == WEIR_INSTANCE_IDLE) {
        weir_function_unlist(instance);
    }
    count(function, instance->state, (size_t)-1);
    function->instance_count--;
    function->functions->instance_count--;
}

void weir_instance_destroy(struct weir_instance *instance)
{
    unlink_instance(instance);
    if (instance->parked != NULL) {
        instance->parked->owner = NULL;
    }
    weir_child_destroy(instance->child);
    weir_cgroup_destroy(instance->cgroup);
    weir_http_server_destroy(instance->server);
    weir_loop_timer_fini(&instance->timer);
    weir_loop_timer_fini(&instance->memory_timer);
    weir_buf_fini(&instance->lines[0]);
    weir_buf_fini(&instance->lines[1]);
    weir_buf_fini(&instance->tail);
    weir_free(instance);
}

/* In Lambda's words. */
static void describe_exit(struct weir_child_exit how, struct weir_err *err)
{
    if (how.signal != 0) {
        const char *name = how.signal == SIGKILL ? "killed" : sigabbrev_np(how.signal);
        weir_fail(err, WEIR_E_IO, "Runtime exited with error: signal: %s",
                name != NULL ? name : "unknown");
    } else if (how.status != 0) {
        weir_fail(err, WEIR_E_IO, "Runtime exited with error: exit status %d", how.status);
    } else {
        weir_fail(err, WEIR_E_IO, "Runtime exited without providing a reason");
    }
}

static void on_output(void *arg, enum weir_child_stream stream, struct weir_str bytes)
{
    weir_output_add(arg, stream, bytes);
}

static void on_exit(void *arg, struct weir_child_exit how)
{
    struct weir_instance *instance = arg;
    struct weir_function *function = instance->function;
    enum weir_instance_state state = instance->state;
    weir_output_end(instance);
    if (state != WEIR_INSTANCE_STOPPING) {
        struct weir_err err = { 0 };
        describe_exit(how, &err);
        bool too_much = instance->cgroup != NULL && weir_cgroup_has_killed(instance->cgroup);
        const char *type = too_much ? "Runtime.OutOfMemory" : "Runtime.ExitError";
        if (too_much) {
            weir_function_log(function, WEIR_LOG_WARN, "function.out_of_memory", instance->number,
                    instance->request_id, "it may use %llu MiB",
                    (unsigned long long)(function->model->memory_bytes >> 20));
        } else {
            weir_function_log(function, WEIR_LOG_WARN, "function.ended", instance->number,
                    instance->request_id, "%s", err.msg);
        }
        if (state == WEIR_INSTANCE_IDLE) {
            weir_function_unlist(instance);
        }
        enter(instance, WEIR_INSTANCE_STOPPING);
        if (state == WEIR_INSTANCE_STARTING) {
            fail_start(instance, type, &err, weir_str(NULL, 0));
        } else {
            finish_with(instance, type, &err);
            if (!too_much) { /* as when it is watched: the next event starts another at once */
                weir_function_failed(function, err.msg);
            }
        }
    }
    weir_instance_destroy(instance);
    weir_function_lost(function);
}

void weir_instance_stop(struct weir_instance *instance, uint64_t grace_ms)
{
    if (instance->state == WEIR_INSTANCE_IDLE) {
        weir_function_unlist(instance);
    }
    enter(instance, WEIR_INSTANCE_STOPPING);
    weir_loop_timer_stop(&instance->memory_timer);
    weir_loop_timer_start(&instance->timer, grace_ms);
    weir_child_signal(instance->child, SIGTERM);
    if (instance->invocation != NULL) {
        weir_fail(&instance->invocation->err, WEIR_E_CLOSED, "weir is stopping");
        finish(instance, WEIR_FUNCTION_BLOCKED, weir_str(NULL, 0));
    }
}

/* --- its start ----------------------------------------------------------------------- */

static enum weir_rc start_child(struct weir_instance *instance, struct weir_err *err)
{
    struct weir_function *function = instance->function;
    struct weir_arena arena;
    struct weir_instance_start start = { 0 };
    int script = -1;
    weir_arena_init(&arena);
    weir_environment_make(instance, &arena, &start);
    if (function->script >= 0) {
        char path[64]; /* opened anew, so that each instance reads from the beginning */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", function->script);
        script = open(path, O_RDONLY | O_CLOEXEC);
    }
    struct weir_child_options options = {
        .program = function->functions->program,
        .arguments = start.arguments,
        .environment = start.environment,
        .input = script,
        .on_output = on_output,
        .on_exit = on_exit,
        .arg = instance,
    };
    enum weir_rc rc =
            weir_child_create(function->functions->options.loop, &options, &instance->child, err);
    if (script >= 0) {
        close(script);
    }
    weir_arena_fini(&arena);
    return rc;
}

enum weir_rc weir_instance_create(struct weir_function *function, struct weir_err *err)
{
    struct weir_functions *functions = function->functions;
    struct weir_instance *instance = weir_alloc_zero(1, sizeof(*instance));
    instance->function = function;
    instance->number = ++functions->last_number;
    instance->state = WEIR_INSTANCE_STARTING;
    instance->next = function->instances;
    instance->back = &function->instances;
    if (instance->next != NULL) {
        instance->next->back = &instance->next;
    }
    function->instances = instance;
    function->instance_count++;
    functions->instance_count++;
    count(function, instance->state, 1);
    weir_buf_init(&instance->lines[0], WEIR_FUNCTION_LINE_MAX);
    weir_buf_init(&instance->lines[1], WEIR_FUNCTION_LINE_MAX);
    weir_buf_init(&instance->tail, 2 * WEIR_FUNCTION_LOG_TAIL + WEIR_FUNCTION_LINE_MAX);
    weir_loop_timer_init(&instance->timer, functions->options.loop, on_timer);
    weir_loop_timer_init(&instance->memory_timer, functions->options.loop, look_at_memory);
    struct weir_http_options http = {
        .address = "127.0.0.1",
        .max_body_bytes = BODY_MAX_BYTES,
        .max_connections = CONNECTIONS_MAX,
        .idle_timeout_ms = LISTENER_IDLE_MS,
        .handle = weir_runtime_api_handle,
        .arg = instance,
    };
    enum weir_rc rc =
            weir_http_server_create(functions->options.loop, &http, &instance->server, err);
    if (rc == WEIR_OK && functions->cgroup != NULL && function->model->memory_bytes > 0) {
        rc = weir_cgroup_create(functions->cgroup, instance->number, function->model->memory_bytes,
                &instance->cgroup, err);
    }
    if (rc == WEIR_OK) {
        rc = start_child(instance, err);
    }
    if (rc != WEIR_OK) {
        weir_instance_destroy(instance);
        return rc;
    }
    instance->started_ns = now_ns(instance);
    weir_loop_timer_start(&instance->timer, function->model->init_timeout_ms);
    weir_counter_add(function->cold_starts, 1);
    return WEIR_OK;
}
