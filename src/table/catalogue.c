/*
 * The catalogue of tables: under "t" in WEIR_SPACE_CATALOGUE.
 */
#include <string.h>

#include "base/mem.h"
#include "base/random.h"
#include "table/table_int.h"

/* --- references ---------------------------------------------------------------- */

void weir_table_ref(const struct weir_table *table)
{
    weir_defined_ref(&weir_table_box(table)->defined);
}

void weir_table_unref(const struct weir_table *table)
{
    if (table != NULL) {
        weir_defined_unref(&weir_table_box(table)->defined);
    }
}

/* --- what is special about tables -------------------------------------------------- */

static struct weir_table_box *box_of(struct weir_defined *defined)
{
    return WEIR_CONTAINER(defined, struct weir_table_box, defined);
}

static enum weir_rc decode(
        void *arg, struct weir_item stored, struct weir_defined **ret_defined, struct weir_err *err)
{
    struct weir_table_box *box = NULL;
    enum weir_rc rc = weir_table_decode(arg, stored, &box, err);
    if (rc == WEIR_OK) {
        *ret_defined = &box->defined;
    }
    return rc;
}

static void destroy(struct weir_defined *defined)
{
    weir_table_box_destroy(box_of(defined));
}

static void gone(void *arg, struct weir_defined *defined)
{
    atomic_store(&box_of(defined)->life->dropped, true);
    weir_tables_note_dropped(arg, &box_of(defined)->table);
}

static void replace(void *arg, struct weir_defined *old_defined, struct weir_defined *defined)
{
    struct weir_table_box *old = box_of(old_defined);
    struct weir_table_box *box = box_of(defined);
    if (old->table.space != box->table.space) {
        gone(arg, old_defined); /* and made again */
        return;
    }
    weir_free(box->life);
    box->life = old->life;
    atomic_fetch_add(&box->life->references, 1);
}

static void changed(void *arg)
{
    struct weir_tables *tables = arg;
    atomic_fetch_add(&tables->version, 1);
}

static const struct weir_catalogue_kind kind = {
    .letter = 't',
    .decode = decode,
    .destroy = destroy,
    .replace = replace,
    .gone = gone,
    .changed = changed,
};

/* --- open and close --------------------------------------------------------------- */

enum weir_rc weir_tables_open(const struct weir_tables_options *options,
        struct weir_tables **ret_tables, struct weir_err *err)
{
    struct weir_tables *tables = weir_alloc_zero(1, sizeof(*tables));
    tables->store = options->store;
    tables->timers = options->timers;
    weir_tables_dropped_init(tables);
    tables->region = weir_str_own(weir_str_or(options->region, WEIR_STR("us-east-1")));
    tables->account = weir_str_own(weir_str_or(options->account, WEIR_STR("000000000000")));
    enum weir_rc rc = weir_catalogue_open(&tables->catalogue, tables->store, &kind, tables, err);
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
    weir_catalogue_close(&tables->catalogue);
    weir_tables_dropped_fini(tables);
    weir_str_disown(tables->region);
    weir_str_disown(tables->account);
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

void weir_tables_on_change(struct weir_tables *tables, void (*on_change)(void *arg), void *arg)
{
    weir_catalogue_on_change(&tables->catalogue, on_change, arg);
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
    struct weir_defined *defined = weir_catalogue_get(&tables->catalogue, name);
    if (defined == NULL) {
        return not_found(name, err);
    }
    *ret_table = &box_of(defined)->table;
    return WEIR_OK;
}

static bool has_space(const struct weir_defined *defined, const void *space)
{
    return WEIR_CONTAINER(defined, struct weir_table_box, defined)->table.space ==
           *(const uint32_t *)space;
}

const struct weir_table *weir_tables_get_space(struct weir_tables *tables, uint32_t space)
{
    struct weir_defined *defined = weir_catalogue_find(&tables->catalogue, has_space, &space);
    return defined != NULL ? &box_of(defined)->table : NULL;
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
    return weir_catalogue_list(&tables->catalogue, after, WEIR_STR(""), arena, names, cap);
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

enum weir_rc weir_tables_read(struct weir_tables *tables, struct weir_view *view,
        struct weir_str name, struct weir_table_box **ret_box, struct weir_err *err)
{
    struct weir_defined *defined = NULL;
    enum weir_rc rc = weir_catalogue_read(&tables->catalogue, view, name, &defined, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (defined == NULL) {
        return not_found(name, err);
    }
    *ret_box = box_of(defined);
    return WEIR_OK;
}

void weir_tables_write(
        struct weir_tables *tables, struct weir_view *view, const struct weir_table *table)
{
    struct weir_item item = weir_table_encode(weir_view_arena(view), table);
    weir_catalogue_write(&tables->catalogue, view, table->name, item);
}

static enum weir_rc take_spaces(
        struct weir_view *view, struct weir_table *table, struct weir_err *err)
{
    uint32_t next = 0;
    enum weir_rc rc =
            weir_catalogue_take_spaces(view, 1 + (uint32_t)table->index_count, &next, err);
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
    struct weir_defined *there = NULL;
    enum weir_rc rc = weir_catalogue_read(&op->tables->catalogue, view, op->name, &there, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (there != NULL) {
        weir_defined_unref(there);
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
        weir_tables_write(op->tables, view, &box->table);
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

static enum weir_rc run_drop(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_table_box *box = NULL;
    enum weir_rc rc = weir_tables_read(op->tables, view, op->name, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_catalogue_delete(&op->tables->catalogue, view, op->name);
    weir_catalogue_drop_space(view, box->table.space);
    for (size_t i = 0; i < box->table.index_count; i++) {
        weir_catalogue_drop_space(view, box->table.indexes[i].space);
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
    enum weir_rc rc = weir_tables_read(op->tables, view, op->name, &box, err);
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
        weir_tables_write(op->tables, view, &box->table);
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
    rc = weir_tables_read(op->tables, view, op->name, &box, err);
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
    weir_tables_write(op->tables, view, &box->table);
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
