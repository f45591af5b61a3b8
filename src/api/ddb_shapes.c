/* What DynamoDB's requests look like on the wire. */
#include "api/ddb_int.h"

#define AT(type, field) offsetof(struct type, field)
#define END          \
    {                \
        .name = NULL \
    }

#define CAPACITY_VALUES "[INDEXES, TOTAL, NONE]"
#define METRICS_VALUES  "[SIZE, NONE]"
#define FAILURE_VALUES  "[ALL_OLD, NONE]"
#define RETURN_VALUES   "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
#define SELECT_VALUES   "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"
#define PAGE_MAX        2147483647

/* What all requests about one item share. */
#define ITEM(field) AT(weir_ddb_item_request, field)
#define ITEM_MEMBERS                                                                     \
    { "TableName", WEIR_WIRE_TABLE_NAME, .offset = ITEM(table_name), .required = true }, \
            { "ExpressionAttributeNames", WEIR_WIRE_NAMES, .offset = ITEM(names) },      \
    {                                                                                    \
        "ReturnConsumedCapacity", WEIR_WIRE_STRING, .offset = ITEM(return_capacity),     \
                                                    .values = CAPACITY_VALUES            \
    }
#define WRITE_MEMBERS                                                                          \
    { "ExpressionAttributeValues", WEIR_WIRE_ITEM, .offset = ITEM(values) },                   \
            { "ConditionExpression", WEIR_WIRE_STRING, .offset = ITEM(condition) },            \
            { "ReturnValues", WEIR_WIRE_STRING, .offset = ITEM(return_values),                 \
                .values = RETURN_VALUES },                                                     \
            { "ReturnItemCollectionMetrics", WEIR_WIRE_STRING, .offset = ITEM(return_metrics), \
                .values = METRICS_VALUES },                                                    \
            { "ReturnValuesOnConditionCheckFailure", WEIR_WIRE_STRING,                         \
                .offset = ITEM(return_on_failure), .values = FAILURE_VALUES },                 \
            { "Expected", WEIR_WIRE_REFUSED, .offset = ITEM(refused.legacy) },                 \
    {                                                                                          \
        "ConditionalOperator", WEIR_WIRE_REFUSED, .offset = ITEM(refused.legacy)               \
    }

#define SHAPE(shape, type, ...)                                                    \
    static const struct weir_wire_member shape##_members[] = { __VA_ARGS__, END }; \
    const struct weir_wire_shape weir_ddb_##shape##_shape = { sizeof(struct type), shape##_members }

/* A shape of this file only. */
#define INNER(shape, type, ...)                                                    \
    static const struct weir_wire_member shape##_members[] = { __VA_ARGS__, END }; \
    static const struct weir_wire_shape shape##_shape = { sizeof(struct type), shape##_members }

/* --- items ---------------------------------------------------------------------- */

SHAPE(put, weir_ddb_item_request, ITEM_MEMBERS,
        { "Item", WEIR_WIRE_ITEM, .offset = ITEM(item), .required = true }, WRITE_MEMBERS);
SHAPE(get, weir_ddb_item_request, ITEM_MEMBERS,
        { "Key", WEIR_WIRE_ITEM, .offset = ITEM(key), .required = true },
        { "ProjectionExpression", WEIR_WIRE_STRING, .offset = ITEM(projection) },
        { "ConsistentRead", WEIR_WIRE_BOOL, .offset = ITEM(consistent) },
        { "AttributesToGet", WEIR_WIRE_REFUSED, .offset = ITEM(refused.legacy) });
SHAPE(update, weir_ddb_item_request, ITEM_MEMBERS,
        { "Key", WEIR_WIRE_ITEM, .offset = ITEM(key), .required = true },
        { "UpdateExpression", WEIR_WIRE_STRING, .offset = ITEM(update) },
        { "AttributeUpdates", WEIR_WIRE_REFUSED, .offset = ITEM(refused.legacy) }, WRITE_MEMBERS);
SHAPE(delete, weir_ddb_item_request, ITEM_MEMBERS,
        { "Key", WEIR_WIRE_ITEM, .offset = ITEM(key), .required = true }, WRITE_MEMBERS);

/* --- queries ----------------------------------------------------------------------- */

#define QUERY(field) AT(weir_ddb_query_request, field)
#define QUERY_MEMBERS                                                                         \
    { "TableName", WEIR_WIRE_TABLE_NAME, .offset = QUERY(table_name), .required = true },     \
            { "IndexName", WEIR_WIRE_INDEX_NAME, .offset = QUERY(index_name) },               \
            { "FilterExpression", WEIR_WIRE_STRING, .offset = QUERY(filter) },                \
            { "ProjectionExpression", WEIR_WIRE_STRING, .offset = QUERY(projection) },        \
            { "ExpressionAttributeNames", WEIR_WIRE_NAMES, .offset = QUERY(names) },          \
            { "ExpressionAttributeValues", WEIR_WIRE_ITEM, .offset = QUERY(values) },         \
            { "ExclusiveStartKey", WEIR_WIRE_ITEM, .offset = QUERY(start) },                  \
            { "Select", WEIR_WIRE_STRING, .offset = QUERY(select), .values = SELECT_VALUES }, \
            { "Limit", WEIR_WIRE_NUMBER, .offset = QUERY(limit), .min = 1, .max = PAGE_MAX }, \
            { "ConsistentRead", WEIR_WIRE_BOOL, .offset = QUERY(consistent) },                \
            { "ReturnConsumedCapacity", WEIR_WIRE_STRING, .offset = QUERY(return_capacity),   \
                .values = CAPACITY_VALUES },                                                  \
            { "AttributesToGet", WEIR_WIRE_REFUSED, .offset = QUERY(refused.legacy) },        \
    {                                                                                         \
        "ConditionalOperator", WEIR_WIRE_REFUSED, .offset = QUERY(refused.legacy)             \
    }

SHAPE(query, weir_ddb_query_request, QUERY_MEMBERS,
        { "KeyConditionExpression", WEIR_WIRE_STRING, .offset = QUERY(key_condition) },
        { "ScanIndexForward", WEIR_WIRE_BOOL, .offset = QUERY(forward) },
        { "KeyConditions", WEIR_WIRE_REFUSED, .offset = QUERY(refused.legacy) },
        { "QueryFilter", WEIR_WIRE_REFUSED, .offset = QUERY(refused.legacy) });
SHAPE(scan, weir_ddb_query_request, QUERY_MEMBERS,
        { "Segment", WEIR_WIRE_NUMBER, .offset = QUERY(segment), .min = 0, .max = 999999 },
        { "TotalSegments", WEIR_WIRE_NUMBER, .offset = QUERY(total_segments), .min = 1,
                .max = 1000000 },
        { "ScanFilter", WEIR_WIRE_REFUSED, .offset = QUERY(refused.legacy) });

/* --- batches ------------------------------------------------------------------------ */

INNER(put_request, weir_ddb_put_request,
        { "Item", WEIR_WIRE_ITEM, .offset = AT(weir_ddb_put_request, item), .required = true });
INNER(delete_request, weir_ddb_delete_request,
        { "Key", WEIR_WIRE_ITEM, .offset = AT(weir_ddb_delete_request, key), .required = true });
INNER(write_request, weir_ddb_write_request,
        { "PutRequest", WEIR_WIRE_STRUCT, .offset = AT(weir_ddb_write_request, put),
                &put_request_shape },
        { "DeleteRequest", WEIR_WIRE_STRUCT, .offset = AT(weir_ddb_write_request, del),
                &delete_request_shape });
INNER(table_writes, weir_ddb_table_writes,
        { "Writes", WEIR_WIRE_LIST, .offset = AT(weir_ddb_table_writes, writes),
                &write_request_shape, .min = 1, .max = 25 });
SHAPE(batch_write, weir_ddb_batch_write_request,
        { "RequestItems", WEIR_WIRE_LISTS, .offset = AT(weir_ddb_batch_write_request, tables),
                &table_writes_shape, .required = true, .min = 1, .max = 25 },
        { "ReturnConsumedCapacity", WEIR_WIRE_STRING,
                .offset = AT(weir_ddb_batch_write_request, return_capacity),
                .values = CAPACITY_VALUES },
        { "ReturnItemCollectionMetrics", WEIR_WIRE_STRING,
                .offset = AT(weir_ddb_batch_write_request, return_metrics),
                .values = METRICS_VALUES });

#define KEYS(field) AT(weir_ddb_table_keys, field)
INNER(table_keys, weir_ddb_table_keys,
        { "Keys", WEIR_WIRE_ITEMS, .offset = KEYS(keys), .required = true, .min = 1, .max = 100 },
        { "ProjectionExpression", WEIR_WIRE_STRING, .offset = KEYS(projection) },
        { "ExpressionAttributeNames", WEIR_WIRE_NAMES, .offset = KEYS(names) },
        { "ConsistentRead", WEIR_WIRE_BOOL, .offset = KEYS(consistent) },
        { "AttributesToGet", WEIR_WIRE_REFUSED, .offset = KEYS(refused.legacy) });
SHAPE(batch_get, weir_ddb_batch_get_request,
        { "RequestItems", WEIR_WIRE_MAP, .offset = AT(weir_ddb_batch_get_request, tables),
                &table_keys_shape, .required = true, .min = 1, .max = 100 },
        { "ReturnConsumedCapacity", WEIR_WIRE_STRING,
                .offset = AT(weir_ddb_batch_get_request, return_capacity),
                .values = CAPACITY_VALUES });

/* --- tables --------------------------------------------------------------------------- */

INNER(key_element, weir_ddb_key_element,
        { "AttributeName", WEIR_WIRE_STRING, .offset = AT(weir_ddb_key_element, name),
                .required = true, .min = 1, .max = 255 },
        { "KeyType", WEIR_WIRE_STRING, .offset = AT(weir_ddb_key_element, type), .required = true,
                .values = "[HASH, RANGE]" });
INNER(attribute_definition, weir_ddb_attribute_definition,
        { "AttributeName", WEIR_WIRE_STRING, .offset = AT(weir_ddb_attribute_definition, name),
                .required = true, .min = 1, .max = 255 },
        { "AttributeType", WEIR_WIRE_STRING, .offset = AT(weir_ddb_attribute_definition, type),
                .required = true, .values = "[B, N, S]" });
INNER(projection, weir_ddb_projection_request,
        { "ProjectionType", WEIR_WIRE_STRING, .offset = AT(weir_ddb_projection_request, type),
                .values = "[ALL, INCLUDE, KEYS_ONLY]" },
        { "NonKeyAttributes", WEIR_WIRE_STRINGS, .offset = AT(weir_ddb_projection_request, include),
                .min = 1, .max = 20 });
INNER(throughput, weir_ddb_throughput,
        { "ReadCapacityUnits", WEIR_WIRE_NUMBER, .offset = AT(weir_ddb_throughput, read_units),
                .required = true, .min = 1, .max = INT64_MAX },
        { "WriteCapacityUnits", WEIR_WIRE_NUMBER, .offset = AT(weir_ddb_throughput, write_units),
                .required = true, .min = 1, .max = INT64_MAX });

#define INDEX(field) AT(weir_ddb_index_request, field)
INNER(index, weir_ddb_index_request,
        { "IndexName", WEIR_WIRE_INDEX_NAME, .offset = INDEX(name), .required = true },
        { "KeySchema", WEIR_WIRE_LIST, .offset = INDEX(key), &key_element_shape, .required = true,
                .min = 1, .max = 2 * WEIR_DDB_KEY_MAX_ATTRIBUTES },
        { "Projection", WEIR_WIRE_STRUCT, .offset = INDEX(projection), &projection_shape,
                .required = true },
        { "ProvisionedThroughput", WEIR_WIRE_STRUCT, .offset = INDEX(throughput),
                &throughput_shape },
        { "OnDemandThroughput", WEIR_WIRE_REFUSED, .offset = INDEX(refused.other) },
        { "WarmThroughput", WEIR_WIRE_REFUSED, .offset = INDEX(refused.other) });
INNER(stream, weir_ddb_stream_request,
        { "StreamEnabled", WEIR_WIRE_BOOL, .offset = AT(weir_ddb_stream_request, enabled),
                .required = true },
        { "StreamViewType", WEIR_WIRE_STRING, .offset = AT(weir_ddb_stream_request, view),
                .values = "[NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES, KEYS_ONLY]" });

#define CREATE(field) AT(weir_ddb_create_request, field)
SHAPE(create, weir_ddb_create_request,
        { "TableName", WEIR_WIRE_TABLE_NAME, .offset = CREATE(table_name), .required = true },
        { "KeySchema", WEIR_WIRE_LIST, .offset = CREATE(key), &key_element_shape, .required = true,
                .min = 1, .max = 2 },
        { "AttributeDefinitions", WEIR_WIRE_LIST, .offset = CREATE(attributes),
                &attribute_definition_shape, .required = true },
        { "GlobalSecondaryIndexes", WEIR_WIRE_LIST, .offset = CREATE(globals), &index_shape },
        { "LocalSecondaryIndexes", WEIR_WIRE_LIST, .offset = CREATE(locals), &index_shape },
        { "StreamSpecification", WEIR_WIRE_STRUCT, .offset = CREATE(stream), &stream_shape },
        { "ProvisionedThroughput", WEIR_WIRE_STRUCT, .offset = CREATE(throughput),
                &throughput_shape },
        { "BillingMode", WEIR_WIRE_STRING, .offset = CREATE(billing),
                .values = "[PROVISIONED, PAY_PER_REQUEST]" },
        { "TableClass", WEIR_WIRE_STRING, .offset = CREATE(table_class),
                .values = "[STANDARD, STANDARD_INFREQUENT_ACCESS]" },
        { "DeletionProtectionEnabled", WEIR_WIRE_BOOL, .offset = CREATE(deletion_protection) },
        { "Tags", WEIR_WIRE_REFUSED, .offset = CREATE(refused.other) },
        { "SSESpecification", WEIR_WIRE_REFUSED, .offset = CREATE(refused.other) },
        { "OnDemandThroughput", WEIR_WIRE_REFUSED, .offset = CREATE(refused.other) },
        { "WarmThroughput", WEIR_WIRE_REFUSED, .offset = CREATE(refused.other) },
        { "ResourcePolicy", WEIR_WIRE_REFUSED, .offset = CREATE(refused.other) },
        { "GlobalTableSettingsReplicationMode", WEIR_WIRE_REFUSED,
                .offset = CREATE(refused.other) });

#define UPDATE(field) AT(weir_ddb_update_table_request, field)
SHAPE(update_table, weir_ddb_update_table_request,
        { "TableName", WEIR_WIRE_TABLE_NAME, .offset = UPDATE(table_name), .required = true },
        { "StreamSpecification", WEIR_WIRE_STRUCT, .offset = UPDATE(stream), &stream_shape },
        { "ProvisionedThroughput", WEIR_WIRE_STRUCT, .offset = UPDATE(throughput),
                &throughput_shape },
        { "BillingMode", WEIR_WIRE_STRING, .offset = UPDATE(billing),
                .values = "[PROVISIONED, PAY_PER_REQUEST]" },
        { "TableClass", WEIR_WIRE_STRING, .offset = UPDATE(table_class), .values = "[STANDARD]" },
        { "DeletionProtectionEnabled", WEIR_WIRE_BOOL, .offset = UPDATE(deletion_protection) },
        { "GlobalSecondaryIndexUpdates", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "ReplicaUpdates", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "SSESpecification", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "OnDemandThroughput", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "WarmThroughput", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "MultiRegionConsistency", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) },
        { "GlobalTableWitnessUpdates", WEIR_WIRE_REFUSED, .offset = UPDATE(refused.other) });

SHAPE(table, weir_ddb_table_request,
        { "TableName", WEIR_WIRE_TABLE_NAME, .offset = AT(weir_ddb_table_request, table_name),
                .required = true });
SHAPE(tags, weir_ddb_table_request,
        { "ResourceArn", WEIR_WIRE_STRING, .offset = AT(weir_ddb_table_request, table_name),
                .required = true, .min = 1, .max = 1283 });
SHAPE(list, weir_ddb_list_request,
        { "ExclusiveStartTableName", WEIR_WIRE_TABLE_NAME,
                .offset = AT(weir_ddb_list_request, after) },
        { "Limit", WEIR_WIRE_NUMBER, .offset = AT(weir_ddb_list_request, limit), .min = 1,
                .max = 100 });

INNER(ttl_specification, weir_ddb_ttl_specification,
        { "AttributeName", WEIR_WIRE_STRING, .offset = AT(weir_ddb_ttl_specification, attribute),
                .required = true, .min = 1, .max = 255 },
        { "Enabled", WEIR_WIRE_BOOL, .offset = AT(weir_ddb_ttl_specification, enabled),
                .required = true });
SHAPE(ttl, weir_ddb_ttl_request,
        { "TableName", WEIR_WIRE_TABLE_NAME, .offset = AT(weir_ddb_ttl_request, table_name),
                .required = true },
        { "TimeToLiveSpecification", WEIR_WIRE_STRUCT, .offset = AT(weir_ddb_ttl_request, ttl),
                &ttl_specification_shape, .required = true });

static const struct weir_wire_member empty_members[] = { END };
const struct weir_wire_shape weir_ddb_empty_shape = { 1, empty_members };
