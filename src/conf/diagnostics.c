#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf_int.h"

void weir_diagnostics_init(struct weir_diagnostics *diagnostics, const char *file)
{
    *diagnostics = (struct weir_diagnostics){ .file = file };
}

void weir_diagnostics_fini(struct weir_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        weir_free(diagnostics->all[i].text);
    }
    weir_free(diagnostics->all);
    *diagnostics = (struct weir_diagnostics){ .file = diagnostics->file };
}

/* Values come from outside: one that holds line ends or terminal codes must not act in a message.
 */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) {
            *text = '?';
        }
    }
}

WEIR_PRINTF(5, 0)
static void add(struct weir_diagnostics *diagnostics, enum weir_diagnostic_level level,
        unsigned line, unsigned column, const char *fmt, va_list args)
{
    if (level == WEIR_DIAGNOSTIC_ERROR) {
        diagnostics->errors++;
    }
    if (diagnostics->count == WEIR_DIAGNOSTICS_MAX) {
        diagnostics->more++;
        return;
    }
    if ((diagnostics->count & (diagnostics->count - 1)) == 0) {
        size_t capacity = diagnostics->count == 0 ? 1 : diagnostics->count * 2;
        diagnostics->all = weir_realloc(diagnostics->all, capacity, sizeof(diagnostics->all[0]));
    }
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    weir_assert(n >= 0);
    char *text = weir_alloc((size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    make_printable(text);
    diagnostics->all[diagnostics->count++] = (struct weir_diagnostic){
        .level = level, .line = line, .column = column, .text = text
    };
}

void weir_conf_error(
        struct weir_diagnostics *diagnostics, const struct weir_conf *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diagnostics, WEIR_DIAGNOSTIC_ERROR, at != NULL ? at->line : 0, at != NULL ? at->column : 0,
            fmt, args);
    va_end(args);
}

void weir_conf_warn(
        struct weir_diagnostics *diagnostics, const struct weir_conf *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diagnostics, WEIR_DIAGNOSTIC_WARNING, at != NULL ? at->line : 0,
            at != NULL ? at->column : 0, fmt, args);
    va_end(args);
}

void weir_conf_error_at(
        struct weir_diagnostics *diagnostics, unsigned line, unsigned column, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(diagnostics, WEIR_DIAGNOSTIC_ERROR, line, column, fmt, args);
    va_end(args);
}

size_t weir_conf_char_bytes(struct weir_str s)
{
    unsigned char lead = s.n > 0 ? (unsigned char)s.p[0] : 0;
    size_t n = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return n < s.n ? n : s.n > 0 ? s.n : 1;
}

static struct weir_str cut(struct weir_str s, size_t max)
{
    if (s.n > max) {
        s.n = max;
        while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) {
            s.n--;
        }
    }
    return s;
}

struct weir_str weir_conf_cut(struct weir_str s)
{
    return cut(s, WEIR_CONF_MAX_NAMED);
}

/* --- from an offset in a scalar's text to a place in the file --------------- */

/* Walks a scalar's raw text and its value side by side. */
struct walk {
    const struct weir_conf *node;
    size_t raw;   /* next byte of node->raw */
    size_t value; /* next byte of node->text */
    size_t target;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t raw_char(const struct walk *walk)
{
    return weir_conf_char_bytes(
            weir_str(walk->node->raw.p + walk->raw, walk->node->raw.n - walk->raw));
}

/* One escape of a double-quoted scalar. */
static void walk_escape(struct walk *walk)
{
    struct weir_str raw = walk->node->raw;
    char c = raw.p[walk->raw + 1]; /* there is always the closing quote */
    if (c == '\n' || c == '\r') {  /* a line continued: stands for nothing */
        walk->raw++;
        while (walk->raw < raw.n && is_space(raw.p[walk->raw])) {
            walk->raw++;
        }
        return;
    }
    walk->raw += c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
    walk->value += weir_conf_char_bytes(
            weir_str(walk->node->text.p + walk->value, walk->node->text.n - walk->value));
}

enum fold {
    FOLD_NONE, /* white space inside one line: stands for itself */
    FOLD_PASSED,
    FOLD_FOUND, /* the target is in it */
};

/* A run of white space. */
static enum fold walk_fold(struct walk *walk)
{
    struct weir_str raw = walk->node->raw;
    struct weir_str text = walk->node->text;
    size_t end = walk->raw;
    size_t lines = 0;
    while (end < raw.n && is_space(raw.p[end])) {
        lines += raw.p[end] == '\n' || (raw.p[end] == '\r' && raw.p[end + 1] != '\n');
        end++;
    }
    bool block = walk->node->style == '|' || walk->node->style == '>';
    if (lines == 0 && !(block && walk->raw == 0)) {
        return FOLD_NONE;
    }
    size_t stands_for = lines > 1 ? lines - 1 : lines;
    size_t value = walk->value;
    while (value < text.n && is_space(text.p[value]) && (block || stands_for > 0)) {
        stands_for -= stands_for > 0;
        value++;
    }
    if (value > walk->target) { /* the target is in the run: count back from its end */
        size_t back = value - walk->target;
        walk->raw = end - walk->raw > back ? end - back : walk->raw;
        walk->value = walk->target;
        return FOLD_FOUND;
    }
    walk->raw = end;
    walk->value = value;
    return FOLD_PASSED;
}

static void walk_to(struct walk *walk)
{
    struct weir_str raw = walk->node->raw;
    char style = walk->node->style;
    while (walk->raw < raw.n) {
        char c = raw.p[walk->raw];
        if (is_space(c) && walk->value <= walk->target) {
            enum fold fold = walk_fold(walk);
            if (fold == FOLD_FOUND) {
                return;
            }
            if (fold == FOLD_PASSED) {
                continue;
            }
        }
        bool continued = style == '"' && c == '\\' && strchr("\r\n", raw.p[walk->raw + 1]) != NULL;
        if (walk->value >= walk->target && !continued) {
            return;
        }
        if (style == '"' && c == '\\') {
            walk_escape(walk);
            continue;
        }
        if (style == '\'' && c == '\'') {
            walk->raw++; /* the second of two stands for one */
        }
        size_t n = raw_char(walk);
        walk->raw += n;
        walk->value += n;
    }
    walk->raw = raw.n;
}

static void place_in(const struct weir_conf *at, size_t offset, unsigned *line, unsigned *column)
{
    *line = at->line;
    *column = at->column;
    if (at->kind != WEIR_CONF_SCALAR || at->secret || at->raw.n == 0) {
        return;
    }
    struct walk walk = { .node = at, .target = offset < at->text.n ? offset : at->text.n };
    walk_to(&walk);
    if (at->style == '|' || at->style == '>') {
        (*line)++; /* the text begins in the line after the sign */
        *column = 1;
    } else if (at->style != 0) {
        (*column)++;
    }
    size_t end = walk.raw < at->raw.n ? walk.raw : at->raw.n;
    for (size_t i = 0; i < end; i++) {
        char c = at->raw.p[i];
        if (c == '\n' || (c == '\r' && at->raw.p[i + 1] != '\n')) {
            (*line)++;
            *column = 1;
        } else if (((unsigned char)c & 0xc0) != 0x80) {
            (*column)++;
        }
    }
}

void weir_conf_error_in(struct weir_diagnostics *diagnostics, const struct weir_conf *at,
        size_t offset, const char *fmt, ...)
{
    unsigned line = 0;
    unsigned column = 0;
    if (at != NULL) {
        place_in(at, offset, &line, &column);
    }
    va_list args;
    va_start(args, fmt);
    add(diagnostics, WEIR_DIAGNOSTIC_ERROR, line, column, fmt, args);
    va_end(args);
}

/* --- showing ----------------------------------------------------------------- */

const char *weir_conf_show(const struct weir_conf *node, char out[WEIR_CONF_SHOWN])
{
    static const char *const kinds[] = {
        [WEIR_CONF_NULL] = "nothing", [WEIR_CONF_LIST] = "a list", [WEIR_CONF_MAP] = "a map"
    };
    enum { ROOM = WEIR_CONF_SHOWN - sizeof("'...'") };
    if (node == NULL) {
        snprintf(out, WEIR_CONF_SHOWN, "nothing");
    } else if (node->secret) {
        snprintf(out, WEIR_CONF_SHOWN, "a secret");
    } else if (node->kind != WEIR_CONF_SCALAR) {
        snprintf(out, WEIR_CONF_SHOWN, "%s", kinds[node->kind]);
    } else {
        struct weir_str text = cut(node->text, ROOM);
        snprintf(out, WEIR_CONF_SHOWN, "'%.*s%s'", WEIR_STR_ARG(text),
                text.n < node->text.n ? "..." : "");
    }
    return out;
}

static int compare(const void *a_, const void *b_)
{
    const struct weir_diagnostic *a = a_;
    const struct weir_diagnostic *b = b_;
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    if (a->column != b->column) {
        return a->column < b->column ? -1 : 1;
    }
    if (a->level != b->level) {
        return a->level > b->level ? -1 : 1; /* errors first */
    }
    return strcmp(a->text, b->text);
}

void weir_diagnostics_sort(struct weir_diagnostics *diagnostics)
{
    if (diagnostics->count == 0) {
        return;
    }
    qsort(diagnostics->all, diagnostics->count, sizeof(diagnostics->all[0]), compare);
    size_t kept = 1;
    for (size_t i = 1; i < diagnostics->count; i++) {
        struct weir_diagnostic *next = &diagnostics->all[i];
        if (compare(&diagnostics->all[kept - 1], next) == 0) {
            diagnostics->errors -= next->level == WEIR_DIAGNOSTIC_ERROR;
            weir_free(next->text);
        } else {
            diagnostics->all[kept++] = *next;
        }
    }
    diagnostics->count = kept;
    /* Growing counts on a capacity that is the next power of two. */
    size_t capacity = 1;
    while (capacity < kept) {
        capacity *= 2;
    }
    diagnostics->all = weir_realloc(diagnostics->all, capacity, sizeof(diagnostics->all[0]));
}

void weir_diagnostics_write(const struct weir_diagnostics *diagnostics, struct weir_buf *buf)
{
    const char *file = diagnostics->file != NULL ? diagnostics->file : "configuration";
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct weir_diagnostic *one = &diagnostics->all[i];
        weir_buf_z(buf, file);
        if (one->line > 0) {
            weir_buf_printf(buf, ":%u:%u", one->line, one->column);
        }
        weir_buf_z(buf, one->level == WEIR_DIAGNOSTIC_ERROR ? ": error: " : ": warning: ");
        weir_buf_z(buf, one->text);
        weir_buf_byte(buf, '\n');
    }
    if (diagnostics->more > 0) {
        weir_buf_printf(buf, "%s: and %zu more\n", file, diagnostics->more);
    }
}
