/* What the files of api/ share: calls, operations, and how they end. */
#ifndef WEIR_API_API_INT_H
#define WEIR_API_API_INT_H

#include "api/api.h"
#include "api/wire.h"
#include "base/random.h"

struct weir_call;

/*
 * Undo the encoding of a form's or query's text: '+' and '%' with two digits. Errors:
 * WEIR_E_INVALID with the position.
 */
WEIR_MUST_CHECK enum weir_rc weir_form_decode(struct weir_str text, struct weir_arena *arena,
        struct weir_str *ret_text, struct weir_err *err);

/* One operation of a wire API. */
struct weir_operation {
    const char *name; /* NULL ends a table */
    const struct weir_wire_shape *shape;
    /*
     * Answer a request that was read and checked: write the body into call->out, or hand
     * the call's transaction on with weir_call_submit. NULL: known, but not offered.
     */
    enum weir_rc (*run)(struct weir_call *call, void *request, struct weir_err *err);
    bool writes; /* the call has a transaction, and the request lives in its arena */
    bool items;  /* about items: a missing table is not named in the error, as on AWS */
};

/* How the answers of a protocol look; NULL where one is chosen: DynamoDB's. */
struct weir_protocol {
    void (*answer)(struct weir_call *call); /* call->out, with status 200 */
    void (*error)(struct weir_call *call, enum weir_rc rc, struct weir_str message);
    /* The request cannot be read; type is AWS's name for that. */
    void (*refuse)(struct weir_call *call, const char *type, struct weir_str message);
};

/* A request of a wire API under way. A write's lives in its transaction's arena. */
struct weir_call {
    struct weir_api *api;
    struct weir_http_request *http; /* NULL once the client is gone */
    const struct weir_operation *operation;
    size_t number; /* of the operation, for its counter */
    uint64_t started_ns;
    struct weir_arena *arena;
    struct weir_buf *out;     /* the answer's body; the API's, for the time of one callback */
    struct weir_txn *txn;     /* writes only; owned */
    struct weir_txn *current; /* the one submitted: txn, or a further one of a batch */
    bool submitted;
    struct weir_post post;  /* brings the outcome back to the loop */
    struct weir_held *held; /* references to tables */
    void *request;
    struct weir_item error_item; /* goes into a failed condition's answer; empty: none */
    enum weir_rc (*committed)(struct weir_call *call, struct weir_err *err);
    const struct weir_table *table; /* the operation's own, for committed, as state */
    void *state;
    const struct weir_protocol *protocol; /* NULL: DynamoDB's */
    struct weir_str body;                 /* JSON */
    bool form;                            /* SQS: the request was a form, and XML is the answer */
    const struct weir_sqs_fault *fault;   /* SQS: what to name the error; NULL: by its code */
};

struct weir_api {
    struct weir_api_options options;
    struct weir_random random; /* for request ids */
    struct weir_buf out;
    struct weir_counter **counters; /* by operation */
    size_t counter_count;
    struct weir_histogram *seconds;
};

/* Give out a table for the time of the call. Errors: WEIR_E_NOT_FOUND. */
WEIR_MUST_CHECK enum weir_rc weir_call_table(struct weir_call *call, struct weir_str name,
        const struct weir_table **ret_table, struct weir_err *err);

/* Hold a reference that the call gives back when it ends. */
void weir_call_hold(struct weir_call *call, const struct weir_table *table);

/* As weir_call_hold, of a queue. */
struct weir_queue;
void weir_call_hold_queue(struct weir_call *call, const struct weir_queue *queue);

/*
 * Answer later without a transaction: on_gone is called when the client leaves before. The
 * call must live in memory of its own, as those that write do.
 */
void weir_call_park(struct weir_call *call, void (*on_gone)(struct weir_http_request *request));

/* A parked call goes on: the answer may be written into call->out, and weir_call_end follows. */
void weir_call_resume(struct weir_call *call);

/* Send what call->out holds, or the error, unless the client is gone; the call is no more. */
void weir_call_end(struct weir_call *call, enum weir_rc rc, struct weir_err *err);

/* A new request id, in the arena. */
struct weir_str weir_call_request_id(struct weir_api *api, struct weir_arena *arena);

/*
 * Submit the call's transaction, or a further one that is taken, and park the request.
 * committed runs on the loop when the outcome is known, with the transaction's error in err,
 * and answers like an operation's run; when the transaction failed, it returns
 * call->current->rc. It may submit again instead of answering. It does not run once the
 * client is gone.
 */
void weir_call_submit(struct weir_call *call, struct weir_txn *txn,
        enum weir_rc (*committed)(struct weir_call *call, struct weir_err *err));

/* Append "name": to an object being written, with a comma unless it is the first member. */
void weir_out_name(struct weir_buf *out, const char *name);

/* Append "name":"text", "name":number, "name":true. */
void weir_out_text(struct weir_buf *out, const char *name, struct weir_str text);
void weir_out_number(struct weir_buf *out, const char *name, uint64_t number);
void weir_out_bool(struct weir_buf *out, const char *name, bool value);

/* A time in seconds with milliseconds, as AWS writes it: "name":1700000000.123 */
void weir_out_time(struct weir_buf *out, const char *name, struct weir_time time);

/* The operations of the protocols, each table with an end. */
extern const struct weir_operation weir_ddb_operations[];
extern const struct weir_operation weir_streams_operations[];
extern const struct weir_operation weir_sqs_operations[];
extern const struct weir_operation weir_scheduler_operations[];

extern const struct weir_protocol weir_sqs_protocol;
extern const struct weir_protocol weir_scheduler_protocol;

/* Whether a path is one of Lambda's API; serve a request to it that was let in. */
bool weir_lambda_is_path(struct weir_str path);
void weir_lambda_handle(struct weir_api *api, struct weir_http_request *http);

/* Whether a path is a queue's: /ACCOUNT/NAME. */
bool weir_sqs_is_path(struct weir_str path);

#endif
