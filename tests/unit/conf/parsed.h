/* A parsed text with everything it needs, for the tests of conf. */
#ifndef WEIR_TESTS_UNIT_CONF_PARSED_H
#define WEIR_TESTS_UNIT_CONF_PARSED_H

#include "../test.h"
#include "conf/conf.h"

struct parsed {
    struct weir_arena arena;
    struct weir_diagnostics diagnostics;
    struct weir_buf buf;
    struct weir_err err;
    enum weir_rc rc;
    const struct weir_conf *root; /* NULL when there is none */
};

static inline void parse_str(struct parsed *parsed, struct weir_str text)
{
    memset(parsed, 0, sizeof(*parsed));
    weir_arena_init(&parsed->arena);
    weir_diagnostics_init(&parsed->diagnostics, "weir.yaml");
    weir_buf_init(&parsed->buf, 64 << 20);
    parsed->rc = weir_conf_parse(
            &parsed->arena, text, &parsed->diagnostics, &parsed->root, &parsed->err);
}

static inline void parse(struct parsed *parsed, const char *text)
{
    parse_str(parsed, weir_str_z(text));
}

static inline void parse_end(struct parsed *parsed)
{
    weir_buf_fini(&parsed->buf);
    weir_diagnostics_fini(&parsed->diagnostics);
    weir_arena_fini(&parsed->arena);
}

/* The content of the buffer as a C string. */
static inline const char *text_of(struct weir_buf *buf)
{
    weir_buf_byte(buf, '\0');
    buf->n--;
    return buf->p;
}

/* All diagnostics, sorted, as `weir check` prints them. */
static inline const char *complaints(struct parsed *parsed)
{
    weir_diagnostics_sort(&parsed->diagnostics);
    weir_buf_reset(&parsed->buf);
    weir_diagnostics_write(&parsed->diagnostics, &parsed->buf);
    return text_of(&parsed->buf);
}

static inline const char *json_of(struct parsed *parsed, const struct weir_conf *node)
{
    weir_buf_reset(&parsed->buf);
    weir_conf_write_json(&parsed->buf, node);
    return text_of(&parsed->buf);
}

#define assert_at(node, line_, column_)            \
    do {                                           \
        assert_int_equal((node)->line, line_);     \
        assert_int_equal((node)->column, column_); \
    } while (0)

#endif
