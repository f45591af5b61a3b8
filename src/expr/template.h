/*
 * Templates: text with `${expression}` in it.
 *
 * A text that is exactly one `${...}` has the expression's value, type kept; with
 * other text around it the result is a string, each part turned into text as by
 * string(). `$${` stands for a plain `${`. Text without either is a constant.
 * The closing brace is found by the expression lexer: strings and maps may hold braces.
 *
 * Ownership and threads: as compiled expressions.
 */
#ifndef WEIR_EXPR_TEMPLATE_H
#define WEIR_EXPR_TEMPLATE_H

#include "expr/expr.h"

struct weir_template;

/*
 * Compile. The text is copied.
 * Errors: as weir_expr_compile, and WEIR_E_INVALID for a `${` that is not closed;
 * err->pos counts from the start of the template.
 */
WEIR_MUST_CHECK enum weir_rc weir_template_compile(const struct weir_expr_env *env,
        struct weir_str text, struct weir_template **ret_template, struct weir_err *err);

/* Destroy; NULL is fine. */
void weir_template_destroy(struct weir_template *template);
WEIR_AUTO_DEFINE(weir_template);

/*
 * Evaluate. Errors: WEIR_E_INVALID (an evaluation error, or a part without a text
 * form), WEIR_E_LIMIT (steps or bytes); err->pos counts from the start of the template.
 */
WEIR_MUST_CHECK enum weir_rc weir_template_eval(const struct weir_template *template,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err);

/* Whether the value can depend on a slot; on clock(). */
bool weir_template_uses(const struct weir_template *template, size_t slot);
bool weir_template_uses_clock(const struct weir_template *template);

/* The value of a template that is one constant, else NULL. */
const struct weir_expr_value *weir_template_constant(const struct weir_template *template);

#endif
