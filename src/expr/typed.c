#include "expr/typed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr/expr_int.h"

/* --- writing ------------------------------------------------------------- */

static void write_content(struct weir_buf *buf, const struct weir_expr_value *value)
{
    size_t count = weir_expr_count(value);
    weir_buf_z(buf, ",\"v\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            weir_buf_byte(buf, ',');
        }
        if (value->kind == WEIR_EXPR_MAP) {
            struct weir_expr_value key;
            struct weir_expr_value item = weir_expr_pair_at(value, i, &key);
            weir_buf_byte(buf, '[');
            weir_expr_typed_write(buf, &key);
            weir_buf_byte(buf, ',');
            weir_expr_typed_write(buf, &item);
            weir_buf_byte(buf, ']');
        } else {
            struct weir_expr_value item = weir_expr_at(value, i);
            weir_expr_typed_write(buf, &item);
        }
    }
    weir_buf_byte(buf, ']');
}

static void write_text(struct weir_buf *buf, struct weir_str text)
{
    weir_buf_z(buf, ",\"v\":");
    weir_json_write_string(buf, text);
}

static void write_time(struct weir_buf *buf, int64_t seconds, int64_t ns)
{
    weir_buf_printf(buf, ",\"s\":\"%lld\",\"n\":%lld", (long long)seconds, (long long)ns);
}

/* Numbers and addresses: their text. */
static void write_scalar(struct weir_buf *buf, const struct weir_expr_value *value)
{
    char text[WEIR_DECIMAL_TEXT];
    size_t n = 0;
    switch (value->kind) {
    case WEIR_EXPR_INT:
        n = (size_t)snprintf(text, sizeof(text), "%lld", (long long)value->as.integer);
        break;
    case WEIR_EXPR_UINT:
        n = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value->as.natural);
        break;
    case WEIR_EXPR_DOUBLE:
        n = weir_double_format(value->as.real, text);
        break;
    case WEIR_EXPR_DECIMAL:
        n = weir_decimal_format(weir_expr_value_decimal(value), text);
        break;
    default:
        n = weir_ip_format(value, text);
        break;
    }
    write_text(buf, weir_str(text, n));
}

/* The short names of types whose own name is long. */
static const struct {
    uint8_t kind;
    const char *name;
} short_names[] = {
    { WEIR_EXPR_NULL, "null" },
    { WEIR_EXPR_TIMESTAMP, "timestamp" },
    { WEIR_EXPR_DURATION, "duration" },
    { WEIR_EXPR_OPTIONAL, "optional" },
    { WEIR_EXPR_IP, "ip" },
    { WEIR_EXPR_CIDR, "cidr" },
};

static const char *short_name(uint8_t kind)
{
    for (size_t i = 0; i < WEIR_COUNT(short_names); i++) {
        if (short_names[i].kind == kind) {
            return short_names[i].name;
        }
    }
    return weir_expr_kind_name((enum weir_expr_kind)kind);
}

void weir_expr_typed_write(struct weir_buf *buf, const struct weir_expr_value *value)
{
    weir_buf_printf(buf, "{\"t\":\"%s\"", short_name(value->kind));
    switch (value->kind) {
    case WEIR_EXPR_ABSENT:
    case WEIR_EXPR_NULL:
        break;
    case WEIR_EXPR_BOOL:
        weir_buf_z(buf, value->as.boolean ? ",\"v\":true" : ",\"v\":false");
        break;
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_TYPE:
        write_text(buf, value->as.str);
        break;
    case WEIR_EXPR_BYTES:
        weir_buf_z(buf, ",\"v\":");
        weir_json_write_base64(buf, value->as.str);
        break;
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
    case WEIR_EXPR_MAP:
        write_content(buf, value);
        break;
    case WEIR_EXPR_TIMESTAMP:
        write_time(buf, value->as.integer, value->scale);
        break;
    case WEIR_EXPR_DURATION:
        write_time(buf, value->as.integer / 1000000000, value->as.integer % 1000000000);
        break;
    case WEIR_EXPR_OPTIONAL:
        if (value->as.inner != NULL) {
            weir_buf_z(buf, ",\"v\":");
            weir_expr_typed_write(buf, value->as.inner);
        }
        break;
    default:
        write_scalar(buf, value);
        break;
    }
    weir_buf_byte(buf, '}');
}

/* --- reading ------------------------------------------------------------- */

enum { MAX_DEPTH = 64 };

/* What stands in one object, still as JSON text. */
struct fields {
    size_t pos;
    struct weir_str type;
    struct weir_str value; /* empty: none */
    struct weir_str seconds;
    struct weir_str ns;
};

struct reader {
    struct weir_arena *arena;
    struct weir_err *err;
    unsigned depth;
};

static enum weir_rc read_text(
        struct reader *reader, struct weir_str text, struct weir_expr_value *ret);

static enum weir_rc bad(struct reader *reader, const struct fields *fields, const char *expected)
{
    return weir_fail_at(reader->err, WEIR_E_INVALID, fields->pos, "a value of type %.*s needs %s",
            WEIR_STR_ARG(fields->type), expected);
}

/* The content of a JSON string, or the text of a number; false for anything else. */
static bool plain(struct reader *reader, struct weir_str json, struct weir_str *ret)
{
    struct weir_json inner;
    weir_json_init(&inner, json, reader->arena, 1);
    enum weir_json_token token = weir_json_next(&inner);
    *ret = inner.text;
    return token == WEIR_JSON_STRING || token == WEIR_JSON_NUMBER;
}

static enum weir_rc read_scalar(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_str text;
    struct weir_str type = fields->type;
    if (!plain(reader, fields->value, &text)) {
        return bad(reader, fields, "\"v\" as text");
    }
    struct weir_str zero = weir_arena_str(reader->arena, text);
    char *end = NULL;
    errno = 0;
    if (weir_str_eq(type, WEIR_STR("int"))) {
        weir_set_int(ret, strtoll(zero.p, &end, 10));
    } else if (weir_str_eq(type, WEIR_STR("uint"))) {
        weir_set_uint(ret, strtoull(zero.p, &end, 10));
        errno = strchr(zero.p, '-') != NULL ? ERANGE : errno; /* it would wrap around */
    } else if (weir_str_eq(type, WEIR_STR("double"))) {
        weir_set_double(ret, strtod(zero.p, &end));
        errno = 0; /* too small and too large have values */
    } else if (weir_str_eq(type, WEIR_STR("string"))) {
        weir_set_string(ret, text);
    } else if (weir_str_eq(type, WEIR_STR("type"))) {
        *ret = weir_expr_type(zero.p);
    } else if (weir_str_eq(type, WEIR_STR("decimal"))) {
        struct weir_decimal decimal;
        enum weir_rc rc = weir_decimal_parse(text, &decimal, reader->err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_set_decimal(ret, decimal);
    } else if (weir_str_eq(type, WEIR_STR("bytes"))) {
        struct weir_str bytes;
        enum weir_rc rc = weir_base64_decode(reader->arena, text, true, &bytes, reader->err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_set_bytes(ret, bytes);
    } else if (weir_str_eq(type, WEIR_STR("ip")) || weir_str_eq(type, WEIR_STR("cidr"))) {
        bool ok = weir_str_eq(type, WEIR_STR("ip")) ? weir_ip_parse(text, ret)
                                                    : weir_cidr_parse(text, ret);
        return ok ? WEIR_OK : bad(reader, fields, "an address");
    } else {
        return weir_fail_at(reader->err, WEIR_E_INVALID, fields->pos, "unknown type '%.*s'",
                WEIR_STR_ARG(type));
    }
    bool number = end == NULL || (end == zero.p + zero.n && zero.n > 0 && errno == 0);
    return number ? WEIR_OK : bad(reader, fields, "a number of that type");
}

static enum weir_rc read_time(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_str seconds = WEIR_STR("0");
    struct weir_str ns = WEIR_STR("0");
    if (!plain(reader, fields->seconds, &seconds) ||
            (fields->ns.n > 0 && !plain(reader, fields->ns, &ns))) {
        return bad(reader, fields, "\"s\" and \"n\"");
    }
    long long s = strtoll(weir_arena_str(reader->arena, seconds).p, NULL, 10);
    long long n = strtoll(weir_arena_str(reader->arena, ns).p, NULL, 10);
    struct weir_moment moment = { .seconds = s, .ns = (int32_t)n };
    if (weir_str_eq(fields->type, WEIR_STR("timestamp"))) {
        if (!weir_timestamp_in_range(moment) || n < 0 || n > 999999999) {
            return bad(reader, fields, "a moment in years 1 to 9999");
        }
        *ret = (struct weir_expr_value){
            .kind = WEIR_EXPR_TIMESTAMP, .scale = moment.ns, .as.integer = moment.seconds
        };
        return WEIR_OK;
    }
    int64_t total = 0;
    if (__builtin_mul_overflow((int64_t)s, (int64_t)1000000000, &total) ||
            __builtin_add_overflow(total, (int64_t)n, &total)) {
        return bad(reader, fields, "at most 292 years");
    }
    *ret = (struct weir_expr_value){ .kind = WEIR_EXPR_DURATION, .as.integer = total };
    return WEIR_OK;
}

/* The elements of a JSON array as values in an arena; each is raw text first. */
static enum weir_rc read_elements(struct reader *reader, const struct fields *fields,
        struct weir_str json, struct weir_expr_value **ret_items, size_t *ret_count)
{
    struct weir_json inner;
    size_t capacity = 8;
    size_t count = 0;
    struct weir_expr_value *items = weir_arena_zero(reader->arena, capacity, sizeof(*items));
    weir_json_init(&inner, json, reader->arena, WEIR_JSON_MAX_DEPTH);
    if (weir_json_next(&inner) != WEIR_JSON_ARRAY) {
        return bad(reader, fields, "a list");
    }
    for (enum weir_json_token token; (token = weir_json_next(&inner)) != WEIR_JSON_ARRAY_END;) {
        struct weir_str raw;
        enum weir_rc rc = weir_json_raw(&inner, token, &raw, reader->err);
        if (rc == WEIR_OK && count == capacity) {
            struct weir_expr_value *more =
                    weir_arena_zero(reader->arena, capacity * 2, sizeof(*items));
            memcpy(more, items, count * sizeof(*items));
            items = more;
            capacity *= 2;
        }
        rc = rc == WEIR_OK ? read_text(reader, raw, &items[count]) : rc;
        if (rc != WEIR_OK) {
            return rc;
        }
        count++;
    }
    *ret_items = items;
    *ret_count = count;
    return WEIR_OK;
}

/* [[key, value], ...] */
static enum weir_rc read_map(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_json inner;
    size_t capacity = 8;
    size_t count = 0;
    struct weir_expr_value *pairs = weir_arena_zero(reader->arena, 2 * capacity, sizeof(*pairs));
    weir_json_init(&inner, fields->value, reader->arena, WEIR_JSON_MAX_DEPTH);
    if (weir_json_next(&inner) != WEIR_JSON_ARRAY) {
        return bad(reader, fields, "a list of pairs");
    }
    for (enum weir_json_token token; (token = weir_json_next(&inner)) != WEIR_JSON_ARRAY_END;) {
        struct weir_str raw;
        struct weir_expr_value *pair = NULL;
        size_t two = 0;
        enum weir_rc rc = weir_json_raw(&inner, token, &raw, reader->err);
        rc = rc == WEIR_OK ? read_elements(reader, fields, raw, &pair, &two) : rc;
        if (rc != WEIR_OK) {
            return rc;
        }
        if (two != 2) {
            return bad(reader, fields, "pairs of a key and a value");
        }
        if (count == capacity) {
            struct weir_expr_value *more =
                    weir_arena_zero(reader->arena, 4 * capacity, sizeof(*pairs));
            memcpy(more, pairs, 2 * count * sizeof(*pairs));
            pairs = more;
            capacity *= 2;
        }
        pairs[2 * count] = pair[0];
        pairs[2 * count + 1] = pair[1];
        count++;
    }
    return weir_expr_map(reader->arena, pairs, count, ret, reader->err);
}

static enum weir_rc read_list(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_expr_value *items = NULL;
    size_t count = 0;
    enum weir_rc rc = read_elements(reader, fields, fields->value, &items, &count);
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = weir_expr_list(items, count);
    if (weir_str_eq(fields->type, WEIR_STR("set"))) {
        struct weir_run run = {
            .arena = reader->arena,
            .steps = SIZE_MAX,
            .limit_bytes = SIZE_MAX,
        };
        struct weir_expr_value list = *ret;
        if (!weir_set_make(&run, &list, ret)) {
            return bad(reader, fields, "members of one type: string, decimal or bytes");
        }
    }
    return WEIR_OK;
}

static enum weir_rc read_optional(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_expr_value *inner = NULL;
    if (fields->value.n > 0) {
        inner = WEIR_ARENA_NEW(reader->arena, struct weir_expr_value);
        enum weir_rc rc = read_text(reader, fields->value, inner);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret = weir_expr_optional(inner);
    return WEIR_OK;
}

static enum weir_rc read_fields(
        struct reader *reader, const struct fields *fields, struct weir_expr_value *ret)
{
    struct weir_str type = fields->type;
    if (weir_str_eq(type, WEIR_STR("null"))) {
        *ret = weir_expr_null();
        return WEIR_OK;
    }
    if (weir_str_eq(type, WEIR_STR("bool"))) {
        bool yes = weir_str_eq(fields->value, WEIR_STR("true"));
        weir_set_bool(ret, yes);
        return yes || weir_str_eq(fields->value, WEIR_STR("false"))
                       ? WEIR_OK
                       : bad(reader, fields, "true or false");
    }
    if (weir_str_eq(type, WEIR_STR("list")) || weir_str_eq(type, WEIR_STR("set"))) {
        return read_list(reader, fields, ret);
    }
    if (weir_str_eq(type, WEIR_STR("map"))) {
        return read_map(reader, fields, ret);
    }
    if (weir_str_eq(type, WEIR_STR("timestamp")) || weir_str_eq(type, WEIR_STR("duration"))) {
        return read_time(reader, fields, ret);
    }
    if (weir_str_eq(type, WEIR_STR("optional"))) {
        return read_optional(reader, fields, ret);
    }
    return read_scalar(reader, fields, ret);
}

static enum weir_rc read_object(struct reader *reader, struct weir_json *json,
        enum weir_json_token token, struct weir_expr_value *ret)
{
    struct fields fields = { .pos = json->pos };
    if (token != WEIR_JSON_OBJECT) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, json->pos,
                "expected a typed value as in {\"t\": \"int\", \"v\": \"5\"}, found %s",
                weir_json_token_name(token));
    }
    if (reader->depth >= MAX_DEPTH) {
        return weir_fail_at(reader->err, WEIR_E_INVALID, json->pos,
                "typed value is nested deeper than %d", MAX_DEPTH);
    }
    while ((token = weir_json_next(json)) == WEIR_JSON_NAME) {
        struct weir_str name = json->text;
        struct weir_str raw;
        token = weir_json_next(json);
        enum weir_rc rc = weir_json_raw(json, token, &raw, reader->err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (weir_str_eq(name, WEIR_STR("t"))) {
            plain(reader, raw, &fields.type);
        } else if (weir_str_eq(name, WEIR_STR("v"))) {
            fields.value = raw;
        } else if (weir_str_eq(name, WEIR_STR("s"))) {
            fields.seconds = raw;
        } else if (weir_str_eq(name, WEIR_STR("n"))) {
            fields.ns = raw;
        }
    }
    if (token != WEIR_JSON_OBJECT_END) {
        return weir_fail_at(
                reader->err, WEIR_E_INVALID, json->pos, "typed value: %s", json->err.msg);
    }
    reader->depth++;
    enum weir_rc rc = read_fields(reader, &fields, ret);
    reader->depth--;
    return rc;
}

static enum weir_rc read_text(
        struct reader *reader, struct weir_str text, struct weir_expr_value *ret)
{
    struct weir_json json;
    weir_json_init(&json, text, reader->arena, WEIR_JSON_MAX_DEPTH);
    return read_object(reader, &json, weir_json_next(&json), ret);
}

enum weir_rc weir_expr_typed_read(struct weir_json *json, enum weir_json_token token,
        struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct reader reader = { .arena = json->arena, .err = err };
    return read_object(&reader, json, token, ret_value);
}
