/*
 * Filters of event source mappings: a pattern that a client gave as JSON goes through YAML. What
 * comes out is the same pattern, or nothing.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "mapping/mapping_int.h"
#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses up to a few KiB on some faulty texts; our own leaks still count. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static void check_same(struct weir_str a, struct weir_str b, struct weir_arena *arena)
{
    struct weir_json left;
    struct weir_json right;
    enum weir_json_token token;
    weir_json_init(&left, a, arena, WEIR_JSON_MAX_DEPTH);
    weir_json_init(&right, b, arena, WEIR_JSON_MAX_DEPTH);
    do {
        token = weir_json_next(&left);
        weir_assert(token != WEIR_JSON_ERROR && token == weir_json_next(&right));
        bool text =
                token == WEIR_JSON_NAME || token == WEIR_JSON_STRING || token == WEIR_JSON_NUMBER;
        weir_assert(!text || weir_str_eq(left.text, right.text));
    } while (token != WEIR_JSON_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena;
    struct weir_buf yaml;
    struct weir_buf json;
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    struct weir_str pattern = weir_str((const char *)data, size < 4096 ? size : 4096);
    weir_arena_init(&arena);
    weir_buf_init(&yaml, 1 << 20);
    weir_buf_init(&json, 1 << 20);
    weir_diagnostics_init(&diagnostics, "mapping");
    if (weir_mapping_write_pattern(pattern, &arena, &yaml) &&
            weir_conf_parse(&arena, weir_buf_view(&yaml), &diagnostics, &root, &err) == WEIR_OK) {
        weir_conf_write_json(&json, root);
        check_same(pattern, weir_buf_view(&json), &arena);
    }
    weir_diagnostics_fini(&diagnostics);
    weir_buf_fini(&json);
    weir_buf_fini(&yaml);
    weir_arena_fini(&arena);
    return 0;
}
