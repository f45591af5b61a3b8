/*
 * Functions in tests: nothing is started. What each answers, how long it takes and how often it
 * fails is said by the file, and may change within a test.
 */
#include "base/mem.h"
#include "scenario/scenario_int.h"

struct function_step {
    struct weir_str name;
    const struct weir_conf *returns;
    uint64_t takes_ms;
    struct weir_str fails;
    struct weir_str error;
    bool down;
    uint64_t failures; /* of `fails` */
};

#define BEHAVIOUR_OPTIONS                                                                    \
    { "returns", "", "what it answers; nothing: null", WEIR_OPTION_NODE,                     \
        offsetof(struct function_step, returns), 0, 0 },                                     \
            { "takes", "", "how long that takes", WEIR_OPTION_DURATION,                      \
                offsetof(struct function_step, takes_ms), 0, 0 },                            \
            { "fails", "", "how many invocations fail before one succeeds, or `always`",     \
                WEIR_OPTION_STRING, offsetof(struct function_step, fails), 0, 0 },           \
            { "error", "it fails, as the test wants", "the message of those that fail",      \
                WEIR_OPTION_STRING, offsetof(struct function_step, error), 0, 0 },           \
            { "down", "false", "nobody answers: invocations have to wait", WEIR_OPTION_BOOL, \
                offsetof(struct function_step, down), 0, 0 },                                \
    {                                                                                        \
        0                                                                                    \
    }

static const struct weir_option behaviour_options[] = { BEHAVIOUR_OPTIONS };

static const struct weir_option step_options[] = {
    { "name", NULL, "the function, as in weir.yaml", WEIR_OPTION_STRING,
            offsetof(struct function_step, name), 0, 0 },
    BEHAVIOUR_OPTIONS,
};

/* --- reading -------------------------------------------------------------------------------- */

static bool read_function(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct function_step *step = fields;
    if (step->fails.n == 0) {
        return true;
    }
    if (weir_str_eq(step->fails, WEIR_STR("always"))) {
        step->failures = UINT64_MAX;
        return true;
    }
    if (!weir_str_to_u64(step->fails, &step->failures)) {
        weir_conf_error(reader->diagnostics, weir_conf_get(node, "fails"),
                "a number is expected, or `always`");
        return false;
    }
    return true;
}

static struct script_function *make(
        struct weir_arena *arena, struct weir_str name, const struct function_step *step)
{
    struct script_function *function = WEIR_ARENA_NEW(arena, struct script_function);
    function->name = name;
    function->returns = step->returns;
    function->takes_ms = step->takes_ms;
    function->failures = step->failures;
    function->error = step->error;
    function->down = step->down;
    return function;
}

struct script_function *weir_script_functions(
        struct script_reader *reader, const struct weir_conf *node)
{
    struct script_function *first = NULL;
    if (node->kind != WEIR_CONF_MAP) {
        weir_conf_error(reader->diagnostics, node,
                "`functions:` is a map: the name of each, and what stands in for it");
        return NULL;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct function_step step = { 0 };
        if (weir_conf_options(reader->diagnostics, &node->items[i], "the stand-in of a function",
                    behaviour_options, &step) &&
                read_function(reader, &node->items[i], &step)) {
            struct script_function *function = make(reader->arena, node->names[i].text, &step);
            function->next = first;
            first = function;
        }
    }
    return first;
}

/* --- running -----------------------------------------------------------------------------------
 */

void weir_script_functions_begin(struct script_run *run)
{
    run->functions = NULL;
    for (const struct script_function *f = run->script->functions; f != NULL; f = f->next) {
        struct script_function *copy =
                WEIR_ARENA_NEW(&run->functions_arena, struct script_function);
        *copy = *f;
        copy->next = run->functions;
        run->functions = copy;
    }
}

static struct script_function *find(const struct script_run *run, struct weir_str name)
{
    struct script_function *function = run->functions;
    while (function != NULL && !weir_str_eq(function->name, name)) {
        function = function->next;
    }
    return function;
}

struct weir_stand_in weir_script_stand_in(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    struct script_run *run = arg;
    (void)invocation;
    struct script_function *function = find(run, model->name);
    if (function == NULL) {
        return (struct weir_stand_in){ .outcome = WEIR_FUNCTION_BLOCKED,
            .message = WEIR_STR("the test says nothing under `functions:` about this one") };
    }
    if (function->down) {
        return (struct weir_stand_in){ .outcome = WEIR_FUNCTION_BLOCKED,
            .message = WEIR_STR("it is down, as the test wants") };
    }
    struct weir_stand_in reply = { .takes_ms = function->takes_ms };
    if (function->failures > 0) {
        function->failures -= function->failures != UINT64_MAX;
        reply.outcome = WEIR_FUNCTION_ERROR;
        reply.message = function->error;
        return reply;
    }
    reply.response = function->returns != NULL
                             ? weir_script_json(&run->functions_arena, function->returns)
                             : WEIR_STR("null");
    return reply;
}

static bool run_function(struct script_run *run, const struct script_step *step)
{
    const struct function_step *fields = step->fields;
    struct script_function *function = find(run, fields->name);
    struct script_function *next = run->functions;
    if (function == NULL) {
        function = make(&run->functions_arena, fields->name, fields);
        run->functions = function;
    } else {
        next = function->next;
        *function = *make(&run->functions_arena, fields->name, fields);
    }
    function->next = next;
    return true;
}

const struct script_kind script_kind_function = {
    .name = "function",
    .help = "Change what stands in for a function",
    .options = step_options,
    .size = sizeof(struct function_step),
    .read = read_function,
    .run = run_function,
};
