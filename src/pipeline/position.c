/*
 * How far each lane has come: with its streams, and with a replay. An entry's key is the pipeline's
 * name, a zero byte, the table's name (or queue: and a queue's, whose position says nothing but
 * which transaction was the lane's last), a zero byte, the shard and the lane's range of key slots;
 * its value is a position and the table's keyspace. A different number of lanes only means
 * different ranges: what a slot has reached is the furthest entry over it. An entry with another
 * keyspace is of a table that had the name before: its lanes may have passed the first records of
 * the present one, without having seen them.
 */
#include <string.h>

#include "pipeline/pipeline_int.h"

enum { SLOTS_BYTES = 2, TAIL_BYTES = 2 + SLOTS_BYTES };

/* An entry's value; part of the format. Integers are little-endian. */
struct entry {
    uint64_t position;
    uint32_t space; /* 0: of a queue */
    uint32_t zero;
};

static struct weir_str position_key(struct weir_arena *arena, const struct source *source,
        uint32_t shard, uint32_t first_slot, uint32_t slot_count)
{
    struct weir_str pipeline = source->pipeline->model->name;
    struct weir_str name =
            source->of_queue ? weir_arena_printf(arena, "queue:%.*s", WEIR_STR_ARG(source->name))
                             : source->name;
    size_t names = pipeline.n + name.n + 2;
    char *key = weir_arena_alloc(arena, names + TAIL_BYTES);
    memcpy(key, pipeline.p, pipeline.n);
    key[pipeline.n] = '\0';
    memcpy(key + pipeline.n + 1, name.p, name.n);
    char *at = key + names - 1;
    at[0] = '\0';
    at[1] = (char)(shard >> 8);
    at[2] = (char)shard;
    at[3] = (char)first_slot;
    at[4] = (char)slot_count;
    return weir_str(key, names + TAIL_BYTES);
}

struct weir_str weir_lane_key(struct weir_arena *arena, const struct weir_lane *lane)
{
    return position_key(
            arena, lane->shard->source, lane->shard->number, lane->first_slot, lane->slot_count);
}

static uint32_t table_space(const struct source *source)
{
    return source->table != NULL ? source->table->space : 0;
}

static struct weir_str value_of(
        struct weir_arena *arena, const struct source *source, struct weir_pos position)
{
    struct entry entry = { .position = position.seq, .space = table_space(source) };
    return weir_arena_str(arena, weir_str((const char *)&entry, sizeof(entry)));
}

void weir_position_put(struct weir_txn *txn, uint32_t space, const struct weir_lane *lane,
        struct weir_pos position)
{
    struct weir_str value = value_of(&txn->arena, lane->shard->source, position);
    weir_txn_put(txn, space, weir_lane_key(&txn->arena, lane), value);
}

static void apply_entry(struct weir_str tail, struct weir_pos position,
        struct weir_pos slots[static WEIR_PIPELINE_SLOTS])
{
    uint32_t first = (unsigned char)tail.p[3];
    uint32_t count = (unsigned char)tail.p[4];
    for (uint32_t i = first; i < first + count && i < WEIR_PIPELINE_SLOTS; i++) {
        slots[i] = position.seq > slots[i].seq ? position : slots[i];
    }
}

/* What the keys of a shard begin with. */
static struct weir_str shard_prefix(
        struct weir_arena *arena, const struct source *source, uint32_t shard)
{
    struct weir_str key = position_key(arena, source, shard, 0, 0);
    return weir_str(key.p, key.n - SLOTS_BYTES);
}

struct load {
    const struct source *source;
    size_t key_bytes;
    struct weir_pos *slots;
    struct weir_pos oldest; /* in the log */
    size_t entries;
};

static enum weir_rc load_entry(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    struct load *load = arg;
    struct entry stored = { .space = table_space(load->source) }; /* earlier versions left it out */
    bool whole = entry->value.n == sizeof(stored) || entry->value.n == sizeof(stored.position);
    if (key.n != load->key_bytes || !whole) {
        return weir_fail(err, WEIR_E_DAMAGED, "a position of pipeline %.*s has a wrong size",
                WEIR_STR_ARG(load->source->pipeline->model->name));
    }
    memcpy(&stored, entry->value.p, entry->value.n);
    bool same = stored.space == table_space(load->source);
    struct weir_pos position = { same ? stored.position : load->oldest.seq };
    apply_entry(weir_str(key.p + key.n - TAIL_BYTES - 1, TAIL_BYTES + 1), position, load->slots);
    load->entries++;
    return WEIR_OK;
}

enum weir_rc weir_position_load(struct source *source, uint32_t space, uint32_t shard,
        struct weir_pos slots[static WEIR_PIPELINE_SLOTS], bool *ret_any, struct weir_err *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    memset(slots, 0, WEIR_PIPELINE_SLOTS * sizeof(*slots));
    struct weir_str prefix = shard_prefix(&arena, source, shard);
    struct weir_store *store = source->pipeline->all->store;
    struct weir_pos oldest = weir_log_oldest(weir_store_log(store));
    struct load load = { source, prefix.n + SLOTS_BYTES, slots, oldest, 0 };
    enum weir_rc rc = weir_store_each(store, space, prefix, load_entry, &load, err);
    weir_arena_fini(&arena);
    *ret_any = load.entries > 0;
    return rc;
}

void weir_position_delete(struct weir_txn *txn, uint32_t space, struct shard *shard)
{
    /* An entry that cannot be read now was read a moment ago; what stays does no harm. */
    struct weir_str prefix = shard_prefix(&txn->arena, shard->source, shard->number);
    enum weir_rc rc =
            weir_txn_delete_all(txn, shard->source->pipeline->all->store, space, prefix, NULL);
    (void)rc;
}

void weir_position_replace(struct weir_txn *txn, uint32_t space, struct shard *shard,
        const struct weir_pos slots[static WEIR_PIPELINE_SLOTS])
{
    weir_position_delete(txn, space, shard);
    for (uint32_t i = 0; i < WEIR_PIPELINE_SLOTS;) {
        uint32_t count = 1;
        while (i + count < WEIR_PIPELINE_SLOTS && slots[i + count].seq == slots[i].seq) {
            count++;
        }
        struct weir_str key = position_key(&txn->arena, shard->source, shard->number, i, count);
        weir_txn_put(txn, space, key, value_of(&txn->arena, shard->source, slots[i]));
        i += count;
    }
}
