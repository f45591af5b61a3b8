/* DynamoDB's operations, and what several of them need. */
#include "api/ddb_int.h"

#define NOT_OFFERED(operation) \
    {                          \
        .name = (operation)    \
    }

const struct weir_operation weir_ddb_operations[] = {
    { "PutItem", &weir_ddb_put_shape, weir_ddb_put_item, .writes = true, .items = true },
    { "GetItem", &weir_ddb_get_shape, weir_ddb_get_item, .items = true },
    { "UpdateItem", &weir_ddb_update_shape, weir_ddb_update_item, .writes = true, .items = true },
    { "DeleteItem", &weir_ddb_delete_shape, weir_ddb_delete_item, .writes = true, .items = true },
    { "Query", &weir_ddb_query_shape, weir_ddb_query, .items = true },
    { "Scan", &weir_ddb_scan_shape, weir_ddb_scan, .items = true },
    { "BatchWriteItem", &weir_ddb_batch_write_shape, weir_ddb_batch_write, .writes = true,
            .items = true },
    { "BatchGetItem", &weir_ddb_batch_get_shape, weir_ddb_batch_get, .items = true },
    { "CreateTable", &weir_ddb_create_shape, weir_ddb_create_table, .writes = true },
    { "UpdateTable", &weir_ddb_update_table_shape, weir_ddb_update_table, .writes = true },
    { "DescribeTable", &weir_ddb_table_shape, weir_ddb_describe_table },
    { "ListTables", &weir_ddb_list_shape, weir_ddb_list_tables },
    { "DeleteTable", &weir_ddb_table_shape, weir_ddb_delete_table, .writes = true },
    { "UpdateTimeToLive", &weir_ddb_ttl_shape, weir_ddb_update_ttl, .writes = true },
    { "DescribeTimeToLive", &weir_ddb_table_shape, weir_ddb_describe_ttl },
    { "DescribeLimits", &weir_ddb_empty_shape, weir_ddb_describe_limits },
    { "DescribeEndpoints", &weir_ddb_empty_shape, weir_ddb_describe_endpoints },
    { "ListTagsOfResource", &weir_ddb_tags_shape, weir_ddb_list_tags },
    NOT_OFFERED("TransactWriteItems"),
    NOT_OFFERED("TransactGetItems"),
    NOT_OFFERED("ExecuteStatement"),
    NOT_OFFERED("BatchExecuteStatement"),
    NOT_OFFERED("ExecuteTransaction"),
    NOT_OFFERED("TagResource"),
    NOT_OFFERED("UntagResource"),
    NOT_OFFERED("CreateBackup"),
    NOT_OFFERED("DeleteBackup"),
    NOT_OFFERED("DescribeBackup"),
    NOT_OFFERED("ListBackups"),
    NOT_OFFERED("RestoreTableFromBackup"),
    NOT_OFFERED("RestoreTableToPointInTime"),
    NOT_OFFERED("DescribeContinuousBackups"),
    NOT_OFFERED("UpdateContinuousBackups"),
    NOT_OFFERED("CreateGlobalTable"),
    NOT_OFFERED("DescribeGlobalTable"),
    NOT_OFFERED("DescribeGlobalTableSettings"),
    NOT_OFFERED("ListGlobalTables"),
    NOT_OFFERED("UpdateGlobalTable"),
    NOT_OFFERED("UpdateGlobalTableSettings"),
    NOT_OFFERED("DescribeTableReplicaAutoScaling"),
    NOT_OFFERED("UpdateTableReplicaAutoScaling"),
    NOT_OFFERED("DescribeContributorInsights"),
    NOT_OFFERED("ListContributorInsights"),
    NOT_OFFERED("UpdateContributorInsights"),
    NOT_OFFERED("DescribeKinesisStreamingDestination"),
    NOT_OFFERED("EnableKinesisStreamingDestination"),
    NOT_OFFERED("DisableKinesisStreamingDestination"),
    NOT_OFFERED("UpdateKinesisStreamingDestination"),
    NOT_OFFERED("DescribeExport"),
    NOT_OFFERED("ExportTableToPointInTime"),
    NOT_OFFERED("ListExports"),
    NOT_OFFERED("DescribeImport"),
    NOT_OFFERED("ImportTable"),
    NOT_OFFERED("ListImports"),
    NOT_OFFERED("GetResourcePolicy"),
    NOT_OFFERED("PutResourcePolicy"),
    NOT_OFFERED("DeleteResourcePolicy"),
    { .name = NULL },
};

enum weir_rc weir_ddb_check_refused(const struct weir_ddb_refused *refused, struct weir_err *err)
{
    if (refused->legacy.p != NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "%.*s is a legacy parameter that weir does not offer: use an expression instead "
                "(KeyConditionExpression, FilterExpression, ConditionExpression, UpdateExpression "
                "or ProjectionExpression)",
                WEIR_STR_ARG(refused->legacy));
    }
    if (refused->other.p != NULL) {
        return weir_fail(err, WEIR_E_INVALID, "%.*s is not offered by weir: leave it out",
                WEIR_STR_ARG(refused->other));
    }
    return WEIR_OK;
}

/* --- expressions ------------------------------------------------------------------- */

static bool any_expression(const struct weir_ddb_texts *texts)
{
    return texts->condition.p != NULL || texts->update.p != NULL || texts->projection.p != NULL ||
           texts->filter.p != NULL || texts->key_condition.p != NULL;
}

static enum weir_rc check_placeholders(const struct weir_ddb_texts *texts, struct weir_err *err)
{
    if (texts->names.p != NULL && !any_expression(texts)) {
        return weir_fail(err, WEIR_E_INVALID,
                "ExpressionAttributeNames can only be specified when using expressions");
    }
    bool values_used = texts->condition.p != NULL || texts->update.p != NULL ||
                       texts->filter.p != NULL || texts->key_condition.p != NULL;
    if (texts->values.p != NULL && !values_used) {
        return weir_fail(err, WEIR_E_INVALID,
                "ExpressionAttributeValues can only be specified when using expressions: %s",
                texts->users);
    }
    return WEIR_OK;
}

static enum weir_rc compile_all(struct weir_arena *arena, const struct weir_ddb_texts *texts,
        struct weir_ddb_context *context, struct weir_ddb_expressions *expressions,
        struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    if (texts->projection.p != NULL) {
        rc = weir_ddb_compile_projection(
                arena, texts->projection, context, &expressions->projection, err);
    }
    if (rc == WEIR_OK && texts->update.p != NULL) {
        rc = weir_ddb_compile_update(arena, texts->update, context, &expressions->update, err);
    }
    if (rc == WEIR_OK && texts->condition.p != NULL) {
        rc = weir_ddb_compile_condition(
                arena, WEIR_DDB_CONDITION, texts->condition, context, &expressions->condition, err);
    }
    if (rc == WEIR_OK && texts->filter.p != NULL) {
        rc = weir_ddb_compile_condition(
                arena, WEIR_DDB_FILTER, texts->filter, context, &expressions->filter, err);
    }
    if (rc == WEIR_OK && texts->key_condition.p != NULL) {
        rc = weir_ddb_compile_key_condition(
                arena, texts->key_condition, context, &expressions->key_condition, err);
    }
    return rc;
}

enum weir_rc weir_ddb_compile(struct weir_arena *arena, const struct weir_ddb_texts *texts,
        struct weir_ddb_expressions *ret_expressions, struct weir_err *err)
{
    *ret_expressions = (struct weir_ddb_expressions){ 0 };
    enum weir_rc rc = check_placeholders(texts, err);
    if (rc != WEIR_OK || !any_expression(texts)) {
        return rc;
    }
    struct weir_ddb_context context;
    rc = weir_ddb_context_init(&context, arena, texts->names, texts->values, err);
    if (rc == WEIR_OK) {
        rc = compile_all(arena, texts, &context, ret_expressions, err);
    }
    return rc == WEIR_OK ? weir_ddb_context_check_used(&context, err) : rc;
}

/* --- small operations ---------------------------------------------------------------- */

enum weir_rc weir_ddb_describe_limits(struct weir_call *call, void *request, struct weir_err *err)
{
    (void)request;
    (void)err;
    /* An account's defaults on AWS: clients only show them. */
    weir_buf_z(call->out,
            "{\"AccountMaxReadCapacityUnits\":80000,\"AccountMaxWriteCapacityUnits\":80000,"
            "\"TableMaxReadCapacityUnits\":40000,\"TableMaxWriteCapacityUnits\":40000}");
    return WEIR_OK;
}

enum weir_rc weir_ddb_describe_endpoints(
        struct weir_call *call, void *request, struct weir_err *err)
{
    (void)request;
    (void)err;
    weir_buf_z(call->out, "{\"Endpoints\":[{");
    weir_out_text(call->out, "Address", weir_http_find(call->http, WEIR_STR("host")));
    weir_out_number(call->out, "CachePeriodInMinutes", 1440);
    weir_buf_z(call->out, "}]}");
    return WEIR_OK;
}

enum weir_rc weir_ddb_list_tags(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_table_request *asked = request;
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc == WEIR_OK) {
        weir_buf_z(call->out, "{\"Tags\":[]}");
    }
    return rc;
}
