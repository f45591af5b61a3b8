/*
 * A child process on a loop.
 *
 * The child leads a session and process group of its own. Its standard input is a file that the
 * caller gives, or /dev/null; its standard output and standard error arrive in pieces through
 * on_output; of this process's other descriptors it inherits none. Its descriptor
 * WEIR_CHILD_LIFELINE reads end-of-file once this process has ended, however it ended, or has
 * called weir_child_kill: the program that is started is one that watches it (`weir __exec`), and
 * takes everything it started down with it. That holds where PR_SET_PDEATHSIG alone does not: that
 * signal comes when the parent's thread ends, and never reaches what the child started. When the
 * child itself is ended by a signal, what is left of its group is killed.
 *
 *     phase     begins with           legal                          ends with
 *     running   create                pid, signal, kill, drain       on_exit
 *     ended     on_exit               pid, destroy                   destroy
 *
 * Destroying a running child kills it, and no callback runs any more.
 *
 * Threads: everything belongs to the loop's.
 */
#ifndef WEIR_NET_CHILD_H
#define WEIR_NET_CHILD_H

#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

struct weir_loop;
struct weir_child;

enum { WEIR_CHILD_LIFELINE = 3 };

enum weir_child_stream {
    WEIR_CHILD_OUT,
    WEIR_CHILD_ERR,
};

/* How a child ended: by exit (signal 0), or by a signal. */
struct weir_child_exit {
    int status;
    int signal;
};

/* All borrowed for the call of weir_child_create. */
struct weir_child_options {
    const char *program;            /* a path, not searched for */
    const char *const *arguments;   /* with the program's name in front; ends with NULL */
    const char *const *environment; /* "NAME=value"; ends with NULL */
    int input;                      /* a descriptor to read standard input from; -1: /dev/null */

    /* Required. The bytes are borrowed for the call. */
    void (*on_output)(void *arg, enum weir_child_stream stream, struct weir_str bytes);
    /* Required. All output came before. The child may be destroyed in it. */
    void (*on_exit)(void *arg, struct weir_child_exit how);
    void *arg;
};

/*
 * Start a child.
 * Errors: WEIR_E_IO (no such program, no descriptors or processes left).
 */
WEIR_MUST_CHECK enum weir_rc weir_child_create(struct weir_loop *loop,
        const struct weir_child_options *options, struct weir_child **ret_child,
        struct weir_err *err);

/* Its process id, which is also its group's. */
int weir_child_pid(const struct weir_child *child);

/* Send a signal to its process group; nothing when it has ended. */
void weir_child_signal(struct weir_child *child, int number);

/* Close its lifeline: the program and all it started end now. */
void weir_child_kill(struct weir_child *child);

/* Hand over, in this call, what it has written so far. */
void weir_child_drain(struct weir_child *child);

/* Let go, killing it first when it runs. NULL is fine. */
void weir_child_destroy(struct weir_child *child);
WEIR_AUTO_DEFINE(weir_child);

#endif
