/* Steps that call weir as its clients do: writes, messages, any call. */
#include "base/mem.h"
#include "scenario/scenario_int.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { BODY_MAX_BYTES = 16 * 1024 * 1024, OPERATION_BYTES = 128 };

/* --- calls and their answers -------------------------------------------------------------- */

/* The name of an error, without the service in front of it; empty: the answer is none. */
static struct weir_str error_name(struct weir_str type)
{
    for (size_t i = type.n; i > 0; i--) {
        if (type.p[i - 1] == '#') {
            return weir_str(type.p + i, type.n - i);
        }
    }
    return type;
}

static struct weir_str error_message(struct weir_item answer)
{
    struct weir_value message = weir_item_get(answer, WEIR_STR("message"));
    if (message.type == WEIR_TYPE_ABSENT) {
        message = weir_item_get(answer, WEIR_STR("Message"));
    }
    return weir_value_str(message);
}

/* Call, and see that it was answered as it was expected: with this error, or with none. */
static bool call(struct script_run *run, const struct script_step *step, struct weir_str target,
        struct weir_str body, struct weir_str wanted_error, struct weir_str *ret_answer)
{
    struct weir_world_answer answer = { 0 };
    struct weir_err err;
    if (weir_world_call(run->world, target, body, &run->arena, &answer, &err) != WEIR_OK) {
        return weir_script_fail(run, step->node, "%s", err.msg);
    }
    *ret_answer = answer.body;
    bool good = answer.status >= 200 && answer.status < 300;
    if (good && wanted_error.n == 0) {
        return true;
    }
    if (good) {
        return weir_script_fail(run, weir_conf_get(step->node, "error"),
                "the error %.*s was expected, but there was none", WEIR_STR_ARG(wanted_error));
    }
    struct weir_item said = weir_script_parse(&run->arena, answer.body);
    struct weir_str type = weir_value_str(weir_item_get(said, WEIR_STR("__type")));
    struct weir_str name = answer.error.n > 0 ? answer.error : error_name(type);
    struct weir_str message = error_message(said);
    if (wanted_error.n == 0) {
        return weir_script_fail(run, step->node, "it was refused: %.*s: %.*s", WEIR_STR_ARG(name),
                WEIR_STR_ARG(message));
    }
    if (!weir_str_eq(wanted_error, name)) {
        return weir_script_fail(run, weir_conf_get(step->node, "error"),
                "the error %.*s was expected, there was %.*s: %.*s", WEIR_STR_ARG(wanted_error),
                WEIR_STR_ARG(name), WEIR_STR_ARG(message));
    }
    return true;
}

static void write_name(struct weir_buf *body, const char *name)
{
    weir_buf_z(body, body->n > 1 ? ",\"" : "\"");
    weir_buf_z(body, name);
    weir_buf_z(body, "\":");
}

static void write_text(struct weir_buf *body, const char *name, struct weir_str text)
{
    if (text.n > 0) {
        write_name(body, name);
        weir_json_write_string(body, text);
    }
}

/* End a body, call, and free it. */
static bool call_body(struct script_run *run, const struct script_step *step, const char *target,
        struct weir_buf *body, struct weir_str wanted_error)
{
    struct weir_str answer;
    weir_buf_byte(body, '}');
    bool good = call(run, step, weir_str_z(target), weir_buf_view(body), wanted_error, &answer);
    weir_buf_fini(body);
    return good;
}

/* --- put, update, delete ---------------------------------------------------------------------- */

struct write_step {
    struct weir_str table;
    const struct weir_conf *item_node;
    const struct weir_conf *key_node;
    struct weir_item item; /* or the key */
    struct weir_str update;
    struct weir_str condition;
    const struct weir_conf *names_node;
    const struct weir_conf *values_node;
    struct weir_item values;
    struct weir_str error;
};

#define WRITE_OPTIONS                                                                        \
    { "condition", "", "a condition expression", WEIR_OPTION_STRING,                         \
        offsetof(struct write_step, condition), 0, 0 },                                      \
            { "names", "", "expression attribute names", WEIR_OPTION_NODE,                   \
                offsetof(struct write_step, names_node), 0, 0 },                             \
            { "values", "", "expression attribute values, plain or typed", WEIR_OPTION_NODE, \
                offsetof(struct write_step, values_node), 0, 0 },                            \
            { "error", "", "the error that is expected, as ConditionalCheckFailedException", \
                WEIR_OPTION_STRING, offsetof(struct write_step, error), 0, 0 },              \
    {                                                                                        \
        0                                                                                    \
    }

static const struct weir_option put_options[] = {
    { "table", NULL, "its name", WEIR_OPTION_STRING, offsetof(struct write_step, table), 0, 0 },
    { "item", NULL, "the item, plain or as DynamoDB JSON", WEIR_OPTION_NODE,
            offsetof(struct write_step, item_node), 0, 0 },
    WRITE_OPTIONS,
};

static const struct weir_option delete_options[] = {
    { "table", NULL, "its name", WEIR_OPTION_STRING, offsetof(struct write_step, table), 0, 0 },
    { "key", NULL, "the item's key attributes", WEIR_OPTION_NODE,
            offsetof(struct write_step, key_node), 0, 0 },
    WRITE_OPTIONS,
};

static const struct weir_option update_options[] = {
    { "table", NULL, "its name", WEIR_OPTION_STRING, offsetof(struct write_step, table), 0, 0 },
    { "key", NULL, "the item's key attributes", WEIR_OPTION_NODE,
            offsetof(struct write_step, key_node), 0, 0 },
    { "set", NULL, "an update expression, as `SET n = :n`", WEIR_OPTION_STRING,
            offsetof(struct write_step, update), 0, 0 },
    WRITE_OPTIONS,
};

static bool read_write(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct write_step *write = fields;
    (void)node;
    const struct weir_conf *item = write->item_node != NULL ? write->item_node : write->key_node;
    bool good = weir_script_item(reader, item, &write->item);
    if (write->values_node != NULL) {
        good = weir_script_item(reader, write->values_node, &write->values) && good;
    }
    return good;
}

static bool run_write(struct script_run *run, const struct script_step *step, const char *target,
        const char *item_name)
{
    const struct write_step *write = step->fields;
    struct weir_buf body;
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_byte(&body, '{');
    write_text(&body, "TableName", write->table);
    write_name(&body, item_name);
    weir_ddbjson_write_item(&body, write->item);
    write_text(&body, "UpdateExpression", write->update);
    write_text(&body, "ConditionExpression", write->condition);
    if (write->names_node != NULL) {
        write_name(&body, "ExpressionAttributeNames");
        weir_conf_write_json(&body, write->names_node);
    }
    if (write->values_node != NULL) {
        write_name(&body, "ExpressionAttributeValues");
        weir_ddbjson_write_item(&body, write->values);
    }
    return call_body(run, step, target, &body, write->error);
}

static bool run_put(struct script_run *run, const struct script_step *step)
{
    return run_write(run, step, "DynamoDB_20120810.PutItem", "Item");
}

static bool run_update(struct script_run *run, const struct script_step *step)
{
    return run_write(run, step, "DynamoDB_20120810.UpdateItem", "Key");
}

static bool run_delete(struct script_run *run, const struct script_step *step)
{
    return run_write(run, step, "DynamoDB_20120810.DeleteItem", "Key");
}

const struct script_kind script_kind_put = {
    .name = "put",
    .help = "Put an item, as PutItem does",
    .options = put_options,
    .size = sizeof(struct write_step),
    .read = read_write,
    .run = run_put,
};

const struct script_kind script_kind_update = {
    .name = "update",
    .help = "Update an item, as UpdateItem does",
    .options = update_options,
    .size = sizeof(struct write_step),
    .read = read_write,
    .run = run_update,
};

const struct script_kind script_kind_delete = {
    .name = "delete",
    .help = "Delete an item, as DeleteItem does",
    .options = delete_options,
    .size = sizeof(struct write_step),
    .read = read_write,
    .run = run_delete,
};

/* --- send ------------------------------------------------------------------------------------- */

struct send_step {
    struct weir_str queue;
    const struct weir_conf *body;
    struct weir_str group;
    struct weir_str dedup;
    uint64_t delay_ms;
    const struct weir_conf *attributes;
    struct weir_str error;
};

static const struct weir_option send_options[] = {
    { "queue", NULL, "its name", WEIR_OPTION_STRING, offsetof(struct send_step, queue), 0, 0 },
    { "body", NULL, "the message: a text, or a map or list that is sent as JSON", WEIR_OPTION_NODE,
            offsetof(struct send_step, body), 0, 0 },
    { "group", "", "message group, of a FIFO queue", WEIR_OPTION_STRING,
            offsetof(struct send_step, group), 0, 0 },
    { "dedup", "", "de-duplication id, of a FIFO queue", WEIR_OPTION_STRING,
            offsetof(struct send_step, dedup), 0, 0 },
    { "delay", "", "how long it stays hidden", WEIR_OPTION_DURATION,
            offsetof(struct send_step, delay_ms), 0, 0 },
    { "attributes", "", "message attributes: texts by name", WEIR_OPTION_NODE,
            offsetof(struct send_step, attributes), 0, 0 },
    { "error", "", "the error that is expected", WEIR_OPTION_STRING,
            offsetof(struct send_step, error), 0, 0 },
    { 0 },
};

static bool read_send(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    const struct send_step *send = fields;
    (void)node;
    if (send->attributes == NULL) {
        return true;
    }
    bool good = send->attributes->kind == WEIR_CONF_MAP;
    for (size_t i = 0; good && i < send->attributes->count; i++) {
        good = send->attributes->items[i].kind == WEIR_CONF_SCALAR;
    }
    if (!good) {
        weir_conf_error(
                reader->diagnostics, send->attributes, "a map of texts by name is expected");
    }
    return good;
}

static void write_attributes(struct weir_buf *body, const struct weir_conf *attributes)
{
    write_name(body, "MessageAttributes");
    weir_buf_byte(body, '{');
    for (size_t i = 0; i < attributes->count; i++) {
        weir_buf_z(body, i > 0 ? "," : "");
        weir_json_write_string(body, attributes->names[i].text);
        weir_buf_z(body, ":{\"DataType\":\"String\",\"StringValue\":");
        weir_json_write_string(body, attributes->items[i].text);
        weir_buf_byte(body, '}');
    }
    weir_buf_byte(body, '}');
}

static bool run_send(struct script_run *run, const struct script_step *step)
{
    const struct send_step *send = step->fields;
    bool text = send->body->kind == WEIR_CONF_SCALAR;
    struct weir_buf body;
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_byte(&body, '{');
    write_text(&body, "QueueUrl", send->queue);
    write_name(&body, "MessageBody");
    weir_json_write_string(
            &body, text ? send->body->text : weir_script_json(&run->arena, send->body));
    write_text(&body, "MessageGroupId", send->group);
    write_text(&body, "MessageDeduplicationId", send->dedup);
    if (send->delay_ms > 0) {
        write_name(&body, "DelaySeconds");
        weir_buf_printf(&body, "%llu", (unsigned long long)(send->delay_ms / 1000));
    }
    if (send->attributes != NULL) {
        write_attributes(&body, send->attributes);
    }
    return call_body(run, step, "AmazonSQS.SendMessage", &body, send->error);
}

const struct script_kind script_kind_send = {
    .name = "send",
    .help = "Send a message to a queue, as SendMessage does",
    .options = send_options,
    .size = sizeof(struct send_step),
    .read = read_send,
    .run = run_send,
};

/* --- call ---------------------------------------------------------------------------------------
 */

struct call_step {
    struct weir_str operation;
    const struct weir_conf *with;
    const struct weir_conf *answer;
    struct weir_item wanted; /* the answer */
    struct weir_str error;
};

static const struct weir_option call_options[] = {
    { "operation", NULL,
            "SERVICE.OPERATION, as SQS.ReceiveMessage; services are DynamoDB, "
            "DynamoDBStreams, SQS, Scheduler and Lambda",
            WEIR_OPTION_STRING, offsetof(struct call_step, operation), 0, 0 },
    { "with", "", "the request, as in AWS's API", WEIR_OPTION_NODE,
            offsetof(struct call_step, with), 0, 0 },
    { "answer", "", "what is expected of the answer; it may have more", WEIR_OPTION_NODE,
            offsetof(struct call_step, answer), 0, 0 },
    { "error", "", "the error that is expected", WEIR_OPTION_STRING,
            offsetof(struct call_step, error), 0, 0 },
    { 0 },
};

static const struct {
    struct weir_str service; /* as people write it, with its point */
    const char *target;
} services[] = {
    { { "DynamoDB.", 9 }, "DynamoDB_20120810." },
    { { "DynamoDBStreams.", 16 }, "DynamoDBStreams_20120810." },
    { { "SQS.", 4 }, "AmazonSQS." },
    { { "Scheduler.", 10 }, "Scheduler." },
    { { "Lambda.", 7 }, "Lambda." },
};

static bool read_call(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct call_step *step = fields;
    if (step->answer != NULL) {
        struct weir_conf answer = *step->answer;
        /* An answer is JSON as it stands: {"Item": {"id": {"S": "a"}}} is no item of DynamoDB. */
        step->wanted = weir_script_parse(reader->arena, weir_script_json(reader->arena, &answer));
        if (answer.kind != WEIR_CONF_MAP) {
            weir_conf_error(reader->diagnostics, step->answer, "a map is expected");
            return false;
        }
    }
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        if (weir_str_starts(step->operation, services[i].service)) {
            return true;
        }
    }
    weir_conf_error(reader->diagnostics, weir_conf_get(node, "operation"),
            "an operation is SERVICE.OPERATION, and the services are DynamoDB, DynamoDBStreams, "
            "SQS, Scheduler and Lambda");
    return false;
}

static struct weir_str target_of(struct weir_arena *arena, struct weir_str operation)
{
    for (size_t i = 0; i < WEIR_COUNT(services); i++) {
        struct weir_str service = services[i].service;
        if (weir_str_starts(operation, service)) {
            struct weir_str name = weir_str(operation.p + service.n, operation.n - service.n);
            return weir_arena_printf(arena, "%s%.*s", services[i].target, WEIR_STR_ARG(name));
        }
    }
    return operation;
}

static bool run_call(struct script_run *run, const struct script_step *step)
{
    const struct call_step *fields = step->fields;
    struct weir_str body =
            fields->with != NULL ? weir_script_json(&run->arena, fields->with) : WEIR_STR("{}");
    struct weir_str answer = { 0 };
    if (!call(run, step, target_of(&run->arena, fields->operation), body, fields->error, &answer)) {
        return false;
    }
    struct weir_item said = weir_script_parse(&run->arena, answer);
    struct weir_value wanted = weir_item_as_value(fields->wanted);
    struct weir_value there = weir_item_as_value(said);
    if (fields->answer != NULL && !weir_compare_value(wanted, there, false, "", &run->details)) {
        return weir_script_fail(run, fields->answer, "the answer is not as expected");
    }
    return true;
}

const struct script_kind script_kind_call = {
    .name = "call",
    .help = "Call any operation of weir's AWS APIs",
    .options = call_options,
    .size = sizeof(struct call_step),
    .read = read_call,
    .run = run_call,
};
