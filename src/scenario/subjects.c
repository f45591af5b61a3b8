/* What an expectation can be about, and how what is there becomes items to compare. */
#include <stdio.h>

#include "base/mem.h"
#include "scenario/scenario_int.h"
#include "value/ddbjson.h"

enum { STATUS_MAX_BYTES = 4 * 1024 * 1024, LABELS_MAX = 8 };

void weir_script_items_add(
        struct weir_arena *arena, struct script_items *items, struct weir_item item)
{
    if (items->count == items->capacity) {
        size_t capacity = items->capacity > 0 ? 2 * items->capacity : 16;
        struct weir_item *all = weir_arena_zero(arena, capacity, sizeof(*all));
        for (size_t i = 0; i < items->count; i++) {
            all[i] = items->all[i];
        }
        items->all = all;
        items->capacity = capacity;
    }
    items->all[items->count++] = item;
}

static struct weir_item copy_item(struct weir_arena *arena, struct weir_item item)
{
    struct weir_str copy = weir_arena_str(arena, weir_str(item.p, item.n));
    return (struct weir_item){ copy.p, copy.n };
}

static void add_text(struct weir_item_builder *builder, const char *name, struct weir_str text)
{
    if (text.n > 0) {
        weir_item_name(builder, weir_str_z(name));
        weir_item_s(builder, text);
    }
}

static void add_time(struct weir_item_builder *builder, const char *name, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    weir_time_format(time, text);
    add_text(builder, name, weir_str_z(text));
}

static void add_number(struct weir_item_builder *builder, const char *name, int64_t number)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_n(builder, weir_decimal_from_i64(number));
}

static void add_map(struct weir_item_builder *builder, const char *name, struct weir_item item)
{
    if (item.n > 0) {
        weir_item_name(builder, weir_str_z(name));
        weir_item_value(builder, weir_item_as_value(item));
    }
}

/* End an item and add it. What is built here is small and has no sets: that cannot fail. */
static void add_built(
        struct script_run *run, struct script_items *items, struct weir_item_builder *builder)
{
    struct weir_item item;
    struct weir_err err;
    enum weir_rc rc = weir_item_finish(builder, &item, &err);
    weir_assert(rc == WEIR_OK);
    weir_script_items_add(&run->arena, items, item);
}

/* --- tables and streams ---------------------------------------------------------------------- */

/* While items are gathered by a callback. */
struct gathering {
    struct script_run *run;
    struct script_items *items;
};

static bool keep_item(void *arg, struct weir_item item)
{
    struct gathering *gathering = arg;
    struct weir_arena *arena = &gathering->run->arena;
    weir_script_items_add(arena, gathering->items, copy_item(arena, item));
    return true;
}

static enum weir_rc find_item(struct script_run *run, const struct weir_table *table,
        struct weir_item keys, struct script_items *items, struct weir_err *err)
{
    struct weir_str key;
    struct weir_item item = { 0 };
    enum weir_rc rc = weir_table_exact_key(table, keys, &run->arena, &key, err);
    if (rc == WEIR_OK) {
        rc = weir_table_get(run->world->engine->tables, table, key, &run->arena, &item, err);
    }
    if (rc == WEIR_OK && item.n > 0) {
        weir_script_items_add(&run->arena, items, item);
    }
    return rc;
}

static bool gather_table(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    struct weir_tables *tables = run->world->engine->tables;
    const struct weir_table *table = NULL;
    struct weir_err err;
    enum weir_rc rc = weir_tables_get(tables, name->text, &table, &err);
    if (rc == WEIR_OK && helper.n > 0) {
        rc = find_item(run, table, helper, items, &err);
    } else if (rc == WEIR_OK) {
        struct gathering gathering = { run, items };
        struct weir_query scan = { .table = table, .max_bytes = SIZE_MAX };
        struct weir_query_result result;
        rc = weir_table_query(tables, &scan, &run->arena, keep_item, &gathering, &result, &err);
    }
    weir_table_unref(table);
    return rc == WEIR_OK || weir_script_fail(run, name, "%s", err.msg);
}

static void add_record(
        struct script_run *run, const struct weir_record *record, struct script_items *items)
{
    struct weir_item_builder *builder = weir_item_begin(&run->arena);
    add_text(builder, "event", weir_str_z(weir_event_name(record->event)));
    add_time(builder, "at", record->created);
    add_map(builder, "keys", record->keys);
    add_map(builder, "new", record->new_image);
    add_map(builder, "old", record->old_image);
    weir_item_name(builder, WEIR_STR("by_ttl"));
    weir_item_bool(builder, record->by_ttl);
    add_built(run, items, builder);
}

static bool gather_stream(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    (void)helper;
    const struct weir_table *table = NULL;
    struct weir_err err;
    enum weir_rc rc = weir_tables_get(run->world->engine->tables, name->text, &table, &err);
    if (rc != WEIR_OK) {
        return weir_script_fail(run, name, "%s", err.msg);
    }
    struct weir_log_filter filter = { .space = table->space, .shard = WEIR_LOG_ANY_SHARD };
    struct weir_log_reader *reader = weir_log_reader_create(
            weir_store_log(run->world->engine->store), filter, (struct weir_pos){ 0 });
    for (;;) {
        struct weir_change change;
        struct weir_time time;
        struct weir_record record;
        bool have = false;
        rc = weir_log_next(reader, &change, &time, &have, &err);
        if (rc == WEIR_E_TRIMMED) {
            continue; /* what the log has no more is not there */
        }
        if (rc != WEIR_OK || !have) {
            break;
        }
        weir_table_record(table, &change, time, &record);
        add_record(run, &record, items);
    }
    weir_log_reader_destroy(reader);
    weir_table_unref(table);
    return rc == WEIR_OK || weir_script_fail(run, name, "%s", err.msg);
}

/* --- queues ------------------------------------------------------------------------------------
 */

static void add_attributes(struct weir_item_builder *builder, const struct weir_message *message)
{
    if (message->attribute_count == 0) {
        return;
    }
    weir_item_name(builder, WEIR_STR("attributes"));
    weir_item_open(builder, WEIR_TYPE_M);
    for (size_t i = 0; i < message->attribute_count; i++) {
        weir_item_name(builder, message->attributes[i].name);
        weir_item_s(builder, message->attributes[i].value);
    }
    weir_item_close(builder);
}

static bool keep_message(void *arg, const struct weir_message *message, bool hidden)
{
    (void)hidden; /* the time says it better */
    struct gathering *gathering = arg;
    struct weir_item_builder *builder = weir_item_begin(&gathering->run->arena);
    add_text(builder, "body", message->body);
    add_text(builder, "group", message->group);
    add_text(builder, "dedup", message->dedup);
    add_text(builder, "id", message->id);
    add_time(builder, "at", message->sent);
    add_time(builder, "visible", message->visible);
    add_number(builder, "receives", message->receives);
    add_attributes(builder, message);
    add_built(gathering->run, gathering->items, builder);
    return true;
}

static bool gather_queue(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    (void)helper;
    struct weir_queues *queues = run->world->engine->queues;
    const struct weir_queue *queue = NULL;
    struct gathering gathering = { run, items };
    struct weir_err err;
    enum weir_rc rc = weir_queues_get(queues, name->text, &queue, &err);
    if (rc == WEIR_OK) {
        rc = weir_queues_browse(queues, queue, 0, keep_message, &gathering, &err);
    }
    weir_queue_unref(queue);
    return rc == WEIR_OK || weir_script_fail(run, name, "%s", err.msg);
}

/* --- what weir says about itself
 * ------------------------------------------------------------------ */

/* Add the object with a name from the JSON array in `json`, which is freed. */
static bool add_named(struct script_run *run, const struct weir_conf *name, struct weir_buf *json,
        struct script_items *items)
{
    struct weir_str text =
            weir_arena_printf(&run->arena, "{\"all\":%.*s}", WEIR_STR_ARG(weir_buf_view(json)));
    struct weir_value all = weir_item_get(weir_script_parse(&run->arena, text), WEIR_STR("all"));
    weir_buf_fini(json);
    for (size_t i = 0; i < weir_value_count(all); i++) {
        struct weir_item one = weir_value_map(weir_value_at(all, i));
        if (weir_str_eq(weir_value_str(weir_item_get(one, WEIR_STR("name"))), name->text)) {
            weir_script_items_add(&run->arena, items, one);
            return true;
        }
    }
    char shown[WEIR_CONF_SHOWN];
    return weir_script_fail(run, name, "there is no %s", weir_conf_show(name, shown));
}

static bool gather_pipeline(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    (void)helper;
    struct weir_buf json;
    weir_buf_init(&json, STATUS_MAX_BYTES);
    weir_pipelines_status(run->world->engine->pipelines, &json);
    return add_named(run, name, &json, items);
}

static bool gather_alarm(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    (void)helper;
    struct weir_buf json;
    weir_buf_init(&json, STATUS_MAX_BYTES);
    weir_alarms_write(run->world->engine->alarms, &json);
    return add_named(run, name, &json, items);
}

static void add_double(struct weir_item_builder *builder, const char *name, double value)
{
    char text[64];
    struct weir_decimal number = { 0 };
    int n = snprintf(text, sizeof(text), "%.15g", value);
    if (weir_decimal_parse(weir_str(text, (size_t)n), &number, NULL) == WEIR_OK) {
        weir_item_name(builder, weir_str_z(name));
        weir_item_n(builder, number);
    }
}

static bool gather_metric(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    struct weir_metric_label labels[LABELS_MAX];
    size_t count = weir_item_count(helper) < LABELS_MAX ? weir_item_count(helper) : LABELS_MAX;
    for (size_t i = 0; i < count; i++) {
        labels[i].value = weir_value_str(weir_item_at(helper, i, &labels[i].name));
    }
    weir_pipelines_refresh(run->world->engine->pipelines);
    weir_queues_refresh(run->world->engine->queues);
    struct weir_metric_reading reading;
    weir_metrics_read(run->world->engine->metrics, name->text, labels, count, &reading);
    if (reading.series == 0) {
        char shown[WEIR_CONF_SHOWN];
        return weir_script_fail(
                run, name, "there is no metric %s with these labels", weir_conf_show(name, shown));
    }
    struct weir_item_builder *builder = weir_item_begin(&run->arena);
    add_double(builder, "value", reading.sum);
    add_double(builder, "least", reading.least);
    add_double(builder, "most", reading.most);
    add_number(builder, "series", (int64_t)reading.series);
    add_number(builder, "count", (int64_t)reading.count);
    add_built(run, items, builder);
    return true;
}

static bool gather_function(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    (void)helper;
    for (size_t i = 0; i < run->world->call_count; i++) {
        const struct weir_world_call *call = &run->world->calls[i];
        if (!weir_str_eq(call->function, name->text)) {
            continue;
        }
        struct weir_item_builder *builder = weir_item_begin(&run->arena);
        add_time(builder, "at", call->time);
        add_text(builder, "event", call->event);
        add_built(run, items, builder);
    }
    return true;
}

static bool gather_log(struct script_run *run, const struct weir_conf *name,
        struct weir_item helper, struct script_items *items)
{
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    (void)helper;
    for (size_t i = 0; i < run->world->line_count; i++) {
        const struct weir_world_line *line = &run->world->lines[i];
        if (!weir_str_eq(line->what, name->text)) {
            continue;
        }
        struct weir_item_builder *builder = weir_item_begin(&run->arena);
        add_time(builder, "at", line->time);
        add_text(builder, "level", weir_str_z(levels[line->level]));
        for (size_t k = 0; k < line->count; k++) {
            add_text(builder, line->keys[k].p, line->values[k]);
        }
        add_built(run, items, builder);
    }
    return true;
}

const struct script_subject script_subjects[] = {
    { .name = "table",
            .what = "the items of table",
            .list = "items",
            .whole = true,
            .helper = "key",
            .gather = gather_table },
    { .name = "stream",
            .what = "the records of table",
            .list = "records",
            .ordered = true,
            .gather = gather_stream },
    { .name = "queue",
            .what = "the messages of queue",
            .list = "messages",
            .ordered = true,
            .gather = gather_queue },
    { .name = "function",
            .what = "the calls of function",
            .list = "calls",
            .ordered = true,
            .gather = gather_function },
    { .name = "log",
            .what = "the log lines",
            .list = "lines",
            .ordered = true,
            .gather = gather_log },
    { .name = "pipeline", .what = "pipeline", .single = true, .gather = gather_pipeline },
    { .name = "alarm", .what = "alarm", .single = true, .gather = gather_alarm },
    { .name = "metric",
            .what = "metric",
            .single = true,
            .helper = "labels",
            .gather = gather_metric },
    { 0 },
};
