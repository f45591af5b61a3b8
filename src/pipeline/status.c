/* What pipelines tell of themselves: gauges and status. */
#include "pipeline/pipeline_int.h"
#include "value/json.h"

struct lag {
    uint64_t waiting;
    int64_t oldest_ms;             /* INT64_MAX: nothing waits */
    const struct weir_lane *stuck; /* one that is blocked, or else paused */
};

static void add_oldest(struct lag *lag, const struct queued *queued)
{
    if (queued != NULL && queued->record.created.ms < lag->oldest_ms) {
        lag->oldest_ms = queued->record.created.ms;
    }
}

static struct lag measure(const struct pipeline *pipeline)
{
    struct lag lag = { .oldest_ms = INT64_MAX };
    WEIR_EACH_LANE(pipeline, lane)
    {
        const struct shard *shard = lane->shard;
        lag.waiting += lane->waiting.count + lane->taken.count;
        add_oldest(&lag, lane->taken.count > 0 ? lane->taken.first : NULL);
        add_oldest(&lag, lane->waiting.count > 0 ? lane->waiting.first : NULL);
        if (!shard->at_end && shard->read_time.ms != 0 && shard->read_time.ms < lag.oldest_ms) {
            lag.oldest_ms = shard->read_time.ms;
        }
        bool stuck = lane->phase == LANE_BLOCKED || lane->phase == LANE_PAUSED;
        if (stuck && (lag.stuck == NULL || lane->phase == LANE_BLOCKED)) {
            lag.stuck = lane;
        }
    }
    return lag;
}

static int64_t age_of(const struct pipeline *pipeline, const struct lag *lag)
{
    if (lag->oldest_ms == INT64_MAX) {
        return 0;
    }
    int64_t now = weir_clock_wall(weir_loop_clock(pipeline->all->loop)).ms;
    return now > lag->oldest_ms ? now - lag->oldest_ms : 0;
}

void weir_pipelines_refresh(struct weir_pipelines *pipelines)
{
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        struct lag lag = measure(p);
        weir_gauge_set(p->age, age_of(p, &lag));
        weir_gauge_set(p->waiting, (int64_t)lag.waiting);
        weir_letter_gauges_refresh(p);
    }
}

/* Whether everything that was committed so far has been read. */
static bool is_at_end(const struct pipeline *pipeline)
{
    WEIR_EACH_LANE(pipeline, lane)
    {
        if (!lane->shard->at_end) {
            return false;
        }
    }
    return !atomic_load(&pipeline->woken);
}

static const struct source *missing_source(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->source_count; i++) {
        if (pipeline->sources[i].table == NULL) {
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
    *ret_reason = "";
    if (pipeline->stopped) {
        return "stopped";
    }
    if (lag->stuck != NULL) {
        *ret_reason = lag->stuck->why.msg;
        return lag->stuck->phase == LANE_BLOCKED ? "blocked" : "retrying";
    }
    if (missing != NULL) {
        *ret_reason = missing->why.msg;
        return "waiting for source";
    }
    return "running";
}

/* The record that a lane is stuck at, and since when. */
static void write_stuck(const struct weir_lane *lane, struct weir_buf *buf)
{
    const struct weir_record *record = &lane->taken.first->record;
    char event_id[WEIR_EVENT_ID_TEXT];
    char sequence[WEIR_SEQUENCE_TEXT];
    char since[WEIR_TIME_TEXT];
    weir_record_event_id(record, event_id);
    weir_sequence_format(record->pos, sequence);
    weir_time_format(lane->stuck_since, since);
    weir_buf_printf(buf,
            ",\"stuck\":{\"event_id\":\"%s\",\"sequence\":\"%s\",\"shard\":%u,\"attempt\":%u,"
            "\"since\":\"%s\"}",
            event_id, sequence, lane->shard->number, lane->attempts.failed + 1, since);
}

static void write_status(const struct pipeline *pipeline, struct weir_buf *buf)
{
    struct lag lag = measure(pipeline);
    const char *reason = NULL;
    const char *state = state_of(pipeline, &lag, &reason);
    weir_buf_z(buf, "{\"name\":");
    weir_json_write_string(buf, pipeline->model->name);
    weir_buf_z(buf, ",\"source\":");
    weir_json_write_string(buf, pipeline->model->tables[0]);
    for (size_t i = 0; pipeline->source_count > 1 && i < pipeline->source_count; i++) {
        weir_buf_z(buf, i == 0 ? ",\"sources\":[" : ",");
        weir_json_write_string(buf, pipeline->model->tables[i]);
    }
    weir_buf_z(buf, pipeline->source_count > 1 ? "]" : "");
    weir_buf_printf(buf,
            ",\"state\":\"%s\",\"records\":%llu,\"filtered\":%llu,\"batches\":%llu,"
            "\"errors\":%llu,\"conflicts\":%llu,\"retries\":%llu,\"waiting\":%llu,\"oldest_"
            "unprocessed_ms\":%lld,"
            "\"at_end\":%s",
            state, (unsigned long long)atomic_load(&pipeline->records->value),
            (unsigned long long)atomic_load(&pipeline->filtered->value),
            (unsigned long long)atomic_load(&pipeline->batches->value),
            (unsigned long long)atomic_load(&pipeline->errors->value),
            (unsigned long long)atomic_load(&pipeline->conflicts->value),
            (unsigned long long)atomic_load(&pipeline->retries->value),
            (unsigned long long)lag.waiting, (long long)age_of(pipeline, &lag),
            is_at_end(pipeline) && lag.waiting == 0 ? "true" : "false");
    if (pipeline->model->dead_letters.n > 0) {
        bool table = pipeline->model->dead_letters_in == WEIR_LETTERS_TABLE;
        weir_buf_printf(buf, ",\"dead_letters\":{\"%s\":", table ? "table" : "queue");
        weir_json_write_string(buf, pipeline->model->dead_letters);
        weir_buf_byte(buf, '}');
    }
    if (reason[0] != '\0') {
        weir_buf_z(buf, ",\"reason\":");
        weir_json_write_string(buf, weir_str_z(reason));
    }
    if (lag.stuck != NULL && lag.stuck->taken.count > 0) {
        write_stuck(lag.stuck, buf);
    }
    weir_buf_byte(buf, '}');
}

void weir_pipelines_status(struct weir_pipelines *pipelines, struct weir_buf *buf)
{
    weir_buf_byte(buf, '[');
    for (const struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        if (p != pipelines->first) {
            weir_buf_byte(buf, ',');
        }
        write_status(p, buf);
    }
    weir_buf_byte(buf, ']');
}
