#include "scenario/faulty_files.h"

#include <stdatomic.h>

#include "base/mem.h"

struct faulty_fs {
    struct weir_fs base;
    struct weir_fs *inner; /* owned */
    _Atomic int rc;        /* of writes; WEIR_OK: they work */
};

struct faulty_file {
    struct weir_file base;
    struct weir_file *inner; /* owned */
};

static struct faulty_fs *fs_from_base(struct weir_fs *fs)
{
    return WEIR_CONTAINER(fs, struct faulty_fs, base);
}

static struct weir_file *inner_of(struct weir_file *file)
{
    return WEIR_CONTAINER(file, struct faulty_file, base)->inner;
}

/* WEIR_OK, or the error of the moment. */
static enum weir_rc try_to_write(struct weir_fs *fs, struct weir_err *err)
{
    enum weir_rc rc = (enum weir_rc)atomic_load(&fs_from_base(fs)->rc);
    if (rc == WEIR_OK) {
        return WEIR_OK;
    }
    return weir_fail(err, rc, "%s",
            rc == WEIR_E_READ_ONLY ? "no space left on the disk (a fault of the test)"
                                   : "the disk fails (a fault of the test)");
}

static enum weir_rc faulty_open(struct weir_fs *fs, const char *path, enum weir_open how,
        struct weir_file **ret_file, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    struct weir_file *opened = NULL;
    enum weir_rc rc = inner->ops->open(inner, path, how, &opened, err);
    if (rc == WEIR_OK) {
        struct faulty_file *file = weir_alloc_zero(1, sizeof(*file));
        file->base.fs = fs;
        file->inner = opened;
        *ret_file = &file->base;
    }
    return rc;
}

static void faulty_close(struct weir_file *file)
{
    weir_file_destroy(inner_of(file));
    weir_free(WEIR_CONTAINER(file, struct faulty_file, base));
}

static enum weir_rc faulty_read(struct weir_file *file, uint64_t offset, void *p, size_t n,
        size_t *ret_read, struct weir_err *err)
{
    struct weir_file *inner = inner_of(file);
    return inner->fs->ops->read(inner, offset, p, n, ret_read, err);
}

static enum weir_rc faulty_write(
        struct weir_file *file, uint64_t offset, const void *p, size_t n, struct weir_err *err)
{
    struct weir_file *inner = inner_of(file);
    enum weir_rc rc = try_to_write(file->fs, err);
    return rc == WEIR_OK ? inner->fs->ops->write(inner, offset, p, n, err) : rc;
}

static enum weir_rc faulty_sync(struct weir_file *file, struct weir_err *err)
{
    /* A full disk keeps what it has taken. */
    struct weir_file *inner = inner_of(file);
    enum weir_rc rc = try_to_write(file->fs, err);
    return rc == WEIR_OK || rc == WEIR_E_READ_ONLY ? inner->fs->ops->sync(inner, err) : rc;
}

static enum weir_rc faulty_size(struct weir_file *file, uint64_t *ret_bytes, struct weir_err *err)
{
    struct weir_file *inner = inner_of(file);
    return inner->fs->ops->size(inner, ret_bytes, err);
}

static enum weir_rc faulty_truncate(struct weir_file *file, uint64_t bytes, struct weir_err *err)
{
    struct weir_file *inner = inner_of(file);
    enum weir_rc rc = try_to_write(file->fs, err);
    return rc == WEIR_OK ? inner->fs->ops->truncate(inner, bytes, err) : rc;
}

static enum weir_rc faulty_rename(
        struct weir_fs *fs, const char *from, const char *to, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->rename(inner, from, to, err);
}

static enum weir_rc faulty_remove(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->remove(inner, path, err);
}

static enum weir_rc faulty_make_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->make_dir(inner, path, err);
}

static enum weir_rc faulty_sync_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->sync_dir(inner, path, err);
}

static enum weir_rc faulty_list(struct weir_fs *fs, const char *path,
        void (*each)(void *arg, const char *name), void *arg, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->list(inner, path, each, arg, err);
}

static enum weir_rc faulty_lock(struct weir_file *file, struct weir_err *err)
{
    struct weir_file *inner = inner_of(file);
    return inner->fs->ops->lock(inner, err);
}

static enum weir_rc faulty_space(struct weir_fs *fs, const char *path, uint64_t *ret_free,
        uint64_t *ret_total, struct weir_err *err)
{
    struct weir_fs *inner = fs_from_base(fs)->inner;
    return inner->ops->space(inner, path, ret_free, ret_total, err);
}

static void faulty_destroy(struct weir_fs *fs)
{
    weir_fs_destroy(fs_from_base(fs)->inner);
    weir_free(fs_from_base(fs));
}

static const struct weir_fs_ops faulty_ops = {
    .open = faulty_open,
    .close = faulty_close,
    .read = faulty_read,
    .write = faulty_write,
    .sync = faulty_sync,
    .size = faulty_size,
    .truncate = faulty_truncate,
    .rename = faulty_rename,
    .remove = faulty_remove,
    .make_dir = faulty_make_dir,
    .sync_dir = faulty_sync_dir,
    .list = faulty_list,
    .lock = faulty_lock,
    .space = faulty_space,
    .destroy = faulty_destroy,
};

static struct weir_fs *create_around(struct weir_fs *inner)
{
    struct faulty_fs *fs = weir_alloc_zero(1, sizeof(*fs));
    fs->base.ops = &faulty_ops;
    fs->inner = inner;
    return &fs->base;
}

struct weir_fs *weir_faulty_files_create(void)
{
    return create_around(weir_fs_memory_create());
}

struct weir_fs *weir_faulty_files_copy(struct weir_fs *fs)
{
    return create_around(weir_fs_memory_copy(fs_from_base(fs)->inner));
}

void weir_faulty_files_fail(struct weir_fs *fs, enum weir_rc rc)
{
    atomic_store(&fs_from_base(fs)->rc, rc);
}
