/* debounce on virtual time: bursts, keys, waiting no longer, restarts, failures, and a model. */
#include <stdlib.h>

#include "deferred_world.h"

#define TABLES                                                        \
    "tables:\n"                                                       \
    "  recipes: { key: { id: S }, stream: new_and_old_images }\n"     \
    "  ingredients: { key: { id: S }, stream: new_and_old_images }\n" \
    "  letters: { key: { pipeline: S, sequence: S } }\n"

#define NOTE \
    "      - note: '${burst.key}#${burst.count} ${burst.first.new.n}-${burst.last.new.n}'\n"

static const char plain[] = TABLES "pipelines:\n"
                                   "  analytics:\n"
                                   "    source: { tables: [recipes, ingredients] }\n"
                                   "    steps:\n"
                                   "      - debounce: { period: 10s }\n" NOTE;

static const char keyed[] = TABLES "pipelines:\n"
                                   "  analytics:\n"
                                   "    source: { tables: [recipes], concurrency: 8 }\n"
                                   "    steps:\n"
                                   "      - debounce: { period: 10s, max_wait: 30s, key: "
                                   "'keys.id.substring(0, 1)' }\n" NOTE;

static const char lettered[] = TABLES "pipelines:\n"
                                      "  analytics:\n"
                                      "    source: { tables: [recipes] }\n"
                                      "    retry: { retries: 2, backoff: [1s] }\n"
                                      "    on_failure: { table: letters }\n"
                                      "    steps:\n"
                                      "      - debounce: { period: 10s }\n" NOTE;

static void a_burst_over_two_tables_is_one_run(void **state)
{
    (void)state;
    struct world *world = world_create(plain);
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof(id), "r%d", i % 37);
        put(world, i % 3 == 0 ? "ingredients" : "recipes", id, i);
        advance(world, i % 5);
    }
    int64_t last = weir_clock_wall(&world->clock.base).ms - start.ms - 4;
    advance(world, 9990);
    assert_string_equal(noted(), "");
    advance(world, 20);
    const char *expected =
            weir_arena_printf(&world->arena, "%lld: #1000 0-999\n", (long long)last + 10001).p;
    assert_string_equal(noted(), expected);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), expected);
    world_destroy(world);
}

static void each_key_has_its_own_time(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    put_now(world, "recipes", "a1", 1);
    advance(world, 4000);
    put_now(world, "recipes", "b1", 2);
    put_now(world, "recipes", "b2", 3);
    advance(world, 4000);
    put_now(world, "recipes", "a2", 4);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "14001: b#2 2-3\n18001: a#2 1-4\n");
    world_destroy(world);
}

static void a_burst_without_end_runs_all_the_same(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    for (int i = 0; i < 50; i++) {
        put_now(world, "recipes", "a", i);
        advance(world, 1000);
    }
    advance(world, 20 * 1000);
    /* What is committed when the time is up is part of it. */
    assert_string_equal(noted(), "30001: a#31 0-30\n59001: a#19 31-49\n");
    world_destroy(world);
}

static void what_comes_while_it_runs_begins_another(void **state)
{
    (void)state;
    struct world *world = world_create(plain);
    note_takes_ms = 25 * 1000;
    put_now(world, "recipes", "a", 1);
    advance(world, 12 * 1000);
    assert_string_equal(noted(), "10001: #1 1-1\n");
    put_now(world, "recipes", "a", 2);
    put_now(world, "recipes", "b", 3);
    advance(world, 100 * 1000);
    /* It is due at 22 s, and waits for the one before. */
    assert_string_equal(noted(), "10001: #1 1-1\n35001: #2 2-3\n");
    world_destroy(world);
}

static void what_is_over_while_its_key_runs_goes_on_next(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    note_takes_ms = 20 * 1000;
    put_now(world, "recipes", "a1", 1);
    advance(world, 11 * 1000);
    for (int i = 2; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof(id), "a%d", i);
        put_now(world, "recipes", id, i);
    }
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "10001: a#1 1-1\n30001: a#8 2-9\n");
    world_destroy(world);
}

static void a_restart_does_not_split_it(void **state)
{
    (void)state;
    for (int crash = 0; crash <= 1; crash++) {
        struct world *world = world_create(plain);
        put_now(world, "recipes", "a", 1);
        advance(world, 5000);
        restart(world, crash);
        int64_t now = weir_clock_wall(&world->clock.base).ms - start.ms;
        put_now(world, "ingredients", "b", 2);
        advance(world, 60 * 1000);
        assert_string_equal(noted(),
                weir_arena_printf(&world->arena, "%lld: #2 1-2\n", (long long)now + 10001).p);
        world_destroy(world);
    }
}

static void what_came_due_while_down_runs_once(void **state)
{
    (void)state;
    struct world *world = world_create(plain);
    put_now(world, "recipes", "a", 1);
    put(world, "recipes", "b", 2);
    weir_store_step(world->engine->store); /* committed, not read by the pipeline */
    world_crash(world);
    weir_clock_virtual_advance(&world->clock, 3600 * 1000);
    world_start(world);
    advance(world, 1000);
    int64_t now = weir_clock_wall(&world->clock.base).ms - start.ms - 1000;
    assert_string_equal(
            noted(), weir_arena_printf(&world->arena, "%lld: #2 1-2\n", (long long)now).p);
    restart(world, true);
    advance(world, 3600 * 1000);
    assert_int_equal(strlen(noted()),
            strlen(weir_arena_printf(&world->arena, "%lld: #2 1-2\n", (long long)now).p));
    world_destroy(world);
}

static void a_crash_in_the_middle_of_the_run_repeats_it(void **state)
{
    (void)state;
    struct world *world = world_create(plain);
    note_takes_ms = 5000;
    put_now(world, "recipes", "a", 1);
    advance(world, 12 * 1000);
    restart(world, true);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "10001: #1 1-1\n12000: #1 1-1\n");
    restart(world, true);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "10001: #1 1-1\n12000: #1 1-1\n");
    world_destroy(world);
}

static void a_run_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    note_failures = 2;
    put_now(world, "recipes", "a", 1);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "10001: #1 1-1\n11001: #1 1-1\n12001: #1 1-1\n");
    world_destroy(world);
}

static void a_run_that_is_given_up_is_a_letter(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    note_failures = 3;
    put_now(world, "recipes", "a", 1);
    advance(world, 60 * 1000);
    assert_int_equal(count_items(world, "letters"), 1);
    put_now(world, "recipes", "a", 2);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "10001: #1 1-1\n11001: #1 1-1\n12001: #1 1-1\n70001: #1 2-2\n");
    assert_int_equal(count_items(world, "letters"), 1);
    world_destroy(world);
}

#define LETTERED(place)                                                                   \
    TABLES "queues: { letters: {} }\n"                                                    \
           "pipelines:\n"                                                                 \
           "  analytics:\n"                                                               \
           "    source: { tables: [recipes, ingredients] }\n"                             \
           "    retry: { retries: 0 }\n"                                                  \
           "    on_failure: { " place ": letters }\n"                                     \
           "    steps:\n"                                                                 \
           "      - debounce: { period: 10s, merge: { sum: { sum: new.n }, ids: { last: " \
           "keys.id } } }\n"                                                              \
           "      - note: '${burst.key}#${burst.count} ${burst.first.new.n} "             \
           "${burst.first.at} ${burst.last.new.n} ${burst.last.at} ${burst.since} "       \
           "${burst.due} ${now} ${burst.merged.sum} ${burst.merged.ids}'\n"

/* Whatever it fails of, and wherever its letter is. */
static void a_letter_runs_as_it_did(void **state)
{
    (void)state;
    static const char *const places[] = { LETTERED("table"), LETTERED("queue") };
    for (size_t i = 0; i < WEIR_COUNT(places); i++) {
        struct world *world = world_create(places[i]);
        struct weir_err why;
        note_failures = 2;
        put_now(world, "ingredients", "a", 1);
        advance(world, 1234);
        put_now(world, "recipes", "b", 2);
        advance(world, 60 * 1000);
        const char *first = weir_arena_str(&world->arena, weir_str_z(noted())).p;
        assert_non_null(strstr(first, "11235: #2 1 2026-01-01T00:00:00Z 2 "));
        assert_non_null(strstr(first, " 3 b\n"));
        for (int again = 0; again < 2; again++) { /* the first of which fails, too */
            if (again == 1) {
                restart(world, true);
            }
            weir_buf_reset(&notes);
            assert_int_equal(redrive(world, "analytics", &why), 1);
            advance(world, 60 * 1000);
            assert_string_equal(strchr(noted(), '#'), strchr(first, '#'));
        }
        assert_int_equal(redrive(world, "analytics", &why), 0);
        world_destroy(world);
    }
}

static void a_letter_of_a_step_that_is_gone_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    struct weir_err why;
    note_failures = 3;
    put_now(world, "recipes", "a", 1);
    advance(world, 60 * 1000);
    world_stop(world);
    world->yaml = TABLES "pipelines:\n"
                         "  analytics:\n"
                         "    source: { tables: [recipes] }\n"
                         "    on_failure: { table: letters }\n"
                         "    steps: [note: '${new.n}']\n";
    world_start(world);
    assert_int_equal(redrive(world, "analytics", &why), 0);
    assert_non_null(strstr(why.msg, "step 'debounce' had put off"));
    assert_int_equal(count_items(world, "letters"), 1);
    world_destroy(world);
}

/* --- what an operator sees and does -------------------------------------------------------- */

struct told {
    struct weir_timers_end end;
    enum weir_rc rc;
    bool called;
};

static void ended(struct weir_timers_end *end, enum weir_rc rc, const struct weir_err *err)
{
    struct told *told = WEIR_CONTAINER(end, struct told, end);
    (void)err;
    told->rc = rc;
    told->called = true;
}

/* How many were ended; -1: refused. */
static int end_timers(struct world *world, const char *step, const char *key, bool cancel)
{
    struct told told = { .end = {
                                 .wanted = { WEIR_STR("analytics"), weir_str_z(step),
                                         weir_str_z(key), 0 },
                                 .cancel = cancel,
                                 .ended = ended,
                         } };
    struct weir_err err;
    if (weir_pipelines_end_timers(world->engine->pipelines, &told.end, &err) != WEIR_OK) {
        assert_int_equal(err.code, WEIR_E_NOT_FOUND);
        return -1;
    }
    assert_false(told.called);
    advance(world, 0);
    assert_true(told.called);
    assert_int_equal(told.rc, WEIR_OK);
    return (int)told.end.count;
}

static void an_operator_fires_and_cancels(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    put_now(world, "recipes", "a1", 1);
    put_now(world, "recipes", "b1", 2);
    put_now(world, "recipes", "b2", 3);
    put_now(world, "recipes", "c1", 4);
    assert_string_equal(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("") }),
            "{\"timers\":[\n"
            "{\"kind\":\"run\",\"pipeline\":\"analytics\",\"step\":\"debounce\",\"key\":\"a\","
            "\"count\":1,"
            "\"since\":\"2026-01-01T00:00:00.000Z\",\"due\":\"2026-01-01T00:00:10.000Z\","
            "\"state\":\"pending\"},\n"
            "{\"kind\":\"run\",\"pipeline\":\"analytics\",\"step\":\"debounce\",\"key\":\"b\","
            "\"count\":2,"
            "\"since\":\"2026-01-01T00:00:00.000Z\",\"due\":\"2026-01-01T00:00:10.000Z\","
            "\"state\":\"pending\"},\n"
            "{\"kind\":\"run\",\"pipeline\":\"analytics\",\"step\":\"debounce\",\"key\":\"c\","
            "\"count\":1,"
            "\"since\":\"2026-01-01T00:00:00.000Z\",\"due\":\"2026-01-01T00:00:10.000Z\","
            "\"state\":\"pending\"}],\"more\":false}\n");
    advance(world, 1000);
    assert_int_equal(end_timers(world, "debounce", "b", false), 1);
    assert_string_equal(noted(), "1000: b#2 2-3\n");
    assert_int_equal(end_timers(world, "debounce", "c", true), 1);
    assert_int_equal(end_timers(world, "debounce", "c", true), -1);
    assert_int_equal(end_timers(world, "other", "", false), -1);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "1000: b#2 2-3\n10001: a#1 1-1\n");
    assert_string_equal(
            timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("analytics") }),
            "{\"timers\":[],\"more\":false}\n");
    world_destroy(world);
}

static void what_runs_is_left_alone(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    note_takes_ms = 20 * 1000;
    put_now(world, "recipes", "a1", 1);
    advance(world, 11 * 1000);
    assert_non_null(
            strstr(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("analytics") }),
                    "\"state\":\"running\""));
    assert_int_equal(end_timers(world, "debounce", "a", true), -1);
    for (int i = 2; i < 10; i++) { /* in other lanes, most of them */
        char id[16];
        snprintf(id, sizeof(id), "a%d", i);
        put_now(world, "recipes", id, i);
    }
    assert_int_equal(end_timers(world, "debounce", "a", false), 1);
    assert_non_null(
            strstr(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("analytics") }),
                    "\"state\":\"ready\""));
    assert_int_equal(end_timers(world, "debounce", "", true), 1);
    assert_null(
            strstr(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("analytics") }),
                    "\"state\":\"ready\""));
    advance(world, 8999);
    assert_string_equal(noted(), "10001: a#1 1-1\n");
    world_destroy(world);
}

static void what_has_no_taker_stays_until_it_has(void **state)
{
    (void)state;
    struct world *world = world_create(plain);
    put_now(world, "recipes", "a1", 1);
    world_stop(world);
    world->yaml = TABLES; /* without the pipeline */
    world_start(world);
    advance(world, 3600 * 1000);
    assert_non_null(strstr(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("") }),
            "\"state\":\"detached\""));
    assert_int_equal(end_timers(world, "debounce", "", false), -1);
    world_stop(world);
    world->yaml = plain;
    world_start(world);
    advance(world, 10);
    assert_int_equal(strlen(noted()) > 0, 1);
    put_now(world, "recipes", "a1", 2);
    world_stop(world);
    world->yaml = TABLES;
    world_start(world);
    assert_int_equal(end_timers(world, "debounce", "", true), 1);
    assert_string_equal(timers(world, (struct weir_timers_wanted){ .pipeline = WEIR_STR("") }),
            "{\"timers\":[],\"more\":false}\n");
    world_destroy(world);
}

/* --- many keys ----------------------------------------------------------------------------------
 */

static void many_keys_due_together_all_run(void **state)
{
    enum { KEYS = 10000 }; /* more than are with lanes at a time */
    (void)state;
    struct world *world = world_create(TABLES "pipelines:\n"
                                              "  analytics:\n"
                                              "    source: { tables: [recipes], concurrency: 4 }\n"
                                              "    steps:\n"
                                              "      - debounce: { period: 10s, key: keys.id }\n"
                                              "      - put: { table: ingredients, item: { id: "
                                              "'${burst.key}', n: '${burst.count}' } }\n");
    for (int i = 0; i < 2 * KEYS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "k%d", i % KEYS);
        put(world, "recipes", id, i);
    }
    advance(world, 9999);
    assert_int_equal(count_items(world, "ingredients"), 0);
    advance(world, 1000);
    assert_int_equal(count_items(world, "ingredients"), KEYS);
    world_destroy(world);
}

/* --- against a model ------------------------------------------------------------------------ */

enum { MODEL_KEYS = 5 };

struct model_burst {
    int64_t first;
    int64_t last;
    int count;
};

struct model {
    struct model_burst open[MODEL_KEYS];
    struct weir_buf runs; /* lines as notes have them, without times */
};

static int64_t model_due(const struct model_burst *burst)
{
    int64_t quiet = burst->last + 10 * 1000;
    int64_t patience = burst->first + 30 * 1000;
    return quiet < patience ? quiet : patience;
}

/* Run what is due before a time. */
static void model_pass(struct model *model, int64_t time)
{
    for (;;) {
        int next = -1;
        for (int k = 0; k < MODEL_KEYS; k++) {
            bool due = model->open[k].count > 0 && model_due(&model->open[k]) < time;
            if (due && (next < 0 || model_due(&model->open[k]) < model_due(&model->open[next]))) {
                next = k;
            }
        }
        if (next < 0) {
            return;
        }
        weir_buf_printf(&model->runs, "%c#%d\n", 'a' + next, model->open[next].count);
        model->open[next].count = 0;
    }
}

static void model_add(struct model *model, int key, int64_t time)
{
    struct model_burst *burst = &model->open[key];
    model_pass(model, time);
    burst->first = burst->count == 0 ? time : burst->first;
    burst->last = time;
    burst->count++;
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Lines in the order of their text: runs of different keys are in no order. */
static const char *sorted(struct weir_arena *arena, const char *text, bool times)
{
    char *copy = strdup(text);
    char *rest = copy;
    char *lines[4096];
    size_t count = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (times) {
            strsep(&line, " ");
        }
        for (char *one = strsep(&line, " "); one != NULL; one = strsep(&line, " ")) {
            weir_assert(count < WEIR_COUNT(lines));
            lines[count] = one;
            count += one[0] != '\0';
        }
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    struct weir_str all = WEIR_STR("");
    for (size_t i = 0; i < count; i++) {
        all = weir_arena_printf(arena, "%.*s%s ", WEIR_STR_ARG(all), lines[i]);
    }
    free(copy);
    return all.p;
}

static void random_arrivals(uint64_t seed)
{
    struct world *world = world_create(TABLES
            "pipelines:\n"
            "  analytics:\n"
            "    source: { tables: [recipes, ingredients], concurrency: 8 }\n"
            "    steps:\n"
            "      - debounce: { period: 10s, max_wait: 30s, key: 'keys.id.substring(0, 1)' }\n"
            "      - note: '${burst.key}#${burst.count}'\n");
    struct weir_random random;
    struct model model = { 0 };
    weir_random_seed(&random, seed);
    weir_buf_init(&model.runs, 1 << 20);
    for (int i = 0; i < 300; i++) {
        char id[16];
        int key = (int)weir_random_below(&random, MODEL_KEYS);
        snprintf(id, sizeof(id), "%c%u", 'a' + key, (unsigned)weir_random_below(&random, 9));
        model_add(&model, key, weir_clock_wall(&world->clock.base).ms);
        put(world, weir_random_below(&random, 2) == 0 ? "recipes" : "ingredients", id, i);
        if (weir_random_below(&random, 20) == 0) {
            weir_store_step(world->engine->store); /* committed, and perhaps not read */
            restart(world, weir_random_below(&random, 4) > 0);
        }
        advance(world, 0);
        advance(world,
                weir_random_below(&random, weir_random_below(&random, 4) == 0 ? 15000 : 900));
    }
    advance(world, 60 * 1000);
    model_pass(&model, INT64_MAX);
    weir_buf_byte(&model.runs, '\0');
    const char *expected = sorted(&world->arena, model.runs.p, false);
    const char *got = sorted(&world->arena, noted(), true);
    if (strcmp(expected, got) != 0) {
        fail_msg("seed %llu:\n%s\nbut got\n%s", (unsigned long long)seed, expected, got);
    }
    weir_buf_fini(&model.runs);
    world_destroy(world);
}

static void bursts_are_those_of_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        random_arrivals(seed);
    }
}

/* --- merge ------------------------------------------------------------------------------------ */

static const char merging[] =
        TABLES "pipelines:\n"
               "  analytics:\n"
               "    source: { tables: [recipes, ingredients], concurrency: 16 }\n"
               "    steps:\n"
               "      - let: { twice: '${new.n * decimal(2)}' }\n"
               "      - debounce:\n"
               "          period: 10s\n"
               "          merge:\n"
               "            total: { sum: new.n }\n"
               "            low: { min: new.n }\n"
               "            high: { max: new.n }\n"
               "            begin: { first: keys.id }\n"
               "            end: { last: twice }\n"
               "            ids: { distinct: keys.id }\n"
               "            large: { sum: 'new.n > decimal(90) ? new.n : null' }\n"
               "            never: { last: 'optional.none()' }\n"
               "      - note: '${burst.merged.total} ${burst.merged.low} ${burst.merged.high} "
               "${burst.merged.begin} ${burst.merged.end} ${burst.merged.ids.size()} "
               "${burst.merged.large} ${has(burst.merged.never)}'\n";

static void merged_values_are_those_of_all_records(void **state)
{
    (void)state;
    for (int crash = 0; crash <= 1; crash++) {
        struct world *world = world_create(merging);
        for (int i = 1; i <= 100; i++) {
            char id[16];
            snprintf(id, sizeof(id), "r%d", i % 7);
            put(world, i % 3 == 0 ? "ingredients" : "recipes", id, i * 37 % 101);
            advance(world, 20);
            if (i == 50) {
                restart(world, crash != 0);
            }
        }
        advance(world, 60 * 1000);
        /* All of 1 to 100; the last is 100 * 37 % 101 = 64, and 91 to 100 are large. */
        const char *texts = strchr(noted(), ' ') + 1;
        assert_string_equal(texts, "5050 1 100 r1 128 7 955 false\n");
        put_now(world, "recipes", "a", 5);
        advance(world, 60 * 1000);
        assert_non_null(strstr(noted(), " 5 5 5 a 10 1 0 false\n"));
        world_destroy(world);
    }
}

static void a_burst_that_cannot_merge_more_goes_on_at_once(void **state)
{
    (void)state;
    struct world *world = world_create(
            TABLES "pipelines:\n"
                   "  analytics:\n"
                   "    source: { tables: [recipes] }\n"
                   "    steps:\n"
                   "      - debounce: { period: 10s, merge: { ids: { distinct: keys.id } } }\n"
                   "      - note: '${burst.count} ${burst.merged.ids.size()}'\n");
    for (int i = 0; i < 1500; i++) {
        char id[16];
        snprintf(id, sizeof(id), "r%d", i);
        put(world, "recipes", id, i);
    }
    advance(world, 1000);
    const char *texts = strchr(noted(), ' ') + 1;
    assert_string_equal(texts, "1000 1000\n");
    advance(world, 60 * 1000);
    assert_non_null(strstr(noted(), " 500 500\n"));
    world_destroy(world);
}

static void a_record_that_cannot_be_merged_is_a_letter(void **state)
{
    (void)state;
    struct world *world = world_create(
            TABLES "pipelines:\n"
                   "  analytics:\n"
                   "    source: { tables: [recipes] }\n"
                   "    on_failure: { table: letters }\n"
                   "    steps:\n"
                   "      - debounce: { period: 10s, merge: { n: { sum: 'new.n > decimal(1) ? "
                   "keys.id : new.n' } } }\n"
                   "      - note: '${burst.count} ${burst.merged.n}'\n");
    put_now(world, "recipes", "a", 1);
    put_now(world, "recipes", "b", 2);
    advance(world, 60 * 1000);
    assert_string_equal(strchr(noted(), ' ') + 1, "1 1\n");
    assert_int_equal(count_items(world, "letters"), 1);
    world_destroy(world);
}

static void what_is_wrong_with_a_merge_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *steps;
        const char *why;
    } cases[] = {
        { "[{ debounce: { period: 1s, merge: 3 } }]", "merge is a map of fields" },
        { "[{ debounce: { period: 1s, merge: { a: new.n } } }]", "'a' needs one of first" },
        { "[{ debounce: { period: 1s, merge: { a: { middle: new.n } } } }]", "'a' needs one of" },
        { "[{ debounce: { period: 1s, merge: { a: { sum: nothing } } } }]", "'nothing'" },
        { "[{ let: { x: '${new.n}' } }, { debounce: { period: 1s } }, { log: '${x}' }]",
                "'x' is not known here: behind a debounce" },
        { "[{ map: { id: '${keys.id}' } }, { debounce: { period: 1s } }, { put: { table: letters } "
          "}]",
                "put needs `item` here" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_diagnostics diagnostics;
        struct weir_config *config = NULL;
        struct weir_err err = { 0 };
        char yaml[1024];
        snprintf(yaml, sizeof(yaml),
                TABLES "pipelines:\n  p: { source: { table: recipes }, steps: %s }\n",
                cases[i].steps);
        weir_diagnostics_init(&diagnostics, "weir.yaml");
        enum weir_rc rc = weir_config_parse(
                weir_str_z(yaml), weir_step_kinds_all(), &diagnostics, &config, &err);
        bool refused = rc != WEIR_OK && diagnostics.errors > 0;
        if (!refused || strstr(diagnostics.all[0].text, cases[i].why) == NULL) {
            fail_msg("%s: %s", cases[i].steps,
                    diagnostics.count > 0 ? diagnostics.all[0].text : "nothing");
        }
        weir_config_destroy(config);
        weir_diagnostics_fini(&diagnostics);
    }
    /* A map behind it has its item. */
    world_destroy(
            world_create(TABLES "pipelines:\n"
                                "  p:\n"
                                "    source: { table: recipes }\n"
                                "    steps:\n"
                                "      - debounce: { period: 1s }\n"
                                "      - map: { pipeline: '${keys.id}', sequence: '${event}' }\n"
                                "      - log: '${item.pipeline}'\n"
                                "      - put: { table: letters }\n"));
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_over_two_tables_is_one_run),
        cmocka_unit_test(each_key_has_its_own_time),
        cmocka_unit_test(a_burst_without_end_runs_all_the_same),
        cmocka_unit_test(what_comes_while_it_runs_begins_another),
        cmocka_unit_test(what_is_over_while_its_key_runs_goes_on_next),
        cmocka_unit_test(a_restart_does_not_split_it),
        cmocka_unit_test(what_came_due_while_down_runs_once),
        cmocka_unit_test(a_crash_in_the_middle_of_the_run_repeats_it),
        cmocka_unit_test(a_run_that_fails_is_tried_again),
        cmocka_unit_test(a_run_that_is_given_up_is_a_letter),
        cmocka_unit_test(a_letter_runs_as_it_did),
        cmocka_unit_test(a_letter_of_a_step_that_is_gone_is_refused),
        cmocka_unit_test(an_operator_fires_and_cancels),
        cmocka_unit_test(what_runs_is_left_alone),
        cmocka_unit_test(what_has_no_taker_stays_until_it_has),
        cmocka_unit_test(many_keys_due_together_all_run),
        cmocka_unit_test(bursts_are_those_of_a_model),
        cmocka_unit_test(merged_values_are_those_of_all_records),
        cmocka_unit_test(a_burst_that_cannot_merge_more_goes_on_at_once),
        cmocka_unit_test(a_record_that_cannot_be_merged_is_a_letter),
        cmocka_unit_test(what_is_wrong_with_a_merge_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
