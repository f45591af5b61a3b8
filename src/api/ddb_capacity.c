/* Consumed capacity: what AWS would have charged, by size. */
#include "api/ddb_int.h"

enum { READ_UNIT_BYTES = 4096, WRITE_UNIT_BYTES = 1024, TENTHS = 10 };

static uint64_t write_tenths(size_t bytes)
{
    uint64_t units = (bytes + WRITE_UNIT_BYTES - 1) / WRITE_UNIT_BYTES;
    return (units > 0 ? units : 1) * TENTHS;
}

uint64_t weir_ddb_read_tenths(size_t bytes, bool consistent)
{
    uint64_t units = (bytes + READ_UNIT_BYTES - 1) / READ_UNIT_BYTES;
    return (units > 0 ? units : 1) * (consistent ? TENTHS : TENTHS / 2);
}

static size_t attribute_size(struct weir_item item, struct weir_str name)
{
    struct weir_value value = weir_item_get(item, name);
    return value.type != WEIR_TYPE_ABSENT ? name.n + weir_value_size(value) : 0;
}

/* The size of a key's attributes in an item; *ret_whole: it has all of them. */
static size_t key_size(const struct weir_key_schema *key, struct weir_item item, bool *ret_whole)
{
    size_t bytes = 0;
    *ret_whole = item.n > 0;
    for (size_t i = 0; i < key->partition_count + key->sort_count; i++) {
        struct weir_str name = i < key->partition_count ? key->partition[i].name
                                                        : key->sort[i - key->partition_count].name;
        size_t n = item.n > 0 ? attribute_size(item, name) : 0;
        *ret_whole = *ret_whole && n > 0;
        bytes += n;
    }
    return bytes;
}

/* The size of an item's entry in an index; 0: it has none. */
static size_t entry_size(
        const struct weir_table *table, const struct weir_index *index, struct weir_item item)
{
    bool whole = false;
    bool ignored = false;
    size_t bytes = key_size(&index->key, item, &whole);
    if (!whole) {
        return 0;
    }
    if (index->projection == WEIR_PROJECT_ALL) {
        return weir_item_size(item);
    }
    bytes += key_size(&table->key, item, &ignored);
    for (size_t i = 0; i < index->include_count; i++) {
        bytes += attribute_size(item, index->include[i]);
    }
    return bytes;
}

static bool same_key(const struct weir_key_schema *key, struct weir_item a, struct weir_item b)
{
    for (size_t i = 0; i < key->partition_count + key->sort_count; i++) {
        struct weir_str name = i < key->partition_count ? key->partition[i].name
                                                        : key->sort[i - key->partition_count].name;
        if (!weir_value_eq(weir_item_get(a, name), weir_item_get(b, name))) {
            return false;
        }
    }
    return true;
}

void weir_ddb_capacity_write(
        struct weir_ddb_capacity *capacity, struct weir_item before, struct weir_item after)
{
    const struct weir_table *table = capacity->table;
    size_t old_bytes = before.n > 0 ? weir_item_size(before) : 0;
    size_t new_bytes = after.n > 0 ? weir_item_size(after) : 0;
    capacity->table_tenths += write_tenths(old_bytes > new_bytes ? old_bytes : new_bytes);
    for (size_t i = 0; i < table->index_count; i++) {
        const struct weir_index *index = &table->indexes[i];
        size_t old_entry = entry_size(table, index, before);
        size_t new_entry = entry_size(table, index, after);
        bool moves = old_entry > 0 && new_entry > 0 && !same_key(&index->key, before, after);
        if (moves) { /* AWS deletes one entry and puts another */
            capacity->index_tenths[i] += write_tenths(old_entry) + write_tenths(new_entry);
        } else if ((old_entry > 0 || new_entry > 0) && !weir_item_eq(before, after)) {
            capacity->index_tenths[i] +=
                    write_tenths(old_entry > new_entry ? old_entry : new_entry);
        }
    }
}

static void write_units(struct weir_buf *out, uint64_t tenths)
{
    weir_out_name(out, "CapacityUnits");
    weir_buf_printf(out, "%llu.%llu", (unsigned long long)(tenths / TENTHS),
            (unsigned long long)(tenths % TENTHS));
}

static void write_index_units(struct weir_buf *out, const char *name,
        const struct weir_ddb_capacity *capacity, bool local)
{
    bool any = false;
    for (size_t i = 0; i < capacity->table->index_count; i++) {
        const struct weir_index *index = &capacity->table->indexes[i];
        if (index->local != local || capacity->index_tenths[i] == 0) {
            continue;
        }
        if (!any) {
            weir_out_name(out, name);
            weir_buf_byte(out, '{');
        }
        any = true;
        char text[WEIR_TABLE_NAME_MAX + 1] = "";
        memcpy(text, index->name.p, index->name.n); /* names have no character to escape */
        weir_out_name(out, text);
        weir_buf_byte(out, '{');
        write_units(out, capacity->index_tenths[i]);
        weir_buf_byte(out, '}');
    }
    if (any) {
        weir_buf_byte(out, '}');
    }
}

void weir_ddb_write_capacity(struct weir_buf *out, struct weir_str mode,
        const struct weir_ddb_capacity *capacity, bool alone)
{
    bool indexes = weir_str_eq(mode, WEIR_STR("INDEXES"));
    if (!indexes && !weir_str_eq(mode, WEIR_STR("TOTAL"))) {
        return;
    }
    uint64_t total = capacity->table_tenths;
    for (size_t i = 0; i < capacity->table->index_count; i++) {
        total += capacity->index_tenths[i];
    }
    if (alone) {
        weir_out_name(out, "ConsumedCapacity");
    }
    weir_buf_byte(out, '{');
    weir_out_text(out, "TableName", capacity->table->name);
    write_units(out, total);
    if (indexes) {
        weir_out_name(out, "Table");
        weir_buf_byte(out, '{');
        write_units(out, capacity->table_tenths);
        weir_buf_byte(out, '}');
        write_index_units(out, "GlobalSecondaryIndexes", capacity, false);
        write_index_units(out, "LocalSecondaryIndexes", capacity, true);
    }
    weir_buf_byte(out, '}');
}
