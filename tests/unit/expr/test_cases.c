/*
 * Conformance: cases derived from the language's own test suite, read from the folder
 * that WEIR_CASES names. They are not part of this project; without them the test says so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../test.h"
#include "expr/expr.h"
#include "expr/typed.h"

enum { BAR = 1700, MAX_NAMES = 16, MAX_GROUPS = 64 };

struct row {
    struct weir_str expr;
    struct weir_str file;
    struct weir_str section;
    struct weir_str value; /* typed JSON; empty when an error is expected */
    struct weir_str bindings;
};

struct group {
    char name[32];
    unsigned passed;
    unsigned total;
};

static struct group groups[MAX_GROUPS];

static struct group *group_of(struct weir_str name)
{
    size_t i = 0;
    for (; i + 1 < MAX_GROUPS && groups[i].name[0] != '\0'; i++) {
        if (weir_str_eq(name, weir_str_z(groups[i].name))) {
            return &groups[i];
        }
    }
    snprintf(groups[i].name, sizeof(groups[i].name), "%.*s", WEIR_STR_ARG(name));
    return &groups[i];
}

static struct weir_str string_of(struct weir_json *json, enum weir_json_token token)
{
    assert_int_equal(token, WEIR_JSON_STRING);
    return json->text;
}

static void read_row(struct weir_str line, struct weir_arena *arena, struct row *ret)
{
    struct weir_json json;
    struct weir_err err;
    weir_json_init(&json, line, arena, 256);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    *ret = (struct row){ 0 };
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        struct weir_str name = json.text;
        enum weir_json_token token = weir_json_next(&json);
        struct weir_str raw;
        if (weir_str_eq(name, WEIR_STR("expr"))) {
            ret->expr = string_of(&json, token);
        } else if (weir_str_eq(name, WEIR_STR("file"))) {
            ret->file = string_of(&json, token);
        } else if (weir_str_eq(name, WEIR_STR("section"))) {
            ret->section = string_of(&json, token);
        } else if (weir_str_eq(name, WEIR_STR("value"))) {
            assert_int_equal(weir_json_raw(&json, token, &ret->value, &err), WEIR_OK);
        } else if (weir_str_eq(name, WEIR_STR("bindings"))) {
            assert_int_equal(weir_json_raw(&json, token, &ret->bindings, &err), WEIR_OK);
        } else {
            assert_int_equal(weir_json_raw(&json, token, &raw, &err), WEIR_OK);
        }
    }
}

static struct weir_expr_value typed(struct weir_str text, struct weir_arena *arena)
{
    struct weir_json json;
    struct weir_err err = { 0 };
    struct weir_expr_value value = { 0 };
    weir_json_init(&json, text, arena, 256);
    enum weir_json_token token = weir_json_next(&json);
    if (weir_expr_typed_read(&json, token, &value, &err) != WEIR_OK) {
        fail_msg("%.*s: %s", WEIR_STR_ARG(text), err.msg);
    }
    return value;
}

static size_t read_bindings(struct weir_str text, struct weir_arena *arena, const char **names,
        struct weir_expr_value *values)
{
    struct weir_json json;
    struct weir_err err;
    size_t count = 0;
    weir_json_init(&json, text, arena, 256);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        assert_true(count < MAX_NAMES);
        names[count] = weir_arena_str(arena, json.text).p;
        enum weir_json_token token = weir_json_next(&json);
        assert_int_equal(weir_expr_typed_read(&json, token, &values[count], &err), WEIR_OK);
        count++;
    }
    return count;
}

/* Equal also in kind, and NaN to NaN: what a test expects is exact. */
static bool same(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == WEIR_EXPR_DOUBLE) {
        bool nan = a->as.real != a->as.real && b->as.real != b->as.real;
        return nan || (a->as.real == b->as.real &&
                              __builtin_signbit(a->as.real) == __builtin_signbit(b->as.real));
    }
    if (a->kind == WEIR_EXPR_LIST) {
        size_t count = weir_expr_count(a);
        bool equal = count == weir_expr_count(b);
        for (size_t i = 0; equal && i < count; i++) {
            struct weir_expr_value x = weir_expr_at(a, i);
            struct weir_expr_value y = weir_expr_at(b, i);
            equal = same(&x, &y);
        }
        return equal;
    }
    return weir_expr_eq(a, b);
}

static bool run_row(const struct row *row, struct weir_arena *arena)
{
    const char *names[MAX_NAMES];
    struct weir_expr_value values[MAX_NAMES];
    struct weir_expr_env env = { .names = names, .open = true };
    env.count = read_bindings(row->bindings, arena, names, values);
    struct weir_err err = { 0 };
    struct weir_expr_value result = { 0 };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    enum weir_rc rc = weir_expr_compile(&env, row->expr, &expr, &err);
    if (rc == WEIR_OK) {
        struct weir_expr_frame frame = { .slots = values, .slot_count = env.count, .arena = arena };
        rc = weir_expr_eval(expr, &frame, &result, &err);
    }
    bool passed = false;
    if (row->value.n == 0) {
        passed = rc == WEIR_E_INVALID;
    } else if (rc == WEIR_OK) {
        struct weir_expr_value expected = typed(row->value, arena);
        passed = same(&expected, &result);
    }
    if (!passed) {
        struct weir_buf buf;
        weir_buf_init(&buf, 4096);
        weir_expr_typed_write(&buf, &result);
        weir_buf_byte(&buf, '\0');
        printf("FAILED %.*s/%.*s: %.*s: %s, expected %.*s\n", WEIR_STR_ARG(row->file),
                WEIR_STR_ARG(row->section), WEIR_STR_ARG(row->expr),
                rc == WEIR_OK ? buf.p : err.msg, row->value.n > 0 ? (int)row->value.n : 8,
                row->value.n > 0 ? row->value.p : "an error");
        weir_buf_fini(&buf);
    }
    return passed;
}

static void run_cases(void **state)
{
    (void)state;
    const char *root = getenv("WEIR_SOURCE_ROOT");
    const char *cases = getenv("WEIR_CASES");
    char path[4096];
    snprintf(path, sizeof(path), "%s%s/cel-cases.jsonl", cases != NULL ? cases : root,
            cases != NULL ? "" : "/../shared/cases");
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        printf("conformance: 1708 cases skipped, no %s\n", path);
        skip();
    }
    char *line = NULL;
    size_t capacity = 0;
    unsigned passed = 0;
    unsigned total = 0;
    struct weir_arena arena;
    weir_arena_init(&arena);
    for (ssize_t n; (n = getline(&line, &capacity, file)) > 0;) {
        struct row row;
        read_row(weir_str(line, (size_t)n), &arena, &row);
        bool ok = run_row(&row, &arena);
        struct group *group = group_of(row.file);
        group->total++;
        total++;
        group->passed += ok ? 1 : 0;
        passed += ok ? 1 : 0;
        weir_arena_reset(&arena);
    }
    weir_arena_fini(&arena);
    free(line);
    fclose(file);
    for (size_t i = 0; i < MAX_GROUPS && groups[i].name[0] != '\0'; i++) {
        printf("conformance: %-16s %4u of %4u\n", groups[i].name, groups[i].passed,
                groups[i].total);
    }
    printf("conformance: %-16s %4u of %4u, at least %d expected\n", "all", passed, total, BAR);
    assert_true(passed >= BAR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
