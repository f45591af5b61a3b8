/* Query, Scan and GetItem on the state of one moment. */
#include "table/table_int.h"
#include "value/key.h"

enum { DEFAULT_MAX_BYTES = 1024 * 1024 };

enum weir_rc weir_table_get(struct weir_tables *tables, const struct weir_table *table,
        struct weir_str key, struct weir_arena *arena, struct weir_item *ret_item,
        struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = weir_store_get(tables->store, table->space, key, arena, &entry, err);
    if (rc == WEIR_OK) {
        *ret_item = (struct weir_item){ entry.value.p, entry.value.n };
    }
    return rc;
}

/* From low (included) to high (excluded); an empty high is the end of the keyspace. */
struct bounds {
    struct weir_buf low;
    struct weir_buf high;
};

static void bounds_init(struct bounds *bounds)
{
    weir_buf_init(&bounds->low, WEIR_KEY_MAX_BYTES);
    weir_buf_init(&bounds->high, WEIR_KEY_MAX_BYTES);
}

static void bounds_fini(struct bounds *bounds)
{
    weir_buf_fini(&bounds->low);
    weir_buf_fini(&bounds->high);
}

/* Turn bytes into the least ones greater than all that begin with them; empty: there are none. */
static void after_prefix(struct weir_buf *buf)
{
    while (buf->n > 0 && (unsigned char)buf->p[buf->n - 1] == 0xff) {
        buf->n--;
    }
    if (buf->n > 0) {
        buf->p[buf->n - 1] = (char)(buf->p[buf->n - 1] + 1);
    }
}

static enum weir_rc begin_range(
        const struct weir_ddb_key_range *range, struct weir_buf *buf, struct weir_err *err)
{
    enum weir_rc rc = weir_key_begin(buf, range->partition, range->partition_count, err);
    for (size_t i = 0; rc == WEIR_OK && i < range->equal_count; i++) {
        rc = weir_key_add(buf, range->equal[i], err);
    }
    return rc;
}

static enum weir_rc range_bounds(
        const struct weir_ddb_key_range *range, struct bounds *bounds, struct weir_err *err)
{
    enum weir_rc rc = begin_range(range, &bounds->low, err);
    if (rc == WEIR_OK) {
        rc = begin_range(range, &bounds->high, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    switch (range->op) {
    case WEIR_DDB_KEY_ANY:
        after_prefix(&bounds->high);
        return WEIR_OK;
    case WEIR_DDB_KEY_LT:
        return weir_key_add(&bounds->high, range->low, err);
    case WEIR_DDB_KEY_LE:
        rc = weir_key_add(&bounds->high, range->low, err);
        break;
    case WEIR_DDB_KEY_GT:
        rc = weir_key_add(&bounds->low, range->low, err);
        after_prefix(&bounds->low);
        break;
    case WEIR_DDB_KEY_GE:
        rc = weir_key_add(&bounds->low, range->low, err);
        break;
    case WEIR_DDB_KEY_BETWEEN:
        rc = weir_key_add(&bounds->low, range->low, err);
        if (rc == WEIR_OK) {
            rc = weir_key_add(&bounds->high, range->high, err);
        }
        break;
    case WEIR_DDB_KEY_BEGINS_WITH:
        rc = weir_key_add_prefix(&bounds->low, range->low, err);
        if (rc == WEIR_OK) {
            rc = weir_key_add_prefix(&bounds->high, range->low, err);
        }
        break;
    }
    after_prefix(&bounds->high);
    return rc;
}

/* A segment of a parallel scan is a range of hashes. */
static void segment_bounds(const struct weir_query *query, struct bounds *bounds)
{
    if (query->segments < 2) {
        return;
    }
    for (uint32_t side = 0; side < 2; side++) {
        uint64_t hash = ((uint64_t)(query->segment + side) << 32) / query->segments;
        struct weir_buf *buf = side == 0 ? &bounds->low : &bounds->high;
        if (hash >> 32 == 0) {
            char bytes[4] = { (char)(hash >> 24), (char)(hash >> 16), (char)(hash >> 8),
                (char)hash };
            weir_buf_add(buf, bytes, sizeof(bytes));
        }
    }
}

static enum weir_rc entry_key(const struct weir_query *query, struct weir_item item,
        struct weir_arena *arena, struct weir_str *ret_key, struct weir_err *err)
{
    return query->index != NULL
                   ? weir_index_key(query->table, query->index, item, arena, ret_key, err)
                   : weir_table_key(query->table, item, arena, ret_key, err);
}

/* Move the bound on the side where reading begins behind ExclusiveStartKey. */
static enum weir_rc apply_start(const struct weir_query *query, struct bounds *bounds,
        struct weir_arena *arena, struct weir_err *err)
{
    if (query->start.n == 0) {
        return WEIR_OK;
    }
    struct weir_str key;
    if (entry_key(query, query->start, arena, &key, err) != WEIR_OK) {
        return weir_fail(err, WEIR_E_INVALID, "The provided starting key is invalid");
    }
    bool inside = weir_str_cmp(key, weir_buf_view(&bounds->low)) >= 0 &&
                  (bounds->high.n == 0 || weir_str_cmp(key, weir_buf_view(&bounds->high)) < 0);
    if (!inside && query->range != NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "The provided starting key is outside query boundaries based on provided "
                "conditions");
    }
    if (!inside) {
        return weir_fail(err, WEIR_E_INVALID,
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
                "ExclusiveStartKey with correct Segment. TotalSegments: %u Segment: %u",
                query->segments, query->segment);
    }
    struct weir_buf *side = query->backward ? &bounds->high : &bounds->low;
    weir_buf_reset(side);
    weir_buf_str(side, key);
    if (!query->backward) {
        weir_buf_byte(side, '\0'); /* the least key greater than it */
    }
    return weir_buf_check(side, "the starting key", err);
}

static void stand_first(
        const struct weir_query *query, const struct bounds *bounds, struct weir_cursor *cursor)
{
    if (!query->backward) {
        weir_cursor_seek(cursor, weir_buf_view(&bounds->low));
    } else if (bounds->high.n > 0) {
        weir_cursor_seek_back(cursor, weir_buf_view(&bounds->high), false);
    } else {
        weir_cursor_last(cursor);
    }
}

static bool in_bounds(
        const struct weir_query *query, const struct bounds *bounds, struct weir_str key)
{
    if (query->backward) {
        return weir_str_cmp(key, weir_buf_view(&bounds->low)) >= 0;
    }
    return bounds->high.n == 0 || weir_str_cmp(key, weir_buf_view(&bounds->high)) < 0;
}

static enum weir_rc walk(const struct weir_query *query, const struct bounds *bounds,
        struct weir_cursor *cursor, struct weir_arena *arena,
        bool (*each)(void *arg, struct weir_item item), void *arg, struct weir_query_result *result,
        struct weir_err *err)
{
    const struct weir_table *table = query->table;
    size_t max_bytes = query->max_bytes != 0 ? query->max_bytes : DEFAULT_MAX_BYTES;
    stand_first(query, bounds, cursor);
    for (;;) {
        struct weir_str key;
        struct weir_entry entry;
        bool have = false;
        enum weir_rc rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || !in_bounds(query, bounds, key)) {
            return rc;
        }
        struct weir_item item = { entry.value.p, entry.value.n };
        result->scanned++;
        result->bytes += weir_item_size(item);
        bool go_on = true;
        if (query->filter == NULL || weir_ddb_condition_eval(query->filter, item)) {
            result->matched++;
            go_on = each(arg, item);
        }
        if (!go_on || result->scanned == query->limit || result->bytes >= max_bytes) {
            return weir_key_schema_pick(&table->key,
                    query->index != NULL ? &query->index->key : NULL, item, arena, &result->last,
                    err);
        }
        if (query->backward) {
            weir_cursor_previous(cursor);
        } else {
            weir_cursor_next(cursor);
        }
    }
}

enum weir_rc weir_table_query(struct weir_tables *tables, const struct weir_query *query,
        struct weir_arena *arena, bool (*each)(void *arg, struct weir_item item), void *arg,
        struct weir_query_result *ret_result, struct weir_err *err)
{
    struct bounds bounds;
    bounds_init(&bounds);
    *ret_result = (struct weir_query_result){ 0 };
    enum weir_rc rc = WEIR_OK;
    if (query->range != NULL) {
        rc = range_bounds(query->range, &bounds, err);
    } else {
        segment_bounds(query, &bounds);
    }
    if (rc == WEIR_OK) {
        rc = apply_start(query, &bounds, arena, err);
    }
    if (rc == WEIR_OK) {
        uint32_t space = query->index != NULL ? query->index->space : query->table->space;
        struct weir_cursor *cursor = weir_cursor_create(tables->store, space);
        rc = walk(query, &bounds, cursor, arena, each, arg, ret_result, err);
        weir_cursor_destroy(cursor);
    }
    bounds_fini(&bounds);
    return rc;
}
