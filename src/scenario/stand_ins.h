/*
 * What stands in for functions, as a file says it: a map of their names to what each answers, how
 * long it takes and how often it fails. Tests and simulations read it alike. One thread.
 */
#ifndef WEIR_SCENARIO_STAND_INS_H
#define WEIR_SCENARIO_STAND_INS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "function/function.h"

/* What a file says of one function. Nodes and texts are the file's. */
struct weir_behaviour {
    const struct weir_conf *returns; /* NULL: null */
    uint64_t takes_ms;
    struct weir_str fails; /* as written */
    struct weir_str error;
    bool down;         /* nobody answers */
    uint64_t failures; /* of the invocations to come; UINT64_MAX: all. Set by the check */
};

/* The members of a table of options, for a struct that has a struct weir_behaviour at an offset. */
#define WEIR_BEHAVIOUR_OPTIONS(at)                                                           \
    { "returns", "", "what it answers; nothing: null", WEIR_OPTION_NODE,                     \
        (at) + offsetof(struct weir_behaviour, returns), 0, 0 },                             \
            { "takes", "", "how long that takes", WEIR_OPTION_DURATION,                      \
                (at) + offsetof(struct weir_behaviour, takes_ms), 0, 0 },                    \
            { "fails", "", "how many invocations fail before one succeeds, or `always`",     \
                WEIR_OPTION_STRING, (at) + offsetof(struct weir_behaviour, fails), 0, 0 },   \
            { "error", "it fails, as the test wants", "the message of those that fail",      \
                WEIR_OPTION_STRING, (at) + offsetof(struct weir_behaviour, error), 0, 0 },   \
            { "down", "false", "nobody answers: invocations have to wait", WEIR_OPTION_BOOL, \
                (at) + offsetof(struct weir_behaviour, down), 0, 0 },                        \
    {                                                                                        \
        0                                                                                    \
    }

/* After its options were read: work out `failures`. False: complained about. node: the map. */
bool weir_behaviour_check(struct weir_diagnostics *diagnostics, const struct weir_conf *node,
        struct weir_behaviour *behaviour);

/* A function that something stands in for. */
struct weir_stand_in_rule {
    struct weir_stand_in_rule *next;
    struct weir_str name;
    struct weir_behaviour behaviour;
};

/* Read a map of functions; what is wrong goes to the diagnostics. In the arena. */
struct weir_stand_in_rule *weir_stand_ins_read(struct weir_arena *arena,
        struct weir_diagnostics *diagnostics, const struct weir_conf *node);

/* The rule of a function, or NULL. */
struct weir_stand_in_rule *weir_stand_ins_find(
        struct weir_stand_in_rule *first, struct weir_str name);

/* What becomes of an invocation; uses one of its failures. Texts are the arena's. */
struct weir_stand_in weir_behaviour_answer(
        struct weir_behaviour *behaviour, struct weir_arena *arena);

#endif
