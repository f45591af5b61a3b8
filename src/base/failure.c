#include "base/failure.h"

const char *weir_failure_class_name(enum weir_failure_class failure)
{
    static const char *const names[] = { "none", "blocked", "retryable", "final" };
    return names[failure];
}
