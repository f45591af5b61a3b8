/* Alarms on virtual time: statistics, missing data, flapping, restarts. */
#include <stdio.h>

#include "../test.h"
#include "alarm/alarm_int.h"
#include "base/mem.h"

enum { LOG_BYTES = 8192 };

/* A store in memory with a virtual clock, a metric, and what alarms ask of their host. */
struct fixture {
    struct weir_clock_virtual clock;
    struct weir_metrics *metrics;
    struct weir_store *store;
    struct weir_alarm_model model;
    struct weir_metric_label label;
    struct weir_alarm_action action;
    struct weir_alarms *alarms;
    struct weir_gauge *gauge;
    struct weir_counter *counter;
    uint64_t wake_ms; /* what was asked for last */
    size_t runs;
    size_t refreshes;
    char log[LOG_BYTES]; /* "OK->ALARM " for each action */
    char reason[LOG_BYTES];
    char sent[LOG_BYTES]; /* bodies of messages that were committed */
    char sent_id[64];
    size_t held; /* messages that are not released */
    bool refuse; /* sending fails on the commit thread */
};

static void wake_at(void *arg, uint64_t after_ms)
{
    struct fixture *f = arg;
    f->wake_ms = after_ms;
}

static void refresh(void *arg)
{
    struct fixture *f = arg;
    f->refreshes++;
}

static void note(void *arg, const struct weir_alarm_change *change)
{
    struct fixture *f = arg;
    size_t n = strlen(f->log);
    snprintf(f->log + n, sizeof(f->log) - n, "%s->%s ", weir_alarm_state_name(change->from),
            weir_alarm_state_name(change->to));
    snprintf(f->reason, sizeof(f->reason), "%.*s", WEIR_STR_ARG(change->reason));
}

struct send_op {
    struct weir_op op;
    struct fixture *f;
    struct weir_str queue;
    struct weir_str body;
};

static enum weir_rc run_send(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct send_op *op = WEIR_CONTAINER(base, struct send_op, op);
    if (op->f->refuse) {
        return weir_fail(err, WEIR_E_READ_ONLY, "not now");
    }
    weir_view_put(view, 3000, op->queue, op->body);
    return WEIR_OK;
}

static enum weir_rc send_message(void *arg, struct weir_txn *txn,
        const struct weir_alarm_message *message, const void **ret_held, struct weir_err *err)
{
    (void)err;
    struct fixture *f = arg;
    struct send_op *op = WEIR_ARENA_NEW(&txn->arena, struct send_op);
    op->op.run = run_send;
    op->f = f;
    op->queue = message->queue;
    op->body = message->body;
    snprintf(f->sent_id, sizeof(f->sent_id), "%.*s/%.*s", WEIR_STR_ARG(message->alarm),
            WEIR_STR_ARG(message->id));
    f->held++;
    *ret_held = f;
    weir_txn_op(txn, &op->op);
    return WEIR_OK;
}

static void release(void *arg, const void *held)
{
    struct fixture *f = arg;
    assert_ptr_equal(held, f);
    assert_true(f->held > 0);
    f->held--;
}

static void start_alarms(struct fixture *f)
{
    struct weir_err err = { 0 };
    struct weir_alarms_options options = {
        .store = f->store,
        .metrics = f->metrics,
        .host = { wake_at, refresh, note, send_message, release, f },
        .models = &f->model,
        .count = 1,
    };
    if (weir_alarms_create(&options, &f->alarms, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(weir_alarms_run(f->alarms, &err), WEIR_OK);
}

static int set_up(void **state)
{
    struct fixture *f = weir_alloc_zero(1, sizeof(*f));
    struct weir_err err = { 0 };
    weir_clock_virtual_init(&f->clock, (struct weir_time){ 1700000000000 });
    f->metrics = weir_metrics_create();
    struct weir_store_options options = { .clock = &f->clock.base, .metrics = f->metrics };
    if (weir_store_open(&options, &f->store, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    f->model = (struct weir_alarm_model){
        .name = WEIR_STR("lag"),
        .metric = WEIR_STR("g"),
        .statistic = WEIR_ALARM_MAX,
        .period_ms = 60 * 1000,
        .periods = 2,
        .datapoints = 2,
        .comparison = WEIR_ALARM_ABOVE,
        .threshold = 10,
    };
    for (size_t i = 0; i < WEIR_ALARM_STATES; i++) {
        f->model.actions[i] = (struct weir_alarm_actions){ &f->action, 1 };
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    weir_store_close(f->store);
    weir_alarms_destroy(f->alarms);
    assert_int_equal(f->held, 0);
    weir_metrics_destroy(f->metrics);
    weir_free(f);
    return 0;
}

static void make_gauge(struct fixture *f)
{
    f->gauge = weir_metrics_gauge(f->metrics, "g", "p=\"x\"", "A gauge");
}

static void make_counter(struct fixture *f)
{
    f->counter = weir_metrics_counter(f->metrics, "c_total", "p=\"x\"", "A counter");
    f->model.metric = WEIR_STR("c_total");
    f->model.statistic = WEIR_ALARM_RATE;
    f->model.periods = f->model.datapoints = 1;
}

/* What was submitted has been stored once another transaction is. */
static void settle(struct fixture *f)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    weir_txn_put(txn, 3001, WEIR_STR("k"), WEIR_STR("v"));
    assert_int_equal(weir_store_commit(f->store, txn, NULL), WEIR_OK);
    weir_txn_destroy(txn);
}

/* Let time pass, as a loop would: whenever it was asked to, it runs the alarms. */
static void pass(struct fixture *f, uint64_t ms)
{
    while (f->wake_ms <= ms) {
        struct weir_err err = { 0 };
        ms -= f->wake_ms;
        weir_clock_virtual_advance(&f->clock, f->wake_ms);
        f->runs++;
        enum weir_rc rc = weir_alarms_run(f->alarms, &err);
        assert_true(rc == WEIR_OK || f->refuse);
        settle(f);
    }
    weir_clock_virtual_advance(&f->clock, ms);
    f->wake_ms -= ms;
}

static void pass_periods(struct fixture *f, uint64_t periods)
{
    pass(f, periods * f->model.period_ms);
}

/* One period in which the gauge shows this all the time. */
static void period(struct fixture *f, int64_t value)
{
    weir_gauge_set(f->gauge, value);
    pass_periods(f, 1);
}

static const char *shown(struct fixture *f)
{
    static char text[LOG_BYTES];
    struct weir_buf buf;
    weir_buf_init(&buf, LOG_BYTES);
    weir_alarms_write(f->alarms, &buf);
    snprintf(text, sizeof(text), "%.*s", WEIR_STR_ARG(weir_buf_view(&buf)));
    weir_buf_fini(&buf);
    return text;
}

static void assert_shown(struct fixture *f, const char *part)
{
    if (strstr(shown(f), part) == NULL) {
        fail_msg("%s\nlacks %s", shown(f), part);
    }
}

static int64_t state_metric(struct fixture *f)
{
    struct weir_metric_reading reading;
    weir_metrics_read(f->metrics, WEIR_STR("weir_alarm_state"), NULL, 0, &reading);
    return (int64_t)reading.least;
}

/* --- states and actions --------------------------------------------------------------------- */

static void an_alarm_goes_off_and_ends(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    start_alarms(f);
    assert_shown(f, "\"state\":\"INSUFFICIENT_DATA\",\"since\":\"2023-11-14T22:13:20.000Z\"");
    assert_int_equal(state_metric(f), 2);
    period(f, 10);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK ");
    period(f, 11);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK ");
    assert_shown(f, "\"value\":11,");
    period(f, 12);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ");
    assert_string_equal(f->reason,
            "Threshold Crossed: 2 out of the last 2 datapoints [12 (2023-11-14T22:15:20.000Z), 11 "
            "(2023-11-14T22:14:20.000Z)] were greater than the threshold (10) (minimum 2 "
            "datapoints for OK -> ALARM transition)");
    assert_int_equal(state_metric(f), 1);
    assert_shown(f, "\"state\":\"ALARM\",\"since\":\"2023-11-14T22:16:20.000Z\",\"value\":12,");
    pass_periods(f, 5);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ");
    period(f, 3);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ALARM->OK ");
    assert_string_equal(f->reason,
            "Threshold Crossed: 1 out of the last 2 datapoints [3 (2023-11-14T22:21:20.000Z)] was "
            "not greater than the threshold (10) (minimum 1 datapoint for ALARM -> OK "
            "transition)");
    assert_int_equal(state_metric(f), 0);
}

static void a_bound_that_is_crossed_now_and_then_does_not_flap(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->model.periods = 4;
    f->model.datapoints = 3;
    start_alarms(f);
    for (int i = 0; i < 10; i++) {
        period(f, i % 2 == 0 ? 0 : 20);
    }
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK ");
    period(f, 20);
    period(f, 20); /* 0 20 20 20 */
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ");
    period(f, 0); /* 20 20 20 0 */
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ");
    period(f, 0);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->ALARM ALARM->OK ");
}

static void the_actions_of_each_state_are_its_own(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->model.periods = f->model.datapoints = 1;
    f->model.actions[WEIR_ALARM_OK].count = 0;
    start_alarms(f);
    period(f, 0);
    period(f, 20);
    period(f, 0);
    period(f, 20);
    assert_string_equal(f->log, "OK->ALARM OK->ALARM ");
}

static void nobody_looks_more_often_than_it_takes(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    start_alarms(f);
    period(f, 0);
    pass(f, 1000); /* whether the change of state was stored */
    f->runs = 0;
    pass_periods(f, 10);
    assert_int_equal(f->runs, 60);
}

static void counters_are_looked_at_once_a_period(void **state)
{
    struct fixture *f = *state;
    make_counter(f);
    start_alarms(f);
    pass_periods(f, 1);
    pass(f, 1000);
    f->runs = 0;
    f->refreshes = 0;
    pass_periods(f, 10);
    assert_int_equal(f->runs, 10);
    assert_int_equal(f->refreshes, 10);
}

/* --- statistics ------------------------------------------------------------------------------- */

/* The datapoint of a period in which the gauge shows 1, 2, 3, 4, 5 and 9. */
static void assert_statistic(
        struct fixture *f, enum weir_alarm_statistic statistic, const char *value)
{
    f->model.statistic = statistic;
    make_gauge(f);
    start_alarms(f);
    pass_periods(f, 1);
    for (int64_t i = 1; i <= 6; i++) {
        weir_gauge_set(f->gauge, i < 6 ? i : 9);
        pass(f, f->model.period_ms / 6);
    }
    assert_shown(f, value);
}

static void the_least(void **state)
{
    assert_statistic(*state, WEIR_ALARM_MIN, "\"value\":1,");
}

static void the_most(void **state)
{
    assert_statistic(*state, WEIR_ALARM_MAX, "\"value\":9,");
}

static void the_average(void **state)
{
    assert_statistic(*state, WEIR_ALARM_AVERAGE, "\"value\":4,");
}

static void the_sum(void **state)
{
    assert_statistic(*state, WEIR_ALARM_SUM, "\"value\":24,");
}

static void how_much_a_counter_grew(void **state)
{
    struct fixture *f = *state;
    make_counter(f);
    weir_counter_add(f->counter, 1000); /* before the alarm looked first */
    start_alarms(f);
    weir_counter_add(f->counter, 4);
    pass(f, 30 * 1000);
    weir_counter_add(f->counter, 6);
    pass(f, 30 * 1000);
    assert_shown(f, "\"state\":\"OK\"");
    assert_shown(f, "\"value\":10,");
    weir_counter_add(f->counter, 11);
    pass_periods(f, 1);
    assert_shown(f, "\"state\":\"ALARM\"");
    pass_periods(f, 1);
    assert_shown(f, "\"value\":0,");
    assert_shown(f, "\"state\":\"OK\"");
}

static void the_sum_of_a_counter_is_how_much_it_grew(void **state)
{
    struct fixture *f = *state;
    make_counter(f);
    f->model.statistic = WEIR_ALARM_SUM;
    weir_counter_add(f->counter, 5);
    start_alarms(f);
    weir_counter_add(f->counter, 7);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":7,");
}

static void a_counter_that_appears_grew_from_nothing(void **state)
{
    struct fixture *f = *state;
    f->model.metric = WEIR_STR("c_total");
    f->model.statistic = WEIR_ALARM_RATE;
    f->model.periods = f->model.datapoints = 1;
    start_alarms(f);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":null,");
    make_counter(f);
    weir_counter_add(f->counter, 12);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":12,");
    assert_shown(f, "\"state\":\"ALARM\"");
}

static void all_series_together(void **state)
{
    struct fixture *f = *state;
    make_counter(f);
    struct weir_counter *other =
            weir_metrics_counter(f->metrics, "c_total", "p=\"y\"", "A counter");
    start_alarms(f);
    weir_counter_add(f->counter, 2);
    weir_counter_add(other, 3);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":5,");
}

static void one_series_by_its_label(void **state)
{
    struct fixture *f = *state;
    make_counter(f);
    struct weir_counter *other =
            weir_metrics_counter(f->metrics, "c_total", "p=\"y\"", "A counter");
    f->label = (struct weir_metric_label){ WEIR_STR("p"), WEIR_STR("y") };
    f->model.labels = &f->label;
    f->model.label_count = 1;
    start_alarms(f);
    weir_counter_add(f->counter, 2);
    weir_counter_add(other, 3);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":3,");
    assert_shown(f, "\"labels\":{\"p\":\"y\"}");
}

static void the_average_of_a_histogram_is_that_of_the_period(void **state)
{
    struct fixture *f = *state;
    struct weir_histogram *h =
            weir_metrics_histogram(f->metrics, "h_seconds", NULL, "A histogram", 1, 0.5);
    weir_histogram_add(h, 1000);
    f->model.metric = WEIR_STR("h_seconds");
    f->model.statistic = WEIR_ALARM_AVERAGE;
    start_alarms(f);
    weir_histogram_add(h, 2);
    weir_histogram_add(h, 4);
    pass_periods(f, 1);
    assert_shown(f, "\"value\":1.5,");
    pass_periods(f, 1); /* nothing was observed: no datapoint */
    assert_shown(f, "\"value\":null,");
}

static void bounds(void **state)
{
    (void)state;
    static const struct {
        enum weir_alarm_comparison comparison;
        bool less, equal, more;
    } cases[] = {
        { WEIR_ALARM_ABOVE, false, false, true },
        { WEIR_ALARM_AT_LEAST, false, true, true },
        { WEIR_ALARM_BELOW, true, false, false },
        { WEIR_ALARM_AT_MOST, true, true, false },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_alarm_model model = { .comparison = cases[i].comparison, .threshold = 2.5 };
        assert_int_equal(weir_alarm_breaches(&model, 2), cases[i].less);
        assert_int_equal(weir_alarm_breaches(&model, 2.5), cases[i].equal);
        assert_int_equal(weir_alarm_breaches(&model, 3), cases[i].more);
    }
}

/* --- missing data: the tables of CloudWatch's documentation ----------------------------------- */

/* '0': fine, 'X': breaches, '-': missing. The states: O, A, I, or = for the one before. */
struct missing_case {
    const char *points;
    const char *states; /* for missing, ignore, breaching, not_breaching */
};

static void assert_decided(uint64_t datapoints, const struct missing_case *one)
{
    struct weir_alarm_datapoint points[8];
    size_t count = strlen(one->points);
    for (size_t i = 0; i < count; i++) {
        points[i] = (struct weir_alarm_datapoint){
            .there = one->points[i] != '-',
            .value = one->points[i] == 'X',
        };
    }
    for (int treatment = 0; treatment < 4; treatment++) {
        struct weir_alarm_model model = {
            .periods = 3,
            .datapoints = datapoints,
            .missing = (enum weir_alarm_missing)treatment,
            .comparison = WEIR_ALARM_AT_LEAST,
            .threshold = 1,
        };
        for (int before = 0; before < WEIR_ALARM_STATES; before++) {
            enum weir_alarm_state current = (enum weir_alarm_state)before;
            char said = "OAI"[weir_alarm_decide(&model, points, count, current).state];
            char expected = one->states[treatment] == '=' ? "OAI"[before] : one->states[treatment];
            if (said != expected) {
                fail_msg("%s, %llu of 3, %s, from %s: %c, not %c", one->points,
                        (unsigned long long)datapoints, weir_alarm_missing_name(model.missing),
                        weir_alarm_state_name(current), said, expected);
            }
        }
    }
}

static void missing_data(void **state)
{
    (void)state;
    static const struct missing_case three_of_three[] = {
        { "0-X-X", "OOOO" },
        { "0----", "OOOO" },
        { "-----", "I=AO" },
        { "0XX-X", "AAAA" },
        { "--X--", "A=AO" },
        { "----X", "==AO" },
        { "00XXX", "AAAA" },
        { "XX000", "OOOO" },
    };
    static const struct missing_case two_of_three[] = {
        { "0-X-X", "AAAA" },
        { "00X0X", "AAAA" },
        { "0-X--", "OOAO" },
        { "----0", "OOAO" },
        { "---X-", "A=AO" },
        { "----X", "==AO" },
    };
    for (size_t i = 0; i < WEIR_COUNT(three_of_three); i++) {
        assert_decided(3, &three_of_three[i]);
    }
    for (size_t i = 0; i < WEIR_COUNT(two_of_three); i++) {
        assert_decided(2, &two_of_three[i]);
    }
}

static void data_that_stops_is_insufficient(void **state)
{
    struct fixture *f = *state;
    f->model.metric = WEIR_STR("h_seconds");
    f->model.statistic = WEIR_ALARM_AVERAGE;
    struct weir_histogram *h =
            weir_metrics_histogram(f->metrics, "h_seconds", NULL, "A histogram", 1, 1);
    start_alarms(f);
    weir_histogram_add(h, 5);
    pass_periods(f, 1);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK ");
    pass_periods(f, 3);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK ");
    pass_periods(f, 1);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->OK OK->INSUFFICIENT_DATA ");
    assert_string_equal(f->reason, "Insufficient Data: 2 datapoints were unknown");
}

static void missing_data_that_breaches_says_so(void **state)
{
    struct fixture *f = *state;
    f->model.missing = WEIR_ALARM_BREACHING;
    start_alarms(f);
    pass_periods(f, 2);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->ALARM ");
    assert_string_equal(f->reason,
            "Threshold Crossed: no datapoints were received, and 2 missing datapoints were treated "
            "as breaching (minimum 2 datapoints for INSUFFICIENT_DATA -> ALARM transition)");
}

static void periods_that_nobody_looked_at_have_no_data(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->model.missing = WEIR_ALARM_BREACHING;
    start_alarms(f);
    period(f, 0);
    period(f, 0);
    weir_clock_virtual_advance(&f->clock, 10 * f->model.period_ms);
    f->wake_ms = 0;
    pass(f, 0);
    assert_shown(f, "\"state\":\"ALARM\"");
    pass_periods(f, 2);
    assert_shown(f, "\"state\":\"OK\"");
}

/* --- restart
 * -------------------------------------------------------------------------------------- */

static void restart(struct fixture *f)
{
    weir_alarms_destroy(WEIR_TAKE(f->alarms));
    weir_clock_virtual_advance(&f->clock, 1000 * 1000);
    start_alarms(f);
}

static void a_state_outlives_a_restart(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->model.datapoints = 1;
    start_alarms(f);
    period(f, 20);
    assert_string_equal(f->log, "INSUFFICIENT_DATA->ALARM ");
    pass(f, 1000);
    restart(f);
    assert_shown(f, "\"state\":\"ALARM\",\"since\":\"2023-11-14T22:14:20.000Z\",\"value\":null,"
                    "\"reason\":\"Threshold Crossed: 1 out of");
    period(f, 0); /* one of two periods: what was before is not known, so nothing changes */
    assert_string_equal(f->log, "INSUFFICIENT_DATA->ALARM ");
    assert_shown(f, "\"state\":\"ALARM\"");
    period(f, 0);
    assert_shown(f, "\"state\":\"OK\"");
    assert_string_equal(f->log, "INSUFFICIENT_DATA->ALARM ALARM->OK ");
}

static void an_alarm_that_goes_on_through_a_restart_is_told_once(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    start_alarms(f);
    period(f, 20);
    period(f, 20);
    for (int i = 0; i < 3; i++) {
        pass(f, 1000);
        restart(f);
        period(f, 20);
        period(f, 20);
        period(f, 20);
    }
    assert_string_equal(f->log, "INSUFFICIENT_DATA->ALARM ");
}

/* --- messages
 * ------------------------------------------------------------------------------------- */

static const char *sent(struct fixture *f)
{
    struct weir_arena arena;
    struct weir_entry entry;
    weir_arena_init(&arena);
    assert_int_equal(weir_store_get(f->store, 3000, WEIR_STR("q"), &arena, &entry, NULL), WEIR_OK);
    snprintf(f->sent, sizeof(f->sent), "%.*s", WEIR_STR_ARG(entry.value));
    weir_arena_fini(&arena);
    return f->sent;
}

static void a_message_is_sent_with_the_state(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->action.queue = WEIR_STR("q");
    f->model.description = WEIR_STR("too \"far\" behind");
    f->model.periods = f->model.datapoints = 1;
    start_alarms(f);
    period(f, 20);
    assert_string_equal(sent(f),
            "{\"AlarmName\":\"lag\",\"AlarmDescription\":\"too \\\"far\\\" behind\","
            "\"NewStateValue\":\"ALARM\",\"OldStateValue\":\"INSUFFICIENT_DATA\","
            "\"NewStateReason\":\"Threshold Crossed: 1 out of the last 1 datapoint [20 "
            "(2023-11-14T22:13:20.000Z)] was greater than the threshold (10) (minimum 1 datapoint "
            "for INSUFFICIENT_DATA -> ALARM transition)\","
            "\"StateChangeTime\":\"2023-11-14T22:14:20.000Z\",\"Trigger\":{\"MetricName\":\"g\","
            "\"Namespace\":\"weir\",\"Statistic\":\"MAXIMUM\",\"Dimensions\":[],\"Period\":60,"
            "\"EvaluationPeriods\":1,\"DatapointsToAlarm\":1,"
            "\"ComparisonOperator\":\"GreaterThanThreshold\",\"Threshold\":10,"
            "\"TreatMissingData\":\"missing\"}}");
    assert_string_equal(f->log, "");
    assert_string_equal(f->sent_id, "lag/1700000060000.ALARM");
}

static void what_cannot_be_stored_is_stored_later(void **state)
{
    struct fixture *f = *state;
    make_gauge(f);
    f->action.queue = WEIR_STR("q");
    f->model.periods = f->model.datapoints = 1;
    f->refuse = true;
    start_alarms(f);
    period(f, 20);
    pass(f, 5000);
    assert_string_equal(sent(f), "");
    assert_shown(f, "\"state\":\"ALARM\"");
    f->refuse = false;
    pass(f, 5000);
    assert_non_null(strstr(sent(f), "\"NewStateValue\":\"ALARM\""));
    restart(f);
    assert_shown(f, "\"state\":\"ALARM\"");
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(an_alarm_goes_off_and_ends),
        ON_STORE(a_bound_that_is_crossed_now_and_then_does_not_flap),
        ON_STORE(the_actions_of_each_state_are_its_own),
        ON_STORE(nobody_looks_more_often_than_it_takes),
        ON_STORE(counters_are_looked_at_once_a_period),
        ON_STORE(the_least),
        ON_STORE(the_most),
        ON_STORE(the_average),
        ON_STORE(the_sum),
        ON_STORE(how_much_a_counter_grew),
        ON_STORE(the_sum_of_a_counter_is_how_much_it_grew),
        ON_STORE(a_counter_that_appears_grew_from_nothing),
        ON_STORE(all_series_together),
        ON_STORE(one_series_by_its_label),
        ON_STORE(the_average_of_a_histogram_is_that_of_the_period),
        cmocka_unit_test(bounds),
        cmocka_unit_test(missing_data),
        ON_STORE(data_that_stops_is_insufficient),
        ON_STORE(missing_data_that_breaches_says_so),
        ON_STORE(periods_that_nobody_looked_at_have_no_data),
        ON_STORE(a_state_outlives_a_restart),
        ON_STORE(an_alarm_that_goes_on_through_a_restart_is_told_once),
        ON_STORE(a_message_is_sent_with_the_state),
        ON_STORE(what_cannot_be_stored_is_stored_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
