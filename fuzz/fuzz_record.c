/* Records as JSON: what is read holds good items, and written and read again it says the same. */
#include <stddef.h>
#include <stdint.h>

#include "value/record.h"

static bool read(struct weir_arena *arena, struct weir_str text, struct weir_record *ret_record)
{
    struct weir_json json;
    struct weir_err err = { 0 };
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), ret_record, &err);
    weir_assert(rc == WEIR_OK || (err.code == rc && err.msg[0] != '\0'));
    return rc == WEIR_OK;
}

static bool same_image(struct weir_item a, struct weir_item b)
{
    return (a.n > 0) == (b.n > 0) && weir_item_eq(a, b);
}

static void check(const struct weir_record *record)
{
    weir_assert(record->event >= WEIR_EVENT_INSERT && record->event <= WEIR_EVENT_REMOVE);
    weir_assert(record->keys.n == 0 || weir_item_check(record->keys, NULL) == WEIR_OK);
    weir_assert(record->old_image.n == 0 || weir_item_check(record->old_image, NULL) == WEIR_OK);
    weir_assert(record->new_image.n == 0 || weir_item_check(record->new_image, NULL) == WEIR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf out;
    struct weir_record record;
    struct weir_record again;

    weir_arena_init(&arena);
    weir_buf_init(&out, 64 << 20);
    if (read(&arena, weir_str((const char *)data, size), &record)) {
        check(&record);
        weir_record_write(&out, &record, WEIR_RECORD_LAMBDA);
        weir_assert(read(&arena, weir_buf_view(&out), &again));
        weir_assert(record.event == again.event && record.pos.seq == again.pos.seq);
        weir_assert(record.created.ms / 1000 == again.created.ms / 1000);
        weir_assert(record.by_ttl == again.by_ttl && record.source->view == again.source->view);
        weir_assert(weir_str_eq(record.source->stream_arn, again.source->stream_arn));
        weir_assert(same_image(record.keys, again.keys));
        weir_assert(same_image(record.old_image, again.old_image));
        weir_assert(same_image(record.new_image, again.new_image));
    }
    return 0;
}
