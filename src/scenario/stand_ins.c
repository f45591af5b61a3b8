#include "scenario/stand_ins.h"

#include "base/mem.h"
#include "scenario/scenario_int.h"

static const struct weir_option options[] = { WEIR_BEHAVIOUR_OPTIONS(
        offsetof(struct weir_stand_in_rule, behaviour)) };

bool weir_behaviour_check(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        struct weir_behaviour *behaviour)
{
    if (behaviour->fails.n == 0) {
        return true;
    }
    if (weir_str_eq(behaviour->fails, WEIR_STR("always"))) {
        behaviour->failures = UINT64_MAX;
        return true;
    }
    if (!weir_str_to_u64(behaviour->fails, &behaviour->failures)) {
        weir_conf_error(
                diagnostics, weir_conf_get(node, "fails"), "a number is expected, or `always`");
        return false;
    }
    return true;
}

struct weir_stand_in_rule *weir_stand_ins_read(struct weir_arena *arena,
        struct weir_diagnostics *diagnostics, const struct weir_conf *node)
{
    struct weir_stand_in_rule *first = NULL;
    if (node->kind != WEIR_CONF_MAP) {
        weir_conf_error(diagnostics, node,
                "a map of functions is expected: the name of each, and what stands in for it");
        return NULL;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct weir_stand_in_rule *rule = WEIR_ARENA_NEW(arena, struct weir_stand_in_rule);
        if (weir_conf_options(
                    diagnostics, &node->items[i], "the stand-in of a function", options, rule) &&
                weir_behaviour_check(diagnostics, &node->items[i], &rule->behaviour)) {
            rule->name = node->names[i].text;
            rule->next = first;
            first = rule;
        }
    }
    return first;
}

struct weir_stand_in_rule *weir_stand_ins_find(
        struct weir_stand_in_rule *first, struct weir_str name)
{
    while (first != NULL && !weir_str_eq(first->name, name)) {
        first = first->next;
    }
    return first;
}

struct weir_stand_in weir_behaviour_answer(
        struct weir_behaviour *behaviour, struct weir_arena *arena)
{
    if (behaviour->down) {
        return (struct weir_stand_in){ .outcome = WEIR_FUNCTION_BLOCKED,
            .message = WEIR_STR("it is down, as the test wants") };
    }
    struct weir_stand_in reply = { .takes_ms = behaviour->takes_ms };
    if (behaviour->failures > 0) {
        behaviour->failures -= behaviour->failures != UINT64_MAX;
        reply.outcome = WEIR_FUNCTION_ERROR;
        reply.message = behaviour->error;
        return reply;
    }
    reply.response = behaviour->returns != NULL ? weir_script_json(arena, behaviour->returns)
                                                : WEIR_STR("null");
    return reply;
}
