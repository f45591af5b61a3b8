/*
 * What freeze builds: the tree of names for events as JSON, and the index that
 * says which rules are worth trying.
 *
 * For each rule one field is chosen whose alternatives are all exact strings or
 * prefixes, the one whose keys the fewest rules share. The rule is listed under
 * those keys; matching looks up the values that are there and tries what it finds.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "pattern/pattern_int.h"

enum { FEW_CHILDREN = 6 };

/* --- the tree of names -------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
    const struct weir_pattern_path *x = *(const struct weir_pattern_path *const *)a;
    const struct weir_pattern_path *y = *(const struct weir_pattern_path *const *)b;
    for (uint32_t i = 0; i < x->count && i < y->count; i++) {
        int order = weir_str_cmp(x->segments[i], y->segments[i]);
        if (order != 0) {
            return order;
        }
    }
    return (x->count > y->count) - (x->count < y->count);
}

/* A node while the tree grows: children are linked, newest first. */
struct draft {
    struct weir_str name;
    uint32_t next;  /* sibling; NONE: none */
    uint32_t first; /* child; NONE: none */
    uint32_t count;
    uint32_t path;
};

/* Paths come sorted, so a segment is the newest child's or new. */
static uint32_t step(struct draft *drafts, size_t *count, uint32_t from, struct weir_str name)
{
    uint32_t newest = drafts[from].first;
    if (newest != WEIR_PATTERN_NONE && weir_str_eq(drafts[newest].name, name)) {
        return newest;
    }
    uint32_t made = (uint32_t)(*count)++;
    drafts[made] = (struct draft){ name, newest, WEIR_PATTERN_NONE, 0, WEIR_PATTERN_NONE };
    drafts[from].first = made;
    drafts[from].count++;
    return made;
}

static void hash_children(struct weir_pattern_set *set, struct weir_pattern_node *node)
{
    uint32_t size = 16;
    while (size < node->count * 2) {
        size *= 2;
    }
    node->mask = size - 1;
    node->table = weir_arena_alloc(&set->arena, size * sizeof(*node->table));
    memset(node->table, 0xff, size * sizeof(*node->table));
    for (uint32_t i = 0; i < node->count; i++) {
        struct weir_str name = node->children[i].name;
        uint32_t at = (uint32_t)weir_hash64(0, name.p, name.n) & node->mask;
        while (node->table[at] != WEIR_PATTERN_NONE) {
            at = (at + 1) & node->mask;
        }
        node->table[at] = i;
    }
}

static void finish_node(struct weir_pattern_set *set, const struct draft *drafts,
        struct weir_pattern_node *node, const struct draft *draft)
{
    *node = (struct weir_pattern_node){ .path = draft->path, .count = draft->count };
    if (draft->count == 0) {
        return;
    }
    node->children = weir_arena_alloc(&set->arena, draft->count * sizeof(*node->children));
    uint32_t at = 0;
    for (uint32_t i = draft->first; i != WEIR_PATTERN_NONE; i = drafts[i].next) {
        node->children[at++] = (struct weir_pattern_child){ drafts[i].name, i };
    }
    if (draft->count > FEW_CHILDREN) {
        hash_children(set, node);
    }
}

void weir_pattern_build_tree(struct weir_pattern_set *set)
{
    const struct weir_pattern_path **sorted =
            weir_alloc(set->path_count * sizeof(struct weir_pattern_path *));
    size_t count = 0;
    size_t segments = 0;
    for (size_t i = 0; i < set->path_count; i++) {
        if (set->paths[i].mode == WEIR_PATTERN_AWS) {
            sorted[count++] = &set->paths[i];
            segments += set->paths[i].count;
        }
    }
    if (count > 1) {
        qsort(sorted, count, sizeof(struct weir_pattern_path *), compare_paths);
    }
    struct draft *drafts = weir_alloc((segments + 1) * sizeof(*drafts));
    drafts[0] =
            (struct draft){ { "", 0 }, WEIR_PATTERN_NONE, WEIR_PATTERN_NONE, 0, WEIR_PATTERN_NONE };
    size_t draft_count = 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t node = 0;
        for (uint32_t at = 0; at < sorted[i]->count; at++) {
            node = step(drafts, &draft_count, node, sorted[i]->segments[at]);
        }
        drafts[node].path = (uint32_t)(sorted[i] - set->paths);
    }
    set->nodes = weir_alloc(draft_count * sizeof(*set->nodes));
    for (size_t i = 0; i < draft_count; i++) {
        finish_node(set, drafts, &set->nodes[i], &drafts[i]);
    }
    weir_free(drafts);
    weir_free(sorted);
}

uint32_t weir_pattern_find_child(const struct weir_pattern_node *node, struct weir_str name)
{
    if (node->table == NULL) {
        for (uint32_t i = 0; i < node->count; i++) {
            if (weir_str_eq(node->children[i].name, name)) {
                return node->children[i].node;
            }
        }
        return WEIR_PATTERN_NONE;
    }
    uint32_t at = (uint32_t)weir_hash64(0, name.p, name.n) & node->mask;
    for (; node->table[at] != WEIR_PATTERN_NONE; at = (at + 1) & node->mask) {
        const struct weir_pattern_child *child = &node->children[node->table[at]];
        if (weir_str_eq(child->name, name)) {
            return child->node;
        }
    }
    return WEIR_PATTERN_NONE;
}

/* --- the index ---------------------------------------------------------- */

uint64_t weir_pattern_key_hash(uint32_t path, struct weir_str text)
{
    return weir_hash64(path, text.n > 0 ? text.p : "", text.n);
}

/* Whether exact strings and prefixes are all that a field accepts. */
static bool can_index(const struct weir_pattern_field *field)
{
    if (field->exists || field->absent || field->whole_count > 0) {
        return false;
    }
    for (size_t i = 0; i < field->choice.matcher_count; i++) {
        if (field->choice.matchers[i].op != WEIR_PATTERN_OP_PREFIX) {
            return false;
        }
    }
    return true;
}

static size_t key_count_of(const struct weir_pattern_field *field)
{
    return field->choice.string_count + field->choice.matcher_count;
}

/* The i-th key of a field that can be indexed, without its hash. */
static struct weir_pattern_key key_of(const struct weir_pattern_field *field, size_t i)
{
    bool prefix = i >= field->choice.string_count;
    struct weir_str text = prefix ? field->choice.matchers[i - field->choice.string_count].text
                                  : field->choice.strings[i];
    return (struct weir_pattern_key){
        .text = text, .path = field->path, .prefix = prefix, .up = WEIR_PATTERN_NONE
    };
}

/* Prefixes first, then by path and text. */
static int compare_keys(const void *a, const void *b)
{
    const struct weir_pattern_key *x = a;
    const struct weir_pattern_key *y = b;
    if (x->prefix != y->prefix) {
        return x->prefix ? -1 : 1;
    }
    if (x->path != y->path) {
        return x->path < y->path ? -1 : 1;
    }
    return weir_str_cmp(x->text, y->text);
}

/* Collect the keys of all fields that can be indexed, each once, with how often it occurs. */
static void collect_keys(struct weir_pattern_set *set)
{
    size_t total = 0;
    for (size_t r = 0; r < set->rule_count; r++) {
        for (uint32_t f = 0; f < set->rules[r].count; f++) {
            const struct weir_pattern_field *field = set->rules[r].fields[f];
            total += can_index(field) ? key_count_of(field) : 0;
        }
    }
    set->keys = weir_alloc(total * sizeof(*set->keys));
    size_t count = 0;
    for (size_t r = 0; r < set->rule_count; r++) {
        for (uint32_t f = 0; f < set->rules[r].count; f++) {
            const struct weir_pattern_field *field = set->rules[r].fields[f];
            size_t keys = can_index(field) ? key_count_of(field) : 0;
            for (size_t k = 0; k < keys; k++) {
                set->keys[count++] = key_of(field, k);
            }
        }
    }
    if (count > 1) {
        qsort(set->keys, count, sizeof(*set->keys), compare_keys);
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_keys(&set->keys[kept - 1], &set->keys[i]) != 0) {
            set->keys[kept++] = set->keys[i];
        }
        set->keys[kept - 1].weight++;
    }
    set->key_count = kept;
}

static struct weir_pattern_key *find_key(
        struct weir_pattern_set *set, const struct weir_pattern_field *field, size_t i)
{
    struct weir_pattern_key key = key_of(field, i);
    return bsearch(&key, set->keys, set->key_count, sizeof(key), compare_keys);
}

/* How many rules share a field's keys; short prefixes say little and weigh more. */
static uint64_t weight_of(struct weir_pattern_set *set, const struct weir_pattern_field *field)
{
    uint64_t weight = 0;
    for (size_t i = 0; i < key_count_of(field); i++) {
        const struct weir_pattern_key *key = find_key(set, field, i);
        weight += key->weight;
        weight += key->prefix && key->text.n < 3 ? 1000 : 0;
    }
    return weight;
}

/* The field to index a rule by; NULL: none. */
static const struct weir_pattern_field *choose(
        struct weir_pattern_set *set, const struct weir_pattern_rule *rule)
{
    const struct weir_pattern_field *best = NULL;
    uint64_t best_weight = 0;
    for (uint32_t f = 0; f < rule->count; f++) {
        const struct weir_pattern_field *field = rule->fields[f];
        if (!can_index(field)) {
            continue;
        }
        uint64_t weight = weight_of(set, field);
        if (best == NULL || weight < best_weight) {
            best = field;
            best_weight = weight;
        }
    }
    return best;
}

/* How soon a field should be checked: those that cost little and refuse much first. */
static unsigned rank(const struct weir_pattern_set *set, const struct weir_pattern_field *field)
{
    unsigned in_image = set->paths[field->path].count > 1;
    if (field->whole_count > 0) {
        return 8;
    }
    if (field->exists || field->absent) {
        return 6 + in_image;
    }
    return field->choice.matcher_count == 0 ? in_image : 2 + in_image;
}

/* Order a rule's checks: by rank, the indexed one last. */
static void order_checks(struct weir_pattern_set *set, struct weir_pattern_rule *rule,
        const struct weir_pattern_field *indexed)
{
    rule->checks = weir_arena_alloc(&set->arena, rule->count * sizeof(struct weir_pattern_field *));
    uint32_t count = 0;
    for (unsigned wanted = 0; wanted <= 8; wanted++) {
        for (uint32_t f = 0; f < rule->count; f++) {
            if (rule->fields[f] != indexed && rank(set, rule->fields[f]) == wanted) {
                rule->checks[count++] = rule->fields[f];
            }
        }
    }
    rule->indexed = indexed != NULL;
    if (indexed != NULL) {
        rule->checks[count] = indexed;
    }
}

/* List every rule under the keys of its chosen field. */
static void list_rules(struct weir_pattern_set *set)
{
    const struct weir_pattern_field **chosen =
            weir_alloc(set->rule_count * sizeof(struct weir_pattern_field *));
    set->always = weir_alloc(set->rule_count * sizeof(*set->always));
    size_t total = 0;
    for (size_t r = 0; r < set->rule_count; r++) {
        chosen[r] = choose(set, &set->rules[r]);
        order_checks(set, &set->rules[r], chosen[r]);
        if (chosen[r] == NULL) {
            set->always[set->always_count++] = (uint32_t)r;
            continue;
        }
        for (size_t k = 0; k < key_count_of(chosen[r]); k++) {
            find_key(set, chosen[r], k)->rule_count++;
            total++;
        }
    }
    uint32_t first = 0;
    for (size_t i = 0; i < set->key_count; i++) {
        set->keys[i].first_rule = first;
        first += set->keys[i].rule_count;
        set->keys[i].rule_count = 0;
    }
    set->key_rules = weir_alloc(total * sizeof(*set->key_rules));
    for (size_t r = 0; r < set->rule_count; r++) {
        for (size_t k = 0; chosen[r] != NULL && k < key_count_of(chosen[r]); k++) {
            struct weir_pattern_key *key = find_key(set, chosen[r], k);
            set->key_rules[key->first_rule + key->rule_count++] = (uint32_t)r;
        }
    }
    weir_free(chosen);
}

/* Drop the keys that no rule was listed under. */
static void drop_unused(struct weir_pattern_set *set)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->key_count; i++) {
        if (set->keys[i].rule_count > 0) {
            set->keys[kept++] = set->keys[i];
        }
    }
    set->key_count = kept;
}

/* For each prefix the longest other one that it starts with; they are sorted. */
static void link_prefixes(struct weir_pattern_set *set)
{
    for (size_t i = 0; i < set->key_count && set->keys[i].prefix; i++) {
        struct weir_pattern_key *key = &set->keys[i];
        struct weir_pattern_path *path = &set->paths[key->path];
        if (path->prefix_count++ == 0) {
            path->first_prefix = (uint32_t)i;
            continue;
        }
        uint32_t up = (uint32_t)i - 1;
        while (up != WEIR_PATTERN_NONE && !weir_str_starts(key->text, set->keys[up].text)) {
            up = set->keys[up].up;
        }
        key->up = up;
    }
}

static void hash_keys(struct weir_pattern_set *set)
{
    size_t size = 16;
    while (size < set->key_count * 2) {
        size *= 2;
    }
    set->key_mask = size - 1;
    set->key_table = weir_alloc(size * sizeof(*set->key_table));
    memset(set->key_table, 0xff, size * sizeof(*set->key_table));
    for (size_t i = 0; i < set->key_count; i++) {
        struct weir_pattern_key *key = &set->keys[i];
        if (key->prefix) {
            continue;
        }
        set->paths[key->path].has_strings = true;
        key->hash = weir_pattern_key_hash(key->path, key->text);
        size_t at = key->hash & set->key_mask;
        while (set->key_table[at] != WEIR_PATTERN_NONE) {
            at = (at + 1) & set->key_mask;
        }
        set->key_table[at] = (uint32_t)i;
    }
}

void weir_pattern_build_keys(struct weir_pattern_set *set)
{
    collect_keys(set);
    list_rules(set);
    drop_unused(set);
    link_prefixes(set);
    hash_keys(set);
    set->key_paths = weir_alloc(set->path_count * sizeof(*set->key_paths));
    for (size_t i = 0; i < set->path_count; i++) {
        if (set->paths[i].has_strings || set->paths[i].prefix_count > 0) {
            set->key_paths[set->key_path_count++] = (uint32_t)i;
        }
    }
}
