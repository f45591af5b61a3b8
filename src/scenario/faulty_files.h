/*
 * Files that can be made to fail, in front of files in memory: for tests that want to see what a
 * full or broken disk does. Any thread may use the files; one thread breaks them.
 */
#ifndef WEIR_SCENARIO_FAULTY_FILES_H
#define WEIR_SCENARIO_FAULTY_FILES_H

#include "base/file.h"

/* Make a file system with its own files in memory. The caller destroys it with weir_fs_destroy. */
struct weir_fs *weir_faulty_files_create(void);

/*
 * A copy of all files as they are now: what a process that dies at this moment leaves behind. The
 * copy works.
 */
struct weir_fs *weir_faulty_files_copy(struct weir_fs *fs);

/* From now on writing fails with `rc` (WEIR_E_READ_ONLY: the disk is full); WEIR_OK: it works. */
void weir_faulty_files_fail(struct weir_fs *fs, enum weir_rc rc);

#endif
