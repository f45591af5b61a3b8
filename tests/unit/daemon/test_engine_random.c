/*
 * A whole engine under operations that follow from a seed: writes, tables dropped and made again,
 * restarts in order, with another weir.yaml, and behind a power cut. A model in plain arrays knows
 * what was acknowledged. Whenever it has settled:
 *   - each record that a pipeline had to see had its effect exactly once, in the order of its item;
 *   - a view is what its table says;
 *   - status says that nothing waits.
 * Of a table that was dropped, records that were not processed before may stay without effect.
 *
 * WEIR_SEED=n runs that seed alone; WEIR_TEST_SEEDS=n the first n. One thread, virtual time: a seed
 * that fails repeats itself.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/logline.h"
#include "engine_world.h"

enum {
    SOURCES = 2,
    KEYS = 4, /* of each source; few, so that order matters */
    SHARDS = 2,
    OPERATIONS = 120, /* of a seed */
    WRITES_MAX = 3000,
    UNSURE_MAX = 200,
    SETTLE_MS = 5 * 60 * 1000,
    SEEDS = 10,
};

/* What a client asks for. */
enum request_kind { PUT, DELETE, CREATE, DROP };

struct world;

struct request {
    struct world *world;
    enum request_kind kind;
    size_t source;
    size_t key;
    size_t number;                  /* names it; what is put has it as its n */
    const struct weir_table *table; /* of a write: a reference */
    const struct weir_table *marks; /* likewise: an item there tells that the request came true */
    enum weir_rc rc;
};

/*
 * What a record does. It is named by the number of the write that made the item, times two, plus
 * one for its removal.
 */
struct effect {
    bool made;
    bool excused; /* its table was dropped, maybe before the record was read */
    bool settled; /* it has been seen */
    size_t source;
    size_t key;
    size_t rank; /* among the records of its key */
};

struct source {
    bool is_there;
    size_t items[KEYS];   /* the write that made it; 0: none */
    bool written[KEYS];   /* since the table was made */
    size_t records[KEYS]; /* since ever */
};

struct world {
    struct engine_world base;
    struct weir_random random; /* what happens; the disk has one of its own */
    struct source sources[SOURCES];
    struct effect effects[2 * WRITES_MAX];
    size_t writes;
    struct request unsure[UNSURE_MAX]; /* from the first one whose outcome nobody knows */
    size_t unsure_count;
    bool partial;          /* a pipeline is not in the file */
    char yaml[8 * 1024];   /* the file */
    struct weir_buf story; /* the operations, a line each */
};

static const char stores_yaml[] = "tables:\n"
                                  "  view: { key: { part: S, id: S }, stream: new_image }\n"
                                  "  trail: { key: { id: S }, stream: new_image }\n"
                                  "  marks: { key: { id: S } }\n"
                                  "queues:\n"
                                  "  journal: { retention: 14d }\n"
                                  "  trailed: { retention: 14d }\n"
                                  "log: { max_bytes: 1TiB }\n"
                                  "pipelines:\n";

/* The name of what a record does, for the steps. */
#define EFFECT "      - let: { effect: \"${event == 'REMOVE' ? old.n * 2 + 1 : new.n * 2}\" }\n"

struct pipeline_text {
    const char *name;
    const char *source;
    const char *steps;
};

static const struct pipeline_text pipelines[] = {
    { "journal", "source-0", EFFECT "      - send: { queue: journal, body: '${effect}.' }\n" },
    { "trail", "source-1",
            EFFECT "      - put: { table: trail, item: { id: '${effect}.' } }\n"
                   "      - id: second\n"
                   "        put: { table: trail, item: { id: 'second ${effect}.' } }\n" },
    { "trailed", "trail", "      - send: { queue: trailed, body: '${keys.id}' }\n" },
    { "view", "source-0",
            "      - project:\n"
            "          table: view\n"
            "          items:\n"
            "            - { part: all, id: '${keys.id}', n: '${new.n}' }\n"
            "            - { part: '${string(new.n % 2)}', id: '${keys.id}', n: '${new.n}' }\n" },
};

/* --- telling -------------------------------------------------------------------------------- */

WEIR_PRINTF(2, 3)
static void tell(struct world *world, const char *fmt, ...)
{
    char line[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    weir_buf_printf(&world->story, "  %s\n", line);
}

/* Say what happened before. */
static void tell_story(struct world *world)
{
    print_error("%.*s%s: ", WEIR_STR_ARG(weir_buf_view(&world->story)), world->base.what);
}

#define MUST(world, condition, ...) \
    do {                            \
        if (!(condition)) {         \
            tell_story(world);      \
            fail_msg(__VA_ARGS__);  \
        }                           \
    } while (0)

static void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    MUST(world, weir_loop_advance(world->base.engine->loop, ms, &err) == WEIR_OK, "%s", err.msg);
}

static size_t below(struct world *world, size_t bound)
{
    return (size_t)weir_random_below(&world->random, bound);
}

/* --- the model ------------------------------------------------------------------------------ */

static void note_record(struct world *world, size_t source, size_t key, size_t effect)
{
    struct source *of = &world->sources[source];
    world->effects[effect] = (struct effect){
        .made = true, .source = source, .key = key, .rank = ++of->records[key]
    };
    of->written[key] = true;
}

static void note_dropped(struct world *world, size_t source)
{
    struct source *of = &world->sources[source];
    of->is_there = false;
    memset(of->items, 0, sizeof(of->items));
    memset(of->written, 0, sizeof(of->written));
    for (size_t i = 0; i < WEIR_COUNT(world->effects); i++) {
        struct effect *effect = &world->effects[i];
        effect->excused = effect->excused || (effect->source == source && !effect->settled);
    }
}

/* A request has come true. */
static void apply(const struct request *request)
{
    struct world *world = request->world;
    struct source *of = &world->sources[request->source];
    size_t *item = &of->items[request->key];
    switch (request->kind) {
    case PUT:
        *item = request->number;
        note_record(world, request->source, request->key, 2 * request->number);
        break;
    case DELETE:
        if (*item != 0) {
            note_record(world, request->source, request->key, 2 * *item + 1);
        }
        *item = 0;
        break;
    case CREATE:
        of->is_there = true;
        break;
    case DROP:
        note_dropped(world, request->source);
        break;
    }
}

/* --- requests ------------------------------------------------------------------------------- */

/* Outcomes come in the order of commits; what follows an unknown one waits for it to be known. */
static void request_done(struct weir_txn *txn)
{
    struct request *request = txn->arg;
    struct world *world = request->world;
    request->rc = txn->rc;
    if (world->unsure_count > 0 || txn->rc == WEIR_E_UNKNOWN_OUTCOME) {
        assert_true(world->unsure_count < UNSURE_MAX);
        world->unsure[world->unsure_count++] = *request;
    } else if (txn->rc == WEIR_OK) {
        apply(request);
    }
    if (request->table != NULL) {
        weir_table_unref(request->table);
    }
    weir_table_unref(request->marks);
    weir_txn_destroy(txn);
}

static void add_write(struct world *world, struct weir_txn *txn, const struct weir_table *table,
        enum weir_write_kind kind, const char *json)
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
static struct weir_txn *request_create(
        struct world *world, enum request_kind kind, size_t source, size_t key)
{
    static const char *const kinds[] = { "put", "delete", "create", "drop" };
    struct weir_txn *txn = weir_txn_create();
    struct request *request = WEIR_ARENA_NEW(&txn->arena, struct request);
    MUST(world, ++world->writes < WRITES_MAX, "too many writes for the model");
    *request = (struct request){
        .world = world,
        .kind = kind,
        .source = source,
        .key = key,
        .number = world->writes,
        .marks = engine_world_table(&world->base, "marks"),
    };
    txn->done = request_done;
    txn->arg = request;
    add_write(world, txn, request->marks, WEIR_WRITE_PUT,
            weir_arena_printf(&txn->arena, "{\"id\":\"%zu\"}", request->number).p);
    tell(world, "%zu: %s source-%zu key %zu", request->number, kinds[kind], source, key);
    return txn;
}

static struct weir_str source_name(struct weir_arena *arena, size_t source)
{
    return weir_arena_printf(arena, "source-%zu", source);
}

/* Put or delete an item, when its table is there. */
static void ask_write(struct world *world, enum request_kind kind, size_t source, size_t key)
{
    struct weir_str name = source_name(&world->base.arena, source);
    const struct weir_table *table = NULL;
    if (weir_tables_get(world->base.engine->tables, name, &table, NULL) != WEIR_OK) {
        return;
    }
    struct weir_txn *txn = request_create(world, kind, source, key);
    struct request *request = txn->arg;
    request->table = table;
    if (kind == PUT) {
        add_write(world, txn, table, WEIR_WRITE_PUT,
                weir_arena_printf(&txn->arena, "{\"id\":\"%zu\",\"n\":%zu}", key, request->number)
                        .p);
    } else {
        add_write(world, txn, table, WEIR_WRITE_DELETE,
                weir_arena_printf(&txn->arena, "{\"id\":\"%zu\"}", key).p);
    }
    weir_store_submit(world->base.engine->store, txn);
}

static void ask_create(struct world *world, size_t source)
{
    struct weir_txn *txn = request_create(world, CREATE, source, 0);
    struct weir_table definition = {
        .name = source_name(&txn->arena, source),
        .key = { .partition = { { WEIR_STR("id"), WEIR_TYPE_S } }, .partition_count = 1 },
        .view = WEIR_VIEW_NEW_AND_OLD_IMAGES,
        .shards = SHARDS,
    };
    weir_tables_create_table(world->base.engine->tables, txn, &definition);
    weir_store_submit(world->base.engine->store, txn);
}

static void ask_drop(struct world *world, size_t source)
{
    struct weir_txn *txn = request_create(world, DROP, source, 0);
    weir_tables_drop_table(world->base.engine->tables, txn, source_name(&txn->arena, source));
    weir_store_submit(world->base.engine->store, txn);
}

static void asked(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

/* Everything that was asked for is true or not, and the model knows. */
static void find_out(struct world *world)
{
    struct weir_txn *txn = weir_txn_create();
    txn->done = asked; /* what the log has and the state could not take is visible with it */
    weir_store_submit(world->base.engine->store, txn);
    advance(world, 0);
    for (size_t i = 0; i < world->unsure_count; i++) {
        struct request *request = &world->unsure[i];
        struct weir_str mark =
                weir_arena_printf(&world->base.arena, "{\"id\":\"%zu\"}", request->number);
        if (engine_world_get(&world->base, "marks", mark.p).n > 0) {
            apply(request);
        }
    }
    world->unsure_count = 0;
}

/* --- starting and stopping ------------------------------------------------------------------ */

/* Another weir.yaml: other batches, lanes and windows; without some pipeline, unless `whole`. */
static void write_yaml(struct world *world, bool whole)
{
    static const unsigned batches[] = { 1, 2, 5, 100 };
    static const unsigned lanes[] = { 1, 2, 4, 8 };
    static const char *const windows[] = { "0s", "0s", "100ms" };
    int n = snprintf(world->yaml, sizeof(world->yaml), "%s", stores_yaml);
    world->partial = false;
    for (size_t i = 0; i < WEIR_COUNT(pipelines); i++) {
        unsigned batch = batches[below(world, WEIR_COUNT(batches))];
        unsigned concurrency = lanes[below(world, WEIR_COUNT(lanes))];
        const char *window = windows[below(world, WEIR_COUNT(windows))];
        if (!whole && below(world, 8) == 0) {
            tell(world, "  without pipeline %s", pipelines[i].name);
            world->partial = true;
            continue;
        }
        tell(world, "  %s: batch %u, concurrency %u, window %s", pipelines[i].name, batch,
                concurrency, window);
        n += snprintf(world->yaml + n, sizeof(world->yaml) - (size_t)n,
                "  %s:\n"
                "    source: { table: %s, batch: %u, concurrency: %u, window: %s, start: oldest }\n"
                "    steps:\n%s",
                pipelines[i].name, pipelines[i].source, batch, concurrency, window,
                pipelines[i].steps);
        assert_true((size_t)n < sizeof(world->yaml));
    }
}

static void start(struct world *world)
{
    engine_world_must_start(&world->base);
    find_out(world);
}

static void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void stop(struct world *world)
{
    bool stopped = false;
    weir_engine_quiesce(world->base.engine);
    weir_engine_stop(world->base.engine, note_stopped, &stopped);
    advance(world, SETTLE_MS);
    MUST(world, stopped, "it does not stop");
    engine_world_end(&world->base);
}

/* --- what must hold ------------------------------------------------------------------------- */

struct tally {
    struct world *world;
    const char *queue;
    size_t times[2 * WRITES_MAX];       /* an effect was had */
    struct effect *last[SOURCES][KEYS]; /* of each item */
};

/* The effect that a message tells of; in the order of its item, if its queue has one. */
static void take_message(struct tally *tally, const char *body, bool in_order)
{
    struct world *world = tally->world;
    size_t number = strtoul(body, NULL, 10);
    MUST(world, number < WEIR_COUNT(world->effects), "%s has message %s", tally->queue, body);
    struct effect *effect = &world->effects[number];
    MUST(world, effect->made, "%s has a message of record %zu, which is not there", tally->queue,
            number);
    struct effect **last = &tally->last[effect->source][effect->key];
    MUST(world, !in_order || *last == NULL || (*last)->rank <= effect->rank,
            "%s has a message of record %zu behind a later one", tally->queue, number);
    *last = effect;
    tally->times[number]++;
}

static bool take_journal(void *arg, const struct weir_message *message, bool hidden)
{
    (void)hidden;
    take_message(arg, message->body.p, true);
    return true;
}

static bool take_first(void *arg, const struct weir_message *message, bool hidden)
{
    (void)hidden;
    if (!weir_str_starts(message->body, WEIR_STR("second "))) {
        take_message(arg, message->body.p, false);
    }
    return true;
}

static bool take_second(void *arg, const struct weir_message *message, bool hidden)
{
    (void)hidden;
    if (weir_str_starts(message->body, WEIR_STR("second "))) {
        take_message(arg, message->body.p + strlen("second "), false);
    }
    return true;
}

/* Each record of a source has exactly one message. */
static void check_messages(struct world *world, const char *name, size_t source,
        bool (*take)(void *arg, const struct weir_message *message, bool hidden))
{
    struct weir_queues *queues = world->base.engine->queues;
    const struct weir_queue *queue = NULL;
    struct tally *tally = weir_alloc_zero(1, sizeof(*tally));
    struct weir_err err;
    tally->world = world;
    tally->queue = name;
    assert_int_equal(weir_queues_get(queues, weir_str_z(name), &queue, &err), WEIR_OK);
    assert_int_equal(weir_queues_browse(queues, queue, 0, take, tally, &err), WEIR_OK);
    weir_queue_unref(queue);
    for (size_t i = 0; i < WEIR_COUNT(world->effects); i++) {
        const struct effect *effect = &world->effects[i];
        bool must = effect->made && effect->source == source && !effect->excused;
        MUST(world, tally->times[i] >= (size_t)must && tally->times[i] <= 1,
                "%s has %zu messages of record %zu", name, tally->times[i], i);
    }
    weir_free(tally);
}

/* What the view has of an item: 0: nothing. */
static size_t viewed(struct world *world, const char *part, size_t key)
{
    struct weir_str json =
            weir_arena_printf(&world->base.arena, "{\"part\":\"%s\",\"id\":\"%zu\"}", part, key);
    struct weir_item item = engine_world_get(&world->base, "view", json.p);
    uint64_t n = 0;
    if (item.n > 0) {
        assert_true(
                weir_decimal_to_u64(weir_value_decimal(weir_item_get(item, WEIR_STR("n"))), &n));
    }
    return (size_t)n;
}

/* The view is what the table says; of items of a dropped table it may still tell. */
static void check_view(struct world *world)
{
    static const char *const parts[] = { "0", "1" };
    const struct source *source = &world->sources[0];
    for (size_t key = 0; key < KEYS; key++) {
        size_t n = source->items[key];
        if (!source->is_there || !source->written[key]) {
            continue;
        }
        MUST(world, viewed(world, "all", key) == n, "the view has %zu of key %zu, not %zu",
                viewed(world, "all", key), key, n);
        for (size_t part = 0; part < WEIR_COUNT(parts); part++) {
            size_t must = n % 2 == part ? n : 0;
            MUST(world, viewed(world, parts[part], key) == must,
                    "the view has %zu of key %zu in part %zu, not %zu",
                    viewed(world, parts[part], key), key, part, must);
        }
    }
}

static void check_status(struct world *world)
{
    struct weir_buf status;
    weir_buf_init(&status, 1 << 20);
    weir_pipelines_status(world->base.engine->pipelines, &status);
    weir_buf_byte(&status, '\0');
    MUST(world, strstr(status.p, "\"at_end\":false") == NULL, "not at the end: %s", status.p);
    MUST(world, strstr(status.p, "\"stuck\"") == NULL, "stuck: %s", status.p);
    MUST(world, strstr(status.p, "\"gap\"") == NULL, "a gap: %s", status.p);
    weir_buf_fini(&status);
}

static void check(struct world *world)
{
    check_status(world);
    check_messages(world, "journal", 0, take_journal);
    check_messages(world, "trailed", 1, take_first);
    check_messages(world, "trailed", 1, take_second);
    check_view(world);
    for (size_t i = 0; i < WEIR_COUNT(world->effects); i++) {
        world->effects[i].settled = world->effects[i].made;
    }
    weir_arena_reset(&world->base.arena);
}

/* --- operations ----------------------------------------------------------------------------- */

static void do_write(struct world *world)
{
    for (size_t together = 1 + below(world, 4); together > 0; together--) {
        enum request_kind kind = below(world, 4) == 0 ? DELETE : PUT;
        ask_write(world, kind, below(world, SOURCES), below(world, KEYS));
    }
}

static void do_pass(struct world *world)
{
    static const uint64_t spans[] = { 0, 0, 1, 10, 1000, 60 * 1000, 2 * 3600 * 1000 };
    uint64_t ms = spans[below(world, WEIR_COUNT(spans))];
    tell(world, "%llu ms pass", (unsigned long long)ms);
    advance(world, ms);
}

/* A turn of the loop or a few, in which something may begin that does not end. */
static void do_turn(struct world *world)
{
    tell(world, "0 ms pass");
    advance(world, 0);
}

static void do_drop(struct world *world)
{
    ask_drop(world, below(world, SOURCES));
}

static void do_create(struct world *world)
{
    ask_create(world, below(world, SOURCES));
}

static void do_make_again(struct world *world)
{
    size_t source = below(world, SOURCES);
    ask_drop(world, source);
    if (below(world, 2) == 0) {
        do_turn(world);
    }
    ask_create(world, source);
    if (below(world, 2) == 0) {
        do_turn(world);
    }
    ask_write(world, PUT, source, below(world, KEYS));
}

static void do_restart(struct world *world)
{
    tell(world, "restart");
    stop(world);
    if (below(world, 2) == 0) {
        write_yaml(world, false);
    }
    start(world);
}

/* The disk stops at some operation; the power goes, now or a little later. */
static void do_power_loss(struct world *world)
{
    if (below(world, 2) == 0) {
        uint64_t nth = 1 + below(world, 12);
        tell(world, "the disk stops at operation %llu", (unsigned long long)nth);
        weir_simulated_disk_crash_at(world->base.disk, nth);
        for (size_t n = 1 + below(world, 4); n > 0; n--) {
            do_write(world);
            do_turn(world);
        }
    }
    tell(world, "power loss");
    engine_world_cut(&world->base);
    start(world);
}

static void do_settle(struct world *world)
{
    tell(world, "settle");
    if (world->partial) {
        stop(world);
        write_yaml(world, true);
        start(world);
    }
    find_out(world);
    advance(world, SETTLE_MS);
    check(world);
}

struct operation {
    size_t weight;
    void (*run)(struct world *world);
};

static const struct operation operations[] = {
    { 40, do_write },
    { 10, do_pass },
    { 10, do_turn },
    { 2, do_drop },
    { 5, do_create },
    { 4, do_make_again },
    { 4, do_restart },
    { 4, do_power_loss },
    { 3, do_settle },
};

static void do_something(struct world *world)
{
    size_t total = 0;
    for (size_t i = 0; i < WEIR_COUNT(operations); i++) {
        total += operations[i].weight;
    }
    size_t chosen = below(world, total);
    size_t i = 0;
    while (chosen >= operations[i].weight) {
        chosen -= operations[i++].weight;
    }
    operations[i].run(world);
}

/* --- seeds ---------------------------------------------------------------------------------- */

static void run(uint64_t seed)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    engine_world_init(&world->base, world->yaml, "WEIR_SEED", seed);
    weir_random_seed(&world->random, seed);
    weir_buf_init(&world->story, 1 << 20);
    write_yaml(world, true);
    engine_world_must_start(&world->base);
    for (size_t source = 0; source < SOURCES; source++) {
        ask_create(world, source);
    }
    for (size_t i = 0; i < OPERATIONS; i++) {
        do_something(world);
    }
    do_settle(world);
    engine_world_fini(&world->base);
    weir_buf_fini(&world->story);
    weir_free(world);
}

static void whatever_happens_each_record_counts_once(void **state)
{
    (void)state;
    const char *one = getenv("WEIR_SEED");
    const char *many = getenv("WEIR_TEST_SEEDS");
    uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        run(seed);
    }
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR + 1, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_each_record_counts_once),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed != 0) {
        fflush(NULL);
        _exit(failed); /* the story stays the last that is said: worlds that failed are leaked */
    }
    return 0;
}
