#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static void *checked(void *p, size_t size)
{
    if (p == NULL) {
        fprintf(stderr, "weir: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

void *weir_alloc(size_t size)
{
    return checked(malloc(size > 0 ? size : 1), size);
}

void *weir_alloc_zero(size_t count, size_t size)
{
    return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1), count);
}

void *weir_realloc(void *p, size_t count, size_t size)
{
    size_t bytes = 0;
    weir_assert(!__builtin_mul_overflow(count, size, &bytes));
    return checked(realloc(p, bytes > 0 ? bytes : 1), bytes);
}

void weir_free(void *p)
{
    free(p);
}

char *weir_strndup(const char *p, size_t n)
{
    char *copy = weir_alloc(n + 1);
    if (n > 0) {
        memcpy(copy, p, n);
    }
    copy[n] = '\0';
    return copy;
}
