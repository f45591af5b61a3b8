#include <stdlib.h>

#include "parsed.h"

struct table_options {
    struct weir_str name;
    bool stream;
    uint64_t shards;
    uint64_t retention_ms;
    uint64_t bytes;
    const struct weir_conf *key;
};

static const struct weir_option options[] = {
    { "name", "unnamed", "what to call it", WEIR_OPTION_STRING,
            offsetof(struct table_options, name), 0, 0 },
    { "stream", "true", "whether changes are kept", WEIR_OPTION_BOOL,
            offsetof(struct table_options, stream), 0, 0 },
    { "shards", "4", "how many shards", WEIR_OPTION_INTEGER, offsetof(struct table_options, shards),
            1, 64 },
    { "retention", "24h", "how long changes are kept", WEIR_OPTION_DURATION,
            offsetof(struct table_options, retention_ms), 1000, 7 * 86400000ull },
    { "bytes", "", "how much may be kept", WEIR_OPTION_BYTES, offsetof(struct table_options, bytes),
            4096, 0 },
    { "key", NULL, "partition key, then sort key", WEIR_OPTION_NODE,
            offsetof(struct table_options, key), 0, 0 },
    { NULL, NULL, NULL, WEIR_OPTION_NODE, 0, 0, 0 },
};

static bool fill(struct parsed *parsed, const char *text, struct table_options *target)
{
    memset(target, 0, sizeof(*target));
    parse(parsed, text);
    return weir_conf_options(&parsed->diagnostics, parsed->root, "table 'orders'", options, target);
}

static void assert_complaint(const char *text, const char *expected)
{
    struct parsed parsed;
    struct table_options target;
    assert_false(fill(&parsed, text, &target));
    assert_string_equal(complaints(&parsed), expected);
    parse_end(&parsed);
}

static void test_values_and_fallbacks(void **state)
{
    (void)state;
    struct parsed parsed;
    struct table_options target;
    assert_true(fill(&parsed,
            "name: 8080\nstream: false\nshards: 64\nretention: 1500ms\nbytes: 64MiB\n"
            "key: {id: S}\n",
            &target));
    assert_true(weir_str_eq(target.name, WEIR_STR("8080")));
    assert_false(target.stream);
    assert_int_equal(target.shards, 64);
    assert_int_equal(target.retention_ms, 1500);
    assert_int_equal(target.bytes, 64 << 20);
    assert_int_equal(target.key->kind, WEIR_CONF_MAP);
    parse_end(&parsed);

    assert_true(fill(&parsed, "key:\n", &target));
    assert_true(weir_str_eq(target.name, WEIR_STR("unnamed")));
    assert_true(target.stream);
    assert_int_equal(target.shards, 4);
    assert_int_equal(target.retention_ms, 86400000);
    assert_int_equal(target.bytes, 0);
    assert_int_equal(target.key->kind, WEIR_CONF_NULL);
    parse_end(&parsed);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } durations[] = { { "key: 1\nretention: 7d", 604800000 }, { "key: 1\nretention: 1h", 3600000 },
        { "key: 1\nretention: 15m", 900000 }, { "key: 1\nretention: '5s'", 5000 } };
    struct parsed parsed;
    struct table_options target;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        assert_true(fill(&parsed, durations[i].text, &target));
        assert_int_equal(target.retention_ms, durations[i].ms);
        parse_end(&parsed);
    }
    assert_true(fill(&parsed, "key: 1\nbytes: 4096", &target));
    assert_int_equal(target.bytes, 4096);
    parse_end(&parsed);
    assert_true(fill(&parsed, "key: 1\nbytes: 3TiB", &target));
    assert_int_equal(target.bytes, (uint64_t)3 << 40);
    parse_end(&parsed);
}

static void test_unknown_option_names_the_nearest(void **state)
{
    (void)state;
    assert_complaint("key: 1\nsteam: true\n",
            "weir.yaml:2:1: error: unknown option 'steam' of table 'orders'; did you mean "
            "'stream'? (known: name, stream, shards, retention, bytes, key)\n");
    assert_complaint("key: 1\nzzzzzz: true\n",
            "weir.yaml:2:1: error: unknown option 'zzzzzz' of table 'orders' "
            "(known: name, stream, shards, retention, bytes, key)\n");
}

static void test_all_complaints_in_one_pass_in_file_order(void **state)
{
    (void)state;
    assert_complaint("shards: '5'\n"
                     "stream: yes\n"
                     "retention: 90\n"
                     "bytes: 64MB\n"
                     "name: [a]\n"
                     "key: 1\n"
                     "key: 2\n",
            "weir.yaml:1:9: error: option 'shards' must be a whole number, not '5' in quotes\n"
            "weir.yaml:2:9: error: option 'stream' must be true or false, not 'yes'\n"
            "weir.yaml:3:12: error: option 'retention' must be a duration such as 250ms, 5s, 15m, "
            "24h or 7d, not '90': the unit is missing\n"
            "weir.yaml:4:8: error: option 'bytes' must be a size such as 4096, 64KiB, 64MiB or "
            "1GiB, not '64MB'\n"
            "weir.yaml:5:7: error: option 'name' must be a string, not a list\n"
            "weir.yaml:7:1: error: 'key' stands here twice: it is already at 6:1\n");
}

static void test_ranges(void **state)
{
    (void)state;
    assert_complaint("{key: 1, shards: 0}",
            "weir.yaml:1:18: error: option 'shards' is '0', but must be from 1 to 64\n");
    assert_complaint("{key: 1, shards: 65}",
            "weir.yaml:1:18: error: option 'shards' is '65', but must be from 1 to 64\n");
    assert_complaint("{key: 1, shards: 99999999999999999999}",
            "weir.yaml:1:18: error: option 'shards' is '99999999999999999999', but must be from 1 "
            "to 64\n");
    assert_complaint("{key: 1, shards: -1}",
            "weir.yaml:1:18: error: option 'shards' must be a whole number, not '-1'\n");
    assert_complaint("{key: 1, retention: 8d}",
            "weir.yaml:1:21: error: option 'retention' is '8d', but must be from 1s to 7d\n");
    assert_complaint("{key: 1, bytes: 1KiB}",
            "weir.yaml:1:17: error: option 'bytes' is '1KiB', but must be at least 4KiB\n");
    assert_complaint("{key: 1, bytes: 99999999999TiB}",
            "weir.yaml:1:17: error: option 'bytes' must be a size such as 4096, 64KiB, 64MiB or "
            "1GiB, not '99999999999TiB': too large\n");
}

static void test_missing_and_wrong_shape(void **state)
{
    (void)state;
    assert_complaint("a:\n",
            "weir.yaml:1:1: error: table 'orders' needs the option 'key' (value): partition key, "
            "then sort key\n"
            "weir.yaml:1:1: error: unknown option 'a' of table 'orders' (known: name, stream, "
            "shards, retention, bytes, key)\n");
    assert_complaint(
            "[a]", "weir.yaml:1:1: error: table 'orders' takes a map of options, not a list\n");
    assert_complaint("{key: 1, name: }",
            "weir.yaml:1:10: error: option 'name' must be a string, not nothing\n");

    struct parsed parsed;
    struct table_options target = { 0 };
    parse(&parsed, "");
    assert_false(weir_conf_options(&parsed.diagnostics, NULL, "table 'orders'", options, &target));
    assert_int_equal(target.shards, 4);
    assert_string_equal(complaints(&parsed),
            "weir.yaml: error: table 'orders' needs the option 'key' (value): partition key, then "
            "sort key\n");
    parse_end(&parsed);
}

static void test_secrets_fit_any_type_and_do_not_show(void **state)
{
    (void)state;
    struct parsed parsed;
    struct table_options target;
    setenv("WEIR_TEST_SHARDS", "12", 1);
    setenv("WEIR_TEST_STREAM", "false", 1);
    assert_true(fill(&parsed,
            "{key: 1, shards: !env WEIR_TEST_SHARDS, stream: !env WEIR_TEST_STREAM}", &target));
    assert_int_equal(target.shards, 12);
    assert_false(target.stream);
    parse_end(&parsed);

    setenv("WEIR_TEST_SHARDS", "hunter2", 1);
    assert_complaint("{key: 1, shards: !env WEIR_TEST_SHARDS}",
            "weir.yaml:1:18: error: option 'shards' must be a whole number, not a secret\n");
    setenv("WEIR_TEST_SHARDS", "700", 1);
    assert_complaint("{key: 1, shards: !env WEIR_TEST_SHARDS}",
            "weir.yaml:1:18: error: option 'shards' is a secret, but must be from 1 to 64\n");
    unsetenv("WEIR_TEST_SHARDS");
    unsetenv("WEIR_TEST_STREAM");
    /* Only what is at fault is complained about, not what follows from it. */
    assert_complaint("{key: 1, shards: !env WEIR_TEST_SHARDS}",
            "weir.yaml:1:18: error: environment variable WEIR_TEST_SHARDS is not set and has no "
            "default: set it, or write !env \"WEIR_TEST_SHARDS, default\"\n");
}

static void test_unknown_of_a_list(void **state)
{
    (void)state;
    static const char *const steps[] = { "put", "send", "update" };
    struct parsed parsed;
    parse(&parsed, "- putt: {}\n- elsewhere\n");
    weir_conf_unknown(&parsed.diagnostics, &parsed.root->items[0].names[0], "step", steps, 3);
    weir_conf_unknown(&parsed.diagnostics, &parsed.root->items[1], "step", steps, 3);
    assert_string_equal(complaints(&parsed),
            "weir.yaml:1:3: error: unknown step 'putt'; did you mean 'put'? (known: put, send, "
            "update)\n"
            "weir.yaml:2:3: error: unknown step 'elsewhere' (known: put, send, update)\n");
    parse_end(&parsed);
}

static void test_help(void **state)
{
    (void)state;
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 16);
    weir_options_help(&buf, options);
    assert_string_equal(text_of(&buf),
            "  name       string    what to call it (default unnamed)\n"
            "  stream     bool      whether changes are kept (default true)\n"
            "  shards     integer   how many shards (default 4)\n"
            "  retention  duration  how long changes are kept (default 24h)\n"
            "  bytes      bytes     how much may be kept\n"
            "  key        value     partition key, then sort key (required)\n");
    weir_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_fallbacks),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_unknown_option_names_the_nearest),
        cmocka_unit_test(test_all_complaints_in_one_pass_in_file_order),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_missing_and_wrong_shape),
        cmocka_unit_test(test_secrets_fit_any_type_and_do_not_show),
        cmocka_unit_test(test_unknown_of_a_list),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
