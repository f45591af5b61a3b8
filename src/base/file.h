/*
 * File input and output as a table of calls, so that the log can run on the
 * machine's disk, in memory (`data: memory`), or on a simulated disk that loses,
 * tears and reorders whatever was not synced (tests).
 *
 * Paths are relative to the working directory or absolute, zero-terminated.
 * Every call may be made from any thread; one file is not closed while used.
 * Errors of all calls: WEIR_E_IO with the path and the system's reason,
 * WEIR_E_NOT_FOUND where the file is missing, WEIR_E_READ_ONLY when the disk is
 * full (ENOSPC, EDQUOT), WEIR_E_LOCKED from lock.
 */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct weir_fs;

/* An open file; implementations embed it first. */
struct weir_file {
    struct weir_fs *fs;
};

enum weir_open {
    WEIR_OPEN_READ,   /* must exist */
    WEIR_OPEN_WRITE,  /* read and write, must exist */
    WEIR_OPEN_CREATE, /* read and write, made if missing, content kept */
};

struct weir_fs_ops {
    enum weir_rc (*open)(struct weir_fs *fs, const char *path, enum weir_open how,
            struct weir_file **ret_file, struct weir_err *err);
    void (*close)(struct weir_file *file);
    /* Read up to n bytes; fewer only at the end of the file. */
    enum weir_rc (*read)(struct weir_file *file, uint64_t offset, void *p, size_t n,
            size_t *ret_read, struct weir_err *err);
    /* Write all n bytes or fail; a failed write may have written any part. */
    enum weir_rc (*write)(
            struct weir_file *file, uint64_t offset, const void *p, size_t n, struct weir_err *err);
    /* Make written data durable (fdatasync). After a failure what is durable is unknown. */
    enum weir_rc (*sync)(struct weir_file *file, struct weir_err *err);
    enum weir_rc (*size)(struct weir_file *file, uint64_t *ret_bytes, struct weir_err *err);
    /* Cut or extend (with zeros). */
    enum weir_rc (*truncate)(struct weir_file *file, uint64_t bytes, struct weir_err *err);
    /* Replaces the target atomically. Durable only after sync_dir of the folder. */
    enum weir_rc (*rename)(
            struct weir_fs *fs, const char *from, const char *to, struct weir_err *err);
    /* A missing file is no error. */
    enum weir_rc (*remove)(struct weir_fs *fs, const char *path, struct weir_err *err);
    /* Make a folder; one that exists is no error. */
    enum weir_rc (*make_dir)(struct weir_fs *fs, const char *path, struct weir_err *err);
    /* Make creations, renames and removals in a folder durable. */
    enum weir_rc (*sync_dir)(struct weir_fs *fs, const char *path, struct weir_err *err);
    /* Call each with every name in a folder, in no order. */
    enum weir_rc (*list)(struct weir_fs *fs, const char *path,
            void (*each)(void *arg, const char *name), void *arg, struct weir_err *err);
    /* Hold an exclusive lock on an open file until it is closed; never waits. */
    enum weir_rc (*lock)(struct weir_file *file, struct weir_err *err);
    /* Bytes an ordinary user may still write to the disk that holds path, and its size. */
    enum weir_rc (*space)(struct weir_fs *fs, const char *path, uint64_t *ret_free,
            uint64_t *ret_total, struct weir_err *err);
    /* Only for file systems that were created; NULL for the machine's. */
    void (*destroy)(struct weir_fs *fs);
};

struct weir_fs {
    const struct weir_fs_ops *ops;
};

/* The machine's file system. Static, never destroyed. */
struct weir_fs *weir_fs_system(void);

/* An empty file system in memory; sync does nothing. The caller destroys it with weir_fs_destroy.
 */
struct weir_fs *weir_fs_memory_create(void);

/* A copy of a file system in memory, with all its files as they are now. */
struct weir_fs *weir_fs_memory_copy(struct weir_fs *base);

/* Destroy a created file system; its files must be closed. NULL and the system's are fine. */
void weir_fs_destroy(struct weir_fs *fs);

/* Close a file; NULL is fine. */
void weir_file_destroy(struct weir_file *file);

/* Read exactly n bytes. Errors: as read, and WEIR_E_DAMAGED when the file ends first. */
enum weir_rc weir_file_read_all(
        struct weir_file *file, uint64_t offset, void *p, size_t n, struct weir_err *err);

#endif
