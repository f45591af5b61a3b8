#include <stdarg.h>
#include <stdio.h>

#include "expr/expr_int.h"
#include "expr/regex_int.h"

/* RE2's syntax to a tree. Captures are groups only: nobody asks what they matched. */

struct flags {
    bool fold;   /* i */
    bool lines;  /* m: ^ and $ at lines */
    bool dot_nl; /* s: . is also a line break */
};

struct parser {
    struct weir_arena *arena;
    struct weir_str text;
    size_t at;
    unsigned nesting;
    struct flags flags;
    struct weir_err *err;
    enum weir_rc rc; /* sticky */
};

static struct weir_re *parse_alternatives(struct parser *parser);

static struct weir_re *fail(struct parser *parser, size_t pos, const char *what)
{
    if (parser->rc == WEIR_OK) {
        size_t n = parser->text.n < 80 ? parser->text.n : 80;
        parser->rc = weir_fail_at(parser->err, WEIR_E_INVALID, pos,
                "regular expression '%.*s': %s at %zu", (int)n, parser->text.p, what, pos);
    }
    return NULL;
}

static struct weir_re *fail_limit(struct parser *parser, const char *what)
{
    if (parser->rc == WEIR_OK) {
        parser->rc = weir_fail_at(
                parser->err, WEIR_E_LIMIT, parser->at, "regular expression has %s", what);
    }
    return NULL;
}

static bool more(const struct parser *parser)
{
    return parser->at < parser->text.n;
}

static char look(const struct parser *parser, size_t ahead)
{
    return parser->at + ahead < parser->text.n ? parser->text.p[parser->at + ahead] : '\0';
}

static bool accept(struct parser *parser, char c)
{
    if (more(parser) && look(parser, 0) == c) {
        parser->at++;
        return true;
    }
    return false;
}

static struct weir_re *node_new(struct parser *parser, enum weir_re_kind kind)
{
    struct weir_re *node = WEIR_ARENA_NEW(parser->arena, struct weir_re);
    node->kind = kind;
    return node;
}

static struct weir_re *node_class(struct parser *parser, struct weir_class *set, bool negate)
{
    if (parser->flags.fold) {
        weir_class_fold(set);
    }
    weir_class_finish(set, negate);
    struct weir_re *node = node_new(parser, WEIR_RE_CLASS);
    node->ranges = set->ranges;
    node->count = set->count;
    return node;
}

static struct weir_re *node_point(struct parser *parser, uint32_t point)
{
    struct weir_class set;
    weir_class_init(&set, parser->arena);
    weir_class_add(&set, point, point);
    return node_class(parser, &set, false);
}

static struct weir_re *node_assert(struct parser *parser, enum weir_re_assert assertion)
{
    struct weir_re *node = node_new(parser, WEIR_RE_ASSERT);
    node->assertion = assertion;
    return node;
}

static struct weir_re *node_dot(struct parser *parser)
{
    struct weir_class set;
    weir_class_init(&set, parser->arena);
    if (!parser->flags.dot_nl) {
        weir_class_add(&set, '\n', '\n');
    }
    weir_class_finish(&set, true);
    struct weir_re *node = node_new(parser, WEIR_RE_CLASS);
    node->ranges = set.ranges;
    node->count = set.count;
    return node;
}

/* --- escapes ------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \xHH or \x{H...}; at is behind the x. */
static bool hex_escape(struct parser *parser, uint32_t *ret_point)
{
    uint32_t point = 0;
    if (accept(parser, '{')) {
        size_t from = parser->at;
        while (hex_digit(look(parser, 0)) >= 0 && point <= 0x10ffff) {
            point = point * 16 + (uint32_t)hex_digit(look(parser, 0));
            parser->at++;
        }
        *ret_point = point;
        return parser->at > from && point <= 0x10ffff && accept(parser, '}');
    }
    for (int i = 0; i < 2; i++) {
        if (hex_digit(look(parser, 0)) < 0) {
            return false;
        }
        point = point * 16 + (uint32_t)hex_digit(look(parser, 0));
        parser->at++;
    }
    *ret_point = point;
    return true;
}

static bool is_ascii_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* An escape that stands for one code point; at is behind the backslash. */
static bool point_escape(struct parser *parser, uint32_t *ret_point)
{
    static const char names[] = "aftnrv";
    static const char values[] = "\a\f\t\n\r\v";
    if (!more(parser)) {
        return false;
    }
    char c = look(parser, 0);
    const char *simple = c != '\0' ? strchr(names, c) : NULL;
    if (simple != NULL) {
        parser->at++;
        *ret_point = (unsigned char)values[simple - names];
        return true;
    }
    if (c == 'x') {
        parser->at++;
        return hex_escape(parser, ret_point);
    }
    bool octal =
            c == '0' || (c >= '1' && c <= '7' && look(parser, 1) >= '0' && look(parser, 1) <= '7');
    if (octal) {
        uint32_t value = 0;
        for (int i = 0; i < 3 && look(parser, 0) >= '0' && look(parser, 0) <= '7'; i++) {
            value = value * 8 + (uint32_t)(look(parser, 0) - '0');
            parser->at++;
        }
        *ret_point = value;
        return true;
    }
    if (is_ascii_word(c)) {
        return false; /* \1 is a back reference; letters may get a meaning some day */
    }
    *ret_point = weir_utf8_next(parser->text, &parser->at);
    return true;
}

/* \d \W \pL \p{Greek} ...; at is on the letter. False without failing: not one of these. */
static bool class_escape(struct parser *parser, struct weir_class *set)
{
    char c = look(parser, 0);
    if (c != '\0' && strchr("dDwWsS", c) != NULL) {
        parser->at++;
        weir_class_add_perl(set, c);
        return true;
    }
    if (c != 'p' && c != 'P') {
        return false;
    }
    size_t pos = parser->at - 1;
    parser->at++;
    bool negate = c == 'P';
    struct weir_str name = { 0 };
    if (accept(parser, '{')) {
        size_t from = parser->at;
        while (more(parser) && look(parser, 0) != '}') {
            parser->at++;
        }
        name = weir_str(parser->text.p + from, parser->at - from);
        if (!accept(parser, '}')) {
            fail(parser, pos, "missing }");
            return true;
        }
    } else if (more(parser)) {
        name = weir_str(parser->text.p + parser->at, 1);
        parser->at++;
    }
    if (name.n > 0 && name.p[0] == '^') {
        negate = !negate;
        name = weir_str(name.p + 1, name.n - 1);
    }
    if (!weir_class_add_unicode(set, name, negate)) {
        fail(parser, pos, "unknown class");
    }
    return true;
}

/* --- [classes] ----------------------------------------------------------- */

static bool posix_class(struct parser *parser, struct weir_class *set)
{
    if (look(parser, 0) != '[' || look(parser, 1) != ':') {
        return false;
    }
    size_t end = parser->at + 2;
    while (end + 1 < parser->text.n &&
            !(parser->text.p[end] == ':' && parser->text.p[end + 1] == ']')) {
        end++;
    }
    if (end + 1 >= parser->text.n) {
        return false;
    }
    bool negate = look(parser, 2) == '^';
    size_t from = parser->at + 2 + (negate ? 1 : 0);
    struct weir_str name = weir_str(parser->text.p + from, end > from ? end - from : 0);
    if (!weir_class_add_posix(set, name, negate)) {
        fail(parser, parser->at, "unknown class");
    }
    parser->at = end + 2;
    return true;
}

/* One end of a range in a class. */
static bool class_point(struct parser *parser, uint32_t *ret_point)
{
    size_t pos = parser->at;
    if (!more(parser)) {
        fail(parser, pos, "missing ]");
        return false;
    }
    if (accept(parser, '\\')) {
        if (!point_escape(parser, ret_point)) {
            fail(parser, pos, "invalid escape");
            return false;
        }
        return true;
    }
    *ret_point = weir_utf8_next(parser->text, &parser->at);
    return true;
}

/* One member of a class: an escape, a code point or a range. */
static void class_member(struct parser *parser, struct weir_class *set)
{
    size_t pos = parser->at;
    uint32_t first = 0;
    uint32_t last = 0;
    if (posix_class(parser, set)) {
        return;
    }
    if (look(parser, 0) == '\\') {
        parser->at++;
        if (class_escape(parser, set)) {
            return;
        }
        parser->at--;
    }
    if (!class_point(parser, &first)) {
        return;
    }
    last = first;
    if (look(parser, 0) == '-' && parser->at + 1 < parser->text.n && look(parser, 1) != ']') {
        parser->at++;
        if (!class_point(parser, &last)) {
            return;
        }
        if (last < first) {
            fail(parser, pos, "range is the wrong way round");
            return;
        }
    }
    weir_class_add(set, first, last);
}

static struct weir_re *parse_class(struct parser *parser)
{
    struct weir_class set;
    size_t pos = parser->at - 1;
    weir_class_init(&set, parser->arena);
    bool negate = accept(parser, '^');
    for (bool first = true; parser->rc == WEIR_OK; first = false) {
        if (!more(parser)) {
            return fail(parser, pos, "missing ]");
        }
        if (!first && accept(parser, ']')) {
            return node_class(parser, &set, negate);
        }
        class_member(parser, &set);
    }
    return NULL;
}

/* --- atoms --------------------------------------------------------------- */

/* The letters of (?flags), up to `:` or `)`; sets *ret_group when a group follows. */
static bool parse_flags(struct parser *parser, bool *ret_group)
{
    bool on = true;
    bool any = false;
    struct flags flags = parser->flags;
    for (;; any = true) {
        char c = look(parser, 0);
        parser->at++;
        switch (c) {
        case 'i':
            flags.fold = on;
            break;
        case 'm':
            flags.lines = on;
            break;
        case 's':
            flags.dot_nl = on;
            break;
        case 'U':
            break; /* swaps greedy and lazy, which match the same texts */
        case '-':
            if (!on) {
                return false;
            }
            on = false;
            break;
        case ':':
        case ')':
            parser->flags = flags;
            *ret_group = c == ':';
            return any || c == ':';
        default:
            return false;
        }
    }
}

static bool group_name(struct parser *parser)
{
    size_t from = parser->at;
    while (is_ascii_word(look(parser, 0))) {
        parser->at++;
    }
    return parser->at > from && accept(parser, '>');
}

/* The opening parenthesis is taken. */
static struct weir_re *parse_group(struct parser *parser)
{
    size_t pos = parser->at - 1;
    struct flags before = parser->flags;
    if (parser->nesting >= WEIR_REGEX_MAX_NESTING) {
        return fail_limit(parser, "too many groups inside each other");
    }
    if (accept(parser, '?')) {
        bool named = (look(parser, 0) == 'P' && look(parser, 1) == '<') ||
                     (look(parser, 0) == '<' && look(parser, 1) != '=' && look(parser, 1) != '!');
        if (named) {
            parser->at += look(parser, 0) == 'P' ? 2 : 1;
            if (!group_name(parser)) {
                return fail(parser, pos, "invalid group name");
            }
        } else {
            bool group = false;
            if (!parse_flags(parser, &group)) {
                return fail(parser, pos, "invalid or unsupported (?");
            }
            if (!group) {
                return node_new(parser, WEIR_RE_EMPTY); /* the flags hold until the group's end */
            }
        }
    }
    parser->nesting++;
    struct weir_re *node = parse_alternatives(parser);
    parser->nesting--;
    parser->flags = before;
    if (node != NULL && !accept(parser, ')')) {
        return fail(parser, pos, "missing )");
    }
    return node;
}

/* \Q...\E: at is behind the Q. Gives all but the last code point, so that * binds to one. */
static struct weir_re *parse_literal_run(struct parser *parser)
{
    struct weir_re *all = node_new(parser, WEIR_RE_EMPTY);
    while (more(parser) && !(look(parser, 0) == '\\' && look(parser, 1) == 'E')) {
        struct weir_re *node = node_new(parser, WEIR_RE_CAT);
        node->left = all;
        node->right = node_point(parser, weir_utf8_next(parser->text, &parser->at));
        all = node;
    }
    parser->at += more(parser) ? 2 : 0;
    return all;
}

/* The backslash is taken. */
static struct weir_re *parse_escape(struct parser *parser)
{
    size_t pos = parser->at - 1;
    struct weir_class set;
    uint32_t point = 0;
    switch (look(parser, 0)) {
    case 'A':
        parser->at++;
        return node_assert(parser, WEIR_ASSERT_TEXT_BEGIN);
    case 'z':
        parser->at++;
        return node_assert(parser, WEIR_ASSERT_TEXT_END);
    case 'b':
        parser->at++;
        return node_assert(parser, WEIR_ASSERT_WORD);
    case 'B':
        parser->at++;
        return node_assert(parser, WEIR_ASSERT_NOT_WORD);
    case 'Q':
        parser->at++;
        return parse_literal_run(parser);
    default:
        break;
    }
    weir_class_init(&set, parser->arena);
    if (class_escape(parser, &set)) {
        return parser->rc == WEIR_OK ? node_class(parser, &set, false) : NULL;
    }
    if (!point_escape(parser, &point)) {
        return fail(parser, pos, "invalid escape");
    }
    return node_point(parser, point);
}

static struct weir_re *parse_atom(struct parser *parser)
{
    size_t pos = parser->at;
    char c = look(parser, 0);
    switch (c) {
    case '(':
        parser->at++;
        return parse_group(parser);
    case '[':
        parser->at++;
        return parse_class(parser);
    case '.':
        parser->at++;
        return node_dot(parser);
    case '^':
        parser->at++;
        return node_assert(
                parser, parser->flags.lines ? WEIR_ASSERT_LINE_BEGIN : WEIR_ASSERT_TEXT_BEGIN);
    case '$':
        parser->at++;
        return node_assert(
                parser, parser->flags.lines ? WEIR_ASSERT_LINE_END : WEIR_ASSERT_TEXT_END);
    case '\\':
        parser->at++;
        return parse_escape(parser);
    case '*':
    case '+':
    case '?':
        return fail(parser, pos, "nothing to repeat");
    default:
        return node_point(parser, weir_utf8_next(parser->text, &parser->at));
    }
}

/* --- repetition ---------------------------------------------------------- */

static bool repeat_number(struct parser *parser, int *ret)
{
    size_t from = parser->at;
    int value = 0;
    while (look(parser, 0) >= '0' && look(parser, 0) <= '9') {
        value = value > WEIR_REGEX_MAX_REPEAT ? value : value * 10 + (look(parser, 0) - '0');
        parser->at++;
    }
    *ret = value;
    return parser->at > from;
}

/* {n}, {n,} or {n,m}; anything else leaves the brace a plain character. */
static bool parse_count(struct parser *parser, int *ret_least, int *ret_most)
{
    size_t pos = parser->at++;
    bool ok = repeat_number(parser, ret_least);
    *ret_most = *ret_least;
    if (ok && accept(parser, ',')) {
        if (!repeat_number(parser, ret_most)) {
            *ret_most = -1;
        }
    }
    if (!ok || !accept(parser, '}')) {
        parser->at = pos;
        return false;
    }
    return true;
}

/* A repetition at the parser, if there is one. */
static bool parse_repeat(struct parser *parser, int *ret_least, int *ret_most)
{
    switch (more(parser) ? look(parser, 0) : '\0') {
    case '*':
        *ret_least = 0;
        *ret_most = -1;
        break;
    case '+':
        *ret_least = 1;
        *ret_most = -1;
        break;
    case '?':
        *ret_least = 0;
        *ret_most = 1;
        break;
    case '{':
        return parse_count(parser, ret_least, ret_most);
    default:
        return false;
    }
    parser->at++;
    return true;
}

static struct weir_re *parse_repeated(struct parser *parser)
{
    struct weir_re *node = parse_atom(parser);
    int least = 0;
    int most = 0;
    size_t pos = parser->at;
    if (node == NULL || !parse_repeat(parser, &least, &most)) {
        return node;
    }
    if (least > WEIR_REGEX_MAX_REPEAT || most > WEIR_REGEX_MAX_REPEAT) {
        return fail_limit(parser, "a repetition of more than 1000");
    }
    if (most >= 0 && most < least) {
        return fail(parser, pos, "repetition is the wrong way round");
    }
    accept(parser, '?'); /* lazy: matches the same texts */
    size_t again = parser->at;
    int ignored = 0;
    if (parse_repeat(parser, &ignored, &ignored)) {
        return fail(parser, again, "repetition of a repetition");
    }
    struct weir_re *repeat = node_new(parser, WEIR_RE_REPEAT);
    repeat->left = node;
    repeat->least = least;
    repeat->most = most;
    return repeat;
}

static struct weir_re *parse_sequence(struct parser *parser)
{
    struct weir_re *all = NULL;
    while (more(parser) && look(parser, 0) != '|' && look(parser, 0) != ')') {
        struct weir_re *next = parse_repeated(parser);
        if (next == NULL) {
            return NULL;
        }
        if (all == NULL) {
            all = next;
            continue;
        }
        struct weir_re *cat = node_new(parser, WEIR_RE_CAT);
        cat->left = all;
        cat->right = next;
        all = cat;
    }
    return all != NULL ? all : node_new(parser, WEIR_RE_EMPTY);
}

static struct weir_re *parse_alternatives(struct parser *parser)
{
    struct weir_re *all = parse_sequence(parser);
    while (all != NULL && accept(parser, '|')) {
        struct weir_re *alt = node_new(parser, WEIR_RE_ALT);
        alt->left = all;
        alt->right = parse_sequence(parser);
        all = alt->right != NULL ? alt : NULL;
    }
    return all;
}

enum weir_rc weir_regex_parse(struct weir_arena *arena, struct weir_str pattern,
        struct weir_re **ret_tree, struct weir_err *err)
{
    struct parser parser = { .arena = arena, .text = pattern, .err = err };
    struct weir_re *tree = parse_alternatives(&parser);
    if (parser.rc == WEIR_OK && more(&parser)) {
        fail(&parser, parser.at, "missing (");
    }
    if (parser.rc == WEIR_OK) {
        *ret_tree = tree;
    }
    return parser.rc;
}
