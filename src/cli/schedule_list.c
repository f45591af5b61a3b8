/* weir schedule list: the schedules of a running weir, with their next firings. */
#include "cli/client.h"
#include "cli/columns.h"
#include "cli/schedule.h"

enum { OUT_MAX_BYTES = 256 << 20, PATH_MAX_BYTES = 4096 };

struct listing {
    const struct weir_cli_call *call;
    struct weir_cli_columns columns;
    struct weir_buf lines; /* with --json */
    uint64_t count;
};

static struct weir_str time_or_dash(struct weir_arena *arena, struct weir_str text)
{
    return weir_str_eq(text, WEIR_STR("null")) ? WEIR_STR("-") : weir_arena_str(arena, text);
}

/* "queue work" of an ARN. */
static struct weir_str short_target(struct weir_arena *arena, struct weir_str arn)
{
    size_t at = arn.n;
    while (at > 0 && arn.p[at - 1] != ':') {
        at--;
    }
    bool queue = memmem(arn.p, arn.n, ":sqs:", 5) != NULL;
    return weir_arena_printf(
            arena, "%s %.*s", queue ? "queue" : "function", (int)(arn.n - at), arn.p + at);
}

static bool add_schedule(void *arg, struct weir_str object)
{
    struct listing *listing = arg;
    struct weir_arena *arena = &listing->columns.arena;
    if (listing->call->limit > 0 && listing->count == listing->call->limit) {
        return false;
    }
    listing->count++;
    if (listing->call->json) {
        weir_buf_str(&listing->lines, object);
        weir_buf_byte(&listing->lines, '\n');
        return true;
    }
    bool enabled = weir_str_eq(weir_cli_member(arena, object, "enabled"), WEIR_STR("true"));
    struct weir_str next = weir_cli_member(arena, object, "next");
    struct weir_str cells[] = {
        weir_arena_printf(arena, "%.*s/%.*s", WEIR_STR_ARG(weir_cli_member(arena, object, "group")),
                WEIR_STR_ARG(weir_cli_member(arena, object, "name"))),
        enabled ? time_or_dash(arena, next) : WEIR_STR("disabled"),
        time_or_dash(arena, weir_cli_member(arena, object, "last")),
        weir_arena_str(arena, weir_cli_member(arena, object, "fired")),
        weir_arena_str(arena, weir_cli_member(arena, object, "missed")),
        weir_arena_str(arena, weir_cli_member(arena, object, "failed")),
        short_target(arena, weir_cli_member(arena, object, "target")),
        weir_cli_member(arena, object, "expression"),
    };
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        cells[i] = weir_arena_str(arena, cells[i]); /* the reply goes before the columns */
    }
    weir_cli_columns_add(&listing->columns, cells);
    return true;
}

/* Names of schedules and groups need no escapes in a URL. */
static enum weir_cli_exit list_pages(struct listing *listing)
{
    struct weir_arena *arena = &listing->columns.arena;
    const char *group = listing->call->in_group != NULL ? listing->call->in_group : "";
    struct weir_str after = WEIR_STR("");
    enum weir_cli_exit code = WEIR_CLI_DONE;
    do {
        struct weir_http_reply reply = { 0 };
        struct weir_cli_request request = {
            .path = weir_arena_printf(
                    arena, "/v1/schedules?group=%s&after=%.*s", group, WEIR_STR_ARG(after)),
        };
        code = weir_cli_fetch(listing->call, &request, &reply);
        if (code == WEIR_CLI_DONE) {
            struct weir_str answer = weir_buf_view(&reply.body);
            weir_cli_each(weir_cli_member(arena, answer, "schedules"), add_schedule, listing);
            after = weir_arena_str(arena, weir_cli_member(arena, answer, "next"));
        }
        weir_http_reply_fini(&reply);
    } while (code == WEIR_CLI_DONE && after.n > 0 &&
             (listing->call->limit == 0 || listing->count < listing->call->limit));
    return code;
}

static bool is_group(const char *name)
{
    static const char letters[] =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return name[0] != '\0' && name[strspn(name, letters)] == '\0';
}

enum weir_cli_exit weir_cli_schedule_list(const struct weir_cli_call *call)
{
    static const char *const titles[] = { "SCHEDULE", "NEXT", "LAST", ">FIRED", ">MISSED",
        ">FAILED", "TARGET", "EXPRESSION" };
    struct listing listing = { .call = call };
    if (call->in_group != NULL && !is_group(call->in_group)) {
        weir_cli_fail(
                "--group is a name of letters, digits, '-', '_' and '.', not '%s'", call->in_group);
        return WEIR_CLI_USAGE;
    }
    weir_cli_columns_init(&listing.columns, titles, sizeof(titles) / sizeof(titles[0]));
    weir_buf_init(&listing.lines, OUT_MAX_BYTES);
    enum weir_cli_exit code = list_pages(&listing);
    weir_cli_columns_write(
            &listing.columns, &listing.lines, "", call->json ? "" : "there are no schedules\n");
    if (code == WEIR_CLI_DONE) {
        weir_cli_print(&listing.lines);
    } else {
        weir_buf_fini(&listing.lines);
    }
    return code;
}
