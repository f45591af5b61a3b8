/* The grammar of operands, document paths and conditions. */
#include "table/expression_int.h"

enum {
    MAX_DEPTH = 320,       /* more than the operators' limit can fill */
    MAX_IN_OPERANDS = 100, /* the one in front included */
};

static bool enter(struct weir_ddb_parser *parser)
{
    if (parser->depth >= MAX_DEPTH) {
        weir_ddb_syntax_error(parser);
        return false;
    }
    parser->depth++;
    return true;
}

struct weir_ddb_node *weir_ddb_node_new(struct weir_ddb_parser *parser,
        enum weir_ddb_node_kind kind, struct weir_str word, uint32_t count)
{
    struct weir_ddb_node *node = WEIR_ARENA_NEW(parser->arena, struct weir_ddb_node);
    node->kind = kind;
    node->word = word;
    node->count = count;
    node->operands = NULL;
    if (count > 0) {
        node->operands = (struct weir_ddb_node **)weir_arena_alloc(
                parser->arena, count * sizeof(struct weir_ddb_node *));
    }
    return node;
}

static struct weir_ddb_node *new_operator(struct weir_ddb_parser *parser,
        enum weir_ddb_node_kind kind, struct weir_str word, struct weir_ddb_node *left,
        struct weir_ddb_node *right)
{
    struct weir_ddb_node *node = weir_ddb_node_new(parser, kind, word, right != NULL ? 2 : 1);
    node->operands[0] = left;
    if (right != NULL) {
        node->operands[1] = right;
    }
    weir_ddb_count_operator(parser);
    return node;
}

/* --- document paths ------------------------------------------------------ */

static bool parse_name(struct weir_ddb_parser *parser, struct weir_str *ret_name)
{
    struct weir_str text = parser->token.text;
    if (parser->token.kind == WEIR_DDB_T_NAME) {
        *ret_name = weir_ddb_resolve_name(parser, text);
    } else if (parser->token.kind == WEIR_DDB_T_IDENTIFIER) {
        *ret_name = text;
        if (weir_ddb_is_reserved(text)) {
            weir_ddb_record(parser, WEIR_DDB_FAULT_RESERVED,
                    "Attribute name is a reserved keyword; reserved keyword: %.*s",
                    WEIR_STR_ARG(text));
        }
    } else {
        weir_ddb_syntax_error(parser);
        return false;
    }
    weir_ddb_advance(parser);
    return true;
}

static bool parse_index(struct weir_ddb_parser *parser, size_t *ret_index)
{
    struct weir_str text = parser->token.text;
    uint64_t index = 0;
    if (!weir_ddb_expect(parser, WEIR_DDB_T_NUMBER)) {
        return false;
    }
    if (!weir_str_to_u64(text, &index) || index > INT32_MAX) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_LIMIT,
                "List index is not within the allowable range; index: [%.*s]", WEIR_STR_ARG(text));
        index = 0;
    }
    *ret_index = index;
    return weir_ddb_expect(parser, WEIR_DDB_T_CLOSE_INDEX);
}

static void add_head(struct weir_ddb_parser *parser, struct weir_str name)
{
    struct weir_ddb_head *head = WEIR_ARENA_NEW(parser->arena, struct weir_ddb_head);
    head->name = name;
    head->next = parser->heads;
    parser->heads = head;
}

bool weir_ddb_parse_path(
        struct weir_ddb_parser *parser, struct weir_ddb_path prefix, struct weir_ddb_path *ret_path)
{
    struct weir_ddb_step steps[WEIR_DDB_PATH_MAX_LEVELS];
    size_t count = prefix.count;
    if (count > 0) {
        memcpy(steps, prefix.steps, count * sizeof(steps[0]));
    } else {
        steps[0] = (struct weir_ddb_step){ 0 };
        if (!parse_name(parser, &steps[0].name)) {
            return false;
        }
        add_head(parser, steps[0].name);
        count = 1;
    }
    for (;;) {
        struct weir_ddb_step step = { 0 };
        if (weir_ddb_accept(parser, WEIR_DDB_T_DOT)) {
            if (!parse_name(parser, &step.name)) {
                return false;
            }
        } else if (weir_ddb_accept(parser, WEIR_DDB_T_OPEN_INDEX)) {
            if (!parse_index(parser, &step.index)) {
                return false;
            }
        } else {
            break;
        }
        if (count < WEIR_DDB_PATH_MAX_LEVELS) {
            steps[count] = step;
        }
        count++;
    }
    if (count > WEIR_DDB_PATH_MAX_LEVELS) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_LIMIT,
                "The document path has too many nesting levels; nesting levels: %zu", count);
        count = WEIR_DDB_PATH_MAX_LEVELS;
    }
    struct weir_ddb_step *copy = weir_arena_alloc(parser->arena, count * sizeof(steps[0]));
    memcpy(copy, steps, count * sizeof(steps[0]));
    *ret_path = (struct weir_ddb_path){ copy, count };
    return true;
}

/* --- operands ------------------------------------------------------------ */

static struct weir_ddb_node *parse_or(struct weir_ddb_parser *parser);

/* What a condition may consist of, wherever the item. */
static bool is_condition(const struct weir_ddb_node *node)
{
    return node->kind >= WEIR_DDB_EQ;
}

static bool is_function(const struct weir_ddb_node *node)
{
    switch ((int)node->kind) {
    case WEIR_DDB_SIZE:
    case WEIR_DDB_IF_NOT_EXISTS:
    case WEIR_DDB_LIST_APPEND:
    case WEIR_DDB_EXISTS:
    case WEIR_DDB_NOT_EXISTS:
    case WEIR_DDB_IS_TYPE:
    case WEIR_DDB_BEGINS_WITH:
    case WEIR_DDB_CONTAINS:
    case WEIR_DDB_UNKNOWN_FUNCTION:
        return true;
    default:
        return false;
    }
}

static void record_misused(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    if (node->kind != WEIR_DDB_UNKNOWN_FUNCTION) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_MISUSED_FUNCTION,
                "The function is not allowed to be used this way in an expression; function: %.*s",
                WEIR_STR_ARG(node->word));
    }
}

/* The node stands where a value is wanted. False: syntax error. */
static bool need_operand(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    bool sum = node->kind == WEIR_DDB_PLUS || node->kind == WEIR_DDB_MINUS;
    if (!is_condition(node) && !sum) {
        return true;
    }
    if (is_function(node)) {
        record_misused(parser, node);
        return true;
    }
    weir_ddb_syntax_error(parser);
    return false;
}

/* The node stands where a condition is wanted. False: syntax error. */
static bool need_condition(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    if (is_condition(node)) {
        return true;
    }
    if (is_function(node)) {
        record_misused(parser, node);
        return true;
    }
    weir_ddb_syntax_error(parser);
    return false;
}

struct node_list {
    struct weir_ddb_node **nodes;
    uint32_t count;
    uint32_t capacity;
};

static void add_node(
        struct weir_ddb_parser *parser, struct node_list *list, struct weir_ddb_node *node)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity > 0 ? list->capacity * 2 : 2;
        struct weir_ddb_node **larger = (struct weir_ddb_node **)weir_arena_zero(
                parser->arena, capacity, sizeof(struct weir_ddb_node *));
        for (uint32_t i = 0; i < list->count; i++) {
            larger[i] = list->nodes[i];
        }
        list->nodes = larger;
        list->capacity = capacity;
    }
    list->nodes[list->count++] = node;
}

/* operand { "," operand } ")" */
static bool parse_operands(struct weir_ddb_parser *parser, struct node_list *list)
{
    do {
        struct weir_ddb_node *operand = weir_ddb_parse_operand(parser);
        if (operand == NULL) {
            return false;
        }
        add_node(parser, list, operand);
    } while (weir_ddb_accept(parser, WEIR_DDB_T_COMMA));
    return weir_ddb_expect(parser, WEIR_DDB_T_CLOSE);
}

static struct weir_ddb_node *parse_function(struct weir_ddb_parser *parser, struct weir_str name)
{
    struct weir_ddb_node *node =
            weir_ddb_node_new(parser, weir_ddb_function_kind(parser, name), name, 0);
    struct node_list list = { 0 };
    if (!parse_operands(parser, &list)) {
        return NULL;
    }
    node->operands = list.nodes;
    node->count = list.count;
    weir_ddb_count_operator(parser);
    if (parser->kind == WEIR_DDB_UPDATE) {
        weir_ddb_check_update_function(parser, node);
    } else {
        weir_ddb_check_condition_function(parser, node);
    }
    return node;
}

static struct weir_ddb_node *parse_path_node(
        struct weir_ddb_parser *parser, struct weir_ddb_path prefix)
{
    struct weir_ddb_path path;
    if (!weir_ddb_parse_path(parser, prefix, &path)) {
        return NULL;
    }
    struct weir_ddb_node *node = weir_ddb_node_new(parser, WEIR_DDB_PATH, WEIR_STR(""), 0);
    node->path = path;
    return node;
}

/* "(" ... ")": of a condition or of an operand; which one shows behind it. */
static struct weir_ddb_node *parse_parentheses(struct weir_ddb_parser *parser)
{
    if (!enter(parser)) {
        return NULL;
    }
    struct weir_ddb_node *node =
            parser->kind == WEIR_DDB_UPDATE ? weir_ddb_parse_sum(parser) : parse_or(parser);
    parser->depth--;
    if (node == NULL || !weir_ddb_expect(parser, WEIR_DDB_T_CLOSE)) {
        return NULL;
    }
    if (node->in_parentheses) {
        weir_ddb_record(
                parser, WEIR_DDB_FAULT_PARENTHESES, "The expression has redundant parentheses;");
    }
    node->in_parentheses = true;
    bool goes_on =
            parser->token.kind == WEIR_DDB_T_DOT || parser->token.kind == WEIR_DDB_T_OPEN_INDEX;
    if (node->kind == WEIR_DDB_PATH && goes_on) {
        return parse_path_node(parser, node->path);
    }
    return node;
}

static struct weir_ddb_node *parse_primary(struct weir_ddb_parser *parser)
{
    struct weir_ddb_token token = parser->token;
    if (weir_ddb_accept(parser, WEIR_DDB_T_OPEN)) {
        return parse_parentheses(parser);
    }
    if (weir_ddb_accept(parser, WEIR_DDB_T_VALUE)) {
        struct weir_ddb_node *node = weir_ddb_node_new(parser, WEIR_DDB_LITERAL, token.text, 0);
        node->literal = weir_ddb_resolve_value(parser, token.text);
        return node;
    }
    if (token.kind == WEIR_DDB_T_IDENTIFIER) {
        /* Only the token behind tells a function's name from an attribute's. */
        if (weir_ddb_peek(parser) == WEIR_DDB_T_OPEN) {
            weir_ddb_advance(parser);
            weir_ddb_advance(parser);
            if (!enter(parser)) {
                return NULL;
            }
            struct weir_ddb_node *call = parse_function(parser, token.text);
            parser->depth--;
            return call;
        }
    }
    return parse_path_node(parser, (struct weir_ddb_path){ 0 });
}

struct weir_ddb_node *weir_ddb_parse_operand(struct weir_ddb_parser *parser)
{
    struct weir_ddb_node *node = parse_primary(parser);
    return node != NULL && need_operand(parser, node) ? node : NULL;
}

struct weir_ddb_node *weir_ddb_parse_sum(struct weir_ddb_parser *parser)
{
    struct weir_ddb_node *left = parse_primary(parser);
    struct weir_ddb_token token = parser->token;
    if (left == NULL || (token.kind != WEIR_DDB_T_PLUS && token.kind != WEIR_DDB_T_MINUS)) {
        return left;
    }
    if (!need_operand(parser, left)) {
        return NULL;
    }
    weir_ddb_advance(parser);
    struct weir_ddb_node *right = weir_ddb_parse_operand(parser);
    if (right == NULL) {
        return NULL;
    }
    enum weir_ddb_node_kind kind = token.kind == WEIR_DDB_T_PLUS ? WEIR_DDB_PLUS : WEIR_DDB_MINUS;
    struct weir_ddb_node *node = new_operator(parser, kind, token.text, left, right);
    weir_ddb_check_update_function(parser, node);
    return node;
}

/* --- conditions ---------------------------------------------------------- */

/* A condition is complete: if it is the first with a fault of its own, keep that. */
static void end_condition(struct weir_ddb_parser *parser)
{
    static const enum weir_ddb_fault order[] = {
        WEIR_DDB_FAULT_UNDEFINED,
        WEIR_DDB_FAULT_OPERAND_COUNT,
        WEIR_DDB_FAULT_SAME_OPERAND,
        WEIR_DDB_FAULT_OPERAND_TYPE,
    };
    if (parser->faults[WEIR_DDB_FAULT_IN_CONDITION].p != NULL) {
        return;
    }
    for (size_t i = 0; i < WEIR_COUNT(order); i++) {
        if (parser->faults[order[i]].p != NULL) {
            parser->faults[WEIR_DDB_FAULT_IN_CONDITION] = parser->faults[order[i]];
            return;
        }
    }
}

static struct weir_ddb_node *parse_between(
        struct weir_ddb_parser *parser, struct weir_ddb_node *left)
{
    struct weir_ddb_node *low = weir_ddb_parse_operand(parser);
    if (low == NULL || !weir_ddb_expect(parser, WEIR_DDB_T_AND)) {
        return NULL;
    }
    struct weir_ddb_node *high = weir_ddb_parse_operand(parser);
    if (high == NULL) {
        return NULL;
    }
    struct weir_ddb_node *node =
            weir_ddb_node_new(parser, WEIR_DDB_BETWEEN, WEIR_STR("BETWEEN"), 3);
    node->operands[0] = left;
    node->operands[1] = low;
    node->operands[2] = high;
    weir_ddb_count_operator(parser);
    weir_ddb_check_comparison(parser, node);
    return node;
}

static struct weir_ddb_node *parse_in(struct weir_ddb_parser *parser, struct weir_ddb_node *left)
{
    struct node_list list = { 0 };
    add_node(parser, &list, left);
    if (!weir_ddb_expect(parser, WEIR_DDB_T_OPEN) || !parse_operands(parser, &list)) {
        return NULL;
    }
    struct weir_ddb_node *node = weir_ddb_node_new(parser, WEIR_DDB_IN, WEIR_STR("IN"), 0);
    node->operands = list.nodes;
    node->count = list.count;
    weir_ddb_count_operator(parser);
    if (list.count > MAX_IN_OPERANDS) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_LIMIT,
                "The IN operator is provided with too many operands; number of operands: %u",
                list.count);
    }
    return node;
}

static enum weir_ddb_node_kind comparison_kind(enum weir_ddb_token_kind token)
{
    return (enum weir_ddb_node_kind)((int)WEIR_DDB_EQ + ((int)token - (int)WEIR_DDB_T_EQ));
}

/* A comparison, or what stands alone: a function call, something in parentheses. */
static struct weir_ddb_node *parse_comparison(struct weir_ddb_parser *parser)
{
    struct weir_ddb_node *left = parse_primary(parser);
    if (left == NULL) {
        return NULL;
    }
    struct weir_ddb_token token = parser->token;
    bool compares = token.kind >= WEIR_DDB_T_EQ && token.kind <= WEIR_DDB_T_GE;
    if (!compares && token.kind != WEIR_DDB_T_BETWEEN && token.kind != WEIR_DDB_T_IN) {
        if (is_condition(left)) {
            end_condition(parser);
        }
        return left;
    }
    if (!need_operand(parser, left)) {
        return NULL;
    }
    weir_ddb_advance(parser);
    struct weir_ddb_node *node = NULL;
    if (token.kind == WEIR_DDB_T_BETWEEN) {
        node = parse_between(parser, left);
    } else if (token.kind == WEIR_DDB_T_IN) {
        node = parse_in(parser, left);
    } else {
        struct weir_ddb_node *right = weir_ddb_parse_operand(parser);
        if (right != NULL) {
            node = new_operator(parser, comparison_kind(token.kind), token.text, left, right);
            weir_ddb_check_comparison(parser, node);
        }
    }
    end_condition(parser);
    return node;
}

static struct weir_ddb_node *parse_not(struct weir_ddb_parser *parser)
{
    unsigned count = 0;
    while (weir_ddb_accept(parser, WEIR_DDB_T_NOT)) {
        count++;
    }
    struct weir_ddb_node *node = parse_comparison(parser);
    if (node == NULL || count == 0) {
        return node;
    }
    if (!need_condition(parser, node)) {
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        node = new_operator(parser, WEIR_DDB_NOT, WEIR_STR("NOT"), node, NULL);
    }
    return node;
}

/* A chain of AND or OR at one level, as one node. */
static struct weir_ddb_node *parse_chain(struct weir_ddb_parser *parser,
        enum weir_ddb_token_kind token, enum weir_ddb_node_kind kind, struct weir_str word,
        struct weir_ddb_node *(*parse_part)(struct weir_ddb_parser *parser))
{
    struct weir_ddb_node *first = parse_part(parser);
    if (first == NULL || parser->token.kind != token) {
        return first;
    }
    if (!need_condition(parser, first)) {
        return NULL;
    }
    struct node_list list = { 0 };
    add_node(parser, &list, first);
    while (weir_ddb_accept(parser, token)) {
        struct weir_ddb_node *part = parse_part(parser);
        if (part == NULL || !need_condition(parser, part)) {
            return NULL;
        }
        add_node(parser, &list, part);
        weir_ddb_count_operator(parser);
    }
    struct weir_ddb_node *node = weir_ddb_node_new(parser, kind, word, 0);
    node->operands = list.nodes;
    node->count = list.count;
    return node;
}

static struct weir_ddb_node *parse_and(struct weir_ddb_parser *parser)
{
    return parse_chain(parser, WEIR_DDB_T_AND, WEIR_DDB_AND, WEIR_STR("AND"), parse_not);
}

static struct weir_ddb_node *parse_or(struct weir_ddb_parser *parser)
{
    return parse_chain(parser, WEIR_DDB_T_OR, WEIR_DDB_OR, WEIR_STR("OR"), parse_and);
}

struct weir_ddb_node *weir_ddb_parse_condition(struct weir_ddb_parser *parser)
{
    struct weir_ddb_node *root = parse_or(parser);
    if (root == NULL || !need_condition(parser, root)) {
        return NULL;
    }
    end_condition(parser);
    return root;
}

enum weir_rc weir_ddb_compile_condition(struct weir_arena *arena,
        enum weir_ddb_expression_kind kind, struct weir_str text, struct weir_ddb_context *context,
        const struct weir_ddb_condition **ret_condition, struct weir_err *err)
{
    struct weir_ddb_parser parser;
    enum weir_rc rc = weir_ddb_parser_init(&parser, arena, kind, text, context, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_ddb_node *root = weir_ddb_parse_condition(&parser);
    rc = weir_ddb_parser_finish(&parser);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_condition *condition = WEIR_ARENA_NEW(arena, struct weir_ddb_condition);
    condition->root = root;
    condition->heads = parser.heads;
    *ret_condition = condition;
    return WEIR_OK;
}

bool weir_ddb_condition_uses(const struct weir_ddb_condition *condition, struct weir_str attribute)
{
    for (const struct weir_ddb_head *head = condition->heads; head != NULL; head = head->next) {
        if (weir_str_eq(head->name, attribute)) {
            return true;
        }
    }
    return false;
}
