/*
 * A segment file of arbitrary bytes: opening and reading never crash. The first byte
 * picks what is made good, so that the fuzzer gets past the checksums: the header,
 * and the checksums of frames that are where they say.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "log/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum {
    SEGMENT = 64 * 1024,
    HEADER = 4096,
    FRAME = 32,
    FIX_HEADER = 1,
    FIX_FRAMES = 2,
    TWICE = 4, /* a second segment with the same bytes follows */
};

static void put_u32(uint8_t *p, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(value >> 8 * i);
    }
}

static void put_u64(uint8_t *p, uint64_t value)
{
    put_u32(p, (uint32_t)value);
    put_u32(p + 4, (uint32_t)(value >> 32));
}

static void fix_header(uint8_t *segment, uint64_t number)
{
    memset(segment, 0, 64);
    memcpy(segment, "weirlog", 8);
    put_u32(segment + 8, 1);
    put_u64(segment + 16, number);
    put_u64(segment + 32, SEGMENT);
    put_u32(segment + 48, HEADER);
    put_u32(segment + 60, weir_crc32c(0, segment, 60));
}

/* Make frames in a row valid, whatever their bodies are. */
static void fix_frames(uint8_t *segment, uint64_t number)
{
    uint32_t seed = weir_crc32c(0, segment + 16, 16);
    for (size_t at = HEADER; at + FRAME <= SEGMENT;) {
        uint8_t *p = segment + at;
        size_t length = FRAME + ((size_t)p[4] | (size_t)p[5] << 8);
        if (length > SEGMENT - at || p[24] == 0) {
            break;
        }
        put_u32(p + 4, (uint32_t)length);
        put_u64(p + 8, number << 26 | at);
        put_u32(p + 24, at == HEADER ? 2 : (uint32_t)p[24]);
        put_u32(p, weir_crc32c(seed, p + 4, length - 4));
        at += (length + 7) & ~(size_t)7;
    }
}

static void write_segment(struct weir_fs *fs, const char *path, const uint8_t *data, size_t n,
        unsigned how, uint64_t number)
{
    uint8_t *segment = weir_alloc_zero(1, SEGMENT);
    /* The input is the header's first 64 bytes and then the frames. */
    memcpy(segment, data, n < 64 ? n : 64);
    if (n > 64) {
        memcpy(segment + HEADER, data + 64, n - 64 < SEGMENT - HEADER ? n - 64 : SEGMENT - HEADER);
    }
    if (how & FIX_HEADER) {
        fix_header(segment, number);
    }
    if (how & FIX_FRAMES) {
        fix_frames(segment, number);
    }
    struct weir_file *file = NULL;
    if (fs->ops->open(fs, path, WEIR_OPEN_CREATE, &file, NULL) != WEIR_OK ||
            fs->ops->write(file, 0, segment, SEGMENT, NULL) != WEIR_OK) {
        abort();
    }
    weir_file_destroy(file);
    weir_free(segment);
}

static void read_all(struct weir_log *log, struct weir_log_filter filter)
{
    struct weir_log_reader *reader =
            weir_log_reader_create(log, filter, (struct weir_pos){ weir_log_oldest(log).seq });
    bool have = true;
    uint64_t sum = 0;
    while (have) {
        struct weir_change change;
        struct weir_time time;
        if (weir_log_next(reader, &change, &time, &have, NULL) != WEIR_OK) {
            break;
        }
        for (size_t i = 0; have && i < change.value.n; i++) {
            sum += (uint8_t)change.value.p[i];
        }
    }
    weir_log_reader_destroy(reader);
    weir_assert(sum < UINT64_MAX);
}

static void use(struct weir_log *log)
{
    read_all(log, (struct weir_log_filter){ .everything = true });
    read_all(log, (struct weir_log_filter){ .space = 0, .shard = WEIR_LOG_ANY_SHARD });
    struct weir_pos after;
    struct weir_log_extent extent;
    (void)!weir_log_find_time(log, (struct weir_time){ 1 }, &after, NULL);
    weir_log_extent(log, 0, WEIR_LOG_ANY_SHARD, &extent);
    struct weir_change change = { .kind = WEIR_CHANGE_PUT };
    if (weir_log_add(log, &change, 1, false, NULL) == WEIR_OK &&
            weir_log_sync(log, (struct weir_time){ 1 }, NULL) == WEIR_OK) {
        weir_log_publish(log);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1) {
        return 0;
    }
    struct weir_fs *fs = weir_fs_memory_create();
    struct weir_log_options options = {
        .fs = fs,
        .dir = "log",
        .clock = weir_clock_system(),
        .segment_bytes = SEGMENT,
        .first_segment_bytes = SEGMENT,
        .tail_bytes = 1,
        .no_thread = true,
    };
    write_segment(fs, "log/0000000000000001.seg", data + 1, n - 1, data[0], 1);
    if (data[0] & TWICE) {
        write_segment(fs, "log/0000000000000002.seg", data + 1, n - 1, data[0], 2);
    }
    struct weir_log *log = NULL;
    if (weir_log_open(&options, &log, NULL) == WEIR_OK) {
        use(log);
        weir_log_close(log);
    }
    weir_fs_destroy(fs);
    return 0;
}
