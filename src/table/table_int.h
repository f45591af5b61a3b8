/* What the files of table/ share. */
#ifndef WEIR_TABLE_TABLE_INT_H
#define WEIR_TABLE_TABLE_INT_H

#include <stdatomic.h>

#include "store/catalogue.h"
#include "table/table.h"
#include "timer/timer.h"

/* Whether a table is still there: shared by all its definitions, old ones too. */
struct weir_table_life {
    _Atomic int references;
    _Atomic bool dropped; /* set on the commit thread, when the drop is committed */
};

/* A definition with its memory. */
struct weir_table_box {
    struct weir_table table;
    struct weir_arena arena; /* of all its strings and arrays */
    struct weir_defined defined;
    struct weir_table_life *life;
};

/* dropped.c: tables that were dropped a while ago, the newest behind the others. */
struct weir_tables_dropped {
    struct weir_mutex mutex; /* guards the two below */
    const struct weir_table *all[64];
    size_t count;
};

struct weir_tables {
    struct weir_store *store;
    struct weir_timers *timers;
    struct weir_str region;  /* owned */
    struct weir_str account; /* owned */
    struct weir_catalogue catalogue;
    _Atomic uint64_t version;
    struct weir_tables_dropped dropped;
};

void weir_tables_dropped_init(struct weir_tables *tables);
void weir_tables_dropped_fini(struct weir_tables *tables);
void weir_tables_note_dropped(struct weir_tables *tables, const struct weir_table *table);

static inline struct weir_table_box *weir_table_box(const struct weir_table *table)
{
    return WEIR_CONTAINER(table, struct weir_table_box, table);
}

/* change.c: collects into what an operation adds on the commit thread. */
struct weir_view_sink {
    struct weir_change_sink base;
    struct weir_view *view;
};
void weir_view_sink_init(struct weir_view_sink *sink, struct weir_view *view);

/* definition.c: a definition to and from the catalogue's bytes; decode fills ARNs. */
struct weir_item weir_table_encode(struct weir_arena *arena, const struct weir_table *table);
WEIR_MUST_CHECK enum weir_rc weir_table_decode(const struct weir_tables *tables,
        struct weir_item stored, struct weir_table_box **ret_box, struct weir_err *err);
void weir_table_box_destroy(struct weir_table_box *box);

/*
 * catalogue.c: the table of a name within an operation; the caller destroys the box. Errors:
 * WEIR_E_NOT_FOUND, WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_tables_read(struct weir_tables *tables, struct weir_view *view,
        struct weir_str name, struct weir_table_box **ret_box, struct weir_err *err);
void weir_tables_write(
        struct weir_tables *tables, struct weir_view *view, const struct weir_table *table);

static inline bool weir_table_is_dropped(const struct weir_table *table)
{
    return atomic_load(&weir_table_box(table)->life->dropped);
}

/* Errors: WEIR_E_INVALID: says what differs between a stored table and one from weir.yaml. */
WEIR_MUST_CHECK enum weir_rc weir_table_compare(
        const struct weir_table *stored, const struct weir_table *wanted, struct weir_err *err);

/* key.c: append the parts of keys. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_key_schema_encode(const struct weir_key_schema *schema,
        struct weir_item item, struct weir_buf *buf, struct weir_err *err);

/* Whether an item has every attribute of a key with its type, so that an index holds it. */
bool weir_key_schema_covers(const struct weir_key_schema *schema, struct weir_item item);

/* key.c: the key of an item's entry in an index, in the arena. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_index_key(const struct weir_table *table,
        const struct weir_index *index, struct weir_item item, struct weir_arena *arena,
        struct weir_str *ret_key, struct weir_err *err);

/* key.c: begin a key with the partition's hash and values. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_key_begin(
        struct weir_buf *buf, const struct weir_value *values, size_t count, struct weir_err *err);

/* key.c: an item of the attributes of up to two schemas (the second may be NULL). Errors:
 * WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_key_schema_pick(const struct weir_key_schema *first,
        const struct weir_key_schema *second, struct weir_item item, struct weir_arena *arena,
        struct weir_item *ret_keys, struct weir_err *err);

/* ttl.c: the name of an item's timer (key empty: of the job that covers existing items). */
struct weir_str weir_ttl_name(struct weir_arena *arena, uint32_t space, struct weir_str key);

/* ttl.c: handle the timers of time to live. */
void weir_ttl_start(struct weir_tables *tables);

#endif
