/*
 * What a queue's line remembers of its messages. It is read from the keyspace, in order, up to
 * some way ahead of what is received; entries stay until their message is gone.
 */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "queue/line_int.h"

#define HASH_FUNCTION(key, size, result) ((result) = (unsigned)weir_hash64(0, (key), (size)))
#include <uthash.h>

enum {
    AHEAD_MAX = 20 * 1000, /* entries that wait to be received */
    LOAD_MAX = 2000,       /* looked at in one go, when there is something to receive */
};

struct weir_line_group {
    struct weir_heap_node node; /* in the ready heap while the group can give something */
    struct weir_line_entry *first;
    struct weir_line_entry *last;
    size_t busy; /* entries that were received and are hidden, or are claimed */
    UT_hash_handle hh;
    size_t n;
    char name[];
};

struct weir_line_entry {
    struct weir_heap_node node;
    uint64_t sequence;
    enum weir_entry_state state;
    bool received;
    bool changed;                  /* by somebody else while it was claimed */
    struct weir_line_group *group; /* NULL in a standard queue */
    struct weir_line_entry *next;  /* in the group */
    struct weir_line_entry *previous;
    UT_hash_handle hh;
};

static struct weir_line_entry *find(const struct weir_queue_line *line, uint64_t sequence)
{
    struct weir_line_entry *entry = NULL;
    HASH_FIND(hh, line->entries, &sequence, sizeof(sequence), entry);
    return entry;
}

/* --- groups ------------------------------------------------------------------------------ */

static struct weir_line_group *group_of(struct weir_queue_line *line, struct weir_str name)
{
    struct weir_line_group *group = NULL;
    HASH_FIND(hh, line->groups, name.p, name.n, group);
    if (group == NULL) {
        group = weir_alloc_zero(1, sizeof(*group) + name.n);
        group->n = name.n;
        memcpy(group->name, name.p, name.n);
        HASH_ADD_KEYPTR(hh, line->groups, group->name, group->n, group);
    }
    return group;
}

/* A group can give its first message when that shows and nothing of the group is hidden. */
static void update_group(struct weir_queue_line *line, struct weir_line_group *group)
{
    if (group->first == NULL) {
        weir_heap_remove(&line->ready, &group->node);
        HASH_DELETE(hh, line->groups, group);
        weir_free(group);
    } else if (group->busy == 0 && group->first->state == WEIR_ENTRY_READY) {
        weir_heap_set(&line->ready, &group->node, (int64_t)group->first->sequence);
    } else {
        weir_heap_remove(&line->ready, &group->node);
    }
}

static void join_group(struct weir_line_group *group, struct weir_line_entry *entry)
{
    struct weir_line_entry *behind = group->last;
    while (behind != NULL && behind->sequence > entry->sequence) {
        behind = behind->previous;
    }
    entry->group = group;
    entry->previous = behind;
    entry->next = behind != NULL ? behind->next : group->first;
    *(entry->next != NULL ? &entry->next->previous : &group->last) = entry;
    *(behind != NULL ? &behind->next : &group->first) = entry;
}

static void leave_group(struct weir_line_entry *entry)
{
    struct weir_line_group *group = entry->group;
    *(entry->next != NULL ? &entry->next->previous : &group->last) = entry->previous;
    *(entry->previous != NULL ? &entry->previous->next : &group->first) = entry->next;
}

/* --- entries ------------------------------------------------------------------------------- */

/* Take an entry out of whatever its state puts it into. */
static void detach(struct weir_queue_line *line, struct weir_line_entry *entry)
{
    bool busy = entry->state == WEIR_ENTRY_CLAIMED ||
                (entry->state == WEIR_ENTRY_HELD && entry->received);
    if (entry->state == WEIR_ENTRY_READY) {
        line->waiting--;
        if (entry->group == NULL) {
            weir_heap_remove(&line->ready, &entry->node);
        }
    } else if (entry->state == WEIR_ENTRY_HELD) {
        weir_heap_remove(&line->held, &entry->node);
    }
    line->hidden -= busy ? 1 : 0;
    line->delayed -= entry->state == WEIR_ENTRY_HELD && !entry->received ? 1 : 0;
    if (entry->group != NULL && busy) {
        entry->group->busy--;
    }
}

static void attach(struct weir_queue_line *line, struct weir_line_entry *entry,
        enum weir_entry_state state, struct weir_time visible)
{
    entry->state = state;
    bool busy = state == WEIR_ENTRY_CLAIMED || (state == WEIR_ENTRY_HELD && entry->received);
    if (state == WEIR_ENTRY_READY) {
        line->waiting++;
        if (entry->group == NULL) {
            weir_heap_set(&line->ready, &entry->node, (int64_t)entry->sequence);
        }
    } else if (state == WEIR_ENTRY_HELD) {
        weir_heap_set(&line->held, &entry->node, visible.ms);
    }
    line->hidden += busy ? 1 : 0;
    line->delayed += state == WEIR_ENTRY_HELD && !entry->received ? 1 : 0;
    if (entry->group != NULL) {
        entry->group->busy += busy ? 1 : 0;
        update_group(line, entry->group);
    }
}

static void change(struct weir_queue_line *line, struct weir_line_entry *entry,
        enum weir_entry_state state, struct weir_time visible)
{
    detach(line, entry);
    attach(line, entry, state, visible);
}

static void drop(struct weir_queue_line *line, struct weir_line_entry *entry)
{
    detach(line, entry);
    if (entry->group != NULL) {
        leave_group(entry);
        update_group(line, entry->group);
    }
    HASH_DELETE(hh, line->entries, entry);
    weir_free(entry);
}

void weir_line_clear(struct weir_queue_line *line)
{
    struct weir_line_entry *entry = NULL;
    struct weir_line_entry *next = NULL;
    HASH_ITER(hh, line->entries, entry, next)
    {
        drop(line, entry);
    }
    weir_heap_fini(&line->ready);
    weir_heap_fini(&line->held);
    line->loaded = 0;
    line->floor = 0;
    line->more = true;
    line->last_sent = 0;
    line->unordered = false;
    line->sweep_at = INT64_MAX;
}

/* Put an entry in line as its message is. */
static void set_entry(struct weir_queue_line *line, struct weir_line_entry *entry,
        const struct weir_queue_meta *meta, struct weir_time now)
{
    bool shows = meta->visible.ms <= now.ms;
    entry->received = meta->receives > 0;
    attach(line, entry, shows ? WEIR_ENTRY_READY : WEIR_ENTRY_HELD, meta->visible);
    int64_t end = meta->sent.ms + (int64_t)line->queue->retention_ms;
    line->sweep_at = end < line->sweep_at ? end : line->sweep_at;
}

static void add(struct weir_queue_line *line, uint64_t sequence, const struct weir_queue_meta *meta,
        struct weir_time now)
{
    struct weir_line_entry *entry = weir_alloc_zero(1, sizeof(*entry));
    entry->sequence = sequence;
    HASH_ADD(hh, line->entries, sequence, sizeof(entry->sequence), entry);
    if (line->queue->fifo) {
        join_group(group_of(line, meta->group), entry);
    }
    set_entry(line, entry, meta, now);
    int64_t end = meta->sent.ms + WEIR_QUEUE_DEDUP_MS;
    if (line->queue->fifo && end > now.ms && end < line->sweep_at) {
        line->sweep_at = end; /* there is an entry against duplicates, too */
    }
}

/* --- reading the keyspace --------------------------------------------------------------------- */

enum weir_rc weir_line_load(struct weir_queue_line *line, struct weir_err *err)
{
    if (line->space == 0 || !line->more || line->waiting >= AHEAD_MAX) {
        return WEIR_OK;
    }
    struct weir_time now = weir_clock_wall(weir_store_clock(line->queues->store));
    char text[WEIR_QUEUE_KEY];
    struct weir_cursor *cursor = weir_cursor_create(line->queues->store, line->space);
    enum weir_rc rc = WEIR_OK;
    size_t count = 0;
    weir_cursor_seek(cursor, weir_queue_number_key('m', line->loaded + 1, text));
    while (line->waiting < AHEAD_MAX && (count < LOAD_MAX || !weir_line_has(line))) {
        struct weir_str key;
        struct weir_entry stored;
        struct weir_queue_meta meta;
        rc = weir_cursor_get(cursor, &key, &stored, &line->more, err);
        line->more = line->more && key.p[0] == 'm';
        if (rc != WEIR_OK || !line->more) {
            break;
        }
        rc = weir_queue_read_meta(stored.value, &meta, err);
        if (rc != WEIR_OK) {
            break;
        }
        line->loaded = weir_queue_key_number(key);
        line->unordered = line->unordered || meta.sent.ms < line->last_sent;
        line->last_sent = meta.sent.ms;
        add(line, line->loaded, &meta, now);
        count++;
        weir_cursor_next(cursor);
    }
    weir_cursor_destroy(cursor);
    if (rc != WEIR_OK) {
        line->more = true;
    }
    return rc;
}

enum weir_rc weir_line_look(struct weir_queue_line *line, uint64_t sequence, struct weir_err *err)
{
    struct weir_line_entry *entry = find(line, sequence);
    if (entry == NULL) {
        return WEIR_OK; /* not in the line yet, or not any more */
    }
    struct weir_arena arena;
    struct weir_entry stored;
    struct weir_queue_meta meta;
    char text[WEIR_QUEUE_KEY];
    weir_arena_init(&arena);
    enum weir_rc rc = weir_store_get(line->queues->store, line->space,
            weir_queue_number_key('m', sequence, text), &arena, &stored, err);
    if (rc == WEIR_OK && stored.pos.seq == 0) {
        drop(line, entry);
    } else if (rc == WEIR_OK && entry->state == WEIR_ENTRY_CLAIMED) {
        entry->changed = true;
    } else if (rc == WEIR_OK) {
        rc = weir_queue_read_meta(stored.value, &meta, err);
        if (rc == WEIR_OK) {
            detach(line, entry);
            set_entry(line, entry, &meta, weir_clock_wall(weir_store_clock(line->queues->store)));
        }
    }
    weir_arena_fini(&arena);
    return rc;
}

/* --- receiving
 * ------------------------------------------------------------------------------------ */

void weir_line_show(struct weir_queue_line *line, struct weir_time now)
{
    struct weir_heap_node *node = NULL;
    while ((node = weir_heap_first(&line->held)) != NULL && node->key <= now.ms) {
        change(line, WEIR_CONTAINER(node, struct weir_line_entry, node), WEIR_ENTRY_READY, now);
    }
}

bool weir_line_has(const struct weir_queue_line *line)
{
    return line->ready.count > 0;
}

/* Claim the ready messages at the front of a group; returns how many. */
static size_t claim_group(struct weir_queue_line *line, struct weir_line_group *group,
        uint64_t *sequences, size_t max)
{
    struct weir_time none = { 0 };
    size_t count = 0;
    struct weir_line_entry *entry = group->first;
    while (count < max && entry != NULL && entry->state == WEIR_ENTRY_READY) {
        sequences[count++] = entry->sequence;
        struct weir_line_entry *next = entry->next;
        change(line, entry, WEIR_ENTRY_CLAIMED, none);
        entry = next;
    }
    return count;
}

size_t weir_line_claim(struct weir_queue_line *line, uint64_t *sequences, size_t max)
{
    struct weir_time none = { 0 };
    size_t count = 0;
    while (count < max && weir_line_has(line)) {
        struct weir_heap_node *node = weir_heap_first(&line->ready);
        if (line->queue->fifo) {
            count += claim_group(line, WEIR_CONTAINER(node, struct weir_line_group, node),
                    sequences + count, max - count);
        } else {
            struct weir_line_entry *entry = WEIR_CONTAINER(node, struct weir_line_entry, node);
            sequences[count++] = entry->sequence;
            change(line, entry, WEIR_ENTRY_CLAIMED, none);
        }
    }
    return count;
}

void weir_line_hide(struct weir_queue_line *line, uint64_t sequence, struct weir_time visible)
{
    struct weir_line_entry *entry = find(line, sequence);
    if (entry != NULL) {
        detach(line, entry);
        entry->received = true;
        attach(line, entry, WEIR_ENTRY_HELD, visible);
    }
    if (entry != NULL && entry->changed) {
        entry->changed = false;
        enum weir_rc rc = weir_line_look(line, sequence, NULL);
        (void)rc; /* what cannot be read now is hidden for as long as the claim said */
    }
}

enum weir_rc weir_line_release(
        struct weir_queue_line *line, uint64_t sequence, struct weir_err *err)
{
    struct weir_line_entry *entry = find(line, sequence);
    struct weir_time none = { 0 };
    if (entry != NULL && entry->state == WEIR_ENTRY_CLAIMED) {
        entry->changed = false;
        change(line, entry, WEIR_ENTRY_READY, none);
    }
    return weir_line_look(line, sequence, err);
}

void weir_line_gone(struct weir_queue_line *line, uint64_t sequence)
{
    struct weir_line_entry *entry = find(line, sequence);
    if (entry != NULL) {
        drop(line, entry);
    }
}

bool weir_line_next(const struct weir_queue_line *line, struct weir_time *ret_time)
{
    const struct weir_heap_node *node = weir_heap_first(&line->held);
    if (node != NULL) {
        ret_time->ms = node->key;
    }
    return node != NULL;
}
