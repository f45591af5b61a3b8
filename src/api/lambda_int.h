/* What the files of Lambda's API share. */
#ifndef WEIR_API_LAMBDA_INT_H
#define WEIR_API_LAMBDA_INT_H

#include "api/api_int.h"

enum { WEIR_LAMBDA_ANSWER_MAX = 16 << 20 }; /* bytes of a body */

/* Answer with JSON; error: the name of the fault, NULL: none. */
void weir_lambda_respond(struct weir_api *api, struct weir_http_request *http, int status,
        const char *error, const struct weir_buf *body);

/* Answer with a fault in AWS's form. */
void weir_lambda_error(struct weir_api *api, struct weir_http_request *http, int status,
        const char *error, struct weir_str message);

/* Undo percent signs; what is not one stays as it is. */
struct weir_str weir_lambda_decode(struct weir_arena *arena, struct weir_str text);

/*
 * The next parameter with a name in what is left of a query, decoded; p is NULL when there is none.
 * The query becomes what is behind it.
 */
struct weir_str weir_lambda_next_parameter(
        struct weir_str *query, struct weir_str name, struct weir_arena *arena);

/* The first parameter with a name, decoded; p is NULL without it. */
struct weir_str weir_lambda_parameter(
        const struct weir_http_request *http, struct weir_str name, struct weir_arena *arena);

/*
 * The function's own name in NAME, NAME:QUALIFIER, ACCOUNT:function:NAME or an ARN, with a
 * qualifier or without. Returns the qualifier, empty when there is none.
 */
struct weir_str weir_lambda_name(struct weir_str text, struct weir_str *ret_name);

/* Whether a qualifier, or none, means the one version that there is. */
bool weir_lambda_is_latest(struct weir_str qualifier);

/* --- lambda_mapping.c ------------------------------------------------------------------------ */

/* Whether a path is about event source mappings; serve such a request. */
bool weir_lambda_is_mapping(struct weir_str path);
void weir_lambda_handle_mapping(struct weir_api *api, struct weir_http_request *http);

/* The ARN of a mapping, in the arena. */
struct weir_str weir_lambda_mapping_arn(
        struct weir_api *api, struct weir_str uuid, struct weir_arena *arena);

/* Read and check a request's body, in its arena. Errors: WEIR_E_INVALID, with what is wrong. */
WEIR_MUST_CHECK enum weir_rc weir_lambda_read(struct weir_http_request *http,
        const struct weir_wire_shape *shape, void **ret_request, struct weir_str *ret_message);

/* Answer with the fault that an error is in Lambda's API. */
void weir_lambda_refuse(struct weir_api *api, struct weir_http_request *http, enum weir_rc rc,
        struct weir_str message);

/* What a client is told when a change is stored. */
typedef void weir_lambda_answer(
        struct weir_api *api, struct weir_http_request *http, const struct weir_mapping_view *view);

/* A change of a mapping that a client waits for; gone when it is answered. */
struct weir_lambda_change {
    struct weir_mapping_change change;
    struct weir_api *api;
    struct weir_http_request *http; /* NULL: the client is gone */
    weir_lambda_answer *answer;
};

/* Before a change is begun. */
struct weir_lambda_change *weir_lambda_change_begin(
        struct weir_api *api, struct weir_http_request *http, weir_lambda_answer *answer);

/* After that: it is under way, or was refused at once, which is answered with the message. */
void weir_lambda_change_begun(
        struct weir_lambda_change *change, enum weir_rc rc, struct weir_str message);

/* --- lambda_tag.c ---------------------------------------------------------------------------- */

/* Whether a path is about tags of resources of Lambda; serve such a request. */
bool weir_lambda_is_tags(struct weir_str path);
void weir_lambda_handle_tags(struct weir_api *api, struct weir_http_request *http);

#endif
