/* Tumbling windows on virtual time: what the function sees of them, failures, restarts, a model. */
#include <stdlib.h>

#include "deferred_world.h"

#define TABLES                                                     \
    "tables:\n"                                                    \
    "  orders: { key: { id: S }, stream: new_image, shards: 1 }\n" \
    "  wide: { key: { id: S }, stream: new_image, shards: 4 }\n"   \
    "  letters: { key: { pipeline: S, sequence: S } }\n"           \
    "functions:\n"                                                 \
    "  sum: { url: 'http://127.0.0.1:1/', timeout: 5m }\n"         \
    "pipelines:\n"                                                 \
    "  sums:\n"                                                    \
    "    on_failure: { table: letters }\n"

#define RETRIES(n) "    retry: { retries: " n ", backoff: [1s] }\n"

static const char plain[] =
        TABLES RETRIES("1") "    source: { table: orders }\n"
                            "    steps: [invoke: { function: sum, window: 1m }]\n";

static const char wide[] =
        TABLES RETRIES("1") "    source: { table: wide }\n"
                            "    steps: [invoke: { function: sum, window: 1m }]\n";

/* --- the function ----------------------------------------------------------------------------- */

/* What the next invocations do; they add up `n`, and note what they got. */
static struct {
    uint64_t takes_ms;
    int fail;      /* so many fail */
    int fail_ends; /* so many ends of windows fail */
    bool fail_for_good;
    const char *answer; /* not NULL: instead of a right one */
    size_t padding;     /* bytes more of the state */
    const char *failed_id;
} call;

static struct weir_arena call_arena;

static struct weir_expr_value member(struct weir_expr_value of, const char *name)
{
    return weir_expr_get(&of, weir_str_z(name));
}

static struct weir_str text_of(struct weir_expr_value value)
{
    assert_int_equal(value.kind, WEIR_EXPR_STRING);
    return value.as.str;
}

static int64_t number_of(struct weir_expr_value value)
{
    struct weir_str text;
    struct weir_err err;
    if (value.kind == WEIR_EXPR_ABSENT) {
        return 0;
    }
    must(weir_expr_text(&call_arena, &value, &text, &err), &err);
    return strtoll(weir_arena_str(&call_arena, text).p, NULL, 10);
}

static bool is_true(struct weir_expr_value value)
{
    assert_int_equal(value.kind, WEIR_EXPR_BOOL);
    return value.as.boolean;
}

/* The sum of the records' numbers; notes their ids. failed: the one that is not to be done. */
static int64_t add_up(struct weir_expr_value records, struct weir_str *ret_failed)
{
    int64_t sum = 0;
    for (size_t i = 0; i < weir_expr_count(&records); i++) {
        struct weir_expr_value record = member(weir_expr_at(&records, i), "dynamodb");
        struct weir_expr_value image = member(record, "NewImage");
        struct weir_str id = text_of(member(member(image, "id"), "S"));
        weir_buf_printf(&notes, " %.*s", WEIR_STR_ARG(id));
        if (call.failed_id != NULL && weir_str_eq(id, weir_str_z(call.failed_id))) {
            *ret_failed = text_of(member(record, "SequenceNumber"));
            return sum;
        }
        struct weir_str n = text_of(member(member(image, "n"), "N"));
        sum += strtoll(weir_arena_str(&call_arena, n).p, NULL, 10);
    }
    return sum;
}

static struct weir_str answer_of(int64_t sum, struct weir_str failed)
{
    char *padding = weir_arena_zero(&call_arena, call.padding + 1, 1);
    memset(padding, 'x', call.padding);
    return weir_arena_printf(&call_arena,
            "{\"state\": {\"n\": %lld, \"padding\": \"%s\"}, \"batchItemFailures\": [%s%.*s%s]}",
            (long long)sum, padding, failed.n > 0 ? "{\"itemIdentifier\":\"" : "",
            WEIR_STR_ARG(failed), failed.n > 0 ? "\"}" : "");
}

/* Notes `MS: minute of the window, state + ids [= END] [early] [fails]`. */
static struct weir_stand_in sum(void *arg, const struct weir_function_model *model,
        const struct weir_invocation *invocation)
{
    struct weir_expr_value event;
    struct weir_err err;
    struct weir_time begin;
    (void)arg;
    (void)model;
    must(weir_expr_read_json(invocation->payload, &call_arena, &event, &err), &err);
    bool final = is_true(member(event, "isFinalInvokeForWindow"));
    assert_true(weir_time_parse(text_of(member(member(event, "window"), "start")), &begin));
    int64_t n = number_of(member(member(event, "state"), "n"));
    struct weir_str failed = { 0 };
    struct weir_stand_in reply = { .takes_ms = call.takes_ms };
    weir_buf_printf(&notes, "%lld: %lld, %lld%s",
            (long long)(weir_clock_wall(note_clock).ms - start.ms),
            (long long)(begin.ms - start.ms) / 60000, (long long)n, final ? " end" : " +");
    n += add_up(member(event, "Records"), &failed);
    weir_buf_z(&notes, is_true(member(event, "isWindowTerminatedEarly")) ? " early" : "");
    int *failures = final ? &call.fail_ends : &call.fail;
    if (*failures > 0) {
        (*failures)--;
        reply.outcome = call.fail_for_good ? WEIR_FUNCTION_FINAL : WEIR_FUNCTION_ERROR;
        reply.message = WEIR_STR("it was told to fail");
        weir_buf_z(&notes, " fails");
    } else {
        reply.response = call.answer != NULL ? weir_str_z(call.answer) : answer_of(n, failed);
    }
    weir_buf_byte(&notes, '\n');
    return reply;
}

static struct world *begin(const char *yaml)
{
    call = (__typeof__(call)){ 0 };
    weir_arena_init(&call_arena);
    world_stand_in = sum;
    return world_create(yaml);
}

static void end(struct world *world)
{
    world_destroy(world);
    weir_arena_fini(&call_arena);
}

/* Windows that are open, as stored. */
static size_t count_open(struct world *world)
{
    struct weir_cursor *cursor = weir_cursor_create(world->engine->store, WEIR_SPACE_WINDOW);
    struct weir_str key;
    struct weir_entry entry;
    struct weir_err err;
    bool have = false;
    size_t count = 0;
    weir_cursor_first(cursor);
    must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
    for (; have; count++) {
        weir_cursor_next(cursor);
        must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
    }
    weir_cursor_destroy(cursor);
    return count;
}

/* --- what the function sees --------------------------------------------------------------------
 */

static void a_state_is_carried_and_the_end_is_told(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    advance(world, 10 * 1000);
    put_now(world, "orders", "b", 2);
    advance(world, 45 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n10000: 0, 1 + b\n");
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n10000: 0, 1 + b\n60000: 0, 3 end\n");
    put_now(world, "orders", "c", 4);
    assert_non_null(strstr(noted(), "60000: 0, 3 end\n3655000: 60, 0 + c\n"));
    end(world);
}

/* A record of the next window comes behind the end of the one before, however slow that is. */
/* --- what an operator sees ------------------------------------------------------------------ */

static void open_windows_are_listed_and_end_by_themselves(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    struct weir_timers_wanted all = { .limit = 0 };
    const char window[] =
            "{\"timers\":[\n{\"kind\":\"window\",\"pipeline\":\"sums\",\"step\":\"invoke\","
            "\"key\":\"orders/0\",\"since\":\"2026-01-01T00:00:00.000Z\","
            "\"due\":\"2026-01-01T00:01:00.000Z\",\"state\":\"%s\"}],\"more\":false}\n";
    assert_string_equal(timers(world, all), "{\"timers\":[],\"more\":false}\n");
    put_now(world, "orders", "a", 1);
    advance(world, 1000);
    const char *pending = weir_arena_printf(&world->arena, window, "pending").p;
    assert_string_equal(timers(world, all), pending);
    all = (struct weir_timers_wanted){ WEIR_STR("sums"), WEIR_STR("invoke"), WEIR_STR("orders/0"),
        1 };
    assert_string_equal(timers(world, all), pending);
    all.key = WEIR_STR("orders/1");
    assert_string_equal(timers(world, all), "{\"timers\":[],\"more\":false}\n");
    for (int cancel = 0; cancel <= 1; cancel++) {
        struct weir_timers_end ending = { .wanted = all, .cancel = cancel != 0 };
        struct weir_err err;
        assert_int_equal(
                weir_pipelines_end_timers(world->engine->pipelines, &ending, &err), WEIR_E_INVALID);
        assert_non_null(strstr(err.msg, "step 'invoke' of pipeline 'sums' has windows"));
    }
    call.takes_ms = 5000;
    advance(world, 61 * 1000);
    all = (struct weir_timers_wanted){ .limit = 1 };
    assert_string_equal(timers(world, all), weir_arena_printf(&world->arena, window, "running").p);
    advance(world, 60 * 1000);
    assert_string_equal(timers(world, all), "{\"timers\":[],\"more\":false}\n");
    end(world);
}

static void nothing_passes_the_end(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    call.takes_ms = 40 * 1000;
    put_now(world, "orders", "a", 1);
    advance(world, 50 * 1000);
    put_now(world, "orders", "b", 2); /* is worked on when the minute is over */
    advance(world, 15 * 1000);
    put_now(world, "orders", "c", 4);
    advance(world, 20 * 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n50000: 0, 1 + b\n90000: 0, 3 end\n"
                                 "130000: 1, 0 + c\n170000: 1, 4 end\n");
    end(world);
}

static void a_record_on_the_border_is_of_the_next_window(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put(world, "orders", "a", 1);
    advance(world, 59999);
    put_now(world, "orders", "b", 2);
    put(world, "orders", "c", 4);
    advance(world, 1);
    put_now(world, "orders", "d", 8);
    advance(world, 10 * 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n59999: 0, 1 + b\n59999: 0, 3 + c\n"
                                 "60000: 0, 7 end\n60000: 1, 0 + d\n120000: 1, 8 end\n");
    end(world);
}

/* Also when it is read before the window has ended. */
static void a_record_on_the_border_waits_for_the_end(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    advance(world, 58 * 1000);
    call.takes_ms = 5000;
    put_now(world, "orders", "b", 2);
    advance(world, 1999);
    put_now(world, "orders", "c", 4);
    put(world, "orders", "d", 8);
    weir_clock_virtual_advance(&world->clock, 1);
    put_now(world, "orders", "e", 16);
    advance(world, 10 * 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n58000: 0, 1 + b\n63000: 0, 3 + c\n"
                                 "68000: 0, 7 end\n73000: 1, 0 + d e\n120000: 1, 24 end\n");
    end(world);
}

static void a_batch_is_of_one_window(void **state)
{
    (void)state;
    static const char waits[] =
            TABLES RETRIES("1") "    source: { table: orders, window: 5m }\n"
                                "    steps: [invoke: { function: sum, window: 1m }]\n";
    struct world *world = begin(waits);
    put_now(world, "orders", "a", 1);
    put_now(world, "orders", "b", 2);
    advance(world, 60 * 1000);
    put_now(world, "orders", "c", 4);
    advance(world, 3600 * 1000);
    /* A batch does not wait for records when its window cannot have more. */
    assert_string_equal(noted(), "60000: 0, 0 + a b\n60000: 0, 3 end\n"
                                 "120000: 1, 0 + c\n120000: 1, 4 end\n");
    end(world);
}

static void shards_have_windows_of_their_own(void **state)
{
    (void)state;
    struct world *world = begin(wide);
    int64_t sums = 0;
    int ends = 0;
    for (int i = 0; i < 40; i++) {
        char id[16];
        snprintf(id, sizeof(id), "i%d", i);
        put_now(world, "wide", id, 1 << (i % 8));
        advance(world, 1000);
    }
    advance(world, 60 * 1000);
    for (const char *at = noted(); (at = strstr(at, " end")) != NULL; at++) {
        const char *comma = at;
        while (*comma != ',') {
            comma--;
        }
        sums += strtoll(comma + 1, NULL, 10);
        ends++;
    }
    assert_int_equal(ends, 4);
    assert_int_equal(sums, 5 * 255);
    end(world);
}

/* --- restarts -------------------------------------------------------------------------------- */

static void a_restart_loses_no_window(void **state)
{
    (void)state;
    for (int crash = 0; crash <= 1; crash++) {
        struct world *world = begin(plain);
        put_now(world, "orders", "a", 1);
        restart(world, crash);
        put_now(world, "orders", "b", 2);
        restart(world, crash);
        advance(world, 60 * 1000);
        assert_non_null(strstr(noted(), ": 0, 1 + b\n60000: 0, 3 end\n"));
        size_t length = strlen(noted());
        restart(world, crash);
        advance(world, 3600 * 1000);
        assert_int_equal(strlen(noted()), length);
        end(world);
    }
}

/* What is over while weir is down ends once, behind the records that it still gets. */
static void what_ends_while_down_ends_once(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    put(world, "orders", "b", 2);
    weir_store_step(world->engine->store); /* committed, not read by the pipeline */
    world_crash(world);
    weir_clock_virtual_advance(&world->clock, 3600 * 1000);
    world_start(world);
    put_now(world, "orders", "c", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n3600000: 0, 1 + b\n3600000: 0, 3 end\n"
                                 "3600000: 60, 0 + c\n3660000: 60, 4 end\n");
    end(world);
}

static void a_crash_in_the_middle_of_an_end_repeats_it(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    advance(world, 59 * 1000);
    call.takes_ms = 5000;
    advance(world, 3 * 1000);
    restart(world, true);
    advance(world, 60 * 1000);
    restart(world, true);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end\n62000: 0, 1 end\n");
    end(world);
}

static void another_length_is_for_windows_that_begin(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    world->yaml = TABLES RETRIES("1") "    source: { table: orders }\n"
                                      "    steps: [invoke: { function: sum, window: 2m }]\n";
    restart(world, true);
    put_now(world, "orders", "b", 2);
    advance(world, 61 * 1000);
    put_now(world, "orders", "c", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n0: 0, 1 + b\n60000: 0, 3 end\n"
                                 "61000: 0, 0 + c\n120000: 0, 4 end\n");
    end(world);
}

/* --- failures -------------------------------------------------------------------------------- */

/* The state is what the last success answered. */
static void a_batch_that_fails_leaves_the_state(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    call.fail = 1;
    put_now(world, "orders", "b", 2);
    advance(world, 5000);
    call.fail = 2;
    put_now(world, "orders", "c", 4); /* is given up */
    advance(world, 5000);
    put_now(world, "orders", "d", 8);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n0: 0, 1 + b fails\n1000: 0, 1 + b\n"
                                 "5000: 0, 3 + c fails\n6000: 0, 3 + c fails\n10000: 0, 3 + d\n"
                                 "60000: 0, 11 end\n");
    assert_int_equal(count_items(world, "letters"), 1);
    end(world);
}

static void an_answer_without_state_is_a_failure(void **state)
{
    (void)state;
    static const char *const answers[] = { "{}", "null", "[]", "\"state\"", "{\"state\":null}",
        "{\"state\":7}", "{\"state\":[]}", "{\"State\":{}}", "{\"state\":{}", "{\"state\":{}} x",
        "" };
    for (size_t i = 0; i < WEIR_COUNT(answers); i++) {
        struct world *world = begin(plain);
        call.answer = answers[i];
        put_now(world, "orders", "a", 1);
        advance(world, 5000);
        assert_string_equal(noted(), "0: 0, 0 + a\n1000: 0, 0 + a\n");
        assert_int_equal(count_items(world, "letters"), 1);
        call.answer = NULL;
        advance(world, 3600 * 1000); /* nothing was answered: no window was begun, none ends */
        assert_string_equal(noted(), "0: 0, 0 + a\n1000: 0, 0 + a\n");
        end(world);
    }
}

/* The end is tried until it succeeds, and blocks the shard meanwhile: no retry is used. */
static void an_end_that_fails_blocks_its_shard(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    call.fail_ends = 5;
    advance(world, 60 * 1000 + 50);
    put_now(world, "orders", "b", 2);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end fails\n60100: 0, 1 end fails\n"
                                 "60300: 0, 1 end fails\n60700: 0, 1 end fails\n"
                                 "61500: 0, 1 end fails\n63100: 0, 1 end\n63100: 1, 0 + b\n"
                                 "120000: 1, 2 end\n");
    assert_int_equal(count_items(world, "letters"), 0);
    end(world);
}

/* Also one that a function cannot ever take. */
static void an_end_that_is_refused_is_tried_again(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    call.fail_ends = 1;
    call.fail_for_good = true;
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end fails\n60100: 0, 1 end\n");
    end(world);
}

static void a_state_that_is_too_large_ends_its_window_early(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    put_now(world, "orders", "a", 1);
    call.padding = WEIR_WINDOW_STATE_MAX;
    put_now(world, "orders", "b", 2);
    call.padding = 0;
    restart(world, true);
    advance(world, 10 * 1000);
    put_now(world, "orders", "c", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n0: 0, 1 + b\n0: 0, 3 end early\n"
                                 "10000: 0, 0 + c\n60000: 0, 4 end\n");
    end(world);
}

static void what_comes_before_a_failure_is_in_the_state(void **state)
{
    (void)state;
    static const char reports[] = TABLES RETRIES(
            "1") "    source: { table: orders, window: 1s }\n"
                 "    steps: [invoke: { function: sum, window: 1m, report_failures: true }]\n";
    struct world *world = begin(reports);
    call.failed_id = "c";
    put_now(world, "orders", "a", 1);
    put_now(world, "orders", "b", 2);
    put_now(world, "orders", "c", 4);
    put_now(world, "orders", "d", 8);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "1000: 0, 0 + a b c\n2000: 0, 3 + c\n2000: 0, 3 + d\n"
                                 "60000: 0, 11 end\n");
    assert_int_equal(count_items(world, "letters"), 1);
    end(world);
}

/* How often it was tried is not forgotten by an end that comes in between. */
static void what_fails_before_an_early_end_is_given_up_in_time(void **state)
{
    (void)state;
    static const char reports[] = TABLES RETRIES(
            "1") "    source: { table: orders, window: 1s }\n"
                 "    steps: [invoke: { function: sum, window: 1m, report_failures: true }]\n";
    for (int crash = 0; crash <= 1; crash++) {
        struct world *world = begin(reports);
        call.failed_id = "b";
        call.padding = WEIR_WINDOW_STATE_MAX;
        put_now(world, "orders", "a", 1);
        put_now(world, "orders", "b", 2);
        advance(world, 1500);
        call.padding = 0;
        call.takes_ms = crash != 0 ? 300 : 0;
        advance(world, 1000);
        if (crash != 0) { /* while b is asked about behind the end */
            restart(world, true);
        }
        advance(world, 3600 * 1000);
        assert_string_equal(
                noted(), crash == 0 ? "1000: 0, 0 + a b\n2000: 0, 1 end early\n2000: 0, 0 + b\n"
                                    : "1000: 0, 0 + a b\n2000: 0, 1 end early\n2300: 0, 0 + b\n"
                                      "3500: 0, 0 + b\n");
        assert_int_equal(count_items(world, "letters"), 1);
        end(world);
    }
}

/* --- later steps ------------------------------------------------------------------------------ */

/* A step behind it that is blocked does not have the function asked again. */
static void the_answer_to_an_end_goes_on(void **state)
{
    (void)state;
    static const char goes_on[] = TABLES RETRIES(
            "1") "    source: { table: orders }\n"
                 "    steps:\n"
                 "      - invoke: { function: sum, window: 1m, result: answer }\n"
                 "      - each: { in: 'event == \"WINDOW\" ? [answer.state.n] : []', as: n }\n"
                 "      - note: '${event} ${n} ${size(keys)}'\n";
    struct world *world = begin(goes_on);
    put_now(world, "orders", "a", 1);
    put_now(world, "orders", "b", 2);
    note_failures = 1;
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n0: 0, 1 + b\n60000: 0, 3 end\n"
                                 "60000: WINDOW 3 0\n60100: WINDOW 3 0\n");
    end(world);
}

/* Put an item with a text of so many bytes, twice as many as JSON. */
static void put_large(struct world *world, const char *id, size_t bytes)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_write *write = WEIR_ARENA_NEW(&txn->arena, struct weir_write);
    struct weir_err err;
    char *text = weir_arena_zero(&txn->arena, 2 * bytes + 1, 1);
    for (size_t i = 0; i < bytes; i++) {
        memcpy(text + 2 * i, "\\\"", 2);
    }
    write->tables = world->engine->tables;
    must(weir_tables_get(world->engine->tables, WEIR_STR("orders"), &write->table, &err), &err);
    write->kind = WEIR_WRITE_PUT;
    write->item = item_of(&txn->arena,
            weir_arena_printf(&txn->arena, "{\"id\":\"%s\",\"n\":1,\"text\":\"%s\"}", id, text).p);
    must(weir_table_write(write, txn, &err), &err);
    weir_table_unref(write->table);
    txn->done = txn_done;
    weir_store_submit(world->engine->store, txn);
}

/* What an invocation may have, it has for records and state together. */
static void the_state_takes_room_from_the_records(void **state)
{
    (void)state;
    enum { RECORDS = 17, BYTES = 350 * 1000, STATE_BYTES = 900 * 1000 };
    struct world *world = begin(plain);
    call.padding = STATE_BYTES;
    put_now(world, "orders", "first", 1);
    for (int i = 0; i < RECORDS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "i%d", i);
        put_large(world, id, BYTES);
    }
    advance(world, 3600 * 1000);
    assert_int_equal(count_items(world, "letters"), 0);
    assert_non_null(strstr(noted(), "60000: 0, 18 end\n"));
    end(world);
}

static void a_batch_of_which_nothing_is_asked_changes_nothing(void **state)
{
    (void)state;
    static const char some[] =
            TABLES RETRIES("1") "    source: { table: orders }\n"
                                "    steps:\n"
                                "      - each: { in: 'new.n > 0 ? [1] : []', as: one }\n"
                                "      - invoke: { function: sum, window: 1m }\n";
    struct world *world = begin(some);
    put_now(world, "orders", "zero", 0);
    put_now(world, "orders", "a", 1);
    put_now(world, "orders", "zero", -1);
    put_now(world, "orders", "b", 2);
    put_now(world, "orders", "zero", 0);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n0: 0, 1 + b\n60000: 0, 3 end\n");
    end(world);
}

/* A batch that is run again without a record that failed has its answer, and so its state. */
static void a_record_that_fails_behind_it_leaves_the_state(void **state)
{
    (void)state;
    static const char fails[] = TABLES RETRIES(
            "1") "    source: { table: orders, window: 1s }\n"
                 "    steps:\n"
                 "      - invoke: { function: sum, window: 1m }\n"
                 "      - put: { table: letters, item: { pipeline: copy, sequence: '${new.id}', "
                 "of: '${1 / (new.n - 2)}' } }\n";
    struct world *world = begin(fails);
    put_now(world, "orders", "a", 1);
    put_now(world, "orders", "b", 2);
    put_now(world, "orders", "c", 4);
    advance(world, 3600 * 1000);
    assert_string_equal(noted(), "1000: 0, 0 + a b c\n60000: 0, 7 end\n");
    assert_int_equal(count_items(world, "letters"), 3); /* two copies, one letter */
    assert_int_equal(count_open(world), 0);             /* no step got the end */
    end(world);
}

/* Nothing is lost, and the function is not asked again. */
static void an_end_that_a_step_cannot_process_waits(void **state)
{
    (void)state;
    static const char wrong[] =
            TABLES RETRIES("1") "    source: { table: orders }\n"
                                "    steps:\n"
                                "      - invoke: { function: sum, window: 1m, result: answer }\n"
                                "      - put: { table: letters, item: { pipeline: copy, sequence: "
                                "'${event}', of: '${new.n}' } }\n";
    static const char right[] =
            TABLES RETRIES("1") "    source: { table: orders }\n"
                                "    steps:\n"
                                "      - invoke: { function: sum, window: 1m, result: answer }\n"
                                "      - put: { table: letters, item: { pipeline: copy, sequence: "
                                "'${event}' } }\n";
    struct world *world = begin(wrong);
    put_now(world, "orders", "a", 1);
    advance(world, 600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end\n");
    assert_int_equal(count_items(world, "letters"), 1);
    world->yaml = right;
    restart(world, true);
    advance(world, 600 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end\n600000: 0, 1 end\n");
    assert_int_equal(count_items(world, "letters"), 2);
    end(world);
}

/* What fails now may succeed later. */
static void an_end_that_a_step_cannot_process_is_tried_again(void **state)
{
    (void)state;
    static const char early[] = TABLES RETRIES(
            "1") "    source: { table: orders }\n"
                 "    steps:\n"
                 "      - invoke: { function: sum, window: 1m, result: answer }\n"
                 "      - each: { in: 'event == \"WINDOW\" ? [1] : []', as: one }\n"
                 "      - put: { table: letters, item: { pipeline: copy, sequence: '${event}', of: "
                 "'${one / (clock() < timestamp(\"2026-01-01T00:02:00Z\") ? 0 : 1)}' } }\n";
    struct world *world = begin(early);
    put_now(world, "orders", "a", 1);
    advance(world, 90 * 1000);
    assert_int_equal(count_items(world, "letters"), 0);
    assert_int_equal(count_open(world), 1);
    advance(world, 60 * 1000);
    assert_int_equal(count_items(world, "letters"), 1);
    assert_int_equal(count_open(world), 0);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end\n");
    end(world);
}

/* What is made of ends counts as made of the window's records: a circle comes to an end. */
static void a_circle_through_ends_is_noticed(void **state)
{
    (void)state;
    static const char circle[] = TABLES RETRIES(
            "1") "    source: { table: orders }\n"
                 "    steps:\n"
                 "      - invoke: { function: sum, window: 1m, result: answer }\n"
                 "      - each: { in: 'event == \"WINDOW\" ? [answer.state.n] : []', as: n }\n"
                 "      - put: { table: orders, item: { id: again, n: '${n + 1}' } }\n";
    struct world *world = begin(circle);
    put_now(world, "orders", "a", 1);
    advance(world, 3600 * 1000);
    assert_int_equal(count_items(world, "letters"), 1);
    assert_non_null(strstr(noted(), "960000: 15, 16 end\n"));
    assert_null(strstr(noted(), "960000: 16,"));
    end(world);
}

/* --- what is stored ----------------------------------------------------------------------------
 */

static void removed(void *arg)
{
    *(bool *)arg = true;
}

static void nothing_stays_of_what_is_over_or_forgotten(void **state)
{
    (void)state;
    struct world *world = begin(wide);
    struct weir_pipelines *pipelines = world->engine->pipelines;
    struct weir_err err;
    bool gone = false;
    for (int minute = 0; minute < 2; minute++) {
        for (int i = 0; i < 20; i++) {
            char id[16];
            snprintf(id, sizeof(id), "i%d", i);
            put_now(world, "wide", id, i + 100 * minute);
        }
        assert_int_equal(count_open(world), 4);
        advance(world, minute == 0 ? 60 * 1000 : 0);
        assert_int_equal(count_open(world), minute == 0 ? 0 : 4);
    }
    must(weir_pipelines_remove(pipelines, WEIR_STR("sums"), removed, &gone, &err), &err);
    advance(world, 120 * 1000);
    assert_true(gone);
    assert_int_equal(count_open(world), 4);
    struct weir_txn *txn = weir_txn_create();
    must(weir_pipelines_forget(pipelines, WEIR_STR("sums"), txn, &err), &err);
    txn->done = txn_done;
    weir_store_submit(world->engine->store, txn);
    advance(world, 0);
    assert_int_equal(count_open(world), 0);
    end(world);
}

/* --- records that come late ---------------------------------------------------------------------
 */

static void what_comes_late_is_of_the_window_that_is_open(void **state)
{
    (void)state;
    struct world *world = begin(plain);
    struct weir_err err;
    struct weir_replay replay = {
        .pipeline = WEIR_STR("sums"),
        .from = WEIR_STR("2026-01-01T00:00:00Z"),
        .to = WEIR_STR("2026-01-01T00:00:30Z"),
    };
    put_now(world, "orders", "a", 1);
    advance(world, 90 * 1000);
    put_now(world, "orders", "b", 2);
    must(weir_pipelines_replay(world->engine->pipelines, &replay, NULL, &err), &err);
    advance(world, 60 * 1000);
    must(weir_pipelines_replay(world->engine->pipelines, &replay, NULL, &err), &err);
    advance(world, 60 * 1000);
    assert_string_equal(noted(), "0: 0, 0 + a\n60000: 0, 1 end\n90000: 1, 0 + b\n"
                                 "90000: 1, 2 + a\n120000: 1, 3 end\n"
                                 "150000: 0, 0 + a\n150000: 0, 1 end\n");
    end(world);
}

/* --- a model ---------------------------------------------------------------------------------- */

enum { MODEL_MINUTES = 64 };

/* What the ends of windows said; one that was repeated after a crash said the same again. */
static void read_ends(int64_t sums[MODEL_MINUTES])
{
    memset(sums, 0, MODEL_MINUTES * sizeof(*sums));
    char *lines = strdup(noted());
    char *rest = lines;
    for (char *line = strtok_r(rest, "\n", &rest); line != NULL;
            line = strtok_r(NULL, "\n", &rest)) {
        long long at;
        long long minute;
        long long n;
        char word[8];
        if (sscanf(line, "%lld: %lld, %lld %7s", &at, &minute, &n, word) == 4 &&
                strcmp(word, "end") == 0 && strstr(line, "fails") == NULL) {
            assert_in_range(minute, 0, MODEL_MINUTES - 1);
            assert_true(sums[minute] == 0 || sums[minute] == n);
            sums[minute] = n;
        }
    }
    free(lines);
}

static void random_life(uint64_t seed)
{
    static const char patient[] =
            TABLES RETRIES("unlimited") "    source: { table: orders }\n"
                                        "    steps: [invoke: { function: sum, window: 1m }]\n";
    struct world *world = begin(patient);
    int64_t expected[MODEL_MINUTES] = { 0 };
    int64_t sums[MODEL_MINUTES];
    struct weir_random random;
    weir_random_seed(&random, seed);
    for (int i = 0; i < 200; i++) {
        int64_t now = weir_clock_wall(&world->clock.base).ms - start.ms;
        char id[16];
        snprintf(id, sizeof(id), "k%u", (unsigned)weir_random_below(&random, 10));
        put_now(world, "orders", id, i + 1);
        expected[now / 60000] += i + 1;
        call.takes_ms = weir_random_below(&random, 4) == 0 ? weir_random_below(&random, 30000) : 0;
        call.fail = weir_random_below(&random, 20) == 0;
        call.fail_ends = weir_random_below(&random, 10) == 0;
        advance(world, weir_random_below(&random, 20000));
        if (weir_random_below(&random, 15) == 0) {
            restart(world, weir_random_below(&random, 2) == 0);
        }
    }
    call.takes_ms = 0;
    advance(world, 3600 * 1000);
    read_ends(sums);
    for (int i = 0; i < MODEL_MINUTES; i++) {
        if (sums[i] != expected[i]) {
            fail_msg("seed %llu, minute %d: %lld instead of %lld\n%s", (unsigned long long)seed, i,
                    (long long)sums[i], (long long)expected[i], noted());
        }
    }
    end(world);
}

static void windows_are_those_of_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        random_life(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_carried_and_the_end_is_told),
        cmocka_unit_test(open_windows_are_listed_and_end_by_themselves),
        cmocka_unit_test(nothing_passes_the_end),
        cmocka_unit_test(a_record_on_the_border_is_of_the_next_window),
        cmocka_unit_test(a_record_on_the_border_waits_for_the_end),
        cmocka_unit_test(a_batch_is_of_one_window),
        cmocka_unit_test(shards_have_windows_of_their_own),
        cmocka_unit_test(a_restart_loses_no_window),
        cmocka_unit_test(what_ends_while_down_ends_once),
        cmocka_unit_test(a_crash_in_the_middle_of_an_end_repeats_it),
        cmocka_unit_test(another_length_is_for_windows_that_begin),
        cmocka_unit_test(a_batch_that_fails_leaves_the_state),
        cmocka_unit_test(an_answer_without_state_is_a_failure),
        cmocka_unit_test(an_end_that_fails_blocks_its_shard),
        cmocka_unit_test(an_end_that_is_refused_is_tried_again),
        cmocka_unit_test(a_state_that_is_too_large_ends_its_window_early),
        cmocka_unit_test(what_comes_before_a_failure_is_in_the_state),
        cmocka_unit_test(what_fails_before_an_early_end_is_given_up_in_time),
        cmocka_unit_test(the_answer_to_an_end_goes_on),
        cmocka_unit_test(the_state_takes_room_from_the_records),
        cmocka_unit_test(a_batch_of_which_nothing_is_asked_changes_nothing),
        cmocka_unit_test(a_record_that_fails_behind_it_leaves_the_state),
        cmocka_unit_test(an_end_that_a_step_cannot_process_waits),
        cmocka_unit_test(an_end_that_a_step_cannot_process_is_tried_again),
        cmocka_unit_test(a_circle_through_ends_is_noticed),
        cmocka_unit_test(nothing_stays_of_what_is_over_or_forgotten),
        cmocka_unit_test(what_comes_late_is_of_the_window_that_is_open),
        cmocka_unit_test(windows_are_those_of_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
