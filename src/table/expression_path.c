/* Trees of document paths, and projections. */
#include "table/expression_int.h"

static struct weir_str step_text(struct weir_arena *arena, const struct weir_ddb_step *step)
{
    return step->name.p != NULL ? step->name : weir_arena_printf(arena, "[%zu]", step->index);
}

struct weir_str weir_ddb_path_text(struct weir_arena *arena, const struct weir_ddb_path *path)
{
    struct weir_str text = WEIR_STR("");
    for (size_t i = 0; i < path->count; i++) {
        struct weir_str step = step_text(arena, &path->steps[i]);
        text = weir_arena_printf(
                arena, "%.*s%s%.*s", WEIR_STR_ARG(text), i > 0 ? ", " : "[", WEIR_STR_ARG(step));
    }
    return weir_arena_printf(arena, "%.*s]", WEIR_STR_ARG(text));
}

static bool same_step(const struct weir_ddb_step *a, const struct weir_ddb_step *b)
{
    if (a->name.p == NULL || b->name.p == NULL) {
        return a->name.p == b->name.p && a->index == b->index;
    }
    return weir_str_eq(a->name, b->name);
}

bool weir_ddb_path_eq(const struct weir_ddb_path *a, const struct weir_ddb_path *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (!same_step(&a->steps[i], &b->steps[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

/* --- trees --------------------------------------------------------------- */

enum relation { APART, OVERLAP, CONFLICT };

/* What two paths are to each other: one holds the other, or they want a value to be both map and
 * list. */
static enum relation relate(const struct weir_ddb_path *a, const struct weir_ddb_path *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        const struct weir_ddb_step *x = &a->steps[i];
        const struct weir_ddb_step *y = &b->steps[i];
        if ((x->name.p == NULL) != (y->name.p == NULL)) {
            return CONFLICT;
        }
        if (!same_step(x, y)) {
            return APART;
        }
    }
    return OVERLAP;
}

static void record_relation(struct weir_ddb_parser *parser, const struct weir_ddb_path *before,
        size_t count, const struct weir_ddb_path *path)
{
    for (size_t i = 0; i < count; i++) {
        enum relation relation = relate(&before[i], path);
        if (relation != APART) {
            struct weir_str one = weir_ddb_path_text(parser->arena, &before[i]);
            struct weir_str two = weir_ddb_path_text(parser->arena, path);
            weir_ddb_record(parser,
                    relation == OVERLAP ? WEIR_DDB_FAULT_OVERLAP : WEIR_DDB_FAULT_CONFLICT,
                    "Two document paths %s with each other; must remove or rewrite one of these "
                    "paths; path one: %.*s, path two: %.*s",
                    relation == OVERLAP ? "overlap" : "conflict", WEIR_STR_ARG(one),
                    WEIR_STR_ARG(two));
        }
    }
}

static int step_cmp(const struct weir_ddb_step *a, const struct weir_ddb_step *b)
{
    if (a->name.p != NULL) {
        return weir_str_cmp(a->name, b->name);
    }
    return (a->index > b->index) - (a->index < b->index);
}

/* The child for a step, made in its place where there is none. */
static struct weir_ddb_tree *child_for(
        struct weir_arena *arena, struct weir_ddb_tree *parent, const struct weir_ddb_step *step)
{
    struct weir_ddb_tree **at = &parent->children;
    while (*at != NULL) {
        int order = step_cmp(&(*at)->step, step);
        if (order == 0) {
            return *at;
        }
        if (order > 0) {
            break;
        }
        at = &(*at)->next;
    }
    struct weir_ddb_tree *child = WEIR_ARENA_NEW(arena, struct weir_ddb_tree);
    child->step = *step;
    child->next = *at;
    *at = child;
    return child;
}

struct weir_ddb_tree *weir_ddb_tree_add(struct weir_ddb_parser *parser, struct weir_ddb_tree *root,
        const struct weir_ddb_path *before, size_t count, const struct weir_ddb_path *path)
{
    struct weir_ddb_tree *node = root;
    for (size_t i = 0; i < path->count; i++) {
        const struct weir_ddb_step *step = &path->steps[i];
        bool mixes = node->children != NULL &&
                     (node->children->step.name.p == NULL) != (step->name.p == NULL);
        if (node->leaf || mixes) {
            record_relation(parser, before, count, path);
            return NULL;
        }
        node = child_for(parser->arena, node, step);
    }
    if (node->leaf || node->children != NULL) {
        record_relation(parser, before, count, path);
        return NULL;
    }
    node->leaf = true;
    return node;
}

/* --- picking ------------------------------------------------------------- */

static struct weir_value child_value(const struct weir_ddb_tree *child, struct weir_value value)
{
    const struct weir_ddb_step *step = &child->step;
    if (step->name.p != NULL && value.type == WEIR_TYPE_M) {
        return weir_item_get(weir_value_map(value), step->name);
    }
    if (step->name.p == NULL && value.type == WEIR_TYPE_L &&
            step->index < weir_value_count(value)) {
        return weir_value_at(value, step->index);
    }
    return (struct weir_value){ WEIR_TYPE_ABSENT, { NULL, 0 } };
}

/* Whether a value has something that the tree below a node names. */
static bool has_any(const struct weir_ddb_tree *node, struct weir_value value)
{
    if (value.type == WEIR_TYPE_ABSENT || node->leaf) {
        return value.type != WEIR_TYPE_ABSENT;
    }
    for (const struct weir_ddb_tree *child = node->children; child != NULL; child = child->next) {
        if (has_any(child, child_value(child, value))) {
            return true;
        }
    }
    return false;
}

static void pick(struct weir_item_builder *builder, const struct weir_ddb_tree *node,
        struct weir_value value)
{
    if (node->leaf) {
        weir_item_value(builder, value);
        return;
    }
    weir_item_open(builder, value.type);
    for (const struct weir_ddb_tree *child = node->children; child != NULL; child = child->next) {
        struct weir_value part = child_value(child, value);
        if (has_any(child, part)) {
            if (value.type == WEIR_TYPE_M) {
                weir_item_name(builder, child->step.name);
            }
            pick(builder, child, part);
        }
    }
    weir_item_close(builder);
}

enum weir_rc weir_ddb_tree_project(const struct weir_ddb_tree *root, struct weir_item item,
        struct weir_arena *arena, struct weir_item *ret_part, bool *ret_any, struct weir_err *err)
{
    bool any = false;
    struct weir_item_builder *builder = weir_item_begin(arena);
    for (const struct weir_ddb_tree *child = root->children; child != NULL && item.n > 0;
            child = child->next) {
        struct weir_value value = weir_item_get(item, child->step.name);
        if (has_any(child, value)) {
            any = true;
            weir_item_name(builder, child->step.name);
            pick(builder, child, value);
        }
    }
    enum weir_rc rc = weir_item_finish(builder, ret_part, err);
    if (rc == WEIR_OK) {
        *ret_any = any;
    }
    return rc;
}

/* --- projections --------------------------------------------------------- */

struct weir_ddb_projection {
    struct weir_ddb_tree root;
    size_t count; /* of the root's children */
};

static size_t count_children(const struct weir_ddb_tree *node)
{
    size_t count = 0;
    for (const struct weir_ddb_tree *child = node->children; child != NULL; child = child->next) {
        count++;
    }
    return count;
}

enum weir_rc weir_ddb_compile_projection(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, const struct weir_ddb_projection **ret_projection,
        struct weir_err *err)
{
    struct weir_ddb_parser parser;
    enum weir_rc rc = weir_ddb_parser_init(&parser, arena, WEIR_DDB_PROJECTION, text, context, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_projection *projection = WEIR_ARENA_NEW(arena, struct weir_ddb_projection);
    size_t capacity = text.n / 2 + 1; /* a path and its comma take two bytes at least */
    struct weir_ddb_path *paths = weir_arena_alloc(arena, capacity * sizeof(*paths));
    size_t count = 0;
    do {
        if (!weir_ddb_parse_path(&parser, (struct weir_ddb_path){ 0 }, &paths[count])) {
            return weir_ddb_parser_finish(&parser);
        }
        weir_ddb_tree_add(&parser, &projection->root, paths, count, &paths[count]);
        count++;
    } while (weir_ddb_accept(&parser, WEIR_DDB_T_COMMA));
    rc = weir_ddb_parser_finish(&parser);
    if (rc == WEIR_OK) {
        projection->count = count_children(&projection->root);
        *ret_projection = projection;
    }
    return rc;
}

const struct weir_ddb_projection *weir_ddb_projection_of(
        struct weir_arena *arena, const struct weir_str *names, size_t count)
{
    struct weir_ddb_projection *projection = WEIR_ARENA_NEW(arena, struct weir_ddb_projection);
    for (size_t i = 0; i < count; i++) {
        struct weir_ddb_step step = { .name = names[i] };
        child_for(arena, &projection->root, &step)->leaf = true;
    }
    projection->count = count_children(&projection->root);
    return projection;
}

enum weir_rc weir_ddb_projection_apply(const struct weir_ddb_projection *projection,
        struct weir_item item, struct weir_arena *arena, struct weir_item *ret_part,
        struct weir_err *err)
{
    bool any = false;
    return weir_ddb_tree_project(&projection->root, item, arena, ret_part, &any, err);
}

size_t weir_ddb_projection_count(const struct weir_ddb_projection *projection)
{
    return projection->count;
}

struct weir_str weir_ddb_projection_attribute(
        const struct weir_ddb_projection *projection, size_t i)
{
    const struct weir_ddb_tree *child = projection->root.children;
    while (i-- > 0) {
        child = child->next;
    }
    return child->step.name;
}
