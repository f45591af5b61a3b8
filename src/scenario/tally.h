/*
 * Counting what happens in a world: writes by table, messages by queue. For simulations.
 * One thread.
 */
#ifndef WEIR_SCENARIO_TALLY_H
#define WEIR_SCENARIO_TALLY_H

#include "scenario/world.h"

struct weir_tally;

/* Of a table. Units are DynamoDB's write request units: a KiB of an item or index entry each. */
struct weir_tally_table {
    struct weir_str name;
    uint64_t fed;     /* changes from outside */
    uint64_t written; /* by pipelines */
    uint64_t deleted; /* by pipelines */
    uint64_t expired;
    uint64_t units; /* of all but what expired, which DynamoDB does for nothing */
};

struct weir_tally_queue {
    struct weir_str name;
    bool fifo;
    uint64_t sent;
    uint64_t requests; /* SQS's: one for each 64 KiB of a message that was sent */
};

/* Begin to count, from the beginning of the world. */
struct weir_tally *weir_tally_create(struct weir_world *world);
/* NULL is fine; before the world is destroyed. */
void weir_tally_destroy(struct weir_tally *tally);

/*
 * Count what was committed since the last call. Errors: WEIR_E_IO, WEIR_E_DAMAGED,
 * WEIR_E_TRIMMED (called too rarely: the log has let go of it).
 */
WEIR_MUST_CHECK enum weir_rc weir_tally_take(struct weir_tally *tally, struct weir_err *err);

/* The counts, in order of first change. Borrowed until the next take. */
const struct weir_tally_table *weir_tally_tables(const struct weir_tally *tally, size_t *ret_count);
const struct weir_tally_queue *weir_tally_queues(const struct weir_tally *tally, size_t *ret_count);

#endif
