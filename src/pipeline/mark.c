/*
 * The mark of a pipeline: a time and a place of the log, such that all that was committed before
 * the time stands before the place. The clock alone does not say so much, since commits may be
 * under way when it strikes. A transaction without changes moves the mark: what is committed
 * after it has its time or a later one.
 */
#include "base/logline.h"
#include "pipeline/pipeline_int.h"

enum { RETRY_MS = 1000 }; /* after a transaction that could not be made */

static void moved(struct weir_txn *txn)
{
    struct mark *mark = txn->arg;
    weir_loop_post(mark->pipeline->all->loop, &mark->post);
}

void weir_mark_move(struct mark *mark)
{
    if (mark->txn != NULL) {
        return;
    }
    mark->txn = weir_txn_create();
    mark->txn->lane = true;
    mark->txn->done = moved;
    mark->txn->arg = mark;
    weir_store_submit(mark->pipeline->all->store, mark->txn);
}

static void outcome_posted(struct weir_post *post)
{
    struct mark *mark = WEIR_CONTAINER(post, struct mark, post);
    struct pipeline *pipeline = mark->pipeline;
    struct weir_txn *txn = WEIR_TAKE(mark->txn);
    bool over = pipeline->stopped || pipeline->leaving || pipeline->all->stopping;
    bool good = txn->rc == WEIR_OK;
    if (good) {
        mark->time = txn->time;
        mark->end = weir_log_end(weir_store_log(pipeline->all->store));
    } else if (!over) {
        weir_logline(WEIR_LOG_WARN, "pipeline.time_waits", "pipeline", pipeline->model->name.p,
                "reason", txn->err.msg, NULL);
    }
    weir_txn_destroy(txn);
    if (over) {
        weir_pipeline_check_left(pipeline);
    } else if (good) {
        weir_pipeline_read_on(pipeline); /* looks at what has become due, too */
    } else {
        weir_loop_timer_start(&mark->timer, RETRY_MS);
    }
}

static void timer_fired(struct weir_loop_timer *timer)
{
    weir_pipeline_read_on(WEIR_CONTAINER(timer, struct mark, timer)->pipeline);
}

void weir_mark_init(struct mark *mark, struct pipeline *pipeline)
{
    mark->pipeline = pipeline;
    mark->post.run = outcome_posted;
    weir_loop_timer_init(&mark->timer, pipeline->all->loop, timer_fired);
}

void weir_mark_stop(struct mark *mark)
{
    weir_loop_timer_fini(&mark->timer);
}
