/*
 * Indexes, queries and scans against a naive twin: random writes to a table with indexes of every
 * projection, and after them every kind of reading, page by page.
 */
#include <stdlib.h>

#include "base/random.h"
#include "table_fixture.h"

enum { PARTITIONS = 5, SORTS = 12, ITEMS = PARTITIONS * SORTS, TAGS = 3, DAYS = 4, SCORES = 6 };

/* An item of the twin; -1: it has no such attribute. */
struct twin_item {
    bool there;
    int tag;
    int score;
    int day;
    int extra;
};

struct twin {
    struct fixture *f;
    struct weir_random random;
    struct twin_item items[ITEMS]; /* partition * SORTS + sort */
    const struct weir_table *table;
    char what[200];
};

/* What an item has, as an index or the table shows it. */
enum shows { SHOWS_ALL, SHOWS_KEYS, SHOWS_EXTRA };

static void add_number(struct weir_buf *buf, const char *name, int value)
{
    if (value >= 0) {
        weir_buf_printf(buf, ",'%s':{'N':'%d'}", name, value);
    }
}

static void add_text(struct weir_buf *buf, const char *name, int value)
{
    if (value >= 0) {
        weir_buf_printf(buf, ",'%s':{'S':'%s%d'}", name, name, value);
    }
}

static const char *keep_text(struct weir_buf *buf)
{
    struct weir_str copy = weir_arena_str(&arena, weir_buf_view(buf));
    weir_buf_fini(buf);
    return copy.p;
}

static const char *key_json(int at)
{
    return weir_arena_printf(&arena, "{'p':{'S':'p%d'},'s':{'N':'%d'}}", at / SORTS, at % SORTS).p;
}

static const char *item_json(int at, const struct twin_item *item)
{
    struct weir_buf buf;
    weir_buf_init(&buf, 4096);
    weir_buf_printf(&buf, "{'p':{'S':'p%d'},'s':{'N':'%d'}", at / SORTS, at % SORTS);
    add_text(&buf, "tag", item->tag);
    add_number(&buf, "score", item->score);
    add_text(&buf, "slot", item->day);
    add_number(&buf, "extra", item->extra);
    weir_buf_z(&buf, "}");
    return keep_text(&buf);
}

static struct weir_key_schema index_key(
        const char *partition, const char *sort, enum weir_type sort_type)
{
    struct weir_key_schema key = { .partition_count = 1, .sort_count = sort != NULL ? 1 : 0 };
    key.partition[0] = (struct weir_ddb_key_attribute){ weir_str_z(partition), WEIR_TYPE_S };
    key.sort[0] = (struct weir_ddb_key_attribute){ weir_str_z(sort), sort_type };
    return key;
}

static void make_table(struct twin *twin)
{
    static struct weir_str included[] = { { "extra", 5 } };
    struct weir_index indexes[] = {
        { .name = WEIR_STR("by_tag"), .projection = WEIR_PROJECT_ALL },
        { .name = WEIR_STR("by_day"), .projection = WEIR_PROJECT_KEYS_ONLY },
        { .name = WEIR_STR("by_both"),
                .projection = WEIR_PROJECT_INCLUDE,
                .include = included,
                .include_count = 1 },
        { .name = WEIR_STR("by_score"), .projection = WEIR_PROJECT_ALL, .local = true },
    };
    indexes[0].key = index_key("tag", "score", WEIR_TYPE_N);
    indexes[1].key = index_key("slot", NULL, WEIR_TYPE_ABSENT);
    indexes[2].key = index_key("tag", "slot", WEIR_TYPE_S);
    indexes[3].key = index_key("p", "score", WEIR_TYPE_N);
    struct weir_table table = definition("items", "p", "s");
    table.indexes = indexes;
    table.index_count = WEIR_COUNT(indexes);
    assert_int_equal(create(twin->f, &table), WEIR_OK);
    twin->table = table_of(twin->f, "items");
    follow(twin->f, "items");
}

/* --- writing ------------------------------------------------------------------------- */

static int maybe(struct weir_random *random, int bound)
{
    return weir_random_below(random, 4) == 0 ? -1 : (int)weir_random_below(random, (uint64_t)bound);
}

static const char *expected_record(int at, const struct twin_item *old, const struct twin_item *new)
{
    if (!old->there && !new->there) {
        return "";
    }
    const char *before = old->there ? text_of(item_of(item_json(at, old))) : "";
    const char *after = new->there ? text_of(item_of(item_json(at, new))) : "";
    if (strcmp(before, after) == 0) {
        return "";
    }
    const char *event = !old->there ? "INSERT" : !new->there ? "REMOVE" : "MODIFY";
    return weir_arena_printf(&arena, "%s %s %s -> %s", event, key_json(at), before, after).p;
}

static void write_something(struct twin *twin)
{
    struct weir_random *random = &twin->random;
    int at = (int)weir_random_below(random, ITEMS);
    struct twin_item old = twin->items[at];
    struct twin_item *item = &twin->items[at];
    struct write_text text = { .item = key_json(at) };
    struct weir_err err;
    uint64_t dice = weir_random_below(random, 20);
    if (dice < 11) {
        *item = (struct twin_item){ true, maybe(random, TAGS), maybe(random, SCORES),
            maybe(random, DAYS), maybe(random, 3) };
        text.kind = WEIR_WRITE_PUT;
        text.item = item_json(at, item);
    } else if (dice < 15) {
        *item = (struct twin_item){ 0 };
        text.kind = WEIR_WRITE_DELETE;
    } else if (dice < 18) {
        text.kind = WEIR_WRITE_UPDATE;
        *item = item->there ? *item : (struct twin_item){ true, -1, -1, -1, -1 };
        item->tag = (int)weir_random_below(random, TAGS);
        item->score = -1;
        text.update = "SET tag = :tag REMOVE score";
        text.values = weir_arena_printf(&arena, "{':tag':{'S':'tag%d'}}", item->tag).p;
    } else { /* an index key of the wrong type: nothing happens */
        text.kind = dice == 18 ? WEIR_WRITE_PUT : WEIR_WRITE_UPDATE;
        text.update = dice == 18 ? NULL : "SET tag = :tag";
        text.values = dice == 18 ? NULL : "{':tag':{'N':'1'}}";
        text.item = dice == 18 ? weir_arena_printf(&arena,
                                         "{'p':{'S':'p%d'},'s':{'N':'%d'},'score':{'S':'x'}}",
                                         at / SORTS, at % SORTS)
                                         .p
                               : text.item;
        assert_int_equal(write_to(twin->f, twin->table, &text, &err), WEIR_E_INVALID);
        assert_non_null(strstr(err.msg, "Index Key"));
        return;
    }
    must(write_to(twin->f, twin->table, &text, &err), &err);
    assert_string_equal(
            text_of(text.before), old.there ? text_of(item_of(item_json(at, &old))) : "");
    assert_string_equal(next_record(twin->f), expected_record(at, &old, item));
}

/* --- reading, page by page ----------------------------------------------------------------- */

struct found {
    int at[ITEMS];
    size_t count;
    const char *texts[ITEMS];
    size_t stop_after; /* each says so; 0: never */
    size_t page;
};

static int place_of(struct weir_item item)
{
    int64_t sort = 0;
    assert_true(weir_decimal_to_i64(weir_value_decimal(weir_item_get(item, WEIR_STR("s"))), &sort));
    return (weir_value_str(weir_item_get(item, WEIR_STR("p"))).p[1] - '0') * SORTS + (int)sort;
}

static bool note_found(void *arg, struct weir_item item)
{
    struct found *found = arg;
    assert_true(found->count < ITEMS);
    found->at[found->count] = place_of(item);
    found->texts[found->count++] = text_of(item);
    return found->stop_after == 0 || ++found->page < found->stop_after;
}

/* Read to the end in pages that `limit` or `each` cut off. */
static void read_all(struct twin *twin, struct weir_query query, struct found *found)
{
    struct weir_query_result result;
    struct weir_err err;
    for (int pages = 0;; pages++) {
        assert_true(pages <= ITEMS + 1);
        found->page = 0;
        size_t before = found->count;
        must(weir_table_query(twin->f->tables, &query, &arena, note_found, found, &result, &err),
                &err);
        assert_int_equal(result.matched, found->count - before);
        if (query.limit > 0) {
            assert_true(result.scanned <= query.limit);
        }
        if (result.last.n == 0) {
            return;
        }
        query.start = result.last;
    }
}

/* What a reading must give: a condition on items and an order; ties may come in any order. */
struct expectation {
    bool (*has)(const void *arg, int at, const struct twin_item *item);
    int (*rank)(int at, const struct twin_item *item); /* NULL: any order */
    const void *arg;
    enum shows shows;
    const struct weir_index *index;
};

static const char *shown(const struct expectation *e, int at, const struct twin_item *item)
{
    struct twin_item part = *item;
    bool has_tag =
            e->index != NULL && weir_str_eq(e->index->key.partition[0].name, WEIR_STR("tag"));
    if (e->shows != SHOWS_ALL) {
        bool both = e->shows == SHOWS_EXTRA;
        part.tag = has_tag ? item->tag : -1;
        part.day = both || !has_tag ? item->day : -1;
        part.score = -1;
        part.extra = both ? item->extra : -1;
    }
    return text_of(item_of(item_json(at, &part)));
}

static void check_found(struct twin *twin, const struct expectation *e, const struct found *found)
{
    bool seen[ITEMS] = { false };
    size_t expected = 0;
    for (int at = 0; at < ITEMS; at++) {
        const struct twin_item *item = &twin->items[at];
        expected += item->there && e->has(e->arg, at, item) ? 1 : 0;
    }
    for (size_t i = 0; i < found->count; i++) {
        int at = found->at[i];
        const struct twin_item *item = &twin->items[at];
        if (seen[at] || !item->there || !e->has(e->arg, at, item)) {
            fail_msg("%s: %s should not be there", twin->what, key_json(at));
        }
        seen[at] = true;
        assert_string_equal(found->texts[i], shown(e, at, item));
        if (i > 0 && e->rank != NULL &&
                e->rank(found->at[i - 1], &twin->items[found->at[i - 1]]) > e->rank(at, item)) {
            fail_msg("%s: %s is out of order", twin->what, key_json(at));
        }
    }
    if (found->count != expected) {
        fail_msg("%s: %zu items instead of %zu", twin->what, found->count, expected);
    }
}

/* Forward whole, then in random pages both ways: always the same items in the same order. */
static void check_query(struct twin *twin, struct weir_query query, const struct expectation *e)
{
    struct found whole = { 0 };
    read_all(twin, query, &whole);
    check_found(twin, e, &whole);
    for (int backward = 0; backward < 2; backward++) {
        struct found paged = { .stop_after = weir_random_below(&twin->random, 4) };
        query.backward = backward != 0;
        query.limit = weir_random_below(&twin->random, 5);
        query.max_bytes = weir_random_below(&twin->random, 2) * 100;
        read_all(twin, query, &paged);
        assert_int_equal(paged.count, whole.count);
        for (size_t i = 0; i < whole.count; i++) {
            size_t other = backward != 0 ? whole.count - 1 - i : i;
            assert_int_equal(paged.at[i], whole.at[other]);
        }
    }
}

/* --- what is asked ---------------------------------------------------------------------------- */

enum asks { ASKS_ANY, ASKS_EQ, ASKS_LT, ASKS_LE, ASKS_GT, ASKS_GE, ASKS_BETWEEN };

static const char *const operators[] = { "", " = :a", " < :a", " <= :a", " > :a", " >= :a",
    " BETWEEN :a AND :b" };

struct asked {
    enum asks asks;
    int partition;
    int a;
    int b;
};

static bool in_range(const struct asked *asked, int value)
{
    switch (asked->asks) {
    case ASKS_ANY:
        return true;
    case ASKS_EQ:
        return value == asked->a;
    case ASKS_LT:
        return value < asked->a;
    case ASKS_LE:
        return value <= asked->a;
    case ASKS_GT:
        return value > asked->a;
    case ASKS_GE:
        return value >= asked->a;
    case ASKS_BETWEEN:
        return value >= asked->a && value <= asked->b;
    }
    return false;
}

static bool table_has(const void *arg, int at, const struct twin_item *item)
{
    (void)item;
    const struct asked *asked = arg;
    return at / SORTS == asked->partition && in_range(asked, at % SORTS);
}

static int table_rank(int at, const struct twin_item *item)
{
    (void)item;
    return at % SORTS;
}

static bool tag_has(const void *arg, int at, const struct twin_item *item)
{
    (void)at;
    const struct asked *asked = arg;
    return item->tag == asked->partition && item->score >= 0 && in_range(asked, item->score);
}

static bool local_has(const void *arg, int at, const struct twin_item *item)
{
    const struct asked *asked = arg;
    return at / SORTS == asked->partition && item->score >= 0 && in_range(asked, item->score);
}

static int score_rank(int at, const struct twin_item *item)
{
    (void)at;
    return item->score;
}

static bool day_has(const void *arg, int at, const struct twin_item *item)
{
    (void)at;
    return item->day == ((const struct asked *)arg)->partition;
}

static bool both_has(const void *arg, int at, const struct twin_item *item)
{
    (void)at;
    const struct asked *asked = arg;
    return item->tag == asked->partition && item->day >= 0 && in_range(asked, item->day);
}

static int day_rank(int at, const struct twin_item *item)
{
    (void)at;
    return item->day;
}

/* The key condition's texts for an index; sort_is_text: values are 'day3', else numbers. */
static void ask(struct twin *twin, const struct weir_index *index, const struct asked *asked,
        const char *partition, const char *sort, bool sort_is_text,
        struct weir_ddb_key_range *range)
{
    struct weir_buf values;
    weir_buf_init(&values, 4096);
    weir_buf_printf(&values, "{':p':{'S':'%s%d'}", partition, asked->partition);
    int value_count = asked->asks == ASKS_ANY ? 0 : asked->asks == ASKS_BETWEEN ? 2 : 1;
    for (int i = 0; i < value_count; i++) {
        int value = i == 0 ? asked->a : asked->b;
        if (sort_is_text) {
            weir_buf_printf(&values, ",':%c':{'S':'slot%d'}", "ab"[i], value);
        } else {
            weir_buf_printf(&values, ",':%c':{'N':'%d'}", "ab"[i], value);
        }
    }
    weir_buf_z(&values, "}");
    struct weir_ddb_context context = context_of(NULL, keep_text(&values));
    struct weir_str text = weir_arena_printf(&arena, "%s = :p%s%s%s", partition,
            asked->asks != ASKS_ANY ? " AND " : "", asked->asks != ASKS_ANY ? sort : "",
            operators[asked->asks]);
    const struct weir_ddb_key_condition *condition = NULL;
    struct weir_err err;
    must(weir_ddb_compile_key_condition(&arena, text, &context, &condition, &err), &err);
    struct weir_ddb_key_schema schema =
            weir_key_schema_view(index != NULL ? &index->key : &twin->table->key);
    must(weir_ddb_key_condition_bind(condition, &schema, range, &err), &err);
    snprintf(twin->what, sizeof(twin->what), "%.*s (%d, %d, %d)", WEIR_STR_ARG(text),
            asked->partition, asked->a, asked->b);
}

static struct asked random_asked(struct twin *twin, int partitions, int sorts)
{
    struct weir_random *random = &twin->random;
    struct asked asked = {
        .asks = (enum asks)weir_random_below(random, ASKS_BETWEEN + 1),
        .partition = (int)weir_random_below(random, (uint64_t)partitions),
        .a = (int)weir_random_below(random, (uint64_t)sorts),
    };
    asked.b = asked.a + (int)weir_random_below(random, (uint64_t)sorts);
    return asked;
}

static void check_queries(struct twin *twin)
{
    const struct weir_index *by_tag = weir_table_index(twin->table, WEIR_STR("by_tag"));
    const struct weir_index *by_day = weir_table_index(twin->table, WEIR_STR("by_day"));
    const struct weir_index *by_both = weir_table_index(twin->table, WEIR_STR("by_both"));
    const struct weir_index *by_score = weir_table_index(twin->table, WEIR_STR("by_score"));
    struct weir_ddb_key_range range;
    struct weir_query query = { .table = twin->table, .range = &range };

    struct asked asked = random_asked(twin, PARTITIONS, SORTS);
    ask(twin, NULL, &asked, "p", "s", false, &range);
    check_query(
            twin, query, &(struct expectation){ table_has, table_rank, &asked, SHOWS_ALL, NULL });

    asked = random_asked(twin, TAGS, SCORES);
    query.index = by_tag;
    ask(twin, by_tag, &asked, "tag", "score", false, &range);
    check_query(
            twin, query, &(struct expectation){ tag_has, score_rank, &asked, SHOWS_ALL, by_tag });

    asked = random_asked(twin, PARTITIONS, SCORES);
    query.index = by_score;
    ask(twin, by_score, &asked, "p", "score", false, &range);
    check_query(twin, query,
            &(struct expectation){ local_has, score_rank, &asked, SHOWS_ALL, by_score });

    asked = random_asked(twin, DAYS, 1);
    asked.asks = ASKS_ANY;
    query.index = by_day;
    ask(twin, by_day, &asked, "slot", "", false, &range);
    check_query(twin, query, &(struct expectation){ day_has, NULL, &asked, SHOWS_KEYS, by_day });

    asked = random_asked(twin, TAGS, DAYS);
    query.index = by_both;
    ask(twin, by_both, &asked, "tag", "slot", true, &range);
    check_query(
            twin, query, &(struct expectation){ both_has, day_rank, &asked, SHOWS_EXTRA, by_both });
}

static bool any_has(const void *arg, int at, const struct twin_item *item)
{
    (void)arg;
    (void)at;
    (void)item;
    return true;
}

static bool index_has(const void *arg, int at, const struct twin_item *item)
{
    (void)arg;
    (void)at;
    return item->tag >= 0 && item->score >= 0;
}

static void check_scans(struct twin *twin)
{
    struct expectation all = { any_has, NULL, NULL, SHOWS_ALL, NULL };
    struct weir_query query = { .table = twin->table };
    snprintf(twin->what, sizeof(twin->what), "scan");
    check_query(twin, query, &all);
    struct found in_segments = { 0 };
    query.segments = 1 + (uint32_t)weir_random_below(&twin->random, 7);
    for (query.segment = 0; query.segment < query.segments; query.segment++) {
        query.limit = weir_random_below(&twin->random, 4);
        read_all(twin, query, &in_segments);
    }
    check_found(twin, &all, &in_segments);
    struct expectation tagged = { index_has, NULL, NULL, SHOWS_ALL, &twin->table->indexes[0] };
    query = (struct weir_query){ .table = twin->table, .index = tagged.index };
    check_query(twin, query, &tagged);
}

static void reading_agrees_with_a_twin(void **state)
{
    struct twin twin = { .f = *state };
    const char *seed = getenv("WEIR_TEST_SEED");
    weir_random_seed(&twin.random, seed != NULL ? strtoull(seed, NULL, 10) : 11);
    make_table(&twin);
    for (int round = 0; round < 150; round++) {
        for (int i = 0; i < 12; i++) {
            write_something(&twin);
        }
        check_queries(&twin);
        check_scans(&twin);
        weir_arena_reset(&arena);
    }
    for (int at = 0; at < ITEMS; at++) { /* an empty table has empty indexes */
        del(twin.f, "items", key_json(at));
        twin.items[at] = (struct twin_item){ 0 };
    }
    check_queries(&twin);
    check_scans(&twin);
    weir_table_unref(twin.table);
}

static void filters_count_what_they_leave_out(void **state)
{
    struct fixture *f = *state;
    struct weir_table table = definition("items", "p", "s");
    struct weir_err err;
    assert_int_equal(create(f, &table), WEIR_OK);
    for (int i = 0; i < 10; i++) {
        put(f, "items", weir_arena_printf(&arena, "{'p':{'S':'p0'},'s':{'N':'%d'}}", i).p);
    }
    struct weir_ddb_context context = context_of(NULL, "{':v':{'N':'4'}}");
    const struct weir_table *made = table_of(f, "items");
    struct weir_query query = { .table = made, .limit = 8 };
    must(weir_ddb_compile_condition(
                 &arena, WEIR_DDB_FILTER, WEIR_STR("s >= :v"), &context, &query.filter, &err),
            &err);
    struct weir_query_result result;
    struct found found = { 0 };
    must(weir_table_query(f->tables, &query, &arena, note_found, &found, &result, &err), &err);
    assert_int_equal(result.scanned, 8);
    assert_int_equal(result.matched, 4);
    assert_string_equal(text_of(result.last), "{'p':{'S':'p0'},'s':{'N':'7'}}");
    assert_int_equal(result.bytes, 8 * (1 + 2 + 1 + 2) - 1); /* zero is a byte shorter */
    weir_table_unref(made);
}

static void starting_keys_are_checked(void **state)
{
    struct fixture *f = *state;
    struct weir_table table = definition("items", "p", "s");
    struct weir_err err;
    assert_int_equal(create(f, &table), WEIR_OK);
    const struct weir_table *made = table_of(f, "items");
    struct weir_query_result result;
    struct found found = { 0 };
    struct weir_query query = { .table = made, .start = item_of("{'p':{'S':'p0'}}") };
    assert_int_equal(weir_table_query(f->tables, &query, &arena, note_found, &found, &result, &err),
            WEIR_E_INVALID);
    query.start = item_of("{'p':{'S':'p0'},'s':{'N':'1'}}");
    must(weir_table_query(f->tables, &query, &arena, note_found, &found, &result, &err), &err);
    int refused = 0;
    query.segments = 2;
    for (query.segment = 0; query.segment < 2; query.segment++) { /* it is in one of them */
        enum weir_rc rc =
                weir_table_query(f->tables, &query, &arena, note_found, &found, &result, &err);
        refused += rc == WEIR_E_INVALID && strstr(err.msg, "Segment") != NULL ? 1 : 0;
    }
    assert_int_equal(refused, 1);
    struct weir_ddb_context context = context_of(NULL, "{':p':{'S':'p1'}}");
    const struct weir_ddb_key_condition *condition = NULL;
    struct weir_ddb_key_range range;
    must(weir_ddb_compile_key_condition(&arena, WEIR_STR("p = :p"), &context, &condition, &err),
            &err);
    struct weir_ddb_key_schema schema = weir_key_schema_view(&made->key);
    must(weir_ddb_key_condition_bind(condition, &schema, &range, &err), &err);
    query = (struct weir_query){ .table = made, .range = &range, .start = query.start };
    assert_int_equal(weir_table_query(f->tables, &query, &arena, note_found, &found, &result, &err),
            WEIR_E_INVALID);
    assert_non_null(strstr(err.msg, "outside query boundaries"));
    weir_table_unref(made);
}

#define WITH_TABLES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    (void)arena_setup;
    (void)arena_teardown;
    const struct CMUnitTest tests[] = {
        WITH_TABLES(reading_agrees_with_a_twin),
        WITH_TABLES(filters_count_what_they_leave_out),
        WITH_TABLES(starting_keys_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
