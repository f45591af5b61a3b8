/* Answers of SendMessageBatch, which come from elsewhere: nothing in them is taken for granted. */
#include "base/arena.h"
#include "remote/remote_int.h"
#include "value/json.h"

enum { JSON_DEPTH = 16 };

static bool ends_with(struct weir_str text, const char *end)
{
    struct weir_str tail = weir_str_z(end);
    return text.n >= tail.n && memcmp(text.p + text.n - tail.n, tail.p, tail.n) == 0;
}

/* The class of an error of AWS by its name: what is wrong with us or the queue, not the message. */
static bool blocks(struct weir_str code)
{
    static const char *const names[] = { "QueueDoesNotExist", "NonExistentQueue", "AccessDenied",
        "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException",
        "SignatureDoesNotMatch", "ExpiredTokenException", "MissingAuthenticationTokenException",
        "IncompleteSignatureException", "InvalidClientTokenId", "ThrottlingException", "Throttling",
        "RequestThrottled", "OverLimit", "QueueDeletedRecently", "KmsThrottled", "KmsAccessDenied",
        "KmsDisabled" };
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (ends_with(code, names[i])) {
            return true;
        }
    }
    return false;
}

/* A member of an answer's top level, or of an entry: texts, true and false as texts. */
struct member {
    const char *name;
    struct weir_str text;
};

/* Read an object whose '{' was taken into the members that are asked for. */
static bool read_object(struct weir_json *json, struct member *members, size_t count)
{
    for (;;) {
        enum weir_json_token token = weir_json_next(json);
        if (token != WEIR_JSON_NAME) {
            return token == WEIR_JSON_OBJECT_END;
        }
        struct member *wanted = NULL;
        for (size_t i = 0; i < count; i++) {
            if (weir_str_eq(json->text, weir_str_z(members[i].name))) {
                wanted = &members[i];
            }
        }
        token = weir_json_next(json);
        if (wanted != NULL && token == WEIR_JSON_STRING) {
            wanted->text = json->text;
        } else if (wanted != NULL && token == WEIR_JSON_TRUE) {
            wanted->text = WEIR_STR("true");
        } else if (weir_json_skip(json, token, NULL) != WEIR_OK) {
            return false;
        }
    }
}

/* One entry of Successful or Failed. */
static bool take_entry(
        struct weir_json *json, bool failed, struct weir_sqs_verdict *verdicts, size_t count)
{
    struct member members[] = { { "Id", { 0 } }, { "SenderFault", { 0 } }, { "Code", { 0 } },
        { "Message", { 0 } } };
    uint64_t id = 0;
    if (!read_object(json, members, WEIR_COUNT(members)) ||
            !weir_str_to_u64(members[0].text, &id) || id >= count || verdicts[id].told) {
        return false;
    }
    struct weir_sqs_verdict *verdict = &verdicts[id];
    verdict->told = true;
    if (failed) {
        weir_fail(&verdict->err, WEIR_E_IO, "%.*s: %.*s", WEIR_STR_ARG(members[2].text),
                WEIR_STR_ARG(members[3].text));
        verdict->failure = blocks(members[2].text) ? WEIR_FAILURE_BLOCKED
                           : weir_str_eq(members[1].text, WEIR_STR("true"))
                                   ? WEIR_FAILURE_FINAL
                                   : WEIR_FAILURE_RETRYABLE;
    }
    return true;
}

static bool take_answer(struct weir_json *json, struct weir_sqs_verdict *verdicts, size_t count)
{
    if (weir_json_next(json) != WEIR_JSON_OBJECT) {
        return false;
    }
    for (;;) {
        enum weir_json_token token = weir_json_next(json);
        if (token != WEIR_JSON_NAME) {
            return token == WEIR_JSON_OBJECT_END;
        }
        bool failed = weir_str_eq(json->text, WEIR_STR("Failed"));
        bool list = failed || weir_str_eq(json->text, WEIR_STR("Successful"));
        token = weir_json_next(json);
        if (!list || token != WEIR_JSON_ARRAY) {
            if (weir_json_skip(json, token, NULL) != WEIR_OK) {
                return false;
            }
            continue;
        }
        for (token = weir_json_next(json); token == WEIR_JSON_OBJECT;
                token = weir_json_next(json)) {
            if (!take_entry(json, failed, verdicts, count)) {
                return false;
            }
        }
        if (token != WEIR_JSON_ARRAY_END) {
            return false;
        }
    }
}

bool weir_sqs_read_answer(struct weir_str answer, struct weir_sqs_verdict *verdicts, size_t count)
{
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, answer, &arena, JSON_DEPTH);
    bool good = take_answer(&json, verdicts, count);
    weir_arena_fini(&arena);
    return good;
}

enum weir_failure_class weir_sqs_read_refusal(struct weir_str answer, int status,
        enum weir_failure_class status_class, struct weir_err *err)
{
    struct member members[] = { { "__type", { 0 } }, { "message", { 0 } }, { "Message", { 0 } } };
    struct weir_arena arena;
    struct weir_json json;
    weir_arena_init(&arena);
    weir_json_init(&json, answer, &arena, JSON_DEPTH);
    if (weir_json_next(&json) == WEIR_JSON_OBJECT) {
        read_object(&json, members, WEIR_COUNT(members));
    }
    struct weir_str code = members[0].text;
    const char *hash = code.n > 0 ? memchr(code.p, '#', code.n) : NULL;
    if (hash != NULL) {
        code = weir_str(hash + 1, code.n - (size_t)(hash + 1 - code.p));
    }
    struct weir_str said = members[1].text.n > 0 ? members[1].text : members[2].text;
    weir_fail(err, WEIR_E_IO, "status %d%s%.*s%s%.*s", status, code.n > 0 ? ": " : "",
            WEIR_STR_ARG(code), said.n > 0 ? ": " : "", WEIR_STR_ARG(said));
    bool blocked = status == 401 || status == 403 || blocks(code);
    weir_arena_fini(&arena);
    return blocked ? WEIR_FAILURE_BLOCKED : status_class;
}
