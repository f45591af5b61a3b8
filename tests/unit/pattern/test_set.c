/* The set's interface: many patterns at once, explanations, findings, limits. */
#include "../test.h"
#include "sample.h"

static struct weir_pattern_set *make_set(
        const char *const *patterns, size_t count, enum weir_pattern_mode mode)
{
    struct weir_pattern_set *set = weir_pattern_set_create();
    for (size_t i = 0; i < count; i++) {
        struct weir_err err = { 0 };
        size_t index = 0;
        if (weir_pattern_set_add(set, weir_str_z(patterns[i]), mode, &index, &err) != WEIR_OK) {
            fail_msg("%s: %s", patterns[i], err.msg);
        }
        assert_int_equal(index, i);
    }
    weir_pattern_set_freeze(set);
    return set;
}

/* --- many patterns ------------------------------------------------------ */

struct dice {
    uint64_t state;
};

static unsigned roll(struct dice *dice, unsigned sides)
{
    dice->state = dice->state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(dice->state >> 33) % sides;
}

static struct weir_str random_alternatives(struct weir_arena *arena, struct dice *dice)
{
    unsigned n = roll(dice, 40);
    switch (roll(dice, 9)) {
    case 0:
        return weir_arena_printf(arena, "[\"v%u\"]", n);
    case 1:
        return weir_arena_printf(arena, "[\"v%u\",\"v%u\"]", n, roll(dice, 40));
    case 2:
        return weir_arena_printf(arena, "[{\"prefix\":\"v%u\"}]", roll(dice, 5));
    case 3:
        return weir_arena_printf(
                arena, "[{\"prefix\":\"v1\"},{\"prefix\":\"v1%u\"},\"v%u\"]", roll(dice, 10), n);
    case 4:
        return weir_arena_printf(arena, "[{\"anything-but\":[\"v%u\"]}]", n);
    case 5:
        return weir_arena_printf(arena, "[{\"exists\":%s}]", n % 2 ? "true" : "false");
    case 6:
        return weir_arena_printf(arena, "[{\"suffix\":\"%u\"}]", n % 10);
    case 7:
        return weir_arena_printf(arena, "[{\"exists\":false},\"v%u\"]", n);
    default:
        return weir_arena_printf(arena, "[{\"wildcard\":\"*%u*\"},\"v%u\"]", n % 10, n);
    }
}

/* {"dynamodb":{"NewImage":{"a":..,"l":{"L":{"M":{"x":..,"y":..}}}}}} and the like. */
static struct weir_str random_pattern(struct weir_arena *arena, struct dice *dice)
{
    struct weir_str text = WEIR_STR("");
    static const char *const names[] = { "a", "b", "s" };
    for (unsigned i = 0; i < 3; i++) {
        if (roll(dice, 2) == 0) {
            struct weir_str values = random_alternatives(arena, dice);
            text = weir_arena_printf(arena, "%.*s\"%s\":{\"%s\":%.*s},", WEIR_STR_ARG(text),
                    names[i], i == 2 ? "SS" : "S", WEIR_STR_ARG(values));
        }
    }
    struct weir_str x = random_alternatives(arena, dice);
    struct weir_str y = random_alternatives(arena, dice);
    if (roll(dice, 2) == 0) {
        return weir_arena_printf(arena,
                "{\"dynamodb\":{\"NewImage\":{%.*s\"l\":{\"L\":{\"M\":{\"x\":{\"S\":%.*s},"
                "\"y\":{\"S\":%.*s}}}}}}}",
                WEIR_STR_ARG(text), WEIR_STR_ARG(x), WEIR_STR_ARG(y));
    }
    return weir_arena_printf(arena, "{\"dynamodb\":{\"NewImage\":{%.*s\"c\":{\"S\":%.*s}}}}",
            WEIR_STR_ARG(text), WEIR_STR_ARG(x));
}

static void add_random_string(
        struct weir_item_builder *builder, struct weir_arena *arena, struct dice *dice)
{
    weir_item_s(builder, weir_arena_printf(arena, "v%u", roll(dice, 40)));
}

static struct weir_item random_item(struct weir_arena *arena, struct dice *dice)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    static const char *const names[] = { "a", "b", "c" };
    for (unsigned i = 0; i < 3; i++) {
        if (roll(dice, 4) > 0) {
            weir_item_name(builder, weir_str_z(names[i]));
            add_random_string(builder, arena, dice);
        }
    }
    weir_item_name(builder, WEIR_STR("s"));
    weir_item_open(builder, WEIR_TYPE_SS);
    weir_item_s(builder, weir_arena_printf(arena, "v%u", roll(dice, 20)));
    weir_item_s(builder, weir_arena_printf(arena, "v%u", 20 + roll(dice, 20)));
    weir_item_close(builder);
    weir_item_name(builder, WEIR_STR("l"));
    weir_item_open(builder, WEIR_TYPE_L);
    for (unsigned i = roll(dice, 4); i > 0; i--) {
        weir_item_open(builder, WEIR_TYPE_M);
        for (unsigned j = 0; j < 2; j++) {
            if (roll(dice, 3) > 0) {
                weir_item_name(builder, j == 0 ? WEIR_STR("x") : WEIR_STR("y"));
                add_random_string(builder, arena, dice);
            }
        }
        weir_item_close(builder);
    }
    weir_item_close(builder);
    struct weir_item item = { 0 };
    assert_int_equal(weir_item_finish(builder, &item, NULL), WEIR_OK);
    return item;
}

enum { PATTERNS = 150, RECORDS = 150 };

/* A set answers as each of its patterns does alone, in place and on the record's JSON. */
static void test_many_patterns(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct dice dice = { 11 };
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    const char *texts[PATTERNS];
    struct weir_pattern_set *alone[PATTERNS];
    for (size_t i = 0; i < PATTERNS; i++) {
        texts[i] = random_pattern(&arena, &dice).p;
        alone[i] = make_set(&texts[i], 1, WEIR_PATTERN_AWS);
    }
    struct weir_pattern_set *all = make_set(texts, PATTERNS, WEIR_PATTERN_AWS);
    assert_int_equal(weir_pattern_set_count(all), PATTERNS);
    unsigned matched = 0;
    for (size_t r = 0; r < RECORDS; r++) {
        struct weir_record record = { .source = &sample_source,
            .event = WEIR_EVENT_INSERT,
            .new_image = random_item(&arena, &dice) };
        uint64_t results[(PATTERNS + 63) / 64];
        assert_int_equal(weir_pattern_set_words(all), WEIR_COUNT(results));
        assert_int_equal(weir_pattern_match_record(all, scratch, &record, results, NULL), WEIR_OK);
        for (size_t i = 0; i < PATTERNS; i++) {
            bool expected = record_matches(alone[i], scratch, &record, WEIR_PATTERN_AWS);
            if (weir_pattern_matched(results, i) != expected) {
                fail_msg("record %zu: %s", r, texts[i]);
            }
            matched += expected;
        }
    }
    assert_in_range(matched, 500, PATTERNS * RECORDS - 500);
    for (size_t i = 0; i < PATTERNS; i++) {
        weir_pattern_set_destroy(alone[i]);
    }
    weir_pattern_set_destroy(all);
    weir_arena_fini(&arena);
}

/* The index finds every prefix of a value among prefixes that begin alike. */
static void test_nested_prefixes(void **state)
{
    (void)state;
    const char *const patterns[] = { "{\"a\":[{\"prefix\":\"abc\"}]}",
        "{\"a\":[{\"prefix\":\"a\"}]}", "{\"a\":[{\"prefix\":\"abd\"}]}",
        "{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":[{\"prefix\":\"abcd\"}]}",
        "{\"a\":[{\"prefix\":\"\"}]}", "{\"a\":[{\"prefix\":\"b\"}]}" };
    WEIR_AUTO(weir_pattern_set)
    struct weir_pattern_set *set = make_set(patterns, WEIR_COUNT(patterns), WEIR_PATTERN_AWS);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    uint64_t results = 0;
    assert_int_equal(
            weir_pattern_match_json(set, scratch, WEIR_STR("{\"a\":\"abce\"}"), &results, NULL),
            WEIR_OK);
    assert_int_equal(results, 0x2b); /* abc, a, ab, "" */
    assert_int_equal(
            weir_pattern_match_json(set, scratch, WEIR_STR("{\"a\":\"ac\"}"), &results, NULL),
            WEIR_OK);
    assert_int_equal(results, 0x22);
}

/* Many names in one object, and many values in one list. */
static void test_wide_patterns(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    const char *patterns[100];
    struct weir_str values = WEIR_STR("\"x\"");
    for (unsigned i = 0; i < 100; i++) {
        values = weir_arena_printf(&arena, "%.*s,\"w%u\"", WEIR_STR_ARG(values), i);
        patterns[i] = weir_arena_printf(&arena, "{\"name%u\":[%.*s]}", i, WEIR_STR_ARG(values)).p;
    }
    WEIR_AUTO(weir_pattern_set)
    struct weir_pattern_set *set = make_set(patterns, 100, WEIR_PATTERN_AWS);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    for (unsigned i = 0; i < 100; i++) {
        uint64_t results[2];
        struct weir_str event = weir_arena_printf(
                &arena, "{\"name%u\":\"w%u\",\"name\":\"x\",\"name%u\":\"w99\"}", i, i, i / 2);
        assert_int_equal(weir_pattern_match_json(set, scratch, event, results, NULL), WEIR_OK);
        for (unsigned j = 0; j < 100; j++) {
            assert_int_equal(weir_pattern_matched(results, j), j == i);
        }
    }
    weir_arena_fini(&arena);
}

/* Both modes in one set; item patterns do not answer for an event's JSON. */
static void test_modes_together(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    size_t index = 0;
    assert_int_equal(weir_pattern_set_add(set, WEIR_STR("{\"new\":{\"n\":[1.5]}}"),
                             WEIR_PATTERN_ITEM, &index, NULL),
            WEIR_OK);
    assert_int_equal(weir_pattern_set_add(set, WEIR_STR("{\"new\":{\"n\":[1.5]}}"),
                             WEIR_PATTERN_AWS, &index, NULL),
            WEIR_OK);
    assert_int_equal(weir_pattern_set_add(set, WEIR_STR("{\"new\":{\"m\":[{\"exists\":false}]}}"),
                             WEIR_PATTERN_ITEM, &index, NULL),
            WEIR_OK);
    weir_pattern_set_freeze(set);
    struct weir_record record = read_sample(&arena, WEIR_STR("{\"new\":{\"n\":1.50}}"));
    uint64_t results = 0;
    assert_int_equal(weir_pattern_match_record(set, scratch, &record, &results, NULL), WEIR_OK);
    assert_int_equal(results, 5);
    assert_int_equal(weir_pattern_match_json(
                             set, scratch, WEIR_STR("{\"new\":{\"n\":1.50}}"), &results, NULL),
            WEIR_OK);
    assert_int_equal(results, 2);
    weir_arena_fini(&arena);
}

/* --- limits ------------------------------------------------------------- */

static void test_failed_add_leaves_the_set(void **state)
{
    (void)state;
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    size_t index = 9;
    struct weir_err err = { 0 };
    assert_int_equal(weir_pattern_set_add(
                             set, WEIR_STR("{\"a\":[1],\"b\":[]}"), WEIR_PATTERN_AWS, &index, &err),
            WEIR_E_INVALID);
    assert_int_equal(err.pos, 14); /* the end of the empty list */
    assert_int_equal(index, 9);
    assert_int_equal(
            weir_pattern_set_add(set, WEIR_STR("{\"a\":[2]}"), WEIR_PATTERN_AWS, &index, &err),
            WEIR_OK);
    assert_int_equal(index, 0);
    weir_pattern_set_freeze(set);
    assert_string_equal(weir_pattern_set_text(set, 0).p, "{\"a\":[2]}");
    uint64_t results = 0;
    assert_int_equal(
            weir_pattern_match_json(set, scratch, WEIR_STR("{\"a\":1}"), &results, NULL), WEIR_OK);
    assert_int_equal(results, 0);
}

static void check_refused(struct weir_str text, enum weir_rc rc, const char *part)
{
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    size_t index = 0;
    struct weir_err err = { 0 };
    assert_int_equal(weir_pattern_set_add(set, text, WEIR_PATTERN_AWS, &index, &err), rc);
    assert_non_null(strstr(err.msg, part));
}

static void test_limits(void **state)
{
    (void)state;
    struct weir_buf text;
    weir_buf_init(&text, 1 << 20);
    weir_buf_z(&text, "{\"a\":[\"");
    for (size_t i = 0; i < WEIR_PATTERN_MAX_BYTES; i++) {
        weir_buf_byte(&text, 'x');
    }
    weir_buf_z(&text, "\"]}");
    check_refused(weir_buf_view(&text), WEIR_E_TOO_LARGE, "65546 bytes");

    weir_buf_reset(&text);
    for (unsigned i = 0; i <= WEIR_PATTERN_MAX_DEPTH; i++) {
        weir_buf_z(&text, "{\"a\":");
    }
    check_refused(weir_buf_view(&text), WEIR_E_INVALID, "64 levels");

    weir_buf_reset(&text);
    for (unsigned i = 0; i < 4; i++) { /* 6 to the power of 4 */
        weir_buf_printf(&text, "%s\"%u\":{\"$or\":[", i > 0 ? "," : "{", i);
        for (unsigned j = 0; j < 6; j++) {
            weir_buf_printf(&text, "%s{\"x%u\":[1]}", j > 0 ? "," : "", j);
        }
        weir_buf_z(&text, "]}");
    }
    weir_buf_z(&text, "}");
    check_refused(weir_buf_view(&text), WEIR_E_TOO_LARGE, "more than 1000 combinations");
    weir_buf_fini(&text);
}

/* n elements of which none has both names; nested: one array further down. */
static void write_elements(struct weir_buf *event, unsigned n, bool nested)
{
    weir_buf_reset(event);
    weir_buf_z(event, nested ? "{\"l\":[[" : "{\"l\":[");
    for (unsigned i = 0; i < n; i++) {
        weir_buf_printf(event, "%s{\"%s\":1}", i > 0 ? "," : "", i % 2 ? "x" : "y");
    }
    weir_buf_z(event, nested ? "]]}" : "]}");
}

static void test_large_arrays(void **state)
{
    (void)state;
    const char *const pattern[] = { "{\"l\":{\"x\":[1],\"y\":[1]}}" };
    WEIR_AUTO(weir_pattern_set)
    struct weir_pattern_set *set = make_set(pattern, 1, WEIR_PATTERN_AWS);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    struct weir_buf event;
    weir_buf_init(&event, 1 << 20);
    uint64_t results = 1;
    struct weir_err err = { 0 };
    write_elements(&event, 50000, false);
    assert_int_equal(
            weir_pattern_match_json(set, scratch, weir_buf_view(&event), &results, &err), WEIR_OK);
    assert_int_equal(results, 0);
    write_elements(&event, 50000, true);
    assert_int_equal(weir_pattern_match_json(set, scratch, weir_buf_view(&event), &results, &err),
            WEIR_E_LIMIT);
    assert_int_equal(results, 0);
    assert_non_null(strstr(err.msg, "more than 10000000 combinations"));
    weir_buf_fini(&event);
}

/* --- explanations ------------------------------------------------------- */

static void check_explained(const char *pattern, enum weir_pattern_mode mode, const char *sample,
        enum weir_pattern_form form, const char *expected)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = make_set(&pattern, 1, mode);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    struct weir_record record = read_sample(&arena, weir_str_z(sample));
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 16);
    weir_pattern_explain(set, 0, scratch, &record, form, &buf);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p, expected);
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

static void test_explain(void **state)
{
    (void)state;
    check_explained("{\"eventName\":[\"INSERT\", \"MODIFY\"],\"dynamodb\":{\"NewImage\":{"
                    "\"a\":{\"S\":[\"x y\"]},\"b\":{\"N\":[{\"exists\":true}]}}}}",
            WEIR_PATTERN_AWS, "{\"event\":\"MODIFY\",\"new\":{\"a\":\"z\"}}", WEIR_PATTERN_TEXT,
            "does not match\n"
            "  no  dynamodb.NewImage.a.S: wanted [\"x y\"], found \"z\"\n"
            "  no  dynamodb.NewImage.b.N: wanted [{\"exists\":true}], found nothing there\n"
            "  yes eventName: wanted [\"INSERT\",\"MODIFY\"], found \"MODIFY\"\n");
    check_explained("{\"new\":{\"l\":{\"x\":[1],\"y\":[2]}}}", WEIR_PATTERN_ITEM,
            "{\"new\":{\"l\":[{\"x\":1},{\"y\":2}]}}", WEIR_PATTERN_TEXT,
            "does not match\n"
            "  yes new.l.x: wanted [1], found 1\n"
            "  yes new.l.y: wanted [2], found 2\n"
            "  each field matches, but not all in the same elements of an array\n");
    check_explained("{\"$or\":[{\"new\":{\"a\":[1]}},{\"new\":{\"a\":[{\"increased-by\":2}]}}]}",
            WEIR_PATTERN_ITEM, "{\"new\":{\"a\":5},\"old\":{\"a\":2.5}}", WEIR_PATTERN_TEXT,
            "matches\n"
            "  $or combination 1 of 2: does not match\n"
            "    no  new.a: wanted [1], found 5\n"
            "  $or combination 2 of 2: matches\n"
            "    yes new.a: wanted [{\"increased-by\":2}], found old 2.5, new 5\n");
    check_explained("{\"new\":{\"t\":[\"q\"]}}", WEIR_PATTERN_ITEM,
            "{\"new\":{\"t\":[1,2,3,4,null,true,{}]}}", WEIR_PATTERN_TEXT,
            "does not match\n"
            "  no  new.t: wanted [\"q\"], found 1, 2, 3, 4, null and 2 more\n");
    check_explained("{\"new\":{\"a\":[{\"changed\":true}],\"b\":[null]}}", WEIR_PATTERN_ITEM,
            "{\"new\":{\"a\":\"\\\"\",\"b\":null}}", WEIR_PATTERN_JSON,
            "{\"matches\":true,\"combinations\":[{\"matches\":true,\"fields\":["
            "{\"path\":\"new.a\",\"matches\":true,\"wanted\":[{\"changed\":true}],"
            "\"found\":[\"\\\"\"],\"new\":\"\\\"\"},"
            "{\"path\":\"new.b\",\"matches\":true,\"wanted\":[null],\"found\":[null]}]}]}");
}

static void test_explain_json(void **state)
{
    (void)state;
    const char *const pattern[] = { "{\"l\":{\"a\":[1],\"b\":[{\"exists\":false}]}}" };
    WEIR_AUTO(weir_pattern_set)
    struct weir_pattern_set *set = make_set(pattern, 1, WEIR_PATTERN_AWS);
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 16);
    assert_int_equal(
            weir_pattern_explain_json(set, 0, scratch,
                    WEIR_STR("{\"l\":[{\"a\":1.0},{\"b\":true}]}"), WEIR_PATTERN_TEXT, &buf, NULL),
            WEIR_OK);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p,
            "matches\n"
            "  yes l.a: wanted [1], found 1.0\n"
            "  no  l.b: wanted [{\"exists\":false}], found true\n"
            "  what is absent is absent from the array elements that the other fields matched\n");
    assert_int_equal(weir_pattern_explain_json(
                             set, 0, scratch, WEIR_STR("[]"), WEIR_PATTERN_TEXT, &buf, NULL),
            WEIR_E_INVALID);
    weir_buf_fini(&buf);
}

/* --- findings ----------------------------------------------------------- */

static void collect(void *context, const struct weir_pattern_finding *finding)
{
    weir_buf_printf(context, "%zu%s %.*s\n", finding->pos, finding->never ? " never:" : ":",
            WEIR_STR_ARG(finding->message));
}

static void check_findings(const char *pattern, enum weir_pattern_mode mode, const char *expected)
{
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = make_set(&pattern, 1, mode);
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 16);
    static const struct weir_str keys[] = { { "pk", 2 }, { "s.k", 3 } };
    struct weir_pattern_lint lint = { .found = collect,
        .context = &buf,
        .key_names = keys,
        .key_count = 2,
        .view = WEIR_VIEW_NEW_IMAGE };
    weir_pattern_set_lint(set, 0, &lint);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p, expected);
    weir_buf_fini(&buf);
}

#define NEVER "0 never: the pattern never matches a record of this stream\n"

static void test_lint(void **state)
{
    (void)state;
    enum weir_pattern_mode aws = WEIR_PATTERN_AWS;
    check_findings("{\"eventName\":[\"INSERT\"],\"dynamodb\":{\"Keys\":{\"pk\":{\"S\":[\"a\"]},"
                   "\"s.k\":{\"S\":[\"b\"]}},\"NewImage\":{\"l\":{\"L\":{\"M\":{\"x\":{\"N\":"
                   "[\"1.5\"]}}}},\"b\":{\"BOOL\":[true]},\"a.b\":{\"SS\":[{\"prefix\":\"r\"}]}}}}",
            aws, "");
    check_findings("{\"eventName\":[\"CREATE\"]}", aws,
            "13: eventName: there is no event 'CREATE'; expected INSERT, MODIFY or REMOVE\n" NEVER);
    check_findings("{\"eventName\":[\"CREATE\",\"INSERT\"]}", aws,
            "13: eventName: there is no event 'CREATE'; expected INSERT, MODIFY or REMOVE\n");
    check_findings("{\"eventname\":[\"INSERT\"]}", aws,
            "13: eventname: no record has this; did you mean 'eventName'?\n" NEVER);
    check_findings("{\"dynamodb\":{\"NewImage\":{\"n\":{\"N\":[{\"numeric\":[\">\",1]}]}}}}", aws,
            "34: dynamodb.NewImage.n.N: N is a string in the record, so a number, numeric or a "
            "literal never matches it; use the number's text, or an item pattern\n" NEVER);
    check_findings("{\"dynamodb\":{\"NewImage\":{\"n\":{\"N\":[\"1.50\"]}}}}", aws,
            "34: dynamodb.NewImage.n.N: numbers are compared as text, and this one is written "
            "'1.5'\n" NEVER);
    check_findings("{\"dynamodb\":{\"NewImage\":{\"n\":[{\"exists\":true}]}}}", aws,
            "29: dynamodb.NewImage.n: an attribute is not a value in the record's form; name its "
            "type, as in {\"n\": {\"S\": [...]}}\n" NEVER);
    check_findings("{\"dynamodb\":{\"NewImage\":{\"m\":{\"M\":[{\"exists\":false}]}}}}", aws,
            "34: dynamodb.NewImage.m.M: no value is ever here; values stand below S, N, B, BOOL, "
            "NULL, SS, NS and BS\n"
            "34: dynamodb.NewImage.m.M: exists false is always true here\n");
    check_findings("{\"dynamodb\":{\"Keys\":{\"id\":{\"S\":[\"x\"]}}}}", aws,
            "31: dynamodb.Keys.id.S: 'id' is not an attribute of the table's key\n");
    check_findings("{\"dynamodb\":{\"OldImage\":{\"a\":{\"S\":[\"x\"]}}}}", aws,
            "34: dynamodb.OldImage.a.S: the stream's view NEW_IMAGE does not carry it\n" NEVER);
    check_findings("{\"dynamodb\":{\"NewImage\":{\"b\":{\"BOOL\":[\"true\",null]}}}}", aws,
            "37: dynamodb.NewImage.b.BOOL: holds true or false, never the string 'true'\n"
            "37: dynamodb.NewImage.b.BOOL: holds true or false, which an alternative here never "
            "matches\n" NEVER);
    check_findings(
            "{\"eventName\":[\"INSERT\"]} }", aws, "25: text behind the pattern is ignored\n");
    check_findings("{\"keys\":{\"id\":[1]},\"event\":[\"DELETE\",\"REMOVE\"]}", WEIR_PATTERN_ITEM,
            "14: keys.id: 'id' is not an attribute of the table's key\n"
            "27: event: there is no event 'DELETE'; expected INSERT, MODIFY or REMOVE\n");
    check_findings("{\"$or\":[{\"eventNam\":[\"x\"]},{\"awsRegion\":[{\"prefix\":\"eu\"}]}]}", aws,
            "20: eventNam: no record has this; did you mean 'eventName'?\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_patterns),
        cmocka_unit_test(test_nested_prefixes),
        cmocka_unit_test(test_wide_patterns),
        cmocka_unit_test(test_modes_together),
        cmocka_unit_test(test_failed_add_leaves_the_set),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_large_arrays),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_explain_json),
        cmocka_unit_test(test_lint),
    };
    return cmocka_run_group_tests_name("pattern", tests, NULL, NULL);
}
