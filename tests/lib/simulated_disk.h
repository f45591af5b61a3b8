/*
 * A disk for tests that keeps apart what was written and what is durable. After a
 * power cut everything synced is there, and of everything else an arbitrary
 * part: sectors of 512 bytes of file contents, and steps in folders.
 *
 *     create -> (use as struct weir_fs) -> crash_at or fail -> cut -> a new disk
 *
 * A sync that fails leaves its sectors in limbo, as Linux does: reads show them,
 * later syncs pass them over, a power cut may lose them, and only writing them again
 * helps.
 */
#ifndef WEIR_TESTS_LIB_SIMULATED_DISK_H
#define WEIR_TESTS_LIB_SIMULATED_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "base/random.h"

struct weir_simulated_disk;

/* Operations that change something, each counted. */
enum weir_disk_operation {
    WEIR_DISK_WRITE,
    WEIR_DISK_SYNC,
    WEIR_DISK_CREATE, /* open that makes a file */
    WEIR_DISK_TRUNCATE,
    WEIR_DISK_RENAME,
    WEIR_DISK_REMOVE,
    WEIR_DISK_MAKE_DIR,
    WEIR_DISK_SYNC_DIR,
    WEIR_DISK_LIST, /* changes nothing, but can be made to fail */
    WEIR_DISK_OPERATIONS,
};

enum weir_disk_cut {
    WEIR_DISK_DROP,   /* nothing unsynced survives */
    WEIR_DISK_KEEP,   /* all of it does */
    WEIR_DISK_RANDOM, /* any part of it */
};

/* An empty disk. Destroy with weir_fs_destroy(weir_simulated_disk_fs(disk)). */
struct weir_simulated_disk *weir_simulated_disk_create(void);
struct weir_fs *weir_simulated_disk_fs(struct weir_simulated_disk *disk);

/* What a power cut leaves, as a new disk; the old one stays. */
struct weir_simulated_disk *weir_simulated_disk_cut(
        struct weir_simulated_disk *disk, struct weir_random *random, enum weir_disk_cut how);

/* Stop at the nth operation from now on (1: the next); 0: never. It and all later calls fail. */
void weir_simulated_disk_crash_at(struct weir_simulated_disk *disk, uint64_t nth);
bool weir_simulated_disk_crashed(struct weir_simulated_disk *disk);

/* The process died but the machine lives: calls work again, nothing is lost. */
void weir_simulated_disk_revive(struct weir_simulated_disk *disk);

/* Let the nth operation of a kind from now on fail once with rc. */
void weir_simulated_disk_fail(struct weir_simulated_disk *disk, enum weir_disk_operation operation,
        uint64_t nth, enum weir_rc rc);

/* Bytes by which files may still grow. */
void weir_simulated_disk_set_free(struct weir_simulated_disk *disk, uint64_t bytes);

/* Counters since creation: operations of a kind, all operations, bytes read. */
uint64_t weir_simulated_disk_count(
        struct weir_simulated_disk *disk, enum weir_disk_operation operation);
uint64_t weir_simulated_disk_operations(struct weir_simulated_disk *disk);
uint64_t weir_simulated_disk_bytes_read(struct weir_simulated_disk *disk);

#endif
