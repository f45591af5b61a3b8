/* What the files of mapping/ share. */
#ifndef WEIR_MAPPING_MAPPING_INT_H
#define WEIR_MAPPING_MAPPING_INT_H

#include "base/random.h"
#include "mapping/mapping.h"

struct weir_mappings {
    struct weir_mappings_options options;
    struct weir_store *store;
    struct weir_random random; /* for UUIDs */
    struct held *first;
    bool finished;
};

/* --- definition.c ---------------------------------------------------------------------------- */

/* A mapping that owns its texts. */
struct definition {
    struct weir_arena arena;
    struct weir_mapping mapping;
};

struct definition *weir_definition_copy(const struct weir_mapping *mapping);
void weir_definition_destroy(struct definition *definition);

/* An entry of the store, in the arena; one that is marked is to be deleted. */
struct weir_str weir_mapping_encode(
        struct weir_arena *arena, const struct weir_mapping *mapping, bool deleting);
/* Borrows from the value. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_mapping_decode(struct weir_str stored,
        struct weir_mapping *ret_mapping, bool *ret_deleting, struct weir_err *err);

/* Append an event pattern, which is JSON, as YAML reads it too. False: it is no JSON object. */
bool weir_mapping_write_pattern(
        struct weir_str pattern, struct weir_arena *arena, struct weir_buf *out);

/* The pipeline's name, in the arena. */
struct weir_str weir_mapping_pipeline(struct weir_arena *arena, struct weir_str uuid);

/* Make the pipeline's model. Errors: WEIR_E_INVALID (all that is wrong, in one line). */
WEIR_MUST_CHECK enum weir_rc weir_mapping_model(const struct weir_mappings *mappings,
        const struct weir_mapping *mapping, struct weir_pipeline_model **ret_model,
        struct weir_err *err);

#endif
