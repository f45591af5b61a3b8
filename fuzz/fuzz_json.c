/* Any text read token by token: no bad access, an end, and texts that are UTF-8. */
#include <stddef.h>
#include <stdint.h>

#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf out;
    struct weir_str text = weir_str((const char *)data, size);
    struct weir_json json;
    enum weir_json_token token;

    weir_arena_init(&arena);
    weir_buf_init(&out, 64 << 20);
    weir_json_init(&json, text, &arena, 64);
    while ((token = weir_json_next(&json)) != WEIR_JSON_END && token != WEIR_JSON_ERROR) {
        weir_assert(json.pos <= json.at && json.at <= size && json.depth <= 64);
        if (token != WEIR_JSON_NAME && token != WEIR_JSON_STRING) {
            continue;
        }
        /* A string written and read again is the same string. */
        struct weir_json again;
        struct weir_str was = json.text;
        weir_assert(weir_str_is_utf8(was));
        weir_buf_reset(&out);
        weir_json_write_string(&out, was);
        weir_json_init(&again, weir_buf_view(&out), &arena, 1);
        weir_assert(weir_json_next(&again) == WEIR_JSON_STRING);
        weir_assert(weir_str_eq(again.text, was));
        weir_assert(weir_json_next(&again) == WEIR_JSON_END);
    }
    weir_assert(weir_json_next(&json) == token);
    weir_assert((token == WEIR_JSON_ERROR) == (json.err.code != WEIR_OK));

    /* Skipping sees the same as reading. */
    struct weir_json skipped;
    weir_json_init(&skipped, text, &arena, 64);
    enum weir_rc rc = weir_json_skip(&skipped, weir_json_next(&skipped), NULL);
    weir_assert((rc == WEIR_OK && weir_json_next(&skipped) == WEIR_JSON_END) ==
                (token == WEIR_JSON_END));

    /* Any bytes are written as a good string; base64 comes back. */
    weir_buf_reset(&out);
    weir_json_write_string(&out, text);
    weir_json_init(&json, weir_buf_view(&out), &arena, 1);
    weir_assert(weir_json_next(&json) == WEIR_JSON_STRING);
    weir_assert(!weir_str_is_utf8(text) || weir_str_eq(json.text, text));
    struct weir_str bytes;
    (void)!weir_base64_decode(&arena, text, true, &bytes, NULL);
    weir_buf_reset(&out);
    weir_base64_encode(&out, text);
    weir_assert(weir_base64_decode(&arena, weir_buf_view(&out), false, &bytes, NULL) == WEIR_OK);
    weir_assert(weir_str_eq(bytes, text));
    return 0;
}
