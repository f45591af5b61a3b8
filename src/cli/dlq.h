/*
 * The dead letters of a pipeline, as a client sees them: the status names their table, the
 * DynamoDB API reads and deletes them, the admin API gives them back to their pipeline.
 */
#ifndef WEIR_CLI_DLQ_H
#define WEIR_CLI_DLQ_H

#include "cli/client.h"

/* What every action works on. */
struct weir_cli_dlq {
    const struct weir_cli_call *call;
    struct weir_arena arena;
    struct weir_str pipeline;
    struct weir_str table; /* where the letters are; the arena's */
};

/* How a pipeline is; texts are the arena's that was given. */
struct weir_cli_pipeline_status {
    struct weir_str letters; /* their table; empty: none are kept */
    struct weir_str state;
    struct weir_str reason; /* what blocks it */
    bool at_end;            /* everything so far has been processed */
};

/*
 * Find the pipeline of the call and the table of its letters. What is missing is explained. The
 * caller ends it with the fini below, whatever the exit.
 */
enum weir_cli_exit weir_cli_dlq_init(struct weir_cli_dlq *dlq, const struct weir_cli_call *call);
void weir_cli_dlq_fini(struct weir_cli_dlq *dlq);

/* Ask how the pipeline is now. Not there: explained, with the nearest name. */
enum weir_cli_exit weir_cli_dlq_status(const struct weir_cli_dlq *dlq, struct weir_arena *arena,
        struct weir_cli_pipeline_status *ret_status);

/* Which letters are meant; NULL: any. */
struct weir_cli_dlq_filter {
    const char *fingerprint; /* equal */
    const char *error;       /* part of the error */
    const char *since;       /* failed then or later: text as failed_at has it, or a part */
};

/*
 * Call each with every letter that passes, in the order of the changes: an item without the
 * record, and its DynamoDB JSON; both end with the call. Another exit than WEIR_CLI_DONE ends it.
 */
enum weir_cli_exit weir_cli_dlq_each(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_filter *filter,
        enum weir_cli_exit (*each)(void *arg, struct weir_item letter, struct weir_str text),
        void *arg);

/* Count the letters that pass. */
enum weir_cli_exit weir_cli_dlq_count(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_filter *filter, uint64_t *ret_count);

/* A text attribute; empty when it is missing or no text. Borrowed from the letter. */
struct weir_str weir_cli_letter_text(struct weir_item letter, struct weir_str name);

/*
 * A value for people, in the arena: a text as it is, but for what could steer a terminal; anything
 * else as plain JSON. Longer than most bytes: cut between characters.
 */
struct weir_str weir_cli_dlq_text(struct weir_arena *arena, struct weir_value value, size_t most);

/* Append `{"pipeline":{"S":...},"sequence":{"S":...}}`. */
void weir_cli_dlq_key(
        const struct weir_cli_dlq *dlq, struct weir_buf *body, struct weir_str sequence);

/* `weir dlq list`, `redrive`, `skip`, `purge`: by the arguments and options of the call. */
enum weir_cli_exit weir_cli_dlq_list(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_redrive(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_skip(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_purge(const struct weir_cli_dlq *dlq);

#endif
