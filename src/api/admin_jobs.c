/* Rebuilds and replays over the admin API. */
#include "api/admin_int.h"
#include "base/mem.h"
#include "pipeline/pipeline.h"

/* A request that waits for a job's beginning or end. */
struct asking {
    struct weir_job_ask ask;
    struct weir_http_request *request; /* NULL: the client has left */
};

static void answer(struct weir_http_request *request, enum weir_rc rc, const struct weir_err *err,
        const char *what)
{
    if (rc != WEIR_OK) {
        weir_admin_respond_error(request, err);
        return;
    }
    struct weir_buf body;
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_printf(&body, "{\"%s\":true}\n", what);
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}

static bool flag(struct weir_http_request *request, const char *name)
{
    return weir_str_eq(weir_admin_parameter(request, name), WEIR_STR("true"));
}

static void client_left(struct weir_http_request *request)
{
    struct asking *asking = request->owner;
    asking->request = NULL;
}

static void told(struct weir_job_ask *ask, enum weir_rc rc, const struct weir_err *err)
{
    struct asking *asking = WEIR_CONTAINER(ask, struct asking, ask);
    if (asking->request != NULL) {
        answer(asking->request, rc, err, ask->wait ? "ended" : "begun");
    }
    weir_free(asking);
}

static struct asking *asking_create(struct weir_http_request *request)
{
    struct asking *asking = weir_alloc_zero(1, sizeof(*asking));
    asking->ask = (struct weir_job_ask){ .wait = flag(request, "wait"), .told = told };
    asking->request = request;
    return asking;
}

/* The job is asked for; or it is refused, with rc. */
static void await(struct asking *asking, enum weir_rc rc, const struct weir_err *err)
{
    struct weir_http_request *request = asking->request;
    if (rc != WEIR_OK) {
        weir_free(asking);
        weir_admin_respond_error(request, err);
        return;
    }
    request->owner = asking;
    request->on_gone = client_left;
}

void weir_admin_rebuild(struct weir_http_request *request, void *arg)
{
    struct weir_err err = { 0 };
    struct asking *asking = asking_create(request);
    enum weir_rc rc = weir_pipelines_rebuild(arg, weir_admin_parameter(request, "pipeline"),
            flag(request, "prune"), &asking->ask, &err);
    await(asking, rc, &err);
}

void weir_admin_replay(struct weir_http_request *request, void *arg)
{
    struct weir_err err = { 0 };
    struct weir_replay replay = {
        .pipeline = weir_admin_parameter(request, "pipeline"),
        .from = weir_admin_parameter(request, "from"),
        .to = weir_admin_parameter(request, "to"),
        .where = weir_admin_parameter(request, "where"),
        .stale = flag(request, "stale"),
    };
    struct asking *asking = asking_create(request);
    await(asking, weir_pipelines_replay(arg, &replay, &asking->ask, &err), &err);
}

void weir_admin_cancel(struct weir_http_request *request, void *arg)
{
    struct weir_err err = { 0 };
    struct weir_str pipeline = weir_admin_parameter(request, "pipeline");
    answer(request, weir_pipelines_cancel(arg, pipeline, &err), &err, "cancelled");
}
