/*
 * What random operations are made on: a whole engine, and a model of it in plain arrays that knows
 * what was acknowledged. Two tables and two queues are sources. Each record and each message of
 * them is an *effect* to be had, named by the number of the write that made the item, times two,
 * plus one for the item's removal.
 */
#ifndef WEIR_TESTS_UNIT_DAEMON_RANDOM_WORLD_H
#define WEIR_TESTS_UNIT_DAEMON_RANDOM_WORLD_H

#include <stdarg.h>
#include <stdlib.h>

#include "engine_world.h"

enum {
    KEYS = 4, /* of each source; few, so that order matters */
    SHARDS = 2,
    WRITES_MAX = 3000,
    EFFECTS_MAX = 2 * WRITES_MAX,
    UNSURE_MAX = 400,
    STORY_LINE = 200,
};

/* What comes and goes: sources, then what pipelines write to. */
enum store { SOURCE_0, SOURCE_1, INBOX, INBOX_FIFO, SOURCES, SHELF = SOURCES, BIN, STORES };

static const char *const store_names[STORES] = { "source-0", "source-1", "inbox", "inbox.fifo",
    "shelf", "bin" };

static inline bool is_table(enum store store)
{
    return store == SOURCE_0 || store == SOURCE_1 || store == SHELF;
}

/* What a client asks for. SEND: to a queue. */
enum request_kind { PUT, DELETE, SEND, CREATE, DROP, PURGE };

struct world;

struct request {
    struct world *world;
    enum request_kind kind;
    enum store store;
    size_t key;                     /* of an item, or group of a message */
    size_t number;                  /* names it; what is put has it as its n */
    const struct weir_table *table; /* of a write: a reference */
    const struct weir_queue *queue; /* likewise, of a message */
    const struct weir_table *marks; /* likewise: an item there tells that the request came true */
    enum weir_rc rc;
};

struct effect {
    bool made;
    bool draining; /* its source went, and it may be unread: that is still processed */
    bool excused;  /* unless something fails, or weir stops, meanwhile */
    bool skipped;  /* its dead letter was deleted */
    bool settled;  /* a check has seen it */
    size_t by;     /* the request that made it */
    enum store source;
    size_t key;
    size_t rank; /* among the effects of its key */
};

struct source {
    bool is_there;
    size_t items[KEYS];   /* the write that made it; 0: none */
    bool written[KEYS];   /* since the table was made */
    size_t effects[KEYS]; /* since ever */
};

struct world {
    struct engine_world base;
    struct weir_random random; /* what happens; the disk has one of its own */
    struct source sources[STORES];
    struct effect effects[EFFECTS_MAX];
    size_t writes;
    struct request unsure[UNSURE_MAX]; /* from the first one whose outcome nobody knows */
    size_t unsure_count;
    size_t made_by[STORES]; /* the request that made or purged it */
    size_t replays;         /* that were asked for */
    bool partial;           /* a pipeline is not in the file */
    bool faulty;            /* that is so, or the disk fails, or weir stops */
    bool outage;            /* nothing outside is reached */
    bool healed;            /* what was poison is none */
    size_t between;         /* things to do between the commits of this instant */
    char yaml[16 * 1024];   /* the file */
    char answer[32 * 1024]; /* of a function */
    struct weir_buf story;  /* the operations, a line each */
};

/* --- telling -------------------------------------------------------------------------------- */

WEIR_PRINTF(2, 3)
static inline void tell(struct world *world, const char *fmt, ...)
{
    char line[STORY_LINE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    weir_buf_printf(&world->story, "  %s\n", line);
}

/* Say what happened before. */
static inline void tell_story(struct world *world)
{
    fprintf(stderr, "%.*s%s: ", WEIR_STR_ARG(weir_buf_view(&world->story)), world->base.what);
}

#define MUST(world, condition, ...) \
    do {                            \
        if (!(condition)) {         \
            tell_story(world);      \
            fail_msg(__VA_ARGS__);  \
        }                           \
    } while (0)

static inline void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    MUST(world, weir_loop_advance(world->base.engine->loop, ms, &err) == WEIR_OK, "%s", err.msg);
}

static inline size_t below(struct world *world, size_t bound)
{
    return (size_t)weir_random_below(&world->random, bound);
}

/* --- the model ------------------------------------------------------------------------------ */

static inline void note_effect(const struct request *request, size_t effect)
{
    struct world *world = request->world;
    struct source *of = &world->sources[request->store];
    world->effects[effect] = (struct effect){
        .made = true,
        .skipped = world->effects[effect].skipped, /* before its outcome was known */
        .by = request->number,
        .source = request->store,
        .key = request->key,
        .rank = ++of->effects[request->key],
    };
    of->written[request->key] = true;
}

/* A source has gone: what was written to a table is processed, what a queue had is gone as well. */
static inline void note_gone(struct world *world, enum store source)
{
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        struct effect *effect = &world->effects[i];
        if (effect->source == source && !effect->settled) {
            effect->draining = true;
            effect->excused = effect->excused || !is_table(source) || world->faulty;
        }
    }
}

/* Weir stops, or something fails: what is left of tables that are gone may go with them. */
static inline void note_fault(struct world *world)
{
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        struct effect *effect = &world->effects[i];
        effect->excused = effect->excused || (effect->draining && !effect->settled);
    }
}

static inline void note_dropped(struct world *world, enum store store)
{
    struct source *of = &world->sources[store];
    of->is_there = false;
    memset(of->items, 0, sizeof(of->items));
    memset(of->written, 0, sizeof(of->written));
    if (store < SOURCES) {
        note_gone(world, store);
    }
}

/* A request has come true. */
static inline void apply(const struct request *request)
{
    struct world *world = request->world;
    struct source *of = &world->sources[request->store];
    size_t *item = &of->items[request->key];
    switch (request->kind) {
    case PUT:
    case SEND:
        *item = request->number;
        note_effect(request, 2 * request->number);
        break;
    case DELETE:
        if (*item != 0) {
            note_effect(request, 2 * *item + 1);
        }
        *item = 0;
        break;
    case CREATE:
        world->made_by[request->store] =
                of->is_there ? world->made_by[request->store] : request->number;
        of->is_there = true;
        break;
    case DROP:
        note_dropped(world, request->store);
        break;
    case PURGE:
        world->made_by[request->store] = request->number;
        if (request->store < SOURCES) {
            note_gone(world, request->store);
        }
        break;
    }
}

/* --- requests ------------------------------------------------------------------------------- */

/* Outcomes come in the order of commits; what follows an unknown one waits for it to be known. */
static inline void request_done(struct weir_txn *txn)
{
    struct request *request = txn->arg;
    struct world *world = request->world;
    request->rc = txn->rc;
    if (txn->rc == WEIR_E_UNKNOWN_OUTCOME || (world->unsure_count > 0 && txn->rc == WEIR_OK)) {
        assert_true(world->unsure_count < UNSURE_MAX);
        world->unsure[world->unsure_count++] = *request;
    } else if (txn->rc == WEIR_OK) {
        apply(request);
    }
    if (request->table != NULL) {
        weir_table_unref(request->table);
    }
    if (request->queue != NULL) {
        weir_queue_unref(request->queue);
    }
    weir_table_unref(request->marks);
    weir_txn_destroy(txn);
}

static inline void add_write(struct world *world, struct weir_txn *txn,
        const struct weir_table *table, enum weir_write_kind kind, const char *json)
{
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    struct weir_err err;
    *write = (struct weir_write){
        .tables = world->base.engine->tables,
        .table = table,
        .kind = kind,
        .item = engine_world_item(&txn->arena, json),
    };
    assert_int_equal(weir_table_write(write, txn, &err), WEIR_OK);
}

/* A request's transaction. What it is to do is to be added, and then it is to be submitted. */
static inline struct weir_txn *request_create(
        struct world *world, enum request_kind kind, enum store store, size_t key)
{
    static const char *const kinds[] = { "put", "delete", "send", "create", "drop", "purge" };
    struct weir_txn *txn = weir_txn_create();
    struct request *request = WEIR_ARENA_NEW(&txn->arena, struct request);
    MUST(world, ++world->writes < WRITES_MAX, "too many writes for the model");
    *request = (struct request){
        .world = world,
        .kind = kind,
        .store = store,
        .key = key,
        .number = world->writes,
        .marks = engine_world_table(&world->base, "marks"),
    };
    txn->done = request_done;
    txn->arg = request;
    add_write(world, txn, request->marks, WEIR_WRITE_PUT,
            weir_arena_printf(&txn->arena, "{\"id\":\"%zu\"}", request->number).p);
    tell(world, "%zu: %s %s key %zu", request->number, kinds[kind], store_names[store], key);
    return txn;
}

/* Put or delete an item, when its table is there. */
static inline void ask_write(
        struct world *world, enum request_kind kind, enum store source, size_t key)
{
    const struct weir_table *table = NULL;
    struct weir_str name = weir_str_z(store_names[source]);
    if (weir_tables_get(world->base.engine->tables, name, &table, NULL) != WEIR_OK) {
        return;
    }
    struct weir_txn *txn = request_create(world, kind, source, key);
    struct request *request = txn->arg;
    request->table = table;
    struct weir_str item =
            weir_arena_printf(&txn->arena, "{\"id\":\"%zu\",\"n\":%zu}", key, request->number);
    struct weir_str keys = weir_arena_printf(&txn->arena, "{\"id\":\"%zu\"}", key);
    bool puts = kind == PUT;
    add_write(world, txn, table, puts ? WEIR_WRITE_PUT : WEIR_WRITE_DELETE, puts ? item.p : keys.p);
    weir_store_submit(world->base.engine->store, txn);
}

/* Send a message, when its queue is there. */
static inline void ask_send(struct world *world, enum store source, size_t key)
{
    struct weir_queues *queues = world->base.engine->queues;
    const struct weir_queue *queue = NULL;
    struct weir_err err;
    if (weir_queues_get(queues, weir_str_z(store_names[source]), &queue, NULL) != WEIR_OK) {
        return;
    }
    struct weir_txn *txn = request_create(world, SEND, source, key);
    struct request *request = txn->arg;
    request->queue = queue;
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    struct weir_str body = weir_arena_printf(&txn->arena, "%zu.", 2 * request->number);
    *send = (struct weir_queue_send){ .queue = queue, .strict = true, .message.body = body };
    if (queue->fifo) {
        send->message.group = weir_arena_printf(&txn->arena, "%zu", key);
        send->message.dedup = body;
    }
    assert_int_equal(weir_queue_send(queues, send, txn, &err), WEIR_OK);
    weir_store_submit(world->base.engine->store, txn);
}

static inline void ask_create(struct world *world, enum store store)
{
    struct weir_txn *txn = request_create(world, CREATE, store, 0);
    struct weir_str name = weir_str_z(store_names[store]);
    if (is_table(store)) {
        struct weir_table definition = {
            .name = name,
            .key = { .partition = { { WEIR_STR("id"), WEIR_TYPE_S } }, .partition_count = 1 },
            .view = WEIR_VIEW_NEW_AND_OLD_IMAGES,
            .shards = SHARDS,
        };
        weir_tables_create_table(world->base.engine->tables, txn, &definition);
    } else {
        struct weir_queue definition = weir_queue_defaults(name);
        definition.fifo = store == INBOX_FIFO;
        definition.retention_ms = WEIR_QUEUE_RETENTION_MAX_MS;
        weir_queues_create_queue(world->base.engine->queues, txn, &definition);
    }
    weir_store_submit(world->base.engine->store, txn);
}

static inline void ask_drop(struct world *world, enum store store)
{
    struct weir_txn *txn = request_create(world, DROP, store, 0);
    struct weir_str name = weir_str_z(store_names[store]);
    if (is_table(store)) {
        weir_tables_drop_table(world->base.engine->tables, txn, name);
    } else {
        weir_queues_delete_queue(world->base.engine->queues, txn, name);
    }
    weir_store_submit(world->base.engine->store, txn);
}

static inline void ask_purge(struct world *world, enum store store)
{
    struct weir_txn *txn = request_create(world, PURGE, store, 0);
    weir_queues_purge(world->base.engine->queues, txn, weir_str_z(store_names[store]));
    weir_store_submit(world->base.engine->store, txn);
}

static inline void nothing_done(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

/* Everything that was asked for is true or not, and the model knows. */
static inline void find_out(struct world *world)
{
    struct weir_txn *txn = weir_txn_create();
    txn->done = nothing_done; /* what the log has and the state could not take shows with it */
    weir_store_submit(world->base.engine->store, txn);
    advance(world, 0);
    bool faulty = world->faulty;
    world->faulty = true; /* at the time */
    for (size_t i = 0; i < world->unsure_count; i++) {
        const struct request *request = &world->unsure[i];
        struct weir_str mark =
                weir_arena_printf(&world->base.arena, "{\"id\":\"%zu\"}", request->number);
        if (engine_world_get(&world->base, "marks", mark.p).n > 0) {
            apply(request);
        }
    }
    world->unsure_count = 0;
    world->faulty = faulty;
}

#endif
