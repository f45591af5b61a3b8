/* SQS's operations, its errors and how its answers look. */
#include <stdarg.h>
#include <stdio.h>

#include "api/sqs_int.h"
#include "base/hash.h"
#include "value/json.h"

const struct weir_operation weir_sqs_operations[] = {
    { "CreateQueue", &weir_sqs_create_shape, weir_sqs_create_queue, .writes = true },
    { "DeleteQueue", &weir_sqs_queue_shape, weir_sqs_delete_queue, .writes = true },
    { "GetQueueUrl", &weir_sqs_url_shape, weir_sqs_get_queue_url },
    { "GetQueueAttributes", &weir_sqs_get_shape, weir_sqs_get_attributes },
    { "SetQueueAttributes", &weir_sqs_set_shape, weir_sqs_set_attributes, .writes = true },
    { "ListQueues", &weir_sqs_list_shape, weir_sqs_list_queues },
    { "ListDeadLetterSourceQueues", &weir_sqs_list_shape, weir_sqs_list_sources },
    { "PurgeQueue", &weir_sqs_queue_shape, weir_sqs_purge_queue, .writes = true },
    { "TagQueue", &weir_sqs_tag_shape, weir_sqs_tag_queue, .writes = true },
    { "UntagQueue", &weir_sqs_tag_shape, weir_sqs_untag_queue, .writes = true },
    { "ListQueueTags", &weir_sqs_queue_shape, weir_sqs_list_tags },
    { "SendMessage", &weir_sqs_send_shape, weir_sqs_send_message, .writes = true },
    { "SendMessageBatch", &weir_sqs_send_batch_shape, weir_sqs_send_batch, .writes = true },
    { "ReceiveMessage", &weir_sqs_receive_shape, weir_sqs_receive_message, .writes = true },
    { "DeleteMessage", &weir_sqs_settle_shape, weir_sqs_delete_message, .writes = true },
    { "DeleteMessageBatch", &weir_sqs_settle_batch_shape, weir_sqs_delete_batch, .writes = true },
    { "ChangeMessageVisibility", &weir_sqs_settle_shape, weir_sqs_change_visibility,
            .writes = true },
    { "ChangeMessageVisibilityBatch", &weir_sqs_settle_batch_shape, weir_sqs_change_batch,
            .writes = true },
    { .name = "AddPermission" },
    { .name = "RemovePermission" },
    { .name = "StartMessageMoveTask" },
    { .name = "CancelMessageMoveTask" },
    { .name = "ListMessageMoveTasks" },
    { .name = NULL },
};

/* --- errors ---------------------------------------------------------------------------- */

#define CORAL  "com.amazon.coral.service#"
#define SQS    "com.amazonaws.sqs#"
#define SIMPLE "AWS.SimpleQueueService."

const struct weir_sqs_fault weir_sqs_invalid_value = { CORAL "InvalidParameterValueException",
    "InvalidParameterValue", 400 };
const struct weir_sqs_fault weir_sqs_missing_parameter = {
    CORAL "MissingRequiredParameterException", "MissingParameter", 400
};
const struct weir_sqs_fault weir_sqs_invalid_attribute_name = { SQS "InvalidAttributeName",
    "InvalidAttributeName", 400 };
const struct weir_sqs_fault weir_sqs_invalid_attribute_value = { SQS "InvalidAttributeValue",
    "InvalidAttributeValue", 400 };
const struct weir_sqs_fault weir_sqs_empty_batch = { SQS "EmptyBatchRequest",
    SIMPLE "EmptyBatchRequest", 400 };
const struct weir_sqs_fault weir_sqs_too_many_entries = { SQS "TooManyEntriesInBatchRequest",
    SIMPLE "TooManyEntriesInBatchRequest", 400 };
const struct weir_sqs_fault weir_sqs_ids_not_distinct = { SQS "BatchEntryIdsNotDistinct",
    SIMPLE "BatchEntryIdsNotDistinct", 400 };
const struct weir_sqs_fault weir_sqs_invalid_id = { SQS "InvalidBatchEntryId",
    SIMPLE "InvalidBatchEntryId", 400 };
const struct weir_sqs_fault weir_sqs_batch_too_long = { SQS "BatchRequestTooLong",
    SIMPLE "BatchRequestTooLong", 400 };

const struct weir_sqs_fault *weir_sqs_fault_of(enum weir_rc rc)
{
    static const struct {
        enum weir_rc rc;
        struct weir_sqs_fault fault;
    } faults[] = {
        { WEIR_E_INVALID,
                { CORAL "InvalidParameterValueException", "InvalidParameterValue", 400 } },
        { WEIR_E_TOO_LARGE,
                { CORAL "InvalidParameterValueException", "InvalidParameterValue", 400 } },
        { WEIR_E_NOT_FOUND, { SQS "QueueDoesNotExist", SIMPLE "NonExistentQueue", 400 } },
        { WEIR_E_EXISTS, { SQS "QueueNameExists", "QueueAlreadyExists", 400 } },
        { WEIR_E_CONDITION, { SQS "MessageNotInflight", SIMPLE "MessageNotInflight", 400 } },
        { WEIR_E_DENIED, { SQS "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404 } },
        { WEIR_E_UNSUPPORTED, { SQS "InvalidMessageContents", "InvalidMessageContents", 400 } },
        { WEIR_E_LIMIT, { SQS "OverLimit", "OverLimit", 403 } },
        { WEIR_E_BUSY, { SQS "RequestThrottled", "RequestThrottled", 403 } },
        { WEIR_E_CLOSED, { CORAL "ServiceUnavailableException", "ServiceUnavailable", 503 } },
    };
    static const struct weir_sqs_fault internal = { CORAL "InternalFailure", "InternalFailure",
        500 };
    for (size_t i = 0; i < WEIR_COUNT(faults); i++) {
        if (faults[i].rc == rc) {
            return &faults[i].fault;
        }
    }
    return &internal;
}

enum weir_rc weir_sqs_fail(struct weir_call *call, struct weir_err *err,
        const struct weir_sqs_fault *fault, const char *fmt, ...)
{
    char text[sizeof(err->msg)];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    call->fault = fault;
    return weir_fail(err, WEIR_E_INVALID, "%s", text);
}

/* --- answers ----------------------------------------------------------------------------- */

static void send_xml(struct weir_call *call, int status, struct weir_str id, struct weir_buf *body)
{
    const struct weir_http_header headers[] = {
        { WEIR_STR("Content-Type"), WEIR_STR("text/xml") },
        { WEIR_STR("x-amzn-RequestId"), id },
    };
    weir_http_respond(call->http, status, headers, WEIR_COUNT(headers), weir_buf_view(body));
}

static void write_escaped(struct weir_buf *out, struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        weir_buf_z(out, c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : "");
        if (c != '<' && c != '>' && c != '&') {
            weir_buf_byte(out, c);
        }
    }
}

static void write_error_xml(struct weir_buf *out, const struct weir_sqs_fault *fault,
        struct weir_str message, struct weir_str id)
{
    weir_buf_printf(out,
            "<?xml version=\"1.0\"?><ErrorResponse "
            "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>%s</Type>"
            "<Code>%s</Code><Message>",
            fault->status < 500 ? "Sender" : "Receiver", fault->code);
    write_escaped(out, message);
    weir_buf_printf(out, "</Message><Detail/></Error><RequestId>%.*s</RequestId></ErrorResponse>",
            WEIR_STR_ARG(id));
}

static void send_answer(struct weir_call *call)
{
    struct weir_str id = weir_call_request_id(call->api, call->arena);
    if (!call->form) {
        const struct weir_http_header headers[] = {
            { WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0") },
            { WEIR_STR("x-amzn-RequestId"), id },
        };
        struct weir_str body = weir_buf_view(call->out);
        weir_http_respond(call->http, 200, headers, WEIR_COUNT(headers), body);
        return;
    }
    struct weir_buf xml;
    struct weir_err err;
    weir_buf_init(&xml, call->out->max);
    enum weir_rc rc =
            weir_sqs_write_xml(&xml, call->operation->name, weir_buf_view(call->out), id, &err);
    if (rc == WEIR_OK) {
        rc = weir_buf_check(&xml, "the answer", &err);
    }
    if (rc != WEIR_OK) {
        weir_buf_reset(&xml);
        write_error_xml(&xml, weir_sqs_fault_of(WEIR_E_DAMAGED), weir_str_z(err.msg), id);
    }
    send_xml(call, rc == WEIR_OK ? 200 : 500, id, &xml);
    weir_buf_fini(&xml);
}

static void send_fault(
        struct weir_call *call, const struct weir_sqs_fault *fault, struct weir_str message)
{
    struct weir_str id = weir_call_request_id(call->api, call->arena);
    weir_buf_reset(call->out);
    if (call->form) {
        write_error_xml(call->out, fault, message, id);
        send_xml(call, fault->status, id, call->out);
        return;
    }
    struct weir_str query = weir_arena_printf(
            call->arena, "%s;%s", fault->code, fault->status < 500 ? "Sender" : "Receiver");
    const struct weir_http_header headers[] = {
        { WEIR_STR("Content-Type"), WEIR_STR("application/x-amz-json-1.0") },
        { WEIR_STR("x-amzn-RequestId"), id },
        { WEIR_STR("x-amzn-query-error"), query }, /* for clients that knew the older protocol */
    };
    bool old = weir_http_find(call->http, WEIR_STR("x-amzn-query-mode")).p != NULL;
    weir_buf_byte(call->out, '{');
    weir_out_text(call->out, "__type", weir_str_z(fault->name));
    weir_out_text(call->out, "message", message);
    weir_buf_byte(call->out, '}');
    weir_http_respond(call->http, fault->status, headers, WEIR_COUNT(headers) - (old ? 0 : 1),
            weir_buf_view(call->out));
}

static void send_error(struct weir_call *call, enum weir_rc rc, struct weir_str message)
{
    const struct weir_sqs_fault *fault = call->fault != NULL ? call->fault : weir_sqs_fault_of(rc);
    send_fault(call, fault, message);
}

/* The request's bytes, or who sends it, are at fault, before any operation looked at it. */
static void send_refusal(struct weir_call *call, const char *type, struct weir_str message)
{
    bool denied = strcmp(type, "AccessDeniedException") == 0;
    struct weir_str name = weir_arena_printf(call->arena, CORAL "%s", type);
    struct weir_sqs_fault fault = { name.p, type, denied ? 403 : 400 };
    send_fault(call, &fault, message);
}

const struct weir_protocol weir_sqs_protocol = { send_answer, send_error, send_refusal };

/* --- shared --------------------------------------------------------------------------------- */

/* The queue's name in a path /ACCOUNT/NAME; empty: it is another path. */
static struct weir_str name_in_path(struct weir_str path)
{
    enum { ACCOUNT_DIGITS = 12 };
    if (path.n < ACCOUNT_DIGITS + 3 || path.p[ACCOUNT_DIGITS + 1] != '/') {
        return WEIR_STR("");
    }
    struct weir_str name = weir_str(path.p + ACCOUNT_DIGITS + 2, path.n - ACCOUNT_DIGITS - 2);
    name.n -= name.p[name.n - 1] == '/' ? 1 : 0;
    for (size_t i = 1; i <= ACCOUNT_DIGITS; i++) {
        if (path.p[i] < '0' || path.p[i] > '9') {
            return WEIR_STR("");
        }
    }
    return name.n > 0 && memchr(name.p, '/', name.n) == NULL ? name : WEIR_STR("");
}

bool weir_sqs_is_path(struct weir_str path)
{
    return name_in_path(path).n > 0;
}

enum weir_rc weir_sqs_queue(struct weir_call *call, struct weir_str url,
        const struct weir_queue **ret_queue, struct weir_err *err)
{
    struct weir_str name = url.n > 0 ? url : name_in_path(call->http->path);
    if (name.n == 0) {
        return weir_sqs_fail(call, err, &weir_sqs_missing_parameter,
                "The request must contain the parameter QueueUrl.");
    }
    name.n -= name.p[name.n - 1] == '/' ? 1 : 0;
    enum weir_rc rc = weir_queues_get(call->api->options.queues, name, ret_queue, err);
    if (rc == WEIR_OK) {
        weir_call_hold_queue(call, *ret_queue);
    }
    return rc;
}

struct weir_str weir_sqs_url(struct weir_call *call, struct weir_str name)
{
    struct weir_str host = weir_http_find(call->http, WEIR_STR("host"));
    struct weir_str account = weir_queues_account(call->api->options.queues);
    return weir_arena_printf(call->arena, "http://%.*s/%.*s/%.*s", WEIR_STR_ARG(host),
            WEIR_STR_ARG(account), WEIR_STR_ARG(name));
}

void weir_sqs_write_md5(struct weir_buf *out, const char *name, struct weir_str bytes)
{
    unsigned char digest[WEIR_MD5_BYTES];
    char text[2 * WEIR_MD5_BYTES + 1];
    weir_md5(bytes.p, bytes.n, digest);
    weir_hex(digest, sizeof(digest), text);
    weir_out_text(out, name, weir_str_z(text));
}
