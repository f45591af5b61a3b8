/* An expression: compiled, and evaluated on a small item with a small budget. */
#include <stddef.h>
#include <stdint.h>

#include "expr/expr.h"
#include "expr/typed.h"

static struct weir_item sample(struct weir_arena *arena)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    struct weir_item item = { 0 };
    weir_item_name(builder, WEIR_STR("s"));
    weir_item_s(builder, WEIR_STR("text \xc3\xa9"));
    weir_item_name(builder, WEIR_STR("n"));
    weir_item_n(builder, weir_decimal_from_i64(42));
    weir_item_name(builder, WEIR_STR("t"));
    weir_item_open(builder, WEIR_TYPE_SS);
    weir_item_s(builder, WEIR_STR("a"));
    weir_item_s(builder, WEIR_STR("b"));
    weir_item_close(builder);
    weir_item_name(builder, WEIR_STR("l"));
    weir_item_open(builder, WEIR_TYPE_L);
    weir_item_null(builder);
    weir_item_bool(builder, true);
    weir_item_close(builder);
    weir_assert(weir_item_finish(builder, &item, NULL) == WEIR_OK);
    return item;
}

/* A result can be written, compared with itself and perhaps stored. */
static void check_result(struct weir_arena *arena, const struct weir_expr_value *value)
{
    struct weir_buf buf;
    struct weir_value stored;
    struct weir_err err;
    weir_buf_init(&buf, 1 << 20);
    weir_expr_typed_write(&buf, value);
    weir_buf_fini(&buf);
    weir_expr_eq(value, value);
    struct weir_item_builder *builder = weir_item_begin(arena);
    if (weir_expr_to_item(builder, value, &err) == WEIR_OK &&
            weir_item_finish_value(builder, &stored, &err) == WEIR_OK) {
        struct weir_expr_value again = weir_expr_attribute(stored);
        weir_assert(again.kind != WEIR_EXPR_ABSENT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "new", "old", "x", "a.b" };
    struct weir_arena arena;
    struct weir_err err;
    struct weir_expr_value result;
    weir_arena_init(&arena);
    struct weir_expr_value slots[] = {
        weir_expr_item(sample(&arena)),
        { .kind = WEIR_EXPR_ABSENT },
        weir_expr_int(7),
        weir_expr_string(WEIR_STR("dotted")),
    };
    struct weir_expr_env env = {
        .names = names, .count = WEIR_COUNT(names), .open = size % 2 == 0
    };
    struct weir_expr *expr = NULL;
    if (weir_expr_compile(&env, weir_str((const char *)data, size), &expr, &err) == WEIR_OK) {
        struct weir_expr_frame frame = {
            .slots = slots,
            .slot_count = WEIR_COUNT(slots),
            .arena = &arena,
            .now = { 1764086000000 },
            .max_steps = 20000,
            .max_bytes = 1 << 20,
        };
        enum weir_rc rc = weir_expr_eval(expr, &frame, &result, &err);
        weir_assert(rc == WEIR_OK || rc == WEIR_E_INVALID || rc == WEIR_E_LIMIT);
        if (rc == WEIR_OK) {
            check_result(&arena, &result);
        }
        weir_expr_destroy(expr);
    }
    weir_arena_fini(&arena);
    return 0;
}
