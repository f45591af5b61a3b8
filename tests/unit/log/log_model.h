/*
 * A log on a simulated disk, and beside it a naive account of which groups must be
 * there, may be there, and must not be. Values are drawn from the group's number, so
 * content is checked too.
 */
#ifndef WEIR_TESTS_LOG_MODEL_H
#define WEIR_TESTS_LOG_MODEL_H

#include <stdio.h>

#include "../test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "log/log.h"
#include "simulated_disk.h"

enum { MODEL_GROUPS_MAX = 4096, MODEL_VALUE_MAX = 6000 };

enum model_state {
    MODEL_GONE,  /* must never be seen */
    MODEL_MAYBE, /* its sync did not return OK */
    MODEL_THERE,
};

struct model {
    struct weir_simulated_disk *disk;
    struct weir_clock_virtual clock;
    struct weir_random random;
    struct weir_log_options options;
    struct weir_log *log;
    enum model_state groups[MODEL_GROUPS_MAX];
    unsigned changes[MODEL_GROUPS_MAX];
    struct weir_pos ends[MODEL_GROUPS_MAX]; /* of groups that were published */
    unsigned count;
    unsigned trimmed; /* groups before this one may be missing: trimming was tried */
    bool trim_failed; /* since the log was opened: what it hid may be back at the next opening */
    const char *what; /* for messages: the cut and the seed */
};

static inline struct model *model_create(uint64_t seed)
{
    struct model *model = weir_alloc_zero(1, sizeof(*model));
    model->disk = weir_simulated_disk_create();
    weir_clock_virtual_init(&model->clock, (struct weir_time){ 1000 });
    weir_random_seed(&model->random, seed);
    model->options = (struct weir_log_options){
        .dir = "data/log",
        .clock = &model->clock.base,
        .segment_bytes = 64 * 1024,
        .first_segment_bytes = 64 * 1024,
        .no_thread = true,
        .tail_bytes = 1,
    };
    return model;
}

static inline void model_destroy(struct model *model)
{
    weir_log_close(model->log);
    weir_fs_destroy(weir_simulated_disk_fs(model->disk));
    weir_free(model);
}

static inline enum weir_rc model_open(struct model *model, struct weir_err *err)
{
    weir_log_close(model->log);
    model->log = NULL;
    struct weir_fs *fs = weir_simulated_disk_fs(model->disk);
    model->options.fs = fs;
    enum weir_rc rc = fs->ops->make_dir(fs, "data", err);
    if (rc == WEIR_OK) {
        rc = fs->ops->sync_dir(fs, ".", err);
    }
    if (rc == WEIR_OK) {
        rc = weir_log_open(&model->options, &model->log, err);
    }
    model->trim_failed = model->trim_failed && rc != WEIR_OK;
    return rc;
}

/* The value of a change: its group, its number in it, and bytes drawn from both. */
static inline size_t model_value(unsigned group, unsigned number, char *value)
{
    struct weir_random random;
    weir_random_seed(&random, (uint64_t)group << 32 | number);
    size_t n = 16 + weir_random_below(&random, group % 7 == 0 ? MODEL_VALUE_MAX - 16 : 300);
    (void)snprintf(value, 17, "%08u%08u", group, number);
    for (size_t i = 16; i < n; i++) {
        value[i] = (char)weir_random_u64(&random);
    }
    return n;
}

/*
 * Write a group of random size. Whatever happens is noted; returns the first failure.
 */
static inline enum weir_rc model_write(struct model *model, bool urgent, struct weir_err *err)
{
    static char values[8][MODEL_VALUE_MAX];
    assert_true(model->count < MODEL_GROUPS_MAX);
    unsigned group = model->count;
    unsigned changes = 0;
    unsigned transactions = 1 + (unsigned)weir_random_below(&model->random, 3);
    weir_clock_virtual_advance(&model->clock, 10);
    for (unsigned i = 0; i < transactions; i++) {
        struct weir_change list[8];
        unsigned n = 1 + (unsigned)weir_random_below(&model->random, 3);
        for (unsigned j = 0; j < n; j++) {
            size_t bytes = model_value(group, changes + j, values[j]);
            list[j] = (struct weir_change){
                .kind = WEIR_CHANGE_RECORD,
                .event = WEIR_EVENT_INSERT,
                .in_stream = true,
                .space = group % 3,
                .shard = group % 2,
                .value = weir_str(values[j], bytes),
            };
        }
        enum weir_rc rc = weir_log_add(model->log, list, n, urgent, err);
        if (rc == WEIR_E_BUSY || rc == WEIR_E_TOO_LARGE) {
            break;
        }
        if (rc != WEIR_OK) {
            weir_log_discard(model->log);
            return rc;
        }
        changes += n;
    }
    if (changes == 0 || weir_random_below(&model->random, 8) == 0) {
        weir_log_discard(model->log);
        return WEIR_OK;
    }
    model->count++;
    model->changes[group] = changes;
    enum weir_rc rc = weir_log_sync(model->log, weir_clock_wall(&model->clock.base), err);
    model->groups[group] = rc == WEIR_OK ? MODEL_THERE : MODEL_MAYBE;
    if (rc == WEIR_OK) {
        weir_log_publish(model->log);
        model->ends[group] = weir_log_end(model->log);
    }
    return rc;
}

/* Fail unless the group with this change is the next that may be there. */
static inline void model_see(
        struct model *model, const struct weir_change *change, unsigned *group, unsigned *number)
{
    static char expected[MODEL_VALUE_MAX];
    uint64_t seen_group = 0;
    uint64_t seen_number = 0;
    assert_true(change->value.n >= 16);
    assert_true(weir_str_to_u64(weir_str(change->value.p, 8), &seen_group));
    assert_true(weir_str_to_u64(weir_str(change->value.p + 8, 8), &seen_number));
    if (*number == 0) {
        for (; *group < seen_group; (*group)++) {
            if (model->groups[*group] == MODEL_THERE && *group >= model->trimmed) {
                fail_msg("%s: group %u is lost", model->what, *group);
            }
            if (!model->trim_failed || model->groups[*group] != MODEL_THERE) {
                model->groups[*group] = MODEL_GONE;
            }
        }
    }
    if (seen_group != *group || seen_number != *number || seen_group >= model->count ||
            model->groups[seen_group] == MODEL_GONE) {
        fail_msg("%s: change %llu of group %llu is there, expected %u of %u", model->what,
                (unsigned long long)seen_number, (unsigned long long)seen_group, *number, *group);
    }
    size_t n = model_value((unsigned)seen_group, (unsigned)seen_number, expected);
    assert_int_equal(change->value.n, n);
    assert_memory_equal(change->value.p, expected, n);
    if (++*number == model->changes[seen_group]) {
        model->groups[seen_group] = MODEL_THERE;
        *number = 0;
        (*group)++;
    }
}

/* Read everything and compare. `final`: groups that may be there and are not are gone for good. */
static inline void model_check(struct model *model, bool final)
{
    struct weir_err err = { 0 };
    struct weir_log_reader *reader =
            weir_log_reader_create(model->log, (struct weir_log_filter){ .everything = true },
                    (struct weir_pos){ weir_log_oldest(model->log).seq });
    unsigned group = 0;
    unsigned number = 0;
    bool have = true;
    while (have) {
        struct weir_change change;
        struct weir_time time;
        if (weir_log_next(reader, &change, &time, &have, &err) != WEIR_OK) {
            fail_msg("%s: reading: %s", model->what, err.msg);
        }
        if (have) {
            model_see(model, &change, &group, &number);
        }
    }
    weir_log_reader_destroy(reader);
    if (number != 0) {
        fail_msg("%s: group %u is there in part", model->what, group);
    }
    for (; group < model->count; group++) {
        if (model->groups[group] == MODEL_THERE && group >= model->trimmed) {
            fail_msg("%s: group %u is lost", model->what, group);
        }
        if (final && (!model->trim_failed || model->groups[group] != MODEL_THERE)) {
            model->groups[group] = MODEL_GONE;
        }
    }
}

/* Cut the power: the log closes, a new disk takes the old one's place. */
static inline void model_cut(struct model *model, enum weir_disk_cut how)
{
    weir_log_close(model->log);
    model->log = NULL;
    struct weir_simulated_disk *disk = weir_simulated_disk_cut(model->disk, &model->random, how);
    weir_fs_destroy(weir_simulated_disk_fs(model->disk));
    model->disk = disk;
}

/* The process dies, the machine goes on. */
static inline void model_kill(struct model *model)
{
    weir_log_close(model->log);
    model->log = NULL;
    weir_simulated_disk_revive(model->disk);
}

/* Trim up to a random group. */
static inline enum weir_rc model_trim(struct model *model, struct weir_err *err)
{
    if (model->count == 0) {
        return WEIR_OK;
    }
    unsigned group = (unsigned)weir_random_below(&model->random, model->count);
    if (model->ends[group].seq == 0) {
        return WEIR_OK;
    }
    model->trimmed = group + 1 > model->trimmed ? group + 1 : model->trimmed;
    enum weir_rc rc =
            weir_log_trim(model->log, model->ends[group], (struct weir_time){ INT64_MAX }, err);
    model->trim_failed = model->trim_failed || rc != WEIR_OK;
    return rc;
}

#endif
