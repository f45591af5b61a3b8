/* Deferred runs over the admin API. */
#include "api/admin_int.h"
#include "base/mem.h"
#include "pipeline/timers.h"

static struct weir_timers_wanted read_wanted(struct weir_http_request *request)
{
    uint64_t limit = 0;
    struct weir_timers_wanted wanted = {
        .pipeline = weir_admin_parameter(request, "pipeline"),
        .step = weir_admin_parameter(request, "step"),
        .key = weir_admin_parameter(request, "key"),
    };
    if (weir_str_to_u64(weir_admin_parameter(request, "limit"), &limit)) {
        wanted.limit = limit < WEIR_TIMERS_LIST_MAX ? (size_t)limit : WEIR_TIMERS_LIST_MAX;
    }
    return wanted;
}

void weir_admin_timers(struct weir_http_request *request, void *arg)
{
    struct weir_timers_wanted wanted = read_wanted(request);
    struct weir_err err = { 0 };
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    if (weir_pipelines_timers(arg, &wanted, &body, &err) == WEIR_OK) {
        weir_admin_respond_json(request, &body);
    } else {
        weir_admin_respond_error(request, &err);
    }
    weir_buf_fini(&body);
}

/* A request that waits for the commit. */
struct ending {
    struct weir_timers_end end;
    struct weir_http_request *request; /* NULL: the client has left */
};

static void client_left(struct weir_http_request *request)
{
    struct ending *ending = request->owner;
    ending->request = NULL;
}

static void ended(struct weir_timers_end *end, enum weir_rc rc, const struct weir_err *err)
{
    struct ending *ending = WEIR_CONTAINER(end, struct ending, end);
    if (ending->request != NULL && rc == WEIR_OK) {
        struct weir_buf body;
        weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
        weir_buf_printf(
                &body, "{\"count\":%zu,\"more\":%s}\n", end->count, end->more ? "true" : "false");
        weir_admin_respond_json(ending->request, &body);
        weir_buf_fini(&body);
    } else if (ending->request != NULL) {
        weir_admin_respond_error(ending->request, err);
    }
    weir_free(ending);
}

static void end_timers(
        struct weir_http_request *request, struct weir_pipelines *pipelines, bool cancel)
{
    struct ending *ending = weir_alloc_zero(1, sizeof(*ending));
    struct weir_err err = { 0 };
    ending->request = request;
    ending->end.wanted = read_wanted(request);
    ending->end.cancel = cancel;
    ending->end.ended = ended;
    if (weir_pipelines_end_timers(pipelines, &ending->end, &err) != WEIR_OK) {
        weir_free(ending);
        weir_admin_respond_error(request, &err);
        return;
    }
    request->owner = ending;
    request->on_gone = client_left;
}

void weir_admin_fire_timers(struct weir_http_request *request, void *arg)
{
    end_timers(request, arg, false);
}

void weir_admin_cancel_timers(struct weir_http_request *request, void *arg)
{
    end_timers(request, arg, true);
}
