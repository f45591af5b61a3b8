/* The members of SQS's requests. What they may hold is checked by the operations, in SQS's words.
 */
#include "api/sqs_int.h"

#define MEMBER(name, type, structure, field)                         \
    {                                                                \
        name, WEIR_WIRE_##type, .offset = offsetof(structure, field) \
    }
#define END          \
    {                \
        .name = NULL \
    }

static const struct weir_wire_member queue_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_queue_request, url),
    END,
};
const struct weir_wire_shape weir_sqs_queue_shape = { sizeof(struct weir_sqs_queue_request),
    queue_members };

static const struct weir_wire_member create_members[] = {
    MEMBER("QueueName", STRING, struct weir_sqs_create_request, name),
    MEMBER("Attributes", NAMES, struct weir_sqs_create_request, attributes),
    MEMBER("tags", NAMES, struct weir_sqs_create_request, tags),
    MEMBER("Tags", NAMES, struct weir_sqs_create_request, tags),
    END,
};
const struct weir_wire_shape weir_sqs_create_shape = { sizeof(struct weir_sqs_create_request),
    create_members };

static const struct weir_wire_member url_members[] = {
    MEMBER("QueueName", STRING, struct weir_sqs_url_request, name),
    END,
};
const struct weir_wire_shape weir_sqs_url_shape = { sizeof(struct weir_sqs_url_request),
    url_members };

static const struct weir_wire_member get_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_get_request, url),
    MEMBER("AttributeNames", STRINGS, struct weir_sqs_get_request, names),
    END,
};
const struct weir_wire_shape weir_sqs_get_shape = { sizeof(struct weir_sqs_get_request),
    get_members };

static const struct weir_wire_member set_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_set_request, url),
    MEMBER("Attributes", NAMES, struct weir_sqs_set_request, attributes),
    END,
};
const struct weir_wire_shape weir_sqs_set_shape = { sizeof(struct weir_sqs_set_request),
    set_members };

static const struct weir_wire_member list_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_list_request, url),
    MEMBER("QueueNamePrefix", STRING, struct weir_sqs_list_request, prefix),
    MEMBER("NextToken", STRING, struct weir_sqs_list_request, token),
    MEMBER("MaxResults", NUMBER, struct weir_sqs_list_request, max),
    END,
};
const struct weir_wire_shape weir_sqs_list_shape = { sizeof(struct weir_sqs_list_request),
    list_members };

static const struct weir_wire_member tag_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_tag_request, url),
    MEMBER("Tags", NAMES, struct weir_sqs_tag_request, tags),
    MEMBER("TagKeys", STRINGS, struct weir_sqs_tag_request, keys),
    END,
};
const struct weir_wire_shape weir_sqs_tag_shape = { sizeof(struct weir_sqs_tag_request),
    tag_members };

static const struct weir_wire_member value_members[] = {
    MEMBER("DataType", STRING, struct weir_sqs_value, type),
    MEMBER("StringValue", STRING, struct weir_sqs_value, text),
    MEMBER("BinaryValue", STRING, struct weir_sqs_value, binary),
    MEMBER("StringListValues", STRINGS, struct weir_sqs_value, texts),
    MEMBER("BinaryListValues", STRINGS, struct weir_sqs_value, binaries),
    END,
};
static const struct weir_wire_shape value_shape = { sizeof(struct weir_sqs_value), value_members };

static const struct weir_wire_member send_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_send_request, url),
    MEMBER("Id", STRING, struct weir_sqs_send_request, id),
    MEMBER("MessageBody", STRING, struct weir_sqs_send_request, body),
    MEMBER("MessageGroupId", STRING, struct weir_sqs_send_request, group),
    MEMBER("MessageDeduplicationId", STRING, struct weir_sqs_send_request, dedup),
    MEMBER("DelaySeconds", NUMBER, struct weir_sqs_send_request, delay),
    { "MessageAttributes", WEIR_WIRE_MAP,
            .offset = offsetof(struct weir_sqs_send_request, attributes), .shape = &value_shape },
    { "MessageSystemAttributes", WEIR_WIRE_MAP,
            .offset = offsetof(struct weir_sqs_send_request, system_attributes),
            .shape = &value_shape },
    END,
};
const struct weir_wire_shape weir_sqs_send_shape = { sizeof(struct weir_sqs_send_request),
    send_members };

static const struct weir_wire_member send_batch_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_batch_request, url),
    { "Entries", WEIR_WIRE_LIST, .offset = offsetof(struct weir_sqs_batch_request, entries),
            .shape = &weir_sqs_send_shape },
    END,
};
const struct weir_wire_shape weir_sqs_send_batch_shape = { sizeof(struct weir_sqs_batch_request),
    send_batch_members };

static const struct weir_wire_member receive_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_receive_request, url),
    MEMBER("AttributeNames", STRINGS, struct weir_sqs_receive_request, attribute_names),
    MEMBER("MessageSystemAttributeNames", STRINGS, struct weir_sqs_receive_request, system_names),
    MEMBER("MessageAttributeNames", STRINGS, struct weir_sqs_receive_request, message_names),
    MEMBER("MaxNumberOfMessages", NUMBER, struct weir_sqs_receive_request, max),
    MEMBER("VisibilityTimeout", NUMBER, struct weir_sqs_receive_request, visibility),
    MEMBER("WaitTimeSeconds", NUMBER, struct weir_sqs_receive_request, wait),
    END,
};
const struct weir_wire_shape weir_sqs_receive_shape = { sizeof(struct weir_sqs_receive_request),
    receive_members };

static const struct weir_wire_member settle_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_settle_request, url),
    MEMBER("Id", STRING, struct weir_sqs_settle_request, id),
    MEMBER("ReceiptHandle", STRING, struct weir_sqs_settle_request, receipt),
    MEMBER("VisibilityTimeout", NUMBER, struct weir_sqs_settle_request, visibility),
    END,
};
const struct weir_wire_shape weir_sqs_settle_shape = { sizeof(struct weir_sqs_settle_request),
    settle_members };

static const struct weir_wire_member settle_batch_members[] = {
    MEMBER("QueueUrl", STRING, struct weir_sqs_batch_request, url),
    { "Entries", WEIR_WIRE_LIST, .offset = offsetof(struct weir_sqs_batch_request, entries),
            .shape = &weir_sqs_settle_shape },
    END,
};
const struct weir_wire_shape weir_sqs_settle_batch_shape = { sizeof(struct weir_sqs_batch_request),
    settle_batch_members };
