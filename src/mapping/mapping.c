/*
 * Mappings that are there, and how they change. An entry's key is the mapping's UUID, so that what
 * is stored and what runs have one name.
 */
#include "base/logline.h"
#include "base/mem.h"
#include "mapping/mapping_int.h"

enum { TAKE_BACK_AGAIN_MS = 1000 };

/* A mapping that is there. */
struct held {
    struct held *next;
    struct weir_mappings *mappings;
    struct definition *now;
    struct definition *later; /* what it is to become, until that is committed */
    enum weir_mapping_state state;
    bool tagging;        /* the change is of tags: the pipeline does not see it */
    bool erasing;        /* DELETING: the transaction that deletes the entry is under way */
    struct weir_err why; /* it could not be started */
    struct weir_txn *txn;
    struct weir_err unsure; /* not OK: why it was not known what came of it; it is taken back */
    struct weir_loop_timer again;
    struct weir_mapping_change *change;
    struct weir_post post;
};

static void again_due(struct weir_loop_timer *timer);
static void outcome_posted(struct weir_post *post);
static void erase(struct held *held);

/* --- the list ------------------------------------------------------------------------- */

static struct held *hold(struct weir_mappings *mappings, const struct weir_mapping *mapping)
{
    struct held *held = weir_alloc_zero(1, sizeof(*held));
    struct held **at = &mappings->first;
    held->mappings = mappings;
    held->now = weir_definition_copy(mapping);
    held->post.run = outcome_posted;
    weir_loop_timer_init(&held->again, mappings->options.loop, again_due);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = held;
    return held;
}

static void destroy(struct held *held)
{
    weir_definition_destroy(held->now);
    weir_definition_destroy(held->later);
    weir_txn_destroy(held->txn);
    weir_loop_timer_fini(&held->again);
    weir_free(held);
}

static void drop(struct held *held)
{
    struct held **at = &held->mappings->first;
    while (*at != held) {
        at = &(*at)->next;
    }
    *at = held->next;
    destroy(held);
}

static struct held *find(struct weir_mappings *mappings, struct weir_str uuid)
{
    struct held *held = mappings->first;
    while (held != NULL && !weir_str_eq(held->now->mapping.uuid, uuid)) {
        held = held->next;
    }
    return held;
}

static void view_of(const struct held *held, struct weir_mapping_view *ret_view)
{
    struct weir_arena arena;
    weir_arena_init(&arena);
    *ret_view = (struct weir_mapping_view){ .mapping = &held->now->mapping, .state = held->state };
    struct weir_str name = weir_mapping_pipeline(&arena, held->now->mapping.uuid);
    if (held->why.code != WEIR_OK) {
        ret_view->progress = WEIR_PROGRESS_STUCK;
        ret_view->why = held->why;
    } else {
        ret_view->progress =
                weir_pipelines_progress(held->mappings->options.pipelines, name, &ret_view->why);
    }
    weir_arena_fini(&arena);
}

/* --- the pipeline --------------------------------------------------------------------- */

static void start(struct held *held)
{
    const struct weir_mapping *mapping = &held->now->mapping;
    struct weir_pipelines *pipelines = held->mappings->options.pipelines;
    struct weir_pipeline_model *model = NULL;
    held->why.code = WEIR_OK;
    held->state = mapping->enabled ? WEIR_MAPPING_ENABLED : WEIR_MAPPING_DISABLED;
    if (!mapping->enabled) {
        return;
    }
    enum weir_rc rc = weir_mapping_model(held->mappings, mapping, &model, &held->why);
    if (rc == WEIR_OK) {
        rc = weir_pipelines_add(pipelines, model, &held->why);
    }
    if (rc != WEIR_OK) {
        held->why.code = rc;
        weir_logline(WEIR_LOG_ERROR, "mapping.not_started", "uuid", mapping->uuid.p, "reason",
                held->why.msg, NULL);
    }
}

/* The pipeline is gone: what was the removal for? */
static void removed(void *arg)
{
    struct held *held = arg;
    if (held->state == WEIR_MAPPING_DELETING) {
        erase(held);
    } else {
        start(held);
    }
}

/* End the pipeline, if there is one, and go on. */
static void stop(struct held *held)
{
    struct weir_arena arena;
    struct weir_err err;
    weir_arena_init(&arena);
    struct weir_str name = weir_mapping_pipeline(&arena, held->now->mapping.uuid);
    if (weir_pipelines_remove(held->mappings->options.pipelines, name, removed, held, &err) !=
            WEIR_OK) {
        removed(held); /* there is none: it was disabled, or could not be started */
    }
    weir_arena_fini(&arena);
}

/* --- transactions --------------------------------------------------------------------- */

static void committed(struct weir_txn *txn)
{
    struct held *held = txn->arg;
    weir_loop_post(held->mappings->options.loop, &held->post);
}

static void submit(struct held *held, struct weir_txn *txn)
{
    held->txn = txn;
    txn->done = committed;
    txn->arg = held;
    weir_store_submit(held->mappings->store, txn);
}

static void put(struct held *held, const struct weir_mapping *mapping, bool deleting)
{
    struct weir_txn *txn = weir_txn_create();
    txn->urgent = deleting;
    weir_txn_put(txn, WEIR_SPACE_MAPPING, weir_arena_str(&txn->arena, mapping->uuid),
            weir_mapping_encode(&txn->arena, mapping, deleting));
    submit(held, txn);
}

/* Delete the entry and what the pipeline has stored; after a failure the next start does it. */
static void erase(struct held *held)
{
    struct weir_txn *txn = weir_txn_create();
    struct weir_str uuid = held->now->mapping.uuid;
    struct weir_err err;
    txn->urgent = true;
    held->erasing = true;
    enum weir_rc rc = weir_pipelines_forget(
            held->mappings->options.pipelines, weir_mapping_pipeline(&txn->arena, uuid), txn, &err);
    if (rc != WEIR_OK) {
        weir_logline(
                WEIR_LOG_ERROR, "mapping.not_deleted", "uuid", uuid.p, "reason", err.msg, NULL);
        weir_txn_destroy(txn);
        return;
    }
    weir_txn_delete(txn, WEIR_SPACE_MAPPING, weir_arena_str(&txn->arena, uuid));
    submit(held, txn);
}

static void tell(struct held *held, enum weir_rc rc, const struct weir_err *err)
{
    struct weir_mapping_change *change = WEIR_TAKE(held->change);
    struct weir_mapping_view view;
    if (change == NULL) {
        return;
    }
    change->rc = rc;
    change->err = *err;
    if (rc == WEIR_OK) {
        view_of(held, &view);
    }
    change->done(change, rc == WEIR_OK ? &view : NULL);
}

/* Nothing has changed. */
static void undo(struct held *held)
{
    weir_definition_destroy(WEIR_TAKE(held->later));
    if (held->state == WEIR_MAPPING_CREATING) {
        drop(held);
    } else {
        held->state = held->now->mapping.enabled ? WEIR_MAPPING_ENABLED : WEIR_MAPPING_DISABLED;
    }
}

static void go_on(struct held *held)
{
    if (held->state == WEIR_MAPPING_CREATING) {
        start(held);
    } else {
        stop(held);
    }
}

static void erased(struct held *held, enum weir_rc rc, const struct weir_err *err)
{
    if (rc == WEIR_OK) {
        drop(held);
    } else {
        weir_logline(WEIR_LOG_ERROR, "mapping.not_deleted", "uuid", held->now->mapping.uuid.p,
                "reason", err->msg, NULL);
    }
}

/*
 * Nobody can say whether a change will be true after all. So the entry is written as it was, until
 * that is through: then it is certain that nothing has changed.
 */
static void take_back(struct held *held)
{
    struct weir_txn *txn = weir_txn_create();
    const struct weir_mapping *mapping = &held->now->mapping;
    struct weir_str key = weir_arena_str(&txn->arena, mapping->uuid);
    txn->urgent = true;
    if (held->state == WEIR_MAPPING_CREATING) {
        weir_txn_delete(txn, WEIR_SPACE_MAPPING, key);
    } else {
        weir_txn_put(
                txn, WEIR_SPACE_MAPPING, key, weir_mapping_encode(&txn->arena, mapping, false));
    }
    submit(held, txn);
}

static void again_due(struct weir_loop_timer *timer)
{
    take_back(WEIR_CONTAINER(timer, struct held, again));
}

/* Whether it is certain what came of the change; else this is called again. */
static bool is_certain(struct held *held, enum weir_rc *rc, struct weir_err *err)
{
    if (held->unsure.code == WEIR_OK && *rc != WEIR_E_UNKNOWN_OUTCOME) {
        return true;
    }
    if (held->unsure.code == WEIR_OK) {
        held->unsure = *err;
        take_back(held);
        return false;
    }
    if (*rc != WEIR_OK) {
        weir_loop_timer_start(&held->again, TAKE_BACK_AGAIN_MS);
        return false;
    }
    *err = held->unsure;
    *rc = WEIR_E_UNKNOWN_OUTCOME; /* as every write that the disk has failed */
    held->unsure.code = WEIR_OK;
    return true;
}

static void outcome_posted(struct weir_post *post)
{
    struct held *held = WEIR_CONTAINER(post, struct held, post);
    struct weir_err err = held->txn->err;
    enum weir_rc rc = held->txn->rc;
    weir_txn_destroy(WEIR_TAKE(held->txn));
    if (held->mappings->finished || (!held->erasing && !is_certain(held, &rc, &err))) {
        return;
    }
    if (held->erasing) {
        erased(held, rc, &err);
        return;
    }
    if (rc == WEIR_OK && held->later != NULL) {
        weir_definition_destroy(held->now);
        held->now = WEIR_TAKE(held->later);
    }
    tell(held, rc, &err);
    if (held->tagging) {
        held->tagging = false;
        weir_definition_destroy(WEIR_TAKE(held->later)); /* there is one after a failure */
    } else if (rc == WEIR_OK) {
        go_on(held);
    } else {
        undo(held);
    }
}

/* --- changes -------------------------------------------------------------------------- */

static struct weir_time now(const struct weir_mappings *mappings)
{
    return weir_clock_wall(weir_loop_clock(mappings->options.loop));
}

/* Whether another mapping has the same source and function. */
static enum weir_rc check_alone(
        struct weir_mappings *mappings, const struct weir_mapping *mapping, struct weir_err *err)
{
    for (const struct held *held = mappings->first; held != NULL; held = held->next) {
        const struct weir_mapping *other = &held->now->mapping;
        if (weir_str_eq(other->source_arn, mapping->source_arn) &&
                weir_str_eq(other->function, mapping->function) &&
                !weir_str_eq(other->uuid, mapping->uuid)) {
            return weir_fail(err, WEIR_E_EXISTS, "%.*s", WEIR_STR_ARG(other->uuid));
        }
    }
    return WEIR_OK;
}

static enum weir_rc check(
        struct weir_mappings *mappings, const struct weir_mapping *mapping, struct weir_err *err)
{
    struct weir_pipeline_model *model = NULL;
    enum weir_rc rc = check_alone(mappings, mapping, err);
    if (rc == WEIR_OK) {
        rc = weir_mapping_model(mappings, mapping, &model, err);
    }
    weir_pipeline_model_destroy(model);
    return rc;
}

enum weir_rc weir_mappings_add(struct weir_mappings *mappings, const struct weir_mapping *mapping,
        struct weir_mapping_change *change, struct weir_err *err)
{
    char uuid[WEIR_UUID_TEXT];
    struct weir_mapping made = *mapping;
    weir_random_uuid(&mappings->random, uuid);
    made.uuid = weir_str_z(uuid);
    made.modified = now(mappings);
    enum weir_rc rc = check(mappings, &made, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct held *held = hold(mappings, &made);
    held->state = WEIR_MAPPING_CREATING;
    held->change = change;
    put(held, &held->now->mapping, false);
    return WEIR_OK;
}

/* The mapping, if nothing about it is being stored now; idle: and if it is in no change either. */
static enum weir_rc find_free(struct weir_mappings *mappings, struct weir_str uuid, bool idle,
        struct held **ret_held, struct weir_err *err)
{
    struct held *held = find(mappings, uuid);
    if (held == NULL) {
        weir_fail(err, WEIR_E_NOT_FOUND, "The resource you requested does not exist.");
        return WEIR_E_NOT_FOUND;
    }
    bool still = held->state == WEIR_MAPPING_ENABLED || held->state == WEIR_MAPPING_DISABLED;
    if (held->change != NULL || held->state == WEIR_MAPPING_DELETING || (idle && !still)) {
        weir_fail(err, WEIR_E_CONFLICT,
                "Cannot change the event source mapping because it is in use: another change of "
                "it is under way.");
        return WEIR_E_CONFLICT;
    }
    *ret_held = held;
    return WEIR_OK;
}

static enum weir_mapping_state change_of(
        const struct weir_mapping *now, const struct weir_mapping *later)
{
    if (now->enabled == later->enabled) {
        return WEIR_MAPPING_UPDATING;
    }
    return later->enabled ? WEIR_MAPPING_ENABLING : WEIR_MAPPING_DISABLING;
}

enum weir_rc weir_mappings_update(struct weir_mappings *mappings,
        const struct weir_mapping *mapping, struct weir_mapping_change *change,
        struct weir_err *err)
{
    struct held *held = NULL;
    enum weir_rc rc = find_free(mappings, mapping->uuid, true, &held, err);
    if (rc == WEIR_OK) {
        rc = check(mappings, mapping, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    held->later = weir_definition_copy(mapping);
    held->later->mapping.modified = now(mappings);
    held->state = change_of(&held->now->mapping, mapping);
    held->change = change;
    put(held, &held->later->mapping, false);
    return WEIR_OK;
}

enum weir_rc weir_mappings_set_tags(struct weir_mappings *mappings, struct weir_str uuid,
        struct weir_item tags, struct weir_mapping_change *change, struct weir_err *err)
{
    struct held *held = NULL;
    enum weir_rc rc = find_free(mappings, uuid, false, &held, err);
    if (rc == WEIR_OK) {
        struct weir_mapping tagged = held->now->mapping;
        tagged.tags = tags;
        held->later = weir_definition_copy(&tagged);
        held->tagging = true;
        held->change = change;
        put(held, &held->later->mapping, false);
    }
    return rc;
}

enum weir_rc weir_mappings_delete(struct weir_mappings *mappings, struct weir_str uuid,
        struct weir_mapping_change *change, struct weir_err *err)
{
    struct held *held = NULL;
    enum weir_rc rc = find_free(mappings, uuid, true, &held, err);
    if (rc == WEIR_OK) {
        held->state = WEIR_MAPPING_DELETING;
        held->change = change;
        put(held, &held->now->mapping, true);
    }
    return rc;
}

/* --- looking -------------------------------------------------------------------------- */

enum weir_rc weir_mappings_get(struct weir_mappings *mappings, struct weir_str uuid,
        struct weir_mapping_view *ret_view, struct weir_err *err)
{
    const struct held *held = find(mappings, uuid);
    if (held == NULL || held->state == WEIR_MAPPING_CREATING) {
        return weir_fail(err, WEIR_E_NOT_FOUND, "The resource you requested does not exist.");
    }
    view_of(held, ret_view);
    return WEIR_OK;
}

bool weir_mappings_at(struct weir_mappings *mappings, size_t n, struct weir_mapping_view *ret_view)
{
    for (const struct held *held = mappings->first; held != NULL; held = held->next) {
        if (held->state != WEIR_MAPPING_CREATING && n-- == 0) {
            view_of(held, ret_view);
            return true;
        }
    }
    return false;
}

/* --- life ----------------------------------------------------------------------------- */

static enum weir_rc load(struct weir_mappings *mappings, struct weir_err *err)
{
    struct weir_cursor *cursor = weir_cursor_create(mappings->store, WEIR_SPACE_MAPPING);
    enum weir_rc rc = WEIR_OK;
    for (weir_cursor_first(cursor); rc == WEIR_OK; weir_cursor_next(cursor)) {
        struct weir_str key;
        struct weir_entry entry;
        struct weir_mapping mapping;
        bool have = false;
        bool deleting = false;
        rc = weir_cursor_get(cursor, &key, &entry, &have, err);
        if (rc != WEIR_OK || !have) {
            break;
        }
        rc = weir_mapping_decode(entry.value, &mapping, &deleting, err);
        if (rc == WEIR_OK) {
            struct held *held = hold(mappings, &mapping);
            held->state = deleting ? WEIR_MAPPING_DELETING : WEIR_MAPPING_UPDATING;
        }
    }
    weir_cursor_destroy(cursor);
    return rc;
}

enum weir_rc weir_mappings_create(const struct weir_mappings_options *options,
        struct weir_mappings **ret_mappings, struct weir_err *err)
{
    struct weir_mappings *mappings = weir_alloc_zero(1, sizeof(*mappings));
    mappings->options = *options;
    mappings->store = weir_tables_store(options->tables);
    weir_random_init(&mappings->random);
    *ret_mappings = mappings;
    enum weir_rc rc = load(mappings, err);
    for (struct held *held = mappings->first; rc == WEIR_OK && held != NULL; held = held->next) {
        removed(held); /* there is no pipeline yet */
    }
    return rc;
}

void weir_mappings_finish(struct weir_mappings *mappings)
{
    const struct weir_err closed = { .code = WEIR_E_CLOSED, .msg = "weir stops" };
    if (mappings == NULL) {
        return;
    }
    mappings->finished = true;
    for (struct held *held = mappings->first; held != NULL; held = held->next) {
        weir_loop_timer_fini(&held->again);
        tell(held, WEIR_E_CLOSED, &closed);
    }
}

void weir_mappings_destroy(struct weir_mappings *mappings)
{
    if (mappings == NULL) {
        return;
    }
    while (mappings->first != NULL) {
        struct held *held = mappings->first;
        mappings->first = held->next;
        destroy(held);
    }
    weir_free(mappings);
}
