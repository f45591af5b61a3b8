#include "cli/job.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 64 * 1024 };

enum weir_cli_exit weir_cli_job(
        const struct weir_cli_call *call, const char *what, struct weir_str parameters)
{
    struct weir_http_reply reply = { 0 };
    struct weir_buf path;
    weir_buf_init(&path, PATH_MAX_BYTES);
    weir_buf_printf(&path, "/v1/%s?", call->cancel ? "cancel" : what);
    weir_cli_add_parameter(&path, "pipeline", weir_str_z(call->arguments[0]));
    if (!call->cancel) {
        weir_buf_str(&path, parameters);
        weir_buf_z(&path, call->wait ? "&wait=true" : "");
    }
    if (path.overflow) {
        weir_buf_fini(&path);
        return weir_cli_fail("the pattern is too long");
    }
    struct weir_cli_request request = {
        .path = weir_buf_view(&path),
        .post = true,
        .timeout_ms = call->wait ? WEIR_CLI_FOREVER_MS : 0,
    };
    enum weir_cli_exit code = weir_cli_fetch(call, &request, &reply);
    if (code == WEIR_CLI_DONE && call->json) {
        struct weir_str answer = weir_buf_view(&reply.body);
        printf("%.*s", WEIR_STR_ARG(answer));
    } else if (code == WEIR_CLI_DONE) {
        printf(call->cancel  ? "cancelled; what is in the pipeline is still processed\n"
                : call->wait ? "the %s has ended\n"
                             : "the %s has begun; `weir status` shows how far it is\n",
                what);
    }
    weir_http_reply_fini(&reply);
    weir_buf_fini(&path);
    return code;
}
