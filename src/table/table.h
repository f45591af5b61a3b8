/*
 * Tables: items with keys, indexes, time to live, and the stream of their changes.
 *
 * The catalogue (weir_tables) knows every table. A struct weir_table is one table's
 * definition: it never changes, is shared by reference counting, and is replaced in
 * the catalogue when something about the table does. Holding one does not keep the
 * table alive; writes to a dropped table fail with WEIR_E_NOT_FOUND.
 *
 * Keyspaces: a table has one for its items and one for each index; its number also
 * names its stream in the log. An item's key is a hash of its partition key, then
 * partition and sort key in order-preserving form; an index entry's key is the same
 * of the index key, with the table's key behind it.
 *
 * Changes are made by operations on the commit thread (weir_table_write) or, by
 * pipelines, prepared under a read set (weir_table_change).
 *
 * Messages of WEIR_E_INVALID are DynamoDB's own and reach clients unchanged.
 */
#ifndef WEIR_TABLE_TABLE_H
#define WEIR_TABLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"
#include "table/expression.h"
#include "value/item.h"
#include "value/record.h"

struct weir_tables;
struct weir_timers;

enum {
    WEIR_TABLE_NAME_MIN = 3,
    WEIR_TABLE_NAME_MAX = 255,
    WEIR_TABLE_INDEXES_MAX = 20,
    WEIR_TABLE_SHARDS_DEFAULT = 4,
    WEIR_TABLE_SHARDS_MAX = 64,
};

enum weir_projection_type {
    WEIR_PROJECT_ALL = 0,
    WEIR_PROJECT_KEYS_ONLY = 1,
    WEIR_PROJECT_INCLUDE = 2,
};

/* A key: which attributes, in key order. */
struct weir_key_schema {
    struct weir_ddb_key_attribute partition[WEIR_DDB_KEY_MAX_ATTRIBUTES];
    size_t partition_count;
    struct weir_ddb_key_attribute sort[WEIR_DDB_KEY_MAX_ATTRIBUTES];
    size_t sort_count;
};

/* The view that expressions want. Borrowed from the schema. */
static inline struct weir_ddb_key_schema weir_key_schema_view(const struct weir_key_schema *schema)
{
    return (struct weir_ddb_key_schema){ schema->partition, schema->partition_count, schema->sort,
        schema->sort_count };
}

struct weir_index {
    struct weir_str name;
    uint32_t space; /* given by the catalogue */
    struct weir_key_schema key;
    enum weir_projection_type projection;
    struct weir_str *include; /* INCLUDE: the non-key attributes */
    size_t include_count;
    bool local; /* shares the table's partition key (LocalSecondaryIndexes) */
};

/* A table's definition. Strings and arrays belong to it. */
struct weir_table {
    struct weir_str name;
    uint32_t space; /* given by the catalogue */
    struct weir_key_schema key;
    struct weir_index *indexes;
    size_t index_count;
    enum weir_view_type view; /* NONE: no stream */
    uint32_t shards;
    struct weir_str ttl_attribute; /* empty: none */
    struct weir_time created;
    struct weir_time stream_created; /* makes the stream's label */
    struct weir_str table_id;        /* a UUID */
    bool from_file;                  /* named in weir.yaml: the API may not change or drop it */
    bool deletion_protection;
    struct weir_str billing; /* "PAY_PER_REQUEST" or "PROVISIONED": only echoed */
    uint64_t read_units;     /* only echoed */
    uint64_t write_units;
    /* Made from the above by the catalogue. */
    struct weir_str arn;
    struct weir_str stream_arn; /* empty without a stream */
    struct weir_str stream_label;
    struct weir_record_source source;
};

struct weir_tables_options {
    struct weir_store *store;
    struct weir_timers *timers; /* for time to live; NULL in tools */
    struct weir_str region;     /* in ARNs; empty: us-east-1 */
    struct weir_str account;    /* in ARNs; empty: 000000000000 */
};

/* Load the catalogue. Errors: WEIR_E_IO, WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_tables_open(const struct weir_tables_options *options,
        struct weir_tables **ret_tables, struct weir_err *err);
/* The store's commit thread must have nothing of it in flight. */
void weir_tables_close(struct weir_tables *tables);

struct weir_store *weir_tables_store(struct weir_tables *tables);

/*
 * A table by name (an ARN of it works too), with a reference that the caller gives back.
 * Errors: WEIR_E_NOT_FOUND. Any thread.
 */
WEIR_MUST_CHECK enum weir_rc weir_tables_get(struct weir_tables *tables, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err);
/*
 * The oldest table of a name that was dropped since the start and had a stream, of those whose
 * keyspace's number is greater than `after` (they grow); with a reference. NULL: there is none, or
 * dozens were dropped since. What is in its stream can be read as long as the log has it. Any
 * thread.
 */
const struct weir_table *weir_tables_get_dropped(
        struct weir_tables *tables, struct weir_str name, uint32_t after);
/* By keyspace; NULL when there is none. */
const struct weir_table *weir_tables_get_space(struct weir_tables *tables, uint32_t space);
void weir_table_ref(const struct weir_table *table);
void weir_table_unref(const struct weir_table *table);

/*
 * Names in order, those after `after` (may be empty), at most cap; copied into the
 * arena. Returns how many. Any thread.
 */
size_t weir_tables_list(struct weir_tables *tables, struct weir_str after, struct weir_arena *arena,
        struct weir_str *names, size_t cap);

/* A number that grows whenever the catalogue changes. Any thread. */
uint64_t weir_tables_version(struct weir_tables *tables);

/* Called on the commit thread, after a change of the catalogue. One at a time. */
void weir_tables_on_change(struct weir_tables *tables, void (*on_change)(void *arg), void *arg);

/* --- definitions: the outcome arrives on the commit thread ------------------- */

/*
 * Check a definition from outside: names, key types, index count and duplicates.
 * Errors: WEIR_E_INVALID with DynamoDB's message.
 */
WEIR_MUST_CHECK enum weir_rc weir_table_check(const struct weir_table *table, struct weir_err *err);

/*
 * Add an operation to a transaction that creates the table as defined (copied into the
 * transaction; spaces, times and ids are filled in). The catalogue has it before
 * the transaction's done is called.
 * When run: WEIR_E_EXISTS.
 */
void weir_tables_create_table(
        struct weir_tables *tables, struct weir_txn *txn, const struct weir_table *definition);

/*
 * Add an operation that drops a table and everything of it. When run: WEIR_E_NOT_FOUND.
 */
void weir_tables_drop_table(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name);

/* Add an operation that sets (or with an empty name clears) the time-to-live attribute. When
 * run: WEIR_E_NOT_FOUND, WEIR_E_INVALID (already so). Items that exist are gone through in
 * the background. */
void weir_tables_set_ttl(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name,
        struct weir_str attribute);

/* What can be changed of a table whose items stay as they are. Zero leaves a setting alone. */
struct weir_table_alteration {
    bool set_protection;
    bool protection;
    struct weir_str billing; /* empty: leave it and the units alone */
    uint64_t read_units;
    uint64_t write_units;
    enum weir_view_type view; /* begin a stream */
};

/* Add an operation that changes a table's settings. When run: WEIR_E_NOT_FOUND,
 * WEIR_E_INVALID (the table has a stream already). */
void weir_tables_alter(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name,
        const struct weir_table_alteration *alteration);

/*
 * Make the catalogue agree with a definition from weir.yaml: creates the table, or checks
 * that it is the same and changes what can be changed (stream view, time to live). Waits for the
 * commit: for start and reload, never on a loop. Errors: WEIR_E_INVALID (key schema or indexes
 * differ: says how), and those of commits.
 */
WEIR_MUST_CHECK enum weir_rc weir_tables_ensure(
        struct weir_tables *tables, const struct weir_table *definition, struct weir_err *err);

/* --- keys ----------------------------------------------------------------------- */

/*
 * Encode the key of an item for the table. The bytes are the arena's.
 * Errors: WEIR_E_INVALID (missing or mistyped key attribute, empty or too long value).
 */
WEIR_MUST_CHECK enum weir_rc weir_table_key(const struct weir_table *table, struct weir_item item,
        struct weir_arena *arena, struct weir_str *ret_key, struct weir_err *err);

/*
 * As weir_table_key for a request's Key, which must hold the key attributes and nothing else.
 * Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_table_exact_key(const struct weir_table *table,
        struct weir_item key, struct weir_arena *arena, struct weir_str *ret_key,
        struct weir_err *err);

/* The key attributes of an item, as an item in the arena. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_table_key_item(const struct weir_table *table,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_keys,
        struct weir_err *err);

/* The stream shard of an encoded key. */
uint32_t weir_table_shard(const struct weir_table *table, struct weir_str key);

/*
 * Check an item that a client wants to put: key attributes, index key types, size.
 * Errors: WEIR_E_INVALID.
 */
WEIR_MUST_CHECK enum weir_rc weir_table_check_item(
        const struct weir_table *table, struct weir_item item, struct weir_err *err);

/* --- writing ---------------------------------------------------------------------- */

enum weir_write_kind {
    WEIR_WRITE_PUT,
    WEIR_WRITE_DELETE,
    WEIR_WRITE_UPDATE,
};

/* One write of the wire API. Everything it points to lives in its transaction's arena. */
struct weir_write {
    struct weir_op op; /* private */
    struct weir_tables *tables;
    const struct weir_table *table; /* the caller's reference, held until the txn is destroyed */
    enum weir_write_kind kind;
    struct weir_item item; /* PUT: the item. DELETE, UPDATE: the key attributes */
    struct weir_str key;   /* encoded; set by weir_table_write */
    const struct weir_ddb_condition *condition; /* NULL: none */
    const struct weir_ddb_update *update;       /* UPDATE; NULL: only make the item exist */

    /* The outcome, in the transaction's arena. */
    struct weir_item before; /* empty: there was none. Set even when the condition failed */
    struct weir_item after;  /* empty: there is none */
};

/*
 * Add a write to a transaction. The item and key are checked now.
 * Errors: WEIR_E_INVALID. When run: WEIR_E_CONDITION, WEIR_E_INVALID (an update that does not
 * apply), WEIR_E_NOT_FOUND (table dropped).
 */
WEIR_MUST_CHECK enum weir_rc weir_table_write(
        struct weir_write *write, struct weir_txn *txn, struct weir_err *err);

/* When an item expires by the table's time-to-live attribute; false: never. */
bool weir_table_expires(
        const struct weir_table *table, struct weir_item item, struct weir_time *ret_due);

/* Where changes go: a transaction or a view. */
struct weir_change_sink {
    void (*add)(struct weir_change_sink *sink, const struct weir_change *change);
    struct weir_arena *arena;
};

/* Collects into a transaction's prepared changes. */
struct weir_txn_sink {
    struct weir_change_sink base;
    struct weir_txn *txn;
};
void weir_txn_sink_init(struct weir_txn_sink *sink, struct weir_txn *txn);

/*
 * Add to a transaction that the table must still be there. When run: WEIR_E_NOT_FOUND. The
 * caller's reference is held until the transaction is destroyed.
 */
void weir_table_guard(struct weir_txn *txn, const struct weir_table *table);

struct weir_item_change {
    struct weir_str key;     /* encoded */
    struct weir_item before; /* empty: none */
    struct weir_item after;  /* empty: none */
    bool by_ttl;
    uint8_t hops; /* pipelines this change came through */
};

/*
 * Add everything that a change of one item means: the item, its stream record, index
 * entries, time-to-live timer. Nothing when before and after are equal. The caller vouches
 * that `before` is what stands there (read set or operation).
 * Errors: WEIR_E_INVALID (index keys).
 */
WEIR_MUST_CHECK enum weir_rc weir_table_change(const struct weir_table *table,
        struct weir_change_sink *sink, const struct weir_item_change *change, struct weir_err *err);

/* --- reading ------------------------------------------------------------------------ */

/* Read an item by encoded key; empty when there is none. In the arena. Errors: WEIR_E_IO,
 * WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_table_get(struct weir_tables *tables,
        const struct weir_table *table, struct weir_str key, struct weir_arena *arena,
        struct weir_item *ret_item, struct weir_err *err);

struct weir_query {
    const struct weir_table *table;
    const struct weir_index *index; /* NULL: the table */
    /* Query: the key range. Scan: NULL. */
    const struct weir_ddb_key_range *range;
    bool backward;
    struct weir_item start; /* ExclusiveStartKey; empty: from the beginning */
    uint64_t limit;         /* items looked at; 0: no limit */
    size_t max_bytes;       /* of items looked at; 0: 1 MiB */
    uint32_t segment;       /* Scan: this one of `segments`; segments 0: all */
    uint32_t segments;
    const struct weir_ddb_condition *filter; /* NULL: none */
};

struct weir_query_result {
    uint64_t scanned;      /* items looked at */
    uint64_t matched;      /* items handed to each */
    size_t bytes;          /* DynamoDB's size of what was looked at */
    struct weir_item last; /* LastEvaluatedKey, in the arena; empty: that was all */
};

/*
 * Query or scan: hands each matching item (borrowed for the call) to `each`, which may
 * return false to stop there. On an index the items are its projected ones.
 * Errors: WEIR_E_INVALID (start key), WEIR_E_IO, WEIR_E_DAMAGED. Any thread.
 */
WEIR_MUST_CHECK enum weir_rc weir_table_query(struct weir_tables *tables,
        const struct weir_query *query, struct weir_arena *arena,
        bool (*each)(void *arg, struct weir_item item), void *arg,
        struct weir_query_result *ret_result, struct weir_err *err);

/* The index of a name, or NULL. */
const struct weir_index *weir_table_index(const struct weir_table *table, struct weir_str name);

/* --- streams -------------------------------------------------------------------------- */

/* The table of a stream ARN, with a reference. Errors: WEIR_E_NOT_FOUND. */
WEIR_MUST_CHECK enum weir_rc weir_tables_get_stream(struct weir_tables *tables,
        struct weir_str stream_arn, const struct weir_table **ret_table, struct weir_err *err);

/*
 * A record from a log change of the table's stream; its views borrow from the change.
 * keys and images outside the view type stay empty.
 */
void weir_table_record(const struct weir_table *table, const struct weir_change *change,
        struct weir_time time, struct weir_record *ret_record);

#endif
