/* Options and arguments, by the tables of the commands. */
#include "cli/cli_int.h"

enum { OPTIONS_MAX = 32 };

/* Every command has it. */
static const struct weir_cli_option help_option = { "help", 'h', NULL, "show this help",
    WEIR_CLI_FLAG, offsetof(struct weir_cli_call, help) };

/* Where the command line is read. */
struct reading {
    const struct weir_cli_command *command;
    int argc;
    char **argv;
    int at; /* the next word */
    struct weir_cli_call *call;
    struct weir_err *err;
};

static enum weir_rc unknown_option(const struct reading *reading, struct weir_str name)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;
    for (const struct weir_cli_option *o = reading->command->options; o->name != NULL; o++) {
        names[count++] = o->name;
    }
    names[count++] = help_option.name;
    const char *nearest = weir_str_nearest(name, names, count);
    if (nearest != NULL) {
        return weir_fail(reading->err, WEIR_E_INVALID,
                "weir %s has no option --%.*s; did you mean --%s?", reading->command->name,
                WEIR_STR_ARG(name), nearest);
    }
    return weir_fail(reading->err, WEIR_E_INVALID, "weir %s has no option --%.*s",
            reading->command->name, WEIR_STR_ARG(name));
}

static enum weir_rc add_value(const struct reading *reading, const struct weir_cli_option *option,
        const char *value, struct weir_cli_list *list)
{
    if (list->count == WEIR_CLI_LIST_MAX) {
        return weir_fail(reading->err, WEIR_E_INVALID, "--%s may be given %d times at most",
                option->name, WEIR_CLI_LIST_MAX);
    }
    list->all[list->count++] = value;
    return WEIR_OK;
}

static enum weir_rc set_option(
        const struct reading *reading, const struct weir_cli_option *option, const char *value)
{
    void *field = (char *)reading->call + option->offset;
    uint64_t number = 0;
    bool yes = true;
    switch (option->type) {
    case WEIR_CLI_FLAG:
        memcpy(field, &yes, sizeof(yes));
        break;
    case WEIR_CLI_TEXT:
        memcpy(field, &value, sizeof(value));
        break;
    case WEIR_CLI_NUMBER:
        if (!weir_str_to_u64(weir_str_z(value), &number) || number == 0) {
            return weir_fail(reading->err, WEIR_E_INVALID,
                    "--%s must be a whole number from 1, not '%s'", option->name, value);
        }
        memcpy(field, &number, sizeof(number));
        break;
    case WEIR_CLI_LIST:
        return add_value(reading, option, value, field);
    }
    return WEIR_OK;
}

/* An option whose value is not in the same word takes the next one. */
static enum weir_rc take_option(
        struct reading *reading, const struct weir_cli_option *option, const char *value)
{
    if (option->type == WEIR_CLI_FLAG) {
        if (value != NULL) {
            return weir_fail(reading->err, WEIR_E_INVALID, "--%s takes no value", option->name);
        }
        return set_option(reading, option, NULL);
    }
    if (value == NULL && reading->at < reading->argc) {
        value = reading->argv[reading->at++];
    }
    if (value == NULL) {
        return weir_fail(reading->err, WEIR_E_INVALID, "--%s needs a value: --%s %s", option->name,
                option->name, option->value);
    }
    return set_option(reading, option, value);
}

static const struct weir_cli_option *find_option(
        const struct weir_cli_command *command, struct weir_str name)
{
    for (const struct weir_cli_option *o = command->options; o->name != NULL; o++) {
        if (weir_str_eq(weir_str_z(o->name), name)) {
            return o;
        }
    }
    return weir_str_eq(weir_str_z(help_option.name), name) ? &help_option : NULL;
}

/* --name, --name=value */
static enum weir_rc take_long(struct reading *reading, const char *word)
{
    const char *equals = strchr(word, '=');
    struct weir_str name =
            equals != NULL ? weir_str(word, (size_t)(equals - word)) : weir_str_z(word);
    const struct weir_cli_option *option = find_option(reading->command, name);
    if (option == NULL) {
        return unknown_option(reading, name);
    }
    return take_option(reading, option, equals != NULL ? equals + 1 : NULL);
}

/* -c, -cVALUE; flags may stand together. */
static enum weir_rc take_short(struct reading *reading, const char *word)
{
    for (; *word != '\0'; word++) {
        const struct weir_cli_option *option = *word == help_option.letter ? &help_option : NULL;
        for (const struct weir_cli_option *o = reading->command->options; o->name != NULL; o++) {
            option = o->letter == *word ? o : option;
        }
        if (option == NULL) {
            return weir_fail(reading->err, WEIR_E_INVALID, "weir %s has no option -%c",
                    reading->command->name, *word);
        }
        if (option->type != WEIR_CLI_FLAG) {
            return take_option(reading, option, word[1] != '\0' ? word + 1 : NULL);
        }
        enum weir_rc rc = take_option(reading, option, NULL);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static enum weir_rc take_argument(struct reading *reading, const char *word)
{
    struct weir_cli_call *call = reading->call;
    if (call->argument_count == reading->command->most) {
        return weir_fail(reading->err, WEIR_E_INVALID,
                "weir %s takes no argument '%s': weir %s%s%s", reading->command->name, word,
                reading->command->name, reading->command->arguments[0] != '\0' ? " " : "",
                reading->command->arguments);
    }
    call->arguments[call->argument_count++] = word;
    return WEIR_OK;
}

static enum weir_rc take_word(struct reading *reading, const char *word)
{
    if (word[0] != '-' || word[1] == '\0') {
        return take_argument(reading, word);
    }
    return word[1] == '-' ? take_long(reading, word + 2) : take_short(reading, word + 1);
}

enum weir_rc weir_cli_parse(const struct weir_cli_command *command, int argc, char **argv,
        struct weir_cli_call *ret_call, struct weir_err *err)
{
    struct reading reading = {
        .command = command, .argc = argc, .argv = argv, .call = ret_call, .err = err
    };
    bool only_arguments = false;
    ret_call->command = command;
    while (reading.at < argc) {
        const char *word = argv[reading.at++];
        if (!only_arguments && strcmp(word, "--") == 0) {
            only_arguments = true;
            continue;
        }
        enum weir_rc rc =
                only_arguments ? take_argument(&reading, word) : take_word(&reading, word);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (!ret_call->help && ret_call->argument_count < command->least) {
        return weir_fail(err, WEIR_E_INVALID, "something is missing: weir %s %s", command->name,
                command->arguments);
    }
    return WEIR_OK;
}

static void write_option(struct weir_buf *buf, const struct weir_cli_option *option)
{
    char letter[8] = "    ";
    if (option->letter != 0) {
        letter[0] = '-';
        letter[1] = option->letter;
        letter[2] = ',';
    }
    size_t at = buf->n;
    weir_buf_printf(buf, "  %s--%s", letter, option->name);
    if (option->value != NULL) {
        weir_buf_printf(buf, " %s", option->value);
    }
    int used = (int)(buf->n - at);
    weir_buf_printf(buf, "%*s  %s\n", used < 28 ? 28 - used : 0, "", option->help);
}

void weir_cli_write_help(struct weir_buf *buf, const struct weir_cli_command *command)
{
    weir_buf_printf(buf, "weir %s%s%s%s\n\n%s.\n", command->name,
            command->options[0].name != NULL ? " [OPTIONS]" : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
    if (command->details[0] != '\0') {
        weir_buf_printf(buf, "\n%s", command->details);
    }
    weir_buf_z(buf, "\nOptions:\n");
    for (const struct weir_cli_option *o = command->options; o->name != NULL; o++) {
        write_option(buf, o);
    }
    write_option(buf, &help_option);
}
