/*
 * Alarms: a metric that is watched, period by period, and what is done when it passes a bound.
 *
 * Model. An alarm makes one datapoint of its metric in each period: the least, the most, the
 * average or the sum of what it saw, or how much a counter grew. After each period it looks at
 * the last `periods` datapoints; when at least `datapoints` of them breach the bound it is in
 * ALARM, else OK. Periods without data count as `missing` says, and may lead to
 * INSUFFICIENT_DATA. All of this is what CloudWatch does, its treatment of missing data included.
 *
 * When the state changes, the actions of the new state are done, once. State, time and reason of
 * the last change are kept in the store and outlive a restart; datapoints do not: after a restart a
 * state holds until new datapoints decide otherwise.
 *
 * Metrics are read six times a period (counters once), when the host's timer fires; nobody
 * polls, and without alarms nothing runs. Periods follow the monotonic clock, from the start.
 *
 * Everything belongs to one thread, that of weir_alarms_run.
 */
#ifndef WEIR_ALARM_ALARM_H
#define WEIR_ALARM_ALARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "store/store.h"

/* The numbers are part of the format, and the values of the metric weir_alarm_state. */
enum weir_alarm_state {
    WEIR_ALARM_OK = 0,
    WEIR_ALARM_ALARM = 1,
    WEIR_ALARM_INSUFFICIENT = 2, /* not known; the state of a new alarm */
    WEIR_ALARM_STATES = 3,
};

enum weir_alarm_statistic {
    WEIR_ALARM_MIN,
    WEIR_ALARM_MAX,
    WEIR_ALARM_AVERAGE,
    WEIR_ALARM_SUM,
    WEIR_ALARM_RATE, /* how much a counter grew */
};

enum weir_alarm_comparison {
    WEIR_ALARM_ABOVE,
    WEIR_ALARM_AT_LEAST,
    WEIR_ALARM_BELOW,
    WEIR_ALARM_AT_MOST,
};

/* What a period without data counts as. */
enum weir_alarm_missing {
    WEIR_ALARM_MISSING, /* as that: enough of them make INSUFFICIENT_DATA */
    WEIR_ALARM_IGNORE,  /* as nothing: the state stays */
    WEIR_ALARM_BREACHING,
    WEIR_ALARM_NOT_BREACHING,
};

/* Without queue and url it is a log line. */
struct weir_alarm_action {
    struct weir_str queue; /* that gets a message */
    struct weir_str url;   /* that gets it by POST */
};

struct weir_alarm_actions {
    const struct weir_alarm_action *all;
    size_t count;
};

enum { WEIR_ALARM_PERIODS_MAX = 100, WEIR_ALARM_NAME_MAX = 255 };

/* An alarm as weir.yaml defines it. Strings are borrowed from the file's tree. */
struct weir_alarm_model {
    struct weir_str name;
    struct weir_str description;
    struct weir_str metric;
    struct weir_metric_label *labels;
    size_t label_count;
    enum weir_alarm_statistic statistic;
    uint64_t period_ms;
    uint64_t periods;    /* that are looked at */
    uint64_t datapoints; /* of them that must breach */
    enum weir_alarm_comparison comparison;
    double threshold;
    enum weir_alarm_missing missing;
    struct weir_alarm_actions actions[WEIR_ALARM_STATES]; /* on coming into a state */
};

/* What reading a definition needs to know. */
struct weir_alarm_scope {
    struct weir_diagnostics *diagnostics;
    struct weir_arena *arena; /* of the models; lives as long as the tree */
    const char *const *pipelines;
    size_t pipeline_count;
    const char *later; /* how names of pipelines begin that are made at run time; NULL: none are */
    const char *const *queues;
    size_t queue_count;
    bool has_queues; /* whether there is such a thing at all */
};

/*
 * Read one alarm of `alarms:`. What is wrong goes to the diagnostics; the model is complete only
 * when there were no errors.
 */
void weir_alarm_model_read(const struct weir_alarm_scope *scope, const struct weir_conf *name,
        const struct weir_conf *node, struct weir_alarm_model *ret_model);

/* --- at run time -------------------------------------------------------------------- */

/* A change of state, borrowed for the call that tells of it. */
struct weir_alarm_change {
    const struct weir_alarm_model *alarm;
    enum weir_alarm_state from;
    enum weir_alarm_state to;
    struct weir_str reason;
};

/* What the actions `queue` and `http` send, borrowed for the call. */
struct weir_alarm_message {
    struct weir_str queue; /* one of the two */
    struct weir_str url;
    struct weir_str alarm; /* its name: messages of one alarm stay in order */
    struct weir_str id;    /* the same when the message is sent again, and of no other one */
    struct weir_str body;  /* JSON */
};

struct weir_alarm_host {
    /* Call weir_alarms_run after so many ms; replaces the time asked for before. */
    void (*wake_at)(void *arg, uint64_t after_ms);
    /* Bring gauges up to date: they are about to be read. Optional. */
    void (*refresh)(void *arg);
    /* The action `log`. */
    void (*log)(void *arg, const struct weir_alarm_change *change);
    /*
     * The actions that send: add to a transaction that a message is sent; the message's strings
     * live as long as it. What *ret_held is set to is given to release when the transaction is no
     * more. Optional, both; without them such actions are left out. Errors: any; the message is
     * given up.
     */
    enum weir_rc (*send)(void *arg, struct weir_txn *txn, const struct weir_alarm_message *message,
            const void **ret_held, struct weir_err *err);
    void (*release)(void *arg, const void *held);
    void *arg;
};

struct weir_alarms_options {
    struct weir_store *store; /* its clock tells the time */
    struct weir_metrics *metrics;
    struct weir_alarm_host host;
    const struct weir_alarm_model *models; /* borrowed for the life of the alarms */
    size_t count;
};

struct weir_alarms;

/* Make alarms in the states that they were left in. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_alarms_create(const struct weir_alarms_options *options,
        struct weir_alarms **ret_alarms, struct weir_err *err);

/* The store's commit thread must have stopped. NULL is fine. */
void weir_alarms_destroy(struct weir_alarms *alarms);

/*
 * Do what is due: read metrics, decide at the end of periods, act; and ask to be woken for what
 * comes next. The first call starts the periods. Errors: what kept a state from being stored or
 * a message from being sent; it goes on all the same, and storing is tried again.
 */
WEIR_MUST_CHECK enum weir_rc weir_alarms_run(struct weir_alarms *alarms, struct weir_err *err);

/* Append a JSON array with one object an alarm, in the order of the file. */
void weir_alarms_write(const struct weir_alarms *alarms, struct weir_buf *buf);

/* "OK", "ALARM", "INSUFFICIENT_DATA". Static. */
const char *weir_alarm_state_name(enum weir_alarm_state state);

#endif
