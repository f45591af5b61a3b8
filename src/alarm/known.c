/* The metrics that weir has: what `weir check` compares an alarm's metric with. */
#include "alarm/alarm_int.h"

const struct weir_known_metric weir_known_metrics[] = {
    { "weir_alarm_state", WEIR_METRIC_GAUGE, "alarm" },
    { "weir_commit_group_size", WEIR_METRIC_HISTOGRAM, NULL },
    { "weir_commits_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_function_cold_starts_total", WEIR_METRIC_COUNTER, "function" },
    { "weir_function_concurrent", WEIR_METRIC_GAUGE, "function" },
    { "weir_function_duration_seconds", WEIR_METRIC_HISTOGRAM, "function" },
    { "weir_function_errors_total", WEIR_METRIC_COUNTER, "function" },
    { "weir_function_invocations_total", WEIR_METRIC_COUNTER, "function" },
    { "weir_function_throttles_total", WEIR_METRIC_COUNTER, "function" },
    { "weir_function_waiting_invocations", WEIR_METRIC_GAUGE, "function" },
    { "weir_http_connections", WEIR_METRIC_GAUGE, NULL },
    { "weir_http_received_bytes_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_http_refused_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_http_requests_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_http_sent_bytes_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_log_bytes", WEIR_METRIC_GAUGE, NULL },
    { "weir_log_group_bytes", WEIR_METRIC_HISTOGRAM, NULL },
    { "weir_log_segments", WEIR_METRIC_GAUGE, NULL },
    { "weir_log_sync_seconds", WEIR_METRIC_HISTOGRAM, NULL },
    { "weir_outbox_blocked", WEIR_METRIC_GAUGE, "target" },
    { "weir_outbox_delivered_total", WEIR_METRIC_COUNTER, "target" },
    { "weir_outbox_failed_total", WEIR_METRIC_COUNTER, "target" },
    { "weir_outbox_oldest_seconds", WEIR_METRIC_GAUGE, "target" },
    { "weir_outbox_pending", WEIR_METRIC_GAUGE, "target" },
    { "weir_outbox_retries_total", WEIR_METRIC_COUNTER, "target" },
    { "weir_pipeline_batch_records", WEIR_METRIC_HISTOGRAM, "pipeline" },
    { "weir_pipeline_batches_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_conflicts_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_dead_letters", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_dead_letters_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_deferred_runs_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_deferred_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_duration_seconds", WEIR_METRIC_HISTOGRAM, "pipeline" },
    { "weir_pipeline_errors_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_filtered_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_log_room_bytes", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_log_room_seconds", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_lost_records_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_oldest_dead_letter_seconds", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_oldest_unprocessed_milliseconds", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_parked_records", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_read_units_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_records_behind", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_pipeline_records_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_retries_total", WEIR_METRIC_COUNTER, "pipeline" },
    { "weir_pipeline_waiting_records", WEIR_METRIC_GAUGE, "pipeline" },
    { "weir_queue_messages", WEIR_METRIC_GAUGE, "queue" },
    { "weir_queue_messages_not_visible", WEIR_METRIC_GAUGE, "queue" },
    { "weir_queue_oldest_message_seconds", WEIR_METRIC_GAUGE, "queue" },
    { "weir_request_seconds", WEIR_METRIC_HISTOGRAM, NULL },
    { "weir_requests_total", WEIR_METRIC_COUNTER, "op" },
    { "weir_schedule_failed_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_schedule_fired_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_schedule_late_seconds", WEIR_METRIC_HISTOGRAM, NULL },
    { "weir_schedule_missed_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_transaction_conflicts_total", WEIR_METRIC_COUNTER, NULL },
    { "weir_transactions_total", WEIR_METRIC_COUNTER, NULL },
    { 0 },
};

bool weir_known_metric_find(struct weir_str name, struct weir_known_metric *ret_metric)
{
    for (const struct weir_known_metric *m = weir_known_metrics; m->name != NULL; m++) {
        struct weir_str own = weir_str_z(m->name);
        if (!weir_str_starts(name, own)) {
            continue;
        }
        struct weir_str rest = weir_str(name.p + own.n, name.n - own.n);
        bool part = weir_str_eq(rest, WEIR_STR("_count")) || weir_str_eq(rest, WEIR_STR("_sum"));
        if (rest.n == 0 || (part && m->kind == WEIR_METRIC_HISTOGRAM)) {
            *ret_metric = *m;
            ret_metric->kind = rest.n == 0 ? m->kind : WEIR_METRIC_COUNTER;
            return true;
        }
    }
    return false;
}
