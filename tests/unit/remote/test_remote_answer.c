/* What is made of the answers of SendMessageBatch: of good ones, of bad ones, of other things. */
#include "../test.h"
#include "base/mem.h"
#include "remote/remote_int.h"

enum { MESSAGES = 3 };

static struct weir_sqs_verdict verdicts[MESSAGES];

/* Verdicts as one letter a message: sent, final, retryable, blocked, or '-' when nothing is said.
 */
static void expect(const char *answer, bool good, const char *letters)
{
    char seen[MESSAGES + 1] = { 0 };
    memset(verdicts, 0, sizeof(verdicts));
    assert_int_equal(weir_sqs_read_answer(weir_str_z(answer), verdicts, MESSAGES), good);
    for (size_t i = 0; i < MESSAGES; i++) {
        static const char names[] = {
            [WEIR_FAILURE_NONE] = 's',
            [WEIR_FAILURE_FINAL] = 'f',
            [WEIR_FAILURE_RETRYABLE] = 'r',
            [WEIR_FAILURE_BLOCKED] = 'b',
        };
        seen[i] = verdicts[i].told ? names[verdicts[i].failure] : '-';
    }
    assert_string_equal(seen, letters);
}

static void test_each_message_has_its_own_outcome(void **state)
{
    (void)state;
    expect("{\"Successful\":[{\"Id\":\"0\",\"MessageId\":\"m\"},{\"Id\":\"2\"}],"
           "\"Failed\":[{\"Id\":\"1\",\"SenderFault\":true,\"Code\":\"InvalidMessageContents\","
           "\"Message\":\"no\"}]}",
            true, "sfs");
    assert_string_equal(verdicts[1].err.msg, "InvalidMessageContents: no");
    expect("{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":false,\"Code\":\"InternalError\"},"
           "{\"Id\":\"1\",\"SenderFault\":\"false\",\"Code\":\"InternalError\"},"
           "{\"Id\":\"2\",\"SenderFault\":true,\"Code\":\"AWS.SimpleQueueService.KmsThrottled\"}],"
           "\"ResponseMetadata\":{\"a\":[1]}}",
            true, "rrb");
    expect("{\"Successful\":null}", true, "---");
}

static void test_what_is_no_answer_stands_up_to_its_fault(void **state)
{
    (void)state;
    expect("", false, "---");
    expect("[]", false, "---");
    expect("{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"3\"}]}", false, "s--");
    expect("{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"-1\"}]}", false, "s--");
    expect("{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[{\"Id\":\"0\"}]}", false, "s--");
    expect("{\"Successful\":[{\"Id\":0}]}", false, "---");
    expect("{\"Successful\":[{}]}", false, "---");
    expect("{\"Successful\":[{\"Id\":\"1\"},7]}", false, "-s-");
    expect("{\"Successful\":[{\"Id\":\"1\"}", false, "-s-");
}

static void refusal(
        const char *answer, int status, enum weir_failure_class expected, const char *why)
{
    struct weir_err err = { 0 };
    enum weir_failure_class failure =
            weir_sqs_read_refusal(weir_str_z(answer), status, WEIR_FAILURE_FINAL, &err);
    assert_int_equal(failure, expected);
    assert_string_equal(err.msg, why);
}

static void test_a_refusal_is_judged_by_its_name(void **state)
{
    (void)state;
    refusal("{\"__type\":\"com.amazonaws.sqs#BatchRequestTooLong\",\"message\":\"too long\"}", 400,
            WEIR_FAILURE_FINAL, "status 400: BatchRequestTooLong: too long");
    refusal("{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\",\"Message\":\"gone\"}", 400,
            WEIR_FAILURE_BLOCKED, "status 400: QueueDoesNotExist: gone");
    refusal("<html>", 403, WEIR_FAILURE_BLOCKED, "status 403");
    refusal("{\"message\":{}}", 413, WEIR_FAILURE_FINAL, "status 413");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_message_has_its_own_outcome),
        cmocka_unit_test(test_what_is_no_answer_stands_up_to_its_fault),
        cmocka_unit_test(test_a_refusal_is_judged_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
