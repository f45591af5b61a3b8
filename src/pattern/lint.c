/* Warns about patterns that can never match a record of a table's stream. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pattern/pattern_int.h"

enum { MAX_TEXT = 400 };

/* What a path holds in a record, as far as its names tell. */
enum holds {
    HOLDS_NOTHING, /* never a value */
    HOLDS_TEXT,    /* strings only */
    HOLDS_NUMBER,
    HOLDS_BOOL,
    HOLDS_TRUE,
    HOLDS_ANY, /* item mode: any value */
};

struct linter {
    const struct weir_pattern_set *set;
    const struct weir_pattern_lint *lint;
    size_t pos;
};

__attribute__((format(printf, 3, 4))) static void found(
        const struct linter *linter, bool never, const char *fmt, ...)
{
    char text[MAX_TEXT];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    struct weir_pattern_finding finding = { linter->pos, never, weir_str(text, length) };
    linter->lint->found(linter->lint->context, &finding);
}

/* --- paths -------------------------------------------------------------- */

/* What a path can begin with. */
static const char *const top_names[] = { "eventID", "eventName", "eventVersion", "eventSource",
    "awsRegion", "eventSourceARN", "userIdentity.type", "userIdentity.principalId",
    "dynamodb.ApproximateCreationDateTime", "dynamodb.Keys", "dynamodb.NewImage",
    "dynamodb.OldImage", "dynamodb.SequenceNumber", "dynamodb.SizeBytes",
    "dynamodb.StreamViewType" };

static enum holds unknown_path(const struct linter *linter, const struct weir_pattern_path *path)
{
    const char *nearest = weir_str_nearest(path->text, top_names, WEIR_COUNT(top_names));
    if (nearest != NULL && !weir_str_eq(path->text, weir_str_z(nearest))) {
        found(linter, false, "%.*s: no record has this; did you mean '%s'?",
                WEIR_STR_ARG(path->text), nearest);
    } else {
        found(linter, false, "%.*s: no record has a value here", WEIR_STR_ARG(path->text));
    }
    return HOLDS_NOTHING;
}

static enum holds holds_of_type(enum weir_type type)
{
    switch (type) {
    case WEIR_TYPE_S:
    case WEIR_TYPE_N:
    case WEIR_TYPE_B:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        return HOLDS_TEXT;
    case WEIR_TYPE_BOOL:
        return HOLDS_BOOL;
    case WEIR_TYPE_NULL:
        return HOLDS_TRUE;
    case WEIR_TYPE_L:
    case WEIR_TYPE_M:
    case WEIR_TYPE_ABSENT:
        break;
    }
    return HOLDS_NOTHING;
}

/* Whether segments from `at` on can be types and attribute names down to a leaf of `last`. */
static bool can_follow(const struct weir_pattern_path *path, uint32_t at)
{
    while (at < path->count) {
        enum weir_type type = weir_type_parse(path->segments[at]);
        if (at + 1 == path->count) {
            return holds_of_type(type) != HOLDS_NOTHING;
        }
        if (type == WEIR_TYPE_L) {
            at++;
        } else if (type == WEIR_TYPE_M) {
            at += 2; /* the attribute's name; with dots in it there may be more */
            while (at < path->count && weir_type_parse(path->segments[at]) == WEIR_TYPE_ABSENT) {
                at++;
            }
        } else {
            return false;
        }
    }
    return false;
}

/* The segment of the first type behind an attribute's name; count when there is none. */
static uint32_t first_type(const struct weir_pattern_path *path)
{
    uint32_t at = path->skip + 1;
    while (at < path->count && weir_type_parse(path->segments[at]) == WEIR_TYPE_ABSENT) {
        at++;
    }
    return at;
}

static void check_key(
        const struct linter *linter, const struct weir_pattern_path *path, struct weir_str name)
{
    for (size_t i = 0; i < linter->lint->key_count; i++) {
        if (weir_str_eq(linter->lint->key_names[i], name)) {
            return;
        }
    }
    if (linter->lint->key_count > 0) {
        found(linter, false, "%.*s: '%.*s' is not an attribute of the table's key",
                WEIR_STR_ARG(path->text), WEIR_STR_ARG(name));
    }
}

/* An attribute below Keys, NewImage or OldImage in AWS's form. */
static enum holds holds_of_attribute(
        const struct linter *linter, const struct weir_pattern_path *path)
{
    uint32_t type_at = first_type(path);
    if (type_at == path->count) {
        found(linter, false,
                "%.*s: an attribute is not a value in the record's form; name its type, as in "
                "{\"%.*s\": {\"S\": [...]}}",
                WEIR_STR_ARG(path->text), WEIR_STR_ARG(path->segments[path->count - 1]));
        return HOLDS_NOTHING;
    }
    if (path->origin == WEIR_PATTERN_FROM_KEYS) {
        const struct weir_str *last = &path->segments[type_at - 1];
        const char *begin = path->segments[path->skip].p;
        check_key(linter, path, weir_str(begin, (size_t)(last->p + last->n - begin)));
    }
    if (!can_follow(path, type_at)) {
        found(linter, false,
                "%.*s: no value is ever here; values stand below S, N, B, BOOL, NULL, SS, NS "
                "and BS",
                WEIR_STR_ARG(path->text));
        return HOLDS_NOTHING;
    }
    return holds_of_type(weir_type_parse(path->segments[path->count - 1]));
}

/* Warn when the stream's view leaves out what a path needs. */
static bool is_in_view(const struct linter *linter, const struct weir_pattern_path *path)
{
    enum weir_view_type view = linter->lint->view;
    bool wanted_new = path->origin == WEIR_PATTERN_FROM_NEW;
    bool wanted_old = path->origin == WEIR_PATTERN_FROM_OLD;
    if (view == WEIR_VIEW_NONE || view == WEIR_VIEW_NEW_AND_OLD_IMAGES ||
            (!wanted_new && !wanted_old) || (wanted_new && view == WEIR_VIEW_NEW_IMAGE) ||
            (wanted_old && view == WEIR_VIEW_OLD_IMAGE)) {
        return true;
    }
    found(linter, false, "%.*s: the stream's view %s does not carry it", WEIR_STR_ARG(path->text),
            weir_view_type_name(view));
    return false;
}

static enum holds holds_of_path(const struct linter *linter, const struct weir_pattern_path *path)
{
    switch (path->origin) {
    case WEIR_PATTERN_FROM_NOWHERE:
        return unknown_path(linter, path);
    case WEIR_PATTERN_FROM_CREATED:
    case WEIR_PATTERN_FROM_SIZE:
        return HOLDS_NUMBER;
    case WEIR_PATTERN_FROM_KEYS:
    case WEIR_PATTERN_FROM_NEW:
    case WEIR_PATTERN_FROM_OLD:
        if (!is_in_view(linter, path)) {
            return HOLDS_NOTHING;
        }
        if (path->mode == WEIR_PATTERN_AWS) {
            return holds_of_attribute(linter, path);
        }
        if (path->origin == WEIR_PATTERN_FROM_KEYS && path->count > 1) {
            check_key(linter, path, path->segments[1]);
        }
        return HOLDS_ANY;
    case WEIR_PATTERN_FROM_EVENT_NAME:
    case WEIR_PATTERN_FROM_EVENT_ID:
    case WEIR_PATTERN_FROM_EVENT_VERSION:
    case WEIR_PATTERN_FROM_EVENT_SOURCE:
    case WEIR_PATTERN_FROM_REGION:
    case WEIR_PATTERN_FROM_ARN:
    case WEIR_PATTERN_FROM_IDENTITY_TYPE:
    case WEIR_PATTERN_FROM_IDENTITY_PRINCIPAL:
    case WEIR_PATTERN_FROM_SEQUENCE:
    case WEIR_PATTERN_FROM_VIEW:
        break;
    }
    return HOLDS_TEXT;
}

/* --- alternatives ------------------------------------------------------- */

static const char *name_of(enum holds holds)
{
    static const char *const names[] = { "nothing", "strings", "a number", "true or false", "true",
        "any value" };
    return names[holds];
}

/* Whether a matcher can match what a path holds. */
static bool can_match(const struct weir_pattern_matcher *matcher, enum holds holds)
{
    switch (matcher->op) {
    case WEIR_PATTERN_OP_NUMBER:
    case WEIR_PATTERN_OP_NUMBER_TEXT:
    case WEIR_PATTERN_OP_RANGE:
        return holds == HOLDS_NUMBER;
    case WEIR_PATTERN_OP_TRUE:
        return holds == HOLDS_BOOL || holds == HOLDS_TRUE;
    case WEIR_PATTERN_OP_FALSE:
        return holds == HOLDS_BOOL;
    case WEIR_PATTERN_OP_NULL:
        return false;
    case WEIR_PATTERN_OP_NOT:
        return true;
    case WEIR_PATTERN_OP_PREFIX:
    case WEIR_PATTERN_OP_SUFFIX:
    case WEIR_PATTERN_OP_FOLD:
    case WEIR_PATTERN_OP_FOLD_PREFIX:
    case WEIR_PATTERN_OP_FOLD_SUFFIX:
    case WEIR_PATTERN_OP_WILDCARD:
    case WEIR_PATTERN_OP_CIDR:
        return holds == HOLDS_TEXT;
    case WEIR_PATTERN_OP_CHANGED:
    case WEIR_PATTERN_OP_UNCHANGED:
    case WEIR_PATTERN_OP_CHANGED_FROM:
    case WEIR_PATTERN_OP_CHANGED_TO:
    case WEIR_PATTERN_OP_INCREASED:
    case WEIR_PATTERN_OP_DECREASED:
    case WEIR_PATTERN_OP_CROSSED:
    case WEIR_PATTERN_OP_VERSUS_OLD:
        break; /* item mode only */
    }
    return true;
}

static bool is_number_text(const struct weir_pattern_path *path)
{
    enum weir_type type = weir_type_parse(path->segments[path->count - 1]);
    return path->skip > 0 && (type == WEIR_TYPE_N || type == WEIR_TYPE_NS);
}

static bool is_event(const struct linter *linter, struct weir_str path, struct weir_str text)
{
    static const char *const events[] = { "INSERT", "MODIFY", "REMOVE" };
    for (size_t i = 0; i < WEIR_COUNT(events); i++) {
        if (weir_str_eq(text, weir_str_z(events[i]))) {
            return true;
        }
    }
    found(linter, false, "%.*s: there is no event '%.*s'; expected INSERT, MODIFY or REMOVE",
            WEIR_STR_ARG(path), WEIR_STR_ARG(text));
    return false;
}

/* Whether a number's text is the one that records carry. */
static bool is_plain_number(const struct linter *linter, struct weir_str path, struct weir_str text)
{
    struct weir_decimal value;
    char plain[WEIR_DECIMAL_TEXT];
    if (weir_decimal_parse(text, &value, NULL) != WEIR_OK) {
        found(linter, false, "%.*s: '%.*s' is not a number", WEIR_STR_ARG(path),
                WEIR_STR_ARG(text));
        return false;
    }
    size_t n = weir_decimal_format(value, plain);
    if (!weir_str_eq(weir_str(plain, n), text)) {
        found(linter, false, "%.*s: numbers are compared as text, and this one is written '%s'",
                WEIR_STR_ARG(path), plain);
        return false;
    }
    return true;
}

/* Whether a string can be at a path; says so when it cannot. */
static bool string_can_match(
        const struct linter *linter, const struct weir_pattern_path *path, struct weir_str text)
{
    if (path->origin == WEIR_PATTERN_FROM_EVENT_NAME) {
        return is_event(linter, path->text, text);
    }
    return path->mode != WEIR_PATTERN_AWS || !is_number_text(path) ||
           is_plain_number(linter, path->text, text);
}

static bool strings_can_match(const struct linter *linter, const struct weir_pattern_path *path,
        const struct weir_pattern_field *field, enum holds holds)
{
    bool can = false;
    for (size_t i = 0; i < field->choice.string_count; i++) {
        if (holds == HOLDS_TEXT || holds == HOLDS_ANY) {
            can |= string_can_match(linter, path, field->choice.strings[i]);
            continue;
        }
        found(linter, false, "%.*s: holds %s, never the string '%.*s'", WEIR_STR_ARG(path->text),
                name_of(holds), WEIR_STR_ARG(field->choice.strings[i]));
    }
    return can;
}

static bool matchers_can_match(const struct linter *linter, const struct weir_pattern_path *path,
        const struct weir_pattern_field *field, enum holds holds)
{
    bool can = false;
    for (size_t i = 0; i < field->choice.matcher_count; i++) {
        if (holds == HOLDS_ANY || can_match(&field->choice.matchers[i], holds)) {
            can = true;
        } else if (path->mode == WEIR_PATTERN_AWS && is_number_text(path)) {
            found(linter, false,
                    "%.*s: N is a string in the record, so a number, numeric or a literal never "
                    "matches it; use the number's text, or an item pattern",
                    WEIR_STR_ARG(path->text));
        } else {
            found(linter, false, "%.*s: holds %s, which an alternative here never matches",
                    WEIR_STR_ARG(path->text), name_of(holds));
        }
    }
    return can;
}

/* Whether a field can match; says what cannot. */
static bool check_field(struct linter *linter, const struct weir_pattern_field *field)
{
    const struct weir_pattern_path *path = &linter->set->paths[field->path];
    linter->pos = field->pos;
    enum holds holds = holds_of_path(linter, path);
    if (holds == HOLDS_NOTHING) {
        if (field->absent) {
            found(linter, false, "%.*s: exists false is always true here",
                    WEIR_STR_ARG(path->text));
        }
        return field->absent;
    }
    bool can = field->exists || field->absent || field->whole_count > 0;
    can |= strings_can_match(linter, path, field, holds);
    can |= matchers_can_match(linter, path, field, holds);
    return can;
}

/* A field of the pattern, which several rules may share, and whether it can match. */
struct checked {
    const struct weir_pattern_field *field;
    bool can;
};

static int compare_checked(const void *a, const void *b)
{
    const struct weir_pattern_field *x = ((const struct checked *)a)->field;
    const struct weir_pattern_field *y = ((const struct checked *)b)->field;
    return (x->pos > y->pos) - (x->pos < y->pos);
}

/* All fields of a pattern, each once, by place in its text. */
static struct checked *collect_fields(const struct weir_pattern_set *set,
        const struct weir_pattern_entry *entry, size_t *ret_count)
{
    size_t total = 0;
    for (uint32_t r = 0; r < entry->rule_count; r++) {
        total += set->rules[entry->first_rule + r].count;
    }
    struct checked *fields = weir_alloc(total * sizeof(*fields));
    size_t count = 0;
    for (uint32_t r = 0; r < entry->rule_count; r++) {
        const struct weir_pattern_rule *rule = &set->rules[entry->first_rule + r];
        for (uint32_t f = 0; f < rule->count; f++) {
            fields[count++] = (struct checked){ rule->fields[f], false };
        }
    }
    qsort(fields, count, sizeof(*fields), compare_checked);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || fields[kept - 1].field != fields[i].field) {
            fields[kept++] = fields[i];
        }
    }
    *ret_count = kept;
    return fields;
}

/* Whether all fields of a rule can match. */
static bool can_hold(
        const struct weir_pattern_rule *rule, const struct checked *fields, size_t count)
{
    for (uint32_t f = 0; f < rule->count; f++) {
        struct checked key = { rule->fields[f], false };
        const struct checked *hit = bsearch(&key, fields, count, sizeof(*fields), compare_checked);
        if (hit == NULL || !hit->can) {
            return false;
        }
    }
    return true;
}

/* AWS's engine stops at the end of the object, so what follows has no meaning. */
static void check_rest(struct linter *linter, const struct weir_pattern_entry *entry)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, entry->text, &arena, WEIR_PATTERN_MAX_DEPTH);
    if (weir_json_skip(&json, weir_json_next(&json), NULL) == WEIR_OK &&
            weir_json_next(&json) != WEIR_JSON_END) {
        linter->pos = json.err.pos;
        found(linter, false, "text behind the pattern is ignored");
    }
    weir_arena_fini(&arena);
}

void weir_pattern_set_lint(
        const struct weir_pattern_set *set, size_t index, const struct weir_pattern_lint *lint)
{
    weir_assert(index < set->entry_count);
    const struct weir_pattern_entry *entry = &set->entries[index];
    struct linter linter = { set, lint, 0 };
    size_t count = 0;
    struct checked *fields = collect_fields(set, entry, &count);
    for (size_t i = 0; i < count; i++) {
        fields[i].can = check_field(&linter, fields[i].field);
    }
    bool can = false;
    for (uint32_t r = 0; r < entry->rule_count && !can; r++) {
        can = can_hold(&set->rules[entry->first_rule + r], fields, count);
    }
    weir_free(fields);
    check_rest(&linter, entry);
    if (!can) {
        linter.pos = 0;
        found(&linter, true, "the pattern never matches a record of this stream");
    }
}
