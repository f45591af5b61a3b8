/*
 * Seeing what comes through a pipeline: a step at its end that keeps the records of each batch,
 * as they would be handed to a function. One thread.
 */
#ifndef WEIR_SCENARIO_TAP_H
#define WEIR_SCENARIO_TAP_H

#include "base/buf.h"
#include "pipeline/pipeline.h"

enum weir_tap_form {
    WEIR_TAP_RECORDS, /* a line each */
    WEIR_TAP_EVENTS,  /* {"Records": [...]}: a line for each batch */
};

struct weir_tap;

/*
 * Add a tap to the end of a model that does not run yet. The tap is the caller's, and must outlive
 * the pipeline.
 */
struct weir_tap *weir_tap_create(struct weir_pipeline_model *model, enum weir_tap_form form);
void weir_tap_destroy(struct weir_tap *tap);

/* Append what came through since the last call. */
void weir_tap_take(struct weir_tap *tap, struct weir_buf *out);

#endif
