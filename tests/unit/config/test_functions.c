/* `functions:` of weir.yaml: what is read, and what is said about mistakes. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checked.h"

static void assert_text(struct weir_str text, const char *expected)
{
    if (!weir_str_eq(text, weir_str_z(expected))) {
        fail_msg("\"%.*s\" is not \"%s\"", WEIR_STR_ARG(text), expected);
    }
}

static void defaults(void **state)
{
    (void)state;
    struct checked checked;
    check_text(
            &checked, WEIR_STR("functions:\n"
                               "  a: { runtime: node, handler: index.handler }\n"
                               "  b: { runtime: python, handler: pack.age.fn, dir: /srv/fn }\n"));
    assert_string_equal(checked.text.p, "");
    assert_int_equal(checked.config->function_count, 2);
    const struct weir_function_model *a = &checked.config->functions[0];
    assert_text(a->name, "a");
    assert_int_equal(a->runtime, WEIR_RUNTIME_NODE);
    assert_int_equal(a->command_count, 1);
    assert_text(a->command[0], "node");
    assert_text(a->handler, "index.handler");
    assert_text(a->dir, ".");
    assert_int_equal(a->timeout_ms, 3000);
    assert_int_equal(a->init_timeout_ms, 10000);
    assert_int_equal(a->idle_ms, 5 * 60 * 1000);
    assert_int_equal(a->memory_bytes, (uint64_t)512 << 20);
    assert_int_equal(a->concurrency, 10);
    assert_int_equal(a->keep_warm, 0);
    assert_int_equal(a->max_queue, 1000);
    assert_int_equal(a->variable_count, 0);
    assert_int_equal(a->dead_letter.n, 0);
    const struct weir_function_model *b = &checked.config->functions[1];
    assert_text(b->command[0], "python3");
    assert_text(b->dir, "/srv/fn");
    check_end(&checked);
}

static void everything(void **state)
{
    (void)state;
    struct checked checked;
    setenv("WEIR_TEST_TOKEN", "t0ken", 1);
    check_text(&checked,
            WEIR_STR("queues: { failed: }\n"
                     "functions:\n"
                     "  run: { command: [./run, --fast], env: { A: 1, B: !env WEIR_TEST_TOKEN, C: "
                     "},\n"
                     "    timeout: 1m, memory: 0, concurrency: 3, keep_warm: 2, max_queue: 0,\n"
                     "    on_failure: { queue: failed } }\n"
                     "  old: { runtime: node, command: [/opt/node, --flag], handler: a/b.c.d }\n"
                     "  url: { url: \"https://x.example:8/y?z\", headers: { X-Key: k } }\n"
                     "  arn: { lambda: \"arn:aws:lambda:eu-west-1:1:function:f\", "
                     "access_key_id: k, secret_access_key: !env WEIR_TEST_TOKEN }\n"
                     "  near: { lambda: f, region: r, endpoint: \"http://h:1/\", access_key_id: k, "
                     "secret_access_key: !env WEIR_TEST_TOKEN }\n"));
    assert_string_equal(checked.text.p, "");
    const struct weir_function_model *all = checked.config->functions;
    assert_int_equal(all[0].command_count, 2);
    assert_text(all[0].command[1], "--fast");
    assert_int_equal(all[0].variable_count, 3);
    assert_text(all[0].variables[0].name, "A");
    assert_text(all[0].variables[0].value, "1");
    assert_text(all[0].variables[1].value, "t0ken");
    assert_text(all[0].variables[2].value, "");
    assert_int_equal(all[0].memory_bytes, 0);
    assert_text(all[0].dead_letter, "queue:failed");
    assert_int_equal(all[1].runtime, WEIR_RUNTIME_NODE);
    assert_text(all[1].command[0], "/opt/node");
    assert_int_equal(all[2].runtime, WEIR_RUNTIME_HTTP);
    assert_int_equal(all[2].header_count, 1);
    assert_text(all[3].url, "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/"
                            "arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af/invocations");
    assert_text(all[3].signer.region, "eu-west-1");
    assert_text(all[4].url, "http://h:1/2015-03-31/functions/f/invocations");
    check_end(&checked);
}

static void mistakes_of_kinds(void **state)
{
    (void)state;
    assert_said("functions: [a]\n",
            "weir.yaml:1:12: error: functions must be a map of names to functions, not a list\n");
    assert_said("functions: { a: }\n",
            "weir.yaml:1:14: error: function 'a' needs a runtime with a handler (runtime: node, "
            "handler: index.handler), a command (command: [./bootstrap]), a url or a lambda\n");
    assert_said("functions: { a: { runtime: nodee, handler: a.b } }\n",
            "weir.yaml:1:28: error: unknown runtime 'nodee'; did you mean 'node'? (known: node, "
            "python)\n");
    assert_said("functions: { a: { runtime: node } }\n",
            "weir.yaml:1:14: error: function 'a' needs a handler: the file and the function, as in "
            "index.handler\n");
    assert_said("functions: { a: { runtime: node, handler: index } }\n",
            "weir.yaml:1:43: error: function 'a': a handler is a file and a function, as in "
            "index.handler, not 'index'\n");
    assert_said("functions: { a.b: { command: x } }\n",
            "weir.yaml:1:14: error: function name 'a.b' must be 1 to 64 characters of a-z, A-Z, "
            "0-9, '_' and '-'\n");
    assert_said("functions: { a: { command: [] } }\n",
            "weir.yaml:1:28: error: function 'a': a command needs a program, as in "
            "[./bootstrap]\n");
    assert_said("functions: { a: { command: [x, {}] } }\n",
            "weir.yaml:1:32: error: function 'a': a command is a list of texts, not a map\n");
    assert_said("functions: { a: { command: x, url: \"http://h/\" } }\n",
            "weir.yaml:1:14: error: function 'a' must be one of a handler or command, a url, and a "
            "lambda\n");
    assert_said("functions: { a: { comand: x } }\n",
            "weir.yaml:1:19: error: unknown option 'comand' of function 'a'; did you mean "
            "'command'? (known: runtime, handler, command, dir, env, url, headers, lambda, region, "
            "endpoint, access_key_id, secret_access_key, session_token, timeout, init_timeout, "
            "memory, concurrency, max_queue, on_failure, idle, keep_warm)\n");
}

static void mistakes_of_options(void **state)
{
    (void)state;
    assert_said("functions: { a: { command: x, concurrency: 2, keep_warm: 3 } }\n",
            "weir.yaml:1:58: error: function 'a': keep_warm must not be above concurrency (2)\n");
    assert_said("functions: { a: { command: x, concurrency: 0, timeout: 3 } }\n",
            "weir.yaml:1:44: error: option 'concurrency' is '0', but must be from 1 to 1000\n"
            "weir.yaml:1:56: error: option 'timeout' must be a duration such as 250ms, 5s, 15m, "
            "24h or 7d, not '3': the unit is missing\n");
    assert_said("functions: { a: { command: x, env: { 1A: x, _HANDLER: y, AWS_LAMBDA_X: z, B: [] "
                "} } }\n",
            "weir.yaml:1:38: error: function 'a': the name of an environment variable has letters, "
            "digits and '_', not '1A'\n"
            "weir.yaml:1:45: error: function 'a': _HANDLER is set by weir\n"
            "weir.yaml:1:58: error: function 'a': AWS_LAMBDA_X is set by weir\n"
            "weir.yaml:1:78: error: function 'a': an environment variable is a text, not a list\n");
    assert_said("functions: { a: { url: \"ftp://h/\" }, b: { url: \"http:///\" } }\n",
            "weir.yaml:1:24: error: function 'a': url must begin with http:// or https://, not "
            "'ftp://h/'\n"
            "weir.yaml:1:48: error: function 'b': url: \"http:///\" is not a URL: expected "
            "http[s]://HOST[:PORT][/PATH][?QUERY]\n");
    assert_said("functions: { a: { url: \"http://h/\", memory: 1MiB, region: x } }\n",
            "weir.yaml:1:45: error: function 'a': memory is an option of a function that weir "
            "starts, and this is a url\n"
            "weir.yaml:1:59: error: function 'a': region is an option of a lambda, and this is a "
            "url\n");
    assert_said("functions: { a: { lambda: f } }\n",
            "weir.yaml:1:27: error: function 'a': calls of a lambda are signed: it needs "
            "access_key_id and secret_access_key (!env AWS_SECRET_ACCESS_KEY)\n"
            "weir.yaml:1:27: error: function 'a': the lambda needs a region, as in region: "
            "us-east-1\n");
    assert_said("queues: { work: }\nfunctions: { a: { command: x, on_failure: { queue: wrk } } }\n",
            "weir.yaml:2:52: error: unknown queue 'wrk'; did you mean 'work'? (known: work)\n");
}

/* Loaded from a file, what it names is looked for. */
static void files_are_looked_for(void **state)
{
    (void)state;
    char folder[] = "/tmp/weir-functions-XXXXXX";
    char path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/weir.yaml", folder);
    FILE *file = fopen(path, "w");
    fputs("functions:\n"
          "  none: { runtime: node, handler: a.b, dir: ./no }\n"
          "  file: { runtime: node, handler: sub/there.fn }\n"
          "  lost: { runtime: python, handler: sub.lost.fn }\n"
          "  prog: { command: [./sub/there.mjs] }\n"
          "  gone: { command: [./gone] }\n"
          "  path: { command: [searched-for-at-the-start] }\n",
            file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/sub", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/sub/there.mjs", folder);
    fclose(fopen(path, "w"));
    snprintf(path, sizeof(path), "%s/weir.yaml", folder);
    struct weir_diagnostics diagnostics;
    struct weir_config *config = NULL;
    struct weir_buf text;
    weir_diagnostics_init(&diagnostics, "weir.yaml");
    weir_buf_init(&text, 1 << 20);
    assert_int_equal(weir_config_load(path, weir_step_kinds_all(), &diagnostics, &config, NULL),
            WEIR_E_INVALID);
    weir_diagnostics_write(&diagnostics, &text);
    char expected[2048];
    snprintf(expected, sizeof(expected),
            "weir.yaml:2:45: error: function 'none': there is no folder %s/./no\n"
            "weir.yaml:4:37: error: function 'lost': there is no file %s/sub/lost.py\n"
            "weir.yaml:5:20: error: function 'prog': %s/./sub/there.mjs may not be executed (chmod "
            "+x)\n"
            "weir.yaml:6:20: error: function 'gone': there is no program %s/./gone\n",
            folder, folder, folder, folder);
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
    weir_buf_fini(&text);
    weir_diagnostics_fini(&diagnostics);
    unlink(path);
    snprintf(path, sizeof(path), "%s/sub/there.mjs", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/sub", folder);
    rmdir(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything),
        cmocka_unit_test(mistakes_of_kinds),
        cmocka_unit_test(mistakes_of_options),
        cmocka_unit_test(files_are_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
