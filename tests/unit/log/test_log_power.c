/*
 * Power cuts at every operation, and operations that fail. Whatever happens: a group
 * whose sync returned OK is there exactly, one whose sync did not is there wholly or
 * not at all, and what was seen once stays.
 */
#include <stdlib.h>

#include "log_model.h"

enum { GROUPS = 40 };

static char message[128];

static const char *describe(struct model *model, uint64_t seed, uint64_t cut, unsigned session)
{
    (void)snprintf(message, sizeof(message), "seed %llu, cut at %llu, session %u",
            (unsigned long long)seed, (unsigned long long)cut, session);
    model->what = message;
    return message;
}

static enum weir_disk_cut any_cut(struct model *model)
{
    return (enum weir_disk_cut)weir_random_below(&model->random, 3);
}

/* Write until the disk stops; false when it did not. */
static bool write_until_cut(struct model *model, unsigned groups)
{
    for (unsigned i = 0; i < groups; i++) {
        struct weir_err err;
        enum weir_rc rc = model_write(model, false, &err);
        if (rc == WEIR_OK && weir_random_below(&model->random, 16) == 0) {
            rc = model_trim(model, &err);
        }
        if (weir_simulated_disk_crashed(model->disk)) {
            return true;
        }
        if (rc != WEIR_OK) {
            fail_msg("%s: %s", model->what, err.msg);
        }
    }
    return false;
}

/* Open after a cut; the opening itself may be cut at a random operation. */
static void open_after_cut(struct model *model)
{
    struct weir_err err;
    if (weir_random_below(&model->random, 2) == 0) {
        weir_simulated_disk_crash_at(model->disk, 1 + weir_random_below(&model->random, 12));
        enum weir_rc rc = model_open(model, &err);
        weir_simulated_disk_crash_at(model->disk, 0);
        bool crashed = weir_simulated_disk_crashed(model->disk);
        if (rc != WEIR_OK && !crashed) {
            fail_msg("%s: %s", model->what, err.msg);
        }
        if (crashed) {
            model_cut(model, any_cut(model));
        } else {
            model_check(model, true);
        }
    }
    if (model->log == NULL && model_open(model, &err) != WEIR_OK) {
        fail_msg("%s: %s", model->what, err.msg);
    }
    model_check(model, true);
}

/* After a cut: sometimes the process starts again on the running machine before the power goes. */
static void lose_power(struct model *model)
{
    struct weir_err err;
    if (weir_random_below(&model->random, 3) == 0) {
        model_kill(model);
        if (model_open(model, &err) != WEIR_OK) {
            fail_msg("%s: started again: %s", model->what, err.msg);
        }
        model_check(model, true); /* what it shows is durable from now on */
        model_cut(model, WEIR_DISK_DROP);
    } else {
        model_cut(model, any_cut(model));
    }
}

/* Cut at the nth operation, go on, cut again twice; false when n is past the end. */
static bool run(uint64_t seed, uint64_t nth)
{
    struct model *model = model_create(seed * 1000003 + nth);
    model->options.no_thread = seed % 4 != 0; /* with the thread, operations interleave by chance */
    weir_simulated_disk_crash_at(model->disk, nth);
    struct weir_err err;
    bool cut = true;
    describe(model, seed, nth, 0);
    enum weir_rc rc = model_open(model, &err);
    if (rc == WEIR_OK) {
        cut = write_until_cut(model, GROUPS);
    } else {
        assert_true(weir_simulated_disk_crashed(model->disk));
    }
    for (unsigned session = 1; session <= 3; session++) {
        describe(model, seed, nth, session);
        lose_power(model);
        open_after_cut(model);
        if (session < 3) {
            weir_simulated_disk_crash_at(
                    model->disk, 1 + weir_random_below(&model->random, GROUPS * 4));
            (void)write_until_cut(model, GROUPS);
        }
    }
    model_destroy(model);
    return cut;
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
    for (uint64_t seed = 1; seed <= seeds(12); seed++) {
        uint64_t nth = 1;
        while (run(seed, nth)) {
            nth++;
        }
        cuts += nth;
    }
    print_message("%llu cuts\n", (unsigned long long)cuts);
}

/* One operation fails with an error and the log goes on. */
static bool run_fault(
        uint64_t seed, enum weir_disk_operation operation, uint64_t nth, enum weir_rc with)
{
    struct model *model = model_create(seed * 1000003 + nth);
    struct weir_err err;
    (void)snprintf(message, sizeof(message), "seed %llu, operation %d fails the %lluth time",
            (unsigned long long)seed, (int)operation, (unsigned long long)nth);
    model->what = message;
    model->options.ballast = seed % 2 == 0;
    weir_simulated_disk_fail(model->disk, operation, nth, with);
    uint64_t before = weir_simulated_disk_count(model->disk, operation);
    unsigned failures = 0;
    if (model_open(model, &err) != WEIR_OK) {
        failures++;
        if (model_open(model, &err) != WEIR_OK) {
            fail_msg("%s: does not open: %s", model->what, err.msg);
        }
    }
    for (unsigned i = 0; i < GROUPS; i++) {
        enum weir_rc rc = model_write(model, false, &err);
        if (rc == WEIR_OK && i % 8 == 7) {
            rc = model_trim(model, &err);
        }
        failures += rc != WEIR_OK ? 1 : 0;
        if (weir_random_below(&model->random, 8) == 0) {
            model_check(model, false);
        }
    }
    if (failures > 2) {
        fail_msg("%s: %u failures, the last: %s", model->what, failures, err.msg);
    }
    bool reached = weir_simulated_disk_count(model->disk, operation) - before >= nth;
    weir_simulated_disk_fail(model->disk, operation, 0, with);
    /* Sometimes the process starts again without a power cut and must not trust what it reads. */
    if (weir_random_below(&model->random, 2) == 0) {
        if (model_open(model, &err) != WEIR_OK) {
            fail_msg("%s: does not open again: %s", model->what, err.msg);
        }
        model_check(model, true);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(model_write(model, false, &err), WEIR_OK);
        }
    }
    lose_power(model);
    open_after_cut(model);
    model_destroy(model);
    return reached;
}

static void any_operation_may_fail_once(void **state)
{
    (void)state;
    static const enum weir_disk_operation operations[] = { WEIR_DISK_WRITE, WEIR_DISK_SYNC,
        WEIR_DISK_CREATE, WEIR_DISK_TRUNCATE, WEIR_DISK_RENAME, WEIR_DISK_REMOVE,
        WEIR_DISK_MAKE_DIR, WEIR_DISK_SYNC_DIR, WEIR_DISK_LIST };
    for (size_t i = 0; i < WEIR_COUNT(operations); i++) {
        for (uint64_t seed = 1; seed <= seeds(12); seed++) {
            enum weir_rc with = seed % 3 == 0 ? WEIR_E_READ_ONLY : WEIR_E_IO;
            for (uint64_t nth = 1; run_fault(seed, operations[i], nth, with); nth++) {
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_may_be_the_last),
        cmocka_unit_test(any_operation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
