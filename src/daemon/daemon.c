/*
 * The server's process: the engine, and in front of it the wire APIs, listening and signals.
 *
 * Stop, on SIGTERM or SIGINT: no new requests, requests in flight, batches in flight, and then
 * everything in reverse.
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
#include "daemon/engine.h"
#include "net/access.h"
#include "net/http.h"

enum { STOP_DEADLINE_MS = 10 * 1000, ENDPOINT_BYTES = 192 };

struct daemon {
    struct weir_engine *engine;
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
};

/* --- stopping ------------------------------------------------------------------------ */

static void engine_stopped(void *arg)
{
    struct daemon *daemon = arg;
    weir_loop_stop(daemon->engine->loop);
}

static void server_stopped(void *arg)
{
    struct daemon *daemon = arg;
    weir_engine_stop(daemon->engine, engine_stopped, daemon);
}

static void stop_posted(struct weir_post *post)
{
    struct daemon *daemon = WEIR_CONTAINER(post, struct daemon, stop_post);
    weir_logline(WEIR_LOG_INFO, "stopping", NULL);
    weir_engine_quiesce(daemon->engine);
    weir_admin_stop(daemon->admin);
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
    weir_loop_post(daemon->engine->loop, &daemon->stop_post);
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

/* The URL by which this machine reaches the server. */
static void write_endpoint(const struct daemon *daemon, char endpoint[static ENDPOINT_BYTES])
{
    bool any = strcmp(daemon->address, "0.0.0.0") == 0 || strcmp(daemon->address, "::") == 0;
    const char *address = any ? "127.0.0.1" : daemon->address;
    bool v6 = strchr(address, ':') != NULL;
    snprintf(endpoint, ENDPOINT_BYTES, "http://%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "",
            weir_http_server_port(daemon->server));
}

static enum weir_rc start_server(
        struct daemon *daemon, const struct weir_config *config, struct weir_err *err)
{
    const struct weir_engine *engine = daemon->engine;
    weir_http_metrics_init(&daemon->http_metrics, engine->metrics);
    struct weir_admin_options admin = {
        .loop = engine->loop,
        .store = engine->store,
        .tables = engine->tables,
        .queues = engine->queues,
        .schedules = engine->schedules,
        .functions = engine->functions,
        .outbox = engine->outbox,
        .pipelines = engine->pipelines,
        .alarms = engine->alarms,
        .metrics = engine->metrics,
    };
    daemon->admin = weir_admin_create(&admin);
    daemon->credentials = config->server.credentials;
    daemon->credential_count = config->server.credential_count;
    daemon->keys = (struct weir_sigv4_keys){ find_secret, daemon };
    struct weir_api_options api = {
        .loop = engine->loop,
        .tables = engine->tables,
        .queues = engine->queues,
        .schedules = engine->schedules,
        .functions = engine->functions,
        .mappings = engine->mappings,
        .outbox = engine->outbox,
        .clock = engine->clock,
        .metrics = engine->metrics,
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
    enum weir_rc rc = weir_http_server_create(daemon->engine->loop, &http, &daemon->server, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    char endpoint[ENDPOINT_BYTES];
    write_endpoint(daemon, endpoint);
    return weir_functions_start(engine->functions, weir_str_z(endpoint), err);
}

static enum weir_rc start(struct daemon *daemon, struct weir_config *config,
        const struct weir_daemon_options *options, struct weir_err *err)
{
    struct weir_str listen =
            options->listen != NULL ? weir_str_z(options->listen) : config->server.listen;
    char *data = options->data != NULL ? weir_strndup(options->data, strlen(options->data))
                                       : weir_strndup(config->server.data.p, config->server.data.n);
    struct weir_engine_options engine = { .config = config, .data = data };
    enum weir_rc rc = parse_listen(daemon, listen, err);
    if (rc == WEIR_OK) {
        rc = check_access(daemon, config, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_engine_create(&engine, &daemon->engine, err);
    }
    weir_free(data);
    return rc == WEIR_OK ? start_server(daemon, config, err) : rc;
}

/* Everything in reverse; accepts a daemon that only half started. */
static void finish(struct daemon *daemon)
{
    if (daemon->has_signal_thread) {
        pthread_kill(daemon->signal_thread, SIGUSR1);
        pthread_join(daemon->signal_thread, NULL);
    }
    weir_http_server_destroy(daemon->server);
    weir_engine_destroy(daemon->engine);
    weir_admin_destroy(daemon->admin);
    weir_api_destroy(daemon->api);
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
        weir_loop_run(daemon->engine->loop);
    }
    finish(daemon);
    weir_free(daemon);
    return rc;
}
