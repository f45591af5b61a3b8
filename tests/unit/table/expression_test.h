/* Items from DynamoDB JSON with single quotes, for the tests of the expression language. */
#ifndef WEIR_TESTS_UNIT_TABLE_EXPRESSION_TEST_H
#define WEIR_TESTS_UNIT_TABLE_EXPRESSION_TEST_H

#include <stdio.h>

#include "../test.h"
#include "table/expression.h"
#include "value/ddbjson.h"

/* What one case needs; arena is started and ended by the group's setup. */
static struct weir_arena arena;

static int arena_setup(void **state)
{
    (void)state;
    weir_arena_init(&arena);
    return 0;
}

static int arena_teardown(void **state)
{
    (void)state;
    weir_arena_fini(&arena);
    return 0;
}

/* NULL: no item. */
static inline struct weir_item item_of(const char *text)
{
    struct weir_item item = { NULL, 0 };
    if (text == NULL) {
        return item;
    }
    struct weir_str copy = weir_arena_str(&arena, weir_str_z(text));
    char *p = weir_arena_alloc(&arena, copy.n);
    for (size_t i = 0; i < copy.n; i++) {
        p[i] = copy.p[i] == '\'' ? '"' : copy.p[i];
    }
    struct weir_json json;
    struct weir_err err = { 0 };
    weir_json_init(&json, weir_str(p, copy.n), &arena, 64);
    if (weir_ddbjson_read_item(&json, weir_json_next(&json), &item, &err) != WEIR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return item;
}

/* The placeholders of one request; texts may be NULL. */
static inline struct weir_ddb_context context_of(const char *names, const char *values)
{
    struct weir_ddb_context context;
    struct weir_err err = { 0 };
    if (weir_ddb_context_init(&context, &arena, item_of(names), item_of(values), &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    return context;
}

/* what names the case at fault. */
static inline void assert_item(const char *what, struct weir_item item, const char *expected)
{
    struct weir_item wanted = item_of(expected);
    if (!weir_item_eq(item, wanted)) {
        struct weir_buf buf;
        weir_buf_init(&buf, 1u << 20);
        if (item.n > 0) {
            weir_ddbjson_write_item(&buf, item);
        }
        weir_buf_byte(&buf, '\0');
        char shown[1024];
        snprintf(shown, sizeof(shown), "%s", buf.p);
        weir_buf_fini(&buf);
        fail_msg("%s: %s, expected %s", what, shown, expected != NULL ? expected : "no item");
    }
}

#endif
