/* What the files of function/ share: functions, their instances, and how these meet. */
#ifndef WEIR_FUNCTION_FUNCTION_INT_H
#define WEIR_FUNCTION_FUNCTION_INT_H

#include "base/buf.h"
#include "function/function.h"
#include "net/child.h"
#include "net/http.h"

enum { WEIR_FUNCTION_LINE_MAX = 16 * 1024 }; /* longer lines of output are cut in pieces */

/* Where an invocation is. */
enum weir_invocation_phase {
    WEIR_INVOCATION_WAITING,  /* in its function's queue; place: struct weir_function */
    WEIR_INVOCATION_REMOTE,   /* somewhere else; place: struct weir_remote_call */
    WEIR_INVOCATION_STAND_IN, /* at a stand-in; place: struct weir_stand_in_call */
    WEIR_INVOCATION_RUNNING,  /* at an instance; place: struct weir_instance */
    WEIR_INVOCATION_REFUSED,  /* among those that are told soon */
};

/*
 *     state      begins with                       ends with
 *     STARTING   start                             the first request for an event, or its end
 *     IDLE       a request for an event            an event, the idle time, stop
 *     BUSY       an event                          an answer, the time-out, its end
 *     ANSWERED   an answer                         the next request for an event, the time-out
 *     STOPPING   SIGTERM or kill                   its end
 */
enum weir_instance_state {
    WEIR_INSTANCE_STARTING,
    WEIR_INSTANCE_IDLE,
    WEIR_INSTANCE_BUSY,
    WEIR_INSTANCE_ANSWERED,
    WEIR_INSTANCE_STOPPING,
};

/* One process of a function. */
struct weir_instance {
    struct weir_function *function;
    struct weir_instance *next; /* of the function's */
    struct weir_instance **back;
    struct weir_instance *next_idle; /* became idle before this one */
    enum weir_instance_state state;
    uint64_t number;
    struct weir_child *child;
    struct weir_http_server *server;
    struct weir_http_request *parked; /* its request for an event */
    struct weir_loop_timer timer;     /* STARTING, BUSY, ANSWERED: time-out; IDLE: idle time;
                                         STOPPING: until it is killed */
    struct weir_loop_timer memory_timer;
    char *cgroup; /* that limits its memory; NULL: that is watched, or not limited */
    struct weir_invocation *invocation; /* NULL: none, or nobody wants its answer */
    char request_id[WEIR_UUID_TEXT];    /* of the event it has; "" without one */
    uint64_t started_ns;                /* when it got that event, or was started */
    uint64_t most_memory_bytes;         /* seen during the invocation */
    struct weir_buf lines[2];           /* by stream: the line that has no end yet */
    struct weir_buf tail;               /* output since the event came, at most twice the tail */
};

/* A function's pool. */
struct weir_function {
    const struct weir_function_model *model;
    struct weir_functions *functions;
    int script; /* the shim, as a file in memory; -1: none */
    struct weir_instance *instances;
    size_t instance_count;
    size_t starting_count;
    size_t answered_count;
    size_t busy_count;          /* BUSY and ANSWERED, or calls */
    struct weir_instance *idle; /* the one that became idle last */
    size_t idle_count;
    struct weir_remote_call *calls;       /* under way, of a function that runs elsewhere */
    struct weir_stand_in_call *stand_ins; /* under way */
    struct weir_invocation *first;        /* that wait */
    struct weir_invocation **last;
    size_t waiting_count;
    struct weir_post scale_post; /* instances are started after the loop has looked for requests */
    bool scale_posted;
    struct weir_loop_timer patience_timer; /* runs while those that have answered are counted on */
    bool patient;
    unsigned failures; /* in a row */
    bool resting;      /* in a back-off */
    struct weir_loop_timer rest_timer;
    uint64_t rest_until_ns;
    char reason[256]; /* of the last failure */

    struct weir_counter *invocations;
    struct weir_counter *errors;
    struct weir_counter *throttles;
    struct weir_counter *cold_starts;
    struct weir_gauge *concurrent;
    struct weir_gauge *waiting;
    struct weir_histogram *seconds;
};

struct weir_functions {
    struct weir_functions_options options;
    char *program;
    char *endpoint;                  /* NULL: not started yet */
    struct weir_http_client *client; /* for those that run elsewhere; NULL: none, or not yet */
    struct weir_function *all;
    size_t count;
    struct weir_random random;
    char *cgroup;         /* which those of instances are made in; NULL: memory is watched */
    uint64_t last_number; /* of an instance */
    size_t instance_count;
    struct weir_invocation *refused; /* to be told so, from the loop; in no order */
    struct weir_post refused_post;
    bool refused_posted;
    bool stopping;
    void (*stopped)(void *arg);
    void *stopped_arg;
    struct weir_post stopped_post;
    bool destroyed;
    size_t posts; /* under way: the last one frees what was destroyed */
};

/* --- pool.c -------------------------------------------------------------------------- */

/* An instance asks for an event: give it one, or keep it idle. */
void weir_function_ready(struct weir_instance *instance);

/* An instance has failed: begin or prolong the back-off. reason is a sentence without full stop. */
void weir_function_failed(struct weir_function *function, const char *reason);

/* An instance is gone, and freed: start others if they are wanted. */
void weir_function_lost(struct weir_function *function);

/* Take an idle instance out of the list of idle ones. */
void weir_function_unlist(struct weir_instance *instance);

/* Take the invocation that has waited longest out of the queue; NULL: none waits. */
struct weir_invocation *weir_function_take(struct weir_function *function);

/* End an invocation. It is in no queue and at no instance any more. */
void weir_function_finish(struct weir_function *function, struct weir_invocation *invocation,
        enum weir_function_outcome outcome, struct weir_str response);

/* Tell the log. request_id may be "". */
WEIR_PRINTF(6, 7)
void weir_function_log(const struct weir_function *function, enum weir_level level,
        const char *what, uint64_t instance, const char *request_id, const char *fmt, ...);

/* Make an error of an error object: "TypeError: x is undefined". */
void weir_function_read_error(struct weir_str object, struct weir_err *err);

/* Whether a function runs elsewhere. */
bool weir_function_is_remote(const struct weir_function *function);

/* --- instance.c ---------------------------------------------------------------------- */

/* Start one. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_instance_create(
        struct weir_function *function, struct weir_err *err);

/* Give an idle instance, which is in no list any more, an event. */
void weir_instance_begin(struct weir_instance *instance, struct weir_invocation *invocation);

/* End an instance with SIGTERM, and kill it when it is still there after the grace. */
void weir_instance_stop(struct weir_instance *instance, uint64_t grace_ms);

/* Kill at once and free, without telling anyone. */
void weir_instance_destroy(struct weir_instance *instance);

/* What the Runtime API tells an instance. The body is borrowed for the call. */
void weir_instance_asks(struct weir_instance *instance, struct weir_http_request *request);
void weir_instance_answers(struct weir_instance *instance, struct weir_str body, bool failed);
void weir_instance_gives_up(struct weir_instance *instance, struct weir_str body);

/* --- remote.c ------------------------------------------------------------------------ */

/* Call for those that wait, as many as may at once. */
void weir_remote_serve(struct weir_function *function);

/* End a call; its invocation is not told. */
void weir_remote_cancel(struct weir_remote_call *call);

/* End all calls: their invocations are BLOCKED. End them without telling anyone. */
void weir_remote_stop(struct weir_function *function);
void weir_remote_destroy(struct weir_function *function);

/* --- stand_in.c: as remote.c ---------------------------------------------------------- */

void weir_stand_in_serve(struct weir_function *function);
void weir_stand_in_cancel(struct weir_stand_in_call *call);
void weir_stand_in_stop(struct weir_function *function);
void weir_stand_in_destroy(struct weir_function *function);

/* --- runtime_api.c ------------------------------------------------------------------- */

/* The handler of an instance's listener; arg is the instance. */
void weir_runtime_api_handle(struct weir_http_request *request, void *arg);

/* Answer an instance's request for an event with one. */
void weir_runtime_api_send(
        struct weir_instance *instance, const struct weir_invocation *invocation);

/* --- output.c ------------------------------------------------------------------------ */

/* Take output of an instance: whole lines go to the log, all of it to the invocation's tail. */
void weir_output_add(
        struct weir_instance *instance, enum weir_child_stream stream, struct weir_str bytes);

/* Send what has no line end yet to the log: the instance has ended. */
void weir_output_end(struct weir_instance *instance);

/* Begin an invocation's tail; end it, giving its text, which is borrowed from the instance. */
void weir_output_begin(struct weir_instance *instance);
struct weir_str weir_output_tail(struct weir_instance *instance, uint64_t duration_us);

/* --- environment.c ------------------------------------------------------------------- */

/* What an instance is started with. All in the arena. */
struct weir_instance_start {
    const char *const *arguments;
    const char *const *environment;
};

void weir_environment_make(const struct weir_instance *instance, struct weir_arena *arena,
        struct weir_instance_start *ret_start);

/* --- cgroup.c ------------------------------------------------------------------------ */

enum { WEIR_CGROUP_PATH = 4096 };

/*
 * Find the cgroup of weir's own in which it can limit the memory of others; changes nothing. root
 * is in front of all paths. Errors: WEIR_E_UNSUPPORTED: it has none, and err says why.
 */
WEIR_MUST_CHECK enum weir_rc weir_cgroup_find(
        const char *root, char ret_folder[static WEIR_CGROUP_PATH], struct weir_err *err);

/*
 * Make it one that others can be made in; this process moves into a part of it. Errors:
 * WEIR_E_UNSUPPORTED: it cannot be, and is as it was.
 */
WEIR_MUST_CHECK enum weir_rc weir_cgroup_take(const char *folder, struct weir_err *err);

/* Make the group of an instance, with a limit. Free with weir_cgroup_destroy. Errors: WEIR_E_IO. */
WEIR_MUST_CHECK enum weir_rc weir_cgroup_create(const char *folder, uint64_t number, uint64_t bytes,
        char **ret_group, struct weir_err *err);

/* Move this process into a group. */
WEIR_MUST_CHECK bool weir_cgroup_join(const char *group);

/* Whether the kernel has killed something in it for the limit. */
bool weir_cgroup_has_killed(const char *group);

/* Remove it with all that is in it, and free. NULL is fine. */
void weir_cgroup_destroy(char *group);

/* --- memory.c ------------------------------------------------------------------------ */

/* The memory that a process and all below it have for themselves, in bytes. */
uint64_t weir_memory_of(int pid);

/* --- shims (made of src/function/shim/ when weir is built) --------------------------- */

extern const char weir_shim_node[];
extern const char weir_shim_python[];

#endif
