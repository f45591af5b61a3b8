/* What opening makes of torn, damaged, missing and half-made files. */
#include <inttypes.h>
#include <stdio.h>

#include "../test.h"
#include "base/hash.h"
#include "log_model.h"

enum { SEGMENT = 64 * 1024, HEADER = 4096 };

static void path_of(uint64_t number, char path[static 64])
{
    (void)snprintf(path, 64, "data/log/%016" PRIx64 ".seg", number);
}

static void must_open(struct model *model)
{
    struct weir_err err;
    if (model_open(model, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
}

static void must_write(struct model *model, unsigned groups)
{
    struct weir_err err;
    for (unsigned i = 0; i < groups; i++) {
        if (model_write(model, false, &err) != WEIR_OK) {
            fail_msg("%s", err.msg);
        }
    }
}

static struct model *with_groups(uint64_t seed, unsigned groups)
{
    struct model *model = model_create(seed);
    model->what = "recovery";
    must_open(model);
    must_write(model, groups);
    weir_log_close(model->log);
    model->log = NULL;
    return model;
}

/* Change bytes of a file behind the log's back, durably. */
static void overwrite(
        struct model *model, const char *path, uint64_t offset, const void *p, size_t n)
{
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    struct weir_file *file = NULL;
    assert_int_equal(fs->ops->open(fs, path, WEIR_OPEN_CREATE, &file, NULL), WEIR_OK);
    assert_int_equal(fs->ops->write(file, offset, p, n, NULL), WEIR_OK);
    assert_int_equal(fs->ops->sync(file, NULL), WEIR_OK);
    assert_int_equal(fs->ops->sync_dir(fs, "data/log", NULL), WEIR_OK);
    weir_file_destroy(file);
}

static void flip(struct model *model, const char *path, uint64_t offset)
{
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    struct weir_file *file = NULL;
    uint8_t byte = 0;
    assert_int_equal(fs->ops->open(fs, path, WEIR_OPEN_READ, &file, NULL), WEIR_OK);
    assert_int_equal(weir_file_read_all(file, offset, &byte, 1, NULL), WEIR_OK);
    weir_file_destroy(file);
    byte ^= 0x10;
    overwrite(model, path, offset, &byte, 1);
}

static void expect_damage(struct model *model, const char *part)
{
    struct weir_err err;
    uint64_t before = weir_simulated_disk_operations(model->disk);
    assert_int_equal(model_open(model, &err), WEIR_E_DAMAGED);
    if (strstr(err.msg, part) == NULL || strstr(err.msg, "weir repair") == NULL) {
        fail_msg("message: %s", err.msg);
    }
    /* Evidence is left alone: only the folder was made (or found) and synced. */
    assert_in_range(weir_simulated_disk_operations(model->disk) - before, 0, 3);
}

/* The offset in segment 1 at which the data of `groups` groups ends. */
static uint64_t end_of(const struct model *model, unsigned group)
{
    return model->ends[group].seq & (((uint64_t)1 << 26) - 1);
}

static void any_flipped_byte_of_the_last_group_cuts_it(void **state)
{
    (void)state;
    struct model *model = with_groups(3, 6);
    unsigned last = model->count - 1;
    uint64_t begin = end_of(model, last - 1);
    uint64_t end = end_of(model, last);
    weir_fs_destroy(weir_simulated_disk_fs(model->disk));
    model->disk = NULL;
    weir_free(model);
    for (uint64_t at = begin; at < end - 8; at += 37) {
        model = with_groups(3, 6);
        flip(model, "data/log/0000000000000001.seg", at);
        must_open(model);
        assert_int_equal(weir_log_end(model->log).seq, model->ends[last - 1].seq);
        model->groups[last] = MODEL_MAYBE;
        model_check(model, true);
        assert_int_equal(model->groups[last], MODEL_GONE);
        must_write(model, 4);
        must_open(model);
        model_check(model, true);
        model_destroy(model);
    }
}

static void a_flipped_byte_before_the_last_group_is_damage(void **state)
{
    (void)state;
    struct model *model = with_groups(4, 8);
    uint64_t end = end_of(model, model->count - 2);
    uint64_t at = HEADER;
    model_destroy(model);
    for (; at < end - 8; at += 61) {
        model = with_groups(4, 8);
        flip(model, "data/log/0000000000000001.seg", at);
        struct weir_err err;
        enum weir_rc rc = model_open(model, &err);
        /* The padding behind a group means nothing. */
        if (rc != WEIR_OK) {
            assert_int_equal(rc, WEIR_E_DAMAGED);
            assert_non_null(strstr(err.msg, "0000000000000001 at offset "));
            assert_non_null(strstr(err.msg, "weir repair"));
        } else {
            model_check(model, true);
        }
        model_destroy(model);
    }
}

static void a_torn_group_is_cut_whichever_sectors_are_missing(void **state)
{
    (void)state;
    for (uint64_t mask = 0; mask < 256; mask++) {
        struct model *model = model_create(mask);
        model->what = "torn";
        must_open(model);
        must_write(model, 3);
        /* The next group's write arrives in part; its sync does not. */
        weir_simulated_disk_crash_at(model->disk, 2);
        struct weir_err err;
        while (!weir_simulated_disk_crashed(model->disk)) {
            (void)model_write(model, false, &err);
        }
        model_cut(model, WEIR_DISK_RANDOM);
        must_open(model);
        model_check(model, true);
        must_write(model, 5);
        must_open(model);
        model_check(model, true);
        model_destroy(model);
    }
}

static void a_damaged_header_is_refused(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 64; at++) {
        struct model *model = with_groups(5, 4);
        flip(model, "data/log/0000000000000001.seg", at);
        struct weir_err err;
        assert_int_equal(model_open(model, &err), WEIR_E_DAMAGED);
        model_destroy(model);
    }
}

static void a_missing_segment_is_refused(void **state)
{
    (void)state;
    struct model *model = with_groups(6, 300);
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    char path[64];
    path_of(2, path);
    assert_int_equal(fs->ops->remove(fs, path, NULL), WEIR_OK);
    expect_damage(model, "0000000000000002 at offset 0: the segment is missing");
    model_destroy(model);
}

static void a_short_file_is_refused(void **state)
{
    (void)state;
    struct model *model = with_groups(7, 4);
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    struct weir_file *file = NULL;
    assert_int_equal(
            fs->ops->open(fs, "data/log/0000000000000001.seg", WEIR_OPEN_WRITE, &file, NULL),
            WEIR_OK);
    assert_int_equal(fs->ops->truncate(file, 30000, NULL), WEIR_OK);
    weir_file_destroy(file);
    expect_damage(model, "offset 30000");
    model_destroy(model);
}

static void damage_in_a_finished_segment_is_found_by_reading(void **state)
{
    (void)state;
    struct model *model = with_groups(8, 300);
    flip(model, "data/log/0000000000000001.seg", 30000);
    must_open(model); /* its footer is whole, so its groups are not read here */
    struct weir_log_reader *reader = weir_log_reader_create(
            model->log, (struct weir_log_filter){ .everything = true }, (struct weir_pos){ 0 });
    struct weir_change change;
    struct weir_time time;
    struct weir_err err;
    bool have = true;
    enum weir_rc rc = WEIR_OK;
    while (rc == WEIR_OK && have) {
        rc = weir_log_next(reader, &change, &time, &have, &err);
    }
    assert_int_equal(rc, WEIR_E_DAMAGED);
    assert_non_null(strstr(err.msg, "0000000000000001 at offset "));
    weir_log_reader_destroy(reader);
    model_destroy(model);
}

static uint64_t bytes_read_by_open(struct model *model)
{
    uint64_t before = weir_simulated_disk_bytes_read(model->disk);
    must_open(model);
    return weir_simulated_disk_bytes_read(model->disk) - before;
}

/* The footer is durable before the next segment begins: opening then need not scan. */
static void footers_save_scanning(void **state)
{
    (void)state;
    struct model *model = model_create(9);
    model->what = "footers";
    model->options.segment_bytes = 1024 * 1024;
    model->options.first_segment_bytes = 1024 * 1024;
    must_open(model);
    while (weir_log_end(model->log).seq >> 26 < 4) {
        must_write(model, 50);
    }
    model_cut(model, WEIR_DISK_DROP);
    uint64_t with_footers = bytes_read_by_open(model);
    model_check(model, true);
    struct weir_log_extent before;
    weir_log_extent(model->log, 1, WEIR_LOG_ANY_SHARD, &before);
    assert_true(before.count > 0);
    /* Segments 4 and 5 are read as a whole, of the others little. */
    assert_in_range(with_footers, 1, 3 * 1024 * 1024);

    /* Without a footer the index is made again, and is the same. */
    weir_log_close(model->log);
    model->log = NULL;
    for (uint64_t number = 1; number <= 3; number++) {
        char path[64];
        path_of(number, path);
        /* Where segment `number` ended stands in the next one's first frame. */
        struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
        struct weir_file *file = NULL;
        uint64_t end = 0;
        char next_path[64];
        path_of(number + 1, next_path);
        assert_int_equal(fs->ops->open(fs, next_path, WEIR_OPEN_READ, &file, NULL), WEIR_OK);
        assert_int_equal(weir_file_read_all(file, HEADER + 32, &end, 8, NULL), WEIR_OK);
        weir_file_destroy(file);
        assert_int_equal(end >> 26, number);
        flip(model, path, (end & ((1 << 26) - 1)) + 40);
    }
    uint64_t without_footers = bytes_read_by_open(model);
    assert_true(without_footers > with_footers + 5 * 1024 * 1024 / 2);
    struct weir_log_extent after;
    weir_log_extent(model->log, 1, WEIR_LOG_ANY_SHARD, &after);
    assert_int_equal(after.count, before.count);
    assert_int_equal(after.first.seq, before.first.seq);
    assert_int_equal(after.last.seq, before.last.seq);
    model_check(model, true);
    model_destroy(model);
}

static void a_failed_group_never_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct model *model = model_create(seed);
        model->what = "abandoned";
        must_open(model);
        must_write(model, 5);
        struct weir_err err;
        /* Up to three segments in a row are abandoned, some at their first group. */
        for (uint64_t i = 0; i <= seed % 3; i++) {
            enum weir_rc rc = WEIR_OK;
            weir_simulated_disk_fail(model->disk, seed % 2 == 0 ? WEIR_DISK_SYNC : WEIR_DISK_WRITE,
                    seed % 5 == 0 ? 2 : 1, WEIR_E_IO);
            for (int tries = 0; tries < 10 && rc == WEIR_OK; tries++) {
                rc = model_write(model, false, &err);
            }
            weir_simulated_disk_fail(model->disk, WEIR_DISK_SYNC, 0, WEIR_E_IO);
            weir_simulated_disk_fail(model->disk, WEIR_DISK_WRITE, 0, WEIR_E_IO);
            if (rc == WEIR_E_UNKNOWN_OUTCOME) {
                assert_non_null(strstr(err.msg, "may be lost"));
            }
            model_check(model, false);
        }
        /* A later group settles that the failed ones are not there. */
        while (model->groups[model->count - 1] != MODEL_THERE) {
            (void)model_write(model, false, &err);
        }
        for (unsigned i = 0; i < model->count; i++) {
            if (model->groups[i] == MODEL_MAYBE) {
                model->groups[i] = MODEL_GONE;
            }
        }
        model_cut(model, (enum weir_disk_cut)(seed % 3));
        must_open(model);
        model_check(model, true);
        must_write(model, 100);
        assert_int_equal(model_trim(model, &err), WEIR_OK);
        must_open(model);
        model_check(model, true);
        model_destroy(model);
    }
}

static void recycled_segments_show_nothing_old(void **state)
{
    (void)state;
    struct model *model = with_groups(11, 100);
    struct weir_err err;
    for (int round = 0; round < 40; round++) {
        must_open(model);
        must_write(model, 30);
        if (model->ends[model->count - 1].seq != 0) {
            model->trimmed = model->count;
            assert_int_equal(weir_log_trim(model->log, model->ends[model->count - 1],
                                     (struct weir_time){ INT64_MAX }, &err),
                    WEIR_OK);
        }
        must_write(model, 3);
        model_check(model, false);
        model_cut(model, (enum weir_disk_cut)(round % 3));
        must_open(model);
        model_check(model, true);
    }
    /* Files were reused: far fewer were made than segments were begun. */
    assert_true(weir_log_end(model->log).seq >> 26 > 8);
    model_destroy(model);
}

/* Put a valid frame of some kind at the end of segment 1, as a newer version might. */
static void a_frame_of_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    struct model *model = with_groups(12, 4);
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    struct weir_file *file = NULL;
    uint8_t seed_bytes[16];
    const char *path = "data/log/0000000000000001.seg";
    assert_int_equal(fs->ops->open(fs, path, WEIR_OPEN_READ, &file, NULL), WEIR_OK);
    assert_int_equal(weir_file_read_all(file, 16, seed_bytes, 16, NULL), WEIR_OK);
    weir_file_destroy(file);
    uint8_t frame[32] = { 0 };
    uint64_t position = model->ends[model->count - 1].seq;
    frame[4] = 32;
    memcpy(frame + 8, &position, 8);
    frame[24] = 9;
    uint32_t crc = weir_crc32c(weir_crc32c(0, seed_bytes, 16), frame + 4, 28);
    memcpy(frame, &crc, 4);
    overwrite(model, path, position & ((1 << 26) - 1), frame, sizeof(frame));
    struct weir_err err;
    assert_int_equal(model_open(model, &err), WEIR_E_FORMAT);
    assert_non_null(strstr(err.msg, "kind 9"));
    model_destroy(model);
}

/*
 * On a full disk no next segment is there. The process dies between the two steps of
 * trimming: renamed, but not durably. Opening then reuses the file at once, and the
 * power goes at the nth operation of that. False when n is past the end.
 */
static bool reuse_half_trimmed(uint64_t nth)
{
    struct weir_err err;
    struct model *model = model_create(nth);
    model->what = "half trimmed";
    must_open(model);
    while (weir_log_end(model->log).seq >> 26 < 3) {
        must_write(model, 1);
    }
    weir_simulated_disk_set_free(model->disk, 0);
    while (model_write(model, false, &err) != WEIR_E_READ_ONLY) {
    }
    model->trimmed = model->count;
    weir_simulated_disk_crash_at(model->disk, 2); /* the rename, then the folder's sync */
    assert_int_equal(weir_log_trim(model->log, weir_log_end(model->log),
                             (struct weir_time){ INT64_MAX }, &err),
            WEIR_E_IO);
    model_kill(model);
    weir_simulated_disk_crash_at(model->disk, nth);
    (void)model_open(model, &err);
    bool reached = weir_simulated_disk_crashed(model->disk);
    model_cut(model, WEIR_DISK_DROP);
    must_open(model);
    model_check(model, true);
    model_destroy(model);
    return reached;
}

static void a_half_trimmed_segment_does_no_harm(void **state)
{
    (void)state;
    uint64_t nth = 1;
    while (reuse_half_trimmed(nth)) {
        nth++;
    }
    assert_true(nth > 5); /* the reuse was reached */
}

static void leftovers_are_cleared_away(void **state)
{
    (void)state;
    struct model *model = with_groups(13, 4);
    overwrite(model, "data/log/00000000000000aa.spare", 0, "half made", 9);
    overwrite(model, "data/log/ballast", 0, "half made", 9);
    overwrite(model, "data/log/notes.txt", 0, "not ours", 8);
    model->options.ballast = true;
    must_open(model);
    must_write(model, 10);
    model_check(model, false);
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    struct weir_file *file = NULL;
    assert_int_equal(
            fs->ops->open(fs, "data/log/00000000000000aa.spare", WEIR_OPEN_READ, &file, NULL),
            WEIR_E_NOT_FOUND);
    assert_int_equal(fs->ops->open(fs, "data/log/notes.txt", WEIR_OPEN_READ, &file, NULL), WEIR_OK);
    weir_file_destroy(file);
    uint64_t bytes = 0;
    assert_int_equal(fs->ops->open(fs, "data/log/ballast", WEIR_OPEN_READ, &file, NULL), WEIR_OK);
    assert_int_equal(fs->ops->size(file, &bytes, NULL), WEIR_OK);
    weir_file_destroy(file);
    assert_int_equal(bytes, SEGMENT);
    model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flipped_byte_of_the_last_group_cuts_it),
        cmocka_unit_test(a_flipped_byte_before_the_last_group_is_damage),
        cmocka_unit_test(a_torn_group_is_cut_whichever_sectors_are_missing),
        cmocka_unit_test(a_damaged_header_is_refused),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(a_short_file_is_refused),
        cmocka_unit_test(damage_in_a_finished_segment_is_found_by_reading),
        cmocka_unit_test(footers_save_scanning),
        cmocka_unit_test(a_failed_group_never_comes_back),
        cmocka_unit_test(recycled_segments_show_nothing_old),
        cmocka_unit_test(a_frame_of_an_unknown_kind_is_refused),
        cmocka_unit_test(a_half_trimmed_segment_does_no_harm),
        cmocka_unit_test(leftovers_are_cleared_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
