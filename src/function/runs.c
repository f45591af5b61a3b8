#include "function/runs.h"

#include "base/mem.h"
#include "value/json.h"

enum {
    VERSION = 1,
    CONCURRENCY = 16, /* runs of one function that are handed to its pool at once */
    RETRIES = 2,
    FIRST_PAUSE_MS = 60 * 1000,
    SECOND_PAUSE_MS = 2 * 60 * 1000,
    MAX_AGE_MS = 6 * 3600 * 1000,
    HEAD_BYTES = 1 + sizeof(uint32_t), /* version, length of the client context */
};

/* One run under way. */
struct running {
    struct weir_invocation invocation;
    struct weir_delivery *delivery;
    struct weir_function_runs *runs;
    struct running *next;
    struct running **back;
};

struct weir_function_runs {
    struct weir_functions *functions;
    struct running *all;
};

/* --- payloads ------------------------------------------------------------------------ */

static bool read_payload(
        struct weir_str payload, struct weir_str *ret_client_context, struct weir_str *ret_event)
{
    uint32_t n = 0;
    if (payload.n < HEAD_BYTES || payload.p[0] != VERSION) {
        return false;
    }
    memcpy(&n, payload.p + 1, sizeof(n));
    if (payload.n - HEAD_BYTES < n) {
        return false;
    }
    *ret_client_context = weir_str(payload.p + HEAD_BYTES, n);
    *ret_event = weir_str(payload.p + HEAD_BYTES + n, payload.n - HEAD_BYTES - n);
    return true;
}

enum weir_rc weir_function_run_intent(const struct weir_function_run *run, struct weir_arena *arena,
        struct weir_intent *intent, struct weir_err *err)
{
    struct weir_buf buf;
    uint32_t n = (uint32_t)run->client_context.n;
    weir_buf_init(&buf, WEIR_INTENT_PAYLOAD_MAX_BYTES);
    weir_buf_byte(&buf, VERSION);
    weir_buf_add(&buf, &n, sizeof(n));
    weir_buf_str(&buf, run->client_context);
    weir_buf_str(&buf, run->payload);
    enum weir_rc rc = weir_buf_check(&buf, "a run of a function", err);
    if (rc == WEIR_OK) {
        intent->kind = WEIR_INTENT_FUNCTION;
        intent->target = weir_arena_str(arena, run->model->name);
        intent->id = weir_arena_str(arena, run->id);
        intent->payload = weir_arena_str(arena, weir_buf_view(&buf));
        intent->dead_letter = weir_arena_str(arena, run->model->dead_letter);
        intent->retry = (struct weir_intent_retry){
            .retries = RETRIES,
            .backoff = { .pauses_ms = { FIRST_PAUSE_MS, SECOND_PAUSE_MS }, .count = 2 },
            .max_age_ms = MAX_AGE_MS,
        };
    }
    weir_buf_fini(&buf);
    return rc;
}

/* --- deliveries ---------------------------------------------------------------------- */

static enum weir_failure_class class_of(enum weir_function_outcome outcome)
{
    switch (outcome) {
    case WEIR_FUNCTION_OK:
        return WEIR_FAILURE_NONE;
    case WEIR_FUNCTION_BLOCKED:
        return WEIR_FAILURE_BLOCKED;
    case WEIR_FUNCTION_FINAL:
        return WEIR_FAILURE_FINAL;
    case WEIR_FUNCTION_ERROR:
    case WEIR_FUNCTION_RETRYABLE:
    default:
        return WEIR_FAILURE_RETRYABLE;
    }
}

/* It is over: take it out of the list and tell the outbox. */
static void end(
        struct running *running, enum weir_failure_class failure, const struct weir_err *err)
{
    *running->back = running->next;
    if (running->next != NULL) {
        running->next->back = running->back;
    }
    struct weir_delivery *delivery = running->delivery;
    struct weir_err copy = *err;
    weir_free(running);
    weir_delivery_done(delivery, failure, failure == WEIR_FAILURE_NONE ? NULL : &copy, 0);
}

static void done(struct weir_invocation *invocation)
{
    end(invocation->arg, class_of(invocation->outcome), &invocation->err);
}

static void begin_one(struct weir_function_runs *runs, struct weir_delivery *delivery)
{
    struct weir_str client_context = { 0 };
    struct weir_str event = { 0 };
    if (!read_payload(delivery->payload, &client_context, &event)) {
        struct weir_err err = { 0 };
        weir_fail(&err, WEIR_E_DAMAGED, "the run cannot be read");
        weir_delivery_done(delivery, WEIR_FAILURE_FINAL, &err, 0);
        return;
    }
    struct running *running = weir_alloc_zero(1, sizeof(*running));
    running->delivery = delivery;
    running->runs = runs;
    running->next = runs->all;
    running->back = &runs->all;
    if (running->next != NULL) {
        running->next->back = &running->next;
    }
    runs->all = running;
    running->invocation = (struct weir_invocation){
        .function = delivery->target,
        .payload = event,
        .client_context = client_context,
        .id = delivery->id,
        .done = done,
        .arg = running,
    };
    weir_functions_invoke(runs->functions, &running->invocation);
}

static void begin(void *arg, struct weir_delivery *const *deliveries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        begin_one(arg, deliveries[i]);
    }
}

static void describe(void *arg, struct weir_str payload, struct weir_buf *json)
{
    (void)arg;
    struct weir_str client_context = { 0 };
    struct weir_str event = { 0 };
    if (!read_payload(payload, &client_context, &event)) {
        weir_buf_z(json, "null");
    } else {
        weir_buf_str(json, event.n > 0 ? event : WEIR_STR("{}")); /* was checked to be JSON */
    }
}

/* --- life ---------------------------------------------------------------------------- */

struct weir_function_runs *weir_function_runs_create(
        struct weir_outbox *outbox, struct weir_functions *functions)
{
    struct weir_function_runs *runs = weir_alloc_zero(1, sizeof(*runs));
    runs->functions = functions;
    const struct weir_outbox_kind kind = {
        .name = "function",
        .concurrency = CONCURRENCY,
        .batch = 1,
        .begin = begin,
        .describe = describe,
        .arg = runs,
    };
    weir_outbox_register(outbox, WEIR_INTENT_FUNCTION, &kind);
    return runs;
}

void weir_function_runs_destroy(struct weir_function_runs *runs)
{
    if (runs == NULL) {
        return;
    }
    struct weir_err err = { 0 };
    weir_fail(&err, WEIR_E_CLOSED, "weir is stopping");
    while (runs->all != NULL) {
        weir_functions_cancel(runs->functions, &runs->all->invocation);
        end(runs->all, WEIR_FAILURE_BLOCKED, &err);
    }
    weir_free(runs);
}
