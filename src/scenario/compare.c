#include "scenario/compare.h"

#include <stdio.h>

#include "base/arena.h"
#include "value/ddbjson.h"
#include "value/json.h"

enum {
    SHOWN_BYTES = 300, /* of a value in a message */
    LISTED_MAX = 10,   /* items that are listed as missing or too many */
    PATH_BYTES = 512,
    JSON_DEPTH = 64,
    VALUE_MAX_BYTES = 1024 * 1024,
};

/* --- telling --------------------------------------------------------------------------- */

static void show_bytes(struct weir_buf *out, const struct weir_buf *text)
{
    if (text->n <= SHOWN_BYTES) {
        weir_buf_str(out, weir_buf_view(text));
        return;
    }
    size_t n = SHOWN_BYTES;
    while (n > 0 && ((unsigned char)text->p[n] & 0xc0) == 0x80) {
        n--; /* not within a character */
    }
    weir_buf_add(out, text->p, n);
    weir_buf_printf(out, "... (%zu bytes)", text->n);
}

static void show_value(struct weir_buf *out, struct weir_value value)
{
    if (value.type == WEIR_TYPE_ABSENT) {
        weir_buf_z(out, "nothing");
        return;
    }
    struct weir_buf text;
    weir_buf_init(&text, VALUE_MAX_BYTES);
    weir_ddbjson_write_plain_value(&text, value);
    show_bytes(out, &text);
    weir_buf_fini(&text);
}

static void show_item(struct weir_buf *out, const char *what, struct weir_item item)
{
    struct weir_buf text;
    weir_buf_init(&text, VALUE_MAX_BYTES);
    weir_ddbjson_write_plain_item(&text, item);
    weir_buf_printf(out, "    %-9s ", what);
    show_bytes(out, &text);
    weir_buf_byte(out, '\n');
    weir_buf_fini(&text);
}

static bool differ(struct weir_value expected, struct weir_value actual, const char *path,
        struct weir_buf *out)
{
    if (out == NULL) {
        return false;
    }
    weir_buf_printf(out, "    %s: expected ", path);
    show_value(out, expected);
    weir_buf_z(out, ", there is ");
    show_value(out, actual);
    if (expected.type != actual.type && actual.type != WEIR_TYPE_ABSENT &&
            expected.type != WEIR_TYPE_ABSENT) {
        weir_buf_printf(out, " (types %s and %s)", weir_type_name(expected.type),
                weir_type_name(actual.type));
    }
    weir_buf_byte(out, '\n');
    return false;
}

/* --- values -------------------------------------------------------------------------------- */

static bool is_set(enum weir_type type)
{
    return type == WEIR_TYPE_SS || type == WEIR_TYPE_NS || type == WEIR_TYPE_BS;
}

/* A list that was expected where a set stands: the same elements in any order. */
static bool same_elements(struct weir_value list, struct weir_value set)
{
    size_t count = weir_value_count(list);
    if (count != weir_value_count(set)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        for (size_t k = 0; k < count && !found; k++) {
            found = weir_value_eq(weir_value_at(list, i), weir_value_at(set, k));
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool compare_maps(struct weir_value expected, struct weir_value actual, bool whole,
        const char *path, struct weir_buf *out)
{
    struct weir_item wanted = weir_value_map(expected);
    struct weir_item there = weir_value_map(actual);
    const char *dot = path[0] != '\0' ? "." : "";
    char inner[PATH_BYTES];
    bool same = true;
    for (size_t i = 0; i < weir_item_count(wanted); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(wanted, i, &name);
        snprintf(inner, sizeof(inner), "%s%s%.*s", path, dot, WEIR_STR_ARG(name));
        same = weir_compare_value(value, weir_item_get(there, name), whole, inner, out) && same;
    }
    for (size_t i = 0; whole && i < weir_item_count(there); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(there, i, &name);
        if (weir_item_get(wanted, name).type == WEIR_TYPE_ABSENT) {
            snprintf(inner, sizeof(inner), "%s%s%.*s", path, dot, WEIR_STR_ARG(name));
            same = differ((struct weir_value){ 0 }, value, inner, out);
        }
    }
    return same;
}

static bool compare_lists(struct weir_value expected, struct weir_value actual, bool whole,
        const char *path, struct weir_buf *out)
{
    size_t wanted = weir_value_count(expected);
    size_t there = weir_value_count(actual);
    bool same = true;
    for (size_t i = 0; i < wanted || i < there; i++) {
        char inner[PATH_BYTES];
        snprintf(inner, sizeof(inner), "%s[%zu]", path, i);
        struct weir_value none = { 0 };
        struct weir_value a = i < wanted ? weir_value_at(expected, i) : none;
        struct weir_value b = i < there ? weir_value_at(actual, i) : none;
        same = (i < wanted && i < there ? weir_compare_value(a, b, whole, inner, out)
                                        : differ(a, b, inner, out)) &&
               same;
    }
    return same;
}

/* Plain YAML and JSON have no bytes: a text that was expected is their base64. */
static bool same_bytes(struct weir_str text, struct weir_str bytes)
{
    struct weir_buf base64;
    weir_buf_init(&base64, VALUE_MAX_BYTES);
    weir_base64_encode(&base64, bytes);
    bool same = weir_str_eq(weir_buf_view(&base64), text);
    weir_buf_fini(&base64);
    return same;
}

/* A text that is JSON, where a map or list was expected. False: it is not JSON. */
static bool compare_json(struct weir_value expected, struct weir_value actual, bool whole,
        const char *path, struct weir_buf *out, bool *ret_same)
{
    struct weir_arena arena;
    struct weir_json json;
    struct weir_item item = { 0 };
    struct weir_buf text;
    weir_arena_init(&arena);
    weir_buf_init(&text, VALUE_MAX_BYTES);
    weir_buf_z(&text, "{\"v\":"); /* readers of plain JSON want an object */
    weir_buf_str(&text, weir_value_str(actual));
    weir_buf_byte(&text, '}');
    weir_json_init(&json, weir_buf_view(&text), &arena, JSON_DEPTH);
    bool is_json = !text.overflow && weir_ddbjson_read_plain_item(
                                             &json, weir_json_next(&json), &item, NULL) == WEIR_OK;
    struct weir_value said = weir_item_get(item, WEIR_STR("v"));
    if (is_json && said.type != WEIR_TYPE_S) {
        *ret_same = weir_compare_value(expected, said, whole, path, out);
    }
    weir_buf_fini(&text);
    weir_arena_fini(&arena);
    return is_json && said.type != WEIR_TYPE_S;
}

bool weir_compare_value(struct weir_value expected, struct weir_value actual, bool whole,
        const char *path, struct weir_buf *differences)
{
    bool nests = expected.type == WEIR_TYPE_M || expected.type == WEIR_TYPE_L;
    bool same = false;
    if (nests && actual.type == WEIR_TYPE_S &&
            compare_json(expected, actual, whole, path, differences, &same)) {
        return same;
    }
    if (expected.type == WEIR_TYPE_M && actual.type == WEIR_TYPE_M) {
        return compare_maps(expected, actual, whole, path, differences);
    }
    if (expected.type == WEIR_TYPE_L && actual.type == WEIR_TYPE_L) {
        return compare_lists(expected, actual, whole, path, differences);
    }
    if (expected.type == WEIR_TYPE_L && is_set(actual.type)) {
        same = same_elements(expected, actual);
    } else if (expected.type == WEIR_TYPE_S && actual.type == WEIR_TYPE_B) {
        same = same_bytes(weir_value_str(expected), weir_value_str(actual));
    } else {
        same = weir_value_eq(expected, actual);
    }
    return same || differ(expected, actual, path, differences);
}

/* --- lists of items ----------------------------------------------------------------------------
 */

struct weir_value weir_item_as_value(struct weir_item item)
{
    return (struct weir_value){ WEIR_TYPE_M, weir_str(item.p, item.n) };
}

static bool compare_item(struct weir_item expected, struct weir_item actual, bool whole,
        const char *path, struct weir_buf *out)
{
    return weir_compare_value(
            weir_item_as_value(expected), weir_item_as_value(actual), whole, path, out);
}

/* How many members of what was expected an item has just so. */
static size_t likeness(struct weir_item expected, struct weir_item actual)
{
    size_t count = 0;
    for (size_t i = 0; i < weir_item_count(expected); i++) {
        struct weir_str name;
        struct weir_value value = weir_item_at(expected, i, &name);
        count += weir_compare_value(value, weir_item_get(actual, name), false, "", NULL);
    }
    return count;
}

static bool compare_ordered(const struct weir_item *expected, size_t expected_count,
        const struct weir_item *actual, size_t actual_count, bool whole, struct weir_buf *out,
        size_t *ret_at)
{
    *ret_at = expected_count;
    bool same = expected_count == actual_count;
    for (size_t i = 0; i < expected_count && i < actual_count; i++) {
        char path[32];
        snprintf(path, sizeof(path), "[%zu]", i);
        if (!compare_item(expected[i], actual[i], whole, path, out)) {
            *ret_at = *ret_at == expected_count ? i : *ret_at;
            same = false;
        }
    }
    if (actual_count < expected_count && *ret_at == expected_count) {
        *ret_at = actual_count;
    }
    for (size_t i = actual_count; out != NULL && i < expected_count; i++) {
        show_item(out, "missing", expected[i]);
    }
    for (size_t i = expected_count; out != NULL && i < actual_count; i++) {
        if (i == expected_count + LISTED_MAX) {
            weir_buf_printf(out, "    ... and %zu more\n", actual_count - i);
            break;
        }
        show_item(out, "too many", actual[i]);
    }
    return same;
}

/* Tell of an expected item that nothing matches, next to what is most like it. */
static void tell_missing(struct weir_item expected, size_t i, const struct weir_item *actual,
        size_t actual_count, bool *taken, bool whole, struct weir_buf *out)
{
    size_t best = actual_count;
    size_t most = 0;
    for (size_t k = 0; k < actual_count; k++) {
        size_t like = taken[k] ? 0 : likeness(expected, actual[k]);
        if (like > most) {
            most = like;
            best = k;
        }
    }
    if (best == actual_count) {
        show_item(out, "missing", expected);
        return;
    }
    char path[32];
    snprintf(path, sizeof(path), "[%zu]", i);
    taken[best] = true;
    show_item(out, "nearest", actual[best]);
    compare_item(expected, actual[best], whole, path, out);
}

static bool compare_unordered(const struct weir_item *expected, size_t expected_count,
        const struct weir_item *actual, size_t actual_count, struct weir_comparison how,
        struct weir_buf *out, size_t *ret_at)
{
    bool *taken = weir_alloc_zero(actual_count + 1, sizeof(*taken));
    bool *found = weir_alloc_zero(expected_count + 1, sizeof(*found));
    *ret_at = expected_count;
    size_t matched = 0;
    for (size_t i = 0; i < expected_count; i++) {
        for (size_t k = 0; k < actual_count && !found[i]; k++) {
            found[i] = !taken[k] && compare_item(expected[i], actual[k], how.whole, "", NULL);
            taken[k] = taken[k] || found[i];
        }
        matched += found[i];
        *ret_at = !found[i] && *ret_at == expected_count ? i : *ret_at;
    }
    for (size_t i = 0; out != NULL && i < expected_count; i++) {
        if (!found[i]) {
            tell_missing(expected[i], i, actual, actual_count, taken, how.whole, out);
        }
    }
    size_t told = 0;
    for (size_t k = 0; out != NULL && how.complete && k < actual_count; k++) {
        if (!taken[k] && told++ < LISTED_MAX) {
            show_item(out, "too many", actual[k]);
        }
    }
    if (told > LISTED_MAX) {
        weir_buf_printf(out, "    ... and %zu more\n", told - LISTED_MAX);
    }
    weir_free(taken);
    weir_free(found);
    return matched == expected_count && (!how.complete || matched == actual_count);
}

bool weir_compare_items(const struct weir_item *expected, size_t expected_count,
        const struct weir_item *actual, size_t actual_count, struct weir_comparison how,
        struct weir_buf *differences, size_t *ret_at)
{
    if (how.ordered && how.complete) {
        return compare_ordered(
                expected, expected_count, actual, actual_count, how.whole, differences, ret_at);
    }
    return compare_unordered(
            expected, expected_count, actual, actual_count, how, differences, ret_at);
}
