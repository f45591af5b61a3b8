/*
 * The inside of the pattern folder.
 *
 * add (parse.c) turns a pattern into *rules*: $or is multiplied out, so a rule is
 * a plain AND of *fields*, each a *path* with the alternatives its value may
 * have. Paths are interned in the set. Matching fills one *slot* a path with the
 * *leaves* found there: a record is asked path by path and only when a rule wants
 * to know (place.c), an event as JSON fills all slots in one pass (event.c), led
 * by a tree of names (index.c).
 *
 * A rule is tried when the one field chosen for it in the index may match
 * (index.c); rules without such a field are always tried. Only when two fields
 * of a rule have leaves inside arrays does the search for consistent elements
 * run (match.c).
 */
#ifndef WEIR_PATTERN_PATTERN_INT_H
#define WEIR_PATTERN_PATTERN_INT_H

#include "base/arena.h"
#include "pattern/pattern.h"
#include "value/decimal.h"
#include "value/item.h"
#include "value/json.h"

enum { WEIR_PATTERN_NONE = 0xffffffff }; /* no path, no node */

/* --- values ------------------------------------------------------------- */

enum weir_pattern_leaf_kind {
    WEIR_PATTERN_LEAF_STRING,
    WEIR_PATTERN_LEAF_NUMBER,
    WEIR_PATTERN_LEAF_TRUE,
    WEIR_PATTERN_LEAF_FALSE,
    WEIR_PATTERN_LEAF_NULL,
    WEIR_PATTERN_LEAF_WHOLE, /* item mode: a map or list, which only exists:true matches */
};

struct weir_pattern_leaf {
    enum weir_pattern_leaf_kind kind;
    bool comparable;      /* number: it equals a double (AWS mode) or a decimal (item mode) */
    uint32_t member;      /* the element it is in; 0: in none */
    uint32_t next;        /* of the same path; 0: the last one */
    struct weir_str text; /* string; number as written (AWS mode) */
    double number;        /* AWS mode */
    struct weir_decimal decimal; /* item mode */
};

/* One step of the way to a leaf through arrays: element `index` of `array`, itself inside `up`. */
struct weir_pattern_member {
    uint64_t array; /* its identity within this event */
    uint32_t index;
    uint32_t up; /* 0: none */
};

/* --- compiled patterns -------------------------------------------------- */

enum weir_pattern_op {
    WEIR_PATTERN_OP_NUMBER,      /* equal by value */
    WEIR_PATTERN_OP_NUMBER_TEXT, /* AWS mode: a number no double equals, by its text */
    WEIR_PATTERN_OP_TRUE,
    WEIR_PATTERN_OP_FALSE,
    WEIR_PATTERN_OP_NULL,
    WEIR_PATTERN_OP_PREFIX,
    WEIR_PATTERN_OP_SUFFIX,
    WEIR_PATTERN_OP_FOLD,
    WEIR_PATTERN_OP_FOLD_PREFIX,
    WEIR_PATTERN_OP_FOLD_SUFFIX,
    WEIR_PATTERN_OP_WILDCARD,
    WEIR_PATTERN_OP_RANGE,
    WEIR_PATTERN_OP_CIDR, /* also a string that is an address, with all its bits */
    WEIR_PATTERN_OP_NOT,  /* a leaf that none of inner matches */
    /* Of the item as a whole, not of a leaf: */
    WEIR_PATTERN_OP_CHANGED,
    WEIR_PATTERN_OP_UNCHANGED,
    WEIR_PATTERN_OP_CHANGED_FROM, /* inner matches the old value */
    WEIR_PATTERN_OP_CHANGED_TO,   /* inner matches the new value */
    WEIR_PATTERN_OP_INCREASED,
    WEIR_PATTERN_OP_DECREASED,
    WEIR_PATTERN_OP_CROSSED,
    WEIR_PATTERN_OP_VERSUS_OLD,
};

enum weir_pattern_relation {
    WEIR_PATTERN_LESS = 1,
    WEIR_PATTERN_EQUAL = 2,
    WEIR_PATTERN_GREATER = 4,
};

/* One letter of an ignore-case pattern: its lower and its upper case as UTF-8. */
struct weir_pattern_letter {
    uint8_t lower_size;
    uint8_t upper_size;
    char lower[6];
    char upper[8];
};

struct weir_pattern_matcher;

/* Values of which one has to match. */
struct weir_pattern_choice {
    const struct weir_str *strings; /* exact ones, sorted */
    size_t string_count;
    const struct weir_pattern_matcher *matchers;
    size_t matcher_count;
};

struct weir_pattern_matcher {
    enum weir_pattern_op op;
    bool item_mode;
    struct weir_str text;
    const struct weir_pattern_letter *letters; /* FOLD.. in AWS mode */
    size_t letter_count;
    const struct weir_str *pieces; /* WILDCARD: the text between the stars */
    size_t piece_count;
    unsigned low;  /* RANGE: relations to low_ that hold; 0: no bound. VERSUS_OLD: likewise */
    unsigned high; /* RANGE */
    double low_number;
    double high_number;
    struct weir_decimal low_decimal;
    struct weir_decimal high_decimal;
    unsigned char address[16]; /* CIDR */
    unsigned address_size;     /* 4 or 16 */
    unsigned address_bits;
    struct weir_pattern_choice inner; /* NOT, CHANGED_FROM, CHANGED_TO */
};

struct weir_pattern_field {
    uint32_t path;
    bool exists; /* any leaf matches */
    bool absent; /* no leaf matches too */
    struct weir_pattern_choice choice;
    const struct weir_pattern_matcher *wholes; /* matchers of the item as a whole */
    size_t whole_count;
    struct weir_str text; /* the array of alternatives as written */
    size_t pos;           /* where it stands in the pattern */
};

struct weir_pattern_rule {
    uint32_t pattern;
    uint32_t count;
    const struct weir_pattern_field **fields; /* in the order of their paths' text */
    const struct weir_pattern_field *
            *checks;  /* the cheap and telling first, the indexed one last */
    uint32_t indexed; /* how many of checks the index answers: 0 or 1 */
};

enum weir_pattern_origin {
    WEIR_PATTERN_FROM_NOWHERE, /* no record has it */
    WEIR_PATTERN_FROM_EVENT_NAME,
    WEIR_PATTERN_FROM_EVENT_ID,
    WEIR_PATTERN_FROM_EVENT_VERSION,
    WEIR_PATTERN_FROM_EVENT_SOURCE,
    WEIR_PATTERN_FROM_REGION,
    WEIR_PATTERN_FROM_ARN,
    WEIR_PATTERN_FROM_IDENTITY_TYPE,
    WEIR_PATTERN_FROM_IDENTITY_PRINCIPAL,
    WEIR_PATTERN_FROM_CREATED,
    WEIR_PATTERN_FROM_SEQUENCE,
    WEIR_PATTERN_FROM_SIZE,
    WEIR_PATTERN_FROM_VIEW,
    WEIR_PATTERN_FROM_KEYS,
    WEIR_PATTERN_FROM_NEW,
    WEIR_PATTERN_FROM_OLD,
};

struct weir_pattern_path {
    enum weir_pattern_mode mode;
    enum weir_pattern_origin origin;
    struct weir_str text;            /* segments joined with dots */
    const struct weir_str *segments; /* AWS mode: they lie in text, so joins of them do too */
    uint32_t count;
    uint32_t skip; /* segments before the attribute's name */
    uint64_t hash;
    bool has_strings;      /* index: exact strings of it are keys */
    uint32_t first_prefix; /* index: its prefixes, sorted */
    uint32_t prefix_count;
};

/* A key of the index: an exact string or a prefix of a path, with the rules to try. */
struct weir_pattern_key {
    struct weir_str text;
    uint64_t hash;
    uint32_t path;
    bool prefix;
    uint32_t up; /* prefixes: index of the longest other prefix that this one starts with */
    uint32_t weight;
    uint32_t first_rule; /* in key_rules */
    uint32_t rule_count;
};

struct weir_pattern_child {
    struct weir_str name;
    uint32_t node;
};

/* A node of the tree of names that leads an event's JSON. */
struct weir_pattern_node {
    uint32_t path; /* NONE: only a way to others */
    uint32_t count;
    struct weir_pattern_child *children;
    uint32_t *table; /* many children: by hash, NONE is empty */
    uint32_t mask;
};

struct weir_pattern_entry {
    struct weir_str text;
    enum weir_pattern_mode mode;
    uint32_t first_rule;
    uint32_t rule_count;
};

struct weir_pattern_set {
    struct weir_arena arena; /* all that is compiled */
    bool frozen;
    struct weir_pattern_entry *entries;
    size_t entry_count, entry_capacity;
    struct weir_pattern_rule *rules;
    size_t rule_count, rule_capacity;
    struct weir_pattern_path *paths;
    size_t path_count, path_capacity;
    uint32_t *path_table; /* by hash; NONE is empty */
    size_t path_mask;
    /* After freeze: */
    struct weir_pattern_node *nodes;
    struct weir_pattern_key *keys; /* prefixes first, by path and text */
    size_t key_count;
    uint32_t *key_table; /* exact strings by hash; NONE is empty */
    size_t key_mask;
    uint32_t *key_rules;
    uint32_t *key_paths; /* the paths that have keys */
    size_t key_path_count;
    uint32_t *always; /* rules without a key */
    size_t always_count;
    bool has_item; /* some pattern is of item mode */
};

/* --- matching ----------------------------------------------------------- */

struct weir_pattern_slot {
    uint32_t epoch; /* filled in this match when equal to the scratch's */
    uint32_t first; /* leaf; 0: none */
    uint32_t last;
    bool in_arrays; /* one of the leaves is inside an array */
};

struct weir_pattern_frame {
    uint32_t node;
    uint32_t member; /* of the object or array itself */
    uint32_t index;  /* array: elements begun */
    bool array;
    uint64_t id; /* array */
};

struct weir_pattern_scratch {
    struct weir_arena arena;
    uint32_t epoch;
    bool arrays_seen; /* some slot is in_arrays */
    struct weir_pattern_slot *slots;
    size_t slot_count;
    uint32_t *tried; /* per rule, the epoch in which it was evaluated */
    size_t tried_count;
    struct weir_pattern_leaf *leaves; /* [0] is unused */
    size_t leaf_count, leaf_capacity;
    struct weir_pattern_member *members; /* [0] is unused */
    size_t member_count, member_capacity;
    const struct weir_record *record; /* NULL: slots are filled already */
    struct weir_pattern_frame frames[WEIR_JSON_MAX_DEPTH + 1];
};

/* text.c: pure functions on texts. */

/* AWS mode: the double a JSON number equals exactly (by the double's shortest form). */
bool weir_pattern_number(struct weir_str text, double *ret_number);

/* The bytes of an IP address, 4 or 16; 0 when text is none (or a v4-mapped v6 one). */
unsigned weir_pattern_address(struct weir_str text, unsigned char ret_bytes[static 16]);

/* The letters of an ignore-case pattern as AWS's engine folds them. */
const struct weir_pattern_letter *weir_pattern_letters(
        struct weir_arena *arena, struct weir_str text, size_t *ret_count);

/* Whether text begins (or ends) with letters; all: nothing is left over. */
bool weir_pattern_letters_start(
        const struct weir_pattern_letter *letters, size_t count, struct weir_str text, bool all);
bool weir_pattern_letters_end(
        const struct weir_pattern_letter *letters, size_t count, struct weir_str text);

/* Simple case folding: whether text begins (or ends) with other; all: nothing is left over. */
bool weir_pattern_fold_start(struct weir_str other, struct weir_str text, bool all);
bool weir_pattern_fold_end(struct weir_str other, struct weir_str text);

/* Whether pieces, with anything between them, make up text. */
bool weir_pattern_wildcard(const struct weir_str *pieces, size_t count, struct weir_str text);

/* parse.c: the fields of one pattern; rules are appended to the set. */
WEIR_MUST_CHECK enum weir_rc weir_pattern_parse(struct weir_pattern_set *set, struct weir_str text,
        enum weir_pattern_mode mode, uint32_t pattern, struct weir_err *err);

/* matchers.c: read one array of alternatives whose ARRAY token was just read. */
WEIR_MUST_CHECK enum weir_rc weir_pattern_parse_field(struct weir_json *json,
        enum weir_pattern_mode mode, struct weir_str path, struct weir_arena *arena,
        struct weir_pattern_field *ret_field, struct weir_err *err);

/* set.c: the id of a path, interned. segments are borrowed from the set's arena. */
uint32_t weir_pattern_intern(struct weir_pattern_set *set, enum weir_pattern_mode mode,
        const struct weir_str *segments, uint32_t count);

/* Append a rule; fields are copied, the field structs borrowed from the arena. */
void weir_pattern_add_rule(struct weir_pattern_set *set, uint32_t pattern,
        const struct weir_pattern_field **fields, uint32_t count);

/* index.c: what freeze builds, and looking it up. */
void weir_pattern_build_tree(struct weir_pattern_set *set);
void weir_pattern_build_keys(struct weir_pattern_set *set);
uint64_t weir_pattern_key_hash(uint32_t path, struct weir_str text);
/* The node of a name below another; NONE: there is none. */
uint32_t weir_pattern_find_child(const struct weir_pattern_node *node, struct weir_str name);

/* test.c: whether a leaf matches one of the alternatives. */
bool weir_pattern_choice_matches(
        const struct weir_pattern_choice *choice, const struct weir_pattern_leaf *leaf);

/* Whether a field's leaf matches. */
static inline bool weir_pattern_field_matches(
        const struct weir_pattern_field *field, const struct weir_pattern_leaf *leaf)
{
    return field->exists || weir_pattern_choice_matches(&field->choice, leaf);
}

/* whole.c: whether a record matches one of a field's matchers of the item as a whole. */
bool weir_pattern_whole_matches(const struct weir_pattern_set *set,
        const struct weir_pattern_field *field, const struct weir_record *record);

/* The value an item-mode path leads to through maps alone; ABSENT when there is none. */
struct weir_value weir_pattern_value_at(
        const struct weir_pattern_path *path, struct weir_item item);

/* set.c: the scratch made ready for one match. */
void weir_pattern_scratch_begin(
        struct weir_pattern_scratch *scratch, const struct weir_pattern_set *set);
/* An element of an array as the place of leaves below it. */
uint32_t weir_pattern_add_member(
        struct weir_pattern_scratch *scratch, uint64_t array, uint32_t index, uint32_t up);
/* A new leaf of a path with its kind and place; the caller fills in the value. */
struct weir_pattern_leaf *weir_pattern_add_leaf(struct weir_pattern_scratch *scratch,
        struct weir_pattern_slot *slot, enum weir_pattern_leaf_kind kind, uint32_t member);

/* place.c: find a path's leaves in the scratch's record. */
void weir_pattern_fill_slot(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, uint32_t path, struct weir_pattern_slot *slot);

/* The slot of a path, filled. */
static inline struct weir_pattern_slot *weir_pattern_slot(
        const struct weir_pattern_set *set, struct weir_pattern_scratch *scratch, uint32_t path)
{
    struct weir_pattern_slot *slot = &scratch->slots[path];
    if (slot->epoch != scratch->epoch) {
        *slot = (struct weir_pattern_slot){ .epoch = scratch->epoch };
        if (scratch->record != NULL) {
            weir_pattern_fill_slot(set, scratch, path, slot);
        }
    }
    return slot;
}

/* event.c: fill the slots from an event's JSON. */
WEIR_MUST_CHECK enum weir_rc weir_pattern_read_event(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, struct weir_str json, struct weir_err *err);

/* match.c: whether a rule matches what the slots hold. known: leave out the indexed check. */
WEIR_MUST_CHECK enum weir_rc weir_pattern_rule_matches(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_pattern_rule *rule, bool known,
        bool *ret_matches, struct weir_err *err);

/* Whether one field matches by itself. */
bool weir_pattern_field_holds(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_pattern_field *field);

#endif
