/* Rebuilds and replays over the admin API. */
#include "api/admin_int.h"
#include "pipeline/pipeline.h"

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

void weir_admin_rebuild(struct weir_http_request *request, void *arg)
{
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_pipelines_rebuild(
            arg, weir_admin_parameter(request, "pipeline"), flag(request, "prune"), &err);
    answer(request, rc, &err, "begun");
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
    answer(request, weir_pipelines_replay(arg, &replay, &err), &err, "begun");
}

void weir_admin_cancel(struct weir_http_request *request, void *arg)
{
    struct weir_err err = { 0 };
    struct weir_str pipeline = weir_admin_parameter(request, "pipeline");
    answer(request, weir_pipelines_cancel(arg, pipeline, &err), &err, "cancelled");
}
