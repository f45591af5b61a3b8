#include <pthread.h>
#include <stdbool.h>

#include "../test.h"
#include "net/loop.h"

enum { THREADS = 4, POSTS = 5000 };

static struct weir_loop *make_loop(void)
{
    struct weir_loop *loop = NULL;
    assert_int_equal(weir_loop_create(weir_clock_system(), &loop, NULL), WEIR_OK);
    return loop;
}

/* A post that notes its turn, and may stop the loop. */
struct note {
    struct weir_post post;
    struct weir_loop *loop;
    int number;
    bool stops;
    int *order; /* numbers in the order of running */
    int *count;
};

static void run_note(struct weir_post *post)
{
    struct note *note = WEIR_CONTAINER(post, struct note, post);
    note->order[(*note->count)++] = note->number;
    if (note->stops) {
        weir_loop_stop(note->loop);
    }
}

static void posts_run_in_order(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    struct note notes[10];
    int order[10];
    int count = 0;
    for (int i = 0; i < 10; i++) {
        notes[i] = (struct note){ { run_note, NULL }, loop, i, i == 9, order, &count };
        weir_loop_post(loop, &notes[i].post);
    }
    weir_loop_run(loop);
    assert_int_equal(count, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(order[i], i);
    }
    weir_loop_destroy(loop);
}

static void deferred_work_comes_after_what_is_pending(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    int order[3];
    int count = 0;
    struct note late = { { run_note, NULL }, loop, 2, true, order, &count };
    struct note later = { { run_note, NULL }, loop, 3, false, order, &count };
    struct note posted = { { run_note, NULL }, loop, 1, false, order, &count };
    weir_loop_defer(loop, &late.post);
    weir_loop_defer(loop, &later.post);
    weir_loop_post(loop, &posted.post);
    weir_loop_run(loop);
    assert_int_equal(count, 3);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 3);
    weir_loop_destroy(loop);
}

/* Yields over and over until told, as a busy lane does. */
struct yielder {
    struct weir_post post;
    struct weir_loop *loop;
    int turns;
    const int *stops; /* ends when this is not 0 */
};

static void yield_again(struct weir_post *post)
{
    struct yielder *yielder = WEIR_CONTAINER(post, struct yielder, post);
    yielder->turns++;
    if (*yielder->stops == 0) {
        weir_loop_defer(yielder->loop, post);
    }
}

static void busy_yielding_starves_nothing(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    int order[1];
    int count = 0;
    struct yielder yielder = { { yield_again, NULL }, loop, 0, &count };
    struct note stop = { { run_note, NULL }, loop, 1, true, order, &count };
    weir_loop_defer(loop, &yielder.post);
    weir_loop_post(loop, &stop.post);
    weir_loop_run(loop);
    assert_int_equal(count, 1);
    assert_int_equal(yielder.turns, 1);
    weir_loop_destroy(loop);
}

struct counted {
    struct weir_post post;
    struct poster *poster;
};

struct poster {
    struct weir_loop *loop;
    struct counted *posts;
    long *left;    /* loop thread only */
    int next_seen; /* the order of this thread's posts, as the loop sees them */
    bool disorder;
};

static void count_down(struct weir_post *post)
{
    struct counted *counted = WEIR_CONTAINER(post, struct counted, post);
    struct poster *poster = counted->poster;
    poster->disorder |= counted != &poster->posts[poster->next_seen++];
    if (--*poster->left == 0) {
        weir_loop_stop(poster->loop);
    }
}

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (int i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct counted){ { count_down, NULL }, poster };
        weir_loop_post(poster->loop, &poster->posts[i].post);
    }
    return NULL;
}

static void threads_post_at_once(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    pthread_t threads[THREADS];
    struct poster posters[THREADS];
    long left = (long)THREADS * POSTS;
    for (int i = 0; i < THREADS; i++) {
        struct counted *posts = weir_alloc_zero(POSTS, sizeof(*posts));
        posters[i] = (struct poster){ loop, posts, &left, 0, false };
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    weir_loop_run(loop);
    assert_int_equal(left, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(posters[i].disorder);
        weir_free(posters[i].posts);
    }
    weir_loop_destroy(loop);
}

static void *stop_from_afar(void *loop)
{
    weir_loop_stop(loop);
    return NULL;
}

static void stop_works_from_another_thread_and_before_run(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stop_from_afar, loop), 0);
    weir_loop_run(loop);
    pthread_join(thread, NULL);
    weir_loop_stop(loop);
    weir_loop_run(loop);
    weir_loop_destroy(loop);
}

struct ticks {
    struct weir_loop_timer first;
    struct weir_loop_timer second;
    struct weir_loop_timer never;
    struct weir_loop *loop;
    int fired;
};

static void fire_first(struct weir_loop_timer *timer)
{
    struct ticks *ticks = WEIR_CONTAINER(timer, struct ticks, first);
    ticks->fired++;
    weir_loop_timer_stop(&ticks->never);
    weir_loop_timer_fini(timer);
}

static void fire_second(struct weir_loop_timer *timer)
{
    struct ticks *ticks = WEIR_CONTAINER(timer, struct ticks, second);
    assert_int_equal(ticks->fired, 1);
    weir_loop_stop(ticks->loop);
}

static void fire_never(struct weir_loop_timer *timer)
{
    (void)timer;
    fail();
}

static void timers_fire_once_in_order(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    struct ticks ticks = { .loop = loop };
    weir_loop_timer_init(&ticks.first, loop, fire_first);
    weir_loop_timer_init(&ticks.second, loop, fire_second);
    weir_loop_timer_init(&ticks.never, loop, fire_never);
    weir_loop_timer_start(&ticks.second, 30);
    weir_loop_timer_start(&ticks.never, 20);
    weir_loop_timer_start(&ticks.first, 1000);
    weir_loop_timer_start(&ticks.first, 5); /* anew */
    weir_loop_run(loop);
    assert_int_equal(ticks.fired, 1);
    weir_loop_timer_fini(&ticks.first);
    weir_loop_timer_fini(&ticks.second);
    weir_loop_timer_fini(&ticks.never);
    weir_loop_destroy(loop);
}

static void destroy_runs_what_was_posted(void **state)
{
    (void)state;
    struct weir_loop *loop = make_loop();
    int order[1];
    int count = 0;
    struct note note = { { run_note, NULL }, loop, 1, false, order, &count };
    weir_loop_post(loop, &note.post);
    weir_loop_destroy(loop);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_order),
        cmocka_unit_test(deferred_work_comes_after_what_is_pending),
        cmocka_unit_test(busy_yielding_starves_nothing),
        cmocka_unit_test(threads_post_at_once),
        cmocka_unit_test(stop_works_from_another_thread_and_before_run),
        cmocka_unit_test(timers_fire_once_in_order),
        cmocka_unit_test(destroy_runs_what_was_posted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
