#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "parsed.h"

static void assert_fails(const char *text, enum weir_rc rc, const char *expected)
{
    struct parsed parsed;
    parse(&parsed, text);
    assert_int_equal(parsed.rc, rc);
    assert_string_equal(complaints(&parsed), expected);
    parse_end(&parsed);
}

static void assert_json(const char *text, const char *expected)
{
    struct parsed parsed;
    parse(&parsed, text);
    assert_string_equal(complaints(&parsed), "");
    assert_int_equal(parsed.rc, WEIR_OK);
    assert_string_equal(json_of(&parsed, parsed.root), expected);
    parse_end(&parsed);
}

static void test_positions(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "# first\n"
                   "listen: 127.0.0.1\n"
                   "é: \"a\"\n"
                   "'q':   'x'\n"
                   "flow: [é, {b: c}]\r\n"
                   "block: |\n"
                   "  one\n"
                   "list:\n"
                   "  - 1\n"
                   "none:\n");
    assert_int_equal(parsed.rc, WEIR_OK);
    const struct weir_conf *root = parsed.root;
    assert_at(root, 2, 1);
    assert_int_equal(root->count, 7);
    assert_at(&root->names[0], 2, 1);
    assert_at(weir_conf_get(root, "listen"), 2, 9);
    assert_at(weir_conf_get(root, "é"), 3, 4);
    assert_at(&root->names[2], 4, 1);
    assert_at(weir_conf_get(root, "q"), 4, 8);
    const struct weir_conf *flow = weir_conf_get(root, "flow");
    assert_at(flow, 5, 7);
    assert_at(&flow->items[0], 5, 8);
    assert_at(&flow->items[1], 5, 11);
    assert_at(&flow->items[1].names[0], 5, 12);
    assert_at(&flow->items[1].items[0], 5, 15);
    assert_at(weir_conf_get(root, "block"), 6, 8);
    assert_at(weir_conf_get(root, "list"), 9, 3);
    assert_at(&weir_conf_get(root, "list")->items[0], 9, 5);
    assert_at(weir_conf_get(root, "none"), 10, 1); /* nothing there: its name's place */
    assert_null(weir_conf_get(root, "lis"));
    assert_null(weir_conf_get(flow, "b"));
    assert_null(weir_conf_get(NULL, "b"));
    parse_end(&parsed);
}

static void test_kinds_and_texts(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "[~, null, '', \"null\", a b, 'it''s', \"\\u00e9\\n\", !!str 1, !!str, {}, []]");
    assert_int_equal(parsed.rc, WEIR_OK);
    const struct weir_conf *items = parsed.root->items;
    assert_int_equal(items[0].kind, WEIR_CONF_NULL);
    assert_int_equal(items[1].kind, WEIR_CONF_NULL);
    assert_int_equal(items[2].kind, WEIR_CONF_SCALAR);
    assert_true(items[2].quoted);
    assert_int_equal(items[3].kind, WEIR_CONF_SCALAR);
    assert_true(weir_str_eq(items[4].text, WEIR_STR("a b")));
    assert_false(items[4].quoted);
    assert_true(weir_str_eq(items[5].text, WEIR_STR("it's")));
    assert_int_equal(items[5].style, '\'');
    assert_true(weir_str_eq(items[6].text, WEIR_STR("é\n")));
    assert_true(items[7].quoted);
    assert_int_equal(items[8].kind, WEIR_CONF_SCALAR);
    assert_true(items[8].quoted);
    assert_int_equal(items[9].kind, WEIR_CONF_MAP);
    assert_int_equal(items[9].count, 0);
    assert_int_equal(items[10].kind, WEIR_CONF_LIST);
    parse_end(&parsed);

    parse(&parsed, "");
    assert_int_equal(parsed.rc, WEIR_OK);
    assert_int_equal(parsed.root->kind, WEIR_CONF_NULL);
    assert_at(parsed.root, 1, 1);
    parse_end(&parsed);
    parse(&parsed, "# nothing\n---\n...\n");
    assert_int_equal(parsed.rc, WEIR_OK);
    assert_int_equal(parsed.root->kind, WEIR_CONF_NULL);
    parse_end(&parsed);
    parse(&parsed, "\xef\xbb\xbf"
                   "a: 1\n");
    assert_int_equal(parsed.rc, WEIR_OK);
    assert_at(weir_conf_get(parsed.root, "a"), 1, 4);
    parse_end(&parsed);
}

static void test_syntax_errors_have_places(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "a: 1\nb: [1, 2\n");
    assert_int_equal(parsed.rc, WEIR_E_INVALID);
    assert_null(parsed.root);
    assert_string_equal(complaints(&parsed),
            "weir.yaml:3:1: error: YAML: flow sequence without a closing bracket\n");
    parse_end(&parsed);
    parse(&parsed, "a: é: 2\n");
    assert_string_equal(complaints(&parsed),
            "weir.yaml:1:5: error: YAML: invalid nested block mapping on the same line\n");
    parse_end(&parsed);
    assert_fails("a: 1\n---\nb: 2\n", WEIR_E_INVALID,
            "weir.yaml:2:1: error: a second document begins here: a configuration file holds "
            "one\n");
    assert_fails("a: \"\x01\"\n", WEIR_E_INVALID,
            "weir.yaml:1:5: error: byte 0x01 does not belong here: expected UTF-8 text without "
            "control characters\n");
    assert_fails("# x\n%YAML 1.2\n---\na: 1\n", WEIR_E_INVALID,
            "weir.yaml:2:1: error: YAML directives are not supported: remove the line that begins "
            "with %\n");
    assert_fails("a: 1\rb: 2", WEIR_E_INVALID,
            "weir.yaml:1:5: error: byte 0x0d does not belong here: expected UTF-8 text without "
            "control characters\n");
    assert_fails("a: 1\né: \xff\n", WEIR_E_INVALID,
            "weir.yaml:2:4: error: byte 0xff does not belong here: expected UTF-8 text without "
            "control characters\n");
}

static void test_faults_beyond_syntax_leave_a_tree(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "a: 1\n"
                   "b: {x: 1, y: 2, x: 3}\n"
                   "a: 2\n"
                   "? [c]\n"
                   ": 1\n"
                   "d: !foo 1\n"
                   "e: *nowhere\n"
                   "f: &f [*f]\n"
                   "g: ok\n");
    assert_int_equal(parsed.rc, WEIR_E_INVALID);
    assert_non_null(parsed.root);
    assert_string_equal(complaints(&parsed),
            "weir.yaml:2:17: error: 'x' stands here twice: it is already at 2:5\n"
            "weir.yaml:3:1: error: 'a' stands here twice: it is already at 1:1\n"
            "weir.yaml:4:3: error: a name must be a plain string, not a list\n"
            "weir.yaml:6:4: error: unknown tag '!foo' (known: !env, !file)\n"
            "weir.yaml:7:4: error: alias '*nowhere' names nothing: no '&nowhere' stands before "
            "it\n"
            "weir.yaml:8:8: error: alias '*f' stands inside the very value it names\n");
    assert_true(weir_str_eq(weir_conf_get(parsed.root, "g")->text, WEIR_STR("ok")));
    assert_true(weir_str_eq(weir_conf_get(parsed.root, "a")->text, WEIR_STR("1")));
    parse_end(&parsed);
}

static void test_aliases_and_merges(void **state)
{
    (void)state;
    assert_json("a: &x {k: [1]}\nb: *x\nc: [*x, *x]\n",
            "{\"a\":{\"k\":[1]},\"b\":{\"k\":[1]},\"c\":[{\"k\":[1]},{\"k\":[1]}]}");
    assert_json("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
    assert_json("&n name: 1\nother: *n\n", "{\"name\":1,\"other\":\"name\"}");
    assert_json("base: &b {r: 3, s: 1}\nx: {<<: *b, s: 2, t: 4}\n",
            "{\"base\":{\"r\":3,\"s\":1},\"x\":{\"s\":2,\"t\":4,\"r\":3}}");
    assert_json("- &b {r: 1}\n- &c {r: 2, q: 2}\n- {<<: [*b, *c]}\n- {\"<<\": 1}\n",
            "[{\"r\":1},{\"r\":2,\"q\":2},{\"r\":1,\"q\":2},{\"<<\":1}]");
    assert_fails("x: {<<: 1}\n", WEIR_E_INVALID,
            "weir.yaml:1:5: error: '<<' takes a map, or a list of maps\n");

    struct parsed parsed;
    parse(&parsed, "base: &b\n  r: 3\nx: {<<: *b}\n");
    assert_at(weir_conf_get(weir_conf_get(parsed.root, "x"), "r"), 2, 6); /* keeps its own place */
    parse_end(&parsed);
}

static void test_limits(void **state)
{
    (void)state;
    assert_fails("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                 "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                 "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
            WEIR_E_TOO_LARGE,
            "weir.yaml:5:29: error: more than 100000 values, with every alias counted as what it "
            "stands for\n");
    char deep[200];
    memset(deep, '[', 63);
    memset(deep + 63, ']', 63);
    deep[126] = '\0';
    struct parsed parsed;
    parse(&parsed, deep);
    assert_int_equal(parsed.rc, WEIR_OK);
    parse_end(&parsed);
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    deep[130] = '\0';
    assert_fails(
            deep, WEIR_E_TOO_LARGE, "weir.yaml:1:65: error: nested more than 64 levels deep\n");

    /* Aliases do not get around the depth either. */
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    weir_buf_z(&buf, "- &a0 [x]\n");
    for (int i = 1; i < 80; i++) {
        weir_buf_printf(&buf, "- &a%d [*a%d]\n", i, i - 1);
    }
    parse_str(&parsed, weir_buf_view(&buf));
    assert_int_equal(parsed.rc, WEIR_E_TOO_LARGE);
    parse_end(&parsed);

    size_t n = (4 << 20) + 1;
    char *large = weir_alloc(n);
    memset(large, ' ', n);
    parse_str(&parsed, weir_str(large, n));
    assert_int_equal(parsed.rc, WEIR_E_TOO_LARGE);
    assert_string_equal(complaints(&parsed), "weir.yaml: error: larger than 4 MiB\n");
    parse_end(&parsed);
    memset(large, '\n', 101);
    parse_str(&parsed, weir_str(large, 101));
    assert_int_equal(parsed.rc, WEIR_E_TOO_LARGE);
    assert_string_equal(
            complaints(&parsed), "weir.yaml:101:1: error: more than 100 empty lines in a row\n");
    parse_end(&parsed);
    memset(large, '[', 200001);
    parse_str(&parsed, weir_str(large, 200001));
    assert_int_equal(parsed.rc, WEIR_E_TOO_LARGE);
    assert_string_equal(complaints(&parsed),
            "weir.yaml: error: more than 200000 brackets, braces and commas\n");
    parse_end(&parsed);
    weir_free(large);
    weir_buf_fini(&buf);
}

static void test_env(void **state)
{
    (void)state;
    struct parsed parsed;
    setenv("WEIR_TEST_A", "hunter2", 1);
    unsetenv("WEIR_TEST_B");
    parse(&parsed, "a: !env WEIR_TEST_A\n"
                   "b: !env WEIR_TEST_B, some default\n"
                   "c: !env \"WEIR_TEST_B, quoted\"\n"
                   "d: !env [WEIR_TEST_B, \" in, list \"]\n"
                   "e: !env [WEIR_TEST_A]\n"
                   "f: !env WEIR_TEST_B,\n");
    assert_string_equal(complaints(&parsed), "");
    assert_int_equal(parsed.rc, WEIR_OK);
    assert_string_equal(json_of(&parsed, parsed.root),
            "{\"a\":\"hunter2\",\"b\":\"some default\",\"c\":\"quoted\",\"d\":\" in, list \","
            "\"e\":\"hunter2\",\"f\":\"\"}");
    char shown[WEIR_CONF_SHOWN];
    for (size_t i = 0; i < parsed.root->count; i++) {
        assert_true(parsed.root->items[i].secret);
        assert_true(parsed.root->items[i].quoted);
        assert_int_equal(parsed.root->items[i].kind, WEIR_CONF_SCALAR);
        assert_string_equal(weir_conf_show(&parsed.root->items[i], shown), "a secret");
    }
    assert_at(weir_conf_get(parsed.root, "a"), 1, 4);
    parse_end(&parsed);
    unsetenv("WEIR_TEST_A");

    assert_fails("a: !env WEIR_TEST_B\nb: !env {x: 1}\nc: !env\nd: !env 1x\n? !env A\n: 1\n",
            WEIR_E_INVALID,
            "weir.yaml:1:4: error: environment variable WEIR_TEST_B is not set and has no "
            "default: set it, or write !env \"WEIR_TEST_B, default\"\n"
            "weir.yaml:2:4: error: !env takes NAME, \"NAME, default\" or [NAME, default]\n"
            "weir.yaml:3:4: error: '' is no name of an environment variable: expected letters, "
            "digits and underscores\n"
            "weir.yaml:4:4: error: '1x' is no name of an environment variable: expected letters, "
            "digits and underscores\n"
            "weir.yaml:5:3: error: a name cannot come from !env\n");
    assert_fails("a: &s !env [WEIR_TEST_B, x]\n*s : 1\n", WEIR_E_INVALID,
            "weir.yaml:2:1: error: a name must be a plain string\n");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-conf-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char config[64];
    char secret[64];
    snprintf(config, sizeof(config), "%s/weir.yaml", folder);
    snprintf(secret, sizeof(secret), "%s/token", folder);
    write_file(secret, "s3cret\n\n");
    char windows[64];
    snprintf(windows, sizeof(windows), "%s/windows", folder);
    write_file(windows, "w\r\n");
    write_file(config, "token: !file token\nnone: !file nowhere\nwindows: !file windows\n");

    struct parsed parsed;
    parse(&parsed, "");
    struct weir_err err;
    const struct weir_conf *root = NULL;
    assert_int_equal(weir_conf_load(&parsed.arena, config, &parsed.diagnostics, &root, &err),
            WEIR_E_INVALID);
    assert_non_null(root);
    const struct weir_conf *token = weir_conf_get(root, "token");
    assert_true(weir_str_eq(token->text, WEIR_STR("s3cret\n")));
    assert_true(token->secret);
    assert_true(weir_str_eq(weir_conf_get(root, "windows")->text, WEIR_STR("w")));
    assert_int_equal(parsed.diagnostics.errors, 1);
    assert_int_equal(parsed.diagnostics.all[0].line, 2);
    assert_non_null(strstr(parsed.diagnostics.all[0].text, "/nowhere"));

    char missing[64];
    snprintf(missing, sizeof(missing), "%s/none.yaml", folder);
    assert_int_equal(weir_conf_load(&parsed.arena, missing, &parsed.diagnostics, &root, &err),
            WEIR_E_NOT_FOUND);
    assert_int_equal(
            weir_conf_load(&parsed.arena, folder, &parsed.diagnostics, &root, &err), WEIR_E_IO);
    parse_end(&parsed);
    unlink(config);
    unlink(secret);
    unlink(windows);
    rmdir(folder);
}

static void test_json_scalars(void **state)
{
    (void)state;
    assert_json("[1, -2, +3, 1.50, .5, 1., 1e3, 2.E-4, 0]", "[1,-2,3,1.50,0.5,1,1e3,2E-4,0]");
    assert_json("[007, 1:30, 0x1f, 0o17, .inf, .nan, 1_000, '1', \"2\", 1.2.3, e5, ., +.e1]",
            "[\"007\",\"1:30\",\"0x1f\",\"0o17\",\".inf\",\".nan\",\"1_000\",\"1\",\"2\","
            "\"1.2.3\",\"e5\",\".\",\"+.e1\"]");
    assert_json("[true, False, TRUE, yes, no, 'true', null, ~, Null]",
            "[true,false,true,\"yes\",\"no\",\"true\",null,null,null]");
    assert_json(
            "\"a\\\"b\": \"\\t\\x01\"\n1: |\n  x\n", "{\"a\\\"b\":\"\\t\\u0001\",\"1\":\"x\\n\"}");
}

/* Every byte of the JSON leads to the innermost node whose own text covers it. */
static void test_from_json_back(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "source: [aws, \"é\"]\ndetail:\n  n: [{numeric: ['>', 5]}]\nz:\n");
    const struct weir_conf *root = parsed.root;
    const char *json = json_of(&parsed, root);
    assert_string_equal(json,
            "{\"source\":[\"aws\",\"é\"],\"detail\":{\"n\":[{\"numeric\":[\">\",5]}]},\"z\":null}");
    const struct weir_conf *numeric = &root->items[1].items[0].items[0].items[0];
    const struct {
        const char *at;
        const struct weir_conf *node;
    } cases[] = {
        { "{\"source", root },
        { "\"source", &root->names[0] },
        { "urce", &root->names[0] },
        { ":[\"aws", root },
        { "[\"aws", &root->items[0] },
        { "aws", &root->items[0].items[0] },
        { ",\"é", &root->items[0] },
        { "\"é", &root->items[0].items[1] },
        { "],\"detail", &root->items[0] },
        { "detail", &root->names[1] },
        { "{\"n\"", &root->items[1] },
        { "[\">", numeric },
        { ">", &numeric->items[0] },
        { "5", &numeric->items[1] },
        { "]}]}", numeric },
        { "null", &root->items[2] },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        const char *found = strstr(json, cases[i].at);
        assert_non_null(found);
        assert_ptr_equal(weir_conf_at_json(root, (size_t)(found - json)), cases[i].node);
    }
    assert_ptr_equal(weir_conf_at_json(root, strlen(json) - 1), root);
    assert_ptr_equal(weir_conf_at_json(root, strlen(json) + 100), root);
    parse_end(&parsed);
}

/* Complain at the first occurrence of `find` in the only member's value. */
static void assert_inside(const char *text, const char *find, unsigned line, unsigned column)
{
    struct parsed parsed;
    parse(&parsed, text);
    assert_int_equal(parsed.rc, WEIR_OK);
    const struct weir_conf *node = &parsed.root->items[0];
    const char *found = memmem(node->text.p, node->text.n, find, strlen(find));
    assert_non_null(found);
    size_t offset = (size_t)(found - node->text.p);
    weir_conf_error_in(&parsed.diagnostics, node, offset, "here");
    assert_int_equal(parsed.diagnostics.all[0].line, line);
    assert_int_equal(parsed.diagnostics.all[0].column, column);
    parse_end(&parsed);
}

static void test_places_inside_scalars(void **state)
{
    (void)state;
    assert_inside("a: new.x + foo\n", "foo", 1, 12);
    assert_inside("a: new.x + foo\n", "new", 1, 4);
    assert_inside("é: éé  foo\n", "foo", 1, 8);
    assert_inside("a: 'x foo'\n", "foo", 1, 7);
    assert_inside("a: 'it''s foo'\n", "foo", 1, 11);
    assert_inside("a: \"x foo\"\n", "foo", 1, 7);
    assert_inside("a: \"\\u00e9\\x41\\n\\\"\\U0001f600 foo\"\n", "foo", 1, 30);
    assert_inside("a: x +\n   foo\n", "foo", 2, 4);
    assert_inside("a: 'x +\n\n  foo'\n", "foo", 3, 3);
    assert_inside("a: \"x +\\\n  foo\"\n", "foo", 2, 3);
    assert_inside("a: \"x\n\n  \\ foo\"\n", "foo", 3, 5);
    assert_inside("a: |\n  one\n\n    two\n  three foo\n", "foo", 5, 9);
    assert_inside("a: |\n  one\n\n    two\n  three foo\n", "two", 4, 5);
    assert_inside("a: |-   # why | \n\n  one\n", "one", 3, 3);
    assert_inside("a: >\n  one\n  two\n\n  foo\n", "one", 2, 3);
    assert_inside("a: >\n  one\n  two\n\n  foo\n", "two", 3, 3);
    assert_inside("a: >-\n  one\n  two\n\n  foo\n", "foo", 5, 3);
    assert_inside("a: >-\n  one\n  two\n\n  a foo", "foo", 5, 5);

    struct parsed parsed;
    parse(&parsed, "a: !env [WEIR_TEST_NONE, hunter2]\nb: {}\n");
    weir_conf_error_in(&parsed.diagnostics, &parsed.root->items[0], 3, "here");
    weir_conf_error_in(&parsed.diagnostics, &parsed.root->items[1], 3, "there");
    weir_conf_error_in(&parsed.diagnostics, NULL, 3, "nowhere");
    assert_string_equal(complaints(&parsed), "weir.yaml: error: nowhere\n"
                                             "weir.yaml:1:4: error: here\n"
                                             "weir.yaml:2:4: error: there\n");
    parse_end(&parsed);
}

static void test_diagnostics(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "a: 1\nb: 2\n");
    const struct weir_conf *root = parsed.root;
    weir_conf_warn(&parsed.diagnostics, &root->items[1], "w");
    weir_conf_error(&parsed.diagnostics, &root->items[1], "two\nlines \x1b[31m");
    weir_conf_error(&parsed.diagnostics, &root->items[0], "again");
    weir_conf_error(&parsed.diagnostics, &root->items[0], "again");
    weir_conf_warn(&parsed.diagnostics, NULL, "whole");
    assert_int_equal(parsed.diagnostics.errors, 3);
    assert_string_equal(complaints(&parsed), "weir.yaml: warning: whole\n"
                                             "weir.yaml:1:4: error: again\n"
                                             "weir.yaml:2:4: error: two?lines ?[31m\n"
                                             "weir.yaml:2:4: warning: w\n");
    assert_int_equal(parsed.diagnostics.errors, 2);
    assert_int_equal(parsed.diagnostics.count, 4);
    for (int i = 0; i < 1100; i++) {
        weir_conf_error(&parsed.diagnostics, NULL, "%d", i);
    }
    assert_int_equal(parsed.diagnostics.errors, 1102);
    assert_int_equal(parsed.diagnostics.count, WEIR_DIAGNOSTICS_MAX);
    assert_non_null(strstr(complaints(&parsed), "weir.yaml: and 104 more\n"));
    parse_end(&parsed);
}

static void test_show(void **state)
{
    (void)state;
    char shown[WEIR_CONF_SHOWN];
    struct weir_str text = WEIR_STR("éééééééééééééééééééééééééééééééééééééééééééééééééééééééééé");
    struct weir_conf node = { .kind = WEIR_CONF_SCALAR, .text = text };
    weir_conf_show(&node, shown);
    assert_true(strlen(shown) < WEIR_CONF_SHOWN);
    assert_true(weir_str_is_utf8(weir_str_z(shown)));
    assert_string_equal(shown + strlen(shown) - 4, "...'");
    node.text = WEIR_STR("x");
    assert_string_equal(weir_conf_show(&node, shown), "'x'");
    node.kind = WEIR_CONF_LIST;
    assert_string_equal(weir_conf_show(&node, shown), "a list");
    assert_string_equal(weir_conf_show(NULL, shown), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_kinds_and_texts),
        cmocka_unit_test(test_syntax_errors_have_places),
        cmocka_unit_test(test_faults_beyond_syntax_leave_a_tree),
        cmocka_unit_test(test_aliases_and_merges),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_json_scalars),
        cmocka_unit_test(test_from_json_back),
        cmocka_unit_test(test_places_inside_scalars),
        cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
