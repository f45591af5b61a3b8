/* Plain JSON to a value. */
#include "expr/expr.h"
#include "value/json.h"

enum { LEVELS_MAX = 64 };

static enum weir_rc read_value(struct weir_json *json, enum weir_json_token token, unsigned level,
        struct weir_expr_value *ret_value, struct weir_err *err);

/* Elements or pairs as they come; the memory grows by doubling. */
struct gathered {
    struct weir_expr_value *all;
    size_t count;
    size_t capacity;
};

static struct weir_expr_value *add(struct weir_arena *arena, struct gathered *gathered)
{
    if (gathered->count == gathered->capacity) {
        size_t capacity = gathered->capacity > 0 ? 2 * gathered->capacity : 8;
        struct weir_expr_value *all = weir_arena_zero(arena, capacity, sizeof(*all));
        for (size_t i = 0; i < gathered->count; i++) {
            all[i] = gathered->all[i];
        }
        gathered->all = all;
        gathered->capacity = capacity;
    }
    return &gathered->all[gathered->count++];
}

static enum weir_rc read_nested(struct weir_json *json, bool object, unsigned level,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct gathered gathered = { 0 };
    if (level == LEVELS_MAX) {
        return weir_fail_at(
                err, WEIR_E_LIMIT, json->pos, "nested deeper than %d levels", LEVELS_MAX);
    }
    enum weir_json_token end = object ? WEIR_JSON_OBJECT_END : WEIR_JSON_ARRAY_END;
    for (;;) {
        enum weir_json_token token = weir_json_next(json);
        if (token == end) {
            break;
        }
        if (token == WEIR_JSON_NAME) {
            *add(json->arena, &gathered) = weir_expr_string(json->text);
            token = weir_json_next(json);
        }
        struct weir_expr_value value;
        enum weir_rc rc = read_value(json, token, level + 1, &value, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        *add(json->arena, &gathered) = value;
    }
    if (object) {
        return weir_expr_map(json->arena, gathered.all, gathered.count / 2, ret_value, err);
    }
    *ret_value = weir_expr_list(gathered.all, gathered.count);
    return WEIR_OK;
}

static enum weir_rc read_number(
        struct weir_json *json, struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_decimal number;
    size_t pos = json->pos;
    enum weir_rc rc = weir_decimal_parse(json->text, &number, err);
    if (rc != WEIR_OK) {
        return weir_fail_at(err, rc, pos, "number %.*s has more than 38 digits or is out of range",
                WEIR_STR_ARG(json->text));
    }
    *ret_value = weir_expr_decimal(number);
    return WEIR_OK;
}

static enum weir_rc read_value(struct weir_json *json, enum weir_json_token token, unsigned level,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    switch (token) {
    case WEIR_JSON_OBJECT:
    case WEIR_JSON_ARRAY:
        return read_nested(json, token == WEIR_JSON_OBJECT, level, ret_value, err);
    case WEIR_JSON_STRING:
        *ret_value = weir_expr_string(json->text);
        return WEIR_OK;
    case WEIR_JSON_NUMBER:
        return read_number(json, ret_value, err);
    case WEIR_JSON_TRUE:
    case WEIR_JSON_FALSE:
        *ret_value = weir_expr_bool(token == WEIR_JSON_TRUE);
        return WEIR_OK;
    case WEIR_JSON_NULL:
        *ret_value = weir_expr_null();
        return WEIR_OK;
    case WEIR_JSON_ERROR:
    case WEIR_JSON_END:
    case WEIR_JSON_NAME:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY_END:
        break;
    }
    return weir_fail_at(err, WEIR_E_INVALID, json->pos, "%s",
            token == WEIR_JSON_ERROR ? json->err.msg : "a JSON value is expected");
}

enum weir_rc weir_expr_read_json(struct weir_str text, struct weir_arena *arena,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = read_value(&json, weir_json_next(&json), 0, ret_value, err);
    if (rc == WEIR_OK && weir_json_next(&json) != WEIR_JSON_END) {
        rc = weir_fail_at(err, WEIR_E_INVALID, json.pos, "there is text behind the JSON value");
    }
    return rc;
}
