/*
 * Keyed state: small values that pipelines remember between records, with an optional time
 * after which they go by themselves.
 *
 * An entry of WEIR_SPACE_STATE is its expiry and its value. Changes are prepared in a
 * transaction whose builder knows what stands there (its read set vouches for it); an entry
 * that expires has a durable timer, kept with it.
 */
#ifndef WEIR_STATE_STATE_H
#define WEIR_STATE_STATE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"
#include "timer/timer.h"

struct weir_state {
    struct weir_str value;    /* empty: there is no entry */
    struct weir_time expires; /* 0: never */
};

/* Read a stored entry; the value is borrowed from it. Errors: WEIR_E_DAMAGED. */
WEIR_MUST_CHECK enum weir_rc weir_state_decode(
        struct weir_str stored, struct weir_state *ret_state, struct weir_err *err);

/*
 * Add to a transaction what turns `before` into `after` (an empty value: no entry). Nothing
 * when they are equal. Strings as for weir_txn_add.
 */
void weir_state_change(struct weir_txn *txn, struct weir_str key, const struct weir_state *before,
        const struct weir_state *after);

/* Handle the timers of expiring entries. */
void weir_state_start(struct weir_timers *timers, struct weir_store *store);

#endif
