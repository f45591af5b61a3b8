/* Alarms at run time: when metrics are read, what becomes of a change, and what is kept. */
#include "alarm/alarm.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "alarm/alarm_int.h"
#include "base/mem.h"
#include "net/http_url.h"
#include "state/state.h"
#include "value/json.h"

enum {
    LOOKS = 6, /* at a metric in a period */
    REASON_MAX_BYTES = 4096,
    MESSAGE_MAX_BYTES = 64 * 1024,
    MESSAGES_MAX = 100, /* of an alarm that wait because nothing can be stored */
    RETRY_MS = 1000,    /* after a state could not be stored */
    MESSAGE_ID = 48,
    STORED_VERSION = 1,
    STORED_HEAD = 2 + sizeof(int64_t),
};

static const uint64_t ms_ns = 1000 * 1000;

/* A message that is to be sent with the state that it tells of. */
struct message {
    const struct weir_alarm_action *action; /* the model's */
    struct weir_buf body;
    char id[MESSAGE_ID];
    const void *held; /* the host's, while a transaction sends it; or NULL */
    struct message *next;
};

struct alarm {
    struct weir_alarms *all;
    const struct weir_alarm_model *model;
    struct weir_gauge *gauge;

    /* What is known. */
    enum weir_alarm_state state;
    struct weir_time since;
    struct weir_buf reason;
    struct weir_alarm_datapoint *points; /* the latest, oldest first */
    size_t point_count;

    /* The period that runs. */
    uint64_t period_end_ns;
    uint64_t look_ns; /* when to look next */
    struct weir_time period_begin;
    struct weir_alarm_sample sample;
    struct weir_alarm_base base;

    /* Storing. */
    bool dirty;               /* the store does not have the state */
    uint64_t retry_ns;        /* not before */
    struct message *messages; /* that go with it */
    struct message **last_message;
    size_t message_count;
    size_t sending;       /* of them, those of the transaction under way */
    bool saving;          /* until the outcome was looked at */
    _Atomic bool settled; /* the commit thread has left the outcome: */
    struct weir_err outcome;
};

struct weir_alarms {
    struct weir_alarms_options options;
    const struct weir_clock *clock;
    struct alarm *alarms;
    size_t count;
    bool started;
    struct weir_err failure; /* of this run */
};

/* --- what is kept --------------------------------------------------------------------------- */

/* A pipeline's state begins with its name, which is never empty. */
static struct weir_str state_key(struct weir_arena *arena, const struct weir_alarm_model *model)
{
    static const char prefix[] = "\0alarm"; /* with the zero behind it */
    char *key = weir_arena_alloc(arena, sizeof(prefix) + model->name.n);
    memcpy(key, prefix, sizeof(prefix));
    memcpy(key + sizeof(prefix), model->name.p, model->name.n);
    return weir_str(key, sizeof(prefix) + model->name.n);
}

/* version, state, since when, reason */
static struct weir_str encode(struct weir_arena *arena, const struct alarm *alarm)
{
    char *p = weir_arena_alloc(arena, STORED_HEAD + alarm->reason.n);
    p[0] = STORED_VERSION;
    p[1] = (char)alarm->state;
    memcpy(p + 2, &alarm->since.ms, sizeof(int64_t));
    if (alarm->reason.n > 0) {
        memcpy(p + STORED_HEAD, alarm->reason.p, alarm->reason.n);
    }
    return weir_str(p, STORED_HEAD + alarm->reason.n);
}

static enum weir_rc decode(struct alarm *alarm, struct weir_str value, struct weir_err *err)
{
    if (value.n < STORED_HEAD || value.p[0] != STORED_VERSION || value.p[1] < 0 ||
            value.p[1] >= WEIR_ALARM_STATES) {
        return weir_fail(err, WEIR_E_DAMAGED,
                "the state of alarm %.*s has %zu bytes or an unknown form",
                WEIR_STR_ARG(alarm->model->name), value.n);
    }
    alarm->state = (enum weir_alarm_state)value.p[1];
    memcpy(&alarm->since.ms, value.p + 2, sizeof(int64_t));
    weir_buf_reset(&alarm->reason);
    weir_buf_add(&alarm->reason, value.p + STORED_HEAD, value.n - STORED_HEAD);
    return WEIR_OK;
}

static enum weir_rc load(struct alarm *alarm, struct weir_err *err)
{
    struct weir_arena arena;
    struct weir_entry entry;
    struct weir_state state;
    weir_arena_init(&arena);
    struct weir_str key = state_key(&arena, alarm->model);
    struct weir_store *store = alarm->all->options.store;
    enum weir_rc rc = weir_store_get(store, WEIR_SPACE_STATE, key, &arena, &entry, err);
    if (rc == WEIR_OK && entry.pos.seq != 0) {
        rc = weir_state_decode(entry.value, &state, err);
        rc = rc == WEIR_OK ? decode(alarm, state.value, err) : rc;
    }
    weir_arena_fini(&arena);
    return rc;
}

static void saved(struct weir_txn *txn)
{
    struct alarm *alarm = txn->arg;
    alarm->outcome = txn->err;
    alarm->outcome.code = txn->rc;
    weir_txn_destroy(txn);
    atomic_store(&alarm->settled, true);
}

/* The transaction is no more. */
static void release_messages(struct alarm *alarm)
{
    const struct weir_alarm_host *host = &alarm->all->options.host;
    for (struct message *m = alarm->messages; m != NULL; m = m->next) {
        if (m->held != NULL) {
            host->release(host->arg, m->held);
            m->held = NULL;
        }
    }
}

static void drop_messages(struct alarm *alarm, size_t count)
{
    for (; count > 0 && alarm->messages != NULL; count--) {
        struct message *message = alarm->messages;
        alarm->messages = message->next;
        alarm->message_count--;
        weir_buf_fini(&message->body);
        weir_free(message);
    }
    if (alarm->messages == NULL) {
        alarm->last_message = &alarm->messages;
    }
}

static void add_messages(struct alarm *alarm, struct weir_txn *txn)
{
    struct weir_alarms *all = alarm->all;
    const struct weir_alarm_host *host = &all->options.host;
    alarm->sending = alarm->message_count;
    for (struct message *m = alarm->messages; m != NULL; m = m->next) {
        struct weir_alarm_message message = {
            .queue = m->action->queue,
            .url = m->action->url,
            .alarm = alarm->model->name,
            .id = weir_arena_str(&txn->arena, weir_str_z(m->id)),
            .body = weir_arena_str(&txn->arena, weir_buf_view(&m->body)),
        };
        struct weir_err err;
        if (host->send(host->arg, txn, &message, &m->held, &err) != WEIR_OK) {
            all->failure = err;
            weir_fail_in(&all->failure, err.code,
                    "alarm %.*s, message to %s%.*s: ", WEIR_STR_ARG(alarm->model->name),
                    m->action->queue.n > 0 ? "queue " : "its URL", WEIR_STR_ARG(m->action->queue));
        }
    }
}

static void save(struct alarm *alarm)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_state before = { 0 }; /* it never expires, so what it was does not matter */
    struct weir_state after = { .value = encode(&txn->arena, alarm) };
    weir_state_change(txn, state_key(&txn->arena, alarm->model), &before, &after);
    add_messages(alarm, txn);
    txn->lane = true;
    txn->urgent = true; /* a full disk is what alarms are for */
    txn->done = saved;
    txn->arg = alarm;
    alarm->dirty = false;
    alarm->saving = true;
    atomic_store(&alarm->settled, false);
    weir_store_submit(alarm->all->options.store, txn);
}

/* Look at how storing went, and store what is not stored yet. */
static void keep(struct alarm *alarm, uint64_t now_ns)
{
    if (alarm->saving && atomic_load(&alarm->settled)) {
        alarm->saving = false;
        release_messages(alarm);
        if (alarm->outcome.code == WEIR_OK) {
            drop_messages(alarm, alarm->sending);
        } else {
            alarm->dirty = true;
            alarm->retry_ns = now_ns + RETRY_MS * ms_ns;
            alarm->all->failure = alarm->outcome;
        }
    }
    if (alarm->dirty && !alarm->saving && now_ns >= alarm->retry_ns) {
        save(alarm);
    }
}

/* --- changes ---------------------------------------------------------------------------------- */

static void queue_message(struct alarm *alarm, const struct weir_alarm_change *change,
        const struct weir_alarm_action *action)
{
    if (alarm->all->options.host.send == NULL || alarm->message_count == MESSAGES_MAX) {
        return;
    }
    struct message *message = weir_alloc_zero(1, sizeof(*message));
    message->action = action;
    weir_buf_init(&message->body, MESSAGE_MAX_BYTES);
    weir_alarm_write_message(&message->body, change, alarm->since);
    snprintf(message->id, sizeof(message->id), "%lld.%s", (long long)alarm->since.ms,
            weir_alarm_state_name(change->to));
    *alarm->last_message = message;
    alarm->last_message = &message->next;
    alarm->message_count++;
}

static void act(struct alarm *alarm, const struct weir_alarm_change *change)
{
    const struct weir_alarm_host *host = &alarm->all->options.host;
    const struct weir_alarm_actions *actions = &alarm->model->actions[change->to];
    for (size_t i = 0; i < actions->count; i++) {
        if (actions->all[i].queue.n > 0 || actions->all[i].url.n > 0) {
            queue_message(alarm, change, &actions->all[i]);
        } else {
            host->log(host->arg, change);
        }
    }
}

static void decide(struct alarm *alarm)
{
    struct weir_alarm_verdict verdict =
            weir_alarm_decide(alarm->model, alarm->points, alarm->point_count, alarm->state);
    if (verdict.state == alarm->state) {
        return;
    }
    struct weir_alarm_change change = {
        .alarm = alarm->model,
        .from = alarm->state,
        .to = verdict.state,
    };
    weir_buf_reset(&alarm->reason);
    weir_alarm_write_reason(&alarm->reason, alarm->model, alarm->points, alarm->point_count,
            &verdict, alarm->state);
    alarm->state = verdict.state;
    alarm->since = weir_clock_wall(alarm->all->clock);
    alarm->dirty = true;
    weir_gauge_set(alarm->gauge, (int64_t)alarm->state);
    change.reason = weir_buf_view(&alarm->reason);
    act(alarm, &change);
}

/* --- periods ------------------------------------------------------------------------------------
 */

static size_t points_max(const struct weir_alarm_model *model)
{
    return model->periods + WEIR_ALARM_LOOK_BACK;
}

static void add_point(struct alarm *alarm, struct weir_alarm_datapoint point)
{
    if (alarm->point_count == points_max(alarm->model)) {
        alarm->point_count--;
        memmove(alarm->points, alarm->points + 1, alarm->point_count * sizeof(point));
    }
    alarm->points[alarm->point_count++] = point;
}

static void look(struct alarm *alarm)
{
    struct weir_metric_reading reading;
    weir_metrics_read(alarm->all->options.metrics, alarm->model->metric, alarm->model->labels,
            alarm->model->label_count, &reading);
    weir_alarm_sample_add(alarm->model, &alarm->sample, &alarm->base, &reading);
}

/* When to look after now: at the next sixth of the period, or at its end. */
static uint64_t next_look(const struct alarm *alarm, uint64_t now_ns)
{
    uint64_t period_ns = alarm->model->period_ms * ms_ns;
    bool at_end_only = alarm->sample.grows || alarm->model->statistic == WEIR_ALARM_RATE;
    if (at_end_only) {
        return alarm->period_end_ns;
    }
    uint64_t begin_ns = alarm->period_end_ns - period_ns;
    uint64_t part_ns = period_ns / LOOKS;
    uint64_t next_ns = begin_ns + ((now_ns - begin_ns) / part_ns + 1) * part_ns;
    return next_ns + part_ns > alarm->period_end_ns ? alarm->period_end_ns : next_ns;
}

static void begin_period(struct alarm *alarm, uint64_t end_ns, uint64_t now_ns)
{
    bool grows = alarm->sample.grows;
    alarm->period_end_ns = end_ns;
    alarm->period_begin = weir_clock_wall(alarm->all->clock);
    alarm->sample = (struct weir_alarm_sample){ 0 };
    alarm->sample.grows = grows;
    alarm->look_ns = next_look(alarm, now_ns);
}

/* The period is over, and maybe more of them when nobody came to look: those have no data. */
static void end_period(struct alarm *alarm, uint64_t now_ns)
{
    const struct weir_alarm_model *model = alarm->model;
    uint64_t period_ns = model->period_ms * ms_ns;
    uint64_t missed = (now_ns - alarm->period_end_ns) / period_ns;
    struct weir_alarm_datapoint point =
            weir_alarm_sample_end(model, &alarm->sample, alarm->period_begin);
    add_point(alarm, point);
    for (uint64_t i = 0; i < missed && i < points_max(model); i++) {
        point = (struct weir_alarm_datapoint){ .at = weir_clock_wall(alarm->all->clock) };
        add_point(alarm, point);
    }
    decide(alarm);
    begin_period(alarm, alarm->period_end_ns + (missed + 1) * period_ns, now_ns);
}

static bool is_due(const struct weir_alarms *alarms, uint64_t now_ns)
{
    for (size_t i = 0; i < alarms->count; i++) {
        if (alarms->alarms[i].look_ns <= now_ns) {
            return true;
        }
    }
    return false;
}

static void run_alarm(struct alarm *alarm, uint64_t now_ns)
{
    if (alarm->look_ns <= now_ns) {
        look(alarm);
        if (!alarm->all->started) {
            begin_period(alarm, now_ns + alarm->model->period_ms * ms_ns, now_ns);
        } else if (now_ns >= alarm->period_end_ns) {
            end_period(alarm, now_ns);
        } else {
            alarm->look_ns = next_look(alarm, now_ns);
        }
    }
    keep(alarm, now_ns);
}

static void ask_to_be_woken(const struct weir_alarms *alarms, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;
    for (size_t i = 0; i < alarms->count; i++) {
        const struct alarm *alarm = &alarms->alarms[i];
        next_ns = alarm->look_ns < next_ns ? alarm->look_ns : next_ns;
        /* Whether it was stored is looked at once more, without waiting for the next look. */
        uint64_t retry_ns = alarm->saving  ? now_ns + RETRY_MS * ms_ns
                            : alarm->dirty ? alarm->retry_ns
                                           : UINT64_MAX;
        next_ns = retry_ns < next_ns ? retry_ns : next_ns;
    }
    uint64_t after_ns = next_ns > now_ns ? next_ns - now_ns : 0;
    const struct weir_alarm_host *host = &alarms->options.host;
    host->wake_at(host->arg, (after_ns + ms_ns - 1) / ms_ns);
}

enum weir_rc weir_alarms_run(struct weir_alarms *alarms, struct weir_err *err)
{
    if (alarms->count == 0) {
        return WEIR_OK;
    }
    uint64_t now_ns = weir_clock_monotonic_ns(alarms->clock);
    const struct weir_alarm_host *host = &alarms->options.host;
    alarms->failure.code = WEIR_OK;
    if (is_due(alarms, now_ns) && host->refresh != NULL) {
        host->refresh(host->arg);
    }
    for (size_t i = 0; i < alarms->count; i++) {
        run_alarm(&alarms->alarms[i], now_ns);
    }
    alarms->started = true;
    ask_to_be_woken(alarms, now_ns);
    if (alarms->failure.code != WEIR_OK && err != NULL) {
        *err = alarms->failure;
    }
    return alarms->failure.code;
}

/* --- life
 * ------------------------------------------------------------------------------------------ */

static enum weir_rc init_alarm(struct alarm *alarm, struct weir_alarms *all,
        const struct weir_alarm_model *model, struct weir_err *err)
{
    char labels[WEIR_ALARM_NAME_MAX + 16];
    alarm->all = all;
    alarm->model = model;
    alarm->last_message = &alarm->messages;
    alarm->state = WEIR_ALARM_INSUFFICIENT;
    alarm->since = weir_clock_wall(all->clock);
    alarm->points = weir_alloc_zero(points_max(model), sizeof(*alarm->points));
    weir_buf_init(&alarm->reason, REASON_MAX_BYTES);
    weir_buf_z(&alarm->reason, "Unchecked: no period is over yet");
    snprintf(labels, sizeof(labels), "alarm=\"%.*s\"", WEIR_STR_ARG(model->name));
    alarm->gauge = weir_metrics_gauge(all->options.metrics, "weir_alarm_state", labels,
            "State of an alarm: 0 OK, 1 ALARM, 2 INSUFFICIENT_DATA");
    enum weir_rc rc = load(alarm, err);
    weir_gauge_set(alarm->gauge, (int64_t)alarm->state);
    return rc;
}

enum weir_rc weir_alarms_create(const struct weir_alarms_options *options,
        struct weir_alarms **ret_alarms, struct weir_err *err)
{
    struct weir_alarms *alarms = weir_alloc_zero(1, sizeof(*alarms));
    enum weir_rc rc = WEIR_OK;
    alarms->options = *options;
    alarms->clock = weir_store_clock(options->store);
    alarms->alarms = weir_alloc_zero(options->count, sizeof(*alarms->alarms));
    for (size_t i = 0; rc == WEIR_OK && i < options->count; i++) {
        alarms->count++;
        rc = init_alarm(&alarms->alarms[i], alarms, &options->models[i], err);
    }
    if (rc != WEIR_OK) {
        weir_alarms_destroy(alarms);
        return rc;
    }
    *ret_alarms = alarms;
    return WEIR_OK;
}

void weir_alarms_destroy(struct weir_alarms *alarms)
{
    if (alarms == NULL) {
        return;
    }
    for (size_t i = 0; i < alarms->count; i++) {
        struct alarm *alarm = &alarms->alarms[i];
        release_messages(alarm);
        drop_messages(alarm, alarm->message_count);
        weir_buf_fini(&alarm->reason);
        weir_free(alarm->points);
    }
    weir_free(alarms->alarms);
    weir_free(alarms);
}

/* --- telling
 * ---------------------------------------------------------------------------------------- */

static void write_actions(struct weir_buf *buf, const struct weir_alarm_actions *actions)
{
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < actions->count; i++) {
        weir_buf_z(buf, i > 0 ? "," : "");
        if (actions->all[i].queue.n > 0) {
            weir_buf_z(buf, "{\"queue\":");
            weir_json_write_string(buf, actions->all[i].queue);
            weir_buf_byte(buf, '}');
        } else if (actions->all[i].url.n > 0) {
            weir_buf_z(buf, "{\"http\":");
            weir_json_write_string(buf, weir_http_url_origin(actions->all[i].url));
            weir_buf_byte(buf, '}');
        } else {
            weir_buf_z(buf, "\"log\"");
        }
    }
    weir_buf_byte(buf, ']');
}

static void write_alarm(struct weir_buf *buf, const struct alarm *alarm)
{
    const struct weir_alarm_model *model = alarm->model;
    char since[WEIR_TIME_TEXT];
    weir_time_format(alarm->since, since);
    weir_buf_z(buf, "{\"name\":");
    weir_json_write_string(buf, model->name);
    weir_buf_printf(buf,
            ",\"state\":\"%s\",\"since\":\"%s\",\"value\":", weir_alarm_state_name(alarm->state),
            since);
    const struct weir_alarm_datapoint *last =
            alarm->point_count > 0 ? &alarm->points[alarm->point_count - 1] : NULL;
    if (last != NULL && last->there) {
        weir_alarm_write_number(buf, last->value);
    } else {
        weir_buf_z(buf, "null");
    }
    weir_buf_z(buf, ",\"reason\":");
    weir_json_write_string(buf, weir_buf_view(&alarm->reason));
    if (model->description.n > 0) {
        weir_buf_z(buf, ",\"description\":");
        weir_json_write_string(buf, model->description);
    }
    weir_buf_byte(buf, ',');
    weir_alarm_write_definition(buf, model);
    weir_buf_z(buf, ",\"actions\":");
    write_actions(buf, &model->actions[WEIR_ALARM_ALARM]);
    weir_buf_z(buf, ",\"ok_actions\":");
    write_actions(buf, &model->actions[WEIR_ALARM_OK]);
    weir_buf_z(buf, ",\"insufficient_actions\":");
    write_actions(buf, &model->actions[WEIR_ALARM_INSUFFICIENT]);
    weir_buf_byte(buf, '}');
}

void weir_alarms_write(const struct weir_alarms *alarms, struct weir_buf *buf)
{
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < alarms->count; i++) {
        weir_buf_z(buf, i > 0 ? "," : "");
        write_alarm(buf, &alarms->alarms[i]);
    }
    weir_buf_byte(buf, ']');
}
