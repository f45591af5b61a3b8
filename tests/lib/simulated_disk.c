#include "simulated_disk.h"

#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

enum { SECTOR = 512, NAMES_MAX = 64, NAME = 96 };

enum sector_state {
    CLEAN,
    DIRTY,
    LIMBO, /* a sync failed: only a new write makes it DIRTY again */
};

/* A file's content; lives as long as a name, a step or an open file refers to it: freed with the
 * disk. */
struct inode {
    uint8_t *now;
    uint8_t *durable;
    uint8_t *state; /* of each sector */
    uint64_t size;
    uint64_t durable_size;
    uint64_t capacity;
    struct inode *next; /* all of the disk */
};

struct name {
    char path[NAME];
    struct inode *inode; /* NULL: a folder */
};

struct names {
    struct name entries[NAMES_MAX];
    size_t count;
};

/* A change of a folder that is not durable yet. */
struct step {
    enum weir_disk_operation what;
    char path[NAME];
    char to[NAME];
    struct inode *inode;
};

struct weir_simulated_disk {
    struct weir_fs base;
    struct weir_mutex mutex;
    struct inode *inodes;
    struct names now;
    struct names durable;
    struct step *steps; /* owned */
    size_t step_count;
    size_t step_capacity;
    uint64_t counts[WEIR_DISK_OPERATIONS];
    uint64_t bytes_read;
    uint64_t crash_in; /* 0: never */
    bool crashed;
    uint64_t fail_in[WEIR_DISK_OPERATIONS];
    enum weir_rc fail_with[WEIR_DISK_OPERATIONS];
    uint64_t free_bytes;
};

struct disk_file {
    struct weir_file base;
    struct inode *inode;
};

static struct weir_simulated_disk *from_base(struct weir_fs *fs)
{
    return WEIR_CONTAINER(fs, struct weir_simulated_disk, base);
}

static struct inode *inode_of(struct weir_file *file)
{
    return WEIR_CONTAINER(file, struct disk_file, base)->inode;
}

/* --- names ----------------------------------------------------------------------- */

static struct name *find(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->entries[i].path, path) == 0) {
            return &names->entries[i];
        }
    }
    return NULL;
}

static void copy_path(char to[static NAME], const char *path)
{
    weir_assert(strlen(path) < NAME);
    memcpy(to, path, strlen(path) + 1);
}

static void set_name(struct names *names, const char *path, struct inode *inode)
{
    struct name *name = find(names, path);
    if (name == NULL) {
        weir_assert(names->count < NAMES_MAX);
        name = &names->entries[names->count++];
        copy_path(name->path, path);
    }
    name->inode = inode;
}

static void unset_name(struct names *names, const char *path)
{
    struct name *name = find(names, path);
    if (name != NULL) {
        *name = names->entries[--names->count];
    }
}

static bool is_in(const char *path, const char *folder)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strcmp(folder, ".") == 0;
    }
    return strlen(folder) == (size_t)(slash - path) &&
           strncmp(path, folder, (size_t)(slash - path)) == 0;
}

static void apply(struct names *names, const struct step *step)
{
    if (step->what == WEIR_DISK_RENAME) {
        struct name *from = find(names, step->path);
        if (from != NULL) {
            struct inode *inode = from->inode;
            unset_name(names, step->path);
            set_name(names, step->to, inode);
        }
    } else if (step->what == WEIR_DISK_REMOVE) {
        unset_name(names, step->path);
    } else {
        set_name(names, step->path, step->inode);
    }
}

static void take_step(struct weir_simulated_disk *disk, enum weir_disk_operation what,
        const char *path, const char *to, struct inode *inode)
{
    if (disk->step_count == disk->step_capacity) {
        disk->step_capacity = disk->step_capacity > 0 ? disk->step_capacity * 2 : 32;
        disk->steps = weir_realloc(disk->steps, disk->step_capacity, sizeof(*disk->steps));
    }
    struct step *step = &disk->steps[disk->step_count++];
    step->what = what;
    step->inode = inode;
    copy_path(step->path, path);
    copy_path(step->to, to != NULL ? to : "");
    apply(&disk->now, step);
}

/* --- contents ---------------------------------------------------------------------- */

static struct inode *new_inode(struct weir_simulated_disk *disk)
{
    struct inode *inode = weir_alloc_zero(1, sizeof(*inode));
    inode->next = disk->inodes;
    disk->inodes = inode;
    return inode;
}

static void grow(struct inode *inode, uint64_t size)
{
    if (size > inode->capacity) {
        uint64_t capacity = (size * 2 + SECTOR - 1) / SECTOR * SECTOR;
        inode->now = weir_realloc(inode->now, capacity, 1);
        inode->durable = weir_realloc(inode->durable, capacity, 1);
        inode->state = weir_realloc(inode->state, capacity / SECTOR, 1);
        memset(inode->now + inode->capacity, 0, capacity - inode->capacity);
        memset(inode->durable + inode->capacity, 0, capacity - inode->capacity);
        memset(inode->state + inode->capacity / SECTOR, CLEAN,
                (capacity - inode->capacity) / SECTOR);
        inode->capacity = capacity;
    }
    if (size > inode->size) {
        inode->size = size;
    }
}

static void mark(struct inode *inode, uint64_t offset, uint64_t n, enum sector_state state)
{
    if (n > 0) {
        memset(inode->state + offset / SECTOR, state,
                (offset + n - 1) / SECTOR - offset / SECTOR + 1);
    }
}

/* Change all sectors in a state. */
static void settle(struct inode *inode, enum sector_state from, enum sector_state to)
{
    for (uint64_t i = 0; i < inode->capacity / SECTOR; i++) {
        if (inode->state[i] == from) {
            inode->state[i] = (uint8_t)to;
            if (to == CLEAN) {
                memcpy(inode->durable + i * SECTOR, inode->now + i * SECTOR, SECTOR);
            }
        }
    }
}

/* --- operations ---------------------------------------------------------------------- */

static enum weir_rc dead(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_IO, "the disk has lost power");
}

/*
 * Count an operation and decide whether it fails: *ret_apply is set even then if it
 * may have had its effect. The mutex is held.
 */
static enum weir_rc begin(struct weir_simulated_disk *disk, enum weir_disk_operation operation,
        bool *ret_apply, struct weir_err *err)
{
    *ret_apply = false;
    if (disk->crashed) {
        return dead(err);
    }
    *ret_apply = true;
    disk->counts[operation]++;
    if (operation != WEIR_DISK_LIST && disk->crash_in > 0 && --disk->crash_in == 0) {
        disk->crashed = true;
        return dead(err);
    }
    if (disk->fail_in[operation] > 0 && --disk->fail_in[operation] == 0) {
        return weir_fail(
                err, disk->fail_with[operation], "operation %d was made to fail", (int)operation);
    }
    return WEIR_OK;
}

static enum weir_rc disk_open(struct weir_fs *fs, const char *path, enum weir_open how,
        struct weir_file **ret_file, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    enum weir_rc rc = disk->crashed ? dead(err) : WEIR_OK;
    struct name *name = find(&disk->now, path);
    if (rc == WEIR_OK && name == NULL && how != WEIR_OPEN_CREATE) {
        rc = weir_fail(err, WEIR_E_NOT_FOUND, "no file %s", path);
    }
    if (rc == WEIR_OK && name == NULL) {
        bool effect = false;
        rc = begin(disk, WEIR_DISK_CREATE, &effect, err);
        if (effect) {
            take_step(disk, WEIR_DISK_CREATE, path, NULL, new_inode(disk));
            name = find(&disk->now, path);
        }
    }
    if (rc == WEIR_OK && name != NULL) {
        struct disk_file *file = weir_alloc_zero(1, sizeof(*file));
        file->base.fs = fs;
        file->inode = name->inode;
        *ret_file = &file->base;
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static void disk_close(struct weir_file *file)
{
    weir_free(WEIR_CONTAINER(file, struct disk_file, base));
}

static enum weir_rc disk_read(struct weir_file *file, uint64_t offset, void *p, size_t n,
        size_t *ret_read, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(file->fs);
    struct inode *inode = inode_of(file);
    weir_mutex_lock(&disk->mutex);
    enum weir_rc rc = disk->crashed ? dead(err) : WEIR_OK;
    if (rc == WEIR_OK) {
        uint64_t left = offset < inode->size ? inode->size - offset : 0;
        *ret_read = left < n ? (size_t)left : n;
        if (*ret_read > 0) {
            memcpy(p, inode->now + offset, *ret_read);
        }
        disk->bytes_read += *ret_read;
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_write(
        struct weir_file *file, uint64_t offset, const void *p, size_t n, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(file->fs);
    struct inode *inode = inode_of(file);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_WRITE, &effect, err);
    uint64_t more = offset + n > inode->size ? offset + n - inode->size : 0;
    if (rc == WEIR_OK && more > disk->free_bytes) {
        rc = weir_fail(err, WEIR_E_READ_ONLY, "the disk is full");
        effect = false;
    }
    if (effect) {
        disk->free_bytes -= more < disk->free_bytes ? more : disk->free_bytes;
        grow(inode, offset + n);
        memcpy(inode->now + offset, p, n);
        mark(inode, offset, n, rc == WEIR_OK ? DIRTY : LIMBO);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_sync(struct weir_file *file, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(file->fs);
    struct inode *inode = inode_of(file);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_SYNC, &effect, err);
    if (rc == WEIR_OK) {
        settle(inode, DIRTY, CLEAN);
        inode->durable_size = inode->size;
    } else if (effect && !disk->crashed) {
        settle(inode, DIRTY, LIMBO);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_size(struct weir_file *file, uint64_t *ret_bytes, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(file->fs);
    weir_mutex_lock(&disk->mutex);
    enum weir_rc rc = disk->crashed ? dead(err) : WEIR_OK;
    if (rc == WEIR_OK) {
        *ret_bytes = inode_of(file)->size;
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_truncate(struct weir_file *file, uint64_t bytes, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(file->fs);
    struct inode *inode = inode_of(file);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_TRUNCATE, &effect, err);
    if (effect && bytes < inode->size) {
        memset(inode->now + bytes, 0, inode->size - bytes);
        mark(inode, bytes, inode->size - bytes, DIRTY);
        disk->free_bytes += inode->size - bytes;
        inode->size = bytes;
    } else if (effect) {
        grow(inode, bytes);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_rename(
        struct weir_fs *fs, const char *from, const char *to, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_RENAME, &effect, err);
    if (rc == WEIR_OK && find(&disk->now, from) == NULL) {
        rc = weir_fail(err, WEIR_E_NOT_FOUND, "no file %s", from);
    } else if (effect && (rc == WEIR_OK || disk->crashed)) {
        take_step(disk, WEIR_DISK_RENAME, from, to, NULL);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_remove(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_REMOVE, &effect, err);
    struct name *name = find(&disk->now, path);
    if (effect && name != NULL && (rc == WEIR_OK || disk->crashed)) {
        disk->free_bytes += name->inode != NULL ? name->inode->size : 0;
        take_step(disk, WEIR_DISK_REMOVE, path, NULL, NULL);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_make_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_MAKE_DIR, &effect, err);
    if (effect && find(&disk->now, path) == NULL) {
        take_step(disk, WEIR_DISK_MAKE_DIR, path, NULL, NULL);
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_sync_dir(struct weir_fs *fs, const char *path, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_SYNC_DIR, &effect, err);
    if (rc == WEIR_OK) {
        size_t kept = 0;
        for (size_t i = 0; i < disk->step_count; i++) {
            if (is_in(disk->steps[i].path, path)) {
                apply(&disk->durable, &disk->steps[i]);
            } else {
                disk->steps[kept++] = disk->steps[i];
            }
        }
        disk->step_count = kept;
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_list(struct weir_fs *fs, const char *path,
        void (*each)(void *arg, const char *name), void *arg, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    weir_mutex_lock(&disk->mutex);
    bool effect = false;
    enum weir_rc rc = begin(disk, WEIR_DISK_LIST, &effect, err);
    for (size_t i = 0; rc == WEIR_OK && i < disk->now.count; i++) {
        if (is_in(disk->now.entries[i].path, path)) {
            const char *slash = strrchr(disk->now.entries[i].path, '/');
            each(arg, slash != NULL ? slash + 1 : disk->now.entries[i].path);
        }
    }
    weir_mutex_unlock(&disk->mutex);
    return rc;
}

static enum weir_rc disk_lock(struct weir_file *file, struct weir_err *err)
{
    (void)file;
    (void)err;
    return WEIR_OK;
}

static enum weir_rc disk_space(struct weir_fs *fs, const char *path, uint64_t *ret_free,
        uint64_t *ret_total, struct weir_err *err)
{
    struct weir_simulated_disk *disk = from_base(fs);
    (void)path;
    (void)err;
    weir_mutex_lock(&disk->mutex);
    *ret_free = disk->free_bytes;
    *ret_total = UINT64_MAX / 2;
    weir_mutex_unlock(&disk->mutex);
    return WEIR_OK;
}

static void disk_destroy(struct weir_fs *fs)
{
    struct weir_simulated_disk *disk = from_base(fs);
    while (disk->inodes != NULL) {
        struct inode *inode = disk->inodes;
        disk->inodes = inode->next;
        weir_free(inode->now);
        weir_free(inode->durable);
        weir_free(inode->state);
        weir_free(inode);
    }
    weir_free(disk->steps);
    weir_mutex_fini(&disk->mutex);
    weir_free(disk);
}

/* --- for tests ---------------------------------------------------------------------------- */

struct weir_simulated_disk *weir_simulated_disk_create(void)
{
    static const struct weir_fs_ops ops = {
        .open = disk_open,
        .close = disk_close,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .size = disk_size,
        .truncate = disk_truncate,
        .rename = disk_rename,
        .remove = disk_remove,
        .make_dir = disk_make_dir,
        .sync_dir = disk_sync_dir,
        .list = disk_list,
        .lock = disk_lock,
        .space = disk_space,
        .destroy = disk_destroy,
    };
    struct weir_simulated_disk *disk = weir_alloc_zero(1, sizeof(*disk));
    disk->base.ops = &ops;
    disk->free_bytes = UINT64_MAX / 4;
    weir_mutex_init(&disk->mutex, WEIR_LOCK_FILE_MEMORY);
    return disk;
}

struct weir_fs *weir_simulated_disk_fs(struct weir_simulated_disk *disk)
{
    return &disk->base;
}

static bool survives(struct weir_random *random, enum weir_disk_cut how)
{
    return how == WEIR_DISK_KEEP || (how == WEIR_DISK_RANDOM && weir_random_below(random, 2) == 0);
}

static struct inode *cut_inode(struct weir_simulated_disk *disk, const struct inode *inode,
        struct weir_random *random, enum weir_disk_cut how)
{
    struct inode *copy = new_inode(disk);
    bool new_size = survives(random, how);
    grow(copy, new_size ? inode->size : inode->durable_size);
    for (uint64_t at = 0; at < copy->size; at += SECTOR) {
        uint64_t n = copy->size - at < SECTOR ? copy->size - at : SECTOR;
        bool keep = inode->state[at / SECTOR] == CLEAN || survives(random, how);
        memcpy(copy->now + at, (keep ? inode->now : inode->durable) + at, n);
    }
    if (copy->size > 0) {
        memcpy(copy->durable, copy->now, copy->size);
    }
    copy->durable_size = copy->size;
    return copy;
}

/* Whether all folders above a path exist. */
static bool is_reachable(struct names *names, const char *path)
{
    char folder[NAME];
    copy_path(folder, path);
    for (char *slash = strrchr(folder, '/'); slash != NULL && slash != folder;
            slash = strrchr(folder, '/')) {
        *slash = '\0';
        if (find(names, folder) == NULL) {
            return false;
        }
    }
    return true;
}

struct weir_simulated_disk *weir_simulated_disk_cut(
        struct weir_simulated_disk *disk, struct weir_random *random, enum weir_disk_cut how)
{
    struct weir_simulated_disk *copy = weir_simulated_disk_create();
    weir_mutex_lock(&disk->mutex);
    copy->free_bytes = disk->free_bytes;
    struct names *names = weir_alloc(sizeof(*names));
    *names = disk->durable;
    bool in_order =
            weir_random_below(random, 2) == 0; /* some file systems keep the order of steps */
    for (size_t i = 0; i < disk->step_count; i++) {
        if (survives(random, how)) {
            apply(names, &disk->steps[i]);
        } else if (in_order) {
            break;
        }
    }
    for (size_t i = 0; i < names->count; i++) {
        if (is_reachable(names, names->entries[i].path)) {
            struct inode *inode = names->entries[i].inode;
            set_name(&copy->now, names->entries[i].path,
                    inode != NULL ? cut_inode(copy, inode, random, how) : NULL);
        }
    }
    copy->durable = copy->now;
    weir_free(names);
    weir_mutex_unlock(&disk->mutex);
    return copy;
}

void weir_simulated_disk_crash_at(struct weir_simulated_disk *disk, uint64_t nth)
{
    weir_mutex_lock(&disk->mutex);
    disk->crash_in = nth;
    weir_mutex_unlock(&disk->mutex);
}

bool weir_simulated_disk_crashed(struct weir_simulated_disk *disk)
{
    weir_mutex_lock(&disk->mutex);
    bool crashed = disk->crashed;
    weir_mutex_unlock(&disk->mutex);
    return crashed;
}

void weir_simulated_disk_revive(struct weir_simulated_disk *disk)
{
    weir_mutex_lock(&disk->mutex);
    disk->crashed = false;
    disk->crash_in = 0;
    weir_mutex_unlock(&disk->mutex);
}

void weir_simulated_disk_fail(struct weir_simulated_disk *disk, enum weir_disk_operation operation,
        uint64_t nth, enum weir_rc rc)
{
    weir_mutex_lock(&disk->mutex);
    disk->fail_in[operation] = nth;
    disk->fail_with[operation] = rc;
    weir_mutex_unlock(&disk->mutex);
}

void weir_simulated_disk_set_free(struct weir_simulated_disk *disk, uint64_t bytes)
{
    weir_mutex_lock(&disk->mutex);
    disk->free_bytes = bytes;
    weir_mutex_unlock(&disk->mutex);
}

uint64_t weir_simulated_disk_count(
        struct weir_simulated_disk *disk, enum weir_disk_operation operation)
{
    weir_mutex_lock(&disk->mutex);
    uint64_t count = disk->counts[operation];
    weir_mutex_unlock(&disk->mutex);
    return count;
}

uint64_t weir_simulated_disk_operations(struct weir_simulated_disk *disk)
{
    uint64_t count = 0;
    for (int i = 0; i < WEIR_DISK_LIST; i++) {
        count += weir_simulated_disk_count(disk, (enum weir_disk_operation)i);
    }
    return count;
}

uint64_t weir_simulated_disk_bytes_read(struct weir_simulated_disk *disk)
{
    weir_mutex_lock(&disk->mutex);
    uint64_t bytes = disk->bytes_read;
    weir_mutex_unlock(&disk->mutex);
    return bytes;
}
