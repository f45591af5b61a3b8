/*
 * Dead letters: a record that a pipeline cannot process is kept, whole, with the reason, in a
 * table of the user's. It is written in the transaction that leaves the record out, so it is
 * there exactly when the pipeline has gone on without it.
 *
 * The table's key is { pipeline: S, sequence: S }: letters of a pipeline stand in the order of
 * the changes they are about, and a letter that is written again replaces itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "pipeline/pipeline_int.h"

enum { FINGERPRINT_TEXT = 17 };

static const struct weir_str key_names[] = { { "pipeline", 8 }, { "sequence", 8 } };

bool weir_dead_letter_fits(const struct weir_table *table)
{
    const struct weir_key_schema *key = &table->key;
    return key->partition_count == 1 && key->sort_count == 1 &&
           key->partition[0].type == WEIR_TYPE_S && key->sort[0].type == WEIR_TYPE_S &&
           weir_str_eq(key->partition[0].name, key_names[0]) &&
           weir_str_eq(key->sort[0].name, key_names[1]);
}

/* The same for errors that differ in numbers and quoted values only. */
static void fingerprint(const char *error, char text[static FINGERPRINT_TEXT])
{
    char plain[sizeof(((struct weir_err *)0)->msg)];
    size_t n = 0;
    bool quoted = false;
    for (const char *c = error; *c != '\0'; c++) {
        bool quote = *c == '\'' || *c == '"';
        quoted = quote ? !quoted : quoted;
        if (!quoted && !quote && !(*c >= '0' && *c <= '9')) {
            plain[n++] = *c;
        }
    }
    snprintf(text, FINGERPRINT_TEXT, "%016llx", (unsigned long long)weir_hash64(0, plain, n));
}

static void put_text(struct weir_item_builder *builder, const char *name, const char *text)
{
    weir_item_name(builder, weir_str_z(name));
    weir_item_s(builder, weir_str_z(text));
}

static void put_keys(struct weir_item_builder *builder, struct weir_item keys)
{
    weir_item_name(builder, WEIR_STR("keys"));
    weir_item_open(builder, WEIR_TYPE_M);
    for (size_t i = 0; i < weir_item_count(keys); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(keys, i, &name);
        weir_item_name(builder, name);
        weir_item_value(builder, value);
    }
    weir_item_close(builder);
}

/* A record of two images of 400 KiB is larger than an item may be: then without the old one. */
static struct weir_str record_text(struct weir_lane *lane, const struct weir_record *record)
{
    struct weir_record shown = *record;
    struct weir_buf json;
    weir_buf_init(&json, WEIR_ITEM_MAX_BYTES - 64 * 1024);
    weir_record_write(&json, &shown, WEIR_RECORD_LAMBDA);
    if (json.overflow) {
        weir_buf_reset(&json);
        shown.old_image = (struct weir_item){ 0 };
        weir_record_write(&json, &shown, WEIR_RECORD_LAMBDA);
    }
    if (json.overflow) {
        weir_buf_reset(&json);
        shown.new_image = (struct weir_item){ 0 };
        weir_record_write(&json, &shown, WEIR_RECORD_LAMBDA);
    }
    struct weir_str text = weir_arena_str(&lane->arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    return text;
}

static enum weir_rc make_letter(struct weir_lane *lane, const struct queued *queued,
        struct weir_item *ret_item, struct weir_err *err)
{
    const struct weir_record *record = &queued->record;
    char sequence[WEIR_SEQUENCE_TEXT];
    char event_id[WEIR_EVENT_ID_TEXT];
    char failed_at[WEIR_TIME_TEXT];
    char print[FINGERPRINT_TEXT];
    weir_sequence_format(record->pos, sequence);
    weir_record_event_id(record, event_id);
    weir_time_format(weir_clock_wall(weir_loop_clock(lane->pipeline->all->loop)), failed_at);
    fingerprint(queued->err.msg, print);
    struct weir_item_builder *builder = weir_item_begin(&lane->arena);
    weir_item_name(builder, key_names[0]);
    weir_item_s(builder, lane->pipeline->model->name);
    put_text(builder, "sequence", sequence);
    put_text(builder, "error", queued->err.msg);
    put_text(builder, "fingerprint", print);
    put_text(builder, "failed_at", failed_at);
    put_text(builder, "event_id", event_id);
    put_text(builder, "event_name", weir_event_name(record->event));
    weir_item_name(builder, WEIR_STR("table"));
    weir_item_s(builder, record->source->table);
    put_keys(builder, record->keys);
    weir_item_name(builder, WEIR_STR("record"));
    weir_item_s(builder, record_text(lane, record));
    return weir_item_finish(builder, ret_item, err);
}

enum weir_rc weir_dead_letter_put(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    struct weir_str name = lane->pipeline->model->dead_letters;
    const struct weir_table *table = NULL;
    struct weir_item item;
    struct weir_str key;
    enum weir_rc rc = weir_lane_table(lane, name, &table, err);
    if (rc == WEIR_OK && !weir_dead_letter_fits(table)) {
        rc = weir_fail(err, WEIR_E_INVALID,
                "table %.*s cannot hold dead letters: its key must be { pipeline: S, sequence: S }",
                WEIR_STR_ARG(name));
    }
    if (rc == WEIR_OK) {
        rc = make_letter(lane, queued, &item, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_table_key(table, item, &lane->arena, &key, err);
    }
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "dead letter: ");
    }
    struct weir_event event = { .record = &queued->record };
    return weir_lane_put_item(lane, event, table, key, item, err);
}

/* Take away the letter of a record that is through; one that failed again has replaced it. */
static enum weir_rc settle(struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    if (queued->failed && !weir_queued_was_skipped(queued)) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_lane_table(lane, lane->pipeline->model->dead_letters, &table, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "dead letter: ");
    }
    struct weir_event event = { .record = &queued->record };
    struct weir_item none = { 0 };
    return weir_lane_put_item(lane, event, table, queued->token, none, err);
}

const struct weir_origin weir_origin_letter = { .settle = settle };
