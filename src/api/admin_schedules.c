/* Schedules over the admin API: with what comes next, and what has become of them. */
#include "api/admin_int.h"
#include "api/api_int.h"
#include "schedule/schedule.h"
#include "value/json.h"

enum { PAGE_MAX = 200 }; /* of one answer: reading them is work of the loop */

static void write_time(struct weir_buf *body, const char *name, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    weir_out_name(body, name);
    if (time.ms == 0) {
        weir_buf_z(body, "null");
        return;
    }
    weir_time_format(time, text);
    weir_buf_printf(body, "\"%s\"", text);
}

static void write_schedule(struct weir_buf *body, const struct weir_schedule_listed *listed)
{
    const struct weir_schedule *schedule = &listed->schedule;
    const struct weir_schedule_state *state = &listed->state;
    weir_buf_byte(body, '{');
    weir_out_text(body, "group", schedule->group);
    weir_out_text(body, "name", schedule->name);
    weir_out_text(body, "expression", schedule->expression);
    weir_out_text(body, "timezone", schedule->zone);
    weir_out_bool(body, "enabled", schedule->enabled);
    weir_out_text(body, "missed_policy", weir_str_z(weir_missed_name(schedule->missed)));
    weir_out_text(body, "target", schedule->target.arn);
    write_time(body, "next", state->next);
    write_time(body, "due", state->due);
    write_time(body, "last", state->last);
    weir_out_number(body, "fired", state->fired);
    weir_out_number(body, "missed", state->missed);
    weir_out_number(body, "failed", state->failed);
    weir_buf_byte(body, '}');
}

/* A page begins behind "group/name". */
static void read_query(struct weir_http_request *request, struct weir_schedule_query *query)
{
    struct weir_str after = weir_admin_parameter(request, "after");
    const char *slash = after.n > 0 ? memchr(after.p, '/', after.n) : NULL;
    query->group = weir_admin_parameter(request, "group");
    query->prefix = weir_admin_parameter(request, "prefix");
    if (slash != NULL) {
        query->after_group = weir_str(after.p, (size_t)(slash - after.p));
        query->after_name = weir_str(slash + 1, after.n - query->after_group.n - 1);
    }
}

void weir_admin_schedules(struct weir_http_request *request, void *arg)
{
    struct weir_schedules *schedules = arg;
    struct weir_schedule_query query = { 0 };
    struct weir_schedule_listed *page =
            weir_arena_zero(&request->arena, PAGE_MAX, sizeof(struct weir_schedule_listed));
    struct weir_err err = { 0 };
    struct weir_buf body;
    size_t count = 0;
    read_query(request, &query);
    if (weir_schedules_list(schedules, &query, &request->arena, page, PAGE_MAX, &count, &err) !=
            WEIR_OK) {
        weir_admin_respond_error(request, &err);
        return;
    }
    weir_buf_init(&body, WEIR_ADMIN_ANSWER_MAX_BYTES);
    weir_buf_z(&body, "{\"schedules\":[");
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(&body, i > 0 ? ",\n" : "\n");
        write_schedule(&body, &page[i]);
    }
    weir_buf_byte(&body, ']');
    if (count == PAGE_MAX) {
        const struct weir_schedule *last = &page[count - 1].schedule;
        weir_out_text(&body, "next",
                weir_arena_printf(&request->arena, "%.*s/%.*s", WEIR_STR_ARG(last->group),
                        WEIR_STR_ARG(last->name)));
    }
    weir_buf_z(&body, "}\n");
    weir_admin_respond_json(request, &body);
    weir_buf_fini(&body);
}
