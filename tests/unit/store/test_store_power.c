/*
 * Power cuts and failing operations under the store, against a naive twin: what was acknowledged
 * is there after opening again, what was not is there wholly or not at all. The state is made
 * from the log at each opening.
 */
#include "base/random.h"
#include "simulated_disk.h"
#include "store_fixture.h"

enum {
    KEYS = 12,
    SPACES = 2,
    CHANGES_MAX = 4,
    GROUP_MAX = 4,
    VALUE_MAX = 2000, /* so that segments of 64 KiB fill */
    TEXT_BYTES = 16,
};

/* A value is its text and filling up to a length. */
struct value {
    char text[TEXT_BYTES]; /* empty: there is none */
    size_t n;
};

struct twin {
    struct value values[SPACES][KEYS];
};

enum action { PUT, DELETE, DROP, APPEND };

struct action_of {
    enum action action;
    unsigned space;
    unsigned key;
    struct value value;
};

/* One transaction: what it does, and its operation. */
struct job {
    struct weir_txn *txn;
    struct weir_op op;
    struct action_of actions[CHANGES_MAX];
    size_t count;
};

struct model {
    struct fixture *fixture;
    struct weir_simulated_disk *disk;
    struct weir_random random;
    struct twin twin;                   /* what was acknowledged */
    struct twin unknown[GROUP_MAX + 1]; /* what may be there instead */
    size_t unknown_count;
    unsigned number;
    char what[100];
};

static const char *const keys[KEYS] = { "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9",
    "k10", "k11" };

/* --- the twin ---------------------------------------------------------------------- */

static void append(struct value *value)
{
    size_t n = strlen(value->text);
    if (n + 1 == TEXT_BYTES) {
        n = 0;
    }
    value->text[n] = 'x';
    value->text[n + 1] = '\0';
    value->n = TEXT_BYTES;
}

static void twin_do(struct twin *twin, const struct job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        const struct action_of *a = &job->actions[i];
        struct value *value = &twin->values[a->space][a->key];
        switch (a->action) {
        case PUT:
            *value = a->value;
            break;
        case DELETE:
            *value = (struct value){ 0 };
            break;
        case DROP:
            memset(twin->values[a->space], 0, sizeof(twin->values[a->space]));
            break;
        case APPEND:
            append(value);
            break;
        }
    }
}

static bool twin_is(struct model *model, const struct twin *twin)
{
    struct fixture *f = model->fixture;
    bool same = true;
    weir_arena_reset(&f->arena);
    for (unsigned space = 0; space < SPACES; space++) {
        for (unsigned key = 0; key < KEYS; key++) {
            const struct value *value = &twin->values[space][key];
            struct weir_entry found = entry(f, SPACE + space, keys[key]);
            same = same && (found.pos.seq != 0) == (value->n > 0) && found.value.n == value->n &&
                   (value->n == 0 || memcmp(found.value.p, value->text, TEXT_BYTES) == 0);
        }
    }
    return same;
}

/* Whether the store holds what it must; what was unknown is known from now on. */
static void check(struct model *model)
{
    for (size_t i = 0; i < model->unknown_count; i++) {
        if (twin_is(model, &model->unknown[i])) {
            model->twin = model->unknown[i];
            model->unknown_count = 0;
            return;
        }
    }
    model->unknown_count = 0;
    if (!twin_is(model, &model->twin)) {
        fail_msg("%s: the state is not what was acknowledged", model->what);
    }
}

/* --- transactions ------------------------------------------------------------------------ */

static enum weir_rc run_job(struct weir_op *op, struct weir_view *view, struct weir_err *err)
{
    struct job *job = WEIR_CONTAINER(op, struct job, op);
    for (size_t i = 0; i < job->count; i++) {
        const struct action_of *a = &job->actions[i];
        if (a->action != APPEND) {
            continue;
        }
        struct weir_entry found;
        struct value value = { 0 };
        struct weir_str key = weir_str_z(keys[a->key]);
        enum weir_rc rc = weir_view_get(view, SPACE + a->space, key, &found, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (found.pos.seq != 0) {
            memcpy(value.text, found.value.p, TEXT_BYTES);
        }
        append(&value);
        weir_view_put(view, SPACE + a->space, key,
                weir_arena_str(weir_view_arena(view), weir_str(value.text, TEXT_BYTES)));
    }
    return WEIR_OK;
}

static void random_action(struct model *model, struct action_of *action)
{
    struct weir_random *random = &model->random;
    action->space = (unsigned)weir_random_below(random, SPACES);
    action->key = (unsigned)weir_random_below(random, KEYS);
    uint64_t dice = weir_random_below(random, 40);
    action->action = dice < 24 ? PUT : dice < 32 ? DELETE : APPEND;
    snprintf(action->value.text, TEXT_BYTES, "%u", ++model->number);
    action->value.n = TEXT_BYTES + weir_random_below(random, VALUE_MAX - TEXT_BYTES);
}

static void add_prepared(struct weir_txn *txn, const struct action_of *a)
{
    char *bytes = weir_arena_zero(&txn->arena, 1, VALUE_MAX);
    memcpy(bytes, a->value.text, TEXT_BYTES);
    struct weir_change drop = { .kind = WEIR_CHANGE_DROP, .space = SPACE + a->space };
    switch (a->action) {
    case PUT:
        weir_txn_put(txn, SPACE + a->space, weir_str_z(keys[a->key]), weir_str(bytes, a->value.n));
        break;
    case DELETE:
        weir_txn_delete(txn, SPACE + a->space, weir_str_z(keys[a->key]));
        break;
    case DROP:
        weir_txn_add(txn, &drop);
        break;
    case APPEND:
        break; /* the operation's */
    }
}

/* Operations come after prepared changes, and a dropped keyspace is dropped alone. */
static void random_job(struct model *model, struct job *job)
{
    job->txn = weir_txn_create();
    job->count = 1 + weir_random_below(&model->random, CHANGES_MAX);
    size_t prepared = 0;
    for (size_t i = 0; i < job->count; i++) {
        random_action(model, &job->actions[i]);
        if (job->actions[i].action != APPEND) {
            struct action_of moved = job->actions[prepared];
            job->actions[prepared++] = job->actions[i];
            if (i >= prepared) {
                job->actions[i] = moved;
            }
        }
    }
    if (weir_random_below(&model->random, 25) == 0) {
        job->count = 1;
        job->actions[0].action = DROP;
    }
    for (size_t i = 0; i < job->count; i++) {
        add_prepared(job->txn, &job->actions[i]);
    }
    job->op.run = run_job;
    weir_txn_op(job->txn, &job->op);
}

/*
 * Commit a few transactions together, most often as one group; false when the outcome of one
 * is unknown or it was refused.
 */
static bool commit_some(struct model *model)
{
    struct job jobs[GROUP_MAX] = { 0 };
    struct outcomes outcomes;
    struct gate gate;
    size_t count = 1 + weir_random_below(&model->random, GROUP_MAX);
    sem_init(&outcomes.done, 0, 0);
    gate_close(&gate, model->fixture->store);
    for (size_t i = 0; i < count; i++) {
        random_job(model, &jobs[i]);
        submit(model->fixture, jobs[i].txn, &outcomes);
    }
    gate_open(&gate);
    await_outcomes(&outcomes, count);
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        enum weir_rc rc = jobs[i].txn->rc;
        if (rc == WEIR_OK) {
            model->unknown_count = 0; /* a later group settles what was unknown */
            twin_do(&model->twin, &jobs[i]);
        } else if (rc == WEIR_E_UNKNOWN_OUTCOME) {
            size_t n = model->unknown_count;
            model->unknown[n] = n > 0 ? model->unknown[n - 1] : model->twin;
            twin_do(&model->unknown[n], &jobs[i]);
            model->unknown_count++;
        } else if (rc != WEIR_E_READ_ONLY) {
            fail_msg("%s: %s", model->what, jobs[i].txn->err.msg);
        }
        all = all && rc == WEIR_OK;
        weir_txn_destroy(jobs[i].txn);
    }
    sem_destroy(&outcomes.done);
    return all;
}

/* --- sessions -------------------------------------------------------------------------------- */

static struct model *model_create(uint64_t seed)
{
    struct model *model = weir_alloc_zero(1, sizeof(*model));
    model->fixture = fixture_create();
    model->disk = weir_simulated_disk_create();
    weir_random_seed(&model->random, seed);
    struct weir_store_options *options = &model->fixture->options;
    options->fs = weir_simulated_disk_fs(model->disk);
    options->dir = "data";
    options->discard_state = true;
    options->memory_bytes = 1 << 20;
    options->segment_bytes = 64 * 1024;
    options->log_max_bytes = 1ull << 40;
    return model;
}

static void model_destroy(struct model *model)
{
    fixture_destroy(model->fixture);
    weir_fs_destroy(weir_simulated_disk_fs(model->disk));
    weir_free(model);
}

static bool try_open(struct model *model, struct weir_err *err)
{
    return weir_store_open(&model->fixture->options, &model->fixture->store, err) == WEIR_OK;
}

/* Pull the plug: what is left of the disk is the new disk. */
static void cut(struct model *model)
{
    close_store(model->fixture);
    struct weir_simulated_disk *left = weir_simulated_disk_cut(
            model->disk, &model->random, (enum weir_disk_cut)weir_random_below(&model->random, 3));
    weir_fs_destroy(weir_simulated_disk_fs(model->disk));
    model->disk = left;
    model->fixture->options.fs = weir_simulated_disk_fs(left);
}

static void write_until_cut(struct model *model, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        if (!commit_some(model)) {
            assert_true(weir_simulated_disk_crashed(model->disk));
            return;
        }
    }
}

/* Write with a power cut at the nth operation, and go on after it; false when n is past the end. */
static bool run(uint64_t seed, uint64_t nth)
{
    enum { GROUPS = 14 };
    struct model *model = model_create(seed);
    snprintf(model->what, sizeof(model->what), "seed %llu, cut at %llu", (unsigned long long)seed,
            (unsigned long long)nth);
    weir_simulated_disk_crash_at(model->disk, nth);
    struct weir_err err;
    if (try_open(model, &err)) {
        write_until_cut(model, GROUPS);
    } else {
        assert_true(weir_simulated_disk_crashed(model->disk));
    }
    bool crashed = weir_simulated_disk_crashed(model->disk);
    cut(model);
    if (!try_open(model, &err)) {
        fail_msg("%s: %s", model->what, err.msg);
    }
    check(model);
    weir_simulated_disk_crash_at(model->disk, 1 + weir_random_below(&model->random, 12));
    write_until_cut(model, 2);
    cut(model);
    if (!try_open(model, &err)) {
        fail_msg("%s, once more: %s", model->what, err.msg);
    }
    check(model);
    assert_true(commit_some(model));
    check(model);
    model_destroy(model);
    return crashed;
}

static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("WEIR_TEST_SEEDS"); /* more for long runs */
    return text != NULL ? strtoull(text, NULL, 10) : usual;
}

static void every_operation_may_be_the_last(void **state)
{
    (void)state;
    uint64_t cuts = 0;
    for (uint64_t seed = 1; seed <= seeds(10); seed++) {
        uint64_t nth = 1;
        while (run(seed, nth)) {
            nth++;
        }
        cuts += nth;
    }
    print_message("%llu cuts\n", (unsigned long long)cuts);
}

/* One operation of a kind fails once; false when there are fewer than n. */
static bool run_fault(uint64_t seed, enum weir_disk_operation operation, uint64_t nth)
{
    enum { GROUPS = 10 };
    struct model *model = model_create(seed);
    struct weir_err err;
    snprintf(model->what, sizeof(model->what), "seed %llu, operation %d fails at %llu",
            (unsigned long long)seed, (int)operation, (unsigned long long)nth);
    weir_simulated_disk_fail(model->disk, operation, nth, WEIR_E_IO);
    bool opened = try_open(model, &err);
    if (!opened && !try_open(model, &err)) { /* the second time nothing fails */
        fail_msg("%s: %s", model->what, err.msg);
    }
    int failures = 0;
    for (int i = 0; i < GROUPS; i++) {
        failures += commit_some(model) ? 0 : 1;
        if (!twin_is(model, &model->twin)) {
            fail_msg("%s: the state is not what was acknowledged", model->what);
        }
    }
    assert_true(failures <= 1);
    bool reached = weir_simulated_disk_count(model->disk, operation) >= nth;
    weir_simulated_disk_fail(model->disk, operation, 0, WEIR_OK);
    if (weir_random_below(&model->random, 2) == 0) {
        cut(model);
    } else {
        close_store(model->fixture);
    }
    if (!try_open(model, &err)) {
        fail_msg("%s, once more: %s", model->what, err.msg);
    }
    check(model);
    assert_true(commit_some(model));
    check(model);
    model_destroy(model);
    return reached;
}

static void every_operation_may_fail(void **state)
{
    (void)state;
    static const enum weir_disk_operation operations[] = { WEIR_DISK_WRITE, WEIR_DISK_SYNC,
        WEIR_DISK_CREATE, WEIR_DISK_RENAME, WEIR_DISK_SYNC_DIR };
    for (uint64_t seed = 1; seed <= seeds(2); seed++) {
        for (size_t i = 0; i < WEIR_COUNT(operations); i++) {
            for (uint64_t nth = 1; run_fault(seed, operations[i], nth); nth++) {
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_may_be_the_last),
        cmocka_unit_test(every_operation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
