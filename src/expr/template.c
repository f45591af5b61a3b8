#include "expr/template.h"

#include "expr/expr_int.h"

/* Text and expressions in turn. */

struct part {
    size_t pos;             /* of the expression in the template */
    struct weir_str text;   /* plain text, when expr is NULL */
    struct weir_expr *expr; /* owned */
};

struct weir_template {
    struct weir_arena arena; /* everything below */
    struct part *parts;
    size_t count;
    size_t capacity;
    struct weir_expr_value constant; /* when there is no expression; else ABSENT */
};

enum { MAX_TEXT = WEIR_EXPR_MAX_SOURCE };

static struct part *part_add(struct weir_template *template)
{
    if (template->count == template->capacity) {
        size_t capacity = template->capacity == 0 ? 4 : template->capacity * 2;
        struct part *parts = weir_arena_zero(&template->arena, capacity, sizeof(*parts));
        if (template->count > 0) {
            memcpy(parts, template->parts, template->count * sizeof(*parts));
        }
        template->parts = parts;
        template->capacity = capacity;
    }
    return &template->parts[template->count++];
}

/* The next `${` or `$${` at or behind from; the text's length if there is none. */
static size_t find_mark(struct weir_str text, size_t from)
{
    for (size_t i = from; i + 1 < text.n; i++) {
        if (text.p[i] == '$' && (text.p[i + 1] == '{' || (text.p[i + 1] == '$' && i + 2 < text.n &&
                                                                 text.p[i + 2] == '{'))) {
            return i;
        }
    }
    return text.n;
}

/* Find the brace that closes the expression that begins at `from`. */
static enum weir_rc find_close(
        struct weir_str text, size_t from, size_t *ret_end, struct weir_err *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_lexer lexer = { .text = text, .at = from, .arena = &arena };
    struct weir_token token;
    size_t depth = 0;
    enum weir_rc rc = WEIR_OK;
    while ((rc = weir_lex_next(&lexer, &token, err)) == WEIR_OK) {
        if (token.kind == WEIR_TOKEN_END) {
            rc = weir_fail_at(err, WEIR_E_INVALID, from - 2,
                    "'${' without a closing '}'; a plain one is $${");
            break;
        }
        if (token.kind == WEIR_TOKEN_PUNCT && token.punct == '{') {
            depth++;
        } else if (token.kind == WEIR_TOKEN_PUNCT && token.punct == '}') {
            if (depth == 0) {
                *ret_end = token.pos;
                break;
            }
            depth--;
        }
    }
    weir_arena_fini(&arena);
    return rc;
}

/* Add plain text, joined to plain text before it. */
static void add_text(struct weir_template *template, struct weir_str text)
{
    if (text.n > 0) {
        struct part *part = part_add(template);
        part->text = weir_arena_str(&template->arena, text);
    }
}

static enum weir_rc add_expr(struct weir_template *template, const struct weir_expr_env *env,
        struct weir_str text, size_t *at, struct weir_err *err)
{
    size_t from = *at + 2;
    size_t end = 0;
    enum weir_rc rc = find_close(text, from, &end, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_expr *expr = NULL;
    rc = weir_expr_compile(env, weir_str(text.p + from, end - from), &expr, err);
    if (rc != WEIR_OK) {
        if (err != NULL) {
            err->pos += from;
        }
        return rc;
    }
    struct part *part = part_add(template);
    part->expr = expr;
    part->pos = from;
    *at = end + 1;
    return WEIR_OK;
}

static enum weir_rc compile(struct weir_template *template, const struct weir_expr_env *env,
        struct weir_str text, struct weir_err *err)
{
    size_t at = 0;
    while (at < text.n) {
        size_t mark = find_mark(text, at);
        add_text(template, weir_str(text.p + at, mark - at));
        at = mark;
        if (mark == text.n) {
            break;
        }
        if (text.p[mark + 1] == '$') { /* $${ */
            add_text(template, WEIR_STR("${"));
            at = mark + 3;
            continue;
        }
        enum weir_rc rc = add_expr(template, env, text, &at, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

/* A template without expressions is one string. */
static void make_constant(struct weir_template *template)
{
    size_t bytes = 0;
    for (size_t i = 0; i < template->count; i++) {
        if (template->parts[i].expr != NULL) {
            return;
        }
        bytes += template->parts[i].text.n;
    }
    char *text = weir_arena_alloc(&template->arena, bytes + 1);
    size_t at = 0;
    for (size_t i = 0; i < template->count; i++) {
        memcpy(text + at, template->parts[i].text.p, template->parts[i].text.n);
        at += template->parts[i].text.n;
    }
    template->constant = weir_expr_string(weir_str(text, at));
}

enum weir_rc weir_template_compile(const struct weir_expr_env *env, struct weir_str text,
        struct weir_template **ret_template, struct weir_err *err)
{
    if (text.n > MAX_TEXT) {
        return weir_fail(
                err, WEIR_E_LIMIT, "template of %zu bytes is longer than %d", text.n, MAX_TEXT);
    }
    if (!weir_str_is_utf8(text)) {
        return weir_fail(err, WEIR_E_INVALID, "template is not valid UTF-8");
    }
    WEIR_AUTO(weir_template)
    struct weir_template *template = weir_alloc_zero(1, sizeof(*template));
    weir_arena_init(&template->arena);
    enum weir_rc rc = compile(template, env, text, err);
    if (rc == WEIR_OK) {
        make_constant(template);
        *ret_template = WEIR_TAKE(template);
    }
    return rc;
}

void weir_template_destroy(struct weir_template *template)
{
    if (template == NULL) {
        return;
    }
    for (size_t i = 0; i < template->count; i++) {
        weir_expr_destroy(template->parts[i].expr);
    }
    weir_arena_fini(&template->arena);
    weir_free(template);
}

/* --- evaluation ---------------------------------------------------------- */

static enum weir_rc eval_part(const struct part *part, const struct weir_expr_frame *frame,
        struct weir_expr_value *ret, struct weir_err *err)
{
    enum weir_rc rc = weir_expr_eval(part->expr, frame, ret, err);
    if (rc != WEIR_OK && err != NULL) {
        err->pos += part->pos;
    }
    return rc;
}

enum { FEW_PARTS = 8 };

static enum weir_rc join(const struct weir_template *template, struct weir_str *texts,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < template->count; i++) {
        const struct part *part = &template->parts[i];
        texts[i] = part->text;
        if (part->expr != NULL) {
            struct weir_expr_value value;
            enum weir_rc rc = eval_part(part, frame, &value, err);
            if (rc == WEIR_OK) {
                rc = weir_expr_text(frame->arena, &value, &texts[i], err);
                if (rc != WEIR_OK && err != NULL) {
                    err->pos = part->pos;
                }
            }
            if (rc != WEIR_OK) {
                return rc;
            }
        }
        bytes += texts[i].n;
    }
    size_t most = frame->max_bytes > 0 ? frame->max_bytes : WEIR_EXPR_DEFAULT_BYTES;
    if (bytes > most) {
        return weir_fail(err, WEIR_E_LIMIT, "text of %zu bytes is longer than %zu", bytes, most);
    }
    char *text = weir_arena_alloc(frame->arena, bytes + 1);
    size_t at = 0;
    for (size_t i = 0; i < template->count; i++) {
        if (texts[i].n > 0) {
            memcpy(text + at, texts[i].p, texts[i].n);
            at += texts[i].n;
        }
    }
    *ret_value = weir_expr_string(weir_str(text, at));
    return WEIR_OK;
}

enum weir_rc weir_template_eval(const struct weir_template *template,
        const struct weir_expr_frame *frame, struct weir_expr_value *ret_value,
        struct weir_err *err)
{
    if (template->constant.kind != WEIR_EXPR_ABSENT) {
        *ret_value = template->constant;
        return WEIR_OK;
    }
    if (template->count == 1) {
        return eval_part(&template->parts[0], frame, ret_value, err);
    }
    struct weir_str few[FEW_PARTS];
    struct weir_str *texts = few;
    if (template->count > FEW_PARTS) {
        texts = weir_arena_alloc(frame->arena, template->count * sizeof(*texts));
    }
    return join(template, texts, frame, ret_value, err);
}

bool weir_template_uses(const struct weir_template *template, size_t slot)
{
    for (size_t i = 0; i < template->count; i++) {
        if (template->parts[i].expr != NULL && weir_expr_uses(template->parts[i].expr, slot)) {
            return true;
        }
    }
    return false;
}

bool weir_template_uses_clock(const struct weir_template *template)
{
    for (size_t i = 0; i < template->count; i++) {
        if (template->parts[i].expr != NULL && weir_expr_uses_clock(template->parts[i].expr)) {
            return true;
        }
    }
    return false;
}

const struct weir_expr_value *weir_template_constant(const struct weir_template *template)
{
    if (template->constant.kind != WEIR_EXPR_ABSENT) {
        return &template->constant;
    }
    return template->count == 1 ? weir_expr_constant(template->parts[0].expr) : NULL;
}
