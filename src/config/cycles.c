/*
 * Pipelines that write in a circle: what one puts into tables and queues leads, through streams and
 * other pipelines, back to what it reads. At run time a record that came through too many
 * pipelines is stopped; here the circle is pointed out before it turns.
 */
#include "config/config_int.h"

/* A table or queue that pipelines put something into. */
struct place {
    bool is_queue;
    struct weir_str name;
    const char *how; /* it comes there */
};

struct walk {
    const struct weir_config *config;
    bool *seen;                            /* pipelines on the way or done, by index */
    const struct weir_pipeline_model *end; /* whose sources close the circle */
};

static bool reads(const struct weir_pipeline_model *model, const struct place *place)
{
    return place->is_queue ? weir_str_eq(model->queue, place->name)
                           : weir_pipeline_model_reads(model, place->name);
}

/* Where a step puts something. False: nowhere in this weir. */
static bool place_of_step(const struct weir_step *step, struct place *ret_place)
{
    if (step->ops->target != NULL) {
        *ret_place = (struct place){ false, step->ops->target(step), "writes to" };
        return true;
    }
    if (step->ops->sends_to != NULL && step->ops->sends_to(step).n > 0) {
        *ret_place = (struct place){ true, step->ops->sends_to(step), "sends to" };
        return true;
    }
    return false;
}

/* Where what fails goes. False: nowhere in this weir. */
static bool place_of_failures(const struct weir_config *config,
        const struct weir_pipeline_model *model, struct place *ret_place)
{
    *ret_place = (struct place){ .how = "leaves what fails in" };
    if (model->dead_letters_in == WEIR_LETTERS_TABLE ||
            model->dead_letters_in == WEIR_LETTERS_QUEUE) {
        ret_place->is_queue = model->dead_letters_in == WEIR_LETTERS_QUEUE;
        ret_place->name = model->dead_letters;
    }
    for (size_t i = 0; i < config->queue_count; i++) {
        if (model->queue.n > 0 && weir_str_eq(config->queues[i].name, model->queue)) {
            ret_place->is_queue = true;
            ret_place->name = config->queues[i].dead_letters;
        }
    }
    return ret_place->name.n > 0;
}

/* The next place that a pipeline puts something into, from the at-th on. */
static bool next_place(const struct weir_config *config, const struct weir_pipeline_model *model,
        size_t *at, struct place *ret_place)
{
    while (*at < model->step_count) {
        if (place_of_step(model->steps[(*at)++], ret_place)) {
            return true;
        }
    }
    return (*at)++ == model->step_count && place_of_failures(config, model, ret_place);
}

/* Whether what is in a place can reach the end; each pipeline is looked at once. */
static bool reaches(struct walk *walk, const struct place *from)
{
    if (reads(walk->end, from)) {
        return true;
    }
    for (size_t i = 0; i < walk->config->pipeline_count; i++) {
        const struct weir_pipeline_model *model = walk->config->pipelines[i];
        if (walk->seen[i] || !reads(model, from)) {
            continue;
        }
        walk->seen[i] = true;
        struct place place;
        for (size_t at = 0; next_place(walk->config, model, &at, &place);) {
            if (reaches(walk, &place)) {
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
    struct place place;
    for (size_t i = 0; next_place(config, model, &i, &place);) {
        walk.seen = weir_arena_zero(&reader->config->arena, config->pipeline_count, sizeof(bool));
        if (reaches(&walk, &place)) {
            weir_conf_warn(reader->diagnostics, at,
                    "pipeline '%.*s' reads %s '%.*s' and %s '%.*s', which leads back to it: unless "
                    "the filters stop it, a record goes round %d times and then fails",
                    WEIR_STR_ARG(model->name), model->queue.n > 0 ? "queue" : "table",
                    WEIR_STR_ARG(weir_pipeline_model_source(model)), place.how,
                    WEIR_STR_ARG(place.name), WEIR_PIPELINE_HOPS_MAX);
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
