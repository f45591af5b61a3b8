/* What the files of scenario/ share: a test file in memory, and a test while it runs. */
#ifndef WEIR_SCENARIO_SCENARIO_INT_H
#define WEIR_SCENARIO_SCENARIO_INT_H

#include "scenario/compare.h"
#include "scenario/scenario.h"
#include "scenario/stand_ins.h"
#include "scenario/world.h"

struct script_run;
struct script_step;

/* While a file is read. */
struct script_reader {
    const char *path; /* of the file */
    struct weir_diagnostics *diagnostics;
    struct weir_arena *arena; /* of the script */
    struct weir_time start;   /* of the test at hand, for times like +5s */
};

/* A kind of step, `name: ...` in a list of steps. */
struct script_kind {
    const char *name;
    const char *help;                  /* one sentence, no full stop */
    const struct weir_option *options; /* of a step that is a map; NULL: read looks at the node */
    size_t size;                       /* of the kind's fields */
    /* Optional: check and convert what the options do not. False: it was complained about. */
    bool (*read)(struct script_reader *reader, const struct weir_conf *node, void *fields);
    /* Run the step. False: it failed, and weir_script_fail was called. */
    bool (*run)(struct script_run *run, const struct script_step *step);
};

struct script_step {
    const struct script_kind *kind;
    const struct weir_conf *node; /* its value */
    void *fields;                 /* of the kind */
    struct script_step *next;
};

struct script_test {
    struct weir_str name;
    const struct weir_conf *at;
    struct weir_time start;
    struct script_step *first;
};

struct weir_script {
    struct weir_arena arena;
    const char *path;
    const char *config;                   /* path; NULL: none */
    struct weir_stand_in_rule *functions; /* as each test begins */
    struct script_test *tests;
    size_t test_count;
};

/* A test while it runs. */
struct script_run {
    struct weir_script *script;
    const struct script_test *test;
    struct weir_world *world;
    struct weir_stand_in_rule *functions; /* as they are now; in functions_arena */
    struct weir_arena functions_arena;
    struct weir_arena arena; /* of the step at hand */
    struct weir_buf failure; /* empty: none yet */
    struct weir_buf details; /* lines that explain it, kept by weir_script_fail */
};

/* Say that a step failed at a node, with the details behind it. Returns false. */
WEIR_PRINTF(3, 4)
bool weir_script_fail(struct script_run *run, const struct weir_conf *at, const char *fmt, ...);

/* --- values.c: from YAML to what weir works with -------------------------------------- */

/*
 * A map as an item: plain values, or DynamoDB JSON when every value is a map with the name of a
 * type. False: it is neither, and was complained about.
 */
bool weir_script_item(
        struct script_reader *reader, const struct weir_conf *node, struct weir_item *ret_item);

/* The path of a file that a test file names, relative to the latter. In the arena. */
const char *weir_script_path(struct weir_arena *arena, const char *script, struct weir_str name);

/* A node as JSON, in the arena. */
struct weir_str weir_script_json(struct weir_arena *arena, const struct weir_conf *node);

/* A time: 2026-01-01T00:00:05Z, or +5s after the start of the test. False: complained. */
bool weir_script_time(
        struct script_reader *reader, const struct weir_conf *node, struct weir_time *ret_time);

/* A duration such as 5s. False: complained. */
bool weir_script_duration(
        struct script_reader *reader, const struct weir_conf *node, uint64_t *ret_ms);

/*
 * An item with its member `at` turned into the form in which weir's times are compared. A map
 * without it is as it was. False: complained.
 */
bool weir_script_event(
        struct script_reader *reader, const struct weir_conf *node, struct weir_item *ret_item);

/* A JSON text as an item; empty when it is no object. In the arena. */
struct weir_item weir_script_parse(struct weir_arena *arena, struct weir_str text);

/* --- the kinds of steps, each with the others of its file -------------------------------- */

extern const struct script_kind script_kind_at; /* steps_time.c */
extern const struct script_kind script_kind_advance;
extern const struct script_kind script_kind_clock;
extern const struct script_kind script_kind_restart;
extern const struct script_kind script_kind_fault;
extern const struct script_kind script_kind_put; /* steps_write.c */
extern const struct script_kind script_kind_update;
extern const struct script_kind script_kind_delete;
extern const struct script_kind script_kind_send;
extern const struct script_kind script_kind_call;
extern const struct script_kind script_kind_function; /* functions.c */
extern const struct script_kind script_kind_records;  /* steps_records.c */
extern const struct script_kind script_kind_expect;   /* expect.c */

/* --- functions.c: stand-ins for functions ---------------------------------------------------- */

/* Make the functions of a test those of its file. */
void weir_script_functions_begin(struct script_run *run);

/* The world's stand-in; arg is the run. */
struct weir_stand_in weir_script_stand_in(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation);

/* --- subjects.c: what an expectation can be about ------------------------------------------ */

/* Actual things, as items. */
struct script_items {
    struct weir_item *all; /* in the run's arena */
    size_t count;
    size_t capacity;
};

void weir_script_items_add(
        struct weir_arena *arena, struct script_items *items, struct weir_item item);

struct script_subject {
    const char *name;   /* the member that names it: `table`, `queue`, ... */
    const char *what;   /* for messages: "items of table", "messages of queue" */
    const char *list;   /* the member that lists all of them: `items`; NULL: there is none */
    bool whole;         /* listed things are compared whole */
    bool ordered;       /* their order counts */
    bool single;        /* one thing, whose members stand in the expectation itself */
    const char *helper; /* another member that gather looks at: `key`, `labels`; NULL: none */
    /* Add what is there. helper: that member, as an item; empty: not given. False: failed. */
    bool (*gather)(struct script_run *run, const struct weir_conf *name, struct weir_item helper,
            struct script_items *items);
};

/* All subjects; the last has no name. */
extern const struct script_subject script_subjects[];

#endif
