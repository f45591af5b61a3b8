/* The kinds of steps: one line each in registry.c. */
#ifndef WEIR_STEP_REGISTRY_H
#define WEIR_STEP_REGISTRY_H

#include "pipeline/step.h"

/* All kinds, in the order of the documentation. Static. */
const struct weir_step_kinds *weir_step_kinds_all(void);

#endif
