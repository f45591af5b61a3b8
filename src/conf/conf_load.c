/* Files: the configuration itself, and what !file names. */
#include "base/file.h"
#include "conf/conf_int.h"

enum { READ_STEP = 64 << 10 };

static enum weir_rc read_to_end(struct weir_file *file, const char *path, size_t max,
        struct weir_buf *buf, struct weir_err *err)
{
    while (true) {
        size_t before = buf->n;
        char *p = weir_buf_reserve(buf, READ_STEP);
        size_t n = 0;
        enum weir_rc rc = file->fs->ops->read(file, before, p, READ_STEP, &n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        buf->n = before + n;
        if (buf->n > max) {
            return weir_fail(err, WEIR_E_TOO_LARGE, "%s is larger than %zu bytes", path, max);
        }
        if (n == 0) {
            return WEIR_OK;
        }
    }
}

enum weir_rc weir_conf_read_file(struct weir_arena *arena, const char *path, size_t max,
        struct weir_str *ret_text, struct weir_err *err)
{
    struct weir_fs *fs = weir_fs_system();
    struct weir_file *file = NULL;
    enum weir_rc rc = fs->ops->open(fs, path, WEIR_OPEN_READ, &file, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_buf buf;
    weir_buf_init(
            &buf, max + 2 * (size_t)READ_STEP); /* room for the step that finds it too large */
    rc = read_to_end(file, path, max, &buf, err);
    if (rc == WEIR_OK) {
        *ret_text = weir_arena_str(arena, weir_buf_view(&buf));
    }
    weir_buf_fini(&buf);
    weir_file_destroy(file);
    return rc;
}

struct weir_str weir_conf_folder(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    return slash != NULL ? weir_str(path, (size_t)(slash - path) + 1) : WEIR_STR("");
}

enum weir_rc weir_conf_load(struct weir_arena *arena, const char *path,
        struct weir_diagnostics *diagnostics, const struct weir_conf **ret_root,
        struct weir_err *err)
{
    struct weir_str text = { 0 };
    enum weir_rc rc = weir_conf_read_file(arena, path, WEIR_CONF_MAX_TEXT, &text, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    return weir_conf_parse_in(arena, text, weir_conf_folder(path), diagnostics, ret_root, err);
}
