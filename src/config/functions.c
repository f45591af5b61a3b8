/* `functions:`: a map of names to functions. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_int.h"
#include "net/http_url.h"
#include "outbox/outbox.h"

enum { CONCURRENCY_MAX = 1000, QUEUE_MAX = 1000 * 1000, WHAT_BYTES = WEIR_FUNCTION_NAME_MAX + 32 };

struct function_options {
    struct weir_str runtime;
    struct weir_str handler;
    struct weir_str dir;
    const struct weir_conf *command;
    const struct weir_conf *variables;
    struct weir_str url;
    const struct weir_conf *headers;
    const struct weir_conf *on_failure;
    struct weir_str lambda;
    struct weir_str region;
    struct weir_str endpoint;
    struct weir_str access_key_id;
    struct weir_str secret_access_key;
    struct weir_str session_token;
    uint64_t timeout_ms;
    uint64_t init_timeout_ms;
    uint64_t idle_ms;
    uint64_t memory_bytes;
    uint64_t concurrency;
    uint64_t keep_warm;
    uint64_t max_queue;
};

#define AT(field) offsetof(struct function_options, field)

static const struct weir_option function_options[] = {
    { "runtime", "", "node or python: what runs the handler", WEIR_OPTION_STRING, AT(runtime), 0,
            0 },
    { "handler", "", "file and function, as in index.handler", WEIR_OPTION_STRING, AT(handler), 0,
            0 },
    { "command", "",
            "program and arguments that speak the Lambda Runtime API; with a runtime, what starts "
            "it",
            WEIR_OPTION_NODE, AT(command), 0, 0 },
    { "dir", ".", "the folder it runs in, from the file's folder", WEIR_OPTION_STRING, AT(dir), 0,
            0 },
    { "env", "", "environment variables", WEIR_OPTION_NODE, AT(variables), 0, 0 },
    { "url", "", "where it runs, instead of a command: events are posted to it", WEIR_OPTION_STRING,
            AT(url), 0, 0 },
    { "headers", "", "headers of requests to the url", WEIR_OPTION_NODE, AT(headers), 0, 0 },
    { "lambda", "", "the function of AWS Lambda that it is, by name or ARN", WEIR_OPTION_STRING,
            AT(lambda), 0, 0 },
    { "region", "", "of the lambda; its ARN's, when it has one", WEIR_OPTION_STRING, AT(region), 0,
            0 },
    { "endpoint", "", "of the lambda; AWS's in the region by default", WEIR_OPTION_STRING,
            AT(endpoint), 0, 0 },
    { "access_key_id", "", "the key that calls of the lambda are signed with", WEIR_OPTION_STRING,
            AT(access_key_id), 0, 0 },
    { "secret_access_key", "", "its secret", WEIR_OPTION_STRING, AT(secret_access_key), 0, 0 },
    { "session_token", "", "its session, when it is a temporary one", WEIR_OPTION_STRING,
            AT(session_token), 0, 0 },
    { "timeout", "3s", "how long an event may take", WEIR_OPTION_DURATION, AT(timeout_ms), 1,
            (uint64_t)24 * 3600 * 1000 },
    { "init_timeout", "10s", "how long a start may take", WEIR_OPTION_DURATION, AT(init_timeout_ms),
            1, (uint64_t)24 * 3600 * 1000 },
    { "memory", "512MiB", "memory of one instance; 0 for no limit", WEIR_OPTION_BYTES,
            AT(memory_bytes), 0, 0 },
    { "concurrency", "10", "instances at once", WEIR_OPTION_INTEGER, AT(concurrency), 1,
            CONCURRENCY_MAX },
    { "max_queue", "1000", "events that may wait for an instance", WEIR_OPTION_INTEGER,
            AT(max_queue), 0, QUEUE_MAX },
    { "on_failure", "", "where events go that nobody waits for, and that cannot be dealt with",
            WEIR_OPTION_NODE, AT(on_failure), 0, 0 },
    { "idle", "5m", "how long an instance is kept without events", WEIR_OPTION_DURATION,
            AT(idle_ms), 1, (uint64_t)365 * 24 * 3600 * 1000 },
    { "keep_warm", "0", "instances that are started with weir and kept", WEIR_OPTION_INTEGER,
            AT(keep_warm), 0, CONCURRENCY_MAX },
    { 0 },
};

/* A function being read. */
struct reading {
    const struct weir_config_reader *reader;
    const struct weir_conf *name;
    const struct weir_conf *node;
    struct weir_function_model *model;
    char what[WHAT_BYTES];
};

/* Where to complain about an option: at its value, or at the function when it is not there. */
static const struct weir_conf *at(const struct reading *reading, const char *option)
{
    const struct weir_conf *found =
            reading->node->kind == WEIR_CONF_MAP ? weir_conf_get(reading->node, option) : NULL;
    return found != NULL ? found : reading->name;
}

/* --- name, runtime, command ---------------------------------------------------------- */

static bool is_one_of(char c, const char *others)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr(others, c) != NULL;
}

static void check_name(const struct reading *reading)
{
    struct weir_str name = reading->name->text;
    bool right = name.n > 0 && name.n <= WEIR_FUNCTION_NAME_MAX;
    for (size_t i = 0; right && i < name.n; i++) {
        right = name.p[i] != '\0' && is_one_of(name.p[i], "-_");
    }
    if (!right) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->reader->diagnostics, reading->name,
                "function name %s must be 1 to %d characters of a-z, A-Z, 0-9, '_' and '-'",
                weir_conf_show(reading->name, shown), WEIR_FUNCTION_NAME_MAX);
    }
}

static void add_word(struct reading *reading, struct weir_str *words, const struct weir_conf *node)
{
    char shown[WEIR_CONF_SHOWN];
    if (node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_SCALAR || memchr(node->text.p, '\0', node->text.n) != NULL) {
        weir_conf_error(reading->reader->diagnostics, node,
                "%s: a command is a list of texts, not %s", reading->what,
                weir_conf_show(node, shown));
        return;
    }
    words[reading->model->command_count++] = node->text;
}

static void read_command(struct reading *reading, const struct weir_conf *node)
{
    struct weir_arena *arena = &reading->reader->config->arena;
    size_t count = node->kind == WEIR_CONF_LIST ? node->count : 1;
    struct weir_str *words = weir_arena_zero(arena, count + 1, sizeof(*words));
    reading->model->command = words;
    if (node->kind == WEIR_CONF_LIST) {
        for (size_t i = 0; i < node->count; i++) {
            add_word(reading, words, &node->items[i]);
        }
    } else {
        add_word(reading, words, node);
    }
    if (node->kind == WEIR_CONF_LIST && node->count == 0) {
        weir_conf_error(reading->reader->diagnostics, node,
                "%s: a command needs a program, as in [./bootstrap]", reading->what);
    } else if (reading->model->command_count > 0 && words[0].n == 0) {
        weir_conf_error(reading->reader->diagnostics, node,
                "%s: the program of a command must not be empty", reading->what);
    }
}

/* The program that runs a runtime's shim. */
static void set_interpreter(struct reading *reading, const char *program)
{
    struct weir_str *words = WEIR_ARENA_NEW(&reading->reader->config->arena, struct weir_str);
    *words = weir_str_z(program);
    reading->model->command = words;
    reading->model->command_count = 1;
}

static void read_local(struct reading *reading, const struct function_options *options)
{
    static const char *const names[] = { "node", "python" };
    static const char *const programs[] = { "node", "python3" };
    static const enum weir_function_runtime runtimes[] = { WEIR_RUNTIME_NODE, WEIR_RUNTIME_PYTHON };
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    struct weir_function_model *model = reading->model;
    if (options->command != NULL) {
        read_command(reading, options->command);
    }
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(options->runtime, weir_str_z(names[i]))) {
            model->runtime = runtimes[i];
            if (options->command == NULL) {
                set_interpreter(reading, programs[i]);
            }
        }
    }
    model->handler = options->handler;
    if (options->runtime.n > 0 && model->runtime == WEIR_RUNTIME_COMMAND) {
        weir_conf_unknown(diagnostics, at(reading, "runtime"), "runtime", names, WEIR_COUNT(names));
    } else if (options->runtime.n == 0 && options->command == NULL) {
        weir_conf_error(diagnostics, reading->name,
                "%s needs a runtime with a handler (runtime: node, handler: index.handler), a "
                "command (command: [./bootstrap]), a url or a lambda",
                reading->what);
    } else if (model->runtime != WEIR_RUNTIME_COMMAND && options->handler.n == 0) {
        weir_conf_error(diagnostics, reading->name,
                "%s needs a handler: the file and the function, as in index.handler",
                reading->what);
    }
}

/* --- folder and handler -------------------------------------------------------------- */

static bool is_file(struct weir_str path)
{
    struct stat found;
    return stat(path.p, &found) == 0 && S_ISREG(found.st_mode);
}

/* "src/index.handler" of a runtime is src/index with one of the suffixes. */
static void check_handler(const struct reading *reading)
{
    static const char *const node_suffixes[] = { "", ".js", ".mjs", ".cjs", NULL };
    static const char *const python_suffixes[] = { ".py", "/__init__.py", NULL };
    const struct weir_function_model *model = reading->model;
    bool node = model->runtime == WEIR_RUNTIME_NODE;
    struct weir_arena *arena = &reading->reader->config->arena;
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    struct weir_str handler = model->handler;
    const char *slash = memrchr(handler.p, '/', handler.n);
    size_t base = slash != NULL ? (size_t)(slash - handler.p) + 1 : 0;
    const char *dot = node ? memchr(handler.p + base, '.', handler.n - base)
                           : memrchr(handler.p, '.', handler.n);
    if (dot == NULL || dot == handler.p + base || dot + 1 == handler.p + handler.n) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(diagnostics, at(reading, "handler"),
                "%s: a handler is a file and a function, as in index.handler, not %s",
                reading->what, weir_conf_show(at(reading, "handler"), shown));
        return;
    }
    struct weir_str file = weir_arena_str(arena, weir_str(handler.p, (size_t)(dot - handler.p)));
    for (size_t i = 0; !node && i < file.n; i++) {
        if (file.p[i] == '.') {
            ((char *)(uintptr_t)file.p)[i] = '/'; /* the arena's own copy */
        }
    }
    if (!reading->reader->has_files) {
        return;
    }
    const char *const *suffixes = node ? node_suffixes : python_suffixes;
    for (size_t i = 0; suffixes[i] != NULL; i++) {
        if (is_file(weir_arena_printf(arena, "%.*s/%.*s%s", WEIR_STR_ARG(model->dir),
                    WEIR_STR_ARG(file), suffixes[i]))) {
            return;
        }
    }
    weir_conf_error(diagnostics, at(reading, "handler"), "%s: there is no file %.*s/%.*s%s",
            reading->what, WEIR_STR_ARG(model->dir), WEIR_STR_ARG(file),
            node ? ".js, .mjs or .cjs" : ".py");
}

/* A program that is named with its folder must be there; others are searched for at the start. */
static void check_program(const struct reading *reading)
{
    const struct weir_function_model *model = reading->model;
    struct weir_str program = model->command[0];
    if (!reading->reader->has_files || memchr(program.p, '/', program.n) == NULL) {
        return;
    }
    struct weir_arena *arena = &reading->reader->config->arena;
    struct weir_str path = program.p[0] == '/'
                                   ? weir_arena_str(arena, program)
                                   : weir_arena_printf(arena, "%.*s/%.*s", WEIR_STR_ARG(model->dir),
                                             WEIR_STR_ARG(program));
    if (!is_file(path)) {
        weir_conf_error(reading->reader->diagnostics, at(reading, "command"),
                "%s: there is no program %.*s", reading->what, WEIR_STR_ARG(path));
    } else if (access(path.p, X_OK) != 0) {
        weir_conf_error(reading->reader->diagnostics, at(reading, "command"),
                "%s: %.*s may not be executed (chmod +x)", reading->what, WEIR_STR_ARG(path));
    }
}

/* Make the folder absolute; false when it is none. */
static bool place_folder(const struct reading *reading, struct weir_str dir)
{
    struct weir_arena *arena = &reading->reader->config->arena;
    struct weir_function_model *model = reading->model;
    if (dir.n > 0 && dir.p[0] == '/') {
        model->dir = weir_arena_str(arena, dir);
    } else {
        model->dir = weir_arena_printf(
                arena, "%.*s%.*s", WEIR_STR_ARG(reading->reader->folder), WEIR_STR_ARG(dir));
    }
    if (!reading->reader->has_files) {
        return true;
    }
    struct stat found;
    char *path = realpath(model->dir.p, NULL);
    bool right = path != NULL && stat(path, &found) == 0 && S_ISDIR(found.st_mode);
    if (right) {
        model->dir = weir_arena_str(arena, weir_str_z(path));
    } else {
        weir_conf_error(reading->reader->diagnostics, at(reading, "dir"),
                "%s: there is no folder %.*s", reading->what, WEIR_STR_ARG(model->dir));
    }
    free(path);
    return right;
}

/* --- environment --------------------------------------------------------------------- */

static bool is_variable_name(struct weir_str name)
{
    bool right = name.n > 0 && !(name.p[0] >= '0' && name.p[0] <= '9');
    for (size_t i = 0; right && i < name.n; i++) {
        right = name.p[i] != '\0' && is_one_of(name.p[i], "_");
    }
    return right;
}

static bool is_reserved(struct weir_str name)
{
    return weir_str_eq(name, WEIR_STR("_HANDLER")) ||
           weir_str_starts(name, WEIR_STR("AWS_LAMBDA_")) ||
           weir_str_starts(name, WEIR_STR("LAMBDA_"));
}

static void read_variable(const struct reading *reading, const struct weir_conf *name,
        const struct weir_conf *value, struct weir_function_variable *variables)
{
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    char shown[WEIR_CONF_SHOWN];
    if (name->broken || value->broken) {
        return;
    }
    if (!is_variable_name(name->text)) {
        weir_conf_error(diagnostics, name,
                "%s: the name of an environment variable has letters, digits and '_', not %s",
                reading->what, weir_conf_show(name, shown));
    } else if (is_reserved(name->text)) {
        weir_conf_error(diagnostics, name, "%s: %.*s is set by weir", reading->what,
                WEIR_STR_ARG(name->text));
    } else if ((value->kind != WEIR_CONF_SCALAR && value->kind != WEIR_CONF_NULL) ||
               (value->kind == WEIR_CONF_SCALAR &&
                       memchr(value->text.p, '\0', value->text.n) != NULL)) {
        weir_conf_error(diagnostics, value, "%s: an environment variable is a text, not %s",
                reading->what, weir_conf_show(value, shown));
    } else {
        struct weir_str text = value->kind == WEIR_CONF_SCALAR ? value->text : WEIR_STR("");
        variables[reading->model->variable_count++] =
                (struct weir_function_variable){ name->text, text };
    }
}

static void read_variables(const struct reading *reading, const struct weir_conf *node)
{
    if (node == NULL || node->kind == WEIR_CONF_NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->reader->diagnostics, node,
                "%s: env must be a map of names to texts, not %s", reading->what,
                weir_conf_show(node, shown));
        return;
    }
    struct weir_function_variable *variables =
            weir_arena_zero(&reading->reader->config->arena, node->count, sizeof(*variables));
    reading->model->variables = variables;
    for (size_t i = 0; i < node->count; i++) {
        read_variable(reading, &node->names[i], &node->items[i], variables);
    }
}

/* --- elsewhere ----------------------------------------------------------------------- */

static bool is_url(struct weir_str text)
{
    return weir_str_starts(text, WEIR_STR("http://")) ||
           weir_str_starts(text, WEIR_STR("https://"));
}

static void check_url(const struct reading *reading, const char *option, struct weir_str url)
{
    struct weir_http_url parsed = { 0 };
    struct weir_err err = { 0 };
    char shown[WEIR_CONF_SHOWN];
    if (!is_url(url)) {
        weir_conf_error(reading->reader->diagnostics, at(reading, option),
                "%s: %s must begin with http:// or https://, not %s", reading->what, option,
                weir_conf_show(at(reading, option), shown));
    } else if (weir_http_url_parse(url, &parsed, &err) != WEIR_OK) {
        weir_conf_error(reading->reader->diagnostics, at(reading, option), "%s: %s: %s",
                reading->what, option, err.msg);
    }
}

/* A header, unless it is wrong; *count is that of the headers so far. */
static void read_header(const struct reading *reading, const struct weir_conf *name,
        const struct weir_conf *value, struct weir_http_header *headers, size_t *count)
{
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    char shown[WEIR_CONF_SHOWN];
    bool right = name->text.n > 0;
    if (name->broken || value->broken) {
        return;
    }
    for (size_t i = 0; right && i < name->text.n; i++) {
        right = name->text.p[i] != '\0' && is_one_of(name->text.p[i], "-_");
    }
    if (!right) {
        weir_conf_error(diagnostics, name,
                "%s: the name of a header has letters, digits, '-' and '_', not %s", reading->what,
                weir_conf_show(name, shown));
        return;
    }
    right = value->kind == WEIR_CONF_SCALAR;
    for (size_t i = 0; right && i < value->text.n; i++) {
        right = (unsigned char)value->text.p[i] >= ' ';
    }
    if (!right) {
        weir_conf_error(diagnostics, value, "%s: a header is a text of one line, not %s",
                reading->what, weir_conf_show(value, shown));
        return;
    }
    headers[(*count)++] = (struct weir_http_header){ name->text, value->text };
}

static void read_headers(struct reading *reading, const struct weir_conf *node)
{
    if (node == NULL || node->kind == WEIR_CONF_NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->reader->diagnostics, node,
                "%s: headers must be a map of names to texts, not %s", reading->what,
                weir_conf_show(node, shown));
        return;
    }
    struct weir_http_header *headers =
            weir_arena_zero(&reading->reader->config->arena, node->count, sizeof(*headers));
    reading->model->headers = headers;
    for (size_t i = 0; i < node->count; i++) {
        read_header(
                reading, &node->names[i], &node->items[i], headers, &reading->model->header_count);
    }
}

/* The part of an ARN behind so many colons; empty without it. */
static struct weir_str arn_part(struct weir_str arn, size_t number)
{
    for (; number > 0; number--) {
        const char *colon = arn.n > 0 ? memchr(arn.p, ':', arn.n) : NULL;
        if (colon == NULL) {
            return WEIR_STR("");
        }
        arn = weir_str(colon + 1, arn.n - (size_t)(colon + 1 - arn.p));
    }
    const char *colon = arn.n > 0 ? memchr(arn.p, ':', arn.n) : NULL;
    return colon != NULL ? weir_str(arn.p, (size_t)(colon - arn.p)) : arn;
}

/* A function's name or ARN as a part of a path; false: it is neither. */
static bool write_path(struct weir_str name, struct weir_buf *out)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == ':' || c == '$') {
            weir_buf_printf(out, "%%%02X", (unsigned)c);
        } else if (c != '\0' && is_one_of(c, "-_.")) {
            weir_buf_byte(out, c);
        } else {
            return false;
        }
    }
    return name.n > 0;
}

/* Where a lambda is invoked. */
static struct weir_str lambda_url(const struct reading *reading,
        const struct function_options *options, struct weir_str region)
{
    struct weir_arena *arena = &reading->reader->config->arena;
    struct weir_str endpoint = options->endpoint;
    struct weir_str url = WEIR_STR("");
    struct weir_buf path;
    weir_buf_init(&path, 4096);
    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/') {
        endpoint.n--;
    }
    if (endpoint.n == 0) {
        endpoint =
                weir_arena_printf(arena, "https://lambda.%.*s.amazonaws.com", WEIR_STR_ARG(region));
    }
    if (write_path(options->lambda, &path)) {
        url = weir_arena_printf(arena, "%.*s/2015-03-31/functions/%.*s/invocations",
                WEIR_STR_ARG(endpoint), WEIR_STR_ARG(weir_buf_view(&path)));
    } else {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->reader->diagnostics, at(reading, "lambda"),
                "%s: lambda must be the name or the ARN of a function, not %s", reading->what,
                weir_conf_show(at(reading, "lambda"), shown));
    }
    weir_buf_fini(&path);
    return url;
}

static void read_lambda(struct reading *reading, const struct function_options *options)
{
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    struct weir_function_model *model = reading->model;
    bool arn = weir_str_starts(options->lambda, WEIR_STR("arn:"));
    struct weir_str region =
            options->region.n > 0 || !arn ? options->region : arn_part(options->lambda, 3);
    if (region.n == 0) {
        weir_conf_error(diagnostics, at(reading, "lambda"),
                "%s: the lambda needs a region, as in region: us-east-1", reading->what);
    }
    if (options->access_key_id.n == 0 || options->secret_access_key.n == 0) {
        weir_conf_error(diagnostics, at(reading, "lambda"),
                "%s: calls of a lambda are signed: it needs access_key_id and secret_access_key "
                "(!env AWS_SECRET_ACCESS_KEY)",
                reading->what);
    }
    if (options->secret_access_key.n > 0 && !at(reading, "secret_access_key")->secret) {
        weir_conf_warn(diagnostics, at(reading, "secret_access_key"),
                "a secret stands in the file: use !env NAME or !file PATH");
    }
    if (options->endpoint.n > 0) {
        check_url(reading, "endpoint", options->endpoint);
    }
    model->url = lambda_url(reading, options, region);
    model->signer = (struct weir_http_signer){
        .service = WEIR_STR("lambda"),
        .region = region,
        .access_key = options->access_key_id,
        .secret = options->secret_access_key,
        .token = options->session_token,
    };
}

/* Options that only some functions have; the rest is for all. */
static const struct {
    const char *name;
    bool local; /* of those that weir starts */
    bool url;
    bool lambda;
} own_options[] = {
    { "dir", .local = true },
    { "env", .local = true },
    { "memory", .local = true },
    { "init_timeout", .local = true },
    { "idle", .local = true },
    { "keep_warm", .local = true },
    { "headers", .url = true },
    { "region", .lambda = true },
    { "endpoint", .lambda = true },
    { "access_key_id", .lambda = true },
    { "secret_access_key", .lambda = true },
    { "session_token", .lambda = true },
};

/* No option is taken and then means nothing. */
static void check_own_options(const struct reading *reading, const struct function_options *options)
{
    bool local = options->url.n == 0 && options->lambda.n == 0;
    for (size_t i = 0; i < WEIR_COUNT(own_options); i++) {
        bool means_something = local                ? own_options[i].local
                               : options->url.n > 0 ? own_options[i].url
                                                    : own_options[i].lambda;
        const struct weir_conf *found = reading->node->kind == WEIR_CONF_MAP
                                                ? weir_conf_get(reading->node, own_options[i].name)
                                                : NULL;
        if (found != NULL && !means_something) {
            weir_conf_error(reading->reader->diagnostics, found,
                    "%s: %s is an option of %s, and this is %s", reading->what, own_options[i].name,
                    own_options[i].local ? "a function that weir starts"
                    : own_options[i].url ? "a url"
                                         : "a lambda",
                    local                ? "a function that weir starts"
                    : options->url.n > 0 ? "a url"
                                         : "a lambda");
        }
    }
}

/* A function is one thing: a handler or command, a url, or a lambda. */
static bool check_kind(const struct reading *reading, const struct function_options *options)
{
    bool local = options->runtime.n > 0 || options->command != NULL || options->handler.n > 0;
    if (local + (options->url.n > 0) + (options->lambda.n > 0) > 1) {
        weir_conf_error(reading->reader->diagnostics, reading->name,
                "%s must be one of a handler or command, a url, and a lambda", reading->what);
        return false;
    }
    check_own_options(reading, options);
    return true;
}

/* --- events that cannot be dealt with ------------------------------------------------ */

struct failure_options {
    struct weir_str queue;
};

static const struct weir_option failure_options[] = {
    { "queue", NULL, "the queue that gets them", WEIR_OPTION_STRING,
            offsetof(struct failure_options, queue), 0, 0 },
    { 0 },
};

static void read_on_failure(struct reading *reading, const struct weir_conf *node)
{
    struct weir_config *config = reading->reader->config;
    struct failure_options options = { 0 };
    char what[WHAT_BYTES + 32];
    snprintf(what, sizeof(what), "on_failure of %s", reading->what);
    if (node == NULL || !weir_conf_options(reading->reader->diagnostics, node, what,
                                failure_options, &options)) {
        return;
    }
    reading->model->dead_letter = weir_arena_printf(
            &config->arena, WEIR_DEAD_LETTER_QUEUE "%.*s", WEIR_STR_ARG(options.queue));
    const char **names = weir_arena_zero(&config->arena, config->queue_count, sizeof(char *));
    for (size_t i = 0; i < config->queue_count; i++) {
        if (weir_str_eq(config->queues[i].name, options.queue)) {
            return;
        }
        names[i] = weir_arena_str(&config->arena, config->queues[i].name).p;
    }
    weir_conf_unknown(reading->reader->diagnostics, weir_conf_get(node, "queue"), "queue", names,
            config->queue_count);
}

/* --- the whole ----------------------------------------------------------------------- */

static void read_function(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node, struct weir_function_model *model)
{
    struct weir_diagnostics *diagnostics = reader->diagnostics;
    struct function_options options = { 0 };
    struct reading reading = { .reader = reader, .name = name, .node = node, .model = model };
    size_t errors = diagnostics->errors;
    snprintf(reading.what, sizeof(reading.what), "function '%.*s'", WEIR_STR_ARG(name->text));
    model->name = name->text;
    check_name(&reading);
    if (!weir_conf_options(diagnostics, node, reading.what, function_options, &options)) {
        return;
    }
    model->timeout_ms = options.timeout_ms;
    model->init_timeout_ms = options.init_timeout_ms;
    model->idle_ms = options.idle_ms;
    model->memory_bytes = options.memory_bytes;
    model->concurrency = options.concurrency;
    model->keep_warm = options.keep_warm;
    model->max_queue = options.max_queue;
    if (model->keep_warm > model->concurrency) {
        weir_conf_error(diagnostics, at(&reading, "keep_warm"),
                "%s: keep_warm must not be above concurrency (%zu)", reading.what,
                model->concurrency);
    }
    read_on_failure(&reading, options.on_failure);
    read_variables(&reading, options.variables);
    if (!check_kind(&reading, &options)) {
        return;
    }
    if (options.url.n > 0) {
        model->runtime = WEIR_RUNTIME_HTTP;
        model->url = options.url;
        check_url(&reading, "url", options.url);
        read_headers(&reading, options.headers);
        return;
    }
    if (options.lambda.n > 0) {
        model->runtime = WEIR_RUNTIME_LAMBDA;
        read_lambda(&reading, &options);
        return;
    }
    read_local(&reading, &options);
    bool placed = place_folder(&reading, options.dir);
    if (diagnostics->errors != errors || !placed) {
        return;
    }
    if (model->runtime != WEIR_RUNTIME_COMMAND) {
        check_handler(&reading);
    }
    check_program(&reading);
}

void weir_config_read_functions(
        const struct weir_config_reader *reader, const struct weir_conf *functions)
{
    struct weir_config *config = reader->config;
    if (functions == NULL || functions->kind == WEIR_CONF_NULL || functions->broken) {
        return;
    }
    if (functions->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, functions,
                "functions must be a map of names to functions, not %s",
                weir_conf_show(functions, shown));
        return;
    }
    config->functions =
            weir_arena_zero(&config->arena, functions->count, sizeof(*config->functions));
    for (size_t i = 0; i < functions->count; i++) {
        if (!functions->names[i].broken && !functions->items[i].broken) {
            read_function(reader, &functions->names[i], &functions->items[i],
                    &config->functions[config->function_count++]);
        }
    }
}
