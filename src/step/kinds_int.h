/* The kinds, each defined in the file of its name. */
#ifndef WEIR_STEP_KINDS_INT_H
#define WEIR_STEP_KINDS_INT_H

#include "pipeline/step.h"

extern const struct weir_step_ops weir_step_require;
extern const struct weir_step_ops weir_step_let;
extern const struct weir_step_ops weir_step_map;
extern const struct weir_step_ops weir_step_each;
extern const struct weir_step_ops weir_step_cooldown;
extern const struct weir_step_ops weir_step_debounce;
extern const struct weir_step_ops weir_step_put;
extern const struct weir_step_ops weir_step_project;
extern const struct weir_step_ops weir_step_send;
extern const struct weir_step_ops weir_step_invoke;
extern const struct weir_step_ops weir_step_log;

#endif
