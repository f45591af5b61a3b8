/*
 * The bytes up to the first zero byte are a pattern, those behind it an event:
 * a Lambda record, or anything else. Matching, explaining and findings must hold
 * up; and where the event has images in DynamoDB's JSON, matching the record in
 * place must agree with matching the JSON it is written as.
 */
#include <stdlib.h>

#include "pattern/pattern.h"
#include "value/ddbjson.h"

static void ignore_finding(void *context, const struct weir_pattern_finding *finding)
{
    (void)context;
    (void)finding;
}

/* Use the members of an event, if it is one, as a record's images. */
static bool read_record(
        struct weir_arena *arena, struct weir_str text, struct weir_record *ret_record)
{
    struct weir_json json;
    weir_json_init(&json, text, arena, 64);
    if (weir_json_next(&json) != WEIR_JSON_OBJECT) {
        return false;
    }
    enum weir_json_token token = weir_json_next(&json);
    for (; token == WEIR_JSON_NAME; token = weir_json_next(&json)) {
        struct weir_item *item = NULL;
        if (weir_str_eq(json.text, WEIR_STR("dynamodb"))) {
            if (weir_json_next(&json) != WEIR_JSON_OBJECT) {
                return false;
            }
            continue; /* its members are looked at like the top's */
        }
        if (weir_str_eq(json.text, WEIR_STR("NewImage"))) {
            item = &ret_record->new_image;
        } else if (weir_str_eq(json.text, WEIR_STR("OldImage"))) {
            item = &ret_record->old_image;
        } else if (weir_str_eq(json.text, WEIR_STR("Keys"))) {
            item = &ret_record->keys;
        }
        if (item == NULL) {
            if (weir_json_skip(&json, token, NULL) != WEIR_OK) {
                return false;
            }
        } else if (weir_ddbjson_read_item(&json, weir_json_next(&json), item, NULL) != WEIR_OK) {
            return false;
        }
    }
    return true;
}

static void try_record(const struct weir_pattern_set *set, struct weir_pattern_scratch *scratch,
        struct weir_arena *arena, struct weir_str event, bool aws)
{
    static const struct weir_record_source source = { { "t", 1 }, { "arn:t", 5 }, { "eu", 2 },
        WEIR_VIEW_NEW_AND_OLD_IMAGES };
    struct weir_record record = {
        .source = &source, .event = WEIR_EVENT_MODIFY, .by_ttl = true, .created = { 1700000000999 }
    };
    if (!read_record(arena, event, &record)) {
        return;
    }
    uint64_t in_place = 0;
    uint64_t as_json = 0;
    enum weir_rc rc = weir_pattern_match_record(set, scratch, &record, &in_place, NULL);
    struct weir_buf buf;
    weir_buf_init(&buf, 1 << 24);
    weir_record_write(&buf, &record, WEIR_RECORD_LAMBDA);
    enum weir_rc other_rc =
            weir_pattern_match_json(set, scratch, weir_buf_view(&buf), &as_json, NULL);
    if (aws && !buf.overflow && rc == WEIR_OK && other_rc != WEIR_E_LIMIT &&
            (other_rc != WEIR_OK || in_place != as_json)) {
        abort();
    }
    weir_buf_reset(&buf);
    weir_pattern_explain(set, 0, scratch, &record, WEIR_PATTERN_TEXT, &buf);
    weir_pattern_explain(set, 0, scratch, &record, WEIR_PATTERN_JSON, &buf);
    weir_buf_fini(&buf);
}

static void try_pattern(
        struct weir_arena *arena, struct weir_str text, struct weir_str event, bool aws)
{
    WEIR_AUTO(weir_pattern_set) struct weir_pattern_set *set = weir_pattern_set_create();
    WEIR_AUTO(weir_pattern_scratch)
    struct weir_pattern_scratch *scratch = weir_pattern_scratch_create();
    size_t index = 0;
    struct weir_err err = { 0 };
    enum weir_rc rc = weir_pattern_set_add(
            set, text, aws ? WEIR_PATTERN_AWS : WEIR_PATTERN_ITEM, &index, &err);
    if (rc != WEIR_OK) {
        if (err.pos > text.n || err.msg[0] == '\0') {
            abort();
        }
        return;
    }
    weir_pattern_set_freeze(set);
    uint64_t results = 0;
    rc = weir_pattern_match_json(set, scratch, event, &results, &err);
    if (rc != WEIR_OK && err.msg[0] == '\0') {
        abort();
    }
    struct weir_pattern_lint lint = { .found = ignore_finding };
    weir_pattern_set_lint(set, 0, &lint);
    try_record(set, scratch, arena, event, aws);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = zero != NULL ? (size_t)(zero - data) : size;
    struct weir_str text = weir_str((const char *)data, n);
    struct weir_str event =
            zero != NULL ? weir_str((const char *)zero + 1, size - n - 1) : WEIR_STR("{}");
    struct weir_arena arena;
    weir_arena_init(&arena);
    try_pattern(&arena, text, event, true);
    try_pattern(&arena, text, event, false);
    weir_arena_fini(&arena);
    return 0;
}
