/* The step that feeds changes from a file. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "scenario/feed.h"
#include "scenario/scenario_int.h"

enum { FILE_MAX_BYTES = 256 * 1024 * 1024 };

struct records_step {
    struct weir_str file;
    struct weir_str table;
    const char *path;
};

static const struct weir_option records_options[] = {
    { "file", NULL, "its path, relative to the test file", WEIR_OPTION_STRING,
            offsetof(struct records_step, file), 0, 0 },
    { "table", "", "the table of changes that name none", WEIR_OPTION_STRING,
            offsetof(struct records_step, table), 0, 0 },
    { 0 },
};

static bool read_records(struct script_reader *reader, const struct weir_conf *node, void *fields)
{
    struct records_step *records = fields;
    struct weir_fs *fs = weir_fs_system();
    struct weir_file *file = NULL;
    struct weir_err err;
    records->path = weir_script_path(reader->arena, reader->path, records->file);
    if (fs->ops->open(fs, records->path, WEIR_OPEN_READ, &file, &err) != WEIR_OK) {
        weir_conf_error(reader->diagnostics, weir_conf_get(node, "file"), "%s", err.msg);
        return false;
    }
    weir_file_destroy(file);
    return true;
}

static enum weir_rc read_file(
        const char *path, char **ret_text, size_t *ret_n, struct weir_err *err)
{
    struct weir_fs *fs = weir_fs_system();
    struct weir_file *file = NULL;
    uint64_t bytes = 0;
    enum weir_rc rc = fs->ops->open(fs, path, WEIR_OPEN_READ, &file, err);
    if (rc == WEIR_OK) {
        rc = fs->ops->size(file, &bytes, err);
    }
    if (rc == WEIR_OK && bytes > FILE_MAX_BYTES) {
        rc = weir_fail(err, WEIR_E_TOO_LARGE, "%s is longer than %d bytes", path, FILE_MAX_BYTES);
    }
    if (rc == WEIR_OK) {
        *ret_n = (size_t)bytes;
        *ret_text = weir_alloc(*ret_n + 1);
        rc = weir_file_read_all(file, 0, *ret_text, *ret_n, err);
    }
    weir_file_destroy(file);
    return rc;
}

struct feeding {
    struct script_run *run;
    const struct records_step *step;
};

static enum weir_rc feed(void *arg, const struct weir_feed *change, struct weir_err *err)
{
    const struct feeding *feeding = arg;
    struct weir_world *world = feeding->run->world;
    int64_t ahead_ms = change->at.ms - weir_world_now(world).ms;
    struct weir_pos pos;
    enum weir_rc rc = WEIR_OK;
    if (change->has_at && ahead_ms > 0) {
        rc = weir_world_advance(world, (uint64_t)ahead_ms, err);
    }
    return rc == WEIR_OK ? weir_feed_apply(world, change, feeding->step->table, &pos, err) : rc;
}

static bool run_records(struct script_run *run, const struct script_step *step)
{
    struct feeding feeding = { run, step->fields };
    struct weir_err err = { 0 };
    char *text = NULL;
    size_t n = 0;
    unsigned line = 0;
    enum weir_rc rc = read_file(feeding.step->path, &text, &n, &err);
    for (size_t at = 0; rc == WEIR_OK && at < n; line++) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t length = end != NULL ? (size_t)(end - text) - at : n - at;
        weir_arena_reset(&run->arena);
        if (length > 0) {
            rc = weir_feed_read(weir_str(text + at, length), &run->arena, feed, &feeding, &err);
        }
        at += length + 1;
    }
    weir_free(text);
    return rc == WEIR_OK ||
           weir_script_fail(run, step->node, "%s:%u: %s", feeding.step->path, line, err.msg);
}

const struct script_kind script_kind_records = {
    .name = "records",
    .help = "Feed the changes in a file, lines as for `weir run`; those with a time let it pass",
    .options = records_options,
    .size = sizeof(struct records_step),
    .read = read_records,
    .run = run_records,
};
