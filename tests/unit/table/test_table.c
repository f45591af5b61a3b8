/* Tables: definitions, conditional writes, records, indexes, time to live. */
#include "table_fixture.h"

/* --- definitions ------------------------------------------------------------------ */

static void tables_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", NULL);
    struct weir_err err;
    uint64_t version = weir_tables_version(f->tables);
    assert_int_equal(create(f, &orders), WEIR_OK);
    assert_true(weir_tables_version(f->tables) > version);
    assert_int_equal(create(f, &orders), WEIR_E_EXISTS);
    const struct weir_table *table = table_of(f, "orders");
    assert_true(table->space >= WEIR_SPACE_FIRST_FREE);
    assert_int_equal(table->created.ms, f->clock.wall_ms);
    assert_int_equal(table->table_id.n, 36);
    const struct weir_table *by_arn = NULL;
    must(weir_tables_get(f->tables, table->arn, &by_arn, &err), &err);
    assert_ptr_equal(by_arn, table);
    weir_table_unref(by_arn);
    must(weir_tables_get_stream(f->tables, table->stream_arn, &by_arn, &err), &err);
    assert_ptr_equal(by_arn, table);
    weir_table_unref(by_arn);
    assert_int_equal(
            weir_tables_get_stream(f->tables, table->arn, &by_arn, &err), WEIR_E_NOT_FOUND);
    by_arn = weir_tables_get_space(f->tables, table->space);
    assert_ptr_equal(by_arn, table);
    weir_table_unref(by_arn);
    put(f, "orders", "{'id':{'S':'1'}}");
    assert_int_equal(drop(f, "orders"), WEIR_OK);
    assert_int_equal(drop(f, "orders"), WEIR_E_NOT_FOUND);
    assert_int_equal(
            weir_tables_get(f->tables, WEIR_STR("orders"), &by_arn, &err), WEIR_E_NOT_FOUND);
    assert_null(weir_tables_get_space(f->tables, table->space));
    uint32_t space = table->space;
    weir_table_unref(table);
    assert_int_equal(create(f, &orders), WEIR_OK);
    table = table_of(f, "orders");
    assert_true(table->space > space); /* never the same again */
    weir_table_unref(table);
    assert_string_equal(get(f, "orders", "{'id':{'S':'1'}}"), "");
}

static void names_are_listed_in_order(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "mmm", "aaa", "zzz", "mm-1", "AAA" };
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        struct weir_table table = definition(names[i], "id", NULL);
        assert_int_equal(create(f, &table), WEIR_OK);
    }
    struct weir_str listed[5];
    assert_int_equal(weir_tables_list(f->tables, WEIR_STR(""), &arena, listed, 2), 2);
    assert_string_equal(listed[0].p, "AAA");
    assert_string_equal(listed[1].p, "aaa");
    assert_int_equal(weir_tables_list(f->tables, listed[1], &arena, listed, 5), 3);
    assert_string_equal(listed[0].p, "mm-1");
    assert_string_equal(listed[2].p, "zzz");
    assert_int_equal(weir_tables_list(f->tables, WEIR_STR("mn"), &arena, listed, 5), 1);
    assert_int_equal(weir_tables_list(f->tables, WEIR_STR("zzz"), &arena, listed, 5), 0);
}

static void catalogue_changed(void *arg)
{
    int *changes = arg;
    (*changes)++;
}

static void a_definition_survives_opening_again(void **state)
{
    struct fixture *f = *state;
    struct weir_str included[] = { WEIR_STR("x"), WEIR_STR("y") };
    struct weir_index indexes[2] = {
        { .name = WEIR_STR("by_tag"),
                .projection = WEIR_PROJECT_INCLUDE,
                .include = included,
                .include_count = 2 },
        { .name = WEIR_STR("by_day"), .projection = WEIR_PROJECT_KEYS_ONLY, .local = true },
    };
    struct weir_table orders = definition("orders", "id", "at");
    indexes[0].key = definition("x", "tag", "score").key;
    indexes[1].key = definition("x", "id", "day").key;
    orders.indexes = indexes;
    orders.index_count = 2;
    orders.ttl_attribute = WEIR_STR("expires");
    orders.deletion_protection = true;
    orders.read_units = 7;
    int changes = 0;
    weir_tables_on_change(f->tables, catalogue_changed, &changes);
    assert_int_equal(create(f, &orders), WEIR_OK);
    assert_int_equal(changes, 1);
    const struct weir_table *before = table_of(f, "orders");
    struct weir_str id = weir_arena_str(&arena, before->table_id);
    struct weir_str stream_arn = weir_arena_str(&arena, before->stream_arn);
    uint32_t space = before->space;
    weir_table_unref(before);
    close_tables(f);
    open_tables(f);
    const struct weir_table *after = table_of(f, "orders");
    assert_int_equal(after->space, space);
    assert_true(weir_str_eq(after->table_id, id));
    assert_true(weir_str_eq(after->stream_arn, stream_arn));
    assert_int_equal(after->index_count, 2);
    const struct weir_index *by_tag = weir_table_index(after, WEIR_STR("by_tag"));
    assert_int_equal(by_tag->projection, WEIR_PROJECT_INCLUDE);
    assert_int_equal(by_tag->include_count, 2);
    assert_string_equal(by_tag->include[1].p, "y");
    assert_string_equal(by_tag->key.partition[0].name.p, "tag");
    assert_int_equal(by_tag->key.sort[0].type, WEIR_TYPE_N);
    assert_true(weir_table_index(after, WEIR_STR("by_day"))->local);
    assert_null(weir_table_index(after, WEIR_STR("by_night")));
    assert_string_equal(after->ttl_attribute.p, "expires");
    assert_true(after->deletion_protection);
    assert_true(after->from_file);
    assert_int_equal(after->read_units, 7);
    assert_int_equal(after->view, WEIR_VIEW_NEW_AND_OLD_IMAGES);
    weir_table_unref(after);
}

static void the_configuration_is_ensured(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    struct weir_table orders = definition("orders", "id", NULL);
    orders.view = WEIR_VIEW_NONE;
    must(weir_tables_ensure(f->tables, &orders, &err), &err);
    uint64_t end = weir_log_end(weir_store_log(f->store)).seq;
    must(weir_tables_ensure(f->tables, &orders, &err), &err);
    assert_int_equal(weir_log_end(weir_store_log(f->store)).seq, end); /* nothing to change */
    put(f, "orders", "{'id':{'S':'1'}}");

    orders.view = WEIR_VIEW_KEYS_ONLY;
    orders.ttl_attribute = WEIR_STR("expires");
    must(weir_tables_ensure(f->tables, &orders, &err), &err);
    const struct weir_table *table = table_of(f, "orders");
    assert_int_equal(table->view, WEIR_VIEW_KEYS_ONLY);
    assert_string_equal(table->ttl_attribute.p, "expires");
    assert_true(table->stream_arn.n > 0);
    weir_table_unref(table);
    assert_string_equal(get(f, "orders", "{'id':{'S':'1'}}"), "{'id':{'S':'1'}}");

    struct weir_table changed = definition("orders", "key", NULL);
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "orders"));
    changed = definition("orders", "id", "at");
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
    changed = orders;
    changed.key.partition[0].type = WEIR_TYPE_N;
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
    changed = orders;
    changed.shards = 8;
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
    struct weir_index index = { .name = WEIR_STR("by_tag") };
    index.key = definition("x", "tag", NULL).key;
    changed = orders;
    changed.indexes = &index;
    changed.index_count = 1;
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "by_tag"));
    changed = definition("or", "id", NULL);
    assert_int_equal(weir_tables_ensure(f->tables, &changed, &err), WEIR_E_INVALID);
}

/* --- writing ------------------------------------------------------------------------- */

static void items_are_put_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", "at");
    assert_int_equal(create(f, &orders), WEIR_OK);
    put(f, "orders", "{'id':{'S':'a'},'at':{'N':'1'},'x':{'S':'one'}}");
    put(f, "orders", "{'id':{'S':'a'},'at':{'N':'2'},'x':{'S':'two'}}");
    put(f, "orders", "{'id':{'S':'a'},'at':{'N':'1.0'},'x':{'S':'three'}}"); /* the same key */
    assert_string_equal(get(f, "orders", "{'id':{'S':'a'},'at':{'N':'1'}}"),
            "{'at':{'N':'1'},'id':{'S':'a'},'x':{'S':'three'}}");
    del(f, "orders", "{'id':{'S':'a'},'at':{'N':'1'}}");
    assert_string_equal(get(f, "orders", "{'id':{'S':'a'},'at':{'N':'1'}}"), "");
    assert_string_equal(get(f, "orders", "{'id':{'S':'a'},'at':{'N':'2'}}"),
            "{'at':{'N':'2'},'id':{'S':'a'},'x':{'S':'two'}}");
}

static void wrong_items_are_refused(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", "at");
    assert_int_equal(create(f, &orders), WEIR_OK);
    static const struct {
        enum weir_write_kind kind;
        const char *item;
        const char *says;
    } cases[] = {
        { WEIR_WRITE_PUT, "{'id':{'S':'a'}}", "Missing the key at in the item" },
        { WEIR_WRITE_PUT, "{'id':{'N':'1'},'at':{'N':'1'}}", "Type mismatch for key id" },
        { WEIR_WRITE_PUT, "{'id':{'S':''},'at':{'N':'1'}}", "empty string value" },
        { WEIR_WRITE_DELETE, "{'id':{'S':'a'}}", "does not match the schema" },
        { WEIR_WRITE_DELETE, "{'id':{'S':'a'},'at':{'N':'1'},'x':{'N':'1'}}",
                "does not match the schema" },
        { WEIR_WRITE_UPDATE, "{'id':{'S':'a'},'at':{'S':'1'}}", "does not match the schema" },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_err err;
        struct write_text text = { .kind = cases[i].kind, .item = cases[i].item };
        assert_int_equal(write_as(f, "orders", &text, &err), WEIR_E_INVALID);
        if (strstr(err.msg, cases[i].says) == NULL) {
            fail_msg("%s: '%s' without '%s'", cases[i].item, err.msg, cases[i].says);
        }
    }
    follow(f, "orders");
    assert_string_equal(next_record(f), "");
}

static void conditions_decide(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", NULL);
    struct weir_err err;
    assert_int_equal(create(f, &orders), WEIR_OK);
    struct write_text once = { .kind = WEIR_WRITE_PUT,
        .item = "{'id':{'S':'a'},'n':{'N':'1'}}",
        .condition = "attribute_not_exists(id)" };
    must(write_as(f, "orders", &once, &err), &err);
    assert_string_equal(text_of(once.before), "");
    assert_string_equal(text_of(once.after), "{'id':{'S':'a'},'n':{'N':'1'}}");
    assert_int_equal(write_as(f, "orders", &once, &err), WEIR_E_CONDITION);
    assert_string_equal(text_of(once.before), "{'id':{'S':'a'},'n':{'N':'1'}}");
    struct write_text bump = { .kind = WEIR_WRITE_UPDATE,
        .item = "{'id':{'S':'a'}}",
        .condition = "n = :old",
        .update = "SET n = n + :one",
        .values = "{':old':{'N':'1'},':one':{'N':'1'}}" };
    must(write_as(f, "orders", &bump, &err), &err);
    assert_string_equal(text_of(bump.after), "{'id':{'S':'a'},'n':{'N':'2'}}");
    assert_int_equal(write_as(f, "orders", &bump, &err), WEIR_E_CONDITION);
    struct write_text remove = { .kind = WEIR_WRITE_DELETE,
        .item = "{'id':{'S':'a'}}",
        .condition = "n = :old",
        .values = "{':old':{'N':'1'}}" };
    assert_int_equal(write_as(f, "orders", &remove, &err), WEIR_E_CONDITION);
    assert_string_equal(get(f, "orders", "{'id':{'S':'a'}}"), "{'id':{'S':'a'},'n':{'N':'2'}}");
    struct write_text make = { .kind = WEIR_WRITE_UPDATE, .item = "{'id':{'S':'b'}}" };
    must(write_as(f, "orders", &make, &err), &err);
    assert_string_equal(get(f, "orders", "{'id':{'S':'b'}}"), "{'id':{'S':'b'}}");
    struct write_text key = { .kind = WEIR_WRITE_UPDATE,
        .item = "{'id':{'S':'b'}}",
        .update = "SET id = :v",
        .values = "{':v':{'S':'c'}}" };
    assert_int_equal(write_as(f, "orders", &key, &err), WEIR_E_INVALID);
}

static void a_dropped_table_takes_no_writes(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", NULL);
    struct weir_err err;
    struct write_text text = { .kind = WEIR_WRITE_PUT, .item = "{'id':{'S':'a'}}" };
    assert_int_equal(create(f, &orders), WEIR_OK);
    const struct weir_table *first = table_of(f, "orders");
    must(set_ttl(f, "orders", "expires", &err), &err);
    const struct weir_table *second = table_of(f, "orders");
    assert_ptr_not_equal(first, second);
    must(write_to(f, first, &text, &err), &err); /* an old definition of a table that is there */
    struct weir_txn *guarded = weir_txn_create();
    weir_table_guard(guarded, first);
    assert_int_equal(commit(f, guarded, &err), WEIR_OK);
    assert_int_equal(drop(f, "orders"), WEIR_OK);
    assert_int_equal(create(f, &orders), WEIR_OK);
    assert_int_equal(write_to(f, first, &text, &err), WEIR_E_NOT_FOUND);
    assert_int_equal(write_to(f, second, &text, &err), WEIR_E_NOT_FOUND);
    guarded = weir_txn_create();
    weir_txn_put(guarded, first->space, WEIR_STR("key"), WEIR_STR("value"));
    weir_table_guard(guarded, first);
    assert_int_equal(commit(f, guarded, &err), WEIR_E_NOT_FOUND);
    struct weir_entry entry;
    must(weir_store_get(f->store, first->space, WEIR_STR("key"), &arena, &entry, &err), &err);
    assert_int_equal(entry.pos.seq, 0);
    weir_table_unref(first);
    weir_table_unref(second);
    assert_string_equal(get(f, "orders", "{'id':{'S':'a'}}"), "");
}

/* --- records --------------------------------------------------------------------------- */

static void changes_make_records(void **state)
{
    struct fixture *f = *state;
    struct weir_table orders = definition("orders", "id", NULL);
    assert_int_equal(create(f, &orders), WEIR_OK);
    follow(f, "orders");
    put(f, "orders", "{'id':{'S':'a'},'n':{'N':'1'}}");
    assert_string_equal(
            next_record(f), "INSERT {'id':{'S':'a'}}  -> {'id':{'S':'a'},'n':{'N':'1'}}");
    put(f, "orders", "{'n':{'N':'1.00'},'id':{'S':'a'}}"); /* nothing changes */
    assert_string_equal(next_record(f), "");
    put(f, "orders", "{'id':{'S':'a'}}");
    assert_string_equal(next_record(f),
            "MODIFY {'id':{'S':'a'}} {'id':{'S':'a'},'n':{'N':'1'}} -> {'id':{'S':'a'}}");
    del(f, "orders", "{'id':{'S':'a'}}");
    assert_string_equal(next_record(f), "REMOVE {'id':{'S':'a'}} {'id':{'S':'a'}} -> ");
    del(f, "orders", "{'id':{'S':'a'}}"); /* nothing to delete */
    assert_string_equal(next_record(f), "");
}

static void views_show_their_images(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum weir_view_type view;
        const char *record;
    } cases[] = {
        { WEIR_VIEW_KEYS_ONLY, "MODIFY {'id':{'S':'a'}}  -> " },
        { WEIR_VIEW_NEW_IMAGE, "MODIFY {'id':{'S':'a'}}  -> {'id':{'S':'a'},'n':{'N':'2'}}" },
        { WEIR_VIEW_OLD_IMAGE, "MODIFY {'id':{'S':'a'}} {'id':{'S':'a'},'n':{'N':'1'}} -> " },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        struct weir_table orders = definition("orders", "id", NULL);
        orders.view = cases[i].view;
        assert_int_equal(create(f, &orders), WEIR_OK);
        follow(f, "orders");
        put(f, "orders", "{'id':{'S':'a'},'n':{'N':'1'}}");
        put(f, "orders", "{'id':{'S':'a'},'n':{'N':'2'}}");
        assert_non_null(strstr(next_record(f), "INSERT"));
        assert_string_equal(next_record(f), cases[i].record);
        assert_string_equal(get(f, "orders", "{'id':{'S':'a'}}"), "{'id':{'S':'a'},'n':{'N':'2'}}");
        assert_int_equal(drop(f, "orders"), WEIR_OK);
    }
    struct weir_table silent = definition("silent", "id", NULL);
    silent.view = WEIR_VIEW_NONE;
    assert_int_equal(create(f, &silent), WEIR_OK);
    follow(f, "silent");
    put(f, "silent", "{'id':{'S':'a'},'n':{'N':'1'}}");
    assert_string_equal(next_record(f), "");
    assert_string_equal(get(f, "silent", "{'id':{'S':'a'}}"), "{'id':{'S':'a'},'n':{'N':'1'}}");
}

/* --- time to live ------------------------------------------------------------------------ */

static void make_expiring(struct fixture *f)
{
    struct weir_table sessions = definition("sessions", "id", NULL);
    sessions.ttl_attribute = WEIR_STR("expires");
    assert_int_equal(create(f, &sessions), WEIR_OK);
    follow(f, "sessions");
}

/* The clock starts at 1,700,000,000 s. */
static void items_expire(void **state)
{
    struct fixture *f = *state;
    make_expiring(f);
    put(f, "sessions", "{'id':{'S':'a'},'expires':{'N':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'b'},'expires':{'N':'1700000020'}}");
    put(f, "sessions", "{'id':{'S':'never'}}");
    put(f, "sessions", "{'id':{'S':'text'},'expires':{'S':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'long ago'},'expires':{'N':'1000000000'}}"); /* over 5 years */
    for (int i = 0; i < 5; i++) {
        assert_non_null(strstr(next_record(f), "INSERT"));
    }
    run_timers(f);
    assert_string_equal(next_record(f), "");
    assert_false(f->wake_never);
    assert_int_equal(f->wake_after_ms, 10000);
    weir_clock_virtual_advance(&f->clock, 9999);
    run_timers(f);
    assert_string_equal(next_record(f), "");
    assert_int_equal(f->wake_after_ms, 1);
    weir_clock_virtual_advance(&f->clock, 1);
    run_timers(f);
    assert_string_equal(next_record(f),
            "REMOVE {'id':{'S':'a'}} {'expires':{'N':'1700000010'},'id':{'S':'a'}} ->  ttl");
    assert_string_equal(next_record(f), "");
    assert_int_equal(f->wake_after_ms, 10000);
    weir_clock_virtual_advance(&f->clock, 60 * 1000);
    run_timers(f);
    assert_non_null(strstr(next_record(f), "REMOVE {'id':{'S':'b'}}"));
    assert_string_equal(next_record(f), "");
    assert_true(f->wake_never);
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'never'}}"), "");
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'text'}}"), "");
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'long ago'}}"), "");
}

static void a_changed_item_expires_at_its_new_time(void **state)
{
    struct fixture *f = *state;
    make_expiring(f);
    put(f, "sessions", "{'id':{'S':'later'},'expires':{'N':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'later'},'expires':{'N':'1700000030'}}");
    put(f, "sessions", "{'id':{'S':'sooner'},'expires':{'N':'1700000030'}}");
    put(f, "sessions", "{'id':{'S':'sooner'},'expires':{'N':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'not at all'},'expires':{'N':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'not at all'}}");
    put(f, "sessions", "{'id':{'S':'gone'},'expires':{'N':'1700000010'}}");
    del(f, "sessions", "{'id':{'S':'gone'}}");
    put(f, "sessions", "{'id':{'S':'same'},'expires':{'N':'1700000010'}}");
    put(f, "sessions", "{'id':{'S':'same'},'expires':{'N':'1700000010'},'x':{'N':'1'}}");
    for (int i = 0; i < 10; i++) {
        assert_string_not_equal(next_record(f), "");
    }
    weir_clock_virtual_advance(&f->clock, 15 * 1000);
    run_timers(f);
    assert_string_equal(get(f, "sessions", "{'id':{'S':'sooner'}}"), "");
    assert_string_equal(get(f, "sessions", "{'id':{'S':'same'}}"), "");
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'later'}}"), "");
    assert_non_null(strstr(next_record(f), "ttl"));
    assert_non_null(strstr(next_record(f), "ttl"));
    assert_string_equal(next_record(f), "");
    weir_clock_virtual_advance(&f->clock, 15 * 1000);
    run_timers(f);
    assert_non_null(strstr(next_record(f), "REMOVE {'id':{'S':'later'}}"));
    assert_string_equal(next_record(f), "");
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'not at all'}}"), "");
}

static void items_of_a_dropped_table_do_not_expire(void **state)
{
    struct fixture *f = *state;
    make_expiring(f);
    put(f, "sessions", "{'id':{'S':'a'},'expires':{'N':'1700000010'}}");
    assert_int_equal(drop(f, "sessions"), WEIR_OK);
    make_expiring(f);
    put(f, "sessions", "{'id':{'S':'a'},'expires':{'N':'1700000020'}}");
    assert_non_null(strstr(next_record(f), "INSERT"));
    weir_clock_virtual_advance(&f->clock, 15 * 1000);
    run_timers(f);
    assert_string_equal(next_record(f), "");
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'a'}}"), "");
    assert_int_equal(f->wake_after_ms, 5000); /* the timer of the dropped one is gone */
}

static void existing_items_get_their_time(void **state)
{
    struct fixture *f = *state;
    struct weir_err err;
    enum { COUNT = 1200 }; /* more than the job does at once */
    struct weir_table sessions = definition("sessions", "id", NULL);
    assert_int_equal(create(f, &sessions), WEIR_OK);
    for (int i = 0; i < COUNT; i++) {
        put(f, "sessions",
                weir_arena_printf(&arena, "{'id':{'S':'%d'},'expires':{'N':'%d'}}", i,
                        i % 4 == 0 ? 1700000100 : 1700000010)
                        .p);
    }
    must(set_ttl(f, "sessions", "expires", &err), &err);
    assert_int_equal(set_ttl(f, "sessions", "expires", &err), WEIR_E_INVALID);
    assert_int_equal(set_ttl(f, "sessions", "other", &err), WEIR_E_INVALID);
    run_timers(f);
    assert_int_equal(f->wake_after_ms, 10000);
    weir_clock_virtual_advance(&f->clock, 10 * 1000);
    run_timers(f);
    for (int i = 0; i < COUNT; i++) {
        const char *left = get(f, "sessions", weir_arena_printf(&arena, "{'id':{'S':'%d'}}", i).p);
        assert_int_equal(left[0] != '\0', i % 4 == 0);
    }
    must(set_ttl(f, "sessions", "", &err), &err);
    assert_int_equal(set_ttl(f, "sessions", "", &err), WEIR_E_INVALID);
    weir_clock_virtual_advance(&f->clock, 1000 * 1000);
    run_timers(f);
    assert_string_not_equal(get(f, "sessions", "{'id':{'S':'0'}}"), "");
}

/* Together they are more than a transaction may be. */
static void large_items_expire_together(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 60 };
    make_expiring(f);
    char *filling = weir_arena_alloc(&arena, 390001);
    memset(filling, 'x', 390000);
    filling[390000] = '\0';
    for (int i = 0; i < COUNT; i++) {
        put(f, "sessions",
                weir_arena_printf(&arena,
                        "{'id':{'S':'%d'},'expires':{'N':'1700000010'},'x':{'S':'%s'}}", i, filling)
                        .p);
    }
    weir_clock_virtual_advance(&f->clock, 10 * 1000);
    run_timers(f);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(
                get(f, "sessions", weir_arena_printf(&arena, "{'id':{'S':'%d'}}", i).p), "");
    }
}

#define WITH_TABLES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        WITH_TABLES(tables_come_and_go),
        WITH_TABLES(names_are_listed_in_order),
        WITH_TABLES(a_definition_survives_opening_again),
        WITH_TABLES(the_configuration_is_ensured),
        WITH_TABLES(items_are_put_and_deleted),
        WITH_TABLES(wrong_items_are_refused),
        WITH_TABLES(conditions_decide),
        WITH_TABLES(a_dropped_table_takes_no_writes),
        WITH_TABLES(changes_make_records),
        WITH_TABLES(views_show_their_images),
        WITH_TABLES(items_expire),
        WITH_TABLES(a_changed_item_expires_at_its_new_time),
        WITH_TABLES(items_of_a_dropped_table_do_not_expire),
        WITH_TABLES(existing_items_get_their_time),
        WITH_TABLES(large_items_expire_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
