/*
 * Event source mappings whose change could not be committed: nothing has changed, now and after the
 * next start, whether the disk fails or the state cannot be written when the log has the change.
 */
#include "base/crash.h"
#include "engine_world.h"
#include "mapping/mapping.h"

static const char yaml[] = "tables:\n"
                           "  orders: { key: { id: S }, stream: new_and_old_images }\n"
                           "functions:\n"
                           "  work: { url: 'http://127.0.0.1:1/' }\n"
                           "log: { max_bytes: 1TiB }\n";

static const struct weir_mapping plain = {
    .function = { "work", 4 },
    .batch = 10,
    .factor = 1,
    .retries = UINT64_MAX,
    .enabled = true,
    .latest = true,
};

/* A change, and what came of it. */
struct change {
    struct weir_mapping_change change;
    bool done;
    char uuid[64];
};

static void change_done(struct weir_mapping_change *done, const struct weir_mapping_view *view)
{
    struct change *change = WEIR_CONTAINER(done, struct change, change);
    change->done = true;
    if (view != NULL) {
        snprintf(change->uuid, sizeof(change->uuid), "%.*s", WEIR_STR_ARG(view->mapping->uuid));
    }
}

static struct change begun(void)
{
    return (struct change){ .change.done = change_done };
}

/* Let a change come to its end. */
static enum weir_rc finish(struct engine_world *world, const struct change *change)
{
    for (int i = 0; i < 60 && !change->done; i++) {
        engine_world_advance(world, 1000);
    }
    assert_true(change->done);
    return change->change.rc;
}

static void begin_to_add(struct engine_world *world, struct change *change)
{
    const struct weir_table *table = engine_world_table(world, "orders");
    struct weir_mapping mapping = plain;
    struct weir_err err;
    mapping.source_arn = table->stream_arn;
    enum weir_rc rc = weir_mappings_add(world->engine->mappings, &mapping, &change->change, &err);
    weir_table_unref(table);
    if (rc != WEIR_OK) {
        fail_msg("%s", err.msg);
    }
}

static size_t count(struct engine_world *world)
{
    struct weir_mapping_view view;
    size_t n = 0;
    while (weir_mappings_at(world->engine->mappings, n, &view)) {
        n++;
    }
    return n;
}

/* The only mapping, which must be like this. */
static void expect(struct engine_world *world, uint64_t batch)
{
    struct weir_mapping_view view;
    assert_int_equal(count(world), 1);
    assert_true(weir_mappings_at(world->engine->mappings, 0, &view));
    assert_int_equal(view.state, WEIR_MAPPING_ENABLED);
    assert_int_equal(view.mapping->batch, batch);
    assert_int_equal(view.progress, WEIR_PROGRESS_NONE); /* its pipeline runs, or it were stuck */
}

static void restart(struct engine_world *world)
{
    engine_world_end(world);
    engine_world_must_start(world);
    engine_world_advance(world, 1000);
}

static struct engine_world *begin(const char *what)
{
    struct engine_world *world = weir_alloc_zero(1, sizeof(*world));
    engine_world_init(world, yaml, what, 1);
    engine_world_must_start(world);
    engine_world_advance(world, 1000);
    return world;
}

static void end(struct engine_world *world)
{
    engine_world_fini(world);
    weir_free(world);
}

static void a_refused_change_is_undone(void **state)
{
    (void)state;
    struct engine_world *world = begin("write");
    struct weir_err err;
    struct change add = begun();
    begin_to_add(world, &add);
    weir_simulated_disk_fail(world->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    assert_int_not_equal(finish(world, &add), WEIR_OK);
    assert_int_equal(count(world), 0);
    add = begun();
    begin_to_add(world, &add); /* the same source and function are free */
    assert_int_equal(finish(world, &add), WEIR_OK);
    expect(world, 10);

    struct weir_mapping_view view;
    assert_true(weir_mappings_at(world->engine->mappings, 0, &view));
    struct weir_mapping larger = *view.mapping;
    struct change update = begun();
    larger.batch = 20;
    assert_int_equal(
            weir_mappings_update(world->engine->mappings, &larger, &update.change, &err), WEIR_OK);
    weir_simulated_disk_fail(world->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    assert_int_not_equal(finish(world, &update), WEIR_OK);
    expect(world, 10);

    struct change removal = begun();
    assert_int_equal(weir_mappings_delete(
                             world->engine->mappings, weir_str_z(add.uuid), &removal.change, &err),
            WEIR_OK);
    weir_simulated_disk_fail(world->disk, WEIR_DISK_WRITE, 1, WEIR_E_IO);
    assert_int_not_equal(finish(world, &removal), WEIR_OK);
    expect(world, 10);
    restart(world);
    expect(world, 10);
    end(world);
}

#ifndef NDEBUG /* release builds have no fault points */
/* The log has the change, and the state cannot be written at first: the change is taken back. */
static void a_change_that_comes_true_late_is_taken_back(void **state)
{
    (void)state;
    struct engine_world *world = begin("state");
    struct weir_err err;
    struct change add = begun();
    begin_to_add(world, &add);
    weir_fault_at("state.write", 1, 3);
    assert_int_not_equal(finish(world, &add), WEIR_OK);
    assert_int_equal(count(world), 0);
    restart(world);
    assert_int_equal(count(world), 0);
    add = begun();
    begin_to_add(world, &add);
    assert_int_equal(finish(world, &add), WEIR_OK);
    struct weir_mapping_view view;
    assert_true(weir_mappings_at(world->engine->mappings, 0, &view));
    struct weir_mapping larger = *view.mapping;
    struct change update = begun();
    larger.batch = 20;
    assert_int_equal(
            weir_mappings_update(world->engine->mappings, &larger, &update.change, &err), WEIR_OK);
    weir_fault_at("state.write", 1, 3);
    assert_int_not_equal(finish(world, &update), WEIR_OK);
    weir_fault_at("state.write", 0, 0);
    expect(world, 10);
    restart(world);
    expect(world, 10);
    end(world);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_change_is_undone),
#ifndef NDEBUG
        cmocka_unit_test(a_change_that_comes_true_late_is_taken_back),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
