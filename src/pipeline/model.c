/* From weir.yaml to a pipeline's model: every mistake is said, none stops the check. */
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "outbox/http.h"
#include "pipeline/pipeline_int.h"

enum { RULE_MAX_BYTES = 16 * 1024 * 1024 };

enum { QUEUE_BATCH = 10 }; /* of a source that is a queue and does not say */

/* What `source:` may say. */
struct source_options {
    struct weir_str table;
    struct weir_str queue;
    const struct weir_conf *tables;
    struct weir_str start;
    uint64_t batch;
    uint64_t window_ms;
    uint64_t concurrency;
    uint64_t per_shard;
    struct weir_str stream;
};

static const struct weir_option source_options[] = {
    { "table", "", "the table whose stream is read", WEIR_OPTION_STRING,
            offsetof(struct source_options, table), 0, 0 },
    { "tables", "", "several of them, as a list", WEIR_OPTION_NODE,
            offsetof(struct source_options, tables), 0, 0 },
    { "queue", "", "the queue whose messages are received, instead of tables", WEIR_OPTION_STRING,
            offsetof(struct source_options, queue), 0, 0 },
    { "batch", "100", "records a batch holds at most; of a queue 10", WEIR_OPTION_INTEGER,
            offsetof(struct source_options, batch), 1, WEIR_PIPELINE_BATCH_MAX },
    { "window", "0s", "how long a batch waits to become full", WEIR_OPTION_DURATION,
            offsetof(struct source_options, window_ms), 0, 300 * 1000 },
    { "concurrency", "10", "batches in flight", WEIR_OPTION_INTEGER,
            offsetof(struct source_options, concurrency), 1, WEIR_PIPELINE_CONCURRENCY_MAX },
    { "per_shard", "0", "batches in flight of each shard; 0: as concurrency has it",
            WEIR_OPTION_INTEGER, offsetof(struct source_options, per_shard), 0,
            WEIR_PIPELINE_SLOTS },
    { "stream", "", "the ARN of the table's stream: a table that is made anew is another one",
            WEIR_OPTION_STRING, offsetof(struct source_options, stream), 0, 0 },
    { "start", "",
            "where a new pipeline begins: oldest, latest, a time, or rebuild: with what the tables "
            "hold",
            WEIR_OPTION_STRING, offsetof(struct source_options, start), 0, 0 },
    { 0 },
};

static void add_table(struct weir_pipeline_model *model, const struct weir_conf *at,
        struct weir_str name, struct weir_scope *scope)
{
    if (weir_pipeline_model_reads(model, name)) {
        weir_conf_error(scope->diagnostics, at, "table '%.*s' is named twice", WEIR_STR_ARG(name));
        return;
    }
    model->tables[model->table_count++] = weir_arena_str(&model->arena, name);
    const struct weir_table *table = weir_scope_table(scope, at, name);
    if (table != NULL && table->view == WEIR_VIEW_NONE) {
        weir_conf_error(scope->diagnostics, at,
                "table '%.*s' has no stream: add `stream: new_and_old_images` to it",
                WEIR_STR_ARG(name));
    }
}

static void check_tables(struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct source_options *options, struct weir_scope *scope)
{
    const struct weir_conf *list = options->tables;
    bool is_list = list != NULL && list->kind == WEIR_CONF_LIST && list->count > 0;
    if ((options->table.p != NULL) == (list != NULL) || (list != NULL && !is_list)) {
        weir_conf_error(scope->diagnostics, list != NULL ? list : node,
                "source needs either `table`, a name, `tables`, a list of names, or `queue`, a "
                "name");
        return;
    }
    model->tables =
            weir_arena_zero(&model->arena, list != NULL ? list->count : 1, sizeof(*model->tables));
    if (list == NULL) {
        add_table(model, weir_conf_get(node, "table"), options->table, scope);
    }
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        static const struct weir_option name = { "tables", NULL, "", WEIR_OPTION_STRING, 0, 0, 0 };
        struct weir_str text = { 0 };
        if (weir_conf_value(scope->diagnostics, &list->items[i], &name, &text)) {
            add_table(model, &list->items[i], text, scope);
        }
    }
}

bool weir_pipeline_model_reads(const struct weir_pipeline_model *model, struct weir_str table)
{
    for (size_t i = 0; i < model->table_count; i++) {
        if (weir_str_eq(model->tables[i], table)) {
            return true;
        }
    }
    return false;
}

static void check_start(struct weir_pipeline_model *model, const struct weir_conf *node,
        struct weir_str start, struct weir_scope *scope)
{
    static const struct {
        const char *name;
        enum weir_start start;
    } names[] = {
        { "oldest", WEIR_START_OLDEST },
        { "latest", WEIR_START_LATEST },
        { "rebuild", WEIR_START_REBUILD },
    };
    model->start = WEIR_START_OLDEST;
    model->start_given = start.n > 0;
    bool known = start.n == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (weir_str_eq(start, weir_str_z(names[i].name))) {
            model->start = names[i].start;
            known = true;
        }
    }
    if (!known && weir_time_parse(start, &model->start_time)) {
        model->start = WEIR_START_TIME;
    } else if (!known) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "start"),
                "start is 'oldest', 'latest', 'rebuild' or a time as in 2025-11-22T08:15:00Z, not "
                "'%.*s'",
                WEIR_STR_ARG(start));
    }
}

struct weir_str weir_pipeline_model_source(const struct weir_pipeline_model *model)
{
    return model->queue.n > 0 ? model->queue : model->tables[0];
}

static void check_queue(struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct source_options *options, struct weir_scope *scope)
{
    const struct weir_conf *at = weir_conf_get(node, "queue");
    if (options->table.p != NULL || options->tables != NULL) {
        weir_conf_error(scope->diagnostics, at, "a source is either a queue or tables, not both");
    }
    if (options->start.n > 0) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "start"),
                "start is for tables: a queue keeps what is not processed, and nothing else");
    }
    model->queue = weir_arena_str(&model->arena, options->queue);
    if (weir_conf_get(node, "batch") == NULL) {
        model->batch = QUEUE_BATCH;
    }
    scope->of_queue = true;
    weir_scope_queue(scope, at, options->queue);
}

static void check_source(
        struct weir_pipeline_model *model, const struct weir_conf *node, struct weir_scope *scope)
{
    struct source_options options = { 0 };
    weir_conf_options(scope->diagnostics, node, "source", source_options, &options);
    model->batch = options.batch;
    model->window_ms = options.window_ms;
    model->concurrency = options.concurrency;
    model->per_shard = options.per_shard;
    model->stream = weir_arena_str(&model->arena, options.stream);
    if (options.stream.n > 0 && options.tables != NULL) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "stream"),
                "`stream` is of one table: name it with `table`");
    }
    check_start(model, node, options.start, scope);
    if (options.queue.n > 0) {
        check_queue(model, node, &options, scope);
    } else if (node->kind == WEIR_CONF_MAP) {
        check_tables(model, node, &options, scope);
    }
}

/* --- the filter ---------------------------------------------------------------------- */

struct lint {
    struct weir_scope *scope;
    const struct weir_conf *node;
};

static void lint_found(void *context, const struct weir_pattern_finding *finding)
{
    struct lint *lint = context;
    const struct weir_conf *at = weir_conf_at_json(lint->node, finding->pos);
    weir_conf_warn(lint->scope->diagnostics, at != NULL ? at : lint->node, "%.*s",
            WEIR_STR_ARG(finding->message));
}

static void lint_pattern(struct weir_pipeline_model *model, size_t index,
        const struct weir_conf *node, struct weir_scope *scope)
{
    struct lint context = { scope, node };
    struct weir_str names[2 * WEIR_DDB_KEY_MAX_ATTRIBUTES];
    struct weir_pattern_lint lint = {
        .found = lint_found,
        .context = &context,
        .key_names = names,
    };
    const struct weir_table *table =
            model->table_count == 1 ? scope->find_table(scope->arg, model->tables[0]) : NULL;
    if (table != NULL) {
        lint.view = table->view;
        for (size_t i = 0; i < table->key.partition_count; i++) {
            names[lint.key_count++] = table->key.partition[i].name;
        }
        for (size_t i = 0; i < table->key.sort_count; i++) {
            names[lint.key_count++] = table->key.sort[i].name;
        }
    }
    weir_pattern_set_lint(model->filter, index, &lint);
}

static bool add_pattern(struct weir_pipeline_model *model, const struct weir_conf *node,
        enum weir_pattern_mode mode, struct weir_scope *scope)
{
    struct weir_buf json;
    weir_buf_init(&json, WEIR_PATTERN_MAX_BYTES);
    weir_conf_write_json(&json, node);
    struct weir_err err = { 0 };
    size_t index = 0;
    enum weir_rc rc = weir_buf_check(&json, "the pattern", &err);
    if (rc == WEIR_OK) {
        rc = weir_pattern_set_add(model->filter, weir_buf_view(&json), mode, &index, &err);
    }
    if (rc != WEIR_OK) {
        const struct weir_conf *at = weir_conf_at_json(node, err.pos);
        weir_conf_error(scope->diagnostics, at != NULL ? at : node, "%s", err.msg);
    }
    weir_buf_fini(&json);
    return rc == WEIR_OK;
}

/* One pattern, or a list of them of which one must match. `item:` has the patterns on plain items.
 */
static void check_filter(
        struct weir_pipeline_model *model, const struct weir_conf *node, struct weir_scope *scope)
{
    const struct weir_conf *item =
            node->kind == WEIR_CONF_MAP && node->count == 1 ? weir_conf_get(node, "item") : NULL;
    enum weir_pattern_mode mode = item != NULL ? WEIR_PATTERN_ITEM : WEIR_PATTERN_AWS;
    if (item != NULL && scope->of_queue) {
        weir_conf_error(scope->diagnostics, item,
                "patterns on items are for records of tables: those of messages are AWS's, as in "
                "{ body: { kind: [order] } }");
    }
    node = item != NULL ? item : node;
    model->filter = weir_pattern_set_create();
    model->filter_mode = mode;
    size_t count = node->kind == WEIR_CONF_LIST ? node->count : 1;
    bool added[64] = { false };
    for (size_t i = 0; i < count; i++) {
        const struct weir_conf *one = node->kind == WEIR_CONF_LIST ? &node->items[i] : node;
        if (i >= WEIR_COUNT(added)) {
            weir_conf_error(scope->diagnostics, one, "a filter has at most %zu patterns",
                    WEIR_COUNT(added));
            break;
        }
        added[i] = add_pattern(model, one, mode, scope);
    }
    weir_pattern_set_freeze(model->filter);
    size_t index = 0;
    for (size_t i = 0; i < count && i < WEIR_COUNT(added); i++) {
        if (added[i] && !scope->of_queue) {
            lint_pattern(
                    model, index++, node->kind == WEIR_CONF_LIST ? &node->items[i] : node, scope);
        }
    }
}

/* --- dead letters --------------------------------------------------------------------- */

struct failure_options {
    struct weir_str table;
    struct weir_str queue;
    struct weir_str file;
    struct weir_str http;
};

static const struct weir_option failure_options[] = {
    { "table", "", "the table that keeps them, with the key { pipeline: S, sequence: S }",
            WEIR_OPTION_STRING, offsetof(struct failure_options, table), 0, 0 },
    { "queue", "", "the queue that gets them; beside http: those that the server refuses",
            WEIR_OPTION_STRING, offsetof(struct failure_options, queue), 0, 0 },
    { "file", "", "the file that they are appended to, one line of JSON each", WEIR_OPTION_STRING,
            offsetof(struct failure_options, file), 0, 0 },
    { "http", "", "the URL that they are POSTed to", WEIR_OPTION_STRING,
            offsetof(struct failure_options, http), 0, 0 },
    { 0 },
};

static void check_letters_table(
        const struct weir_conf *at, struct weir_str name, const struct weir_scope *scope)
{
    const struct weir_table *table = weir_scope_table(scope, at, name);
    if (table != NULL && !weir_dead_letter_fits(table)) {
        weir_conf_error(scope->diagnostics, at,
                "table '%.*s' cannot hold dead letters: its key must be { pipeline: S, sequence: "
                "S }",
                WEIR_STR_ARG(name));
    }
}

static void check_letters_url(struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct failure_options *options, const struct weir_scope *scope)
{
    const struct weir_conf *at = weir_conf_get(node, "http");
    struct weir_outbox_post post = { .url = options->http };
    struct weir_intent intent = { 0 };
    struct weir_err err = { 0 };
    if (weir_outbox_post_intent(&post, &model->arena, &intent, &err) != WEIR_OK) {
        weir_conf_error(scope->diagnostics, at, "%s", err.msg);
    }
    if (options->queue.n == 0) {
        weir_conf_error(scope->diagnostics, node,
                "letters that the server refuses need a place: add `queue: NAME` beside http");
        return;
    }
    model->undelivered = weir_arena_str(&model->arena, options->queue);
    weir_scope_queue(scope, weir_conf_get(node, "queue"), options->queue);
}

static void check_on_failure(
        struct weir_pipeline_model *model, const struct weir_conf *node, struct weir_scope *scope)
{
    struct failure_options options = { 0 };
    if (!weir_conf_options(scope->diagnostics, node, "on_failure", failure_options, &options)) {
        return;
    }
    bool queue = options.queue.n > 0 && options.http.n == 0;
    if ((options.table.n > 0) + queue + (options.file.n > 0) + (options.http.n > 0) != 1) {
        weir_conf_error(scope->diagnostics, node,
                "on_failure is one place: { queue: NAME }, { table: NAME }, { file: PATH } or "
                "{ http: URL, queue: NAME }");
        return;
    }
    struct weir_str name = queue ? options.queue : options.table;
    if (options.table.n > 0) {
        model->dead_letters_in = WEIR_LETTERS_TABLE;
        check_letters_table(weir_conf_get(node, "table"), options.table, scope);
    } else if (queue) {
        model->dead_letters_in = WEIR_LETTERS_QUEUE;
        weir_scope_queue(scope, weir_conf_get(node, "queue"), options.queue);
    } else if (options.file.n > 0) {
        model->dead_letters_in = WEIR_LETTERS_FILE;
        struct weir_str folder = options.file.p[0] == '/' ? WEIR_STR("") : scope->folder;
        name = weir_arena_printf(
                &model->arena, "%.*s%.*s", WEIR_STR_ARG(folder), WEIR_STR_ARG(options.file));
    } else {
        model->dead_letters_in = WEIR_LETTERS_HTTP;
        name = options.http;
        check_letters_url(model, node, &options, scope);
    }
    model->dead_letters = weir_arena_str(&model->arena, name);
}

/* --- retries ------------------------------------------------------------------------------ */

struct retry_options {
    const struct weir_conf *retries;
    const struct weir_conf *backoff;
    uint64_t max_backoff_ms;
    struct weir_str bisect;
    uint64_t max_age_ms;
};

static const struct weir_option retry_options[] = {
    { "retries", "",
            "attempts after the first one, or 'unlimited'; 3, unlimited without on_failure, of a "
            "queue "
            "0",
            WEIR_OPTION_NODE, offsetof(struct retry_options, retries), 0, 0 },
    { "backoff", "", "the pause before each retry, as a list; or the first one, 1s, which doubles",
            WEIR_OPTION_NODE, offsetof(struct retry_options, backoff), 0, 0 },
    { "max_backoff", "1m", "the longest pause of those that double", WEIR_OPTION_DURATION,
            offsetof(struct retry_options, max_backoff_ms), 1, 24 * 3600 * 1000 },
    { "bisect", "true",
            "halve a batch whose retries are used up, to find the record at fault: true, false, or "
            "'first': instead of retries",
            WEIR_OPTION_STRING, offsetof(struct retry_options, bisect), 0, 0 },
    { "max_age", "0s", "records older than this are given up; 0s: never", WEIR_OPTION_DURATION,
            offsetof(struct retry_options, max_age_ms), 0, 0 },
    { 0 },
};

static void check_retries(
        struct weir_retry *retry, const struct weir_conf *node, struct weir_scope *scope)
{
    static const struct weir_option option = { "retries", NULL, "", WEIR_OPTION_INTEGER, 0, 0,
        10000 };
    if (node->kind == WEIR_CONF_SCALAR && weir_str_eq(node->text, WEIR_STR("unlimited"))) {
        retry->retries = UINT64_MAX;
    } else {
        weir_conf_value(scope->diagnostics, node, &option, &retry->retries);
    }
}

static void check_backoff(struct weir_retry *retry, const struct weir_conf *node,
        uint64_t max_backoff_ms, struct weir_scope *scope)
{
    static const struct weir_option option = { "backoff", NULL, "", WEIR_OPTION_DURATION, 0, 1,
        24 * 3600 * 1000 };
    bool list = node->kind == WEIR_CONF_LIST;
    size_t count = list ? node->count : 1;
    if (count == 0 || count > WEIR_BACKOFF_PAUSES_MAX) {
        weir_conf_error(scope->diagnostics, node, "backoff has 1 to %d pauses, as in [1s, 2s, 4s]",
                WEIR_BACKOFF_PAUSES_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        weir_conf_value(scope->diagnostics, list ? &node->items[i] : node, &option,
                &retry->backoff.pauses_ms[i]);
    }
    retry->backoff.count = count;
    retry->backoff.max_ms = list ? 0 : max_backoff_ms;
}

static void check_bisect(struct weir_retry *retry, struct weir_str bisect,
        const struct weir_conf *node, struct weir_scope *scope)
{
    if (weir_str_eq(bisect, WEIR_STR("true"))) {
        retry->bisect = WEIR_BISECT_LAST;
    } else if (weir_str_eq(bisect, WEIR_STR("first"))) {
        retry->bisect = WEIR_BISECT_FIRST;
    } else if (weir_str_eq(bisect, WEIR_STR("false"))) {
        retry->bisect = WEIR_BISECT_NEVER;
    } else if (bisect.p != NULL) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "bisect"),
                "bisect is true, false or 'first', not '%.*s'", WEIR_STR_ARG(bisect));
    }
}

/* Without a place for what is given up, nothing is given up; a queue has its messages still. */
static void check_retry(
        struct weir_pipeline_model *model, const struct weir_conf *node, struct weir_scope *scope)
{
    struct weir_retry *retry = &model->retry;
    struct retry_options options = { 0 };
    *retry = (struct weir_retry){
        .retries = model->queue.n > 0          ? 0
                   : model->dead_letters.n > 0 ? 3
                                               : UINT64_MAX,
        .backoff = { .pauses_ms = { 1000 }, .count = 1, .max_ms = 60 * 1000 },
        .bisect = WEIR_BISECT_LAST,
    };
    if (node == NULL ||
            !weir_conf_options(scope->diagnostics, node, "retry", retry_options, &options)) {
        return;
    }
    if (options.retries != NULL) {
        check_retries(retry, options.retries, scope);
    }
    retry->backoff.max_ms = options.max_backoff_ms;
    if (options.backoff != NULL) {
        check_backoff(retry, options.backoff, options.max_backoff_ms, scope);
    }
    check_bisect(retry, options.bisect, node, scope);
    retry->max_age_ms = options.max_age_ms;
}

/* --- steps ------------------------------------------------------------------------------ */

static void check_whole(struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct weir_step *step, struct weir_scope *scope)
{
    size_t count = 0;
    for (size_t i = 0; i < model->step_count; i++) {
        count += model->steps[i]->ops->whole;
    }
    model->whole = model->whole || step->ops->whole;
    if (count > WEIR_STEPS_WHOLE_MAX) {
        weir_conf_error(scope->diagnostics, node, "a pipeline has at most %d steps like %s",
                WEIR_STEPS_WHOLE_MAX, step->ops->name);
    }
}

static void check_step_ids(const struct weir_pipeline_model *model, const struct weir_conf *node,
        struct weir_scope *scope)
{
    const struct weir_step *last = model->steps[model->step_count - 1];
    for (size_t i = 0; i + 1 < model->step_count; i++) {
        if (last->ops->writes && weir_str_eq(model->steps[i]->id, last->id)) {
            weir_conf_error(scope->diagnostics, node,
                    "two steps have the id '%.*s': give them ids of their own (`id: name`), which "
                    "name their state",
                    WEIR_STR_ARG(last->id));
        }
    }
}

static void check_steps(struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct weir_step_kinds *kinds, struct weir_scope *scope)
{
    if (node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_LIST || node->count == 0) {
        weir_conf_error(scope->diagnostics, node, "pipeline '%.*s' needs `steps`, a list",
                WEIR_STR_ARG(model->name));
        return;
    }
    model->steps = weir_alloc_zero(node->count, sizeof(struct weir_step *));
    for (size_t i = 0; i < node->count; i++) {
        struct weir_step *step = weir_step_create(kinds, &node->items[i], scope);
        if (step != NULL) {
            step->index = model->step_count;
            model->steps[model->step_count++] = step;
            check_step_ids(model, &node->items[i], scope);
            check_whole(model, &node->items[i], step, scope);
        }
    }
}

/* What stands behind a step that has windows gets their ends, too, which are of no item. */
static void check_behind_windows(const struct weir_pipeline_model *model,
        const struct weir_conf *steps, const struct weir_scope *scope)
{
    for (size_t i = model->tumbling_step + 1; i < model->step_count; i++) {
        const struct weir_step_ops *ops = model->steps[i]->ops;
        if (ops->view || ops->defers) {
            weir_conf_error(scope->diagnostics, steps,
                    "the step %s cannot stand behind one with a `window`: the end of a window is "
                    "the record of no item",
                    ops->name);
        }
    }
}

static void check_windows(struct weir_pipeline_model *model, const struct weir_conf *source,
        const struct weir_conf *steps, const struct weir_scope *scope)
{
    for (size_t i = 0; i < model->step_count; i++) {
        const struct weir_step *step = model->steps[i];
        uint64_t ms = step->ops->window != NULL ? step->ops->window(step) : 0;
        if (ms > 0 && model->tumbling_ms > 0) {
            weir_conf_error(
                    scope->diagnostics, steps, "only one step of a pipeline can have a `window`");
        } else if (ms > 0) {
            model->tumbling_ms = ms;
            model->tumbling_step = i;
        }
    }
    if (model->tumbling_ms == 0) {
        return;
    }
    if (model->per_shard > 1) {
        weir_conf_error(scope->diagnostics, weir_conf_get(source, "per_shard"),
                "with a `window` each shard has one batch in flight: `per_shard` can only be 1");
    }
    check_behind_windows(model, steps, scope);
}

/* Whether it can be rebuilt; what only keeps views begins so when it is new. */
static void check_views(
        struct weir_pipeline_model *model, const struct weir_conf *source, struct weir_scope *scope)
{
    bool acts = false;
    for (size_t i = 0; i < model->step_count; i++) {
        const struct weir_step_ops *ops = model->steps[i]->ops;
        model->has_view = model->has_view || ops->view;
        acts = acts || (!ops->view && (ops->writes || ops->whole));
    }
    model->only_views = model->has_view && !acts;
    if (model->only_views && !model->start_given) {
        model->start = WEIR_START_REBUILD;
    }
    if (model->start == WEIR_START_REBUILD && !model->only_views) {
        weir_conf_error(scope->diagnostics, weir_conf_get(source, "start"),
                "start: rebuild is for pipelines whose only steps that act are `project`");
    }
}

static uint64_t hash_node(uint64_t seed, const struct weir_conf *node)
{
    struct weir_buf json;
    if (node == NULL) {
        return weir_hash64(seed, "", 0);
    }
    weir_buf_init(&json, RULE_MAX_BYTES);
    weir_conf_write_json(&json, node);
    uint64_t hash = weir_hash64(seed, json.p, json.n);
    weir_buf_fini(&json);
    return hash;
}

struct pipeline_options {
    const struct weir_conf *source;
    const struct weir_conf *filter;
    const struct weir_conf *when;
    const struct weir_conf *steps;
    const struct weir_conf *retry;
    const struct weir_conf *on_failure;
    struct weir_str quarantine;
};

static const struct weir_option pipeline_options[] = {
    { "source", NULL, "where records come from", WEIR_OPTION_NODE,
            offsetof(struct pipeline_options, source), 0, 0 },
    { "filter", "", "event pattern, or a list of them: one must match", WEIR_OPTION_NODE,
            offsetof(struct pipeline_options, filter), 0, 0 },
    { "when", "", "expression that must be true", WEIR_OPTION_NODE,
            offsetof(struct pipeline_options, when), 0, 0 },
    { "steps", NULL, "what is done with the records", WEIR_OPTION_NODE,
            offsetof(struct pipeline_options, steps), 0, 0 },
    { "retry", "", "what is done when a step's target fails", WEIR_OPTION_NODE,
            offsetof(struct pipeline_options, retry), 0, 0 },
    { "on_failure", "", "where records go that cannot be processed: a queue, table, file or URL",
            WEIR_OPTION_NODE, offsetof(struct pipeline_options, on_failure), 0, 0 },
    { "quarantine", "none",
            "key: later records of a failed one's item wait for it; none: they go on",
            WEIR_OPTION_STRING, offsetof(struct pipeline_options, quarantine), 0, 0 },
    { 0 },
};

static void check_quarantine(struct weir_pipeline_model *model, struct weir_str quarantine,
        const struct weir_conf *node, struct weir_scope *scope)
{
    const struct weir_conf *at = weir_conf_get(node, "quarantine");
    model->quarantine = weir_str_eq(quarantine, WEIR_STR("key"));
    if (!model->quarantine && quarantine.p != NULL && !weir_str_eq(quarantine, WEIR_STR("none"))) {
        weir_conf_error(scope->diagnostics, at, "quarantine is 'key' or 'none', not '%.*s'",
                WEIR_STR_ARG(quarantine));
    } else if (model->quarantine && model->dead_letters_in != WEIR_LETTERS_TABLE &&
               model->dead_letters_in != WEIR_LETTERS_QUEUE) {
        weir_conf_error(scope->diagnostics, at,
                "quarantine needs `on_failure` with a table or a queue: what waits goes on when "
                "the "
                "letter of the record that failed is redriven or skipped");
    }
}

/* What is for records of tables only. */
static void check_of_queue(const struct weir_pipeline_model *model, const struct weir_conf *node,
        const struct weir_conf *steps, const struct weir_scope *scope)
{
    static const struct {
        const char *name;
        const char *why;
    } refused[] = {
        { "on_failure",
                "on_failure is for records of tables: a message that fails stays in its queue, and "
                "goes where the queue's `redrive` says" },
        { "quarantine",
                "quarantine is for records of tables: a FIFO queue holds the later messages of a "
                "group back by itself" },
    };
    for (size_t i = 0; i < WEIR_COUNT(refused); i++) {
        const struct weir_conf *at = weir_conf_get(node, refused[i].name);
        if (at != NULL) {
            weir_conf_error(scope->diagnostics, at, "%s", refused[i].why);
        }
    }
    if (model->retry.max_age_ms > 0) {
        weir_conf_error(scope->diagnostics, weir_conf_get(node, "retry"),
                "max_age is for records of tables: the queue's `retention` is that of messages");
    }
    for (size_t i = 0; i < model->step_count; i++) {
        const struct weir_step_ops *ops = model->steps[i]->ops;
        if (ops->view || ops->defers) {
            weir_conf_error(scope->diagnostics, steps,
                    "the step %s is for records of tables, not for a queue's messages", ops->name);
        }
    }
    if (model->tumbling_ms > 0) {
        weir_conf_error(scope->diagnostics, steps,
                "`window` is for records of tables, whose shards it divides, not for a queue's "
                "messages");
    }
}

/* Only one kind of source gives each name its value. */
static void end_names(struct weir_scope *scope)
{
    size_t first = scope->of_queue ? WEIR_SLOT_NEW : WEIR_SLOT_MESSAGE;
    size_t end = scope->of_queue ? WEIR_SLOT_MESSAGE : WEIR_SLOT_MESSAGE + 1;
    for (size_t i = first; i < end; i++) {
        scope->ended[i] = scope->of_queue ? scope->names[i] : NULL;
        scope->names[i] = "";
    }
}

static void init_scope(struct weir_scope *scope, struct weir_arena *arena)
{
    static const char *const names[] = { "new", "old", "keys", "event", "message", "item" };
    scope->arena = arena;
    scope->fan_outs = 0;
    scope->of_queue = false;
    memset(scope->ended, 0, sizeof(scope->ended));
    for (scope->count = 0; scope->count < WEIR_SLOT_FIRST_FREE; scope->count++) {
        scope->names[scope->count] = names[scope->count];
        scope->depends[scope->count] = 0;
    }
}

struct weir_pipeline_model *weir_pipeline_model_create(const struct weir_conf *name,
        const struct weir_conf *node, const struct weir_step_kinds *kinds, struct weir_scope *scope)
{
    struct weir_pipeline_model *model = weir_alloc_zero(1, sizeof(*model));
    weir_arena_init(&model->arena);
    model->name = weir_arena_str(&model->arena, name->text);
    init_scope(scope, &model->arena);
    struct pipeline_options options = { 0 };
    struct weir_str what =
            weir_arena_printf(&model->arena, "pipeline '%.*s'", WEIR_STR_ARG(name->text));
    weir_conf_options(scope->diagnostics, node, what.p, pipeline_options, &options);
    if (options.source != NULL) {
        check_source(model, options.source, scope);
    }
    end_names(scope);
    if (options.filter != NULL) {
        check_filter(model, options.filter, scope);
    }
    if (options.when != NULL) {
        model->when = weir_scope_expr(scope, options.when);
    }
    if (options.on_failure != NULL) {
        check_on_failure(model, options.on_failure, scope);
    }
    check_quarantine(model, options.quarantine, node, scope);
    check_retry(model, options.retry, scope);
    if (options.steps != NULL) {
        check_steps(model, options.steps, kinds, scope);
    }
    check_windows(model, options.source, options.steps, scope);
    check_views(model, options.source, scope);
    if (model->queue.n > 0) {
        check_of_queue(model, node, options.steps, scope);
    }
    model->generation =
            hash_node(hash_node(hash_node(0, options.filter), options.when), options.steps);
    model->generation += model->generation == 0;
    model->slot_count = scope->count;
    return model;
}

void weir_pipeline_model_destroy(struct weir_pipeline_model *model)
{
    if (model == NULL) {
        return;
    }
    for (size_t i = 0; i < model->step_count; i++) {
        weir_step_destroy(model->steps[i]);
    }
    weir_free(model->steps);
    weir_pattern_set_destroy(model->filter);
    weir_expr_destroy(model->when);
    weir_arena_fini(&model->arena);
    weir_free(model);
}
