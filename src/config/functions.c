/* `functions:`: a map of names to functions. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_int.h"

enum { CONCURRENCY_MAX = 1000, QUEUE_MAX = 1000 * 1000, WHAT_BYTES = WEIR_FUNCTION_NAME_MAX + 32 };

struct function_options {
    struct weir_str runtime;
    struct weir_str handler;
    struct weir_str dir;
    const struct weir_conf *command;
    const struct weir_conf *variables;
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

/* --- name, runtime, command --------------------------------------------------------------- */

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

static void read_runtime(struct reading *reading, const struct function_options *options)
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
                "%s needs a runtime with a handler (runtime: node, handler: index.handler) or a "
                "command (command: [./bootstrap])",
                reading->what);
    } else if (model->runtime != WEIR_RUNTIME_COMMAND && options->handler.n == 0) {
        weir_conf_error(diagnostics, reading->name,
                "%s needs a handler: the file and the function, as in index.handler",
                reading->what);
    }
}

/* --- folder and handler -------------------------------------------------------------------- */

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

/* --- environment -------------------------------------------------------------------------------
 */

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

/* --- the whole
 * ------------------------------------------------------------------------------------ */

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
    read_variables(&reading, options.variables);
    read_runtime(&reading, &options);
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
