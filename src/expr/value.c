#include <stdlib.h>

#include "base/hash.h"
#include "expr/expr_int.h"

/* Values: making them, reading their content, maps and sets. */

const char *weir_expr_kind_name(enum weir_expr_kind kind)
{
    static const char *const names[] = {
        [WEIR_EXPR_ABSENT] = "absent",
        [WEIR_EXPR_NULL] = "null_type",
        [WEIR_EXPR_BOOL] = "bool",
        [WEIR_EXPR_INT] = "int",
        [WEIR_EXPR_UINT] = "uint",
        [WEIR_EXPR_DOUBLE] = "double",
        [WEIR_EXPR_DECIMAL] = "decimal",
        [WEIR_EXPR_STRING] = "string",
        [WEIR_EXPR_BYTES] = "bytes",
        [WEIR_EXPR_LIST] = "list",
        [WEIR_EXPR_SET] = "set",
        [WEIR_EXPR_MAP] = "map",
        [WEIR_EXPR_TYPE] = "type",
        [WEIR_EXPR_TIMESTAMP] = "google.protobuf.Timestamp",
        [WEIR_EXPR_DURATION] = "google.protobuf.Duration",
        [WEIR_EXPR_OPTIONAL] = "optional_type",
        [WEIR_EXPR_IP] = "net.IP",
        [WEIR_EXPR_CIDR] = "net.CIDR",
    };
    return (size_t)kind < WEIR_COUNT(names) ? names[kind] : "unknown";
}

bool weir_type_by_name(struct weir_str name, struct weir_expr_value *ret)
{
    for (int kind = WEIR_EXPR_NULL; kind <= WEIR_EXPR_CIDR; kind++) {
        const char *text = weir_expr_kind_name((enum weir_expr_kind)kind);
        if (weir_str_eq(name, weir_str_z(text))) {
            *ret = weir_expr_type(text);
            return true;
        }
    }
    return false;
}

struct weir_expr_value weir_expr_timestamp(struct weir_time time)
{
    int64_t seconds = time.ms / 1000;
    int64_t rest = time.ms % 1000;
    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_TIMESTAMP,
        .scale = (int32_t)(rest * 1000000),
        .as.integer = seconds,
    };
}

struct weir_expr_value weir_expr_list(const struct weir_expr_value *items, size_t count)
{
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_LIST,
        .form = WEIR_EXPR_BUILT,
        .as.list = { .items = items, .count = count },
    };
}

struct weir_expr_value weir_expr_type(const char *name)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_TYPE, .as.str = weir_str_z(name) };
}

struct weir_expr_value weir_expr_optional(const struct weir_expr_value *inner)
{
    return (struct weir_expr_value){ .kind = WEIR_EXPR_OPTIONAL, .as.inner = inner };
}

struct weir_expr_value weir_expr_item(struct weir_item item)
{
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_MAP,
        .form = WEIR_EXPR_ATTRIBUTE,
        .type = WEIR_TYPE_M,
        .as.str = { item.p, item.n },
    };
}

/* L, M and sets: the body of an M is an item. */
static void set_container(struct weir_expr_value *ret, uint8_t kind, struct weir_value value)
{
    weir_set_head(ret, kind);
    ret->form = WEIR_EXPR_ATTRIBUTE;
    ret->type = (uint8_t)value.type;
    ret->as.str = value.body;
}

void weir_attribute_read(struct weir_value value, struct weir_expr_value *ret)
{
    switch (value.type) {
    case WEIR_TYPE_S:
        weir_set_string(ret, weir_value_str(value));
        return;
    case WEIR_TYPE_N:
        weir_set_decimal(ret, weir_value_decimal(value));
        return;
    case WEIR_TYPE_B:
        weir_set_bytes(ret, weir_value_str(value));
        return;
    case WEIR_TYPE_BOOL:
        weir_set_bool(ret, weir_value_bool(value));
        return;
    case WEIR_TYPE_NULL:
        weir_set_head(ret, WEIR_EXPR_NULL);
        return;
    case WEIR_TYPE_L:
        set_container(ret, WEIR_EXPR_LIST, value);
        return;
    case WEIR_TYPE_M:
        set_container(ret, WEIR_EXPR_MAP, value);
        return;
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        set_container(ret, WEIR_EXPR_SET, value);
        return;
    case WEIR_TYPE_ABSENT:
        break;
    }
    weir_set_head(ret, WEIR_EXPR_ABSENT);
}

struct weir_expr_value weir_expr_attribute(struct weir_value value)
{
    struct weir_expr_value result;
    weir_attribute_read(value, &result);
    return result;
}

struct weir_decimal weir_expr_value_decimal(const struct weir_expr_value *value)
{
    return (struct weir_decimal){ value->as.coefficient, value->scale };
}

/* --- content ------------------------------------------------------------- */

static struct weir_item item_of(const struct weir_expr_value *value)
{
    return (struct weir_item){ value->as.str.p, value->as.str.n };
}

static struct weir_value attribute_of(const struct weir_expr_value *value)
{
    return (struct weir_value){ (enum weir_type)value->type, value->as.str };
}

size_t weir_expr_count(const struct weir_expr_value *value)
{
    bool built = value->form == WEIR_EXPR_BUILT;
    switch (value->kind) {
    case WEIR_EXPR_LIST:
    case WEIR_EXPR_SET:
        return built ? value->as.list.count : weir_value_count(attribute_of(value));
    case WEIR_EXPR_MAP:
        return built ? value->as.map->count : weir_item_count(item_of(value));
    default:
        return 0;
    }
}

struct weir_expr_value weir_expr_at(const struct weir_expr_value *value, size_t i)
{
    if (value->kind == WEIR_EXPR_MAP) {
        struct weir_expr_value key;
        return weir_expr_pair_at(value, i, &key);
    }
    if (value->form == WEIR_EXPR_BUILT) {
        return value->as.list.items[i];
    }
    return weir_expr_attribute(weir_value_at(attribute_of(value), i));
}

struct weir_expr_value weir_expr_pair_at(
        const struct weir_expr_value *map, size_t i, struct weir_expr_value *ret_key)
{
    if (map->form == WEIR_EXPR_BUILT) {
        *ret_key = map->as.map->pairs[i].key;
        return map->as.map->pairs[i].value;
    }
    struct weir_str name = { 0 };
    struct weir_value value = weir_item_at(item_of(map), i, &name);
    *ret_key = weir_expr_string(name);
    return weir_expr_attribute(value);
}

struct weir_expr_value weir_expr_get(const struct weir_expr_value *map, struct weir_str key)
{
    if (map->kind != WEIR_EXPR_MAP) {
        return (struct weir_expr_value){ .kind = WEIR_EXPR_ABSENT };
    }
    if (WEIR_LIKELY(map->form == WEIR_EXPR_ATTRIBUTE)) {
        return weir_expr_attribute(weir_item_get(item_of(map), key));
    }
    struct weir_expr_value value = weir_expr_string(key);
    return weir_map_get(map, &value);
}

/* --- maps ---------------------------------------------------------------- */

enum { INDEX_FROM = 8 }; /* pairs; fewer are searched in order */

/*
 * A key in the one form that equal keys share: integral numbers of any kind are an
 * int, or a uint when only that fits. False: it cannot equal any key.
 */
static bool normal_key(const struct weir_expr_value *key, struct weir_expr_value *ret)
{
    int64_t index = 0;
    switch (key->kind) {
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BOOL:
    case WEIR_EXPR_INT:
        *ret = *key;
        return true;
    case WEIR_EXPR_UINT:
        *ret = key->as.natural <= INT64_MAX ? weir_expr_int((int64_t)key->as.natural) : *key;
        return true;
    case WEIR_EXPR_DOUBLE:
    case WEIR_EXPR_DECIMAL:
        if (weir_number_to_index(key, &index)) {
            weir_set_int(ret, index);
            return true;
        }
        if (key->kind == WEIR_EXPR_DOUBLE && key->as.real >= 0x1p63 && key->as.real < 0x1p64) {
            weir_set_uint(ret, (uint64_t)key->as.real);
            return true;
        }
        return false;
    default:
        return false;
    }
}

static bool same_key(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == WEIR_EXPR_STRING) {
        return weir_str_eq(a->as.str, b->as.str);
    }
    return a->kind == WEIR_EXPR_BOOL ? a->as.boolean == b->as.boolean
                                     : a->as.natural == b->as.natural;
}

static uint64_t hash_key(const struct weir_expr_value *key)
{
    if (key->kind == WEIR_EXPR_STRING) {
        return weir_hash64(0, key->as.str.p, key->as.str.n);
    }
    uint64_t number = key->kind == WEIR_EXPR_BOOL ? key->as.boolean : key->as.natural;
    return weir_hash64(key->kind, &number, sizeof(number));
}

/* Keys of a built map are kept as they were given; they are compared in normal form. */
static const struct weir_expr_pair *find_pair(
        const struct weir_expr_map *map, const struct weir_expr_value *normal)
{
    struct weir_expr_value other;
    if (map->index == NULL) {
        for (size_t i = 0; i < map->count; i++) {
            if (normal_key(&map->pairs[i].key, &other) && same_key(normal, &other)) {
                return &map->pairs[i];
            }
        }
        return NULL;
    }
    for (size_t at = hash_key(normal) & map->mask; map->index[at] != 0; at = (at + 1) & map->mask) {
        const struct weir_expr_pair *pair = &map->pairs[map->index[at] - 1];
        if (normal_key(&pair->key, &other) && same_key(normal, &other)) {
            return pair;
        }
    }
    return NULL;
}

struct weir_expr_value weir_map_get(
        const struct weir_expr_value *map, const struct weir_expr_value *key)
{
    struct weir_expr_value absent = { .kind = WEIR_EXPR_ABSENT };
    struct weir_expr_value normal;
    if (!normal_key(key, &normal)) {
        return absent;
    }
    if (map->form == WEIR_EXPR_ATTRIBUTE) {
        return normal.kind == WEIR_EXPR_STRING
                       ? weir_expr_attribute(weir_item_get(item_of(map), normal.as.str))
                       : absent;
    }
    const struct weir_expr_pair *pair = find_pair(map->as.map, &normal);
    return pair != NULL ? pair->value : absent;
}

/* Bytes of a map of a capacity, with its index behind the pairs. */
static size_t index_slots(size_t capacity)
{
    size_t slots = 16;
    while (capacity > INDEX_FROM && slots < capacity * 2) {
        slots *= 2;
    }
    return capacity > INDEX_FROM ? slots : 0;
}

static struct weir_expr_map *map_place(void *memory, size_t capacity)
{
    struct weir_expr_map *map = memory;
    size_t slots = index_slots(capacity);
    map->count = 0;
    map->pairs = (struct weir_expr_pair *)(void *)((char *)memory + (sizeof(*map) + 15) / 16 * 16);
    map->index = slots > 0 ? (uint32_t *)(void *)(map->pairs + capacity) : NULL;
    map->mask = slots > 0 ? slots - 1 : 0;
    if (slots > 0) {
        memset(map->index, 0, slots * sizeof(*map->index));
    }
    return map;
}

static size_t map_bytes(size_t capacity)
{
    return (sizeof(struct weir_expr_map) + 15) / 16 * 16 +
           capacity * sizeof(struct weir_expr_pair) + index_slots(capacity) * sizeof(uint32_t);
}

enum added {
    ADDED,
    ADD_TWICE,
    ADD_NO_KEY,
};

static enum added map_add(struct weir_expr_map *map, const struct weir_expr_value *key,
        const struct weir_expr_value *value)
{
    struct weir_expr_value normal;
    struct weir_expr_value kept = *key;
    if (key->kind == WEIR_EXPR_DOUBLE || !normal_key(key, &normal)) {
        return ADD_NO_KEY;
    }
    if (key->kind == WEIR_EXPR_DECIMAL) {
        kept = normal;
    }
    if (find_pair(map, &normal) != NULL) {
        return ADD_TWICE;
    }
    map->pairs[map->count++] = (struct weir_expr_pair){ kept, *value };
    if (map->index != NULL) {
        size_t at = hash_key(&normal) & map->mask;
        while (map->index[at] != 0) {
            at = (at + 1) & map->mask;
        }
        map->index[at] = (uint32_t)map->count;
    }
    return ADDED;
}

bool weir_map_begin(struct weir_run *run, size_t capacity, struct weir_map_builder *ret)
{
    void *memory = weir_run_alloc(run, map_bytes(capacity));
    if (memory == NULL) {
        return false;
    }
    ret->map = map_place(memory, capacity);
    return true;
}

bool weir_map_add(struct weir_run *run, struct weir_map_builder *builder,
        const struct weir_expr_value *key, const struct weir_expr_value *value)
{
    struct weir_str text;
    switch (map_add(builder->map, key, value)) {
    case ADDED:
        return true;
    case ADD_TWICE:
        return weir_value_text(run, key, &text) &&
               weir_run_fail_text(run, "key '%.*s' is in the map twice", text);
    case ADD_NO_KEY:
        break;
    }
    return weir_run_fail(run, "a map's key must be an int, uint, bool or string, not a %s",
            weir_expr_kind_name((enum weir_expr_kind)key->kind));
}

struct weir_expr_value weir_map_end(const struct weir_map_builder *builder)
{
    return (struct weir_expr_value){
        .kind = WEIR_EXPR_MAP,
        .form = WEIR_EXPR_BUILT,
        .as.map = builder->map,
    };
}

enum weir_rc weir_expr_map(struct weir_arena *arena, const struct weir_expr_value *pairs,
        size_t count, struct weir_expr_value *ret_value, struct weir_err *err)
{
    struct weir_map_builder builder = {
        .map = map_place(weir_arena_alloc(arena, map_bytes(count)), count),
    };
    for (size_t i = 0; i < count; i++) {
        switch (map_add(builder.map, &pairs[2 * i], &pairs[2 * i + 1])) {
        case ADDED:
            break;
        case ADD_TWICE:
            return weir_fail(err, WEIR_E_INVALID, "a key is in the map twice");
        case ADD_NO_KEY:
            return weir_fail(err, WEIR_E_INVALID,
                    "a map's key must be an int, uint, bool or string, not a %s",
                    weir_expr_kind_name((enum weir_expr_kind)pairs[2 * i].kind));
        }
    }
    *ret_value = weir_map_end(&builder);
    return WEIR_OK;
}

/* --- sets ---------------------------------------------------------------- */

static int compare_members(const void *a, const void *b)
{
    const struct weir_expr_value *x = a;
    const struct weir_expr_value *y = b;
    if (x->kind == WEIR_EXPR_DECIMAL) {
        return weir_number_compare(x, y);
    }
    return weir_str_cmp(x->as.str, y->as.str);
}

/* Numbers of any kind become decimals, as in a number set. */
static bool set_member(
        struct weir_run *run, struct weir_expr_value value, struct weir_expr_value *ret)
{
    struct weir_decimal number;
    switch (value.kind) {
    case WEIR_EXPR_INT:
        weir_set_decimal(ret, weir_decimal_from_i64(value.as.integer));
        return true;
    case WEIR_EXPR_UINT:
        weir_set_decimal(ret, weir_decimal_from_u64(value.as.natural));
        return true;
    case WEIR_EXPR_DOUBLE:
        if (weir_decimal_from_double(value.as.real, &number, NULL) != WEIR_OK) {
            return weir_run_fail(run, "a set cannot hold this double");
        }
        weir_set_decimal(ret, value.exact != NULL ? *value.exact : number);
        return true;
    case WEIR_EXPR_DECIMAL:
    case WEIR_EXPR_STRING:
    case WEIR_EXPR_BYTES:
        *ret = value;
        return true;
    default:
        return weir_run_fail(run, "a set holds strings, numbers or bytes, not a %s",
                weir_expr_kind_name((enum weir_expr_kind)value.kind));
    }
}

bool weir_set_make(
        struct weir_run *run, const struct weir_expr_value *list, struct weir_expr_value *ret)
{
    size_t count = weir_expr_count(list);
    if (!weir_run_pay(run, count * 4)) {
        return false;
    }
    struct weir_expr_value *items = weir_run_alloc(run, count * sizeof(*items));
    if (items == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!set_member(run, weir_expr_at(list, i), &items[i])) {
            return false;
        }
        if (items[i].kind != items[0].kind) {
            return weir_run_fail(run, "a set cannot hold both a %s and a %s",
                    weir_expr_kind_name((enum weir_expr_kind)items[0].kind),
                    weir_expr_kind_name((enum weir_expr_kind)items[i].kind));
        }
    }
    size_t kept = 0;
    if (count > 0) {
        qsort(items, count, sizeof(*items), compare_members);
        kept = 1;
    }
    for (size_t i = 1; i < count; i++) {
        if (compare_members(&items[kept - 1], &items[i]) != 0) {
            items[kept++] = items[i];
        }
    }
    *ret = weir_expr_list(items, kept);
    ret->kind = WEIR_EXPR_SET;
    return true;
}
