/* The errors, as docs/ERRORS.md has them. */
#include "cli/cli_int.h"

static const char *meaning(enum weir_rc rc)
{
    switch (rc) {
    case WEIR_OK:
        return "no error";
    case WEIR_E_INVALID:
        return "the input is wrong; the message names the value and what was expected";
    case WEIR_E_NOT_FOUND:
        return "no such table, item, file or other object";
    case WEIR_E_EXISTS:
        return "it is there already";
    case WEIR_E_TRIMMED:
        return "older than what is kept; read on from the oldest that is";
    case WEIR_E_CONFLICT:
        return "something that was read has changed since; read again";
    case WEIR_E_BUSY:
        return "a queue is full; come back later";
    case WEIR_E_TOO_LARGE:
        return "past a limit on size";
    case WEIR_E_CONDITION:
        return "a condition of the request did not hold; nothing was written";
    case WEIR_E_IO:
        return "the operating system refused; the message has its reason";
    case WEIR_E_READ_ONLY:
        return "no writes now, for example because the disk is full; reads go on";
    case WEIR_E_UNKNOWN_OUTCOME:
        return "writing to disk failed midway: it may have been written, or not";
    case WEIR_E_DAMAGED:
        return "stored bytes fail their check";
    case WEIR_E_FORMAT:
        return "the data folder was made by a newer version of weir";
    case WEIR_E_LOCKED:
        return "another process holds it, such as a weir on the same data folder";
    case WEIR_E_DENIED:
        return "the caller is not allowed to";
    case WEIR_E_UNSUPPORTED:
        return "known, but not offered";
    case WEIR_E_CLOSED:
        return "weir is stopping; another one, or the next start, will answer";
    case WEIR_E_TIMEOUT:
        return "it took too long";
    case WEIR_E_LIMIT:
        return "an evaluation ran past its bound";
    case WEIR_E_REPORTED:
        return "a function answered that it failed";
    }
    return "";
}

void weir_cli_write_errors(struct weir_buf *buf)
{
    static const enum weir_rc all[] = {
#define X(name, value, wire, http, retry) name,
        WEIR_ERRORS(X)
#undef X
    };
    weir_buf_z(buf,
            "# Errors\n\n"
            "Every error of weir is one of these. Its own interfaces answer with the HTTP status "
            "and\n"
            "`{\"error\": \"<name>\", \"message\": \"...\"}`; the AWS ones use AWS's names. Log "
            "lines "
            "carry the\n"
            "name too. Where trying again can help, the same request may succeed later without "
            "being\nchanged. This page is what `weir help errors` prints.\n\n"
            "| name | HTTP status | try again | meaning |\n"
            "|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        weir_buf_printf(buf, "| `%s` | %d | %s | %s |\n", weir_rc_name(all[i]),
                weir_rc_http(all[i]), weir_rc_retryable(all[i]) ? "yes" : "no", meaning(all[i]));
    }
}
