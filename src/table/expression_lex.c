/* Tokens, placeholders and the messages of expressions. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "table/expression_int.h"

enum { LETTER = 1, DIGIT = 2, UNDERSCORE = 4, SPACE = 8 };

static const unsigned char classes[256] = {
    ['a' ... 'z'] = LETTER,
    ['A' ... 'Z'] = LETTER,
    ['0' ... '9'] = DIGIT,
    ['_'] = UNDERSCORE,
    [' '] = SPACE,
    ['\t'] = SPACE,
    ['\r'] = SPACE,
    ['\n'] = SPACE,
};

static const unsigned char single[256] = {
    ['('] = WEIR_DDB_T_OPEN,
    [')'] = WEIR_DDB_T_CLOSE,
    ['['] = WEIR_DDB_T_OPEN_INDEX,
    [']'] = WEIR_DDB_T_CLOSE_INDEX,
    [','] = WEIR_DDB_T_COMMA,
    ['.'] = WEIR_DDB_T_DOT,
    ['+'] = WEIR_DDB_T_PLUS,
    ['-'] = WEIR_DDB_T_MINUS,
    ['='] = WEIR_DDB_T_EQ,
    ['<'] = WEIR_DDB_T_LT,
    ['>'] = WEIR_DDB_T_GT,
};

static unsigned class_at(struct weir_str text, size_t i)
{
    return i < text.n ? classes[(unsigned char)text.p[i]] : 0;
}

const char *weir_ddb_expression_name(enum weir_ddb_expression_kind kind)
{
    static const char *const names[] = {
        [WEIR_DDB_CONDITION] = "ConditionExpression",
        [WEIR_DDB_FILTER] = "FilterExpression",
        [WEIR_DDB_KEY_CONDITION] = "KeyConditionExpression",
        [WEIR_DDB_UPDATE] = "UpdateExpression",
        [WEIR_DDB_PROJECTION] = "ProjectionExpression",
    };
    return names[kind];
}

/* --- words --------------------------------------------------------------- */

struct word {
    struct weir_str text;
    enum weir_ddb_token_kind kind;
};

static enum weir_ddb_token_kind find_word(const struct word *words, size_t count, struct weir_str s)
{
    for (size_t i = 0; i < count; i++) {
        if (words[i].text.n == s.n && strncasecmp(words[i].text.p, s.p, s.n) == 0) {
            return words[i].kind;
        }
    }
    return WEIR_DDB_T_IDENTIFIER;
}

/* The words of a grammar are its own: an update may say "and" where a name stands (and be refused
 * for that). */
static enum weir_ddb_token_kind word_kind(enum weir_ddb_expression_kind kind, struct weir_str s)
{
    static const struct word condition[] = {
        { { "AND", 3 }, WEIR_DDB_T_AND },
        { { "OR", 2 }, WEIR_DDB_T_OR },
        { { "NOT", 3 }, WEIR_DDB_T_NOT },
        { { "IN", 2 }, WEIR_DDB_T_IN },
        { { "BETWEEN", 7 }, WEIR_DDB_T_BETWEEN },
    };
    static const struct word update[] = {
        { { "SET", 3 }, WEIR_DDB_T_SET },
        { { "REMOVE", 6 }, WEIR_DDB_T_REMOVE },
        { { "ADD", 3 }, WEIR_DDB_T_ADD },
        { { "DELETE", 6 }, WEIR_DDB_T_DELETE },
    };
    if (s.n < 2 || s.n > 7 || kind == WEIR_DDB_PROJECTION) {
        return WEIR_DDB_T_IDENTIFIER;
    }
    return kind == WEIR_DDB_UPDATE ? find_word(update, WEIR_COUNT(update), s)
                                   : find_word(condition, WEIR_COUNT(condition), s);
}

/* --- tokens -------------------------------------------------------------- */

static size_t skip(struct weir_str text, size_t i, unsigned wanted)
{
    while ((class_at(text, i) & wanted) != 0) {
        i++;
    }
    return i;
}

/* The end of a character that belongs to no token: a whole UTF-8 sequence, for the message. */
static size_t skip_character(struct weir_str text, size_t i)
{
    i++;
    while (i < text.n && ((unsigned char)text.p[i] & 0xc0) == 0x80) {
        i++;
    }
    return i;
}

static enum weir_ddb_token_kind read_symbol(struct weir_str text, size_t *at)
{
    size_t i = *at;
    char c = text.p[i];
    char second = '\0';
    if (i + 1 < text.n) {
        second = text.p[i + 1];
    }
    if (c == '<' && (second == '>' || second == '=')) {
        *at = i + 2;
        return second == '>' ? WEIR_DDB_T_NE : WEIR_DDB_T_LE;
    }
    if (c == '>' && second == '=') {
        *at = i + 2;
        return WEIR_DDB_T_GE;
    }
    if ((c == '#' || c == ':') && (classes[(unsigned char)second] & ~(unsigned)SPACE) != 0) {
        *at = skip(text, i + 1, LETTER | DIGIT | UNDERSCORE);
        return c == '#' ? WEIR_DDB_T_NAME : WEIR_DDB_T_VALUE;
    }
    if (single[(unsigned char)c] != 0) {
        *at = i + 1;
        return (enum weir_ddb_token_kind)single[(unsigned char)c];
    }
    *at = skip_character(text, i);
    return WEIR_DDB_T_OTHER;
}

static struct weir_ddb_token read_token(const struct weir_ddb_parser *parser, size_t *at)
{
    struct weir_str text = parser->text;
    size_t begin = skip(text, *at, SPACE);
    size_t end = begin;
    enum weir_ddb_token_kind kind = WEIR_DDB_T_END;
    if (begin < text.n) {
        unsigned class = classes[(unsigned char)text.p[begin]];
        if (class == LETTER) {
            end = skip(text, begin, LETTER | DIGIT | UNDERSCORE);
            kind = word_kind(parser->kind, weir_str(text.p + begin, end - begin));
        } else if (class == DIGIT) {
            end = skip(text, begin, DIGIT);
            kind = WEIR_DDB_T_NUMBER;
        } else {
            kind = read_symbol(text, &end);
        }
    }
    *at = end;
    return (struct weir_ddb_token){ kind, weir_str(text.p + begin, end - begin) };
}

void weir_ddb_advance(struct weir_ddb_parser *parser)
{
    parser->previous = parser->token;
    parser->token = read_token(parser, &parser->at);
}

enum weir_ddb_token_kind weir_ddb_peek(const struct weir_ddb_parser *parser)
{
    size_t at = parser->at;
    return read_token(parser, &at).kind;
}

bool weir_ddb_accept(struct weir_ddb_parser *parser, enum weir_ddb_token_kind kind)
{
    if (parser->token.kind != kind) {
        return false;
    }
    weir_ddb_advance(parser);
    return true;
}

bool weir_ddb_expect(struct weir_ddb_parser *parser, enum weir_ddb_token_kind kind)
{
    if (weir_ddb_accept(parser, kind)) {
        return true;
    }
    weir_ddb_syntax_error(parser);
    return false;
}

enum weir_rc weir_ddb_parser_init(struct weir_ddb_parser *parser, struct weir_arena *arena,
        enum weir_ddb_expression_kind kind, struct weir_str text, struct weir_ddb_context *context,
        struct weir_err *err)
{
    const char *name = weir_ddb_expression_name(kind);
    *parser = (struct weir_ddb_parser){
        .arena = arena,
        .context = context,
        .text = text,
        .kind = kind,
        .err = err,
    };
    if (skip(text, 0, SPACE) == text.n) {
        return weir_fail(err, WEIR_E_INVALID, "Invalid %s: The expression can not be empty;", name);
    }
    if (text.n > WEIR_DDB_EXPRESSION_MAX_BYTES) {
        return weir_fail(err, WEIR_E_INVALID,
                "Invalid %s: Expression size has exceeded the maximum allowed size; "
                "expression size: %zu",
                name, text.n);
    }
    weir_ddb_advance(parser);
    return WEIR_OK;
}

/* --- messages ------------------------------------------------------------ */

/* "near" is the text from the token before the wrong one to the token behind it. */
void weir_ddb_syntax_error(struct weir_ddb_parser *parser)
{
    struct weir_str wrong = parser->token.text;
    bool at_end = parser->token.kind == WEIR_DDB_T_END;
    const char *begin = wrong.p;
    const char *end = wrong.p + wrong.n;
    if (parser->previous.kind != WEIR_DDB_T_NONE) {
        begin = parser->previous.text.p;
        end = at_end ? begin + parser->previous.text.n : end;
    }
    size_t at = parser->at;
    struct weir_ddb_token behind = read_token(parser, &at);
    if (behind.kind != WEIR_DDB_T_END) {
        end = behind.text.p + behind.text.n;
    }
    if (parser->rc == WEIR_OK) {
        struct weir_str token = at_end ? WEIR_STR("<EOF>") : wrong;
        struct weir_str near = weir_str(begin, (size_t)(end - begin));
        parser->rc = weir_fail_at(parser->err, WEIR_E_INVALID, (size_t)(wrong.p - parser->text.p),
                "Invalid %s: Syntax error; token: \"%.*s\", near: \"%.*s\"",
                weir_ddb_expression_name(parser->kind), WEIR_STR_ARG(token), WEIR_STR_ARG(near));
    }
}

void weir_ddb_record(
        struct weir_ddb_parser *parser, enum weir_ddb_fault fault, const char *fmt, ...)
{
    if (parser->faults[fault].p != NULL) {
        return;
    }
    char text[sizeof(((struct weir_err *)NULL)->msg)];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    parser->faults[fault] = weir_arena_str(parser->arena, weir_str(text, length));
}

void weir_ddb_count_operator(struct weir_ddb_parser *parser)
{
    parser->operators++;
}

enum weir_rc weir_ddb_parser_finish(struct weir_ddb_parser *parser)
{
    static const enum weir_ddb_fault condition_order[] = {
        WEIR_DDB_FAULT_PARENTHESES,
        WEIR_DDB_FAULT_FUNCTION_NAME,
        WEIR_DDB_FAULT_MISUSED_FUNCTION,
        WEIR_DDB_FAULT_RESERVED,
        WEIR_DDB_FAULT_LIMIT,
        WEIR_DDB_FAULT_IN_CONDITION,
    };
    static const enum weir_ddb_fault path_order[] = {
        WEIR_DDB_FAULT_RESERVED,
        WEIR_DDB_FAULT_FUNCTION_NAME,
        WEIR_DDB_FAULT_LIMIT,
        WEIR_DDB_FAULT_SECTION,
        WEIR_DDB_FAULT_UNDEFINED,
        WEIR_DDB_FAULT_UNDEFINED_VALUE,
        WEIR_DDB_FAULT_OVERLAP,
        WEIR_DDB_FAULT_CONFLICT,
        WEIR_DDB_FAULT_ACTION_OPERAND,
        WEIR_DDB_FAULT_MISUSED_FUNCTION,
        WEIR_DDB_FAULT_OPERAND_COUNT,
        WEIR_DDB_FAULT_OPERAND_TYPE,
    };
    if (parser->rc == WEIR_OK && parser->token.kind != WEIR_DDB_T_END) {
        weir_ddb_syntax_error(parser);
    }
    if (parser->rc != WEIR_OK) {
        return parser->rc;
    }
    if (parser->operators > WEIR_DDB_EXPRESSION_MAX_OPERATORS) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_LIMIT,
                "The expression contains too many operators; operator count: %u",
                parser->operators);
    }
    bool by_path = parser->kind == WEIR_DDB_UPDATE || parser->kind == WEIR_DDB_PROJECTION;
    const enum weir_ddb_fault *order = by_path ? path_order : condition_order;
    size_t count = by_path ? WEIR_COUNT(path_order) : WEIR_COUNT(condition_order);
    for (size_t i = 0; i < count; i++) {
        struct weir_str fault = parser->faults[order[i]];
        if (fault.p != NULL) {
            return weir_fail(parser->err, WEIR_E_INVALID, "Invalid %s: %.*s",
                    weir_ddb_expression_name(parser->kind), WEIR_STR_ARG(fault));
        }
    }
    return WEIR_OK;
}

/* --- placeholders -------------------------------------------------------- */

static enum weir_rc init_placeholders(struct weir_ddb_placeholders *placeholders,
        struct weir_arena *arena, struct weir_item item, char sign, const char *parameter,
        struct weir_err *err)
{
    *placeholders = (struct weir_ddb_placeholders){ 0 };
    if (item.n == 0) {
        return WEIR_OK;
    }
    size_t count = weir_item_count(item);
    if (count == 0) {
        return weir_fail(err, WEIR_E_INVALID, "%s must not be empty", parameter);
    }
    placeholders->entries = weir_arena_alloc(arena, count * sizeof(*placeholders->entries));
    placeholders->count = count;
    for (size_t i = 0; i < count; i++) {
        struct weir_ddb_placeholder *entry = &placeholders->entries[i];
        entry->value = weir_item_at(item, i, &entry->key);
        entry->used = false;
        struct weir_str key = entry->key;
        if (key.n < 2 || key.p[0] != sign || skip(key, 1, LETTER | DIGIT | UNDERSCORE) != key.n) {
            return weir_fail(err, WEIR_E_INVALID,
                    "%s contains invalid key: Syntax error; key: \"%.*s\"", parameter,
                    WEIR_STR_ARG(key));
        }
    }
    return WEIR_OK;
}

static enum weir_rc check_names(const struct weir_ddb_placeholders *names, struct weir_err *err)
{
    for (size_t i = 0; i < names->count; i++) {
        const struct weir_ddb_placeholder *entry = &names->entries[i];
        if (entry->value.type != WEIR_TYPE_S || weir_value_str(entry->value).n == 0) {
            return weir_fail(err, WEIR_E_INVALID,
                    "ExpressionAttributeNames contains invalid value: an attribute name must be a "
                    "string that is not empty; key: \"%.*s\"",
                    WEIR_STR_ARG(entry->key));
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_ddb_context_init(struct weir_ddb_context *context, struct weir_arena *arena,
        struct weir_item names, struct weir_item values, struct weir_err *err)
{
    enum weir_rc rc =
            init_placeholders(&context->names, arena, names, '#', "ExpressionAttributeNames", err);
    if (rc == WEIR_OK) {
        rc = check_names(&context->names, err);
    }
    if (rc == WEIR_OK) {
        rc = init_placeholders(
                &context->values, arena, values, ':', "ExpressionAttributeValues", err);
    }
    return rc;
}

static enum weir_rc check_used(const struct weir_ddb_placeholders *placeholders,
        const char *parameter, struct weir_err *err)
{
    char keys[200];
    size_t n = 0;
    for (size_t i = 0; i < placeholders->count && n < sizeof(keys); i++) {
        if (!placeholders->entries[i].used) {
            int wrote = snprintf(keys + n, sizeof(keys) - n, "%s%.*s", n > 0 ? ", " : "",
                    WEIR_STR_ARG(placeholders->entries[i].key));
            n += wrote < 0 ? 0 : (size_t)wrote;
        }
    }
    if (n == 0) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_INVALID, "Value provided in %s unused in expressions: keys: {%s}",
            parameter, keys);
}

enum weir_rc weir_ddb_context_check_used(
        const struct weir_ddb_context *context, struct weir_err *err)
{
    enum weir_rc rc = check_used(&context->names, "ExpressionAttributeNames", err);
    return rc != WEIR_OK ? rc : check_used(&context->values, "ExpressionAttributeValues", err);
}

static struct weir_ddb_placeholder *find(
        const struct weir_ddb_placeholders *placeholders, struct weir_str key)
{
    size_t low = 0;
    size_t high = placeholders->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = weir_str_cmp(key, placeholders->entries[middle].key);
        if (order == 0) {
            return &placeholders->entries[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

struct weir_str weir_ddb_resolve_name(struct weir_ddb_parser *parser, struct weir_str key)
{
    struct weir_ddb_placeholder *entry = find(&parser->context->names, key);
    if (entry == NULL) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_UNDEFINED,
                "An expression attribute name used in the document path is not defined; "
                "attribute name: %.*s",
                WEIR_STR_ARG(key));
        return WEIR_STR("");
    }
    entry->used = true;
    return weir_value_str(entry->value);
}

struct weir_value weir_ddb_resolve_value(struct weir_ddb_parser *parser, struct weir_str key)
{
    struct weir_ddb_placeholder *entry = find(&parser->context->values, key);
    if (entry == NULL) {
        enum weir_ddb_fault fault = parser->kind == WEIR_DDB_UPDATE ? WEIR_DDB_FAULT_UNDEFINED_VALUE
                                                                    : WEIR_DDB_FAULT_UNDEFINED;
        weir_ddb_record(parser, fault,
                "An expression attribute value used in expression is not defined; "
                "attribute value: %.*s",
                WEIR_STR_ARG(key));
        return (struct weir_value){ WEIR_TYPE_ABSENT, WEIR_STR("") };
    }
    entry->used = true;
    return entry->value;
}
