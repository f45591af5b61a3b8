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

static struct metric *find(
        struct weir_metrics *metrics, enum kind kind, const char *name, const char *labels)
{
    struct metric *metric = metrics->first;
    while (metric != NULL && (metric->kind != kind || strcmp(metric->labels, labels) != 0 ||
                                     strcmp(metric->name, name) != 0)) {
        metric = metric->next;
    }
    return metric;
}

static struct metric *add(struct weir_metrics *metrics, enum kind kind, const char *name,
        const char *labels, const char *help)
{
    labels = labels != NULL ? labels : "";
    weir_mutex_lock(&metrics->mutex);
    struct metric *metric = find(metrics, kind, name, labels);
    if (metric != NULL) {
        weir_mutex_unlock(&metrics->mutex);
        return metric;
    }
    metric = weir_alloc_zero(1, sizeof(*metric));
    metric->kind = kind;
    metric->name = weir_strndup(name, strlen(name));
    metric->labels = weir_strndup(labels, strlen(labels));
    metric->help = weir_strndup(help, strlen(help));
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

/* --- reading ---------------------------------------------------------------------- */

enum part { WHOLE, COUNT_OF, SUM_OF };

/* Whether an escaped label value is a text. */
static bool is_value(struct weir_str escaped, struct weir_str value)
{
    size_t at = 0;
    for (size_t i = 0; i < escaped.n; i++, at++) {
        char c = escaped.p[i];
        if (c == '\\' && i + 1 < escaped.n) {
            c = escaped.p[++i];
            c = c == 'n' ? '\n' : c;
        }
        if (at == value.n || value.p[at] != c) {
            return false;
        }
    }
    return at == value.n;
}

/* The next NAME="VALUE" of the text between braces; false at its end. */
static bool next_label(struct weir_str *text, struct weir_metric_label *ret_label)
{
    const char *equals = text->n > 0 ? memchr(text->p, '=', text->n) : NULL;
    if (equals == NULL) {
        return false;
    }
    size_t begin = (size_t)(equals - text->p) + 2; /* behind the quote */
    size_t end = begin;
    while (end < text->n && text->p[end] != '"') {
        end += text->p[end] == '\\' ? 2 : 1;
    }
    if (end >= text->n) {
        return false;
    }
    ret_label->name = weir_str(text->p, begin - 2);
    ret_label->value = weir_str(text->p + begin, end - begin);
    size_t skip = end + 1 < text->n ? end + 2 : text->n; /* the quote and the comma */
    *text = weir_str(text->p + skip, text->n - skip);
    return true;
}

static bool has_label(const struct metric *metric, const struct weir_metric_label *wanted)
{
    struct weir_str text = weir_str_z(metric->labels);
    struct weir_metric_label label;
    while (next_label(&text, &label)) {
        if (weir_str_eq(label.name, wanted->name)) {
            return is_value(label.value, wanted->value);
        }
    }
    return false;
}

/* Whether a name is a metric's, and of what part of it. */
static bool is_named(const struct metric *metric, struct weir_str name, enum part *ret_part)
{
    struct weir_str own = weir_str_z(metric->name);
    *ret_part = WHOLE;
    if (weir_str_eq(own, name)) {
        return true;
    }
    if (metric->kind != HISTOGRAM || !weir_str_starts(name, own)) {
        return false;
    }
    struct weir_str rest = weir_str(name.p + own.n, name.n - own.n);
    *ret_part = weir_str_eq(rest, WEIR_STR("_count")) ? COUNT_OF : SUM_OF;
    return *ret_part == COUNT_OF || weir_str_eq(rest, WEIR_STR("_sum"));
}

static uint64_t observations(const struct weir_histogram *h)
{
    uint64_t count = 0;
    for (size_t i = 0; i <= WEIR_HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
    }
    return count;
}

static double read_value(const struct metric *metric, enum part part, uint64_t *ret_count)
{
    *ret_count = 0;
    switch (metric->kind) {
    case COUNTER:
        return (double)atomic_load(&metric->counter.value);
    case GAUGE:
        return (double)atomic_load(&metric->gauge.value);
    case HISTOGRAM:
        break;
    }
    *ret_count = observations(&metric->histogram);
    return part == COUNT_OF ? (double)*ret_count
                            : (double)atomic_load(&metric->histogram.sum) * metric->scale;
}

static void add_reading(
        struct weir_metric_reading *reading, const struct metric *metric, enum part part)
{
    static const enum weir_metric_kind kinds[] = {
        [COUNTER] = WEIR_METRIC_COUNTER,
        [GAUGE] = WEIR_METRIC_GAUGE,
        [HISTOGRAM] = WEIR_METRIC_HISTOGRAM,
    };
    uint64_t count = 0;
    double value = read_value(metric, part, &count);
    reading->kind = part == WHOLE ? kinds[metric->kind] : WEIR_METRIC_COUNTER;
    reading->least = reading->series == 0 || value < reading->least ? value : reading->least;
    reading->most = reading->series == 0 || value > reading->most ? value : reading->most;
    reading->sum += value;
    reading->count += count;
    reading->series++;
}

void weir_metrics_read(struct weir_metrics *metrics, struct weir_str name,
        const struct weir_metric_label *labels, size_t label_count,
        struct weir_metric_reading *ret_reading)
{
    *ret_reading = (struct weir_metric_reading){ 0 };
    weir_mutex_lock(&metrics->mutex);
    for (const struct metric *m = metrics->first; m != NULL; m = m->next) {
        enum part part = WHOLE;
        bool wanted = is_named(m, name, &part);
        for (size_t i = 0; wanted && i < label_count; i++) {
            wanted = has_label(m, &labels[i]);
        }
        if (wanted) {
            add_reading(ret_reading, m, part);
        }
    }
    weir_mutex_unlock(&metrics->mutex);
}
