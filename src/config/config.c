/* The file as a whole: its members, and what they make together. */
#include "config/config.h"

#include "base/mem.h"
#include "config/config_int.h"

/* The members of the file. */
struct members {
    const struct weir_conf *tables;
    const struct weir_conf *queues;
    const struct weir_conf *remotes;
    const struct weir_conf *functions;
    const struct weir_conf *schedules;
    const struct weir_conf *pipelines;
    const struct weir_conf *alarms;
    const struct weir_conf *server;
    const struct weir_conf *log;
    const struct weir_conf *credentials;
};

static const struct {
    const char *name;
    size_t offset;
} known[] = {
    { "tables", offsetof(struct members, tables) },
    { "queues", offsetof(struct members, queues) },
    { "remotes", offsetof(struct members, remotes) },
    { "functions", offsetof(struct members, functions) },
    { "schedules", offsetof(struct members, schedules) },
    { "pipelines", offsetof(struct members, pipelines) },
    { "alarms", offsetof(struct members, alarms) },
    { "server", offsetof(struct members, server) },
    { "log", offsetof(struct members, log) },
    { "credentials", offsetof(struct members, credentials) },
};

/* Members that weir is meant to have; a file that uses one is not mistaken, only early. */
static const char *const planned[] = { "buses", "rules", "channels", "routes", "waiters",
    "defaults" };

static void unknown_member(struct weir_diagnostics *diagnostics, const struct weir_conf *name)
{
    char shown[WEIR_CONF_SHOWN];
    for (size_t i = 0; i < WEIR_COUNT(planned); i++) {
        if (weir_str_eq(name->text, weir_str_z(planned[i]))) {
            weir_conf_error(diagnostics, name, "%s is not available in this version of weir (%s)",
                    weir_conf_show(name, shown), WEIR_VERSION);
            return;
        }
    }
    const char *names[WEIR_COUNT(known)];
    for (size_t i = 0; i < WEIR_COUNT(known); i++) {
        names[i] = known[i].name;
    }
    weir_conf_unknown(diagnostics, name, "member", names, WEIR_COUNT(names));
}

static void read_members(const struct weir_conf *root, struct weir_diagnostics *diagnostics,
        struct members *ret_members)
{
    if (root->kind == WEIR_CONF_NULL || root->broken) {
        return;
    }
    if (root->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(diagnostics, root,
                "the file must be a map of tables, queues, remotes, functions, schedules, "
                "pipelines, "
                "alarms, server, log and credentials, not %s",
                weir_conf_show(root, shown));
        return;
    }
    for (size_t i = 0; i < root->count; i++) {
        size_t k = 0;
        while (k < WEIR_COUNT(known) &&
                !weir_str_eq(root->names[i].text, weir_str_z(known[k].name))) {
            k++;
        }
        if (k < WEIR_COUNT(known)) {
            *(const struct weir_conf **)(void *)((char *)ret_members + known[k].offset) =
                    &root->items[i];
        } else if (!root->names[i].broken) {
            unknown_member(diagnostics, &root->names[i]);
        }
    }
}

/* --- pipelines ------------------------------------------------------------------------- */

static const struct weir_table *find_table(void *arg, struct weir_str name)
{
    const struct weir_config *config = arg;
    for (size_t i = 0; i < config->table_count; i++) {
        if (weir_str_eq(config->tables[i].name, name)) {
            return &config->tables[i];
        }
    }
    return NULL;
}

static const struct weir_queue *find_queue(void *arg, struct weir_str name)
{
    const struct weir_config *config = arg;
    for (size_t i = 0; i < config->queue_count; i++) {
        if (weir_str_eq(config->queues[i].name, name)) {
            return &config->queues[i];
        }
    }
    return NULL;
}

/* Names go into metrics, URLs and the keys of stored positions. */
static void check_pipeline_name(struct weir_diagnostics *diagnostics, const struct weir_conf *name)
{
    enum { NAME_MAX_BYTES = 128 };
    bool right = name->text.n > 0 && name->text.n <= NAME_MAX_BYTES;
    for (size_t i = 0; i < name->text.n; i++) {
        char c = name->text.p[i];
        right = right && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.');
    }
    if (!right) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(diagnostics, name,
                "pipeline name %s must be 1 to %d characters of a-z, A-Z, 0-9, '_', '-' and '.'",
                weir_conf_show(name, shown), NAME_MAX_BYTES);
    }
}

static void read_pipelines(const struct weir_config_reader *reader, const struct weir_conf *node)
{
    struct weir_config *config = reader->config;
    if (node == NULL || node->kind == WEIR_CONF_NULL || node->broken) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, node,
                "pipelines must be a map of names to pipelines, not %s",
                weir_conf_show(node, shown));
        return;
    }
    config->pipelines =
            weir_arena_zero(&config->arena, node->count, sizeof(struct weir_pipeline_model *));
    const char **table_names = weir_arena_zero(&config->arena, config->table_count, sizeof(char *));
    for (size_t i = 0; i < config->table_count; i++) {
        table_names[i] = weir_arena_str(&config->arena, config->tables[i].name).p;
    }
    const char **queue_names = weir_arena_zero(&config->arena, config->queue_count, sizeof(char *));
    for (size_t i = 0; i < config->queue_count; i++) {
        queue_names[i] = weir_arena_str(&config->arena, config->queues[i].name).p;
    }
    const char **function_names =
            weir_arena_zero(&config->arena, config->function_count, sizeof(char *));
    for (size_t i = 0; i < config->function_count; i++) {
        function_names[i] = weir_arena_str(&config->arena, config->functions[i].name).p;
    }
    const char **remote_names =
            weir_arena_zero(&config->arena, config->remote_count, sizeof(char *));
    for (size_t i = 0; i < config->remote_count; i++) {
        remote_names[i] = weir_arena_str(&config->arena, config->remotes[i].name).p;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct weir_conf *name = &node->names[i];
        if (name->broken || node->items[i].broken) {
            continue;
        }
        check_pipeline_name(reader->diagnostics, name);
        /* What is missing in an empty pipeline is said at its name. */
        struct weir_conf empty = *name;
        empty.kind = WEIR_CONF_NULL;
        const struct weir_conf *at =
                node->items[i].kind == WEIR_CONF_NULL ? &empty : &node->items[i];
        struct weir_scope scope = {
            .diagnostics = reader->diagnostics,
            .find_table = find_table,
            .find_queue = find_queue,
            .arg = config,
            .table_names = table_names,
            .table_count = config->table_count,
            .queue_names = queue_names,
            .queue_count = config->queue_count,
            .function_names = function_names,
            .function_count = config->function_count,
            .folder = reader->folder,
            .remote_names = remote_names,
            .remote_count = config->remote_count,
        };
        config->pipelines[config->pipeline_count++] =
                weir_pipeline_model_create(name, at, reader->kinds, &scope);
    }
    weir_config_check_cycles(reader, node);
}

/* --- the whole -------------------------------------------------------------------------- */

struct weir_config *weir_config_create(void)
{
    struct weir_config *config = weir_alloc_zero(1, sizeof(*config));
    struct weir_diagnostics diagnostics;
    weir_arena_init(&config->arena);
    weir_diagnostics_init(&diagnostics, NULL);
    struct weir_config_reader reader = { .config = config, .diagnostics = &diagnostics };
    weir_config_read_server(&reader, NULL, NULL, NULL);
    weir_assert(diagnostics.count == 0);
    weir_diagnostics_fini(&diagnostics);
    return config;
}

void weir_config_destroy(struct weir_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->pipeline_count; i++) {
        weir_pipeline_model_destroy(config->pipelines[i]);
    }
    weir_arena_fini(&config->arena);
    weir_free(config);
}

/* Everything behind the tree; rc and err are what parsing it came to. */
static enum weir_rc finish(struct weir_config_reader *reader, const struct weir_conf *root,
        enum weir_rc rc, struct weir_err *err)
{
    struct weir_diagnostics *diagnostics = reader->diagnostics;
    if (rc == WEIR_E_TOO_LARGE && diagnostics->errors == 0) {
        weir_conf_error(diagnostics, NULL, "%s", err->msg);
    } else if (rc != WEIR_OK && rc != WEIR_E_INVALID && rc != WEIR_E_TOO_LARGE) {
        return rc;
    }
    if (root != NULL) {
        struct members members = { 0 };
        read_members(root, diagnostics, &members);
        weir_config_read_server(reader, members.server, members.log, members.credentials);
        weir_config_read_tables(reader, members.tables);
        weir_config_read_queues(reader, members.queues);
        weir_config_read_remotes(reader, members.remotes);
        weir_config_read_functions(reader, members.functions);
        weir_config_read_schedules(reader, members.schedules);
        read_pipelines(reader, members.pipelines);
        weir_config_read_alarms(reader, members.alarms, members.pipelines, members.queues);
    }
    weir_diagnostics_sort(diagnostics);
    if (diagnostics->errors > 0) {
        return weir_fail(err, WEIR_E_INVALID, "%s has %zu error%s",
                diagnostics->file != NULL ? diagnostics->file : "the configuration",
                diagnostics->errors, diagnostics->errors == 1 ? "" : "s");
    }
    return rc;
}

static struct weir_config *create_empty(void)
{
    struct weir_config *config = weir_alloc_zero(1, sizeof(*config));
    weir_arena_init(&config->arena);
    return config;
}

enum weir_rc weir_config_load(const char *path, const struct weir_step_kinds *kinds,
        struct weir_diagnostics *diagnostics, struct weir_config **ret_config, struct weir_err *err)
{
    WEIR_AUTO(weir_config) struct weir_config *config = create_empty();
    const char *slash = strrchr(path, '/');
    struct weir_config_reader reader = {
        .config = config,
        .diagnostics = diagnostics,
        .kinds = kinds,
        .folder = weir_str(path, slash != NULL ? (size_t)(slash - path) + 1 : 0),
        .has_files = true,
    };
    struct weir_err local = { 0 };
    err = err != NULL ? err : &local;
    const struct weir_conf *root = NULL;
    enum weir_rc rc = weir_conf_load(&config->arena, path, diagnostics, &root, err);
    rc = finish(&reader, root, rc, err);
    if (rc == WEIR_OK) {
        *ret_config = WEIR_TAKE(config);
    }
    return rc;
}

enum weir_rc weir_config_parse(struct weir_str text, const struct weir_step_kinds *kinds,
        struct weir_diagnostics *diagnostics, struct weir_config **ret_config, struct weir_err *err)
{
    WEIR_AUTO(weir_config) struct weir_config *config = create_empty();
    struct weir_config_reader reader = {
        .config = config,
        .diagnostics = diagnostics,
        .kinds = kinds,
        .folder = WEIR_STR(""),
    };
    struct weir_err local = { 0 };
    err = err != NULL ? err : &local;
    const struct weir_conf *root = NULL;
    enum weir_rc rc = weir_conf_parse(&config->arena, text, diagnostics, &root, err);
    rc = finish(&reader, root, rc, err);
    if (rc == WEIR_OK) {
        *ret_config = WEIR_TAKE(config);
    }
    return rc;
}
