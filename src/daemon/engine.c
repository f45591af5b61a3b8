/*
 * The order of starting and stopping, and what ties each module to the loop: when it is to run
 * next, and what the commit thread says has changed.
 */
#include "daemon/engine.h"

#include <stdio.h>
#include <string.h>

#include "base/logline.h"
#include "base/mem.h"
#include "daemon/deliveries.h"
#include "function/runs.h"
#include "outbox/http.h"
#include "state/state.h"
#include "step/registry.h"

enum { FUNCTIONS_GRACE_MS = 2000 }; /* between SIGTERM and SIGKILL, at the end */

struct engine {
    struct weir_engine parts;
    struct weir_deliveries *deliveries;
    struct weir_function_runs *runs;
    struct weir_loop_timer timers_timer;
    struct weir_post timers_post;
    struct weir_loop_timer queues_timer;
    struct weir_post queues_post;
    struct weir_loop_timer schedules_timer;
    struct weir_post schedules_post;
    struct weir_loop_timer alarms_timer;
    _Atomic bool timers_woken;
    _Atomic bool queues_woken;
    _Atomic bool schedules_woken;
    bool quiet;     /* begins nothing more by itself */
    bool finishing; /* the loop does not run any more */
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static struct engine *engine_of(struct weir_engine *parts)
{
    return WEIR_CONTAINER(parts, struct engine, parts);
}

/* --- timers on the loop ----------------------------------------------------------- */

static void run_timers(struct engine *engine)
{
    struct weir_err err;
    if (engine->parts.timers == NULL || engine->quiet) {
        return;
    }
    enum weir_rc rc = weir_timers_run(engine->parts.timers, &err);
    if (rc == WEIR_E_BUSY) {
        weir_logline(WEIR_LOG_WARN, "timers.wait", "reason", err.msg, NULL);
    } else if (rc != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "timers.failed", "reason", err.msg, NULL);
        weir_loop_timer_start(&engine->timers_timer, 1000);
    }
}

static void timers_due(struct weir_loop_timer *timer)
{
    run_timers(WEIR_CONTAINER(timer, struct engine, timers_timer));
}

static void timers_posted(struct weir_post *post)
{
    struct engine *engine = WEIR_CONTAINER(post, struct engine, timers_post);
    atomic_store(&engine->timers_woken, false);
    run_timers(engine);
}

static void timers_changed(void *arg)
{
    struct engine *engine = arg;
    if (!atomic_exchange(&engine->timers_woken, true)) {
        weir_loop_post(engine->parts.loop, &engine->timers_post);
    }
}

static void timers_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct engine *engine = arg;
    /* A far time is looked at again once a day, so that a changed wall clock is noticed. */
    const uint64_t day_ms = 24ull * 3600 * 1000;
    if (never) {
        weir_loop_timer_stop(&engine->timers_timer);
    } else {
        weir_loop_timer_start(&engine->timers_timer, after_ms < day_ms ? after_ms : day_ms);
    }
}

/* --- queues on the loop ------------------------------------------------------------- */

static void run_queues(struct engine *engine)
{
    struct weir_err err;
    if (engine->parts.queues == NULL || engine->finishing) {
        return;
    }
    if (weir_queues_run(engine->parts.queues, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "queues.failed", "reason", err.msg, NULL);
        weir_loop_timer_start(&engine->queues_timer, 1000);
    }
}

static void queues_due(struct weir_loop_timer *timer)
{
    run_queues(WEIR_CONTAINER(timer, struct engine, queues_timer));
}

static void queues_posted(struct weir_post *post)
{
    struct engine *engine = WEIR_CONTAINER(post, struct engine, queues_post);
    atomic_store(&engine->queues_woken, false);
    run_queues(engine);
}

static void queues_changed(void *arg)
{
    struct engine *engine = arg;
    if (!atomic_exchange(&engine->queues_woken, true)) {
        weir_loop_post(engine->parts.loop, &engine->queues_post);
    }
}

static void queues_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct engine *engine = arg;
    const uint64_t day_ms = 24ull * 3600 * 1000; /* as for timers */
    if (never) {
        weir_loop_timer_stop(&engine->queues_timer);
    } else {
        weir_loop_timer_start(&engine->queues_timer, after_ms < day_ms ? after_ms : day_ms);
    }
}

/* --- schedules on the loop ---------------------------------------------------------- */

static void run_schedules(struct engine *engine)
{
    struct weir_err err;
    if (engine->parts.schedules == NULL || engine->quiet) {
        return;
    }
    if (weir_schedules_run(engine->parts.schedules, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "schedules.failed", "reason", err.msg, NULL);
        weir_loop_timer_start(&engine->schedules_timer, 1000);
    }
}

static void schedules_due(struct weir_loop_timer *timer)
{
    run_schedules(WEIR_CONTAINER(timer, struct engine, schedules_timer));
}

static void schedules_posted(struct weir_post *post)
{
    struct engine *engine = WEIR_CONTAINER(post, struct engine, schedules_post);
    atomic_store(&engine->schedules_woken, false);
    run_schedules(engine);
}

static void schedules_changed(void *arg)
{
    struct engine *engine = arg;
    if (!atomic_exchange(&engine->schedules_woken, true)) {
        weir_loop_post(engine->parts.loop, &engine->schedules_post);
    }
}

static void schedules_log(void *arg, const struct weir_err *err)
{
    (void)arg;
    weir_logline(WEIR_LOG_ERROR, "schedule.failed", "reason", err->msg, NULL);
}

/* --- alarms on the loop ----------------------------------------------------------- */

static void run_alarms(struct engine *engine)
{
    struct weir_err err;
    if (!engine->quiet && weir_alarms_run(engine->parts.alarms, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "alarms.failed", "reason", err.msg, NULL);
    }
}

static void alarms_due(struct weir_loop_timer *timer)
{
    run_alarms(WEIR_CONTAINER(timer, struct engine, alarms_timer));
}

static void alarms_wake_at(void *arg, uint64_t after_ms)
{
    struct engine *engine = arg;
    weir_loop_timer_start(&engine->alarms_timer, after_ms);
}

static void alarms_refresh(void *arg)
{
    struct engine *engine = arg;
    weir_pipelines_refresh(engine->parts.pipelines);
    weir_queues_refresh(engine->parts.queues);
    weir_outbox_refresh(engine->parts.outbox);
}

/* An alarm's message by POST: in order for one alarm, and for a day. */
static enum weir_rc alarms_post(struct engine *engine, struct weir_txn *txn,
        const struct weir_alarm_message *message, struct weir_err *err)
{
    const struct weir_outbox_post post = { .url = message->url, .body = message->body };
    struct weir_intent intent = {
        .order = message->alarm,
        .id = weir_arena_printf(&txn->arena, "%.*s/%.*s", WEIR_STR_ARG(message->alarm),
                WEIR_STR_ARG(message->id)),
        .retry = {
            .retries = UINT64_MAX,
            .backoff = { .pauses_ms = { 1000 }, .count = 1, .max_ms = 5 * 60 * 1000 },
            .max_age_ms = 24ull * 3600 * 1000,
        },
    };
    enum weir_rc rc = weir_outbox_post_intent(&post, &txn->arena, &intent, err);
    return rc == WEIR_OK ? weir_outbox_add(engine->parts.outbox, txn, &intent, err) : rc;
}

static enum weir_rc alarms_send(void *arg, struct weir_txn *txn,
        const struct weir_alarm_message *message, const void **ret_held, struct weir_err *err)
{
    struct engine *engine = arg;
    if (message->url.n > 0) {
        return alarms_post(engine, txn, message, err);
    }
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_queues_get(engine->parts.queues, message->queue, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    send->queue = queue;
    send->message.body = message->body;
    if (queue->fifo) {
        send->message.group = message->alarm;
        send->message.dedup = message->id;
    }
    *ret_held = queue;
    return weir_queue_send(engine->parts.queues, send, txn, err);
}

static void alarms_release(void *arg, const void *held)
{
    (void)arg;
    weir_queue_unref(held);
}

static void alarms_log(void *arg, const struct weir_alarm_change *change)
{
    (void)arg;
    char *name = weir_strndup(change->alarm->name.p, change->alarm->name.n);
    char *reason = weir_strndup(change->reason.p, change->reason.n);
    weir_logline(change->to == WEIR_ALARM_ALARM ? WEIR_LOG_WARN : WEIR_LOG_INFO, "alarm.changed",
            "alarm", name, "state", weir_alarm_state_name(change->to), "was",
            weir_alarm_state_name(change->from), "reason", reason, NULL);
    weir_free(reason);
    weir_free(name);
}

/* --- functions on the loop ---------------------------------------------------------- */

static void functions_log(void *arg, const struct weir_function_event *event)
{
    (void)arg;
    char instance[24];
    char *name = weir_strndup(event->function.p, event->function.n);
    char *text = weir_strndup(event->text.p, event->text.n);
    snprintf(instance, sizeof(instance), "%llu", (unsigned long long)event->instance);
    weir_logline(event->level, event->what, "function", name, "instance", instance, "request",
            event->request_id, "text", text, NULL);
    weir_free(text);
    weir_free(name);
}

/* --- starting --------------------------------------------------------------------------- */

enum { MEMORY_SEGMENT_BYTES = 16 * 1024 * 1024 }; /* of the caller's files, which are in memory */

static uint32_t segment_bytes(const struct weir_engine_options *options)
{
    if (options->fs == NULL) {
        return 0;
    }
    return options->segment_bytes > 0 ? options->segment_bytes : MEMORY_SEGMENT_BYTES;
}

static enum weir_rc start_store(
        struct engine *engine, const struct weir_engine_options *options, struct weir_err *err)
{
    const struct weir_config *config = options->config;
    bool memory = options->fs == NULL && strcmp(options->data, "memory") == 0;
    struct weir_store_options store = {
        .dir = memory ? NULL : options->data,
        .fs = options->fs,
        .discard_state = options->fs != NULL,
        .segment_bytes = segment_bytes(options),
        .stepped = options->clock != NULL,
        .clock = engine->parts.clock,
        .metrics = engine->parts.metrics,
        .memory_bytes = config->server.memory_bytes,
        .retention_ms = config->server.retention_ms,
        .log_max_bytes = config->server.log_max_bytes,
    };
    return weir_store_open(&store, &engine->parts.store, err);
}

static bool step_store(void *arg)
{
    struct engine *engine = arg;
    return weir_store_step(engine->parts.store);
}

static enum weir_rc start_loop(
        struct engine *engine, const struct weir_engine_options *options, struct weir_err *err)
{
    if (options->clock == NULL) {
        return weir_loop_create(engine->parts.clock, &engine->parts.loop, err);
    }
    engine->parts.loop = weir_loop_create_virtual(options->clock);
    weir_loop_on_idle(engine->parts.loop, step_store, engine);
    weir_http_client_stand_in(engine->parts.loop, options->network, options->network_arg);
    return WEIR_OK;
}

static void catalogue_changed(void *arg)
{
    struct engine *engine = arg;
    weir_pipelines_catalogue_changed(engine->parts.pipelines);
}

static enum weir_rc start_tables(
        struct engine *engine, const struct weir_config *config, struct weir_err *err)
{
    struct weir_timer_host host = { timers_wake_at, timers_changed, engine };
    engine->timers_post.run = timers_posted;
    weir_loop_timer_init(&engine->timers_timer, engine->parts.loop, timers_due);
    engine->parts.timers = weir_timers_create(engine->parts.store, host);
    weir_state_start(engine->parts.timers, engine->parts.store);
    struct weir_tables_options options = {
        .store = engine->parts.store,
        .timers = engine->parts.timers,
        .region = config->server.region,
        .account = config->server.account,
    };
    enum weir_rc rc = weir_tables_open(&options, &engine->parts.tables, err);
    for (size_t i = 0; rc == WEIR_OK && i < config->table_count; i++) {
        rc = weir_tables_ensure(engine->parts.tables, &config->tables[i], err);
    }
    timers_changed(engine);
    return rc;
}

static enum weir_rc start_queues(
        struct engine *engine, const struct weir_config *config, struct weir_err *err)
{
    engine->queues_post.run = queues_posted;
    weir_loop_timer_init(&engine->queues_timer, engine->parts.loop, queues_due);
    struct weir_queues_options options = {
        .store = engine->parts.store,
        .host = { queues_wake_at, queues_changed, engine },
        .metrics = engine->parts.metrics,
        .region = config->server.region,
        .account = config->server.account,
    };
    enum weir_rc rc = weir_queues_open(&options, &engine->parts.queues, err);
    for (size_t i = 0; rc == WEIR_OK && i < config->queue_count; i++) {
        rc = weir_queues_ensure(engine->parts.queues, &config->queues[i], err);
    }
    return rc;
}

static enum weir_rc start_deliveries(
        struct engine *engine, const struct weir_engine_options *options, struct weir_err *err)
{
    struct weir_deliveries_options deliveries = {
        .loop = engine->parts.loop,
        .store = engine->parts.store,
        .queues = engine->parts.queues,
        .metrics = engine->parts.metrics,
        .network = options->clock == NULL || options->network != NULL,
        .remotes = options->config->remotes,
        .remote_count = options->config->remote_count,
    };
    enum weir_rc rc = weir_deliveries_create(&deliveries, &engine->deliveries, err);
    engine->parts.outbox = weir_deliveries_outbox(engine->deliveries);
    return rc;
}

static enum weir_rc start_functions(struct engine *engine,
        const struct weir_engine_options *engine_options, struct weir_err *err)
{
    const struct weir_config *config = engine_options->config;
    struct weir_functions_options options = {
        .stand_in = engine_options->stand_in,
        .stand_in_arg = engine_options->stand_in_arg,
        .loop = engine->parts.loop,
        .metrics = engine->parts.metrics,
        .models = config->functions,
        .count = config->function_count,
        .region = config->server.region,
        .account = config->server.account,
        .log = functions_log,
        .arg = engine,
    };
    if (config->server.credential_count > 0) {
        options.access_key_id = config->server.credentials[0].access_key_id;
        options.secret_access_key = config->server.credentials[0].secret;
    }
    enum weir_rc rc = weir_functions_create(&options, &engine->parts.functions, err);
    if (rc == WEIR_OK) {
        engine->runs = weir_function_runs_create(engine->parts.outbox, engine->parts.functions);
    }
    return rc;
}

static enum weir_rc start_schedules(
        struct engine *engine, const struct weir_config *config, struct weir_err *err)
{
    engine->schedules_post.run = schedules_posted;
    weir_loop_timer_init(&engine->schedules_timer, engine->parts.loop, schedules_due);
    struct weir_schedules_options options = {
        .store = engine->parts.store,
        .timers = engine->parts.timers,
        .queues = engine->parts.queues,
        .outbox = engine->parts.outbox,
        .functions = engine->parts.functions,
        .metrics = engine->parts.metrics,
        .host = { .changed = schedules_changed, .failed = schedules_log, .arg = engine },
        .region = config->server.region,
        .account = config->server.account,
    };
    engine->parts.schedules = weir_schedules_create(&options);
    weir_deliveries_letters(engine->deliveries, WEIR_INTENT_SCHEDULE, weir_schedules_give_up,
            engine->parts.schedules);
    schedules_changed(engine); /* groups that were being deleted when weir ended */
    return weir_schedules_ensure(
            engine->parts.schedules, config->schedules, config->schedule_count, err);
}

static enum weir_rc start_pipelines(
        struct engine *engine, struct weir_config *config, bool simulates, struct weir_err *err)
{
    struct weir_pipelines_options options = {
        .loop = engine->parts.loop,
        .tables = engine->parts.tables,
        .queues = engine->parts.queues,
        .functions = engine->parts.functions,
        .outbox = engine->parts.outbox,
        .simulates = simulates,
        .metrics = engine->parts.metrics,
    };
    engine->parts.pipelines = weir_pipelines_create(&options);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < config->pipeline_count; i++) {
        rc = weir_pipelines_add(engine->parts.pipelines, WEIR_TAKE(config->pipelines[i]), err);
    }
    if (rc == WEIR_OK) {
        weir_tables_on_change(engine->parts.tables, catalogue_changed, engine);
        weir_queues_on_change(engine->parts.queues, catalogue_changed, engine);
    }
    return rc;
}

static enum weir_rc start_mappings(struct engine *engine, struct weir_err *err)
{
    struct weir_mappings_options options = {
        .loop = engine->parts.loop,
        .tables = engine->parts.tables,
        .queues = engine->parts.queues,
        .functions = engine->parts.functions,
        .pipelines = engine->parts.pipelines,
        .kinds = weir_step_kinds_all(),
    };
    return weir_mappings_create(&options, &engine->parts.mappings, err);
}

static enum weir_rc start_alarms(
        struct engine *engine, const struct weir_config *config, struct weir_err *err)
{
    struct weir_alarms_options options = {
        .store = engine->parts.store,
        .metrics = engine->parts.metrics,
        .host = {
            .wake_at = alarms_wake_at,
            .refresh = alarms_refresh,
            .log = alarms_log,
            .send = alarms_send,
            .release = alarms_release,
            .arg = engine,
        },
        .models = config->alarms,
        .count = config->alarm_count,
    };
    weir_loop_timer_init(&engine->alarms_timer, engine->parts.loop, alarms_due);
    enum weir_rc rc = weir_alarms_create(&options, &engine->parts.alarms, err);
    if (rc == WEIR_OK && config->alarm_count > 0) {
        weir_loop_timer_start(&engine->alarms_timer, 0); /* periods begin when the loop runs */
    }
    return rc;
}

static enum weir_rc start(
        struct engine *engine, const struct weir_engine_options *options, struct weir_err *err)
{
    struct weir_config *config = options->config;
    engine->parts.clock = options->clock != NULL ? &options->clock->base : weir_clock_system();
    engine->parts.metrics = weir_metrics_create();
    enum weir_rc rc = start_store(engine, options, err);
    if (rc == WEIR_OK) {
        rc = start_loop(engine, options, err);
    }
    if (rc == WEIR_OK) {
        rc = start_tables(engine, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_queues(engine, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_deliveries(engine, options, err);
    }
    if (rc == WEIR_OK) {
        rc = start_functions(engine, options, err);
    }
    if (rc == WEIR_OK) {
        rc = start_schedules(engine, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_pipelines(engine, config, options->clock != NULL, err);
    }
    if (rc == WEIR_OK) {
        rc = start_mappings(engine, err);
    }
    return rc == WEIR_OK ? start_alarms(engine, config, err) : rc;
}

enum weir_rc weir_engine_create(const struct weir_engine_options *options,
        struct weir_engine **ret_engine, struct weir_err *err)
{
    struct engine *engine = weir_alloc_zero(1, sizeof(*engine));
    enum weir_rc rc = start(engine, options, err);
    if (rc != WEIR_OK) {
        weir_engine_destroy(&engine->parts);
        return rc;
    }
    *ret_engine = &engine->parts;
    return WEIR_OK;
}

/* --- stopping ----------------------------------------------------------------------------- */

void weir_engine_quiesce(struct weir_engine *parts)
{
    engine_of(parts)->quiet = true;
    weir_queues_stop(parts->queues);
}

static void deliveries_stopped(void *arg)
{
    struct engine *engine = arg;
    weir_functions_stop(
            engine->parts.functions, FUNCTIONS_GRACE_MS, engine->stopped, engine->stopped_arg);
}

static void pipelines_stopped(void *arg)
{
    struct engine *engine = arg;
    weir_deliveries_stop(engine->deliveries, deliveries_stopped, engine);
}

void weir_engine_stop(struct weir_engine *parts, void (*stopped)(void *arg), void *arg)
{
    struct engine *engine = engine_of(parts);
    engine->stopped = stopped;
    engine->stopped_arg = arg;
    weir_pipelines_stop(parts->pipelines, pipelines_stopped, engine);
}

/* Everything in reverse; accepts an engine that only half started. */
void weir_engine_destroy(struct weir_engine *parts)
{
    if (parts == NULL) {
        return;
    }
    struct engine *engine = engine_of(parts);
    engine->finishing = true;
    if (parts->store != NULL) {
        weir_store_stop(parts->store);
    }
    if (parts->tables != NULL) {
        weir_tables_on_change(parts->tables, NULL, NULL);
    }
    if (parts->queues != NULL) {
        weir_queues_on_change(parts->queues, NULL, NULL);
    }
    weir_mappings_finish(parts->mappings);
    weir_pipelines_destroy(parts->pipelines);
    weir_function_runs_destroy(engine->runs);
    weir_functions_destroy(parts->functions);
    weir_deliveries_finish(engine->deliveries);
    weir_loop_timer_fini(&engine->alarms_timer);
    weir_alarms_destroy(parts->alarms);
    weir_loop_timer_fini(&engine->timers_timer);
    weir_loop_timer_fini(&engine->queues_timer);
    weir_loop_timer_fini(&engine->schedules_timer);
    weir_timers_destroy(WEIR_TAKE(parts->timers));
    weir_loop_destroy(parts->loop);
    weir_mappings_destroy(parts->mappings);
    weir_schedules_destroy(parts->schedules);
    weir_deliveries_destroy(engine->deliveries);
    weir_queues_close(parts->queues);
    weir_tables_close(parts->tables);
    weir_store_close(parts->store);
    weir_metrics_destroy(parts->metrics);
    weir_free(engine);
}
