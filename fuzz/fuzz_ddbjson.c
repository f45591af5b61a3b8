/* DynamoDB JSON: what is read is a good item, and written and read again it has equal bytes. */
#include <stddef.h>
#include <stdint.h>

#include "value/ddbjson.h"

static bool read(struct weir_arena *arena, struct weir_str text, struct weir_item *ret_item)
{
    struct weir_json json;
    struct weir_err err = { 0 };
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_ddbjson_read_item(&json, weir_json_next(&json), ret_item, &err);
    weir_assert(rc == WEIR_OK || (err.code == rc && err.msg[0] != '\0'));
    return rc == WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf out;
    struct weir_str text = weir_str((const char *)data, size);
    struct weir_item item;
    struct weir_item again;
    struct weir_json json;

    weir_arena_init(&arena);
    weir_buf_init(&out, 64 << 20);
    if (read(&arena, text, &item)) {
        weir_assert(weir_item_check(item, NULL) == WEIR_OK);
        weir_ddbjson_write_item(&out, item);
        weir_assert(read(&arena, weir_buf_view(&out), &again));
        weir_assert(weir_item_eq(item, again));
        weir_buf_reset(&out);
        weir_ddbjson_write_plain_item(&out, item);
        weir_json_init(&json, weir_buf_view(&out), &arena, WEIR_JSON_MAX_DEPTH);
        weir_assert(weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &again, NULL) ==
                    WEIR_OK);
    }
    weir_json_init(&json, text, &arena, WEIR_JSON_MAX_DEPTH);
    if (weir_ddbjson_read_plain_item(&json, weir_json_next(&json), &item, NULL) == WEIR_OK) {
        weir_assert(weir_item_check(item, NULL) == WEIR_OK);
    }
    return 0;
}
