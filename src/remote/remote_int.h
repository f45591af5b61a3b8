/* What the files of remote/ share: what the answers of SQS say. Pure; any thread. */
#ifndef WEIR_REMOTE_REMOTE_INT_H
#define WEIR_REMOTE_REMOTE_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/failure.h"
#include "base/str.h"

/* What an answer says of one message of a batch. */
struct weir_sqs_verdict {
    bool told;                       /* false: nothing */
    enum weir_failure_class failure; /* NONE: it was sent */
    struct weir_err err;             /* of one that was not */
};

/*
 * Read an answer of status 200: what became of each of `count` messages, whose ids are their
 * places. False: it is not what SQS answers; what it says up to there stands.
 */
bool weir_sqs_read_answer(struct weir_str answer, struct weir_sqs_verdict *verdicts, size_t count);

/*
 * Read an answer that refuses a batch as a whole. status_class: what its status stands for. Returns
 * the class, and says in err why.
 */
enum weir_failure_class weir_sqs_read_refusal(struct weir_str answer, int status,
        enum weir_failure_class status_class, struct weir_err *err);

#endif
