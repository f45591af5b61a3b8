/*
 * What pipelines have done in a world: the items that they wrote, and the messages that they
 * sent, as JSON lines. One thread.
 */
#ifndef WEIR_SCENARIO_EFFECTS_H
#define WEIR_SCENARIO_EFFECTS_H

#include "scenario/world.h"

struct weir_effects;

/*
 * Before the world begins: give tables that no pipeline reads a stream if they have none, because
 * it has the keys of deleted items.
 */
void weir_effects_prepare(struct weir_config *config);

/* Begin to follow a world, from its beginning. ddb: items as DynamoDB JSON. */
struct weir_effects *weir_effects_create(struct weir_world *world, bool ddb);
/* NULL is fine; before the world is destroyed. */
void weir_effects_destroy(struct weir_effects *effects);

/* The change at this position is none of the pipelines': it was fed. */
void weir_effects_ignore(struct weir_effects *effects, struct weir_pos pos);

/*
 * Append what was done since the last call, in the order of commits, and the messages behind it.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED, WEIR_E_TRIMMED (called too rarely: the log has let go of it).
 */
WEIR_MUST_CHECK enum weir_rc weir_effects_take(
        struct weir_effects *effects, struct weir_buf *out, struct weir_err *err);

#endif
