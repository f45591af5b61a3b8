#include "expr/expr_int.h"
#include "expr/regex_int.h"

/* The tree as an automaton over bytes, and running it. */

struct builder {
    struct weir_arena *arena; /* of the steps while they grow */
    struct weir_step *steps;
    uint32_t count;
    uint32_t capacity;
    bool full; /* over the limit; sticky */
};

static uint32_t add_step(struct builder *builder, struct weir_step step)
{
    if (builder->count >= WEIR_REGEX_MAX_SIZE) {
        builder->full = true;
        return 0;
    }
    if (builder->count == builder->capacity) {
        uint32_t capacity = builder->capacity == 0 ? 32 : builder->capacity * 2;
        struct weir_step *steps = weir_arena_alloc(builder->arena, capacity * sizeof(*steps));
        if (builder->count > 0) {
            memcpy(steps, builder->steps, builder->count * sizeof(*steps));
        }
        builder->steps = steps;
        builder->capacity = capacity;
    }
    builder->steps[builder->count] = step;
    return builder->count++;
}

static uint32_t add_bytes(struct builder *builder, unsigned first, unsigned last, uint32_t out)
{
    return add_step(
            builder, (struct weir_step){ WEIR_STEP_BYTES, (uint8_t)first, (uint8_t)last, out, 0 });
}

static uint32_t add_split(struct builder *builder, uint32_t out, uint32_t other)
{
    return add_step(builder, (struct weir_step){ WEIR_STEP_SPLIT, 0, 0, out, other });
}

/* --- classes as bytes ---------------------------------------------------- */

/* Alternatives gathered so far; NONE while there is none. */
static const uint32_t none = UINT32_MAX;

struct choice {
    struct builder *builder;
    uint32_t start;
    uint32_t out;
};

static void add_choice(struct choice *choice, uint32_t step)
{
    choice->start = choice->start == none ? step : add_split(choice->builder, step, choice->start);
}

/* A range whose ends have the same length and differ in their last bytes only, fully. */
static void add_sequence(struct choice *choice, uint32_t first, uint32_t last)
{
    char a[4];
    char b[4];
    size_t n = weir_utf8_put(first, a);
    weir_utf8_put(last, b);
    uint32_t out = choice->out;
    for (size_t i = n; i > 0; i--) {
        out = add_bytes(choice->builder, (unsigned char)a[i - 1], (unsigned char)b[i - 1], out);
    }
    add_choice(choice, out);
}

static void add_range(struct choice *choice, uint32_t first, uint32_t last)
{
    static const uint32_t ends[] = { 0x7f, 0x7ff, 0xffff };
    for (size_t i = 0; i < WEIR_COUNT(ends); i++) {
        if (first <= ends[i] && last > ends[i]) {
            add_range(choice, first, ends[i]);
            add_range(choice, ends[i] + 1, last);
            return;
        }
    }
    if (last <= 0x7f) {
        add_choice(choice, add_bytes(choice->builder, first, last, choice->out));
        return;
    }
    /* Cut where a byte further left changes while those right of it are not whole. */
    for (unsigned bits = 6; bits <= 18; bits += 6) {
        uint32_t mask = (1U << bits) - 1;
        if ((first & ~mask) == (last & ~mask)) {
            continue;
        }
        if ((first & mask) != 0) {
            add_range(choice, first, first | mask);
            add_range(choice, (first | mask) + 1, last);
            return;
        }
        if ((last & mask) != mask) {
            add_range(choice, first, (last & ~mask) - 1);
            add_range(choice, last & ~mask, last);
            return;
        }
    }
    add_sequence(choice, first, last);
}

/* Everything past ASCII: the text is valid, so the lead byte alone tells the length. */
static void add_all_beyond_ascii(struct choice *choice)
{
    struct builder *builder = choice->builder;
    uint32_t out = choice->out;
    static const struct weir_range leads[] = { { 0xc0, 0xdf }, { 0xe0, 0xef }, { 0xf0, 0xf7 } };
    for (size_t i = 0; i < WEIR_COUNT(leads); i++) {
        out = add_bytes(builder, 0x80, 0xbf, out);
        add_choice(choice, add_bytes(builder, leads[i].first, leads[i].last, out));
    }
}

static uint32_t build_class(struct builder *builder, const struct weir_re *node, uint32_t out)
{
    struct choice choice = { .builder = builder, .start = none, .out = out };
    for (size_t i = 0; i < node->count && !builder->full; i++) {
        struct weir_range range = node->ranges[i];
        if (range.first <= 0x80 && range.last == 0x10ffff) {
            if (range.first < 0x80) {
                add_range(&choice, range.first, 0x7f);
            }
            add_all_beyond_ascii(&choice);
        } else {
            add_range(&choice, range.first, range.last);
        }
    }
    /* An empty class matches nothing: a step that no byte takes. */
    return choice.start != none ? choice.start : add_bytes(builder, 1, 0, out);
}

/* --- building ------------------------------------------------------------ */

/* Steps for node that go on at out; gives where they begin. */
static uint32_t build(struct builder *builder, const struct weir_re *node, uint32_t out);

static uint32_t build_repeat(struct builder *builder, const struct weir_re *node, uint32_t out)
{
    uint32_t start = out;
    if (node->most < 0) {
        uint32_t loop = add_split(builder, 0, out);
        uint32_t body = build(builder, node->left, loop);
        if (builder->full) {
            return 0;
        }
        builder->steps[loop].out = body;
        /* x+ begins with x and comes back to the loop. */
        start = node->least > 0 ? body : loop;
    } else {
        for (int i = node->least; i < node->most && !builder->full; i++) {
            start = add_split(builder, build(builder, node->left, start), out);
        }
    }
    int extra = node->most < 0 ? node->least - 1 : node->least;
    for (int i = 0; i < extra && !builder->full; i++) {
        start = build(builder, node->left, start);
    }
    return start;
}

static uint32_t build(struct builder *builder, const struct weir_re *node, uint32_t out)
{
    if (builder->full) {
        return 0;
    }
    switch (node->kind) {
    case WEIR_RE_EMPTY:
        return out;
    case WEIR_RE_CLASS:
        return build_class(builder, node, out);
    case WEIR_RE_CAT: {
        /* Sequences lean left and may be long: walk them instead of descending. */
        while (node->kind == WEIR_RE_CAT && !builder->full) {
            out = build(builder, node->right, out);
            node = node->left;
        }
        return build(builder, node, out);
    }
    case WEIR_RE_ALT: {
        uint32_t start = none;
        while (node->kind == WEIR_RE_ALT && !builder->full) {
            uint32_t right = build(builder, node->right, out);
            start = start == none ? right : add_split(builder, right, start);
            node = node->left;
        }
        return add_split(builder, build(builder, node, out), start);
    }
    case WEIR_RE_REPEAT:
        return build_repeat(builder, node, out);
    case WEIR_RE_ASSERT:
        return add_step(builder,
                (struct weir_step){ WEIR_STEP_ASSERT, (uint8_t)node->assertion, 0, out, 0 });
    }
    return out;
}

static enum weir_rc compile(struct weir_arena *arena, struct weir_arena *scratch,
        struct weir_str pattern, bool deterministic, const struct weir_regex **ret_regex,
        struct weir_err *err)
{
    struct weir_re *tree = NULL;
    enum weir_rc rc = weir_regex_parse(scratch, pattern, &tree, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct builder builder = { .arena = scratch };
    uint32_t match = add_step(&builder, (struct weir_step){ .kind = WEIR_STEP_MATCH });
    uint32_t start = build(&builder, tree, match);
    if (builder.full) {
        return weir_fail(err, WEIR_E_LIMIT, "regular expression needs more than %d states",
                WEIR_REGEX_MAX_SIZE);
    }
    struct weir_regex *regex = WEIR_ARENA_NEW(arena, struct weir_regex);
    regex->steps = weir_arena_alloc(arena, builder.count * sizeof(*regex->steps));
    memcpy(regex->steps, builder.steps, builder.count * sizeof(*regex->steps));
    regex->count = builder.count;
    regex->start = start;
    regex->dfa = deterministic ? weir_dfa_make(regex, arena) : NULL;
    *ret_regex = regex;
    return WEIR_OK;
}

enum weir_rc weir_regex_compile(struct weir_arena *arena, struct weir_str pattern,
        bool deterministic, const struct weir_regex **ret_regex, struct weir_err *err)
{
    struct weir_arena scratch;
    weir_arena_init(&scratch);
    enum weir_rc rc = compile(arena, &scratch, pattern, deterministic, ret_regex, err);
    weir_arena_fini(&scratch);
    return rc;
}

size_t weir_regex_cost(const struct weir_regex *regex)
{
    return regex->dfa != NULL ? 1 : regex->count;
}

/* --- running ------------------------------------------------------------- */

/* A set of steps that keeps its order of arrival and is emptied at no cost. */
struct set {
    uint32_t *dense;
    uint32_t *sparse;
    uint32_t count;
};

static bool set_has(const struct set *set, uint32_t step)
{
    uint32_t at = set->sparse[step];
    return at < set->count && set->dense[at] == step;
}

static void set_add(struct set *set, uint32_t step)
{
    set->sparse[step] = set->count;
    set->dense[set->count++] = step;
}

struct search {
    const struct weir_regex *regex;
    struct weir_str text;
    size_t at; /* where assertions are asked */
    uint32_t *stack;
    bool matched;
};

static bool is_word_at(const struct search *search, size_t at)
{
    if (at >= search->text.n) {
        return false;
    }
    char c = search->text.p[at];
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool holds(const struct search *search, uint8_t assertion)
{
    size_t at = search->at;
    bool boundary = is_word_at(search, at) != (at > 0 && is_word_at(search, at - 1));
    switch (assertion) {
    case WEIR_ASSERT_TEXT_BEGIN:
        return at == 0;
    case WEIR_ASSERT_TEXT_END:
        return at == search->text.n;
    case WEIR_ASSERT_LINE_BEGIN:
        return at == 0 || search->text.p[at - 1] == '\n';
    case WEIR_ASSERT_LINE_END:
        return at == search->text.n || search->text.p[at] == '\n';
    case WEIR_ASSERT_WORD:
        return boundary;
    default:
        return !boundary;
    }
}

/* Add a step and what it leads to without a byte. Each step enters the stack at most twice. */
static void follow(struct search *search, struct set *set, uint32_t step)
{
    size_t n = 0;
    search->stack[n++] = step;
    while (n > 0) {
        step = search->stack[--n];
        if (set_has(set, step)) {
            continue;
        }
        set_add(set, step);
        const struct weir_step *at = &search->regex->steps[step];
        if (at->kind == WEIR_STEP_SPLIT) {
            search->stack[n++] = at->other;
            search->stack[n++] = at->out;
        } else if (at->kind == WEIR_STEP_ASSERT && holds(search, at->first)) {
            search->stack[n++] = at->out;
        } else if (at->kind == WEIR_STEP_MATCH) {
            search->matched = true;
        }
    }
}

static bool run_sets(struct search *search, struct set *now, struct set *next)
{
    const struct weir_regex *regex = search->regex;
    for (size_t i = 0; i <= search->text.n; i++) {
        search->at = i;
        follow(search, now, regex->start);
        if (search->matched) {
            return true;
        }
        if (i == search->text.n) {
            break;
        }
        uint8_t byte = (uint8_t)search->text.p[i];
        search->at = i + 1;
        next->count = 0;
        for (uint32_t j = 0; j < now->count; j++) {
            const struct weir_step *step = &regex->steps[now->dense[j]];
            if (step->kind == WEIR_STEP_BYTES && byte >= step->first && byte <= step->last) {
                follow(search, next, step->out);
            }
        }
        if (search->matched) {
            return true;
        }
        struct set *swap = now;
        now = next;
        next = swap;
    }
    return false;
}

static bool run_dfa(const struct weir_dfa *dfa, struct weir_str text)
{
    unsigned state = dfa->start;
    if (text.n == 0) {
        return dfa->matches_empty;
    }
    for (size_t i = 0; i < text.n; i++) {
        uint8_t accepting = dfa->accepting[state];
        if ((accepting & (WEIR_DFA_HERE | WEIR_DFA_DEAD)) != 0) {
            return (accepting & WEIR_DFA_HERE) != 0;
        }
        state = dfa->next[state * dfa->class_count + dfa->classes[(uint8_t)text.p[i]]];
    }
    return (dfa->accepting[state] & (WEIR_DFA_HERE | WEIR_DFA_AT_END)) != 0;
}

enum { SMALL = 256 };

bool weir_regex_search(const struct weir_regex *regex, struct weir_str text)
{
    if (regex->dfa != NULL) {
        return run_dfa(regex->dfa, text);
    }
    uint32_t few[6 * SMALL + 2] = { 0 };
    uint32_t *memory = few;
    if (regex->count > SMALL) {
        memory = weir_alloc_zero((size_t)regex->count * 6 + 2, sizeof(*memory));
    }
    size_t n = regex->count;
    struct set now = { .dense = memory, .sparse = memory + n };
    struct set next = { .dense = memory + 2 * n, .sparse = memory + 3 * n };
    struct search search = { .regex = regex, .text = text, .stack = memory + 4 * n };
    bool matched = run_sets(&search, &now, &next);
    if (memory != few) {
        weir_free(memory);
    }
    return matched;
}
