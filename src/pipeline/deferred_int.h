/*
 * Deferred runs: events that a step has put off, as they stand in the store, and how they go on.
 *
 * WEIR_SPACE_DEFERRED has three kinds of entries, each with the pipeline's name, a zero byte, the
 * step's id and a zero byte behind its first letter:
 *
 *     o  key             an open burst: what it has gathered, and when it is due
 *     d  due, key        leads from a time, at or before the due time, to the open burst
 *     c  due, seq, key   a closed burst: it goes on as soon as a lane takes it
 *
 * A burst is open until every lane of the pipeline has processed all that was committed up to its
 * due time, or until a record comes that was committed after it; then it is closed and gathers
 * no more. It goes, in the transaction of its run, when the run is through or given up.
 *
 * A record that comes moves the due time on, but not `d`: that is put right when its time has
 * come, once a period instead of once a record.
 */
#ifndef WEIR_PIPELINE_DEFERRED_INT_H
#define WEIR_PIPELINE_DEFERRED_INT_H

#include "pipeline/pipeline_int.h"

/* A record with what it needs to be processed again. */
struct burst_record {
    struct weir_str table;
    struct weir_str key; /* encoded key of the item */
    struct weir_record record;
};

/* What events have become together, by field; both empty: nothing is merged. */
struct merged {
    struct weir_item values;
    struct weir_item positions; /* of the records that FIRST and LAST values are of */
};

/* Events that go on as one. */
struct burst {
    struct weir_time indexed; /* where its `d` entry is; 0: it has none */
    struct weir_time since;   /* of the earliest event */
    struct weir_time latest;  /* of the latest one */
    struct weir_time due;
    uint64_t count; /* of events */
    uint8_t hops;
    struct burst_record first; /* the earliest */
    struct burst_record last;  /* the latest: what goes on */
    struct merged merged;
};

/* --- merge.c: what the events of a burst become together ------------------------------------ */

/*
 * Make the merged values of a burst and of what joins it those of both. False: they would be too
 * large or a sum out of range; nothing has changed.
 */
WEIR_MUST_CHECK bool weir_merged_join(struct weir_arena *arena,
        const struct weir_merge_field *fields, size_t count, struct merged *into,
        const struct merged *from);

/* The merged values of one event. In the arena. */
struct merged weir_merged_of(
        struct weir_arena *arena, const struct weir_defer *how, struct weir_pos pos);

/* --- burst.c: entries ---------------------------------------------------------------------- */

enum burst_kind {
    BURST_OPEN = 'o',
    BURST_DUE = 'd',
    BURST_CLOSED = 'c',
};

/* The earliest times of entries that operations have added; INT64_MAX: they added none. */
struct burst_added {
    struct weir_time due;    /* DUE */
    struct weir_time closed; /* CLOSED */
};

/* What all keys of a kind begin with, of a step or (step empty) of a pipeline. In the arena. */
struct weir_str weir_burst_prefix(struct weir_arena *arena, enum burst_kind kind,
        struct weir_str pipeline, struct weir_str step);

/* Where the DUE or CLOSED keys with a prefix and a time begin. In the arena. */
struct weir_str weir_burst_time_key(
        struct weir_arena *arena, struct weir_str prefix, struct weir_time time);

/* The keys. In the arena. */
struct weir_str weir_burst_open_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, struct weir_str key);
struct weir_str weir_burst_due_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, struct weir_time due, struct weir_str key);
struct weir_str weir_burst_closed_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, const struct burst *burst, struct weir_str key);

/* What stands in a key; borrowed from it. */
struct burst_name {
    enum burst_kind kind;
    struct weir_str pipeline;
    struct weir_str step;
    struct weir_time due; /* DUE, CLOSED */
    struct weir_str key;
};

/* Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_burst_name(
        struct weir_str key, struct burst_name *ret_name, struct weir_err *err);

/* The value of an open or closed burst. In the arena. */
struct weir_str weir_burst_encode(struct weir_arena *arena, const struct burst *burst);

/* Read one; everything is borrowed from the bytes. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_burst_decode(
        struct weir_str bytes, struct burst *ret_burst, struct weir_err *err);

/* --- gather.c: operations on the commit thread ------------------------------------------------ */

/* Add the events that the batch has put off to its transaction. */
void weir_deferrals_commit(struct weir_lane *lane);

/* The entries that the batch's committed transaction has added. */
struct burst_added weir_deferrals_added(const struct weir_lane *lane);

/* What is to become of an open burst. */
enum burst_end {
    BURST_CLOSE_DUE, /* closed if it is due at `until` or before; else `d` is put right */
    BURST_CLOSE_NOW, /* closed */
    BURST_CANCEL,    /* gone */
};

struct burst_end_op {
    struct weir_op op;
    enum burst_end end;
    struct weir_time until;
    struct weir_str pipeline;
    struct weir_str step;
    struct weir_str key;
    struct weir_str due_key;   /* the `d` entry that led here; empty: none did */
    bool full;                 /* the last run left it to another transaction */
    bool found;                /* it did it to a burst .. */
    struct burst_added added;  /* .. and added these entries */
    struct burst_end_op *next; /* the caller's */
};

/* Add an operation that ends a burst; its strings must live until the transaction is done. */
void weir_burst_end(struct weir_txn *txn, struct burst_end_op *op);

/* --- firing.c: what is due goes on ------------------------------------------------------------ */

/* A burst on its way through the steps; it stays where it is in memory. */
struct deferred_run {
    struct weir_str step; /* that had put it off */
    struct burst burst;
    struct weir_deferred shown; /* what steps see of it, borrowed from `burst` */
};

/* Fill in what is shown of a run; the key is borrowed. */
void weir_deferred_run_show(struct deferred_run *run, struct weir_str key);

/* A closed burst that is with a lane. */
struct fired {
    struct fired *same_bucket;
    struct weir_time follower; /* the earliest burst of its key that waits; INT64_MAX: none */
    struct weir_str name;      /* the entry's key */
    struct weir_str value;     /* the entry's value, which the burst is borrowed from */
    struct deferred_run run;
};

/* The deferred runs of one pipeline. */
struct deferred {
    struct pipeline *pipeline;
    bool used;  /* some step puts events off */
    bool stale; /* entries may have changed since the last look */
    bool full;  /* closed bursts wait for room in the lanes */
    bool looking;
    struct weir_time next; /* the earliest `d` entry; 0: there is none */
    /* Nothing is to be done for entries before these times: they are not stepped over again. */
    struct weir_time due_from;
    struct weir_time closed_from;
    struct weir_time closing_from; /* of the transaction under way, the earliest that it closes */
    struct burst_end_op *closing;  /* its operations */
    struct weir_txn *txn;          /* that closes bursts, under way; NULL: none */
    struct weir_post done_post;    /* brings its outcome to the loop */
    struct weir_loop_timer timer;  /* for the next due time */
    struct weir_origin origin;     /* of the records it gives to lanes */
    struct fired **fired;          /* buckets, by step and key */
    size_t fired_count;
    size_t fired_bytes;
    struct weir_counter *deferrals;
    struct weir_counter *runs;
};

/* The run that a queued record is, just closed or of a letter; NULL: it is none. */
const struct deferred_run *weir_queued_run(
        const struct pipeline *pipeline, const struct queued *queued);

/* What a queued record stands for that the step has put off; NULL: it did not. */
const struct weir_deferred *weir_queued_deferred(
        const struct pipeline *pipeline, const struct queued *queued, const struct weir_step *step);

/* The burst of the step's key that is with a lane, which the next one waits for; NULL: none is. */
struct fired *weir_deferred_fired(const struct deferred *deferred, const struct burst_name *name);

/* The pipeline that has the step; NULL: none does. */
struct pipeline *weir_deferred_taker(
        struct weir_pipelines *pipelines, const struct burst_name *name);

/* --- letter_run.c: the letters of runs --------------------------------------------------- */

/* What the letter of a record has as `burst`, in the lane's arena; empty: it is no run. */
struct weir_item weir_letter_run_item(
        struct weir_lane *lane, const struct queued *queued, enum weir_letter_images images);

/*
 * Make the record of a letter that has a burst, whose source is set, the run that it was. Errors:
 * WEIR_E_INVALID (its step is not there, or the burst cannot be read).
 */
WEIR_MUST_CHECK enum weir_rc weir_letter_run_give(const struct pipeline *pipeline,
        const struct weir_letter *letter, struct queued *queued, struct weir_err *err);

/* The run of a record that came back from a letter; NULL: it is none. */
const struct deferred_run *weir_letter_run_of(const struct queued *queued);

/* The `left` of such records. */
void weir_letter_run_left(struct queued *queued, bool settled);

/* --- looking ----------------------------------------------------------------------------- */

struct deferred *weir_deferred_create(struct pipeline *pipeline);
/* End its timer; the loop may still bring the outcome of a transaction. */
void weir_deferred_stop(struct deferred *deferred);
/* Free; its lanes must be gone. */
void weir_deferred_destroy(struct deferred *deferred);

/*
 * Something has moved: see whether a burst can be closed, or go on. Gives false when its time was
 * up before all was seen: then it must be called again.
 */
bool weir_deferred_look(struct deferred *deferred);

/* Entries were added, which the next look is to see. */
void weir_deferred_note(struct deferred *deferred, const struct burst_added *added);

/* The next look is to see all entries: somebody has changed some, or a table is there again. */
void weir_deferred_note_all(struct deferred *deferred);

#endif
