/* PutItem, GetItem, UpdateItem, DeleteItem. */
#include "api/ddb_int.h"
#include "value/ddbjson.h"

/* A write under way, in its transaction's arena. */
struct item_write {
    struct weir_write write;
    const struct weir_ddb_item_request *request;
};

static void write_attributes(struct weir_buf *out, struct weir_item item)
{
    if (item.n > 0) {
        weir_out_name(out, "Attributes");
        weir_ddbjson_write_item(out, item);
    }
}

/* Append what ReturnValues asks for. */
static enum weir_rc answer_values(struct weir_call *call, const struct weir_write *write,
        struct weir_str which, struct weir_err *err)
{
    if (weir_str_eq(which, WEIR_STR("ALL_OLD"))) {
        write_attributes(call->out, write->before);
    } else if (weir_str_eq(which, WEIR_STR("ALL_NEW"))) {
        write_attributes(call->out, write->after);
    } else if (weir_str_starts(which, WEIR_STR("UPDATED_")) && write->update != NULL) {
        bool old = weir_str_eq(which, WEIR_STR("UPDATED_OLD"));
        struct weir_item part = { 0 };
        struct weir_item whole = old ? write->before : write->after;
        enum weir_rc rc = weir_ddb_update_touched(write->update, whole, call->arena, &part, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        write_attributes(call->out, part);
    }
    return WEIR_OK;
}

static enum weir_rc write_committed(struct weir_call *call, struct weir_err *err)
{
    const struct item_write *state = call->state;
    const struct weir_ddb_item_request *request = state->request;
    const struct weir_write *write = &state->write;
    if (call->txn->rc != WEIR_OK) {
        if (call->txn->rc == WEIR_E_CONDITION &&
                weir_str_eq(request->return_on_failure, WEIR_STR("ALL_OLD"))) {
            call->error_item = write->before;
        }
        return call->txn->rc;
    }
    weir_buf_byte(call->out, '{');
    enum weir_rc rc = answer_values(call, write, request->return_values, err);
    if (request->return_capacity.p != NULL) {
        struct weir_ddb_capacity capacity = { .table = write->table };
        weir_ddb_capacity_write(&capacity, write->before, write->after);
        weir_ddb_write_capacity(call->out, request->return_capacity, &capacity, true);
    }
    weir_buf_byte(call->out, '}');
    return rc;
}

static enum weir_rc check_return_values(
        enum weir_write_kind kind, struct weir_str which, struct weir_err *err)
{
    if (kind == WEIR_WRITE_UPDATE || which.p == NULL ||
            weir_wire_is_one_of("[NONE, ALL_OLD]", which)) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID, "Return values set to invalid value");
}

static enum weir_rc begin_write(struct weir_call *call, enum weir_write_kind kind,
        const struct weir_ddb_item_request *request, const char *users, struct weir_err *err)
{
    enum weir_rc rc = weir_ddb_check_refused(&request->refused, err);
    if (rc == WEIR_OK) {
        rc = check_return_values(kind, request->return_values, err);
    }
    struct weir_ddb_texts texts = {
        .condition = request->condition,
        .update = request->update,
        .names = request->names,
        .values = request->values,
        .users = users,
    };
    struct weir_ddb_expressions expressions;
    if (rc == WEIR_OK) {
        rc = weir_ddb_compile(call->arena, &texts, &expressions, err);
    }
    const struct weir_table *table = NULL;
    if (rc == WEIR_OK) {
        rc = weir_call_table(call, request->table_name, &table, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct item_write *state = WEIR_ARENA_NEW(call->arena, struct item_write);
    state->request = request;
    state->write.tables = call->api->options.tables;
    state->write.table = table;
    state->write.kind = kind;
    state->write.item = kind == WEIR_WRITE_PUT ? request->item : request->key;
    state->write.condition = expressions.condition;
    state->write.update = expressions.update;
    rc = weir_table_write(&state->write, call->txn, err);
    if (rc == WEIR_OK) {
        call->state = state;
        weir_call_submit(call, call->txn, write_committed);
    }
    return rc;
}

enum weir_rc weir_ddb_put_item(struct weir_call *call, void *request, struct weir_err *err)
{
    return begin_write(call, WEIR_WRITE_PUT, request, "ConditionExpression is null", err);
}

enum weir_rc weir_ddb_update_item(struct weir_call *call, void *request, struct weir_err *err)
{
    return begin_write(call, WEIR_WRITE_UPDATE, request,
            "UpdateExpression and ConditionExpression are null", err);
}

enum weir_rc weir_ddb_delete_item(struct weir_call *call, void *request, struct weir_err *err)
{
    return begin_write(call, WEIR_WRITE_DELETE, request, "ConditionExpression is null", err);
}

enum weir_rc weir_ddb_get_item(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_ddb_item_request *asked = request;
    enum weir_rc rc = weir_ddb_check_refused(&asked->refused, err);
    struct weir_ddb_texts texts = { .projection = asked->projection, .names = asked->names };
    struct weir_ddb_expressions expressions;
    if (rc == WEIR_OK) {
        rc = weir_ddb_compile(call->arena, &texts, &expressions, err);
    }
    const struct weir_table *table = NULL;
    if (rc == WEIR_OK) {
        rc = weir_call_table(call, asked->table_name, &table, err);
    }
    struct weir_str key;
    if (rc == WEIR_OK) {
        rc = weir_table_exact_key(table, asked->key, call->arena, &key, err);
    }
    struct weir_item item = { 0 };
    if (rc == WEIR_OK) {
        rc = weir_table_get(call->api->options.tables, table, key, call->arena, &item, err);
    }
    struct weir_item shown = item;
    if (rc == WEIR_OK && item.n > 0 && expressions.projection != NULL) {
        rc = weir_ddb_projection_apply(expressions.projection, item, call->arena, &shown, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_byte(call->out, '{');
    if (item.n > 0) {
        weir_out_name(call->out, "Item");
        weir_ddbjson_write_item(call->out, shown);
    }
    if (asked->return_capacity.p != NULL) {
        struct weir_ddb_capacity capacity = { .table = table };
        size_t bytes = item.n > 0 ? weir_item_size(item) : 0;
        capacity.table_tenths = weir_ddb_read_tenths(bytes, asked->consistent.value);
        weir_ddb_write_capacity(call->out, asked->return_capacity, &capacity, true);
    }
    weir_buf_byte(call->out, '}');
    return WEIR_OK;
}
