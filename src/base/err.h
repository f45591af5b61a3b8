/*
 * Errors: one table makes the C codes, their wire names, the HTTP status and
 * whether trying again can help. docs/ERRORS.md is printed from it by
 * `weir help errors`.
 *
 * A fallible function returns enum weir_rc and takes a struct weir_err last.
 * The struct lives on the caller's stack; NULL is allowed where only the code
 * matters. The message has a fixed size so that reporting cannot itself fail.
 * A message names the value at fault and what was expected, never the function.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stddef.h>

#define WEIR_MUST_CHECK                 __attribute__((warn_unused_result))
#define WEIR_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* X(code, value, wire name, HTTP status, retryable) */
#define WEIR_ERRORS(X)                                                                             \
    X(WEIR_E_INVALID, -1, "invalid", 400, 0)            /* the input is wrong */                   \
    X(WEIR_E_NOT_FOUND, -2, "not_found", 404, 0)        /* no such object */                       \
    X(WEIR_E_EXISTS, -3, "exists", 409, 0)              /* it is there already */                  \
    X(WEIR_E_TRIMMED, -4, "trimmed", 410, 0)            /* older than what is kept */              \
    X(WEIR_E_CONFLICT, -5, "conflict", 409, 1)          /* a read of the transaction moved */      \
    X(WEIR_E_BUSY, -6, "busy", 503, 1)                  /* a queue is full */                      \
    X(WEIR_E_TOO_LARGE, -7, "too_large", 413, 0)        /* past a limit */                         \
    X(WEIR_E_CONDITION, -8, "condition_failed", 400, 0) /* a condition did not hold */             \
    X(WEIR_E_IO, -9, "io", 500, 1)                      /* the operating system refused */         \
    X(WEIR_E_READ_ONLY, -10, "read_only", 503, 1)       /* no writes now, e.g. disk full */        \
    X(WEIR_E_UNKNOWN_OUTCOME, -11, "unknown_outcome", 500, 1) /* a sync failed: maybe written */   \
    X(WEIR_E_DAMAGED, -12, "damaged", 500, 0)                 /* stored bytes fail their check */  \
    X(WEIR_E_FORMAT, -13, "format", 500, 0)                   /* data folder of a newer version */ \
    X(WEIR_E_LOCKED, -14, "locked", 423, 0)                   /* another process holds it */       \
    X(WEIR_E_DENIED, -15, "denied", 403, 0)                   /* not allowed to the caller */      \
    X(WEIR_E_UNSUPPORTED, -16, "unsupported", 400, 0)         /* known, but not offered */         \
    X(WEIR_E_CLOSED, -17, "closed", 503, 1)                   /* stopping */                       \
    X(WEIR_E_TIMEOUT, -18, "timeout", 504, 1)                 /* took too long */                  \
    X(WEIR_E_LIMIT, -19, "limit", 400, 0)       /* an evaluation ran past its bound */             \
    X(WEIR_E_REPORTED, -20, "reported", 500, 1) /* the target says that it failed */

enum weir_rc {
    WEIR_OK = 0,
#define X(name, value, wire, http, retry) name = (value),
    WEIR_ERRORS(X)
#undef X
};

struct weir_err {
    enum weir_rc code;
    size_t pos;    /* byte offset into the input, for parsers; else 0 */
    char msg[256]; /* one line, no trailing full stop, no function's name */
};

/*
 * Fill err (may be NULL) and return code, so that failing is one statement.
 * A message that does not fit is cut.
 */
WEIR_PRINTF(3, 4)
enum weir_rc weir_fail(struct weir_err *err, enum weir_rc code, const char *fmt, ...);

/* As weir_fail, with the byte offset of the fault in the input that was parsed. */
WEIR_PRINTF(4, 5)
enum weir_rc weir_fail_at(
        struct weir_err *err, enum weir_rc code, size_t pos, const char *fmt, ...);

/*
 * Put context in front of err's message ("table orders: " + what was there) and
 * return its code. Does nothing to a NULL err but then needs the code, hence rc.
 */
WEIR_PRINTF(3, 4)
enum weir_rc weir_fail_in(struct weir_err *err, enum weir_rc rc, const char *fmt, ...);

/* The wire name of a code, e.g. "not_found"; "ok" for WEIR_OK. Static. */
const char *weir_rc_name(enum weir_rc rc);

/* The HTTP status a code answers with; 200 for WEIR_OK. */
int weir_rc_http(enum weir_rc rc);

/* Whether the same call may succeed later without being changed. */
int weir_rc_retryable(enum weir_rc rc);

/*
 * Stop the process with a message: the program is wrong, not its input. Stays on
 * in release builds; the log makes a crash safe.
 */
#define weir_assert(cond)                                  \
    do {                                                   \
        if (__builtin_expect(!(cond), 0)) {                \
            weir_assert_failed(#cond, __FILE__, __LINE__); \
        }                                                  \
    } while (0)

_Noreturn void weir_assert_failed(const char *cond, const char *file, int line);

#endif
