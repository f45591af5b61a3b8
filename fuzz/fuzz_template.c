/* A template: compiled, and evaluated on fixed values. */
#include <stddef.h>
#include <stdint.h>

#include "expr/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "x", "s" };
    struct weir_arena arena;
    struct weir_err err;
    struct weir_expr_value result;
    weir_arena_init(&arena);
    struct weir_expr_value slots[] = { weir_expr_int(7), weir_expr_string(WEIR_STR("text")) };
    struct weir_expr_env env = { .names = names, .count = WEIR_COUNT(names) };
    struct weir_template *template = NULL;
    struct weir_str text = weir_str((const char *)data, size);
    if (weir_template_compile(&env, text, &template, &err) == WEIR_OK) {
        struct weir_expr_frame frame = {
            .slots = slots,
            .slot_count = WEIR_COUNT(slots),
            .arena = &arena,
            .max_steps = 20000,
            .max_bytes = 1 << 20,
        };
        enum weir_rc rc = weir_template_eval(template, &frame, &result, &err);
        const struct weir_expr_value *constant = weir_template_constant(template);
        weir_assert(constant == NULL || rc == WEIR_OK);
        weir_template_destroy(template);
    } else {
        weir_assert(err.pos <= size);
    }
    weir_arena_fini(&arena);
    return 0;
}
