/*
 * Steps: what a pipeline does with the records that pass its filter.
 *
 * A step takes a list of events and gives a list of events; it may drop, change or
 * multiply them, or act: add to the lane's transaction. The runner walks the steps;
 * a step never calls the next one, so one step can be tested alone and an error is
 * blamed on the right one.
 *
 * An event is a record on its way, with values in numbered slots. A pipeline's scope
 * gives the slots names: new, old, keys and event from the start, and what `let` and
 * `each` add. Expressions are compiled against the scope at the step's place.
 *
 * All of a batch's effects go into one transaction together with the lane's position.
 * Reads and writes of items and state go through the lane, which shows a step what
 * earlier events of the batch have written.
 */
#ifndef WEIR_PIPELINE_STEP_H
#define WEIR_PIPELINE_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "expr/expr.h"
#include "expr/template.h"
#include "function/function.h"
#include "outbox/outbox.h"
#include "queue/queue.h"
#include "table/table.h"
#include "value/record.h"

struct weir_lane;
struct weir_step;

/* --- scopes: names of slots while configuration is checked ----------------------- */

enum weir_slot {
    WEIR_SLOT_NEW,
    WEIR_SLOT_OLD,
    WEIR_SLOT_KEYS,
    WEIR_SLOT_EVENT,   /* "INSERT", "MODIFY", "REMOVE" */
    WEIR_SLOT_MESSAGE, /* of a pipeline with a queue as its source, which has none of the above */
    WEIR_SLOT_ITEM,    /* what `map` made */
    WEIR_SLOT_FIRST_FREE,
    WEIR_SLOTS_MAX = 64,
};

struct weir_scope {
    struct weir_arena *arena; /* of the pipeline */
    struct weir_diagnostics *diagnostics;
    const char *names[WEIR_SLOTS_MAX];
    uint64_t depends[WEIR_SLOTS_MAX]; /* bit i: the slot's value is made from slot i */
    size_t count;
    const char *ended[WEIR_SLOTS_MAX]; /* names that are not there any more; NULL: it is */
    bool of_queue;                     /* events are messages */
    uint64_t fan_outs; /* bit i: slot i is an element of an `each`: its step multiplies events */
    /* A table by name, from the configuration or the catalogue; NULL when none is known. */
    const struct weir_table *(*find_table)(void *arg, struct weir_str name);
    /* The same for queues. */
    const struct weir_queue *(*find_queue)(void *arg, struct weir_str name);
    void *arg;
    const char *const *table_names; /* those that find_table knows, to suggest one */
    size_t table_count;
    const char *const *queue_names; /* those that find_queue knows */
    size_t queue_count;
    const char *const *function_names; /* all there are */
    size_t function_count;
    struct weir_str folder; /* of the file, with its last slash; empty: the working folder */
    const char *const *remote_names; /* of the configuration */
    size_t remote_count;
};

/* A table by name; NULL, with a warning at the node, when none is known. */
const struct weir_table *weir_scope_table(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name);

/* The same for a queue. */
const struct weir_queue *weir_scope_queue(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name);

/* Whether there is a function of that name; complains when there is none. */
bool weir_scope_function(
        const struct weir_scope *scope, const struct weir_conf *at, struct weir_str name);

/* The environment of the names so far, for compiling. Borrowed from the scope. */
struct weir_expr_env weir_scope_env(const struct weir_scope *scope);

/*
 * Add a name; complains about one that is taken or is no identifier. depends: the slots its
 * value is made from. Returns its slot, or WEIR_SLOT_NEW when there was something to complain
 * about.
 */
size_t weir_scope_add(struct weir_scope *scope, const struct weir_conf *at, struct weir_str name,
        uint64_t depends);

/*
 * The names that `map`, `let` and the like have given are not there any more, but for that of one
 * slot: what goes on behind a step is a record that comes anew.
 */
void weir_scope_end_names(struct weir_scope *scope, size_t but);

/* `map` gives `item` a value, also after names have ended. Has: it may have one here. */
void weir_scope_begin_item(struct weir_scope *scope, uint64_t depends);
bool weir_scope_has_item(const struct weir_scope *scope);

/* Whether a value can be fanned out over, and its i-th element (a map's: the key). */
bool weir_fan_out_possible(const struct weir_expr_value *value);
struct weir_expr_value weir_fan_out_element(const struct weir_expr_value *value, size_t i);

/* Compile a scalar as an expression; complains and returns NULL when it is wrong. The caller
 * destroys it. */
struct weir_expr *weir_scope_expr(const struct weir_scope *scope, const struct weir_conf *node);

/*
 * A value of the configuration in which every string is a template: maps and lists nest. A map
 * with `$value` is that value, with what happens when it cannot be evaluated beside it:
 * `$on_error: fail`, `$on_error: skip` (the record is left out, quietly) or `$default: VALUE`.
 */
struct weir_shape;

/* Compile; complains and returns NULL when something is wrong. The caller destroys it. */
struct weir_shape *weir_scope_shape(const struct weir_scope *scope, const struct weir_conf *node);
void weir_shape_destroy(struct weir_shape *shape);

/* The slots that a shape's or an expression's value is made from, through `let` too. */
uint64_t weir_scope_shape_depends(const struct weir_scope *scope, const struct weir_shape *shape);
uint64_t weir_scope_expr_depends(const struct weir_scope *scope, const struct weir_expr *expr);

/* A member of a shape that is a map, or NULL. */
const struct weir_shape *weir_shape_get(const struct weir_shape *shape, struct weir_str name);

/*
 * Evaluate to a value. Errors: WEIR_E_INVALID (names the member), WEIR_E_LIMIT,
 * WEIR_E_CONDITION (the record is to be left out: hand it to weir_lane_fail all the same).
 */
WEIR_MUST_CHECK enum weir_rc weir_shape_eval(const struct weir_shape *shape,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err);

/*
 * Evaluate a shape that is a map to an item in the frame's arena. Members without a value
 * (optional.none()) are left out. Errors: as weir_shape_eval.
 */
WEIR_MUST_CHECK enum weir_rc weir_shape_item(const struct weir_shape *shape,
        const struct weir_expr_frame *frame, struct weir_item *ret_item, struct weir_err *err);

/* --- events ----------------------------------------------------------------------- */

struct weir_event {
    const struct weir_record *record;
    size_t record_index; /* of the batch */
    bool of_batch;       /* made from all records of the batch: it fails with all of them */
    struct weir_expr_value *slots; /* as many as the pipeline's scope has */
};

struct weir_events {
    struct weir_event *all; /* in the lane's arena */
    size_t count;
    size_t capacity;
};

/* Append an event; its slots are shared with the one it was made from unless copied. */
void weir_events_add(struct weir_lane *lane, struct weir_events *events, struct weir_event event);

/* A copy of an event's slots, to be changed. */
struct weir_expr_value *weir_event_copy_slots(struct weir_lane *lane, struct weir_event event);

/* --- what a step may ask of its lane ------------------------------------------------ */

/* The memory of the batch. */
struct weir_arena *weir_lane_arena(struct weir_lane *lane);

/* The frame to evaluate an event's expressions in. */
struct weir_expr_frame weir_lane_frame(struct weir_lane *lane, struct weir_event event);

/*
 * The record cannot be processed: it is reported with its event id and key, counted, and
 * left out; nothing of it is committed. The step goes on with the other events. With
 * WEIR_E_CONDITION in err it is left out as the filter would have done, without a report.
 */
void weir_lane_fail(struct weir_lane *lane, struct weir_event event, const struct weir_err *err);

/*
 * As weir_lane_fail, of a queue's message: what the step was given with it and is behind it in its
 * group is done all the same. Else that stays in the queue too.
 */
void weir_lane_fail_alone(
        struct weir_lane *lane, struct weir_event event, const struct weir_err *err);

/*
 * For a step with `whole`, in run or resume before DONE: the records before `event` are done,
 * those from it on are not. What is done is committed, and the rest is tried again as after
 * WEIR_STEP_RETRY, with the record of `event` to blame.
 */
void weir_lane_cut(struct weir_lane *lane, struct weir_event event, const struct weir_err *err);

/* What an answer is awaited for is there: the lane calls the step's resume soon. Loop thread. */
void weir_lane_resume(struct weir_lane *lane);

/*
 * What a step needs to remember about the batch in hand, from run to resume, cancel and finish;
 * NULL before it is set and when the batch is run again. Usually of the lane's arena.
 */
void weir_lane_set_work(struct weir_lane *lane, const struct weir_step *step, void *work);
void *weir_lane_work(const struct weir_lane *lane, const struct weir_step *step);

/* Which attempt at this batch it is: 0 for the first. */
unsigned weir_lane_attempt(const struct weir_lane *lane);

/* Whether the record of an event has failed in the meantime. */
bool weir_lane_has_failed(const struct weir_lane *lane, struct weir_event event);

/* The pipeline's name, and a log line about it. */
struct weir_str weir_lane_pipeline(const struct weir_lane *lane);

/*
 * A table to write to, valid until the batch ends. Errors: WEIR_E_NOT_FOUND (answer BLOCKED).
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_table(struct weir_lane *lane, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err);

/* An item as the batch has it so far; empty: none. Valid until the batch ends. Errors: WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_get_item(struct weir_lane *lane,
        const struct weir_table *table, struct weir_str key, struct weir_item *ret_item,
        struct weir_err *err);

/* Set an item (empty: delete). Key and item must live until the batch ends. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_lane_put_item(struct weir_lane *lane, struct weir_event event,
        const struct weir_table *table, struct weir_str key, struct weir_item item,
        struct weir_err *err);

/*
 * The step's keyed state as the batch has it so far; empty: none. The key is the step's own.
 * Errors: WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_get_state(struct weir_lane *lane,
        const struct weir_step *step, struct weir_str key, struct weir_str *ret_value,
        struct weir_err *err);

/*
 * Set state (an empty value deletes it), with a time after which it goes by itself (0: never).
 * The value must live until the batch ends. Errors: WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_put_state(struct weir_lane *lane,
        const struct weir_step *step, struct weir_str key, struct weir_str value,
        struct weir_time expires, struct weir_err *err);

/*
 * A queue to send to, valid until the batch ends. Errors: WEIR_E_NOT_FOUND (answer BLOCKED).
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_queue(struct weir_lane *lane, struct weir_str name,
        const struct weir_queue **ret_queue, struct weir_err *err);

/*
 * Send a message with the batch. Its strings must live until the batch ends; what it carries on
 * (causation, hops) is filled in. delay_ms: NULL, or instead of the queue's. Errors: as
 * weir_queue_send, all of them the event's fault.
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_send(struct weir_lane *lane, struct weir_event event,
        const struct weir_queue *queue, const struct weir_message *message,
        const uint64_t *delay_ms, struct weir_err *err);

/*
 * Claim keys of the step for the batch in hand, so that no other lane works on them until the
 * batch is committed or has failed. False: another lane has one of them; nothing was claimed, and
 * the step answers PENDING: it is resumed when they may be free, and claims again.
 */
WEIR_MUST_CHECK bool weir_lane_claim(struct weir_lane *lane, const struct weir_step *step,
        const struct weir_str *keys, size_t count);

/* For the step's cancel: it does not wait for keys any more. */
void weir_lane_claim_cancel(struct weir_lane *lane);

/* The clock, for what counts from the end of a run. */
const struct weir_clock *weir_lane_clock(const struct weir_lane *lane);

/* How the values of a field of several events become one. */
enum weir_merge {
    WEIR_MERGE_FIRST, /* that of the first record which has one */
    WEIR_MERGE_LAST,
    WEIR_MERGE_SUM,
    WEIR_MERGE_MIN, /* numbers come before texts */
    WEIR_MERGE_MAX,
    WEIR_MERGE_DISTINCT, /* a list of the values that differ; of one event a list with one */
};

struct weir_merge_field {
    struct weir_str name;
    enum weir_merge how;
};

enum { WEIR_MERGED_MAX_BYTES = 64 * 1024 };

/* When an event that a step puts off goes on. */
struct weir_defer {
    struct weir_str
            key; /* the step's own: the events of a key go on as one. Until the batch ends */
    struct weir_time at;  /* not 0: then; of several events of a key, when the first one says */
    uint64_t period_ms;   /* at 0: so long after the last event of the key, .. */
    uint64_t max_wait_ms; /* .. but at most so long after the first one */
    /*
     * What the events of a key become together. When it would have more than WEIR_MERGED_MAX_BYTES,
     * or a sum is out of range, what was put off before goes on at once.
     */
    const struct weir_merge_field *merge; /* lives as long as the step */
    size_t merge_count;
    struct weir_item values; /* the event's, by field; absent: it has none. Until the batch ends */
};

/*
 * Put an event off, in the batch's transaction: the step gives it out later, not now. When it is
 * due, and the whole pipeline has processed what was committed until then, the last record of
 * the key comes to this step again, as an event that weir_lane_deferred knows. What was put off
 * outlives a restart.
 */
void weir_lane_defer(struct weir_lane *lane, const struct weir_step *step, struct weir_event event,
        const struct weir_defer *how);

/* A window of the time of a shard, as the step that has windows sees it. */
struct weir_window {
    struct weir_time start;
    struct weir_time end;  /* the first moment behind it */
    struct weir_str state; /* what was set last for it; empty: nothing yet. Until the batch ends */
    bool closes;           /* it is over: the event at hand stands for its end, not for a record */
    bool early;            /* before its time, because its state is too large */
};

enum { WEIR_WINDOW_STATE_MAX = 1 << 20 }; /* a larger one ends its window early */

/*
 * For a step that has windows: the one that the batch belongs to.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED (answer BLOCKED).
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_window(
        struct weir_lane *lane, struct weir_window *ret_window, struct weir_err *err);

/*
 * In run or resume before DONE: the window's state from now on, part of the step's answer. Not
 * empty; until the batch ends. Without it the state stays as it was. The end of a window needs
 * none.
 */
void weir_lane_set_window_state(struct weir_lane *lane, struct weir_str state);

/* The id of the shard that the lane's records come from, as the table's stream names it. */
void weir_lane_shard_id(const struct weir_lane *lane, char text[static WEIR_SHARD_ID_TEXT]);

/* What an event that comes again stands for. */
struct weir_deferred {
    struct weir_str key;
    uint64_t count;         /* of events that were put off */
    struct weir_time since; /* of the first */
    struct weir_time due;
    const struct weir_record *first;
    const struct weir_record *last; /* the event's own */
    struct weir_item merged;        /* n 0: nothing was merged */
};

/* What the step has put off and now comes again; NULL: the event has not been here before. */
const struct weir_deferred *weir_lane_deferred(
        const struct weir_lane *lane, const struct weir_step *step, struct weir_event event);

/* The functions, to invoke one. NULL: there are none. */
struct weir_functions *weir_lane_functions(const struct weir_lane *lane);

/*
 * Add an intent to the batch: it is delivered once the batch is committed. causation and hops are
 * filled in; the rest is copied. Errors: as weir_outbox_add, all of them the event's fault.
 */
WEIR_MUST_CHECK enum weir_rc weir_lane_intend(struct weir_lane *lane, struct weir_event event,
        const struct weir_intent *intent, struct weir_err *err);

/* Changes when the pipeline's filter or steps do: what is made by another rule is made again. */
uint64_t weir_lane_generation(const struct weir_lane *lane);

/* Whether the record, a REMOVE, says that nothing may stay of its item, whatever on_remove says. */
bool weir_lane_is_pruning(const struct weir_lane *lane, struct weir_event event);

/* Append the event's record as Lambda hands it to functions; of a queue, its message. */
void weir_lane_write_record(
        const struct weir_lane *lane, struct weir_event event, struct weir_buf *buf);

/* Whether the events are messages of a queue. */
bool weir_lane_is_of_queue(const struct weir_lane *lane);

/* The id of the event's message. */
struct weir_str weir_lane_message_id(const struct weir_lane *lane, struct weir_event event);

/* The encoded key of the record's source item. */
struct weir_str weir_lane_record_key(struct weir_lane *lane, struct weir_event event);

/* --- steps ------------------------------------------------------------------------------ */

enum weir_verdict {
    WEIR_STEP_DONE,    /* out is filled, parts of the transaction are added */
    WEIR_STEP_PENDING, /* an answer is awaited: the step will call weir_lane_resume */
    WEIR_STEP_BLOCKED, /* the target is not there now: wait, no retry is used; err says why */
    WEIR_STEP_RETRY, /* the target failed: a retry is used, or the batch is halved; err says why */
};

struct weir_step_ops {
    const char *name;
    const char *help;                  /* one sentence */
    const struct weir_option *options; /* ends with .name == NULL; NULL: check reads the node */
    size_t size;                       /* of the kind's struct; the registry allocates it zeroed */
    bool writes; /* adds to the transaction: a record that fails here or later is taken out of it */
    /*
     * Keeps one state entry for each source item that it has made something of, under the table's
     * name, a zero byte and the item's key; a record that it knows already changes nothing. So the
     * pipeline can be rebuilt from a scan of its tables.
     */
    bool view;
    /*
     * Gets all events of a batch in one call, may be PENDING, and is not run again for records
     * that it has done when the batch must be (a conflict, a record that failed later): its
     * answer is kept until the batch is committed.
     */
    bool whole;
    bool defers; /* puts events off (weir_lane_defer) */

    /*
     * Optional. Options are set; complain through the scope's diagnostics, compile
     * expressions, add names. Opens nothing.
     */
    void (*check)(struct weir_step *step, const struct weir_conf *node, struct weir_scope *scope);

    /*
     * Required. Never blocks the loop. Events and their values are borrowed until the
     * lane's batch ends.
     */
    enum weir_verdict (*run)(struct weir_step *step, struct weir_lane *lane,
            const struct weir_events *in, struct weir_events *out, struct weir_err *err);

    /*
     * Required of a step that is ever PENDING. What it waited for is there, or it gave up: as
     * run, for the same events.
     */
    enum weir_verdict (*resume)(struct weir_step *step, struct weir_lane *lane,
            const struct weir_events *in, struct weir_events *out, struct weir_err *err);

    /*
     * Required of a step that is ever PENDING: the time is over (`timeout`), or the pipeline
     * stops. weir_lane_resume must not be called any more.
     */
    void (*cancel)(struct weir_step *step, struct weir_lane *lane);

    /*
     * Optional. The batch is through all steps; its transaction is about to be submitted: the
     * last chance to add to it, for the events that the step gave out and whose records have not
     * failed since. Errors: the batch waits and is run again (class BLOCKED).
     */
    enum weir_rc (*finish)(struct weir_step *step, struct weir_lane *lane, struct weir_err *err);

    /* Optional. The table that the step writes to; valid after check. */
    struct weir_str (*target)(const struct weir_step *step);

    /* Optional. The queue of this weir that the step sends to, or empty; valid after check. */
    struct weir_str (*sends_to)(const struct weir_step *step);

    /*
     * Optional. The length in ms of the windows that the step wants the records of each shard
     * divided into, for a step that is `whole`; 0: none. Valid after check. Its batches are of one
     * window each. When one is over that it has set a state for, it gets, in place of a batch, one
     * event that stands for the end: what fails then is tried again until it succeeds.
     */
    uint64_t (*window)(const struct weir_step *step);

    /* Optional. The function that the step invokes; valid after check. */
    struct weir_str (*function)(const struct weir_step *step);

    /* Required. Accepts a half-built step; must not fail. */
    void (*fini)(struct weir_step *step);
};

/* What every step has; kinds embed it first. */
struct weir_step {
    const struct weir_step_ops *ops;
    struct weir_str id;  /* names its state: the kind, or what `id` says */
    size_t index;        /* in its pipeline */
    uint64_t timeout_ms; /* it may be PENDING for so long; 0: for ever */
};

/* The kinds, given to the pipeline by who knows them (step/registry.c). */
struct weir_step_kinds {
    const struct weir_step_ops *const *all;
    size_t count;
};

/*
 * Make a step from its node, a map with one member named as the kind, and optionally `id` and
 * `timeout`.
 * Complains and returns NULL when something is wrong.
 */
struct weir_step *weir_step_create(const struct weir_step_kinds *kinds,
        const struct weir_conf *node, struct weir_scope *scope);
void weir_step_destroy(struct weir_step *step);

#endif
