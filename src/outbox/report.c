/* What the outbox tells about itself: metrics, status, log lines. */
#include <stdio.h>

#include "base/mem.h"
#include "outbox/outbox_int.h"
#include "value/json.h"

enum { SERIES_MAX = 1000, LABELS_MAX_BYTES = 8 * 1024 };

struct weir_outbox_series {
    struct weir_gauge *pending;
    struct weir_gauge *oldest;
    struct weir_gauge *blocked;
    struct weir_counter *delivered;
    struct weir_counter *failed;
    struct weir_counter *retries;
    UT_hash_handle hh;
    size_t n;
    char name[]; /* the lane's; empty: of all that came too late to get one */
};

/* --- metrics ---------------------------------------------------------------------------- */

/* A label's value as Prometheus wants it. */
static void write_label(struct weir_buf *buf, const char *name, struct weir_str value)
{
    weir_buf_printf(buf, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\n') {
            weir_buf_z(buf, "\\n");
            continue;
        }
        weir_buf_z(buf, value.p[i] == '"' || value.p[i] == '\\' ? "\\" : "");
        weir_buf_byte(buf, value.p[i]);
    }
    weir_buf_byte(buf, '"');
}

static const char *kind_name(const struct weir_outbox_lane *lane)
{
    const char *name = lane->outbox->kinds[lane->kind].name;
    return name != NULL ? name : "unknown";
}

static void create_metrics(struct weir_outbox_series *series, struct weir_metrics *metrics,
        const char *kind, struct weir_str target)
{
    struct weir_buf labels;
    weir_buf_init(&labels, LABELS_MAX_BYTES);
    write_label(&labels, "kind", weir_str_z(kind));
    weir_buf_byte(&labels, ',');
    write_label(&labels, "target", target);
    weir_buf_byte(&labels, '\0');
    const char *text = labels.p;
    series->pending = weir_metrics_gauge(metrics, "weir_outbox_pending", text,
            "Intents that are committed and not delivered yet");
    series->oldest = weir_metrics_gauge(
            metrics, "weir_outbox_oldest_seconds", text, "Age of the oldest of them");
    series->blocked = weir_metrics_gauge(metrics, "weir_outbox_blocked", text,
            "1 while deliveries wait for their target, else 0");
    series->delivered = weir_metrics_counter(
            metrics, "weir_outbox_delivered_total", text, "Intents that were delivered");
    series->failed = weir_metrics_counter(
            metrics, "weir_outbox_failed_total", text, "Intents that were given up");
    series->retries = weir_metrics_counter(
            metrics, "weir_outbox_retries_total", text, "Attempts that failed and are made again");
    weir_buf_fini(&labels);
}

struct weir_outbox_series *weir_outbox_series_of(const struct weir_outbox_lane *lane)
{
    struct weir_outbox *outbox = lane->outbox;
    struct weir_outbox_series *series = lane->series;
    if (series != NULL) {
        return series;
    }
    bool full = HASH_COUNT(outbox->series) >= SERIES_MAX;
    struct weir_str name = lane->name;
    HASH_FIND(hh, outbox->series, name.p, name.n, series);
    if (series == NULL && full) {
        name = WEIR_STR("");
        HASH_FIND(hh, outbox->series, name.p, name.n, series);
    }
    if (series == NULL) {
        series = weir_alloc_zero(1, sizeof(*series) + name.n);
        series->n = name.n;
        memcpy(series->name, name.p, name.n);
        create_metrics(series, outbox->options.metrics, full ? "other" : kind_name(lane),
                full ? WEIR_STR("other") : lane->target);
        HASH_ADD_KEYPTR(hh, outbox->series, series->name, series->n, series);
    }
    return series;
}

void weir_outbox_count_delivered(struct weir_outbox_series *series)
{
    weir_counter_add(series->delivered, 1);
}

void weir_outbox_count_failed(struct weir_outbox_series *series)
{
    weir_counter_add(series->failed, 1);
}

void weir_outbox_count_retry(struct weir_outbox_series *series)
{
    weir_counter_add(series->retries, 1);
}

void weir_outbox_series_free(struct weir_outbox *outbox)
{
    struct weir_outbox_series *series = NULL;
    struct weir_outbox_series *other = NULL;
    HASH_ITER(hh, outbox->series, series, other)
    {
        HASH_DELETE(hh, outbox->series, series);
        weir_free(series);
    }
}

static uint64_t pending_of(const struct weir_outbox_lane *lane)
{
    struct weir_arena arena;
    struct weir_entry entry;
    struct weir_intent_numbers numbers = { 0 };
    weir_arena_init(&arena);
    struct weir_str key = weir_intent_key(&arena, WEIR_INTENT_LANES, lane->name, NULL);
    if (weir_store_get(lane->outbox->options.store, WEIR_SPACE_INTENT, key, &arena, &entry, NULL) !=
                    WEIR_OK ||
            weir_intent_numbers_read(entry.value, &numbers, NULL) != WEIR_OK) {
        numbers.pending = lane->count; /* at least; weir_outbox_run tells what is wrong */
    }
    weir_arena_fini(&arena);
    return numbers.pending;
}

static uint64_t oldest_ms(const struct weir_outbox_lane *lane)
{
    int64_t now_ms = weir_clock_wall(lane->outbox->clock).ms;
    bool aged = lane->first != NULL && lane->first->head.created.ms < now_ms;
    return aged ? (uint64_t)(now_ms - lane->first->head.created.ms) : 0;
}

static bool is_blocked(const struct weir_outbox_lane *lane)
{
    return lane->refusals > 0 || lane->stuck || lane->outbox->kinds[lane->kind].begin == NULL;
}

void weir_outbox_refresh(struct weir_outbox *outbox)
{
    if (outbox == NULL) {
        return;
    }
    for (struct weir_outbox_lane *lane = outbox->lanes; lane != NULL; lane = lane->hh.next) {
        lane->series = weir_outbox_series_of(lane); /* one that was not run yet has none */
    }
    for (struct weir_outbox_series *s = outbox->series; s != NULL; s = s->hh.next) {
        weir_gauge_set(s->pending, 0);
        weir_gauge_set(s->oldest, 0);
        weir_gauge_set(s->blocked, 0);
    }
    for (struct weir_outbox_lane *lane = outbox->lanes; lane != NULL; lane = lane->hh.next) {
        int64_t oldest = (int64_t)(oldest_ms(lane) / 1000);
        struct weir_outbox_series *series = lane->series;
        weir_gauge_add(series->pending, (int64_t)pending_of(lane));
        if (oldest > atomic_load(&series->oldest->value)) {
            weir_gauge_set(series->oldest, oldest);
        }
        if (is_blocked(lane)) {
            weir_gauge_set(series->blocked, 1);
        }
    }
}

/* --- status --------------------------------------------------------------------------------- */

/* The entry that failed and is tried again next; NULL: none. */
static const struct weir_outbox_entry *next_retry(const struct weir_outbox_lane *lane)
{
    const struct weir_outbox_entry *next = NULL;
    for (const struct weir_outbox_entry *e = lane->first; e != NULL; e = e->next) {
        if (e->head.attempts > 0 && (next == NULL || e->due_ns < next->due_ns)) {
            next = e;
        }
    }
    return next;
}

static void write_why(struct weir_buf *buf, const struct weir_outbox_lane *lane)
{
    const struct weir_outbox_entry *retry = next_retry(lane);
    uint64_t now_ns = weir_clock_monotonic_ns(lane->outbox->clock);
    uint64_t next_ns = now_ns;
    struct weir_str reason = weir_str_z(lane->why.msg);
    const char *state = "blocked";
    if (lane->outbox->kinds[lane->kind].begin == NULL) {
        reason = WEIR_STR("this weir does not deliver intents of that kind");
    } else if (lane->refusals > 0) {
        next_ns = lane->blocked_until_ns;
    } else if (!lane->stuck && retry != NULL) {
        state = "retrying";
        reason = retry->head.error;
        next_ns = retry->due_ns;
    } else if (!lane->stuck) {
        state = "delivering";
        reason = WEIR_STR("");
    }
    weir_buf_printf(buf, ",\"state\":\"%s\",\"next_ms\":%llu,\"reason\":", state,
            next_ns > now_ns ? (unsigned long long)((next_ns - now_ns) / 1000 / 1000) : 0);
    weir_json_write_string(buf, reason);
}

void weir_outbox_status(struct weir_outbox *outbox, struct weir_buf *buf)
{
    const char *comma = "";
    weir_buf_byte(buf, '[');
    for (struct weir_outbox_lane *lane = outbox->lanes; lane != NULL; lane = lane->hh.next) {
        uint64_t pending = pending_of(lane);
        size_t in_flight = 0;
        if (pending == 0) {
            continue;
        }
        for (const struct weir_outbox_entry *e = lane->first; e != NULL; e = e->next) {
            in_flight += e->state == WEIR_OUTBOX_RUNNING;
        }
        weir_buf_printf(buf, "%s{\"kind\":\"%s\",\"target\":", comma, kind_name(lane));
        weir_json_write_string(buf, lane->target);
        weir_buf_printf(buf, ",\"pending\":%llu,\"in_flight\":%zu,\"oldest_ms\":%llu",
                (unsigned long long)pending, in_flight, (unsigned long long)oldest_ms(lane));
        write_why(buf, lane);
        weir_buf_byte(buf, '}');
        comma = ",";
    }
    weir_buf_byte(buf, ']');
}

/* --- log lines -------------------------------------------------------------------------------- */

void weir_outbox_log(struct weir_outbox_lane *lane, const struct weir_outbox_entry *entry,
        enum weir_outbox_event_kind event, const char *reason)
{
    const struct weir_outbox_host *host = &lane->outbox->options.host;
    struct weir_outbox_event told = {
        .event = event,
        .kind = kind_name(lane),
        .target = lane->target,
        .id = entry != NULL ? entry->head.id : weir_str(NULL, 0),
        .attempts = entry != NULL ? entry->head.attempts : lane->refusals,
        .reason = reason,
    };
    host->log(host->arg, &told);
}
