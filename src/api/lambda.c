/*
 * Lambda's API for the functions of weir.yaml:
 *
 *     POST /2015-03-31/functions/NAME/invocations      Invoke
 *     GET  /2015-03-31/functions/                      ListFunctions
 *     GET  /2015-03-31/functions/NAME                  GetFunction
 *     GET  /2015-03-31/functions/NAME/configuration    GetFunctionConfiguration
 *     .../event-source-mappings/                       lambda_mapping.c
 *     .../tags/                                        lambda_tag.c
 *
 * NAME is a name or an ARN, with or without the qualifier $LATEST, which is the only version. This
 * is AWS's REST form of JSON: errors name their type in a header. What would change a function is
 * refused: functions are the file's.
 */
#include <stdio.h>

#include "api/lambda_int.h"
#include "function/runs.h"
#include "value/json.h"

enum { JSON_DEPTH = 512, PAGE_MAX = 50, INVOKE_MAX = 6 * 1024 * 1024, EVENT_MAX = 1024 * 1024 };

static const struct weir_str root = { "/2015-03-31/functions", 21 };

/* What a path asks for. */
struct place {
    struct weir_str name; /* of the function; empty: all of them */
    struct weir_str rest; /* behind it, without slashes around: "invocations" */
};

/* --- answers ------------------------------------------------------------------------- */

void weir_lambda_respond(struct weir_api *api, struct weir_http_request *http, int status,
        const char *error, const struct weir_buf *body)
{
    struct weir_http_header headers[3] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/json") },
        { WEIR_STR("x-amzn-RequestId"), weir_call_request_id(api, &http->arena) },
        { WEIR_STR("x-amzn-ErrorType"), weir_str_z(error) },
    };
    weir_http_respond(http, status, headers, error != NULL ? 3 : 2, weir_buf_view(body));
}

void weir_lambda_error(struct weir_api *api, struct weir_http_request *http, int status,
        const char *error, struct weir_str message)
{
    struct weir_buf body;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    weir_buf_byte(&body, '{');
    weir_out_text(&body, "Type", status >= 500 ? WEIR_STR("Service") : WEIR_STR("User"));
    weir_out_text(&body, "Message", message);
    weir_out_text(&body, "message", message); /* the model spells it in both ways */
    if (status == 429) {
        weir_out_text(
                &body, "Reason", WEIR_STR("ReservedFunctionConcurrentInvocationLimitExceeded"));
    }
    weir_buf_byte(&body, '}');
    weir_lambda_respond(api, http, status, error, &body);
    weir_buf_fini(&body);
}

/* qualifier: the version that was asked for; empty: none was. */
static void respond_not_found(struct weir_api *api, struct weir_http_request *http,
        struct weir_str name, struct weir_str qualifier)
{
    struct weir_buf message;
    weir_buf_init(&message, WEIR_LAMBDA_ANSWER_MAX);
    weir_buf_z(&message, "Function not found: ");
    weir_functions_write_arn(api->options.functions, name, &message);
    if (qualifier.n > 0) {
        weir_buf_printf(&message, ":%.*s", WEIR_STR_ARG(qualifier));
    }
    weir_lambda_error(api, http, 404, "ResourceNotFoundException", weir_buf_view(&message));
    weir_buf_fini(&message);
}

/* --- paths --------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

struct weir_str weir_lambda_decode(struct weir_arena *arena, struct weir_str text)
{
    char *out = weir_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool whole = text.p[i] == '%' && i + 2 < text.n;
        int high = whole ? hex_digit(text.p[i + 1]) : -1;
        int low = whole ? hex_digit(text.p[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = text.p[i];
        }
    }
    return weir_str(out, n);
}

static bool split(struct weir_str path, struct weir_arena *arena, struct place *ret_place)
{
    struct weir_str rest = weir_str(path.p + root.n, path.n - root.n);
    if (rest.n > 0 && rest.p[0] != '/') {
        return false;
    }
    while (rest.n > 0 && rest.p[0] == '/') {
        rest = weir_str(rest.p + 1, rest.n - 1);
    }
    while (rest.n > 0 && rest.p[rest.n - 1] == '/') {
        rest.n--;
    }
    const char *slash = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
    size_t n = slash != NULL ? (size_t)(slash - rest.p) : rest.n;
    ret_place->name = weir_lambda_decode(arena, weir_str(rest.p, n));
    ret_place->rest = slash != NULL ? weir_str(slash + 1, rest.n - n - 1) : weir_str("", 0);
    return true;
}

/* Take the part before the last ':' away; what it leaves is the last part. */
static struct weir_str last_part(struct weir_str *text)
{
    const char *colon = text->n > 0 ? memrchr(text->p, ':', text->n) : NULL;
    struct weir_str last = *text;
    if (colon == NULL) {
        *text = weir_str(NULL, 0);
    } else {
        size_t n = (size_t)(colon - text->p);
        last = weir_str(colon + 1, text->n - n - 1);
        text->n = n;
    }
    return last;
}

struct weir_str weir_lambda_name(struct weir_str text, struct weir_str *ret_name)
{
    struct weir_str before = text;
    struct weir_str last = last_part(&before);
    struct weir_str above = before;
    struct weir_str last_but_one = last_part(&above);
    bool alone = before.p == NULL;
    if (alone || weir_str_eq(last_but_one, WEIR_STR("function"))) {
        *ret_name = last;
        return WEIR_STR("");
    }
    *ret_name = last_but_one;
    return last;
}

bool weir_lambda_is_latest(struct weir_str qualifier)
{
    return qualifier.n == 0 || weir_str_eq(qualifier, WEIR_STR("$LATEST"));
}

struct weir_str weir_lambda_next_parameter(
        struct weir_str *query, struct weir_str name, struct weir_arena *arena)
{
    while (query->n > 0) {
        struct weir_str pair = *query;
        const char *amp = memchr(pair.p, '&', pair.n);
        pair.n = amp != NULL ? (size_t)(amp - pair.p) : pair.n;
        size_t skip = amp != NULL ? pair.n + 1 : pair.n;
        *query = weir_str(query->p + skip, query->n - skip);
        if (weir_str_starts(pair, name) && pair.n > name.n && pair.p[name.n] == '=') {
            return weir_lambda_decode(arena, weir_str(pair.p + name.n + 1, pair.n - name.n - 1));
        }
    }
    return weir_str(NULL, 0);
}

struct weir_str weir_lambda_parameter(
        const struct weir_http_request *http, struct weir_str name, struct weir_arena *arena)
{
    struct weir_str query = http->query;
    return weir_lambda_next_parameter(&query, name, arena);
}

/* --- descriptions -------------------------------------------------------------------- */

static void write_configuration(const struct weir_functions *functions,
        const struct weir_function_model *model, struct weir_buf *out)
{
    /* The nearest of AWS's names; what runs elsewhere could be anything. */
    static const char *const runtimes[] = { "provided.al2", "nodejs18.x", "python3.9",
        "provided.al2", "provided.al2" };
    struct weir_buf arn;
    weir_buf_init(&arn, WEIR_LAMBDA_ANSWER_MAX);
    weir_functions_write_arn(functions, model->name, &arn);
    weir_buf_byte(out, '{');
    weir_out_text(out, "FunctionName", model->name);
    weir_out_text(out, "FunctionArn", weir_buf_view(&arn));
    weir_out_text(out, "Runtime", weir_str_z(runtimes[model->runtime]));
    weir_out_text(out, "Handler", model->handler);
    weir_out_number(out, "Timeout", (model->timeout_ms + 999) / 1000);
    weir_out_number(out, "MemorySize", model->memory_bytes >> 20);
    weir_out_text(out, "Version", WEIR_STR("$LATEST"));
    weir_out_text(out, "State", WEIR_STR("Active"));
    weir_out_text(out, "LastUpdateStatus", WEIR_STR("Successful"));
    weir_out_text(out, "PackageType", WEIR_STR("Zip"));
    weir_buf_byte(out, '}');
    weir_buf_fini(&arn);
}

/* GetFunction, or with `only` GetFunctionConfiguration. */
static void get_function(struct weir_api *api, struct weir_http_request *http,
        const struct weir_function_model *model, bool only)
{
    struct weir_buf body;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    if (!only) {
        weir_buf_z(&body, "{\"Configuration\":");
    }
    write_configuration(api->options.functions, model, &body);
    if (!only) {
        weir_buf_z(&body, ",\"Code\":{\"RepositoryType\":\"weir\",\"Location\":");
        weir_json_write_string(&body, model->dir);
        weir_buf_printf(&body, "},\"Concurrency\":{\"ReservedConcurrentExecutions\":%zu}}",
                model->concurrency);
    }
    weir_lambda_respond(api, http, 200, NULL, &body);
    weir_buf_fini(&body);
}

/* A marker is the number of functions that were listed. */
static void list_functions(struct weir_api *api, struct weir_http_request *http)
{
    size_t count = 0;
    const struct weir_function_model *models =
            weir_functions_models(api->options.functions, &count);
    struct weir_str marker = weir_lambda_parameter(http, WEIR_STR("Marker"), &http->arena);
    struct weir_str limit = weir_lambda_parameter(http, WEIR_STR("MaxItems"), &http->arena);
    uint64_t first = 0;
    uint64_t most = PAGE_MAX;
    if ((marker.p != NULL && (!weir_str_to_u64(marker, &first) || first > count)) ||
            (limit.p != NULL && (!weir_str_to_u64(limit, &most) || most < 1))) {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                WEIR_STR("Marker must be one that ListFunctions gave, and MaxItems a number of at "
                         "least 1"));
        return;
    }
    most = most < PAGE_MAX ? most : PAGE_MAX;
    uint64_t end = first + most < count ? first + most : count;
    struct weir_buf body;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    weir_buf_z(&body, "{\"Functions\":[");
    for (uint64_t i = first; i < end; i++) {
        if (i > first) {
            weir_buf_byte(&body, ',');
        }
        write_configuration(api->options.functions, &models[i], &body);
    }
    weir_buf_byte(&body, ']');
    if (end < count) {
        weir_buf_printf(&body, ",\"NextMarker\":\"%llu\"", (unsigned long long)end);
    }
    weir_buf_byte(&body, '}');
    weir_lambda_respond(api, http, 200, NULL, &body);
    weir_buf_fini(&body);
}

/* --- Invoke -------------------------------------------------------------------------- */

/* An invocation whose client waits. Lives in the request's arena. */
struct waiting {
    struct weir_api *api;
    struct weir_http_request *http;
    struct weir_str name;
    struct weir_invocation invocation;
};

static void respond_result(struct waiting *waiting)
{
    const struct weir_invocation *invocation = &waiting->invocation;
    struct weir_http_header headers[5] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/json") },
        { WEIR_STR("x-amzn-RequestId"), weir_str_z(invocation->request_id) },
        { WEIR_STR("X-Amz-Executed-Version"), WEIR_STR("$LATEST") },
    };
    size_t count = 3;
    struct weir_buf log;
    weir_buf_init(&log, WEIR_LAMBDA_ANSWER_MAX);
    if (invocation->outcome != WEIR_FUNCTION_OK) {
        headers[count++] = (struct weir_http_header){ WEIR_STR("X-Amz-Function-Error"),
            WEIR_STR("Unhandled") };
    }
    if (invocation->want_log) {
        weir_base64_encode(&log, invocation->log_tail);
        headers[count++] =
                (struct weir_http_header){ WEIR_STR("X-Amz-Log-Result"), weir_buf_view(&log) };
    }
    weir_http_respond(waiting->http, 200, headers, count, invocation->response);
    weir_buf_fini(&log);
}

static void invoked(struct weir_invocation *invocation)
{
    struct waiting *waiting = invocation->arg;
    struct weir_str message = weir_str_z(invocation->err.msg);
    bool ran = invocation->outcome == WEIR_FUNCTION_OK || invocation->response.n > 0;
    if (ran) {
        respond_result(waiting);
    } else if (invocation->err.code == WEIR_E_NOT_FOUND) {
        respond_not_found(waiting->api, waiting->http, waiting->name, WEIR_STR(""));
    } else if (invocation->err.code == WEIR_E_BUSY) {
        weir_lambda_error(waiting->api, waiting->http, 429, "TooManyRequestsException", message);
    } else if (invocation->outcome == WEIR_FUNCTION_ERROR) {
        respond_result(waiting); /* it failed without a word */
    } else {
        weir_lambda_error(waiting->api, waiting->http, 503, "ServiceException", message);
    }
}

static void client_gone(struct weir_http_request *http)
{
    struct waiting *waiting = http->owner;
    weir_functions_cancel(waiting->api->options.functions, &waiting->invocation);
}

static bool is_json(struct weir_str text, struct weir_arena *arena, struct weir_err *err)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, JSON_DEPTH);
    enum weir_json_token first = weir_json_next(&json);
    if (weir_json_skip(&json, first, err) != WEIR_OK) {
        return false;
    }
    if (weir_json_next(&json) != WEIR_JSON_END) {
        *err = json.err;
        return false;
    }
    return true;
}

/* Whether the body can be an event; answers when it cannot. */
static bool check_payload(struct weir_api *api, struct weir_http_request *http, bool event)
{
    struct weir_err err = { 0 };
    size_t most = event ? EVENT_MAX : INVOKE_MAX;
    if (http->body.n > most) {
        weir_lambda_error(api, http, 413, "RequestTooLargeException",
                weir_arena_printf(&http->arena,
                        "%zu byte payload is too large for the %s invocation type (limit %zu "
                        "bytes)",
                        http->body.n, event ? "Event" : "RequestResponse", most));
        return false;
    }
    if (http->body.n > 0 && !is_json(http->body, &http->arena, &err)) {
        weir_lambda_error(api, http, 400, "InvalidRequestContentException",
                weir_arena_printf(&http->arena,
                        "Could not parse request body into json: %s, at byte %zu", err.msg,
                        err.pos));
        return false;
    }
    return true;
}

/* The client context, which comes in base64; answers when it is none. */
static bool read_context(
        struct weir_api *api, struct weir_http_request *http, struct weir_str *ret_context)
{
    struct weir_str text = weir_http_find(http, WEIR_STR("x-amz-client-context"));
    struct weir_err err = { 0 };
    if (text.n == 0) {
        return true;
    }
    if (weir_base64_decode(&http->arena, text, true, ret_context, &err) == WEIR_OK &&
            is_json(*ret_context, &http->arena, &err)) {
        return true;
    }
    weir_lambda_error(api, http, 400, "InvalidRequestContentException",
            WEIR_STR("Client context must be a valid Base64-encoded JSON object."));
    return false;
}

/* Invoke, and answer when it is over. */
static void wait_for(struct weir_api *api, struct weir_http_request *http, struct weir_str name,
        struct weir_str context)
{
    struct waiting *waiting = WEIR_ARENA_NEW(&http->arena, struct waiting);
    *waiting = (struct waiting){
        .api = api,
        .http = http,
        .name = name,
        .invocation = {
            .function = name,
            .payload = http->body,
            .client_context = context,
            .want_log = weir_str_eq(
                    weir_http_find(http, WEIR_STR("x-amz-log-type")), WEIR_STR("Tail")),
            .done = invoked,
            .arg = waiting,
        },
    };
    http->owner = waiting;
    http->on_gone = client_gone;
    weir_functions_invoke(api->options.functions, &waiting->invocation);
}

/* --- runs that nobody waits for ------------------------------------------------------ */

/* An event that is being kept. Lives in its transaction's arena. */
struct keeping {
    struct weir_api *api;
    struct weir_http_request *http; /* NULL: the client is gone */
    struct weir_txn *txn;
    struct weir_str id;
    struct weir_post post;
};

static void keeper_gone(struct weir_http_request *http)
{
    struct keeping *keeping = http->owner;
    keeping->http = NULL; /* the event is kept all the same */
}

static void kept(struct weir_post *post)
{
    struct keeping *keeping = WEIR_CONTAINER(post, struct keeping, post);
    struct weir_txn *txn = keeping->txn;
    if (keeping->http != NULL && txn->rc == WEIR_OK) {
        struct weir_http_header header = { WEIR_STR("x-amzn-RequestId"), keeping->id };
        weir_http_respond(keeping->http, 202, &header, 1, weir_str(NULL, 0));
    } else if (keeping->http != NULL) {
        bool busy = txn->rc == WEIR_E_BUSY;
        weir_lambda_error(keeping->api, keeping->http, busy ? 429 : weir_rc_http(txn->rc),
                busy ? "TooManyRequestsException" : "ServiceException", weir_str_z(txn->err.msg));
    }
    weir_txn_destroy(txn);
}

static void keep_done(struct weir_txn *txn)
{
    struct keeping *keeping = txn->arg;
    weir_loop_post(keeping->api->options.loop, &keeping->post);
}

/* Answer once the event is durable; the outbox does the rest. */
static void keep(struct weir_api *api, struct weir_http_request *http,
        const struct weir_function_model *model, struct weir_str context)
{
    struct weir_txn *txn = weir_txn_create();
    struct keeping *keeping = WEIR_ARENA_NEW(&txn->arena, struct keeping);
    *keeping = (struct keeping){ .api = api, .http = http, .txn = txn, .post = { .run = kept } };
    keeping->id = weir_call_request_id(api, &txn->arena);
    struct weir_function_run run = {
        .model = model,
        .payload = http->body,
        .client_context = context,
        .id = keeping->id,
    };
    struct weir_intent intent = { 0 };
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_function_run_intent(&run, &txn->arena, &intent, &err);
    if (rc == WEIR_OK) {
        rc = weir_outbox_add(api->options.outbox, txn, &intent, &err);
    }
    if (rc != WEIR_OK) {
        weir_lambda_error(api, http, 413, "RequestTooLargeException", weir_str_z(err.msg));
        weir_txn_destroy(txn);
        return;
    }
    http->owner = keeping;
    http->on_gone = keeper_gone;
    txn->done = keep_done;
    txn->arg = keeping;
    weir_store_submit(weir_tables_store(api->options.tables), txn);
}

/* --- the three types ----------------------------------------------------------------- */

static void invoke(struct weir_api *api, struct weir_http_request *http,
        const struct weir_function_model *model)
{
    struct weir_str type = weir_http_find(http, WEIR_STR("x-amz-invocation-type"));
    struct weir_str log = weir_http_find(http, WEIR_STR("x-amz-log-type"));
    bool event = weir_str_eq(type, WEIR_STR("Event"));
    struct weir_str context = { 0 };
    if (log.n > 0 && !weir_str_eq(log, WEIR_STR("None")) && !weir_str_eq(log, WEIR_STR("Tail"))) {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                weir_arena_printf(&http->arena, "X-Amz-Log-Type must be None or Tail, not %.*s",
                        WEIR_STR_ARG(log)));
        return;
    }
    if (!check_payload(api, http, event) || !read_context(api, http, &context)) {
        return;
    }
    if (event) {
        keep(api, http, model, context);
    } else if (weir_str_eq(type, WEIR_STR("DryRun"))) {
        weir_http_respond(http, 204, NULL, 0, weir_str(NULL, 0));
    } else if (type.n > 0 && !weir_str_eq(type, WEIR_STR("RequestResponse"))) {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                weir_arena_printf(&http->arena,
                        "X-Amz-Invocation-Type must be RequestResponse, Event or DryRun, not %.*s",
                        WEIR_STR_ARG(type)));
    } else {
        wait_for(api, http, model->name, context);
    }
}

/* --- dispatch ------------------------------------------------------------------------ */

bool weir_lambda_is_path(struct weir_str path)
{
    return weir_lambda_is_mapping(path) || weir_lambda_is_tags(path) ||
           (weir_str_starts(path, root) && (path.n == root.n || path.p[root.n] == '/'));
}

/* Requests about one function. */
static void handle_function(
        struct weir_api *api, struct weir_http_request *http, const struct place *place)
{
    struct weir_str name = { 0 };
    struct weir_str qualifier = weir_lambda_name(place->name, &name);
    if (weir_lambda_is_latest(qualifier)) {
        qualifier = weir_lambda_parameter(http, WEIR_STR("Qualifier"), &http->arena);
    }
    const struct weir_function_model *model =
            weir_lambda_is_latest(qualifier) ? weir_functions_find(api->options.functions, name)
                                             : NULL;
    bool configuration = weir_str_eq(place->rest, WEIR_STR("configuration"));
    bool invocation =
            http->method == WEIR_HTTP_POST && weir_str_eq(place->rest, WEIR_STR("invocations"));
    bool look = http->method == WEIR_HTTP_GET && (place->rest.n == 0 || configuration);
    if (!invocation && !look) {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                WEIR_STR("weir offers Invoke, GetFunction, GetFunctionConfiguration and "
                         "ListFunctions; functions are made and changed in weir.yaml"));
    } else if (model == NULL) {
        respond_not_found(api, http, name, qualifier);
    } else if (invocation) {
        invoke(api, http, model);
    } else {
        get_function(api, http, model, configuration);
    }
}

void weir_lambda_handle(struct weir_api *api, struct weir_http_request *http)
{
    struct place place = { 0 };
    if (weir_lambda_is_mapping(http->path)) {
        weir_lambda_handle_mapping(api, http);
    } else if (weir_lambda_is_tags(http->path)) {
        weir_lambda_handle_tags(api, http);
    } else if (split(http->path, &http->arena, &place) && place.name.n > 0) {
        handle_function(api, http, &place);
    } else if (http->method == WEIR_HTTP_GET) {
        list_functions(api, http);
    } else {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                WEIR_STR("functions are made in weir.yaml, not through the API"));
    }
}
