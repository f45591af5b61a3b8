/*
 * DynamoDB expressions: the first byte chooses the kind, the rest is the text. What
 * compiles is evaluated against a few items, and an update's result must be sound.
 */
#include <stdlib.h>

#include "table/expression.h"
#include "value/ddbjson.h"

static struct weir_item read_item(struct weir_arena *arena, const char *text)
{
    struct weir_json json;
    struct weir_item item = { NULL, 0 };
    weir_json_init(&json, weir_str_z(text), arena, 64);
    weir_assert(weir_ddbjson_read_item(&json, weir_json_next(&json), &item, NULL) == WEIR_OK);
    return item;
}

static void run_update(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, struct weir_item item, struct weir_item key)
{
    const struct weir_ddb_update *update = NULL;
    if (weir_ddb_compile_update(arena, text, context, &update, NULL) != WEIR_OK) {
        return;
    }
    const struct weir_item before[] = { item, { NULL, 0 } };
    for (size_t i = 0; i < WEIR_COUNT(before); i++) {
        struct weir_item after = { NULL, 0 };
        struct weir_item part = { NULL, 0 };
        if (weir_ddb_update_apply(update, before[i], key, arena, &after, NULL) == WEIR_OK &&
                after.n > 0) {
            weir_assert(weir_item_check(after, NULL) == WEIR_OK);
            weir_assert(weir_ddb_update_touched(update, after, arena, &part, NULL) == WEIR_OK);
        }
    }
}

static void run_condition(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, struct weir_item item)
{
    const struct weir_ddb_condition *condition = NULL;
    if (weir_ddb_compile_condition(arena, WEIR_DDB_CONDITION, text, context, &condition, NULL) ==
            WEIR_OK) {
        (void)weir_ddb_condition_eval(condition, item);
        (void)weir_ddb_condition_eval(condition, (struct weir_item){ NULL, 0 });
    }
}

static void run_key_condition(
        struct weir_arena *arena, struct weir_str text, struct weir_ddb_context *context)
{
    static const struct weir_ddb_key_attribute attributes[] = { { { "pk", 2 }, WEIR_TYPE_S },
        { { "a", 1 }, WEIR_TYPE_N }, { { "b", 1 }, WEIR_TYPE_S } };
    static const struct weir_ddb_key_schema schema = { attributes, 1, attributes + 1, 2 };
    const struct weir_ddb_key_condition *condition = NULL;
    struct weir_ddb_key_range range;
    if (weir_ddb_compile_key_condition(arena, text, context, &condition, NULL) == WEIR_OK) {
        (void)!weir_ddb_key_condition_bind(condition, &schema, &range, NULL);
    }
}

static void run_projection(struct weir_arena *arena, struct weir_str text,
        struct weir_ddb_context *context, struct weir_item item)
{
    const struct weir_ddb_projection *projection = NULL;
    struct weir_item part = { NULL, 0 };
    if (weir_ddb_compile_projection(arena, text, context, &projection, NULL) == WEIR_OK) {
        weir_assert(weir_ddb_projection_apply(projection, item, arena, &part, NULL) == WEIR_OK);
        weir_assert(weir_item_check(part, NULL) == WEIR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    WEIR_AUTO_FINI(weir_arena) struct weir_arena arena;
    weir_arena_init(&arena);
    struct weir_item item = read_item(&arena, "{\"pk\": {\"S\": \"k\"}, \"a\": {\"N\": \"5\"}, "
                                              "\"b\": {\"M\": {\"c\": {\"L\": [{\"N\": \"1\"}, "
                                              "{\"S\": \"x\"}]}}}, \"c\": {\"L\": [{\"N\": \"1\"}, "
                                              "{\"M\": {\"d\": {\"BOOL\": true}}}]}, "
                                              "\"d\": {\"SS\": [\"x\", \"y\"]}, \"e\": {\"NS\": "
                                              "[\"1\", \"2\"]}, \"f\": {\"B\": \"aGk=\"}}");
    struct weir_item key = read_item(&arena, "{\"pk\": {\"S\": \"k\"}}");
    struct weir_ddb_context context;
    weir_assert(weir_ddb_context_init(&context, &arena,
                        read_item(&arena, "{\"#a\": {\"S\": \"a\"}, \"#b\": {\"S\": \"b\"}}"),
                        read_item(&arena,
                                "{\":a\": {\"S\": \"x\"}, \":b\": {\"N\": \"1\"}, \":c\": {\"SS\": "
                                "[\"x\"]}, \":d\": {\"L\": [{\"N\": \"1\"}]}, \":e\": {\"S\": "
                                "\"S\"}, \":f\": "
                                "{\"NS\": [\"2\"]}, \":g\": {\"B\": \"aGk=\"}}"),
                        NULL) == WEIR_OK);
    /* A copy of its own, so that a read past the text's end is seen. */
    char *copy = malloc(size > 1 ? size - 1 : 1);
    weir_assert(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    struct weir_str text = weir_str(copy, size - 1);
    switch (data[0] & 3) {
    case 0:
        run_condition(&arena, text, &context, item);
        break;
    case 1:
        run_update(&arena, text, &context, item, key);
        break;
    case 2:
        run_projection(&arena, text, &context, item);
        break;
    default:
        run_key_condition(&arena, text, &context);
        break;
    }
    free(copy);
    return 0;
}
