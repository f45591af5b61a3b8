/* What the store's tests share: a store with a virtual clock, and short ways to use it. */
#ifndef WEIR_TESTS_UNIT_STORE_FIXTURE_H
#define WEIR_TESTS_UNIT_STORE_FIXTURE_H

#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../await.h"
#include "base/mem.h"
#include "store/store.h"

enum { SPACE = 2000, OTHER_SPACE = 2001 };

struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_store_options options;
    struct weir_store *store;
    struct weir_arena arena;
    char dir[64]; /* empty: in memory */
};

static inline void open_store(struct fixture *f)
{
    struct weir_err err;
    if (weir_store_open(&f->options, &f->store, &err) != WEIR_OK) {
        fail_msg("open: %s", err.msg);
    }
}

static inline void close_store(struct fixture *f)
{
    weir_store_close(WEIR_TAKE(f->store));
}

static inline void reopen_store(struct fixture *f)
{
    close_store(f);
    open_store(f);
}

static inline struct fixture *fixture_create(void)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    f->metrics = weir_metrics_create();
    f->options.clock = &f->clock.base;
    f->options.metrics = f->metrics;
    weir_arena_init(&f->arena);
    return f;
}

static inline void fixture_use_folder(struct fixture *f)
{
    snprintf(f->dir, sizeof(f->dir), "/tmp/weir-test-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->options.dir = f->dir;
}

static inline int remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_destroy(struct fixture *f)
{
    weir_store_close(f->store);
    if (f->dir[0] != '\0') {
        remove_folder(f->dir);
    }
    weir_metrics_destroy(f->metrics);
    weir_arena_fini(&f->arena);
    weir_free(f);
}

static inline void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

/* Commit and destroy; the outcome. */
static inline enum weir_rc commit(struct fixture *f, struct weir_txn *txn)
{
    enum weir_rc rc = weir_store_commit(f->store, txn, NULL);
    weir_txn_destroy(txn);
    return rc;
}

static inline void put(struct fixture *f, uint32_t space, const char *key, const char *value)
{
    struct weir_txn *txn = weir_txn_create();
    weir_txn_put(txn, space, weir_str_z(key), weir_str_z(value));
    assert_int_equal(commit(f, txn), WEIR_OK);
}

static inline void del(struct fixture *f, uint32_t space, const char *key)
{
    struct weir_txn *txn = weir_txn_create();
    weir_txn_delete(txn, space, weir_str_z(key));
    assert_int_equal(commit(f, txn), WEIR_OK);
}

static inline struct weir_entry entry(struct fixture *f, uint32_t space, const char *key)
{
    struct weir_entry entry;
    struct weir_err err;
    must(weir_store_get(f->store, space, weir_str_z(key), &f->arena, &entry, &err), &err);
    return entry;
}

/* The value as text; NULL when there is none. */
static inline const char *value(struct fixture *f, uint32_t space, const char *key)
{
    struct weir_entry found = entry(f, space, key);
    return found.pos.seq == 0 ? NULL : weir_arena_str(&f->arena, found.value).p;
}

static inline void assert_value(struct fixture *f, uint32_t space, const char *key, const char *is)
{
    const char *found = value(f, space, key);
    if (is == NULL) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_string_equal(found, is);
    }
}

/*
 * Keeps the commit thread busy: what is submitted between gate_close and gate_open stands
 * in its queue together, so it becomes one group.
 */
struct gate {
    struct weir_txn *txn;
    struct weir_op op;
    sem_t entered;
    sem_t may_leave;
    sem_t done;
};

static inline enum weir_rc gate_run(
        struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    (void)view;
    (void)err;
    struct gate *gate = WEIR_CONTAINER(op, struct gate, op);
    sem_post(&gate->entered);
    sem_wait(&gate->may_leave);
    return WEIR_OK;
}

static inline void gate_done(struct weir_txn *txn)
{
    struct gate *gate = txn->arg;
    sem_post(&gate->done);
}

static inline void gate_close(struct gate *gate, struct weir_store *store)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->may_leave, 0, 0);
    sem_init(&gate->done, 0, 0);
    gate->txn = weir_txn_create();
    gate->op.run = gate_run;
    weir_txn_op(gate->txn, &gate->op);
    gate->txn->done = gate_done;
    gate->txn->arg = gate;
    weir_store_submit(store, gate->txn);
    await_semaphore(&gate->entered, "the gate's transaction to run");
}

static inline void gate_open(struct gate *gate)
{
    sem_post(&gate->may_leave);
    await_semaphore(&gate->done, "the gate's transaction to end");
    weir_txn_destroy(gate->txn);
    sem_destroy(&gate->entered);
    sem_destroy(&gate->may_leave);
    sem_destroy(&gate->done);
}

/* Counts outcomes of transactions that were submitted together; they stay the test's. */
struct outcomes {
    sem_t done;
};

static inline void outcome_arrived(struct weir_txn *txn)
{
    struct outcomes *outcomes = txn->arg;
    sem_post(&outcomes->done);
}

static inline void submit(struct fixture *f, struct weir_txn *txn, struct outcomes *outcomes)
{
    txn->done = outcome_arrived;
    txn->arg = outcomes;
    weir_store_submit(f->store, txn);
}

static inline void await_outcomes(struct outcomes *outcomes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        await_semaphore(&outcomes->done, "an outcome");
    }
}

/* A counter's value, of all stores that the fixture has opened. */
static inline uint64_t counter(struct fixture *f, const char *name)
{
    struct weir_buf text;
    weir_buf_init(&text, 1 << 20);
    weir_metrics_write(f->metrics, &text);
    weir_buf_byte(&text, '\0');
    uint64_t sum = 0;
    size_t n = strlen(name);
    for (const char *at = strstr(text.p, name); at != NULL; at = strstr(at + n, name)) {
        if (strncmp(at + n, "{} ", 3) == 0) {
            sum += strtoull(at + n + 3, NULL, 10);
        }
    }
    weir_buf_fini(&text);
    return sum;
}

/* --- set-up and tear-down of cmocka --- */

static inline int set_up(void **state)
{
    struct fixture *f = fixture_create();
    open_store(f);
    *state = f;
    return 0;
}

static inline int set_up_folder(void **state)
{
    struct fixture *f = fixture_create();
    fixture_use_folder(f);
    open_store(f);
    *state = f;
    return 0;
}

static inline int set_up_closed(void **state)
{
    *state = fixture_create();
    return 0;
}

static inline int tear_down(void **state)
{
    fixture_destroy(*state);
    return 0;
}

#define IN_MEMORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define ON_DISK(test)   cmocka_unit_test_setup_teardown(test, set_up_folder, tear_down)
#define CLOSED(test)    cmocka_unit_test_setup_teardown(test, set_up_closed, tear_down)

#endif
