/*
 * Runs that nobody waits for, as intents of the outbox: what Invoke does with the invocation type
 * Event, and what else wants a function to be run once a transaction is true.
 *
 * A run is kept until its function has answered. A function's failure (an error, a time-out, a
 * crash) is tried again after 1 min and after 2 min; what is blocked waits, as the outbox has it,
 * and uses no retries. After 6 h, or the third failure, a run is given up, to the function's
 * on_failure when it has one. These numbers are AWS's. The request id is the same at each attempt.
 *
 * Threads: making an intent is for any thread, the rest for the loop's.
 */
#ifndef WEIR_FUNCTION_RUNS_H
#define WEIR_FUNCTION_RUNS_H

#include "base/arena.h"
#include "function/function.h"
#include "outbox/outbox.h"

struct weir_function_runs;

/* Deliver WEIR_INTENT_FUNCTION of an outbox; both are borrowed. */
struct weir_function_runs *weir_function_runs_create(
        struct weir_outbox *outbox, struct weir_functions *functions);

/* What is under way is blocked. Before the functions and the outbox. NULL is fine. */
void weir_function_runs_destroy(struct weir_function_runs *runs);

/* Strings are borrowed. */
struct weir_function_run {
    const struct weir_function_model *model;
    struct weir_str payload;        /* JSON; empty: {} */
    struct weir_str client_context; /* as in struct weir_invocation */
    struct weir_str id;             /* the request's: a UUID */
};

/*
 * Make a run an intent: all of it but its causation and hops, which stay the caller's. Texts are
 * the arena's. Errors: WEIR_E_TOO_LARGE.
 */
WEIR_MUST_CHECK enum weir_rc weir_function_run_intent(const struct weir_function_run *run,
        struct weir_arena *arena, struct weir_intent *intent, struct weir_err *err);

#endif
