/* The commit path, opening and closing, and the log's state. */
#include "log/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "log/log_int.h"

enum {
    TAIL_DEFAULT_BYTES = 8 * 1024 * 1024,
    RESERVE_SHARE = 8, /* on a full disk this part of a segment is for urgent transactions */
    PREVIOUS_ABANDONED = 1,
};

/* --- opening and closing -------------------------------------------------------------- */

static void set_options(struct weir_log *log, const struct weir_log_options *options)
{
    log->fs = options->fs;
    log->clock = options->clock;
    log->segment_bytes =
            options->segment_bytes > 0 ? options->segment_bytes : WEIR_LOG_SEGMENT_BYTES;
    log->first_segment_bytes = options->first_segment_bytes > 0 ? options->first_segment_bytes
                                                                : WEIR_LOG_FIRST_SEGMENT_BYTES;
    if (log->first_segment_bytes > log->segment_bytes) {
        log->first_segment_bytes = log->segment_bytes;
    }
    log->want_ballast = options->ballast;
    log->no_thread = options->no_thread;
    log->blocks.tail_max_bytes = options->tail_bytes > 0 ? options->tail_bytes : TAIL_DEFAULT_BYTES;
    if (options->metrics == NULL) {
        return;
    }
    log->bytes_gauge = weir_metrics_gauge(
            options->metrics, "weir_log_bytes", NULL, "Bytes of the commit log's segment files");
    log->segments_gauge = weir_metrics_gauge(
            options->metrics, "weir_log_segments", NULL, "Segments of the commit log");
    log->sync_histogram = weir_metrics_histogram(options->metrics, "weir_log_sync_seconds", NULL,
            "Time to write a group and make it durable", 8, 1e-6);
    log->group_histogram = weir_metrics_histogram(
            options->metrics, "weir_log_group_bytes", NULL, "Bytes of a group", 128, 1);
}

static enum weir_rc check_options(const struct weir_log_options *options, struct weir_err *err)
{
    if (strlen(options->dir) == 0 || strlen(options->dir) >= WEIR_LOG_PATH / 2) {
        return weir_fail(err, WEIR_E_INVALID,
                "the log's folder has a name of %zu bytes, not 1 to %d", strlen(options->dir),
                WEIR_LOG_PATH / 2 - 1);
    }
    const uint32_t sizes[2] = { options->segment_bytes, options->first_segment_bytes };
    for (size_t i = 0; i < WEIR_COUNT(sizes); i++) {
        if (sizes[i] != 0 && (sizes[i] < WEIR_LOG_SEGMENT_MIN_BYTES ||
                                     sizes[i] > WEIR_LOG_SEGMENT_BYTES || sizes[i] % 4096 != 0)) {
            return weir_fail(err, WEIR_E_INVALID,
                    "segments of %u bytes: expected a multiple of 4096 from %d to %d", sizes[i],
                    WEIR_LOG_SEGMENT_MIN_BYTES, WEIR_LOG_SEGMENT_BYTES);
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_log_open(
        const struct weir_log_options *options, struct weir_log **ret_log, struct weir_err *err)
{
    enum weir_rc rc = check_options(options, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_log *log = weir_alloc_zero(1, sizeof(*log));
    set_options(log, options);
    memcpy(log->dir, options->dir, strlen(options->dir) + 1);
    weir_random_init(&log->random);
    weir_mutex_init(&log->mutex, WEIR_LOCK_LOG);
    weir_condition_init(&log->wake);
    weir_condition_init(&log->done);
    rc = weir_log_recover(log, err);
    if (rc != WEIR_OK) {
        weir_log_close(log);
        return rc;
    }
    if (!log->no_thread) {
        weir_assert(pthread_create(&log->thread, NULL, weir_log_thread, log) == 0);
        log->has_thread = true;
    }
    *ret_log = log;
    return WEIR_OK;
}

void weir_log_close(struct weir_log *log)
{
    if (log == NULL) {
        return;
    }
    weir_mutex_lock(&log->mutex);
    atomic_store(&log->stop, true);
    weir_condition_broadcast(&log->wake);
    weir_mutex_unlock(&log->mutex);
    if (log->has_thread) {
        pthread_join(log->thread, NULL);
    }
    weir_log_block_put(&log->blocks, log->writer.block);
    weir_file_destroy(log->writer.file);
    weir_free(log->writer.notes);
    weir_file_destroy(log->next.file);
    weir_log_blocks_fini(&log->blocks);
    for (size_t i = 0; i < log->segment_count; i++) {
        weir_log_index_fini(&log->segments[i].index);
    }
    weir_free(log->segments);
    weir_log_index_fini(&log->gone);
    weir_condition_fini(&log->done);
    weir_condition_fini(&log->wake);
    weir_mutex_fini(&log->mutex);
    weir_free(log);
}

/* --- adding ----------------------------------------------------------------------------- */

static struct weir_log_segment *last_segment(struct weir_log *log)
{
    return &log->segments[log->segment_count - 1];
}

/* Bytes of a frame before its first transaction. */
static size_t head_bytes(const struct weir_log_writer *writer)
{
    return WEIR_LOG_FRAME_BYTES + (writer->first ? WEIR_LOG_START_BYTES : 0u);
}

/* Whether a frame of so many bytes fits the segment, with room left for its footer. */
static bool fits(struct weir_log *log, uint64_t frame_bytes, size_t more_streams)
{
    const struct weir_log_writer *writer = &log->writer;
    /* A position must stay below the next segment's first, hence the 8. */
    uint64_t room = writer->id.bytes - 8 - writer->offset;
    if (writer->finished || weir_log_align(frame_bytes) > room) {
        return false;
    }
    const struct weir_log_index *index = &last_segment(log)->index;
    uint64_t streams = (uint64_t)index->stream_count + writer->note_count + more_streams;
    /* A first group of very many streams goes without a footer. */
    return writer->first ||
           weir_log_align(frame_bytes) + weir_log_footer_bytes(index, streams) <= room;
}

/* Write the index behind the groups of a segment that is over; without one, opening scans. */
static void write_footer(struct weir_log *log)
{
    struct weir_log_writer *writer = &log->writer;
    const struct weir_log_index *index = &last_segment(log)->index;
    size_t n = weir_log_footer_bytes(index, index->stream_count);
    if (writer->finished || writer->first ||
            weir_log_align(n) > writer->id.bytes - writer->offset) {
        return;
    }
    uint8_t *p = weir_alloc_zero(1, weir_log_align(n));
    weir_log_footer_encode(index, p + WEIR_LOG_FRAME_BYTES);
    weir_log_frame_seal(&writer->id, writer->offset, p, (uint32_t)n, index->last_time,
            WEIR_LOG_FRAME_FOOTER, 0);
    enum weir_rc rc = log->fs->ops->write(writer->file, writer->offset, p, weir_log_align(n), NULL);
    if (rc == WEIR_OK) {
        weir_crash_point("log.footer_written");
        /* Should this fail, the next group's sync tells, and until then nothing is lost. */
        (void)log->fs->ops->sync(writer->file, NULL);
    }
    weir_free(p);
}

/* Wait, with the mutex held, until the next segment is there or it is known why not. */
static void await_prepared(struct weir_log *log)
{
    while (!log->next.ready && !atomic_load(&log->full)) {
        log->wanted = true; /* the thread may still be sparing the start, or not have begun */
        weir_condition_signal(&log->wake);
        weir_condition_wait(&log->done, &log->mutex);
    }
}

/* Wait for the next segment. Errors: WEIR_E_READ_ONLY. */
static enum weir_rc await_next(struct weir_log *log, bool urgent, struct weir_err *err)
{
    if (log->no_thread) {
        weir_log_work(log);
    }
    weir_mutex_lock(&log->mutex);
    await_prepared(log);
    bool usable = log->next.ready && (urgent || !log->next.urgent_only);
    struct weir_err why = log->why;
    log->refusing = !usable;
    weir_mutex_unlock(&log->mutex);
    return usable ? WEIR_OK
                  : weir_fail(err, WEIR_E_READ_ONLY, "no segment to write to: %s", why.msg);
}

/* Begin the prepared segment. Errors: WEIR_E_READ_ONLY. */
static enum weir_rc roll(struct weir_log *log, bool urgent, struct weir_err *err)
{
    struct weir_log_writer *writer = &log->writer;
    enum weir_rc rc = await_next(log, urgent, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    write_footer(log);
    weir_file_destroy(writer->file);
    weir_mutex_lock(&log->mutex);
    weir_log_add_segment(log, &log->next.id);
    writer->id = log->next.id;
    writer->file = log->next.file;
    writer->was_ballast = log->next.urgent_only;
    log->ballast_in_use = log->next.urgent_only;
    log->needs_roll = false;
    log->next = (struct weir_log_next){ 0 };
    log->next_number = writer->id.number + 1;
    weir_log_block_put(&log->blocks, writer->block);
    weir_condition_signal(&log->wake);
    weir_mutex_unlock(&log->mutex);
    writer->block = NULL;
    writer->offset = WEIR_LOG_HEADER_BYTES;
    writer->first = true;
    writer->finished = false;
    weir_crash_point("log.rolled");
    return WEIR_OK;
}

/* See that the group's block has room for n more bytes. */
static void make_room(struct weir_log *log, size_t n)
{
    struct weir_log_writer *writer = &log->writer;
    struct weir_log_block *old = writer->block;
    size_t need = writer->group_bytes + n + 8; /* padding */
    if (old != NULL && writer->group_at + need <= old->capacity) {
        return;
    }
    size_t capacity = WEIR_LOG_BLOCK_BYTES;
    while (capacity < need) {
        capacity *= 2;
    }
    weir_mutex_lock(&log->mutex);
    struct weir_log_block *block = weir_log_block_get(
            &log->blocks, capacity, weir_log_position(writer->id.number, writer->offset));
    if (old != NULL) {
        memcpy(block->data, old->data + writer->group_at, writer->group_bytes);
        weir_log_block_put(&log->blocks, old);
    }
    weir_mutex_unlock(&log->mutex);
    writer->block = block;
    writer->group_at = 0;
}

static void note_record(struct weir_log_writer *writer, const struct weir_change *change)
{
    if (writer->note_count == writer->note_capacity) {
        writer->note_capacity = writer->note_capacity > 0 ? writer->note_capacity * 2 : 64;
        writer->notes = weir_realloc(writer->notes, writer->note_capacity, sizeof(*writer->notes));
    }
    writer->notes[writer->note_count++] = (struct weir_log_note){
        .space = change->space,
        .shard = change->shard,
        .offset = (uint32_t)weir_log_offset_of(change->pos.seq),
    };
}

/* Copy a transaction of n bytes to the end of the group. */
static void encode(
        struct weir_log_writer *writer, struct weir_change *changes, size_t count, size_t n)
{
    uint8_t *frame = writer->block->data + writer->group_at;
    uint64_t frame_position = weir_log_position(writer->id.number, writer->offset);
    uint8_t *p = frame + writer->group_bytes;
    weir_log_put_u32(p, (uint32_t)(n - WEIR_LOG_TRANSACTION_BYTES));
    weir_log_put_u32(p + 4, (uint32_t)count);
    p += WEIR_LOG_TRANSACTION_BYTES;
    for (size_t i = 0; i < count; i++) {
        changes[i].pos.seq = frame_position + (uint64_t)(p - frame);
        if (changes[i].kind == WEIR_CHANGE_RECORD && changes[i].in_stream) {
            note_record(writer, &changes[i]);
        }
        p = weir_log_change_encode(&changes[i], p);
    }
    writer->group_bytes += n;
    writer->transactions++;
}

static size_t transaction_bytes(const struct weir_change *changes, size_t count)
{
    size_t n = WEIR_LOG_TRANSACTION_BYTES;
    for (size_t i = 0; i < count; i++) {
        weir_assert(changes[i].shard <= UINT16_MAX);
        n += weir_log_change_bytes(&changes[i]);
    }
    return n;
}

/* Whether a transaction of so many bytes would take room kept back for urgent ones. */
static bool takes_reserve(const struct weir_log_writer *writer, uint64_t bytes)
{
    uint64_t end = writer->offset + writer->group_bytes + bytes;
    return writer->was_ballast || end > writer->id.bytes - writer->id.bytes / RESERVE_SHARE;
}

/*
 * Ordinary transactions stop while there is still room for urgent ones, unless the next
 * segment is there. Waits until that is known. Errors: WEIR_E_READ_ONLY.
 */
static enum weir_rc check_reserve(struct weir_log *log, uint64_t bytes, struct weir_err *err)
{
    if (!takes_reserve(&log->writer, bytes)) {
        return WEIR_OK;
    }
    if (log->no_thread && (!log->next.ready || atomic_load(&log->full))) {
        weir_log_work(log);
    }
    weir_mutex_lock(&log->mutex);
    await_prepared(log);
    bool refuse = atomic_load(&log->full);
    struct weir_err why = log->why;
    log->refusing = refuse;
    weir_mutex_unlock(&log->mutex);
    return refuse ? weir_fail(err, WEIR_E_READ_ONLY, "no segment can be prepared: %s", why.msg)
                  : WEIR_OK;
}

enum weir_rc weir_log_add(struct weir_log *log, struct weir_change *changes, size_t count,
        bool urgent, struct weir_err *err)
{
    struct weir_log_writer *writer = &log->writer;
    weir_assert(!writer->synced);
    size_t n = transaction_bytes(changes, count);
    size_t limit = log->segment_bytes / 4 < WEIR_LOG_TRANSACTION_MAX_BYTES
                           ? (size_t)log->segment_bytes / 4
                           : WEIR_LOG_TRANSACTION_MAX_BYTES;
    if (n > limit) {
        return weir_fail(
                err, WEIR_E_TOO_LARGE, "a transaction of %zu bytes, at most %zu fit", n, limit);
    }
    if (!urgent) {
        enum weir_rc rc = check_reserve(log, n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (writer->group_bytes > 0) {
        if (writer->group_bytes + n > limit || !fits(log, writer->group_bytes + n, count)) {
            return weir_fail(err, WEIR_E_BUSY, "the group of %zu bytes has no room for %zu more",
                    writer->group_bytes, n);
        }
    } else if (!fits(log, head_bytes(writer) + n, count)) {
        enum weir_rc rc = roll(log, urgent, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    make_room(log, head_bytes(writer) + n);
    if (writer->group_bytes == 0) {
        writer->group_bytes = head_bytes(writer);
    }
    encode(writer, changes, count, n);
    return WEIR_OK;
}

size_t weir_log_group_bytes(const struct weir_log *log)
{
    return log->writer.group_bytes;
}

/* --- syncing and publishing --------------------------------------------------------------- */

static void reset_group(struct weir_log_writer *writer)
{
    writer->group_bytes = 0;
    writer->transactions = 0;
    writer->note_count = 0;
    writer->synced = false;
}

void weir_log_discard(struct weir_log *log)
{
    weir_assert(!log->writer.synced);
    reset_group(&log->writer);
}

/* Complete the group's frame; returns the bytes to write. */
static size_t seal(struct weir_log *log, struct weir_time time)
{
    struct weir_log_writer *writer = &log->writer;
    uint8_t *frame = writer->block->data + writer->group_at;
    size_t n = writer->group_bytes;
    size_t padded = (size_t)weir_log_align(n);
    memset(frame + n, 0, padded - n);
    if (writer->first) {
        uint8_t *prefix = frame + WEIR_LOG_FRAME_BYTES;
        weir_log_put_u64(prefix, atomic_load(&log->end));
        weir_log_put_u32(prefix + 8, writer->abandoned ? PREVIOUS_ABANDONED : 0);
        weir_log_put_u32(prefix + 12, 0);
    }
    weir_log_frame_seal(&writer->id, writer->offset, frame, (uint32_t)n, time,
            writer->first ? WEIR_LOG_FRAME_START : WEIR_LOG_FRAME_GROUP, writer->transactions);
    return padded;
}

/* Nothing more goes to a segment of which a write failed. */
static void abandon(struct weir_log *log)
{
    struct weir_log_writer *writer = &log->writer;
    writer->finished = true;
    writer->abandoned = true;
    reset_group(writer);
    weir_mutex_lock(&log->mutex);
    log->needs_roll = true;
    weir_mutex_unlock(&log->mutex);
}

enum weir_rc weir_log_sync(struct weir_log *log, struct weir_time time, struct weir_err *err)
{
    struct weir_log_writer *writer = &log->writer;
    weir_assert(!writer->synced);
    if (writer->group_bytes == 0) {
        return WEIR_OK;
    }
    struct weir_err why;
    size_t n = seal(log, time);
    uint64_t began = weir_clock_monotonic_ns(log->clock);
    const struct weir_fs_ops *ops = log->fs->ops;
    enum weir_rc rc = ops->write(
            writer->file, writer->offset, writer->block->data + writer->group_at, n, &why);
    if (rc == WEIR_OK) {
        weir_crash_point("log.written");
        rc = ops->sync(writer->file, &why);
    }
    if (rc != WEIR_OK) {
        uint64_t position = weir_log_position(writer->id.number, writer->offset);
        abandon(log);
        return weir_fail(err, WEIR_E_UNKNOWN_OUTCOME, "the group at %" PRIu64 " may be lost: %s",
                position, why.msg);
    }
    if (log->sync_histogram != NULL) {
        weir_histogram_add(
                log->sync_histogram, (weir_clock_monotonic_ns(log->clock) - began) / 1000);
        weir_histogram_add(log->group_histogram, n);
    }
    writer->synced = true;
    writer->time = time;
    weir_crash_point("log.synced");
    return WEIR_OK;
}

void weir_log_publish(struct weir_log *log)
{
    struct weir_log_writer *writer = &log->writer;
    if (!writer->synced) {
        return;
    }
    size_t n = (size_t)weir_log_align(writer->group_bytes);
    uint64_t offset = writer->offset;
    uint64_t end = weir_log_position(writer->id.number, offset + n);
    weir_mutex_lock(&log->mutex);
    struct weir_log_segment *segment = last_segment(log);
    weir_log_index_frame(&segment->index, offset, writer->time);
    for (size_t i = 0; i < writer->note_count; i++) {
        const struct weir_log_note *note = &writer->notes[i];
        weir_log_index_record(&segment->index, note->space, note->shard, offset, note->offset);
    }
    if (writer->first) {
        segment->previous_end = atomic_load(&log->end);
    }
    segment->end = offset + n;
    atomic_store_explicit(&writer->block->end, end, memory_order_release);
    weir_log_tail_push(&log->blocks, writer->block);
    atomic_store_explicit(&log->last_time, writer->time.ms, memory_order_relaxed);
    atomic_store_explicit(&log->end, end, memory_order_release);
    atomic_fetch_add_explicit(&log->appended, n, memory_order_relaxed);
    bool prepare = log->no_thread && !log->next.ready;
    weir_mutex_unlock(&log->mutex);
    writer->offset += n;
    writer->group_at += n;
    writer->first = false;
    writer->abandoned = false;
    reset_group(writer);
    if (prepare) {
        weir_log_work(log);
    }
}

/* --- state -------------------------------------------------------------------------------- */

struct weir_pos weir_log_end(struct weir_log *log)
{
    uint64_t end = atomic_load_explicit(&log->end, memory_order_acquire);
    return (struct weir_pos){ end > 0 ? end : weir_log_position(1, WEIR_LOG_HEADER_BYTES) };
}

struct weir_pos weir_log_oldest(struct weir_log *log)
{
    weir_mutex_lock(&log->mutex);
    uint64_t oldest = weir_log_position(log->segments[0].id.number, WEIR_LOG_HEADER_BYTES);
    weir_mutex_unlock(&log->mutex);
    return (struct weir_pos){ oldest };
}

struct weir_time weir_log_last_time(struct weir_log *log)
{
    return (struct weir_time){ atomic_load_explicit(&log->last_time, memory_order_relaxed) };
}

uint64_t weir_log_bytes(struct weir_log *log)
{
    weir_mutex_lock(&log->mutex);
    uint64_t bytes = weir_log_sum(log) + weir_log_sum_ready(log);
    weir_mutex_unlock(&log->mutex);
    return bytes;
}

uint64_t weir_log_held_bytes(struct weir_log *log)
{
    weir_mutex_lock(&log->mutex);
    uint64_t bytes = weir_log_sum(log);
    weir_mutex_unlock(&log->mutex);
    return bytes;
}

bool weir_log_begin(struct weir_log *log, struct weir_pos *ret_pos, struct weir_time *ret_time)
{
    weir_mutex_lock(&log->mutex);
    const struct weir_log_segment *oldest = &log->segments[0];
    ret_pos->seq = weir_log_position(oldest->id.number, WEIR_LOG_HEADER_BYTES);
    *ret_time = oldest->index.stretches[0].time;
    bool whole = log->floor == 0;
    weir_mutex_unlock(&log->mutex);
    return whole;
}

uint64_t weir_log_appended(struct weir_log *log)
{
    return atomic_load_explicit(&log->appended, memory_order_relaxed);
}

uint64_t weir_log_room(struct weir_log *log, struct weir_pos pos, uint64_t max_bytes)
{
    weir_mutex_lock(&log->mutex);
    const struct weir_log_segment *last = last_segment(log);
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->segment_count; i++) {
        if (log->segments[i].id.number >= weir_log_number_of(pos.seq)) {
            bytes += log->segments[i].id.bytes;
        }
    }
    uint64_t unwritten = last->id.bytes - last->end;
    uint64_t whole = max_bytes > bytes ? (max_bytes - bytes) / log->segment_bytes : 0;
    uint64_t room = max_bytes == UINT64_MAX ? max_bytes : whole * log->segment_bytes + unwritten;
    weir_mutex_unlock(&log->mutex);
    return room;
}

bool weir_log_is_read_only(struct weir_log *log, struct weir_err *ret_why)
{
    weir_mutex_lock(&log->mutex);
    const struct weir_log_segment *last = last_segment(log);
    bool little_left = last->id.bytes - last->end <= last->id.bytes / RESERVE_SHARE;
    bool read_only = atomic_load(&log->full) &&
                     (log->refusing || log->ballast_in_use || log->needs_roll || little_left);
    if (read_only && ret_why != NULL) {
        weir_fail(ret_why, WEIR_E_READ_ONLY, "no segment can be prepared: %s", log->why.msg);
    }
    weir_mutex_unlock(&log->mutex);
    return read_only;
}
