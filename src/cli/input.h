/*
 * What tools read: texts named by arguments, and lines of standard input that are answered one
 * by one.
 */
#ifndef WEIR_CLI_INPUT_H
#define WEIR_CLI_INPUT_H

#include "base/arena.h"
#include "cli/cli_int.h"
#include "value/json.h"
#include "value/record.h"

enum { WEIR_CLI_TEXT_MAX = 16 << 20 }; /* bytes of a text or a line */

/*
 * The text that an argument stands for: itself, with @FILE the file's content, with - what comes
 * from standard input. The arena's, or borrowed from the argument. what names it in messages.
 * Errors are explained and give WEIR_CLI_USAGE.
 */
enum weir_cli_exit weir_cli_read_text(const char *what, const char *argument,
        struct weir_arena *arena, struct weir_str *ret_text);

/*
 * A record in a form that weir_record_read knows, from a whole text; borrows as that does.
 * Errors: as weir_record_read.
 */
WEIR_MUST_CHECK enum weir_rc weir_cli_read_record(struct weir_str text, struct weir_arena *arena,
        struct weir_record *ret_record, struct weir_err *err);

/*
 * How lines are answered: append the answer without a line's end, or fail. The arena is reset
 * after each line.
 */
struct weir_cli_answerer {
    enum weir_rc (*answer)(void *arg, struct weir_str line, struct weir_arena *arena,
            struct weir_buf *out, struct weir_err *err);
    void *arg;
};

/*
 * Answer every line of standard input with one line on standard output, `error: REASON` for what
 * fails. What is answered is written at the latest when no more input is there.
 */
enum weir_cli_exit weir_cli_answer_lines(const struct weir_cli_answerer *answerer);

/*
 * Hand every line of a file to each, until it returns false. too_long: the line has more than
 * WEIR_CLI_TEXT_MAX bytes, and is not complete. False: the file cannot be read (errno).
 */
bool weir_cli_each_line(
        int file, bool (*each)(void *arg, struct weir_str line, bool too_long), void *arg);

/*
 * Call each with every member of the object that is a line, json->text being the name, and the
 * token of the value, which it reads. Errors: WEIR_E_INVALID (not an object, what each says).
 */
WEIR_MUST_CHECK enum weir_rc weir_cli_each_member(struct weir_json *json,
        enum weir_rc (*each)(void *arg, struct weir_str name, struct weir_json *json,
                enum weir_json_token token, struct weir_err *err),
        void *arg, struct weir_err *err);

#endif
