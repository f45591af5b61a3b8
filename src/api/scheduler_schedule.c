/* EventBridge Scheduler's operations on schedules. */
#include "api/scheduler_int.h"

enum { PAGE_MAX = 100, SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, PAST_MS = 5 * MINUTE_MS };

static struct weir_str group_or_default(struct weir_str group)
{
    return group.n > 0 ? group : WEIR_SCHEDULE_DEFAULT_GROUP;
}

/* --- definitions --------------------------------------------------------------------------- */

static enum weir_rc read_window(
        const struct weir_scheduler_window *window, uint64_t *ret_window_ms, struct weir_err *err)
{
    bool flexible = weir_str_eq(window->mode, WEIR_STR("FLEXIBLE"));
    if (flexible != window->minutes.set) {
        return weir_fail(err, WEIR_E_INVALID,
                flexible ? "FlexibleTimeWindow.MaximumWindowInMinutes is required with Mode "
                           "FLEXIBLE"
                         : "FlexibleTimeWindow.MaximumWindowInMinutes is not allowed with Mode "
                           "OFF");
    }
    *ret_window_ms = (uint64_t)window->minutes.value * MINUTE_MS;
    return WEIR_OK;
}

static enum weir_rc read_target(const struct weir_scheduler_target *asked,
        struct weir_schedule_target *target, struct weir_err *err)
{
    if (asked->refused.n > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "Target.%.*s is not supported: weir delivers to queues and functions",
                WEIR_STR_ARG(asked->refused));
    }
    target->arn = asked->arn;
    target->role = asked->role;
    target->input = asked->input;
    target->group = asked->sqs != NULL ? asked->sqs->group : target->group;
    target->dead_letters = asked->letters != NULL ? asked->letters->arn : target->dead_letters;
    if (asked->retry != NULL && asked->retry->age.set) {
        target->max_age_ms = (uint64_t)asked->retry->age.value * SECOND_MS;
    }
    if (asked->retry != NULL && asked->retry->attempts.set) {
        target->max_retries = (uint64_t)asked->retry->attempts.value;
    }
    return WEIR_OK;
}

/* Dates count for what recurs; AWS ignores them where something happens once. */
static enum weir_rc read_dates(const struct weir_call *call,
        const struct weir_scheduler_put_request *asked, struct weir_schedule *schedule,
        bool creates, struct weir_err *err)
{
    struct weir_time now = weir_clock_wall(call->api->options.clock);
    bool once = weir_str_starts(asked->expression, WEIR_STR("at("));
    schedule->start = asked->start.value;
    schedule->end = asked->end.value;
    if (once || !creates) {
        return WEIR_OK;
    }
    if (asked->start.set && schedule->start.ms < now.ms - PAST_MS) {
        return weir_fail(err, WEIR_E_INVALID,
                "The StartDate you specify cannot be earlier than 5 minutes ago.");
    }
    if (asked->end.set && schedule->end.ms < now.ms) {
        return weir_fail(
                err, WEIR_E_INVALID, "The EndDate you specify cannot be earlier than now.");
    }
    return WEIR_OK;
}

static enum weir_rc read_schedule(const struct weir_call *call,
        const struct weir_scheduler_put_request *asked, bool creates,
        struct weir_schedule *schedule, struct weir_err *err)
{
    *schedule = weir_schedule_defaults(asked->name);
    schedule->group = group_or_default(asked->group);
    schedule->description = asked->description;
    schedule->expression = asked->expression;
    schedule->zone = asked->zone.n > 0 ? asked->zone : schedule->zone;
    schedule->enabled = !weir_str_eq(asked->state, WEIR_STR("DISABLED"));
    schedule->delete_after = weir_str_eq(asked->after, WEIR_STR("DELETE"));
    schedule->token = asked->token;
    if (asked->kms.n > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "KmsKeyArn is not supported: weir has no key management, and stores schedules as "
                "they are");
    }
    enum weir_rc rc = weir_scheduler_refuse_files(schedule->group, err);
    if (rc == WEIR_OK) {
        rc = read_window(asked->window, &schedule->window_ms, err);
    }
    if (rc == WEIR_OK) {
        rc = read_target(asked->target, &schedule->target, err);
    }
    if (rc == WEIR_OK) {
        rc = read_dates(call, asked, schedule, creates, err);
    }
    return rc == WEIR_OK ? weir_schedule_check(schedule, NULL, err) : rc;
}

/* --- writing ------------------------------------------------------------------------------- */

static enum weir_rc put_done(struct weir_call *call, struct weir_err *err)
{
    const struct weir_scheduler_put_request *asked = call->request;
    (void)err;
    if (call->current->rc == WEIR_OK) {
        weir_buf_byte(call->out, '{');
        weir_out_text(call->out, "ScheduleArn",
                weir_schedules_arn(call->api->options.schedules, call->arena,
                        group_or_default(asked->group), asked->name));
        weir_buf_byte(call->out, '}');
    }
    return call->current->rc;
}

enum weir_rc weir_scheduler_create(struct weir_call *call, void *request, struct weir_err *err)
{
    struct weir_schedule schedule = { 0 };
    enum weir_rc rc = read_schedule(call, request, true, &schedule, err);
    if (rc == WEIR_OK) {
        weir_schedules_create_schedule(call->api->options.schedules, call->txn, &schedule);
        weir_call_submit(call, call->txn, put_done);
    }
    return rc;
}

enum weir_rc weir_scheduler_update(struct weir_call *call, void *request, struct weir_err *err)
{
    struct weir_schedule schedule = { 0 };
    enum weir_rc rc = read_schedule(call, request, false, &schedule, err);
    if (rc == WEIR_OK) {
        weir_schedules_update_schedule(call->api->options.schedules, call->txn, &schedule);
        weir_call_submit(call, call->txn, put_done);
    }
    return rc;
}

static enum weir_rc delete_done(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    weir_buf_z(call->out, "{}");
    return call->current->rc;
}

enum weir_rc weir_scheduler_delete(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_name_request *asked = request;
    struct weir_str group = group_or_default(asked->group);
    struct weir_str what = weir_arena_printf(&call->txn->arena, "schedule %.*s/%.*s",
            WEIR_STR_ARG(group), WEIR_STR_ARG(asked->name));
    bool done = false;
    enum weir_rc rc = weir_scheduler_refuse_files(group, err);
    if (rc == WEIR_OK) {
        rc = weir_scheduler_once(call, asked->token, what, &done, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (done) {
        weir_buf_z(call->out, "{}");
        return WEIR_OK;
    }
    weir_schedules_delete_schedule(call->api->options.schedules, call->txn, group, asked->name);
    weir_call_submit(call, call->txn, delete_done);
    return WEIR_OK;
}

/* --- reading ------------------------------------------------------------------------------- */

static const char *state_name(const struct weir_schedule *schedule)
{
    return schedule->enabled ? "ENABLED" : "DISABLED";
}

static void write_target(struct weir_buf *out, const struct weir_schedule_target *target)
{
    weir_out_name(out, "Target");
    weir_buf_byte(out, '{');
    weir_out_text(out, "Arn", target->arn);
    if (target->dead_letters.n > 0) {
        weir_out_name(out, "DeadLetterConfig");
        weir_buf_byte(out, '{');
        weir_out_text(out, "Arn", target->dead_letters);
        weir_buf_byte(out, '}');
    }
    if (target->input.p != NULL) {
        weir_out_text(out, "Input", target->input);
    }
    weir_out_name(out, "RetryPolicy");
    weir_buf_byte(out, '{');
    weir_out_number(out, "MaximumEventAgeInSeconds", target->max_age_ms / SECOND_MS);
    weir_out_number(out, "MaximumRetryAttempts", target->max_retries);
    weir_buf_byte(out, '}');
    weir_out_text(out, "RoleArn", target->role);
    if (target->group.n > 0) {
        weir_out_name(out, "SqsParameters");
        weir_buf_byte(out, '{');
        weir_out_text(out, "MessageGroupId", target->group);
        weir_buf_byte(out, '}');
    }
    weir_buf_byte(out, '}');
}

static void write_window(struct weir_buf *out, uint64_t window_ms)
{
    weir_out_name(out, "FlexibleTimeWindow");
    weir_buf_byte(out, '{');
    if (window_ms > 0) {
        /* One of weir.yaml may be shorter than a minute. */
        weir_out_number(out, "MaximumWindowInMinutes", (window_ms + MINUTE_MS - 1) / MINUTE_MS);
    }
    weir_out_text(out, "Mode", window_ms > 0 ? WEIR_STR("FLEXIBLE") : WEIR_STR("OFF"));
    weir_buf_byte(out, '}');
}

enum weir_rc weir_scheduler_get(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_name_request *asked = request;
    struct weir_schedule schedule = { 0 };
    struct weir_schedule_state state = { 0 };
    struct weir_buf *out = call->out;
    enum weir_rc rc = weir_schedules_get(call->api->options.schedules,
            group_or_default(asked->group), asked->name, call->arena, &schedule, &state, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_byte(out, '{');
    weir_out_text(out, "ActionAfterCompletion",
            schedule.delete_after ? WEIR_STR("DELETE") : WEIR_STR("NONE"));
    weir_out_text(out, "Arn", schedule.arn);
    weir_out_time(out, "CreationDate", schedule.created);
    if (schedule.description.n > 0) {
        weir_out_text(out, "Description", schedule.description);
    }
    if (schedule.end.ms > 0) {
        weir_out_time(out, "EndDate", schedule.end);
    }
    write_window(out, schedule.window_ms);
    weir_out_text(out, "GroupName", schedule.group);
    weir_out_time(out, "LastModificationDate", schedule.modified);
    weir_out_text(out, "Name", schedule.name);
    weir_out_text(out, "ScheduleExpression", schedule.expression);
    weir_out_text(out, "ScheduleExpressionTimezone", schedule.zone);
    if (schedule.start.ms > 0) {
        weir_out_time(out, "StartDate", schedule.start);
    }
    weir_out_text(out, "State", weir_str_z(state_name(&schedule)));
    write_target(out, &schedule.target);
    weir_buf_byte(out, '}');
    return WEIR_OK;
}

static void write_summary(struct weir_buf *out, const struct weir_schedule *schedule)
{
    weir_buf_byte(out, '{');
    weir_out_text(out, "Arn", schedule->arn);
    weir_out_time(out, "CreationDate", schedule->created);
    weir_out_text(out, "GroupName", schedule->group);
    weir_out_time(out, "LastModificationDate", schedule->modified);
    weir_out_text(out, "Name", schedule->name);
    weir_out_text(out, "State", weir_str_z(state_name(schedule)));
    weir_out_name(out, "Target");
    weir_buf_byte(out, '{');
    weir_out_text(out, "Arn", schedule->target.arn);
    weir_buf_z(out, "}}");
}

/* A page begins behind "group/name". */
static enum weir_rc read_page(struct weir_call *call,
        const struct weir_scheduler_list_request *asked, struct weir_schedule_query *query,
        struct weir_err *err)
{
    struct weir_str behind;
    enum weir_rc rc = weir_scheduler_read_next(call, asked->next, &behind, err);
    const char *slash = behind.n > 0 ? memchr(behind.p, '/', behind.n) : NULL;
    if (rc == WEIR_OK && behind.n > 0 && slash == NULL) {
        return weir_fail(err, WEIR_E_INVALID, "Invalid NextToken");
    }
    if (rc == WEIR_OK && slash != NULL) {
        query->after_group = weir_str(behind.p, (size_t)(slash - behind.p));
        query->after_name = weir_str(slash + 1, behind.n - query->after_group.n - 1);
    }
    return rc;
}

enum weir_rc weir_scheduler_list(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_list_request *asked = request;
    struct weir_schedules *schedules = call->api->options.schedules;
    struct weir_schedule_listed *page =
            weir_arena_zero(call->arena, PAGE_MAX, sizeof(struct weir_schedule_listed));
    struct weir_schedule_query query = {
        .group = asked->group,
        .prefix = asked->prefix,
        .has_state = asked->state.n > 0,
        .enabled = weir_str_eq(asked->state, WEIR_STR("ENABLED")),
    };
    struct weir_schedule_group group = { 0 };
    size_t max = asked->max.set ? (size_t)asked->max.value : PAGE_MAX;
    size_t count = 0;
    enum weir_rc rc = read_page(call, asked, &query, err);
    if (rc == WEIR_OK && asked->group.n > 0) {
        rc = weir_schedules_get_group(schedules, asked->group, call->arena, &group, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_schedules_list(schedules, &query, call->arena, page, max, &count, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_byte(call->out, '{');
    if (count == max) {
        const struct weir_schedule *last = &page[count - 1].schedule;
        weir_scheduler_write_next(
                call, weir_arena_printf(call->arena, "%.*s/%.*s", WEIR_STR_ARG(last->group),
                              WEIR_STR_ARG(last->name)));
    }
    weir_out_name(call->out, "Schedules");
    for (size_t i = 0; i < count; i++) {
        weir_buf_byte(call->out, i > 0 ? ',' : '[');
        write_summary(call->out, &page[i].schedule);
    }
    weir_buf_z(call->out, count > 0 ? "]}" : "[]}");
    return WEIR_OK;
}
