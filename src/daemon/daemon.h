/* The server as a whole: start and stop order. */
#ifndef WEIR_DAEMON_DAEMON_H
#define WEIR_DAEMON_DAEMON_H

#include "base/err.h"
#include "config/config.h"

struct weir_daemon_options {
    const char *listen; /* "ADDRESS:PORT", port 0 for a free one; NULL: as configured */
    const char *data;   /* folder, or "memory"; NULL: as configured */
};

/*
 * Run the server until SIGTERM or SIGINT, then stop: requests and batches in flight finish.
 * Prints "listening on http://ADDRESS:PORT" to standard output once it answers. The
 * configuration's pipelines are taken.
 *
 * Errors: WEIR_E_INVALID (address, or a stored table that differs), and those of
 * weir_store_open and weir_http_server_create.
 */
WEIR_MUST_CHECK enum weir_rc weir_daemon_run(struct weir_config *config,
        const struct weir_daemon_options *options, struct weir_err *err);

#endif
