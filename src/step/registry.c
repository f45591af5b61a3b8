#include "step/registry.h"

#include "base/mem.h"
#include "step/kinds_int.h"

const struct weir_step_kinds *weir_step_kinds_all(void)
{
    static const struct weir_step_ops *const all[] = {
        &weir_step_require,
        &weir_step_let,
        &weir_step_map,
        &weir_step_each,
        &weir_step_cooldown,
        &weir_step_debounce,
        &weir_step_put,
        &weir_step_project,
        &weir_step_send,
        &weir_step_invoke,
        &weir_step_log,
    };
    static const struct weir_step_kinds kinds = { all, WEIR_COUNT(all) };
    return &kinds;
}
