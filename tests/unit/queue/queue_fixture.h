/* What the tests of queues share: a store on a simulated disk, a clock, and short ways to use
 * them. */
#ifndef WEIR_TESTS_UNIT_QUEUE_FIXTURE_H
#define WEIR_TESTS_UNIT_QUEUE_FIXTURE_H

#include <stdio.h>

#include "../await.h"
#include "base/mem.h"
#include "base/random.h"
#include "queue/queue.h"
#include "simulated_disk.h"

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_simulated_disk *disk;
    struct weir_store_options options;
    struct weir_store *store;
    struct weir_queues *queues;
    struct weir_arena arena;
    uint64_t wake_after_ms; /* what was asked for last */
    bool wake_never;
    _Atomic int changes;
};

static inline void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

static inline void fixture_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct fixture *f = arg;
    f->wake_after_ms = after_ms;
    f->wake_never = never;
}

static inline void fixture_changed(void *arg)
{
    struct fixture *f = arg;
    f->changes++;
}

static inline void open_all(struct fixture *f)
{
    struct weir_err err;
    must(weir_store_open(&f->options, &f->store, &err), &err);
    struct weir_queues_options options = {
        .store = f->store,
        .host = { fixture_wake_at, fixture_changed, f },
        .metrics = f->metrics,
    };
    must(weir_queues_open(&options, &f->queues, &err), &err);
}

static inline void close_all(struct fixture *f)
{
    weir_queues_stop(f->queues);
    weir_store_stop(f->store);
    weir_queues_close(WEIR_TAKE(f->queues));
    weir_store_close(WEIR_TAKE(f->store));
}

/* Go on with what is durable now. */
static inline void lose_unsynced(struct fixture *f, bool stops)
{
    struct weir_random random;
    weir_random_seed(&random, 1);
    if (stops) {
        close_all(f);
    }
    struct weir_simulated_disk *left = weir_simulated_disk_cut(f->disk, &random, WEIR_DISK_DROP);
    if (!stops) {
        close_all(f);
    }
    weir_fs_destroy(weir_simulated_disk_fs(f->disk));
    f->disk = left;
    f->options.fs = weir_simulated_disk_fs(left);
    open_all(f);
}

/* Pull the plug after the end: only what was synced is left. */
static inline void cut_power(struct fixture *f)
{
    lose_unsynced(f, true);
}

/* Pull the plug in the middle: what the end would have made durable is not. */
static inline void cut_power_now(struct fixture *f)
{
    lose_unsynced(f, false);
}

static inline struct fixture *fixture_create(void)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    f->metrics = weir_metrics_create();
    f->disk = weir_simulated_disk_create();
    weir_arena_init(&f->arena);
    f->options = (struct weir_store_options){
        .dir = "data",
        .fs = weir_simulated_disk_fs(f->disk),
        .discard_state = true,
        .clock = &f->clock.base,
        .metrics = f->metrics,
        .memory_bytes = 1 << 20,
        .log_max_bytes = 1ull << 40,
        .segment_bytes = 4 << 20,
    };
    open_all(f);
    return f;
}

static inline void fixture_destroy(struct fixture *f)
{
    close_all(f);
    weir_fs_destroy(weir_simulated_disk_fs(f->disk));
    weir_metrics_destroy(f->metrics);
    weir_arena_fini(&f->arena);
    weir_free(f);
}

static inline int set_up(void **state)
{
    *state = fixture_create();
    return 0;
}

static inline int tear_down(void **state)
{
    fixture_destroy(*state);
    return 0;
}

static inline enum weir_rc commit(struct fixture *f, struct weir_txn *txn, struct weir_err *err)
{
    enum weir_rc rc = weir_store_commit(f->store, txn, err);
    weir_txn_destroy(txn);
    return rc;
}

/* Let everything that is under way end: commits, and what the module does about them. */
static inline void run(struct fixture *f)
{
    /* What the last round submitted is done by the end of the next one. */
    int quiet = 0;
    AWAIT(quiet == 2, f->wake_never ? "changes, again and again" : "due, again and again")
    {
        struct weir_err err;
        struct weir_txn *txn = weir_txn_create();
        txn->lane = true;
        int before = f->changes;
        must(commit(f, txn, &err), &err);
        must(weir_queues_run(f->queues, &err), &err);
        bool more = f->changes != before || (!f->wake_never && f->wake_after_ms == 0);
        quiet = more ? 0 : quiet + 1;
    }
}

static inline void advance(struct fixture *f, uint64_t ms)
{
    weir_clock_virtual_advance(&f->clock, ms);
    run(f);
}

static inline void create(struct fixture *f, const struct weir_queue *definition)
{
    struct weir_err err;
    must(weir_queue_check(definition, &err), &err);
    must(weir_queues_ensure(f->queues, definition, &err), &err);
    run(f);
}

static inline struct weir_queue define(const char *name)
{
    return weir_queue_defaults(weir_str_z(name));
}

/* With a reference. */
static inline const struct weir_queue *queue_of(struct fixture *f, const char *name)
{
    const struct weir_queue *queue = NULL;
    struct weir_err err;
    must(weir_queues_get(f->queues, weir_str_z(name), &queue, &err), &err);
    return queue;
}

struct sending {
    const char *body;
    const char *group;
    const char *dedup;
    uint64_t delay_ms; /* 0: the queue's */
};

/* Send; the id is in the fixture's arena. */
static inline enum weir_rc send_as(struct fixture *f, const char *name, const struct sending *what,
        struct weir_str *ret_id, uint64_t *ret_sequence)
{
    const struct weir_queue *queue = queue_of(f, name);
    struct weir_txn *txn = weir_txn_create();
    struct weir_queue_send *send = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_send);
    struct weir_err err;
    send->queue = queue;
    send->message.body = weir_str_z(what->body);
    send->message.group = weir_str_z(what->group);
    send->message.dedup = weir_str_z(what->dedup);
    send->has_delay = what->delay_ms > 0;
    send->delay_ms = what->delay_ms;
    enum weir_rc rc = weir_queue_send(f->queues, send, txn, &err);
    if (rc == WEIR_OK) {
        must(weir_store_commit(f->store, txn, &err), &err);
        rc = send->rc;
        *ret_id = weir_arena_str(&f->arena, send->id);
        *ret_sequence = send->sequence;
    }
    weir_txn_destroy(txn);
    weir_queue_unref(queue);
    return rc;
}

static inline void send(struct fixture *f, const char *name, const char *body)
{
    struct weir_str id;
    uint64_t sequence = 0;
    struct sending what = { .body = body };
    assert_int_equal(send_as(f, name, &what, &id, &sequence), WEIR_OK);
}

static inline void send_group(
        struct fixture *f, const char *name, const char *body, const char *group)
{
    struct weir_str id;
    uint64_t sequence = 0;
    struct sending what = { .body = body, .group = group, .dedup = body };
    assert_int_equal(send_as(f, name, &what, &id, &sequence), WEIR_OK);
}

/* A receive of the tests: ended says when it is over. */
struct receiving {
    struct weir_receive receive;
    bool ended;
};

static inline void receive_done(struct weir_receive *receive)
{
    WEIR_CONTAINER(receive, struct receiving, receive)->ended = true;
}

static inline void receive_begin(struct fixture *f, const char *name, struct receiving *receiving,
        size_t max, uint64_t wait_ms)
{
    const struct weir_queue *queue = queue_of(f, name);
    *receiving = (struct receiving){ 0 };
    receiving->receive.max = max;
    receiving->receive.has_wait = true;
    receiving->receive.wait_ms = wait_ms;
    receiving->receive.done = receive_done;
    weir_queues_receive(f->queues, queue, &receiving->receive);
    weir_queue_unref(queue);
}

/* Receive without waiting. The caller calls weir_receive_fini. */
static inline void receive_now(
        struct fixture *f, const char *name, struct receiving *receiving, size_t max)
{
    receive_begin(f, name, receiving, max, 0);
    run(f);
    assert_true(receiving->ended);
    must(receiving->receive.rc, &receiving->receive.err);
}

/* The bodies of what was received, with spaces between them, in the fixture's arena. */
static inline const char *bodies(struct fixture *f, struct receiving *receiving)
{
    const char *text = "";
    for (size_t i = 0; i < receiving->receive.count; i++) {
        text = weir_arena_printf(&f->arena, "%s%s%.*s", text, i > 0 ? " " : "",
                WEIR_STR_ARG(receiving->receive.messages[i].body))
                       .p;
    }
    return text;
}

/* Receive without waiting and give the bodies. */
static inline const char *take(struct fixture *f, const char *name, size_t max)
{
    struct receiving receiving;
    receive_now(f, name, &receiving, max);
    const char *text = bodies(f, &receiving);
    weir_receive_fini(&receiving.receive);
    return text;
}

/* Delete (hide_ms < 0) or hide a message. */
static inline enum weir_rc settle(
        struct fixture *f, const char *name, struct weir_str receipt, int64_t hide_ms)
{
    const struct weir_queue *queue = queue_of(f, name);
    struct weir_txn *txn = weir_txn_create();
    struct weir_queue_settle *op = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_settle);
    struct weir_err err;
    op->queue = queue;
    op->receipt = receipt;
    op->keep = hide_ms >= 0;
    op->hide_ms = hide_ms >= 0 ? (uint64_t)hide_ms : 0;
    enum weir_rc rc = weir_queue_settle(f->queues, op, txn, &err);
    if (rc == WEIR_OK) {
        must(weir_store_commit(f->store, txn, &err), &err);
        rc = op->rc;
    }
    weir_txn_destroy(txn);
    weir_queue_unref(queue);
    run(f);
    return rc;
}

static inline struct weir_queue_numbers numbers_of(struct fixture *f, const char *name)
{
    struct weir_queue_numbers numbers;
    struct weir_err err;
    const struct weir_queue *queue = queue_of(f, name);
    must(weir_queues_numbers(f->queues, queue, &numbers, &err), &err);
    weir_queue_unref(queue);
    return numbers;
}

static inline void assert_numbers(
        struct fixture *f, const char *name, uint64_t visible, uint64_t hidden, uint64_t delayed)
{
    struct weir_queue_numbers numbers = numbers_of(f, name);
    assert_int_equal(numbers.visible, visible);
    assert_int_equal(numbers.hidden, hidden);
    assert_int_equal(numbers.delayed, delayed);
}

#endif
