/*
 * Pending schedules: what a hundred thousand of them cost at start and in memory, how fast they
 * are made, and how late firings are.
 *
 *     bench_timers FOLDER [SCHEDULES]
 *
 * Each part runs in a process of its own, so that memory is that part's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/engine.h"

enum { PER_TRANSACTION = 200, FIRINGS = 2000, LEAD_MS = 3000 };

static const struct weir_str queue_arn = { "arn:aws:sqs:us-east-1:000000000000:work", 39 };
static const struct weir_str role = { "arn:aws:iam::000000000000:role/any", 34 };

static void must(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fprintf(stderr, "bench_timers: %s\n", err->msg);
        exit(1);
    }
}

static uint64_t now_ns(void)
{
    return weir_clock_monotonic_ns(weir_clock_system());
}

/* Memory that is not of files, of this process. */
static double anonymous_mib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtol(line + 8, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return (double)kib / 1024;
}

static struct weir_engine *open_engine(const char *folder, struct weir_config **ret_config)
{
    static struct weir_queue queue;
    struct weir_engine *engine = NULL;
    struct weir_err err = { 0 };
    queue = weir_queue_defaults(WEIR_STR("work"));
    *ret_config = weir_config_create();
    (*ret_config)->queues = &queue;
    (*ret_config)->queue_count = 1;
    struct weir_engine_options options = { .config = *ret_config, .data = folder };
    must(weir_engine_create(&options, &engine, &err), &err);
    return engine;
}

static void add(
        struct weir_engine *engine, struct weir_txn *txn, const char *name, struct weir_time at)
{
    char text[WEIR_TIME_TEXT];
    char expression[64];
    struct weir_schedule schedule = weir_schedule_defaults(weir_str_z(name));
    weir_time_format(at, text);
    snprintf(expression, sizeof(expression), "at(%.23s)", text);
    schedule.expression = weir_str_z(expression);
    schedule.target.arn = queue_arn;
    schedule.target.role = role;
    schedule.target.input = WEIR_STR("{}");
    weir_schedules_create_schedule(engine->schedules, txn, &schedule);
}

/* Pending schedules, due in a year. */
static void make(const char *folder, int count)
{
    struct weir_config *config = NULL;
    struct weir_engine *engine = open_engine(folder, &config);
    struct weir_time due = weir_clock_wall(weir_clock_system());
    struct weir_err err;
    uint64_t begin = now_ns();
    due.ms += 365ll * 24 * 3600 * 1000;
    for (int i = 0; i < count;) {
        WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
        for (int k = 0; k < PER_TRANSACTION && i < count; k++, i++) {
            char name[32];
            snprintf(name, sizeof(name), "s-%d", i);
            due.ms += 7;
            add(engine, txn, name, due);
        }
        must(weir_store_commit(engine->store, txn, &err), &err);
    }
    double seconds = (double)(now_ns() - begin) / 1e9;
    printf("made %d schedules, %d a transaction: %.0f a second\n", count, PER_TRANSACTION,
            count / seconds);
    printf("{\"bench\":\"timers_make\",\"schedules\":%d,\"per_second\":%.0f}\n", count,
            count / seconds);
    weir_engine_destroy(engine);
    weir_config_destroy(config);
}

/* From nothing to the first look at what is due. */
static void open_and_look(const char *folder, const char *what, int count)
{
    struct weir_config *config = NULL;
    struct weir_err err;
    uint64_t begin = now_ns();
    struct weir_engine *engine = open_engine(folder, &config);
    uint64_t opened = now_ns();
    must(weir_timers_run(engine->timers, &err), &err);
    uint64_t looked = now_ns();
    printf("start with %s: %.1f ms to open, %.2f ms to find what is due, %.1f MiB anonymous\n",
            what, (double)(opened - begin) / 1e6, (double)(looked - opened) / 1e6, anonymous_mib());
    printf("{\"bench\":\"timers_open\",\"schedules\":%d,\"open_ms\":%.1f,\"look_ms\":%.2f,"
           "\"anonymous_mib\":%.1f}\n",
            count, (double)(opened - begin) / 1e6, (double)(looked - opened) / 1e6,
            anonymous_mib());
    weir_engine_destroy(engine);
    weir_config_destroy(config);
}

struct wait {
    struct weir_loop_timer timer;
    struct weir_engine *engine;
};

static void look_again(struct weir_loop_timer *timer)
{
    struct wait *wait = WEIR_CONTAINER(timer, struct wait, timer);
    struct weir_metric_reading fired;
    weir_metrics_read(
            wait->engine->metrics, WEIR_STR("weir_schedule_fired_total"), NULL, 0, &fired);
    if (fired.sum >= FIRINGS) {
        weir_loop_stop(wait->engine->loop);
    } else {
        weir_loop_timer_start(&wait->timer, 100);
    }
}

/* One firing each millisecond, with the others pending behind. */
static void fire(const char *folder, int count)
{
    struct weir_config *config = NULL;
    struct weir_engine *engine = open_engine(folder, &config);
    struct weir_time due = weir_clock_wall(weir_clock_system());
    struct wait wait = { .engine = engine };
    struct weir_metric_reading late;
    struct weir_err err;
    due.ms += LEAD_MS;
    for (int i = 0; i < FIRINGS;) {
        WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
        for (int k = 0; k < PER_TRANSACTION && i < FIRINGS; k++, i++) {
            char name[32];
            snprintf(name, sizeof(name), "f-%d", i);
            due.ms++;
            add(engine, txn, name, due);
        }
        must(weir_store_commit(engine->store, txn, &err), &err);
    }
    weir_loop_timer_init(&wait.timer, engine->loop, look_again);
    weir_loop_timer_start(&wait.timer, LEAD_MS);
    weir_loop_run(engine->loop);
    weir_loop_timer_fini(&wait.timer);
    weir_metrics_read(engine->metrics, WEIR_STR("weir_schedule_late_seconds"), NULL, 0, &late);
    printf("%d firings, one a millisecond, before %d pending ones: late by %.2f ms on average\n",
            FIRINGS, count, late.sum / (double)late.count * 1e3);
    printf("{\"bench\":\"timers_late\",\"firings\":%d,\"pending\":%d,\"mean_late_ms\":%.2f}\n",
            FIRINGS, count, late.sum / (double)late.count * 1e3);
    weir_engine_destroy(engine);
    weir_config_destroy(config);
}

/* Run a part in a process of its own. */
static void part(void (*run)(const char *folder, int count), const char *folder, int count)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run(folder, count);
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "bench_timers: a part ended with %d\n", status);
        exit(1);
    }
}

static void open_empty(const char *folder, int count)
{
    (void)count;
    open_and_look(folder, "none", 0);
}

static void open_full(const char *folder, int count)
{
    open_and_look(folder, "them", count);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_timers FOLDER [SCHEDULES]\n");
        return 2;
    }
    int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 100000;
    part(open_empty, argv[1], 0); /* also makes the folder's files */
    part(open_empty, argv[1], 0);
    part(make, argv[1], count);
    part(open_full, argv[1], count);
    part(open_full, argv[1], count);
    part(fire, argv[1], count);
    return 0;
}
