/* Requests of the DynamoDB API as structs, and what its operations share. */
#ifndef WEIR_API_DDB_INT_H
#define WEIR_API_DDB_INT_H

#include "api/api_int.h"

/* --- requests: zeroed members are absent ---------------------------------------- */

/* A parameter that is refused: its name when it was given. One is kept, the last. */
struct weir_ddb_refused {
    struct weir_str legacy; /* of before expressions */
    struct weir_str other;  /* would lose something that was asked for */
};

/* PutItem, GetItem, UpdateItem, DeleteItem. */
struct weir_ddb_item_request {
    struct weir_str table_name;
    struct weir_item item; /* PutItem */
    struct weir_item key;  /* the others */
    struct weir_str condition;
    struct weir_str update;
    struct weir_str projection;
    struct weir_item names;
    struct weir_item values;
    struct weir_str return_values;
    struct weir_str return_on_failure;
    struct weir_str return_capacity;
    struct weir_str return_metrics; /* ignored: there are no item collection metrics */
    struct weir_wire_bool consistent;
    struct weir_ddb_refused refused;
};

/* Query and Scan. */
struct weir_ddb_query_request {
    struct weir_str table_name;
    struct weir_str index_name;
    struct weir_str key_condition;
    struct weir_str filter;
    struct weir_str projection;
    struct weir_item names;
    struct weir_item values;
    struct weir_item start;
    struct weir_str select;
    struct weir_str return_capacity;
    struct weir_wire_bool consistent;
    struct weir_wire_bool forward;
    struct weir_wire_number limit;
    struct weir_wire_number segment;
    struct weir_wire_number total_segments;
    struct weir_ddb_refused refused;
};

struct weir_ddb_put_request {
    struct weir_item item;
};

struct weir_ddb_delete_request {
    struct weir_item key;
};

struct weir_ddb_write_request {
    struct weir_ddb_put_request *put;
    struct weir_ddb_delete_request *del;
};

struct weir_ddb_table_writes {
    struct weir_str table_name;
    struct weir_wire_list writes; /* of struct weir_ddb_write_request */
};

struct weir_ddb_batch_write_request {
    struct weir_wire_list tables; /* of struct weir_ddb_table_writes */
    struct weir_str return_capacity;
    struct weir_str return_metrics;
};

struct weir_ddb_table_keys {
    struct weir_str table_name;
    struct weir_wire_list keys; /* of struct weir_item */
    struct weir_str projection;
    struct weir_item names;
    struct weir_wire_bool consistent;
    struct weir_ddb_refused refused;
};

struct weir_ddb_batch_get_request {
    struct weir_wire_list tables; /* of struct weir_ddb_table_keys */
    struct weir_str return_capacity;
};

struct weir_ddb_key_element {
    struct weir_str name;
    struct weir_str type; /* HASH, RANGE */
};

struct weir_ddb_attribute_definition {
    struct weir_str name;
    struct weir_str type; /* S, N, B */
};

struct weir_ddb_projection_request {
    struct weir_str type;
    struct weir_wire_list include; /* of struct weir_str */
};

struct weir_ddb_throughput {
    struct weir_wire_number read_units;
    struct weir_wire_number write_units;
};

struct weir_ddb_index_request {
    struct weir_str name;
    struct weir_wire_list key; /* of struct weir_ddb_key_element */
    struct weir_ddb_projection_request *projection;
    struct weir_ddb_throughput *throughput;
    struct weir_ddb_refused refused;
};

struct weir_ddb_stream_request {
    struct weir_wire_bool enabled;
    struct weir_str view;
};

struct weir_ddb_create_request {
    struct weir_str table_name;
    struct weir_wire_list key;        /* of struct weir_ddb_key_element */
    struct weir_wire_list attributes; /* of struct weir_ddb_attribute_definition */
    struct weir_wire_list globals;    /* of struct weir_ddb_index_request */
    struct weir_wire_list locals;     /* of struct weir_ddb_index_request */
    struct weir_ddb_stream_request *stream;
    struct weir_ddb_throughput *throughput;
    struct weir_str billing;
    struct weir_str table_class;
    struct weir_wire_bool deletion_protection;
    struct weir_ddb_refused refused;
};

struct weir_ddb_update_table_request {
    struct weir_str table_name;
    struct weir_ddb_stream_request *stream;
    struct weir_ddb_throughput *throughput;
    struct weir_str billing;
    struct weir_str table_class;
    struct weir_wire_bool deletion_protection;
    struct weir_ddb_refused refused;
};

/* DescribeTable, DeleteTable, DescribeTimeToLive, ListTagsOfResource. */
struct weir_ddb_table_request {
    struct weir_str table_name;
};

struct weir_ddb_list_request {
    struct weir_str after;
    struct weir_wire_number limit;
};

struct weir_ddb_ttl_specification {
    struct weir_str attribute;
    struct weir_wire_bool enabled;
};

struct weir_ddb_ttl_request {
    struct weir_str table_name;
    struct weir_ddb_ttl_specification *ttl;
};

extern const struct weir_wire_shape weir_ddb_put_shape;
extern const struct weir_wire_shape weir_ddb_get_shape;
extern const struct weir_wire_shape weir_ddb_update_shape;
extern const struct weir_wire_shape weir_ddb_delete_shape;
extern const struct weir_wire_shape weir_ddb_query_shape;
extern const struct weir_wire_shape weir_ddb_scan_shape;
extern const struct weir_wire_shape weir_ddb_batch_write_shape;
extern const struct weir_wire_shape weir_ddb_batch_get_shape;
extern const struct weir_wire_shape weir_ddb_create_shape;
extern const struct weir_wire_shape weir_ddb_update_table_shape;
extern const struct weir_wire_shape weir_ddb_table_shape;
extern const struct weir_wire_shape weir_ddb_tags_shape;
extern const struct weir_wire_shape weir_ddb_list_shape;
extern const struct weir_wire_shape weir_ddb_ttl_shape;
extern const struct weir_wire_shape weir_ddb_empty_shape;

/* --- operations: struct weir_operation's run --------------------------------------- */

#define WEIR_DDB_RUN(name) \
    enum weir_rc name(struct weir_call *call, void *request, struct weir_err *err)

WEIR_DDB_RUN(weir_ddb_put_item);
WEIR_DDB_RUN(weir_ddb_get_item);
WEIR_DDB_RUN(weir_ddb_update_item);
WEIR_DDB_RUN(weir_ddb_delete_item);
WEIR_DDB_RUN(weir_ddb_query);
WEIR_DDB_RUN(weir_ddb_scan);
WEIR_DDB_RUN(weir_ddb_batch_write);
WEIR_DDB_RUN(weir_ddb_batch_get);
WEIR_DDB_RUN(weir_ddb_create_table);
WEIR_DDB_RUN(weir_ddb_update_table);
WEIR_DDB_RUN(weir_ddb_describe_table);
WEIR_DDB_RUN(weir_ddb_list_tables);
WEIR_DDB_RUN(weir_ddb_delete_table);
WEIR_DDB_RUN(weir_ddb_update_ttl);
WEIR_DDB_RUN(weir_ddb_describe_ttl);
WEIR_DDB_RUN(weir_ddb_describe_limits);
WEIR_DDB_RUN(weir_ddb_describe_endpoints);
WEIR_DDB_RUN(weir_ddb_list_tags);

/* --- shared --------------------------------------------------------------------------- */

/* Refuse what the request may not ask for. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_check_refused(
        const struct weir_ddb_refused *refused, struct weir_err *err);

/* A request's expressions; texts with p NULL are absent. */
struct weir_ddb_texts {
    struct weir_str condition;
    struct weir_str update;
    struct weir_str projection;
    struct weir_str filter;
    struct weir_str key_condition;
    struct weir_item names;
    struct weir_item values;
    /* What the operation could have, for the message about values without an expression. */
    const char *users;
};

struct weir_ddb_expressions {
    const struct weir_ddb_condition *condition; /* each NULL without one */
    const struct weir_ddb_update *update;
    const struct weir_ddb_projection *projection;
    const struct weir_ddb_condition *filter;
    const struct weir_ddb_key_condition *key_condition;
};

/* Compile them, in the order in which AWS reports faults. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_compile(struct weir_arena *arena,
        const struct weir_ddb_texts *texts, struct weir_ddb_expressions *ret_expressions,
        struct weir_err *err);

/* Turn a CreateTable request into a definition in the arena. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_ddb_define_table(const struct weir_ddb_create_request *request,
        struct weir_arena *arena, struct weir_table *ret_table, struct weir_err *err);

/* Append a table's description, an object. */
void weir_ddb_write_description(
        struct weir_buf *out, const struct weir_table *table, const char *status);

/* Append a key as AWS writes it: "KeySchema":[...] */
void weir_ddb_write_key(struct weir_buf *out, const struct weir_key_schema *key);

/* Whether a key has an attribute of a name. */
bool weir_ddb_key_has(const struct weir_key_schema *key, struct weir_str name);

/* --- consumed capacity ------------------------------------------------------------------- */

/* Units in tenths: reads may consume half a unit. */
struct weir_ddb_capacity {
    const struct weir_table *table;
    uint64_t table_tenths;
    uint64_t index_tenths[WEIR_TABLE_INDEXES_MAX]; /* by the table's indexes */
};

/* Add what a write of one item costs. */
void weir_ddb_capacity_write(
        struct weir_ddb_capacity *capacity, struct weir_item before, struct weir_item after);

/* The tenths of units that reading so many bytes costs. */
uint64_t weir_ddb_read_tenths(size_t bytes, bool consistent);

/*
 * Append "ConsumedCapacity":{...} when mode is TOTAL or INDEXES. With `alone` false only the
 * object, for the lists of batches.
 */
void weir_ddb_write_capacity(struct weir_buf *out, struct weir_str mode,
        const struct weir_ddb_capacity *capacity, bool alone);

#endif
