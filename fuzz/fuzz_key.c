/* Any bytes as keys: what decodes encodes to the same bytes, and skipping agrees. */
#include <stddef.h>
#include <stdint.h>

#include "value/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    WEIR_AUTO_FINI(weir_buf) struct weir_buf out;
    struct weir_str bytes = weir_str((const char *)data, size);

    weir_arena_init(&arena);
    weir_buf_init(&out, 64 << 20);
    while (bytes.n > 0) {
        struct weir_str before = bytes;
        struct weir_str skipped = bytes;
        struct weir_value value;
        if (weir_key_next(&bytes, &arena, &value, NULL) != WEIR_OK) {
            (void)!weir_key_skip(&skipped, NULL);
            break;
        }
        weir_assert(weir_key_skip(&skipped, NULL) == WEIR_OK);
        weir_assert(skipped.p == bytes.p && skipped.n == bytes.n);
        weir_buf_reset(&out);
        weir_assert(weir_key_add(&out, value, NULL) == WEIR_OK);
        weir_assert(weir_str_eq(weir_buf_view(&out), weir_str(before.p, before.n - bytes.n)));
    }
    return 0;
}
