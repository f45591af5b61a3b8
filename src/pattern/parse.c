/* Compiles one pattern: walks its objects, multiplies out $or, makes rules. */
#include <stdlib.h>

#include "pattern/pattern_int.h"

/* "This path has this field", said after what is in `before`. */
struct assignment {
    const struct assignment *before;
    const struct weir_pattern_field *field;
    uint32_t count; /* of this and all before */
};

/* The rules so far, each by its last assignment (NULL: none yet). */
struct rules {
    const struct assignment **heads;
    size_t count;
};

struct parser {
    struct weir_json json;
    struct weir_pattern_set *set;
    enum weir_pattern_mode mode;
    struct weir_err *err;
    struct weir_str segments[WEIR_PATTERN_MAX_DEPTH + 1]; /* keys on the way */
    uint32_t depth;
    struct rules rules;
};

static enum weir_rc parse_object(struct parser *parser);

static enum weir_rc syntax_error(struct parser *parser)
{
    const struct weir_json *json = &parser->json;
    return weir_fail_at(parser->err, json->err.code, json->err.pos, "%s", json->err.msg);
}

static enum weir_rc unexpected(struct parser *parser, struct weir_str what, const char *expected,
        enum weir_json_token token)
{
    if (token == WEIR_JSON_ERROR) {
        return syntax_error(parser);
    }
    return weir_fail_at(parser->err, WEIR_E_INVALID, parser->json.pos,
            "%.*s: expected %s, found %s", WEIR_STR_ARG(what), expected,
            weir_json_token_name(token));
}

/* The keys on the way joined with dots. */
static struct weir_str path_text(struct parser *parser)
{
    size_t n = parser->depth;
    for (uint32_t i = 0; i < parser->depth; i++) {
        n += parser->segments[i].n;
    }
    char *text = weir_arena_alloc(&parser->set->arena, n + 1);
    size_t at = 0;
    for (uint32_t i = 0; i < parser->depth; i++) {
        if (i > 0) {
            text[at++] = '.';
        }
        if (parser->segments[i].n > 0) {
            memcpy(text + at, parser->segments[i].p, parser->segments[i].n);
            at += parser->segments[i].n;
        }
    }
    return weir_str(text, at);
}

/* --- paths -------------------------------------------------------------- */

/* In AWS mode dots inside keys divide as keys do. */
static uint32_t intern_aws(struct parser *parser, struct weir_str text)
{
    uint32_t count = 1;
    for (size_t i = 0; i < text.n; i++) {
        count += text.p[i] == '.';
    }
    struct weir_str *segments = weir_arena_alloc(&parser->set->arena, count * sizeof(*segments));
    size_t begin = 0;
    uint32_t at = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i == text.n || text.p[i] == '.') {
            segments[at++] = weir_str(text.p + begin, i - begin);
            begin = i + 1;
        }
    }
    return weir_pattern_intern(parser->set, WEIR_PATTERN_AWS, segments, count);
}

static enum weir_rc check_item_path(struct parser *parser, size_t pos)
{
    static const char *const names[] = { "new", "old", "keys", "event" };
    struct weir_str top = parser->segments[0];
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(top, weir_str_z(names[i]))) {
            return i == 3 && parser->depth > 1
                           ? weir_fail_at(parser->err, WEIR_E_INVALID, pos,
                                     "event: expected a list of event names like [\"INSERT\"]")
                           : WEIR_OK;
        }
    }
    const char *nearest = weir_str_nearest(top, names, WEIR_COUNT(names));
    return weir_fail_at(parser->err, WEIR_E_INVALID, pos,
            "'%.*s': an item pattern has new, old, keys and event at its top%s%s%s",
            WEIR_STR_ARG(top), nearest != NULL ? "; did you mean '" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static enum weir_rc intern(
        struct parser *parser, struct weir_str text, size_t pos, uint32_t *ret_path)
{
    if (parser->mode == WEIR_PATTERN_AWS) {
        *ret_path = intern_aws(parser, text);
        return WEIR_OK;
    }
    enum weir_rc rc = check_item_path(parser, pos);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_str *segments =
            weir_arena_alloc(&parser->set->arena, parser->depth * sizeof(*segments));
    memcpy(segments, parser->segments, parser->depth * sizeof(*segments));
    *ret_path = weir_pattern_intern(parser->set, WEIR_PATTERN_ITEM, segments, parser->depth);
    return WEIR_OK;
}

/* --- fields ------------------------------------------------------------- */

/* Read the alternatives of the path in segments and give the field to every rule so far. */
static enum weir_rc parse_field(struct parser *parser)
{
    struct weir_arena *arena = &parser->set->arena;
    struct weir_pattern_field *field = WEIR_ARENA_NEW(arena, struct weir_pattern_field);
    struct weir_str text = path_text(parser);
    size_t pos = parser->json.pos;
    enum weir_rc rc =
            weir_pattern_parse_field(&parser->json, parser->mode, text, arena, field, parser->err);
    if (rc == WEIR_OK) {
        rc = intern(parser, text, pos, &field->path);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (field->whole_count > 0 && !weir_str_eq(parser->segments[0], WEIR_STR("new"))) {
        return weir_fail_at(parser->err, WEIR_E_INVALID, pos,
                "%.*s: comparing with the old item is for attributes under 'new'",
                WEIR_STR_ARG(text));
    }
    size_t total = 0;
    for (size_t i = 0; i < parser->rules.count; i++) {
        struct assignment *next = WEIR_ARENA_NEW(arena, struct assignment);
        next->before = parser->rules.heads[i];
        next->field = field;
        next->count = (next->before != NULL ? next->before->count : 0) + 1;
        parser->rules.heads[i] = next;
        total += next->count;
    }
    if (total > WEIR_PATTERN_MAX_CONDITIONS) {
        return weir_fail_at(parser->err, WEIR_E_TOO_LARGE, pos,
                "%.*s: the pattern's $or multiply out to more than %d conditions",
                WEIR_STR_ARG(text), WEIR_PATTERN_MAX_CONDITIONS);
    }
    return WEIR_OK;
}

/* --- $or ---------------------------------------------------------------- */

/* Names of matchers: an object with one of these is a matcher, not a branch. */
static bool is_reserved(struct weir_str name)
{
    static const char *const names[] = { "exactly", "prefix", "suffix", "equals-ignore-case",
        "anything-but", "exists", "wildcard", "numeric", "cidr", "=", "<", "<=", ">",
        ">=", "regular", "regex" };
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(name, weir_str_z(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Whether an object has only names of fields; the OBJECT token was just read. */
static bool is_branch(struct weir_json *json)
{
    for (;;) {
        enum weir_json_token token = weir_json_next(json);
        if (token == WEIR_JSON_OBJECT_END) {
            return true;
        }
        if (token != WEIR_JSON_NAME || is_reserved(json->text) ||
                weir_json_skip(json, token, NULL) != WEIR_OK) {
            return false;
        }
    }
}

/* Look ahead whether the array behind "$or" is one of two or more branches. */
static bool is_or(const struct parser *parser)
{
    struct weir_json ahead = parser->json;
    for (size_t branches = 0;; branches++) {
        enum weir_json_token token = weir_json_next(&ahead);
        if (token == WEIR_JSON_ARRAY_END) {
            return branches >= 2;
        }
        if (token != WEIR_JSON_OBJECT || !is_branch(&ahead)) {
            return false;
        }
    }
}

static const struct assignment **room_for(struct parser *parser, size_t count)
{
    return weir_arena_alloc(&parser->set->arena, count * sizeof(struct assignment *));
}

/* The ARRAY token was just read, and is_or said yes. */
static enum weir_rc parse_or(struct parser *parser)
{
    struct rules base = parser->rules;
    struct rules all = { room_for(parser, WEIR_PATTERN_MAX_COMBINATIONS), 0 };
    while (weir_json_next(&parser->json) == WEIR_JSON_OBJECT) {
        parser->rules.heads = room_for(parser, base.count);
        memcpy(parser->rules.heads, base.heads, base.count * sizeof(*base.heads));
        parser->rules.count = base.count;
        enum weir_rc rc = parse_object(parser);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (all.count + parser->rules.count > WEIR_PATTERN_MAX_COMBINATIONS) {
            return weir_fail_at(parser->err, WEIR_E_TOO_LARGE, parser->json.pos,
                    "$or: the branches multiply out to more than %d combinations",
                    WEIR_PATTERN_MAX_COMBINATIONS);
        }
        memcpy(all.heads + all.count, parser->rules.heads,
                parser->rules.count * sizeof(*all.heads));
        all.count += parser->rules.count;
    }
    parser->rules = all;
    return WEIR_OK;
}

/* --- objects ------------------------------------------------------------ */

static enum weir_rc parse_member(struct parser *parser)
{
    struct weir_str name = parser->json.text;
    enum weir_json_token token = weir_json_next(&parser->json);
    if (token == WEIR_JSON_ARRAY && weir_str_eq(name, WEIR_STR("$or")) && is_or(parser)) {
        return parse_or(parser);
    }
    if (token != WEIR_JSON_ARRAY && token != WEIR_JSON_OBJECT) {
        return unexpected(parser, name, "an object, or a list of alternatives like [\"x\"]", token);
    }
    parser->segments[parser->depth++] = name;
    enum weir_rc rc = token == WEIR_JSON_ARRAY ? parse_field(parser) : parse_object(parser);
    parser->depth--;
    return rc;
}

/* The OBJECT token was just read. Its depth is limited by the reader. */
static enum weir_rc parse_object(struct parser *parser)
{
    size_t pos = parser->json.pos;
    enum weir_json_token token = weir_json_next(&parser->json);
    if (token == WEIR_JSON_OBJECT_END) {
        return weir_fail_at(parser->err, WEIR_E_INVALID, pos,
                "%.*s: an empty object; expected at least one field",
                WEIR_STR_ARG(parser->depth > 0 ? path_text(parser) : WEIR_STR("the pattern")));
    }
    for (; token == WEIR_JSON_NAME; token = weir_json_next(&parser->json)) {
        enum weir_rc rc = parse_member(parser);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return token == WEIR_JSON_OBJECT_END ? WEIR_OK
                                         : unexpected(parser, WEIR_STR("pattern"), "a key", token);
}

/* --- rules -------------------------------------------------------------- */

struct placed {
    const struct weir_pattern_field *field;
    struct weir_str text;
    uint32_t place; /* a later assignment comes first */
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a;
    const struct placed *y = b;
    int order = weir_str_cmp(x->text, y->text);
    if (order == 0) {
        order = (x->field->path > y->field->path) - (x->field->path < y->field->path);
    }
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

/* Of two assignments to one path the later wins; fields are sorted by path. */
static void finish_rule(struct parser *parser, const struct assignment *head, uint32_t pattern)
{
    struct weir_arena *arena = &parser->set->arena;
    struct placed *placed = weir_arena_alloc(arena, head->count * sizeof(*placed));
    uint32_t count = 0;
    for (const struct assignment *at = head; at != NULL; at = at->before) {
        placed[count] =
                (struct placed){ at->field, parser->set->paths[at->field->path].text, count };
        count++;
    }
    qsort(placed, count, sizeof(*placed), compare_placed);
    const struct weir_pattern_field **fields =
            weir_arena_alloc(arena, count * sizeof(struct weir_pattern_field *));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || fields[kept - 1]->path != placed[i].field->path) {
            fields[kept++] = placed[i].field;
        }
    }
    weir_pattern_add_rule(parser->set, pattern, fields, kept);
}

enum weir_rc weir_pattern_parse(struct weir_pattern_set *set, struct weir_str text,
        enum weir_pattern_mode mode, uint32_t pattern, struct weir_err *err)
{
    const struct assignment *start[1] = { NULL };
    struct parser parser = { .set = set, .mode = mode, .err = err, .rules = { start, 1 } };
    weir_json_init(&parser.json, text, &set->arena, WEIR_PATTERN_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&parser.json);
    if (token != WEIR_JSON_OBJECT) {
        return unexpected(&parser, WEIR_STR("pattern"), "an object", token);
    }
    enum weir_rc rc = parse_object(&parser);
    if (rc != WEIR_OK) {
        return rc;
    }
    /* AWS's engine stops reading here, and patterns with text behind them exist: lint warns. */
    token = mode == WEIR_PATTERN_AWS ? WEIR_JSON_END : weir_json_next(&parser.json);
    if (token != WEIR_JSON_END) {
        return unexpected(&parser, WEIR_STR("pattern"), "nothing behind it", token);
    }
    for (size_t i = 0; i < parser.rules.count; i++) {
        finish_rule(&parser, parser.rules.heads[i], pattern);
    }
    return WEIR_OK;
}
