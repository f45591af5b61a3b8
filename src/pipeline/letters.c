/* The letters of a pipeline where they are kept: read, chosen, deleted. */
#include <stdio.h>
#include <string.h>

#include "pipeline/pipeline_int.h"

enum {
    LOOK_MAX_BYTES = 4 * 1024 * 1024, /* of letters, in one call */
    LOOK_MAX_MESSAGES = 5000,         /* of a queue, in one call: others' messages count too */
};

/* A walk through the letters of one pipeline. */
struct walk {
    struct weir_pipelines *pipelines;
    const struct weir_letters *wanted;
    struct weir_arena *arena;
    bool (*each)(void *arg, const struct weir_letter *letter);
    void *arg;
    const struct weir_table *table; /* of letters; NULL: they are elsewhere */
    size_t looked;
    size_t letters;
    size_t bytes;
    uint64_t last; /* message looked at */
    bool more;
    enum weir_rc rc;
    struct weir_err *err;
};

/* --- choosing -------------------------------------------------------------------------- */

static bool contains(struct weir_str text, struct weir_str part)
{
    return part.n == 0 || (text.n > 0 && memmem(text.p, text.n, part.p, part.n) != NULL);
}

static bool has_keys(struct weir_item keys, struct weir_item wanted)
{
    for (size_t i = 0; i < weir_item_count(wanted); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(wanted, i, &name);
        if (!weir_value_eq(weir_item_get(keys, name), value)) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct weir_letters *wanted, const struct weir_letter *letter)
{
    return weir_str_eq(letter->pipeline, wanted->pipeline) &&
           (wanted->sequence.n == 0 || weir_str_eq(letter->sequence, wanted->sequence)) &&
           (wanted->fingerprint.n == 0 || weir_str_eq(letter->fingerprint, wanted->fingerprint)) &&
           (contains(letter->error, wanted->error) ||
                   weir_str_eq(letter->fingerprint, wanted->error)) &&
           (wanted->since.n == 0 || weir_str_cmp(letter->timestamp, wanted->since) >= 0) &&
           (wanted->until.n == 0 || weir_str_cmp(letter->timestamp, wanted->until) < 0) &&
           has_keys(letter->keys, wanted->keys);
}

/* --- in a table --------------------------------------------------------------------------- */

static bool look_at_item(void *arg, struct weir_item item)
{
    struct walk *walk = arg;
    struct weir_letter letter;
    weir_letter_of_item(item, &letter);
    if (!is_wanted(walk->wanted, &letter)) {
        return true;
    }
    walk->letters++;
    walk->rc = weir_table_key(walk->table, item, walk->arena, &letter.token, walk->err);
    return walk->rc == WEIR_OK && walk->each(walk->arg, &letter);
}

/* An item with both key attributes; in the arena. */
static enum weir_rc key_item(
        struct walk *walk, struct weir_str sequence, struct weir_item *ret_item)
{
    struct weir_item_builder *builder = weir_item_begin(walk->arena);
    weir_item_name(builder, WEIR_STR("pipeline"));
    weir_item_s(builder, walk->wanted->pipeline);
    weir_item_name(builder, WEIR_STR("sequence"));
    weir_item_s(builder, sequence);
    return weir_item_finish(builder, ret_item, walk->err);
}

static enum weir_rc walk_table(
        struct walk *walk, struct weir_tables *tables, struct weir_str *ret_next)
{
    const struct weir_letters *wanted = walk->wanted;
    struct weir_item key = { 0 };
    struct weir_item start = { 0 };
    enum weir_rc rc = key_item(walk, wanted->sequence, &key);
    if (rc == WEIR_OK && wanted->after.n > 0) {
        rc = key_item(walk, wanted->after, &start);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_ddb_key_range range = {
        .partition = { weir_item_get(key, WEIR_STR("pipeline")) },
        .partition_count = 1,
        .equal = { weir_item_get(key, WEIR_STR("sequence")) },
        .equal_count = wanted->sequence.n > 0 ? 1 : 0,
    };
    struct weir_query query = {
        .table = walk->table,
        .range = &range,
        .start = start,
        .limit = WEIR_LETTERS_MAX,
        .max_bytes = LOOK_MAX_BYTES,
    };
    struct weir_query_result result;
    rc = weir_table_query(tables, &query, walk->arena, look_at_item, walk, &result, walk->err);
    *ret_next = weir_value_str(weir_item_get(result.last, WEIR_STR("sequence")));
    return rc == WEIR_OK ? walk->rc : rc;
}

/* --- in a queue ----------------------------------------------------------------------------- */

static bool look_at_message(void *arg, const struct weir_message *message, bool hidden)
{
    struct walk *walk = arg;
    if (walk->looked == LOOK_MAX_MESSAGES || walk->letters == WEIR_LETTERS_MAX ||
            walk->bytes >= LOOK_MAX_BYTES) {
        walk->more = true;
        return false;
    }
    struct weir_letter letter;
    struct weir_arena arena;
    bool go_on = true;
    walk->looked++;
    walk->bytes += message->body.n;
    walk->last = message->sequence;
    weir_arena_init(&arena);
    if (weir_letter_parse(message->body, &arena, &letter) && is_wanted(walk->wanted, &letter)) {
        walk->letters++;
        letter.taken = hidden;
        letter.token = message->receipt;
        go_on = walk->each(walk->arg, &letter);
    }
    weir_arena_fini(&arena);
    return go_on;
}

static enum weir_rc walk_queue(struct walk *walk, struct weir_queues *queues,
        const struct weir_queue *queue, struct weir_str *ret_next)
{
    uint64_t after = 0;
    if (walk->wanted->after.n > 0 && !weir_str_to_u64(walk->wanted->after, &after)) {
        return weir_fail(walk->err, WEIR_E_INVALID, "'%.*s' is no place in a list of letters",
                WEIR_STR_ARG(walk->wanted->after));
    }
    enum weir_rc rc = weir_queues_browse(queues, queue, after, look_at_message, walk, walk->err);
    if (rc == WEIR_OK && walk->more) {
        *ret_next = weir_arena_printf(walk->arena, "%llu", (unsigned long long)walk->last);
    }
    return rc == WEIR_OK ? walk->rc : rc;
}

/* --- in a file ------------------------------------------------------------------------------- */

static bool look_at_line(struct walk *walk, struct weir_str line)
{
    struct weir_letter letter;
    struct weir_arena arena;
    bool go_on = true;
    bool done = false;
    weir_arena_init(&arena);
    if (weir_letter_parse(line, &arena, &letter) && is_wanted(walk->wanted, &letter)) {
        walk->rc = weir_letter_mark_look(walk->pipelines, &letter, &arena, &done, walk->err);
        letter.token = letter.timestamp;
        go_on = walk->rc == WEIR_OK && (done || walk->each(walk->arg, &letter));
    }
    weir_arena_fini(&arena);
    return go_on;
}

static enum weir_rc walk_lines(struct walk *walk, struct weir_str *ret_next)
{
    struct weir_str rest = walk->wanted->lines;
    bool go_on = true;
    while (go_on && rest.n > 0) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;
        go_on = look_at_line(walk, weir_str(rest.p, n));
        n += end != NULL;
        rest = weir_str(rest.p + n, rest.n - n);
    }
    *ret_next = weir_arena_str(walk->arena, walk->wanted->after);
    return walk->rc;
}

/* --- letters of a pipeline --------------------------------------------------------------------
 */

bool weir_letters_are_kept(const struct weir_pipeline_model *model)
{
    return model->dead_letters_in == WEIR_LETTERS_TABLE ||
           model->dead_letters_in == WEIR_LETTERS_QUEUE;
}

enum weir_rc weir_letters_find(struct weir_pipelines *pipelines, const struct weir_letters *letters,
        struct pipeline **ret_pipeline, struct weir_err *err)
{
    struct weir_str name = letters->pipeline;
    struct pipeline *pipeline = weir_pipeline_find(pipelines, name);
    if (pipeline == NULL) {
        (void)weir_fail(err, WEIR_E_NOT_FOUND, "there is no pipeline '%.*s'", WEIR_STR_ARG(name));
        return WEIR_E_NOT_FOUND;
    }
    const struct weir_pipeline_model *model = pipeline->model;
    bool in_file = model->dead_letters_in == WEIR_LETTERS_FILE;
    if (model->dead_letters_in == WEIR_LETTERS_HTTP || (in_file && letters->lines.n == 0)) {
        (void)weir_fail(err, WEIR_E_INVALID, "the dead letters of pipeline '%.*s' %s",
                WEIR_STR_ARG(name),
                in_file ? "are lines of a file: those that are meant must come with the request, "
                          "as `weir dlq` sends them"
                        : "were sent away");
        return WEIR_E_INVALID;
    }
    bool stops = pipelines->stopping || pipeline->leaving;
    if (model->dead_letters.n == 0 || stops) {
        (void)weir_fail(err, WEIR_E_INVALID, "pipeline '%.*s' %s", WEIR_STR_ARG(name),
                stops ? "does not run now" : "keeps no dead letters: it has no on_failure");
        return WEIR_E_INVALID;
    }
    *ret_pipeline = pipeline;
    return WEIR_OK;
}

static enum weir_rc walk_letters(struct walk *walk, struct weir_pipelines *pipelines,
        const struct weir_pipeline_model *model, struct weir_str *ret_next)
{
    const struct weir_queue *queue = NULL;
    enum weir_rc rc = WEIR_OK;
    if (model->dead_letters_in == WEIR_LETTERS_FILE) {
        return walk_lines(walk, ret_next);
    }
    if (model->dead_letters_in == WEIR_LETTERS_TABLE) {
        rc = weir_tables_get(pipelines->tables, model->dead_letters, &walk->table, walk->err);
        if (rc == WEIR_OK && !weir_dead_letter_fits(walk->table)) {
            rc = weir_fail(walk->err, WEIR_E_INVALID, "table %.*s cannot hold dead letters",
                    WEIR_STR_ARG(model->dead_letters));
        }
        if (rc == WEIR_OK) {
            rc = walk_table(walk, pipelines->tables, ret_next);
        }
        weir_table_unref(walk->table);
        return rc;
    }
    rc = weir_queues_get(pipelines->queues, model->dead_letters, &queue, NULL);
    if (rc != WEIR_OK) {
        return weir_fail(walk->err, rc, "queue %.*s not found", WEIR_STR_ARG(model->dead_letters));
    }
    rc = walk_queue(walk, pipelines->queues, queue, ret_next);
    weir_queue_unref(queue);
    return rc;
}

enum weir_rc weir_pipelines_letters(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        bool (*each)(void *arg, const struct weir_letter *letter), void *arg,
        struct weir_str *ret_next, struct weir_err *err)
{
    struct pipeline *pipeline = NULL;
    enum weir_rc rc = weir_letters_find(pipelines, letters, &pipeline, err);
    *ret_next = WEIR_STR("");
    if (rc != WEIR_OK) {
        return rc;
    }
    struct walk walk = {
        .pipelines = pipelines,
        .wanted = letters,
        .arena = arena,
        .each = each,
        .arg = arg,
        .err = err,
    };
    return walk_letters(&walk, pipelines, pipeline->model, ret_next);
}

/* --- deleting ------------------------------------------------------------------------------- */

/* A deletion under way, in the memory of its transaction. */
struct removing {
    struct weir_txn *txn;
    struct weir_pipelines *pipelines;
    struct pipeline *pipeline;
    struct weir_letters_removal *removal;
    const struct weir_table *table; /* references, until the transaction is destroyed */
    const struct weir_queue *queue;
    size_t count;
    enum weir_rc rc;
    struct weir_err *err;
    struct weir_post post;
};

static enum weir_rc remove_item(struct removing *removing, const struct weir_letter *letter)
{
    struct weir_arena *arena = &removing->txn->arena;
    struct weir_write *write = WEIR_ARENA_NEW(arena, struct weir_write);
    struct weir_item_builder *builder = weir_item_begin(arena);
    weir_item_name(builder, WEIR_STR("pipeline"));
    weir_item_s(builder, letter->pipeline);
    weir_item_name(builder, WEIR_STR("sequence"));
    weir_item_s(builder, letter->sequence);
    write->tables = removing->pipelines->tables;
    write->table = removing->table;
    write->kind = WEIR_WRITE_DELETE;
    enum weir_rc rc = weir_item_finish(builder, &write->item, removing->err);
    return rc == WEIR_OK ? weir_table_write(write, removing->txn, removing->err) : rc;
}

static enum weir_rc remove_message(struct removing *removing, const struct weir_letter *letter)
{
    struct weir_arena *arena = &removing->txn->arena;
    struct weir_queue_settle *settle = WEIR_ARENA_NEW(arena, struct weir_queue_settle);
    settle->queue = removing->queue;
    settle->receipt = weir_arena_str(arena, letter->token);
    settle->exact = true;
    return weir_queue_settle(removing->pipelines->queues, settle, removing->txn, removing->err);
}

static enum weir_rc remove_one(struct removing *removing, const struct weir_letter *letter)
{
    if (removing->table != NULL) {
        return remove_item(removing, letter);
    }
    if (removing->queue != NULL) {
        return remove_message(removing, letter);
    }
    struct weir_time now = weir_clock_wall(weir_loop_clock(removing->pipelines->loop));
    weir_letter_mark_put(removing->txn, letter, now);
    return WEIR_OK;
}

static bool remove_letter(void *arg, const struct weir_letter *letter)
{
    struct removing *removing = arg;
    struct weir_pos pos;
    removing->rc = remove_one(removing, letter);
    if (removing->rc == WEIR_OK && weir_sequence_parse(letter->sequence, &pos, NULL) == WEIR_OK) {
        removing->rc = weir_quarantine_skip(removing->pipeline, removing->txn, pos, removing->err);
    }
    removing->count++;
    return removing->rc == WEIR_OK;
}

static void end_removing(struct removing *removing)
{
    const struct weir_table *table = removing->table;
    const struct weir_queue *queue = removing->queue;
    weir_txn_destroy(removing->txn);
    weir_table_unref(table);
    weir_queue_unref(queue);
}

static void removed(struct weir_post *post)
{
    struct removing *removing = WEIR_CONTAINER(post, struct removing, post);
    struct weir_letters_removal *removal = removing->removal;
    removal->rc = removing->txn->rc;
    removal->err = removing->txn->err;
    removal->count = removal->rc == WEIR_OK ? removing->count : 0;
    weir_quarantine_skipped(removing->pipeline, removing->txn, removal->rc == WEIR_OK);
    struct pipeline *pipeline = removing->pipeline;
    pipeline->letters_leaving--;
    if (pipeline->letters_leaving == 0) { /* tables that have come meanwhile waited for that */
        weir_pipelines_catalogue_changed(removing->pipelines);
    }
    weir_pipeline_check_left(pipeline);
    end_removing(removing);
    removal->done(removal);
}

static void removal_committed(struct weir_txn *txn)
{
    struct removing *removing = txn->arg;
    weir_loop_post(removing->pipelines->loop, &removing->post);
}

/* Hold the place that letters are deleted from; a file is none. Errors: WEIR_E_NOT_FOUND. */
static enum weir_rc hold_place(
        struct removing *removing, const struct weir_pipeline_model *model, struct weir_err *err)
{
    struct weir_pipelines *all = removing->pipelines;
    if (model->dead_letters_in == WEIR_LETTERS_TABLE) {
        return weir_tables_get(all->tables, model->dead_letters, &removing->table, err);
    }
    if (model->dead_letters_in == WEIR_LETTERS_QUEUE) {
        return weir_queues_get(all->queues, model->dead_letters, &removing->queue, err);
    }
    return WEIR_OK;
}

enum weir_rc weir_pipelines_remove_letters(struct weir_pipelines *pipelines,
        const struct weir_letters *letters, struct weir_arena *arena,
        struct weir_letters_removal *removal, struct weir_str *ret_next, struct weir_err *err)
{
    struct pipeline *pipeline = NULL;
    enum weir_rc rc = weir_letters_find(pipelines, letters, &pipeline, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_txn *txn = weir_txn_create();
    struct removing *removing = WEIR_ARENA_NEW(&txn->arena, struct removing);
    removing->txn = txn;
    removing->pipelines = pipelines;
    removing->pipeline = pipeline;
    removing->removal = removal;
    removing->err = err;
    removing->post.run = removed;
    rc = hold_place(removing, pipeline->model, err);
    if (rc == WEIR_OK) {
        rc = weir_pipelines_letters(
                pipelines, letters, arena, remove_letter, removing, ret_next, err);
    }
    if (rc == WEIR_OK) {
        rc = removing->rc;
    }
    if (rc != WEIR_OK) {
        weir_quarantine_skipped(pipeline, txn, false);
        end_removing(removing);
        return rc;
    }
    txn->urgent = true;
    txn->done = removal_committed;
    txn->arg = removing;
    pipeline->letters_leaving++;
    weir_store_submit(pipelines->store, txn);
    return WEIR_OK;
}
