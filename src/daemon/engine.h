/*
 * Everything of a weir but the way in: store, loop, timers, tables, queues, functions, schedules,
 * pipelines, alarms, started and stopped in order. `weir serve` puts listening, signals and the
 * wire APIs around it; tests and simulations run it on virtual time.
 *
 *     create -> (the loop runs) -> stop -> (the loop runs until stopped is called) -> destroy
 *
 * stop is for ends in good order; destroy alone ends it as a crash would, but for what the store
 * still writes; the loop must not have anything to run then. Threads: the loop's, but for what the
 * modules say.
 */
#ifndef WEIR_DAEMON_ENGINE_H
#define WEIR_DAEMON_ENGINE_H

#include "alarm/alarm.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/metrics.h"
#include "config/config.h"
#include "function/function.h"
#include "mapping/mapping.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "outbox/outbox.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "schedule/schedule.h"
#include "store/store.h"
#include "table/table.h"
#include "timer/timer.h"

struct weir_engine_options {
    struct weir_config *config; /* borrowed for the engine's life; its pipelines are taken */
    const char *data;           /* folder, or "memory" */
    /*
     * NULL: the machine's clock. Else the loop is one on virtual time, and the store is stepped
     * whenever the loop is idle: there is one thread, and nothing happens but in weir_loop_advance
     * and weir_loop_run_until_idle.
     */
    struct weir_clock_virtual *clock;
    /*
     * NULL: the machine's files. Else files in memory, for the commit log, which is all there is of
     * the data: the state is replayed from it.
     */
    struct weir_fs *fs;
    /* Stands in for all functions, see struct weir_functions_options; NULL: they are real. */
    struct weir_stand_in (*stand_in)(void *arg, const struct weir_function_model *model,
            const struct weir_invocation *invocation);
    void *stand_in_arg;
    /*
     * With clock: stands in for the network, see weir_http_client_stand_in; NULL: what is for the
     * outside stays in the outbox.
     */
    struct weir_http_stand_in (*network)(void *arg, const struct weir_http_call *call);
    void *network_arg;
    uint32_t segment_bytes; /* of the log in fs; 0: 16 MiB */
};

/* The parts, for those who put something around them. Borrowed from the engine. */
struct weir_engine {
    const struct weir_clock *clock;
    struct weir_metrics *metrics;
    struct weir_store *store;
    struct weir_loop *loop;
    struct weir_timers *timers;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_outbox *outbox;
    struct weir_functions *functions; /* who listens says where: weir_functions_start */
    struct weir_schedules *schedules;
    struct weir_pipelines *pipelines;
    struct weir_mappings *mappings;
    struct weir_alarms *alarms;
};

/*
 * Start everything. Work begins when the loop runs.
 *
 * Errors: WEIR_E_INVALID (a stored table or queue that differs from the configuration), and
 * those of weir_store_open.
 */
WEIR_MUST_CHECK enum weir_rc weir_engine_create(const struct weir_engine_options *options,
        struct weir_engine **ret_engine, struct weir_err *err);

/*
 * Begin nothing new that is not asked for: timers, alarms and waiting receivers. The first half
 * of stopping, while requests that are under way still end.
 */
void weir_engine_quiesce(struct weir_engine *parts);

/* Batches in flight finish, positions are written; then stopped runs, never inside this call. */
void weir_engine_stop(struct weir_engine *parts, void (*stopped)(void *arg), void *arg);

/*
 * Free everything; NULL is fine. Servers on the loop must have been destroyed; who uses the parts
 * otherwise may live on, but not use them.
 */
void weir_engine_destroy(struct weir_engine *parts);
WEIR_AUTO_DEFINE(weir_engine);

#endif
