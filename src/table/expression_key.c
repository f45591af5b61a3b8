/* Key conditions. */
#include "table/expression_int.h"

enum { MAX_CONDITIONS = 2 * WEIR_DDB_KEY_MAX_ATTRIBUTES };

/* One comparison of a key attribute with one value, or two for BETWEEN. */
struct comparison {
    struct weir_str name;
    bool equal; /* "="; else op */
    enum weir_ddb_key_op op;
    struct weir_value low;
    struct weir_value high;
};

struct weir_ddb_key_condition {
    struct comparison comparisons[MAX_CONDITIONS];
    size_t count;
};

/* --- form ---------------------------------------------------------------- */

static enum weir_rc check_operands(const struct weir_ddb_node *node, struct weir_err *err)
{
    bool leads = node->kind == WEIR_DDB_BETWEEN || node->kind == WEIR_DDB_BEGINS_WITH;
    if (leads && node->operands[0]->kind != WEIR_DDB_PATH) {
        return weir_fail(err, WEIR_E_INVALID,
                "Invalid condition in KeyConditionExpression: %.*s operator must have the key "
                "attribute as its first operand",
                WEIR_STR_ARG(node->word));
    }
    bool named = false;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct weir_ddb_node *operand = node->operands[i];
        if (operand->kind == WEIR_DDB_LITERAL) {
            continue;
        }
        if (operand->kind != WEIR_DDB_PATH) {
            return weir_fail(err, WEIR_E_INVALID,
                    "KeyConditionExpressions cannot contain nested operations");
        }
        if (named) {
            return weir_fail(err, WEIR_E_INVALID,
                    "Invalid condition in KeyConditionExpression: Multiple attribute names used in "
                    "one condition");
        }
        if (operand->path.count > 1) {
            return weir_fail(err, WEIR_E_INVALID,
                    "KeyConditionExpressions cannot have conditions on nested attributes");
        }
        named = true;
    }
    if (!named) {
        return weir_fail(err, WEIR_E_INVALID,
                "Invalid condition in KeyConditionExpression: No key attribute specified");
    }
    return WEIR_OK;
}

/* The operator as seen from the attribute: ":v < a" is "a > :v". */
static void set_operator(struct comparison *comparison, enum weir_ddb_node_kind kind, bool reversed)
{
    switch ((int)kind) {
    case WEIR_DDB_LT:
        comparison->op = reversed ? WEIR_DDB_KEY_GT : WEIR_DDB_KEY_LT;
        break;
    case WEIR_DDB_LE:
        comparison->op = reversed ? WEIR_DDB_KEY_GE : WEIR_DDB_KEY_LE;
        break;
    case WEIR_DDB_GT:
        comparison->op = reversed ? WEIR_DDB_KEY_LT : WEIR_DDB_KEY_GT;
        break;
    case WEIR_DDB_GE:
        comparison->op = reversed ? WEIR_DDB_KEY_LE : WEIR_DDB_KEY_GE;
        break;
    case WEIR_DDB_BETWEEN:
        comparison->op = WEIR_DDB_KEY_BETWEEN;
        break;
    case WEIR_DDB_BEGINS_WITH:
        comparison->op = WEIR_DDB_KEY_BEGINS_WITH;
        break;
    default:
        comparison->equal = true;
        break;
    }
}

static enum weir_rc add_comparison(struct weir_ddb_key_condition *condition,
        const struct weir_ddb_node *node, struct weir_err *err)
{
    switch ((int)node->kind) {
    case WEIR_DDB_EQ:
    case WEIR_DDB_LT:
    case WEIR_DDB_LE:
    case WEIR_DDB_GT:
    case WEIR_DDB_GE:
    case WEIR_DDB_BETWEEN:
    case WEIR_DDB_BEGINS_WITH:
        break;
    default:
        return weir_fail(err, WEIR_E_INVALID,
                "Invalid operator used in KeyConditionExpression: %.*s", WEIR_STR_ARG(node->word));
    }
    enum weir_rc rc = check_operands(node, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool reversed = node->operands[0]->kind == WEIR_DDB_LITERAL;
    struct comparison comparison = {
        .name = node->operands[reversed ? 1 : 0]->path.steps[0].name,
        .low = node->operands[reversed ? 0 : 1]->literal,
    };
    if (node->count > 2) {
        comparison.high = node->operands[2]->literal;
    }
    set_operator(&comparison, node->kind, reversed);
    for (size_t i = 0; i < condition->count; i++) {
        if (weir_str_eq(condition->comparisons[i].name, comparison.name)) {
            return weir_fail(err, WEIR_E_INVALID,
                    "KeyConditionExpressions must only contain one condition per key");
        }
    }
    if (condition->count == MAX_CONDITIONS) {
        return weir_fail(err, WEIR_E_INVALID, "Query key condition not supported");
    }
    condition->comparisons[condition->count++] = comparison;
    return WEIR_OK;
}

static enum weir_rc collect(struct weir_ddb_key_condition *condition,
        const struct weir_ddb_node *node, struct weir_err *err)
{
    if (node->kind != WEIR_DDB_AND) {
        return add_comparison(condition, node, err);
    }
    for (uint32_t i = 0; i < node->count; i++) {
        enum weir_rc rc = collect(condition, node->operands[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

enum weir_rc weir_ddb_compile_key_condition(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, const struct weir_ddb_key_condition **ret_condition,
        struct weir_err *err)
{
    struct weir_ddb_parser parser;
    enum weir_rc rc =
            weir_ddb_parser_init(&parser, arena, WEIR_DDB_KEY_CONDITION, text, context, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_ddb_node *root = weir_ddb_parse_condition(&parser);
    rc = weir_ddb_parser_finish(&parser);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_key_condition *condition = WEIR_ARENA_NEW(arena, struct weir_ddb_key_condition);
    rc = collect(condition, root, err);
    if (rc == WEIR_OK) {
        *ret_condition = condition;
    }
    return rc;
}

/* --- against a key ------------------------------------------------------- */

static const struct comparison *find(
        const struct weir_ddb_key_condition *condition, struct weir_str name)
{
    for (size_t i = 0; i < condition->count; i++) {
        if (weir_str_eq(condition->comparisons[i].name, name)) {
            return &condition->comparisons[i];
        }
    }
    return NULL;
}

static enum weir_rc fail_missed(struct weir_str name, struct weir_err *err)
{
    return weir_fail(err, WEIR_E_INVALID, "Query condition missed key schema element: %.*s",
            WEIR_STR_ARG(name));
}

static enum weir_rc fail_unsupported(struct weir_err *err)
{
    return weir_fail(err, WEIR_E_INVALID, "Query key condition not supported");
}

static enum weir_rc check_type(const struct comparison *comparison,
        const struct weir_ddb_key_attribute *attribute, struct weir_err *err)
{
    if (comparison->low.type != attribute->type ||
            (comparison->op == WEIR_DDB_KEY_BETWEEN && comparison->high.type != attribute->type)) {
        return weir_fail(err, WEIR_E_INVALID,
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type");
    }
    return WEIR_OK;
}

static enum weir_rc bind_partition(const struct weir_ddb_key_condition *condition,
        const struct weir_ddb_key_schema *schema, struct weir_ddb_key_range *range,
        struct weir_err *err)
{
    weir_assert(schema->partition_count <= WEIR_DDB_KEY_MAX_ATTRIBUTES &&
                schema->sort_count <= WEIR_DDB_KEY_MAX_ATTRIBUTES);
    for (size_t i = 0; i < schema->partition_count; i++) {
        const struct weir_ddb_key_attribute *attribute = &schema->partition[i];
        const struct comparison *comparison = find(condition, attribute->name);
        if (comparison == NULL) {
            return fail_missed(attribute->name, err);
        }
        if (!comparison->equal) {
            return fail_unsupported(err);
        }
        enum weir_rc rc = check_type(comparison, attribute, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (attribute->type != WEIR_TYPE_N && weir_value_str(comparison->low).n == 0) {
            return weir_fail(err, WEIR_E_INVALID,
                    "One or more parameter values are not valid. The AttributeValue for a key "
                    "attribute cannot contain an empty %s value. Key: %.*s",
                    attribute->type == WEIR_TYPE_S ? "string" : "binary",
                    WEIR_STR_ARG(attribute->name));
        }
        range->partition[range->partition_count++] = comparison->low;
    }
    return WEIR_OK;
}

/* Sort attributes are used from the left without a gap, and only the last one used may have a
 * range. */
static enum weir_rc bind_sort(const struct weir_ddb_key_condition *condition,
        const struct weir_ddb_key_schema *schema, struct weir_ddb_key_range *range,
        struct weir_err *err)
{
    size_t left = condition->count - schema->partition_count;
    for (size_t i = 0; i < schema->sort_count && left > 0; i++) {
        const struct weir_ddb_key_attribute *attribute = &schema->sort[i];
        const struct comparison *comparison = find(condition, attribute->name);
        if (comparison == NULL) {
            return fail_missed(attribute->name, err);
        }
        enum weir_rc rc = check_type(comparison, attribute, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        left--;
        if (comparison->equal) {
            range->equal[range->equal_count++] = comparison->low;
        } else if (left > 0) {
            return fail_unsupported(err);
        } else {
            range->op = comparison->op;
            range->low = comparison->low;
            range->high = comparison->high;
        }
    }
    return left == 0 ? WEIR_OK : fail_unsupported(err);
}

enum weir_rc weir_ddb_key_condition_bind(const struct weir_ddb_key_condition *condition,
        const struct weir_ddb_key_schema *schema, struct weir_ddb_key_range *ret_range,
        struct weir_err *err)
{
    struct weir_ddb_key_range range = { 0 };
    enum weir_rc rc = bind_partition(condition, schema, &range, err);
    if (rc == WEIR_OK) {
        rc = bind_sort(condition, schema, &range, err);
    }
    if (rc == WEIR_OK) {
        *ret_range = range;
    }
    return rc;
}
