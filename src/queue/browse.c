/* Looking at a queue's messages without receiving them. */
#include "queue/queue_int.h"

/* The message that a meta belongs to; *ret_there false: it is gone by now. */
static enum weir_rc read_message(struct weir_queues *queues, uint32_t space, uint64_t sequence,
        const struct weir_queue_meta *meta, struct weir_arena *arena,
        struct weir_message *ret_message, bool *ret_there, struct weir_err *err)
{
    char text[WEIR_QUEUE_KEY];
    struct weir_entry entry;
    enum weir_rc rc = weir_store_get(
            queues->store, space, weir_queue_number_key('b', sequence, text), arena, &entry, err);
    *ret_there = rc == WEIR_OK && entry.pos.seq != 0;
    if (!*ret_there) {
        return rc;
    }
    rc = weir_queue_read_message(entry.value, arena, ret_message, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_queue_receipt receipt = {
        .sequence = sequence,
        .nonce = meta->nonce,
        .receives = meta->receives,
    };
    ret_message->sequence = sequence;
    ret_message->group = weir_arena_str(arena, meta->group);
    ret_message->sent = meta->sent;
    ret_message->first_received = meta->first_received;
    ret_message->receives = meta->receives;
    ret_message->visible = meta->visible;
    ret_message->receipt = weir_queue_write_receipt(arena, &receipt);
    return WEIR_OK;
}

enum weir_rc weir_queues_browse(struct weir_queues *queues, const struct weir_queue *queue,
        uint64_t after, bool (*each)(void *arg, const struct weir_message *message, bool hidden),
        void *arg, struct weir_err *err)
{
    uint32_t space = weir_queue_space(queue);
    if (space == 0) {
        return WEIR_OK;
    }
    struct weir_time now = weir_clock_wall(weir_store_clock(queues->store));
    struct weir_arena arena;
    char text[WEIR_QUEUE_KEY];
    weir_arena_init(&arena);
    struct weir_cursor *cursor = weir_cursor_create(queues->store, space);
    enum weir_rc rc = WEIR_OK;
    bool wanted = after < UINT64_MAX;
    weir_cursor_seek(cursor, weir_queue_number_key('m', wanted ? after + 1 : after, text));
    while (rc == WEIR_OK && wanted) {
        struct weir_str key;
        struct weir_entry stored;
        struct weir_queue_meta meta;
        struct weir_message message;
        bool there = false;
        rc = weir_cursor_get(cursor, &key, &stored, &there, err);
        if (rc != WEIR_OK || !there || key.p[0] != 'm') {
            break;
        }
        rc = weir_queue_read_meta(stored.value, &meta, err);
        if (rc == WEIR_OK) {
            rc = read_message(queues, space, weir_queue_key_number(key), &meta, &arena, &message,
                    &there, err);
        }
        if (rc == WEIR_OK && there) {
            wanted = each(arg, &message, meta.visible.ms > now.ms);
        }
        weir_arena_reset(&arena);
        weir_cursor_next(cursor);
    }
    weir_cursor_destroy(cursor);
    weir_arena_fini(&arena);
    return rc;
}
