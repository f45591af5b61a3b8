/* The line of a queue: which of its messages can be received next, in memory. */
#ifndef WEIR_QUEUE_LINE_INT_H
#define WEIR_QUEUE_LINE_INT_H

#include "queue/queue_int.h"

struct weir_line_entry;
struct weir_line_group;

enum weir_entry_state {
    WEIR_ENTRY_READY,
    WEIR_ENTRY_HELD,    /* until it shows */
    WEIR_ENTRY_CLAIMED, /* a transaction is hiding it */
};

/* The module's thread, but for touched. */
struct weir_queue_line {
    struct weir_queues *queues;
    const struct weir_queue *queue; /* the current definition; a reference */
    uint32_t space;                 /* that the line shows; 0: the queue was deleted */
    struct weir_watch watch;
    bool watching;
    bool touched; /* guarded by the mutex */
    struct weir_queue_line *next_touched;
    struct weir_queue_line *next;

    struct weir_line_entry *entries; /* by sequence number */
    struct weir_line_group *groups;  /* FIFO: by name */
    struct weir_heap ready;          /* entries by number; FIFO: groups by their first entry */
    struct weir_heap held;           /* entries, by when they show */
    uint64_t loaded;                 /* entries up to this number were looked at */
    bool more;                       /* there may be entries behind it */
    size_t waiting;                  /* entries that are READY */
    size_t hidden;                   /* HELD or CLAIMED after having been received */
    size_t delayed;                  /* HELD before that */

    bool cautious; /* what was delivered could not be hidden: that comes first for now */

    struct weir_receive *receives; /* in order of arrival */
    struct weir_receive **receives_end;
    uint64_t first_until_ns; /* no receive waits less long */

    uint64_t floor;    /* no message has a smaller number */
    bool unordered;    /* messages may be older than ones before them */
    int64_t last_sent; /* of the entry looked at last */
    int64_t sweep_at;  /* when something may be too old; INT64_MAX: nothing is there */
    bool sweeping;     /* a transaction is under way */
    struct weir_heap_node due;

    struct weir_gauge *visible_gauge;
    struct weir_gauge *hidden_gauge;
    struct weir_gauge *oldest_gauge;
};

/* Forget all entries: the line shows another keyspace, or none. */
void weir_line_clear(struct weir_queue_line *line);

/*
 * Look at what was sent since: some of it, and at least until there is something to receive or
 * nothing more. Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_line_load(struct weir_queue_line *line, struct weir_err *err);

/* Look at a message again. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_line_look(
        struct weir_queue_line *line, uint64_t sequence, struct weir_err *err);

/* Show what is due by now. */
void weir_line_show(struct weir_queue_line *line, struct weir_time now);

/* Whether there is something to receive. */
bool weir_line_has(const struct weir_queue_line *line);

/* Claim up to max messages; returns how many. */
size_t weir_line_claim(struct weir_queue_line *line, uint64_t *sequences, size_t max);

/*
 * What came of a claim: hidden until a time, or gone. When somebody else has changed the message
 * since, it is looked at again.
 */
void weir_line_hide(struct weir_queue_line *line, uint64_t sequence, struct weir_time visible);
void weir_line_gone(struct weir_queue_line *line, uint64_t sequence);

/* A claim came to nothing: look at the message again. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_line_release(
        struct weir_queue_line *line, uint64_t sequence, struct weir_err *err);

/* When the next held entry shows; false: there is none. */
bool weir_line_next(const struct weir_queue_line *line, struct weir_time *ret_time);

/* sweep.c: delete what is too old, if it is time. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_line_sweep(
        struct weir_queue_line *line, struct weir_time now, struct weir_err *err);

/* sweep.c: the age of the oldest message. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_line_oldest(
        struct weir_queue_line *line, uint64_t *ret_age_ms, struct weir_err *err);

/* Call again soon. */
void weir_line_soon(struct weir_queue_line *line);

#endif
