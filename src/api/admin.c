#include "api/admin.h"

#include <stdatomic.h>

#include "api/admin_int.h"
#include "api/api_int.h"
#include "base/mem.h"
#include "value/json.h"

enum { ROUTES = 16 };

struct weir_admin {
    struct weir_admin_options options;
    struct weir_api_route routes[ROUTES];
    struct weir_time started;
    struct tail *tails;
};

void weir_admin_respond(struct weir_http_request *request, int status, const char *type,
        const struct weir_buf *body)
{
    struct weir_http_header header = { WEIR_STR("Content-Type"), weir_str_z(type) };
    weir_http_respond(request, status, &header, 1, weir_buf_view(body));
}

void weir_admin_respond_json(struct weir_http_request *request, const struct weir_buf *body)
{
    weir_admin_respond(request, 200, "application/json", body);
}

void weir_admin_respond_error(struct weir_http_request *request, const struct weir_err *err)
{
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_printf(&body, "{\"error\":\"%s\",\"message\":", weir_rc_name(err->code));
    weir_json_write_string(&body, weir_str_z(err->msg));
    weir_buf_z(&body, "}\n");
    weir_admin_respond(request, weir_rc_http(err->code), "application/json", &body);
    weir_buf_fini(&body);
}

struct weir_str weir_admin_parameter(struct weir_http_request *request, const char *name)
{
    struct weir_str query = request->query;
    size_t length = strlen(name);
    while (query.n > 0) {
        const char *amp = memchr(query.p, '&', query.n);
        size_t n = amp != NULL ? (size_t)(amp - query.p) : query.n;
        if (n > length && memcmp(query.p, name, length) == 0 && query.p[length] == '=') {
            struct weir_str text = { 0 };
            struct weir_str raw = weir_str(query.p + length + 1, n - length - 1);
            enum weir_rc rc = weir_form_decode(raw, &request->arena, &text, NULL);
            return rc == WEIR_OK ? text : WEIR_STR("");
        }
        size_t skip = amp != NULL ? n + 1 : n;
        query = weir_str(query.p + skip, query.n - skip);
    }
    return WEIR_STR("");
}

/* --- health and metrics --------------------------------------------------------------- */

static void handle_health(struct weir_http_request *request, void *arg)
{
    const struct weir_admin *admin = arg;
    struct weir_err why;
    if (weir_store_is_read_only(admin->options.store, &why)) {
        why.code = WEIR_E_READ_ONLY;
        weir_admin_respond_error(request, &why);
        return;
    }
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_z(&body, "{\"status\":\"ok\"}\n");
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}

static void handle_metrics(struct weir_http_request *request, void *arg)
{
    const struct weir_admin *admin = arg;
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_pipelines_refresh(admin->options.pipelines);
    weir_queues_refresh(admin->options.queues);
    weir_outbox_refresh(admin->options.outbox);
    weir_metrics_write(admin->options.metrics, &body);
    weir_admin_respond(request, 200, "text/plain; version=0.0.4", &body);
    weir_buf_fini(&body);
}

/* --- status ------------------------------------------------------------------------------ */

static void write_tables(const struct weir_admin *admin, struct weir_buf *body)
{
    enum { PAGE = 100 };
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str names[PAGE];
    struct weir_str after = { 0 };
    const char *comma = "";
    weir_buf_z(body, ",\"tables\":[");
    for (size_t n = PAGE; n == PAGE; after = n > 0 ? names[n - 1] : after) {
        n = weir_tables_list(admin->options.tables, after, &arena, names, PAGE);
        for (size_t i = 0; i < n; i++) {
            const struct weir_table *table = NULL;
            if (weir_tables_get(admin->options.tables, names[i], &table, NULL) != WEIR_OK) {
                continue;
            }
            weir_buf_printf(body, "%s{\"name\":\"%.*s\",\"stream\":\"%s\",\"indexes\":%zu}", comma,
                    WEIR_STR_ARG(names[i]), weir_view_type_name(table->view), table->index_count);
            comma = ",";
            weir_table_unref(table);
        }
    }
    weir_buf_byte(body, ']');
    weir_arena_fini(&arena);
}

static void handle_status(struct weir_http_request *request, void *arg)
{
    const struct weir_admin *admin = arg;
    struct weir_log *log = weir_store_log(admin->options.store);
    const struct weir_clock *clock = weir_loop_clock(admin->options.loop);
    struct weir_err why;
    bool read_only = weir_store_is_read_only(admin->options.store, &why);
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_printf(&body, "{\"version\":\"%s\",\"uptime_ms\":%lld,\"read_only\":%s", WEIR_VERSION,
            (long long)(weir_clock_wall(clock).ms - admin->started.ms),
            read_only ? "true" : "false");
    if (read_only) {
        weir_buf_z(&body, ",\"read_only_reason\":");
        weir_json_write_string(&body, weir_str_z(why.msg));
    }
    weir_buf_printf(&body, ",\"log\":{\"bytes\":%llu,\"end\":%llu,\"oldest\":%llu}",
            (unsigned long long)weir_log_bytes(log), (unsigned long long)weir_log_end(log).seq,
            (unsigned long long)weir_log_oldest(log).seq);
    write_tables(admin, &body);
    weir_buf_z(&body, ",\"outbox\":");
    weir_outbox_status(admin->options.outbox, &body);
    weir_buf_z(&body, ",\"schedules\":");
    weir_schedules_status(admin->options.schedules, &body);
    weir_buf_z(&body, ",\"functions\":");
    weir_functions_status(admin->options.functions, &body);
    weir_buf_z(&body, ",\"pipelines\":");
    if (weir_str_eq(weir_admin_parameter(request, "lanes"), WEIR_STR("true"))) {
        weir_pipelines_status_lanes(admin->options.pipelines, &body);
    } else {
        weir_pipelines_status(admin->options.pipelines, &body);
    }
    weir_buf_z(&body, "}\n");
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}

static void handle_alarms(struct weir_http_request *request, void *arg)
{
    const struct weir_admin *admin = arg;
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_z(&body, "{\"alarms\":");
    weir_alarms_write(admin->options.alarms, &body);
    weir_buf_z(&body, "}\n");
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}

/* --- tail --------------------------------------------------------------------------------- */

/* One client that follows a table. */
struct tail {
    struct weir_admin *admin;
    struct weir_http_request *request;
    const struct weir_table *table;
    struct weir_log_reader *reader;
    struct weir_watch watch;
    struct weir_post post;
    _Atomic bool posted;
    bool over;            /* no request any more; freed by the post if one is under way */
    struct weir_buf line; /* what the client could not take yet */
    struct tail *next;
};

static void tail_destroy(struct tail *tail)
{
    weir_log_reader_destroy(tail->reader);
    weir_table_unref(tail->table);
    weir_buf_fini(&tail->line);
    weir_free(tail);
}

/* The request is over: let go, now or when the post that is under way has come. */
static void tail_end(struct tail *tail)
{
    for (struct tail **at = &tail->admin->tails; *at != NULL; at = &(*at)->next) {
        if (*at == tail) {
            *at = tail->next;
            break;
        }
    }
    weir_store_unwatch(tail->admin->options.store, &tail->watch);
    tail->over = true;
    if (!atomic_load(&tail->posted)) {
        tail_destroy(tail);
    }
}

static bool tail_write(struct tail *tail)
{
    if (tail->line.n > 0 && !weir_http_stream_write(tail->request, weir_buf_view(&tail->line))) {
        return false; /* on_drain goes on */
    }
    weir_buf_reset(&tail->line);
    return true;
}

static void tail_pump(struct tail *tail)
{
    while (tail_write(tail)) {
        struct weir_change change;
        struct weir_time time;
        struct weir_err err;
        bool have = false;
        enum weir_rc rc = weir_log_next(tail->reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            weir_buf_z(&tail->line, "{\"gap\":true}\n");
            continue;
        }
        if (rc != WEIR_OK) {
            weir_http_stream_end(tail->request);
            tail_end(tail);
            return;
        }
        if (!have) {
            return;
        }
        struct weir_record record;
        weir_table_record(tail->table, &change, time, &record);
        weir_record_write(&tail->line, &record, WEIR_RECORD_LAMBDA);
        weir_buf_byte(&tail->line, '\n');
    }
}

static void tail_posted(struct weir_post *post)
{
    struct tail *tail = WEIR_CONTAINER(post, struct tail, post);
    atomic_store(&tail->posted, false);
    if (tail->over) {
        tail_destroy(tail);
    } else {
        tail_pump(tail);
    }
}

static void tail_wake(struct weir_watch *watch)
{
    struct tail *tail = WEIR_CONTAINER(watch, struct tail, watch);
    if (!atomic_exchange(&tail->posted, true)) {
        weir_loop_post(tail->admin->options.loop, &tail->post);
    }
}

static void tail_gone(struct weir_http_request *request)
{
    tail_end(request->owner);
}

static void tail_drained(struct weir_http_request *request)
{
    tail_pump(request->owner);
}

static void handle_tail(struct weir_http_request *request, void *arg)
{
    struct weir_admin *admin = arg;
    struct weir_err err;
    const struct weir_table *table = NULL;
    struct weir_str name = weir_admin_parameter(request, "table");
    enum weir_rc rc = weir_tables_get(admin->options.tables, name, &table, &err);
    if (rc == WEIR_OK && table->view == WEIR_VIEW_NONE) {
        weir_table_unref(table);
        rc = weir_fail(&err, WEIR_E_INVALID,
                "table %.*s has no stream: give it one with `stream: new_and_old_images`",
                WEIR_STR_ARG(name));
    }
    if (rc != WEIR_OK) {
        weir_admin_respond_error(request, &err);
        return;
    }
    struct weir_log *log = weir_store_log(admin->options.store);
    bool oldest = weir_str_eq(weir_admin_parameter(request, "from"), WEIR_STR("oldest"));
    struct weir_pos after = oldest ? (struct weir_pos){ 0 } : weir_log_end(log);
    struct weir_log_filter filter = { .space = table->space, .shard = WEIR_LOG_ANY_SHARD };
    struct tail *tail = weir_alloc_zero(1, sizeof(*tail));
    tail->admin = admin;
    tail->request = request;
    tail->table = table;
    tail->reader = weir_log_reader_create(log, filter, after);
    tail->watch.space = table->space;
    tail->watch.wake = tail_wake;
    tail->post.run = tail_posted;
    tail->next = admin->tails;
    admin->tails = tail;
    weir_buf_init(&tail->line, WEIR_ADMIN_ANSWER_MAX_BYTES);
    request->owner = tail;
    request->on_gone = tail_gone;
    request->on_drain = tail_drained;
    struct weir_http_header header = { WEIR_STR("Content-Type"), WEIR_STR("application/x-ndjson") };
    weir_http_stream_begin(request, 200, &header, 1);
    weir_store_watch(admin->options.store, &tail->watch);
    tail_pump(tail);
}

/* --- life ------------------------------------------------------------------------------------ */

struct weir_admin *weir_admin_create(const struct weir_admin_options *options)
{
    struct weir_admin *admin = weir_alloc_zero(1, sizeof(*admin));
    admin->options = *options;
    admin->started = weir_clock_wall(weir_loop_clock(options->loop));
    const struct weir_api_route routes[ROUTES] = {
        { WEIR_HTTP_GET, WEIR_STR("/healthz"), handle_health, admin, true },
        { WEIR_HTTP_GET, WEIR_STR("/metrics"), handle_metrics, admin, true },
        { WEIR_HTTP_GET, WEIR_STR("/v1/status"), handle_status, admin, false },
        { WEIR_HTTP_GET, WEIR_STR("/v1/alarms"), handle_alarms, admin, false },
        { WEIR_HTTP_GET, WEIR_STR("/v1/schedules"), weir_admin_schedules, options->schedules,
                false },
        { WEIR_HTTP_GET, WEIR_STR("/v1/tail"), handle_tail, admin, false },
        { WEIR_HTTP_GET, WEIR_STR("/v1/dead-letters"), weir_admin_letters, options->pipelines,
                false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/dead-letters/remove"), weir_admin_remove_letters,
                options->pipelines, false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/dead-letters"), weir_admin_letters, options->pipelines,
                false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/redrive"), weir_admin_redrive, options->pipelines, false },
        { WEIR_HTTP_GET, WEIR_STR("/v1/timers"), weir_admin_timers, options->pipelines, false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/timers/fire"), weir_admin_fire_timers, options->pipelines,
                false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/timers/cancel"), weir_admin_cancel_timers,
                options->pipelines, false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/rebuild"), weir_admin_rebuild, options->pipelines, false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/replay"), weir_admin_replay, options->pipelines, false },
        { WEIR_HTTP_POST, WEIR_STR("/v1/cancel"), weir_admin_cancel, options->pipelines, false },
    };
    memcpy(admin->routes, routes, sizeof(routes));
    return admin;
}

void weir_admin_stop(struct weir_admin *admin)
{
    while (admin->tails != NULL) {
        weir_http_stream_end(admin->tails->request);
        tail_end(admin->tails);
    }
}

void weir_admin_destroy(struct weir_admin *admin)
{
    weir_free(admin);
}

const struct weir_api_route *weir_admin_routes(const struct weir_admin *admin, size_t *ret_count)
{
    *ret_count = ROUTES;
    return admin->routes;
}
