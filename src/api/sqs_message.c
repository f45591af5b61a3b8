/* SQS's operations on messages. */
#include <stdio.h>
#include <stdlib.h>

#include "api/sqs_int.h"
#include "base/hash.h"
#include "value/decimal.h"
#include "value/json.h"

enum {
    TYPE_MAX = 256,
    ENTRY_ID_MAX = 80,
    SECOND = WEIR_QUEUE_SECOND_MS,
};

/* One message's part in a request: alone, or one of a batch. */
struct part {
    struct weir_str id;
    enum weir_rc rc; /* of what was refused before the commit */
    struct weir_err err;
    const struct weir_sqs_fault *fault;
    bool added; /* to the transaction */
    struct weir_queue_send send;
    struct weir_queue_settle settle;
};

struct parts {
    struct part *all;
    size_t count;
    bool settles;
};

/* --- attributes of messages --------------------------------------------------------------- */

static void add_length(struct weir_buf *buf, size_t n)
{
    const char bytes[4] = { (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };
    weir_buf_add(buf, bytes, sizeof(bytes));
}

static void add_text(struct weir_buf *buf, struct weir_str text)
{
    add_length(buf, text.n);
    weir_buf_str(buf, text);
}

static bool is_binary(struct weir_str type)
{
    return weir_str_starts(type, WEIR_STR("Binary"));
}

/* Append the MD5 of attributes, which are in order of their names: SQS's own form of them. */
static void write_attributes_md5(struct weir_buf *out, const char *name,
        const struct weir_message_attribute *attributes, size_t count)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 2 * WEIR_QUEUE_MESSAGE_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        add_text(&buf, attributes[i].name);
        add_text(&buf, attributes[i].type);
        weir_buf_byte(&buf, is_binary(attributes[i].type) ? 2 : 1);
        add_text(&buf, attributes[i].value);
    }
    weir_sqs_write_md5(out, name, weir_buf_view(&buf));
    weir_buf_fini(&buf);
}

static int compare_attributes(const void *left, const void *right)
{
    const struct weir_message_attribute *a = left;
    const struct weir_message_attribute *b = right;
    return weir_str_cmp(a->name, b->name);
}

static bool is_type(struct weir_str type)
{
    static const char *const types[] = { "String", "Number", "Binary" };
    for (size_t i = 0; i < WEIR_COUNT(types); i++) {
        struct weir_str prefix = weir_str_z(types[i]);
        if (weir_str_starts(type, prefix) && (type.n == prefix.n || type.p[prefix.n] == '.') &&
                type.n <= TYPE_MAX) {
            return true;
        }
    }
    return false;
}

/* What the value of an attribute must be besides not empty. */
static enum weir_rc check_value(
        const struct weir_sqs_value *asked, struct weir_str value, struct weir_err *err)
{
    struct weir_decimal number;
    if (asked->texts.count + asked->binaries.count > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "Message attribute list values in SendMessage operation are not supported.");
    }
    if (value.n == 0 || (is_binary(asked->type) ? asked->text.n : asked->binary.n) > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "The message attribute '%.*s' must contain non-empty message attribute value for "
                "message attribute type '%.*s'%s.",
                WEIR_STR_ARG(asked->name), WEIR_STR_ARG(asked->type),
                value.n > 0 ? " and no other" : "");
    }
    if (weir_str_starts(asked->type, WEIR_STR("Number")) &&
            weir_decimal_parse(value, &number, NULL) != WEIR_OK) {
        return weir_fail(err, WEIR_E_INVALID,
                "Can't cast the value of message (user) attribute '%.*s' to a number.",
                WEIR_STR_ARG(asked->name));
    }
    return WEIR_OK;
}

static enum weir_rc read_attribute(struct weir_arena *arena, const struct weir_sqs_value *asked,
        struct weir_message_attribute *ret, struct weir_err *err)
{
    ret->name = asked->name;
    ret->type = asked->type;
    ret->value = asked->text;
    if (!weir_message_attribute_name_fits(asked->name)) {
        return weir_fail(err, WEIR_E_INVALID,
                "The message attribute name '%.*s' is invalid. Attribute name can contain A-Z, "
                "a-z, 0-9, underscore (_), hyphen (-), and period (.) characters. It does not "
                "begin "
                "with AWS. or Amazon., and periods stand alone, inside.",
                WEIR_STR_ARG(asked->name));
    }
    if (!is_type(asked->type)) {
        return weir_fail(err, WEIR_E_INVALID,
                "The message attribute '%.*s' has an invalid message attribute type, the set of "
                "supported type prefixes is Binary, Number, and String.",
                WEIR_STR_ARG(asked->name));
    }
    if (is_binary(asked->type) && asked->binary.p != NULL) {
        enum weir_rc rc = weir_base64_decode(arena, asked->binary, false, &ret->value, NULL);
        if (rc != WEIR_OK) {
            return weir_fail(err, WEIR_E_INVALID,
                    "The message attribute '%.*s' has a BinaryValue that is not base64.",
                    WEIR_STR_ARG(asked->name));
        }
    }
    return check_value(asked, ret->value, err);
}

static enum weir_rc read_attributes(struct weir_arena *arena, const struct weir_wire_list *asked,
        struct weir_message *message, struct weir_err *err)
{
    if (asked->count > WEIR_QUEUE_ATTRIBUTES_MAX) {
        return weir_fail(err, WEIR_E_INVALID,
                "Number of message attributes [%zu] exceeds the allowed maximum [%d].",
                asked->count, WEIR_QUEUE_ATTRIBUTES_MAX);
    }
    message->attributes =
            weir_arena_zero(arena, asked->count, sizeof(struct weir_message_attribute));
    message->attribute_count = asked->count;
    for (size_t i = 0; i < asked->count; i++) {
        const struct weir_sqs_value *value = WEIR_WIRE_AT(*asked, struct weir_sqs_value, i);
        enum weir_rc rc = read_attribute(arena, value, &message->attributes[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (asked->count > 1) {
        qsort(message->attributes, asked->count, sizeof(*message->attributes), compare_attributes);
    }
    for (size_t i = 1; i < asked->count; i++) {
        if (weir_str_eq(message->attributes[i - 1].name, message->attributes[i].name)) {
            return weir_fail(err, WEIR_E_INVALID, "Message attribute name [%.*s] already exists.",
                    WEIR_STR_ARG(message->attributes[i].name));
        }
    }
    return WEIR_OK;
}

/* --- batches --------------------------------------------------------------------------------- */

static bool is_entry_id(struct weir_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '-')) {
            return false;
        }
    }
    return id.n > 0 && id.n <= ENTRY_ID_MAX;
}

static enum weir_rc check_ids(
        struct weir_call *call, const struct parts *parts, struct weir_err *err)
{
    for (size_t i = 0; i < parts->count; i++) {
        struct weir_str id = parts->all[i].id;
        if (!is_entry_id(id)) {
            return weir_sqs_fail(call, err, &weir_sqs_invalid_id,
                    "A batch entry id can only contain alphanumeric characters, hyphens and "
                    "underscores. It can be at most 80 letters long.");
        }
        for (size_t k = 0; k < i; k++) {
            if (weir_str_eq(id, parts->all[k].id)) {
                return weir_sqs_fail(call, err, &weir_sqs_ids_not_distinct, "Id %.*s repeated.",
                        WEIR_STR_ARG(id));
            }
        }
    }
    return WEIR_OK;
}

static enum weir_rc begin_batch(struct weir_call *call, const struct weir_sqs_batch_request *asked,
        struct parts **ret_parts, struct weir_err *err)
{
    size_t count = asked->entries.count;
    if (count == 0) {
        (void)weir_sqs_fail(call, err, &weir_sqs_empty_batch,
                "There should be at least one %sRequestEntry in the request.",
                call->operation->name);
        return WEIR_E_INVALID;
    }
    if (count > WEIR_QUEUE_BATCH_MAX) {
        (void)weir_sqs_fail(call, err, &weir_sqs_too_many_entries,
                "Maximum number of entries per request are %d. You have sent %zu.",
                WEIR_QUEUE_BATCH_MAX, count);
        return WEIR_E_INVALID;
    }
    *ret_parts = WEIR_ARENA_NEW(call->arena, struct parts);
    (*ret_parts)->all = weir_arena_zero(call->arena, count, sizeof(struct part));
    (*ret_parts)->count = count;
    call->state = *ret_parts;
    return WEIR_OK;
}

/* What came of a part, before or in the commit. */
static enum weir_rc outcome_of(
        const struct parts *parts, const struct part *part, const struct weir_err **ret_err)
{
    if (!part->added) {
        *ret_err = &part->err;
        return part->rc;
    }
    *ret_err = parts->settles ? &part->settle.err : &part->send.err;
    return parts->settles ? part->settle.rc : part->send.rc;
}

/* A message alone: its fault is the request's. */
static enum weir_rc fail_alone(
        struct weir_call *call, const struct parts *parts, struct weir_err *err)
{
    const struct weir_err *own = NULL;
    enum weir_rc rc = outcome_of(parts, &parts->all[0], &own);
    if (rc != WEIR_OK) {
        *err = *own;
        call->fault = parts->all[0].fault;
    }
    return rc;
}

static void write_sent(
        struct weir_buf *out, const struct part *part, const struct weir_queue *queue)
{
    const struct weir_message *message = &part->send.message;
    weir_out_text(out, "MessageId", part->send.id);
    weir_sqs_write_md5(out, "MD5OfMessageBody", message->body);
    if (message->attribute_count > 0) {
        write_attributes_md5(
                out, "MD5OfMessageAttributes", message->attributes, message->attribute_count);
    }
    if (message->trace.n > 0) {
        struct weir_message_attribute trace = { WEIR_STR("AWSTraceHeader"), WEIR_STR("String"),
            message->trace };
        write_attributes_md5(out, "MD5OfMessageSystemAttributes", &trace, 1);
    }
    if (queue->fifo) {
        char number[32];
        int n = snprintf(
                number, sizeof(number), "%020llu", (unsigned long long)part->send.sequence);
        weir_out_text(out, "SequenceNumber", weir_str(number, (size_t)n));
    }
}

static void write_batch(struct weir_call *call, const struct parts *parts)
{
    struct weir_buf *out = call->out;
    size_t written = 0;
    weir_buf_z(out, "{\"Successful\":[");
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->all[i];
        const struct weir_err *own = NULL;
        if (outcome_of(parts, part, &own) != WEIR_OK) {
            continue;
        }
        weir_buf_z(out, written++ > 0 ? ",{" : "{");
        weir_out_text(out, "Id", part->id);
        if (!parts->settles) {
            write_sent(out, part, part->send.queue);
        }
        weir_buf_byte(out, '}');
    }
    weir_buf_z(out, "],\"Failed\":[");
    for (size_t i = 0, failed = 0; i < parts->count; i++) {
        const struct part *part = &parts->all[i];
        const struct weir_err *own = NULL;
        enum weir_rc rc = outcome_of(parts, part, &own);
        if (rc == WEIR_OK) {
            continue;
        }
        const struct weir_sqs_fault *fault =
                part->fault != NULL ? part->fault : weir_sqs_fault_of(rc);
        weir_buf_z(out, failed++ > 0 ? ",{" : "{");
        weir_out_text(out, "Id", part->id);
        weir_out_bool(out, "SenderFault", fault->status < 500);
        weir_out_text(out, "Code", weir_str_z(fault->code));
        weir_out_text(out, "Message", weir_str_z(own->msg));
        weir_buf_byte(out, '}');
    }
    weir_buf_z(out, "]}");
}

static enum weir_rc batch_committed(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    if (call->current->rc == WEIR_OK) {
        write_batch(call, call->state);
    }
    return call->current->rc;
}

/* Submit what was added; answer at once when that is nothing. */
static enum weir_rc submit_batch(struct weir_call *call, const struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->all[i].added) {
            weir_call_submit(call, call->txn, batch_committed);
            return WEIR_OK;
        }
    }
    write_batch(call, parts);
    return WEIR_OK;
}

/* --- sending -------------------------------------------------------------------------------------
 */

static enum weir_rc missing(struct part *part, const char *name)
{
    part->fault = &weir_sqs_missing_parameter;
    return weir_fail(
            &part->err, WEIR_E_INVALID, "The request must contain the parameter %s.", name);
}

static enum weir_rc fill_message(struct weir_call *call, const struct weir_queue *queue,
        const struct weir_sqs_send_request *asked, struct part *part)
{
    struct weir_queue_send *send = &part->send;
    struct weir_message *message = &send->message;
    if (asked->body.n == 0) {
        return missing(part, "MessageBody");
    }
    if (queue->fifo && asked->group.n == 0) {
        return missing(part, "MessageGroupId");
    }
    if (asked->delay.set && asked->delay.value < 0) {
        return weir_fail(&part->err, WEIR_E_INVALID,
                "Value %lld for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= "
                "0 and <= 900.",
                (long long)asked->delay.value);
    }
    send->queue = queue;
    send->has_delay = asked->delay.set;
    send->delay_ms = (uint64_t)asked->delay.value * SECOND;
    message->body = asked->body;
    message->group = asked->group;
    message->dedup = asked->dedup;
    message->sender = weir_queues_account(call->api->options.queues);
    for (size_t i = 0; i < asked->system_attributes.count; i++) {
        const struct weir_sqs_value *value =
                WEIR_WIRE_AT(asked->system_attributes, struct weir_sqs_value, i);
        if (!weir_str_eq(value->name, WEIR_STR("AWSTraceHeader")) ||
                !weir_str_eq(value->type, WEIR_STR("String")) || value->text.n == 0) {
            return weir_fail(&part->err, WEIR_E_INVALID,
                    "The message system attribute '%.*s' is invalid: there is AWSTraceHeader, of "
                    "type String.",
                    WEIR_STR_ARG(value->name));
        }
        message->trace = value->text;
    }
    return read_attributes(call->arena, &asked->attributes, message, &part->err);
}

static void add_send(struct weir_call *call, const struct weir_queue *queue,
        const struct weir_sqs_send_request *asked, struct part *part)
{
    part->rc = fill_message(call, queue, asked, part);
    if (part->rc == WEIR_OK) {
        part->rc = weir_queue_send(call->api->options.queues, &part->send, call->txn, &part->err);
    }
    part->added = part->rc == WEIR_OK;
}

static enum weir_rc sent(struct weir_call *call, struct weir_err *err)
{
    const struct parts *parts = call->state;
    if (call->current->rc != WEIR_OK) {
        return call->current->rc;
    }
    enum weir_rc rc = fail_alone(call, parts, err);
    if (rc == WEIR_OK) {
        weir_buf_byte(call->out, '{');
        write_sent(call->out, &parts->all[0], parts->all[0].send.queue);
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

static struct parts *one_part(struct weir_call *call)
{
    struct parts *parts = WEIR_ARENA_NEW(call->arena, struct parts);
    parts->all = WEIR_ARENA_NEW(call->arena, struct part);
    parts->count = 1;
    call->state = parts;
    return parts;
}

enum weir_rc weir_sqs_send_message(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_send_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct parts *parts = one_part(call);
    add_send(call, queue, asked, &parts->all[0]);
    if (!parts->all[0].added) {
        return fail_alone(call, parts, err);
    }
    weir_call_submit(call, call->txn, sent);
    return WEIR_OK;
}

enum weir_rc weir_sqs_send_batch(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_batch_request *asked = request;
    const struct weir_queue *queue = NULL;
    struct parts *parts = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = begin_batch(call, asked, &parts, err);
    }
    size_t bytes = 0;
    for (size_t i = 0; rc == WEIR_OK && i < parts->count; i++) {
        const struct weir_sqs_send_request *entry =
                WEIR_WIRE_AT(asked->entries, struct weir_sqs_send_request, i);
        parts->all[i].id = entry->id;
        bytes += entry->body.n;
        for (size_t k = 0; k < entry->attributes.count; k++) {
            const struct weir_sqs_value *value =
                    WEIR_WIRE_AT(entry->attributes, struct weir_sqs_value, k);
            bytes += value->name.n + value->type.n + value->text.n + value->binary.n / 4 * 3;
        }
    }
    if (rc == WEIR_OK) {
        rc = check_ids(call, parts, err);
    }
    if (rc == WEIR_OK && bytes > WEIR_QUEUE_MESSAGE_MAX_BYTES) {
        rc = weir_sqs_fail(call, err, &weir_sqs_batch_too_long,
                "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.",
                WEIR_QUEUE_MESSAGE_MAX_BYTES, bytes);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    for (size_t i = 0; i < parts->count; i++) {
        add_send(call, queue, WEIR_WIRE_AT(asked->entries, struct weir_sqs_send_request, i),
                &parts->all[i]);
    }
    return submit_batch(call, parts);
}

/* --- deleting, changing visibility
 * ------------------------------------------------------------------ */

static void add_settle(struct weir_call *call, const struct weir_queue *queue, bool keep,
        const struct weir_sqs_settle_request *asked, struct part *part)
{
    part->id = asked->id;
    part->settle.queue = queue;
    part->settle.receipt = asked->receipt;
    part->settle.keep = keep;
    part->settle.hide_ms = (uint64_t)asked->visibility.value * SECOND;
    int64_t seconds = asked->visibility.value;
    if (asked->receipt.n == 0) {
        part->rc = missing(part, "ReceiptHandle");
    } else if (keep && !asked->visibility.set) {
        part->rc = missing(part, "VisibilityTimeout");
    } else if (keep && (seconds < 0 || seconds > WEIR_QUEUE_VISIBILITY_MAX_MS / SECOND)) {
        part->rc = weir_fail(&part->err, WEIR_E_INVALID,
                "Value %lld for parameter VisibilityTimeout is invalid. Reason: Must be between 0 "
                "and 43200.",
                (long long)seconds);
    } else {
        part->rc =
                weir_queue_settle(call->api->options.queues, &part->settle, call->txn, &part->err);
    }
    part->added = part->rc == WEIR_OK;
}

static enum weir_rc settled(struct weir_call *call, struct weir_err *err)
{
    return call->current->rc == WEIR_OK ? fail_alone(call, call->state, err) : call->current->rc;
}

static enum weir_rc settle_one(
        struct weir_call *call, void *request, bool keep, struct weir_err *err)
{
    const struct weir_sqs_settle_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct parts *parts = one_part(call);
    parts->settles = true;
    add_settle(call, queue, keep, asked, &parts->all[0]);
    if (!parts->all[0].added) {
        return fail_alone(call, parts, err);
    }
    weir_call_submit(call, call->txn, settled);
    return WEIR_OK;
}

enum weir_rc weir_sqs_delete_message(struct weir_call *call, void *request, struct weir_err *err)
{
    return settle_one(call, request, false, err);
}

enum weir_rc weir_sqs_change_visibility(struct weir_call *call, void *request, struct weir_err *err)
{
    return settle_one(call, request, true, err);
}

static enum weir_rc settle_batch(
        struct weir_call *call, void *request, bool keep, struct weir_err *err)
{
    const struct weir_sqs_batch_request *asked = request;
    const struct weir_queue *queue = NULL;
    struct parts *parts = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = begin_batch(call, asked, &parts, err);
    }
    for (size_t i = 0; rc == WEIR_OK && i < parts->count; i++) {
        parts->all[i].id = WEIR_WIRE_AT(asked->entries, struct weir_sqs_settle_request, i)->id;
    }
    if (rc == WEIR_OK) {
        rc = check_ids(call, parts, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    parts->settles = true;
    for (size_t i = 0; i < parts->count; i++) {
        add_settle(call, queue, keep,
                WEIR_WIRE_AT(asked->entries, struct weir_sqs_settle_request, i), &parts->all[i]);
    }
    return submit_batch(call, parts);
}

enum weir_rc weir_sqs_delete_batch(struct weir_call *call, void *request, struct weir_err *err)
{
    return settle_batch(call, request, false, err);
}

enum weir_rc weir_sqs_change_batch(struct weir_call *call, void *request, struct weir_err *err)
{
    return settle_batch(call, request, true, err);
}

/* --- receiving
 * ----------------------------------------------------------------------------------------- */

static bool has_name(const struct weir_wire_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        struct weir_str one = *WEIR_WIRE_AT(*names, struct weir_str, i);
        if (weir_str_eq(one, WEIR_STR("All")) || weir_str_eq(one, weir_str_z(name))) {
            return true;
        }
    }
    return false;
}

/* Whether an attribute of a message is asked for: by name, "All", ".*" or "prefix.*". */
static bool wants_attribute(const struct weir_wire_list *names, struct weir_str name)
{
    for (size_t i = 0; i < names->count; i++) {
        struct weir_str one = *WEIR_WIRE_AT(*names, struct weir_str, i);
        bool all = one.n >= 2 && memcmp(one.p + one.n - 2, ".*", 2) == 0;
        if (weir_str_eq(one, name) || weir_str_eq(one, WEIR_STR("All")) ||
                (all && weir_str_starts(name, weir_str(one.p, one.n - 2)))) {
            return true;
        }
    }
    return false;
}

static void write_time(struct weir_buf *out, const char *name, struct weir_time time)
{
    weir_out_name(out, name);
    weir_buf_printf(out, "\"%lld\"", (long long)time.ms);
}

static void write_system(struct weir_buf *out, const struct weir_sqs_receive_request *asked,
        const struct weir_message *message, bool fifo)
{
#define WANTS(name) \
    (has_name(&asked->attribute_names, name) || has_name(&asked->system_names, name))
    const struct {
        const char *name;
        struct weir_str value;
    } texts[] = {
        { "SenderId", message->sender },
        { "MessageGroupId", message->group },
        { "MessageDeduplicationId", message->dedup },
        { "AWSTraceHeader", message->trace },
        { "DeadLetterQueueSourceArn", message->source },
    };
    size_t begin = out->n;
    weir_out_name(out, "Attributes");
    weir_buf_byte(out, '{');
    size_t empty = out->n;
    for (size_t i = 0; i < WEIR_COUNT(texts); i++) {
        if (texts[i].value.n > 0 && WANTS(texts[i].name)) {
            weir_out_text(out, texts[i].name, texts[i].value);
        }
    }
    if (WANTS("SentTimestamp")) {
        write_time(out, "SentTimestamp", message->sent);
    }
    if (WANTS("ApproximateReceiveCount")) {
        weir_out_name(out, "ApproximateReceiveCount");
        weir_buf_printf(out, "\"%u\"", message->receives);
    }
    if (WANTS("ApproximateFirstReceiveTimestamp")) {
        write_time(out, "ApproximateFirstReceiveTimestamp", message->first_received);
    }
    if (fifo && WANTS("SequenceNumber")) {
        weir_out_name(out, "SequenceNumber");
        weir_buf_printf(out, "\"%020llu\"", (unsigned long long)message->sequence);
    }
    if (out->n == empty) {
        out->n = begin;
    } else {
        weir_buf_byte(out, '}');
    }
#undef WANTS
}

static void write_attributes(struct weir_buf *out, const struct weir_sqs_receive_request *asked,
        const struct weir_message *message)
{
    struct weir_message_attribute chosen[WEIR_QUEUE_ATTRIBUTES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < message->attribute_count && count < WEIR_QUEUE_ATTRIBUTES_MAX; i++) {
        if (wants_attribute(&asked->message_names, message->attributes[i].name)) {
            chosen[count++] = message->attributes[i];
        }
    }
    if (count == 0) {
        return;
    }
    write_attributes_md5(out, "MD5OfMessageAttributes", chosen, count);
    weir_out_name(out, "MessageAttributes");
    weir_buf_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(out, i > 0 ? "," : "");
        weir_json_write_string(out, chosen[i].name);
        weir_buf_z(out, ":{");
        if (is_binary(chosen[i].type)) {
            weir_out_name(out, "BinaryValue");
            weir_json_write_base64(out, chosen[i].value);
        } else {
            weir_out_text(out, "StringValue", chosen[i].value);
        }
        weir_out_text(out, "DataType", chosen[i].type);
        weir_buf_byte(out, '}');
    }
    weir_buf_byte(out, '}');
}

/* A receive under way. In the call's arena. */
struct receiving {
    struct weir_receive receive;
    struct weir_call *call;
    bool fifo;
};

static void write_messages(struct weir_call *call, const struct receiving *receiving)
{
    const struct weir_sqs_receive_request *asked = call->request;
    struct weir_buf *out = call->out;
    weir_buf_byte(out, '{');
    for (size_t i = 0; i < receiving->receive.count; i++) {
        const struct weir_message *message = &receiving->receive.messages[i];
        weir_buf_z(out, i == 0 ? "\"Messages\":[{" : ",{");
        weir_out_text(out, "MessageId", message->id);
        weir_out_text(out, "ReceiptHandle", message->receipt);
        weir_sqs_write_md5(out, "MD5OfBody", message->body);
        weir_out_text(out, "Body", message->body);
        write_system(out, asked, message, receiving->fifo);
        write_attributes(out, asked, message);
        weir_buf_byte(out, '}');
    }
    weir_buf_z(out, receiving->receive.count > 0 ? "]}" : "}");
}

static void received(struct weir_receive *receive)
{
    struct receiving *receiving = WEIR_CONTAINER(receive, struct receiving, receive);
    struct weir_call *call = receiving->call;
    weir_call_resume(call);
    if (receive->rc == WEIR_OK && call->http != NULL) {
        write_messages(call, receiving);
    }
    struct weir_err err = receive->err;
    enum weir_rc rc = receive->rc;
    weir_receive_fini(receive);
    weir_call_end(call, rc, &err);
}

static void client_gone(struct weir_http_request *request)
{
    struct weir_call *call = request->owner;
    struct receiving *receiving = call->state;
    call->http = NULL;
    if (weir_queues_cancel(call->api->options.queues, &receiving->receive)) {
        struct weir_err err = { 0 };
        weir_call_resume(call);
        weir_call_end(call, WEIR_E_CLOSED, &err);
    }
}

/* The names of MessageSystemAttributeNames. */
static enum weir_rc check_system_names(
        struct weir_call *call, const struct weir_wire_list *names, struct weir_err *err)
{
    static const char *const known[] = { "All", "SenderId", "SentTimestamp",
        "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber",
        "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn" };
    for (size_t i = 0; i < names->count; i++) {
        struct weir_str name = *WEIR_WIRE_AT(*names, struct weir_str, i);
        size_t k = 0;
        while (k < WEIR_COUNT(known) && !weir_str_eq(name, weir_str_z(known[k]))) {
            k++;
        }
        if (k == WEIR_COUNT(known)) {
            return weir_sqs_fail(call, err, &weir_sqs_invalid_attribute_name,
                    "Unknown Attribute %.*s.", WEIR_STR_ARG(name));
        }
    }
    return WEIR_OK;
}

static enum weir_rc check_range(struct weir_call *call, const char *name,
        struct weir_wire_number number, int64_t min, int64_t max, struct weir_err *err)
{
    if (!number.set || (number.value >= min && number.value <= max)) {
        return WEIR_OK;
    }
    return weir_sqs_fail(call, err, &weir_sqs_invalid_value,
            "Value %lld for parameter %s is invalid. Reason: Must be between %lld and %lld, if "
            "provided.",
            (long long)number.value, name, (long long)min, (long long)max);
}

enum weir_rc weir_sqs_receive_message(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_sqs_receive_request *asked = request;
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_sqs_queue(call, asked->url, &queue, err);
    if (rc == WEIR_OK) {
        rc = check_system_names(call, &asked->system_names, err);
    }
    if (rc == WEIR_OK) {
        rc = check_range(call, "MaxNumberOfMessages", asked->max, 1, WEIR_QUEUE_BATCH_MAX, err);
    }
    if (rc == WEIR_OK) {
        rc = check_range(call, "VisibilityTimeout", asked->visibility, 0,
                WEIR_QUEUE_VISIBILITY_MAX_MS / SECOND, err);
    }
    if (rc == WEIR_OK) {
        rc = check_range(
                call, "WaitTimeSeconds", asked->wait, 0, WEIR_QUEUE_WAIT_MAX_MS / SECOND, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct receiving *receiving = WEIR_ARENA_NEW(call->arena, struct receiving);
    struct weir_receive *receive = &receiving->receive;
    receiving->call = call;
    receiving->fifo = queue->fifo;
    receive->max = asked->max.set ? (size_t)asked->max.value : 1;
    receive->has_hide = asked->visibility.set;
    receive->hide_ms = (uint64_t)asked->visibility.value * SECOND;
    receive->has_wait = asked->wait.set;
    receive->wait_ms = (uint64_t)asked->wait.value * SECOND;
    receive->done = received;
    call->state = receiving;
    weir_call_park(call, client_gone);
    weir_queues_receive(call->api->options.queues, queue, receive);
    return WEIR_OK;
}
