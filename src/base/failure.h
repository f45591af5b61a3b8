/* What a failure means for trying again: three classes, the same for whatever weir does outside. */
#ifndef WEIR_BASE_FAILURE_H
#define WEIR_BASE_FAILURE_H

enum weir_failure_class {
    WEIR_FAILURE_NONE, /* it went well */
    /* Nobody is there to do it now, or it asks for less: wait, which uses no retries. */
    WEIR_FAILURE_BLOCKED,
    WEIR_FAILURE_RETRYABLE, /* it may go better next time: uses retries */
    WEIR_FAILURE_FINAL,     /* it will never go well as it is */
};

/* "none", "blocked", "retryable", "final". Static. */
const char *weir_failure_class_name(enum weir_failure_class failure);

#endif
