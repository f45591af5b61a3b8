#include "expr/expr_int.h"

/* Values as attribute values. */

enum { MAX_DEPTH = WEIR_ITEM_MAX_DEPTH + 2 };

/*
 * A value is checked whole before any of it is added, so that a refused one leaves the
 * builder as it was.
 */
static enum weir_rc check(
        const struct weir_expr_value *value, unsigned depth, struct weir_err *err);

static enum weir_rc check_set(const struct weir_expr_value *value, struct weir_err *err)
{
    if (weir_expr_count(value) == 0) {
        return weir_fail(err, WEIR_E_INVALID, "an empty set cannot be stored");
    }
    return WEIR_OK; /* sets have members of one storable kind by construction */
}

static enum weir_rc check_content(
        const struct weir_expr_value *value, unsigned depth, struct weir_err *err)
{
    if (depth >= MAX_DEPTH) {
        return weir_fail(err, WEIR_E_LIMIT, "value is nested deeper than %d", WEIR_ITEM_MAX_DEPTH);
    }
    size_t count = weir_expr_count(value);
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value key = weir_expr_string(weir_str(NULL, 0));
        struct weir_expr_value item = value->kind == WEIR_EXPR_MAP
                                              ? weir_expr_pair_at(value, i, &key)
                                              : weir_expr_at(value, i);
        if (key.kind != WEIR_EXPR_STRING) {
            return weir_fail(err, WEIR_E_INVALID,
                    "a map to store needs string keys, not %s; use string(key)",
                    weir_expr_kind_name((enum weir_expr_kind)key.kind));
        }
        enum weir_rc rc = check(&item, depth + 1, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static enum weir_rc check(const struct weir_expr_value *value, unsigned depth, struct weir_err *err)
{
    struct weir_decimal decimal;
    switch (value->kind) {
    case WEIR_EXPR_DOUBLE:
        return value->exact != NULL ? WEIR_OK
                                    : weir_decimal_from_double(value->as.real, &decimal, err);
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_MAP:
        return value->form == WEIR_EXPR_ATTRIBUTE ? WEIR_OK : check_content(value, depth, err);
    case WEIR_EXPR_SET:
        return check_set(value, err);
    case WEIR_EXPR_OPTIONAL:
        if (value->as.inner == NULL) {
            return weir_fail(err, WEIR_E_INVALID, "optional.none() has no value to store");
        }
        return depth >= MAX_DEPTH
                       ? weir_fail(err, WEIR_E_LIMIT, "value is nested deeper than %d", MAX_DEPTH)
                       : check(value->as.inner, depth + 1, err);
    case WEIR_EXPR_DURATION:
        return weir_fail(err, WEIR_E_INVALID,
                "a duration cannot be stored; use its getSeconds() or string()");
    case WEIR_EXPR_TYPE:
    case WEIR_EXPR_ABSENT:
        return weir_fail(err, WEIR_E_INVALID, "a value of type %s cannot be stored",
                weir_expr_kind_name((enum weir_expr_kind)value->kind));
    default:
        return WEIR_OK;
    }
}

static void add(struct weir_item_builder *builder, const struct weir_expr_value *value);

/* The attribute value that a lazily read value is a view of. */
static struct weir_value whole(const struct weir_expr_value *value)
{
    return (struct weir_value){ (enum weir_type)value->type, value->as.str };
}

static void add_map(struct weir_item_builder *builder, const struct weir_expr_value *value)
{
    if (value->form == WEIR_EXPR_ATTRIBUTE && value->as.str.n > 0) {
        weir_item_value(builder, whole(value));
        return;
    }
    size_t count = weir_expr_count(value); /* an attribute of no bytes is an empty item */
    weir_item_open(builder, WEIR_TYPE_M);
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value key;
        struct weir_expr_value item = weir_expr_pair_at(value, i, &key);
        weir_item_name(builder, key.as.str);
        add(builder, &item);
    }
    weir_item_close(builder);
}

static void add_elements(
        struct weir_item_builder *builder, const struct weir_expr_value *value, enum weir_type type)
{
    size_t count = weir_expr_count(value);
    weir_item_open(builder, type);
    for (size_t i = 0; i < count; i++) {
        struct weir_expr_value item = weir_expr_at(value, i);
        add(builder, &item);
    }
    weir_item_close(builder);
}

static void add_set(struct weir_item_builder *builder, const struct weir_expr_value *value)
{
    if (value->form == WEIR_EXPR_ATTRIBUTE) {
        weir_item_value(builder, whole(value));
        return;
    }
    uint8_t kind = value->as.list.items[0].kind;
    add_elements(builder, value,
            kind == WEIR_EXPR_STRING  ? WEIR_TYPE_SS
            : kind == WEIR_EXPR_BYTES ? WEIR_TYPE_BS
                                      : WEIR_TYPE_NS);
}

static void add_double(struct weir_item_builder *builder, const struct weir_expr_value *value)
{
    struct weir_decimal decimal = { 0 };
    if (value->exact != NULL) {
        decimal = *value->exact;
    } else {
        enum weir_rc rc = weir_decimal_from_double(value->as.real, &decimal, NULL);
        weir_assert(rc == WEIR_OK); /* checked before */
    }
    weir_item_n(builder, decimal);
}

static void add_text(struct weir_item_builder *builder, const struct weir_expr_value *value)
{
    char text[WEIR_IP_TEXT];
    size_t n = value->kind == WEIR_EXPR_TIMESTAMP
                       ? weir_timestamp_format(
                                 (struct weir_moment){ value->as.integer, value->scale }, text)
                       : weir_ip_format(value, text);
    weir_item_s(builder, weir_str(text, n));
}

static void add(struct weir_item_builder *builder, const struct weir_expr_value *value)
{
    switch (value->kind) {
    case WEIR_EXPR_BOOL:
        weir_item_bool(builder, value->as.boolean);
        break;
    case WEIR_EXPR_INT:
        weir_item_n(builder, weir_decimal_from_i64(value->as.integer));
        break;
    case WEIR_EXPR_UINT:
        weir_item_n(builder, weir_decimal_from_u64(value->as.natural));
        break;
    case WEIR_EXPR_DOUBLE:
        add_double(builder, value);
        break;
    case WEIR_EXPR_DECIMAL:
        weir_item_n(builder, weir_expr_value_decimal(value));
        break;
    case WEIR_EXPR_STRING:
        weir_item_s(builder, value->as.str);
        break;
    case WEIR_EXPR_BYTES:
        weir_item_b(builder, value->as.str);
        break;
    case WEIR_EXPR_LIST:
        if (value->form == WEIR_EXPR_ATTRIBUTE) {
            weir_item_value(builder, whole(value));
        } else {
            add_elements(builder, value, WEIR_TYPE_L);
        }
        break;
    case WEIR_EXPR_SET:
        add_set(builder, value);
        break;
    case WEIR_EXPR_MAP:
        add_map(builder, value);
        break;
    case WEIR_EXPR_TIMESTAMP:
    case WEIR_EXPR_IP:
    case WEIR_EXPR_CIDR:
        add_text(builder, value);
        break;
    case WEIR_EXPR_OPTIONAL:
        add(builder, value->as.inner);
        break;
    default:
        weir_item_null(builder);
        break;
    }
}

enum weir_rc weir_expr_to_item(struct weir_item_builder *builder,
        const struct weir_expr_value *value, struct weir_err *err)
{
    enum weir_rc rc = check(value, 0, err);
    if (rc == WEIR_OK) {
        add(builder, value);
    }
    return rc;
}
