/* Query and Scan. */
#include "api/ddb_int.h"
#include "value/ddbjson.h"

/* A query under way: what its items go through. */
struct walk {
    struct weir_call *call;
    const struct weir_table *table;
    const struct weir_ddb_condition *filter; /* where the whole item is needed for it */
    const struct weir_ddb_projection *projection;
    bool whole; /* a local index: read the whole item from the table */
    bool count; /* Select COUNT: no items */
    size_t fetched_bytes;
    uint64_t matched;
    enum weir_rc rc;
    struct weir_err *err;
};

static const struct weir_key_schema *key_of(
        const struct weir_table *table, const struct weir_index *index)
{
    return index != NULL ? &index->key : &table->key;
}

/* The whole item of a local index's entry. */
static enum weir_rc fetch(struct walk *walk, struct weir_item *item)
{
    struct weir_arena *arena = walk->call->arena;
    struct weir_str key;
    enum weir_rc rc = weir_table_key(walk->table, *item, arena, &key, walk->err);
    if (rc == WEIR_OK) {
        rc = weir_table_get(
                walk->call->api->options.tables, walk->table, key, arena, item, walk->err);
    }
    if (rc == WEIR_OK) {
        walk->fetched_bytes += weir_item_size(*item);
    }
    return rc;
}

static bool each_item(void *arg, struct weir_item item)
{
    struct walk *walk = arg;
    if (walk->whole) {
        walk->rc = fetch(walk, &item);
        if (walk->rc != WEIR_OK || item.n == 0) {
            return walk->rc == WEIR_OK; /* deleted since: the table is read a moment later */
        }
        if (walk->filter != NULL && !weir_ddb_condition_eval(walk->filter, item)) {
            return true;
        }
    }
    walk->matched++;
    if (walk->count) {
        return true;
    }
    if (walk->projection != NULL) {
        walk->rc = weir_ddb_projection_apply(
                walk->projection, item, walk->call->arena, &item, walk->err);
        if (walk->rc != WEIR_OK) {
            return false;
        }
    }
    if (walk->matched > 1) {
        weir_buf_byte(walk->call->out, ',');
    }
    weir_ddbjson_write_item(walk->call->out, item);
    return true;
}

/* --- checks -------------------------------------------------------------------------- */

static bool select_is(const struct weir_ddb_query_request *request, const char *what)
{
    return weir_str_eq(request->select, weir_str_z(what));
}

static enum weir_rc check_select(const struct weir_ddb_query_request *request, struct weir_err *err)
{
    if (select_is(request, "ALL_PROJECTED_ATTRIBUTES") && request->index_name.p == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
    }
    bool specific = select_is(request, "SPECIFIC_ATTRIBUTES");
    if (specific && request->projection.p == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
                "SPECIFIC_ATTRIBUTES");
    }
    if (request->select.p != NULL && !specific && request->projection.p != NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "Cannot specify the ProjectionExpression when choosing to get %.*s",
                WEIR_STR_ARG(request->select));
    }
    return WEIR_OK;
}

static enum weir_rc check_segments(
        const struct weir_ddb_query_request *request, struct weir_err *err)
{
    if (request->segment.set && !request->total_segments.set) {
        return weir_fail(err, WEIR_E_INVALID,
                "The TotalSegments parameter is required but was not present in the request when "
                "Segment parameter is present");
    }
    if (!request->segment.set && request->total_segments.set) {
        return weir_fail(err, WEIR_E_INVALID,
                "The Segment parameter is required but was not present in the request when "
                "parameter TotalSegments is present");
    }
    if (request->segment.set && request->segment.value >= request->total_segments.value) {
        return weir_fail(err, WEIR_E_INVALID,
                "The Segment parameter is zero-based and must be less than parameter "
                "TotalSegments: Segment: %lld is not less than TotalSegments: %lld",
                (long long)request->segment.value, (long long)request->total_segments.value);
    }
    return WEIR_OK;
}

static bool projects(
        const struct weir_table *table, const struct weir_index *index, struct weir_str name)
{
    if (index->projection == WEIR_PROJECT_ALL) {
        return true;
    }
    for (size_t i = 0; i < index->include_count; i++) {
        if (weir_str_eq(index->include[i], name)) {
            return true;
        }
    }
    return weir_ddb_key_has(&index->key, name) || weir_ddb_key_has(&table->key, name);
}

/* The first attribute of a projection that an index does not hold; p NULL: none. */
static struct weir_str not_projected(const struct weir_table *table, const struct weir_index *index,
        const struct weir_ddb_projection *projection)
{
    size_t count = projection != NULL ? weir_ddb_projection_count(projection) : 0;
    for (size_t i = 0; i < count; i++) {
        struct weir_str name = weir_ddb_projection_attribute(projection, i);
        if (!projects(table, index, name)) {
            return name;
        }
    }
    return (struct weir_str){ 0 };
}

/* What is asked of an index must be in it, or for a local index in the table. */
static enum weir_rc check_index(const struct weir_ddb_query_request *request,
        const struct weir_index *index, struct walk *walk, struct weir_err *err)
{
    bool all = select_is(request, "ALL_ATTRIBUTES") && index->projection != WEIR_PROJECT_ALL;
    struct weir_str missing = not_projected(walk->table, index, walk->projection);
    if (index->local) {
        walk->whole = all || missing.p != NULL;
        return WEIR_OK;
    }
    if (request->consistent.value) {
        return weir_fail(err, WEIR_E_INVALID,
                "Consistent reads are not supported on global secondary indexes");
    }
    if (all) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not "
                "supported for global secondary index %.*s because its projection type is not ALL",
                WEIR_STR_ARG(index->name));
    }
    if (missing.p != NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Global secondary index %.*s does not "
                "project [%.*s]",
                WEIR_STR_ARG(index->name), WEIR_STR_ARG(missing));
    }
    return WEIR_OK;
}

static enum weir_rc check_filter_key(const struct weir_ddb_condition *filter,
        const struct weir_ddb_key_attribute *attributes, size_t count, struct weir_err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_ddb_condition_uses(filter, attributes[i].name)) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Filter Expression can only contain non-primary key attributes: Primary key "
                    "attribute: %.*s",
                    WEIR_STR_ARG(attributes[i].name));
        }
    }
    return WEIR_OK;
}

static enum weir_rc check_filter(const struct weir_ddb_condition *filter,
        const struct weir_key_schema *key, struct weir_err *err)
{
    if (filter == NULL) {
        return WEIR_OK;
    }
    enum weir_rc rc = check_filter_key(filter, key->partition, key->partition_count, err);
    return rc == WEIR_OK ? check_filter_key(filter, key->sort, key->sort_count, err) : rc;
}

/* ExclusiveStartKey has the key's attributes and no others. */
static enum weir_rc check_start(const struct weir_table *table, const struct weir_index *index,
        struct weir_item start, struct weir_err *err)
{
    const struct weir_key_schema *key = key_of(table, index);
    for (size_t i = 0; start.p != NULL && i < weir_item_count(start); i++) {
        struct weir_str name;
        (void)weir_item_at(start, i, &name);
        if (!weir_ddb_key_has(key, name) && !weir_ddb_key_has(&table->key, name)) {
            return weir_fail(err, WEIR_E_INVALID, "The provided starting key is invalid");
        }
    }
    if (start.p != NULL && weir_item_count(start) == 0) {
        return weir_fail(err, WEIR_E_INVALID, "The provided starting key is invalid");
    }
    return WEIR_OK;
}

/* --- running --------------------------------------------------------------------------- */

static void write_result(struct walk *walk, const struct weir_ddb_query_request *request,
        const struct weir_query *query, const struct weir_query_result *result)
{
    struct weir_buf *out = walk->call->out;
    weir_out_number(out, "Count", walk->matched);
    weir_out_number(out, "ScannedCount", result->scanned);
    if (result->last.n > 0) {
        weir_out_name(out, "LastEvaluatedKey");
        weir_ddbjson_write_item(out, result->last);
    }
    if (request->return_capacity.p == NULL) {
        return;
    }
    struct weir_ddb_capacity capacity = { .table = walk->table };
    uint64_t *place = query->index != NULL
                              ? &capacity.index_tenths[query->index - walk->table->indexes]
                              : &capacity.table_tenths;
    *place = weir_ddb_read_tenths(result->bytes, request->consistent.value);
    if (walk->fetched_bytes > 0) {
        capacity.table_tenths =
                weir_ddb_read_tenths(walk->fetched_bytes, request->consistent.value);
    }
    weir_ddb_write_capacity(out, request->return_capacity, &capacity, true);
}

static enum weir_rc run_walk(struct walk *walk, const struct weir_ddb_query_request *request,
        struct weir_query *query, struct weir_err *err)
{
    struct weir_buf *out = walk->call->out;
    struct weir_query_result result;
    walk->filter = query->filter;
    if (walk->whole) {
        query->filter = NULL; /* it needs the whole item */
    }
    weir_buf_byte(out, '{');
    if (!walk->count) {
        weir_buf_z(out, "\"Items\":[");
    }
    enum weir_rc rc = weir_table_query(walk->call->api->options.tables, query, walk->call->arena,
            each_item, walk, &result, err);
    if (rc == WEIR_OK) {
        rc = walk->rc;
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (!walk->count) {
        weir_buf_byte(out, ']');
    }
    write_result(walk, request, query, &result);
    weir_buf_byte(out, '}');
    return WEIR_OK;
}

static enum weir_rc find_index(const struct weir_table *table,
        const struct weir_ddb_query_request *request, const struct weir_index **ret_index,
        struct weir_err *err)
{
    *ret_index = NULL;
    if (request->index_name.p == NULL) {
        return WEIR_OK;
    }
    *ret_index = weir_table_index(table, request->index_name);
    if (*ret_index != NULL) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID, "The table does not have the specified index: %.*s",
            WEIR_STR_ARG(request->index_name));
}

/* What both do once their own checks have passed; key_condition NULL: Scan. */
static enum weir_rc query_or_scan(struct weir_call *call,
        const struct weir_ddb_query_request *request,
        const struct weir_ddb_expressions *expressions, struct weir_err *err)
{
    struct walk walk = { .call = call, .projection = expressions->projection, .err = err };
    walk.count = select_is(request, "COUNT");
    enum weir_rc rc = weir_call_table(call, request->table_name, &walk.table, err);
    const struct weir_index *index = NULL;
    if (rc == WEIR_OK) {
        rc = find_index(walk.table, request, &index, err);
    }
    if (rc == WEIR_OK && index != NULL) {
        rc = check_index(request, index, &walk, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_key_schema *key = key_of(walk.table, index);
    struct weir_ddb_key_range range = { 0 };
    if (expressions->key_condition != NULL) {
        struct weir_ddb_key_schema schema = weir_key_schema_view(key);
        rc = weir_ddb_key_condition_bind(expressions->key_condition, &schema, &range, err);
        if (rc == WEIR_OK) {
            rc = check_filter(expressions->filter, key, err);
        }
    }
    if (rc == WEIR_OK) {
        rc = check_start(walk.table, index, request->start, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_query query = {
        .table = walk.table,
        .index = index,
        .range = expressions->key_condition != NULL ? &range : NULL,
        .backward = request->forward.set && !request->forward.value,
        .start = request->start,
        .limit = request->limit.set ? (uint64_t)request->limit.value : 0,
        .segment = (uint32_t)request->segment.value,
        .segments = (uint32_t)request->total_segments.value,
        .filter = expressions->filter,
    };
    return run_walk(&walk, request, &query, err);
}

static enum weir_rc compile(struct weir_call *call, const struct weir_ddb_query_request *request,
        const char *users, struct weir_ddb_expressions *ret_expressions, struct weir_err *err)
{
    struct weir_ddb_texts texts = {
        .projection = request->projection,
        .filter = request->filter,
        .key_condition = request->key_condition,
        .names = request->names,
        .values = request->values,
        .users = users,
    };
    enum weir_rc rc = weir_ddb_check_refused(&request->refused, err);
    if (rc == WEIR_OK) {
        rc = check_select(request, err);
    }
    return rc == WEIR_OK ? weir_ddb_compile(call->arena, &texts, ret_expressions, err) : rc;
}

enum weir_rc weir_ddb_query(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_query_request *asked = request;
    struct weir_ddb_expressions expressions;
    enum weir_rc rc = compile(
            call, asked, "FilterExpression and KeyConditionExpression are null", &expressions, err);
    if (rc == WEIR_OK && expressions.key_condition == NULL) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "Either the KeyConditions or KeyConditionExpression parameter must be specified "
                "in the request.");
    }
    return rc == WEIR_OK ? query_or_scan(call, asked, &expressions, err) : rc;
}

enum weir_rc weir_ddb_scan(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_query_request *asked = request;
    struct weir_ddb_expressions expressions;
    enum weir_rc rc = compile(call, asked, "FilterExpression is null", &expressions, err);
    if (rc == WEIR_OK) {
        rc = check_segments(asked, err);
    }
    return rc == WEIR_OK ? query_or_scan(call, asked, &expressions, err) : rc;
}
