/* The table of commands, and what all of them share. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli_int.h"
#include "function/function.h"

const struct weir_cli_command *const weir_cli_commands[] = {
    &weir_cli_serve,
    &weir_cli_check,
    &weir_cli_test,
    &weir_cli_run_pipeline,
    &weir_cli_simulate,
    &weir_cli_status,
    &weir_cli_alarms,
    &weir_cli_tail,
    &weir_cli_dlq,
    &weir_cli_timers,
    &weir_cli_replay,
    &weir_cli_rebuild,
    &weir_cli_put,
    &weir_cli_get,
    &weir_cli_delete,
    &weir_cli_query,
    &weir_cli_scan,
    &weir_cli_invoke,
    &weir_cli_match,
    &weir_cli_eval,
    &weir_cli_explain,
    &weir_cli_schedule,
    &weir_cli_help,
    &weir_cli_version,
    NULL,
};

const struct weir_cli_command *weir_cli_find(const char *name)
{
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        if (strcmp(weir_cli_commands[i]->name, name) == 0) {
            return weir_cli_commands[i];
        }
    }
    return NULL;
}

enum weir_cli_exit weir_cli_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("weir: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return WEIR_CLI_FAILED;
}

void weir_cli_print(struct weir_buf *buf)
{
    if (buf->n > 0) {
        fwrite(buf->p, 1, buf->n, stdout);
    }
    weir_buf_fini(buf);
}

bool weir_cli_is_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static int unknown_command(const char *name)
{
    enum { COMMANDS_MAX = 64 };
    const char *names[COMMANDS_MAX];
    size_t count = 0;
    while (weir_cli_commands[count] != NULL) {
        names[count] = weir_cli_commands[count]->name;
        count++;
    }
    const char *nearest = weir_str_nearest(weir_str_z(name), names, count);
    if (nearest != NULL) {
        weir_cli_fail("there is no command '%s'; did you mean '%s'?", name, nearest);
    } else {
        weir_cli_fail("there is no command '%s'; `weir help` lists them", name);
    }
    return WEIR_CLI_USAGE;
}

static enum weir_cli_exit show_help(const struct weir_cli_command *command)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 64 << 10);
    weir_cli_write_help(&buf, command);
    weir_cli_print(&buf);
    return WEIR_CLI_DONE;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "__exec") == 0) {
        weir_function_exec(argc - 2, argv + 2); /* weir's own: not for people, and in no list */
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    const struct weir_cli_command *command = weir_cli_find(name);
    if (command == NULL) {
        return unknown_command(name);
    }
    struct weir_cli_call call = { 0 };
    struct weir_err err = { 0 };
    int words = argc > 2 ? argc - 2 : 0;
    if (weir_cli_parse(command, words, argv + argc - words, &call, &err) != WEIR_OK) {
        weir_cli_fail("%s", err.msg);
        return WEIR_CLI_USAGE;
    }
    return (int)(call.help ? show_help(command) : command->run(&call));
}

int weir_cli_run(int argc, char **argv)
{
    int code = run(argc, argv);
    /* What could not be written must not look like success (a full disk behind a redirection). */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == WEIR_CLI_DONE) {
        code = (int)weir_cli_fail("cannot write to standard output: %m");
    }
    return code;
}
