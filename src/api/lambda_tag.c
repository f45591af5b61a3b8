/*
 * Tags of event source mappings, by Lambda's API:
 *
 *     GET    /2017-03-31/tags/ARN                       ListTags
 *     POST   /2017-03-31/tags/ARN                       TagResource
 *     DELETE /2017-03-31/tags/ARN?tagKeys=A&tagKeys=B   UntagResource
 *
 * Functions are defined in weir.yaml, and have none.
 */
#include "api/lambda_int.h"
#include "base/mem.h"
#include "value/tag.h"

static const struct weir_str root = { "/2017-03-31/tags/", 17 };

struct request {
    struct weir_item tags;
};

static const struct weir_wire_member request_members[] = {
    { "Tags", WEIR_WIRE_NAMES, .required = true, .offset = offsetof(struct request, tags) },
    { .name = NULL },
};
static const struct weir_wire_shape request_shape = { sizeof(struct request), request_members };

/* The mapping that an ARN is of. Errors: WEIR_E_NOT_FOUND, WEIR_E_INVALID (of another resource). */
static enum weir_rc find(struct weir_api *api, struct weir_str arn, struct weir_arena *arena,
        struct weir_mapping_view *ret_view, struct weir_err *err)
{
    struct weir_str head = weir_lambda_mapping_arn(api, WEIR_STR(""), arena);
    if (!weir_str_starts(arn, head)) {
        weir_fail(err, WEIR_E_INVALID,
                "Tags are kept for event source mappings, whose ARNs are %.*sUUID, not for %.*s: "
                "functions are defined in weir.yaml",
                WEIR_STR_ARG(head), WEIR_STR_ARG(arn));
        return WEIR_E_INVALID;
    }
    struct weir_str uuid = weir_str(arn.p + head.n, arn.n - head.n);
    return weir_mappings_get(api->options.mappings, uuid, ret_view, err);
}

static void list(struct weir_api *api, struct weir_http_request *http, struct weir_str arn)
{
    struct weir_mapping_view view;
    struct weir_err err = { 0 };
    enum weir_rc rc = find(api, arn, &http->arena, &view, &err);
    if (rc != WEIR_OK) {
        weir_lambda_refuse(api, http, rc, weir_str_z(err.msg));
        return;
    }
    struct weir_buf body;
    weir_buf_init(&body, WEIR_LAMBDA_ANSWER_MAX);
    weir_buf_z(&body, "{\"Tags\":");
    weir_tags_write(&body, view.mapping->tags);
    weir_buf_byte(&body, '}');
    weir_lambda_respond(api, http, 200, NULL, &body);
    weir_buf_fini(&body);
}

/* --- changes -------------------------------------------------------------------------------- */

static void answer_changed(
        struct weir_api *api, struct weir_http_request *http, const struct weir_mapping_view *view)
{
    struct weir_http_header header = { WEIR_STR("x-amzn-RequestId"),
        weir_call_request_id(api, &http->arena) };
    (void)view;
    weir_http_respond(http, 204, &header, 1, weir_str(NULL, 0));
}

static void change(struct weir_api *api, struct weir_http_request *http, struct weir_str arn,
        struct weir_item set, const struct weir_wire_list *unset)
{
    struct weir_mapping_view view;
    struct weir_item tags = { 0 };
    struct weir_err err = { 0 };
    struct weir_lambda_change *change = weir_lambda_change_begin(api, http, answer_changed);
    enum weir_rc rc = find(api, arn, &http->arena, &view, &err);
    if (rc == WEIR_OK) {
        rc = weir_tags_change(
                &http->arena, view.mapping->tags, set, unset->items, unset->count, &tags, &err);
    }
    if (rc == WEIR_OK) {
        rc = weir_mappings_set_tags(
                api->options.mappings, view.mapping->uuid, tags, &change->change, &err);
    }
    /* Of the faults that AWS names for tags, this is the one of a change that is under way. */
    rc = rc == WEIR_E_CONFLICT ? WEIR_E_EXISTS : rc;
    weir_lambda_change_begun(change, rc, weir_str_z(err.msg));
}

static void tag(struct weir_api *api, struct weir_http_request *http, struct weir_str arn)
{
    void *read = NULL;
    struct weir_str message = { 0 };
    if (weir_lambda_read(http, &request_shape, &read, &message) != WEIR_OK) {
        weir_lambda_refuse(api, http, WEIR_E_INVALID, message);
        return;
    }
    const struct request *request = read;
    change(api, http, arn, request->tags, &(struct weir_wire_list){ 0 });
}

static void untag(struct weir_api *api, struct weir_http_request *http, struct weir_str arn)
{
    struct weir_str query = http->query;
    struct weir_wire_list keys = { .set = true };
    size_t most = 1;
    for (size_t i = 0; i < query.n; i++) {
        most += query.p[i] == '&';
    }
    struct weir_str *all = weir_arena_zero(&http->arena, most, sizeof(*all));
    struct weir_str key;
    while ((key = weir_lambda_next_parameter(&query, WEIR_STR("tagKeys"), &http->arena)).p !=
            NULL) {
        all[keys.count++] = key;
    }
    if (keys.count == 0) {
        weir_lambda_refuse(api, http, WEIR_E_INVALID,
                WEIR_STR("1 validation error detected: Value null at 'tagKeys' failed to satisfy "
                         "constraint: Member must not be null."));
        return;
    }
    keys.items = all;
    change(api, http, arn, (struct weir_item){ 0 }, &keys);
}

/* --- dispatch ------------------------------------------------------------------------------- */

bool weir_lambda_is_tags(struct weir_str path)
{
    return weir_str_starts(path, root);
}

void weir_lambda_handle_tags(struct weir_api *api, struct weir_http_request *http)
{
    struct weir_str arn = weir_lambda_decode(
            &http->arena, weir_str(http->path.p + root.n, http->path.n - root.n));
    if (http->method == WEIR_HTTP_GET) {
        list(api, http, arn);
    } else if (http->method == WEIR_HTTP_POST) {
        tag(api, http, arn);
    } else if (http->method == WEIR_HTTP_DELETE) {
        untag(api, http, arn);
    } else {
        weir_lambda_refuse(api, http, WEIR_E_INVALID,
                WEIR_STR("tags are looked at with GET, set with POST and taken away with DELETE"));
    }
}
