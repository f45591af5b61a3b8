/* weir dlq: the dead letters of a pipeline. */
#include <stdio.h>

#include "cli/dlq.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { OUT_MAX_BYTES = 64 << 20, BODY_MAX_BYTES = 1 << 20, JSON_DEPTH = 128 };

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "fingerprint", 0, "HEX", "letters of one kind of error (list, redrive, purge)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, fingerprint) },
    { "error", 0, "TEXT", "letters whose error contains this (list)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, error) },
    { "since", 0, "TIME",
            "letters that failed since 2025-11-22, 2025-11-22T08:15, or 90s, 2h, 7d ago (list)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, since) },
    { "limit", 'n', "N", "print at most so many letters (list)", WEIR_CLI_NUMBER,
            offsetof(struct weir_cli_call, limit) },
    { "stale", 0, NULL, "also letters whose item has changed since (redrive)", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, stale) },
    { "yes", 0, NULL, "delete them without being asked again (purge)", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, yes) },
    { "json", 0, NULL, "print objects, one a line", WEIR_CLI_FLAG,
            offsetof(struct weir_cli_call, json) },
    { 0 },
};

/* --- show ------------------------------------------------------------------------------------ */

/* The whole letter as it stands in the table. The text is the reply's. */
static enum weir_cli_exit get_letter(const struct weir_cli_dlq *dlq, struct weir_arena *arena,
        struct weir_http_reply *reply, struct weir_item *ret_letter)
{
    const char *sequence = dlq->call->arguments[2];
    struct weir_buf body;
    weir_buf_init(&body, BODY_MAX_BYTES);
    weir_buf_z(&body, "{\"TableName\":");
    weir_json_write_string(&body, dlq->table);
    weir_buf_z(&body, ",\"ConsistentRead\":true,\"Key\":");
    weir_cli_dlq_key(dlq, &body, weir_str_z(sequence));
    weir_buf_byte(&body, '}');
    struct weir_cli_request request = { .operation = WEIR_STR("GetItem"),
        .body = weir_buf_view(&body) };
    enum weir_cli_exit code = weir_cli_fetch(dlq->call, &request, reply);
    weir_buf_fini(&body);
    if (code != WEIR_CLI_DONE) {
        return code;
    }
    struct weir_str text = weir_cli_member(arena, weir_buf_view(&reply->body), "Item");
    if (text.n == 0) {
        return weir_cli_fail(
                "pipeline '%.*s' has no dead letter %s", WEIR_STR_ARG(dlq->pipeline), sequence);
    }
    struct weir_json json;
    struct weir_err err = { 0 };
    weir_json_init(&json, text, arena, JSON_DEPTH);
    if (weir_ddbjson_read_item(&json, weir_json_next(&json), ret_letter, &err) != WEIR_OK) {
        return weir_cli_fail("the answer holds no item: %s", err.msg);
    }
    return WEIR_CLI_DONE;
}

/* Whether a text is one JSON value: only weir writes records, but anyone may change a table. */
static bool is_json(struct weir_arena *arena, struct weir_str text)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, JSON_DEPTH);
    return weir_json_skip(&json, weir_json_next(&json), NULL) == WEIR_OK &&
           weir_json_next(&json) == WEIR_JSON_END;
}

/* The record is an object, not a text of one. */
static void write_letter_json(
        struct weir_buf *out, struct weir_arena *arena, struct weir_item letter)
{
    for (size_t i = 0; i < weir_item_count(letter); i++) {
        struct weir_str name = { 0 };
        struct weir_value value = weir_item_at(letter, i, &name);
        struct weir_str text = weir_value_str(value);
        weir_buf_byte(out, i > 0 ? ',' : '{');
        weir_json_write_string(out, name);
        weir_buf_byte(out, ':');
        if (weir_str_eq(name, WEIR_STR("record")) && is_json(arena, text)) {
            weir_buf_str(out, text);
        } else {
            weir_ddbjson_write_plain_value(out, value);
        }
    }
    weir_buf_z(out, "}\n");
}

static void write_letter(struct weir_buf *out, struct weir_arena *arena, struct weir_item letter)
{
    int width = 0;
    for (size_t i = 0; i < weir_item_count(letter); i++) {
        struct weir_str name = { 0 };
        weir_item_at(letter, i, &name);
        width = (int)name.n > width ? (int)name.n : width;
    }
    for (size_t i = 0; i < weir_item_count(letter); i++) {
        struct weir_str name = { 0 };
        struct weir_value value = weir_item_at(letter, i, &name);
        if (!weir_str_eq(name, WEIR_STR("record"))) {
            weir_buf_printf(out, "%-*.*s  %.*s\n", width, WEIR_STR_ARG(name),
                    WEIR_STR_ARG(weir_cli_dlq_text(arena, value, SIZE_MAX)));
        }
    }
    struct weir_value record = weir_item_get(letter, WEIR_STR("record"));
    weir_buf_z(out, "record\n");
    if (is_json(arena, weir_value_str(record))) {
        weir_cli_write_pretty(out, weir_value_str(record));
    } else {
        weir_buf_str(out, weir_cli_dlq_text(arena, record, SIZE_MAX));
    }
    weir_buf_byte(out, '\n');
}

static enum weir_cli_exit show(const struct weir_cli_dlq *dlq)
{
    struct weir_http_reply reply = { 0 };
    struct weir_arena arena;
    struct weir_item letter = { 0 };
    weir_arena_init(&arena);
    enum weir_cli_exit code = get_letter(dlq, &arena, &reply, &letter);
    if (code == WEIR_CLI_DONE) {
        struct weir_buf out;
        weir_buf_init(&out, OUT_MAX_BYTES);
        if (dlq->call->json) {
            write_letter_json(&out, &arena, letter);
        } else {
            write_letter(&out, &arena, letter);
        }
        weir_cli_print(&out);
    }
    weir_arena_fini(&arena);
    weir_http_reply_fini(&reply);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

enum sequence_use { SEQUENCE_NONE, SEQUENCE_MAYBE, SEQUENCE_NEEDED };

static const struct action {
    const char *name;
    enum weir_cli_exit (*run)(const struct weir_cli_dlq *dlq);
    enum sequence_use sequence;
    const char *options; /* those that it takes, between spaces */
} actions[] = {
    { "list", weir_cli_dlq_list, SEQUENCE_NONE, " endpoint json fingerprint error since limit " },
    { "show", show, SEQUENCE_NEEDED, " endpoint json " },
    { "redrive", weir_cli_dlq_redrive, SEQUENCE_MAYBE, " endpoint json fingerprint stale " },
    { "skip", weir_cli_dlq_skip, SEQUENCE_NEEDED, " endpoint json " },
    { "purge", weir_cli_dlq_purge, SEQUENCE_NONE, " endpoint json fingerprint yes " },
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static const struct action *find_action(const char *name)
{
    const char *names[ACTIONS];
    for (size_t i = 0; i < ACTIONS; i++) {
        names[i] = actions[i].name;
        if (strcmp(name, actions[i].name) == 0) {
            return &actions[i];
        }
    }
    const char *nearest = weir_str_nearest(weir_str_z(name), names, ACTIONS);
    if (nearest != NULL) {
        weir_cli_fail("weir dlq does not know '%s'; did you mean '%s'?", name, nearest);
    } else {
        weir_cli_fail("weir dlq does not know '%s', but list, show, redrive, skip and purge", name);
    }
    return NULL;
}

static bool is_given(const struct weir_cli_call *call, const struct weir_cli_option *option)
{
    static const char zero[sizeof(uint64_t)];
    size_t size = option->type == WEIR_CLI_FLAG     ? sizeof(bool)
                  : option->type == WEIR_CLI_NUMBER ? sizeof(uint64_t)
                                                    : sizeof(const char *);
    return memcmp((const char *)call + option->offset, zero, size) != 0;
}

/* Every option belongs to some actions only; a filter that were ignored would do harm. */
static bool options_fit(const struct weir_cli_call *call, const struct action *action)
{
    for (const struct weir_cli_option *o = options; o->name != NULL; o++) {
        char word[32];
        snprintf(word, sizeof(word), " %s ", o->name);
        if (is_given(call, o) && strstr(action->options, word) == NULL) {
            weir_cli_fail("weir dlq %s takes no --%s", action->name, o->name);
            return false;
        }
    }
    const char *fingerprint = call->fingerprint;
    if (fingerprint != NULL &&
            (strlen(fingerprint) != 16 || strspn(fingerprint, "0123456789abcdef") != 16)) {
        weir_cli_fail("--fingerprint is 16 hexadecimal digits, as `weir dlq list` shows, not '%s'",
                fingerprint);
        return false;
    }
    return true;
}

static bool sequence_fits(const struct weir_cli_call *call, const struct action *action)
{
    const char *sequence = call->argument_count > 2 ? call->arguments[2] : NULL;
    if (sequence == NULL && action->sequence == SEQUENCE_NEEDED) {
        weir_cli_fail("something is missing: weir dlq %s PIPELINE SEQUENCE", action->name);
    } else if (sequence != NULL && action->sequence == SEQUENCE_NONE) {
        weir_cli_fail("weir dlq %s takes no argument '%s': weir dlq %s PIPELINE", action->name,
                sequence, action->name);
    } else if (sequence != NULL && call->fingerprint != NULL) {
        weir_cli_fail("weir dlq %s takes a sequence or --fingerprint, not both", action->name);
    } else if (sequence != NULL &&
               (sequence[0] == '\0' || sequence[strspn(sequence, "0123456789")] != '\0')) {
        weir_cli_fail("a sequence is digits, as `weir dlq list` shows, not '%s'", sequence);
    } else {
        return true;
    }
    return false;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    const struct action *action = find_action(call->arguments[0]);
    if (action == NULL || !sequence_fits(call, action) || !options_fit(call, action)) {
        return WEIR_CLI_USAGE;
    }
    struct weir_cli_dlq dlq;
    enum weir_cli_exit code = weir_cli_dlq_init(&dlq, call);
    if (code == WEIR_CLI_DONE) {
        code = action->run(&dlq);
    }
    weir_cli_dlq_fini(&dlq);
    return code;
}

const struct weir_cli_command weir_cli_dlq = {
    .name = "dlq",
    .arguments = "list|show|redrive|skip|purge PIPELINE [SEQUENCE]",
    .help = "List a pipeline's dead letters, process them again, delete them",
    .details =
            "list      the letters, and how many of each kind of error\n"
            "show      the letter with a sequence, whole\n"
            "redrive   process all again, those of a fingerprint, or one; waits for the outcome\n"
            "skip      delete the letter with a sequence\n"
            "purge     delete all, or those of a fingerprint\n",
    .options = options,
    .least = 2,
    .most = 3,
    .run = run,
};
