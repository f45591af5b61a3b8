/*
 * Keyspaces over RocksDB: one column family, a key is the keyspace's number (big-endian)
 * and the key's bytes, a value is version, position, commit time and the payload.
 */
#include <rocksdb/c.h>
#include <string.h>

#include "base/crash.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { VALUE_VERSION = 1, HEAD_BYTES = 17, SPACE_BYTES = 4, PERSISTED_TIER = 2 };

struct weir_keyspaces {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_env_t *env; /* NULL: the machine's */
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_readoptions_t *read_persisted;
    rocksdb_writeoptions_t *write;
    rocksdb_flushoptions_t *flush;
    rocksdb_writebatch_t *batch; /* what the next apply writes */
};

static void put_be32(char *p, uint32_t v)
{
    p[0] = (char)(v >> 24);
    p[1] = (char)(v >> 16);
    p[2] = (char)(v >> 8);
    p[3] = (char)v;
}

static enum weir_rc fail_rocksdb(struct weir_err *err, const char *what, char *message)
{
    weir_fail(err, WEIR_E_IO, "cannot %s the state: %s", what, message);
    rocksdb_free(message);
    return WEIR_E_IO;
}

/*
 * The levels that are rewritten most (the first two, at most a quarter of a gigabyte) are not
 * packed, and twice the usual number of files gathers before they are merged: with many small
 * changes, packing and merging would take more time than making them.
 */
static void set_levels(rocksdb_options_t *options)
{
    enum { LEVELS = 7, UNPACKED = 2, FILES = 8 };
    int compression[LEVELS];
    for (int i = 0; i < LEVELS; i++) {
        compression[i] = i < UNPACKED ? rocksdb_no_compression : rocksdb_lz4_compression;
    }
    rocksdb_options_set_compression_per_level(options, compression, LEVELS);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, FILES);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
}

static rocksdb_options_t *make_options(struct weir_keyspaces *spaces, uint64_t memory_bytes)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    spaces->cache = rocksdb_cache_create_lru((size_t)(memory_bytes / 2));
    rocksdb_block_based_options_set_block_cache(table, spaces->cache);
    rocksdb_block_based_options_set_block_size(table, 8 * 1024);
    rocksdb_block_based_options_set_filter_policy(
            table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_write_buffer_size(options, (size_t)(memory_bytes / 8));
    rocksdb_options_set_max_write_buffer_number(options, 4);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.02);
    rocksdb_options_set_max_background_jobs(options, 2);
    set_levels(options);
    rocksdb_options_set_max_file_opening_threads(options, 1); /* else 16 are started and ended */
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_max_log_file_size(options, 1024 * 1024);
    rocksdb_options_set_info_log_level(options, 3); /* errors */
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_set_max_open_files(options, 256);
    return options;
}

enum weir_rc weir_keyspaces_open(const char *dir, uint64_t memory_bytes,
        struct weir_keyspaces **ret_spaces, struct weir_err *err)
{
    struct weir_keyspaces *spaces = weir_alloc_zero(1, sizeof(*spaces));
    spaces->options = make_options(spaces, memory_bytes);
    if (dir == NULL) {
        spaces->env = rocksdb_create_mem_env();
        rocksdb_options_set_env(spaces->options, spaces->env);
    }
    spaces->read = rocksdb_readoptions_create();
    spaces->read_persisted = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(spaces->read_persisted, PERSISTED_TIER);
    spaces->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(spaces->write, 1);
    spaces->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(spaces->flush, 0);
    spaces->batch = rocksdb_writebatch_create();
    char *message = NULL;
    spaces->db = rocksdb_open(spaces->options, dir != NULL ? dir : "/weir-memory", &message);
    if (spaces->db == NULL) {
        weir_keyspaces_close(spaces);
        return fail_rocksdb(err, "open", message);
    }
    *ret_spaces = spaces;
    return WEIR_OK;
}

void weir_keyspaces_close(struct weir_keyspaces *spaces)
{
    if (spaces == NULL) {
        return;
    }
    if (spaces->db != NULL) {
        rocksdb_close(spaces->db); /* flushes, as the write-ahead log is off */
    }
    rocksdb_writebatch_destroy(spaces->batch);
    rocksdb_flushoptions_destroy(spaces->flush);
    rocksdb_writeoptions_destroy(spaces->write);
    rocksdb_readoptions_destroy(spaces->read_persisted);
    rocksdb_readoptions_destroy(spaces->read);
    rocksdb_options_destroy(spaces->options);
    rocksdb_cache_destroy(spaces->cache);
    if (spaces->env != NULL) {
        rocksdb_env_destroy(spaces->env);
    }
    weir_free(spaces);
}

/* The full key in a buffer on the stack where it fits, else in the arena. */
#define STACK_KEY_BYTES 512

static struct weir_str full_key(struct weir_arena *arena, char stack[static STACK_KEY_BYTES],
        uint32_t space, struct weir_str key)
{
    size_t n = SPACE_BYTES + key.n;
    char *p = n <= STACK_KEY_BYTES ? stack : weir_arena_alloc(arena, n);
    put_be32(p, space);
    if (key.n > 0) {
        memcpy(p + SPACE_BYTES, key.p, key.n);
    }
    return weir_str(p, n);
}

static enum weir_rc decode_entry(
        struct weir_str stored, struct weir_entry *ret_entry, struct weir_err *err)
{
    if (stored.n < HEAD_BYTES || stored.p[0] != VALUE_VERSION) {
        return weir_fail(err, WEIR_E_DAMAGED, "a stored value has %zu bytes and version %d",
                stored.n, stored.n > 0 ? stored.p[0] : -1);
    }
    memcpy(&ret_entry->pos.seq, stored.p + 1, 8);
    memcpy(&ret_entry->time.ms, stored.p + 9, 8);
    ret_entry->value = weir_str(stored.p + HEAD_BYTES, stored.n - HEAD_BYTES);
    return WEIR_OK;
}

enum weir_rc weir_keyspaces_get(struct weir_keyspaces *spaces, uint32_t space, struct weir_str key,
        struct weir_arena *arena, struct weir_entry *ret_entry, struct weir_err *err)
{
    char stack[STACK_KEY_BYTES];
    struct weir_str full = full_key(arena, stack, space, key);
    char *message = NULL;
    rocksdb_pinnableslice_t *slice =
            rocksdb_get_pinned(spaces->db, spaces->read, full.p, full.n, &message);
    if (message != NULL) {
        return fail_rocksdb(err, "read", message);
    }
    *ret_entry = (struct weir_entry){ 0 };
    if (slice == NULL) {
        return WEIR_OK;
    }
    struct weir_str stored;
    stored.p = rocksdb_pinnableslice_value(slice, &stored.n);
    enum weir_rc rc = decode_entry(stored, ret_entry, err);
    if (rc == WEIR_OK) {
        ret_entry->value = weir_arena_str(arena, ret_entry->value);
    }
    rocksdb_pinnableslice_destroy(slice);
    return rc;
}

static void batch_put(
        struct weir_keyspaces *spaces, const struct weir_change *change, struct weir_time time)
{
    char space[SPACE_BYTES];
    put_be32(space, change->space);
    char head[HEAD_BYTES];
    head[0] = VALUE_VERSION;
    memcpy(head + 1, &change->pos.seq, 8);
    memcpy(head + 9, &time.ms, 8);
    const char *keys[] = { space, change->key.p };
    const size_t key_sizes[] = { SPACE_BYTES, change->key.n };
    const char *values[] = { head, change->value.p };
    const size_t value_sizes[] = { HEAD_BYTES, change->value.n };
    rocksdb_writebatch_putv(
            spaces->batch, 2, keys, key_sizes, change->value.n > 0 ? 2 : 1, values, value_sizes);
}

static void batch_delete(struct weir_keyspaces *spaces, const struct weir_change *change)
{
    char space[SPACE_BYTES];
    put_be32(space, change->space);
    const char *keys[] = { space, change->key.p };
    const size_t key_sizes[] = { SPACE_BYTES, change->key.n };
    rocksdb_writebatch_deletev(spaces->batch, 2, keys, key_sizes);
}

void weir_keyspaces_add(
        struct weir_keyspaces *spaces, const struct weir_change *change, struct weir_time time)
{
    switch (change->kind) {
    case WEIR_CHANGE_PUT:
        batch_put(spaces, change, time);
        break;
    case WEIR_CHANGE_DELETE:
        batch_delete(spaces, change);
        break;
    case WEIR_CHANGE_RECORD:
        if (change->value.n > 0) {
            batch_put(spaces, change, time);
        } else {
            batch_delete(spaces, change);
        }
        break;
    case WEIR_CHANGE_DROP: {
        char from[SPACE_BYTES];
        char to[SPACE_BYTES];
        put_be32(from, change->space);
        put_be32(to, change->space + 1);
        rocksdb_writebatch_delete_range(spaces->batch, from, SPACE_BYTES, to, SPACE_BYTES);
        break;
    }
    }
}

static const char applied_key[] = { 0, 0, 0, WEIR_SPACE_STORE, 'a', 'p', 'p', 'l', 'i', 'e', 'd' };

enum weir_rc weir_keyspaces_apply(
        struct weir_keyspaces *spaces, struct weir_pos applied, struct weir_err *err)
{
    rocksdb_writebatch_put(spaces->batch, applied_key, sizeof(applied_key),
            (const char *)&applied.seq, sizeof(applied.seq));
    if (weir_fault_point("state.write")) {
        return weir_fail(err, WEIR_E_IO, "cannot change the state: a test lets this fail");
    }
    char *message = NULL;
    rocksdb_write(spaces->db, spaces->write, spaces->batch, &message);
    if (message != NULL) {
        return fail_rocksdb(err, "change", message);
    }
    rocksdb_writebatch_clear(spaces->batch);
    return WEIR_OK;
}

enum weir_rc weir_keyspaces_applied(struct weir_keyspaces *spaces, bool persisted,
        struct weir_pos *ret_pos, struct weir_err *err)
{
    char *message = NULL;
    size_t n = 0;
    char *value = rocksdb_get(spaces->db, persisted ? spaces->read_persisted : spaces->read,
            applied_key, sizeof(applied_key), &n, &message);
    if (message != NULL) {
        return fail_rocksdb(err, "read", message);
    }
    ret_pos->seq = 0;
    if (value != NULL && n == sizeof(ret_pos->seq)) {
        memcpy(&ret_pos->seq, value, n);
    }
    rocksdb_free(value);
    return WEIR_OK;
}

void weir_keyspaces_flush(struct weir_keyspaces *spaces)
{
    char *message = NULL;
    rocksdb_flush(spaces->db, spaces->flush, &message);
    rocksdb_free(message); /* a failed flush shows at the next apply, and the log keeps its data */
}

/* --- cursors ------------------------------------------------------------------ */

struct weir_cursor {
    rocksdb_iterator_t *iterator;
    rocksdb_readoptions_t *read;
    uint32_t space;
    char lower[SPACE_BYTES];
    char upper[SPACE_BYTES];
    struct weir_arena arena; /* of long keys to seek to */
};

struct weir_cursor *weir_keyspaces_cursor(struct weir_keyspaces *spaces, uint32_t space)
{
    struct weir_cursor *cursor = weir_alloc_zero(1, sizeof(*cursor));
    cursor->space = space;
    put_be32(cursor->lower, space);
    put_be32(cursor->upper, space + 1);
    cursor->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_lower_bound(cursor->read, cursor->lower, SPACE_BYTES);
    rocksdb_readoptions_set_iterate_upper_bound(cursor->read, cursor->upper, SPACE_BYTES);
    cursor->iterator = rocksdb_create_iterator(spaces->db, cursor->read);
    weir_arena_init(&cursor->arena);
    return cursor;
}

void weir_cursor_destroy(struct weir_cursor *cursor)
{
    if (cursor == NULL) {
        return;
    }
    rocksdb_iter_destroy(cursor->iterator);
    rocksdb_readoptions_destroy(cursor->read);
    weir_arena_fini(&cursor->arena);
    weir_free(cursor);
}

static struct weir_str cursor_key(
        struct weir_cursor *cursor, char stack[static STACK_KEY_BYTES], struct weir_str key)
{
    weir_arena_reset(&cursor->arena);
    return full_key(&cursor->arena, stack, cursor->space, key);
}

void weir_cursor_seek(struct weir_cursor *cursor, struct weir_str key)
{
    char stack[STACK_KEY_BYTES];
    struct weir_str full = cursor_key(cursor, stack, key);
    rocksdb_iter_seek(cursor->iterator, full.p, full.n);
}

void weir_cursor_seek_back(struct weir_cursor *cursor, struct weir_str key, bool inclusive)
{
    char stack[STACK_KEY_BYTES];
    struct weir_str full = cursor_key(cursor, stack, key);
    rocksdb_iter_seek_for_prev(cursor->iterator, full.p, full.n);
    if (!inclusive && rocksdb_iter_valid(cursor->iterator)) {
        struct weir_str at;
        at.p = rocksdb_iter_key(cursor->iterator, &at.n);
        if (weir_str_eq(at, full)) {
            rocksdb_iter_prev(cursor->iterator);
        }
    }
}

void weir_cursor_first(struct weir_cursor *cursor)
{
    rocksdb_iter_seek_to_first(cursor->iterator);
}

void weir_cursor_last(struct weir_cursor *cursor)
{
    rocksdb_iter_seek_to_last(cursor->iterator);
}

enum weir_rc weir_cursor_get(struct weir_cursor *cursor, struct weir_str *ret_key,
        struct weir_entry *ret_entry, bool *ret_have, struct weir_err *err)
{
    *ret_have = false;
    if (!rocksdb_iter_valid(cursor->iterator)) {
        char *message = NULL;
        rocksdb_iter_get_error(cursor->iterator, &message);
        return message != NULL ? fail_rocksdb(err, "read", message) : WEIR_OK;
    }
    struct weir_str key;
    struct weir_str stored;
    key.p = rocksdb_iter_key(cursor->iterator, &key.n);
    stored.p = rocksdb_iter_value(cursor->iterator, &stored.n);
    enum weir_rc rc = decode_entry(stored, ret_entry, err);
    if (rc == WEIR_OK) {
        *ret_key = weir_str(key.p + SPACE_BYTES, key.n - SPACE_BYTES);
        *ret_have = true;
    }
    return rc;
}

void weir_cursor_next(struct weir_cursor *cursor)
{
    if (rocksdb_iter_valid(cursor->iterator)) {
        rocksdb_iter_next(cursor->iterator);
    }
}

void weir_cursor_previous(struct weir_cursor *cursor)
{
    if (rocksdb_iter_valid(cursor->iterator)) {
        rocksdb_iter_prev(cursor->iterator);
    }
}

enum weir_rc weir_store_each(struct weir_store *store, uint32_t space, struct weir_str prefix,
        enum weir_rc (*each)(void *arg, struct weir_str key, const struct weir_entry *entry,
                struct weir_err *err),
        void *arg, struct weir_err *err)
{
    struct weir_str key;
    struct weir_entry entry;
    bool have = true;
    struct weir_cursor *cursor = weir_cursor_create(store, space);
    enum weir_rc rc = WEIR_OK;
    weir_cursor_seek(cursor, prefix);
    while (rc == WEIR_OK && have) {
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        have = rc == WEIR_OK && have && weir_str_starts(key, prefix);
        if (have) {
            rc = each(arg, key, &entry, err);
            weir_cursor_next(cursor);
        }
    }
    weir_cursor_destroy(cursor);
    return rc;
}
