/*
 * Runs the conformance cases (lines of JSON: a pattern, perhaps an event, and the
 * expected answer) when their folder exists: WEIR_CASES, or ../shared/cases next
 * to the repository. Cases marked disputed are counted but never fail.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../test.h"
#include "base/arena.h"
#include "pattern/pattern.h"
#include "value/json.h"

enum { MAX_SECTIONS = 64, MAX_LINE = 1 << 20 };

struct test_case {
    struct weir_str pattern;
    struct weir_str event;
    struct weir_str source;
    bool has_event;
    bool valid; /* what is expected of the pattern */
    bool event_valid;
    bool matches;
    bool disputed;
};

struct section {
    char name[80];
    unsigned passed;
    unsigned failed;
    unsigned disputed_passed;
    unsigned disputed_failed;
};

static struct section sections[MAX_SECTIONS];
static size_t section_count;

static struct section *section_of(struct weir_str source)
{
    size_t n = 0;
    while (n < source.n && source.p[n] != '.' && source.p[n] != '(') {
        n++;
    }
    n = n < sizeof(sections[0].name) ? n : sizeof(sections[0].name) - 1;
    for (size_t i = 0; i < section_count; i++) {
        if (weir_str_eq(weir_str(source.p, n), weir_str_z(sections[i].name))) {
            return &sections[i];
        }
    }
    assert_true(section_count < MAX_SECTIONS);
    struct section *section = &sections[section_count++];
    snprintf(section->name, sizeof(section->name), "%.*s", (int)n, source.n > 0 ? source.p : "");
    return section;
}

static void set_member(struct test_case *test, struct weir_str name, enum weir_json_token token,
        struct weir_str text)
{
    if (weir_str_eq(name, WEIR_STR("pattern"))) {
        test->pattern = text;
    } else if (weir_str_eq(name, WEIR_STR("event"))) {
        test->event = text;
        test->has_event = true;
    } else if (weir_str_eq(name, WEIR_STR("source"))) {
        test->source = text;
    } else if (weir_str_eq(name, WEIR_STR("valid"))) {
        test->valid = token == WEIR_JSON_TRUE;
    } else if (weir_str_eq(name, WEIR_STR("matches"))) {
        test->matches = token == WEIR_JSON_TRUE;
        test->event_valid = token != WEIR_JSON_NULL;
    } else if (weir_str_eq(name, WEIR_STR("disputed"))) {
        test->disputed = token == WEIR_JSON_TRUE;
    }
}

static struct test_case read_case(struct weir_str line, struct weir_arena *arena)
{
    struct test_case test = { .valid = true, .event_valid = true };
    struct weir_json json;
    weir_json_init(&json, line, arena, 8);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        struct weir_str name = json.text;
        enum weir_json_token token = weir_json_next(&json);
        set_member(&test, name, token, json.text);
    }
    assert_int_equal(weir_json_next(&json), WEIR_JSON_END);
    return test;
}

/* Whether the case's answer is ours; the reason in why. */
static bool run_case(
        const struct test_case *test, struct weir_pattern_scratch *scratch, char why[static 400])
{
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    struct weir_err err = { 0 };
    size_t index = 0;
    enum weir_rc rc = weir_pattern_set_add(set, test->pattern, WEIR_PATTERN_AWS, &index, &err);
    if (rc != WEIR_OK || !test->valid) {
        snprintf(why, 400, "pattern: %s", rc != WEIR_OK ? err.msg : "accepted");
        return (rc == WEIR_OK) == test->valid;
    }
    if (!test->has_event) {
        return true;
    }
    weir_pattern_set_freeze(set);
    uint64_t results = 0;
    rc = weir_pattern_match_json(set, scratch, test->event, &results, &err);
    if (rc != WEIR_OK || !test->event_valid) {
        snprintf(why, 400, "event: %s", rc != WEIR_OK ? err.msg : "accepted");
        return (rc == WEIR_OK) == test->event_valid;
    }
    snprintf(why, 400, "matches: %s", weir_pattern_matched(&results, 0) ? "yes" : "no");
    return weir_pattern_matched(&results, 0) == test->matches;
}

static FILE *open_cases(void)
{
    char path[4096];
    const char *folder = getenv("WEIR_CASES");
    const char *root = getenv("WEIR_SOURCE_ROOT");
    if (folder != NULL) {
        snprintf(path, sizeof(path), "%s/pattern-cases.jsonl", folder);
    } else {
        snprintf(path, sizeof(path), "%s/../shared/cases/pattern-cases.jsonl",
                root != NULL ? root : ".");
    }
    return fopen(path, "re");
}

static void count(struct section *section, const struct test_case *test, bool passed)
{
    if (test->disputed) {
        section->disputed_passed += passed;
        section->disputed_failed += !passed;
    } else {
        section->passed += passed;
        section->failed += !passed;
    }
}

static void test_conformance(void **state)
{
    (void)state;
    FILE *file = open_cases();
    if (file == NULL) {
        print_message("no case folder: all conformance cases skipped\n");
        skip();
    }
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    struct weir_arena arena;
    weir_arena_init(&arena);
    char *line = weir_alloc(MAX_LINE);
    while (fgets(line, MAX_LINE, file) != NULL) {
        weir_arena_reset(&arena);
        struct test_case test = read_case(weir_str_z(line), &arena);
        char why[400] = "";
        bool passed = run_case(&test, scratch, why);
        count(section_of(test.source), &test, passed);
        if (!passed) {
            print_message("%s%.*s\n  %.*s\n  ours: %s\n", test.disputed ? "(disputed) " : "",
                    WEIR_STR_ARG(test.pattern), WEIR_STR_ARG(test.event), why);
        }
    }
    weir_free(line);
    weir_arena_fini(&arena);
    (void)fclose(file);
    struct section all = { .name = "all" };
    for (size_t i = 0; i < section_count; i++) {
        const struct section *section = &sections[i];
        print_message("%-60s %5u passed %3u failed, disputed %u and %u\n", section->name,
                section->passed, section->failed, section->disputed_passed,
                section->disputed_failed);
        all.passed += section->passed;
        all.failed += section->failed;
        all.disputed_passed += section->disputed_passed;
        all.disputed_failed += section->disputed_failed;
    }
    print_message("all: %u passed, %u failed; disputed: %u passed, %u failed; 0 skipped\n",
            all.passed, all.failed, all.disputed_passed, all.disputed_failed);
    assert_int_equal(all.failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance),
    };
    return cmocka_run_group_tests_name("pattern cases", tests, NULL, NULL);
}
