/*
 * weir.yaml as a whole: from the file to what the daemon starts.
 *
 * Everything wrong with the file is collected in one pass, with file, line and column.
 * A configuration that has errors is never handed out.
 */
#ifndef WEIR_CONFIG_CONFIG_H
#define WEIR_CONFIG_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "alarm/alarm.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "function/function.h"
#include "pipeline/pipeline.h"
#include "queue/queue.h"
#include "remote/remote.h"
#include "schedule/schedule.h"
#include "table/table.h"

/* One key pair that may sign requests. */
struct weir_config_credential {
    struct weir_str access_key_id;
    struct weir_str secret; /* never printed */
};

/* What `server:`, `log:` and `credentials:` say, with defaults. */
struct weir_config_server {
    struct weir_str listen; /* "127.0.0.1:8000" */
    struct weir_str data;   /* folder; "memory": nothing on disk */
    struct weir_str region;
    struct weir_str account;
    uint64_t memory_bytes;
    uint64_t log_max_bytes; /* 0: half of the free disk at start */
    uint64_t retention_ms;
    struct weir_config_credential *credentials;
    size_t credential_count;
};

/* Owns everything below it. */
struct weir_config {
    struct weir_arena arena;
    struct weir_config_server server;
    struct weir_table *tables; /* definitions, without spaces and times */
    size_t table_count;
    struct weir_queue *queues; /* definitions, without spaces and times */
    size_t queue_count;
    struct weir_remote *remotes;
    size_t remote_count;
    struct weir_function_model *functions;
    size_t function_count;
    struct weir_pipeline_model **pipelines; /* an element that was taken is NULL */
    size_t pipeline_count;
    struct weir_schedule *schedules; /* definitions, in the file's group */
    size_t schedule_count;
    struct weir_alarm_model *alarms;
    size_t alarm_count;
};

/*
 * Load and check a file. diagnostics gets every error and warning, sorted.
 * Errors: WEIR_E_NOT_FOUND, WEIR_E_IO, WEIR_E_INVALID (see diagnostics).
 */
WEIR_MUST_CHECK enum weir_rc weir_config_load(const char *path, const struct weir_step_kinds *kinds,
        struct weir_diagnostics *diagnostics, struct weir_config **ret_config,
        struct weir_err *err);

/* As weir_config_load from text (tests, fuzzing). Errors: WEIR_E_INVALID. */
WEIR_MUST_CHECK enum weir_rc weir_config_parse(struct weir_str text,
        const struct weir_step_kinds *kinds, struct weir_diagnostics *diagnostics,
        struct weir_config **ret_config, struct weir_err *err);

/* Defaults, no tables and no pipelines: `weir serve` without a file. */
struct weir_config *weir_config_create(void);

void weir_config_destroy(struct weir_config *config);
WEIR_AUTO_DEFINE(weir_config);

#endif
