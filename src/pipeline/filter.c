/*
 * Filters of the pipelines that read one table, as one pattern set: a record is matched once
 * for all of them. Pipelines that are woken by the same commit read the same records a moment
 * apart, so what a record gave is kept for a while by its position. A queue's messages have one
 * pipeline, and are matched as the event that a function would get.
 */
#include <string.h>

#include "base/logline.h"
#include "base/mem.h"
#include "pipeline/pipeline_int.h"

enum {
    KEPT = 1024,
    WORDS_MAX = 1, /* of one pipeline's results: it has 64 patterns at most */
};

struct weir_filter_group {
    struct weir_filter_group *next;
    struct weir_str table; /* of a member's model */
    struct source *members;
    size_t member_count;
    struct weir_pattern_set *set; /* NULL: to be built */
    struct weir_pattern_scratch *scratch;
    size_t words;
    uint64_t *kept;      /* KEPT results of `words` words, by position */
    struct weir_pos *at; /* whose they are */
};

static struct weir_filter_group *group_of(struct weir_pipelines *pipelines, struct weir_str table)
{
    struct weir_filter_group *group = pipelines->groups;
    while (group != NULL && !weir_str_eq(group->table, table)) {
        group = group->next;
    }
    if (group == NULL) {
        group = weir_alloc_zero(1, sizeof(*group));
        group->table = table;
        group->scratch = weir_pattern_scratch_create();
        group->next = pipelines->groups;
        pipelines->groups = group;
    }
    return group;
}

static void drop_set(struct weir_filter_group *group)
{
    weir_pattern_set_destroy(WEIR_TAKE(group->set));
    weir_free(WEIR_TAKE(group->kept));
    weir_free(WEIR_TAKE(group->at));
}

void weir_filter_join(struct source *source)
{
    struct pipeline *pipeline = source->pipeline;
    if (pipeline->model->filter == NULL || source->of_queue) {
        return; /* messages are matched one by one, as text */
    }
    struct weir_filter_group *group = group_of(pipeline->all, source->name);
    source->group = group;
    source->next_member = group->members;
    group->members = source;
    group->member_count++;
    drop_set(group);
}

static void destroy_group(struct weir_filter_group *group)
{
    drop_set(group);
    weir_pattern_scratch_destroy(group->scratch);
    weir_free(group);
}

void weir_filter_leave(struct source *source)
{
    struct weir_filter_group *group = WEIR_TAKE(source->group);
    if (group == NULL) {
        return;
    }
    struct source **at = &group->members;
    while (*at != source) {
        at = &(*at)->next_member;
    }
    *at = source->next_member;
    group->member_count--;
    drop_set(group);
    if (group->members != NULL) {
        group->table = group->members->name; /* the old one was perhaps the source's */
        return;
    }
    struct weir_filter_group **other = &source->pipeline->all->groups;
    while (*other != group) {
        other = &(*other)->next;
    }
    *other = group->next;
    destroy_group(group);
}

void weir_filter_destroy_all(struct weir_pipelines *pipelines)
{
    while (pipelines->groups != NULL) {
        struct weir_filter_group *group = pipelines->groups;
        pipelines->groups = group->next;
        destroy_group(group);
    }
}

/* All members' patterns in one set; each member knows which are its own. */
static void build(struct weir_filter_group *group)
{
    group->set = weir_pattern_set_create();
    for (struct source *s = group->members; s != NULL; s = s->next_member) {
        const struct weir_pipeline_model *model = s->pipeline->model;
        s->first_pattern = weir_pattern_set_count(group->set);
        s->pattern_count = weir_pattern_set_count(model->filter);
        for (size_t i = 0; i < s->pattern_count; i++) {
            size_t index = 0;
            /* It was compiled when the model was checked. */
            weir_assert(weir_pattern_set_add(group->set, weir_pattern_set_text(model->filter, i),
                                model->filter_mode, &index, NULL) == WEIR_OK);
        }
    }
    weir_pattern_set_freeze(group->set);
    group->words = weir_pattern_set_words(group->set);
    group->kept = weir_alloc_zero(KEPT * group->words, sizeof(*group->kept));
    group->at = weir_alloc_zero(KEPT, sizeof(*group->at));
}

static const uint64_t *results_of(struct source *source, const struct weir_record *record,
        enum weir_rc *ret_rc, struct weir_err *err)
{
    struct weir_filter_group *group = source->group;
    if (group->set == NULL) {
        build(group);
    }
    size_t slot = (record->pos.seq >> 3) % KEPT; /* neighbours are at least a word apart */
    uint64_t *results = group->kept + slot * group->words;
    *ret_rc = WEIR_OK;
    if (group->member_count == 1 || group->at[slot].seq != record->pos.seq) {
        *ret_rc = weir_pattern_match_record(group->set, group->scratch, record, results, err);
        group->at[slot] = *ret_rc == WEIR_OK ? record->pos : (struct weir_pos){ 0 };
    }
    return results;
}

/* Too many combinations to decide: rather too much than a loss. */
static bool undecided(const struct weir_pipeline_model *model, const struct weir_err *why)
{
    weir_logline(WEIR_LOG_WARN, "pipeline.filter_undecided", "pipeline", model->name.p, "reason",
            why->msg, NULL);
    return true;
}

bool weir_filter_passes(struct source *source, const struct weir_record *record)
{
    const struct pipeline *pipeline = source->pipeline;
    if (pipeline->model->filter == NULL) {
        return true;
    }
    enum weir_rc rc = WEIR_OK;
    struct weir_err err = { 0 };
    const uint64_t *results = results_of(source, record, &rc, &err);
    for (size_t i = 0; i < source->pattern_count; i++) {
        if (weir_pattern_matched(results, source->first_pattern + i)) {
            return true;
        }
    }
    return rc != WEIR_OK && undecided(pipeline->model, &err);
}

bool weir_filter_passes_message(const struct weir_pipeline_model *model,
        struct weir_pattern_scratch *scratch, struct weir_str event)
{
    uint64_t results[WORDS_MAX];
    struct weir_err err = { 0 };
    weir_assert(weir_pattern_set_words(model->filter) <= WORDS_MAX);
    enum weir_rc rc = weir_pattern_match_json(model->filter, scratch, event, results, &err);
    for (size_t i = 0; i < weir_pattern_set_count(model->filter); i++) {
        if (weir_pattern_matched(results, i)) {
            return true;
        }
    }
    return rc != WEIR_OK && undecided(model, &err);
}
