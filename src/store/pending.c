/*
 * The changes of the group being built, by key: what an operation sees before it is
 * in the state. Later changes of a key hide earlier ones; a refused transaction's
 * changes are cut off the end again, in reverse order, which keeps linear probing whole.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "store/store_int.h"

enum { FIRST_SLOTS = 1024 };

void weir_pending_init(struct weir_pending *pending)
{
    *pending = (struct weir_pending){ .slot_count = FIRST_SLOTS };
    pending->slots = weir_alloc_zero(FIRST_SLOTS, sizeof(*pending->slots));
}

void weir_pending_fini(struct weir_pending *pending)
{
    weir_free(pending->slots);
    weir_free(pending->entries);
    weir_free(pending->sorted);
    *pending = (struct weir_pending){ 0 };
}

static const struct weir_change *change_of(const struct weir_pending_entry *entry)
{
    return &entry->txn->changes[entry->index];
}

uint64_t weir_pending_hash(uint32_t space, struct weir_str key)
{
    return weir_hash64(space, key.p, key.n);
}

/* The slot that holds the key, or the free one where it would go. */
static uint32_t *slot_of(
        const struct weir_pending *pending, uint32_t space, struct weir_str key, uint64_t hash)
{
    size_t mask = pending->slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &pending->slots[i];
        if (*slot == 0) {
            return slot;
        }
        const struct weir_pending_entry *entry = &pending->entries[*slot - 1];
        if (entry->hash == hash && change_of(entry)->space == space &&
                weir_str_eq(change_of(entry)->key, key)) {
            return slot;
        }
    }
}

static void insert(struct weir_pending *pending, uint32_t index)
{
    struct weir_pending_entry *entry = &pending->entries[index];
    const struct weir_change *change = change_of(entry);
    uint32_t *slot = slot_of(pending, change->space, change->key, entry->hash);
    entry->older = *slot;
    *slot = index + 1;
}

static void grow(struct weir_pending *pending)
{
    if (pending->count == pending->capacity) {
        pending->capacity = pending->capacity > 0 ? pending->capacity * 2 : FIRST_SLOTS / 2;
        pending->entries =
                weir_realloc(pending->entries, pending->capacity, sizeof(*pending->entries));
    }
    if (pending->count * 2 < pending->slot_count) {
        return;
    }
    pending->slot_count *= 2;
    pending->slots = weir_realloc(pending->slots, pending->slot_count, sizeof(*pending->slots));
    memset(pending->slots, 0, pending->slot_count * sizeof(*pending->slots));
    for (size_t i = 0; i < pending->count; i++) {
        insert(pending, (uint32_t)i);
    }
}

void weir_pending_add(struct weir_pending *pending, const struct weir_txn *txn, size_t index)
{
    const struct weir_change *change = &txn->changes[index];
    grow(pending);
    pending->entries[pending->count] = (struct weir_pending_entry){
        .hash = weir_pending_hash(change->space, change->key),
        .txn = txn,
        .index = (uint32_t)index,
    };
    insert(pending, (uint32_t)pending->count);
    pending->count++;
}

const struct weir_change *weir_pending_find(
        const struct weir_pending *pending, uint32_t space, struct weir_str key, uint64_t hash)
{
    if (pending->count == 0) {
        return NULL;
    }
    uint32_t slot = *slot_of(pending, space, key, hash);
    return slot == 0 ? NULL : change_of(&pending->entries[slot - 1]);
}

void weir_pending_cut(struct weir_pending *pending, size_t count)
{
    while (pending->count > count) {
        const struct weir_pending_entry *entry = &pending->entries[pending->count - 1];
        const struct weir_change *change = change_of(entry);
        *slot_of(pending, change->space, change->key, entry->hash) = entry->older;
        pending->count--;
    }
}

/* Order by keyspace and key. Positions make it total, with the latest change of a key last. */
static int compare_changes(const void *a, const void *b)
{
    const struct weir_change *left = *(const struct weir_change *const *)a;
    const struct weir_change *right = *(const struct weir_change *const *)b;
    bool left_drops = left->kind == WEIR_CHANGE_DROP;
    bool right_drops = right->kind == WEIR_CHANGE_DROP;
    if (left_drops != right_drops) {
        return left_drops ? 1 : -1;
    }
    if (left->space != right->space) {
        return left->space < right->space ? -1 : 1;
    }
    size_t common = left->key.n < right->key.n ? left->key.n : right->key.n;
    int order = common > 0 ? memcmp(left->key.p, right->key.p, common) : 0;
    if (order != 0) {
        return order;
    }
    if (left->key.n != right->key.n) {
        return left->key.n < right->key.n ? -1 : 1;
    }
    return (left->pos.seq > right->pos.seq) - (left->pos.seq < right->pos.seq);
}

size_t weir_pending_sort(
        struct weir_pending *pending, const struct weir_change *const **ret_changes)
{
    if (pending->sorted_capacity < pending->count) {
        pending->sorted_capacity = pending->capacity;
        pending->sorted =
                weir_realloc(pending->sorted, pending->sorted_capacity, sizeof(*pending->sorted));
    }
    for (size_t i = 0; i < pending->count; i++) {
        pending->sorted[i] = change_of(&pending->entries[i]);
    }
    qsort(pending->sorted, pending->count, sizeof(*pending->sorted), compare_changes);
    size_t n = 0;
    for (size_t i = 0; i < pending->count; i++) {
        const struct weir_change *change = pending->sorted[i];
        bool hidden = n > 0 && pending->sorted[n - 1]->kind != WEIR_CHANGE_DROP &&
                      change->kind != WEIR_CHANGE_DROP &&
                      pending->sorted[n - 1]->space == change->space &&
                      weir_str_eq(pending->sorted[n - 1]->key, change->key);
        n -= hidden ? 1 : 0;
        pending->sorted[n++] = change;
    }
    *ret_changes = pending->sorted;
    return n;
}
