/* weir explain: what a pipeline's filter and condition make of a record, and why. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/configured.h"
#include "cli/input.h"
#include "step/registry.h"
#include "value/ddbjson.h"

enum { NAMES_MAX = 256, PATTERN_WORDS = 4 };

static const struct weir_cli_option options[] = {
    { "config", 'c', "FILE", "the configuration (default: weir.yaml)", WEIR_CLI_TEXT,
            offsetof(struct weir_cli_call, config) },
    { "json", 0, NULL, "print an object", WEIR_CLI_FLAG, offsetof(struct weir_cli_call, json) },
    { 0 },
};

/* What a pipeline makes of a record; the order is that in which weir asks. */
struct verdict {
    bool undecided;     /* arrays with too many combinations: weir lets the record pass */
    bool filter_passes; /* also without a filter */
    bool when_holds;    /* also without a condition */
    bool when_fails;    /* err says why: the record is reported as failed */
    struct weir_err err;
};

static void ask_filter(const struct weir_pipeline_model *model, const struct weir_record *record,
        struct weir_pattern_scratch *scratch, struct verdict *verdict)
{
    uint64_t results[PATTERN_WORDS] = { 0 };
    verdict->filter_passes = model->filter == NULL;
    if (model->filter == NULL) {
        return;
    }
    size_t words = weir_pattern_set_words(model->filter);
    weir_assert(words <= PATTERN_WORDS);
    enum weir_rc rc =
            weir_pattern_match_record(model->filter, scratch, record, results, &verdict->err);
    for (size_t i = 0; i < words; i++) {
        verdict->filter_passes |= results[i] != 0;
    }
    verdict->undecided = rc != WEIR_OK && !verdict->filter_passes;
    verdict->filter_passes |= verdict->undecided;
}

static void ask_when(const struct weir_pipeline_model *model, const struct weir_record *record,
        struct weir_arena *arena, struct verdict *verdict)
{
    struct weir_expr_value slots[WEIR_SLOTS_MAX] = { { 0 } };
    verdict->when_holds = model->when == NULL;
    if (model->when == NULL) {
        return;
    }
    if (record->new_image.n > 0) {
        slots[WEIR_SLOT_NEW] = weir_expr_item(record->new_image);
    }
    if (record->old_image.n > 0) {
        slots[WEIR_SLOT_OLD] = weir_expr_item(record->old_image);
    }
    slots[WEIR_SLOT_KEYS] = weir_expr_item(record->keys);
    slots[WEIR_SLOT_EVENT] = weir_expr_string(weir_str_z(weir_event_name(record->event)));
    struct weir_expr_frame frame = {
        .slots = slots,
        .slot_count = model->slot_count,
        .arena = arena,
        .now = record->created,
        .clock = weir_clock_system(),
    };
    verdict->when_fails =
            weir_expr_test(model->when, &frame, &verdict->when_holds, &verdict->err) != WEIR_OK;
}

/* "passes", or why not. */
static const char *outcome(const struct verdict *verdict)
{
    if (!verdict->filter_passes) {
        return "filtered";
    }
    if (verdict->when_fails) {
        return "failed";
    }
    return verdict->when_holds ? "passes" : "filtered";
}

static bool passes(const struct verdict *verdict)
{
    return verdict->filter_passes && !verdict->when_fails && verdict->when_holds;
}

/* --- lines for people ----------------------------------------------------- */

static void write_filter(struct weir_buf *out, const struct weir_pipeline_model *model,
        const struct weir_record *record, struct weir_pattern_scratch *scratch)
{
    size_t count = model->filter != NULL ? weir_pattern_set_count(model->filter) : 0;
    if (model->filter == NULL) {
        weir_buf_z(out, "filter: none, every record passes\n");
    }
    for (size_t i = 0; i < count; i++) {
        if (count > 1) {
            weir_buf_printf(out, "filter, pattern %zu of %zu: ", i + 1, count);
        } else {
            weir_buf_z(out, "filter: ");
        }
        weir_pattern_explain(model->filter, i, scratch, record, WEIR_PATTERN_TEXT, out);
    }
}

/* A text on one line. */
static void write_line(struct weir_buf *out, struct weir_str text)
{
    bool gap = false;
    for (size_t i = 0; i < text.n; i++) {
        bool space = text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\t';
        if (!space) {
            weir_buf_z(out, gap ? " " : "");
            weir_buf_byte(out, text.p[i]);
        }
        gap = space;
    }
}

static void write_when(struct weir_buf *out, const struct weir_pipeline_model *model,
        const struct verdict *verdict)
{
    if (model->when == NULL) {
        return;
    }
    if (verdict->when_fails) {
        weir_buf_printf(out, "when: error: %s\n", verdict->err.msg);
    } else {
        weir_buf_printf(out, "when: %s\n", verdict->when_holds ? "true" : "false");
    }
    weir_buf_z(out, "  ");
    write_line(out, weir_expr_source(model->when));
    weir_buf_byte(out, '\n');
}

static void write_outcome(struct weir_buf *out, const struct weir_pipeline_model *model,
        const struct verdict *verdict)
{
    weir_buf_z(out, "outcome: ");
    if (!verdict->filter_passes) {
        weir_buf_z(out, "left out, the filter does not match\n");
    } else if (verdict->when_fails) {
        weir_buf_z(out, "fails, and is reported: `when` has no value\n");
    } else if (!verdict->when_holds) {
        weir_buf_z(out, "left out, `when` is false\n");
    } else {
        weir_buf_z(out, "passes");
        for (size_t i = 0; i < model->step_count; i++) {
            weir_buf_printf(
                    out, "%s%.*s", i > 0 ? ", " : ", through ", WEIR_STR_ARG(model->steps[i]->id));
        }
        weir_buf_byte(out, '\n');
    }
}

static void write_text(struct weir_buf *out, const struct weir_pipeline_model *model,
        const struct weir_record *record, struct weir_pattern_scratch *scratch,
        const struct verdict *verdict)
{
    struct weir_str table = record->source->table;
    weir_buf_printf(out, "%.*s, table %.*s: %s of ", WEIR_STR_ARG(model->name),
            WEIR_STR_ARG(weir_pipeline_model_source(model)), weir_event_name(record->event));
    weir_ddbjson_write_plain_item(out, record->keys);
    weir_buf_byte(out, '\n');
    if (table.n > 0 && !weir_pipeline_model_reads(model, table)) {
        weir_buf_printf(out, "note: the record is of table %.*s\n", WEIR_STR_ARG(table));
    }
    write_filter(out, model, record, scratch);
    if (verdict->undecided) {
        weir_buf_z(out, "  a filter that cannot be decided lets the record pass\n");
    }
    write_when(out, model, verdict);
    write_outcome(out, model, verdict);
}

/* --- JSON ------------------------------------------------------------------ */

static void write_json(struct weir_buf *out, const struct weir_pipeline_model *model,
        const struct weir_record *record, struct weir_pattern_scratch *scratch,
        const struct verdict *verdict)
{
    size_t count = model->filter != NULL ? weir_pattern_set_count(model->filter) : 0;
    weir_buf_z(out, "{\"pipeline\":");
    weir_json_write_string(out, model->name);
    weir_buf_z(out, ",\"table\":");
    weir_json_write_string(out, weir_pipeline_model_source(model));
    weir_buf_printf(out, ",\"event\":\"%s\",\"keys\":", weir_event_name(record->event));
    weir_ddbjson_write_plain_item(out, record->keys);
    if (model->filter != NULL) {
        weir_buf_printf(out, ",\"filter\":{\"passes\":%s,\"undecided\":%s,\"patterns\":[",
                verdict->filter_passes ? "true" : "false", verdict->undecided ? "true" : "false");
        for (size_t i = 0; i < count; i++) {
            weir_buf_z(out, i > 0 ? "," : "");
            weir_pattern_explain(model->filter, i, scratch, record, WEIR_PATTERN_JSON, out);
        }
        weir_buf_z(out, "]}");
    }
    if (model->when != NULL) {
        weir_buf_z(out, ",\"when\":{\"expression\":");
        weir_json_write_string(out, weir_expr_source(model->when));
        if (verdict->when_fails) {
            weir_buf_z(out, ",\"error\":");
            weir_json_write_string(out, weir_str_z(verdict->err.msg));
        } else {
            weir_buf_printf(out, ",\"value\":%s", verdict->when_holds ? "true" : "false");
        }
        weir_buf_byte(out, '}');
    }
    weir_buf_printf(out, ",\"outcome\":\"%s\"}\n", outcome(verdict));
}

/* --- the command ------------------------------------------------------------- */

static enum weir_cli_exit explain(const struct weir_cli_call *call,
        const struct weir_pipeline_model *model, const struct weir_record *record,
        struct weir_arena *arena)
{
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    struct verdict verdict = { 0 };
    struct weir_buf out;
    ask_filter(model, record, scratch, &verdict);
    ask_when(model, record, arena, &verdict);
    weir_buf_init(&out, WEIR_CLI_OUT_MAX_BYTES);
    if (call->json) {
        write_json(&out, model, record, scratch, &verdict);
    } else {
        write_text(&out, model, record, scratch, &verdict);
    }
    struct weir_err err = { 0 };
    if (weir_buf_check(&out, "the explanation", &err) != WEIR_OK) {
        weir_buf_fini(&out);
        weir_cli_fail("%s", err.msg);
        return WEIR_CLI_USAGE;
    }
    weir_cli_print(&out);
    return passes(&verdict) ? WEIR_CLI_DONE : WEIR_CLI_FAILED;
}

static const struct weir_pipeline_model *find_pipeline(
        const struct weir_config *config, const char *name, struct weir_arena *arena)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = config->pipelines[i];
        if (weir_str_eq(model->name, weir_str_z(name))) {
            return model;
        }
        if (count < NAMES_MAX) {
            names[count++] = weir_arena_str(arena, model->name).p;
        }
    }
    const char *nearest = weir_str_nearest(weir_str_z(name), names, count);
    if (nearest != NULL) {
        weir_cli_fail("there is no pipeline '%s'; did you mean '%s'?", name, nearest);
    } else {
        weir_cli_fail("there is no pipeline '%s'", name);
    }
    return NULL;
}

/* NULL: what is wrong has been said. */
static struct weir_config *load(const struct weir_cli_call *call)
{
    const char *path = weir_cli_config_path(call->config);
    struct weir_diagnostics diagnostics;
    struct weir_config *config = NULL;
    struct weir_err err = { 0 };
    if (path == NULL) {
        weir_cli_fail("there is no weir.yaml here; name a file with -c FILE");
        return NULL;
    }
    weir_diagnostics_init(&diagnostics, path);
    if (weir_config_load(path, weir_step_kinds_all(), &diagnostics, &config, &err) != WEIR_OK) {
        if (diagnostics.errors > 0) {
            weir_cli_fail("%s has errors; `weir check` lists them", path);
        } else {
            weir_cli_fail("%s", err.msg);
        }
    }
    weir_diagnostics_fini(&diagnostics);
    return config;
}

static enum weir_cli_exit explain_in(const struct weir_cli_call *call,
        const struct weir_config *config, struct weir_arena *arena)
{
    struct weir_str text = { 0 };
    struct weir_record record = { 0 };
    struct weir_err err = { 0 };
    const struct weir_pipeline_model *model = find_pipeline(config, call->arguments[0], arena);
    if (model == NULL ||
            weir_cli_read_text("the record", call->arguments[1], arena, &text) != WEIR_CLI_DONE) {
        return WEIR_CLI_USAGE;
    }
    if (model->queue.n > 0) {
        weir_cli_fail("pipeline '%.*s' reads a queue: it gets no records of tables",
                WEIR_STR_ARG(model->name));
        return WEIR_CLI_USAGE;
    }
    if (weir_cli_read_record(text, arena, &record, &err) == WEIR_OK) {
        return explain(call, model, &record, arena);
    }
    if (err.pos > 0) {
        weir_cli_fail("the record: %s (at byte %zu)", err.msg, err.pos);
    } else {
        weir_cli_fail("the record: %s", err.msg);
    }
    return WEIR_CLI_USAGE;
}

static enum weir_cli_exit run(const struct weir_cli_call *call)
{
    WEIR_AUTO(weir_config) struct weir_config *config = load(call);
    struct weir_arena arena;
    if (config == NULL) {
        return WEIR_CLI_USAGE;
    }
    weir_arena_init(&arena);
    enum weir_cli_exit code = explain_in(call, config, &arena);
    weir_arena_fini(&arena);
    return code;
}

const struct weir_cli_command weir_cli_explain = {
    .name = "explain",
    .arguments = "PIPELINE RECORD",
    .help = "Say whether a pipeline would process a record, and why",
    .details = "RECORD is a change record as Lambda gets it, in JSON: what `weir tail --json` "
               "prints.\n"
               "@FILE is a file with it, - standard input. Shows which part of the filter matched, "
               "which\n"
               "did not and the values compared, and what `when` gave. Ends with 0 when the record "
               "passes,\n"
               "with 1 when it does not; errors end with 2.\n",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
