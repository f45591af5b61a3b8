/*
 * The commit log's insides, shared by its files:
 *     format.c   bytes of headers, frames, transactions, changes, footers
 *     index.c    what a segment holds for which stream, and where
 *     block.c    frames in memory: the group being built, the tail, the cache
 *     segment.c  segment files: preparing ahead, spares, ballast, trimming; the thread
 *     recover.c  opening what a crash left behind
 *     log.c      the commit path and the state
 *     reader.c   reading
 *
 * Threads. The committing thread owns struct weir_log_writer; it takes the
 * mutex only to publish, to change the segment, and to get a new block, and no
 * thread reads or writes a file while it holds the mutex. Everything under
 * "shared" in struct weir_log needs the mutex; published bytes of a block never
 * change, so whoever holds a reference reads them freely up to its `end`.
 */
#ifndef WEIR_LOG_LOG_INT_H
#define WEIR_LOG_LOG_INT_H

#include <stdatomic.h>

#include "base/lock.h"
#include "base/mem.h"
#include "base/random.h"
#include "log/log.h"

enum {
    WEIR_LOG_VERSION = 1,
    WEIR_LOG_OFFSET_BITS = 26,
    WEIR_LOG_HEADER_BYTES = 4096,    /* of a segment; the first frame follows */
    WEIR_LOG_HEADER_USED_BYTES = 64, /* the rest of the header is zero */
    WEIR_LOG_FRAME_BYTES = 32,       /* a frame's header */
    WEIR_LOG_START_BYTES = 16,       /* in front of a START frame's transactions */
    WEIR_LOG_TRANSACTION_BYTES = 8,  /* a transaction's header */
    WEIR_LOG_CHANGE_BYTES = 9,       /* the fixed part of a change */
    WEIR_LOG_FOOTER_BYTES = 16,      /* the fixed part of a footer's body */
    WEIR_LOG_FOOTER_STRETCH_BYTES = 16,
    WEIR_LOG_FOOTER_STREAM_BYTES = 56,
    WEIR_LOG_STRETCH_BYTES = 256 * 1024,
    WEIR_LOG_STRETCHES_MAX = 256,
    WEIR_LOG_BLOCK_BYTES = WEIR_LOG_STRETCH_BYTES + 64 * 1024,
    WEIR_LOG_SEGMENT_MIN_BYTES = 64 * 1024,
    WEIR_LOG_PATH = 1024,
    WEIR_LOG_CACHE_BLOCKS = 8,
    WEIR_LOG_POOL_BLOCKS = 16,
    WEIR_LOG_SPARES_MAX = 2,
    WEIR_LOG_RETRY_MS = 250, /* between tries to prepare a segment on a full disk */
    WEIR_LOG_START_MS = 200, /* before the first, unless it is wanted: others open their files */
};

/* --- format.c ------------------------------------------------------------------ */

/* What a segment's header says. */
struct weir_log_segment_id {
    uint64_t number;
    uint64_t epoch; /* random: no old byte passes as a frame of this segment */
    uint64_t bytes; /* of the file */
    uint32_t seed;  /* of its frames' checksums; from number and epoch */
};

/* The numbers are part of the format. */
enum weir_log_frame_kind {
    WEIR_LOG_FRAME_GROUP = 1,
    WEIR_LOG_FRAME_START = 2,  /* a segment's first group, with what came before it */
    WEIR_LOG_FRAME_FOOTER = 3, /* the index of a finished segment */
};

enum weir_log_frame_state {
    WEIR_LOG_FRAME_VALID,
    WEIR_LOG_FRAME_INVALID,
    WEIR_LOG_FRAME_SHORT,   /* ret_frame->length bytes are needed to tell */
    WEIR_LOG_FRAME_UNKNOWN, /* valid, of a kind from a newer version */
};

/* A frame in memory; body is borrowed from the bytes that were parsed. */
struct weir_log_frame {
    uint32_t length; /* header and body, without the padding to 8 bytes */
    struct weir_time time;
    uint32_t kind;
    uint32_t transactions;
    const uint8_t *body; /* of START: behind the prefix */
    size_t body_bytes;
    uint64_t previous_end; /* START: the position where valid data before this segment ended */
};

static inline uint64_t weir_log_position(uint64_t number, uint64_t offset)
{
    return number << WEIR_LOG_OFFSET_BITS | offset;
}

static inline uint64_t weir_log_number_of(uint64_t position)
{
    return position >> WEIR_LOG_OFFSET_BITS;
}

static inline uint64_t weir_log_offset_of(uint64_t position)
{
    return position & (((uint64_t)1 << WEIR_LOG_OFFSET_BITS) - 1);
}

static inline uint64_t weir_log_align(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

uint32_t weir_log_get_u32(const uint8_t *p);
uint64_t weir_log_get_u64(const uint8_t *p);
void weir_log_put_u32(uint8_t *p, uint32_t value);
void weir_log_put_u64(uint8_t *p, uint64_t value);

/* Set id->seed from number and epoch. */
void weir_log_seed(struct weir_log_segment_id *id);

/* Write a segment header of WEIR_LOG_HEADER_BYTES bytes. */
void weir_log_header_encode(
        const struct weir_log_segment_id *id, struct weir_time created, uint8_t *p);

/* Read one. Errors: WEIR_E_DAMAGED, WEIR_E_FORMAT; the message does not name the file. */
enum weir_rc weir_log_header_decode(
        const uint8_t *p, struct weir_log_segment_id *ret_id, struct weir_err *err);

/* Fill in a frame's header, checksum included; the body stands behind it already. */
void weir_log_frame_seal(const struct weir_log_segment_id *id, uint64_t offset, uint8_t *p,
        uint32_t length, struct weir_time time, uint32_t kind, uint32_t transactions);

/* Check the frame at an offset of a segment, of which n bytes are at p. */
enum weir_log_frame_state weir_log_frame_parse(const struct weir_log_segment_id *id,
        uint64_t offset, const uint8_t *p, size_t n, struct weir_log_frame *ret_frame);

/* Bytes of a change, and of what add writes for a transaction. */
size_t weir_log_change_bytes(const struct weir_change *change);

/* Write a change; returns the byte behind it. */
uint8_t *weir_log_change_encode(const struct weir_change *change, uint8_t *p);

/*
 * Read the change at p, of at most end - p bytes. pos is left alone; strings point
 * into p. Returns the byte behind it; NULL when it is malformed.
 */
const uint8_t *weir_log_change_decode(
        const uint8_t *p, const uint8_t *end, struct weir_change *ret_change);

/* --- index.c -------------------------------------------------------------------- */

/* What one segment holds of one stream (space and shard). */
struct weir_log_stream {
    uint32_t space;
    uint32_t shard;
    uint64_t count;
    uint32_t first; /* offsets of its first and last change */
    uint32_t last;
    uint64_t stretches[WEIR_LOG_STRETCHES_MAX / 64]; /* in which frames with its changes begin */
};

struct weir_log_stretch {
    uint32_t first; /* offset of the first frame that begins in it; 0: none does */
    struct weir_time time;
};

struct weir_log_index {
    uint32_t stretch_count;
    struct weir_log_stretch *stretches; /* owned */
    struct weir_log_stream *streams;    /* owned */
    uint32_t stream_count;
    uint32_t stream_capacity;
    uint32_t *slots; /* owned hash table: stream number plus 1, or 0 */
    uint32_t slot_count;
    struct weir_time last_time; /* of the last frame */
};

void weir_log_index_init(struct weir_log_index *index, uint64_t segment_bytes);
void weir_log_index_fini(struct weir_log_index *index);

/* Note that a frame begins at an offset. */
void weir_log_index_frame(struct weir_log_index *index, uint64_t offset, struct weir_time time);

/* Note a stream record of the frame at frame_offset. */
void weir_log_index_record(struct weir_log_index *index, uint32_t space, uint32_t shard,
        uint64_t frame_offset, uint64_t offset);

/* The stream's entry; NULL if it has none. */
const struct weir_log_stream *weir_log_index_find(
        const struct weir_log_index *index, uint32_t space, uint32_t shard);

/* The first stretch from `from` on that holds a match for the filter; -1 if none. */
int weir_log_index_next(
        const struct weir_log_index *index, const struct weir_log_filter *filter, uint32_t from);

/* Note a whole frame with all its records. False when its body is malformed. */
bool weir_log_index_add(
        struct weir_log_index *index, uint64_t offset, const struct weir_log_frame *frame);

/* Add the streams' counts to those of a total, which has nothing else. */
void weir_log_index_add_counts(struct weir_log_index *total, const struct weir_log_index *index);

/* Bytes of the FOOTER frame of an index with a number of streams. */
size_t weir_log_footer_bytes(const struct weir_log_index *index, uint64_t streams);

/* Write the footer's body at p. */
void weir_log_footer_encode(const struct weir_log_index *index, uint8_t *p);

/* Fill an initialised index from a footer; false when it is malformed. */
bool weir_log_footer_decode(const struct weir_log_segment_id *id,
        const struct weir_log_frame *frame, struct weir_log_index *index);

/* --- block.c --------------------------------------------------------------------- */

/* Whole frames of one segment in a row. */
struct weir_log_block {
    _Atomic uint32_t refs;
    uint64_t begin;       /* position of data[0], a frame's beginning */
    _Atomic uint64_t end; /* position behind the last published frame */
    size_t capacity;
    struct weir_log_block *next; /* in the pool */
    uint8_t data[];
};

/* Blocks that are shared and blocks that are free. All functions need the mutex. */
struct weir_log_blocks {
    struct weir_log_block **tail; /* owned array, oldest first, each with a reference */
    size_t tail_count;
    size_t tail_capacity;
    uint64_t tail_bytes;
    uint64_t tail_max_bytes;
    struct weir_log_block *cache[WEIR_LOG_CACHE_BLOCKS]; /* read from disk, each with a reference */
    unsigned cache_next;
    struct weir_log_block *pool; /* free blocks of the usual size */
    unsigned pool_count;
};

void weir_log_blocks_fini(struct weir_log_blocks *blocks);

/* An empty block of at least capacity bytes with one reference. */
struct weir_log_block *weir_log_block_get(
        struct weir_log_blocks *blocks, size_t capacity, uint64_t begin);

/* Give a reference back; NULL is fine. */
void weir_log_block_put(struct weir_log_blocks *blocks, struct weir_log_block *block);

/* Put a block at the end of the tail (with a reference of its own) unless it is there. */
void weir_log_tail_push(struct weir_log_blocks *blocks, struct weir_log_block *block);

/* The block in tail or cache that holds the frame at a position, with a new reference, or NULL. */
struct weir_log_block *weir_log_block_find(struct weir_log_blocks *blocks, uint64_t position);

/* Keep a block that was read from disk for other readers. */
void weir_log_cache_add(struct weir_log_blocks *blocks, struct weir_log_block *block);

/* Drop what the cache holds of segments before a number. */
void weir_log_cache_trim(struct weir_log_blocks *blocks, uint64_t number);

/* --- segments and the whole -------------------------------------------------------- */

/* A segment that holds or held frames. */
struct weir_log_segment {
    struct weir_log_segment_id id;
    uint64_t end; /* offset behind the last published group; the header's if there is none */
    uint64_t previous_end; /* position where the data before it ended; 0 while it has no frame */
    struct weir_log_index index;
};

/* The segment prepared ahead. */
struct weir_log_next {
    bool ready;
    bool urgent_only; /* it was the ballast, and the disk is still full */
    struct weir_log_segment_id id;
    struct weir_file *file; /* owned */
};

/* A stream record of the group being built. */
struct weir_log_note {
    uint32_t space;
    uint32_t shard;
    uint32_t offset; /* in the segment */
};

/* Owned by the committing thread. */
struct weir_log_writer {
    struct weir_log_segment_id id; /* of the segment being written */
    struct weir_file *file;        /* owned; NULL once abandoned */
    uint64_t offset;               /* where the next frame goes */
    bool first;                    /* the next frame is the segment's first */
    bool finished;                 /* has its footer, or a write failed: nothing more goes to it */
    bool abandoned;                /* ...because a write failed */
    bool was_ballast;
    struct weir_log_block *block; /* a reference; NULL at first */
    size_t group_at;              /* offset of the group's frame in the block */
    size_t group_bytes;           /* so far, header included; 0: no group */
    uint32_t transactions;
    bool synced;
    struct weir_time time;       /* of the synced group */
    struct weir_log_note *notes; /* owned */
    size_t note_count;
    size_t note_capacity;
};

struct weir_log {
    struct weir_fs *fs;
    char dir[WEIR_LOG_PATH / 2];
    const struct weir_clock *clock;
    uint64_t segment_bytes;
    uint64_t first_segment_bytes;
    bool want_ballast;
    bool no_thread;
    struct weir_random random; /* of whoever prepares segments */
    struct weir_gauge *bytes_gauge;
    struct weir_gauge *segments_gauge;
    struct weir_histogram *sync_histogram;
    struct weir_histogram *group_histogram;

    struct weir_log_writer writer;

    _Atomic uint64_t end;      /* published; 0 while nothing ever was */
    _Atomic uint64_t appended; /* bytes published since the opening */
    _Atomic int64_t last_time; /* of the last published group */
    _Atomic bool full;         /* no segment could be prepared for ordinary transactions */

    struct weir_mutex mutex;
    struct weir_condition wake; /* the thread: something to do */
    struct weir_condition done; /* the committing thread: the next segment, or a failure */
    pthread_t thread;
    bool has_thread;
    _Atomic bool stop;
    /* shared */
    bool trimming;
    bool wanted;         /* somebody waits for the first: the thread does not spare the start */
    bool work_failed;    /* the thread waits before it tries again */
    bool ballast_in_use; /* the segment being written was the ballast */
    bool refusing;       /* an ordinary transaction was refused since the disk is full */
    bool needs_roll;     /* nothing more can be written to the last segment */
    struct weir_log_segment *segments; /* owned; numbers in a row; the last is being written */
    size_t segment_count;
    size_t segment_capacity;
    uint64_t retire_from;        /* number of the oldest segment whose file is still there */
    uint64_t floor;              /* a reader that stands before this position has missed changes */
    struct weir_time floor_time; /* commit time of the last group before it; 0: not known */
    struct weir_log_index gone;  /* counts of what was trimmed since the opening */
    struct weir_log_next next;
    uint64_t next_number;                 /* of the segment to prepare */
    uint64_t spares[WEIR_LOG_SPARES_MAX]; /* numbers in the names of files ready for reuse */
    unsigned spare_count;
    bool has_ballast;
    struct weir_err why; /* of full */
    struct weir_log_blocks blocks;
};

enum weir_log_file {
    WEIR_LOG_FILE_SEGMENT, /* has a valid header, durable before it got this name */
    WEIR_LOG_FILE_SPARE,   /* content means nothing */
    WEIR_LOG_FILE_BALLAST,
};

/* segment.c */

void weir_log_path(const struct weir_log *log, enum weir_log_file what, uint64_t number,
        char path[static WEIR_LOG_PATH]);

/*
 * Give a segment's file up, durably: a spare if it has the usual size and one is wanted.
 * Errors: WEIR_E_IO. Not with the mutex held.
 */
enum weir_rc weir_log_retire(
        struct weir_log *log, uint64_t number, uint64_t bytes, struct weir_err *err);

/* Make segment files: the first of a new log. Errors: of the file system. */
enum weir_rc weir_log_make_segment(struct weir_log *log, uint64_t number, uint64_t bytes,
        struct weir_log_segment_id *ret_id, struct weir_file **ret_file, struct weir_err *err);

/* Make what should be there ahead: the next segment, else the ballast. Not with the mutex held. */
void weir_log_work(struct weir_log *log);

/* The thread's body: weir_log_work when there is something to do, until the log closes. */
void *weir_log_thread(void *arg);

/* Put a segment at the end of the list; needs the mutex. */
struct weir_log_segment *weir_log_add_segment(
        struct weir_log *log, const struct weir_log_segment_id *id);

/* Bytes of the segments that were begun; of the files that stand ready. Need the mutex. */
uint64_t weir_log_sum(const struct weir_log *log);
uint64_t weir_log_sum_ready(const struct weir_log *log);

/* Set the gauges; needs the mutex. */
void weir_log_count(struct weir_log *log);

/* recover.c */

/* Fill segments, floor, spares, end and the writer from the folder. Errors: as weir_log_open. */
enum weir_rc weir_log_recover(struct weir_log *log, struct weir_err *err);

/* reader.c */

/*
 * The block with the frame at a position, which must be a published frame's beginning,
 * with a reference. From disk it holds the frames that begin in the same stretch.
 * Errors: WEIR_E_TRIMMED (its segment is gone), WEIR_E_IO, WEIR_E_DAMAGED, WEIR_E_FORMAT.
 * Takes the mutex.
 */
enum weir_rc weir_log_fetch(struct weir_log *log, uint64_t position,
        struct weir_log_block **ret_block, struct weir_err *err);

/* The segment with a number, or NULL; needs the mutex. */
struct weir_log_segment *weir_log_find_segment(struct weir_log *log, uint64_t number);

#endif
