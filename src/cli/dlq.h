/*
 * The dead letters of a pipeline, as a client sees them: through the admin API, wherever they are
 * kept.
 */
#ifndef WEIR_CLI_DLQ_H
#define WEIR_CLI_DLQ_H

#include "cli/client.h"

/* What every action works on. */
struct weir_cli_dlq {
    const struct weir_cli_call *call;
    struct weir_arena arena;
    struct weir_str pipeline;
    struct weir_str filter; /* the options that choose letters, as a part of a query; the arena's */
    struct weir_str file;   /* whose lines the letters are; empty: weir has them. The arena's */
};

/* How a pipeline is; texts are the arena's that was given. */
struct weir_cli_pipeline_status {
    struct weir_str table; /* of its letters; empty: they are not in a table */
    struct weir_str file;  /* likewise */
    bool keeps_letters;
    struct weir_str state;
    struct weir_str reason; /* what blocks it */
    bool at_end;            /* everything so far has been processed */
};

/*
 * Find the pipeline of the call, and read the options that choose letters. What is missing or
 * wrong is explained. The caller ends it with the fini below, whatever the exit.
 */
enum weir_cli_exit weir_cli_dlq_init(struct weir_cli_dlq *dlq, const struct weir_cli_call *call);
void weir_cli_dlq_fini(struct weir_cli_dlq *dlq);

/* Ask how the pipeline is now. Not there: explained, with the nearest name. */
enum weir_cli_exit weir_cli_dlq_status(const struct weir_cli_dlq *dlq, struct weir_arena *arena,
        struct weir_cli_pipeline_status *ret_status);

/* One request about letters. */
struct weir_cli_dlq_ask {
    const char *path;
    bool post; /* also without it when the letters are lines of a file: they are the body */
    struct weir_str sequence; /* empty: all that the filter chooses */
    struct weir_str filter;   /* the dlq's, or empty */
    struct weir_str after;    /* what the last answer gave as next */
    struct weir_str until;    /* failed before then; empty: as the filter says */
    bool stale;
    struct weir_str lines; /* private: letters of a file */
};

/* Ask; an answer that is an error is explained. The caller initialises the buffer. */
enum weir_cli_exit weir_cli_dlq_fetch(const struct weir_cli_dlq *dlq,
        const struct weir_cli_dlq_ask *ask, struct weir_buf *ret_answer);

/*
 * Call each with every letter that a filter chooses (empty: all): its JSON, which ends with the
 * call. Another exit than WEIR_CLI_DONE ends it.
 */
enum weir_cli_exit weir_cli_dlq_each(const struct weir_cli_dlq *dlq, struct weir_str filter,
        enum weir_cli_exit (*each)(void *arg, struct weir_str letter), void *arg);

/* Count them. */
enum weir_cli_exit weir_cli_dlq_count(
        const struct weir_cli_dlq *dlq, struct weir_str filter, uint64_t *ret_count);

/* Say that the pipeline has no letter of those that are wanted. Returns WEIR_CLI_FAILED. */
enum weir_cli_exit weir_cli_dlq_none(const struct weir_cli_dlq *dlq);

/*
 * A text for people, in the arena: without what could steer a terminal; longer than most bytes: cut
 * between characters.
 */
struct weir_str weir_cli_dlq_text(struct weir_arena *arena, struct weir_str text, size_t most);

/* `weir dlq list`, `redrive`, `skip`, `purge`: by the arguments and options of the call. */
enum weir_cli_exit weir_cli_dlq_list(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_redrive(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_skip(const struct weir_cli_dlq *dlq);
enum weir_cli_exit weir_cli_dlq_purge(const struct weir_cli_dlq *dlq);

#endif
