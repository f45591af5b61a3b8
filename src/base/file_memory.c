/* A file system in memory: names in a table, each file one growing block. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/lock.h"
#include "base/mem.h"

/*
 * Uthash stops the process when memory is out, as weir_alloc does. Its own hash function falls
 * through cases in a way that clang warns about.
 */
#define HASH_FUNCTION(key, length, ret_hash) ((ret_hash) = (unsigned)weir_hash64(0, key, length))
#include <uthash.h>

struct node {
    char *path; /* owned; the key */
    char *data; /* owned */
    uint64_t size;
    uint64_t capacity;
    unsigned open_count; /* a removed node lives until its last file is closed */
    bool removed;
    bool locked;
    UT_hash_handle hh;
};

struct memory_fs {
    struct weir_fs base;
    struct weir_mutex mutex;
    struct node *nodes;
};

struct memory_file {
    struct weir_file base;
    struct node *node;
    bool holds_lock;
};

static struct memory_fs *fs_from_base(struct weir_fs *fs)
{
    return WEIR_CONTAINER(fs, struct memory_fs, base);
}

static struct memory_file *file_from_base(struct weir_file *file)
{
    return WEIR_CONTAINER(file, struct memory_file, base);
}

static struct node *find(struct memory_fs *fs, const char *path)
{
    struct node *node = NULL;
    HASH_FIND_STR(fs->nodes, path, node);
    return node;
}

static void free_node(struct node *node)
{
    weir_free(node->path);
    weir_free(node->data);
    weir_free(node);
}

static void unlink_node(struct memory_fs *fs, struct node *node)
{
    HASH_DEL(fs->nodes, node);
    node->removed = true;
    if (node->open_count == 0) {
        free_node(node);
    }
}

static enum weir_rc memory_open(struct weir_fs *base, const char *path, enum weir_open how,
        struct weir_file **ret_file, struct weir_err *err)
{
    struct memory_fs *fs = fs_from_base(base);
    weir_mutex_lock(&fs->mutex);
    struct node *node = find(fs, path);
    if (node == NULL && how != WEIR_OPEN_CREATE) {
        weir_mutex_unlock(&fs->mutex);
        return weir_fail(err, WEIR_E_NOT_FOUND, "cannot open %s: no such file in memory", path);
    }
    if (node == NULL) {
        node = weir_alloc_zero(1, sizeof(*node));
        node->path = weir_strndup(path, strlen(path));
        HASH_ADD_KEYPTR(hh, fs->nodes, node->path, strlen(node->path), node);
    }
    node->open_count++;
    weir_mutex_unlock(&fs->mutex);
    struct memory_file *file = weir_alloc_zero(1, sizeof(*file));
    file->base.fs = base;
    file->node = node;
    *ret_file = &file->base;
    return WEIR_OK;
}

static void memory_close(struct weir_file *base)
{
    struct memory_file *file = file_from_base(base);
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    if (file->holds_lock) {
        file->node->locked = false;
    }
    file->node->open_count--;
    if (file->node->removed && file->node->open_count == 0) {
        free_node(file->node);
    }
    weir_mutex_unlock(&fs->mutex);
    weir_free(file);
}

static enum weir_rc memory_read(struct weir_file *base, uint64_t offset, void *p, size_t n,
        size_t *ret_read, struct weir_err *err)
{
    (void)err;
    struct node *node = file_from_base(base)->node;
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    size_t got = 0;
    if (offset < node->size) {
        got = node->size - offset < n ? (size_t)(node->size - offset) : n;
        memcpy(p, node->data + offset, got);
    }
    weir_mutex_unlock(&fs->mutex);
    *ret_read = got;
    return WEIR_OK;
}

static void resize(struct node *node, uint64_t size)
{
    if (size > node->capacity) {
        uint64_t capacity = node->capacity > 0 ? node->capacity : 4096;
        while (capacity < size) {
            capacity *= 2;
        }
        node->data = weir_realloc(node->data, (size_t)capacity, 1);
        node->capacity = capacity;
    }
    if (size > node->size) {
        memset(node->data + node->size, 0, (size_t)(size - node->size));
    }
    node->size = size;
}

static enum weir_rc memory_write(
        struct weir_file *base, uint64_t offset, const void *p, size_t n, struct weir_err *err)
{
    (void)err;
    struct node *node = file_from_base(base)->node;
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    if (offset + n > node->size) {
        resize(node, offset + n);
    }
    if (n > 0) {
        memcpy(node->data + offset, p, n);
    }
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_sync(struct weir_file *base, struct weir_err *err)
{
    (void)base;
    (void)err;
    return WEIR_OK;
}

static enum weir_rc memory_size(struct weir_file *base, uint64_t *ret_bytes, struct weir_err *err)
{
    (void)err;
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    *ret_bytes = file_from_base(base)->node->size;
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_truncate(struct weir_file *base, uint64_t bytes, struct weir_err *err)
{
    (void)err;
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    resize(file_from_base(base)->node, bytes);
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_rename(
        struct weir_fs *base, const char *from, const char *to, struct weir_err *err)
{
    struct memory_fs *fs = fs_from_base(base);
    weir_mutex_lock(&fs->mutex);
    struct node *node = find(fs, from);
    if (node == NULL) {
        weir_mutex_unlock(&fs->mutex);
        return weir_fail(err, WEIR_E_NOT_FOUND, "cannot rename %s: no such file in memory", from);
    }
    struct node *target = find(fs, to);
    if (target != NULL && target != node) {
        unlink_node(fs, target);
    }
    HASH_DEL(fs->nodes, node);
    weir_free(node->path);
    node->path = weir_strndup(to, strlen(to));
    HASH_ADD_KEYPTR(hh, fs->nodes, node->path, strlen(node->path), node);
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_remove(struct weir_fs *base, const char *path, struct weir_err *err)
{
    (void)err;
    struct memory_fs *fs = fs_from_base(base);
    weir_mutex_lock(&fs->mutex);
    struct node *node = find(fs, path);
    if (node != NULL) {
        unlink_node(fs, node);
    }
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_make_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    (void)fs;
    (void)path;
    (void)err;
    return WEIR_OK;
}

static enum weir_rc memory_list(struct weir_fs *base, const char *path,
        void (*each)(void *arg, const char *name), void *arg, struct weir_err *err)
{
    (void)err;
    struct memory_fs *fs = fs_from_base(base);
    size_t n = strlen(path);
    weir_mutex_lock(&fs->mutex);
    for (struct node *node = fs->nodes; node != NULL; node = node->hh.next) {
        if (strncmp(node->path, path, n) == 0 && node->path[n] == '/' &&
                strchr(node->path + n + 1, '/') == NULL) {
            each(arg, node->path + n + 1);
        }
    }
    weir_mutex_unlock(&fs->mutex);
    return WEIR_OK;
}

static enum weir_rc memory_lock(struct weir_file *base, struct weir_err *err)
{
    struct memory_file *file = file_from_base(base);
    struct memory_fs *fs = fs_from_base(base->fs);
    weir_mutex_lock(&fs->mutex);
    bool taken = file->node->locked && !file->holds_lock;
    if (!taken) {
        file->node->locked = true;
        file->holds_lock = true;
    }
    weir_mutex_unlock(&fs->mutex);
    return taken ? weir_fail(err, WEIR_E_LOCKED, "%s is locked", file->node->path) : WEIR_OK;
}

static enum weir_rc memory_space(struct weir_fs *fs, const char *path, uint64_t *ret_free,
        uint64_t *ret_total, struct weir_err *err)
{
    (void)fs;
    (void)path;
    (void)err;
    *ret_total = (uint64_t)1 << 40;
    *ret_free = (uint64_t)1 << 39;
    return WEIR_OK;
}

static void memory_destroy(struct weir_fs *base)
{
    struct memory_fs *fs = fs_from_base(base);
    struct node *node = NULL;
    struct node *next = NULL;
    HASH_ITER(hh, fs->nodes, node, next)
    {
        HASH_DEL(fs->nodes, node);
        weir_assert(node->open_count == 0);
        free_node(node);
    }
    weir_mutex_fini(&fs->mutex);
    weir_free(fs);
}

struct weir_fs *weir_fs_memory_create(void)
{
    static const struct weir_fs_ops ops = {
        .open = memory_open,
        .close = memory_close,
        .read = memory_read,
        .write = memory_write,
        .sync = memory_sync,
        .size = memory_size,
        .truncate = memory_truncate,
        .rename = memory_rename,
        .remove = memory_remove,
        .make_dir = memory_make_dir,
        .sync_dir = memory_make_dir,
        .list = memory_list,
        .lock = memory_lock,
        .space = memory_space,
        .destroy = memory_destroy,
    };
    struct memory_fs *fs = weir_alloc_zero(1, sizeof(*fs));
    fs->base.ops = &ops;
    weir_mutex_init(&fs->mutex, WEIR_LOCK_FILE_MEMORY);
    return &fs->base;
}

struct weir_fs *weir_fs_memory_copy(struct weir_fs *base)
{
    struct memory_fs *fs = fs_from_base(base);
    struct weir_fs *copy = weir_fs_memory_create();
    weir_mutex_lock(&fs->mutex);
    for (const struct node *node = fs->nodes; node != NULL; node = node->hh.next) {
        struct node *twin = weir_alloc_zero(1, sizeof(*twin));
        twin->path = weir_strndup(node->path, strlen(node->path));
        resize(twin, node->size);
        if (node->size > 0) {
            memcpy(twin->data, node->data, (size_t)node->size);
        }
        HASH_ADD_KEYPTR(hh, fs_from_base(copy)->nodes, twin->path, strlen(twin->path), twin);
    }
    weir_mutex_unlock(&fs->mutex);
    return copy;
}
