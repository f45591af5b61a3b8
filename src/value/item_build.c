#include <stdlib.h>
#include <string.h>

#include "value/item.h"
#include "value/item_int.h"
#include "value/json.h"

enum {
    FIRST_BYTES = 1024, /* most items fit, their sorted copy included */
    FIRST_ENTRIES = 32,
    FEW_ENTRIES = 24,                 /* up to here insertion beats qsort */
    LEVELS = WEIR_ITEM_MAX_DEPTH + 2, /* the item, what nests in it, and a set */
};

#define INVALID_VALUE "One or more parameter values were invalid: "

/* An attribute or element that was added to a level which is still open. */
struct entry {
    uint32_t start; /* in the builder's bytes */
    uint32_t end;   /* set when its level closes */
    uint32_t name;  /* where the name's bytes (of a set: the element's) begin */
    uint32_t name_n;
};

struct level {
    uint32_t body;  /* where its entries begin in the builder's bytes */
    uint32_t first; /* its first entry */
    enum weir_type type;
    bool ordered; /* the entries came strictly ascending so far */
};

struct weir_item_builder {
    struct weir_arena *arena;
    char *p; /* entries of all open levels, one behind the other */
    size_t n;
    size_t capacity;
    struct entry *entries; /* of all open levels, the innermost's last */
    size_t entry_count;
    size_t entry_capacity;
    size_t depth; /* of the innermost level; 0 is the item */
    bool named;   /* a name waits for its value */
    bool lone;    /* a value without a name was added: see weir_item_finish_value */
    enum weir_rc rc;
    struct weir_err err; /* set with rc */
    struct level levels[LEVELS];
};

struct weir_item_builder *weir_item_begin(struct weir_arena *arena)
{
    /* Set field by field: clearing the whole struct would cost more than a small item. */
    struct weir_item_builder *builder = weir_arena_alloc(arena, sizeof(*builder));
    builder->arena = arena;
    builder->p = weir_arena_alloc(arena, FIRST_BYTES);
    builder->n = 0;
    builder->capacity = FIRST_BYTES;
    builder->entries = weir_arena_alloc(arena, FIRST_ENTRIES * sizeof(struct entry));
    builder->entry_count = 0;
    builder->entry_capacity = FIRST_ENTRIES;
    builder->depth = 0;
    builder->named = false;
    builder->lone = false;
    builder->rc = WEIR_OK;
    builder->levels[0] = (struct level){ .type = WEIR_TYPE_M, .ordered = true };
    return builder;
}

/* Make room for more bytes behind what is there. */
static void grow(struct weir_item_builder *builder, size_t more)
{
    size_t capacity = builder->capacity * 2;
    while (capacity < builder->n + more) {
        capacity *= 2;
    }
    char *p = weir_arena_alloc(builder->arena, capacity);
    memcpy(p, builder->p, builder->n);
    builder->p = p;
    builder->capacity = capacity;
}

/* Room for n more bytes of content, or false with the builder failed. */
static inline bool reserve(struct weir_item_builder *builder, size_t n)
{
    if (n > builder->capacity - builder->n) {
        if (n > WEIR_ITEM_MAX_BLOB || builder->n + n > WEIR_ITEM_MAX_BLOB) {
            builder->rc = weir_fail(&builder->err, WEIR_E_TOO_LARGE,
                    "an item is larger than %d bytes", WEIR_ITEM_MAX_BLOB);
            return false;
        }
        grow(builder, n);
    }
    return true;
}

static inline struct entry *push_entry(struct weir_item_builder *builder)
{
    if (builder->entry_count == builder->entry_capacity) {
        struct entry *entries = weir_arena_alloc(
                builder->arena, 2 * builder->entry_capacity * sizeof(struct entry));
        memcpy(entries, builder->entries, builder->entry_count * sizeof(struct entry));
        builder->entries = entries;
        builder->entry_capacity *= 2;
    }
    return &builder->entries[builder->entry_count++];
}

static inline struct weir_str entry_name(
        const struct weir_item_builder *builder, const struct entry *entry)
{
    return weir_str(builder->p + entry->name, entry->name_n);
}

/* Keep the level's mark of order, once its newest entry has its name. */
static inline void note_order(struct weir_item_builder *builder, struct level *level)
{
    const struct entry *last = &builder->entries[builder->entry_count - 1];
    if (level->ordered && builder->entry_count - level->first > 1 &&
            weir_str_cmp(entry_name(builder, last - 1), entry_name(builder, last)) >= 0) {
        level->ordered = false;
    }
}

void weir_item_name(struct weir_item_builder *builder, struct weir_str name)
{
    if (builder->rc != WEIR_OK) {
        return;
    }
    struct level *level = &builder->levels[builder->depth];
    bool closed = builder->lone && builder->depth == 0; /* a lone value stands alone */
    weir_assert(level->type == WEIR_TYPE_M && !builder->named && !closed);
    if (!reserve(builder, name.n + 8)) {
        return;
    }
    struct entry *entry = push_entry(builder);
    entry->start = (uint32_t)builder->n;
    size_t rest = name.n;
    for (; rest >= 0x80; rest >>= 7) {
        builder->p[builder->n++] = (char)(0x80 | (rest & 0x7f));
    }
    builder->p[builder->n++] = (char)rest;
    entry->name = (uint32_t)builder->n;
    entry->name_n = (uint32_t)name.n;
    if (name.n > 0) {
        memcpy(builder->p + builder->n, name.p, name.n);
    }
    builder->n += name.n;
    builder->named = true;
    note_order(builder, level);
}

/* Put the type's byte where a value may stand now; false when the builder has failed. */
static bool add_type(struct weir_item_builder *builder, enum weir_type type)
{
    if (builder->rc != WEIR_OK || !reserve(builder, 1)) {
        return false;
    }
    const struct level *level = &builder->levels[builder->depth];
    if (level->type == WEIR_TYPE_L) {
        push_entry(builder)->start = (uint32_t)builder->n;
    } else if (builder->named) {
        builder->named = false;
    } else {
        weir_assert(builder->depth == 0 && builder->entry_count == 0 && !builder->lone);
        builder->lone = true;
    }
    builder->p[builder->n++] = (char)type;
    return true;
}

static void add_element(
        struct weir_item_builder *builder, struct level *level, const void *p, size_t n)
{
    if (!reserve(builder, n)) {
        return;
    }
    struct entry *entry = push_entry(builder);
    entry->start = (uint32_t)builder->n;
    entry->name = entry->start;
    entry->name_n = (uint32_t)n;
    if (n > 0) {
        memcpy(builder->p + builder->n, p, n);
    }
    builder->n += n;
    if (level->type != WEIR_TYPE_NS) {
        note_order(builder, level);
    } else if (builder->entry_count - level->first > 1) {
        level->ordered = false; /* their bytes do not order */
    }
}

/* Add a whole value: to the open set when it is one, else with its type. */
static void add(struct weir_item_builder *builder, enum weir_type type, const void *p, size_t n)
{
    if (builder->rc != WEIR_OK) {
        return;
    }
    struct level *level = &builder->levels[builder->depth];
    if (level->type >= WEIR_TYPE_SS) {
        weir_assert((unsigned)type - WEIR_TYPE_S == (unsigned)level->type - WEIR_TYPE_SS);
        add_element(builder, level, p, n);
        return;
    }
    if (!reserve(builder, n + 1) || !add_type(builder, type)) {
        return;
    }
    if (n > 0) {
        memcpy(builder->p + builder->n, p, n);
    }
    builder->n += n;
}

void weir_item_s(struct weir_item_builder *builder, struct weir_str text)
{
    add(builder, WEIR_TYPE_S, text.p, text.n);
}

void weir_item_n(struct weir_item_builder *builder, struct weir_decimal number)
{
    unsigned char bytes[WEIR_DECIMAL_BYTES];
    add(builder, WEIR_TYPE_N, bytes, weir_decimal_encode(number, bytes));
}

void weir_item_b(struct weir_item_builder *builder, struct weir_str bytes)
{
    add(builder, WEIR_TYPE_B, bytes.p, bytes.n);
}

void weir_item_bool(struct weir_item_builder *builder, bool value)
{
    char byte = value ? 1 : 0;
    add(builder, WEIR_TYPE_BOOL, &byte, 1);
}

void weir_item_null(struct weir_item_builder *builder)
{
    add(builder, WEIR_TYPE_NULL, NULL, 0);
}

static void fail_depth(struct weir_item_builder *builder)
{
    builder->rc = weir_fail(
            &builder->err, WEIR_E_INVALID, "Nesting Levels have exceeded supported limits");
}

/* How many levels of L and M a value has, itself included. */
static size_t value_depth(struct weir_value value)
{
    size_t deepest = 0;
    if (value.type != WEIR_TYPE_L && value.type != WEIR_TYPE_M) {
        return 0;
    }
    size_t count = weir_value_count(value);
    for (size_t i = 0; i < count; i++) {
        struct weir_str name;
        size_t depth = value_depth(value.type == WEIR_TYPE_L
                                           ? weir_value_at(value, i)
                                           : weir_item_at(weir_value_map(value), i, &name));
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

void weir_item_value(struct weir_item_builder *builder, struct weir_value value)
{
    weir_assert(value.type != WEIR_TYPE_ABSENT);
    if (builder->rc == WEIR_OK && builder->depth > 0 &&
            value_depth(value) + builder->depth > WEIR_ITEM_MAX_DEPTH) {
        fail_depth(builder);
    }
    add(builder, value.type, value.body.p, value.body.n);
}

void weir_item_open(struct weir_item_builder *builder, enum weir_type type)
{
    weir_assert(type >= WEIR_TYPE_L && type <= WEIR_TYPE_BS);
    if (builder->rc == WEIR_OK && type <= WEIR_TYPE_M && builder->depth >= WEIR_ITEM_MAX_DEPTH) {
        fail_depth(builder);
    }
    if (!add_type(builder, type)) {
        return;
    }
    builder->levels[++builder->depth] = (struct level){
        .body = (uint32_t)builder->n,
        .first = (uint32_t)builder->entry_count,
        .type = type,
        .ordered = true,
    };
}

/* --- closing ------------------------------------------------------------ */

/* What entries are compared by. */
struct order {
    const struct weir_item_builder *builder;
    enum weir_type type;
};

static int cmp_names(const struct order *order, const struct entry *a, const struct entry *b)
{
    struct weir_str name_a = entry_name(order->builder, a);
    struct weir_str name_b = entry_name(order->builder, b);
    int c = 0;
    if (order->type != WEIR_TYPE_NS) {
        return weir_str_cmp(name_a, name_b);
    }
    struct weir_value number_a = { WEIR_TYPE_N, name_a };
    struct weir_value number_b = { WEIR_TYPE_N, name_b };
    weir_value_cmp(number_a, number_b, &c);
    return c;
}

/* For qsort_r: by name, and the earlier one first among equals. */
static int cmp_entries(const void *a, const void *b, void *arg)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int c = cmp_names(arg, left, right);
    return c != 0 ? c : (left->start > right->start) - (left->start < right->start);
}

static void sort(struct entry *entries, size_t count, struct order *order)
{
    if (count > FEW_ENTRIES) {
        qsort_r(entries, count, sizeof(*entries), cmp_entries, order);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        struct entry moved = entries[i];
        size_t k = i;
        while (k > 0 && cmp_names(order, &entries[k - 1], &moved) > 0) {
            entries[k] = entries[k - 1];
            k--;
        }
        entries[k] = moved;
    }
}

static int cmp_starts(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

/* DynamoDB's messages, which for SS and BS show the elements in the order in which they came. */
static void fail_duplicate(
        struct weir_item_builder *builder, enum weir_type type, struct entry *entries, size_t count)
{
    if (type == WEIR_TYPE_NS) {
        builder->rc =
                weir_fail(&builder->err, WEIR_E_INVALID, "Input collection contains duplicates");
        return;
    }
    struct weir_buf text;
    weir_buf_init(&text, sizeof(builder->err.msg));
    qsort(entries, count, sizeof(*entries), cmp_starts);
    for (size_t i = 0; i < count && !text.overflow; i++) {
        weir_buf_z(&text, i > 0 ? ", " : "");
        if (type == WEIR_TYPE_BS) {
            weir_base64_encode(&text, entry_name(builder, &entries[i]));
        } else {
            weir_buf_str(&text, entry_name(builder, &entries[i]));
        }
    }
    builder->rc = weir_fail(&builder->err, WEIR_E_INVALID,
            INVALID_VALUE "Input collection [%.*s]%s contains duplicates.",
            WEIR_STR_ARG(weir_buf_view(&text)), type == WEIR_TYPE_BS ? "of type BS" : "");
    weir_buf_fini(&text);
}

static void fail_empty(struct weir_item_builder *builder, enum weir_type type)
{
    builder->rc = weir_fail(&builder->err, WEIR_E_INVALID, INVALID_VALUE "%s",
            type == WEIR_TYPE_SS   ? "An string set  may not be empty"
            : type == WEIR_TYPE_NS ? "An number set  may not be empty"
                                   : "Binary sets should not be empty");
}

/* Keep the last of entries of one name; returns how many are left. */
static size_t drop_repeated(
        const struct weir_item_builder *builder, struct entry *entries, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && weir_str_eq(entry_name(builder, &entries[i]),
                                     entry_name(builder, &entries[i + 1]))) {
            continue;
        }
        entries[kept++] = entries[i];
    }
    return kept;
}

/* Put a level's entries in order; false when a set has one twice. */
static bool order_entries(struct weir_item_builder *builder, const struct level *level,
        struct entry *entries, size_t *count)
{
    struct order order = { builder, level->type };
    sort(entries, *count, &order);
    if (level->type == WEIR_TYPE_M) {
        *count = drop_repeated(builder, entries, *count);
        return true;
    }
    for (size_t i = 1; i < *count; i++) {
        if (cmp_names(&order, &entries[i - 1], &entries[i]) == 0) {
            fail_duplicate(builder, level->type, entries, *count);
            return false;
        }
    }
    return true;
}

/* Turn a level's entries into a body: the table in front, the entries in their order. */
static void write_body(struct weir_item_builder *builder, const struct level *level,
        const struct entry *entries, size_t count, bool moved)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += entries[i].end - entries[i].start;
    }
    unsigned width = weir_item_width(count, bytes);
    size_t head = 1 + (1 + count) * width;
    if (level->body + head + bytes > WEIR_ITEM_MAX_BLOB) {
        builder->rc = weir_fail(&builder->err, WEIR_E_TOO_LARGE, "an item is larger than %d bytes",
                WEIR_ITEM_MAX_BLOB);
        return;
    }
    size_t room = moved ? head + bytes : head;
    if (room > builder->capacity - builder->n) {
        grow(builder, room);
    }
    char *body = builder->p + level->body;
    char *to = body; /* where the body is put together */
    if (moved) {
        to = builder->p + builder->n;
        char *at = to + head;
        for (size_t i = 0; i < count; i++) {
            size_t n = entries[i].end - entries[i].start;
            memcpy(at, builder->p + entries[i].start, n);
            at += n;
        }
    } else {
        memmove(body + head, body, bytes);
    }
    to[0] = (char)width;
    weir_item_store(to + 1, width, count);
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        end += entries[i].end - entries[i].start;
        weir_item_store(to + 1 + (1 + i) * width, width, end);
    }
    if (moved) {
        memmove(body, to, head + bytes);
    }
    builder->n = level->body + head + bytes;
}

static void close_level(struct weir_item_builder *builder)
{
    const struct level *level = &builder->levels[builder->depth];
    struct entry *entries = builder->entries + level->first;
    size_t count = builder->entry_count - level->first;
    for (size_t i = 0; i < count; i++) {
        entries[i].end = i + 1 < count ? entries[i + 1].start : (uint32_t)builder->n;
    }
    if (count == 0 && level->type >= WEIR_TYPE_SS) {
        fail_empty(builder, level->type);
        return;
    }
    if (!level->ordered && !order_entries(builder, level, entries, &count)) {
        return;
    }
    write_body(builder, level, entries, count, !level->ordered);
    builder->entry_count = level->first;
}

void weir_item_close(struct weir_item_builder *builder)
{
    if (builder->rc != WEIR_OK) {
        return;
    }
    weir_assert(builder->depth > 0 && !builder->named);
    close_level(builder);
    builder->depth--;
}

enum weir_rc weir_item_status(const struct weir_item_builder *builder, struct weir_err *err)
{
    if (builder->rc != WEIR_OK && err != NULL) {
        *err = builder->err;
    }
    return builder->rc;
}

enum weir_rc weir_item_finish(
        struct weir_item_builder *builder, struct weir_item *ret_item, struct weir_err *err)
{
    if (builder->rc == WEIR_OK) {
        weir_assert(builder->depth == 0 && !builder->named && !builder->lone);
        close_level(builder);
    }
    enum weir_rc rc = weir_item_status(builder, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_item = (struct weir_item){ builder->p, builder->n };
    return WEIR_OK;
}

enum weir_rc weir_item_finish_value(
        struct weir_item_builder *builder, struct weir_value *ret_value, struct weir_err *err)
{
    enum weir_rc rc = weir_item_status(builder, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_assert(builder->depth == 0 && builder->lone);
    *ret_value = weir_item_typed(weir_str(builder->p, builder->n));
    return WEIR_OK;
}
