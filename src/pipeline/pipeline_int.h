/* What the files of pipeline/ share: pipelines, shards and lanes at run time. */
#ifndef WEIR_PIPELINE_PIPELINE_INT_H
#define WEIR_PIPELINE_PIPELINE_INT_H

#include <stdatomic.h>

#include "net/loop.h"
#include "pipeline/pipeline.h"
#include "state/state.h"

struct pipeline;
struct shard;
struct weir_filter_group;

/* A record that waits in a lane, in one block with its bytes. */
struct queued {
    struct queued *next;
    struct weir_record record;
    struct weir_str key; /* encoded key of the item */
    size_t bytes;
    struct weir_str letter; /* key of the dead letter it came back from; empty: from the stream */
    uint8_t hops;
    bool failed; /* a step could not process it: left out of the batch */
    struct weir_err err;
};

struct queued_list {
    struct queued *first;
    struct queued **last;
    size_t count;
    size_t bytes;
};

/* A record with copies of its bytes, in one block. */
struct queued *weir_queued_create(const struct weir_record *record, struct weir_str key,
        uint8_t hops, struct weir_str letter);
void weir_queued_init(struct queued_list *list);
void weir_queued_add(struct queued_list *list, struct queued *queued);
struct queued *weir_queued_take(struct queued_list *list);
void weir_queued_clear(struct queued_list *list);

/* --- batch.c: what a batch has read and written so far --------------------------------- */

struct touched {
    uint32_t space;
    struct weir_str key;
    const struct weir_table *table; /* of an item; NULL: state */
    struct weir_str before;         /* stored bytes; empty: nothing */
    struct weir_str after;          /* item bytes */
    struct weir_state state_before;
    struct weir_state state_after;
    uint8_t hops;
    struct touched *same_bucket;
    struct touched *next; /* in order of first touch */
};

enum { BATCH_BUCKETS = 1024, BATCH_TABLES = 32, BATCH_QUEUES = 32 };

struct batch {
    struct weir_txn *txn;
    struct touched *buckets[BATCH_BUCKETS];
    struct touched *first;
    struct touched **last;
    const struct weir_table *tables[BATCH_TABLES]; /* referenced until the batch ends */
    size_t table_count;
    const struct weir_queue *queues[BATCH_QUEUES]; /* as tables */
    size_t queue_count;
};

void weir_batch_begin(struct batch *batch);
/* Drop everything; the transaction must not be with the store. */
void weir_batch_end(struct batch *batch);
/* Turn what was touched into changes of the transaction. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_batch_prepare(struct batch *batch, struct weir_err *err);

/* --- lanes ------------------------------------------------------------------------------- */

enum lane_phase {
    LANE_WAITING,    /* for records, or for the window */
    LANE_QUEUED,     /* has a batch to run; waits for one of the pipeline's places */
    LANE_RUNNING,    /* on the loop, or yielding */
    LANE_COMMITTING, /* its transaction is with the store */
    LANE_BLOCKED,    /* its target is not there now */
};

struct weir_lane {
    struct pipeline *pipeline;
    struct shard *shard;
    uint32_t first_slot;
    uint32_t slot_count;
    enum lane_phase phase;
    struct queued_list waiting; /* read and passed by the filter, not in the batch */
    struct queued_list taken;   /* the batch */
    size_t done_count;          /* records of the batch that are through the steps */
    struct queued *next;        /* the first that is not */
    bool rerun;                 /* a record failed after something of it was written */
    size_t step;                /* being run */
    size_t limit;               /* of records in a transaction, when more are too large; 0: none */
    struct batch batch;
    struct weir_arena arena;  /* everything the batch needs until its outcome */
    struct weir_pos position; /* committed: all before it is done */
    struct weir_pos committing;
    uint64_t began_ns;
    uint64_t waiting_since_ns; /* monotonic time at which the first waiting record came */
    struct weir_err why;       /* BLOCKED */
    struct weir_time blocked_since;
    unsigned attempts;
    struct weir_loop_timer timer; /* window, or pause */
    struct weir_post run_post;    /* goes on after yielding */
    struct weir_post done_post;   /* brings the outcome to the loop */
    struct weir_lane *next_queued;
};

struct shard {
    struct pipeline *pipeline;
    uint32_t number;
    struct weir_log_reader *reader;
    struct weir_lane *lanes;
    size_t lane_count;
    struct weir_pos skip[WEIR_PIPELINE_SLOTS]; /* slots that are ahead of the reader's start */
    struct weir_time read_time;                /* commit time of the last record read */
    bool at_end;
};

enum pipeline_phase {
    PIPELINE_NO_SOURCE, /* the table, or its stream, does not exist now */
    PIPELINE_RUNNING,
    PIPELINE_STOPPED,
};

struct pipeline {
    struct weir_pipelines *all;
    struct pipeline *next;
    struct weir_pipeline_model *model;
    enum pipeline_phase phase;
    struct weir_err why; /* NO_SOURCE */
    const struct weir_table *source;
    struct shard *shards;
    size_t shard_count;
    size_t in_flight;        /* lanes RUNNING or COMMITTING */
    struct weir_lane *queue; /* lanes QUEUED, in order */
    struct weir_lane **queue_last;
    struct weir_watch watch;
    bool watching;
    bool leaving; /* the source is gone or another one: begin nothing, detach when idle */
    struct weir_hold hold;
    _Atomic bool woken; /* wake_post is with the loop */
    struct weir_post wake_post;
    struct weir_post pump_post; /* goes on reading after yielding */
    bool pumping;
    struct weir_filter_group *group; /* NULL: no filter */
    struct pipeline *next_member;    /* of the group */
    size_t first_pattern;            /* its patterns in the group's set */
    size_t pattern_count;
    struct weir_arena filter_arena;

    struct weir_counter *records;
    struct weir_counter *filtered;
    struct weir_counter *batches;
    struct weir_counter *errors;
    struct weir_counter *conflicts;
    struct weir_histogram *batch_sizes;
    struct weir_histogram *duration;
    struct weir_gauge *age;
    struct weir_gauge *waiting;
};

struct weir_pipelines {
    struct weir_loop *loop;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_store *store;
    struct weir_metrics *metrics;
    struct pipeline *first;
    struct weir_filter_group *groups; /* of pipelines that read one table */
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    _Atomic bool tables_woken;
    struct weir_post tables_post;
    struct weir_watch log_watch; /* for new segments */
    _Atomic bool log_woken;
    struct weir_post log_post;
    struct weir_post stopped_post;
    struct weir_post free_post;
};

/* dead_letter.c: whether a table's key is one for dead letters. */
bool weir_dead_letter_fits(const struct weir_table *table);
/*
 * Add a record that failed to the batch's transaction, as a dead letter.
 * Errors: WEIR_E_NOT_FOUND (no such table), WEIR_E_INVALID (its key), WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_dead_letter_put(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err);

/* dead_letter.c: take away the letter of a record that is through. Errors: as above. */
WEIR_MUST_CHECK enum weir_rc weir_dead_letter_remove(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err);

/* filter.c: let a pipeline's filter be matched together with others of its table. */
void weir_filter_join(struct pipeline *pipeline);
/* Whether the record passes the filter. */
bool weir_filter_passes(struct pipeline *pipeline, const struct weir_record *record);
void weir_filter_destroy_all(struct weir_pipelines *pipelines);

/* lane.c */
void weir_lane_init(struct weir_lane *lane, struct shard *shard, uint32_t first_slot,
        uint32_t slot_count, struct weir_pos position);
void weir_lane_fini(struct weir_lane *lane);
/* The key slot of an item's encoded key, and the lane of its shard that has it. */
uint32_t weir_key_slot(struct weir_str key);
struct weir_lane *weir_shard_lane(struct shard *shard, struct weir_str key);
/* Let a record wait in the lane, which takes it. */
void weir_lane_give(struct weir_lane *lane, struct queued *queued);
/* See whether the lane has a batch to run, and queue it. */
void weir_lane_consider(struct weir_lane *lane);
/* What blocked it may be gone: try again. */
void weir_lane_unblock(struct weir_lane *lane);
/* The position that could be committed for it now. */
struct weir_pos weir_lane_reached(const struct weir_lane *lane);

/* runner.c */
/* Start queued lanes while there are places. */
void weir_pipeline_schedule(struct pipeline *pipeline);
/* A lane has committed or blocked: room for reading, positions to let go of. */
void weir_pipeline_moved(struct pipeline *pipeline);

/* position.c: add to a transaction how far a lane has come. */
void weir_position_put(
        struct weir_txn *txn, const struct weir_lane *lane, struct weir_pos position);
/* Read the positions of a pipeline's shard into slots; ret_any false: there were none. Errors:
 * WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_position_load(struct pipeline *pipeline, uint32_t shard,
        struct weir_pos slots[static WEIR_PIPELINE_SLOTS], bool *ret_any, struct weir_err *err);
/* Write the positions of all slots as one entry a lane, replacing what was there. */
void weir_position_replace(struct weir_txn *txn, struct pipeline *pipeline, struct shard *shard,
        const struct weir_pos slots[static WEIR_PIPELINE_SLOTS]);

#endif
