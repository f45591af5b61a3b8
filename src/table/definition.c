/*
 * Table definitions: checked, compared, and stored. A definition is stored as an item,
 * so that attributes can be added without a new format.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "table/table_int.h"
#include "value/member.h"

/* --- writing -------------------------------------------------------------------- */

static void put_attributes(struct weir_item_builder *b, const char *name,
        const struct weir_ddb_key_attribute *attributes, size_t count)
{
    weir_item_name(b, weir_str_z(name));
    weir_item_open(b, WEIR_TYPE_L);
    for (size_t i = 0; i < count; i++) {
        weir_item_open(b, WEIR_TYPE_M);
        weir_member_put_s(b, "name", attributes[i].name);
        weir_member_put_s(b, "type", weir_str_z(weir_type_name(attributes[i].type)));
        weir_item_close(b);
    }
    weir_item_close(b);
}

static void put_key(struct weir_item_builder *b, const struct weir_key_schema *key)
{
    put_attributes(b, "partition", key->partition, key->partition_count);
    put_attributes(b, "sort", key->sort, key->sort_count);
}

static void put_index(struct weir_item_builder *b, const struct weir_index *index)
{
    weir_item_open(b, WEIR_TYPE_M);
    weir_member_put_s(b, "name", index->name);
    weir_member_put_u64(b, "space", index->space);
    put_key(b, &index->key);
    weir_member_put_u64(b, "projection", index->projection);
    weir_member_put_bool(b, "local", index->local);
    weir_item_name(b, WEIR_STR("include"));
    weir_item_open(b, WEIR_TYPE_L);
    for (size_t i = 0; i < index->include_count; i++) {
        weir_item_s(b, index->include[i]);
    }
    weir_item_close(b);
    weir_item_close(b);
}

struct weir_item weir_table_encode(struct weir_arena *arena, const struct weir_table *table)
{
    struct weir_item_builder *b = weir_item_begin(arena);
    weir_member_put_s(b, "name", table->name);
    weir_member_put_u64(b, "space", table->space);
    put_key(b, &table->key);
    weir_item_name(b, WEIR_STR("indexes"));
    weir_item_open(b, WEIR_TYPE_L);
    for (size_t i = 0; i < table->index_count; i++) {
        put_index(b, &table->indexes[i]);
    }
    weir_item_close(b);
    weir_member_put_u64(b, "view", table->view);
    weir_member_put_u64(b, "shards", table->shards);
    weir_member_put_s(b, "ttl", table->ttl_attribute);
    weir_member_put_time(b, "created", table->created);
    weir_member_put_time(b, "stream_created", table->stream_created);
    weir_member_put_s(b, "id", table->table_id);
    weir_member_put_bool(b, "from_file", table->from_file);
    weir_member_put_bool(b, "protected", table->deletion_protection);
    weir_member_put_s(b, "billing", table->billing);
    weir_member_put_u64(b, "read_units", table->read_units);
    weir_member_put_u64(b, "write_units", table->write_units);
    return weir_member_finish(b);
}

/* --- reading --------------------------------------------------------------------- */

static struct weir_str copy_s(struct weir_arena *arena, struct weir_item item, const char *name)
{
    return weir_arena_str(arena, weir_member_s(item, name));
}

static size_t get_attributes(struct weir_arena *arena, struct weir_item item, const char *name,
        struct weir_ddb_key_attribute *attributes)
{
    struct weir_value list = weir_item_get(item, weir_str_z(name));
    size_t count = weir_value_count(list);
    count = count < WEIR_DDB_KEY_MAX_ATTRIBUTES ? count : WEIR_DDB_KEY_MAX_ATTRIBUTES;
    for (size_t i = 0; i < count; i++) {
        struct weir_item one = weir_value_map(weir_value_at(list, i));
        attributes[i].name = copy_s(arena, one, "name");
        attributes[i].type = weir_type_parse(weir_member_s(one, "type"));
    }
    return count;
}

static void get_key(
        struct weir_arena *arena, struct weir_item item, struct weir_key_schema *ret_key)
{
    ret_key->partition_count = get_attributes(arena, item, "partition", ret_key->partition);
    ret_key->sort_count = get_attributes(arena, item, "sort", ret_key->sort);
}

static void get_index(struct weir_arena *arena, struct weir_item item, struct weir_index *index)
{
    index->name = copy_s(arena, item, "name");
    index->space = (uint32_t)weir_member_u64(item, "space");
    get_key(arena, item, &index->key);
    index->projection = (enum weir_projection_type)weir_member_u64(item, "projection");
    index->local = weir_member_bool(item, "local");
    struct weir_value include = weir_item_get(item, WEIR_STR("include"));
    index->include_count = weir_value_count(include);
    index->include = weir_arena_zero(arena, index->include_count, sizeof(*index->include));
    for (size_t i = 0; i < index->include_count; i++) {
        index->include[i] = weir_arena_str(arena, weir_value_str(weir_value_at(include, i)));
    }
}

static void make_names(const struct weir_tables *tables, struct weir_table_box *box)
{
    struct weir_table *table = &box->table;
    table->arn = weir_arena_printf(&box->arena, "arn:aws:dynamodb:%.*s:%.*s:table/%.*s",
            WEIR_STR_ARG(tables->region), WEIR_STR_ARG(tables->account), WEIR_STR_ARG(table->name));
    table->source.table = table->name;
    table->source.region = tables->region;
    table->source.view = table->view;
    if (table->view == WEIR_VIEW_NONE) {
        return;
    }
    char label[WEIR_TIME_TEXT];
    weir_time_format(table->stream_created, label);
    table->stream_label =
            weir_arena_str(&box->arena, weir_str(label, strlen(label) - 1)); /* no Z */
    table->stream_arn = weir_arena_printf(&box->arena, "%.*s/stream/%.*s", WEIR_STR_ARG(table->arn),
            WEIR_STR_ARG(table->stream_label));
    table->source.stream_arn = table->stream_arn;
}

enum weir_rc weir_table_decode(const struct weir_tables *tables, struct weir_item stored,
        struct weir_table_box **ret_box, struct weir_err *err)
{
    enum weir_rc rc = weir_item_check(stored, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "the catalogue's entry of a table: ");
    }
    struct weir_table_box *box = weir_alloc_zero(1, sizeof(*box));
    struct weir_arena *arena = &box->arena;
    struct weir_table *table = &box->table;
    weir_arena_init(arena);
    box->life = weir_alloc_zero(1, sizeof(*box->life));
    atomic_init(&box->life->references, 1);
    table->name = copy_s(arena, stored, "name");
    table->space = (uint32_t)weir_member_u64(stored, "space");
    box->defined.name = table->name;
    get_key(arena, stored, &table->key);
    struct weir_value indexes = weir_item_get(stored, WEIR_STR("indexes"));
    table->index_count = weir_value_count(indexes);
    table->indexes = weir_arena_zero(arena, table->index_count, sizeof(*table->indexes));
    for (size_t i = 0; i < table->index_count; i++) {
        get_index(arena, weir_value_map(weir_value_at(indexes, i)), &table->indexes[i]);
    }
    table->view = (enum weir_view_type)weir_member_u64(stored, "view");
    table->shards = (uint32_t)weir_member_u64(stored, "shards");
    table->ttl_attribute = copy_s(arena, stored, "ttl");
    table->created = weir_member_time(stored, "created");
    table->stream_created = weir_member_time(stored, "stream_created");
    table->table_id = copy_s(arena, stored, "id");
    table->from_file = weir_member_bool(stored, "from_file");
    table->deletion_protection = weir_member_bool(stored, "protected");
    table->billing = copy_s(arena, stored, "billing");
    table->read_units = weir_member_u64(stored, "read_units");
    table->write_units = weir_member_u64(stored, "write_units");
    make_names(tables, box);
    *ret_box = box;
    return WEIR_OK;
}

void weir_table_box_destroy(struct weir_table_box *box)
{
    if (atomic_fetch_sub(&box->life->references, 1) == 1) {
        weir_free(box->life);
    }
    weir_arena_fini(&box->arena);
    weir_free(box);
}

/* --- checking ---------------------------------------------------------------------- */

static bool name_is_valid(struct weir_str name)
{
    if (name.n < WEIR_TABLE_NAME_MIN || name.n > WEIR_TABLE_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
        if (!ok) {
            return false;
        }
    }
    return true;
}

static enum weir_rc check_name(const char *what, struct weir_str name, struct weir_err *err)
{
    if (name_is_valid(name)) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID,
            "Invalid %s: '%.*s' must be %d to %d characters of a-z, A-Z, 0-9, '_', '-' and '.'",
            what, WEIR_STR_ARG(name), WEIR_TABLE_NAME_MIN, WEIR_TABLE_NAME_MAX);
}

static enum weir_rc check_key(
        struct weir_str of, const struct weir_key_schema *key, struct weir_err *err)
{
    for (size_t i = 0; i < key->partition_count + key->sort_count; i++) {
        const struct weir_ddb_key_attribute *attribute =
                i < key->partition_count ? &key->partition[i]
                                         : &key->sort[i - key->partition_count];
        bool key_type = attribute->type == WEIR_TYPE_S || attribute->type == WEIR_TYPE_N ||
                        attribute->type == WEIR_TYPE_B;
        if (!key_type || attribute->name.n == 0 || attribute->name.n > WEIR_TABLE_NAME_MAX) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Invalid key of %.*s: attribute '%.*s' must have a name and type S, N or B",
                    WEIR_STR_ARG(of), WEIR_STR_ARG(attribute->name));
        }
    }
    for (size_t i = 0; i < key->sort_count; i++) {
        for (size_t k = 0; k < key->partition_count; k++) {
            if (weir_str_eq(key->sort[i].name, key->partition[k].name)) {
                return weir_fail(err, WEIR_E_INVALID,
                        "Invalid KeySchema: %.*s has attribute '%.*s' in both parts of its key",
                        WEIR_STR_ARG(of), WEIR_STR_ARG(key->sort[i].name));
            }
        }
    }
    if (key->partition_count == 0) {
        return weir_fail(err, WEIR_E_INVALID, "Invalid KeySchema: %.*s has no partition (HASH) key",
                WEIR_STR_ARG(of));
    }
    return WEIR_OK;
}

enum weir_rc weir_table_check(const struct weir_table *table, struct weir_err *err)
{
    enum weir_rc rc = check_name("table name", table->name, err);
    if (rc == WEIR_OK) {
        rc = check_key(table->name, &table->key, err);
    }
    if (rc == WEIR_OK && (table->shards < 1 || table->shards > WEIR_TABLE_SHARDS_MAX)) {
        rc = weir_fail(err, WEIR_E_INVALID, "table %.*s must have 1 to %d shards, not %u",
                WEIR_STR_ARG(table->name), WEIR_TABLE_SHARDS_MAX, table->shards);
    }
    if (rc == WEIR_OK && table->index_count > WEIR_TABLE_INDEXES_MAX) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: %zu indexes, at most %d are possible",
                table->index_count, WEIR_TABLE_INDEXES_MAX);
    }
    for (size_t i = 0; rc == WEIR_OK && i < table->index_count; i++) {
        const struct weir_index *index = &table->indexes[i];
        rc = check_name("index name", index->name, err);
        if (rc == WEIR_OK) {
            rc = check_key(index->name, &index->key, err);
        }
        for (size_t j = 0; rc == WEIR_OK && j < i; j++) {
            if (weir_str_eq(index->name, table->indexes[j].name)) {
                rc = weir_fail(err, WEIR_E_INVALID,
                        "One or more parameter values were invalid: Duplicate index name: %.*s",
                        WEIR_STR_ARG(index->name));
            }
        }
    }
    return rc;
}

static bool same_attributes(const struct weir_ddb_key_attribute *a, size_t a_count,
        const struct weir_ddb_key_attribute *b, size_t b_count)
{
    if (a_count != b_count) {
        return false;
    }
    for (size_t i = 0; i < a_count; i++) {
        if (a[i].type != b[i].type || !weir_str_eq(a[i].name, b[i].name)) {
            return false;
        }
    }
    return true;
}

static bool same_key(const struct weir_key_schema *a, const struct weir_key_schema *b)
{
    return same_attributes(a->partition, a->partition_count, b->partition, b->partition_count) &&
           same_attributes(a->sort, a->sort_count, b->sort, b->sort_count);
}

static bool same_index(const struct weir_index *a, const struct weir_index *b)
{
    if (b == NULL || a->projection != b->projection || a->include_count != b->include_count ||
            !same_key(&a->key, &b->key)) {
        return false;
    }
    for (size_t i = 0; i < a->include_count; i++) {
        if (!weir_str_eq(a->include[i], b->include[i])) {
            return false;
        }
    }
    return true;
}

enum weir_rc weir_table_compare(
        const struct weir_table *stored, const struct weir_table *wanted, struct weir_err *err)
{
    if (!same_key(&stored->key, &wanted->key)) {
        return weir_fail(err, WEIR_E_INVALID,
                "table %.*s is stored with another key than the configuration gives it; a key "
                "cannot be changed: restore the old key, or use a new table name",
                WEIR_STR_ARG(stored->name));
    }
    if (stored->shards != wanted->shards) {
        return weir_fail(err, WEIR_E_INVALID,
                "table %.*s is stored with %u shards, the configuration says %u; they cannot be "
                "changed",
                WEIR_STR_ARG(stored->name), stored->shards, wanted->shards);
    }
    for (size_t i = 0; i < wanted->index_count; i++) {
        const struct weir_index *index = &wanted->indexes[i];
        if (!same_index(index, weir_table_index(stored, index->name))) {
            return weir_fail(err, WEIR_E_INVALID,
                    "index %.*s of table %.*s differs from the stored one, or is new; indexes of "
                    "a stored table cannot be changed yet",
                    WEIR_STR_ARG(index->name), WEIR_STR_ARG(stored->name));
        }
    }
    if (stored->index_count != wanted->index_count) {
        return weir_fail(err, WEIR_E_INVALID,
                "table %.*s is stored with %zu indexes, the configuration names %zu; indexes of a "
                "stored table cannot be changed yet",
                WEIR_STR_ARG(stored->name), stored->index_count, wanted->index_count);
    }
    return WEIR_OK;
}
