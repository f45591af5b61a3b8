#include "scenario/route.h"

#include "base/mem.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 16 * 1024 * 1024 };

static const struct weir_str invoke = { "Lambda.Invoke", 13 };

struct route {
    const char *target;
    enum weir_http_method method;
    const char *method_name;
    const char *before; /* the path before the member's value .. */
    const char *member; /* NULL: there is none */
    const char *behind; /* .. and behind it */
};

static const struct route routes[] = {
    { "Scheduler.CreateSchedule", WEIR_HTTP_POST, "POST", "/schedules/", "Name", "" },
    { "Scheduler.UpdateSchedule", WEIR_HTTP_PUT, "PUT", "/schedules/", "Name", "" },
    { "Scheduler.GetSchedule", WEIR_HTTP_GET, "GET", "/schedules/", "Name", "" },
    { "Scheduler.DeleteSchedule", WEIR_HTTP_DELETE, "DELETE", "/schedules/", "Name", "" },
    { "Lambda.Invoke", WEIR_HTTP_POST, "POST", "/2015-03-31/functions/", "FunctionName",
            "/invocations" },
    { "Lambda.GetFunction", WEIR_HTTP_GET, "GET", "/2015-03-31/functions/", "FunctionName", "" },
    { "Lambda.ListFunctions", WEIR_HTTP_GET, "GET", "/2015-03-31/functions/", NULL, "" },
    { "Lambda.CreateEventSourceMapping", WEIR_HTTP_POST, "POST",
            "/2015-03-31/event-source-mappings/", NULL, "" },
    { "Lambda.ListEventSourceMappings", WEIR_HTTP_GET, "GET", "/2015-03-31/event-source-mappings/",
            NULL, "" },
    { "Lambda.GetEventSourceMapping", WEIR_HTTP_GET, "GET", "/2015-03-31/event-source-mappings/",
            "UUID", "" },
    { "Lambda.UpdateEventSourceMapping", WEIR_HTTP_PUT, "PUT", "/2015-03-31/event-source-mappings/",
            "UUID", "" },
    { "Lambda.DeleteEventSourceMapping", WEIR_HTTP_DELETE, "DELETE",
            "/2015-03-31/event-source-mappings/", "UUID", "" },
};

static const struct route *find(struct weir_str target)
{
    size_t i = 0;
    while (i < WEIR_COUNT(routes) && !weir_str_eq(target, weir_str_z(routes[i].target))) {
        i++;
    }
    return i < WEIR_COUNT(routes) ? &routes[i] : NULL;
}

static struct weir_item read_members(struct weir_str body, struct weir_arena *arena)
{
    struct weir_json json;
    struct weir_item members = { 0 };
    weir_json_init(&json, body, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &members, NULL);
    return rc == WEIR_OK ? members : (struct weir_item){ 0 };
}

/* The members that lists are narrowed by, as a query. */
static struct weir_str query_of(struct weir_item members, struct weir_arena *arena)
{
    static const char *const names[] = { "FunctionName", "EventSourceArn", "Marker", "MaxItems" };
    struct weir_str query = WEIR_STR("");
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        struct weir_value value = weir_item_get(members, weir_str_z(names[i]));
        char number[WEIR_DECIMAL_TEXT];
        struct weir_str text = weir_value_str(value);
        if (value.type == WEIR_TYPE_N) {
            text = weir_str(number, weir_decimal_format(weir_value_decimal(value), number));
        }
        if (value.type != WEIR_TYPE_ABSENT) {
            query = weir_arena_printf(arena, "%.*s%s%s=%.*s", WEIR_STR_ARG(query),
                    query.n > 0 ? "&" : "", names[i], WEIR_STR_ARG(text));
        }
    }
    return query;
}

/* A payload that is a text is sent as it stands, as SDKs do. */
static struct weir_str payload_of(struct weir_item members, struct weir_arena *arena)
{
    struct weir_value payload = weir_item_get(members, WEIR_STR("Payload"));
    struct weir_buf json;
    if (payload.type == WEIR_TYPE_ABSENT || payload.type == WEIR_TYPE_S) {
        return weir_value_str(payload);
    }
    weir_buf_init(&json, BODY_MAX_BYTES);
    weir_ddbjson_write_plain_value(&json, payload);
    struct weir_str text = weir_arena_str(arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return text;
}

void weir_route(struct weir_http_request *request, struct weir_http_header *headers,
        struct weir_str target, struct weir_arena *arena)
{
    const struct route *route = find(target);
    if (route == NULL) {
        return;
    }
    struct weir_item members = read_members(request->body, arena);
    struct weir_str member = { 0 };
    if (route->member != NULL) {
        member = weir_value_str(weir_item_get(members, weir_str_z(route->member)));
    }
    request->method = route->method;
    request->method_name = weir_str_z(route->method_name);
    request->path = weir_arena_printf(
            arena, "%s%.*s%s", route->before, WEIR_STR_ARG(member), route->behind);
    if (route->method == WEIR_HTTP_GET) {
        request->query = query_of(members, arena);
        request->body = WEIR_STR("");
    }
    if (weir_str_eq(target, invoke)) {
        struct weir_value type = weir_item_get(members, WEIR_STR("InvocationType"));
        request->body = payload_of(members, arena);
        headers[request->header_count++] = (struct weir_http_header){
            WEIR_STR("x-amz-invocation-type"),
            weir_value_str(type),
        };
    }
    request->raw_body = request->body;
}

struct weir_str weir_route_answer(struct weir_str target, int status,
        const struct weir_http_header *headers, size_t count, struct weir_str body,
        struct weir_arena *arena)
{
    struct weir_str error = WEIR_STR("");
    if (!weir_str_eq(target, invoke) || status >= 300) {
        return weir_arena_str(arena, body);
    }
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(headers[i].name, WEIR_STR("X-Amz-Function-Error"))) {
            error = weir_arena_printf(
                    arena, ",\"FunctionError\":\"%.*s\"", WEIR_STR_ARG(headers[i].value));
        }
    }
    return weir_arena_printf(arena, "{\"StatusCode\":%d%.*s%s%.*s}", status, WEIR_STR_ARG(error),
            body.n > 0 ? ",\"Payload\":" : "", WEIR_STR_ARG(body));
}
