/* What DynamoDB checks of functions and operators before it looks at an item. */
#include "table/expression_int.h"

struct function {
    struct weir_str name;
    enum weir_ddb_node_kind kind;
    unsigned operands;
    bool update; /* of update expressions; else of conditions */
};

static const struct function functions[] = {
    { { "attribute_exists", 16 }, WEIR_DDB_EXISTS, 1, false },
    { { "attribute_not_exists", 20 }, WEIR_DDB_NOT_EXISTS, 1, false },
    { { "attribute_type", 14 }, WEIR_DDB_IS_TYPE, 2, false },
    { { "begins_with", 11 }, WEIR_DDB_BEGINS_WITH, 2, false },
    { { "contains", 8 }, WEIR_DDB_CONTAINS, 2, false },
    { { "size", 4 }, WEIR_DDB_SIZE, 1, false },
    { { "if_not_exists", 13 }, WEIR_DDB_IF_NOT_EXISTS, 2, true },
    { { "list_append", 11 }, WEIR_DDB_LIST_APPEND, 2, true },
};

enum weir_ddb_node_kind weir_ddb_function_kind(struct weir_ddb_parser *parser, struct weir_str name)
{
    bool update = parser->kind == WEIR_DDB_UPDATE;
    for (size_t i = 0; i < WEIR_COUNT(functions); i++) {
        if (!weir_str_eq(functions[i].name, name)) {
            continue;
        }
        if (functions[i].update == update) {
            return functions[i].kind;
        }
        weir_ddb_record(parser, WEIR_DDB_FAULT_FUNCTION_NAME,
                "The function is not allowed in %s expression; function: %.*s",
                update ? "an update" : "a condition", WEIR_STR_ARG(name));
        return WEIR_DDB_UNKNOWN_FUNCTION;
    }
    weir_ddb_record(parser, WEIR_DDB_FAULT_FUNCTION_NAME, "Invalid function name; function: %.*s",
            WEIR_STR_ARG(name));
    return WEIR_DDB_UNKNOWN_FUNCTION;
}

enum weir_type weir_ddb_static_type(const struct weir_ddb_node *node)
{
    switch ((int)node->kind) {
    case WEIR_DDB_LITERAL:
        return node->literal.type;
    case WEIR_DDB_SIZE:
    case WEIR_DDB_PLUS:
    case WEIR_DDB_MINUS:
        return WEIR_TYPE_N;
    case WEIR_DDB_LIST_APPEND:
        return WEIR_TYPE_L;
    case WEIR_DDB_EXISTS:
    case WEIR_DDB_NOT_EXISTS:
    case WEIR_DDB_IS_TYPE:
    case WEIR_DDB_BEGINS_WITH:
    case WEIR_DDB_CONTAINS:
        return WEIR_TYPE_BOOL;
    default:
        return WEIR_TYPE_ABSENT;
    }
}

static bool ordered(enum weir_type type)
{
    return type == WEIR_TYPE_S || type == WEIR_TYPE_N || type == WEIR_TYPE_B;
}

static void record_type(
        struct weir_ddb_parser *parser, const struct weir_ddb_node *node, const char *type)
{
    weir_ddb_record(parser, WEIR_DDB_FAULT_OPERAND_TYPE,
            "Incorrect operand type for operator or function; operator or function: %.*s, "
            "operand type: %s",
            WEIR_STR_ARG(node->word), type);
}

static void record_needs_path(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    weir_ddb_record(parser, WEIR_DDB_FAULT_OPERAND_TYPE,
            "Operator or function requires a document path; operator or function: %.*s",
            WEIR_STR_ARG(node->word));
}

/* Whether the number of operands is the function's. */
static bool check_count(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    for (size_t i = 0; i < WEIR_COUNT(functions); i++) {
        if (functions[i].kind == node->kind && functions[i].operands != node->count) {
            weir_ddb_record(parser, WEIR_DDB_FAULT_OPERAND_COUNT,
                    "Incorrect number of operands for operator or function; "
                    "operator or function: %.*s, number of operands: %u",
                    WEIR_STR_ARG(node->word), node->count);
            return false;
        }
    }
    return true;
}

static void check_distinct(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    if (node->count != 2 || node->operands[0]->kind != WEIR_DDB_PATH ||
            node->operands[1]->kind != WEIR_DDB_PATH ||
            !weir_ddb_path_eq(&node->operands[0]->path, &node->operands[1]->path)) {
        return;
    }
    struct weir_str path = weir_ddb_path_text(parser->arena, &node->operands[0]->path);
    weir_ddb_record(parser, WEIR_DDB_FAULT_SAME_OPERAND,
            "The first operand must be distinct from the remaining operands for this operator or "
            "function; operator: %.*s, first operand: %.*s",
            WEIR_STR_ARG(node->word), WEIR_STR_ARG(path));
}

static void check_attribute_type(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    const struct weir_ddb_node *wanted = node->operands[1];
    enum weir_type type = weir_ddb_static_type(wanted);
    if (type == WEIR_TYPE_ABSENT) {
        record_type(parser, node, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
    } else if (type != WEIR_TYPE_S) {
        record_type(parser, node, weir_type_name(type));
    } else if (weir_type_parse(weir_value_str(wanted->literal)) == WEIR_TYPE_ABSENT) {
        weir_ddb_record(parser, WEIR_DDB_FAULT_OPERAND_TYPE,
                "Invalid attribute type name found; type: %.*s, "
                "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
                WEIR_STR_ARG(weir_value_str(wanted->literal)));
    }
}

static void check_size_operand(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    enum weir_type type = weir_ddb_static_type(node->operands[0]);
    if (type == WEIR_TYPE_N || type == WEIR_TYPE_BOOL || type == WEIR_TYPE_NULL) {
        record_type(parser, node, weir_type_name(type));
    }
}

static void check_begins_with(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    for (uint32_t i = 0; i < node->count; i++) {
        enum weir_type type = weir_ddb_static_type(node->operands[i]);
        if (type != WEIR_TYPE_ABSENT && type != WEIR_TYPE_S && type != WEIR_TYPE_B) {
            record_type(parser, node, weir_type_name(type));
        }
    }
}

void weir_ddb_check_condition_function(
        struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    if (node->kind == WEIR_DDB_UNKNOWN_FUNCTION || !check_count(parser, node)) {
        return;
    }
    check_distinct(parser, node);
    switch ((int)node->kind) {
    case WEIR_DDB_EXISTS:
    case WEIR_DDB_NOT_EXISTS:
        if (node->operands[0]->kind != WEIR_DDB_PATH) {
            record_needs_path(parser, node);
        }
        break;
    case WEIR_DDB_IS_TYPE:
        check_attribute_type(parser, node);
        break;
    case WEIR_DDB_BEGINS_WITH:
        check_begins_with(parser, node);
        break;
    case WEIR_DDB_SIZE:
        check_size_operand(parser, node);
        break;
    default:
        break;
    }
}

/* "{N:1}": a scalar as DynamoDB shows it in messages. */
static struct weir_str literal_text(struct weir_arena *arena, struct weir_value value)
{
    char number[WEIR_DECIMAL_TEXT];
    struct weir_str text = weir_value_str(value);
    if (value.type == WEIR_TYPE_N) {
        text = weir_str(number, weir_decimal_format(weir_value_decimal(value), number));
    }
    return weir_arena_printf(arena, "{%s:%.*s}", weir_type_name(value.type), WEIR_STR_ARG(text));
}

static void check_bounds(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    const struct weir_ddb_node *low = node->operands[1];
    const struct weir_ddb_node *high = node->operands[2];
    if (low->kind != WEIR_DDB_LITERAL || high->kind != WEIR_DDB_LITERAL ||
            !ordered(low->literal.type) || !ordered(high->literal.type)) {
        return;
    }
    int order = 0;
    const char *rule = NULL;
    if (low->literal.type != high->literal.type) {
        rule = "same data type for lower and upper bounds";
    } else if (weir_value_cmp(low->literal, high->literal, &order) && order > 0) {
        rule = "upper bound to be greater than or equal to lower bound";
    }
    if (rule != NULL) {
        struct weir_str low_text = literal_text(parser->arena, low->literal);
        struct weir_str high_text = literal_text(parser->arena, high->literal);
        weir_ddb_record(parser, WEIR_DDB_FAULT_OPERAND_TYPE,
                "The BETWEEN operator requires %s; lower bound operand: AttributeValue: %.*s, "
                "upper bound operand: AttributeValue: %.*s",
                rule, WEIR_STR_ARG(low_text), WEIR_STR_ARG(high_text));
    }
}

void weir_ddb_check_comparison(struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    check_distinct(parser, node);
    if (node->kind == WEIR_DDB_EQ || node->kind == WEIR_DDB_NE) {
        return;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        enum weir_type type = weir_ddb_static_type(node->operands[i]);
        if (type != WEIR_TYPE_ABSENT && !ordered(type)) {
            record_type(parser, node, weir_type_name(type));
        }
    }
    if (node->kind == WEIR_DDB_BETWEEN) {
        check_bounds(parser, node);
    }
}

void weir_ddb_check_update_function(
        struct weir_ddb_parser *parser, const struct weir_ddb_node *node)
{
    if (node->kind == WEIR_DDB_UNKNOWN_FUNCTION || !check_count(parser, node)) {
        return;
    }
    if (node->kind == WEIR_DDB_IF_NOT_EXISTS) {
        if (node->operands[0]->kind != WEIR_DDB_PATH) {
            record_needs_path(parser, node);
        }
        return;
    }
    enum weir_type wanted = node->kind == WEIR_DDB_LIST_APPEND ? WEIR_TYPE_L : WEIR_TYPE_N;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct weir_ddb_node *operand = node->operands[i];
        enum weir_type type = weir_ddb_static_type(operand);
        if (operand->kind == WEIR_DDB_LIST_APPEND && wanted == WEIR_TYPE_L) {
            weir_ddb_record(parser, WEIR_DDB_FAULT_MISUSED_FUNCTION,
                    "The function is not allowed to be used this way in an expression; "
                    "function: list_append");
        } else if (type != WEIR_TYPE_ABSENT && type != wanted) {
            record_type(parser, node, weir_type_name(type));
        }
    }
}
