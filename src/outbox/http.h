/*
 * Intents that are POSTs. A lane is a server (scheme, host and port), so that paths and what may
 * be secret in a URL show neither in status nor in metrics.
 *
 * A delivery is one request with the intent's id in the header Idempotency-Key. Any 2xx answer
 * means delivered; the other outcomes have the classes of weir_http_call_class.
 */
#ifndef WEIR_OUTBOX_HTTP_H
#define WEIR_OUTBOX_HTTP_H

#include "net/http_client.h"
#include "outbox/outbox.h"

struct weir_outbox_http;

/* Deliver WEIR_INTENT_HTTP of an outbox with a client; both are borrowed. */
struct weir_outbox_http *weir_outbox_http_create(
        struct weir_outbox *outbox, struct weir_http_client *client);

/* The client must have been destroyed, and with it the calls. NULL is fine. */
void weir_outbox_http_destroy(struct weir_outbox_http *http);

struct weir_outbox_post {
    struct weir_str url;
    const struct weir_http_header *headers; /* Content-Type is application/json unless given */
    size_t header_count;
    struct weir_str body;
    uint32_t timeout_ms; /* of each attempt; 0: 30 s */
};

/*
 * Make a POST an intent: sets its kind, its target and its payload, which are the arena's; the
 * rest is the caller's. Errors: WEIR_E_INVALID, WEIR_E_UNSUPPORTED (the URL).
 */
WEIR_MUST_CHECK enum weir_rc weir_outbox_post_intent(const struct weir_outbox_post *post,
        struct weir_arena *arena, struct weir_intent *intent, struct weir_err *err);

#endif
