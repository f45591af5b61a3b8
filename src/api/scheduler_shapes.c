/* The members of EventBridge Scheduler's requests, with AWS's constraints. */
#include "api/scheduler_int.h"

/* --- patterns ------------------------------------------------------------------------ */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters, digits and some more. */
static bool consists_of(struct weir_str text, const char *more)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!is_letter(c) && !is_digit(c) && (c == '\0' || strchr(more, c) == NULL)) {
            return false;
        }
    }
    return text.n > 0;
}

static bool fits_name(struct weir_str text)
{
    return consists_of(text, "-_.");
}

static bool fits_prefix(struct weir_str text)
{
    return consists_of(text, "-_") && is_letter(text.p[0]);
}

static bool fits_token(struct weir_str text)
{
    return consists_of(text, "-_");
}

/* The part of an ARN up to the next colon, which is taken away. */
static struct weir_str take_part(struct weir_str *arn)
{
    const char *colon = arn->n > 0 ? memchr(arn->p, ':', arn->n) : NULL;
    size_t n = colon != NULL ? (size_t)(colon - arn->p) : arn->n;
    struct weir_str part = weir_str(arn->p, n);
    size_t taken = colon != NULL ? n + 1 : n;
    *arn = weir_str(arn->p + taken, arn->n - taken);
    return part;
}

static bool is_account(struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_digit(text.p[i])) {
            return false;
        }
    }
    return text.n == 12;
}

/* arn:aws:SERVICE:REGION:ACCOUNT: and what is behind. */
static bool split_arn(
        struct weir_str arn, struct weir_str service, bool region, struct weir_str *ret_rest)
{
    bool right = weir_str_eq(take_part(&arn), WEIR_STR("arn")) &&
                 weir_str_starts(take_part(&arn), WEIR_STR("aws")) &&
                 weir_str_eq(take_part(&arn), service) && (take_part(&arn).n > 0) == region &&
                 is_account(take_part(&arn));
    *ret_rest = arn;
    return right;
}

static bool fits_role(struct weir_str text)
{
    struct weir_str rest;
    return split_arn(text, WEIR_STR("iam"), false, &rest) &&
           weir_str_starts(rest, WEIR_STR("role/")) &&
           consists_of(weir_str(rest.p + 5, rest.n - 5), "+=,.@-_/");
}

static bool fits_queue(struct weir_str text)
{
    struct weir_str rest;
    return split_arn(text, WEIR_STR("sqs"), true, &rest) && consists_of(rest, "-_");
}

static bool fits_group_arn(struct weir_str text)
{
    static const struct weir_str head = { "schedule-group/", 15 };
    struct weir_str rest;
    return split_arn(text, WEIR_STR("scheduler"), true, &rest) && weir_str_starts(rest, head) &&
           fits_name(weir_str(rest.p + head.n, rest.n - head.n));
}

static const struct weir_wire_pattern name_pattern = { "^[0-9a-zA-Z-_.]+$", fits_name };
static const struct weir_wire_pattern prefix_pattern = { "^[a-zA-Z][0-9a-zA-Z-_]*$", fits_prefix };
static const struct weir_wire_pattern token_pattern = { "^[a-zA-Z0-9-_]+$", fits_token };
static const struct weir_wire_pattern role_pattern = {
    "^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/(service-role\\/){0,1}[a-zA-Z0-9\\+=,\\.@\\-_]+$",
    fits_role
};
static const struct weir_wire_pattern queue_pattern = {
    "^arn:aws(-[a-z]+)?:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+$", fits_queue
};
static const struct weir_wire_pattern group_arn_pattern = {
    "^arn:aws(-[a-z]+)?:scheduler:[a-z0-9\\-]+:\\d{12}:schedule-group\\/[0-9a-zA-Z-_.]+$",
    fits_group_arn
};

/* --- members -------------------------------------------------------------------------- */

#define AT(structure, field) offsetof(struct structure, field)
#define END          \
    {                \
        .name = NULL \
    }
#define SHAPE(shape, type, ...)                                                          \
    static const struct weir_wire_member shape##_members[] = { __VA_ARGS__, END };       \
    const struct weir_wire_shape weir_scheduler_##shape##_shape = { sizeof(struct type), \
        shape##_members }

/* A shape of this file only. */
#define INNER(shape, type, ...)                                                    \
    static const struct weir_wire_member shape##_members[] = { __VA_ARGS__, END }; \
    static const struct weir_wire_shape shape##_shape = { sizeof(struct type), shape##_members }

INNER(window, weir_scheduler_window,
        { "Mode", WEIR_WIRE_STRING, .offset = AT(weir_scheduler_window, mode), .required = true,
                .values = "[OFF, FLEXIBLE]" },
        { "MaximumWindowInMinutes", WEIR_WIRE_NUMBER, .offset = AT(weir_scheduler_window, minutes),
                .min = 1, .max = 1440 });
INNER(retry, weir_scheduler_retry,
        { "MaximumEventAgeInSeconds", WEIR_WIRE_NUMBER, .offset = AT(weir_scheduler_retry, age),
                .min = 60, .max = 86400 },
        { "MaximumRetryAttempts", WEIR_WIRE_NUMBER, .offset = AT(weir_scheduler_retry, attempts),
                .min = 0, .max = 185 });
INNER(letters, weir_scheduler_letters,
        { "Arn", WEIR_WIRE_STRING, .offset = AT(weir_scheduler_letters, arn), .min = 1, .max = 1600,
                .pattern = &queue_pattern });
INNER(sqs, weir_scheduler_sqs,
        { "MessageGroupId", WEIR_WIRE_STRING, .offset = AT(weir_scheduler_sqs, group), .min = 1,
                .max = 128 });

#define TARGET(field) AT(weir_scheduler_target, field)
INNER(target, weir_scheduler_target,
        { "Arn", WEIR_WIRE_STRING, .offset = TARGET(arn), .required = true, .min = 1, .max = 1600 },
        { "RoleArn", WEIR_WIRE_STRING, .offset = TARGET(role), .required = true, .min = 1,
                .max = 1600, .pattern = &role_pattern },
        { "Input", WEIR_WIRE_STRING, .offset = TARGET(input), .min = 1,
                .max = WEIR_SCHEDULE_INPUT_MAX_BYTES },
        { "RetryPolicy", WEIR_WIRE_STRUCT, .offset = TARGET(retry), .shape = &retry_shape },
        { "DeadLetterConfig", WEIR_WIRE_STRUCT, .offset = TARGET(letters),
                .shape = &letters_shape },
        { "SqsParameters", WEIR_WIRE_STRUCT, .offset = TARGET(sqs), .shape = &sqs_shape },
        { "EcsParameters", WEIR_WIRE_REFUSED, .offset = TARGET(refused) },
        { "EventBridgeParameters", WEIR_WIRE_REFUSED, .offset = TARGET(refused) },
        { "KinesisParameters", WEIR_WIRE_REFUSED, .offset = TARGET(refused) },
        { "SageMakerPipelineParameters", WEIR_WIRE_REFUSED, .offset = TARGET(refused) });

#define PUT(field) AT(weir_scheduler_put_request, field)
SHAPE(put, weir_scheduler_put_request,
        { "Name", WEIR_WIRE_STRING, .offset = PUT(name), .required = true, .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "GroupName", WEIR_WIRE_STRING, .offset = PUT(group), .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "Description", WEIR_WIRE_STRING, .offset = PUT(description), .min = 0, .max = 512 },
        { "ScheduleExpression", WEIR_WIRE_STRING, .offset = PUT(expression), .required = true,
                .min = 1, .max = 256 },
        { "ScheduleExpressionTimezone", WEIR_WIRE_STRING, .offset = PUT(zone), .min = 1,
                .max = 50 },
        { "StartDate", WEIR_WIRE_TIME, .offset = PUT(start) },
        { "EndDate", WEIR_WIRE_TIME, .offset = PUT(end) },
        { "State", WEIR_WIRE_STRING, .offset = PUT(state), .values = "[ENABLED, DISABLED]" },
        { "ActionAfterCompletion", WEIR_WIRE_STRING, .offset = PUT(after),
                .values = "[NONE, DELETE]" },
        { "ClientToken", WEIR_WIRE_STRING, .offset = PUT(token), .min = 1, .max = 64,
                .pattern = &token_pattern },
        { "KmsKeyArn", WEIR_WIRE_REFUSED, .offset = PUT(kms) },
        { "FlexibleTimeWindow", WEIR_WIRE_STRUCT, .offset = PUT(window), .shape = &window_shape,
                .required = true },
        { "Target", WEIR_WIRE_STRUCT, .offset = PUT(target), .shape = &target_shape,
                .required = true });

#define NAME(field) AT(weir_scheduler_name_request, field)
SHAPE(name, weir_scheduler_name_request,
        { "Name", WEIR_WIRE_STRING, .offset = NAME(name), .required = true, .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "GroupName", WEIR_WIRE_STRING, .offset = NAME(group), .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "ClientToken", WEIR_WIRE_STRING, .offset = NAME(token), .min = 1, .max = 64,
                .pattern = &token_pattern });

#define LIST(field) AT(weir_scheduler_list_request, field)
SHAPE(list, weir_scheduler_list_request,
        { "GroupName", WEIR_WIRE_STRING, .offset = LIST(group), .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "NamePrefix", WEIR_WIRE_STRING, .offset = LIST(prefix), .min = 1, .max = 64,
                .pattern = &prefix_pattern },
        { "State", WEIR_WIRE_STRING, .offset = LIST(state), .values = "[ENABLED, DISABLED]" },
        { "NextToken", WEIR_WIRE_STRING, .offset = LIST(next), .min = 1, .max = 2048 },
        { "MaxResults", WEIR_WIRE_NUMBER, .offset = LIST(max), .min = 1, .max = 100 });

#define TAG(field) AT(weir_scheduler_tag, field)
INNER(tag_element, weir_scheduler_tag,
        { "Key", WEIR_WIRE_STRING, .offset = TAG(key), .required = true, .min = 1, .max = 128 },
        { "Value", WEIR_WIRE_STRING, .offset = TAG(value), .required = true, .min = 1,
                .max = 256 });

#define GROUP(field) AT(weir_scheduler_group_request, field)
SHAPE(group, weir_scheduler_group_request,
        { "Name", WEIR_WIRE_STRING, .offset = GROUP(name), .required = true, .min = 1, .max = 64,
                .pattern = &name_pattern },
        { "ClientToken", WEIR_WIRE_STRING, .offset = GROUP(token), .min = 1, .max = 64,
                .pattern = &token_pattern },
        { "Tags", WEIR_WIRE_LIST, .offset = GROUP(tags), .shape = &tag_element_shape, .min = 0,
                .max = 200 });

#define TAGS(field) AT(weir_scheduler_tag_request, field)
#define ARN_MEMBER                                                                        \
    {                                                                                     \
        "ResourceArn", WEIR_WIRE_STRING, .offset = TAGS(arn), .required = true, .min = 1, \
                                         .max = 1011, .pattern = &group_arn_pattern       \
    }
SHAPE(tag, weir_scheduler_tag_request, ARN_MEMBER,
        { "Tags", WEIR_WIRE_LIST, .offset = TAGS(tags), .shape = &tag_element_shape,
                .required = true, .min = 0, .max = 200 });
SHAPE(untag, weir_scheduler_tag_request, ARN_MEMBER,
        { "TagKeys", WEIR_WIRE_STRINGS, .offset = TAGS(keys), .required = true, .min = 0,
                .max = 200 });
SHAPE(tags, weir_scheduler_tag_request, ARN_MEMBER);
