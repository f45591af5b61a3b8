/* The two forms of a dead letter, to and fro. The members stand in the order in which AWS has
 * them. */
#include "pipeline/letters.h"
#include "value/ddbjson.h"
#include "value/json.h"
#include "value/member.h"

/* AWS's text for the answer of a function that was asked in vain. */
#define RESPONSE_VERSION "$LATEST"
#define RESPONSE_ERROR   "Unhandled" /* null when the function said itself what failed */

enum { RESPONSE_STATUS = 200, PARSE_DEPTH = 128 };

static const struct weir_str exhausted = { "RetryAttemptsExhausted", 22 };

/* --- JSON ------------------------------------------------------------------------------ */

static void write_text(struct weir_buf *buf, const char *name, struct weir_str text)
{
    if (text.n > 0) {
        weir_buf_printf(buf, "\"%s\":", name);
        weir_json_write_string(buf, text);
        weir_buf_byte(buf, ',');
    }
}

static void write_batch_info(struct weir_buf *buf, const struct weir_letter *letter)
{
    weir_buf_z(buf, "\"DDBStreamBatchInfo\":{");
    write_text(buf, "shardId", letter->shard_id);
    write_text(buf, "startSequenceNumber", letter->sequence);
    write_text(buf, "endSequenceNumber", letter->sequence);
    write_text(buf, "approximateArrivalOfFirstRecord", letter->arrived);
    write_text(buf, "approximateArrivalOfLastRecord", letter->arrived);
    weir_buf_z(buf, "\"batchSize\":1,\"streamArn\":");
    weir_json_write_string(buf, letter->stream_arn);
    weir_buf_z(buf, "},");
}

static void write_batch(struct weir_buf *buf, const struct weir_letter *letter)
{
    if (letter->batch_records > 0) {
        weir_buf_z(buf, "\"batch\":{");
        write_text(buf, "first", letter->batch_first);
        write_text(buf, "last", letter->batch_last);
        weir_buf_printf(buf, "\"records\":%llu},", (unsigned long long)letter->batch_records);
    }
}

static void write_map(struct weir_buf *buf, const char *name, struct weir_item map)
{
    if (map.n > 0) {
        weir_buf_printf(buf, ",\"%s\":", name);
        weir_ddbjson_write_item(buf, map);
    }
}

void weir_letter_write(struct weir_buf *buf, const struct weir_letter *letter)
{
    weir_buf_z(buf, "{\"requestContext\":{");
    write_text(buf, "requestId", letter->request_id);
    write_text(buf, "functionArn", letter->function_arn);
    write_text(buf, "condition", letter->condition);
    weir_buf_printf(buf, "\"approximateInvokeCount\":%llu},", (unsigned long long)letter->attempts);
    if (weir_str_eq(letter->condition, exhausted)) {
        weir_buf_printf(buf,
                "\"responseContext\":{\"statusCode\":%d,\"executedVersion\":\"" RESPONSE_VERSION
                "\",\"functionError\":%s},",
                RESPONSE_STATUS, letter->reported ? "null" : "\"" RESPONSE_ERROR "\"");
    }
    weir_buf_z(buf, "\"version\":\"1.0\",");
    write_text(buf, "timestamp", letter->timestamp);
    write_batch_info(buf, letter);
    write_text(buf, "pipeline", letter->pipeline);
    write_text(buf, "sequence", letter->sequence);
    write_text(buf, "step", letter->step);
    write_text(buf, "error", letter->error);
    write_text(buf, "fingerprint", letter->fingerprint);
    write_batch(buf, letter);
    write_text(buf, "event_id", letter->event_id);
    write_text(buf, "event_name", letter->event_name);
    write_text(buf, "table", letter->table);
    weir_buf_z(buf, "\"keys\":");
    weir_ddbjson_write_item(buf, letter->keys);
    write_map(buf, "burst", letter->burst);
    write_map(buf, "gap", letter->gap);
    weir_buf_z(buf, letter->incomplete ? ",\"incomplete\":true" : "");
    weir_buf_z(buf, ",\"payload\":");
    weir_buf_str(buf, letter->payload);
    weir_buf_byte(buf, '}');
}

/* What stands in a table may be anything: a text that is no JSON is shown as a text. */
static void show_payload(struct weir_buf *buf, struct weir_str payload)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, payload, &arena, WEIR_JSON_MAX_DEPTH);
    bool right = weir_json_skip(&json, weir_json_next(&json), NULL) == WEIR_OK &&
                 weir_json_next(&json) == WEIR_JSON_END;
    weir_arena_fini(&arena);
    weir_buf_z(buf, ",\"payload\":");
    if (right) {
        weir_buf_str(buf, payload);
    } else {
        weir_json_write_string(buf, payload);
    }
}

/* Of a burst, the records and values are shown only as the payload is. */
static void show_burst(struct weir_buf *buf, struct weir_item burst, bool payload)
{
    static const char *const plain[] = { "step", "key", "since", "due" };
    if (burst.n > 0 && payload) {
        weir_buf_z(buf, ",\"burst\":");
        weir_ddbjson_write_plain_item(buf, burst);
    } else if (burst.n > 0) {
        weir_buf_printf(buf, ",\"burst\":{\"count\":%llu",
                (unsigned long long)weir_member_u64(burst, "count"));
        for (size_t i = 0; i < WEIR_COUNT(plain); i++) {
            weir_buf_printf(buf, ",\"%s\":", plain[i]);
            weir_json_write_string(buf, weir_member_s(burst, plain[i]));
        }
        weir_buf_byte(buf, '}');
    }
}

void weir_letter_show(struct weir_buf *buf, const struct weir_letter *letter, bool payload)
{
    weir_buf_byte(buf, '{');
    write_text(buf, "pipeline", letter->pipeline);
    write_text(buf, "sequence", letter->sequence);
    write_text(buf, "timestamp", letter->timestamp);
    write_text(buf, "condition", letter->condition);
    write_text(buf, "step", letter->step);
    write_text(buf, "error", letter->error);
    write_text(buf, "fingerprint", letter->fingerprint);
    write_batch(buf, letter);
    write_text(buf, "table", letter->table);
    write_text(buf, "event_name", letter->event_name);
    write_text(buf, "event_id", letter->event_id);
    weir_buf_printf(buf, "\"attempts\":%llu,\"keys\":", (unsigned long long)letter->attempts);
    weir_ddbjson_write_plain_item(buf, letter->keys);
    show_burst(buf, letter->burst, payload);
    if (letter->gap.n > 0) {
        weir_buf_z(buf, ",\"gap\":");
        weir_ddbjson_write_plain_item(buf, letter->gap);
    }
    weir_buf_z(buf, letter->incomplete ? ",\"incomplete\":true" : "");
    weir_buf_z(buf, letter->taken ? ",\"taken\":true" : "");
    if (payload && letter->payload.n > 0) {
        show_payload(buf, letter->payload);
    }
    weir_buf_byte(buf, '}');
}

/* --- items --------------------------------------------------------------------------------- */

static void put_text(struct weir_item_builder *builder, const char *name, struct weir_str text)
{
    if (text.n > 0) {
        weir_member_put_s(builder, name, text);
    }
}

static void open_map(struct weir_item_builder *builder, const char *name)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_open(builder, WEIR_TYPE_M);
}

static void put_contexts(struct weir_item_builder *builder, const struct weir_letter *letter)
{
    open_map(builder, "requestContext");
    put_text(builder, "requestId", letter->request_id);
    put_text(builder, "functionArn", letter->function_arn);
    put_text(builder, "condition", letter->condition);
    weir_member_put_u64(builder, "approximateInvokeCount", letter->attempts);
    weir_item_close(builder);
    if (weir_str_eq(letter->condition, exhausted)) {
        open_map(builder, "responseContext");
        weir_member_put_u64(builder, "statusCode", RESPONSE_STATUS);
        put_text(builder, "executedVersion", WEIR_STR(RESPONSE_VERSION));
        if (letter->reported) {
            weir_item_name(builder, WEIR_STR("functionError"));
            weir_item_null(builder);
        } else {
            put_text(builder, "functionError", WEIR_STR(RESPONSE_ERROR));
        }
        weir_item_close(builder);
    }
    put_text(builder, "version", WEIR_STR("1.0"));
    put_text(builder, "timestamp", letter->timestamp);
    open_map(builder, "DDBStreamBatchInfo");
    put_text(builder, "shardId", letter->shard_id);
    put_text(builder, "startSequenceNumber", letter->sequence);
    put_text(builder, "endSequenceNumber", letter->sequence);
    put_text(builder, "approximateArrivalOfFirstRecord", letter->arrived);
    put_text(builder, "approximateArrivalOfLastRecord", letter->arrived);
    weir_member_put_u64(builder, "batchSize", 1);
    put_text(builder, "streamArn", letter->stream_arn);
    weir_item_close(builder);
}

enum weir_rc weir_letter_to_item(const struct weir_letter *letter, struct weir_arena *arena,
        struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    put_contexts(builder, letter);
    put_text(builder, "pipeline", letter->pipeline);
    put_text(builder, "sequence", letter->sequence);
    put_text(builder, "step", letter->step);
    put_text(builder, "error", letter->error);
    put_text(builder, "fingerprint", letter->fingerprint);
    if (letter->batch_records > 0) {
        open_map(builder, "batch");
        put_text(builder, "first", letter->batch_first);
        put_text(builder, "last", letter->batch_last);
        weir_member_put_u64(builder, "records", letter->batch_records);
        weir_item_close(builder);
    }
    put_text(builder, "event_id", letter->event_id);
    put_text(builder, "event_name", letter->event_name);
    put_text(builder, "table", letter->table);
    weir_member_put_map(builder, "keys", letter->keys);
    if (letter->burst.n > 0) {
        weir_member_put_map(builder, "burst", letter->burst);
    }
    if (letter->gap.n > 0) {
        weir_member_put_map(builder, "gap", letter->gap);
    }
    if (letter->incomplete) {
        weir_item_name(builder, WEIR_STR("incomplete"));
        weir_item_bool(builder, true);
    }
    put_text(builder, "payload", letter->payload);
    return weir_item_finish(builder, ret_item, err);
}

/* --- reading --------------------------------------------------------------------------------- */

/* Members that are texts, in both forms. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    { "pipeline", offsetof(struct weir_letter, pipeline) },
    { "sequence", offsetof(struct weir_letter, sequence) },
    { "timestamp", offsetof(struct weir_letter, timestamp) },
    { "step", offsetof(struct weir_letter, step) },
    { "error", offsetof(struct weir_letter, error) },
    { "fingerprint", offsetof(struct weir_letter, fingerprint) },
    { "event_id", offsetof(struct weir_letter, event_id) },
    { "event_name", offsetof(struct weir_letter, event_name) },
    { "table", offsetof(struct weir_letter, table) },
};

static struct weir_str *text_of(struct weir_letter *letter, struct weir_str name)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (weir_str_eq(name, weir_str_z(texts[i].name))) {
            return (struct weir_str *)(void *)((char *)letter + texts[i].offset);
        }
    }
    return NULL;
}

void weir_letter_of_item(struct weir_item item, struct weir_letter *ret_letter)
{
    struct weir_letter letter = { 0 };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct weir_str name = weir_str_z(texts[i].name);
        *text_of(&letter, name) = weir_value_str(weir_item_get(item, name));
    }
    struct weir_item context = weir_value_map(weir_item_get(item, WEIR_STR("requestContext")));
    letter.condition = weir_member_s(context, "condition");
    letter.attempts = weir_member_u64(context, "approximateInvokeCount");
    struct weir_item batch = weir_value_map(weir_item_get(item, WEIR_STR("batch")));
    letter.batch_records = weir_member_u64(batch, "records");
    letter.batch_first = weir_member_s(batch, "first");
    letter.batch_last = weir_member_s(batch, "last");
    letter.keys = weir_value_map(weir_item_get(item, WEIR_STR("keys")));
    letter.burst = weir_value_map(weir_item_get(item, WEIR_STR("burst")));
    letter.gap = weir_value_map(weir_item_get(item, WEIR_STR("gap")));
    letter.incomplete = weir_member_bool(item, "incomplete");
    letter.payload = weir_member_s(item, "payload");
    *ret_letter = letter;
}

/* Behind the token of a value that nobody wants, or that is of another type. */
static bool skip(struct weir_json *json, enum weir_json_token token)
{
    return weir_json_skip(json, token, NULL) == WEIR_OK;
}

/* A member of an object inside a letter; what nobody wants is skipped. */
static bool read_inner(struct weir_json *json, struct weir_str name, enum weir_json_token token,
        struct weir_letter *letter)
{
    bool text = token == WEIR_JSON_STRING;
    bool number = token == WEIR_JSON_NUMBER;
    if (text && weir_str_eq(name, WEIR_STR("condition"))) {
        letter->condition = json->text;
    } else if (number && weir_str_eq(name, WEIR_STR("approximateInvokeCount"))) {
        (void)weir_str_to_u64(json->text, &letter->attempts);
    } else if (text && weir_str_eq(name, WEIR_STR("first"))) {
        letter->batch_first = json->text;
    } else if (text && weir_str_eq(name, WEIR_STR("last"))) {
        letter->batch_last = json->text;
    } else if (number && weir_str_eq(name, WEIR_STR("records"))) {
        (void)weir_str_to_u64(json->text, &letter->batch_records);
    } else {
        return skip(json, token);
    }
    return true;
}

/* requestContext, or batch: no name stands in both. */
static bool read_object(
        struct weir_json *json, enum weir_json_token token, struct weir_letter *letter)
{
    if (token != WEIR_JSON_OBJECT) {
        return skip(json, token);
    }
    while ((token = weir_json_next(json)) == WEIR_JSON_NAME) {
        struct weir_str name = json->text;
        if (!read_inner(json, name, weir_json_next(json), letter)) {
            return false;
        }
    }
    return token == WEIR_JSON_OBJECT_END;
}

/* A member's value. */
static bool read_member(struct weir_json *json, struct weir_str name, enum weir_json_token token,
        struct weir_letter *letter)
{
    struct weir_str *text = text_of(letter, name);
    if (text != NULL && token == WEIR_JSON_STRING) {
        *text = json->text;
        return true;
    }
    if (weir_str_eq(name, WEIR_STR("requestContext")) || weir_str_eq(name, WEIR_STR("batch"))) {
        return read_object(json, token, letter);
    }
    if (weir_str_eq(name, WEIR_STR("keys")) && token == WEIR_JSON_OBJECT) {
        return weir_ddbjson_read_item(json, token, &letter->keys, NULL) == WEIR_OK;
    }
    if (weir_str_eq(name, WEIR_STR("burst")) && token == WEIR_JSON_OBJECT) {
        return weir_ddbjson_read_item(json, token, &letter->burst, NULL) == WEIR_OK;
    }
    if (weir_str_eq(name, WEIR_STR("gap")) && token == WEIR_JSON_OBJECT) {
        return weir_ddbjson_read_item(json, token, &letter->gap, NULL) == WEIR_OK;
    }
    if (weir_str_eq(name, WEIR_STR("payload"))) {
        return weir_json_raw(json, token, &letter->payload, NULL) == WEIR_OK;
    }
    if (weir_str_eq(name, WEIR_STR("incomplete"))) {
        letter->incomplete = token == WEIR_JSON_TRUE;
    }
    return skip(json, token);
}

bool weir_letter_parse(
        struct weir_str text, struct weir_arena *arena, struct weir_letter *ret_letter)
{
    struct weir_letter letter = { 0 };
    struct weir_json json;
    weir_json_init(&json, text, arena, PARSE_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    if (token != WEIR_JSON_OBJECT) {
        return false;
    }
    while ((token = weir_json_next(&json)) == WEIR_JSON_NAME) {
        struct weir_str name = json.text;
        if (!read_member(&json, name, weir_json_next(&json), &letter)) {
            return false;
        }
    }
    if (token != WEIR_JSON_OBJECT_END) {
        return false;
    }
    *ret_letter = letter;
    return true;
}
