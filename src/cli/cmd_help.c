/* weir help: commands, errors, the steps of pipelines, and those of tests. */
#include <stdio.h>

#include "cli/cli_int.h"
#include "scenario/scenario.h"
#include "step/registry.h"

static const struct weir_cli_option options[] = { { 0 } };

static void write_commands(struct weir_buf *buf)
{
    weir_buf_z(buf, "weir makes tables react.\n\nUsage: weir COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (size_t i = 0; weir_cli_commands[i] != NULL; i++) {
        const struct weir_cli_command *command = weir_cli_commands[i];
        weir_buf_printf(buf, "  %-8s %s\n", command->name, command->help);
    }
    weir_buf_z(buf,
            "\n`weir help COMMAND` explains one, `weir help errors` lists the errors, `weir "
            "help steps`\nthe steps of pipelines, `weir help step NAME` shows one "
            "with its options, and `weir help tests`\nsays what a test file has in it.\n");
}

static void write_steps(struct weir_buf *buf)
{
    const struct weir_step_kinds *kinds = weir_step_kinds_all();
    for (size_t i = 0; i < kinds->count; i++) {
        weir_buf_printf(buf, "  %-9s %s\n", kinds->all[i]->name, kinds->all[i]->help);
    }
}

static enum weir_cli_exit write_step(struct weir_buf *buf, const char *name)
{
    enum { KINDS_MAX = 64 };
    const struct weir_step_kinds *kinds = weir_step_kinds_all();
    const char *names[KINDS_MAX];
    for (size_t i = 0; i < kinds->count; i++) {
        const struct weir_step_ops *ops = kinds->all[i];
        names[i] = ops->name;
        if (strcmp(ops->name, name) != 0) {
            continue;
        }
        weir_buf_printf(buf, "%s: %s\n", ops->name, ops->help);
        if (ops->options != NULL) {
            weir_buf_z(buf, "\nOptions:\n");
            weir_options_help(buf, ops->options);
        }
        return WEIR_CLI_DONE;
    }
    const char *nearest = weir_str_nearest(weir_str_z(name), names, kinds->count);
    if (nearest != NULL) {
        return weir_cli_fail("there is no step '%s'; did you mean '%s'?", name, nearest);
    }
    return weir_cli_fail("there is no step '%s'; `weir help steps` lists them", name);
}

static enum weir_cli_exit write_topic(struct weir_buf *buf, const char *topic)
{
    const struct weir_cli_command *command = weir_cli_find(topic);
    if (command != NULL) {
        weir_cli_write_help(buf, command);
    } else if (strcmp(topic, "errors") == 0) {
        weir_cli_write_errors(buf);
    } else if (strcmp(topic, "steps") == 0) {
        write_steps(buf);
    } else if (strcmp(topic, "tests") == 0) {
        weir_script_help(buf);
    } else {
        return weir_cli_fail("there is no help on '%s'; `weir help` lists the commands", topic);
    }
    return WEIR_CLI_DONE;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 20);
    enum weir_cli_exit code = WEIR_CLI_DONE;
    bool step = call->argument_count > 0 && strcmp(call->arguments[0], "step") == 0;
    if (call->argument_count == 0) {
        write_commands(&buf);
    } else if (step && call->argument_count == 1) {
        write_steps(&buf);
    } else if (step) {
        code = write_step(&buf, call->arguments[1]);
    } else if (call->argument_count == 1) {
        code = write_topic(&buf, call->arguments[0]);
    } else {
        weir_cli_fail("weir help %s takes no further argument", call->arguments[0]);
        code = WEIR_CLI_USAGE;
    }
    weir_cli_print(&buf);
    return code;
}

const struct weir_cli_command weir_cli_help = {
    .name = "help",
    .arguments = "[COMMAND | errors | steps | step NAME | tests]",
    .help = "Explain a command, the errors, the steps of pipelines, or test files",
    .details = "",
    .options = options,
    .most = 2,
    .run = run,
};
