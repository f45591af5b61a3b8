/* What pipelines tell of themselves. */
#include "pipeline/pipeline_int.h"
#include "value/ddbjson.h"
#include "value/json.h"

/* Whether everything that was committed so far has been read. */
static bool is_at_end(const struct pipeline *pipeline, const struct lag *lag)
{
    WEIR_EACH_LANE(pipeline, lane)
    {
        bool of_queue = lane->shard->source->of_queue;
        if (of_queue ? lag->behind.most > 0 : !lane->shard->at_end) {
            return false;
        }
    }
    return pipeline->untold == 0 && !atomic_load(&pipeline->woken);
}

static const struct source *missing_source(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->source_count; i++) {
        if (!weir_source_is_there(&pipeline->sources[i])) {
            return &pipeline->sources[i];
        }
    }
    return NULL;
}

/* What keeps the pipeline from going on, if anything does. */
static const char *state_of(
        const struct pipeline *pipeline, const struct lag *lag, const char **ret_reason)
{
    const struct source *missing = missing_source(pipeline);
    const struct weir_err *untold = weir_gaps_blocked(pipeline);
    *ret_reason = "";
    if (pipeline->stopped) {
        return "stopped";
    }
    if (lag->stuck != NULL) {
        *ret_reason = lag->stuck->why.msg;
        return lag->stuck->stuck_as == LANE_BLOCKED ? "blocked" : "retrying";
    }
    if (missing != NULL) {
        *ret_reason = missing->why.msg;
        return "waiting for source";
    }
    if (untold != NULL) {
        *ret_reason = untold->msg;
        return "blocked";
    }
    return pipeline->gaps != NULL ? "trimmed" : "running";
}

/* The record that a lane is stuck at, since when, why, and when it is tried again. */
static void write_stuck(const struct weir_lane *lane, struct weir_buf *buf)
{
    const struct weir_record *record = &lane->taken.first->record;
    char event_id[WEIR_EVENT_ID_TEXT];
    char sequence[WEIR_SEQUENCE_TEXT];
    char since[WEIR_TIME_TEXT];
    char next[WEIR_TIME_TEXT];
    weir_record_event_id(record, event_id);
    weir_sequence_format(record->pos, sequence);
    weir_time_format(lane->stuck_since, since);
    weir_time_format(lane->next_attempt, next);
    weir_buf_z(buf, ",\"stuck\":{\"table\":");
    weir_json_write_string(buf, record->source->table);
    weir_buf_z(buf, ",\"keys\":");
    weir_ddbjson_write_item(buf, record->keys);
    weir_buf_printf(buf,
            ",\"event_id\":\"%s\",\"sequence\":\"%s\",\"shard\":%u,\"attempt\":%u,"
            "\"since\":\"%s\",\"next_attempt\":\"%s\",\"reason\":",
            event_id, sequence, lane->shard->number, lane->attempts.failed + 1, since, next);
    weir_json_write_string(buf, weir_str_z(lane->why.msg));
    weir_buf_byte(buf, '}');
}

static bool is_stuck(const struct weir_lane *lane)
{
    return lane->why.code != WEIR_OK && lane->taken.count > 0;
}

static const char *phase_name(enum lane_phase phase)
{
    static const char *const names[] = {
        [LANE_WAITING] = "waiting",
        [LANE_QUEUED] = "queued",
        [LANE_RUNNING] = "running",
        [LANE_PENDING] = "pending",
        [LANE_COMMITTING] = "committing",
        [LANE_BLOCKED] = "blocked",
        [LANE_PAUSED] = "paused",
    };
    return names[phase];
}

/* The window that is open in the lane's shard. */
static void write_window(const struct weir_lane *lane, struct weir_buf *buf)
{
    char start[WEIR_TIME_TEXT];
    char end[WEIR_TIME_TEXT];
    weir_time_format(lane->window.start, start);
    weir_time_format(lane->window.end, end);
    weir_buf_printf(buf, ",\"window\":{\"start\":\"%s\",\"end\":\"%s\"}", start, end);
}

static void write_lane(const struct weir_lane *lane, struct weir_buf *buf)
{
    struct lag lag;
    char position[WEIR_SEQUENCE_TEXT];
    weir_lane_lag(lane, &lag);
    weir_sequence_format(lane->position, position);
    weir_buf_z(buf, "{\"table\":");
    weir_json_write_string(buf, lane->shard->source->name);
    weir_buf_printf(buf,
            ",\"shard\":%u,\"first_slot\":%u,\"slots\":%u,\"phase\":\"%s\",\"position\":\"%s\","
            "\"waiting\":%llu,\"oldest_unprocessed_ms\":%lld",
            lane->shard->number, lane->first_slot, lane->slot_count, phase_name(lane->phase),
            position, (unsigned long long)lag.waiting,
            (long long)weir_lag_age(lane->pipeline, &lag));
    if (lane->window.end.ms != 0) {
        write_window(lane, buf);
    }
    if (is_stuck(lane)) {
        write_stuck(lane, buf);
    }
    weir_buf_byte(buf, '}');
}

static void write_lanes(const struct pipeline *pipeline, struct weir_buf *buf)
{
    const char *comma = "";
    weir_buf_z(buf, ",\"lanes\":[");
    WEIR_EACH_LANE(pipeline, lane)
    {
        weir_buf_z(buf, comma);
        write_lane(lane, buf);
        comma = ",";
    }
    weir_buf_byte(buf, ']');
}

static void write_lag(const struct pipeline *pipeline, const struct lag *lag, struct weir_buf *buf)
{
    weir_buf_printf(buf,
            ",\"waiting\":%llu,\"oldest_unprocessed_ms\":%lld,\"records_behind\":%llu,"
            "\"records_behind_least\":%llu,\"at_end\":%s",
            (unsigned long long)lag->waiting, (long long)weir_lag_age(pipeline, lag),
            (unsigned long long)lag->behind.most, (unsigned long long)lag->behind.least,
            is_at_end(pipeline, lag) && lag->waiting == 0 && pipeline->job == NULL ? "true"
                                                                                   : "false");
}

/* Items whose records wait for a failed one. */
static void write_quarantine(const struct pipeline *pipeline, struct weir_buf *buf)
{
    size_t items = 0;
    size_t records = 0;
    weir_quarantine_numbers(pipeline, &items, &records);
    if (items > 0) {
        weir_buf_printf(buf, ",\"quarantine\":{\"keys\":%zu,\"records\":%zu}", items, records);
    }
}

/* How much may still be written, and how long that takes, until records are lost. */
static void write_room(struct pipeline *pipeline, struct weir_buf *buf)
{
    struct room room;
    weir_pipeline_room(pipeline, &room);
    if (room.log.bound_bytes == UINT64_MAX) {
        return;
    }
    weir_buf_printf(buf, ",\"log_room\":{\"bytes\":%llu,\"bound_bytes\":%llu,\"half_used\":%s",
            (unsigned long long)room.log.bytes, (unsigned long long)room.log.bound_bytes,
            pipeline->short_of_room ? "true" : "false");
    if (room.ms != INT64_MAX) {
        weir_buf_printf(buf, ",\"seconds\":%lld", (long long)(room.ms / 1000));
    }
    weir_buf_byte(buf, '}');
}

static void write_counts(const struct pipeline *pipeline, struct weir_buf *buf)
{
    const struct {
        const char *name;
        const struct weir_counter *counter;
    } counts[] = {
        { "records", pipeline->records },
        { "filtered", pipeline->filtered },
        { "batches", pipeline->batches },
        { "errors", pipeline->errors },
        { "conflicts", pipeline->conflicts },
        { "retries", pipeline->retries },
        { "read_units", pipeline->read_units },
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        weir_buf_printf(buf, ",\"%s\":%llu", counts[i].name,
                (unsigned long long)atomic_load(&counts[i].counter->value));
    }
}

static void write_sources(const struct weir_pipeline_model *model, struct weir_buf *buf)
{
    weir_buf_z(buf, ",\"source\":");
    weir_json_write_string(buf, weir_pipeline_model_source(model));
    for (size_t i = 0; model->table_count > 1 && i < model->table_count; i++) {
        weir_buf_z(buf, i == 0 ? ",\"sources\":[" : ",");
        weir_json_write_string(buf, model->tables[i]);
    }
    weir_buf_z(buf, model->table_count > 1 ? "]" : "");
}

static void write_status(struct pipeline *pipeline, bool lanes, struct weir_buf *buf)
{
    struct lag lag;
    const char *reason = NULL;
    weir_gaps_look_again(pipeline);
    weir_pipeline_lag(pipeline, &lag);
    const char *state = state_of(pipeline, &lag, &reason);
    weir_buf_z(buf, "{\"name\":");
    weir_json_write_string(buf, pipeline->model->name);
    write_sources(pipeline->model, buf);
    weir_buf_printf(buf, ",\"state\":\"%s\"", state);
    write_counts(pipeline, buf);
    write_lag(pipeline, &lag, buf);
    write_quarantine(pipeline, buf);
    write_room(pipeline, buf);
    if (pipeline->model->dead_letters.n > 0) {
        static const char *const places[] = {
            [WEIR_LETTERS_NOWHERE] = "",
            [WEIR_LETTERS_TABLE] = "table",
            [WEIR_LETTERS_QUEUE] = "queue",
            [WEIR_LETTERS_FILE] = "file",
            [WEIR_LETTERS_HTTP] = "http",
        };
        weir_buf_printf(
                buf, ",\"dead_letters\":{\"%s\":", places[pipeline->model->dead_letters_in]);
        weir_json_write_string(buf, pipeline->model->dead_letters);
        weir_buf_byte(buf, '}');
    }
    if (reason[0] != '\0') {
        weir_buf_z(buf, ",\"reason\":");
        weir_json_write_string(buf, weir_str_z(reason));
    }
    if (lag.stuck != NULL && is_stuck(lag.stuck)) {
        write_stuck(lag.stuck, buf);
    }
    weir_job_write(pipeline, buf);
    if (pipeline->gaps != NULL) {
        weir_buf_byte(buf, ',');
        weir_gaps_write(pipeline, buf);
    }
    if (lanes) {
        write_lanes(pipeline, buf);
    }
    weir_buf_byte(buf, '}');
}

static void write_all(struct weir_pipelines *pipelines, bool lanes, struct weir_buf *buf)
{
    weir_buf_byte(buf, '[');
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        weir_buf_z(buf, p != pipelines->first ? "," : "");
        write_status(p, lanes, buf);
    }
    weir_buf_byte(buf, ']');
}

void weir_pipelines_status(struct weir_pipelines *pipelines, struct weir_buf *buf)
{
    write_all(pipelines, false, buf);
}

void weir_pipelines_status_lanes(struct weir_pipelines *pipelines, struct weir_buf *buf)
{
    write_all(pipelines, true, buf);
}
