/*
 * A source that is gone, or another one by the same name: what was committed to it before is still
 * processed, as far as that is possible without it; then its lanes go, and the next one may come.
 *
 *     there -> draining -> leaving -> gone (detached), or there again with the next table: one
 *     that is gone as well by now, to be drained, or the one that is there
 *
 * Draining ends when nothing more can move: all is read and processed, or what is left waits for a
 * target that is missing, too. Where a retry or an answer takes too long it ends all the same, for
 * the next table of the name waits for it. A queue takes its messages along at once.
 */
#include <stdio.h>

#include "base/logline.h"
#include "pipeline/pipeline_int.h"

enum { PATIENCE_MS = 30 * 1000 };

static bool is_current(struct source *source)
{
    if (source->of_queue) {
        return weir_intake_is_current(source);
    }
    const struct weir_table *now = NULL;
    struct weir_tables *tables = source->pipeline->all->tables;
    if (weir_tables_get(tables, source->name, &now, NULL) != WEIR_OK) {
        return false;
    }
    bool same = now->space == source->table->space && now->view == source->table->view;
    weir_table_unref(now);
    return same;
}

/* --- leaving ---------------------------------------------------------------------------- */

/* Say what goes unprocessed with the table. */
static void report_lost(const struct source *source)
{
    struct lag lag;
    char count[32];
    weir_source_lag(source, &lag);
    if (lag.behind.most == 0) {
        return;
    }
    snprintf(count, sizeof(count), "%llu", (unsigned long long)lag.behind.most);
    weir_logline(WEIR_LOG_WARN, "pipeline.records_gone_with_table", "pipeline",
            source->pipeline->model->name.p, "table", source->table->name.p, "records", count,
            "reason",
            lag.stuck != NULL ? lag.stuck->why.msg : "the table is deleted and they took too long",
            NULL);
}

/* Batches that have not begun go; those in flight finish, but for answers that are awaited. */
static void leave(struct source *source)
{
    struct pipeline *pipeline = source->pipeline;
    if (!source->of_queue) {
        report_lost(source);
    }
    source->leaving = true;
    weir_intake_stop(source);
    struct weir_lane **at = &pipeline->queue;
    while (*at != NULL) {
        if ((*at)->shard->source == source) {
            *at = (*at)->next_queued;
        } else {
            at = &(*at)->next_queued;
        }
    }
    pipeline->queue_last = at;
    for (size_t i = 0; i < source->shard_count; i++) {
        for (size_t k = 0; k < source->shards[i].lane_count; k++) {
            struct weir_lane *lane = &source->shards[i].lanes[k];
            if (lane->phase == LANE_PENDING) {
                weir_lane_cancel(lane);
            }
        }
    }
}

/* --- draining --------------------------------------------------------------------------------- */

/* Nothing is left in it, or nothing of it can be processed: a target is gone as well. */
static bool is_done(const struct weir_lane *lane)
{
    if (lane->phase == LANE_BLOCKED) {
        return lane->why.code == WEIR_E_NOT_FOUND;
    }
    return lane->phase == LANE_WAITING && lane->waiting.count == 0;
}

static bool is_drained(const struct source *source)
{
    if (source->pipeline->untold > 0) {
        return false; /* reading goes on once that is told */
    }
    for (size_t i = 0; i < source->shard_count; i++) {
        const struct shard *shard = &source->shards[i];
        if (!shard->at_end && weir_shard_has_room(shard)) {
            return false;
        }
        for (size_t k = 0; k < shard->lane_count; k++) {
            if (!is_done(&shard->lanes[k])) {
                return false;
            }
        }
    }
    return true;
}

void weir_source_check_drained(struct source *source)
{
    if (source->draining && !source->leaving && is_drained(source)) {
        weir_pipelines_catalogue_changed(source->pipeline->all); /* posts: this may be a lane */
    }
}

static void patience_over(struct weir_loop_timer *timer)
{
    struct source *source = WEIR_CONTAINER(timer, struct source, drain_timer);
    source->impatient = true;
    weir_pipelines_catalogue_changed(source->pipeline->all);
}

static void drain(struct source *source)
{
    source->draining = true;
    weir_loop_timer_init(&source->drain_timer, source->pipeline->all->loop, patience_over);
    weir_loop_timer_start(&source->drain_timer, PATIENCE_MS);
    weir_pipeline_read_on(source->pipeline);
}

void weir_source_drained(struct source *source)
{
    if (source->draining) {
        weir_loop_timer_fini(&source->drain_timer);
        source->draining = false;
        source->impatient = false;
    }
}

/* --- the catalogue ---------------------------------------------------------------------------- */

void weir_source_look_again(struct source *source)
{
    bool there = weir_source_is_there(source) && !source->leaving;
    if (there && !source->draining && !is_current(source)) {
        drain(source);
    }
    if (there && source->draining &&
            (source->of_queue || source->impatient || is_drained(source))) {
        leave(source);
    }
    if (source->leaving && source->in_flight == 0 && !weir_intake_is_receiving(source)) {
        weir_intake_return(source);
        weir_source_detach(source);
    }
    struct weir_err err;
    /* Which items wait for which letters is read when a table comes: not while letters go. */
    bool settled = source->pipeline->letters_leaving == 0;
    if (settled && !weir_source_is_there(source) && weir_source_attach(source, &err) != WEIR_OK) {
        weir_source_wait(source, &err);
    }
    if (weir_source_is_there(source) && !source->draining && !is_current(source)) {
        weir_pipelines_catalogue_changed(source->pipeline->all); /* it came and went meanwhile */
    }
}
