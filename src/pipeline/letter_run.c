/*
 * Letters of deferred runs: what a record that a step had put off stands for is kept with its
 * letter, and made again of it when the letter is redriven, so that it runs as it did.
 *
 * It is a map with the texts and numbers of struct burst. Records and values are texts of JSON,
 * since there is no telling how deep they are nested. The last record is the letter's own payload;
 * the first one is there when it is another.
 */
#include "base/mem.h"
#include "pipeline/deferred_int.h"
#include "value/ddbjson.h"
#include "value/json.h"
#include "value/member.h"

enum { JSON_MAX_BYTES = 64 * 1024 * 1024 };

/* A run that came back from a letter. */
struct letter_run {
    struct weir_arena arena;
    struct deferred_run run;
};

/* --- into a letter --------------------------------------------------------------------------- */

static void put_time(struct weir_item_builder *builder, const char *name, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    weir_time_format(time, text);
    weir_member_put_s(builder, name, weir_str_z(text));
}

static void put_json(struct weir_item_builder *builder, const char *name, struct weir_item item)
{
    struct weir_buf json;
    weir_buf_init(&json, JSON_MAX_BYTES);
    weir_ddbjson_write_item(&json, item);
    weir_member_put_s(builder, name, weir_buf_view(&json));
    weir_buf_fini(&json);
}

static void put_first(const struct pipeline *pipeline, struct weir_item_builder *builder,
        const struct burst_record *first, enum weir_letter_images images)
{
    const struct weir_record_source unknown = { .table = first->table };
    const struct source *source = weir_source_of(pipeline, first->table);
    struct weir_record record = first->record;
    struct weir_buf json;
    record.source = source != NULL ? &source->table->source : &unknown;
    weir_letter_leave_images(&record, images);
    weir_buf_init(&json, JSON_MAX_BYTES);
    weir_record_write(&json, &record, WEIR_RECORD_LAMBDA);
    weir_member_put_s(builder, "first", weir_buf_view(&json));
    weir_buf_fini(&json);
    weir_member_put_s(builder, "first_table", first->table);
    put_time(builder, "first_at", record.created);
}

struct weir_item weir_letter_run_item(
        struct weir_lane *lane, const struct queued *queued, enum weir_letter_images images)
{
    const struct deferred_run *run = weir_queued_run(lane->pipeline, queued);
    if (run == NULL) {
        return (struct weir_item){ 0 };
    }
    const struct burst *burst = &run->burst;
    struct weir_item_builder *builder = weir_item_begin(&lane->arena);
    weir_member_put_s(builder, "step", run->step);
    weir_member_put_s(builder, "key", run->shown.key);
    weir_member_put_u64(builder, "count", burst->count);
    put_time(builder, "since", burst->since);
    put_time(builder, "latest", burst->latest);
    put_time(builder, "due", burst->due);
    put_time(builder, "last_at", burst->last.record.created);
    if (burst->first.record.pos.seq != burst->last.record.pos.seq) {
        put_first(lane->pipeline, builder, &burst->first, images);
    }
    if (burst->merged.values.n > 0) {
        put_json(builder, "merged", burst->merged.values);
        put_json(builder, "merged_of", burst->merged.positions);
    }
    return weir_member_finish(builder);
}

/* --- out of one ------------------------------------------------------------------------------ */

static enum weir_rc read_time(
        struct weir_item item, const char *name, struct weir_time *ret_time, struct weir_err *err)
{
    return weir_time_parse(weir_member_s(item, name), ret_time)
                   ? WEIR_OK
                   : weir_fail(err, WEIR_E_INVALID, "%s is no time", name);
}

static enum weir_rc read_json(struct letter_run *made, struct weir_item item, const char *name,
        struct weir_item *ret_item, struct weir_err *err)
{
    struct weir_str text = weir_member_s(item, name);
    struct weir_json json;
    if (text.n == 0) {
        return WEIR_OK;
    }
    weir_json_init(&json, text, &made->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_ddbjson_read_item(&json, weir_json_next(&json), ret_item, err);
    return rc != WEIR_OK ? weir_fail_in(err, rc, "%s: ", name) : rc;
}

static enum weir_rc read_first(const struct pipeline *pipeline, struct letter_run *made,
        struct weir_item item, struct weir_err *err)
{
    struct burst_record *first = &made->run.burst.first;
    struct weir_json json;
    struct weir_str table = weir_member_s(item, "first_table");
    const struct source *source = weir_source_of(pipeline, table);
    if (source == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "the pipeline does not read its first table '%.*s' now", WEIR_STR_ARG(table));
    }
    first->table = source->name;
    weir_json_init(&json, weir_member_s(item, "first"), &made->arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_record_read(&json, weir_json_next(&json), &first->record, err);
    if (rc == WEIR_OK) {
        first->record.source = NULL; /* as of every first record */
        rc = weir_table_exact_key(
                source->table, first->record.keys, &made->arena, &first->key, err);
    }
    if (rc == WEIR_OK) {
        rc = read_time(item, "first_at", &first->record.created, err);
    }
    return rc != WEIR_OK ? weir_fail_in(err, rc, "first: ") : rc;
}

/* All but the last record. */
static enum weir_rc read_burst(const struct pipeline *pipeline, struct letter_run *made,
        struct weir_item item, struct weir_err *err)
{
    struct burst *burst = &made->run.burst;
    burst->count = weir_member_u64(item, "count");
    if (burst->count == 0) {
        return weir_fail(err, WEIR_E_INVALID, "count is missing");
    }
    enum weir_rc rc = read_time(item, "since", &burst->since, err);
    if (rc == WEIR_OK) {
        rc = read_time(item, "latest", &burst->latest, err);
    }
    if (rc == WEIR_OK) {
        rc = read_time(item, "due", &burst->due, err);
    }
    if (rc == WEIR_OK) {
        rc = read_json(made, item, "merged", &burst->merged.values, err);
    }
    if (rc == WEIR_OK) {
        rc = read_json(made, item, "merged_of", &burst->merged.positions, err);
    }
    if (rc == WEIR_OK && weir_member_s(item, "first").n > 0) {
        rc = read_first(pipeline, made, item, err);
    }
    return rc;
}

static const struct weir_step *find_step(const struct pipeline *pipeline, struct weir_str id)
{
    const struct weir_pipeline_model *model = pipeline->model;
    for (size_t i = 0; i < model->step_count; i++) {
        if (model->steps[i]->ops->defers && weir_str_eq(model->steps[i]->id, id)) {
            return model->steps[i];
        }
    }
    return NULL;
}

static void destroy(struct letter_run *made)
{
    weir_arena_fini(&made->arena);
    weir_free(made);
}

enum weir_rc weir_letter_run_give(const struct pipeline *pipeline, const struct weir_letter *letter,
        struct queued *queued, struct weir_err *err)
{
    struct weir_str id = weir_member_s(letter->burst, "step");
    const struct weir_step *step = find_step(pipeline, id);
    if (step == NULL) {
        return weir_fail(err, WEIR_E_INVALID,
                "it is a run that step '%.*s' had put off, which the pipeline does not have now: "
                "put the step back, or skip the letter",
                WEIR_STR_ARG(id));
    }
    struct letter_run *made = weir_alloc_zero(1, sizeof(*made));
    struct burst *burst = &made->run.burst;
    weir_arena_init(&made->arena);
    struct weir_str bytes =
            weir_arena_str(&made->arena, weir_str(letter->burst.p, letter->burst.n));
    struct weir_item item = { bytes.p, bytes.n };
    enum weir_rc rc = read_burst(pipeline, made, item, err);
    if (rc == WEIR_OK) {
        rc = read_time(item, "last_at", &queued->record.created, err);
    }
    if (rc != WEIR_OK) {
        destroy(made);
        return weir_fail_in(err, WEIR_E_INVALID, "its burst cannot be read: ");
    }
    burst->hops = queued->hops;
    burst->last = (struct burst_record){
        .table = queued->record.source->table,
        .key = queued->key,
        .record = queued->record,
    };
    if (burst->first.table.n == 0) {
        burst->first = burst->last;
    }
    made->run.step = step->id;
    weir_deferred_run_show(&made->run, weir_member_s(item, "key"));
    queued->first_step = step->index;
    queued->now = burst->due;
    queued->of_origin = made;
    return WEIR_OK;
}

const struct deferred_run *weir_letter_run_of(const struct queued *queued)
{
    const struct letter_run *made = queued->of_origin;
    return made != NULL ? &made->run : NULL;
}

void weir_letter_run_left(struct queued *queued, bool settled)
{
    struct letter_run *made = WEIR_TAKE(queued->of_origin);
    (void)settled;
    if (made != NULL) {
        destroy(made);
    }
}
