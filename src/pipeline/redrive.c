/* Dead letters back into their pipeline. */
#include "pipeline/pipeline_int.h"
#include "value/json.h"

struct redrive {
    struct pipeline *pipeline;
    struct source *source; /* of the letter at hand */
    const struct weir_redrive *asked;
    struct weir_arena arena;
    const struct weir_table *letters;
    size_t given;
    size_t stale;
    enum weir_rc rc;
    struct weir_err *err;
};

/* The letter's record, in the arena; its source is the pipeline's. */
static enum weir_rc read_record(
        struct redrive *redrive, struct weir_item letter, struct weir_record *ret_record)
{
    struct weir_str text = weir_value_str(weir_item_get(letter, WEIR_STR("record")));
    struct weir_json json;
    weir_json_init(
            &json, weir_arena_str(&redrive->arena, text), &redrive->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), ret_record, redrive->err);
    if (rc != WEIR_OK) {
        return weir_fail_in(redrive->err, WEIR_E_DAMAGED, "the record of a dead letter: ");
    }
    ret_record->source = &redrive->source->table->source;
    return WEIR_OK;
}

static enum weir_rc is_stale(struct redrive *redrive, const struct weir_record *record,
        struct weir_str key, bool *ret_stale)
{
    struct weir_entry now;
    enum weir_rc rc = weir_store_get(redrive->pipeline->all->store, redrive->source->table->space,
            key, &redrive->arena, &now, redrive->err);
    bool removed = now.pos.seq == 0 && record->event != WEIR_EVENT_REMOVE;
    *ret_stale = rc == WEIR_OK && (removed || now.pos.seq > record->pos.seq);
    return rc;
}

/* The source that a letter's record came from. */
static enum weir_rc find_source(struct redrive *redrive, struct weir_item letter)
{
    struct pipeline *pipeline = redrive->pipeline;
    struct weir_str name = weir_value_str(weir_item_get(letter, WEIR_STR("table")));
    for (size_t i = 0; i < pipeline->source_count; i++) {
        if (weir_str_eq(pipeline->sources[i].name, name) && pipeline->sources[i].table != NULL) {
            redrive->source = &pipeline->sources[i];
            return WEIR_OK;
        }
    }
    return weir_fail(redrive->err, WEIR_E_INVALID,
            "pipeline '%.*s' does not read table '%.*s' now, which a dead letter is about",
            WEIR_STR_ARG(pipeline->model->name), WEIR_STR_ARG(name));
}

static enum weir_rc give_back(struct redrive *redrive, struct weir_item letter)
{
    struct weir_record record;
    struct weir_str key;
    struct weir_str letter_key;
    bool stale = false;
    enum weir_rc rc = find_source(redrive, letter);
    if (rc == WEIR_OK) {
        rc = read_record(redrive, letter, &record);
    }
    if (rc == WEIR_OK) {
        rc = weir_table_exact_key(
                redrive->source->table, record.keys, &redrive->arena, &key, redrive->err);
    }
    if (rc == WEIR_OK) {
        rc = weir_table_key(redrive->letters, letter, &redrive->arena, &letter_key, redrive->err);
    }
    if (rc == WEIR_OK && !redrive->asked->stale) {
        rc = is_stale(redrive, &record, key, &stale);
    }
    if (rc != WEIR_OK || stale) {
        redrive->stale += stale;
        return rc;
    }
    record.shard = weir_table_shard(redrive->source->table, key);
    struct weir_lane *lane = weir_shard_lane(&redrive->source->shards[record.shard], key);
    weir_lane_give(lane, weir_queued_create(&record, key, 0, &weir_origin_letter, letter_key));
    weir_lane_consider(lane);
    redrive->given++;
    return WEIR_OK;
}

static bool each_letter(void *arg, struct weir_item letter)
{
    struct redrive *redrive = arg;
    redrive->rc = give_back(redrive, letter);
    return redrive->rc == WEIR_OK;
}

static enum weir_rc redrive_letters(struct redrive *redrive)
{
    struct pipeline *pipeline = redrive->pipeline;
    struct weir_item_builder *builder = weir_item_begin(&redrive->arena);
    weir_item_name(builder, WEIR_STR("p"));
    weir_item_s(builder, pipeline->model->name);
    weir_item_name(builder, WEIR_STR("s"));
    weir_item_s(builder, redrive->asked->sequence);
    struct weir_item values;
    enum weir_rc rc = weir_item_finish(builder, &values, redrive->err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_key_range range = {
        .partition = { weir_item_get(values, WEIR_STR("p")) },
        .partition_count = 1,
        .equal = { weir_item_get(values, WEIR_STR("s")) },
        .equal_count = redrive->asked->sequence.n > 0 ? 1 : 0,
    };
    struct weir_query query = {
        .table = redrive->letters,
        .range = &range,
        .limit = WEIR_REDRIVE_MAX,
        .max_bytes = SIZE_MAX,
    };
    struct weir_query_result result;
    rc = weir_table_query(pipeline->all->tables, &query, &redrive->arena, each_letter, redrive,
            &result, redrive->err);
    if (rc == WEIR_OK && redrive->rc == WEIR_OK && result.scanned == 0 &&
            redrive->asked->sequence.n > 0) {
        rc = weir_fail(redrive->err, WEIR_E_NOT_FOUND, "pipeline %.*s has no dead letter %.*s",
                WEIR_STR_ARG(pipeline->model->name), WEIR_STR_ARG(redrive->asked->sequence));
    }
    return rc == WEIR_OK ? redrive->rc : rc;
}

enum weir_rc weir_pipelines_redrive(struct weir_pipelines *pipelines,
        const struct weir_redrive *asked, size_t *ret_given, size_t *ret_stale,
        struct weir_err *err)
{
    struct redrive redrive = { .asked = asked, .err = err };
    redrive.pipeline = weir_pipeline_find(pipelines, asked->pipeline);
    if (redrive.pipeline == NULL) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "there is no pipeline '%.*s'",
                WEIR_STR_ARG(asked->pipeline));
    }
    struct weir_str letters = redrive.pipeline->model->dead_letters;
    if (letters.n == 0 || pipelines->stopping) {
        return weir_fail(err, WEIR_E_INVALID, "pipeline '%.*s' %s", WEIR_STR_ARG(asked->pipeline),
                letters.n == 0 ? "keeps no dead letters: it has no on_failure"
                               : "does not run now");
    }
    enum weir_rc rc = weir_tables_get(pipelines->tables, letters, &redrive.letters, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_arena_init(&redrive.arena);
    rc = redrive_letters(&redrive);
    weir_arena_fini(&redrive.arena);
    weir_table_unref(redrive.letters);
    *ret_given = redrive.given;
    *ret_stale = redrive.stale;
    return rc;
}
