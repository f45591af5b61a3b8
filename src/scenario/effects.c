#include "scenario/effects.h"

#include "base/mem.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { QUEUES_MAX = 1024, NAMES_AT_ONCE = 64 };

/* How far a queue was looked at. */
struct followed {
    struct weir_str name; /* the arena's */
    uint64_t sequence;
};

struct weir_effects {
    struct weir_world *world;
    bool ddb;
    struct weir_log_reader *reader;
    struct weir_pos *ignored; /* in growing order */
    size_t ignored_count;
    size_t ignored_capacity;
    size_t ignored_at; /* the first that was not met yet */
    struct weir_arena arena;
    struct followed queues[QUEUES_MAX];
    size_t queue_count;
};

static bool is_source(const struct weir_config *config, struct weir_str table)
{
    for (size_t i = 0; i < config->pipeline_count; i++) {
        if (config->pipelines[i] != NULL &&
                weir_pipeline_model_reads(config->pipelines[i], table)) {
            return true;
        }
    }
    return false;
}

void weir_effects_prepare(struct weir_config *config)
{
    for (size_t i = 0; i < config->table_count; i++) {
        struct weir_table *table = &config->tables[i];
        if (table->view == WEIR_VIEW_NONE && !is_source(config, table->name)) {
            table->view = WEIR_VIEW_KEYS_ONLY;
            table->shards = 1;
        }
    }
}

struct weir_effects *weir_effects_create(struct weir_world *world, bool ddb)
{
    struct weir_effects *effects = weir_alloc_zero(1, sizeof(*effects));
    struct weir_log_filter everything = { .everything = true };
    effects->world = world;
    effects->ddb = ddb;
    weir_arena_init(&effects->arena);
    effects->reader = weir_log_reader_create(
            weir_store_log(world->engine->store), everything, (struct weir_pos){ 0 });
    return effects;
}

void weir_effects_destroy(struct weir_effects *effects)
{
    if (effects != NULL) {
        weir_log_reader_destroy(effects->reader);
        weir_arena_fini(&effects->arena);
        weir_free(effects->ignored);
        weir_free(effects);
    }
}

void weir_effects_ignore(struct weir_effects *effects, struct weir_pos pos)
{
    if (effects->ignored_at == effects->ignored_count) {
        effects->ignored_at = 0;
        effects->ignored_count = 0;
    }
    if (effects->ignored_count == effects->ignored_capacity) {
        effects->ignored_capacity =
                effects->ignored_capacity > 0 ? 2 * effects->ignored_capacity : 64;
        effects->ignored = weir_realloc(
                effects->ignored, effects->ignored_capacity, sizeof(*effects->ignored));
    }
    effects->ignored[effects->ignored_count++] = pos;
}

static bool is_ignored(struct weir_effects *effects, struct weir_pos pos)
{
    bool met = effects->ignored_at < effects->ignored_count &&
               effects->ignored[effects->ignored_at].seq == pos.seq;
    effects->ignored_at += met;
    return met;
}

/* --- writes ----------------------------------------------------------------------------------- */

static void write_head(
        struct weir_buf *out, struct weir_time time, const char *what, struct weir_str name)
{
    char text[WEIR_TIME_TEXT];
    weir_time_format(time, text);
    weir_buf_printf(out, "{\"at\":\"%s\",\"%s\":", text, what);
    weir_json_write_string(out, name);
}

static void write_item(
        const struct weir_effects *effects, struct weir_buf *out, struct weir_item item)
{
    if (effects->ddb) {
        weir_ddbjson_write_item(out, item);
    } else {
        weir_ddbjson_write_plain_item(out, item);
    }
}

static void write_change(struct weir_effects *effects, const struct weir_change *change,
        struct weir_time time, struct weir_buf *out)
{
    if (change->kind != WEIR_CHANGE_RECORD || is_ignored(effects, change->pos)) {
        return;
    }
    const struct weir_table *table =
            weir_tables_get_space(effects->world->engine->tables, change->space);
    if (table == NULL) {
        return; /* dropped since */
    }
    struct weir_item item = { change->value.p, change->value.n };
    write_head(out, time, "table", table->name);
    if (item.n > 0) {
        weir_buf_z(out, ",\"put\":");
    } else {
        weir_buf_z(out, ",\"delete\":");
        item = (struct weir_item){ change->keys.p, change->keys.n };
    }
    write_item(effects, out, item);
    weir_buf_z(out, "}\n");
    weir_table_unref(table);
}

/* --- messages ------------------------------------------------------------------------------------
 */

struct sending {
    struct followed *queue;
    struct weir_buf *out;
};

static bool write_message(void *arg, const struct weir_message *message, bool hidden)
{
    (void)hidden;
    const struct sending *sending = arg;
    struct weir_buf *out = sending->out;
    sending->queue->sequence = message->sequence;
    write_head(out, message->sent, "queue", sending->queue->name);
    weir_buf_z(out, ",\"send\":{\"body\":");
    weir_json_write_string(out, message->body);
    if (message->group.n > 0) {
        weir_buf_z(out, ",\"group\":");
        weir_json_write_string(out, message->group);
    }
    if (message->dedup.n > 0) {
        weir_buf_z(out, ",\"dedup\":");
        weir_json_write_string(out, message->dedup);
    }
    for (size_t i = 0; i < message->attribute_count; i++) {
        weir_buf_z(out, i == 0 ? ",\"attributes\":{" : ",");
        weir_json_write_string(out, message->attributes[i].name);
        weir_buf_byte(out, ':');
        weir_json_write_string(out, message->attributes[i].value);
    }
    weir_buf_z(out, message->attribute_count > 0 ? "}}}\n" : "}}\n");
    return true;
}

static struct followed *follow(struct weir_effects *effects, struct weir_str name)
{
    for (size_t i = 0; i < effects->queue_count; i++) {
        if (weir_str_eq(effects->queues[i].name, name)) {
            return &effects->queues[i];
        }
    }
    if (effects->queue_count == QUEUES_MAX) {
        return NULL;
    }
    struct followed *queue = &effects->queues[effects->queue_count++];
    queue->name = weir_arena_str(&effects->arena, name);
    return queue;
}

static enum weir_rc take_messages(struct weir_effects *effects, struct weir_str name,
        struct weir_buf *out, struct weir_err *err)
{
    struct weir_queues *queues = effects->world->engine->queues;
    const struct weir_queue *queue = NULL;
    struct sending sending = { follow(effects, name), out };
    if (sending.queue == NULL || weir_queues_get(queues, name, &queue, NULL) != WEIR_OK) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_queues_browse(
            queues, queue, sending.queue->sequence, write_message, &sending, err);
    weir_queue_unref(queue);
    return rc;
}

enum weir_rc weir_effects_take(
        struct weir_effects *effects, struct weir_buf *out, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    for (bool have = true; rc == WEIR_OK && have;) {
        struct weir_change change;
        struct weir_time time;
        rc = weir_log_next(effects->reader, &change, &time, &have, err);
        if (rc == WEIR_OK && have) {
            write_change(effects, &change, time, out);
        }
    }
    struct weir_arena arena;
    struct weir_str names[NAMES_AT_ONCE];
    struct weir_str after = { 0 };
    size_t count = NAMES_AT_ONCE;
    weir_arena_init(&arena);
    while (rc == WEIR_OK && count == NAMES_AT_ONCE) {
        count = weir_queues_list(
                effects->world->engine->queues, after, WEIR_STR(""), &arena, names, NAMES_AT_ONCE);
        for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
            rc = take_messages(effects, names[i], out, err);
        }
        after = count > 0 ? names[count - 1] : after;
    }
    weir_arena_fini(&arena);
    return rc;
}
