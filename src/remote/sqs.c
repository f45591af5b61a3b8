#include "remote/sqs.h"

#include "base/mem.h"
#include "net/http_url.h"
#include "remote/remote_int.h"
#include "value/json.h"

enum {
    VERSION = 1,
    CONCURRENCY = 4, /* requests in flight to one queue */
    BATCH = WEIR_QUEUE_BATCH_MAX,
    BATCH_MAX_BYTES = 256 * 1024, /* what every SQS takes */
    REQUEST_MAX_BYTES = 32 * 1024 * 1024,
};

struct weir_remote_sqs {
    struct weir_http_client *client;
    const struct weir_remote *remotes;
    size_t remote_count;
};

/* One request under way. */
struct sending {
    struct weir_remote_sqs *sqs;
    struct weir_http_call call;
    struct weir_http_signer signer;
    struct weir_http_header headers[2];
    struct weir_buf body;
    struct weir_delivery *deliveries[BATCH];
    bool answered[BATCH];
    size_t count;
};

/* --- payloads: version, the remote's name, the members of a batch's entry ------------------- */

static void write_attribute(struct weir_buf *buf, const struct weir_message_attribute *attribute)
{
    bool binary = weir_str_starts(attribute->type, WEIR_STR("Binary"));
    weir_json_write_string(buf, attribute->name);
    weir_buf_z(buf, ":{\"DataType\":");
    weir_json_write_string(buf, attribute->type);
    weir_buf_z(buf, binary ? ",\"BinaryValue\":" : ",\"StringValue\":");
    if (binary) {
        weir_json_write_base64(buf, attribute->value);
    } else {
        weir_json_write_string(buf, attribute->value);
    }
    weir_buf_byte(buf, '}');
}

static void write_members(struct weir_buf *buf, const struct weir_remote_message *what)
{
    const struct weir_message *message = what->message;
    weir_buf_z(buf, "\"MessageBody\":");
    weir_json_write_string(buf, message->body);
    for (size_t i = 0; i < message->attribute_count; i++) {
        weir_buf_z(buf, i == 0 ? ",\"MessageAttributes\":{" : ",");
        write_attribute(buf, &message->attributes[i]);
    }
    weir_buf_z(buf, message->attribute_count > 0 ? "}" : "");
    if (message->group.n > 0) {
        weir_buf_z(buf, ",\"MessageGroupId\":");
        weir_json_write_string(buf, message->group);
    }
    if (message->dedup.n > 0) {
        weir_buf_z(buf, ",\"MessageDeduplicationId\":");
        weir_json_write_string(buf, message->dedup);
    }
    if (what->delay_ms != NULL) {
        weir_buf_printf(buf, ",\"DelaySeconds\":%llu",
                (unsigned long long)(*what->delay_ms / WEIR_QUEUE_SECOND_MS));
    }
}

static bool read_payload(
        struct weir_str payload, struct weir_str *ret_remote, struct weir_str *ret_members)
{
    size_t n = payload.n >= 2 ? (unsigned char)payload.p[1] : 0;
    if (payload.n < 2 + n || payload.p[0] != VERSION) {
        return false;
    }
    *ret_remote = weir_str(payload.p + 2, n);
    *ret_members = weir_str(payload.p + 2 + n, payload.n - 2 - n);
    return true;
}

bool weir_remote_sqs_is_fifo(struct weir_str url)
{
    const struct weir_str end = WEIR_STR(".fifo");
    return url.n >= end.n && memcmp(url.p + url.n - end.n, end.p, end.n) == 0;
}

enum weir_rc weir_remote_message_intent(const struct weir_remote_message *what,
        struct weir_arena *arena, struct weir_intent *intent, struct weir_err *err)
{
    const struct weir_message *message = what->message;
    struct weir_http_url url;
    enum weir_rc rc = weir_http_url_parse(what->url, &url, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool fifo = weir_remote_sqs_is_fifo(what->url);
    if (message->body.n == 0 || what->remote.n > UINT8_MAX) {
        return weir_fail(err, WEIR_E_INVALID, "a message needs a body");
    }
    if (fifo && (message->group.n == 0 || message->dedup.n == 0)) {
        return weir_fail(err, WEIR_E_INVALID,
                "a message for a FIFO queue needs a group and a de-duplication id");
    }
    struct weir_buf buf;
    weir_buf_init(&buf, WEIR_INTENT_PAYLOAD_MAX_BYTES);
    weir_buf_byte(&buf, VERSION);
    weir_buf_byte(&buf, (char)what->remote.n);
    weir_buf_str(&buf, what->remote);
    write_members(&buf, what);
    rc = weir_buf_check(&buf, "a message", err);
    if (rc == WEIR_OK) {
        intent->kind = WEIR_INTENT_SQS;
        intent->target = weir_arena_str(arena, what->url);
        intent->order = fifo ? weir_arena_str(arena, message->group) : weir_str(NULL, 0);
        intent->payload = weir_arena_str(arena, weir_buf_view(&buf));
    }
    weir_buf_fini(&buf);
    return rc;
}

/* --- answers ------------------------------------------------------------------------------- */

static void send_some(
        struct weir_remote_sqs *sqs, struct weir_delivery *const *deliveries, size_t count);

static void done(struct sending *sending, size_t i, enum weir_failure_class failure,
        const struct weir_err *err)
{
    sending->answered[i] = true;
    weir_delivery_done(sending->deliveries[i], failure, err, sending->call.retry_after_ms);
}

static void free_sending(struct sending *sending)
{
    weir_http_call_fini(&sending->call);
    weir_buf_fini(&sending->body);
    weir_free(sending);
}

static void done_all(
        struct sending *sending, enum weir_failure_class failure, const struct weir_err *err)
{
    for (size_t i = 0; i < sending->count; i++) {
        if (!sending->answered[i]) {
            done(sending, i, failure, err);
        }
    }
}

/* What an answer of status 200 says of each message. */
static void take_answer(struct sending *sending)
{
    struct weir_sqs_verdict verdicts[BATCH] = { 0 };
    struct weir_err err;
    bool good =
            weir_sqs_read_answer(weir_buf_view(&sending->call.response), verdicts, sending->count);
    for (size_t i = 0; i < sending->count; i++) {
        if (verdicts[i].told) {
            done(sending, i, verdicts[i].failure, &verdicts[i].err);
        }
    }
    /* What the answer does not speak of may have been sent, or not. */
    weir_fail(&err, WEIR_E_IO,
            good ? "the answer does not speak of this message"
                 : "the answer is not one of SendMessageBatch");
    done_all(sending, WEIR_FAILURE_RETRYABLE, &err);
}

/* A batch was refused as a whole. */
static void take_refusal(struct sending *sending)
{
    struct weir_http_call *call = &sending->call;
    struct weir_err err;
    enum weir_failure_class failure = weir_sqs_read_refusal(
            weir_buf_view(&call->response), call->status, weir_http_call_class(call), &err);
    if (failure != WEIR_FAILURE_FINAL || sending->count == 1) {
        done_all(sending, failure, &err);
        return;
    }
    for (size_t i = 0; i < sending->count; i++) {
        send_some(sending->sqs, &sending->deliveries[i], 1);
    }
}

static void answered(struct weir_http_call *call)
{
    struct sending *sending = call->arg;
    if (call->rc != WEIR_OK) {
        done_all(sending, weir_http_call_class(call), &call->err);
    } else if (call->status != 200) {
        take_refusal(sending);
    } else {
        take_answer(sending);
    }
    free_sending(sending);
}

/* --- requests -------------------------------------------------------------------------------- */

static const struct weir_remote *find_remote(
        const struct weir_remote_sqs *sqs, struct weir_str name)
{
    for (size_t i = 0; i < sqs->remote_count; i++) {
        if (weir_str_eq(sqs->remotes[i].name, name)) {
            return &sqs->remotes[i];
        }
    }
    return NULL;
}

static void write_request(struct sending *sending)
{
    struct weir_buf *buf = &sending->body;
    weir_buf_z(buf, "{\"QueueUrl\":");
    weir_json_write_string(buf, sending->deliveries[0]->target);
    weir_buf_z(buf, ",\"Entries\":[");
    for (size_t i = 0; i < sending->count; i++) {
        struct weir_str remote = { 0 };
        struct weir_str members = { 0 };
        weir_assert(read_payload(sending->deliveries[i]->payload, &remote, &members));
        weir_buf_printf(buf, "%s{\"Id\":\"%zu\",", i > 0 ? "," : "", i);
        weir_buf_str(buf, members);
        weir_buf_byte(buf, '}');
    }
    weir_buf_z(buf, "]}");
    weir_assert(!buf->overflow); /* ten payloads at most */
}

/* Send deliveries of one queue and one remote with one request. */
static void send_some(
        struct weir_remote_sqs *sqs, struct weir_delivery *const *deliveries, size_t count)
{
    struct sending *sending = weir_alloc_zero(1, sizeof(*sending));
    struct weir_str name = { 0 };
    struct weir_str members = { 0 };
    weir_assert(read_payload(deliveries[0]->payload, &name, &members)); /* begin looked at each */
    const struct weir_remote *remote = find_remote(sqs, name);
    sending->sqs = sqs;
    sending->count = count;
    memcpy(sending->deliveries, deliveries, count * sizeof(struct weir_delivery *));
    if (remote == NULL) {
        struct weir_err err;
        weir_fail(&err, WEIR_E_NOT_FOUND, "remote '%.*s' is not configured", WEIR_STR_ARG(name));
        done_all(sending, WEIR_FAILURE_BLOCKED, &err);
        free_sending(sending);
        return;
    }
    struct weir_str url = deliveries[0]->target;
    weir_buf_init(&sending->body, REQUEST_MAX_BYTES);
    write_request(sending);
    sending->headers[0] = (struct weir_http_header){ WEIR_STR("Content-Type"),
        WEIR_STR("application/x-amz-json-1.0") };
    sending->headers[1] = (struct weir_http_header){ WEIR_STR("X-Amz-Target"),
        WEIR_STR("AmazonSQS.SendMessageBatch") };
    sending->signer = (struct weir_http_signer){
        .service = WEIR_STR("sqs"),
        .region = remote->region,
        .access_key = remote->access_key_id,
        .secret = remote->secret_access_key,
        .token = remote->session_token,
    };
    char endpoint[WEIR_INTENT_TARGET_MAX_BYTES + 2];
    struct weir_str origin = weir_http_url_origin(url);
    memcpy(endpoint, origin.p, origin.n);
    endpoint[origin.n] = '/'; /* the protocol's only path */
    sending->call = (struct weir_http_call){
        .method = WEIR_STR("POST"),
        .url = weir_str(endpoint, origin.n + 1),
        .headers = sending->headers,
        .header_count = WEIR_COUNT(sending->headers),
        .body = weir_buf_view(&sending->body),
        .signer = &sending->signer,
        .done = answered,
        .arg = sending,
    };
    weir_http_client_call(sqs->client, &sending->call);
}

/* Whether two deliveries can share a request. */
static bool same_remote(const struct weir_delivery *a, const struct weir_delivery *b)
{
    struct weir_str first = { 0 };
    struct weir_str second = { 0 };
    struct weir_str members;
    return read_payload(a->payload, &first, &members) &&
           read_payload(b->payload, &second, &members) && weir_str_eq(first, second);
}

static void begin(void *arg, struct weir_delivery *const *deliveries, size_t count)
{
    struct weir_remote_sqs *sqs = arg;
    struct weir_delivery *some[BATCH];
    size_t n = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct weir_delivery *next = deliveries[i];
        struct weir_str remote;
        struct weir_str members;
        if (!read_payload(next->payload, &remote, &members)) {
            struct weir_err err;
            weir_fail(&err, WEIR_E_DAMAGED, "the payload of a message has an unknown form");
            weir_delivery_done(next, WEIR_FAILURE_FINAL, &err, 0);
            continue;
        }
        if (n > 0 && (bytes + next->payload.n > BATCH_MAX_BYTES || !same_remote(some[0], next))) {
            send_some(sqs, some, n);
            n = 0;
            bytes = 0;
        }
        some[n++] = next;
        bytes += next->payload.n;
    }
    if (n > 0) {
        send_some(sqs, some, n);
    }
}

static void describe(void *arg, struct weir_str payload, struct weir_buf *json)
{
    (void)arg;
    struct weir_str remote;
    struct weir_str members;
    if (!read_payload(payload, &remote, &members)) {
        weir_buf_z(json, "null");
        return;
    }
    weir_buf_byte(json, '{');
    weir_buf_str(json, members);
    weir_buf_byte(json, '}');
}

/* --- life --------------------------------------------------------------------------------------
 */

struct weir_remote_sqs *weir_remote_sqs_create(struct weir_outbox *outbox,
        struct weir_http_client *client, const struct weir_remote *remotes, size_t count)
{
    struct weir_remote_sqs *sqs = weir_alloc_zero(1, sizeof(*sqs));
    sqs->client = client;
    sqs->remotes = remotes;
    sqs->remote_count = count;
    struct weir_outbox_kind kind = {
        .name = "sqs",
        .concurrency = CONCURRENCY,
        .batch = BATCH,
        .begin = begin,
        .describe = describe,
        .arg = sqs,
    };
    weir_outbox_register(outbox, WEIR_INTENT_SQS, &kind);
    return sqs;
}

void weir_remote_sqs_destroy(struct weir_remote_sqs *sqs)
{
    weir_free(sqs);
}
