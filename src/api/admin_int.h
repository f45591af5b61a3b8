/* What the files of the admin API share. */
#ifndef WEIR_API_ADMIN_INT_H
#define WEIR_API_ADMIN_INT_H

#include "base/buf.h"
#include "net/http.h"

struct weir_pipelines;

enum { WEIR_ADMIN_ANSWER_MAX_BYTES = 64 * 1024 * 1024 };

/* Answer with a body of a type, or as JSON; with an error, its name and status. */
void weir_admin_respond(struct weir_http_request *request, int status, const char *type,
        const struct weir_buf *body);
void weir_admin_respond_json(struct weir_http_request *request, const struct weir_buf *body);
void weir_admin_respond_error(struct weir_http_request *request, const struct weir_err *err);

/* A parameter of the query, decoded into the request's arena; empty: it is not there, or cannot be
 * decoded. */
struct weir_str weir_admin_parameter(struct weir_http_request *request, const char *name);

/* admin_letters.c: handlers; arg is the struct weir_pipelines. */
void weir_admin_letters(struct weir_http_request *request, void *arg);
void weir_admin_redrive(struct weir_http_request *request, void *arg);
void weir_admin_remove_letters(struct weir_http_request *request, void *arg);

/* admin_schedules.c: a handler; arg is the struct weir_schedules. */
void weir_admin_schedules(struct weir_http_request *request, void *arg);

/* admin_timers.c: handlers; arg is the struct weir_pipelines. */
void weir_admin_timers(struct weir_http_request *request, void *arg);
void weir_admin_fire_timers(struct weir_http_request *request, void *arg);
void weir_admin_cancel_timers(struct weir_http_request *request, void *arg);

/* admin_jobs.c: arg is the struct weir_pipelines. */
void weir_admin_rebuild(struct weir_http_request *request, void *arg);
void weir_admin_replay(struct weir_http_request *request, void *arg);
void weir_admin_cancel(struct weir_http_request *request, void *arg);

#endif
