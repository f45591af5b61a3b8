/* Change records written down as JSON, for the tests of patterns. */
#ifndef WEIR_TESTS_UNIT_PATTERN_SAMPLE_H
#define WEIR_TESTS_UNIT_PATTERN_SAMPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "pattern/pattern.h"
#include "value/ddbjson.h"

static const struct weir_record_source sample_source = { { "orders", 6 },
    { "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/1", 61 }, { "eu-west-1", 9 },
    WEIR_VIEW_NEW_AND_OLD_IMAGES };

/* The content of a file below the source root, which the caller frees. NULL: there is none. */
static inline char *read_source_file(const char *name)
{
    char path[4096];
    const char *root = getenv("WEIR_SOURCE_ROOT");
    snprintf(path, sizeof(path), "%s/%s", root != NULL ? root : ".", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return NULL;
    }
    size_t capacity = 1 << 20;
    char *text = weir_alloc(capacity);
    size_t n = fread(text, 1, capacity - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return text;
}

static inline void set_sample_member(struct weir_record *record, struct weir_json *json,
        struct weir_str name, enum weir_json_token token)
{
    static const char *const names[] = { "keys", "new", "old", "Keys", "NewImage", "OldImage" };
    struct weir_item *items[] = { &record->keys, &record->new_image, &record->old_image };
    struct weir_err err = { 0 };
    if (weir_str_eq(name, WEIR_STR("event"))) {
        record->event = json->text.p[0] == 'I'   ? WEIR_EVENT_INSERT
                        : json->text.p[0] == 'M' ? WEIR_EVENT_MODIFY
                                                 : WEIR_EVENT_REMOVE;
        return;
    }
    if (weir_str_eq(name, WEIR_STR("ttl"))) {
        record->by_ttl = token == WEIR_JSON_TRUE;
        return;
    }
    for (size_t i = 0; i < WEIR_COUNT(names); i++) {
        if (weir_str_eq(name, weir_str_z(names[i]))) {
            enum weir_rc rc = i < 3 ? weir_ddbjson_read_plain_item(json, token, items[i], &err)
                                    : weir_ddbjson_read_item(json, token, items[i - 3], &err);
            if (rc != WEIR_OK) {
                fail_msg("%.*s: %s", WEIR_STR_ARG(name), err.msg);
            }
            return;
        }
    }
    fail_msg("a record has no '%.*s'", WEIR_STR_ARG(name));
}

/*
 * Read a record: event, ttl; keys, new, old as plain JSON, or Keys, NewImage,
 * OldImage as DynamoDB's. The blobs are the arena's.
 */
static inline struct weir_record read_sample(struct weir_arena *arena, struct weir_str text)
{
    struct weir_record record = { .source = &sample_source,
        .event = WEIR_EVENT_MODIFY,
        .pos = { 42 },
        .created = { 1700000000123 } };
    struct weir_json json;
    weir_json_init(&json, text, arena, 64);
    assert_int_equal(weir_json_next(&json), WEIR_JSON_OBJECT);
    while (weir_json_next(&json) == WEIR_JSON_NAME) {
        struct weir_str name = json.text;
        enum weir_json_token token = weir_json_next(&json);
        set_sample_member(&record, &json, name, token);
    }
    assert_int_equal(weir_json_next(&json), WEIR_JSON_END);
    return record;
}

/* Whether the only pattern of a frozen set matches a record; the written form must agree. */
static inline bool record_matches(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, const struct weir_record *record,
        enum weir_pattern_mode mode)
{
    uint64_t results = 0;
    assert_int_equal(weir_pattern_match_record(set, scratch, record, &results, NULL), WEIR_OK);
    if (mode == WEIR_PATTERN_AWS) {
        struct weir_buf json;
        uint64_t others = 0;
        weir_buf_init(&json, 1 << 20);
        weir_record_write(&json, record, WEIR_RECORD_LAMBDA);
        assert_int_equal(weir_pattern_match_json(set, scratch, weir_buf_view(&json), &others, NULL),
                WEIR_OK);
        weir_buf_fini(&json);
        assert_int_equal(results, others);
    }
    return weir_pattern_matched(&results, 0);
}

#endif
