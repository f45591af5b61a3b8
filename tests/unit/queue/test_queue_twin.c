/*
 * Queues against a naive twin: random sends, receives, deletes, changes of visibility, time that
 * passes, and power cuts. Whatever was acknowledged must be there, and nothing else.
 */
#include "queue_fixture.h"

enum { MESSAGES_MAX = 400, STEPS = 600, GROUPS = 3, SEEDS = 6 };

struct twin_message {
    char body[16];
    uint32_t group;
    int64_t visible;
    uint32_t receives;
    bool gone;
    bool dead;               /* in the dead-letter queue */
    struct weir_str receipt; /* of the last receive; the fixture's arena */
};

struct twin {
    struct fixture *f;
    struct weir_random random;
    bool fifo;
    const char *name;
    const char *dead;
    struct twin_message all[MESSAGES_MAX];
    size_t count;
    uint32_t max_receives;
};

static int64_t now(const struct twin *twin)
{
    return weir_clock_wall(&twin->f->clock.base).ms;
}

static void do_send(struct twin *twin)
{
    if (twin->count == MESSAGES_MAX) {
        return;
    }
    struct twin_message *message = &twin->all[twin->count];
    char group[8];
    struct weir_str id;
    uint64_t sequence = 0;
    *message = (struct twin_message){ .group = (uint32_t)weir_random_below(&twin->random, GROUPS) };
    snprintf(message->body, sizeof(message->body), "m%zu", twin->count);
    snprintf(group, sizeof(group), "g%u", message->group);
    struct sending what = { .body = message->body };
    if (twin->fifo) {
        what.group = group;
        what.dedup = message->body;
    } else if (weir_random_below(&twin->random, 4) == 0) {
        what.delay_ms = 1000 * (1 + weir_random_below(&twin->random, 60));
    }
    message->visible = now(twin) + (int64_t)what.delay_ms;
    assert_int_equal(send_as(twin->f, twin->name, &what, &id, &sequence), WEIR_OK);
    twin->count++;
}

/* Whether the twin could give a message now; FIFO: the first of its group, nothing being hidden. */
static bool can_give(const struct twin *twin, size_t i)
{
    const struct twin_message *message = &twin->all[i];
    if (message->gone || message->dead || message->visible > now(twin)) {
        return false;
    }
    for (size_t k = 0; twin->fifo && k < twin->count; k++) {
        const struct twin_message *other = &twin->all[k];
        bool same = !other->gone && !other->dead && other->group == message->group;
        if (same && (other->visible > now(twin) || k < i)) {
            return false;
        }
    }
    return true;
}

static size_t find(const struct twin *twin, struct weir_str body)
{
    for (size_t i = 0; i < twin->count; i++) {
        if (weir_str_eq(body, weir_str_z(twin->all[i].body))) {
            return i;
        }
    }
    fail_msg("%.*s was never sent", WEIR_STR_ARG(body));
    return 0;
}

static void do_receive(struct twin *twin)
{
    struct receiving receiving;
    size_t max = 1 + weir_random_below(&twin->random, WEIR_QUEUE_BATCH_MAX);
    uint64_t hide_ms = 1000 * (1 + weir_random_below(&twin->random, 40));
    const struct weir_queue *queue = queue_of(twin->f, twin->name);
    receiving = (struct receiving){
        .receive = { .max = max, .has_hide = true, .hide_ms = hide_ms, .done = receive_done }
    };
    weir_queues_receive(twin->f->queues, queue, &receiving.receive);
    weir_queue_unref(queue);
    run(twin->f);
    assert_true(receiving.ended);
    must(receiving.receive.rc, &receiving.receive.err);
    struct weir_receive *receive = &receiving.receive;
    size_t indexes[WEIR_QUEUE_BATCH_MAX];
    for (size_t i = 0; i < receive->count; i++) {
        size_t k = find(twin, receive->messages[i].body);
        struct twin_message *message = &twin->all[k];
        indexes[i] = k;
        assert_true(can_give(twin, k));
        assert_true(message->receives < twin->max_receives);
        assert_int_equal(receive->messages[i].receives, message->receives + 1);
        message->gone = twin->fifo; /* what stands behind it in the batch may follow it */
    }
    bool all = receive->count == max;
    for (size_t i = 0; i < receive->count; i++) {
        struct twin_message *message = &twin->all[indexes[i]];
        message->gone = false;
        message->receives++;
        message->visible = now(twin) + (int64_t)hide_ms;
        message->receipt = weir_arena_str(&twin->f->arena, receive->messages[i].receipt);
    }
    weir_receive_fini(receive);
    for (size_t i = 0; i < twin->count && !all; i++) {
        assert_false(can_give(twin, i)); /* less than asked for: there was no more */
    }
}

static void do_settle(struct twin *twin)
{
    if (twin->count == 0) {
        return;
    }
    struct twin_message *message = &twin->all[weir_random_below(&twin->random, twin->count)];
    bool hidden = !message->gone && !message->dead && message->visible > now(twin) &&
                  message->receives > 0;
    if (message->receipt.n == 0 || !hidden) {
        return;
    }
    if (weir_random_below(&twin->random, 2) == 0) {
        assert_int_equal(settle(twin->f, twin->name, message->receipt, -1), WEIR_OK);
        message->gone = true;
        return;
    }
    int64_t hide_ms = 1000 * (int64_t)weir_random_below(&twin->random, 30);
    assert_int_equal(settle(twin->f, twin->name, message->receipt, hide_ms), WEIR_OK);
    message->visible = now(twin) + hide_ms;
}

static void check_numbers(struct twin *twin)
{
    uint64_t live = 0;
    uint64_t hidden = 0;
    uint64_t delayed = 0;
    for (size_t i = 0; i < twin->count; i++) {
        const struct twin_message *message = &twin->all[i];
        bool here = !message->gone && !message->dead;
        bool later = here && message->visible > now(twin);
        live += here ? 1 : 0;
        hidden += later && message->receives > 0 ? 1 : 0;
        delayed += later && message->receives == 0 ? 1 : 0;
    }
    assert_numbers(twin->f, twin->name, live - hidden - delayed, hidden, delayed);
}

/* Receive and delete until everything was seen; then nothing may be left but the dead letters. */
static void drain(struct twin *twin)
{
    size_t left = 0;
    for (size_t i = 0; i < twin->count; i++) {
        left += twin->all[i].gone ? 0 : 1;
    }
    const char *names[] = { twin->name, twin->dead };
    for (int round = 0; round < 100 && left > 0; round++) {
        advance(twin->f, 60 * 1000);
        for (size_t n = 0; n < 2; n++) {
            struct receiving receiving;
            receive_now(twin->f, names[n], &receiving, 10);
            for (size_t i = 0; i < receiving.receive.count; i++) {
                struct twin_message *message =
                        &twin->all[find(twin, receiving.receive.messages[i].body)];
                assert_false(message->gone);
                assert_int_equal(
                        settle(twin->f, names[n], receiving.receive.messages[i].receipt, -1),
                        WEIR_OK);
                message->gone = true;
                left--;
            }
            weir_receive_fini(&receiving.receive);
        }
    }
    assert_int_equal(left, 0);
    assert_numbers(twin->f, twin->name, 0, 0, 0);
    assert_numbers(twin->f, twin->dead, 0, 0, 0);
}

static void run_twin(uint64_t seed, bool fifo, uint32_t max_receives)
{
    struct twin *twin = weir_alloc_zero(1, sizeof(*twin));
    twin->f = fixture_create();
    weir_random_seed(&twin->random, seed);
    twin->fifo = fifo;
    twin->name = fifo ? "q.fifo" : "q";
    twin->dead = fifo ? "dead.fifo" : "dead";
    twin->max_receives = max_receives;
    struct weir_queue dead = define(twin->dead);
    struct weir_queue queue = define(twin->name);
    queue.dead_letters = dead.name;
    queue.max_receives = max_receives;
    create(twin->f, &dead);
    create(twin->f, &queue);
    for (int step = 0; step < STEPS; step++) {
        uint64_t dice = weir_random_below(&twin->random, 100);
        if (dice < 35) {
            do_send(twin);
        } else if (dice < 60) {
            do_receive(twin);
        } else if (dice < 85) {
            do_settle(twin);
        } else if (dice < 98) {
            advance(twin->f, 1000 * weir_random_below(&twin->random, 20));
        } else {
            cut_power(twin->f);
        }
        if (max_receives == WEIR_QUEUE_REDRIVE_MAX) {
            check_numbers(twin);
        }
    }
    drain(twin);
    fixture_destroy(twin->f);
    weir_free(twin);
}

static void a_standard_queue_is_as_its_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_twin(seed, false, WEIR_QUEUE_REDRIVE_MAX);
    }
}

static void a_fifo_queue_is_as_its_twin(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run_twin(seed, true, WEIR_QUEUE_REDRIVE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_standard_queue_is_as_its_twin),
        cmocka_unit_test(a_fifo_queue_is_as_its_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
