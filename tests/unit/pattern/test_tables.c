/*
 * Runs what is written down: the tables under tests/cases/pattern, and every
 * example of docs/patterns.md.
 */
#include "../test.h"
#include "sample.h"

static const char *const tables[] = { "matchers", "arrays", "records", "items", "errors" };

/* --- tables ------------------------------------------------------------- */

struct row {
    struct weir_str name;
    struct weir_str pattern;
    struct weir_str event;
    struct weir_str record;
    struct weir_str error; /* what its message contains */
    enum weir_pattern_mode mode;
    long pos; /* -1: not checked */
    bool matches;
};

static void read_member(struct row *row, struct weir_json *json, struct weir_str name)
{
    enum weir_json_token token = weir_json_next(json);
    struct weir_str text = json->text;
    if (weir_str_eq(name, WEIR_STR("pos"))) {
        row->pos = strtol(text.p, NULL, 10);
    }
    bool string = token == WEIR_JSON_STRING;
    struct weir_str raw;
    assert_int_equal(weir_json_raw(json, token, &raw, NULL), WEIR_OK);
    if (weir_str_eq(name, WEIR_STR("name"))) {
        row->name = text;
    } else if (weir_str_eq(name, WEIR_STR("pattern"))) {
        row->pattern = string ? text : raw;
    } else if (weir_str_eq(name, WEIR_STR("event"))) {
        row->event = string ? text : raw;
    } else if (weir_str_eq(name, WEIR_STR("record"))) {
        row->record = raw;
    } else if (weir_str_eq(name, WEIR_STR("error"))) {
        row->error = text;
    } else if (weir_str_eq(name, WEIR_STR("mode"))) {
        row->mode = weir_str_eq(text, WEIR_STR("item")) ? WEIR_PATTERN_ITEM : WEIR_PATTERN_AWS;
    } else if (weir_str_eq(name, WEIR_STR("matches"))) {
        row->matches = token == WEIR_JSON_TRUE;
    }
}

static bool contains(const char *text, struct weir_str part)
{
    return memmem(text, strlen(text), part.p, part.n) != NULL;
}

static void check_row(
        const struct row *row, struct weir_pattern_scratch *scratch, struct weir_arena *arena)
{
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    struct weir_err err = { 0 };
    size_t index = 0;
    enum weir_rc rc = weir_pattern_set_add(set, row->pattern, row->mode, &index, &err);
    uint64_t results = 0;
    bool matches = false;
    weir_pattern_set_freeze(set);
    if (rc == WEIR_OK && row->record.n > 0) {
        struct weir_record record = read_sample(arena, row->record);
        matches = record_matches(set, scratch, &record, row->mode);
    } else if (rc == WEIR_OK) {
        rc = weir_pattern_match_json(set, scratch, row->event, &results, &err);
        matches = rc == WEIR_OK && weir_pattern_matched(&results, 0);
    }
    if (row->error.n > 0) {
        if (rc == WEIR_OK || !contains(err.msg, row->error) ||
                (row->pos >= 0 && (size_t)row->pos != err.pos)) {
            fail_msg("%.*s: expected '%.*s' at %ld, got '%s' at %zu", WEIR_STR_ARG(row->name),
                    WEIR_STR_ARG(row->error), row->pos, err.msg, err.pos);
        }
    } else if (rc != WEIR_OK || matches != row->matches) {
        fail_msg("%.*s: %.*s on %.*s%.*s: %s", WEIR_STR_ARG(row->name), WEIR_STR_ARG(row->pattern),
                WEIR_STR_ARG(row->event), WEIR_STR_ARG(row->record),
                rc != WEIR_OK ? err.msg
                : matches     ? "matches"
                              : "does not match");
    }
}

static void test_tables(void **state)
{
    (void)state;
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    for (size_t i = 0; i < WEIR_COUNT(tables); i++) {
        char name[100];
        snprintf(name, sizeof(name), "tests/cases/pattern/%s.json", tables[i]);
        char *text = read_source_file(name);
        assert_non_null(text);
        struct weir_arena arena;
        struct weir_json json;
        weir_arena_init(&arena);
        weir_json_init(&json, weir_str_z(text), &arena, 64);
        assert_int_equal(weir_json_next(&json), WEIR_JSON_ARRAY);
        struct weir_str record = WEIR_STR(""); /* of a row without a pattern: for the next rows */
        enum weir_json_token token = weir_json_next(&json);
        for (; token == WEIR_JSON_OBJECT; token = weir_json_next(&json)) {
            struct row row = { .pos = -1 };
            while (weir_json_next(&json) == WEIR_JSON_NAME) {
                read_member(&row, &json, json.text);
            }
            if (row.pattern.p == NULL) {
                record = row.record;
                continue;
            }
            if (row.event.p == NULL && row.record.p == NULL) {
                row.record = record;
            }
            check_row(&row, scratch, &arena);
        }
        if (token != WEIR_JSON_ARRAY_END) {
            fail_msg("%s: %s at %zu", name, json.err.msg, json.err.pos);
        }
        weir_arena_fini(&arena);
        weir_free(text);
    }
}

/* --- the documentation -------------------------------------------------- */

/*
 * A block fenced as `json pattern` or `json item-pattern` holds for the `json
 * event` and `json record` blocks behind it; each of those is followed by a line
 * that begins with "matches: yes" or "matches: no".
 */
struct doc {
    struct weir_str pattern;
    enum weir_pattern_mode mode;
    unsigned examples;
};

/* The text up to a line with the closing fence, and text moved behind it. */
static struct weir_str take_block(const char **text)
{
    const char *end = strstr(*text, "\n```");
    assert_non_null(end);
    struct weir_str block = weir_str(*text, (size_t)(end - *text));
    *text = end + 4;
    return block;
}

static void check_example(struct doc *doc, struct weir_str block, bool is_record, const char *after)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    const char *answer = after + strspn(after, "\n");
    assert_true(strncmp(answer, "matches: ", 9) == 0);
    struct row row = { .name = WEIR_STR("docs/patterns.md"),
        .pattern = doc->pattern,
        .mode = doc->mode,
        .pos = -1,
        .matches = strncmp(answer + 9, "yes", 3) == 0 };
    if (is_record) {
        row.record = block;
    } else {
        row.event = block;
    }
    check_row(&row, scratch, &arena);
    doc->examples++;
    weir_arena_fini(&arena);
}

static void test_documentation(void **state)
{
    (void)state;
    char *text = read_source_file("docs/patterns.md");
    assert_non_null(text);
    struct doc doc = { 0 };
    const char *at = text;
    while ((at = strstr(at, "\n```json ")) != NULL) {
        const char *kind = at + 9;
        at = strchr(kind, '\n') + 1;
        struct weir_str block = take_block(&at);
        if (strncmp(kind, "pattern", 7) == 0 || strncmp(kind, "item-pattern", 12) == 0) {
            doc.pattern = block;
            doc.mode = kind[0] == 'i' ? WEIR_PATTERN_ITEM : WEIR_PATTERN_AWS;
        } else {
            check_example(&doc, block, strncmp(kind, "record", 6) == 0, at);
        }
    }
    assert_true(doc.examples > 20);
    weir_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_documentation),
    };
    return cmocka_run_group_tests_name("pattern tables", tests, NULL, NULL);
}
