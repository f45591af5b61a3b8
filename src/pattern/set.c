/* The set: patterns, interned paths, rules; and the scratch memory of matching. */
#include "base/hash.h"
#include "pattern/pattern_int.h"

enum { FIRST_TABLE = 64 };

/* Room for one more in a heap array. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    *capacity = *capacity > 0 ? *capacity * 2 : 16;
    return weir_realloc(array, *capacity, size);
}

struct weir_pattern_set *weir_pattern_set_create(void)
{
    struct weir_pattern_set *set = weir_alloc_zero(1, sizeof(*set));
    weir_arena_init(&set->arena);
    return set;
}

void weir_pattern_set_destroy(struct weir_pattern_set *set)
{
    if (set == NULL) {
        return;
    }
    weir_arena_fini(&set->arena);
    weir_free(set->entries);
    weir_free(set->rules);
    weir_free(set->paths);
    weir_free(set->path_table);
    weir_free(set->keys);
    weir_free(set->key_table);
    weir_free(set->key_rules);
    weir_free(set->key_paths);
    weir_free(set->always);
    weir_free(set->nodes);
    weir_free(set);
}

enum weir_rc weir_pattern_set_add(struct weir_pattern_set *set, struct weir_str json_text,
        enum weir_pattern_mode mode, size_t *ret_index, struct weir_err *err)
{
    weir_assert(!set->frozen);
    if (json_text.n > WEIR_PATTERN_MAX_BYTES) {
        return weir_fail(err, WEIR_E_TOO_LARGE, "a pattern of %zu bytes; at most %d are allowed",
                json_text.n, WEIR_PATTERN_MAX_BYTES);
    }
    struct weir_str text = weir_arena_str(&set->arena, json_text);
    size_t first_rule = set->rule_count;
    enum weir_rc rc = weir_pattern_parse(set, text, mode, (uint32_t)set->entry_count, err);
    if (rc != WEIR_OK) {
        set->rule_count = first_rule;
        return rc;
    }
    set->entries =
            grow(set->entries, set->entry_count, &set->entry_capacity, sizeof(*set->entries));
    *ret_index = set->entry_count;
    set->entries[set->entry_count++] = (struct weir_pattern_entry){ text, mode,
        (uint32_t)first_rule, (uint32_t)(set->rule_count - first_rule) };
    set->has_item |= mode == WEIR_PATTERN_ITEM;
    return WEIR_OK;
}

void weir_pattern_set_freeze(struct weir_pattern_set *set)
{
    if (set->frozen) {
        return;
    }
    set->frozen = true;
    weir_pattern_build_tree(set);
    weir_pattern_build_keys(set);
}

size_t weir_pattern_set_count(const struct weir_pattern_set *set)
{
    return set->entry_count;
}

struct weir_str weir_pattern_set_text(const struct weir_pattern_set *set, size_t index)
{
    weir_assert(index < set->entry_count);
    return set->entries[index].text;
}

size_t weir_pattern_set_words(const struct weir_pattern_set *set)
{
    return (set->entry_count + 63) / 64;
}

void weir_pattern_add_rule(struct weir_pattern_set *set, uint32_t pattern,
        const struct weir_pattern_field **fields, uint32_t count)
{
    set->rules = grow(set->rules, set->rule_count, &set->rule_capacity, sizeof(*set->rules));
    set->rules[set->rule_count++] =
            (struct weir_pattern_rule){ .pattern = pattern, .count = count, .fields = fields };
}

/* --- paths -------------------------------------------------------------- */

static uint64_t path_hash(
        enum weir_pattern_mode mode, const struct weir_str *segments, uint32_t count)
{
    uint64_t hash = mode;
    for (uint32_t i = 0; i < count; i++) {
        hash = weir_hash64(hash, segments[i].n > 0 ? segments[i].p : "", segments[i].n);
    }
    return hash;
}

static bool same_path(const struct weir_pattern_path *path, enum weir_pattern_mode mode,
        const struct weir_str *segments, uint32_t count)
{
    if (path->mode != mode || path->count != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!weir_str_eq(path->segments[i], segments[i])) {
            return false;
        }
    }
    return true;
}

/* Where a path of the Lambda form, or of an item pattern, comes from. */
static void set_origin(struct weir_pattern_path *path)
{
    static const struct {
        const char *text;
        enum weir_pattern_mode mode;
        enum weir_pattern_origin origin;
        unsigned skip; /* 0: the path is this and nothing more */
    } origins[] = {
        { "dynamodb.NewImage", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_NEW, 2 },
        { "dynamodb.OldImage", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_OLD, 2 },
        { "dynamodb.Keys", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_KEYS, 2 },
        { "eventName", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_EVENT_NAME, 0 },
        { "eventID", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_EVENT_ID, 0 },
        { "eventVersion", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_EVENT_VERSION, 0 },
        { "eventSource", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_EVENT_SOURCE, 0 },
        { "awsRegion", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_REGION, 0 },
        { "eventSourceARN", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_ARN, 0 },
        { "userIdentity.type", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_IDENTITY_TYPE, 0 },
        { "userIdentity.principalId", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_IDENTITY_PRINCIPAL, 0 },
        { "dynamodb.ApproximateCreationDateTime", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_CREATED, 0 },
        { "dynamodb.SequenceNumber", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_SEQUENCE, 0 },
        { "dynamodb.SizeBytes", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_SIZE, 0 },
        { "dynamodb.StreamViewType", WEIR_PATTERN_AWS, WEIR_PATTERN_FROM_VIEW, 0 },
        { "new", WEIR_PATTERN_ITEM, WEIR_PATTERN_FROM_NEW, 1 },
        { "old", WEIR_PATTERN_ITEM, WEIR_PATTERN_FROM_OLD, 1 },
        { "keys", WEIR_PATTERN_ITEM, WEIR_PATTERN_FROM_KEYS, 1 },
        { "event", WEIR_PATTERN_ITEM, WEIR_PATTERN_FROM_EVENT_NAME, 0 },
    };
    for (size_t i = 0; i < WEIR_COUNT(origins); i++) {
        struct weir_str text = weir_str_z(origins[i].text);
        bool hit = origins[i].skip == 0 ? weir_str_eq(path->text, text)
                   : origins[i].mode == WEIR_PATTERN_ITEM
                           ? weir_str_eq(path->segments[0], text)
                           : weir_str_starts(path->text, text) && path->text.n > text.n &&
                                     path->text.p[text.n] == '.';
        if (hit && origins[i].mode == path->mode) {
            path->origin = origins[i].origin;
            path->skip = origins[i].skip;
            return;
        }
    }
}

static struct weir_str join(
        struct weir_arena *arena, const struct weir_str *segments, uint32_t count)
{
    size_t n = count;
    for (uint32_t i = 0; i < count; i++) {
        n += segments[i].n;
    }
    char *text = weir_arena_alloc(arena, n + 1);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            text[at++] = '.';
        }
        if (segments[i].n > 0) {
            memcpy(text + at, segments[i].p, segments[i].n);
        }
        at += segments[i].n;
    }
    return weir_str(text, at);
}

/* The same segments as views into the joined text. */
static const struct weir_str *cut(struct weir_arena *arena, struct weir_str text,
        const struct weir_str *segments, uint32_t count)
{
    struct weir_str *views = weir_arena_alloc(arena, count * sizeof(*views));
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        views[i] = weir_str(text.p + at, segments[i].n);
        at += segments[i].n + 1;
    }
    return views;
}

static void insert(struct weir_pattern_set *set, uint32_t path)
{
    size_t at = set->paths[path].hash & set->path_mask;
    while (set->path_table[at] != WEIR_PATTERN_NONE) {
        at = (at + 1) & set->path_mask;
    }
    set->path_table[at] = path;
}

static void widen_table(struct weir_pattern_set *set)
{
    size_t size = set->path_table != NULL ? (set->path_mask + 1) * 2 : FIRST_TABLE;
    set->path_table = weir_realloc(set->path_table, size, sizeof(*set->path_table));
    memset(set->path_table, 0xff, size * sizeof(*set->path_table));
    set->path_mask = size - 1;
    for (size_t i = 0; i < set->path_count; i++) {
        insert(set, (uint32_t)i);
    }
}

uint32_t weir_pattern_intern(struct weir_pattern_set *set, enum weir_pattern_mode mode,
        const struct weir_str *segments, uint32_t count)
{
    if (set->path_table == NULL || set->path_count * 2 > set->path_mask) {
        widen_table(set);
    }
    uint64_t hash = path_hash(mode, segments, count);
    for (size_t at = hash & set->path_mask; set->path_table[at] != WEIR_PATTERN_NONE;
            at = (at + 1) & set->path_mask) {
        const struct weir_pattern_path *path = &set->paths[set->path_table[at]];
        if (path->hash == hash && same_path(path, mode, segments, count)) {
            return set->path_table[at];
        }
    }
    set->paths = grow(set->paths, set->path_count, &set->path_capacity, sizeof(*set->paths));
    struct weir_pattern_path *path = &set->paths[set->path_count];
    *path = (struct weir_pattern_path){ .mode = mode, .count = count, .hash = hash };
    path->text = join(&set->arena, segments, count);
    path->segments = cut(&set->arena, path->text, segments, count);
    set_origin(path);
    insert(set, (uint32_t)set->path_count);
    return (uint32_t)set->path_count++;
}

/* --- scratch ------------------------------------------------------------ */

struct weir_pattern_scratch *weir_pattern_scratch_create(void)
{
    struct weir_pattern_scratch *scratch = weir_alloc_zero(1, sizeof(*scratch));
    weir_arena_init(&scratch->arena);
    return scratch;
}

void weir_pattern_scratch_destroy(struct weir_pattern_scratch *scratch)
{
    if (scratch == NULL) {
        return;
    }
    weir_arena_fini(&scratch->arena);
    weir_free(scratch->slots);
    weir_free(scratch->tried);
    weir_free(scratch->leaves);
    weir_free(scratch->members);
    weir_free(scratch);
}

void weir_pattern_scratch_begin(
        struct weir_pattern_scratch *scratch, const struct weir_pattern_set *set)
{
    weir_assert(set->frozen);
    if (scratch->slot_count < set->path_count) {
        scratch->slots = weir_realloc(scratch->slots, set->path_count, sizeof(*scratch->slots));
        memset(scratch->slots + scratch->slot_count, 0,
                (set->path_count - scratch->slot_count) * sizeof(*scratch->slots));
        scratch->slot_count = set->path_count;
    }
    if (scratch->tried_count < set->rule_count) {
        scratch->tried = weir_realloc(scratch->tried, set->rule_count, sizeof(*scratch->tried));
        memset(scratch->tried + scratch->tried_count, 0,
                (set->rule_count - scratch->tried_count) * sizeof(*scratch->tried));
        scratch->tried_count = set->rule_count;
    }
    scratch->epoch++;
    if (scratch->epoch == 0) { /* came round: what is stamped must not look new */
        memset(scratch->slots, 0, scratch->slot_count * sizeof(*scratch->slots));
        memset(scratch->tried, 0, scratch->tried_count * sizeof(*scratch->tried));
        scratch->epoch = 1;
    }
    weir_arena_reset(&scratch->arena);
    scratch->leaf_count = 1;
    scratch->member_count = 1;
    scratch->arrays_seen = false;
    scratch->record = NULL;
}

uint32_t weir_pattern_add_member(
        struct weir_pattern_scratch *scratch, uint64_t array, uint32_t index, uint32_t up)
{
    scratch->members = grow(scratch->members, scratch->member_count, &scratch->member_capacity,
            sizeof(*scratch->members));
    scratch->members[scratch->member_count] = (struct weir_pattern_member){ array, index, up };
    return (uint32_t)scratch->member_count++;
}

struct weir_pattern_leaf *weir_pattern_add_leaf(struct weir_pattern_scratch *scratch,
        struct weir_pattern_slot *slot, enum weir_pattern_leaf_kind kind, uint32_t member)
{
    scratch->leaves = grow(scratch->leaves, scratch->leaf_count, &scratch->leaf_capacity,
            sizeof(*scratch->leaves));
    uint32_t at = (uint32_t)scratch->leaf_count++;
    struct weir_pattern_leaf *leaf = &scratch->leaves[at];
    leaf->kind = kind;
    leaf->comparable = false;
    leaf->member = member;
    leaf->next = 0;
    leaf->text = weir_str("", 0);
    if (slot->first == 0) {
        slot->first = at;
    } else {
        scratch->leaves[slot->last].next = at;
    }
    slot->last = at;
    if (member != 0) {
        slot->in_arrays = true;
        scratch->arrays_seen = true;
    }
    return leaf;
}
