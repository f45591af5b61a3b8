/* What alarms say: reasons, messages, names. */
#include <stdio.h>
#include <stdlib.h>

#include "alarm/alarm_int.h"
#include "base/mem.h"
#include "value/json.h"

const char *weir_alarm_state_name(enum weir_alarm_state state)
{
    static const char *const names[] = { "OK", "ALARM", "INSUFFICIENT_DATA" };
    return names[state];
}

const char *weir_alarm_statistic_name(enum weir_alarm_statistic statistic)
{
    static const char *const names[] = { "min", "max", "average", "sum", "rate" };
    return names[statistic];
}

const char *weir_alarm_comparison_name(enum weir_alarm_comparison comparison)
{
    static const char *const names[] = { "above", "at_least", "below", "at_most" };
    return names[comparison];
}

const char *weir_alarm_missing_name(enum weir_alarm_missing missing)
{
    static const char *const names[] = { "missing", "ignore", "breaching", "not_breaching" };
    return names[missing];
}

void weir_alarm_write_number(struct weir_buf *buf, double value)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    weir_buf_z(buf, text);
}

/* --- reasons ----------------------------------------------------------------------------- */

static void write_points(struct weir_buf *buf, const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count, size_t oldest, bool breaching)
{
    enum { SHOWN_MAX = 5 };
    size_t shown = 0;
    for (size_t i = count; i > oldest && shown <= SHOWN_MAX; i--) {
        const struct weir_alarm_datapoint *point = &points[i - 1];
        if (!point->there || weir_alarm_breaches(model, point->value) != breaching) {
            continue;
        }
        weir_buf_z(buf, shown == 0 ? "[" : ", ");
        if (shown++ == SHOWN_MAX) {
            weir_buf_z(buf, "...");
            break;
        }
        char time[WEIR_TIME_TEXT];
        weir_time_format(point->at, time);
        weir_alarm_write_number(buf, point->value);
        weir_buf_printf(buf, " (%s)", time);
    }
    weir_buf_byte(buf, ']');
}

static void write_bound(
        struct weir_buf *buf, const struct weir_alarm_model *model, size_t some, bool breaching)
{
    static const char *const bounds[] = { "greater than", "greater than or equal to", "less than",
        "less than or equal to" };
    weir_buf_printf(buf, " %s%s %s the threshold (", some == 1 ? "was" : "were",
            breaching ? "" : " not", bounds[model->comparison]);
    weir_alarm_write_number(buf, model->threshold);
    weir_buf_byte(buf, ')');
}

static void write_missing(
        struct weir_buf *buf, const struct weir_alarm_model *model, size_t missing)
{
    if (missing > 0) {
        weir_buf_printf(buf, "%zu missing datapoint%s treated as %s", missing,
                missing == 1 ? " was" : "s were",
                model->missing == WEIR_ALARM_BREACHING ? "breaching" : "not breaching");
    }
}

void weir_alarm_write_reason(struct weir_buf *buf, const struct weir_alarm_model *model,
        const struct weir_alarm_datapoint *points, size_t count,
        const struct weir_alarm_verdict *verdict, enum weir_alarm_state from)
{
    bool breaching = verdict->state == WEIR_ALARM_ALARM;
    size_t some = breaching ? verdict->breaching : verdict->fine;
    size_t there = verdict->breaching + verdict->fine;
    enum weir_alarm_missing counts = breaching ? WEIR_ALARM_BREACHING : WEIR_ALARM_NOT_BREACHING;
    size_t missing = model->missing == counts ? verdict->missing : 0;
    if (verdict->state == WEIR_ALARM_INSUFFICIENT) {
        weir_buf_printf(buf, "Insufficient Data: %zu datapoint%s unknown", verdict->missing,
                verdict->missing == 1 ? " was" : "s were");
        return;
    }
    weir_buf_z(buf, "Threshold Crossed: ");
    if (some > 0) {
        weir_buf_printf(
                buf, "%zu out of the last %zu datapoint%s ", some, there, there == 1 ? "" : "s");
        write_points(buf, model, points, count, verdict->oldest, breaching);
        write_bound(buf, model, some, breaching);
        weir_buf_z(buf, missing > 0 ? ", and " : "");
    } else {
        weir_buf_z(buf, "no datapoints were received, and ");
    }
    write_missing(buf, model, missing);
    size_t least = breaching ? model->datapoints : model->periods - model->datapoints + 1;
    weir_buf_printf(buf, " (minimum %llu datapoint%s for %s -> %s transition)",
            (unsigned long long)least, least == 1 ? "" : "s", weir_alarm_state_name(from),
            weir_alarm_state_name(verdict->state));
}

/* --- JSON --------------------------------------------------------------------------------- */

static void write_member(struct weir_buf *buf, const char *name, struct weir_str value)
{
    weir_buf_printf(buf, "\"%s\":", name);
    weir_json_write_string(buf, value);
}

void weir_alarm_write_definition(struct weir_buf *buf, const struct weir_alarm_model *model)
{
    write_member(buf, "metric", model->metric);
    weir_buf_z(buf, ",\"labels\":{");
    for (size_t i = 0; i < model->label_count; i++) {
        weir_buf_z(buf, i > 0 ? "," : "");
        weir_json_write_string(buf, model->labels[i].name);
        weir_buf_byte(buf, ':');
        weir_json_write_string(buf, model->labels[i].value);
    }
    weir_buf_printf(buf,
            "},\"statistic\":\"%s\",\"period_ms\":%llu,\"periods\":%llu,\"datapoints\":%llu,"
            "\"comparison\":\"%s\",\"threshold\":",
            weir_alarm_statistic_name(model->statistic), (unsigned long long)model->period_ms,
            (unsigned long long)model->periods, (unsigned long long)model->datapoints,
            weir_alarm_comparison_name(model->comparison));
    weir_alarm_write_number(buf, model->threshold);
    weir_buf_printf(buf, ",\"missing\":\"%s\"", weir_alarm_missing_name(model->missing));
}

/* CloudWatch's names for what the definition says. */
static void write_trigger(struct weir_buf *buf, const struct weir_alarm_model *model)
{
    static const char *const statistics[] = { "MINIMUM", "MAXIMUM", "AVERAGE", "SUM", "SUM" };
    static const char *const comparisons[] = { "GreaterThanThreshold",
        "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold" };
    static const char *const missing[] = { "missing", "ignore", "breaching", "notBreaching" };
    write_member(buf, "MetricName", model->metric);
    weir_buf_printf(buf, ",\"Namespace\":\"weir\",\"Statistic\":\"%s\",\"Dimensions\":[",
            statistics[model->statistic]);
    for (size_t i = 0; i < model->label_count; i++) {
        weir_buf_z(buf, i > 0 ? ",{" : "{");
        write_member(buf, "value", model->labels[i].value);
        weir_buf_byte(buf, ',');
        write_member(buf, "name", model->labels[i].name);
        weir_buf_byte(buf, '}');
    }
    weir_buf_z(buf, "],\"Period\":");
    weir_alarm_write_number(buf, (double)model->period_ms / 1000);
    weir_buf_printf(buf,
            ",\"EvaluationPeriods\":%llu,\"DatapointsToAlarm\":%llu,"
            "\"ComparisonOperator\":\"%s\",\"Threshold\":",
            (unsigned long long)model->periods, (unsigned long long)model->datapoints,
            comparisons[model->comparison]);
    weir_alarm_write_number(buf, model->threshold);
    weir_buf_printf(buf, ",\"TreatMissingData\":\"%s\"", missing[model->missing]);
}

void weir_alarm_write_message(
        struct weir_buf *buf, const struct weir_alarm_change *change, struct weir_time time)
{
    char text[WEIR_TIME_TEXT];
    weir_time_format(time, text);
    weir_buf_byte(buf, '{');
    write_member(buf, "AlarmName", change->alarm->name);
    weir_buf_z(buf, ",\"AlarmDescription\":");
    if (change->alarm->description.n > 0) {
        weir_json_write_string(buf, change->alarm->description);
    } else {
        weir_buf_z(buf, "null");
    }
    weir_buf_printf(buf, ",\"NewStateValue\":\"%s\",\"OldStateValue\":\"%s\",",
            weir_alarm_state_name(change->to), weir_alarm_state_name(change->from));
    write_member(buf, "NewStateReason", change->reason);
    weir_buf_printf(buf, ",\"StateChangeTime\":\"%s\",\"Trigger\":{", text);
    write_trigger(buf, change->alarm);
    weir_buf_z(buf, "}}");
}
