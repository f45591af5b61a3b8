/* What the files of alarm share. */
#ifndef WEIR_ALARM_ALARM_INT_H
#define WEIR_ALARM_ALARM_INT_H

#include "alarm/alarm.h"

/* Periods that are looked back on beyond those that decide, for data that is missing in them. */
enum { WEIR_ALARM_LOOK_BACK = 2 };

/* --- metrics that weir has ------------------------------------------------------------ */

struct weir_known_metric {
    const char *name;
    enum weir_metric_kind kind;
    const char *label; /* NULL: none */
};

/* All of them; the last has no name. */
extern const struct weir_known_metric weir_known_metrics[];

/* The entry of a metric's name ("_count" and "_sum" of a histogram are counters); false: none. */
bool weir_known_metric_find(struct weir_str name, struct weir_known_metric *ret_metric);

/* --- one period --------------------------------------------------------------------------- */

/* What was seen of a metric in a period. */
struct weir_alarm_sample {
    size_t count; /* of looks at which the metric was there */
    double least;
    double most;
    double total;
    double growth;         /* of a counter, or of a histogram's sum */
    uint64_t observations; /* of a histogram */
    bool is_histogram;
    bool grows; /* counter or histogram */
};

/* Where counters stood at the last look. */
struct weir_alarm_base {
    bool set; /* the first look only sets it */
    double sum;
    uint64_t count;
};

struct weir_alarm_datapoint {
    bool there;
    double value;
    struct weir_time at; /* where its period began */
};

/* Add one look at the metric. */
void weir_alarm_sample_add(const struct weir_alarm_model *model, struct weir_alarm_sample *sample,
        struct weir_alarm_base *base, const struct weir_metric_reading *reading);

/* The datapoint of a period that is over. */
struct weir_alarm_datapoint weir_alarm_sample_end(const struct weir_alarm_model *model,
        const struct weir_alarm_sample *sample, struct weir_time at);

/* --- deciding ----------------------------------------------------------------------------- */

/* What a decision was made on. */
struct weir_alarm_verdict {
    enum weir_alarm_state state;
    size_t breaching; /* datapoints of those that count */
    size_t fine;
    size_t missing; /* periods without data among them */
    size_t oldest;  /* the index of the oldest point that counts */
};

/* Whether a value breaches the bound. */
bool weir_alarm_breaches(const struct weir_alarm_model *model, double value);

/*
 * The state after a period. points: the latest periods since the start, oldest first, at most
 * WEIR_ALARM_LOOK_BACK more than the alarm looks at.
 */
struct weir_alarm_verdict weir_alarm_decide(const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count, enum weir_alarm_state current);

/* Append why a decision was made, as a sentence. */
void weir_alarm_write_reason(struct weir_buf *buf, const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count,
        const struct weir_alarm_verdict *verdict, enum weir_alarm_state from);

/* --- texts ---------------------------------------------------------------------------------- */

/* Append a number, as short as it can be read back. */
void weir_alarm_write_number(struct weir_buf *buf, double value);

const char *weir_alarm_statistic_name(enum weir_alarm_statistic statistic);
const char *weir_alarm_comparison_name(enum weir_alarm_comparison comparison);
const char *weir_alarm_missing_name(enum weir_alarm_missing missing);

/* Append the message that the actions `queue` and `http` send: JSON with CloudWatch's member names.
 */
void weir_alarm_write_message(
        struct weir_buf *buf, const struct weir_alarm_change *change, struct weir_time time);

/* Append the definition as members of a JSON object, without braces. */
void weir_alarm_write_definition(struct weir_buf *buf, const struct weir_alarm_model *model);

#endif
