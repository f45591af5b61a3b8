/* The bytes of the log; docs/FORMATS.md, "Commit log". All integers are little-endian. */
#include <endian.h>
#include <string.h>

#include "base/hash.h"
#include "log/log_int.h"

static const char magic[8] = "weirlog";

enum {
    FLAG_EVENT = 3, /* the event's number */
    FLAG_BY_TTL = 4,
    FLAG_IN_STREAM = 8,
};

uint32_t weir_log_get_u32(const uint8_t *p)
{
    uint32_t value = 0;
    memcpy(&value, p, sizeof(value));
    return le32toh(value);
}

uint64_t weir_log_get_u64(const uint8_t *p)
{
    uint64_t value = 0;
    memcpy(&value, p, sizeof(value));
    return le64toh(value);
}

void weir_log_put_u32(uint8_t *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof(value));
}

void weir_log_put_u64(uint8_t *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof(value));
}

void weir_log_seed(struct weir_log_segment_id *id)
{
    uint8_t bytes[16];
    weir_log_put_u64(bytes, id->number);
    weir_log_put_u64(bytes + 8, id->epoch);
    id->seed = weir_crc32c(0, bytes, sizeof(bytes));
}

void weir_log_header_encode(
        const struct weir_log_segment_id *id, struct weir_time created, uint8_t *p)
{
    memset(p, 0, WEIR_LOG_HEADER_BYTES);
    memcpy(p, magic, sizeof(magic));
    weir_log_put_u32(p + 8, WEIR_LOG_VERSION);
    weir_log_put_u32(p + 12, 0); /* features */
    weir_log_put_u64(p + 16, id->number);
    weir_log_put_u64(p + 24, id->epoch);
    weir_log_put_u64(p + 32, id->bytes);
    weir_log_put_u64(p + 40, (uint64_t)created.ms);
    weir_log_put_u32(p + 48, WEIR_LOG_HEADER_BYTES);
    weir_log_put_u32(p + 52, 0);
    weir_log_put_u32(p + 56, 0);
    weir_log_put_u32(p + 60, weir_crc32c(0, p, 60));
}

enum weir_rc weir_log_header_decode(
        const uint8_t *p, struct weir_log_segment_id *ret_id, struct weir_err *err)
{
    if (memcmp(p, magic, sizeof(magic)) != 0 || weir_log_get_u32(p + 60) != weir_crc32c(0, p, 60)) {
        return weir_fail(err, WEIR_E_DAMAGED, "the segment's header fails its checksum");
    }
    uint32_t version = weir_log_get_u32(p + 8);
    uint32_t features = weir_log_get_u32(p + 12);
    if (version != WEIR_LOG_VERSION || features != 0) {
        return weir_fail(err, WEIR_E_FORMAT,
                "segment of version %u with features %#x, this weir reads version %d without any",
                version, features, WEIR_LOG_VERSION);
    }
    struct weir_log_segment_id id = {
        .number = weir_log_get_u64(p + 16),
        .epoch = weir_log_get_u64(p + 24),
        .bytes = weir_log_get_u64(p + 32),
    };
    if (id.bytes < WEIR_LOG_SEGMENT_MIN_BYTES || id.bytes > WEIR_LOG_SEGMENT_BYTES ||
            weir_log_get_u32(p + 48) != WEIR_LOG_HEADER_BYTES || id.number == 0 ||
            id.number >> (64 - WEIR_LOG_OFFSET_BITS) != 0) {
        return weir_fail(err, WEIR_E_FORMAT, "segment %llu of %llu bytes, frames from %u: unknown",
                (unsigned long long)id.number, (unsigned long long)id.bytes,
                weir_log_get_u32(p + 48));
    }
    weir_log_seed(&id);
    *ret_id = id;
    return WEIR_OK;
}

void weir_log_frame_seal(const struct weir_log_segment_id *id, uint64_t offset, uint8_t *p,
        uint32_t length, struct weir_time time, uint32_t kind, uint32_t transactions)
{
    weir_log_put_u32(p + 4, length);
    weir_log_put_u64(p + 8, weir_log_position(id->number, offset));
    weir_log_put_u64(p + 16, (uint64_t)time.ms);
    weir_log_put_u32(p + 24, kind);
    weir_log_put_u32(p + 28, transactions);
    weir_log_put_u32(p, weir_crc32c(id->seed, p + 4, length - 4));
}

/* Whether a frame of a kind may stand at an offset. */
static bool kind_fits(uint32_t kind, uint64_t offset)
{
    return (kind == WEIR_LOG_FRAME_START) == (offset == WEIR_LOG_HEADER_BYTES);
}

enum weir_log_frame_state weir_log_frame_parse(const struct weir_log_segment_id *id,
        uint64_t offset, const uint8_t *p, size_t n, struct weir_log_frame *ret_frame)
{
    if (offset + WEIR_LOG_FRAME_BYTES > id->bytes) {
        return WEIR_LOG_FRAME_INVALID;
    }
    if (n < WEIR_LOG_FRAME_BYTES) {
        ret_frame->length = WEIR_LOG_FRAME_BYTES;
        return WEIR_LOG_FRAME_SHORT;
    }
    uint32_t length = weir_log_get_u32(p + 4);
    if (weir_log_get_u64(p + 8) != weir_log_position(id->number, offset) ||
            length < WEIR_LOG_FRAME_BYTES || length > id->bytes - offset) {
        return WEIR_LOG_FRAME_INVALID;
    }
    ret_frame->length = length;
    if (length > n) {
        return WEIR_LOG_FRAME_SHORT;
    }
    if (weir_log_get_u32(p) != weir_crc32c(id->seed, p + 4, length - 4)) {
        return WEIR_LOG_FRAME_INVALID;
    }
    ret_frame->time.ms = (int64_t)weir_log_get_u64(p + 16);
    ret_frame->kind = weir_log_get_u32(p + 24);
    ret_frame->transactions = weir_log_get_u32(p + 28);
    ret_frame->body = p + WEIR_LOG_FRAME_BYTES;
    ret_frame->body_bytes = length - WEIR_LOG_FRAME_BYTES;
    ret_frame->previous_end = 0;
    if (ret_frame->kind == 0 || ret_frame->kind > WEIR_LOG_FRAME_FOOTER) {
        return WEIR_LOG_FRAME_UNKNOWN;
    }
    if (!kind_fits(ret_frame->kind, offset)) {
        return WEIR_LOG_FRAME_INVALID;
    }
    if (ret_frame->kind == WEIR_LOG_FRAME_START) {
        if (ret_frame->body_bytes < WEIR_LOG_START_BYTES) {
            return WEIR_LOG_FRAME_INVALID;
        }
        ret_frame->previous_end = weir_log_get_u64(ret_frame->body);
        ret_frame->body += WEIR_LOG_START_BYTES;
        ret_frame->body_bytes -= WEIR_LOG_START_BYTES;
    }
    return WEIR_LOG_FRAME_VALID;
}

static size_t varint_bytes(size_t value)
{
    size_t n = 1;
    for (; value >= 0x80; value >>= 7) {
        n++;
    }
    return n;
}

static uint8_t *put_varint(uint8_t *p, size_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *p++ = (uint8_t)(value | 0x80);
    }
    *p++ = (uint8_t)value;
    return p;
}

static const uint8_t *get_varint(const uint8_t *p, const uint8_t *end, size_t *ret_value)
{
    size_t value = 0;
    for (unsigned shift = 0; p < end && shift < 35; shift += 7) {
        uint8_t byte = *p++;
        value |= (size_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return p;
        }
    }
    return NULL;
}

size_t weir_log_change_bytes(const struct weir_change *change)
{
    return WEIR_LOG_CHANGE_BYTES + varint_bytes(change->key.n) + varint_bytes(change->keys.n) +
           varint_bytes(change->old_value.n) + varint_bytes(change->value.n) + change->key.n +
           change->keys.n + change->old_value.n + change->value.n;
}

static uint8_t *put_bytes(uint8_t *p, struct weir_str s)
{
    if (s.n > 0) {
        memcpy(p, s.p, s.n);
    }
    return p + s.n;
}

uint8_t *weir_log_change_encode(const struct weir_change *change, uint8_t *p)
{
    unsigned flags = 0;
    if (change->kind == WEIR_CHANGE_RECORD) {
        flags = ((unsigned)change->event & FLAG_EVENT) | (change->by_ttl ? FLAG_BY_TTL : 0u) |
                (change->in_stream ? FLAG_IN_STREAM : 0u);
    }
    p[0] = (uint8_t)change->kind;
    p[1] = (uint8_t)flags;
    p[2] = change->hops;
    p[3] = (uint8_t)change->shard;
    p[4] = (uint8_t)(change->shard >> 8);
    weir_log_put_u32(p + 5, change->space);
    p = put_varint(p + WEIR_LOG_CHANGE_BYTES, change->key.n);
    p = put_varint(p, change->keys.n);
    p = put_varint(p, change->old_value.n);
    p = put_varint(p, change->value.n);
    p = put_bytes(p, change->key);
    p = put_bytes(p, change->keys);
    p = put_bytes(p, change->old_value);
    return put_bytes(p, change->value);
}

/* Hand out n bytes at *p, unless fewer are left or an earlier take failed. */
static struct weir_str take(const uint8_t **p, const uint8_t *end, size_t n)
{
    if (*p == NULL || n > (size_t)(end - *p)) {
        *p = NULL;
        return weir_str(NULL, 0);
    }
    struct weir_str s = weir_str((const char *)*p, n);
    *p += n;
    return s;
}

const uint8_t *weir_log_change_decode(
        const uint8_t *p, const uint8_t *end, struct weir_change *ret_change)
{
    if (end - p < WEIR_LOG_CHANGE_BYTES) {
        return NULL;
    }
    uint8_t kind = p[0];
    uint8_t flags = p[1];
    uint8_t event = flags & FLAG_EVENT;
    if (kind < WEIR_CHANGE_PUT || kind > WEIR_CHANGE_DROP ||
            flags > (FLAG_EVENT | FLAG_BY_TTL | FLAG_IN_STREAM) ||
            (kind == WEIR_CHANGE_RECORD ? event == 0 : flags != 0)) {
        return NULL;
    }
    ret_change->kind = (enum weir_change_kind)kind;
    ret_change->event = (enum weir_event_name)event;
    ret_change->by_ttl = (flags & FLAG_BY_TTL) != 0;
    ret_change->in_stream = (flags & FLAG_IN_STREAM) != 0;
    ret_change->hops = p[2];
    ret_change->shard = (uint32_t)p[3] | (uint32_t)p[4] << 8;
    ret_change->space = weir_log_get_u32(p + 5);
    size_t lengths[4];
    p += WEIR_LOG_CHANGE_BYTES;
    for (size_t i = 0; i < WEIR_COUNT(lengths); i++) {
        p = get_varint(p, end, &lengths[i]);
        if (p == NULL) {
            return NULL;
        }
    }
    ret_change->key = take(&p, end, lengths[0]);
    ret_change->keys = take(&p, end, lengths[1]);
    ret_change->old_value = take(&p, end, lengths[2]);
    ret_change->value = take(&p, end, lengths[3]);
    return p;
}
