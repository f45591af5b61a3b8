/*
 * Metrics in the Prometheus text format: counters, gauges and histograms.
 *
 * A metric belongs to a set, is created once and lives as long as the set.
 * Adding to one is a relaxed atomic operation: any thread, no lock.
 */
#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct weir_metrics; /* the set */

struct weir_counter {
    _Atomic uint64_t value;
};

struct weir_gauge {
    _Atomic int64_t value;
};

enum { WEIR_HISTOGRAM_BUCKETS = 24 };

/* Observations in buckets that double: bucket i holds values <= first << i. */
struct weir_histogram {
    uint64_t first;
    _Atomic uint64_t buckets[WEIR_HISTOGRAM_BUCKETS + 1]; /* the last is +Inf */
    _Atomic uint64_t sum;
};

/* Make an empty set. Destroy it after the last use of its metrics. */
struct weir_metrics *weir_metrics_create(void);
void weir_metrics_destroy(struct weir_metrics *metrics);

/*
 * Create a metric. name as in Prometheus ("weir_commits_total"); labels is the
 * text between the braces, already escaped ("pipeline=\"dashboard\"") or NULL;
 * one name has one help text and one type. All copied. The same name with the same labels again
 * is the metric that is there: what goes and comes back counts on. Any thread.
 */
struct weir_counter *weir_metrics_counter(
        struct weir_metrics *metrics, const char *name, const char *labels, const char *help);
struct weir_gauge *weir_metrics_gauge(
        struct weir_metrics *metrics, const char *name, const char *labels, const char *help);

/*
 * first is the upper bound of the first bucket in the caller's unit (say,
 * microseconds); scale turns a value into what Prometheus shows (1e-6: seconds).
 */
struct weir_histogram *weir_metrics_histogram(struct weir_metrics *metrics, const char *name,
        const char *labels, const char *help, uint64_t first, double scale);

/* Write all metrics as text, grouped by name in the order of first creation. */
void weir_metrics_write(struct weir_metrics *metrics, struct weir_buf *buf);

enum weir_metric_kind {
    WEIR_METRIC_COUNTER,
    WEIR_METRIC_GAUGE,
    WEIR_METRIC_HISTOGRAM,
};

/* A label to find metrics by; both texts as they are, not escaped. */
struct weir_metric_label {
    struct weir_str name;
    struct weir_str value;
};

/* What the metrics of one name show together. */
struct weir_metric_reading {
    enum weir_metric_kind kind;
    size_t series; /* how many there are; 0: the rest means nothing */
    double least;  /* of the values; histograms: of the sums, as below */
    double most;
    double sum;     /* of the values; histograms: of what was observed, scaled as it is shown */
    uint64_t count; /* histograms: observations */
};

/*
 * Read the metrics of a name that have all of some labels (they may have more). The name of a
 * histogram with "_count" or "_sum" behind it reads that number, as a counter. Any thread.
 */
void weir_metrics_read(struct weir_metrics *metrics, struct weir_str name,
        const struct weir_metric_label *labels, size_t label_count,
        struct weir_metric_reading *ret_reading);

static inline void weir_counter_add(struct weir_counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

static inline void weir_gauge_set(struct weir_gauge *gauge, int64_t value)
{
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

static inline void weir_gauge_add(struct weir_gauge *gauge, int64_t n)
{
    atomic_fetch_add_explicit(&gauge->value, n, memory_order_relaxed);
}

void weir_histogram_add(struct weir_histogram *histogram, uint64_t value);

#endif
