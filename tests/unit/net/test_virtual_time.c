/* A loop on virtual time: what runs when, and that a run repeats itself exactly. */
#include <string.h>

#include "../test.h"
#include "base/random.h"
#include "net/loop.h"

enum { START_MS = 1000 * 1000, TIMERS = 200, NOTES_MAX = 100 * 1000 };

struct world {
    struct weir_clock_virtual clock;
    struct weir_loop *loop;
    uint64_t notes[NOTES_MAX]; /* what happened: time and number */
    size_t count;
};

static struct world *world_create(void)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    weir_clock_virtual_init(&world->clock, (struct weir_time){ START_MS });
    world->loop = weir_loop_create_virtual(&world->clock);
    return world;
}

static void world_destroy(struct world *world)
{
    weir_loop_destroy(world->loop);
    weir_free(world);
}

static void note(struct world *world, uint64_t number)
{
    assert_true(world->count < NOTES_MAX);
    uint64_t passed_ms = (uint64_t)(weir_clock_wall(&world->clock.base).ms - START_MS);
    world->notes[world->count++] = passed_ms * 1000 + number;
}

static void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    if (weir_loop_advance(world->loop, ms, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
}

struct ticker {
    struct weir_loop_timer timer;
    struct weir_post post;
    struct world *world;
    uint64_t number;
    uint64_t period_ms; /* 0: once */
    bool defers;
};

static void ticker_posted(struct weir_post *post)
{
    struct ticker *ticker = WEIR_CONTAINER(post, struct ticker, post);
    note(ticker->world, ticker->number + 1);
}

static void ticker_fired(struct weir_loop_timer *timer)
{
    struct ticker *ticker = WEIR_CONTAINER(timer, struct ticker, timer);
    note(ticker->world, ticker->number);
    if (ticker->period_ms > 0) {
        weir_loop_timer_start(timer, ticker->period_ms);
    }
    if (ticker->defers) {
        weir_loop_defer(ticker->world->loop, &ticker->post);
    }
}

static void ticker_init(struct ticker *ticker, struct world *world, uint64_t number)
{
    *ticker = (struct ticker){ .world = world, .number = number };
    ticker->post.run = ticker_posted;
    weir_loop_timer_init(&ticker->timer, world->loop, ticker_fired);
}

static void timers_fire_in_order_at_their_time(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct ticker tickers[4];
    const uint64_t after_ms[] = { 30, 10, 30, 20 };
    for (uint64_t i = 0; i < 4; i++) {
        ticker_init(&tickers[i], world, 10 * (i + 1));
        weir_loop_timer_start(&tickers[i].timer, after_ms[i]);
    }
    tickers[1].defers = true;
    advance(world, 9);
    assert_int_equal(world->count, 0);
    uint64_t next_ms = 0;
    assert_true(weir_loop_next_due(world->loop, &next_ms));
    assert_int_equal(next_ms, 1);
    weir_loop_timer_stop(&tickers[3].timer);
    advance(world, 100);
    /* Due together: as they were started. What the first one deferred ran at its time. */
    const uint64_t expected[] = { 10020, 10021, 30010, 30030 };
    assert_int_equal(world->count, 4);
    assert_memory_equal(world->notes, expected, sizeof(expected));
    assert_int_equal(weir_clock_wall(&world->clock.base).ms, START_MS + 109);
    assert_false(weir_loop_next_due(world->loop, &next_ms));
    for (size_t i = 0; i < 4; i++) {
        weir_loop_timer_fini(&tickers[i].timer);
    }
    world_destroy(world);
}

static void a_timer_started_anew_fires_once(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct ticker ticker;
    ticker_init(&ticker, world, 1);
    weir_loop_timer_start(&ticker.timer, 5);
    advance(world, 3);
    weir_loop_timer_start(&ticker.timer, 5);
    advance(world, 100);
    assert_int_equal(world->count, 1);
    assert_int_equal(world->notes[0], 8001);
    weir_loop_timer_start(&ticker.timer, UINT64_MAX); /* later than time goes: never */
    advance(world, 1000ull * 3600 * 24 * 365);
    assert_int_equal(world->count, 1);
    weir_loop_timer_fini(&ticker.timer);
    world_destroy(world);
}

/* As the store is: it has work whenever something asked for it. */
struct worker {
    struct ticker *asks;
    int wanted;
    int done;
};

static bool work(void *arg)
{
    struct worker *worker = arg;
    if (worker->wanted == worker->done) {
        return false;
    }
    worker->done++;
    weir_loop_post(worker->asks->world->loop, &worker->asks->post);
    return true;
}

static void the_worker_works_when_the_loop_is_idle(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct ticker ticker;
    struct worker worker = { .asks = &ticker, .wanted = 3 };
    ticker_init(&ticker, world, 1);
    weir_loop_on_idle(world->loop, work, &worker);
    weir_loop_timer_start(&ticker.timer, 0); /* due, but the work of the moment comes first */
    assert_int_equal(weir_loop_run_until_idle(world->loop, NULL), WEIR_OK);
    const uint64_t expected[] = { 2, 2, 2, 1 };
    assert_int_equal(world->count, 4);
    assert_memory_equal(world->notes, expected, sizeof(expected));
    weir_loop_timer_fini(&ticker.timer);
    world_destroy(world);
}

static void post_again(struct weir_post *post)
{
    struct ticker *ticker = WEIR_CONTAINER(post, struct ticker, post);
    weir_loop_post(ticker->world->loop, post);
}

static void what_never_rests_is_an_error(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct ticker ticker;
    ticker_init(&ticker, world, 1);
    ticker.post.run = post_again;
    weir_loop_post(world->loop, &ticker.post);
    struct weir_err err;
    assert_int_equal(weir_loop_advance(world->loop, 1000, &err), WEIR_E_LIMIT);
    assert_non_null(strstr(err.msg, "1970-01-01T00:16:40.000Z"));
    ticker.post.run = ticker_posted;
    weir_loop_timer_fini(&ticker.timer);
    world_destroy(world);
}

/* Many timers of random periods that start, stop and defer. */
static void run_random(struct world *world, uint64_t seed)
{
    struct ticker tickers[TIMERS];
    struct weir_random random;
    weir_random_seed(&random, seed);
    for (uint64_t i = 0; i < TIMERS; i++) {
        ticker_init(&tickers[i], world, 2 * i);
        tickers[i].period_ms = 1 + weir_random_below(&random, 50);
        tickers[i].defers = weir_random_below(&random, 4) == 0;
        weir_loop_timer_start(&tickers[i].timer, weir_random_below(&random, 50));
    }
    for (int i = 0; i < 100; i++) {
        struct ticker *ticker = &tickers[weir_random_below(&random, TIMERS)];
        if (weir_random_below(&random, 2) == 0) {
            weir_loop_timer_stop(&ticker->timer);
        } else {
            weir_loop_timer_start(&ticker->timer, weir_random_below(&random, 9));
        }
        advance(world, weir_random_below(&random, 20));
    }
    for (size_t i = 0; i < TIMERS; i++) {
        weir_loop_timer_fini(&tickers[i].timer);
    }
}

static void the_same_input_gives_the_same_run(void **state)
{
    (void)state;
    struct world *first = world_create();
    run_random(first, 7);
    assert_true(first->count > 1000);
    for (size_t i = 1; i < first->count; i++) {
        assert_true(first->notes[i] / 1000 >= first->notes[i - 1] / 1000);
    }
    for (int i = 0; i < 20; i++) {
        struct world *again = world_create();
        run_random(again, 7);
        assert_int_equal(again->count, first->count);
        assert_memory_equal(again->notes, first->notes, first->count * sizeof(uint64_t));
        world_destroy(again);
    }
    world_destroy(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_at_their_time),
        cmocka_unit_test(a_timer_started_anew_fires_once),
        cmocka_unit_test(the_worker_works_when_the_loop_is_idle),
        cmocka_unit_test(what_never_rests_is_an_error),
        cmocka_unit_test(the_same_input_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
