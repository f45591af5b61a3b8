#include <stdlib.h>

#include "base/hash.h"
#include "expr/regex_int.h"

/*
 * The deterministic form, made whole when a pattern is compiled, if it stays small.
 * A state is the sorted set of steps that a prefix of the text can have reached. Word
 * and line assertions need the byte ahead and are left to the sets; assertions of the
 * text's end stay in a state and are asked when the text has ended.
 */

enum {
    MAX_STATES = 1000,
    MAX_TABLE = 64 * 1024, /* states * classes */
    MAX_WORK = 2000000,    /* steps looked at while building */
    INDEX_SLOTS = 4096,
};

struct state {
    uint32_t *steps;
    uint32_t count;
};

struct maker {
    const struct weir_regex *regex;
    struct weir_arena scratch;
    struct weir_dfa *dfa;
    struct state states[MAX_STATES];
    uint16_t index[INDEX_SLOTS]; /* state + 1 by hash */
    unsigned count;
    uint64_t work;
    bool failed;
    /* The set being gathered. */
    uint8_t *marks;
    uint32_t *stack;
    uint32_t *list;
    uint32_t listed;
};

/* Bytes that no step tells apart share a class. */
static void make_classes(struct maker *maker)
{
    bool begins[257] = { true };
    for (uint32_t i = 0; i < maker->regex->count; i++) {
        const struct weir_step *step = &maker->regex->steps[i];
        if (step->kind == WEIR_STEP_BYTES && step->first <= step->last) {
            begins[step->first] = true;
            begins[step->last + 1] = true;
        }
    }
    unsigned count = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        count += begins[byte] ? 1 : 0;
        maker->dfa->classes[byte] = (uint8_t)(count - 1);
    }
    maker->dfa->class_count = (uint16_t)count;
}

/* Gather a step and what follows from it without a byte. */
static void gather(struct maker *maker, uint32_t step, bool at_begin, bool at_end)
{
    size_t n = 0;
    maker->stack[n++] = step;
    while (n > 0) {
        step = maker->stack[--n];
        maker->work++;
        if (maker->marks[step] != 0) {
            continue;
        }
        maker->marks[step] = 1;
        maker->list[maker->listed++] = step;
        const struct weir_step *at = &maker->regex->steps[step];
        if (at->kind == WEIR_STEP_SPLIT) {
            maker->stack[n++] = at->other;
            maker->stack[n++] = at->out;
        } else if (at->kind == WEIR_STEP_ASSERT) {
            bool holds = at->first == WEIR_ASSERT_TEXT_BEGIN ? at_begin : at_end;
            if (holds) {
                maker->stack[n++] = at->out;
            }
        }
    }
}

static void clear(struct maker *maker)
{
    for (uint32_t i = 0; i < maker->listed; i++) {
        maker->marks[maker->list[i]] = 0;
    }
    maker->listed = 0;
}

static int compare_steps(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Keep only steps that matter later: bytes, ends of the text, the match. */
static void reduce(struct maker *maker)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < maker->listed; i++) {
        const struct weir_step *step = &maker->regex->steps[maker->list[i]];
        bool matters = step->kind == WEIR_STEP_BYTES || step->kind == WEIR_STEP_MATCH ||
                       (step->kind == WEIR_STEP_ASSERT && step->first == WEIR_ASSERT_TEXT_END);
        maker->marks[maker->list[i]] = 0;
        if (matters) {
            maker->list[kept++] = maker->list[i];
        }
    }
    maker->listed = kept;
    qsort(maker->list, kept, sizeof(*maker->list), compare_steps);
}

static bool has_match(const struct maker *maker)
{
    for (uint32_t i = 0; i < maker->listed; i++) {
        if (maker->regex->steps[maker->list[i]].kind == WEIR_STEP_MATCH) {
            return true;
        }
    }
    return false;
}

/* The number of the gathered set's state, made if it is new; empties the set. */
static uint16_t intern(struct maker *maker)
{
    reduce(maker);
    size_t bytes = maker->listed * sizeof(*maker->list);
    uint64_t hash = weir_hash64(0, maker->list, bytes);
    size_t slot = hash % INDEX_SLOTS;
    for (; maker->index[slot] != 0; slot = (slot + 1) % INDEX_SLOTS) {
        const struct state *state = &maker->states[maker->index[slot] - 1];
        if (state->count == maker->listed && memcmp(state->steps, maker->list, bytes) == 0) {
            maker->listed = 0;
            return (uint16_t)(maker->index[slot] - 1);
        }
    }
    if (maker->count == MAX_STATES || (maker->count + 1) * maker->dfa->class_count > MAX_TABLE) {
        maker->failed = true;
        maker->listed = 0;
        return 0;
    }
    struct state *state = &maker->states[maker->count];
    state->count = maker->listed;
    state->steps = weir_arena_alloc(&maker->scratch, bytes);
    if (bytes > 0) {
        memcpy(state->steps, maker->list, bytes);
    }
    maker->listed = 0;
    maker->index[slot] = (uint16_t)(maker->count + 1);
    return (uint16_t)maker->count++;
}

/* Whether a state matches as it is, or where the text ends. */
static uint8_t accepting(struct maker *maker, const struct state *state)
{
    uint8_t result = 0;
    for (uint32_t i = 0; i < state->count; i++) {
        maker->list[maker->listed++] = state->steps[i];
        maker->marks[state->steps[i]] = 1;
    }
    result |= has_match(maker) ? WEIR_DFA_HERE : 0;
    for (uint32_t i = 0; i < state->count; i++) {
        const struct weir_step *step = &maker->regex->steps[state->steps[i]];
        if (step->kind == WEIR_STEP_ASSERT) {
            gather(maker, step->out, false, true);
        }
    }
    result |= has_match(maker) ? WEIR_DFA_AT_END : 0;
    clear(maker);
    return result;
}

static uint16_t follow(struct maker *maker, const struct state *state, uint8_t byte)
{
    gather(maker, maker->regex->start, false, false); /* a match may begin anywhere */
    for (uint32_t i = 0; i < state->count; i++) {
        const struct weir_step *step = &maker->regex->steps[state->steps[i]];
        if (step->kind == WEIR_STEP_BYTES && byte >= step->first && byte <= step->last) {
            gather(maker, step->out, false, false);
        }
    }
    return intern(maker);
}

/* Whether every step from a state leads back to it and it never matches. */
static bool is_dead(const struct weir_dfa *dfa, unsigned state)
{
    if (dfa->accepting[state] != 0) {
        return false;
    }
    for (unsigned i = 0; i < dfa->class_count; i++) {
        if (dfa->next[state * dfa->class_count + i] != state) {
            return false;
        }
    }
    return true;
}

static void make_states(struct maker *maker)
{
    struct weir_dfa *dfa = maker->dfa;
    uint16_t *next = weir_arena_zero(&maker->scratch, MAX_TABLE, sizeof(*next));
    uint8_t example[256];
    for (unsigned byte = 256; byte > 0; byte--) {
        example[dfa->classes[byte - 1]] = (uint8_t)(byte - 1);
    }
    gather(maker, maker->regex->start, true, true);
    dfa->matches_empty = has_match(maker);
    clear(maker);
    gather(maker, maker->regex->start, true, false);
    dfa->start = intern(maker);
    for (unsigned state = 0; state < maker->count && !maker->failed; state++) {
        struct state from = maker->states[state];
        for (unsigned i = 0; i < dfa->class_count && !maker->failed; i++) {
            next[state * dfa->class_count + i] = follow(maker, &from, example[i]);
            maker->failed |= maker->work > MAX_WORK;
        }
    }
    dfa->next = next;
}

static bool needs_context(const struct weir_regex *regex)
{
    for (uint32_t i = 0; i < regex->count; i++) {
        const struct weir_step *step = &regex->steps[i];
        if (step->kind == WEIR_STEP_ASSERT && step->first != WEIR_ASSERT_TEXT_BEGIN &&
                step->first != WEIR_ASSERT_TEXT_END) {
            return true;
        }
    }
    return false;
}

/* Copy what was made into the arena that keeps it. */
static struct weir_dfa *keep(struct maker *maker, struct weir_arena *arena)
{
    struct weir_dfa *dfa = WEIR_ARENA_NEW(arena, struct weir_dfa);
    *dfa = *maker->dfa;
    size_t cells = (size_t)maker->count * dfa->class_count;
    dfa->next = weir_arena_alloc(arena, cells * sizeof(*dfa->next));
    memcpy(dfa->next, maker->dfa->next, cells * sizeof(*dfa->next));
    dfa->accepting = weir_arena_zero(arena, maker->count, 1);
    for (unsigned i = 0; i < maker->count; i++) {
        dfa->accepting[i] = accepting(maker, &maker->states[i]);
    }
    for (unsigned i = 0; i < maker->count; i++) {
        dfa->accepting[i] |= is_dead(dfa, i) ? WEIR_DFA_DEAD : 0;
    }
    return dfa;
}

const struct weir_dfa *weir_dfa_make(const struct weir_regex *regex, struct weir_arena *arena)
{
    if (needs_context(regex)) {
        return NULL;
    }
    struct maker *maker = weir_alloc_zero(1, sizeof(*maker));
    maker->regex = regex;
    weir_arena_init(&maker->scratch);
    maker->dfa = WEIR_ARENA_NEW(&maker->scratch, struct weir_dfa);
    maker->marks = weir_arena_zero(&maker->scratch, regex->count, 1);
    maker->stack = weir_arena_zero(&maker->scratch, 2 * (size_t)regex->count + 2, sizeof(uint32_t));
    maker->list = weir_arena_zero(&maker->scratch, regex->count, sizeof(uint32_t));
    make_classes(maker);
    make_states(maker);
    struct weir_dfa *dfa = maker->failed ? NULL : keep(maker, arena);
    weir_arena_fini(&maker->scratch);
    weir_free(maker);
    return dfa;
}
