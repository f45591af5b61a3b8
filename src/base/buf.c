#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_BYTES = 256 };

void weir_buf_init(struct weir_buf *buf, size_t max)
{
    *buf = (struct weir_buf){ .max = max };
}

void weir_buf_fini(struct weir_buf *buf)
{
    weir_free(buf->p);
    *buf = (struct weir_buf){ .max = buf->max };
}

void weir_buf_reset(struct weir_buf *buf)
{
    buf->n = 0;
    buf->overflow = false;
}

static bool grow(struct weir_buf *buf, size_t more)
{
    if (more > buf->max - buf->n) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->n + more;
    if (need <= buf->capacity) {
        return true;
    }
    size_t capacity = buf->capacity > 0 ? buf->capacity : FIRST_BYTES;
    while (capacity < need) {
        capacity *= 2;
    }
    capacity = capacity < buf->max ? capacity : buf->max;
    buf->p = weir_realloc(buf->p, capacity, 1);
    buf->capacity = capacity;
    return true;
}

char *weir_buf_reserve(struct weir_buf *buf, size_t n)
{
    if (!grow(buf, n)) {
        return NULL;
    }
    char *p = buf->p + buf->n;
    buf->n += n;
    return p;
}

void weir_buf_add(struct weir_buf *buf, const void *p, size_t n)
{
    if (n == 0 || !grow(buf, n)) {
        return;
    }
    memcpy(buf->p + buf->n, p, n);
    buf->n += n;
}

/* What stands for a character that XML would take for something else; NULL: itself. */
static const char *xml_entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\n':
        return "&#xA;"; /* in an attribute it would come out as a space */
    case '\r':
        return "&#xD;"; /* and this as a newline */
    default:
        return c < ' ' && c != '\t' ? "?" : NULL;
    }
}

void weir_buf_xml(struct weir_buf *buf, struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        const char *entity = xml_entity((unsigned char)text.p[i]);
        if (entity != NULL) {
            weir_buf_z(buf, entity);
        } else {
            weir_buf_byte(buf, text.p[i]);
        }
    }
}

void weir_buf_printf(struct weir_buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n <= 0 || !grow(buf, (size_t)n + 1)) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->n += (size_t)n;
}

enum weir_rc weir_buf_check(const struct weir_buf *buf, const char *what, struct weir_err *err)
{
    if (buf->overflow) {
        return weir_fail(err, WEIR_E_TOO_LARGE, "%s is larger than %zu bytes", what, buf->max);
    }
    return WEIR_OK;
}
