#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

WEIR_PRINTF(4, 0)
static enum weir_rc fail(
        struct weir_err *err, enum weir_rc code, size_t pos, const char *fmt, va_list args)
{
    if (err != NULL) {
        err->code = code;
        err->pos = pos;
        vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    }
    return code;
}

enum weir_rc weir_fail(struct weir_err *err, enum weir_rc code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail(err, code, 0, fmt, args);
    va_end(args);
    return code;
}

enum weir_rc weir_fail_at(struct weir_err *err, enum weir_rc code, size_t pos, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail(err, code, pos, fmt, args);
    va_end(args);
    return code;
}

enum weir_rc weir_fail_in(struct weir_err *err, enum weir_rc rc, const char *fmt, ...)
{
    if (err == NULL) {
        return rc;
    }
    char lower[sizeof(err->msg)];
    memcpy(lower, err->msg, sizeof(lower));
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(err->msg)) {
        size_t room = sizeof(err->msg) - (size_t)n - 1;
        size_t len = strnlen(lower, sizeof(lower) - 1);
        len = len < room ? len : room;
        memcpy(err->msg + n, lower, len);
        err->msg[(size_t)n + len] = '\0';
    }
    err->code = rc;
    return rc;
}

const char *weir_rc_name(enum weir_rc rc)
{
    switch (rc) {
    case WEIR_OK:
        return "ok";
#define X(name, value, wire, http, retry) \
    case name:                            \
        return wire;
        WEIR_ERRORS(X)
#undef X
    }
    return "unknown";
}

int weir_rc_http(enum weir_rc rc)
{
    switch (rc) {
    case WEIR_OK:
        return 200;
#define X(name, value, wire, http, retry) \
    case name:                            \
        return http;
        WEIR_ERRORS(X)
#undef X
    }
    return 500;
}

int weir_rc_retryable(enum weir_rc rc)
{
    switch (rc) {
    case WEIR_OK:
        return 0;
#define X(name, value, wire, http, retry) \
    case name:                            \
        return retry;
        WEIR_ERRORS(X)
#undef X
    }
    return 0;
}

_Noreturn void weir_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "weir: %s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
