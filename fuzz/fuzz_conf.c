/*
 * Configuration files. What parses must be a tree within the limits whose places lie
 * in the file, and whose JSON leads back into it; what does not must be complained about.
 */
#include <stdlib.h>

#include "conf/conf.h"
#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses up to a few KiB on some faulty texts; our own leaks still count. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static void check_json(const struct weir_conf *root)
{
    struct weir_buf buf;
    struct weir_arena arena;
    weir_buf_init(&buf, 1 << 20);
    weir_arena_init(&arena);
    weir_conf_write_json(&buf, root);
    if (!buf.overflow) {
        struct weir_json json;
        weir_json_init(&json, weir_buf_view(&buf), &arena, 100);
        enum weir_json_token token = weir_json_next(&json);
        while (token != WEIR_JSON_END) {
            weir_assert(token != WEIR_JSON_ERROR);
            token = weir_json_next(&json);
        }
        for (size_t i = 0; i < buf.n; i += buf.n / 16 + 1) {
            weir_assert(weir_conf_at_json(root, i) != NULL);
        }
    }
    weir_arena_fini(&arena);
    weir_buf_fini(&buf);
}

static void check_node(
        struct weir_diagnostics *diagnostics, const struct weir_conf *node, unsigned depth)
{
    weir_assert(depth <= 64 && node->line > 0 && node->column > 0);
    if (diagnostics->count < 50) {
        weir_conf_error_in(diagnostics, node, node->text.n / 2, "inside");
    }
    for (size_t i = 0; i < node->count; i++) {
        check_node(diagnostics, &node->items[i], depth + 1);
        if (node->kind == WEIR_CONF_MAP) {
            weir_assert(node->names[i].kind == WEIR_CONF_SCALAR);
            check_node(diagnostics, &node->names[i], depth + 1);
        }
    }
}

struct target {
    struct weir_str string;
    uint64_t duration;
    uint64_t bytes;
};

static void check_options(struct weir_diagnostics *diagnostics, const struct weir_conf *root)
{
    static const struct weir_option options[] = {
        { "a", "x", "a string", WEIR_OPTION_STRING, offsetof(struct target, string), 0, 0 },
        { "b", "1s", "a duration", WEIR_OPTION_DURATION, offsetof(struct target, duration), 1, 9 },
        { "c", "", "a size", WEIR_OPTION_BYTES, offsetof(struct target, bytes), 0, 0 },
        { NULL, NULL, NULL, WEIR_OPTION_NODE, 0, 0, 0 },
    };
    struct target target = { 0 };
    size_t errors = diagnostics->errors;
    bool right = weir_conf_options(diagnostics, root, "the file", options, &target);
    weir_assert(!right || diagnostics->errors == errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 64 << 10 || memmem(data, size, "/dev", 4) != NULL ||
            memmem(data, size, "/proc", 5) != NULL) {
        return 0; /* !file of a terminal would wait for somebody to type */
    }
    struct weir_arena arena;
    struct weir_diagnostics diagnostics;
    struct weir_buf buf;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    weir_arena_init(&arena);
    weir_diagnostics_init(&diagnostics, "no-such-folder/weir.yaml");
    weir_buf_init(&buf, 1 << 20);
    enum weir_rc rc =
            weir_conf_parse(&arena, weir_str((const char *)data, size), &diagnostics, &root, &err);
    weir_assert((rc == WEIR_OK) == (diagnostics.errors == 0));
    weir_assert(rc != WEIR_OK || root != NULL);
    if (root != NULL) {
        check_node(&diagnostics, root, 1);
        check_json(root);
        check_options(&diagnostics, root);
    }
    weir_diagnostics_sort(&diagnostics);
    weir_diagnostics_write(&diagnostics, &buf);
    weir_assert(buf.n == 0 || weir_str_is_utf8(weir_buf_view(&buf)));
    weir_buf_fini(&buf);
    weir_diagnostics_fini(&diagnostics);
    weir_arena_fini(&arena);
    return 0;
}
