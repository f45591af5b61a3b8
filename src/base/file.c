#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

struct system_file {
    struct weir_file base;
    int fd;
    char *path; /* owned, for messages */
};

static struct system_file *from_base(struct weir_file *file)
{
    return WEIR_CONTAINER(file, struct system_file, base);
}

static enum weir_rc fail_errno(
        struct weir_err *err, const char *what, const char *path, int error_number)
{
    enum weir_rc rc = WEIR_E_IO;
    if (error_number == ENOENT) {
        rc = WEIR_E_NOT_FOUND;
    } else if (error_number == ENOSPC || error_number == EDQUOT) {
        rc = WEIR_E_READ_ONLY;
    }
    char reason[96];
    return weir_fail(err, rc, "cannot %s %s: %s", what, path,
            strerror_r(error_number, reason, sizeof(reason)));
}

static enum weir_rc system_open(struct weir_fs *fs, const char *path, enum weir_open how,
        struct weir_file **ret_file, struct weir_err *err)
{
    int flags = O_CLOEXEC | (how == WEIR_OPEN_READ ? O_RDONLY : O_RDWR) |
                (how == WEIR_OPEN_CREATE ? O_CREAT : 0);
    int fd = open(path, flags, 0600);
    if (fd < 0) {
        return fail_errno(err, "open", path, errno);
    }
    struct system_file *file = weir_alloc_zero(1, sizeof(*file));
    file->base.fs = fs;
    file->fd = fd;
    file->path = weir_strndup(path, strlen(path));
    *ret_file = &file->base;
    return WEIR_OK;
}

static void system_close(struct weir_file *base)
{
    struct system_file *file = from_base(base);
    close(file->fd);
    weir_free(file->path);
    weir_free(file);
}

static enum weir_rc system_read(struct weir_file *base, uint64_t offset, void *p, size_t n,
        size_t *ret_read, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(file->fd, (char *)p + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno(err, "read", file->path, errno);
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    *ret_read = done;
    return WEIR_OK;
}

static enum weir_rc system_write(
        struct weir_file *base, uint64_t offset, const void *p, size_t n, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    size_t done = 0;
    while (done < n) {
        ssize_t put = pwrite(file->fd, (const char *)p + done, n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return fail_errno(err, "write", file->path, errno);
        }
        done += (size_t)put;
    }
    return WEIR_OK;
}

static enum weir_rc system_sync(struct weir_file *base, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    if (fdatasync(file->fd) != 0) {
        return fail_errno(err, "sync", file->path, errno);
    }
    return WEIR_OK;
}

static enum weir_rc system_size(struct weir_file *base, uint64_t *ret_bytes, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    struct stat st;
    if (fstat(file->fd, &st) != 0) {
        return fail_errno(err, "stat", file->path, errno);
    }
    *ret_bytes = (uint64_t)st.st_size;
    return WEIR_OK;
}

static enum weir_rc system_truncate(struct weir_file *base, uint64_t bytes, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    if (ftruncate(file->fd, (off_t)bytes) != 0) {
        return fail_errno(err, "truncate", file->path, errno);
    }
    return WEIR_OK;
}

static enum weir_rc system_rename(
        struct weir_fs *fs, const char *from, const char *to, struct weir_err *err)
{
    (void)fs;
    if (rename(from, to) != 0) {
        return fail_errno(err, "rename", from, errno);
    }
    return WEIR_OK;
}

static enum weir_rc system_remove(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    (void)fs;
    if (unlink(path) != 0 && errno != ENOENT) {
        return fail_errno(err, "remove", path, errno);
    }
    return WEIR_OK;
}

static enum weir_rc system_make_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    (void)fs;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fail_errno(err, "make folder", path, errno);
    }
    return WEIR_OK;
}

static enum weir_rc system_sync_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    (void)fs;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return fail_errno(err, "open folder", path, errno);
    }
    int error_number = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return error_number == 0 ? WEIR_OK : fail_errno(err, "sync folder", path, error_number);
}

static enum weir_rc system_list(struct weir_fs *fs, const char *path,
        void (*each)(void *arg, const char *name), void *arg, struct weir_err *err)
{
    (void)fs;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return fail_errno(err, "list", path, errno);
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            each(arg, entry->d_name);
        }
        errno = 0;
    }
    int error_number = errno;
    closedir(dir);
    return error_number == 0 ? WEIR_OK : fail_errno(err, "list", path, error_number);
}

static enum weir_rc system_lock(struct weir_file *base, struct weir_err *err)
{
    struct system_file *file = from_base(base);
    if (flock(file->fd, LOCK_EX | LOCK_NB) == 0) {
        return WEIR_OK;
    }
    if (errno == EWOULDBLOCK) {
        return weir_fail(err, WEIR_E_LOCKED, "%s is held by another process", file->path);
    }
    return fail_errno(err, "lock", file->path, errno);
}

static enum weir_rc system_space(struct weir_fs *fs, const char *path, uint64_t *ret_free,
        uint64_t *ret_total, struct weir_err *err)
{
    (void)fs;
    struct statvfs st;
    if (statvfs(path, &st) != 0) {
        return fail_errno(err, "stat disk of", path, errno);
    }
    *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
    return WEIR_OK;
}

struct weir_fs *weir_fs_system(void)
{
    static const struct weir_fs_ops ops = {
        .open = system_open,
        .close = system_close,
        .read = system_read,
        .write = system_write,
        .sync = system_sync,
        .size = system_size,
        .truncate = system_truncate,
        .rename = system_rename,
        .remove = system_remove,
        .make_dir = system_make_dir,
        .sync_dir = system_sync_dir,
        .list = system_list,
        .lock = system_lock,
        .space = system_space,
    };
    static struct weir_fs fs = { &ops };
    return &fs;
}

void weir_fs_destroy(struct weir_fs *fs)
{
    if (fs != NULL && fs->ops->destroy != NULL) {
        fs->ops->destroy(fs);
    }
}

void weir_file_destroy(struct weir_file *file)
{
    if (file != NULL) {
        file->fs->ops->close(file);
    }
}

enum weir_rc weir_file_read_all(
        struct weir_file *file, uint64_t offset, void *p, size_t n, struct weir_err *err)
{
    size_t got = 0;
    enum weir_rc rc = file->fs->ops->read(file, offset, p, n, &got, err);
    if (rc == WEIR_OK && got < n) {
        rc = weir_fail(err, WEIR_E_DAMAGED, "file ends at %llu, %zu bytes were expected there",
                (unsigned long long)offset + got, n - got);
    }
    return rc;
}
