#include "value/item.h"

#include <string.h>

#include "value/item_int.h"

enum {
    LINEAR_COUNT = 16,    /* up to here looking at each name beats halving */
    CONTAINER_BYTES = 3,  /* DynamoDB's overhead of a list or map */
    ELEMENT_BYTES = 1,    /* and of each of its elements */
    NAME_LENGTH_BYTES = 4 /* 28 bits are more than the largest blob */
};

static const char *const type_names[] = { "", "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS",
    "BS" };

const char *weir_type_name(enum weir_type type)
{
    return (size_t)type < WEIR_COUNT(type_names) ? type_names[type] : "";
}

enum weir_type weir_type_parse(struct weir_str name)
{
    if (name.n == 1) {
        switch (name.p[0]) {
        case 'S':
            return WEIR_TYPE_S;
        case 'N':
            return WEIR_TYPE_N;
        case 'B':
            return WEIR_TYPE_B;
        case 'L':
            return WEIR_TYPE_L;
        case 'M':
            return WEIR_TYPE_M;
        default:
            return WEIR_TYPE_ABSENT;
        }
    }
    for (size_t i = WEIR_TYPE_S; i < WEIR_COUNT(type_names); i++) {
        if (weir_str_eq(name, weir_str_z(type_names[i]))) {
            return (enum weir_type)i;
        }
    }
    return WEIR_TYPE_ABSENT;
}

/* --- reading ------------------------------------------------------------ */

size_t weir_item_count(struct weir_item item)
{
    return weir_item_table(item.p, item.n).count;
}

/* Equality of short texts without a call: names are mostly short. */
static inline bool same_bytes(const char *a, const char *b, size_t n)
{
    if (n > 16) {
        return memcmp(a, b, n) == 0;
    }
    if (n >= 8) {
        uint64_t words[4];
        memcpy(&words[0], a, 8);
        memcpy(&words[1], b, 8);
        memcpy(&words[2], a + n - 8, 8);
        memcpy(&words[3], b + n - 8, 8);
        return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
    }
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

static struct weir_value get_linear(const struct weir_item_table *table, struct weir_str name)
{
    /* The first byte of the coded length tells most names apart. */
    unsigned char first = (unsigned char)(name.n < 0x80 ? name.n : (name.n & 0x7f) | 0x80);
    size_t start = 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t end = weir_item_load(table->ends + i * table->width, table->width);
        if ((unsigned char)table->entries[start] == first) {
            struct weir_str value;
            struct weir_str found =
                    weir_item_entry_name(weir_str(table->entries + start, end - start), &value);
            if (found.n == name.n && same_bytes(found.p, name.p, name.n)) {
                return weir_item_typed(value);
            }
        }
        start = end;
    }
    return (struct weir_value){ 0 };
}

struct weir_value weir_item_get(struct weir_item item, struct weir_str name)
{
    struct weir_item_table table = weir_item_table(item.p, item.n);
    if (table.count <= LINEAR_COUNT) {
        return get_linear(&table, name);
    }
    size_t low = 0;
    size_t high = table.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct weir_str value;
        int c = weir_str_cmp(weir_item_entry_name(weir_item_entry(&table, middle), &value), name);
        if (c == 0) {
            return weir_item_typed(value);
        }
        if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (struct weir_value){ 0 };
}

struct weir_value weir_item_at(struct weir_item item, size_t i, struct weir_str *ret_name)
{
    struct weir_item_table table = weir_item_table(item.p, item.n);
    weir_assert(i < table.count);
    struct weir_str value;
    *ret_name = weir_item_entry_name(weir_item_entry(&table, i), &value);
    return weir_item_typed(value);
}

static size_t number_size(struct weir_str body)
{
    unsigned char head = (unsigned char)body.p[0]; /* sign and digits: see weir_decimal_encode */
    return ((head & 0x3fu) + 1) / 2 + 1 + (head >> 7);
}

size_t weir_value_size(struct weir_value value)
{
    size_t size = 0;
    switch (value.type) {
    case WEIR_TYPE_ABSENT:
        return 0;
    case WEIR_TYPE_S:
    case WEIR_TYPE_B:
        return value.body.n;
    case WEIR_TYPE_N:
        return number_size(value.body);
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_NULL:
        return 1;
    case WEIR_TYPE_M:
        return CONTAINER_BYTES + weir_value_count(value) * ELEMENT_BYTES +
               weir_item_size(weir_value_map(value));
    case WEIR_TYPE_L:
        size = CONTAINER_BYTES + weir_value_count(value) * ELEMENT_BYTES;
        break;
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        break;
    }
    size_t count = weir_value_count(value);
    for (size_t i = 0; i < count; i++) {
        size += weir_value_size(weir_value_at(value, i));
    }
    return size;
}

size_t weir_item_size(struct weir_item item)
{
    size_t size = 0;
    size_t count = weir_item_count(item);
    for (size_t i = 0; i < count; i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(item, i, &name);
        size += name.n + weir_value_size(value);
    }
    return size;
}

struct weir_str weir_value_str(struct weir_value value)
{
    return value.type == WEIR_TYPE_S || value.type == WEIR_TYPE_B ? value.body : weir_str("", 0);
}

struct weir_decimal weir_value_decimal(struct weir_value value)
{
    return value.type == WEIR_TYPE_N ? weir_decimal_read(value.body) : (struct weir_decimal){ 0 };
}

bool weir_value_bool(struct weir_value value)
{
    return value.type == WEIR_TYPE_BOOL && value.body.p[0] != 0;
}

struct weir_item weir_value_map(struct weir_value value)
{
    return value.type == WEIR_TYPE_M ? (struct weir_item){ value.body.p, value.body.n }
                                     : (struct weir_item){ 0 };
}

static bool has_table(enum weir_type type)
{
    return type >= WEIR_TYPE_L && type <= WEIR_TYPE_BS;
}

/* The type of a set's elements; ABSENT for what is not a set. */
static enum weir_type element_type(enum weir_type type)
{
    if (type < WEIR_TYPE_SS || type > WEIR_TYPE_BS) {
        return WEIR_TYPE_ABSENT;
    }
    return (enum weir_type)((unsigned)type - WEIR_TYPE_SS + WEIR_TYPE_S);
}

size_t weir_value_count(struct weir_value value)
{
    return has_table(value.type) ? weir_item_table(value.body.p, value.body.n).count : 0;
}

struct weir_value weir_value_at(struct weir_value value, size_t i)
{
    weir_assert(has_table(value.type) && value.type != WEIR_TYPE_M);
    struct weir_item_table table = weir_item_table(value.body.p, value.body.n);
    weir_assert(i < table.count);
    struct weir_str entry = weir_item_entry(&table, i);
    if (value.type == WEIR_TYPE_L) {
        return weir_item_typed(entry);
    }
    return (struct weir_value){ .type = element_type(value.type), .body = entry };
}

bool weir_value_eq(struct weir_value a, struct weir_value b)
{
    return a.type == b.type && weir_str_eq(a.body, b.body);
}

bool weir_value_cmp(struct weir_value a, struct weir_value b, int *ret_order)
{
    if (a.type != b.type) {
        return false;
    }
    if (a.type == WEIR_TYPE_S || a.type == WEIR_TYPE_B) {
        *ret_order = weir_str_cmp(a.body, b.body);
        return true;
    }
    if (a.type == WEIR_TYPE_N) {
        *ret_order = weir_decimal_cmp(weir_value_decimal(a), weir_value_decimal(b));
        return true;
    }
    return false;
}

bool weir_item_eq(struct weir_item a, struct weir_item b)
{
    return weir_str_eq(weir_str(a.p, a.n), weir_str(b.p, b.n));
}

/* --- checking ----------------------------------------------------------- */

static enum weir_rc check_value(struct weir_value value, unsigned depth, struct weir_err *err);

/* Check that a table lies within its body, its ends ascend and its width is the least. */
static enum weir_rc check_table(
        struct weir_str body, struct weir_item_table *ret_table, struct weir_err *err)
{
    const char *what = "a table of attributes or elements is cut or wrong";
    if (body.n < 2 || body.n > WEIR_ITEM_MAX_BLOB) {
        return weir_fail(err, WEIR_E_DAMAGED, "%s", what);
    }
    unsigned width = (unsigned char)body.p[0];
    if ((width != 1 && width != 2 && width != 4) || body.n < 1 + (size_t)width) {
        return weir_fail(err, WEIR_E_DAMAGED, "%s", what);
    }
    struct weir_item_table table = weir_item_table(body.p, body.n);
    if (table.count > (body.n - 1 - width) / width) {
        return weir_fail(err, WEIR_E_DAMAGED, "%s", what);
    }
    size_t bytes = body.n - 1 - width - table.count * width;
    size_t last = 0;
    for (size_t i = 0; i < table.count; i++) {
        size_t end = weir_item_load(table.ends + i * width, width);
        if (end < last) {
            return weir_fail(err, WEIR_E_DAMAGED, "%s", what);
        }
        last = end;
    }
    if (last != bytes || width != weir_item_width(table.count, bytes)) {
        return weir_fail(err, WEIR_E_DAMAGED, "%s", what);
    }
    *ret_table = table;
    return WEIR_OK;
}

static enum weir_rc check_typed(struct weir_str bytes, unsigned depth, struct weir_err *err)
{
    if (bytes.n == 0) {
        return weir_fail(err, WEIR_E_DAMAGED, "a value has no type");
    }
    return check_value(weir_item_typed(bytes), depth, err);
}

/* Split an item's entry without trust in it. */
static enum weir_rc check_name(struct weir_str entry, struct weir_str *ret_name,
        struct weir_str *ret_value, struct weir_err *err)
{
    size_t bytes = 0;
    while (bytes < entry.n && (unsigned char)entry.p[bytes] >= 0x80) {
        bytes++;
    }
    size_t n = 0;
    for (size_t i = 0; i <= bytes && i < entry.n && i < NAME_LENGTH_BYTES; i++) {
        n |= (size_t)((unsigned char)entry.p[i] & 0x7f) << (7 * i);
    }
    /* A last byte of zero behind others would be a longer form of the same length. */
    bool good = bytes < entry.n && bytes < NAME_LENGTH_BYTES &&
                (bytes == 0 || entry.p[bytes] != 0) && n <= entry.n - bytes - 1;
    if (!good) {
        return weir_fail(err, WEIR_E_DAMAGED, "an attribute's name is cut");
    }
    *ret_name = weir_item_entry_name(entry, ret_value);
    return WEIR_OK;
}

static enum weir_rc check_map(struct weir_str body, unsigned depth, struct weir_err *err)
{
    struct weir_item_table table = { 0 };
    enum weir_rc rc = check_table(body, &table, err);
    struct weir_str last = { 0 };
    for (size_t i = 0; rc == WEIR_OK && i < table.count; i++) {
        struct weir_str name = { 0 };
        struct weir_str value = { 0 };
        rc = check_name(weir_item_entry(&table, i), &name, &value, err);
        if (rc == WEIR_OK && i > 0 && weir_str_cmp(last, name) >= 0) {
            return weir_fail(err, WEIR_E_DAMAGED, "the attribute names are not in order");
        }
        if (rc == WEIR_OK) {
            rc = check_typed(value, depth, err);
        }
        last = name;
    }
    return rc;
}

static enum weir_rc check_list(struct weir_str body, unsigned depth, struct weir_err *err)
{
    struct weir_item_table table = { 0 };
    enum weir_rc rc = check_table(body, &table, err);
    for (size_t i = 0; rc == WEIR_OK && i < table.count; i++) {
        rc = check_typed(weir_item_entry(&table, i), depth, err);
    }
    return rc;
}

static enum weir_rc check_set(struct weir_value set, struct weir_err *err)
{
    struct weir_item_table table = { 0 };
    enum weir_rc rc = check_table(set.body, &table, err);
    if (rc == WEIR_OK && table.count == 0) {
        return weir_fail(err, WEIR_E_DAMAGED, "a set is empty");
    }
    struct weir_value last = { 0 };
    for (size_t i = 0; rc == WEIR_OK && i < table.count; i++) {
        struct weir_value element = { element_type(set.type), weir_item_entry(&table, i) };
        rc = check_value(element, 0, err);
        int order = -1;
        if (rc == WEIR_OK && i > 0 && weir_value_cmp(last, element, &order) && order >= 0) {
            return weir_fail(err, WEIR_E_DAMAGED, "the elements of a set are not in order");
        }
        last = element;
    }
    return rc;
}

static enum weir_rc check_value(struct weir_value value, unsigned depth, struct weir_err *err)
{
    struct weir_decimal number;
    switch (value.type) {
    case WEIR_TYPE_S:
    case WEIR_TYPE_B:
        return WEIR_OK;
    case WEIR_TYPE_N:
        return weir_decimal_decode(value.body, &number, err);
    case WEIR_TYPE_BOOL:
        if (value.body.n != 1 || (unsigned char)value.body.p[0] > 1) {
            return weir_fail(err, WEIR_E_DAMAGED, "a BOOL is neither true nor false");
        }
        return WEIR_OK;
    case WEIR_TYPE_NULL:
        if (value.body.n != 0) {
            return weir_fail(err, WEIR_E_DAMAGED, "a NULL has content");
        }
        return WEIR_OK;
    case WEIR_TYPE_L:
    case WEIR_TYPE_M:
        if (depth >= WEIR_ITEM_MAX_DEPTH) {
            return weir_fail(err, WEIR_E_DAMAGED, "values are nested too deeply");
        }
        return value.type == WEIR_TYPE_M ? check_map(value.body, depth + 1, err)
                                         : check_list(value.body, depth + 1, err);
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        return check_set(value, err);
    case WEIR_TYPE_ABSENT:
        break;
    }
    return weir_fail(err, WEIR_E_DAMAGED, "there is no value type %d", (int)value.type);
}

enum weir_rc weir_item_check(struct weir_item item, struct weir_err *err)
{
    return check_map(weir_str(item.p, item.n), 0, err);
}
