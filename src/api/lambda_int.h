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

/* A parameter of the query, decoded; p is NULL without it. */
struct weir_str weir_lambda_parameter(
        const struct weir_http_request *http, struct weir_str name, struct weir_arena *arena);

/*
 * The function's own name in NAME, NAME:QUALIFIER, ACCOUNT:function:NAME or an ARN, with a
 * qualifier or without. Returns the qualifier, empty when there is none.
 */
struct weir_str weir_lambda_name(struct weir_str text, struct weir_str *ret_name);

/* Whether a qualifier, or none, means the one version that there is. */
bool weir_lambda_is_latest(struct weir_str qualifier);

/* lambda_mapping.c: whether a path is about event source mappings; serve such a request. */
bool weir_lambda_is_mapping(struct weir_str path);
void weir_lambda_handle_mapping(struct weir_api *api, struct weir_http_request *http);

#endif
