/*
 * Memory: allocation that cannot fail, ownership macros.
 *
 * Every request-sized allocation is bounded by a limit that answers
 * WEIR_E_TOO_LARGE, so running out of memory means the machine is out of it:
 * the process stops, and the log makes that safe.
 */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Allocate size bytes, uninitialised. Never NULL. The caller frees with weir_free. */
void *weir_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));

/* Allocate count * size zeroed bytes; stops on overflow. Never NULL. */
void *weir_alloc_zero(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resize to count * size bytes; p may be NULL. Never NULL. */
void *weir_realloc(void *p, size_t count, size_t size) __attribute__((returns_nonnull));

/* Free what weir_alloc gave; NULL is fine. */
void weir_free(void *p);

/* Copy n bytes into a new zero-terminated string that the caller frees. */
char *weir_strndup(const char *p, size_t n) __attribute__((returns_nonnull));

/* Give up a pointer variable: yields its value and leaves NULL behind. */
#define WEIR_TAKE(ptr)                     \
    ({                                     \
        __typeof__(ptr) *take_at = &(ptr); \
        __typeof__(ptr) taken = *take_at;  \
        *take_at = NULL;                   \
        taken;                             \
    })

/*
 * Destroy a pointer variable at the end of its scope:
 *     WEIR_AUTO(weir_txn) struct weir_txn *txn = NULL;
 * calls weir_txn_destroy(txn). The module declares it once with
 * WEIR_AUTO_DEFINE(weir_txn) next to weir_txn_destroy.
 */
#define WEIR_AUTO(name) __attribute__((cleanup(name##_auto)))
#define WEIR_AUTO_DEFINE(name)                        \
    static inline void name##_auto(struct name **ptr) \
    {                                                 \
        name##_destroy(*ptr);                         \
    }                                                 \
    struct name /* swallow the semicolon */

/* As WEIR_AUTO for structs held by value whose end is name##_fini(&value). */
#define WEIR_AUTO_FINI(name) __attribute__((cleanup(name##_fini)))

/* The struct that contains a member, from the member's address. */
#define WEIR_CONTAINER(ptr, type, member) ((type *)((uintptr_t)(ptr)-offsetof(type, member)))

#define WEIR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
