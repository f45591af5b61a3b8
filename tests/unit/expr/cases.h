/* What the expression tests share: the frame that cases are evaluated in. */
#ifndef WEIR_TESTS_UNIT_EXPR_CASES_H
#define WEIR_TESTS_UNIT_EXPR_CASES_H

#include "../test.h"
#include "expr/expr.h"
#include "expr/template.h"

/* new is the item, old is absent, now is 2025-11-25T15:53:20Z. */
struct bench {
    struct weir_arena arena;
    struct weir_expr_value slots[2];
    struct weir_expr_env env;
    struct weir_expr_frame frame;
};

/* Start with an item as DynamoDB JSON. */
void weir_bench_init(struct bench *bench, struct weir_str item);
void weir_bench_fini(struct bench *bench);

/* Compile and evaluate an expression, or a template. *ret_compiled says how far it came. */
enum weir_rc weir_bench_run(struct bench *bench, bool template, struct weir_str text,
        struct weir_expr_value *ret_value, bool *ret_compiled, struct weir_err *err);

/* Equal, of one kind at every level, NaN equal to NaN. */
bool weir_bench_same(const struct weir_expr_value *a, const struct weir_expr_value *b);

/* A file under the project's root, whole, in the arena. */
struct weir_str weir_bench_file(struct weir_arena *arena, const char *path);

/* A value as typed JSON with a zero behind it, in the arena. */
const char *weir_bench_text(struct weir_arena *arena, const struct weir_expr_value *value);

#endif
