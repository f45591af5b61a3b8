/*
 * Functions: what weir runs outside itself.
 *
 * A function is a command that weir starts and feeds through the AWS Lambda Runtime API, so that
 * unmodified Lambda handlers in any language run. Each function has a pool of instances
 * (processes), each with a listener of its own on 127.0.0.1, because runtime clients take only a
 * host and a port.
 *
 * An invocation goes to the instance that became idle last; when none is idle and the pool is
 * below the function's concurrency, one more is started (a cold start), and the invocation waits
 * in the function's queue, which is bounded. The time-out of an invocation counts from the moment
 * at which an instance has its event.
 *
 * A function may also run elsewhere: behind a URL that takes events by POST, or in AWS Lambda. Then
 * nothing is started, and its outcomes are those of the request (net/http_client.h): an answer
 * of 2xx is OK; what cannot have arrived, 429 and 503 are BLOCKED, and so are 403 and 404 of
 * Lambda; other 5xx and a time-out are RETRYABLE, other statuses FINAL.
 *
 *     what happens                   the invocation's outcome        the instance
 *     the handler answers            OK                              idle again
 *     the handler fails              FUNCTION_ERROR                  idle again
 *     it takes too long              RETRYABLE                       killed, a new one when needed
 *     it uses too much memory        RETRYABLE                       killed, a new one when needed
 *     it ends                        RETRYABLE                       a new one after a back-off
 *     it ends before its first event RETRYABLE, or FUNCTION_ERROR    a new one after a back-off
 *                                    when it said why
 *
 * The back-off is 1 s, doubled with each failure in a row up to 1 min, and ended by an invocation
 * that is answered. While it lasts no instance is started; with none left invocations are BLOCKED.
 *
 * Instances are started through `weir __exec` (exec.c): a session of their own, nothing inherited
 * but a short list of environment variables, and gone with everything they started as soon as weir
 * is, however it ends.
 *
 * Threads: everything here belongs to the loop's. Time is the loop's clock's.
 */
#ifndef WEIR_FUNCTION_FUNCTION_H
#define WEIR_FUNCTION_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/logline.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/str.h"
#include "net/http_client.h"
#include "net/loop.h"

struct weir_functions;

enum {
    WEIR_FUNCTION_NAME_MAX = 64,                       /* as AWS has it */
    WEIR_FUNCTION_PAYLOAD_MAX = 6 * 1024 * 1024 + 100, /* of an event, and of an answer */
    WEIR_FUNCTION_LOG_TAIL = 4096, /* bytes of its output that an invocation has */
};

/* --- models -------------------------------------------------------------------------- */

enum weir_function_runtime {
    WEIR_RUNTIME_COMMAND, /* `command` speaks the Runtime API itself */
    WEIR_RUNTIME_NODE,    /* weir's own start-up script runs `handler` */
    WEIR_RUNTIME_PYTHON,
    WEIR_RUNTIME_HTTP,   /* nothing is started: events are posted to `url` */
    WEIR_RUNTIME_LAMBDA, /* nothing is started: `url` is AWS Lambda's Invoke of the function */
};

struct weir_function_variable {
    struct weir_str name;
    struct weir_str value; /* may be a secret: never printed */
};

/* What weir.yaml says about a function. Everything is borrowed by the functions made of it. */
struct weir_function_model {
    struct weir_str name;
    enum weir_function_runtime runtime;
    struct weir_str handler;        /* "index.handler"; of a command: what _HANDLER says */
    struct weir_str dir;            /* working folder; absolute */
    const struct weir_str *command; /* program and arguments; also the interpreter of a runtime */
    size_t command_count;
    const struct weir_function_variable *variables;
    size_t variable_count;
    struct weir_str url;                    /* HTTP, LAMBDA */
    const struct weir_http_header *headers; /* that requests to it carry besides; HTTP */
    size_t header_count;
    struct weir_http_signer signer; /* LAMBDA */
    uint64_t timeout_ms;
    uint64_t init_timeout_ms;    /* from the start to the first request for an event */
    uint64_t idle_ms;            /* after which an idle instance beyond keep_warm is stopped */
    uint64_t memory_bytes;       /* of an instance; 0: not limited */
    size_t concurrency;          /* instances, or requests, at once: at least 1 */
    size_t keep_warm;            /* instances kept also when idle, from the start on */
    struct weir_str dead_letter; /* of runs that nobody waits for (outbox/outbox.h); may be empty */
    size_t max_queue;            /* invocations that may wait for an instance */
};

/* The name of a runtime as weir.yaml has it: "node". Static. */
const char *weir_function_runtime_name(enum weir_function_runtime runtime);

/* --- life ---------------------------------------------------------------------------- */

/* Something that happened to a function, for the log. Borrowed for the call. */
struct weir_function_event {
    enum weir_level level;
    const char *what; /* "function.output", "function.crashed", ... */
    struct weir_str function;
    const char *request_id; /* "" outside of an invocation */
    uint64_t instance;      /* number of the instance within weir's life; 0: none */
    struct weir_str text;   /* the line of output, or what happened */
};

struct weir_invocation;

enum weir_function_outcome {
    WEIR_FUNCTION_OK,
    WEIR_FUNCTION_ERROR,     /* the handler failed: response is Lambda's error object */
    WEIR_FUNCTION_BLOCKED,   /* not now: queue full, in a back-off, stopping, no such function */
    WEIR_FUNCTION_RETRYABLE, /* time-out, crash, out of memory: response is the error object */
    WEIR_FUNCTION_FINAL,     /* it cannot ever work: the payload is too large, or a url refused it,
                                and then response is an error object */
};

/* What a stand-in does with an invocation. */
struct weir_stand_in {
    uint64_t takes_ms; /* longer than the function's time-out: RETRYABLE, at the time-out */
    enum weir_function_outcome outcome;
    struct weir_str response; /* JSON; copied. An error's is made of the message */
    struct weir_str message;  /* unless OK; copied */
};

/* What the functions need of the process they live in. All borrowed for their life. */
struct weir_functions_options {
    struct weir_loop *loop;
    struct weir_metrics *metrics;
    const struct weir_function_model *models;
    size_t count;
    struct weir_str region;
    struct weir_str account;
    struct weir_str access_key_id;     /* given to handlers; empty: "weir" */
    struct weir_str secret_access_key; /* empty: "weir" */
    const char *program;               /* whose __exec starts instances; NULL: this program */
    void (*log)(void *arg, const struct weir_function_event *event); /* NULL: nobody listens */
    void *arg;
    /*
     * NULL, or stands in for all instances and endpoints (tests, simulations): says what becomes
     * of an invocation at the moment at which an instance would get it. Then nothing is started.
     */
    struct weir_stand_in (*stand_in)(void *arg, const struct weir_function_model *model,
            const struct weir_invocation *invocation);
    void *stand_in_arg;
    const char *root; /* tests: a folder instead of "/" to look for cgroups in; NULL: none */
};

/*
 * Make the functions of some models; starts nothing.
 * Errors: WEIR_E_IO (no descriptors left).
 */
WEIR_MUST_CHECK enum weir_rc weir_functions_create(const struct weir_functions_options *options,
        struct weir_functions **ret_functions, struct weir_err *err);

/*
 * Begin to start instances: those to be kept warm, and those that are waited for. endpoint is
 * weir's own URL ("http://127.0.0.1:8000"), which handlers' SDKs are told. Copied.
 * Errors: WEIR_E_IO (no client for those that run elsewhere).
 */
WEIR_MUST_CHECK enum weir_rc weir_functions_start(
        struct weir_functions *functions, struct weir_str endpoint, struct weir_err *err);

/*
 * Stop: what waits or runs is BLOCKED, instances get SIGTERM, and those still there after
 * grace_ms are killed. stopped runs when the last one is gone, never inside this call. Once.
 */
void weir_functions_stop(
        struct weir_functions *functions, uint64_t grace_ms, void (*stopped)(void *arg), void *arg);

/*
 * Whether the kernel would keep the memory limits of instances that this process started: by
 * cgroup v2. Errors: WEIR_E_UNSUPPORTED: they would be watched, and err says why.
 */
WEIR_MUST_CHECK enum weir_rc weir_function_memory_check(struct weir_err *err);

/* Kill what still runs and free; done of what is not done yet does not run. NULL is fine. */
void weir_functions_destroy(struct weir_functions *functions);
WEIR_AUTO_DEFINE(weir_functions);

/* The models, as given. */
const struct weir_function_model *weir_functions_models(
        const struct weir_functions *functions, size_t *ret_count);

/* The model of a name; NULL: there is none. */
const struct weir_function_model *weir_functions_find(
        const struct weir_functions *functions, struct weir_str name);

/* Append the ARN of a function. */
void weir_functions_write_arn(
        const struct weir_functions *functions, struct weir_str name, struct weir_buf *buf);

/* Append the state of all functions as a JSON array: what /v1/status shows. */
void weir_functions_status(const struct weir_functions *functions, struct weir_buf *buf);

/* --- invocations --------------------------------------------------------------------- */

/* One invocation. Embed it; it must stay where it is until done has run or it was cancelled. */
struct weir_invocation {
    /* The caller's. */
    struct weir_str function;       /* borrowed during weir_functions_invoke */
    struct weir_str payload;        /* JSON; borrowed until done or cancel */
    struct weir_str client_context; /* JSON; empty without one. Borrowed as payload */
    struct weir_str
            id;    /* its request id, 36 characters; empty: one is made. Borrowed during invoke */
    bool want_log; /* log_tail is filled */
    bool wants_state; /* its answer needs a member `state`: for stand-ins that have no other */
    void (*done)(struct weir_invocation *invocation); /* required; once, never inside invoke */
    void *arg;

    /* The outcome, for done. Texts are borrowed for the time of done. */
    enum weir_function_outcome outcome;
    struct weir_err err;      /* what happened, unless OK; BLOCKED: its code says why */
    struct weir_str response; /* the handler's answer, or an error object; else empty */
    struct weir_str log_tail; /* what the handler wrote, with Lambda's START, END and REPORT */
    uint64_t duration_us;     /* of the handler, or what of it there was */
    char request_id[WEIR_UUID_TEXT];

    /* The module's. */
    struct weir_invocation *next;
    void *place; /* where it is: its function while it waits, its instance or call while it runs */
    unsigned char phase;
};

/*
 * Invoke a function. Also what goes wrong at once is told through done, with WEIR_E_NOT_FOUND,
 * _BUSY, _CLOSED or _TOO_LARGE in err.
 */
void weir_functions_invoke(struct weir_functions *functions, struct weir_invocation *invocation);

/*
 * Lose interest: done does not run, and the invocation may be freed. One that waits is never run;
 * a handler that has the event already works on, and its answer is dropped; a request is ended.
 */
void weir_functions_cancel(struct weir_functions *functions, struct weir_invocation *invocation);

/* --- starting commands --------------------------------------------------------------- */

/*
 * What `weir __exec CGROUP FOLDER PROGRAM [ARGUMENT...]` does, with argv[0] being CGROUP: starts
 * the program in the cgroup (empty: in this process's) and the folder, ends as it ends, and takes
 * down all that it started. When the lifeline (net/child.h) ends, everything ends at once. Never
 * returns.
 */
_Noreturn void weir_function_exec(int argc, char **argv);

#endif
