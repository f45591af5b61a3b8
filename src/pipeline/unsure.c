/*
 * A batch of which nobody can say whether it is committed: the log may hold its transaction while
 * the state could not be changed. Running it again would send and count twice. The store makes
 * such a transaction true before it takes anything else, so the lane asks with an empty one, until
 * that is through; then the lane's position tells.
 */
#include "base/logline.h"
#include "pipeline/pipeline_int.h"

enum { PAUSE_MS = 1000 };

static void asked(struct weir_txn *txn)
{
    struct weir_lane *lane = txn->arg;
    weir_loop_post(lane->pipeline->all->loop, &lane->done_post);
}

void weir_lane_ask(struct weir_lane *lane)
{
    struct weir_txn *txn = weir_txn_create();
    txn->lane = true;
    txn->urgent = true;
    txn->done = asked;
    txn->arg = lane;
    lane->question = txn;
    weir_store_submit(lane->pipeline->all->store, txn);
}

void weir_lane_unsure(struct weir_lane *lane)
{
    weir_logline(WEIR_LOG_WARN, "pipeline.unsure", "pipeline", lane->pipeline->model->name.p,
            "reason", lane->batch.txn->err.msg, NULL);
    lane->unsure = true;
    weir_lane_ask(lane);
}

/* Whether the lane's position was written by the transaction, now that the state is up to date. */
static enum weir_rc look(struct weir_lane *lane, bool *ret_committed, struct weir_err *err)
{
    struct weir_entry entry;
    struct weir_arena arena;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_store_get(lane->pipeline->all->store, WEIR_SPACE_POSITION,
            weir_lane_key(&arena, lane), &arena, &entry, err);
    *ret_committed = rc == WEIR_OK && entry.pos.seq >= lane->log_end.seq;
    weir_arena_fini(&arena);
    return rc;
}

enum weir_lane_certainty weir_lane_answered(struct weir_lane *lane, struct weir_err *err)
{
    bool committed = false;
    enum weir_rc rc = lane->question->rc;
    *err = lane->question->err;
    weir_txn_destroy(WEIR_TAKE(lane->question));
    if (rc == WEIR_OK) {
        rc = look(lane, &committed, err);
    }
    if (rc == WEIR_OK) {
        *err = lane->batch.txn->err;
        lane->unsure = false;
        return committed ? WEIR_LANE_COMMITTED : WEIR_LANE_NOT_COMMITTED;
    }
    if (lane->pipeline->all->stopping) {
        return WEIR_LANE_NOT_COMMITTED; /* it stays unsure: the next start reads the truth */
    }
    weir_loop_timer_start(&lane->timer, PAUSE_MS);
    return WEIR_LANE_UNSURE;
}
