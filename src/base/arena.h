/*
 * Arena: many small allocations freed as one. One per request and per batch.
 * Nothing in an arena has a destructor. One thread at a time.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

struct weir_arena_block;

struct weir_arena {
    struct weir_arena_block *blocks; /* newest first; owned */
    char *at;                        /* next free byte of the newest block */
    char *end;
    size_t used_bytes; /* handed out since init or reset, for limits */
};

/* Start empty; allocates nothing. */
void weir_arena_init(struct weir_arena *arena);

/* Free everything. Accepts a zeroed or finished arena. */
void weir_arena_fini(struct weir_arena *arena);

/* Drop all content but keep one block for the next use. */
void weir_arena_reset(struct weir_arena *arena);

/* size bytes aligned for any type, uninitialised, valid until fini or reset. Never NULL. */
void *weir_arena_alloc(struct weir_arena *arena, size_t size) __attribute__((returns_nonnull));

/* As weir_arena_alloc, count * size zeroed bytes. */
void *weir_arena_zero(struct weir_arena *arena, size_t count, size_t size)
        __attribute__((returns_nonnull));

/* A copy of s in the arena, zero-terminated behind its end. */
struct weir_str weir_arena_str(struct weir_arena *arena, struct weir_str s);

/* Formatted text in the arena. */
__attribute__((format(printf, 2, 3))) struct weir_str weir_arena_printf(
        struct weir_arena *arena, const char *fmt, ...);

/* One zeroed struct of a type. */
#define WEIR_ARENA_NEW(arena, type) ((type *)weir_arena_zero((arena), 1, sizeof(type)))

#endif
