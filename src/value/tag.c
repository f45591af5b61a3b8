#include "value/tag.h"

#include <strings.h>

#include "value/json.h"

static size_t count_of(struct weir_item tags)
{
    return tags.n > 0 ? weir_item_count(tags) : 0;
}

static size_t characters(struct weir_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.n; i++) {
        count += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    }
    return count;
}

static enum weir_rc check_count(size_t count, struct weir_err *err)
{
    return count <= WEIR_TAGS_MAX
                   ? WEIR_OK
                   : weir_fail(err, WEIR_E_INVALID, "Too many tags: a resource has at most %d",
                             WEIR_TAGS_MAX);
}

enum weir_rc weir_tags_check(struct weir_item tags, struct weir_err *err)
{
    const struct weir_str reserved = WEIR_STR("aws:");
    size_t count = count_of(tags);
    enum weir_rc rc = check_count(count, err);
    for (size_t i = 0; rc == WEIR_OK && i < count; i++) {
        struct weir_str key;
        struct weir_value value = weir_item_at(tags, i, &key);
        if (key.n == 0 || characters(key) > WEIR_TAG_KEY_MAX ||
                characters(weir_value_str(value)) > WEIR_TAG_VALUE_MAX) {
            rc = weir_fail(err, WEIR_E_INVALID,
                    "Tag key or value is too long or empty: a key has 1 to %d characters, a value "
                    "at most %d",
                    WEIR_TAG_KEY_MAX, WEIR_TAG_VALUE_MAX);
        } else if (key.n >= reserved.n && strncasecmp(key.p, reserved.p, reserved.n) == 0) {
            rc = weir_fail(err, WEIR_E_INVALID,
                    "The tag key %.*s is reserved: keys of your own do not begin with aws:",
                    WEIR_STR_ARG(key));
        }
    }
    return rc;
}

static bool is_one_of(const struct weir_str *keys, size_t count, struct weir_str key)
{
    for (size_t i = 0; i < count; i++) {
        if (weir_str_eq(keys[i], key)) {
            return true;
        }
    }
    return false;
}

enum weir_rc weir_tags_change(struct weir_arena *arena, struct weir_item tags, struct weir_item set,
        const struct weir_str *unset, size_t unset_count, struct weir_item *ret_tags,
        struct weir_err *err)
{
    const struct weir_item both[] = { tags, set }; /* of two with a key the later one counts */
    struct weir_item_builder *builder = weir_item_begin(arena);
    struct weir_item changed = { 0 };
    enum weir_rc rc = weir_tags_check(set, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    for (size_t n = 0; n < WEIR_COUNT(both); n++) {
        for (size_t i = 0; i < count_of(both[n]); i++) {
            struct weir_str key;
            struct weir_value value = weir_item_at(both[n], i, &key);
            if (!is_one_of(unset, unset_count, key)) {
                weir_item_name(builder, key);
                weir_item_value(builder, value);
            }
        }
    }
    rc = weir_item_finish(builder, &changed, err);
    if (rc == WEIR_OK) {
        rc = check_count(count_of(changed), err);
    }
    if (rc == WEIR_OK) {
        *ret_tags = changed;
    }
    return rc;
}

void weir_tags_write(struct weir_buf *out, struct weir_item tags)
{
    weir_buf_byte(out, '{');
    for (size_t i = 0; i < count_of(tags); i++) {
        struct weir_str key;
        struct weir_value value = weir_item_at(tags, i, &key);
        weir_buf_z(out, i > 0 ? "," : "");
        weir_json_write_string(out, key);
        weir_buf_byte(out, ':');
        weir_json_write_string(out, weir_value_str(value));
    }
    weir_buf_byte(out, '}');
}
