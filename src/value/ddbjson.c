#include "value/ddbjson.h"

#include <string.h>
#include <strings.h>

#include "value/item_int.h"

#define NULL_NOT_TRUE                                                                            \
    "One or more parameter values were invalid: Null attribute value types must have the value " \
    "of true"
#define NO_TYPE \
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
#define TWO_TYPES                                                                               \
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the " \
    "supported datatypes"

/* What reading needs at every level. */
struct reader {
    struct weir_json *json;
    struct weir_item_builder *builder;
    struct weir_err *err; /* never NULL */
};

static enum weir_rc read_attribute(struct reader *reader, enum weir_json_token token);
static enum weir_rc read_members(struct reader *reader);
static enum weir_rc read_plain(struct reader *reader, enum weir_json_token token);

/* --- errors ------------------------------------------------------------- */

/* Positions of errors of syntax and type are never 0: that is how they are told from the others. */
static size_t position(size_t pos)
{
    return pos > 0 ? pos : 1;
}

static enum weir_rc fail_syntax(struct reader *reader)
{
    *reader->err = reader->json->err;
    reader->err->pos = position(reader->err->pos);
    return reader->err->code;
}

static enum weir_rc fail_semantic(struct reader *reader, const char *message)
{
    return weir_fail(reader->err, WEIR_E_INVALID, "%s", message);
}

static enum weir_rc fail_type(struct reader *reader, const char *message)
{
    return weir_fail_at(reader->err, WEIR_E_INVALID, position(reader->json->pos), "%s", message);
}

/* A scalar of DynamoDB stands where the token is something else; type is AWS's name for it. */
static enum weir_rc fail_scalar(
        struct reader *reader, enum weir_json_token token, const char *type, const char *java)
{
    const char *found = NULL;
    struct weir_str text = reader->json->text;
    switch (token) {
    case WEIR_JSON_ERROR:
        return fail_syntax(reader);
    case WEIR_JSON_STRING:
        found = "STRING_VALUE";
        break;
    case WEIR_JSON_NUMBER:
        found = "NUMBER_VALUE";
        for (size_t i = 0; i < text.n; i++) {
            if (text.p[i] == '.' || (text.p[i] | 0x20) == 'e') {
                found = "DECIMAL_VALUE";
            }
        }
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
        return weir_fail_at(reader->err, WEIR_E_INVALID, position(reader->json->pos),
                "Unrecognized collection type class %s", java);
    case WEIR_JSON_END:
    case WEIR_JSON_OBJECT:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY_END:
    case WEIR_JSON_NAME:
        return fail_type(reader, "Start of structure or map found where not expected.");
    }
    return weir_fail_at(reader->err, WEIR_E_INVALID, position(reader->json->pos),
            "%s cannot be converted to %s", found, type);
}

static enum weir_rc fail_container(struct reader *reader, enum weir_json_token token)
{
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    if (token == WEIR_JSON_OBJECT) {
        return fail_type(reader, "Start of structure or map found where not expected.");
    }
    if (token == WEIR_JSON_ARRAY) {
        return fail_type(reader, "Unrecognized collection type java.util.Map");
    }
    return fail_type(reader, "Unexpected field type");
}

/* --- DynamoDB JSON in --------------------------------------------------- */

static enum weir_rc read_binary(struct reader *reader)
{
    struct weir_str bytes;
    enum weir_rc rc =
            weir_base64_decode(reader->json->arena, reader->json->text, false, &bytes, reader->err);
    if (rc != WEIR_OK) {
        reader->err->pos = position(reader->json->pos + reader->err->pos);
        return rc;
    }
    weir_item_b(reader->builder, bytes);
    return WEIR_OK;
}

/* An S, N or B value, or an element of a set of them. */
static enum weir_rc read_scalar(
        struct reader *reader, enum weir_type type, enum weir_json_token token)
{
    struct weir_decimal number;
    if (token != WEIR_JSON_STRING) {
        return type == WEIR_TYPE_B ? fail_scalar(reader, token, "Blob", "java.nio.ByteBuffer")
                                   : fail_scalar(reader, token, "String", "java.lang.String");
    }
    if (type == WEIR_TYPE_S) {
        weir_item_s(reader->builder, reader->json->text);
        return WEIR_OK;
    }
    if (type == WEIR_TYPE_B) {
        return read_binary(reader);
    }
    enum weir_rc rc = weir_decimal_parse(reader->json->text, &number, reader->err);
    if (rc == WEIR_OK) {
        weir_item_n(reader->builder, number);
    }
    return rc;
}

static enum weir_rc read_null(struct reader *reader, enum weir_json_token token)
{
    static const char truth[] = "true";
    bool is_true = token == WEIR_JSON_TRUE;
    if (token == WEIR_JSON_STRING) { /* AWS takes the word as text too */
        struct weir_str text = reader->json->text;
        is_true = text.n == sizeof(truth) - 1 && strncasecmp(text.p, truth, text.n) == 0;
    } else if (token != WEIR_JSON_TRUE && token != WEIR_JSON_FALSE) {
        return fail_scalar(reader, token, "Boolean", "java.lang.Boolean");
    }
    if (!is_true) {
        return fail_semantic(reader, NULL_NOT_TRUE);
    }
    weir_item_null(reader->builder);
    return WEIR_OK;
}

/* An L, or a set whose elements are of the type given. */
static enum weir_rc read_elements(struct reader *reader, enum weir_type type,
        enum weir_type element, enum weir_json_token token)
{
    if (token != WEIR_JSON_ARRAY) {
        return fail_container(reader, token);
    }
    weir_item_open(reader->builder, type);
    while ((token = weir_json_next(reader->json)) != WEIR_JSON_ARRAY_END) {
        enum weir_rc rc = type == WEIR_TYPE_L ? read_attribute(reader, token)
                                              : read_scalar(reader, element, token);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    weir_item_close(reader->builder);
    return WEIR_OK;
}

/* What stands behind a type's name. */
static enum weir_rc read_typed(
        struct reader *reader, enum weir_type type, enum weir_json_token token)
{
    enum weir_rc rc = WEIR_OK;
    switch (type) {
    case WEIR_TYPE_S:
    case WEIR_TYPE_N:
    case WEIR_TYPE_B:
        return read_scalar(reader, type, token);
    case WEIR_TYPE_BOOL:
        if (token != WEIR_JSON_TRUE && token != WEIR_JSON_FALSE) {
            return fail_scalar(reader, token, "Boolean", "java.lang.Boolean");
        }
        weir_item_bool(reader->builder, token == WEIR_JSON_TRUE);
        return WEIR_OK;
    case WEIR_TYPE_NULL:
        return read_null(reader, token);
    case WEIR_TYPE_M:
        if (token != WEIR_JSON_OBJECT) {
            return fail_container(reader, token);
        }
        weir_item_open(reader->builder, WEIR_TYPE_M);
        rc = read_members(reader);
        if (rc == WEIR_OK) {
            weir_item_close(reader->builder);
        }
        return rc;
    case WEIR_TYPE_L:
        return read_elements(reader, type, WEIR_TYPE_ABSENT, token);
    case WEIR_TYPE_SS:
        return read_elements(reader, type, WEIR_TYPE_S, token);
    case WEIR_TYPE_NS:
        return read_elements(reader, type, WEIR_TYPE_N, token);
    case WEIR_TYPE_BS:
        return read_elements(reader, type, WEIR_TYPE_B, token);
    case WEIR_TYPE_ABSENT:
        break;
    }
    return fail_semantic(reader, NO_TYPE);
}

/* A second type in one value; a number is still looked at first, as AWS does. */
static enum weir_rc fail_second(
        struct reader *reader, enum weir_type type, enum weir_json_token token)
{
    struct weir_decimal number;
    if (type == WEIR_TYPE_N && token == WEIR_JSON_STRING) {
        enum weir_rc rc = weir_decimal_parse(reader->json->text, &number, reader->err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return fail_semantic(reader, TWO_TYPES);
}

/* One attribute value, {"S": "a"}. Unknown members and those that are null count as not there. */
static enum weir_rc read_attribute(struct reader *reader, enum weir_json_token token)
{
    struct weir_json *json = reader->json;
    bool found = false;
    if (token != WEIR_JSON_OBJECT) {
        if (token == WEIR_JSON_NULL) {
            return fail_semantic(reader, NO_TYPE);
        }
        return token == WEIR_JSON_ERROR ? fail_syntax(reader)
                                        : fail_type(reader, "Unexpected value type in payload");
    }
    while ((token = weir_json_next(json)) == WEIR_JSON_NAME) {
        enum weir_type type = weir_type_parse(json->text);
        token = weir_json_next(json);
        enum weir_rc rc = WEIR_OK;
        if (type == WEIR_TYPE_ABSENT || token == WEIR_JSON_NULL) {
            if (weir_json_skip(json, token, reader->err) != WEIR_OK) {
                return fail_syntax(reader);
            }
        } else if (found) {
            return token == WEIR_JSON_ERROR ? fail_syntax(reader)
                                            : fail_second(reader, type, token);
        } else {
            found = true;
            rc = read_typed(reader, type, token);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(reader);
    }
    return found ? WEIR_OK : fail_semantic(reader, NO_TYPE);
}

/* The members of an item or M up to its end. */
static enum weir_rc read_members(struct reader *reader)
{
    enum weir_json_token token;
    while ((token = weir_json_next(reader->json)) == WEIR_JSON_NAME) {
        weir_item_name(reader->builder, reader->json->text);
        enum weir_rc rc = read_attribute(reader, weir_json_next(reader->json));
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return token == WEIR_JSON_ERROR ? fail_syntax(reader) : WEIR_OK;
}

/* When reading failed, an earlier error of the builder's goes before one of meaning. */
static enum weir_rc first_error(struct reader *reader, enum weir_rc rc)
{
    if (rc != WEIR_OK && reader->err->pos == 0) {
        enum weir_rc earlier = weir_item_status(reader->builder, reader->err);
        return earlier != WEIR_OK ? earlier : rc;
    }
    return rc;
}

enum weir_rc weir_ddbjson_read_item(struct weir_json *json, enum weir_json_token token,
        struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_err local;
    struct reader reader = { json, weir_item_begin(json->arena), err != NULL ? err : &local };
    if (token != WEIR_JSON_OBJECT) {
        return fail_container(&reader, token);
    }
    enum weir_rc rc = read_members(&reader);
    if (rc != WEIR_OK) {
        return first_error(&reader, rc);
    }
    return weir_item_finish(reader.builder, ret_item, err);
}

enum weir_rc weir_ddbjson_read_value(struct weir_json *json, enum weir_json_token token,
        struct weir_value *ret_value, struct weir_err *err)
{
    struct weir_err local;
    struct reader reader = { json, weir_item_begin(json->arena), err != NULL ? err : &local };
    enum weir_rc rc = read_attribute(&reader, token);
    if (rc != WEIR_OK) {
        return first_error(&reader, rc);
    }
    return weir_item_finish_value(reader.builder, ret_value, err);
}

/* --- DynamoDB JSON out -------------------------------------------------- */

static void write_number(struct weir_buf *buf, struct weir_value value)
{
    char text[WEIR_DECIMAL_TEXT];
    weir_buf_add(buf, text, weir_decimal_format(weir_value_decimal(value), text));
}

/* The elements of a set as texts between brackets. */
static void write_set(struct weir_buf *buf, struct weir_value set)
{
    size_t count = weir_value_count(set);
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < count; i++) {
        struct weir_value element = weir_value_at(set, i);
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        if (element.type == WEIR_TYPE_S) {
            weir_json_write_string(buf, element.body);
        } else if (element.type == WEIR_TYPE_B) {
            weir_json_write_base64(buf, element.body);
        } else {
            weir_buf_byte(buf, '"');
            write_number(buf, element);
            weir_buf_byte(buf, '"');
        }
    }
    weir_buf_byte(buf, ']');
}

static void write_list(struct weir_buf *buf, struct weir_value list)
{
    size_t count = weir_value_count(list);
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        weir_ddbjson_write_value(buf, weir_value_at(list, i));
    }
    weir_buf_byte(buf, ']');
}

static void add_literal(struct weir_buf *buf, struct weir_str literal)
{
    weir_buf_add(buf, literal.p, literal.n);
}

void weir_ddbjson_write_value(struct weir_buf *buf, struct weir_value value)
{
    switch (value.type) {
    case WEIR_TYPE_S:
        add_literal(buf, WEIR_STR("{\"S\":"));
        weir_json_write_string(buf, value.body);
        break;
    case WEIR_TYPE_N:
        add_literal(buf, WEIR_STR("{\"N\":\""));
        write_number(buf, value);
        weir_buf_byte(buf, '"');
        break;
    case WEIR_TYPE_B:
        add_literal(buf, WEIR_STR("{\"B\":"));
        weir_json_write_base64(buf, value.body);
        break;
    case WEIR_TYPE_BOOL:
        add_literal(buf,
                weir_value_bool(value) ? WEIR_STR("{\"BOOL\":true") : WEIR_STR("{\"BOOL\":false"));
        break;
    case WEIR_TYPE_NULL:
        add_literal(buf, WEIR_STR("{\"NULL\":true"));
        break;
    case WEIR_TYPE_L:
        add_literal(buf, WEIR_STR("{\"L\":"));
        write_list(buf, value);
        break;
    case WEIR_TYPE_M:
        add_literal(buf, WEIR_STR("{\"M\":"));
        weir_ddbjson_write_item(buf, weir_value_map(value));
        break;
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        add_literal(buf, WEIR_STR("{\""));
        weir_buf_add(buf, weir_type_name(value.type), 2);
        add_literal(buf, WEIR_STR("\":"));
        write_set(buf, value);
        break;
    case WEIR_TYPE_ABSENT:
        weir_buf_byte(buf, '{');
        break;
    }
    weir_buf_byte(buf, '}');
}

/* Write an item's names and, by a function, its values. */
static void write_item(struct weir_buf *buf, struct weir_item item,
        void (*write)(struct weir_buf *buf, struct weir_value value))
{
    struct weir_item_table table = weir_item_table(item.p, item.n);
    weir_buf_byte(buf, '{');
    for (size_t i = 0; i < table.count; i++) {
        struct weir_str value;
        struct weir_str name = weir_item_entry_name(weir_item_entry(&table, i), &value);
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        weir_json_write_string(buf, name);
        weir_buf_byte(buf, ':');
        write(buf, weir_item_typed(value));
    }
    weir_buf_byte(buf, '}');
}

void weir_ddbjson_write_item(struct weir_buf *buf, struct weir_item item)
{
    write_item(buf, item, weir_ddbjson_write_value);
}

/* --- plain JSON --------------------------------------------------------- */

static void write_plain_elements(struct weir_buf *buf, struct weir_value value)
{
    size_t count = weir_value_count(value);
    weir_buf_byte(buf, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        weir_ddbjson_write_plain_value(buf, weir_value_at(value, i));
    }
    weir_buf_byte(buf, ']');
}

void weir_ddbjson_write_plain_value(struct weir_buf *buf, struct weir_value value)
{
    switch (value.type) {
    case WEIR_TYPE_S:
        weir_json_write_string(buf, value.body);
        break;
    case WEIR_TYPE_N:
        write_number(buf, value);
        break;
    case WEIR_TYPE_B:
        weir_json_write_base64(buf, value.body);
        break;
    case WEIR_TYPE_BOOL:
        weir_buf_z(buf, weir_value_bool(value) ? "true" : "false");
        break;
    case WEIR_TYPE_NULL:
    case WEIR_TYPE_ABSENT:
        weir_buf_z(buf, "null");
        break;
    case WEIR_TYPE_M:
        weir_ddbjson_write_plain_item(buf, weir_value_map(value));
        break;
    case WEIR_TYPE_L:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        write_plain_elements(buf, value);
        break;
    }
}

void weir_ddbjson_write_plain_item(struct weir_buf *buf, struct weir_item item)
{
    write_item(buf, item, weir_ddbjson_write_plain_value);
}

/* The members of the open M (or the item) up to their end. */
static enum weir_rc read_plain_members(struct reader *reader)
{
    enum weir_json_token token;
    while ((token = weir_json_next(reader->json)) == WEIR_JSON_NAME) {
        weir_item_name(reader->builder, reader->json->text);
        enum weir_rc rc = read_plain(reader, weir_json_next(reader->json));
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return token == WEIR_JSON_ERROR ? fail_syntax(reader) : WEIR_OK;
}

static enum weir_rc read_plain_container(struct reader *reader, enum weir_json_token token)
{
    bool object = token == WEIR_JSON_OBJECT;
    enum weir_rc rc = WEIR_OK;
    weir_item_open(reader->builder, object ? WEIR_TYPE_M : WEIR_TYPE_L);
    if (object) {
        rc = read_plain_members(reader);
    }
    while (!object && rc == WEIR_OK &&
            (token = weir_json_next(reader->json)) != WEIR_JSON_ARRAY_END) {
        rc = read_plain(reader, token);
    }
    if (rc == WEIR_OK) {
        weir_item_close(reader->builder);
    }
    return rc;
}

static enum weir_rc read_plain(struct reader *reader, enum weir_json_token token)
{
    struct weir_item_builder *builder = reader->builder;
    struct weir_decimal number;
    switch (token) {
    case WEIR_JSON_STRING:
        weir_item_s(builder, reader->json->text);
        break;
    case WEIR_JSON_NUMBER:
        if (weir_decimal_parse(reader->json->text, &number, reader->err) != WEIR_OK) {
            reader->err->pos = position(reader->json->pos);
            return reader->err->code;
        }
        weir_item_n(builder, number);
        break;
    case WEIR_JSON_TRUE:
    case WEIR_JSON_FALSE:
        weir_item_bool(builder, token == WEIR_JSON_TRUE);
        break;
    case WEIR_JSON_NULL:
        weir_item_null(builder);
        break;
    case WEIR_JSON_OBJECT:
    case WEIR_JSON_ARRAY:
        return read_plain_container(reader, token);
    case WEIR_JSON_ERROR:
    case WEIR_JSON_END:
    case WEIR_JSON_NAME:
    case WEIR_JSON_OBJECT_END:
    case WEIR_JSON_ARRAY_END:
        return fail_syntax(reader);
    }
    return WEIR_OK;
}

enum weir_rc weir_ddbjson_read_plain_item(struct weir_json *json, enum weir_json_token token,
        struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_err local;
    struct reader reader = { json, weir_item_begin(json->arena), err != NULL ? err : &local };
    if (token == WEIR_JSON_ERROR) {
        return fail_syntax(&reader);
    }
    if (token != WEIR_JSON_OBJECT) {
        return weir_fail_at(reader.err, WEIR_E_INVALID, position(json->pos),
                "expected an object, found %s", weir_json_token_name(token));
    }
    enum weir_rc rc = read_plain_members(&reader);
    if (rc != WEIR_OK) {
        return rc;
    }
    return weir_item_finish(reader.builder, ret_item, err);
}
