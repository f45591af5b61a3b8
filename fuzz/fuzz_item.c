/* Any bytes as an item: what passes the check can be read whole, and built again has equal bytes.
 */
#include <stddef.h>
#include <stdint.h>

#include "value/ddbjson.h"
#include "value/item.h"

static void rebuild(struct weir_item_builder *builder, struct weir_value value)
{
    struct weir_str name;
    size_t count = weir_value_count(value);
    switch (value.type) {
    case WEIR_TYPE_S:
        weir_item_s(builder, weir_value_str(value));
        return;
    case WEIR_TYPE_N:
        weir_item_n(builder, weir_value_decimal(value));
        return;
    case WEIR_TYPE_B:
        weir_item_b(builder, weir_value_str(value));
        return;
    case WEIR_TYPE_BOOL:
        weir_item_bool(builder, weir_value_bool(value));
        return;
    case WEIR_TYPE_NULL:
        weir_item_null(builder);
        return;
    case WEIR_TYPE_L:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        weir_item_open(builder, value.type);
        for (size_t i = count; i-- > 0;) {
            /* Lists keep their order, sets do not. */
            rebuild(builder, weir_value_at(value, value.type == WEIR_TYPE_L ? count - 1 - i : i));
        }
        weir_item_close(builder);
        return;
    case WEIR_TYPE_M:
        weir_item_open(builder, WEIR_TYPE_M);
        for (size_t i = count; i-- > 0;) {
            struct weir_value member = weir_item_at(weir_value_map(value), i, &name);
            weir_item_name(builder, name);
            rebuild(builder, member);
        }
        weir_item_close(builder);
        return;
    case WEIR_TYPE_ABSENT:
        break;
    }
    weir_assert(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_item item = { (const char *)data, size };
    struct weir_err err;
    if (weir_item_check(item, &err) != WEIR_OK) {
        return 0;
    }
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf out;
    weir_arena_init(&arena);
    weir_buf_init(&out, 64 << 20);
    weir_assert(weir_item_size(item) < SIZE_MAX / 2);
    weir_ddbjson_write_item(&out, item);

    struct weir_item_builder *builder = weir_item_begin(&arena);
    struct weir_item again;
    size_t count = weir_item_count(item);
    for (size_t i = count; i-- > 0;) {
        struct weir_str name;
        struct weir_value value = weir_item_at(item, i, &name);
        weir_assert(weir_value_eq(weir_item_get(item, name), value));
        weir_item_name(builder, name);
        rebuild(builder, value);
    }
    weir_assert(weir_item_finish(builder, &again, &err) == WEIR_OK);
    weir_assert(weir_item_eq(item, again));
    return 0;
}
