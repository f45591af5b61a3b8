/*
 * Time zones: UTC, fixed offsets as +hh:mm, and the names of the system's database.
 *
 * A zone is read from the database once and kept for the life of the process. Names in
 * messages are the caller's business. Any thread.
 */
#ifndef WEIR_BASE_ZONE_H
#define WEIR_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct weir_zone;

/* The zone of a name; NULL when there is none. The first use of a name reads a small file. */
const struct weir_zone *weir_zone_find(struct weir_str name);

/* Seconds that the zone is ahead of UTC at a moment, in seconds since 1970. */
int32_t weir_zone_offset_at(const struct weir_zone *zone, int64_t seconds);

/* As weir_zone_offset_at, by name; false when there is no such zone. */
bool weir_zone_offset(struct weir_str name, int64_t seconds, int32_t *ret_offset);

/* How often the clocks of a zone show a time. */
enum weir_zone_local {
    WEIR_ZONE_ONCE,
    WEIR_ZONE_TWICE, /* they are set back over it */
    WEIR_ZONE_NEVER, /* they are set ahead over it */
};

/*
 * When the clocks of a zone show a local time, both in seconds since 1970: the first of two
 * moments; where there is none, as long after the clocks are set ahead as the time is behind
 * the moment at which that happens (02:30 becomes 03:30).
 */
enum weir_zone_local weir_zone_moment(
        const struct weir_zone *zone, int64_t local, int64_t *ret_seconds);

#endif
