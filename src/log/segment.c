/*
 * Segment files. A file gets the name of a segment only when its header is durable,
 * so a segment without a valid header is damage, never a preparation cut short; and a
 * file is reused only when the removal of its old name is durable, so no old name
 * comes back with new content.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "log/log_int.h"

enum { FILL_BYTES = 1024 * 1024 };

void weir_log_path(const struct weir_log *log, enum weir_log_file what, uint64_t number,
        char path[static WEIR_LOG_PATH])
{
    if (what == WEIR_LOG_FILE_BALLAST) {
        (void)snprintf(path, WEIR_LOG_PATH, "%s/ballast", log->dir);
    } else {
        (void)snprintf(path, WEIR_LOG_PATH, "%s/%016" PRIx64 ".%s", log->dir, number,
                what == WEIR_LOG_FILE_SEGMENT ? "seg" : "spare");
    }
}

uint64_t weir_log_sum(const struct weir_log *log)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->segment_count; i++) {
        bytes += log->segments[i].id.bytes;
    }
    return bytes;
}

uint64_t weir_log_sum_ready(const struct weir_log *log)
{
    return (log->spare_count + (log->next.ready ? 1u : 0u)) * log->segment_bytes;
}

void weir_log_count(struct weir_log *log)
{
    if (log->bytes_gauge == NULL) {
        return;
    }
    uint64_t bytes = weir_log_sum(log) + weir_log_sum_ready(log);
    weir_gauge_set(log->bytes_gauge, (int64_t)bytes);
    weir_gauge_set(log->segments_gauge, (int64_t)log->segment_count);
}

struct weir_log_segment *weir_log_add_segment(
        struct weir_log *log, const struct weir_log_segment_id *id)
{
    if (log->segment_count == log->segment_capacity) {
        log->segment_capacity = log->segment_capacity > 0 ? log->segment_capacity * 2 : 16;
        log->segments = weir_realloc(log->segments, log->segment_capacity, sizeof(*log->segments));
    }
    struct weir_log_segment *segment = &log->segments[log->segment_count++];
    *segment = (struct weir_log_segment){ .id = *id, .end = WEIR_LOG_HEADER_BYTES };
    weir_log_index_init(&segment->index, id->bytes);
    if (log->segment_count > 1) {
        segment->index.last_time = segment[-1].index.last_time;
    }
    return segment;
}

enum weir_rc weir_log_retire(
        struct weir_log *log, uint64_t number, uint64_t bytes, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    char spare[WEIR_LOG_PATH];
    weir_log_path(log, WEIR_LOG_FILE_SEGMENT, number, path);
    weir_log_path(log, WEIR_LOG_FILE_SPARE, number, spare);
    weir_mutex_lock(&log->mutex);
    bool keep = bytes == log->segment_bytes && log->spare_count < WEIR_LOG_SPARES_MAX;
    for (unsigned i = 0; i < log->spare_count; i++) {
        keep = keep && log->spares[i] != number;
    }
    weir_mutex_unlock(&log->mutex);
    const struct weir_fs_ops *ops = log->fs->ops;
    enum weir_rc rc =
            keep ? ops->rename(log->fs, path, spare, err) : ops->remove(log->fs, path, err);
    if (rc == WEIR_OK) {
        weir_crash_point("retire.moved");
        rc = ops->sync_dir(log->fs, log->dir, err);
    }
    weir_mutex_lock(&log->mutex);
    if (rc == WEIR_OK && keep) {
        log->spares[log->spare_count++] = number;
        weir_condition_signal(&log->wake);
    }
    weir_log_count(log);
    weir_mutex_unlock(&log->mutex);
    return rc;
}

/* Make a file of so many zeros. The caller syncs. */
static enum weir_rc make_zeros(struct weir_log *log, const char *path, uint64_t bytes,
        struct weir_file **ret_file, struct weir_err *err)
{
    struct weir_file *file = NULL;
    enum weir_rc rc = log->fs->ops->open(log->fs, path, WEIR_OPEN_CREATE, &file, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    uint8_t *zeros = weir_alloc_zero(1, FILL_BYTES);
    rc = log->fs->ops->truncate(file, 0, err);
    for (uint64_t at = 0; rc == WEIR_OK && at < bytes; at += FILL_BYTES) {
        if (atomic_load(&log->stop)) {
            rc = weir_fail(err, WEIR_E_CLOSED, "the log is closing");
            break;
        }
        size_t n = bytes - at < FILL_BYTES ? (size_t)(bytes - at) : FILL_BYTES;
        rc = log->fs->ops->write(file, at, zeros, n, err);
    }
    weir_free(zeros);
    if (rc != WEIR_OK) {
        weir_file_destroy(file);
        (void)log->fs->ops->remove(log->fs, path, NULL);
        return rc;
    }
    *ret_file = file;
    return WEIR_OK;
}

/* Turn a file of the right size into a segment, durably. */
static enum weir_rc finish_segment(struct weir_log *log, struct weir_file *file, const char *from,
        struct weir_log_segment_id *id, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    weir_log_path(log, WEIR_LOG_FILE_SEGMENT, id->number, path);
    uint8_t *header = weir_alloc(WEIR_LOG_HEADER_BYTES);
    id->epoch = weir_random_u64(&log->random);
    weir_log_seed(id);
    weir_log_header_encode(id, weir_clock_wall(log->clock), header);
    const struct weir_fs_ops *ops = log->fs->ops;
    enum weir_rc rc = ops->write(file, 0, header, WEIR_LOG_HEADER_BYTES, err);
    weir_free(header);
    if (rc == WEIR_OK) {
        weir_crash_point("segment.headed");
        rc = ops->sync(file, err);
    }
    if (rc == WEIR_OK) {
        weir_crash_point("segment.synced");
        rc = ops->rename(log->fs, from, path, err);
    }
    if (rc == WEIR_OK) {
        weir_crash_point("segment.renamed");
        rc = ops->sync_dir(log->fs, log->dir, err);
    }
    if (rc != WEIR_OK) {
        (void)ops->remove(log->fs, from, NULL);
        (void)ops->remove(log->fs, path, NULL);
        return rc;
    }
    weir_crash_point("segment.ready");
    return WEIR_OK;
}

/* Open a file that is there for reuse, or make one. */
static enum weir_rc open_raw(struct weir_log *log, uint64_t number, uint64_t bytes,
        char path[static WEIR_LOG_PATH], struct weir_file **ret_file, struct weir_err *err)
{
    weir_mutex_lock(&log->mutex);
    bool reuse = bytes == log->segment_bytes && log->spare_count > 0;
    uint64_t name = reuse ? log->spares[--log->spare_count] : number;
    weir_mutex_unlock(&log->mutex);
    weir_log_path(log, WEIR_LOG_FILE_SPARE, name, path);
    if (reuse) {
        return log->fs->ops->open(log->fs, path, WEIR_OPEN_WRITE, ret_file, err);
    }
    enum weir_rc rc = make_zeros(log, path, bytes, ret_file, err);
    weir_crash_point("segment.filled");
    return rc;
}

enum weir_rc weir_log_make_segment(struct weir_log *log, uint64_t number, uint64_t bytes,
        struct weir_log_segment_id *ret_id, struct weir_file **ret_file, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    struct weir_file *file = NULL;
    struct weir_log_segment_id id = { .number = number, .bytes = bytes };
    enum weir_rc rc = open_raw(log, number, bytes, path, &file, err);
    if (rc == WEIR_OK) {
        rc = finish_segment(log, file, path, &id, err);
    }
    if (rc != WEIR_OK) {
        weir_file_destroy(file);
        return rc;
    }
    *ret_id = id;
    *ret_file = file;
    return WEIR_OK;
}

/* Turn the ballast into the next segment. */
static enum weir_rc use_ballast(struct weir_log *log, struct weir_log_next *ret_next)
{
    char path[WEIR_LOG_PATH];
    struct weir_file *file = NULL;
    struct weir_log_segment_id id = { .number = log->next_number, .bytes = log->segment_bytes };
    weir_log_path(log, WEIR_LOG_FILE_BALLAST, 0, path);
    enum weir_rc rc = log->fs->ops->open(log->fs, path, WEIR_OPEN_WRITE, &file, NULL);
    if (rc == WEIR_OK) {
        rc = finish_segment(log, file, path, &id, NULL);
    }
    if (rc != WEIR_OK) {
        weir_file_destroy(file);
        return rc;
    }
    *ret_next =
            (struct weir_log_next){ .ready = true, .urgent_only = true, .id = id, .file = file };
    return WEIR_OK;
}

static void prepare_next(struct weir_log *log, uint64_t number, bool has_ballast)
{
    struct weir_log_next next = { .ready = true };
    struct weir_err err;
    enum weir_rc rc =
            weir_log_make_segment(log, number, log->segment_bytes, &next.id, &next.file, &err);
    bool failed = rc != WEIR_OK;
    if (failed && has_ballast && rc != WEIR_E_CLOSED) {
        rc = use_ballast(log, &next);
        has_ballast = false;
    }
    weir_mutex_lock(&log->mutex);
    log->has_ballast = has_ballast;
    if (rc == WEIR_OK) {
        log->next = next;
    }
    log->work_failed = failed;
    if (failed) {
        log->why = err;
    }
    log->refusing = log->refusing && failed;
    atomic_store(&log->full, failed);
    weir_log_count(log);
    weir_condition_broadcast(&log->done);
    weir_mutex_unlock(&log->mutex);
}

static enum weir_rc write_ballast(struct weir_log *log, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    struct weir_file *file = NULL;
    weir_log_path(log, WEIR_LOG_FILE_BALLAST, 0, path);
    enum weir_rc rc = make_zeros(log, path, log->segment_bytes, &file, err);
    if (rc == WEIR_OK) {
        weir_crash_point("ballast.filled");
        rc = log->fs->ops->sync(file, err);
    }
    weir_file_destroy(file);
    weir_crash_point("ballast.synced");
    return rc == WEIR_OK ? log->fs->ops->sync_dir(log->fs, log->dir, err) : rc;
}

/* With room for a ballast again, what was kept back for urgent transactions is for all. */
static void make_ballast(struct weir_log *log)
{
    struct weir_err err;
    enum weir_rc rc = write_ballast(log, &err);
    weir_mutex_lock(&log->mutex);
    log->work_failed = rc != WEIR_OK;
    if (rc == WEIR_OK) {
        log->has_ballast = true;
        log->next.urgent_only = false;
        log->refusing = false;
        atomic_store(&log->full, false);
    } else if (log->next.urgent_only) {
        log->why = err;
    }
    weir_condition_broadcast(&log->done);
    weir_mutex_unlock(&log->mutex);
}

static bool needs_work(const struct weir_log *log)
{
    return !log->next.ready || (log->want_ballast && !log->has_ballast);
}

void weir_log_work(struct weir_log *log)
{
    weir_mutex_lock(&log->mutex);
    bool segment = !log->next.ready;
    bool ballast = log->want_ballast && !log->has_ballast;
    bool has_ballast = log->has_ballast;
    uint64_t number = log->next_number;
    weir_mutex_unlock(&log->mutex);
    if (segment) {
        prepare_next(log, number, has_ballast);
    } else if (ballast) {
        make_ballast(log);
    }
}

void *weir_log_thread(void *arg)
{
    struct weir_log *log = arg;
    weir_mutex_lock(&log->mutex);
    if (!atomic_load(&log->stop) && !log->wanted) {
        weir_condition_wait_for(&log->wake, &log->mutex, WEIR_LOG_START_MS);
    }
    while (!atomic_load(&log->stop)) {
        if (!needs_work(log)) {
            weir_condition_wait(&log->wake, &log->mutex);
            continue;
        }
        if (log->work_failed) {
            weir_condition_wait_for(&log->wake, &log->mutex, WEIR_LOG_RETRY_MS);
            log->work_failed = false;
            continue;
        }
        weir_mutex_unlock(&log->mutex);
        weir_log_work(log);
        weir_mutex_lock(&log->mutex);
    }
    weir_mutex_unlock(&log->mutex);
    return NULL;
}

/* Whether the oldest segment may go. */
static bool may_trim(struct weir_log *log, uint64_t upto, struct weir_time older_than)
{
    const struct weir_log_segment *oldest = &log->segments[0];
    /* The segment with the log's end stays: a new one's START refers to it. */
    return oldest->id.number < weir_log_number_of(atomic_load(&log->end)) &&
           weir_log_position(oldest->id.number, oldest->end) <= upto &&
           oldest->index.last_time.ms < older_than.ms;
}

/* Take the oldest segment off the list; returns the bytes of its file. */
static uint64_t forget_oldest(struct weir_log *log)
{
    uint64_t bytes = log->segments[0].id.bytes;
    if (log->segments[0].end > WEIR_LOG_HEADER_BYTES) {
        log->floor = weir_log_position(log->segments[0].id.number, log->segments[0].end);
        log->floor_time = log->segments[0].index.last_time;
    }
    weir_log_index_add_counts(&log->gone, &log->segments[0].index);
    weir_log_index_fini(&log->segments[0].index);
    log->segment_count--;
    memmove(log->segments, log->segments + 1, log->segment_count * sizeof(*log->segments));
    weir_log_cache_trim(&log->blocks, log->segments[0].id.number);
    return bytes;
}

enum weir_rc weir_log_trim(struct weir_log *log, struct weir_pos upto, struct weir_time older_than,
        struct weir_err *err)
{
    weir_mutex_lock(&log->mutex);
    if (log->trimming) {
        weir_mutex_unlock(&log->mutex);
        return WEIR_OK; /* another thread is at it */
    }
    log->trimming = true;
    enum weir_rc rc = WEIR_OK;
    while (rc == WEIR_OK) {
        uint64_t bytes = 0;
        if (log->retire_from == log->segments[0].id.number) {
            if (!may_trim(log, upto.seq, older_than)) {
                break;
            }
            bytes = forget_oldest(log);
        }
        /* Files go in order, so that what stays is always numbered in a row: one that could
         * not be retired is tried again before the next. */
        uint64_t number = log->retire_from;
        weir_mutex_unlock(&log->mutex);
        rc = weir_log_retire(log, number, bytes, err);
        weir_mutex_lock(&log->mutex);
        log->retire_from += rc == WEIR_OK ? 1 : 0;
    }
    log->trimming = false;
    weir_mutex_unlock(&log->mutex);
    return rc;
}
