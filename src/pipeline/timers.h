/*
 * Deferred runs for people: what `cooldown` and `debounce` steps have put off and when it goes on,
 * and an operator's ways to let it go on now or not at all. Also of pipelines that are not in
 * weir.yaml any more: their runs stay, and nobody takes them. Open windows are listed, too, for
 * they have an end; they end by themselves only.
 *
 * Loop thread only.
 */
#ifndef WEIR_PIPELINE_TIMERS_H
#define WEIR_PIPELINE_TIMERS_H

#include "net/loop.h"
#include "pipeline/pipeline.h"

enum {
    WEIR_TIMERS_LIST_MAX = 10000, /* that one listing has */
    WEIR_TIMERS_END_MAX = 1000,   /* that are ended together */
};

struct weir_timers_wanted {
    struct weir_str pipeline; /* empty: all */
    struct weir_str step;     /* empty: all of the pipeline */
    struct weir_str key;      /* empty: all of the step */
    size_t limit;             /* 0: WEIR_TIMERS_LIST_MAX */
};

/*
 * Append a JSON object: `timers`, an array with kind (run or window), pipeline, step, key, since,
 * due and state of each, of runs with their count, and `more`, whether there are more than the
 * limit. A window has its shard as key (TABLE/NUMBER), and is due at its end. States:
 *     pending   it is not due
 *     waiting   it is due, and a lane of the pipeline has not come so far
 *     ready     it goes on as soon as a lane takes it
 *     running   it is with a lane
 *     detached  the pipeline does not run, or has no such step any more
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_timers(struct weir_pipelines *pipelines,
        const struct weir_timers_wanted *wanted, struct weir_buf *buf, struct weir_err *err);

/* An end that is under way. Fill the first members; lives until ended is called. */
struct weir_timers_end {
    struct weir_timers_wanted wanted; /* pipeline and step are needed; borrowed for the call */
    bool cancel;                      /* they never go on; else they do now */
    /* On the loop, never inside weir_pipelines_end_timers: rc WEIR_OK and how many, or why not. */
    void (*ended)(struct weir_timers_end *end, enum weir_rc rc, const struct weir_err *err);
    size_t count;
    bool more; /* there are more: only WEIR_TIMERS_END_MAX are ended together */

    /* private */
    struct weir_pipelines *pipelines;
    struct weir_str pipeline;
    struct weir_txn *txn;
    size_t removed;
    struct burst_end_op *ops;
    struct weir_post post;
};

/*
 * Let deferred runs go on now, or cancel them. What runs at the moment is left alone.
 * Errors: WEIR_E_INVALID (no pipeline or step, or one with windows), WEIR_E_NOT_FOUND (nothing of
 * the kind is put off, or to go on: no such pipeline runs), WEIR_E_IO. `ended` is called after
 * WEIR_OK only.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_end_timers(
        struct weir_pipelines *pipelines, struct weir_timers_end *end, struct weir_err *err);

#endif
