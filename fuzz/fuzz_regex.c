/* A pattern and a text, a line break between: both ways of matching agree. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "expr/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_str input = weir_str((const char *)data, size);
    const char *cut = size > 0 ? memchr(data, '\n', size) : NULL;
    if (cut == NULL || size > 2000 || !weir_str_is_utf8(input)) {
        return 0;
    }
    struct weir_str pattern = weir_str(input.p, (size_t)(cut - input.p));
    struct weir_str text = weir_str(cut + 1, size - pattern.n - 1);
    struct weir_arena arena;
    struct weir_err err;
    const struct weir_regex *fast = NULL;
    const struct weir_regex *slow = NULL;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_regex_compile(&arena, pattern, true, &fast, &err);
    weir_assert(weir_regex_compile(&arena, pattern, false, &slow, &err) == rc);
    if (rc == WEIR_OK && weir_regex_cost(slow) * text.n < 10000000) {
        weir_assert(weir_regex_search(fast, text) == weir_regex_search(slow, text));
    }
    weir_arena_fini(&arena);
    return 0;
}
