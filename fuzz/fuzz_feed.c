/* Lines that `weir run` and `weir simulate` read: records, events of them, plain items. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "scenario/feed.h"
#include "value/ddbjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_item(struct weir_buf *buf, struct weir_item item)
{
    if (item.n > 0) {
        weir_ddbjson_write_item(buf, item);
    }
}

/* Every change has something to say, and what it says can be written. */
static enum weir_rc check_change(void *arg, const struct weir_feed *feed, struct weir_err *err)
{
    size_t *changes = arg;
    struct weir_buf buf;
    (void)err;
    (*changes)++;
    weir_buf_init(&buf, 64 << 20);
    write_item(&buf, feed->keys);
    write_item(&buf, feed->new_image);
    write_item(&buf, feed->old_image);
    weir_assert(buf.n > 0 || feed->event != 0);
    weir_buf_fini(&buf);
    return WEIR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_arena arena;
    struct weir_err err = { 0 };
    size_t changes = 0;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_feed_read(
            weir_str((const char *)data, size), &arena, check_change, &changes, &err);
    weir_assert(rc == WEIR_OK || (err.msg[0] != '\0' && err.pos <= size));
    weir_arena_fini(&arena);
    return 0;
}
