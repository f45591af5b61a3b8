/* Command lines: what they set, and what is said about wrong ones. */
#include "../test.h"
#include "cli/cli_int.h"

enum { WORDS_MAX = 16 };

/* Parse the words behind `weir COMMAND`; the list ends with NULL. */
static enum weir_rc parse(const char *command, const char *const *words,
        struct weir_cli_call *ret_call, struct weir_err *err)
{
    char *argv[WORDS_MAX];
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc];
    }
    *ret_call = (struct weir_cli_call){ 0 };
    *err = (struct weir_err){ 0 };
    return weir_cli_parse(weir_cli_find(command), argc, argv, ret_call, err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

#define assert_right(command, call, ...)                                                 \
    do {                                                                                 \
        struct weir_err right_err;                                                       \
        assert_int_equal(parse(command, WORDS(__VA_ARGS__), call, &right_err), WEIR_OK); \
    } while (0)

#define assert_wrong(command, message, ...)                                                   \
    do {                                                                                      \
        struct weir_cli_call wrong_call;                                                      \
        struct weir_err wrong_err;                                                            \
        assert_int_equal(                                                                     \
                parse(command, WORDS(__VA_ARGS__), &wrong_call, &wrong_err), WEIR_E_INVALID); \
        assert_string_equal(wrong_err.msg, message);                                          \
    } while (0)

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct weir_cli_call call;
    assert_right("put", &call, "orders", "--ddb", "{}", "--endpoint", "http://x");
    assert_int_equal(call.argument_count, 2);
    assert_string_equal(call.arguments[0], "orders");
    assert_string_equal(call.arguments[1], "{}");
    assert_string_equal(call.endpoint, "http://x");
    assert_true(call.ddb);
    assert_false(call.json);
}

static void values_in_all_forms(void **state)
{
    (void)state;
    struct weir_cli_call call;
    assert_right("query", &call, "t", "--key={\"a\":1}", "--limit=5", "-r");
    assert_string_equal(call.key, "{\"a\":1}");
    assert_int_equal(call.limit, 5);
    assert_true(call.reverse);
    assert_right("query", &call, "t", "-k", "{}", "-n7", "-rn", "8");
    assert_string_equal(call.key, "{}");
    assert_int_equal(call.limit, 8); /* the last one counts */
    assert_right("query", &call, "t", "-kx=y", "--index", "--odd");
    assert_string_equal(call.key, "x=y");
    assert_string_equal(call.index, "--odd");
    assert_right("serve", &call, "--listen=");
    assert_string_equal(call.listen, "");
}

static void options_that_may_be_given_again(void **state)
{
    (void)state;
    struct weir_cli_call call;
    assert_right("eval", &call, "a", "--var", "a=1", "--var=b=2");
    assert_int_equal(call.var.count, 2);
    assert_string_equal(call.var.all[0], "a=1");
    assert_string_equal(call.var.all[1], "b=2");
    struct weir_cli_list full = { .count = WEIR_CLI_LIST_MAX - 1 };
    char *word = (char *)(uintptr_t) "--var=x=1";
    char *words[] = { word, word };
    struct weir_err err = { 0 };
    call = (struct weir_cli_call){ .var = full };
    assert_int_equal(weir_cli_parse(weir_cli_find("eval"), 1, words, &call, &err), WEIR_OK);
    call = (struct weir_cli_call){ .var = full };
    assert_int_equal(weir_cli_parse(weir_cli_find("eval"), 2, words, &call, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "--var may be given 32 times at most");
}

static void dashes_end_options(void **state)
{
    (void)state;
    struct weir_cli_call call;
    assert_right("put", &call, "orders", "-");
    assert_string_equal(call.arguments[1], "-");
    assert_right("put", &call, "--", "--json", "--");
    assert_string_equal(call.arguments[0], "--json");
    assert_string_equal(call.arguments[1], "--");
    assert_false(call.json);
}

static void help_needs_no_arguments(void **state)
{
    (void)state;
    struct weir_cli_call call;
    assert_right("put", &call, "--help");
    assert_true(call.help);
    assert_right("put", &call, "-h");
    assert_true(call.help);
}

static void wrong_lines(void **state)
{
    (void)state;
    assert_wrong("check", "weir check has no option --jsno; did you mean --json?", "--jsno");
    assert_wrong("check", "weir check has no option --configuration", "--configuration=x");
    assert_wrong("check", "weir check has no option -x", "-x");
    assert_wrong("check", "weir check has no option -x", "-hx");
    assert_wrong("check", "--config needs a value: --config FILE", "--config");
    assert_wrong("check", "--config needs a value: --config FILE", "-c");
    assert_wrong("check", "--json takes no value", "--json=1");
    assert_wrong("check", "weir check takes no argument 'weir.yaml': weir check", "weir.yaml");
    assert_wrong("get", "weir get takes no argument 'c': weir get TABLE KEY", "a", "b", "c");
    assert_wrong("get", "something is missing: weir get TABLE KEY", "a");
    assert_wrong("scan", "--limit must be a whole number from 1, not '0'", "t", "--limit", "0");
    assert_wrong("scan", "--limit must be a whole number from 1, not '1x'", "t", "-n1x");
    assert_wrong("scan", "--limit must be a whole number from 1, not '-1'", "t", "-n", "-1");
}

/* Every field that an option sets must be as large as its type. */
static void tables_of_options_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        const struct weir_cli_command *command = weir_cli_commands[i];
        assert_ptr_equal(weir_cli_find(command->name), command);
        assert_true(command->least <= command->most && command->most <= WEIR_CLI_ARGUMENTS_MAX);
        for (const struct weir_cli_option *o = command->options; o->name != NULL; o++) {
            assert_true(o->offset >= offsetof(struct weir_cli_call, config));
            assert_int_equal(o->value == NULL, o->type == WEIR_CLI_FLAG);
            assert_true(o->letter != 'h');
            for (const struct weir_cli_option *p = command->options; p != o; p++) {
                assert_string_not_equal(o->name, p->name);
                assert_true(o->letter == 0 || o->letter != p->letter);
            }
        }
    }
    assert_null(weir_cli_find("no-such-command"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(values_in_all_forms),
        cmocka_unit_test(options_that_may_be_given_again),
        cmocka_unit_test(dashes_end_options),
        cmocka_unit_test(help_needs_no_arguments),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(tables_of_options_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
