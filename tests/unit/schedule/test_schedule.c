/*
 * Schedules on virtual time: firings and what they deliver, missed ones, days on which clocks
 * are set, restarts, dead letters, groups.
 */
#include <stdio.h>
#include <string.h>

#include "../test.h"
#include "base/logline.h"
#include "base/mem.h"
#include "base/random.h"
#include "daemon/engine.h"

static const struct weir_time begin = { 1767225600000 }; /* 2026-01-01T00:00:00Z */

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY (24ull * HOUR)

#define ROLE  WEIR_STR("arn:aws:iam::000000000000:role/any")
#define QUEUE WEIR_STR("arn:aws:sqs:us-east-1:000000000000:work")

struct world {
    struct weir_clock_virtual clock;
    struct weir_fs *fs; /* what outlives a restart */
    struct weir_config *config;
    struct weir_engine *engine;
    struct weir_arena arena;
};

static void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fail_msg("%s: %s", weir_rc_name(rc), err->msg);
    }
}

static void start(struct world *world)
{
    struct weir_err err = { 0 };
    struct weir_engine_options options = {
        .config = world->config,
        .data = "memory",
        .clock = &world->clock,
        .fs = world->fs,
    };
    must(weir_engine_create(&options, &world->engine, &err), &err);
}

static void advance(struct world *world, uint64_t ms)
{
    struct weir_err err;
    must(weir_loop_advance(world->engine->loop, ms, &err), &err);
}

static void note_stopped(void *arg)
{
    *(bool *)arg = true;
}

static void stop(struct world *world)
{
    bool stopped = false;
    weir_engine_quiesce(world->engine);
    weir_engine_stop(world->engine, note_stopped, &stopped);
    advance(world, 0);
    assert_true(stopped);
    weir_engine_destroy(world->engine);
}

static struct world *world_create(void)
{
    struct world *world = weir_alloc_zero(1, sizeof(*world));
    weir_random_repeat(1);
    weir_arena_init(&world->arena);
    weir_clock_virtual_init(&world->clock, begin);
    world->fs = weir_fs_memory_create();
    world->config = weir_config_create();
    world->config->queues = weir_arena_zero(&world->arena, 3, sizeof(struct weir_queue));
    world->config->queues[0] = weir_queue_defaults(WEIR_STR("work"));
    world->config->queues[1] = weir_queue_defaults(WEIR_STR("failed"));
    world->config->queues[2] = weir_queue_defaults(WEIR_STR("in-order.fifo"));
    world->config->queue_count = 3;
    start(world);
    advance(world, 0);
    return world;
}

static void world_destroy(struct world *world)
{
    stop(world);
    weir_config_destroy(world->config);
    weir_fs_destroy(world->fs);
    weir_arena_fini(&world->arena);
    weir_free(world);
}

static void txn_done(struct weir_txn *txn)
{
    *(enum weir_rc *)txn->arg = txn->rc;
    weir_txn_destroy(txn);
}

static enum weir_rc submit(struct world *world, struct weir_txn *txn)
{
    enum weir_rc rc = WEIR_E_BUSY;
    txn->arg = &rc;
    txn->done = txn_done;
    weir_store_submit(world->engine->store, txn);
    advance(world, 0);
    return rc;
}

static struct weir_schedule schedule_of(const char *name, const char *expression)
{
    struct weir_schedule schedule = weir_schedule_defaults(weir_str_z(name));
    schedule.expression = weir_str_z(expression);
    schedule.target.arn = QUEUE;
    schedule.target.role = ROLE;
    return schedule;
}

static void check(const struct weir_schedule *schedule)
{
    struct weir_err err = { 0 };
    must(weir_schedule_check(schedule, NULL, &err), &err);
}

static enum weir_rc try_create(struct world *world, const struct weir_schedule *schedule)
{
    struct weir_txn *txn = weir_txn_create();
    check(schedule);
    weir_schedules_create_schedule(world->engine->schedules, txn, schedule);
    return submit(world, txn);
}

static void create(struct world *world, const struct weir_schedule *schedule)
{
    assert_int_equal(try_create(world, schedule), WEIR_OK);
}

static void update(struct world *world, const struct weir_schedule *schedule)
{
    struct weir_txn *txn = weir_txn_create();
    check(schedule);
    weir_schedules_update_schedule(world->engine->schedules, txn, schedule);
    assert_int_equal(submit(world, txn), WEIR_OK);
}

static enum weir_rc get(struct world *world, const char *name, struct weir_schedule_state *state)
{
    struct weir_schedule schedule;
    struct weir_err err;
    return weir_schedules_get(world->engine->schedules, WEIR_SCHEDULE_DEFAULT_GROUP,
            weir_str_z(name), &world->arena, &schedule, state, &err);
}

static void note_received(struct weir_receive *receive)
{
    *(bool *)receive->arg = true;
}

/* Take the next message of a queue; p NULL: there is none. Its attributes are copied, too. */
static struct weir_message take(struct world *world, const char *name)
{
    struct weir_receive receive = { .max = 1, .done = note_received };
    struct weir_message message = { 0 };
    const struct weir_queue *queue = NULL;
    struct weir_err err;
    bool received = false;
    must(weir_queues_get(world->engine->queues, weir_str_z(name), &queue, &err), &err);
    receive.arg = &received;
    weir_queues_receive(world->engine->queues, queue, &receive);
    advance(world, 0);
    assert_true(received);
    must(receive.rc, &receive.err);
    if (receive.count == 1) {
        struct weir_txn *txn = weir_txn_create();
        struct weir_queue_settle *settle = WEIR_ARENA_NEW(&txn->arena, struct weir_queue_settle);
        settle->queue = queue;
        settle->receipt = receive.messages[0].receipt;
        must(weir_queue_settle(world->engine->queues, settle, txn, &err), &err);
        message = receive.messages[0];
        message.body = weir_arena_str(&world->arena, message.body);
        message.attributes = weir_arena_zero(
                &world->arena, message.attribute_count + 1, sizeof(*message.attributes));
        for (size_t i = 0; i < message.attribute_count; i++) {
            const struct weir_message_attribute *from = &receive.messages[0].attributes[i];
            message.attributes[i].name = weir_arena_str(&world->arena, from->name);
            message.attributes[i].value = weir_arena_str(&world->arena, from->value);
        }
        assert_int_equal(submit(world, txn), WEIR_OK);
    }
    weir_receive_fini(&receive);
    weir_queue_unref(queue);
    return message;
}

static void expect_body(struct world *world, const char *queue, const char *body)
{
    struct weir_message message = take(world, queue);
    if (!weir_str_eq(message.body, weir_str_z(body))) {
        fail_msg("'%.*s' instead of '%s'", WEIR_STR_ARG(message.body), body);
    }
}

static void expect_nothing(struct world *world, const char *queue)
{
    struct weir_message message = take(world, queue);
    if (message.body.p != NULL) {
        fail_msg("'%.*s' instead of nothing", WEIR_STR_ARG(message.body));
    }
}

static size_t count_messages(struct world *world, const char *queue)
{
    size_t count = 0;
    while (take(world, queue).body.p != NULL) {
        count++;
    }
    return count;
}

static struct weir_str attribute(const struct weir_message *message, const char *name)
{
    for (size_t i = 0; i < message->attribute_count; i++) {
        if (weir_str_eq(message->attributes[i].name, weir_str_z(name))) {
            return message->attributes[i].value;
        }
    }
    return weir_str("(absent)", 8);
}

static void expect_attribute(
        const struct weir_message *message, const char *name, const char *value)
{
    if (!weir_str_eq(attribute(message, name), weir_str_z(value))) {
        fail_msg("%s is '%.*s' instead of '%s'", name, WEIR_STR_ARG(attribute(message, name)),
                value);
    }
}

/* --- firing ---------------------------------------------------------------------------- */

static void test_once_at_its_millisecond(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("once", "at(2026-01-01T00:00:30.250)");
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time> "
                                     "<aws.scheduler.attempt-number> "
                                     "<aws.scheduler.schedule-arn> <aws.scheduler.other>");
    create(world, &schedule);
    advance(world, 30249);
    expect_nothing(world, "work");
    advance(world, 1);
    expect_body(world, "work",
            "2026-01-01T00:00:30.250Z 1 "
            "arn:aws:scheduler:us-east-1:000000000000:schedule/default/once "
            "<aws.scheduler.other>");
    advance(world, 2 * DAY);
    expect_nothing(world, "work");
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "once", &now), WEIR_OK); /* a completed one stays */
    assert_int_equal(now.next.ms, 0);
    assert_int_equal(now.fired, 1);
    world_destroy(world);
}

static void test_an_event_without_input(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("event", "at(2026-01-01T00:01:00)");
    create(world, &schedule);
    advance(world, MINUTE);
    struct weir_str body = take(world, "work").body;
    static const char rest[] =
            "\",\"detail-type\":\"Scheduled Event\",\"source\":\"aws.scheduler\",\"account\":"
            "\"000000000000\",\"time\":\"2026-01-01T00:01:00Z\",\"region\":\"us-east-1\","
            "\"resources\":[\"arn:aws:scheduler:us-east-1:000000000000:schedule/default/event\"],"
            "\"detail\":\"{}\"}";
    assert_true(weir_str_starts(body, WEIR_STR("{\"version\":\"0\",\"id\":\"")));
    assert_int_equal(body.n, 21 + 36 + sizeof(rest) - 1);
    assert_memory_equal(body.p + 21 + 36, rest, sizeof(rest) - 1);
    world_destroy(world);
}

/* Change the zone of a stored definition, as if the zone had gone from the machine or come back. */
static void set_zone(struct world *world, const char *name, const char *zone)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_str key = weir_arena_printf(
            &txn->arena, "s%.*s%c%s", WEIR_STR_ARG(WEIR_SCHEDULE_DEFAULT_GROUP), '\0', name);
    struct weir_entry entry;
    struct weir_err err;
    must(weir_txn_get(txn, world->engine->store, WEIR_SPACE_SCHEDULE, key, &entry, &err), &err);
    struct weir_item stored = { entry.value.p, entry.value.n };
    struct weir_item_builder *builder = weir_item_begin(&txn->arena);
    for (size_t i = 0; i < weir_item_count(stored); i++) {
        struct weir_str member;
        struct weir_value value = weir_item_at(stored, i, &member);
        weir_item_name(builder, member);
        if (weir_str_eq(member, WEIR_STR("zone"))) {
            weir_item_s(builder, weir_str_z(zone));
        } else {
            weir_item_value(builder, value);
        }
    }
    must(weir_item_finish(builder, &stored, &err), &err);
    weir_txn_put(txn, WEIR_SPACE_SCHEDULE, key, weir_str(stored.p, stored.n));
    assert_int_equal(submit(world, txn), WEIR_OK);
}

/* It is tried once an hour, and fires as ever once it can be computed. */
static void test_a_firing_that_cannot_be_computed_is_postponed(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("daily", "cron(30 2 * * ? *)");
    struct weir_schedule_state now = { 0 };
    schedule.zone = WEIR_STR("Europe/Berlin");
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time>");
    create(world, &schedule);
    set_zone(world, "daily", "Mars/Olympus_Mons");
    advance(world, 90 * MINUTE); /* 02:30 in Berlin */
    expect_nothing(world, "work");
    for (int hour = 1; hour <= 3; hour++) {
        assert_int_equal(get(world, "daily", &now), WEIR_OK);
        assert_int_equal(now.next.ms, begin.ms + 90 * MINUTE);
        assert_int_equal(now.due.ms, begin.ms + 90 * MINUTE + hour * HOUR);
        advance(world, HOUR);
    }
    expect_nothing(world, "work");
    set_zone(world, "daily", "Europe/Berlin");
    advance(world, HOUR);
    expect_body(world, "work", "2026-01-01T01:30:00Z");
    advance(world, DAY);
    expect_body(world, "work", "2026-01-02T01:30:00Z");
    expect_nothing(world, "work");
    world_destroy(world);
}

/* A metric since the engine's last start. */
static double metric(const struct world *world, const char *name)
{
    struct weir_metric_reading reading;
    weir_metrics_read(world->engine->metrics, weir_str_z(name), NULL, 0, &reading);
    return reading.sum;
}

static void test_a_year_of_firings(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("daily", "cron(30 2 * * ? *)");
    schedule.zone = WEIR_STR("Europe/Berlin");
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time>");
    create(world, &schedule);
    /* Day by day, so that nothing gets too old in its queue. */
    size_t count = 0;
    for (int day = 0; day < 365; day++) {
        advance(world, DAY);
        count += count_messages(world, "work");
    }
    assert_int_equal(count, 364); /* not on the 29th of March, and once on the 25th of October */
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "daily", &now), WEIR_OK);
    assert_int_equal(now.fired, 364);
    assert_int_equal(now.missed, 0);
    assert_true(metric(world, "weir_schedule_fired_total") == 364);
    assert_true(metric(world, "weir_schedule_missed_total") == 0);
    world_destroy(world);
}

static void test_a_rate_begins_at_once_and_ends(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("rate", "rate(500 milliseconds)");
    schedule.end.ms = begin.ms + 10 * SECOND;
    schedule.delete_after = true;
    create(world, &schedule);
    assert_int_equal(count_messages(world, "work"), 1);
    advance(world, 9999);
    assert_int_equal(count_messages(world, "work"), 19);
    advance(world, MINUTE);
    assert_int_equal(count_messages(world, "work"), 1); /* that of the end itself */
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "rate", &now), WEIR_E_NOT_FOUND);
    world_destroy(world);
}

static void test_a_start_is_waited_for(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("later", "rate(1 hour)");
    schedule.start.ms = begin.ms + 90 * MINUTE;
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time>");
    create(world, &schedule);
    advance(world, 89 * MINUTE);
    expect_nothing(world, "work");
    advance(world, 61 * MINUTE);
    expect_body(world, "work", "2026-01-01T01:30:00Z");
    expect_body(world, "work", "2026-01-01T02:30:00Z");
    expect_nothing(world, "work");
    world_destroy(world);
}

static void test_a_window_delays_but_keeps_the_order(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("window", "cron(0 * * * ? *)");
    schedule.window_ms = 15 * MINUTE;
    create(world, &schedule);
    struct weir_schedule_state now = { 0 };
    bool differ = false;
    int64_t first = -1;
    for (int hour = 0; hour < 24; hour++) {
        assert_int_equal(get(world, "window", &now), WEIR_OK);
        int64_t late = now.due.ms - now.next.ms;
        assert_true(late >= 0 && late < 15 * MINUTE);
        differ = differ || (first >= 0 && late != first);
        first = late;
        advance(world, (uint64_t)(now.due.ms - (begin.ms + hour * (int64_t)HOUR)));
        assert_int_equal(count_messages(world, "work"), 1);
        advance(world, (uint64_t)(begin.ms + (hour + 1) * (int64_t)HOUR - now.due.ms));
        hour = (int)((now.due.ms - begin.ms) / HOUR);
    }
    assert_true(differ);
    /* A window longer than the time between firings. */
    schedule = schedule_of("narrow", "rate(1 minute)");
    schedule.window_ms = 60 * MINUTE;
    (void)count_messages(world, "work");
    create(world, &schedule);
    schedule = schedule_of("window", "cron(0 0 1 1 ? 2199)");
    update(world, &schedule);
    advance(world, 10 * MINUTE);
    size_t count = count_messages(world, "work");
    assert_true(count >= 9 && count <= 11);
    world_destroy(world);
}

static void test_updates_move_the_firing(void **state)
{
    (void)state;
    struct world *world = world_create();
    /* As an application does that runs something five minutes after the last change. */
    for (int i = 0; i < 1000; i++) {
        char at[64];
        char text[WEIR_TIME_TEXT];
        weir_time_format((struct weir_time){ begin.ms + i * (int64_t)SECOND + 5 * MINUTE }, text);
        snprintf(at, sizeof(at), "at(%.19s)", text);
        struct weir_schedule schedule = schedule_of("debounce", at);
        schedule.target.input = WEIR_STR("{}");
        if (i == 0) {
            create(world, &schedule);
        } else {
            update(world, &schedule);
        }
        advance(world, SECOND);
    }
    expect_nothing(world, "work");
    advance(world, 5 * MINUTE);
    expect_body(world, "work", "{}");
    expect_nothing(world, "work");
    world_destroy(world);
}

static void test_switched_off_and_on(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("hourly", "cron(0 * * * ? *)");
    schedule.enabled = false;
    create(world, &schedule);
    advance(world, 5 * HOUR);
    expect_nothing(world, "work");
    schedule.enabled = true;
    update(world, &schedule);
    expect_nothing(world, "work"); /* what it slept through is past */
    advance(world, HOUR);
    assert_int_equal(count_messages(world, "work"), 1);
    /* What changes something else leaves a rate its grid. */
    schedule = schedule_of("rate", "rate(1 hour)");
    create(world, &schedule);
    assert_int_equal(count_messages(world, "work"), 1);
    advance(world, 30 * MINUTE);
    schedule.description = WEIR_STR("another");
    update(world, &schedule);
    advance(world, 29 * MINUTE);
    expect_nothing(world, "work");
    world_destroy(world);
}

/* --- missed firings ---------------------------------------------------------------------- */

/* Stop, let time pass, start. */
static void sleep_through(struct world *world, uint64_t ms)
{
    stop(world);
    weir_clock_virtual_advance(&world->clock, ms);
    start(world);
    advance(world, 0);
}

static void test_missed_by_each_policy(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("policy", "cron(0 * * * ? *)");
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time>");
    create(world, &schedule);
    advance(world, 90 * MINUTE); /* at 00:00, as it began, and at 01:00 */
    assert_int_equal(count_messages(world, "work"), 2);
    sleep_through(world, 3 * HOUR); /* until 04:30 */
    expect_body(world, "work", "2026-01-01T04:00:00Z");
    expect_nothing(world, "work");
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "policy", &now), WEIR_OK);
    assert_int_equal(now.missed, 2);
    assert_true(metric(world, "weir_schedule_fired_total") == 1);
    assert_true(metric(world, "weir_schedule_missed_total") == 2);

    schedule.missed = WEIR_MISSED_SKIP;
    update(world, &schedule);
    sleep_through(world, 3 * HOUR); /* until 07:30 */
    expect_nothing(world, "work");
    assert_int_equal(get(world, "policy", &now), WEIR_OK);
    assert_int_equal(now.missed, 5);
    sleep_through(world, 30 * MINUTE + 59 * SECOND); /* late, but not too late */
    expect_body(world, "work", "2026-01-01T08:00:00Z");

    schedule.missed = WEIR_MISSED_ALL;
    update(world, &schedule);
    sleep_through(world, 3 * HOUR);
    expect_body(world, "work", "2026-01-01T09:00:00Z");
    expect_body(world, "work", "2026-01-01T10:00:00Z");
    expect_body(world, "work", "2026-01-01T11:00:00Z");
    expect_nothing(world, "work");
    /* No older than the target wants. */
    schedule.target.max_age_ms = 2 * HOUR;
    update(world, &schedule);
    sleep_through(world, 10 * HOUR); /* until 21:00:59 */
    expect_body(world, "work", "2026-01-01T20:00:00Z");
    expect_body(world, "work", "2026-01-01T21:00:00Z");
    expect_nothing(world, "work");
    assert_int_equal(get(world, "policy", &now), WEIR_OK);
    assert_int_equal(now.missed, 13);
    world_destroy(world);
}

static void test_missed_ones_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("fast", "rate(1 second)");
    schedule.missed = WEIR_MISSED_ALL;
    create(world, &schedule);
    advance(world, SECOND);
    assert_int_equal(count_messages(world, "work"), 2);
    sleep_through(world, 10 * HOUR);
    size_t count = count_messages(world, "work");
    assert_true(count >= WEIR_SCHEDULE_MADE_UP_MAX && count <= WEIR_SCHEDULE_MADE_UP_MAX + 1);
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "fast", &now), WEIR_OK);
    assert_int_equal(now.fired + now.missed, 10 * 3600 + 2);
    world_destroy(world);
}

static void test_once_is_made_up(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("once", "at(2026-01-01T12:00:00)");
    schedule.target.input = WEIR_STR("<aws.scheduler.scheduled-time>");
    schedule.delete_after = true;
    create(world, &schedule);
    sleep_through(world, 10 * DAY);
    expect_body(world, "work", "2026-01-01T12:00:00Z");
    expect_nothing(world, "work");
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "once", &now), WEIR_E_NOT_FOUND);
    world_destroy(world);
}

/* --- what cannot be delivered --------------------------------------------------------------- */

static void test_dead_letters(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("dead", "at(2026-01-01T00:01:00)");
    schedule.target.arn = WEIR_STR("arn:aws:sqs:us-east-1:000000000000:nowhere");
    schedule.target.input = WEIR_STR("hello");
    schedule.target.dead_letters = WEIR_STR("arn:aws:sqs:us-east-1:000000000000:failed");
    create(world, &schedule);
    advance(world, MINUTE);
    struct weir_message letter = take(world, "failed");
    assert_true(weir_str_eq(letter.body, WEIR_STR("hello")));
    expect_attribute(&letter, "ERROR_CODE", "AWS.SimpleQueueService.NonExistentQueue");
    expect_attribute(&letter, "ERROR_MESSAGE", "The specified queue does not exist.");
    expect_attribute(&letter, "EXHAUSTED_RETRY_CONDITION", "(absent)");
    expect_attribute(&letter, "IS_PAYLOAD_TRUNCATED", "false");
    expect_attribute(&letter, "RETRY_ATTEMPTS", "0");
    expect_attribute(&letter, "SCHEDULED_TIME", "2026-01-01T00:01:00Z");
    expect_attribute(&letter, "SCHEDULE_ARN",
            "arn:aws:scheduler:us-east-1:000000000000:schedule/default/dead");
    expect_attribute(&letter, "TARGET_ARN", "arn:aws:sqs:us-east-1:000000000000:nowhere");
    assert_int_equal(attribute(&letter, "EXECUTION_ID").n, 16);
    /* Without a place for the letter the firing fails, is counted, and the schedule goes on. */
    schedule = schedule_of("lost", "rate(1 minute)");
    schedule.target.arn = WEIR_STR("arn:aws:sqs:us-east-1:000000000000:nowhere");
    create(world, &schedule);
    schedule.name = WEIR_STR("worse");
    schedule.target.dead_letters = schedule.target.arn;
    create(world, &schedule);
    advance(world, 2 * MINUTE);
    struct weir_schedule_state now = { 0 };
    assert_int_equal(get(world, "lost", &now), WEIR_OK);
    assert_int_equal(now.failed, 3);
    assert_int_equal(get(world, "worse", &now), WEIR_OK);
    assert_int_equal(now.failed, 3);
    world_destroy(world);
}

static void test_fifo_keeps_equal_messages(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("fifo", "rate(1 minute)");
    schedule.target.arn = WEIR_STR("arn:aws:sqs:us-east-1:000000000000:in-order.fifo");
    schedule.target.group = WEIR_STR("g");
    schedule.target.input = WEIR_STR("same");
    create(world, &schedule);
    advance(world, 3 * MINUTE);
    assert_int_equal(count_messages(world, "in-order.fifo"), 4);
    world_destroy(world);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create();
    static const struct {
        const char *target;
        const char *group;
        const char *dead_letters;
        const char *expression;
        const char *zone;
        const char *why;
    } wrong[] = {
        { "arn:aws:sns:us-east-1:000000000000:topic", "", "", "rate(1 day)", "UTC",
                "not supported: weir delivers to its queues" },
        { "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "", "", "rate(1 day)", "UTC",
                "not supported" },
        { "arn:aws:lambda:us-east-1:000000000000:f", "", "", "rate(1 day)", "UTC",
                "not supported" },
        { "work", "", "", "rate(1 day)", "UTC", "not supported" },
        { "arn:aws:sqs:us-east-1:000000000000:a.fifo", "", "", "rate(1 day)", "UTC",
                "MessageGroupId is required" },
        { "arn:aws:sqs:us-east-1:000000000000:a", "g", "", "rate(1 day)", "UTC",
                "for FIFO queues only" },
        { "arn:aws:sqs:us-east-1:000000000000:a", "", "arn:aws:sqs:us-east-1:000000000000:b.fifo",
                "rate(1 day)", "UTC", "ARN of a standard queue" },
        { "arn:aws:sqs:us-east-1:000000000000:a", "", "", "cron(0 1 * * * *)", "UTC",
                "Invalid Schedule Expression cron(0 1 * * * *). At character 14: " },
        { "arn:aws:sqs:us-east-1:000000000000:a", "", "", "rate(1 day)", "Europe/Nowhere",
                "Invalid ScheduleExpressionTimezone Europe/Nowhere" },
    };
    for (size_t i = 0; i < WEIR_COUNT(wrong); i++) {
        struct weir_schedule schedule = schedule_of("wrong", wrong[i].expression);
        struct weir_err err = { 0 };
        schedule.zone = weir_str_z(wrong[i].zone);
        schedule.target.arn = weir_str_z(wrong[i].target);
        schedule.target.group = weir_str_z(wrong[i].group);
        schedule.target.dead_letters = weir_str_z(wrong[i].dead_letters);
        enum weir_rc rc = weir_schedule_check(&schedule, NULL, &err);
        if (rc != WEIR_E_INVALID || strstr(err.msg, wrong[i].why) == NULL) {
            fail_msg("%zu: %s", i, rc == WEIR_OK ? "taken" : err.msg);
        }
    }
    world_destroy(world);
}

/* --- definitions and groups --------------------------------------------------------------------
 */

static void test_the_same_request_twice(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedule schedule = schedule_of("once", "at(2026-02-01T00:00:00)");
    schedule.token = WEIR_STR("token-1");
    create(world, &schedule);
    create(world, &schedule);
    schedule.token = WEIR_STR("token-2");
    assert_int_equal(try_create(world, &schedule), WEIR_E_EXISTS);
    schedule.token = WEIR_STR("token-1");
    schedule.expression = WEIR_STR("at(2026-03-01T00:00:00)");
    assert_int_equal(try_create(world, &schedule), WEIR_E_EXISTS);
    struct weir_txn *txn = weir_txn_create();
    weir_schedules_delete_schedule(world->engine->schedules, txn, schedule.group, schedule.name);
    assert_int_equal(submit(world, txn), WEIR_OK);
    txn = weir_txn_create();
    weir_schedules_delete_schedule(world->engine->schedules, txn, schedule.group, schedule.name);
    assert_int_equal(submit(world, txn), WEIR_E_NOT_FOUND);
    advance(world, 60 * DAY);
    expect_nothing(world, "work");
    world_destroy(world);
}

static void test_deleting_a_group_deletes_its_schedules(void **state)
{
    (void)state;
    enum { COUNT = 1200 };
    struct world *world = world_create();
    struct weir_schedules *schedules = world->engine->schedules;
    struct weir_schedule_group group = { .name = WEIR_STR("many") };
    struct weir_txn *txn = weir_txn_create();
    weir_schedules_create_group(schedules, txn, &group);
    assert_int_equal(submit(world, txn), WEIR_OK);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof(name), "s-%04d", i);
        struct weir_schedule schedule = schedule_of(name, "at(2026-01-02T00:00:00)");
        schedule.group = group.name;
        create(world, &schedule);
    }
    struct weir_schedule other = schedule_of("other", "at(2026-01-02T00:00:00)");
    create(world, &other);
    txn = weir_txn_create();
    weir_schedules_delete_group(schedules, txn, group.name);
    assert_int_equal(submit(world, txn), WEIR_OK);
    other.group = group.name;
    assert_int_equal(try_create(world, &other), WEIR_E_EXISTS); /* it is being deleted */
    stop(world);
    start(world); /* and goes on being deleted */
    advance(world, 0);
    struct weir_err err;
    assert_int_equal(weir_schedules_get_group(
                             world->engine->schedules, group.name, &world->arena, &group, &err),
            WEIR_E_NOT_FOUND);
    advance(world, DAY);
    assert_int_equal(count_messages(world, "work"), 1);
    world_destroy(world);
}

static void test_lists_in_pages(void **state)
{
    (void)state;
    enum { PAGE = 3 };
    struct world *world = world_create();
    static const char *const names[] = { "a", "b-1", "b-2", "b-3", "b-4", "c" };
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        struct weir_schedule schedule = schedule_of(names[i], "at(2026-01-02T00:00:00)");
        schedule.enabled = i != 2;
        create(world, &schedule);
    }
    struct weir_schedule_query query = {
        .prefix = WEIR_STR("b"), .has_state = true, .enabled = true
    };
    struct weir_schedule_listed listed[PAGE];
    struct weir_err err;
    size_t count = 0;
    must(weir_schedules_list(
                 world->engine->schedules, &query, &world->arena, listed, 2, &count, &err),
            &err);
    assert_int_equal(count, 2);
    assert_true(weir_str_eq(listed[1].schedule.name, WEIR_STR("b-3")));
    assert_int_equal(listed[1].state.next.ms, begin.ms + (int64_t)DAY);
    query.after_group = listed[1].schedule.group;
    query.after_name = listed[1].schedule.name;
    must(weir_schedules_list(
                 world->engine->schedules, &query, &world->arena, listed, PAGE, &count, &err),
            &err);
    assert_int_equal(count, 1);
    assert_true(weir_str_eq(listed[0].schedule.name, WEIR_STR("b-4")));
    world_destroy(world);
}

static void test_groups_with_tags(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedules *schedules = world->engine->schedules;
    struct weir_schedule_group groups[8];
    struct weir_err err;
    size_t count = 0;
    struct weir_schedule_group group = { .name = WEIR_STR("ops") };
    struct weir_txn *txn = weir_txn_create();
    weir_schedules_create_group(schedules, txn, &group);
    assert_int_equal(submit(world, txn), WEIR_OK);
    must(weir_schedules_list_groups(
                 schedules, WEIR_STR(""), WEIR_STR(""), &world->arena, groups, 8, &count, &err),
            &err);
    assert_int_equal(count, 3);
    assert_true(weir_str_eq(groups[0].name, WEIR_STR("default")));
    assert_true(weir_str_eq(groups[1].name, WEIR_STR("ops")));
    assert_true(weir_str_eq(groups[2].name, WEIR_STR("weir.yaml")));
    must(weir_schedules_list_groups(
                 schedules, WEIR_STR("o"), WEIR_STR(""), &world->arena, groups, 8, &count, &err),
            &err);
    assert_int_equal(count, 1);
    must(weir_schedules_list_groups(
                 schedules, WEIR_STR(""), WEIR_STR("ops"), &world->arena, groups, 8, &count, &err),
            &err);
    assert_int_equal(count, 1);
    struct weir_item_builder *builder = weir_item_begin(&world->arena);
    struct weir_item tags = { 0 };
    weir_item_name(builder, WEIR_STR("team"));
    weir_item_s(builder, WEIR_STR("blue"));
    must(weir_item_finish(builder, &tags, &err), &err);
    txn = weir_txn_create();
    weir_schedules_tag_group(schedules, txn, group.name, tags, NULL, 0);
    assert_int_equal(submit(world, txn), WEIR_OK);
    must(weir_schedules_get_group(schedules, group.name, &world->arena, &group, &err), &err);
    assert_int_equal(weir_item_count(group.tags), 1);
    struct weir_str team = WEIR_STR("team");
    txn = weir_txn_create();
    weir_schedules_tag_group(schedules, txn, group.name, (struct weir_item){ 0 }, &team, 1);
    assert_int_equal(submit(world, txn), WEIR_OK);
    must(weir_schedules_get_group(schedules, group.name, &world->arena, &group, &err), &err);
    assert_int_equal(weir_item_count(group.tags), 0);
    txn = weir_txn_create();
    weir_schedules_delete_group(schedules, txn, WEIR_SCHEDULE_DEFAULT_GROUP);
    assert_int_equal(submit(world, txn), WEIR_E_INVALID);
    world_destroy(world);
}

static void test_the_file_s_schedules(void **state)
{
    (void)state;
    struct world *world = world_create();
    struct weir_schedules *schedules = world->engine->schedules;
    struct weir_schedule all[2] = { schedule_of("a", "cron(0 * * * ? *)"),
        schedule_of("b", "cron(0 * * * ? *)") };
    struct weir_schedule_query query = { .group = WEIR_SCHEDULE_FILE_GROUP };
    struct weir_schedule_listed listed[3];
    struct weir_err err = { 0 };
    size_t count = 0;
    all[0].group = query.group;
    all[1].group = query.group;
    must(weir_schedules_ensure(schedules, all, 2, &err), &err);
    must(weir_schedules_ensure(schedules, all, 2, &err), &err);
    must(weir_schedules_list(schedules, &query, &world->arena, listed, 3, &count, &err), &err);
    assert_int_equal(count, 2);
    must(weir_schedules_ensure(schedules, all + 1, 1, &err), &err); /* one is taken out */
    must(weir_schedules_list(schedules, &query, &world->arena, listed, 3, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_true(weir_str_eq(listed[0].schedule.name, WEIR_STR("b")));
    advance(world, 0);
    (void)count_messages(world, "work");
    advance(world, HOUR);
    assert_int_equal(count_messages(world, "work"), 1);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_at_its_millisecond),
        cmocka_unit_test(test_an_event_without_input),
        cmocka_unit_test(test_a_firing_that_cannot_be_computed_is_postponed),
        cmocka_unit_test(test_a_year_of_firings),
        cmocka_unit_test(test_a_rate_begins_at_once_and_ends),
        cmocka_unit_test(test_a_start_is_waited_for),
        cmocka_unit_test(test_a_window_delays_but_keeps_the_order),
        cmocka_unit_test(test_updates_move_the_firing),
        cmocka_unit_test(test_switched_off_and_on),
        cmocka_unit_test(test_missed_by_each_policy),
        cmocka_unit_test(test_missed_ones_are_bounded),
        cmocka_unit_test(test_once_is_made_up),
        cmocka_unit_test(test_dead_letters),
        cmocka_unit_test(test_fifo_keeps_equal_messages),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_the_same_request_twice),
        cmocka_unit_test(test_deleting_a_group_deletes_its_schedules),
        cmocka_unit_test(test_lists_in_pages),
        cmocka_unit_test(test_groups_with_tags),
        cmocka_unit_test(test_the_file_s_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
