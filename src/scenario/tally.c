#include "scenario/tally.h"

#include "base/mem.h"

enum { SPACES_MAX = 4096, NAMES_AT_ONCE = 64, UNIT_BYTES = 1024, REQUEST_BYTES = 64 * 1024 };

/* What a keyspace belongs to. */
struct owner {
    uint32_t space;
    struct weir_tally_table *table; /* of items, or of an index */
    struct weir_tally_queue *queue;
};

struct weir_tally {
    struct weir_world *world;
    struct weir_log_reader *reader;
    struct weir_arena arena; /* names */
    struct owner owners[SPACES_MAX];
    size_t owner_count;
    struct weir_tally_table tables[SPACES_MAX];
    size_t table_count;
    struct weir_tally_queue queues[SPACES_MAX];
    size_t queue_count;
};

struct weir_tally *weir_tally_create(struct weir_world *world)
{
    struct weir_tally *tally = weir_alloc_zero(1, sizeof(*tally));
    struct weir_log_filter everything = { .everything = true };
    tally->world = world;
    weir_arena_init(&tally->arena);
    tally->reader = weir_log_reader_create(
            weir_store_log(world->engine->store), everything, (struct weir_pos){ 0 });
    return tally;
}

void weir_tally_destroy(struct weir_tally *tally)
{
    if (tally != NULL) {
        weir_log_reader_destroy(tally->reader);
        weir_arena_fini(&tally->arena);
        weir_free(tally);
    }
}

/* --- whose a keyspace is ------------------------------------------------------------------ */

static struct owner *find_owner(struct weir_tally *tally, uint32_t space)
{
    for (size_t i = 0; i < tally->owner_count; i++) {
        if (tally->owners[i].space == space) {
            return &tally->owners[i];
        }
    }
    return NULL;
}

static struct owner *add_owner(struct weir_tally *tally, uint32_t space)
{
    if (tally->owner_count == SPACES_MAX) {
        return NULL;
    }
    struct owner *owner = &tally->owners[tally->owner_count++];
    *owner = (struct owner){ .space = space };
    return owner;
}

static void add_table(struct weir_tally *tally, const struct weir_table *table)
{
    struct owner *owner = add_owner(tally, table->space);
    if (owner == NULL) {
        return;
    }
    owner->table = &tally->tables[tally->table_count++];
    owner->table->name = weir_arena_str(&tally->arena, table->name);
    for (size_t i = 0; i < table->index_count; i++) {
        struct owner *index = add_owner(tally, table->indexes[i].space);
        if (index != NULL) {
            index->table = owner->table;
        }
    }
}

static void find_tables(struct weir_tally *tally)
{
    struct weir_tables *tables = tally->world->engine->tables;
    struct weir_arena arena;
    struct weir_str names[NAMES_AT_ONCE];
    struct weir_str after = { 0 };
    size_t count = NAMES_AT_ONCE;
    weir_arena_init(&arena);
    while (count == NAMES_AT_ONCE) {
        count = weir_tables_list(tables, after, &arena, names, NAMES_AT_ONCE);
        for (size_t i = 0; i < count; i++) {
            const struct weir_table *table = NULL;
            if (weir_tables_get(tables, names[i], &table, NULL) == WEIR_OK &&
                    find_owner(tally, table->space) == NULL) {
                add_table(tally, table);
            }
            weir_table_unref(table);
        }
        after = count > 0 ? names[count - 1] : after;
    }
    weir_arena_fini(&arena);
}

static void find_queues(struct weir_tally *tally)
{
    struct weir_queues *queues = tally->world->engine->queues;
    struct weir_arena arena;
    struct weir_str names[NAMES_AT_ONCE];
    struct weir_str after = { 0 };
    size_t count = NAMES_AT_ONCE;
    weir_arena_init(&arena);
    while (count == NAMES_AT_ONCE) {
        count = weir_queues_list(queues, after, WEIR_STR(""), &arena, names, NAMES_AT_ONCE);
        for (size_t i = 0; i < count; i++) {
            const struct weir_queue *queue = NULL;
            if (weir_queues_get(queues, names[i], &queue, NULL) == WEIR_OK &&
                    find_owner(tally, queue->space) == NULL) {
                struct owner *owner = add_owner(tally, queue->space);
                if (owner != NULL) {
                    owner->queue = &tally->queues[tally->queue_count++];
                    owner->queue->name = weir_arena_str(&tally->arena, names[i]);
                    owner->queue->fifo = queue->fifo;
                }
            }
            weir_queue_unref(queue);
        }
        after = count > 0 ? names[count - 1] : after;
    }
    weir_arena_fini(&arena);
}

/* --- counting ----------------------------------------------------------------------------------
 */

static uint64_t pieces(size_t bytes, size_t of)
{
    return bytes > of ? (bytes + of - 1) / of : 1;
}

static void count_item(struct weir_tally_table *table, const struct weir_change *change)
{
    size_t now = weir_item_size((struct weir_item){ change->value.p, change->value.n });
    size_t old = weir_item_size((struct weir_item){ change->old_value.p, change->old_value.n });
    if (change->by_ttl) {
        table->expired++;
        return;
    }
    table->units += pieces(now > old ? now : old, UNIT_BYTES);
    if (change->hops == 0) {
        table->fed++;
    } else if (change->value.n > 0) {
        table->written++;
    } else {
        table->deleted++;
    }
}

static void count_change(struct weir_tally *tally, const struct weir_change *change)
{
    if (change->space < WEIR_SPACE_FIRST_FREE) {
        return;
    }
    struct owner *owner = find_owner(tally, change->space);
    if (owner == NULL) {
        find_tables(tally);
        find_queues(tally);
        owner = find_owner(tally, change->space);
    }
    if (owner == NULL) {
        return; /* dropped since */
    }
    if (owner->table != NULL && change->kind == WEIR_CHANGE_RECORD) {
        count_item(owner->table, change);
    } else if (owner->table != NULL) {
        owner->table->units += pieces(change->key.n + change->value.n, UNIT_BYTES);
    } else if (weir_queues_is_new_message(change)) {
        owner->queue->sent++;
        owner->queue->requests += pieces(change->value.n, REQUEST_BYTES);
    }
}

enum weir_rc weir_tally_take(struct weir_tally *tally, struct weir_err *err)
{
    for (;;) {
        struct weir_change change;
        struct weir_time time;
        bool have = false;
        enum weir_rc rc = weir_log_next(tally->reader, &change, &time, &have, err);
        if (rc != WEIR_OK || !have) {
            return rc;
        }
        count_change(tally, &change);
    }
}

const struct weir_tally_table *weir_tally_tables(const struct weir_tally *tally, size_t *ret_count)
{
    *ret_count = tally->table_count;
    return tally->tables;
}

const struct weir_tally_queue *weir_tally_queues(const struct weir_tally *tally, size_t *ret_count)
{
    *ret_count = tally->queue_count;
    return tally->queues;
}
