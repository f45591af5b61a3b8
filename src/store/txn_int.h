/* A transaction's read set. */
#ifndef WEIR_STORE_TXN_INT_H
#define WEIR_STORE_TXN_INT_H

#include "store/store.h"

struct weir_txn_read {
    uint32_t space;
    struct weir_str key;
    struct weir_pos seen; /* 0: nothing was there */
    struct weir_txn_read *next;
};

#endif
