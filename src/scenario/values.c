/* From the YAML of a test file to items, times, paths and JSON. */
#include <string.h>

#include "base/mem.h"
#include "scenario/scenario_int.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { JSON_MAX_BYTES = 8 * 1024 * 1024, JSON_DEPTH = 64 };

const char *weir_script_path(struct weir_arena *arena, const char *script, struct weir_str name)
{
    const char *slash = strrchr(script, '/');
    struct weir_str folder = { 0 };
    if (slash != NULL && !weir_str_starts(name, WEIR_STR("/"))) {
        folder = weir_str(script, (size_t)(slash - script) + 1);
    }
    return weir_arena_printf(arena, "%.*s%.*s", WEIR_STR_ARG(folder), WEIR_STR_ARG(name)).p;
}

struct weir_str weir_script_json(struct weir_arena *arena, const struct weir_conf *node)
{
    struct weir_buf buf;
    weir_buf_init(&buf, JSON_MAX_BYTES);
    weir_conf_write_json(&buf, node);
    struct weir_str json = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return json;
}

struct weir_item weir_script_parse(struct weir_arena *arena, struct weir_str text)
{
    struct weir_json json;
    struct weir_item item = { 0 };
    weir_json_init(&json, text, arena, JSON_DEPTH);
    if (weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &item, NULL) != WEIR_OK) {
        return (struct weir_item){ 0 };
    }
    return item;
}

/* Whether a map is DynamoDB JSON: each of its values is {"S": ...} or of another type. */
static bool is_typed(const struct weir_conf *node)
{
    for (size_t i = 0; i < node->count; i++) {
        const struct weir_conf *value = &node->items[i];
        if (value->kind != WEIR_CONF_MAP || value->count != 1 ||
                weir_type_parse(value->names[0].text) == WEIR_TYPE_ABSENT) {
            return false;
        }
    }
    return node->count > 0;
}

bool weir_script_item(
        struct script_reader *reader, const struct weir_conf *node, struct weir_item *ret_item)
{
    if (node->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node, "a map of attributes is expected, not %s",
                weir_conf_show(node, shown));
        return false;
    }
    struct weir_json json;
    struct weir_err err = { 0 };
    weir_json_init(&json, weir_script_json(reader->arena, node), reader->arena, JSON_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    enum weir_rc rc = is_typed(node) ? weir_ddbjson_read_item(&json, token, ret_item, &err)
                                     : weir_ddbjson_read_plain_item(&json, token, ret_item, &err);
    if (rc != WEIR_OK) {
        const struct weir_conf *at = err.pos > 0 ? weir_conf_at_json(node, err.pos) : node;
        weir_conf_error(reader->diagnostics, at, "%s", err.msg);
    }
    return rc == WEIR_OK;
}

bool weir_script_duration(
        struct script_reader *reader, const struct weir_conf *node, uint64_t *ret_ms)
{
    static const struct weir_option duration = { .name = "duration", .type = WEIR_OPTION_DURATION };
    return weir_conf_value(reader->diagnostics, node, &duration, ret_ms);
}

bool weir_script_time(
        struct script_reader *reader, const struct weir_conf *node, struct weir_time *ret_time)
{
    if (node->kind == WEIR_CONF_SCALAR && weir_time_parse(node->text, ret_time)) {
        return true;
    }
    if (node->kind == WEIR_CONF_SCALAR && weir_str_starts(node->text, WEIR_STR("+"))) {
        struct weir_conf rest = *node;
        uint64_t ms = 0;
        rest.text = weir_str(node->text.p + 1, node->text.n - 1);
        if (!weir_script_duration(reader, &rest, &ms)) {
            return false;
        }
        ret_time->ms = reader->start.ms + (int64_t)ms;
        return true;
    }
    char shown[WEIR_CONF_SHOWN];
    weir_conf_error(reader->diagnostics, node,
            "%s is no time; expected is one such as 2026-01-01T00:00:05Z, or +5s after the start "
            "of the test",
            weir_conf_show(node, shown));
    return false;
}

bool weir_script_event(
        struct script_reader *reader, const struct weir_conf *node, struct weir_item *ret_item)
{
    struct weir_item item;
    if (!weir_script_item(reader, node, &item)) {
        return false;
    }
    const struct weir_conf *at = weir_conf_get(node, "at");
    *ret_item = item;
    if (at == NULL) {
        return true;
    }
    struct weir_time time;
    char text[WEIR_TIME_TEXT];
    if (!weir_script_time(reader, at, &time)) {
        return false;
    }
    weir_time_format(time, text);
    struct weir_item_builder *builder = weir_item_begin(reader->arena);
    for (size_t i = 0; i < weir_item_count(item); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(item, i, &name);
        weir_item_name(builder, name);
        if (weir_str_eq(name, WEIR_STR("at"))) {
            weir_item_s(builder, weir_str_z(text));
        } else {
            weir_item_value(builder, value);
        }
    }
    return weir_item_finish(builder, ret_item, NULL) == WEIR_OK;
}
