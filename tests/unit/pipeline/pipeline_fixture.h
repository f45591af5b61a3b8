/* What the tests of pipelines share: tables in memory, a loop, and pipelines from short texts. */
#ifndef WEIR_TESTS_UNIT_PIPELINE_FIXTURE_H
#define WEIR_TESTS_UNIT_PIPELINE_FIXTURE_H

#include <stdlib.h>

#include "../net/watched_loop.h"
#include "../table/table_fixture.h"
#include "pipeline/pipeline.h"
#include "simulated_disk.h"
#include "state/state.h"
#include "step/registry.h"

enum { KNOWN_MAX = 256 };

struct bench {
    struct fixture *f;
    struct weir_fs *fs;
    struct weir_simulated_disk *disk; /* behind fs, to let it fail; NULL: fs is in memory */
    struct weir_loop *loop;
    struct weir_pipelines *pipelines;
    const struct weir_step_kinds *kinds;       /* NULL: weir's */
    bool stepped;                              /* on virtual time, on one thread */
    const struct weir_table *known[KNOWN_MAX]; /* references that models were checked with */
    size_t known_count;
    struct weir_queues *queues;
    struct weir_loop_timer queues_timer;
    struct weir_post queues_post;
    _Atomic bool queues_woken;
    const struct weir_queue *known_queues[KNOWN_MAX];
    size_t known_queue_count;
    /* Waiting for something while the loop runs. */
    bool (*until)(struct bench *b);
    uint64_t turns; /* that are left */
    struct weir_post look;
    bool stopped;
};

/* --- the loop ------------------------------------------------------------------------ */

static inline void look(struct weir_post *post)
{
    struct bench *b = WEIR_CONTAINER(post, struct bench, look);
    if (b->until != NULL ? b->until(b) : b->turns-- == 0) {
        weir_loop_stop(b->loop);
    } else {
        weir_loop_defer(b->loop, &b->look);
    }
}

static inline void status_text(struct bench *b, struct weir_buf *buf)
{
    weir_buf_init(buf, 1 << 20);
    weir_pipelines_status(b->pipelines, buf);
    weir_buf_byte(buf, '\0');
}

/* The status, in the arena. */
static inline const char *status_of(struct bench *b)
{
    struct weir_buf buf;
    status_text(b, &buf);
    const char *text = weir_arena_str(&arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

static inline void tell_status(void *arg)
{
    fprintf(stderr, "%s\n", status_of(arg));
}

static inline void run_loop(struct bench *b)
{
    b->look.run = look;
    weir_loop_defer(b->loop, &b->look);
    run_watched(b->loop, "what the pipelines shall come to", tell_status, b);
}

static inline bool step_store(void *arg)
{
    struct bench *b = arg;
    return weir_store_step(b->f->store);
}

/* On virtual time: everything that can happen now. */
static inline void settle(struct bench *b)
{
    struct weir_err err;
    must(weir_loop_run_until_idle(b->loop, &err), &err);
}

/* On virtual time: let so much of it pass. */
static inline void pass(struct bench *b, uint64_t ms)
{
    struct weir_err err;
    must(weir_loop_advance(b->loop, ms, &err), &err);
}

static inline void run_until(struct bench *b, bool (*until)(struct bench *b))
{
    if (b->stepped) {
        settle(b);
        assert_true(until(b)); /* nothing more happens before time passes */
        return;
    }
    b->until = until;
    run_loop(b);
    b->until = NULL;
}

static inline void run_turns(struct bench *b, uint64_t turns)
{
    if (b->stepped) {
        settle(b);
        return;
    }
    b->turns = turns;
    run_loop(b);
}

/* Whether the status of some pipeline has a text in it. */
static inline bool status_has(struct bench *b, const char *text)
{
    struct weir_buf buf;
    status_text(b, &buf);
    bool has = strstr(buf.p, text) != NULL;
    weir_buf_fini(&buf);
    return has;
}

/* The sum of a number over all pipelines. */
static inline uint64_t status_sum(struct bench *b, const char *name)
{
    struct weir_buf buf;
    status_text(b, &buf);
    uint64_t sum = 0;
    const char *quoted = weir_arena_printf(&arena, "\"%s\":", name).p;
    for (const char *at = strstr(buf.p, quoted); at != NULL; at = strstr(at + 1, quoted)) {
        sum += strtoull(at + strlen(quoted), NULL, 10);
    }
    weir_buf_fini(&buf);
    return sum;
}

static inline bool all_is_done(struct bench *b)
{
    return !status_has(b, "\"at_end\":false");
}

static inline bool something_blocks(struct bench *b)
{
    return status_has(b, "\"state\":\"blocked\"");
}

/* --- pipelines ------------------------------------------------------------------------- */

static inline const struct weir_table *find_table(void *arg, struct weir_str name)
{
    struct bench *b = arg;
    const struct weir_table *table = NULL;
    if (weir_tables_get(b->f->tables, name, &table, NULL) == WEIR_OK) {
        weir_assert(b->known_count < KNOWN_MAX);
        b->known[b->known_count++] = table;
    }
    return table;
}

static inline const struct weir_queue *find_queue(void *arg, struct weir_str name)
{
    struct bench *b = arg;
    const struct weir_queue *queue = NULL;
    if (weir_queues_get(b->queues, name, &queue, NULL) == WEIR_OK) {
        weir_assert(b->known_queue_count < KNOWN_MAX);
        b->known_queues[b->known_queue_count++] = queue;
    }
    return queue;
}

static inline void add_pipeline(struct bench *b, const char *name, const char *yaml)
{
    struct weir_diagnostics diagnostics;
    struct weir_err err = { 0 };
    const struct weir_conf *root = NULL;
    weir_diagnostics_init(&diagnostics, name);
    must(weir_conf_parse(&arena, weir_str_z(yaml), &diagnostics, &root, &err), &err);
    struct weir_conf name_node = { .kind = WEIR_CONF_SCALAR, .text = weir_str_z(name) };
    struct weir_scope scope = {
        .diagnostics = &diagnostics,
        .find_table = find_table,
        .find_queue = find_queue,
        .arg = b,
    };
    const struct weir_step_kinds *kinds = b->kinds != NULL ? b->kinds : weir_step_kinds_all();
    struct weir_pipeline_model *model = weir_pipeline_model_create(&name_node, root, kinds, &scope);
    if (diagnostics.errors > 0) {
        fail_msg("%s: %s", name, diagnostics.all[0].text);
    }
    weir_diagnostics_fini(&diagnostics);
    must(weir_pipelines_add(b->pipelines, model, &err), &err);
}

static inline void changed(void *arg)
{
    struct bench *b = arg;
    weir_pipelines_catalogue_changed(b->pipelines);
}

/* --- queues on the loop --- */

static inline void run_queues(struct bench *b)
{
    struct weir_err err;
    if (b->queues != NULL) {
        must(weir_queues_run(b->queues, &err), &err);
    }
}

static inline void queues_due(struct weir_loop_timer *timer)
{
    run_queues(WEIR_CONTAINER(timer, struct bench, queues_timer));
}

static inline void queues_posted(struct weir_post *post)
{
    struct bench *b = WEIR_CONTAINER(post, struct bench, queues_post);
    atomic_store(&b->queues_woken, false);
    run_queues(b);
}

static inline void queues_changed(void *arg)
{
    struct bench *b = arg;
    if (!atomic_exchange(&b->queues_woken, true)) {
        weir_loop_post(b->loop, &b->queues_post);
    }
}

static inline void queues_wake_at(void *arg, uint64_t after_ms, bool never)
{
    struct bench *b = arg;
    if (never) {
        weir_loop_timer_stop(&b->queues_timer);
    } else {
        weir_loop_timer_start(&b->queues_timer, after_ms);
    }
}

static inline void open_queues(struct bench *b)
{
    struct weir_err err;
    b->queues_post.run = queues_posted;
    atomic_store(&b->queues_woken, false);
    weir_loop_timer_init(&b->queues_timer, b->loop, queues_due);
    struct weir_queues_options options = {
        .store = b->f->store,
        .host = { queues_wake_at, queues_changed, b },
        .metrics = b->f->metrics,
    };
    must(weir_queues_open(&options, &b->queues, &err), &err);
}

static inline void make_queue(struct bench *b, struct weir_queue definition)
{
    struct weir_err err;
    must(weir_queues_ensure(b->queues, &definition, &err), &err);
}

/* The bodies of a queue's messages, in order, each with a line end. */
static inline bool add_body(void *arg, const struct weir_message *message, bool hidden)
{
    struct weir_buf *buf = arg;
    (void)hidden;
    weir_buf_str(buf, message->body);
    weir_buf_byte(buf, '\n');
    return true;
}

static inline const char *bodies(struct bench *b, const char *name)
{
    struct weir_err err;
    struct weir_buf buf;
    const struct weir_queue *queue = NULL;
    weir_buf_init(&buf, 16 << 20);
    must(weir_queues_get(b->queues, weir_str_z(name), &queue, &err), &err);
    must(weir_queues_browse(b->queues, queue, 0, add_body, &buf, &err), &err);
    weir_queue_unref(queue);
    const char *text = weir_arena_str(&arena, weir_buf_view(&buf)).p;
    weir_buf_fini(&buf);
    return text;
}

static inline void start_pipelines(struct bench *b)
{
    struct weir_err err;
    if (b->stepped) {
        b->loop = weir_loop_create_virtual(&b->f->clock);
        weir_loop_on_idle(b->loop, step_store, b);
    } else {
        must(weir_loop_create(&b->f->clock.base, &b->loop, &err), &err);
    }
    open_queues(b);
    struct weir_pipelines_options options = {
        .loop = b->loop,
        .tables = b->f->tables,
        .queues = b->queues,
        .metrics = b->f->metrics,
    };
    b->pipelines = weir_pipelines_create(&options);
    weir_tables_on_change(b->f->tables, changed, b);
    weir_queues_on_change(b->queues, changed, b);
}

static inline void note_stopped(void *arg)
{
    struct bench *b = arg;
    b->stopped = true;
}

static inline bool is_stopped(struct bench *b)
{
    return b->stopped;
}

/* Until everything that was submitted is done. */
static inline void wait_for_commits(struct bench *b, bool lane)
{
    struct weir_err err;
    WEIR_AUTO(weir_txn) struct weir_txn *txn = weir_txn_create();
    txn->lane = lane;
    must(weir_store_commit(b->f->store, txn, &err), &err);
}

/* Free everything of the loop, stopped or not yet begun. */
static inline void drop_pipelines(struct bench *b)
{
    weir_tables_on_change(b->f->tables, NULL, NULL);
    weir_queues_on_change(b->queues, NULL, NULL);
    while (b->known_queue_count > 0) {
        weir_queue_unref(b->known_queues[--b->known_queue_count]);
    }
    weir_queues_stop(b->queues);
    wait_for_commits(b, false);
    wait_for_commits(b, true);
    weir_pipelines_destroy(WEIR_TAKE(b->pipelines));
    struct weir_queues *queues = WEIR_TAKE(b->queues);
    weir_loop_timer_fini(&b->queues_timer);
    weir_loop_destroy(WEIR_TAKE(b->loop));
    weir_queues_close(queues);
    while (b->known_count > 0) {
        weir_table_unref(b->known[--b->known_count]);
    }
}

static inline void stop_pipelines(struct bench *b)
{
    b->stopped = false;
    weir_pipelines_stop(b->pipelines, note_stopped, b);
    assert_false(b->stopped);
    run_until(b, is_stopped);
    drop_pipelines(b);
}

/* Everything closed and opened again; the state is made from the log. */
static inline void restart(struct bench *b)
{
    stop_pipelines(b);
    close_all(b->f);
    open_all(b->f);
    weir_state_start(b->f->timers, b->f->store);
    start_pipelines(b);
}

/* On a disk that can fail, or (disk is NULL) in memory. */
static inline struct bench *bench_create(
        uint32_t segment_bytes, bool stepped, struct weir_simulated_disk *disk)
{
    struct bench *b = weir_alloc_zero(1, sizeof(*b));
    b->f = fixture_create();
    b->stepped = stepped;
    b->f->options.stepped = stepped;
    b->disk = disk;
    b->fs = disk != NULL ? weir_simulated_disk_fs(disk) : weir_fs_memory_create();
    b->f->options.fs = b->fs;
    b->f->options.dir = "data";
    b->f->options.discard_state = true;
    b->f->options.segment_bytes = segment_bytes;
    b->f->options.log_max_bytes = 1ull << 40;
    open_all(b->f);
    weir_state_start(b->f->timers, b->f->store);
    start_pipelines(b);
    return b;
}

static inline int set_up_bench(void **state)
{
    *state = bench_create(8 * 1024 * 1024, false, NULL);
    return 0;
}

/* On virtual time: settle and pass make things happen. */
static inline int set_up_stepped(void **state)
{
    *state = bench_create(8 * 1024 * 1024, true, NULL);
    return 0;
}

static inline int set_up_on_disk(void **state)
{
    *state = bench_create(8 * 1024 * 1024, true, weir_simulated_disk_create());
    return 0;
}

static inline int set_up_small(void **state)
{
    *state = bench_create(64 * 1024, false, NULL);
    return 0;
}

static inline int tear_down_bench(void **state)
{
    struct bench *b = *state;
    if (b->pipelines != NULL) {
        stop_pipelines(b);
    }
    fixture_destroy(b->f);
    weir_fs_destroy(b->fs);
    weir_free(b);
    return 0;
}

/* --- tables --------------------------------------------------------------------------------- */

static inline void make_table(struct bench *b, const char *name)
{
    struct weir_table table = definition(name, "id", NULL);
    assert_int_equal(create(b->f, &table), WEIR_OK);
}

/* {'id': ID, 'n': N} */
static inline void put_n(struct bench *b, const char *table, const char *id, int n)
{
    put(b->f, table, weir_arena_printf(&arena, "{'id':{'S':'%s'},'n':{'N':'%d'}}", id, n).p);
}

static inline const char *get_id(struct bench *b, const char *table, const char *id)
{
    return get(b->f, table, weir_arena_printf(&arena, "{'id':{'S':'%s'}}", id).p);
}

static inline bool count_one(void *arg, struct weir_item item)
{
    (void)item;
    (*(size_t *)arg)++;
    return true;
}

static inline size_t count_items(struct bench *b, const char *name)
{
    const struct weir_table *table = table_of(b->f, name);
    struct weir_query query = { .table = table, .max_bytes = SIZE_MAX };
    struct weir_query_result result;
    struct weir_err err;
    size_t count = 0;
    must(weir_table_query(b->f->tables, &query, &arena, count_one, &count, &result, &err), &err);
    weir_table_unref(table);
    return count;
}

/* Records of a table's stream from the beginning. */
static inline size_t count_records(struct bench *b, const char *name)
{
    size_t count = 0;
    follow(b->f, name);
    while (next_record(b->f)[0] != '\0') {
        count++;
    }
    return count;
}

#endif
