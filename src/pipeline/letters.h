/*
 * Dead letters: records that a pipeline could not process, kept with everything about them.
 *
 * A letter has the members of the record that AWS Lambda sends to an on-failure destination, the
 * record itself, and why it failed. It is about one record, also where a batch was given up as a
 * whole: then it says with how many others. It has two forms with the same members: JSON (messages
 * of a queue, lines of a file) and an item (of a table).
 *
 * Letters can be read again, given back to their pipeline (weir_pipelines_redrive) and deleted.
 * Those in tables and queues are found where they are; those in a file are read by who asks, and
 * come along as `lines`. A line is deleted by an entry that says that it counts no more. Loop
 * thread.
 */
#ifndef WEIR_PIPELINE_LETTERS_H
#define WEIR_PIPELINE_LETTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "value/item.h"

struct weir_pipelines;

/* Texts that a letter lacks are empty. Everything is borrowed. */
struct weir_letter {
    struct weir_str pipeline;
    struct weir_str sequence;   /* of the record: names the letter */
    struct weir_str request_id; /* of this failure */
    struct weir_str function_arn;
    struct weir_str condition; /* RetryAttemptsExhausted, RecordAgeExceeded, RecordRejected */
    uint64_t attempts;
    bool reported;             /* the function did answer, and said so itself: batchItemFailures */
    struct weir_str timestamp; /* when it failed: 2025-11-25T15:53:08.123Z */
    struct weir_str shard_id;
    struct weir_str arrived; /* when the record was made: whole seconds */
    struct weir_str stream_arn;
    struct weir_str step; /* its id */
    struct weir_str error;
    struct weir_str fingerprint; /* the same for failures that are alike */
    struct weir_str event_id;
    struct weir_str event_name;
    struct weir_str table;
    struct weir_item keys;
    uint64_t batch_records;      /* that were given up at once; 0: this one alone */
    struct weir_str batch_first; /* of them: sequences */
    struct weir_str batch_last;
    bool incomplete;         /* the place was too small for the record's images */
    struct weir_str payload; /* JSON: {"Records":[...]} */
    struct weir_item burst;  /* not empty: a step had put the record off, and this is what it
                                stands for; see letter_run.c */
    struct weir_item gap;    /* not empty: it is about records that are lost, and says which */

    /* Only when read. */
    bool taken; /* somebody has received the message */
    struct weir_str token;
};

/* Append the JSON form. */
void weir_letter_write(struct weir_buf *buf, const struct weir_letter *letter);

/* Make the item form, in the arena. Errors: WEIR_E_INVALID, WEIR_E_TOO_LARGE. */
WEIR_MUST_CHECK enum weir_rc weir_letter_to_item(const struct weir_letter *letter,
        struct weir_arena *arena, struct weir_item *ret_item, struct weir_err *err);

/* Read either form. What is missing stays empty; false: the text is no JSON object at all. */
void weir_letter_of_item(struct weir_item item, struct weir_letter *ret_letter);
bool weir_letter_parse(
        struct weir_str text, struct weir_arena *arena, struct weir_letter *ret_letter);

/* Append what people and tools see of it, as JSON; the payload only when it is asked for. */
void weir_letter_show(struct weir_buf *buf, const struct weir_letter *letter, bool payload);

/* --- letters of a pipeline ------------------------------------------------------------- */

/* Which letters are meant. Empty: any. */
struct weir_letters {
    struct weir_str pipeline;
    struct weir_str sequence;
    struct weir_str fingerprint;
    struct weir_str error; /* a part of it; or a fingerprint */
    struct weir_str since; /* failed then or later: a timestamp, or the first part of one */
    struct weir_str until; /* failed before then */
    struct weir_item keys; /* these key attributes are equal */
    struct weir_str after; /* what an earlier call gave as next */
    bool stale;            /* redrive: also records whose item has changed since */
    struct weir_str lines; /* of a pipeline whose letters are in a file: some of them */
};

enum { WEIR_LETTERS_MAX = 1000 }; /* that one call looks at, about */

/*
 * Call each with the letters that pass, in the order in which they are kept, until it returns
 * false. One call looks at some only: ret_next, in the arena, says where to go on; empty: that
 * was all. Of lines, one call looks at all, and `after` is given back: who reads them keeps the
 * place. What each gets is borrowed for the call.
 * Errors: WEIR_E_NOT_FOUND (no such pipeline, table or queue), WEIR_E_INVALID (it keeps none, or
 * where they cannot be read), WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_letters(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        bool (*each)(void *arg, const struct weir_letter *letter), void *arg,
        struct weir_str *ret_next, struct weir_err *err);

struct weir_redriven {
    char time[WEIR_TIME_TEXT]; /* now; a letter that fails again has this time or a later one */
    size_t given;              /* records handed to lanes, or there already */
    size_t stale;              /* letters left alone: their item has changed since */
    size_t taken;              /* letters left alone: somebody has received the message */
    size_t refused;            /* letters left alone: they do not hold the whole record, say */
    struct weir_err why;       /* the last one was refused */
    struct weir_str next;      /* in the arena: as of weir_pipelines_letters */
};

/*
 * Process dead letters again. A letter goes in the transaction that its record is processed in; a
 * record that fails again has a new letter in its place. A letter that is gone by then is not
 * processed, so it does not matter how often it is redriven. A letter whose item has changed
 * since is left alone unless `stale`: a `put` would bring an old version back (a `project` would
 * know, and change nothing).
 * Errors: as weir_pipelines_letters; with a sequence also WEIR_E_NOT_FOUND (there is no such
 * letter) and WEIR_E_INVALID (it was refused: says why).
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_redrive(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        struct weir_redriven *ret_redriven, struct weir_err *err);

/* Deleting letters: filled by the caller, who keeps it until done. */
struct weir_letters_removal {
    /* Called on the loop, never inside weir_pipelines_remove_letters. */
    void (*done)(struct weir_letters_removal *removal);
    void *arg;

    enum weir_rc rc;
    struct weir_err err;
    size_t count; /* deleted */
};

/*
 * Begin to delete the letters that a call of weir_pipelines_letters would give. Errors: as there,
 * and then done is not called.
 */
WEIR_MUST_CHECK enum weir_rc weir_pipelines_remove_letters(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        struct weir_letters_removal *removal, struct weir_str *ret_next, struct weir_err *err);

#endif
