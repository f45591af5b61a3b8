/* What the files of net/ share about the loop; uv.h is included in net/ only. */
#ifndef WEIR_NET_NET_INT_H
#define WEIR_NET_NET_INT_H

#include <uv.h>

#include "net/loop.h"

/* The libuv loop behind a loop. Loop thread only. */
uv_loop_t *weir_loop_uv(struct weir_loop *loop);

#endif
