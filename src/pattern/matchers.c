/* Compiles one array of alternatives: literals and matchers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pattern/pattern_int.h"

/* What is collected while the array is read. */
struct builder {
    struct weir_json *json;
    struct weir_arena *arena;
    struct weir_str path; /* for messages */
    bool item_mode;
    struct weir_err *err;
    struct weir_pattern_field *field; /* NULL inside a matcher */
    struct weir_str *strings;
    size_t string_count, string_capacity;
    struct weir_pattern_matcher *matchers;
    size_t matcher_count, matcher_capacity;
    struct weir_pattern_matcher *wholes;
    size_t whole_count, whole_capacity;
};

/* Room for one more in an array of the arena. */
static void *grow(
        struct weir_arena *arena, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity) {
        return array;
    }
    size_t wider = *capacity > 0 ? *capacity * 2 : 4;
    void *copy = weir_arena_alloc(arena, wider * size);
    if (count > 0) {
        memcpy(copy, array, count * size);
    }
    *capacity = wider;
    return copy;
}

static void add_string(struct builder *builder, struct weir_str text)
{
    builder->strings = grow(builder->arena, builder->strings, builder->string_count,
            &builder->string_capacity, sizeof(*builder->strings));
    builder->strings[builder->string_count++] = text;
}

static struct weir_pattern_matcher *add_matcher(struct builder *builder, enum weir_pattern_op op)
{
    builder->matchers = grow(builder->arena, builder->matchers, builder->matcher_count,
            &builder->matcher_capacity, sizeof(*builder->matchers));
    struct weir_pattern_matcher *matcher = &builder->matchers[builder->matcher_count++];
    *matcher = (struct weir_pattern_matcher){ .op = op, .item_mode = builder->item_mode };
    return matcher;
}

static struct weir_pattern_matcher *add_whole(struct builder *builder, enum weir_pattern_op op)
{
    builder->wholes = grow(builder->arena, builder->wholes, builder->whole_count,
            &builder->whole_capacity, sizeof(*builder->wholes));
    struct weir_pattern_matcher *matcher = &builder->wholes[builder->whole_count++];
    *matcher = (struct weir_pattern_matcher){ .op = op, .item_mode = builder->item_mode };
    return matcher;
}

static int compare_strings(const void *a, const void *b)
{
    return weir_str_cmp(*(const struct weir_str *)a, *(const struct weir_str *)b);
}

static void finish(struct builder *builder, struct weir_pattern_choice *ret_choice)
{
    if (builder->string_count > 1) {
        qsort(builder->strings, builder->string_count, sizeof(*builder->strings), compare_strings);
    }
    *ret_choice = (struct weir_pattern_choice){ builder->strings, builder->string_count,
        builder->matchers, builder->matcher_count };
}

/* A builder for the values inside a matcher. */
static struct builder inner_of(const struct builder *builder)
{
    return (struct builder){ .json = builder->json,
        .arena = builder->arena,
        .path = builder->path,
        .item_mode = builder->item_mode,
        .err = builder->err };
}

/* --- errors ------------------------------------------------------------- */

/* "a.b: prefix: expected a string, found a number" */
static enum weir_rc unexpected(struct builder *builder, const char *matcher, const char *expected,
        enum weir_json_token token)
{
    const struct weir_json *json = builder->json;
    if (token == WEIR_JSON_ERROR) {
        return weir_fail_at(builder->err, json->err.code, json->err.pos, "%s", json->err.msg);
    }
    return weir_fail_at(builder->err, WEIR_E_INVALID, json->pos, "%.*s: %s: expected %s, found %s",
            WEIR_STR_ARG(builder->path), matcher, expected, weir_json_token_name(token));
}

/* "a.b: wildcard: two stars in a row" */
__attribute__((format(printf, 2, 3))) static enum weir_rc wrong(
        struct builder *builder, const char *fmt, ...)
{
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return weir_fail_at(builder->err, WEIR_E_INVALID, builder->json->pos, "%.*s: %s",
            WEIR_STR_ARG(builder->path), text);
}

/* --- literals ----------------------------------------------------------- */

static enum weir_rc add_number(struct builder *builder)
{
    struct weir_str text = builder->json->text;
    if (builder->item_mode) {
        struct weir_decimal value;
        if (weir_decimal_parse(text, &value, NULL) != WEIR_OK) {
            return wrong(builder, "'%.*s' is not a number of up to 38 digits", WEIR_STR_ARG(text));
        }
        add_matcher(builder, WEIR_PATTERN_OP_NUMBER)->low_decimal = value;
        return WEIR_OK;
    }
    double value = 0;
    if (weir_pattern_number(text, &value)) {
        add_matcher(builder, WEIR_PATTERN_OP_NUMBER)->low_number = value;
    } else {
        add_matcher(builder, WEIR_PATTERN_OP_NUMBER_TEXT)->text = text;
    }
    return WEIR_OK;
}

/* A string that is an IP address matches every way to write that address. */
static void add_exact(struct builder *builder, struct weir_str text)
{
    unsigned char address[16];
    unsigned size = builder->item_mode ? 0 : weir_pattern_address(text, address);
    if (size == 0) {
        add_string(builder, text);
        return;
    }
    struct weir_pattern_matcher *matcher = add_matcher(builder, WEIR_PATTERN_OP_CIDR);
    memcpy(matcher->address, address, size);
    matcher->address_size = size;
    matcher->address_bits = size * 8;
    matcher->text = text;
}

/* --- texts -------------------------------------------------------------- */

static enum weir_rc set_fold(
        struct builder *builder, struct weir_pattern_matcher *matcher, struct weir_str text)
{
    matcher->text = text;
    if (!builder->item_mode) {
        matcher->letters = weir_pattern_letters(builder->arena, text, &matcher->letter_count);
    }
    return WEIR_OK;
}

static enum weir_rc add_wildcard(struct builder *builder, struct weir_str text)
{
    struct weir_str *pieces = weir_arena_alloc(builder->arena, (text.n + 1) * sizeof(*pieces));
    char *plain = weir_arena_alloc(builder->arena, text.n + 1);
    size_t count = 0;
    size_t n = 0;
    size_t begin = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '*') {
            if (i > 0 && text.p[i - 1] == '*' && n == begin && count > 0) {
                return wrong(
                        builder, "wildcard: two stars in a row at character %zu; one is enough", i);
            }
            pieces[count++] = weir_str(plain + begin, n - begin);
            begin = n;
            continue;
        }
        if (c == '\\') {
            if (i + 1 >= text.n || (text.p[i + 1] != '*' && text.p[i + 1] != '\\')) {
                return wrong(builder,
                        "wildcard: the backslash at character %zu must be followed by * or \\", i);
            }
            c = text.p[++i];
        }
        plain[n++] = c;
    }
    pieces[count++] = weir_str(plain + begin, n - begin);
    struct weir_pattern_matcher *matcher = add_matcher(builder, WEIR_PATTERN_OP_WILDCARD);
    matcher->text = text;
    matcher->pieces = pieces;
    matcher->piece_count = count;
    return WEIR_OK;
}

/* The kinds of text matchers that stand alone or inside anything-but. */
enum text_kind { TEXT_PREFIX, TEXT_SUFFIX, TEXT_FOLD, TEXT_WILDCARD, TEXT_NONE };

static const char *const text_names[] = { "prefix", "suffix", "equals-ignore-case", "wildcard" };

static enum text_kind text_kind_of(struct weir_str name)
{
    for (int i = 0; i < TEXT_NONE; i++) {
        if (weir_str_eq(name, weir_str_z(text_names[i]))) {
            return (enum text_kind)i;
        }
    }
    return TEXT_NONE;
}

static enum weir_rc add_text(struct builder *builder, enum text_kind kind, struct weir_str text)
{
    switch (kind) {
    case TEXT_PREFIX:
        add_matcher(builder, WEIR_PATTERN_OP_PREFIX)->text = text;
        return WEIR_OK;
    case TEXT_SUFFIX:
        add_matcher(builder, WEIR_PATTERN_OP_SUFFIX)->text = text;
        return WEIR_OK;
    case TEXT_FOLD:
        return set_fold(builder, add_matcher(builder, WEIR_PATTERN_OP_FOLD), text);
    case TEXT_WILDCARD:
        return add_wildcard(builder, text);
    case TEXT_NONE:
        break;
    }
    return WEIR_OK;
}

/* {"prefix": {"equals-ignore-case": "x"}}: the OBJECT token was just read. */
static enum weir_rc read_folded(struct builder *builder, enum text_kind kind)
{
    struct weir_json *json = builder->json;
    enum weir_json_token token = weir_json_next(json);
    if (token != WEIR_JSON_NAME || !weir_str_eq(json->text, weir_str_z(text_names[TEXT_FOLD]))) {
        return token == WEIR_JSON_NAME
                       ? wrong(builder, "%s: expected 'equals-ignore-case', found '%.*s'",
                                 text_names[kind], WEIR_STR_ARG(json->text))
                       : unexpected(builder, text_names[kind], "'equals-ignore-case'", token);
    }
    token = weir_json_next(json);
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, text_names[TEXT_FOLD], "a string", token);
    }
    bool prefix = kind == TEXT_PREFIX;
    set_fold(builder,
            add_matcher(
                    builder, prefix ? WEIR_PATTERN_OP_FOLD_PREFIX : WEIR_PATTERN_OP_FOLD_SUFFIX),
            json->text);
    token = weir_json_next(json);
    return token == WEIR_JSON_OBJECT_END
                   ? WEIR_OK
                   : unexpected(builder, text_names[kind], "one key only", token);
}

static enum weir_rc read_text(struct builder *builder, enum text_kind kind)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token == WEIR_JSON_STRING) {
        return add_text(builder, kind, builder->json->text);
    }
    if (token == WEIR_JSON_OBJECT && (kind == TEXT_PREFIX || kind == TEXT_SUFFIX)) {
        return read_folded(builder, kind);
    }
    return unexpected(builder, text_names[kind], "a string", token);
}

/* --- anything-but ------------------------------------------------------- */

static enum weir_rc add_but_text(struct builder *inner, enum text_kind kind)
{
    if ((kind == TEXT_PREFIX || kind == TEXT_SUFFIX) && inner->json->text.n == 0) {
        return wrong(
                inner, "anything-but: an empty %s would exclude every string", text_names[kind]);
    }
    return add_text(inner, kind, inner->json->text);
}

/* {"anything-but": {"prefix": "a" or ["a", ..]}}: the OBJECT token was just read. */
static enum weir_rc read_but_object(struct builder *inner)
{
    struct weir_json *json = inner->json;
    enum weir_json_token token = weir_json_next(json);
    enum text_kind kind = token == WEIR_JSON_NAME ? text_kind_of(json->text) : TEXT_NONE;
    if (kind == TEXT_NONE) {
        return token == WEIR_JSON_NAME ? wrong(inner,
                                                 "anything-but: expected prefix, suffix, "
                                                 "equals-ignore-case or wildcard, "
                                                 "found '%.*s'",
                                                 WEIR_STR_ARG(json->text))
                                       : unexpected(inner, "anything-but", "a matcher", token);
    }
    token = weir_json_next(json);
    bool list = token == WEIR_JSON_ARRAY;
    if (list) {
        token = weir_json_next(json);
    }
    do {
        if (token != WEIR_JSON_STRING) {
            return unexpected(inner, text_names[kind], "a string", token);
        }
        enum weir_rc rc = add_but_text(inner, kind);
        if (rc != WEIR_OK) {
            return rc;
        }
    } while (list && (token = weir_json_next(json)) != WEIR_JSON_ARRAY_END);
    token = weir_json_next(json);
    return token == WEIR_JSON_OBJECT_END ? WEIR_OK
                                         : unexpected(inner, "anything-but", "one key only", token);
}

static enum weir_rc read_but_list(struct builder *inner)
{
    struct weir_json *json = inner->json;
    enum weir_json_token first = weir_json_next(json);
    enum weir_json_token token = first;
    if (token != WEIR_JSON_STRING && token != WEIR_JSON_NUMBER) {
        return unexpected(inner, "anything-but", "strings or numbers", token);
    }
    for (; token != WEIR_JSON_ARRAY_END; token = weir_json_next(json)) {
        if (token != first) {
            return unexpected(inner, "anything-but",
                    first == WEIR_JSON_STRING ? "strings only" : "numbers only", token);
        }
        if (token == WEIR_JSON_STRING) {
            add_string(inner, json->text);
            continue;
        }
        enum weir_rc rc = add_number(inner);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static enum weir_rc read_but(struct builder *builder)
{
    struct builder inner = inner_of(builder);
    enum weir_json_token token = weir_json_next(builder->json);
    enum weir_rc rc = WEIR_OK;
    if (token == WEIR_JSON_STRING) {
        add_string(&inner, builder->json->text);
    } else if (token == WEIR_JSON_NUMBER) {
        rc = add_number(&inner);
    } else if (token == WEIR_JSON_ARRAY) {
        rc = read_but_list(&inner);
    } else if (token == WEIR_JSON_OBJECT) {
        rc = read_but_object(&inner);
    } else {
        rc = unexpected(builder, "anything-but", "a string, a number, a list or a matcher", token);
    }
    if (rc == WEIR_OK) {
        finish(&inner, &add_matcher(builder, WEIR_PATTERN_OP_NOT)->inner);
    }
    return rc;
}

/* --- numeric ------------------------------------------------------------ */

/* The relations to the bound that an operator allows; 0: no such operator. */
static unsigned relation_of(struct weir_str text)
{
    static const struct {
        const char *text;
        unsigned relation;
    } operators[] = {
        { "<", WEIR_PATTERN_LESS },
        { "<=", WEIR_PATTERN_LESS | WEIR_PATTERN_EQUAL },
        { ">", WEIR_PATTERN_GREATER },
        { ">=", WEIR_PATTERN_GREATER | WEIR_PATTERN_EQUAL },
        { "=", WEIR_PATTERN_EQUAL },
    };
    for (size_t i = 0; i < WEIR_COUNT(operators); i++) {
        if (weir_str_eq(text, weir_str_z(operators[i].text))) {
            return operators[i].relation;
        }
    }
    return 0;
}

static enum weir_rc read_bound(struct builder *builder, const char *name, double *ret_number,
        struct weir_decimal *ret_decimal)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_NUMBER) {
        return unexpected(builder, name, "a number", token);
    }
    struct weir_str text = builder->json->text;
    if (builder->item_mode) {
        return weir_decimal_parse(text, ret_decimal, NULL) == WEIR_OK
                       ? WEIR_OK
                       : wrong(builder, "%s: '%.*s' is not a number of up to 38 digits", name,
                                 WEIR_STR_ARG(text));
    }
    return weir_pattern_number(text, ret_number)
                   ? WEIR_OK
                   : wrong(builder,
                             "%s: '%.*s' cannot be compared: no 64-bit floating-point number has "
                             "exactly this value",
                             name, WEIR_STR_ARG(text));
}

/* The second pair of a range, its first token being the operator. */
static enum weir_rc read_upper(
        struct builder *builder, struct weir_pattern_matcher *range, enum weir_json_token token)
{
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, "numeric", "an operator or the list's end", token);
    }
    if ((range->low & WEIR_PATTERN_GREATER) == 0) {
        return wrong(builder, "numeric: a second bound can only follow > or >=");
    }
    range->high = relation_of(builder->json->text);
    if ((range->high & WEIR_PATTERN_LESS) == 0) {
        return wrong(builder, "numeric: the second operator must be < or <=, found '%.*s'",
                WEIR_STR_ARG(builder->json->text));
    }
    enum weir_rc rc = read_bound(builder, "numeric", &range->high_number, &range->high_decimal);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool ordered = builder->item_mode
                           ? weir_decimal_cmp(range->low_decimal, range->high_decimal) < 0
                           : range->low_number < range->high_number;
    if (!ordered) {
        return wrong(builder, "numeric: the lower bound must be less than the upper one");
    }
    token = weir_json_next(builder->json);
    return token == WEIR_JSON_ARRAY_END
                   ? WEIR_OK
                   : unexpected(builder, "numeric", "at most two bounds", token);
}

static enum weir_rc read_numeric(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_ARRAY) {
        return unexpected(builder, "numeric", "a list like [\">\", 0, \"<=\", 5]", token);
    }
    token = weir_json_next(builder->json);
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, "numeric", "an operator", token);
    }
    struct weir_pattern_matcher range = { .op = WEIR_PATTERN_OP_RANGE,
        .item_mode = builder->item_mode };
    range.low = relation_of(builder->json->text);
    if (range.low == 0) {
        return wrong(builder, "numeric: expected one of < <= = >= >, found '%.*s'",
                WEIR_STR_ARG(builder->json->text));
    }
    enum weir_rc rc = read_bound(builder, "numeric", &range.low_number, &range.low_decimal);
    if (rc != WEIR_OK) {
        return rc;
    }
    token = weir_json_next(builder->json);
    if (token != WEIR_JSON_ARRAY_END) {
        rc = read_upper(builder, &range, token);
    }
    if (rc == WEIR_OK) {
        *add_matcher(builder, WEIR_PATTERN_OP_RANGE) = range;
    }
    return rc;
}

/* --- the other matchers ------------------------------------------------- */

static enum weir_rc read_cidr(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, "cidr", "a string", token);
    }
    struct weir_str text = builder->json->text;
    const char *slash = text.n > 0 ? memchr(text.p, '/', text.n) : NULL;
    if (slash == NULL) {
        return wrong(builder, "cidr: expected ADDRESS/BITS, found '%.*s'", WEIR_STR_ARG(text));
    }
    struct weir_str address = weir_str(text.p, (size_t)(slash - text.p));
    struct weir_str bits_text = weir_str(slash + 1, text.n - address.n - 1);
    struct weir_pattern_matcher *matcher = add_matcher(builder, WEIR_PATTERN_OP_CIDR);
    matcher->text = text;
    matcher->address_size = weir_pattern_address(address, matcher->address);
    if (matcher->address_size == 0) {
        return wrong(builder, "cidr: '%.*s' is not an IPv4 or IPv6 address", WEIR_STR_ARG(address));
    }
    uint64_t bits = 0;
    unsigned limit = matcher->address_size * 8;
    if (!weir_str_to_u64(bits_text, &bits) || bits >= limit) {
        return wrong(builder, "cidr: expected 0 to %u bits behind the '/', found '%.*s'", limit - 1,
                WEIR_STR_ARG(bits_text));
    }
    matcher->address_bits = (unsigned)bits;
    return WEIR_OK;
}

static enum weir_rc read_exists(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token == WEIR_JSON_TRUE) {
        builder->field->exists = true;
    } else if (token == WEIR_JSON_FALSE) {
        builder->field->absent = true;
    } else {
        return unexpected(builder, "exists", "true or false", token);
    }
    return WEIR_OK;
}

static enum weir_rc read_exactly(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, "exactly", "a string", token);
    }
    add_exact(builder, builder->json->text);
    return WEIR_OK;
}

/* --- item mode: the new item and the old one ---------------------------- */

static enum weir_rc read_alternative(struct builder *builder, enum weir_json_token token);

static enum weir_rc read_changed(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_TRUE && token != WEIR_JSON_FALSE) {
        return unexpected(builder, "changed", "true or false", token);
    }
    add_whole(
            builder, token == WEIR_JSON_TRUE ? WEIR_PATTERN_OP_CHANGED : WEIR_PATTERN_OP_UNCHANGED);
    return WEIR_OK;
}

/* The value, matcher or list of them that an old or new value is compared with. */
static enum weir_rc read_change(struct builder *builder, enum weir_pattern_op op)
{
    struct builder inner = inner_of(builder);
    enum weir_json_token token = weir_json_next(builder->json);
    bool list = token == WEIR_JSON_ARRAY;
    if (list) {
        token = weir_json_next(builder->json);
    }
    do {
        enum weir_rc rc = read_alternative(&inner, token);
        if (rc != WEIR_OK) {
            return rc;
        }
    } while (list && (token = weir_json_next(builder->json)) != WEIR_JSON_ARRAY_END);
    finish(&inner, &add_whole(builder, op)->inner);
    return WEIR_OK;
}

static enum weir_rc read_changed_from(struct builder *builder)
{
    return read_change(builder, WEIR_PATTERN_OP_CHANGED_FROM);
}

static enum weir_rc read_changed_to(struct builder *builder)
{
    return read_change(builder, WEIR_PATTERN_OP_CHANGED_TO);
}

static enum weir_rc read_amount(struct builder *builder, const char *name, enum weir_pattern_op op)
{
    struct weir_decimal amount = { 0 };
    enum weir_rc rc = read_bound(builder, name, NULL, &amount);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (op != WEIR_PATTERN_OP_CROSSED && amount.coefficient <= 0) {
        return wrong(builder, "%s: expected a number above 0", name);
    }
    add_whole(builder, op)->low_decimal = amount;
    return WEIR_OK;
}

static enum weir_rc read_increased(struct builder *builder)
{
    return read_amount(builder, "increased-by", WEIR_PATTERN_OP_INCREASED);
}

static enum weir_rc read_decreased(struct builder *builder)
{
    return read_amount(builder, "decreased-by", WEIR_PATTERN_OP_DECREASED);
}

static enum weir_rc read_crossed(struct builder *builder)
{
    return read_amount(builder, "crossed", WEIR_PATTERN_OP_CROSSED);
}

static enum weir_rc read_versus_old(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_STRING) {
        return unexpected(builder, "versus-old", "an operator", token);
    }
    unsigned relation = weir_str_eq(builder->json->text, WEIR_STR("!="))
                                ? WEIR_PATTERN_LESS | WEIR_PATTERN_GREATER
                                : relation_of(builder->json->text);
    if (relation == 0) {
        return wrong(builder, "versus-old: expected one of < <= = != >= >, found '%.*s'",
                WEIR_STR_ARG(builder->json->text));
    }
    add_whole(builder, WEIR_PATTERN_OP_VERSUS_OLD)->low = relation;
    return WEIR_OK;
}

/* --- dispatch ----------------------------------------------------------- */

static const struct {
    const char *name;
    bool outermost; /* not inside changed-from and changed-to */
    bool item_only;
    enum weir_rc (*read)(struct builder *builder);
} matchers[] = {
    { "anything-but", false, false, read_but },
    { "numeric", false, false, read_numeric },
    { "cidr", false, false, read_cidr },
    { "exactly", false, false, read_exactly },
    { "exists", true, false, read_exists },
    { "changed", true, true, read_changed },
    { "changed-from", true, true, read_changed_from },
    { "changed-to", true, true, read_changed_to },
    { "increased-by", true, true, read_increased },
    { "decreased-by", true, true, read_decreased },
    { "crossed", true, true, read_crossed },
    { "versus-old", true, true, read_versus_old },
};

static enum weir_rc unknown(struct builder *builder)
{
    static const char *const names[] = { "anything-but", "numeric", "cidr", "exactly", "exists",
        "prefix", "suffix", "equals-ignore-case", "wildcard", "changed", "changed-from",
        "changed-to", "increased-by", "decreased-by", "crossed", "versus-old" };
    struct weir_str name = builder->json->text;
    const char *nearest =
            weir_str_nearest(name, names, WEIR_COUNT(names) - (builder->item_mode ? 0 : 7));
    if (nearest != NULL && !weir_str_eq(name, weir_str_z(nearest))) {
        return wrong(
                builder, "unknown matcher '%.*s'; did you mean '%s'?", WEIR_STR_ARG(name), nearest);
    }
    return wrong(builder, "unknown matcher '%.*s'%s", WEIR_STR_ARG(name),
            nearest != NULL ? " in this place" : "");
}

/* Read a matcher's name and value; the OBJECT token was just read. */
static enum weir_rc read_matcher(struct builder *builder)
{
    enum weir_json_token token = weir_json_next(builder->json);
    if (token != WEIR_JSON_NAME) {
        return unexpected(builder, "a matcher", "a name", token);
    }
    struct weir_str name = builder->json->text;
    enum text_kind kind = text_kind_of(name);
    enum weir_rc rc = WEIR_OK;
    if (kind != TEXT_NONE) {
        rc = read_text(builder, kind);
    } else {
        size_t i = 0;
        while (i < WEIR_COUNT(matchers) && !weir_str_eq(name, weir_str_z(matchers[i].name))) {
            i++;
        }
        if (i == WEIR_COUNT(matchers) || (matchers[i].item_only && !builder->item_mode) ||
                (matchers[i].outermost && builder->field == NULL)) {
            return unknown(builder);
        }
        rc = matchers[i].read(builder);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    token = weir_json_next(builder->json);
    return token == WEIR_JSON_OBJECT_END ? WEIR_OK
                                         : unexpected(builder, "a matcher", "one key only", token);
}

static enum weir_rc read_alternative(struct builder *builder, enum weir_json_token token)
{
    if (token == WEIR_JSON_STRING) {
        add_exact(builder, builder->json->text);
    } else if (token == WEIR_JSON_NUMBER) {
        return add_number(builder);
    } else if (token == WEIR_JSON_TRUE) {
        add_matcher(builder, WEIR_PATTERN_OP_TRUE);
    } else if (token == WEIR_JSON_FALSE) {
        add_matcher(builder, WEIR_PATTERN_OP_FALSE);
    } else if (token == WEIR_JSON_NULL) {
        add_matcher(builder, WEIR_PATTERN_OP_NULL);
    } else if (token == WEIR_JSON_OBJECT) {
        return read_matcher(builder);
    } else {
        return unexpected(builder, "alternatives",
                "a string, a number, true, false, null or a matcher", token);
    }
    return WEIR_OK;
}

enum weir_rc weir_pattern_parse_field(struct weir_json *json, enum weir_pattern_mode mode,
        struct weir_str path, struct weir_arena *arena, struct weir_pattern_field *ret_field,
        struct weir_err *err)
{
    struct weir_pattern_field field = { .path = WEIR_PATTERN_NONE, .pos = json->pos };
    struct builder builder = { .json = json,
        .arena = arena,
        .path = path,
        .item_mode = mode == WEIR_PATTERN_ITEM,
        .err = err,
        .field = &field };
    enum weir_json_token token = weir_json_next(json);
    if (token == WEIR_JSON_ARRAY_END) {
        return wrong(&builder, "an empty list of alternatives; expected at least one");
    }
    for (; token != WEIR_JSON_ARRAY_END; token = weir_json_next(json)) {
        enum weir_rc rc = read_alternative(&builder, token);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    field.text = weir_str(json->input.p + field.pos, json->at - field.pos);
    finish(&builder, &field.choice);
    field.wholes = builder.wholes;
    field.whole_count = builder.whole_count;
    *ret_field = field;
    return WEIR_OK;
}
