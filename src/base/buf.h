/*
 * Growing byte buffer with a mandatory maximum and a sticky overflow flag that
 * is read once at the end: writers append without checking each call.
 * Owned by one thread at a time.
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct weir_buf {
    char *p; /* owned; NULL while empty */
    size_t n;
    size_t capacity;
    size_t max;    /* never more bytes than this */
    bool overflow; /* something was dropped because of max */
};

/* Start empty with a maximum in bytes; allocates nothing. */
void weir_buf_init(struct weir_buf *buf, size_t max);

/* Free. Accepts a zeroed or finished buffer. */
void weir_buf_fini(struct weir_buf *buf);

/* Drop the content and the overflow flag, keep the memory. */
void weir_buf_reset(struct weir_buf *buf);

/* Append n bytes, or set overflow and append nothing. */
void weir_buf_add(struct weir_buf *buf, const void *p, size_t n);

/* Append a string. */
static inline void weir_buf_str(struct weir_buf *buf, struct weir_str s)
{
    weir_buf_add(buf, s.p, s.n);
}

/* Append a string literal or zero-terminated text. */
static inline void weir_buf_z(struct weir_buf *buf, const char *z)
{
    weir_buf_add(buf, z, strlen(z));
}

/* Append one byte. */
static inline void weir_buf_byte(struct weir_buf *buf, char c)
{
    if (buf->n < buf->capacity) {
        buf->p[buf->n++] = c;
    } else {
        weir_buf_add(buf, &c, 1);
    }
}

/* Append text as XML has it, between tags or quotes; what XML cannot carry becomes '?'. */
void weir_buf_xml(struct weir_buf *buf, struct weir_str text);

/* Append formatted text. */
__attribute__((format(printf, 2, 3))) void weir_buf_printf(
        struct weir_buf *buf, const char *fmt, ...);

/* Append n uninitialised bytes and return where they begin; NULL on overflow. */
char *weir_buf_reserve(struct weir_buf *buf, size_t n);

/* WEIR_OK, or WEIR_E_TOO_LARGE naming `what` when something was dropped. Errors: WEIR_E_TOO_LARGE.
 */
enum weir_rc weir_buf_check(const struct weir_buf *buf, const char *what, struct weir_err *err);

/* The content, borrowed until the next change. */
static inline struct weir_str weir_buf_view(const struct weir_buf *buf)
{
    return weir_str(buf->p, buf->n);
}

#endif
