/*
 * How many letters of a pipeline are there, and since when. A queue knows what it holds; a table
 * is counted again when it has changed, as far as is affordable.
 */
#include <stdatomic.h>

#include "pipeline/pipeline_int.h"

enum {
    COUNT_MAX = 10 * 1000, /* letters that are counted; more stay at this number */
    COUNT_MAX_BYTES = 8 * 1024 * 1024,
    SECOND_MS = 1000,
};

static void letters_changed(struct weir_watch *watch)
{
    struct letter_count *count = WEIR_CONTAINER(watch, struct letter_count, watch);
    atomic_store(&count->changed, true);
}

static void unwatch(struct pipeline *pipeline)
{
    struct letter_count *count = &pipeline->letter_count;
    if (count->watching) {
        weir_store_unwatch(pipeline->all->store, &count->watch);
        count->watching = false;
    }
}

void weir_letter_gauges_fini(struct pipeline *pipeline)
{
    unwatch(pipeline);
}

/* Watch the keyspace of the letters' table, which may be another one than before. */
static void follow(struct pipeline *pipeline, const struct weir_table *table)
{
    struct letter_count *count = &pipeline->letter_count;
    if (count->watching && count->watch.space == table->space) {
        return;
    }
    unwatch(pipeline);
    count->watch.space = table->space;
    count->watch.wake = letters_changed;
    weir_store_watch(pipeline->all->store, &count->watch);
    count->watching = true;
    atomic_store(&count->changed, true);
}

static bool count_item(void *arg, struct weir_item item)
{
    struct letter_count *count = arg;
    struct weir_letter letter;
    struct weir_time time;
    weir_letter_of_item(item, &letter);
    count->letters++;
    if (weir_time_parse(letter.timestamp, &time) &&
            (count->oldest.ms == 0 || time.ms < count->oldest.ms)) {
        count->oldest = time;
    }
    return true;
}

static enum weir_rc count_items(struct pipeline *pipeline, const struct weir_table *table)
{
    struct letter_count *count = &pipeline->letter_count;
    struct weir_arena arena;
    struct weir_query_result result;
    struct weir_item item = { 0 };
    weir_arena_init(&arena);
    struct weir_item_builder *builder = weir_item_begin(&arena);
    weir_item_name(builder, WEIR_STR("pipeline"));
    weir_item_s(builder, pipeline->model->name);
    enum weir_rc rc = weir_item_finish(builder, &item, NULL);
    struct weir_ddb_key_range range = {
        .partition = { weir_item_get(item, WEIR_STR("pipeline")) },
        .partition_count = 1,
    };
    struct weir_query query = {
        .table = table,
        .range = &range,
        .limit = COUNT_MAX,
        .max_bytes = COUNT_MAX_BYTES,
    };
    count->letters = 0;
    count->oldest = (struct weir_time){ 0 };
    if (rc == WEIR_OK) {
        rc = weir_table_query(
                pipeline->all->tables, &query, &arena, count_item, count, &result, NULL);
    }
    weir_arena_fini(&arena);
    return rc;
}

static void refresh_table(struct pipeline *pipeline)
{
    struct letter_count *count = &pipeline->letter_count;
    const struct weir_table *table = NULL;
    struct weir_str name = pipeline->model->dead_letters;
    if (weir_tables_get(pipeline->all->tables, name, &table, NULL) != WEIR_OK) {
        unwatch(pipeline);
        count->letters = 0;
        count->oldest = (struct weir_time){ 0 };
    } else if (weir_dead_letter_fits(table)) {
        follow(pipeline, table);
        if (atomic_exchange(&count->changed, false) && count_items(pipeline, table) != WEIR_OK) {
            atomic_store(&count->changed, true); /* the disk: the next one tries again */
        }
    }
    weir_table_unref(table);
    int64_t now = weir_clock_wall(weir_loop_clock(pipeline->all->loop)).ms;
    bool aged = count->oldest.ms != 0 && now > count->oldest.ms;
    weir_gauge_set(pipeline->letters, (int64_t)count->letters);
    weir_gauge_set(pipeline->oldest_letter, aged ? (now - count->oldest.ms) / SECOND_MS : 0);
}

static void refresh_queue(struct pipeline *pipeline)
{
    const struct weir_queue *queue = NULL;
    struct weir_queue_numbers numbers = { 0 };
    struct weir_str name = pipeline->model->dead_letters;
    if (weir_queues_get(pipeline->all->queues, name, &queue, NULL) == WEIR_OK) {
        if (weir_queues_numbers(pipeline->all->queues, queue, &numbers, NULL) != WEIR_OK) {
            numbers = (struct weir_queue_numbers){ 0 };
        }
        weir_queue_unref(queue);
    }
    uint64_t letters = numbers.visible + numbers.hidden + numbers.delayed;
    weir_gauge_set(pipeline->letters, (int64_t)letters);
    weir_gauge_set(pipeline->oldest_letter, (int64_t)(numbers.oldest_ms / SECOND_MS));
}

void weir_letter_gauges_refresh(struct pipeline *pipeline)
{
    if (pipeline->model->dead_letters_in == WEIR_LETTERS_TABLE) {
        refresh_table(pipeline);
    } else if (pipeline->model->dead_letters_in == WEIR_LETTERS_QUEUE) {
        refresh_queue(pipeline);
    }
}
