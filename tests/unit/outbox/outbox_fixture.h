/* What the tests of the outbox share: a store on a simulated disk, a clock, and a kind that does
 * as its payloads say. */
#ifndef WEIR_TESTS_UNIT_OUTBOX_FIXTURE_H
#define WEIR_TESTS_UNIT_OUTBOX_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "../await.h"
#include "base/mem.h"
#include "base/random.h"
#include "outbox/outbox.h"
#include "simulated_disk.h"

enum { HELD_MAX = 128, LETTERS = 1 << 20 };

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_simulated_disk *disk;
    struct weir_store_options options;
    struct weir_store *store;
    struct weir_outbox *outbox;
    struct weir_arena arena;
    uint64_t wake_after_ms; /* what was asked for last */
    bool wake_never;
    _Atomic int changes;

    /* The fake kind. */
    struct weir_outbox_kind kind;
    struct weir_buf begun; /* payloads in the order in which they began, a space behind each */
    size_t begun_count;
    size_t begins;                        /* calls of begin */
    size_t most_held;                     /* at once */
    struct weir_delivery *held[HELD_MAX]; /* of payloads that begin with "hold" */
    size_t held_count;
    struct weir_str last_id; /* of the last delivery that began; the arena's */
    bool down;               /* everything is blocked */
    uint64_t retry_after_ms; /* told with each failure */

    /* The host. */
    bool no_letters; /* dead letters cannot be added */
    struct weir_buf log;
    int held_letters; /* released as often as given */
    bool stopped;
};

static const uint32_t letters_space = 5000;

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

/* A dead letter: "PAYLOAD after ATTEMPTS: REASON". */
static inline enum weir_rc fixture_give_up(void *arg, struct weir_txn *txn,
        const struct weir_delivery *delivery, const struct weir_give_up *why, const void **ret_held,
        struct weir_err *err)
{
    struct fixture *f = arg;
    if (f->no_letters) {
        return weir_fail(
                err, WEIR_E_NOT_FOUND, "there is no %.*s", WEIR_STR_ARG(delivery->dead_letter));
    }
    struct weir_str text = weir_arena_printf(&txn->arena, "%.*s after %llu: %s%s",
            WEIR_STR_ARG(delivery->payload), (unsigned long long)why->attempts, why->err->msg,
            why->too_old ? " (too old)" : "");
    weir_txn_put(txn, letters_space, weir_arena_str(&txn->arena, delivery->id), text);
    f->held_letters++;
    *ret_held = f;
    return WEIR_OK;
}

static inline void fixture_release(void *arg, const void *held)
{
    struct fixture *f = arg;
    assert_ptr_equal(held, f);
    f->held_letters--;
}

static inline void fixture_log(void *arg, const struct weir_outbox_event *event)
{
    static const char *const names[] = { "blocked", "unblocked", "retry", "given_up" };
    struct fixture *f = arg;
    weir_buf_printf(&f->log, "%s %s %.*s: %s\n", names[event->event], event->kind,
            WEIR_STR_ARG(event->target), event->reason);
}

/*
 * "failN": the first N attempts fail and may be made again; "timeN": as that, with no more
 * said; "final": never; "hold...": until release_held; else it goes well.
 */
static inline void deliver(struct fixture *f, struct weir_delivery *delivery)
{
    struct weir_err err;
    struct weir_str payload = delivery->payload;
    if (f->down) {
        weir_fail(&err, WEIR_E_IO, "nobody is there");
        weir_delivery_done(delivery, WEIR_FAILURE_BLOCKED, &err, f->retry_after_ms);
    } else if (weir_str_starts(payload, WEIR_STR("hold"))) {
        assert_true(f->held_count < HELD_MAX);
        f->held[f->held_count++] = delivery;
        f->most_held = f->held_count > f->most_held ? f->held_count : f->most_held;
    } else if (weir_str_starts(payload, WEIR_STR("fail")) &&
               delivery->attempt <= (uint64_t)(payload.p[4] - '0')) {
        weir_fail(&err, WEIR_E_TIMEOUT, "attempt %d failed", (int)delivery->attempt);
        weir_delivery_done(delivery, WEIR_FAILURE_RETRYABLE, &err, f->retry_after_ms);
    } else if (weir_str_starts(payload, WEIR_STR("final"))) {
        weir_fail(&err, WEIR_E_INVALID, "no good");
        weir_delivery_done(delivery, WEIR_FAILURE_FINAL, &err, 0);
    } else {
        weir_delivery_done(delivery, WEIR_FAILURE_NONE, NULL, 0);
    }
}

static inline void fixture_begin(void *arg, struct weir_delivery *const *deliveries, size_t count)
{
    struct fixture *f = arg;
    f->begins++;
    assert_in_range(count, 1, f->kind.batch);
    for (size_t i = 0; i < count; i++) {
        weir_buf_str(&f->begun, deliveries[i]->payload);
        weir_buf_byte(&f->begun, ' ');
        f->begun_count++;
        f->last_id = weir_arena_str(&f->arena, deliveries[i]->id);
    }
    for (size_t i = 0; i < count; i++) {
        deliver(f, deliveries[i]);
    }
}

static inline void fixture_describe(void *arg, struct weir_str payload, struct weir_buf *json)
{
    (void)arg;
    weir_buf_str(json, payload);
}

static inline void open_all(struct fixture *f)
{
    struct weir_err err;
    must(weir_store_open(&f->options, &f->store, &err), &err);
    struct weir_outbox_options options = {
        .store = f->store,
        .metrics = f->metrics,
        .host = {
            .wake_at = fixture_wake_at,
            .changed = fixture_changed,
            .give_up = fixture_give_up,
            .release = fixture_release,
            .log = fixture_log,
            .arg = f,
        },
        .seed = 7,
    };
    must(weir_outbox_create(&options, &f->outbox, &err), &err);
    if (f->kind.begin != NULL) {
        weir_outbox_register(f->outbox, WEIR_INTENT_HTTP, &f->kind);
    }
}

/* What is held never ends: as if the process had died, with whatever it did outside done. */
static inline void close_all(struct fixture *f)
{
    weir_store_stop(f->store);
    while (f->held_count > 0) {
        weir_delivery_done(f->held[--f->held_count], WEIR_FAILURE_BLOCKED, NULL, 0);
    }
    weir_outbox_destroy(WEIR_TAKE(f->outbox));
    assert_int_equal(f->held_letters, 0);
    weir_store_close(WEIR_TAKE(f->store));
}

/* Pull the plug: only what was synced is left. */
static inline void cut_power(struct fixture *f)
{
    struct weir_random random;
    weir_random_seed(&random, 1);
    close_all(f);
    struct weir_simulated_disk *left = weir_simulated_disk_cut(f->disk, &random, WEIR_DISK_DROP);
    weir_fs_destroy(weir_simulated_disk_fs(f->disk));
    f->disk = left;
    f->options.fs = weir_simulated_disk_fs(left);
    open_all(f);
}

static inline int set_up(void **state)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    f->metrics = weir_metrics_create();
    f->disk = weir_simulated_disk_create();
    weir_arena_init(&f->arena);
    weir_buf_init(&f->begun, LETTERS);
    weir_buf_init(&f->log, LETTERS);
    f->kind = (struct weir_outbox_kind){ "fake", 4, 1, fixture_begin, fixture_describe, f };
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
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    weir_fs_destroy(weir_simulated_disk_fs(f->disk));
    weir_metrics_destroy(f->metrics);
    weir_buf_fini(&f->begun);
    weir_buf_fini(&f->log);
    weir_arena_fini(&f->arena);
    weir_free(f);
    return 0;
}

/* Begin with another kind of kind. */
static inline void use_kind(struct fixture *f, uint32_t concurrency, uint32_t batch)
{
    f->kind.concurrency = concurrency;
    f->kind.batch = batch;
    weir_outbox_register(f->outbox, WEIR_INTENT_HTTP, &f->kind);
}

static inline struct weir_intent intent(const char *payload)
{
    return (struct weir_intent){
        .kind = WEIR_INTENT_HTTP,
        .target = WEIR_STR("http://a"),
        .payload = weir_str_z(payload),
        .retry = {
            .retries = 3,
            .backoff = { .pauses_ms = { 1000, 2000, 4000 }, .count = 3 },
        },
        .dead_letter = WEIR_STR("letters"),
    };
}

static inline void add(struct fixture *f, const struct weir_intent *what)
{
    struct weir_err err;
    struct weir_txn *txn = weir_txn_create();
    must(weir_outbox_add(f->outbox, txn, what, &err), &err);
    must(weir_store_commit(f->store, txn, &err), &err);
    weir_txn_destroy(txn);
}

static inline void add_to(
        struct fixture *f, const char *target, const char *order, const char *payload)
{
    struct weir_intent what = intent(payload);
    what.target = weir_str_z(target);
    what.order = weir_str_z(order);
    add(f, &what);
}

/* Let everything that is under way end, without moving the clock. */
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
        must(weir_store_commit(f->store, txn, &err), &err);
        weir_txn_destroy(txn);
        must(weir_outbox_run(f->outbox, &err), &err);
        bool more = f->changes != before || (!f->wake_never && f->wake_after_ms == 0);
        quiet = more ? 0 : quiet + 1;
    }
}

static inline void advance(struct fixture *f, uint64_t ms)
{
    weir_clock_virtual_advance(&f->clock, ms);
    run(f);
}

static inline void assert_begun(struct fixture *f, const char *expected)
{
    weir_buf_byte(&f->begun, '\0');
    assert_string_equal(f->begun.p, expected);
    weir_buf_reset(&f->begun);
}

static inline void assert_log(struct fixture *f, const char *expected)
{
    weir_buf_byte(&f->log, '\0');
    assert_string_equal(f->log.p, expected);
    weir_buf_reset(&f->log);
}

/* End what is held, the newest first. */
static inline void release_held(struct fixture *f)
{
    while (f->held_count > 0) {
        weir_delivery_done(f->held[--f->held_count], WEIR_FAILURE_NONE, NULL, 0);
    }
    run(f);
}

/* The dead letter of an id as text; "" when there is none. */
static inline const char *letter(struct fixture *f, struct weir_str id)
{
    struct weir_entry entry;
    struct weir_err err;
    must(weir_store_get(f->store, letters_space, id, &f->arena, &entry, &err), &err);
    return weir_arena_str(&f->arena, entry.value).p;
}

static inline const char *status(struct fixture *f)
{
    struct weir_buf buf;
    weir_buf_init(&buf, LETTERS);
    weir_outbox_status(f->outbox, &buf);
    const char *text = weir_arena_str(&f->arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

/* A number of a metric that has the target, or of all targets. */
static inline double metric(struct fixture *f, const char *name, const char *target)
{
    struct weir_metric_label label = { WEIR_STR("target"), weir_str_z(target) };
    struct weir_metric_reading reading;
    weir_outbox_refresh(f->outbox);
    weir_metrics_read(f->metrics, weir_str_z(name), &label, target != NULL, &reading);
    return reading.sum;
}

/* Nothing of any intent is left in the store. */
static inline void assert_empty(struct fixture *f)
{
    struct weir_cursor *cursor = weir_cursor_create(f->store, WEIR_SPACE_INTENT);
    struct weir_entry entry;
    struct weir_str key;
    struct weir_err err;
    bool have = true;
    weir_cursor_first(cursor);
    must(weir_cursor_get(cursor, &key, &entry, &have, &err), &err);
    assert_false(have);
    weir_cursor_destroy(cursor);
    assert_string_equal(status(f), "[]");
}

#endif
