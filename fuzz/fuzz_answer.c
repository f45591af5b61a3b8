/*
 * JSON that a function answered, as a value: what is read can be written and read again as the
 * same, and stored as far as items go.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "expr/expr.h"
#include "expr/typed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct weir_arena *arena, const struct weir_expr_value *value)
{
    struct weir_buf buf;
    struct weir_json json;
    struct weir_expr_value again;
    struct weir_value stored;
    struct weir_err err;
    weir_buf_init(&buf, 64 << 20);
    weir_expr_typed_write(&buf, value);
    weir_json_init(&json, weir_buf_view(&buf), arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_expr_typed_read(&json, weir_json_next(&json), &again, &err);
    weir_assert(rc == WEIR_OK && weir_expr_eq(value, &again));
    weir_buf_fini(&buf);
    struct weir_item_builder *builder = weir_item_begin(arena);
    if (weir_expr_to_item(builder, value, &err) == WEIR_OK &&
            weir_item_finish_value(builder, &stored, &err) == WEIR_OK) {
        again = weir_expr_attribute(stored);
        weir_assert(weir_expr_eq(value, &again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena;
    struct weir_expr_value value;
    struct weir_err err = { 0 };
    weir_arena_init(&arena);
    enum weir_rc rc = weir_expr_read_json(weir_str((const char *)data, size), &arena, &value, &err);
    if (rc == WEIR_OK) {
        check_value(&arena, &value);
    } else {
        weir_assert(err.code == rc && err.msg[0] != '\0' && err.pos <= size);
    }
    weir_arena_fini(&arena);
    return 0;
}
