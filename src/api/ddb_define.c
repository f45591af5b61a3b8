/* CreateTable's request as a table's definition, with AWS's objections to it. */
#include "api/ddb_int.h"

enum { LOCAL_INDEXES_MAX = 5 };

#define INVALID "One or more parameter values were invalid: "

/* What the pieces of a definition need. */
struct definer {
    const struct weir_ddb_create_request *request;
    struct weir_arena *arena;
    struct weir_err *err;
};

static const struct weir_ddb_key_element *element_at(const struct weir_wire_list *key, size_t i)
{
    return WEIR_WIRE_AT(*key, const struct weir_ddb_key_element, i);
}

static const struct weir_ddb_attribute_definition *find_attribute(
        const struct definer *definer, struct weir_str name)
{
    const struct weir_wire_list *attributes = &definer->request->attributes;
    for (size_t i = 0; i < attributes->count; i++) {
        const struct weir_ddb_attribute_definition *attribute =
                WEIR_WIRE_AT(*attributes, const struct weir_ddb_attribute_definition, i);
        if (weir_str_eq(attribute->name, name)) {
            return attribute;
        }
    }
    return NULL;
}

/* --- lists in messages ------------------------------------------------------------- */

static struct weir_str list_keys(const struct definer *definer, const struct weir_wire_list *key)
{
    struct weir_str text = WEIR_STR("");
    for (size_t i = 0; i < key->count; i++) {
        text = weir_arena_printf(definer->arena, "%.*s%s%.*s", WEIR_STR_ARG(text),
                i > 0 ? ", " : "", WEIR_STR_ARG(element_at(key, i)->name));
    }
    return text;
}

static struct weir_str list_attributes(const struct definer *definer)
{
    struct weir_str text = WEIR_STR("");
    const struct weir_wire_list *attributes = &definer->request->attributes;
    for (size_t i = 0; i < attributes->count; i++) {
        text = weir_arena_printf(definer->arena, "%.*s%s%.*s", WEIR_STR_ARG(text),
                i > 0 ? ", " : "",
                WEIR_STR_ARG(
                        WEIR_WIRE_AT(*attributes, struct weir_ddb_attribute_definition, i)->name));
    }
    return text;
}

/* --- keys ------------------------------------------------------------------------------ */

static enum weir_rc check_defined(const struct definer *definer, const struct weir_wire_list *key)
{
    for (size_t i = 0; i < key->count; i++) {
        if (find_attribute(definer, element_at(key, i)->name) == NULL) {
            return weir_fail(definer->err, WEIR_E_INVALID,
                    INVALID "Some index key attributes are not defined in AttributeDefinitions. "
                            "Keys: [%.*s], AttributeDefinitions: [%.*s]",
                    WEIR_STR_ARG(list_keys(definer, key)), WEIR_STR_ARG(list_attributes(definer)));
        }
    }
    return WEIR_OK;
}

/* HASH elements come first, then RANGE elements; each at most `most` times. */
static enum weir_rc check_order(
        const struct definer *definer, const struct weir_wire_list *key, size_t most)
{
    size_t hashes = 0;
    size_t ranges = 0;
    for (size_t i = 0; i < key->count; i++) {
        bool hash = weir_str_eq(element_at(key, i)->type, WEIR_STR("HASH"));
        if (i == 0 && !hash) {
            return weir_fail(definer->err, WEIR_E_INVALID,
                    "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
        }
        if (hash && ranges > 0) {
            return weir_fail(definer->err, WEIR_E_INVALID,
                    "Invalid KeySchema: a HASH key element stands behind a RANGE key element");
        }
        hashes += hash;
        ranges += !hash;
    }
    if (most == 1 && hashes > 1) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    }
    if (hashes > most || ranges > most) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                "Invalid KeySchema: at most %zu HASH and %zu RANGE key elements are possible", most,
                most);
    }
    return WEIR_OK;
}

static enum weir_rc check_distinct(const struct definer *definer, const struct weir_wire_list *key)
{
    for (size_t i = 1; i < key->count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (weir_str_eq(element_at(key, i)->name, element_at(key, j)->name)) {
                return weir_fail(definer->err, WEIR_E_INVALID,
                        "Both the Hash Key and the Range Key element in the KeySchema have the "
                        "same name");
            }
        }
    }
    return WEIR_OK;
}

static enum weir_rc define_key(const struct definer *definer, const struct weir_wire_list *list,
        size_t most, struct weir_key_schema *ret_key)
{
    enum weir_rc rc = check_order(definer, list, most);
    if (rc == WEIR_OK) {
        rc = check_distinct(definer, list);
    }
    if (rc == WEIR_OK) {
        rc = check_defined(definer, list);
    }
    for (size_t i = 0; rc == WEIR_OK && i < list->count; i++) {
        const struct weir_ddb_key_element *element = element_at(list, i);
        struct weir_ddb_key_attribute attribute = { .name = element->name,
            .type = weir_type_parse(find_attribute(definer, element->name)->type) };
        if (weir_str_eq(element->type, WEIR_STR("HASH"))) {
            ret_key->partition[ret_key->partition_count++] = attribute;
        } else {
            ret_key->sort[ret_key->sort_count++] = attribute;
        }
    }
    return rc;
}

/* --- indexes ---------------------------------------------------------------------------- */

static enum weir_rc define_projection(const struct definer *definer,
        const struct weir_ddb_projection_request *asked, struct weir_index *index)
{
    if (asked->type.p == NULL) {
        return weir_fail(definer->err, WEIR_E_INVALID, INVALID "Unknown ProjectionType: null");
    }
    bool include = weir_str_eq(asked->type, WEIR_STR("INCLUDE"));
    index->projection = include                                     ? WEIR_PROJECT_INCLUDE
                        : weir_str_eq(asked->type, WEIR_STR("ALL")) ? WEIR_PROJECT_ALL
                                                                    : WEIR_PROJECT_KEYS_ONLY;
    if (include != asked->include.set) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "ProjectionType is %.*s, but NonKeyAttributes is %s",
                WEIR_STR_ARG(asked->type), include ? "not specified" : "specified");
    }
    index->include = asked->include.items;
    index->include_count = asked->include.count;
    return WEIR_OK;
}

static enum weir_rc check_local(
        const struct definer *definer, const struct weir_table *table, struct weir_index *index)
{
    if (table->key.sort_count == 0) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Table KeySchema does not have a range key, which is required when "
                        "specifying a LocalSecondaryIndex");
    }
    if (index->key.sort_count == 0) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Index KeySchema does not have a range key for index: %.*s",
                WEIR_STR_ARG(index->name));
    }
    if (!weir_str_eq(index->key.partition[0].name, table->key.partition[0].name)) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Index KeySchema does not have the same leading hash key as table "
                        "KeySchema for index: %.*s. index hash key: %.*s, table hash key: %.*s",
                WEIR_STR_ARG(index->name), WEIR_STR_ARG(index->key.partition[0].name),
                WEIR_STR_ARG(table->key.partition[0].name));
    }
    return WEIR_OK;
}

static enum weir_rc define_index(const struct definer *definer, struct weir_table *table,
        const struct weir_ddb_index_request *asked, bool local)
{
    struct weir_index *index = &table->indexes[table->index_count];
    index->name = asked->name;
    index->local = local;
    enum weir_rc rc = weir_ddb_check_refused(&asked->refused, definer->err);
    if (rc == WEIR_OK) {
        rc = define_key(definer, &asked->key, local ? 1 : WEIR_DDB_KEY_MAX_ATTRIBUTES, &index->key);
    }
    if (rc == WEIR_OK && local) {
        rc = check_local(definer, table, index);
    }
    if (rc == WEIR_OK) {
        rc = define_projection(definer, asked->projection, index);
    }
    for (size_t i = 0; rc == WEIR_OK && i < table->index_count; i++) {
        if (weir_str_eq(table->indexes[i].name, index->name)) {
            rc = weir_fail(definer->err, WEIR_E_INVALID, INVALID "Duplicate index name: %.*s",
                    WEIR_STR_ARG(index->name));
        }
    }
    table->index_count++;
    return rc;
}

static enum weir_rc check_index_counts(const struct definer *definer)
{
    const struct weir_ddb_create_request *request = definer->request;
    const char *empty =
            request->globals.set && request->globals.count == 0 ? "GlobalSecondaryIndexes"
            : request->locals.set && request->locals.count == 0 ? "LocalSecondaryIndexes"
                                                                : NULL;
    if (empty != NULL) {
        return weir_fail(definer->err, WEIR_E_INVALID, INVALID "List of %s is empty", empty);
    }
    if (request->locals.count > LOCAL_INDEXES_MAX) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Number of LocalSecondaryIndexes exceeds per-table limit of %d",
                LOCAL_INDEXES_MAX);
    }
    if (request->globals.count + request->locals.count > WEIR_TABLE_INDEXES_MAX) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "GlobalSecondaryIndex count exceeds the per-table limit of %d",
                WEIR_TABLE_INDEXES_MAX);
    }
    return WEIR_OK;
}

static enum weir_rc define_indexes(const struct definer *definer, struct weir_table *table)
{
    const struct weir_ddb_create_request *request = definer->request;
    enum weir_rc rc = check_index_counts(definer);
    if (rc != WEIR_OK) {
        return rc;
    }
    table->indexes = weir_arena_zero(definer->arena, request->globals.count + request->locals.count,
            sizeof(*table->indexes));
    for (size_t i = 0; rc == WEIR_OK && i < request->globals.count; i++) {
        rc = define_index(definer, table,
                WEIR_WIRE_AT(request->globals, struct weir_ddb_index_request, i), false);
    }
    for (size_t i = 0; rc == WEIR_OK && i < request->locals.count; i++) {
        rc = define_index(definer, table,
                WEIR_WIRE_AT(request->locals, struct weir_ddb_index_request, i), true);
    }
    return rc;
}

/* --- the rest ------------------------------------------------------------------------------ */

static bool key_uses(const struct weir_wire_list *key, struct weir_str name)
{
    for (size_t i = 0; i < key->count; i++) {
        if (weir_str_eq(element_at(key, i)->name, name)) {
            return true;
        }
    }
    return false;
}

static bool is_used(const struct weir_ddb_create_request *request, struct weir_str name)
{
    bool used = key_uses(&request->key, name);
    for (size_t i = 0; i < request->globals.count; i++) {
        used = used ||
               key_uses(&WEIR_WIRE_AT(request->globals, struct weir_ddb_index_request, i)->key,
                       name);
    }
    for (size_t i = 0; i < request->locals.count; i++) {
        used = used ||
               key_uses(
                       &WEIR_WIRE_AT(request->locals, struct weir_ddb_index_request, i)->key, name);
    }
    return used;
}

static enum weir_rc check_attributes_used(const struct definer *definer)
{
    const struct weir_ddb_create_request *request = definer->request;
    for (size_t i = 0; i < request->attributes.count; i++) {
        struct weir_str name =
                WEIR_WIRE_AT(request->attributes, struct weir_ddb_attribute_definition, i)->name;
        if (is_used(request, name)) {
            continue;
        }
        if (request->globals.count + request->locals.count == 0) {
            return weir_fail(definer->err, WEIR_E_INVALID,
                    INVALID "Number of attributes in KeySchema does not exactly match number of "
                            "attributes defined in AttributeDefinitions");
        }
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Some AttributeDefinitions are not used. AttributeDefinitions: [%.*s], "
                        "keys used: [%.*s]",
                WEIR_STR_ARG(list_attributes(definer)),
                WEIR_STR_ARG(list_keys(definer, &request->key)));
    }
    return WEIR_OK;
}

static enum weir_rc define_billing(const struct definer *definer, struct weir_table *table)
{
    const struct weir_ddb_create_request *request = definer->request;
    bool on_demand = weir_str_eq(request->billing, WEIR_STR("PAY_PER_REQUEST"));
    table->billing = on_demand ? WEIR_STR("PAY_PER_REQUEST") : WEIR_STR("PROVISIONED");
    if (on_demand && request->throughput != NULL) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
                        "BillingMode is PAY_PER_REQUEST");
    }
    if (!on_demand && request->throughput == NULL) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when "
                        "BillingMode is PROVISIONED");
    }
    if (!on_demand) {
        table->read_units = (uint64_t)request->throughput->read_units.value;
        table->write_units = (uint64_t)request->throughput->write_units.value;
    }
    return WEIR_OK;
}

static enum weir_rc define_stream(const struct definer *definer, struct weir_table *table)
{
    const struct weir_ddb_stream_request *asked = definer->request->stream;
    if (asked == NULL) {
        return WEIR_OK;
    }
    if (asked->enabled.value != (asked->view.p != NULL)) {
        return weir_fail(definer->err, WEIR_E_INVALID,
                INVALID "StreamViewType must be given when StreamEnabled is true, and only then");
    }
    table->view = asked->enabled.value ? weir_view_type_parse(asked->view) : WEIR_VIEW_NONE;
    return WEIR_OK;
}

enum weir_rc weir_ddb_define_table(const struct weir_ddb_create_request *request,
        struct weir_arena *arena, struct weir_table *ret_table, struct weir_err *err)
{
    struct definer definer = { request, arena, err };
    *ret_table = (struct weir_table){
        .name = request->table_name,
        .shards = WEIR_TABLE_SHARDS_DEFAULT,
        .deletion_protection = request->deletion_protection.value,
    };
    enum weir_rc rc = weir_ddb_check_refused(&request->refused, err);
    if (rc == WEIR_OK &&
            weir_str_eq(request->table_class, WEIR_STR("STANDARD_INFREQUENT_ACCESS"))) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "TableClass STANDARD_INFREQUENT_ACCESS is not offered by weir: leave it out");
    }
    if (rc == WEIR_OK) {
        rc = define_billing(&definer, ret_table);
    }
    if (rc == WEIR_OK) {
        rc = define_key(&definer, &request->key, 1, &ret_table->key);
    }
    if (rc == WEIR_OK) {
        rc = define_indexes(&definer, ret_table);
    }
    if (rc == WEIR_OK) {
        rc = check_attributes_used(&definer);
    }
    if (rc == WEIR_OK) {
        rc = define_stream(&definer, ret_table);
    }
    return rc == WEIR_OK ? weir_table_check(ret_table, err) : rc;
}
