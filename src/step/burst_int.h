/* What the steps that put events off share: keys, and what stands for what was put off. */
#ifndef WEIR_STEP_BURST_INT_H
#define WEIR_STEP_BURST_INT_H

#include "pipeline/step.h"

/* Options that both steps have. */
struct weir_burst_options {
    const struct weir_conf *key_node; /* only while it is checked */
    struct weir_expr *key;            /* NULL: one for the whole pipeline */
    struct weir_str as;
    size_t slot;
    bool merges; /* the value has `merged` */
};

/* Compile the key and add the name; complains. node: the step's. */
void weir_burst_check(
        struct weir_burst_options *options, const struct weir_conf *node, struct weir_scope *scope);

/* The event's key, in the lane's arena. Errors: WEIR_E_INVALID, WEIR_E_LIMIT (the event's fault).
 */
WEIR_MUST_CHECK enum weir_rc weir_burst_key(const struct weir_burst_options *options,
        struct weir_lane *lane, struct weir_event event, struct weir_str *ret_key,
        struct weir_err *err);

/*
 * The event with a value for the name: what it stands for. deferred NULL: for nothing that was
 * put off.
 */
struct weir_event weir_burst_event(const struct weir_burst_options *options, struct weir_lane *lane,
        struct weir_event event, struct weir_str key, const struct weir_deferred *deferred);

#endif
