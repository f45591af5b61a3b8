#include "cli/simulation_report.h"

#include "cli/columns.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum { STATUS_MAX_BYTES = 8 << 20, ALARMS_MAX = 1024 };

/* --- what there is to tell ---------------------------------------------------------------- */

/* The pipelines' status, as a list; in the arena. */
static struct weir_value pipelines_of(
        const struct weir_simulation *simulation, struct weir_arena *arena)
{
    struct weir_buf json;
    struct weir_json reader;
    struct weir_item status = { 0 };
    weir_buf_init(&json, STATUS_MAX_BYTES);
    weir_buf_z(&json, "{\"all\":");
    weir_pipelines_status(simulation->world->engine->pipelines, &json);
    weir_buf_byte(&json, '}');
    struct weir_str text = weir_arena_str(arena, weir_buf_view(&json));
    weir_buf_fini(&json);
    weir_json_init(&reader, text, arena, WEIR_JSON_MAX_DEPTH);
    enum weir_rc rc = weir_ddbjson_read_plain_item(&reader, weir_json_next(&reader), &status, NULL);
    weir_assert(rc == WEIR_OK); /* weir's own JSON */
    return weir_item_get(status, WEIR_STR("all"));
}

static uint64_t number_of(struct weir_item item, const char *name)
{
    int64_t number = 0;
    struct weir_decimal value = weir_value_decimal(weir_item_get(item, weir_str_z(name)));
    return weir_decimal_to_i64(value, &number) && number > 0 ? (uint64_t)number : 0;
}

/* An alarm that changed its state. */
struct alarm {
    struct weir_str name;
    uint64_t times; /* it went off */
    struct weir_time first;
    struct weir_time since; /* in ALARM; 0: it is not */
    int64_t in_alarm_ms;
};

static struct weir_str value_of(const struct weir_world_line *line, const char *key)
{
    for (size_t i = 0; i < line->count; i++) {
        if (weir_str_eq(line->keys[i], weir_str_z(key))) {
            return line->values[i];
        }
    }
    return (struct weir_str){ 0 };
}

static struct alarm *find_alarm(struct alarm *alarms, size_t *count, struct weir_str name)
{
    for (size_t i = 0; i < *count; i++) {
        if (weir_str_eq(alarms[i].name, name)) {
            return &alarms[i];
        }
    }
    if (*count == ALARMS_MAX) {
        return NULL;
    }
    alarms[*count] = (struct alarm){ .name = name };
    return &alarms[(*count)++];
}

/* The alarms that went off, from the log; returns how many. */
static size_t alarms_of(const struct weir_simulation *simulation, struct alarm alarms[ALARMS_MAX])
{
    const struct weir_world *world = simulation->world;
    size_t count = 0;
    for (size_t i = 0; i < world->line_count; i++) {
        const struct weir_world_line *line = &world->lines[i];
        if (!weir_str_eq(line->what, WEIR_STR("alarm.changed"))) {
            continue;
        }
        bool off = weir_str_eq(value_of(line, "state"), WEIR_STR("ALARM"));
        bool on_again = weir_str_eq(value_of(line, "was"), WEIR_STR("ALARM"));
        struct alarm *alarm =
                off || on_again ? find_alarm(alarms, &count, value_of(line, "alarm")) : NULL;
        if (alarm != NULL && off) {
            alarm->first = alarm->times == 0 ? line->time : alarm->first;
            alarm->since = line->time;
            alarm->times++;
        } else if (alarm != NULL) {
            alarm->in_alarm_ms += line->time.ms - alarm->since.ms;
            alarm->since.ms = 0;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (alarms[i].since.ms != 0) {
            alarms[i].in_alarm_ms += weir_world_now(world).ms - alarms[i].since.ms;
        }
    }
    return count;
}

/* One line of the bill. */
struct cost {
    const char *what;
    const char *unit;
    double count;
    double cost;
};

enum { COSTS = 7, REQUEST_MESSAGES = 10 };

/* What is counted to be paid. */
struct counted {
    double write_units;
    double read_units;
    double requests[2]; /* to standard and to FIFO queues */
    double batches;     /* that would be runs of a function */
    double runs;        /* of functions */
    double gb_seconds;
};

static const struct weir_simulated_pipeline *find_pipeline(
        const struct weir_simulation *simulation, struct weir_str name)
{
    for (size_t i = 0; i < simulation->pipeline_count; i++) {
        if (weir_str_eq(simulation->pipelines[i].name, name)) {
            return &simulation->pipelines[i];
        }
    }
    return NULL;
}

/* A pipeline is a function of its own, unless it invokes one. */
static void count_pipeline(
        const struct weir_simulation *simulation, struct weir_item status, struct counted *counted)
{
    const struct weir_simulated_pipeline *pipeline =
            find_pipeline(simulation, weir_value_str(weir_item_get(status, WEIR_STR("name"))));
    double batches = (double)number_of(status, "batches");
    double least = (double)number_of(status, "records") / REQUEST_MESSAGES;
    counted->read_units += (double)number_of(status, "read_units");
    if (pipeline == NULL || !pipeline->invokes) {
        counted->batches += batches;
    }
    if (pipeline != NULL && pipeline->of_queue) { /* to receive, and to delete */
        counted->requests[pipeline->fifo] += 2 * (batches > least ? batches : least);
    }
}

static void count(const struct weir_simulation *simulation, struct counted *counted)
{
    const struct weir_prices *prices = &simulation->prices;
    struct weir_arena arena;
    size_t table_count = 0;
    size_t queue_count = 0;
    const struct weir_tally_table *tables = weir_tally_tables(simulation->tally, &table_count);
    const struct weir_tally_queue *queues = weir_tally_queues(simulation->tally, &queue_count);
    const double ms_bytes = 1e3 * (double)(1 << 30); /* of a GB-second */
    weir_arena_init(&arena);
    for (size_t i = 0; i < table_count; i++) {
        counted->write_units += (double)tables[i].units;
    }
    for (size_t i = 0; i < queue_count; i++) {
        counted->requests[queues[i].fifo] += (double)queues[i].requests;
    }
    struct weir_value pipelines = pipelines_of(simulation, &arena);
    for (size_t i = 0; i < weir_value_count(pipelines); i++) {
        count_pipeline(simulation, weir_value_map(weir_value_at(pipelines, i)), counted);
    }
    counted->gb_seconds =
            counted->batches * (double)prices->run_ms * (double)prices->run_bytes / ms_bytes;
    for (size_t i = 0; i < simulation->function_count; i++) {
        const struct weir_simulated_function *function = &simulation->functions[i];
        uint64_t bytes = function->bytes > 0 ? function->bytes : prices->run_bytes;
        counted->runs += (double)function->runs;
        counted->gb_seconds += (double)function->ms * (double)bytes / ms_bytes;
    }
    weir_arena_fini(&arena);
}

static double cost_of(const struct weir_simulation *simulation, struct cost costs[static COSTS])
{
    const struct weir_prices *prices = &simulation->prices;
    struct counted n = { 0 };
    const double million = 1e6;
    count(simulation, &n);
    const struct cost all[COSTS] = {
        { "writes to tables", "units", n.write_units,
                n.write_units / million * prices->table_write },
        { "reads of tables", "units", n.read_units, n.read_units / million * prices->table_read },
        { "requests to queues", "requests", n.requests[0],
                n.requests[0] / million * prices->queue_request },
        { "requests to FIFO queues", "requests", n.requests[1],
                n.requests[1] / million * prices->fifo_request },
        { "batches as function runs", "runs", n.batches,
                n.batches / million * prices->function_request },
        { "runs of functions", "runs", n.runs, n.runs / million * prices->function_request },
        { "their memory and time", "GB-s", n.gb_seconds,
                n.gb_seconds * prices->function_gb_second },
    };
    double sum = 0;
    for (size_t i = 0; i < COSTS; i++) {
        costs[i] = all[i];
        sum += all[i].cost;
    }
    return sum;
}

/* --- for people ----------------------------------------------------------------------------------
 */

static struct weir_str text_of(struct weir_arena *arena, uint64_t number)
{
    return weir_arena_printf(arena, "%llu", (unsigned long long)number);
}

static void write_span(struct weir_buf *out, int64_t ms)
{
    int64_t s = ms / 1000;
    if (s >= 48 * 3600) {
        weir_buf_printf(out, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
    } else if (s >= 2 * 3600) {
        weir_buf_printf(out, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
    } else if (s >= 120) {
        weir_buf_printf(out, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    } else {
        weir_buf_printf(out, "%lld.%03lld s", (long long)s, (long long)(ms % 1000));
    }
}

static void write_head(const struct weir_simulation *simulation, struct weir_buf *out)
{
    char start[WEIR_TIME_TEXT];
    char end[WEIR_TIME_TEXT];
    struct weir_time now = weir_world_now(simulation->world);
    weir_time_format(simulation->start, start);
    weir_time_format(now, end);
    weir_buf_printf(out, "%s to %s (", start, end);
    write_span(out, now.ms - simulation->start.ms);
    weir_buf_printf(out, "), simulated in %.3f s: %zu changes from %zu lines",
            (double)simulation->real_us / 1e6, simulation->changes, simulation->lines);
    if (simulation->failed > 0) {
        weir_buf_printf(out, ", %zu lines with errors", simulation->failed);
    }
    if (simulation->late > 0) {
        weir_buf_printf(out, ", %zu out of order", simulation->late);
    }
    weir_buf_byte(out, '\n');
}

static void write_pipelines(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "PIPELINE", ">RUNS", ">RECORDS", ">FILTERED", ">ERRORS",
        ">RETRIES", ">WAITING", "STATE" };
    struct weir_cli_columns columns;
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    struct weir_arena *arena = &columns.arena;
    struct weir_value all = pipelines_of(simulation, arena);
    for (size_t i = 0; i < weir_value_count(all); i++) {
        struct weir_item one = weir_value_map(weir_value_at(all, i));
        struct weir_str cells[] = {
            weir_value_str(weir_item_get(one, WEIR_STR("name"))),
            text_of(arena, number_of(one, "batches")),
            text_of(arena, number_of(one, "records")),
            text_of(arena, number_of(one, "filtered")),
            text_of(arena, number_of(one, "errors")),
            text_of(arena, number_of(one, "retries")),
            text_of(arena, number_of(one, "waiting")),
            weir_value_str(weir_item_get(one, WEIR_STR("state"))),
        };
        weir_cli_columns_add(&columns, cells);
    }
    weir_cli_columns_write(&columns, out, "\n", "");
}

static void write_tables(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "TABLE", ">FED", ">WRITTEN", ">DELETED", ">EXPIRED",
        ">WRITE UNITS" };
    struct weir_cli_columns columns;
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    struct weir_arena *arena = &columns.arena;
    size_t count = 0;
    const struct weir_tally_table *tables = weir_tally_tables(simulation->tally, &count);
    for (size_t i = 0; i < count; i++) {
        struct weir_str cells[] = {
            tables[i].name,
            text_of(arena, tables[i].fed),
            text_of(arena, tables[i].written),
            text_of(arena, tables[i].deleted),
            text_of(arena, tables[i].expired),
            text_of(arena, tables[i].units),
        };
        weir_cli_columns_add(&columns, cells);
    }
    weir_cli_columns_write(&columns, out, "\n", "");
}

static void write_queues(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "QUEUE", ">SENT" };
    struct weir_cli_columns columns;
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    size_t count = 0;
    const struct weir_tally_queue *queues = weir_tally_queues(simulation->tally, &count);
    for (size_t i = 0; i < count; i++) {
        struct weir_str cells[] = { queues[i].name, text_of(&columns.arena, queues[i].sent) };
        weir_cli_columns_add(&columns, cells);
    }
    weir_cli_columns_write(&columns, out, "\n", "");
}

static void write_functions(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "FUNCTION", ">RUNS", ">FAILED", ">TIME" };
    struct weir_cli_columns columns;
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    for (size_t i = 0; i < simulation->function_count; i++) {
        const struct weir_simulated_function *function = &simulation->functions[i];
        struct weir_buf span;
        weir_buf_init(&span, 64);
        write_span(&span, (int64_t)function->ms);
        struct weir_str cells[] = {
            function->name,
            text_of(&columns.arena, function->runs),
            text_of(&columns.arena, function->failed),
            weir_arena_str(&columns.arena, weir_buf_view(&span)),
        };
        weir_buf_fini(&span);
        weir_cli_columns_add(&columns, cells);
    }
    weir_cli_columns_write(&columns, out, "\n", "");
}

static void write_alarms(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "ALARM", ">WENT OFF", "FIRST", ">IN ALARM" };
    struct alarm alarms[ALARMS_MAX];
    struct weir_cli_columns columns;
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    size_t count = alarms_of(simulation, alarms);
    for (size_t i = 0; i < count; i++) {
        char first[WEIR_TIME_TEXT];
        struct weir_buf span;
        weir_time_format(alarms[i].first, first);
        weir_buf_init(&span, 64);
        write_span(&span, alarms[i].in_alarm_ms);
        struct weir_str cells[] = {
            alarms[i].name,
            text_of(&columns.arena, alarms[i].times),
            weir_arena_str(&columns.arena, weir_str_z(first)),
            weir_arena_str(&columns.arena, weir_buf_view(&span)),
        };
        weir_buf_fini(&span);
        weir_cli_columns_add(&columns, cells);
    }
    weir_cli_columns_write(&columns, out, "\n", "");
}

static void write_costs(const struct weir_simulation *simulation, struct weir_buf *out)
{
    static const char *const titles[] = { "COST", ">COUNT", "OF", ">" };
    struct cost costs[COSTS];
    struct weir_cli_columns columns;
    double sum = cost_of(simulation, costs);
    weir_cli_columns_init(&columns, titles, WEIR_COUNT(titles));
    struct weir_arena *arena = &columns.arena;
    for (size_t i = 0; i < COSTS; i++) {
        struct weir_str cells[] = {
            weir_str_z(costs[i].what),
            weir_arena_printf(arena, "%.0f", costs[i].count),
            weir_str_z(costs[i].unit),
            weir_arena_printf(arena, "%.6f %s", costs[i].cost, simulation->prices.currency),
        };
        if (costs[i].count > 0) {
            weir_cli_columns_add(&columns, cells);
        }
    }
    struct weir_str cells[] = {
        WEIR_STR("together"),
        WEIR_STR(""),
        WEIR_STR(""),
        weir_arena_printf(arena, "%.6f %s", sum, simulation->prices.currency),
    };
    weir_cli_columns_add(&columns, cells);
    weir_cli_columns_write(&columns, out, "\n", "");
}

void weir_simulation_write_text(const struct weir_simulation *simulation, struct weir_buf *out)
{
    write_head(simulation, out);
    write_pipelines(simulation, out);
    write_tables(simulation, out);
    write_queues(simulation, out);
    write_functions(simulation, out);
    write_alarms(simulation, out);
    write_costs(simulation, out);
}

/* --- JSON
 * ------------------------------------------------------------------------------------------- */

static void json_head(const struct weir_simulation *simulation, struct weir_buf *out)
{
    char start[WEIR_TIME_TEXT];
    char end[WEIR_TIME_TEXT];
    weir_time_format(simulation->start, start);
    weir_time_format(weir_world_now(simulation->world), end);
    weir_buf_printf(out,
            "{\"start\":\"%s\",\"end\":\"%s\",\"lines\":%zu,\"changes\":%zu,\"failed\":%zu,"
            "\"out_of_order\":%zu,\"pipelines\":",
            start, end, simulation->lines, simulation->changes, simulation->failed,
            simulation->late);
    weir_pipelines_status(simulation->world->engine->pipelines, out);
}

static void json_tables(const struct weir_simulation *simulation, struct weir_buf *out)
{
    size_t count = 0;
    const struct weir_tally_table *tables = weir_tally_tables(simulation->tally, &count);
    weir_buf_z(out, ",\"tables\":[");
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        weir_json_write_string(out, tables[i].name);
        weir_buf_printf(out,
                ",\"fed\":%llu,\"written\":%llu,\"deleted\":%llu,\"expired\":%llu,"
                "\"write_units\":%llu}",
                (unsigned long long)tables[i].fed, (unsigned long long)tables[i].written,
                (unsigned long long)tables[i].deleted, (unsigned long long)tables[i].expired,
                (unsigned long long)tables[i].units);
    }
    weir_buf_byte(out, ']');
}

static void json_queues(const struct weir_simulation *simulation, struct weir_buf *out)
{
    size_t count = 0;
    const struct weir_tally_queue *queues = weir_tally_queues(simulation->tally, &count);
    weir_buf_z(out, ",\"queues\":[");
    for (size_t i = 0; i < count; i++) {
        weir_buf_z(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        weir_json_write_string(out, queues[i].name);
        weir_buf_printf(out, ",\"sent\":%llu}", (unsigned long long)queues[i].sent);
    }
    weir_buf_byte(out, ']');
}

static void json_functions(const struct weir_simulation *simulation, struct weir_buf *out)
{
    weir_buf_z(out, ",\"functions\":[");
    for (size_t i = 0; i < simulation->function_count; i++) {
        const struct weir_simulated_function *function = &simulation->functions[i];
        weir_buf_z(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        weir_json_write_string(out, function->name);
        weir_buf_printf(out, ",\"runs\":%llu,\"failed\":%llu,\"duration_ms\":%llu}",
                (unsigned long long)function->runs, (unsigned long long)function->failed,
                (unsigned long long)function->ms);
    }
    weir_buf_byte(out, ']');
}

static void json_alarms(const struct weir_simulation *simulation, struct weir_buf *out)
{
    struct alarm alarms[ALARMS_MAX];
    size_t count = alarms_of(simulation, alarms);
    weir_buf_z(out, ",\"alarms\":[");
    for (size_t i = 0; i < count; i++) {
        char first[WEIR_TIME_TEXT];
        weir_time_format(alarms[i].first, first);
        weir_buf_z(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        weir_json_write_string(out, alarms[i].name);
        weir_buf_printf(out, ",\"times\":%llu,\"first\":\"%s\",\"in_alarm_ms\":%lld}",
                (unsigned long long)alarms[i].times, first, (long long)alarms[i].in_alarm_ms);
    }
    weir_buf_byte(out, ']');
}

static void json_costs(const struct weir_simulation *simulation, struct weir_buf *out)
{
    struct cost costs[COSTS];
    double sum = cost_of(simulation, costs);
    weir_buf_z(out, ",\"cost\":{\"currency\":");
    weir_json_write_string(out, weir_str_z(simulation->prices.currency));
    weir_buf_z(out, ",\"items\":[");
    for (size_t i = 0; i < COSTS; i++) {
        weir_buf_z(out, i > 0 ? ",{\"what\":" : "{\"what\":");
        weir_json_write_string(out, weir_str_z(costs[i].what));
        weir_buf_printf(out, ",\"count\":%.6f,\"unit\":\"%s\",\"cost\":%.9f}", costs[i].count,
                costs[i].unit, costs[i].cost);
    }
    weir_buf_printf(out, "],\"sum\":%.9f}}\n", sum);
}

void weir_simulation_write_json(const struct weir_simulation *simulation, struct weir_buf *out)
{
    json_head(simulation, out);
    json_tables(simulation, out);
    json_queues(simulation, out);
    json_functions(simulation, out);
    json_alarms(simulation, out);
    json_costs(simulation, out);
}
