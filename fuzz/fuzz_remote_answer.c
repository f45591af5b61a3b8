/*
 * Answers of SendMessageBatch: the first byte says how many messages were asked about. Nothing is
 * said twice or of others, and what failed has a reason.
 */
#include <stddef.h>
#include <stdint.h>

#include "queue/queue.h"
#include "remote/remote_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_sqs_verdict verdicts[WEIR_QUEUE_BATCH_MAX] = { 0 };
    struct weir_err err = { 0 };
    if (size == 0) {
        return 0;
    }
    size_t count = 1 + data[0] % WEIR_QUEUE_BATCH_MAX;
    struct weir_str answer = weir_str((const char *)data + 1, size - 1);
    weir_sqs_read_answer(answer, verdicts, count);
    for (size_t i = 0; i < WEIR_QUEUE_BATCH_MAX; i++) {
        const struct weir_sqs_verdict *verdict = &verdicts[i];
        bool failed = verdict->failure != WEIR_FAILURE_NONE;
        weir_assert(!verdict->told || i < count);
        weir_assert(verdict->told || !failed);
        weir_assert(failed == (verdict->err.msg[0] != '\0'));
    }
    enum weir_failure_class failure = weir_sqs_read_refusal(answer, 400, WEIR_FAILURE_FINAL, &err);
    weir_assert(failure == WEIR_FAILURE_FINAL || failure == WEIR_FAILURE_BLOCKED);
    weir_assert(err.msg[0] != '\0');
    return 0;
}
