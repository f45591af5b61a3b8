/* Dead letters back into their pipeline. */
#include "base/crash.h"
#include "pipeline/deferred_int.h"
#include "value/json.h"

struct redrive {
    struct pipeline *pipeline;
    const struct weir_letters *asked;
    struct weir_time now;
    struct weir_arena arena; /* of the letter at hand */
    struct weir_redriven *done;
};

/* The letter's record, in the arena. */
static enum weir_rc read_record(struct redrive *redrive, const struct weir_letter *letter,
        struct weir_record *ret_record, struct weir_err *err)
{
    struct weir_json json;
    struct weir_str text = weir_arena_str(&redrive->arena, letter->payload);
    weir_json_init(&json, text, &redrive->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token object = weir_json_next(&json);
    enum weir_json_token name = weir_json_next(&json);
    bool named = name == WEIR_JSON_NAME && weir_str_eq(json.text, WEIR_STR("Records"));
    enum weir_json_token array = weir_json_next(&json);
    if (object != WEIR_JSON_OBJECT || !named || array != WEIR_JSON_ARRAY) {
        return weir_fail(err, WEIR_E_DAMAGED, "its payload is no {\"Records\":[...]}");
    }
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), ret_record, err);
    return rc != WEIR_OK ? weir_fail_in(err, rc, "its record cannot be read: ") : rc;
}

/* The source that a letter's record came from. */
static enum weir_rc find_source(const struct redrive *redrive, const struct weir_letter *letter,
        const struct source **ret_source, struct weir_err *err)
{
    *ret_source = weir_source_of(redrive->pipeline, letter->table);
    return *ret_source != NULL ? WEIR_OK
                               : weir_fail(err, WEIR_E_INVALID,
                                         "the pipeline does not read its table '%.*s' now",
                                         WEIR_STR_ARG(letter->table));
}

static enum weir_rc is_stale(struct redrive *redrive, const struct source *source,
        const struct weir_record *record, struct weir_str key, bool *ret_stale,
        struct weir_err *err)
{
    struct weir_entry now;
    enum weir_rc rc = weir_store_get(
            redrive->pipeline->all->store, source->table->space, key, &redrive->arena, &now, err);
    *ret_stale = rc == WEIR_OK && weir_record_is_stale(record, &now, false);
    return rc;
}

/* Whether a letter about the record at a position is in a list. */
static bool is_listed(const struct queued_list *list, struct weir_pos pos)
{
    const struct queued *queued = list->count > 0 ? list->first : NULL;
    while (queued != NULL &&
            (queued->origin != &weir_origin_letter || queued->record.pos.seq != pos.seq)) {
        queued = queued->next;
    }
    return queued != NULL;
}

static enum weir_rc give_back(
        struct redrive *redrive, const struct weir_letter *letter, struct weir_err *err)
{
    const struct source *source = NULL;
    struct weir_record record = { 0 };
    struct weir_str key = { 0 };
    bool stale = false;
    if (letter->gap.n > 0) {
        return weir_fail(err, WEIR_E_INVALID,
                "it is about records that are lost: make up for them (`weir rebuild`), or skip it");
    }
    if (letter->incomplete) {
        return weir_fail(err, WEIR_E_INVALID,
                "it does not hold the whole record, which was too large for where it is kept");
    }
    enum weir_rc rc = find_source(redrive, letter, &source, err);
    if (rc == WEIR_OK) {
        rc = read_record(redrive, letter, &record, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_table_exact_key(source->table, record.keys, &redrive->arena, &key, err);
    }
    bool awaited = rc == WEIR_OK && weir_quarantine_awaits(source, key, record.pos);
    if (rc == WEIR_OK && !redrive->asked->stale && !awaited) {
        rc = is_stale(redrive, source, &record, key, &stale, err);
    }
    if (rc != WEIR_OK || stale) {
        redrive->done->stale += stale;
        return rc;
    }
    record.source = &source->table->source;
    record.shard = weir_table_shard(source->table, key);
    struct weir_lane *lane = weir_shard_lane(&source->shards[record.shard], key);
    if (!is_listed(&lane->waiting, record.pos) && !is_listed(&lane->taken, record.pos)) {
        struct queued *queued =
                weir_queued_create(&record, key, 0, &weir_origin_letter, letter->token);
        queued->given = redrive->now;
        if (letter->burst.n > 0) {
            rc = weir_letter_run_give(redrive->pipeline, letter, queued, err);
        }
        if (rc != WEIR_OK) {
            weir_queued_destroy(queued, false);
            return rc;
        }
        weir_lane_give(lane, queued);
        weir_lane_consider(lane);
    }
    redrive->done->given++;
    weir_crash_point("redrive.given");
    return WEIR_OK;
}

static bool each_letter(void *arg, const struct weir_letter *letter)
{
    struct redrive *redrive = arg;
    struct weir_err err = { 0 };
    if (letter->taken) {
        redrive->done->taken++;
        return true;
    }
    if (give_back(redrive, letter, &err) != WEIR_OK) {
        redrive->done->refused++;
        redrive->done->why = err;
    }
    weir_arena_reset(&redrive->arena);
    return true;
}

enum weir_rc weir_pipelines_redrive(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        struct weir_redriven *ret_redriven, struct weir_err *err)
{
    struct weir_redriven done = { 0 };
    struct redrive redrive = { .asked = letters, .done = &done };
    enum weir_rc rc = weir_letters_find(pipelines, letters, &redrive.pipeline, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    redrive.now = weir_clock_wall(weir_loop_clock(pipelines->loop));
    weir_time_format(redrive.now, done.time);
    weir_arena_init(&redrive.arena);
    rc = weir_pipelines_letters(pipelines, letters, arena, each_letter, &redrive, &done.next, err);
    weir_arena_fini(&redrive.arena);
    size_t found = done.given + done.stale + done.taken + done.refused;
    bool one = letters->sequence.n > 0;
    if (rc == WEIR_OK && one && done.refused > 0) {
        *err = done.why;
        return weir_fail_in(err, WEIR_E_INVALID,
                "dead letter %.*s cannot be processed: ", WEIR_STR_ARG(letters->sequence));
    }
    bool all = done.next.n == 0 && letters->after.n == 0 && letters->lines.n == 0;
    if (rc == WEIR_OK && one && found == 0 && all) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "pipeline %.*s has no dead letter %.*s",
                WEIR_STR_ARG(letters->pipeline), WEIR_STR_ARG(letters->sequence));
    }
    *ret_redriven = done;
    return rc;
}
