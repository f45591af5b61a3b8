/*
 * send: one message into a queue for every event, in the batch's transaction; into a remote queue
 * from the outbox, once that is committed. Without `body` it is the record as Lambda sees it. Into
 * a FIFO queue, messages about one item stay in order, and what a record makes is sent once,
 * however often it is processed within five minutes.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "net/http_url.h"
#include "remote/sqs.h"
#include "step/kinds_int.h"
#include "value/ddbjson.h"

struct attribute {
    struct weir_str name;
    struct weir_shape *value;
};

struct send_step {
    struct weir_step base;
    struct weir_str queue; /* empty: url */
    struct weir_str url;   /* of a remote queue */
    struct weir_str remote;
    struct weir_str dead_letters; /* with url: a queue for what cannot be delivered, or empty */
    uint64_t max_age_ms;          /* with url */
    uint64_t delay_ms;
    bool has_delay;
    struct weir_shape *body; /* NULL: the record */
    struct weir_shape *group;
    struct weir_shape *dedup;
    struct attribute *attributes; /* in order of their names, as SQS wants them */
    size_t attribute_count;
    /* Only while it is checked. */
    const struct weir_conf *body_node;
    const struct weir_conf *group_node;
    const struct weir_conf *dedup_node;
    const struct weir_conf *attributes_node;
};

static const struct weir_option options[] = {
    { "queue", "", "the queue to send to", WEIR_OPTION_STRING, offsetof(struct send_step, queue), 0,
            0 },
    { "url", "", "a remote queue to send to instead", WEIR_OPTION_STRING,
            offsetof(struct send_step, url), 0, 0 },
    { "remote", "", "url: the remote that the queue belongs to", WEIR_OPTION_STRING,
            offsetof(struct send_step, remote), 0, 0 },
    { "dead_letters", "", "url: the queue for messages that cannot be delivered",
            WEIR_OPTION_STRING, offsetof(struct send_step, dead_letters), 0, 0 },
    { "max_age", "1d", "url: how long delivery is tried", WEIR_OPTION_DURATION,
            offsetof(struct send_step, max_age_ms), 1000, (uint64_t)365 * 24 * 3600 * 1000 },
    { "body", "", "a text, or a map or list that is sent as JSON; the record when absent",
            WEIR_OPTION_NODE, offsetof(struct send_step, body_node), 0, 0 },
    { "group", "", "FIFO: the message's group; the item's key when absent", WEIR_OPTION_NODE,
            offsetof(struct send_step, group_node), 0, 0 },
    { "dedup", "", "FIFO: what makes it a duplicate; the record and this step when absent",
            WEIR_OPTION_NODE, offsetof(struct send_step, dedup_node), 0, 0 },
    { "delay", "", "how long it stays hidden, instead of the queue's delay", WEIR_OPTION_DURATION,
            offsetof(struct send_step, delay_ms), 0, WEIR_QUEUE_DELAY_MAX_MS },
    { "attributes", "", "message attributes: names and values", WEIR_OPTION_NODE,
            offsetof(struct send_step, attributes_node), 0, 0 },
    { 0 },
};

static struct send_step *from_base(struct weir_step *step)
{
    weir_assert(step->ops == &weir_step_send);
    return WEIR_CONTAINER(step, struct send_step, base);
}

/* --- checking -------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right)
{
    const struct attribute *a = left;
    const struct attribute *b = right;
    return weir_str_cmp(a->name, b->name);
}

static void check_attributes(struct send_step *step, struct weir_scope *scope)
{
    const struct weir_conf *node = step->attributes_node;
    if (node->kind != WEIR_CONF_MAP || node->count > WEIR_QUEUE_ATTRIBUTES_MAX) {
        weir_conf_error(scope->diagnostics, node,
                "attributes are a map of at most %d names and values", WEIR_QUEUE_ATTRIBUTES_MAX);
        return;
    }
    step->attributes = weir_arena_zero(scope->arena, node->count, sizeof(*step->attributes));
    for (size_t i = 0; i < node->count; i++) {
        struct weir_str name = node->names[i].text;
        if (!weir_message_attribute_name_fits(name)) {
            weir_conf_error(scope->diagnostics, &node->names[i],
                    "'%.*s' cannot name an attribute: letters, digits, '_', '-' and '.' are "
                    "expected, no '.' at an end",
                    WEIR_STR_ARG(name));
        }
        struct attribute *attribute = &step->attributes[step->attribute_count];
        attribute->name = weir_arena_str(scope->arena, name);
        attribute->value = weir_scope_shape(scope, &node->items[i]);
        step->attribute_count += attribute->value != NULL;
    }
    if (step->attribute_count > 1) {
        qsort(step->attributes, step->attribute_count, sizeof(*step->attributes), compare_names);
    }
}

/* What the queue's kind does not take would fail every record. */
static void check_kind(const struct send_step *step, const struct weir_queue *queue,
        const struct weir_conf *node, const struct weir_scope *scope)
{
    if (queue->fifo && step->has_delay) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "delay"),
                "a FIFO queue takes no delay of single messages: give queue '%.*s' a `delay`",
                WEIR_STR_ARG(queue->name));
    } else if (!queue->fifo && step->dedup_node != NULL) {
        weir_conf_error(scope->diagnostics, step->dedup_node,
                "queue '%.*s' does not deduplicate: only FIFO queues do; the name of one ends in "
                ".fifo",
                WEIR_STR_ARG(queue->name));
    }
}

/* Where it goes: a queue of this weir, by name. */
static void check_local(
        const struct send_step *step, const struct weir_conf *node, const struct weir_scope *scope)
{
    static const char *const others[] = { "remote", "dead_letters", "max_age" };
    for (size_t i = 0; i < WEIR_COUNT(others); i++) {
        const struct weir_conf *other = weir_conf_get(node, others[i]);
        if (other != NULL) {
            weir_conf_error(scope->diagnostics, other,
                    "%s goes with a url only: a queue of this weir has the message with the batch",
                    others[i]);
        }
    }
    const struct weir_queue *queue =
            weir_scope_queue(scope, weir_conf_get(node, "queue"), step->queue);
    if (queue != NULL) {
        check_kind(step, queue, node, scope);
    }
}

static void check_remote_name(
        const struct send_step *step, const struct weir_conf *node, const struct weir_scope *scope)
{
    for (size_t i = 0; i < scope->remote_count; i++) {
        if (weir_str_eq(step->remote, weir_str_z(scope->remote_names[i]))) {
            return;
        }
    }
    const struct weir_conf *at = weir_conf_get(node, "remote");
    if (at == NULL) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "url"),
                "a remote queue needs a remote that signs for it: remote: NAME, one of `remotes`");
    } else {
        weir_conf_unknown(
                scope->diagnostics, at, "remote", scope->remote_names, scope->remote_count);
    }
}

/* Where it goes: a remote queue, by its URL. */
static void check_remote(
        struct send_step *step, const struct weir_conf *node, const struct weir_scope *scope)
{
    const struct weir_conf *at = weir_conf_get(node, "url");
    struct weir_http_url url;
    struct weir_err err;
    step->url = weir_arena_str(scope->arena, step->url);
    step->remote = weir_arena_str(scope->arena, step->remote);
    step->dead_letters = weir_arena_str(scope->arena, step->dead_letters);
    if (weir_http_url_parse(step->url, &url, &err) != WEIR_OK) {
        weir_conf_error(scope->diagnostics, at, "%s", err.msg);
        return;
    }
    check_remote_name(step, node, scope);
    if (step->dead_letters.n > 0) {
        weir_scope_queue(scope, weir_conf_get(node, "dead_letters"), step->dead_letters);
    }
    struct weir_queue queue = weir_queue_defaults(step->url);
    queue.fifo = weir_remote_sqs_is_fifo(step->url);
    check_kind(step, &queue, node, scope);
}

static void check_place(
        struct send_step *step, const struct weir_conf *node, const struct weir_scope *scope)
{
    step->queue = weir_arena_str(scope->arena, step->queue);
    bool local = weir_conf_get(node, "queue") != NULL;
    bool remote = weir_conf_get(node, "url") != NULL;
    if (local == remote) {
        weir_conf_error(scope->diagnostics, node,
                "send needs one of: queue (of this weir, by name) and url (of a remote one)");
    } else if (local) {
        check_local(step, node, scope);
    } else {
        check_remote(step, node, scope);
    }
}

static void check(struct weir_step *base, const struct weir_conf *node, struct weir_scope *scope)
{
    struct send_step *step = from_base(base);
    step->has_delay = weir_conf_get(node, "delay") != NULL;
    check_place(step, node, scope);
    if (step->body_node != NULL) {
        step->body = weir_scope_shape(scope, step->body_node);
    }
    if (step->group_node != NULL) {
        step->group = weir_scope_shape(scope, step->group_node);
    }
    if (step->dedup_node != NULL) {
        step->dedup = weir_scope_shape(scope, step->dedup_node);
    }
    if (step->attributes_node != NULL) {
        check_attributes(step, scope);
    }
}

/* --- messages ----------------------------------------------------------------------------- */

/* JSON that was written into a buffer, which is freed. */
static enum weir_rc take_json(
        struct weir_lane *lane, struct weir_buf *buf, struct weir_str *ret, struct weir_err *err)
{
    enum weir_rc rc = weir_buf_check(buf, "the message", err);
    if (rc == WEIR_OK) {
        *ret = weir_message_json(weir_lane_arena(lane), weir_buf_view(buf));
    }
    weir_buf_fini(buf);
    return rc;
}

static enum weir_rc json_text(struct weir_lane *lane, const struct weir_expr_value *value,
        struct weir_str *ret_text, struct weir_err *err)
{
    struct weir_item_builder *builder = weir_item_begin(weir_lane_arena(lane));
    struct weir_value made;
    enum weir_rc rc = weir_expr_to_item(builder, value, err);
    if (rc == WEIR_OK) {
        rc = weir_item_finish_value(builder, &made, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_buf buf;
    weir_buf_init(&buf, 2 * WEIR_QUEUE_MESSAGE_MAX_BYTES);
    weir_ddbjson_write_plain_value(&buf, made);
    return take_json(lane, &buf, ret_text, err);
}

/* A value as text: what has a plain one, and JSON of the rest. */
static enum weir_rc value_text(struct weir_lane *lane, const struct weir_expr_value *value,
        struct weir_str *ret_text, struct weir_err *err)
{
    while (value->kind == WEIR_EXPR_OPTIONAL && value->as.inner != NULL) {
        value = value->as.inner;
    }
    bool nested = value->kind == WEIR_EXPR_LIST || value->kind == WEIR_EXPR_SET ||
                  value->kind == WEIR_EXPR_MAP || value->kind == WEIR_EXPR_NULL;
    return nested ? json_text(lane, value, ret_text, err)
                  : weir_expr_text(weir_lane_arena(lane), value, ret_text, err);
}

static enum weir_rc shape_text(struct weir_lane *lane, const struct weir_shape *shape,
        const struct weir_expr_frame *frame, struct weir_str *ret_text, struct weir_err *err)
{
    struct weir_expr_value value;
    enum weir_rc rc = weir_shape_eval(shape, frame, &value, err);
    return rc == WEIR_OK ? value_text(lane, &value, ret_text, err) : rc;
}

static enum weir_rc make_body(const struct send_step *step, struct weir_lane *lane,
        struct weir_event event, const struct weir_expr_frame *frame, struct weir_str *ret_body,
        struct weir_err *err)
{
    if (step->body == NULL) {
        struct weir_buf buf;
        weir_buf_init(&buf, 2 * WEIR_QUEUE_MESSAGE_MAX_BYTES);
        weir_lane_write_record(lane, event, &buf);
        return take_json(lane, &buf, ret_body, err);
    }
    enum weir_rc rc = shape_text(lane, step->body, frame, ret_body, err);
    if (rc == WEIR_OK && ret_body->n == 0) {
        rc = weir_fail(err, WEIR_E_INVALID, "it is empty");
    }
    return rc != WEIR_OK ? weir_fail_in(err, rc, "body: ") : rc;
}

static enum weir_rc make_attribute(struct weir_lane *lane, const struct attribute *attribute,
        const struct weir_expr_frame *frame, struct weir_message_attribute *ret_attribute,
        struct weir_err *err)
{
    struct weir_expr_value value;
    struct weir_message_attribute made = { attribute->name, WEIR_STR("String"), WEIR_STR("") };
    enum weir_rc rc = weir_shape_eval(attribute->value, frame, &value, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (value.kind == WEIR_EXPR_BYTES) {
        made.type = WEIR_STR("Binary");
        made.value = value.as.str;
    } else {
        bool number = value.kind == WEIR_EXPR_INT || value.kind == WEIR_EXPR_UINT ||
                      value.kind == WEIR_EXPR_DOUBLE || value.kind == WEIR_EXPR_DECIMAL;
        made.type = number ? WEIR_STR("Number") : made.type;
        rc = value_text(lane, &value, &made.value, err);
    }
    if (rc == WEIR_OK && made.value.n == 0) {
        rc = weir_fail(err, WEIR_E_INVALID, "it is empty");
    }
    *ret_attribute = made;
    return rc;
}

static enum weir_rc make_attributes(const struct send_step *step, struct weir_lane *lane,
        const struct weir_expr_frame *frame, struct weir_message *message, struct weir_err *err)
{
    message->attribute_count = step->attribute_count;
    message->attributes = weir_arena_zero(
            weir_lane_arena(lane), step->attribute_count, sizeof(*message->attributes));
    for (size_t i = 0; i < step->attribute_count; i++) {
        const struct attribute *attribute = &step->attributes[i];
        enum weir_rc rc = make_attribute(lane, attribute, frame, &message->attributes[i], err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "attributes: %.*s: ", WEIR_STR_ARG(attribute->name));
        }
    }
    return WEIR_OK;
}

static struct weir_str digest_text(struct weir_lane *lane, struct weir_str text)
{
    unsigned char digest[WEIR_SHA256_BYTES];
    char *hex = weir_arena_alloc(weir_lane_arena(lane), 2 * sizeof(digest) + 1);
    weir_sha256(text.p, text.n, digest);
    weir_hex(digest, sizeof(digest), hex);
    return weir_str_z(hex);
}

/* The item's key, so that what is said about one item stays in order. */
static struct weir_str default_group(struct weir_lane *lane, struct weir_event event)
{
    return digest_text(lane, weir_lane_record_key(lane, event));
}

/* The same for the same message of the same record, whenever it is processed. */
static struct weir_str default_dedup(
        const struct send_step *step, struct weir_lane *lane, struct weir_event event, size_t nth)
{
    char event_id[WEIR_EVENT_ID_TEXT];
    weir_record_event_id(event.record, event_id);
    return digest_text(lane, weir_arena_printf(weir_lane_arena(lane), "%.*s\n%.*s\n%s\n%zu",
                                     WEIR_STR_ARG(weir_lane_pipeline(lane)),
                                     WEIR_STR_ARG(step->base.id), event_id, nth));
}

static enum weir_rc make_ids(const struct send_step *step, struct weir_lane *lane,
        struct weir_event event, size_t nth, const struct weir_expr_frame *frame, bool fifo,
        struct weir_message *message, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    if (step->group != NULL) {
        rc = shape_text(lane, step->group, frame, &message->group, err);
    } else if (fifo) {
        message->group = default_group(lane, event);
    }
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "group: ");
    }
    if (step->dedup != NULL) {
        rc = shape_text(lane, step->dedup, frame, &message->dedup, err);
    } else if (fifo) {
        message->dedup = default_dedup(step, lane, event, nth);
    }
    return rc != WEIR_OK ? weir_fail_in(err, rc, "dedup: ") : rc;
}

/* --- running ------------------------------------------------------------------------------------
 */

/* An intent to send a message to the remote queue, until it is there or too old. */
static enum weir_rc intend(const struct send_step *step, struct weir_lane *lane,
        struct weir_event event, size_t nth, const struct weir_message *message,
        struct weir_err *err)
{
    struct weir_arena *arena = weir_lane_arena(lane);
    const struct weir_remote_message what = {
        .url = step->url,
        .remote = step->remote,
        .message = message,
        .delay_ms = step->has_delay ? &step->delay_ms : NULL,
    };
    struct weir_intent intent = {
        .id = default_dedup(step, lane, event, nth),
        .retry = {
            .retries = UINT64_MAX,
            .backoff = { .pauses_ms = { 1000 }, .count = 1, .max_ms = 60 * 1000 },
            .max_age_ms = step->max_age_ms,
        },
    };
    if (step->dead_letters.n > 0) {
        intent.dead_letter = weir_arena_printf(
                arena, WEIR_DEAD_LETTER_QUEUE "%.*s", WEIR_STR_ARG(step->dead_letters));
    }
    enum weir_rc rc = weir_remote_message_intent(&what, arena, &intent, err);
    return rc == WEIR_OK ? weir_lane_intend(lane, event, &intent, err) : rc;
}

/* queue: NULL for the remote one. */
static enum weir_rc send_one(const struct send_step *step, struct weir_lane *lane,
        struct weir_event event, size_t nth, const struct weir_queue *queue, struct weir_err *err)
{
    struct weir_expr_frame frame = weir_lane_frame(lane, event);
    struct weir_message message = { 0 };
    bool fifo = queue != NULL ? queue->fifo : weir_remote_sqs_is_fifo(step->url);
    enum weir_rc rc = make_body(step, lane, event, &frame, &message.body, err);
    if (rc == WEIR_OK) {
        rc = make_attributes(step, lane, &frame, &message, err);
    }
    if (rc == WEIR_OK) {
        rc = make_ids(step, lane, event, nth, &frame, fifo, &message, err);
    }
    if (rc == WEIR_OK && queue == NULL) {
        return intend(step, lane, event, nth, &message, err);
    }
    if (rc == WEIR_OK) {
        const uint64_t *delay_ms = step->has_delay ? &step->delay_ms : NULL;
        rc = weir_lane_send(lane, event, queue, &message, delay_ms, err);
    }
    return rc;
}

static enum weir_verdict run(struct weir_step *base, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    const struct send_step *step = from_base(base);
    const struct weir_queue *queue = NULL;
    if (step->queue.n > 0 && weir_lane_queue(lane, step->queue, &queue, err) != WEIR_OK) {
        return WEIR_STEP_BLOCKED;
    }
    size_t nth = 0; /* message of its record; the events of one stand together */
    for (size_t i = 0; i < in->count; i++) {
        struct weir_event event = in->all[i];
        struct weir_err why;
        nth = i > 0 && in->all[i - 1].record == event.record ? nth + 1 : 0;
        enum weir_rc rc = send_one(step, lane, event, nth, queue, &why);
        if (rc != WEIR_OK) {
            weir_fail_in(&why, rc,
                    "send to %.*s: ", WEIR_STR_ARG(step->queue.n > 0 ? step->queue : step->url));
            weir_lane_fail(lane, event, &why);
            continue;
        }
        weir_events_add(lane, out, event);
    }
    return WEIR_STEP_DONE;
}

static void fini(struct weir_step *base)
{
    struct send_step *step = from_base(base);
    weir_shape_destroy(step->body);
    weir_shape_destroy(step->group);
    weir_shape_destroy(step->dedup);
    for (size_t i = 0; i < step->attribute_count; i++) {
        weir_shape_destroy(step->attributes[i].value);
    }
}

static struct weir_str sends_to(const struct weir_step *base)
{
    return WEIR_CONTAINER(base, const struct send_step, base)->queue;
}

const struct weir_step_ops weir_step_send = {
    .name = "send",
    .help = "One message into a queue for every event",
    .options = options,
    .size = sizeof(struct send_step),
    .writes = true,
    .check = check,
    .run = run,
    .sends_to = sends_to,
    .fini = fini,
};
