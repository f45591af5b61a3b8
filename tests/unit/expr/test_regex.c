/* Regular expressions: what matches, both ways of running, and what is refused. */
#include "../test.h"
#include "expr/regex.h"

struct example {
    const char *pattern;
    const char *yes; /* texts, each ended by a vertical bar */
    const char *no;
};

static const struct example examples[] = {
    { "", "|a|", "" },
    { "abc", "abc|xabcx|", "ab|acb|" },
    { "^abc$", "abc|", "xabc|abcx|" },
    { "a.c", "abc|aéc|a😀c|", "ac|a\nc|" },
    { "(?s)a.c", "a\nc|", "ac|" },
    { "^a*$", "|a|aaaa|", "b|ab|" },
    { "^a+$", "a|aa|", "|b|" },
    { "^ab?c$", "ac|abc|", "abbc|" },
    { "^a{2}$", "aa|", "a|aaa|" },
    { "^a{2,}$", "aa|aaaa|", "a|" },
    { "^a{1,3}$", "a|aaa|", "|aaaa|" },
    { "^a{0}b$", "b|", "ab|" },
    { "a{,2}", "a{,2}|", "aa|" },
    { "^(?:a|bc)+$", "a|bc|abca|", "b|ac c|" },
    { "^(a*)*$", "|aaa|", "b|" },
    { "^(a|b|)c$", "ac|bc|c|", "dc|" },
    { "^[a-c]$", "a|b|c|", "d|-|" },
    { "^[^a-c]$", "d|é|", "a|" },
    { "^[]a]$", "]|a|", "b|" },
    { "^[a-]$", "a|-|", "b|" },
    { "^[é-ü]$", "ë|", "e|" },
    { "^[\\d_]$", "5|_|", "a|" },
    { "^[[:alpha:]]$", "a|Z|", "1|é|" },
    { "^[[:^alpha:]]$", "1|é|", "a|" },
    { "^\\d\\D\\w\\W\\s\\S$", "1a_- x|", "aa_- x|" },
    { "^\\pL$", "a|é|Ж|漢|", "1|!|" },
    { "^\\p{Lu}$", "A|Ж|", "a|ж|" },
    { "^\\P{Lu}$", "a|1|", "A|" },
    { "^\\p{^Lu}$", "a|", "A|" },
    { "^\\p{Greek}+$", "αβγ|", "abc|" },
    { "^\\p{Han}$", "漢|", "あ|" },
    { "(?i)^straße$", "STRAẞE|", "STRASSE|" },
    { "(?i)^äöÜ$", "ÄÖü|äÖü|", "aou|" },
    { "(?i)^[a-k]$", "K|k|\xe2\x84\xaa|", "l|" },
    { "(?i)^ſ$", "s|S|", "f|" },
    { "^(?i:a)b$", "Ab|ab|", "aB|" },
    { "^(?i)a(?-i)b$", "Ab|", "AB|" },
    { "(?m)^b$", "a\nb\nc|b|", "ab|" },
    { "\\Ab\\z", "b|", "a\nb|" },
    { "\\bfoo\\b", "foo|a foo b|", "foot|afoo|" },
    { "\\Boo\\b", "foo|", "oo|" },
    { "^\\x41\\x{1F600}\\101\\n$", "A😀A\n|", "A|" },
    { "^\\Qa.b*\\E$", "a.b*|", "axb|" },
    { "^\\.\\*\\[\\]$", ".*[]|", "a|" },
    { "^(?P<year>\\d{4})-(?<month>\\d\\d)$", "2025-11|", "2025-1|" },
    { "^.*x.*y$", "axby|", "ayx|" },
    { "a$", "a|ba|", "ab|" },
    { "^$", "|", "a|" },
    { "$^", "|", "a|" },
    { "(^a|b$)", "ax|xb|", "xa x|" },
    { "x*?y", "xxy|y|", "x|" },
    { "[^\\x00-\\x{10FFFF}]", "", "|a|é|" },
};

static bool search(struct weir_str pattern, bool deterministic, struct weir_str text)
{
    struct weir_arena arena;
    struct weir_err err;
    const struct weir_regex *regex = NULL;
    weir_arena_init(&arena);
    if (weir_regex_compile(&arena, pattern, deterministic, &regex, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    bool result = weir_regex_search(regex, text);
    weir_arena_fini(&arena);
    return result;
}

static void check_texts(const struct example *example, const char *texts, bool wanted)
{
    struct weir_str pattern = weir_str_z(example->pattern);
    for (const char *end; (end = strchr(texts, '|')) != NULL; texts = end + 1) {
        struct weir_str text = weir_str(texts, (size_t)(end - texts));
        for (int deterministic = 0; deterministic < 2; deterministic++) {
            if (search(pattern, deterministic == 1, text) != wanted) {
                fail_msg("%s on '%.*s' (%s) is not %d", example->pattern, WEIR_STR_ARG(text),
                        deterministic == 1 ? "table" : "sets", wanted);
            }
        }
    }
}

static void matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(examples); i++) {
        check_texts(&examples[i], examples[i].yes, true);
        check_texts(&examples[i], examples[i].no, false);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        enum weir_rc rc;
        size_t pos;
    } bad[] = {
        { "(", WEIR_E_INVALID, 0 },
        { "a)", WEIR_E_INVALID, 1 },
        { "[a", WEIR_E_INVALID, 0 },
        { "[b-a]", WEIR_E_INVALID, 1 },
        { "*a", WEIR_E_INVALID, 0 },
        { "a**", WEIR_E_INVALID, 2 },
        { "a{2}{3}", WEIR_E_INVALID, 4 },
        { "a{3,2}", WEIR_E_INVALID, 1 },
        { "(?=a)", WEIR_E_INVALID, 0 },
        { "(?<=a)", WEIR_E_INVALID, 0 },
        { "(?<n", WEIR_E_INVALID, 0 },
        { "(?z)", WEIR_E_INVALID, 0 },
        { "\\1", WEIR_E_INVALID, 0 },
        { "\\k", WEIR_E_INVALID, 0 },
        { "\\", WEIR_E_INVALID, 0 },
        { "\\x{110000}", WEIR_E_INVALID, 0 },
        { "\\p{Klingon}", WEIR_E_INVALID, 0 },
        { "\\p{Lu", WEIR_E_INVALID, 0 },
        { "[[:nope:]]", WEIR_E_INVALID, 1 },
        { "a{1001}", WEIR_E_LIMIT, 7 },
        { "((a{1000}){1000}){1000}", WEIR_E_LIMIT, 0 },
    };
    for (size_t i = 0; i < WEIR_COUNT(bad); i++) {
        struct weir_arena arena;
        struct weir_err err = { 0 };
        const struct weir_regex *regex = NULL;
        weir_arena_init(&arena);
        enum weir_rc rc =
                weir_regex_compile(&arena, weir_str_z(bad[i].pattern), true, &regex, &err);
        if (rc != bad[i].rc || err.pos != bad[i].pos) {
            fail_msg("%s: %s '%s' at %zu", bad[i].pattern, weir_rc_name(rc), err.msg, err.pos);
        }
        weir_arena_fini(&arena);
    }
}

/* Patterns that a backtracking engine would spend ages on. */
static void stays_linear(void **state)
{
    (void)state;
    static const char *const patterns[] = { "^(a+)+$", "^(a|aa)+$", "(x+x+)+y", "^(a?){50}a{50}$",
        "\\b(\\w+\\s*)+\\b!$", "(.*)*c(.*)*d" };
    char text[20001];
    memset(text, 'a', sizeof(text));
    text[20000] = '?';
    for (size_t i = 0; i < WEIR_COUNT(patterns); i++) {
        assert_false(search(weir_str_z(patterns[i]), true, weir_str(text, sizeof(text))));
        assert_false(search(weir_str_z(patterns[i]), false, weir_str(text + 19000, 1001)));
    }
}

/* Nesting is bounded, so no pattern can exhaust the stack. */
static void bounds_nesting(void **state)
{
    (void)state;
    char pattern[2001];
    memset(pattern, '(', 1000);
    pattern[1000] = 'a';
    memset(pattern + 1001, ')', 1000);
    struct weir_arena arena;
    const struct weir_regex *regex = NULL;
    weir_arena_init(&arena);
    struct weir_str text = weir_str(pattern, sizeof(pattern));
    assert_int_equal(weir_regex_compile(&arena, text, true, &regex, NULL), WEIR_E_LIMIT);
    assert_int_equal(
            weir_regex_compile(&arena, weir_str(pattern + 900, 201), true, &regex, NULL), WEIR_OK);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(refuses),
        cmocka_unit_test(stays_linear),
        cmocka_unit_test(bounds_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
