#include "step/target_int.h"

/* The i-th attribute of a key, partition first; NULL past the end. */
static const struct weir_ddb_key_attribute *key_attribute(
        const struct weir_key_schema *key, size_t i)
{
    if (i < key->partition_count) {
        return &key->partition[i];
    }
    i -= key->partition_count;
    return i < key->sort_count ? &key->sort[i] : NULL;
}

void weir_target_check(struct weir_scope *scope, const struct weir_conf *at,
        struct weir_str table_name, const struct weir_shape *shape)
{
    const struct weir_table *table = scope->find_table(scope->arg, table_name);
    if (table == NULL) {
        return;
    }
    const struct weir_ddb_key_attribute *attribute = key_attribute(&table->key, 0);
    for (size_t i = 0; attribute != NULL; attribute = key_attribute(&table->key, ++i)) {
        if (weir_shape_get(shape, attribute->name) == NULL) {
            weir_conf_error(scope->diagnostics, at,
                    "the item has no '%.*s', which is part of the key of table '%.*s'",
                    WEIR_STR_ARG(attribute->name), WEIR_STR_ARG(table_name));
        }
    }
}

void weir_target_check_fan_out(struct weir_scope *scope, const struct weir_conf *at,
        struct weir_str table_name, const struct weir_shape *shape, size_t slot,
        struct weir_str variable)
{
    const struct weir_table *table = scope->find_table(scope->arg, table_name);
    if (table == NULL) {
        return;
    }
    uint64_t depends = 0;
    const struct weir_ddb_key_attribute *attribute = key_attribute(&table->key, 0);
    for (size_t i = 0; attribute != NULL; attribute = key_attribute(&table->key, ++i)) {
        const struct weir_shape *member = weir_shape_get(shape, attribute->name);
        depends |= member != NULL ? weir_scope_shape_depends(scope, member) : 0;
    }
    if ((depends >> slot & 1) == 0) {
        weir_conf_warn(scope->diagnostics, at,
                "no key attribute of table '%.*s' is made from '%.*s': the items of one record "
                "overwrite each other; use '%.*s' in the key",
                WEIR_STR_ARG(table_name), WEIR_STR_ARG(variable), WEIR_STR_ARG(variable));
    }
}

enum weir_rc weir_target_key(struct weir_lane *lane, const struct weir_table *table,
        struct weir_item item, struct weir_str *ret_key, struct weir_err *err)
{
    enum weir_rc rc = weir_table_key(table, item, weir_lane_arena(lane), ret_key, err);
    return rc == WEIR_OK ? weir_table_check_item(table, item, err) : rc;
}
