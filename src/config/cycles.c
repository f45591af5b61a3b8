/*
 * Pipelines that write in a circle: what one writes leads, through its target's stream and
 * other pipelines, back to the table that it reads. At run time a record that came through
 * too many pipelines is stopped; here the circle is pointed out before it turns.
 */
#include "config/config_int.h"

struct walk {
    const struct weir_config *config;
    bool *seen;                            /* pipelines on the way or done, by index */
    const struct weir_pipeline_model *end; /* whose sources close the circle */
};

/* Whether a pipeline writes to a table; the next such table after *at. */
static bool next_target(
        const struct weir_pipeline_model *model, size_t *at, struct weir_str *ret_table)
{
    while (*at < model->step_count) {
        const struct weir_step *step = model->steps[(*at)++];
        if (step->ops->target != NULL) {
            *ret_table = step->ops->target(step);
            return true;
        }
    }
    return false;
}

/* Whether records of a table can reach the end; each pipeline is looked at once. */
static bool reaches(struct walk *walk, struct weir_str table)
{
    if (weir_pipeline_model_reads(walk->end, table)) {
        return true;
    }
    for (size_t i = 0; i < walk->config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = walk->config->pipelines[i];
        if (walk->seen[i] || !weir_pipeline_model_reads(model, table)) {
            continue;
        }
        walk->seen[i] = true;
        struct weir_str target;
        for (size_t at = 0; next_target(model, &at, &target);) {
            if (reaches(walk, target)) {
                return true;
            }
        }
    }
    return false;
}

static void check_pipeline(const struct weir_config_reader *reader,
        const struct weir_pipeline_model *model, const struct weir_conf *at)
{
    const struct weir_config *config = reader->config;
    struct walk walk = { .config = config, .end = model };
    struct weir_str target;
    for (size_t i = 0; next_target(model, &i, &target);) {
        walk.seen = weir_arena_zero(&reader->config->arena, config->pipeline_count, sizeof(bool));
        if (reaches(&walk, target)) {
            weir_conf_warn(reader->diagnostics, at,
                    "pipeline '%.*s' reads table '%.*s' and writes to '%.*s', which leads back to "
                    "it: unless the filters stop it, a record goes round %d times and then fails",
                    WEIR_STR_ARG(model->name), WEIR_STR_ARG(weir_pipeline_model_source(model)),
                    WEIR_STR_ARG(target), WEIR_PIPELINE_HOPS_MAX);
            return;
        }
    }
}

void weir_config_check_cycles(
        const struct weir_config_reader *reader, const struct weir_conf *pipelines)
{
    for (size_t i = 0; i < reader->config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = reader->config->pipelines[i];
        for (size_t k = 0; k < pipelines->count; k++) {
            if (weir_str_eq(pipelines->names[k].text, model->name)) {
                check_pipeline(reader, model, &pipelines->names[k]);
                break;
            }
        }
    }
}
