/*
 * Opening what is there. The last segment with a valid first frame holds the log's
 * end; its frames are walked. Its START frame says where the data before it ended,
 * and so on back to the oldest segment: segments in between hold nothing, whatever
 * their bytes are. Nothing on disk is changed before everything has been checked.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "log/log_int.h"

enum {
    WINDOW_BYTES = 1024 * 1024,
    PEEK_BYTES = 64 * 1024, /* enough for most first frames and footers */
    CUT_BYTES = 4096,       /* zeroed where a torn tail was cut */
};

/* Part of a segment file in memory. */
struct window {
    struct weir_log_segment_id id;
    struct weir_file *file; /* owned */
    uint8_t *p;             /* owned */
    size_t capacity;
    size_t chunk;   /* bytes to read at least; 0: WINDOW_BYTES */
    uint64_t begin; /* offset of p[0] */
    size_t n;
};

static void window_fini(struct window *window)
{
    weir_file_destroy(window->file);
    weir_free(window->p);
}

/* The bytes from an offset on, `want` of them or up to the end of the segment. */
static enum weir_rc window_get(struct window *window, uint64_t offset, size_t want,
        const uint8_t **ret_p, size_t *ret_n, struct weir_err *err)
{
    uint64_t left = window->id.bytes > offset ? window->id.bytes - offset : 0;
    want = want < left ? want : (size_t)left;
    if (offset < window->begin || offset + want > window->begin + window->n) {
        size_t chunk = window->chunk > 0 ? window->chunk : WINDOW_BYTES;
        size_t n = want > chunk ? want : chunk;
        n = n < left ? n : (size_t)left;
        if (n > window->capacity) {
            window->p = weir_realloc(window->p, n, 1);
            window->capacity = n;
        }
        window->begin = offset;
        window->n = 0;
        enum weir_rc rc = weir_file_read_all(window->file, offset, window->p, n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        window->n = n;
    }
    *ret_p = window->p + (offset - window->begin);
    *ret_n = (size_t)(window->begin + window->n - offset);
    return WEIR_OK;
}

/* Parse the frame at an offset. */
static enum weir_rc parse_at(struct window *window, uint64_t offset,
        enum weir_log_frame_state *ret_state, struct weir_log_frame *ret_frame,
        struct weir_err *err)
{
    size_t want = WEIR_LOG_FRAME_BYTES;
    for (int tries = 0; tries < 2; tries++) {
        const uint8_t *p = NULL;
        size_t n = 0;
        enum weir_rc rc = window_get(window, offset, want, &p, &n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        *ret_state = weir_log_frame_parse(&window->id, offset, p, n, ret_frame);
        if (*ret_state != WEIR_LOG_FRAME_SHORT) {
            return WEIR_OK;
        }
        want = ret_frame->length;
    }
    *ret_state = WEIR_LOG_FRAME_INVALID;
    return WEIR_OK;
}

static enum weir_rc damaged(
        struct weir_err *err, uint64_t number, uint64_t offset, const char *what)
{
    return weir_fail(err, WEIR_E_DAMAGED,
            "log segment %016" PRIx64 " at offset %" PRIu64 ": %s; `weir repair` explains", number,
            offset, what);
}

static enum weir_rc unknown_kind(
        struct weir_err *err, uint64_t number, uint64_t offset, uint32_t kind)
{
    return weir_fail(err, WEIR_E_FORMAT,
            "log segment %016" PRIx64 " at offset %" PRIu64
            ": frame of kind %u, written by a newer weir",
            number, offset, kind);
}

/* Open a segment's file and check its header and size. */
static enum weir_rc window_open(
        struct weir_log *log, uint64_t number, struct window *window, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    weir_log_path(log, WEIR_LOG_FILE_SEGMENT, number, path);
    enum weir_rc rc = log->fs->ops->open(log->fs, path, WEIR_OPEN_WRITE, &window->file, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    uint64_t bytes = 0;
    rc = log->fs->ops->size(window->file, &bytes, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (bytes < WEIR_LOG_HEADER_BYTES) {
        return damaged(err, number, bytes, "the file ends within its header");
    }
    uint8_t header[WEIR_LOG_HEADER_USED_BYTES];
    rc = weir_file_read_all(window->file, 0, header, sizeof(header), err);
    if (rc == WEIR_OK) {
        rc = weir_log_header_decode(header, &window->id, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "log segment %016" PRIx64 ": ", number);
        }
    }
    if (rc == WEIR_OK && window->id.number != number) {
        return damaged(err, number, 0, "the header names another segment");
    }
    if (rc == WEIR_OK && bytes < window->id.bytes) {
        return damaged(err, number, bytes, "the file is shorter than its header says");
    }
    return rc;
}

/* Look for a valid frame from an offset on; *ret_offset is 0 if there is none. */
static enum weir_rc find_frame(
        struct window *window, uint64_t offset, uint64_t *ret_offset, struct weir_err *err)
{
    *ret_offset = 0;
    while (offset + WEIR_LOG_FRAME_BYTES <= window->id.bytes) {
        const uint8_t *p = NULL;
        size_t n = 0;
        enum weir_rc rc = window_get(window, offset, WEIR_LOG_FRAME_BYTES, &p, &n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        size_t at = 0;
        while (at + WEIR_LOG_FRAME_BYTES <= n &&
                weir_log_get_u64(p + at + 8) != weir_log_position(window->id.number, offset + at)) {
            at += 8;
        }
        offset += at;
        if (at + WEIR_LOG_FRAME_BYTES > n) {
            continue;
        }
        enum weir_log_frame_state state = WEIR_LOG_FRAME_INVALID;
        struct weir_log_frame frame;
        rc = parse_at(window, offset, &state, &frame, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (state == WEIR_LOG_FRAME_VALID || state == WEIR_LOG_FRAME_UNKNOWN) {
            *ret_offset = offset;
            return WEIR_OK;
        }
        offset += 8;
    }
    return WEIR_OK;
}

/* Refuse a valid frame from `from` on, behind the invalid one at `invalid`. */
static enum weir_rc check_torn(
        struct window *window, uint64_t invalid, uint64_t from, struct weir_err *err)
{
    uint64_t valid = 0;
    enum weir_rc rc = find_frame(window, from, &valid, err);
    if (rc == WEIR_OK && valid != 0) {
        return damaged(
                err, window->id.number, invalid, "an invalid frame stands before valid ones");
    }
    return rc;
}

/* What a walk over a segment's frames finds. */
struct walk {
    uint64_t end;  /* offset behind the last group */
    uint64_t last; /* offset of the last frame, footer included */
    uint32_t last_length;
    bool footer;
    uint64_t previous_end; /* of START */
};

/* Walk groups from the first frame to `until` or to the first invalid one, and index them. */
static enum weir_rc walk_groups(struct window *window, uint64_t until, struct weir_log_index *index,
        struct walk *walk, struct weir_err *err)
{
    uint64_t number = window->id.number;
    *walk = (struct walk){ .end = WEIR_LOG_HEADER_BYTES };
    while (walk->end < until) {
        enum weir_log_frame_state state = WEIR_LOG_FRAME_INVALID;
        struct weir_log_frame frame;
        enum weir_rc rc = parse_at(window, walk->end, &state, &frame, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (state == WEIR_LOG_FRAME_UNKNOWN) {
            return unknown_kind(err, number, walk->end, frame.kind);
        }
        if (state != WEIR_LOG_FRAME_VALID) {
            return WEIR_OK;
        }
        walk->last = walk->end;
        walk->last_length = frame.length;
        if (frame.kind == WEIR_LOG_FRAME_FOOTER) {
            walk->footer = true;
            return WEIR_OK;
        }
        if (frame.kind == WEIR_LOG_FRAME_START) {
            walk->previous_end = frame.previous_end;
        }
        if (!weir_log_index_add(index, walk->end, &frame)) {
            return damaged(err, number, walk->end, "a frame's content is malformed");
        }
        walk->end += weir_log_align(frame.length);
    }
    return WEIR_OK;
}

/* --- the folder ------------------------------------------------------------------------- */

struct names {
    uint64_t *numbers; /* owned */
    size_t count;
    size_t capacity;
};

struct folder {
    struct names segments;
    struct names spares;
    bool ballast;
};

static void folder_fini(struct folder *folder)
{
    weir_free(folder->segments.numbers);
    weir_free(folder->spares.numbers);
}

static void note_name(void *arg, const char *name)
{
    struct folder *folder = arg;
    if (strcmp(name, "ballast") == 0) {
        folder->ballast = true;
        return;
    }
    struct names *names = strcmp(name + strspn(name, "0123456789abcdef"), ".seg") == 0
                                  ? &folder->segments
                                  : &folder->spares;
    if (strspn(name, "0123456789abcdef") != 16 ||
            (names == &folder->spares && strcmp(name + 16, ".spare") != 0)) {
        return;
    }
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : 16;
        names->numbers = weir_realloc(names->numbers, names->capacity, sizeof(*names->numbers));
    }
    names->numbers[names->count++] = strtoull(name, NULL, 16);
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

/* Make it durable that the folder is in its parent. */
static enum weir_rc sync_parent(struct weir_log *log, struct weir_err *err)
{
    char parent[WEIR_LOG_PATH / 2];
    memcpy(parent, log->dir, sizeof(parent));
    char *slash = strrchr(parent, '/');
    if (slash == NULL) {
        memcpy(parent, ".", 2);
    } else {
        slash[slash == parent ? 1 : 0] = '\0';
    }
    return log->fs->ops->sync_dir(log->fs, parent, err);
}

/* Make the folder if it is missing, and list it. */
static enum weir_rc read_folder(struct weir_log *log, struct folder *folder, struct weir_err *err)
{
    enum weir_rc rc = log->fs->ops->make_dir(log->fs, log->dir, err);
    if (rc == WEIR_OK) {
        rc = log->fs->ops->list(log->fs, log->dir, note_name, folder, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (folder->segments.count == 0) {
        return sync_parent(log, err);
    }
    qsort(folder->segments.numbers, folder->segments.count, sizeof(uint64_t), compare_numbers);
    return WEIR_OK;
}

static bool has_segment_size(struct weir_log *log, const char *path)
{
    struct weir_file *file = NULL;
    uint64_t bytes = 0;
    bool same = log->fs->ops->open(log->fs, path, WEIR_OPEN_READ, &file, NULL) == WEIR_OK &&
                log->fs->ops->size(file, &bytes, NULL) == WEIR_OK && bytes == log->segment_bytes;
    weir_file_destroy(file);
    return same;
}

/*
 * Keep the spares and the ballast that have the right size, remove others. The folder as
 * found is made durable: else a spare that is reused could come back under its old
 * name as a segment with new content. Errors: WEIR_E_IO.
 */
static enum weir_rc take_spares(
        struct weir_log *log, const struct folder *folder, struct weir_err *err)
{
    char path[WEIR_LOG_PATH];
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; i < folder->spares.count && rc == WEIR_OK; i++) {
        weir_log_path(log, WEIR_LOG_FILE_SPARE, folder->spares.numbers[i], path);
        if (log->spare_count < WEIR_LOG_SPARES_MAX && has_segment_size(log, path)) {
            log->spares[log->spare_count++] = folder->spares.numbers[i];
        } else {
            rc = log->fs->ops->remove(log->fs, path, err);
        }
    }
    if (rc == WEIR_OK && folder->ballast) {
        weir_log_path(log, WEIR_LOG_FILE_BALLAST, 0, path);
        log->has_ballast = log->want_ballast && has_segment_size(log, path);
        if (!log->has_ballast) {
            rc = log->fs->ops->remove(log->fs, path, err);
        }
    }
    bool found = folder->segments.count > 0 || folder->spares.count > 0 || folder->ballast;
    return rc == WEIR_OK && found ? log->fs->ops->sync_dir(log->fs, log->dir, err) : rc;
}

/* --- segments ------------------------------------------------------------------------------ */

/* Put all segments on the list, headers checked. Errors: WEIR_E_DAMAGED, WEIR_E_FORMAT, WEIR_E_IO.
 */
static enum weir_rc read_headers(
        struct weir_log *log, const struct names *names, struct weir_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        uint64_t number = names->numbers[i];
        if (i > 0 && number != names->numbers[i - 1] + 1) {
            return damaged(err, names->numbers[i - 1] + 1, 0, "the segment is missing");
        }
        WEIR_AUTO_FINI(window) struct window window = { 0 };
        enum weir_rc rc = window_open(log, number, &window, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_log_add_segment(log, &window.id);
    }
    return WEIR_OK;
}

/*
 * Find the last segment with a valid first frame and index it; those behind it hold
 * nothing. *ret_at is the number of segments when there is none.
 */
static enum weir_rc find_end(
        struct weir_log *log, size_t *ret_at, struct walk *walk, struct weir_err *err)
{
    for (size_t i = log->segment_count; i > 0; i--) {
        struct weir_log_segment *segment = &log->segments[i - 1];
        WEIR_AUTO_FINI(window) struct window window = { 0 };
        enum weir_rc rc = window_open(log, segment->id.number, &window, err);
        if (rc == WEIR_OK) {
            rc = walk_groups(&window, window.id.bytes, &segment->index, walk, err);
        }
        if (rc == WEIR_OK) {
            uint64_t after =
                    walk->footer ? walk->last + weir_log_align(walk->last_length) : walk->end;
            rc = check_torn(&window, walk->end, after, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
        if (walk->end > WEIR_LOG_HEADER_BYTES) {
            segment->end = walk->end;
            segment->previous_end = walk->previous_end;
            *ret_at = i - 1;
            return WEIR_OK;
        }
    }
    *ret_at = log->segment_count;
    return WEIR_OK;
}

/* Read a finished segment's START and index; its data ends at segment->end. */
static enum weir_rc read_finished(
        struct weir_log *log, struct weir_log_segment *segment, struct weir_err *err)
{
    uint64_t number = segment->id.number;
    WEIR_AUTO_FINI(window) struct window window = { .chunk = PEEK_BYTES };
    enum weir_rc rc = window_open(log, number, &window, err);
    enum weir_log_frame_state state = WEIR_LOG_FRAME_INVALID;
    struct weir_log_frame frame;
    if (rc == WEIR_OK) {
        rc = parse_at(&window, WEIR_LOG_HEADER_BYTES, &state, &frame, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (state != WEIR_LOG_FRAME_VALID) {
        return damaged(err, number, WEIR_LOG_HEADER_BYTES, "the first frame is invalid");
    }
    segment->previous_end = frame.previous_end;
    rc = parse_at(&window, segment->end, &state, &frame, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (state == WEIR_LOG_FRAME_VALID && frame.kind == WEIR_LOG_FRAME_FOOTER) {
        if (!weir_log_footer_decode(&segment->id, &frame, &segment->index)) {
            return damaged(err, number, segment->end, "the footer's content is malformed");
        }
        return WEIR_OK;
    }
    struct walk walk;
    window.chunk = WINDOW_BYTES;
    rc = walk_groups(&window, segment->end, &segment->index, &walk, err);
    if (rc == WEIR_OK && walk.end != segment->end) {
        return damaged(err, number, walk.end, "a frame is invalid, and later groups follow");
    }
    return rc;
}

/* Follow the START frames back from segment `at` and read each segment that holds data. */
static enum weir_rc read_back(struct weir_log *log, size_t at, struct weir_err *err)
{
    uint64_t oldest = log->segments[0].id.number;
    for (;;) {
        struct weir_log_segment *segment = &log->segments[at];
        uint64_t previous = weir_log_number_of(segment->previous_end);
        log->floor = segment->previous_end;
        if (previous < oldest) {
            break;
        }
        if (previous >= segment->id.number) {
            return damaged(err, segment->id.number, WEIR_LOG_HEADER_BYTES,
                    "the first frame does not follow an earlier segment");
        }
        at = (size_t)(previous - oldest);
        uint64_t end = weir_log_offset_of(segment->previous_end);
        segment = &log->segments[at];
        if (end <= WEIR_LOG_HEADER_BYTES || end >= segment->id.bytes) {
            return damaged(err, previous, end, "the segment cannot end here");
        }
        segment->end = end;
        enum weir_rc rc = read_finished(log, segment, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    for (size_t i = 1; i < log->segment_count; i++) {
        if (log->segments[i].end == WEIR_LOG_HEADER_BYTES) {
            log->segments[i].index.last_time = log->segments[i - 1].index.last_time;
        }
    }
    return WEIR_OK;
}

/* Retire the segments behind the first `keep`, the last one first, so that no gap can appear. */
static enum weir_rc retire_unused(struct weir_log *log, size_t keep, struct weir_err *err)
{
    while (log->segment_count > keep) {
        struct weir_log_segment *segment = &log->segments[log->segment_count - 1];
        enum weir_rc rc = weir_log_retire(log, segment->id.number, segment->id.bytes, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_crash_point("recover.retired");
        weir_log_index_fini(&segment->index);
        log->segment_count--;
    }
    return WEIR_OK;
}

/*
 * Make the end of the log certain: what was found valid may still be on its way to the
 * disk, or, after a sync that failed, not even that. So the last frame, the only one
 * whose sync can have failed, is written once more before the sync.
 */
static enum weir_rc settle(
        struct weir_log *log, struct window *window, const struct walk *walk, struct weir_err *err)
{
    static const uint8_t zeros[CUT_BYTES];
    const struct weir_fs_ops *ops = log->fs->ops;
    const uint8_t *p = NULL;
    size_t n = 0;
    size_t length = (size_t)weir_log_align(walk->last_length);
    enum weir_rc rc = window_get(window, walk->last, length, &p, &n, err);
    if (rc == WEIR_OK) {
        rc = ops->write(window->file, walk->last, p, length, err);
    }
    uint64_t end = walk->last + length;
    size_t cut = window->id.bytes - end < CUT_BYTES ? (size_t)(window->id.bytes - end) : CUT_BYTES;
    if (rc == WEIR_OK) {
        rc = window_get(window, end, cut, &p, &n, err);
    }
    if (rc == WEIR_OK && memcmp(p, zeros, cut) != 0) {
        rc = ops->write(window->file, end, zeros, cut, err);
    }
    weir_crash_point("recover.settled");
    return rc == WEIR_OK ? ops->sync(window->file, err) : rc;
}

/* Begin a log without any data. */
static enum weir_rc begin_empty(struct weir_log *log, struct weir_err *err)
{
    if (log->segment_count > 0 && log->segments[0].id.number != 1) {
        return damaged(err, log->segments[0].id.number, WEIR_LOG_HEADER_BYTES,
                "no segment has a valid first frame");
    }
    enum weir_rc rc = retire_unused(log, 0, err);
    struct weir_log_writer *writer = &log->writer;
    if (rc == WEIR_OK) {
        rc = weir_log_make_segment(
                log, 1, log->first_segment_bytes, &writer->id, &writer->file, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_log_add_segment(log, &writer->id);
    writer->offset = WEIR_LOG_HEADER_BYTES;
    writer->first = true;
    return WEIR_OK;
}

/* Go on behind the last valid frame, in segment `at`. */
static enum weir_rc resume(
        struct weir_log *log, size_t at, const struct walk *walk, struct weir_err *err)
{
    enum weir_rc rc = retire_unused(log, at + 1, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_log_segment *segment = &log->segments[at];
    struct weir_log_writer *writer = &log->writer;
    WEIR_AUTO_FINI(window) struct window window = { .chunk = PEEK_BYTES };
    rc = window_open(log, segment->id.number, &window, err);
    if (rc == WEIR_OK) {
        rc = settle(log, &window, walk, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    writer->id = segment->id;
    writer->offset = segment->end;
    writer->finished = walk->footer;
    writer->file = WEIR_TAKE(window.file);
    log->needs_roll = walk->footer;
    atomic_store(&log->end, weir_log_position(segment->id.number, segment->end));
    atomic_store(&log->last_time, segment->index.last_time.ms);
    return WEIR_OK;
}

enum weir_rc weir_log_recover(struct weir_log *log, struct weir_err *err)
{
    WEIR_AUTO_FINI(folder) struct folder folder = { 0 };
    enum weir_rc rc = read_folder(log, &folder, err);
    if (rc == WEIR_OK) {
        rc = read_headers(log, &folder.segments, err);
    }
    size_t at = 0;
    struct walk walk = { 0 };
    if (rc == WEIR_OK) {
        rc = find_end(log, &at, &walk, err);
    }
    bool empty = at == log->segment_count;
    if (rc == WEIR_OK && !empty) {
        rc = read_back(log, at, err);
    }
    weir_crash_point("recover.read");
    if (rc == WEIR_OK) {
        rc = take_spares(log, &folder, err);
    }
    weir_crash_point("recover.spared");
    if (rc == WEIR_OK) {
        rc = empty ? begin_empty(log, err) : resume(log, at, &walk, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_crash_point("recover.resumed");
    log->retire_from = log->segments[0].id.number;
    log->next_number = log->writer.id.number + 1;
    if (log->no_thread) {
        weir_log_work(log); /* the next segment */
        weir_log_work(log); /* the ballast */
    }
    weir_mutex_lock(&log->mutex);
    weir_log_count(log);
    weir_mutex_unlock(&log->mutex);
    return WEIR_OK;
}
