/*
 * Feeding a world with what happened elsewhere: change records, as streams and functions have
 * them, and plain items. `weir run`, `weir simulate` and the step `records` of test files read
 * lines in these forms:
 *
 *     {"eventName": "INSERT", "dynamodb": {...}}    a record, as Lambda or GetRecords has it
 *     {"Records": [...]}                            an event with such records
 *     {"new": {...}, "old": {...}}                  plain items; without old: what is stored now
 *     {"old": {...}}                                a removal
 *
 * The last two may say "table" and "at". A record's time is its ApproximateCreationDateTime. What
 * is fed changes the table, so later lines find it, and comes out of the stream as a record of
 * weir's own: with another sequence number and event id.
 */
#ifndef WEIR_SCENARIO_FEED_H
#define WEIR_SCENARIO_FEED_H

#include "scenario/world.h"
#include "value/record.h"

/* One change. Everything is borrowed from the line's arena. */
struct weir_feed {
    struct weir_str table; /* empty: it does not say */
    bool has_at;
    struct weir_time at;
    enum weir_event_name event; /* of a record; 0: what it is follows from the images */
    struct weir_item keys;      /* of a record */
    struct weir_item new_image;
    struct weir_item old_image;
    bool by_ttl;
    bool unless_gone; /* the caller's: an expired item that is not there any more is no change */
};

/*
 * Read a line and hand each change in it to `each`, until that fails.
 * Errors: WEIR_E_INVALID (err->pos is the place in the line, 0: unknown), and those of each.
 */
WEIR_MUST_CHECK enum weir_rc weir_feed_read(struct weir_str line, struct weir_arena *arena,
        enum weir_rc (*each)(void *arg, const struct weir_feed *feed, struct weir_err *err),
        void *arg, struct weir_err *err);

/*
 * Make a change true in a world, at its present time. `table` is meant when the change does not
 * say. ret_pos: where the change is in the log. Errors: WEIR_E_NOT_FOUND (no such table),
 * WEIR_E_INVALID (the item does not fit it), and those of commits.
 */
WEIR_MUST_CHECK enum weir_rc weir_feed_apply(struct weir_world *world, const struct weir_feed *feed,
        struct weir_str table, struct weir_pos *ret_pos, struct weir_err *err);

#endif
