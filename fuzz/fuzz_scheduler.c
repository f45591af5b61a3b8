/*
 * Requests of EventBridge Scheduler: a byte for the method, a line with path and query, the body.
 * What is joined from them can be read, or is refused with a message.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/scheduler_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *operation, struct weir_str body, struct weir_arena *arena)
{
    for (const struct weir_operation *o = weir_scheduler_operations; o->name != NULL; o++) {
        if (strcmp(o->name, operation) != 0) {
            continue;
        }
        void *request = NULL;
        struct weir_str message = { 0 };
        enum weir_wire_fault fault = weir_wire_read(o->shape, body, arena, &request, &message);
        if (fault == WEIR_WIRE_FINE) {
            fault = weir_wire_check(o->shape, request, arena, &message);
        }
        weir_assert(fault == WEIR_WIRE_FINE || message.n > 0);
        return;
    }
    weir_assert(false); /* every route leads to an operation */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *line = size > 1 ? memchr(text + 1, '\n', size - 1) : NULL;
    if (line == NULL) {
        return 0;
    }
    struct weir_str target = weir_str(text + 1, (size_t)(line - text) - 1);
    const char *mark = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    size_t path = mark != NULL ? (size_t)(mark - target.p) : target.n;
    struct weir_http_request http = {
        .method = (enum weir_http_method)(data[0] % (WEIR_HTTP_OPTIONS + 1)),
        .path = weir_str(target.p, path),
        .query = mark != NULL ? weir_str(mark + 1, target.n - path - 1) : WEIR_STR(""),
        .body = weir_str(line + 1, size - (size_t)(line - text) - 1),
    };
    const char *operation = NULL;
    struct weir_str body = { 0 };
    weir_arena_init(&http.arena);
    if (weir_scheduler_read(&http, &operation, &body)) {
        weir_assert(weir_scheduler_is_path(http.path));
        check(operation, body, &http.arena);
    }
    weir_arena_fini(&http.arena);
    return 0;
}
