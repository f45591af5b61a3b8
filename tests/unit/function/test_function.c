/* Functions: the Runtime API, pools, back-offs, stopping; with runtimes made for the purpose. */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../net/watched_loop.h"
#include "child_runtime.h"
#include "function/function.h"

enum {
    LOG_BYTES = 256 * 1024,
    MODES_MAX = 8,
    PATIENCE_MS = 10, /* of a function that waits for its instance to ask for more */
};

struct hosting {
    struct weir_loop *loop;
    struct weir_metrics *metrics;
    struct weir_functions *functions;
    struct weir_function_model models[MODES_MAX];
    struct weir_str commands[MODES_MAX][3];
    size_t count;
    const char *root; /* instead of "/", with cgroups */
    char *log;        /* "what function text\n" */
    size_t logged;
    bool stopped;
};

/* One invocation and what became of it. */
struct asked {
    struct weir_invocation invocation;
    struct hosting *hosting;
    bool done;
    uint64_t ended_ms;
    enum weir_function_outcome outcome;
    char response[4096];
    char tail[WEIR_FUNCTION_LOG_TAIL + 1];
    char error[256];
    enum weir_rc code;
    void (*then)(struct asked *asked);
};

static void keep_log(void *arg, const struct weir_function_event *event)
{
    struct hosting *hosting = arg;
    int n = snprintf(hosting->log + hosting->logged, LOG_BYTES - hosting->logged, "%s %.*s %.*s\n",
            event->what, WEIR_STR_ARG(event->function), WEIR_STR_ARG(event->text));
    hosting->logged += (size_t)n;
    assert_true(hosting->logged < LOG_BYTES);
}

/* Add a function whose runtime is of a mode, by that name. */
static struct weir_function_model *add(struct hosting *hosting, const char *mode)
{
    struct weir_str *command = hosting->commands[hosting->count];
    struct weir_function_model *model = &hosting->models[hosting->count++];
    command[0] = WEIR_STR("/proc/self/exe");
    command[1] = WEIR_STR("child");
    command[2] = weir_str_z(mode);
    *model = (struct weir_function_model){
        .name = weir_str_z(mode),
        .dir = WEIR_STR("/"),
        .command = command,
        .command_count = 3,
        .timeout_ms = 20000,
        .init_timeout_ms = 20000,
        .idle_ms = 60000,
        .concurrency = 1,
        .max_queue = 4,
    };
    return model;
}

static void begin(struct hosting *hosting)
{
    struct weir_err err = { 0 };
    hosting->log = weir_alloc_zero(1, LOG_BYTES);
    hosting->metrics = weir_metrics_create();
    assert_int_equal(weir_loop_create(weir_clock_system(), &hosting->loop, &err), WEIR_OK);
    struct weir_functions_options options = {
        .loop = hosting->loop,
        .metrics = hosting->metrics,
        .models = hosting->models,
        .count = hosting->count,
        .region = WEIR_STR("us-east-1"),
        .account = WEIR_STR("000000000000"),
        .log = keep_log,
        .arg = hosting,
        .root = hosting->root,
    };
    assert_int_equal(weir_functions_create(&options, &hosting->functions, &err), WEIR_OK);
    assert_int_equal(weir_functions_start(hosting->functions, WEIR_STR("http://127.0.0.1:1"), &err),
            WEIR_OK);
}

static void tell_log(void *arg)
{
    struct hosting *hosting = arg;
    fprintf(stderr, "%s\n", hosting->log);
}

static void on_stopped(void *arg)
{
    struct hosting *hosting = arg;
    hosting->stopped = true;
    weir_loop_stop(hosting->loop);
}

static void stop(struct hosting *hosting, uint64_t grace_ms)
{
    weir_functions_stop(hosting->functions, grace_ms, on_stopped, hosting);
    while (!hosting->stopped) {
        run_watched(hosting->loop, "the stop", tell_log, hosting);
    }
}

static void end(struct hosting *hosting)
{
    weir_functions_destroy(hosting->functions);
    weir_loop_destroy(hosting->loop);
    weir_metrics_destroy(hosting->metrics);
    weir_free(hosting->log);
}

static void on_done(struct weir_invocation *invocation)
{
    struct asked *asked = invocation->arg;
    assert_false(asked->done);
    asked->done = true;
    asked->ended_ms = now_ms();
    asked->outcome = invocation->outcome;
    asked->code = invocation->err.code;
    snprintf(asked->error, sizeof(asked->error), "%s", invocation->err.msg);
    snprintf(asked->response, sizeof(asked->response), "%.*s", WEIR_STR_ARG(invocation->response));
    snprintf(asked->tail, sizeof(asked->tail), "%.*s", WEIR_STR_ARG(invocation->log_tail));
    if (asked->then != NULL) {
        asked->then(asked);
    }
    weir_loop_stop(asked->hosting->loop);
}

static void ask(
        struct hosting *hosting, struct asked *asked, const char *function, const char *payload)
{
    void (*then)(struct asked * asked) = asked->then;
    *asked = (struct asked){ .hosting = hosting, .then = then };
    asked->invocation.function = weir_str_z(function);
    asked->invocation.payload = weir_str_z(payload);
    asked->invocation.want_log = true;
    asked->invocation.done = on_done;
    asked->invocation.arg = asked;
    weir_functions_invoke(hosting->functions, &asked->invocation);
    assert_false(asked->done);
}

static void wait_for(struct asked *asked)
{
    while (!asked->done) {
        run_watched(asked->hosting->loop, "an answer", tell_log, asked->hosting);
    }
}

static void assert_outcome(struct asked *asked, enum weir_function_outcome outcome,
        const char *response, const char *error)
{
    wait_for(asked);
    assert_int_equal(asked->outcome, outcome);
    if (response != NULL) {
        assert_string_equal(asked->response, response);
    }
    assert_string_equal(asked->error, error);
}

static size_t living(const struct hosting *hosting, const char *member)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_functions_status(hosting->functions, &buf);
    weir_buf_byte(&buf, '\0');
    const char *at = strstr(buf.p, member);
    assert_non_null(at);
    size_t n = strtoul(at + strlen(member), NULL, 10);
    weir_buf_fini(&buf);
    return n;
}

/* --- the Runtime API ----------------------------------------------------------------- */

static void events_come_back(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "echo");
    begin(&hosting);
    for (int i = 0; i < 50; i++) {
        char payload[32];
        snprintf(payload, sizeof(payload), "{\"n\":%d}", i);
        ask(&hosting, &asked, "echo", payload);
        assert_outcome(&asked, WEIR_FUNCTION_OK, payload, "");
    }
    ask(&hosting, &asked, "echo", "");
    assert_outcome(&asked, WEIR_FUNCTION_OK, "{}", "");
    assert_int_equal(living(&hosting, "\"cold_starts\":"), 1);
    assert_int_equal(living(&hosting, "\"invocations\":"), 51);
    stop(&hosting, 5000);
    end(&hosting);
}

static void what_a_runtime_must_not_say_is_refused(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "misbehaves");
    begin(&hosting);
    ask(&hosting, &asked, "misbehaves", "{}");
    assert_outcome(&asked, WEIR_FUNCTION_OK, "[400,403,403,404,404]", "");
    ask(&hosting, &asked, "misbehaves", "{}");
    assert_outcome(&asked, WEIR_FUNCTION_OK, "[400]", "");
    stop(&hosting, 5000);
    end(&hosting);
}

static void a_runtime_may_hang_up_and_come_back(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "hangs_up")->keep_warm = 1;
    begin(&hosting);
    AWAIT(strstr(hosting.log, "function.output hangs_up again\n") != NULL, hosting.log)
    {
        run_once(hosting.loop);
    }
    for (int i = 0; i < 3; i++) {
        ask(&hosting, &asked, "hangs_up", "{\"a\":1}");
        wait_for(&asked);
    }
    assert_outcome(&asked, WEIR_FUNCTION_OK, "{\"a\":1}", "");
    stop(&hosting, 5000);
    end(&hosting);
}

static void errors_have_types_and_messages(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "fails");
    add(&hosting, "gives_up");
    add(&hosting, "gives_up_mutely");
    add(&hosting, "exit");
    add(&hosting, "dies");
    add(&hosting, "hangs")->timeout_ms = 100;
    add(&hosting, "silent")->init_timeout_ms = 100;
    begin(&hosting);
    char expected[512];
    ask(&hosting, &asked, "fails", "{}");
    assert_outcome(&asked, WEIR_FUNCTION_ERROR,
            "{\"errorType\":\"Mine\",\"errorMessage\":\"so sorry\"}", "Mine: so sorry");
    ask(&hosting, &asked, "gives_up", "{}");
    assert_outcome(&asked, WEIR_FUNCTION_ERROR,
            "{\"errorType\":\"Bad\",\"errorMessage\":\"no handler\"}", "Bad: no handler");
    ask(&hosting, &asked, "gives_up_mutely", "{}");
    wait_for(&asked);
    assert_non_null(strstr(asked.response, "{\"errorType\":\"Runtime.Unknown\""));
    const char *exits[][3] = { { "exit", "Runtime.ExitError",
                                       "Runtime exited with error: exit status 7" },
        { "dies", "Runtime.ExitError", "Runtime exited with error: exit status 9" },
        { "hangs", "Sandbox.Timedout", "Task timed out after 0.10 seconds" },
        { "silent", "Sandbox.Timedout", "Task timed out after 0.10 seconds" } };
    for (size_t i = 0; i < WEIR_COUNT(exits); i++) {
        ask(&hosting, &asked, exits[i][0], "{}");
        wait_for(&asked);
        snprintf(expected, sizeof(expected),
                "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: %s Error: %s\"}", exits[i][1],
                asked.invocation.request_id, exits[i][2]);
        assert_outcome(&asked, WEIR_FUNCTION_RETRYABLE, expected, exits[i][2]);
    }
    assert_non_null(strstr(hosting.log, "function.start_failed gives_up Bad: no handler\n"));
    assert_non_null(strstr(hosting.log, "function.timed_out hangs Task timed out"));
    stop(&hosting, 5000);
    end(&hosting);
}

static void output_becomes_lines_and_a_tail(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "prints");
    begin(&hosting);
    ask(&hosting, &asked, "prints", "{}");
    assert_outcome(&asked, WEIR_FUNCTION_OK, "null", "");
    assert_int_equal(strlen(asked.tail), WEIR_FUNCTION_LOG_TAIL);
    assert_non_null(strstr(asked.tail, "\nlast line\r\nno end"));
    assert_non_null(strstr(asked.tail, "\nEND RequestId: "));
    assert_non_null(strstr(asked.tail, "to the other\n"));
    assert_non_null(strstr(hosting.log, "function.output prints last line\n"));
    assert_non_null(strstr(hosting.log, "function.output prints to the other\n"));
    assert_null(strstr(hosting.log, "no end"));
    stop(&hosting, 5000);
    assert_non_null(strstr(hosting.log, "function.output prints no end\n"));
    size_t letters = 0; /* the long line is there whole, in pieces */
    for (const char *at = hosting.log; (at = strstr(at, "function.output prints ")) != NULL;) {
        at += strlen("function.output prints ");
        size_t n = strspn(at, "abcdefghijklmnopqrstuvwxyz");
        letters += n > 1000 ? n : 0;
        assert_true(n <= 16 * 1024);
    }
    assert_int_equal(letters, 40000);
    end(&hosting);
}

/* --- pools ---------------------------------------------------------------------------- */

static void what_cannot_wait_is_blocked(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked all[4] = { 0 };
    add(&hosting, "echo")->max_queue = 2;
    begin(&hosting);
    for (size_t i = 0; i < WEIR_COUNT(all); i++) {
        ask(&hosting, &all[i], "echo", "{}");
    }
    assert_outcome(&all[2], WEIR_FUNCTION_BLOCKED, "",
            "function echo runs 0 times at once and 2 invocations wait: no more may (concurrency, "
            "max_queue)");
    assert_int_equal(all[2].code, WEIR_E_BUSY);
    wait_for(&all[3]);
    assert_int_equal(all[3].outcome, WEIR_FUNCTION_BLOCKED);
    assert_outcome(&all[0], WEIR_FUNCTION_OK, "{}", "");
    assert_outcome(&all[1], WEIR_FUNCTION_OK, "{}", "");
    ask(&hosting, &all[0], "nobody", "{}");
    assert_outcome(&all[0], WEIR_FUNCTION_BLOCKED, "", "there is no function nobody");
    assert_int_equal(all[0].code, WEIR_E_NOT_FOUND);
    stop(&hosting, 5000);
    ask(&hosting, &all[0], "echo", "{}");
    assert_outcome(&all[0], WEIR_FUNCTION_BLOCKED, "", "weir is stopping");
    end(&hosting);
}

static void invoke_again(struct asked *asked)
{
    if (asked->invocation.duration_us != 0 && asked->response[0] == '{') {
        struct asked *next = asked + 1;
        asked->then = NULL;
        ask(asked->hosting, next, "echo", "[]");
    }
}

static void done_may_invoke(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked two[2] = { 0 };
    add(&hosting, "echo")->concurrency = 5;
    begin(&hosting);
    two[0].then = invoke_again;
    ask(&hosting, &two[0], "echo", "{}");
    wait_for(&two[0]);
    assert_outcome(&two[1], WEIR_FUNCTION_OK, "[]", "");
    /* The first instance asks for more at once, unless the machine is busy. */
    bool at_once = two[1].ended_ms - two[0].ended_ms < PATIENCE_MS / 2;
    assert_in_range(living(&hosting, "\"cold_starts\":"), 1, at_once ? 1 : 2);
    stop(&hosting, 5000);
    end(&hosting);
}

static void cancelling(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked all[5] = { 0 };
    add(&hosting, "hangs")->timeout_ms = 300;
    begin(&hosting);
    ask(&hosting, &all[0], "hangs", "{}");
    ask(&hosting, &all[1], "hangs", "{}");
    ask(&hosting, &all[2], "hangs", "{}");
    ask(&hosting, &all[3], "nobody", "{}");
    weir_functions_cancel(hosting.functions, &all[3].invocation); /* told, but not yet */
    weir_functions_cancel(hosting.functions, &all[2].invocation); /* waits, as the last one */
    assert_int_equal(living(&hosting, "\"waiting\":"), 2);
    ask(&hosting, &all[4], "hangs", "{}");
    wait_for(&all[0]);
    weir_functions_cancel(hosting.functions, &all[1].invocation); /* waits, as the first one */
    wait_for(&all[4]);
    assert_string_equal(all[4].error, "Task timed out after 0.30 seconds");
    assert_false(all[1].done || all[2].done || all[3].done);
    ask(&hosting, &all[0], "hangs", "{}");
    AWAIT(living(&hosting, "\"running\":") > 0, hosting.log)
    {
        run_once(hosting.loop);
    }
    weir_functions_cancel(hosting.functions, &all[0].invocation); /* runs: its answer is dropped */
    ask(&hosting, &all[4], "hangs", "{}");
    wait_for(&all[4]);
    assert_false(all[0].done);
    stop(&hosting, 5000);
    end(&hosting);
}

static void failures_make_the_pause_longer(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    add(&hosting, "exit");
    begin(&hosting);
    ask(&hosting, &asked, "exit", "{}");
    wait_for(&asked);
    assert_non_null(strstr(hosting.log, "no instance is started for 1000 ms\n"));
    ask(&hosting, &asked, "exit", "{}");
    wait_for(&asked);
    assert_int_equal(asked.outcome, WEIR_FUNCTION_BLOCKED);
    assert_non_null(strstr(asked.error, " ms: Runtime exited with error: exit status 7"));
    assert_non_null(strstr(asked.error, "function exit is started again in "));
    AWAIT(asked.outcome != WEIR_FUNCTION_BLOCKED, asked.error)
    {
        ask(&hosting, &asked, "exit", "{}");
        wait_for(&asked);
    }
    assert_int_equal(asked.outcome, WEIR_FUNCTION_RETRYABLE);
    assert_non_null(strstr(hosting.log, "no instance is started for 2000 ms\n"));
    stop(&hosting, 5000);
    end(&hosting);
}

/* --- ends ------------------------------------------------------------------------------ */

static void a_stop_blocks_what_runs_and_kills_what_stays(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked hangs = { 0 };
    struct asked waits = { 0 };
    struct asked echo = { 0 };
    add(&hosting, "hangs");
    add(&hosting, "stubborn");
    begin(&hosting);
    ask(&hosting, &echo, "stubborn", "{}");
    assert_outcome(&echo, WEIR_FUNCTION_OK, "{}", "");
    ask(&hosting, &hangs, "hangs", "{}");
    ask(&hosting, &waits, "hangs", "{}");
    AWAIT(living(&hosting, "\"running\":") > 0, hosting.log)
    {
        run_once(hosting.loop);
    }
    stop(&hosting, 100); /* stubborn ignores SIGTERM */
    assert_outcome(&hangs, WEIR_FUNCTION_BLOCKED, "", "weir is stopping");
    assert_outcome(&waits, WEIR_FUNCTION_BLOCKED, "", "weir is stopping");
    end(&hosting);
}

static void an_end_without_a_stop(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked all[3] = { 0 };
    add(&hosting, "hangs");
    add(&hosting, "echo")->keep_warm = 1;
    begin(&hosting);
    ask(&hosting, &all[0], "hangs", "{}");
    ask(&hosting, &all[1], "nobody", "{}");
    ask(&hosting, &all[2], "echo", "{}");
    wait_for(&all[2]);
    ask(&hosting, &all[1], "nobody", "{}");
    ask(&hosting, &all[2], "echo", "{}");
    end(&hosting);
}

/* --- memory limits: a folder that looks like the kernel's ----------------------------- */

enum { PATH_BYTES = 256, TEXT_BYTES = 256 };

static void write_file(const char *folder, const char *path, const char *text)
{
    char whole[PATH_BYTES];
    snprintf(whole, sizeof(whole), "%s%s", folder, path);
    for (char *slash = strchr(whole + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0755);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *folder, const char *path, const char *expected)
{
    char whole[PATH_BYTES];
    char text[TEXT_BYTES] = "";
    snprintf(whole, sizeof(whole), "%s%s", folder, path);
    FILE *file = fopen(whole, "r");
    assert_non_null(file);
    (void)fgets(text, sizeof(text), file);
    fclose(file);
    assert_string_equal(text, expected);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_folder(const char *folder)
{
    assert_int_equal(nftw(folder, remove_one, 4, FTW_DEPTH | FTW_PHYS), 0);
}

/* A process that is in cgroup /own, whose files say this. */
static void make_machine(
        char folder[static PATH_BYTES], const char *own, const char *controllers, const char *procs)
{
    snprintf(folder, PATH_BYTES, "/tmp/weir-cgroup-XXXXXX");
    assert_non_null(mkdtemp(folder));
    write_file(folder, "/proc/self/cgroup", own);
    write_file(folder, "/sys/fs/cgroup/own/cgroup.controllers", controllers);
    write_file(folder, "/sys/fs/cgroup/own/cgroup.subtree_control", "");
    write_file(folder, "/sys/fs/cgroup/own/cgroup.procs", procs);
    write_file(folder, "/sys/fs/cgroup/own/weir/cgroup.procs", "");
    write_file(folder, "/sys/fs/cgroup/own/instance-1/cgroup.procs", "");
    write_file(folder, "/sys/fs/cgroup/own/instance-1/memory.max", "max");
    write_file(folder, "/sys/fs/cgroup/own/instance-1/memory.oom.group", "0");
    write_file(folder, "/sys/fs/cgroup/own/instance-1/memory.events", "oom 1\noom_kill 0\n");
}

static void memory_is_watched_without_a_cgroup_of_its_own(void **state)
{
    (void)state;
    char me[32];
    char others[64];
    snprintf(me, sizeof(me), "%d\n", (int)getpid());
    snprintf(others, sizeof(others), "%d\n1\n", (int)getpid());
    const char *cases[][4] = {
        { "4:memory:/own\n", "memory", me, "there is no cgroup v2" },
        { "0::/own\n", "cpu memoryless", me, "has no memory controller" },
        { "0::/elsewhere\n", "memory", me, "has no memory controller" },
        { "0::/own\n", "cpu memory", others, "weir is not alone in" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct hosting hosting = { 0 };
        struct asked asked = { 0 };
        char folder[PATH_BYTES];
        make_machine(folder, cases[i][0], cases[i][1], cases[i][2]);
        hosting.root = folder;
        add(&hosting, "echo")->memory_bytes = 256 << 20;
        begin(&hosting);
        assert_non_null(strstr(hosting.log, "functions.memory_limits  they are watched, for "));
        assert_non_null(strstr(hosting.log, cases[i][3]));
        ask(&hosting, &asked, "echo", "{}");
        assert_outcome(&asked, WEIR_FUNCTION_OK, "{}", "");
        assert_file(folder, "/sys/fs/cgroup/own/cgroup.subtree_control", "");
        assert_file(folder, "/sys/fs/cgroup/own/weir/cgroup.procs", "");
        assert_file(folder, "/sys/fs/cgroup/own/instance-1/memory.max", "max");
        end(&hosting);
        remove_folder(folder);
    }
}

static void the_kernel_limits_memory_in_a_cgroup_of_its_own(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    char folder[PATH_BYTES];
    char me[32];
    snprintf(me, sizeof(me), "%d\n", (int)getpid());
    make_machine(folder, "1:cpu:/\n0::/own\n", "cpu memory pids\n", me);
    hosting.root = folder;
    add(&hosting, "dies")->memory_bytes = 64 << 20;
    begin(&hosting);
    me[strlen(me) - 1] = '\0';
    assert_non_null(strstr(hosting.log, "functions.memory_limits  the kernel keeps them in "));
    assert_file(folder, "/sys/fs/cgroup/own/weir/cgroup.procs", me);
    assert_file(folder, "/sys/fs/cgroup/own/cgroup.subtree_control", "+memory");
    write_file(folder, "/sys/fs/cgroup/own/instance-1/memory.events", "oom 1\noom_kill 1\n");
    ask(&hosting, &asked, "dies", "{}");
    wait_for(&asked);
    assert_int_equal(asked.outcome, WEIR_FUNCTION_RETRYABLE);
    assert_non_null(strstr(asked.response, "{\"errorType\":\"Runtime.OutOfMemory\""));
    assert_non_null(strstr(hosting.log, "function.out_of_memory dies "));
    assert_file(folder, "/sys/fs/cgroup/own/instance-1/memory.max", "67108864");
    assert_file(folder, "/sys/fs/cgroup/own/instance-1/memory.oom.group", "1");
    assert_file(folder, "/sys/fs/cgroup/own/instance-1/cgroup.procs", "0"); /* it joined */
    end(&hosting);
    remove_folder(folder);
}

/* Without the group's limit nothing is started. */
static void what_cannot_be_limited_is_not_started(void **state)
{
    (void)state;
    struct hosting hosting = { 0 };
    struct asked asked = { 0 };
    char folder[PATH_BYTES];
    char me[32];
    snprintf(me, sizeof(me), "%d\n", (int)getpid());
    make_machine(folder, "0::/own\n", "memory\n", me);
    char path[PATH_BYTES + 64];
    snprintf(path, sizeof(path), "%s/sys/fs/cgroup/own/instance-1/memory.max", folder);
    assert_int_equal(remove(path), 0);
    hosting.root = folder;
    add(&hosting, "echo")->memory_bytes = 64 << 20;
    begin(&hosting);
    ask(&hosting, &asked, "echo", "{}");
    wait_for(&asked);
    assert_int_not_equal(asked.outcome, WEIR_FUNCTION_OK);
    assert_non_null(strstr(asked.error, "cannot limit memory in "));
    end(&hosting);
    remove_folder(folder);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "__exec") == 0) {
        weir_function_exec(argc - 2, argv + 2);
    }
    if (argc > 2 && strcmp(argv[1], "child") == 0) {
        return child_runtime(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_back),
        cmocka_unit_test(what_a_runtime_must_not_say_is_refused),
        cmocka_unit_test(a_runtime_may_hang_up_and_come_back),
        cmocka_unit_test(errors_have_types_and_messages),
        cmocka_unit_test(output_becomes_lines_and_a_tail),
        cmocka_unit_test(what_cannot_wait_is_blocked),
        cmocka_unit_test(done_may_invoke),
        cmocka_unit_test(cancelling),
        cmocka_unit_test(failures_make_the_pause_longer),
        cmocka_unit_test(a_stop_blocks_what_runs_and_kills_what_stays),
        cmocka_unit_test(an_end_without_a_stop),
        cmocka_unit_test(memory_is_watched_without_a_cgroup_of_its_own),
        cmocka_unit_test(the_kernel_limits_memory_in_a_cgroup_of_its_own),
        cmocka_unit_test(what_cannot_be_limited_is_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
