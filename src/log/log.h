/*
 * The commit log: the one place where weir makes changes durable, and the
 * change stream of every table at once.
 *
 * The log is a sequence of segment files (64 MiB, zero-filled ahead off the
 * commit thread, recycled). A segment holds frames; a frame is one group of
 * transactions, checked by one CRC32C, written with one write and made durable
 * with one sync. A transaction is a list of changes. The position of a change,
 * segment number times 2^26 plus its offset in the segment, grows with every
 * change and is its sequence number for ever.
 *
 * Phases of a group, all on the one thread that commits:
 *     weir_log_add*  ->  weir_log_sync  ->  (apply to the store)  ->  weir_log_publish
 * weir_log_discard instead of sync drops it. Readers on any thread see
 * published groups only; each reader belongs to one thread at a time.
 *
 * A frame is valid as a whole or not at all. Recovery cuts an invalid last
 * frame (a torn write that was never acknowledged), and refuses to open a log
 * in which a valid frame follows an invalid one: that is damage. The checksum's
 * seed is drawn from the segment's number and a random epoch of its header, so
 * neither a recycled segment's old bytes nor bytes a client chose can pass as a
 * frame.
 *
 * After a failed write or sync it is unknown what is on disk: the group's
 * callers get WEIR_E_UNKNOWN_OUTCOME, the segment is abandoned at the group's
 * start, and the next group begins a new segment whose first frame records where
 * the one before ended, which settles the matter. docs/FORMATS.md has the bytes.
 */
#ifndef WEIR_LOG_LOG_H
#define WEIR_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/str.h"
#include "value/record.h"

struct weir_log;
struct weir_log_reader;

enum {
    WEIR_LOG_SEGMENT_BYTES = 64 * 1024 * 1024,  /* the largest, and the default */
    WEIR_LOG_FIRST_SEGMENT_BYTES = 1024 * 1024, /* of a new folder, so that it starts at once */
    WEIR_LOG_TRANSACTION_MAX_BYTES = 16 * 1024 * 1024,
};

/* What a change does. The numbers are part of the format. */
enum weir_change_kind {
    WEIR_CHANGE_PUT = 1,    /* key = value in a keyspace */
    WEIR_CHANGE_DELETE = 2, /* no value for key in a keyspace */
    WEIR_CHANGE_RECORD =
            3, /* a table's item changed: PUT or DELETE of the item, and a stream record */
    WEIR_CHANGE_DROP = 4, /* the keyspace is gone, all keys of it */
};

/* One change of a transaction. Strings are borrowed: on adding from the caller until
 * add returns, on reading from the reader until its next call. */
struct weir_change {
    enum weir_change_kind kind;
    uint32_t space;        /* the keyspace; of a RECORD the table's, which names its stream */
    struct weir_pos pos;   /* set by add and by readers */
    struct weir_str key;   /* encoded key */
    struct weir_str value; /* PUT: value; RECORD: the new item, empty when it was removed */
    /* RECORD only */
    enum weir_event_name event;
    uint32_t shard; /* below 65,536 */
    bool by_ttl;
    bool in_stream;            /* false: the table has no stream; only the store sees it */
    uint8_t hops;              /* how many pipelines this change came through */
    struct weir_str keys;      /* item of the key attributes, when in_stream */
    struct weir_str old_value; /* the old item, when the stream's view wants it */
};

struct weir_log_options {
    struct weir_fs *fs;
    const char *dir; /* made if missing */
    const struct weir_clock *clock;
    struct weir_metrics *metrics; /* may be NULL */
    uint32_t segment_bytes;       /* 0: the default; at least 64 KiB (tests) */
    uint32_t first_segment_bytes; /* 0: the default */
    uint64_t tail_bytes;          /* published groups kept in memory for readers; 0: 8 MiB */
    bool ballast;                 /* keep a file to free when the disk is full */
    bool no_thread; /* prepare segments on the committing thread (tests: calls in a fixed order) */
};

/*
 * Open a log, making it if the folder is empty. Recovers: cuts a torn tail, syncs
 * what was found, so that everything readers see is durable. Starts a thread
 * that prepares segments (unless no_thread).
 *
 * Errors: WEIR_E_DAMAGED (says segment, offset, and that `weir repair` explains),
 * WEIR_E_FORMAT (newer version), WEIR_E_IO, WEIR_E_READ_ONLY (disk full at creation).
 */
WEIR_MUST_CHECK enum weir_rc weir_log_open(
        const struct weir_log_options *options, struct weir_log **ret_log, struct weir_err *err);

/* Stop the thread and free. A group being built is dropped. Readers must be gone. NULL is fine. */
void weir_log_close(struct weir_log *log);

/* --- writing: one thread -------------------------------------------------- */

/*
 * Add a transaction to the group being built and set the positions of its
 * changes. The bytes are copied. urgent: may use the room kept back for when the
 * disk is full (deletes, purges, checkpoints).
 *
 * Errors: WEIR_E_BUSY (does not fit this group's segment: sync and publish the
 * group, then add again), WEIR_E_TOO_LARGE (over WEIR_LOG_TRANSACTION_MAX_BYTES or a
 * quarter of a segment), WEIR_E_READ_ONLY (the disk is full: says so).
 */
WEIR_MUST_CHECK enum weir_rc weir_log_add(struct weir_log *log, struct weir_change *changes,
        size_t count, bool urgent, struct weir_err *err);

/* Bytes in the group being built; 0 when there is none. */
size_t weir_log_group_bytes(const struct weir_log *log);

/*
 * Write the group with a commit time and make it durable. An empty group is no error
 * and writes nothing. On failure the group is dropped.
 *
 * Errors: WEIR_E_UNKNOWN_OUTCOME (write or sync failed: maybe written, see above).
 */
WEIR_MUST_CHECK enum weir_rc weir_log_sync(
        struct weir_log *log, struct weir_time time, struct weir_err *err);

/* Show the synced group to readers. */
void weir_log_publish(struct weir_log *log);

/* Drop the group being built. */
void weir_log_discard(struct weir_log *log);

/* --- state: any thread ------------------------------------------------------ */

/* The end of what is published: the position the next change will be at or after. */
struct weir_pos weir_log_end(struct weir_log *log);

/* The first position that can still be read. */
struct weir_pos weir_log_oldest(struct weir_log *log);

/*
 * Where the log begins now: the first position that can be read, and the time of its first group
 * (0: it is empty). True: nothing was ever trimmed, so that it holds everything since its making.
 */
bool weir_log_begin(struct weir_log *log, struct weir_pos *ret_pos, struct weir_time *ret_time);

/* The commit time of the last published group; 0 when the log is empty. */
struct weir_time weir_log_last_time(struct weir_log *log);

/* Bytes of all segment files, also of those that stand ready: what the log takes on disk. */
uint64_t weir_log_bytes(struct weir_log *log);

/* Bytes of the segments that were begun: what is to be bounded. At most three more stand ready. */
uint64_t weir_log_held_bytes(struct weir_log *log);

/* Bytes that were published since the opening. */
uint64_t weir_log_appended(struct weir_log *log);

/*
 * How many bytes can be published at the least before the segment that holds a position must go,
 * if the log may hold max_bytes and what is older goes first.
 * Cost: O(segments).
 */
uint64_t weir_log_room(struct weir_log *log, struct weir_pos pos, uint64_t max_bytes);

/* Whether ordinary transactions are refused now (disk full), and why. */
bool weir_log_is_read_only(struct weir_log *log, struct weir_err *ret_why);

/*
 * Remove (recycle) whole segments that end at or before `upto` and whose last
 * commit is older than `older_than`. The segment being written stays. After a failure
 * the segment at fault can no longer be read, but is back at the next opening unless
 * a later call removes its file.
 * Errors: WEIR_E_IO.
 */
WEIR_MUST_CHECK enum weir_rc weir_log_trim(struct weir_log *log, struct weir_pos upto,
        struct weir_time older_than, struct weir_err *err);

/*
 * The position just before the first group committed at or after a time: reading after
 * it begins there. The end when there is none.
 * Errors: WEIR_E_IO, WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_log_find_time(struct weir_log *log, struct weir_time time,
        struct weir_pos *ret_after, struct weir_err *err);

/* --- reading ---------------------------------------------------------------- */

enum {
    WEIR_LOG_ANY_SHARD = -1,
};

/* What a reader wants. */
struct weir_log_filter {
    bool everything; /* all changes (replay); else only in_stream records of space and shard */
    uint32_t space;
    int32_t shard; /* or WEIR_LOG_ANY_SHARD */
};

/*
 * Make a reader that begins with the first change past `after`. Creation opens
 * nothing and cannot fail.
 */
struct weir_log_reader *weir_log_reader_create(
        struct weir_log *log, struct weir_log_filter filter, struct weir_pos after);
void weir_log_reader_destroy(struct weir_log_reader *reader);

/*
 * The next change, in commit order, with its commit time. At the published end
 * *ret_have is false, and a later call goes on when there is more. Segments, and
 * 256 KiB stretches of them, that hold nothing for the filter are skipped by
 * their index. Readers near the end read memory, not the disk.
 *
 * Errors: WEIR_E_TRIMMED (the position is older than what is kept; the reader then
 * stands at the oldest), WEIR_E_IO, WEIR_E_DAMAGED.
 * Cost: O(bytes of the stretches that hold a match).
 */
WEIR_MUST_CHECK enum weir_rc weir_log_next(struct weir_log_reader *reader,
        struct weir_change *ret_change, struct weir_time *ret_time, bool *ret_have,
        struct weir_err *err);

/*
 * How far the reader has looked: every matching change at or before it was handed
 * out. Moves on over stretches without a match, so it can serve as a checkpoint.
 */
struct weir_pos weir_log_reader_pos(const struct weir_log_reader *reader);

/*
 * How many records a reader of one shard has not handed out. From the indexes, which count a
 * segment: exact but for a reader that began in the middle of the segment it still reads.
 */
struct weir_log_count {
    uint64_t least;
    uint64_t most;
};

/* Cost: O(segments). For a reader of one shard. */
void weir_log_reader_behind(struct weir_log_reader *reader, struct weir_log_count *ret_behind);

/* What a reader has missed: changes between two positions that are no longer kept. */
struct weir_log_gap {
    struct weir_pos from;     /* every match at or before it was handed out */
    struct weir_pos to;       /* what is kept begins here */
    struct weir_time to_time; /* commit time of the last group that is gone; 0: not known */
    bool counted;             /* else nothing is known about the number */
    struct weir_log_count records;
};

/*
 * Whether what the reader is to read next is still kept; when not, it is moved to the oldest.
 * Errors: WEIR_E_TRIMMED.
 */
WEIR_MUST_CHECK enum weir_rc weir_log_reader_check(
        struct weir_log_reader *reader, struct weir_err *err);

/* What the reader's last WEIR_E_TRIMMED was about. */
struct weir_log_gap weir_log_reader_gap(const struct weir_log_reader *reader);

/* First, last and number of a stream's records that can still be read, from the indexes. */
struct weir_log_extent {
    uint64_t count;
    struct weir_pos first;
    struct weir_pos last;
};
void weir_log_extent(
        struct weir_log *log, uint32_t space, int32_t shard, struct weir_log_extent *ret_extent);

#endif
