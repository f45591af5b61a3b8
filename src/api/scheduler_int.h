/* What the files of the EventBridge Scheduler API share: requests as they are read. */
#ifndef WEIR_API_SCHEDULER_INT_H
#define WEIR_API_SCHEDULER_INT_H

#include "api/api_int.h"

/* Whether a path is one of the Scheduler's. */
bool weir_scheduler_is_path(struct weir_str path);

/*
 * The operation that a request's method and path name, and its body with what path and query say
 * as members of it; false: there is no such operation. Both are the request's.
 */
bool weir_scheduler_read(
        struct weir_http_request *http, const char **ret_operation, struct weir_str *ret_body);

/* --- requests ----------------------------------------------------------------------------- */

struct weir_scheduler_window {
    struct weir_str mode;
    struct weir_wire_number minutes;
};

struct weir_scheduler_retry {
    struct weir_wire_number age;
    struct weir_wire_number attempts;
};

struct weir_scheduler_letters {
    struct weir_str arn;
};

struct weir_scheduler_sqs {
    struct weir_str group;
};

struct weir_scheduler_target {
    struct weir_str arn;
    struct weir_str role;
    struct weir_str input;
    struct weir_scheduler_retry *retry;
    struct weir_scheduler_letters *letters;
    struct weir_scheduler_sqs *sqs;
    struct weir_str refused; /* parameters of other targets */
};

struct weir_scheduler_put_request {
    struct weir_str name;
    struct weir_str group;
    struct weir_str description;
    struct weir_str expression;
    struct weir_str zone;
    struct weir_wire_time start;
    struct weir_wire_time end;
    struct weir_str state;
    struct weir_str after;
    struct weir_str token;
    struct weir_str kms;
    struct weir_scheduler_window *window;
    struct weir_scheduler_target *target;
};

/* Of a schedule or, without a group's name, of a group. */
struct weir_scheduler_name_request {
    struct weir_str name;
    struct weir_str group;
    struct weir_str token;
};

struct weir_scheduler_list_request {
    struct weir_str group;
    struct weir_str prefix;
    struct weir_str state;
    struct weir_str next;
    struct weir_wire_number max;
};

struct weir_scheduler_tag {
    struct weir_str key;
    struct weir_str value;
};

struct weir_scheduler_group_request {
    struct weir_str name;
    struct weir_str token;
    struct weir_wire_list tags; /* of struct weir_scheduler_tag */
};

struct weir_scheduler_tag_request {
    struct weir_str arn;
    struct weir_wire_list tags; /* of struct weir_scheduler_tag */
    struct weir_wire_list keys; /* of struct weir_str */
};

extern const struct weir_wire_shape weir_scheduler_put_shape;
extern const struct weir_wire_shape weir_scheduler_name_shape;
extern const struct weir_wire_shape weir_scheduler_list_shape;
extern const struct weir_wire_shape weir_scheduler_group_shape;
extern const struct weir_wire_shape weir_scheduler_tag_shape;
extern const struct weir_wire_shape weir_scheduler_untag_shape;
extern const struct weir_wire_shape weir_scheduler_tags_shape;

/* --- operations --------------------------------------------------------------------------- */

enum weir_rc weir_scheduler_create(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_update(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_get(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_delete(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_list(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_create_group(
        struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_get_group(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_delete_group(
        struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_list_groups(
        struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_tag(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_untag(struct weir_call *call, void *request, struct weir_err *err);
enum weir_rc weir_scheduler_tags(struct weir_call *call, void *request, struct weir_err *err);

/* --- shared --------------------------------------------------------------------------------- */

/* Fail where something would change what weir.yaml defines. Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_scheduler_refuse_files(
        struct weir_str group, struct weir_err *err);

/*
 * Whether the deletion that a token belongs to was done already, within the last minutes; if
 * not, the call's transaction remembers it. `what` tells deletions apart. Errors: WEIR_E_IO,
 * WEIR_E_DAMAGED.
 */
WEIR_MUST_CHECK enum weir_rc weir_scheduler_once(struct weir_call *call, struct weir_str token,
        struct weir_str what, bool *ret_done, struct weir_err *err);

/* A token for the next page: what it begins behind. Errors: WEIR_E_INVALID. */
void weir_scheduler_write_next(struct weir_call *call, struct weir_str behind);
WEIR_MUST_CHECK enum weir_rc weir_scheduler_read_next(struct weir_call *call, struct weir_str token,
        struct weir_str *ret_behind, struct weir_err *err);

#endif
