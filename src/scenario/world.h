/*
 * A whole weir on virtual time, and what tests and simulations do with it: call its APIs, let time
 * pass, break its disk, stop it and start it again on the same data.
 *
 * The data is in memory. Randomness repeats itself, so the same calls lead to the same outcome. A
 * process has one world at a time, because the world listens to the process's log lines.
 * One thread.
 */
#ifndef WEIR_SCENARIO_WORLD_H
#define WEIR_SCENARIO_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/logline.h"
#include "conf/conf.h"
#include "config/config.h"
#include "daemon/engine.h"

/* A log line that weir wrote. */
struct weir_world_line {
    struct weir_time time;
    enum weir_level level;
    struct weir_str what;
    struct weir_str *keys;
    struct weir_str *values;
    size_t count;
};

/* What is wrong with the disk. */
enum weir_world_disk {
    WEIR_WORLD_DISK_WORKS,
    WEIR_WORLD_DISK_FULL,  /* writes find no room */
    WEIR_WORLD_DISK_FAILS, /* writes and syncs fail */
};

struct weir_world_options {
    const char *config; /* path of weir.yaml; NULL: no tables, no pipelines */
    struct weir_time start;
    /* Optional: change the configuration before each start. Errors: any; weir does not start. */
    enum weir_rc (*adjust)(void *arg, struct weir_config *config, struct weir_err *err);
    void *arg;
    /*
     * Optional: what becomes of an invocation of a function, which is counted before; without it
     * weir_world_least.
     */
    struct weir_stand_in (*stand_in)(void *arg, const struct weir_function_model *model,
            const struct weir_invocation *invocation);
};

/* The least that an invocation may be answered with, at once: null, or with windows an empty state.
 */
struct weir_stand_in weir_world_least(const struct weir_invocation *invocation);

/* An invocation of a function. */
struct weir_world_call {
    struct weir_time time;
    struct weir_str function;
    struct weir_str event; /* JSON */
};

/* The parts are borrowed from the world, and change with a restart. */
struct weir_world {
    struct weir_clock_virtual clock;
    struct weir_config *config;
    struct weir_engine *engine;
    struct weir_world_line *lines; /* since the beginning */
    size_t line_count;
    struct weir_world_call *calls; /* of functions, since the beginning */
    size_t call_count;
};

/*
 * Load the configuration and start. What is wrong with the file goes to the diagnostics.
 * Errors: those of weir_config_load and weir_engine_create.
 */
WEIR_MUST_CHECK enum weir_rc weir_world_create(const struct weir_world_options *options,
        struct weir_diagnostics *diagnostics, struct weir_world **ret_world, struct weir_err *err);

/* Stop in order and free. NULL is fine. */
void weir_world_destroy(struct weir_world *parts);
WEIR_AUTO_DEFINE(weir_world);

/* Let time pass. Errors: WEIR_E_LIMIT (it does not come to rest). */
WEIR_MUST_CHECK enum weir_rc weir_world_advance(
        struct weir_world *world, uint64_t ms, struct weir_err *err);

/*
 * Let time pass until the next thing happens by itself, but for most_ms at most.
 * ret_passed_ms: how much it was. Errors: as weir_world_advance.
 */
WEIR_MUST_CHECK enum weir_rc weir_world_next(
        struct weir_world *world, uint64_t most_ms, uint64_t *ret_passed_ms, struct weir_err *err);

/*
 * Let time pass until the pipelines have done all that they have to do, also what cooldown and
 * debounce have put off and the ends of windows, but for most_ms at most.
 * ret_idle: whether they have. Errors: as weir_world_advance, WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_world_settle(
        struct weir_world *world, uint64_t most_ms, bool *ret_idle, struct weir_err *err);

struct weir_time weir_world_now(const struct weir_world *world);

/* The answer of an API. */
struct weir_world_answer {
    int status;
    struct weir_str body;  /* in the caller's arena */
    struct weir_str error; /* its x-amzn-ErrorType, there as well; empty: the body says it */
};

/*
 * Call an AWS API as an SDK does: target is X-Amz-Target ("DynamoDB_20120810.PutItem"), body its
 * JSON. EventBridge Scheduler and Lambda have methods and paths instead: there target is
 * "Scheduler.CreateSchedule", "Lambda.Invoke" or another one that scenario/route.c knows, and the
 * body has all members, names too. Ends when it is answered; time passes while the call itself
 * waits. Errors: WEIR_E_TIMEOUT (no answer within an hour of virtual time), WEIR_E_LIMIT.
 */
WEIR_MUST_CHECK enum weir_rc weir_world_call(struct weir_world *world, struct weir_str target,
        struct weir_str body, struct weir_arena *arena, struct weir_world_answer *ret_answer,
        struct weir_err *err);

/*
 * Stop, and start again on the same data with the configuration as it is now. killed: what the
 * stop would still have written is lost. Errors: as weir_world_create.
 */
WEIR_MUST_CHECK enum weir_rc weir_world_restart(struct weir_world *world, bool killed,
        struct weir_diagnostics *diagnostics, struct weir_err *err);

/* Break the disk, or repair it. */
void weir_world_disk(struct weir_world *parts, enum weir_world_disk disk);

#endif
