#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    CHUNK_BYTES = 256 << 10,
    OUT_MAX_BYTES = 128 << 20, /* an answer of 16 MiB of text, escaped at its worst */
};

/* --- texts -------------------------------------------------------------- */

static ssize_t read_some(int file, char *p, size_t n)
{
    ssize_t got = 0;
    do {
        got = read(file, p, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

static enum weir_cli_exit read_whole(
        const char *what, int file, struct weir_arena *arena, struct weir_str *ret_text)
{
    struct weir_buf text;
    weir_buf_init(&text, WEIR_CLI_TEXT_MAX + CHUNK_BYTES);
    ssize_t got = 1;
    while (got > 0 && text.n <= WEIR_CLI_TEXT_MAX) {
        char *at = weir_buf_reserve(&text, CHUNK_BYTES);
        got = at != NULL ? read_some(file, at, CHUNK_BYTES) : -1;
        text.n -= CHUNK_BYTES - (size_t)(got > 0 ? got : 0);
    }
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (got < 0) {
        weir_cli_fail("cannot read %s: %m", what);
        code = WEIR_CLI_USAGE;
    } else if (text.n > WEIR_CLI_TEXT_MAX) {
        weir_cli_fail("%s is longer than %d bytes", what, WEIR_CLI_TEXT_MAX);
        code = WEIR_CLI_USAGE;
    } else {
        *ret_text = weir_arena_str(arena, weir_buf_view(&text));
    }
    weir_buf_fini(&text);
    return code;
}

enum weir_cli_exit weir_cli_read_text(
        const char *what, const char *argument, struct weir_arena *arena, struct weir_str *ret_text)
{
    if (strcmp(argument, "-") == 0) {
        return read_whole(what, STDIN_FILENO, arena, ret_text);
    }
    if (argument[0] != '@') {
        *ret_text = weir_str_z(argument);
        return WEIR_CLI_DONE;
    }
    int file = open(argument + 1, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        weir_cli_fail("cannot open %s for %s: %m", argument + 1, what);
        return WEIR_CLI_USAGE;
    }
    enum weir_cli_exit code = read_whole(what, file, arena, ret_text);
    close(file);
    return code;
}

enum weir_rc weir_cli_read_record(struct weir_str text, struct weir_arena *arena,
        struct weir_record *ret_record, struct weir_err *err)
{
    struct weir_json json;
    struct weir_record record;
    weir_json_init(&json, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), &record, err);
    if (rc == WEIR_OK && weir_json_next(&json) != WEIR_JSON_END) {
        *err = json.err;
        rc = json.err.code;
    }
    if (rc == WEIR_OK) {
        *ret_record = record;
    }
    return rc;
}

/* --- lines -------------------------------------------------------------- */

/* A file's lines, of which [start, end) is read but not yet handed out. */
struct lines {
    int file;
    char *p;
    size_t start;
    size_t end;
    size_t capacity;
    bool ended;
    bool too_long; /* the line that is being read: what came of it is dropped */
    bool failed;
};

static void flush(struct weir_buf *out)
{
    if (out->n > 0) {
        fwrite(out->p, 1, out->n, stdout);
        fflush(stdout);
    }
    weir_buf_reset(out);
}

/* Whoever waits for an answer before the next line gets it; a stream is written in chunks. */
static void flush_if_idle(struct weir_buf *out)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
    if (out->n >= CHUNK_BYTES || (out->n > 0 && poll(&input, 1, 0) == 0)) {
        flush(out);
    }
}

/* out: what is to be written before it waits; NULL: nothing. */
static void fill(struct lines *lines, struct weir_buf *out)
{
    if (out != NULL) {
        flush_if_idle(out);
    }
    if (lines->start > 0) {
        memmove(lines->p, lines->p + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->capacity - lines->end < CHUNK_BYTES) {
        lines->capacity = 2 * lines->capacity + CHUNK_BYTES;
        lines->p = weir_realloc(lines->p, lines->capacity, 1);
    }
    ssize_t got = read_some(lines->file, lines->p + lines->end, CHUNK_BYTES);
    lines->failed = got < 0;
    lines->ended = got <= 0;
    lines->end += (size_t)(got > 0 ? got : 0);
}

/* The next line without its end, valid until the call after; false: there is none. */
static bool next_line(
        struct lines *lines, struct weir_buf *out, struct weir_str *ret_line, bool *ret_too_long)
{
    size_t seen = 0; /* bytes from start that hold no line's end */
    for (;;) {
        size_t n = lines->end - lines->start;
        const char *at = lines->p + lines->start;
        const char *end = n > seen ? memchr(at + seen, '\n', n - seen) : NULL;
        if (end != NULL || (lines->ended && (n > 0 || lines->too_long))) {
            size_t length = end != NULL ? (size_t)(end - at) : n;
            *ret_line = weir_str(at, length);
            *ret_too_long = lines->too_long || length > WEIR_CLI_TEXT_MAX;
            lines->too_long = false;
            lines->start += length + (end != NULL ? 1 : 0);
            return true;
        }
        if (lines->ended) {
            return false;
        }
        seen = n;
        if (n > WEIR_CLI_TEXT_MAX) {
            lines->too_long = true;
            lines->start = lines->end;
            seen = 0;
        }
        fill(lines, out);
    }
}

/* One line, whatever a message quotes. */
static void write_error(struct weir_buf *out, const struct weir_err *err)
{
    weir_buf_z(out, "error: ");
    for (const char *p = err->msg; *p != '\0'; p++) {
        weir_buf_byte(out, (unsigned char)*p < ' ' ? ' ' : *p);
    }
    if (err->pos > 0) {
        weir_buf_printf(out, " (at byte %zu)", err->pos);
    }
}

static void answer_line(const struct weir_cli_answerer *answerer, struct weir_str line,
        bool too_long, struct weir_arena *arena, struct weir_buf *out)
{
    struct weir_err err = { 0 };
    size_t before = out->n;
    enum weir_rc rc = too_long ? weir_fail(&err, WEIR_E_TOO_LARGE,
                                         "the line is longer than %d bytes", WEIR_CLI_TEXT_MAX)
                               : answerer->answer(answerer->arg, line, arena, out, &err);
    if (rc == WEIR_OK) {
        rc = weir_buf_check(out, "the answer", &err);
    }
    if (rc != WEIR_OK) {
        out->n = before;
        out->overflow = false;
        write_error(out, &err);
    }
    weir_buf_byte(out, '\n');
}

enum weir_cli_exit weir_cli_answer_lines(const struct weir_cli_answerer *answerer)
{
    struct lines lines = {
        .file = STDIN_FILENO,
        .p = weir_alloc(CHUNK_BYTES),
        .capacity = CHUNK_BYTES,
    };
    struct weir_arena arena;
    struct weir_buf out;
    struct weir_str line = { 0 };
    bool too_long = false;
    weir_arena_init(&arena);
    weir_buf_init(&out, OUT_MAX_BYTES);
    while (!ferror(stdout) && next_line(&lines, &out, &line, &too_long)) {
        answer_line(answerer, line, too_long, &arena, &out);
        weir_arena_reset(&arena);
        if (out.n >= CHUNK_BYTES) {
            flush(&out);
        }
    }
    flush(&out);
    weir_buf_fini(&out);
    weir_arena_fini(&arena);
    weir_free(lines.p);
    return lines.failed ? weir_cli_fail("cannot read standard input: %m") : WEIR_CLI_DONE;
}

bool weir_cli_each_line(
        int file, bool (*each)(void *arg, struct weir_str line, bool too_long), void *arg)
{
    struct lines lines = {
        .file = file,
        .p = weir_alloc(CHUNK_BYTES),
        .capacity = CHUNK_BYTES,
    };
    struct weir_str line = { 0 };
    bool too_long = false;
    while (next_line(&lines, NULL, &line, &too_long) && each(arg, line, too_long)) {
        /* On to the next. */
    }
    weir_free(lines.p);
    return !lines.failed;
}

enum weir_rc weir_cli_each_member(struct weir_json *json,
        enum weir_rc (*each)(void *arg, struct weir_str name, struct weir_json *json,
                enum weir_json_token token, struct weir_err *err),
        void *arg, struct weir_err *err)
{
    enum weir_json_token token = weir_json_next(json);
    if (token != WEIR_JSON_OBJECT && token != WEIR_JSON_ERROR) {
        return weir_fail_at(err, WEIR_E_INVALID, json->pos, "expected an object, found %s",
                weir_json_token_name(token));
    }
    while (token != WEIR_JSON_ERROR && (token = weir_json_next(json)) == WEIR_JSON_NAME) {
        struct weir_str name = json->text;
        token = weir_json_next(json);
        enum weir_rc rc = token != WEIR_JSON_ERROR ? each(arg, name, json, token, err) : WEIR_OK;
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (token == WEIR_JSON_ERROR || weir_json_next(json) != WEIR_JSON_END) {
        *err = json->err;
        return json->err.code;
    }
    return WEIR_OK;
}
