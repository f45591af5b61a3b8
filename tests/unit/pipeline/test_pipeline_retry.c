/* Targets that fail: retries, pauses, halving, ages, partial answers, and what a restart keeps. */
#include "base/buf.h"
#include "pipeline/letters.h"
#include "pipeline/pipeline_int.h"
#include "pipeline_fixture.h"

/* --- a step whose target does as it is told ------------------------------------------------ */

static struct target {
    bool slow;           /* answers only when it is resumed */
    long poison;         /* fails when a record has this n; 0: none */
    long cut;            /* does the records before the one with this n; 0: none */
    unsigned failures;   /* so many more calls fail, whatever they are about */
    unsigned blocks;     /* so many more calls find it missing */
    unsigned cancels;    /* calls that were cancelled */
    struct weir_buf log; /* a call a line: the n of its records */
    struct weir_lane *pending;
} target;

struct probe_step {
    struct weir_step base;
};

static long n_of(struct weir_event event)
{
    struct weir_value value = weir_item_get(event.record->new_image, WEIR_STR("n"));
    struct weir_decimal n = weir_value_decimal(value);
    char text[WEIR_DECIMAL_TEXT];
    size_t length = weir_decimal_format(n, text);
    text[length] = '\0';
    return strtol(text, NULL, 10);
}

static enum weir_verdict answer(struct weir_step *step, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    (void)step;
    for (size_t i = 0; i < in->count; i++) {
        long n = n_of(in->all[i]);
        if (n == target.poison || target.failures > 0) {
            target.failures -= target.failures > 0;
            weir_fail(err, WEIR_E_IO, "the target failed");
            return WEIR_STEP_RETRY;
        }
        if (n == target.cut) {
            weir_fail(err, WEIR_E_IO, "the target did not do %ld", n);
            weir_lane_cut(lane, in->all[i], err);
            return WEIR_STEP_DONE;
        }
        weir_events_add(lane, out, in->all[i]);
    }
    return WEIR_STEP_DONE;
}

static enum weir_verdict probe_run(struct weir_step *step, struct weir_lane *lane,
        const struct weir_events *in, struct weir_events *out, struct weir_err *err)
{
    for (size_t i = 0; i < in->count; i++) {
        weir_buf_printf(&target.log, "%s%ld", i > 0 ? " " : "", n_of(in->all[i]));
    }
    weir_buf_byte(&target.log, '\n');
    if (target.blocks > 0) {
        target.blocks--;
        weir_fail(err, WEIR_E_NOT_FOUND, "the target is not there");
        return WEIR_STEP_BLOCKED;
    }
    if (target.slow) {
        target.pending = lane;
        return WEIR_STEP_PENDING;
    }
    return answer(step, lane, in, out, err);
}

static void probe_cancel(struct weir_step *step, struct weir_lane *lane)
{
    (void)step;
    assert_ptr_equal(lane, target.pending);
    target.pending = NULL;
    target.cancels++;
}

static void probe_fini(struct weir_step *step)
{
    (void)step;
}

static const struct weir_option no_options[] = { { 0 } };

static const struct weir_step_ops probe_ops = {
    .name = "probe",
    .help = "Calls a target that does as it is told",
    .options = no_options,
    .size = sizeof(struct probe_step),
    .whole = true,
    .run = probe_run,
    .resume = answer,
    .cancel = probe_cancel,
    .fini = probe_fini,
};

static int set_up_probe(void **state)
{
    static const struct weir_step_ops *all[32];
    static struct weir_step_kinds kinds = { all, 0 };
    kinds.count = weir_step_kinds_all()->count;
    weir_assert(kinds.count < WEIR_COUNT(all));
    for (size_t i = 0; i < kinds.count; i++) {
        all[i] = weir_step_kinds_all()->all[i];
    }
    all[kinds.count++] = &probe_ops;
    target = (struct target){ 0 };
    weir_buf_init(&target.log, 1 << 20);
    set_up_stepped(state);
    struct bench *b = *state;
    b->kinds = &kinds;
    make_table(b, "orders");
    make_table(b, "out");
    struct weir_table letters = definition("letters", "pipeline", "sequence");
    letters.key.sort[0].type = WEIR_TYPE_S;
    assert_int_equal(create(b->f, &letters), WEIR_OK);
    return 0;
}

static int tear_down_probe(void **state)
{
    int rc = tear_down_bench(state);
    weir_buf_fini(&target.log);
    return rc;
}

/* The calls so far, and forget them. */
static const char *calls(void)
{
    const char *text = weir_arena_str(&arena, weir_buf_view(&target.log)).p;
    weir_buf_reset(&target.log);
    return text;
}

/* Records n = 1..count of one item: one lane. */
static void put_up_to(struct bench *b, int count)
{
    for (int n = 1; n <= count; n++) {
        put_n(b, "orders", "a", n);
    }
}

static bool has_call(struct bench *b)
{
    (void)b;
    return target.log.n > 0;
}

static bool is_pending(struct bench *b)
{
    (void)b;
    return target.pending != NULL;
}

static bool is_paused(struct bench *b)
{
    return status_has(b, "\"state\":\"retrying\"");
}

/* Record 6 was tried alone. */
static bool is_paused_at_six(struct bench *b)
{
    struct weir_str log = weir_buf_view(&target.log);
    bool six = log.n > 3 && memcmp(log.p + log.n - 3, "\n6\n", 3) == 0;
    return six && is_paused(b);
}

/* One pause of so many ms: nothing happens before its last one. */
static void sit_out(struct bench *b, uint64_t ms)
{
    run_until(b, is_paused);
    assert_string_equal(calls(), "");
    pass(b, ms - 1);
    run_turns(b, 20);
    assert_string_equal(calls(), "");
    pass(b, 1);
    run_until(b, has_call);
}

static void resume(struct bench *b)
{
    run_until(b, is_pending);
    weir_lane_resume(WEIR_TAKE(target.pending));
}

#define PROBE(retry)                                                                \
    "source: { table: orders, batch: 8, concurrency: 1 }\n"                         \
    "steps: [probe: {}, put: { table: out, item: { id: \"${string(new.n)}\" } }]\n" \
    "retry: " retry "\n"                                                            \
    "on_failure: { table: letters }\n"

/* Why, after how many attempts and at which step each letter's record was given up, as lines. */
static bool add_reason(void *arg, const struct weir_letter *letter)
{
    weir_buf_printf(arg, "%.*s %llu %.*s\n", WEIR_STR_ARG(letter->condition),
            (unsigned long long)letter->attempts, WEIR_STR_ARG(letter->step));
    return true;
}

static const char *reasons(struct bench *b)
{
    struct weir_letters all = { .pipeline = WEIR_STR("p") };
    struct weir_buf buf;
    struct weir_str next;
    struct weir_err err;
    weir_buf_init(&buf, 1 << 16);
    must(weir_pipelines_letters(b->pipelines, &all, &arena, add_reason, &buf, &next, &err), &err);
    const char *text = weir_arena_str(&arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

/* --- retries ------------------------------------------------------------------------------- */

static void a_failed_batch_is_tried_again_after_pauses(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 3);
    target.failures = 3;
    add_pipeline(b, "p", PROBE("{ retries: 3, backoff: [1s, 2s, 4s] }"));
    run_until(b, has_call);
    assert_string_equal(calls(), "1 2 3\n");
    sit_out(b, 1000);
    assert_string_equal(calls(), "1 2 3\n");
    sit_out(b, 2000);
    assert_string_equal(calls(), "1 2 3\n");
    sit_out(b, 4000);
    assert_string_equal(calls(), "1 2 3\n");
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 3);
    assert_int_equal(count_items(b, "letters"), 0);
    assert_int_equal(status_sum(b, "retries"), 3);
}

static void missing_targets_use_no_retries(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 3);
    target.blocks = 12;
    add_pipeline(b, "p", PROBE("{ retries: 0 }"));
    settle(b);
    AWAIT(all_is_done(b), status_of(b))
    {
        assert_true(something_blocks(b));
        pass(b, 1000);
    }
    assert_int_equal(count_items(b, "out"), 3);
    assert_int_equal(status_sum(b, "retries"), 0);
}

static void pauses_double_up_to_the_longest(void **state)
{
    struct bench *b = *state;
    static const uint64_t most[] = { 1000, 2000, 4000, 5000, 5000 };
    put_up_to(b, 1);
    target.failures = 5;
    add_pipeline(b, "p", PROBE("{ retries: 5, backoff: 1s, max_backoff: 5s }"));
    run_until(b, has_call);
    for (size_t i = 0; i < WEIR_COUNT(most); i++) {
        (void)calls();
        uint64_t pause = 0;
        for (; !has_call(b); pause++) {
            pass(b, 1);
        }
        assert_in_range(pause, most[i] / 2, most[i]);
    }
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 1);
}

/* --- halving -------------------------------------------------------------------------------- */

static void halving_finds_the_record_at_fault(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 8);
    target.poison = 6;
    add_pipeline(b, "p", PROBE("{ retries: 1, backoff: [1s] }"));
    run_until(b, has_call);
    assert_string_equal(calls(), "1 2 3 4 5 6 7 8\n");
    sit_out(b, 1000);
    run_until(b, is_paused); /* alone: it gets its retries again */
    assert_string_equal(calls(), "1 2 3 4 5 6 7 8\n"
                                 "1 2 3 4\n"
                                 "5 6\n"
                                 "5\n"
                                 "6\n");
    sit_out(b, 1000);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "6\n7 8\n");
    assert_int_equal(count_items(b, "out"), 7);
    assert_string_equal(reasons(b), "RetryAttemptsExhausted 2 probe\n");
    assert_int_equal(status_sum(b, "errors"), 1);
}

static void without_halving_the_batch_is_given_up(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 3);
    target.poison = 2;
    add_pipeline(b, "p", PROBE("{ retries: 0, bisect: false }"));
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2 3\n");
    assert_int_equal(count_items(b, "out"), 0);
    assert_string_equal(reasons(b), "RetryAttemptsExhausted 1 probe\n"
                                    "RetryAttemptsExhausted 1 probe\n"
                                    "RetryAttemptsExhausted 1 probe\n");
}

static void halving_first_uses_no_retry(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 4);
    target.poison = 1;
    add_pipeline(b, "p", PROBE("{ retries: 1, backoff: [1s], bisect: first }"));
    run_until(b, is_paused);
    assert_string_equal(calls(), "1 2 3 4\n1 2\n1\n");
    sit_out(b, 1000);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1\n2\n3 4\n");
    assert_int_equal(count_items(b, "letters"), 1);
}

static void the_rest_of_a_batch_that_is_done_in_part_is_tried_again(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 5);
    target.cut = 3;
    add_pipeline(b, "p", PROBE("{ retries: 2, backoff: [1s] }"));
    run_until(b, is_paused);
    assert_string_equal(calls(), "1 2 3 4 5\n");
    assert_int_equal(count_items(b, "out"), 2);
    sit_out(b, 1000);
    assert_string_equal(calls(), "3 4 5\n");
    sit_out(b, 1000);
    run_until(b, all_is_done); /* it is known which one is at fault: no halving */
    assert_string_equal(calls(), "3 4 5\n4 5\n");
    assert_int_equal(count_items(b, "out"), 4);
    assert_string_equal(reasons(b), "RetryAttemptsExhausted 3 probe\n");
}

static void records_that_are_too_old_are_given_up(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 2);
    target.poison = 1;
    add_pipeline(
            b, "p", PROBE("{ retries: unlimited, backoff: [10s], max_age: 15s, bisect: false }"));
    run_until(b, is_paused);
    pass(b, 5000);
    put_n(b, "orders", "a", 3);
    (void)calls();
    sit_out(b, 5000);
    assert_string_equal(calls(), "1 2\n");
    run_until(b, is_paused);
    pass(b, 10 * 1000);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "3\n");
    assert_int_equal(count_items(b, "out"), 1);
    assert_string_equal(reasons(b), "RecordAgeExceeded 2 \nRecordAgeExceeded 2 \n");
}

/* --- answers that take their time ------------------------------------------------------------- */

static void a_slow_answer_is_waited_for(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 3);
    target.slow = true;
    add_pipeline(b, "p", PROBE("{ retries: 0 }"));
    run_until(b, is_pending);
    put_n(b, "orders", "a", 4); /* behind it */
    run_turns(b, 20);
    assert_int_equal(count_items(b, "out"), 0);
    resume(b);
    resume(b);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2 3\n4\n");
    assert_int_equal(count_items(b, "out"), 4);
}

static void a_time_out_uses_a_retry(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 1);
    target.slow = true;
    add_pipeline(b, "p",
            "source: { table: orders }\n"
            "steps: [{ timeout: 30s, probe: {} }]\n"
            "retry: { retries: 1, backoff: [1s] }\n"
            "on_failure: { table: letters }\n");
    run_until(b, is_pending);
    pass(b, 30 * 1000);
    run_until(b, is_paused);
    assert_int_equal(target.cancels, 1);
    assert_true(status_has(b, "longer than its timeout"));
    (void)calls();
    sit_out(b, 1000);
    resume(b);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "letters"), 0);
}

/* What comes after the answer fails or must run again: nobody is asked twice. */
static void an_answer_is_kept_while_the_batch_runs_again(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 4);
    add_pipeline(b, "p",
            "source: { table: orders, concurrency: 1 }\n"
            "steps:\n"
            "  - let: { twice: \"${new.n * 2}\" }\n"
            "  - probe: {}\n"
            "  - put: { table: out, item: { id: \"${string(new.n)}\", twice: \"${twice}\" } }\n"
            "  - require: [\"new.n != 2\"]\n"
            "  - { id: late, put: { table: later, item: { id: \"${string(new.n)}\" } } }\n"
            "on_failure: { table: letters }\n");
    run_until(b, something_blocks);
    pass(b, 1000);
    run_until(b, something_blocks);
    make_table(b, "later");
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2 3 4\n");
    assert_int_equal(count_items(b, "out"), 3);
    assert_int_equal(count_items(b, "later"), 3);
    assert_int_equal(count_items(b, "letters"), 1);
    assert_string_equal(get_id(b, "out", "4"), "{'id':{'S':'4'},'twice':{'N':'8'}}");
}

/* Somebody who looks just then sees the same as between attempts. */
static void what_is_being_tried_again_is_stuck(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 1);
    target.failures = 1;
    add_pipeline(b, "p", PROBE("{ retries: 5, backoff: [10s] }"));
    run_until(b, is_paused);
    target.slow = true;
    pass(b, 10 * 1000);
    run_until(b, is_pending);
    assert_true(is_paused(b));
    assert_true(status_has(b, "\"reason\":\"the target failed\""));
    assert_true(status_has(b, "\"attempt\":2,"));
    resume(b);
    run_until(b, all_is_done);
    assert_true(status_has(b, "\"state\":\"running\""));
}

static void what_is_awaited_at_the_end_is_asked_again(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 2);
    target.slow = true;
    add_pipeline(b, "p", PROBE("{ retries: 0 }"));
    run_until(b, is_pending);
    b->stopped = false;
    weir_pipelines_stop(b->pipelines, note_stopped, b);
    run_turns(b, 20);
    assert_false(b->stopped); /* it may still come */
    pass(b, 5000);
    run_until(b, is_stopped);
    assert_int_equal(target.cancels, 1);
    drop_pipelines(b);
    start_pipelines(b);
    target.slow = false;
    add_pipeline(b, "p", PROBE("{ retries: 0 }"));
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2\n1 2\n");
    assert_int_equal(count_items(b, "out"), 2);
}

/* --- a source that goes ---------------------------------------------------------------------- */

/* Batches of a table that is gone are retried for a while, but not as long as they like. */
static void the_next_table_of_a_name_waits_for_retries_and_not_for_ever(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 3);
    target.failures = 1;
    add_pipeline(b, "p", PROBE("{ retries: 20, backoff: [10s], bisect: false }"));
    run_until(b, is_paused);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    make_table(b, "orders");
    put_n(b, "orders", "a", 4);
    (void)calls();
    sit_out(b, 10 * 1000); /* with success */
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2 3\n4\n");
    assert_int_equal(count_items(b, "out"), 4);
    target.poison = 5;
    put_n(b, "orders", "a", 5);
    run_until(b, is_paused);
    assert_int_equal(drop(b->f, "orders"), WEIR_OK);
    make_table(b, "orders");
    put_n(b, "orders", "a", 6);
    for (int i = 0; i < 2; i++) {
        (void)calls();
        sit_out(b, 10 * 1000);
    }
    assert_string_equal(get_id(b, "out", "6"), "");
    pass(b, 10 * 1000);
    run_until(b, all_is_done);
    assert_string_not_equal(get_id(b, "out", "6"), "");
    assert_int_equal(count_items(b, "letters"), 0);
}

/* --- restarts -----------------------------------------------------------------------------------
 */

static void attempts_survive_a_restart(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 4);
    target.poison = 3;
    add_pipeline(b, "p", PROBE("{ retries: 2, backoff: [10s], bisect: false }"));
    run_until(b, is_paused);
    (void)calls();
    sit_out(b, 10 * 1000);
    run_until(b, is_paused);
    assert_string_equal(calls(), "1 2 3 4\n");
    restart(b);
    put_n(b, "orders", "a", 5); /* no part of that batch */
    add_pipeline(b, "p", PROBE("{ retries: 2, backoff: [10s], bisect: false }"));
    run_turns(b, 30);
    assert_string_equal(calls(), ""); /* the pause goes on */
    pass(b, 10 * 1000);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "1 2 3 4\n5\n");
    assert_int_equal(count_items(b, "letters"), 4);
    assert_int_equal(count_items(b, "out"), 1);
}

static void halving_survives_a_restart(void **state)
{
    struct bench *b = *state;
    put_up_to(b, 8);
    target.poison = 6;
    add_pipeline(b, "p", PROBE("{ retries: 1, backoff: [10s] }"));
    run_until(b, is_paused);
    (void)calls();
    pass(b, 10 * 1000);
    run_until(b, is_paused_at_six);
    (void)calls();
    restart(b);
    add_pipeline(b, "p", PROBE("{ retries: 1, backoff: [10s] }"));
    run_turns(b, 30);
    assert_string_equal(calls(), "");
    pass(b, 10 * 1000);
    run_until(b, all_is_done);
    assert_string_equal(calls(), "6\n7 8\n");
    assert_int_equal(count_items(b, "letters"), 1);
    assert_int_equal(count_items(b, "out"), 7);
}

/* --- several tables ------------------------------------------------------------------------------
 */

static void several_tables_are_read(void **state)
{
    struct bench *b = *state;
    add_pipeline(b, "p",
            "source: { tables: [orders, invoices], concurrency: 2 }\n"
            "steps: [put: { table: out, item: { id: \"${new.id}\" } }]\n");
    put_n(b, "orders", "o", 1);
    assert_true(status_has(b, "waiting for source"));
    make_table(b, "invoices");
    for (int i = 0; i < 20; i++) {
        put_n(b, "invoices", weir_arena_printf(&arena, "i%d", i).p, i);
    }
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 21);
    restart(b);
    add_pipeline(b, "p",
            "source: { tables: [invoices, orders], concurrency: 7 }\n"
            "steps: [put: { table: out, item: { id: \"${new.id}\" } }]\n");
    put_n(b, "orders", "p", 1);
    run_until(b, all_is_done);
    assert_int_equal(count_items(b, "out"), 22);
    assert_int_equal(status_sum(b, "records"), 1); /* each has a position of its own */
}

#define PROBING(test) cmocka_unit_test_setup_teardown(test, set_up_probe, tear_down_probe)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        PROBING(a_failed_batch_is_tried_again_after_pauses),
        PROBING(missing_targets_use_no_retries),
        PROBING(pauses_double_up_to_the_longest),
        PROBING(halving_finds_the_record_at_fault),
        PROBING(without_halving_the_batch_is_given_up),
        PROBING(halving_first_uses_no_retry),
        PROBING(the_rest_of_a_batch_that_is_done_in_part_is_tried_again),
        PROBING(records_that_are_too_old_are_given_up),
        PROBING(a_slow_answer_is_waited_for),
        PROBING(a_time_out_uses_a_retry),
        PROBING(an_answer_is_kept_while_the_batch_runs_again),
        PROBING(what_is_being_tried_again_is_stuck),
        PROBING(what_is_awaited_at_the_end_is_asked_again),
        PROBING(the_next_table_of_a_name_waits_for_retries_and_not_for_ever),
        PROBING(attempts_survive_a_restart),
        PROBING(halving_survives_a_restart),
        PROBING(several_tables_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
