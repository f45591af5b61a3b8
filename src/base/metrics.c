#include "base/metrics.h"

#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct metric {
    enum kind kind;
    char *name;   /* owned */
    char *labels; /* owned; "" for none */
    char *help;   /* owned */
    double scale; /* histograms */
    bool written; /* scratch of weir_metrics_write */
    union {
        struct weir_counter counter;
        struct weir_gauge gauge;
        struct weir_histogram histogram;
    };
    struct metric *next;
};

struct weir_metrics {
    struct weir_mutex mutex;
    struct metric *first;
    struct metric **last;
};

struct weir_metrics *weir_metrics_create(void)
{
    struct weir_metrics *metrics = weir_alloc_zero(1, sizeof(*metrics));
    weir_mutex_init(&metrics->mutex, WEIR_LOCK_METRICS);
    metrics->last = &metrics->first;
    return metrics;
}

void weir_metrics_destroy(struct weir_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    struct metric *metric = metrics->first;
    while (metric != NULL) {
        struct metric *next = metric->next;
        weir_free(metric->name);
        weir_free(metric->labels);
        weir_free(metric->help);
        weir_free(metric);
        metric = next;
    }
    weir_mutex_fini(&metrics->mutex);
    weir_free(metrics);
}

static struct metric *add(struct weir_metrics *metrics, enum kind kind, const char *name,
        const char *labels, const char *help)
{
    struct metric *metric = weir_alloc_zero(1, sizeof(*metric));
    metric->kind = kind;
    metric->name = weir_strndup(name, strlen(name));
    metric->labels = weir_strndup(labels, labels != NULL ? strlen(labels) : 0);
    metric->help = weir_strndup(help, strlen(help));
    weir_mutex_lock(&metrics->mutex);
    *metrics->last = metric;
    metrics->last = &metric->next;
    weir_mutex_unlock(&metrics->mutex);
    return metric;
}

struct weir_counter *weir_metrics_counter(
        struct weir_metrics *metrics, const char *name, const char *labels, const char *help)
{
    return &add(metrics, COUNTER, name, labels, help)->counter;
}

struct weir_gauge *weir_metrics_gauge(
        struct weir_metrics *metrics, const char *name, const char *labels, const char *help)
{
    return &add(metrics, GAUGE, name, labels, help)->gauge;
}

struct weir_histogram *weir_metrics_histogram(struct weir_metrics *metrics, const char *name,
        const char *labels, const char *help, uint64_t first, double scale)
{
    struct metric *metric = add(metrics, HISTOGRAM, name, labels, help);
    metric->histogram.first = first;
    metric->scale = scale;
    return &metric->histogram;
}

void weir_histogram_add(struct weir_histogram *histogram, uint64_t value)
{
    size_t i = 0;
    while (i < WEIR_HISTOGRAM_BUCKETS && value > histogram->first << i) {
        i++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

static void write_histogram(const struct metric *metric, struct weir_buf *buf)
{
    const struct weir_histogram *h = &metric->histogram;
    const char *comma = metric->labels[0] != '\0' ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i < WEIR_HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        weir_buf_printf(buf, "%s_bucket{%s%sle=\"%g\"} %llu\n", metric->name, metric->labels, comma,
                (double)(h->first << i) * metric->scale, (unsigned long long)count);
    }
    count += atomic_load_explicit(&h->buckets[WEIR_HISTOGRAM_BUCKETS], memory_order_relaxed);
    weir_buf_printf(buf, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", metric->name, metric->labels, comma,
            (unsigned long long)count);
    weir_buf_printf(buf, "%s_sum{%s} %g\n%s_count{%s} %llu\n", metric->name, metric->labels,
            (double)atomic_load_explicit(&h->sum, memory_order_relaxed) * metric->scale,
            metric->name, metric->labels, (unsigned long long)count);
}

static void write_one(const struct metric *metric, struct weir_buf *buf)
{
    switch (metric->kind) {
    case COUNTER:
        weir_buf_printf(buf, "%s{%s} %llu\n", metric->name, metric->labels,
                (unsigned long long)atomic_load(&metric->counter.value));
        break;
    case GAUGE:
        weir_buf_printf(buf, "%s{%s} %lld\n", metric->name, metric->labels,
                (long long)atomic_load(&metric->gauge.value));
        break;
    case HISTOGRAM:
        write_histogram(metric, buf);
        break;
    }
}

void weir_metrics_write(struct weir_metrics *metrics, struct weir_buf *buf)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    weir_mutex_lock(&metrics->mutex);
    for (struct metric *m = metrics->first; m != NULL; m = m->next) {
        m->written = false;
    }
    for (struct metric *m = metrics->first; m != NULL; m = m->next) {
        if (m->written) {
            continue;
        }
        weir_buf_printf(
                buf, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, types[m->kind]);
        for (struct metric *same = m; same != NULL; same = same->next) {
            if (strcmp(same->name, m->name) == 0) {
                write_one(same, buf);
                same->written = true;
            }
        }
    }
    weir_mutex_unlock(&metrics->mutex);
}
