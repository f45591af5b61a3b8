/* weir alarms: the alarms of a running weir, and what they say. */
#include "cli/client.h"
#include "cli/columns.h"

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "json", 0, NULL, "print the answer as it is", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

static bool add_alarm(void *arg, struct weir_str object)
{
    struct weir_cli_columns *columns = arg;
    struct weir_arena *arena = &columns->arena;
    struct weir_str value = weir_cli_member(arena, object, "value");
    struct weir_str cells[] = {
        weir_cli_member(arena, object, "name"),
        weir_cli_member(arena, object, "state"),
        weir_cli_member(arena, object, "since"),
        weir_str_eq(value, WEIR_STR("null")) ? WEIR_STR("-") : value,
        weir_cli_member(arena, object, "reason"),
    };
    weir_cli_columns_add(columns, cells);
    return true;
}

static void write_page(struct weir_buf *out, struct weir_str answer)
{
    static const char *const titles[] = { "ALARM", "STATE", "SINCE", ">VALUE", "REASON" };
    struct weir_arena arena;
    struct weir_cli_columns columns;
    weir_arena_init(&arena);
    weir_cli_columns_init(&columns, titles, sizeof(titles) / sizeof(titles[0]));
    weir_cli_each(weir_cli_member(&arena, answer, "alarms"), add_alarm, &columns);
    weir_cli_columns_write(&columns, out, "", "no alarms are configured\n");
    weir_arena_fini(&arena);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_cli_request request = { .path = WEIR_STR("/v1/alarms") };
    return weir_cli_show(call, &request, write_page);
}

const struct weir_cli_command weir_cli_alarms = {
    .name = "alarms",
    .arguments = "",
    .help = "Show the alarms: state, since when, the last datapoint, and why",
    .details = "",
    .options = options,
    .run = run,
};
