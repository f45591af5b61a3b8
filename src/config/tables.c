/* Tables and their indexes. */
#include <stdio.h>

#include "config/config_int.h"

enum { OWNER_TEXT = 128 };

struct table_options {
    const struct weir_conf *key;
    const struct weir_conf *stream;
    const struct weir_conf *indexes;
    struct weir_str ttl;
    uint64_t shards;
    bool deletion_protection;
};

static const struct weir_option table_options[] = {
    { "key", NULL, "the attributes that identify an item, and their types", WEIR_OPTION_NODE,
            offsetof(struct table_options, key), 0, 0 },
    { "stream", "", "what the stream of changes carries", WEIR_OPTION_NODE,
            offsetof(struct table_options, stream), 0, 0 },
    { "indexes", "", "other keys to find items by, each with a name", WEIR_OPTION_NODE,
            offsetof(struct table_options, indexes), 0, 0 },
    { "ttl", "", "the attribute that says when an item is deleted, in seconds since 1970",
            WEIR_OPTION_STRING, offsetof(struct table_options, ttl), 0, 0 },
    { "shards", "4", "the shards of the stream", WEIR_OPTION_INTEGER,
            offsetof(struct table_options, shards), 1, WEIR_TABLE_SHARDS_MAX },
    { "deletion_protection", "false", "whether deleting the table is refused", WEIR_OPTION_BOOL,
            offsetof(struct table_options, deletion_protection), 0, 0 },
    { 0 },
};

/* A table while it is read. */
struct reading {
    const struct weir_config_reader *reader;
    const struct weir_conf *name;
    struct weir_table *table;
    struct table_options options;
    char what[OWNER_TEXT]; /* "table 'orders'" */
};

static bool name_is_valid(struct weir_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
        if (!ok) {
            return false;
        }
    }
    return name.n >= WEIR_TABLE_NAME_MIN && name.n <= WEIR_TABLE_NAME_MAX;
}

static void check_name(
        const struct weir_config_reader *reader, const struct weir_conf *name, const char *what)
{
    if (!name->broken && !name_is_valid(name->text)) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, name,
                "%s name %s must be %d to %d characters of a-z, A-Z, 0-9, '_', '-' and '.'", what,
                weir_conf_show(name, shown), WEIR_TABLE_NAME_MIN, WEIR_TABLE_NAME_MAX);
    }
}

static void read_stream(const struct reading *reading)
{
    static const char *const names[] = { "new_and_old_images", "new_image", "old_image",
        "keys_only" };
    const struct weir_conf *node = reading->options.stream;
    if (node == NULL || node->kind == WEIR_CONF_NULL) {
        return;
    }
    struct weir_table *table = reading->table;
    table->view =
            node->kind == WEIR_CONF_SCALAR ? weir_view_type_parse(node->text) : WEIR_VIEW_NONE;
    if (table->view == WEIR_VIEW_NONE) {
        table->view = WEIR_VIEW_NEW_AND_OLD_IMAGES; /* so that pipelines do not complain too */
        weir_conf_unknown(reading->reader->diagnostics, node, "stream", names, WEIR_COUNT(names));
    }
}

/* --- attributes of several keys ------------------------------------------------------- */

static const struct weir_ddb_key_attribute *attribute_of(
        const struct weir_key_schema *key, struct weir_str name)
{
    for (size_t i = 0; i < key->partition_count; i++) {
        if (weir_str_eq(key->partition[i].name, name)) {
            return &key->partition[i];
        }
    }
    for (size_t i = 0; i < key->sort_count; i++) {
        if (weir_str_eq(key->sort[i].name, name)) {
            return &key->sort[i];
        }
    }
    return NULL;
}

/* An attribute has one type in all keys of its table: complain about another one here. */
static void check_type(const struct reading *reading, const struct weir_key_schema *other,
        const char *where, const struct weir_ddb_key_attribute *mine, const struct weir_conf *key)
{
    const struct weir_ddb_key_attribute *theirs = attribute_of(other, mine->name);
    if (theirs != NULL && theirs->type != mine->type) {
        weir_conf_error(reading->reader->diagnostics, weir_config_key_attribute(key, mine->name),
                "attribute '%.*s' is of type %s here, but of type %s in %s",
                WEIR_STR_ARG(mine->name), weir_type_name(mine->type), weir_type_name(theirs->type),
                where);
    }
}

static void check_types(const struct reading *reading, const struct weir_index *index,
        const struct weir_conf *key, size_t earlier)
{
    for (size_t i = 0; i < index->key.partition_count + index->key.sort_count; i++) {
        const struct weir_ddb_key_attribute *mine =
                i < index->key.partition_count ? &index->key.partition[i]
                                               : &index->key.sort[i - index->key.partition_count];
        const struct weir_table *table = reading->table;
        if (attribute_of(&table->key, mine->name) != NULL) {
            check_type(reading, &table->key, "the table's key", mine, key);
            continue;
        }
        for (size_t k = 0; k < earlier; k++) {
            const struct weir_index *other = &table->indexes[k];
            if (attribute_of(&other->key, mine->name) != NULL) {
                char where[OWNER_TEXT];
                snprintf(where, sizeof(where), "index '%.*s'", WEIR_STR_ARG(other->name));
                check_type(reading, &other->key, where, mine, key);
                break;
            }
        }
    }
}

/* --- indexes --------------------------------------------------------------------------- */

struct index_options {
    const struct weir_conf *key;
    const struct weir_conf *projection;
};

static const struct weir_option index_options[] = {
    { "key", NULL, "the attributes to find items by, and their types", WEIR_OPTION_NODE,
            offsetof(struct index_options, key), 0, 0 },
    { "projection", "", "what of an item the index holds", WEIR_OPTION_NODE,
            offsetof(struct index_options, projection), 0, 0 },
    { 0 },
};

static void read_include(
        const struct reading *reading, const struct weir_conf *node, struct weir_index *index)
{
    enum { INCLUDE_MAX = 100 };
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    index->projection = WEIR_PROJECT_INCLUDE;
    index->include =
            weir_arena_zero(&reading->reader->config->arena, node->count, sizeof(*index->include));
    for (size_t i = 0; i < node->count; i++) {
        const struct weir_conf *one = &node->items[i];
        char shown[WEIR_CONF_SHOWN];
        if (one->broken) {
            continue;
        }
        if (one->kind != WEIR_CONF_SCALAR || one->text.n == 0) {
            weir_conf_error(diagnostics, one, "a projection lists names of attributes, not %s",
                    weir_conf_show(one, shown));
            continue;
        }
        if (i == INCLUDE_MAX) {
            weir_conf_error(diagnostics, one, "a projection has at most %d attributes, not %zu",
                    INCLUDE_MAX, node->count);
            return;
        }
        if (attribute_of(&index->key, one->text) != NULL ||
                attribute_of(&reading->table->key, one->text) != NULL) {
            weir_conf_warn(diagnostics, one,
                    "key attribute %s is in every index anyway: leave it out",
                    weir_conf_show(one, shown));
            continue;
        }
        bool again = false;
        for (size_t k = 0; k < index->include_count; k++) {
            again = again || weir_str_eq(index->include[k], one->text);
        }
        if (again) {
            weir_conf_error(diagnostics, one, "attribute %s is in the projection twice",
                    weir_conf_show(one, shown));
            continue;
        }
        index->include[index->include_count++] = one->text;
    }
    if (index->include_count == 0) {
        index->projection = WEIR_PROJECT_KEYS_ONLY;
    }
}

static void read_projection(
        const struct reading *reading, const struct weir_conf *node, struct weir_index *index)
{
    static const char *const names[] = { "all", "keys_only", "a list of attributes" };
    if (node == NULL || node->broken) {
        return;
    }
    if (node->kind == WEIR_CONF_LIST) {
        read_include(reading, node, index);
    } else if (node->kind == WEIR_CONF_SCALAR && weir_str_eq(node->text, WEIR_STR("keys_only"))) {
        index->projection = WEIR_PROJECT_KEYS_ONLY;
    } else if (node->kind != WEIR_CONF_SCALAR || !weir_str_eq(node->text, WEIR_STR("all"))) {
        weir_conf_unknown(
                reading->reader->diagnostics, node, "projection", names, WEIR_COUNT(names));
    }
}

/* { key: { ... }, projection: ... } rather than a key whose attributes have these names. */
static bool has_options(const struct weir_conf *node)
{
    const struct weir_conf *key = weir_conf_get(node, "key");
    const struct weir_conf *projection = weir_conf_get(node, "projection");
    return (key != NULL && key->kind != WEIR_CONF_SCALAR) ||
           (projection != NULL && !weir_config_is_key_type(projection));
}

static void read_index(
        struct reading *reading, const struct weir_conf *name, const struct weir_conf *node)
{
    const struct weir_config_reader *reader = reading->reader;
    struct weir_index *index = &reading->table->indexes[reading->table->index_count];
    struct index_options options = { .key = node };
    char what[OWNER_TEXT];
    snprintf(what, sizeof(what), "index '%.*s'", WEIR_STR_ARG(name->text));
    check_name(reader, name, "index");
    if (node->broken) {
        return;
    }
    index->name = name->text;
    index->projection = WEIR_PROJECT_ALL;
    if (has_options(node)) {
        options.key = NULL;
        weir_conf_options(reader->diagnostics, node, what, index_options, &options);
    }
    if (options.key != NULL) {
        weir_config_read_key(reader, options.key, what, &index->key);
        check_types(reading, index, options.key, reading->table->index_count);
    }
    read_projection(reading, options.projection, index);
    reading->table->index_count++;
}

static void read_indexes(struct reading *reading)
{
    const struct weir_conf *node = reading->options.indexes;
    struct weir_diagnostics *diagnostics = reading->reader->diagnostics;
    if (node == NULL || node->kind == WEIR_CONF_NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(diagnostics, node,
                "indexes of %s must be a map of names to keys, as in { by_tag: { tag: S } }, not "
                "%s",
                reading->what, weir_conf_show(node, shown));
        return;
    }
    reading->table->indexes = weir_arena_zero(
            &reading->reader->config->arena, node->count, sizeof(*reading->table->indexes));
    for (size_t i = 0; i < node->count; i++) {
        if (i == WEIR_TABLE_INDEXES_MAX) {
            weir_conf_error(diagnostics, &node->names[i],
                    "%s has %zu indexes, at most %d are "
                    "possible",
                    reading->what, node->count, WEIR_TABLE_INDEXES_MAX);
        }
        read_index(reading, &node->names[i], &node->items[i]);
    }
}

/* --- tables ------------------------------------------------------------------------------ */

static void check_ttl(const struct reading *reading, const struct weir_conf *node)
{
    const struct weir_conf *ttl = weir_conf_get(node, "ttl");
    struct weir_str name = reading->table->ttl_attribute;
    if (ttl == NULL || ttl->broken || ttl->kind != WEIR_CONF_SCALAR) {
        return;
    }
    if (name.n == 0 || name.n > WEIR_TABLE_NAME_MAX) {
        weir_conf_error(reading->reader->diagnostics, ttl,
                "ttl names an attribute of 1 to %d bytes", WEIR_TABLE_NAME_MAX);
        return;
    }
    const struct weir_ddb_key_attribute *attribute = attribute_of(&reading->table->key, name);
    for (size_t i = 0; attribute == NULL && i < reading->table->index_count; i++) {
        attribute = attribute_of(&reading->table->indexes[i].key, name);
    }
    if (attribute != NULL && attribute->type != WEIR_TYPE_N) {
        weir_conf_warn(reading->reader->diagnostics, ttl,
                "ttl attribute '%.*s' is a key of type %s, but only numbers expire: no item will "
                "be deleted",
                WEIR_STR_ARG(name), weir_type_name(attribute->type));
    }
}

static void read_table(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node)
{
    struct weir_table *table = &reader->config->tables[reader->config->table_count];
    struct reading reading = { .reader = reader, .name = name, .table = table };
    size_t errors = reader->diagnostics->errors;
    snprintf(reading.what, sizeof(reading.what), "table '%.*s'", WEIR_STR_ARG(name->text));
    check_name(reader, name, "table");
    if (name->broken) {
        return;
    }
    reader->config->table_count++;
    *table = (struct weir_table){
        .name = name->text,
        .shards = WEIR_TABLE_SHARDS_DEFAULT,
        .from_file = true,
        .billing = WEIR_STR("PAY_PER_REQUEST"),
    };
    /* A table without anything is answered by the missing key, at its name. */
    const struct weir_conf *at = node->kind == WEIR_CONF_NULL ? name : node;
    if (node->kind == WEIR_CONF_NULL && !node->broken) {
        weir_conf_error(reader->diagnostics, at,
                "%s needs the option 'key': the attributes that identify an item, as in "
                "{ id: S }",
                reading.what);
        return;
    }
    weir_conf_options(reader->diagnostics, node, reading.what, table_options, &reading.options);
    if (node->kind != WEIR_CONF_MAP) {
        return;
    }
    if (reading.options.key != NULL) {
        weir_config_read_key(reader, reading.options.key, reading.what, &table->key);
    }
    read_stream(&reading);
    read_indexes(&reading);
    table->ttl_attribute = reading.options.ttl;
    if (reading.options.shards != 0) {
        table->shards = (uint32_t)reading.options.shards;
    }
    table->deletion_protection = reading.options.deletion_protection;
    check_ttl(&reading, node);
    struct weir_err err = { 0 };
    if (reader->diagnostics->errors == errors && weir_table_check(table, &err) != WEIR_OK) {
        weir_conf_error(reader->diagnostics, name, "%s", err.msg);
    }
}

void weir_config_read_tables(
        const struct weir_config_reader *reader, const struct weir_conf *tables)
{
    if (tables == NULL || tables->kind == WEIR_CONF_NULL || tables->broken) {
        return;
    }
    if (tables->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, tables,
                "tables must be a map of names to tables, not %s", weir_conf_show(tables, shown));
        return;
    }
    reader->config->tables =
            weir_arena_zero(&reader->config->arena, tables->count, sizeof(*reader->config->tables));
    for (size_t i = 0; i < tables->count; i++) {
        read_table(reader, &tables->names[i], &tables->items[i]);
    }
}
