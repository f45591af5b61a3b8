/* EventBridge Scheduler's operations on groups, and their tags. */
#include "api/scheduler_int.h"
#include "base/logline.h"
#include "value/json.h"
#include "value/tag.h"

enum { PAGE_MAX = 100 };

/* The group's name in its ARN, which was checked. */
static struct weir_str name_in(struct weir_str arn)
{
    size_t at = arn.n;
    while (at > 0 && arn.p[at - 1] != '/') {
        at--;
    }
    return weir_str(arn.p + at, arn.n - at);
}

/* A list of tags as texts by name. Errors: WEIR_E_INVALID. */
static enum weir_rc read_tags(struct weir_call *call, const struct weir_wire_list *tags,
        struct weir_item *ret_tags, struct weir_err *err)
{
    struct weir_item_builder *builder = weir_item_begin(call->arena);
    for (size_t i = 0; i < tags->count; i++) {
        const struct weir_scheduler_tag *tag = WEIR_WIRE_AT(*tags, struct weir_scheduler_tag, i);
        weir_item_name(builder, tag->key);
        weir_item_s(builder, tag->value);
    }
    return weir_item_finish(builder, ret_tags, err);
}

/* --- groups --------------------------------------------------------------------------------- */

static enum weir_rc create_done(struct weir_call *call, struct weir_err *err)
{
    const struct weir_scheduler_group_request *asked = call->request;
    (void)err;
    weir_buf_byte(call->out, '{');
    weir_out_text(call->out, "ScheduleGroupArn",
            weir_schedules_arn(
                    call->api->options.schedules, call->arena, asked->name, weir_str(NULL, 0)));
    weir_buf_byte(call->out, '}');
    return call->current->rc;
}

enum weir_rc weir_scheduler_create_group(
        struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_group_request *asked = request;
    struct weir_schedule_group group = { .name = asked->name, .token = asked->token };
    enum weir_rc rc = read_tags(call, &asked->tags, &group.tags, err);
    if (rc == WEIR_OK) {
        rc = weir_tags_check(group.tags, err);
    }
    if (rc == WEIR_OK) {
        weir_schedules_create_group(call->api->options.schedules, call->txn, &group);
        weir_call_submit(call, call->txn, create_done);
    }
    return rc;
}

static void write_group(struct weir_buf *out, const struct weir_schedule_group *group)
{
    weir_buf_byte(out, '{');
    weir_out_text(out, "Arn", group->arn);
    weir_out_time(out, "CreationDate", group->created);
    weir_out_time(out, "LastModificationDate", group->modified);
    weir_out_text(out, "Name", group->name);
    weir_out_text(out, "State", group->deleting ? WEIR_STR("DELETING") : WEIR_STR("ACTIVE"));
    weir_buf_byte(out, '}');
}

enum weir_rc weir_scheduler_get_group(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_name_request *asked = request;
    struct weir_schedule_group group = { 0 };
    enum weir_rc rc = weir_schedules_get_group(
            call->api->options.schedules, asked->name, call->arena, &group, err);
    if (rc == WEIR_OK) {
        write_group(call->out, &group);
    }
    return rc;
}

static enum weir_rc delete_done(struct weir_call *call, struct weir_err *err)
{
    if (call->current->rc != WEIR_OK) {
        return call->current->rc;
    }
    /* The group is marked, durably; if its schedules cannot be read now, the next start goes on. */
    if (weir_schedules_run(call->api->options.schedules, err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "schedules.failed", "reason", err->msg, NULL);
    }
    weir_buf_z(call->out, "{}");
    return WEIR_OK;
}

enum weir_rc weir_scheduler_delete_group(
        struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_name_request *asked = request;
    struct weir_str what =
            weir_arena_printf(&call->txn->arena, "group %.*s", WEIR_STR_ARG(asked->name));
    bool done = false;
    enum weir_rc rc = weir_scheduler_once(call, asked->token, what, &done, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (done) {
        weir_buf_z(call->out, "{}");
        return WEIR_OK;
    }
    weir_schedules_delete_group(call->api->options.schedules, call->txn, asked->name);
    weir_call_submit(call, call->txn, delete_done);
    return WEIR_OK;
}

enum weir_rc weir_scheduler_list_groups(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_list_request *asked = request;
    struct weir_schedule_group *page =
            weir_arena_zero(call->arena, PAGE_MAX, sizeof(struct weir_schedule_group));
    size_t max = asked->max.set ? (size_t)asked->max.value : PAGE_MAX;
    size_t count = 0;
    struct weir_str behind;
    enum weir_rc rc = weir_scheduler_read_next(call, asked->next, &behind, err);
    if (rc == WEIR_OK) {
        rc = weir_schedules_list_groups(call->api->options.schedules, asked->prefix, behind,
                call->arena, page, max, &count, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_byte(call->out, '{');
    if (count == max) {
        weir_scheduler_write_next(call, page[count - 1].name);
    }
    weir_out_name(call->out, "ScheduleGroups");
    for (size_t i = 0; i < count; i++) {
        weir_buf_byte(call->out, i > 0 ? ',' : '[');
        write_group(call->out, &page[i]);
    }
    weir_buf_z(call->out, count > 0 ? "]}" : "[]}");
    return WEIR_OK;
}

/* --- tags ------------------------------------------------------------------------------------ */

static enum weir_rc tag_done(struct weir_call *call, struct weir_err *err)
{
    (void)err;
    weir_buf_z(call->out, "{}");
    return call->current->rc;
}

enum weir_rc weir_scheduler_tag(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_tag_request *asked = request;
    struct weir_item tags = { 0 };
    enum weir_rc rc = read_tags(call, &asked->tags, &tags, err);
    if (rc == WEIR_OK) {
        weir_schedules_tag_group(
                call->api->options.schedules, call->txn, name_in(asked->arn), tags, NULL, 0);
        weir_call_submit(call, call->txn, tag_done);
    }
    return rc;
}

enum weir_rc weir_scheduler_untag(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_tag_request *asked = request;
    (void)err;
    weir_schedules_tag_group(call->api->options.schedules, call->txn, name_in(asked->arn),
            (struct weir_item){ 0 }, asked->keys.items, asked->keys.count);
    weir_call_submit(call, call->txn, tag_done);
    return WEIR_OK;
}

enum weir_rc weir_scheduler_tags(struct weir_call *call, void *request, struct weir_err *err)
{
    const struct weir_scheduler_tag_request *asked = request;
    struct weir_schedule_group group = { 0 };
    enum weir_rc rc = weir_schedules_get_group(
            call->api->options.schedules, name_in(asked->arn), call->arena, &group, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_z(call->out, "{\"Tags\":[");
    for (size_t i = 0; group.tags.n > 0 && i < weir_item_count(group.tags); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(group.tags, i, &name);
        weir_buf_z(call->out, i > 0 ? ",{" : "{");
        weir_out_text(call->out, "Key", name);
        weir_out_text(call->out, "Value", weir_value_str(value));
        weir_buf_byte(call->out, '}');
    }
    weir_buf_z(call->out, "]}");
    return WEIR_OK;
}
