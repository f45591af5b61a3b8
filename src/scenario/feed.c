#include "scenario/feed.h"

#include "base/mem.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { JSON_DEPTH = 64 };

/* --- reading ------------------------------------------------------------------------------- */

/* Whether an object has a member; looks at a copy of the reader. */
static bool has_member(const struct weir_json *at, const char *name)
{
    struct weir_json json = *at;
    for (enum weir_json_token token = weir_json_next(&json); token == WEIR_JSON_NAME;
            token = weir_json_next(&json)) {
        if (weir_str_eq(json.text, weir_str_z(name))) {
            return true;
        }
        if (weir_json_skip(&json, token, NULL) != WEIR_OK) {
            return false;
        }
    }
    return false;
}

static enum weir_rc read_record(struct weir_json *json, enum weir_json_token token,
        enum weir_rc (*each)(void *arg, const struct weir_feed *feed, struct weir_err *err),
        void *arg, struct weir_err *err)
{
    struct weir_record record;
    enum weir_rc rc = weir_record_read(json, token, &record, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_feed feed = {
        .table = record.source->table,
        .has_at = record.created.ms != 0,
        .at = record.created,
        .event = record.event,
        .keys = record.keys,
        .new_image = record.new_image,
        .old_image = record.old_image,
        .by_ttl = record.by_ttl,
    };
    return each(arg, &feed, err);
}

static enum weir_rc read_records(struct weir_json *json,
        enum weir_rc (*each)(void *arg, const struct weir_feed *feed, struct weir_err *err),
        void *arg, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    for (enum weir_json_token token = weir_json_next(json);
            token == WEIR_JSON_NAME && rc == WEIR_OK; token = weir_json_next(json)) {
        if (!weir_str_eq(json->text, WEIR_STR("Records"))) {
            rc = weir_json_skip(json, token, err);
            continue;
        }
        token = weir_json_next(json);
        if (token != WEIR_JSON_ARRAY) {
            return weir_fail_at(err, WEIR_E_INVALID, json->pos, "Records is a list, not %s",
                    weir_json_token_name(token));
        }
        while (rc == WEIR_OK && (token = weir_json_next(json)) == WEIR_JSON_OBJECT) {
            rc = read_record(json, token, each, arg, err);
        }
        if (rc == WEIR_OK && token != WEIR_JSON_ARRAY_END) {
            return weir_fail_at(err, WEIR_E_INVALID, json->pos, "a record is an object, not %s",
                    weir_json_token_name(token));
        }
    }
    return rc;
}

static enum weir_rc read_plain_member(
        struct weir_json *json, struct weir_str name, struct weir_feed *feed, struct weir_err *err)
{
    enum weir_json_token token = weir_json_next(json);
    bool item = weir_str_eq(name, WEIR_STR("new")) || weir_str_eq(name, WEIR_STR("old"));
    if (item) {
        return token == WEIR_JSON_NULL
                       ? WEIR_OK
                       : weir_ddbjson_read_plain_item(json, token,
                                 name.p[0] == 'n' ? &feed->new_image : &feed->old_image, err);
    }
    bool text = token == WEIR_JSON_STRING;
    if (text && weir_str_eq(name, WEIR_STR("table"))) {
        feed->table = json->text;
        return WEIR_OK;
    }
    if (text && weir_str_eq(name, WEIR_STR("at"))) {
        feed->has_at = weir_time_parse(json->text, &feed->at);
        return feed->has_at ? WEIR_OK
                            : weir_fail_at(err, WEIR_E_INVALID, json->pos,
                                      "'%.*s' is no time; one such as 2026-01-01T00:00:05Z is "
                                      "expected",
                                      WEIR_STR_ARG(json->text));
    }
    return weir_fail_at(err, WEIR_E_INVALID, json->pos,
            "'%.*s' is not expected here; a line is a record with eventName and dynamodb, or has "
            "new, old, table (a text) and at (a time)",
            WEIR_STR_ARG(name));
}

static enum weir_rc read_plain(struct weir_json *json,
        enum weir_rc (*each)(void *arg, const struct weir_feed *feed, struct weir_err *err),
        void *arg, struct weir_err *err)
{
    struct weir_feed feed = { 0 };
    enum weir_rc rc = WEIR_OK;
    enum weir_json_token token = weir_json_next(json);
    for (; token == WEIR_JSON_NAME && rc == WEIR_OK; token = weir_json_next(json)) {
        rc = read_plain_member(json, json->text, &feed, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (feed.new_image.n == 0 && feed.old_image.n == 0) {
        return weir_fail(err, WEIR_E_INVALID, "a line without eventName needs new, old, or both");
    }
    return each(arg, &feed, err);
}

enum weir_rc weir_feed_read(struct weir_str line, struct weir_arena *arena,
        enum weir_rc (*each)(void *arg, const struct weir_feed *feed, struct weir_err *err),
        void *arg, struct weir_err *err)
{
    struct weir_json json;
    struct weir_json whole;
    weir_json_init(&whole, line, arena, JSON_DEPTH);
    enum weir_rc rc = weir_json_skip(&whole, weir_json_next(&whole), err);
    if (rc == WEIR_OK && weir_json_next(&whole) != WEIR_JSON_END) {
        *err = whole.err;
        rc = whole.err.code;
    }
    if (rc != WEIR_OK) {
        return rc; /* nothing of a line that is no JSON is fed */
    }
    weir_json_init(&json, line, arena, JSON_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    if (token != WEIR_JSON_OBJECT) {
        return weir_fail_at(err, WEIR_E_INVALID, json.pos, "an object is expected, not %s",
                weir_json_token_name(token));
    }
    if (has_member(&json, "Records")) {
        return read_records(&json, each, arg, err);
    }
    if (has_member(&json, "eventName")) {
        return read_record(&json, token, each, arg, err);
    }
    return read_plain(&json, each, arg, err);
}

/* --- applying ----------------------------------------------------------------------------------
 */

/* What an image that a record does not carry was: as far as it can be told, and at least its keys.
 */
static struct weir_item first_of(struct weir_item a, struct weir_item b, struct weir_item c)
{
    return a.n > 0 ? a : b.n > 0 ? b : c;
}

static void complete_images(const struct weir_feed *feed, struct weir_item stored,
        struct weir_item *ret_before, struct weir_item *ret_after)
{
    const struct weir_item none = { 0 };
    *ret_before = feed->old_image;
    *ret_after = feed->new_image;
    switch (feed->event) {
    case WEIR_EVENT_INSERT:
        *ret_before = none;
        *ret_after = first_of(feed->new_image, feed->keys, none);
        return;
    case WEIR_EVENT_MODIFY:
        *ret_before = first_of(feed->old_image, stored, feed->keys);
        *ret_after = first_of(feed->new_image, stored, feed->keys);
        return;
    case WEIR_EVENT_REMOVE:
        *ret_before = first_of(feed->old_image, stored, feed->keys);
        *ret_after = none;
        return;
    }
    *ret_before = first_of(feed->old_image, stored, none);
}

/* A MODIFY whose images are not known to differ is a record all the same. */
static enum weir_rc add_bare_record(const struct weir_table *table, struct weir_str key,
        struct weir_item image, struct weir_txn *txn, struct weir_err *err)
{
    struct weir_item keys;
    enum weir_rc rc = weir_table_key_item(table, image, &txn->arena, &keys, err);
    struct weir_change change = {
        .kind = WEIR_CHANGE_RECORD,
        .space = table->space,
        .key = key,
        .value = weir_str(image.p, image.n),
        .old_value = weir_str(image.p, image.n),
        .event = WEIR_EVENT_MODIFY,
        .shard = weir_table_shard(table, key),
        .in_stream = table->view != WEIR_VIEW_NONE,
    };
    if (rc == WEIR_OK) {
        change.keys = weir_str(keys.p, keys.n);
        weir_txn_add(txn, &change);
    }
    return rc;
}

static enum weir_rc add_change(const struct weir_feed *feed, struct weir_world *world,
        const struct weir_table *table, struct weir_txn *txn, struct weir_err *err)
{
    struct weir_item_change change = { .by_ttl = feed->by_ttl };
    struct weir_item stored = { 0 };
    const struct weir_item none = { 0 };
    struct weir_item any = first_of(feed->keys, feed->new_image, feed->old_image);
    enum weir_rc rc = weir_table_key(table, any, &txn->arena, &change.key, err);
    if (rc == WEIR_OK) {
        rc = weir_table_get(world->engine->tables, table, change.key, &txn->arena, &stored, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (feed->by_ttl && feed->unless_gone && stored.n == 0) {
        return WEIR_OK;
    }
    complete_images(feed, stored, &change.before, &change.after);
    if (feed->event == WEIR_EVENT_MODIFY && weir_item_eq(change.before, change.after)) {
        return add_bare_record(
                table, change.key, first_of(change.after, feed->keys, none), txn, err);
    }
    struct weir_txn_sink sink;
    weir_txn_sink_init(&sink, txn);
    return weir_table_change(table, &sink.base, &change, err);
}

enum weir_rc weir_feed_apply(struct weir_world *world, const struct weir_feed *feed,
        struct weir_str table_name, struct weir_pos *ret_pos, struct weir_err *err)
{
    const struct weir_table *table = NULL;
    struct weir_str name = feed->table.n > 0 ? feed->table : table_name;
    enum weir_rc rc = weir_tables_get(world->engine->tables, name, &table, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_txn *txn = weir_txn_create();
    rc = add_change(feed, world, table, txn, err);
    if (rc == WEIR_OK) {
        rc = weir_store_commit(world->engine->store, txn, err);
        *ret_pos = txn->first;
    }
    weir_txn_destroy(txn);
    weir_table_unref(table);
    return rc == WEIR_OK ? weir_world_advance(world, 0, err) : rc;
}
