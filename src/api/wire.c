#include "api/wire.h"

#include <stdlib.h>

#include "value/ddbjson.h"
#include "value/json.h"

enum { MAX_DEPTH = 128 }; /* an item's 32 levels are two of JSON each */

struct reader {
    struct weir_json json;
    struct weir_arena *arena;
    enum weir_wire_fault fault;
    struct weir_err err;
};

static bool read_members(struct reader *reader, const struct weir_wire_shape *shape, char *at);

/* --- faults ------------------------------------------------------------------ */

/* All of these give false, so that failing is one statement. */
static bool fail_type(struct reader *reader, const char *message)
{
    reader->fault = WEIR_WIRE_SERIALIZATION;
    (void)weir_fail(&reader->err, WEIR_E_INVALID, "%s", message);
    return false;
}

static bool fail_syntax(struct reader *reader)
{
    reader->fault = WEIR_WIRE_SERIALIZATION;
    (void)weir_fail(&reader->err, WEIR_E_INVALID, "the request is not JSON: %s at byte %zu",
            reader->json.err.msg, reader->json.err.pos);
    return false;
}

/* An item could not be read: syntax, type or meaning. */
static bool fail_item(struct reader *reader)
{
    if (reader->json.err.code != WEIR_OK) {
        return fail_syntax(reader);
    }
    reader->fault = reader->err.pos != 0 ? WEIR_WIRE_SERIALIZATION : WEIR_WIRE_VALIDATION;
    return false;
}

static const char *number_token(struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '.' || (text.p[i] | 0x20) == 'e') {
            return "DECIMAL_VALUE";
        }
    }
    return "NUMBER_VALUE";
}

/* A token stands where a scalar of another type is expected; type is AWS's name for it. */
static bool fail_scalar(struct reader *reader, enum weir_json_token token, const char *type)
{
    const char *found = NULL;
    switch (token) {
    case WEIR_JSON_ERROR:
        return fail_syntax(reader);
    case WEIR_JSON_STRING:
        found = "STRING_VALUE";
        break;
    case WEIR_JSON_NUMBER:
        found = number_token(reader->json.text);
        break;
    case WEIR_JSON_TRUE:
        found = "TRUE_VALUE";
        break;
    case WEIR_JSON_FALSE:
        found = "FALSE_VALUE";
        break;
    case WEIR_JSON_NULL:
        found = "NULL_VALUE";
        break;
    case WEIR_JSON_ARRAY:
        reader->fault = WEIR_WIRE_SERIALIZATION;
        (void)weir_fail(&reader->err, WEIR_E_INVALID,
                "Unrecognized collection type class java.lang.%s", type);
        return false;
    case WEIR_JSON_END:
    case WEIR_JSON_OBJECT:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY_END:
    case WEIR_JSON_NAME:
        return fail_type(reader, "Start of structure or map found where not expected.");
    }
    reader->fault = WEIR_WIRE_SERIALIZATION;
    (void)weir_fail(&reader->err, WEIR_E_INVALID, "%s cannot be converted to %s", found, type);
    return false;
}

static bool expect_object(struct reader *reader, enum weir_json_token token)
{
    if (token == WEIR_JSON_OBJECT) {
        return true;
    }
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    return fail_type(reader, token == WEIR_JSON_ARRAY ? "Unrecognized collection type class"
                                                      : "Unexpected value type in payload");
}

static bool expect_map(struct reader *reader, enum weir_json_token token)
{
    if (token == WEIR_JSON_OBJECT) {
        return true;
    }
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    return fail_type(reader, token == WEIR_JSON_ARRAY ? "Unrecognized collection type java.util.Map"
                                                      : "Unexpected field type");
}

static bool expect_array(struct reader *reader, enum weir_json_token token)
{
    if (token == WEIR_JSON_ARRAY) {
        return true;
    }
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    return fail_type(reader, token == WEIR_JSON_OBJECT
                                     ? "Start of structure or map found where not expected."
                                     : "Unexpected field type");
}

/* --- values ------------------------------------------------------------------- */

static bool read_string(struct reader *reader, enum weir_json_token token, struct weir_str *string)
{
    if (token != WEIR_JSON_STRING) {
        return fail_scalar(reader, token, "String");
    }
    *string = weir_arena_str(reader->arena, reader->json.text);
    return true;
}

static bool read_bool(
        struct reader *reader, enum weir_json_token token, struct weir_wire_bool *value)
{
    if (token != WEIR_JSON_TRUE && token != WEIR_JSON_FALSE) {
        return fail_scalar(reader, token, "Boolean");
    }
    *value = (struct weir_wire_bool){ true, token == WEIR_JSON_TRUE };
    return true;
}

static bool read_number(
        struct reader *reader, enum weir_json_token token, struct weir_wire_number *number)
{
    if (token != WEIR_JSON_NUMBER) {
        return fail_scalar(reader, token, "Long");
    }
    struct weir_decimal decimal;
    int64_t value = 0;
    bool fits = weir_decimal_parse(reader->json.text, &decimal, NULL) == WEIR_OK &&
                weir_decimal_is_integral(decimal) && weir_decimal_to_i64(decimal, &value);
    if (!fits) {
        return fail_scalar(reader, token, "Long");
    }
    *number = (struct weir_wire_number){ true, value };
    return true;
}

static bool read_time(
        struct reader *reader, enum weir_json_token token, struct weir_wire_time *time)
{
    const double most = 253402300800.0; /* the year 10000 */
    char text[64];
    struct weir_str number = reader->json.text;
    if (token != WEIR_JSON_NUMBER || number.n >= sizeof(text)) {
        return fail_scalar(reader, token, "Timestamp");
    }
    memcpy(text, number.p, number.n);
    text[number.n] = '\0';
    double seconds = strtod(text, NULL);
    if (!(seconds >= 0 && seconds < most)) {
        return fail_scalar(reader, token, "Timestamp");
    }
    *time = (struct weir_wire_time){ true, { (int64_t)(seconds * 1000 + 0.5) } };
    return true;
}

static bool read_item(struct reader *reader, enum weir_json_token token, struct weir_item *item)
{
    if (!expect_map(reader, token)) {
        return false;
    }
    if (weir_ddbjson_read_item(&reader->json, token, item, &reader->err) != WEIR_OK) {
        return fail_item(reader);
    }
    return true;
}

static bool read_names(struct reader *reader, enum weir_json_token token, struct weir_item *item)
{
    if (!expect_map(reader, token)) {
        return false;
    }
    struct weir_item_builder *builder = weir_item_begin(reader->arena);
    while ((token = weir_json_next(&reader->json)) == WEIR_JSON_NAME) {
        weir_item_name(builder, reader->json.text);
        token = weir_json_next(&reader->json);
        if (token != WEIR_JSON_STRING) {
            return fail_scalar(reader, token, "String");
        }
        weir_item_s(builder, reader->json.text);
    }
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    return weir_item_finish(builder, item, &reader->err) == WEIR_OK || fail_item(reader);
}

/* One more zeroed element of a list, whose memory grows by doubling. */
static char *grow(struct reader *reader, struct weir_wire_list *list, size_t size)
{
    size_t count = list->count;
    if ((count & (count - 1)) == 0) { /* 0 or a power of two: full */
        char *more = weir_arena_zero(reader->arena, count > 0 ? 2 * count : 1, size);
        if (count > 0) {
            memcpy(more, list->items, count * size);
        }
        list->items = more;
    }
    return (char *)list->items + size * list->count++;
}

static bool read_struct(struct reader *reader, const struct weir_wire_shape *shape,
        enum weir_json_token token, char *at)
{
    return expect_object(reader, token) && read_members(reader, shape, at);
}

static bool read_element(struct reader *reader, const struct weir_wire_member *member,
        enum weir_json_token token, struct weir_wire_list *list)
{
    if (member->type == WEIR_WIRE_STRINGS) {
        struct weir_str *string = (struct weir_str *)(void *)grow(reader, list, sizeof(*string));
        return read_string(reader, token, string);
    }
    if (member->type == WEIR_WIRE_ITEMS) {
        struct weir_item *item = (struct weir_item *)(void *)grow(reader, list, sizeof(*item));
        return read_item(reader, token, item);
    }
    return read_struct(reader, member->shape, token, grow(reader, list, member->shape->size));
}

static bool read_list(struct reader *reader, const struct weir_wire_member *member,
        enum weir_json_token token, struct weir_wire_list *list)
{
    if (!expect_array(reader, token)) {
        return false;
    }
    *list = (struct weir_wire_list){ .set = true };
    while ((token = weir_json_next(&reader->json)) != WEIR_JSON_ARRAY_END) {
        if (!read_element(reader, member, token, list)) {
            return false;
        }
    }
    return true;
}

/* A map of structs, or of lists: in the latter a list fills the second member of each struct. */
static bool read_map(struct reader *reader, const struct weir_wire_member *member,
        enum weir_json_token token, struct weir_wire_list *list)
{
    if (!expect_map(reader, token)) {
        return false;
    }
    *list = (struct weir_wire_list){ .set = true };
    const struct weir_wire_shape *shape = member->shape;
    while ((token = weir_json_next(&reader->json)) == WEIR_JSON_NAME) {
        char *at = grow(reader, list, shape->size);
        *(struct weir_str *)(void *)at = weir_arena_str(reader->arena, reader->json.text);
        token = weir_json_next(&reader->json);
        const struct weir_wire_member *inner = shape->members;
        bool good = member->type == WEIR_WIRE_MAP
                            ? read_struct(reader, shape, token, at)
                            : read_list(reader, inner, token,
                                      (struct weir_wire_list *)(void *)(at + inner->offset));
        if (!good) {
            return false;
        }
    }
    return token != WEIR_JSON_ERROR || fail_syntax(reader);
}

/* A parameter that is not offered: an empty one, or false, loses nothing. */
static bool read_refused(struct reader *reader, const struct weir_wire_member *member,
        enum weir_json_token token, struct weir_str *name)
{
    struct weir_str text;
    if (weir_json_raw(&reader->json, token, &text, &reader->err) != WEIR_OK) {
        return fail_syntax(reader);
    }
    if (!weir_str_eq(text, WEIR_STR("[]")) && !weir_str_eq(text, WEIR_STR("{}")) &&
            token != WEIR_JSON_FALSE) {
        *name = weir_str_z(member->name);
    }
    return true;
}

static bool read_value(struct reader *reader, const struct weir_wire_member *member,
        enum weir_json_token token, char *place)
{
    void *at = place + member->offset;
    switch (member->type) {
    case WEIR_WIRE_STRING:
    case WEIR_WIRE_TABLE_NAME:
    case WEIR_WIRE_INDEX_NAME:
        return read_string(reader, token, at);
    case WEIR_WIRE_BOOL:
        return read_bool(reader, token, at);
    case WEIR_WIRE_NUMBER:
        return read_number(reader, token, at);
    case WEIR_WIRE_TIME:
        return read_time(reader, token, at);
    case WEIR_WIRE_ITEM:
        return read_item(reader, token, at);
    case WEIR_WIRE_NAMES:
        return read_names(reader, token, at);
    case WEIR_WIRE_STRINGS:
    case WEIR_WIRE_ITEMS:
    case WEIR_WIRE_LIST:
        return read_list(reader, member, token, at);
    case WEIR_WIRE_MAP:
    case WEIR_WIRE_LISTS:
        return read_map(reader, member, token, at);
    case WEIR_WIRE_STRUCT: {
        char *inner = weir_arena_zero(reader->arena, 1, member->shape->size);
        memcpy(at, &inner, sizeof(inner));
        return read_struct(reader, member->shape, token, inner);
    }
    case WEIR_WIRE_REFUSED:
        return read_refused(reader, member, token, at);
    }
    return false;
}

static const struct weir_wire_member *find_member(
        const struct weir_wire_shape *shape, struct weir_str name)
{
    for (const struct weir_wire_member *m = shape->members; m->name != NULL; m++) {
        if (m->name[0] == (name.n > 0 ? name.p[0] : '\0') && strlen(m->name) == name.n &&
                memcmp(m->name, name.p, name.n) == 0) {
            return m;
        }
    }
    return NULL;
}

static bool read_members(struct reader *reader, const struct weir_wire_shape *shape, char *at)
{
    struct weir_json *json = &reader->json;
    enum weir_json_token token;
    while ((token = weir_json_next(json)) == WEIR_JSON_NAME) {
        const struct weir_wire_member *member = find_member(shape, json->text);
        token = weir_json_next(json);
        if (member == NULL || token == WEIR_JSON_NULL) {
            if (weir_json_skip(json, token, &reader->err) != WEIR_OK) {
                return fail_syntax(reader);
            }
        } else if (!read_value(reader, member, token, at)) {
            return false;
        }
    }
    return token != WEIR_JSON_ERROR || fail_syntax(reader);
}

enum weir_wire_fault weir_wire_read(const struct weir_wire_shape *shape, struct weir_str body,
        struct weir_arena *arena, void **ret_request, struct weir_str *ret_message)
{
    struct reader reader = { .arena = arena };
    weir_json_init(&reader.json, body, arena, MAX_DEPTH);
    char *request = weir_arena_zero(arena, 1, shape->size);
    bool good = read_struct(&reader, shape, weir_json_next(&reader.json), request);
    if (good && weir_json_next(&reader.json) != WEIR_JSON_END) {
        good = fail_syntax(&reader);
    }
    if (!good) {
        *ret_message = weir_arena_str(arena, weir_str_z(reader.err.msg));
        return reader.fault;
    }
    *ret_request = request;
    return WEIR_WIRE_FINE;
}
