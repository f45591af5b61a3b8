/* Reading: from blocks in memory, else from disk, with the indexes' help. */
#include <inttypes.h>
#include <string.h>

#include "log/log_int.h"

enum { READ_AHEAD_BYTES = 16 * 1024 };

struct weir_log_reader {
    struct weir_log *log; /* borrowed */
    struct weir_log_filter filter;
    uint64_t after;               /* changes at or before it are not handed out */
    uint64_t looked;              /* every match at or before it was handed out */
    bool placed;                  /* frame is set */
    uint64_t frame;               /* position of the next frame to look at */
    struct weir_log_block *block; /* a reference; holds the frame being read; may be NULL */
    /* The frame being read. */
    const uint8_t *frame_begin; /* NULL: none */
    const uint8_t *frame_end;
    uint64_t frame_position;
    struct weir_time time;
    uint32_t transactions; /* left, the one being read not counted */
    uint32_t changes;      /* left of the transaction being read */
    const uint8_t *at;
    const uint8_t *transaction_end;
    /* Of one shard: how many of its records, counted from the log's opening, are up to `looked`. */
    bool counted;
    struct weir_log_count ordinal;
    struct weir_log_gap gap; /* what the last WEIR_E_TRIMMED was about */
};

struct weir_log_segment *weir_log_find_segment(struct weir_log *log, uint64_t number)
{
    uint64_t oldest = log->segments[0].id.number;
    return number >= oldest && number - oldest < log->segment_count
                   ? &log->segments[number - oldest]
                   : NULL;
}

/* --- blocks from disk ------------------------------------------------------------------ */

/* What reading from a segment needs to know, copied so that the mutex can be left. */
struct source {
    struct weir_log_segment_id id;
    uint64_t end; /* offset behind the last published group */
};

/* See that a block holds n bytes from the file; it may move. */
static enum weir_rc fill(struct weir_log *log, struct weir_file *file, uint64_t offset, size_t n,
        size_t *have, struct weir_log_block **block, struct weir_err *err)
{
    if (n > (*block)->capacity) {
        weir_mutex_lock(&log->mutex);
        struct weir_log_block *larger = weir_log_block_get(&log->blocks, n, (*block)->begin);
        memcpy(larger->data, (*block)->data, *have);
        weir_log_block_put(&log->blocks, *block);
        weir_mutex_unlock(&log->mutex);
        *block = larger;
    }
    enum weir_rc rc =
            weir_file_read_all(file, offset + *have, (*block)->data + *have, n - *have, err);
    *have = rc == WEIR_OK ? n : *have;
    return rc;
}

/* Fill a block with the frames that begin between an offset and the end of its stretch. */
static enum weir_rc read_frames(struct weir_log *log, const struct source *source,
        struct weir_file *file, uint64_t offset, struct weir_log_block **block,
        struct weir_err *err)
{
    uint64_t limit = (offset / WEIR_LOG_STRETCH_BYTES + 1) * WEIR_LOG_STRETCH_BYTES;
    limit = limit < source->end ? limit : source->end;
    uint64_t ahead =
            limit + READ_AHEAD_BYTES < source->end ? limit + READ_AHEAD_BYTES : source->end;
    size_t have = 0;
    size_t at = 0;
    enum weir_rc rc = fill(log, file, offset, (size_t)(ahead - offset), &have, block, err);
    while (rc == WEIR_OK && offset + at < limit) {
        struct weir_log_frame frame;
        enum weir_log_frame_state state = weir_log_frame_parse(
                &source->id, offset + at, (*block)->data + at, have - at, &frame);
        if (state == WEIR_LOG_FRAME_SHORT && offset + at + frame.length <= source->end) {
            rc = fill(log, file, offset, at + frame.length, &have, block, err);
            continue;
        }
        if (state != WEIR_LOG_FRAME_VALID) {
            return weir_fail(err, WEIR_E_DAMAGED,
                    "log segment %016" PRIx64 " at offset %" PRIu64
                    ": the frame fails its checksum; `weir repair` explains",
                    source->id.number, offset + at);
        }
        at += (size_t)weir_log_align(frame.length);
    }
    if (rc == WEIR_OK) {
        atomic_store_explicit(&(*block)->end, (*block)->begin + at, memory_order_release);
    }
    return rc;
}

static enum weir_rc read_block(struct weir_log *log, const struct source *source, uint64_t offset,
        struct weir_log_block **block, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    struct weir_file *file = NULL;
    weir_log_path(log, WEIR_LOG_FILE_SEGMENT, source->id.number, path);
    enum weir_rc rc = log->fs->ops->open(log->fs, path, WEIR_OPEN_READ, &file, err);
    if (rc == WEIR_OK) {
        rc = read_frames(log, source, file, offset, block, err);
    }
    weir_file_destroy(file);
    return rc;
}

static enum weir_rc trimmed(struct weir_err *err, uint64_t position)
{
    return weir_fail(
            err, WEIR_E_TRIMMED, "changes after position %" PRIu64 " are no longer kept", position);
}

enum weir_rc weir_log_fetch(struct weir_log *log, uint64_t position,
        struct weir_log_block **ret_block, struct weir_err *err)
{
    uint64_t number = weir_log_number_of(position);
    weir_mutex_lock(&log->mutex);
    struct weir_log_block *block = weir_log_block_find(&log->blocks, position);
    const struct weir_log_segment *segment = weir_log_find_segment(log, number);
    if (block != NULL || segment == NULL) {
        weir_mutex_unlock(&log->mutex);
        *ret_block = block;
        return block != NULL ? WEIR_OK : trimmed(err, position);
    }
    struct source source = { .id = segment->id, .end = segment->end };
    block = weir_log_block_get(&log->blocks, WEIR_LOG_BLOCK_BYTES, position);
    weir_mutex_unlock(&log->mutex);

    enum weir_rc rc = read_block(log, &source, weir_log_offset_of(position), &block, err);

    weir_mutex_lock(&log->mutex);
    /* A file that was trimmed meanwhile may be missing or hold anything. */
    bool gone = weir_log_find_segment(log, number) == NULL;
    if (rc != WEIR_OK || gone) {
        weir_log_block_put(&log->blocks, block);
    } else {
        weir_log_cache_add(&log->blocks, block);
    }
    weir_mutex_unlock(&log->mutex);
    if (gone) {
        return trimmed(err, position);
    }
    if (rc == WEIR_OK) {
        *ret_block = block;
    }
    return rc;
}

/* --- placing ------------------------------------------------------------------------------ */

struct weir_log_reader *weir_log_reader_create(
        struct weir_log *log, struct weir_log_filter filter, struct weir_pos after)
{
    struct weir_log_reader *reader = weir_alloc_zero(1, sizeof(*reader));
    reader->log = log;
    reader->filter = filter;
    reader->after = after.seq;
    reader->looked = after.seq;
    return reader;
}

static void drop_block(struct weir_log_reader *reader)
{
    reader->frame_begin = NULL;
    if (reader->block != NULL) {
        weir_mutex_lock(&reader->log->mutex);
        weir_log_block_put(&reader->log->blocks, reader->block);
        weir_mutex_unlock(&reader->log->mutex);
        reader->block = NULL;
    }
}

void weir_log_reader_destroy(struct weir_log_reader *reader)
{
    if (reader != NULL) {
        drop_block(reader);
        weir_free(reader);
    }
}

/* Offset of a frame that begins at or before an offset, near it. */
static uint64_t frame_before(const struct weir_log_index *index, uint64_t offset)
{
    uint64_t stretch = offset / WEIR_LOG_STRETCH_BYTES;
    for (uint64_t i = (stretch < index->stretch_count ? stretch : index->stretch_count - 1) + 1;
            i > 0; i--) {
        uint32_t first = index->stretches[i - 1].first;
        if (first != 0 && first <= offset) {
            return first;
        }
    }
    return WEIR_LOG_HEADER_BYTES;
}

/* --- counting --- */

static uint64_t count_in(const struct weir_log_reader *reader, const struct weir_log_index *index)
{
    const struct weir_log_stream *stream =
            weir_log_index_find(index, reader->filter.space, (uint32_t)reader->filter.shard);
    return stream != NULL ? stream->count : 0;
}

/* How many of the shard's records stand up to `looked`. Needs the mutex. */
static struct weir_log_count ordinal_of(const struct weir_log_reader *reader)
{
    const struct weir_log *log = reader->log;
    uint64_t number = weir_log_number_of(reader->looked);
    uint64_t before = count_in(reader, &log->gone);
    const struct weir_log_index *index = NULL;
    for (size_t i = 0; i < log->segment_count && log->segments[i].id.number <= number; i++) {
        index = &log->segments[i].index;
        before += log->segments[i].id.number < number ? count_in(reader, index) : 0;
        index = log->segments[i].id.number < number ? NULL : index;
    }
    const struct weir_log_stream *stream =
            index != NULL ? weir_log_index_find(
                                    index, reader->filter.space, (uint32_t)reader->filter.shard)
                          : NULL;
    if (stream == NULL || weir_log_offset_of(reader->looked) < stream->first) {
        return (struct weir_log_count){ before, before };
    }
    if (weir_log_offset_of(reader->looked) >= stream->last) {
        return (struct weir_log_count){ before + stream->count, before + stream->count };
    }
    return (struct weir_log_count){ before + 1, before + stream->count - 1 };
}

/* Know more, if that is possible. Needs the mutex. */
static void count_again(struct weir_log_reader *reader)
{
    bool of_shard = !reader->filter.everything && reader->filter.shard != WEIR_LOG_ANY_SHARD;
    bool exact = reader->counted && reader->ordinal.least == reader->ordinal.most;
    if (!of_shard || exact || reader->looked < reader->log->floor) {
        return;
    }
    struct weir_log_count now = ordinal_of(reader);
    if (reader->counted) {
        uint64_t least = reader->ordinal.least;
        uint64_t most = reader->ordinal.most;
        now.least = now.least > least ? now.least : least;
        now.most = now.most < most ? now.most : most;
    }
    reader->ordinal = now;
    reader->counted = true;
}

/* --- places --- */

/* Stand at the oldest position. Needs the mutex. */
static enum weir_rc to_oldest(struct weir_log_reader *reader, struct weir_err *err)
{
    const struct weir_log_segment *oldest = &reader->log->segments[0];
    struct weir_log_gap gap = {
        .from = { reader->looked },
        .to = { weir_log_position(oldest->id.number, WEIR_LOG_HEADER_BYTES) },
        .to_time = reader->log->floor_time,
        .counted = reader->counted,
    };
    struct weir_log_count was = reader->ordinal;
    reader->frame = gap.to.seq;
    reader->after = gap.to.seq;
    reader->looked = gap.to.seq;
    reader->placed = true;
    reader->counted = false;
    count_again(reader);
    gap.records.least = gap.counted ? reader->ordinal.least - was.most : 0;
    gap.records.most = gap.counted ? reader->ordinal.most - was.least : 0;
    reader->gap = gap;
    return trimmed(err, gap.from.seq);
}

/* Find the frame to begin with. Needs the mutex. Errors: WEIR_E_TRIMMED. */
static enum weir_rc place(struct weir_log_reader *reader, struct weir_err *err)
{
    struct weir_log *log = reader->log;
    if (reader->after < log->floor) {
        return to_oldest(reader, err);
    }
    uint64_t number = weir_log_number_of(reader->after);
    uint64_t offset = weir_log_offset_of(reader->after);
    const struct weir_log_segment *segment = weir_log_find_segment(log, number);
    if (segment == NULL) {
        const struct weir_log_segment *oldest = &log->segments[0];
        number = number < oldest->id.number ? oldest->id.number : number;
        offset = WEIR_LOG_HEADER_BYTES;
    } else if (offset < segment->end) {
        offset = frame_before(&segment->index, offset);
    }
    reader->frame = weir_log_position(number, offset);
    reader->placed = true;
    count_again(reader);
    return WEIR_OK;
}

/*
 * Move reader->frame on to a frame that exists and may hold a match; *ret_have is
 * false when there is none yet. Needs the mutex. Errors: WEIR_E_TRIMMED.
 */
static enum weir_rc advance(struct weir_log_reader *reader, bool *ret_have, struct weir_err *err)
{
    struct weir_log *log = reader->log;
    *ret_have = false;
    if (weir_log_number_of(reader->frame) < log->segments[0].id.number) {
        if (reader->frame < log->floor) {
            return to_oldest(reader, err);
        }
        reader->frame = weir_log_position(log->segments[0].id.number, WEIR_LOG_HEADER_BYTES);
    }
    for (;;) {
        uint64_t number = weir_log_number_of(reader->frame);
        uint64_t offset = weir_log_offset_of(reader->frame);
        const struct weir_log_segment *segment = weir_log_find_segment(log, number);
        if (segment == NULL) {
            return WEIR_OK; /* a position that is not reached yet */
        }
        if (offset < segment->end && !reader->filter.everything) {
            int stretch = weir_log_index_next(
                    &segment->index, &reader->filter, (uint32_t)(offset / WEIR_LOG_STRETCH_BYTES));
            if (stretch < 0) {
                offset = segment->end;
            } else if ((uint64_t)stretch > offset / WEIR_LOG_STRETCH_BYTES) {
                offset = segment->index.stretches[stretch].first;
            }
            reader->frame = weir_log_position(number, offset);
        }
        if (reader->looked < reader->frame && segment->end > WEIR_LOG_HEADER_BYTES) {
            reader->looked = reader->frame;
        }
        if (offset < segment->end) {
            *ret_have = true;
            return WEIR_OK;
        }
        if (segment == &log->segments[log->segment_count - 1]) {
            return WEIR_OK;
        }
        reader->frame = weir_log_position(number + 1, WEIR_LOG_HEADER_BYTES);
    }
}

/* --- reading frames -------------------------------------------------------------------------- */

static enum weir_rc malformed(const struct weir_log_reader *reader, struct weir_err *err)
{
    return weir_fail(err, WEIR_E_DAMAGED,
            "log segment %016" PRIx64 " at offset %" PRIu64
            ": a frame's content is malformed; `weir repair` explains",
            weir_log_number_of(reader->frame_position), weir_log_offset_of(reader->frame_position));
}

/* Begin the frame at reader->frame, which the block holds. */
static void open_frame(struct weir_log_reader *reader)
{
    const uint8_t *p = reader->block->data + (reader->frame - reader->block->begin);
    uint32_t length = weir_log_get_u32(p + 4);
    bool start = weir_log_get_u32(p + 24) == WEIR_LOG_FRAME_START;
    reader->frame_position = reader->frame;
    reader->frame += weir_log_align(length);
    if (reader->frame <= reader->after) {
        return; /* all of it was seen */
    }
    reader->frame_begin = p;
    reader->frame_end = p + length;
    reader->time.ms = (int64_t)weir_log_get_u64(p + 16);
    reader->transactions = weir_log_get_u32(p + 28);
    reader->changes = 0;
    reader->at = p + WEIR_LOG_FRAME_BYTES + (start ? WEIR_LOG_START_BYTES : 0);
    reader->transaction_end = reader->at;
}

static bool open_transaction(struct weir_log_reader *reader)
{
    const uint8_t *p = reader->at;
    size_t left = (size_t)(reader->frame_end - p);
    if (p != reader->transaction_end || left < WEIR_LOG_TRANSACTION_BYTES ||
            weir_log_get_u32(p) > left - WEIR_LOG_TRANSACTION_BYTES) {
        return false;
    }
    reader->transactions--;
    reader->at = p + WEIR_LOG_TRANSACTION_BYTES;
    reader->transaction_end = reader->at + weir_log_get_u32(p);
    reader->changes = weir_log_get_u32(p + 4);
    return true;
}

static bool matches(const struct weir_log_filter *filter, const struct weir_change *change)
{
    return filter->everything || (change->in_stream && change->space == filter->space &&
                                         (filter->shard == WEIR_LOG_ANY_SHARD ||
                                                 change->shard == (uint32_t)filter->shard));
}

/* The next match of the frame being read; at its end the frame is closed. Errors: WEIR_E_DAMAGED.
 */
static enum weir_rc next_in_frame(struct weir_log_reader *reader, struct weir_change *ret_change,
        bool *ret_have, struct weir_err *err)
{
    for (;;) {
        if (reader->changes == 0) {
            if (reader->transactions == 0) {
                reader->frame_begin = NULL;
                reader->looked = reader->frame > reader->looked ? reader->frame : reader->looked;
                return WEIR_OK;
            }
            if (!open_transaction(reader)) {
                return malformed(reader, err);
            }
            continue;
        }
        struct weir_change change;
        const uint8_t *after = weir_log_change_decode(reader->at, reader->transaction_end, &change);
        if (after == NULL) {
            return malformed(reader, err);
        }
        change.pos.seq = reader->frame_position + (uint64_t)(reader->at - reader->frame_begin);
        reader->at = after;
        reader->changes--;
        if (change.pos.seq > reader->after && matches(&reader->filter, &change)) {
            reader->looked = change.pos.seq;
            reader->ordinal.least++;
            reader->ordinal.most++;
            *ret_change = change;
            *ret_have = true;
            return WEIR_OK;
        }
    }
}

/* Get the block that holds the next frame; *ret_have is false at the end. */
static enum weir_rc next_block(struct weir_log_reader *reader, bool *ret_have, struct weir_err *err)
{
    struct weir_log *log = reader->log;
    bool have = false;
    drop_block(reader);
    weir_mutex_lock(&log->mutex);
    enum weir_rc rc = reader->placed ? WEIR_OK : place(reader, err);
    if (rc == WEIR_OK) {
        rc = advance(reader, &have, err);
        count_again(reader);
    }
    if (rc == WEIR_OK && have) {
        reader->block = weir_log_block_find(&log->blocks, reader->frame);
    }
    weir_mutex_unlock(&log->mutex);
    if (rc == WEIR_OK && have && reader->block == NULL) {
        rc = weir_log_fetch(log, reader->frame, &reader->block, err);
        if (rc == WEIR_E_TRIMMED) {
            weir_mutex_lock(&log->mutex);
            rc = to_oldest(reader, err);
            weir_mutex_unlock(&log->mutex);
        }
    }
    *ret_have = have;
    return rc;
}

/* Whether the block that the reader has goes on with the next frame. */
static bool block_goes_on(const struct weir_log_reader *reader)
{
    return reader->block != NULL && reader->frame >= reader->block->begin &&
           reader->frame < atomic_load_explicit(&reader->block->end, memory_order_acquire);
}

enum weir_rc weir_log_next(struct weir_log_reader *reader, struct weir_change *ret_change,
        struct weir_time *ret_time, bool *ret_have, struct weir_err *err)
{
    struct weir_log *log = reader->log;
    bool have = false;
    while (!have) {
        enum weir_rc rc = WEIR_OK;
        if (reader->frame_begin != NULL) {
            rc = next_in_frame(reader, ret_change, &have, err);
            if (rc != WEIR_OK) {
                return rc;
            }
            continue;
        }
        if (reader->placed && reader->frame >= weir_log_end(log).seq) {
            break;
        }
        if (!block_goes_on(reader)) {
            bool more = false;
            rc = next_block(reader, &more, err);
            if (rc != WEIR_OK) {
                return rc;
            }
            if (!more) {
                break;
            }
        }
        open_frame(reader);
    }
    if (have) {
        *ret_time = reader->time;
    }
    *ret_have = have;
    return WEIR_OK;
}

struct weir_pos weir_log_reader_pos(const struct weir_log_reader *reader)
{
    return (struct weir_pos){ reader->looked };
}

struct weir_log_gap weir_log_reader_gap(const struct weir_log_reader *reader)
{
    return reader->gap;
}

/* Whether the next frame to look at is gone. Needs the mutex. */
static bool is_trimmed(const struct weir_log_reader *reader)
{
    const struct weir_log *log = reader->log;
    return reader->placed ? reader->frame < log->floor &&
                                    weir_log_number_of(reader->frame) < log->segments[0].id.number
                          : reader->after < log->floor;
}

enum weir_rc weir_log_reader_check(struct weir_log_reader *reader, struct weir_err *err)
{
    enum weir_rc rc = WEIR_OK;
    weir_mutex_lock(&reader->log->mutex);
    if (is_trimmed(reader)) {
        weir_log_block_put(&reader->log->blocks, WEIR_TAKE(reader->block));
        reader->frame_begin = NULL;
        rc = to_oldest(reader, err);
    }
    weir_mutex_unlock(&reader->log->mutex);
    return rc;
}

void weir_log_reader_behind(struct weir_log_reader *reader, struct weir_log_count *ret_behind)
{
    const struct weir_log *log = reader->log;
    weir_mutex_lock(&reader->log->mutex);
    count_again(reader);
    uint64_t gone = count_in(reader, &log->gone);
    uint64_t all = gone;
    for (size_t i = 0; i < log->segment_count; i++) {
        all += count_in(reader, &log->segments[i].index);
    }
    ret_behind->least = all - (reader->counted ? reader->ordinal.most : gone);
    ret_behind->most = all - (reader->counted ? reader->ordinal.least : gone);
    weir_mutex_unlock(&reader->log->mutex);
}

/* --- indexes ------------------------------------------------------------------------------------
 */

static void extend(
        struct weir_log_extent *extent, uint64_t number, const struct weir_log_stream *stream)
{
    uint64_t first = weir_log_position(number, stream->first);
    uint64_t last = weir_log_position(number, stream->last);
    if (extent->count == 0 || first < extent->first.seq) {
        extent->first.seq = first;
    }
    if (last > extent->last.seq) {
        extent->last.seq = last;
    }
    extent->count += stream->count;
}

void weir_log_extent(
        struct weir_log *log, uint32_t space, int32_t shard, struct weir_log_extent *ret_extent)
{
    struct weir_log_extent extent = { 0 };
    weir_mutex_lock(&log->mutex);
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct weir_log_segment *segment = &log->segments[i];
        if (shard != WEIR_LOG_ANY_SHARD) {
            const struct weir_log_stream *stream =
                    weir_log_index_find(&segment->index, space, (uint32_t)shard);
            if (stream != NULL) {
                extend(&extent, segment->id.number, stream);
            }
            continue;
        }
        for (uint32_t j = 0; j < segment->index.stream_count; j++) {
            if (segment->index.streams[j].space == space) {
                extend(&extent, segment->id.number, &segment->index.streams[j]);
            }
        }
    }
    weir_mutex_unlock(&log->mutex);
    *ret_extent = extent;
}

/*
 * From the indexes: the position of a frame at or before the first group committed at
 * or after a time, in the same stretch or one before it; 0 if there is no such group. Needs the
 * mutex.
 */
static uint64_t frame_for_time(struct weir_log *log, struct weir_time time)
{
    for (size_t i = 0; i < log->segment_count; i++) {
        const struct weir_log_segment *segment = &log->segments[i];
        if (segment->end == WEIR_LOG_HEADER_BYTES || segment->index.last_time.ms < time.ms) {
            continue;
        }
        uint64_t offset = WEIR_LOG_HEADER_BYTES;
        for (uint32_t j = 0; j < segment->index.stretch_count; j++) {
            const struct weir_log_stretch *stretch = &segment->index.stretches[j];
            if (stretch->first != 0 && stretch->time.ms < time.ms) {
                offset = stretch->first;
            }
        }
        return weir_log_position(segment->id.number, offset);
    }
    return 0;
}

/* The position of the first frame of a block, from `position` on, committed at or after a
 * time; the block's end if there is none. */
static uint64_t frame_in_block(
        struct weir_log_block *block, uint64_t position, struct weir_time time)
{
    uint64_t end = atomic_load_explicit(&block->end, memory_order_acquire);
    while (position < end) {
        const uint8_t *p = block->data + (position - block->begin);
        if ((int64_t)weir_log_get_u64(p + 16) >= time.ms) {
            break;
        }
        position += weir_log_align(weir_log_get_u32(p + 4));
    }
    return position;
}

/* Walk from the frame at *position, block by block, to the first one committed at or after a time.
 */
static enum weir_rc walk_to_time(
        struct weir_log *log, struct weir_time time, uint64_t *position, struct weir_err *err)
{
    for (;;) {
        struct weir_log_block *block = NULL;
        enum weir_rc rc = weir_log_fetch(log, *position, &block, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_assert(block != NULL);
        *position = frame_in_block(block, *position, time);
        bool found = *position < atomic_load_explicit(&block->end, memory_order_acquire);
        weir_mutex_lock(&log->mutex);
        weir_log_block_put(&log->blocks, block);
        const struct weir_log_segment *segment =
                weir_log_find_segment(log, weir_log_number_of(*position));
        bool over = segment != NULL && weir_log_offset_of(*position) >= segment->end;
        weir_mutex_unlock(&log->mutex);
        if (found || over) {
            return WEIR_OK;
        }
    }
}

enum weir_rc weir_log_find_time(struct weir_log *log, struct weir_time time,
        struct weir_pos *ret_after, struct weir_err *err)
{
    for (;;) {
        weir_mutex_lock(&log->mutex);
        uint64_t position = frame_for_time(log, time);
        weir_mutex_unlock(&log->mutex);
        if (position == 0) {
            *ret_after = weir_log_end(log);
            return WEIR_OK;
        }
        enum weir_rc rc = walk_to_time(log, time, &position, err);
        if (rc == WEIR_E_TRIMMED) {
            continue; /* look again in what is left */
        }
        if (rc == WEIR_OK) {
            ret_after->seq = position;
        }
        return rc;
    }
}
