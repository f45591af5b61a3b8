/* An alarm's definition, from its node of weir.yaml. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alarm/alarm_int.h"
#include "net/http_url.h"

enum { OWNER_TEXT = 300, LABELS_MAX = 30, ACTIONS_MAX = 5, NUMBER_TEXT = 64, NAMES_MAX = 256 };

static const uint64_t reach_max_ms = (uint64_t)7 * 24 * 3600 * 1000;

/* The options as they are written. */
struct alarm_options {
    struct weir_str description;
    struct weir_str metric;
    const struct weir_conf *labels;
    const struct weir_conf *statistic;
    uint64_t period_ms;
    uint64_t periods;
    uint64_t datapoints;
    const struct weir_conf *bounds[4]; /* by enum weir_alarm_comparison */
    const struct weir_conf *missing;
    const struct weir_conf *actions;
    const struct weir_conf *ok_actions;
    const struct weir_conf *insufficient_actions;
};

static const struct weir_option alarm_options[] = {
    { "metric", NULL, "a metric of /metrics", WEIR_OPTION_STRING,
            offsetof(struct alarm_options, metric), 0, 0 },
    { "labels", "", "labels that the metric must have, as a map; without them all of its series",
            WEIR_OPTION_NODE, offsetof(struct alarm_options, labels), 0, 0 },
    { "statistic", NULL, "what a period's datapoint is: min, max, average, sum or rate",
            WEIR_OPTION_NODE, offsetof(struct alarm_options, statistic), 0, 0 },
    { "period", "60s", "how long a period is", WEIR_OPTION_DURATION,
            offsetof(struct alarm_options, period_ms), 100, 24 * 3600 * 1000 },
    { "periods", "1", "how many periods are looked at", WEIR_OPTION_INTEGER,
            offsetof(struct alarm_options, periods), 1, WEIR_ALARM_PERIODS_MAX },
    { "datapoints", "", "how many of them must breach; all by default", WEIR_OPTION_INTEGER,
            offsetof(struct alarm_options, datapoints), 1, WEIR_ALARM_PERIODS_MAX },
    { "above", "", "a datapoint breaches when it is greater", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, bounds[WEIR_ALARM_ABOVE]), 0, 0 },
    { "at_least", "", "a datapoint breaches when it is this or greater", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, bounds[WEIR_ALARM_AT_LEAST]), 0, 0 },
    { "below", "", "a datapoint breaches when it is less", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, bounds[WEIR_ALARM_BELOW]), 0, 0 },
    { "at_most", "", "a datapoint breaches when it is this or less", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, bounds[WEIR_ALARM_AT_MOST]), 0, 0 },
    { "missing", "",
            "what a period without data counts as: missing, ignore, breaching or not_breaching",
            WEIR_OPTION_NODE, offsetof(struct alarm_options, missing), 0, 0 },
    { "actions", "", "what is done when the state becomes ALARM, and OK again", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, actions), 0, 0 },
    { "ok_actions", "", "what is done on OK instead", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, ok_actions), 0, 0 },
    { "insufficient_actions", "", "what is done on INSUFFICIENT_DATA", WEIR_OPTION_NODE,
            offsetof(struct alarm_options, insufficient_actions), 0, 0 },
    { "description", "", "what the alarm means; goes into its messages", WEIR_OPTION_STRING,
            offsetof(struct alarm_options, description), 0, 0 },
    { 0 },
};

/* An alarm while it is read. */
struct reading {
    const struct weir_alarm_scope *scope;
    const struct weir_conf *node;
    struct weir_alarm_model *model;
    struct alarm_options options;
    char what[OWNER_TEXT]; /* "alarm 'lag'" */
};

static bool is_absent(const struct weir_conf *node)
{
    return node == NULL || node->kind == WEIR_CONF_NULL || node->broken;
}

/* The place of a word among names; complains and gives 0 when it is none of them. */
static size_t read_word(const struct reading *reading, const struct weir_conf *node,
        const char *what, const char *const *names, size_t count)
{
    for (size_t i = 0; node->kind == WEIR_CONF_SCALAR && i < count; i++) {
        if (weir_str_eq(node->text, weir_str_z(names[i]))) {
            return i;
        }
    }
    weir_conf_unknown(reading->scope->diagnostics, node, what, names, count);
    return 0;
}

/* --- the metric -------------------------------------------------------------------------- */

static void check_statistic(const struct reading *reading, const struct weir_known_metric *metric)
{
    struct weir_diagnostics *diagnostics = reading->scope->diagnostics;
    const struct weir_conf *at = reading->options.statistic;
    enum weir_alarm_statistic statistic = reading->model->statistic;
    bool extreme = statistic == WEIR_ALARM_MIN || statistic == WEIR_ALARM_MAX;
    if (metric->kind == WEIR_METRIC_HISTOGRAM && extreme) {
        weir_conf_error(diagnostics, at,
                "%s is a histogram: it has an average, a sum, and a rate, which is how many there "
                "were",
                metric->name);
    } else if (metric->kind == WEIR_METRIC_GAUGE && statistic == WEIR_ALARM_RATE) {
        weir_conf_error(diagnostics, at,
                "%s goes up and down: rate is for counters; take max, min or average",
                metric->name);
    } else if (metric->kind == WEIR_METRIC_COUNTER &&
               (extreme || statistic == WEIR_ALARM_AVERAGE)) {
        weir_conf_warn(diagnostics, at,
                "%.*s counts since weir was started; rate is how much it grows in a period",
                WEIR_STR_ARG(reading->model->metric));
    }
}

static void unknown_metric(const struct reading *reading)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (const struct weir_known_metric *m = weir_known_metrics;
            m->name != NULL && count < NAMES_MAX; m++) {
        names[count++] = m->name;
    }
    const struct weir_conf *at = weir_conf_get(reading->node, "metric");
    const char *nearest = weir_str_nearest(reading->model->metric, names, count);
    char shown[WEIR_CONF_SHOWN];
    if (nearest != NULL) {
        weir_conf_warn(reading->scope->diagnostics, at, "weir has no metric %s; did you mean '%s'?",
                weir_conf_show(at, shown), nearest);
    } else {
        weir_conf_warn(reading->scope->diagnostics, at,
                "weir has no metric %s; GET /metrics lists them", weir_conf_show(at, shown));
    }
}

/* A pipeline that a label names should be there, if it can be known. */
static void check_pipeline(const struct reading *reading, const struct weir_conf *value)
{
    const struct weir_alarm_scope *scope = reading->scope;
    if (scope->later != NULL && weir_str_starts(value->text, weir_str_z(scope->later))) {
        return;
    }
    for (size_t i = 0; i < scope->pipeline_count; i++) {
        if (weir_str_eq(value->text, weir_str_z(scope->pipelines[i]))) {
            return;
        }
    }
    char shown[WEIR_CONF_SHOWN];
    const char *nearest = weir_str_nearest(value->text, scope->pipelines, scope->pipeline_count);
    weir_conf_error(scope->diagnostics, value, "there is no pipeline %s%s%s%s",
            weir_conf_show(value, shown), nearest != NULL ? "; did you mean '" : "",
            nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* A queue may also come through the API, so this is only a warning. */
static void check_queue(const struct reading *reading, const struct weir_conf *value)
{
    const struct weir_alarm_scope *scope = reading->scope;
    const char *nearest = weir_str_nearest(value->text, scope->queues, scope->queue_count);
    char shown[WEIR_CONF_SHOWN];
    if (nearest != NULL && !weir_str_eq(value->text, weir_str_z(nearest))) {
        weir_conf_warn(scope->diagnostics, value, "queue %s is not in the file; did you mean '%s'?",
                weir_conf_show(value, shown), nearest);
    }
}

static void check_label(const struct reading *reading, const struct weir_known_metric *metric,
        const struct weir_conf *name, const struct weir_conf *value)
{
    if (metric->label != NULL && weir_str_eq(name->text, weir_str_z(metric->label))) {
        if (weir_str_eq(name->text, WEIR_STR("pipeline"))) {
            check_pipeline(reading, value);
        } else if (weir_str_eq(name->text, WEIR_STR("queue"))) {
            check_queue(reading, value);
        }
        return;
    }
    char shown[WEIR_CONF_SHOWN];
    if (metric->label != NULL) {
        weir_conf_error(reading->scope->diagnostics, name, "%.*s has no label %s, only '%s'",
                WEIR_STR_ARG(reading->model->metric), weir_conf_show(name, shown), metric->label);
    } else {
        weir_conf_error(reading->scope->diagnostics, name, "%.*s has no label %s, and no other",
                WEIR_STR_ARG(reading->model->metric), weir_conf_show(name, shown));
    }
}

static void read_labels(struct reading *reading, const struct weir_known_metric *metric)
{
    const struct weir_conf *node = reading->options.labels;
    struct weir_diagnostics *diagnostics = reading->scope->diagnostics;
    char shown[WEIR_CONF_SHOWN];
    if (is_absent(node)) {
        return;
    }
    if (node->kind != WEIR_CONF_MAP || node->count > LABELS_MAX) {
        weir_conf_error(diagnostics, node,
                "labels must be a map of at most %d names to values, as in { pipeline: orders }, "
                "not %s",
                LABELS_MAX, weir_conf_show(node, shown));
        return;
    }
    reading->model->labels =
            weir_arena_zero(reading->scope->arena, node->count, sizeof(*reading->model->labels));
    for (size_t i = 0; i < node->count; i++) {
        const struct weir_conf *name = &node->names[i];
        const struct weir_conf *value = &node->items[i];
        if (name->broken || value->broken) {
            continue;
        }
        if (value->kind != WEIR_CONF_SCALAR) {
            weir_conf_error(diagnostics, value, "a label's value is a text, not %s",
                    weir_conf_show(value, shown));
            continue;
        }
        if (metric != NULL) {
            check_label(reading, metric, name, value);
        }
        reading->model->labels[reading->model->label_count++] =
                (struct weir_metric_label){ name->text, value->text };
    }
}

static void read_metric(struct reading *reading)
{
    static const char *const statistics[] = { "min", "max", "average", "sum", "rate" };
    struct weir_alarm_model *model = reading->model;
    struct weir_known_metric metric;
    model->metric = reading->options.metric;
    bool known = weir_known_metric_find(model->metric, &metric);
    read_labels(reading, known ? &metric : NULL);
    if (!known && model->metric.n > 0) {
        unknown_metric(reading);
    }
    size_t errors = reading->scope->diagnostics->errors;
    if (!is_absent(reading->options.statistic)) {
        model->statistic = (enum weir_alarm_statistic)read_word(reading, reading->options.statistic,
                "statistic", statistics, sizeof(statistics) / sizeof(statistics[0]));
        if (known && errors == reading->scope->diagnostics->errors) {
            check_statistic(reading, &metric);
        }
    }
}

/* --- bounds and periods ------------------------------------------------------------------ */

static bool parse_number(struct weir_str text, double *ret_value)
{
    char copy[NUMBER_TEXT];
    if (text.n == 0 || text.n >= sizeof(copy)) {
        return false;
    }
    for (size_t i = 0; i < text.n; i++) { /* no inf, no nan, no hexadecimal, no spaces */
        if (strchr("0123456789+-.eE", text.p[i]) == NULL || text.p[i] == '\0') {
            return false;
        }
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    char *end = NULL;
    *ret_value = strtod(copy, &end);
    return end == copy + text.n && isfinite(*ret_value);
}

static void read_bound(struct reading *reading)
{
    struct weir_diagnostics *diagnostics = reading->scope->diagnostics;
    const struct weir_conf *found = NULL;
    bool broken = false;
    for (size_t i = 0; i < 4; i++) {
        const struct weir_conf *node = reading->options.bounds[i];
        if (node == NULL) {
            continue;
        }
        if (found != NULL) {
            weir_conf_error(diagnostics, node,
                    "%s has two bounds; it takes one of above, at_least, below and at_most",
                    reading->what);
            return;
        }
        found = node;
        broken = node->broken;
        reading->model->comparison = (enum weir_alarm_comparison)i;
    }
    char shown[WEIR_CONF_SHOWN];
    if (found == NULL) {
        weir_conf_error(diagnostics, reading->node,
                "%s needs a bound: one of above, at_least, below and at_most", reading->what);
    } else if (!broken && (found->kind != WEIR_CONF_SCALAR || found->quoted ||
                                  !parse_number(found->text, &reading->model->threshold))) {
        weir_conf_error(diagnostics, found, "%s takes a number, as in 60000 or 0.5, not %s",
                weir_alarm_comparison_name(reading->model->comparison),
                weir_conf_show(found, shown));
    }
}

static void read_periods(struct reading *reading)
{
    static const char *const missing[] = { "missing", "ignore", "breaching", "not_breaching" };
    struct weir_diagnostics *diagnostics = reading->scope->diagnostics;
    struct weir_alarm_model *model = reading->model;
    const struct weir_conf *at = weir_conf_get(reading->node, "periods");
    model->period_ms = reading->options.period_ms;
    model->periods = reading->options.periods;
    model->datapoints =
            reading->options.datapoints > 0 ? reading->options.datapoints : model->periods;
    if (model->period_ms * model->periods > reach_max_ms) {
        weir_conf_error(diagnostics, at, "%s looks back further than 7 days", reading->what);
    }
    if (model->datapoints > model->periods && model->periods > 0) {
        weir_conf_error(diagnostics, weir_conf_get(reading->node, "datapoints"),
                "%llu datapoints cannot breach in %llu period%s",
                (unsigned long long)model->datapoints, (unsigned long long)model->periods,
                model->periods == 1 ? "" : "s");
    }
    if (!is_absent(reading->options.missing)) {
        model->missing = (enum weir_alarm_missing)read_word(reading, reading->options.missing,
                "treatment of missing data", missing, sizeof(missing) / sizeof(missing[0]));
    }
}

/* --- actions ------------------------------------------------------------------------------ */

static bool read_queue(const struct reading *reading, const struct weir_conf *node,
        struct weir_alarm_action *ret_action)
{
    const struct weir_alarm_scope *scope = reading->scope;
    char shown[WEIR_CONF_SHOWN];
    if (!scope->has_queues) {
        weir_conf_error(scope->diagnostics, node,
                "queues are not available in this version of weir (%s)", WEIR_VERSION);
        return false;
    }
    if (node->kind != WEIR_CONF_SCALAR || node->text.n == 0) {
        weir_conf_error(scope->diagnostics, node, "queue takes the name of a queue, not %s",
                weir_conf_show(node, shown));
        return false;
    }
    for (size_t i = 0; i < scope->queue_count; i++) {
        if (weir_str_eq(node->text, weir_str_z(scope->queues[i]))) {
            ret_action->queue = node->text;
            return true;
        }
    }
    weir_conf_unknown(scope->diagnostics, node, "queue", scope->queues, scope->queue_count);
    return false;
}

static bool read_url(const struct reading *reading, const struct weir_conf *node,
        struct weir_alarm_action *ret_action)
{
    struct weir_http_url url;
    char shown[WEIR_CONF_SHOWN];
    if (node->kind != WEIR_CONF_SCALAR || weir_http_url_parse(node->text, &url, NULL) != WEIR_OK) {
        weir_conf_error(reading->scope->diagnostics, node,
                "http takes a URL, as in https://example.com/hook, not %s",
                weir_conf_show(node, shown));
        return false;
    }
    ret_action->url = node->text;
    return true;
}

static bool read_action(const struct reading *reading, const struct weir_conf *node,
        struct weir_alarm_action *ret_action)
{
    static const char *const kinds[] = { "log", "queue: NAME", "http: URL" };
    static const char *const names[] = { "queue", "http" };
    struct weir_diagnostics *diagnostics = reading->scope->diagnostics;
    if (node->kind == WEIR_CONF_SCALAR && weir_str_eq(node->text, WEIR_STR("log"))) {
        return true;
    }
    if (node->kind == WEIR_CONF_MAP && node->count == 1) {
        if (weir_str_eq(node->names[0].text, WEIR_STR("queue"))) {
            return !node->items[0].broken && read_queue(reading, &node->items[0], ret_action);
        }
        if (weir_str_eq(node->names[0].text, WEIR_STR("http"))) {
            return !node->items[0].broken && read_url(reading, &node->items[0], ret_action);
        }
        weir_conf_unknown(diagnostics, &node->names[0], "action", names, WEIR_COUNT(names));
        return false;
    }
    weir_conf_unknown(diagnostics, node, "action", kinds, sizeof(kinds) / sizeof(kinds[0]));
    return false;
}

/* One action or a list of them. */
static void read_actions(struct reading *reading, const struct weir_conf *node,
        struct weir_alarm_actions *ret_actions)
{
    if (is_absent(node)) {
        return;
    }
    bool list = node->kind == WEIR_CONF_LIST;
    size_t count = list ? node->count : 1;
    const struct weir_conf *items = list ? node->items : node;
    struct weir_alarm_action *all = weir_arena_zero(reading->scope->arena, count, sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        if (i == ACTIONS_MAX) {
            weir_conf_error(reading->scope->diagnostics, &items[i],
                    "there are %zu actions, at most %d are possible", count, ACTIONS_MAX);
            break;
        }
        if (!items[i].broken && read_action(reading, &items[i], &all[ret_actions->count])) {
            ret_actions->count++;
        }
    }
    ret_actions->all = all;
}

static void read_all_actions(struct reading *reading)
{
    struct weir_alarm_model *model = reading->model;
    read_actions(reading, reading->options.actions, &model->actions[WEIR_ALARM_ALARM]);
    if (reading->options.ok_actions == NULL) {
        model->actions[WEIR_ALARM_OK] = model->actions[WEIR_ALARM_ALARM];
    }
    read_actions(reading, reading->options.ok_actions, &model->actions[WEIR_ALARM_OK]);
    read_actions(reading, reading->options.insufficient_actions,
            &model->actions[WEIR_ALARM_INSUFFICIENT]);
}

/* --- the whole ---------------------------------------------------------------------------- */

/* Names go into metrics and the keys of stored states. */
static void check_name(const struct reading *reading, const struct weir_conf *name)
{
    bool right = name->text.n > 0 && name->text.n <= WEIR_ALARM_NAME_MAX;
    for (size_t i = 0; i < name->text.n; i++) {
        char c = name->text.p[i];
        right = right && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.');
    }
    if (!right) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->scope->diagnostics, name,
                "alarm name %s must be 1 to %d characters of a-z, A-Z, 0-9, '_', '-' and '.'",
                weir_conf_show(name, shown), WEIR_ALARM_NAME_MAX);
    }
}

void weir_alarm_model_read(const struct weir_alarm_scope *scope, const struct weir_conf *name,
        const struct weir_conf *node, struct weir_alarm_model *ret_model)
{
    struct reading reading = { .scope = scope, .node = node, .model = ret_model };
    *ret_model = (struct weir_alarm_model){ .name = name->text };
    snprintf(reading.what, sizeof(reading.what), "alarm '%.*s'", WEIR_STR_ARG(name->text));
    check_name(&reading, name);
    weir_conf_options(scope->diagnostics, node, reading.what, alarm_options, &reading.options);
    if (node->kind != WEIR_CONF_MAP) {
        return;
    }
    ret_model->description = reading.options.description;
    read_metric(&reading);
    read_bound(&reading);
    read_periods(&reading);
    read_all_actions(&reading);
}
