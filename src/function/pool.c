/* Functions as pools: who waits, who runs, when an instance is started, and back-offs. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "function/function_int.h"
#include "value/json.h"

enum {
    REST_FIRST_MS = 1000,
    REST_MAX_MS = 60 * 1000,
    PATIENCE_MS = 10, /* how long an instance that has answered may take to ask for more */
    SECONDS_FIRST_US = 64,
    NS_PER_MS = 1000 * 1000,
    LOG_TEXT_BYTES = 512,
};

static uint64_t now_ns(const struct weir_functions *functions)
{
    return weir_clock_monotonic_ns(weir_loop_clock(functions->options.loop));
}

const char *weir_function_runtime_name(enum weir_function_runtime runtime)
{
    static const char *const names[] = { "command", "node", "python", "http", "lambda" };
    return names[runtime];
}

bool weir_function_is_remote(const struct weir_function *function)
{
    return function->model->runtime == WEIR_RUNTIME_HTTP ||
           function->model->runtime == WEIR_RUNTIME_LAMBDA;
}

void weir_function_log(const struct weir_function *function, enum weir_level level,
        const char *what, uint64_t instance, const char *request_id, const char *fmt, ...)
{
    const struct weir_functions_options *options = &function->functions->options;
    if (options->log == NULL) {
        return;
    }
    char text[LOG_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct weir_function_event event = { level, what, function->model->name, request_id, instance,
        weir_str_z(text) };
    options->log(options->arg, &event);
}

/* --- invocations --------------------------------------------------------------------- */

/* A post has run that was counted: whether there is anything left to do it for. */
static bool arrived(struct weir_functions *functions)
{
    functions->posts--;
    if (functions->destroyed && functions->posts == 0) {
        weir_free(functions->all);
        weir_free(functions);
        return false;
    }
    return !functions->destroyed;
}

static void refused_posted(struct weir_post *post)
{
    struct weir_functions *functions = WEIR_CONTAINER(post, struct weir_functions, refused_post);
    functions->refused_posted = false;
    if (!arrived(functions)) {
        return;
    }
    /* What done invokes again is refused in a post of its own; what it cancels leaves the list. */
    while (functions->refused != NULL && !functions->refused_posted) {
        struct weir_invocation *invocation = functions->refused;
        functions->refused = invocation->next;
        invocation->done(invocation);
    }
}

/* Tell an invocation, soon, that nothing comes of it. */
static void refuse(struct weir_functions *functions, struct weir_invocation *invocation,
        enum weir_function_outcome outcome)
{
    invocation->outcome = outcome;
    invocation->phase = WEIR_INVOCATION_REFUSED;
    invocation->next = functions->refused;
    functions->refused = invocation;
    if (!functions->refused_posted) {
        functions->refused_posted = true;
        functions->posts++;
        weir_loop_post(functions->options.loop, &functions->refused_post);
    }
}

void weir_function_finish(struct weir_function *function, struct weir_invocation *invocation,
        enum weir_function_outcome outcome, struct weir_str response)
{
    invocation->outcome = outcome;
    invocation->response = response;
    if (outcome == WEIR_FUNCTION_BLOCKED) {
        weir_counter_add(function->throttles, 1);
    } else {
        weir_counter_add(function->invocations, 1);
        weir_histogram_add(function->seconds, invocation->duration_us);
    }
    if (outcome == WEIR_FUNCTION_ERROR || outcome == WEIR_FUNCTION_RETRYABLE) {
        weir_counter_add(function->errors, 1);
    }
    invocation->done(invocation);
}

struct weir_invocation *weir_function_take(struct weir_function *function)
{
    struct weir_invocation *invocation = function->first;
    if (invocation != NULL) {
        function->first = invocation->next;
        function->last = function->first != NULL ? function->last : &function->first;
        function->waiting_count--;
        weir_gauge_set(function->waiting, (int64_t)function->waiting_count);
    }
    return invocation;
}

/* Let go of everything that waits, with what err says. */
static void block_waiting(struct weir_function *function, const struct weir_err *err)
{
    /* What done invokes again comes behind and is refused by its own rules. */
    for (size_t n = function->waiting_count; n > 0; n--) {
        struct weir_invocation *invocation = weir_function_take(function);
        invocation->err = *err;
        weir_function_finish(function, invocation, WEIR_FUNCTION_BLOCKED, weir_str(NULL, 0));
    }
}

/* Instances that serve, or will. */
static size_t living(const struct weir_function *function)
{
    return function->starting_count + function->idle_count + function->busy_count;
}

/* WEIR_OK when an invocation may wait. Errors: WEIR_E_CLOSED, WEIR_E_BUSY. */
static enum weir_rc check_queue(const struct weir_function *function, struct weir_err *err)
{
    const struct weir_function_model *model = function->model;
    if (function->functions->stopping) {
        return weir_fail(err, WEIR_E_CLOSED, "weir is stopping");
    }
    if (function->resting && living(function) == 0) {
        uint64_t now = now_ns(function->functions);
        uint64_t left_ns = function->rest_until_ns > now ? function->rest_until_ns - now : 0;
        return weir_fail(err, WEIR_E_BUSY, "function %.*s is started again in %llu ms: %s",
                WEIR_STR_ARG(model->name), (unsigned long long)(left_ns / NS_PER_MS),
                function->reason);
    }
    if (function->waiting_count >= model->max_queue) {
        return weir_fail(err, WEIR_E_BUSY,
                "function %.*s runs %zu times at once and %zu invocations wait: no more may "
                "(concurrency, max_queue)",
                WEIR_STR_ARG(model->name), function->busy_count, function->waiting_count);
    }
    return WEIR_OK;
}

/* --- instances ----------------------------------------------------------------------- */

/*
 * Whether one more is wanted, and allowed. Instances that have just answered are about to ask for
 * the next event; so they count, for as long as one is patient.
 */
static bool wants_instance(const struct weir_function *function, bool patient)
{
    const struct weir_functions *functions = function->functions;
    if (functions->endpoint == NULL || functions->stopping || function->resting ||
            weir_function_is_remote(function) ||
            function->instance_count >= function->model->concurrency) {
        return false;
    }
    size_t coming = function->starting_count + (patient ? function->answered_count : 0);
    return coming < function->waiting_count || living(function) < function->model->keep_warm;
}

static void start_instances(struct weir_function *function, bool patient)
{
    while (wants_instance(function, patient)) {
        struct weir_err err = { 0 };
        if (weir_instance_create(function, &err) != WEIR_OK) {
            weir_function_failed(function, err.msg);
        }
    }
}

static void patience_over(struct weir_loop_timer *timer)
{
    struct weir_function *function = WEIR_CONTAINER(timer, struct weir_function, patience_timer);
    function->patient = false;
    start_instances(function, false);
}

static void scale(struct weir_function *function)
{
    start_instances(function, true);
    if (!function->patient && wants_instance(function, false)) {
        function->patient = true;
        weir_loop_timer_start(&function->patience_timer, PATIENCE_MS);
    }
}

static void scale_posted(struct weir_post *post)
{
    struct weir_function *function = WEIR_CONTAINER(post, struct weir_function, scale_post);
    function->scale_posted = false;
    if (arrived(function->functions)) {
        scale(function);
    }
}

/*
 * Starting waits until the loop has looked for I/O: an instance that has just answered asks for
 * its next event in the same breath, and a cold start would come to nothing.
 */
static void scale_soon(struct weir_function *function)
{
    if (!function->scale_posted && !function->functions->stopping) {
        function->scale_posted = true;
        function->functions->posts++;
        weir_loop_defer(function->functions->options.loop, &function->scale_post);
    }
}

void weir_function_failed(struct weir_function *function, const char *reason)
{
    uint64_t ms = REST_FIRST_MS;
    for (unsigned i = 0; i < function->failures && ms < REST_MAX_MS; i++) {
        ms *= 2;
    }
    ms = ms < REST_MAX_MS ? ms : REST_MAX_MS;
    function->failures++;
    function->resting = true;
    function->rest_until_ns = now_ns(function->functions) + ms * NS_PER_MS;
    snprintf(function->reason, sizeof(function->reason), "%s", reason);
    weir_loop_timer_start(&function->rest_timer, ms);
    weir_function_log(function, WEIR_LOG_WARN, "function.resting", 0, "",
            "%s; no instance is started for %llu ms", reason, (unsigned long long)ms);
    if (living(function) == 0 && function->waiting_count > 0) {
        struct weir_err err = { 0 };
        if (check_queue(function, &err) != WEIR_OK) {
            block_waiting(function, &err);
        }
    }
}

static void rest_over(struct weir_loop_timer *timer)
{
    struct weir_function *function = WEIR_CONTAINER(timer, struct weir_function, rest_timer);
    function->resting = false;
    scale(function);
}

void weir_function_unlist(struct weir_instance *instance)
{
    struct weir_function *function = instance->function;
    for (struct weir_instance **at = &function->idle; *at != NULL; at = &(*at)->next_idle) {
        if (*at == instance) {
            *at = instance->next_idle;
            function->idle_count--;
            return;
        }
    }
}

void weir_function_ready(struct weir_instance *instance)
{
    struct weir_function *function = instance->function;
    struct weir_invocation *invocation = weir_function_take(function);
    if (invocation != NULL) {
        weir_instance_begin(instance, invocation);
        return;
    }
    instance->next_idle = function->idle;
    function->idle = instance;
    function->idle_count++;
}

/* Say that all have stopped, when they have and someone waits for it. */
static void post_stopped(struct weir_functions *functions)
{
    if (functions->stopping && functions->instance_count == 0 && functions->stopped != NULL) {
        functions->posts++;
        weir_loop_post(functions->options.loop, &functions->stopped_post);
    }
}

void weir_function_lost(struct weir_function *function)
{
    struct weir_functions *functions = function->functions;
    scale_soon(function);
    post_stopped(functions);
}

/* --- invoking ------------------------------------------------------------------------ */

static struct weir_function *find(const struct weir_functions *functions, struct weir_str name)
{
    for (size_t i = 0; i < functions->count; i++) {
        if (weir_str_eq(functions->all[i].model->name, name)) {
            return &functions->all[i];
        }
    }
    return NULL;
}

void weir_functions_invoke(struct weir_functions *functions, struct weir_invocation *invocation)
{
    struct weir_function *function = find(functions, invocation->function);
    invocation->place = NULL;
    invocation->err = (struct weir_err){ 0 };
    invocation->response = weir_str(NULL, 0);
    invocation->log_tail = weir_str(NULL, 0);
    invocation->duration_us = 0;
    if (invocation->id.n == WEIR_UUID_TEXT - 1) {
        memcpy(invocation->request_id, invocation->id.p, invocation->id.n);
        invocation->request_id[invocation->id.n] = '\0';
    } else {
        weir_random_uuid(&functions->random, invocation->request_id);
    }
    if (function == NULL) {
        weir_fail(&invocation->err, WEIR_E_NOT_FOUND, "there is no function %.*s",
                WEIR_STR_ARG(invocation->function));
        refuse(functions, invocation, WEIR_FUNCTION_BLOCKED);
        return;
    }
    if (invocation->payload.n > WEIR_FUNCTION_PAYLOAD_MAX) {
        weir_fail(&invocation->err, WEIR_E_TOO_LARGE,
                "the event has %zu bytes, and a function takes at most %d", invocation->payload.n,
                WEIR_FUNCTION_PAYLOAD_MAX);
        refuse(functions, invocation, WEIR_FUNCTION_FINAL);
        return;
    }
    struct weir_instance *idle = functions->stopping ? NULL : function->idle;
    if (idle != NULL) {
        weir_function_unlist(idle);
        weir_instance_begin(idle, invocation);
        return;
    }
    if (check_queue(function, &invocation->err) != WEIR_OK) {
        weir_counter_add(function->throttles, 1);
        refuse(functions, invocation, WEIR_FUNCTION_BLOCKED);
        return;
    }
    invocation->phase = WEIR_INVOCATION_WAITING;
    invocation->place = function;
    invocation->next = NULL;
    *function->last = invocation;
    function->last = &invocation->next;
    function->waiting_count++;
    weir_gauge_set(function->waiting, (int64_t)function->waiting_count);
    if (functions->options.stand_in != NULL) {
        weir_stand_in_serve(function);
    } else if (weir_function_is_remote(function)) {
        weir_remote_serve(function);
    } else {
        scale_soon(function);
    }
}

/* Take one out of a list; whether it was the last of it. */
static bool take_out(struct weir_invocation **at, const struct weir_invocation *invocation,
        struct weir_invocation ***ret_at)
{
    while (*at != invocation) {
        at = &(*at)->next;
    }
    *at = invocation->next;
    *ret_at = at;
    return *at == NULL;
}

void weir_functions_cancel(struct weir_functions *functions, struct weir_invocation *invocation)
{
    struct weir_invocation **at = NULL;
    if (invocation->phase == WEIR_INVOCATION_REFUSED) {
        take_out(&functions->refused, invocation, &at);
    } else if (invocation->phase == WEIR_INVOCATION_WAITING) {
        struct weir_function *function = invocation->place;
        if (take_out(&function->first, invocation, &at)) {
            function->last = at;
        }
        function->waiting_count--;
        weir_gauge_set(function->waiting, (int64_t)function->waiting_count);
    } else if (invocation->phase == WEIR_INVOCATION_REMOTE) {
        weir_remote_cancel(invocation->place);
    } else if (invocation->phase == WEIR_INVOCATION_STAND_IN) {
        weir_stand_in_cancel(invocation->place);
    } else {
        struct weir_instance *instance = invocation->place;
        instance->invocation = NULL;
    }
}

/* --- life ---------------------------------------------------------------------------- */

static void make_metrics(struct weir_function *function)
{
    struct weir_metrics *metrics = function->functions->options.metrics;
    char labels[WEIR_FUNCTION_NAME_MAX + 32];
    snprintf(labels, sizeof(labels), "function=\"%.*s\"", WEIR_STR_ARG(function->model->name));
    function->invocations = weir_metrics_counter(metrics, "weir_function_invocations_total", labels,
            "Invocations that ran, or failed to");
    function->errors = weir_metrics_counter(metrics, "weir_function_errors_total", labels,
            "Invocations that failed: by the handler, a time-out, its memory or its end");
    function->throttles = weir_metrics_counter(metrics, "weir_function_throttles_total", labels,
            "Invocations refused: queue full, or no instance to be had");
    function->cold_starts = weir_metrics_counter(
            metrics, "weir_function_cold_starts_total", labels, "Instances started");
    function->concurrent =
            weir_metrics_gauge(metrics, "weir_function_concurrent", labels, "Invocations that run");
    function->waiting = weir_metrics_gauge(metrics, "weir_function_waiting_invocations", labels,
            "Invocations that wait for an instance");
    function->seconds = weir_metrics_histogram(metrics, "weir_function_duration_seconds", labels,
            "Time that handlers took", SECONDS_FIRST_US, 1e-6);
}

/* A shim as a file in memory, which instances read as their standard input. */
static enum weir_rc make_script(struct weir_function *function, struct weir_err *err)
{
    const char *text = function->model->runtime == WEIR_RUNTIME_NODE     ? weir_shim_node
                       : function->model->runtime == WEIR_RUNTIME_PYTHON ? weir_shim_python
                                                                         : NULL;
    function->script = -1;
    if (text == NULL) {
        return WEIR_OK;
    }
    size_t n = strlen(text);
    function->script = memfd_create("weir-shim", MFD_CLOEXEC);
    if (function->script < 0 || write(function->script, text, n) != (ssize_t)n) {
        return weir_fail(err, WEIR_E_IO, "cannot make a file in memory for function %.*s: %m",
                WEIR_STR_ARG(function->model->name));
    }
    return WEIR_OK;
}

static void all_stopped(struct weir_post *post)
{
    struct weir_functions *functions = WEIR_CONTAINER(post, struct weir_functions, stopped_post);
    if (arrived(functions)) {
        void (*stopped)(void *arg) = functions->stopped;
        functions->stopped = NULL;
        stopped(functions->stopped_arg);
    }
}

enum weir_rc weir_functions_create(const struct weir_functions_options *options,
        struct weir_functions **ret_functions, struct weir_err *err)
{
    WEIR_AUTO(weir_functions)
    struct weir_functions *functions = weir_alloc_zero(1, sizeof(*functions));
    const char *program = options->program != NULL ? options->program : "/proc/self/exe";
    functions->options = *options;
    functions->program = weir_strndup(program, strlen(program));
    functions->stopped_post.run = all_stopped;
    functions->refused_post.run = refused_posted;
    functions->all = weir_alloc_zero(options->count, sizeof(*functions->all));
    weir_random_init(&functions->random);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < options->count; i++) {
        struct weir_function *function = &functions->all[functions->count++];
        function->model = &options->models[i];
        function->functions = functions;
        function->last = &function->first;
        function->scale_post.run = scale_posted;
        weir_loop_timer_init(&function->rest_timer, options->loop, rest_over);
        weir_loop_timer_init(&function->patience_timer, options->loop, patience_over);
        make_metrics(function);
        rc = make_script(function, err);
    }
    if (rc == WEIR_OK) {
        *ret_functions = WEIR_TAKE(functions);
    }
    return rc;
}

/* A client, when there is a function that needs one. */
static enum weir_rc start_client(struct weir_functions *functions, struct weir_err *err)
{
    size_t connections = 0;
    for (size_t i = 0; i < functions->count; i++) {
        const struct weir_function *function = &functions->all[i];
        connections += weir_function_is_remote(function) ? function->model->concurrency : 0;
    }
    if (connections == 0) {
        return WEIR_OK;
    }
    struct weir_http_client_options options = {
        .max_connections = (uint32_t)connections,
        .max_connections_per_host = (uint32_t)connections,
    };
    return weir_http_client_create(functions->options.loop, &options, &functions->client, err);
}

static void log_memory_limits(const struct weir_functions *functions, const char *how)
{
    struct weir_function_event event = {
        .level = WEIR_LOG_INFO,
        .what = "functions.memory_limits",
        .request_id = "",
        .text = weir_str_z(how),
    };
    if (functions->options.log != NULL) {
        functions->options.log(functions->options.arg, &event);
    }
}

/* Have the kernel keep the memory limits where it can; else they are watched. */
static void choose_memory_limits(struct weir_functions *functions)
{
    bool any = false;
    for (size_t i = 0; i < functions->count; i++) {
        const struct weir_function *function = &functions->all[i];
        any = any || (!weir_function_is_remote(function) && function->model->memory_bytes > 0);
    }
    if (!any || functions->options.stand_in != NULL) {
        return;
    }
    char folder[WEIR_CGROUP_PATH];
    char how[WEIR_CGROUP_PATH + 64];
    struct weir_err err = { 0 };
    const char *root = functions->options.root != NULL ? functions->options.root : "";
    enum weir_rc rc = weir_cgroup_find(root, folder, &err);
    if (rc == WEIR_OK) {
        rc = weir_cgroup_take(folder, &err);
    }
    if (rc == WEIR_OK) {
        functions->cgroup = weir_strndup(folder, strlen(folder));
        snprintf(how, sizeof(how), "the kernel keeps them in %s", folder);
    } else {
        snprintf(how, sizeof(how), "they are watched, for %s", err.msg);
    }
    log_memory_limits(functions, how);
}

enum weir_rc weir_functions_start(
        struct weir_functions *functions, struct weir_str endpoint, struct weir_err *err)
{
    choose_memory_limits(functions);
    functions->endpoint = weir_strndup(endpoint.p, endpoint.n);
    enum weir_rc rc = start_client(functions, err);
    for (size_t i = 0; rc == WEIR_OK && i < functions->count; i++) {
        struct weir_function *function = &functions->all[i];
        if (weir_function_is_remote(function)) {
            weir_remote_serve(function);
        } else {
            scale(function);
        }
    }
    return rc;
}

void weir_functions_stop(
        struct weir_functions *functions, uint64_t grace_ms, void (*stopped)(void *arg), void *arg)
{
    struct weir_err err = { 0 };
    functions->stopping = true;
    functions->stopped = stopped;
    functions->stopped_arg = arg;
    weir_fail(&err, WEIR_E_CLOSED, "weir is stopping");
    for (size_t i = 0; i < functions->count; i++) {
        struct weir_function *function = &functions->all[i];
        block_waiting(function, &err);
        weir_remote_stop(function);
        weir_stand_in_stop(function);
        for (struct weir_instance *at = function->instances; at != NULL;) {
            struct weir_instance *next = at->next;
            weir_instance_stop(at, grace_ms);
            at = next;
        }
    }
    post_stopped(functions);
}

void weir_functions_destroy(struct weir_functions *functions)
{
    if (functions == NULL) {
        return;
    }
    functions->stopping = true;
    for (size_t i = 0; i < functions->count; i++) {
        struct weir_function *function = &functions->all[i];
        weir_remote_destroy(function);
        weir_stand_in_destroy(function);
        while (function->instances != NULL) {
            weir_instance_destroy(function->instances);
        }
        weir_loop_timer_fini(&function->rest_timer);
        weir_loop_timer_fini(&function->patience_timer);
        if (function->script >= 0) {
            close(function->script);
        }
    }
    weir_http_client_destroy(functions->client);
    weir_free(functions->program);
    weir_free(functions->endpoint);
    weir_free(functions->cgroup);
    functions->destroyed = true;
    functions->posts++;
    arrived(functions);
}

/* --- error objects ------------------------------------------------------------------- */

/* A member of an error object as a text, for a message. */
static struct weir_str member_of(
        struct weir_str object, struct weir_str name, struct weir_arena *arena)
{
    struct weir_json json;
    struct weir_str found = WEIR_STR("");
    weir_json_init(&json, object, arena, WEIR_JSON_MAX_DEPTH);
    if (weir_json_next(&json) != WEIR_JSON_OBJECT) {
        return found;
    }
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        bool wanted = weir_str_eq(json.text, name);
        enum weir_json_token token = weir_json_next(&json);
        if (wanted && token == WEIR_JSON_STRING) {
            return json.text;
        }
        if (weir_json_skip(&json, token, NULL) != WEIR_OK) {
            break;
        }
    }
    return found;
}

void weir_function_read_error(struct weir_str object, struct weir_err *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str type = member_of(object, WEIR_STR("errorType"), &arena);
    struct weir_str message = member_of(object, WEIR_STR("errorMessage"), &arena);
    if (type.n == 0 && message.n == 0) {
        weir_fail(err, WEIR_E_INVALID, "the handler failed and did not say how");
    } else {
        weir_fail(err, WEIR_E_INVALID, "%.*s%s%.*s", WEIR_STR_ARG(type),
                type.n > 0 && message.n > 0 ? ": " : "", WEIR_STR_ARG(message));
    }
    weir_arena_fini(&arena);
}

/* --- what is there ------------------------------------------------------------------- */

const struct weir_function_model *weir_functions_models(
        const struct weir_functions *functions, size_t *ret_count)
{
    *ret_count = functions->count;
    return functions->options.models;
}

const struct weir_function_model *weir_functions_find(
        const struct weir_functions *functions, struct weir_str name)
{
    const struct weir_function *function = find(functions, name);
    return function != NULL ? function->model : NULL;
}

void weir_functions_write_arn(
        const struct weir_functions *functions, struct weir_str name, struct weir_buf *buf)
{
    weir_buf_printf(buf, "arn:aws:lambda:%.*s:%.*s:function:%.*s",
            WEIR_STR_ARG(functions->options.region), WEIR_STR_ARG(functions->options.account),
            WEIR_STR_ARG(name));
}

static void write_status(const struct weir_function *function, struct weir_buf *buf)
{
    weir_buf_z(buf, "{\"name\":");
    weir_json_write_string(buf, function->model->name);
    weir_buf_printf(buf,
            ",\"runtime\":\"%s\",\"concurrency\":%zu,\"instances\":%zu,\"idle\":%zu,"
            "\"running\":%zu,\"waiting\":%zu,\"invocations\":%llu,\"errors\":%llu,"
            "\"throttles\":%llu,\"cold_starts\":%llu,\"state\":\"%s\"",
            weir_function_runtime_name(function->model->runtime), function->model->concurrency,
            function->instance_count, function->idle_count, function->busy_count,
            function->waiting_count, (unsigned long long)atomic_load(&function->invocations->value),
            (unsigned long long)atomic_load(&function->errors->value),
            (unsigned long long)atomic_load(&function->throttles->value),
            (unsigned long long)atomic_load(&function->cold_starts->value),
            function->resting ? "resting" : "ready");
    if (function->resting) {
        weir_buf_z(buf, ",\"reason\":");
        weir_json_write_string(buf, weir_str_z(function->reason));
    }
    weir_buf_byte(buf, '}');
}

void weir_functions_status(const struct weir_functions *functions, struct weir_buf *buf)
{
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < functions->count; i++) {
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        write_status(&functions->all[i], buf);
    }
    weir_buf_byte(buf, ']');
}
