/* Borrowed byte strings: a pointer and a length, never zero-terminated by promise. */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Always borrowed: whoever hands it out says until when it is valid. */
struct weir_str {
    const char *p;
    size_t n;
};

/* A literal as a weir_str. */
#define WEIR_STR(literal) ((struct weir_str){ (literal), sizeof(literal) - 1 })

/* For printf: "%.*s" with WEIR_STR_ARG(s). Lengths beyond int are cut. */
#define WEIR_STR_ARG(s) weir_str_printed((s).p, (s).n), ((s).p != NULL ? (s).p : "")

/*
 * The length for printf. AddressSanitizer does not look at what "%.*s" reads, so in gcc's builds
 * with it each byte is read here: text that is freed is found where it is printed.
 */
static inline int weir_str_printed(const char *p, size_t n)
{
#ifdef __SANITIZE_ADDRESS__
    for (size_t i = 0; i < n; i++) {
        (void)*(const volatile char *)&p[i];
    }
#else
    (void)p;
#endif
    return n > 0x7fffffff ? 0x7fffffff : (int)n;
}

static inline struct weir_str weir_str(const char *p, size_t n)
{
    return (struct weir_str){ p, n };
}

static inline struct weir_str weir_str_z(const char *z)
{
    return (struct weir_str){ z, z != NULL ? strlen(z) : 0 };
}

static inline bool weir_str_eq(struct weir_str a, struct weir_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Order by bytes, a prefix before what it begins: <0, 0, >0. */
static inline int weir_str_cmp(struct weir_str a, struct weir_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool weir_str_starts(struct weir_str s, struct weir_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Whether every byte belongs to valid UTF-8 (no surrogates, no overlong forms). */
bool weir_str_is_utf8(struct weir_str s);

/* Parse a whole decimal integer; false when it is not one or does not fit. */
bool weir_str_to_u64(struct weir_str s, uint64_t *ret_value);

/*
 * The nearest of count names to s by edit distance, for "did you mean"; NULL when
 * none is near (more than a third of the longer one's length away).
 */
const char *weir_str_nearest(struct weir_str s, const char *const *names, size_t count);

/* A copy that is owned, with a zero byte behind it; free it with weir_str_disown. */
struct weir_str weir_str_own(struct weir_str s);

/* Free what weir_str_own gave; p NULL is fine. */
void weir_str_disown(struct weir_str s);

/* s, or the fallback when s is empty. */
static inline struct weir_str weir_str_or(struct weir_str s, struct weir_str fallback)
{
    return s.n > 0 ? s : fallback;
}

#endif
