/*
 * What stands in a queue of dead letters is anybody's: reading it as a letter ends, and a letter
 * that was read can be shown, written and read again, with the same members.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "pipeline/letters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A letter's payload is JSON wherever weir has written it. */
static void write_again(const struct weir_letter *letter, struct weir_arena *arena)
{
    struct weir_letter again = *letter;
    struct weir_letter read;
    struct weir_buf buf;
    again.payload = letter->payload.n > 0 ? letter->payload : WEIR_STR("null");
    weir_buf_init(&buf, 64 * 1024 * 1024);
    weir_letter_write(&buf, &again);
    weir_assert(weir_letter_parse(weir_buf_view(&buf), arena, &read));
    weir_assert(weir_str_eq(read.pipeline, again.pipeline));
    weir_assert(weir_str_eq(read.error, again.error));
    size_t keys = weir_item_count(again.keys);
    weir_assert(weir_item_count(read.keys) == keys);
    weir_assert(keys == 0 || weir_item_eq(read.keys, again.keys));
    weir_buf_fini(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena;
    struct weir_letter letter;
    weir_arena_init(&arena);
    if (weir_letter_parse(weir_str((const char *)data, size), &arena, &letter)) {
        struct weir_buf shown;
        weir_buf_init(&shown, 64 * 1024 * 1024);
        weir_letter_show(&shown, &letter, true);
        weir_buf_fini(&shown);
        write_again(&letter, &arena);
    }
    weir_arena_fini(&arena);
    return 0;
}
