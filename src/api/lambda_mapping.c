/*
 * Event source mappings of Lambda's API:
 *
 *     POST   /2015-03-31/event-source-mappings/        CreateEventSourceMapping
 *     GET    /2015-03-31/event-source-mappings/        ListEventSourceMappings
 *     GET    /2015-03-31/event-source-mappings/UUID    GetEventSourceMapping
 *     PUT    /2015-03-31/event-source-mappings/UUID    UpdateEventSourceMapping
 *     DELETE /2015-03-31/event-source-mappings/UUID    DeleteEventSourceMapping
 *
 * Their source is the stream of a table, or a queue. A member that the source does not have is
 * refused as AWS does it, one that weir does not do by its name.
 */
#include "api/lambda_int.h"
#include "base/mem.h"
#include "value/json.h"
#include "value/tag.h"

enum {
    PAGE_MAX = 100,
    FILTERS_MAX = 10,
    FILTERS_MAX_BYTES = 1024 * 1024,
    STREAM_BATCH = 100, /* BatchSize that is not given */
    QUEUE_BATCH = 10,
};

static const struct weir_str root = { "/2015-03-31/event-source-mappings", 33 };

/* --- requests ------------------------------------------------------------------------- */

struct filter {
    struct weir_str pattern;
};

struct criteria {
    struct weir_wire_list filters;
};

struct destination {
    struct weir_str arn;
};

struct metrics_config {
    struct weir_wire_list metrics;
};

struct scaling {
    struct weir_wire_number concurrency;
};

struct destinations {
    struct destination *on_failure;
    struct weir_str on_success; /* refused */
};

/* Of Create and Update. */
struct request {
    struct weir_str event_source;
    struct weir_str function;
    struct weir_wire_bool enabled;
    struct weir_wire_number batch;
    struct criteria *criteria;
    struct weir_wire_number window;
    struct weir_wire_number factor;
    struct weir_str start;
    struct destinations *destinations;
    struct weir_wire_number max_age;
    struct weir_wire_bool bisect;
    struct weir_wire_number retries;
    struct weir_wire_number tumbling;
    struct weir_wire_list response_types;
    struct scaling *scaling;
    struct metrics_config *metrics;
    struct weir_item tags; /* of Create */
    struct weir_str refused[11];
};

#define AT(structure, field) offsetof(struct structure, field)
#define END          \
    {                \
        .name = NULL \
    }

static const struct weir_wire_member filter_members[] = {
    { "Pattern", WEIR_WIRE_STRING, .offset = AT(filter, pattern), .max = 4096 }, END
};
static const struct weir_wire_shape filter_shape = { sizeof(struct filter), filter_members };
static const struct weir_wire_member criteria_members[] = {
    { "Filters", WEIR_WIRE_LIST, .offset = AT(criteria, filters), .shape = &filter_shape,
            .max = FILTERS_MAX },
    END
};
static const struct weir_wire_shape criteria_shape = { sizeof(struct criteria), criteria_members };
static const struct weir_wire_member destination_members[] = {
    { "Destination", WEIR_WIRE_STRING, .offset = AT(destination, arn), .max = 350 }, END
};
static const struct weir_wire_shape destination_shape = { sizeof(struct destination),
    destination_members };
static const struct weir_wire_member destinations_members[] = {
    { "OnFailure", WEIR_WIRE_STRUCT, .offset = AT(destinations, on_failure),
            .shape = &destination_shape },
    { "OnSuccess", WEIR_WIRE_REFUSED, .offset = AT(destinations, on_success) }, END
};
static const struct weir_wire_shape destinations_shape = { sizeof(struct destinations),
    destinations_members };

static const struct weir_wire_member scaling_members[] = {
    { "MaximumConcurrency", WEIR_WIRE_NUMBER, .offset = AT(scaling, concurrency), .min = 2,
            .max = 1000 },
    END
};
static const struct weir_wire_shape scaling_shape = { sizeof(struct scaling), scaling_members };

static const struct weir_wire_member metrics_members[] = {
    { "Metrics", WEIR_WIRE_STRINGS, .offset = AT(metrics_config, metrics), .max = 3 }, END
};
static const struct weir_wire_shape metrics_shape = { sizeof(struct metrics_config),
    metrics_members };

#define REFUSED(name, number)                                                       \
    {                                                                               \
        name, WEIR_WIRE_REFUSED,                                                    \
                .offset = AT(request, refused) + (number) * sizeof(struct weir_str) \
    }

static const struct weir_wire_member request_members[] = {
    { "EventSourceArn", WEIR_WIRE_STRING, .offset = AT(request, event_source), .max = 1024 },
    { "FunctionName", WEIR_WIRE_STRING, .offset = AT(request, function), .min = 1, .max = 140 },
    { "Enabled", WEIR_WIRE_BOOL, .offset = AT(request, enabled) },
    { "BatchSize", WEIR_WIRE_NUMBER, .offset = AT(request, batch), .min = 1, .max = 10000 },
    { "FilterCriteria", WEIR_WIRE_STRUCT, .offset = AT(request, criteria),
            .shape = &criteria_shape },
    { "MaximumBatchingWindowInSeconds", WEIR_WIRE_NUMBER, .offset = AT(request, window), .min = 0,
            .max = 300 },
    { "ParallelizationFactor", WEIR_WIRE_NUMBER, .offset = AT(request, factor), .min = 1,
            .max = 10 },
    { "StartingPosition", WEIR_WIRE_STRING, .offset = AT(request, start),
            .values = "[TRIM_HORIZON, LATEST, AT_TIMESTAMP]" },
    { "DestinationConfig", WEIR_WIRE_STRUCT, .offset = AT(request, destinations),
            .shape = &destinations_shape },
    { "MaximumRecordAgeInSeconds", WEIR_WIRE_NUMBER, .offset = AT(request, max_age), .min = -1,
            .max = 604800 },
    { "BisectBatchOnFunctionError", WEIR_WIRE_BOOL, .offset = AT(request, bisect) },
    { "MaximumRetryAttempts", WEIR_WIRE_NUMBER, .offset = AT(request, retries), .min = -1,
            .max = 10000 },
    { "TumblingWindowInSeconds", WEIR_WIRE_NUMBER, .offset = AT(request, tumbling), .min = 0,
            .max = 900 },
    { "FunctionResponseTypes", WEIR_WIRE_STRINGS, .offset = AT(request, response_types), .max = 1 },
    { "ScalingConfig", WEIR_WIRE_STRUCT, .offset = AT(request, scaling), .shape = &scaling_shape },
    { "MetricsConfig", WEIR_WIRE_STRUCT, .offset = AT(request, metrics), .shape = &metrics_shape },
    { "Tags", WEIR_WIRE_NAMES, .offset = AT(request, tags) },
    REFUSED("StartingPositionTimestamp", 0),
    REFUSED("Topics", 1),
    REFUSED("Queues", 2),
    REFUSED("SourceAccessConfigurations", 3),
    REFUSED("SelfManagedEventSource", 4),
    REFUSED("AmazonManagedKafkaEventSourceConfig", 5),
    REFUSED("SelfManagedKafkaEventSourceConfig", 6),
    REFUSED("DocumentDBEventSourceConfig", 7),
    REFUSED("ProvisionedPollerConfig", 8),
    REFUSED("LoggingConfig", 9),
    REFUSED("KMSKeyArn", 10),
    END,
};
static const struct weir_wire_shape request_shape = { sizeof(struct request), request_members };

/* --- answers -------------------------------------------------------------------------- */

static void write_filters(struct weir_buf *out, struct weir_str filters, struct weir_arena *arena)
{
    struct weir_json json;
    const char *comma = "";
    weir_json_init(&json, filters, arena, WEIR_JSON_MAX_DEPTH);
    weir_out_name(out, "FilterCriteria");
    weir_buf_z(out, "{\"Filters\":[");
    if (weir_json_next(&json) == WEIR_JSON_ARRAY) {
        while (weir_json_next(&json) == WEIR_JSON_STRING) {
            weir_buf_z(out, comma);
            weir_buf_z(out, "{\"Pattern\":");
            weir_json_write_string(out, json.text);
            weir_buf_byte(out, '}');
            comma = ",";
        }
    }
    weir_buf_z(out, "]}");
}

static void write_result(struct weir_buf *out, const struct weir_mapping_view *view)
{
    weir_out_name(out, "LastProcessingResult");
    if (view->progress == WEIR_PROGRESS_STUCK) {
        weir_buf_z(out, "\"PROBLEM: ");
        struct weir_buf text;
        weir_buf_init(&text, WEIR_LAMBDA_ANSWER_MAX);
        weir_json_write_string(&text, weir_str_z(view->why.msg));
        struct weir_str quoted = weir_buf_view(&text);
        weir_buf_str(out, weir_str(quoted.p + 1, quoted.n - 1));
        weir_buf_fini(&text);
    } else {
        weir_buf_z(
                out, view->progress == WEIR_PROGRESS_GOOD ? "\"OK\"" : "\"No records processed\"");
    }
}

/* A number for which AWS has -1 when there is no limit. */
static void write_limit(struct weir_buf *out, const char *name, uint64_t number, uint64_t none)
{
    weir_out_name(out, name);
    if (number == none) {
        weir_buf_z(out, "-1");
    } else {
        weir_buf_printf(out, "%llu", (unsigned long long)number);
    }
}

/* What only mappings of streams have. */
static void write_of_stream(struct weir_buf *out, const struct weir_mapping_view *view)
{
    const struct weir_mapping *mapping = view->mapping;
    weir_out_number(out, "ParallelizationFactor", mapping->factor);
    weir_out_text(out, "StartingPosition", weir_str_z(mapping->latest ? "LATEST" : "TRIM_HORIZON"));
    weir_buf_z(out, ",\"DestinationConfig\":{\"OnFailure\":{");
    if (mapping->destination.n > 0) {
        weir_out_text(out, "Destination", mapping->destination);
    }
    weir_buf_z(out, "}}");
    write_limit(out, "MaximumRecordAgeInSeconds", mapping->max_age_s, 0);
    weir_out_bool(out, "BisectBatchOnFunctionError", mapping->bisect);
    write_limit(out, "MaximumRetryAttempts", mapping->retries, UINT64_MAX);
    weir_out_number(out, "TumblingWindowInSeconds", mapping->tumbling_s);
    write_result(out, view);
    weir_out_text(out, "StateTransitionReason", WEIR_STR("User action"));
}

/* And of queues, for which AWS tells no result; here problems are told. */
static void write_of_queue(struct weir_buf *out, const struct weir_mapping_view *view)
{
    if (view->mapping->concurrency > 0) {
        weir_buf_printf(out, ",\"ScalingConfig\":{\"MaximumConcurrency\":%llu}",
                (unsigned long long)view->mapping->concurrency);
    }
    if (view->progress == WEIR_PROGRESS_STUCK) {
        write_result(out, view);
    }
    weir_out_text(out, "StateTransitionReason", WEIR_STR("USER_INITIATED"));
}

struct weir_str weir_lambda_mapping_arn(
        struct weir_api *api, struct weir_str uuid, struct weir_arena *arena)
{
    struct weir_buf function;
    weir_buf_init(&function, WEIR_LAMBDA_ANSWER_MAX);
    weir_functions_write_arn(api->options.functions, WEIR_STR(""), &function);
    struct weir_str head = weir_buf_view(&function);
    head.n -= sizeof("function:") - 1;
    struct weir_str arn = weir_arena_printf(
            arena, "%.*sevent-source-mapping:%.*s", WEIR_STR_ARG(head), WEIR_STR_ARG(uuid));
    weir_buf_fini(&function);
    return arn;
}

static void write_view(struct weir_api *api, struct weir_buf *out,
        const struct weir_mapping_view *view, struct weir_arena *arena)
{
    static const char *const states[] = {
        [WEIR_MAPPING_CREATING] = "Creating",
        [WEIR_MAPPING_ENABLED] = "Enabled",
        [WEIR_MAPPING_DISABLED] = "Disabled",
        [WEIR_MAPPING_ENABLING] = "Enabling",
        [WEIR_MAPPING_DISABLING] = "Disabling",
        [WEIR_MAPPING_UPDATING] = "Updating",
        [WEIR_MAPPING_DELETING] = "Deleting",
    };
    const struct weir_mapping *mapping = view->mapping;
    struct weir_buf arn;
    weir_buf_init(&arn, WEIR_LAMBDA_ANSWER_MAX);
    weir_functions_write_arn(api->options.functions, mapping->function, &arn);
    weir_buf_byte(out, '{');
    weir_out_text(out, "UUID", mapping->uuid);
    weir_out_text(out, "EventSourceMappingArn", weir_lambda_mapping_arn(api, mapping->uuid, arena));
    weir_out_text(out, "EventSourceArn", mapping->source_arn);
    weir_out_text(out, "FunctionArn", weir_buf_view(&arn));
    weir_buf_fini(&arn);
    weir_out_number(out, "BatchSize", mapping->batch);
    weir_out_number(out, "MaximumBatchingWindowInSeconds", mapping->window_s);
    if (mapping->filters.n > 0) {
        write_filters(out, mapping->filters, arena);
    }
    weir_out_name(out, "FunctionResponseTypes");
    weir_buf_z(out, mapping->report_failures ? "[\"ReportBatchItemFailures\"]" : "[]");
    if (mapping->has_metrics) {
        weir_out_name(out, "MetricsConfig");
        weir_buf_printf(out, "{\"Metrics\":[%s]}", mapping->counts_events ? "\"EventCount\"" : "");
    }
    weir_out_time(out, "LastModified", mapping->modified);
    weir_out_text(out, "State", weir_str_z(states[view->state]));
    if (weir_mapping_is_of_queue(mapping)) {
        write_of_queue(out, view);
    } else {
        write_of_stream(out, view);
    }
    weir_buf_byte(out, '}');
}

void weir_lambda_refuse(struct weir_api *api, struct weir_http_request *http, enum weir_rc rc,
        struct weir_str message)
{
    static const struct {
        enum weir_rc rc;
        int status;
        const char *error;
    } forms[] = {
        { WEIR_E_INVALID, 400, "InvalidParameterValueException" },
        { WEIR_E_NOT_FOUND, 404, "ResourceNotFoundException" },
        { WEIR_E_EXISTS, 409, "ResourceConflictException" },
        { WEIR_E_CONFLICT, 400, "ResourceInUseException" },
        { WEIR_E_BUSY, 429, "TooManyRequestsException" },
    };
    for (size_t i = 0; i < WEIR_COUNT(forms); i++) {
        if (forms[i].rc == rc) {
            weir_lambda_error(api, http, forms[i].status, forms[i].error, message);
            return;
        }
    }
    weir_lambda_error(api, http, 500, "ServiceException", message);
}

static void answer_view(struct weir_api *api, struct weir_http_request *http, int status,
        const struct weir_mapping_view *view)
{
    struct weir_buf body;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    write_view(api, &body, view, &http->arena);
    weir_lambda_respond(api, http, status, NULL, &body);
    weir_buf_fini(&body);
}

/* --- changes -------------------------------------------------------------------------- */

static void answer_changed(
        struct weir_api *api, struct weir_http_request *http, const struct weir_mapping_view *view)
{
    answer_view(api, http, 202, view);
}

static void client_gone(struct weir_http_request *http)
{
    struct weir_lambda_change *change = http->owner;
    change->http = NULL; /* the change is made all the same */
}

static void changed(struct weir_mapping_change *base, const struct weir_mapping_view *view)
{
    struct weir_lambda_change *change = base->arg;
    if (change->http != NULL && base->rc == WEIR_OK) {
        change->answer(change->api, change->http, view);
    } else if (change->http != NULL) {
        weir_lambda_refuse(change->api, change->http, base->rc, weir_str_z(base->err.msg));
    }
    weir_free(change);
}

struct weir_lambda_change *weir_lambda_change_begin(
        struct weir_api *api, struct weir_http_request *http, weir_lambda_answer *answer)
{
    struct weir_lambda_change *change = weir_alloc_zero(1, sizeof(*change));
    change->change.done = changed;
    change->change.arg = change;
    change->api = api;
    change->http = http;
    change->answer = answer;
    return change;
}

void weir_lambda_change_begun(
        struct weir_lambda_change *change, enum weir_rc rc, struct weir_str message)
{
    if (rc == WEIR_OK) {
        change->http->owner = change;
        change->http->on_gone = client_gone;
        return;
    }
    weir_lambda_refuse(change->api, change->http, rc, message);
    weir_free(change);
}

/* AWS's words for a source and a function that have a mapping. */
static struct weir_str already_there(
        struct weir_arena *arena, const struct weir_mapping *mapping, const char *uuid)
{
    bool of_queue = weir_mapping_is_of_queue(mapping);
    return weir_arena_printf(arena,
            "%s (\" %.*s \") and function (\" %.*s \") %salready exists. Please update or delete "
            "the "
            "existing mapping with UUID %s",
            of_queue ? "An event source mapping with SQS arn" : "The event source arn",
            WEIR_STR_ARG(mapping->source_arn), WEIR_STR_ARG(mapping->function),
            of_queue ? "" : "provided mapping ", uuid);
}

/* As weir_lambda_change_begun; mapping: what it is to be. */
static void begun(struct weir_lambda_change *change, const struct weir_mapping *mapping,
        enum weir_rc rc, const struct weir_err *err)
{
    struct weir_str message = rc == WEIR_E_EXISTS
                                      ? already_there(&change->http->arena, mapping, err->msg)
                                      : weir_str_z(err->msg);
    weir_lambda_change_begun(change, rc, message);
}

/* --- what a request says -------------------------------------------------------------- */

enum weir_rc weir_lambda_read(struct weir_http_request *http, const struct weir_wire_shape *shape,
        void **ret_request, struct weir_str *ret_message)
{
    struct weir_str body = http->body.n > 0 ? http->body : WEIR_STR("{}");
    enum weir_wire_fault fault =
            weir_wire_read(shape, body, &http->arena, ret_request, ret_message);
    if (fault == WEIR_WIRE_FINE) {
        fault = weir_wire_check(shape, *ret_request, &http->arena, ret_message);
    }
    return fault == WEIR_WIRE_FINE ? WEIR_OK : WEIR_E_INVALID;
}

static enum weir_rc read_request(
        struct weir_http_request *http, struct request **ret_request, struct weir_str *ret_message)
{
    void *request = NULL;
    enum weir_rc rc = weir_lambda_read(http, &request_shape, &request, ret_message);
    *ret_request = request;
    return rc;
}

static const char *why_refused(struct weir_str name)
{
    static const struct {
        const char *name;
        const char *why;
    } reasons[] = {
        { "ProvisionedPollerConfig", "nothing is polled" },
        { "LoggingConfig", "weir's log has what happens to each mapping" },
        { "KMSKeyArn", "weir has no key management" },
    };
    for (size_t i = 0; i < WEIR_COUNT(reasons); i++) {
        if (weir_str_eq(name, weir_str_z(reasons[i].name))) {
            return reasons[i].why;
        }
    }
    return "event sources are the streams of tables, and queues";
}

/* What weir does not do, by name. */
static enum weir_rc check_refused(const struct request *request, struct weir_err *err)
{
    struct weir_str name = { 0 };
    for (size_t i = 0; i < WEIR_COUNT(request->refused); i++) {
        name = request->refused[i].n > 0 ? request->refused[i] : name;
    }
    if (request->destinations != NULL && request->destinations->on_success.n > 0) {
        name = WEIR_STR("DestinationConfig.OnSuccess");
    }
    if (name.n > 0) {
        return weir_fail(err, WEIR_E_INVALID, "%.*s is not supported by weir, leave it out: %s",
                WEIR_STR_ARG(name), why_refused(name));
    }
    return WEIR_OK;
}

static enum weir_rc read_filters(const struct criteria *criteria, struct weir_arena *arena,
        struct weir_str *ret_filters, struct weir_err *err)
{
    struct weir_buf json;
    weir_buf_init(&json, FILTERS_MAX_BYTES);
    for (size_t i = 0; i < criteria->filters.count; i++) {
        const struct filter *filter = WEIR_WIRE_AT(criteria->filters, struct filter, i);
        weir_buf_byte(&json, i > 0 ? ',' : '[');
        weir_json_write_string(&json, filter->pattern);
    }
    weir_buf_z(&json, criteria->filters.count > 0 ? "]" : "");
    enum weir_rc rc = weir_buf_check(&json, "FilterCriteria", err);
    *ret_filters = weir_arena_str(arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return rc;
}

static enum weir_rc read_destination(struct weir_api *api, const struct destinations *destinations,
        struct weir_str *ret_arn, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    struct weir_str arn = { 0 };
    if (destinations->on_failure != NULL) {
        arn = destinations->on_failure->arn;
    }
    *ret_arn = arn;
    if (arn.n == 0) {
        return WEIR_OK;
    }
    bool is_queue = weir_str_starts(arn, WEIR_STR("arn:aws:sqs:"));
    if (!is_queue || weir_queues_get(api->options.queues, arn, &queue, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_E_INVALID,
                "The destination ARN %.*s is invalid: it must be that of a queue of weir",
                WEIR_STR_ARG(arn));
    }
    weir_queue_unref(queue);
    return WEIR_OK;
}

/* A list that may have one value only, or be empty. */
static enum weir_rc read_choice(const struct weir_wire_list *list, const char *name,
        const char *value, bool *ret_there, struct weir_err *err)
{
    *ret_there = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct weir_str *given = WEIR_WIRE_AT(*list, struct weir_str, i);
        if (!weir_str_eq(*given, weir_str_z(value))) {
            return weir_fail(err, WEIR_E_INVALID, "%s may have %s, not %.*s", name, value,
                    WEIR_STR_ARG(*given));
        }
        *ret_there = true;
    }
    return WEIR_OK;
}

static enum weir_rc read_function(
        struct weir_api *api, struct weir_str text, struct weir_str *ret_name, struct weir_err *err)
{
    if (!weir_lambda_is_latest(weir_lambda_name(text, ret_name)) ||
            weir_functions_find(api->options.functions, *ret_name) == NULL) {
        return weir_fail(err, WEIR_E_INVALID, "Function does not exist");
    }
    return WEIR_OK;
}

static void set(uint64_t *number, const struct weir_wire_number *to)
{
    if (to->set) {
        *number = (uint64_t)to->value;
    }
}

static enum weir_rc read_numbers(
        const struct request *request, struct weir_mapping *mapping, struct weir_err *err)
{
    set(&mapping->batch, &request->batch);
    set(&mapping->window_s, &request->window);
    set(&mapping->factor, &request->factor);
    set(&mapping->tumbling_s, &request->tumbling);
    if (mapping->tumbling_s > 0 && mapping->factor > 1) {
        return weir_fail(err, WEIR_E_INVALID,
                "TumblingWindowInSeconds needs a ParallelizationFactor of 1: a window is the whole "
                "shard's");
    }
    set(&mapping->retries, &request->retries); /* -1 is the largest number: no limit */
    if (request->max_age.set && request->max_age.value >= 0 && request->max_age.value < 60) {
        return weir_fail(err, WEIR_E_INVALID,
                "MaximumRecordAgeInSeconds must be -1, for no limit, or 60 to 604800");
    }
    if (request->max_age.set) {
        mapping->max_age_s = request->max_age.value < 0 ? 0 : (uint64_t)request->max_age.value;
    }
    mapping->enabled = request->enabled.set ? request->enabled.value : mapping->enabled;
    mapping->bisect = request->bisect.set ? request->bisect.value : mapping->bisect;
    return WEIR_OK;
}

/* What AWS does not take for this kind of source. */
static enum weir_rc check_members(
        const struct request *request, bool of_queue, struct weir_err *err)
{
    const struct {
        const char *name;
        bool there;
        bool of_queue;
    } members[] = {
        { "ParallelizationFactor", request->factor.set, false },
        { "DestinationConfig", request->destinations != NULL, false },
        { "MaximumRecordAgeInSeconds", request->max_age.set, false },
        { "BisectBatchOnFunctionError", request->bisect.set, false },
        { "MaximumRetryAttempts", request->retries.set, false },
        { "TumblingWindowInSeconds", request->tumbling.set, false },
        { "ScalingConfig", request->scaling != NULL, true },
    };
    for (size_t i = 0; i < WEIR_COUNT(members); i++) {
        if (members[i].there && members[i].of_queue != of_queue) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Unsupported %s parameter for given event source mapping type.",
                    members[i].name);
        }
    }
    return WEIR_OK;
}

/* What AWS asks of a mapping with a queue as its source, as it would become. */
static enum weir_rc check_of_queue(
        struct weir_api *api, const struct weir_mapping *mapping, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    const struct weir_function_model *function =
            weir_functions_find(api->options.functions, mapping->function);
    if (weir_queues_get(api->options.queues, mapping->source_arn, &queue, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_E_INVALID,
                "Error occurred while ReceiveMessage. SQS Error Code: "
                "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue "
                "does not exist.");
    }
    uint64_t visible_s = queue->visibility_ms / WEIR_QUEUE_SECOND_MS;
    uint64_t timeout_s = function != NULL ? function->timeout_ms / WEIR_QUEUE_SECOND_MS : 0;
    bool fifo = queue->fifo;
    weir_queue_unref(queue);
    if (fifo && mapping->window_s > 0) {
        return weir_fail(err, WEIR_E_INVALID, "Batching window is not supported for FIFO queues.");
    }
    if (fifo && mapping->batch > WEIR_QUEUE_BATCH_MAX) {
        return weir_fail(err, WEIR_E_INVALID, "BatchSize of a FIFO queue is at most %d",
                WEIR_QUEUE_BATCH_MAX);
    }
    if (mapping->batch > WEIR_QUEUE_BATCH_MAX && mapping->window_s == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
                "greater than 10");
    }
    if (visible_s < timeout_s) {
        return weir_fail(err, WEIR_E_INVALID,
                "Queue visibility timeout: %llu seconds is less than Function timeout: %llu "
                "seconds",
                (unsigned long long)visible_s, (unsigned long long)timeout_s);
    }
    return WEIR_OK;
}

/* Change what the request names; texts are the request's. */
static enum weir_rc apply(struct weir_api *api, struct weir_http_request *http,
        const struct request *request, struct weir_mapping *mapping, struct weir_err *err)
{
    bool of_queue = weir_mapping_is_of_queue(mapping);
    enum weir_rc rc = check_members(request, of_queue, err);
    if (rc == WEIR_OK) {
        rc = check_refused(request, err);
    }
    if (rc == WEIR_OK) {
        rc = read_numbers(request, mapping, err);
    }
    if (rc == WEIR_OK && request->function.n > 0) {
        rc = read_function(api, request->function, &mapping->function, err);
    }
    if (rc == WEIR_OK && request->criteria != NULL) {
        rc = read_filters(request->criteria, &http->arena, &mapping->filters, err);
    }
    if (rc == WEIR_OK && request->destinations != NULL) {
        rc = read_destination(api, request->destinations, &mapping->destination, err);
    }
    if (rc == WEIR_OK && request->response_types.set) {
        rc = read_choice(&request->response_types, "FunctionResponseTypes",
                "ReportBatchItemFailures", &mapping->report_failures, err);
    }
    if (rc == WEIR_OK && request->metrics != NULL) {
        mapping->has_metrics = true;
        rc = read_choice(&request->metrics->metrics, "MetricsConfig.Metrics", "EventCount",
                &mapping->counts_events, err);
    }
    if (rc == WEIR_OK && request->scaling != NULL) {
        mapping->concurrency = (uint64_t)request->scaling->concurrency.value; /* 0: none given */
    }
    return rc == WEIR_OK && of_queue ? check_of_queue(api, mapping, err) : rc;
}

/* --- operations ----------------------------------------------------------------------- */

/* The stream, and where to begin. */
static enum weir_rc read_stream(struct weir_api *api, const struct request *request,
        struct weir_mapping *mapping, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    struct weir_str arn = request->event_source;
    if (request->start.n == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
                "constraint: Member must not be null.");
    }
    if (weir_str_eq(request->start, WEIR_STR("AT_TIMESTAMP"))) {
        return weir_fail(err, WEIR_E_INVALID, "Unsupported starting position for arn type: %.*s",
                WEIR_STR_ARG(arn));
    }
    if (weir_tables_get_stream(api->options.tables, arn, &table, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_E_INVALID, "Stream not found: %.*s", WEIR_STR_ARG(arn));
    }
    weir_table_unref(table);
    mapping->latest = weir_str_eq(request->start, WEIR_STR("LATEST"));
    return WEIR_OK;
}

static enum weir_rc read_source(struct weir_api *api, const struct request *request,
        struct weir_mapping *mapping, struct weir_err *err)
{
    mapping->source_arn = request->event_source;
    if (weir_str_starts(mapping->source_arn, WEIR_STR("arn:aws:dynamodb:"))) {
        mapping->batch = STREAM_BATCH;
        return read_stream(api, request, mapping, err);
    }
    if (!weir_mapping_is_of_queue(mapping)) {
        return weir_fail(err, WEIR_E_INVALID, "Unrecognized event source.");
    }
    if (request->start.n > 0) {
        return weir_fail(
                err, WEIR_E_INVALID, "StartingPosition is not valid for SQS event sources.");
    }
    mapping->batch = QUEUE_BATCH;
    return WEIR_OK;
}

static void create(struct weir_api *api, struct weir_http_request *http)
{
    struct request *request = NULL;
    struct weir_str message = { 0 };
    struct weir_err err = { 0 };
    struct weir_mapping mapping = {
        .factor = 1,
        .retries = UINT64_MAX,
        .enabled = true,
    };
    if (read_request(http, &request, &message) != WEIR_OK) {
        weir_lambda_refuse(api, http, WEIR_E_INVALID, message);
        return;
    }
    struct weir_lambda_change *change = weir_lambda_change_begin(api, http, answer_changed);
    enum weir_rc rc = read_source(api, request, &mapping, &err);
    if (rc == WEIR_OK && request->function.n == 0) {
        rc = weir_fail(&err, WEIR_E_INVALID,
                "1 validation error detected: Value null at 'functionName' failed to satisfy "
                "constraint: Member must not be null.");
    }
    if (rc == WEIR_OK) {
        rc = apply(api, http, request, &mapping, &err);
    }
    if (rc == WEIR_OK) {
        rc = weir_tags_check(request->tags, &err);
        mapping.tags = request->tags;
    }
    if (rc == WEIR_OK) {
        rc = weir_mappings_add(api->options.mappings, &mapping, &change->change, &err);
    }
    begun(change, &mapping, rc, &err);
}

static void update(struct weir_api *api, struct weir_http_request *http, struct weir_str uuid)
{
    struct request *request = NULL;
    struct weir_str message = { 0 };
    struct weir_err err = { 0 };
    struct weir_mapping_view view;
    struct weir_mapping mapping = { 0 };
    if (read_request(http, &request, &message) != WEIR_OK) {
        weir_lambda_refuse(api, http, WEIR_E_INVALID, message);
        return;
    }
    struct weir_lambda_change *change = weir_lambda_change_begin(api, http, answer_changed);
    enum weir_rc rc = weir_mappings_get(api->options.mappings, uuid, &view, &err);
    if (rc == WEIR_OK && (request->event_source.n > 0 || request->start.n > 0)) {
        rc = weir_fail(&err, WEIR_E_INVALID,
                "EventSourceArn and StartingPosition cannot be changed: make another mapping");
    }
    if (rc == WEIR_OK) {
        mapping = *view.mapping;
        rc = apply(api, http, request, &mapping, &err);
    }
    if (rc == WEIR_OK) {
        rc = weir_mappings_update(api->options.mappings, &mapping, &change->change, &err);
    }
    begun(change, &mapping, rc, &err);
}

static void delete_one(struct weir_api *api, struct weir_http_request *http, struct weir_str uuid)
{
    struct weir_err err = { 0 };
    struct weir_lambda_change *change = weir_lambda_change_begin(api, http, answer_changed);
    enum weir_rc rc = weir_mappings_delete(api->options.mappings, uuid, &change->change, &err);
    weir_lambda_change_begun(change, rc, weir_str_z(err.msg));
}

static void get(struct weir_api *api, struct weir_http_request *http, struct weir_str uuid)
{
    struct weir_mapping_view view;
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_mappings_get(api->options.mappings, uuid, &view, &err);
    if (rc == WEIR_OK) {
        answer_view(api, http, 200, &view);
    } else {
        weir_lambda_refuse(api, http, rc, weir_str_z(err.msg));
    }
}

/* A marker is the number of mappings that were looked at. */
static void list(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_str arn = weir_lambda_parameter(http, WEIR_STR("EventSourceArn"), &http->arena);
    struct weir_str named = weir_lambda_parameter(http, WEIR_STR("FunctionName"), &http->arena);
    struct weir_str marker = weir_lambda_parameter(http, WEIR_STR("Marker"), &http->arena);
    struct weir_str limit = weir_lambda_parameter(http, WEIR_STR("MaxItems"), &http->arena);
    struct weir_str function = { 0 };
    uint64_t next = 0;
    uint64_t most = PAGE_MAX;
    bool known = named.n == 0 || weir_lambda_is_latest(weir_lambda_name(named, &function));
    if ((marker.p != NULL && !weir_str_to_u64(marker, &next)) ||
            (limit.p != NULL && (!weir_str_to_u64(limit, &most) || most < 1))) {
        weir_lambda_refuse(api, http, WEIR_E_INVALID,
                WEIR_STR("Marker must be one that ListEventSourceMappings gave, and MaxItems a "
                         "number of at least 1"));
        return;
    }
    most = most < PAGE_MAX ? most : PAGE_MAX;
    struct weir_buf body;
    struct weir_mapping_view view;
    uint64_t count = 0;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    weir_buf_z(&body, "{\"EventSourceMappings\":[");
    bool more = known && weir_mappings_at(api->options.mappings, next, &view);
    for (; more && count < most; more = weir_mappings_at(api->options.mappings, ++next, &view)) {
        bool wanted = (arn.n == 0 || weir_str_eq(arn, view.mapping->source_arn)) &&
                      (named.n == 0 || weir_str_eq(function, view.mapping->function));
        if (wanted) {
            weir_buf_z(&body, count++ > 0 ? "," : "");
            write_view(api, &body, &view, &http->arena);
        }
    }
    weir_buf_byte(&body, ']');
    if (more) {
        weir_buf_printf(&body, ",\"NextMarker\":\"%llu\"", (unsigned long long)next);
    }
    weir_buf_byte(&body, '}');
    weir_lambda_respond(api, http, 200, NULL, &body);
    weir_buf_fini(&body);
}

/* --- dispatch ------------------------------------------------------------------------- */

bool weir_lambda_is_mapping(struct weir_str path)
{
    return weir_str_starts(path, root) && (path.n == root.n || path.p[root.n] == '/');
}

void weir_lambda_handle_mapping(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_str rest = weir_str(http->path.p + root.n, http->path.n - root.n);
    rest = rest.n > 0 ? weir_str(rest.p + 1, rest.n - 1) : rest;
    rest.n -= rest.n > 0 && rest.p[rest.n - 1] == '/' ? 1 : 0;
    struct weir_str uuid = weir_lambda_decode(&http->arena, rest);
    if (http->method == WEIR_HTTP_POST && uuid.n == 0) {
        create(api, http);
    } else if (http->method == WEIR_HTTP_GET && uuid.n == 0) {
        list(api, http);
    } else if (http->method == WEIR_HTTP_GET) {
        get(api, http, uuid);
    } else if (http->method == WEIR_HTTP_PUT && uuid.n > 0) {
        update(api, http, uuid);
    } else if (http->method == WEIR_HTTP_DELETE && uuid.n > 0) {
        delete_one(api, http, uuid);
    } else {
        weir_lambda_error(api, http, 400, "InvalidParameterValueException",
                WEIR_STR("event source mappings are made with POST, looked at with GET, changed "
                         "with PUT and deleted with DELETE"));
    }
}
