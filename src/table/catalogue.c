/*
 * The catalogue: which tables there are. It is kept in WEIR_SPACE_CATALOGUE and mirrored
 * in memory; the mirror follows the keyspace on the commit thread, before whoever changed
 * it hears of the commit.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "table/table_int.h"

/* Keys of the catalogue: "n" for the next free keyspace number, "t" and a table's name; others
 * belong to other modules ("q": queue/). */
static const struct weir_str next_space_key = { "n", 1 };

static struct weir_str entry_name(struct weir_arena *arena, struct weir_str name)
{
    char *key = weir_arena_alloc(arena, name.n + 1);
    key[0] = 't';
    memcpy(key + 1, name.p, name.n);
    return weir_str(key, name.n + 1);
}

/* --- references ---------------------------------------------------------------- */

void weir_table_ref(const struct weir_table *table)
{
    atomic_fetch_add(&weir_table_box(table)->references, 1);
}

void weir_table_unref(const struct weir_table *table)
{
    if (table != NULL && atomic_fetch_sub(&weir_table_box(table)->references, 1) == 1) {
        weir_table_box_destroy(weir_table_box(table));
    }
}

/* --- the mirror ------------------------------------------------------------------ */

/* The place of a name among the boxes: where it is, or where it would go. */
static size_t place_of(const struct weir_tables *tables, struct weir_str name, bool *ret_found)
{
    size_t low = 0;
    size_t high = tables->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = weir_str_cmp(name, tables->boxes[middle]->table.name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void remove_box(struct weir_tables *tables, size_t i)
{
    atomic_store(&tables->boxes[i]->life->dropped, true);
    weir_table_unref(&tables->boxes[i]->table);
    memmove(tables->boxes + i, tables->boxes + i + 1,
            (tables->count - i - 1) * sizeof(struct weir_table_box *));
    tables->count--;
}

static void insert_box(struct weir_tables *tables, size_t i, struct weir_table_box *box)
{
    if (tables->count == tables->capacity) {
        tables->capacity = tables->capacity > 0 ? tables->capacity * 2 : 16;
        tables->boxes = weir_realloc(tables->boxes, tables->capacity, sizeof(*tables->boxes));
    }
    memmove(tables->boxes + i + 1, tables->boxes + i,
            (tables->count - i) * sizeof(struct weir_table_box *));
    tables->boxes[i] = box;
    tables->count++;
}

/* Bring the box at i, in name order, in line with an entry of the catalogue. */
static enum weir_rc mirror_entry(struct weir_tables *tables, size_t i, struct weir_str name,
        const struct weir_entry *entry, struct weir_err *err)
{
    while (i < tables->count && weir_str_cmp(tables->boxes[i]->table.name, name) < 0) {
        remove_box(tables, i); /* not in the catalogue any more */
    }
    struct weir_table_box *old = i < tables->count ? tables->boxes[i] : NULL;
    bool same_name = old != NULL && weir_str_eq(old->table.name, name);
    if (same_name && old->pos.seq == entry->pos.seq) {
        return WEIR_OK;
    }
    struct weir_table_box *box = NULL;
    struct weir_item stored = { entry->value.p, entry->value.n };
    enum weir_rc rc = weir_table_decode(tables, stored, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    box->pos = entry->pos;
    if (!same_name) {
        insert_box(tables, i, box);
        return WEIR_OK;
    }
    if (old->table.space != box->table.space) {
        atomic_store(&old->life->dropped, true); /* dropped and made again */
    } else {
        weir_free(box->life);
        box->life = old->life;
        atomic_fetch_add(&box->life->references, 1);
    }
    tables->boxes[i] = box;
    weir_table_unref(&old->table);
    return WEIR_OK;
}

struct mirroring {
    struct weir_tables *tables;
    size_t i; /* the next box */
};

static enum weir_rc mirror_next(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    struct mirroring *mirroring = arg;
    struct weir_str name = weir_str(key.p + 1, key.n - 1);
    return mirror_entry(mirroring->tables, mirroring->i++, name, entry, err);
}

static enum weir_rc mirror(struct weir_tables *tables, struct weir_err *err)
{
    struct mirroring mirroring = { tables, 0 };
    weir_mutex_lock(&tables->mutex); /* before the state is looked at, so that none goes back */
    enum weir_rc rc = weir_store_each(
            tables->store, WEIR_SPACE_CATALOGUE, WEIR_STR("t"), mirror_next, &mirroring, err);
    while (rc == WEIR_OK && mirroring.i < tables->count) {
        remove_box(tables, tables->count - 1);
    }
    atomic_fetch_add(&tables->version, 1);
    weir_mutex_unlock(&tables->mutex);
    return rc;
}

static void catalogue_changed(struct weir_watch *watch)
{
    struct weir_tables *tables = WEIR_CONTAINER(watch, struct weir_tables, watch);
    struct weir_err err;
    /* The entries were written a moment ago by this program: only a failing disk gets here. */
    weir_assert(mirror(tables, &err) == WEIR_OK);
    weir_mutex_lock(&tables->mutex);
    void (*changed)(void *arg) = tables->changed;
    void *arg = tables->changed_arg;
    weir_mutex_unlock(&tables->mutex);
    if (changed != NULL) {
        changed(arg);
    }
}

/* --- open and close --------------------------------------------------------------- */

static struct weir_str own(struct weir_str s, const char *fallback)
{
    s = s.n > 0 ? s : weir_str_z(fallback);
    return weir_str(weir_strndup(s.p, s.n), s.n);
}

static void disown(struct weir_str s)
{
    char *p = NULL;
    memcpy(&p, &s.p, sizeof(p)); /* own made it: no const underneath */
    weir_free(p);
}

enum weir_rc weir_tables_open(const struct weir_tables_options *options,
        struct weir_tables **ret_tables, struct weir_err *err)
{
    struct weir_tables *tables = weir_alloc_zero(1, sizeof(*tables));
    tables->store = options->store;
    tables->timers = options->timers;
    tables->region = own(options->region, "us-east-1");
    tables->account = own(options->account, "000000000000");
    weir_mutex_init(&tables->mutex, WEIR_LOCK_TABLES);
    tables->watch.space = WEIR_SPACE_CATALOGUE;
    tables->watch.wake = catalogue_changed;
    weir_store_watch(tables->store, &tables->watch);
    enum weir_rc rc = mirror(tables, err);
    if (rc != WEIR_OK) {
        weir_tables_close(tables);
        return rc;
    }
    if (tables->timers != NULL) {
        weir_ttl_start(tables);
    }
    *ret_tables = tables;
    return WEIR_OK;
}

void weir_tables_close(struct weir_tables *tables)
{
    if (tables == NULL) {
        return;
    }
    weir_store_unwatch(tables->store, &tables->watch);
    for (size_t i = 0; i < tables->count; i++) {
        weir_table_unref(&tables->boxes[i]->table);
    }
    weir_free(tables->boxes);
    disown(tables->region);
    disown(tables->account);
    weir_mutex_fini(&tables->mutex);
    weir_free(tables);
}

struct weir_store *weir_tables_store(struct weir_tables *tables)
{
    return tables->store;
}

uint64_t weir_tables_version(struct weir_tables *tables)
{
    return atomic_load(&tables->version);
}

void weir_tables_on_change(struct weir_tables *tables, void (*changed)(void *arg), void *arg)
{
    weir_mutex_lock(&tables->mutex);
    tables->changed = changed;
    tables->changed_arg = arg;
    weir_mutex_unlock(&tables->mutex);
}

/* --- looking up --------------------------------------------------------------------- */

/* The table's name in an ARN of a table; other text as it is. */
static struct weir_str name_of_arn(struct weir_str text)
{
    if (!weir_str_starts(text, WEIR_STR("arn:"))) {
        return text;
    }
    const char *slash = memchr(text.p, '/', text.n);
    if (slash == NULL) {
        return text;
    }
    struct weir_str rest = weir_str(slash + 1, text.n - (size_t)(slash + 1 - text.p));
    const char *end = memchr(rest.p, '/', rest.n);
    return end != NULL ? weir_str(rest.p, (size_t)(end - rest.p)) : rest;
}

/* The code is said here too, for the static analyser, which does not look into weir_fail. */
static enum weir_rc not_found(struct weir_str name, struct weir_err *err)
{
    (void)weir_fail(err, WEIR_E_NOT_FOUND, "Requested resource not found: Table: %.*s not found",
            WEIR_STR_ARG(name));
    return WEIR_E_NOT_FOUND;
}

enum weir_rc weir_tables_get(struct weir_tables *tables, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err)
{
    name = name_of_arn(name);
    bool found = false;
    weir_mutex_lock(&tables->mutex);
    size_t i = place_of(tables, name, &found);
    if (found) {
        *ret_table = &tables->boxes[i]->table;
        weir_table_ref(*ret_table);
    }
    weir_mutex_unlock(&tables->mutex);
    if (found) {
        return WEIR_OK;
    }
    return not_found(name, err);
}

const struct weir_table *weir_tables_get_space(struct weir_tables *tables, uint32_t space)
{
    const struct weir_table *table = NULL;
    weir_mutex_lock(&tables->mutex);
    for (size_t i = 0; i < tables->count && table == NULL; i++) {
        if (tables->boxes[i]->table.space == space) {
            table = &tables->boxes[i]->table;
            weir_table_ref(table);
        }
    }
    weir_mutex_unlock(&tables->mutex);
    return table;
}

enum weir_rc weir_tables_get_stream(struct weir_tables *tables, struct weir_str stream_arn,
        const struct weir_table **ret_table, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    enum weir_rc rc = weir_tables_get(tables, stream_arn, &table, NULL);
    if (rc == WEIR_OK && weir_str_eq(table->stream_arn, stream_arn)) {
        *ret_table = table;
        return WEIR_OK;
    }
    weir_table_unref(table);
    return weir_fail(err, WEIR_E_NOT_FOUND, "Requested resource not found: Stream: %.*s not found",
            WEIR_STR_ARG(stream_arn));
}

size_t weir_tables_list(struct weir_tables *tables, struct weir_str after, struct weir_arena *arena,
        struct weir_str *names, size_t cap)
{
    bool found = false;
    weir_mutex_lock(&tables->mutex);
    size_t i = place_of(tables, after, &found);
    i = found ? i + 1 : i;
    size_t n = 0;
    for (; i < tables->count && n < cap; i++, n++) {
        names[n] = weir_arena_str(arena, tables->boxes[i]->table.name);
    }
    weir_mutex_unlock(&tables->mutex);
    return n;
}

const struct weir_index *weir_table_index(const struct weir_table *table, struct weir_str name)
{
    for (size_t i = 0; i < table->index_count; i++) {
        if (weir_str_eq(table->indexes[i].name, name)) {
            return &table->indexes[i];
        }
    }
    return NULL;
}

/* --- changing definitions --------------------------------------------------------------- */

struct definition_op {
    struct weir_op op;
    struct weir_tables *tables;
    struct weir_str name;
    struct weir_item definition;
    struct weir_str attribute; /* ttl */
    char uuid[WEIR_UUID_TEXT];
};

static struct definition_op *add_op(struct weir_tables *tables, struct weir_txn *txn,
        struct weir_str name,
        enum weir_rc (*run)(struct weir_op *op, struct weir_view *view, struct weir_err *err))
{
    struct definition_op *op = WEIR_ARENA_NEW(&txn->arena, struct definition_op);
    op->op.run = run;
    op->tables = tables;
    op->name = weir_arena_str(&txn->arena, name);
    weir_txn_op(txn, &op->op);
    return op;
}

static enum weir_rc read_entry(struct definition_op *op, struct weir_view *view,
        struct weir_entry *ret_entry, struct weir_err *err)
{
    struct weir_str key = entry_name(weir_view_arena(view), op->name);
    return weir_view_get(view, WEIR_SPACE_CATALOGUE, key, ret_entry, err);
}

/* Decode the entry that stands there now; the caller destroys the box. */
static enum weir_rc read_table(struct definition_op *op, struct weir_view *view,
        struct weir_table_box **ret_box, struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = read_entry(op, view, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (entry.pos.seq == 0) {
        return not_found(op->name, err);
    }
    struct weir_item stored = { entry.value.p, entry.value.n };
    return weir_table_decode(op->tables, stored, ret_box, err);
}

static void write_table(struct weir_view *view, const struct weir_table *table)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_item item = weir_table_encode(arena, table);
    weir_view_put(
            view, WEIR_SPACE_CATALOGUE, entry_name(arena, table->name), weir_str(item.p, item.n));
}

enum weir_rc weir_tables_take_spaces(
        struct weir_view *view, uint32_t count, uint32_t *ret_first, struct weir_err *err)
{
    struct weir_entry entry;
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_CATALOGUE, next_space_key, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    uint32_t next = WEIR_SPACE_FIRST_FREE;
    if (entry.value.n == sizeof(next)) {
        memcpy(&next, entry.value.p, sizeof(next));
    }
    *ret_first = next;
    next += count;
    struct weir_str value =
            weir_arena_str(weir_view_arena(view), weir_str((const char *)&next, sizeof(next)));
    weir_view_put(view, WEIR_SPACE_CATALOGUE, next_space_key, value);
    return WEIR_OK;
}

static enum weir_rc take_spaces(
        struct weir_view *view, struct weir_table *table, struct weir_err *err)
{
    uint32_t next = 0;
    enum weir_rc rc = weir_tables_take_spaces(view, 1 + (uint32_t)table->index_count, &next, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    table->space = next++;
    for (size_t i = 0; i < table->index_count; i++) {
        table->indexes[i].space = next++;
    }
    return WEIR_OK;
}

static enum weir_rc run_create(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_entry entry;
    enum weir_rc rc = read_entry(op, view, &entry, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (entry.pos.seq != 0) {
        return weir_fail(err, WEIR_E_EXISTS, "Table already exists: %.*s", WEIR_STR_ARG(op->name));
    }
    struct weir_table_box *box = NULL;
    rc = weir_table_decode(op->tables, op->definition, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    box->table.created = weir_view_time(view);
    box->table.stream_created = box->table.created;
    box->table.table_id = weir_str_z(op->uuid);
    rc = take_spaces(view, &box->table, err);
    if (rc == WEIR_OK) {
        write_table(view, &box->table);
    }
    weir_table_box_destroy(box);
    return rc;
}

void weir_tables_create_table(
        struct weir_tables *tables, struct weir_txn *txn, const struct weir_table *definition)
{
    struct definition_op *op = add_op(tables, txn, definition->name, run_create);
    op->definition = weir_table_encode(&txn->arena, definition);
    struct weir_random random;
    weir_random_init(&random);
    weir_random_uuid(&random, op->uuid);
}

static void drop_space(struct weir_view *view, uint32_t space)
{
    struct weir_change change = { .kind = WEIR_CHANGE_DROP, .space = space };
    weir_view_add(view, &change);
}

static enum weir_rc run_drop(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_table_box *box = NULL;
    enum weir_rc rc = read_table(op, view, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_view_delete(view, WEIR_SPACE_CATALOGUE, entry_name(weir_view_arena(view), op->name));
    drop_space(view, box->table.space);
    for (size_t i = 0; i < box->table.index_count; i++) {
        drop_space(view, box->table.indexes[i].space);
    }
    weir_table_box_destroy(box);
    return WEIR_OK;
}

void weir_tables_drop_table(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name)
{
    txn->urgent = true;
    add_op(tables, txn, name, run_drop);
}

/* Existing items get their timers from a job, which is itself a timer that is due at once. */
static void start_ttl_job(struct weir_view *view, uint32_t space)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_time at_once = { 0 };
    struct weir_str name = weir_ttl_name(arena, space, WEIR_STR(""));
    weir_view_put(view, WEIR_SPACE_TIMER, weir_timer_key(arena, at_once, WEIR_TIMER_TTL, name),
            WEIR_STR(""));
}

static enum weir_rc run_set_ttl(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_table_box *box = NULL;
    enum weir_rc rc = read_table(op, view, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_str now = box->table.ttl_attribute;
    if (op->attribute.n == 0 && now.n == 0) {
        rc = weir_fail(err, WEIR_E_INVALID, "TimeToLive is already disabled");
    } else if (op->attribute.n > 0 && now.n > 0) {
        rc = weir_str_eq(op->attribute, now)
                     ? weir_fail(err, WEIR_E_INVALID, "TimeToLive is already enabled")
                     : weir_fail(err, WEIR_E_INVALID,
                               "TimeToLive is active on a different AttributeName: current "
                               "AttributeName is %.*s",
                               WEIR_STR_ARG(now));
    } else {
        box->table.ttl_attribute = op->attribute;
        write_table(view, &box->table);
        if (op->attribute.n > 0) {
            start_ttl_job(view, box->table.space);
        }
    }
    weir_table_box_destroy(box);
    return rc;
}

void weir_tables_set_ttl(struct weir_tables *tables, struct weir_txn *txn, struct weir_str name,
        struct weir_str attribute)
{
    struct definition_op *op = add_op(tables, txn, name, run_set_ttl);
    op->attribute = weir_arena_str(&txn->arena, attribute);
}

/* --- weir.yaml -------------------------------------------------------------------------- */

/* Give the stored table what the file may change: stream view and time to live. */
static enum weir_rc run_adopt(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_table_box *wanted = NULL;
    struct weir_table_box *box = NULL;
    enum weir_rc rc = weir_table_decode(op->tables, op->definition, &wanted, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = read_table(op, view, &box, err);
    if (rc != WEIR_OK) {
        weir_table_box_destroy(wanted);
        return rc;
    }
    bool new_ttl = wanted->table.ttl_attribute.n > 0 &&
                   !weir_str_eq(wanted->table.ttl_attribute, box->table.ttl_attribute);
    if (wanted->table.view != box->table.view) {
        box->table.view = wanted->table.view;
        box->table.stream_created = weir_view_time(view);
    }
    box->table.ttl_attribute = wanted->table.ttl_attribute;
    box->table.from_file = true;
    write_table(view, &box->table);
    if (new_ttl) {
        start_ttl_job(view, box->table.space);
    }
    weir_table_box_destroy(box);
    weir_table_box_destroy(wanted);
    return WEIR_OK;
}

static enum weir_rc ensure_same(struct weir_tables *tables, const struct weir_table *stored,
        const struct weir_table *definition, struct weir_err *err)
{
    enum weir_rc rc = weir_table_compare(stored, definition, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (stored->view == definition->view && stored->from_file &&
            weir_str_eq(stored->ttl_attribute, definition->ttl_attribute)) {
        return WEIR_OK;
    }
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    struct definition_op *op = add_op(tables, txn, definition->name, run_adopt);
    op->definition = weir_table_encode(&txn->arena, definition);
    return weir_store_commit(tables->store, txn, err);
}

enum weir_rc weir_tables_ensure(
        struct weir_tables *tables, const struct weir_table *definition, struct weir_err *err)
{
    const struct weir_table *stored = NULL;
    enum weir_rc rc = weir_tables_get(tables, definition->name, &stored, err);
    if (rc == WEIR_OK) {
        rc = ensure_same(tables, stored, definition, err);
        weir_table_unref(stored);
        return rc;
    }
    rc = weir_table_check(definition, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    weir_tables_create_table(tables, txn, definition);
    return weir_store_commit(tables->store, txn, err);
}
