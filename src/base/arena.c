#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum { BLOCK_BYTES = 16 * 1024, ALIGN = 16 };

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t size; /* of data */
    _Alignas(ALIGN) char data[];
};

void weir_arena_init(struct weir_arena *arena)
{
    *arena = (struct weir_arena){ 0 };
}

void weir_arena_fini(struct weir_arena *arena)
{
    struct weir_arena_block *block = arena->blocks;
    while (block != NULL) {
        struct weir_arena_block *next = block->next;
        weir_free(block);
        block = next;
    }
    weir_arena_init(arena);
}

void weir_arena_reset(struct weir_arena *arena)
{
    struct weir_arena_block *keep = arena->blocks;
    if (keep == NULL) {
        return;
    }
    arena->blocks = keep->next;
    struct weir_arena_block *rest = arena->blocks;
    while (rest != NULL) {
        struct weir_arena_block *next = rest->next;
        weir_free(rest);
        rest = next;
    }
    keep->next = NULL;
    arena->blocks = keep;
    arena->at = keep->data;
    arena->end = keep->data + keep->size;
    arena->used_bytes = 0;
}

static void add_block(struct weir_arena *arena, size_t size)
{
    size_t data = size > BLOCK_BYTES ? size : BLOCK_BYTES;
    struct weir_arena_block *block = weir_alloc(sizeof(*block) + data);
    block->size = data;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->at = block->data;
    arena->end = block->data + data;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t size)
{
    weir_assert(size < SIZE_MAX / 2);
    size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if ((size_t)(arena->end - arena->at) < rounded || arena->blocks == NULL) {
        add_block(arena, rounded);
    }
    void *p = arena->at;
    arena->at += rounded;
    arena->used_bytes += rounded;
    return p;
}

void *weir_arena_zero(struct weir_arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    weir_assert(!__builtin_mul_overflow(count, size, &bytes));
    return memset(weir_arena_alloc(arena, bytes), 0, bytes);
}

struct weir_str weir_arena_str(struct weir_arena *arena, struct weir_str s)
{
    char *copy = weir_arena_alloc(arena, s.n + 1);
    if (s.n > 0) {
        memcpy(copy, s.p, s.n);
    }
    copy[s.n] = '\0';
    return weir_str(copy, s.n);
}

struct weir_str weir_arena_printf(struct weir_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        return WEIR_STR("");
    }
    char *text = weir_arena_alloc(arena, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return weir_str(text, (size_t)n);
}
