#include "cases.h"

#include <stdio.h>
#include <stdlib.h>

#include "expr/typed.h"
#include "value/ddbjson.h"

static const char *const names[] = { "new", "old" };

void weir_bench_init(struct bench *bench, struct weir_str item)
{
    struct weir_json json;
    struct weir_item parsed;
    struct weir_err err;
    memset(bench, 0, sizeof(*bench));
    weir_arena_init(&bench->arena);
    weir_json_init(&json, item, &bench->arena, 64);
    enum weir_json_token token = weir_json_next(&json);
    if (weir_ddbjson_read_item(&json, token, &parsed, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    bench->slots[0] = weir_expr_item(parsed);
    bench->env = (struct weir_expr_env){ .names = names, .count = 2 };
    bench->frame = (struct weir_expr_frame){
        .slots = bench->slots,
        .slot_count = 2,
        .arena = &bench->arena,
        .now = { 1764086000000 },
    };
}

void weir_bench_fini(struct bench *bench)
{
    weir_arena_fini(&bench->arena);
}

enum weir_rc weir_bench_run(struct bench *bench, bool template, struct weir_str text,
        struct weir_expr_value *ret_value, bool *ret_compiled, struct weir_err *err)
{
    WEIR_AUTO(weir_expr) struct weir_expr *expr = NULL;
    WEIR_AUTO(weir_template) struct weir_template *compiled = NULL;
    enum weir_rc rc = template ? weir_template_compile(&bench->env, text, &compiled, err)
                               : weir_expr_compile(&bench->env, text, &expr, err);
    *ret_compiled = rc == WEIR_OK;
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_expr_value value;
    rc = template ? weir_template_eval(compiled, &bench->frame, &value, err)
                  : weir_expr_eval(expr, &bench->frame, &value, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    /* Constants die with the expression: keep a copy by way of typed JSON. */
    struct weir_json json;
    const char *copy = weir_bench_text(&bench->arena, &value);
    weir_json_init(&json, weir_str_z(copy), &bench->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    return weir_expr_typed_read(&json, token, ret_value, err);
}

bool weir_bench_same(const struct weir_expr_value *a, const struct weir_expr_value *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    if (a->kind == WEIR_EXPR_DOUBLE) {
        bool nan = a->as.real != a->as.real && b->as.real != b->as.real;
        return nan || (a->as.real == b->as.real &&
                              __builtin_signbit(a->as.real) == __builtin_signbit(b->as.real));
    }
    if (a->kind == WEIR_EXPR_OPTIONAL && a->as.inner != NULL && b->as.inner != NULL) {
        return weir_bench_same(a->as.inner, b->as.inner);
    }
    if (a->kind != WEIR_EXPR_LIST && a->kind != WEIR_EXPR_MAP) {
        return weir_expr_eq(a, b);
    }
    size_t count = weir_expr_count(a);
    bool same = weir_expr_eq(a, b);
    for (size_t i = 0; same && i < count && a->kind == WEIR_EXPR_LIST; i++) {
        struct weir_expr_value x = weir_expr_at(a, i);
        struct weir_expr_value y = weir_expr_at(b, i);
        same = weir_bench_same(&x, &y);
    }
    for (size_t i = 0; same && i < count && a->kind == WEIR_EXPR_MAP; i++) {
        struct weir_expr_value key;
        struct weir_expr_value x = weir_expr_pair_at(a, i, &key);
        same = false;
        for (size_t j = 0; !same && j < count; j++) {
            struct weir_expr_value other;
            struct weir_expr_value y = weir_expr_pair_at(b, j, &other);
            same = weir_bench_same(&key, &other) && weir_bench_same(&x, &y);
        }
    }
    return same;
}

struct weir_str weir_bench_file(struct weir_arena *arena, const char *path)
{
    char full[4096];
    const char *root = getenv("WEIR_SOURCE_ROOT");
    snprintf(full, sizeof(full), "%s/%s", root != NULL ? root : ".", path);
    FILE *file = fopen(full, "r");
    if (file == NULL) {
        fail_msg("%s is missing", full);
    }
    char *text = weir_arena_alloc(arena, 1 << 20);
    size_t n = fread(text, 1, 1 << 20, file);
    fclose(file);
    return weir_str(text, n);
}

const char *weir_bench_text(struct weir_arena *arena, const struct weir_expr_value *value)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_expr_typed_write(&buf, value);
    struct weir_str text = weir_arena_str(arena, weir_buf_view(&buf));
    weir_buf_fini(&buf);
    return text.p;
}
