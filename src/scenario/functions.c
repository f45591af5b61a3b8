/*
 * Functions in tests: nothing is started. What each answers, how long it takes and how often it
 * fails is said by the file, and may change within a test.
 */
#include "base/mem.h"
#include "scenario/scenario_int.h"

struct function_step {
    struct weir_str name;
    struct weir_behaviour behaviour;
};

static const struct weir_option step_options[] = {
    { "name", NULL, "the function, as in weir.yaml", WEIR_OPTION_STRING,
            offsetof(struct function_step, name), 0, 0 },
    WEIR_BEHAVIOUR_OPTIONS(offsetof(struct function_step, behaviour)),
};

static bool read_function(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct function_step *step = fields;
    return weir_behaviour_check(reader->diagnostics, node, &step->behaviour);
}

static void add(
        struct script_run *run, struct weir_str name, const struct weir_behaviour *behaviour)
{
    struct weir_stand_in_rule *rule =
            WEIR_ARENA_NEW(&run->functions_arena, struct weir_stand_in_rule);
    rule->name = name;
    rule->behaviour = *behaviour;
    rule->next = run->functions;
    run->functions = rule;
}

void weir_script_functions_begin(struct script_run *run)
{
    run->functions = NULL;
    for (const struct weir_stand_in_rule *f = run->script->functions; f != NULL; f = f->next) {
        add(run, f->name, &f->behaviour);
    }
}

struct weir_stand_in weir_script_stand_in(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    struct script_run *run = arg;
    (void)invocation;
    struct weir_stand_in_rule *function = weir_stand_ins_find(run->functions, model->name);
    if (function == NULL) {
        return (struct weir_stand_in){ .outcome = WEIR_FUNCTION_BLOCKED,
            .message = WEIR_STR("the test says nothing under `functions:` about this one") };
    }
    return weir_behaviour_answer(&function->behaviour, &run->functions_arena);
}

static bool run_function(struct script_run *run, const struct script_step *step)
{
    const struct function_step *fields = step->fields;
    struct weir_stand_in_rule *function = weir_stand_ins_find(run->functions, fields->name);
    if (function == NULL) {
        add(run, fields->name, &fields->behaviour);
    } else {
        function->behaviour = fields->behaviour;
    }
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
