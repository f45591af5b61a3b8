/* `schedules:`: a map of names to schedules. */
#include <stdio.h>

#include "config/config_int.h"
#include "value/json.h"

enum { WHAT_BYTES = WEIR_SCHEDULE_NAME_MAX + 32, JSON_DEPTH = 128, TEXT_MAX = 64 };

struct schedule_options {
    const struct weir_conf *at;
    const struct weir_conf *rate;
    const struct weir_conf *cron;
    struct weir_str zone;
    const struct weir_conf *target;
    const struct weir_conf *input;
    struct weir_str missed;
    uint64_t window_ms;
    const struct weir_conf *start;
    const struct weir_conf *end;
    bool enabled;
    uint64_t retries;
    uint64_t max_age_ms;
    const struct weir_conf *failure;
    struct weir_str description;
};

#define AT(field) offsetof(struct schedule_options, field)

static const struct weir_option schedule_options[] = {
    { "at", "", "once at this time, as in 2026-11-21T09:30:00", WEIR_OPTION_NODE, AT(at), 0, 0 },
    { "rate", "", "again and again after so long, as in 5m", WEIR_OPTION_NODE, AT(rate), 0, 0 },
    { "cron", "", "minutes, hours, day of month, month, day of week, year", WEIR_OPTION_NODE,
            AT(cron), 0, 0 },
    { "timezone", "UTC", "whose clocks at and cron mean, as in Europe/Berlin", WEIR_OPTION_STRING,
            AT(zone), 0, 0 },
    { "target", NULL, "{ queue: NAME } or { function: NAME }", WEIR_OPTION_NODE, AT(target), 0, 0 },
    { "input", "", "what it gets: a text, or anything that becomes JSON", WEIR_OPTION_NODE,
            AT(input), 0, 0 },
    { "missed", "one", "runs for firings that were missed: one, skip or all", WEIR_OPTION_STRING,
            AT(missed), 0, 0 },
    { "window", "0s", "a firing happens up to so much later", WEIR_OPTION_DURATION, AT(window_ms),
            0, WEIR_SCHEDULE_WINDOW_MAX_MS },
    { "start", "", "no firing before this time in UTC", WEIR_OPTION_NODE, AT(start), 0, 0 },
    { "end", "", "no firing after this time in UTC", WEIR_OPTION_NODE, AT(end), 0, 0 },
    { "enabled", "true", "whether it fires", WEIR_OPTION_BOOL, AT(enabled), 0, 0 },
    { "retries", "185", "further attempts of a function that fails", WEIR_OPTION_INTEGER,
            AT(retries), 0, WEIR_SCHEDULE_RETRIES_MAX },
    { "max_age", "24h", "how long a function that fails is tried again", WEIR_OPTION_DURATION,
            AT(max_age_ms), WEIR_SCHEDULE_AGE_MIN_MS, WEIR_SCHEDULE_AGE_MAX_MS },
    { "on_failure", "", "{ queue: NAME }: gets what cannot be delivered", WEIR_OPTION_NODE,
            AT(failure), 0, 0 },
    { "description", "", "what it is for", WEIR_OPTION_STRING, AT(description), 0, 0 },
    { 0 },
};

struct target_options {
    struct weir_str queue;
    struct weir_str function;
    struct weir_str group;
};

static const struct weir_option target_options[] = {
    { "queue", "", "the queue that gets a message", WEIR_OPTION_STRING,
            offsetof(struct target_options, queue), 0, 0 },
    { "function", "", "the function that runs", WEIR_OPTION_STRING,
            offsetof(struct target_options, function), 0, 0 },
    { "group", "", "the message's group, for a FIFO queue", WEIR_OPTION_STRING,
            offsetof(struct target_options, group), 0, 0 },
    { 0 },
};

struct failure_options {
    struct weir_str queue;
};

static const struct weir_option failure_options[] = {
    { "queue", NULL, "the queue that gets dead letters", WEIR_OPTION_STRING,
            offsetof(struct failure_options, queue), 0, 0 },
    { 0 },
};

/* A schedule being read. */
struct reading {
    const struct weir_config_reader *reader;
    struct weir_arena *arena;
    const struct weir_conf *name;
    char what[WHAT_BYTES]; /* "schedule 'x'" */
    struct weir_schedule *schedule;
};

/* --- when ------------------------------------------------------------------------------------ */

/* The one of the three that is given, and the form that the expression has around it. */
static const struct weir_conf *find_when(
        struct reading *reading, const struct schedule_options *options, const char **ret_form)
{
    const struct {
        const char *form;
        const struct weir_conf *node;
    } forms[] = { { "at(", options->at }, { "rate(", options->rate }, { "cron(", options->cron } };
    const struct weir_conf *found = NULL;
    for (size_t i = 0; i < WEIR_COUNT(forms); i++) {
        if (forms[i].node == NULL) {
            continue;
        }
        if (found != NULL) {
            weir_conf_error(reading->reader->diagnostics, forms[i].node,
                    "%s has one of at, rate and cron, not two", reading->what);
            return NULL;
        }
        found = forms[i].node;
        *ret_form = forms[i].form;
    }
    if (found == NULL) {
        weir_conf_error(reading->reader->diagnostics, reading->name,
                "%s needs one of at, rate and cron", reading->what);
    } else if (found->kind != WEIR_CONF_SCALAR) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reading->reader->diagnostics, found,
                "an expression is expected, as in cron: \"30 9 ? * MON-FRI *\", not %s",
                weir_conf_show(found, shown));
        return NULL;
    }
    return found;
}

/* `rate: 5m` is a duration; other texts may have their form around them or not. */
static void read_when(struct reading *reading, const struct schedule_options *options)
{
    const char *form = NULL;
    const struct weir_conf *node = find_when(reading, options, &form);
    struct weir_schedule_expression expression;
    struct weir_err err = { 0 };
    if (node == NULL) {
        return;
    }
    struct weir_str text = node->text;
    bool spaced = text.n > 0 && memchr(text.p, ' ', text.n) != NULL;
    bool whole = weir_str_starts(text, weir_str_z(form)) || (form[0] == 'r' && !spaced);
    size_t before = whole ? 0 : strlen(form);
    reading->schedule->expression =
            whole ? text : weir_arena_printf(reading->arena, "%s%.*s)", form, WEIR_STR_ARG(text));
    if (weir_schedule_parse(reading->schedule->expression, &expression, &err) != WEIR_OK) {
        size_t pos = err.pos > before ? err.pos - before : 0;
        weir_conf_error_in(reading->reader->diagnostics, node, pos < text.n ? pos : text.n,
                "%s: %s", reading->what, err.msg);
        reading->schedule->expression = WEIR_STR("");
    }
}

/* A time in UTC, as in 2026-11-21T09:30:00Z. */
static void read_time(
        struct reading *reading, const struct weir_conf *node, struct weir_time *ret_time)
{
    struct weir_schedule_expression expression;
    char shown[WEIR_CONF_SHOWN];
    char at[TEXT_MAX];
    if (node == NULL) {
        return;
    }
    struct weir_str text = node->kind == WEIR_CONF_SCALAR ? node->text : WEIR_STR("");
    text.n -= text.n > 0 && text.p[text.n - 1] == 'Z' ? 1 : 0;
    snprintf(at, sizeof(at), "at(%.*s)", WEIR_STR_ARG(text));
    if (weir_schedule_parse(weir_str_z(at), &expression, NULL) != WEIR_OK) {
        weir_conf_error(reading->reader->diagnostics, node,
                "a time in UTC is expected, as in 2026-11-21T09:30:00Z, not %s",
                weir_conf_show(node, shown));
        return;
    }
    ret_time->ms = expression.at_ms;
}

/* --- what ------------------------------------------------------------------------------------ */

static struct weir_str arn_of(
        struct reading *reading, const char *service, const char *type, struct weir_str name)
{
    const struct weir_config_server *server = &reading->reader->config->server;
    struct weir_str region = server->region.n > 0 ? server->region : WEIR_STR("us-east-1");
    struct weir_str account = server->account.n > 0 ? server->account : WEIR_STR("000000000000");
    return weir_arena_printf(reading->arena, "arn:aws:%s:%.*s:%.*s:%s%.*s", service,
            WEIR_STR_ARG(region), WEIR_STR_ARG(account), type, WEIR_STR_ARG(name));
}

/* The queue of the file that a node names; told when there is none. */
static struct weir_str queue_arn(
        struct reading *reading, const struct weir_conf *node, struct weir_str name)
{
    const struct weir_config *config = reading->reader->config;
    const char **names = weir_arena_zero(reading->arena, config->queue_count + 1, sizeof(char *));
    for (size_t i = 0; i < config->queue_count; i++) {
        names[i] = weir_arena_str(reading->arena, config->queues[i].name).p;
        if (weir_str_eq(config->queues[i].name, name)) {
            return arn_of(reading, "sqs", "", name);
        }
    }
    weir_conf_unknown(reading->reader->diagnostics, weir_conf_get(node, "queue"), "queue", names,
            config->queue_count);
    return WEIR_STR("");
}

static struct weir_str function_arn(
        struct reading *reading, const struct weir_conf *node, struct weir_str name)
{
    const struct weir_config *config = reading->reader->config;
    const char **names =
            weir_arena_zero(reading->arena, config->function_count + 1, sizeof(char *));
    for (size_t i = 0; i < config->function_count; i++) {
        names[i] = weir_arena_str(reading->arena, config->functions[i].name).p;
        if (weir_str_eq(config->functions[i].name, name)) {
            return arn_of(reading, "lambda", "function:", name);
        }
    }
    weir_conf_unknown(reading->reader->diagnostics, weir_conf_get(node, "function"), "function",
            names, config->function_count);
    return WEIR_STR("");
}

static void read_target(struct reading *reading, const struct weir_conf *node)
{
    struct target_options options = { 0 };
    struct weir_schedule_target *target = &reading->schedule->target;
    char owner[WHAT_BYTES + 16];
    snprintf(owner, sizeof(owner), "target of %s", reading->what);
    if (node == NULL || !weir_conf_options(reading->reader->diagnostics, node, owner,
                                target_options, &options)) {
        return;
    }
    if ((options.queue.n > 0) == (options.function.n > 0)) {
        weir_conf_error(reading->reader->diagnostics, node,
                "the target of %s is { queue: NAME } or { function: NAME }", reading->what);
        return;
    }
    target->arn = options.queue.n > 0 ? queue_arn(reading, node, options.queue)
                                      : function_arn(reading, node, options.function);
    target->group = options.group;
}

static bool is_json(struct reading *reading, struct weir_str text)
{
    struct weir_json json;
    weir_json_init(&json, text, reading->arena, JSON_DEPTH);
    return weir_json_skip(&json, weir_json_next(&json), NULL) == WEIR_OK &&
           weir_json_next(&json) == WEIR_JSON_END;
}

/* A text is what it says; for a function, which gets JSON, one that is none becomes a string. */
static void read_input(struct reading *reading, const struct weir_conf *node, bool function)
{
    struct weir_buf out;
    if (node == NULL) {
        return;
    }
    if (node->kind == WEIR_CONF_SCALAR && (!function || is_json(reading, node->text))) {
        reading->schedule->target.input = node->text;
        return;
    }
    weir_buf_init(&out, WEIR_SCHEDULE_INPUT_MAX_BYTES + 1);
    weir_conf_write_json(&out, node);
    if (out.overflow) {
        weir_conf_error(reading->reader->diagnostics, node, "an input has at most %d bytes",
                WEIR_SCHEDULE_INPUT_MAX_BYTES);
    } else {
        reading->schedule->target.input = weir_arena_str(reading->arena, weir_buf_view(&out));
    }
    weir_buf_fini(&out);
}

static void read_failure(struct reading *reading, const struct weir_conf *node)
{
    struct failure_options options = { 0 };
    char owner[WHAT_BYTES + 16];
    snprintf(owner, sizeof(owner), "on_failure of %s", reading->what);
    if (node != NULL && weir_conf_options(reading->reader->diagnostics, node, owner,
                                failure_options, &options)) {
        reading->schedule->target.dead_letters = queue_arn(reading, node, options.queue);
    }
}

static void read_missed(
        struct reading *reading, const struct weir_conf *node, struct weir_str missed)
{
    static const char *const names[] = { "one", "skip", "all" };
    if (!weir_missed_parse(missed, &reading->schedule->missed)) {
        weir_conf_unknown(reading->reader->diagnostics, weir_conf_get(node, "missed"),
                "policy for missed firings", names, WEIR_COUNT(names));
    }
}

/* What only the whole shows: a zone, a name, an end before the start, a schedule that never fires.
 */
static void check_whole(struct reading *reading, const struct weir_conf *node)
{
    struct weir_schedule_times times = { 0 };
    struct weir_firing firing;
    struct weir_err err = { 0 };
    const struct weir_conf *zone = weir_conf_get(node, "timezone");
    bool in_zone = zone != NULL && weir_zone_find(reading->schedule->zone) == NULL;
    if (weir_schedule_check(reading->schedule, NULL, &err) != WEIR_OK) {
        weir_conf_error(reading->reader->diagnostics, in_zone ? zone : reading->name, "%s: %s",
                reading->what, err.msg);
    } else if (weir_schedule_times(reading->schedule, reading->schedule->start, &times, NULL) ==
                       WEIR_OK &&
               !weir_schedule_next(&times, (struct weir_time){ 0 }, &firing)) {
        weir_conf_warn(
                reading->reader->diagnostics, reading->name, "%s never fires", reading->what);
    }
}

static void read_schedule(const struct weir_config_reader *reader, const struct weir_conf *name,
        const struct weir_conf *node)
{
    struct schedule_options options = { 0 };
    struct weir_schedule *schedule = &reader->config->schedules[reader->config->schedule_count++];
    struct reading reading = {
        .reader = reader, .arena = &reader->config->arena, .name = name, .schedule = schedule
    };
    size_t errors = reader->diagnostics->errors;
    snprintf(reading.what, sizeof(reading.what), "schedule '%.*s'", WEIR_STR_ARG(name->text));
    *schedule = weir_schedule_defaults(name->text);
    schedule->group = WEIR_SCHEDULE_FILE_GROUP;
    weir_conf_options(reader->diagnostics, node, reading.what, schedule_options, &options);
    if (reader->diagnostics->errors != errors) {
        return;
    }
    schedule->zone = options.zone;
    schedule->description = options.description;
    schedule->window_ms = options.window_ms;
    schedule->enabled = options.enabled;
    schedule->target.max_retries = options.retries;
    schedule->target.max_age_ms = options.max_age_ms;
    read_when(&reading, &options);
    read_time(&reading, options.start, &schedule->start);
    read_time(&reading, options.end, &schedule->end);
    read_missed(&reading, node, options.missed);
    read_target(&reading, options.target);
    read_input(&reading, options.input, weir_conf_get(options.target, "function") != NULL);
    read_failure(&reading, options.failure);
    if (reader->diagnostics->errors == errors) {
        check_whole(&reading, node);
    }
}

void weir_config_read_schedules(
        const struct weir_config_reader *reader, const struct weir_conf *schedules)
{
    struct weir_config *config = reader->config;
    if (schedules == NULL || schedules->kind == WEIR_CONF_NULL || schedules->broken) {
        return;
    }
    if (schedules->kind != WEIR_CONF_MAP) {
        char shown[WEIR_CONF_SHOWN];
        weir_conf_error(reader->diagnostics, schedules,
                "schedules must be a map of names to schedules, not %s",
                weir_conf_show(schedules, shown));
        return;
    }
    config->schedules =
            weir_arena_zero(&config->arena, schedules->count, sizeof(*config->schedules));
    for (size_t i = 0; i < schedules->count; i++) {
        if (!schedules->names[i].broken && !schedules->items[i].broken) {
            read_schedule(reader, &schedules->names[i], &schedules->items[i]);
        }
    }
}
