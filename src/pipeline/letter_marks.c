/*
 * Which letters of a file have been dealt with. Lines stay in their file, so an entry of
 * WEIR_SPACE_LETTER says it: the key is the pipeline's name, a zero byte and the record's sequence,
 * the value a time in ms since 1970, 8 bytes, little-endian. Letters about that record that failed
 * before then are done; one that fails again after a redrive has a later time.
 */
#include <string.h>

#include "pipeline/pipeline_int.h"

static struct weir_str mark_key(
        struct weir_arena *arena, struct weir_str pipeline, struct weir_str sequence)
{
    return weir_arena_printf(
            arena, "%.*s%c%.*s", WEIR_STR_ARG(pipeline), '\0', WEIR_STR_ARG(sequence));
}

/* Whether an entry says that a letter which failed at a time is done. */
static bool covers(const struct weir_entry *entry, struct weir_str timestamp)
{
    struct weir_time failed = { 0 };
    int64_t before_ms = 0;
    if (entry->value.n != sizeof(before_ms) || !weir_time_parse(timestamp, &failed)) {
        return false;
    }
    memcpy(&before_ms, entry->value.p, sizeof(before_ms));
    return failed.ms < before_ms;
}

enum weir_rc weir_letter_mark_look(struct weir_pipelines *pipelines,
        const struct weir_letter *letter, struct weir_arena *arena, bool *ret_done,
        struct weir_err *err)
{
    struct weir_entry entry;
    struct weir_str key = mark_key(arena, letter->pipeline, letter->sequence);
    enum weir_rc rc = weir_store_get(pipelines->store, WEIR_SPACE_LETTER, key, arena, &entry, err);
    *ret_done = rc == WEIR_OK && covers(&entry, letter->timestamp);
    return rc;
}

static void put_mark(struct weir_txn *txn, struct weir_str key, struct weir_time before)
{
    struct weir_str value =
            weir_arena_str(&txn->arena, weir_str((const char *)&before.ms, sizeof(before.ms)));
    weir_txn_put(txn, WEIR_SPACE_LETTER, key, value);
}

void weir_letter_mark_put(
        struct weir_txn *txn, const struct weir_letter *letter, struct weir_time now)
{
    struct weir_time failed = { 0 };
    bool in_future = weir_time_parse(letter->timestamp, &failed) && failed.ms >= now.ms;
    struct weir_time before = { in_future ? failed.ms + 1 : now.ms };
    put_mark(txn, mark_key(&txn->arena, letter->pipeline, letter->sequence), before);
}

enum weir_rc weir_letter_mark_take(
        struct weir_lane *lane, const struct queued *queued, bool *ret_gone, struct weir_err *err)
{
    struct weir_txn *txn = lane->batch.txn;
    struct weir_entry entry;
    char sequence[WEIR_SEQUENCE_TEXT];
    weir_sequence_format(queued->record.pos, sequence);
    struct weir_str key = mark_key(&txn->arena, lane->pipeline->model->name, weir_str_z(sequence));
    enum weir_rc rc =
            weir_txn_get(txn, lane->pipeline->all->store, WEIR_SPACE_LETTER, key, &entry, err);
    *ret_gone = rc == WEIR_OK && covers(&entry, queued->token);
    if (rc == WEIR_OK && !*ret_gone) {
        put_mark(txn, key, queued->given);
    }
    return rc;
}
