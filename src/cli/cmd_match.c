/* weir match: does an event pattern match an event, and why. */
#include <stdio.h>

#include "base/mem.h"
#include "cli/input.h"
#include "pattern/pattern.h"

enum { EXPLANATION_MAX_BYTES = 64 << 20 };

static const struct weir_cli_option options[] = {
    { "explain", 0, NULL, "say which part matched, which did not, and the values compared",
            WEIR_CLI_FLAG, offsetof(struct weir_cli_call, explain) },
    { "item", 0, NULL, "the pattern is one on plain items, the event a change record",
            WEIR_CLI_FLAG, offsetof(struct weir_cli_call, item) },
    { "json", 0, NULL, "as --explain, as an object", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

/* A pattern is kept for the lines behind it, which mostly have the same one. */
struct matching {
    enum weir_pattern_mode mode;
    struct weir_pattern_scratch *scratch;
    struct weir_pattern_set *set; /* NULL: none yet */
};

static enum weir_rc take_pattern(
        struct matching *matching, struct weir_str text, struct weir_err *err)
{
    if (matching->set != NULL && weir_str_eq(weir_pattern_set_text(matching->set, 0), text)) {
        return WEIR_OK;
    }
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    size_t index = 0;
    enum weir_rc rc = weir_pattern_set_add(set, text, matching->mode, &index, err);
    if (rc == WEIR_OK) {
        weir_pattern_set_freeze(set);
        weir_pattern_set_destroy(matching->set);
        matching->set = WEIR_TAKE(set);
    }
    return rc;
}

static enum weir_rc match(struct matching *matching, struct weir_str event,
        struct weir_arena *arena, bool *ret_yes, struct weir_err *err)
{
    uint64_t results[1] = { 0 };
    struct weir_record record;
    enum weir_rc rc = WEIR_OK;
    weir_assert(weir_pattern_set_words(matching->set) == WEIR_COUNT(results));
    if (matching->mode == WEIR_PATTERN_AWS) {
        rc = weir_pattern_match_json(matching->set, matching->scratch, event, results, err);
    } else if ((rc = weir_cli_read_record(event, arena, &record, err)) == WEIR_OK) {
        rc = weir_pattern_match_record(matching->set, matching->scratch, &record, results, err);
    }
    *ret_yes = weir_pattern_matched(results, 0);
    return rc;
}

static enum weir_rc explain(struct matching *matching, struct weir_str event,
        struct weir_arena *arena, enum weir_pattern_form form, struct weir_buf *out,
        struct weir_err *err)
{
    struct weir_record record;
    if (matching->mode == WEIR_PATTERN_AWS) {
        return weir_pattern_explain_json(
                matching->set, 0, matching->scratch, event, form, out, err);
    }
    enum weir_rc rc = weir_cli_read_record(event, arena, &record, err);
    if (rc == WEIR_OK) {
        weir_pattern_explain(matching->set, 0, matching->scratch, &record, form, out);
    }
    return rc;
}

/* --- lines -------------------------------------------------------------- */

/* What a line asks. p is NULL for what is missing. */
struct question {
    struct weir_str pattern;
    struct weir_str event;
};

static enum weir_rc take_member(void *arg, struct weir_str name, struct weir_json *json,
        enum weir_json_token token, struct weir_err *err)
{
    struct question *question = arg;
    struct weir_str *text = NULL;
    if (weir_str_eq(name, WEIR_STR("pattern"))) {
        text = &question->pattern;
    } else if (weir_str_eq(name, WEIR_STR("event"))) {
        text = &question->event;
    } else {
        return weir_json_skip(json, token, err);
    }
    if (token == WEIR_JSON_STRING) {
        *text = json->text;
        return WEIR_OK;
    }
    return weir_json_raw(json, token, text, err);
}

static enum weir_rc answer(void *arg, struct weir_str line, struct weir_arena *arena,
        struct weir_buf *out, struct weir_err *err)
{
    struct matching *matching = arg;
    struct question question = { 0 };
    struct weir_json json;
    bool yes = false;
    weir_json_init(&json, line, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_cli_each_member(&json, take_member, &question, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (question.pattern.p == NULL) {
        return weir_fail(err, WEIR_E_INVALID, "the line has no pattern");
    }
    rc = take_pattern(matching, question.pattern, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "pattern: ");
    }
    if (question.event.p == NULL) {
        return weir_fail(err, WEIR_E_INVALID, "the line has no event");
    }
    rc = match(matching, question.event, arena, &yes, err);
    if (rc == WEIR_OK) {
        weir_buf_z(out, yes ? "true" : "false");
    }
    return rc;
}

/* --- arguments ---------------------------------------------------------- */

static enum weir_cli_exit fail_in(const char *what, const struct weir_err *err)
{
    if (err->pos > 0) {
        weir_cli_fail("%s%s (at byte %zu)", what, err->msg, err->pos);
    } else {
        weir_cli_fail("%s%s", what, err->msg);
    }
    return WEIR_CLI_USAGE;
}

static enum weir_cli_exit match_texts(const struct weir_cli_call *call, struct matching *matching,
        struct weir_str event, struct weir_arena *arena)
{
    struct weir_err err = { 0 };
    struct weir_buf out;
    bool yes = false;
    enum weir_rc rc = match(matching, event, arena, &yes, &err);
    weir_buf_init(&out, EXPLANATION_MAX_BYTES);
    bool undecided = rc == WEIR_E_LIMIT;
    if (call->explain || call->json) {
        enum weir_pattern_form form = call->json ? WEIR_PATTERN_JSON : WEIR_PATTERN_TEXT;
        if (rc == WEIR_OK || undecided) {
            struct weir_err *after = undecided ? NULL : &err;
            enum weir_rc explained = explain(matching, event, arena, form, &out, after);
            rc = undecided ? rc : explained;
        }
        weir_buf_z(&out, call->json ? "\n" : "");
    } else if (rc == WEIR_OK) {
        weir_buf_z(&out, yes ? "yes\n" : "no\n");
    }
    if (rc == WEIR_OK || undecided) {
        weir_cli_print(&out);
    }
    weir_buf_fini(&out);
    if (rc != WEIR_OK) {
        return fail_in(matching->mode == WEIR_PATTERN_ITEM ? "record: " : "", &err);
    }
    return yes ? WEIR_CLI_DONE : WEIR_CLI_FAILED;
}

static enum weir_cli_exit match_arguments(
        const struct weir_cli_call *call, struct matching *matching, struct weir_arena *arena)
{
    struct weir_str pattern = { 0 };
    struct weir_str event = { 0 };
    struct weir_err err = { 0 };
    if (call->argument_count == 1) {
        weir_cli_fail("weir match needs an event, too: weir match PATTERN EVENT");
        return WEIR_CLI_USAGE;
    }
    enum weir_cli_exit code =
            weir_cli_read_text("the pattern", call->arguments[0], arena, &pattern);
    if (code == WEIR_CLI_DONE) {
        code = weir_cli_read_text("the event", call->arguments[1], arena, &event);
    }
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    if (take_pattern(matching, pattern, &err) != WEIR_OK) {
        return fail_in("pattern: ", &err);
    }
    return match_texts(call, matching, event, arena);
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    struct matching matching = {
        .mode = call->item ? WEIR_PATTERN_ITEM : WEIR_PATTERN_AWS,
        .scratch = weir_pattern_scratch_create(),
    };
    struct weir_cli_answerer answerer = { .answer = answer, .arg = &matching };
    struct weir_arena arena;
    weir_arena_init(&arena);
    enum weir_cli_exit code = WEIR_CLI_DONE;
    if (call->argument_count > 0) {
        code = match_arguments(call, &matching, &arena);
    } else if (call->explain || call->json) {
        weir_cli_fail("--%s needs a pattern and an event as arguments",
                call->explain ? "explain" : "json");
        code = WEIR_CLI_USAGE;
    } else {
        code = weir_cli_answer_lines(&answerer);
    }
    weir_arena_fini(&arena);
    weir_pattern_set_destroy(matching.set);
    weir_pattern_scratch_destroy(matching.scratch);
    return code;
}

const struct weir_cli_command weir_cli_match = {
    .name = "match",
    .arguments = "[PATTERN EVENT]",
    .help = "Say whether an event pattern matches an event",
    .details =
            "Both are JSON; @FILE is a file with it, - standard input. Prints yes and ends with 0, "
            "or no\n"
            "and ends with 1; errors end with 2. Without arguments each line of standard input is "
            "an\n"
            "object with pattern and event (JSON, or a string of JSON text) and is answered with\n"
            "true, false, or error: REASON. With --item the event is a change record.\n",
    .options = options,
    .most = 2,
    .run = run,
};
