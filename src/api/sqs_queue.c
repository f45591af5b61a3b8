/* SQS's operations on queues themselves. */
#include <stdio.h>

#include "api/sqs_int.h"
#include "value/json.h"
#include "value/tag.h"

enum {
    LIST_MAX = 1000,
    ECHOED_MAX_BYTES = 8192, /* of a policy, in SQS */
    SECOND = WEIR_QUEUE_SECOND_MS,
};

/* --- attributes ------------------------------------------------------------------------ */

/* Attributes that are numbers: where they are kept, in which unit, and what they may be. */
static const struct {
    const char *name;
    size_t offset;
    uint64_t unit;
    uint64_t min;
    uint64_t max;
} numbers[] = {
    { "VisibilityTimeout", offsetof(struct weir_queue, visibility_ms), SECOND, 0,
            WEIR_QUEUE_VISIBILITY_MAX_MS },
    { "DelaySeconds", offsetof(struct weir_queue, delay_ms), SECOND, 0, WEIR_QUEUE_DELAY_MAX_MS },
    { "MessageRetentionPeriod", offsetof(struct weir_queue, retention_ms), SECOND,
            WEIR_QUEUE_RETENTION_MIN_MS, WEIR_QUEUE_RETENTION_MAX_MS },
    { "ReceiveMessageWaitTimeSeconds", offsetof(struct weir_queue, wait_ms), SECOND, 0,
            WEIR_QUEUE_WAIT_MAX_MS },
    { "MaximumMessageSize", offsetof(struct weir_queue, max_bytes), 1, 1024,
            WEIR_QUEUE_MESSAGE_MAX_BYTES },
};

/* Attributes that are checked, kept and shown, and mean nothing here. */
static const struct {
    const char *name;
    enum { ECHOED_TEXT, ECHOED_JSON, ECHOED_BOOL, ECHOED_SECONDS, ECHOED_LIMIT } form;
} echoed[] = {
    { "Policy", ECHOED_JSON },
    { "RedriveAllowPolicy", ECHOED_JSON },
    { "KmsMasterKeyId", ECHOED_TEXT },
    { "KmsDataKeyReusePeriodSeconds", ECHOED_SECONDS },
    { "SqsManagedSseEnabled", ECHOED_BOOL },
    { "FifoThroughputLimit", ECHOED_LIMIT },
};

static uint64_t *number_at(struct weir_queue *queue, size_t i)
{
    return (uint64_t *)(void *)((char *)queue + numbers[i].offset);
}

static enum weir_rc fail_value(struct weir_call *call, struct weir_str name, struct weir_err *err)
{
    return weir_sqs_fail(call, err, &weir_sqs_invalid_attribute_value,
            "Invalid value for the parameter %.*s.", WEIR_STR_ARG(name));
}

static enum weir_rc fail_name(struct weir_call *call, struct weir_str name, struct weir_err *err)
{
    return weir_sqs_fail(call, err, &weir_sqs_invalid_attribute_name, "Unknown Attribute %.*s.",
            WEIR_STR_ARG(name));
}

static enum weir_rc fail_redrive(
        struct weir_call *call, struct weir_str value, const char *why, struct weir_err *err)
{
    return weir_sqs_fail(call, err, &weir_sqs_invalid_value,
            "Value %.*s for parameter RedrivePolicy is invalid. Reason: %s", WEIR_STR_ARG(value),
            why);
}

/* The members of a redrive policy; false: it is no JSON object with both. */
static bool parse_redrive(struct weir_call *call, struct weir_str value, struct weir_str *ret_arn,
        uint64_t *ret_count)
{
    struct weir_json json;
    bool counted = false;
    weir_json_init(&json, value, call->arena, 4);
    if (weir_json_next(&json) != WEIR_JSON_OBJECT) {
        return false;
    }
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        bool arn = weir_str_eq(json.text, WEIR_STR("deadLetterTargetArn"));
        bool count = weir_str_eq(json.text, WEIR_STR("maxReceiveCount"));
        enum weir_json_token token = weir_json_next(&json);
        if (arn && token == WEIR_JSON_STRING) {
            *ret_arn = weir_arena_str(call->arena, json.text);
        } else if (count && (token == WEIR_JSON_NUMBER || token == WEIR_JSON_STRING)) {
            counted = weir_str_to_u64(json.text, ret_count);
        } else {
            return false;
        }
    }
    return json.err.code == WEIR_OK && weir_json_next(&json) == WEIR_JSON_END && counted &&
           ret_arn->n > 0;
}

static enum weir_rc read_redrive(struct weir_call *call, struct weir_str value,
        struct weir_queue *queue, struct weir_err *err)
{
    struct weir_str arn = { 0 };
    uint64_t count = 0;
    if (value.n == 0) {
        queue->dead_letters = WEIR_STR("");
        queue->max_receives = 0;
        return WEIR_OK;
    }
    if (!parse_redrive(call, value, &arn, &count)) {
        return fail_redrive(call, value,
                "Redrive policy is not a valid JSON map with deadLetterTargetArn and "
                "maxReceiveCount.",
                err);
    }
    if (count < 1 || count > WEIR_QUEUE_REDRIVE_MAX) {
        return fail_redrive(
                call, value, "Invalid value for maxReceiveCount: must be from 1 to 1000.", err);
    }
    const struct weir_queue *target = NULL;
    if (!weir_str_starts(arn, WEIR_STR("arn:")) ||
            weir_queues_get(call->api->options.queues, arn, &target, NULL) != WEIR_OK) {
        return fail_redrive(call, value, "Dead letter target does not exist.", err);
    }
    weir_call_hold_queue(call, target);
    if (target->fifo != queue->fifo) {
        return fail_redrive(
                call, value, "Dead-letter queue must be same type of queue as the source.", err);
    }
    queue->dead_letters = target->name;
    queue->max_receives = count;
    return WEIR_OK;
}

/* The item with one text more, or another one. */
static struct weir_item with_text(struct weir_arena *arena, struct weir_item texts,
        struct weir_str name, struct weir_str value)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    for (size_t i = 0; texts.n > 0 && i < weir_item_count(texts); i++) {
        struct weir_str key;
        struct weir_value old = weir_item_at(texts, i, &key);
        if (!weir_str_eq(key, name)) {
            weir_item_name(builder, key);
            weir_item_value(builder, old);
        }
    }
    if (value.p != NULL) {
        weir_item_name(builder, name);
        weir_item_s(builder, value);
    }
    struct weir_item item = texts;
    /* A few texts in a map have nothing that could be refused. */
    weir_assert(weir_item_finish(builder, &item, NULL) == WEIR_OK);
    return item;
}

static enum weir_rc read_bool(struct weir_call *call, struct weir_str name, struct weir_str value,
        bool *ret, struct weir_err *err)
{
    if (!weir_str_eq(value, WEIR_STR("true")) && !weir_str_eq(value, WEIR_STR("false"))) {
        return fail_value(call, name, err);
    }
    *ret = value.n == 4;
    return WEIR_OK;
}

/* Attributes of FIFO queues only. */
static enum weir_rc read_fifo(struct weir_call *call, struct weir_str name, struct weir_str value,
        struct weir_queue *queue, struct weir_err *err)
{
    bool flag = false;
    if (weir_str_eq(name, WEIR_STR("FifoQueue"))) {
        enum weir_rc rc = read_bool(call, name, value, &flag, err);
        return rc == WEIR_OK && !flag ? fail_name(call, name, err) : rc;
    }
    if (!queue->fifo) {
        return fail_name(call, name, err);
    }
    if (weir_str_eq(name, WEIR_STR("ContentBasedDeduplication"))) {
        return read_bool(call, name, value, &queue->dedup_by_content, err);
    }
    queue->dedup_by_group = weir_str_eq(value, WEIR_STR("messageGroup"));
    return queue->dedup_by_group || weir_str_eq(value, WEIR_STR("queue"))
                   ? WEIR_OK
                   : fail_value(call, name, err);
}

static bool is_json_object(struct weir_call *call, struct weir_str text)
{
    struct weir_json json;
    weir_json_init(&json, text, call->arena, WEIR_JSON_MAX_DEPTH);
    return weir_json_next(&json) == WEIR_JSON_OBJECT &&
           weir_json_skip(&json, WEIR_JSON_OBJECT, NULL) == WEIR_OK &&
           weir_json_next(&json) == WEIR_JSON_END;
}

/* One of `echoed`; an empty value takes it away. */
static enum weir_rc read_echoed(struct weir_call *call, size_t which, struct weir_str value,
        struct weir_queue *queue, struct weir_err *err)
{
    enum { REUSE_MIN = 60, REUSE_MAX = 86400 };
    struct weir_str name = weir_str_z(echoed[which].name);
    uint64_t seconds = 0;
    bool flag = false;
    bool right = value.n <= ECHOED_MAX_BYTES;
    if (echoed[which].form == ECHOED_LIMIT && !queue->fifo) {
        return fail_name(call, name, err);
    }
    switch (echoed[which].form) {
    case ECHOED_TEXT:
        break;
    case ECHOED_JSON:
        right = right && is_json_object(call, value);
        break;
    case ECHOED_BOOL:
        right = read_bool(call, name, value, &flag, NULL) == WEIR_OK;
        break;
    case ECHOED_SECONDS:
        right = weir_str_to_u64(value, &seconds) && seconds >= REUSE_MIN && seconds <= REUSE_MAX;
        break;
    case ECHOED_LIMIT:
        right = weir_str_eq(value, WEIR_STR("perQueue")) ||
                weir_str_eq(value, WEIR_STR("perMessageGroupId"));
        break;
    }
    if (value.n > 0 && !right) {
        return fail_value(call, name, err);
    }
    struct weir_str kept = value.n > 0 ? value : weir_str(NULL, 0);
    queue->echoed = with_text(call->arena, queue->echoed, name, kept);
    return WEIR_OK;
}

static enum weir_rc read_attribute(struct weir_call *call, struct weir_str name,
        struct weir_str value, struct weir_queue *queue, struct weir_err *err)
{
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        uint64_t number = 0;
        if (weir_str_eq(name, weir_str_z(numbers[i].name))) {
            bool right = weir_str_to_u64(value, &number) && number <= UINT32_MAX &&
                         number * numbers[i].unit >= numbers[i].min &&
                         number * numbers[i].unit <= numbers[i].max;
            if (right) {
                *number_at(queue, i) = number * numbers[i].unit;
            }
            return right ? WEIR_OK : fail_value(call, name, err);
        }
    }
    if (weir_str_eq(name, WEIR_STR("RedrivePolicy"))) {
        return read_redrive(call, value, queue, err);
    }
    if (weir_str_eq(name, WEIR_STR("FifoQueue")) ||
            weir_str_eq(name, WEIR_STR("ContentBasedDeduplication")) ||
            weir_str_eq(name, WEIR_STR("DeduplicationScope"))) {
        return read_fifo(call, name, value, queue, err);
    }
    for (size_t i = 0; i < WEIR_COUNT(echoed); i++) {
        if (weir_str_eq(name, weir_str_z(echoed[i].name))) {
            return read_echoed(call, i, value, queue, err);
        }
    }
    return fail_name(call, name, err);
}

enum weir_rc weir_sqs_read_attributes(struct weir_call *call, struct weir_item attributes,
        struct weir_queue *queue, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && attributes.n > 0 && i < weir_item_count(attributes); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(attributes, i, &name);
        rc = read_attribute(call, name, weir_value_str(value), queue, err);
    }
    return rc;
}

/* What is shown: a text for each attribute that the queue has. */
struct shown {
    struct weir_str name;
    struct weir_str value;
};

enum { SHOWN_MAX = 32 };

struct showing {
    struct weir_arena *arena;
    struct shown all[SHOWN_MAX];
    size_t count;
};

static void show(struct showing *showing, const char *name, struct weir_str value)
{
    weir_assert(showing->count < SHOWN_MAX);
    showing->all[showing->count++] = (struct shown){ weir_str_z(name), value };
}

static void show_number(struct showing *showing, const char *name, uint64_t number)
{
    show(showing, name, weir_arena_printf(showing->arena, "%llu", (unsigned long long)number));
}

static void show_definition(
        struct showing *showing, struct weir_call *call, const struct weir_queue *queue)
{
    struct weir_queue copy = *queue;
    show(showing, "QueueArn", queue->arn);
    show_number(showing, "CreatedTimestamp", (uint64_t)queue->created.ms / SECOND);
    show_number(showing, "LastModifiedTimestamp", (uint64_t)queue->modified.ms / SECOND);
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        show_number(showing, numbers[i].name, *number_at(&copy, i) / numbers[i].unit);
    }
    if (queue->dead_letters.n > 0) {
        size_t stem = queue->arn.n - queue->name.n;
        show(showing, "RedrivePolicy",
                weir_arena_printf(call->arena,
                        "{\"deadLetterTargetArn\":\"%.*s%.*s\",\"maxReceiveCount\":%llu}",
                        (int)stem, queue->arn.p, WEIR_STR_ARG(queue->dead_letters),
                        (unsigned long long)queue->max_receives));
    }
    if (queue->fifo) {
        show(showing, "FifoQueue", WEIR_STR("true"));
        show(showing, "ContentBasedDeduplication",
                queue->dedup_by_content ? WEIR_STR("true") : WEIR_STR("false"));
        show(showing, "DeduplicationScope",
                queue->dedup_by_group ? WEIR_STR("messageGroup") : WEIR_STR("queue"));
    }
    for (size_t i = 0; i < WEIR_COUNT(echoed); i++) {
        struct weir_value value = { 0 };
        if (queue->echoed.n > 0) {
            value = weir_item_get(queue->echoed, weir_str_z(echoed[i].name));
        }
        if (value.type != WEIR_TYPE_ABSENT) {
            show(showing, echoed[i].name, weir_value_str(value));
        } else if (echoed[i].form == ECHOED_LIMIT && queue->fifo) {
            show(showing, echoed[i].name, WEIR_STR("perQueue"));
        }
    }
}

/* Whether an attribute was asked for; or is known at all, when name is the one asked for. */
static bool is_known(struct weir_str name)
{
    static const char *const others[] = { "All", "QueueArn", "CreatedTimestamp",
        "LastModifiedTimestamp", "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
        "RedrivePolicy", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope" };
    for (size_t i = 0; i < WEIR_COUNT(others); i++) {
        if (weir_str_eq(name, weir_str_z(others[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        if (weir_str_eq(name, weir_str_z(numbers[i].name))) {
            return true;
        }
    }
    for (size_t i = 0; i < WEIR_COUNT(echoed); i++) {
        if (weir_str_eq(name, weir_str_z(echoed[i].name))) {
            return true;
        }
    }
    return false;
}

static bool is_asked(const struct weir_wire_list *names, struct weir_str name)
{
    for (size_t i = 0; i < names->count; i++) {
        struct weir_str one = *WEIR_WIRE_AT(*names, struct weir_str, i);
        if (weir_str_eq(one, WEIR_STR("All")) || weir_str_eq(one, name)) {
            return true;
        }
    }
    return false;
}

enum weir_rc weir_sqs_write_attributes(struct weir_call *call, const struct weir_queue *queue,
        const struct weir_wire_list *names, struct weir_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        struct weir_str name = *WEIR_WIRE_AT(*names, struct weir_str, i);
        if (!is_known(name)) {
            return fail_name(call, name, err);
        }
    }
    struct weir_queue_numbers counts;
    enum weir_rc rc = weir_queues_numbers(call->api->options.queues, queue, &counts, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct showing *showing = WEIR_ARENA_NEW(call->arena, struct showing);
    showing->arena = call->arena;
    show_definition(showing, call, queue);
    show_number(showing, "ApproximateNumberOfMessages", counts.visible);
    show_number(showing, "ApproximateNumberOfMessagesNotVisible", counts.hidden);
    show_number(showing, "ApproximateNumberOfMessagesDelayed", counts.delayed);
    const char *comma = "";
    weir_out_name(call->out, "Attributes");
    weir_buf_byte(call->out, '{');
    for (size_t i = 0; i < showing->count; i++) {
        if (is_asked(names, showing->all[i].name)) {
            weir_buf_z(call->out, comma);
            weir_json_write_string(call->out, showing->all[i].name);
            weir_buf_byte(call->out, ':');
            weir_json_write_string(call->out, showing->all[i].value);
            comma = ",";
        }
    }
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}

/* --- create, delete, find -------------------------------------------------------------------- */

static void write_url(struct weir_call *call, struct weir_str name)
{
    weir_buf_byte(call->out, '{');
    weir_out_text(call->out, "QueueUrl", weir_sqs_url(call, name));
    weir_buf_byte(call->out, '}');
}

static enum weir_rc committed(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    return call->current->rc;
}

static enum weir_rc created(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    const struct weir_sqs_create_request *asked = call->request;
    if (call->current->rc == WEIR_OK) {
        write_url(call, asked->name);
    }
    return call->current->rc;
}

/* Attributes of a queue that is there, which the request may leave out. */
static void fill_in(const struct weir_sqs_create_request *asked, const struct weir_queue *there,
        struct weir_queue *wanted)
{
    struct weir_item given = asked->attributes;
#define GIVEN(name) (given.n > 0 && weir_item_get(given, WEIR_STR(name)).type != WEIR_TYPE_ABSENT)
    for (size_t i = 0; i < WEIR_COUNT(numbers); i++) {
        struct weir_queue copy = *there;
        if (given.n == 0 ||
                weir_item_get(given, weir_str_z(numbers[i].name)).type == WEIR_TYPE_ABSENT) {
            *number_at(wanted, i) = *number_at(&copy, i);
        }
    }
    if (!GIVEN("RedrivePolicy")) {
        wanted->dead_letters = there->dead_letters;
        wanted->max_receives = there->max_receives;
    }
    if (!GIVEN("ContentBasedDeduplication")) {
        wanted->dedup_by_content = there->dedup_by_content;
    }
    if (!GIVEN("DeduplicationScope")) {
        wanted->dedup_by_group = there->dedup_by_group;
    }
#undef GIVEN
}

enum weir_rc weir_sqs_create_queue(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_create_request *asked = request;
    struct weir_queues *queues = call->api->options.queues;
    if (asked->name.n == 0) {
        return weir_sqs_fail(call, err, &weir_sqs_missing_parameter,
                "The request must contain the parameter QueueName.");
    }
    struct weir_queue wanted = weir_queue_defaults(asked->name);
    struct weir_str fifo =
            asked->attributes.n > 0
                    ? weir_value_str(weir_item_get(asked->attributes, WEIR_STR("FifoQueue")))
                    : WEIR_STR("");
    wanted.fifo = weir_str_eq(fifo, WEIR_STR("true"));
    enum weir_rc rc = weir_queue_check(&wanted, err);
    if (rc == WEIR_OK) {
        rc = weir_sqs_read_attributes(call, asked->attributes, &wanted, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_tags_check(asked->tags, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    wanted.tags = asked->tags;
    const struct weir_queue *there = NULL;
    if (weir_queues_get(queues, asked->name, &there, NULL) == WEIR_OK) {
        weir_call_hold_queue(call, there);
        fill_in(asked, there, &wanted);
    }
    weir_queues_create_queue(queues, call->txn, &wanted);
    weir_call_submit(call, call->txn, created);
    return WEIR_OK;
}

static enum weir_rc refuse_files(const struct weir_queue *queue, struct weir_err *err)
{
    return !queue->from_file ? WEIR_OK
                             : weir_fail(err, WEIR_E_INVALID,
                                       "Queue %.*s is defined in weir.yaml: change it there",
                                       WEIR_STR_ARG(queue->name));
}

enum weir_rc weir_sqs_delete_queue(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_queue_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = refuse_files(queue, err);
    }
    if (rc == WEIR_OK) {
        weir_queues_delete_queue(call->api->options.queues, call->txn, queue->name);
        weir_call_submit(call, call->txn, committed);
    }
    return rc;
}

enum weir_rc weir_sqs_purge_queue(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_queue_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        weir_queues_purge(call->api->options.queues, call->txn, queue->name);
        weir_call_submit(call, call->txn, committed);
    }
    return rc;
}

enum weir_rc weir_sqs_get_queue_url(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_url_request *asked = request;
    const struct weir_queue *queue = NULL;
    if (asked->name.n == 0) {
        return weir_sqs_fail(call, err, &weir_sqs_missing_parameter,
                "The request must contain the parameter QueueName.");
    }
    enum weir_rc rc = weir_sqs_queue(call, asked->name, &queue, err);
    if (rc == WEIR_OK) {
        write_url(call, queue->name);
    }
    return rc;
}

enum weir_rc weir_sqs_get_attributes(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_get_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_byte(call->out, '{');
    if (asked->names.count > 0) {
        rc = weir_sqs_write_attributes(call, queue, &asked->names, err);
    }
    weir_buf_byte(call->out, '}');
    return rc;
}

/* The change of SetQueueAttributes, on the commit thread: what was given, and nothing else. */
struct setting {
    struct weir_queue wanted;
    struct weir_item given;
};

static enum weir_rc set_now(
        struct weir_queue *queue, struct weir_arena *arena, void *arg, struct weir_err *err)
{
    const struct setting *setting = arg;
    struct weir_queue wanted = setting->wanted;
    (void)err;
    for (size_t i = 0; i < weir_item_count(setting->given); i++) {
        struct weir_str name;
        weir_item_at(setting->given, i, &name);
        for (size_t k = 0; k < WEIR_COUNT(numbers); k++) {
            if (weir_str_eq(name, weir_str_z(numbers[k].name))) {
                *number_at(queue, k) = *number_at(&wanted, k);
            }
        }
        if (weir_str_eq(name, WEIR_STR("RedrivePolicy"))) {
            queue->dead_letters = wanted.dead_letters;
            queue->max_receives = wanted.max_receives;
        } else if (weir_str_eq(name, WEIR_STR("ContentBasedDeduplication"))) {
            queue->dedup_by_content = wanted.dedup_by_content;
        } else if (weir_str_eq(name, WEIR_STR("DeduplicationScope"))) {
            queue->dedup_by_group = wanted.dedup_by_group;
        }
    }
    for (size_t i = 0; i < WEIR_COUNT(echoed); i++) {
        struct weir_str name = weir_str_z(echoed[i].name);
        struct weir_value value = weir_item_get(setting->given, name);
        if (value.type != WEIR_TYPE_ABSENT) {
            struct weir_str text = weir_value_str(value);
            queue->echoed =
                    with_text(arena, queue->echoed, name, text.n > 0 ? text : weir_str(NULL, 0));
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_sqs_set_attributes(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_set_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = refuse_files(queue, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct setting *setting = WEIR_ARENA_NEW(call->arena, struct setting);
    setting->wanted = *queue;
    setting->given = asked->attributes;
    if (asked->attributes.n == 0 || weir_item_count(asked->attributes) == 0) {
        return weir_sqs_fail(call, err, &weir_sqs_missing_parameter,
                "The request must contain the parameter Attribute.Name.");
    }
    rc = weir_sqs_read_attributes(call, asked->attributes, &setting->wanted, err);
    if (rc == WEIR_OK) {
        weir_queues_alter(call->api->options.queues, call->txn, queue->name, set_now, setting);
        weir_call_submit(call, call->txn, committed);
    }
    return rc;
}

/* --- lists ---------------------------------------------------------------------------------------
 */

static enum weir_rc read_page(struct weir_call *call, const struct weir_sqs_list_request *asked,
        size_t *ret_max, struct weir_str *ret_after, struct weir_err *err)
{
    *ret_max = asked->max.set ? (size_t)asked->max.value : LIST_MAX;
    *ret_after = WEIR_STR("");
    if (asked->max.set && (asked->max.value < 1 || asked->max.value > LIST_MAX)) {
        return weir_sqs_fail(call, err, &weir_sqs_invalid_value,
                "Value for parameter MaxResults is invalid. Reason: Must be between 1 and 1000.");
    }
    if (asked->token.n > 0 &&
            weir_base64_decode(call->arena, asked->token, false, ret_after, NULL) != WEIR_OK) {
        return weir_sqs_fail(
                call, err, &weir_sqs_invalid_value, "Value for parameter NextToken is invalid.");
    }
    return WEIR_OK;
}

/* Append the URLs of queues that fit, and a token when a page was asked for and there are more. */
static void write_page(struct weir_call *call, const struct weir_sqs_list_request *asked,
        const struct weir_queue *source_of, size_t max, struct weir_str after)
{
    struct weir_queues *queues = call->api->options.queues;
    struct weir_str prefix = asked->prefix;
    struct weir_str name = after;
    struct weir_str last = { 0 };
    size_t count = 0;
    bool more = false;
    while (!more && weir_queues_list(queues, name, prefix, call->arena, &name, 1) == 1) {
        const struct weir_queue *queue = NULL;
        bool fits = weir_queues_get(queues, name, &queue, NULL) == WEIR_OK &&
                    (source_of == NULL || weir_str_eq(queue->dead_letters, source_of->name));
        weir_queue_unref(queue);
        more = fits && count == max;
        if (fits && !more) {
            weir_buf_z(call->out, count++ > 0 ? "," : "");
            weir_json_write_string(call->out, weir_sqs_url(call, name));
            last = name;
        }
    }
    weir_buf_byte(call->out, ']');
    if (more && asked->max.set) {
        weir_out_name(call->out, "NextToken");
        weir_json_write_base64(call->out, last);
    }
}

enum weir_rc weir_sqs_list_queues(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_list_request *asked = request;
    size_t max = 0;
    struct weir_str after;
    enum weir_rc rc = read_page(call, asked, &max, &after, err);
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"QueueUrls\":[");
        write_page(call, asked, NULL, max, after);
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

enum weir_rc weir_sqs_list_sources(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_list_request *asked = request;
    const struct weir_queue *queue = NULL;
    size_t max = 0;
    struct weir_str after;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = read_page(call, asked, &max, &after, err);
    }
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"queueUrls\":[");
        write_page(call, asked, queue, max, after);
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

/* --- tags --------------------------------------------------------------------------------- */

static enum weir_rc tag_now(
        struct weir_queue *queue, struct weir_arena *arena, void *arg, struct weir_err *err)
{
    const struct weir_sqs_tag_request *asked = arg;
    return weir_tags_change(arena, queue->tags, asked->tags, asked->keys.items, asked->keys.count,
            &queue->tags, err);
}

static enum weir_rc change_tags(
        struct weir_call *call, struct weir_sqs_tag_request *asked, struct weir_err *err)
{
    const struct weir_queue *queue = NULL;
    if (asked->keys.count > WEIR_TAGS_MAX) {
        return weir_fail(
                err, WEIR_E_INVALID, "Too many tag keys: a queue has at most %d", WEIR_TAGS_MAX);
    }
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        weir_queues_alter(call->api->options.queues, call->txn, queue->name, tag_now, asked);
        weir_call_submit(call, call->txn, committed);
    }
    return rc;
}

enum weir_rc weir_sqs_tag_queue(struct weir_call *call, void *request, struct weir_err *err)
{
    struct weir_sqs_tag_request *asked = request;
    asked->keys.count = 0;
    return change_tags(call, asked, err);
}

enum weir_rc weir_sqs_untag_queue(struct weir_call *call, void *request, struct weir_err *err)
{
    struct weir_sqs_tag_request *asked = request;
    asked->tags.n = 0;
    return change_tags(call, asked, err);
}

enum weir_rc weir_sqs_list_tags(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_queue_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_z(call->out, "{\"Tags\":");
    weir_tags_write(call->out, queue->tags);
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}
