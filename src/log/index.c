/* What a segment holds for which stream, and its footer. */
#include <string.h>

#include "base/hash.h"
#include "log/log_int.h"

void weir_log_index_init(struct weir_log_index *index, uint64_t segment_bytes)
{
    *index = (struct weir_log_index){ 0 };
    index->stretch_count =
            (uint32_t)((segment_bytes + WEIR_LOG_STRETCH_BYTES - 1) / WEIR_LOG_STRETCH_BYTES);
    index->stretches = weir_alloc_zero(index->stretch_count, sizeof(*index->stretches));
}

void weir_log_index_fini(struct weir_log_index *index)
{
    weir_free(index->stretches);
    weir_free(index->streams);
    weir_free(index->slots);
    *index = (struct weir_log_index){ 0 };
}

void weir_log_index_frame(struct weir_log_index *index, uint64_t offset, struct weir_time time)
{
    struct weir_log_stretch *stretch = &index->stretches[offset / WEIR_LOG_STRETCH_BYTES];
    if (stretch->first == 0) {
        stretch->first = (uint32_t)offset;
        stretch->time = time;
    }
    index->last_time = time;
}

static uint32_t slot_of(const struct weir_log_index *index, uint32_t space, uint32_t shard)
{
    uint32_t slot = (uint32_t)(((uint64_t)space << 16 ^ shard) * 0x9e3779b97f4a7c15u >> 40);
    for (slot &= index->slot_count - 1; index->slots[slot] != 0;
            slot = (slot + 1) & (index->slot_count - 1)) {
        const struct weir_log_stream *stream = &index->streams[index->slots[slot] - 1];
        if (stream->space == space && stream->shard == shard) {
            break;
        }
    }
    return slot;
}

static void grow_slots(struct weir_log_index *index)
{
    weir_free(index->slots);
    index->slot_count = index->slot_count > 0 ? index->slot_count * 2 : 16;
    index->slots = weir_alloc_zero(index->slot_count, sizeof(*index->slots));
    for (uint32_t i = 0; i < index->stream_count; i++) {
        index->slots[slot_of(index, index->streams[i].space, index->streams[i].shard)] = i + 1;
    }
}

/* The stream's entry, made empty if there was none. */
static struct weir_log_stream *find_or_add(
        struct weir_log_index *index, uint32_t space, uint32_t shard)
{
    if ((uint64_t)index->stream_count * 2 >= index->slot_count) {
        grow_slots(index);
    }
    uint32_t slot = slot_of(index, space, shard);
    if (index->slots[slot] != 0) {
        return &index->streams[index->slots[slot] - 1];
    }
    if (index->stream_count == index->stream_capacity) {
        index->stream_capacity = index->stream_capacity > 0 ? index->stream_capacity * 2 : 8;
        index->streams =
                weir_realloc(index->streams, index->stream_capacity, sizeof(*index->streams));
    }
    struct weir_log_stream *stream = &index->streams[index->stream_count++];
    *stream = (struct weir_log_stream){ .space = space, .shard = shard };
    index->slots[slot] = index->stream_count;
    return stream;
}

void weir_log_index_record(struct weir_log_index *index, uint32_t space, uint32_t shard,
        uint64_t frame_offset, uint64_t offset)
{
    struct weir_log_stream *stream = find_or_add(index, space, shard);
    if (stream->count == 0) {
        stream->first = (uint32_t)offset;
    }
    stream->count++;
    stream->last = (uint32_t)offset;
    uint32_t stretch = (uint32_t)(frame_offset / WEIR_LOG_STRETCH_BYTES);
    stream->stretches[stretch / 64] |= (uint64_t)1 << stretch % 64;
}

void weir_log_index_add_counts(struct weir_log_index *total, const struct weir_log_index *index)
{
    for (uint32_t i = 0; i < index->stream_count; i++) {
        const struct weir_log_stream *stream = &index->streams[i];
        find_or_add(total, stream->space, stream->shard)->count += stream->count;
    }
}

const struct weir_log_stream *weir_log_index_find(
        const struct weir_log_index *index, uint32_t space, uint32_t shard)
{
    if (index->slot_count == 0) {
        return NULL;
    }
    uint32_t slot = slot_of(index, space, shard);
    return index->slots[slot] != 0 ? &index->streams[index->slots[slot] - 1] : NULL;
}

/* The first stretch from `from` on in which the stream has something; -1 if none. */
static int next_stretch(const struct weir_log_stream *stream, uint32_t from)
{
    for (uint32_t word = from / 64; word < WEIR_COUNT(stream->stretches); word++) {
        uint64_t bits = stream->stretches[word];
        if (word == from / 64) {
            bits &= ~(uint64_t)0 << from % 64;
        }
        if (bits != 0) {
            return (int)(word * 64) + __builtin_ctzll(bits);
        }
    }
    return -1;
}

int weir_log_index_next(
        const struct weir_log_index *index, const struct weir_log_filter *filter, uint32_t from)
{
    if (filter->shard != WEIR_LOG_ANY_SHARD) {
        const struct weir_log_stream *stream =
                weir_log_index_find(index, filter->space, (uint32_t)filter->shard);
        return stream != NULL ? next_stretch(stream, from) : -1;
    }
    int best = -1;
    for (uint32_t i = 0; i < index->stream_count; i++) {
        if (index->streams[i].space == filter->space) {
            int stretch = next_stretch(&index->streams[i], from);
            if (stretch >= 0 && (best < 0 || stretch < best)) {
                best = stretch;
            }
        }
    }
    return best;
}

bool weir_log_index_add(
        struct weir_log_index *index, uint64_t offset, const struct weir_log_frame *frame)
{
    /* A change's offset counts from the frame's beginning, the START prefix included. */
    uint64_t body_offset = offset + frame->length - frame->body_bytes;
    const uint8_t *p = frame->body;
    const uint8_t *end = p + frame->body_bytes;
    weir_log_index_frame(index, offset, frame->time);
    for (uint32_t i = 0; i < frame->transactions; i++) {
        if (end - p < WEIR_LOG_TRANSACTION_BYTES || weir_log_get_u32(p) > (size_t)(end - p - 8)) {
            return false;
        }
        const uint8_t *transaction_end = p + 8 + weir_log_get_u32(p);
        uint32_t changes = weir_log_get_u32(p + 4);
        p += WEIR_LOG_TRANSACTION_BYTES;
        for (uint32_t j = 0; j < changes; j++) {
            struct weir_change change;
            const uint8_t *after = weir_log_change_decode(p, transaction_end, &change);
            if (after == NULL) {
                return false;
            }
            if (change.in_stream) {
                weir_log_index_record(index, change.space, change.shard, offset,
                        body_offset + (uint64_t)(p - frame->body));
            }
            p = after;
        }
        if (p != transaction_end) {
            return false;
        }
    }
    return p == end;
}

size_t weir_log_footer_bytes(const struct weir_log_index *index, uint64_t streams)
{
    return WEIR_LOG_FRAME_BYTES + WEIR_LOG_FOOTER_BYTES +
           (size_t)index->stretch_count * WEIR_LOG_FOOTER_STRETCH_BYTES +
           (size_t)streams * WEIR_LOG_FOOTER_STREAM_BYTES;
}

void weir_log_footer_encode(const struct weir_log_index *index, uint8_t *p)
{
    weir_log_put_u64(p, (uint64_t)index->last_time.ms);
    weir_log_put_u32(p + 8, index->stretch_count);
    weir_log_put_u32(p + 12, index->stream_count);
    p += WEIR_LOG_FOOTER_BYTES;
    for (uint32_t i = 0; i < index->stretch_count; i++) {
        weir_log_put_u32(p, index->stretches[i].first);
        weir_log_put_u32(p + 4, 0);
        weir_log_put_u64(p + 8, (uint64_t)index->stretches[i].time.ms);
        p += WEIR_LOG_FOOTER_STRETCH_BYTES;
    }
    for (uint32_t i = 0; i < index->stream_count; i++) {
        const struct weir_log_stream *stream = &index->streams[i];
        weir_log_put_u32(p, stream->space);
        weir_log_put_u32(p + 4, stream->shard);
        weir_log_put_u32(p + 8, (uint32_t)stream->count);
        weir_log_put_u32(p + 12, stream->first);
        weir_log_put_u32(p + 16, stream->last);
        weir_log_put_u32(p + 20, 0);
        for (unsigned word = 0; word < WEIR_COUNT(stream->stretches); word++) {
            weir_log_put_u64(p + 24 + 8 * word, stream->stretches[word]);
        }
        p += WEIR_LOG_FOOTER_STREAM_BYTES;
    }
}

/* Whether every stretch that a stream names has frames. */
static bool stream_fits(const struct weir_log_index *index, const struct weir_log_stream *stream)
{
    for (int at = next_stretch(stream, 0); at >= 0; at = next_stretch(stream, (uint32_t)at + 1)) {
        if ((uint32_t)at >= index->stretch_count || index->stretches[at].first == 0) {
            return false;
        }
        if (at == WEIR_LOG_STRETCHES_MAX - 1) {
            break;
        }
    }
    return stream->shard <= UINT16_MAX && stream->count > 0;
}

bool weir_log_footer_decode(const struct weir_log_segment_id *id,
        const struct weir_log_frame *frame, struct weir_log_index *index)
{
    const uint8_t *p = frame->body;
    if (frame->body_bytes < WEIR_LOG_FOOTER_BYTES) {
        return false;
    }
    uint32_t streams = weir_log_get_u32(p + 12);
    if (weir_log_get_u32(p + 8) != index->stretch_count ||
            frame->length != weir_log_footer_bytes(index, streams)) {
        return false;
    }
    index->last_time.ms = (int64_t)weir_log_get_u64(p);
    p += WEIR_LOG_FOOTER_BYTES;
    for (uint32_t i = 0; i < index->stretch_count; i++, p += WEIR_LOG_FOOTER_STRETCH_BYTES) {
        struct weir_log_stretch *stretch = &index->stretches[i];
        stretch->first = weir_log_get_u32(p);
        stretch->time.ms = (int64_t)weir_log_get_u64(p + 8);
        if (stretch->first != 0 &&
                (stretch->first / WEIR_LOG_STRETCH_BYTES != i || stretch->first >= id->bytes)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < streams; i++, p += WEIR_LOG_FOOTER_STREAM_BYTES) {
        struct weir_log_stream *stream =
                find_or_add(index, weir_log_get_u32(p), weir_log_get_u32(p + 4));
        stream->count = weir_log_get_u32(p + 8);
        stream->first = weir_log_get_u32(p + 12);
        stream->last = weir_log_get_u32(p + 16);
        for (unsigned word = 0; word < WEIR_COUNT(stream->stretches); word++) {
            stream->stretches[word] = weir_log_get_u64(p + 24 + 8 * word);
        }
        if (!stream_fits(index, stream)) {
            return false;
        }
    }
    return true;
}
