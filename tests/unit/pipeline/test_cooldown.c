/* cooldown on virtual time: leading, trailing and both; keys, lanes, restarts, failures. */
#include <stdlib.h>

#include "deferred_world.h"

#define TABLES                                                     \
    "tables:\n"                                                    \
    "  readings: { key: { id: S }, stream: new_and_old_images }\n" \
    "  letters: { key: { pipeline: S, sequence: S } }\n"           \
    "pipelines:\n"                                                 \
    "  analysis:\n"

#define NOTE "      - note: '${held.key}#${held.count} ${new.n}'\n"

static const char leading[] = TABLES "    source: { table: readings }\n"
                                     "    steps:\n"
                                     "      - cooldown: { period: 60s }\n" NOTE;

static const char trailing[] = TABLES "    source: { table: readings }\n"
                                      "    steps:\n"
                                      "      - cooldown: { period: 60s, trailing: true }\n" NOTE;

static const char throttle[] =
        TABLES "    source: { table: readings }\n"
               "    steps:\n"
               "      - cooldown: { period: 60s, leading: false, trailing: true }\n" NOTE;

static const char keyed[] = TABLES
        "    source: { table: readings, concurrency: 8 }\n"
        "    steps:\n"
        "      - cooldown: { period: 60s, trailing: true, key: 'keys.id.substring(0, 1)' }\n" NOTE;

static const char lettered[] = TABLES "    source: { table: readings, concurrency: 8 }\n"
                                      "    retry: { retries: 1, backoff: [5s] }\n"
                                      "    on_failure: { table: letters }\n"
                                      "    steps:\n"
                                      "      - cooldown: { period: 60s }\n" NOTE;

static void events_inside_the_period_are_dropped(void **state)
{
    (void)state;
    struct world *world = world_create(leading);
    put_now(world, "readings", "a", 1);
    advance(world, 30 * 1000);
    put_now(world, "readings", "b", 2);
    advance(world, 29 * 1000 + 999);
    put_now(world, "readings", "c", 3);
    advance(world, 1);
    put_now(world, "readings", "d", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n60000: #0 4\n");
    world_destroy(world);
}

static void the_period_begins_when_the_run_ends(void **state)
{
    (void)state;
    struct world *world = world_create(leading);
    note_takes_ms = 20 * 1000;
    put_now(world, "readings", "a", 1);
    advance(world, 70 * 1000); /* the run ended at 20 s */
    put_now(world, "readings", "a", 2);
    advance(world, 15 * 1000);
    put_now(world, "readings", "a", 3);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n85000: #0 3\n");
    world_destroy(world);
}

static void one_goes_on_for_those_held_back(void **state)
{
    (void)state;
    struct world *world = world_create(trailing);
    put_now(world, "readings", "a", 1);
    advance(world, 10 * 1000);
    put_now(world, "readings", "b", 2);
    advance(world, 10 * 1000);
    put_now(world, "readings", "c", 3);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n60001: #2 3\n");
    put_now(world, "readings", "d", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n60001: #2 3\n3620000: #0 4\n");
    world_destroy(world);
}

static void a_trailing_run_begins_a_period_too(void **state)
{
    (void)state;
    struct world *world = world_create(trailing);
    for (int i = 0; i < 30; i++) {
        put_now(world, "readings", "a", i);
        advance(world, 10 * 1000);
    }
    advance(world, 3600 * 1000);
    /* 30 events, and each of them is in some run */
    assert_string_equal(noted(),
            "0: #0 0\n60001: #6 6\n120002: #6 12\n180003: #6 18\n240004: #6 24\n300005: #5 29\n");
    size_t held = 0;
    for (const char *at = strchr(noted(), '#'); at != NULL; at = strchr(at + 1, '#')) {
        held += strtoul(at + 1, NULL, 10);
    }
    assert_int_equal(held, 29);
    world_destroy(world);
}

static void without_leading_the_first_waits_as_well(void **state)
{
    (void)state;
    struct world *world = world_create(throttle);
    put_now(world, "readings", "a", 1);
    advance(world, 10 * 1000);
    put_now(world, "readings", "a", 2);
    advance(world, 3600 * 1000);
    put_now(world, "readings", "a", 3);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "60001: #2 2\n3670001: #1 3\n");
    world_destroy(world);
}

static void a_batch_has_one_event_of_a_key(void **state)
{
    (void)state;
    struct world *world = world_create(keyed);
    put(world, "readings", "a1", 1);
    put(world, "readings", "a2", 2);
    put(world, "readings", "b1", 3);
    put(world, "readings", "a3", 4);
    advance(world, 1000);
    size_t runs = 0;
    for (const char *at = strchr(noted(), '#'); at != NULL; at = strchr(at + 1, '#')) {
        runs++;
    }
    assert_int_equal(runs, 2);
    advance(world, 3600 * 1000);
    assert_non_null(strstr(noted(), "60001: a#2 "));
    assert_null(strstr(noted(), "b#1"));
    world_destroy(world);
}

/* Eight lanes have events of one key while the first run takes its time. */
static void lanes_wait_for_a_run_of_their_key(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    note_takes_ms = 10 * 1000;
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof(id), "r%d", i);
        put(world, "readings", id, i);
    }
    advance(world, 1000);
    const char *first = noted();
    assert_string_equal(first + strlen(first) - 1, "\n");
    assert_ptr_equal(strchr(first, '\n'), first + strlen(first) - 1); /* one line */
    size_t n = strlen(first);
    advance(world, 3600 * 1000);
    assert_int_equal(strlen(noted()), n);
    world_destroy(world);
}

static void a_run_that_fails_begins_no_period(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    note_failures = 2;
    put_now(world, "readings", "a", 1);
    advance(world, 10 * 1000);
    put_now(world, "readings", "b", 2);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n5000: #0 1\n10000: #0 2\n");
    world_destroy(world);
}

/* Its letter is redriven inside a period, and waits with what comes meanwhile. */
static void a_letter_of_a_trailing_run_counts_what_it_did(void **state)
{
    (void)state;
    struct world *world =
            world_create(TABLES "    source: { table: readings }\n"
                                "    retry: { retries: 0 }\n"
                                "    on_failure: { table: letters }\n"
                                "    steps:\n"
                                "      - cooldown: { period: 60s, trailing: true }\n" NOTE);
    struct weir_err why;
    put_now(world, "readings", "a", 1);
    advance(world, 10 * 1000);
    put_now(world, "readings", "b", 2);
    put_now(world, "readings", "c", 3);
    note_failures = 1;
    advance(world, 190 * 1000);
    put_now(world, "readings", "d", 4);
    advance(world, 10 * 1000);
    assert_int_equal(count_items(world, "letters"), 1);
    assert_int_equal(redrive(world, "analysis", &why), 1);
    assert_int_equal(count_items(world, "letters"), 0);
    put_now(world, "readings", "e", 5);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n60001: #2 3\n200000: #1 4\n260001: #3 5\n");
    world_destroy(world);
}

/* While a lane pauses after a failure another one may run; then the first is inside the period. */
static void a_retry_inside_the_period_does_not_run(void **state)
{
    (void)state;
    struct world *world = world_create(lettered);
    note_failures = 1;
    put_now(world, "readings", "a", 1);
    advance(world, 2000);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof(id), "r%d", i);
        put_now(world, "readings", id, 100);
    }
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: #0 1\n2000: #0 100\n");
    world_destroy(world);
}

static void it_outlives_a_restart(void **state)
{
    (void)state;
    for (int crash = 0; crash <= 1; crash++) {
        struct world *world = world_create(trailing);
        put_now(world, "readings", "a", 1);
        advance(world, 10 * 1000);
        put_now(world, "readings", "b", 2);
        restart(world, crash != 0);
        put_now(world, "readings", "c", 3);
        advance(world, 3600 * 1000);
        assert_string_equal(noted(), "0: #0 1\n60001: #2 3\n");
        world_destroy(world);
    }
}

static void what_it_remembers_goes_with_the_period(void **state)
{
    (void)state;
    struct world *world = world_create(trailing);
    put_now(world, "readings", "a", 1);
    put_now(world, "readings", "a", 2);
    advance(world, 200 * 1000);
    const uint32_t spaces[] = { WEIR_SPACE_STATE, WEIR_SPACE_DEFERRED, WEIR_SPACE_TIMER };
    for (size_t i = 0; i < WEIR_COUNT(spaces); i++) {
        struct weir_cursor *cursor = weir_cursor_create(world->engine->store, spaces[i]);
        struct weir_str key;
        struct weir_entry entry;
        struct weir_err err;
        bool have = true;
        weir_cursor_first(cursor);
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
        assert_false(have);
        weir_cursor_destroy(cursor);
    }
    world_destroy(world);
}

int main(void)
{
    weir_logline_setup(WEIR_LOG_ERROR, false, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_inside_the_period_are_dropped),
        cmocka_unit_test(the_period_begins_when_the_run_ends),
        cmocka_unit_test(one_goes_on_for_those_held_back),
        cmocka_unit_test(a_trailing_run_begins_a_period_too),
        cmocka_unit_test(without_leading_the_first_waits_as_well),
        cmocka_unit_test(a_batch_has_one_event_of_a_key),
        cmocka_unit_test(lanes_wait_for_a_run_of_their_key),
        cmocka_unit_test(a_run_that_fails_begins_no_period),
        cmocka_unit_test(a_letter_of_a_trailing_run_counts_what_it_did),
        cmocka_unit_test(a_retry_inside_the_period_does_not_run),
        cmocka_unit_test(it_outlives_a_restart),
        cmocka_unit_test(what_it_remembers_goes_with_the_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
