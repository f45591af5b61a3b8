/* A message as Lambda's event source mappings hand it to functions. */
#include "base/hash.h"
#include "queue/queue.h"
#include "value/json.h"

static void write_text(struct weir_buf *buf, const char *name, struct weir_str text)
{
    weir_buf_printf(buf, "\"%s\":", name);
    weir_json_write_string(buf, text);
}

static void write_system(struct weir_buf *buf, const struct weir_message *message)
{
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
    weir_buf_printf(buf,
            ",\"attributes\":{\"ApproximateReceiveCount\":\"%u\",\"SentTimestamp\":\"%lld\","
            "\"ApproximateFirstReceiveTimestamp\":\"%lld\"",
            message->receives, (long long)message->sent.ms, (long long)message->first_received.ms);
    for (size_t i = 0; i < WEIR_COUNT(texts); i++) {
        if (texts[i].value.n > 0) {
            weir_buf_byte(buf, ',');
            write_text(buf, texts[i].name, texts[i].value);
        }
    }
    if (message->dedup.n > 0) { /* only messages of FIFO queues have it; others can have a group */
        weir_buf_printf(
                buf, ",\"SequenceNumber\":\"%020llu\"", (unsigned long long)message->sequence);
    }
    weir_buf_byte(buf, '}');
}

static void write_attributes(struct weir_buf *buf, const struct weir_message *message)
{
    weir_buf_z(buf, ",\"messageAttributes\":{");
    for (size_t i = 0; i < message->attribute_count; i++) {
        const struct weir_message_attribute *attribute = &message->attributes[i];
        weir_buf_z(buf, i > 0 ? "," : "");
        weir_json_write_string(buf, attribute->name);
        if (weir_str_starts(attribute->type, WEIR_STR("Binary"))) {
            weir_buf_z(buf, ":{\"binaryValue\":");
            weir_json_write_base64(buf, attribute->value);
        } else {
            weir_buf_z(buf, ":{");
            write_text(buf, "stringValue", attribute->value);
        }
        weir_buf_z(buf, ",\"stringListValues\":[],\"binaryListValues\":[],");
        write_text(buf, "dataType", attribute->type);
        weir_buf_byte(buf, '}');
    }
    weir_buf_byte(buf, '}');
}

/* Whether a body is a JSON object or array. */
static bool is_json(struct weir_str body)
{
    struct weir_arena arena;
    struct weir_json json;
    struct weir_str raw;
    weir_arena_init(&arena);
    weir_json_init(&json, body, &arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token first = weir_json_next(&json);
    bool is = (first == WEIR_JSON_OBJECT || first == WEIR_JSON_ARRAY) &&
              weir_json_raw(&json, first, &raw, NULL) == WEIR_OK &&
              weir_json_next(&json) == WEIR_JSON_END;
    weir_arena_fini(&arena);
    return is;
}

static void write_event(struct weir_buf *buf, const struct weir_message *message,
        struct weir_str arn, struct weir_str region, bool as_json)
{
    unsigned char digest[WEIR_MD5_BYTES];
    char md5[2 * WEIR_MD5_BYTES + 1];
    weir_md5(message->body.p, message->body.n, digest);
    weir_hex(digest, sizeof(digest), md5);
    weir_buf_byte(buf, '{');
    write_text(buf, "messageId", message->id);
    weir_buf_byte(buf, ',');
    write_text(buf, "receiptHandle", message->receipt);
    weir_buf_byte(buf, ',');
    if (as_json) {
        weir_buf_z(buf, "\"body\":");
        weir_buf_str(buf, message->body);
    } else {
        write_text(buf, "body", message->body);
    }
    write_system(buf, message);
    write_attributes(buf, message);
    weir_buf_printf(buf, ",\"md5OfBody\":\"%s\",\"eventSource\":\"aws:sqs\",", md5);
    write_text(buf, "eventSourceARN", arn);
    weir_buf_byte(buf, ',');
    write_text(buf, "awsRegion", region);
    weir_buf_byte(buf, '}');
}

void weir_message_write_event(struct weir_buf *buf, const struct weir_message *message,
        struct weir_str arn, struct weir_str region)
{
    write_event(buf, message, arn, region, false);
}

void weir_message_write_matched(struct weir_buf *buf, const struct weir_message *message,
        struct weir_str arn, struct weir_str region)
{
    write_event(buf, message, arn, region, is_json(message->body));
}
