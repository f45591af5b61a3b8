/* Constraints of requests, with AWS's words for what breaks them. */
#include <stdio.h>

#include "api/wire.h"
#include "table/table.h"

enum { MESSAGE_MAX = 8 * 1024, SHOWN_MAX = 300 };

/* Where the check stands, as a chain of names and list numbers. */
struct place {
    const struct place *outer;
    struct weir_str name; /* p NULL: the element `number` of a list */
    size_t number;
    bool as_is; /* a map's name: written as it is, and "member" behind it */
};

/* What is shown of a value that is not there; told from others by its address. */
static const struct weir_str null_text = { "null", 4 };

struct checker {
    struct weir_buf buf;
    size_t count;
};

static void check_struct(struct checker *checker, const struct weir_wire_shape *shape,
        const char *at, const struct place *outer);

static void write_place(struct weir_buf *buf, const struct place *place)
{
    if (place->outer != NULL) {
        write_place(buf, place->outer);
        weir_buf_byte(buf, '.');
    }
    if (place->name.p == NULL) {
        weir_buf_printf(buf, "%zu.member", place->number);
    } else if (place->as_is) {
        weir_buf_printf(buf, "%.*s.member", WEIR_STR_ARG(place->name));
    } else {
        /* AWS names members here with a small first letter. */
        weir_buf_byte(buf, (char)(place->name.p[0] | 0x20));
        weir_buf_str(buf, weir_str(place->name.p + 1, place->name.n - 1));
    }
}

/* Begin one fault; the caller appends the constraint. shown p NULL: no value. */
static void begin_fault(struct checker *checker, struct weir_str shown, const struct place *place)
{
    struct weir_buf *buf = &checker->buf;
    if (checker->count++ > 0) {
        weir_buf_z(buf, "; ");
    }
    weir_buf_z(buf, "Value ");
    if (shown.p == null_text.p) {
        weir_buf_z(buf, "null ");
    } else if (shown.p != NULL) {
        size_t n = shown.n < SHOWN_MAX ? shown.n : SHOWN_MAX;
        weir_buf_printf(buf, "'%.*s' ", (int)n, shown.p);
    }
    weir_buf_z(buf, "at '");
    write_place(buf, place);
    weir_buf_z(buf, "' failed to satisfy constraint: ");
}

static void check_length(struct checker *checker, const struct weir_wire_member *member,
        struct weir_str shown, size_t length, const struct place *place)
{
    if (member->max == 0) {
        return;
    }
    if (length < (uint64_t)member->min) {
        begin_fault(checker, shown, place);
        weir_buf_printf(&checker->buf, "Member must have length greater than or equal to %lld",
                (long long)member->min);
    } else if (length > (uint64_t)member->max) {
        begin_fault(checker, shown, place);
        weir_buf_printf(&checker->buf, "Member must have length less than or equal to %lld",
                (long long)member->max);
    }
}

bool weir_wire_is_one_of(const char *values, struct weir_str text)
{
    for (const char *at = values + 1; *at != '\0';) {
        size_t n = strcspn(at, ",]");
        if (n == text.n && memcmp(at, text.p, n) == 0) {
            return true;
        }
        at += n + 1;
        at += *at == ' ';
    }
    return false;
}

static bool is_name(struct weir_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
        if (!ok) {
            return false;
        }
    }
    return true;
}

static void check_name(struct checker *checker, struct weir_str name, const struct place *place)
{
    static const struct weir_wire_member bounds = { .min = WEIR_TABLE_NAME_MIN,
        .max = WEIR_TABLE_NAME_MAX };
    if (!is_name(name)) {
        begin_fault(checker, name, place);
        weir_buf_z(
                &checker->buf, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
    }
    check_length(checker, &bounds, name, name.n, place);
}

static void check_string(struct checker *checker, const struct weir_wire_member *member,
        struct weir_str text, const struct place *place)
{
    if (member->type == WEIR_WIRE_TABLE_NAME && weir_str_starts(text, WEIR_STR("arn:"))) {
        return;
    }
    if (member->type != WEIR_WIRE_STRING) {
        check_name(checker, text, place);
        return;
    }
    if (member->values != NULL && !weir_wire_is_one_of(member->values, text)) {
        begin_fault(checker, text, place);
        weir_buf_printf(&checker->buf, "Member must satisfy enum value set: %s", member->values);
    }
    if (member->pattern != NULL && !member->pattern->fits(text)) {
        begin_fault(checker, text, place);
        weir_buf_printf(&checker->buf, "Member must satisfy regular expression pattern: %s",
                member->pattern->shown);
    }
    check_length(checker, member, text, text.n, place);
}

static void check_number(struct checker *checker, const struct weir_wire_member *member,
        int64_t value, const struct place *place)
{
    bool low = value < member->min;
    if (member->max == 0 || (!low && value <= member->max)) {
        return;
    }
    char text[24];
    int n = snprintf(text, sizeof(text), "%lld", (long long)value);
    begin_fault(checker, weir_str(text, (size_t)n), place);
    weir_buf_printf(&checker->buf, "Member must have value %s than or equal to %lld",
            low ? "greater" : "less", (long long)(low ? member->min : member->max));
}

static void check_list(struct checker *checker, const struct weir_wire_member *member,
        const struct weir_wire_list *list, const struct place *place)
{
    check_length(checker, member, weir_str(NULL, 0), list->count, place);
    if (member->shape == NULL) {
        return;
    }
    const char *items = list->items;
    for (size_t i = 0; i < list->count; i++) {
        const char *at = items + i * member->shape->size;
        struct place element = { .outer = place, .number = i + 1 };
        if (member->type == WEIR_WIRE_MAP || member->type == WEIR_WIRE_LISTS) {
            element.name = *(const struct weir_str *)(const void *)at;
            element.as_is = true;
        }
        if (member->type == WEIR_WIRE_LISTS) {
            const struct weir_wire_member *inner = member->shape->members;
            const void *inner_list = at + inner->offset;
            check_list(checker, inner, inner_list, &element);
        } else {
            check_struct(checker, member->shape, at, &element);
        }
    }
}

/* Whether a member is there; what is not there is zeroed. */
static bool is_there(enum weir_wire_type type, const void *at)
{
    switch (type) {
    case WEIR_WIRE_STRING:
    case WEIR_WIRE_TABLE_NAME:
    case WEIR_WIRE_INDEX_NAME:
    case WEIR_WIRE_REFUSED:
        return ((const struct weir_str *)at)->p != NULL;
    case WEIR_WIRE_BOOL:
        return ((const struct weir_wire_bool *)at)->set;
    case WEIR_WIRE_NUMBER:
        return ((const struct weir_wire_number *)at)->set;
    case WEIR_WIRE_TIME:
        return ((const struct weir_wire_time *)at)->set;
    case WEIR_WIRE_ITEM:
    case WEIR_WIRE_NAMES:
        return ((const struct weir_item *)at)->p != NULL;
    case WEIR_WIRE_STRINGS:
    case WEIR_WIRE_ITEMS:
    case WEIR_WIRE_LIST:
    case WEIR_WIRE_MAP:
    case WEIR_WIRE_LISTS:
        return ((const struct weir_wire_list *)at)->set;
    case WEIR_WIRE_STRUCT:
        return *(const void *const *)at != NULL;
    }
    return false;
}

static void check_member(struct checker *checker, const struct weir_wire_member *member,
        const char *at, const struct place *outer)
{
    struct place place = { .outer = outer, .name = weir_str_z(member->name) };
    if (!is_there(member->type, at)) {
        if (member->required) {
            begin_fault(checker, null_text, &place);
            weir_buf_z(&checker->buf, "Member must not be null");
        }
        return;
    }
    const void *field = at;
    switch (member->type) {
    case WEIR_WIRE_STRING:
    case WEIR_WIRE_TABLE_NAME:
    case WEIR_WIRE_INDEX_NAME:
        check_string(checker, member, *(const struct weir_str *)field, &place);
        break;
    case WEIR_WIRE_NUMBER:
        check_number(checker, member, ((const struct weir_wire_number *)field)->value, &place);
        break;
    case WEIR_WIRE_STRINGS:
    case WEIR_WIRE_ITEMS:
    case WEIR_WIRE_LIST:
    case WEIR_WIRE_MAP:
    case WEIR_WIRE_LISTS:
        check_list(checker, member, field, &place);
        break;
    case WEIR_WIRE_STRUCT:
        check_struct(checker, member->shape, *(const char *const *)field, &place);
        break;
    case WEIR_WIRE_BOOL:
    case WEIR_WIRE_TIME:
    case WEIR_WIRE_ITEM:
    case WEIR_WIRE_NAMES:
    case WEIR_WIRE_REFUSED:
        break;
    }
}

static void check_struct(struct checker *checker, const struct weir_wire_shape *shape,
        const char *at, const struct place *outer)
{
    for (const struct weir_wire_member *m = shape->members; m->name != NULL; m++) {
        check_member(checker, m, at + m->offset, outer);
    }
}

enum weir_wire_fault weir_wire_check(const struct weir_wire_shape *shape, const void *request,
        struct weir_arena *arena, struct weir_str *ret_message)
{
    struct checker checker = { .count = 0 };
    weir_buf_init(&checker.buf, MESSAGE_MAX);
    check_struct(&checker, shape, request, NULL);
    if (checker.count == 0) {
        return WEIR_WIRE_FINE;
    }
    *ret_message = weir_arena_printf(arena, "%zu validation error%s detected: %.*s", checker.count,
            checker.count == 1 ? "" : "s", WEIR_STR_ARG(weir_buf_view(&checker.buf)));
    weir_buf_fini(&checker.buf);
    return WEIR_WIRE_VALIDATION;
}
