/* Help and what is written about the command line elsewhere say the same. */
#include <stdio.h>
#include <stdlib.h>

#include "../test.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/client.h"
#include "scenario/scenario.h"
#include "step/registry.h"

enum { PAGE_MAX_BYTES = 1 << 20, PATH_BYTES = 1024 };

struct page {
    struct weir_arena arena;
    struct weir_str text;
};

static void page_init(struct page *page, const char *name)
{
    const char *root = getenv("WEIR_ROOT");
    char path[PATH_BYTES];
    struct weir_file *file = NULL;
    struct weir_err err = { 0 };
    struct weir_fs *fs = weir_fs_system();
    weir_arena_init(&page->arena);
    snprintf(path, sizeof(path), "%s/%s", root != NULL ? root : ".", name);
    if (fs->ops->open(fs, path, WEIR_OPEN_READ, &file, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    char *text = weir_arena_alloc(&page->arena, PAGE_MAX_BYTES);
    size_t n = 0;
    assert_int_equal(fs->ops->read(file, 0, text, PAGE_MAX_BYTES, &n, &err), WEIR_OK);
    weir_file_destroy(file);
    page->text = weir_str(text, n);
}

static void page_fini(struct page *page)
{
    weir_arena_fini(&page->arena);
}

static bool has(const struct page *page, struct weir_str text)
{
    return memmem(page->text.p, page->text.n, text.p, text.n) != NULL;
}

static void the_page_of_errors_is_the_help_on_them(void **state)
{
    (void)state;
    struct page page;
    struct weir_buf help;
    page_init(&page, "docs/ERRORS.md");
    weir_buf_init(&help, PAGE_MAX_BYTES);
    weir_cli_write_errors(&help);
    if (!weir_str_eq(page.text, weir_buf_view(&help))) {
        fail_msg("docs/ERRORS.md is old: weir help errors > docs/ERRORS.md");
    }
    weir_buf_fini(&help);
    page_fini(&page);
}

static void every_error_has_a_meaning(void **state)
{
    (void)state;
    struct weir_buf help;
    weir_buf_init(&help, PAGE_MAX_BYTES);
    weir_cli_write_errors(&help);
    struct weir_str text = weir_buf_view(&help);
    assert_null(memmem(text.p, text.n, "|  |", 4));
    assert_non_null(memmem(text.p, text.n, "| `conflict` | 409 | yes | ", 27));
    weir_buf_fini(&help);
}

static void the_reference_has_every_help_text(void **state)
{
    (void)state;
    struct page page;
    page_init(&page, "docs/cli.md");
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        struct weir_buf help;
        weir_buf_init(&help, PAGE_MAX_BYTES);
        weir_buf_printf(&help, "## weir %s\n\n```text\n", weir_cli_commands[i]->name);
        weir_cli_write_help(&help, weir_cli_commands[i]);
        weir_buf_z(&help, "```\n");
        if (!has(&page, weir_buf_view(&help))) {
            fail_msg("docs/cli.md lacks:\n%.*s", WEIR_STR_ARG(weir_buf_view(&help)));
        }
        weir_buf_fini(&help);
    }
    page_fini(&page);
}

/* A dash that is no hyphen is \- in a man page. */
static void add_escaped(struct weir_buf *buf, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-') {
            weir_buf_byte(buf, '\\');
        }
        weir_buf_byte(buf, *text);
    }
}

static void the_man_page_has_every_command_and_option(void **state)
{
    (void)state;
    struct page page;
    page_init(&page, "docs/weir.1");
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        const struct weir_cli_command *command = weir_cli_commands[i];
        char head[PATH_BYTES];
        snprintf(head, sizeof(head), "\n.SS \"weir %s", command->name);
        const char *at = memmem(page.text.p, page.text.n, head, strlen(head));
        if (at == NULL) {
            fail_msg("docs/weir.1 lacks `weir %s`", command->name);
        }
        size_t left = page.text.n - (size_t)(at - page.text.p);
        const char *end = memmem(at + 1, left - 1, "\n.S", 3);
        struct page section = { .text = weir_str(at, (size_t)(end - at)) };
        for (const struct weir_cli_option *o = command->options; o->name != NULL; o++) {
            struct weir_buf option;
            weir_buf_init(&option, PATH_BYTES);
            weir_buf_z(&option, "\\fB\\-\\-");
            add_escaped(&option, o->name);
            weir_buf_z(&option, "\\fR");
            if (!has(&section, weir_buf_view(&option))) {
                fail_msg("docs/weir.1 lacks --%s of weir %s", o->name, command->name);
            }
            weir_buf_fini(&option);
        }
    }
    page_fini(&page);
}

static void completion_has_every_command_and_option(void **state)
{
    (void)state;
    struct page page;
    page_init(&page, "tools/completion/weir.bash");
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        const struct weir_cli_command *command = weir_cli_commands[i];
        struct weir_buf line;
        weir_buf_init(&line, PAGE_MAX_BYTES);
        weir_buf_printf(&line, "    %s) options=\"", command->name);
        for (const struct weir_cli_option *o = command->options; o->name != NULL; o++) {
            weir_buf_printf(&line, "--%s ", o->name);
        }
        weir_buf_z(&line, "--help\" ;;\n");
        /* help completes topics instead. */
        if (command != &weir_cli_help && !has(&page, weir_buf_view(&line))) {
            fail_msg("tools/completion/weir.bash lacks:\n%.*s", WEIR_STR_ARG(weir_buf_view(&line)));
        }
        weir_buf_fini(&line);
    }
    page_fini(&page);
}

/* docs/configuration.md names every step kind and every option of one. */
static void the_reference_of_the_file_has_every_step(void **state)
{
    (void)state;
    struct page page;
    page_init(&page, "docs/configuration.md");
    const struct weir_step_kinds *kinds = weir_step_kinds_all();
    for (size_t i = 0; i < kinds->count; i++) {
        char name[PATH_BYTES];
        snprintf(name, sizeof(name), "| `%s` |", kinds->all[i]->name);
        if (!has(&page, weir_str_z(name))) {
            fail_msg("docs/configuration.md lacks the step %s", kinds->all[i]->name);
        }
        const struct weir_option *o = kinds->all[i]->options;
        for (; o != NULL && o->name != NULL; o++) {
            snprintf(name, sizeof(name), "`%s`", o->name);
            if (!has(&page, weir_str_z(name))) {
                fail_msg("docs/configuration.md lacks %s of step %s", name, kinds->all[i]->name);
            }
        }
    }
    page_fini(&page);
}

/* docs/testing.md names every step of test files and every option of one. */
static void the_reference_of_test_files_has_every_step(void **state)
{
    (void)state;
    struct page page;
    struct weir_buf help;
    page_init(&page, "docs/testing.md");
    weir_buf_init(&help, PAGE_MAX_BYTES);
    weir_script_help(&help);
    struct weir_str text = weir_buf_view(&help);
    int steps = 0;
    for (const char *at = memmem(text.p, text.n, "\nStep ", 6); at != NULL; steps++) {
        const char *name = at + 6;
        const char *end = memchr(name, ':', text.n - (size_t)(name - text.p));
        char written[PATH_BYTES];
        snprintf(written, sizeof(written), "| `%.*s: ", (int)(end - name), name);
        if (!has(&page, weir_str_z(written))) {
            fail_msg("docs/testing.md lacks the step %.*s", (int)(end - name), name);
        }
        at = memmem(end, text.n - (size_t)(end - text.p), "\nStep ", 6);
    }
    assert_true(steps >= 10);
    weir_buf_fini(&help);
    page_fini(&page);
}

/* --- JSON for people ------------------------------------------------------------------------- */

static void assert_pretty(const char *json, const char *expected)
{
    struct weir_buf out;
    weir_buf_init(&out, PAGE_MAX_BYTES);
    weir_cli_write_pretty(&out, weir_str_z(json));
    weir_buf_byte(&out, '\0');
    assert_string_equal(out.p, expected);
    weir_buf_fini(&out);
}

static void pretty_json(void **state)
{
    (void)state;
    assert_pretty("{}", "{}");
    assert_pretty("{\"a\":1.50,\"b\":[],\"c\":[true,null,{\"d\":\"x\\n\\u0041\"}]}",
            "{\n  \"a\": 1.50,\n  \"b\": [],\n  \"c\": [\n    true,\n    null,\n    {\n      "
            "\"d\": \"x\\n\\u0041\"\n    }\n  ]\n}");
}

static void members_and_elements(void **state)
{
    (void)state;
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str json = WEIR_STR("{\"x\":{\"a\":0},\"a\":[1, {}],\"s\":\"q\\\"\"}");
    assert_true(weir_str_eq(weir_cli_member(&arena, json, "a"), WEIR_STR("[1, {}]")));
    assert_true(weir_str_eq(weir_cli_member(&arena, json, "x"), WEIR_STR("{\"a\":0}")));
    assert_true(weir_str_eq(weir_cli_member(&arena, json, "s"), WEIR_STR("q\"")));
    assert_int_equal(weir_cli_member(&arena, json, "none").n, 0);
    assert_int_equal(weir_cli_member(&arena, WEIR_STR("[1]"), "a").n, 0);
    assert_int_equal(weir_cli_member(&arena, WEIR_STR("{\"a\":"), "a").n, 0);
    assert_int_equal(weir_cli_member(&arena, WEIR_STR(""), "a").n, 0);
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_of_errors_is_the_help_on_them),
        cmocka_unit_test(every_error_has_a_meaning),
        cmocka_unit_test(the_reference_has_every_help_text),
        cmocka_unit_test(the_man_page_has_every_command_and_option),
        cmocka_unit_test(completion_has_every_command_and_option),
        cmocka_unit_test(the_reference_of_the_file_has_every_step),
        cmocka_unit_test(the_reference_of_test_files_has_every_step),
        cmocka_unit_test(pretty_json),
        cmocka_unit_test(members_and_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
