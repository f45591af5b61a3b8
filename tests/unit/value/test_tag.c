#include "../test.h"
#include "value/tag.h"

/* Tags from texts: key, value, key, value, NULL. */
static struct weir_item tags_of(struct weir_arena *arena, const char *const *texts)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    struct weir_item tags = { 0 };
    for (; *texts != NULL; texts += 2) {
        weir_item_name(builder, weir_str_z(texts[0]));
        weir_item_s(builder, weir_str_z(texts[1]));
    }
    assert_int_equal(weir_item_finish(builder, &tags, NULL), WEIR_OK);
    return tags;
}

#define TAGS(arena, ...) tags_of(arena, (const char *const[]){ __VA_ARGS__, NULL })

/* count tags: k0, k1, ... */
static struct weir_item many(struct weir_arena *arena, size_t first, size_t count)
{
    struct weir_item_builder *builder = weir_item_begin(arena);
    struct weir_item tags = { 0 };
    for (size_t i = 0; i < count; i++) {
        weir_item_name(builder, weir_arena_printf(arena, "k%zu", first + i));
        weir_item_s(builder, WEIR_STR("v"));
    }
    assert_int_equal(weir_item_finish(builder, &tags, NULL), WEIR_OK);
    return tags;
}

/* A text of `count` characters of two bytes each. */
static const char *long_text(struct weir_arena *arena, size_t count)
{
    char *text = weir_arena_alloc(arena, 2 * count + 1);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = '\xc3';
        text[2 * i + 1] = '\xa9';
    }
    text[2 * count] = '\0';
    return text;
}

static void assert_written(struct weir_item tags, const char *json)
{
    WEIR_AUTO_FINI(weir_buf) struct weir_buf buf;
    weir_buf_init(&buf, 4096);
    weir_tags_write(&buf, tags);
    weir_buf_byte(&buf, '\0');
    assert_string_equal(buf.p, json);
}

static void limits_are_awss(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    assert_int_equal(weir_tags_check((struct weir_item){ 0 }, &err), WEIR_OK);
    assert_int_equal(weir_tags_check(many(&arena, 0, 50), &err), WEIR_OK);
    assert_int_equal(weir_tags_check(many(&arena, 0, 51), &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "Too many tags: a resource has at most 50");

    const char *key = long_text(&arena, 128);
    const char *value = long_text(&arena, 256);
    assert_int_equal(weir_tags_check(TAGS(&arena, key, value), &err), WEIR_OK);
    assert_int_equal(weir_tags_check(TAGS(&arena, "empty", ""), &err), WEIR_OK);
    const char *over = long_text(&arena, 129);
    assert_int_equal(weir_tags_check(TAGS(&arena, over, "v"), &err), WEIR_E_INVALID);
    over = long_text(&arena, 257);
    assert_int_equal(weir_tags_check(TAGS(&arena, "k", over), &err), WEIR_E_INVALID);
    assert_string_equal(err.msg,
            "Tag key or value is too long or empty: a key has 1 to 128 characters, a value at most "
            "256");
    assert_int_equal(weir_tags_check(TAGS(&arena, "", "v"), &err), WEIR_E_INVALID);

    assert_int_equal(weir_tags_check(TAGS(&arena, "aws", "v", "my-aws:x", "v"), &err), WEIR_OK);
    assert_int_equal(weir_tags_check(TAGS(&arena, "Aws:x", "v"), &err), WEIR_E_INVALID);
    assert_string_equal(
            err.msg, "The tag key Aws:x is reserved: keys of your own do not begin with aws:");
}

static void tags_are_added_replaced_and_taken_away(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    const struct weir_str unset[] = { WEIR_STR("b"), WEIR_STR("d"), WEIR_STR("nowhere") };
    struct weir_item none = { 0 };
    struct weir_item tags = { 0 };
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    assert_written(none, "{}");
    struct weir_item first = TAGS(&arena, "b", "1", "a", "2");
    assert_int_equal(weir_tags_change(&arena, none, first, NULL, 0, &tags, &err), WEIR_OK);
    assert_written(tags, "{\"a\":\"2\",\"b\":\"1\"}");
    struct weir_item second = TAGS(&arena, "a", "3", "c", "\"", "d", "");
    assert_int_equal(weir_tags_change(&arena, tags, second, unset, 3, &tags, &err), WEIR_OK);
    assert_written(tags, "{\"a\":\"3\",\"c\":\"\\\"\"}");
    assert_int_equal(weir_tags_change(&arena, tags, none, NULL, 0, &tags, &err), WEIR_OK);
    assert_written(tags, "{\"a\":\"3\",\"c\":\"\\\"\"}");
}

static void what_would_be_too_many_changes_nothing(void **state)
{
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    const struct weir_str unset = WEIR_STR("k0");
    struct weir_item tags = { 0 };
    struct weir_err err;
    (void)state;
    weir_arena_init(&arena);
    struct weir_item full = many(&arena, 0, 50);
    struct weir_item more = many(&arena, 50, 1);
    assert_int_equal(weir_tags_change(&arena, full, more, NULL, 0, &tags, &err), WEIR_E_INVALID);
    assert_string_equal(err.msg, "Too many tags: a resource has at most 50");
    assert_int_equal(tags.n, 0);
    struct weir_item same = many(&arena, 10, 40);
    assert_int_equal(weir_tags_change(&arena, full, same, NULL, 0, &tags, &err), WEIR_OK);
    assert_int_equal(weir_item_count(tags), 50);
    assert_int_equal(weir_tags_change(&arena, full, more, &unset, 1, &tags, &err), WEIR_OK);
    assert_int_equal(weir_item_count(tags), 50);
    struct weir_item reserved = TAGS(&arena, "aws:x", "v");
    assert_int_equal(
            weir_tags_change(&arena, full, reserved, NULL, 0, &tags, &err), WEIR_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_awss),
        cmocka_unit_test(tags_are_added_replaced_and_taken_away),
        cmocka_unit_test(what_would_be_too_many_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
