/*
 * A whole engine under operations that follow from a seed: writes and messages; tables and queues,
 * sources and targets, dropped and made again; restarts in order, with another weir.yaml, behind a
 * power cut; disks that fail or are full; a function that is not reached, or refuses records; dead
 * letters redriven and deleted; rebuilds and replays. Much of that happens between two commits of
 * one instant. Whenever it has settled:
 *   - each record that a pipeline had to see had its effect exactly once, in the order of its item
 *     where the pipeline keeps it;
 *   - a view is what its table says;
 *   - no letter is left that can be redriven, and status says that nothing waits.
 * Of a table that is dropped, what was not processed before still is, if nothing fails and no
 * target is away; of a queue, it goes with it.
 *
 * WEIR_SEED=n runs that seed alone; WEIR_TEST_SEEDS=n the first n. One thread, virtual time: a seed
 * that fails says what it did, and repeats itself.
 */
#include <unistd.h>

#include "base/logline.h"
#include "pipeline/letters.h"
#include "random_world.h"

enum {
    OPERATIONS = 120, /* of a seed */
    SETTLE_MS = 5 * 60 * 1000,
    REDRIVES_MAX = 20, /* until no letters are left */
    POISON_EVERY = 5,
    SEEDS = 8,
};

static const char stores_yaml[] = "tables:\n"
                                  "  view: { key: { part: S, id: S }, stream: new_image }\n"
                                  "  trail: { key: { id: S }, stream: new_image }\n"
                                  "  marks: { key: { id: S } }\n"
                                  "queues:\n"
                                  "  journal: { retention: 14d }\n"
                                  "  journal.fifo: { retention: 14d }\n"
                                  "  trailed: { retention: 14d }\n"
                                  "  shelved: { retention: 14d }\n"
                                  "  judged: { retention: 14d }\n"
                                  "  letters: { retention: 14d }\n"
                                  "  accepted: { retention: 14d }\n"
                                  "  gathered: { retention: 14d }\n"
                                  "  cooled: { retention: 14d }\n"
                                  "  added: { retention: 14d }\n"
                                  "  replayed: { retention: 14d }\n"
                                  "functions:\n"
                                  "  judge: { url: 'http://functions.test/', timeout: 5s }\n"
                                  "  add: { url: 'http://functions.test/add', timeout: 5s }\n"
                                  "log: { max_bytes: 1TiB }\n"
                                  "pipelines:\n";

/* The name of what a record does, for the steps. */
#define EFFECT "      - let: { effect: \"${event == 'REMOVE' ? old.n * 2 + 1 : new.n * 2}\" }\n"

struct pipeline_text {
    const char *name;
    const char *source;
    const char *options; /* beside source and steps */
    const char *steps;
};

static const struct pipeline_text pipelines[] = {
    { "journal", "table: source-0", "",
            EFFECT "      - send: { queue: journal, body: '${effect}.' }\n" },
    { "journal-fifo", "table: source-1", "",
            EFFECT "      - send: { queue: journal.fifo, body: '${effect}.' }\n" },
    { "trail", "table: source-1", "",
            EFFECT "      - put: { table: trail, item: { id: '${effect}.' } }\n"
                   "      - id: second\n"
                   "        put: { table: trail, item: { id: 'second ${effect}.' } }\n" },
    { "trailed", "table: trail", "", "      - send: { queue: trailed, body: '${keys.id}' }\n" },
    { "view", "table: source-0", "",
            "      - project:\n"
            "          table: view\n"
            "          items:\n"
            "            - { part: all, id: '${keys.id}', n: '${new.n}' }\n"
            "            - { part: '${string(new.n % 2)}', id: '${keys.id}', n: '${new.n}' }\n" },
    { "shelve", "table: source-0", "",
            EFFECT "      - put: { table: shelf, item: { id: '${effect}.' } }\n"
                   "      - send: { queue: shelved, body: '${effect}.' }\n"
                   "      - id: bin\n"
                   "        send: { queue: bin, body: '${effect}.' }\n" },
    { "judge", "table: source-1",
            "    retry: { retries: 1, backoff: [1s] }\n"
            "    on_failure: { queue: letters }\n"
            "    quarantine: key\n",
            EFFECT "      - invoke: { function: judge }\n"
                   "      - send: { queue: judged, body: '${effect}.' }\n" },
    { "accept", "queue: inbox", "",
            "      - send: { queue: accepted, body: '${message.body}' }\n" },
    { "accept-fifo", "queue: inbox.fifo", "",
            "      - send: { queue: accepted, body: '${message.body}' }\n" },
    { "gather", "table: source-0", "",
            EFFECT "      - debounce:\n"
                   "          period: 2s\n"
                   "          key: keys.id\n"
                   "          merge: { all: { distinct: string(effect) } }\n"
                   "      - each: { in: burst.merged.all, as: one }\n"
                   "      - send: { queue: gathered, body: '${one}.' }\n" },
    { "cool", "table: source-0", "",
            "      - cooldown: { period: 5s, key: keys.id, trailing: true }\n"
            "      - send: { queue: cooled, body: '${held.key} ${held.count}' }\n" },
    { "add", "table: source-0", "",
            "      - invoke: { function: add, window: 10s, result: answer }\n"
            "      - each: { in: answer.done, as: one }\n"
            "      - send: { queue: added, body: '${one}.' }\n" },
    { "replayed", "table: source-1", "",
            EFFECT "      - send: { queue: replayed, body: '${effect}.' }\n" },
};

/* --- the function ----------------------------------------------------------------------------- */

/* The effect of a record's JSON, whose images may follow; *at moves behind it. */
static bool next_effect(const char **at, size_t *ret_effect)
{
    const char *event = strstr(*at, "\"eventName\":\"");
    const char *n = event != NULL ? strstr(event, "\"n\":{\"N\":\"") : NULL;
    if (n == NULL) {
        return false;
    }
    bool removes = strncmp(event + strlen("\"eventName\":\""), "REMOVE", strlen("REMOVE")) == 0;
    *ret_effect = 2 * strtoul(n + strlen("\"n\":{\"N\":\""), NULL, 10) + removes;
    const char *next = strstr(n, "\"eventName\":\"");
    *at = next != NULL ? next : n + strlen(n);
    return true;
}

/* Add the effects to those of the window's state; at its end, tell them. */
static struct weir_str add_up(struct world *world, const char *event)
{
    static const char mark[] = "\"all\":\"";
    const char *state = strstr(event, mark);
    const char *all = state != NULL ? state + strlen(mark) : "\"";
    bool final = strstr(event, "\"isFinalInvokeForWindow\":true") != NULL;
    struct weir_buf buf;
    size_t effect = 0;
    weir_buf_init(&buf, sizeof(world->answer));
    weir_buf_printf(&buf, "%s%.*s", final ? "{\"state\":{},\"done\":[" : "{\"state\":{\"all\":\"",
            (int)strcspn(all, "\""), all);
    while (next_effect(&event, &effect)) {
        weir_buf_printf(&buf, "%zu,", effect);
    }
    struct weir_str text = weir_buf_view(&buf);
    if (final && text.n > 0 && text.p[text.n - 1] == ',') {
        text.n--;
    }
    snprintf(world->answer, sizeof(world->answer), "%.*s%s", WEIR_STR_ARG(text),
            final ? "]}" : "\"},\"done\":[]}");
    weir_buf_fini(&buf);
    return weir_str_z(world->answer);
}

static struct weir_http_stand_in answer_call(void *arg, const struct weir_http_call *call)
{
    struct world *world = arg;
    if (world->outage) {
        return (struct weir_http_stand_in){ .after_ms = 1, .rc = WEIR_E_IO };
    }
    char *body = weir_strndup(call->body.p, call->body.n);
    const char *at = body;
    size_t effect = 0;
    bool fails = false;
    bool adds = weir_str_eq(call->url, WEIR_STR("http://functions.test/add"));
    struct weir_str answer = adds ? add_up(world, body) : WEIR_STR("{}");
    while (!adds && next_effect(&at, &effect)) {
        fails = fails || (effect % POISON_EVERY == 0 && !world->healed);
    }
    weir_free(body);
    return (struct weir_http_stand_in){
        .after_ms = 1 + below(world, 3), .status = fails ? 500 : 200, .body = answer
    };
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
    world->faulty = false;
    for (size_t i = 0; i < WEIR_COUNT(pipelines); i++) {
        const struct pipeline_text *pipeline = &pipelines[i];
        unsigned batch = batches[below(world, WEIR_COUNT(batches))];
        unsigned concurrency = lanes[below(world, WEIR_COUNT(lanes))];
        const char *window = windows[below(world, WEIR_COUNT(windows))];
        if (!whole && below(world, 8) == 0) {
            tell(world, "  without pipeline %s", pipeline->name);
            world->partial = true;
            world->faulty = true;
            continue;
        }
        tell(world, "  %s: batch %u, concurrency %u, window %s", pipeline->name, batch, concurrency,
                window);
        const char *from =
                strncmp(pipeline->source, "queue", strlen("queue")) == 0 ? "" : ", start: oldest";
        n += snprintf(world->yaml + n, sizeof(world->yaml) - (size_t)n,
                "  %s:\n"
                "    source: { %s, batch: %u, concurrency: %u, window: %s%s }\n"
                "%s"
                "    steps:\n%s",
                pipeline->name, pipeline->source, batch, concurrency, window, from,
                pipeline->options, pipeline->steps);
        assert_true((size_t)n < sizeof(world->yaml));
    }
}

static bool step_store(void *arg);

/* Start; the disk is all right. */
static void start(struct world *world)
{
    engine_world_must_start(&world->base);
    weir_loop_on_idle(world->base.engine->loop, step_store, world);
    world->faulty = world->partial;
    find_out(world);
}

static void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void mend_disk(struct world *world)
{
    weir_simulated_disk_set_free(world->base.disk, UINT64_MAX / 2);
    weir_simulated_disk_fail(world->base.disk, WEIR_DISK_WRITE, 0, WEIR_OK);
    weir_simulated_disk_fail(world->base.disk, WEIR_DISK_SYNC, 0, WEIR_OK);
    world->faulty = world->partial;
}

static void stop(struct world *world)
{
    bool stopped = false;
    mend_disk(world);
    note_fault(world);
    world->faulty = true;
    weir_engine_quiesce(world->base.engine);
    weir_engine_stop(world->base.engine, note_stopped, &stopped);
    advance(world, SETTLE_MS);
    MUST(world, stopped, "it does not stop");
    engine_world_end(&world->base);
}

/* --- what must hold ------------------------------------------------------------------------- */

/* What is known of a queue: how often it has each effect. */
struct tally {
    struct world *world;
    const char *queue;
    bool in_order; /* of their items */
    size_t times[EFFECTS_MAX];
    const struct effect *last[SOURCES][KEYS];
};

static bool take_message(void *arg, const struct weir_message *message, bool hidden)
{
    struct tally *tally = arg;
    struct world *world = tally->world;
    const char *digits = strpbrk(message->body.p, "0123456789");
    size_t number = digits != NULL ? strtoul(digits, NULL, 10) : 0;
    (void)hidden;
    MUST(world, number < EFFECTS_MAX && world->effects[number].made,
            "%s has a message of record %zu, which is not there", tally->queue, number);
    const struct effect *effect = &world->effects[number];
    const struct effect **last = &tally->last[effect->source][effect->key];
    MUST(world, !tally->in_order || *last == NULL || (*last)->rank <= effect->rank,
            "%s has a message of record %zu behind a later one", tally->queue, number);
    *last = effect;
    tally->times[number]++;
    return true;
}

static void browse(struct world *world, const char *name,
        bool (*each)(void *arg, const struct weir_message *message, bool hidden), void *arg)
{
    struct weir_queues *queues = world->base.engine->queues;
    const struct weir_queue *queue = NULL;
    struct weir_err err;
    assert_int_equal(weir_queues_get(queues, weir_str_z(name), &queue, &err), WEIR_OK);
    assert_int_equal(weir_queues_browse(queues, queue, 0, each, arg, &err), WEIR_OK);
    weir_queue_unref(queue);
}

/* What a queue must have of the effects of a source, each once. */
struct expected {
    const char *queue;
    enum store source;
    size_t since; /* the request behind which they were made */
    bool in_order;
    bool skips;     /* not those whose dead letters were deleted */
    bool waits;     /* for what may be away: what was read of a table that is gone may go with it */
    size_t repeats; /* that were asked for */
};

static void check_messages(struct world *world, const struct expected *expected)
{
    struct tally *tally = weir_alloc_zero(1, sizeof(*tally));
    tally->world = world;
    tally->queue = expected->queue;
    tally->in_order = expected->in_order;
    browse(world, expected->queue, take_message, tally);
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        const struct effect *effect = &world->effects[i];
        bool must = effect->made && effect->source == expected->source && !effect->excused &&
                    !(expected->waits && effect->draining) && effect->by > expected->since &&
                    !(expected->skips && effect->skipped);
        bool may = tally->times[i] <= 1 + expected->repeats;
        MUST(world, (tally->times[i] > 0 || !must) && may, "%s has %zu messages of record %zu",
                expected->queue, tally->times[i], i);
    }
    weir_free(tally);
}

/* How many records of each item have come through the cooldown, by themselves or held back. */
static bool take_cooled(void *arg, const struct weir_message *message, bool hidden)
{
    size_t *cooled = arg;
    char *rest = NULL;
    size_t key = strtoul(message->body.p, &rest, 10);
    size_t count = strtoul(rest, NULL, 10);
    (void)hidden;
    assert_true(key < KEYS);
    cooled[key] += count > 0 ? count : 1;
    return true;
}

static void check_cooled(struct world *world)
{
    size_t cooled[KEYS] = { 0 };
    size_t least[KEYS] = { 0 };
    size_t most[KEYS] = { 0 };
    browse(world, "cooled", take_cooled, cooled);
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        const struct effect *effect = &world->effects[i];
        if (effect->made && effect->source == SOURCE_0) {
            least[effect->key] += !effect->excused;
            most[effect->key]++;
        }
    }
    for (size_t key = 0; key < KEYS; key++) {
        MUST(world, cooled[key] >= least[key] && cooled[key] <= most[key],
                "%zu records of key %zu were cooled, of %zu to %zu", cooled[key], key, least[key],
                most[key]);
    }
}

static bool has(struct world *world, const char *table, const char *id)
{
    struct weir_str key = weir_arena_printf(&world->base.arena, "{\"id\":\"%s\"}", id);
    return engine_world_get(&world->base, table, key.p).n > 0;
}

/* Each record has its item in the tables that pipelines put to, and no record has none. */
static void check_items(struct world *world)
{
    struct weir_arena *arena = &world->base.arena;
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        const struct effect *effect = &world->effects[i];
        const char *id = weir_arena_printf(arena, "%zu.", i).p;
        bool must = effect->made && !effect->excused;
        if (must && effect->source == SOURCE_1) {
            MUST(world, has(world, "trail", id), "record %zu left no trail", i);
        } else if (must && effect->source == SOURCE_0) {
            bool before = effect->draining || effect->by < world->made_by[SHELF];
            MUST(world, before || has(world, "shelf", id), "record %zu is not shelved", i);
        }
    }
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
    const struct source *source = &world->sources[SOURCE_0];
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
    static const char *const wrong[] = { "\"at_end\":false", "\"stuck\"", "\"gap\"",
        "\"quarantine\"", "\"job\"", "\"state\":\"blocked\"", "\"state\":\"retrying\"" };
    struct weir_buf status;
    weir_buf_init(&status, 1 << 20);
    weir_pipelines_status(world->base.engine->pipelines, &status);
    weir_buf_byte(&status, '\0');
    for (size_t i = 0; i < WEIR_COUNT(wrong); i++) {
        const char *found = strstr(status.p, wrong[i]);
        MUST(world, found == NULL, "status has %.200s", found);
    }
    weir_buf_fini(&status);
}

static void check(struct world *world)
{
    const struct expected all[] = {
        { .queue = "journal", .source = SOURCE_0, .in_order = true },
        { .queue = "journal.fifo", .source = SOURCE_1, .in_order = true },
        { .queue = "shelved", .source = SOURCE_0, .in_order = true, .waits = true },
        { .queue = "bin",
                .source = SOURCE_0,
                .in_order = true,
                .waits = true,
                .since = world->made_by[BIN] },
        { .queue = "trailed", .source = SOURCE_1, .repeats = 1 }, /* there are two items */
        { .queue = "judged", .source = SOURCE_1, .in_order = true, .skips = true, .waits = true },
        { .queue = "accepted", .source = INBOX },
        { .queue = "accepted", .source = INBOX_FIFO },
        { .queue = "gathered", .source = SOURCE_0 },
        { .queue = "added", .source = SOURCE_0, .waits = true },
        { .queue = "replayed", .source = SOURCE_1, .repeats = world->replays },
    };
    check_status(world);
    for (size_t i = 0; i < WEIR_COUNT(all); i++) {
        check_messages(world, &all[i]);
    }
    check_cooled(world);
    check_items(world);
    check_view(world);
    for (size_t i = 0; i < EFFECTS_MAX; i++) {
        world->effects[i].settled = world->effects[i].made;
    }
    weir_arena_reset(&world->base.arena);
}

/* --- dead letters --------------------------------------------------------------------------- */

static bool note_skipped(void *arg, const struct weir_letter *letter)
{
    struct world *world = arg;
    char *payload = weir_strndup(letter->payload.p, letter->payload.n);
    const char *at = payload;
    size_t effect = 0;
    if (next_effect(&at, &effect)) {
        tell(world, "  letter of record %zu", effect);
        world->effects[effect].skipped = true;
    }
    weir_free(payload);
    return true;
}

struct removal {
    struct weir_letters_removal base;
    struct weir_arena arena;
};

static void letters_removed(struct weir_letters_removal *base)
{
    struct removal *removal = WEIR_CONTAINER(base, struct removal, base);
    weir_arena_fini(&removal->arena);
    weir_free(removal);
}

static void do_skip(struct world *world)
{
    struct weir_letters letters = { .pipeline = WEIR_STR("judge") };
    struct weir_pipelines *all = world->base.engine->pipelines;
    struct removal *removal = weir_alloc_zero(1, sizeof(*removal));
    struct weir_str next;
    struct weir_err err;
    tell(world, "skip letters");
    weir_arena_init(&removal->arena);
    removal->base.done = letters_removed;
    if (weir_pipelines_letters(all, &letters, &removal->arena, note_skipped, world, &next, &err) !=
                    WEIR_OK ||
            weir_pipelines_remove_letters(
                    all, &letters, &removal->arena, &removal->base, &next, &err) != WEIR_OK) {
        letters_removed(&removal->base); /* the pipeline is not in the file, say */
    }
}

static void do_redrive(struct world *world)
{
    struct weir_letters letters = { .pipeline = WEIR_STR("judge"), .stale = true };
    struct weir_redriven redriven;
    struct weir_arena arena;
    struct weir_err err;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_pipelines_redrive(
            world->base.engine->pipelines, &letters, &arena, &redriven, &err);
    if (rc == WEIR_OK) {
        tell(world, "redrive: %zu given, %zu taken, %zu refused", redriven.given, redriven.taken,
                redriven.refused);
    }
    weir_arena_fini(&arena);
}

static uint64_t count_letters(struct world *world)
{
    const struct weir_queue *queue = NULL;
    struct weir_queue_numbers numbers;
    struct weir_err err;
    struct weir_queues *queues = world->base.engine->queues;
    assert_int_equal(weir_queues_get(queues, WEIR_STR("letters"), &queue, &err), WEIR_OK);
    assert_int_equal(weir_queues_numbers(queues, queue, &numbers, &err), WEIR_OK);
    weir_queue_unref(queue);
    return numbers.visible + numbers.hidden;
}

/* --- operations ----------------------------------------------------------------------------- */

static void do_write(struct world *world)
{
    for (size_t together = 1 + below(world, 4); together > 0; together--) {
        enum store source = (enum store)below(world, SOURCES);
        enum request_kind kind = below(world, 4) == 0 ? DELETE : PUT;
        if (is_table(source)) {
            ask_write(world, kind, source, below(world, KEYS));
        } else {
            ask_send(world, source, below(world, KEYS));
        }
    }
}

static void do_drop(struct world *world)
{
    ask_drop(world, (enum store)below(world, STORES));
}

static void do_create(struct world *world)
{
    ask_create(world, (enum store)below(world, STORES));
}

static void do_make_again(struct world *world)
{
    enum store store = (enum store)below(world, STORES);
    ask_drop(world, store);
    ask_create(world, store);
}

static void do_purge(struct world *world)
{
    static const enum store queues[] = { INBOX, INBOX_FIFO, BIN };
    ask_purge(world, queues[below(world, WEIR_COUNT(queues))]);
}

static void do_pass(struct world *world)
{
    static const uint64_t spans[] = { 0, 1, 1, 10, 1000, 3000, 60 * 1000, 2 * 3600 * 1000 };
    size_t last =
            world->faulty ? 1 : 0; /* what fails is tried each second: hours of that are dear */
    uint64_t ms = spans[below(world, WEIR_COUNT(spans) - last)];
    tell(world, "%llu ms pass", (unsigned long long)ms);
    advance(world, ms);
}

static void do_rush(struct world *world)
{
    world->between = 1 + below(world, 8);
    tell(world, "%zu things between commits", world->between);
    do_write(world);
    advance(world, below(world, 5));
    world->between = 0;
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

static void do_power_loss(struct world *world)
{
    if (below(world, 2) == 0) {
        uint64_t nth = 1 + below(world, 30);
        tell(world, "the disk stops at operation %llu", (unsigned long long)nth);
        weir_simulated_disk_crash_at(world->base.disk, nth);
        world->faulty = true;
        for (size_t n = 1 + below(world, 4); n > 0; n--) {
            do_write(world);
            do_rush(world);
        }
    }
    tell(world, "power loss");
    advance(world, 0); /* an engine that is destroyed without being stopped must be at rest */
    note_fault(world);
    engine_world_cut(&world->base);
    mend_disk(world);
    start(world);
}

static void do_fail_disk(struct world *world)
{
    enum weir_disk_operation operation = below(world, 2) == 0 ? WEIR_DISK_WRITE : WEIR_DISK_SYNC;
    uint64_t nth = 1 + below(world, 8);
    tell(world, "%s %llu fails", operation == WEIR_DISK_WRITE ? "write" : "sync",
            (unsigned long long)nth);
    weir_simulated_disk_fail(world->base.disk, operation, nth, WEIR_E_IO);
    world->faulty = true;
    note_fault(world);
}

static void do_fill_disk(struct world *world)
{
    tell(world, "the disk is full");
    weir_simulated_disk_set_free(world->base.disk, below(world, ENGINE_SEGMENT_BYTES));
    world->faulty = true;
    note_fault(world);
}

static void do_mend_disk(struct world *world)
{
    tell(world, "the disk is mended");
    mend_disk(world);
}

static void do_outage(struct world *world)
{
    world->outage = !world->outage;
    tell(world, "the function is %s", world->outage ? "away" : "back");
}

static void do_heal(struct world *world)
{
    world->healed = !world->healed;
    tell(world, "records are %s", world->healed ? "healed" : "poisoned");
}

static void do_rebuild(struct world *world)
{
    struct weir_err err;
    bool prune = below(world, 2) == 0;
    enum weir_rc rc = weir_pipelines_rebuild(
            world->base.engine->pipelines, WEIR_STR("view"), prune, NULL, &err);
    tell(world, "rebuild: %s", rc == WEIR_OK ? "ok" : err.msg);
}

static void do_replay(struct world *world)
{
    bool view = below(world, 2) == 0;
    struct weir_replay replay = {
        .pipeline = view ? WEIR_STR("view") : WEIR_STR("replayed"),
        .from = WEIR_STR("2026-01-01T00:00:00Z"),
        .stale = !view && below(world, 2) == 0,
    };
    struct weir_err err;
    enum weir_rc rc = weir_pipelines_replay(world->base.engine->pipelines, &replay, NULL, &err);
    world->replays += rc == WEIR_OK && !view;
    tell(world, "replay of %s: %s", replay.pipeline.p, rc == WEIR_OK ? "ok" : err.msg);
}

/* All pipelines and targets are there, nothing fails any more, letters are redriven. */
static void do_settle(struct world *world)
{
    tell(world, "settle");
    if (world->partial) {
        stop(world);
        write_yaml(world, true);
        start(world);
    }
    mend_disk(world);
    world->outage = false;
    world->healed = true;
    find_out(world);
    for (enum store store = 0; store < STORES; store++) {
        ask_create(world, store);
    }
    advance(world, SETTLE_MS);
    for (size_t n = 0; count_letters(world) > 0; n++) {
        MUST(world, n < REDRIVES_MAX, "letters are left");
        do_redrive(world);
        advance(world, SETTLE_MS);
    }
    check(world);
    world->healed = false;
}

struct operation {
    size_t weight;
    void (*run)(struct world *world);
};

static const struct operation operations[] = {
    { 30, do_write },
    { 20, do_rush },
    { 20, do_pass },
    { 2, do_drop },
    { 8, do_create },
    { 3, do_make_again },
    { 1, do_purge },
    { 3, do_restart },
    { 4, do_power_loss },
    { 1, do_fail_disk },
    { 1, do_fill_disk },
    { 2, do_mend_disk },
    { 2, do_outage },
    { 3, do_heal },
    { 3, do_redrive },
    { 1, do_skip },
    { 1, do_rebuild },
    { 1, do_replay },
    { 2, do_settle },
};

/* What can be done inside the loop. */
static const struct operation quick_operations[] = {
    { 10, do_write },
    { 2, do_drop },
    { 4, do_create },
    { 4, do_make_again },
    { 1, do_purge },
    { 1, do_outage },
    { 1, do_heal },
    { 1, do_redrive },
    { 1, do_rebuild },
    { 1, do_replay },
};

static void do_one_of(struct world *world, const struct operation *all, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += all[i].weight;
    }
    size_t chosen = below(world, total);
    size_t i = 0;
    while (chosen >= all[i].weight) {
        chosen -= all[i++].weight;
    }
    all[i].run(world);
}

/* Commit what was submitted; something else may happen before, or behind. */
static bool step_store(void *arg)
{
    struct world *world = arg;
    struct weir_store *store = world->base.engine->store;
    if (world->between == 0) {
        return weir_store_step(store);
    }
    bool before = below(world, 2) == 0;
    if (before) {
        world->between--;
        do_one_of(world, quick_operations, WEIR_COUNT(quick_operations));
    }
    bool stepped = weir_store_step(store);
    if (!before && stepped) {
        world->between--;
        do_one_of(world, quick_operations, WEIR_COUNT(quick_operations));
    }
    return stepped;
}

/* --- seeds ---------------------------------------------------------------------------------- */

static void run(uint64_t seed)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    engine_world_init(&world->base, world->yaml, "WEIR_SEED", seed);
    weir_random_seed(&world->random, seed);
    weir_buf_init(&world->story, 1 << 20);
    world->base.network = answer_call;
    world->base.network_arg = world;
    write_yaml(world, true);
    engine_world_must_start(&world->base);
    weir_loop_on_idle(world->base.engine->loop, step_store, world);
    for (enum store store = 0; store < STORES; store++) {
        ask_create(world, store);
    }
    for (size_t i = 0; i < OPERATIONS; i++) {
        do_one_of(world, operations, WEIR_COUNT(operations));
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
        _exit(failed); /* the story stays the last that is said: a world that failed is leaked */
    }
    return 0;
}
