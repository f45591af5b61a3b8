/*
 * What an instance is started with.
 *
 * Nothing of weir's own environment is passed on but a few variables that every program needs;
 * secrets stay where they are. The names are those that Lambda sets, and those by which SDKs find
 * an endpoint, so that they reach weir's own tables and queues without a change.
 */
#include <stdlib.h>

#include "function/function_int.h"

enum { VARIABLES_OWN_MAX = 64 };

static const char *const inherited[] = { "PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
    "TMPDIR" };

/* The services that weir speaks, as SDKs spell them in AWS_ENDPOINT_URL_<SERVICE>. */
static const char *const services[] = { "DYNAMODB", "DYNAMODB_STREAMS", "SQS", "LAMBDA" };

struct environment {
    struct weir_arena *arena;
    const char **all;
    size_t count;
};

/* Add a variable, in place of one of that name. */
static void set(struct environment *environment, struct weir_str name, struct weir_str value)
{
    struct weir_str text = weir_arena_printf(
            environment->arena, "%.*s=%.*s", WEIR_STR_ARG(name), WEIR_STR_ARG(value));
    for (size_t i = 0; i < environment->count; i++) {
        if (strncmp(environment->all[i], text.p, name.n + 1) == 0) {
            environment->all[i] = text.p;
            return;
        }
    }
    environment->all[environment->count++] = text.p;
}

static void set_z(struct environment *environment, const char *name, struct weir_str value)
{
    set(environment, weir_str_z(name), value);
}

static struct weir_str or_weir(struct weir_str text)
{
    return text.n > 0 ? text : WEIR_STR("weir");
}

/* What Lambda tells its functions. */
static void set_lambda(struct environment *environment, const struct weir_function *function,
        uint16_t port, uint64_t number)
{
    const struct weir_function_model *model = function->model;
    const struct weir_functions_options *options = &function->functions->options;
    struct weir_arena *arena = environment->arena;
    set_z(environment, "AWS_LAMBDA_FUNCTION_NAME", model->name);
    set_z(environment, "AWS_LAMBDA_FUNCTION_VERSION", WEIR_STR("$LATEST"));
    set_z(environment, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            weir_arena_printf(arena, "%llu", (unsigned long long)(model->memory_bytes >> 20)));
    set_z(environment, "AWS_LAMBDA_INITIALIZATION_TYPE", WEIR_STR("on-demand"));
    set_z(environment, "AWS_LAMBDA_LOG_GROUP_NAME",
            weir_arena_printf(arena, "/aws/lambda/%.*s", WEIR_STR_ARG(model->name)));
    set_z(environment, "AWS_LAMBDA_LOG_STREAM_NAME",
            weir_arena_printf(arena, "instance-%llu", (unsigned long long)number));
    set_z(environment, "AWS_LAMBDA_RUNTIME_API", weir_arena_printf(arena, "127.0.0.1:%u", port));
    set_z(environment, "_HANDLER", model->handler);
    set_z(environment, "LAMBDA_TASK_ROOT", model->dir);
    set_z(environment, "LAMBDA_RUNTIME_DIR", model->dir);
    set_z(environment, "AWS_REGION", options->region);
    set_z(environment, "AWS_DEFAULT_REGION", options->region);
    set_z(environment, "AWS_ACCESS_KEY_ID", or_weir(options->access_key_id));
    set_z(environment, "AWS_SECRET_ACCESS_KEY", or_weir(options->secret_access_key));
}

/* How SDKs find weir. */
static void set_endpoints(struct environment *environment, const struct weir_functions *functions)
{
    struct weir_str endpoint = weir_str_z(functions->endpoint);
    set_z(environment, "AWS_ENDPOINT_URL", endpoint);
    set_z(environment, "WEIR_ENDPOINT", endpoint);
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        set(environment, weir_arena_printf(environment->arena, "AWS_ENDPOINT_URL_%s", services[i]),
                endpoint);
    }
}

/* The command behind `weir __exec CGROUP FOLDER`. */
static const char *const *make_arguments(
        const struct weir_instance *instance, struct weir_arena *arena)
{
    const struct weir_function_model *model = instance->function->model;
    bool script = model->runtime != WEIR_RUNTIME_COMMAND;
    const char **arguments = weir_arena_zero(arena, model->command_count + 7, sizeof(*arguments));
    size_t n = 0;
    arguments[n++] = "weir";
    arguments[n++] = "__exec";
    arguments[n++] = instance->cgroup != NULL ? instance->cgroup : "";
    arguments[n++] = weir_arena_str(arena, model->dir).p;
    for (size_t i = 0; i < model->command_count; i++) {
        arguments[n++] = weir_arena_str(arena, model->command[i]).p;
    }
    if (script) {
        arguments[n++] = "-"; /* the shim comes by standard input */
        arguments[n++] = weir_arena_str(arena, model->handler).p; /* for who looks at ps */
    }
    return arguments;
}

void weir_environment_make(const struct weir_instance *instance, struct weir_arena *arena,
        struct weir_instance_start *ret_start)
{
    const struct weir_function *function = instance->function;
    const struct weir_function_model *model = function->model;
    struct environment environment = { .arena = arena };
    environment.all = weir_arena_zero(
            arena, VARIABLES_OWN_MAX + model->variable_count, sizeof(*environment.all));
    for (size_t i = 0; i < WEIR_COUNT(inherited); i++) {
        const char *value = getenv(inherited[i]);
        if (value != NULL) {
            set_z(&environment, inherited[i], weir_str_z(value));
        }
    }
    uint16_t port = weir_http_server_port(instance->server);
    set_lambda(&environment, function, port, instance->number);
    set_endpoints(&environment, function->functions);
    for (size_t i = 0; i < model->variable_count; i++) {
        set(&environment, model->variables[i].name, model->variables[i].value);
    }
    ret_start->arguments = make_arguments(instance, arena);
    ret_start->environment = environment.all;
}
