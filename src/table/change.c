/* What a change of one item means: the item, its record, its index entries, its timer. */
#include "table/table_int.h"

static void txn_sink_add(struct weir_change_sink *base, const struct weir_change *change)
{
    struct weir_txn_sink *sink = WEIR_CONTAINER(base, struct weir_txn_sink, base);
    weir_txn_add(sink->txn, change);
}

void weir_txn_sink_init(struct weir_txn_sink *sink, struct weir_txn *txn)
{
    sink->base.add = txn_sink_add;
    sink->base.arena = &txn->arena;
    sink->txn = txn;
}

static void view_sink_add(struct weir_change_sink *base, const struct weir_change *change)
{
    struct weir_view_sink *sink = WEIR_CONTAINER(base, struct weir_view_sink, base);
    weir_view_add(sink->view, change);
}

void weir_view_sink_init(struct weir_view_sink *sink, struct weir_view *view)
{
    sink->base.add = view_sink_add;
    sink->base.arena = weir_view_arena(view);
    sink->view = view;
}

static struct weir_str bytes_of(struct weir_item item)
{
    return weir_str(item.p, item.n);
}

static enum weir_rc add_record(const struct weir_table *table, struct weir_change_sink *sink,
        const struct weir_item_change *of, struct weir_err *err)
{
    struct weir_change change = {
        .kind = WEIR_CHANGE_RECORD,
        .space = table->space,
        .key = of->key,
        .value = bytes_of(of->after),
        .event = of->before.n == 0  ? WEIR_EVENT_INSERT
                 : of->after.n == 0 ? WEIR_EVENT_REMOVE
                                    : WEIR_EVENT_MODIFY,
        .shard = weir_table_shard(table, of->key),
        .by_ttl = of->by_ttl,
        .in_stream = table->view != WEIR_VIEW_NONE,
        .hops = of->hops,
    };
    if (change.in_stream) {
        struct weir_item keys;
        enum weir_rc rc = weir_table_key_item(
                table, of->after.n > 0 ? of->after : of->before, sink->arena, &keys, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        change.keys = bytes_of(keys);
    }
    if (table->view == WEIR_VIEW_OLD_IMAGE || table->view == WEIR_VIEW_NEW_AND_OLD_IMAGES) {
        change.old_value = bytes_of(of->before);
    }
    sink->add(sink, &change);
    return WEIR_OK;
}

/* The attributes of an item that an index shows. */
static enum weir_rc project(const struct weir_table *table, const struct weir_index *index,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_part,
        struct weir_err *err)
{
    if (index->projection == WEIR_PROJECT_ALL) {
        *ret_part = item;
        return WEIR_OK;
    }
    struct weir_item keys;
    enum weir_rc rc = weir_key_schema_pick(&table->key, &index->key, item, arena, &keys, err);
    if (rc != WEIR_OK || index->projection == WEIR_PROJECT_KEYS_ONLY) {
        *ret_part = keys;
        return rc;
    }
    struct weir_item_builder *builder = weir_item_begin(arena);
    for (size_t i = 0; i < weir_item_count(keys); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(keys, i, &name);
        weir_item_name(builder, name);
        weir_item_value(builder, value);
    }
    for (size_t i = 0; i < index->include_count; i++) {
        struct weir_value value = weir_item_get(item, index->include[i]);
        if (value.type != WEIR_TYPE_ABSENT) {
            weir_item_name(builder, index->include[i]);
            weir_item_value(builder, value);
        }
    }
    return weir_item_finish(builder, ret_part, err);
}

/* One side of an index change: the entry's key and value, or nothing. */
struct index_entry {
    struct weir_str key; /* empty: none */
    struct weir_item value;
};

static enum weir_rc index_entry(const struct weir_table *table, const struct weir_index *index,
        struct weir_item item, struct weir_arena *arena, struct index_entry *ret_entry,
        struct weir_err *err)
{
    *ret_entry = (struct index_entry){ 0 };
    if (item.n == 0 || !weir_key_schema_covers(&index->key, item)) {
        return WEIR_OK;
    }
    enum weir_rc rc = weir_index_key(table, index, item, arena, &ret_entry->key, err);
    return rc == WEIR_OK ? project(table, index, item, arena, &ret_entry->value, err) : rc;
}

static enum weir_rc change_index(const struct weir_table *table, const struct weir_index *index,
        struct weir_change_sink *sink, const struct weir_item_change *of, struct weir_err *err)
{
    struct index_entry before;
    struct index_entry after;
    enum weir_rc rc = index_entry(table, index, of->before, sink->arena, &before, err);
    if (rc == WEIR_OK) {
        rc = index_entry(table, index, of->after, sink->arena, &after, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_change change = { .space = index->space };
    bool same_key = weir_str_eq(before.key, after.key);
    if (before.key.n > 0 && !same_key) {
        change.kind = WEIR_CHANGE_DELETE;
        change.key = before.key;
        sink->add(sink, &change);
    }
    if (after.key.n > 0 && !(same_key && weir_item_eq(before.value, after.value))) {
        change.kind = WEIR_CHANGE_PUT;
        change.key = after.key;
        change.value = bytes_of(after.value);
        sink->add(sink, &change);
    }
    return WEIR_OK;
}

static void change_timer(const struct weir_table *table, struct weir_change_sink *sink,
        const struct weir_item_change *of)
{
    struct weir_time before = { 0 };
    struct weir_time after = { 0 };
    bool had = weir_table_expires(table, of->before, &before);
    bool has = weir_table_expires(table, of->after, &after);
    if (had == has && before.ms == after.ms) {
        return;
    }
    struct weir_str name = weir_ttl_name(sink->arena, table->space, of->key);
    struct weir_change change = { .space = WEIR_SPACE_TIMER };
    if (had) {
        change.kind = WEIR_CHANGE_DELETE;
        change.key = weir_timer_key(sink->arena, before, WEIR_TIMER_TTL, name);
        sink->add(sink, &change);
    }
    if (has) {
        change.kind = WEIR_CHANGE_PUT;
        change.key = weir_timer_key(sink->arena, after, WEIR_TIMER_TTL, name);
        sink->add(sink, &change);
    }
}

enum weir_rc weir_table_change(const struct weir_table *table, struct weir_change_sink *sink,
        const struct weir_item_change *change, struct weir_err *err)
{
    if (weir_item_eq(change->before, change->after)) {
        return WEIR_OK;
    }
    enum weir_rc rc = add_record(table, sink, change, err);
    for (size_t i = 0; rc == WEIR_OK && i < table->index_count; i++) {
        rc = change_index(table, &table->indexes[i], sink, change, err);
    }
    if (rc == WEIR_OK && table->ttl_attribute.n > 0) {
        change_timer(table, sink, change);
    }
    return rc;
}

void weir_table_record(const struct weir_table *table, const struct weir_change *change,
        struct weir_time time, struct weir_record *ret_record)
{
    bool shows_new =
            table->view == WEIR_VIEW_NEW_IMAGE || table->view == WEIR_VIEW_NEW_AND_OLD_IMAGES;
    bool shows_old =
            table->view == WEIR_VIEW_OLD_IMAGE || table->view == WEIR_VIEW_NEW_AND_OLD_IMAGES;
    *ret_record = (struct weir_record){
        .source = &table->source,
        .event = change->event,
        .pos = change->pos,
        .created = time,
        .shard = change->shard,
        .by_ttl = change->by_ttl,
        .keys = { change->keys.p, change->keys.n },
    };
    if (shows_new) {
        ret_record->new_image = (struct weir_item){ change->value.p, change->value.n };
    }
    if (shows_old) {
        ret_record->old_image = (struct weir_item){ change->old_value.p, change->old_value.n };
    }
}
