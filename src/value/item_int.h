/*
 * The table in front of an item's, list's or set's body:
 *
 *     width   1 byte: 1, 2 or 4, the bytes of each integer below
 *     count   the number of entries
 *     ends    count integers: where each entry ends, from the first byte behind the table
 *     entries one behind the other
 *
 * The width is the least in which the count and the last end fit. An item's entry is
 * the name's length (7 bits a byte, the low ones first, the top bit saying that more
 * follow), the name, the type's byte, the value's body. A list's entry is the
 * type's byte and the body, a set's entry the body alone.
 */
#ifndef WEIR_VALUE_ITEM_INT_H
#define WEIR_VALUE_ITEM_INT_H

#include "value/item.h"

enum { WEIR_ITEM_MAX_BLOB = 16 * 1024 * 1024 };

struct weir_item_table {
    const unsigned char *ends;
    const char *entries;
    size_t count;
    unsigned width;
};

/* The least width that holds both numbers. */
static inline unsigned weir_item_width(size_t count, size_t bytes)
{
    size_t most = count > bytes ? count : bytes;
    return most <= 0xff ? 1 : most <= 0xffff ? 2 : 4;
}

static inline size_t weir_item_load(const unsigned char *p, unsigned width)
{
    if (width == 1) {
        return p[0];
    }
    size_t low = p[0] | (size_t)p[1] << 8;
    return width == 2 ? low : low | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

static inline void weir_item_store(char *p, unsigned width, size_t value)
{
    for (unsigned i = 0; i < width; i++) {
        p[i] = (char)(value >> (8 * i));
    }
}

/* The table of a checked body; an empty body has an empty table. */
static inline struct weir_item_table weir_item_table(const char *p, size_t n)
{
    if (n == 0) {
        return (struct weir_item_table){ 0 };
    }
    const unsigned char *bytes = (const unsigned char *)p;
    unsigned width = bytes[0];
    size_t count = weir_item_load(bytes + 1, width);
    return (struct weir_item_table){
        .ends = bytes + 1 + width,
        .entries = p + 1 + width + count * width,
        .count = count,
        .width = width,
    };
}

/* The i-th entry of a checked table. */
static inline struct weir_str weir_item_entry(const struct weir_item_table *table, size_t i)
{
    size_t start = i > 0 ? weir_item_load(table->ends + (i - 1) * table->width, table->width) : 0;
    size_t end = weir_item_load(table->ends + i * table->width, table->width);
    return weir_str(table->entries + start, end - start);
}

/* The name at the front of an item's entry; *ret_value gets what is behind it. */
static inline struct weir_str weir_item_entry_name(
        struct weir_str entry, struct weir_str *ret_value)
{
    size_t at = 0;
    size_t n = 0;
    unsigned shift = 0;
    unsigned char byte = 0;
    do {
        byte = (unsigned char)entry.p[at++];
        n |= (size_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    *ret_value = weir_str(entry.p + at + n, entry.n - at - n);
    return weir_str(entry.p + at, n);
}

/* A type's byte and a body as a value. */
static inline struct weir_value weir_item_typed(struct weir_str bytes)
{
    return (struct weir_value){
        .type = (enum weir_type)(unsigned char)bytes.p[0],
        .body = { bytes.p + 1, bytes.n - 1 },
    };
}

/*
 * Whether a builder has failed already, and how; for readers that find a fault of
 * their own. Errors: as weir_item_finish.
 */
WEIR_MUST_CHECK enum weir_rc weir_item_status(
        const struct weir_item_builder *builder, struct weir_err *err);

#endif
