/* weir timers: what pipelines have put off, and going on with it now or never. */
#include <stdio.h>

#include "cli/client.h"
#include "cli/columns.h"

enum { PATH_MAX_BYTES = 16 << 10 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "limit", 'n', "N", "show at most so many (default and most: 10000)", WEIR_CLI_NUMBER,
            offsetof(struct weir_cli_call, limit) },
    { "json", 0, NULL, "print the answer as it is", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

/* --- asking ------------------------------------------------------------------------------ */

static enum weir_cli_exit fetch(const struct weir_cli_call *call, const char *route, bool post,
        const char *const *values, struct weir_http_reply *ret_reply)
{
    static const char *const names[] = { "pipeline", "step", "key" };
    struct weir_buf path;
    char limit[24];
    weir_buf_init(&path, PATH_MAX_BYTES);
    weir_buf_printf(&path, "%s?", route);
    for (size_t i = 0; i < 3; i++) {
        weir_cli_add_parameter(&path, names[i], weir_str_z(values[i] != NULL ? values[i] : ""));
    }
    if (call->limit > 0) {
        snprintf(limit, sizeof(limit), "%llu", (unsigned long long)call->limit);
        weir_cli_add_parameter(&path, "limit", weir_str_z(limit));
    }
    struct weir_cli_request request = { .path = weir_buf_view(&path), .post = post };
    enum weir_cli_exit code = path.overflow ? weir_cli_fail("the arguments are too long")
                                            : weir_cli_fetch(call, &request, ret_reply);
    weir_buf_fini(&path);
    return code;
}

/* --- list ---------------------------------------------------------------------------------- */

static bool add_timer(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str key = weir_cli_member(arena, object, "key");
    struct weir_str count = weir_cli_member(arena, object, "count");
    struct weir_str cells[] = {
        weir_cli_member(arena, object, "pipeline"),
        weir_cli_member(arena, object, "step"),
        key.n > 0 ? key : WEIR_STR("-"),
        count.n > 0 ? count : WEIR_STR("-"), /* of a window */
        weir_cli_member(arena, object, "since"),
        weir_cli_member(arena, object, "due"),
        weir_cli_member(arena, object, "state"),
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

static void write_page(struct weir_buf *out, struct weir_str answer)
{
    static const char *const titles[] = { "PIPELINE", "STEP", "KEY", ">COUNT", "SINCE", "DUE",
        "STATE" };
    struct weir_arena arena;
    struct weir_cli_columns columns;
    weir_arena_init(&arena);
    weir_cli_columns_init(&columns, titles, sizeof(titles) / sizeof(titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "timers"), add_timer, &columns);
    weir_cli_columns_write(&columns, out, "", "nothing is put off\n");
    if (weir_str_eq(weir_cli_member(&arena, answer, "more"), WEIR_STR("true"))) {
        weir_buf_z(out, "and more: name a pipeline, or use --limit\n");
    }
    weir_arena_fini(&arena);
}

static void write_count(struct weir_buf *out, struct weir_str answer, bool cancel)
{
    struct weir_arena arena;
    uint64_t count = 0;
    weir_arena_init(&arena);
    bool known = weir_str_to_u64(weir_cli_member(&arena, answer, "count"), &count);
    weir_buf_printf(out, "%llu %s\n", (unsigned long long)(known ? count : 0),
            cancel ? "cancelled" : "fired");
    if (weir_str_eq(weir_cli_member(&arena, answer, "more"), WEIR_STR("true"))) {
        weir_buf_z(out, "and there are more: say it again\n");
    }
    weir_arena_fini(&arena);
}

/* --- the command ----------------------------------------------------------------------------- */

static enum weir_cli_exit usage(const struct weir_cli_call *call)
{
    const char *first = call->arguments[0];
    weir_cli_fail("weir timers %s PIPELINE STEP [KEY]: the %s is missing", first,
            call->argument_count == 1 ? "pipeline" : "step");
    return WEIR_CLI_USAGE;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    const char *values[3] = { NULL, NULL, NULL };
    const char *first = call->argument_count > 0 ? call->arguments[0] : "";
    bool cancel = strcmp(first, "cancel") == 0;
    bool ends = cancel || strcmp(first, "fire") == 0;
    size_t skip = ends ? 1 : 0;
    if (ends && call->argument_count < 3) {
        return usage(call);
    }
    for (size_t i = skip; i < call->argument_count; i++) {
        values[i - skip] = call->arguments[i];
    }
    struct weir_http_reply reply = { 0 };
    const char *route = !ends ? "/v1/timers" : cancel ? "/v1/timers/cancel" : "/v1/timers/fire";
    enum weir_cli_exit code = fetch(call, route, ends, values, &reply);
    if (code == WEIR_CLI_DONE) {
        struct weir_str answer = weir_buf_view(&reply.body);
        struct weir_buf out;
        weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
        if (call->json) {
            weir_buf_str(&out, answer);
        } else if (ends) {
            write_count(&out, answer, cancel);
        } else {
            write_page(&out, answer);
        }
        weir_cli_print(&out);
    }
    weir_http_reply_fini(&reply);
    return code;
}

const struct weir_cli_command weir_cli_timers = {
    .name = "timers",
    .arguments = "[fire|cancel] [PIPELINE [STEP [KEY]]]",
    .help = "Show what steps have put off, and open windows; let what is put off go on now, or "
            "never",
    .details = "fire PIPELINE STEP [KEY]    it goes on now; without KEY all of the step\n"
               "cancel PIPELINE STEP [KEY]  it never does\n",
    .options = options,
    .most = 4,
    .run = run,
};
