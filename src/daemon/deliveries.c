#include "daemon/deliveries.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/logline.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "outbox/http.h"
#include "remote/sqs.h"
#include "value/json.h"

enum {
    STOP_DEADLINE_MS = 5 * 1000,
    AGAIN_MS = 1000, /* after the outbox could not run */
    LETTER_MAX_BYTES = 32 * 1024 * 1024,
    FIFO_TEXT_MAX = 128, /* of a group and of a de-duplication id */
};

struct weir_deliveries {
    struct weir_deliveries_options options;
    struct weir_outbox *outbox;
    struct weir_http_client *client; /* NULL: no network */
    struct weir_outbox_http *http;
    struct weir_remote_sqs *sqs;
    struct weir_loop_timer timer;
    struct weir_post post;
    _Atomic bool woken;
    bool finished;

    struct {
        enum weir_rc (*give_up)(void *arg, struct weir_txn *txn,
                const struct weir_delivery *delivery, const struct weir_give_up *why,
                const void **ret_held, struct weir_err *err);
        void *arg;
    } letters[WEIR_INTENT_KINDS];

    struct weir_loop_timer stop_timer;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

/* --- the outbox on the loop ------------------------------------------------------------------ */

static void run(struct weir_deliveries *deliveries)
{
    struct weir_err err;
    if (deliveries->finished || weir_outbox_run(deliveries->outbox, &err) == WEIR_OK) {
        return;
    }
    weir_logline(WEIR_LOG_ERROR, "outbox.failed", "reason", err.msg, NULL);
    weir_loop_timer_start(&deliveries->timer, AGAIN_MS);
}

static void due(struct weir_loop_timer *timer)
{
    run(WEIR_CONTAINER(timer, struct weir_deliveries, timer));
}

static void posted(struct weir_post *post)
{
    struct weir_deliveries *deliveries = WEIR_CONTAINER(post, struct weir_deliveries, post);
    atomic_store(&deliveries->woken, false);
    run(deliveries);
}

static void changed(void *arg)
{
    struct weir_deliveries *deliveries = arg;
    if (!atomic_exchange(&deliveries->woken, true)) {
        weir_loop_post(deliveries->options.loop, &deliveries->post);
    }
}

static void wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct weir_deliveries *deliveries = arg;
    if (never) {
        weir_loop_timer_stop(&deliveries->timer);
    } else {
        weir_loop_timer_start(&deliveries->timer, after_ms);
    }
}

static void log_event(void *arg, const struct weir_outbox_event *event)
{
    static const struct {
        enum weir_level level;
        const char *what;
    } lines[] = {
        [WEIR_OUTBOX_BLOCKED] = { WEIR_LOG_WARN, "outbox.blocked" },
        [WEIR_OUTBOX_UNBLOCKED] = { WEIR_LOG_INFO, "outbox.unblocked" },
        [WEIR_OUTBOX_RETRY] = { WEIR_LOG_INFO, "outbox.retry" },
        [WEIR_OUTBOX_GIVEN_UP] = { WEIR_LOG_ERROR, "outbox.given_up" },
    };
    (void)arg;
    char attempts[24];
    char *target = weir_strndup(event->target.p, event->target.n);
    char *id = weir_strndup(event->id.p, event->id.n);
    snprintf(attempts, sizeof(attempts), "%llu", (unsigned long long)event->attempts);
    weir_logline(lines[event->event].level, lines[event->event].what, "kind", event->kind, "target",
            target, "id", id, "attempts", attempts, "reason", event->reason, NULL);
    weir_free(id);
    weir_free(target);
}

/* --- dead letters ------------------------------------------------------------------------------
 */

/* What AWS's destinations get of an invocation that failed, for any kind of intent. */
static void write_letter(const struct weir_deliveries *deliveries, struct weir_buf *buf,
        const struct weir_delivery *delivery, const struct weir_give_up *why, bool whole)
{
    char time[WEIR_TIME_TEXT];
    char created[WEIR_TIME_TEXT];
    weir_time_format(why->time, time);
    weir_time_format(delivery->created, created);
    weir_buf_printf(buf, "{\"version\":\"1.0\",\"timestamp\":\"%s\",\"requestContext\":{", time);
    weir_buf_z(buf, "\"requestId\":");
    weir_json_write_string(buf, delivery->id);
    weir_buf_z(buf, ",\"target\":");
    weir_json_write_string(buf, delivery->target);
    weir_buf_printf(buf,
            ",\"created\":\"%s\",\"condition\":\"%s\",\"approximateInvokeCount\":%llu},"
            "\"error\":",
            created, why->too_old ? "EventAgeExceeded" : "RetriesExhausted",
            (unsigned long long)why->attempts);
    weir_json_write_string(buf, weir_str_z(why->err->msg));
    if (whole) {
        weir_buf_z(buf, ",\"requestPayload\":");
        weir_outbox_describe(deliveries->outbox, delivery, buf);
    } else {
        weir_buf_z(buf, ",\"incomplete\":true");
    }
    weir_buf_byte(buf, '}');
}

static struct weir_str cut(struct weir_str text)
{
    return weir_str(text.p, text.n < FIFO_TEXT_MAX ? text.n : FIFO_TEXT_MAX);
}

static enum weir_rc send_letter(struct weir_deliveries *deliveries, struct weir_txn *txn,
        const struct weir_queue *queue, const struct weir_delivery *delivery,
        const struct weir_give_up *why, struct weir_err *err)
{
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    struct weir_buf buf;
    weir_buf_init(&buf, LETTER_MAX_BYTES);
    write_letter(deliveries, &buf, delivery, why, true);
    if (buf.overflow || buf.n > queue->max_bytes) {
        weir_buf_reset(&buf);
        write_letter(deliveries, &buf, delivery, why, false);
    }
    send->queue = queue;
    send->strict = true;
    send->message.body = weir_arena_str(&txn->arena, weir_buf_view(&buf));
    send->message.causation = weir_arena_str(&txn->arena, delivery->causation);
    send->message.hops = delivery->hops;
    if (queue->fifo) {
        send->message.group = weir_arena_str(&txn->arena, cut(delivery->id));
        send->message.dedup = send->message.group;
    }
    weir_buf_fini(&buf);
    return weir_queue_send(deliveries->options.queues, send, txn, err);
}

static enum weir_rc give_up(void *arg, struct weir_txn *txn, const struct weir_delivery *delivery,
        const struct weir_give_up *why, const void **ret_held, struct weir_err *err)
{
    struct weir_deliveries *deliveries = arg;
    if (deliveries->letters[delivery->kind].give_up != NULL) {
        return deliveries->letters[delivery->kind].give_up(
                deliveries->letters[delivery->kind].arg, txn, delivery, why, ret_held, err);
    }
    struct weir_str place = delivery->dead_letter;
    const struct weir_str prefix = WEIR_STR(WEIR_DEAD_LETTER_QUEUE);
    if (!weir_str_starts(place, prefix)) {
        return weir_fail(err, WEIR_E_UNSUPPORTED, "'%.*s' is no place for dead letters",
                WEIR_STR_ARG(place));
    }
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = weir_queues_get(deliveries->options.queues,
            weir_str(place.p + prefix.n, place.n - prefix.n), &queue, err);
    if (rc == WEIR_OK) {
        *ret_held = queue;
        rc = send_letter(deliveries, txn, queue, delivery, why, err);
    }
    return rc;
}

static void release(void *arg, const void *held)
{
    (void)arg;
    weir_queue_unref(held);
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void stop_in_time(struct weir_loop_timer *timer);

static enum weir_rc start(struct weir_deliveries *deliveries, struct weir_err *err)
{
    const struct weir_http_client_options client = { 0 };
    const struct weir_outbox_options outbox = {
        .store = deliveries->options.store,
        .metrics = deliveries->options.metrics,
        .host = {
            .wake_at = wake_at,
            .changed = changed,
            .give_up = give_up,
            .release = release,
            .log = log_event,
            .arg = deliveries,
        },
    };
    enum weir_rc rc = weir_outbox_create(&outbox, &deliveries->outbox, err);
    if (rc != WEIR_OK || !deliveries->options.network) {
        return rc;
    }
    rc = weir_http_client_create(deliveries->options.loop, &client, &deliveries->client, err);
    if (rc == WEIR_OK) {
        deliveries->http = weir_outbox_http_create(deliveries->outbox, deliveries->client);
        deliveries->sqs = weir_remote_sqs_create(deliveries->outbox, deliveries->client,
                deliveries->options.remotes, deliveries->options.remote_count);
    }
    return rc;
}

enum weir_rc weir_deliveries_create(const struct weir_deliveries_options *options,
        struct weir_deliveries **ret_deliveries, struct weir_err *err)
{
    struct weir_deliveries *deliveries = weir_alloc_zero(1, sizeof(*deliveries));
    deliveries->options = *options;
    deliveries->post.run = posted;
    weir_loop_timer_init(&deliveries->timer, options->loop, due);
    weir_loop_timer_init(&deliveries->stop_timer, options->loop, stop_in_time);
    enum weir_rc rc = start(deliveries, err);
    *ret_deliveries = deliveries; /* also a half-made one: it can only go when the loop is gone */
    if (rc == WEIR_OK) {
        changed(deliveries);
    }
    return rc;
}

struct weir_outbox *weir_deliveries_outbox(struct weir_deliveries *deliveries)
{
    return deliveries->outbox;
}

void weir_deliveries_letters(struct weir_deliveries *deliveries, enum weir_intent_kind kind,
        enum weir_rc (*letter)(void *arg, struct weir_txn *txn,
                const struct weir_delivery *delivery, const struct weir_give_up *why,
                const void **ret_held, struct weir_err *err),
        void *arg)
{
    deliveries->letters[kind].give_up = letter;
    deliveries->letters[kind].arg = arg;
}

static void tell_stopped(void *arg)
{
    struct weir_deliveries *deliveries = arg;
    weir_loop_timer_stop(&deliveries->stop_timer);
    void (*stopped)(void *arg) = deliveries->stopped;
    deliveries->stopped = NULL;
    if (stopped != NULL) {
        stopped(deliveries->stopped_arg);
    }
}

static void stop_in_time(struct weir_loop_timer *timer)
{
    tell_stopped(WEIR_CONTAINER(timer, struct weir_deliveries, stop_timer));
}

void weir_deliveries_stop(struct weir_deliveries *deliveries, void (*stopped)(void *arg), void *arg)
{
    deliveries->stopped = stopped;
    deliveries->stopped_arg = arg;
    weir_loop_timer_start(&deliveries->stop_timer, STOP_DEADLINE_MS);
    weir_outbox_stop(deliveries->outbox, tell_stopped, deliveries);
}

void weir_deliveries_finish(struct weir_deliveries *deliveries)
{
    if (deliveries == NULL) {
        return;
    }
    deliveries->finished = true;
    deliveries->stopped = NULL;
    weir_http_client_destroy(WEIR_TAKE(deliveries->client));
    weir_outbox_http_destroy(WEIR_TAKE(deliveries->http));
    weir_remote_sqs_destroy(WEIR_TAKE(deliveries->sqs));
    weir_outbox_destroy(WEIR_TAKE(deliveries->outbox));
    weir_loop_timer_fini(&deliveries->timer);
    weir_loop_timer_fini(&deliveries->stop_timer);
}

void weir_deliveries_destroy(struct weir_deliveries *deliveries)
{
    weir_free(deliveries);
}
