/* The data folder's lock and format: looked at before anything else is touched. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "store/store_int.h"

enum { FORMAT_VERSION = 1, FORMAT_TEXT_BYTES = 512, PATH_BYTES = 4096 };

/* Feature bits this weir can read. A folder with any other is refused. */
static const uint64_t known_features = 0;

/* Make it durable that the folder is in its parent: all that is in it hangs on that. */
static enum weir_rc sync_parent(struct weir_fs *fs, const char *dir, struct weir_err *err)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') {
        n--;
    }
    while (n > 0 && dir[n - 1] != '/') {
        n--;
    }
    while (n > 1 && dir[n - 1] == '/') {
        n--;
    }
    char parent[PATH_BYTES];
    snprintf(parent, sizeof(parent), "%.*s", n > 0 ? (int)n : 1, n > 0 ? dir : ".");
    return fs->ops->sync_dir(fs, parent, err);
}

static enum weir_rc write_format(struct weir_fs *fs, const char *dir, struct weir_err *err)
{
    char text[FORMAT_TEXT_BYTES];
    int n = snprintf(text, sizeof(text),
            "weir-data\nversion %d\nfeatures %016" PRIx64 "\nneeds %s\n", FORMAT_VERSION,
            known_features, WEIR_VERSION);
    char temporary[PATH_BYTES];
    char path[PATH_BYTES];
    snprintf(temporary, sizeof(temporary), "%s/FORMAT.new", dir);
    snprintf(path, sizeof(path), "%s/FORMAT", dir);
    struct weir_file *file = NULL;
    enum weir_rc rc = sync_parent(fs, dir, err);
    if (rc == WEIR_OK) {
        rc = fs->ops->open(fs, temporary, WEIR_OPEN_CREATE, &file, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = fs->ops->write(file, 0, text, (size_t)n, err);
    if (rc == WEIR_OK) {
        weir_crash_point("folder.format_written");
        rc = fs->ops->sync(file, err);
    }
    weir_file_destroy(file);
    if (rc == WEIR_OK) {
        rc = fs->ops->rename(fs, temporary, path, err);
    }
    if (rc == WEIR_OK) {
        weir_crash_point("folder.format_renamed");
        rc = fs->ops->sync_dir(fs, dir, err);
    }
    return rc;
}

static enum weir_rc check_format(const char *dir, const char *text, struct weir_err *err)
{
    unsigned version = 0;
    uint64_t features = 0;
    char needs[32] = "";
    const char *at = text;
    if (strncmp(at, "weir-data\nversion ", 18) != 0) {
        return weir_fail(err, WEIR_E_FORMAT, "%s/FORMAT is not a weir data folder's", dir);
    }
    char *end = NULL;
    version = (unsigned)strtoul(at + 18, &end, 10);
    if (strncmp(end, "\nfeatures ", 10) == 0) {
        features = strtoull(end + 10, &end, 16);
    }
    if (strncmp(end, "\nneeds ", 7) == 0) {
        size_t n = strcspn(end + 7, "\n");
        snprintf(needs, sizeof(needs), "%.*s", (int)(n < 31 ? n : 31), end + 7);
    }
    if (version != FORMAT_VERSION || (features & ~known_features) != 0) {
        return weir_fail(err, WEIR_E_FORMAT,
                "data folder %s has format version %u, features %" PRIx64
                ": it needs weir %s or later, this is %s",
                dir, version, features, needs[0] != '\0' ? needs : "(unknown)", WEIR_VERSION);
    }
    return WEIR_OK;
}

static enum weir_rc read_format(struct weir_fs *fs, const char *dir, struct weir_err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/FORMAT", dir);
    struct weir_file *file = NULL;
    enum weir_rc rc = fs->ops->open(fs, path, WEIR_OPEN_READ, &file, err);
    if (rc == WEIR_E_NOT_FOUND) {
        return write_format(fs, dir, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    char text[FORMAT_TEXT_BYTES] = "";
    size_t n = 0;
    rc = fs->ops->read(file, 0, text, sizeof(text) - 1, &n, err);
    weir_file_destroy(file);
    return rc == WEIR_OK ? check_format(dir, text, err) : rc;
}

enum weir_rc weir_folder_take(
        struct weir_fs *fs, const char *dir, struct weir_file **ret_lock, struct weir_err *err)
{
    if (strlen(dir) > PATH_BYTES - 64) {
        return weir_fail(err, WEIR_E_INVALID, "the data folder's path is too long");
    }
    enum weir_rc rc = fs->ops->make_dir(fs, dir, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/LOCK", dir);
    struct weir_file *lock = NULL;
    rc = fs->ops->open(fs, path, WEIR_OPEN_CREATE, &lock, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = fs->ops->lock(lock, err);
    if (rc == WEIR_E_LOCKED) {
        rc = weir_fail(
                err, WEIR_E_LOCKED, "another weir runs on the data folder %s; stop it first", dir);
    }
    if (rc == WEIR_OK) {
        rc = read_format(fs, dir, err);
    }
    if (rc != WEIR_OK) {
        weir_file_destroy(lock);
        return rc;
    }
    *ret_lock = lock;
    return WEIR_OK;
}
