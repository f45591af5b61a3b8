/* Evaluates rules on what the slots hold. */
#include "pattern/pattern_int.h"

/* --- one field ---------------------------------------------------------- */

bool weir_pattern_field_holds(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_pattern_field *field)
{
    const struct weir_pattern_slot *slot = weir_pattern_slot(set, scratch, field->path);
    if (slot->first == 0) {
        if (field->absent) {
            return true;
        }
    } else if (field->exists) {
        return true;
    }
    for (uint32_t i = slot->first; i != 0; i = scratch->leaves[i].next) {
        if (weir_pattern_choice_matches(&field->choice, &scratch->leaves[i])) {
            return true;
        }
    }
    return field->whole_count > 0 && scratch->record != NULL &&
           weir_pattern_whole_matches(set, field, scratch->record);
}

/* --- consistent elements ------------------------------------------------ */

/*
 * The search for one leaf a field such that no two lie in different elements of
 * one array. Fields go in the order of their paths, as the answer for absent
 * leaves depends on it: a path is absent when none of its leaves fits what was
 * chosen before. When a field has no leaf left, the search goes back to the last
 * field that had a part in that, not merely to the one before.
 */
struct choice {
    const struct weir_pattern_field *field;
    uint32_t next;   /* leaf to try next; 0: none left */
    uint32_t member; /* of the leaf chosen; 0: in no array */
    bool absent_tried;
    bool whole_tried;
    uint64_t blame; /* earlier choices that ruled something out, by place modulo 64 */
};

struct search {
    const struct weir_pattern_set *set;
    struct weir_pattern_scratch *scratch;
    struct choice *choices;
    uint32_t count;
    uint32_t steps;
};

static bool agree(const struct weir_pattern_member *members, uint32_t a, uint32_t b)
{
    for (uint32_t i = a; i != 0; i = members[i].up) {
        for (uint32_t j = b; j != 0; j = members[j].up) {
            if (members[i].array == members[j].array && members[i].index != members[j].index) {
                return false;
            }
        }
    }
    return true;
}

static uint64_t bit_of(uint32_t place)
{
    return (uint64_t)1 << (place % 64);
}

/* Whether a leaf fits all choices before `place`; if not, blame the first in the way. */
static bool fits(struct search *search, uint32_t place, uint32_t member, uint64_t *blame)
{
    if (member == 0) {
        return true;
    }
    for (uint32_t i = 0; i < place; i++) {
        search->steps++;
        if (!agree(search->scratch->members, search->choices[i].member, member)) {
            *blame |= bit_of(i);
            return false;
        }
    }
    return true;
}

static void start_choice(struct search *search, uint32_t place)
{
    struct choice *choice = &search->choices[place];
    const struct weir_pattern_slot *slot =
            weir_pattern_slot(search->set, search->scratch, choice->field->path);
    choice->next = slot->first;
    choice->member = 0;
    choice->absent_tried = !choice->field->absent;
    choice->whole_tried = choice->field->whole_count == 0;
    choice->blame = 0;
}

/* Whether no leaf of the path fits the choices before. */
static bool is_absent(struct search *search, uint32_t place)
{
    struct choice *choice = &search->choices[place];
    const struct weir_pattern_leaf *leaves = search->scratch->leaves;
    uint64_t ignored = 0;
    uint32_t first = weir_pattern_slot(search->set, search->scratch, choice->field->path)->first;
    for (uint32_t i = first; i != 0; i = leaves[i].next) {
        if (fits(search, place, leaves[i].member, &ignored)) {
            /* Any other choice before could have made it absent. */
            choice->blame |= place > 0 ? UINT64_MAX : 0;
            return false;
        }
    }
    return true;
}

/* Move a field to its next leaf that matches and fits; false when none is left. */
static bool advance(struct search *search, uint32_t place)
{
    struct choice *choice = &search->choices[place];
    const struct weir_pattern_leaf *leaves = search->scratch->leaves;
    choice->member = 0;
    while (choice->next != 0) {
        const struct weir_pattern_leaf *leaf = &leaves[choice->next];
        choice->next = leaf->next;
        search->steps++;
        if (weir_pattern_field_matches(choice->field, leaf) &&
                fits(search, place, leaf->member, &choice->blame)) {
            choice->member = leaf->member;
            return true;
        }
    }
    if (!choice->absent_tried) {
        choice->absent_tried = true;
        if (is_absent(search, place)) {
            return true;
        }
    }
    if (!choice->whole_tried) {
        choice->whole_tried = true;
        return search->scratch->record != NULL &&
               weir_pattern_whole_matches(search->set, choice->field, search->scratch->record);
    }
    return false;
}

/* The place to go back to from a dead end; the blame goes along. UINT32_MAX: none. */
static uint32_t go_back(struct search *search, uint32_t place)
{
    uint64_t blame = search->choices[place].blame;
    for (uint32_t i = place; i-- > 0;) {
        if ((blame & bit_of(i)) != 0) {
            search->choices[i].blame |= i < 64 ? blame & ~bit_of(i) : blame;
            return i;
        }
    }
    return UINT32_MAX;
}

/* Errors: WEIR_E_LIMIT. */
static enum weir_rc find_consistent(struct search *search, bool *ret_matches, struct weir_err *err)
{
    uint32_t place = 0;
    start_choice(search, 0);
    *ret_matches = false;
    for (;;) {
        if (search->steps > WEIR_PATTERN_MAX_STEPS) {
            return weir_fail(err, WEIR_E_LIMIT,
                    "the event's arrays allow more than %d combinations to try",
                    WEIR_PATTERN_MAX_STEPS);
        }
        if (!advance(search, place)) {
            place = go_back(search, place);
            if (place == UINT32_MAX) {
                return WEIR_OK;
            }
            continue;
        }
        if (++place == search->count) {
            *ret_matches = true;
            return WEIR_OK;
        }
        start_choice(search, place);
    }
}

/* Whether two or more fields of a rule have leaves in arrays. */
static bool needs_search(const struct weir_pattern_set *set, struct weir_pattern_scratch *scratch,
        const struct weir_pattern_rule *rule)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < rule->count; i++) {
        count += weir_pattern_slot(set, scratch, rule->fields[i]->path)->in_arrays;
    }
    return count > 1;
}

enum weir_rc weir_pattern_rule_matches(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_pattern_rule *rule, bool known,
        bool *ret_matches, struct weir_err *err)
{
    uint32_t count = rule->count - (known ? rule->indexed : 0);
    bool open = false; /* an absence that depends on what other fields choose */
    *ret_matches = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct weir_pattern_field *field = rule->checks[i];
        if (!weir_pattern_field_holds(set, scratch, field)) {
            if (!field->absent || !scratch->slots[field->path].in_arrays) {
                return WEIR_OK;
            }
            open = true;
        }
    }
    if (!scratch->arrays_seen || !needs_search(set, scratch, rule)) {
        *ret_matches = !open;
        return WEIR_OK;
    }
    struct search search = { .set = set, .scratch = scratch, .count = rule->count };
    search.choices = weir_arena_alloc(&scratch->arena, rule->count * sizeof(*search.choices));
    for (uint32_t i = 0; i < rule->count; i++) {
        search.choices[i].field = rule->fields[i];
    }
    return find_consistent(&search, ret_matches, err);
}

/* --- all rules ---------------------------------------------------------- */

/* One match under way. */
struct match {
    const struct weir_pattern_set *set;
    struct weir_pattern_scratch *scratch;
    uint64_t *results;
    enum weir_rc rc;
    struct weir_err *err;
};

static void try_rule(struct match *match, uint32_t at, bool known)
{
    const struct weir_pattern_rule *rule = &match->set->rules[at];
    if (match->scratch->tried[at] == match->scratch->epoch) {
        return;
    }
    match->scratch->tried[at] = match->scratch->epoch;
    if (weir_pattern_matched(match->results, rule->pattern)) {
        return;
    }
    bool matches = false;
    enum weir_rc rc = weir_pattern_rule_matches(match->set, match->scratch, rule, known, &matches,
            match->rc == WEIR_OK ? match->err : NULL);
    if (rc != WEIR_OK) {
        match->rc = rc;
    }
    if (matches) {
        match->results[rule->pattern / 64] |= (uint64_t)1 << (rule->pattern % 64);
    }
}

static void try_key(struct match *match, const struct weir_pattern_key *key)
{
    const uint32_t *rules = match->set->key_rules + key->first_rule;
    for (uint32_t i = 0; i < key->rule_count; i++) {
        try_rule(match, rules[i], true);
    }
}

static void try_string(struct match *match, uint32_t path, struct weir_str text)
{
    const struct weir_pattern_set *set = match->set;
    uint64_t hash = weir_pattern_key_hash(path, text);
    for (size_t at = hash & set->key_mask; set->key_table[at] != WEIR_PATTERN_NONE;
            at = (at + 1) & set->key_mask) {
        const struct weir_pattern_key *key = &set->keys[set->key_table[at]];
        if (key->hash == hash && key->path == path && weir_str_eq(key->text, text)) {
            try_key(match, key);
            return;
        }
    }
}

/*
 * The prefixes of a text all stand at or above the last prefix that is not
 * behind the text in order, so that one search finds them.
 */
static void try_prefixes(struct match *match, uint32_t path, struct weir_str text)
{
    const struct weir_pattern_key *keys = match->set->keys;
    uint32_t first = match->set->paths[path].first_prefix;
    uint32_t low = first;
    uint32_t high = first + match->set->paths[path].prefix_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (weir_str_cmp(keys[middle].text, text) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (uint32_t at = low > first ? low - 1 : WEIR_PATTERN_NONE; at != WEIR_PATTERN_NONE;
            at = keys[at].up) {
        if (weir_str_starts(text, keys[at].text)) {
            try_key(match, &keys[at]);
        }
    }
}

static enum weir_rc match_slots(struct match *match)
{
    const struct weir_pattern_set *set = match->set;
    struct weir_pattern_scratch *scratch = match->scratch;
    for (size_t p = 0; p < set->key_path_count; p++) {
        uint32_t id = set->key_paths[p];
        const struct weir_pattern_path *path = &set->paths[id];
        const struct weir_pattern_slot *slot = weir_pattern_slot(set, scratch, id);
        for (uint32_t i = slot->first; i != 0; i = scratch->leaves[i].next) {
            if (scratch->leaves[i].kind != WEIR_PATTERN_LEAF_STRING) {
                continue;
            }
            /* By value: trying a rule may fill slots and move the leaves. */
            struct weir_str text = scratch->leaves[i].text;
            if (path->has_strings) {
                try_string(match, id, text);
            }
            if (path->prefix_count > 0) {
                try_prefixes(match, id, text);
            }
        }
    }
    for (size_t i = 0; i < set->always_count; i++) {
        try_rule(match, set->always[i], false);
    }
    return match->rc;
}

enum weir_rc weir_pattern_match_record(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_record *record, uint64_t *results,
        struct weir_err *err)
{
    struct match match = { set, scratch, results, WEIR_OK, err };
    weir_pattern_scratch_begin(scratch, set);
    scratch->record = record;
    memset(results, 0, weir_pattern_set_words(set) * sizeof(*results));
    return match_slots(&match);
}

/* Clear the bits of item patterns, which see no item in an event's JSON. */
static void clear_item_patterns(const struct weir_pattern_set *set, uint64_t *results)
{
    for (size_t i = 0; i < set->entry_count; i++) {
        if (set->entries[i].mode == WEIR_PATTERN_ITEM) {
            results[i / 64] &= ~((uint64_t)1 << (i % 64));
        }
    }
}

enum weir_rc weir_pattern_match_json(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, struct weir_str event_json, uint64_t *results,
        struct weir_err *err)
{
    struct match match = { set, scratch, results, WEIR_OK, err };
    weir_pattern_scratch_begin(scratch, set);
    memset(results, 0, weir_pattern_set_words(set) * sizeof(*results));
    enum weir_rc rc = weir_pattern_read_event(set, scratch, event_json, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = match_slots(&match);
    if (set->has_item) {
        clear_item_patterns(set, results);
    }
    return rc;
}
