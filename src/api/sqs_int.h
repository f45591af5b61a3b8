/*
 * Requests of the SQS API as structs, and what its operations share.
 *
 * There is one implementation. The JSON protocol's requests are read into these structs; the
 * older query protocol's forms are turned into the same JSON first, and answers into XML.
 */
#ifndef WEIR_API_SQS_INT_H
#define WEIR_API_SQS_INT_H

#include "api/api_int.h"
#include "queue/queue.h"

/* --- requests: zeroed members are absent ---------------------------------------- */

/* DeleteQueue, PurgeQueue, ListQueueTags. */
struct weir_sqs_queue_request {
    struct weir_str url;
};

struct weir_sqs_create_request {
    struct weir_str name;
    struct weir_item attributes;
    struct weir_item tags;
};

struct weir_sqs_url_request {
    struct weir_str name;
};

struct weir_sqs_get_request {
    struct weir_str url;
    struct weir_wire_list names; /* of struct weir_str */
};

struct weir_sqs_set_request {
    struct weir_str url;
    struct weir_item attributes;
};

/* ListQueues, ListDeadLetterSourceQueues. */
struct weir_sqs_list_request {
    struct weir_str url;
    struct weir_str prefix;
    struct weir_str token;
    struct weir_wire_number max;
};

struct weir_sqs_tag_request {
    struct weir_str url;
    struct weir_item tags;
    struct weir_wire_list keys; /* of struct weir_str */
};

struct weir_sqs_value {
    struct weir_str name;
    struct weir_str type;
    struct weir_str text;
    struct weir_str binary;      /* base64 */
    struct weir_wire_list texts; /* lists, which SQS knows and refuses */
    struct weir_wire_list binaries;
};

/* SendMessage, and an entry of its batch. */
struct weir_sqs_send_request {
    struct weir_str url; /* not in a batch */
    struct weir_str id;  /* in a batch */
    struct weir_str body;
    struct weir_str group;
    struct weir_str dedup;
    struct weir_wire_number delay;
    struct weir_wire_list attributes;        /* of struct weir_sqs_value */
    struct weir_wire_list system_attributes; /* of struct weir_sqs_value */
};

struct weir_sqs_receive_request {
    struct weir_str url;
    struct weir_wire_list attribute_names; /* of struct weir_str, as all lists here */
    struct weir_wire_list system_names;
    struct weir_wire_list message_names;
    struct weir_wire_number max;
    struct weir_wire_number visibility;
    struct weir_wire_number wait;
};

/* DeleteMessage, ChangeMessageVisibility, and an entry of their batches. */
struct weir_sqs_settle_request {
    struct weir_str url;
    struct weir_str id;
    struct weir_str receipt;
    struct weir_wire_number visibility;
};

/* The batches. */
struct weir_sqs_batch_request {
    struct weir_str url;
    struct weir_wire_list entries;
};

extern const struct weir_wire_shape weir_sqs_queue_shape;
extern const struct weir_wire_shape weir_sqs_create_shape;
extern const struct weir_wire_shape weir_sqs_url_shape;
extern const struct weir_wire_shape weir_sqs_get_shape;
extern const struct weir_wire_shape weir_sqs_set_shape;
extern const struct weir_wire_shape weir_sqs_list_shape;
extern const struct weir_wire_shape weir_sqs_tag_shape;
extern const struct weir_wire_shape weir_sqs_send_shape;
extern const struct weir_wire_shape weir_sqs_send_batch_shape;
extern const struct weir_wire_shape weir_sqs_receive_shape;
extern const struct weir_wire_shape weir_sqs_settle_shape;
extern const struct weir_wire_shape weir_sqs_settle_batch_shape;

/* --- operations: struct weir_operation's run --------------------------------------- */

#define WEIR_SQS_RUN(name) \
    enum weir_rc name(struct weir_call *call, void *request, struct weir_err *err)

WEIR_SQS_RUN(weir_sqs_create_queue);
WEIR_SQS_RUN(weir_sqs_delete_queue);
WEIR_SQS_RUN(weir_sqs_get_queue_url);
WEIR_SQS_RUN(weir_sqs_get_attributes);
WEIR_SQS_RUN(weir_sqs_set_attributes);
WEIR_SQS_RUN(weir_sqs_list_queues);
WEIR_SQS_RUN(weir_sqs_list_sources);
WEIR_SQS_RUN(weir_sqs_purge_queue);
WEIR_SQS_RUN(weir_sqs_tag_queue);
WEIR_SQS_RUN(weir_sqs_untag_queue);
WEIR_SQS_RUN(weir_sqs_list_tags);
WEIR_SQS_RUN(weir_sqs_send_message);
WEIR_SQS_RUN(weir_sqs_send_batch);
WEIR_SQS_RUN(weir_sqs_receive_message);
WEIR_SQS_RUN(weir_sqs_delete_message);
WEIR_SQS_RUN(weir_sqs_delete_batch);
WEIR_SQS_RUN(weir_sqs_change_visibility);
WEIR_SQS_RUN(weir_sqs_change_batch);

/* --- errors --------------------------------------------------------------------------- */

/* An error as SQS names it. */
struct weir_sqs_fault {
    const char *name; /* in JSON */
    const char *code; /* in the query protocol, and in batches */
    int status;
};

extern const struct weir_sqs_fault weir_sqs_invalid_value;
extern const struct weir_sqs_fault weir_sqs_missing_parameter;
extern const struct weir_sqs_fault weir_sqs_invalid_attribute_name;
extern const struct weir_sqs_fault weir_sqs_invalid_attribute_value;
extern const struct weir_sqs_fault weir_sqs_empty_batch;
extern const struct weir_sqs_fault weir_sqs_too_many_entries;
extern const struct weir_sqs_fault weir_sqs_ids_not_distinct;
extern const struct weir_sqs_fault weir_sqs_invalid_id;
extern const struct weir_sqs_fault weir_sqs_batch_too_long;

/* What an error of our own is for SQS's clients. */
const struct weir_sqs_fault *weir_sqs_fault_of(enum weir_rc rc);

/* Fail a call with a fault of its own. Errors: WEIR_E_INVALID. */
WEIR_PRINTF(4, 5)
enum weir_rc weir_sqs_fail(struct weir_call *call, struct weir_err *err,
        const struct weir_sqs_fault *fault, const char *fmt, ...);

/* --- shared ----------------------------------------------------------------------------- */

/*
 * The queue of a URL, or of the request's path when that is absent. The call holds it. Errors:
 * WEIR_E_NOT_FOUND, WEIR_E_INVALID (neither).
 */
WEIR_MUST_CHECK enum weir_rc weir_sqs_queue(struct weir_call *call, struct weir_str url,
        const struct weir_queue **ret_queue, struct weir_err *err);

/* The URL of a queue, as this client reaches it. In the call's arena. */
struct weir_str weir_sqs_url(struct weir_call *call, struct weir_str name);

/* Append the MD5 of bytes as a member, in hexadecimal. */
void weir_sqs_write_md5(struct weir_buf *out, const char *name, struct weir_str bytes);

/* Read a queue's attributes into its definition. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_sqs_read_attributes(struct weir_call *call,
        struct weir_item attributes, struct weir_queue *queue, struct weir_err *err);

/* Append "Attributes":{...} of those asked for. Errors: WEIR_E_INVALID (an unknown one). */
WEIR_MUST_CHECK enum weir_rc weir_sqs_write_attributes(struct weir_call *call,
        const struct weir_queue *queue, const struct weir_wire_list *names, struct weir_err *err);

/* --- the query protocol ---------------------------------------------------------------------- */

/*
 * Turn a form into an operation's name and the request as JSON, both in the arena. Errors:
 * WEIR_E_INVALID (percent signs, no Action, nested too deeply), WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_sqs_read_form(struct weir_str form, struct weir_arena *arena,
        struct weir_str *ret_action, struct weir_str *ret_json, struct weir_err *err);

/*
 * Append an answer as XML: of an operation, whose result is JSON. Errors: WEIR_E_INVALID (it is
 * not JSON).
 */
WEIR_MUST_CHECK enum weir_rc weir_sqs_write_xml(struct weir_buf *out, const char *operation,
        struct weir_str json, struct weir_str request_id, struct weir_err *err);

#endif
