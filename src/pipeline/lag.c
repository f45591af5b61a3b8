/*
 * How far behind pipelines are: records that are not done and their age, and the room that is left
 * until the log must let go of what they need.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/logline.h"
#include "pipeline/pipeline_int.h"

static const uint64_t second_ns = 1000ull * 1000 * 1000;

enum { SAMPLE_S = 10, WINDOW_S = 300, TEN_YEARS_S = 315360000 };

/* --- records -------------------------------------------------------------------------- */

/* Records that come from elsewhere (a redrive, a replay) say nothing about the streams. */
static void add_list(struct lag *lag, const struct queued_list *list)
{
    lag->waiting += list->count;
    const struct queued *queued = list->first;
    for (size_t i = 0; i < list->count; i++, queued = queued->next) {
        if (queued->origin != NULL && queued->origin != &weir_origin_message) {
            continue;
        }
        lag->behind.least++;
        lag->behind.most++;
        if (queued->now.ms < lag->oldest_ms) {
            lag->oldest_ms = queued->now.ms;
        }
    }
}

static void add_lane(struct lag *lag, const struct weir_lane *lane)
{
    add_list(lag, &lane->taken);
    add_list(lag, &lane->waiting);
    if (lane->why.code != WEIR_OK && (lag->stuck == NULL || lane->stuck_as == LANE_BLOCKED)) {
        lag->stuck = lane;
    }
}

/* Messages that wait in the queue, not those that somebody else has in hand. */
static void add_queue(struct lag *lag, const struct source *source)
{
    uint64_t messages = 0;
    int64_t oldest_ms = INT64_MAX;
    weir_intake_numbers(source, &messages, &oldest_ms);
    lag->behind.least += messages;
    lag->behind.most += messages;
    lag->oldest_ms = oldest_ms < lag->oldest_ms ? oldest_ms : lag->oldest_ms;
}

static void add_shard(struct lag *lag, const struct shard *shard)
{
    if (shard->source->of_queue) {
        add_queue(lag, shard->source);
        return;
    }
    struct weir_log_count unread;
    weir_log_reader_behind(shard->reader, &unread);
    lag->behind.least += unread.least;
    lag->behind.most += unread.most;
    if (unread.most > 0 && shard->read_time.ms != 0 && shard->read_time.ms < lag->oldest_ms) {
        lag->oldest_ms = shard->read_time.ms; /* what is not read is not older */
    }
}

void weir_lane_lag(const struct weir_lane *lane, struct lag *ret_lag)
{
    *ret_lag = (struct lag){ .oldest_ms = INT64_MAX };
    add_lane(ret_lag, lane);
}

static void add_source(struct lag *lag, const struct source *source)
{
    for (size_t i = 0; i < source->shard_count; i++) {
        for (size_t k = 0; k < source->shards[i].lane_count; k++) {
            add_lane(lag, &source->shards[i].lanes[k]);
        }
        add_shard(lag, &source->shards[i]);
    }
}

void weir_source_lag(const struct source *source, struct lag *ret_lag)
{
    *ret_lag = (struct lag){ .oldest_ms = INT64_MAX };
    add_source(ret_lag, source);
}

void weir_pipeline_lag(const struct pipeline *pipeline, struct lag *ret_lag)
{
    *ret_lag = (struct lag){ .oldest_ms = INT64_MAX };
    for (size_t i = 0; i < pipeline->source_count; i++) {
        add_source(ret_lag, &pipeline->sources[i]);
    }
}

int64_t weir_lag_age(const struct pipeline *pipeline, const struct lag *lag)
{
    if (lag->oldest_ms == INT64_MAX) {
        return 0;
    }
    int64_t now = weir_clock_wall(weir_loop_clock(pipeline->all->loop)).ms;
    return now > lag->oldest_ms ? now - lag->oldest_ms : 0;
}

/* --- room ------------------------------------------------------------------------------- */

/* Keep samples of the last minutes, and one from before. */
static void add_sample(struct growth *growth, uint64_t now_ns, uint64_t bytes)
{
    size_t count = growth->count;
    if (count > 0 && now_ns - growth->samples[count - 1].at_ns < SAMPLE_S * second_ns) {
        return;
    }
    size_t old = 0;
    while (old + 1 < count && now_ns - growth->samples[old + 1].at_ns >= WINDOW_S * second_ns) {
        old++;
    }
    if (old == 0 && count == sizeof(growth->samples) / sizeof(growth->samples[0])) {
        old = 1;
    }
    memmove(growth->samples, growth->samples + old, (count - old) * sizeof(growth->samples[0]));
    growth->count = count - old;
    growth->samples[growth->count].at_ns = now_ns;
    growth->samples[growth->count++].bytes = bytes;
}

/* Bytes a second, since the oldest sample; 0: not known, or it does not grow. */
static uint64_t growth_rate(struct weir_pipelines *pipelines)
{
    struct growth *growth = &pipelines->growth;
    uint64_t now_ns = weir_clock_monotonic_ns(weir_loop_clock(pipelines->loop));
    uint64_t bytes = weir_log_appended(weir_store_log(pipelines->store));
    add_sample(growth, now_ns, bytes);
    uint64_t elapsed_ns = now_ns - growth->samples[0].at_ns;
    double grown = (double)(bytes - growth->samples[0].bytes);
    return elapsed_ns >= second_ns ? (uint64_t)(grown * 1e9 / (double)elapsed_ns) : 0;
}

/* The position of the source that is furthest behind. */
static struct weir_pos position_of(const struct pipeline *pipeline)
{
    struct weir_pos least = weir_log_end(weir_store_log(pipeline->all->store));
    for (size_t i = 0; i < pipeline->source_count; i++) {
        const struct source *source = &pipeline->sources[i];
        if (source->table != NULL && source->hold.pos.seq < least.seq) {
            least = source->hold.pos;
        }
    }
    return least;
}

static void warn(struct pipeline *pipeline, const struct room *room)
{
    /* Somewhat more than half must be free again, so that it is not said at every segment. */
    uint64_t least = room->log.bound_bytes / 8 * (pipeline->short_of_room ? 5 : 4);
    bool is_short = room->log.bytes < least;
    if (is_short == pipeline->short_of_room) {
        return;
    }
    char bytes[24];
    char seconds[24];
    snprintf(bytes, sizeof(bytes), "%" PRIu64, room->log.bytes);
    snprintf(seconds, sizeof(seconds), "%" PRId64, room->ms / 1000);
    pipeline->short_of_room = is_short;
    weir_logline(is_short ? WEIR_LOG_WARN : WEIR_LOG_INFO,
            is_short ? "pipeline.log_half_used" : "pipeline.log_room_again", "pipeline",
            pipeline->model->name.p, "room_bytes", bytes,
            room->ms != INT64_MAX ? "room_seconds" : NULL, seconds, NULL);
}

void weir_pipeline_room(struct pipeline *pipeline, struct room *ret_room)
{
    struct weir_pipelines *all = pipeline->all;
    struct room room = {
        .log = weir_store_room(all->store, position_of(pipeline)),
        .bytes_per_second = growth_rate(all),
        .ms = INT64_MAX,
    };
    if (room.bytes_per_second > 0) {
        uint64_t seconds = room.log.bytes / room.bytes_per_second;
        room.ms = seconds < TEN_YEARS_S ? (int64_t)seconds * 1000 : INT64_MAX;
    }
    warn(pipeline, &room);
    *ret_room = room;
}

void weir_pipelines_refresh(struct weir_pipelines *pipelines)
{
    for (struct pipeline *p = pipelines->first; p != NULL; p = p->next) {
        struct lag lag;
        struct room room;
        weir_gaps_look_again(p);
        weir_pipeline_lag(p, &lag);
        weir_pipeline_room(p, &room);
        weir_letter_gauges_refresh(p);
        weir_gauge_set(p->age, weir_lag_age(p, &lag));
        weir_gauge_set(p->waiting, (int64_t)lag.waiting);
        size_t items = 0;
        size_t parked = 0;
        weir_quarantine_numbers(p, &items, &parked);
        weir_gauge_set(p->parked, (int64_t)parked);
        weir_gauge_set(p->behind, (int64_t)lag.behind.most);
        weir_gauge_set(p->room, room.log.bytes < INT64_MAX ? (int64_t)room.log.bytes : INT64_MAX);
        weir_gauge_set(p->room_seconds, room.ms != INT64_MAX ? room.ms / 1000 : TEN_YEARS_S);
    }
}
