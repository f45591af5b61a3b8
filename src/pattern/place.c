/*
 * Finds the leaves of one path in a change record, without making its JSON.
 *
 * Array elements get the address of the array's body as the array's identity, so
 * that paths found at different times agree on it. As in AWS's engine only
 * elements that are objects or arrays are told apart; a plain value stands where
 * its array does.
 */
#include <stdio.h>

#include "pattern/pattern_int.h"

/* One path being looked up. */
struct search {
    struct weir_pattern_scratch *scratch;
    struct weir_pattern_slot *slot;
    const struct weir_pattern_path *path;
};

static struct weir_pattern_leaf *add(
        const struct search *search, enum weir_pattern_leaf_kind kind, uint32_t member)
{
    return weir_pattern_add_leaf(search->scratch, search->slot, kind, member);
}

static void add_text(const struct search *search, struct weir_str text, uint32_t member)
{
    add(search, WEIR_PATTERN_LEAF_STRING, member)->text = text;
}

static void add_bool(const struct search *search, bool value, uint32_t member)
{
    add(search, value ? WEIR_PATTERN_LEAF_TRUE : WEIR_PATTERN_LEAF_FALSE, member);
}

static void add_base64(const struct search *search, struct weir_str bytes, uint32_t member)
{
    struct weir_buf buf;
    weir_buf_init(&buf, bytes.n / 3 * 4 + 8);
    weir_base64_encode(&buf, bytes);
    add_text(search, weir_arena_str(&search->scratch->arena, weir_buf_view(&buf)), member);
    weir_buf_fini(&buf);
}

static uint32_t member_of(
        const struct search *search, struct weir_value array, size_t index, uint32_t up)
{
    return weir_pattern_add_member(
            search->scratch, (uint64_t)(uintptr_t)array.body.p, (uint32_t)index, up);
}

/* --- AWS's form --------------------------------------------------------- */

static bool is_set(enum weir_type type)
{
    return type == WEIR_TYPE_SS || type == WEIR_TYPE_NS || type == WEIR_TYPE_BS;
}

static void add_decimal_text(const struct search *search, struct weir_value value, uint32_t member)
{
    char *text = weir_arena_alloc(&search->scratch->arena, WEIR_DECIMAL_TEXT);
    size_t n = weir_decimal_format(weir_value_decimal(value), text);
    add_text(search, weir_str(text, n), member);
}

static void add_typed_leaf(const struct search *search, struct weir_value value, uint32_t member)
{
    switch (value.type) {
    case WEIR_TYPE_S:
        add_text(search, weir_value_str(value), member);
        return;
    case WEIR_TYPE_N:
        add_decimal_text(search, value, member);
        return;
    case WEIR_TYPE_B:
        add_base64(search, weir_value_str(value), member);
        return;
    case WEIR_TYPE_BOOL:
        add_bool(search, weir_value_bool(value), member);
        return;
    case WEIR_TYPE_NULL:
        add_bool(search, true, member);
        return;
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
    case WEIR_TYPE_L:
    case WEIR_TYPE_M:
    case WEIR_TYPE_ABSENT:
        return;
    }
}

static void find_aws_attribute(
        const struct search *search, struct weir_item item, uint32_t at, uint32_t member);

/* A typed value, {"S": "x"}: segment `at` of the path names the type. Depth is the item's. */
static void find_aws_value(
        const struct search *search, struct weir_value value, uint32_t at, uint32_t member)
{
    const struct weir_pattern_path *path = search->path;
    if (at >= path->count || value.type != weir_type_parse(path->segments[at])) {
        return;
    }
    bool last = at + 1 == path->count;
    if (value.type == WEIR_TYPE_M) {
        if (!last) {
            find_aws_attribute(search, weir_value_map(value), at + 1, member);
        }
        return;
    }
    if (value.type != WEIR_TYPE_L && !is_set(value.type)) {
        if (last) {
            add_typed_leaf(search, value, member);
        }
        return;
    }
    if ((value.type == WEIR_TYPE_L) == last) {
        return; /* list elements are typed values, set elements are leaves */
    }
    size_t count = weir_value_count(value);
    for (size_t i = 0; i < count; i++) {
        struct weir_value element = weir_value_at(value, i);
        if (last) {
            add_typed_leaf(search, element, member);
        } else {
            find_aws_value(search, element, at + 1, member_of(search, value, i, member));
        }
    }
}

/*
 * An attribute whose name begins with segment `at`. Dots in names join with the
 * path, so the name may be several segments; a type has to follow it.
 */
static void find_aws_attribute(
        const struct search *search, struct weir_item item, uint32_t at, uint32_t member)
{
    const struct weir_pattern_path *path = search->path;
    const char *begin = path->segments[at].p;
    for (uint32_t next = at + 1; next < path->count; next++) {
        if (weir_type_parse(path->segments[next]) == WEIR_TYPE_ABSENT) {
            continue;
        }
        const struct weir_str *last = &path->segments[next - 1];
        struct weir_str name = weir_str(begin, (size_t)(last->p + last->n - begin));
        struct weir_value value = weir_item_get(item, name);
        if (value.type != WEIR_TYPE_ABSENT) {
            find_aws_value(search, value, next, member);
        }
    }
}

/* --- the plain item ----------------------------------------------------- */

static void add_plain_leaf(const struct search *search, struct weir_value value, uint32_t member)
{
    switch (value.type) {
    case WEIR_TYPE_S:
        add_text(search, weir_value_str(value), member);
        return;
    case WEIR_TYPE_B:
        add_base64(search, weir_value_str(value), member);
        return;
    case WEIR_TYPE_N: {
        struct weir_pattern_leaf *leaf = add(search, WEIR_PATTERN_LEAF_NUMBER, member);
        leaf->comparable = true;
        leaf->decimal = weir_value_decimal(value);
        return;
    }
    case WEIR_TYPE_BOOL:
        add_bool(search, weir_value_bool(value), member);
        return;
    case WEIR_TYPE_NULL:
        add(search, WEIR_PATTERN_LEAF_NULL, member);
        return;
    case WEIR_TYPE_M:
    case WEIR_TYPE_L:
    case WEIR_TYPE_SS:
    case WEIR_TYPE_NS:
    case WEIR_TYPE_BS:
        add(search, WEIR_PATTERN_LEAF_WHOLE, member);
        return;
    case WEIR_TYPE_ABSENT:
        return;
    }
}

/* A value that segments from `at` on lead into. Depth is the item's. */
static void find_plain(
        const struct search *search, struct weir_value value, uint32_t at, uint32_t member)
{
    size_t count = weir_value_count(value);
    if (count > 0 && value.type != WEIR_TYPE_M) {
        for (size_t i = 0; i < count; i++) {
            struct weir_value element = weir_value_at(value, i);
            bool numbered = element.type == WEIR_TYPE_M || element.type == WEIR_TYPE_L;
            uint32_t inside = numbered ? member_of(search, value, i, member) : member;
            find_plain(search, element, at, inside);
        }
        return;
    }
    if (at == search->path->count) {
        add_plain_leaf(search, value, member);
        return;
    }
    if (value.type == WEIR_TYPE_M) {
        struct weir_value next = weir_item_get(weir_value_map(value), search->path->segments[at]);
        if (next.type != WEIR_TYPE_ABSENT) {
            find_plain(search, next, at + 1, member);
        }
    }
}

/* --- origins ------------------------------------------------------------ */

static void find_in_image(const struct search *search, struct weir_item image)
{
    const struct weir_pattern_path *path = search->path;
    if (image.n == 0) {
        return;
    }
    if (path->mode == WEIR_PATTERN_AWS) {
        find_aws_attribute(search, image, path->skip, 0);
    } else if (path->count == path->skip) {
        add(search, WEIR_PATTERN_LEAF_WHOLE, 0);
    } else {
        struct weir_value value = weir_item_get(image, path->segments[path->skip]);
        if (value.type != WEIR_TYPE_ABSENT) {
            find_plain(search, value, path->skip + 1, 0);
        }
    }
}

static void add_integer(const struct search *search, int64_t number)
{
    struct weir_pattern_leaf *leaf = add(search, WEIR_PATTERN_LEAF_NUMBER, 0);
    leaf->comparable = true;
    leaf->number = (double)number;
    char *text = weir_arena_alloc(&search->scratch->arena, 24);
    leaf->text = weir_str(text, (size_t)snprintf(text, 24, "%lld", (long long)number));
}

static void add_identity(const struct search *search, const struct weir_record *record)
{
    if (record->by_ttl) {
        add_text(search,
                search->path->origin == WEIR_PATTERN_FROM_IDENTITY_TYPE
                        ? WEIR_STR("Service")
                        : WEIR_STR("dynamodb.amazonaws.com"),
                0);
    }
}

static void add_event_id(const struct search *search, const struct weir_record *record)
{
    char *text = weir_arena_alloc(&search->scratch->arena, WEIR_EVENT_ID_TEXT);
    weir_record_event_id(record, text);
    add_text(search, weir_str_z(text), 0);
}

static void add_sequence(const struct search *search, const struct weir_record *record)
{
    char *text = weir_arena_alloc(&search->scratch->arena, WEIR_SEQUENCE_TEXT);
    weir_sequence_format(record->pos, text);
    add_text(search, weir_str_z(text), 0);
}

void weir_pattern_fill_slot(const struct weir_pattern_set *set,
        struct weir_pattern_scratch *scratch, uint32_t path, struct weir_pattern_slot *slot)
{
    const struct weir_record *record = scratch->record;
    struct search search = { scratch, slot, &set->paths[path] };
    switch (search.path->origin) {
    case WEIR_PATTERN_FROM_NOWHERE:
        return;
    case WEIR_PATTERN_FROM_EVENT_NAME:
        add_text(&search, weir_str_z(weir_event_name(record->event)), 0);
        return;
    case WEIR_PATTERN_FROM_EVENT_ID:
        add_event_id(&search, record);
        return;
    case WEIR_PATTERN_FROM_EVENT_VERSION:
        add_text(&search, WEIR_STR("1.1"), 0);
        return;
    case WEIR_PATTERN_FROM_EVENT_SOURCE:
        add_text(&search, WEIR_STR("aws:dynamodb"), 0);
        return;
    case WEIR_PATTERN_FROM_REGION:
        add_text(&search, record->source->region, 0);
        return;
    case WEIR_PATTERN_FROM_ARN:
        add_text(&search, record->source->stream_arn, 0);
        return;
    case WEIR_PATTERN_FROM_IDENTITY_TYPE:
    case WEIR_PATTERN_FROM_IDENTITY_PRINCIPAL:
        add_identity(&search, record);
        return;
    case WEIR_PATTERN_FROM_CREATED:
        add_integer(&search, record->created.ms / 1000);
        return;
    case WEIR_PATTERN_FROM_SEQUENCE:
        add_sequence(&search, record);
        return;
    case WEIR_PATTERN_FROM_SIZE:
        add_integer(&search, (int64_t)weir_record_size(record));
        return;
    case WEIR_PATTERN_FROM_VIEW:
        add_text(&search, weir_str_z(weir_view_type_name(record->source->view)), 0);
        return;
    case WEIR_PATTERN_FROM_KEYS:
        find_in_image(&search, record->keys);
        return;
    case WEIR_PATTERN_FROM_NEW:
        find_in_image(&search, record->new_image);
        return;
    case WEIR_PATTERN_FROM_OLD:
        find_in_image(&search, record->old_image);
        return;
    }
}
