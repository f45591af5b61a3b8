/* Keys: of items, index entries, and ranges of them. */
#include "value/key.h"

#include "base/hash.h"
#include "table/table_int.h"

enum { HASH_BYTES = 4 };

static enum weir_rc check_key_value(const struct weir_ddb_key_attribute *attribute,
        struct weir_value value, bool partition, struct weir_err *err)
{
    if (value.type == WEIR_TYPE_ABSENT) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Missing the key %.*s in the item",
                WEIR_STR_ARG(attribute->name));
    }
    if (value.type != attribute->type) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Type mismatch for key %.*s expected: "
                "%s actual: %s",
                WEIR_STR_ARG(attribute->name), weir_type_name(attribute->type),
                weir_type_name(value.type));
    }
    if (value.type == WEIR_TYPE_N) {
        return WEIR_OK;
    }
    size_t n = weir_value_str(value).n;
    if (n == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values are not valid. The AttributeValue for a key "
                "attribute cannot contain an empty %s value. Key: %.*s",
                value.type == WEIR_TYPE_S ? "string" : "binary", WEIR_STR_ARG(attribute->name));
    }
    size_t max = partition ? WEIR_KEY_PARTITION_MAX_BYTES : WEIR_KEY_SORT_MAX_BYTES;
    if (n > max) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Size of %s has exceeded the maximum "
                "size limit of %zu bytes",
                partition ? "hashkey" : "rangekey", max);
    }
    return WEIR_OK;
}

enum weir_rc weir_key_begin(
        struct weir_buf *buf, const struct weir_value *values, size_t count, struct weir_err *err)
{
    size_t start = buf->n;
    weir_buf_add(buf, "\0\0\0\0", HASH_BYTES);
    for (size_t i = 0; i < count; i++) {
        enum weir_rc rc = weir_key_add(buf, values[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (!buf->overflow) {
        size_t from = start + HASH_BYTES;
        uint64_t hash = weir_hash64(0, buf->p + from, buf->n - from);
        for (int i = 0; i < HASH_BYTES; i++) {
            buf->p[start + (size_t)i] = (char)(hash >> (56 - 8 * i));
        }
    }
    return weir_buf_check(buf, "the key", err);
}

enum weir_rc weir_key_schema_encode(const struct weir_key_schema *schema, struct weir_item item,
        struct weir_buf *buf, struct weir_err *err)
{
    struct weir_value values[WEIR_DDB_KEY_MAX_ATTRIBUTES];
    for (size_t i = 0; i < schema->partition_count; i++) {
        values[i] = weir_item_get(item, schema->partition[i].name);
        enum weir_rc rc = check_key_value(&schema->partition[i], values[i], true, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    enum weir_rc rc = weir_key_begin(buf, values, schema->partition_count, err);
    for (size_t i = 0; rc == WEIR_OK && i < schema->sort_count; i++) {
        struct weir_value value = weir_item_get(item, schema->sort[i].name);
        rc = check_key_value(&schema->sort[i], value, false, err);
        if (rc == WEIR_OK) {
            rc = weir_key_add(buf, value, err);
        }
    }
    return rc == WEIR_OK ? weir_buf_check(buf, "the key", err) : rc;
}

enum weir_rc weir_table_key(const struct weir_table *table, struct weir_item item,
        struct weir_arena *arena, struct weir_str *ret_key, struct weir_err *err)
{
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
    enum weir_rc rc = weir_key_schema_encode(&table->key, item, &buf, err);
    if (rc == WEIR_OK) {
        *ret_key = weir_arena_str(arena, weir_buf_view(&buf));
    }
    return rc;
}

static enum weir_rc fail_key_schema(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_INVALID, "The provided key element does not match the schema");
}

static bool key_matches(
        const struct weir_ddb_key_attribute *attributes, size_t count, struct weir_item key)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_item_get(key, attributes[i].name).type != attributes[i].type) {
            return false;
        }
    }
    return true;
}

enum weir_rc weir_table_exact_key(const struct weir_table *table, struct weir_item key,
        struct weir_arena *arena, struct weir_str *ret_key, struct weir_err *err)
{
    const struct weir_key_schema *schema = &table->key;
    if (weir_item_count(key) != schema->partition_count + schema->sort_count ||
            !key_matches(schema->partition, schema->partition_count, key) ||
            !key_matches(schema->sort, schema->sort_count, key)) {
        return fail_key_schema(err);
    }
    return weir_table_key(table, key, arena, ret_key, err);
}

static void pick(struct weir_item_builder *builder, const struct weir_key_schema *schema,
        struct weir_item item)
{
    for (size_t i = 0; i < schema->partition_count + schema->sort_count; i++) {
        const struct weir_ddb_key_attribute *attribute =
                i < schema->partition_count ? &schema->partition[i]
                                            : &schema->sort[i - schema->partition_count];
        struct weir_value value = weir_item_get(item, attribute->name);
        if (value.type != WEIR_TYPE_ABSENT) {
            weir_item_name(builder, attribute->name);
            weir_item_value(builder, value);
        }
    }
}

enum weir_rc weir_key_schema_pick(const struct weir_key_schema *first,
        const struct weir_key_schema *second, struct weir_item item, struct weir_arena *arena,
        struct weir_item *ret_keys, struct weir_err *err)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    pick(builder, first, item);
    if (second != NULL) {
        pick(builder, second, item);
    }
    return weir_item_finish(builder, ret_keys, err);
}

enum weir_rc weir_table_key_item(const struct weir_table *table, struct weir_item item,
        struct weir_arena *arena, struct weir_item *ret_keys, struct weir_err *err)
{
    return weir_key_schema_pick(&table->key, NULL, item, arena, ret_keys, err);
}

uint32_t weir_table_shard(const struct weir_table *table, struct weir_str key)
{
    /* The second byte of the hash: the first orders scans, and both spread evenly. */
    uint32_t hash = (uint32_t)(unsigned char)key.p[1] << 8 | (uint32_t)(unsigned char)key.p[2];
    return hash * table->shards >> 16;
}

bool weir_key_schema_covers(const struct weir_key_schema *schema, struct weir_item item)
{
    return key_matches(schema->partition, schema->partition_count, item) &&
           key_matches(schema->sort, schema->sort_count, item);
}

enum weir_rc weir_index_key(const struct weir_table *table, const struct weir_index *index,
        struct weir_item item, struct weir_arena *arena, struct weir_str *ret_key,
        struct weir_err *err)
{
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    weir_buf_init(&buf, WEIR_KEY_MAX_BYTES);
    enum weir_rc rc = weir_key_schema_encode(&index->key, item, &buf, err);
    if (rc == WEIR_OK) {
        rc = weir_key_schema_encode(&table->key, item, &buf, err);
    }
    if (rc == WEIR_OK) {
        *ret_key = weir_arena_str(arena, weir_buf_view(&buf));
    }
    return rc;
}

static enum weir_rc check_index_attribute(const struct weir_index *index,
        const struct weir_ddb_key_attribute *attribute, struct weir_item item, struct weir_err *err)
{
    struct weir_value value = weir_item_get(item, attribute->name);
    if (value.type == WEIR_TYPE_ABSENT) {
        return WEIR_OK;
    }
    if (value.type != attribute->type) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Type mismatch for Index Key %.*s "
                "Expected: %s Actual: %s IndexName: %.*s",
                WEIR_STR_ARG(attribute->name), weir_type_name(attribute->type),
                weir_type_name(value.type), WEIR_STR_ARG(index->name));
    }
    if (value.type != WEIR_TYPE_N && weir_value_str(value).n == 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values are not valid. A value specified for a secondary "
                "index key is not supported. The AttributeValue for a key attribute cannot "
                "contain an empty %s value. IndexName: %.*s, IndexKey: %.*s",
                value.type == WEIR_TYPE_S ? "string" : "binary", WEIR_STR_ARG(index->name),
                WEIR_STR_ARG(attribute->name));
    }
    return WEIR_OK;
}

static enum weir_rc check_index_keys(
        const struct weir_index *index, struct weir_item item, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < index->key.partition_count; i++) {
        rc = check_index_attribute(index, &index->key.partition[i], item, err);
    }
    for (size_t i = 0; rc == WEIR_OK && i < index->key.sort_count; i++) {
        rc = check_index_attribute(index, &index->key.sort[i], item, err);
    }
    return rc;
}

enum weir_rc weir_table_check_item(
        const struct weir_table *table, struct weir_item item, struct weir_err *err)
{
    if (weir_item_size(item) > WEIR_ITEM_MAX_BYTES) {
        return weir_fail(err, WEIR_E_INVALID, "Item size has exceeded the maximum allowed size");
    }
    for (size_t i = 0; i < table->index_count; i++) {
        enum weir_rc rc = check_index_keys(&table->indexes[i], item, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}
