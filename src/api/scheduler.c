/*
 * EventBridge Scheduler's API, AWS's REST form of JSON:
 *
 *     POST, GET, PUT, DELETE /schedules/NAME           Create-, Get-, Update-, DeleteSchedule
 *     GET                    /schedules                ListSchedules
 *     POST, GET, DELETE      /schedule-groups/NAME     CreateScheduleGroup and so on
 *     GET                    /schedule-groups          ListScheduleGroups
 *     POST, GET, DELETE      /tags/ARN                 TagResource and so on
 *
 * What path and query say becomes members of the body, so that a request is read and checked in
 * one piece, as those of the other APIs are. Errors name their type in a header.
 */
#include "api/scheduler_int.h"
#include "state/state.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 16 << 20, TOKEN_MS = 5 * 60 * 1000 };

const struct weir_operation weir_scheduler_operations[] = {
    { "CreateSchedule", &weir_scheduler_put_shape, weir_scheduler_create, .writes = true },
    { "UpdateSchedule", &weir_scheduler_put_shape, weir_scheduler_update, .writes = true },
    { "GetSchedule", &weir_scheduler_name_shape, weir_scheduler_get },
    { "DeleteSchedule", &weir_scheduler_name_shape, weir_scheduler_delete, .writes = true },
    { "ListSchedules", &weir_scheduler_list_shape, weir_scheduler_list },
    { "CreateScheduleGroup", &weir_scheduler_group_shape, weir_scheduler_create_group,
            .writes = true },
    { "GetScheduleGroup", &weir_scheduler_name_shape, weir_scheduler_get_group },
    { "DeleteScheduleGroup", &weir_scheduler_name_shape, weir_scheduler_delete_group,
            .writes = true },
    { "ListScheduleGroups", &weir_scheduler_list_shape, weir_scheduler_list_groups },
    { "TagResource", &weir_scheduler_tag_shape, weir_scheduler_tag, .writes = true },
    { "UntagResource", &weir_scheduler_untag_shape, weir_scheduler_untag, .writes = true },
    { "ListTagsForResource", &weir_scheduler_tags_shape, weir_scheduler_tags },
    { .name = NULL },
};

/* --- answers ------------------------------------------------------------------------------ */

static void respond(struct weir_call *call, int status, const char *error)
{
    struct weir_http_header headers[3] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/json") },
        { WEIR_STR("x-amzn-RequestId"), weir_call_request_id(call->api, call->arena) },
        { WEIR_STR("x-amzn-ErrorType"), weir_str_z(error) },
    };
    weir_http_respond(call->http, status, headers, error != NULL ? 3 : 2, weir_buf_view(call->out));
}

static void send_answer(struct weir_call *call)
{
    respond(call, 200, NULL);
}

static void send_fault(
        struct weir_call *call, int status, const char *error, struct weir_str message)
{
    weir_buf_reset(call->out);
    weir_buf_byte(call->out, '{');
    weir_out_text(call->out, "Message", message);
    weir_buf_byte(call->out, '}');
    respond(call, status, error);
}

static void send_error(struct weir_call *call, enum weir_rc rc, struct weir_str message)
{
    static const struct {
        enum weir_rc rc;
        int status;
        const char *error;
    } forms[] = {
        { WEIR_E_INVALID, 400, "ValidationException" },
        { WEIR_E_TOO_LARGE, 400, "ValidationException" },
        { WEIR_E_UNSUPPORTED, 400, "ValidationException" },
        { WEIR_E_NOT_FOUND, 404, "ResourceNotFoundException" },
        { WEIR_E_EXISTS, 409, "ConflictException" },
        { WEIR_E_CONFLICT, 409, "ConflictException" },
        { WEIR_E_BUSY, 429, "ThrottlingException" },
    };
    for (size_t i = 0; i < WEIR_COUNT(forms); i++) {
        if (forms[i].rc == rc) {
            send_fault(call, forms[i].status, forms[i].error, message);
            return;
        }
    }
    send_fault(call, 500, "InternalServerException", message);
}

static void send_refusal(struct weir_call *call, const char *type, struct weir_str message)
{
    bool unknown = strcmp(type, "UnknownOperationException") == 0;
    /* What cannot be read is a ValidationException here: this API knows no other. */
    send_fault(call, unknown ? 404 : 400, unknown ? type : "ValidationException", message);
}

const struct weir_protocol weir_scheduler_protocol = { send_answer, send_error, send_refusal };

/* --- paths --------------------------------------------------------------------------------- */

static const struct weir_str schedules_path = { "/schedules", 10 };
static const struct weir_str groups_path = { "/schedule-groups", 16 };
static const struct weir_str tags_path = { "/tags", 5 };

/* What is behind a path's head and a slash, without one at the end; false: another path. */
static bool split(struct weir_str path, struct weir_str head, struct weir_str *ret_rest)
{
    if (!weir_str_starts(path, head) || (path.n > head.n && path.p[head.n] != '/')) {
        return false;
    }
    struct weir_str rest = weir_str(path.p + head.n, path.n - head.n);
    rest = rest.n > 0 ? weir_str(rest.p + 1, rest.n - 1) : rest;
    rest.n -= rest.n > 0 && rest.p[rest.n - 1] == '/' ? 1 : 0;
    *ret_rest = rest;
    return true;
}

bool weir_scheduler_is_path(struct weir_str path)
{
    struct weir_str rest;
    return split(path, schedules_path, &rest) || split(path, groups_path, &rest) ||
           split(path, tags_path, &rest);
}

/* --- members from path and query ----------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Undo percent signs; what is not one stays as it is. */
static struct weir_str decode(struct weir_arena *arena, struct weir_str text)
{
    char *out = weir_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool whole = text.p[i] == '%' && i + 2 < text.n;
        int high = whole ? hex_digit(text.p[i + 1]) : -1;
        int low = whole ? hex_digit(text.p[i + 2]) : -1;
        bool coded = high >= 0 && low >= 0;
        out[n++] = (char)(coded ? high << 4 | low : text.p[i]);
        i += coded ? 2 : 0;
    }
    return weir_str(out, n);
}

static void add_member(struct weir_buf *out, const char *name, struct weir_str value)
{
    uint64_t number = 0;
    weir_out_name(out, name);
    if (strcmp(name, "MaxResults") == 0 && weir_str_to_u64(value, &number)) {
        weir_buf_str(out, value);
    } else {
        weir_json_write_string(out, value);
    }
}

/* The members that the query's parameters are; keys of tags become a list. */
static void add_query(struct weir_buf *out, struct weir_arena *arena, struct weir_str query)
{
    static const struct {
        struct weir_str parameter;
        const char *member;
    } parameters[] = {
        { { "ScheduleGroup", 13 }, "GroupName" },
        { { "groupName", 9 }, "GroupName" },
        { { "NamePrefix", 10 }, "NamePrefix" },
        { { "State", 5 }, "State" },
        { { "NextToken", 9 }, "NextToken" },
        { { "MaxResults", 10 }, "MaxResults" },
        { { "clientToken", 11 }, "ClientToken" },
    };
    struct weir_buf keys;
    weir_buf_init(&keys, BODY_MAX_BYTES);
    while (query.n > 0) {
        const char *amp = memchr(query.p, '&', query.n);
        struct weir_str pair = weir_str(query.p, amp != NULL ? (size_t)(amp - query.p) : query.n);
        size_t skip = pair.n + (amp != NULL ? 1 : 0);
        query = weir_str(query.p + skip, query.n - skip);
        const char *equals = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
        size_t n = equals != NULL ? (size_t)(equals - pair.p) : pair.n;
        struct weir_str name = decode(arena, weir_str(pair.p, n));
        struct weir_str value = WEIR_STR("");
        if (equals != NULL) {
            value = decode(arena, weir_str(equals + 1, pair.n - n - 1));
        }
        if (weir_str_eq(name, WEIR_STR("TagKeys"))) {
            weir_buf_byte(&keys, keys.n > 0 ? ',' : '[');
            weir_json_write_string(&keys, value);
        }
        for (size_t i = 0; i < WEIR_COUNT(parameters); i++) {
            if (weir_str_eq(name, parameters[i].parameter)) {
                add_member(out, parameters[i].member, value);
            }
        }
    }
    if (keys.n > 0) {
        weir_out_name(out, "TagKeys");
        weir_buf_str(out, weir_buf_view(&keys));
        weir_buf_byte(out, ']');
    }
    weir_buf_fini(&keys);
}

static struct weir_str trim(struct weir_str text)
{
    while (text.n > 0 && strchr(" \t\r\n", text.p[0]) != NULL && text.p[0] != '\0') {
        text = weir_str(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && text.p[text.n - 1] != '\0' &&
            strchr(" \t\r\n", text.p[text.n - 1]) != NULL) {
        text.n--;
    }
    return text;
}

/*
 * The body with the members of path and query behind its own. A body that is not one object is
 * left as it is: reading it says what is wrong.
 */
static struct weir_str join(
        struct weir_http_request *http, const char *member, struct weir_str value)
{
    struct weir_str body = trim(http->body);
    body = body.n > 0 ? body : WEIR_STR("{}");
    if (body.n < 2 || body.p[0] != '{' || body.p[body.n - 1] != '}') {
        return body;
    }
    struct weir_buf out;
    weir_buf_init(&out, BODY_MAX_BYTES * 2);
    weir_buf_str(&out, trim(weir_str(body.p, body.n - 1)));
    if (value.n > 0) {
        add_member(&out, member, decode(&http->arena, value));
    }
    add_query(&out, &http->arena, http->query);
    weir_buf_byte(&out, '}');
    struct weir_str joined = weir_arena_str(&http->arena, weir_buf_view(&out));
    weir_buf_fini(&out);
    return joined;
}

bool weir_scheduler_read(
        struct weir_http_request *http, const char **ret_operation, struct weir_str *ret_body)
{
    static const struct {
        const struct weir_str *head;
        const char *operation;
        enum weir_http_method method;
        bool named; /* something stands behind the head */
    } routes[] = {
        { &schedules_path, "CreateSchedule", WEIR_HTTP_POST, true },
        { &schedules_path, "UpdateSchedule", WEIR_HTTP_PUT, true },
        { &schedules_path, "GetSchedule", WEIR_HTTP_GET, true },
        { &schedules_path, "DeleteSchedule", WEIR_HTTP_DELETE, true },
        { &schedules_path, "ListSchedules", WEIR_HTTP_GET, false },
        { &groups_path, "CreateScheduleGroup", WEIR_HTTP_POST, true },
        { &groups_path, "GetScheduleGroup", WEIR_HTTP_GET, true },
        { &groups_path, "DeleteScheduleGroup", WEIR_HTTP_DELETE, true },
        { &groups_path, "ListScheduleGroups", WEIR_HTTP_GET, false },
        { &tags_path, "TagResource", WEIR_HTTP_POST, true },
        { &tags_path, "UntagResource", WEIR_HTTP_DELETE, true },
        { &tags_path, "ListTagsForResource", WEIR_HTTP_GET, true },
    };
    for (size_t i = 0; i < WEIR_COUNT(routes); i++) {
        struct weir_str rest;
        if (routes[i].method == http->method && split(http->path, *routes[i].head, &rest) &&
                (rest.n > 0) == routes[i].named) {
            bool tags = routes[i].head == &tags_path;
            *ret_operation = routes[i].operation;
            *ret_body = join(http, tags ? "ResourceArn" : "Name", rest);
            return true;
        }
    }
    return false;
}

/* --- shared --------------------------------------------------------------------------------- */

enum weir_rc weir_scheduler_refuse_files(struct weir_str group, struct weir_err *err)
{
    return !weir_str_eq(group, WEIR_SCHEDULE_FILE_GROUP)
                   ? WEIR_OK
                   : weir_fail(err, WEIR_E_INVALID,
                             "Schedules of the group weir.yaml are defined in the file of that "
                             "name: change them there");
}

enum weir_rc weir_scheduler_once(struct weir_call *call, struct weir_str token,
        struct weir_str what, bool *ret_done, struct weir_err *err)
{
    struct weir_arena *arena = &call->txn->arena;
    struct weir_store *store = weir_tables_store(call->api->options.tables);
    struct weir_entry entry = { 0 };
    struct weir_state before = { 0 };
    *ret_done = false;
    if (token.n == 0) {
        return WEIR_OK;
    }
    struct weir_str key = weir_arena_printf(arena, "%cscheduler%c%.*s", 0, 0, WEIR_STR_ARG(token));
    enum weir_rc rc = weir_txn_get(call->txn, store, WEIR_SPACE_STATE, key, &entry, err);
    if (rc == WEIR_OK && entry.pos.seq != 0) {
        rc = weir_state_decode(entry.value, &before, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_done = weir_str_eq(before.value, what);
    struct weir_state after = { .value = what };
    after.expires.ms = weir_clock_wall(call->api->options.clock).ms + TOKEN_MS;
    if (!*ret_done) {
        weir_state_change(call->txn, key, &before, &after);
    }
    return WEIR_OK;
}

void weir_scheduler_write_next(struct weir_call *call, struct weir_str behind)
{
    weir_out_name(call->out, "NextToken");
    weir_json_write_base64(call->out, behind);
}

enum weir_rc weir_scheduler_read_next(struct weir_call *call, struct weir_str token,
        struct weir_str *ret_behind, struct weir_err *err)
{
    *ret_behind = WEIR_STR("");
    if (token.n > 0 &&
            (weir_base64_decode(call->arena, token, false, ret_behind, NULL) != WEIR_OK ||
                    ret_behind->n == 0)) {
        return weir_fail(err, WEIR_E_INVALID, "Invalid NextToken");
    }
    return WEIR_OK;
}
