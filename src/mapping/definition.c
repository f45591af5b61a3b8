/* Mappings as entries of the store, and as the pipelines that weir.yaml would describe. */
#include <string.h>

#include "base/mem.h"
#include "mapping/mapping_int.h"
#include "pattern/pattern.h"
#include "value/json.h"
#include "value/member.h"

enum { YAML_MAX_BYTES = 1024 * 1024 };

/* --- entries ------------------------------------------------------------------------------ */

struct weir_str weir_mapping_encode(
        struct weir_arena *arena, const struct weir_mapping *mapping, bool deleting)
{
    struct weir_item_builder *b = weir_item_begin(arena);
    weir_member_put_s(b, "uuid", mapping->uuid);
    weir_member_put_s(b, "function", mapping->function);
    weir_member_put_s(b, "stream", mapping->source_arn);
    weir_member_put_s(b, "filters", mapping->filters);
    weir_member_put_s(b, "destination", mapping->destination);
    weir_member_put_u64(b, "batch", mapping->batch);
    weir_member_put_u64(b, "window", mapping->window_s);
    weir_member_put_u64(b, "concurrency", mapping->concurrency);
    weir_member_put_u64(b, "factor", mapping->factor);
    weir_member_put_u64(b, "tumbling", mapping->tumbling_s);
    weir_member_put_u64(b, "retries", mapping->retries);
    weir_member_put_u64(b, "max_age", mapping->max_age_s);
    weir_member_put_bool(b, "bisect", mapping->bisect);
    weir_member_put_bool(b, "report_failures", mapping->report_failures);
    weir_member_put_bool(b, "latest", mapping->latest);
    weir_member_put_bool(b, "enabled", mapping->enabled);
    weir_member_put_time(b, "modified", mapping->modified);
    weir_member_put_map(b, "tags", mapping->tags);
    weir_member_put_bool(b, "has_metrics", mapping->has_metrics);
    weir_member_put_bool(b, "counts_events", mapping->counts_events);
    weir_member_put_bool(b, "deleting", deleting);
    struct weir_item item = weir_member_finish(b);
    return weir_str(item.p, item.n);
}

enum weir_rc weir_mapping_decode(struct weir_str stored, struct weir_mapping *ret_mapping,
        bool *ret_deleting, struct weir_err *err)
{
    struct weir_item item = { stored.p, stored.n };
    enum weir_rc rc = weir_item_check(item, err);
    if (rc != WEIR_OK) {
        return weir_fail(err, WEIR_E_DAMAGED, "the entry of an event source mapping is damaged");
    }
    *ret_mapping = (struct weir_mapping){
        .uuid = weir_member_s(item, "uuid"),
        .function = weir_member_s(item, "function"),
        .source_arn = weir_member_s(item, "stream"),
        .filters = weir_member_s(item, "filters"),
        .destination = weir_member_s(item, "destination"),
        .batch = weir_member_u64(item, "batch"),
        .window_s = weir_member_u64(item, "window"),
        .concurrency = weir_member_u64(item, "concurrency"),
        .factor = weir_member_u64(item, "factor"),
        .tumbling_s = weir_member_u64(item, "tumbling"),
        .retries = weir_member_u64(item, "retries"),
        .max_age_s = weir_member_u64(item, "max_age"),
        .bisect = weir_member_bool(item, "bisect"),
        .report_failures = weir_member_bool(item, "report_failures"),
        .latest = weir_member_bool(item, "latest"),
        .enabled = weir_member_bool(item, "enabled"),
        .modified = weir_member_time(item, "modified"),
        .tags = weir_value_map(weir_item_get(item, WEIR_STR("tags"))),
        .has_metrics = weir_member_bool(item, "has_metrics"),
        .counts_events = weir_member_bool(item, "counts_events"),
    };
    *ret_deleting = weir_member_bool(item, "deleting");
    return WEIR_OK;
}

struct definition *weir_definition_copy(const struct weir_mapping *mapping)
{
    struct definition *copy = weir_alloc_zero(1, sizeof(*copy));
    bool deleting = false;
    weir_arena_init(&copy->arena);
    struct weir_str entry = weir_mapping_encode(&copy->arena, mapping, false);
    weir_assert(weir_mapping_decode(entry, &copy->mapping, &deleting, NULL) == WEIR_OK);
    return copy;
}

void weir_definition_destroy(struct definition *definition)
{
    if (definition != NULL) {
        weir_arena_fini(&definition->arena);
        weir_free(definition);
    }
}

/* --- the description ------------------------------------------------------------------------ */

struct weir_str weir_mapping_pipeline(struct weir_arena *arena, struct weir_str uuid)
{
    return weir_arena_printf(arena, WEIR_MAPPING_PIPELINE "%.*s", WEIR_STR_ARG(uuid));
}

/* The name in arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL. */
static struct weir_str table_of(struct weir_str arn)
{
    const char *first = arn.n > 0 ? memchr(arn.p, '/', arn.n) : NULL;
    if (first == NULL) {
        return arn;
    }
    struct weir_str rest = weir_str(first + 1, arn.n - (size_t)(first - arn.p) - 1);
    const char *end = rest.n > 0 ? memchr(rest.p, '/', rest.n) : NULL;
    return weir_str(rest.p, end != NULL ? (size_t)(end - rest.p) : rest.n);
}

bool weir_mapping_is_of_queue(const struct weir_mapping *mapping)
{
    return weir_str_starts(mapping->source_arn, WEIR_STR("arn:aws:sqs:"));
}

/* The name at the end of arn:aws:sqs:REGION:ACCOUNT:NAME. */
static struct weir_str queue_of(struct weir_str arn)
{
    const char *colon = arn.n > 0 ? memrchr(arn.p, ':', arn.n) : NULL;
    size_t skip = colon != NULL ? (size_t)(colon - arn.p) + 1 : 0;
    return weir_str(arn.p + skip, arn.n - skip);
}

/*
 * Write a value again, with texts as YAML reads them too: a pair of surrogates is one character.
 * False: the JSON is wrong.
 */
static bool rewrite(struct weir_json *json, enum weir_json_token token, struct weir_buf *out)
{
    bool object = token == WEIR_JSON_OBJECT;
    const char *comma = "";
    if (token == WEIR_JSON_STRING) {
        weir_json_write_string(out, json->text);
        return true;
    }
    if (!object && token != WEIR_JSON_ARRAY) {
        struct weir_str raw;
        bool right = weir_json_raw(json, token, &raw, NULL) == WEIR_OK;
        weir_buf_str(out, right ? raw : WEIR_STR(""));
        return right;
    }
    enum weir_json_token end = object ? WEIR_JSON_OBJECT_END : WEIR_JSON_ARRAY_END;
    weir_buf_byte(out, object ? '{' : '[');
    while ((token = weir_json_next(json)) != end) {
        weir_buf_z(out, comma);
        comma = ", ";
        if (object) {
            if (token != WEIR_JSON_NAME) {
                return false;
            }
            weir_json_write_string(out, json->text);
            weir_buf_z(out, ": ");
            token = weir_json_next(json);
        }
        if (token == WEIR_JSON_ERROR || token == WEIR_JSON_END || !rewrite(json, token, out)) {
            return false;
        }
    }
    weir_buf_byte(out, object ? '}' : ']');
    return true;
}

bool weir_mapping_write_pattern(
        struct weir_str pattern, struct weir_arena *arena, struct weir_buf *out)
{
    struct weir_json json;
    weir_json_init(&json, pattern, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_json_token token = weir_json_next(&json);
    return token == WEIR_JSON_OBJECT && rewrite(&json, token, out) &&
           weir_json_next(&json) == WEIR_JSON_END;
}

static enum weir_rc write_filters(struct weir_str filters, struct weir_arena *arena,
        struct weir_buf *out, struct weir_err *err)
{
    struct weir_json json;
    weir_json_init(&json, filters, arena, WEIR_JSON_MAX_DEPTH);
    const char *comma = "";
    bool right = weir_json_next(&json) == WEIR_JSON_ARRAY;
    WEIR_AUTO(weir_pattern_set)
    struct weir_pattern_set *set = weir_pattern_set_create(); /* so that they are checked */
    weir_buf_z(out, ", filter: [");
    while (right && weir_json_next(&json) == WEIR_JSON_STRING) {
        size_t index;
        enum weir_rc rc = weir_pattern_set_add(set, json.text, WEIR_PATTERN_AWS, &index, err);
        if (rc != WEIR_OK) {
            return weir_fail_in(err, rc, "Invalid filter pattern definition. ");
        }
        weir_buf_z(out, comma);
        right = weir_mapping_write_pattern(json.text, arena, out);
        comma = ", ";
    }
    weir_buf_byte(out, ']');
    return right ? WEIR_OK : weir_fail(err, WEIR_E_INVALID, "Invalid filter pattern definition.");
}

static void write_stream(const struct weir_mapping *mapping, struct weir_buf *out)
{
    weir_buf_z(out, "table: ");
    weir_json_write_string(out, table_of(mapping->source_arn));
    weir_buf_z(out, ", stream: ");
    weir_json_write_string(out, mapping->source_arn);
    weir_buf_printf(out, ", per_shard: %llu, start: %s", (unsigned long long)mapping->factor,
            mapping->latest ? "latest" : "oldest");
}

static void write_queue(const struct weir_mapping *mapping, struct weir_buf *out)
{
    weir_buf_z(out, "queue: ");
    weir_json_write_string(out, queue_of(mapping->source_arn));
    weir_buf_printf(out, ", concurrency: %llu", (unsigned long long)mapping->concurrency);
}

/* What is done about a batch that failed. Messages stay in their queue, all of them. */
static void write_failure(const struct weir_mapping *mapping, struct weir_buf *out)
{
    if (weir_mapping_is_of_queue(mapping)) {
        weir_buf_z(out, ", retry: { retries: 0, bisect: false }");
        return;
    }
    if (mapping->destination.n > 0) {
        weir_buf_z(out, ", on_failure: { queue: ");
        weir_json_write_string(out, queue_of(mapping->destination));
        weir_buf_z(out, " }");
    }
    weir_buf_z(out, ", retry: { retries: ");
    if (mapping->retries == UINT64_MAX) {
        weir_buf_z(out, "unlimited");
    } else {
        weir_buf_printf(out, "%llu", (unsigned long long)mapping->retries);
    }
    weir_buf_printf(out, ", bisect: %s, max_age: %llus }", mapping->bisect ? "first" : "false",
            (unsigned long long)mapping->max_age_s);
}

static enum weir_rc write_yaml(const struct weir_mapping *mapping, struct weir_arena *arena,
        struct weir_buf *out, struct weir_err *err)
{
    weir_buf_z(out, "{ source: { ");
    if (weir_mapping_is_of_queue(mapping)) {
        write_queue(mapping, out);
    } else {
        write_stream(mapping, out);
    }
    weir_buf_printf(out, ", batch: %llu, window: %llus }", (unsigned long long)mapping->batch,
            (unsigned long long)mapping->window_s);
    enum weir_rc rc = WEIR_OK;
    if (mapping->filters.n > 0) {
        rc = write_filters(mapping->filters, arena, out, err);
    }
    write_failure(mapping, out);
    weir_buf_z(out, ", steps: [ { invoke: { function: ");
    weir_json_write_string(out, mapping->function);
    weir_buf_printf(out, ", report_failures: %s", mapping->report_failures ? "true" : "false");
    weir_buf_printf(out, ", window: %llus } } ] }", (unsigned long long)mapping->tumbling_s);
    return rc == WEIR_OK ? weir_buf_check(out, "the mapping", err) : rc;
}

/* --- the model ------------------------------------------------------------------------------ */

/* What the description may name; references of the time of making the model. */
struct names {
    const struct weir_table *table;
    const struct weir_queue *queue;
};

static const struct weir_table *find_table(void *arg, struct weir_str name)
{
    const struct names *names = arg;
    return names->table != NULL && weir_str_eq(names->table->name, name) ? names->table : NULL;
}

static const struct weir_queue *find_queue(void *arg, struct weir_str name)
{
    const struct names *names = arg;
    return names->queue != NULL && weir_str_eq(names->queue->name, name) ? names->queue : NULL;
}

static const char *const *function_names(
        const struct weir_functions *functions, struct weir_arena *arena, size_t *ret_count)
{
    const struct weir_function_model *models = weir_functions_models(functions, ret_count);
    const char **names = weir_arena_zero(arena, *ret_count + 1, sizeof(char *));
    for (size_t i = 0; i < *ret_count; i++) {
        names[i] = weir_arena_str(arena, models[i].name).p;
    }
    return names;
}

/* What is wrong first. */
static enum weir_rc say(const struct weir_diagnostics *diagnostics, struct weir_err *err)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        if (diagnostics->all[i].level == WEIR_DIAGNOSTIC_ERROR) {
            return weir_fail(err, WEIR_E_INVALID, "%s", diagnostics->all[i].text);
        }
    }
    return WEIR_OK;
}

static enum weir_rc make_model(const struct weir_mapping *mapping, struct weir_str yaml,
        const struct weir_step_kinds *kinds, struct weir_scope *scope,
        struct weir_pipeline_model **ret_model, struct weir_err *err)
{
    struct weir_arena arena;
    const struct weir_conf *root = NULL;
    weir_arena_init(&arena);
    enum weir_rc rc = weir_conf_parse(&arena, yaml, scope->diagnostics, &root, err);
    if (rc == WEIR_OK) {
        const struct weir_conf name = {
            .kind = WEIR_CONF_SCALAR,
            .text = weir_mapping_pipeline(&arena, mapping->uuid),
        };
        struct weir_pipeline_model *model = weir_pipeline_model_create(&name, root, kinds, scope);
        rc = say(scope->diagnostics, err);
        if (rc == WEIR_OK) {
            *ret_model = model;
        } else {
            weir_pipeline_model_destroy(model);
        }
    } else {
        rc = weir_fail(err, WEIR_E_INVALID, "Invalid filter pattern definition.");
    }
    weir_arena_fini(&arena);
    return rc;
}

/* What is not there now is waited for, as with pipelines of weir.yaml. */
static void look_up(const struct weir_mappings_options *options, const struct weir_mapping *mapping,
        struct names *names)
{
    struct weir_str table = table_of(mapping->source_arn);
    bool of_queue = weir_mapping_is_of_queue(mapping);
    struct weir_str queue = queue_of(of_queue ? mapping->source_arn : mapping->destination);
    if (weir_tables_get(options->tables, table, &names->table, NULL) != WEIR_OK) {
        names->table = NULL;
    }
    if (weir_queues_get(options->queues, queue, &names->queue, NULL) != WEIR_OK) {
        names->queue = NULL;
    }
}

/*
 * Batches of a queue in flight: no more than the function runs at once, because messages that wait
 * for it are hidden meanwhile, and may become visible again before their turn.
 */
static uint64_t concurrency(
        const struct weir_mappings_options *options, const struct weir_mapping *mapping)
{
    uint64_t most = WEIR_PIPELINE_CONCURRENCY_MAX;
    const struct weir_function_model *function =
            weir_functions_find(options->functions, mapping->function);
    most = function != NULL && function->concurrency < most ? function->concurrency : most;
    bool given = mapping->concurrency > 0 && mapping->concurrency < most;
    return given ? mapping->concurrency : most;
}

enum weir_rc weir_mapping_model(const struct weir_mappings *mappings,
        const struct weir_mapping *mapping, struct weir_pipeline_model **ret_model,
        struct weir_err *err)
{
    const struct weir_mappings_options *options = &mappings->options;
    struct weir_arena arena;
    struct weir_buf yaml;
    struct weir_diagnostics diagnostics;
    struct names names = { 0 };
    weir_arena_init(&arena);
    weir_buf_init(&yaml, YAML_MAX_BYTES);
    weir_diagnostics_init(&diagnostics, "mapping");
    look_up(options, mapping, &names);
    struct weir_scope scope = {
        .diagnostics = &diagnostics,
        .find_table = find_table,
        .find_queue = find_queue,
        .arg = &names,
    };
    scope.function_names = function_names(options->functions, &arena, &scope.function_count);
    struct weir_mapping limited = *mapping;
    limited.concurrency = concurrency(options, mapping);
    enum weir_rc rc = write_yaml(&limited, &arena, &yaml, err);
    if (rc == WEIR_OK) {
        rc = make_model(mapping, weir_buf_view(&yaml), options->kinds, &scope, ret_model, err);
    }
    weir_table_unref(names.table);
    weir_queue_unref(names.queue);
    weir_diagnostics_fini(&diagnostics);
    weir_buf_fini(&yaml);
    weir_arena_fini(&arena);
    return rc;
}
