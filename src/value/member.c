#include "value/member.h"

#include "base/mem.h"

void weir_member_put_s(struct weir_item_builder *builder, const char *name, struct weir_str value)
{
    if (value.p != NULL) {
        weir_item_name(builder, weir_str_z(name));
        weir_item_s(builder, value);
    }
}

void weir_member_put_u64(struct weir_item_builder *builder, const char *name, uint64_t value)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_n(builder, weir_decimal_from_u64(value));
}

void weir_member_put_bool(struct weir_item_builder *builder, const char *name, bool value)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_bool(builder, value);
}

void weir_member_put_time(
        struct weir_item_builder *builder, const char *name, struct weir_time value)
{
    weir_member_put_u64(builder, name, (uint64_t)value.ms);
}

void weir_member_put_map(struct weir_item_builder *builder, const char *name, struct weir_item map)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_open(builder, WEIR_TYPE_M);
    for (size_t i = 0; map.n > 0 && i < weir_item_count(map); i++) {
        struct weir_str key;
        struct weir_value value = weir_item_at(map, i, &key);
        weir_item_name(builder, key);
        weir_item_value(builder, value);
    }
    weir_item_close(builder);
}

struct weir_item weir_member_finish(struct weir_item_builder *builder)
{
    struct weir_item item = { 0 };
    weir_assert(weir_item_finish(builder, &item, NULL) == WEIR_OK);
    return item;
}

struct weir_str weir_member_s(struct weir_item item, const char *name)
{
    struct weir_value value = weir_item_get(item, weir_str_z(name));
    return value.type == WEIR_TYPE_S ? value.body : weir_str(NULL, 0);
}

uint64_t weir_member_u64(struct weir_item item, const char *name)
{
    uint64_t value = 0;
    struct weir_decimal number = weir_value_decimal(weir_item_get(item, weir_str_z(name)));
    return weir_decimal_to_u64(number, &value) ? value : 0;
}

bool weir_member_bool(struct weir_item item, const char *name)
{
    return weir_value_bool(weir_item_get(item, weir_str_z(name)));
}

struct weir_time weir_member_time(struct weir_item item, const char *name)
{
    return (struct weir_time){ (int64_t)weir_member_u64(item, name) };
}
