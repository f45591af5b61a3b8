/* BatchWriteItem and BatchGetItem. */
#include "api/ddb_int.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum {
    WRITES_MAX = 25,
    KEYS_MAX = 100,
    GET_MAX_BYTES = 16 * 1024 * 1024,
    GROUP_MAX_BYTES = 1024 * 1024, /* of new items in one transaction; the old ones add to it */
};

static enum weir_rc fail_duplicates(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_INVALID, "Provided list of item keys contains duplicates");
}

/* --- BatchWriteItem ------------------------------------------------------------------ */

/* All writes of a batch; those before `next` are submitted. In the call's arena. */
struct batch {
    struct weir_write *writes;
    size_t count;
    size_t next;
    size_t first; /* of the group under way */
    size_t most;  /* writes that may go together */
    const struct weir_ddb_batch_write_request *request;
    struct weir_ddb_capacity *capacities; /* by write's table, see table_of */
    size_t table_count;
};

static enum weir_rc add_write(struct weir_call *call, struct batch *batch,
        const struct weir_table *table, const struct weir_ddb_write_request *asked,
        struct weir_err *err)
{
    if ((asked->put == NULL) == (asked->del == NULL)) {
        return weir_fail(err, WEIR_E_INVALID,
                "Each write of a batch must have exactly one of PutRequest and DeleteRequest");
    }
    struct weir_write *write = &batch->writes[batch->count++];
    write->tables = call->api->options.tables;
    write->table = table;
    write->kind = asked->put != NULL ? WEIR_WRITE_PUT : WEIR_WRITE_DELETE;
    write->item = asked->put != NULL ? asked->put->item : asked->del->key;
    return WEIR_OK;
}

static enum weir_rc add_writes(struct weir_call *call, struct batch *batch,
        const struct weir_ddb_table_writes *asked, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &table, err);
    if (rc == WEIR_OK) {
        batch->capacities[batch->table_count++].table = table;
    }
    for (size_t i = 0; rc == WEIR_OK && i < asked->writes.count; i++) {
        rc = add_write(call, batch, table,
                WEIR_WIRE_AT(asked->writes, struct weir_ddb_write_request, i), err);
    }
    return rc;
}

/* Add the next writes to a transaction, as many as may go together. */
static enum weir_rc add_group(struct batch *batch, struct weir_txn *txn, struct weir_err *err)
{
    size_t bytes = 0;
    batch->first = batch->next;
    while (batch->next < batch->count && batch->next - batch->first < batch->most) {
        struct weir_write *write = &batch->writes[batch->next];
        bytes += write->item.n;
        if (bytes > GROUP_MAX_BYTES && batch->next > batch->first) {
            break;
        }
        enum weir_rc rc = weir_table_write(write, txn, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        batch->next++;
    }
    return WEIR_OK;
}

static void add_costs(struct batch *batch)
{
    for (size_t i = batch->first; i < batch->next; i++) {
        const struct weir_write *write = &batch->writes[i];
        for (size_t t = 0; t < batch->table_count; t++) {
            if (batch->capacities[t].table == write->table) {
                weir_ddb_capacity_write(&batch->capacities[t], write->before, write->after);
                break;
            }
        }
    }
}

static void write_capacities(struct weir_buf *out, struct weir_str mode,
        const struct weir_ddb_capacity *capacities, size_t count)
{
    if (mode.p == NULL || weir_str_eq(mode, WEIR_STR("NONE"))) {
        return;
    }
    weir_out_name(out, "ConsumedCapacity");
    weir_buf_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            weir_buf_byte(out, ',');
        }
        weir_ddb_write_capacity(out, mode, &capacities[i], false);
    }
    weir_buf_byte(out, ']');
}

static enum weir_rc group_committed(struct weir_call *call, struct weir_err *err)
{
    struct batch *batch = call->state;
    enum weir_rc outcome = call->current->rc;
    if (outcome == WEIR_E_TOO_LARGE && batch->next - batch->first > 1) {
        /* The old items and the indexes' entries made it so: again in halves. */
        batch->most = (batch->next - batch->first) / 2;
        batch->next = batch->first;
    } else if (outcome != WEIR_OK) {
        return outcome;
    } else if (batch->request->return_capacity.p != NULL) {
        add_costs(batch);
    }
    if (batch->next < batch->count) {
        struct weir_txn *txn = weir_txn_create();
        enum weir_rc rc = add_group(batch, txn, err);
        if (rc == WEIR_OK) {
            weir_call_submit(call, txn, group_committed);
        } else {
            weir_txn_destroy(txn);
        }
        return rc;
    }
    weir_buf_z(call->out, "{\"UnprocessedItems\":{}");
    write_capacities(
            call->out, batch->request->return_capacity, batch->capacities, batch->table_count);
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}

/* Check all keys and items before any is written. */
static enum weir_rc check_writes(
        struct weir_call *call, const struct batch *batch, struct weir_err *err)
{
    struct weir_str keys[WRITES_MAX];
    for (size_t i = 0; i < batch->count; i++) {
        const struct weir_write *write = &batch->writes[i];
        bool put = write->kind == WEIR_WRITE_PUT;
        enum weir_rc rc =
                put ? weir_table_key(write->table, write->item, call->arena, &keys[i], err)
                    : weir_table_exact_key(write->table, write->item, call->arena, &keys[i], err);
        if (rc == WEIR_OK && put) {
            rc = weir_table_check_item(write->table, write->item, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
        for (size_t j = 0; j < i; j++) {
            if (batch->writes[j].table == write->table && weir_str_eq(keys[i], keys[j])) {
                return fail_duplicates(err);
            }
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_ddb_batch_write(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_batch_write_request *asked = request;
    size_t count = 0;
    for (size_t i = 0; i < asked->tables.count; i++) {
        count += WEIR_WIRE_AT(asked->tables, struct weir_ddb_table_writes, i)->writes.count;
    }
    if (count > WRITES_MAX) {
        return weir_fail(
                err, WEIR_E_INVALID, "Too many items requested for the BatchWriteItem call");
    }
    struct batch *batch = WEIR_ARENA_NEW(call->arena, struct batch);
    batch->request = asked;
    batch->most = WRITES_MAX;
    batch->writes = weir_arena_zero(call->arena, count, sizeof(*batch->writes));
    batch->capacities =
            weir_arena_zero(call->arena, asked->tables.count, sizeof(*batch->capacities));
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < asked->tables.count; i++) {
        rc = add_writes(
                call, batch, WEIR_WIRE_AT(asked->tables, struct weir_ddb_table_writes, i), err);
    }
    if (rc == WEIR_OK) {
        rc = check_writes(call, batch, err);
    }
    if (rc == WEIR_OK) {
        rc = add_group(batch, call->txn, err);
    }
    if (rc == WEIR_OK) {
        call->state = batch;
        weir_call_submit(call, call->txn, group_committed);
    }
    return rc;
}

/* --- BatchGetItem ------------------------------------------------------------------------ */

/* The keys asked of one table. */
struct table_get {
    const struct weir_ddb_table_keys *asked;
    const struct weir_table *table;
    const struct weir_ddb_projection *projection;
    struct weir_str *keys; /* encoded */
    size_t done;           /* of them */
};

static enum weir_rc prepare_get(struct weir_call *call, struct table_get *get, struct weir_err *err)
{
    const struct weir_ddb_table_keys *asked = get->asked;
    enum weir_rc rc = weir_call_table(call, asked->table_name, &get->table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    get->keys = weir_arena_zero(call->arena, asked->keys.count, sizeof(*get->keys));
    for (size_t i = 0; i < asked->keys.count; i++) {
        struct weir_item key = *WEIR_WIRE_AT(asked->keys, struct weir_item, i);
        rc = weir_table_exact_key(get->table, key, call->arena, &get->keys[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
        for (size_t j = 0; j < i; j++) {
            if (weir_str_eq(get->keys[i], get->keys[j])) {
                return fail_duplicates(err);
            }
        }
    }
    return WEIR_OK;
}

/* Write the items of one table, until the whole answer is large enough. */
static enum weir_rc write_items(struct weir_call *call, struct table_get *get, size_t *bytes,
        struct weir_ddb_capacity *capacity, struct weir_err *err)
{
    bool more = false;
    for (; get->done < get->asked->keys.count && *bytes < GET_MAX_BYTES; get->done++) {
        struct weir_item item = { 0 };
        enum weir_rc rc = weir_table_get(call->api->options.tables, get->table,
                get->keys[get->done], call->arena, &item, err);
        size_t size = rc == WEIR_OK && item.n > 0 ? weir_item_size(item) : 0;
        if (rc != WEIR_OK) {
            return rc;
        }
        if (*bytes + size > GET_MAX_BYTES) {
            *bytes = GET_MAX_BYTES;
            return WEIR_OK;
        }
        *bytes += size;
        capacity->table_tenths += weir_ddb_read_tenths(size, get->asked->consistent.value);
        if (item.n == 0) {
            continue;
        }
        if (get->projection != NULL) {
            rc = weir_ddb_projection_apply(get->projection, item, call->arena, &item, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
        if (more) {
            weir_buf_byte(call->out, ',');
        }
        more = true;
        weir_ddbjson_write_item(call->out, item);
    }
    return WEIR_OK;
}

/* What was asked of a table and is not done, as a request would say it. */
static void write_unprocessed(struct weir_buf *out, const struct table_get *get)
{
    const struct weir_ddb_table_keys *asked = get->asked;
    weir_json_write_string(out, asked->table_name);
    weir_buf_z(out, ":{\"Keys\":[");
    for (size_t i = get->done; i < asked->keys.count; i++) {
        if (i > get->done) {
            weir_buf_byte(out, ',');
        }
        weir_ddbjson_write_item(out, *WEIR_WIRE_AT(asked->keys, struct weir_item, i));
    }
    weir_buf_byte(out, ']');
    if (asked->projection.p != NULL) {
        weir_out_text(out, "ProjectionExpression", asked->projection);
    }
    if (asked->names.p != NULL) {
        weir_out_name(out, "ExpressionAttributeNames");
        weir_ddbjson_write_plain_item(out, asked->names);
    }
    if (asked->consistent.set) {
        weir_out_bool(out, "ConsistentRead", asked->consistent.value);
    }
    weir_buf_byte(out, '}');
}

static enum weir_rc write_responses(struct weir_call *call, struct table_get *gets, size_t count,
        struct weir_ddb_capacity *capacities, struct weir_err *err)
{
    size_t bytes = 0;
    weir_buf_z(call->out, "{\"Responses\":{");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            weir_buf_byte(call->out, ',');
        }
        weir_json_write_string(call->out, gets[i].asked->table_name);
        weir_buf_z(call->out, ":[");
        enum weir_rc rc = write_items(call, &gets[i], &bytes, &capacities[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_buf_byte(call->out, ']');
    }
    weir_buf_z(call->out, "},\"UnprocessedKeys\":{");
    bool more = false;
    for (size_t i = 0; i < count; i++) {
        if (gets[i].done < gets[i].asked->keys.count) {
            if (more) {
                weir_buf_byte(call->out, ',');
            }
            more = true;
            write_unprocessed(call->out, &gets[i]);
        }
    }
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}

/* Count and compile, which needs no table. */
static enum weir_rc check_gets(
        struct weir_call *call, struct table_get *gets, size_t count, struct weir_err *err)
{
    size_t keys = 0;
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
        const struct weir_ddb_table_keys *asked = gets[i].asked;
        struct weir_ddb_texts texts = { .projection = asked->projection, .names = asked->names };
        struct weir_ddb_expressions expressions;
        keys += asked->keys.count;
        rc = weir_ddb_check_refused(&asked->refused, err);
        if (rc == WEIR_OK) {
            rc = weir_ddb_compile(call->arena, &texts, &expressions, err);
        }
        if (rc == WEIR_OK) {
            gets[i].projection = expressions.projection;
        }
    }
    if (rc == WEIR_OK && keys > KEYS_MAX) {
        rc = weir_fail(err, WEIR_E_INVALID, "Too many items requested for the BatchGetItem call");
    }
    return rc;
}

enum weir_rc weir_ddb_batch_get(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_batch_get_request *asked = request;
    size_t count = asked->tables.count;
    struct table_get *gets = weir_arena_zero(call->arena, count, sizeof(*gets));
    struct weir_ddb_capacity *capacities = weir_arena_zero(call->arena, count, sizeof(*capacities));
    for (size_t i = 0; i < count; i++) {
        gets[i].asked = WEIR_WIRE_AT(asked->tables, struct weir_ddb_table_keys, i);
    }
    enum weir_rc rc = check_gets(call, gets, count, err);
    for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
        rc = prepare_get(call, &gets[i], err);
        capacities[i].table = gets[i].table;
    }
    if (rc == WEIR_OK) {
        rc = write_responses(call, gets, count, capacities, err);
    }
    if (rc == WEIR_OK) {
        write_capacities(call->out, asked->return_capacity, capacities, count);
        weir_buf_byte(call->out, '}');
    }
    return rc;
}
