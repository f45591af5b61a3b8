/*
 * The wire APIs: what SDKs speak to weir.
 *
 * One HTTP handler serves them all. POST / carries AWS's JSON protocol and names its
 * operation in X-Amz-Target, or is a form of SQS's query protocol, which may also go to a
 * queue's own path. Lambda's API has paths of its own (lambda.c), and so has
 * EventBridge Scheduler's (scheduler.c). Other methods and paths go to the
 * routes that the daemon registers. Answers are AWS's, errors included.
 *
 * Without credentials any signature is accepted, and only this machine is served
 * (net/access.h); with them every request must be signed (net/sigv4.h), but for routes that
 * say they are open.
 *
 * Reads are answered at once, on the loop's thread. Writes are transactions: the request
 * is parked, and answered on the loop when the commit thread is done with it. A client that
 * leaves meanwhile gets no answer; its write happens all the same.
 *
 * Threads: everything here belongs to the loop's.
 */
#ifndef WEIR_API_API_H
#define WEIR_API_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "function/function.h"
#include "mapping/mapping.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/sigv4.h"
#include "queue/queue.h"
#include "schedule/schedule.h"
#include "table/table.h"

struct weir_api;

/* What is not an AWS API: the first route whose method and prefix fit gets the request. */
struct weir_api_route {
    enum weir_http_method method;
    struct weir_str prefix; /* of the path */
    void (*handle)(struct weir_http_request *request, void *arg);
    void *arg;
    bool open; /* answered without a signature, also where credentials are configured */
};

/* All borrowed for the life of the API. */
struct weir_api_options {
    struct weir_loop *loop;
    struct weir_tables *tables;
    struct weir_queues *queues;
    struct weir_schedules *schedules;
    struct weir_functions *functions;
    struct weir_mappings *mappings;
    struct weir_outbox *outbox; /* for runs that nobody waits for */
    const struct weir_clock *clock;
    struct weir_metrics *metrics;       /* NULL: none */
    const struct weir_sigv4_keys *keys; /* NULL: no credentials */
    struct weir_str listen; /* the address listened on; for access without credentials */
    const struct weir_api_route *routes;
    size_t route_count;
};

struct weir_api *weir_api_create(const struct weir_api_options *options);

/*
 * Free; NULL is fine. The HTTP server, the store and the loop must have been closed before,
 * in this order, so that no answer is under way any more.
 */
void weir_api_destroy(struct weir_api *api);
WEIR_AUTO_DEFINE(weir_api);

/* The HTTP server's handler; arg is the struct weir_api. */
void weir_api_handle(struct weir_http_request *request, void *arg);

#endif
