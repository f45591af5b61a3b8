/*
 * Event source mappings: pipelines that are made at run time, as Lambda's API makes them. A mapping
 * hands the records of a table's stream, or the messages of a queue, to a function; it is the
 * pipeline that weir.yaml would describe with one step `invoke`, and is made from that description,
 * so there is one way to make a pipeline. Its name is WEIR_MAPPING_PIPELINE and the mapping's UUID.
 *
 * Mappings are stored; what is acknowledged is there after a crash. One change of a mapping at a
 * time:
 *
 *     CREATING   its entry is being committed                       -> ENABLED, DISABLED
 *     ENABLING   its new entry is being committed                   -> ENABLED
 *     DISABLING  likewise; then the pipeline ends                   -> DISABLED
 *     UPDATING   likewise; one that is enabled has a new one then   -> ENABLED, DISABLED
 *     DELETING   it is marked, the pipeline ends, and its entry and positions go
 *
 * A change is answered with the state that it is in; how long that lasts is how long the batches
 * in flight take.
 *
 * Everything here belongs to the loop's thread.
 */
#ifndef WEIR_MAPPING_MAPPING_H
#define WEIR_MAPPING_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "function/function.h"
#include "net/loop.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "table/table.h"
#include "value/item.h"

/* How the names of mappings' pipelines begin. */
#define WEIR_MAPPING_PIPELINE "mapping-"

/* What a mapping is. Texts are borrowed. */
struct weir_mapping {
    struct weir_str uuid; /* made by the module */
    struct weir_str function;
    struct weir_str source_arn;  /* of a table's stream, or of a queue */
    struct weir_str filters;     /* a JSON array of patterns, each a text; empty: none */
    struct weir_str destination; /* ARN of the queue for what is given up; empty: none */
    uint64_t batch;              /* records */
    uint64_t window_s;
    bool report_failures;
    bool enabled;
    struct weir_time modified; /* made by the module */
    struct weir_item tags;     /* texts by key; see value/tag.h */
    bool has_metrics;          /* a list of metrics was given, be it empty */
    bool counts_events;        /* EventCount is in it; weir counts in any case */
    /* Of a queue. */
    uint64_t concurrency; /* batches in flight; 0: as many as the function may run at once */
    /* Of a stream. */
    uint64_t factor;     /* batches in flight of a shard */
    uint64_t tumbling_s; /* length of the windows that the function keeps a state in; 0: none */
    uint64_t retries;    /* after the first attempt; UINT64_MAX: until it succeeds */
    uint64_t max_age_s;  /* 0: records do not become too old */
    bool bisect;         /* a batch that failed is halved at once */
    bool latest;         /* a new mapping begins with what comes from now on */
};

/* Whether its source is a queue. */
bool weir_mapping_is_of_queue(const struct weir_mapping *mapping);

enum weir_mapping_state {
    WEIR_MAPPING_CREATING,
    WEIR_MAPPING_ENABLED,
    WEIR_MAPPING_DISABLED,
    WEIR_MAPPING_ENABLING,
    WEIR_MAPPING_DISABLING,
    WEIR_MAPPING_UPDATING,
    WEIR_MAPPING_DELETING,
};

/* A mapping that is there; borrowed until the loop goes on. */
struct weir_mapping_view {
    const struct weir_mapping *mapping;
    enum weir_mapping_state state;
    enum weir_progress progress;
    struct weir_err why; /* STUCK */
};

/*
 * A change under way. It must stay where it is until done has run, which is when it is certain what
 * came of it: on a disk that fails, that may take until it is well again.
 */
struct weir_mapping_change {
    /* The caller's. Required; once, never inside the call that began it. view: with rc OK. */
    void (*done)(struct weir_mapping_change *change, const struct weir_mapping_view *view);
    void *arg;
    enum weir_rc rc; /* the outcome */
    struct weir_err err;
};

struct weir_mappings;

struct weir_mappings_options {
    struct weir_loop *loop;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_functions *functions;
    struct weir_pipelines *pipelines;
    const struct weir_step_kinds *kinds;
};

/*
 * Read what is stored and start it. One that cannot be started, because its function is gone, say,
 * is there all the same, and its view says why. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_mappings_create(const struct weir_mappings_options *options,
        struct weir_mappings **ret_mappings, struct weir_err *err);

/* The store has stopped, and pipelines go: changes under way end with WEIR_E_CLOSED. */
void weir_mappings_finish(struct weir_mappings *mappings);

/* After the loop was destroyed; NULL is fine. */
void weir_mappings_destroy(struct weir_mappings *mappings);

/*
 * Make a mapping; uuid and modified are filled in. Source, queue and function must be there.
 * Errors: WEIR_E_INVALID, WEIR_E_EXISTS (source and function have one; with its UUID).
 */
WEIR_MUST_CHECK enum weir_rc weir_mappings_add(struct weir_mappings *mappings,
        const struct weir_mapping *mapping, struct weir_mapping_change *change,
        struct weir_err *err);

/*
 * Make it what `mapping` says, by its uuid; the source stays, and so does how far it has come.
 * Errors: as add; WEIR_E_NOT_FOUND, WEIR_E_CONFLICT (another change is under way).
 */
WEIR_MUST_CHECK enum weir_rc weir_mappings_update(struct weir_mappings *mappings,
        const struct weir_mapping *mapping, struct weir_mapping_change *change,
        struct weir_err *err);

/*
 * Give it these tags in place of its own. What it does goes on meanwhile, also a change that is
 * stored and waits for batches in flight; the time of its last change stays.
 * Errors: WEIR_E_NOT_FOUND, WEIR_E_CONFLICT (a change is being stored, or it is being deleted).
 */
WEIR_MUST_CHECK enum weir_rc weir_mappings_set_tags(struct weir_mappings *mappings,
        struct weir_str uuid, struct weir_item tags, struct weir_mapping_change *change,
        struct weir_err *err);

/* Delete it, and how far it has come. Errors: WEIR_E_NOT_FOUND, WEIR_E_CONFLICT. */
WEIR_MUST_CHECK enum weir_rc weir_mappings_delete(struct weir_mappings *mappings,
        struct weir_str uuid, struct weir_mapping_change *change, struct weir_err *err);

/* Look at one. Errors: WEIR_E_NOT_FOUND. */
WEIR_MUST_CHECK enum weir_rc weir_mappings_get(struct weir_mappings *mappings, struct weir_str uuid,
        struct weir_mapping_view *ret_view, struct weir_err *err);

/* The n-th, in the order in which they were made since the start; false: there are not so many. */
bool weir_mappings_at(struct weir_mappings *mappings, size_t n, struct weir_mapping_view *ret_view);

#endif
