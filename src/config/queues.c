/* Queues. */
#include <stdio.h>

#include "config/config_int.h"

struct queue_options {
    uint64_t visibility_ms;
    uint64_t delay_ms;
    uint64_t retention_ms;
    uint64_t wait_ms;
    uint64_t max_bytes;
    bool fifo;
    bool dedup_by_content;
    const struct weir_conf *redrive;
};

static const struct weir_option queue_options[] = {
    { "visibility_timeout", "30s", "how long a received message stays hidden", WEIR_OPTION_DURATION,
            offsetof(struct queue_options, visibility_ms), 0, WEIR_QUEUE_VISIBILITY_MAX_MS },
    { "delay", "0s", "how long a new message stays hidden", WEIR_OPTION_DURATION,
            offsetof(struct queue_options, delay_ms), 0, WEIR_QUEUE_DELAY_MAX_MS },
    { "retention", "4d", "how long a message is kept", WEIR_OPTION_DURATION,
            offsetof(struct queue_options, retention_ms), WEIR_QUEUE_RETENTION_MIN_MS,
            WEIR_QUEUE_RETENTION_MAX_MS },
    { "wait", "0s", "how long receiving waits when the request does not say", WEIR_OPTION_DURATION,
            offsetof(struct queue_options, wait_ms), 0, WEIR_QUEUE_WAIT_MAX_MS },
    { "max_bytes", "1MiB", "the longest message", WEIR_OPTION_BYTES,
            offsetof(struct queue_options, max_bytes), 1024, WEIR_QUEUE_MESSAGE_MAX_BYTES },
    { "fifo", "false", "whether messages of a group are received in order; the name ends in .fifo",
            WEIR_OPTION_BOOL, offsetof(struct queue_options, fifo), 0, 0 },
    { "deduplicate_content", "false", "whether equal bodies are taken for the same message",
            WEIR_OPTION_BOOL, offsetof(struct queue_options, dedup_by_content), 0, 0 },
    { "redrive", "", "where messages go that are received too often", WEIR_OPTION_NODE,
            offsetof(struct queue_options, redrive), 0, 0 },
    { 0 },
};

struct redrive_options {
    struct weir_str queue;
    uint64_t after;
};

static const struct weir_option redrive_options[] = {
    { "queue", NULL, "the queue that gets them", WEIR_OPTION_STRING,
            offsetof(struct redrive_options, queue), 0, 0 },
    { "after", NULL, "how often a message is received before", WEIR_OPTION_INTEGER,
            offsetof(struct redrive_options, after), 1, WEIR_QUEUE_REDRIVE_MAX },
    { 0 },
};

static void read_redrive(const struct weir_config_reader *reader, const struct weir_conf *node,
        const char *what, struct weir_queue *queue)
{
    struct redrive_options options = { 0 };
    char owner[WEIR_QUEUE_NAME_MAX + 64];
    if (node == NULL) {
        return;
    }
    snprintf(owner, sizeof(owner), "redrive of %s", what);
    if (weir_conf_options(reader->diagnostics, node, owner, redrive_options, &options)) {
        queue->dead_letters = options.queue;
        queue->max_receives = options.after;
    }
}

static void read_queue(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node)
{
    struct queue_options options = { 0 };
    char what[WEIR_QUEUE_NAME_MAX + 32];
    snprintf(what, sizeof(what), "queue '%.*s'", WEIR_STR_ARG(name->text));
    size_t errors = reader->diagnostics->errors;
    struct weir_queue *queue = &reader->config->queues[reader->config->queue_count++];
    *queue = weir_queue_defaults(name->text);
    queue->from_file = true;
    weir_conf_options(reader->diagnostics, node, what, queue_options, &options);
    if (reader->diagnostics->errors != errors) {
        return;
    }
    queue->visibility_ms = options.visibility_ms;
    queue->delay_ms = options.delay_ms;
    queue->retention_ms = options.retention_ms;
    queue->wait_ms = options.wait_ms;
    queue->max_bytes = options.max_bytes;
    queue->fifo = queue->fifo || options.fifo;
    queue->dedup_by_content = options.dedup_by_content;
    read_redrive(reader, options.redrive, what, queue);
    struct weir_err err = { 0 };
    if (reader->diagnostics->errors == errors && queue->dedup_by_content && !queue->fifo) {
        weir_conf_error(reader->diagnostics, weir_conf_get(node, "deduplicate_content"),
                "%s: only FIFO queues deduplicate; the name of one ends in .fifo", what);
    } else if (reader->diagnostics->errors == errors && weir_queue_check(queue, &err) != WEIR_OK) {
        weir_conf_error(reader->diagnostics, name, "%s: %s", what, err.msg);
    }
}

/* The queue that a redrive names must be one of the file's, of the same kind. */
static void check_redrive(const struct weir_config_reader *reader, const struct weir_queue *queue,
        const struct weir_conf *node)
{
    const struct weir_config *config = reader->config;
    const struct weir_conf *at = weir_conf_get(weir_conf_get(node, "redrive"), "queue");
    const char **names =
            weir_arena_zero(&reader->config->arena, config->queue_count, sizeof(char *));
    for (size_t i = 0; i < config->queue_count; i++) {
        const struct weir_queue *target = &config->queues[i];
        names[i] = weir_arena_str(&reader->config->arena, target->name).p;
        if (!weir_str_eq(target->name, queue->dead_letters)) {
            continue;
        }
        if (target == queue) {
            weir_conf_error(reader->diagnostics, at, "a queue cannot be its own dead-letter queue");
        } else if (target->fifo != queue->fifo) {
            weir_conf_error(reader->diagnostics, at,
                    "the dead-letter queue of a FIFO queue is a FIFO queue, and of another one is "
                    "not");
        }
        return;
    }
    weir_conf_unknown(reader->diagnostics, at, "queue", names, config->queue_count);
}

void weir_config_read_queues(
        const struct weir_config_reader *reader, const struct weir_conf *queues)
{
    struct weir_config *config = reader->config;
    if (queues == NULL || queues->kind == WEIR_CONF_NULL || queues->broken) {
        return;
    }
    if (queues->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, queues,
                "queues must be a map of names to queues, not %s", weir_conf_show(queues, shown));
        return;
    }
    config->queues = weir_arena_zero(&config->arena, queues->count, sizeof(*config->queues));
    for (size_t i = 0; i < queues->count; i++) {
        if (!queues->names[i].broken && !queues->items[i].broken) {
            read_queue(reader, &queues->names[i], &queues->items[i]);
        }
    }
    for (size_t i = 0, k = 0; i < queues->count; i++) {
        if (!queues->names[i].broken && !queues->items[i].broken) {
            const struct weir_queue *queue = &config->queues[k++];
            if (queue->dead_letters.n > 0) {
                check_redrive(reader, queue, &queues->items[i]);
            }
        }
    }
}
