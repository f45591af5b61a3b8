/*
 * The catalogue of queues: under "q" in WEIR_SPACE_CATALOGUE.
 */
#include <string.h>

#include "base/mem.h"
#include "queue/queue_int.h"

/* --- references ---------------------------------------------------------------------- */

void weir_queue_ref(const struct weir_queue *queue)
{
    weir_defined_ref(&weir_queue_box(queue)->defined);
}

void weir_queue_unref(const struct weir_queue *queue)
{
    if (queue != NULL) {
        weir_defined_unref(&weir_queue_box(queue)->defined);
    }
}

/* --- what is special about queues --------------------------------------------------------- */

static struct weir_queue_box *box_of(struct weir_defined *defined)
{
    return WEIR_CONTAINER(defined, struct weir_queue_box, defined);
}

static enum weir_rc decode(
        void *arg, struct weir_item stored, struct weir_defined **ret_defined, struct weir_err *err)
{
    struct weir_queue_box *box = NULL;
    enum weir_rc rc = weir_queue_decode(arg, stored, &box, err);
    if (rc == WEIR_OK) {
        *ret_defined = &box->defined;
    }
    return rc;
}

static void destroy(struct weir_defined *defined)
{
    weir_queue_box_destroy(box_of(defined));
}

static void gone(void *arg, struct weir_defined *defined)
{
    (void)arg;
    atomic_store(&box_of(defined)->life->space, 0);
}

static void replace(void *arg, struct weir_defined *old_defined, struct weir_defined *defined)
{
    struct weir_queue_box *old = box_of(old_defined);
    struct weir_queue_box *box = box_of(defined);
    if (old->queue.created.ms != box->queue.created.ms) {
        gone(arg, old_defined); /* and made again */
        return;
    }
    weir_free(box->life);
    box->life = old->life;
    atomic_fetch_add(&box->life->references, 1);
    atomic_store(&box->life->space, box->queue.space); /* another one after a purge */
}

static void changed(void *arg)
{
    struct weir_queues *queues = arg;
    weir_mutex_lock(&queues->mutex);
    queues->changed = true;
    weir_mutex_unlock(&queues->mutex);
    queues->host.changed(queues->host.arg);
}

static const struct weir_catalogue_kind kind = {
    .letter = 'q',
    .decode = decode,
    .destroy = destroy,
    .replace = replace,
    .gone = gone,
    .changed = changed,
};

void weir_queues_on_change(struct weir_queues *queues, void (*on_change)(void *arg), void *arg)
{
    weir_catalogue_on_change(&queues->catalogue, on_change, arg);
}

/* --- open and close ----------------------------------------------------------------------- */

enum weir_rc weir_queues_open(const struct weir_queues_options *options,
        struct weir_queues **ret_queues, struct weir_err *err)
{
    struct weir_queues *queues = weir_alloc_zero(1, sizeof(*queues));
    queues->delivered_end = &queues->delivered;
    queues->store = options->store;
    queues->host = options->host;
    queues->metrics = options->metrics;
    queues->region = weir_str_own(weir_str_or(options->region, WEIR_STR("us-east-1")));
    queues->account = weir_str_own(weir_str_or(options->account, WEIR_STR("000000000000")));
    weir_random_init(&queues->random);
    weir_clock_guard_init(&queues->guard, weir_store_clock(queues->store));
    weir_mutex_init(&queues->mutex, WEIR_LOCK_QUEUES);
    enum weir_rc rc = weir_catalogue_open(&queues->catalogue, queues->store, &kind, queues, err);
    if (rc != WEIR_OK) {
        weir_queues_close(queues);
        return rc;
    }
    *ret_queues = queues;
    return WEIR_OK;
}

void weir_queues_close(struct weir_queues *queues)
{
    if (queues == NULL) {
        return;
    }
    weir_catalogue_close(&queues->catalogue);
    weir_queues_free_lines(queues);
    weir_free(queues->notes.all);
    weir_free(queues->fresh.all);
    weir_str_disown(queues->region);
    weir_str_disown(queues->account);
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

/* The code is said here too, for the static analyser, which does not look into weir_fail. */
static enum weir_rc not_found(struct weir_err *err)
{
    (void)weir_fail(err, WEIR_E_NOT_FOUND, "The specified queue does not exist.");
    return WEIR_E_NOT_FOUND;
}

enum weir_rc weir_queues_get(struct weir_queues *queues, struct weir_str name,
        const struct weir_queue **ret_queue, struct weir_err *err)
{
    struct weir_defined *defined = weir_catalogue_get(&queues->catalogue, last_part(name));
    if (defined == NULL) {
        return not_found(err);
    }
    *ret_queue = &box_of(defined)->queue;
    return WEIR_OK;
}

size_t weir_queues_list(struct weir_queues *queues, struct weir_str after, struct weir_str prefix,
        struct weir_arena *arena, struct weir_str *names, size_t cap)
{
    return weir_catalogue_list(&queues->catalogue, after, prefix, arena, names, cap);
}

size_t weir_queues_all(
        struct weir_queues *queues, struct weir_arena *arena, const struct weir_queue ***ret_queues)
{
    struct weir_defined **all = NULL;
    size_t count = weir_catalogue_all(&queues->catalogue, arena, &all);
    *ret_queues = weir_arena_zero(arena, count, sizeof(struct weir_queue *));
    for (size_t i = 0; i < count; i++) {
        (*ret_queues)[i] = &box_of(all[i])->queue;
    }
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

/* The queue that is there now; the caller destroys the box. NULL: there is none. */
static enum weir_rc read_queue(struct definition_op *op, struct weir_view *view,
        struct weir_queue_box **ret_box, struct weir_err *err)
{
    struct weir_defined *defined = NULL;
    enum weir_rc rc = weir_catalogue_read(&op->queues->catalogue, view, op->name, &defined, err);
    *ret_box = rc == WEIR_OK && defined != NULL ? box_of(defined) : NULL;
    return rc;
}

static enum weir_rc read_existing(struct definition_op *op, struct weir_view *view,
        struct weir_queue_box **ret_box, struct weir_err *err)
{
    enum weir_rc rc = read_queue(op, view, ret_box, err);
    return rc == WEIR_OK && *ret_box == NULL ? not_found(err) : rc;
}

static void write_queue(
        const struct definition_op *op, struct weir_view *view, const struct weir_queue *queue)
{
    struct weir_item item = weir_queue_encode(weir_view_arena(view), queue);
    weir_catalogue_write(&op->queues->catalogue, view, queue->name, item);
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
    rc = weir_catalogue_take_spaces(view, 1, &wanted->space, err);
    if (rc == WEIR_OK) {
        write_queue(op, view, wanted);
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
    weir_catalogue_delete(&op->queues->catalogue, view, op->name);
    weir_catalogue_drop_space(view, box->queue.space);
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
        rc = weir_catalogue_take_spaces(view, 1, &box->queue.space, err);
    }
    if (rc == WEIR_OK) {
        state.count = 0;
        weir_view_put(view, box->queue.space, WEIR_QUEUE_STATE_KEY,
                weir_queue_write_state(arena, &state));
        write_queue(op, view, &box->queue);
        weir_catalogue_drop_space(view, before);
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
        write_queue(op, view, &box->queue);
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
