/* What steps that write items share: checking a shape against the target's key, and items made of
 * it. */
#ifndef WEIR_STEP_TARGET_INT_H
#define WEIR_STEP_TARGET_INT_H

#include "pipeline/step.h"

/* Complain when a shape lacks an attribute of the target's key. */
void weir_target_check(struct weir_scope *scope, const struct weir_conf *at,
        struct weir_str table_name, const struct weir_shape *shape);

/*
 * Warn when several items of one record would have the same key: none of the key's
 * attributes is made from the slot of the fan-out variable.
 */
void weir_target_check_fan_out(struct weir_scope *scope, const struct weir_conf *at,
        struct weir_str table_name, const struct weir_shape *shape, size_t slot,
        struct weir_str variable);

/* Encode an item's key and check the item. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_target_key(struct weir_lane *lane, const struct weir_table *table,
        struct weir_item item, struct weir_str *ret_key, struct weir_err *err);

#endif
