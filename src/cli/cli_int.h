/*
 * The command line: a table of commands, each with a table of options, and what commands
 * share. One file a command (cmd_NAME.c).
 *
 * Data goes to standard output, everything about it to standard error.
 */
#ifndef WEIR_CLI_CLI_INT_H
#define WEIR_CLI_CLI_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* How the program ends; part of its interface (docs/cli.md). */
enum weir_cli_exit {
    WEIR_CLI_DONE = 0,
    WEIR_CLI_FAILED = 1,      /* refused, not found, wrong: standard error says what */
    WEIR_CLI_USAGE = 2,       /* the command line itself is wrong */
    WEIR_CLI_UNREACHABLE = 3, /* no weir answers at the endpoint */
};

enum { WEIR_CLI_ARGUMENTS_MAX = 64, WEIR_CLI_LIST_MAX = 32 };

/* The values of an option that may be given many times. */
struct weir_cli_list {
    const char *all[WEIR_CLI_LIST_MAX];
    size_t count;
};

/* Everything that a command line can say. Strings are borrowed from it. */
struct weir_cli_call {
    const struct weir_cli_command *command;
    const char *arguments[WEIR_CLI_ARGUMENTS_MAX];
    size_t argument_count;
    bool help;
    /* Options; NULL, false and 0: not given. */
    const char *config;
    const char *listen;
    const char *data;
    const char *endpoint;
    const char *key;
    const char *begins_with;
    const char *from;
    const char *to;
    const char *where;
    const char *index;
    const char *condition;
    const char *filter;
    const char *names;
    const char *values;
    const char *vars;
    const char *record;
    const char *error;
    const char *fingerprint;
    const char *since;
    const char *until;
    const char *timezone;
    const char *in_group;
    const char *only;
    const char *format;
    const char *functions;
    const char *prices;
    const char *speed;
    const char *table;
    const char *after;
    struct weir_cli_list var;
    uint64_t limit;
    uint64_t count;
    bool reverse;
    bool json;
    bool ddb;
    bool explain;
    bool item;
    bool typed;
    bool stale;
    bool group;
    bool lanes;
    bool prune;
    bool cancel;
    bool wait;
    bool yes;
    bool verbose;
    bool log;
};

/* A flag sets a bool, a text a const char *, a number a uint64_t of struct weir_cli_call; a list
 * adds to a struct weir_cli_list. */
enum weir_cli_option_type {
    WEIR_CLI_FLAG,
    WEIR_CLI_TEXT,
    WEIR_CLI_NUMBER,
    WEIR_CLI_LIST,
};

struct weir_cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* short form; 0: none */
    const char *value; /* what stands behind it, for help: "FILE"; NULL for flags */
    const char *help;  /* one sentence, no full stop */
    enum weir_cli_option_type type;
    uint32_t offset; /* in struct weir_cli_call */
};

struct weir_cli_command {
    const char *name;
    const char *arguments;                 /* for help: "TABLE ITEM"; "" without any */
    const char *help;                      /* one sentence, no full stop */
    const char *details;                   /* paragraphs behind it, lines ended; "" without any */
    const struct weir_cli_option *options; /* ends with .name == NULL */
    size_t least;                          /* arguments */
    size_t most;
    enum weir_cli_exit (*run)(const struct weir_cli_call *call);
};

/* All commands, in the order in which help lists them; the last has no name. */
extern const struct weir_cli_command *const weir_cli_commands[];

extern const struct weir_cli_command weir_cli_serve;
extern const struct weir_cli_command weir_cli_check;
extern const struct weir_cli_command weir_cli_test;
extern const struct weir_cli_command weir_cli_run_pipeline;
extern const struct weir_cli_command weir_cli_simulate;
extern const struct weir_cli_command weir_cli_status;
extern const struct weir_cli_command weir_cli_alarms;
extern const struct weir_cli_command weir_cli_tail;
extern const struct weir_cli_command weir_cli_dlq;
extern const struct weir_cli_command weir_cli_timers;
extern const struct weir_cli_command weir_cli_replay;
extern const struct weir_cli_command weir_cli_rebuild;
extern const struct weir_cli_command weir_cli_put;
extern const struct weir_cli_command weir_cli_get;
extern const struct weir_cli_command weir_cli_delete;
extern const struct weir_cli_command weir_cli_query;
extern const struct weir_cli_command weir_cli_scan;
extern const struct weir_cli_command weir_cli_invoke;
extern const struct weir_cli_command weir_cli_match;
extern const struct weir_cli_command weir_cli_eval;
extern const struct weir_cli_command weir_cli_explain;
extern const struct weir_cli_command weir_cli_schedule;
extern const struct weir_cli_command weir_cli_help;
extern const struct weir_cli_command weir_cli_version;

/* The command of a name, or NULL. */
const struct weir_cli_command *weir_cli_find(const char *name);

/*
 * Run a command line: argv[0] is the program's name. Errors in it are explained on standard
 * error. What main returns.
 */
int weir_cli_run(int argc, char **argv);

/*
 * Read options and arguments behind a command's name into a zeroed call. "--" ends the options,
 * a lone "-" is an argument. Errors: WEIR_E_INVALID, naming the nearest option.
 */
WEIR_MUST_CHECK enum weir_rc weir_cli_parse(const struct weir_cli_command *command, int argc,
        char **argv, struct weir_cli_call *ret_call, struct weir_err *err);

/* Append a command's help: usage, what it does, options. */
void weir_cli_write_help(struct weir_buf *buf, const struct weir_cli_command *command);

/* Append docs/ERRORS.md: every error with its wire name, HTTP status and meaning. */
void weir_cli_write_errors(struct weir_buf *buf);

/* Say on standard error what went wrong: "weir: ...". Returns WEIR_CLI_FAILED. */
WEIR_PRINTF(1, 2)
enum weir_cli_exit weir_cli_fail(const char *fmt, ...);

enum { WEIR_CLI_OUT_MAX_BYTES = 64 << 20 }; /* of what is printed at once */

/* Write a buffer to standard output and free it. */
void weir_cli_print(struct weir_buf *buf);

/* Whether standard output is a terminal. */
bool weir_cli_is_terminal(void);

#endif
