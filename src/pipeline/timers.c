#include "pipeline/timers.h"

#include "base/mem.h"
#include "pipeline/deferred_int.h"
#include "value/json.h"

/* Where an entry of a deferred run stands. */
struct place {
    struct weir_str key;
    struct burst_name name;
    struct weir_str value;
    struct pipeline *pipeline; /* that has the step; NULL: none does */
};

/* Call for the entries of a kind that are wanted, until `each` says false. */
static enum weir_rc each_wanted(struct weir_pipelines *pipelines, enum burst_kind kind,
        const struct weir_timers_wanted *wanted, bool (*each)(void *arg, const struct place *place),
        void *arg, struct weir_err *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    char letter = (char)kind;
    struct weir_str prefix =
            wanted->pipeline.n > 0 ? weir_burst_prefix(&arena, kind, wanted->pipeline, wanted->step)
                                   : weir_str(&letter, 1);
    struct weir_cursor *cursor = weir_cursor_create(pipelines->store, WEIR_SPACE_DEFERRED);
    enum weir_rc rc = WEIR_OK;
    bool goes_on = true;
    for (weir_cursor_seek(cursor, prefix); goes_on; weir_cursor_next(cursor)) {
        struct place place = { 0 };
        struct weir_entry entry;
        bool have = false;
        rc = weir_cursor_get(cursor, &place.key, &entry, &have, err);
        if (rc != WEIR_OK || !have || !weir_str_starts(place.key, prefix)) {
            break;
        }
        rc = weir_burst_name(place.key, &place.name, err);
        if (rc != WEIR_OK) {
            break;
        }
        if (wanted->key.n == 0 || weir_str_eq(wanted->key, place.name.key)) {
            place.value = entry.value;
            place.pipeline = weir_deferred_taker(pipelines, &place.name);
            goes_on = each(arg, &place);
        }
    }
    weir_cursor_destroy(cursor);
    weir_arena_fini(&arena);
    return rc;
}

static bool is_running(const struct place *place)
{
    if (place->pipeline == NULL) {
        return false;
    }
    const struct fired *fired = weir_deferred_fired(place->pipeline->deferred, &place->name);
    return fired != NULL && weir_str_eq(fired->name, place->key);
}

/* --- listing ------------------------------------------------------------------------------ */

struct listing {
    struct weir_pipelines *pipelines;
    struct weir_buf *buf;
    struct weir_str key; /* of windows that are wanted; empty: all are */
    size_t left;
    size_t count;
    bool more;
    struct weir_err *err;
    enum weir_rc rc;
};

static const char *state_of(
        const struct listing *listing, const struct place *place, const struct burst *burst)
{
    int64_t now = weir_clock_wall(weir_loop_clock(listing->pipelines->loop)).ms;
    if (place->pipeline == NULL) {
        return "detached";
    }
    if (place->name.kind == BURST_CLOSED) {
        return is_running(place) ? "running" : "ready";
    }
    return burst->due.ms > now ? "pending" : "waiting";
}

/* Whether there is room for another one. */
static bool begin_one(struct listing *listing, const char *kind, struct weir_str pipeline,
        struct weir_str step, struct weir_str key)
{
    struct weir_buf *buf = listing->buf;
    listing->more = listing->left == 0;
    if (listing->more) {
        return false;
    }
    weir_buf_printf(buf, "%s\n{\"kind\":\"%s\",\"pipeline\":", listing->count > 0 ? "," : "", kind);
    weir_json_write_string(buf, pipeline);
    weir_buf_z(buf, ",\"step\":");
    weir_json_write_string(buf, step);
    weir_buf_z(buf, ",\"key\":");
    weir_json_write_string(buf, key);
    listing->left--;
    listing->count++;
    return true;
}

static void end_one(
        struct listing *listing, struct weir_time since, struct weir_time due, const char *state)
{
    char since_text[WEIR_TIME_TEXT];
    char due_text[WEIR_TIME_TEXT];
    weir_time_format(since, since_text);
    weir_time_format(due, due_text);
    weir_buf_printf(listing->buf, ",\"since\":\"%s\",\"due\":\"%s\",\"state\":\"%s\"}", since_text,
            due_text, state);
}

static bool list_one(void *arg, const struct place *place)
{
    struct listing *listing = arg;
    struct burst burst;
    listing->rc = weir_burst_decode(place->value, &burst, listing->err);
    if (listing->rc != WEIR_OK ||
            !begin_one(listing, "run", place->name.pipeline, place->name.step, place->name.key)) {
        return false;
    }
    weir_buf_printf(listing->buf, ",\"count\":%llu", (unsigned long long)burst.count);
    end_one(listing, burst.since, burst.due, state_of(listing, place, &burst));
    return true;
}

/* --- windows --- */

/* The step of a pipeline that has windows; NULL: none has. */
static const struct weir_step *step_with_windows(const struct pipeline *pipeline)
{
    const struct weir_pipeline_model *model = pipeline->model;
    return model->tumbling_ms > 0 ? model->steps[model->tumbling_step] : NULL;
}

static void list_window(
        struct listing *listing, const struct weir_lane *lane, const struct weir_step *step)
{
    int64_t now = weir_clock_wall(weir_loop_clock(listing->pipelines->loop)).ms;
    const char *state = lane->closing != NULL       ? "running"
                        : lane->window.end.ms > now ? "pending"
                                                    : "waiting";
    struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_str key = weir_arena_printf(
            &arena, "%.*s/%u", WEIR_STR_ARG(lane->shard->source->name), lane->shard->number);
    if (weir_str_eq(weir_str_or(listing->key, key), key) &&
            begin_one(listing, "window", lane->pipeline->model->name, step->id, key)) {
        end_one(listing, lane->window.start, lane->window.end, state);
    }
    weir_arena_fini(&arena);
}

static void list_windows(struct listing *listing, const struct weir_timers_wanted *wanted)
{
    listing->key = wanted->key;
    for (const struct pipeline *p = listing->pipelines->first; p != NULL; p = p->next) {
        const struct weir_step *step = step_with_windows(p);
        if (step == NULL ||
                !weir_str_eq(weir_str_or(wanted->pipeline, p->model->name), p->model->name) ||
                !weir_str_eq(weir_str_or(wanted->step, step->id), step->id)) {
            continue;
        }
        WEIR_EACH_LANE(p, lane)
        {
            if (lane->window.end.ms != 0 && !listing->more) {
                list_window(listing, lane, step);
            }
        }
    }
}

enum weir_rc weir_pipelines_timers(struct weir_pipelines *pipelines,
        const struct weir_timers_wanted *wanted, struct weir_buf *buf, struct weir_err *err)
{
    struct listing listing = {
        .pipelines = pipelines,
        .buf = buf,
        .left = wanted->limit > 0 && wanted->limit < WEIR_TIMERS_LIST_MAX ? wanted->limit
                                                                          : WEIR_TIMERS_LIST_MAX,
        .err = err,
    };
    weir_buf_z(buf, "{\"timers\":[");
    enum weir_rc rc = each_wanted(pipelines, BURST_CLOSED, wanted, list_one, &listing, err);
    if (rc == WEIR_OK && listing.rc == WEIR_OK && !listing.more) {
        rc = each_wanted(pipelines, BURST_OPEN, wanted, list_one, &listing, err);
    }
    if (rc == WEIR_OK && listing.rc == WEIR_OK && !listing.more) {
        list_windows(&listing, wanted);
    }
    weir_buf_printf(buf, "],\"more\":%s}\n", listing.more ? "true" : "false");
    return rc == WEIR_OK ? listing.rc : rc;
}

/* --- ending --------------------------------------------------------------------------------- */

static bool has_room(struct weir_timers_end *end)
{
    end->more = end->count == WEIR_TIMERS_END_MAX;
    return !end->more;
}

static bool end_open(void *arg, const struct place *place)
{
    struct weir_timers_end *end = arg;
    if (!has_room(end)) {
        return false;
    }
    struct weir_arena *arena = &end->txn->arena;
    struct burst_end_op *op = WEIR_ARENA_NEW(arena, struct burst_end_op);
    op->end = end->cancel ? BURST_CANCEL : BURST_CLOSE_NOW;
    op->pipeline = weir_arena_str(arena, place->name.pipeline);
    op->step = weir_arena_str(arena, place->name.step);
    op->key = weir_arena_str(arena, place->name.key);
    op->next = end->ops;
    end->ops = op;
    end->count++;
    weir_burst_end(end->txn, op);
    return true;
}

static bool end_closed(void *arg, const struct place *place)
{
    struct weir_timers_end *end = arg;
    if (!has_room(end)) {
        return false;
    }
    if (!is_running(place)) {
        weir_txn_delete(
                end->txn, WEIR_SPACE_DEFERRED, weir_arena_str(&end->txn->arena, place->key));
        end->count++;
        end->removed++;
    }
    return true;
}

static void end_done(struct weir_txn *txn)
{
    struct weir_timers_end *end = txn->arg;
    weir_loop_post(end->pipelines->loop, &end->post);
}

static void end_posted(struct weir_post *post)
{
    struct weir_timers_end *end = WEIR_CONTAINER(post, struct weir_timers_end, post);
    struct pipeline *pipeline = weir_pipeline_find(end->pipelines, end->pipeline);
    enum weir_rc rc = end->txn->rc;
    struct weir_err err = end->txn->err;
    end->count = end->removed;
    for (const struct burst_end_op *op = end->ops; op != NULL; op = op->next) {
        end->count += op->found;
    }
    weir_txn_destroy(WEIR_TAKE(end->txn));
    if (pipeline != NULL) {
        weir_deferred_note_all(pipeline->deferred);
        weir_pipeline_read_on(pipeline);
    }
    end->ended(end, rc, &err);
}

static enum weir_rc find_ends(struct weir_timers_end *end, struct weir_err *err)
{
    enum weir_rc rc = each_wanted(end->pipelines, BURST_OPEN, &end->wanted, end_open, end, err);
    if (rc == WEIR_OK && end->cancel && !end->more) {
        rc = each_wanted(end->pipelines, BURST_CLOSED, &end->wanted, end_closed, end, err);
    }
    if (rc == WEIR_OK && end->count == 0) {
        rc = weir_fail(err, WEIR_E_NOT_FOUND,
                "step '%.*s' of pipeline '%.*s' has put nothing off%s that does not run yet",
                WEIR_STR_ARG(end->wanted.step), WEIR_STR_ARG(end->wanted.pipeline),
                end->wanted.key.n > 0 ? " with this key" : "");
    }
    return rc;
}

enum weir_rc weir_pipelines_end_timers(
        struct weir_pipelines *pipelines, struct weir_timers_end *end, struct weir_err *err)
{
    const struct weir_timers_wanted *wanted = &end->wanted;
    if (wanted->pipeline.n == 0 || wanted->step.n == 0) {
        return weir_fail(err, WEIR_E_INVALID, "a pipeline and a step are needed");
    }
    const struct pipeline *pipeline = weir_pipeline_find(pipelines, wanted->pipeline);
    const struct weir_step *step = pipeline != NULL ? step_with_windows(pipeline) : NULL;
    if (step != NULL && weir_str_eq(step->id, wanted->step)) {
        return weir_fail(err, WEIR_E_INVALID,
                "step '%.*s' of pipeline '%.*s' has windows: a window ends when its time is over "
                "and "
                "all its records are processed, and cannot be fired or cancelled",
                WEIR_STR_ARG(wanted->step), WEIR_STR_ARG(wanted->pipeline));
    }
    if (!end->cancel && pipeline == NULL) {
        return weir_fail(err, WEIR_E_NOT_FOUND,
                "no pipeline '%.*s' runs: what it has put off can only be cancelled",
                WEIR_STR_ARG(wanted->pipeline));
    }
    end->pipelines = pipelines;
    end->txn = weir_txn_create();
    enum weir_rc rc = find_ends(end, err);
    if (rc != WEIR_OK) {
        weir_txn_destroy(WEIR_TAKE(end->txn));
        return rc;
    }
    end->pipeline = weir_arena_str(&end->txn->arena, wanted->pipeline);
    end->post.run = end_posted;
    end->txn->urgent = end->cancel;
    end->txn->done = end_done;
    end->txn->arg = end;
    weir_store_submit(pipelines->store, end->txn);
    return WEIR_OK;
}
