/* What the tests of tables share: a store in memory, timers run by hand, and short ways to write.
 */
#ifndef WEIR_TESTS_UNIT_TABLE_FIXTURE_H
#define WEIR_TESTS_UNIT_TABLE_FIXTURE_H

#include "../await.h"
#include "base/mem.h"
#include "expression_test.h"
#include "table/table.h"
#include "timer/timer.h"

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_store_options options;
    struct weir_store *store;
    struct weir_timers *timers;
    struct weir_tables *tables;
    _Atomic int timer_changes;
    uint64_t wake_after_ms;
    bool wake_never;
    struct weir_log_reader *reader; /* of the stream that is checked */
    const struct weir_table *read;  /* its table; a reference */
};

static inline void timers_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct fixture *f = arg;
    f->wake_after_ms = after_ms;
    f->wake_never = never;
}

static inline void timers_changed(void *arg)
{
    struct fixture *f = arg;
    f->timer_changes++;
}

static inline void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

static inline void open_tables(struct fixture *f)
{
    struct weir_err err;
    struct weir_timer_host host = { timers_wake_at, timers_changed, f };
    f->timers = weir_timers_create(f->store, host);
    struct weir_tables_options options = { .store = f->store, .timers = f->timers };
    must(weir_tables_open(&options, &f->tables, &err), &err);
}

/* Wait until everything submitted so far, by handlers of timers too, has its outcome. */
static inline void await_commits(struct fixture *f)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_err err;
    txn->lane = true;
    must(weir_store_commit(f->store, txn, &err), &err);
    weir_txn_destroy(txn);
}

static inline void close_tables(struct fixture *f)
{
    await_commits(f);
    weir_timers_destroy(WEIR_TAKE(f->timers));
    weir_tables_close(WEIR_TAKE(f->tables));
}

static inline void open_all(struct fixture *f)
{
    struct weir_err err;
    must(weir_store_open(&f->options, &f->store, &err), &err);
    open_tables(f);
}

static inline void close_all(struct fixture *f)
{
    weir_log_reader_destroy(WEIR_TAKE(f->reader));
    weir_table_unref(WEIR_TAKE(f->read));
    close_tables(f);
    weir_store_close(WEIR_TAKE(f->store));
}

static inline struct fixture *fixture_create(void)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    weir_arena_init(&arena);
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    f->metrics = weir_metrics_create();
    f->options.clock = &f->clock.base;
    f->options.metrics = f->metrics;
    return f;
}

static inline void fixture_destroy(struct fixture *f)
{
    close_all(f);
    weir_metrics_destroy(f->metrics);
    weir_arena_fini(&arena);
    weir_free(f);
}

static inline int set_up(void **state)
{
    struct fixture *f = fixture_create();
    open_all(f);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture_destroy(*state);
    return 0;
}

/* Run the timers until nothing is due. */
static inline void run_timers(struct fixture *f)
{
    struct weir_err err;
    int before = f->timer_changes - 1;
    AWAIT(f->timer_changes == before, "timers change, again and again")
    {
        before = f->timer_changes;
        must(weir_timers_run(f->timers, &err), &err);
        await_commits(f);
    }
}

/* A definition: a key of `partition` (S) and, when not NULL, `sort` (N). */
static inline struct weir_table definition(
        const char *name, const char *partition, const char *sort)
{
    struct weir_table table = {
        .name = weir_str_z(name),
        .view = WEIR_VIEW_NEW_AND_OLD_IMAGES,
        .shards = 4,
        .billing = WEIR_STR("PAY_PER_REQUEST"),
        .from_file = true,
    };
    table.key.partition[0] = (struct weir_ddb_key_attribute){ weir_str_z(partition), WEIR_TYPE_S };
    table.key.partition_count = 1;
    if (sort != NULL) {
        table.key.sort[0] = (struct weir_ddb_key_attribute){ weir_str_z(sort), WEIR_TYPE_N };
        table.key.sort_count = 1;
    }
    return table;
}

static inline enum weir_rc commit(struct fixture *f, struct weir_txn *txn, struct weir_err *err)
{
    enum weir_rc rc = weir_store_commit(f->store, txn, err);
    weir_txn_destroy(txn);
    return rc;
}

static inline enum weir_rc create(struct fixture *f, const struct weir_table *table)
{
    struct weir_txn *txn = weir_txn_create();
    weir_tables_create_table(f->tables, txn, table);
    return commit(f, txn, NULL);
}

static inline enum weir_rc drop(struct fixture *f, const char *name)
{
    struct weir_txn *txn = weir_txn_create();
    weir_tables_drop_table(f->tables, txn, weir_str_z(name));
    return commit(f, txn, NULL);
}

static inline enum weir_rc set_ttl(
        struct fixture *f, const char *name, const char *attribute, struct weir_err *err)
{
    struct weir_txn *txn = weir_txn_create();
    weir_tables_set_ttl(f->tables, txn, weir_str_z(name), weir_str_z(attribute));
    return commit(f, txn, err);
}

/* With a reference. */
static inline const struct weir_table *table_of(struct fixture *f, const char *name)
{
    const struct weir_table *table = NULL;
    struct weir_err err;
    must(weir_tables_get(f->tables, weir_str_z(name), &table, &err), &err);
    return table;
}

struct write_text {
    enum weir_write_kind kind;
    const char *item;
    const char *condition;
    const char *update;
    const char *names;
    const char *values;
    struct weir_item before; /* the outcome, in the test's arena */
    struct weir_item after;
};

static inline struct weir_item keep(struct weir_item item)
{
    struct weir_str copy = weir_arena_str(&arena, weir_str(item.p, item.n));
    return (struct weir_item){ copy.p, item.n };
}

/* Write to a definition that the caller has. */
static inline enum weir_rc write_to(struct fixture *f, const struct weir_table *table,
        struct write_text *text, struct weir_err *err)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    write->tables = f->tables;
    write->table = table;
    write->kind = text->kind;
    write->item = item_of(text->item);
    struct weir_ddb_context context = context_of(text->names, text->values);
    if (text->condition != NULL) {
        must(weir_ddb_compile_condition(&arena, WEIR_DDB_CONDITION, weir_str_z(text->condition),
                     &context, &write->condition, err),
                err);
    }
    if (text->update != NULL) {
        must(weir_ddb_compile_update(
                     &arena, weir_str_z(text->update), &context, &write->update, err),
                err);
    }
    enum weir_rc rc = weir_table_write(write, txn, err);
    if (rc == WEIR_OK) {
        rc = weir_store_commit(f->store, txn, err);
        text->before = keep(write->before);
        text->after = keep(write->after);
    }
    weir_txn_destroy(txn);
    return rc;
}

static inline enum weir_rc write_as(
        struct fixture *f, const char *name, struct write_text *text, struct weir_err *err)
{
    const struct weir_table *table = table_of(f, name);
    enum weir_rc rc = write_to(f, table, text, err);
    weir_table_unref(table);
    return rc;
}

static inline void put(struct fixture *f, const char *name, const char *item)
{
    struct weir_err err;
    struct write_text text = { .kind = WEIR_WRITE_PUT, .item = item };
    must(write_as(f, name, &text, &err), &err);
}

static inline void del(struct fixture *f, const char *name, const char *key)
{
    struct weir_err err;
    struct write_text text = { .kind = WEIR_WRITE_DELETE, .item = key };
    must(write_as(f, name, &text, &err), &err);
}

/* The item of a key as JSON text with single quotes; "" when there is none. */
static inline const char *text_of(struct weir_item item)
{
    struct weir_buf buf;
    if (item.n == 0) {
        return "";
    }
    weir_buf_init(&buf, 1 << 20);
    weir_ddbjson_write_item(&buf, item);
    for (size_t i = 0; i < buf.n; i++) {
        buf.p[i] = buf.p[i] == '"' ? '\'' : buf.p[i];
    }
    struct weir_str copy = weir_arena_str(&arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return copy.p;
}

static inline const char *get(struct fixture *f, const char *name, const char *key)
{
    const struct weir_table *table = table_of(f, name);
    struct weir_str encoded;
    struct weir_item item = { 0 };
    struct weir_err err;
    must(weir_table_exact_key(table, item_of(key), &arena, &encoded, &err), &err);
    must(weir_table_get(f->tables, table, encoded, &arena, &item, &err), &err);
    weir_table_unref(table);
    return text_of(item);
}

/* Begin to check a table's stream, from its beginning. */
static inline void follow(struct fixture *f, const char *name)
{
    weir_log_reader_destroy(f->reader);
    weir_table_unref(f->read);
    f->read = table_of(f, name);
    struct weir_log_filter filter = { .space = f->read->space, .shard = WEIR_LOG_ANY_SHARD };
    struct weir_pos start = { 0 };
    f->reader = weir_log_reader_create(weir_store_log(f->store), filter, start);
}

/* The next record as text: event, keys, old and new image, "ttl"; "" when there is none. */
static inline const char *next_record(struct fixture *f)
{
    struct weir_change change;
    struct weir_time time;
    struct weir_err err;
    bool have = false;
    must(weir_log_next(f->reader, &change, &time, &have, &err), &err);
    if (!have) {
        return "";
    }
    struct weir_record record;
    weir_table_record(f->read, &change, time, &record);
    assert_int_equal(record.shard, weir_table_shard(f->read, change.key));
    assert_true(record.shard < f->read->shards);
    return weir_arena_printf(&arena, "%s %s %s -> %s%s", weir_event_name(record.event),
            text_of(record.keys), text_of(record.old_image), text_of(record.new_image),
            record.by_ttl ? " ttl" : "")
            .p;
}

#endif
