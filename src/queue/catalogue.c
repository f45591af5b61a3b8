/*
 * The catalogue of queues: kept in WEIR_SPACE_CATALOGUE under "q" and the queue's name, and
 * mirrored in memory on the commit thread, before whoever changed it hears of the commit.
 */
#include <string.h>

#include "base/mem.h"
#include "queue/queue_int.h"
#include "table/table.h"

static struct weir_str entry_name(struct weir_arena *arena, struct weir_str name)
{
    return weir_arena_printf(arena, "q%.*s", WEIR_STR_ARG(name));
}

/* --- references ---------------------------------------------------------------------- */

void weir_queue_ref(const struct weir_queue *queue)
{
    atomic_fetch_add(&weir_queue_box(queue)->references, 1);
}

void weir_queue_unref(const struct weir_queue *queue)
{
    if (queue != NULL && atomic_fetch_sub(&weir_queue_box(queue)->references, 1) == 1) {
        weir_queue_box_destroy(weir_queue_box(queue));
    }
}

/* --- the mirror -------------------------------------------------------------------------- */

/* The place of a name among the boxes: where it is, or where it would go. */
static size_t place_of(const struct weir_queues *queues, struct weir_str name, bool *ret_found)
{
    size_t low = 0;
    size_t high = queues->count;
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = weir_str_cmp(name, queues->boxes[middle]->queue.name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void remove_box(struct weir_queues *queues, size_t i)
{
    atomic_store(&queues->boxes[i]->life->space, 0);
    weir_queue_unref(&queues->boxes[i]->queue);
    memmove(queues->boxes + i, queues->boxes + i + 1,
            (queues->count - i - 1) * sizeof(struct weir_queue_box *));
    queues->count--;
}

static void insert_box(struct weir_queues *queues, size_t i, struct weir_queue_box *box)
{
    if (queues->count == queues->capacity) {
        queues->capacity = queues->capacity > 0 ? queues->capacity * 2 : 16;
        queues->boxes = weir_realloc(queues->boxes, queues->capacity, sizeof(*queues->boxes));
    }
    memmove(queues->boxes + i + 1, queues->boxes + i,
            (queues->count - i) * sizeof(struct weir_queue_box *));
    queues->boxes[i] = box;
    queues->count++;
}

/* Bring the box at i, in name order, in line with an entry of the catalogue. */
static enum weir_rc mirror_entry(struct weir_queues *queues, size_t i, struct weir_str name,
        const struct weir_entry *entry, struct weir_err *err)
{
    while (i < queues->count && weir_str_cmp(queues->boxes[i]->queue.name, name) < 0) {
        remove_box(queues, i); /* not in the catalogue any more */
    }
    struct weir_queue_box *old = i < queues->count ? queues->boxes[i] : NULL;
    bool same_name = old != NULL && weir_str_eq(old->queue.name, name);
    if (same_name && old->pos.seq == entry->pos.seq) {
        return WEIR_OK;
    }
    struct weir_queue_box *box = NULL;
    struct weir_item stored = { entry->value.p, entry->value.n };
    enum weir_rc rc = weir_queue_decode(queues, stored, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    box->pos = entry->pos;
    if (!same_name) {
        insert_box(queues, i, box);
        return WEIR_OK;
    }
    if (old->queue.created.ms != box->queue.created.ms) {
        atomic_store(&old->life->space, 0); /* deleted and made again */
    } else {
        weir_free(box->life);
        box->life = old->life;
        atomic_fetch_add(&box->life->references, 1);
        atomic_store(&box->life->space, box->queue.space);
    }
    queues->boxes[i] = box;
    weir_queue_unref(&old->queue);
    return WEIR_OK;
}

struct mirroring {
    struct weir_queues *queues;
    size_t i; /* the next box */
};

static enum weir_rc mirror_next(
        void *arg, struct weir_str key, const struct weir_entry *entry, struct weir_err *err)
{
    struct mirroring *mirroring = arg;
    struct weir_str name = weir_str(key.p + 1, key.n - 1);
    return mirror_entry(mirroring->queues, mirroring->i++, name, entry, err);
}

static enum weir_rc mirror(struct weir_queues *queues, struct weir_err *err)
{
    struct mirroring mirroring = { queues, 0 };
    weir_mutex_lock(&queues->mutex); /* before the state is looked at, so that none goes back */
    enum weir_rc rc = weir_store_each(
            queues->store, WEIR_SPACE_CATALOGUE, WEIR_STR("q"), mirror_next, &mirroring, err);
    while (rc == WEIR_OK && mirroring.i < queues->count) {
        remove_box(queues, queues->count - 1);
    }
    queues->changed = true;
    weir_mutex_unlock(&queues->mutex);
    return rc;
}

static void catalogue_changed(struct weir_watch *watch)
{
    struct weir_queues *queues = WEIR_CONTAINER(watch, struct weir_queues, watch);
    struct weir_err err;
    /* The entries were written a moment ago by this program: only a failing disk gets here. */
    weir_assert(mirror(queues, &err) == WEIR_OK);
    queues->host.changed(queues->host.arg);
    weir_mutex_lock(&queues->mutex);
    void (*on_change)(void *arg) = queues->on_change;
    void *arg = queues->on_change_arg;
    weir_mutex_unlock(&queues->mutex);
    if (on_change != NULL) {
        on_change(arg);
    }
}

void weir_queues_on_change(struct weir_queues *queues, void (*changed)(void *arg), void *arg)
{
    weir_mutex_lock(&queues->mutex);
    queues->on_change = changed;
    queues->on_change_arg = arg;
    weir_mutex_unlock(&queues->mutex);
}

/* --- open and close ----------------------------------------------------------------------- */

static struct weir_str own(struct weir_str s, const char *fallback)
{
    s = s.n > 0 ? s : weir_str_z(fallback);
    return weir_str(weir_strndup(s.p, s.n), s.n);
}

static void disown(struct weir_str s)
{
    char *p = NULL;
    memcpy(&p, &s.p, sizeof(p)); /* own made it: no const underneath */
    weir_free(p);
}

enum weir_rc weir_queues_open(const struct weir_queues_options *options,
        struct weir_queues **ret_queues, struct weir_err *err)
{
    struct weir_queues *queues = weir_alloc_zero(1, sizeof(*queues));
    queues->store = options->store;
    queues->host = options->host;
    queues->metrics = options->metrics;
    queues->region = own(options->region, "us-east-1");
    queues->account = own(options->account, "000000000000");
    weir_random_init(&queues->random);
    weir_clock_guard_init(&queues->guard, weir_store_clock(queues->store));
    weir_mutex_init(&queues->mutex, WEIR_LOCK_QUEUES);
    queues->watch.space = WEIR_SPACE_CATALOGUE;
    queues->watch.wake = catalogue_changed;
    weir_store_watch(queues->store, &queues->watch);
    enum weir_rc rc = mirror(queues, err);
    if (rc != WEIR_OK) {
        weir_queues_close(queues);
        return rc;
    }
    queues->host.changed(queues->host.arg);
    *ret_queues = queues;
    return WEIR_OK;
}

void weir_queues_close(struct weir_queues *queues)
{
    if (queues == NULL) {
        return;
    }
    weir_store_unwatch(queues->store, &queues->watch);
    weir_queues_free_lines(queues);
    for (size_t i = 0; i < queues->count; i++) {
        weir_queue_unref(&queues->boxes[i]->queue);
    }
    weir_free(queues->boxes);
    weir_free(queues->notes.all);
    weir_free(queues->fresh.all);
    disown(queues->region);
    disown(queues->account);
    weir_mutex_fini(&queues->mutex);
    weir_free(queues);
}

struct weir_store *weir_queues_store(struct weir_queues *queues)
{
    return queues->store;
}

struct weir_str weir_queues_account(const struct weir_queues *queues)
{
    return queues->account;
}

/* --- looking up ------------------------------------------------------------------------------ */

/* The queue's name in an ARN or URL; other text as it is. */
static struct weir_str last_part(struct weir_str text)
{
    size_t end = text.n;
    size_t at = end;
    while (at > 0 && text.p[at - 1] != '/' && text.p[at - 1] != ':') {
        at--;
    }
    return weir_str(text.p + at, end - at);
}

enum weir_rc weir_queues_get(struct weir_queues *queues, struct weir_str name,
        const struct weir_queue **ret_queue, struct weir_err *err)
{
    name = last_part(name);
    bool found = false;
    weir_mutex_lock(&queues->mutex);
    size_t i = place_of(queues, name, &found);
    if (found) {
        *ret_queue = &queues->boxes[i]->queue;
        weir_queue_ref(*ret_queue);
    }
    weir_mutex_unlock(&queues->mutex);
    if (found) {
        return WEIR_OK;
    }
    (void)weir_fail(err, WEIR_E_NOT_FOUND, "The specified queue does not exist.");
    return WEIR_E_NOT_FOUND;
}

size_t weir_queues_list(struct weir_queues *queues, struct weir_str after, struct weir_str prefix,
        struct weir_arena *arena, struct weir_str *names, size_t cap)
{
    bool found = false;
    weir_mutex_lock(&queues->mutex);
    bool behind = weir_str_cmp(after, prefix) >= 0;
    size_t i = place_of(queues, behind ? after : prefix, &found);
    i = found && behind && after.n > 0 ? i + 1 : i;
    size_t n = 0;
    for (; i < queues->count && n < cap; i++) {
        if (!weir_str_starts(queues->boxes[i]->queue.name, prefix)) {
            break;
        }
        names[n++] = weir_arena_str(arena, queues->boxes[i]->queue.name);
    }
    weir_mutex_unlock(&queues->mutex);
    return n;
}

size_t weir_queues_all(
        struct weir_queues *queues, struct weir_arena *arena, const struct weir_queue ***ret_queues)
{
    weir_mutex_lock(&queues->mutex);
    size_t count = queues->count;
    *ret_queues = weir_arena_zero(arena, count, sizeof(struct weir_queue *));
    for (size_t i = 0; i < count; i++) {
        (*ret_queues)[i] = &queues->boxes[i]->queue;
        weir_queue_ref((*ret_queues)[i]);
    }
    weir_mutex_unlock(&queues->mutex);
    return count;
}

/* --- changing definitions ------------------------------------------------------------------------
 */

struct definition_op {
    struct weir_op op;
    struct weir_queues *queues;
    struct weir_str name;
    struct weir_item definition;
    enum weir_rc (*change)(
            struct weir_queue *queue, struct weir_arena *arena, void *arg, struct weir_err *err);
    void *arg;
};

static struct definition_op *add_op(struct weir_queues *queues, struct weir_txn *txn,
        struct weir_str name,
        enum weir_rc (*run)(struct weir_op *op, struct weir_view *view, struct weir_err *err))
{
    struct definition_op *op = WEIR_ARENA_NEW(&txn->arena, struct definition_op);
    op->op.run = run;
    op->queues = queues;
    op->name = weir_arena_str(&txn->arena, last_part(name));
    weir_txn_op(txn, &op->op);
    return op;
}

/* Decode the entry that stands there now; the caller destroys the box. NULL: there is none. */
static enum weir_rc read_queue(struct definition_op *op, struct weir_view *view,
        struct weir_queue_box **ret_box, struct weir_err *err)
{
    struct weir_entry entry;
    struct weir_str key = entry_name(weir_view_arena(view), op->name);
    enum weir_rc rc = weir_view_get(view, WEIR_SPACE_CATALOGUE, key, &entry, err);
    *ret_box = NULL;
    if (rc != WEIR_OK || entry.pos.seq == 0) {
        return rc;
    }
    struct weir_item stored = { entry.value.p, entry.value.n };
    return weir_queue_decode(op->queues, stored, ret_box, err);
}

static enum weir_rc read_existing(struct definition_op *op, struct weir_view *view,
        struct weir_queue_box **ret_box, struct weir_err *err)
{
    enum weir_rc rc = read_queue(op, view, ret_box, err);
    if (rc == WEIR_OK && *ret_box == NULL) {
        (void)weir_fail(err, WEIR_E_NOT_FOUND, "The specified queue does not exist.");
        return WEIR_E_NOT_FOUND;
    }
    return rc;
}

static void write_queue(struct weir_view *view, const struct weir_queue *queue)
{
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_item item = weir_queue_encode(arena, queue);
    weir_view_put(
            view, WEIR_SPACE_CATALOGUE, entry_name(arena, queue->name), weir_str(item.p, item.n));
}

static void drop_space(struct weir_view *view, uint32_t space)
{
    struct weir_change change = { .kind = WEIR_CHANGE_DROP, .space = space };
    weir_view_add(view, &change);
}

static enum weir_rc check_same(
        const struct weir_queue *there, const struct weir_queue *wanted, struct weir_err *err)
{
    const char *differs = weir_queue_difference(there, wanted);
    if (differs == NULL) {
        return WEIR_OK;
    }
    return weir_fail(err, WEIR_E_EXISTS,
            "A queue already exists with the same name and a different value for attribute %s",
            differs);
}

static enum weir_rc create_now(struct definition_op *op, struct weir_view *view,
        struct weir_queue *wanted, struct weir_err *err)
{
    struct weir_queue_box *there = NULL;
    enum weir_rc rc = read_queue(op, view, &there, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (there != NULL) {
        rc = check_same(&there->queue, wanted, err);
        weir_queue_box_destroy(there);
        return rc;
    }
    wanted->created = weir_view_time(view);
    wanted->modified = wanted->created;
    rc = weir_tables_take_spaces(view, 1, &wanted->space, err);
    if (rc == WEIR_OK) {
        write_queue(view, wanted);
    }
    return rc;
}

static enum weir_rc run_create(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_queue_box *box = NULL;
    enum weir_rc rc = weir_queue_decode(op->queues, op->definition, &box, err);
    if (rc == WEIR_OK) {
        rc = create_now(op, view, &box->queue, err);
        weir_queue_box_destroy(box);
    }
    return rc;
}

void weir_queues_create_queue(
        struct weir_queues *queues, struct weir_txn *txn, const struct weir_queue *definition)
{
    struct definition_op *op = add_op(queues, txn, definition->name, run_create);
    op->definition = weir_queue_encode(&txn->arena, definition);
}

static enum weir_rc run_delete(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_queue_box *box = NULL;
    enum weir_rc rc = read_existing(op, view, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_view_delete(view, WEIR_SPACE_CATALOGUE, entry_name(weir_view_arena(view), op->name));
    drop_space(view, box->queue.space);
    weir_queue_box_destroy(box);
    return WEIR_OK;
}

void weir_queues_delete_queue(
        struct weir_queues *queues, struct weir_txn *txn, struct weir_str name)
{
    txn->urgent = true;
    add_op(queues, txn, name, run_delete);
}

/* The messages go with their keyspace; the sequence numbers go on in the next one. */
static enum weir_rc run_purge(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_arena *arena = weir_view_arena(view);
    struct weir_queue_box *box = NULL;
    enum weir_rc rc = read_existing(op, view, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_entry entry;
    struct weir_queue_state state;
    uint32_t before = box->queue.space;
    rc = weir_view_get(view, before, WEIR_QUEUE_STATE_KEY, &entry, err);
    if (rc == WEIR_OK) {
        rc = weir_queue_read_state(entry.value, &state, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_tables_take_spaces(view, 1, &box->queue.space, err);
    }
    if (rc == WEIR_OK) {
        state.count = 0;
        weir_view_put(view, box->queue.space, WEIR_QUEUE_STATE_KEY,
                weir_queue_write_state(arena, &state));
        write_queue(view, &box->queue);
        drop_space(view, before);
    }
    weir_queue_box_destroy(box);
    return rc;
}

void weir_queues_purge(struct weir_queues *queues, struct weir_txn *txn, struct weir_str name)
{
    txn->urgent = true;
    add_op(queues, txn, name, run_purge);
}

static enum weir_rc run_alter(struct weir_op *base, struct weir_view *view, struct weir_err *err)
{
    struct definition_op *op = WEIR_CONTAINER(base, struct definition_op, op);
    struct weir_queue_box *box = NULL;
    enum weir_rc rc = read_existing(op, view, &box, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = op->change(&box->queue, weir_view_arena(view), op->arg, err);
    if (rc == WEIR_OK) {
        box->queue.modified = weir_view_time(view);
        write_queue(view, &box->queue);
    }
    weir_queue_box_destroy(box);
    return rc;
}

void weir_queues_alter(struct weir_queues *queues, struct weir_txn *txn, struct weir_str name,
        enum weir_rc (*change)(struct weir_queue *queue, struct weir_arena *arena, void *arg,
                struct weir_err *err),
        void *arg)
{
    struct definition_op *op = add_op(queues, txn, name, run_alter);
    op->change = change;
    op->arg = arg;
}

/* --- weir.yaml
 * ------------------------------------------------------------------------------------- */

/* Give a queue that is there what the file says; what only the API sets stays. */
static enum weir_rc adopt(
        struct weir_queue *queue, struct weir_arena *arena, void *arg, struct weir_err *err)
{
    (void)arena;
    (void)err;
    struct weir_queue merged = *(const struct weir_queue *)arg;
    merged.space = queue->space;
    merged.created = queue->created;
    merged.echoed = queue->echoed;
    merged.tags = queue->tags;
    *queue = merged;
    return WEIR_OK;
}

enum weir_rc weir_queues_ensure(
        struct weir_queues *queues, const struct weir_queue *definition, struct weir_err *err)
{
    enum weir_rc rc = weir_queue_check(definition, err);
    if (rc != WEIR_OK) {
        return weir_fail_in(err, rc, "queue %.*s: ", WEIR_STR_ARG(definition->name));
    }
    const struct weir_queue *there = NULL;
    rc = weir_queues_get(queues, definition->name, &there, NULL);
    bool same = rc == WEIR_OK && there->from_file == definition->from_file &&
                weir_queue_difference(there, definition) == NULL;
    weir_queue_unref(there);
    if (same) {
        return WEIR_OK;
    }
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    if (rc == WEIR_OK) {
        struct weir_queue *copy = WEIR_ARENA_NEW(&txn->arena, struct weir_queue);
        *copy = *definition;
        weir_queues_alter(queues, txn, definition->name, adopt, copy);
    } else {
        weir_queues_create_queue(queues, txn, definition);
    }
    return weir_store_commit(queues->store, txn, err);
}
