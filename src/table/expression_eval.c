/* Conditions on items. */
#include "table/expression_int.h"

struct weir_value weir_ddb_path_get(const struct weir_ddb_path *path, struct weir_item item)
{
    struct weir_value none = { WEIR_TYPE_ABSENT, { NULL, 0 } };
    if (item.n == 0) {
        return none;
    }
    struct weir_value value = weir_item_get(item, path->steps[0].name);
    for (size_t i = 1; i < path->count && value.type != WEIR_TYPE_ABSENT; i++) {
        const struct weir_ddb_step *step = &path->steps[i];
        if (step->name.p != NULL) {
            value = value.type == WEIR_TYPE_M ? weir_item_get(weir_value_map(value), step->name)
                                              : none;
        } else if (value.type == WEIR_TYPE_L && step->index < weir_value_count(value)) {
            value = weir_value_at(value, step->index);
        } else {
            value = none;
        }
    }
    return value;
}

/* An operand's value. A size is a number that stands in no blob. */
struct operand {
    struct weir_value value;
    bool computed;
    struct weir_decimal number;
};

static struct operand size_of(struct weir_value value)
{
    size_t size = 0;
    switch (value.type) {
    case WEIR_TYPE_S:
    case WEIR_TYPE_B:
        size = weir_value_str(value).n;
        break;
    case WEIR_TYPE_L:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        size = weir_value_count(value);
        break;
    case WEIR_TYPE_M:
        size = weir_item_count(weir_value_map(value));
        break;
    case WEIR_TYPE_ABSENT:
    case WEIR_TYPE_N:
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_NULL:
        return (struct operand){ .value = { WEIR_TYPE_ABSENT, { NULL, 0 } } };
    }
    return (struct operand){
        .value = { WEIR_TYPE_N, { NULL, 0 } },
        .computed = true,
        .number = weir_decimal_from_u64(size),
    };
}

static struct operand evaluate(const struct weir_ddb_node *node, struct weir_item item)
{
    if (node->kind == WEIR_DDB_LITERAL) {
        return (struct operand){ .value = node->literal };
    }
    if (node->kind == WEIR_DDB_PATH) {
        return (struct operand){ .value = weir_ddb_path_get(&node->path, item) };
    }
    weir_assert(node->kind == WEIR_DDB_SIZE);
    const struct weir_ddb_node *of = node->operands[0];
    if (of->kind == WEIR_DDB_SIZE) {
        return size_of((struct weir_value){ WEIR_TYPE_N, { NULL, 0 } });
    }
    return size_of(evaluate(of, item).value);
}

static struct weir_decimal number_of(const struct operand *operand)
{
    return operand->computed ? operand->number : weir_value_decimal(operand->value);
}

/* Nothing equals what is absent, not even what is absent too. */
static bool equal(const struct operand *a, const struct operand *b)
{
    if (a->value.type == WEIR_TYPE_ABSENT || a->value.type != b->value.type) {
        return false;
    }
    if (a->computed || b->computed) {
        return weir_decimal_cmp(number_of(a), number_of(b)) == 0;
    }
    return weir_value_eq(a->value, b->value);
}

/* False: the two have no order. */
static bool compare(const struct operand *a, const struct operand *b, int *ret_order)
{
    if (a->value.type == WEIR_TYPE_ABSENT || a->value.type != b->value.type) {
        return false;
    }
    if (a->computed || b->computed) {
        *ret_order = weir_decimal_cmp(number_of(a), number_of(b));
        return true;
    }
    return weir_value_cmp(a->value, b->value, ret_order);
}

static bool eval_order(const struct weir_ddb_node *node, struct weir_item item)
{
    struct operand a = evaluate(node->operands[0], item);
    struct operand b = evaluate(node->operands[1], item);
    int order = 0;
    if (!compare(&a, &b, &order)) {
        return false;
    }
    switch ((int)node->kind) {
    case WEIR_DDB_LT:
        return order < 0;
    case WEIR_DDB_LE:
        return order <= 0;
    case WEIR_DDB_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool eval_between(const struct weir_ddb_node *node, struct weir_item item)
{
    struct operand value = evaluate(node->operands[0], item);
    struct operand low = evaluate(node->operands[1], item);
    struct operand high = evaluate(node->operands[2], item);
    int order = 0;
    return compare(&value, &low, &order) && order >= 0 && compare(&value, &high, &order) &&
           order <= 0;
}

static bool eval_equal(const struct weir_ddb_node *node, struct weir_item item)
{
    struct operand a = evaluate(node->operands[0], item);
    struct operand b = evaluate(node->operands[1], item);
    return equal(&a, &b);
}

static bool eval_in(const struct weir_ddb_node *node, struct weir_item item)
{
    struct operand value = evaluate(node->operands[0], item);
    for (uint32_t i = 1; i < node->count; i++) {
        struct operand other = evaluate(node->operands[i], item);
        if (equal(&value, &other)) {
            return true;
        }
    }
    return false;
}

static bool eval_begins_with(const struct weir_ddb_node *node, struct weir_item item)
{
    struct weir_value value = evaluate(node->operands[0], item).value;
    struct weir_value prefix = evaluate(node->operands[1], item).value;
    return value.type == prefix.type && (value.type == WEIR_TYPE_S || value.type == WEIR_TYPE_B) &&
           weir_str_starts(weir_value_str(value), weir_value_str(prefix));
}

static bool has_part(struct weir_str text, struct weir_str part)
{
    return part.n == 0 || memmem(text.p, text.n, part.p, part.n) != NULL;
}

bool weir_ddb_set_has(struct weir_value set, struct weir_value element)
{
    size_t low = 0;
    size_t high = weir_value_count(set);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = 0;
        if (!weir_value_cmp(element, weir_value_at(set, middle), &order)) {
            return false;
        }
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return false;
}

static bool list_has(struct weir_value list, const struct operand *part)
{
    size_t count = weir_value_count(list);
    for (size_t i = 0; i < count; i++) {
        struct operand element = { .value = weir_value_at(list, i) };
        if (equal(&element, part)) {
            return true;
        }
    }
    return false;
}

/* A part of a string or of bytes, an element of a set or a list. */
static bool eval_contains(const struct weir_ddb_node *node, struct weir_item item)
{
    struct weir_value whole = evaluate(node->operands[0], item).value;
    struct operand part = evaluate(node->operands[1], item);
    switch (whole.type) {
    case WEIR_TYPE_S:
    case WEIR_TYPE_B:
        return part.value.type == whole.type &&
               has_part(weir_value_str(whole), weir_value_str(part.value));
    case WEIR_TYPE_SS:
    case WEIR_TYPE_BS:
        return weir_ddb_set_has(whole, part.value);
    case WEIR_TYPE_NS: /* a size is not in a blob, so it is looked for as in a list */
        return part.computed ? list_has(whole, &part) : weir_ddb_set_has(whole, part.value);
    case WEIR_TYPE_L:
        return list_has(whole, &part);
    case WEIR_TYPE_ABSENT:
    case WEIR_TYPE_N:
    case WEIR_TYPE_BOOL:
    case WEIR_TYPE_NULL:
    case WEIR_TYPE_M:
        break;
    }
    return false;
}

static bool eval(const struct weir_ddb_node *node, struct weir_item item);

static bool eval_logic(const struct weir_ddb_node *node, struct weir_item item)
{
    if (node->kind == WEIR_DDB_NOT) {
        return !eval(node->operands[0], item);
    }
    bool decides = node->kind == WEIR_DDB_OR;
    for (uint32_t i = 0; i < node->count; i++) {
        if (eval(node->operands[i], item) == decides) {
            return decides;
        }
    }
    return !decides;
}

static bool eval(const struct weir_ddb_node *node, struct weir_item item)
{
    switch ((int)node->kind) {
    case WEIR_DDB_EQ:
        return eval_equal(node, item);
    case WEIR_DDB_NE:
        return !eval_equal(node, item);
    case WEIR_DDB_BETWEEN:
        return eval_between(node, item);
    case WEIR_DDB_IN:
        return eval_in(node, item);
    case WEIR_DDB_AND:
    case WEIR_DDB_OR:
    case WEIR_DDB_NOT:
        return eval_logic(node, item);
    case WEIR_DDB_EXISTS:
        return evaluate(node->operands[0], item).value.type != WEIR_TYPE_ABSENT;
    case WEIR_DDB_NOT_EXISTS:
        return evaluate(node->operands[0], item).value.type == WEIR_TYPE_ABSENT;
    case WEIR_DDB_IS_TYPE:
        return evaluate(node->operands[0], item).value.type ==
               weir_type_parse(weir_value_str(node->operands[1]->literal));
    case WEIR_DDB_BEGINS_WITH:
        return eval_begins_with(node, item);
    case WEIR_DDB_CONTAINS:
        return eval_contains(node, item);
    default:
        return eval_order(node, item);
    }
}

bool weir_ddb_condition_eval(const struct weir_ddb_condition *condition, struct weir_item item)
{
    return eval(condition->root, item);
}
