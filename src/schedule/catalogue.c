/* Creating, changing, deleting and reading schedules. */
#include <string.h>

#include "base/mem.h"
#include "schedule/schedule_int.h"

enum { LATE_FIRST_MS = 1 };

/* --- life ------------------------------------------------------------------------------ */

static void make_metrics(struct weir_schedules *schedules, struct weir_metrics *metrics)
{
    schedules->fired = weir_metrics_counter(
            metrics, "weir_schedule_fired_total", NULL, "Firings of schedules that ran");
    schedules->missed = weir_metrics_counter(metrics, "weir_schedule_missed_total", NULL,
            "Firings that did not run because weir could not do it in time");
    schedules->failed = weir_metrics_counter(metrics, "weir_schedule_failed_total", NULL,
            "Firings that could not be delivered to their target");
    schedules->late_seconds = weir_metrics_histogram(metrics, "weir_schedule_late_seconds", NULL,
            "How much later than scheduled firings ran", LATE_FIRST_MS, 1e-3);
}

struct weir_schedules *weir_schedules_create(const struct weir_schedules_options *options)
{
    struct weir_schedules *schedules = weir_alloc_zero(1, sizeof(*schedules));
    schedules->store = options->store;
    schedules->timers = options->timers;
    schedules->queues = options->queues;
    schedules->outbox = options->outbox;
    schedules->functions = options->functions;
    schedules->host = options->host;
    schedules->region = weir_str_own(weir_str_or(options->region, WEIR_STR("us-east-1")));
    schedules->account = weir_str_own(weir_str_or(options->account, WEIR_STR("000000000000")));
    if (options->metrics != NULL) {
        make_metrics(schedules, options->metrics);
    }
    weir_timers_handle(schedules->timers, WEIR_TIMER_SCHEDULE,
            (struct weir_timer_handler){ weir_schedules_fire, schedules });
    weir_schedule_runs_start(schedules);
    return schedules;
}

void weir_schedules_destroy(struct weir_schedules *schedules)
{
    if (schedules != NULL) {
        weir_schedule_runs_fini(schedules);
        weir_str_disown(schedules->region);
        weir_str_disown(schedules->account);
        weir_free(schedules);
    }
}

static unsigned long long count_of(const struct weir_counter *counter)
{
    return counter != NULL ? atomic_load(&counter->value) : 0;
}

void weir_schedules_status(const struct weir_schedules *schedules, struct weir_buf *buf)
{
    weir_buf_printf(buf, "{\"fired\":%llu,\"missed\":%llu,\"failed\":%llu}",
            count_of(schedules->fired), count_of(schedules->missed), count_of(schedules->failed));
}

/* --- operations ---------------------------------------------------------------------------- */

enum intent {
    CREATE,
    UPDATE,
    ENSURE, /* as weir.yaml says, there or not */
};

struct schedule_op {
    struct weir_op op;
    struct weir_schedules *schedules;
    struct weir_schedule schedule; /* UPDATE and so on: all of it; deleting: group and name */
    enum intent intent;
};

static enum weir_rc fail_missing(const struct weir_schedule *schedule, struct weir_err *err)
{
    return weir_fail(
            err, WEIR_E_NOT_FOUND, "Schedule %.*s does not exist.", WEIR_STR_ARG(schedule->name));
}

static enum weir_rc check_group(
        const struct schedule_op *op, struct weir_view *view, struct weir_err *err)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_str name = op->schedule.group;
    struct weir_schedule_group group = { 0 };
    struct weir_entry entry = { 0 };
    enum weir_rc rc = weir_view_get(
            view, WEIR_SPACE_SCHEDULE, weir_schedule_group_key(arena, name), &entry, err);
    if (rc != WEIR_OK || (entry.pos.seq == 0 && weir_schedule_group_is_built_in(name))) {
        return rc;
    }
    if (entry.pos.seq == 0) {
        return weir_fail(
                err, WEIR_E_NOT_FOUND, "Schedule group %.*s does not exist.", WEIR_STR_ARG(name));
    }
    rc = weir_schedule_decode_group(op->schedules, arena, entry.value, &group, err);
    if (rc == WEIR_OK && group.deleting) {
        return weir_fail(
                err, WEIR_E_EXISTS, "Schedule group %.*s is being deleted.", WEIR_STR_ARG(name));
    }
    return rc;
}

/* What stands there; strings and state are the transaction's. */
static enum weir_rc read_there(const struct schedule_op *op, struct weir_view *view,
        struct weir_schedule *ret_schedule, struct weir_schedule_state *ret_state, bool *ret_there,
        struct weir_err *err)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_str key = weir_schedule_key(arena, 's', op->schedule.group, op->schedule.name);
    struct weir_entry entry = { 0 };
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_SCHEDULE, key, &entry, err);
    *ret_there = rc == WEIR_OK && entry.pos.seq != 0;
    if (!*ret_there) {
        return rc;
    }
    struct weir_str stored = weir_arena_str(arena, entry.value);
    rc = weir_schedule_decode(op->schedules, arena, stored, ret_schedule, err);
    if (rc == WEIR_OK) {
        key = weir_schedule_key(arena, 'n', op->schedule.group, op->schedule.name);
        rc = weir_view_get(view, WEIR_SPACE_SCHEDULE, key, &entry, err);
    }
    return rc == WEIR_OK ? weir_schedule_decode_state(entry.value, ret_state, err) : rc;
}

static struct weir_str timer_key(const struct schedule_op *op, struct weir_view *view,
        const struct weir_schedule_state *state)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_str key = weir_schedule_key(arena, 'n', op->schedule.group, op->schedule.name);
    return weir_timer_key(arena, state->due, WEIR_TIMER_SCHEDULE, weir_schedule_timer_name(key));
}

static void write_schedule(const struct schedule_op *op, struct weir_view *view,
        const struct weir_schedule *schedule, const struct weir_schedule_state *state)
{
    struct weir_arena *arena = weir_view_arena(view);
    weir_view_put(view, WEIR_SPACE_SCHEDULE,
            weir_schedule_key(arena, 's', schedule->group, schedule->name),
            weir_schedule_encode(arena, schedule));
    weir_view_put(view, WEIR_SPACE_SCHEDULE,
            weir_schedule_key(arena, 'n', schedule->group, schedule->name),
            weir_schedule_encode_state(arena, state));
    if (state->next.ms > 0) {
        weir_view_put(view, WEIR_SPACE_TIMER, timer_key(op, view, state), WEIR_STR(""));
    }
}

/* Whether two definitions fire at the same times. */
static bool same_times(const struct weir_schedule *a, const struct weir_schedule *b)
{
    return weir_str_eq(a->expression, b->expression) && weir_str_eq(a->zone, b->zone) &&
           a->start.ms == b->start.ms && a->end.ms == b->end.ms;
}

/* A rate begins at its start, or now; a one-time firing that is past happens now. */
static enum weir_rc begin_state(const struct weir_schedule *schedule, struct weir_time now,
        struct weir_schedule_state *state, struct weir_err *err)
{
    struct weir_schedule_times times = { 0 };
    struct weir_time after = { now.ms - 1 };
    state->anchor = schedule->start.ms > 0 ? schedule->start : now;
    enum weir_rc rc = weir_schedule_times(schedule, state->anchor, &times, err);
    if (rc == WEIR_OK) {
        after.ms = times.expression.kind == WEIR_SCHEDULE_AT ? INT64_MIN : after.ms;
        weir_schedule_advance(schedule, &times, after, state);
    }
    return rc;
}

/* The same times go on: what a window or being switched on and off makes of them. */
static enum weir_rc go_on_state(const struct weir_schedule *schedule, struct weir_time now,
        bool was_enabled, struct weir_schedule_state *state, struct weir_err *err)
{
    struct weir_schedule_times times = { 0 };
    enum weir_rc rc = weir_schedule_times(schedule, state->anchor, &times, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (schedule->enabled && was_enabled) {
        state->due = state->next.ms > 0 ? weir_schedule_due(schedule, &times, state->next)
                                        : (struct weir_time){ 0 };
    } else {
        weir_schedule_advance(schedule, &times, now, state); /* what it slept through is past */
    }
    return rc;
}

static enum weir_rc put_now(const struct schedule_op *op, struct weir_view *view,
        const struct weir_schedule *there, const struct weir_schedule_state *before,
        struct weir_err *err)
{
    struct weir_schedule schedule = op->schedule;
    struct weir_time now = weir_view_time(view);
    struct weir_schedule_state state = before != NULL ? *before : (struct weir_schedule_state){ 0 };
    enum weir_rc rc = WEIR_OK;
    schedule.created = there != NULL ? there->created : now;
    schedule.modified = now;
    if (there == NULL || !same_times(there, &schedule)) {
        rc = begin_state(&schedule, now, &state, err);
    } else if (there->enabled != schedule.enabled || there->window_ms != schedule.window_ms) {
        rc = go_on_state(&schedule, now, there->enabled, &state, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (before != NULL && before->next.ms > 0 && before->due.ms != state.due.ms) {
        weir_view_delete(view, WEIR_SPACE_TIMER, timer_key(op, view, before));
    }
    write_schedule(op, view, &schedule, &state);
    return WEIR_OK;
}

static enum weir_rc run_put(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct schedule_op *op = WEIR_CONTAINER(base, struct schedule_op, op);
    struct weir_schedule there = { 0 };
    struct weir_schedule_state state = { 0 };
    bool is_there = false;
    enum weir_rc rc = check_group(op, view, err);
    if (rc == WEIR_OK) {
        rc = read_there(op, view, &there, &state, &is_there, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (is_there && op->intent == CREATE) {
        bool again = op->schedule.token.n > 0 && weir_str_eq(op->schedule.token, there.token) &&
                     weir_schedule_same(&op->schedule, &there);
        return again ? WEIR_OK
                     : weir_fail(err, WEIR_E_EXISTS, "Schedule %.*s already exists.",
                               WEIR_STR_ARG(there.name));
    }
    if (!is_there && op->intent == UPDATE) {
        return fail_missing(&op->schedule, err);
    }
    if (is_there && op->intent == ENSURE && weir_schedule_same(&op->schedule, &there)) {
        return WEIR_OK;
    }
    return put_now(op, view, is_there ? &there : NULL, is_there ? &state : NULL, err);
}

static enum weir_rc run_delete(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct schedule_op *op = WEIR_CONTAINER(base, struct schedule_op, op);
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_schedule there = { 0 };
    struct weir_schedule_state state = { 0 };
    bool is_there = false;
    enum weir_rc rc = read_there(op, view, &there, &state, &is_there, err);
    if (rc != WEIR_OK || !is_there) {
        return rc != WEIR_OK ? rc : fail_missing(&op->schedule, err);
    }
    weir_view_delete(
            view, WEIR_SPACE_SCHEDULE, weir_schedule_key(arena, 's', there.group, there.name));
    weir_view_delete(
            view, WEIR_SPACE_SCHEDULE, weir_schedule_key(arena, 'n', there.group, there.name));
    if (state.next.ms > 0) {
        weir_view_delete(view, WEIR_SPACE_TIMER, timer_key(op, view, &state));
    }
    return WEIR_OK;
}

static struct schedule_op *add_op(struct weir_schedules *schedules, struct weir_txn *txn,
        enum weir_rc (*run)(struct weir_op *op, struct weir_view *view, struct weir_err *err))
{
    struct schedule_op *op = WEIR_ARENA_NEW(&txn->arena, struct schedule_op);
    op->op.run = run;
    op->schedules = schedules;
    weir_txn_op(txn, &op->op);
    return op;
}

static void add_put(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule, enum intent intent)
{
    struct schedule_op *op = add_op(schedules, txn, run_put);
    struct weir_err err;
    /* Written and read again is copied, whatever members there are. */
    struct weir_str copy = weir_schedule_encode(&txn->arena, schedule);
    weir_assert(weir_schedule_decode(schedules, &txn->arena, copy, &op->schedule, &err) == WEIR_OK);
    op->intent = intent;
    txn->bytes += copy.n;
}

void weir_schedules_create_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule)
{
    add_put(schedules, txn, schedule, CREATE);
}

void weir_schedules_update_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        const struct weir_schedule *schedule)
{
    add_put(schedules, txn, schedule, UPDATE);
}

void weir_schedules_delete_schedule(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str group, struct weir_str name)
{
    struct schedule_op *op = add_op(schedules, txn, run_delete);
    txn->urgent = true;
    op->schedule.group = weir_arena_str(&txn->arena, group);
    op->schedule.name = weir_arena_str(&txn->arena, name);
}

static enum weir_rc run_count(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct schedule_op *op = WEIR_CONTAINER(base, struct schedule_op, op);
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_schedule there = { 0 };
    struct weir_schedule_state state = { 0 };
    bool is_there = false;
    enum weir_rc rc = read_there(op, view, &there, &state, &is_there, err);
    if (rc == WEIR_OK && is_there) {
        state.failed++;
        weir_view_put(view, WEIR_SPACE_SCHEDULE,
                weir_schedule_key(arena, 'n', there.group, there.name),
                weir_schedule_encode_state(arena, &state));
    }
    return rc;
}

void weir_schedule_count_failure(struct weir_schedules *schedules, struct weir_txn *txn,
        struct weir_str group, struct weir_str name)
{
    struct schedule_op *op = add_op(schedules, txn, run_count);
    op->schedule.group = weir_arena_str(&txn->arena, group);
    op->schedule.name = weir_arena_str(&txn->arena, name);
}

/* --- weir.yaml ------------------------------------------------------------------------------ */

static bool is_named(const struct weir_schedule *all, size_t count, struct weir_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(all[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Delete those that the file does not name any more. */
static enum weir_rc prune(struct weir_schedules *schedules, const struct weir_schedule *all,
        size_t count, struct weir_txn *txn, struct weir_err *err)
{
    enum { PAGE = 100 };
    struct weir_schedule_listed *page =
            weir_arena_zero(&txn->arena, PAGE, sizeof(struct weir_schedule_listed));
    struct weir_schedule_query query = { .group = WEIR_SCHEDULE_FILE_GROUP };
    size_t n = PAGE;
    while (n == PAGE) {
        enum weir_rc rc = weir_schedules_list(schedules, &query, &txn->arena, page, PAGE, &n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        for (size_t i = 0; i < n; i++) {
            if (!is_named(all, count, page[i].schedule.name)) {
                weir_schedules_delete_schedule(schedules, txn, query.group, page[i].schedule.name);
            }
        }
        query.after_group = query.group;
        query.after_name = n > 0 ? page[n - 1].schedule.name : query.after_name;
    }
    return WEIR_OK;
}

enum weir_rc weir_schedules_ensure(struct weir_schedules *schedules,
        const struct weir_schedule *all, size_t count, struct weir_err *err)
{
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    enum weir_rc rc = prune(schedules, all, count, txn, err);
    for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
        rc = weir_schedule_check(&all[i], NULL, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "schedule %.*s: ", WEIR_STR_ARG(all[i].name));
        }
        add_put(schedules, txn, &all[i], ENSURE);
    }
    if (rc != WEIR_OK || txn->ops == NULL) {
        return rc;
    }
    return weir_store_commit(schedules->store, txn, err);
}

/* --- reading -------------------------------------------------------------------------------- */

/* The state of a schedule; it may have been deleted meanwhile: then *ret_there is false. */
static enum weir_rc read_state(struct weir_schedules *schedules, struct weir_arena *arena,
        const struct weir_schedule *schedule, struct weir_schedule_state *ret_state,
        bool *ret_there, struct weir_err *err)
{
    struct weir_entry entry = { 0 };
    struct weir_str key = weir_schedule_key(arena, 'n', schedule->group, schedule->name);
    enum weir_rc rc =
            weir_store_get(schedules->store, WEIR_SPACE_SCHEDULE, key, arena, &entry, err);
    *ret_there = rc == WEIR_OK && entry.pos.seq != 0;
    return *ret_there ? weir_schedule_decode_state(entry.value, ret_state, err) : rc;
}

enum weir_rc weir_schedules_get(struct weir_schedules *schedules, struct weir_str group,
        struct weir_str name, struct weir_arena *arena, struct weir_schedule *ret_schedule,
        struct weir_schedule_state *ret_state, struct weir_err *err)
{
    struct weir_entry entry = { 0 };
    bool there = false;
    struct weir_schedule asked = { .group = group, .name = name };
    struct weir_str key = weir_schedule_key(arena, 's', group, name);
    enum weir_rc rc =
            weir_store_get(schedules->store, WEIR_SPACE_SCHEDULE, key, arena, &entry, err);
    if (rc == WEIR_OK && entry.pos.seq == 0) {
        return fail_missing(&asked, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_schedule_decode(schedules, arena, entry.value, ret_schedule, err);
    }
    if (rc == WEIR_OK) {
        rc = read_state(schedules, arena, ret_schedule, ret_state, &there, err);
    }
    return rc == WEIR_OK && !there ? fail_missing(&asked, err) : rc;
}

/* Where a list begins: behind what was listed last, or at the first that the query can mean. */
static void seek(struct weir_cursor *cursor, const struct weir_schedule_query *query,
        struct weir_arena *arena)
{
    bool behind = query->after_name.n > 0;
    struct weir_str group = behind ? query->after_group : query->group;
    struct weir_str name = behind ? query->after_name : query->prefix;
    if (!behind && query->group.n == 0) {
        weir_cursor_seek(cursor, WEIR_STR("s"));
        return;
    }
    struct weir_str key = weir_schedule_key(arena, 's', group, name);
    weir_cursor_seek(cursor, key);
    if (behind) {
        struct weir_str at;
        struct weir_entry entry;
        bool have = false;
        if (weir_cursor_get(cursor, &at, &entry, &have, NULL) == WEIR_OK && have &&
                weir_str_eq(at, key)) {
            weir_cursor_next(cursor);
        }
    }
}

enum weir_rc weir_schedules_list(struct weir_schedules *schedules,
        const struct weir_schedule_query *query, struct weir_arena *arena,
        struct weir_schedule_listed *listed, size_t cap, size_t *ret_count, struct weir_err *err)
{
    struct weir_cursor *cursor = weir_cursor_create(schedules->store, WEIR_SPACE_SCHEDULE);
    enum weir_rc rc = WEIR_OK;
    size_t n = 0;
    seek(cursor, query, arena);
    for (; rc == WEIR_OK && n < cap; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_str group;
        struct weir_str name;
        struct weir_entry entry;
        bool have = false;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have || !weir_schedule_parse_key(key, 's', &group, &name) ||
                (query->group.n > 0 && !weir_str_eq(group, query->group))) {
            break;
        }
        if (!weir_str_starts(name, query->prefix)) {
            continue;
        }
        struct weir_schedule_listed *one = &listed[n];
        struct weir_str stored = weir_arena_str(arena, entry.value);
        rc = weir_schedule_decode(schedules, arena, stored, &one->schedule, err);
        if (rc == WEIR_OK && (!query->has_state || one->schedule.enabled == query->enabled)) {
            bool there = false;
            rc = read_state(schedules, arena, &one->schedule, &one->state, &there, err);
            n += there ? 1 : 0;
        }
    }
    weir_cursor_destroy(cursor);
    *ret_count = n;
    return rc;
}
