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
 *
 * A path's leaves mostly lie in one outermost array, in the order of its
 * elements. Once a field has chosen an element of it, the others look at the
 * leaves of that element alone.
 */

/* Where a leaf stands; the outermost array on the way to it is its root. */
struct place {
    uint32_t member; /* 0: in no array */
    uint32_t root_index;
    uint64_t root;
};

struct places {
    struct place *list;
    uint32_t count;
    bool one_root; /* all in one array, by index */
};

struct choice {
    const struct weir_pattern_field *field;
    struct places matching;
    struct places all; /* when absence is asked for */
    uint32_t next;     /* of matching, to try next */
    uint32_t end;
    struct place chosen;
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

static struct place place_of(const struct weir_pattern_scratch *scratch, uint32_t member)
{
    struct place place = { .member = member };
    for (uint32_t i = member; i != 0; i = scratch->members[i].up) {
        place.root = scratch->members[i].array;
        place.root_index = scratch->members[i].index;
    }
    return place;
}

/* The places of a field's leaves, all of them or those that match. */
static struct places list_places(
        const struct search *search, const struct weir_pattern_field *field, bool all)
{
    struct weir_pattern_scratch *scratch = search->scratch;
    uint32_t first = weir_pattern_slot(search->set, scratch, field->path)->first;
    uint32_t total = 0;
    for (uint32_t i = first; i != 0; i = scratch->leaves[i].next) {
        total++;
    }
    struct places places = { .one_root = true };
    places.list = weir_arena_alloc(&scratch->arena, total * sizeof(*places.list));
    for (uint32_t i = first; i != 0; i = scratch->leaves[i].next) {
        if (!all && !weir_pattern_field_matches(field, &scratch->leaves[i])) {
            continue;
        }
        struct place place = place_of(scratch, scratch->leaves[i].member);
        const struct place *last = places.count > 0 ? &places.list[places.count - 1] : NULL;
        if (last != NULL && last->member == place.member) {
            continue;
        }
        places.one_root &= place.member != 0 &&
                           (last == NULL || (last->root == place.root &&
                                                    last->root_index <= place.root_index));
        places.list[places.count++] = place;
    }
    return places;
}

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

static uint64_t bit_of(uint32_t at)
{
    return (uint64_t)1 << (at % 64);
}

/* Whether a leaf fits all choices before `at`; if not, blame the first in the way. */
static bool fits(struct search *search, uint32_t at, uint32_t member, uint64_t *blame)
{
    for (uint32_t i = 0; i < at; i++) {
        search->steps++;
        if (!agree(search->scratch->members, search->choices[i].chosen.member, member)) {
            *blame |= bit_of(i);
            return false;
        }
    }
    return true;
}

/* The first of places, sorted by index, that is not before an index. */
static uint32_t lower_bound(const struct places *places, uint64_t index)
{
    uint32_t low = 0;
    uint32_t high = places->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (places->list[middle].root_index < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The part of places that an earlier choice of an element leaves; it takes the blame. */
static void narrow(const struct search *search, uint32_t at, const struct places *places,
        uint32_t *ret_begin, uint32_t *ret_end, uint64_t *blame)
{
    *ret_begin = 0;
    *ret_end = places->count;
    for (uint32_t i = 0; i < at && places->one_root && places->count > 0; i++) {
        const struct place *chosen = &search->choices[i].chosen;
        if (chosen->member != 0 && chosen->root == places->list[0].root) {
            *ret_begin = lower_bound(places, chosen->root_index);
            *ret_end = lower_bound(places, (uint64_t)chosen->root_index + 1);
            *blame |= bit_of(i);
            return;
        }
    }
}

static void start_choice(struct search *search, uint32_t at)
{
    struct choice *choice = &search->choices[at];
    choice->chosen = (struct place){ 0 };
    choice->absent_tried = !choice->field->absent;
    choice->whole_tried = choice->field->whole_count == 0;
    choice->blame = 0;
    narrow(search, at, &choice->matching, &choice->next, &choice->end, &choice->blame);
}

/* Whether no leaf of the path fits the choices before. */
static bool is_absent(struct search *search, uint32_t at)
{
    struct choice *choice = &search->choices[at];
    uint64_t ignored = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
    narrow(search, at, &choice->all, &begin, &end, &ignored);
    for (uint32_t i = begin; i < end; i++) {
        if (fits(search, at, choice->all.list[i].member, &ignored)) {
            /* Any other choice before could have made it absent. */
            choice->blame |= at > 0 ? UINT64_MAX : 0;
            return false;
        }
    }
    return true;
}

/* Move a field to its next leaf that matches and fits; false when none is left. */
static bool advance(struct search *search, uint32_t at)
{
    struct choice *choice = &search->choices[at];
    choice->chosen = (struct place){ 0 };
    while (choice->next < choice->end) {
        const struct place *place = &choice->matching.list[choice->next++];
        search->steps++;
        if (fits(search, at, place->member, &choice->blame)) {
            choice->chosen = *place;
            return true;
        }
    }
    if (!choice->absent_tried) {
        choice->absent_tried = true;
        if (is_absent(search, at)) {
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

/* Where to go back to from a dead end; the blame goes along. UINT32_MAX: nowhere. */
static uint32_t go_back(struct search *search, uint32_t at)
{
    uint64_t blame = search->choices[at].blame;
    for (uint32_t i = at; i-- > 0;) {
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
    uint32_t at = 0;
    start_choice(search, 0);
    *ret_matches = false;
    for (;;) {
        if (search->steps > WEIR_PATTERN_MAX_STEPS) {
            return weir_fail(err, WEIR_E_LIMIT,
                    "the event's arrays allow more than %d combinations to try",
                    WEIR_PATTERN_MAX_STEPS);
        }
        if (!advance(search, at)) {
            at = go_back(search, at);
            if (at == UINT32_MAX) {
                return WEIR_OK;
            }
            continue;
        }
        if (++at == search->count) {
            *ret_matches = true;
            return WEIR_OK;
        }
        start_choice(search, at);
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
    search.choices = weir_arena_zero(&scratch->arena, rule->count, sizeof(*search.choices));
    for (uint32_t i = 0; i < rule->count; i++) {
        struct choice *choice = &search.choices[i];
        choice->field = rule->fields[i];
        choice->matching = list_places(&search, choice->field, false);
        if (choice->field->absent) {
            choice->all = list_places(&search, choice->field, true);
        }
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
