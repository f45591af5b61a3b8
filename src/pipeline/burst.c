/* Bursts as bytes: keys and values of WEIR_SPACE_DEFERRED. */
#include <string.h>

#include "base/mem.h"
#include "pipeline/deferred_int.h"

enum { NUMBER_BYTES = 8, FORMAT = 1 };

/* --- keys -------------------------------------------------------------------------------- */

static char *put_bytes(char *at, struct weir_str bytes)
{
    if (bytes.n > 0) {
        memcpy(at, bytes.p, bytes.n);
    }
    return at + bytes.n;
}

/* Big-endian, so that keys stand in order. */
static char *put_number(char *at, uint64_t number)
{
    for (int i = 0; i < NUMBER_BYTES; i++) {
        at[i] = (char)(number >> (56 - 8 * i));
    }
    return at + NUMBER_BYTES;
}

/* A key with `numbers` numbers between its head and the step's own key. */
static struct weir_str make_key(struct weir_arena *arena, struct weir_str prefix,
        const uint64_t *numbers, size_t count, struct weir_str key)
{
    size_t bytes = prefix.n + count * NUMBER_BYTES + key.n;
    char *p = weir_arena_alloc(arena, bytes);
    char *at = put_bytes(p, prefix);
    for (size_t i = 0; i < count; i++) {
        at = put_number(at, numbers[i]);
    }
    put_bytes(at, key);
    return weir_str(p, bytes);
}

struct weir_str weir_burst_prefix(struct weir_arena *arena, enum burst_kind kind,
        struct weir_str pipeline, struct weir_str step)
{
    char *p = weir_arena_alloc(arena, pipeline.n + step.n + 3);
    *p = (char)kind;
    char *at = put_bytes(p + 1, pipeline);
    *at++ = '\0';
    if (step.n > 0) {
        at = put_bytes(at, step);
        *at++ = '\0';
    }
    return weir_str(p, (size_t)(at - p));
}

static uint64_t due_number(struct weir_time due)
{
    return due.ms > 0 ? (uint64_t)due.ms : 0;
}

struct weir_str weir_burst_open_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, struct weir_str key)
{
    return make_key(arena, weir_burst_prefix(arena, BURST_OPEN, pipeline, step), NULL, 0, key);
}

struct weir_str weir_burst_due_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, struct weir_time due, struct weir_str key)
{
    uint64_t number = due_number(due);
    return make_key(arena, weir_burst_prefix(arena, BURST_DUE, pipeline, step), &number, 1, key);
}

struct weir_str weir_burst_time_key(
        struct weir_arena *arena, struct weir_str prefix, struct weir_time time)
{
    uint64_t number = due_number(time);
    return make_key(arena, prefix, &number, 1, WEIR_STR(""));
}

struct weir_str weir_burst_closed_key(struct weir_arena *arena, struct weir_str pipeline,
        struct weir_str step, const struct burst *burst, struct weir_str key)
{
    uint64_t numbers[] = { due_number(burst->due), burst->last.record.pos.seq };
    return make_key(arena, weir_burst_prefix(arena, BURST_CLOSED, pipeline, step), numbers, 2, key);
}

/* Cut a text off that ends with a zero byte. */
static bool cut_text(struct weir_str *rest, struct weir_str *ret_text)
{
    const char *end = rest->n > 0 ? memchr(rest->p, '\0', rest->n) : NULL;
    if (end == NULL) {
        return false;
    }
    *ret_text = weir_str(rest->p, (size_t)(end - rest->p));
    *rest = weir_str(end + 1, rest->n - ret_text->n - 1);
    return true;
}

enum weir_rc weir_burst_name(struct weir_str key, struct burst_name *ret_name, struct weir_err *err)
{
    struct burst_name name = { 0 };
    struct weir_str rest = key.n > 0 ? weir_str(key.p + 1, key.n - 1) : key;
    size_t numbers = 0;
    name.kind = key.n > 0 ? (enum burst_kind)(unsigned char)key.p[0] : BURST_OPEN;
    numbers = name.kind == BURST_DUE ? 1 : name.kind == BURST_CLOSED ? 2 : 0;
    if (!cut_text(&rest, &name.pipeline) || !cut_text(&rest, &name.step) ||
            rest.n < numbers * NUMBER_BYTES) {
        return weir_fail(err, WEIR_E_DAMAGED, "a deferred run's key of %zu bytes is none", key.n);
    }
    for (size_t i = 0; numbers > 0 && i < NUMBER_BYTES; i++) {
        name.due.ms = (int64_t)((uint64_t)name.due.ms << 8 | (unsigned char)rest.p[i]);
    }
    name.key = weir_str(rest.p + numbers * NUMBER_BYTES, rest.n - numbers * NUMBER_BYTES);
    *ret_name = name;
    return WEIR_OK;
}

/* --- values --------------------------------------------------------------------------------- */

/* Part of the format. Integers are little-endian; the records follow, the first one only when it
 * is not the last as well, and what is merged, if anything is. */
struct burst_head {
    uint8_t format;
    uint8_t hops;
    uint8_t has_first;
    uint8_t has_merged;
    uint8_t unused[4];
    int64_t indexed_ms;
    int64_t since_ms;
    int64_t latest_ms;
    int64_t due_ms;
    uint64_t count;
};

/* Followed by table, key, keys, old and new image. */
struct record_head {
    uint64_t seq;
    int64_t created_ms;
    uint32_t table_bytes;
    uint32_t key_bytes;
    uint32_t keys_bytes;
    uint32_t old_bytes;
    uint32_t new_bytes;
    uint8_t event;
    uint8_t by_ttl;
    uint8_t unused[2];
};

static size_t record_bytes(const struct burst_record *r)
{
    return sizeof(struct record_head) + r->table.n + r->key.n + r->record.keys.n +
           r->record.old_image.n + r->record.new_image.n;
}

static char *put_item(char *at, struct weir_item item)
{
    return put_bytes(at, weir_str(item.p, item.n));
}

static char *put_record(char *at, const struct burst_record *r)
{
    struct record_head head = {
        .seq = r->record.pos.seq,
        .created_ms = r->record.created.ms,
        .table_bytes = (uint32_t)r->table.n,
        .key_bytes = (uint32_t)r->key.n,
        .keys_bytes = (uint32_t)r->record.keys.n,
        .old_bytes = (uint32_t)r->record.old_image.n,
        .new_bytes = (uint32_t)r->record.new_image.n,
        .event = (uint8_t)r->record.event,
        .by_ttl = r->record.by_ttl,
    };
    memcpy(at, &head, sizeof(head));
    at = put_bytes(at + sizeof(head), r->table);
    at = put_bytes(at, r->key);
    at = put_item(at, r->record.keys);
    at = put_item(at, r->record.old_image);
    return put_item(at, r->record.new_image);
}

/* Followed by both items. */
struct merged_head {
    uint32_t values_bytes;
    uint32_t positions_bytes;
};

static char *put_merged(char *at, const struct merged *merged)
{
    struct merged_head head = {
        .values_bytes = (uint32_t)merged->values.n,
        .positions_bytes = (uint32_t)merged->positions.n,
    };
    memcpy(at, &head, sizeof(head));
    return put_item(put_item(at + sizeof(head), merged->values), merged->positions);
}

struct weir_str weir_burst_encode(struct weir_arena *arena, const struct burst *burst)
{
    bool has_first = burst->first.record.pos.seq != burst->last.record.pos.seq;
    const struct merged *merged = &burst->merged;
    bool has_merged = merged->values.n > 0;
    struct burst_head head = {
        .format = FORMAT,
        .hops = burst->hops,
        .has_first = has_first,
        .has_merged = has_merged,
        .indexed_ms = burst->indexed.ms,
        .since_ms = burst->since.ms,
        .latest_ms = burst->latest.ms,
        .due_ms = burst->due.ms,
        .count = burst->count,
    };
    size_t bytes = sizeof(head) + record_bytes(&burst->last) +
                   (has_first ? record_bytes(&burst->first) : 0);
    if (has_merged) {
        bytes += sizeof(struct merged_head) + merged->values.n + merged->positions.n;
    }
    char *p = weir_arena_alloc(arena, bytes);
    memcpy(p, &head, sizeof(head));
    char *at = put_record(p + sizeof(head), &burst->last);
    if (has_first) {
        at = put_record(at, &burst->first);
    }
    if (has_merged) {
        put_merged(at, merged);
    }
    return weir_str(p, bytes);
}

static bool cut_bytes(struct weir_str *rest, size_t n, struct weir_str *ret_bytes)
{
    if (rest->n < n) {
        return false;
    }
    *ret_bytes = weir_str(rest->p, n);
    *rest = weir_str(rest->p + n, rest->n - n);
    return true;
}

static bool cut_item(struct weir_str *rest, size_t n, struct weir_item *ret_item)
{
    struct weir_str bytes;
    if (!cut_bytes(rest, n, &bytes)) {
        return false;
    }
    *ret_item = (struct weir_item){ n > 0 ? bytes.p : NULL, n };
    return true;
}

static bool cut_record(struct weir_str *rest, struct burst_record *ret_record)
{
    struct record_head head;
    struct weir_str bytes;
    struct burst_record r = { 0 };
    if (!cut_bytes(rest, sizeof(head), &bytes)) {
        return false;
    }
    memcpy(&head, bytes.p, sizeof(head));
    r.record.event = (enum weir_event_name)head.event;
    r.record.pos.seq = head.seq;
    r.record.created.ms = head.created_ms;
    r.record.by_ttl = head.by_ttl != 0;
    if (!cut_bytes(rest, head.table_bytes, &r.table) || !cut_bytes(rest, head.key_bytes, &r.key) ||
            !cut_item(rest, head.keys_bytes, &r.record.keys) ||
            !cut_item(rest, head.old_bytes, &r.record.old_image) ||
            !cut_item(rest, head.new_bytes, &r.record.new_image)) {
        return false;
    }
    *ret_record = r;
    return true;
}

static bool cut_merged(struct weir_str *rest, struct merged *ret_merged)
{
    struct merged_head head;
    struct weir_str bytes;
    if (!cut_bytes(rest, sizeof(head), &bytes)) {
        return false;
    }
    memcpy(&head, bytes.p, sizeof(head));
    return cut_item(rest, head.values_bytes, &ret_merged->values) &&
           cut_item(rest, head.positions_bytes, &ret_merged->positions);
}

enum weir_rc weir_burst_decode(struct weir_str bytes, struct burst *ret_burst, struct weir_err *err)
{
    struct burst_head head = { 0 };
    struct weir_str rest = bytes;
    struct weir_str head_bytes;
    struct burst burst = { 0 };
    bool ok = cut_bytes(&rest, sizeof(head), &head_bytes);
    if (ok) {
        memcpy(&head, head_bytes.p, sizeof(head));
    }
    ok = ok && head.format == FORMAT && cut_record(&rest, &burst.last);
    burst.first = burst.last;
    ok = ok && (head.has_first == 0 || cut_record(&rest, &burst.first));
    ok = ok && (head.has_merged == 0 || cut_merged(&rest, &burst.merged));
    if (!ok || rest.n > 0) {
        return weir_fail(err, WEIR_E_DAMAGED, "a deferred run of %zu bytes is none", bytes.n);
    }
    burst.indexed.ms = head.indexed_ms;
    burst.since.ms = head.since_ms;
    burst.latest.ms = head.latest_ms;
    burst.due.ms = head.due_ms;
    burst.count = head.count;
    burst.hops = head.hops;
    *ret_burst = burst;
    return WEIR_OK;
}
