/* weir dlq: the dead letters of a pipeline. */
#include <stdio.h>

#include "cli/dlq.h"

static const struct weir_cli_option options[] = {
    WEIR_CLI_ENDPOINT,
    { "fingerprint", 0, "HEX", "letters of one kind of error (list, redrive, purge)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, fingerprint) },
    { "error", 0, "TEXT",
            "letters whose error contains this, or of this fingerprint (list, redrive, purge)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, error) },
    { "since", 0, "TIME",
            "letters that failed since 2025-11-22, 2025-11-22T08:15, or 90s, 2h, 7d ago "
            "(list, redrive, purge)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, since) },
    { "until", 0, "TIME", "letters that failed before then (list, redrive, purge)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, until) },
    { "key", 0, "JSON",
            "letters about this item, or about those with a part of its key "
            "(list, redrive, purge)",
            WEIR_CLI_TEXT, offsetof(struct weir_cli_call, key) },
    { "group", 0, NULL, "only how many letters there are of each kind of error (list)",
            WEIR_CLI_FLAG, offsetof(struct weir_cli_call, group) },
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

struct showing {
    struct weir_buf out;
    bool json;
    bool found;
};

static bool show_letter(void *arg, struct weir_str letter)
{
    struct showing *showing = arg;
    showing->found = true;
    if (showing->json) {
        weir_buf_str(&showing->out, letter);
    } else {
        weir_cli_write_pretty(&showing->out, letter);
    }
    weir_buf_byte(&showing->out, '\n');
    return false;
}

static enum weir_cli_exit show(const struct weir_cli_dlq *dlq)
{
    struct weir_cli_dlq_ask ask = {
        .path = "/v1/dead-letters",
        .sequence = weir_str_z(dlq->call->arguments[2]),
    };
    struct showing showing = { .json = dlq->call->json };
    struct weir_arena arena;
    struct weir_buf answer;
    enum weir_cli_exit code = WEIR_CLI_DONE;
    weir_arena_init(&arena);
    weir_buf_init(&answer, WEIR_CLI_OUT_MAX_BYTES);
    weir_buf_init(&showing.out, WEIR_CLI_OUT_MAX_BYTES);
    do {
        code = weir_cli_dlq_fetch(dlq, &ask, &answer);
        if (code == WEIR_CLI_DONE) {
            struct weir_str text = weir_buf_view(&answer);
            weir_cli_each(weir_cli_member(&arena, text, "letters"), show_letter, &showing);
            ask.after = weir_arena_str(&arena, weir_cli_member(&arena, text, "next"));
        }
    } while (code == WEIR_CLI_DONE && !showing.found && ask.after.n > 0);
    if (code == WEIR_CLI_DONE && !showing.found) {
        code = weir_cli_dlq_none(dlq);
    }
    weir_buf_fini(&answer);
    weir_cli_print(&showing.out);
    weir_arena_fini(&arena);
    return code;
}

/* --- the command ----------------------------------------------------------------------------- */

enum sequence_use { SEQUENCE_NONE, SEQUENCE_MAYBE, SEQUENCE_NEEDED };

/* The options that choose letters. */
#define FILTERS " fingerprint error since until key "

static const struct action {
    const char *name;
    enum weir_cli_exit (*run)(const struct weir_cli_dlq *dlq);
    enum sequence_use sequence;
    const char *options; /* those that it takes, between spaces */
} actions[] = {
    { "list", weir_cli_dlq_list, SEQUENCE_NONE, " endpoint json" FILTERS "group limit " },
    { "show", show, SEQUENCE_NEEDED, " endpoint json " },
    { "redrive", weir_cli_dlq_redrive, SEQUENCE_MAYBE, " endpoint json" FILTERS "stale " },
    { "skip", weir_cli_dlq_skip, SEQUENCE_NEEDED, " endpoint json " },
    { "purge", weir_cli_dlq_purge, SEQUENCE_NONE, " endpoint json" FILTERS "yes " },
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

/* The first of the options given that choose letters; NULL: none. */
static const char *filter_given(const struct weir_cli_call *call)
{
    for (const struct weir_cli_option *o = options; o->name != NULL; o++) {
        char word[32];
        snprintf(word, sizeof(word), " %s ", o->name);
        if (is_given(call, o) && strstr(FILTERS, word) != NULL) {
            return o->name;
        }
    }
    return NULL;
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
    const char *chosen = filter_given(call);
    if (sequence == NULL && action->sequence == SEQUENCE_NEEDED) {
        weir_cli_fail("something is missing: weir dlq %s PIPELINE SEQUENCE", action->name);
    } else if (sequence != NULL && action->sequence == SEQUENCE_NONE) {
        weir_cli_fail("weir dlq %s takes no argument '%s': weir dlq %s PIPELINE", action->name,
                sequence, action->name);
    } else if (sequence != NULL && chosen != NULL) {
        weir_cli_fail("weir dlq %s takes a sequence or --%s, not both", action->name, chosen);
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
    .details = "list      the letters, and how many of each kind of error\n"
               "show      the letter with a sequence, whole\n"
               "redrive   process them again, or the one with a sequence; waits for the outcome\n"
               "skip      delete the letter with a sequence\n"
               "purge     delete them\n",
    .options = options,
    .least = 2,
    .most = 3,
    .run = run,
};
