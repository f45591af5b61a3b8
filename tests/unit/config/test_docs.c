/* The YAML examples of the documentation are configurations that `weir check` has nothing against.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "checked.h"

enum { PAGE_MAX_BYTES = 1 << 20, PATH_BYTES = 1024 };

static void read_page(const char *name, struct weir_arena *arena, struct weir_str *ret_text)
{
    const char *root = getenv("WEIR_ROOT");
    char path[PATH_BYTES];
    struct weir_file *file = NULL;
    struct weir_err err = { 0 };
    struct weir_fs *fs = weir_fs_system();
    snprintf(path, sizeof(path), "%s/%s", root != NULL ? root : ".", name);
    if (fs->ops->open(fs, path, WEIR_OPEN_READ, &file, &err) != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
    char *text = weir_arena_alloc(arena, PAGE_MAX_BYTES);
    size_t n = 0;
    assert_int_equal(fs->ops->read(file, 0, text, PAGE_MAX_BYTES, &n, &err), WEIR_OK);
    weir_file_destroy(file);
    *ret_text = weir_str(text, n);
}

static size_t line_end(struct weir_str text, size_t at)
{
    const char *end = memchr(text.p + at, '\n', text.n - at);
    return end != NULL ? (size_t)(end - text.p) + 1 : text.n;
}

static void check_example(const char *page, unsigned line, struct weir_str yaml)
{
    struct checked checked;
    check_text(&checked, yaml);
    if (checked.rc != WEIR_OK || checked.diagnostics.count > 0) {
        fail_msg("%s, the example from line %u:\n%s", page, line, checked.text.p);
    }
    check_end(&checked);
}

/* Run every ```yaml block; returns how many. */
static unsigned check_page(const char *page)
{
    struct weir_arena arena;
    struct weir_str text = { 0 };
    weir_arena_init(&arena);
    read_page(page, &arena, &text);
    unsigned count = 0;
    unsigned line = 1;
    size_t begin = 0;
    unsigned begin_line = 0;
    for (size_t at = 0; at < text.n; line++) {
        size_t end = line_end(text, at);
        struct weir_str one = weir_str(text.p + at, end - at);
        if (begin == 0 && weir_str_eq(one, WEIR_STR("```yaml\n"))) {
            begin = end;
            begin_line = line + 1;
        } else if (begin != 0 && weir_str_starts(one, WEIR_STR("```"))) {
            check_example(page, begin_line, weir_str(text.p + begin, at - begin));
            begin = 0;
            count++;
        }
        at = end;
    }
    assert_int_equal(begin, 0);
    weir_arena_fini(&arena);
    return count;
}

static void examples_of_the_reference_are_right(void **state)
{
    (void)state;
    setenv("ORDERS_SECRET", "x", 1);
    setenv("WAREHOUSE_SECRET", "x", 1);
    assert_true(check_page("docs/configuration.md") >= 10);
}

static void examples_of_alarms_are_right(void **state)
{
    (void)state;
    assert_true(check_page("docs/alarms.md") >= 3);
}

static void examples_of_queues_are_right(void **state)
{
    (void)state;
    assert_true(check_page("docs/queues.md") >= 1);
}

static void examples_of_deliveries_are_right(void **state)
{
    (void)state;
    assert_true(check_page("docs/deliveries.md") >= 1);
}

static void examples_of_functions_are_right(void **state)
{
    (void)state;
    assert_true(check_page("docs/functions.md") >= 3);
}

static void examples_of_the_readme_are_right(void **state)
{
    (void)state;
    assert_true(check_page("README.md") >= 1);
}

static void the_examples_are_right(void **state)
{
    static const char *const pages[] = {
        "examples/analysis-trigger/weir.yaml",
        "examples/analytics-debounce/weir.yaml",
        "examples/dashboard-projection/weir.yaml",
    };
    (void)state;
    for (size_t i = 0; i < WEIR_COUNT(pages); i++) {
        struct weir_arena arena;
        struct weir_str text = { 0 };
        weir_arena_init(&arena);
        read_page(pages[i], &arena, &text);
        check_example(pages[i], 1, text);
        weir_arena_fini(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_reference_are_right),
        cmocka_unit_test(examples_of_alarms_are_right),
        cmocka_unit_test(examples_of_queues_are_right),
        cmocka_unit_test(examples_of_deliveries_are_right),
        cmocka_unit_test(examples_of_functions_are_right),
        cmocka_unit_test(examples_of_the_readme_are_right),
        cmocka_unit_test(the_examples_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
