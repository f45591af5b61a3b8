/*
 * Who may talk to a weir without credentials: programs of this machine, and no web page. A
 * page can send requests to a loopback port and can point a name of its own at 127.0.0.1;
 * its Origin and Host headers give it away. Pure functions, any thread.
 */
#ifndef WEIR_NET_ACCESS_H
#define WEIR_NET_ACCESS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Whether an address to listen on is loopback: 127.0.0.0/8, ::1, localhost. */
bool weir_access_is_loopback(struct weir_str address);

/*
 * Decide on a request to a weir without credentials that listens on `listen`.
 *
 * Host must name a loopback (localhost, *.localhost, 127.x.y.z, [::1]) or the address we
 * listen on, with any port or none. Origin, where present, must be http or https on such
 * a host; "null" is foreign. p is NULL for a header that is not there.
 *
 * Errors: WEIR_E_DENIED, naming the header and its value.
 */
WEIR_MUST_CHECK enum weir_rc weir_access_check(
        struct weir_str host, struct weir_str origin, struct weir_str listen, struct weir_err *err);

#endif
