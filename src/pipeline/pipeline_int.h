/* What the files of pipeline/ share: pipelines, shards and lanes at run time. */
#ifndef WEIR_PIPELINE_PIPELINE_INT_H
#define WEIR_PIPELINE_PIPELINE_INT_H

#include <stdatomic.h>

#include "base/random.h"
#include "net/loop.h"
#include "pipeline/letters.h"
#include "pipeline/pipeline.h"
#include "state/state.h"

struct pipeline;
struct source;
struct shard;
struct intake;
struct queued;
struct weir_filter_group;
struct deferral;
struct gather_op;
struct deferred;
struct claim;
struct claims;
struct quarantine;

/* --- queued.c: records that wait ---------------------------------------------------------- */

/* Where a record comes from that is not read from the stream now. */
struct weir_origin {
    /*
     * Optional. Add to the batch's transaction that the record is dealt with: it is through, or
     * it failed and its letter is written. Errors: the batch waits and is run again.
     */
    enum weir_rc (*settle)(struct weir_lane *lane, struct queued *queued, struct weir_err *err);
    /* Optional. The record leaves memory: settled and committed, or (the lane goes) not. */
    void (*left)(struct queued *queued, bool settled);
    void *arg;
    /*
     * Optional. The record is about to go through the steps: drop it if it is no longer of use.
     * What is read belongs to the batch's read set. Errors: WEIR_E_IO: the batch waits.
     */
    enum weir_rc (*admit)(struct weir_lane *lane, struct queued *queued, struct weir_err *err);
    bool prunes; /* its records are REMOVEs that leave nothing behind */
};

/* Why a record failed; names and meaning are those of AWS's on-failure records. */
enum weir_letter_condition {
    WEIR_CONDITION_RECORD,  /* it cannot be processed, however often */
    WEIR_CONDITION_RETRIES, /* RetryAttemptsExhausted */
    WEIR_CONDITION_AGE,     /* RecordAgeExceeded */
};

/* Records that failed at once, because nothing tells which of them is at fault. */
struct together {
    size_t count; /* 0: this one failed alone */
    struct weir_pos first;
    struct weir_pos last;
};

/* A record that waits in a lane, in one block with its bytes. */
struct queued {
    struct queued *next;
    struct weir_record record;
    struct weir_str key; /* encoded key of the item */
    size_t bytes;
    const struct weir_origin *origin; /* NULL: the stream */
    struct weir_str token;            /* the origin's own, e.g. a dead letter's key */
    void *of_origin;                  /* the origin's own */
    struct weir_time now;             /* what expressions call so */
    struct weir_time given;           /* a letter's record: when it was given back */
    size_t first_step;                /* it has been through those before */
    uint8_t hops;
    bool failed;  /* a step could not process it: left out of the batch */
    bool written; /* its letter stands in a file */
    bool gone;    /* as failed: somebody else has dealt with what it came back from */
    bool alone;   /* as failed: what the step did behind it, of the same group, is done */
    bool parked;  /* an earlier record of its item has failed: it waits for that, in the store */
    enum weir_letter_condition condition;
    struct together together;
    unsigned attempts;    /* how often it was tried when it failed */
    struct weir_str step; /* that it failed at; empty: before the first one */
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
        uint8_t hops, const struct weir_origin *origin, struct weir_str token);
/* Tell the origin, and free. */
void weir_queued_destroy(struct queued *queued, bool settled);
/*
 * Fail those of the `count` records from `first` on that are not left out already; when there are
 * several, they failed together. step and err are copied.
 */
void weir_queued_fail(struct queued *first, size_t count, enum weir_letter_condition condition,
        unsigned attempts, const struct weir_step *step, const struct weir_err *err);
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

enum { WEIR_BATCH_MAX_BYTES = 6 << 20 }; /* what has so many does not wait to become fuller */

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
    struct settled *settled;
    struct deferral *deferrals; /* events put off, in order */
    struct deferral **last_deferral;
    struct gather_op *gathers; /* what adds them to their bursts, in the transaction's arena */
};

/* A message whose deletion is part of the transaction, in its arena. */
struct settled {
    struct weir_queue_settle settle;
    struct queued *queued; /* that came from it */
    struct settled *next;
};

void weir_batch_begin(struct batch *batch);
/* Drop everything; the transaction must not be with the store. */
void weir_batch_end(struct batch *batch);
/* Turn what was touched into changes of the transaction. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_batch_prepare(struct batch *batch, struct weir_err *err);

/* --- mark.c: up to when everything is known ------------------------------------------------ */

/* All that was committed before `time` stands before `end`. One a pipeline. */
struct mark {
    struct pipeline *pipeline;
    struct weir_time time;
    struct weir_pos end;
    struct weir_txn *txn;         /* that moves it, under way; NULL: none */
    struct weir_post post;        /* brings its outcome to the loop */
    struct weir_loop_timer timer; /* when it could not be made */
};

void weir_mark_init(struct mark *mark, struct pipeline *pipeline);
/* End its timer; the loop may still bring the outcome of a transaction. */
void weir_mark_stop(struct mark *mark);
/* Move it to the present, unless that is under way; then the pipeline reads on. */
void weir_mark_move(struct mark *mark);

/* --- lanes ------------------------------------------------------------------------------- */

enum lane_phase {
    LANE_WAITING,    /* for records, or for the window */
    LANE_QUEUED,     /* has a batch to run; waits for one of the pipeline's places */
    LANE_RUNNING,    /* on the loop, or yielding */
    LANE_PENDING,    /* a step awaits an answer */
    LANE_COMMITTING, /* its transaction is with the store */
    LANE_BLOCKED,    /* its target is not there now */
    LANE_PAUSED,     /* until the next attempt */
};

/* What a `whole` step made of a batch, kept until the batch is committed. */
struct answer {
    const struct weir_step *step; /* NULL: none is kept */
    struct weir_arena arena;      /* what the events are made of */
    const struct queued **asked;  /* the records that it was given, in order */
    size_t asked_count;
    struct weir_events out;
    const struct queued *cut; /* the first record that it did not do; NULL: all are done */
    struct weir_err cut_err;
    struct weir_str window_state; /* as the lane's */
};

/* How the batch in hand has fared. */
struct attempts {
    unsigned failed; /* attempts that used a retry, of the records from the first on */
    size_t suspects; /* records from the first on among which one is at fault; 0: not known */
    size_t given_up; /* the first records, which are committed alone; 0: none */
    bool stored;     /* an entry in the store says so */
};

/* What an entry in the store said about the batch that was in hand at the last stop. */
struct attempts_stored {
    struct weir_pos last;         /* the batch's last record; 0: there was no entry */
    struct weir_pos last_suspect; /* 0: none */
    unsigned failed;
    struct weir_time due;
};

/* The window of a shard that was begun and is not closed; see window.c. */
struct open_window {
    struct weir_time start;
    struct weir_time end; /* the first moment behind it; 0: none is open */
    struct weir_pos last; /* of the record that came into it last */
    bool early;           /* its state is too large: it is closed before its time */
    uint8_t hops;         /* the most of a record in it: pipelines it came through */
};

struct weir_lane {
    struct pipeline *pipeline;
    struct shard *shard;
    uint32_t first_slot;
    uint32_t slot_count;
    enum lane_phase phase;
    struct queued_list waiting; /* read and passed by the filter, not in the batch */
    struct queued_list taken;   /* the batch */

    /* The run: records through the steps, part by part. */
    size_t done_count;         /* records of the batch that are through the steps */
    struct queued *next;       /* the first that is not */
    struct weir_events events; /* on their way, before `step` */
    size_t step;
    bool walking;         /* events are between steps */
    bool resumed;         /* the step at hand was PENDING */
    bool rerun;           /* a record failed after something of it was written */
    struct claim *claims; /* keys that no other lane works on */
    bool awaits_claim;    /* PENDING until another lane lets go of one */
    size_t limit;         /* of records in a transaction, when more are too large; 0: none */
    void **work;          /* of each step */
    struct answer answers[WEIR_STEPS_WHOLE_MAX];
    const struct queued *cut; /* the first record that a step did not do */
    const struct weir_step *cut_by;
    struct weir_err cut_err;
    struct batch batch;
    struct weir_arena arena; /* everything the run needs until its outcome */

    struct open_window window;            /* as committed */
    struct open_window window_committing; /* when the transaction at hand is true */
    struct queued *closing;       /* stands for the end of `window`, which is in hand; NULL: no */
    bool closing_begun;           /* it is with the steps, or through */
    struct weir_str window_state; /* what a step answered for the batch; empty: nothing */

    struct attempts attempts;
    struct attempts_stored stored;
    struct weir_pos position; /* committed: all before it is done */
    struct weir_pos committing;
    bool notes_rule;           /* the transaction at hand says what rules the views are made by */
    struct weir_pos log_end;   /* before the transaction at hand: what it writes is behind it */
    struct weir_txn *question; /* UNSURE: with the store */
    bool unsure;               /* COMMITTING: whether the transaction is true is being found out */
    struct weir_pos given;     /* the last record of the stream that was given to it */
    uint64_t began_ns;
    uint64_t waiting_since_ns;     /* monotonic time at which the first waiting record came */
    struct weir_err why;           /* it is stuck: from the first wait until a commit */
    enum lane_phase stuck_as;      /* BLOCKED or PAUSED, also while it is tried again */
    struct weir_time stuck_since;  /* BLOCKED, PAUSED: since this batch first was */
    struct weir_time next_attempt; /* BLOCKED, PAUSED */
    unsigned blocks;               /* in a row */
    struct weir_loop_timer timer;  /* window, pause, or a step's time-out */
    struct weir_post run_post;     /* goes on after yielding */
    struct weir_post done_post;    /* brings the outcome to the loop */
    struct weir_lane *next_queued;
};

struct shard {
    struct source *source;
    uint32_t number;
    struct weir_log_reader *reader;
    struct weir_lane *lanes;
    size_t lane_count;
    struct weir_pos skip[WEIR_PIPELINE_SLOTS]; /* slots that are ahead of the reader's start */
    struct weir_time read_time;                /* commit time of the last record read */
    bool at_end;
};

/* One of the tables that a pipeline reads, or its queue. */
struct source {
    struct pipeline *pipeline;
    struct weir_str name;
    bool of_queue;         /* one shard without a reader and without positions; see intake.c */
    struct intake *intake; /* of a queue that is there; NULL: it is not, or a table is read */
    const struct weir_table *table; /* NULL: it, or its stream, does not exist now */
    uint32_t after;                 /* the keyspace of the newest table that it is done with */
    struct weir_err why;            /* no table */
    bool is_new;                    /* while it is attached: it was never read before */
    struct shard *shards;
    size_t shard_count;
    size_t in_flight; /* lanes RUNNING, PENDING or COMMITTING */
    bool draining;    /* the table is gone or another one: what it had is processed first */
    bool impatient;   /* that takes too long */
    bool leaving;     /* begin nothing, detach when idle */
    struct weir_loop_timer drain_timer; /* while draining */
    struct weir_watch watch;
    struct weir_hold hold;
    struct weir_filter_group *group; /* NULL: no filter */
    struct source *next_member;      /* of the group */
    size_t first_pattern;            /* its patterns in the group's set */
    size_t pattern_count;
};

/* letter_gauges.c: what was counted in the table of a pipeline's letters. */
struct letter_count {
    struct weir_watch watch; /* on the table */
    bool watching;
    _Atomic bool changed; /* since it was counted */
    uint64_t letters;
    struct weir_time oldest; /* failed first; 0: there is none */
};

/* gap.c: records of a shard that the log let go of before they were read. */
struct gap {
    struct gap *next;
    struct pipeline *pipeline;
    struct weir_str table; /* owned */
    uint32_t shard;
    struct weir_log_gap lost;
    struct weir_time from_time; /* of the last record that was read before; 0: not known */
    struct weir_time noticed;
    bool told;                                 /* letter and entry are committed */
    bool changed;                              /* it has grown since they were written */
    struct weir_err why;                       /* they could not be written */
    struct weir_txn *txn;                      /* that is under way */
    const struct weir_table *table_of_letters; /* referenced while it is */
    const struct weir_queue *queue_of_letters;
    struct weir_post post; /* brings its outcome to the loop */
    struct weir_loop_timer again;
};

struct pipeline {
    struct weir_pipelines *all;
    struct pipeline *next;
    struct weir_pipeline_model *model;
    struct source *sources;
    size_t source_count;
    bool stopped;
    bool leaving;           /* it is being removed, and so are its sources */
    bool left;              /* its last positions are with the store */
    size_t letters_leaving; /* deletions of letters under way */
    void (*removed)(void *arg);
    void *removed_arg;
    struct weir_post removal_post;
    size_t in_flight;        /* of all sources */
    struct weir_lane *queue; /* lanes QUEUED, in order */
    struct weir_lane **queue_last;
    _Atomic bool woken; /* wake_post is with the loop */
    struct weir_post wake_post;
    struct weir_post pump_post; /* goes on reading after yielding */
    bool pumping;
    struct weir_arena filter_arena;
    struct pipeline_job *job; /* NULL: none */
    bool rule_changed;        /* the views were made by another one */
    bool rule_noted;          /* what the next one is, and the job's rule, are in the store */
    uint64_t rule_of_views;   /* the generation that they are made by, this one's work included */
    struct gap *gaps;         /* that nobody has acknowledged */
    size_t untold;            /* of them; nothing is read meanwhile */
    bool short_of_room; /* the log has used half of its bound since this pipeline's position */
    struct mark mark;
    struct weir_loop_timer window_timer; /* for the next end of a window */
    struct deferred *deferred;
    struct claims *claims;
    struct quarantine *quarantine;

    struct weir_counter *records;
    struct weir_counter *filtered;
    struct weir_counter *batches;
    struct weir_counter *errors;
    struct weir_counter *conflicts;
    struct weir_counter *retries;
    struct weir_counter *read_units;
    struct weir_counter *letters_written;
    struct weir_gauge *letters;
    struct weir_gauge *oldest_letter;
    struct letter_count letter_count;
    struct weir_histogram *batch_sizes;
    struct weir_histogram *duration;
    struct weir_counter *lost;
    struct weir_gauge *age;
    struct weir_gauge *waiting;
    struct weir_gauge *parked;
    struct weir_gauge *behind;
    struct weir_gauge *room;
    struct weir_gauge *room_seconds;
};

/* How fast the log grows: samples of the last minutes, oldest first. */
struct growth {
    struct {
        uint64_t at_ns;
        uint64_t bytes;
    } samples[32];
    size_t count;
};

struct weir_pipelines {
    struct weir_loop *loop;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_functions *functions;
    struct weir_outbox *outbox; /* or NULL */
    bool simulates;
    struct weir_letter_writer *letter_writer; /* NULL: none was needed yet */
    struct weir_store *store;
    struct weir_metrics *metrics;
    struct pipeline *first;
    struct weir_filter_group *groups; /* of pipelines that read one table */
    struct growth growth;
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct weir_loop_timer stop_timer; /* then steps that are PENDING are cancelled */
    struct weir_random random;         /* for pauses */
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
 * Errors: WEIR_E_NOT_FOUND (no such table or queue), WEIR_E_INVALID (the table's key),
 * WEIR_E_TOO_LARGE (the queue takes no letters of that size), WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_dead_letter_put(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err);

/*
 * letters.c: the pipeline whose letters are meant. Errors: WEIR_E_NOT_FOUND (no such pipeline),
 * WEIR_E_INVALID (it keeps none, where they cannot be read, or stops).
 */
WEIR_MUST_CHECK enum weir_rc weir_letters_find(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct pipeline **ret_pipeline, struct weir_err *err);

/* letter_marks.c: whether a letter of a file is dealt with. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_letter_mark_look(struct weir_pipelines *pipelines,
        const struct weir_letter *letter, struct weir_arena *arena, bool *ret_done,
        struct weir_err *err);
/* Add to a transaction that it is. */
void weir_letter_mark_put(
        struct weir_txn *txn, const struct weir_letter *letter, struct weir_time now);
/*
 * Add to a batch's transaction that the letter of a record is; its token is the letter's timestamp.
 * gone: it was before. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_letter_mark_take(
        struct weir_lane *lane, const struct queued *queued, bool *ret_gone, struct weir_err *err);

/* letters.c: whether the pipeline's letters are where weir can read them: in a table or a queue. */
bool weir_letters_are_kept(const struct weir_pipeline_model *model);

/* What a letter keeps of its records' images: without some it is incomplete. */
enum weir_letter_images {
    WEIR_LETTER_BOTH_IMAGES,
    WEIR_LETTER_NEW_IMAGE,
    WEIR_LETTER_NO_IMAGES,
};
/* dead_letter.c: take away from a record what is not kept. */
void weir_letter_leave_images(struct weir_record *record, enum weir_letter_images images);

/* dead_letter.c: the letter of a record that failed; its texts are the lane's arena's. */
struct weir_letter weir_letter_of(struct weir_lane *lane, const struct queued *queued);

/*
 * letter_file.c: begin to write the letters of the batch that go into a file; then the lane waits,
 * and weir_lane_submit is called again. False: there are none to be written.
 */
bool weir_letter_file_write(struct weir_lane *lane);
/* No lane may wait for it. NULL is fine. */
void weir_letter_writer_destroy(struct weir_letter_writer *writer);

/*
 * dead_letter.c: a record that was one; its token is the letter's key, its message's receipt, or in
 * a file its timestamp.
 */
extern const struct weir_origin weir_origin_letter;

/* letter_gauges.c: bring the gauges of a pipeline's letters up to date; stop following their table.
 */
void weir_letter_gauges_refresh(struct pipeline *pipeline);
void weir_letter_gauges_fini(struct pipeline *pipeline);

/* messages.c: add that a record's message is deleted; its token is the receipt. Errors: as
 * weir_queue_settle. */
WEIR_MUST_CHECK enum weir_rc weir_lane_settle_message(struct weir_lane *lane, struct queued *queued,
        const struct weir_queue *queue, struct weir_err *err);
/*
 * messages.c: the transaction was refused with WEIR_E_CONDITION: drop the record whose message
 * somebody else has had. False: that is not the reason.
 */
bool weir_lane_drop_refused(struct weir_lane *lane);
/* Leave a record out: it has been dealt with elsewhere. */
void weir_queued_drop(struct queued *queued);
/* gap.c: the shard's reader has missed records: say so, and read on when that is committed. */
void weir_gap_found(struct shard *shard);
/* Read the gaps that nobody has acknowledged. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_gaps_load(struct pipeline *pipeline, struct weir_err *err);
void weir_gaps_destroy(struct pipeline *pipeline);
/* Forget the gaps whose letters are gone: somebody has acknowledged them. */
void weir_gaps_look_again(struct pipeline *pipeline);
/* Whether a letter is being written. */
bool weir_gaps_are_busy(const struct pipeline *pipeline);
/* Forget all: a rebuild has made up for them. */
void weir_gaps_made_up_for(struct pipeline *pipeline);
/* Why a gap cannot be told, so that nothing is read; NULL: all can. */
const struct weir_err *weir_gaps_blocked(const struct pipeline *pipeline);
/* Append the member "trimmed" of a pipeline that has gaps. */
void weir_gaps_write(const struct pipeline *pipeline, struct weir_buf *buf);

/* lag.c */
struct lag {
    uint64_t waiting;              /* records in lanes, whatever their origin */
    struct weir_log_count behind;  /* records of the streams that are not done */
    int64_t oldest_ms;             /* INT64_MAX: nothing waits */
    const struct weir_lane *stuck; /* one that is blocked, or else retries */
};
/* Measure one lane (behind: only what it has been given), a source, or a pipeline. */
void weir_lane_lag(const struct weir_lane *lane, struct lag *ret_lag);
void weir_source_lag(const struct source *source, struct lag *ret_lag);
void weir_pipeline_lag(const struct pipeline *pipeline, struct lag *ret_lag);
/* What lag means for the age of the oldest record that is not done, in ms. */
int64_t weir_lag_age(const struct pipeline *pipeline, const struct lag *lag);

struct room {
    struct weir_room log;
    uint64_t bytes_per_second; /* that the log grows by */
    int64_t ms;                /* until records are lost; INT64_MAX: not in sight */
};
/* The room that a pipeline's position has; warns when it has become less than half. */
void weir_pipeline_room(struct pipeline *pipeline, struct room *ret_room);

/* quarantine.c: a record that was parked; its token is its entry's key. */
extern const struct weir_origin weir_origin_parked;
void weir_quarantine_create(struct pipeline *pipeline);
/* Read which items of a source are held; then, when it has its lanes, go on with what is parked.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_quarantine_load(struct source *source, struct weir_err *err);
void weir_quarantine_start(struct source *source);
/* The source goes: forget its items. */
void weir_quarantine_forget(struct source *source);
/* Before a record goes through the steps: mark it when it has to wait. */
void weir_quarantine_look(const struct weir_lane *lane, struct queued *queued);
/* Mark records of the batch behind one of their item that failed in it. True: run it again. */
bool weir_quarantine_mark(struct weir_lane *lane);
/* Add to the batch's transaction what a record's outcome means, and note it when committed. */
void weir_quarantine_settle(struct weir_lane *lane, const struct queued *queued);
void weir_quarantine_committed(struct weir_lane *lane, const struct queued *queued);
/* Whether the letter of a record is what its item waits for. */
bool weir_quarantine_awaits(const struct source *source, struct weir_str key, struct weir_pos pos);
/*
 * A transaction deletes a record's letter: what waits for it goes on once that is committed; behind
 * a table that is away, once that is back. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_quarantine_skip(
        struct pipeline *pipeline, struct weir_txn *txn, struct weir_pos pos, struct weir_err *err);
void weir_quarantine_skipped(struct pipeline *pipeline, const struct weir_txn *txn, bool committed);
/* Items that are held, and entries of them. */
void weir_quarantine_numbers(
        const struct pipeline *pipeline, size_t *ret_items, size_t *ret_records);

/* --- intake.c: messages of a queue as records ----------------------------------------------- */

/* A record that is a message; its token is the receipt. */
extern const struct weir_origin weir_origin_message;

/* Attach to the queue, if it is there; a queue that is missing is no error. Detach: with no lanes
 * left. */
void weir_intake_attach(struct source *source);
void weir_intake_detach(struct source *source);
/* Whether the queue is still there, not purged since; its definition is brought up to date. */
bool weir_intake_is_current(struct source *source);
/* Receive, while the lanes have room. */
void weir_intake_go_on(struct source *source);
/* Receive nothing more. */
void weir_intake_stop(struct source *source);
/*
 * Add that the queue shows what is in a lane that runs no more, where the lane is a queue's. What
 * others have received or deleted meanwhile is left alone.
 */
void weir_intake_give_back(const struct weir_lane *lane, struct weir_txn *txn);
/* Have the queue show what the lanes hold, which are about to go. */
void weir_intake_return(const struct source *source);
/* Whether messages are on their way that cannot be called back. */
bool weir_intake_is_receiving(const struct source *source);
/* Messages that nobody has received, and when the oldest was sent; nothing: INT64_MAX. */
void weir_intake_numbers(
        const struct source *source, uint64_t *ret_messages, int64_t *ret_oldest_ms);
/* What `message` is in expressions; borrows from the record. */
struct weir_expr_value weir_queued_message(const struct queued *queued, struct weir_arena *arena);
/*
 * FIFO: leave out messages behind one of their group that stays in the queue. True: some of them
 * were through the steps, so run the batch again.
 */
bool weir_intake_mark(struct weir_lane *lane);

/* filter.c: let a source's filter be matched together with others of its table. */
void weir_filter_join(struct source *source);
/* Whether the record passes the filter. */
bool weir_filter_passes(struct source *source, const struct weir_record *record);
/* Whether a message passes the filter, which there is; event: as JSON, as patterns see it. */
bool weir_filter_passes_message(const struct weir_pipeline_model *model,
        struct weir_pattern_scratch *scratch, struct weir_str event);
/* The source goes: match without it. */
void weir_filter_leave(struct source *source);
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
/* It gives its place back and waits, BLOCKED or PAUSED. */
void weir_lane_wait(
        struct weir_lane *lane, enum lane_phase phase, const struct weir_err *why, uint64_t ms);
/* The batch is dealt with: look for the next one. */
void weir_lane_finished(struct weir_lane *lane);
/* Give back the lane's place and everything of the run; its records stay. */
void weir_lane_give_up_place(struct weir_lane *lane);

/* window.c: windows of time, of a pipeline that has them. Else these do nothing. */
void weir_windows_init(struct pipeline *pipeline);
void weir_windows_stop(struct pipeline *pipeline);
/* Close what is over; see to it that what is over later will be. */
void weir_windows_look(struct pipeline *pipeline);
/* Read what is open in a lane's shard. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_window_load(struct weir_lane *lane, struct weir_err *err);
/* Whether the batch that is being taken ends before a record: it is of another window. */
bool weir_window_ends_before(const struct weir_lane *lane, const struct queued *queued);
/* Whether the window of the first record that waits gets no more of them. */
bool weir_window_has_passed(const struct weir_lane *lane);
/* Whether the end of the open window comes before the lane's next record: it is in hand then. */
bool weir_window_close(struct weir_lane *lane);
/* A batch, or the end of a window, is through the steps: add what it means to the transaction. */
void weir_window_committing(struct weir_lane *lane);
void weir_window_committed(struct weir_lane *lane);

/* run.c: the batch through the steps. */
void weir_lane_run(struct weir_lane *lane);
/* Start over with the batch's records that are not committed; answers are kept. */
void weir_lane_rewind(struct weir_lane *lane);
/* As rewind, and forget the answers. */
void weir_lane_forget(struct weir_lane *lane);
/* A step that is PENDING is told to stop; the lane rewinds and waits for nothing. */
void weir_lane_cancel(struct weir_lane *lane);
/* The time of the step that is PENDING is over. */
void weir_lane_timed_out(struct weir_lane *lane);

/* claim.c: the keys that lanes have claimed. */
struct claims *weir_claims_create(void);
void weir_claims_destroy(struct claims *claims);
/* Let go of what the lane has claimed; who waits for it goes on. */
void weir_lane_release_claims(struct weir_lane *lane);

/* outcome.c: what comes of it. */
void weir_lane_submit(struct weir_lane *lane);
void weir_lane_outcome(struct weir_lane *lane);
void weir_lane_block(struct weir_lane *lane, const struct weir_err *err);
/* unsure.c: the outcome of the transaction is not known. Find out. */
void weir_lane_unsure(struct weir_lane *lane);
void weir_lane_ask(struct weir_lane *lane);

enum weir_lane_certainty {
    WEIR_LANE_COMMITTED,
    WEIR_LANE_NOT_COMMITTED, /* err says why it was not known */
    WEIR_LANE_UNSURE,        /* still: the lane's timer is set to ask again */
};

/* What came of a question. */
enum weir_lane_certainty weir_lane_answered(struct weir_lane *lane, struct weir_err *err);

/* Run what is left of the batch, from its first record. */
void weir_lane_run_again(struct weir_lane *lane);
/* Whether the record is left out of the batch: it failed, or waits. */
static inline bool weir_queued_is_out(const struct queued *queued)
{
    return queued->failed || queued->parked;
}
/* Whether the pipeline itself said that the record is to be left out. */
bool weir_queued_was_skipped(const struct queued *queued);

/* retry.c */
/* An attempt at the first done_count records failed in the target. */
void weir_lane_attempt_failed(struct weir_lane *lane, const struct weir_err *reason);
/* How many records the next transaction may have; 0: no limit. */
size_t weir_lane_limit(const struct weir_lane *lane);
/* Give up records of the batch that are too old. */
void weir_lane_check_ages(struct weir_lane *lane);
/* Records were committed: add to what is known of the rest, before (txn) and after (txn NULL). */
void weir_attempts_committing(struct weir_lane *lane);
void weir_attempts_committed(struct weir_lane *lane);
/* Read what the last run of weir knew of the lane's batch. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_attempts_load(struct weir_lane *lane, struct weir_err *err);
/* Whether the batch of the last run has not been read whole yet. */
bool weir_attempts_wait(const struct weir_lane *lane);
/* Whether a record is past the end of that batch. */
bool weir_attempts_ends_before(const struct weir_lane *lane, const struct queued *queued);
/* The batch was taken: what was known of it holds again. How long it has to wait, in ms. */
uint64_t weir_attempts_taken(struct weir_lane *lane);

/* source.c */
/* Whether there is what the source reads. */
static inline bool weir_source_is_there(const struct source *source)
{
    return source->table != NULL || source->intake != NULL;
}
/* Make the lanes of a shard whose source and number are set. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_source_make_lanes(struct shard *shard, struct weir_err *err);
/* Say once why the source is not there. */
void weir_source_wait(struct source *source, const struct weir_err *why);
/* firing.c: the source of a table that is there, and read; NULL: none is. */
const struct source *weir_source_of(const struct pipeline *pipeline, struct weir_str table);
void weir_source_init(struct source *source, struct pipeline *pipeline, struct weir_str name);
/* Find the table, read positions, make shards and lanes. Errors: WEIR_E_IO; a table that is
 * missing is none. */
WEIR_MUST_CHECK enum weir_rc weir_source_attach(struct source *source, struct weir_err *err);
void weir_source_detach(struct source *source);
/* Whether the lanes of a shard can take what is read. */
bool weir_shard_has_room(const struct shard *shard);
/* drain.c: the catalogue has changed: drain and detach from what is gone, attach to what has come.
 */
void weir_source_look_again(struct source *source);
/* Something of a source was read or processed; perhaps that was the last of a table that is gone.
 */
void weir_source_check_drained(struct source *source);
/* It is detached: draining is over. */
void weir_source_drained(struct source *source);
/* Read until the end, a full lane, or the time is up. False: the time is up. */
bool weir_source_read(struct source *source, uint64_t deadline_ns);
/* Let the log go past what is done. */
void weir_source_move_hold(struct source *source);
/* The log has let go of a segment: see whether records are missed. */
void weir_source_check_log(struct source *source);

/* remove.c: something of a pipeline that is leaving has ended; perhaps it was the last thing. */
void weir_pipeline_check_left(struct pipeline *pipeline);

/* runner.c */
/* Free; its sources are detached, and nothing of it is posted. */
void weir_pipeline_destroy(struct pipeline *pipeline);
/* Start queued lanes while there are places. */
void weir_pipeline_schedule(struct pipeline *pipeline);
/* Read what has come, and see what deferred runs it makes due. */
void weir_pipeline_read_on(struct pipeline *pipeline);
/* Whether messages are on their way to it that cannot be called back. */
bool weir_pipeline_is_receiving(const struct pipeline *pipeline);
/* Something that a stop waits for has ended. */
void weir_pipelines_check_stopped(struct weir_pipelines *pipelines);
/* A lane has committed or blocked: room for reading, positions to let go of. */
void weir_lane_moved(struct weir_lane *lane);
/* Something of a source has changed. Any thread. */
void weir_pipeline_wake(struct pipeline *pipeline);
struct pipeline *weir_pipeline_find(struct weir_pipelines *pipelines, struct weir_str name);

/* Call for each lane of a pipeline. */
#define WEIR_EACH_LANE(pipeline, lane)                                                 \
    for (size_t s_ = 0; s_ < (pipeline)->source_count; s_++)                           \
        for (size_t h_ = 0; h_ < (pipeline)->sources[s_].shard_count; h_++)            \
            for (struct weir_lane * (lane) = (pipeline)->sources[s_].shards[h_].lanes; \
                    (lane) < (pipeline)->sources[s_].shards[h_].lanes +                \
                                     (pipeline)->sources[s_].shards[h_].lane_count;    \
                    (lane)++)

/* position.c: add to a transaction how far a lane has come, in one of two keyspaces. */
void weir_position_put(struct weir_txn *txn, uint32_t space, const struct weir_lane *lane,
        struct weir_pos position);
/* The part of a lane's keys that names it: pipeline, table, shard, slots. */
struct weir_str weir_lane_key(struct weir_arena *arena, const struct weir_lane *lane);
/* Read the positions of a source's shard into slots; ret_any false: there were none. Errors:
 * WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_position_load(struct source *source, uint32_t space,
        uint32_t shard, struct weir_pos slots[static WEIR_PIPELINE_SLOTS], bool *ret_any,
        struct weir_err *err);
/* Write the positions of all slots as one entry a lane, replacing what was there. */
void weir_position_replace(struct weir_txn *txn, uint32_t space, struct shard *shard,
        const struct weir_pos slots[static WEIR_PIPELINE_SLOTS]);

/* Delete the positions of all slots. */
void weir_position_delete(struct weir_txn *txn, uint32_t space, struct shard *shard);

/* --- job.c: rebuilds and replays ------------------------------------------------------------ */

enum job_kind { JOB_REBUILD, JOB_REPLAY };

enum { WEIR_JOB_KEY_MAX_BYTES = 64 * 1024 };

/* Where a rebuild is: a stage, and the last key looked at in it. See rebuild.c. */
struct rebuild_place {
    size_t stage;
    struct weir_buf key;
};

/* A shard whose log is read again. */
struct replay_shard {
    struct shard *shard;
    struct weir_log_reader *reader;
    struct weir_pos skip[WEIR_PIPELINE_SLOTS];
    bool at_end;
};

/*
 * Records from elsewhere for a pipeline's lanes, a burst at a time: when all of a burst are
 * processed, the place is written and the next one begins.
 */
struct pipeline_job {
    struct pipeline *pipeline;
    enum job_kind kind;
    struct weir_time since;
    struct weir_origin records; /* what its records come from */
    struct weir_origin removals;
    size_t outstanding;     /* records in lanes */
    uint64_t burst_records; /* given in this burst */
    size_t burst_bytes;
    uint64_t burst_keys; /* looked at in this burst */
    uint64_t given;
    struct weir_job_ask *ask; /* who is to be told; NULL: nobody */
    bool beginning;           /* its entry is not durable yet */
    bool began;               /* something was given since the place was written */
    bool ended;               /* there is nothing more to give */
    bool broken;              /* records were dropped with their lane: begin again at the place */
    bool cancelled;
    bool fresh; /* replay: positions in the store are an earlier replay's */
    bool stale;
    bool prune;
    struct rebuild_place place; /* rebuild: all before is processed */
    struct rebuild_place at;    /* rebuild: all before is given */
    struct weir_pos from;       /* replay: records past it */
    struct weir_pos to;         /* replay: up to it */
    struct weir_str where;      /* owned */
    struct weir_pattern_set *pattern;
    struct weir_pattern_scratch *scratch;
    struct weir_hold hold;       /* while shards are opened */
    struct replay_shard *shards; /* NULL: not opened */
    size_t shard_count;
};

/* Make a job with nothing to do. The pipeline has none. */
struct pipeline_job *weir_job_create(struct pipeline *pipeline, enum job_kind kind);
void weir_job_destroy(struct pipeline_job *job);
/* Add the job's entry to a transaction. */
void weir_job_put(const struct pipeline_job *job, struct weir_txn *txn);
/* Go on with what was under way at the last stop; see whether the rule has changed. Errors:
 * WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_job_load(struct pipeline *pipeline, struct weir_err *err);
/* Give records while there is room. False: the time is up. */
bool weir_job_feed(struct pipeline *pipeline, uint64_t deadline_ns);
/* Whether the burst has room for more. */
bool weir_job_has_room(const struct pipeline_job *job);
/* Give a record of the job to its lane, which is not considered yet. Borrowed from the lane. */
struct queued *weir_job_give(struct pipeline_job *job, struct source *source,
        const struct weir_record *record, struct weir_str key, const struct weir_origin *origin);
/*
 * Find a pipeline that may begin a job. Errors: WEIR_E_NOT_FOUND, WEIR_E_INVALID (not now: says
 * why).
 */
WEIR_MUST_CHECK enum weir_rc weir_job_may_begin(struct weir_pipelines *pipelines,
        struct weir_str name, struct pipeline **ret_pipeline, struct weir_err *err);
/* Begin a job, which the pipeline takes; its entry is added to txn, which is submitted. */
void weir_job_begin(struct pipeline_job *job, struct weir_txn *txn, struct weir_job_ask *ask);
/* End a job: what is in lanes is still processed, nothing more is given. */
void weir_job_cancel(struct pipeline_job *job);
/* A source goes, with its lanes. */
void weir_job_source_gone(struct pipeline *pipeline);
/*
 * A batch is about to be committed: add how far its lane has come with a replay, and the rules that
 * the views are made by with it, as long as the store does not say so.
 */
void weir_job_committing(struct weir_lane *lane);
/* It is committed. */
void weir_job_committed(struct weir_lane *lane);
/* Append the members that tell about the job and about a changed rule. */
void weir_job_write(const struct pipeline *pipeline, struct weir_buf *buf);
/* Whether a record is older than what has become of its item: `entry` is what stands now. */
bool weir_record_is_stale(
        const struct weir_record *record, const struct weir_entry *entry, bool only_views);

/* rebuild.c */
WEIR_MUST_CHECK enum weir_rc weir_rebuild_new_source(
        struct source *source, struct weir_txn *txn, struct weir_err *err);
bool weir_rebuild_feed(struct pipeline_job *job, uint64_t deadline_ns);
WEIR_MUST_CHECK enum weir_rc weir_rebuild_admit(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err);
double weir_rebuild_progress(const struct pipeline_job *job);

/* replay.c */
bool weir_replay_feed(struct pipeline_job *job, uint64_t deadline_ns);
WEIR_MUST_CHECK enum weir_rc weir_replay_admit(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err);
/* All that was given is processed: write how far that is. */
void weir_replay_settled(struct pipeline_job *job, struct weir_txn *txn);
/* Delete what it has written. */
void weir_replay_ended(struct pipeline_job *job, struct weir_txn *txn);
void weir_replay_close(struct pipeline_job *job);
/* Compile `where`. Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE. */
WEIR_MUST_CHECK enum weir_rc weir_replay_compile(struct pipeline_job *job, struct weir_err *err);
double weir_replay_progress(const struct pipeline_job *job);

/* source.c: whether a record passes filter and `when`; with an error it passes, and has failed. */
bool weir_source_passes(
        struct source *source, const struct weir_record *record, struct weir_err *ret_err);

#endif
