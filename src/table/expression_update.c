/* Update expressions. */
#include "table/expression_int.h"

enum action_kind { SET, REMOVE, ADD, DELETE };

struct weir_ddb_action {
    enum action_kind kind;
    size_t i;                          /* its place in the update */
    const struct weir_ddb_path *path;  /* what it changes */
    const struct weir_ddb_node *value; /* of SET */
    struct weir_value operand;         /* of ADD and DELETE */
};

struct weir_ddb_update {
    struct weir_ddb_tree root; /* what is changed, an action at each leaf */
    struct weir_ddb_path *paths;
    struct weir_ddb_action *actions;
    size_t count;
    bool makes_items; /* it sets or adds something */
};

/* --- grammar ------------------------------------------------------------- */

static const char *const section_names[] = { "SET", "REMOVE", "ADD", "DELETE" };

static void check_operand(struct weir_ddb_parser *parser, const struct weir_ddb_action *action)
{
    const char *type = NULL;
    switch (action->operand.type) {
    case WEIR_TYPE_N:
        type = action->kind == DELETE ? "NUMBER" : NULL;
        break;
    case WEIR_TYPE_S:
        type = "STRING";
        break;
    case WEIR_TYPE_B:
        type = "BINARY";
        break;
    case WEIR_TYPE_BOOL:
        type = "BOOLEAN";
        break;
    case WEIR_TYPE_NULL:
        type = "NULL";
        break;
    case WEIR_TYPE_L:
        type = "LIST";
        break;
    case WEIR_TYPE_M:
        type = "MAP";
        break;
    case WEIR_TYPE_ABSENT:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        break;
    }
    if (type != NULL) {
        const char *name = section_names[action->kind];
        weir_ddb_record(parser, WEIR_DDB_FAULT_ACTION_OPERAND,
                "Incorrect operand type for operator or function; operator: %s, "
                "operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND",
                name, type, name);
    }
}

/* One action of a section. False: syntax error. */
static bool parse_action(
        struct weir_ddb_parser *parser, struct weir_ddb_update *update, enum action_kind kind)
{
    struct weir_ddb_path *path = &update->paths[update->count];
    struct weir_ddb_action *action = &update->actions[update->count];
    *action = (struct weir_ddb_action){ .kind = kind, .i = update->count, .path = path };
    if (!weir_ddb_parse_path(parser, (struct weir_ddb_path){ 0 }, path)) {
        return false;
    }
    if (kind == SET) {
        if (!weir_ddb_expect(parser, WEIR_DDB_T_EQ)) {
            return false;
        }
        action->value = weir_ddb_parse_sum(parser);
        if (action->value == NULL) {
            return false;
        }
    } else if (kind != REMOVE) {
        struct weir_str key = parser->token.text;
        if (!weir_ddb_expect(parser, WEIR_DDB_T_VALUE)) {
            return false;
        }
        action->operand = weir_ddb_resolve_value(parser, key);
        check_operand(parser, action);
    }
    struct weir_ddb_tree *leaf =
            weir_ddb_tree_add(parser, &update->root, update->paths, update->count, path);
    if (leaf != NULL) {
        leaf->action = action;
    }
    update->count++;
    update->makes_items = update->makes_items || kind == SET || kind == ADD;
    return true;
}

static void parse_sections(struct weir_ddb_parser *parser, struct weir_ddb_update *update)
{
    bool seen[4] = { false };
    do {
        enum weir_ddb_token_kind token = parser->token.kind;
        if (token < WEIR_DDB_T_SET || token > WEIR_DDB_T_DELETE) {
            weir_ddb_syntax_error(parser);
            return;
        }
        enum action_kind kind = (enum action_kind)(token - WEIR_DDB_T_SET);
        if (seen[kind]) {
            weir_ddb_record(parser, WEIR_DDB_FAULT_SECTION,
                    "The \"%s\" section can only be used once in an update expression;",
                    section_names[kind]);
        }
        seen[kind] = true;
        weir_ddb_advance(parser);
        do {
            if (!parse_action(parser, update, kind)) {
                return;
            }
        } while (weir_ddb_accept(parser, WEIR_DDB_T_COMMA));
    } while (parser->token.kind != WEIR_DDB_T_END);
}

enum weir_rc weir_ddb_compile_update(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, const struct weir_ddb_update **ret_update,
        struct weir_err *err)
{
    struct weir_ddb_parser parser;
    enum weir_rc rc = weir_ddb_parser_init(&parser, arena, WEIR_DDB_UPDATE, text, context, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_update *update = WEIR_ARENA_NEW(arena, struct weir_ddb_update);
    size_t commas = 0;
    for (size_t i = 0; i < text.n; i++) {
        commas += text.p[i] == ',';
    }
    /* Actions are separated by commas, sections by their words, and a fifth section ends in a
     * fault. */
    size_t capacity = commas + text.n / 4 + 1;
    update->paths = weir_arena_alloc(arena, capacity * sizeof(*update->paths));
    update->actions = weir_arena_alloc(arena, capacity * sizeof(*update->actions));
    parse_sections(&parser, update);
    rc = weir_ddb_parser_finish(&parser);
    if (rc == WEIR_OK) {
        *ret_update = update;
    }
    return rc;
}

static bool in_key(
        const struct weir_ddb_key_attribute *attributes, size_t count, struct weir_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(attributes[i].name, name)) {
            return true;
        }
    }
    return false;
}

enum weir_rc weir_ddb_update_check_key(const struct weir_ddb_update *update,
        const struct weir_ddb_key_schema *schema, struct weir_err *err)
{
    for (size_t i = 0; i < update->count; i++) {
        struct weir_str name = update->paths[i].steps[0].name;
        if (in_key(schema->partition, schema->partition_count, name) ||
                in_key(schema->sort, schema->sort_count, name)) {
            return weir_fail(err, WEIR_E_INVALID,
                    "One or more parameter values were invalid: Cannot update attribute %.*s. "
                    "This attribute is part of the key",
                    WEIR_STR_ARG(name));
        }
    }
    return WEIR_OK;
}

/* --- right-hand sides ---------------------------------------------------- */

struct application {
    struct weir_item before;
    struct weir_arena *arena;
    struct weir_value *results; /* by action; ABSENT: the target goes */
    struct weir_item_builder *builder;
    struct weir_err *err;
};

static const struct weir_value absent = { WEIR_TYPE_ABSENT, { NULL, 0 } };

static enum weir_rc fail_type(struct application *run)
{
    return weir_fail(run->err, WEIR_E_INVALID,
            "An operand in the update expression has an incorrect data type");
}

static enum weir_rc number_value(
        struct application *run, struct weir_decimal number, struct weir_value *ret_value)
{
    struct weir_item_builder *builder = weir_item_begin(run->arena);
    weir_item_n(builder, number);
    return weir_item_finish_value(builder, ret_value, run->err);
}

static enum weir_rc value_of(
        struct application *run, const struct weir_ddb_node *node, struct weir_value *ret_value);

static enum weir_rc sum_of(
        struct application *run, const struct weir_ddb_node *node, struct weir_value *ret_value)
{
    struct weir_value a = absent;
    struct weir_value b = absent;
    enum weir_rc rc = value_of(run, node->operands[0], &a);
    if (rc == WEIR_OK) {
        rc = value_of(run, node->operands[1], &b);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (a.type != WEIR_TYPE_N || b.type != WEIR_TYPE_N) {
        return fail_type(run);
    }
    struct weir_decimal result;
    struct weir_decimal x = weir_value_decimal(a);
    struct weir_decimal y = weir_value_decimal(b);
    rc = node->kind == WEIR_DDB_PLUS ? weir_decimal_add(x, y, &result, run->err)
                                     : weir_decimal_sub(x, y, &result, run->err);
    return rc != WEIR_OK ? rc : number_value(run, result, ret_value);
}

static enum weir_rc appended(
        struct application *run, const struct weir_ddb_node *node, struct weir_value *ret_value)
{
    struct weir_value parts[2] = { absent, absent };
    for (size_t i = 0; i < 2; i++) {
        enum weir_rc rc = value_of(run, node->operands[i], &parts[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (parts[0].type != WEIR_TYPE_L || parts[1].type != WEIR_TYPE_L) {
        return fail_type(run);
    }
    struct weir_item_builder *builder = weir_item_begin(run->arena);
    weir_item_open(builder, WEIR_TYPE_L);
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < weir_value_count(parts[i]); k++) {
            weir_item_value(builder, weir_value_at(parts[i], k));
        }
    }
    weir_item_close(builder);
    return weir_item_finish_value(builder, ret_value, run->err);
}

static enum weir_rc value_of(
        struct application *run, const struct weir_ddb_node *node, struct weir_value *ret_value)
{
    struct weir_value value = absent;
    switch ((int)node->kind) {
    case WEIR_DDB_PLUS:
    case WEIR_DDB_MINUS:
        return sum_of(run, node, ret_value);
    case WEIR_DDB_LIST_APPEND:
        return appended(run, node, ret_value);
    case WEIR_DDB_IF_NOT_EXISTS:
        value = weir_ddb_path_get(&node->operands[0]->path, run->before);
        if (value.type == WEIR_TYPE_ABSENT) {
            return value_of(run, node->operands[1], ret_value);
        }
        break;
    case WEIR_DDB_LITERAL:
        value = node->literal;
        break;
    default:
        value = weir_ddb_path_get(&node->path, run->before);
        break;
    }
    if (value.type == WEIR_TYPE_ABSENT) {
        return weir_fail(run->err, WEIR_E_INVALID,
                "The provided expression refers to an attribute that does not exist in the item");
    }
    *ret_value = value;
    return WEIR_OK;
}

static void add_element(struct weir_item_builder *builder, struct weir_value element)
{
    if (element.type == WEIR_TYPE_N) {
        weir_item_n(builder, weir_value_decimal(element));
    } else if (element.type == WEIR_TYPE_S) {
        weir_item_s(builder, weir_value_str(element));
    } else {
        weir_item_b(builder, weir_value_str(element));
    }
}

/* Add a set's elements that another one has not; gives their number. */
static size_t add_others(
        struct weir_item_builder *builder, struct weir_value set, struct weir_value others)
{
    size_t added = 0;
    for (size_t i = 0; i < weir_value_count(set); i++) {
        struct weir_value element = weir_value_at(set, i);
        if (!weir_ddb_set_has(others, element)) {
            add_element(builder, element);
            added++;
        }
    }
    return added;
}

static enum weir_rc add_to(struct application *run, struct weir_value old,
        struct weir_value operand, struct weir_value *ret_value)
{
    if (old.type == WEIR_TYPE_ABSENT) {
        *ret_value = operand;
        return WEIR_OK;
    }
    if (old.type != operand.type) {
        return fail_type(run);
    }
    if (old.type == WEIR_TYPE_N) {
        struct weir_decimal sum;
        enum weir_rc rc = weir_decimal_add(
                weir_value_decimal(old), weir_value_decimal(operand), &sum, run->err);
        return rc != WEIR_OK ? rc : number_value(run, sum, ret_value);
    }
    struct weir_item_builder *builder = weir_item_begin(run->arena);
    weir_item_open(builder, old.type);
    add_others(builder, old, absent);
    add_others(builder, operand, old);
    weir_item_close(builder);
    return weir_item_finish_value(builder, ret_value, run->err);
}

static enum weir_rc delete_from(struct application *run, struct weir_value old,
        struct weir_value operand, struct weir_value *ret_value)
{
    *ret_value = absent;
    if (old.type == WEIR_TYPE_ABSENT) {
        return WEIR_OK;
    }
    if (old.type != operand.type) {
        return fail_type(run);
    }
    struct weir_item_builder *builder = weir_item_begin(run->arena);
    weir_item_open(builder, old.type);
    if (add_others(builder, old, operand) == 0) {
        return WEIR_OK; /* there are no empty sets: the attribute goes */
    }
    weir_item_close(builder);
    return weir_item_finish_value(builder, ret_value, run->err);
}

static enum weir_rc result_of(
        struct application *run, const struct weir_ddb_action *action, struct weir_value *ret_value)
{
    switch (action->kind) {
    case SET:
        return value_of(run, action->value, ret_value);
    case ADD:
        return add_to(
                run, weir_ddb_path_get(action->path, run->before), action->operand, ret_value);
    case DELETE:
        return delete_from(
                run, weir_ddb_path_get(action->path, run->before), action->operand, ret_value);
    case REMOVE:
        break;
    }
    *ret_value = absent;
    return WEIR_OK;
}

/* --- the item after ------------------------------------------------------ */

static bool only_removes(const struct weir_ddb_tree *node)
{
    if (node->leaf) {
        return node->action->kind == REMOVE;
    }
    for (const struct weir_ddb_tree *child = node->children; child != NULL; child = child->next) {
        if (!only_removes(child)) {
            return false;
        }
    }
    return true;
}

static enum weir_rc merge_map(
        struct application *run, const struct weir_ddb_tree *node, struct weir_item item);
static enum weir_rc merge_list(
        struct application *run, const struct weir_ddb_tree *node, struct weir_value list);

/* Write what a child of the tree makes of the value that stands there now (or ABSENT). */
static enum weir_rc put_child(
        struct application *run, const struct weir_ddb_tree *child, struct weir_value old)
{
    if (child->leaf) {
        struct weir_value result = run->results[child->action->i];
        if (result.type != WEIR_TYPE_ABSENT) {
            if (child->step.name.p != NULL) {
                weir_item_name(run->builder, child->step.name);
            }
            weir_item_value(run->builder, result);
        }
        return WEIR_OK;
    }
    bool named = child->children->step.name.p != NULL;
    if (old.type != (named ? WEIR_TYPE_M : WEIR_TYPE_L)) {
        if (run->before.n == 0 && only_removes(child)) {
            return WEIR_OK;
        }
        return weir_fail(run->err, WEIR_E_INVALID,
                "The document path provided in the update expression is invalid for update");
    }
    if (child->step.name.p != NULL) {
        weir_item_name(run->builder, child->step.name);
    }
    weir_item_open(run->builder, old.type);
    enum weir_rc rc =
            named ? merge_map(run, child, weir_value_map(old)) : merge_list(run, child, old);
    weir_item_close(run->builder);
    return rc;
}

static enum weir_rc merge_map(
        struct application *run, const struct weir_ddb_tree *node, struct weir_item item)
{
    const struct weir_ddb_tree *child = node->children;
    size_t count = weir_item_count(item);
    size_t i = 0;
    enum weir_rc rc = WEIR_OK;
    while ((i < count || child != NULL) && rc == WEIR_OK) {
        struct weir_str name = WEIR_STR("");
        struct weir_value old = i < count ? weir_item_at(item, i, &name) : absent;
        int order = i == count ? 1 : child == NULL ? -1 : weir_str_cmp(name, child->step.name);
        if (order < 0) {
            weir_item_name(run->builder, name);
            weir_item_value(run->builder, old);
        } else {
            rc = put_child(run, child, order == 0 ? old : absent);
            child = child->next;
        }
        i += order <= 0;
    }
    return rc;
}

/* Indexes are those of the list before; what is set behind its end is appended, in order of index.
 */
static enum weir_rc merge_list(
        struct application *run, const struct weir_ddb_tree *node, struct weir_value list)
{
    const struct weir_ddb_tree *child = node->children;
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; i < weir_value_count(list) && rc == WEIR_OK; i++) {
        struct weir_value old = weir_value_at(list, i);
        if (child != NULL && child->step.index == i) {
            rc = put_child(run, child, old);
            child = child->next;
        } else {
            weir_item_value(run->builder, old);
        }
    }
    while (child != NULL && rc == WEIR_OK) {
        rc = put_child(run, child, absent);
        child = child->next;
    }
    return rc;
}

enum weir_rc weir_ddb_update_apply(const struct weir_ddb_update *update, struct weir_item before,
        struct weir_item key, struct weir_arena *arena, struct weir_item *ret_after,
        struct weir_err *err)
{
    struct application run = {
        .before = before,
        .arena = arena,
        .results = weir_arena_alloc(arena, update->count * sizeof(struct weir_value)),
        .err = err,
    };
    if (before.n == 0 && !update->makes_items) {
        *ret_after = (struct weir_item){ NULL, 0 };
        return WEIR_OK;
    }
    for (size_t i = 0; i < update->count; i++) {
        enum weir_rc rc = result_of(&run, &update->actions[i], &run.results[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    run.builder = weir_item_begin(arena);
    enum weir_rc rc = merge_map(&run, &update->root, before.n > 0 ? before : key);
    return rc != WEIR_OK ? rc : weir_item_finish(run.builder, ret_after, err);
}

enum weir_rc weir_ddb_update_touched(const struct weir_ddb_update *update, struct weir_item item,
        struct weir_arena *arena, struct weir_item *ret_part, struct weir_err *err)
{
    bool any = false;
    struct weir_item part = { NULL, 0 };
    enum weir_rc rc = weir_ddb_tree_project(&update->root, item, arena, &part, &any, err);
    if (rc == WEIR_OK) {
        *ret_part = any ? part : (struct weir_item){ NULL, 0 };
    }
    return rc;
}
