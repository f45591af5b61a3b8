/*
 * What weir says about itself, and what its own command line asks it:
 *
 *     GET /healthz                        200, or 503 with the reason when writes are refused
 *     GET /metrics                        Prometheus text
 *     GET /v1/status[?lanes=true]         JSON: log, tables, functions, pipelines with lag, lanes
 *     GET /v1/alarms                      JSON: alarms with state, time and reason
 *     GET /v1/schedules[?group=NAME][&prefix=TEXT][&after=PLACE]  JSON: schedules with their next
 *                                         firing, and `next` when there are more
 *     GET /v1/tail?table=NAME[&from=oldest]  a table's records as they come, one JSON line each
 *     GET /v1/dead-letters?pipeline=NAME[&FILTER...][&after=PLACE]  JSON: letters, and `next` when
 *                                         there are more; with sequence=N: that one, whole
 *     POST /v1/dead-letters?pipeline=NAME[&FILTER...][&after=PLACE]  likewise of letters in a file:
 *                                         the body has its lines, here and below; next is after
 *     POST /v1/redrive?pipeline=NAME[&FILTER...][&stale=true][&after=PLACE]  process them again
 *     POST /v1/dead-letters/remove?pipeline=NAME[&FILTER...][&after=PLACE]  delete them
 *     GET /v1/timers[?pipeline=NAME][&step=ID][&key=KEY][&limit=N]  JSON: runs and windows
 *     POST /v1/timers/fire?pipeline=NAME&step=ID[&key=KEY]  it goes on now; /cancel: it never does
 *     POST /v1/rebuild?pipeline=NAME[&prune=true]  make its views anew, while it goes on
 *     POST /v1/replay?pipeline=NAME&from=PLACE[&to=PLACE][&where=PATTERN][&stale=true]  records of
 *                                         the log again; PLACE: a time or a sequence number
 *     POST /v1/cancel?pipeline=NAME       end its rebuild or replay
 *
 * FILTER: sequence, fingerprint, error (part of it), since, until (times of failure), key (DynamoDB
 * JSON).
 *
 * Health and metrics are open; the rest must be signed where credentials are configured.
 * Loop thread only.
 */
#ifndef WEIR_API_ADMIN_H
#define WEIR_API_ADMIN_H

#include "alarm/alarm.h"
#include "api/api.h"
#include "function/function.h"
#include "outbox/outbox.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "schedule/schedule.h"
#include "store/store.h"

struct weir_admin;

/* All borrowed for the life of the admin API. */
struct weir_admin_options {
    struct weir_loop *loop;
    struct weir_store *store;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_schedules *schedules;
    struct weir_functions *functions;
    struct weir_outbox *outbox;
    struct weir_pipelines *pipelines;
    struct weir_alarms *alarms;
    struct weir_metrics *metrics;
};

struct weir_admin *weir_admin_create(const struct weir_admin_options *options);

/* End what streams; the server's stop waits for them otherwise. */
void weir_admin_stop(struct weir_admin *admin);

/* Free; after the loop, which runs the last callbacks. NULL is fine. */
void weir_admin_destroy(struct weir_admin *admin);

/* Its routes, borrowed from it. */
const struct weir_api_route *weir_admin_routes(const struct weir_admin *admin, size_t *ret_count);

#endif
