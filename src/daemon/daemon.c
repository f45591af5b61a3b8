/*
 * Start and stop.
 *
 * Start: data folder and commit thread, loop, timers, catalogues, tables and queues of the
 * file, pipelines, alarms, HTTP. Stop, on SIGTERM or SIGINT: no new requests, requests in
 * flight, batches in flight, commit thread, and then everything in reverse.
 */
#include "daemon/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/admin.h"
#include "api/api.h"
#include "base/logline.h"
#include "base/mem.h"
#include "net/access.h"
#include "net/http.h"
#include "net/loop.h"
#include "queue/queue.h"
#include "state/state.h"
#include "timer/timer.h"

enum { STOP_DEADLINE_MS = 10 * 1000 };

struct daemon {
    struct weir_metrics *metrics;
    struct weir_store *store;
    struct weir_loop *loop;
    struct weir_timers *timers;
    struct weir_loop_timer timers_timer;
    struct weir_post timers_post;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_loop_timer queues_timer;
    struct weir_post queues_post;
    struct weir_pipelines *pipelines;
    struct weir_alarms *alarms;
    struct weir_loop_timer alarms_timer;
    struct weir_http_metrics http_metrics;
    struct weir_http_server *server;
    struct weir_admin *admin;
    struct weir_api *api;
    struct weir_sigv4_keys keys;
    const struct weir_config_credential *credentials; /* the configuration's */
    size_t credential_count;
    char address[128]; /* to listen on */
    uint16_t port;
    pthread_t signal_thread;
    struct weir_post stop_post;
    bool has_signal_thread;
    _Atomic bool timers_woken;
    _Atomic bool queues_woken;
    bool stopping;
    bool finishing; /* the loop does not run any more */
};

/* --- timers on the loop ----------------------------------------------------------- */

static void run_timers(struct daemon *daemon)
{
    struct weir_err err;
    if (daemon->timers == NULL || daemon->stopping) {
        return;
    }
    enum weir_rc rc = weir_timers_run(daemon->timers, &err);
    if (rc == WEIR_E_BUSY) {
        weir_logline(WEIR_LOG_WARN, "timers.wait", "reason", err.msg, NULL);
    } else if (rc != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "timers.failed", "reason", err.msg, NULL);
        weir_loop_timer_start(&daemon->timers_timer, 1000);
    }
}

static void timers_due(struct weir_loop_timer *timer)
{
    run_timers(WEIR_CONTAINER(timer, struct daemon, timers_timer));
}

static void timers_posted(struct weir_post *post)
{
    struct daemon *daemon = WEIR_CONTAINER(post, struct daemon, timers_post);
    atomic_store(&daemon->timers_woken, false);
    run_timers(daemon);
}

static void timers_changed(void *arg)
{
    struct daemon *daemon = arg;
    if (!atomic_exchange(&daemon->timers_woken, true)) {
        weir_loop_post(daemon->loop, &daemon->timers_post);
    }
}

static void timers_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct daemon *daemon = arg;
    /* A far time is looked at again once a day, so that a changed wall clock is noticed. */
    const uint64_t day_ms = 24ull * 3600 * 1000;
    if (never) {
        weir_loop_timer_stop(&daemon->timers_timer);
    } else {
        weir_loop_timer_start(&daemon->timers_timer, after_ms < day_ms ? after_ms : day_ms);
    }
}

/* --- queues on the loop ------------------------------------------------------------- */

static void run_queues(struct daemon *daemon)
{
    struct weir_err err;
    if (daemon->queues == NULL || daemon->finishing) {
        return;
    }
    if (weir_queues_run(daemon->queues, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "queues.failed", "reason", err.msg, NULL);
        weir_loop_timer_start(&daemon->queues_timer, 1000);
    }
}

static void queues_due(struct weir_loop_timer *timer)
{
    run_queues(WEIR_CONTAINER(timer, struct daemon, queues_timer));
}

static void queues_posted(struct weir_post *post)
{
    struct daemon *daemon = WEIR_CONTAINER(post, struct daemon, queues_post);
    atomic_store(&daemon->queues_woken, false);
    run_queues(daemon);
}

static void queues_changed(void *arg)
{
    struct daemon *daemon = arg;
    if (!atomic_exchange(&daemon->queues_woken, true)) {
        weir_loop_post(daemon->loop, &daemon->queues_post);
    }
}

static void queues_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct daemon *daemon = arg;
    const uint64_t day_ms = 24ull * 3600 * 1000; /* as for timers */
    if (never) {
        weir_loop_timer_stop(&daemon->queues_timer);
    } else {
        weir_loop_timer_start(&daemon->queues_timer, after_ms < day_ms ? after_ms : day_ms);
    }
}

/* --- alarms on the loop ----------------------------------------------------------- */

static void run_alarms(struct daemon *daemon)
{
    struct weir_err err;
    if (!daemon->stopping && weir_alarms_run(daemon->alarms, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "alarms.failed", "reason", err.msg, NULL);
    }
}

static void alarms_due(struct weir_loop_timer *timer)
{
    run_alarms(WEIR_CONTAINER(timer, struct daemon, alarms_timer));
}

static void alarms_wake_at(void *arg, uint64_t after_ms)
{
    struct daemon *daemon = arg;
    weir_loop_timer_start(&daemon->alarms_timer, after_ms);
}

static void alarms_refresh(void *arg)
{
    struct daemon *daemon = arg;
    weir_pipelines_refresh(daemon->pipelines);
    weir_queues_refresh(daemon->queues);
}

static enum weir_rc alarms_send(void *arg, struct weir_txn *txn,
        const struct weir_alarm_message *message, const void **ret_held, struct weir_err *err)
{
    struct daemon *daemon = arg;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_queues_get(daemon->queues, message->queue, &queue, err);
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
    return weir_queue_send(daemon->queues, send, txn, err);
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

/* --- stopping ------------------------------------------------------------------------ */

static void pipelines_stopped(void *arg)
{
    struct daemon *daemon = arg;
    weir_loop_stop(daemon->loop);
}

static void server_stopped(void *arg)
{
    struct daemon *daemon = arg;
    weir_pipelines_stop(daemon->pipelines, pipelines_stopped, daemon);
}

static void stop_posted(struct weir_post *post)
{
    struct daemon *daemon = WEIR_CONTAINER(post, struct daemon, stop_post);
    weir_logline(WEIR_LOG_INFO, "stopping", NULL);
    daemon->stopping = true;
    weir_admin_stop(daemon->admin);
    if (daemon->queues != NULL) {
        weir_queues_stop(daemon->queues);
    }
    weir_http_server_stop(daemon->server, STOP_DEADLINE_MS, server_stopped, daemon);
}

/* Waits for a signal to stop; a second one ends the process at once. */
static void *signal_main(void *arg)
{
    struct daemon *daemon = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1); /* from weir itself: nothing to wait for any more */
    int number = 0;
    sigwait(&set, &number);
    if (number == SIGUSR1) {
        return NULL;
    }
    weir_loop_post(daemon->loop, &daemon->stop_post);
    sigwait(&set, &number);
    if (number != SIGUSR1) {
        _Exit(130);
    }
    return NULL;
}

static void start_signal_thread(struct daemon *daemon)
{
    daemon->has_signal_thread =
            pthread_create(&daemon->signal_thread, NULL, signal_main, daemon) == 0;
    weir_assert(daemon->has_signal_thread);
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    weir_assert(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

/* --- starting --------------------------------------------------------------------------- */

/* "ADDRESS:PORT", where ADDRESS may be in brackets. */
static enum weir_rc parse_listen(
        struct daemon *daemon, struct weir_str listen, struct weir_err *err)
{
    size_t colon = listen.n;
    while (colon > 0 && listen.p[colon - 1] != ':') {
        colon--;
    }
    uint64_t port = 0;
    struct weir_str address = weir_str(listen.p, colon > 0 ? colon - 1 : 0);
    if (colon == 0 || !weir_str_to_u64(weir_str(listen.p + colon, listen.n - colon), &port) ||
            port > 65535 || address.n == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "'%.*s' is no address to listen on; ADDRESS:PORT is expected, as in 127.0.0.1:8000",
                WEIR_STR_ARG(listen));
    }
    if (address.p[0] == '[' && address.p[address.n - 1] == ']') {
        address = weir_str(address.p + 1, address.n - 2);
    }
    snprintf(daemon->address, sizeof(daemon->address), "%.*s", WEIR_STR_ARG(address));
    daemon->port = (uint16_t)port;
    return WEIR_OK;
}

static enum weir_rc check_access(
        const struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    if (config->server.credential_count == 0 &&
            !weir_access_is_loopback(weir_str_z(daemon->address))) {
        return weir_fail(err, WEIR_E_INVALID,
                "%s is reachable from other machines: configure `credentials` first, or listen on "
                "127.0.0.1",
                daemon->address);
    }
    return WEIR_OK;
}

static enum weir_rc start_store(struct daemon *daemon, const struct weir_config *config,
        const char *data, struct weir_err *err)
{
    bool memory = strcmp(data, "memory") == 0;
    struct weir_store_options options = {
        .dir = memory ? NULL : data,
        .clock = weir_clock_system(),
        .metrics = daemon->metrics,
        .memory_bytes = config->server.memory_bytes,
        .retention_ms = config->server.retention_ms,
        .log_max_bytes = config->server.log_max_bytes,
    };
    return weir_store_open(&options, &daemon->store, err);
}

static void catalogue_changed(void *arg)
{
    struct daemon *daemon = arg;
    weir_pipelines_tables_changed(daemon->pipelines);
}

static enum weir_rc start_tables(
        struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    struct weir_timer_host host = { timers_wake_at, timers_changed, daemon };
    daemon->timers_post.run = timers_posted;
    weir_loop_timer_init(&daemon->timers_timer, daemon->loop, timers_due);
    daemon->timers = weir_timers_create(daemon->store, host);
    weir_state_start(daemon->timers, daemon->store);
    struct weir_tables_options options = {
        .store = daemon->store,
        .timers = daemon->timers,
        .region = config->server.region,
        .account = config->server.account,
    };
    enum weir_rc rc = weir_tables_open(&options, &daemon->tables, err);
    for (size_t i = 0; rc == WEIR_OK && i < config->table_count; i++) {
        rc = weir_tables_ensure(daemon->tables, &config->tables[i], err);
    }
    timers_changed(daemon);
    return rc;
}

static enum weir_rc start_queues(
        struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    daemon->queues_post.run = queues_posted;
    weir_loop_timer_init(&daemon->queues_timer, daemon->loop, queues_due);
    struct weir_queues_options options = {
        .store = daemon->store,
        .host = { queues_wake_at, queues_changed, daemon },
        .metrics = daemon->metrics,
        .region = config->server.region,
        .account = config->server.account,
    };
    enum weir_rc rc = weir_queues_open(&options, &daemon->queues, err);
    for (size_t i = 0; rc == WEIR_OK && i < config->queue_count; i++) {
        rc = weir_queues_ensure(daemon->queues, &config->queues[i], err);
    }
    return rc;
}

static enum weir_rc start_pipelines(
        struct daemon *daemon, struct weir_config *config, struct weir_err *err)
{
    struct weir_pipelines_options options = {
        .loop = daemon->loop,
        .tables = daemon->tables,
        .metrics = daemon->metrics,
    };
    daemon->pipelines = weir_pipelines_create(&options);
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < config->pipeline_count; i++) {
        rc = weir_pipelines_add(daemon->pipelines, WEIR_TAKE(config->pipelines[i]), err);
    }
    if (rc == WEIR_OK) {
        weir_tables_on_change(daemon->tables, catalogue_changed, daemon);
    }
    return rc;
}

static enum weir_rc start_alarms(
        struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    struct weir_alarms_options options = {
        .store = daemon->store,
        .metrics = daemon->metrics,
        .host = {
            .wake_at = alarms_wake_at,
            .refresh = alarms_refresh,
            .log = alarms_log,
            .send = alarms_send,
            .release = alarms_release,
            .arg = daemon,
        },
        .models = config->alarms,
        .count = config->alarm_count,
    };
    weir_loop_timer_init(&daemon->alarms_timer, daemon->loop, alarms_due);
    enum weir_rc rc = weir_alarms_create(&options, &daemon->alarms, err);
    if (rc == WEIR_OK && config->alarm_count > 0) {
        weir_loop_timer_start(&daemon->alarms_timer, 0); /* periods begin when the loop runs */
    }
    return rc;
}

static bool find_secret(void *arg, struct weir_str access_key, struct weir_str *ret_secret)
{
    const struct daemon *daemon = arg;
    for (size_t i = 0; i < daemon->credential_count; i++) {
        if (weir_str_eq(daemon->credentials[i].access_key_id, access_key)) {
            *ret_secret = daemon->credentials[i].secret;
            return true;
        }
    }
    return false;
}

static enum weir_rc start_server(
        struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    weir_http_metrics_init(&daemon->http_metrics, daemon->metrics);
    struct weir_admin_options admin = {
        .loop = daemon->loop,
        .store = daemon->store,
        .tables = daemon->tables,
        .queues = daemon->queues,
        .pipelines = daemon->pipelines,
        .alarms = daemon->alarms,
        .metrics = daemon->metrics,
    };
    daemon->admin = weir_admin_create(&admin);
    daemon->credentials = config->server.credentials;
    daemon->credential_count = config->server.credential_count;
    daemon->keys = (struct weir_sigv4_keys){ find_secret, daemon };
    struct weir_api_options api = {
        .loop = daemon->loop,
        .tables = daemon->tables,
        .queues = daemon->queues,
        .clock = weir_clock_system(),
        .metrics = daemon->metrics,
        .keys = daemon->credential_count > 0 ? &daemon->keys : NULL,
        .listen = weir_str_z(daemon->address),
    };
    api.routes = weir_admin_routes(daemon->admin, &api.route_count);
    daemon->api = weir_api_create(&api);
    struct weir_http_options http = {
        .address = daemon->address,
        .port = daemon->port,
        .handle = weir_api_handle,
        .arg = daemon->api,
        .metrics = &daemon->http_metrics,
    };
    return weir_http_server_create(daemon->loop, &http, &daemon->server, err);
}

static enum weir_rc start(struct daemon *daemon, struct weir_config *config,
        const struct weir_daemon_options *options, struct weir_err *err)
{
    struct weir_str listen =
            options->listen != NULL ? weir_str_z(options->listen) : config->server.listen;
    char *data = options->data != NULL ? weir_strndup(options->data, strlen(options->data))
                                       : weir_strndup(config->server.data.p, config->server.data.n);
    daemon->metrics = weir_metrics_create();
    enum weir_rc rc = parse_listen(daemon, listen, err);
    if (rc == WEIR_OK) {
        rc = check_access(daemon, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_store(daemon, config, data, err);
    }
    weir_free(data);
    if (rc == WEIR_OK) {
        rc = weir_loop_create(weir_clock_system(), &daemon->loop, err);
    }
    if (rc == WEIR_OK) {
        rc = start_tables(daemon, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_queues(daemon, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_pipelines(daemon, config, err);
    }
    if (rc == WEIR_OK) {
        rc = start_alarms(daemon, config, err);
    }
    return rc == WEIR_OK ? start_server(daemon, config, err) : rc;
}

/* Everything in reverse; accepts a daemon that only half started. */
static void finish(struct daemon *daemon)
{
    daemon->finishing = true;
    if (daemon->has_signal_thread) {
        pthread_kill(daemon->signal_thread, SIGUSR1);
        pthread_join(daemon->signal_thread, NULL);
    }
    if (daemon->store != NULL) {
        weir_store_stop(daemon->store);
    }
    weir_http_server_destroy(daemon->server);
    if (daemon->tables != NULL) {
        weir_tables_on_change(daemon->tables, NULL, NULL);
    }
    weir_pipelines_destroy(daemon->pipelines);
    weir_loop_timer_fini(&daemon->alarms_timer);
    weir_alarms_destroy(daemon->alarms);
    weir_loop_timer_fini(&daemon->timers_timer);
    weir_loop_timer_fini(&daemon->queues_timer);
    weir_timers_destroy(WEIR_TAKE(daemon->timers));
    weir_loop_destroy(daemon->loop);
    weir_admin_destroy(daemon->admin);
    weir_queues_close(daemon->queues);
    weir_tables_close(daemon->tables);
    weir_store_close(daemon->store);
    weir_api_destroy(daemon->api);
    weir_metrics_destroy(daemon->metrics);
}

enum weir_rc weir_daemon_run(
        struct weir_config *config, const struct weir_daemon_options *options, struct weir_err *err)
{
    struct daemon *daemon = weir_alloc_zero(1, sizeof(*daemon));
    daemon->stop_post.run = stop_posted;
    block_signals();
    enum weir_rc rc = start(daemon, config, options, err);
    if (rc == WEIR_OK) {
        start_signal_thread(daemon);
        bool v6 = strchr(daemon->address, ':') != NULL;
        printf("listening on http://%s%s%s:%u\n", v6 ? "[" : "", daemon->address, v6 ? "]" : "",
                weir_http_server_port(daemon->server));
        fflush(stdout);
        weir_loop_run(daemon->loop);
    }
    finish(daemon);
    weir_free(daemon);
    return rc;
}
