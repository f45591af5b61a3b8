/*
 * Pipelines: a source's records through a filter and steps into one transaction a batch.
 *
 * Model. A pipeline reads the streams of one or several tables. Each shard of them is divided
 * into 64 key slots by the item key's hash; a lane is a range of slots of one shard and works
 * on one batch at a time, so the records of an item are always processed in order. A
 * batch is run through the steps and becomes one transaction: derived items, state and
 * the lane's position. It commits or it does not; there is no state between.
 *
 *     log -> reader (a shard) -> filter -> lane queue -> batch -> steps -> transaction
 *
 * Lanes are woken by the commit of new records; nobody polls. A lane that has run for
 * 500 us lets the loop do other work and goes on after.
 *
 * Lane phases:       may start a batch   ends with
 *     waiting        yes                 a record; the batch is full or its window over
 *     queued         -                   one of the pipeline's places (`concurrency`) is free
 *     running        -                   all records through the steps, or a step that cannot
 *     pending        -                   the answer that a step waits for
 *     committing     no                  the outcome: next records, or the same batch again
 *     blocked        no                  a change of the catalogue, or the pause is over
 *     paused         no                  the pause before the next attempt is over
 *
 * Failure comes in three classes. Blocked (the target is not there now): the lane waits, and
 * uses no retry. Retryable (the target failed): the same batch again after a pause, as often
 * as `retry` says; then, with `bisect`, the batch is halved until the failing record is alone,
 * which gets its retries once more. Final (the record is at fault), and the end of the
 * retries: the record goes to the dead letters in the transaction that goes on without it. How
 * often a batch was tried outlives a restart.
 *
 * Instead of tables a pipeline may have a queue as its source: its messages, received a batch at a
 * time, are records without images. A message is deleted by the transaction that it is processed
 * in; one that fails is left in the queue, which shows it again after its visibility time-out.
 *
 * A step may divide the records of each shard into windows of time. Then a shard has one lane, and
 * a window that is over is processed like a batch, which nothing passes; see window.c.
 *
 * `now` in expressions is the commit time of the record, also when it is run again.
 * Everything here belongs to the loop's thread; weir_pipelines_* are called there.
 */
#ifndef WEIR_PIPELINE_PIPELINE_H
#define WEIR_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/metrics.h"
#include "conf/conf.h"
#include "pattern/pattern.h"
#include "pipeline/step.h"
#include "table/table.h"

struct weir_loop;

enum {
    WEIR_PIPELINE_SLOTS = 64, /* key slots a shard; part of the format of positions */
    WEIR_PIPELINE_BATCH_MAX = 10000,
    WEIR_PIPELINE_CONCURRENCY_MAX = 256,
    WEIR_STEPS_WHOLE_MAX = 4,    /* steps that are `whole` */
    WEIR_PIPELINE_HOPS_MAX = 16, /* a record that came through so many pipelines fails */
};

enum weir_start {
    WEIR_START_OLDEST, /* what the log still has */
    WEIR_START_LATEST, /* what comes from now on */
    WEIR_START_TIME,
    WEIR_START_REBUILD, /* what the tables hold, then what comes from now on */
};

/* When a batch whose retries are used up is halved, to find the record at fault. */
enum weir_bisect {
    WEIR_BISECT_NEVER, /* all its records are given up together */
    WEIR_BISECT_LAST,  /* after the last retry */
    WEIR_BISECT_FIRST, /* at once, instead of a retry: what Lambda's event source mappings do */
};

/* What is done about a step that fails and may succeed later. */
struct weir_retry {
    uint64_t retries;            /* after the first attempt; UINT64_MAX: until it succeeds */
    struct weir_backoff backoff; /* the pauses before them */
    enum weir_bisect bisect;
    uint64_t max_age_ms; /* records older than this are given up; 0: never */
};

/* Where records go that failed. */
enum weir_letters_place {
    WEIR_LETTERS_NOWHERE, /* they are logged */
    WEIR_LETTERS_TABLE,
    WEIR_LETTERS_QUEUE,
    WEIR_LETTERS_FILE, /* lines of JSON */
    WEIR_LETTERS_HTTP, /* POSTs */
};

/* A pipeline as weir.yaml defines it. Owns its memory; steps hold compiled expressions. */
struct weir_pipeline_model {
    struct weir_arena arena;
    struct weir_str name;
    struct weir_str *tables; /* the sources */
    size_t table_count;
    struct weir_str queue; /* the source instead of tables; empty: none */
    uint64_t batch;        /* records */
    uint64_t window_ms;
    uint64_t concurrency;   /* batches in flight */
    uint64_t per_shard;     /* not 0: instead of concurrency, batches in flight of each shard */
    struct weir_str stream; /* not empty: the ARN that the table's stream must have */
    enum weir_start start;
    struct weir_time start_time;
    bool start_given;                /* else the default */
    struct weir_pattern_set *filter; /* NULL: none. All patterns of it are alternatives */
    enum weir_pattern_mode filter_mode;
    struct weir_expr *when; /* NULL: none */
    struct weir_retry retry;
    bool quarantine; /* later records of a failed one's item wait for it */
    enum weir_letters_place dead_letters_in;
    struct weir_str dead_letters; /* the place's name: of a table or queue, a path, a URL */
    struct weir_str undelivered;  /* HTTP: the queue that gets what the server refuses */
    struct weir_step **steps;
    size_t step_count;
    uint64_t tumbling_ms; /* length of the windows of a step; 0: none has windows */
    size_t tumbling_step; /* that step */
    bool whole;           /* a step gets the records of a batch all at once */
    bool has_view;        /* one of the steps keeps a view */
    bool only_views;      /* ... and no other one acts: it can be rebuilt */
    uint64_t generation;  /* of the rule: a hash of filter and steps; never 0 */
    size_t slot_count;    /* of events */
};

/*
 * Make a model from its node; everything wrong with it goes to the scope's diagnostics.
 * scope: only arena-less members set (diagnostics, find_table, arg); names and arena are
 * filled here. Returns a model also when there were errors (destroy it), for further checks.
 */
struct weir_pipeline_model *weir_pipeline_model_create(const struct weir_conf *name,
        const struct weir_conf *node, const struct weir_step_kinds *kinds,
        struct weir_scope *scope);
void weir_pipeline_model_destroy(struct weir_pipeline_model *model);

/* Whether a table is one of the pipeline's sources. */
bool weir_pipeline_model_reads(const struct weir_pipeline_model *model, struct weir_str table);

/* The name of the pipeline's source: its queue, or its first table. Borrowed from the model. */
struct weir_str weir_pipeline_model_source(const struct weir_pipeline_model *model);

struct weir_pipelines;

struct weir_pipelines_options {
    struct weir_loop *loop;
    struct weir_tables *tables;
    struct weir_queues *queues;       /* whose thread is the loop's */
    struct weir_functions *functions; /* on the same loop; NULL: none */
    struct weir_outbox *outbox;       /* likewise; NULL: what needs one fails */
    bool simulates;                   /* letters for files are not written */
    struct weir_metrics *metrics;
};

/* Make an empty set of running pipelines. */
struct weir_pipelines *weir_pipelines_create(const struct weir_pipelines_options *options);

/* Take a model and start it: reads its positions, and goes on where it was. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_add(
        struct weir_pipelines *pipelines, struct weir_pipeline_model *model, struct weir_err *err);

/*
 * Take a pipeline out of the set, as it can be put into it again: it begins no more batches, those
 * in flight finish, its positions are written; then removed runs, never inside this call. It does
 * not run when all pipelines are stopped before.
 * Errors: WEIR_E_NOT_FOUND (also: it is being removed).
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_remove(struct weir_pipelines *pipelines,
        struct weir_str name, void (*removed)(void *arg), void *arg, struct weir_err *err);

/*
 * Add to a transaction that what is stored of a pipeline goes: positions, attempts, windows, gaps,
 * jobs. It must not be in the set. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_forget(struct weir_pipelines *pipelines,
        struct weir_str name, struct weir_txn *txn, struct weir_err *err);

/* How a pipeline fares since weir was started. */
enum weir_progress {
    WEIR_PROGRESS_NONE,  /* it has processed nothing, or is not there */
    WEIR_PROGRESS_GOOD,  /* the last batches were processed */
    WEIR_PROGRESS_STUCK, /* a batch is blocked or waits for its next attempt: *ret_why */
};
enum weir_progress weir_pipelines_progress(
        struct weir_pipelines *pipelines, struct weir_str name, struct weir_err *ret_why);

/*
 * Stop: batches in flight finish, positions are written, then stopped runs (never inside
 * this call).
 */
void weir_pipelines_stop(struct weir_pipelines *pipelines, void (*stopped)(void *arg), void *arg);

/*
 * Free; must be stopped, or the loop must not have run since it was made. The memory goes behind
 * what is posted to the loop, so destroy the loop, or let it run, after this. NULL is fine.
 */
void weir_pipelines_destroy(struct weir_pipelines *pipelines);

/* Tables or queues have come, changed or gone: look again for sources and targets. Any thread. */
void weir_pipelines_catalogue_changed(struct weir_pipelines *pipelines);

/* Who asks for a rebuild or a replay; lives until told is called. */
struct weir_job_ask {
    bool wait; /* for its end; else for its beginning, which is durable then */
    /*
     * On the loop, once, never inside the call that asks: rc WEIR_OK, or why not. WEIR_E_CLOSED:
     * the pipeline stops, and the job goes on when it runs again. WEIR_E_NOT_FOUND: somebody has
     * cancelled it.
     */
    void (*told)(struct weir_job_ask *ask, enum weir_rc rc, const struct weir_err *err);
};

/*
 * Rebuild a pipeline's views: all items of its tables as INSERT records through filter and steps,
 * while the streams go on. An item that has changed since it was read is left to its stream,
 * and a view knows what it has processed, so nothing is missing and nothing double. What views hold
 * of items that are gone is deleted; what they hold of items that do not pass the filter now stays,
 * unless prune. Goes on after a restart. ask is told after WEIR_OK only; NULL: nobody listens.
 * Errors: WEIR_E_NOT_FOUND (no such pipeline), WEIR_E_INVALID (a step would act again, a table is
 * missing, or another rebuild or replay is under way).
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_rebuild(struct weir_pipelines *pipelines,
        struct weir_str name, bool prune, struct weir_job_ask *ask, struct weir_err *err);

struct weir_replay {
    struct weir_str pipeline;
    struct weir_str from;  /* a time, or the sequence number of the first record */
    struct weir_str to;    /* a time, or the sequence number of the last one; empty: until now */
    struct weir_str where; /* an event pattern: only records that match; empty: all */
    bool stale;            /* also records whose item has changed since */
};

/*
 * Process records of the log again, beside what comes. Records whose item has changed since are
 * left out unless stale, but views get them, and know which ones are of use. Goes on after a
 * restart, where it was. ask: as weir_pipelines_rebuild.
 * Errors: as weir_pipelines_rebuild; WEIR_E_INVALID also: from, to or where is wrong;
 * WEIR_E_TRIMMED (from is before what the log keeps; says what that is); WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_replay(struct weir_pipelines *pipelines,
        const struct weir_replay *replay, struct weir_job_ask *ask, struct weir_err *err);

/* End a rebuild or a replay; what is in lanes is still processed. Errors: WEIR_E_NOT_FOUND. */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_cancel(
        struct weir_pipelines *pipelines, struct weir_str name, struct weir_err *err);

/* Bring gauges up to date: age of the oldest unprocessed record, records behind, room in the log.
 */
void weir_pipelines_refresh(struct weir_pipelines *pipelines);

/*
 * Append a JSON array with one object a pipeline: name, state, counts, lag, the room its position
 * has in the log, what blocks it, what it has missed. records_behind is exact when it equals
 * records_behind_least, else the most there can be.
 */
void weir_pipelines_status(struct weir_pipelines *pipelines, struct weir_buf *buf);

/* The same with an object for every lane in each: `lanes`. */
void weir_pipelines_status_lanes(struct weir_pipelines *pipelines, struct weir_buf *buf);

#endif
