/* What the files of config share: each reads one part of weir.yaml. */
#ifndef WEIR_CONFIG_CONFIG_INT_H
#define WEIR_CONFIG_CONFIG_INT_H

#include "config/config.h"

/* What the parts are read with. */
struct weir_config_reader {
    struct weir_config
            *config; /* what is filled; strings go to its arena or borrow from the tree */
    struct weir_diagnostics *diagnostics;
    const struct weir_step_kinds *kinds;
    struct weir_str folder; /* of the file, with its last slash; empty: the working folder */
    bool has_files;         /* what the file names can be looked for: it is not a bare text */
};

/* `server:`, `log:` and `credentials:`; NULL for those that are not there. */
void weir_config_read_server(const struct weir_config_reader *reader,
        const struct weir_conf *server, const struct weir_conf *log,
        const struct weir_conf *credentials);

/* `tables:`: every table that has a name becomes one of the configuration, right or not. */
void weir_config_read_tables(
        const struct weir_config_reader *reader, const struct weir_conf *tables);

/* `queues:`: every queue that has a name becomes one of the configuration, right or not. */
void weir_config_read_queues(
        const struct weir_config_reader *reader, const struct weir_conf *queues);

/* `functions:`: every function that has a name becomes one of the configuration, right or not. */
void weir_config_read_functions(
        const struct weir_config_reader *reader, const struct weir_conf *functions);

/* `remotes:`: every remote that has a name becomes one of the configuration, right or not. */
void weir_config_read_remotes(
        const struct weir_config_reader *reader, const struct weir_conf *remotes);

/* `schedules:`; their targets are queues and functions that were read before. */
void weir_config_read_schedules(
        const struct weir_config_reader *reader, const struct weir_conf *schedules);

/* `alarms:`; pipelines and queues are the nodes of `pipelines:` and `queues:`, or NULL. */
void weir_config_read_alarms(const struct weir_config_reader *reader,
        const struct weir_conf *alarms, const struct weir_conf *pipelines,
        const struct weir_conf *queues);

/*
 * A key in its short form ({ a: S, b: S }) or its long one ({ partition: { a: S }, sort: ... }).
 * what names its owner in messages ("table 'orders'"). Attributes that are wrong are left out.
 */
void weir_config_read_key(const struct weir_config_reader *reader, const struct weir_conf *node,
        const char *what, struct weir_key_schema *ret_key);

/* Warn about pipelines that write in a circle; the models are complete. */
void weir_config_check_cycles(
        const struct weir_config_reader *reader, const struct weir_conf *pipelines);

/* Whether a node can be the type of a key attribute: S, N or B. */
bool weir_config_is_key_type(const struct weir_conf *node);

/* The name node of a key's attribute, or NULL: for messages about it. */
const struct weir_conf *weir_config_key_attribute(
        const struct weir_conf *key, struct weir_str attribute);

#endif
