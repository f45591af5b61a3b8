/* Tables: CreateTable, DescribeTable, ListTables, DeleteTable, time to live. */
#include "api/ddb_int.h"
#include "value/json.h"

enum { LIST_MAX = 100 };

/* --- descriptions -------------------------------------------------------------------- */

static void write_attributes(struct weir_buf *out, const char *key_type,
        const struct weir_ddb_key_attribute *attributes, size_t count, bool *more)
{
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(out, *more ? ",{" : "{");
        *more = true;
        weir_out_text(out, "AttributeName", attributes[i].name);
        weir_out_text(out, "KeyType", weir_str_z(key_type));
        weir_buf_byte(out, '}');
    }
}

void weir_ddb_write_key(struct weir_buf *out, const struct weir_key_schema *key)
{
    bool more = false;
    weir_out_name(out, "KeySchema");
    weir_buf_byte(out, '[');
    write_attributes(out, "HASH", key->partition, key->partition_count, &more);
    write_attributes(out, "RANGE", key->sort, key->sort_count, &more);
    weir_buf_byte(out, ']');
}

bool weir_ddb_key_has(const struct weir_key_schema *key, struct weir_str name)
{
    for (size_t i = 0; i < key->partition_count; i++) {
        if (weir_str_eq(key->partition[i].name, name)) {
            return true;
        }
    }
    for (size_t i = 0; i < key->sort_count; i++) {
        if (weir_str_eq(key->sort[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Whether the table's key, or one of the first `indexes` indexes' keys, has an attribute. */
static bool is_defined(const struct weir_table *table, size_t indexes, struct weir_str name)
{
    bool defined = weir_ddb_key_has(&table->key, name);
    for (size_t i = 0; i < indexes && !defined; i++) {
        defined = weir_ddb_key_has(&table->indexes[i].key, name);
    }
    return defined;
}

static void write_definition(
        struct weir_buf *out, const struct weir_ddb_key_attribute *attribute, bool first)
{
    weir_buf_z(out, first ? "{" : ",{");
    weir_out_text(out, "AttributeName", attribute->name);
    weir_out_text(out, "AttributeType", weir_str_z(weir_type_name(attribute->type)));
    weir_buf_byte(out, '}');
}

static void write_definitions(struct weir_buf *out, const struct weir_table *table)
{
    weir_out_name(out, "AttributeDefinitions");
    weir_buf_byte(out, '[');
    for (size_t i = 0; i < table->key.partition_count; i++) {
        write_definition(out, &table->key.partition[i], i == 0);
    }
    for (size_t i = 0; i < table->key.sort_count; i++) {
        write_definition(out, &table->key.sort[i], false);
    }
    for (size_t i = 0; i < table->index_count; i++) {
        const struct weir_key_schema *key = &table->indexes[i].key;
        for (size_t j = 0; j < key->partition_count + key->sort_count; j++) {
            const struct weir_ddb_key_attribute *attribute =
                    j < key->partition_count ? &key->partition[j]
                                             : &key->sort[j - key->partition_count];
            if (!is_defined(table, i, attribute->name)) {
                write_definition(out, attribute, false);
            }
        }
    }
    weir_buf_byte(out, ']');
}

static void write_throughput(struct weir_buf *out, uint64_t read_units, uint64_t write_units)
{
    weir_out_name(out, "ProvisionedThroughput");
    weir_buf_byte(out, '{');
    weir_out_number(out, "NumberOfDecreasesToday", 0);
    weir_out_number(out, "ReadCapacityUnits", read_units);
    weir_out_number(out, "WriteCapacityUnits", write_units);
    weir_buf_byte(out, '}');
}

static void write_projection(struct weir_buf *out, const struct weir_index *index)
{
    static const char *const names[] = { "ALL", "KEYS_ONLY", "INCLUDE" };
    weir_out_name(out, "Projection");
    weir_buf_byte(out, '{');
    weir_out_text(out, "ProjectionType", weir_str_z(names[index->projection]));
    if (index->projection == WEIR_PROJECT_INCLUDE) {
        weir_out_name(out, "NonKeyAttributes");
        for (size_t i = 0; i < index->include_count; i++) {
            weir_buf_byte(out, i == 0 ? '[' : ',');
            weir_json_write_string(out, index->include[i]);
        }
        weir_buf_byte(out, ']');
    }
    weir_buf_byte(out, '}');
}

static void write_index(
        struct weir_buf *out, const struct weir_table *table, const struct weir_index *index)
{
    weir_buf_byte(out, '{');
    weir_out_text(out, "IndexName", index->name);
    weir_ddb_write_key(out, &index->key);
    write_projection(out, index);
    if (!index->local) {
        weir_out_text(out, "IndexStatus", WEIR_STR("ACTIVE"));
        write_throughput(out, 0, 0);
    }
    weir_out_number(out, "IndexSizeBytes", 0);
    weir_out_number(out, "ItemCount", 0);
    weir_out_name(out, "IndexArn");
    weir_buf_printf(
            out, "\"%.*s/index/%.*s\"}", WEIR_STR_ARG(table->arn), WEIR_STR_ARG(index->name));
}

static void write_indexes(
        struct weir_buf *out, const char *name, const struct weir_table *table, bool local)
{
    bool any = false;
    for (size_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].local != local) {
            continue;
        }
        if (any) {
            weir_buf_byte(out, ',');
        } else {
            weir_out_name(out, name);
            weir_buf_byte(out, '[');
        }
        any = true;
        write_index(out, table, &table->indexes[i]);
    }
    if (any) {
        weir_buf_byte(out, ']');
    }
}

static void write_stream(struct weir_buf *out, const struct weir_table *table)
{
    if (table->view == WEIR_VIEW_NONE) {
        return;
    }
    weir_out_name(out, "StreamSpecification");
    weir_buf_byte(out, '{');
    weir_out_bool(out, "StreamEnabled", true);
    weir_out_text(out, "StreamViewType", weir_str_z(weir_view_type_name(table->view)));
    weir_buf_byte(out, '}');
    weir_out_text(out, "LatestStreamArn", table->stream_arn);
    weir_out_text(out, "LatestStreamLabel", table->stream_label);
}

void weir_ddb_write_description(
        struct weir_buf *out, const struct weir_table *table, const char *status)
{
    weir_buf_byte(out, '{');
    weir_out_text(out, "TableName", table->name);
    weir_out_text(out, "TableStatus", weir_str_z(status));
    weir_out_text(out, "TableArn", table->arn);
    weir_out_text(out, "TableId", table->table_id);
    weir_out_time(out, "CreationDateTime", table->created);
    weir_ddb_write_key(out, &table->key);
    write_definitions(out, table);
    write_throughput(out, table->read_units, table->write_units);
    if (!weir_str_eq(table->billing, WEIR_STR("PROVISIONED"))) {
        weir_out_name(out, "BillingModeSummary");
        weir_buf_byte(out, '{');
        weir_out_text(out, "BillingMode", WEIR_STR("PAY_PER_REQUEST"));
        weir_out_time(out, "LastUpdateToPayPerRequestDateTime", table->created);
        weir_buf_byte(out, '}');
    }
    weir_out_number(out, "ItemCount", 0);
    weir_out_number(out, "TableSizeBytes", 0);
    write_indexes(out, "GlobalSecondaryIndexes", table, false);
    write_indexes(out, "LocalSecondaryIndexes", table, true);
    write_stream(out, table);
    weir_out_bool(out, "DeletionProtectionEnabled", table->deletion_protection);
    weir_buf_byte(out, '}');
}

/* --- operations ------------------------------------------------------------------------- */

static enum weir_rc create_committed(struct weir_call *call, struct weir_err *err)
{
    const struct weir_ddb_create_request *request = call->request;
    if (call->txn->rc != WEIR_OK) {
        return call->txn->rc;
    }
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, request->table_name, &table, err);
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"TableDescription\":");
        weir_ddb_write_description(call->out, table, "ACTIVE");
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

enum weir_rc weir_ddb_create_table(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_create_request *asked = request;
    struct weir_table definition;
    if (weir_str_starts(asked->table_name, WEIR_STR("arn:"))) {
        return weir_fail(err, WEIR_E_INVALID, "TableName must be a name here, not an ARN: %.*s",
                WEIR_STR_ARG(asked->table_name));
    }
    enum weir_rc rc = weir_ddb_define_table(asked, call->arena, &definition, err);
    if (rc == WEIR_OK) {
        weir_tables_create_table(call->api->options.tables, call->txn, &definition);
        weir_call_submit(call, call->txn, create_committed);
    }
    return rc;
}

enum weir_rc weir_ddb_describe_table(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_table_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"Table\":");
        weir_ddb_write_description(call->out, table, "ACTIVE");
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

enum weir_rc weir_ddb_list_tables(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_list_request *asked = request;
    struct weir_str names[LIST_MAX + 1];
    size_t limit = asked->limit.set ? (size_t)asked->limit.value : LIST_MAX;
    (void)err;
    size_t n = weir_tables_list(
            call->api->options.tables, asked->after, call->arena, names, limit + 1);
    weir_buf_z(call->out, "{\"TableNames\":[");
    for (size_t i = 0; i < n && i < limit; i++) {
        if (i > 0) {
            weir_buf_byte(call->out, ',');
        }
        weir_json_write_string(call->out, names[i]);
    }
    weir_buf_byte(call->out, ']');
    if (n > limit) {
        weir_out_text(call->out, "LastEvaluatedTableName", names[limit - 1]);
    }
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}

/* A table from weir.yaml belongs to that file. */
static enum weir_rc check_ours(
        const struct weir_table *table, const char *operation, struct weir_err *err)
{
    if (!table->from_file) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID, "%s: table %.*s is defined in weir.yaml, change it there",
            operation, WEIR_STR_ARG(table->name));
}

static enum weir_rc delete_committed(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    if (call->txn->rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"TableDescription\":");
        weir_ddb_write_description(call->out, call->table, "DELETING");
        weir_buf_byte(call->out, '}');
    }
    return call->txn->rc;
}

enum weir_rc weir_ddb_delete_table(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_table_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc == WEIR_OK) {
        rc = check_ours(table, "DeleteTable", err);
    }
    if (rc == WEIR_OK && table->deletion_protection) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first.");
    }
    if (rc == WEIR_OK) {
        call->table = table;
        weir_tables_drop_table(call->api->options.tables, call->txn, table->name);
        weir_call_submit(call, call->txn, delete_committed);
    }
    return rc;
}

static enum weir_rc make_alteration(const struct weir_ddb_update_table_request *asked,
        const struct weir_table *table, struct weir_table_alteration *ret_alteration,
        struct weir_err *err)
{
    *ret_alteration = (struct weir_table_alteration){
        .set_protection = asked->deletion_protection.set,
        .protection = asked->deletion_protection.value,
    };
    bool on_demand = asked->billing.p != NULL
                             ? weir_str_eq(asked->billing, WEIR_STR("PAY_PER_REQUEST"))
                             : !weir_str_eq(table->billing, WEIR_STR("PROVISIONED"));
    bool has_units = asked->throughput != NULL;
    if (on_demand && has_units) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
                "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
    }
    if (!on_demand && !has_units && !weir_str_eq(table->billing, WEIR_STR("PROVISIONED"))) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: ReadCapacityUnits and "
                "WriteCapacityUnits must both be specified when BillingMode is PROVISIONED");
    }
    if (on_demand) {
        ret_alteration->billing = asked->billing.p != NULL ? asked->billing : WEIR_STR("");
    } else if (has_units) {
        ret_alteration->billing = WEIR_STR("PROVISIONED");
        ret_alteration->read_units = (uint64_t)asked->throughput->read_units.value;
        ret_alteration->write_units = (uint64_t)asked->throughput->write_units.value;
    }
    if (asked->stream == NULL) {
        return WEIR_OK;
    }
    if (!asked->stream->enabled.value) {
        return weir_fail(err, WEIR_E_INVALID,
                "StreamEnabled false is not offered by weir: a stream cannot be switched off");
    }
    ret_alteration->view = weir_view_type_parse(asked->stream->view);
    if (ret_alteration->view == WEIR_VIEW_NONE) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: StreamViewType must be given when "
                "StreamEnabled is true");
    }
    return WEIR_OK;
}

static enum weir_rc update_committed(struct weir_call *call, struct weir_err *err)
{
    if (call->txn->rc != WEIR_OK) {
        return call->txn->rc;
    }
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, call->table->name, &table, err);
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"TableDescription\":");
        weir_ddb_write_description(call->out, table, "ACTIVE");
        weir_buf_byte(call->out, '}');
    }
    return rc;
}

enum weir_rc weir_ddb_update_table(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_update_table_request *asked = request;
    const struct weir_table *table = NULL;
    struct weir_table_alteration alteration;
    enum weir_rc rc = weir_ddb_check_refused(&asked->refused, err);
    if (rc == WEIR_OK) {
        rc = weir_call_table(call, asked->table_name, &table, err);
    }
    if (rc == WEIR_OK) {
        rc = check_ours(table, "UpdateTable", err);
    }
    if (rc == WEIR_OK) {
        rc = make_alteration(asked, table, &alteration, err);
    }
    if (rc == WEIR_OK) {
        call->table = table;
        weir_tables_alter(call->api->options.tables, call->txn, table->name, &alteration);
        weir_call_submit(call, call->txn, update_committed);
    }
    return rc;
}

static enum weir_rc ttl_committed(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    const struct weir_ddb_ttl_request *request = call->request;
    if (call->txn->rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"TimeToLiveSpecification\":{");
        weir_out_bool(call->out, "Enabled", request->ttl->enabled.value);
        weir_out_text(call->out, "AttributeName", request->ttl->attribute);
        weir_buf_z(call->out, "}}");
    }
    return call->txn->rc;
}

enum weir_rc weir_ddb_update_ttl(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_ttl_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc == WEIR_OK) {
        rc = check_ours(table, "UpdateTimeToLive", err);
    }
    if (rc == WEIR_OK) {
        struct weir_str attribute =
                asked->ttl->enabled.value ? asked->ttl->attribute : WEIR_STR("");
        weir_tables_set_ttl(call->api->options.tables, call->txn, table->name, attribute);
        weir_call_submit(call, call->txn, ttl_committed);
    }
    return rc;
}

enum weir_rc weir_ddb_describe_ttl(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_table_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool enabled = table->ttl_attribute.n > 0;
    weir_buf_z(call->out, "{\"TimeToLiveDescription\":{");
    weir_out_text(call->out, "TimeToLiveStatus", weir_str_z(enabled ? "ENABLED" : "DISABLED"));
    if (enabled) {
        weir_out_text(call->out, "AttributeName", table->ttl_attribute);
    }
    weir_buf_z(call->out, "}}");
    return WEIR_OK;
}
