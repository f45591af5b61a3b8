/*
 * Quarantine: a record that failed holds back the later records of its item, and nothing else.
 *
 * With `quarantine: key` the items of failed records are held. What comes for a held item is
 * parked: copied into the store in the transaction that moves the position past it, so it pins
 * no log. When the letter is redriven with success, or skipped, what is parked is processed in
 * order, and the item is held until nothing is left; a record that fails again holds the rest.
 *
 * Entries of WEIR_SPACE_PARKED: the key is the pipeline's name, a zero byte, the table's name, a
 * zero byte, the length of the item's key in two bytes, that key, and the record's position in
 * eight, big-endian both. The value is the record (struct head, keys, images), or empty: the record
 * failed, and its letter is awaited. Such an entry is the first of its item.
 */
#include <string.h>

#include "base/crash.h"
#include "base/hash.h"
#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum {
    BUCKETS = 1024,
    PAGE = 64, /* parked records of an item with its lane at a time */
};

/* The head of an entry's value; part of the format. Integers are little-endian. */
struct head {
    uint8_t version; /* 1 */
    uint8_t event;
    uint8_t by_ttl;
    uint8_t hops;
    uint32_t keys;
    uint32_t old_image;
    uint32_t new_image;
    int64_t created_ms;
};

/* An item whose records are held back. */
struct held {
    struct held *next;
    struct source *source;
    struct weir_str key;    /* of the item; behind the struct */
    size_t entries;         /* in the store */
    struct weir_pos awaits; /* the record whose letter is awaited; 0: what is parked goes on */
    size_t given;           /* entries with the lane */
    bool recalled;          /* they all go back before anything goes on, so that order is kept */
    const struct weir_txn *skipping; /* deletes the letter that is awaited */
};

struct quarantine {
    struct held *buckets[BUCKETS];
    size_t items;
    size_t records;
};

/* --- items that are held ---------------------------------------------------------------------- */

static struct held **place_of(
        struct quarantine *quarantine, const struct source *source, struct weir_str key)
{
    struct held **at = &quarantine->buckets[weir_hash64(0, key.p, key.n) % BUCKETS];
    while (*at != NULL && ((*at)->source != source || !weir_str_eq((*at)->key, key))) {
        at = &(*at)->next;
    }
    return at;
}

static struct held *find(const struct source *source, struct weir_str key)
{
    return *place_of(source->pipeline->quarantine, source, key);
}

static struct held *hold(struct source *source, struct weir_str key)
{
    struct quarantine *quarantine = source->pipeline->quarantine;
    struct held **place = place_of(quarantine, source, key);
    if (*place == NULL) {
        struct held *held = weir_alloc(sizeof(*held) + key.n);
        *held = (struct held){ .source = source, .key = weir_str((char *)(held + 1), key.n) };
        memcpy(held + 1, key.p, key.n);
        *place = held;
        quarantine->items++;
    }
    return *place;
}

static void let_go(struct held *held)
{
    struct quarantine *quarantine = held->source->pipeline->quarantine;
    struct held **place = place_of(quarantine, held->source, held->key);
    *place = held->next;
    quarantine->items--;
    weir_free(held);
}

static void count_entries(struct held *held, int by)
{
    held->entries += (size_t)by;
    held->source->pipeline->quarantine->records += (size_t)by;
}

void weir_quarantine_create(struct pipeline *pipeline)
{
    pipeline->quarantine = weir_alloc_zero(1, sizeof(*pipeline->quarantine));
}

void weir_quarantine_forget(struct source *source)
{
    struct quarantine *quarantine = source->pipeline->quarantine;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct held **at = &quarantine->buckets[i]; *at != NULL;) {
            struct held *held = *at;
            if (held->source != source) {
                at = &held->next;
                continue;
            }
            *at = held->next;
            quarantine->items--;
            quarantine->records -= held->entries;
            weir_free(held);
        }
    }
}

void weir_quarantine_numbers(
        const struct pipeline *pipeline, size_t *ret_items, size_t *ret_records)
{
    *ret_items = pipeline->quarantine->items;
    *ret_records = pipeline->quarantine->records;
}

/* --- entries
 * -------------------------------------------------------------------------------------- */

static struct weir_str item_prefix(
        struct weir_arena *arena, const struct source *source, struct weir_str key)
{
    struct weir_str pipeline = source->pipeline->model->name;
    size_t names = pipeline.n + source->name.n + 2;
    char *prefix = weir_arena_alloc(arena, names + 2 + key.n + sizeof(uint64_t));
    memcpy(prefix, pipeline.p, pipeline.n);
    prefix[pipeline.n] = '\0';
    memcpy(prefix + pipeline.n + 1, source->name.p, source->name.n);
    prefix[names - 1] = '\0';
    prefix[names] = (char)(key.n >> 8);
    prefix[names + 1] = (char)key.n;
    memcpy(prefix + names + 2, key.p, key.n);
    return weir_str(prefix, names + 2 + key.n);
}

/* What the entries of all items of a source begin with. */
static struct weir_str source_prefix(struct weir_arena *arena, const struct source *source)
{
    struct weir_str empty = item_prefix(arena, source, WEIR_STR(""));
    return weir_str(empty.p, empty.n - 2);
}

static struct weir_str entry_key(struct weir_arena *arena, const struct source *source,
        struct weir_str key, struct weir_pos pos)
{
    struct weir_str made = item_prefix(arena, source, key);
    char *at = (char *)(uintptr_t)made.p + made.n; /* item_prefix left room */
    for (int i = 0; i < 8; i++) {
        at[i] = (char)(pos.seq >> (56 - 8 * i));
    }
    return weir_str(made.p, made.n + sizeof(uint64_t));
}

static struct weir_pos entry_pos(struct weir_str key)
{
    struct weir_pos pos = { 0 };
    for (size_t i = key.n - sizeof(uint64_t); i < key.n; i++) {
        pos.seq = pos.seq << 8 | (unsigned char)key.p[i];
    }
    return pos;
}

static struct weir_str encode(struct weir_arena *arena, const struct queued *queued)
{
    const struct weir_record *record = &queued->record;
    struct head head = {
        .version = 1,
        .event = (uint8_t)record->event,
        .by_ttl = record->by_ttl,
        .hops = queued->hops,
        .keys = (uint32_t)record->keys.n,
        .old_image = (uint32_t)record->old_image.n,
        .new_image = (uint32_t)record->new_image.n,
        .created_ms = record->created.ms,
    };
    struct weir_item parts[] = { record->keys, record->old_image, record->new_image };
    size_t size = sizeof(head) + parts[0].n + parts[1].n + parts[2].n;
    char *bytes = weir_arena_alloc(arena, size);
    char *at = bytes + sizeof(head);
    memcpy(bytes, &head, sizeof(head));
    for (size_t i = 0; i < WEIR_COUNT(parts); i++) {
        if (parts[i].n > 0) {
            memcpy(at, parts[i].p, parts[i].n);
            at += parts[i].n;
        }
    }
    return weir_str(bytes, size);
}

static struct weir_item take_item(const char **at, size_t n)
{
    struct weir_item item = { *at, n };
    *at += n;
    return item;
}

/* The record of an entry, borrowed from it. Errors: WEIR_E_DAMAGED. */
static enum weir_rc decode(const struct held *held, struct weir_str key, struct weir_str value,
        struct weir_record *ret_record, uint8_t *ret_hops, struct weir_err *err)
{
    struct head head = { 0 };
    if (value.n >= sizeof(head)) {
        memcpy(&head, value.p, sizeof(head));
    }
    size_t parts = (size_t)head.keys + head.old_image + head.new_image;
    if (head.version != 1 || value.n != sizeof(head) + parts) {
        return weir_fail(err, WEIR_E_DAMAGED, "a parked record has a wrong size or version");
    }
    const char *at = value.p + sizeof(head);
    *ret_record = (struct weir_record){
        .source = &held->source->table->source,
        .event = (enum weir_event_name)head.event,
        .pos = entry_pos(key),
        .created = { head.created_ms },
        .shard = weir_table_shard(held->source->table, held->key),
        .by_ttl = head.by_ttl != 0,
    };
    ret_record->keys = take_item(&at, head.keys);
    ret_record->old_image = take_item(&at, head.old_image);
    ret_record->new_image = take_item(&at, head.new_image);
    *ret_hops = head.hops;
    return WEIR_OK;
}

/* --- in a batch
 * ------------------------------------------------------------------------------------ */

static bool holds_others(const struct queued *queued)
{
    return queued->failed && !queued->gone && !weir_queued_was_skipped(queued);
}

/* Whether a record is one that waits behind another one of its item. */
static bool can_wait(const struct queued *queued)
{
    return queued->origin == NULL || queued->origin == &weir_origin_parked;
}

void weir_quarantine_look(const struct weir_lane *lane, struct queued *queued)
{
    const struct held *held = can_wait(queued) ? find(lane->shard->source, queued->key) : NULL;
    if (held != NULL && (queued->origin == NULL || held->awaits.seq != 0 || held->recalled)) {
        queued->parked = true;
        queued->failed = false;
    }
}

bool weir_quarantine_mark(struct weir_lane *lane)
{
    bool marked = false;
    if (!lane->pipeline->model->quarantine) {
        return false;
    }
    struct queued *first = lane->taken.first;
    for (size_t i = 0; i < lane->done_count; i++, first = first->next) {
        struct queued *later = first->next;
        for (size_t k = i + 1; holds_others(first) && k < lane->done_count; k++) {
            if (can_wait(later) && !later->parked && weir_str_eq(later->key, first->key)) {
                later->parked = true;
                later->failed = false;
                marked = true;
            }
            later = later->next;
        }
    }
    return marked;
}

void weir_quarantine_settle(struct weir_lane *lane, const struct queued *queued)
{
    struct source *source = lane->shard->source;
    struct weir_txn *txn = lane->batch.txn;
    struct weir_str key = entry_key(&txn->arena, source, queued->key, queued->record.pos);
    const struct held *held = find(source, queued->key);
    if (queued->parked && queued->origin == NULL) {
        weir_txn_put(txn, WEIR_SPACE_PARKED, key, encode(&txn->arena, queued));
        weir_crash_point("quarantine.parked");
    } else if (queued->parked) {
        return; /* it stays where it is */
    } else if (holds_others(queued)) {
        if (lane->pipeline->model->quarantine) {
            weir_txn_put(txn, WEIR_SPACE_PARKED, key, WEIR_STR(""));
            weir_crash_point("quarantine.holds");
        }
    } else if (held != NULL && held->awaits.seq == queued->record.pos.seq) {
        weir_txn_delete(txn, WEIR_SPACE_PARKED, key);
    }
}

static void go_on(struct held *held);

/*
 * Nothing is awaited any more: what is parked is next, or nothing is. A letter may be skipped while
 * the lane still has what was behind its record, of which the first have gone back already.
 */
static void release(struct held *held)
{
    held->awaits.seq = 0;
    held->recalled = held->given > 0;
    weir_crash_point("quarantine.released");
    count_entries(held, -1);
    if (held->entries == 0) {
        let_go(held);
    } else if (!held->recalled) {
        go_on(held);
    }
}

void weir_quarantine_committed(struct weir_lane *lane, const struct queued *queued)
{
    struct source *source = lane->shard->source;
    struct held *held = find(source, queued->key);
    if (queued->parked) {
        held = hold(source, queued->key);
        count_entries(held, queued->origin == NULL ? 1 : 0);
        if (held->awaits.seq == 0 && held->given == 0) {
            go_on(held); /* what it waited for was the last of it, in the same batch */
        }
    } else if (holds_others(queued) && lane->pipeline->model->quarantine) {
        bool had_entry = held != NULL && (queued->origin == &weir_origin_parked ||
                                                 held->awaits.seq == queued->record.pos.seq);
        held = hold(source, queued->key);
        held->awaits = queued->record.pos;
        count_entries(held, had_entry ? 0 : 1);
    } else if (held != NULL && held->awaits.seq == queued->record.pos.seq) {
        release(held);
    }
}

/* --- what was parked
 * -------------------------------------------------------------------------------- */

/* Whether a record's entry is kept: as one that failed, or one that waits. */
static bool stays(const struct pipeline *pipeline, const struct queued *queued)
{
    return queued->parked || (holds_others(queued) && pipeline->model->quarantine);
}

static enum weir_rc parked_settle(
        struct weir_lane *lane, struct queued *queued, struct weir_err *err)
{
    (void)err;
    if (!stays(lane->pipeline, queued)) {
        weir_txn_delete(lane->batch.txn, WEIR_SPACE_PARKED, queued->token);
        weir_crash_point("quarantine.unparked");
    }
    return WEIR_OK;
}

static void parked_left(struct queued *queued, bool settled)
{
    struct source *source = queued->of_origin;
    struct held *held = find(source, queued->key);
    if (held == NULL || !settled) {
        return; /* the lane goes: the next start reads it again */
    }
    held->given--;
    count_entries(held, stays(source->pipeline, queued) ? 0 : -1);
    held->recalled = held->recalled && held->given > 0;
    if (held->entries == 0) {
        let_go(held);
    } else if (held->given == 0 && held->awaits.seq == 0) {
        go_on(held);
    }
}

const struct weir_origin weir_origin_parked = { .settle = parked_settle, .left = parked_left };

static void give(struct held *held, struct weir_str key, struct weir_str value)
{
    struct source *source = held->source;
    struct weir_record record = { 0 };
    struct weir_err err;
    uint8_t hops = 0;
    if (decode(held, key, value, &record, &hops, &err) != WEIR_OK) {
        weir_logline(WEIR_LOG_ERROR, "pipeline.parked_damaged", "pipeline",
                source->pipeline->model->name.p, "reason", err.msg, NULL);
        return;
    }
    struct weir_lane *lane = weir_shard_lane(&source->shards[record.shard], held->key);
    struct queued *queued = weir_queued_create(&record, held->key, hops, &weir_origin_parked, key);
    queued->of_origin = source;
    weir_lane_give(lane, queued);
    held->given++;
    weir_crash_point("quarantine.given");
}

/* Hand the item's next parked records to its lane. */
static void go_on(struct held *held)
{
    struct pipeline *pipeline = held->source->pipeline;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str prefix = item_prefix(&arena, held->source, held->key);
    struct weir_cursor *cursor = weir_cursor_create(pipeline->all->store, WEIR_SPACE_PARKED);
    for (weir_cursor_seek(cursor, prefix); held->given < PAGE; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        bool have = false;
        struct weir_err err;
        enum weir_rc rc = weir_cursor_get(cursor, &key, &entry, &have, &err);
        if (rc != WEIR_OK) {
            weir_logline(WEIR_LOG_ERROR, "pipeline.parked_unreadable", "pipeline",
                    pipeline->model->name.p, "reason", err.msg, NULL);
        }
        if (rc != WEIR_OK || !have || !weir_str_starts(key, prefix) ||
                key.n != prefix.n + sizeof(uint64_t)) {
            break;
        }
        if (entry.value.n > 0) {
            give(held, key, entry.value);
        }
    }
    weir_cursor_destroy(cursor);
    weir_arena_fini(&arena);
    struct weir_str key = held->key;
    struct source *source = held->source;
    weir_lane_consider(weir_shard_lane(&source->shards[weir_table_shard(source->table, key)], key));
}

/* --- letters that are skipped
 * ----------------------------------------------------------------------- */

static void skip_held(struct pipeline *pipeline, struct weir_txn *txn, struct weir_pos pos)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct held *held = pipeline->quarantine->buckets[i]; held != NULL;
                held = held->next) {
            if (pos.seq != 0 && held->awaits.seq == pos.seq) {
                held->skipping = txn;
                weir_txn_delete(txn, WEIR_SPACE_PARKED,
                        entry_key(&txn->arena, held->source, held->key, pos));
            }
        }
    }
}

struct skipping {
    struct weir_txn *txn;
    struct weir_pos pos;
};

static enum weir_rc skip_entry(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    const struct skipping *skipping = arg;
    (void)err;
    if (entry->value.n == 0 && entry_pos(key).seq == skipping->pos.seq) {
        struct weir_txn *txn = skipping->txn;
        weir_txn_delete(txn, WEIR_SPACE_PARKED, weir_arena_str(&txn->arena, key));
    }
    return WEIR_OK;
}

/* Of a source whose table is away nothing is in memory, until it comes back. */
static enum weir_rc skip_stored(const struct source *source, struct weir_txn *txn,
        struct weir_pos pos, struct weir_err *err)
{
    struct skipping skipping = { txn, pos };
    return weir_store_each(source->pipeline->all->store, WEIR_SPACE_PARKED,
            source_prefix(&txn->arena, source), skip_entry, &skipping, err);
}

enum weir_rc weir_quarantine_skip(
        struct pipeline *pipeline, struct weir_txn *txn, struct weir_pos pos, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    skip_held(pipeline, txn, pos);
    for (size_t i = 0; rc == WEIR_OK && i < pipeline->source_count; i++) {
        const struct source *source = &pipeline->sources[i];
        if (!weir_source_is_there(source)) {
            rc = skip_stored(source, txn, pos, err);
        }
    }
    return rc;
}

void weir_quarantine_skipped(struct pipeline *pipeline, const struct weir_txn *txn, bool committed)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        struct held *next = NULL;
        for (struct held *held = pipeline->quarantine->buckets[i]; held != NULL; held = next) {
            next = held->next;
            if (held->skipping == txn) {
                held->skipping = NULL;
                weir_crash_point("quarantine.skipped");
                if (committed) {
                    release(held);
                }
            }
        }
    }
}

bool weir_quarantine_awaits(const struct source *source, struct weir_str key, struct weir_pos pos)
{
    const struct held *held = find(source, key);
    return held != NULL && held->awaits.seq == pos.seq;
}

/* --- after a start
 * ------------------------------------------------------------------------------------ */

static void note_entry(struct source *source, struct weir_str item, struct weir_str key,
        const struct weir_entry *entry)
{
    struct held *held = hold(source, item);
    count_entries(held, 1);
    if (entry->value.n == 0) {
        held->awaits = entry_pos(key);
    }
}

static void marker_deleted(struct weir_txn *txn)
{
    weir_txn_destroy(txn);
}

/* The option is not there any more: nothing is awaited. */
static void stop_waiting(struct held *held)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = marker_deleted;
    weir_txn_delete(
            txn, WEIR_SPACE_PARKED, entry_key(&txn->arena, held->source, held->key, held->awaits));
    weir_store_submit(held->source->pipeline->all->store, txn);
    release(held);
}

struct loading {
    struct source *source;
    size_t names; /* bytes before an item's key */
};

static enum weir_rc load_entry(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    const struct loading *loading = arg;
    struct weir_str item = weir_str(key.p + loading->names, key.n - loading->names);
    if (item.n < sizeof(uint64_t)) {
        return weir_fail(err, WEIR_E_DAMAGED, "a parked record's key is too short");
    }
    note_entry(loading->source, weir_str(item.p, item.n - sizeof(uint64_t)), key, entry);
    return WEIR_OK;
}

enum weir_rc weir_quarantine_load(struct source *source, struct weir_err *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str prefix = source_prefix(&arena, source);
    struct loading loading = { source, prefix.n + 2 };
    enum weir_rc rc = weir_store_each(
            source->pipeline->all->store, WEIR_SPACE_PARKED, prefix, load_entry, &loading, err);
    weir_arena_fini(&arena);
    return rc;
}

void weir_quarantine_start(struct source *source)
{
    struct quarantine *quarantine = source->pipeline->quarantine;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct held *next = NULL;
        for (struct held *held = quarantine->buckets[i]; held != NULL; held = next) {
            next = held->next;
            if (held->source != source) {
                continue;
            }
            if (held->awaits.seq != 0 && !source->pipeline->model->quarantine) {
                stop_waiting(held);
            } else if (held->awaits.seq == 0) {
                go_on(held);
            }
        }
    }
}
