/* What is too old goes: messages past the retention, and what de-duplication remembers. */
#include <string.h>

#include "base/mem.h"
#include "queue/line_int.h"

enum {
    SWEEP_MAX = 500, /* that one transaction deletes */
    LOOK_MAX = 5000, /* that one sweep of an unordered queue looks at */
    PAUSE_MS = 1000, /* between sweeps */
    DISTRUST_MS = 30 * 1000,
};

/* A sweep under way. In the transaction's arena. */
struct sweeping {
    struct weir_queue_work work;
    struct weir_sweep sweep;
    struct weir_queue_line *line;
    int64_t next; /* when something else will be too old */
};

static void swept(struct weir_queue_work *work)
{
    struct sweeping *sweeping = WEIR_CONTAINER(work, struct sweeping, work);
    struct weir_queue_line *line = sweeping->line;
    struct weir_txn *txn = work->txn;
    line->sweeping = false;
    if (line->space == sweeping->sweep.space) {
        for (size_t i = 0; i < sweeping->sweep.count; i++) {
            if (weir_line_look(line, sweeping->sweep.sequences[i], NULL) != WEIR_OK) {
                break; /* what cannot be read now is found gone when it is received */
            }
        }
        int64_t next = sweeping->next;
        if (txn->rc != WEIR_OK) {
            next = weir_clock_wall(weir_store_clock(line->queues->store)).ms + PAUSE_MS;
        }
        line->sweep_at = next < line->sweep_at ? next : line->sweep_at;
    }
    weir_line_soon(line);
    weir_txn_destroy(txn);
}

/* Collect messages that are too old. The first one that is not ends it, unless it is unordered. */
static enum weir_rc find_old(
        struct weir_queue_line *line, struct sweeping *sweeping, int64_t now, struct weir_err *err)
{
    struct weir_sweep *sweep = &sweeping->sweep;
    char text[WEIR_QUEUE_KEY];
    enum weir_rc rc = WEIR_OK;
    bool first = true;
    struct weir_cursor *cursor = weir_cursor_create(line->queues->store, line->space);
    weir_cursor_seek(cursor, weir_queue_number_key('m', line->floor, text));
    for (int i = 0; i < LOOK_MAX; i++, weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry stored;
        struct weir_queue_meta meta;
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &stored, &have, err);
        if (rc != WEIR_OK || !have || key.p[0] != 'm') {
            break;
        }
        rc = weir_queue_read_meta(stored.value, &meta, err);
        if (rc != WEIR_OK) {
            break;
        }
        if (first) {
            line->floor = weir_queue_key_number(key);
            first = false;
        }
        int64_t end = meta.sent.ms + (int64_t)line->queue->retention_ms;
        if (end <= now && sweep->count < SWEEP_MAX) {
            sweep->sequences[sweep->count++] = weir_queue_key_number(key);
            continue;
        }
        sweeping->next = end < sweeping->next ? end : sweeping->next;
        if (!line->unordered || sweep->count == SWEEP_MAX) {
            break;
        }
    }
    weir_cursor_destroy(cursor);
    return rc;
}

/* Collect de-duplication entries that are too old. */
static enum weir_rc find_dedups(
        struct weir_queue_line *line, struct sweeping *sweeping, int64_t now, struct weir_err *err)
{
    struct weir_sweep *sweep = &sweeping->sweep;
    enum weir_rc rc = WEIR_OK;
    struct weir_cursor *cursor = weir_cursor_create(line->queues->store, line->space);
    for (weir_cursor_seek(cursor, WEIR_STR("e"));; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry stored;
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &stored, &have, err);
        if (rc != WEIR_OK || !have || key.p[0] != 'e' || key.n < WEIR_QUEUE_KEY) {
            break;
        }
        int64_t expires = (int64_t)weir_queue_key_number(key);
        if (expires > now || sweep->dedup_count == SWEEP_MAX) {
            sweeping->next = expires < sweeping->next ? expires : sweeping->next;
            break;
        }
        sweep->dedups[sweep->dedup_count++] = weir_arena_str(&sweeping->work.txn->arena, key);
    }
    weir_cursor_destroy(cursor);
    return rc;
}

enum weir_rc weir_line_sweep(
        struct weir_queue_line *line, struct weir_time now, struct weir_err *err)
{
    struct weir_queues *queues = line->queues;
    if (line->space == 0 || line->sweeping || line->sweep_at > now.ms || queues->stopped) {
        return WEIR_OK;
    }
    if (!weir_clock_guard_trusts(&queues->guard)) {
        line->sweep_at = now.ms + DISTRUST_MS;
        return WEIR_OK;
    }
    struct weir_txn *txn = weir_txn_create();
    struct sweeping *sweeping = WEIR_ARENA_NEW(&txn->arena, struct sweeping);
    struct weir_sweep *sweep = &sweeping->sweep;
    sweeping->work.txn = txn;
    sweeping->work.finished = swept;
    sweeping->line = line;
    sweeping->next = INT64_MAX;
    sweep->space = line->space;
    sweep->retention_ms = line->queue->retention_ms;
    sweep->sequences = weir_arena_zero(&txn->arena, SWEEP_MAX, sizeof(uint64_t));
    enum weir_rc rc = find_old(line, sweeping, now.ms, err);
    if (rc == WEIR_OK && line->queue->fifo) {
        sweep->dedups = weir_arena_zero(&txn->arena, SWEEP_MAX, sizeof(struct weir_str));
        rc = find_dedups(line, sweeping, now.ms, err);
    }
    if (rc != WEIR_OK) {
        weir_txn_destroy(txn);
        return rc;
    }
    int64_t soonest = now.ms + PAUSE_MS;
    sweeping->next = sweeping->next < soonest ? soonest : sweeping->next;
    line->sweep_at = INT64_MAX;
    if (sweep->count == 0 && sweep->dedup_count == 0) {
        line->sweep_at = sweeping->next;
        weir_txn_destroy(txn);
        return WEIR_OK;
    }
    line->sweeping = true;
    weir_queue_sweep(sweep, txn);
    weir_queues_submit(queues, &sweeping->work);
    return WEIR_OK;
}

enum weir_rc weir_line_oldest(
        struct weir_queue_line *line, uint64_t *ret_age_ms, struct weir_err *err)
{
    char text[WEIR_QUEUE_KEY];
    struct weir_str key;
    struct weir_entry stored;
    struct weir_queue_meta meta;
    bool have = false;
    struct weir_cursor *cursor = weir_cursor_create(line->queues->store, line->space);
    weir_cursor_seek(cursor, weir_queue_number_key('m', line->floor, text));
    enum weir_rc rc = weir_cursor_get(cursor, &key, &stored, &have, err);
    *ret_age_ms = 0;
    if (rc == WEIR_OK && have && key.p[0] == 'm') {
        line->floor = weir_queue_key_number(key);
        rc = weir_queue_read_meta(stored.value, &meta, err);
        int64_t now = weir_clock_wall(weir_store_clock(line->queues->store)).ms;
        *ret_age_ms = rc == WEIR_OK && now > meta.sent.ms ? (uint64_t)(now - meta.sent.ms) : 0;
    }
    weir_cursor_destroy(cursor);
    return rc;
}
