/* Keys: which attributes identify an item, and their types. */
#include <stdio.h>

#include "config/config_int.h"

/* Types as people know them from elsewhere, for "did you mean". */
static const struct {
    const char *word;
    enum weir_type type;
} type_words[] = {
    { "string", WEIR_TYPE_S },
    { "str", WEIR_TYPE_S },
    { "text", WEIR_TYPE_S },
    { "s", WEIR_TYPE_S },
    { "number", WEIR_TYPE_N },
    { "num", WEIR_TYPE_N },
    { "int", WEIR_TYPE_N },
    { "integer", WEIR_TYPE_N },
    { "n", WEIR_TYPE_N },
    { "binary", WEIR_TYPE_B },
    { "bytes", WEIR_TYPE_B },
    { "b", WEIR_TYPE_B },
};

static enum weir_type key_type(const struct weir_conf *node)
{
    enum weir_type type =
            node->kind == WEIR_CONF_SCALAR ? weir_type_parse(node->text) : WEIR_TYPE_ABSENT;
    bool right = type == WEIR_TYPE_S || type == WEIR_TYPE_N || type == WEIR_TYPE_B;
    return right ? type : WEIR_TYPE_ABSENT;
}

bool weir_config_is_key_type(const struct weir_conf *node)
{
    return key_type(node) != WEIR_TYPE_ABSENT;
}

static void wrong_type(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node)
{
    char shown[WEIR_CONF_SHOWN];
    char meant[32] = "";
    for (size_t i = 0; i < WEIR_COUNT(type_words) && !node->secret; i++) {
        struct weir_str word = weir_str_z(type_words[i].word);
        bool same = node->text.n == word.n;
        for (size_t k = 0; same && k < word.n; k++) {
            same = (node->text.p[k] | 0x20) == word.p[k];
        }
        if (same) {
            snprintf(
                    meant, sizeof(meant), "; did you mean %s?", weir_type_name(type_words[i].type));
        }
    }
    weir_conf_error(reader->diagnostics, node,
            "key attribute '%.*s' must be of type S (string), N (number) or B (binary), not %s%s",
            WEIR_STR_ARG(name->text), weir_conf_show(node, shown), meant);
}

/* One attribute; false: something was wrong. */
static bool read_attribute(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node, struct weir_ddb_key_attribute *ret_attribute)
{
    if (node->broken || name->broken) {
        return false;
    }
    if (name->text.n == 0 || name->text.n > WEIR_TABLE_NAME_MAX) {
        weir_conf_error(reader->diagnostics, name,
                "the name of a key attribute must have 1 to %d bytes", WEIR_TABLE_NAME_MAX);
        return false;
    }
    enum weir_type type = key_type(node);
    if (type == WEIR_TYPE_ABSENT) {
        wrong_type(reader, name, node);
        return false;
    }
    *ret_attribute = (struct weir_ddb_key_attribute){ .name = name->text, .type = type };
    return true;
}

/* One of the two lists of the long form. */
static void read_part(const struct weir_config_reader *reader, const struct weir_conf *node,
        const char *part, struct weir_ddb_key_attribute *attributes, size_t *ret_count)
{
    if (node == NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP || node->count == 0) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node,
                "the %s key must name its attributes and their types, as in { id: S }, not %s",
                part, weir_conf_show(node, shown));
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (i == WEIR_DDB_KEY_MAX_ATTRIBUTES) {
            weir_conf_error(reader->diagnostics, &node->names[i],
                    "the %s key has %zu attributes, at most %d are possible", part, node->count,
                    WEIR_DDB_KEY_MAX_ATTRIBUTES);
            return;
        }
        if (read_attribute(reader, &node->names[i], &node->items[i], &attributes[*ret_count])) {
            ++*ret_count;
        }
    }
}

struct long_key {
    const struct weir_conf *partition;
    const struct weir_conf *sort;
};

static const struct weir_option long_key_options[] = {
    { "partition", NULL, "the attributes whose values say where an item stands", WEIR_OPTION_NODE,
            offsetof(struct long_key, partition), 0, 0 },
    { "sort", "", "the attributes that order the items of one partition", WEIR_OPTION_NODE,
            offsetof(struct long_key, sort), 0, 0 },
    { 0 },
};

/* Partition and sort key must differ in every attribute. */
static void check_repeats(const struct weir_config_reader *reader, const struct long_key *key)
{
    for (size_t i = 0; key->sort != NULL && i < key->sort->count; i++) {
        if (key->partition != NULL && key->sort->kind == WEIR_CONF_MAP) {
            const struct weir_conf *name = &key->sort->names[i];
            for (size_t k = 0; k < key->partition->count; k++) {
                if (key->partition->kind == WEIR_CONF_MAP &&
                        weir_str_eq(key->partition->names[k].text, name->text)) {
                    weir_conf_error(reader->diagnostics, name,
                            "attribute '%.*s' is in the partition key already",
                            WEIR_STR_ARG(name->text));
                }
            }
        }
    }
}

static void read_short(const struct weir_config_reader *reader, const struct weir_conf *node,
        struct weir_key_schema *key)
{
    if (node->count > 2) {
        weir_conf_error(reader->diagnostics, &node->names[2],
                "the short form of a key has a partition and a sort attribute; for more write "
                "{ partition: { a: S }, sort: { b: S, c: N } }");
    }
    if (read_attribute(reader, &node->names[0], &node->items[0], &key->partition[0])) {
        key->partition_count = 1;
    }
    if (node->count >= 2 &&
            read_attribute(reader, &node->names[1], &node->items[1], &key->sort[0])) {
        key->sort_count = 1;
    }
}

static bool is_long(const struct weir_conf *node)
{
    const struct weir_conf *partition = weir_conf_get(node, "partition");
    const struct weir_conf *sort = weir_conf_get(node, "sort");
    return (partition != NULL && partition->kind != WEIR_CONF_SCALAR) ||
           (sort != NULL && sort->kind != WEIR_CONF_SCALAR);
}

void weir_config_read_key(const struct weir_config_reader *reader, const struct weir_conf *node,
        const char *what, struct weir_key_schema *ret_key)
{
    *ret_key = (struct weir_key_schema){ 0 };
    if (node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP || node->count == 0) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node,
                "the key of %s must name its attributes and their types, as in { id: S } or "
                "{ customer: S, placed: N }, not %s",
                what, weir_conf_show(node, shown));
        return;
    }
    if (!is_long(node)) {
        read_short(reader, node, ret_key);
        return;
    }
    struct long_key key = { 0 };
    weir_conf_options(reader->diagnostics, node, "key", long_key_options, &key);
    read_part(reader, key.partition, "partition", ret_key->partition, &ret_key->partition_count);
    read_part(reader, key.sort, "sort", ret_key->sort, &ret_key->sort_count);
    check_repeats(reader, &key);
}

static const struct weir_conf *name_in(const struct weir_conf *map, struct weir_str name)
{
    for (size_t i = 0; map != NULL && map->kind == WEIR_CONF_MAP && i < map->count; i++) {
        if (weir_str_eq(map->names[i].text, name)) {
            return &map->names[i];
        }
    }
    return NULL;
}

const struct weir_conf *weir_config_key_attribute(
        const struct weir_conf *key, struct weir_str attribute)
{
    if (key == NULL || key->kind != WEIR_CONF_MAP) {
        return NULL;
    }
    if (!is_long(key)) {
        return name_in(key, attribute);
    }
    const struct weir_conf *found = name_in(weir_conf_get(key, "partition"), attribute);
    return found != NULL ? found : name_in(weir_conf_get(key, "sort"), attribute);
}
