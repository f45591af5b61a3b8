/*
 * Taking a pipeline out of the set while the others run, and forgetting what is stored of it.
 *
 *     remove -> batches in flight finish -> last positions committed -> detached -> freed
 */
#include <string.h>

#include "pipeline/deferred_int.h"
#include "pipeline/pipeline_int.h"

/* --- removing ------------------------------------------------------------------------ */

/* Behind everything that was posted for the pipeline while it was watched. */
static void free_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, removal_post);
    void (*removed)(void *arg) = pipeline->removed;
    void *arg = pipeline->removed_arg;
    weir_pipeline_destroy(pipeline);
    removed(arg);
}

static void clear_gauges(struct pipeline *pipeline)
{
    struct weir_gauge *gauges[] = { pipeline->age, pipeline->waiting, pipeline->parked,
        pipeline->behind, pipeline->room, pipeline->room_seconds, pipeline->letters,
        pipeline->oldest_letter };
    for (size_t i = 0; i < WEIR_COUNT(gauges); i++) {
        if (gauges[i] != NULL) {
            atomic_store(&gauges[i]->value, 0);
        }
    }
}

static void left_posted(struct weir_post *post)
{
    struct pipeline *pipeline = WEIR_CONTAINER(post, struct pipeline, removal_post);
    struct weir_pipelines *all = pipeline->all;
    if (all->stopping) {
        return; /* it ends with the others */
    }
    struct pipeline **at = &all->first;
    while (*at != pipeline) {
        at = &(*at)->next;
    }
    *at = pipeline->next;
    pipeline->stopped = true;
    clear_gauges(pipeline);
    weir_letter_gauges_fini(pipeline);
    for (size_t i = 0; i < pipeline->source_count; i++) {
        weir_filter_leave(&pipeline->sources[i]);
        weir_source_detach(&pipeline->sources[i]);
    }
    weir_deferred_stop(pipeline->deferred);
    weir_windows_stop(pipeline);
    weir_mark_stop(&pipeline->mark);
    pipeline->removal_post.run = free_posted;
    weir_loop_post(all->loop, &pipeline->removal_post);
}

/* If they could not be written, what came since the last ones is processed once more. */
static void positions_written(struct weir_txn *txn)
{
    struct pipeline *pipeline = txn->arg;
    weir_txn_destroy(txn);
    weir_loop_post(pipeline->all->loop, &pipeline->removal_post);
}

void weir_pipeline_check_left(struct pipeline *pipeline)
{
    if (!pipeline->leaving || pipeline->left || pipeline->all->stopping ||
            pipeline->in_flight > 0 || pipeline->pumping || pipeline->deferred->txn != NULL ||
            pipeline->mark.txn != NULL || pipeline->letters_leaving > 0 ||
            weir_gaps_are_busy(pipeline) || weir_pipeline_is_receiving(pipeline)) {
        return;
    }
    pipeline->left = true;
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = positions_written;
    txn->arg = pipeline;
    WEIR_EACH_LANE(pipeline, lane)
    {
        weir_position_put(txn, WEIR_SPACE_POSITION, lane, weir_lane_reached(lane));
        weir_intake_give_back(lane, txn);
    }
    weir_store_submit(pipeline->all->store, txn);
}

enum weir_rc weir_pipelines_remove(struct weir_pipelines *pipelines, struct weir_str name,
        void (*removed)(void *arg), void *arg, struct weir_err *err)
{
    struct pipeline *pipeline = weir_pipeline_find(pipelines, name);
    if (pipeline == NULL || pipeline->leaving) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "there is no pipeline '%.*s'", WEIR_STR_ARG(name));
    }
    pipeline->leaving = true;
    pipeline->removed = removed;
    pipeline->removed_arg = arg;
    pipeline->removal_post.run = left_posted;
    pipeline->queue = NULL; /* batches that have not begun are read again */
    pipeline->queue_last = &pipeline->queue;
    for (size_t i = 0; i < pipeline->source_count; i++) {
        pipeline->sources[i].leaving = true;
        weir_intake_stop(&pipeline->sources[i]);
    }
    weir_pipeline_check_left(pipeline);
    return WEIR_OK;
}

/* --- forgetting ---------------------------------------------------------------------- */

enum weir_rc weir_pipelines_forget(struct weir_pipelines *pipelines, struct weir_str name,
        struct weir_txn *txn, struct weir_err *err)
{
    static const uint32_t spaces[] = { WEIR_SPACE_POSITION, WEIR_SPACE_RETRY, WEIR_SPACE_GAP,
        WEIR_SPACE_JOB, WEIR_SPACE_REPLAY, WEIR_SPACE_LETTER, WEIR_SPACE_WINDOW };
    struct weir_str prefix = weir_arena_printf(&txn->arena, "%.*s%c", WEIR_STR_ARG(name), '\0');
    enum weir_rc rc = WEIR_OK;
    for (size_t i = 0; rc == WEIR_OK && i < WEIR_COUNT(spaces); i++) {
        rc = weir_txn_delete_all(txn, pipelines->store, spaces[i], prefix, err);
    }
    return rc;
}

/* --- looking ------------------------------------------------------------------------- */

enum weir_progress weir_pipelines_progress(
        struct weir_pipelines *pipelines, struct weir_str name, struct weir_err *ret_why)
{
    const struct pipeline *pipeline = weir_pipeline_find(pipelines, name);
    if (pipeline == NULL) {
        return WEIR_PROGRESS_NONE;
    }
    for (size_t i = 0; i < pipeline->source_count; i++) {
        if (pipeline->sources[i].why.code != WEIR_OK) {
            *ret_why = pipeline->sources[i].why;
            return WEIR_PROGRESS_STUCK;
        }
    }
    WEIR_EACH_LANE(pipeline, lane)
    {
        if (lane->phase == LANE_BLOCKED || lane->phase == LANE_PAUSED) {
            *ret_why = lane->why;
            return WEIR_PROGRESS_STUCK;
        }
    }
    return atomic_load(&pipeline->records->value) > 0 ? WEIR_PROGRESS_GOOD : WEIR_PROGRESS_NONE;
}
