/* Operations whose APIs have methods and paths, as requests: EventBridge Scheduler's and Lambda's.
 */
#ifndef WEIR_SCENARIO_ROUTE_H
#define WEIR_SCENARIO_ROUTE_H

#include "base/arena.h"
#include "net/http.h"

/*
 * Give a request what its operation needs, when target ("Scheduler.GetSchedule", "Lambda.Invoke")
 * names one of these APIs: method, path, query, and of Invoke the payload as its body and one more
 * header. headers: the request's, with room for that. Any other request stays as it is.
 * What is made is the arena's.
 */
void weir_route(struct weir_http_request *request, struct weir_http_header *headers,
        struct weir_str target, struct weir_arena *arena);

/* The answer's body as an SDK gives it: of Invoke a map with the payload in it. In the arena. */
struct weir_str weir_route_answer(struct weir_str target, int status,
        const struct weir_http_header *headers, size_t count, struct weir_str body,
        struct weir_arena *arena);

#endif
