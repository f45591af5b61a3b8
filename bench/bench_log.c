/*
 * The commit path alone (add, sync, publish) against pwrite and fdatasync of the same
 * bytes to a file that is filled ahead: groups of 1 and of 64 transactions, each a
 * record of a 350-byte item with both images. Both sides alternate group by group in
 * one run, so what the machine does meanwhile hits both.
 *
 *     bench_log [FOLDER [GROUPS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "log/log.h"

enum { ITEM_BYTES = 350, RAW_BYTES = 64 * 1024 * 1024, GROUP_MAX = 64, FILL_BYTES = 1 << 20 };

struct raw {
    struct weir_file *file;
    uint64_t offset;
    char *bytes;
};

static void check(enum weir_rc rc, const struct weir_err *err)
{
    if (rc != WEIR_OK) {
        fprintf(stderr, "bench_log: %s\n", err->msg);
        exit(1);
    }
}

static void raw_init(struct raw *raw, struct weir_fs *fs, const char *path)
{
    struct weir_err err;
    raw->bytes = weir_alloc_zero(1, FILL_BYTES);
    check(fs->ops->open(fs, path, WEIR_OPEN_CREATE, &raw->file, &err), &err);
    for (uint64_t at = 0; at < RAW_BYTES; at += FILL_BYTES) {
        check(fs->ops->write(raw->file, at, raw->bytes, FILL_BYTES, &err), &err);
    }
    check(fs->ops->sync(raw->file, &err), &err);
    memset(raw->bytes, 'x', FILL_BYTES);
    raw->offset = 4096;
}

/* Write n bytes and make them durable; returns nanoseconds. */
static uint64_t raw_group(struct raw *raw, size_t n)
{
    struct weir_err err;
    if (raw->offset + n > RAW_BYTES) {
        raw->offset = 4096;
    }
    uint64_t began = weir_clock_monotonic_ns(weir_clock_system());
    check(raw->file->fs->ops->write(raw->file, raw->offset, raw->bytes, n, &err), &err);
    check(raw->file->fs->ops->sync(raw->file, &err), &err);
    raw->offset += n;
    return weir_clock_monotonic_ns(weir_clock_system()) - began;
}

static void add(struct weir_log *log, uint64_t ordinal)
{
    static char image[2][ITEM_BYTES];
    static char key[20] = "key-";
    struct weir_err err;
    memcpy(image[0], &ordinal, sizeof(ordinal));
    memcpy(key + 4, &ordinal, sizeof(ordinal));
    struct weir_change change = {
        .kind = WEIR_CHANGE_RECORD,
        .space = 7,
        .shard = (uint32_t)ordinal % 4,
        .event = WEIR_EVENT_MODIFY,
        .in_stream = true,
        .key = weir_str(key, sizeof(key)),
        .keys = weir_str(key, sizeof(key)),
        .old_value = weir_str(image[0], ITEM_BYTES),
        .value = weir_str(image[1], ITEM_BYTES),
    };
    enum weir_rc rc = weir_log_add(log, &change, 1, false, &err);
    if (rc == WEIR_E_BUSY) { /* the segment ends here */
        check(weir_log_sync(log, weir_clock_wall(weir_clock_system()), &err), &err);
        weir_log_publish(log);
        rc = weir_log_add(log, &change, 1, false, &err);
    }
    check(rc, &err);
}

/* Commit a group of so many transactions; returns nanoseconds and its bytes. */
static uint64_t log_group(struct weir_log *log, unsigned transactions, size_t *ret_bytes)
{
    static uint64_t ordinal;
    struct weir_err err;
    uint64_t began = weir_clock_monotonic_ns(weir_clock_system());
    for (unsigned i = 0; i < transactions; i++) {
        add(log, ordinal++);
    }
    *ret_bytes = weir_log_group_bytes(log);
    check(weir_log_sync(log, weir_clock_wall(weir_clock_system()), &err), &err);
    weir_log_publish(log);
    return weir_clock_monotonic_ns(weir_clock_system()) - began;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

struct result {
    double median_us;
    double p99_us;
    double mean_us;
};

static struct result summarize(uint64_t *ns, size_t count)
{
    double sum = 0;
    qsort(ns, count, sizeof(*ns), compare);
    for (size_t i = 0; i < count; i++) {
        sum += (double)ns[i];
    }
    return (struct result){ (double)ns[count / 2] / 1e3, (double)ns[count - 1 - count / 100] / 1e3,
        sum / (double)count / 1e3 };
}

static void compare_groups(
        struct weir_log *log, struct raw *raw, unsigned transactions, size_t groups)
{
    uint64_t *log_ns = weir_alloc(groups * sizeof(*log_ns));
    uint64_t *raw_ns = weir_alloc(groups * sizeof(*raw_ns));
    size_t bytes = 0;
    for (size_t i = 0; i < groups; i++) {
        log_ns[i] = log_group(log, transactions, &bytes);
        raw_ns[i] = raw_group(raw, (bytes + 7) / 8 * 8);
    }
    struct result mine = summarize(log_ns, groups);
    struct result base = summarize(raw_ns, groups);
    printf("%5u %9zu %10.1f %10.1f %7.2f %10.1f %10.1f %10.1f %10.1f\n", transactions, bytes,
            mine.median_us, base.median_us, mine.median_us / base.median_us, mine.p99_us,
            base.p99_us, mine.mean_us, base.mean_us);
    printf("{\"bench\":\"log\",\"transactions\":%u,\"groups\":%zu,\"bytes\":%zu,"
           "\"log_median_us\":%.1f,\"raw_median_us\":%.1f,\"ratio\":%.3f,"
           "\"log_p99_us\":%.1f,\"raw_p99_us\":%.1f}\n",
            transactions, groups, bytes, mine.median_us, base.median_us,
            mine.median_us / base.median_us, mine.p99_us, base.p99_us);
    weir_free(log_ns);
    weir_free(raw_ns);
}

static void remove_name(void *arg, const char *name)
{
    char path[1024];
    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    (void)remove(path);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    size_t groups = argc > 2 ? strtoull(argv[2], NULL, 10) : 2000;
    char dir[512];
    char path[512];
    (void)snprintf(dir, sizeof(dir), "%s/bench_log.data", folder);
    (void)snprintf(path, sizeof(path), "%s/bench_log.raw", folder);
    struct weir_fs *fs = weir_fs_system();
    struct weir_err err;
    struct raw raw = { 0 };
    raw_init(&raw, fs, path);
    struct weir_log *log = NULL;
    struct weir_log_options options = {
        .fs = fs,
        .dir = dir,
        .clock = weir_clock_system(),
    };
    uint64_t began = weir_clock_monotonic_ns(options.clock);
    check(weir_log_open(&options, &log, &err), &err);
    printf("open: %.1f ms\n", (double)(weir_clock_monotonic_ns(options.clock) - began) / 1e6);
    printf("group     bytes  log us     raw us     ratio   log p99    raw p99    log mean   raw "
           "mean\n");
    for (unsigned transactions = 1; transactions <= GROUP_MAX; transactions *= GROUP_MAX) {
        size_t ignored = 0;
        for (int i = 0; i < 100; i++) {
            (void)log_group(log, transactions, &ignored);
        }
        compare_groups(log, &raw, transactions, groups);
    }
    weir_log_close(log);
    weir_file_destroy(raw.file);
    weir_free(raw.bytes);
    (void)fs->ops->list(fs, dir, remove_name, dir, NULL);
    (void)remove(dir);
    (void)remove(path);
    return 0;
}
