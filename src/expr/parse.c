#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "expr/expr_int.h"

/*
 * The parser: precedence climbing over the tokens. Macros become nodes of their
 * own here; names are resolved afterwards (compile.c), when it is known which
 * of them a macro has bound.
 */

struct parser {
    struct weir_lexer lexer;
    struct weir_arena *arena;
    struct weir_token token; /* the one to look at */
    unsigned nesting;
    struct weir_err *err;
    enum weir_rc rc; /* sticky */
};

static struct weir_node *parse_expr(struct parser *parser);

WEIR_PRINTF(3, 4)
static struct weir_node *fail(struct parser *parser, size_t pos, const char *fmt, ...)
{
    if (parser->rc == WEIR_OK) {
        char text[200];
        va_list args;
        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        parser->rc = weir_fail_at(parser->err, WEIR_E_INVALID, pos, "%s", text);
    }
    return NULL;
}

static struct weir_node *fail_limit(struct parser *parser, size_t pos, const char *what, int most)
{
    if (parser->rc == WEIR_OK) {
        parser->rc = weir_fail_at(
                parser->err, WEIR_E_LIMIT, pos, "expression has more than %d %s", most, what);
    }
    return NULL;
}

static bool advance(struct parser *parser)
{
    if (parser->rc == WEIR_OK) {
        parser->rc = weir_lex_next(&parser->lexer, &parser->token, parser->err);
    }
    return parser->rc == WEIR_OK;
}

static bool is_punct(const struct parser *parser, int punct)
{
    return parser->token.kind == WEIR_TOKEN_PUNCT && parser->token.punct == punct;
}

static bool is_word(const struct parser *parser, const char *word)
{
    return parser->token.kind == WEIR_TOKEN_IDENT &&
           weir_str_eq(parser->token.text, weir_str_z(word));
}

/* Take a punctuation mark if it is the next token. */
static bool accept(struct parser *parser, int punct)
{
    return is_punct(parser, punct) && advance(parser);
}

/* The token as text for messages. */
static struct weir_str token_text(const struct parser *parser)
{
    if (parser->token.kind == WEIR_TOKEN_END) {
        return WEIR_STR("the end");
    }
    return weir_str(
            parser->lexer.text.p + parser->token.pos, parser->token.end - parser->token.pos);
}

static bool expect(struct parser *parser, char punct, const char *where)
{
    if (is_punct(parser, punct)) {
        return advance(parser);
    }
    fail(parser, parser->token.pos, "expected '%c' %s, found %.*s", punct, where,
            WEIR_STR_ARG(token_text(parser)));
    return false;
}

/* --- nodes --------------------------------------------------------------- */

static struct weir_node *node_new(struct parser *parser, enum weir_op op, size_t pos)
{
    struct weir_node *node = WEIR_ARENA_NEW(parser->arena, struct weir_node);
    node->op = (uint8_t)op;
    node->pos = (uint32_t)pos;
    node->slot = -1;
    node->slot2 = -1;
    return node;
}

/* Add a child; grows the array at powers of two. */
static bool node_add(struct parser *parser, struct weir_node *node, struct weir_node *child)
{
    if (child == NULL) {
        return false;
    }
    if (child->depth + 1 > WEIR_EXPR_MAX_DEPTH) {
        fail_limit(parser, node->pos, "operators applied to each other's results",
                WEIR_EXPR_MAX_DEPTH);
        return false;
    }
    if (node->depth < child->depth + 1) {
        node->depth = (uint16_t)(child->depth + 1);
    }
    uint32_t count = node->count;
    if ((count & (count - 1)) == 0) {
        uint32_t capacity = count == 0 ? 1 : count * 2;
        struct weir_node **args =
                weir_arena_alloc(parser->arena, capacity * sizeof(struct weir_node *));
        if (count > 0) {
            memcpy(args, node->args, count * sizeof(struct weir_node *));
        }
        node->args = args;
    }
    node->args[node->count++] = child;
    return true;
}

static struct weir_node *node_of(struct parser *parser, enum weir_op op, size_t pos,
        struct weir_node *a, struct weir_node *b)
{
    struct weir_node *node = node_new(parser, op, pos);
    if (!node_add(parser, node, a) || (b != NULL && !node_add(parser, node, b))) {
        return NULL;
    }
    return parser->rc == WEIR_OK ? node : NULL;
}

static struct weir_node *node_constant(
        struct parser *parser, size_t pos, struct weir_expr_value value)
{
    struct weir_node *node = node_new(parser, WEIR_OP_CONST, pos);
    node->as.constant = value;
    return node;
}

/* --- literals ------------------------------------------------------------ */

static struct weir_node *float_literal(struct parser *parser, bool negative)
{
    /* strtod wants an end; the arena copy has a zero there. */
    struct weir_str text = weir_arena_printf(
            parser->arena, "%s%.*s", negative ? "-" : "", WEIR_STR_ARG(parser->token.text));
    struct weir_expr_value value = weir_expr_double(strtod(text.p, NULL));
    if (isinf(value.as.real)) {
        return fail(parser, parser->token.pos, "number '%.*s' is too large for a double",
                WEIR_STR_ARG(text));
    }
    struct weir_decimal exact;
    if (weir_decimal_parse(text, &exact, NULL) == WEIR_OK) {
        struct weir_decimal *kept = WEIR_ARENA_NEW(parser->arena, struct weir_decimal);
        *kept = exact;
        value.exact = kept;
    }
    struct weir_node *node = node_constant(parser, parser->token.pos, value);
    return advance(parser) ? node : NULL;
}

static struct weir_node *int_literal(struct parser *parser, bool negative)
{
    uint64_t number = parser->token.number;
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (number > most) {
        return fail(parser, parser->token.pos,
                "number '%.*s' is not a 64-bit integer; an unsigned one ends in u",
                WEIR_STR_ARG(token_text(parser)));
    }
    int64_t value = negative ? (int64_t)(0 - number) : (int64_t)number;
    struct weir_node *node = node_constant(parser, parser->token.pos, weir_expr_int(value));
    return advance(parser) ? node : NULL;
}

static struct weir_node *literal(struct parser *parser, bool negative)
{
    struct weir_expr_value value;
    switch (parser->token.kind) {
    case WEIR_TOKEN_INT:
        return int_literal(parser, negative);
    case WEIR_TOKEN_FLOAT:
        return float_literal(parser, negative);
    case WEIR_TOKEN_UINT:
        value = weir_expr_uint(parser->token.number);
        break;
    case WEIR_TOKEN_STRING:
        value = weir_expr_string(parser->token.text);
        break;
    case WEIR_TOKEN_BYTES:
        value = weir_expr_bytes(parser->token.text);
        break;
    case WEIR_TOKEN_END:
    case WEIR_TOKEN_IDENT:
    case WEIR_TOKEN_QUOTED:
    case WEIR_TOKEN_PUNCT:
        return fail(parser, parser->token.pos, "expected a value, found %.*s",
                WEIR_STR_ARG(token_text(parser)));
    }
    struct weir_node *node = node_constant(parser, parser->token.pos, value);
    return advance(parser) ? node : NULL;
}

/* Note whether entry i of a list or map literal began with `?`. */
static void mark_optional(
        struct parser *parser, struct weir_node *node, size_t entries, bool optional)
{
    if ((entries & (entries - 1)) == 0) {
        size_t capacity = entries == 0 ? 1 : entries * 2;
        bool *flags = weir_arena_zero(parser->arena, capacity, sizeof(bool));
        if (entries > 0) {
            memcpy(flags, node->as.optional, entries * sizeof(bool));
        }
        node->as.optional = flags;
    }
    node->as.optional[entries] = optional;
}

static struct weir_node *list_literal(struct parser *parser)
{
    struct weir_node *node = node_new(parser, WEIR_OP_LIST, parser->token.pos);
    if (!advance(parser)) {
        return NULL;
    }
    for (size_t i = 0; !is_punct(parser, ']'); i++) {
        mark_optional(parser, node, i, accept(parser, '?'));
        if (!node_add(parser, node, parse_expr(parser))) {
            return NULL;
        }
        if (!accept(parser, ',')) {
            break;
        }
    }
    return expect(parser, ']', "to end the list") ? node : NULL;
}

static struct weir_node *map_literal(struct parser *parser)
{
    struct weir_node *node = node_new(parser, WEIR_OP_MAP, parser->token.pos);
    if (!advance(parser)) {
        return NULL;
    }
    for (size_t i = 0; !is_punct(parser, '}'); i++) {
        mark_optional(parser, node, i, accept(parser, '?'));
        if (!node_add(parser, node, parse_expr(parser)) ||
                !expect(parser, ':', "behind the map's key") ||
                !node_add(parser, node, parse_expr(parser))) {
            return NULL;
        }
        if (!accept(parser, ',')) {
            break;
        }
    }
    return expect(parser, '}', "to end the map") ? node : NULL;
}

/* --- calls and macros ---------------------------------------------------- */

/* Arguments up to the closing parenthesis; the opening one is taken. */
static bool parse_arguments(struct parser *parser, struct weir_node *call)
{
    while (!is_punct(parser, ')')) {
        if (!node_add(parser, call, parse_expr(parser))) {
            return false;
        }
        if (!accept(parser, ',')) {
            break;
        }
    }
    return expect(parser, ')', "to end the arguments");
}

struct macro {
    const char *name;
    uint8_t arguments; /* without the target */
    uint8_t variables;
    uint8_t op;
    bool filter; /* the argument before the body is one */
};

static const struct macro macros[] = {
    { "all", 2, 1, WEIR_OP_ALL, false },
    { "all", 3, 2, WEIR_OP_ALL, false },
    { "exists", 2, 1, WEIR_OP_EXISTS, false },
    { "exists", 3, 2, WEIR_OP_EXISTS, false },
    { "exists_one", 2, 1, WEIR_OP_EXISTS_ONE, false },
    { "existsOne", 2, 1, WEIR_OP_EXISTS_ONE, false },
    { "existsOne", 3, 2, WEIR_OP_EXISTS_ONE, false },
    { "filter", 2, 1, WEIR_OP_FILTER, false },
    { "map", 2, 1, WEIR_OP_MAP_LIST, false },
    { "map", 3, 1, WEIR_OP_MAP_LIST, true },
    { "transformList", 3, 2, WEIR_OP_MAP_LIST, false },
    { "transformList", 4, 2, WEIR_OP_MAP_LIST, true },
    { "transformMap", 3, 2, WEIR_OP_MAP_MAP, false },
    { "transformMap", 4, 2, WEIR_OP_MAP_MAP, true },
    { "transformMapEntry", 3, 2, WEIR_OP_MAP_MAP_ENTRY, false },
    { "transformMapEntry", 4, 2, WEIR_OP_MAP_MAP_ENTRY, true },
    { "optMap", 2, 1, WEIR_OP_OPT_MAP, false },
    { "optFlatMap", 2, 1, WEIR_OP_OPT_FLAT_MAP, false },
};

/* args[i] must be a plain name for a macro's variable. */
static bool macro_variable(
        struct parser *parser, const struct weir_node *arg, struct weir_str *ret_name)
{
    if (arg->op != WEIR_OP_IDENT || (arg->flags & (WEIR_NODE_ROOT | WEIR_NODE_PAREN)) != 0) {
        fail(parser, arg->pos, "expected a plain name for the macro's variable");
        return false;
    }
    *ret_name = arg->as.name;
    return true;
}

/* Rewrite target.macro(v, ..., body): args becomes target, body, filter. */
static struct weir_node *expand_macro(
        struct parser *parser, struct weir_node *call, const struct macro *macro)
{
    struct weir_str names[2] = { { 0 } };
    for (unsigned i = 0; i < macro->variables; i++) {
        if (!macro_variable(parser, call->args[1 + i], &names[i])) {
            return NULL;
        }
    }
    if (macro->variables == 2 && weir_str_eq(names[0], names[1])) {
        return fail(parser, call->args[2]->pos, "macro variable '%.*s' is named twice",
                WEIR_STR_ARG(names[1]));
    }
    struct weir_node *filter = macro->filter ? call->args[1 + macro->variables] : NULL;
    call->op = macro->op;
    call->args[1] = call->args[macro->arguments];
    call->count = 2;
    if (filter != NULL) {
        call->args[2] = filter;
        call->count = 3;
    }
    call->as.variables[0] = names[0];
    call->as.variables[1] = names[1];
    return call;
}

/* has(e.f) or has(variable): args[0] stays as it is until names are resolved. */
static struct weir_node *expand_has(struct parser *parser, struct weir_node *call)
{
    uint8_t op = call->args[0]->op;
    if (call->count != 1 || (op != WEIR_OP_SELECT && op != WEIR_OP_IDENT)) {
        return fail(parser, call->pos, "has() takes one field selection, as in has(new.name)");
    }
    call->op = WEIR_OP_HAS;
    return call;
}

static bool is_ident(const struct weir_node *node, const char *name)
{
    return node->op == WEIR_OP_IDENT && weir_str_eq(node->as.name, weir_str_z(name));
}

/* cel.bind(x, init, body): args arrive as cel, x, init, body. */
static struct weir_node *expand_bind(struct parser *parser, struct weir_node *call)
{
    struct weir_str name = { 0 };
    if (!macro_variable(parser, call->args[1], &name)) {
        return NULL;
    }
    call->op = WEIR_OP_BIND;
    call->args[0] = call->args[2];
    call->args[1] = call->args[3];
    call->count = 2;
    call->as.variables[0] = name;
    call->as.variables[1] = weir_str(NULL, 0);
    return call;
}

static struct weir_node *finish_method(struct parser *parser, struct weir_node *call)
{
    struct weir_str name = call->as.name;
    if (is_ident(call->args[0], "cel") && weir_str_eq(name, WEIR_STR("bind")) && call->count == 4) {
        return expand_bind(parser, call);
    }
    for (size_t i = 0; i < WEIR_COUNT(macros); i++) {
        if (macros[i].arguments + 1U == call->count &&
                weir_str_eq(name, weir_str_z(macros[i].name))) {
            return expand_macro(parser, call, &macros[i]);
        }
    }
    if (call->count == 2 && weir_str_eq(name, WEIR_STR("or"))) {
        call->op = WEIR_OP_OPT_OR;
    } else if (call->count == 2 && weir_str_eq(name, WEIR_STR("orValue"))) {
        call->op = WEIR_OP_OPT_OR_VALUE;
    }
    return call;
}

/* --- members ------------------------------------------------------------- */

static bool is_keyword(struct weir_str name)
{
    return weir_str_eq(name, WEIR_STR("in")) || weir_str_eq(name, WEIR_STR("true")) ||
           weir_str_eq(name, WEIR_STR("false")) || weir_str_eq(name, WEIR_STR("null"));
}

static bool is_reserved(struct weir_str name)
{
    static const char *const words[] = { "as", "break", "const", "continue", "else", "for",
        "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void",
        "while" };
    for (size_t i = 0; i < WEIR_COUNT(words); i++) {
        if (weir_str_eq(name, weir_str_z(words[i]))) {
            return true;
        }
    }
    return false;
}

/* `.name`, `.?name`, `.name(args)`; the dot is the token. */
static struct weir_node *parse_select(struct parser *parser, struct weir_node *target)
{
    if (!advance(parser)) {
        return NULL;
    }
    bool optional = accept(parser, '?');
    struct weir_token name = parser->token;
    if ((name.kind != WEIR_TOKEN_IDENT && name.kind != WEIR_TOKEN_QUOTED) ||
            (name.kind == WEIR_TOKEN_IDENT && is_keyword(name.text))) {
        return fail(parser, name.pos, "expected a field name behind '.', found %.*s",
                WEIR_STR_ARG(token_text(parser)));
    }
    if (!advance(parser)) {
        return NULL;
    }
    bool call = is_punct(parser, '(');
    if (!call || optional || name.kind == WEIR_TOKEN_QUOTED) {
        if (call) {
            return fail(parser, parser->token.pos, "a call cannot follow here");
        }
        struct weir_node *select = node_of(
                parser, optional ? WEIR_OP_OPT_SELECT : WEIR_OP_SELECT, name.pos, target, NULL);
        if (select != NULL) {
            select->as.name = name.text;
        }
        return select;
    }
    struct weir_node *node = node_of(parser, WEIR_OP_CALL, name.pos, target, NULL);
    if (node == NULL || !advance(parser) || !parse_arguments(parser, node)) {
        return NULL;
    }
    node->flags |= WEIR_NODE_METHOD;
    node->as.name = name.text;
    return finish_method(parser, node);
}

static struct weir_node *parse_index(struct parser *parser, struct weir_node *target)
{
    size_t pos = parser->token.pos;
    if (!advance(parser)) {
        return NULL;
    }
    bool optional = accept(parser, '?');
    struct weir_node *index = parse_expr(parser);
    if (index == NULL || !expect(parser, ']', "to end the index")) {
        return NULL;
    }
    return node_of(parser, optional ? WEIR_OP_OPT_INDEX : WEIR_OP_INDEX, pos, target, index);
}

static struct weir_node *parse_ident(struct parser *parser)
{
    uint8_t flags = 0;
    if (accept(parser, '.')) {
        flags = WEIR_NODE_ROOT;
        if (parser->token.kind != WEIR_TOKEN_IDENT) {
            return fail(parser, parser->token.pos, "expected a name behind '.', found %.*s",
                    WEIR_STR_ARG(token_text(parser)));
        }
    }
    struct weir_token name = parser->token;
    if (is_keyword(name.text) || is_reserved(name.text)) {
        return fail(parser, name.pos, "'%.*s' is a reserved word", WEIR_STR_ARG(name.text));
    }
    struct weir_node *node = node_new(parser, WEIR_OP_IDENT, name.pos);
    node->as.name = name.text;
    node->flags = flags;
    if (!advance(parser)) {
        return NULL;
    }
    if (is_punct(parser, '{')) {
        return fail(parser, parser->token.pos, "messages such as %.*s{...} are not offered",
                WEIR_STR_ARG(name.text));
    }
    if (!is_punct(parser, '(')) {
        return node;
    }
    node->op = WEIR_OP_CALL;
    if (!advance(parser) || !parse_arguments(parser, node)) {
        return NULL;
    }
    if (weir_str_eq(name.text, WEIR_STR("has")) && node->count > 0) {
        return expand_has(parser, node);
    }
    return node;
}

static struct weir_node *parse_primary(struct parser *parser)
{
    if (is_word(parser, "true") || is_word(parser, "false")) {
        struct weir_node *node =
                node_constant(parser, parser->token.pos, weir_expr_bool(is_word(parser, "true")));
        return advance(parser) ? node : NULL;
    }
    if (is_word(parser, "null")) {
        struct weir_node *node = node_constant(parser, parser->token.pos, weir_expr_null());
        return advance(parser) ? node : NULL;
    }
    if (parser->token.kind == WEIR_TOKEN_IDENT || is_punct(parser, '.')) {
        return parse_ident(parser);
    }
    if (is_punct(parser, '[')) {
        return list_literal(parser);
    }
    if (is_punct(parser, '{')) {
        return map_literal(parser);
    }
    if (accept(parser, '(')) {
        struct weir_node *node = parse_expr(parser);
        if (node == NULL || !expect(parser, ')', "to close the parenthesis")) {
            return NULL;
        }
        node->flags |= WEIR_NODE_PAREN;
        return node;
    }
    return literal(parser, false);
}

static struct weir_node *parse_members(struct parser *parser, struct weir_node *node)
{
    while (node != NULL && parser->rc == WEIR_OK) {
        if (is_punct(parser, '.')) {
            node = parse_select(parser, node);
        } else if (is_punct(parser, '[')) {
            node = parse_index(parser, node);
        } else {
            return node;
        }
    }
    return NULL;
}

/* --- operators ----------------------------------------------------------- */

static struct weir_node *parse_unary(struct parser *parser)
{
    size_t pos = parser->token.pos;
    unsigned count = 0;
    enum weir_op op = is_punct(parser, '!') ? WEIR_OP_NOT : WEIR_OP_NEG;
    while (accept(parser, op == WEIR_OP_NOT ? '!' : '-')) {
        count++;
    }
    if (parser->rc != WEIR_OK) {
        return NULL;
    }
    bool number = parser->token.kind == WEIR_TOKEN_INT || parser->token.kind == WEIR_TOKEN_FLOAT;
    struct weir_node *node = NULL;
    if (op == WEIR_OP_NEG && count > 0 && number) {
        node = literal(parser, true); /* the sign belongs to it: -9223372036854775808 */
        count--;
    } else {
        node = parse_primary(parser);
    }
    node = parse_members(parser, node);
    /* An even number of signs is two: what they apply to is still checked. */
    for (count = count > 2 ? 2 - count % 2 : count; count > 0 && node != NULL; count--) {
        node = node_of(parser, op, pos, node, NULL);
    }
    return node;
}

struct binary {
    int punct; /* 0: the word `in` */
    uint8_t level;
    uint8_t op;
};

static const struct binary binaries[] = {
    { WEIR_PUNCT('|', '|'), 1, WEIR_OP_OR },
    { WEIR_PUNCT('&', '&'), 2, WEIR_OP_AND },
    { WEIR_PUNCT('=', '='), 3, WEIR_OP_EQ },
    { WEIR_PUNCT('!', '='), 3, WEIR_OP_NE },
    { WEIR_PUNCT('<', '='), 3, WEIR_OP_LE },
    { WEIR_PUNCT('>', '='), 3, WEIR_OP_GE },
    { '<', 3, WEIR_OP_LT },
    { '>', 3, WEIR_OP_GT },
    { 0, 3, WEIR_OP_IN },
    { '+', 4, WEIR_OP_ADD },
    { '-', 4, WEIR_OP_SUB },
    { '*', 5, WEIR_OP_MUL },
    { '/', 5, WEIR_OP_DIV },
    { '%', 5, WEIR_OP_REM },
};

static const struct binary *binary_of(const struct parser *parser)
{
    for (size_t i = 0; i < WEIR_COUNT(binaries); i++) {
        bool here = binaries[i].punct == 0 ? is_word(parser, "in")
                                           : is_punct(parser, binaries[i].punct);
        if (here) {
            return &binaries[i];
        }
    }
    return NULL;
}

/* Join a && b && c into one node, so that long conditions are flat. */
static struct weir_node *join(struct parser *parser, const struct binary *binary, size_t pos,
        struct weir_node *left, struct weir_node *right)
{
    bool logic = binary->op == WEIR_OP_AND || binary->op == WEIR_OP_OR;
    if (logic && left != NULL && left->op == binary->op && (left->flags & WEIR_NODE_PAREN) == 0) {
        return node_add(parser, left, right) ? left : NULL;
    }
    return right == NULL ? NULL : node_of(parser, binary->op, pos, left, right);
}

static struct weir_node *parse_binary(struct parser *parser, unsigned level)
{
    struct weir_node *left = parse_unary(parser);
    while (left != NULL && parser->rc == WEIR_OK) {
        const struct binary *binary = binary_of(parser);
        if (binary == NULL || binary->level < level) {
            return left;
        }
        size_t pos = parser->token.pos;
        if (!advance(parser)) {
            return NULL;
        }
        left = join(parser, binary, pos, left, parse_binary(parser, binary->level + 1U));
    }
    return NULL;
}

static struct weir_node *parse_conditional(struct parser *parser)
{
    struct weir_node *condition = parse_binary(parser, 1);
    if (condition == NULL || !is_punct(parser, '?')) {
        return condition;
    }
    size_t pos = parser->token.pos;
    if (!advance(parser)) {
        return NULL;
    }
    struct weir_node *yes = parse_binary(parser, 1);
    if (yes == NULL || !expect(parser, ':', "behind the first choice of '?'")) {
        return NULL;
    }
    struct weir_node *no = parse_expr(parser);
    if (no == NULL) {
        return NULL;
    }
    struct weir_node *node = node_of(parser, WEIR_OP_COND, pos, condition, yes);
    return node != NULL && node_add(parser, node, no) ? node : NULL;
}

static struct weir_node *parse_expr(struct parser *parser)
{
    if (parser->nesting >= WEIR_EXPR_MAX_NESTING) {
        return fail_limit(parser, parser->token.pos, "levels of nesting", WEIR_EXPR_MAX_NESTING);
    }
    parser->nesting++;
    struct weir_node *node = parse_conditional(parser);
    parser->nesting--;
    return parser->rc == WEIR_OK ? node : NULL;
}

enum weir_rc weir_expr_parse(struct weir_arena *arena, struct weir_str text,
        struct weir_node **ret_root, struct weir_err *err)
{
    struct parser parser = {
        .lexer = { .text = text, .arena = arena },
        .arena = arena,
        .err = err,
    };
    struct weir_node *root = advance(&parser) ? parse_expr(&parser) : NULL;
    if (parser.rc == WEIR_OK && parser.token.kind != WEIR_TOKEN_END) {
        fail(&parser, parser.token.pos, "unexpected %.*s behind the expression",
                WEIR_STR_ARG(token_text(&parser)));
    }
    if (parser.rc == WEIR_OK) {
        *ret_root = root;
    }
    return parser.rc;
}
