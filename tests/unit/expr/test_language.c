/* Expressions and templates: tests/cases/expr, the examples of docs/expressions.md, the interface.
 */
#include <stdio.h>

#include "cases.h"
#include "expr/typed.h"
#include "value/ddbjson.h"

/* Cases that failed; a test says all of them before it fails. */
static unsigned failures;

#define REPORT(...) (print_error(__VA_ARGS__), print_error("\n"), failures++)

/* --- tests/cases/expr ----------------------------------------------------- */

struct row {
    struct weir_str text;
    bool template;
    bool compile;            /* the error is one of compiling */
    struct weir_str value;   /* typed JSON */
    struct weir_str stored;  /* DynamoDB JSON of the value that is written back */
    struct weir_str error;   /* part of the message */
    struct weir_str storing; /* part of the message when it is written back */
    struct weir_str code;
    struct weir_str pos;
};

static void read_row(struct weir_json *json, struct row *ret)
{
    struct weir_err err;
    *ret = (struct row){ .code = WEIR_STR("invalid") };
    while (weir_json_next(json) == WEIR_JSON_NAME) {
        struct weir_str name = json->text;
        enum weir_json_token token = weir_json_next(json);
        struct weir_str text = json->text;
        struct weir_str raw;
        assert_int_equal(weir_json_raw(json, token, &raw, &err), WEIR_OK);
        if (weir_str_eq(name, WEIR_STR("expr")) || weir_str_eq(name, WEIR_STR("template"))) {
            ret->text = text;
            ret->template = name.p[0] == 't';
        } else if (weir_str_eq(name, WEIR_STR("compile"))) {
            ret->compile = token == WEIR_JSON_TRUE;
        } else if (weir_str_eq(name, WEIR_STR("value"))) {
            ret->value = raw;
        } else if (weir_str_eq(name, WEIR_STR("stored"))) {
            ret->stored = raw;
        } else if (weir_str_eq(name, WEIR_STR("error"))) {
            ret->error = text.n > 0 ? text : WEIR_STR("");
        } else if (weir_str_eq(name, WEIR_STR("store_error"))) {
            ret->storing = text.n > 0 ? text : WEIR_STR("");
        } else if (weir_str_eq(name, WEIR_STR("code"))) {
            ret->code = text;
        } else if (weir_str_eq(name, WEIR_STR("pos"))) {
            ret->pos = text;
        } else {
            fail_msg("unknown field %.*s", WEIR_STR_ARG(name));
        }
    }
}

static void check_error(const struct row *row, enum weir_rc rc, bool compiled,
        const struct weir_err *err, const char *result)
{
    uint64_t pos = 0;
    if (rc == WEIR_OK) {
        REPORT("%.*s: gives %s, not an error", WEIR_STR_ARG(row->text), result);
        return;
    }
    bool as_said = weir_str_eq(row->code, weir_str_z(weir_rc_name(rc))) &&
                   (row->error.n == 0 ||
                           memmem(err->msg, strlen(err->msg), row->error.p, row->error.n) != NULL);
    bool there = row->pos.n == 0 || (weir_str_to_u64(row->pos, &pos) && pos == err->pos);
    if (!as_said || !there || compiled == row->compile) {
        REPORT("%.*s: %s error '%s' (%s) at %zu", WEIR_STR_ARG(row->text),
                compiled ? "evaluation" : "compile", err->msg, weir_rc_name(rc), err->pos);
        return;
    }
}

static void check_stored(
        struct bench *bench, const struct row *row, const struct weir_expr_value *value)
{
    struct weir_json json;
    struct weir_value stored;
    struct weir_value expected;
    struct weir_err err;
    struct weir_item_builder *builder = weir_item_begin(&bench->arena);
    enum weir_rc rc = weir_expr_to_item(builder, value, &err);
    if (row->stored.n == 0) {
        assert_int_equal(rc, WEIR_E_INVALID);
        if (memmem(err.msg, strlen(err.msg), row->storing.p, row->storing.n) == NULL) {
            REPORT("%.*s: %s", WEIR_STR_ARG(row->text), err.msg);
            return;
        }
        /* Nothing was added: the builder takes another value. */
        weir_item_bool(builder, true);
        assert_int_equal(weir_item_finish_value(builder, &stored, &err), WEIR_OK);
        assert_int_equal(stored.type, WEIR_TYPE_BOOL);
        return;
    }
    if (rc != WEIR_OK || weir_item_finish_value(builder, &stored, &err) != WEIR_OK) {
        REPORT("%.*s: %s", WEIR_STR_ARG(row->text), err.msg);
        return;
    }
    weir_json_init(&json, row->stored, &bench->arena, 64);
    enum weir_json_token token = weir_json_next(&json);
    assert_int_equal(weir_ddbjson_read_value(&json, token, &expected, &err), WEIR_OK);
    if (!weir_value_eq(stored, expected)) {
        REPORT("%.*s: is stored otherwise than as %.*s", WEIR_STR_ARG(row->text),
                WEIR_STR_ARG(row->stored));
        return;
    }
}

static void check_row(struct bench *bench, const struct row *row)
{
    struct weir_expr_value value = { 0 };
    struct weir_err err = { 0 };
    bool compiled = false;
    enum weir_rc rc = weir_bench_run(bench, row->template, row->text, &value, &compiled, &err);
    const char *result = weir_bench_text(&bench->arena, &value);
    if (row->error.p != NULL) {
        check_error(row, rc, compiled, &err, result);
        return;
    }
    if (rc != WEIR_OK) {
        REPORT("%.*s: %s at %zu", WEIR_STR_ARG(row->text), err.msg, err.pos);
        return;
    }
    if (row->stored.n > 0 || row->storing.p != NULL) {
        check_stored(bench, row, &value);
        return;
    }
    struct weir_json json;
    struct weir_expr_value expected;
    weir_json_init(&json, row->value, &bench->arena, 64);
    enum weir_json_token token = weir_json_next(&json);
    assert_int_equal(weir_expr_typed_read(&json, token, &expected, &err), WEIR_OK);
    if (!weir_bench_same(&value, &expected)) {
        REPORT("%.*s: gives %s, not %.*s", WEIR_STR_ARG(row->text), result,
                WEIR_STR_ARG(row->value));
        return;
    }
}

static void check_file(const char *name)
{
    struct weir_arena arena;
    struct weir_json json;
    struct bench bench;
    struct weir_str item;
    struct weir_err err;
    char path[128];
    weir_arena_init(&arena);
    snprintf(path, sizeof(path), "tests/cases/expr/%s.json", name);
    weir_json_init(&json, weir_bench_file(&arena, path), &arena, 64);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_NAME);
    enum weir_json_token token = weir_json_next(&json);
    assert_int_equal(weir_json_raw(&json, token, &item, &err), WEIR_OK);
    weir_bench_init(&bench, item);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_NAME);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_ARRAY);
    size_t count = 0;
    for (; weir_json_next(&json) == WEIR_JSON_OBJECT; count++) {
        struct row row;
        read_row(&json, &row);
        check_row(&bench, &row);
    }
    assert_true(count > 0);
    weir_bench_fini(&bench);
    weir_arena_fini(&arena);
}

static void case_files(void **state)
{
    (void)state;
    failures = 0;
    static const char *const files[] = { "dynamodb", "stored", "decimals", "numbers", "logic",
        "macros", "strings", "time", "errors", "templates", "network" };
    for (size_t i = 0; i < WEIR_COUNT(files); i++) {
        check_file(files[i]);
    }
    assert_int_equal(failures, 0);
}

/* --- docs/expressions.md --------------------------------------------------- */

/* The text between a line that is exactly `fence` and the next ```; moves behind it. */
static bool next_block(struct weir_str *text, const char *fence, struct weir_str *ret)
{
    const char *at = memmem(text->p, text->n, fence, strlen(fence));
    if (at == NULL) {
        return false;
    }
    at += strlen(fence);
    size_t rest = text->n - (size_t)(at - text->p);
    const char *end = memmem(at, rest, "```", 3);
    assert_non_null(end);
    *ret = weir_str(at, (size_t)(end - at));
    *text = weir_str(end + 3, text->n - (size_t)(end + 3 - text->p));
    return true;
}

static struct weir_str trimmed(struct weir_str text)
{
    while (text.n > 0 && text.p[0] == ' ') {
        text = weir_str(text.p + 1, text.n - 1);
    }
    while (text.n > 0 && text.p[text.n - 1] == ' ') {
        text.n--;
    }
    return text;
}

/* `expression  ->  expression with the same value`, or `->  error`. */
static void check_example(struct bench *bench, bool template, struct weir_str line)
{
    const char *arrow = memmem(line.p, line.n, "  ->  ", 6);
    if (arrow == NULL) {
        REPORT("no arrow in the example '%.*s'", WEIR_STR_ARG(line));
        return;
    }
    struct weir_str text = trimmed(weir_str(line.p, (size_t)(arrow - line.p)));
    struct weir_str wanted = trimmed(weir_str(arrow + 6, line.n - (size_t)(arrow - line.p) - 6));
    struct weir_expr_value value = { 0 };
    struct weir_expr_value expected = { 0 };
    struct weir_err err = { 0 };
    bool compiled = false;
    enum weir_rc rc = weir_bench_run(bench, template, text, &value, &compiled, &err);
    if (weir_str_eq(wanted, WEIR_STR("error"))) {
        if (rc == WEIR_OK) {
            REPORT("%.*s: no error", WEIR_STR_ARG(text));
            return;
        }
        return;
    }
    if (rc != WEIR_OK) {
        REPORT("%.*s: %s", WEIR_STR_ARG(text), err.msg);
        return;
    }
    rc = weir_bench_run(bench, false, wanted, &expected, &compiled, &err);
    if (rc != WEIR_OK) {
        REPORT("%.*s: %s", WEIR_STR_ARG(wanted), err.msg);
        return;
    }
    if (!weir_bench_same(&value, &expected)) {
        REPORT("%.*s: gives %s, not %.*s", WEIR_STR_ARG(text),
                weir_bench_text(&bench->arena, &value), WEIR_STR_ARG(wanted));
        return;
    }
}

static size_t check_blocks(
        struct bench *bench, struct weir_str text, const char *fence, bool template)
{
    size_t count = 0;
    struct weir_str block;
    while (next_block(&text, fence, &block)) {
        while (block.n > 0) {
            const char *end = memchr(block.p, '\n', block.n);
            size_t n = end != NULL ? (size_t)(end - block.p) : block.n;
            if (n > 0) {
                check_example(bench, template, weir_str(block.p, n));
                count++;
            }
            size_t skip = n < block.n ? n + 1 : n;
            block = weir_str(block.p + skip, block.n - skip);
        }
    }
    return count;
}

static void documented_examples(void **state)
{
    (void)state;
    failures = 0;
    struct weir_arena arena;
    struct bench bench;
    struct weir_str item;
    weir_arena_init(&arena);
    struct weir_str text = weir_bench_file(&arena, "docs/expressions.md");
    struct weir_str rest = text;
    assert_true(next_block(&rest, "```json\n", &item));
    weir_bench_init(&bench, item);
    assert_true(check_blocks(&bench, text, "```cel\n", false) > 100);
    assert_true(check_blocks(&bench, text, "```template\n", true) > 5);
    assert_int_equal(failures, 0);
    weir_bench_fini(&bench);
    weir_arena_fini(&arena);
}

/* --- the interface --------------------------------------------------------- */

static void says_what_it_uses(void **state)
{
    (void)state;
    static const char *const names[] = { "new", "old", "tag", "event.name" };
    struct weir_expr_env env = { .names = names, .count = 4 };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    struct weir_str text = WEIR_STR("[1].map(old, old + new.x) == [tag] || event.name == 'x'");
    assert_int_equal(weir_expr_compile(&env, text, &expr, NULL), WEIR_OK);
    assert_true(weir_expr_uses(expr, 0));
    assert_false(weir_expr_uses(expr, 1)); /* the macro's own variable hides it */
    assert_true(weir_expr_uses(expr, 2));
    assert_true(weir_expr_uses(expr, 3));
    assert_false(weir_expr_uses(expr, 4));
    assert_false(weir_expr_uses_clock(expr));
    assert_false(weir_expr_uses_now(expr));
    assert_null(weir_expr_constant(expr));

    WEIR_AUTO(weir_template) struct weir_template *template = NULL;
    text = WEIR_STR("${tag}-${clock()}");
    assert_int_equal(weir_template_compile(&env, text, &template, NULL), WEIR_OK);
    assert_true(weir_template_uses(template, 2));
    assert_false(weir_template_uses(template, 0));
    assert_true(weir_template_uses_clock(template));
    assert_null(weir_template_constant(template));

    WEIR_AUTO(weir_template) struct weir_template *plain = NULL;
    text = WEIR_STR("a$${b");
    assert_int_equal(weir_template_compile(&env, text, &plain, NULL), WEIR_OK);
    assert_non_null(weir_template_constant(plain));
    assert_true(weir_str_eq(weir_template_constant(plain)->as.str, WEIR_STR("a${b")));
    assert_false(weir_template_uses_clock(plain));
}

static void folds_constants(void **state)
{
    (void)state;
    struct weir_expr_env env = { 0 };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    struct weir_str text = WEIR_STR("size(['a', 'b']) + int('3') * 2");
    assert_int_equal(weir_expr_compile(&env, text, &expr, NULL), WEIR_OK);
    assert_non_null(weir_expr_constant(expr));
    assert_int_equal(weir_expr_constant(expr)->as.integer, 8);
}

static void honours_limits(void **state)
{
    (void)state;
    struct bench bench;
    struct weir_expr_value value;
    struct weir_err err;
    bool compiled = false;
    weir_bench_init(&bench, WEIR_STR("{\"l\":{\"L\":[{\"N\":\"1\"},{\"N\":\"2\"}]}}"));
    struct weir_str text = WEIR_STR("new.l.map(x, x + 1)");
    bench.frame.max_steps = 3;
    assert_int_equal(weir_bench_run(&bench, false, text, &value, &compiled, &err), WEIR_E_LIMIT);
    assert_string_equal(err.msg, "expression used up its steps");
    bench.frame.max_steps = 4;
    assert_int_equal(weir_bench_run(&bench, false, text, &value, &compiled, &err), WEIR_OK);
    bench.frame.max_bytes = 10;
    assert_int_equal(weir_bench_run(&bench, false, text, &value, &compiled, &err), WEIR_E_LIMIT);
    assert_string_equal(err.msg, "expression used up its bytes of memory");

    char *source = weir_arena_alloc(&bench.arena, WEIR_EXPR_MAX_SOURCE + 1);
    memset(source, ' ', WEIR_EXPR_MAX_SOURCE + 1);
    source[0] = '1';
    bench.frame.max_bytes = 0;
    assert_int_equal(weir_bench_run(&bench, false, weir_str(source, WEIR_EXPR_MAX_SOURCE), &value,
                             &compiled, &err),
            WEIR_OK);
    assert_int_equal(weir_bench_run(&bench, false, weir_str(source, WEIR_EXPR_MAX_SOURCE + 1),
                             &value, &compiled, &err),
            WEIR_E_LIMIT);
    assert_int_equal(weir_bench_run(&bench, true, weir_str(source, WEIR_EXPR_MAX_SOURCE + 1),
                             &value, &compiled, &err),
            WEIR_E_LIMIT);
    source[1] = (char)0xff;
    assert_int_equal(weir_bench_run(&bench, false, weir_str(source, 2), &value, &compiled, &err),
            WEIR_E_INVALID);
    weir_bench_fini(&bench);
}

static void takes_conditions(void **state)
{
    (void)state;
    struct weir_expr_env env = { 0 };
    struct weir_arena arena;
    struct weir_err err;
    bool result = false;
    weir_arena_init(&arena);
    struct weir_expr_frame frame = { .arena = &arena };
    WEIR_AUTO(weir_expr) struct weir_expr *yes = NULL;
    assert_int_equal(weir_expr_compile(&env, WEIR_STR("1 < 2"), &yes, &err), WEIR_OK);
    assert_int_equal(weir_expr_test(yes, &frame, &result, &err), WEIR_OK);
    assert_true(result);
    WEIR_AUTO(weir_expr) struct weir_expr *number = NULL;
    assert_int_equal(weir_expr_compile(&env, WEIR_STR("1 + 2"), &number, &err), WEIR_OK);
    assert_int_equal(weir_expr_test(number, &frame, &result, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "a condition must be a bool, not a int");
    weir_arena_fini(&arena);
}

static void reads_the_clock(void **state)
{
    (void)state;
    struct weir_expr_env env = { 0 };
    struct weir_arena arena;
    struct weir_clock_virtual clock;
    struct weir_expr_value value;
    weir_arena_init(&arena);
    weir_clock_virtual_init(&clock, (struct weir_time){ 1500 });
    struct weir_expr_frame frame = { .arena = &arena, .clock = &clock.base };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    assert_int_equal(weir_expr_compile(&env, WEIR_STR("clock()"), &expr, NULL), WEIR_OK);
    assert_true(weir_expr_uses_clock(expr));
    assert_int_equal(weir_expr_eval(expr, &frame, &value, NULL), WEIR_OK);
    assert_int_equal(value.kind, WEIR_EXPR_TIMESTAMP);
    assert_int_equal(value.as.integer, 1);
    assert_int_equal(value.scale, 500000000);
    weir_arena_fini(&arena);
}

static void builds_maps(void **state)
{
    (void)state;
    struct weir_arena arena;
    struct weir_expr_value pairs[40];
    struct weir_expr_value map;
    weir_arena_init(&arena);
    for (int i = 0; i < 20; i++) {
        pairs[2 * i] = i % 2 == 0 ? weir_expr_int(i) : weir_expr_uint((uint64_t)i);
        pairs[2 * i + 1] = weir_expr_int(i * i);
    }
    assert_int_equal(weir_expr_map(&arena, pairs, 20, &map, NULL), WEIR_OK);
    assert_int_equal(weir_expr_count(&map), 20);
    pairs[38] = weir_expr_double(1);
    assert_int_equal(weir_expr_map(&arena, pairs, 20, &map, NULL), WEIR_E_INVALID);
    pairs[38] = weir_expr_uint(4);
    assert_int_equal(weir_expr_map(&arena, pairs, 20, &map, NULL), WEIR_E_INVALID);
    pairs[38] = weir_expr_string(WEIR_STR("name"));
    assert_int_equal(weir_expr_map(&arena, pairs, 20, &map, NULL), WEIR_OK);
    assert_int_equal(weir_expr_get(&map, WEIR_STR("name")).as.integer, 19 * 19);
    assert_int_equal(weir_expr_get(&map, WEIR_STR("other")).kind, WEIR_EXPR_ABSENT);
    weir_arena_fini(&arena);
}

static void an_open_environment_fails_late(void **state)
{
    (void)state;
    struct weir_expr_env env = { .open = true };
    struct weir_arena arena;
    struct weir_expr_value value;
    struct weir_err err;
    weir_arena_init(&arena);
    struct weir_expr_frame frame = { .arena = &arena };
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    assert_int_equal(weir_expr_compile(&env, WEIR_STR("foo(1) || true"), &expr, &err), WEIR_OK);
    assert_int_equal(weir_expr_eval(expr, &frame, &value, &err), WEIR_OK);
    WEIR_AUTO(weir_expr) struct weir_expr *unknown = NULL;
    assert_int_equal(weir_expr_compile(&env, WEIR_STR("a.b.c"), &unknown, &err), WEIR_OK);
    assert_int_equal(weir_expr_eval(unknown, &frame, &value, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "unknown name 'a'");
    weir_arena_fini(&arena);
}

static void refuses_bad_typed_values(void **state)
{
    (void)state;
    static const char *const bad[] = { "1", "{\"t\":\"nope\",\"v\":\"1\"}",
        "{\"t\":\"int\",\"v\":\"x\"}", "{\"t\":\"int\"}", "{\"t\":\"list\",\"v\":1}",
        "{\"t\":\"list\",\"v\":[1]}", "{\"t\":\"map\",\"v\":[[{\"t\":\"null\"}]]}",
        "{\"t\":\"bytes\",\"v\":\"*\"}", "{\"t\":\"bool\",\"v\":\"yes\"}",
        "{\"t\":\"timestamp\",\"s\":\"999999999999\",\"n\":0}", "{\"t\":\"ip\",\"v\":\"x\"}",
        "{\"t\":\"duration\",\"s\":\"99999999999\",\"n\":0}", "{\"t\":\"int\",\"v\":\"1\"" };
    struct weir_arena arena;
    weir_arena_init(&arena);
    for (size_t i = 0; i < WEIR_COUNT(bad); i++) {
        struct weir_json json;
        struct weir_expr_value value;
        weir_json_init(&json, weir_str_z(bad[i]), &arena, 64);
        enum weir_json_token token = weir_json_next(&json);
        if (weir_expr_typed_read(&json, token, &value, NULL) != WEIR_E_INVALID) {
            fail_msg("%s was taken", bad[i]);
        }
    }
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_files),
        cmocka_unit_test(documented_examples),
        cmocka_unit_test(says_what_it_uses),
        cmocka_unit_test(folds_constants),
        cmocka_unit_test(honours_limits),
        cmocka_unit_test(takes_conditions),
        cmocka_unit_test(reads_the_clock),
        cmocka_unit_test(builds_maps),
        cmocka_unit_test(an_open_environment_fails_late),
        cmocka_unit_test(refuses_bad_typed_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
